"""Kaplan-Meier curves by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.frames.arguments import checked
from crewe.frames.choices import CurveInterval, Missing
from crewe.frames.source import build, numbers
from crewe.models.grouped import each
from crewe.models.linear import rows_of_the_data
from crewe.survival._risk_counts import risk_counts, risk_written
from crewe.survival._surv import grouped, need_text
from crewe.tables.counts import Count, Relation, Told, cell, counted
from crewe.tables.display import Table, number
from crewe.tables.printable import Printable
from crewe.tables.wording import carry, worded

Floats = NDArray[np.float64]


@dataclass(repr=False)
class KaplanMeier(Printable):
    """Kaplan-Meier curves; made by :func:`kaplan_meier`.

    Attributes
    ----------
    groups : list of str
        The groups, in order.
    conf_type : str
        The scale of the intervals.
    notes : list of str
        What a reader must know: dropped rows, groups without events.
    """

    groups: list[str]
    by: str
    conf_type: str
    level: float
    notes: list[str]
    time_name: str
    event_name: str
    synthetic: bool
    curves: list[_core.KaplanMeierCurve] = field(repr=False)
    implementation: Any = field(repr=False)

    def tidy(self) -> Any:
        """Give the curves as one frame.

        Columns: `term` (the group), `time, at_risk, events, censored, estimate, std_error,
        conf_low, conf_high`.
        """
        curves = self.curves
        return build(
            {
                "term": [
                    group
                    for group, curve in zip(self.groups, curves, strict=True)
                    for _ in curve.time
                ],
                "time": np.concatenate([curve.time for curve in curves]),
                "at_risk": np.concatenate([curve.at_risk for curve in curves]),
                "events": np.concatenate([curve.events for curve in curves]),
                "censored": np.concatenate([curve.censored for curve in curves]),
                "estimate": np.concatenate([curve.survival for curve in curves]),
                "std_error": np.concatenate([curve.std_error for curve in curves]),
                "conf_low": np.concatenate([curve.conf_low for curve in curves]),
                "conf_high": np.concatenate([curve.conf_high for curve in curves]),
            },
            self.implementation,
            synthetic=self.synthetic,
        )

    def _medians(self) -> list[_core.Quantile]:
        return [curve.quantile(0.5) for curve in self.curves]

    def glance(self) -> Any:
        """Give one row a group: rows, events, the median time and its interval."""
        medians = self._medians()
        return build(
            {
                "term": self.groups,
                "n": [curve.n for curve in self.curves],
                "events": [float(curve.events.sum()) for curve in self.curves],
                "median": [median.estimate for median in medians],
                "conf_low": [median.conf_low for median in medians],
                "conf_high": [median.conf_high for median in medians],
            },
            self.implementation,
            synthetic=self.synthetic,
        )

    def medians(self) -> Any:
        """Give the median times; the middle of a step that is flat at one half, as R has it."""
        return self.glance()

    def at_risk(self, times: Sequence[float]) -> Any:
        """Give the numbers at risk just before each of `times`, a column a group."""
        return build(
            {"time": list(times), **self._at_risk(times)},
            self.implementation,
            synthetic=self.synthetic,
        )

    def _at_risk(self, times: Sequence[float]) -> dict[str, Floats]:
        wanted = numbers(times, "times")
        return {
            group: curve.at_risk_at(wanted)
            for group, curve in zip(self.groups, self.curves, strict=True)
        }

    def risk_table(self, times: Sequence[float]) -> Table:
        """Give the table of the numbers at risk just before each of `times`, as a figure has it.

        Parameters
        ----------
        times : sequence of float
            When.

        Returns
        -------
        Table

        Examples
        --------
        >>> import crewe as cw
        >>> curves = cw.kaplan_meier("Surv(week, arrest) ~ fin", cw.datasets.rossi())
        >>> curves.risk_table([0, 26, 52]).cells()
        [['no', '216', '187', '154'], ['yes', '216', '194', '168']]
        """
        wanted = numbers(times, "times")
        counts, relations = self._risk_counts(wanted)
        return Table(
            [self.by or "group", *(f"{time:g}" for time in wanted)],
            [[worded(group), *map(cell, counts[group])] for group in self.groups],
            title=f"Numbers at risk, by {self.time_name}",
            relations=relations,
        )

    def _risk_counts(self, times: Floats) -> tuple[dict[str, list[Count]], list[Relation]]:
        return risk_counts(self.groups, self.curves, self.by, self.time_name, times)

    def _risk_written(self, times: Sequence[float]) -> dict[str, list[str]]:
        return risk_written(*self._risk_counts(numbers(times, "times")))

    def survival_at(self, times: Sequence[float]) -> Any:
        """Give the curves at any times: `term, time, estimate, std_error, conf_low, conf_high`.

        A time that differs from one of the data by rounding alone is that time: `0.3` is `0.1 * 3`.
        Beyond the last time of a group nobody is left who could tell: its curve is NaN there, unless
        it had reached 0.
        """
        wanted = numbers(times, "times")
        read = [curve.read(wanted) for curve in self.curves]
        return build(
            {
                "term": [group for group in self.groups for _ in wanted],
                "time": np.tile(wanted, len(read)),
                "estimate": np.concatenate([curve.survival for curve in read]),
                "std_error": np.concatenate([curve.std_error for curve in read]),
                "conf_low": np.concatenate([curve.conf_low for curve in read]),
                "conf_high": np.concatenate([curve.conf_high for curve in read]),
            },
            self.implementation,
            synthetic=self.synthetic,
        )

    def summary(self) -> Table:
        """Give the printed table."""
        percent = f"{100 * self.level:g}%"
        rows: list[list[Any]] = []
        relations: list[Relation] = []
        for group, curve, median in zip(self.groups, self.curves, self._medians(), strict=True):
            at = {self.by: group} if self.by else {}
            n, events = curve.n, float(curve.events.sum())
            size, had = counted(n, at), counted(round(events), {**at, self.event_name: "1"})
            if had.value <= n:
                others = counted(n - had.value, {**at, self.event_name: "0"})
                relations.append(Relation(size, (had, others)))
            # Weighted events are no count of people, and are printed as they are.
            printed = cell(had) if events.is_integer() else cell(Told(f"{events:g}", (had,)))
            times = (median.estimate, median.conf_low, median.conf_high)
            rows.append(
                [
                    worded(group),
                    cell(size),
                    printed,
                    *(cell(Told(number(time, 1), (size, had))) for time in times),
                ]
            )
        header = [
            self.by or "group",
            "rows",
            "events",
            f"median {self.time_name}",
            f"{percent} low",
            "high",
        ]
        title = "Kaplan-Meier" + (" (SYNTHETIC data)" if self.synthetic else "")
        notes = [f"Intervals on the {self.conf_type} scale, Greenwood's variance."]
        return Table(
            header,
            rows,
            title=title,
            notes=[*notes, *[f"Note: {n}." for n in self.notes]],
            relations=relations,
        )

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        return [
            "Survival was estimated by the Kaplan-Meier method, "
            f"with {100 * self.level:g}% intervals on the {self.conf_type} scale from Greenwood's variance."
        ]

    def _panels(self) -> list[Table]:
        return [self.summary()]

    def plot(
        self,
        *,
        end: float | None = None,
        step: float | None = None,
        ylabel: str = "Probability of no event yet",
        xlabel: str | None = None,
        labels: dict[str, str] | None = None,
        interval: bool = False,
        ax: Any = None,
    ) -> Any:
        """Draw one curve a group, with the numbers at risk under the axis.

        Parameters
        ----------
        end, step : float, optional
            Where the axis of time ends, and the distance of its ticks. Default: beyond the last
            time, about six ticks.
        ylabel, xlabel : str
            The names of the axes; for time to closure, "Probability of remaining open".
        labels : dict, optional
            Words for the groups.
        interval : bool
            Whether to shade the pointwise intervals.
        ax : matplotlib Axes, optional
            Where to draw; the numbers at risk go below it.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from crewe.survival._figure import survival_figure

        return survival_figure(
            [
                {
                    "label": group,
                    "time": curve.time,
                    "survival": curve.survival,
                    "low": curve.conf_low,
                    "high": curve.conf_high,
                    "censored": curve.time[curve.censored > 0],
                }
                for group, curve in zip(self.groups, self.curves, strict=True)
            ],
            at_risk=self._risk_written,
            medians=[median.estimate for median in self._medians()],
            end=end,
            step=step,
            ylabel=ylabel,
            xlabel=xlabel or self.time_name,
            labels=labels or {},
            interval=interval,
            kind="Kaplan-Meier",
            synthetic=self.synthetic,
            ax=ax,
        )


@checked
def kaplan_meier(
    formula: Any,
    data: Any = None,
    *,
    conf_type: CurveInterval = "log-log",
    level: float = 0.95,
    weights: Any = None,
    design: Any = None,
    cluster: Any = None,
    by: str | None = None,
    missing: Missing = "drop",
    synthetic: bool = False,
) -> Any:
    """Estimate survival curves by group.

    Parameters
    ----------
    formula : str, or Surv
        `"Surv(days, closed) ~ arm"` (`~ 1` for one curve), or `cw.Surv(time, event)` with the
        groups as an array in `data`.
    data : data frame, or array (n,)
    conf_type : {"log-log", "log", "plain"}
        The scale on which intervals are symmetric.
    level : float
        Of the intervals.
    weights : str, or array (n,), optional
        Positive weights.
    design : Assignment or closed Ledger, optional
        The trial: gives the arm and its order, the reference first, and the units that were randomised.
    cluster : str, or array of ids (n,), optional
        The unit that was randomised; with several rows a unit a note says that they count as independent.
    by : str, optional
        A column, for a result within each of its values.
    missing : {"drop", "refuse"}
        What becomes of rows with missing values: left out and counted by arm, or refused.
    synthetic : bool
        Marks every table and figure as made from synthetic data.

    Returns
    -------
    KaplanMeier, or with `by` a mapping from group to one

    Raises
    ------
    InputError
        Times that are missing or negative, events that are neither 0 nor 1, no event at all.

    Examples
    --------
    >>> import crewe as cw
    >>> rossi = cw.datasets.rossi()
    >>> curves = cw.kaplan_meier("Surv(week, arrest) ~ fin", rossi)
    >>> curves.survival_at([26])["estimate"].round(3).tolist()
    [0.852, 0.898]
    """
    if by is not None:
        need_text(formula)
        return each(
            by,
            data,
            cluster,
            missing,
            lambda part, inside: kaplan_meier(
                formula,
                part,
                conf_type=conf_type,
                level=level,
                weights=weights,
                design=design,
                cluster=inside,
                missing=missing,
                synthetic=synthetic,
            ),
        )
    read = grouped(formula, data, weights=weights, design=design, cluster=cluster, missing=missing)
    surv = read.surv
    with rows_of_the_data(read.rows):
        curves = _core.kaplan_meier(surv.core(read.weights), read.groups, conf_type, level)
    quiet = [
        f"no events among the {curve.n:,} rows of '{label}'"
        for label, curve in zip(read.labels, curves, strict=True)
        if not curve.events.any()
    ]
    made = KaplanMeier(
        groups=read.labels,
        by=read.by,
        conf_type=conf_type,
        level=level,
        notes=[*read.notes, *quiet],
        time_name=surv.time_name,
        event_name=surv.event_name,
        synthetic=synthetic or read.synthetic,
        curves=curves,
        implementation=read.implementation,
    )
    return carry(made, read.words)

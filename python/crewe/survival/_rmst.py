"""Restricted mean survival time by arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.frames.arguments import check_methods, checked
from crewe.frames.choices import Missing
from crewe.frames.source import build, numbers
from crewe.models.estimates import columns_of
from crewe.models.grouped import each
from crewe.models.linear import rows_of_the_data
from crewe.survival._risk_counts import risk_counts, risk_written
from crewe.survival._surv import grouped, need_text
from crewe.tables.counts import Count, Relation, Told, cell, counted
from crewe.tables.display import Table, number, p_value
from crewe.tables.printable import Printable
from crewe.tables.wording import carry, worded

Floats = NDArray[np.float64]


@dataclass(repr=False)
class RestrictedMean(Printable):
    """Restricted mean survival times by arm; made by :func:`rmst`.

    Attributes
    ----------
    groups : list of str
        The arms, the reference first.
    horizon : float
        Where the areas end, in the unit of the times.
    level : float
        Of the intervals.
    n : list of int
        Rows by arm.
    events : array (arms,)
        Events up to the horizon, by their weights.
    clusters : list of int, or None
        Clusters with rows in each arm.
    cov : array (arms, arms)
        The covariance of the means.
    notes : list of str
        What a reader must know.
    mark : str
        The trial that `design=` joined, by name and hash; empty without one.
    """

    groups: list[str]
    by: str
    horizon: float
    level: float
    n: list[int]
    events: Floats
    clusters: list[int] | None
    cluster_name: str
    weighted: bool
    cov: Floats = field(repr=False)
    notes: list[str]
    time_name: str
    event_name: str
    synthetic: bool
    curves: list[_core.KaplanMeierCurve] = field(repr=False)
    implementation: Any = field(repr=False)
    _means: dict[str, Floats] = field(repr=False)
    _differences: dict[str, Floats] = field(repr=False)
    _ratios: dict[str, Floats] = field(repr=False)
    mark: str = ""

    def _columns(self) -> dict[str, Any]:
        first, *others = self.groups
        tables = (self._means, self._differences, self._ratios)
        return {
            "term": [
                *self.groups,
                *[f"{other} − {first}" for other in others],
                *[f"{other} / {first}" for other in others],
            ],
            "measure": [
                *["mean"] * len(self.groups),
                *["difference"] * len(others),
                *["ratio"] * len(others),
            ],
            **{name: np.concatenate([table[name] for table in tables]) for name in self._means},
        }

    def tidy(self) -> Any:
        """Give the means, then their differences from the first arm's and their ratios to it.

        Columns: `term, measure, estimate, std_error, statistic, df, p_value, conf_low, conf_high`. Ratios stand with
        their limits as they are; their `std_error`, `statistic` and `p_value` are of the logarithm. Means
        are not tested.
        """
        return build(self._columns(), self.implementation, synthetic=self.synthetic)

    def glance(self) -> Any:
        """Give one row an arm: `term, n, events, last_time, horizon`, and `clusters` where there are any."""
        clusters = {} if self.clusters is None else {"clusters": self.clusters}
        return build(
            {
                "term": self.groups,
                "n": self.n,
                **clusters,
                "events": self.events,
                "last_time": [float(curve.time[-1]) for curve in self.curves],
                "horizon": [self.horizon] * len(self.groups),
            },
            self.implementation,
            synthetic=self.synthetic,
        )

    def summary(self) -> Table:
        """Give the printed table."""
        percent = f"{100 * self.level:g}%"
        first, *others = (worded(group) for group in self.groups)
        rows: list[list[Any]] = []
        relations: list[Relation] = []
        given: list[Count] = []

        def figures(table: dict[str, Floats], i: int, places: int, of: list[Count]) -> list[Any]:
            names = ("estimate", "std_error", "conf_low", "conf_high")
            return [cell(Told(number(float(table[name][i]), places), tuple(of))) for name in names]

        for i, group in enumerate(self.groups):
            at = {self.by: group} if self.by else {}
            events = float(self.events[i])
            size = counted(self.n[i], at)
            had = counted(round(events), {**at, self.event_name: f"1 by {self.horizon:g}"})
            if had.value <= size.value:
                rest = {**at, self.event_name: f"0 by {self.horizon:g}"}
                relations.append(Relation(size, (had, counted(size.value - had.value, rest))))
            # Weighted events are no count of people, and are printed as they are.
            shown = cell(had) if events.is_integer() else cell(Told(f"{events:g}", (had,)))
            given += [size, had]
            rows.append(
                [
                    worded(group),
                    cell(size),
                    shown,
                    *figures(self._means, i, 2, [size, had]),
                    "",
                ]
            )
        for table, sign, places in ((self._differences, "−", 2), (self._ratios, "/", 3)):
            for i, other in enumerate(others):
                # With one arm known, what compares the two gives the other away.
                p = cell(Told(p_value(float(table["p_value"][i])), tuple(given)))
                rows.append(
                    [f"{other} {sign} {first}", "", "", *figures(table, i, places, given), p]
                )
        header = [
            self.by or "group",
            "rows",
            "events",
            f"mean {self.time_name}",
            "std. error",
            f"{percent} low",
            "high",
            "p",
        ]
        title = f"Restricted mean {self.time_name} up to {self.horizon:g}"
        return Table(
            header,
            rows,
            title=title + (" (SYNTHETIC data)" if self.synthetic else ""),
            notes=[*self.methods(), *[f"Note: {note}." for note in self.notes]],
            relations=relations,
        )

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        said = (
            "Restricted means are the areas under the Kaplan-Meier curves up to the horizon of "
            f"{self.horizon:g} ({self.time_name}): the mean time without the event within it."
        )
        if self.clusters is not None:
            df = self._means["df"][0]
            how = (
                f"Standard errors sum the influence of rows over clusters ({self.cluster_name}), "
                f"with G/(G − 1) and t on {df:g} df, clusters less arms."
            )
        elif self.weighted:
            df = self._means["df"][0]
            how = f"Standard errors come from the influence of each row, with n/(n − 1) and t on {df:g} df."
        else:
            how = "Standard errors are Greenwood's (plug-in, as survRM2), referred to the normal."
        ratio = ["Ratios are compared as logarithms (delta method)."] if self.groups[1:] else []
        return [said, how, *ratio]

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
        ax: Any = None,
    ) -> Any:
        """Draw the curves with the areas up to the horizon shaded, and the numbers at risk under the axis.

        Parameters
        ----------
        end, step : float, optional
            Where the axis of time ends, and the distance of its ticks. Default: beyond the last
            time, about six ticks.
        ylabel, xlabel : str
            The names of the axes; for time to closure, "Probability of remaining open".
        labels : dict, optional
            Words for the arms.
        ax : matplotlib Axes, optional
            Where to draw; the numbers at risk go below it.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from crewe.survival._figure import survival_figure

        def at_risk(times: Sequence[float]) -> dict[str, list[str]]:
            wanted = numbers(times, "times")
            return risk_written(
                *risk_counts(self.groups, self.curves, self.by, self.time_name, wanted)
            )

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
            at_risk=at_risk,
            medians=None,
            means=(self.horizon, self._means["estimate"].tolist()),
            end=end,
            step=step,
            ylabel=ylabel,
            xlabel=xlabel or self.time_name,
            labels=labels or {},
            interval=False,
            kind="Kaplan-Meier",
            synthetic=self.synthetic,
            ax=ax,
        )


@checked
def rmst(
    formula: Any,
    data: Any = None,
    *,
    horizon: float | None = None,
    level: float = 0.95,
    weights: Any = None,
    design: Any = None,
    cluster: Any = None,
    by: str | None = None,
    missing: Missing = "drop",
    synthetic: bool = False,
) -> Any:
    """Estimate restricted mean survival times by arm, their differences and their ratios.

    The restricted mean is the mean time without the event, of the time up to a horizon: the area under the
    Kaplan-Meier curve. It needs no proportional hazards, and its difference is in days, or whatever the times are in.

    Parameters
    ----------
    formula : str, or Surv
        `"Surv(days, closed) ~ arm"` (`~ 1` for one mean), or `cw.Surv(time, event)` with the
        arms as an array in `data`.
    data : data frame, or array (n,)
    horizon : float, optional
        Where the areas end, in the unit of the times. Without one it is the smaller of the arms' last times, which is
        printed; name it in the protocol. Beyond the last time of an arm nothing is known, unless its curve has come
        down to 0: such a horizon is refused.
    level : float
        Of the intervals.
    weights : str, or array (n,), optional
        Positive weights; the variance then comes from the influence of each row.
    design : Assignment or closed Ledger, optional
        The trial: gives the arm and its order, the reference first, and the units that were randomised, which are the
        clusters.
    cluster : str, or array of ids (n,), optional
        The clusters of the rows.
    by : str, optional
        A column, for a result within each of its values.
    missing : {"drop", "refuse"}
        What becomes of rows with missing values: left out and counted by arm, or refused.
    synthetic : bool
        Marks every table and figure as made from synthetic data.

    Returns
    -------
    RestrictedMean, or with `by` a mapping from group to one

    Raises
    ------
    InputError
        Times that are missing or negative, events that are neither 0 nor 1, no event at all, a horizon that is not
        above 0 or lies beyond what is known.
    DesignError
        An arm with fewer than two clusters.

    Notes
    -----
    With event times t_k, d_k of n_k at risk and the area A_k after t_k, the variance is Greenwood's,
    Σ A_k² d_k / (n_k (n_k − d_k)), as survRM2 for R has it (Uno and others 2014, doi:10.1200/JCO.2014.55.2208). With
    clusters it is G/(G − 1) times the sum over clusters of the squared sums of the rows' influences, on t with G less
    the number of arms degrees of freedom; with every row a cluster of its own the sum is Greenwood's. Ratios are worked
    out as logarithms.

    Examples
    --------
    >>> import crewe as cw
    >>> found = cw.rmst("Surv(week, arrest) ~ fin", cw.datasets.rossi(), horizon=52)
    >>> found.tidy()[["term", "estimate", "std_error"]].round(3)
           term  estimate  std_error
    0        no    44.833      0.918
    1       yes    46.875      0.793
    2  yes − no     2.042      1.213
    3  yes / no     1.046      0.027
    """
    if by is not None:
        need_text(formula)
        return each(
            by,
            data,
            cluster,
            missing,
            lambda part, inside: rmst(
                formula,
                part,
                horizon=horizon,
                level=level,
                weights=weights,
                design=design,
                cluster=inside,
                missing=missing,
                synthetic=synthetic,
            ),
        )
    read = grouped(
        formula,
        data,
        weights=weights,
        design=design,
        cluster=cluster,
        missing=missing,
        compared=True,
        clustered=True,
    )
    surv = read.surv
    clusters = None if read.clusters is None else _core.Clusters(read.clusters)
    with rows_of_the_data(read.rows):
        found = _core.rmst(
            surv.core(read.weights), read.groups, read.labels, clusters, horizon, level
        )
    made = RestrictedMean(
        groups=read.labels,
        by=read.by,
        horizon=found.horizon,
        level=level,
        n=[curve.n for curve in found.curves],
        events=found.events,
        clusters=found.clusters,
        cluster_name=read.cluster_name,
        weighted=read.weights is not None,
        cov=found.covariance,
        notes=[*read.notes, *found.notes],
        time_name=surv.time_name,
        event_name=surv.event_name,
        synthetic=synthetic or read.synthetic,
        curves=found.curves,
        implementation=read.implementation,
        _means=columns_of(found.means),
        _differences=columns_of(found.differences),
        _ratios={
            name: np.exp(values) if name in ("estimate", "conf_low", "conf_high") else values
            for name, values in columns_of(found.ratios).items()
        },
        mark=read.mark,
    )
    return carry(made, read.words)


check_methods(RestrictedMean)

"""Survival by arm, averaged over the covariates of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.formula import names as _names
from crewe.formula.design import Design
from crewe.frames.source import build, numbers
from crewe.models.margins import _label, _values
from crewe.tables.display import Table, number
from crewe.tables.printable import Printable
from crewe.tables.wording import carry, worded, words_of


@dataclass(repr=False)
class AdjustedCurves(Printable):
    """Adjusted survival curves; made by :meth:`CoxPH.adjusted_curves`.

    Attributes
    ----------
    term : str
        The column that was set.
    values : list of str
        What it was set to.
    """

    term: str
    values: list[str]
    level: float
    time_name: str
    notes: list[str]
    synthetic: bool
    curves: list[_core.SurvivalCurve] = field(repr=False)
    changes: list[_core.SurvivalCurve] = field(repr=False)
    implementation: Any = field(repr=False)

    def tidy(self) -> Any:
        """Give the curves: `term, time, estimate, std_error, conf_low, conf_high`."""
        return self._long(self.values, self.curves)

    def differences(self) -> Any:
        """Give the differences of survival from the first value, at every time."""
        first = self.values[0]
        return self._long([f"{value} − {first}" for value in self.values[1:]], self.changes)

    def _long(self, names: Sequence[str], curves: Sequence[_core.SurvivalCurve]) -> Any:
        return build(
            {
                "term": [
                    name for name, curve in zip(names, curves, strict=True) for _ in curve.time
                ],
                "time": np.concatenate([curve.time for curve in curves]),
                "estimate": np.concatenate([curve.survival for curve in curves]),
                "std_error": np.concatenate([curve.std_error for curve in curves]),
                "conf_low": np.concatenate([curve.conf_low for curve in curves]),
                "conf_high": np.concatenate([curve.conf_high for curve in curves]),
            },
            self.implementation,
            synthetic=self.synthetic,
        )

    def summary(self) -> Table:
        """Give the printed table, at up to six of the times."""
        time = self.curves[0].time
        n = len(time)
        at = np.unique(np.linspace(0, n - 1, min(n, 6)).round().astype(int))
        rows = [
            [
                f"{time[i]:g}",
                *[
                    f"{number(float(c.survival[i]), 3)} ({number(float(c.conf_low[i]), 3)}, "
                    f"{number(float(c.conf_high[i]), 3)})"
                    for c in self.curves
                ],
            ]
            for i in at
        ]
        notes = [f"Averaged over the covariates of all rows; {100 * self.level:g}% intervals."]
        return Table(
            [self.time_name, *[f"{self.term} = {worded(value)}" for value in self.values]],
            rows,
            title="Adjusted survival" + (" (SYNTHETIC data)" if self.synthetic else ""),
            notes=[*notes, *[f"Note: {note}." for note in self.notes]],
        )

    def _panels(self) -> list[Table]:
        return [self.summary()]

    def plot(
        self,
        *,
        end: float | None = None,
        step: float | None = None,
        ylabel: str = "Adjusted probability of no event yet",
        xlabel: str | None = None,
        labels: dict[str, str] | None = None,
        interval: bool = False,
        ax: Any = None,
    ) -> Any:
        """Draw one curve a value; arguments as :meth:`KaplanMeier.plot`."""
        from crewe.survival._figure import survival_figure

        return survival_figure(
            [
                {
                    "label": value,
                    "time": curve.time,
                    "survival": curve.survival,
                    "low": curve.conf_low,
                    "high": curve.conf_high,
                    "censored": np.empty(0),
                }
                for value, curve in zip(self.values, self.curves, strict=True)
            ],
            at_risk=None,
            medians=None,
            end=end,
            step=step,
            ylabel=ylabel,
            xlabel=xlabel or self.time_name,
            labels=labels or {},
            interval=interval,
            kind="Cox-adjusted",
            synthetic=self.synthetic,
            ax=ax,
        )


def adjusted_curves(
    fit: Any,
    core: _core.CoxFit,
    design: Design,
    term: str | None,
    times: Sequence[float] | None,
    conf_type: str,
    level: float,
) -> AdjustedCurves:
    """Set a column to each of its values for all rows, and let the core average the curves."""
    used = design.variables
    if term is None:
        named = _names.inside(_names.aliased(fit.formula.partition("~")[2]))
        term = next(name for name in named if name in used)
    if term not in used:
        raise fault(
            InputError,
            f"'{term}' is not in the formula {fit.formula}",
            column=term,
            remedy=f"It has {', '.join(used)}",
        )
    values = _values(design, term, None)
    settings = [design.with_values({term: value}) for value in values]
    at = core.event_times() if times is None else np.ascontiguousarray(numbers(times, "times"))
    found = core.adjusted_curves(fit._covariance(), settings, at, conf_type, level)
    made = AdjustedCurves(
        term=term,
        values=[_label(value) for value in values],
        level=level,
        time_name=fit.rows.surv.time_name,
        notes=found.notes,
        synthetic=fit.synthetic,
        curves=found.curves,
        changes=found.differences,
        implementation=fit.implementation,
    )
    return carry(made, words_of(fit))

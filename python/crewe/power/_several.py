"""Power for several outcomes together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.power._again import again, known
from crewe.power._quantities import chance, percent, plain, real
from crewe.power._result import Power
from crewe.tables.display import Table
from crewe.tables.printable import Printable

Procedure: TypeAlias = Literal["none", "bonferroni", "holm"]


@checked
def several(
    plans: Mapping[str, Power], *, correlation: Any, procedure: Procedure = "holm"
) -> Several:
    """Work out the power of several outcomes together: any of them, all, or at least so many.

    Parameters
    ----------
    plans : mapping of str to Power
        A solved calculation for each outcome, by its name; 2 to 10 of them, of one level.
    correlation : float, or array of float (outcomes, outcomes)
        The correlation of the outcomes: one for all pairs, from 0 to below 1, or the matrix, a row and
        a column an outcome; signed so that better goes with better.
    procedure : {"holm", "bonferroni", "none"}
        How the level is shared between the outcomes.

    Returns
    -------
    Several
        The power of each outcome under the procedure, and of at least 1, 2, ... of them.

    Raises
    ------
    InputError
        For fewer than 2 or more than 10 outcomes, plans that are out of reach or differ in level,
        a correlation outside 0 to 1, and a matrix that no outcomes can have.

    Notes
    -----
    The test statistics are joined by a common factor: an outcome with power p at a level is found
    there with probability Φ((√r F + Φ⁻¹(p)) / √(1 - r)), and the result is the mean over F. With a
    matrix the integral is taken over a shifted lattice, whose standard error the result has. Kinds of
    power: Porter (2018), Journal of Research on Educational Effectiveness 11, 267.

    Examples
    --------
    >>> import crewe as cw
    >>> trial = {"icc": 0.1, "cluster_size": 20, "clusters": 60, "effect": 0.35}
    >>> plans = {name: cw.power.continuous(**trial) for name in ("reading", "maths", "attendance")}
    >>> together = cw.power.several(plans, correlation=0.5)
    >>> round(together.any, 2), round(together.all, 2)
    (0.98, 0.86)
    """
    for name, plan in plans.items():
        if plan.power is None:
            raise fault(
                InputError,
                f"the calculation of '{name}' is out of reach",
                remedy="Give calculations that have a power",
            )
    levels = sorted({plan.alpha for plan in plans.values()})
    if len(levels) > 1:
        raise fault(
            InputError,
            "the outcomes are tested at different levels",
            values=[f"{level:g}" for level in levels],
            remedy="Give each calculation the same alpha, which the procedure then shares",
        )
    steps = _core.power_levels(procedure, levels[0] if levels else 0.05, max(len(plans), 1))
    powers = [[_power_at(plan, level) for level in steps] for plan in plans.values()]
    error = 0.0
    if np.ndim(correlation) == 0:
        correlation = real("correlation", correlation)
        each, at_least = _core.power_several(powers, correlation, procedure)
    else:
        correlation = _matrix(correlation)
        each, at_least, error = _core.power_several_by(powers, correlation, procedure)
    return Several(
        names=list(plans),
        alone=[float(plan.power) for plan in plans.values() if plan.power is not None],
        each=each,
        at_least=at_least,
        correlation=correlation,
        error=error,
        procedure=procedure,
        alpha=levels[0],
    )


def _matrix(correlation: Any) -> NDArray[np.float64]:
    """Read a matrix of correlations."""
    try:
        matrix = np.ascontiguousarray(correlation, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.ndim != 2:
        raise fault(
            InputError,
            "correlations are one number, or a matrix of numbers with a row and a column an outcome",
            remedy="Give for instance correlation=0.5, or [[1, 0.5], [0.5, 1]]",
        )
    return matrix


def _power_at(plan: Power, level: float) -> float:
    arguments = {**known(plan, "power"), "alpha": level}
    found = again(plan, arguments).power
    assert found is not None  # nothing else was left out
    return found


@dataclass(frozen=True, repr=False)
class Several(Printable):
    """The power of several outcomes together.

    Attributes
    ----------
    names : list of str
        The outcomes.
    alone, each : list of float
        The power of each: by itself at the whole level, and under the procedure.
    at_least : list of float
        The chance of finding at least 1, 2, ... all of them.
    correlation : float, or array of float (outcomes, outcomes)
        What was asked.
    procedure, alpha : str, float
        What was asked.
    error : float
        The standard error of the numerical integral; 0 with one correlation, whose error is below 1e-9.
    """

    names: list[str]
    alone: list[float]
    each: list[float]
    at_least: list[float]
    correlation: float | NDArray[np.float64]
    procedure: Procedure
    alpha: float
    error: float = 0.0

    @property
    def any(self) -> float:
        """The chance of finding at least one outcome."""
        return self.at_least[0]

    @property
    def all(self) -> float:
        """The chance of finding every outcome."""
        return self.at_least[-1]

    def tidy(self) -> pd.DataFrame:
        """Give a row an outcome and a row a number of outcomes."""
        numbers = [f"at least {n} of {len(self.names)}" for n in range(1, len(self.names) + 1)]
        return pd.DataFrame(
            {
                "outcome": [*self.names, *numbers],
                "power": [*self.each, *self.at_least],
                "power_alone": [*self.alone, *(float("nan") for _ in numbers)],
            }
        )

    def _correlated(self) -> str:
        """Say how the outcomes go together."""
        if not isinstance(self.correlation, np.ndarray):
            return plain(self.correlation, 3)
        pairs = self.correlation[np.triu_indices(len(self.names), 1)]
        known = f"{plain(100 * self.error, 1)} points"
        return f"{plain(pairs.min(), 3)} to {plain(pairs.max(), 3)}, by pairs; standard error of the integral {known}"

    def _panels(self) -> list[Table]:
        count = len(self.names)
        rows = [
            [name, chance(alone), chance(own)]
            for name, alone, own in zip(self.names, self.alone, self.each, strict=True)
        ]
        for number, power in enumerate(self.at_least, start=1):
            label = {1: "any", count: "all"}.get(number, f"at least {number}")
            rows.append([f"{label} of the {count}", "", chance(power)])
        shared = {
            "none": "each at the whole level",
            "bonferroni": "Bonferroni's shares of the level",
            "holm": "Holm's steps",
        }
        return [
            Table(
                header=["Outcome", "Power alone", "Power together"],
                rows=rows,
                title="Power for several outcomes",
                notes=[
                    f"{percent(self.alpha)} level, {shared[self.procedure]}; outcomes correlated {self._correlated()}.",
                ],
            )
        ]

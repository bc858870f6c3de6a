"""Power for several outcomes together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pandas as pd

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
    plans: Mapping[str, Power], *, correlation: float, procedure: Procedure = "holm"
) -> Several:
    """Work out the power of several outcomes together: any of them, all, or at least so many.

    Parameters
    ----------
    plans : mapping of str to Power
        A solved calculation for each outcome, by its name; 2 to 10 of them, of one level.
    correlation : float
        The correlation of the outcomes, one for all pairs, from 0 to below 1; signed so that
        better goes with better.
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
        and a correlation outside 0 to 1.

    Notes
    -----
    The test statistics are joined by a common factor: an outcome with power p at a level is found
    there with probability Φ((√r F + Φ⁻¹(p)) / √(1 - r)), and the result is the mean over F. Kinds of
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
    each, at_least = _core.power_several(powers, real("correlation", correlation), procedure)
    return Several(
        names=list(plans),
        alone=[float(plan.power) for plan in plans.values() if plan.power is not None],
        each=each,
        at_least=at_least,
        correlation=float(correlation),
        procedure=procedure,
        alpha=levels[0],
    )


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
    correlation, procedure, alpha : float, str, float
        What was asked.
    """

    names: list[str]
    alone: list[float]
    each: list[float]
    at_least: list[float]
    correlation: float
    procedure: Procedure
    alpha: float

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
                    f"{percent(self.alpha)} level, {shared[self.procedure]}; outcomes correlated {plain(self.correlation, 3)}.",
                ],
            )
        ]

"""The rows that a statistic of crewe's own is computed from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crewe import _core

Floats = NDArray[np.float64]


@dataclass
class Said:
    """What a comparison is called.

    Attributes
    ----------
    arm, other : str
        The arm, and the one that it is compared with; both empty for a combination of coefficients.
    term : str
        The combination, or the coefficient of the arm.
    margin : str
        "margin" where it is one.
    """

    arm: str
    other: str
    term: str
    margin: str = ""


@dataclass(frozen=True)
class Times:
    """What restricted means and ratios of times need beside the times.

    Attributes
    ----------
    event : array
        The event of each row.
    end : float or array
        Where the areas end, or when the follow-up of each row would have ended.
    """

    event: Floats
    end: float | Floats

    def statistic(self, studentised: bool) -> _core.Statistic:
        """Give the core's statistic."""
        if not isinstance(self.end, np.ndarray):
            return _core.Statistic.restricted_mean(self.event, self.end, studentised)
        return _core.Statistic.time_ratio(self.event, self.end, studentised)


@dataclass
class Rows:
    """What a built-in statistic is computed from, by row.

    Attributes
    ----------
    name : str
        The outcome.
    statistic : str
        The name of the statistic.
    values, unit : array
        The outcome of each row, NaN where it is missing, and its unit among those of the trial.
    covariates : array or None
        Rows x k, for the adjusted difference.
    notes : list of str
        What a reader must know.
    model : the core's ArmModel, or None
        The model beside whose covariates the arm is tested.
    estimates : list of float, or None
        The effects of the arms that the model has been fitted with.
    effects : str
        What these are.
    contrasts : the core's ArmContrasts, or None
        What of the model is compared, where it is not every arm with the reference.
    said : list of Said
        What the comparisons are called.
    times : Times, or None
        Events and horizons of times, where neither a name nor a model says what is compared.
    """

    name: str
    statistic: str
    values: Floats
    unit: NDArray[np.uint32]
    covariates: Floats | None
    notes: list[str]
    model: _core.ArmModel | None = None
    estimates: list[float] | None = None
    effects: str = "effects"
    contrasts: _core.ArmContrasts | None = None
    said: list[Said] = field(default_factory=list)
    times: Times | None = None

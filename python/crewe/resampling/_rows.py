"""The rows that a statistic of crewe's own is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crewe import _core

Floats = NDArray[np.float64]


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

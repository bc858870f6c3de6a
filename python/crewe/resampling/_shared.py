"""A test of crewe's own statistics, as it travels to those who share its draws."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.design.design import Design
from crewe.parallel import spread
from crewe.resampling._rows import Rows

_LEAST = 500
"""The fewest draws that are worth sending to a worker."""


@dataclass(frozen=True)
class Asked:
    """How a test is asked for, but for its seed: in the order of the core's options."""

    draws: int
    alternative: str
    level: float
    interval: bool
    weights: str

    def options(self, seed: int | _core.Secret | None) -> _core.RandomisationOptions:
        """Give the core's options."""
        return _core.RandomisationOptions(
            self.draws, seed, self.alternative, self.level, self.interval, self.weights
        )


@dataclass(frozen=True)
class Shared:
    """A trial with what it is tested by.

    Attributes
    ----------
    design : Design
        The design, which loses a secret key on its way.
    drawn : the core's Assignment
        Its units and their arms.
    rows : Rows
        What the statistic is computed from.
    compared : list of bool, or None
        Whether each unit takes part.
    studentised : bool
        Whether the statistic is divided by its standard error.
    residuals : str
        The residuals of a model's standard error.
    asked : Asked
        How the test is asked for.
    """

    design: Design
    drawn: _core.Assignment
    rows: Rows
    compared: list[bool] | None
    studentised: bool
    residuals: str
    asked: Asked

    def found(
        self, seed: int | _core.Secret | None, executor: Executor | None
    ) -> _core.RandomisationTest:
        """Test it, on the draws of this seed; by default on this process's threads."""
        parts = (*self._parts(), self.asked.options(seed))
        if executor is None:
            return _core.randomisation_test(*parts)

        def ask(effect: float, seed: int, draws: int) -> NDArray[np.float64]:
            run = partial(self._values, effect, seed)
            return np.concatenate(spread(executor, run, draws, _LEAST, "draws"))

        return _core.randomisation_test_by(*parts, ask)

    def _values(self, effect: float, seed: int, first: int, end: int) -> NDArray[np.float64]:
        """Compute the statistic over a part of the draws, in whatever process this is."""
        options = self.asked.options(seed)
        return _core.randomisation_values(*self._parts(), options, (effect, first, end))

    def _parts(
        self,
    ) -> tuple[_core.Design, _core.Assignment, _core.Outcomes, _core.Statistic]:
        rows = self.rows
        outcomes = _core.Outcomes(
            rows.name, rows.values, rows.unit, self.drawn.units, self.compared
        )
        return self.design._core(), self.drawn, outcomes, self._statistic()

    def _statistic(self) -> _core.Statistic:
        rows = self.rows
        if rows.times is not None:
            return rows.times.statistic(self.studentised)
        if rows.model is None:
            return _core.Statistic(rows.statistic, self.studentised, rows.covariates)
        return _core.Statistic.of_model(
            rows.model, self.studentised, self.residuals, rows.contrasts
        )

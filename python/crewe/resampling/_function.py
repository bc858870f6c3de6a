"""A user's own statistic, drawn again in Python."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.comparisons.samples import kind_of
from crewe.design.assignment import Assignment
from crewe.exceptions import CreweError, InputError, fault, from_signal
from crewe.frames.source import Source
from crewe.parallel import bar, spread
from crewe.resampling._result import Comparison, RandomisationTest

_LEAST = 16
"""The fewest draws that are worth sending to a worker."""


def by_function(
    function: Callable[..., Any],
    data: Any,
    source: Source,
    assignment: Assignment,
    options: _core.RandomisationOptions,
    progress: bool | None,
    executor: Executor | None,
) -> RandomisationTest:
    """Call the user's function on every assignment."""
    trial = _Trial(function, data, assignment.check(source).unit, (*assignment.arms, None))
    observed = _value(function(data, trial.arms(assignment._arm)))
    if not np.isfinite(observed):
        raise fault(
            InputError,
            "the statistic of the trial itself is not a finite number",
            values=[str(observed)],
            remedy="Let the function return one number",
        )
    again = _core.randomisation_redrawn(assignment.design._core(), assignment._core, options)
    drawn, weight = again.arm, again.weight
    if weight is None:
        _core.check_draws(len(drawn), options.level)
    if executor is None:
        made = [trial.values(drawn, progress)]
    else:
        made = spread(
            executor,
            trial.values,
            len(drawn),
            _LEAST,
            "draws",
            given=lambda first, end: (drawn[first:end], False),
        )
    values = np.concatenate([part for part, _ in made])
    reason = next((said for _, said in made if said), "")
    failed = np.flatnonzero(~np.isfinite(values)).tolist()
    if failed:
        raise fault(
            InputError,
            f"the statistic is not a finite number on {len(failed)} of {len(drawn)} assignments",
            values=[reason or f"assignment {failed[0]}: {values[failed[0]]}"],
            remedy="Give it a value wherever the procedure may lead, for instance where an arm has "
            "no events: leaving such assignments out would bias the test",
        )
    found = _core.randomisation_tails(values, weight, observed, options.alternative)
    comparison = Comparison(
        arm=assignment.arms[-1] if len(assignment.arms) == 2 else "all arms",
        estimate=observed,
        statistic=observed,
        conf_int=None,
        distribution=values,
        p_value=found.p_value,
        p_lower=found.p_lower,
        p_upper=found.p_upper,
        null_mean=found.null_mean,
        null_sd=found.null_sd,
    )
    return RandomisationTest(
        options.level,
        again.notes,
        implementation=kind_of(source),
        alternative=options.alternative,
        comparisons=[comparison],
        exact=weight is not None,
        assignments=len(drawn),
        weight=weight,
        seed=again.seed,
    )


@dataclass(frozen=True)
class _Trial:
    """The user's function with what it is called on, as it travels to those who call it."""

    function: Callable[..., Any]
    data: Any
    unit: NDArray[Any]
    names: tuple[str | None, ...]

    def arms(self, drawn: NDArray[np.uint8]) -> Any:
        """Name the arm of every row; None for units that were left out."""
        names = np.array(self.names, dtype=object)
        return names[np.minimum(drawn, len(names) - 1)[self.unit]]

    def values(
        self, drawn: NDArray[np.uint8], progress: bool | None
    ) -> tuple[NDArray[np.float64], str]:
        """Call the function on these assignments; with the first reason why it gave none."""
        values, reason = np.empty(len(drawn)), ""
        for i, row in enumerate(bar(drawn, unit="draw", shown=progress)):
            try:
                values[i] = _value(self.function(self.data, self.arms(row)))
            except (ArithmeticError, ValueError, CreweError) as error:
                if (raised := from_signal(error)) is not None:
                    raise raised from None
                values[i], reason = np.nan, reason or f"{type(error).__name__}: {error}"
        return values, reason


def _value(returned: Any) -> float:
    try:
        return float(returned)
    except TypeError as error:
        raise fault(
            InputError,
            f"the statistic returned a {type(returned).__name__}, not a number",
            remedy="Let the function of (frame, arm) return one number",
        ) from error

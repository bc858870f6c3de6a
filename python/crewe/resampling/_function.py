"""A user's own statistic, drawn again in Python."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.comparisons.samples import kind_of
from crewe.design.assignment import Assignment
from crewe.exceptions import CreweError, InputError, fault, from_signal
from crewe.frames.source import Source
from crewe.resampling._result import Comparison, RandomisationTest

_SILENT_SECONDS = 2.0


def by_function(
    function: Callable[..., Any],
    data: Any,
    source: Source,
    assignment: Assignment,
    options: _core.RandomisationOptions,
    progress: bool | None,
) -> RandomisationTest:
    """Call the user's function on every assignment."""
    unit = assignment.check(source).unit
    names = np.array([*assignment.arms, None], dtype=object)

    def arms(drawn: NDArray[np.uint8]) -> Any:
        return names[np.minimum(drawn, len(names) - 1)[unit]]

    observed = _value(function(data, arms(assignment._arm)))
    if not np.isfinite(observed):
        raise fault(
            InputError,
            "the statistic of the trial itself is not a finite number",
            values=[str(observed)],
            remedy="Let the function return one number",
        )
    again = _core.randomisation_redrawn(assignment.design._core(), assignment._core, options)
    drawn, weight = again.arm, again.weight
    values = np.empty(len(drawn))
    failed: list[int] = []
    reason = ""
    for i, row in enumerate(_bar(drawn, progress)):
        try:
            values[i] = _value(function(data, arms(row)))
        except (ArithmeticError, ValueError, CreweError) as error:
            if (raised := from_signal(error)) is not None:
                raise raised from None
            values[i], reason = np.nan, reason or f"{type(error).__name__}: {error}"
        if not np.isfinite(values[i]):
            failed.append(i)
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


def _value(returned: Any) -> float:
    try:
        return float(returned)
    except TypeError as error:
        raise fault(
            InputError,
            f"the statistic returned a {type(returned).__name__}, not a number",
            remedy="Let the function of (frame, arm) return one number",
        ) from error


def _bar(rows: Any, progress: bool | None) -> Any:
    """Show a bar once the calls have taken two seconds, or from the start, or never."""
    if progress is False:
        yield from rows
        return
    from tqdm.auto import tqdm

    began = time.monotonic()
    bar = tqdm(total=len(rows), unit="draw") if progress else None
    try:
        for i, row in enumerate(rows):
            yield row
            if bar is None and time.monotonic() - began > _SILENT_SECONDS:
                bar = tqdm(total=len(rows), initial=i, unit="draw")
            if bar is not None:
                bar.update()
    finally:
        if bar is not None:
            bar.close()

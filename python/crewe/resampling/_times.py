"""Reading times for restricted means and ratios of times."""

from __future__ import annotations

from typing import Any

import numpy as np

from crewe.design.assignment import Assignment
from crewe.exceptions import InputError, fault
from crewe.formula import design as designs
from crewe.formula.names import unquoted
from crewe.frames.source import Source
from crewe.models.request import read
from crewe.resampling._rows import Floats, Rows, Times
from crewe.survival._surv import refuse_missing_times, sides

TIMES = ("restricted_mean", "time_ratio")
"""Names of the statistics of times."""


def of_restricted(
    statistic: str,
    outcome: str,
    source: Source,
    assignment: Assignment,
    horizon: float | str | None,
) -> Rows:
    """Read the times and events of every row, and where the area or the follow-up ends."""
    if not outcome.replace(" ", "").startswith("Surv("):
        raise fault(
            InputError,
            f"the outcome of {statistic!r} is a time with its event",
            values=[outcome],
            remedy='Write outcome="Surv(days, closed)"',
        )
    if horizon is None:
        raise fault(
            InputError,
            "where the times end is missing",
            remedy="Pass horizon=365, in the unit of the times, as the protocol has it"
            + (
                "; or the column with the end of each row's follow-up"
                if statistic == "time_ratio"
                else ""
            ),
        )
    parts = sides(f"{outcome} ~ arm")
    asked = read(source, "arm", design=assignment, strata_terms=False)
    refuse_missing_times(asked.source, parts, asked.rows)
    ends = [unquoted(horizon)] if isinstance(horizon, str) else []
    built = asked.model([*parts.columns(), *ends]).design
    surv = parts.outcome(built.columns)
    joined = assignment.check(source)
    unit = np.ascontiguousarray(joined.unit[built.rows], dtype=np.uint32)
    event = np.ascontiguousarray(surv.event)
    name = f"Surv({parts.time}, {parts.event})"
    rows = Rows(
        name,
        statistic,
        np.ascontiguousarray(surv.time),
        unit,
        None,
        _dropped(built),
        effects=_what(statistic),
    )
    if statistic == "restricted_mean":
        area = _a_number(horizon)
        rows.times = Times(event, area)
        rows.notes.append(f"the areas end at {area:g}")
        return rows
    end = _ends(horizon, built.columns, len(event))
    rows.times = Times(event, end)
    return rows


def _what(statistic: str) -> str:
    return (
        "differences in restricted means"
        if statistic == "restricted_mean"
        else "log ratios of times"
    )


def _dropped(built: Any) -> list[str]:
    return [*built.notes, *([built.dropped.note()] if built.dropped.n else [])]


def _a_number(horizon: float | str) -> float:
    if isinstance(horizon, str):
        raise fault(
            InputError,
            "the horizon of restricted means is one number",
            values=[horizon],
            remedy="Pass horizon=365, in the unit of the times",
        )
    return float(horizon)


def _ends(horizon: float | str, columns: Any, n: int) -> Floats:
    if not isinstance(horizon, str):
        return np.full(n, float(horizon))
    name = unquoted(horizon)
    return np.ascontiguousarray(designs.column_values(name, columns), dtype=np.float64)

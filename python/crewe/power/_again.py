"""An answer's calculation once more, with some of its arguments changed."""

from __future__ import annotations

from typing import Any

from crewe.power._quantities import QUANTITIES, Quantity
from crewe.power._result import Power
from crewe.power._solve import solve


def known(answer: Power, unknown: Quantity) -> dict[str, Any]:
    """Give the arguments of an answer with all quantities as they were given or found, but for one."""
    arguments = dict(answer.asked)
    for name in QUANTITIES:
        if arguments[name] is None:
            arguments[name] = getattr(answer, name)
    if arguments.get("rate_cv") is not None:
        arguments["icc"] = None  # the variation of rates stands in its place
    arguments["power"] = answer.target if answer.target is not None else answer.power
    arguments[unknown] = None
    if unknown == "effect":
        arguments["direction"] = answer.direction
    return arguments


def again(answer: Power, arguments: dict[str, Any]) -> Power:
    """Solve an answer's kind of calculation with these arguments."""
    if arguments["effect"] is not None:
        arguments = {**arguments, "direction": None}
    return solve(answer.outcome, arguments)

"""How the synthetic families came: recommended, opted out, randomised, or too many for Project Crewe's places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from crewe.datasets._project_crewe.draws import Draws
from crewe.datasets._project_crewe.times import (
    FIRST_RANDOMISED,
    FULL_FROM,
    LAST_RANDOMISED,
    POD,
    SECOND_POD,
    Record,
    office_day,
    working_days,
)

OPTED_OUT = 6
OVERFLOW = 8
# Children of a family that was not randomised.
SIZES = (58, 60, 40, 22, 10)


def recommended(seed: int, cases: Sequence[Record], sizes: Mapping[str, int]) -> list[Record]:
    """Give every family recommended, in the order in which it was decided about.

    `sizes` are the children of those randomised.
    """
    draws = Draws(seed, "recommended")
    rows = [
        {
            "decided": case["start"],
            # Sorted by: on one day the randomised come first, in their own order.
            "order": (case["start"], 0, case["case_id"]),
            "outcome": "randomised",
            "arm": case["arm"],
            "family_id": case["family_id"],
            "history": case["history"],
            "n_children": sizes[case["family_id"]],
            "least": case["referral"],
        }
        for case in cases
    ]
    full = working_days(FULL_FROM + timedelta(1), SECOND_POD - timedelta(1))
    always = working_days(FIRST_RANDOMISED, LAST_RANDOMISED)
    others = [(day, "overflow") for day in draws.several(full, OVERFLOW)]
    others += [(day, "opted out") for day in draws.several(always, OPTED_OUT)]
    for number, (day, outcome) in enumerate(sorted(others), start=len(cases) + 1):
        rows.append(
            {
                "decided": day,
                "order": (day, 1, f"C{number:03d}"),
                "outcome": outcome,
                "arm": None,
                "family_id": f"F{number:03d}",
                "history": ("no", "yes")[draws.weighted((4, 3))],
                "n_children": 1 + draws.weighted(SIZES),
                "least": day - timedelta(30),
            }
        )
    rows.sort(key=lambda row: row["order"])
    return [
        {
            "family_id": row["family_id"],
            "recommended_on": _before(draws, row).isoformat(),
            "decided_on": row["decided"].isoformat(),
            "outcome": row["outcome"],
            "arm": row["arm"],
            "history": row["history"],
            "n_children": row["n_children"],
            "places_free": places(row["decided"]) - _open(cases, row),
        }
        for row in rows
    ]


def _before(draws: Draws, row: Record) -> date:
    """Draw the day of recommendation: up to ten days before the decision, and not before the referral."""
    least = max(row["least"], FIRST_RANDOMISED)
    return office_day(max(least, row["decided"] - timedelta(draws.below(11))), later=True)


def _open(cases: Sequence[Record], row: Record) -> int:
    """Count Project Crewe's cases that hold a place when it is decided about a family."""
    return sum(
        case["arm"] == "crewe"
        and (case["start"], 0, case["case_id"]) < row["order"]
        and (case["closure"] is None or case["closure"] > row["decided"])
        for case in cases
    )


def places(day: date) -> int:
    """Give the places of Project Crewe on a day."""
    return POD * (1 + (day >= SECOND_POD))


def capacity() -> list[Record]:
    """Give the days from which Project Crewe had its practitioners and places."""
    return [
        {"date": day.isoformat(), "pods": pods, "practitioners": 4 * pods, "places": pods * POD}
        for pods, day in enumerate((FIRST_RANDOMISED, SECOND_POD), start=1)
    ]

"""What staff did and said in the synthetic trial: visits, the survey, caseloads, outcomes of cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from crewe.datasets._project_crewe.draws import Draws, exact_total
from crewe.datasets._project_crewe.times import CASELOAD_CAP, Record

# Wave: the month counted, and the mean visits of each arm as (numerator, denominator).
WAVES = {
    "autumn": (date(2015, 11, 1), date(2015, 11, 30), {"crewe": (11, 1), "control": (11, 3)}),
    "spring": (date(2016, 4, 1), date(2016, 4, 30), {"crewe": (9, 1), "control": (3, 1)}),
}

STAFF = {"crewe": 19, "control": 9}
NAMED_WORKLOAD = {"crewe": 6, "control": 8}
STRESS_ITEMS = 5
CASELOADS = (("2015-11-01", 4, 7), ("2016-04-01", 8, 9), ("2016-11-01", 8, 11))

OUTCOMES = {
    "crewe": {"closed": 2, "improved": 2, "no change": 1, "escalated": 2},
    "control": {"closed": 3, "improved": 1, "no change": 0, "escalated": 1},
}


def visits(seed: int, cases: Sequence[Record]) -> list[Record]:
    """Give the visits of one month in each wave, to cases open for the whole of that month."""
    draws = Draws(seed, "visits")
    rows = []
    for wave, (first, last, means) in WAVES.items():
        for arm, (top, bottom) in means.items():
            present = [
                c
                for c in cases
                if c["arm"] == arm
                and c["analysed"]
                and c["start"] < first
                and c["start"] + timedelta(c["days"]) > last
            ]
            mean, spread = top / bottom, 3.0 if arm == "crewe" else 1.5
            low, high = (2, 22) if arm == "crewe" else (0, 9)
            counts = [min(max(round(mean + spread * draws.normal()), low), high) for _ in present]
            total = (2 * top * len(present) + bottom) // (2 * bottom)
            exact_total(draws, counts, total, _always(low, high))
            rows += [
                {
                    "case_id": case["case_id"],
                    "family_id": case["family_id"],
                    "arm": arm,
                    "wave": wave,
                    "visits": count,
                }
                for case, count in zip(present, counts, strict=True)
            ]
    return rows


def _always(low: int, high: int) -> Callable[[int, int], bool]:
    return lambda _, value: low <= value <= high


def survey(seed: int) -> list[Record]:
    """Give the answers of 9 council and 19 Project Crewe staff about stress and workload."""
    for attempt in range(1_000):
        rows = _survey(Draws(seed, "survey", attempt))
        means = {
            arm: sum(row["stress_score"] for row in rows if row["arm"] == arm) / staff
            for arm, staff in STAFF.items()
        }
        # The council's staff named workload far more often.
        if means["control"] > means["crewe"] + 1:
            return rows
    raise AssertionError("stress scores that are higher in the council were not found")


def _survey(draws: Draws) -> list[Record]:
    rows = []
    for arm, staff in STAFF.items():
        named = set(draws.sample(range(staff), NAMED_WORKLOAD[arm]))
        for i in range(staff):
            level = (2.6 if arm == "crewe" else 3.5) + 0.6 * draws.normal()
            answers = [
                min(max(round(level + 0.7 * draws.normal()), 1), 5) for _ in range(STRESS_ITEMS)
            ]
            role = "social worker"
            if arm == "crewe":
                role = "social work consultant" if i < 4 else "family practitioner"
            rows.append(
                {
                    "arm": arm,
                    "role": role,
                    **{f"stress_{j}": answer for j, answer in enumerate(answers, start=1)},
                    "stress_score": sum(answers),
                    "named_workload": "yes" if i in named else "no",
                }
            )
    return [{"staff_id": f"S{i:02d}", **row} for i, row in enumerate(draws.shuffled(rows), start=1)]


def caseload(seed: int) -> list[Record]:
    """Give the cases held by each family practitioner at three dates, with means of 7, 9 and 11."""
    draws = Draws(seed, "caseload")
    rows = []
    for day, practitioners, mean in CASELOADS:
        held = [min(mean + draws.below(5) - 2, CASELOAD_CAP) for _ in range(practitioners)]
        exact_total(draws, held, mean * practitioners, _always(mean - 3, CASELOAD_CAP))
        rows += [
            {"practitioner_id": f"P{i}", "date": day, "cases": cases}
            for i, cases in enumerate(held, start=1)
        ]
    return rows


def outcomes(seed: int, cases: Sequence[Record]) -> list[Record]:
    """Give the outcomes of Table 3, for twelve cases that agree with them."""
    draws = Draws(seed, "outcomes")
    rows = []
    for arm, counts in OUTCOMES.items():
        here = [c for c in cases if c["arm"] == arm and c["analysed"]]
        closed = draws.shuffled([c for c in here if c["closed"]])
        escalated = draws.shuffled([c for c in here if c["escalated"]])
        still = draws.shuffled([c for c in here if not c["event"] and not c["escalated"]])
        for outcome, count in counts.items():
            source = {"closed": closed, "escalated": escalated}.get(outcome, still)
            for _ in range(count):
                case = source.pop()
                rows.append({"case_id": case["case_id"], "arm": arm, "outcome": outcome})
    return rows

"""The synthetic Project Crewe's families, children and cases.

The counts by arm, history and outcome are fixed; which family has which, and every date and
covariate, follows from the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from crewe.datasets._project_crewe.draws import Draws, exact_total, within_groups
from crewe.datasets._project_crewe.times import (
    BACK_AFTER,
    PILOT_START,
    WINDOW_END,
    Record,
    draw_times,
    office_day,
)

CHILDREN = 326
LARGEST = 9
# Families of 1 to 9 children.
SIZES = (58, 60, 40, 22, 10, 5, 2, 2, 1)

# (arm, history): closed, not closed, outcome incomplete.
# The 20 points between arms with history are 27/36 - 11/20.
CELLS = {
    ("crewe", "yes"): (27, 9, 2),
    ("crewe", "no"): (33, 14, 2),
    ("control", "yes"): (11, 9, 0),
    ("control", "no"): (18, 7, 0),
}
RE_REFERRED = {"crewe": 5, "control": 3}
ESCALATED = {"crewe": 2, "control": 1}
# The first case of each arm is among so many, comes in the first week and stays open to the end, so
# that both curves reach to the end of the window.
FIRST_WEEK = 6
# How likely a case of the first, the middle and the last third is one of those still open.
STILL_OPEN = {"crewe": (6, 3, 1), "control": (20, 4, 1)}

INDEX_AGES = range(1, 17)
INDEX_AGE_WEIGHTS = (3, 3, 3, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 6, 4)
SIBLING_AGE_WEIGHTS = (6, 5, 4, 3, 3, 5, 5, 5, 5, 5, 5, 3, 3, 3, 3, 3, 1, 1)
# Phase: the ages, and the pupils matched to school records. In both arms the same share is in primary school, so that
# all pupils together differ by what those of each phase differ by.
PUPILS = {
    "primary": (range(5, 11), {"crewe": 71, "control": 38}),
    "secondary": (range(11, 16), {"crewe": 42, "control": 23}),
}

# What OLS with the controls must find: the share closed rises by 8 to 9 points, with history by
# about 20.
EFFECT = (0.0836, 0.0007)
EFFECT_WITH_HISTORY = (0.200, 0.015)

ETHNICITIES = (
    "White British",
    "White other",
    "Mixed",
    "Asian or Asian British",
    "Black or Black British",
)
ETHNICITY_WEIGHTS = (220, 12, 10, 5, 3)
ACCOMMODATIONS = ("social rented", "private rented", "owner occupied", "temporary")
ACCOMMODATION_WEIGHTS = (52, 27, 15, 6)
MISSING_ETHNICITY = 6
MISSING_ACCOMMODATION = 9
NEEDS = ("N1", "N2", "N3", "N4", "N5", "N6", "N7", "N8", "N9", "N0")
NEED_WEIGHTS = (56, 7, 6, 12, 30, 7, 2, 3, 2, 7)


def trial(seed: int) -> tuple[list[Record], list[Record], list[Record]]:
    """Give families, children and cases as records, in the order of randomisation."""
    cases = _timed(seed)
    _covariates(seed, cases)
    children = _children(seed, cases)
    _dates(seed, cases)
    sizes = {case["family_id"]: 0 for case in cases}
    for child in children:
        sizes[child["family_id"]] += 1
    families = [
        {
            "family_id": case["family_id"],
            "arm": case["arm"],
            "history": case["history"],
            "n_children": sizes[case["family_id"]],
            "randomised_on": case["start"].isoformat(),
        }
        for case in cases
    ]
    return families, children, cases


def _timed(seed: int) -> list[Record]:
    """Give the cases in an order of randomisation that has days of closure which meet every marginal."""
    for attempt in range(1_000):
        cases = _slots(seed, attempt)
        if cases:
            _outcomes(Draws(seed, "re-referrals and escalations", attempt), cases)
            if draw_times(seed, attempt, cases):
                return cases
    raise AssertionError("closure days that meet every marginal were not found")


def _slots(seed: int, attempt: int) -> list[Record]:
    """Give the cases in the order of randomisation, with their arm, history and outcome; none where an arm comes late."""
    draws = Draws(seed, "arms", attempt)
    order = draws.shuffled([cell for cell, counts in CELLS.items() for _ in range(sum(counts))])
    firsts = [next(i for i, (a, _) in enumerate(order) if a == arm) for arm in RE_REFERRED]
    if max(firsts) >= FIRST_WEEK:
        return []
    cases: list[Record] = [
        {"case_id": f"C{i:03d}", "family_id": f"F{i:03d}", "arm": arm, "history": history}
        for i, (arm, history) in enumerate(order, start=1)
    ]
    for cell, (closed, left_open, _) in CELLS.items():
        here = [i for i, one in enumerate(order) if one == cell]
        # Those still open at the end came early rather than late: the curves then reach the end of
        # the window, and a mean of days does not hide how long open cases stay open.
        first = [place for place, i in enumerate(here) if i in firsts]
        weights = [
            0 if place in first else STILL_OPEN[cell[0]][3 * i // len(order)]
            for place, i in enumerate(here)
        ]
        chosen = first + draws.weighted_sample(weights, left_open - len(first))
        others = draws.shuffled([i for place, i in enumerate(here) if place not in chosen])
        for place in chosen:
            cases[here[place]].update(analysed=True, closed=0, first=here[place] in firsts)
        for place, i in enumerate(others):
            cases[i].update(analysed=place < closed, closed=1 if place < closed else None)
    return cases


def _outcomes(draws: Draws, cases: list[Record]) -> None:
    for case in cases:
        known = 0 if case["analysed"] else None
        case.update(re_referred=known, escalated=known)
    for arm in RE_REFERRED:
        unclosed = draws.shuffled(
            [c for c in cases if c["arm"] == arm and c["closed"] == 0 and not c["first"]]
        )
        for case in unclosed[: RE_REFERRED[arm]]:
            case["re_referred"] = 1
        for case in unclosed[RE_REFERRED[arm] :][: ESCALATED[arm]]:
            case["escalated"] = 1
    for case in cases:
        case["event"] = case["closed"] or case["re_referred"] if case["analysed"] else None


def _covariates(seed: int, cases: list[Record]) -> None:
    for attempt in range(1_000):
        draws = Draws(seed, "covariates", attempt)
        _draw_covariates(draws, cases)
        if _separates_nothing(cases) and _exchange_covariates(draws, cases):
            return
    raise AssertionError("covariates with which OLS finds the printed effects were not found")


def _draw_covariates(draws: Draws, cases: list[Record]) -> None:
    for value, least in ((1, 3), (0, 1), (None, 0)):
        group = [c for c in cases if c["closed"] == value]
        ages = [age for age in INDEX_AGES for _ in range(least)]
        ages += [
            INDEX_AGES[draws.weighted(INDEX_AGE_WEIGHTS)] for _ in range(len(group) - len(ages))
        ]
        for case, age in zip(group, draws.shuffled(ages), strict=True):
            case["age"] = age
    girls = draws.between(57, 66)
    disabled = draws.between(15, 21)
    for case, place in zip(cases, draws.shuffled(range(len(cases))), strict=True):
        case["gender"] = "female" if place < girls else "male"
    for case, place in zip(cases, draws.shuffled(range(len(cases))), strict=True):
        case["disability"] = "yes" if place < disabled else "no"


def _separates_nothing(cases: Sequence[Record]) -> bool:
    """Whether some children with a disability have closed cases and some open ones, for the logit.

    Every age has both by its draw, and exchanges among the closed or among the open keep it so.
    """
    disabled = [c["closed"] for c in cases if c["disability"] == "yes"]
    return all(disabled.count(value) >= 2 for value in (0, 1))


def _exchange_covariates(draws: Draws, cases: Sequence[Record]) -> bool:
    """Exchange covariates among the closed or the open until OLS finds the printed effects."""
    rows = [c for c in cases if c["analysed"]]
    kinds = [[c for c in rows if c["closed"] == value] for value in (0, 1)]
    best = _distance(rows)
    for _ in range(1_000):
        if best <= 1:
            return True
        one, other = draws.sample(kinds[draws.below(2)], 2)
        name = ("age", "age", "gender", "disability")[draws.below(4)]
        one[name], other[name] = other[name], one[name]
        now = _distance(rows)
        if now > best:
            one[name], other[name] = other[name], one[name]
        else:
            best = now
    return False


def _distance(rows: Sequence[Record]) -> float:
    """How far the two effects are from those wanted, in units of what is allowed."""

    def ones(name: str, value: str) -> list[int]:
        return [int(row[name] == value) for row in rows]

    treated, history = ones("arm", "crewe"), ones("history", "yes")
    both = [a & b for a, b in zip(treated, history, strict=True)]
    others = [ones("gender", "male"), ones("disability", "yes"), history]
    closed, ages = [row["closed"] for row in rows], [row["age"] for row in rows]
    main = within_groups([treated, *others], closed, ages)[0]
    by_history = within_groups([treated, *others, both], closed, ages)
    return max(
        abs(main - EFFECT[0]) / EFFECT[1],
        abs(by_history[0] + by_history[-1] - EFFECT_WITH_HISTORY[0]) / EFFECT_WITH_HISTORY[1],
    )


def _children(seed: int, cases: list[Record]) -> list[Record]:
    sizes = _sizes(seed, len(cases))
    arm_of = {c["family_id"]: c["arm"] for c in cases if c["analysed"]}
    for attempt in range(10_000):
        children = _siblings(Draws(seed, "siblings", attempt), cases, sizes)
        pupils = [(arm_of.get(c["family_id"]), c["age"]) for c in children]
        if all(
            sum(here == arm and age in ages for here, age in pupils) >= n + 2
            for ages, wanted in PUPILS.values()
            for arm, n in wanted.items()
        ):
            break
    else:
        raise AssertionError("enough pupils of each phase were not found")
    index = {c["family_id"]: c["child_id"] for c in children if c["index_child"]}
    for case in cases:
        case["child_id"] = index[case["family_id"]]
    return children


def _sizes(seed: int, families: int) -> list[int]:
    """Family sizes of 1 to 9 that sum to 326, with a plausible coefficient of variation."""
    for attempt in range(10_000):
        draws = Draws(seed, "family sizes", attempt)
        sizes = [1, LARGEST] + [1 + draws.weighted(SIZES) for _ in range(families - 2)]
        inner = sizes[2:]
        if not exact_total(draws, inner, CHILDREN - 1 - LARGEST, lambda _, m: 1 <= m <= LARGEST):
            continue
        sizes = sizes[:2] + inner
        variance = families * sum(m * m for m in sizes) / CHILDREN**2 - 1
        if 0.52**2 < variance < 0.68**2:
            return Draws(seed, "order of family sizes").shuffled(sizes)
    raise AssertionError("family sizes that meet every marginal were not found")


def _siblings(draws: Draws, cases: Sequence[Record], sizes: Sequence[int]) -> list[Record]:
    children = []
    for case, size in zip(cases, sizes, strict=True):
        index: Record = {name: case[name] for name in ("age", "gender", "disability")}
        family = [{**index, "index_child": True, "again": True}]
        for _ in range(size - 1):
            taken = {child["age"] for child in family}
            weights = [
                0 if age in taken else weight * max(1, 16 - 2 * abs(age - case["age"]))
                for age, weight in enumerate(SIBLING_AGE_WEIGHTS)
            ]
            twin = draws.below(100) < 3
            # Most siblings come back with the index child, none without: families are alike.
            again = draws.below(100) < 60
            family.append(
                {
                    "age": case["age"] if twin else draws.weighted(weights),
                    "gender": ("female", "male")[draws.below(2)],
                    "disability": "yes" if draws.below(100) < 9 else "no",
                    "index_child": False,
                    "again": again,
                }
            )
        family.sort(key=lambda child: -child["age"])
        children += [
            {
                "child_id": f"{case['family_id']}-{number}",
                "family_id": case["family_id"],
                **{name: child[name] for name in ("age", "gender", "disability")},
                "history": case["history"],
                "index_child": child["index_child"],
                "re_referred": child["again"] * case["re_referred"] if case["analysed"] else None,
            }
            for number, child in enumerate(family, start=1)
        ]
    return children


def _dates(seed: int, cases: list[Record]) -> None:
    """Draw the raw dates on which the four rules act, and the descriptive covariates."""
    draws = Draws(seed, "dates")
    for case in cases:
        start, before = case["start"], PILOT_START
        case["referral"] = start - timedelta(draws.between(3, 45))
        if case["history"] == "yes":
            # Either one long episode that was already open, or an earlier one that had ended.
            if draws.below(100) < 60:
                case["referral"] = before - timedelta(draws.between(5, 420))
                case["support"] = case["referral"] + timedelta(draws.between(0, 4))
            else:
                case["support"] = before - timedelta(draws.between(150, 1500))
        else:
            first = max(case["referral"], before)
            case["support"] = first + timedelta(draws.below((start - first).days + 1))
        case["closure"] = start + timedelta(case["days"]) if case["event"] else None
        case["back"] = None
        if case["re_referred"]:
            closed: Any = case["closure"]
            room = (WINDOW_END - closed).days
            case["back"] = closed + timedelta(draws.between(BACK_AFTER - 8, min(room - 1, 200)))
        case["ethnicity"] = ETHNICITIES[draws.weighted(ETHNICITY_WEIGHTS)]
        case["accommodation"] = ACCOMMODATIONS[draws.weighted(ACCOMMODATION_WEIGHTS)]
        case["need"] = NEEDS[draws.weighted(NEED_WEIGHTS)]
    for case in draws.sample(cases, MISSING_ETHNICITY):
        case["ethnicity"] = None
    for case in draws.sample(cases, MISSING_ACCOMMODATION):
        case["accommodation"] = None

    # Events that the window leaves out: closures and re-referrals after its end.
    still = [c for c in cases if c["analysed"] and not c["event"] and not c["escalated"]]
    late = draws.sample(still, 4)
    for case in late:
        case["closure"] = WINDOW_END + timedelta(draws.between(3, 50))
    late[0]["back"] = late[0]["closure"] + timedelta(draws.between(20, 40))
    for case in draws.sample([c for c in cases if c["closed"]], 2):
        case["back"] = WINDOW_END + timedelta(draws.between(4, 60))
    for case in cases:
        for name in ("referral", "closure", "back"):
            if case[name] is not None:
                case[name] = office_day(case[name], later=case[name] > WINDOW_END)
        case["support"] = office_day(case["support"], later=case["support"] >= PILOT_START)


def case_columns(cases: Sequence[Record]) -> list[Record]:
    """Give the cases as they are published: dates as ISO text, columns as documented."""

    def iso(day: date | None) -> str | None:
        return None if day is None else day.isoformat()

    return [
        {
            **{name: case[name] for name in ("case_id", "family_id", "child_id", "arm")},
            "analysed": case["analysed"],
            "exclusion": None if case["analysed"] else "outcome incomplete",
            **{name: case.get(name) for name in ("closed", "days", "event", "re_referred")},
            "escalated": case["escalated"],
            "weeks_open": round(case["days"] / 7, 2) if case["analysed"] else None,
            **{name: case[name] for name in ("history", "gender", "age", "disability")},
            **{name: case[name] for name in ("ethnicity", "accommodation", "need")},
            "referral_date": iso(case["referral"]),
            "support_date": iso(case["support"]),
            "start_date": iso(case["start"]),
            "closure_date": iso(case["closure"]),
            "rereferral_date": iso(case["back"]),
        }
        for case in cases
    ]

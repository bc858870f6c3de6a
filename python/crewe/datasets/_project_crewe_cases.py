"""The synthetic Project Crewe's families, children and cases.

The counts by arm, history and outcome are fixed; which family has which, and every date and
covariate, follows from the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from crewe.datasets._project_crewe_draws import Draws, curve, exact_total, within_groups

Record = dict[str, Any]

PILOT_START = date(2015, 8, 1)
WINDOW_END = date(2016, 11, 1)
FIRST_RANDOMISED = date(2015, 8, 3)
LAST_RANDOMISED = date(2016, 3, 31)
BANK_HOLIDAYS = frozenset(
    {
        date(2015, 8, 31),
        date(2015, 12, 25),
        date(2015, 12, 28),
        date(2016, 1, 1),
        date(2016, 3, 25),
        date(2016, 3, 28),
        date(2016, 5, 2),
        date(2016, 5, 30),
        date(2016, 8, 29),
        date(2016, 12, 26),
        date(2016, 12, 27),
    }
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
# Days open summed over the analysed cases: 36.00 weeks in 83 cases, 32.56 in 45.
DAYS_OPEN = {"crewe": 20_917, "control": 10_256}
# Share of the first closures by day: the council's come together between days 100 and 300.
CLOSURE_DAY = {
    "crewe": ((0, 25), (0.14, 100), (0.33, 170), (0.50, 230), (0.69, 290), (0.86, 350), (1, 440)),
    "control": ((0, 20), (0.10, 100), (0.35, 145), (0.60, 190), (0.82, 235), (0.96, 290), (1, 380)),
}
SHORTEST = 15
# A re-referral follows its closure by this many days or more, inside the window.
BACK_AFTER = 30

INDEX_AGES = range(1, 17)
INDEX_AGE_WEIGHTS = (3, 3, 3, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 6, 4)
SIBLING_AGE_WEIGHTS = (6, 5, 4, 3, 3, 5, 5, 5, 5, 5, 5, 3, 3, 3, 3, 3, 1, 1)
PRIMARY_AGES = range(5, 11)
SECONDARY_AGES = range(11, 16)
PRIMARY_PUPILS = 109
SECONDARY_PUPILS = 65

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
    cases = _slots(seed)
    _outcomes(seed, cases)
    _times(seed, cases)
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


def _slots(seed: int) -> list[Record]:
    draws = Draws(seed, "arms")
    slots = [
        {"arm": arm, "history": history, "analysed": state < 2, "closed": (1, 0, None)[state]}
        for (arm, history), counts in CELLS.items()
        for state, count in enumerate(counts)
        for _ in range(count)
    ]
    return [
        {"case_id": f"C{i:03d}", "family_id": f"F{i:03d}", **slot}
        for i, slot in enumerate(draws.shuffled(slots), start=1)
    ]


def _randomise_dates(draws: Draws, cases: list[Record]) -> None:
    span = (LAST_RANDOMISED - FIRST_RANDOMISED).days
    working = [day for day in range(span + 1) if _works(FIRST_RANDOMISED + timedelta(day))]
    chosen = sorted(working[draws.below(len(working))] for _ in cases)
    for case, day in zip(cases, chosen, strict=True):
        case["start"] = FIRST_RANDOMISED + timedelta(day)
        case["follow_up"] = (WINDOW_END - case["start"]).days


def _outcomes(seed: int, cases: list[Record]) -> None:
    draws = Draws(seed, "re-referrals and escalations")
    for case in cases:
        known = 0 if case["analysed"] else None
        case.update(re_referred=known, escalated=known)
    for arm in RE_REFERRED:
        unclosed = draws.shuffled([c for c in cases if c["arm"] == arm and c["closed"] == 0])
        for case in unclosed[: RE_REFERRED[arm]]:
            case["re_referred"] = 1
        for case in unclosed[RE_REFERRED[arm] :][: ESCALATED[arm]]:
            case["escalated"] = 1
    for case in cases:
        case["event"] = case["closed"] or case["re_referred"] if case["analysed"] else None


def _times(seed: int, cases: list[Record]) -> None:
    for attempt in range(10_000):
        # With some dates the open cases alone go too far from the total: new dates then.
        if attempt % 20 == 0:
            _randomise_dates(Draws(seed, "randomised on", attempt), cases)
        draws = Draws(seed, "closure days", attempt)
        if all(_arm_times(draws, cases, arm) for arm in DAYS_OPEN) and _curves_cross(cases):
            return
    raise AssertionError("closure days that meet every marginal were not found")


def _works(day: date) -> bool:
    return day.weekday() < 5 and day not in BANK_HOLIDAYS


def _office_day(day: date, *, later: bool = False) -> date:
    """Give the day itself, or the nearest working day before or after it."""
    while not _works(day):
        day += timedelta(1 if later else -1)
    return day


def _arm_times(draws: Draws, cases: list[Record], arm: str) -> bool:
    analysed = [c for c in cases if c["arm"] == arm and c["analysed"]]
    events = [c for c in analysed if c["event"]]
    drawn = sorted((round(curve(CLOSURE_DAY[arm], draws.unit())) for _ in events), reverse=True)
    for case in analysed:
        case["days"] = None if case["event"] else case["follow_up"]
    for case in (c for c in events if c["re_referred"]):
        early = [t for t in drawn if t <= case["follow_up"] - BACK_AFTER - 30]
        if not early:
            return False
        case["days"] = early[draws.below(len(early))]
        drawn.remove(case["days"])
    # Longest first: who can take a long time can take every shorter one, so this order never
    # blocks itself.
    for days in drawn:
        able = [c for c in events if c["days"] is None and c["follow_up"] > days]
        if not able:
            return False
        able[draws.below(len(able))]["days"] = days
    gap = DAYS_OPEN[arm] - sum(c["days"] for c in analysed)
    if abs(gap) > 20 * len(events):
        return False

    def closes(index: int, days: int) -> bool:
        case = events[index]
        room = BACK_AFTER if case["re_referred"] else 1
        on = case["start"] + timedelta(days)
        return SHORTEST <= days <= case["follow_up"] - room and _works(on)

    total = sum(c["days"] for c in events) + gap
    moved = [(_office_day(c["start"] + timedelta(c["days"])) - c["start"]).days for c in events]
    if not exact_total(draws, moved, total, closes, steps=(7, 1)):
        return False
    for case, value in zip(events, moved, strict=True):
        case["days"] = value
    return True


def _curves_cross(cases: Sequence[Record]) -> bool:
    """Whether control closes faster between days 100 and 300, and yet fewer by the end."""
    s = {arm: [still_open(cases, arm, day) for day in (100, 300, 450)] for arm in DAYS_OPEN}
    council, crewe = s["control"], s["crewe"]
    return (
        abs(council[0] - crewe[0]) < 0.06
        and (council[0] - council[1]) - (crewe[0] - crewe[1]) > 0.08
        and council[1] < crewe[1] - 0.05
        and 0.03 < crewe[2] < council[2] - 0.06
    )


def still_open(cases: Sequence[Record], arm: str, day: int) -> float:
    """Give the Kaplan-Meier share of an arm's analysed cases still open after `day`."""
    rows = [c for c in cases if c["arm"] == arm and c["analysed"]]
    share = 1.0
    for time in sorted({c["days"] for c in rows if c["event"] and c["days"] <= day}):
        at_risk = sum(c["days"] >= time for c in rows)
        closing = sum(bool(c["event"]) and c["days"] == time for c in rows)
        share *= 1 - closing / at_risk
    return share


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
    analysed = {c["family_id"] for c in cases if c["analysed"]}
    for attempt in range(10_000):
        children = _siblings(Draws(seed, "siblings", attempt), cases, sizes)
        pupils = [c["age"] for c in children if c["family_id"] in analysed]
        if (
            sum(age in PRIMARY_AGES for age in pupils) >= PRIMARY_PUPILS + 3
            and sum(age in SECONDARY_AGES for age in pupils) >= SECONDARY_PUPILS + 3
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
        family = [{**index, "index_child": True}]
        for _ in range(size - 1):
            taken = {child["age"] for child in family}
            weights = [
                0 if age in taken else weight * max(1, 16 - 2 * abs(age - case["age"]))
                for age, weight in enumerate(SIBLING_AGE_WEIGHTS)
            ]
            twin = draws.below(100) < 3
            family.append(
                {
                    "age": case["age"] if twin else draws.weighted(weights),
                    "gender": ("female", "male")[draws.below(2)],
                    "disability": "yes" if draws.below(100) < 9 else "no",
                    "index_child": False,
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
                case[name] = _office_day(case[name], later=case[name] > WINDOW_END)
        case["support"] = _office_day(case["support"], later=case["support"] >= PILOT_START)


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

"""When the synthetic families came and how long their cases stayed open.

Project Crewe has places for 48 families in one pod of four practitioners. They fill on `FULL_FROM`; until the second
pod starts on `SECOND_POD` the families recommended go to the council's service and are no controls. So the days of
randomisation and of closure of Project Crewe's cases hang together, and what is drawn here meets three things at once:
the places, the mean weeks open that the printed costs imply, and the shape of the printed curves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from crewe.datasets._project_crewe.draws import Draws, curve, exact_total

Record = dict[str, Any]

PILOT_START = date(2015, 8, 1)
WINDOW_END = date(2016, 11, 1)
FIRST_RANDOMISED = date(2015, 8, 3)
FIRST_WEEK_ENDS = date(2015, 8, 7)
FULL_FROM = date(2015, 12, 11)
SECOND_POD = date(2016, 1, 4)
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

CASELOAD_CAP = 12
POD = 4 * CASELOAD_CAP
# Project Crewe's cases that close before its places are full, and so make room for as many more.
EARLY = 3

# Days open summed over the analysed cases: 36.00 weeks in 83 cases, 32.56 in 45.
DAYS_OPEN = {"crewe": 20_917, "control": 10_256}
# Share of the first closures by day: the council's come together between days 100 and 300.
CLOSURE_DAY = {
    "crewe": ((0, 25), (0.14, 100), (0.33, 170), (0.51, 230), (0.71, 290), (0.89, 350), (1, 410)),
    "control": ((0, 20), (0.14, 100), (0.44, 145), (0.72, 185), (0.90, 235), (0.98, 290), (1, 380)),
}
SHORTEST = 15
# A re-referral follows its closure by this many days or more, inside the window.
BACK_AFTER = 30
# The last day to which both arms' curves reach, and the least by which Project Crewe's restricted mean to that day is
# the longer one, in days.
CURVES_END = 450
LONGER_OPEN = 14


def draw_times(seed: int, order: int, cases: list[Record]) -> bool:
    """Draw the day of randomisation of every case, and the days until the analysed ones closed.

    `order` numbers the order of the cases. Gives whether every marginal could be met in it.
    """
    for attempt in range(40 * order, 40 * (order + 1)):
        # With some dates the open cases alone go too far from the total: new dates then.
        if attempt % 10 == 0:
            _randomise(Draws(seed, "randomised on", attempt), cases)
        draws = Draws(seed, "closure days", attempt)
        if all(_close(draws, cases, arm) for arm in DAYS_OPEN) and _curves_tell(cases):
            return True
    return False


def works(day: date) -> bool:
    """Say whether an office is open."""
    return day.weekday() < 5 and day not in BANK_HOLIDAYS


def office_day(day: date, *, later: bool = False) -> date:
    """Give the day itself, or the nearest working day before or after it."""
    while not works(day):
        day += timedelta(1 if later else -1)
    return day


def working_days(first: date, last: date) -> list[date]:
    """Give the working days from one day to another, both included."""
    span = (last - first).days
    return [day for day in (first + timedelta(i) for i in range(span + 1)) if works(day)]


def _randomise(draws: Draws, cases: list[Record]) -> None:
    """Draw days in the order of the cases: a first week, the weeks until the places are full, and the rest."""
    crewe = [place for place, case in enumerate(cases) if case["arm"] == "crewe"]
    filling = crewe[POD + EARLY - 1]
    first = 1 + max(place for place, case in enumerate(cases) if case.get("first"))
    parts = (
        (first, working_days(FIRST_RANDOMISED, FIRST_WEEK_ENDS)),
        (filling - first, working_days(FIRST_WEEK_ENDS + timedelta(1), FULL_FROM)),
        (1, [FULL_FROM]),
        (len(cases) - filling - 1, working_days(SECOND_POD, LAST_RANDOMISED)),
    )
    days = [day for n, among in parts for day in sorted(draws.several(among, n))]
    for case, day in zip(cases, days, strict=True):
        case["start"], case["follow_up"] = day, (WINDOW_END - day).days


def _room(cases: Sequence[Record]) -> date:
    """Give the day by which the early closures must have come: when the 49th family of Project Crewe starts."""
    starts: list[date] = [case["start"] for case in cases if case["arm"] == "crewe"]
    return starts[POD]


def _close(draws: Draws, cases: list[Record], arm: str) -> bool:
    """Draw the days open of one arm; give whether that was possible."""
    analysed = [c for c in cases if c["arm"] == arm and c["analysed"]]
    events = [c for c in analysed if c["event"]]
    room = _room(cases)
    early = set()
    if arm == "crewe":
        able = [c["case_id"] for c in events if (room - c["start"]).days > 60]
        early = set(draws.sample(able, EARLY))

    def closes(case: Record, days: int) -> bool:
        left = BACK_AFTER if case["re_referred"] else 1
        on = case["start"] + timedelta(days)
        late = arm == "control" or on >= SECOND_POD
        fits = on < room if case["case_id"] in early else late
        return fits and SHORTEST <= days <= int(case["follow_up"]) - left

    drawn = sorted(round(curve(CLOSURE_DAY[arm], draws.unit())) for _ in events)
    for case in analysed:
        case["days"] = None if case["event"] else case["follow_up"]
    for case in (c for c in events if c["re_referred"] or c["case_id"] in early):
        spare = 30 if case["re_referred"] else 0
        able_days = [t for t in drawn if closes(case, t) and closes(case, t + spare)]
        if not able_days:
            return False
        case["days"] = able_days[draws.below(len(able_days))]
        drawn.remove(case["days"])
    # The ends first: few cases can have the shortest and the longest times, and most can have those between.
    middle = 160
    ends = [t for t in drawn if t < middle] + [t for t in reversed(drawn) if t >= middle]
    for days in ends:
        able_cases = [c for c in events if c["days"] is None and closes(c, days)]
        if not able_cases:
            return False
        able_cases[draws.below(len(able_cases))]["days"] = days
    gap = DAYS_OPEN[arm] - sum(c["days"] for c in analysed)
    if abs(gap) > 20 * len(events):
        return False
    total = sum(c["days"] for c in events) + gap
    moved = [(office_day(c["start"] + timedelta(c["days"])) - c["start"]).days for c in events]

    def allowed(index: int, days: int) -> bool:
        case = events[index]
        return closes(case, days) and works(case["start"] + timedelta(days))

    if not all(allowed(i, days) for i, days in enumerate(moved)):
        return False
    if not exact_total(draws, moved, total, allowed, steps=(7, 1)):
        return False
    for case, value in zip(events, moved, strict=True):
        case["days"] = value
    return True


def _curves_tell(cases: Sequence[Record]) -> bool:
    """Whether control closes faster between days 100 and 300, fewer by the end, and sooner all in all."""
    steps = {arm: _steps(cases, arm) for arm in DAYS_OPEN}

    def at(arm: str, day: int) -> float:
        return next(share for time, share in reversed(steps[arm]) if time <= day)

    gap = {day: at("crewe", day) - at("control", day) for day in (100, 150, 200, 250, 300, 450)}
    return (
        abs(gap[100]) < 0.06
        and all(gap[day] > 0.05 for day in (150, 200, 250, 300))
        and gap[300] - gap[100] > 0.08
        and 0.11 < at("crewe", 450) < at("control", 450) - 0.06
        and _restricted(steps["crewe"]) - _restricted(steps["control"]) > LONGER_OPEN
    )


def _steps(cases: Sequence[Record], arm: str) -> list[tuple[int, float]]:
    """Give the Kaplan-Meier curve of an arm's analysed cases: a day, and the share still open from it on."""
    rows = [(c["days"], bool(c["event"])) for c in cases if c["arm"] == arm and c["analysed"]]
    steps = [(0, 1.0)]
    for time in sorted({days for days, event in rows if event}):
        at_risk = sum(days >= time for days, _ in rows)
        closing = sum(event and days == time for days, event in rows)
        steps.append((time, steps[-1][1] * (1 - closing / at_risk)))
    return steps


def _restricted(steps: Sequence[tuple[int, float]]) -> float:
    """Give the area under a curve until `CURVES_END`."""
    inside = [(day, share) for day, share in steps if day < CURVES_END]
    ends = [day for day, _ in inside[1:]] + [CURVES_END]
    return math.fsum(share * (end - day) for (day, share), end in zip(inside, ends, strict=True))

"""What was recorded of the synthetic children: days absent from school, and questionnaires."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from crewe.datasets._project_crewe.cases import PUPILS
from crewe.datasets._project_crewe.draws import Draws, curve
from crewe.datasets._project_crewe.times import Record

# Days absent in two terms by a standard normal score.
ABSENT = {
    "primary": ((-2.5, 0), (-1.2, 1), (-0.6, 3), (0, 6), (0.7, 10.5), (1.3, 17), (2, 28), (3, 46)),
    "secondary": (
        (-2.5, 0),
        (-1.2, 2),
        (-0.6, 5),
        (0, 9.5),
        (0.7, 17),
        (1.3, 28),
        (2, 45),
        (3, 70),
    ),
}

# Days by which Project Crewe's pupils are more absent, and what is allowed around it.
MORE_ABSENT = {"all": (0.35, 0.25), "primary": (1.1, 0.4), "secondary": (-1.8, 0.8)}
# The same on the scale of `SHORT_OF_LOG`, so that a few pupils who were away for long do not make the difference alone.
MORE_ABSENT_LOG = {"all": (0.05, 0.09), "primary": (0.12, 0.11), "secondary": (-0.12, 0.11)}
# The logarithm of 1 + days, in straight lines.
SHORT_OF_LOG = ((0, 0), (1, 0.7), (3, 1.4), (7, 2.1), (15, 2.8), (31, 3.5), (63, 4.2), (127, 4.9))

DAYS = ("days_autumn", "days_spring", "days_absent")

SDQ_PARENT = {"crewe": 44, "control": 24}
SDQ_PRACTITIONER = {"crewe": 33, "control": 19}
SDQ_SCALES = {
    "emotional": (3, 8, 13, 16, 24),
    "conduct": (5, 7, 12, 18, 22),
    "hyperactivity": (2, 10, 15, 21, 25),
    "peer": (6, 11, 14, 19, 23),
    "prosocial": (1, 4, 9, 17, 20),
}
SDQ_REVERSED = (7, 11, 14, 21, 25)
# Points of total difficulties by which Project Crewe's children have fewer and what is allowed around it; standard
# errors by which the mean of no scale may differ.
SDQ_FEWER = (1.0, 0.8)
SDQ_ALIKE = 1.3
# The child about whom one scale was left half empty.
HALF_EMPTY = 4


def absences(seed: int, cases: Sequence[Record], children: Sequence[Record]) -> list[Record]:
    """Give days absent over two terms for 109 primary and 65 secondary pupils.

    Pupils of one phase exchange their days until the arms differ as Figure 3 shows: primary pupils of Project Crewe
    are more absent, secondary pupils less, and all together marginally more.
    """
    for attempt in range(1_000):
        draws = Draws(seed, "absences", attempt)
        rows = _absences(draws, cases, children)
        if _exchange_days(draws, rows):
            return rows
    raise AssertionError("absences that differ between the arms as printed were not found")


def _exchange_days(draws: Draws, rows: Sequence[Record]) -> bool:
    """Exchange days among pupils of a phase until the arms differ as they should; give whether they do."""
    phases = [[row for row in rows if row["phase"] == phase] for phase in ABSENT]
    best = _distance(rows)
    for _ in range(400):
        if best == 0:
            return True
        one, other = draws.sample(phases[draws.below(2)], 2)
        if one["arm"] == other["arm"]:
            continue
        _swap(one, other, DAYS)
        now = _distance(rows)
        if now > best:
            _swap(one, other, DAYS)
        else:
            best = now
    return False


def _swap(one: Record, other: Record, names: Sequence[str]) -> None:
    for name in names:
        one[name], other[name] = other[name], one[name]


def _distance(rows: Sequence[Record]) -> float:
    """How far the arms' differences are from those wanted, in units of what is allowed, in every specification."""
    far = 0.0
    for phase in MORE_ABSENT:
        days: dict[tuple[str, str], list[float]] = {}
        for row in rows:
            if phase in ("all", row["phase"]):
                days.setdefault((row["arm"], row["history"]), []).append(row["days_absent"])
        logs = {cell: [_log(x) for x in values] for cell, values in days.items()}
        far += math.fsum(_beyond(found, *MORE_ABSENT[phase]) for found in _differences(days))
        far += math.fsum(_beyond(found, *MORE_ABSENT_LOG[phase]) for found in _differences(logs))
    return far


def _beyond(found: float, wanted: float, allowed: float) -> float:
    """Give by how much a number is too far from the one wanted, in units of what is allowed."""
    return max(0.0, abs(found - wanted) / allowed - 1)


@cache
def _log(days: float) -> float:
    return curve(SHORT_OF_LOG, days)


def _differences(days: dict[tuple[str, str], list[float]]) -> list[float]:
    """Give the difference between the arms without history, adjusted for it, and averaged over it."""
    sums = {cell: math.fsum(values) for cell, values in days.items()}
    sizes = {cell: len(values) for cell, values in days.items()}
    strata = ("yes", "no")
    if len(days) < 4:
        return [math.inf]

    def mean(arm: str) -> float:
        return math.fsum(sums[arm, h] for h in strata) / sum(sizes[arm, h] for h in strata)

    within = {
        h: sums["crewe", h] / sizes["crewe", h] - sums["control", h] / sizes["control", h]
        for h in strata
    }
    both = {h: sizes["crewe", h] + sizes["control", h] for h in strata}
    # Least squares weighs a stratum by the variance of the arm in it.
    weight = {h: sizes["crewe", h] * sizes["control", h] / both[h] for h in strata}
    return [
        mean("crewe") - mean("control"),
        math.fsum(weight[h] * within[h] for h in strata) / math.fsum(weight.values()),
        math.fsum(both[h] * within[h] for h in strata) / sum(both.values()),
    ]


def _absences(draws: Draws, cases: Sequence[Record], children: Sequence[Record]) -> list[Record]:
    case_of = {case["family_id"]: case for case in cases if case["analysed"]}
    family = {name: draws.normal() for name in case_of}
    chosen: dict[str, str] = {}
    for phase, (ages, wanted) in PUPILS.items():
        for arm, n in wanted.items():
            here = {name for name, case in case_of.items() if case["arm"] == arm}
            able = [c["child_id"] for c in children if c["family_id"] in here and c["age"] in ages]
            chosen.update(dict.fromkeys(draws.sample(able, n), phase))
    rows = []
    for child in children:
        phase = chosen.get(child["child_id"], "")
        if not phase:
            continue
        # The square roots of .35 and .65: about a third of the variance lies between families.
        score = 0.5916 * family[child["family_id"]] + 0.8062 * draws.normal()
        half_days = round(2 * curve(ABSENT[phase], score))
        autumn = round(half_days * (0.30 + 0.35 * draws.unit()))
        case = case_of[child["family_id"]]
        rows.append(
            {
                "child_id": child["child_id"],
                "family_id": child["family_id"],
                "arm": case["arm"],
                "history": case["history"],
                "phase": phase,
                "days_autumn": autumn / 2,
                "days_spring": (half_days - autumn) / 2,
                "days_absent": half_days / 2,
            }
        )
    return rows


def sdq(seed: int, cases: Sequence[Record]) -> list[Record]:
    """Give the answers to 25 items about some index children, by parent and by practitioner.

    Children of whom the same people were asked exchange their answers until Project Crewe's have slightly fewer
    difficulties, by each informant and by the first form of each child, and no scale differs by much.
    """
    for attempt in range(1_000):
        draws = Draws(seed, "sdq", attempt)
        children = _answered(draws, cases)
        if _exchange_answers(draws, children):
            break
    else:
        raise AssertionError("questionnaires with slightly fewer difficulties were not found")
    about = ("child_id", "case_id", "family_id", "arm", "age")
    items = [f"sdq_{item:02d}" for item in range(1, 26)]
    order = {case["case_id"]: place for place, case in enumerate(cases)}
    return [
        {
            **{name: child["case"][name] for name in about},
            "informant": informant,
            **{name: answers[name] for name in items},
        }
        for child in sorted(children, key=lambda child: order[child["case"]["case_id"]])
        for informant, answers in sorted(child["forms"].items())
    ]


def _answered(draws: Draws, cases: Sequence[Record]) -> list[Record]:
    """Draw who was asked about whom, and the answers; a child's scores stand beside each form."""
    children: list[Record] = []
    for arm in ("crewe", "control"):
        able = [c for c in cases if c["arm"] == arm and c["analysed"] and c["age"] >= 4]
        parents = {c["case_id"] for c in draws.sample(able, SDQ_PARENT[arm])}
        practitioners = {c["case_id"] for c in draws.sample(able, SDQ_PRACTITIONER[arm])}
        for case in able:
            child = draws.normal()
            scales = {name: 0.45 * child + 0.45 * draws.normal() for name in SDQ_SCALES}
            forms = {
                informant: _form(draws, scales)
                for informant, asked in (("parent", parents), ("practitioner", practitioners))
                if case["case_id"] in asked
            }
            # One form left a scale half empty.
            if len(children) == HALF_EMPTY:
                for answers in forms.values():
                    answers.update({f"sdq_{item:02d}": None for item in SDQ_SCALES["peer"][:3]})
            scores = {informant: _scores(answers) for informant, answers in forms.items()}
            if forms:
                children.append({"case": case, "forms": forms, "scores": scores})
    return children


def _form(draws: Draws, scales: dict[str, float]) -> Record:
    answers: Record = {}
    for name, items in SDQ_SCALES.items():
        for item in items:
            difficulty = scales[name] + 0.85 * draws.normal()
            answer = 0 if difficulty < -0.05 else 1 if difficulty < 0.85 else 2
            if name == "prosocial" or item in SDQ_REVERSED:
                answer = 2 - answer
            missing = draws.below(1000) < 18
            answers[f"sdq_{item:02d}"] = None if missing else answer
    return answers


def _scores(answers: Record) -> list[float] | None:
    """Score the scales, the total last; none where a scale has fewer than three answers.

    Answers that are missing count like the others of their scale.
    """
    found = {}
    for name, items in SDQ_SCALES.items():
        given = [(item, answers[f"sdq_{item:02d}"]) for item in items]
        points = [2 - a if item in SDQ_REVERSED else a for item, a in given if a is not None]
        if len(points) < 3:
            return None
        found[name] = 5 * sum(points) / len(points)
    total = math.fsum(score for name, score in found.items() if name != "prosocial")
    return [*found.values(), total]


def _exchange_answers(draws: Draws, children: Sequence[Record]) -> bool:
    """Exchange answers between the arms until they differ as they should; give whether they do."""
    best = _sdq_distance(children)
    for _ in range(400):
        if best == 0:
            return True
        one, other = draws.sample(children, 2)
        if one["case"]["arm"] == other["case"]["arm"] or set(one["forms"]) != set(other["forms"]):
            continue
        _swap(one, other, ("forms", "scores"))
        now = _sdq_distance(children)
        if now > best:
            _swap(one, other, ("forms", "scores"))
        else:
            best = now
    return False


def _sdq_distance(children: Sequence[Record]) -> float:
    """How far the arms' differences are from those wanted, in units of what is allowed."""
    far = 0.0
    for view in ("parent", "practitioner", ""):
        arms: dict[str, list[list[float]]] = {"crewe": [], "control": []}
        for child in children:
            seen = child["scores"].get(view) if view else next(iter(child["scores"].values()))
            if seen is not None:
                arms[child["case"]["arm"]].append(seen)
        crewe, control = arms.values()
        columns = [
            (list(x), list(y))
            for x, y in zip(zip(*crewe, strict=True), zip(*control, strict=True), strict=True)
        ]
        x, y = columns[-1]
        fewer = math.fsum(y) / len(y) - math.fsum(x) / len(x)
        lower = sum((one < other) - (one > other) for one in x for other in y)
        far += _beyond(fewer, *SDQ_FEWER) + (lower <= 0)
        far += math.fsum(_beyond(_apart(x, y), 0, SDQ_ALIKE) for x, y in columns[:-1])
    return far


def _apart(x: Sequence[float], y: Sequence[float]) -> float:
    """Give the difference of two means in standard errors."""
    pooled = [*x, *y]
    centre = math.fsum(pooled) / len(pooled)
    variance = math.fsum((value - centre) ** 2 for value in pooled) / len(pooled)
    spread = variance * (1 / len(x) + 1 / len(y))
    return abs(math.fsum(x) / len(x) - math.fsum(y) / len(y)) / math.sqrt(spread)

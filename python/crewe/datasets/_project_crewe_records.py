"""What was recorded about the synthetic cases, their staff and their costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from crewe.datasets._project_crewe_cases import (
    PRIMARY_AGES,
    PRIMARY_PUPILS,
    SECONDARY_AGES,
    SECONDARY_PUPILS,
    Record,
)
from crewe.datasets._project_crewe_draws import Draws, curve, exact_total

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

# The codes of the framework, with the weights by which they are drawn at referral.
RISKS = {
    "parent_previous_social_care": 0,
    "parent_mental_health": 0,
    "parent_substance_abuse": 0,
    "parent_attachment_issues": 7,
    "parent_own_needs_first": 7,
    "parent_domestic_abuse_victim": 0,
    "parent_personality_disorder": 2,
    "child_risk_taking": 7,
    "child_excluded": 4,
    "child_low_attendance": 8,
    "child_aggressive": 7,
    "family_parental_conflict": 9,
    "family_stress": 11,
    "family_isolated_parent": 7,
    "family_power_issues": 4,
    "family_substance_abuse": 0,
    "family_young_children": 0,
    "social_dangerous_neighbourhood": 3,
    "social_lack_of_support": 7,
}
PROTECTIONS = {
    "parent_in_employment": 4,
    "parent_empathy": 6,
    "parent_overcome_adversity": 3,
    "parent_lack_of_denial": 5,
    "parent_responsible": 5,
    "child_positive_relationships": 6,
    "child_low_risk_taking": 5,
    "child_engaged_at_school": 6,
    "family_supportive_partner": 3,
    "family_supportive_network": 5,
}
# What lasts longer than the rest.
LASTING = {
    "parent_mental_health": 4,
    "parent_personality_disorder": 5,
    "parent_substance_abuse": 3,
    "family_substance_abuse": 3,
    "social_dangerous_neighbourhood": 3,
}
ENGAGEMENT = ("engagement_parent", "engagement_child")
LEVELS = (-2, -1, 1, 2)
RISK_SAMPLE = 15
# Families in which a factor is present at referral, of the 30.
DOMESTIC_VIOLENCE, MENTAL_HEALTH, SUBSTANCE_ABUSE = 14, 10, 7
# Factors present over the 15 cases of an arm, at referral and at the latest information; ratings
# summed alike.
RISKS_PRESENT = {"crewe": (92, 36), "control": (92, 36)}
PROTECTIONS_PRESENT = {"crewe": (54, 72), "control": (54, 48)}
ENGAGEMENT_SUM = {"crewe": (18, 33), "control": (18, 21)}
TIMES = ("referral", "latest")

# Wave: the month counted, and the mean visits of each arm as (numerator, denominator).
WAVES = {
    "autumn": (date(2015, 11, 1), date(2015, 11, 30), {"crewe": (11, 1), "control": (11, 3)}),
    "spring": (date(2016, 4, 1), date(2016, 4, 30), {"crewe": (9, 1), "control": (3, 1)}),
}

STAFF = {"crewe": 19, "control": 9}
NAMED_WORKLOAD = {"crewe": 6, "control": 8}
STRESS_ITEMS = 5
CASELOADS = (("2015-11-01", 4, 7), ("2016-04-01", 8, 9), ("2016-11-01", 8, 11))
CASELOAD_CAP = 12

OUTCOMES = {
    "crewe": {"closed": 2, "improved": 2, "no change": 1, "escalated": 2},
    "control": {"closed": 3, "improved": 1, "no change": 0, "escalated": 1},
}

INTERVIEWS = (
    ("parent or carer", "crewe", 7),
    ("parent or carer", "control", 5),
    ("young person", "crewe", 4),
    ("young person", "control", 2),
    ("family practitioner", "crewe", 6),
    ("social work consultant", "crewe", 2),
    ("social worker", "control", 5),
    ("manager", "crewe", 2),
    ("manager", "control", 2),
)

NEED_NATIONAL = (
    ("N1", "abuse or neglect", 0.50),
    ("N2", "child's disability or illness", 0.10),
    ("N3", "parent's disability or illness", 0.03),
    ("N4", "family in acute stress", 0.09),
    ("N5", "family dysfunction", 0.18),
    ("N6", "socially unacceptable behaviour", 0.02),
    ("N7", "low income", 0.01),
    ("N8", "absent parenting", 0.03),
    ("N9", "cases other than children in need", 0.02),
    ("N0", "not stated", 0.02),
)

FACTOR_NATIONAL = (
    ("domestic violence", "parent_domestic_abuse_victim", 0.496),
    ("mental health", "parent_mental_health", 0.366),
    ("substance abuse", "parent_substance_abuse or family_substance_abuse", 0.193),
)

PRINTED = "printed in the report, Appendix 9"
COSTS = (
    ("weekly_cost", "crewe", 68.05, "GBP per case and week", PRINTED),
    ("weekly_cost", "control", 55.13, "GBP per case and week", PRINTED),
    ("mean_weeks_open", "crewe", 36.00, "weeks", "derived: printed cost per case / weekly cost"),
    ("mean_weeks_open", "control", 32.56, "weeks", "derived: printed cost per case / weekly cost"),
    ("cost_per_case", "crewe", 2450.0, "GBP", PRINTED),
    ("cost_per_case", "control", 1795.0, "GBP", PRINTED),
    ("share_closed", "crewe", 0.72, "share of cases", PRINTED),
    ("share_closed", "control", 0.64, "share of cases", PRINTED),
    ("lifetime_earnings", "both", 80_000.0, "GBP", PRINTED),
    ("earnings_share_closed", "both", 0.54, "share", PRINTED),
    ("earnings_share_open", "both", 0.15, "share", PRINTED),
    ("income_tax", "both", 0.20, "share of earnings", PRINTED),
    ("national_insurance", "both", 0.12, "share of earnings", PRINTED),
    ("employment_gain", "both", 0.143, "share", PRINTED + " (its text has 14%)"),
    ("re_referrals", "crewe", 5.0, "cases", PRINTED),
    ("re_referrals", "control", 3.0, "cases", PRINTED),
    ("re_referral_saving_all", "both", 3800.0, "GBP", PRINTED),
    ("re_referral_saving_per_case", "both", 29.68, "GBP", PRINTED),
    ("cases_analysed", "crewe", 83.0, "cases", "derived from the printed rates"),
    ("cases_analysed", "control", 45.0, "cases", "derived from the printed rates"),
    ("escalated_case_cost", "both", 2464.0, "GBP", PRINTED),
    ("unescalated_case_cost", "both", 1686.0, "GBP", PRINTED),
    ("escalations", "crewe", 2.0, "cases", PRINTED),
    ("escalations_averted", "crewe", 8.0, "cases", PRINTED),
    ("escalation_rate_national", "both", 0.125, "share of cases", PRINTED + " (its text has 12%)"),
    ("escalation_saving_all", "crewe", 6224.0, "GBP", PRINTED),
    ("escalation_saving_per_case", "crewe", 74.98, "GBP", PRINTED),
)


def absences(seed: int, cases: Sequence[Record], children: Sequence[Record]) -> list[Record]:
    """Give days absent over two terms for 109 primary and 65 secondary pupils.

    No effect of the arm is built in: draws are repeated until the arms' means differ by less than
    two days in both phases.
    """
    for attempt in range(10_000):
        rows = _absences(Draws(seed, "absences", attempt), cases, children)
        if all(_near(rows, phase) for phase in ABSENT):
            return rows
    raise AssertionError("absences with like means in both arms were not found")


def _near(rows: Sequence[Record], phase: str) -> bool:
    days = {
        arm: [row["days_absent"] for row in rows if (row["phase"], row["arm"]) == (phase, arm)]
        for arm in ("crewe", "control")
    }
    # Half days are binary fractions, so these sums are exact.
    means = [sum(values) / len(values) for values in days.values() if len(values) >= 15]
    return len(means) == 2 and abs(means[0] - means[1]) < 2


def _absences(draws: Draws, cases: Sequence[Record], children: Sequence[Record]) -> list[Record]:
    case_of = {case["family_id"]: case for case in cases if case["analysed"]}
    family = {name: draws.normal() for name in case_of}
    chosen: dict[str, str] = {}
    for phase, ages, pupils in (
        ("primary", PRIMARY_AGES, PRIMARY_PUPILS),
        ("secondary", SECONDARY_AGES, SECONDARY_PUPILS),
    ):
        able = [c["child_id"] for c in children if c["family_id"] in case_of and c["age"] in ages]
        chosen.update(dict.fromkeys(draws.sample(able, pupils), phase))
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
    """Give the answers to 25 items about some index children, by parent and by practitioner."""
    draws = Draws(seed, "sdq")
    rows = []
    for arm in ("crewe", "control"):
        able = [c for c in cases if c["arm"] == arm and c["analysed"] and c["age"] >= 4]
        parents = {c["case_id"] for c in draws.sample(able, SDQ_PARENT[arm])}
        practitioners = {c["case_id"] for c in draws.sample(able, SDQ_PRACTITIONER[arm])}
        for case in able:
            child = draws.normal()
            scales = {name: 0.45 * child + 0.45 * draws.normal() for name in SDQ_SCALES}
            for informant, asked in (("parent", parents), ("practitioner", practitioners)):
                if case["case_id"] in asked:
                    rows.append({**_form(draws, case, scales), "informant": informant})
    # One form left a scale half empty.
    for item in SDQ_SCALES["peer"][:3]:
        rows[4][f"sdq_{item:02d}"] = None
    order = {case["case_id"]: place for place, case in enumerate(cases)}
    rows.sort(key=lambda row: (order[row["case_id"]], row["informant"]))
    first = ("child_id", "case_id", "family_id", "arm", "age", "informant")
    return [{name: row[name] for name in (*first, *_items())} for row in rows]


def _items() -> list[str]:
    return [f"sdq_{item:02d}" for item in range(1, 26)]


def _form(draws: Draws, case: Record, scales: dict[str, float]) -> Record:
    row = {name: case[name] for name in ("child_id", "case_id", "family_id", "arm", "age")}
    for name, items in SDQ_SCALES.items():
        for item in items:
            difficulty = scales[name] + 0.85 * draws.normal()
            answer = 0 if difficulty < -0.05 else 1 if difficulty < 0.85 else 2
            if name == "prosocial" or item in SDQ_REVERSED:
                answer = 2 - answer
            missing = draws.below(1000) < 18
            row[f"sdq_{item:02d}"] = None if missing else answer
    return row


def risk(seed: int, cases: Sequence[Record], children: Sequence[Record]) -> list[Record]:
    """Give every code of the framework for 15 cases of each arm at two times."""
    with_infant = {c["family_id"] for c in children if c["age"] < 3}
    for attempt in range(10_000):
        draws = Draws(seed, "risk", attempt)
        split = [_halves(draws, n) for n in (DOMESTIC_VIOLENCE, MENTAL_HEALTH, SUBSTANCE_ABUSE)]
        parts = []
        for place, arm in enumerate(("crewe", "control")):
            able = [c for c in cases if c["arm"] == arm and c["analysed"] and c["age"] >= 5]
            sample = sorted(draws.sample(able, RISK_SAMPLE), key=lambda c: c["case_id"])
            parts.append(_risk_arm(draws, arm, sample, with_infant, [s[place] for s in split]))
        rows = [row for part in parts if part is not None for row in part]
        if None not in parts:
            return sorted(rows, key=lambda row: str(row["case_id"]))
    raise AssertionError("risk factors that meet every marginal were not found")


def _halves(draws: Draws, n: int) -> tuple[int, int]:
    half = n // 2 + draws.below(2) if n % 2 else n // 2 + draws.below(3) - 1
    return half, n - half


def _risk_arm(
    draws: Draws,
    arm: str,
    sample: Sequence[Record],
    with_infant: set[str],
    targets: Sequence[int],
) -> list[Record] | None:
    everyone = range(len(sample))
    fixed = {(i, "parent_previous_social_care") for i in everyone if sample[i]["history"] == "yes"}
    fixed |= {
        (i, "family_young_children") for i in everyone if sample[i]["family_id"] in with_infant
    }
    if not 6 <= len(fixed) <= 15:
        return None
    violence, health, substance = targets
    first = {(i, "parent_domestic_abuse_victim") for i in draws.sample(everyone, violence)}
    first |= {(i, "parent_mental_health") for i in draws.sample(everyone, health)}
    for i in draws.sample(everyone, substance):
        kind = draws.below(3)
        if kind != 1:
            first.add((i, "parent_substance_abuse"))
        if kind != 0:
            first.add((i, "family_substance_abuse"))
    severity = [draws.between(2, 5) for _ in everyone]

    def weight(i: int, code: str, weights: dict[str, int]) -> int:
        young = sample[i]["age"] <= 11 and code.startswith("child_")
        return 0 if young else weights[code] * severity[i]

    cells = [(i, code) for i in everyone for code in RISKS if weight(i, code, RISKS)]
    needed = RISKS_PRESENT[arm][0] - len(fixed) - len(first)
    if needed > len(cells):
        return None
    chosen = draws.weighted_sample([weight(i, c, RISKS) for i, c in cells], needed)
    first |= {cells[k] for k in chosen}
    # Most of what was open to change is gone at the end; a little is new.
    new = draws.sample([cell for cell in cells if cell not in first], 2)
    old = sorted(first)
    lasting = [LASTING.get(code, 1) for _, code in old]
    stays = draws.weighted_sample(lasting, RISKS_PRESENT[arm][1] - len(fixed) - len(new))
    risks = (fixed | first, fixed | {old[k] for k in stays} | set(new))

    cells = [(i, code) for i in everyone for code in PROTECTIONS]
    before, after = PROTECTIONS_PRESENT[arm]
    weights = [PROTECTIONS[code] * (7 - severity[i]) for i, code in cells]
    had = [cells[k] for k in draws.weighted_sample(weights, before)]
    lost = draws.sample(had, 6 if after > before else 14)
    gained = draws.sample([c for c in cells if c not in had], after - before + len(lost))
    protections = (set(had), (set(had) - set(lost)) | set(gained))

    ratings = [_ratings(draws, total) for total in ENGAGEMENT_SUM[arm]]
    rows = []
    for i, case in enumerate(sample):
        for t, time in enumerate(TIMES):
            values = {code: int((i, code) in risks[t]) for code in RISKS}
            values |= {code: int((i, code) in protections[t]) for code in PROTECTIONS}
            engaged = {code: ratings[t][2 * i + j] for j, code in enumerate(ENGAGEMENT)}
            rows += [
                {
                    "case_id": case["case_id"],
                    "family_id": case["family_id"],
                    "arm": arm,
                    "time": time,
                    "code": code,
                    "present": 1 if code in engaged else value,
                    "value": value,
                }
                for code, value in (values | engaged).items()
            ]
    return rows


def _ratings(draws: Draws, total: int) -> list[int]:
    """Two ratings a case that sum to `total`."""
    weights = (2, 5, 11, 6) if total < 25 else (1, 3, 12, 9)
    while True:
        ratings = [LEVELS[draws.weighted(weights)] for _ in range(2 * RISK_SAMPLE)]
        if sum(ratings) == total:
            return ratings


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
    draws = Draws(seed, "survey")
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


def costs() -> list[Record]:
    """Give the printed inputs and results of the cost-benefit analysis."""
    names = ("item", "arm", "value", "unit", "source")
    return [dict(zip(names, row, strict=True)) for row in COSTS]


def interviews() -> list[Record]:
    """Give the interviews by type of participant: invented numbers."""
    names = ("participant", "arm", "interviews")
    return [dict(zip(names, row, strict=True)) for row in INTERVIEWS]


def need_national() -> list[Record]:
    """Give an illustrative national share of each category of need."""
    return [
        {"need": code, "meaning": meaning, "national_share": share, "source": "ILLUSTRATIVE"}
        for code, meaning, share in NEED_NATIONAL
    ]


def factor_national() -> list[Record]:
    """Give the national prevalence of three factors as the report prints it."""
    return [
        {"factor": factor, "code": code, "national_share": share, "source": "report, Table 2"}
        for factor, code, share in FACTOR_NATIONAL
    ]

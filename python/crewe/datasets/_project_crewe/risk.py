"""What was coded of the synthetic cases by the risk framework: 15 + 15 cases at two times."""

from __future__ import annotations

from collections.abc import Sequence

from crewe.datasets._project_crewe.draws import Draws
from crewe.datasets._project_crewe.times import Record

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
RISKS_PRESENT = {"crewe": (99, 43), "control": (90, 34)}
PROTECTIONS_PRESENT = {"crewe": (54, 72), "control": (54, 48)}
ENGAGEMENT_SUM = {"crewe": (18, 33), "control": (18, 21)}
TIMES = ("referral", "latest")


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
        if None not in parts and _boxes_tell(rows):
            return sorted(rows, key=lambda row: str(row["case_id"]))
    raise AssertionError("risk factors that meet every marginal were not found")


def _boxes_tell(rows: Sequence[Record]) -> bool:
    """Whether Project Crewe's median total score is the lower one at referral and the higher one later."""
    totals: dict[tuple[str, str, str], int] = {}
    for row in rows:
        cell = (row["arm"], row["time"], row["case_id"])
        points = -row["value"] if row["code"] in RISKS else row["value"]
        totals[cell] = totals.get(cell, 0) + points

    def median(arm: str, time: str) -> int:
        found = sorted(total for cell, total in totals.items() if cell[:2] == (arm, time))
        return found[RISK_SAMPLE // 2]

    first, last = ({a: median(a, time) for a in RISKS_PRESENT} for time in TIMES)
    return first["crewe"] < first["control"] and last["crewe"] > last["control"]


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
        first.add((i, "parent_substance_abuse"))
        if draws.below(2):
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

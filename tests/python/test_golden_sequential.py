"""Golden assignments of the sequential procedures, against a second implementation in plain Python.

Run this file to write the golden vectors again: ``python tests/python/test_golden_sequential.py``.
A changed vector is a breaking change, and gets a new algorithm tag.
"""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_golden import Oracle, digest

GOLDEN = Path(__file__).parents[1] / "reference" / "expected" / "golden_sequential.json"


# -- the second implementation ---------------------------------------------------------------------


class Steps:
    """Random numbers of a stratum: one stream a step in the assignment, a running one in a draw."""

    def __init__(self, case: dict, labels: list[str], replicate: int | None) -> None:
        self.case, self.labels, self.replicate = case, labels, replicate
        self.running = (
            None if replicate is None else Oracle(case["seed"], "draws", labels, replicate)
        )
        self.number, self.now = -1, None

    def step(self, number: int) -> Oracle:
        if self.running is not None:
            return self.running
        if number != self.number:
            self.now = Oracle(self.case["seed"], "assign", self.labels, number)
            self.number = number
        return self.now


def fake_arms(case: dict) -> list[int]:
    return [arm for arm, (_, share) in enumerate(case["arms"]) for _ in range(share)]


def blocks(case: dict, members: list[dict], steps: Steps) -> list[int]:
    ratio = [share for _, share in case["arms"]]
    drawn: list[int] = []
    number = 0
    while len(drawn) < len(members):
        stream = steps.step(number)
        sizes = case["method"]["sizes"]
        size = sizes[stream.below(len(sizes))] if len(sizes) > 1 else sizes[0]
        block = [arm for arm, share in enumerate(ratio) for _ in range(size * share // sum(ratio))]
        stream.shuffle(block)
        drawn += block
        number += 1
    return drawn[: len(members)]


def preferred(scores: list[int], p: Fraction) -> tuple[list[Fraction], int]:
    """Each fake arm's probability, p for one of those that tie, and how fine the whole numbers are."""
    best = [score == min(scores) for score in scores]
    others, tied = len(scores) - 1, sum(best)
    rest = (1 - p) / others
    return [(p + (tied - 1) * rest) / tied if first else rest for first in best], (
        p.denominator * tied * others
    )


def spread(counts: list[int], kind: str) -> int:
    if kind == "range":
        return max(counts) - min(counts)
    return len(counts) * sum(c * c for c in counts) - sum(counts) ** 2


def one_by_one(case: dict, members: list[dict], steps: Steps) -> list[int]:
    method, fake = case["method"], fake_arms(case)
    p = Fraction(*method.get("p", [1, 1]))
    seen: dict[tuple[int, str], list[int]] = {}
    drawn = []
    for arrival, member in enumerate(members):
        rows = [
            seen.setdefault((place, level), [0] * len(fake))
            for place, level in enumerate(member["factors"] or ["all"])
        ]
        if method["name"] == "big_stick":
            open_arms = [count - min(rows[0]) < method["limit"] for count in rows[0]]
            bound = sum(open_arms)
            chances = [Fraction(is_open, bound) for is_open in open_arms]
        elif method["name"] == "biased_coin":
            chances, bound = preferred(rows[0], p)
        else:
            scores = [0] * len(fake)
            for (_, weight), row in zip(method["factors"], rows, strict=True):
                for arm in range(len(fake)):
                    after = [count + (f == arm) for f, count in enumerate(row)]
                    scores[arm] += weight * spread(after, method["imbalance"])
            chances, bound = preferred(scores, p)
        x = steps.step(arrival).below(bound)
        ends = [sum(chances[: arm + 1]) * bound for arm in range(len(fake))]
        arm = next(arm for arm, end in enumerate(ends) if x < end)
        for row in rows:
            row[arm] += 1
        drawn.append(fake[arm])
    return drawn


def oracle(case: dict, replicate: int | None = None) -> dict[str, str]:
    """The arm of every unit; `units` stand in order of arrival."""
    arms = [arm for arm, _ in case["arms"]]
    strata: dict[tuple[str, ...], list[dict]] = {}
    for unit in case["units"]:
        strata.setdefault(tuple(unit["stratum"]), []).append(unit)
    result = {}
    for labels, members in strata.items():
        steps = Steps(case, list(labels), replicate)
        rule = blocks if case["method"]["name"] == "blocks" else one_by_one
        for member, arm in zip(members, rule(case, members, steps), strict=True):
            result[member["id"]] = arms[arm]
    return {unit: result[unit] for unit in sorted(result, key=lambda unit: unit.encode())}


def units(n: int) -> list[dict]:
    """Units in order of arrival, whose identifiers do not sort so."""
    return [
        {
            "id": f"F{i * 7919 % 10007:05}",
            "stratum": [["north", "south"][i * i % 3 % 2]],
            "factors": [f"age {i % 3}", ["girl", "boy"][i * 5 % 7 % 2]],
        }
        for i in range(n)
    ]


def plain(name: str, method: dict, arms: list, n: int = 40) -> dict:
    some = units(n)
    if method["name"] != "minimisation":
        some = [{**unit, "factors": []} for unit in some]
    return {"case": name, "method": method, "arms": arms, "seed": 2017, "units": some}


def cases() -> list[dict]:
    two, twice, three = (
        [["a", 1], ["b", 1]],
        [["control", 1], ["crewe", 2]],
        [["a", 1], ["b", 1], ["c", 2]],
    )
    factors = [["age", 1], ["sex", 2]]
    return [
        plain("blocks of one size", {"name": "blocks", "sizes": [6]}, twice),
        plain("blocks of random sizes", {"name": "blocks", "sizes": [4, 8, 12]}, three),
        plain("big stick", {"name": "big_stick", "limit": 2}, two),
        plain("big stick at 2:1", {"name": "big_stick", "limit": 1}, twice),
        plain("biased coin", {"name": "biased_coin", "p": [2, 3]}, two),
        plain("biased coin, three arms", {"name": "biased_coin", "p": [3, 5]}, three),
        plain(
            "minimisation by range",
            {"name": "minimisation", "factors": factors, "imbalance": "range", "p": [4, 5]},
            twice,
        ),
        plain(
            "minimisation by variance",
            {"name": "minimisation", "factors": factors, "imbalance": "variance", "p": [7, 10]},
            three,
        ),
        plain(
            "minimisation that always prefers",
            {"name": "minimisation", "factors": factors, "imbalance": "range", "p": [1, 1]},
            two,
        ),
    ]


def ten_thousand() -> list[dict]:
    return [
        {**cases()[place], "units": plain("", cases()[place]["method"], [], 10_000)["units"]}
        for place in (1, 6)
    ]


def golden() -> dict:
    return {
        "algorithm": "crewe/1",
        "written_by": "tests/python/test_golden_sequential.py",
        "about": "units in order of arrival; strata column site, factors age and sex",
        "cases": [
            {**case, "assigned": oracle(case), "draws_3": oracle(case, 3)} for case in cases()
        ],
        "ten_thousand": {
            "about": "10,000 units made as the others, SHA-256 over 'id TAB arm NEWLINE' in bytewise "
            "order of the ids",
            "sha256": {case["case"]: digest(oracle(case)) for case in ten_thousand()},
        },
    }


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")
    sys.exit()


# -- tests -----------------------------------------------------------------------------------------

import crewe as cw  # noqa: E402
import pandas as pd  # noqa: E402
from crewe.design.methods import from_table  # noqa: E402

COMMITTED = json.loads(GOLDEN.read_text(encoding="utf-8"))
SMALL = COMMITTED["cases"]
names = [case["case"] for case in SMALL]


def design(case: dict) -> cw.Design:
    return cw.Design(
        "golden", arms=dict(case["arms"]), cluster="family", strata=["site"],
        method=from_table(case["method"]), seed=case["seed"],
    )  # fmt: skip


def frame(case: dict) -> pd.DataFrame:
    rows = [
        {"family": unit["id"], "site": unit["stratum"][0], "day": day}
        | dict(zip(["age", "sex"], unit["factors"], strict=False))
        for day, unit in enumerate(case["units"])
    ]
    return pd.DataFrame(rows)


def test_committed_vectors_are_the_oracles() -> None:
    assert json.loads(json.dumps(golden())) == COMMITTED


@pytest.mark.parametrize("case", SMALL, ids=names)
def test_assignments_and_draws(case: dict) -> None:
    data = frame(case).sample(frac=1, random_state=3)
    assert design(case).assign(data, order="day").clusters == case["assigned"]
    arms = [arm for arm, _ in case["arms"]]
    draws = design(case).draws(data, 5, order="day")
    assert [arms[arm] for arm in draws[3]] == list(case["draws_3"].values())


@pytest.mark.parametrize("case", ten_thousand(), ids=lambda case: case["case"])
def test_ten_thousand_families(case: dict) -> None:
    drawn = design(case).assign(frame(case).sample(frac=1, random_state=1), order="day").clusters
    assert digest(drawn) == COMMITTED["ten_thousand"]["sha256"][case["case"]]


def test_arrivals_in_another_stratum_change_nothing() -> None:
    for case in SMALL:
        drawn = design(case).assign(frame(case), order="day").clusters
        more = pd.concat(
            [frame(case), frame(case).head(9).assign(site="east", family=range(9), day=-1)]
        )
        again = design(case).assign(more, order="day").clusters
        assert {unit: again[unit] for unit in drawn} == drawn

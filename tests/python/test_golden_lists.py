"""Golden assignments of the procedures that draw a whole list, against a second implementation.

Run this file to write the golden vectors again: ``python tests/python/test_golden_lists.py``. A
changed vector is a breaking change, and gets a new algorithm tag.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

sys.path.insert(0, str(Path(__file__).parent))
from test_golden import Oracle, draw

GOLDEN = Path(__file__).parents[1] / "reference" / "expected" / "golden_lists.json"


# -- the second implementation ---------------------------------------------------------------------


class Case:
    """One case with its units in canonical order, by stratum in the order of the strata's labels."""

    def __init__(self, case: dict, replicate: int | None) -> None:
        self.replicate, self.seed = replicate, case["seed"]
        self.ratio = [share for _, share in case["arms"]]
        self.units = sorted(case["units"], key=lambda unit: unit["id"].encode())
        self.strata: dict[str, list[int]] = {}
        for place, unit in enumerate(self.units):
            self.strata.setdefault(unit["site"], []).append(place)
        self.strata = {name: self.strata[name] for name in sorted(self.strata)}
        self.running: dict[str | None, Oracle] = {}

    def stream(self, site: str | None, step: int = 0) -> Oracle:
        """Random numbers of a stratum, or of all together (None)."""
        purpose = "assign" if self.replicate is None else "draws"
        labels = [] if site is None else [site]
        purpose += " whole" if site is None else ""
        if self.replicate is None:
            return Oracle(self.seed, purpose, labels, step)
        if site not in self.running:
            self.running[site] = Oracle(self.seed, purpose, labels, self.replicate)
        return self.running[site]


def tickets(n: int, shares: list[int], stream: Oracle) -> list[int]:
    """Whole packs, then tickets one after the other from one more pack."""
    whole, rest = divmod(n, sum(shares))
    pack = [arm for arm, share in enumerate(shares) for _ in range(share)]
    places = [whole * share for share in shares]
    for _ in range(rest):
        places[pack.pop(stream.below(len(pack)))] += 1
    return places


def spread(places: list[int]) -> list[int | None]:
    arms: list[int | None] = [*range(len(places) - 1), None]
    return [arm for arm, count in zip(arms, places, strict=True) for _ in range(count)]


def misfits(case: Case, rule: str) -> list[int | None]:
    arm: list[int | None] = [None] * len(case.units)
    total = sum(case.ratio)
    for site, members in case.strata.items():
        stream, n = case.stream(site), len(members)
        left = 0 if rule == "weighted_strata" else n % total
        places = tickets(n - left, case.ratio, stream)
        dealt = spread([*places, left])
        stream.shuffle(dealt)
        for unit, one in zip(members, dealt, strict=True):
            arm[unit] = one
    if "global" in rule:
        blank = [unit for members in case.strata.values() for unit in members if arm[unit] is None]
        shares = case.ratio if rule == "weighted_global" else [1] * len(case.ratio)
        stream = case.stream(None)
        pool = spread([*tickets(len(blank), shares, stream), 0])
        stream.shuffle(pool)
        for unit, one in zip(blank, pool, strict=True):
            arm[unit] = one
    return arm


def matched(case: Case) -> list[int]:
    arm = [0] * len(case.units)
    for site, members in case.strata.items():
        for name in sorted({case.units[unit]["pair"] for unit in members}):
            together = [unit for unit in members if case.units[unit]["pair"] == name]
            step = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
            dealt = draw("complete", len(together), case.ratio, case.stream(site, step))
            for unit, one in zip(together, dealt, strict=True):
                arm[unit] = one
    return arm


def scores(case: Case, arms: list[tuple[int, ...]]) -> list[Fraction]:
    """The sum over covariates of squared sums of z (x - mean) / s, exactly but for 1 / s^2."""
    columns = [[Fraction(unit[name]) for unit in case.units] for name in ("age", "need")]
    n = len(case.units)
    found = [Fraction(0)] * len(arms)
    for column in columns:
        mean = sum(column) / n
        variance = sum((x - mean) ** 2 for x in column) / (n - 1)
        for place, drawn in enumerate(arms):
            total = sum((2 * z - 1) * (x - mean) for z, x in zip(drawn, column, strict=True))
            found[place] += total**2 / variance / 4
    return found


def constrained(case: Case, keep: Fraction) -> list[int]:
    """Two equal arms in strata of even size: every candidate is equally likely."""
    halves = []
    for members in case.strata.values():
        n = len(members)
        splits = [
            tuple(int(i not in chosen) for i in range(n))
            for chosen in itertools.combinations(range(n), n // 2)
        ]
        halves.append(splits)
    order = [unit for members in case.strata.values() for unit in members]
    candidates = []
    for parts in itertools.product(*halves):
        drawn = [0] * len(order)
        for unit, one in zip(order, itertools.chain(*parts), strict=True):
            drawn[unit] = one
        candidates.append(tuple(drawn))
    found = scores(case, candidates)
    places = -(-keep.numerator * len(candidates) // keep.denominator)
    cutoff = sorted(found)[places - 1]
    accepted = [one for one, score in zip(candidates, found, strict=True) if score <= cutoff]
    return list(accepted[case.stream(None).below(len(accepted))])


def rerandomised(case: Case, accept: Fraction) -> list[int]:
    x = np.array([[unit["age"], unit["need"]] for unit in case.units], dtype=float)
    centred = x - x.mean(axis=0)
    inverse = np.linalg.inv(np.cov(x.T))
    arms = len(case.ratio)
    most = chi2.ppf(float(accept), x.shape[1] * (arms - 1))
    for step in itertools.count():
        arm = np.zeros(len(case.units), dtype=int)
        for site, members in case.strata.items():
            arm[members] = draw("complete", len(members), case.ratio, case.stream(site, step))
        distance = 0.0
        for j in range(arms):
            if (arm == j).any():
                mean = centred[arm == j].mean(axis=0)
                distance += (arm == j).sum() * mean @ inverse @ mean
        if distance <= most:
            return arm.tolist()
    raise AssertionError


def oracle(case: dict, replicate: int | None = None) -> dict[str, str | None]:
    ready, method = Case(case, replicate), case["method"]
    drawn: list
    if method["name"] == "complete":
        drawn = misfits(ready, method["misfits"])
    elif method["name"] == "matched_sets":
        drawn = matched(ready)
    elif method["name"] == "constrained":
        drawn = constrained(ready, Fraction(*method["keep"]))
    else:
        drawn = rerandomised(ready, Fraction(*method["accept"]))
    arms = [arm for arm, _ in case["arms"]]
    named = [None if one is None else arms[one] for one in drawn]
    return {unit["id"]: arm for unit, arm in zip(ready.units, named, strict=True)}


def units(n: int, strata: int) -> list[dict]:
    return [
        {
            "id": f"F{i * 7919 % 10007:05}", "site": f"site {i % strata}", "pair": f"p{i % strata}-{i // strata // 3}",
            "age": 3 + i * i % 11, "need": i * 5 % 7,
        }
        for i in range(n)
    ]  # fmt: skip


def cases() -> list[dict]:
    two, twice, three = (
        [["a", 1], ["b", 1]],
        [["control", 1], ["crewe", 2]],
        [["a", 1], ["b", 1], ["c", 2]],
    )
    rules = ["leave_out", "global", "weighted_strata", "weighted_global"]
    made = [
        {"case": f"misfits: {rule}, {len(arms)} arms", "method": {"name": "complete", "misfits": rule}, "arms": arms,
         "units": units(29, 3)}
        for rule in rules for arms in (twice, three)
    ]  # fmt: skip
    made += [
        {"case": "matched sets of three", "method": {"name": "matched_sets", "on": "pair"}, "arms": twice,
         "units": units(30, 2)},
        {"case": "constrained", "method": {"name": "constrained", "on": [["age", 1], ["need", 1]], "draws": 50000,
         "keep": [1, 10]}, "arms": two, "units": units(12, 2)},
        {"case": "rerandomised at 2:1", "method": {"name": "rerandomised", "on": ["age", "need"], "accept": [1, 5]},
         "arms": twice, "units": units(60, 2)},
        {"case": "rerandomised, three arms", "method": {"name": "rerandomised", "on": ["age", "need"],
         "accept": [1, 4]}, "arms": three, "units": units(60, 2)},
    ]  # fmt: skip
    return [{**case, "seed": 2017} for case in made]


def golden() -> dict:
    return {
        "algorithm": "crewe/1",
        "written_by": "tests/python/test_golden_lists.py",
        "cases": [
            {**case, "assigned": oracle(case), "draws_3": oracle(case, 3)} for case in cases()
        ],
    }


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")
    sys.exit()


# -- tests -----------------------------------------------------------------------------------------

import crewe as cw  # noqa: E402
import pandas as pd  # noqa: E402
from crewe.design.methods import from_table  # noqa: E402

COMMITTED = json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_committed_vectors_are_the_oracles() -> None:
    assert json.loads(json.dumps(golden())) == COMMITTED


@pytest.mark.parametrize("case", COMMITTED["cases"], ids=lambda case: case["case"])
def test_assignments_and_draws(case: dict) -> None:
    design = cw.Design(
        "golden", arms=dict(case["arms"]), cluster="id", strata=["site"],
        method=from_table(case["method"]), seed=case["seed"],
    )  # fmt: skip
    data = pd.DataFrame(case["units"]).sample(frac=1, random_state=2)
    drawn = design.assign(data)
    arm = dict(zip(drawn.units["id"], drawn.units["arm"], strict=True))
    assert {unit: None if pd.isna(one) else str(one) for unit, one in arm.items()} == case[
        "assigned"
    ]
    arms = [*(name for name, _ in case["arms"]), *([None] * 256)]
    replicate = design.draws(data, 4)[3]
    assert [arms[one] for one in replicate] == list(case["draws_3"].values())

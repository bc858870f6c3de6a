"""Trials whose families arrive one by one, with places that run out, simulated in plain Python and numpy.

Nothing of crewe is imported. Run from the root of the repository:
python tests/reference/simulate_arrivals.py (numpy, scipy). Writes tests/reference/expected/simulate_arrivals.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

ALPHA = 0.05
TRIALS = 8_000
DRAWS = 99


def share(x) -> dict[str, float]:
    x = np.asarray(x, dtype=float)
    return {
        "value": float(x.mean()),
        "std_error": float(np.sqrt(x.mean() * (1 - x.mean()) / len(x))),
    }


def average(x) -> dict[str, float]:
    x = np.asarray(x, dtype=float)
    return {"value": float(x.mean()), "std_error": float(x.std(ddof=1) / np.sqrt(len(x)))}


class Blocks:
    """Permuted blocks within strata, one control and two treated places each by turns of `size`."""

    def __init__(self, rng, size: int):
        self.rng, self.size, self.left = rng, size, {}

    def draw(self, stratum: int) -> int:
        block = self.left.setdefault(stratum, [])
        if not block:
            block.extend(self.rng.permutation([0, 1, 1] * (self.size // 3)).tolist())
        return block.pop()


class Simple:
    """Every family by itself, with this chance of the second arm."""

    def __init__(self, rng, chance: float):
        self.rng, self.chance = rng, chance

    def draw(self, stratum: int) -> int:
        return int(self.rng.random() < self.chance)


def recruit(rng, case, procedure) -> dict[str, np.ndarray]:
    """Week by week: so many come, at uniform moments; the treated arm has so many places a period."""
    came = {"arm": [], "stratum": [], "size": [], "entry": [], "inside": []}
    refused, taken, period = 0, 0, 0
    for week, rate in enumerate(case["rates"]):
        for at in np.sort(week + rng.random(rng.poisson(rate))):
            if case.get("until") and len(came["arm"]) >= case["until"]:
                continue
            if int(at // case["every"]) != period:
                period, taken = int(at // case["every"]), 0
            stratum = int(rng.random() < case["known"])
            size = int(rng.choice(len(case["sizes"]), p=case["sizes"])) + 1
            full = case["places"] is not None and taken >= case["places"]
            if full and case["overflow"] == "pause":
                refused += 1
                continue
            arm = procedure.draw(stratum)
            if arm == 1 and not full:
                taken += 1
            for name, value in zip(came, (arm, stratum, size, at, not full), strict=True):
                came[name].append(value)
    found = {name: np.array(value) for name, value in came.items()}
    return {**found, "refused": np.array(refused)}


def linear(y, size, arm, stratum) -> tuple[float, float, int]:
    """Least squares of members on arm and stratum, CR1 by family, from sums of families."""
    x = np.column_stack([np.ones(len(arm)), arm, stratum])
    if len(np.unique(stratum)) == 1:
        x = x[:, :2]
    inverse = np.linalg.inv(x.T @ (x * size[:, None]))
    coef = inverse @ (x.T @ y)
    scores = x * (y - size * (x @ coef))[:, None]
    g = len(arm)
    variance = g / (g - 1) * inverse @ (scores.T @ scores) @ inverse
    return coef[1], np.sqrt(variance[1, 1]), g - 1


def closed(rng, size, arm, case, effect) -> np.ndarray:
    p = case["base"] + effect * arm
    icc = case["icc"]
    return rng.binomial(size, rng.beta(p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc)).astype(
        float
    )


def scores(rng, size, arm, case, effect) -> np.ndarray:
    icc = case["icc"]
    own = np.sqrt(icc) * rng.standard_normal(len(arm))
    noise = np.sqrt((1 - icc) * size) * rng.standard_normal(len(arm))
    return size * (effect * arm + own) + noise


def by_model(rng, case, draw) -> dict:
    """Linear models of families in the comparison."""
    found = {"control": [], "crewe": [], "refused": [], "outside": [], "members": []}
    p, estimates = {"power": [], "size": []}, []
    for name, effect in (("power", case["effect"]), ("size", 0.0)):
        for _ in range(TRIALS):
            came = recruit(rng, case, case["procedure"](rng))
            inside = came["inside"]
            arm, stratum, size = (came[part][inside] for part in ("arm", "stratum", "size"))
            y = draw(rng, size, arm, case, effect)
            estimate, error, df = linear(y, size, arm, stratum * case["stratified"])
            p[name].append(2 * stats.t.sf(abs(estimate / error), df) <= ALPHA)
            if name == "power":
                estimates.append(estimate - effect)
                counts = (sum(arm == 0), sum(arm == 1), came["refused"], sum(~inside), sum(size))
                for part, value in zip(found, counts, strict=True):
                    found[part].append(value)
    return {
        **{name: share(rejects) for name, rejects in p.items()},
        "bias": average(estimates),
        "recruited": {name: average(values) for name, values in found.items()},
    }


def by_log_rank(rng, case) -> dict:
    """Individuals who enter as they come and are followed to a common end."""
    study = len(case["rates"]) + case["follow_up"]
    found = {}
    for name, ratio in (("power", case["effect"]), ("size", 1.0)):
        rejects = []
        for _ in range(TRIALS):
            came = recruit(rng, case, case["procedure"](rng))
            arm, entry = came["arm"], came["entry"] / study
            hazard = -np.log(1 - case["base"]) * np.where(arm == 1, ratio, 1.0)
            time = rng.exponential(1 / hazard)
            end = 1 - entry
            event = time <= end
            time = np.minimum(time, end)
            order = np.argsort(time)
            d, z = event[order], arm[order]
            at_risk = np.arange(len(z), 0, -1)
            part = z[::-1].cumsum()[::-1] / at_risk
            score = (d * (z - part)).sum() / np.sqrt((d * part * (1 - part)).sum())
            rejects.append(2 * stats.norm.sf(abs(score)) <= ALPHA)
        found[name] = share(rejects)
    return found


def by_redraws(rng, case) -> dict:
    """The randomisation test of the difference in means, over new blocks for the families that came."""
    found = {}
    for name, effect in (("power", case["effect"]), ("size", 0.0)):
        rejects = []
        for _ in range(TRIALS // 4):
            came = recruit(rng, case, case["procedure"](rng))
            stratum, size = came["stratum"], came["size"]
            y = scores(rng, size, came["arm"], case, effect)
            arms = [came["arm"]]
            for _ in range(DRAWS):
                procedure = case["procedure"](rng)
                arms.append(np.array([procedure.draw(s) for s in stratum]))
            z = np.array(arms, dtype=float)
            values = (z @ y) / (z @ size) - ((1 - z) @ y) / ((1 - z) @ size)
            near = 1e-9 * np.abs(values).max()
            upper = (1 + (values[1:] >= values[0] - near).sum()) / (1 + DRAWS)
            lower = (1 + (values[1:] <= values[0] + near).sum()) / (1 + DRAWS)
            rejects.append(2 * min(upper, lower) <= ALPHA)
        found[name] = share(rejects)
    return found


def main() -> None:
    rng = np.random.default_rng(20263)
    blocks = {"rates": [4.0] * 20, "every": 4, "places": 8, "overflow": "pause", "known": 0.4,
              "sizes": [0.4, 0.3, 0.3], "base": 0.25, "icc": 0.3, "effect": 0.25, "stratified": 1,
              "procedure": lambda rng: Blocks(rng, 6)}  # fmt: skip
    simple = {"rates": [0.0, 6.0, 3.0, 3.0, 6.0, 6.0, 3.0, 3.0, 6.0, 6.0], "every": 2, "places": 4,
              "overflow": "draw-first", "known": 0.0, "sizes": [0.5, 0.5], "icc": 0.2, "effect": 0.8,
              "stratified": 0, "procedure": lambda rng: Simple(rng, 0.5)}  # fmt: skip
    until = {**blocks, "rates": [5.0] * 20, "places": None, "until": 60, "effect": 0.3}
    times = {"rates": [5.0] * 30, "every": 1, "places": None, "overflow": "pause", "known": 0.0,
             "sizes": [1.0], "base": 0.7, "effect": 1.8, "follow_up": 10,
             "procedure": lambda rng: Simple(rng, 0.5)}  # fmt: skip
    redrawn = {**blocks, "rates": [3.0] * 10, "icc": 0.2, "effect": 1.2, "places": 5, "every": 3,
               "procedure": lambda rng: Blocks(rng, 3)}  # fmt: skip
    cases = {
        "blocks": (blocks, by_model(rng, blocks, closed)),
        "until": (until, by_model(rng, until, closed)),
        "simple": (simple, by_model(rng, simple, scores)),
        "times": (times, by_log_rank(rng, times)),
        "redrawn": (redrawn, by_redraws(rng, redrawn)),
    }
    written = {
        "metadata": {
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "seed": 20263,
            "trials": TRIALS,
            "draws": DRAWS,
        },
        "cases": {
            name: {"case": {k: v for k, v in case.items() if k != "procedure"}, "found": found}
            for name, (case, found) in cases.items()
        },
    }
    path = Path("tests/reference/expected/simulate_arrivals.json")
    path.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()

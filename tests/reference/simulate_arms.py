"""Trials of several arms, lost outcomes, and the distance of a closed form, simulated in numpy alone.

Nothing of crewe is imported, and no formula of its closed forms. Run from the root of the repository:
python tests/reference/simulate_arms.py (numpy, scipy). Writes tests/reference/expected/simulate_arms.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

FAMILIES = np.repeat(
    np.arange(1, 10), [40, 43, 23, 12, 6, 4, 2, 1, 1]
)  # 132 families, 326 children
ALPHA = 0.05


def share(x: np.ndarray) -> dict[str, float]:
    return {
        "value": float(x.mean()),
        "std_error": float(np.sqrt(x.mean() * (1 - x.mean()) / len(x))),
    }


def average(x: np.ndarray) -> dict[str, float]:
    return {"value": float(x.mean()), "std_error": float(x.std(ddof=1) / np.sqrt(len(x)))}


def draw(rng: np.random.Generator, n: int, counts: list[int]) -> np.ndarray:
    """Arms of n trials: so many families each."""
    arms = np.repeat(np.arange(len(counts)), counts)
    return rng.permuted(np.tile(arms, (n, 1)), axis=1)


def rows_of(families: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(families)), families)


def sums(y: np.ndarray, there: np.ndarray, families: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By family: the sum of the outcomes that are there, and how many."""
    starts = np.concatenate([[0], np.cumsum(families)[:-1]])
    return np.add.reduceat(y * there, starts, axis=1), np.add.reduceat(
        there.astype(float), starts, axis=1
    )


def compare(arms, totals, m, arm: int, kind: str):
    """An arm's mean over children less that of arm 0, with CR1 or CR2 of the model with all arms.

    In an arm of N children the block of the hat matrix of a family of m is 1/N in every place, so that
    (I - H)^(-1/2) 1 = 1 / sqrt(1 - m / N); the degrees of freedom of CR2 follow from the same blocks.
    """
    estimate, variance, trace, square = 0.0, 0.0, 0.0, 0.0
    for a, sign in ((0, -1), (arm, 1)):
        own = arms == a
        n = (m * own).sum(axis=1)
        mean = (totals * own).sum(axis=1) / n
        u = (totals - m * mean[:, None]) * own
        h = np.where(own, 1 - m / n[:, None], 1.0)
        estimate = estimate + sign * mean
        if kind == "CR1":
            variance = variance + (u**2).sum(axis=1) / n**2
            continue
        variance = variance + (u**2 / h).sum(axis=1) / n**2
        trace = trace + (own * m).sum(axis=1) / n**2
        w = own * m**2 / h
        square = (
            square
            + (w.sum(axis=1) ** 2 - (w**2).sum(axis=1)) / n**6
            + (own * m**2).sum(axis=1) / n**4
        )
    if kind == "CR1":
        units = (m > 0).sum(axis=1)
        return estimate, np.sqrt(units / (units - 1) * variance), units - 1.0
    return estimate, np.sqrt(variance), trace**2 / square


def diagnosed(estimate, se, df, effect: float) -> dict[str, dict[str, float]]:
    known = se > 0
    p = np.ones(len(se))
    p[known] = 2 * stats.t.sf(np.abs(estimate[known] / se[known]), df[known])
    half = stats.t.isf(ALPHA / 2, df) * se
    return {
        "power": share(p <= ALPHA),
        "bias": average(estimate - effect),
        "mean_std_error": average(se),
        "coverage": share(np.abs(estimate - effect) <= half),
    }, p <= ALPHA


def several(rng, outcome, counts, effects, kind, n) -> dict:
    """A trial of three arms: each against the first, any and all; without effects any."""
    found = {}
    for name, given in (("with", effects), ("without", [0.0] * len(effects))):
        arms = draw(rng, n, counts)
        shift = np.concatenate([[0.0], given])[arms]
        totals, m = outcome(rng, shift)
        each = [compare(arms, totals, m, arm, kind) for arm in range(1, len(counts))]
        said = [diagnosed(*one, effect) for one, effect in zip(each, given, strict=True)]
        rejects = np.column_stack([reject for _, reject in said])
        if name == "with":
            found["arms"] = [diagnosis for diagnosis, _ in said]
            found["power_any"] = share(rejects.any(axis=1))
            found["power_all"] = share(rejects.all(axis=1))
        else:
            found["size_any"] = share(rejects.any(axis=1))
            for diagnosis, reject in zip(found["arms"], rejects.T, strict=True):
                diagnosis["size"] = share(reject)
    return found


def normal(families, icc, lost=0.0):
    def outcome(rng, shift):
        row = rows_of(families)
        n = len(shift)
        shared = np.sqrt(icc) * rng.standard_normal((n, len(families)))
        y = (shift + shared)[:, row] + np.sqrt(1 - icc) * rng.standard_normal((n, len(row)))
        return sums(y, rng.random(y.shape) >= lost, families)

    return outcome


def beta_binomial(families, baseline, icc, lost=0.0):
    def outcome(rng, shift):
        p, row = baseline + shift, rows_of(families)
        rate = rng.beta(p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc)[:, row]
        y = (rng.random(rate.shape) < rate).astype(float)
        return sums(y, rng.random(y.shape) >= lost, families)

    return outcome


def log_rank(time, event, z) -> np.ndarray:
    """Z of the log-rank test of many trials of individuals, without ties."""
    order = np.argsort(time, axis=1)
    d = np.take_along_axis(event, order, axis=1)
    z = np.take_along_axis(z, order, axis=1)
    n = time.shape[1]
    at_risk = np.arange(n, 0, -1)
    treated = z[:, ::-1].cumsum(axis=1)[:, ::-1]
    share_treated = treated / at_risk
    observed = (d * (z - share_treated)).sum(axis=1)
    return observed / np.sqrt((d * share_treated * (1 - share_treated)).sum(axis=1))


def survived(rng, counts, baseline, ratios, n) -> dict:
    """Three arms of individuals followed to the end of the study: each against the first by the log-rank test."""
    rejects = {}
    for name, given in (("with", ratios), ("without", [1.0] * len(ratios))):
        arms = np.tile(np.repeat(np.arange(len(counts)), counts), (n, 1))
        hazard = -np.log(1 - baseline) * np.concatenate([[1.0], given])[arms]
        time = rng.exponential(1 / hazard)
        event = (time <= 1).astype(float)
        time = np.minimum(time, 1) + 1e-9 * rng.random(time.shape) * (time > 1)
        z = []
        for arm in range(1, len(counts)):
            both = (arms[0] == 0) | (arms[0] == arm)
            z.append(log_rank(time[:, both], event[:, both], (arms[:, both] == arm).astype(float)))
        rejects[name] = 2 * stats.norm.sf(np.abs(np.column_stack(z))) <= ALPHA
    return {
        "arms": [
            {"power": share(a), "size": share(b)}
            for a, b in zip(rejects["with"].T, rejects["without"].T, strict=True)
        ],
        "power_any": share(rejects["with"].any(axis=1)),
        "power_all": share(rejects["with"].all(axis=1)),
        "size_any": share(rejects["without"].any(axis=1)),
    }


def two(rng, outcome, treated, effect, kind, n) -> dict:
    """A trial of two arms."""
    counts = [len(FAMILIES) - treated, treated]
    found = several(rng, outcome, counts, [effect], kind, n)
    return found["arms"][0]


def closed_form(rng, effect: float, n: int) -> dict:
    """132 families at 2:1: how often is the difference beyond 1.96 errors that are known, and that are estimated?"""
    icc, base = 0.36, 0.226
    rejects = {"known": [], "estimated": [], "estimate": []}
    for _ in range(0, n, 20_000):
        arms = draw(rng, 20_000, [44, 88])
        totals, m = beta_binomial(FAMILIES, base, icc)(rng, np.array([0.0, effect])[arms])
        estimate, se, _ = compare(arms, totals, m, 1, "CR1")
        variance = 0.0
        for a, p in ((0, base), (1, base + effect)):
            own = arms == a
            within = m * (1 + (m - 1) * icc) * p * (1 - p)
            variance = variance + (own * within).sum(axis=1) / (own * m).sum(axis=1) ** 2
        rejects["known"].append(np.abs(estimate) > stats.norm.isf(0.025) * np.sqrt(variance))
        rejects["estimated"].append(2 * stats.t.sf(np.abs(estimate / se), 131) <= ALPHA)
        rejects["estimate"].append(estimate)
    estimate = np.concatenate(rejects.pop("estimate"))
    return {
        "effect": effect,
        "sd": float(estimate.std(ddof=1)),
        **{name: share(np.concatenate(found)) for name, found in rejects.items()},
    }


def main() -> None:
    rng = np.random.default_rng(20261)
    n = 20_000
    sixty = np.tile([1, 2, 3, 4, 5], 12)
    cases = [
        {
            "name": "60 families, three arms, scores, CR2",
            "sizes": sixty.tolist(), "ratio": [1, 1, 1], "vcov": "CR2", "model": "linear",
            "outcome": {"name": "continuous", "icc": 0.3}, "effects": [0.5, 0.8],
            "found": several(rng, normal(sixty, 0.3), [20, 20, 20], [0.5, 0.8], "CR2", n),
        },
        {
            "name": "132 families, three arms at 2:1:1, 0 or 1, CR1",
            "sizes": FAMILIES.tolist(), "ratio": [2, 1, 1], "vcov": "CR1", "model": "linear",
            "outcome": {"name": "binary", "baseline": 0.226, "icc": 0.36}, "effects": [0.25, 0.1],
            "found": several(rng, beta_binomial(FAMILIES, 0.226, 0.36), [66, 33, 33], [0.25, 0.1], "CR1", n),
        },
        {
            "name": "60 families, three arms, scores, a quarter lost, CR2",
            "sizes": sixty.tolist(), "ratio": [1, 1, 1], "vcov": "CR2", "model": "linear",
            "outcome": {"name": "continuous", "icc": 0.3, "dropout": 0.25}, "effects": [0.5, -0.8],
            "found": several(rng, normal(sixty, 0.3, 0.25), [20, 20, 20], [0.5, -0.8], "CR2", n),
        },
        {
            "name": "240 individuals, three arms, times, log-rank",
            "sizes": [1] * 240, "ratio": [1, 1, 1], "vcov": "iid", "model": "log_rank",
            "outcome": {"name": "survival", "baseline": 0.6}, "effects": [1.7, 1.3],
            "found": survived(rng, [80, 80, 80], 0.6, [1.7, 1.3], n),
        },
    ]  # fmt: skip
    lost = [
        {
            "name": f"132 families at 2:1, 0 or 1, a fifth lost, {kind}",
            "sizes": FAMILIES.tolist(), "vcov": kind, "effect": 0.2,
            "outcome": {"name": "binary", "baseline": 0.226, "icc": 0.36, "dropout": 0.2},
            "found": two(rng, beta_binomial(FAMILIES, 0.226, 0.36, 0.2), 88, 0.2, kind, n),
        }
        for kind in ("CR1", "CR2")
    ]  # fmt: skip
    written = {
        "metadata": {
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "seed": 20261,
            "trials": n,
        },
        "families": FAMILIES.tolist(),
        "arms": cases,
        "lost": lost,
        "closed_form": [closed_form(rng, effect, 200_000) for effect in (0.2, 0.21)],
    }
    path = Path("tests/reference/expected/simulate_arms.json")
    path.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()

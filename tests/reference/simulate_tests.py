"""Trials analysed by tests: randomisation tests, ranks, rates; simulated in numpy and scipy alone.

Nothing of crewe is imported. Run from the root of the repository:
python tests/reference/simulate_tests.py (numpy, scipy). Writes tests/reference/expected/simulate_tests.json.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

ALPHA = 0.05
TRIALS = 6_000
DRAWS = 199


def share(x: np.ndarray) -> dict[str, float]:
    return {
        "value": float(np.mean(x)),
        "std_error": float(np.sqrt(np.mean(x) * (1 - np.mean(x)) / len(x))),
    }


def average(x: np.ndarray) -> dict[str, float]:
    return {"value": float(np.mean(x)), "std_error": float(np.std(x, ddof=1) / np.sqrt(len(x)))}


def arms_of(rng: np.random.Generator, n: int, counts: list[int]) -> np.ndarray:
    return rng.permuted(np.tile(np.repeat([0.0, 1.0], counts), (n, 1)), axis=1)


def by_family(y: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.add.reduceat(y, np.concatenate([[0], np.cumsum(sizes)[:-1]]), axis=-1)


def scores(rng, z, sizes, icc, effect, x=0.0) -> np.ndarray:
    """A trial's outcomes by member, normal, with an effect on the families of z and a covariate's part."""
    row = np.repeat(np.arange(len(sizes)), sizes)
    shared = np.sqrt(icc) * rng.standard_normal(len(sizes))
    return (effect * z + shared + x)[row] + np.sqrt(1 - icc) * rng.standard_normal(len(row))


def closed(rng, z, sizes, icc, base, effect) -> np.ndarray:
    """0 or 1, with a family's own rate from a beta distribution."""
    p = base + effect * z
    rate = p if icc == 0 else rng.beta(p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc)
    return (rng.random(sizes.sum()) < np.repeat(rate, sizes)).astype(float)


def two_sided(observed: float, values: np.ndarray) -> float:
    """Draws beside the trial itself; rounding breaks no tie."""
    near = 1e-9 * max(abs(observed), values.std())
    n = len(values)
    upper = (1 + (values >= observed - near).sum()) / (1 + n)
    lower = (1 + (values <= observed + near).sum()) / (1 + n)
    return min(1.0, 2 * min(upper, lower))


def difference(z: np.ndarray, totals: np.ndarray, m: np.ndarray) -> np.ndarray:
    return z @ totals / (z @ m) - (1 - z) @ totals / ((1 - z) @ m)


def studentised(z: np.ndarray, y: np.ndarray, x: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The score of z in a linear model of x, over its cluster-robust error under the model without z."""
    row = np.repeat(np.arange(len(sizes)), sizes)
    columns = np.column_stack([np.ones(len(row)), x[row]])
    q, _ = np.linalg.qr(columns)
    e = y - q @ (q.T @ y)
    rows = z[:, row]
    left = rows - (rows @ q) @ q.T
    parts = by_family(left * e, sizes)
    g = len(sizes)
    return parts.sum(axis=1) / np.sqrt(g / (g - 1) * (parts**2).sum(axis=1))


def randomised(rng, sizes, counts, icc, effect, statistic) -> dict:
    sizes = np.asarray(sizes)
    x = np.linspace(-1, 1, len(sizes))
    found = {}
    for name, given in (("power", effect), ("size", 0.0)):
        p = np.empty(TRIALS)
        for i in range(TRIALS):
            z = arms_of(rng, DRAWS + 1, counts)
            y = scores(rng, z[0], sizes, icc, given, x if statistic == "coefficient" else 0.0)
            if statistic == "coefficient":
                values = studentised(z, y, x, sizes)
            else:
                values = difference(z, by_family(y, sizes), sizes)
            p[i] = two_sided(values[0], values[1:])
        found[name] = share(p <= ALPHA)
    return found


def ranked(rng, sizes, counts, icc, effect, exact) -> dict:
    """Mann-Whitney of the families' means."""
    sizes = np.asarray(sizes)
    found = {}
    for name, given in (("power", effect), ("size", 0.0)):
        p = np.empty(TRIALS)
        for i in range(TRIALS):
            z = arms_of(rng, 1, counts)[0]
            means = by_family(scores(rng, z, sizes, icc, given), sizes) / sizes
            method = "exact" if exact else "asymptotic"
            p[i] = stats.mannwhitneyu(means[z == 1], means[z == 0], method=method).pvalue
        found[name] = share(p <= ALPHA)
    return found


@cache
def fisher(a: int, n: int, b: int, m: int) -> float:
    return float(stats.fisher_exact([[a, n - a], [b, m - b]])[1])


def rates(rng, sizes, counts, icc, base, effect, compare) -> dict:
    """Fisher's test of individuals, or rates of families by their difference or the logarithm of their ratio, CR1."""
    sizes = np.asarray(sizes)
    found = {}
    for name, given in (("power", effect), ("size", 0.0)):
        p, estimate = np.empty(TRIALS), np.empty(TRIALS)
        for i in range(TRIALS):
            z = arms_of(rng, 1, counts)[0]
            y = by_family(closed(rng, z, sizes, icc, base, given), sizes)
            rate, variance = np.empty(2), np.empty(2)
            for arm in (0, 1):
                own = z == arm
                n = sizes[own].sum()
                rate[arm] = y[own].sum() / n
                variance[arm] = ((y[own] - sizes[own] * rate[arm]) ** 2).sum() / n**2
            if compare == "fisher":
                a, b = (int(y[z == arm].sum()) for arm in (1, 0))
                p[i], estimate[i] = fisher(a, counts[1], b, counts[0]), rate[1] - rate[0]
                continue
            g = len(sizes)
            slopes = rate if compare == "ratio" else np.ones(2)
            error = np.sqrt(g / (g - 1) * (variance / slopes**2).sum())
            estimate[i] = np.log(rate[1] / rate[0]) if compare == "ratio" else rate[1] - rate[0]
            p[i] = 2 * stats.t.sf(abs(estimate[i] / error), g - 1)
        found[name] = share(p <= ALPHA)
        if name == "power":
            truth = np.log((base + given) / base) if compare == "ratio" else given
            found["bias"] = average(estimate - truth)
    return found


def main() -> None:
    rng = np.random.default_rng(20262)
    threes, uneven = [3] * 20, [1, 2, 3, 4] * 6
    cases = [
        {
            "name": "20 families, difference in means", "sizes": threes, "counts": [10, 10],
            "analysis": "randomisation_test", "statistic": "difference_in_means",
            "outcome": {"icc": 0.2, "effect": 0.8},
            "found": randomised(rng, threes, [10, 10], 0.2, 0.8, "difference_in_means"),
        },
        {
            "name": "24 families at 2:1, coefficient beside a covariate", "sizes": uneven,
            "counts": [8, 16], "analysis": "randomisation_test", "statistic": "coefficient",
            "outcome": {"icc": 0.1, "effect": 0.7},
            "found": randomised(rng, uneven, [8, 16], 0.1, 0.7, "coefficient"),
        },
        {
            "name": "24 families, ranks of means, exact", "sizes": uneven, "counts": [12, 12],
            "analysis": "mann_whitney", "exact": True, "outcome": {"icc": 0.2, "effect": 0.8},
            "found": ranked(rng, uneven, [12, 12], 0.2, 0.8, True),
        },
        {
            "name": "24 families, ranks of means, asymptotic", "sizes": uneven, "counts": [8, 16],
            "analysis": "mann_whitney", "exact": False, "outcome": {"icc": 0.2, "effect": 0.8},
            "found": ranked(rng, uneven, [8, 16], 0.2, 0.8, False),
        },
        {
            "name": "90 individuals, Fisher", "sizes": [1] * 90, "counts": [30, 60],
            "analysis": "rates", "compare": "difference",
            "outcome": {"icc": 0.0, "baseline": 0.25, "effect": 0.3},
            "found": rates(rng, [1] * 90, [30, 60], 0.0, 0.25, 0.3, "fisher"),
        },
        {
            "name": "60 families, difference of rates, CR1", "sizes": [1, 2, 3, 4] * 15,
            "counts": [30, 30], "analysis": "rates", "compare": "difference", "vcov": "CR1",
            "outcome": {"icc": 0.3, "baseline": 0.3, "effect": 0.25},
            "found": rates(rng, [1, 2, 3, 4] * 15, [30, 30], 0.3, 0.3, 0.25, "difference"),
        },
        {
            "name": "60 families, ratio of rates, CR1", "sizes": [1, 2, 3, 4] * 15,
            "counts": [30, 30], "analysis": "rates", "compare": "ratio", "vcov": "CR1",
            "outcome": {"icc": 0.3, "baseline": 0.3, "effect": 0.25},
            "found": rates(rng, [1, 2, 3, 4] * 15, [30, 30], 0.3, 0.3, 0.25, "ratio"),
        },
    ]  # fmt: skip
    written = {
        "metadata": {
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "seed": 20262,
            "trials": TRIALS,
            "draws": DRAWS,
        },
        "cases": cases,
    }
    path = Path("tests/reference/expected/simulate_tests.json")
    path.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()

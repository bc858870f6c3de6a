"""Trials with covariates that explain a stated share, and with a subgroup of its own effect, simulated in numpy alone.

Nothing of crewe is imported. Run from the root of the repository: python tests/reference/simulate_beside.py (numpy,
scipy). Writes tests/reference/expected/simulate_beside.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import integrate, optimize, stats

SIZES = np.tile([1, 2, 3, 4, 5], 12)  # 60 families, 180 children
ROW = np.repeat(np.arange(60), SIZES)
STARTS = np.concatenate([[0], np.cumsum(SIZES)[:-1]])
ALPHA = 0.05
N, BATCH = 8_000, 500


def share(x: np.ndarray) -> dict[str, float]:
    return {
        "value": float(x.mean()),
        "std_error": float(np.sqrt(x.mean() * (1 - x.mean()) / len(x))),
    }


def average(x: np.ndarray) -> dict[str, float]:
    return {"value": float(x.mean()), "std_error": float(x.std(ddof=1) / np.sqrt(len(x)))}


def least_squares(x: np.ndarray, y: np.ndarray, keep: np.ndarray):
    """The last coefficient of many regressions, with CR1 by family over the rows that are kept."""
    x, y = x * keep[..., None], y * keep
    bread = np.linalg.inv(np.einsum("nij,nik->njk", x, x))
    coef = np.einsum("njk,nik,ni->nj", bread, x, y)
    residual = y - np.einsum("nij,nj->ni", x, coef)
    scores = np.add.reduceat(x * residual[..., None], STARTS, axis=1)
    families = (np.add.reduceat(keep, STARTS, axis=1) > 0).sum(axis=1)
    influence = np.einsum("nk,ngk->ng", bread[:, -1], scores)
    variance = families / (families - 1) * (influence**2).sum(axis=1)
    return coef[:, -1], np.sqrt(variance), families - 1.0


def latent(p: float, icc: float) -> float:
    """The correlation of normal scores whose being above a threshold has correlation icc."""
    h = stats.norm.isf(p)

    def observed(r: float) -> float:
        both, _ = integrate.quad(
            lambda u: stats.norm.pdf(u) * stats.norm.sf((h - np.sqrt(r) * u) / np.sqrt(1 - r)) ** 2,
            -9,
            9,
        )
        return (both - p**2) / (p * (1 - p))

    return float(optimize.brentq(lambda r: observed(r) - icc, 1e-6, 0.999))


def scores(rng, n: int, icc: float, between: float, within: float):
    """Normal scores with a covariate of families and one of members that explain these shares of their level."""
    of_family, of_member = rng.standard_normal((n, 60)), rng.standard_normal((n, len(ROW)))
    family = np.sqrt(between) * of_family + np.sqrt(1 - between) * rng.standard_normal((n, 60))
    member = np.sqrt(within) * of_member + np.sqrt(1 - within) * rng.standard_normal((n, len(ROW)))
    return np.sqrt(icc) * family[:, ROW] + np.sqrt(1 - icc) * member, of_family[:, ROW], of_member


def arms(rng, n: int) -> np.ndarray:
    return rng.permuted(np.tile(np.repeat([0.0, 1.0], 30), (n, 1)), axis=1)[:, ROW]


def stacked(*columns: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(columns[0]), *columns], axis=-1)


def study(one, truth: float) -> dict:
    """Many trials with the effects and without them."""
    found: dict[str, dict[str, float]] = {}
    for effect in (1.0, 0.0):
        parts = [one(effect) for _ in range(0, N, BATCH)]
        estimate, se, df = (np.concatenate(part) for part in zip(*parts, strict=True))
        reject = 2 * stats.t.sf(np.abs(estimate / se), df) <= ALPHA
        if effect == 0.0:
            found["size"] = share(reject)
            continue
        covers = np.abs(estimate - truth) <= stats.t.isf(ALPHA / 2, df) * se
        found.update(
            power=share(reject),
            bias=average(estimate - truth),
            mean_std_error=average(se),
            coverage=share(covers),
        )
    return found


def main() -> None:
    rng = np.random.default_rng(20262)
    everybody = np.ones((BATCH, len(ROW)))
    cases = []

    def covariates(name, icc, between, within, effect, adjust, baseline=None):
        r = icc if baseline is None else latent(baseline, icc)

        def one(scale):
            z = arms(rng, BATCH)
            y, of_family, of_member = scores(rng, BATCH, r, between, within)
            if baseline is None:
                y = y + scale * effect * z
            else:
                y = (y > stats.norm.isf(baseline + scale * effect * z)).astype(float)
            columns = [of_family, of_member] if adjust else []
            return least_squares(stacked(*columns, z), y, everybody)

        kind = "continuous" if baseline is None else "binary"
        outcome = {"name": kind, "icc": icc, "effect": effect}
        if baseline is not None:
            outcome |= {"baseline": baseline, "sharing": "latent_normal"}
        cases.append({
            "name": name, "outcome": outcome, "r2": [between, within], "adjusted": adjust,
            "found": study(one, effect),
        })  # fmt: skip

    for adjust in (True, False):
        words = "adjusted" if adjust else "not adjusted"
        covariates(f"scores, R2 .5 and .4, {words}", 0.3, 0.5, 0.4, 0.4, adjust)
    covariates("0 or 1, R2 .6 and .3 on the normal scale, adjusted", 0.2, 0.6, 0.3, 0.2, True, 0.3)

    def subgroup(name, target, level, others, own, part=0.4):
        def one(scale):
            z = arms(rng, BATCH)
            if level == "cluster":
                inside = (rng.random((BATCH, 60)) < part).astype(float)[:, ROW]
            else:
                inside = (rng.random((BATCH, len(ROW))) < part).astype(float)
            y, _, _ = scores(rng, BATCH, 0.2, 0.0, 0.0)
            y = y + scale * z * (others + (own - others) * inside)
            if target == "subgroup":
                return least_squares(stacked(z), y, inside)
            if target == "interaction":
                return least_squares(stacked(inside, z, z * inside), y, everybody)
            return least_squares(stacked(z), y, everybody)

        truth = {
            "all": part * own + (1 - part) * others,
            "subgroup": own,
            "interaction": own - others,
        }
        cases.append({
            "name": name, "target": target, "level": level, "share": part, "others": others, "own": own,
            "outcome": {"name": "continuous", "icc": 0.2}, "found": study(one, truth[target]),
        })  # fmt: skip

    for target in ("all", "subgroup", "interaction"):
        subgroup(f"subgroup of members, effect of {target}", target, "individual", 0.1, 0.7)
    subgroup("subgroup of families, interaction", "interaction", "cluster", 0.0, 0.8)

    written = {
        "metadata": {
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "seed": 20262,
            "trials": N,
        },
        "sizes": SIZES.tolist(),
        "cases": cases,
    }
    path = Path("tests/reference/expected/simulate_beside.json")
    path.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Small trials, their redraws, and what a loop over these counts: for tests of audits."""

from __future__ import annotations

import crewe as cw
import numpy as np
import pandas as pd
from crewe import _core

ALPHA = 0.05


def rows_of(clusters: int, seed: int, between: float = 1.0) -> pd.DataFrame:
    """Families of one to five, a covariate of rows and one of families, and outcomes of every kind."""
    rng = np.random.default_rng(seed)
    family = np.repeat(np.arange(clusters), rng.integers(1, 6, clusters))
    n = len(family)
    rows = pd.DataFrame({"family": family, "x": rng.normal(size=n)})
    rows["z"] = rng.integers(0, 3, clusters)[family].astype(float)
    rows["site"] = np.where(np.arange(clusters) < clusters // 2, "east", "west")[family]
    rows["score"] = rng.normal(size=n) + between * rng.normal(size=clusters)[family] + 0.3 * rows.x
    rows["closed"] = (rows.score > 0.1).astype(int)
    rows["days"] = np.round(rng.exponential(size=n) * 30) + 1
    rows["event"] = (rng.random(n) < 0.8).astype(int)
    return rows


def redrawn(trial: cw.Assignment, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The arms of every redraw, and weights where all are listed."""
    options = _core.RandomisationOptions(draws, seed, "two-sided", 0.95, False, "auto")
    found = _core.randomisation_redrawn(trial.design._core(), trial._core, options)
    return found.arm, found.weight


def with_arm(rows: pd.DataFrame, trial: cw.Assignment, drawn: np.ndarray) -> pd.DataFrame:
    """The rows with the arm that was drawn for their unit."""
    names = dict(zip(trial._labels, (trial.arms[code] for code in drawn), strict=True))
    arm = pd.Categorical(rows.family.astype(str).map(names), categories=trial.arms)
    return rows.assign(arm=arm)


def few(frame: pd.DataFrame, arms: list[str]) -> bool:
    """Whether an arm has fewer than two families."""
    return any(frame.loc[frame.arm == arm, "family"].nunique() < 2 for arm in arms)


def rejects(p: np.ndarray) -> np.ndarray:
    return p <= ALPHA * (1 + 1e-9)

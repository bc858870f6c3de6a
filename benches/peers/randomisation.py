"""10,000 draws of 132 families (326 children) at 2:1 in 4 strata with a difference in means, beside peers."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

DRAWS = 10_000
REPEATS = 15


def data() -> pd.DataFrame:
    family = np.arange(326) * 132 // 326
    score = (np.arange(326) * 7919) % 101 + family / 10
    return pd.DataFrame({"family": family, "site": family % 4, "score": score})


def by_numpy(frame: pd.DataFrame, treated: np.ndarray) -> tuple[float, np.ndarray]:
    """Clusters shuffled within strata by sorting uniform numbers, and sums by family: the usual hand-made test."""
    rng = np.random.default_rng(1)
    sums = np.bincount(frame["family"], frame["score"])
    sizes = np.bincount(frame["family"]).astype(float)
    site = np.arange(132) % 4
    z = np.empty((DRAWS, 132))
    for stratum in range(4):
        members = np.flatnonzero(site == stratum)
        ranks = rng.random((DRAWS, len(members))).argsort(axis=1)
        z[:, members] = ranks < len(members) * 2 // 3
    inside, n = z @ sums, z @ sizes
    values = inside / n - (sums.sum() - inside) / (sizes.sum() - n)
    t, m = treated @ sums, treated @ sizes
    observed = t / m - (sums.sum() - t) / (sizes.sum() - m)
    upper = (1 + (values >= observed).sum()) / (1 + DRAWS)
    lower = (1 + (values <= observed).sum()) / (1 + DRAWS)
    return min(1.0, 2 * min(upper, lower)), values


def median(call: Callable[[], object], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


R = """
frame <- read.csv("{path}")
unit <- frame[!duplicated(frame$family), ]
sums <- tapply(frame$score, frame$family, sum)
sizes <- tapply(frame$score, frame$family, length)
set.seed(1)
hand <- function() {{
  members <- split(seq_len(nrow(unit)), unit$site)
  replicate({draws}, {{
    z <- integer(nrow(unit))
    for (m in members) z[sample(m, 2 * length(m) / 3)] <- 1L
    sum(sums * z) / sum(sizes * z) - sum(sums * (1 - z)) / sum(sizes * (1 - z))
  }})
}}
times <- list(hand = median(replicate(3, system.time(hand())[["elapsed"]])))
if (requireNamespace("randomizr", quietly = TRUE)) {{
  library(randomizr)
  declared <- declare_ra(blocks = frame$site, clusters = frame$family, prob = 2/3)
  with_randomizr <- function() {{
    z <- obtain_permutation_matrix(declared, maximum_permutations = {draws})
    colSums(z * frame$score) / colSums(z) - colSums((1 - z) * frame$score) / colSums(1 - z)
  }}
  times$randomizr <- system.time(with_randomizr())[["elapsed"]]
  if (requireNamespace("ri2", quietly = TRUE)) {{
    frame$z <- conduct_ra(declared)
    times$ri2 <- system.time(ri2::conduct_ri(score ~ z, declaration = declared, assignment = "z", data = frame,
                                             sims = {draws}, progress_bar = FALSE))[["elapsed"]]
  }}
}}
cat(paste(names(times), unlist(times)), sep = "\\n")
"""


def main() -> dict[str, float]:
    import tempfile
    from pathlib import Path

    import crewe as cw

    frame = data()
    design = cw.Design(
        "bench", arms={"control": 1, "crewe": 2}, cluster="family", strata=["site"], seed=2017
    )
    trial = design.assign(frame)
    joined = trial.check(frame)
    arms = trial.clusters
    treated = np.array([float(arms[str(family)] == "crewe") for family in range(132)])
    core, units = design._core(), trial._units()
    score = frame["score"].to_numpy(dtype=float)

    def built_in(interval: bool) -> dict:
        return cw._core.randomisation_test(
            core, units, trial._arm, trial._probability, None, True, "score", score, joined.unit, None,
            "difference_in_means", False, None, "auto", DRAWS, 5, "two-sided", 0.95, interval,
        )  # fmt: skip

    p, values = by_numpy(frame, treated)
    ours = built_in(False)["comparisons"][0]
    # Two samples of the same distribution.
    assert abs(ours["p_value"] - p) < 0.03
    assert abs(ours["null_sd"] / values.std() - 1) < 0.05
    out = {
        "crewe": median(lambda: built_in(False)),
        "crewe with interval": median(lambda: built_in(True)),
        "crewe from a data frame, with interval": median(
            lambda: cw.randomisation_test("score ~ arm", frame, trial, draws=DRAWS)
        ),
        "numpy by hand": median(lambda: by_numpy(frame, treated), 5),
    }
    if shutil.which("Rscript"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data.csv"
            frame.to_csv(path, index=False)
            code = R.format(path=path, draws=DRAWS)
            done = subprocess.run(
                ["Rscript", "-e", code], capture_output=True, text=True, check=True
            )
        names = {"hand": "R by hand", "randomizr": "randomizr's draws in R", "ri2": "ri2"}
        for line in done.stdout.strip().splitlines():
            name, _, seconds = line.partition(" ")
            if name in names:
                out[names[name]] = float(seconds)
    return out


if __name__ == "__main__":
    json.dump(main(), sys.stdout)

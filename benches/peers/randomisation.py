"""Randomisation beside peers: many draws with a statistic, one large assignment, the search of a constrained design.

R's packages are timed where they are installed (randomizr, ri2, cvcrand are not in Debian).
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from crewe.frames.source import Source

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
cat(paste(names(times), unlist(times), sep = "\\t"), sep = "\\n")
"""

R_ASSIGN = """
if (requireNamespace("randomizr", quietly = TRUE)) {{
  frame <- read.csv("{path}", colClasses = "character")
  call <- function() randomizr::cluster_ra(clusters = frame$family)
  cat("randomizr\\t", median(replicate(3, system.time(call())[["elapsed"]])), "\\n", sep = "")
}}
"""

R_SEARCH = """
if (requireNamespace("cvcrand", quietly = TRUE)) {{
  frame <- read.csv("{path}")
  on <- c("location", "inciis", "uptodateonimmunizations", "hispanic", "incomecat")
  call <- function() suppressMessages(capture.output(cvcrand::cvrall(
    clustername = frame$county, balancemetric = "l2", x = frame[on], ntotal_cluster = 16, ntrt_cluster = 8,
    categorical = c("location", "incomecat"), cutoff = 0.1, seed = 12345)))
  cat("cvcrand\\t", median(replicate(3, system.time(call())[["elapsed"]])), "\\n", sep = "")
}}
"""


def in_r(code: str, frame: pd.DataFrame) -> dict[str, float]:
    """The seconds that an R script prints by name, nothing without R."""
    if not shutil.which("Rscript"):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        frame.to_csv(path, index=False)
        command = ["Rscript", "-e", code.format(path=path, draws=DRAWS)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    return {name: float(seconds) for name, seconds in rows}


def assign() -> dict[str, float]:
    """100,000 clusters in 300,000 rows, with text for identifiers."""
    import crewe as cw

    family = [f"F{i // 3:06}" for i in range(300_000)]
    frame = pd.DataFrame({"family": family})
    design = cw.Design("bench", arms={"control": 1, "crewe": 1}, cluster="family", seed=1)
    units = design.assign(frame)._units()
    core = design._core()
    return {
        "crewe": median(lambda: core.assign(units)),
        "crewe from a data frame": median(lambda: design.assign(frame), 5),
        **in_r(R_ASSIGN, frame),
    }


def search() -> dict[str, float]:
    """The 12,870 schemes of the Dickinson counties, 8 of 16."""
    import crewe as cw

    folder = os.environ.get("CREWE_REFERENCE_DATA")
    if not folder:
        return {}
    frame = pd.read_csv(Path(folder) / "dickinson_design.csv")
    on = ["location", "inciis", "uptodateonimmunizations", "hispanic", "incomecat"]
    design = cw.Design(
        "bench", arms={"a": 1, "b": 1}, unit="county", method=cw.Constrained(on=on), seed=1
    )
    found = design.constrained(frame)
    assert (found.candidates, found.accepted) == (12_870, 1_288)
    units, core = design._units(Source(frame)), design._core()
    return {
        "crewe": median(lambda: core.assign(units)),
        "crewe, with every pair's share, from a data frame": median(
            lambda: design.constrained(frame)
        ),
        **in_r(R_SEARCH, frame),
    }


def test() -> dict[str, float]:
    """10,000 draws of 132 families (326 children) at 2:1 in 4 strata with a difference in means."""
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

    def built_in(interval: bool) -> cw._core.RandomisationTest:
        return cw._core.randomisation_test(
            core,
            trial._core,
            cw._core.Outcomes("score", score, joined.unit, units, None),
            cw._core.Statistic("difference_in_means", False, None),
            cw._core.RandomisationOptions(DRAWS, 5, "two-sided", 0.95, interval, "auto"),
        )

    p, values = by_numpy(frame, treated)
    ours = built_in(False).comparisons[0]
    # Two samples of the same distribution.
    assert abs(ours.p_value - p) < 0.03
    assert abs(ours.null_sd / values.std() - 1) < 0.05
    out = {
        "crewe": median(lambda: built_in(False)),
        "crewe with interval": median(lambda: built_in(True)),
        "crewe from a data frame, with interval": median(
            lambda: cw.randomisation_test("score ~ arm", frame, trial, draws=DRAWS)
        ),
        "numpy by hand": median(lambda: by_numpy(frame, treated), 5),
    }
    names = {"hand": "R by hand", "randomizr": "randomizr's draws in R", "ri2": "ri2"}
    return out | {names[name]: seconds for name, seconds in in_r(R, frame).items()}


if __name__ == "__main__":
    json.dump({"test": test, "assign": assign, "search": search}[sys.argv[1]](), sys.stdout)

"""What a user waits for from a data frame: a fit, a margin, an assignment, the import, and large frames beside arrays.

Run on a release build: `make bench-frames` writes the table to docs/benchmarks-frames.md.
"""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl

RNG = np.random.default_rng(2017)


def medians(calls: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Median seconds of each call, after two rounds that do not count.

    The calls take turns, so that whatever else the machine does falls on all of them.
    """
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 2):
        for call, taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            if turn > 1:
                taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def median(call: Callable[[], object], repeats: int) -> float:
    """Median seconds of a call, after two that do not count."""
    return medians([call], repeats)[0]


def small() -> list[tuple[str, float, str]]:
    """408 rows of 132 families."""
    family = np.sort(RNG.integers(0, 132, 408))
    d = pd.DataFrame(
        {
            "closed": RNG.integers(0, 2, 408).astype(float),
            "arm": np.where(RNG.permutation(np.arange(132) % 3 > 0)[family], "crewe", "control"),
            "gender": RNG.choice(["m", "f"], 408),
            "history": RNG.integers(0, 2, 132)[family],
            "family_id": family,
        }
    )
    p = pl.from_pandas(d)
    text = "closed ~ arm + gender + history"
    fit = cw.ols(text, d, cluster="family_id")
    return [
        (
            "OLS with CR2, pandas",
            median(lambda: cw.ols(text, d, cluster="family_id"), 200),
            "1.5 ms",
        ),
        (
            "OLS with CR2, polars",
            median(lambda: cw.ols(text, p, cluster="family_id"), 200),
            "1.5 ms",
        ),
        ("its margins of the arm", median(lambda: fit.margins("arm"), 200), "0.5 ms"),
    ]


def assignment() -> list[tuple[str, float, str]]:
    """100,000 clusters in 300,000 rows."""
    ids = RNG.permutation(np.repeat(np.arange(100_000), 3))
    numbers = pd.DataFrame({"id": ids})
    words = pd.DataFrame({"id": [f"F{i}" for i in ids]})
    in_polars = pl.from_pandas(words)
    design = cw.Design("t", arms={"a": 1, "b": 2}, cluster="id", seed=1)
    return [
        ("assignment, whole numbers", median(lambda: design.assign(numbers), 7), "40 ms"),
        ("assignment, text", median(lambda: design.assign(words), 7), "40 ms"),
        (
            "assignment, text, polars",
            median(lambda: design.assign(in_polars), 7),
            "40 ms",
        ),
    ]


def imports() -> list[tuple[str, float, str]]:
    """What `import crewe` adds to `import pandas`, each in a new process."""
    code = (
        "import time, pandas; start = time.perf_counter(); import crewe; crewe.ols, crewe.Design; "
        "print(time.perf_counter() - start)"
    )
    bare = code.replace("crewe.ols, crewe.Design; ", "")
    seconds = {}
    for name, text in (
        ("import crewe, above import pandas", bare),
        ("the same with ols and Design", code),
    ):
        runs = [
            float(
                subprocess.run(
                    [sys.executable, "-c", text], capture_output=True, text=True, check=True
                ).stdout
            )
            for _ in range(7)
        ]
        seconds[name] = statistics.median(runs)
    return [(name, value, "100 ms") for name, value in seconds.items()]


def large() -> list[tuple[str, float, str]]:
    """1,000,000 rows, 10 covariates: frames beside arrays."""
    n = 1_000_000
    x = RNG.standard_normal((n, 9))
    arm = RNG.integers(0, 2, n)
    eta = 0.3 * x[:, 0] - 0.2 * arm
    d = pd.DataFrame({f"x{i}": x[:, i] for i in range(9)})
    d["arm"] = np.where(arm == 1, "crewe", "control")
    d["y"] = eta + RNG.standard_normal(n)
    d["b"] = (RNG.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    d["t"] = RNG.exponential(np.exp(-eta))
    d["e"] = (RNG.random(n) < 0.7).astype(float)
    p = pl.from_pandas(d)
    matrix = np.column_stack([arm, x]).astype(float)
    right = "arm + " + " + ".join(f"x{i}" for i in range(9))
    y, b, surv = d["y"].to_numpy(), d["b"].to_numpy(), cw.Surv(d["t"].to_numpy(), d["e"].to_numpy())
    models: dict[str, tuple[Callable[[], object], Callable[[object], object], str]] = {
        "OLS": (lambda: cw.ols(y, matrix), lambda q: cw.ols(f"y ~ {right}", q), "2 x"),
        "logit": (lambda: cw.logit(b, matrix), lambda q: cw.logit(f"b ~ {right}", q), "1.5 x"),
        "Cox": (
            lambda: cw.coxph(surv, matrix),
            lambda q: cw.coxph(f"Surv(t, e) ~ {right}", q),
            "1.5 x",
        ),
    }
    rows = []
    for name, (arrays, frame, bar) in models.items():
        base, *frames = medians([arrays, partial(frame, d), partial(frame, p)], 5)
        rows.append((f"{name}, 1e6 rows, arrays", base, ""))
        for kind, took in zip(("pandas", "polars"), frames, strict=True):
            rows.append((f"{name}, 1e6 rows, {kind} ({took / base:.2f} x)", took, bar))
    return rows


def main() -> None:
    """Print the table."""
    print("# Benchmarks from a data frame\n")
    print(
        f"{datetime.date.today():%d %B %Y}, {platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
        f"Python {platform.python_version()}, pandas {pd.__version__}, polars {pl.__version__}, "
        f"crewe {cw.__version__}; medians of one run of `make bench-frames`.\n"
    )
    print("| | time | bar |\n|---|---:|---:|")
    for part in (small, assignment, imports, large):
        for name, seconds, bar in part():
            print(f"| {name} | {1e3 * seconds:,.2f} ms | {bar} |", flush=True)


if __name__ == "__main__":
    main()

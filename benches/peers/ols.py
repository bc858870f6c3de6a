"""OLS beside numpy's own normal equations, statsmodels and R's estimatr."""

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

ONE_THREAD = {
    "RAYON_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
REPEATS = 7


def data(n: int, size: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten covariates, the first an arm by cluster of `size` rows, an outcome, the clusters."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 10))
    codes = np.arange(n) // size
    x[:, 0] = codes % 3 // 2
    y = x.sum(axis=1)
    y += rng.standard_normal(n)
    return y, x, codes


def numpy_hc1(y: np.ndarray, design: np.ndarray) -> np.ndarray:
    bread = np.linalg.inv(design.T @ design)
    e = y - design @ (bread @ (design.T @ y))
    scores = design * e[:, None]
    n, k = design.shape
    return np.sqrt(np.diag(bread @ (scores.T @ scores) @ bread) * n / (n - k))


def numpy_cr1s(y: np.ndarray, design: np.ndarray, codes: np.ndarray) -> np.ndarray:
    bread = np.linalg.inv(design.T @ design)
    e = y - design @ (bread @ (design.T @ y))
    n, k = design.shape
    groups = int(codes.max()) + 1
    sums = np.column_stack(
        [np.bincount(codes, design[:, j] * e, minlength=groups) for j in range(k)]
    )
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    return np.sqrt(np.diag(bread @ (sums.T @ sums) @ bread) * factor)


def interleaved(calls: dict[str, Callable[[], np.ndarray]], tolerance: float) -> dict[str, float]:
    """Median seconds of each call, taken in turn; their answers must agree."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(REPEATS):
        answers = []
        for name, call in calls.items():
            start = time.perf_counter()
            answers.append(call())
            times[name].append(time.perf_counter() - start)
        for answer in answers[1:]:
            np.testing.assert_allclose(answer, answers[0], rtol=tolerance)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def large() -> dict[str, dict[str, float]]:
    """1e6 rows x 10 from arrays: HC1 and CR1S in each package."""
    import crewe as cw
    import statsmodels.api as sm

    y, x, codes = data(1_000_000, 100)
    # The floor gets its design ready made, the constant included.
    design = np.column_stack([np.ones(len(y)), x])
    cluster = {"groups": codes}
    return {
        "HC1": interleaved(
            {
                "crewe": lambda: cw.ols(y, x, vcov="HC1").se.to_numpy(),
                "numpy": lambda: numpy_hc1(y, design),
                "statsmodels": lambda: sm.OLS(y, design).fit(cov_type="HC1").bse,
            },
            1e-8,
        ),
        "CR1S": interleaved(
            {
                "crewe": lambda: cw.ols(y, x, cluster=codes, vcov="CR1S").se.to_numpy(),
                "numpy": lambda: numpy_cr1s(y, design, codes),
                "statsmodels": lambda: (
                    sm.OLS(y, design).fit(cov_type="cluster", cov_kwds=cluster).bse
                ),
            },
            1e-8,
        ),
    }


def _peak() -> float:
    status = Path("/proc/self/status").read_text("utf-8")
    return float(status.split("VmHWM:")[1].split()[0]) / 1024**2


def memory() -> dict[str, float]:
    """Peak gigabytes beyond the input, 1e7 rows x 10, HC1."""
    import crewe as cw

    rng = np.random.default_rng(1)
    x = np.empty((10_000_000, 10))
    for row in range(0, len(x), 1_000_000):
        x[row : row + 1_000_000] = rng.standard_normal((1_000_000, 10))
    y = x[:, 0] + rng.standard_normal(len(x))
    before = _peak()
    start = time.perf_counter()
    cw.ols(y, x, vcov="HC1")
    return {"seconds": time.perf_counter() - start, "beyond_gb": _peak() - before}


def cr2() -> dict[str, float]:
    """CR2 with Satterthwaite df, 5,000 clusters of 20 rows."""
    import crewe as cw

    y, x, codes = data(100_000, 20)
    out: dict[str, float] = {}
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        fit = cw.ols(y, x, cluster=codes, vcov="CR2")
        times.append(time.perf_counter() - start)
    out["crewe"] = statistics.median(times)
    if shutil.which("Rscript") is None:
        return out
    with tempfile.TemporaryDirectory() as folder:
        table = np.column_stack([y, x, codes])
        names = ["y", *[f"x{j + 1}" for j in range(10)], "g"]
        path = Path(folder) / "data.bin"
        table.T.astype("<f8").tofile(path)
        script = f"""
        d <- as.data.frame(matrix(readBin("{path}", "double", {table.size}), nrow = {len(y)}))
        names(d) <- c({", ".join(repr(n) for n in names)})
        suppressMessages(library(estimatr))
        f <- reformulate(paste0("x", 1:10), "y")
        s <- system.time(m <- lm_robust(f, d, clusters = g, se_type = "CR2"))[["elapsed"]]
        cat(s, format(m$std.error[2], digits = 17), format(m$df[2], digits = 17))
        """
        answer = subprocess.run(
            ["Rscript", "-e", script], capture_output=True, text=True, check=True
        )
    seconds, error, df = map(float, answer.stdout.split())
    np.testing.assert_allclose(fit.se.iloc[1], error, rtol=1e-8)
    np.testing.assert_allclose(fit.df.iloc[1], df, rtol=1e-6)
    out["estimatr"] = seconds
    return out


PARTS = {"large": large, "memory": memory, "cr2": cr2}


def run(
    part: str, script: str = __file__, python: str = sys.executable, *, one_thread: bool = True
) -> dict:
    """One part in a process of its own, on one thread or all."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    done = subprocess.run(
        [python, script, part],
        env=environment | (ONE_THREAD if one_thread else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]]()))

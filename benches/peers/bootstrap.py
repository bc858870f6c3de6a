"""The wild cluster bootstrap beside wildboottest, where it is installed: 9,999 Rademacher draws, ten covariates, WCR 11.

wildboottest gives p-values alone, so that crewe is timed without its interval too.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable

import crewe as cw
import numpy as np
import pandas as pd

DRAWS = 9_999
REPEATS = 5
SIZES = {"326 children of 132 families": (326, 132), "1,000 clusters of 20 rows": (20_000, 1_000)}
COLUMNS = [f"x{j}" for j in range(10)]


def data(rows: int, clusters: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    cluster = np.arange(rows) * clusters // rows
    frame = pd.DataFrame(rng.normal(size=(rows, 10)), columns=COLUMNS)
    frame["x0"] = (cluster % 2).astype(float)
    frame["cluster"] = cluster
    frame["y"] = rng.normal(size=rows) + rng.normal(size=clusters)[cluster]
    return frame


def median(call: Callable[[], object]) -> float:
    call()  # wildboottest compiles itself at its first call
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def wild(rows: int, clusters: int) -> dict[str, float]:
    frame = data(rows, clusters)
    fit = cw.ols("y ~ " + " + ".join(COLUMNS), frame, cluster="cluster")

    def ours(interval: bool) -> cw.WildBootstrap:
        return cw.wild_bootstrap(fit, "x0", DRAWS, 1, kind="11", interval=interval)

    seconds = {"crewe": median(lambda: ours(False)), "crewe, interval": median(lambda: ours(True))}
    if importlib.util.find_spec("wildboottest") is None:
        return seconds
    import statsmodels.api as sm
    from wildboottest.wildboottest import wildboottest

    model = sm.OLS(frame["y"], sm.add_constant(frame[COLUMNS]))

    def theirs() -> float:
        found = wildboottest(
            model,
            param="x0",
            cluster=frame["cluster"],
            B=DRAWS,
            bootstrap_type="11",
            show=False,
        )
        return float(found["p-value"].iloc[0])

    # The same test: p-values differ by their Monte Carlo error.
    p = ours(False).p_value
    assert abs(theirs() - p) < 5 * np.sqrt(2 * p * (1 - p) / DRAWS) + 1e-3
    seconds["wildboottest"] = median(theirs)
    return seconds


if __name__ == "__main__":
    print(json.dumps(wild(*SIZES[sys.argv[1]])))

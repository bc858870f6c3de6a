"""Logit beside statsmodels; Cox beside lifelines and survival: 1,000,000 rows, 10 covariates, one thread.

lifelines holds pandas back, so Cox runs in an environment of its own, which `make bench-peers` makes.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from ols import data, run

REPEATS = 3


def timed(calls: dict[str, Callable[[], np.ndarray]], tolerance: float) -> dict[str, float]:
    """Median seconds of each call, taken in turn; their coefficients must agree."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(REPEATS):
        answers = []
        for name, call in calls.items():
            start = time.perf_counter()
            answers.append(call())
            times[name].append(time.perf_counter() - start)
        for answer in answers[1:]:
            np.testing.assert_allclose(answer, answers[0], rtol=tolerance, atol=tolerance)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def logit() -> dict[str, float]:
    """Logit with CR1."""
    import crewe as cw
    import statsmodels.api as sm

    _, x, codes = data(1_000_000, 100)
    rng = np.random.default_rng(2)
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-0.3 * x.sum(axis=1)))).astype(float)
    design = np.column_stack([np.ones(len(y)), x])
    cluster = {"groups": codes}
    return timed(
        {
            "crewe": lambda: cw.logit(y, x, cluster=codes, vcov="CR1").coef.to_numpy(),
            "statsmodels": lambda: (
                sm.Logit(y, design).fit(disp=0, cov_type="cluster", cov_kwds=cluster).params
            ),
        },
        1e-6,
    )


def cox() -> dict[str, float]:
    """Cox with Efron's ties, days 1 to 500; then with 500,000 clusters."""
    import crewe as cw
    from lifelines import CoxPHFitter

    import survival

    _, x, codes = data(1_000_000, 2)
    rng = np.random.default_rng(3)
    waits = rng.exponential(300 * np.exp(-0.2 * x.sum(axis=1)))
    days = np.minimum(np.ceil(waits), 500)
    event = (waits <= 500).astype(float)
    names = [f"x{j}" for j in range(10)]
    frame = pd.DataFrame(x, columns=names).assign(days=days, event=event)
    formula = f"Surv(days, event) ~ {' + '.join(names)}"

    def variances(**options: np.ndarray) -> np.ndarray:
        fit = survival.coxph(formula, frame, **options)
        return np.concatenate([fit.coefficients, np.sqrt(np.diag(fit.var))])

    def crewe(**options: np.ndarray) -> np.ndarray:
        fit = cw.coxph(cw.Surv(days, event), x, **options)
        return np.concatenate([fit.coef.to_numpy(), fit.se.to_numpy()])

    def lifelines() -> np.ndarray:
        fit = CoxPHFitter().fit(frame, "days", "event")
        return np.concatenate([fit.params_.to_numpy(), fit.standard_errors_.to_numpy()])

    model = timed({"crewe": crewe, "survival": variances, "lifelines": lifelines}, 1e-5)
    clustered = timed(
        {
            "crewe, clustered": lambda: crewe(cluster=codes),
            "survival, clustered": lambda: variances(cluster=codes),
        },
        1e-6,
    )
    return model | clustered


def large_clusters() -> dict[str, float]:
    """CR2 of a logit in 20 clusters of 1,000 rows, whose working weights differ from row to row."""
    import crewe as cw

    _, x, codes = data(20_000, 1_000)
    rng = np.random.default_rng(4)
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-0.3 * x.sum(axis=1)))).astype(float)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        cw.logit(y, x, cluster=codes, vcov="CR2")
        times.append(time.perf_counter() - start)
    return {"crewe": statistics.median(times)}


def versions() -> dict[str, str]:
    """Versions of what the environment holds."""
    names = ["lifelines", "survival", "pandas", "numpy"]
    return {name: importlib.metadata.version(name) for name in names}


PARTS: dict[str, Callable[[], dict]] = {
    "logit": logit,
    "cox": cox,
    "large_clusters": large_clusters,
    "versions": versions,
}


if __name__ == "__main__":
    part = sys.argv[1]
    # The number of threads is read when the libraries start: a second process has one.
    print(
        json.dumps(
            PARTS[part]() if os.environ.get("RAYON_NUM_THREADS") == "1" else run(part, __file__)
        )
    )

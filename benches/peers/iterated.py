"""Logit beside statsmodels and Cox beside lifelines: 1,000,000 rows and 10 covariates, one thread.

lifelines holds pandas back, so run this in an environment of its own: `python iterated.py logit` or `cox`.
"""

from __future__ import annotations

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
    """Cox with Efron's ties, days 1 to 500."""
    import crewe as cw
    from lifelines import CoxPHFitter

    _, x, codes = data(1_000_000, 2)
    rng = np.random.default_rng(3)
    waits = rng.exponential(300 * np.exp(-0.2 * x.sum(axis=1)))
    days = np.minimum(np.ceil(waits), 500)
    event = (waits <= 500).astype(float)
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(10)]).assign(days=days, event=event)
    seconds = timed(
        {
            "crewe": lambda: cw.coxph(cw.Surv(days, event), x).coef.to_numpy(),
            "lifelines": lambda: CoxPHFitter().fit(frame, "days", "event").params_.to_numpy(),
        },
        1e-5,
    )
    start = time.perf_counter()
    cw.coxph(cw.Surv(days, event), x, cluster=codes)
    return seconds | {"crewe, clustered": time.perf_counter() - start}


PARTS = {"logit": logit, "cox": cox}


if __name__ == "__main__":
    part = sys.argv[1]
    # The number of threads is read when the libraries start: a second process has one.
    print(
        json.dumps(
            PARTS[part]() if os.environ.get("RAYON_NUM_THREADS") == "1" else run(part, __file__)
        )
    )

"""Whatever data come in, crewe answers, or refuses in its own words: no other error, no panic."""

from __future__ import annotations

import datetime
import decimal
import warnings
from collections.abc import Callable
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

N = 12

NUMBERS = st.sampled_from(
    [0, 1, 2, -1, 0.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"), 2**53 + 1, 2**63]
)
WORDS = st.sampled_from(
    ["a", "b", "A", "a ", "", "nan", "1", "10", "$x$", "κ", "a\0b", "\ud800", "n/a", "arm"]
)
CELLS = st.one_of(
    NUMBERS,
    WORDS,
    st.booleans(),
    st.none(),
    st.just(pd.NA),
    st.just(pd.NaT),
    st.just(decimal.Decimal("0.1")),
    st.just(datetime.date(2026, 1, 2)),
    st.just(pd.Timestamp("2026-01-02", tz="Europe/London")),
    st.just(b"x"),
    st.just((1, 2)),
)


@st.composite
def columns(draw: st.DrawFn) -> Any:
    """Draw a column: plain, odd, or of several types at once."""
    kind = draw(st.sampled_from(["plain", "plain", "numbers", "words", "mixed", "dates", "odd"]))
    if kind == "plain":
        return np.resize(draw(st.sampled_from([[0, 1], ["a", "b"], [1.5, 2.0, 4.0]])), N)
    if kind == "numbers":
        return pd.Series([draw(NUMBERS) for _ in range(N)], dtype=object)
    if kind == "words":
        return pd.Series([draw(WORDS) for _ in range(N)], dtype=object)
    if kind == "dates":
        zone = draw(st.sampled_from([None, "UTC", "Europe/London"]))
        return pd.Series(pd.date_range("2026-03-28", periods=N, freq="7h", tz=zone))
    if kind == "odd":
        return draw(
            st.sampled_from(
                [
                    pd.Series([pd.NA] * N, dtype="Int64"),
                    pd.Series([1, pd.NA] * (N // 2), dtype="Int64"),
                    pd.Series([True, pd.NA] * (N // 2), dtype="boolean"),
                    pd.Series(pd.Categorical([1, "1"] * (N // 2))),
                    pd.Series(pd.Categorical([1.5, None] * (N // 2))),
                    pd.Series(np.arange(N).astype(">i4")),
                    pd.Series([2**63 + 1] * N, dtype="uint64"),
                    pd.Series(pd.interval_range(0, N)),
                    pd.Series(pd.period_range("2026", periods=N, freq="M")),
                    pd.Series([1 + 2j] * N),
                    pd.Series([None] * N, dtype=object),
                    pd.Series(pd.timedelta_range("1D", periods=N)),
                    pd.Series(np.arange(N), dtype="int64[pyarrow]"),
                    pd.Series([[1]] * N),
                    pd.Series([{"a": 1}] * N),
                ]
            )
        )
    return pd.Series([draw(CELLS) for _ in range(N)], dtype=object)


NAMES = ["y", "arm", "x", "family", "time", "event", "h"]


@st.composite
def frames(draw: st.DrawFn) -> Any:
    """Draw a frame in which some columns are as they should be and some are not."""
    sound: dict[str, Any] = {
        "y": np.arange(N) % 5 + 0.5,
        "arm": np.resize(["control", "crewe"], N),
        "x": np.linspace(0, 1, N) ** 2,
        "family": np.repeat(np.arange(N // 2), 2)[np.argsort(np.arange(N) % 2, kind="stable")],
        "time": np.arange(N) + 1.0,
        "event": np.resize([1, 0, 1], N),
        "h": np.resize(["p", "q", "q"], N),
    }
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)):
        sound[name] = draw(columns())
    rows = draw(st.sampled_from([N, N, N, N, 1, 0]))
    made = pd.DataFrame(sound).iloc[:rows]
    other = draw(st.sampled_from(["pandas", "pandas", "polars", "arrow", "index"]))
    if other == "index":
        return made.set_index(pd.Index(draw(st.permutations(range(rows)))))
    if other == "pandas":
        return made
    try:
        return pl.from_pandas(made) if other == "polars" else pa.Table.from_pandas(made)
    except Exception:
        return made


def design() -> cw.Design:
    return cw.Design("t", arms={"control": 1, "crewe": 1}, cluster="family", strata=["h"], seed=1)


def without_arm(data: Any) -> Any:
    if isinstance(data, pd.DataFrame):
        return data.drop(columns="arm")
    return data.drop("arm") if isinstance(data, pl.DataFrame) else data.drop_columns(["arm"])


def observed(data: Any) -> Any:
    return design().observe(data, arm="arm")


CALLS: dict[str, Callable[[Any], Any]] = {
    "ols": lambda d: cw.ols("y ~ arm * x", d, cluster="family").margins("arm").tidy(),
    "ols weights": lambda d: cw.ols("y ~ arm", d, weights="x", missing="drop").tidy(),
    "ols by": lambda d: cw.ols("y ~ x", d, by="h").tidy(),
    "ols several": lambda d: cw.ols(["y ~ arm", "x ~ arm"], d).adjust("holm"),
    "ols indicator": lambda d: cw.ols("y ~ x + h", d, missing="indicator").tidy(),
    "ols functions": lambda d: cw.ols("y ~ poly(x, 2) + C(h) + np.log(time)", d).predict(d),
    "ols design": lambda d: cw.ols("y ~ arm", d, design=observed(d)).tidy(),
    "ols arrays": lambda d: cw.ols(d["y"], d["x"], cluster=d["family"]).tidy(),
    "logit": lambda d: cw.logit("event ~ arm + x", d, cluster="family").margins("arm").tidy(),
    "logit firth": lambda d: cw.logit("event ~ arm + x", d, penalty="firth").tidy(),
    "logit jackknife": lambda d: cw.logit("event ~ arm", d, cluster="family", vcov="CV3").tidy(),
    "probit": lambda d: cw.probit("event ~ arm", d).tidy(),
    "cluster_level": lambda d: cw.cluster_level("y ~ arm + x", d, cluster="family").tidy(),
    "cluster_level ratio": lambda d: cw.cluster_level("event ~ arm", d, cluster="family").ratio(),
    "gee": lambda d: cw.gee("y ~ arm + x", d, cluster="family").margins("arm").tidy(),
    "gee binomial": lambda d: cw.gee("event ~ x", d, cluster="family", family="binomial").tidy(),
    "mixed": lambda d: cw.mixed("y ~ arm + x", d, cluster="family").tidy(),
    "diagnostics": lambda d: cw.ols("y ~ arm + x", d, cluster="family").diagnostics().tidy(),
    "coxph": lambda d: cw.coxph("Surv(time, event) ~ arm + x", d, cluster="family").tidy(),
    "coxph strata": lambda d: cw.coxph("Surv(time, event) ~ arm + strata(h)", d).tidy(),
    "kaplan_meier": lambda d: cw.kaplan_meier("Surv(time, event) ~ arm", d).tidy(),
    "logrank": lambda d: cw.logrank("Surv(time, event) ~ arm", d, strata="h").tidy(),
    "Surv": lambda d: cw.kaplan_meier(cw.Surv(d["time"], d["event"]), d["arm"]).tidy(),
    "mann_whitney": lambda d: cw.mann_whitney("y ~ arm", d).tidy(),
    "mann_whitney arrays": lambda d: cw.mann_whitney(d["y"], d["x"]).tidy(),
    "permutation_test": lambda d: cw.permutation_test("y ~ arm", d).tidy(),
    "compare_rates": lambda d: cw.compare_rates("event ~ arm", d).tidy(),
    "icc": lambda d: cw.icc("y", d, cluster="family", by="h").tidy(),
    "describe": lambda d: cw.describe("y ~ arm", d, by="h").tidy(),
    "crosstab": lambda d: cw.crosstab("h ~ arm", d).tidy(),
    "compare_to_national": lambda d: cw.compare_to_national(
        "h", d, national={"p": 0.4, "q": 0.6}, draws=99, seed=1
    ).tidy(),
    "assign": lambda d: repr(design().assign(without_arm(d))),
    "assign balance": lambda d: design().assign(without_arm(d)).balance(["x", "y", "h"]).tidy(),
    "observe": lambda d: repr(observed(d)),
    "draws": lambda d: design().draws(d, 5),
    "consort": lambda d: repr(cw.consort(observed(d), analysed="event")),
    "matched": lambda d: cw.Design(
        "t", arms={"a": 1, "b": 1}, unit="time", method=cw.MatchedSets(match=["x", "y"]), seed=1
    ).assign(without_arm(d)),
    "minimisation": lambda d: cw.Design(
        "t", arms={"a": 1, "b": 1}, unit="time", method=cw.Minimisation(factors=["h"]), seed=1
    ).assign(without_arm(d), order="y"),
    "randomisation_test": lambda d: cw.randomisation_test(
        "y ~ arm", d, observed(d), draws=19, seed=1
    ).tidy(),
    "audit of size": lambda d: (
        cw.ols("y ~ arm", d, design=(trial := observed(d)))
        .audit(trial, 25, procedures=["CR2", "randomisation_test"], seed=1)
        .tidy()
    ),
    "audit of equations": lambda d: (
        cw.gee("y ~ arm", d, design=(trial := observed(d)))
        .audit(trial, 25, procedures=["MD", "mixed"], seed=1)
        .tidy()
    ),
    "wild_bootstrap": lambda d: cw.wild_bootstrap(
        cw.ols("y ~ arm + x", d, cluster="family"), "x", draws=99, seed=1
    ).tidy(),
    "score bootstrap": lambda d: cw.wild_bootstrap(
        cw.logit("event ~ x", d, cluster="family"), "x", draws=99, seed=1
    ).tidy(),
    "pairs_bootstrap": lambda d: cw.pairs_bootstrap(
        d, lambda frame: float(len(frame["y"])), "family", "arm", draws=20, seed=1
    ).tidy(),
    "survey": lambda d: cw.survey.score(d, ["event", "y"], scale=(0, 5)).summary(),
    "sdq": lambda d: cw.sdq.score(d, [*["y"] * 24, "event"]),
    "risk": lambda d: cw.risk.Framework.project_crewe().score(d, "family", "time", "h", "y"),
    "cases": lambda d: cw.cases.prepare(
        d, referral="time", closure="y", rereferral="x", case="event", family="family"
    ),
}


@pytest.mark.parametrize("name", sorted(CALLS))
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=frames())
def test_data_are_answered_or_refused_in_our_own_words(name: str, data: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            CALLS[name](data)
        except cw.CreweError as error:
            assert str(error).strip()
            assert "Traceback" not in str(error) and "panicked" not in str(error)


REFUSED = {
    "sdq": "named",
    "cases": "no column of randomisation is named",
    "survey": "off the scale",
    "risk": "not in the framework",
}


@pytest.mark.parametrize("name", sorted(CALLS))
def test_sound_data_are_answered(name: str) -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame(
        {
            "y": np.arange(N) % 5 + 0.5,
            "arm": np.resize(["control", "control", "crewe", "crewe"], N),
            "x": rng.random(N),
            "family": np.repeat(np.arange(N // 2), 2),
            "time": np.arange(N) + 1.0,
            "event": np.resize([1, 0, 1, 1, 0], N),
            "h": np.resize(["p", "p", "p", "p", "q", "q"], N),
        }
    )
    try:
        CALLS[name](data)
    except cw.CreweError as error:
        assert REFUSED.get(name, "no refusal") in str(error)

"""What does not vary is found as such, and never by a variance of rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest

RNG = np.random.default_rng(20)


def refused(
    error: type[cw.CreweError], words: str, call: Callable[..., Any], *args: Any
) -> cw.CreweError:
    with pytest.raises(error, match=words) as caught:
        call(*args)
    assert type(caught.value) is error
    assert caught.value.remedy
    return caught.value


def equal_arms(unit: str | None = None, **options: Any) -> cw.Design:
    where = {"unit": unit} if unit else {}
    return cw.Design(
        "Trial", arms={"control": 1, "crewe": 1}, seed=options.pop("seed", 1), **where, **options
    )


# -- 9.1, 9.2: what does not vary ---------------------------------------------------------------


CONSTANTS = [0.3, 0.1 * 3, 1 / 3, 2.1, 1e-9, 1e12 + 0.1, -7.7]


def families(n: int = 50, size: int = 3) -> pd.DataFrame:
    return pd.DataFrame({"family": np.repeat(np.arange(n), 1 + np.arange(n) % size)})


@pytest.mark.parametrize("value", CONSTANTS)
def test_9_1_a_constant_covariate_is_balanced(value: float) -> None:
    trial = cw.Design("Trial", arms={"control": 33, "crewe": 17}, cluster="family", seed=4)
    rows = families().assign(
        k=value, near=lambda d: np.where(np.arange(len(d)) % 2, value, value * (1 + 2e-16))
    )
    tidy = trial.assign(rows).balance(["k", "near"]).tidy()
    assert set(tidy["std_difference"].dropna()) == {0.0}
    assert set(tidy["sd"].dropna()) == {0.0}


@pytest.mark.parametrize("value", CONSTANTS)
@pytest.mark.parametrize("n", [2, 17, 33, 1000])
def test_9_1_a_constant_has_no_spread_and_its_mean_in_its_interval(value: float, n: int) -> None:
    data = pd.DataFrame(
        {"y": np.r_[np.full(n, value), RNG.normal(size=5)], "g": ["same"] * n + ["other"] * 5}
    )
    same = cw.describe("y ~ g", data).tidy().set_index("term").loc["same"]
    assert same["sd"] == 0 and same["std_error"] == 0
    assert same["conf_low"] == same["estimate"] == same["conf_high"] == value


def test_9_1_alpha_of_items_that_do_not_covary_is_nought() -> None:
    grid = [(a, b, 3) for a in range(1, 6) for b in range(1, 6)]
    items = pd.DataFrame(grid * 7, columns=["a", "b", "c"])
    assert cw.survey.score(items, items=["a", "b", "c"], scale=(1, 5)).alpha == 0
    assert np.isnan(cw.survey.score(items.assign(a=2, b=4), items=["a", "b"], scale=(1, 5)).alpha)


def test_9_1_a_randomisation_test_of_a_constant_outcome_is_refused() -> None:
    rows = families(12)
    drawn = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family", seed=2).assign(
        rows
    )
    rows = rows.assign(
        y=np.where(np.arange(len(rows)) % 2, 0.3, 0.1 * 3), x=RNG.normal(size=len(rows))
    )
    for formula in ("y ~ arm", "y ~ arm + x"):
        for studentised in (False, True)[: 2 - formula.count("x")]:
            with pytest.raises(cw.InputError, match="same value in every row"):
                cw.randomisation_test(formula, rows, drawn, studentised=studentised)


def strata(low: float, high: float, wobble: float = 0.0) -> pd.DataFrame:
    data = pd.DataFrame({"id": [f"u{i}" for i in range(24)], "site": ["n"] * 12 + ["s"] * 12})
    k = np.repeat([low, high], 12) * (1 + wobble * np.tile([0, 1], 12))
    return data.assign(x=np.round(RNG.normal(size=24), 3), k=k)


METHODS = {
    "rerandomised": lambda: cw.Rerandomised(on=["x", "k"], accept=0.5),
    "matched sets": lambda: cw.MatchedSets(match=["x", "k"]),
    "constrained": lambda: cw.Constrained(on=["x", "k"], keep=0.5),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("low", "high"), [(0.3, 2.1), (0.1, 0.7000000000000001), (1 / 3, 1e6), (-0.7, 0.0)]
)
@pytest.mark.parametrize("wobble", [0.0, 2.3e-16])
def test_9_2_a_covariate_constant_within_strata_is_refused(
    method: str, low: float, high: float, wobble: float
) -> None:
    trial = equal_arms("id", strata=["site"], method=METHODS[method]())
    error = refused(
        cw.RankError, "does not vary within strata", lambda: trial.assign(strata(low, high, wobble))
    )
    assert error.column == "k"


@pytest.mark.parametrize("method", METHODS)
def test_9_2_a_covariate_constant_but_for_rounding_is_refused_without_strata(method: str) -> None:
    trial = equal_arms("id", method=METHODS[method]())
    refused(
        cw.RankError,
        "same value for every unit",
        lambda: trial.assign(strata(0.3, 0.1 * 3, 2.3e-16)),
    )


def test_9_2_what_varies_a_little_is_taken() -> None:
    data = strata(0.1, 0.7).assign(k=lambda d: d["k"] + np.where(np.arange(24) % 5 == 0, 1e-6, 0))
    assert (
        len(equal_arms("id", strata=["site"], method=METHODS["rerandomised"]()).assign(data)) == 24
    )


def test_9_2_places_left_over_still_balance_what_differs_between_strata() -> None:
    data = strata(0.1, 0.7).drop(index=[0, 23])
    assert (
        len(equal_arms("id", strata=["site"], method=METHODS["constrained"]()).assign(data)) == 22
    )

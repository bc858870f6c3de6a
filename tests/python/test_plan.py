"""A formula is compiled once: what the plan gives is what formulaic gives, to the bit, whatever was fitted before."""

from __future__ import annotations

import pickle
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe.formula import plan
from crewe.formula.design import design
from crewe.formula.engine import evaluated
from crewe.frames.source import Source
from hypothesis import given, settings
from hypothesis import strategies as st

TERMS = [
    "arm",
    "age",
    "C(site)",
    "girl",
    "arm:age",
    "arm * C(site)",
    "site * age",
    "arm:girl:age",
    "np.log(age)",
    "I(age ** 2)",
    "poly(age, 2)",
    "ns(age, 3):arm",
    "center(age)",
    "C(arm, contr.sum)",
    "C(site, levels=[1, 2, 3])",
    "{age / site}",
    "2:np.sqrt(age)",
]


def data(seed: int, n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "arm": pd.Categorical(rng.choice(["control", "crewe"], n), ["control", "crewe"]),
            "girl": rng.choice(["no", "yes"], n),
            "site": rng.integers(1, 4, n).astype(float),
            "age": rng.uniform(1, 17, n).round(2),
            "y": rng.normal(size=n),
            "weight": rng.uniform(0.5, 2, n),
        }
    )


def built(right: str, frame: pd.DataFrame) -> Any:
    return design(Source(frame), right)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(TERMS), min_size=1, max_size=4, unique=True),
    st.sampled_from(["", " - 1"]),
    st.integers(0, 10_000),
)
def test_a_plan_made_on_other_rows_gives_what_formulaic_gives(
    terms: list[str], without: str, seed: int
) -> None:
    right = " + ".join(terms) + without
    built(right, data(seed + 1))
    found = built(right, data(seed))
    matrix, spec = evaluated(right, found.columns)
    assert list(found.plan.raw) == [str(name) for name in spec.column_names]
    assert np.array_equal(found.columns_at(found.columns), matrix)
    assert np.array_equal(found.x, matrix[:, int(found.intercept) :])


@pytest.mark.parametrize("right", ["arm + age", "poly(age, 2) * arm", "C(site) + np.log(age)"])
def test_a_formula_is_compiled_once(right: str) -> None:
    plan._plans.clear()
    first = built(right, data(1))
    assert built(right, data(2)).plan is first.plan
    more = data(3).assign(girl="no", arm=lambda d: d["arm"].astype(str) + "s")
    assert built(right, more).plan is not first.plan or "arm" not in right


def test_a_plan_that_other_levels_would_not_fit_is_not_taken() -> None:
    two, three = data(1), data(2)
    two["site"] = two["site"].clip(upper=2.0)
    right = "C(site) + arm"
    assert len(built(right, two).names) == 2
    assert built(right, three).names == ["C(site)[T.2]", "C(site)[T.3]", "arm[T.crewe]"]
    assert len(built(right, two).names) == 2


def test_knots_are_those_of_the_rows_fitted_and_not_of_the_rows_of_the_plan() -> None:
    old, new = data(1), data(2)
    new["age"] *= 3.0
    cw.ols("y ~ ns(age, 3)", old)
    fit = cw.ols("y ~ ns(age, 3)", new)
    plan._plans.clear()
    fresh = cw.ols("y ~ ns(age, 3)", new)
    assert fit.coef.equals(fresh.coef)
    assert fit.predict(old).equals(fresh.predict(old))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(TERMS[:14]), min_size=1, max_size=3, unique=True),
    st.integers(0, 10_000),
    st.booleans(),
)
def test_rows_at_means_are_averages_over_the_grid_of_all_levels(
    terms: list[str], seed: int, weighted: bool
) -> None:
    frame = data(seed)
    found = built(" + ".join(dict.fromkeys([*terms, "arm"])), frame)
    weights = frame["weight"].to_numpy() if weighted else None
    setting = {"arm": "crewe"}
    rows, _ = found.rows_at_means([setting], weights)
    spread = [name for name in ("girl", "site") if name in found.variables]
    levels = [sorted(frame[name].unique()) for name in spread]
    shares = [
        np.array([np.average(frame[name] == level, weights=weights) for level in known])
        for name, known in zip(spread, levels, strict=True)
    ]
    # Each term is linear in the shares of its own categories, so the grid of all of them gives the same.
    grid = pd.MultiIndex.from_product(levels, names=spread) if spread else None
    n = 1 if grid is None else len(grid)
    at = frame.iloc[:n].copy() if n <= len(frame) else frame.sample(n, replace=True)
    at["arm"] = pd.Categorical(["crewe"] * n, frame["arm"].cat.categories)
    at["age"] = np.average(frame["age"], weights=weights)
    share = np.ones(1)
    for name, part in zip(spread, shares, strict=True):
        at[name] = grid.get_level_values(name).to_numpy() if grid is not None else ""
        share = np.outer(share, part).ravel()
    if any("site" in term and "C(site" not in term for term in terms) and "C(site" not in str(
        terms
    ):
        at["site"] = np.average(frame["site"], weights=weights)
    matrix, _ = found.rows_of(at)
    expected = share @ matrix
    assert rows[0, int(found.intercept) :] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_fit_that_keeps_its_data_pickles_with_its_plan() -> None:
    fit = cw.ols("y ~ arm * poly(age, 2)", data(1), keep_data=True)
    again = pickle.loads(pickle.dumps(fit))
    assert again.margins("arm").tidy().equals(fit.margins("arm").tidy())
    assert again.predict(data(2)).equals(fit.predict(data(2)))

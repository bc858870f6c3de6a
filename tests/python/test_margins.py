"""Margins of models with products of covariates, from formula to limits, against R (tests/reference/margins.R)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = json.loads(
    (ROOT / "tests" / "reference" / "expected" / "margins.json").read_text("utf-8")
)
CASES = {case["name"]: case for case in REFERENCE["cases"]}
MODELS = {"identity": cw.ols, "logit": cw.logit, "probit": cw.probit}


def frame(case: dict[str, Any]) -> pd.DataFrame:
    """Give the rows of a case; categories are text."""
    data = REFERENCE["data"][case["data"]]
    if "csv" in data:
        return pd.read_csv(ROOT / data["csv"])
    return pd.DataFrame(data["columns"])


def fitted(case: dict[str, Any], data: Any) -> Any:
    """Fit a case; within I() a power is `**`, and a root is numpy's."""
    formula = case["formula"].replace("^", "**").replace("sqrt(", "np.sqrt(")
    return MODELS[case["link"]](formula, data, cluster=case["cluster"])


def r_name(term: str) -> str:
    """Write a term of crewe's as R does: `arm[T.b]:age` is `armb:age`."""
    term = term.replace("Intercept", "(Intercept)").replace(" ** ", "^").replace("np.", "")
    parts = term.split(":")
    return ":".join(part.replace("[T.", "").removesuffix("]") for part in parts)


def close(got: float, want: float | None, tolerance: float, scale: float, what: str) -> None:
    if want is None:
        assert np.isinf(got), what
        return
    assert abs(got - want) <= tolerance * max(abs(want), scale), f"{what}: {got!r}, want {want!r}"


def check(got: Any, estimate: float, want: dict[str, Any], what: str, *, limits: bool) -> None:
    """Hold one row of a table against `se df p conf_low conf_high`."""
    close(got["estimate"], estimate, 1e-9, want["se"], f"{what} estimate")
    close(got["std_error"], want["se"], 1e-9, 0, f"{what} se")
    close(got["df"], want["df"], 1e-8, 0, f"{what} df")
    close(got["p_value"], want["p"], 1e-8, 1e-290, f"{what} p")
    if limits:
        for end in ("conf_low", "conf_high"):
            close(got[end], want[end], 1e-9, want["se"], f"{what} {end}")


@pytest.mark.parametrize("name", CASES)
def test_the_model_is_the_references(name: str) -> None:
    case = CASES[name]
    fit = fitted(case, frame(case))
    assert (fit.n, fit.clusters) == (case["n"], case["clusters"])
    columns = dict(zip(case["columns"], case["coef"], strict=True))
    got = {r_name(term): value for term, value in fit.coef.items()}
    # The factors of a product stand in the order of the formula in both.
    flipped = {":".join(reversed(key.split(":"))): key for key in columns}
    for key, value in got.items():
        want = columns[key] if key in columns else columns[flipped[key]]
        close(value, want, 1e-9, fit.se.min(), f"{name} {key}")


@pytest.mark.parametrize("at", ["means", "observed"])
@pytest.mark.parametrize("name", CASES)
def test_levels_and_comparisons(name: str, at: str) -> None:
    case = CASES[name]
    fit = fitted(case, frame(case))
    kinds = ["iid", "CR1", "CR2"] if case["cluster"] else ["iid", "HC2"]
    ways = {row["measure"] for row in case[at]} - {"level"}
    seen = 0
    for kind in kinds:
        for way in sorted(ways):
            margins = fit.vcov(kind).margins(case["term"], at=at, compare=way)
            levels, contrasts = margins.tidy(), margins.contrasts()
            for row in case[at]:
                what = f"{name} {at} {kind} {row['measure']} {row['label']} {row['scale']}"
                want = row["vcov"][kind]
                if row["measure"] == "level":
                    got = levels[levels["level"] == row["label"]].iloc[0]
                    if row["scale"] == "link":
                        # The interval of a level at the means is that of the linear predictor, transformed.
                        close(got["estimate"], row["value"], 1e-9, 0, what)
                        close(got["conf_low"], want["low"], 1e-9, 0, f"{what} low")
                        close(got["conf_high"], want["high"], 1e-9, 0, f"{what} high")
                    else:
                        own = at == "observed" or case["link"] == "identity"
                        check(got, row["estimate"], want, what, limits=own)
                elif row["measure"] == way:
                    label = row["label"].replace(" - ", " − ")
                    got = contrasts[contrasts["contrast"] == label].iloc[0]
                    if row["scale"] == "log":
                        close(got["estimate"], row["value"], 1e-9, 0, what)
                        close(got["conf_low"], want["low"], 1e-9, 0, f"{what} low")
                        close(got["conf_high"], want["high"], 1e-9, 0, f"{what} high")
                        got = got.copy()
                        for key in ("estimate", "conf_low", "conf_high"):
                            got[key] = np.log(got[key])
                    check(got, row["estimate"], want, what, limits=True)
                else:
                    continue
                seen += 1
    assert seen >= 3 * len(kinds)


def test_4_2_emmeans_agrees_on_the_levels() -> None:
    seen = 0
    for case in CASES.values():
        fit = fitted(case, frame(case))
        outer = case["emmeans"].get("outer_on_link")
        if outer is not None:
            want = np.asarray(outer)
            inverse = {"logit": lambda eta: 1 / (1 + np.exp(-eta)), "identity": lambda eta: eta}
            if case["link"] in inverse:
                got = fit.margins(case["term"]).tidy()["estimate"]
                np.testing.assert_allclose(got, inverse[case["link"]](want), rtol=1e-9)
                seen += 1
        proportional = case["emmeans"].get("proportional")
        if proportional is not None:
            got = fit.margins(case["term"], at="observed").tidy()["estimate"]
            np.testing.assert_allclose(got, proportional, rtol=1e-9)
            seen += 1
    assert seen > 10


def test_4_2_the_two_differ_only_with_products_or_curves() -> None:
    case = CASES["category by category"]
    data = frame(case)
    flat = cw.ols("score ~ arm + site + sex + age", data, cluster="family")
    means, observed = (flat.margins("arm", at=at).tidy() for at in ("means", "observed"))
    np.testing.assert_allclose(means["estimate"], observed["estimate"], rtol=1e-12)
    np.testing.assert_allclose(means["std_error"], observed["std_error"], rtol=1e-11)
    crossed = fitted(case, data)
    means, observed = (crossed.margins("arm", at=at).tidy() for at in ("means", "observed"))
    assert abs(means["estimate"] - observed["estimate"]).max() > 1e-3


def test_backends_names_and_levels() -> None:
    case = CASES["category by number logit"]
    data = frame(case)
    want = fitted(case, data).margins("arm", at="observed", compare="odds_ratio")
    polars = fitted(case, pl.from_pandas(data)).margins("arm", at="observed", compare="odds_ratio")
    assert isinstance(polars.tidy(), pl.DataFrame)
    np.testing.assert_array_equal(polars.tidy()["estimate"], want.tidy()["estimate"])
    np.testing.assert_array_equal(polars.contrasts()["p_value"], want.contrasts()["p_value"])
    renamed = data.rename(columns={"arm": "key-stage", "site": "the site"})
    formula = case["formula"].replace("arm", "`key-stage`").replace("site", "`the site`")
    other = cw.logit(formula, renamed, cluster="family").margins(
        "key-stage", at="observed", compare="odds_ratio"
    )
    np.testing.assert_allclose(other.tidy()["std_error"], want.tidy()["std_error"], rtol=1e-11)
    shuffled = fitted(case, data.sample(frac=1, random_state=1))
    got = shuffled.margins("arm", at="observed", compare="odds_ratio").tidy()
    np.testing.assert_allclose(got["conf_low"], want.tidy()["conf_low"], rtol=1e-10)


def test_other_levels_and_refusals() -> None:
    case = CASES["category by category logit"]
    fit = fitted(case, frame(case))
    ninety = fit.margins("arm", level=0.9).tidy()
    assert (ninety["conf_low"] > fit.margins("arm").tidy()["conf_low"]).all()
    one = fit.margins("arm", by="sex", at="observed")
    assert list(one.tidy()["by"]) == ["boy", "boy", "girl", "girl"]
    with pytest.raises(cw.InputError, match="the comparison of levels is not known"):
        fit.margins("arm", compare="gap")
    with pytest.raises(cw.InputError, match="confidence level"):
        fit.margins("arm", level=95)
    with pytest.raises(cw.InputError, match="at='mean' is unknown"):
        fit.margins("arm", at="mean")
    with pytest.raises(cw.InputError, match="no such level"):
        fit.margins("arm", values=["control", "other"])
    linear = fitted(CASES["category by category"], frame(CASES["category by category"]))
    with pytest.raises(cw.InputError, match="have no odds"):
        linear.margins("arm", compare="odds_ratio")

"""Logistic regression from Python: R's numbers, margins, odds ratios, and every refusal as the user meets it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl
import pytest

REFERENCE = Path(__file__).parents[1] / "reference"
CASES = {
    case["name"]: case
    for case in json.loads((REFERENCE / "expected" / "logit.json").read_text("utf-8"))["cases"]
}
AWARDS = CASES["achievement_2001"]
FORMULA = (
    "Bagrut_status ~ treated + girl + religious + secular + immigrant + siblings + father_ed "
    "+ mother_ed + lagscore"
)
BY_TYPE = FORMULA.replace("religious + secular", "school_type")
KINDS = ["iid", "HC0", "HC1", "HC2", "HC3", "CR0", "CR1", "CR1S", "CR2", "CR3"]


@pytest.fixture(scope="module")
def awards() -> pd.DataFrame:
    frame = pd.read_csv(REFERENCE / "data" / "achievement_2001.csv")
    frame["school_type"] = np.select(
        [frame["religious"] == 1, frame["secular"] == 1], ["Religious", "Secular"], "Arab"
    )
    return frame


@pytest.fixture(scope="module")
def fit(awards: pd.DataFrame) -> Any:
    return cw.logit(FORMULA, awards, cluster="school_id")


@pytest.mark.parametrize("kind", KINDS)
def test_covariances(fit: Any, kind: str) -> None:
    want = AWARDS["vcov"][kind]
    got = fit.vcov(kind).tidy()
    np.testing.assert_allclose(got["estimate"], AWARDS["coef"], rtol=1e-10)
    np.testing.assert_allclose(got["std_error"], want["se"], rtol=1e-9)
    np.testing.assert_allclose(got["p_value"], want["p"], rtol=1e-8)
    df = [np.inf if value is None else value for value in want["df"]]
    np.testing.assert_allclose(got["df"], df, rtol=1e-8)
    np.testing.assert_allclose(got["conf_high"], want["conf_high"], rtol=1e-8)


def test_figures_of_the_reference(fit: Any) -> None:
    assert fit.vcov_name == "CR2"
    assert fit.se["treated"] == pytest.approx(0.3120322, abs=5e-8)
    assert fit.df["treated"] == pytest.approx(22.32, abs=0.005)
    assert fit.p_value["treated"] == pytest.approx(0.158, abs=0.0005)
    assert fit.statistics["log_likelihood"] == pytest.approx(AWARDS["log_likelihood"], rel=1e-12)
    assert fit.statistics["aic"] == pytest.approx(AWARDS["aic"], rel=1e-12)


def test_joint_test(fit: Any) -> None:
    want = AWARDS["wald"]["vcov"]
    for kind in ("iid", "CR1", "CR2"):
        got = fit.vcov(kind).test(["religious", "secular"]).iloc[0]
        assert got["statistic"] == pytest.approx(want[kind]["statistic"], rel=1e-8)
        assert got["p_value"] == pytest.approx(want[kind]["p"], rel=1e-8)


def test_odds_ratios(fit: Any) -> None:
    table = fit.odds_ratios().set_index("term")
    assert "Intercept" not in table.index
    np.testing.assert_allclose(table["odds_ratio"], AWARDS["odds_ratio"][1:], rtol=1e-10)
    want = AWARDS["vcov"]["CR2"]
    np.testing.assert_allclose(table["conf_low"], np.exp(want["conf_low"][1:]), rtol=1e-8)
    raised = fit.tidy(exponentiate=True).set_index("term")
    assert raised.loc["treated", "estimate"] == table.loc["treated", "odds_ratio"]
    assert raised.loc["treated", "std_error"] == fit.se["treated"]


@pytest.mark.parametrize("formula", [FORMULA, BY_TYPE])
def test_margins_at_means(awards: pd.DataFrame, formula: str) -> None:
    fit = cw.logit(formula, awards, cluster="school_id")
    margins = fit.margins("treated")
    levels, link = margins.tidy(), AWARDS["margins"]["means_link"]
    assert list(levels["estimate"].round(4)) == [0.0925, 0.1385]
    np.testing.assert_allclose(levels["estimate"], AWARDS["margins"]["means"]["levels"], rtol=1e-9)
    want = link["vcov"]["CR2"]
    np.testing.assert_allclose(levels["df"], want["df"], rtol=1e-7)
    for end in ("conf_low", "conf_high"):
        np.testing.assert_allclose(levels[end], 1 / (1 + np.exp(-np.array(want[end]))), rtol=1e-8)
    difference, want = margins.contrasts().iloc[0], AWARDS["margins"]["means"]
    assert difference["estimate"] == pytest.approx(want["estimate"], rel=1e-8)
    for key, name in (
        ("std_error", "se"),
        ("df", "df"),
        ("p_value", "p"),
        ("conf_low", "conf_low"),
    ):
        assert difference[key] == pytest.approx(want["vcov"]["CR2"][name][0], rel=1e-7)
    assert "delta method" in repr(margins)


def test_margins_observed(fit: Any) -> None:
    margins = fit.margins("treated", at="observed")
    want = AWARDS["margins"]["observed"]
    got = pd.concat([margins.tidy(), margins.contrasts()])
    assert list(margins.tidy()["estimate"].round(4)) == [0.2115, 0.2709]
    np.testing.assert_allclose(got["estimate"], want["estimate"], rtol=1e-9)
    for key, name in (("std_error", "se"), ("df", "df"), ("conf_high", "conf_high")):
        np.testing.assert_allclose(got[key], want["vcov"]["CR2"][name], rtol=1e-7)
    other = AWARDS["margins"]["emmeans_equal_weights_not_ours"]
    assert not np.isclose(other[0], margins.tidy()["estimate"].iloc[0], rtol=0.1)


def test_z_and_t_are_printed(fit: Any) -> None:
    assert "CR2" in repr(fit) and " t " in repr(fit)
    plain = fit.vcov("iid")
    assert " z " in repr(plain) and "∞" in repr(plain)
    assert fit.methods()[0].startswith("Logit: Bagrut_status ~ treated")
    assert "μ(1 − μ)" in " ".join(fit.methods())


def test_frames_and_arrays_agree(awards: pd.DataFrame, fit: Any) -> None:
    polars = cw.logit(FORMULA, pl.from_pandas(awards), cluster="school_id")
    assert isinstance(polars.tidy(), pl.DataFrame)
    np.testing.assert_array_equal(polars.coef, fit.coef)
    columns = AWARDS["columns"]
    arrays = cw.logit(
        awards["Bagrut_status"].to_numpy(),
        awards[columns],
        cluster=awards["school_id"].to_numpy(),
    )
    np.testing.assert_allclose(arrays.se, fit.se, rtol=1e-12)


def test_the_order_of_rows_does_not_matter(awards: pd.DataFrame, fit: Any) -> None:
    shuffled = cw.logit(FORMULA, awards.sample(frac=1, random_state=3), cluster="school_id")
    np.testing.assert_allclose(shuffled.coef, fit.coef, rtol=1e-11)
    np.testing.assert_allclose(shuffled.se, fit.se, rtol=1e-11)


def test_pickles(awards: pd.DataFrame, fit: Any) -> None:
    bare = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(bare.tidy(), fit.tidy())
    kept = cw.logit(FORMULA, awards, cluster="school_id", keep_data=True)
    again = pickle.loads(pickle.dumps(kept))
    np.testing.assert_array_equal(again.vcov("CR1").se, fit.vcov("CR1").se)


def test_by(awards: pd.DataFrame) -> None:
    fits = cw.logit("Bagrut_status ~ treated + lagscore", awards, cluster="school_id", by="girl")
    assert list(fits) == ["0", "1"]
    half = awards[awards["girl"] == 1]
    alone = cw.logit("Bagrut_status ~ treated + lagscore", half, cluster="school_id")
    np.testing.assert_array_equal(fits["1"].se, alone.se)


def small(seed: int = 4, n: int = 60) -> pd.DataFrame:
    """Make rows with a number, a category and an outcome that neither predicts perfectly."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "place": np.tile(["North", "South", "West"], n // 3),
            "y": rng.integers(0, 2, n),
        }
    )


def test_complete_separation() -> None:
    frame = small()
    frame["y"] = (frame["x"] > 0.2).astype(int)
    with pytest.raises(cw.SeparationError, match="'x' predicts the outcome perfectly") as caught:
        cw.logit("y ~ x + place", frame)
    assert caught.value.column == "x"


def test_quasi_separation() -> None:
    frame = small()
    frame.loc[frame["place"] == "West", "y"] = 1
    with pytest.raises(cw.SeparationError, match="where it is 1: the outcome is 1") as caught:
        cw.logit("y ~ x + place", frame)
    assert caught.value.column == "place[T.West]"
    frame = small()
    frame.loc[frame["place"] == "North", "y"] = 0
    with pytest.raises(cw.SeparationError, match="together predict") as caught:
        cw.logit("y ~ x + place", frame)
    assert caught.value.values == ["place[T.South]", "place[T.West]"]


def test_outcomes_that_cannot_be_fitted() -> None:
    frame = small()
    frame.loc[[3, 17], "y"] = 2
    frame.loc[1, "x"] = np.nan
    with pytest.raises(cw.InputError, match="0 or 1") as caught:
        cw.logit("y ~ x", frame)
    assert caught.value.rows == [3, 17]
    with pytest.raises(cw.InputError, match="1 in every row"):
        cw.logit("y ~ x", frame[frame["y"] == 1])
    frame = small().assign(twice=lambda f: 2 * f["x"])
    with pytest.raises(cw.RankError, match="'twice' repeats"):
        cw.logit("y ~ x + twice", frame)


@pytest.mark.parametrize(("families", "added"), [(80, True), (24, False)])
def test_strata(families: int, added: bool) -> None:
    frame = pd.DataFrame(
        {
            "family_id": np.repeat([f"F{i:03}" for i in range(families)], 2),
            "site": np.repeat([f"S{i % 4}" for i in range(families)], 2),
        }
    )
    design = cw.Design(
        "t",
        arms={"control": 1, "crewe": 1},
        cluster="family_id",
        strata=["site"],
        seed=5,
    )
    assignment = design.assign(frame)
    rng = np.random.default_rng(8)
    frame["closed"] = rng.integers(0, 2, len(frame))
    fit = cw.logit("closed ~ arm", frame, design=assignment)
    assert ("stratum" in fit.formula) is added
    said = any("no terms of the strata were added" in note for note in fit.notes)
    assert said is not added
    assert fit.clusters == families
    plain = cw.logit("closed ~ arm", frame, design=assignment, strata_terms=False)
    assert "stratum" not in plain.formula and not any("strata were" in n for n in plain.notes)

"""Generalised estimating equations: reference values, identities, what they refuse."""

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
from crewe.exceptions import DesignError, InputError, RankError, SeparationError

HERE = Path(__file__).parents[1] / "reference"
KNOWN: dict[str, Any] = json.loads((HERE / "expected/gee.json").read_text("utf-8"))
DATA = {
    "trial": pd.read_csv(HERE / "data/achievement_2001.csv"),
    "few": pd.DataFrame(KNOWN["few"]),
    "balanced": pd.DataFrame(KNOWN["balanced"]),
}


def fitted(case: dict[str, Any], divisor: str) -> Any:
    return cw.gee(
        case["formula"],
        DATA[case["data"]],
        cluster="school_id",
        family=case["family"],
        corstr=case["corstr"],
        divisor=divisor,
    )


def label(case: dict[str, Any]) -> str:
    return "-".join(case[key] for key in ("data", "family", "corstr"))


@pytest.mark.parametrize("case", KNOWN["cases"], ids=label)
def test_estimates_and_corrections_are_those_of_geepack_and_the_formulas(
    case: dict[str, Any],
) -> None:
    fit = fitted(case, "n")
    assert fit.coef.to_numpy() == pytest.approx(case["coef"], rel=1e-9)
    assert fit.working_correlation == pytest.approx(case["alpha"], abs=1e-10)
    assert fit.statistics["dispersion"] == pytest.approx(case["scale"], rel=1e-10)
    for kind, known in case["se"].items():
        other = fit.vcov(kind)
        assert other.se.to_numpy() == pytest.approx(known, rel=1e-9), kind
        df = np.inf if kind == "iid" else case["clusters"] - len(known)
        assert set(other.df) == {df}


@pytest.mark.parametrize("case", KNOWN["geesmv"], ids=label)
def test_corrections_are_those_of_geesmv(case: dict[str, Any]) -> None:
    fit = fitted(case, "n-p")
    assert fit.coef.to_numpy() == pytest.approx(case["coef"], rel=1e-9)
    assert fit.working_correlation == pytest.approx(case["alpha"], abs=1e-10)
    for kind, known in case["se"].items():
        assert fit.vcov(kind).se.to_numpy() == pytest.approx(known, rel=1e-9), kind


FRAME = DATA["few"]


@pytest.mark.parametrize(("family", "model"), [("gaussian", cw.ols), ("binomial", cw.logit)])
def test_independence_is_the_model_of_rows(family: str, model: Any) -> None:
    formula = "Bagrut_status ~ treated + girl"
    fit = cw.gee(formula, FRAME, cluster="school_id", family=family, corstr="independence")
    rows = model(formula, FRAME, cluster="school_id", vcov="CR0")
    assert fit.coef.to_numpy() == pytest.approx(rows.coef.to_numpy(), rel=1e-9)
    assert fit.vcov("CR0").se.to_numpy() == pytest.approx(rows.se.to_numpy(), rel=1e-9)
    assert fit.vcov("MD").se.to_numpy() == pytest.approx(rows.vcov("CR3").se.to_numpy(), rel=1e-9)
    if family == "gaussian":
        # One variance for all rows: the root is CR2's, with its degrees of freedom too.
        other = rows.vcov("CR2")
        assert fit.vcov("KC").se.to_numpy() == pytest.approx(other.se.to_numpy(), rel=1e-9)
        assert fit.vcov("CR2").df.to_numpy() == pytest.approx(other.df.to_numpy(), rel=1e-8)


def test_the_default_follows_from_the_outcome() -> None:
    given = {"data": FRAME, "cluster": "school_id"}
    assert cw.gee("Bagrut_status ~ treated", **given).vcov_name == "MD"
    assert cw.gee("Bagrut_status ~ treated", family="binomial", **given).vcov_name == "KC"


def test_corrections_stand_in_their_order() -> None:
    fit = cw.gee("Bagrut_status ~ treated", FRAME, cluster="school_id", family="binomial")
    errors = {kind: fit.vcov(kind).se["treated"] for kind in ("CR0", "KC", "MD", "FG", "MBN")}
    assert fit.vcov_name == "KC"
    assert errors["CR0"] < errors["KC"] < errors["MD"]
    assert min(errors["FG"], errors["MBN"]) > errors["CR0"]


def test_units_and_order_change_nothing() -> None:
    base = cw.gee("lagscore ~ treated + siblings", FRAME, cluster="school_id")
    other = FRAME.sample(frac=1, random_state=2).assign(
        lagscore=lambda d: 1e3 * d["lagscore"] + 1e7, siblings=lambda d: d["siblings"] / 8 + 1e5
    )
    moved = cw.gee("lagscore ~ treated + siblings", other, cluster="school_id")
    assert moved.coef["treated"] == pytest.approx(1e3 * base.coef["treated"], rel=1e-7)
    for kind in ("KC", "MD", "FG", "MBN"):
        shifted = moved.vcov(kind).se["treated"] / 1e3
        if kind != "FG":
            assert shifted == pytest.approx(base.vcov(kind).se["treated"], rel=1e-7)
    # FG works in the columns as they are: where they stand is part of its definition.
    only_scaled = FRAME.assign(siblings=FRAME["siblings"] / 8, lagscore=FRAME["lagscore"] * 1e3)
    scaled = cw.gee("lagscore ~ treated + siblings", only_scaled, cluster="school_id", vcov="FG")
    assert scaled.se["treated"] / 1e3 == pytest.approx(base.vcov("FG").se["treated"], rel=1e-9)


def test_margins_tables_frames_and_pickles() -> None:
    formula = "Bagrut_status ~ treated + girl"
    fit = cw.gee(formula, FRAME, cluster="school_id", family="binomial", keep_data=True)
    odds = fit.tidy(exponentiate=True)
    assert odds["estimate"].to_numpy() == pytest.approx(np.exp(fit.coef.to_numpy()))
    ratio = fit.margins("treated", at="observed", compare="ratio").contrasts().iloc[0]
    levels = fit.margins("treated", at="observed").tidy()["estimate"]
    assert ratio["estimate"] == pytest.approx(levels[1] / levels[0]) and ratio["df"] == 13
    assert fit.test(["treated", "girl"])["df_denom"].iloc[0] == 13
    again = pickle.loads(pickle.dumps(fit))
    pd.testing.assert_frame_equal(again.tidy(), fit.tidy())
    assert again.vcov("MBN").se["girl"] == fit.vcov("MBN").se["girl"]
    wide = cw.gee(formula, pl.from_pandas(FRAME), cluster="school_id", family="binomial")
    assert isinstance(wide.tidy(), pl.DataFrame)
    assert wide.coef.to_numpy() == pytest.approx(fit.coef.to_numpy(), rel=1e-12)
    assert "working correlation" in str(fit) and any("Liang" in line for line in fit.methods())
    with pytest.raises(InputError, match="no logarithms"):
        cw.gee("lagscore ~ treated", FRAME, cluster="school_id").tidy(exponentiate=True)


def trial(n: int = 16, m: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"school": np.repeat([f"s{i:02}" for i in range(n)], m)})
    frame["region"] = np.repeat(np.resize(["north", "south"], n), m)
    frame["pre"] = rng.normal(size=n * m)
    frame["y"] = frame["pre"] + np.repeat(rng.normal(size=n), m) + rng.normal(size=n * m)
    frame["passed"] = (frame["y"] > 0).astype(int)
    frame["arm"] = np.repeat(np.resize(["a", "b", "b", "a"], n), m)
    return frame


def test_a_trial_gives_clusters_and_strata() -> None:
    frame = trial().drop(columns="arm")
    design = cw.Design(
        "t", arms={"usual": 1, "new": 1}, cluster="school", strata=["region"], seed=3
    )
    drawn = design.assign(frame)
    fit = cw.gee("y ~ arm + pre", drawn.frame, design=drawn)
    assert fit.clusters == 16 and fit.strata_terms and fit.df["arm[T.new]"] == 12
    # Strata of few units would bias a log odds ratio.
    binary = cw.gee("passed ~ arm", drawn.frame, design=drawn, family="binomial")
    assert not binary.strata_terms and any("strata" in note for note in binary.notes)
    groups = cw.gee("y ~ pre", frame, cluster="school", by="region")
    assert set(groups) == {"north", "south"}
    assert len(cw.gee(["y ~ arm", "pre ~ arm"], drawn.frame, design=drawn).adjust()) == 2


def test_clusters_of_one_row_have_no_correlation() -> None:
    frame = trial().assign(school=range(64))
    fit = cw.gee("y ~ arm", frame, cluster="school")
    assert fit.working_correlation == 0.0 and any("one row" in note for note in fit.notes)
    rows = cw.ols("y ~ arm", frame, vcov="HC0")
    assert fit.vcov("CR0").se.to_numpy() == pytest.approx(rows.se.to_numpy(), rel=1e-10)


SMALL = trial(8, 3)


@pytest.mark.parametrize(
    ("change", "formula", "options", "error", "words"),
    [
        ({}, "y ~ arm", {"cluster": None}, InputError, "gee needs to know the clusters"),
        ({"school": "one"}, "y ~ pre", {}, InputError, "at least 2 clusters"),
        ({"y": 1.0}, "y ~ arm", {}, InputError, "fits every outcome exactly"),
        ({"passed": 1}, "passed ~ arm", {"family": "binomial"}, InputError, "passed"),
        ({}, "y ~ arm", {"family": "binomial"}, InputError, "y"),
        ({}, "y ~ arm", {"family": "poisson"}, InputError, "family is not known"),
        ({}, "y ~ arm", {"corstr": "ar1"}, InputError, "working correlation is not known"),
        ({}, "y ~ arm", {"divisor": "G"}, InputError, "divisor is not known"),
        ({}, "y ~ arm", {"vcov": "HC1"}, InputError, "counts rows as independent"),
        ({}, "y ~ arm", {"vcov": "satterthwaite"}, InputError, "belongs to mixed models"),
        ({"twice": lambda d: 2 * d["pre"]}, "y ~ arm + pre + twice", {}, RankError, "twice"),
        ({}, "y ~ poly(pre, 8)", {"corstr": "independence"}, InputError, "more clusters than"),
        (
            {"passed": lambda d: (d["pre"] > 0).astype(int)},
            "passed ~ pre",
            {"family": "binomial"},
            SeparationError,
            "pre",
        ),
    ],
)
def test_bad_input(
    change: dict[str, Any],
    formula: str,
    options: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        cw.gee(formula, SMALL.assign(**change), **{"cluster": "school", **options})


def test_a_correlation_that_cannot_be_gives_way_to_independence() -> None:
    """Rows that repel each other as far as they can, in clusters of two beside one of three."""
    rng = np.random.default_rng(1)
    half = rng.normal(size=20)
    frame = pd.DataFrame(
        {
            "y": np.r_[np.column_stack([half, -half]).ravel(), 0.0, 0.0, 0.0],
            "g": np.r_[np.repeat(np.arange(20), 2), 20, 20, 20],
        }
    )
    fit = cw.gee("y ~ 1", frame, cluster="g")
    assert fit.impossible is not None and fit.impossible < -0.5
    assert fit.working_correlation == 0.0
    assert any(f"came out as {fit.impossible:.3f}" in note for note in fit.notes)
    assert any("replaced by independence" in said for said in fit.methods())
    alone = cw.gee("y ~ 1", frame, cluster="g", corstr="independence")
    assert alone.impossible is None
    assert fit.coef.equals(alone.coef) and fit.se.equals(alone.se)
    binary = frame.assign(y=(frame["y"] > 0).astype(int))
    assert cw.gee("y ~ 1", binary, cluster="g", family="binomial").impossible is not None


@pytest.mark.parametrize("kind", ["KC", "MD", "FG", "MBN", "CR0", "CR2"])
def test_a_term_that_one_cluster_informs_is_not_judged_by_it(kind: str) -> None:
    frame = trial(8, 3).assign(arm=np.repeat(["a"] * 7 + ["b"], 3))
    with pytest.raises(InputError, match="which one cluster alone informs"):
        cw.gee("y ~ arm", frame, cluster="school", vcov=kind)
    assert cw.gee("y ~ arm", frame, cluster="school", vcov="iid").se.iloc[1] > 0


def test_one_cluster_an_arm_is_refused_in_a_trial() -> None:
    frame = trial(5, 3)
    frame["arm"] = np.repeat(["usual", "usual", "usual", "new", "new"], 3)
    seen = cw.Design("t", arms={"usual": 3, "new": 2}, cluster="school", seed=1).observe(
        frame, arm="arm"
    )
    with pytest.raises(DesignError, match="arm 'new' has 1"):
        cw.gee("y ~ arm", frame[frame["school"] != "s04"], design=seen)


def test_least_squares_refuses_its_corrections() -> None:
    with pytest.raises(InputError, match="belongs to generalised estimating equations"):
        cw.ols("y ~ arm", SMALL, cluster="school", vcov="KC")


def test_refits_without_each_cluster_are_refused_by_name():
    fit = cw.gee("Bagrut_status ~ treated", FRAME, cluster="school_id")
    assert (fit.vcov("CV3L").se > 0).all()
    for kind in ("CV3", "jackknife"):
        with pytest.raises(cw.InputError, match="Choose CV3L"):
            fit.vcov(kind)

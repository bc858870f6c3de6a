"""Cluster-level analysis: reference values, what it refuses, what a trial adds."""

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
KNOWN: dict[str, Any] = json.loads((HERE / "expected/cluster_level.json").read_text("utf-8"))
TRIAL = pd.read_csv(HERE / "data/achievement_2001.csv")
SCHOOLS = np.sort(TRIAL["school_id"].unique())
TRIAL["large"] = TRIAL.groupby("school_id")["upper"].transform("size") / 100
TRIAL["stratum"] = np.array(["b", "c", "a"])[np.searchsorted(SCHOOLS, TRIAL["school_id"]) % 3]

COLUMNS = ("estimate", "std_error", "p_value", "conf_low", "conf_high")


def same(found: pd.DataFrame, known: dict[str, Any]) -> None:
    for key in COLUMNS:
        assert found[key].to_numpy() == pytest.approx(known[key], rel=1e-9), key
    assert set(found["df"]) == {known["df"]}


@pytest.mark.parametrize(
    ("case", "formula", "options"),
    [
        ("unadjusted", "Bagrut_status ~ treated", {}),
        ("participants", "Bagrut_status ~ treated", {"weight": "participants"}),
        ("adjusted", "Bagrut_status ~ treated + girl + siblings + lagscore", {}),
        (
            "adjusted_participants",
            "Bagrut_status ~ treated + girl + siblings + lagscore",
            {"weight": "participants"},
        ),
        ("continuous", "lagscore ~ treated + girl + father_ed", {}),
        ("strata", "Bagrut_status ~ treated + girl + large + stratum", {}),
    ],
)
def test_differences_are_those_of_the_formulas(
    case: str, formula: str, options: dict[str, Any]
) -> None:
    fit = cw.cluster_level(formula, TRIAL, cluster="school_id", **options)
    same(fit.tidy(), KNOWN[case])
    assert (fit.n, fit.clusters) == (len(TRIAL), 39)


@pytest.mark.parametrize(
    ("case", "formula"),
    [
        ("ratio", "Bagrut_status ~ treated"),
        ("adjusted_ratio", "Bagrut_status ~ treated + girl + siblings + lagscore"),
        ("strata_ratio", "Bagrut_status ~ treated + girl + large + stratum"),
    ],
)
def test_ratios_are_those_of_the_formulas(case: str, formula: str) -> None:
    found = cw.cluster_level(formula, TRIAL, cluster="school_id").ratio()
    same(found, {key: [value] if key != "df" else value for key, value in KNOWN[case].items()})
    assert list(found["term"]) == ["treated"]


def test_the_first_stage_is_shown_cluster_by_cluster() -> None:
    fit = cw.cluster_level(
        "Bagrut_status ~ treated + girl + siblings + lagscore", TRIAL, cluster="school_id"
    )
    means = fit.cluster_means()
    order = np.argsort(means["cluster"].astype(int).to_numpy())
    assert means["expected"].to_numpy()[order] == pytest.approx(KNOWN["expected"], rel=1e-9)
    assert means["size"].sum() == len(TRIAL) and fit.stages == 2


def test_participants_weigh_as_least_squares_over_rows() -> None:
    """Weighted by sizes the difference is that of all rows, and its HC2 is CR2's."""
    fit = cw.cluster_level(
        "Bagrut_status ~ treated", TRIAL, cluster="school_id", weight="participants"
    )
    rows = cw.ols("Bagrut_status ~ treated", TRIAL, cluster="school_id")
    assert fit.coef.to_numpy() == pytest.approx(rows.coef.to_numpy(), rel=1e-12)
    assert fit.se.to_numpy() == pytest.approx(rows.se.to_numpy(), rel=1e-9)


def units(strata: list[str] | None = None) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "school": np.repeat([f"s{i:02}" for i in range(24)], 5),
            "region": np.repeat(np.resize(["north", "south"], 24), 5),
            "pre": rng.normal(size=120),
            "shared": np.repeat(rng.normal(size=24), 5),
        }
    )
    frame["y"] = frame["pre"] + frame["shared"] + rng.normal(size=120)
    frame["passed"] = (frame["y"] > 0).astype(int)
    design = cw.Design(
        "t", arms={"usual": 1, "new": 1}, cluster="school", strata=strata or [], seed=3
    )
    return frame, design.assign(frame)


def test_a_trial_gives_clusters_arm_and_strata() -> None:
    _, drawn = units(["region"])
    frame = drawn.frame
    fit = cw.cluster_level("y ~ arm + pre", frame, design=drawn)
    by_hand = cw.cluster_level(
        "y ~ new + pre + C(region)", frame.assign(new=frame["arm"] == "new"), cluster="school"
    )
    assert fit.clusters == 24 and fit.df["arm[T.new]"] == 21
    assert fit.p_value["arm[T.new]"] == pytest.approx(by_hand.p_value.iloc[1], rel=1e-9)
    assert len(fit.strata_terms) == 1 and fit.mark
    without = cw.cluster_level("y ~ arm + pre", frame, design=drawn, strata_terms=False)
    assert without.df["arm[T.new]"] == 22
    ratio = cw.cluster_level("passed ~ arm + pre", frame, design=drawn).ratio()
    assert list(ratio["term"]) == ["arm[T.new]"] and (ratio["conf_low"] < ratio["estimate"]).all()


def test_margins_groups_outcomes_and_frames() -> None:
    frame, drawn = units()
    frame = drawn.frame
    fit = cw.cluster_level("y ~ arm", frame, design=drawn)
    levels = fit.margins("arm").tidy()
    means = frame.groupby(["arm", "school"])["y"].mean().groupby("arm").mean()
    assert levels["estimate"].to_numpy() == pytest.approx(means[["usual", "new"]].to_numpy())
    family = cw.cluster_level(["y ~ arm + pre", "passed ~ arm"], frame, design=drawn)
    assert len(family.adjust("holm")) == 2
    groups = cw.cluster_level("y ~ arm", frame, cluster="school", by="region")
    assert set(groups) == {"north", "south"}
    found = cw.cluster_level("y ~ arm + pre", pl.from_pandas(frame), cluster="school")
    assert isinstance(found.tidy(), pl.DataFrame)
    assert found.coef.to_numpy() == pytest.approx(
        cw.cluster_level("y ~ arm + pre", frame, cluster="school").coef.to_numpy(), rel=1e-13
    )


def test_missing_covariates_are_dropped_or_filled() -> None:
    frame, drawn = units()
    frame = drawn.frame.copy()
    frame.loc[[3, 50], "pre"] = np.nan
    dropped = cw.cluster_level("y ~ arm + pre", frame, design=drawn)
    assert dropped.n == 118 and any("2 of 120 rows dropped" in note for note in dropped.notes)
    filled = cw.cluster_level("y ~ arm + pre", frame, design=drawn, missing="indicator")
    assert filled.n == 120 and filled.df["arm[T.new]"] == 22


def test_pickles_keep_what_they_were_asked_to() -> None:
    _, drawn = units()
    fit = cw.cluster_level("passed ~ arm + pre", drawn.frame, design=drawn, keep_data=True)
    again = pickle.loads(pickle.dumps(fit))
    pd.testing.assert_frame_equal(again.ratio(), fit.ratio())
    pd.testing.assert_frame_equal(again.cluster_means(), fit.cluster_means())
    bare = pickle.loads(pickle.dumps(cw.cluster_level("passed ~ arm", drawn.frame, design=drawn)))
    assert len(bare.tidy()) == 2
    with pytest.raises(InputError, match="loaded without its data"):
        bare.ratio()
    with pytest.raises(InputError, match="loaded without its data"):
        bare.cluster_means()


FRAME = pd.DataFrame(
    {
        "y": np.arange(24) % 5 + 0.5,
        "passed": np.resize([1, 0, 1, 1, 0], 24),
        "arm": np.repeat(np.resize(["a", "b"], 8), 3),
        "x": np.random.default_rng(1).normal(size=24),
        "school": np.repeat(np.arange(8), 3),
        "one": 1.0,
    }
)


@pytest.mark.parametrize(
    ("change", "formula", "options", "error", "words"),
    [
        ({}, "y ~ arm", {"cluster": None}, InputError, "needs to know the clusters"),
        ({}, "y ~ arm + x - 1", {}, InputError, "needs an intercept"),
        ({}, "y ~ 1", {}, InputError, "names no arm"),
        ({}, "y ~ arm * x", {}, InputError, "the arm must stand in the formula once"),
        ({"arm": np.resize(["a", "b"], 24)}, "y ~ arm", {}, InputError, "varies within 8 clusters"),
        (
            {"arm": np.repeat(["a"] * 7 + ["b"], 3)},
            "y ~ arm",
            {},
            DesignError,
            "arm 'b' has 1 of the clusters",
        ),
        ({}, "y ~ arm + one", {}, RankError, "same value in every row"),
        ({"passed": 0}, "passed ~ arm", {}, None, ""),
        ({}, "y ~ arm", {"vcov": "CR2"}, InputError, "each cluster is one value"),
        ({}, "y ~ arm", {"vcov": 3}, InputError, "vcov="),
        ({}, "y ~ arm", {"weight": "rows"}, InputError, "weight='rows' is unknown"),
        ({}, ["y ~ arm"], {"by": "arm"}, InputError, "do not go together"),
        ({"y": np.nan}, "y ~ arm", {}, InputError, "y"),
    ],
)
def test_bad_input(
    change: dict[str, Any],
    formula: Any,
    options: dict[str, Any],
    error: type[Exception] | None,
    words: str,
) -> None:
    frame = FRAME.assign(**change)
    asked = {"cluster": "school", **options}
    if error is None:
        fit = cw.cluster_level(formula, frame, **asked)
        assert np.isnan(fit.p_value["arm[T.b]"]) and any("not estimable" in n for n in fit.notes)
        return
    with pytest.raises(error, match=words):
        cw.cluster_level(formula, frame, **asked)


def test_a_varying_arm_names_its_rows() -> None:
    frame = FRAME.copy()
    frame.loc[4, "arm"] = "a"
    with pytest.raises(InputError) as caught:
        cw.cluster_level("y ~ arm", frame, cluster="school")
    assert caught.value.rows == [3, 4, 5] and caught.value.column == "arm"


def test_ratios_are_refused_where_none_is_defined() -> None:
    with pytest.raises(InputError, match="yes-or-no outcome"):
        cw.cluster_level("y ~ arm", FRAME, cluster="school").ratio()
    nobody = FRAME.assign(passed=np.where(FRAME["arm"] == "a", 0, FRAME["passed"]))
    with pytest.raises(InputError, match="above 0"):
        cw.cluster_level("passed ~ arm", nobody, cluster="school").ratio()


def test_covariates_that_separate_the_outcome_take_the_penalty() -> None:
    frame = FRAME.assign(x=FRAME["passed"] * 2.0 - FRAME.index / 100)
    fit = cw.cluster_level("passed ~ arm + x", frame, cluster="school")
    assert any("Firth's penalty" in note for note in fit.notes)
    # The first stage is that of cw.logit itself.
    with pytest.raises(SeparationError, match="x"):
        cw.logit("passed ~ x", frame, vcov="iid")
    first = cw.logit("passed ~ x", frame, penalty="firth")
    expected = first.predict()["estimate"].groupby(frame["school"], sort=False).mean()
    assert np.allclose(fit.cluster_means()["expected"], expected, rtol=1e-9)
    plain = cw.cluster_level("passed ~ arm", frame, cluster="school")
    assert not any("penalty" in note for note in plain.notes)

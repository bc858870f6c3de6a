"""The linear mixed model: reference values, identities, the boundary, what it refuses."""

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
from crewe.exceptions import DesignError, InputError, RankError

HERE = Path(__file__).parents[1] / "reference"
KNOWN: dict[str, Any] = json.loads((HERE / "expected/mixed.json").read_text("utf-8"))["cases"]


def fitted(name: str) -> Any:
    case = KNOWN[name]
    return cw.mixed(case["formula"], pd.DataFrame(case["data"]), cluster="id")


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_estimates_variances_and_degrees_are_those_of_the_formulas(name: str) -> None:
    known, fit = KNOWN[name], fitted(name)
    assert fit.coef.to_numpy() == pytest.approx(known["coef"], rel=1e-9)
    assert fit.statistics["variance_between"] == pytest.approx(known["between"], rel=1e-9)
    assert fit.statistics["variance_within"] == pytest.approx(known["within"], rel=1e-9)
    assert fit.statistics["log_likelihood"] == pytest.approx(known["log_likelihood"], rel=1e-10)
    assert fit.se.to_numpy() == pytest.approx(known["kr_se"], rel=1e-9)
    assert fit.df.to_numpy() == pytest.approx(known["kr_df"], rel=1e-8)
    other = fit.vcov("satterthwaite")
    assert other.se.to_numpy() == pytest.approx(known["se"], rel=1e-9)
    assert other.df.to_numpy() == pytest.approx(known["satterthwaite_df"], rel=1e-8)
    # lmerTest differentiates by differences, and lme4 stops where its optimiser does.
    assert other.df.to_numpy() == pytest.approx(known["lmertest_df"], rel=1e-5)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_joint_tests_are_those_of_kenward_and_roger(name: str) -> None:
    known, fit = KNOWN[name]["joint"], fitted(name)
    found = fit.test(fit.terms[1:]).iloc[0]
    for key in ("statistic", "df_num", "df_denom"):
        assert found[key] == pytest.approx(known[key], rel=1e-8)
    alone = fit.test("arm").iloc[0]
    assert alone["p_value"] == pytest.approx(fit.p_value["arm"], rel=1e-10)
    with pytest.raises(InputError, match="depend on how it is written"):
        fit.vcov("satterthwaite").test(["Intercept", "arm"])


def test_crt_data_has_the_published_numbers() -> None:
    """eefAnalytics' crtData by lme4 and pbkrtest, as near as their optimiser went."""
    fit = fitted("crt")
    assert fit.se["arm"] == pytest.approx(1.21581383247, rel=1e-8)
    assert fit.df["arm"] == pytest.approx(17.8114321535, rel=1e-8)
    assert fit.p_value["arm"] == pytest.approx(0.0198864281, rel=1e-7)


def trial(n: int = 24, m: int = 5, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"school": np.repeat([f"s{i:02}" for i in range(n)], m)})
    frame["arm"] = np.repeat(np.resize(["usual", "new"], n), m)
    frame["pre"] = rng.normal(size=n * m)
    frame["y"] = frame["pre"] + np.repeat(rng.normal(size=n), m) + rng.normal(size=n * m)
    frame["region"] = np.repeat(np.resize(["north", "north", "south", "south"], n), m)
    return frame


def test_a_balanced_trial_has_the_t_test_of_cluster_means() -> None:
    frame = trial()
    mixed = cw.mixed("y ~ arm", frame, cluster="school")
    means = cw.cluster_level("y ~ arm", frame, cluster="school")
    for key in ("coef", "se", "df", "p_value"):
        assert getattr(mixed, key).to_numpy() == pytest.approx(
            getattr(means, key).to_numpy(), rel=1e-8
        )
    assert mixed.icc == pytest.approx(
        cw.icc("y", frame.assign(y=mixed.residuals()), cluster="school", method="reml").estimate,
        rel=0.2,
    )


def test_the_intercept_alone_gives_the_icc_by_reml() -> None:
    frame = trial()
    fit = cw.mixed("y ~ 1", frame, cluster="school")
    assert fit.icc == pytest.approx(
        cw.icc("y", frame, cluster="school", method="reml").estimate, rel=1e-9
    )


@pytest.mark.parametrize("kind", ["kenward-roger", "satterthwaite", "CR2", "CV3L"])
def test_units_shift_and_order_change_nothing(kind: str) -> None:
    frame = trial()
    base = cw.mixed("y ~ arm + pre", frame, cluster="school", vcov=kind)
    other = frame.sample(frac=1, random_state=1).assign(
        y=lambda d: 1e3 * d["y"] + 1e6, pre=lambda d: d["pre"] * 1e-3 + 5e4
    )
    moved = cw.mixed("y ~ arm + pre", other, cluster="school", vcov=kind)
    assert moved.se.iloc[1] == pytest.approx(1e3 * base.se.iloc[1], rel=1e-7)
    assert moved.df.iloc[1] == pytest.approx(base.df.iloc[1], rel=1e-6)
    assert moved.icc == pytest.approx(base.icc, rel=1e-6)


def test_at_the_boundary_the_result_says_so() -> None:
    fit = fitted("boundary")
    assert fit.boundary and fit.icc == 0.0
    assert any("estimated as 0" in note for note in fit.notes)
    rows = cw.ols(KNOWN["boundary"]["formula"], pd.DataFrame(KNOWN["boundary"]["data"]), vcov="iid")
    assert fit.vcov("satterthwaite").se.to_numpy() == pytest.approx(rows.se.to_numpy(), rel=1e-10)
    assert not fitted("crt").boundary


def test_margins_frames_groups_and_pickles() -> None:
    frame = trial()
    fit = cw.mixed("y ~ arm + pre", frame, cluster="school", keep_data=True)
    compared = fit.margins("arm").contrasts().iloc[0]
    assert compared["estimate"] == pytest.approx(fit.coef.iloc[1], rel=1e-10)
    assert compared["df"] == pytest.approx(fit.df.iloc[1], rel=1e-8)
    again = pickle.loads(pickle.dumps(fit))
    pd.testing.assert_frame_equal(again.tidy(), fit.tidy())
    assert again.vcov("CR2").se.iloc[1] == fit.vcov("CR2").se.iloc[1]
    wide = cw.mixed("y ~ arm + pre", pl.from_pandas(frame), cluster="school")
    assert isinstance(wide.tidy(), pl.DataFrame)
    assert wide.coef.to_numpy() == pytest.approx(fit.coef.to_numpy(), rel=1e-13)
    groups = cw.mixed("y ~ arm", frame, cluster="school", by="region")
    assert set(groups) == {"north", "south"} and "variance between" in str(groups["north"])
    assert len(cw.mixed(["y ~ arm", "pre ~ arm"], frame, cluster="school").adjust()) == 2
    predicted = fit.predict()
    assert predicted["estimate"].to_numpy() + fit.residuals() == pytest.approx(
        frame["y"].to_numpy()
    )


def test_a_trial_gives_clusters_and_strata() -> None:
    frame = trial().drop(columns="arm")
    design = cw.Design(
        "t", arms={"usual": 1, "new": 1}, cluster="school", strata=["region"], seed=3
    )
    drawn = design.assign(frame)
    fit = cw.mixed("y ~ arm + pre", drawn.frame, design=drawn)
    assert fit.clusters == 24 and fit.strata_terms and fit.terms[1] == "arm[T.new]"
    assert np.isfinite(fit.df["arm[T.new]"])


FRAME = trial(8, 3)


@pytest.mark.parametrize(
    ("change", "formula", "options", "error", "words"),
    [
        ({}, "y ~ arm", {"cluster": None}, InputError, "mixed needs to know the clusters"),
        ({"school": "one"}, "y ~ pre", {}, InputError, "at least 2 clusters"),
        ({"school": range(24)}, "y ~ arm", {}, InputError, "every cluster has one row"),
        ({"y": 1.0}, "y ~ arm", {}, InputError, "does not vary within clusters"),
        (
            {"y": np.repeat(np.arange(8.0), 3)},
            "y ~ arm",
            {},
            InputError,
            "does not vary within clusters",
        ),
        ({"twice": lambda d: 2 * d["pre"]}, "y ~ arm + pre + twice", {}, RankError, "twice"),
        ({}, "y ~ arm", {"vcov": "HC2"}, InputError, "counts rows as independent"),
        ({}, "y ~ arm", {"vcov": "KC"}, InputError, "generalised estimating equations"),
        ({}, "y ~ arm", {"level": 2}, InputError, "level"),
        ({}, "y ~ y", {}, InputError, "both sides"),
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
        cw.mixed(formula, FRAME.assign(**change), **{"cluster": "school", **options})


def test_a_term_that_one_cluster_informs_rests_on_the_model() -> None:
    frame = trial(8, 3).assign(arm=np.repeat(["a"] * 7 + ["b"], 3))
    fit = cw.mixed("y ~ arm", frame, cluster="school")
    assert any("one cluster alone informs arm[T.b]" in note for note in fit.notes)
    assert fit.se.iloc[1] > fit.se.iloc[0]
    with pytest.raises(InputError, match="which one cluster alone informs"):
        fit.vcov("CR2")


def test_one_cluster_an_arm_is_refused_in_a_trial() -> None:
    frame = trial(5, 3)
    frame["arm"] = np.repeat(["usual", "usual", "usual", "new", "new"], 3)
    seen = cw.Design("t", arms={"usual": 3, "new": 2}, cluster="school", seed=1).observe(
        frame, arm="arm"
    )
    with pytest.raises(DesignError, match="arm 'new' has 1"):
        cw.mixed("y ~ arm", frame[frame["school"] != "s04"], design=seen)


def test_other_models_refuse_its_covariances() -> None:
    with pytest.raises(InputError, match="belongs to mixed models"):
        cw.ols("y ~ arm", FRAME, cluster="school", vcov="kenward-roger")

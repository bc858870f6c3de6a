"""Logit with Firth's penalty as users meet it; its numbers are held against R in tests/firth.rs."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest

REFERENCE = Path(__file__).parents[1] / "reference" / "expected" / "firth.json"


def reference(name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    cases = {case["name"]: case for case in json.loads(REFERENCE.read_text())["cases"]}
    return pd.DataFrame(cases[name]["data"]["columns"]), cases[name]


@pytest.fixture
def families() -> pd.DataFrame:
    """Give ten families of which those of the first arm have no event."""
    return reference("ten_families")[0]


def penalised(data: pd.DataFrame, **options: Any) -> Any:
    return cw.logit("event ~ arm + age + girl", data, penalty="firth", **options)


def test_the_refusal_of_separation_names_the_penalty(families: pd.DataFrame) -> None:
    with pytest.raises(cw.SeparationError, match=r"shares of the clusters.*ols.*penalty='firth'"):
        cw.logit("event ~ arm + age + girl", families, cluster="family")


def test_a_table_is_the_references(families: pd.DataFrame) -> None:
    want = reference("ten_families")[1]
    for kind in ("CR1", "CV3", "iid"):
        table = penalised(families, cluster="family", vcov=kind).tidy()
        np.testing.assert_allclose(table["estimate"], want["coef"], rtol=1e-9)
        np.testing.assert_allclose(table["std_error"], want["vcov"][kind]["se"], rtol=1e-8)
        np.testing.assert_allclose(table["p_value"], want["vcov"][kind]["p"], rtol=1e-7)
    profile = penalised(families).tidy()
    for column, name in (("conf_low", "conf_low"), ("conf_high", "conf_high"), ("p_value", "p")):
        np.testing.assert_allclose(profile[column], want["profile"][name], rtol=1e-7)
    odds = penalised(families).odds_ratios()
    np.testing.assert_allclose(odds["conf_high"], np.exp(profile["conf_high"][1:]), rtol=1e-12)


def test_defaults_follow_from_clusters(families: pd.DataFrame) -> None:
    assert penalised(families).vcov_name == "profile"
    assert penalised(families, cluster="family").vcov_name == "CV3"
    for times, kind in ((4, "CV3"), (5, "CR1")):
        parts = [
            families.assign(family=families["family"].astype(str) + f" {i}") for i in range(times)
        ]
        many = pd.concat(parts, ignore_index=True)
        assert penalised(many, cluster="family").vcov_name == kind
    assert cw.logit("event ~ age + girl", families).vcov_name == "HC2"
    assert type(cw.logit("event ~ age + girl", families)) is cw.Logit


def test_separation_is_said_where_clusters_are_believed(families: pd.DataFrame) -> None:
    fit = penalised(families, cluster="family")
    assert fit.separated
    for kind in ("CR1", "CV3", "HC1"):
        assert any("too small" in note for note in fit.vcov(kind).notes), kind
    assert not any("too small" in note for note in fit.vcov("profile").notes)
    mixed = families.assign(event=np.arange(len(families)) % 3 == 0)
    fit = penalised(mixed, cluster="family")
    assert not fit.separated and not any("too small" in note for note in fit.notes)


def test_pickles_and_other_levels(families: pd.DataFrame) -> None:
    fit = penalised(families, keep_data=True)
    again = pickle.loads(pickle.dumps(fit))
    assert again.separated and again.tidy(0.9).equals(fit.tidy(0.9))
    bare = pickle.loads(pickle.dumps(penalised(families)))
    assert bare.tidy().equals(fit.tidy()) and bare.separated
    with pytest.raises(cw.InputError, match="without its data"):
        bare.tidy(0.9)
    wide, narrow = fit.confint(0.99), fit.confint(0.5)
    assert (wide["conf_low"] < narrow["conf_low"]).all() and (
        narrow["conf_high"] < wide["conf_high"]
    ).all()


def test_margins_and_prediction(families: pd.DataFrame) -> None:
    fit = penalised(families, cluster="family")
    levels = fit.margins("arm", at="observed", values=[0, 1]).tidy()
    shown = fit.predict(families.assign(arm=1))["estimate"].mean()
    assert levels["estimate"][1] == pytest.approx(shown, rel=1e-12)
    assert "towards 1/2" in str(fit.margins("arm", at="observed", values=[0, 1]))
    assert "Firth" in " ".join(fit.methods())
    assert {"penalised_log_likelihood", "likelihood_ratio", "likelihood_ratio_p"} <= set(
        fit.glance()
    )


def test_groups_and_lists_of_formulas(families: pd.DataFrame) -> None:
    data = families.assign(half=np.where(families["family"] <= 5, "a", "b"), other=families["girl"])
    groups = cw.logit("event ~ age", data, by="half", penalty="firth")
    assert all(type(groups[key]) is cw.PenalisedLogit for key in groups)
    several = cw.logit(["event ~ age", "other ~ age"], data, penalty="firth")
    assert len(several.tidy()) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": "ridge"}, "no penalty called 'ridge'"),
        ({"penalty": 3}, "penalty"),
        ({"penalty": "firth", "weights": "age"}, "takes no weights"),
        ({"penalty": "firth", "vcov": "CR2", "cluster": "family"}, "CR2 corrects residuals"),
        ({"penalty": "firth", "vcov": "HC3"}, "HC3 corrects residuals"),
        ({"penalty": "firth", "df": "residual"}, "no degrees of freedom to choose"),
        ({"penalty": "firth", "vcov": "CV3"}, "needs to know the clusters"),
        ({"vcov": "profile"}, "no covariance called 'profile'"),
        ({"penalty": "firth", "level": 95}, "level"),
    ],
)
def test_bad_input(families: pd.DataFrame, options: dict[str, Any], message: str) -> None:
    with pytest.raises(cw.InputError, match=message):
        cw.logit("event ~ girl", families, **options)


def test_what_no_penalty_helps(families: pd.DataFrame) -> None:
    with pytest.raises(cw.InputError, match="0 in every row"):
        penalised(families.assign(event=0))
    with pytest.raises(cw.RankError, match="twice"):
        cw.logit(
            "event ~ girl + twice", families.assign(twice=2 * families["girl"]), penalty="firth"
        )
    with pytest.raises(TypeError, match="penalty"):
        cw.probit("event ~ girl", families, penalty="firth")


def test_the_jackknife_of_a_logit_is_made_of_refits() -> None:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"family": np.repeat(np.arange(30), 4), "x": rng.normal(size=120)})
    data["y"] = (rng.random(120) < 1 / (1 + np.exp(-data["x"]))).astype(int)
    for model in (cw.logit, cw.probit):
        fit = model("y ~ x", data, cluster="family", vcov="CV3")
        without = [model("y ~ x", data[data["family"] != g], vcov="HC0").coef for g in range(30)]
        changes = np.asarray(without) - fit.coef.to_numpy()
        np.testing.assert_allclose(fit.cov, 29 / 30 * changes.T @ changes, rtol=1e-8)
        assert fit.vcov("jackknife").cov.equals(fit.cov)
        assert abs(fit.vcov("CV3L").se["x"] / fit.se["x"] - 1) > 1e-4
    line = cw.ols("y ~ x", data, cluster="family")
    np.testing.assert_allclose(line.vcov("CV3").cov, line.vcov("CV3L").cov, rtol=1e-12)


def test_a_refit_that_is_separated_is_not_estimable() -> None:
    # Only the family 0 has a 1 where x is 0.
    data = pd.DataFrame({"family": np.repeat(np.arange(6), 4), "x": [0, 0, 1, 1] * 6})
    data["y"] = np.where(data["x"] == 1, np.arange(24) % 2, 0)
    data.loc[0, "y"] = 1
    fit = cw.logit("y ~ x", data, cluster="family", vcov="CV3")
    assert fit.tidy()[["std_error", "df", "p_value", "conf_low"]].isna().all(axis=None)
    assert any(
        "not estimable: without one of 1 of 6 clusters" in note and "'x'" in note
        for note in fit.notes
    )
    with pytest.raises(cw.InputError, match="not estimable under CV3"):
        fit.test(["x"])
    assert fit.vcov("CV3L").se.notna().all()
    penalised = cw.logit("y ~ x", data, cluster="family", vcov="CV3", penalty="firth")
    assert penalised.se.notna().all()


@pytest.mark.parametrize("kind", ["KC", "MD", "FG", "MBN", "MR", "KCMR", "MDMR", "FGMR", "MBNMR"])
def test_corrections_of_cox_models_are_refused_elsewhere(families: pd.DataFrame, kind: str) -> None:
    with pytest.raises(cw.InputError, match=f"{kind} belongs to"):
        cw.ols("event ~ girl", families, cluster="family", vcov=kind)

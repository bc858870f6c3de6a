"""Predictions of every model, and risks of Cox models, against the sums that they are."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
EXPECTED = Path(__file__).parents[1] / "reference" / "expected"
FAMILIES = json.loads((EXPECTED / "margins.json").read_text("utf-8"))["data"]["families"]["columns"]
COX = json.loads((EXPECTED / "cox_small.json").read_text("utf-8"))["data"]
MODELS: dict[str, tuple[Callable[..., Any], str]] = {
    "ols": (cw.ols, "score"),
    "logit": (cw.logit, "referred"),
    "probit": (cw.probit, "referred"),
}
INVERSE: dict[str, Callable[[Floats], Floats]] = {
    "ols": lambda eta: eta,
    "logit": lambda eta: 1 / (1 + np.exp(-eta)),
    "probit": stats.norm.cdf,
}
SLOPE: dict[str, Callable[[Floats], Floats]] = {
    "ols": np.ones_like,
    "logit": lambda eta: np.exp(-eta) / (1 + np.exp(-eta)) ** 2,
    "probit": stats.norm.pdf,
}


def families() -> pd.DataFrame:
    return pd.DataFrame(FAMILIES)


def fitted(model: str, data: Any, **options: Any) -> Any:
    fit, outcome = MODELS[model]
    formula = f"{outcome} ~ arm * age + site + np.log(age) + need"
    return fit(formula, data, **{"cluster": "family", **options})


def columns(data: pd.DataFrame) -> pd.DataFrame:
    """Give the design of that formula, written out."""
    arm = (data["arm"] == "programme").astype(float)
    return pd.DataFrame(
        {
            "Intercept": 1.0,
            "arm[T.programme]": arm,
            "age": data["age"],
            "site[T.moor]": (data["site"] == "moor").astype(float),
            "site[T.town]": (data["site"] == "town").astype(float),
            "np.log(age)": np.log(data["age"]),
            "need": data["need"],
            "arm[T.programme]:age": arm * data["age"],
        }
    )


def new_rows() -> pd.DataFrame:
    """Give rows that the fit has not seen, in an order of their own, with more columns than are needed."""
    return pd.DataFrame(
        {
            "unused": ["x", "y", "z", "w", "v"],
            "need": [0.1, -2.0, 3.3, np.nan, 1.0],
            "site": ["town", "coast", "moor", "moor", None],
            "age": [4.0, 16.5, 9.0, 2.0, 3.0],
            "arm": ["programme", "control", "control", "programme", "programme"],
        },
        index=[9, 3, 7, 1, 2],
    )


@pytest.mark.parametrize("model", MODELS)
def test_the_analysed_rows(model: str) -> None:
    data = families()
    fit = fitted(model, data)
    x = columns(data)[fit.terms]
    eta = x.to_numpy() @ fit.coef.to_numpy()
    np.testing.assert_allclose(fit.predict(kind="link")["estimate"], eta, rtol=1e-11, atol=1e-12)
    mean = INVERSE[model](eta)
    np.testing.assert_allclose(fit.predict()["estimate"], mean, rtol=1e-11, atol=1e-13)
    outcome = data[MODELS[model][1]]
    np.testing.assert_allclose(outcome - fit.predict()["estimate"], fit.residuals(), atol=1e-10)
    np.testing.assert_array_equal(fit.predict(data)["estimate"], fit.predict()["estimate"])


@pytest.mark.parametrize("kind", ["CR2", "CR1", "iid", "HC2"])
@pytest.mark.parametrize("model", MODELS)
def test_standard_errors_and_limits_of_new_rows(model: str, kind: str) -> None:
    fit = fitted(model, families()).vcov(kind)
    rows = new_rows()
    x = columns(rows)[fit.terms].to_numpy()[:3]
    eta = x @ fit.coef.to_numpy()
    se = np.sqrt(np.einsum("ij,jk,ik->i", x, fit.cov.to_numpy(), x))
    df = fit.contrast(x)["df"].to_numpy()
    for level in (0.95, 0.8):
        reach = stats.t.ppf(0.5 + level / 2, df) * se
        link = fit.predict(rows, kind="link", level=level)
        assert list(link) == ["estimate", "std_error", "df", "conf_low", "conf_high"]
        np.testing.assert_allclose(link["estimate"][:3], eta, rtol=1e-10)
        np.testing.assert_allclose(link["std_error"][:3], se, rtol=1e-9)
        np.testing.assert_allclose(link["df"][:3], df, rtol=1e-9)
        np.testing.assert_allclose(link["conf_low"][:3], eta - reach, rtol=1e-9)
        np.testing.assert_allclose(link["conf_high"][:3], eta + reach, rtol=1e-9)
        # Of the mean: the delta method's standard error, and the limits of the link transformed.
        mean = fit.predict(rows, level=level)
        np.testing.assert_allclose(mean["estimate"][:3], INVERSE[model](eta), rtol=1e-10)
        np.testing.assert_allclose(mean["std_error"][:3], SLOPE[model](eta) * se, rtol=1e-9)
        np.testing.assert_allclose(mean["conf_low"][:3], INVERSE[model](eta - reach), rtol=1e-9)
        np.testing.assert_allclose(mean["conf_high"][:3], INVERSE[model](eta + reach), rtol=1e-9)
        # A row with a missing value gets none, and keeps its place.
        assert link.iloc[3:].isna().all(axis=None) and mean.iloc[3:].isna().all(axis=None)
        assert not mean.iloc[:3].isna().any(axis=None)


@pytest.mark.parametrize("model", MODELS)
def test_frames_of_every_kind(model: str) -> None:
    fit, want = fitted(model, families()), fitted(model, families()).predict(new_rows(), level=0.9)
    polars = pl.from_pandas(new_rows())
    for given in (polars, polars.lazy()):
        got = fit.predict(given, level=0.9)
        assert isinstance(got, pl.DataFrame)
        np.testing.assert_array_equal(got["estimate"], want["estimate"])
        np.testing.assert_array_equal(got["conf_high"], want["conf_high"])
    shuffled = fit.predict(new_rows().iloc[[4, 2, 0, 3, 1]])["estimate"].to_numpy()
    np.testing.assert_array_equal(shuffled[[2, 4, 1]], want["estimate"][:3])
    # A category whose levels come in another order, or of which only some are there.
    rows = new_rows().iloc[:3]
    rows["site"] = pd.Categorical(rows["site"], categories=["town", "moor", "coast", "sea"])
    np.testing.assert_array_equal(fit.predict(rows)["estimate"], want["estimate"][:3])
    one = fit.predict(new_rows().iloc[[1]])["estimate"]
    np.testing.assert_array_equal(one, want["estimate"][1:2])
    assert len(fit.predict(new_rows().iloc[:0])) == 0


@pytest.mark.parametrize("model", MODELS)
def test_refusals(model: str) -> None:
    fit = fitted(model, families())
    for given in (
        new_rows().assign(site="sea"),
        pl.from_pandas(new_rows()).with_columns(site=pl.lit("sea")),
    ):
        with pytest.raises(
            cw.InputError, match="'site' has levels that the model has not seen"
        ) as caught:
            fit.predict(given)
        assert caught.value.values == ["sea"] and caught.value.column == "site"
        assert caught.value.rows == [0, 1, 2, 3, 4]
        assert "coast, moor, town" in str(caught.value)
    with pytest.raises(cw.InputError, match="there is no column 'need'"):
        fit.predict(new_rows().drop(columns="need"))
    with pytest.raises(cw.InputError, match="kind='mean' is unknown"):
        fit.predict(kind="mean")
    with pytest.raises(cw.InputError, match="confidence level"):
        fit.predict(level=95)
    with pytest.raises(cw.InputError) as caught:
        fit.predict(new_rows().assign(need="much"))
    assert caught.value.column == "need"


@pytest.mark.parametrize("model", MODELS)
def test_arrays(model: str) -> None:
    data = families()
    call, outcome = MODELS[model]
    x = data[["age", "need"]].to_numpy()
    fit = call(data[outcome].to_numpy(), x, cluster=data["family"].to_numpy())
    rows = np.array([[4.0, 0.1], [9.0, np.nan], [16.0, -3.0]])
    got = fit.predict(rows, kind="link", level=0.95)
    want = fit.coef.iloc[0] + rows @ fit.coef.iloc[1:].to_numpy()
    np.testing.assert_allclose(got["estimate"], want, rtol=1e-11)
    assert np.isnan(got["estimate"][1]) and np.isnan(got["std_error"][1])
    np.testing.assert_allclose(
        fit.predict(rows[0])["estimate"], INVERSE[model](want[:1]), rtol=1e-11
    )
    with pytest.raises(cw.InputError, match="3 columns"):
        fit.predict(np.ones((2, 3)))


def test_offsets_cost_no_digits() -> None:
    data = families()
    plain = cw.ols("score ~ arm + age + need", data, cluster="family").predict(level=0.95)
    far = data.assign(age=data["age"] + 2.0**30)
    moved = cw.ols("score ~ arm + age + need", far, cluster="family").predict(level=0.95)
    # What is left of a tenth beside 2^30 is known to 1e-7.
    np.testing.assert_allclose(moved["estimate"], plain["estimate"], rtol=1e-6)
    np.testing.assert_allclose(moved["std_error"], plain["std_error"], rtol=1e-6)


def test_pickles() -> None:
    for model in MODELS:
        fit = fitted(model, families(), keep_data=True)
        again = pickle.loads(pickle.dumps(fit))
        pd.testing.assert_frame_equal(
            again.predict(new_rows(), level=0.95), fit.predict(new_rows(), level=0.95)
        )
        bare = pickle.loads(pickle.dumps(fitted(model, families())))
        with pytest.raises(cw.InputError, match="loaded without its data"):
            bare.predict(new_rows())


# -- Cox models -------------------------------------------------------------------------------


def cases(name: str = "clusters_20") -> pd.DataFrame:
    data = pd.DataFrame(COX[name]["columns"])
    data["arm"] = np.where(data["arm"] == 1, "programme", "control")
    return data


COX_FORMULA = "Surv(time, event) ~ arm + age + girl"


def cox_columns(data: pd.DataFrame) -> Floats:
    x = pd.DataFrame({"arm": data["arm"] == "programme", "age": data["age"], "girl": data["girl"]})
    return x.to_numpy(dtype=float)


def hazard_at(fit: Any, time: float) -> float:
    base = fit.baseline()
    before = base[base["time"] <= time]
    return float(before["hazard"].iloc[-1]) if len(before) else 0.0


def test_hazard_ratios_and_links() -> None:
    data = cases()
    fit = cw.coxph(COX_FORMULA, data, cluster="cluster")
    x = cox_columns(data)
    rows = data.iloc[[5, 0, 40]].copy()
    rows.loc[rows.index[1], "age"] = np.nan
    away = cox_columns(rows) - x.mean(axis=0)
    for kind in ("iid", "CR0", "CR3", "jackknife"):
        other = fit.vcov(kind)
        eta = away @ fit.coef.to_numpy()
        link = other.predict(rows, kind="link", level=0.9)
        np.testing.assert_allclose(link["estimate"], eta, rtol=1e-9)
        se = np.sqrt(np.einsum("ij,jk,ik->i", away, other.cov.to_numpy(), away))
        np.testing.assert_allclose(link["std_error"], se, rtol=1e-9)
        reach = stats.t.ppf(0.95, other.df.iloc[0]) * se
        ratio = other.predict(rows, level=0.9)
        np.testing.assert_allclose(ratio["estimate"], np.exp(eta), rtol=1e-9)
        np.testing.assert_allclose(ratio["conf_low"], np.exp(eta - reach), rtol=1e-9)
        np.testing.assert_allclose(ratio["conf_high"], np.exp(eta + reach), rtol=1e-9)
        assert np.isnan(ratio["estimate"].iloc[1]) and np.isnan(link["std_error"].iloc[1])
    everybody = fit.predict(kind="link")["estimate"]
    np.testing.assert_allclose(everybody, (x - x.mean(axis=0)) @ fit.coef.to_numpy(), atol=1e-12)


def test_risks_and_survival() -> None:
    data = cases()
    fit = cw.coxph(COX_FORMULA, data, cluster="cluster")
    rows = data.iloc[[5, 0, 40, 41]].copy()
    rows.loc[rows.index[3], "girl"] = np.nan
    relative = np.exp(cox_columns(rows) @ fit.coef.to_numpy())
    last = float(data["time"].max())
    for time in (0.0, float(data["time"].median()), last):
        survival = fit.predict(rows, kind="survival", time=time, level=0.95)
        risk = fit.predict(rows, kind="risk", time=time, level=0.95)
        want = np.exp(-hazard_at(fit, time) * relative)
        if time > data["time"].max():
            assert survival.isna().all(axis=None) and risk.isna().all(axis=None)
            continue
        np.testing.assert_allclose(survival["estimate"], want, rtol=1e-10)
        np.testing.assert_allclose(risk["estimate"], 1 - want, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(risk["std_error"], survival["std_error"], rtol=1e-12)
        np.testing.assert_allclose(1 - risk["conf_low"], survival["conf_high"], rtol=1e-12)
        assert risk.iloc[3].isna().all()
        inside = (survival["conf_low"] <= survival["estimate"])[:3]
        assert inside.all() or time == 0.0
    # Nothing is known beyond the last time.
    assert np.isnan(fit.predict(rows, kind="risk", time=last + 1)["estimate"]).all()
    with pytest.raises(cw.InputError, match="needs a time"):
        fit.predict(rows, kind="risk")
    with pytest.raises(cw.InputError, match="at a time of -1"):
        fit.predict(rows, kind="risk", time=-1)
    with pytest.raises(cw.InputError, match="kind='hazard' is unknown"):
        fit.predict(rows, kind="hazard")
    with pytest.raises(cw.InputError, match="'arm' has levels that the model has not seen"):
        fit.predict(rows.assign(arm="other"))


def test_the_model_based_error_of_a_survival_is_tsiatis() -> None:
    """S^2 r^2 (sum d / S0^2 + q'Vq), q = sum d (x - xbar) / S0, on data without ties."""
    data = cases()
    fit = cw.coxph(COX_FORMULA, data, vcov="iid")
    x, beta, cov = cox_columns(data), fit.coef.to_numpy(), fit.cov.to_numpy()
    time, event = data["time"].to_numpy(), data["event"].to_numpy()
    at = float(np.median(time))
    row = cox_columns(data.iloc[[7]])[0]
    relative, own, total, drift = np.exp(x @ beta), np.exp(row @ beta), 0.0, np.zeros(3)
    hazard = 0.0
    for t in time[(event == 1) & (time <= at)]:
        risk = time >= t
        s0 = relative[risk].sum()
        hazard += 1 / s0
        total += 1 / s0**2
        drift += (row - relative[risk] @ x[risk] / s0) / s0
    survival = np.exp(-own * hazard)
    se = survival * own * np.sqrt(total + drift @ cov @ drift)
    got = fit.predict(data.iloc[[7]], kind="survival", time=at, level=0.95).iloc[0]
    assert got["estimate"] == pytest.approx(survival, rel=1e-10)
    assert got["std_error"] == pytest.approx(se, rel=1e-9)
    # The interval is that of log(-log S).
    reach = stats.norm.ppf(0.975) * se / (survival * np.log(survival))
    limits = np.exp(np.log(survival) * np.exp([-reach, reach]))
    np.testing.assert_allclose([got["conf_low"], got["conf_high"]], limits, rtol=1e-9)


def average(fit: Any, data: pd.DataFrame, arm: str, time: float) -> float:
    """Give the survival of all rows under one arm, added up by hand."""
    x = cox_columns(data.assign(arm=arm))
    return float(np.exp(-hazard_at(fit, time) * np.exp(x @ fit.coef.to_numpy())).mean())


@pytest.mark.parametrize("name", ["clusters_20", "tied_20"])
def test_adjusted_risks_are_averages_and_their_errors_what_the_clusters_move(name: str) -> None:
    data = cases(name)
    data["w"] = 1.0
    fit = cw.coxph(COX_FORMULA, data, cluster="cluster", weights="w", vcov="CR0")
    time = float(data["time"].median())
    arms = ("control", "programme")
    survival = [average(fit, data, arm, time) for arm in arms]
    margins = fit.margins("arm", time=time)
    levels, contrast = margins.tidy(), margins.contrasts().iloc[0]
    np.testing.assert_allclose(levels["estimate"], 1 - np.asarray(survival), rtol=1e-9)
    assert contrast["estimate"] == pytest.approx(survival[0] - survival[1], rel=1e-8)
    # The standard error from the derivative by the weight of each cluster, by refits.
    moved = []
    step = 1e-4
    for cluster in data["cluster"].unique():
        ends = []
        for sign in (1, -1):
            change = data.assign(w=np.where(data["cluster"] == cluster, 1 + sign * step, 1.0))
            other = cw.coxph(COX_FORMULA, change, weights="w")
            ends.append([average(other, data, arm, time) for arm in arms])
        moved.append((np.asarray(ends[0]) - np.asarray(ends[1])) / (2 * step))
    by_cluster = np.asarray(moved)
    se = np.sqrt((by_cluster**2).sum(axis=0))
    np.testing.assert_allclose(levels["std_error"], se, rtol=1e-6)
    change = np.sqrt(((by_cluster[:, 0] - by_cluster[:, 1]) ** 2).sum())
    assert contrast["std_error"] == pytest.approx(change, rel=1e-6)
    assert contrast["df"] == np.inf
    # Ratios and odds ratios, on the log scale.
    risk = 1 - np.asarray(survival)
    for compare, scale in (("ratio", risk), ("odds_ratio", risk * (1 - risk))):
        got = fit.margins("arm", time=time, compare=compare).contrasts().iloc[0]
        value = np.log(risk) if compare == "ratio" else np.log(risk / (1 - risk))
        assert got["estimate"] == pytest.approx(np.exp(value[1] - value[0]), rel=1e-8)
        slope = by_cluster[:, 1] / scale[1] - by_cluster[:, 0] / scale[0]
        assert got["std_error"] == pytest.approx(np.sqrt((slope**2).sum()), rel=1e-6)


@pytest.mark.parametrize("kind", ["iid", "CR0"])
@pytest.mark.parametrize("formula", [COX_FORMULA, COX_FORMULA + " + strata(site)"])
def test_adjusted_risks_are_the_adjusted_curves(kind: str, formula: str) -> None:
    data = cases("clusters_40")
    fit = cw.coxph(formula, data, cluster="cluster", vcov=kind)
    times = [float(t) for t in np.quantile(data["time"], [0.2, 0.5, 0.8])]
    curves = fit.adjusted_curves("arm", times=times)
    table, gaps = curves.tidy(), curves.differences()
    for time in times:
        margins = fit.margins("arm", time=time)
        levels, contrast = margins.tidy(), margins.contrasts().iloc[0]
        at = table[table["time"] == time]
        assert list(levels["level"]) == list(at["term"])
        np.testing.assert_allclose(levels["estimate"], 1 - at["estimate"], rtol=1e-11)
        np.testing.assert_allclose(levels["std_error"], at["std_error"], rtol=1e-11)
        np.testing.assert_allclose(levels["conf_low"], 1 - at["conf_high"], rtol=1e-10)
        np.testing.assert_allclose(levels["conf_high"], 1 - at["conf_low"], rtol=1e-10)
        gap = gaps[gaps["time"] == time].iloc[0]
        assert contrast["estimate"] == pytest.approx(-gap["estimate"], rel=1e-9)
        assert contrast["std_error"] == pytest.approx(gap["std_error"], rel=1e-10)
        assert contrast["conf_low"] == pytest.approx(-gap["conf_high"], rel=1e-9)


def test_few_clusters_widen_the_intervals_of_risks() -> None:
    data = cases()
    fit = cw.coxph(COX_FORMULA, data, cluster="cluster")
    time = float(data["time"].median())
    plain = fit.vcov("CR0").margins("arm", time=time).contrasts().iloc[0]
    corrected = fit.vcov("CR1").margins("arm", time=time).contrasts().iloc[0]
    clusters = fit.clusters
    assert corrected["std_error"] == pytest.approx(
        plain["std_error"] * np.sqrt(clusters / (clusters - 1)), rel=1e-10
    )
    assert corrected["df"] == clusters - 1
    reach = stats.t.ppf(0.975, clusters - 1) * corrected["std_error"]
    assert corrected["conf_high"] == pytest.approx(corrected["estimate"] + reach, rel=1e-9)


@pytest.mark.parametrize("kind", ["iid", "CR0", "CR1", "CR3", "jackknife"])
def test_hazard_ratios_between_values_of_a_term(kind: str) -> None:
    data = cases("clusters_40")
    data["place"] = np.array(["north", "south", "west"])[np.arange(len(data)) % 3]
    formula = "Surv(time, event) ~ arm * age + place"
    fit = cw.coxph(formula, data, cluster="cluster", vcov=kind)
    got = fit.margins("arm").contrasts().iloc[0]
    assert fit.margins("arm").tidy().empty
    want = fit.contrast({"arm[T.programme]": 1.0, "arm[T.programme]:age": data["age"].mean()}).iloc[
        0
    ]
    assert got["contrast"] == "programme / control"
    assert got["estimate"] == pytest.approx(np.exp(want["estimate"]), rel=1e-10)
    for key in ("std_error", "df", "p_value"):
        assert got[key] == pytest.approx(want[key], rel=1e-9)
    assert got["conf_low"] == pytest.approx(np.exp(want["conf_low"]), rel=1e-9)
    ages = fit.margins("age", values=[5, 10], by="arm").contrasts()
    slopes = [fit.coef["age"], fit.coef["age"] + fit.coef["arm[T.programme]:age"]]
    np.testing.assert_allclose(ages["estimate"], np.exp(5 * np.asarray(slopes)), rtol=1e-9)
    places = fit.margins("place").contrasts()
    assert list(places["contrast"]) == ["south / north", "west / north"]
    np.testing.assert_allclose(
        places["std_error"], fit.se[["place[T.south]", "place[T.west]"]], rtol=1e-9
    )
    with pytest.raises(cw.InputError, match="hazards cannot be compared by difference"):
        fit.margins("arm", compare="difference")


@pytest.mark.parametrize("kind", ["iid", "CR0", "CR1", "CR3", "jackknife"])
def test_contrasts_and_joint_tests(kind: str) -> None:
    data = cases("clusters_40")
    fit = cw.coxph(COX_FORMULA, data, cluster="cluster", vcov=kind)
    rows = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 0.5]])
    df = np.inf if kind in ("iid", "CR0") else fit.clusters - 1
    got = fit.contrast(rows, level=0.8)
    estimate = rows @ fit.coef.to_numpy()
    cov = rows @ fit.cov.to_numpy() @ rows.T
    se = np.sqrt(np.diag(cov))
    np.testing.assert_allclose(got["estimate"], estimate, rtol=1e-10)
    np.testing.assert_allclose(got["std_error"], se, rtol=1e-10)
    np.testing.assert_allclose(got["p_value"], 2 * stats.t.sf(np.abs(estimate / se), df), rtol=1e-8)
    reach = stats.t.ppf(0.9, df) * se
    np.testing.assert_allclose(got["conf_low"], estimate - reach, rtol=1e-9)
    joint = fit.test(rows).iloc[0]
    statistic = estimate @ np.linalg.solve(cov, estimate) / 2
    assert joint["statistic"] == pytest.approx(statistic, rel=1e-8)
    assert (joint["df_num"], joint["df_denom"]) == (2, df)
    p = stats.chi2.sf(2 * statistic, 2) if np.isinf(df) else stats.f.sf(statistic, 2, df)
    assert joint["p_value"] == pytest.approx(p, rel=1e-8)
    named = fit.test(["age", "girl"]).iloc[0]
    again = fit.test(np.eye(3)[1:]).iloc[0]
    assert named["p_value"] == again["p_value"]
    with pytest.raises(cw.RankError, match="repeat each other"):
        fit.test(np.array([[1.0, 0, 0], [2.0, 0, 0]]))
    with pytest.raises(cw.InputError, match="no term 'sex'"):
        fit.contrast({"sex": 1.0})


def test_cox_fits_from_arrays_and_pickles() -> None:
    data = cases()
    surv = cw.Surv(data["time"].to_numpy(), data["event"].to_numpy())
    arrays = cw.coxph(surv, cox_columns(data), cluster=data["cluster"].to_numpy())
    fit = cw.coxph(COX_FORMULA, data, cluster="cluster", keep_data=True)
    rows = data.iloc[[3, 9]]
    got = arrays.predict(cox_columns(rows), level=0.95)
    np.testing.assert_allclose(
        got["conf_low"], fit.predict(rows, level=0.95)["conf_low"], rtol=1e-10
    )
    again = pickle.loads(pickle.dumps(fit))
    pd.testing.assert_frame_equal(
        again.predict(rows, kind="risk", time=2.0, level=0.95),
        fit.predict(rows, kind="risk", time=2.0, level=0.95),
    )
    polars = cw.coxph(COX_FORMULA, pl.from_pandas(data), cluster="cluster")
    risks = polars.predict(pl.from_pandas(rows), kind="risk", time=2.0)
    assert isinstance(risks, pl.DataFrame)
    np.testing.assert_array_equal(
        risks["estimate"], fit.predict(rows, kind="risk", time=2.0)["estimate"]
    )
    layered = cw.coxph(COX_FORMULA + " + strata(site)", cases("clusters_40"))
    with pytest.raises(cw.InputError, match="differs between strata"):
        layered.predict(kind="risk", time=2.0)
    names = layered.strata
    risks = [layered.predict(kind="risk", time=2.0, stratum=name)["estimate"] for name in names]
    assert not np.allclose(risks[0], risks[1])

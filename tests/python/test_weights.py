"""Weights of rows, from a column of a frame to the numbers: R's values, rows that take no part, and every refusal."""

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

EXPECTED = Path(__file__).parents[1] / "reference" / "expected"
REFERENCE = json.loads((EXPECTED / "weighted.json").read_text("utf-8"))
CASES = {
    case["name"]: case
    for case in REFERENCE["cases"]
    if case["data"] != "awards"  # tests/weighted.rs holds those too
}
COX = json.loads((EXPECTED / "cox_small.json").read_text("utf-8"))
MODELS: dict[str, Callable[..., Any]] = {
    "identity": cw.ols,
    "logit": cw.logit,
    "probit": cw.probit,
}


def frame(name: str) -> pd.DataFrame:
    return pd.DataFrame(REFERENCE["data"][name]["columns"])


def kind_of(case: dict[str, Any], weights: Any) -> Any:
    return weights if case["kind"] == "probability" else cw.Analytic(weights)


def fitted(case: dict[str, Any], data: Any, **options: Any) -> Any:
    formula = f"{case['y']} ~ {' + '.join(case['x'][1:])}"
    options = {
        "cluster": case["cluster"],
        "weights": kind_of(case, case["weights"]),
        **options,
    }
    return MODELS[case["link"]](formula, data, **options)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind_of_frame", [pd.DataFrame, pl.from_pandas])
def test_numbers_of_the_reference(name: str, kind_of_frame: Any) -> None:
    case = CASES[name]
    fit = fitted(case, kind_of_frame(frame(case["data"])))
    assert (fit.n, fit.clusters) == (case["n"], case["clusters"])
    for kind in ("HC2", "CR1", "CR2") if case["cluster"] else ("HC1", "HC2"):
        other, want = fit.vcov(kind), case["vcov"][kind]
        se = np.asarray(want["se"])
        np.testing.assert_allclose(other.coef, case["coef"], rtol=1e-9)
        np.testing.assert_allclose(other.se, se, rtol=1e-9)
        limits = [
            (v - w) / s
            for v, w, s in zip(other.tidy()["conf_low"], want["conf_low"], se, strict=True)
        ]
        assert np.abs(limits).max() < 1e-8
        np.testing.assert_allclose(other.p_value, want["p"], rtol=1e-8)
        df = [np.inf] * len(se) if want["df"] is None else want["df"]
        df = [np.inf if value is None else value for value in np.atleast_1d(df)]
        np.testing.assert_allclose(other.df, df, rtol=1e-8)
    kind = "CR2" if case["cluster"] else "HC2"
    for at in ("means", "observed"):
        got = fit.vcov(kind).margins(case["margins"]["term"], at=at)
        rows = [row for row in case["margins"][at] if row["scale"] == "response"]
        table = [*got.tidy()["estimate"], *got.contrasts()["estimate"]]
        np.testing.assert_allclose(table, [row["estimate"] for row in rows], rtol=1e-9)
        table = [*got.tidy()["std_error"], *got.contrasts()["std_error"]]
        np.testing.assert_allclose(table, [row["vcov"][kind]["se"] for row in rows], rtol=1e-9)
    assert case["kind"].capitalize() in repr(fit)
    assert any(case["weights"] in sentence for sentence in fit.methods())


def test_both_frames_give_the_same_bits() -> None:
    case = CASES["families logit probability"]
    data = frame("families")
    pandas, polars = fitted(case, data), fitted(case, pl.from_pandas(data))
    lazy = fitted(case, pl.from_pandas(data).lazy())
    assert isinstance(polars.tidy(), pl.DataFrame)
    for other in (polars, lazy):
        np.testing.assert_array_equal(other.cov, pandas.cov)
        np.testing.assert_array_equal(other.df, pandas.df)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name]["data"] == "families"])
def test_a_weight_of_0_leaves_the_row_out(name: str) -> None:
    case = CASES[name]
    data = frame("families")
    data["place"] = np.where(data.index % 2 == 0, "north", "south")
    out = [0, 5, 6, 90]
    data.loc[out, "share"] = 0.0
    # What such a row says is never read: a place of its own, a missing covariate, an outcome that would not do.
    data.loc[5, "place"] = "nowhere"
    data.loc[6, "age"] = np.nan
    data.loc[90, "girl"] = 700.0
    formula = f"{case['y']} ~ arm + girl + age + place"
    model = MODELS[case["link"]]
    options = {"cluster": "family", "weights": kind_of(case, "share")}
    with_zeros = model(formula, data, **options)
    without = model(formula, data.drop(index=out), **options)
    assert with_zeros.terms == without.terms
    assert (with_zeros.n, with_zeros.clusters) == (without.n, without.clusters)
    assert with_zeros.df_residual == without.df_residual
    np.testing.assert_array_equal(with_zeros.cov, without.cov)
    np.testing.assert_array_equal(with_zeros.df, without.df)
    np.testing.assert_array_equal(
        with_zeros.margins("arm", at="observed").tidy(),
        without.margins("arm", at="observed").tidy(),
    )
    assert "4 of 91 rows have a weight of 0 (share) and take no part" in with_zeros.notes
    assert not any("weight of 0" in note for note in without.notes)
    assert not any("missing" in note for note in with_zeros.notes)


def test_missing_weights_drop_their_rows_and_say_so() -> None:
    case = CASES["families gaussian probability"]
    for kind_of_frame in (pd.DataFrame, pl.from_pandas):
        data = frame("families")
        data.loc[[3, 44], "share"] = np.nan
        data.loc[10, "share"] = 0.0
        fit = fitted(case, kind_of_frame(data))
        assert fit.n == 88
        assert "2 of 91 rows dropped for missing values (share 2)" in fit.notes
        assert "1 of 91 rows have a weight of 0 (share) and take no part" in fit.notes
        np.testing.assert_allclose(
            fit.se, fitted(case, kind_of_frame(data.drop(index=[3, 44, 10]))).se, rtol=1e-12
        )


@pytest.mark.parametrize("name", ["families gaussian", "families logit", "families probit"])
def test_arrays_and_formulas_agree(name: str) -> None:
    for kind in ("probability", "analytic"):
        case = CASES[f"{name} {kind}"]
        data = frame("families")
        fit = fitted(case, data)
        arrays = MODELS[case["link"]](
            data[case["y"]].to_numpy(),
            data[case["x"][1:]],
            cluster=data["family"].to_numpy(),
            weights=kind_of(case, data["share"].to_numpy()),
        )
        np.testing.assert_allclose(arrays.cov, fit.cov, rtol=1e-12)
        np.testing.assert_allclose(arrays.df, fit.df, rtol=1e-12)
        data.loc[[2, 8], "share"] = 0.0
        zeros = MODELS[case["link"]](
            data[case["y"]].to_numpy(),
            data[case["x"][1:]].to_numpy(),
            cluster=data["family"].to_numpy(),
            weights=kind_of(case, data["share"].to_numpy()),
        )
        without = fitted(case, data.drop(index=[2, 8]))
        assert (zeros.n, zeros.clusters) == (89, without.clusters)
        np.testing.assert_allclose(zeros.se, without.se, rtol=1e-10)
        np.testing.assert_allclose(zeros.df, without.df, rtol=1e-9)
        assert "2 of 91 rows have a weight of 0 (weights) and take no part" in zeros.notes


def test_by() -> None:
    for case in (CASES["families gaussian probability"], CASES["families probit analytic"]):
        data = frame("families")
        data.loc[7, "share"] = 0.0
        formula = f"{case['y']} ~ arm + age"
        weights = kind_of(case, "share")
        fits = MODELS[case["link"]](formula, data, cluster="family", weights=weights, by="girl")
        assert list(fits) == ["0", "1"]
        assert sum(fit.n for fit in fits.values()) == 90
        for girl in (0, 1):
            part = data[data["girl"] == girl]
            alone = MODELS[case["link"]](formula, part, cluster="family", weights=weights)
            np.testing.assert_array_equal(fits[str(girl)].cov, alone.cov)
        assert sum("weight of 0" in note for note in fits.notes) == 1


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name]["data"] == "families"])
def test_pickles_keep_their_weights(name: str) -> None:
    case = CASES[name]
    fit = fitted(case, frame("families"), keep_data=True)
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.tidy(), fit.tidy())
    for kind in ("HC2", "CR1", "CR2", "jackknife"):
        np.testing.assert_array_equal(again.vcov(kind).cov, fit.vcov(kind).cov)
    np.testing.assert_array_equal(
        again.margins("arm", at="observed").contrasts(),
        fit.margins("arm", at="observed").contrasts(),
    )
    assert again.methods() == fit.methods()
    bare = pickle.loads(pickle.dumps(fitted(case, frame("families"))))
    np.testing.assert_array_equal(bare.tidy(), fit.tidy())
    with pytest.raises(cw.InputError, match="loaded without its data"):
        bare.vcov("CR1")


def test_the_model_based_covariance() -> None:
    for name in ("families logit", "families probit"):
        with pytest.raises(cw.InputError, match="depends on the scale of probability weights"):
            fitted(CASES[f"{name} probability"], frame("families"), vcov="iid")
        case = CASES[f"{name} analytic"]
        fit = fitted(case, frame("families"), vcov="iid")
        np.testing.assert_allclose(fit.se, case["vcov"]["iid"]["se"], rtol=1e-9)
    # Of a linear model it is that of R's lm(weights =), whatever the weights are called.
    want = CASES["families gaussian analytic"]["vcov"]["iid"]["se"]
    for kind in ("probability", "analytic"):
        fit = fitted(CASES[f"families gaussian {kind}"], frame("families"), vcov="iid")
        np.testing.assert_allclose(fit.se, want, rtol=1e-9)


def test_the_scale_of_the_weights_means_nothing() -> None:
    for name in (name for name in CASES if CASES[name]["data"] == "families"):
        case, data = CASES[name], frame("families")
        want = fitted(case, data)
        for scale in (1e-6, 1e6):
            got = fitted(case, data.assign(share=data["share"] * scale))
            np.testing.assert_allclose(got.coef, want.coef, rtol=1e-9)
            np.testing.assert_allclose(got.se, want.se, rtol=1e-9)
            np.testing.assert_allclose(got.df, want.df, rtol=1e-9)


# -- Cox --------------------------------------------------------------------------------------


def cox_case() -> tuple[dict[str, Any], pd.DataFrame]:
    case = next(case for case in COX["cases"] if case["weights"] and not case["strata"])
    return case, pd.DataFrame(COX["data"][case["data"]]["columns"])


def cox(case: dict[str, Any], data: Any, **options: Any) -> Any:
    formula = f"Surv({case['time']}, {case['event']}) ~ {' + '.join(case['x'])}"
    options = {
        "cluster": case["cluster"],
        "weights": case["weights"],
        "ties": case["ties"],
        **options,
    }
    return cw.coxph(formula, data, **options)


def test_cox_models() -> None:
    case, data = cox_case()
    fit, polars = cox(case, data), cox(case, pl.from_pandas(data))
    np.testing.assert_allclose(fit.coef, case["coef"], rtol=1e-9)
    for name, kind in (("naive", "iid"), ("CR0", "CR0"), ("MD", "CR3"), ("jackknife", "jackknife")):
        np.testing.assert_allclose(fit.vcov(kind).se, case["vcov"][name]["se"], rtol=1e-9)
        np.testing.assert_array_equal(polars.vcov(kind).se, fit.vcov(kind).se)
    arrays = cw.coxph(
        cw.Surv(data["time"].to_numpy(), data["event"].to_numpy()),
        data[case["x"]],
        cluster=data[case["cluster"]].to_numpy(),
        weights=data[case["weights"]].to_numpy(),
        ties=case["ties"],
    )
    np.testing.assert_allclose(arrays.cov, fit.cov, rtol=1e-11)
    scaled = cox(case, data.assign(**{case["weights"]: data[case["weights"]] * 1e6}))
    np.testing.assert_allclose(scaled.se, fit.se, rtol=1e-9)
    again = pickle.loads(pickle.dumps(cox(case, data, keep_data=True)))
    np.testing.assert_array_equal(again.vcov("CR3").se, fit.vcov("CR3").se)


def test_cox_models_leave_out_rows_of_no_weight() -> None:
    case, data = cox_case()
    weights = case["weights"]
    data.loc[[1, 4], weights] = 0.0
    data.loc[7, weights] = np.nan
    fit = cox(case, data)
    without = cox(case, data.drop(index=[1, 4, 7]))
    assert (fit.n, fit.clusters) == (without.n, without.clusters)
    np.testing.assert_array_equal(fit.cov, without.cov)
    n = len(data)
    assert f"2 of {n} rows have a weight of 0 ({weights}) and take no part" in fit.notes
    assert any(f"({weights} 1)" in note for note in fit.notes)
    with pytest.raises(cw.InputError, match="rows with a weight of 0 take no part") as caught:
        cw.coxph(
            cw.Surv(data["time"].to_numpy(), data["event"].to_numpy()),
            data[case["x"]],
            weights=data[weights].fillna(1.0).to_numpy(),
        )
    assert caught.value.rows == [1, 4]


def test_cox_models_take_no_analytic_weights() -> None:
    case, data = cox_case()
    with pytest.raises(cw.InputError, match="Cox models take no analytic weights"):
        cox(case, data, weights=cw.Analytic(case["weights"]))
    with pytest.raises(cw.InputError, match="Cox models take no analytic weights"):
        surv = cw.Surv(data["time"].to_numpy(), data["event"].to_numpy())
        cw.coxph(surv, data[case["x"]], weights=cw.Analytic(np.ones(len(data))))


# -- refusals ---------------------------------------------------------------------------------


def toy() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 40
    return pd.DataFrame(
        {
            "y": rng.integers(0, 2, n),
            "x": rng.normal(size=n),
            "t": rng.exponential(size=n),
            "w": np.ones(n),
        }
    )


def every_model(data: Any, weights: Any) -> list[cw.CreweError]:
    """Give what each model says of the weights, whichever way the data came."""
    outcomes = [
        lambda d: cw.ols("y ~ x", d, weights=weights),
        lambda d: cw.logit("y ~ x", d, weights=weights),
        lambda d: cw.probit("y ~ x", d, weights=weights),
        lambda d: cw.coxph("Surv(t, y) ~ x", d, weights=weights),
    ]
    if isinstance(weights, str):
        outcomes += [
            lambda d: cw.ols("y ~ x", d, weights=cw.Analytic(weights)),
            lambda d: cw.logit("y ~ x", d, weights=cw.Analytic(weights)),
        ]
    said = []
    for model in outcomes:
        for given in (data, pl.from_pandas(data)):
            with pytest.raises(cw.CreweError) as caught:
                model(given)
            said.append(caught.value)
    return said


REPAIR = "Repair these weights, or give a weight of 0 to rows that should not count."


@pytest.mark.parametrize(
    ("rows", "value", "text"),
    [
        (
            [4],
            -1.0,
            f"weights must be numbers of 0 or more (column 'w'; row 4; seen: negative). {REPAIR}",
        ),
        (
            [4, 7],
            np.inf,
            f"weights must be numbers of 0 or more (column 'w'; rows 4, 7; seen: infinite). {REPAIR}",
        ),
        (
            range(40),
            0.0,
            "every weight is 0 (column 'w'). Check how the weights were made: with none above 0 there is nothing to "
            "analyse.",
        ),
    ],
)
def test_bad_weights_have_one_class_and_one_text(rows: Any, value: float, text: str) -> None:
    data = toy()
    data.loc[list(rows), "w"] = value
    for error in every_model(data, "w"):
        assert type(error) is cw.InputError
        assert str(error) == text


def test_bad_weights_in_arrays() -> None:
    data = toy()
    surv = cw.Surv(data["t"].to_numpy(), data["y"].to_numpy())
    y, x = data["y"].to_numpy(), data[["x"]]
    texts = {
        "weights must be numbers of 0 or more (column 'weights'; rows 2, 3; seen: infinite, negative). "
        + REPAIR: (np.where(np.arange(40) == 2, -1.0, np.where(np.arange(40) == 3, np.inf, 1.0))),
        "every weight is 0 (column 'weights'). Check how the weights were made: with none above 0 there is nothing "
        "to analyse.": np.zeros(40),
        "39 weights for 40 rows (column 'weights'). Give one weight for each row.": np.ones(39),
    }
    for text, weights in texts.items():
        for model in (cw.ols, cw.logit, cw.probit):
            for given in (weights, cw.Analytic(weights), pd.Series(weights), list(weights)):
                with pytest.raises(cw.InputError) as caught:
                    model(y, x, weights=given)
                assert str(caught.value) == text
        with pytest.raises(cw.InputError) as caught:
            cw.coxph(surv, x, weights=weights)
        assert str(caught.value) == text


def test_what_are_no_weights() -> None:
    data = toy()
    for error in every_model(data, np.ones(40)):
        assert (
            str(error)
            == "a formula takes the weights from the data (column 'weights'). Name their column."
        )
    for error in every_model(data, 3):
        assert "weights cannot be a int" in str(error)
        assert "repeat the rows" in str(error)
    for error in every_model(data, "weight"):
        assert "there is no column 'weight'" in str(error)
    data["w"] = "often"
    for error in every_model(data, "w"):
        assert type(error) is cw.InputError and error.column == "w"

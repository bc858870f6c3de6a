"""Linear models from Python: R's numbers, every kind of frame, margins, and every refusal as the user meets it."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crewe as cw
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

REFERENCE = Path(__file__).parents[1] / "reference"
CASES = {
    case["name"]: case
    for case in json.loads((REFERENCE / "expected" / "ols.json").read_text("utf-8"))["cases"]
}
AWARDS = CASES["achievement_2001"]
FORMULA = (
    "Bagrut_status ~ treated + girl + school_type + immigrant + siblings + father_ed "
    "+ mother_ed + lagscore"
)
CLUSTERED = ["CR0", "CR1", "CR1S", "CR2", "CR3", "jackknife"]
KINDS = ["iid", "HC0", "HC1", "HC2", "HC3", *CLUSTERED]


@pytest.fixture(scope="module")
def awards() -> pd.DataFrame:
    trial = cw.datasets.achievement_awards()
    return trial[trial["year"] == 2001].reset_index(drop=True)


@pytest.fixture(scope="module")
def fit(awards: pd.DataFrame) -> cw.OLS:
    return cw.ols(FORMULA, awards, cluster="school_id")


def small(seed: int = 1, clusters: int = 16, size: int = 5) -> pd.DataFrame:
    """Make a trial of families: arm by family, a number, a category, an outcome."""
    rng = np.random.default_rng(seed)
    family = np.repeat(np.arange(clusters), size)
    n = len(family)
    arm = np.where(np.arange(clusters) % 2 == 0, "control", "crewe")[family]
    age = rng.uniform(1.0, 16.0, n)
    # Every category has more rows than a family, so that none rests on one row or family alone.
    need = rng.permutation(np.repeat(["N1", "N2", "N3"], [n - n // 3 - n // 8, n // 3, n // 8]))
    y = (arm == "crewe") * 0.5 + 0.1 * age + (need == "N2") + rng.normal(size=clusters)[family]
    return pd.DataFrame(
        {
            "family_id": family,
            "arm": arm,
            "age": age,
            "need": need,
            "history": (family // 2) % 2,
            "y": y + rng.normal(size=n),
        }
    )


def column(frame: Any, name: str) -> np.ndarray[Any, Any]:
    return np.asarray(frame[name])


# -- R's numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_achievement_awards_against_r(fit: cw.OLS, kind: str) -> None:
    got = fit.vcov(kind)
    want = AWARDS["vcov"][kind]
    assert fit.terms == AWARDS["x_names"]
    assert (fit.n, fit.clusters) == (3821, 39)
    np.testing.assert_allclose(got.coef, AWARDS["coef"], rtol=1e-9)
    se = np.array(want["se"])
    scale = np.outer(se, se)
    np.testing.assert_allclose(got.cov.to_numpy() / scale, np.array(want["cov"]) / scale, atol=1e-9)
    table = got.tidy()
    assert list(table) == [
        "term",
        "estimate",
        "std_error",
        "statistic",
        "df",
        "p_value",
        "conf_low",
        "conf_high",
    ]
    for name, key in [("std_error", "se"), ("statistic", "statistic")]:
        np.testing.assert_allclose(table[name], want[key], rtol=1e-9)
    np.testing.assert_allclose(table["df"], want["df"], rtol=1e-8)
    np.testing.assert_allclose(table["p_value"], want["p"], rtol=1e-8)
    for name in ("conf_low", "conf_high"):
        np.testing.assert_allclose(table[name] / se, np.array(want[name]) / se, atol=1e-8)


def test_clusters_change_the_conclusion(fit: cw.OLS) -> None:
    assert fit.vcov_name == "CR2"
    assert round(fit.df["treated"], 1) == 24.7
    assert round(fit.p_value["treated"], 4) == 0.1697
    assert 0.000004 < fit.vcov("iid").p_value["treated"] < 0.000006


@pytest.mark.parametrize("kind", KINDS)
def test_margins_against_r(fit: cw.OLS, kind: str) -> None:
    margins = fit.vcov(kind).margins("treated")
    want = AWARDS["margins"][0]
    expected = want["vcov"][kind]
    levels, differences = margins.tidy(), margins.contrasts()
    for name, key in [("std_error", "se"), ("conf_low", "conf_low"), ("conf_high", "conf_high")]:
        got = [*levels[name], *differences[name]]
        np.testing.assert_allclose(got, expected[key], rtol=1e-9)
    np.testing.assert_allclose([*levels["df"], *differences["df"]], expected["df"], rtol=1e-8)
    np.testing.assert_allclose([*levels["estimate"]], want["emmeans_proportional"], rtol=1e-9)


def test_margins_weigh_categories_by_their_shares(fit: cw.OLS) -> None:
    estimate = fit.margins("treated").tidy()["estimate"]
    assert [round(v, 4) for v in estimate] == [0.2135, 0.2707]
    # emmeans' default, equal weights over the three types of school, answers another question.
    equal = AWARDS["margins"][0]["emmeans_equal_weights_not_ours"]
    assert [round(v, 3) for v in equal] == [0.271, 0.328]
    assert np.abs(np.asarray(estimate) - equal).min() > 0.05


def test_margins_of_an_interaction(awards: pd.DataFrame) -> None:
    case = CASES["achievement_2001_interaction"]
    data = awards.assign(upper=(awards["half"] == 2).astype(int))
    fit = cw.ols(
        "Bagrut_status ~ treated * upper + girl + school_type + siblings", data, cluster="school_id"
    )
    by, overall = case["margins"]
    assert by["labels"][:4] == ["0|0", "1|0", "0|1", "1|1"]
    got = fit.margins("treated", by="upper")
    np.testing.assert_allclose(got.tidy()["estimate"], by["estimate"][:4], rtol=1e-9)
    np.testing.assert_allclose(got.contrasts()["estimate"], by["estimate"][4:], rtol=1e-9)
    np.testing.assert_allclose(got.contrasts()["df"], by["vcov"]["CR2"]["df"][4:], rtol=1e-8)
    assert list(got.tidy()["by"]) == ["0", "0", "1", "1"]
    got = fit.margins("treated")
    np.testing.assert_allclose(got.tidy()["estimate"], overall["estimate"][:2], rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_joint_tests_against_r(fit: cw.OLS, kind: str) -> None:
    for case in AWARDS["wald"]:
        # HC2 is tested as CR2 of single rows, which R gives under a name of its own where it could work it out.
        want = case["vcov"].get("HC2_HTZ" if kind == "HC2" else kind)
        if want is None:
            assert kind == "HC2"
            continue
        got = fit.vcov(kind).test(np.array(case["R"], dtype=float))
        np.testing.assert_allclose(got["statistic"], want["statistic"], rtol=1e-8)
        np.testing.assert_allclose(got["df_num"], want["df_num"])
        np.testing.assert_allclose(got["df_denom"], want["df_denom"], rtol=1e-8)
        np.testing.assert_allclose(got["p_value"], want["p"], rtol=1e-8)


def test_terms_are_tested_by_name(fit: cw.OLS) -> None:
    case = next(case for case in AWARDS["wald"] if case["name"] == "school_type")
    got = fit.test(["school_type[T.Religious]", "school_type[T.Secular]"])
    np.testing.assert_allclose(got["p_value"], case["vcov"]["CR2"]["p"], rtol=1e-8)
    assert list(got["test"]) == ["HTZ"]
    with pytest.raises(cw.InputError, match="no term 'school'"):
        fit.test(["school"])


def test_contrasts_are_sums_of_coefficients(fit: cw.OLS) -> None:
    row = fit.contrast({"treated": 1.0, "girl": -2.0})
    estimate = fit.coef["treated"] - 2 * fit.coef["girl"]
    variance = np.array([1.0, -2.0]) @ fit.cov.loc[["treated", "girl"], ["treated", "girl"]]
    np.testing.assert_allclose(row["estimate"], estimate, rtol=1e-12)
    np.testing.assert_allclose(row["std_error"] ** 2, variance @ [1.0, -2.0], rtol=1e-10)
    one = fit.contrast(np.eye(len(fit.terms)))
    np.testing.assert_allclose(one["df"], fit.df, rtol=1e-9)
    np.testing.assert_allclose(one["p_value"], fit.p_value, rtol=1e-8)


def test_another_covariance_does_not_fit_again(fit: cw.OLS) -> None:
    other = fit.vcov("CR1S")
    assert other.data.core is fit.data.core
    assert (fit.vcov_name, other.vcov_name) == ("CR2", "CR1S")
    np.testing.assert_array_equal(other.coef, fit.coef)
    residual = fit.vcov("CR2", df="residual")
    assert set(residual.df) == {3811.0}
    np.testing.assert_array_equal(residual.se, fit.se)
    with pytest.raises(cw.InputError, match="no covariance called 'CR9'"):
        fit.vcov("CR9")
    with pytest.raises(cw.InputError, match="unknown"):
        fit.vcov("CR2", df="z")


def test_levels_of_confidence(fit: cw.OLS) -> None:
    from scipy import stats

    t = stats.t.ppf(0.95, fit.df)
    ninety = fit.confint(0.9)
    np.testing.assert_allclose(ninety["conf_low"], fit.coef - t * fit.se, rtol=1e-8)
    np.testing.assert_allclose(fit.tidy(0.9)["conf_high"], ninety["conf_high"])
    assert (fit.confint()["conf_low"] < ninety["conf_low"]).all()
    with pytest.raises(cw.InputError):
        fit.confint(95)


def test_what_is_printed(fit: cw.OLS) -> None:
    text = repr(fit)
    assert "39 clusters (school_id)" in text
    assert "Satterthwaite" in text and "treated" in text
    assert "<table" in fit._repr_html_()
    glance = fit.glance()
    assert glance["n"][0] == 3821
    np.testing.assert_allclose(glance["r_squared"][0], AWARDS["r_squared"], rtol=1e-9)
    np.testing.assert_allclose(glance["sigma"][0], AWARDS["sigma"], rtol=1e-9)
    assert "their observed shares" in repr(fit.margins("treated"))


# -- frames of every kind ----------------------------------------------------------------------


def arrow_text(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"school_type": "string[pyarrow]"})


def categorical(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"school_type": "category"})


def dictionary(frame: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    # The dictionary in order of appearance, which must not become the order of the levels.
    encoded = table["school_type"].cast(pa.string()).dictionary_encode()
    return table.set_column(table.column_names.index("school_type"), "school_type", encoded)


def polars_categories(frame: pd.DataFrame) -> pl.DataFrame:
    return pl.from_pandas(frame).with_columns(pl.col("school_type").cast(pl.Categorical))


FRAMES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas with arrow text": arrow_text,
    "pandas with categories": categorical,
    "pandas with booleans": lambda frame: frame.astype({"treated": bool, "girl": bool}),
    "pandas with arrow types": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.from_pandas,
    "polars with categories": polars_categories,
    "polars, lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "pyarrow with a dictionary": dictionary,
    "DuckDB": lambda frame: duckdb.from_arrow(pa.Table.from_pandas(frame, preserve_index=False)),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_of_every_kind_give_the_same_bits(
    awards: pd.DataFrame, fit: cw.OLS, kind: str
) -> None:
    frame = FRAMES[kind](awards)
    other = cw.ols(FORMULA, frame, cluster="school_id")
    assert other.terms == fit.terms
    assert other.notes == fit.notes
    for name in ("coef", "se", "df", "p_value"):
        assert getattr(other, name).to_numpy().tobytes() == getattr(fit, name).to_numpy().tobytes()
    assert other.cov.to_numpy().tobytes() == fit.cov.to_numpy().tobytes()
    np.testing.assert_array_equal(
        column(other.margins("treated").tidy(), "estimate")
        if kind != "DuckDB"
        else other.margins("treated").tidy().fetchnumpy()["estimate"],
        fit.margins("treated").tidy()["estimate"],
    )
    wanted = pl.DataFrame if kind == "polars, lazy" else type(frame)
    assert isinstance(other.tidy(), wanted)
    assert isinstance(other.glance(), wanted)


def test_arrays(awards: pd.DataFrame) -> None:
    names = ["treated", "girl", "lagscore"]
    formula = cw.ols(
        "Bagrut_status ~ treated + girl + lagscore", awards, cluster="school_id", vcov="CR1S"
    )
    y, x = awards["Bagrut_status"].to_numpy(), awards[names].to_numpy()
    fit = cw.ols(y, x, cluster=awards["school_id"], vcov="CR1S", names=names)
    assert fit.terms == ["Intercept", *names]
    np.testing.assert_allclose(fit.se, formula.se, rtol=1e-12)
    assert isinstance(fit.tidy(), pd.DataFrame)
    assert cw.ols(y, awards[names], vcov="HC1").terms == fit.terms
    assert cw.ols(y.tolist(), x[:, 0].tolist()).terms == ["Intercept", "x1"]
    # float32 and column-major arrays give the numbers of the values that they hold.
    narrow = x.astype(np.float32)
    wide = cw.ols(y, narrow.astype(np.float64), vcov="HC2")
    np.testing.assert_array_equal(cw.ols(y, narrow, vcov="HC2").se, wide.se)
    np.testing.assert_allclose(cw.ols(y, np.asfortranarray(x)).se, cw.ols(y, x).se, rtol=1e-12)
    constant = np.column_stack([np.ones(len(y)), x])
    with pytest.raises(cw.InputError, match=r"already has a constant.*intercept=False"):
        cw.ols(y, constant)
    np.testing.assert_allclose(cw.ols(y, constant, intercept=False).se, cw.ols(y, x).se, rtol=1e-10)
    with pytest.raises(cw.InputError, match="margins need a fit made from a formula"):
        fit.margins("treated")
    with pytest.raises(cw.InputError, match="cluster ids for"):
        cw.ols(y, x, cluster=awards["school_id"][:10])


def test_by_a_column(awards: pd.DataFrame) -> None:
    model = "Bagrut_status ~ treated + girl"
    fits = cw.ols(model, awards, by="school_type", cluster="school_id")
    assert list(fits) == ["Arab", "Religious", "Secular"]
    alone = cw.ols(model, awards[awards["school_type"] == "Arab"], cluster="school_id")
    np.testing.assert_array_equal(fits["Arab"].se, alone.se)
    assert next(iter(fits.tidy())) == "school_type"


# -- the trial ---------------------------------------------------------------------------------


def schools(**changes: Any) -> cw.Design:
    options = {"arms": {"control": 1, "awards": 1}, "cluster": "school_id"} | changes
    return cw.Design("Achievement Awards", **options)


def test_a_design_gives_the_clusters(awards: pd.DataFrame, fit: cw.OLS) -> None:
    trial = schools().observe(awards, arm="treated")
    by_design = cw.ols(FORMULA, awards, design=trial)
    assert by_design.terms == fit.terms
    assert by_design.cluster_name == "school_id"
    np.testing.assert_array_equal(by_design.se, fit.se)
    np.testing.assert_array_equal(by_design.p_value, fit.p_value)


def test_a_design_adds_the_strata(awards: pd.DataFrame) -> None:
    trial = schools(strata=["pair"]).observe(awards, arm="treated")
    model = "Bagrut_status ~ treated + girl + lagscore"
    fit = cw.ols(model, awards, design=trial)
    assert fit.formula.endswith("+ C(stratum)")
    want = CASES["achievement_2001_sets_by_school_id"]
    place = want["x_names"].index("treated")
    np.testing.assert_allclose(fit.coef["treated"], want["coef"][place], rtol=1e-9)
    np.testing.assert_allclose(fit.se["treated"], want["vcov"]["CR2"]["se"][place], rtol=1e-9)
    np.testing.assert_allclose(fit.df["treated"], want["vcov"]["CR2"]["df"][place], rtol=1e-8)
    assert any("19 strata for 39 units" in note for note in fit.notes)
    # A formula that spans them already is left as it is, and so it is on request.
    spanned = cw.ols(f"{model} + C(pair)", awards, design=trial)
    assert "stratum" not in spanned.formula
    np.testing.assert_allclose(spanned.se["treated"], fit.se["treated"], rtol=1e-9)
    without = cw.ols(model, awards, design=trial, strata_terms=False)
    assert len(without.terms) == 4


def test_the_arm_of_the_design_enters_by_name() -> None:
    data = small()
    design = cw.Design("t", arms={"control": 1, "crewe": 1}, cluster="family_id", seed=1)
    trial = design.observe(data, arm="arm")
    assert cw.ols("y ~ arm", data, design=trial).terms == ["Intercept", "arm[T.crewe]"]
    # The first arm of the design is the reference, whatever the alphabet says.
    turned = cw.Design("t", arms={"crewe": 1, "control": 1}, cluster="family_id", seed=1)
    other = cw.ols("y ~ arm", data, design=turned.observe(data, arm="arm"))
    assert other.terms == ["Intercept", "arm[T.control]"]


def test_rows_that_contradict_the_trial_are_refused() -> None:
    data = small().assign(stratum_of=lambda d: d["history"])
    design = cw.Design(
        "t", arms={"control": 1, "crewe": 1}, cluster="family_id", strata=["history"], seed=1
    )
    trial = design.observe(data, arm="arm")
    crossed = data.copy()
    crossed.loc[[3, 4], "arm"] = "crewe"
    with pytest.raises(cw.DesignError, match="2 rows have an arm that is not the one drawn") as bad:
        cw.ols("y ~ arm", crossed, design=trial)
    assert (bad.value.column, bad.value.rows) == ("arm", [3, 4])
    assert "intention to treat" in bad.value.remedy
    moved = data.copy()
    moved.loc[7, "history"] = 1 - moved.loc[7, "history"]
    with pytest.raises(cw.DesignError, match="stratum that is not the one") as bad:
        cw.ols("y ~ arm", moved, design=trial)
    assert (bad.value.column, bad.value.rows) == ("history", [7])
    strange = data.copy()
    strange.loc[9, "family_id"] = 99
    with pytest.raises(cw.DesignError, match="not randomised") as bad:
        cw.ols("y ~ arm", strange, design=trial)
    assert (bad.value.column, bad.value.rows) == ("family_id", [9])
    with pytest.raises(cw.DesignError, match="takes an assignment, not a Design"):
        cw.ols("y ~ arm", data, design=design)


# -- bad input ---------------------------------------------------------------------------------


def refused(kind: type[cw.CreweError], words: str, call: Callable[[], Any]) -> cw.CreweError:
    with pytest.raises(kind, match=words) as bad:
        call()
    assert isinstance(bad.value, ValueError)
    assert bad.value.remedy and bad.value.remedy in str(bad.value)
    return bad.value


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_cluster_id(missing: float | None) -> None:
    data = small().astype({"family_id": object})
    data.loc[[5, 8], "family_id"] = missing
    call = lambda frame: cw.ols("y ~ arm", frame, cluster="family_id")  # noqa: E731
    error = refused(cw.InputError, "identifiers are missing in 2 of 80", lambda: call(data))
    assert (error.column, error.rows) == ("family_id", [5, 8])
    as_float = data.astype({"family_id": float})
    error = refused(cw.InputError, "identifiers are missing", lambda: call(as_float))
    assert (error.column, error.rows) == ("family_id", [5, 8])
    ids = [None if row in (5, 8) else value for row, value in enumerate(small()["family_id"])]
    frame = pl.DataFrame({**small().to_dict("list"), "family_id": ids})
    error = refused(cw.InputError, "identifiers are missing", lambda: call(frame))
    assert (error.column, error.rows) == ("family_id", [5, 8])


def test_decimal_cluster_ids() -> None:
    data = small().assign(family_id=lambda d: d["family_id"] + 0.5)
    error = refused(
        cw.InputError,
        "decimal numbers",
        lambda: cw.ols("y ~ arm", data, cluster="family_id"),
    )
    assert error.column == "family_id" and "astype" in error.remedy
    refused(
        cw.InputError,
        "decimal numbers",
        lambda: cw.ols(data["y"], data["age"], cluster=data["family_id"]),
    )


def test_a_cluster_that_spans_arms_or_strata() -> None:
    data = small()
    design = cw.Design(
        "t", arms={"control": 1, "crewe": 1}, cluster="family_id", strata=["history"], seed=1
    )
    crossed = data.copy()
    crossed.loc[0, "arm"] = "crewe"
    error = refused(
        cw.DesignError,
        "1 of 16 clusters lie in more than one arm",
        lambda: design.observe(crossed, arm="arm"),
    )
    assert (error.column, error.rows) == ("arm", [0, 1, 2, 3, 4])
    assert error.values == ["family_id 0"]
    moved = data.copy()
    moved.loc[6, "history"] = 1 - moved.loc[6, "history"]
    error = refused(cw.DesignError, "strat", lambda: design.observe(moved, arm="arm"))
    assert (error.column, error.rows) == ("history", [5, 6, 7, 8, 9])


def test_collinear_columns_are_named() -> None:
    data = small().assign(months=lambda d: 12 * d["age"], total=lambda d: d["age"] + d["history"])
    error = refused(
        cw.RankError, "'months' repeats what 'age'", lambda: cw.ols("y ~ arm + age + months", data)
    )
    assert error.column == "months" and "age" in error.values
    error = refused(cw.RankError, "'total'", lambda: cw.ols("y ~ age + history + total", data))
    assert error.column == "total" and {"age", "history"} <= set(error.values)
    same = data.assign(one=3.0)
    error = refused(cw.RankError, "same value in every row", lambda: cw.ols("y ~ arm + one", same))
    assert error.column == "one"


def test_an_unknown_column() -> None:
    error = refused(
        cw.InputError, "there is no column 'aeg'", lambda: cw.ols("y ~ arm + aeg", small())
    )
    assert error.column == "aeg" and "'age'" in error.remedy
    error = refused(
        cw.InputError,
        "there is no column 'family'",
        lambda: cw.ols("y ~ arm", small(), cluster="family"),
    )
    assert error.column == "family" and "'family_id'" in error.remedy
    error = refused(cw.InputError, "no column 'zzz'", lambda: cw.ols("zzz ~ arm", small()))
    assert "family_id, arm, age" in error.remedy


def test_an_empty_frame() -> None:
    empty = small().iloc[:0]
    error = refused(cw.InputError, "no rows to analyse", lambda: cw.ols("y ~ arm + age", empty))
    assert "filter" in error.remedy
    refused(cw.InputError, "no rows to analyse", lambda: cw.ols(np.empty(0), np.empty((0, 2))))
    gone = small().assign(age=np.nan)
    error = refused(cw.InputError, "every row has a missing value", lambda: cw.ols("y ~ age", gone))
    assert error.values == ["age: 80 missing"]


def test_one_arm_only() -> None:
    data = small()
    control = data[data["arm"] == "control"].reset_index(drop=True)
    error = refused(
        cw.InputError, "'arm' has the same value in every row", lambda: cw.ols("y ~ arm", control)
    )
    assert error.column == "arm" and "nothing to compare" in error.remedy
    design = cw.Design("t", arms={"control": 1, "crewe": 1}, cluster="family_id", seed=1)
    error = refused(
        cw.DesignError, "all clusters are in one arm", lambda: design.observe(control, arm="arm")
    )
    assert error.column == "arm" and error.values == ["crewe: 0"]
    trial = design.observe(data, arm="arm")
    few = data[(data["arm"] == "control") | (data["family_id"] == 1)].reset_index(drop=True)
    error = refused(
        cw.DesignError, "arm 'crewe' has 1 of the", lambda: cw.ols("y ~ arm", few, design=trial)
    )
    assert error.column == "arm"


@pytest.mark.parametrize("kind", CLUSTERED)
def test_too_few_clusters_for_the_model(kind: str) -> None:
    data = small()
    call = lambda formula, data: cw.ols(formula, data, cluster="family_id", vcov=kind)  # noqa: E731
    two = data[data["family_id"] < 2].reset_index(drop=True)
    error = refused(cw.InputError, "there are 2 for 2", lambda: call("y ~ arm + age", two))
    assert error.values == ["Intercept", "arm[T.crewe]"]
    assert "randomisation test" in error.remedy
    # Four families, an arm, a history and their product: four coefficients between families.
    four = data[data["family_id"] < 4].reset_index(drop=True)
    error = refused(cw.InputError, "there are 4 for 4", lambda: call("y ~ arm*history + age", four))
    assert "age" not in error.values
    one = data[data["family_id"] < 1].reset_index(drop=True)
    refused(cw.InputError, "at least 2 clusters, and there is 1", lambda: call("y ~ age", one))
    refused(cw.InputError, "needs to know the clusters", lambda: cw.ols("y ~ arm", data, vcov=kind))


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1S", "CR2"])
def test_indicators_of_clusters_are_noted(awards: pd.DataFrame, kind: str) -> None:
    fit = cw.ols("Bagrut_status ~ treated + C(pair)", awards, cluster="pair", vcov=kind)
    assert any("and 16 more fit the 19 clusters exactly" in note for note in fit.notes)
    assert "only the effects of what varies within clusters" in repr(fit)
    # Clustered by school the sets leave schools to vary within them.
    fit = cw.ols("Bagrut_status ~ treated + C(pair)", awards, cluster="school_id", vcov=kind)
    assert not any("clusters exactly" in note for note in fit.notes)


def test_few_clusters_are_noted() -> None:
    data = small()
    few = data[data["family_id"] < 6].reset_index(drop=True)
    fit = cw.ols("y ~ arm", few, cluster="family_id")
    assert fit.df.min() < 4
    assert any("below 4" in note for note in fit.notes)
    assert "below 4" in repr(fit)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values(value: float) -> None:
    data = small()
    data.loc[[4, 40], "age"] = value
    error = refused(
        cw.InputError, "2 of 80 values are missing or infinite", lambda: cw.ols("y ~ age", data)
    )
    assert (error.column, error.rows) == ("age", [4, 40])
    assert error.values == [str(value)]
    data = small()
    data.loc[17, "y"] = value
    error = refused(cw.InputError, "infinite", lambda: cw.ols("y ~ age", data))
    assert (error.column, error.rows) == ("y", [17])
    # Rows are counted as the user's data do, also after rows with missing values have gone.
    data.loc[[1, 2, 3], "age"] = np.nan
    error = refused(cw.InputError, "infinite", lambda: cw.ols("y ~ age", data))
    assert error.rows == [17]
    error = refused(
        cw.InputError,
        "infinite",
        lambda: cw.ols(
            "y ~ np.log(age)", small().assign(age=lambda d: d["age"].where(d.index != 9, 0.0))
        ),
    )
    assert error.rows == [9]


def test_a_row_with_leverage_one_is_named() -> None:
    data = small().assign(lone=0.0)
    data.loc[20, "lone"] = 1.0
    data.loc[[0, 1], "age"] = np.nan
    for kind in ("HC2", "HC3"):
        error = refused(
            cw.InputError, "leverage 1", lambda kind=kind: cw.ols("y ~ age + lone", data, vcov=kind)
        )
        assert error.rows == [20]


def test_what_cannot_be_a_model() -> None:
    data = small()
    refused(cw.InputError, "is not a formula", lambda: cw.ols("y + arm", data))
    refused(cw.InputError, "needs data", lambda: cw.ols("y ~ arm"))
    refused(cw.InputError, "is text, where numbers are needed", lambda: cw.ols("need ~ arm", data))
    refused(cw.InputError, "not a data frame", lambda: cw.ols("y ~ arm", [1, 2]))
    refused(cw.InputError, "2 rows cannot estimate 2", lambda: cw.ols("y ~ age", data.iloc[:2]))
    with pytest.raises(cw.InputError, match="missing='mean' is unknown"):
        cw.ols("y ~ age", data, missing="mean")
    dated = data.assign(day=pd.Timestamp("2016-01-01"))
    refused(cw.InputError, "dates cannot enter", lambda: cw.ols("y ~ day", dated))


# -- missing covariates ------------------------------------------------------------------------


def test_missing_covariates_are_dropped_counted_and_shown() -> None:
    data = small()
    data.loc[[0, 1, 2, 3, 4, 11], "age"] = np.nan
    data.loc[12, "need"] = None
    fit = cw.ols("y ~ arm + age + need", data, cluster="family_id")
    assert (fit.n, fit.clusters) == (73, 15)
    text = " ".join(fit.notes)
    assert "7 of 80 rows" in text and "age 6" in text and "need 1" in text
    assert "1 of 16 clusters lost all their rows" in text
    assert "7 of 80 rows" in repr(fit)
    complete = data.dropna().reset_index(drop=True)
    alone = cw.ols("y ~ arm + age + need", complete, cluster="family_id")
    np.testing.assert_array_equal(fit.se, alone.se)
    design = cw.Design("t", arms={"control": 1, "crewe": 1}, cluster="family_id", seed=1)
    by_arm = cw.ols("y ~ arm + age + need", data, design=design.observe(data, arm="arm"))
    assert "rows dropped by arm: control 7 of 40, crewe 0 of 40" in " ".join(by_arm.notes)


def test_missing_outcomes_are_reported() -> None:
    data = small()
    data.loc[[5, 6], "y"] = np.nan
    design = cw.Design("t", arms={"control": 1, "crewe": 1}, cluster="family_id", seed=1)
    fit = cw.ols("y ~ arm", data, design=design.observe(data, arm="arm"))
    text = " ".join(fit.notes)
    assert fit.n == 78 and "y 2" in text and "control 0 of 40, crewe 2 of 40" in text


def test_missing_covariates_with_an_indicator() -> None:
    data = small()
    data.loc[[0, 1, 30], "age"] = np.nan
    data.loc[[7], "need"] = None
    fit = cw.ols("y ~ arm + age + need", data, cluster="family_id", missing="indicator")
    assert fit.n == 80
    by_hand = data.assign(
        age=data["age"].fillna(data["age"].mean()),
        age_missing=data["age"].isna().astype(float),
        need=pd.Categorical(
            data["need"].fillna("missing"), categories=["N1", "N2", "N3", "missing"]
        ),
    )
    want = cw.ols("y ~ arm + age + need + age_missing", by_hand, cluster="family_id")
    assert fit.terms == want.terms
    np.testing.assert_allclose(fit.se, want.se, rtol=1e-12)
    assert any("3 missing values of age" in note for note in fit.notes)


# -- pickles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_data", [False, True])
def test_pickles(awards: pd.DataFrame, keep_data: bool) -> None:
    fit = cw.ols(FORMULA, awards, cluster="school_id", keep_data=keep_data)
    text = pickle.dumps(fit)
    back = pickle.loads(text)
    assert repr(back) == repr(fit)
    pd.testing.assert_frame_equal(back.tidy(), fit.tidy())
    if keep_data:
        assert back.vcov("CR1S").se["treated"] == fit.vcov("CR1S").se["treated"]
        pd.testing.assert_frame_equal(back.margins("treated").tidy(), fit.margins("treated").tidy())
    else:
        assert len(text) < 20_000
        with pytest.raises(cw.InputError, match=r"without its data.*keep_data=True"):
            back.vcov("CR1S")
        with pytest.raises(cw.InputError, match="without its data"):
            back.margins("treated")
    margins = pickle.loads(pickle.dumps(fit.margins("treated")))
    assert repr(margins) == repr(fit.margins("treated"))


# -- margins against brute force ---------------------------------------------------------------


def predicted_at(fit: cw.OLS, values: dict[str, float]) -> Any:
    """Predict from the names of the terms alone, at a setting of plain numbers."""
    out = 0.0
    for term, b in fit.coef.items():
        product = 1.0
        for part in term.split(":"):
            product *= 1.0 if part == "Intercept" else values[part]
        out += b * product
    return out


FORMULAS = [
    "y ~ arm + age + need",
    "y ~ arm * age + need",
    "y ~ arm * need + age",
    "y ~ arm + np.log(age) + need",
    "y ~ arm + age + I(age**2) + need",
    "y ~ arm * np.log(age) + C(history)",
    "y ~ arm + age:need + need",
    "y ~ arm * C(history) * age",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_margins_at_means_against_brute_force(formula: str) -> None:
    data = small(3)
    fit = cw.ols(formula, data, cluster="family_id")
    age = data["age"].mean()
    share = data["need"].value_counts(normalize=True)
    history = data["history"].value_counts(normalize=True)
    for arm, got in zip([0.0, 1.0], fit.margins("arm").tidy()["estimate"], strict=True):
        values = {
            "arm[T.crewe]": arm,
            "age": age,
            "np.log(age)": np.log(age),
            "I(age ** 2)": age**2,
            "need[T.N2]": share["N2"],
            "need[T.N3]": share["N3"],
            "need[N1]": share["N1"],
            "need[N2]": share["N2"],
            "need[N3]": share["N3"],
            "C(history)[T.1]": history[1],
        }
        want = predicted_at(fit, values)
        np.testing.assert_allclose(got, want, rtol=1e-10)


@pytest.mark.parametrize("formula", FORMULAS)
def test_observed_margins_against_predictions_of_every_row(formula: str) -> None:
    data = small(4)
    fit = cw.ols(formula, data, cluster="family_id")
    got = fit.margins("arm", at="observed").tidy()["estimate"]
    for arm, estimate in zip(["control", "crewe"], got, strict=True):
        changed = data.assign(arm=pd.Categorical([arm] * len(data), ["control", "crewe"]))
        predicted = np.zeros(len(data))
        columns = {
            "arm[T.crewe]": (changed["arm"] == "crewe").to_numpy(float),
            "age": data["age"].to_numpy(),
            "np.log(age)": np.log(data["age"]).to_numpy(),
            "I(age ** 2)": data["age"].to_numpy() ** 2,
            **{f"need[T.{v}]": (data["need"] == v).to_numpy(float) for v in ("N2", "N3")},
            **{f"need[{v}]": (data["need"] == v).to_numpy(float) for v in ("N1", "N2", "N3")},
            "C(history)[T.1]": data["history"].to_numpy(float),
        }
        for term, b in fit.coef.items():
            product = np.ones(len(data))
            for part in term.split(":"):
                product = product if part == "Intercept" else product * columns[part]
            predicted += b * product
        np.testing.assert_allclose(estimate, predicted.mean(), rtol=1e-10)


def test_margins_by_and_values() -> None:
    data = small(5)
    fit = cw.ols("y ~ arm * age + need", data, cluster="family_id")
    got = fit.margins("age", values=[2, 10], by="arm").tidy()
    share = data["need"].value_counts(normalize=True)
    base = fit.coef["Intercept"] + sum(fit.coef[f"need[T.{v}]"] * share[v] for v in ("N2", "N3"))
    for (arm, age), estimate in zip(
        itertools.product([0, 1], [2.0, 10.0]), got["estimate"], strict=True
    ):
        want = base + fit.coef["arm[T.crewe]"] * arm + fit.coef["age"] * age
        want += fit.coef["arm[T.crewe]:age"] * arm * age
        np.testing.assert_allclose(estimate, want, rtol=1e-10)
    assert list(got["level"]) == ["2", "10", "2", "10"]
    assert list(got["by"]) == ["control", "control", "crewe", "crewe"]
    refused(cw.InputError, "is a number with 80 different values", lambda: fit.margins("age"))
    refused(cw.InputError, "not a variable of the model", lambda: fit.margins("history"))
    error = refused(cw.InputError, "no such level", lambda: fit.margins("need", values=["N9"]))
    assert error.values == ["N9"]
    with pytest.raises(cw.InputError, match="at='median' is unknown"):
        fit.margins("arm", at="median")
    narrow = fit.margins("arm", level=0.5).tidy()
    wide = fit.margins("arm").tidy()
    assert (narrow["conf_low"] > wide["conf_low"]).all()


# -- properties --------------------------------------------------------------------------------

SEEDS = st.integers(0, 10_000)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, kind=st.sampled_from(KINDS))
def test_the_order_of_rows_does_not_matter(seed: int, kind: str) -> None:
    data = small(seed)
    mixed = data.sample(frac=1.0, random_state=seed)
    a = cw.ols("y ~ arm + age + need", data, cluster="family_id", vcov=kind)
    b = cw.ols("y ~ arm + age + need", mixed, cluster="family_id", vcov=kind)
    for name in ("coef", "se", "df"):
        x, y = getattr(a, name).to_numpy(), getattr(b, name).to_numpy()
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, kind=st.sampled_from(CLUSTERED))
def test_the_names_of_clusters_do_not_matter(seed: int, kind: str) -> None:
    data = small(seed)
    names = np.random.default_rng(seed).permutation(1000)[:16]
    renamed = data.assign(family_id=[f"f{names[i]}" for i in data["family_id"]])
    a = cw.ols("y ~ arm + age", data, cluster="family_id", vcov=kind)
    b = cw.ols("y ~ arm + age", renamed, cluster="family_id", vcov=kind)
    np.testing.assert_allclose(a.se, b.se, rtol=1e-12)
    np.testing.assert_allclose(a.df, b.df, rtol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, kind=st.sampled_from(KINDS), power=st.integers(-8, 8))
def test_units_of_a_covariate_do_not_matter(seed: int, kind: str, power: int) -> None:
    data = small(seed)
    scaled = data.assign(age=10.0**power * data["age"])
    a = cw.ols("y ~ arm + age", data, cluster="family_id", vcov=kind)
    b = cw.ols("y ~ arm + age", scaled, cluster="family_id", vcov=kind)
    np.testing.assert_allclose(a.se.iloc[:2], b.se.iloc[:2], rtol=1e-10)
    np.testing.assert_allclose(a.se.iloc[2], b.se.iloc[2] * 10.0**power, rtol=1e-10)
    np.testing.assert_allclose(a.p_value, b.p_value, rtol=1e-8, atol=1e-300)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, kind=st.sampled_from(["CR0", "CR1"]))
def test_rows_told_twice_add_nothing(seed: int, kind: str) -> None:
    data = small(seed)
    twice = pd.concat([data, data], ignore_index=True)
    a = cw.ols("y ~ arm + age", data, cluster="family_id", vcov=kind)
    b = cw.ols("y ~ arm + age", twice, cluster="family_id", vcov=kind)
    np.testing.assert_allclose(a.coef, b.coef, rtol=1e-10)
    np.testing.assert_allclose(a.se, b.se, rtol=1e-10)
    np.testing.assert_allclose(a.df, b.df)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_hc2_is_cr2_of_single_rows(seed: int) -> None:
    data = small(seed).assign(row=range(80))
    a = cw.ols("y ~ arm + age + need", data, vcov="HC2")
    b = cw.ols("y ~ arm + age + need", data, cluster="row", vcov="CR2")
    np.testing.assert_allclose(a.cov, b.cov, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(a.df, b.df, rtol=1e-9)
    np.testing.assert_allclose(
        a.margins("arm").contrasts()["df"], b.margins("arm").contrasts()["df"], rtol=1e-9
    )


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_the_difference_of_arms_under_cr2(seed: int) -> None:
    # Clusters of one size: the variance of a mean of cluster means in each arm, G_arm - 1 in the divisor.
    data = small(seed)
    fit = cw.ols("y ~ arm", data, cluster="family_id")
    means = data.groupby(["arm", "family_id"])["y"].mean()
    variance = sum(means[arm].var(ddof=1) / len(means[arm]) for arm in ("control", "crewe"))
    np.testing.assert_allclose(fit.se["arm[T.crewe]"], np.sqrt(variance), rtol=1e-10)


def test_an_arm_without_any_variation_is_noted():
    data = pd.DataFrame({"arm": [1] * 6 + [0] * 30, "y": [0] * 6 + [0, 0, 1] * 10})
    fit = cw.ols("y ~ arm", data)
    assert any("the same in all 6 rows with arm = 1" in note for note in fit.notes)
    assert "the same in all 6 rows" in repr(fit)
    assert not any("the same" in note for note in fit.vcov("iid").notes)
    varied = cw.ols("y ~ arm", data.assign(y=[1, *data["y"][1:]]))
    assert not any("the same" in note for note in varied.notes)


@pytest.mark.parametrize("kind", ["CR1S", "CR3", "CV3", "CV3L", "hansen"])
def test_more_contrasts_than_clusters_leave_free_are_refused(kind: str) -> None:
    """Refits of six clusters span six directions, and five are free: F(6, 5) would answer noise with p = 0.01."""
    rng = np.random.default_rng(1)
    terms = [f"x{i}" for i in range(6)]
    frame = pd.DataFrame(rng.normal(size=(30, 7)), columns=["y", *terms])
    frame["family"] = np.arange(30) // 5
    fit = cw.ols("y ~ " + " + ".join(terms), frame, cluster="family", vcov=kind)
    assert fit.test(terms[:5]).df_num.iloc[0] == 5
    with pytest.raises((cw.InputError, cw.RankError), match="fewer terms at once"):
        fit.test(terms)

"""Formulas from Python: any name, arithmetic of outcomes, splines and polynomials as R's, words for hypotheses."""

from __future__ import annotations

import json
import keyword
import pickle
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

REFERENCE = Path(__file__).parents[1] / "reference"
EXPECTED = json.loads((REFERENCE / "expected" / "formula.json").read_text("utf-8"))
CASES = {case["name"]: case for case in EXPECTED["cases"]}


@pytest.fixture(scope="module")
def awards() -> pd.DataFrame:
    frame = pd.read_csv(REFERENCE / "data" / "achievement_2001.csv")
    return frame[frame["lagscore"].notna()].reset_index(drop=True)


@pytest.fixture
def d() -> pd.DataFrame:
    random = np.random.default_rng(58)
    n = 60
    return pd.DataFrame(
        {
            "y": random.normal(size=n),
            "pre": random.normal(size=n),
            "x": random.normal(size=n),
            "arm": np.where(np.arange(n) % 2, "b", "a"),
            "h": random.choice(list("pqr"), n),
            "g": random.integers(1, 5, n),
            "cl": np.arange(n) // 4,
        }
    )


def refused(call: Any) -> cw.CreweError:
    with pytest.raises(cw.CreweError) as caught:
        call()
    return caught.value


# -- names ------------------------------------------------------------------------------------

NAMES = [
    "key-stage", "key stage", "a,b", "50%", "it's", "sdq.total", "a:b", "a*b", "a+b", "x|y", "1st", "ÿ é", "ﬁeld",
    "center", "scale", "lag", "log", "exp", "C", "I", "Q", "np", "poly", "bs", "ns", "cc", "cr", "cs", "contr",
    "Treatment", "in", "lambda", "None", "(x)", "x]", "crewe__61__",
]  # fmt: skip


def with_name(d: pd.DataFrame, name: str) -> tuple[Any, Any]:
    """The same model with a category and with a number under another name."""
    random = d.rename(columns={"h": name})
    number = d.rename(columns={"x": name})
    return (
        cw.ols(f"y ~ arm * `{name}` + x", random, cluster="cl"),
        cw.ols(f"y ~ arm + h + np.exp(`{name}`)", number, cluster="cl"),
    )


@pytest.mark.parametrize("name", NAMES)
def test_1_1_a_name_changes_no_number(d: pd.DataFrame, name: str) -> None:
    plain = (
        cw.ols("y ~ arm * h + x", d, cluster="cl"),
        cw.ols("y ~ arm + h + np.exp(x)", d, cluster="cl"),
    )
    for other, fit in zip(with_name(d, name), plain, strict=True):
        assert other.coef.tolist() == fit.coef.tolist()
        assert other.se.tolist() == fit.se.tolist()
        for got, expected in zip(
            (other.margins("arm").contrasts(), other.margins("arm", at="observed").tidy()),
            (fit.margins("arm").contrasts(), fit.margins("arm", at="observed").tidy()),
            strict=True,
        ):
            assert got["estimate"].tolist() == expected["estimate"].tolist()
            assert got["p_value"].tolist() == expected["p_value"].tolist()
    by_h = with_name(d, name)[0].margins("arm", by=name).tidy()
    assert by_h["estimate"].tolist() == plain[0].margins("arm", by="h").tidy()["estimate"].tolist()


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(
        st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="`"), min_size=1
    ).filter(lambda text: text.strip() == text and text not in {"y", "arm", "x", "Intercept"})
)
def test_1_1_any_name(name: str) -> None:
    random = np.random.default_rng(7)
    d = pd.DataFrame(
        {
            "y": random.normal(size=24),
            "x": random.normal(size=24),
            "h": random.choice(list("pq"), 24),
            "arm": ["a", "b"] * 12,
        }
    )
    assume(name not in d)
    fit = cw.ols("y ~ arm * h + x", d)
    for frame in (d.rename(columns={"h": name}), pl.from_pandas(d).rename({"h": name})):
        other = cw.ols(f"y ~ arm * `{name}` + x", frame)
        assert other.coef.tolist() == fit.coef.tolist()
        assert (
            list(other.margins("arm").contrasts()["estimate"])
            == fit.margins("arm").contrasts()["estimate"].tolist()
        )


def test_1_9_functions_names_without_backticks(d: pd.DataFrame) -> None:
    fit = cw.ols("y ~ arm + x", d)
    for name in [
        "center",
        "scale",
        "lag",
        "log",
        "exp",
        "Q",
        "np",
        "poly",
        "bs",
        "cc",
        "cr",
        "cs",
        "contr",
        "Treatment",
        "C",
        "I",
    ]:
        other = cw.ols(f"y ~ arm + {name}", d.rename(columns={"x": name}))
        assert other.terms[-1] == name and other.coef.tolist() == fit.coef.tolist()
        assert other.margins("arm").contrasts()["estimate"][0] == pytest.approx(
            fit.margins("arm").contrasts()["estimate"][0], rel=1e-12
        )
    assert not any(map(keyword.iskeyword, ["center", "C"]))
    of_centre = cw.ols("y ~ arm + C(center)", d.rename(columns={"h": "center"}))
    assert of_centre.coef.tolist() == cw.ols("y ~ arm + C(h)", d).coef.tolist()
    both = d.rename(columns={"x": "np"})
    assert cw.ols("y ~ np.exp(np)", both).coef.tolist() == cw.ols("y ~ np.exp(x)", d).coef.tolist()


def test_1_11_a_dot_in_a_name(d: pd.DataFrame) -> None:
    frame = d.rename(columns={"x": "sdq.total"})
    plain = cw.ols("y ~ arm + x", d).coef.tolist()
    assert cw.ols("y ~ arm + sdq.total", frame).coef.tolist() == plain
    assert cw.ols("y ~ arm + `sdq.total`", frame).coef.tolist() == plain


def test_1_6_a_column_called_intercept(d: pd.DataFrame) -> None:
    error = refused(lambda: cw.ols("y ~ 0 + Intercept", d.rename(columns={"x": "Intercept"})))
    assert error.column == "Intercept" and "another name" in str(error)


# -- outcomes ---------------------------------------------------------------------------------


def test_1_2_arithmetic_on_the_left(d: pd.DataFrame) -> None:
    one = d["arm"] == "a"
    for text, values in (
        ("y - pre", d["y"] - d["pre"]),
        ("y ** 2", d["y"] ** 2),
        ("y^2", d["y"] ** 2),
        ("y * 3 + pre / 2", d["y"] * 3 + d["pre"] / 2),
        ("-y", -d["y"]),
        ("I(y - pre)", d["y"] - d["pre"]),
        ("np.exp(y)", np.exp(d["y"])),
    ):
        fit = cw.ols(f"{text} ~ arm", d)
        assert fit.coef.iloc[0] == pytest.approx(values[one].mean(), rel=1e-12)
        assert fit.coef.iloc[1] == pytest.approx(values[~one].mean() - values[one].mean(), rel=1e-9)
    assert "':'" in str(refused(lambda: cw.ols("y:pre ~ arm", d)))
    assert "y" in str(refused(lambda: cw.ols("y, pre ~ arm", d)))


def test_1_14_questions_without_a_meaning(d: pd.DataFrame) -> None:
    fit = cw.ols("y ~ arm + x", d)
    assert "Its variables are arm, x" in str(refused(lambda: fit.margins("y")))
    assert refused(lambda: fit.margins("arm", by="arm")).column == "arm"
    assert "values=['ab']" in str(refused(lambda: fit.margins("arm", values="ab")))
    assert "no terms" in str(refused(lambda: cw.ols("y ~ 0", d)))
    assert "both sides" in str(refused(lambda: cw.ols("y ~ y + arm", d)))


# -- levels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[1, 99], [1.5], [np.nan], [2, None]])
def test_1_3_levels_that_nobody_has(d: pd.DataFrame, values: list[Any]) -> None:
    fit = cw.ols("y ~ arm + C(g)", d)
    error = refused(lambda: fit.margins("g", values=values))
    assert error.column == "g" and "1, 2, 3, 4" in str(error)
    assert fit.margins("g", values=[1, 3]).tidy()["estimate"].notna().all()


def test_1_3_numbers_that_are_none(d: pd.DataFrame) -> None:
    fit = cw.ols("y ~ arm + x", d)
    for values in ([np.nan], [np.inf], ["ab"]):
        assert refused(lambda values=values: fit.margins("x", values=values)).column == "x"


def test_1_4_rows_of_other_levels_are_missing(d: pd.DataFrame) -> None:
    fit = cw.ols("y ~ arm + C(h, levels=['p', 'q'])", d)
    kept = d[d["h"] != "r"]
    assert fit.n == len(kept) and any("dropped" in note and "h" in note for note in fit.notes)
    assert fit.coef.tolist() == pytest.approx(cw.ols("y ~ arm + h", kept).coef.tolist(), rel=1e-12)
    ordered = cw.ols("y ~ arm + C(g, levels=[3, 1, 2])", d)
    assert ordered.n == int((d["g"] != 4).sum())
    three = d[d["g"].isin([1, 2, 3])]
    assert ordered.margins("g").tidy()["estimate"].tolist() == pytest.approx(
        cw.ols("y ~ arm + C(g)", three).margins("g").tidy()["estimate"].tolist(), rel=1e-9
    )


def test_1_7_indicators_keep_the_users_columns(d: pd.DataFrame) -> None:
    frame = d.assign(x_missing=np.arange(60.0))
    frame.loc[:5, "x"] = np.nan
    frame["h"] = frame["h"].replace("r", "missing")
    frame.loc[6:9, "h"] = None
    fit = cw.ols("y ~ arm + x + x_missing + h", frame, missing="indicator")
    plain = frame.assign(i=frame["x"].isna().astype(float), x=frame["x"].fillna(frame["x"].mean()))
    plain["h"] = plain["h"].fillna("zz")
    expected = cw.ols("y ~ arm + x + x_missing + h + i", plain).coef
    assert fit.coef["x_missing"] == pytest.approx(expected["x_missing"], rel=1e-9)
    assert fit.coef["x_missing_2"] == pytest.approx(expected["i"], rel=1e-9)
    assert any("x_missing_2" in note for note in fit.notes)
    assert any("missing_2" in term for term in fit.terms if term.startswith("h"))
    hyphen = frame.rename(columns={"x": "pre-score"})
    other = cw.ols("y ~ arm + `pre-score`", hyphen, missing="indicator")
    assert "pre-score_missing" in other.terms


# -- splines and polynomials ------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_1_10_splines_and_polynomials_are_rs(awards: pd.DataFrame, name: str) -> None:
    case = CASES[name]
    fit = cw.ols(case["formula"], awards, vcov="iid", keep_data=True)
    np.testing.assert_allclose(fit.coef, case["estimate"], rtol=1e-9)
    np.testing.assert_allclose(fit.se, case["std_error"], rtol=1e-9)
    np.testing.assert_allclose(fit.predict()["estimate"][:20], case["fitted"], rtol=1e-9)
    new = pd.DataFrame(case["new"])
    for other in (fit, pickle.loads(pickle.dumps(fit))):
        np.testing.assert_allclose(other.predict(new)["estimate"], case["predicted"], rtol=1e-9)
    levels = fit.margins("treated").tidy()["estimate"]
    np.testing.assert_allclose(levels, case["at_means"], rtol=1e-9)
    if case["beyond"]:
        beyond = pd.DataFrame(case["beyond"])
        np.testing.assert_allclose(fit.predict(beyond)["estimate"], case["extrapolated"], rtol=1e-9)
    polars = cw.ols(case["formula"], pl.from_pandas(awards), vcov="iid")
    assert polars.coef.tolist() == fit.coef.tolist()


def test_1_10_natural_splines_by_other_names(awards: pd.DataFrame) -> None:
    fits = [
        cw.ols(f"Bagrut_status ~ treated + {name}(lagscore, 3)", awards, vcov="iid")
        for name in ("ns", "cr", "cs")
    ]
    assert fits[0].coef.tolist() == fits[1].coef.tolist() == fits[2].coef.tolist()


def test_1_10_no_b_spline_beyond_its_knots(awards: pd.DataFrame) -> None:
    fit = cw.ols("Bagrut_status ~ bs(lagscore, 4)", awards)
    error = refused(lambda: fit.predict(pd.DataFrame({"lagscore": [50.0, 1e4]})))
    assert list(error.rows) == [1] and "ns()" in str(error)
    for call in ("bs(treated, 6)", "ns(treated, 3)", "poly(treated, 2)", "bs(lagscore, 2)"):
        assert isinstance(
            refused(lambda call=call: cw.ols(f"Bagrut_status ~ {call}", awards)), cw.InputError
        )


def test_1_10_knots_of_each_group(awards: pd.DataFrame) -> None:
    by = cw.ols("Bagrut_status ~ treated + ns(lagscore, 3)", awards, by="girl")
    for value, fit in by.items():
        alone = cw.ols(
            "Bagrut_status ~ treated + ns(lagscore, 3)", awards[awards["girl"] == float(value)]
        )
        assert fit.coef.tolist() == alone.coef.tolist()


# -- several outcomes, hypotheses --------------------------------------------------------------


def test_1_12_several_outcomes(awards: pd.DataFrame) -> None:
    several = EXPECTED["several"]
    family = cw.ols([f"{y} ~ treated + girl" for y in several["outcomes"]], awards, vcov="iid")
    assert list(family) == several["outcomes"]
    assert list(family.tidy()["outcome"].unique()) == several["outcomes"]
    for method in ("holm", "BH"):
        adjusted = family.adjust(method)
        np.testing.assert_allclose(adjusted["estimate"], several["estimate"], rtol=1e-9)
        np.testing.assert_allclose(adjusted["p_value"], several["p_value"], rtol=1e-8)
        np.testing.assert_allclose(adjusted["p_adjusted"], several[method], rtol=1e-8)
    assert "no term" in str(refused(lambda: family.adjust(term="age")))
    assert "two formulas" in str(refused(lambda: cw.ols(["girl ~ treated"] * 2, awards)))


def test_1_12_hypotheses_in_words(awards: pd.DataFrame) -> None:
    fit = cw.ols("Bagrut_status ~ treated + mother_ed + father_ed", awards, vcov="iid")
    expected = EXPECTED["hypothesis"]
    for text in ("mother_ed - father_ed = 0", "mother_ed = father_ed", "mother_ed - father_ed"):
        got = fit.contrast(text).iloc[0]
        assert got["estimate"] == pytest.approx(expected["estimate"][0], rel=1e-9)
        assert got["std_error"] == pytest.approx(expected["std_error"][0], rel=1e-9)
        assert got["p_value"] == pytest.approx(expected["p_value"][0], rel=1e-8)
    twice = fit.contrast("2*mother_ed - 2 * father_ed = 0").iloc[0]
    assert twice["estimate"] == pytest.approx(2 * expected["estimate"][0], rel=1e-9)
    tested = fit.test("mother_ed - father_ed = 0").iloc[0]
    assert tested["p_value"] == pytest.approx(expected["p_value"][0], rel=1e-8)
    for text in ("mother_ed -", "age = 0", "mother_ed = 1", "mother_ed - mother_ed = 0", "= 0", ""):
        refused(lambda text=text: fit.contrast(text))


def test_1_12_a_factor_as_a_whole(awards: pd.DataFrame) -> None:
    frame = awards.assign(
        kind=np.select([awards["religious"] == 1, awards["secular"] == 1], ["r", "s"], "a")
    )
    expected = EXPECTED["factor"]
    for formula, term in (
        ("Bagrut_status ~ treated + kind", "kind"),
        ("Bagrut_status ~ treated + C(kind)", "kind"),
        ("Bagrut_status ~ treated + C(kind)", "C(kind)"),
        ("Bagrut_status ~ treated + kind", ["kind[T.r]", "kind[T.s] = 0"]),
    ):
        got = cw.ols(formula, frame, vcov="iid").test(term).iloc[0]
        assert got["df_num"] == expected["df_num"][0]
        assert got["statistic"] == pytest.approx(expected["statistic"][0], rel=1e-9)
        assert got["p_value"] == pytest.approx(expected["p_value"][0], rel=1e-8)
    cox = cw.coxph("Surv(week, arrest) ~ fin + C(race)", cw.datasets.rossi())
    assert cox.test("race")["df_num"][0] == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d: cw.ols("y ~ x | cl", d), "cluster="),
        (lambda d: cw.ols("y ~ x ~ arm", d), "several outcomes"),
        (lambda d: cw.ols("y ~ .", d), "Name the columns"),
        (lambda d: cw.ols("y ~ C(h, contr.treatment('zz'))", d), "zz"),
        (lambda d: cw.ols(d, "y ~ arm"), "second"),
        (lambda d: cw.ols("y ~ arm", d, vcov={"CRV1": "cl"}), "vcov='CR2'"),
        (lambda d: cw.ols("y ~ foo(x)", d), "foo"),
        (lambda d: cw.ols("y ~ x +", d), "cannot be read"),
        (lambda d: cw.ols("y ~ x[", d), "cannot be"),
        (lambda d: cw.ols("y ~ arm + np.log(arm)", d), "np.log(arm)"),
        (lambda d: cw.ols("y ~ arm", d).contrast("b1 - b2"), "Intercept"),
        (lambda d: cw.ols("y ~ arm", d).test("age"), "no term"),
    ],
)
def test_1_12_what_is_refused_in_words(d: pd.DataFrame, call: Any, words: str) -> None:
    assert words in str(refused(lambda: call(d)))


def test_names_with_blanks_at_their_ends_are_columns_of_their_own():
    rng = np.random.default_rng(11)
    data = pd.DataFrame({"y": rng.normal(size=60), "x": rng.normal(size=60), "a": [0, 1] * 30})
    data[" x"] = np.where(data["x"] > 0, "p", "n")
    data["x\n"] = np.arange(60) // 3
    data["(x)"] = data[" x"]
    data["days"], data["closed"] = np.arange(1.0, 61.0), 1
    assert list(cw.ols("y ~ a", data, by=" x")) == ["n", "p"]
    assert cw.ols("y ~ a", data, cluster="x\n").clusters == 20
    assert cw.compare_to_national(" x", data, national={"n": 0.5, "p": 0.5}).totals
    layered = cw.logrank("Surv(days, closed) ~ a + strata(`(x)`)", data)
    assert layered.statistic == cw.logrank("Surv(days, closed) ~ a", data, strata="(x)").statistic
    with pytest.raises(cw.InputError, match="no column ''"):
        cw.ols("y ~ a", data, weights="")

"""Comparisons without a model read their trial, their names and their missing values in one way."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import crewe as cw
import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

matplotlib.use("Agg")

FAMILIES = pd.DataFrame({"family": [f"F{i:02d}" for i in range(20)]})


@pytest.fixture
def trial():
    arms = ["usual", "extra"] * 10
    return cw.Design("siblings", unit="family", arms={"usual": 1, "extra": 1}).observe(
        FAMILIES.assign(arm=arms), arm="arm"
    )


@pytest.fixture
def children(trial) -> pd.DataFrame:
    frame = pd.DataFrame({"family": np.repeat(FAMILIES["family"], 2)}).reset_index(drop=True)
    n = len(frame)
    return frame.assign(
        arm=np.repeat(["usual", "extra"] * 10, 2),
        days=np.arange(n) * 7 % 31 + 1.0,
        closed=np.arange(n) % 3 > 0,
        score=np.arange(n) % 9,
        site=np.where(np.arange(n) < 20, "north", "south"),
    )


def calls():
    return {
        "kaplan_meier": (cw.kaplan_meier, "Surv(days, closed) ~ arm"),
        "logrank": (cw.logrank, "Surv(days, closed) ~ arm"),
        "rmst": (cw.rmst, "Surv(days, closed) ~ arm"),
        "describe": (cw.describe, "score ~ arm"),
        "crosstab": (cw.crosstab, "closed ~ arm"),
        "compare_rates": (cw.compare_rates, "closed ~ arm"),
        "mann_whitney": (cw.mann_whitney, "score ~ arm"),
        "permutation_test": (cw.permutation_test, "score ~ arm"),
    }


NOTED = ["kaplan_meier", "logrank", "describe", "crosstab"]
REFUSED = ["mann_whitney", "permutation_test", "compare_rates"]


def order(result) -> list[str]:
    """The arms of a result, the reference first."""
    if hasattr(result, "arms"):
        return list(result.arms[::-1])
    if isinstance(result, cw.KaplanMeier | cw.LogRank | cw.RestrictedMean):
        return result.groups
    return result.columns if hasattr(result, "columns") else result.levels[0]


@pytest.mark.parametrize("name", list(calls()))
def test_2_9_the_reference_is_that_of_the_design(name, trial, children):
    call, formula = calls()[name]
    one = children.drop_duplicates("family")
    assert order(call(formula, one)) == ["extra", "usual"]
    assert order(call(formula, one, design=trial)) == ["usual", "extra"]
    assert order(call(formula, one.drop(columns="arm"), design=trial)) == ["usual", "extra"]
    assert order(call(formula, pl.from_pandas(one), design=trial)) == ["usual", "extra"]


@pytest.mark.parametrize("name", NOTED)
@pytest.mark.parametrize("named", ["design", "cluster"])
def test_2_9_siblings_are_noted(name, named, trial, children):
    call, formula = calls()[name]
    options = {"design": trial} if named == "design" else {"cluster": "family"}
    notes = call(formula, children, **options).notes
    assert any("20 of 20" in n and "counted as independent" in n for n in notes), notes
    assert not any("independent" in n for n in call(formula, children).notes)


@pytest.mark.parametrize("name", REFUSED)
def test_2_9_siblings_are_refused_where_the_ruling_says_so(name, trial, children):
    call, formula = calls()[name]
    for options in ({"design": trial}, {"cluster": "family"}, {"cluster": children["family"]}):
        with pytest.raises(cw.DesignError, match="20 of 20 clusters have several rows"):
            call(formula, children, **options)


@pytest.mark.parametrize("name", NOTED)
def test_2_9_clusters_that_split_a_unit_are_refused(name, trial, children):
    call, formula = calls()[name]
    with pytest.raises(cw.DesignError, match="split 20 of 20"):
        call(formula, children.assign(row=range(40)), design=trial, cluster="row")


@pytest.mark.parametrize("name", list(calls()))
def test_2_9_groups_are_a_mapping(name, trial, children):
    call, formula = calls()[name]
    one = children.drop_duplicates("family")
    results = call(formula, one, design=trial, by="site")
    assert list(results) == ["north", "south"]
    alone = call(formula, one[one["site"] == "south"], design=trial)
    pd.testing.assert_frame_equal(results["south"].tidy(), alone.tidy())
    tidy = results.tidy()
    assert next(iter(tidy)) == "site" and len(tidy) == sum(len(r.tidy()) for r in results.values())
    assert "site: south" in repr(results) and "site: south" in results._repr_html_()


@pytest.mark.parametrize("name", list(calls()))
def test_2_9_missing_values_are_counted_by_arm_or_refused(name, trial, children):
    call, formula = calls()[name]
    one = children.drop_duplicates("family").reset_index(drop=True)
    for column in ("days", "closed", "score"):
        one[column] = one[column].astype(float).where(one.index != 3)
    said = " ".join(call(formula, one, design=trial).notes)
    if name != "describe":
        assert "usual 0, extra 1" in said
    with pytest.raises(cw.InputError, match=r"no value of .*row 3"):
        call(formula, one, design=trial, missing="refuse")
    with pytest.raises(cw.InputError, match="missing='no' is unknown"):
        call(formula, one, missing="no")


def test_2_9_the_curves_are_drawn_in_the_order_of_the_design(trial, children):
    plain = cw.kaplan_meier("Surv(days, closed) ~ arm", children, design=trial)
    fit = cw.coxph("Surv(days, closed) ~ arm", children, design=trial)
    assert fit.adjusted_curves().values == plain.groups
    styles = [
        next(
            (line.get_color(), str(line.get_linestyle()))
            for line in ax.lines
            if len(line.get_xdata()) > 5
        )
        for ax in (plain.plot(), fit.adjusted_curves().plot())
    ]
    assert styles[0] == styles[1]


# -- survival formulas ------------------------------------------------------------------------

OPEN = pd.DataFrame(
    {
        "days": [5.0, 3.0, 8.0, np.nan, 9.0, np.nan],
        "the days": [5.0, 3.0, 8.0, np.nan, 9.0, np.nan],
        "closed": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
        "status": [2.0, 1.0, 2.0, 1.0, 2.0, 1.0],
        "arm": list("abbaba"),
    }
)


@pytest.mark.parametrize("call", [cw.kaplan_meier, cw.logrank, cw.rmst, cw.coxph])
@pytest.mark.parametrize(
    "left",
    [
        "Surv(days, closed)",
        "Surv(days/30, closed)",
        "Surv(days, status - 1)",
        "Surv(`the days`, closed)",
        "Surv(np.minimum(days, 7), closed)",
        "Surv((days), status == 2)",
    ],
)
def test_2_5_open_cases_without_a_time_are_refused(call, left):
    with pytest.raises(cw.InputError, match=r"2 of 6 times are missing.*rows 3, 5"):
        call(f"{left} ~ arm", OPEN)


def test_2_5_sides_are_worked_out():
    known = OPEN.dropna()
    want = cw.kaplan_meier("Surv(days, closed) ~ arm", known).tidy()
    for left in ("Surv(`the days`, closed)", "Surv(days, status - 1)", "Surv(days, status == 2)"):
        pd.testing.assert_frame_equal(cw.kaplan_meier(f"{left} ~ arm", known).tidy(), want)
    months = cw.kaplan_meier("Surv(days / 30, closed) ~ arm", known).tidy()
    np.testing.assert_allclose(months["time"], want["time"] / 30)
    blank = OPEN.assign(status=OPEN["status"].where(OPEN["days"].notna()))
    curves = cw.kaplan_meier("Surv(days, status == 2) ~ arm", blank)
    assert "2 of 6 rows dropped" in curves.notes[0] and "by arm: a 2, b 0" in curves.notes[0]
    assert cw.kaplan_meier("Surv(`the days`, closed) ~ 1", known).time_name == "the days"


def test_2_6_dates_are_refused_and_spans_are_days():
    days = [5, 3, 8]
    event = [1, 0, 1]
    dates = pd.to_datetime(["2024-01-05", "2024-01-03", "2024-01-08"])
    for given_dates in (
        dates,
        pd.Series(dates),
        pd.Series(dates.tz_localize("UTC")),
        [d.date() for d in dates],
        np.array([np.datetime64(d, "ns") for d in dates], dtype=object),
        pl.Series(dates.to_pydatetime().tolist()),
    ):
        with pytest.raises(cw.InputError, match=r"dates cannot enter.*'time'"):
            cw.Surv(given_dates, event)
        with pytest.raises(cw.InputError, match=r"dates cannot enter.*'event'"):
            cw.Surv(days, given_dates)
    spans = [dt.timedelta(days=d) for d in days]
    for given_spans in (spans, pd.Series(spans), np.array(days, dtype="m8[D]"), pl.Series(spans)):
        assert cw.Surv(given_spans, event).time.tolist() == days
    assert cw.Surv([dt.timedelta(hours=36), None, spans[0]], event).time[0] == 1.5
    assert np.isnan(cw.Surv(pd.Series([spans[0], pd.NaT]), [1, 0]).time[1])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=20))
def test_2_6_spans_of_any_unit_are_the_same_days(seconds):
    for unit, scale in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        spans = (np.array(seconds) * scale).astype(f"m8[{unit}]")
        got = cw.Surv(spans, np.ones(len(seconds))).time
        np.testing.assert_allclose(got, np.array(seconds) / 86_400, rtol=1e-15)


def test_4_6_nothing_is_known_beyond_the_last_time():
    curves = cw.kaplan_meier(cw.Surv([1, 2, 3, 4], [1, 0, 1, 0]), [0, 0, 0, 0])
    table = curves.survival_at([2, 4, 4.001, 9])
    assert table["estimate"].tolist()[:2] == [0.75, 0.375]
    assert table.loc[2:, ["estimate", "std_error", "conf_low", "conf_high"]].isna().all(axis=None)
    ended = cw.kaplan_meier(cw.Surv([1, 2], [1, 1])).survival_at([5])
    assert ended["estimate"].tolist() == [0.0]


def test_2_10_the_first_arm_is_the_reference():
    rates = cw.compare_rates(events=[3, 5], totals=[45, 83], arms=["control", "crewe"])
    assert rates.arms == ("crewe", "control")
    assert rates.difference == pytest.approx(5 / 83 - 3 / 45)
    frame = pd.DataFrame(
        {"arm": ["control"] * 45 + ["crewe"] * 83, "e": [1] * 3 + [0] * 42 + [1] * 5 + [0] * 78}
    )
    pd.testing.assert_frame_equal(cw.compare_rates("e ~ arm", frame).tidy(), rates.tidy())
    more = cw.compare_rates(events=[0, 9], totals=[20, 20], alternative="greater")
    assert more.p_value < 0.001 and more.arms == ("second", "first")


# -- names and values -------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(calls()))
@pytest.mark.parametrize("column", ["the arm", "a ~ b", "a + b", "key-stage", "50%"])
def test_9_16_names_in_backticks(name, column, trial, children):
    call, formula = calls()[name]
    one = children.drop_duplicates("family")
    odd = one.rename(columns={"arm": column, "score": "my score", "closed": "is, closed"})
    written = (
        formula.replace("~ arm", f"~ `{column}`")
        .replace("score", "`my score`")
        .replace("closed", "`is, closed`")
    )
    assert order(call(written, odd)) == order(call(formula, one))


def test_9_16_references_of_every_kind():
    frame = pd.DataFrame({"y": [1, 2, 3, 4.0], "z": [False, True, False, True], "c": [1, 2, 1, 2]})
    assert cw.mann_whitney("y ~ z", frame, reference=True).arms == ("0", "1")
    assert cw.describe("y ~ c", frame, reference=2.0).levels == [["2", "1"]]
    with pytest.raises(cw.InputError, match="no arm '3'"):
        cw.describe("y ~ c", frame, reference=3)


@pytest.mark.parametrize("name", list(calls()))
@pytest.mark.parametrize("which", ["arm", "outcome"])
def test_9_16_columns_of_nulls_are_named(name, which, children):
    call, formula = calls()[name]
    column = {"arm": "arm", "outcome": "score" if "score" in formula else "closed"}[which]
    for empty in (None, np.nan):
        if "Surv" in formula and which == "outcome":
            frame = children.assign(closed=empty, days=np.nan)
            column = "days"
        else:
            frame = children.assign(**{column: empty})
        with pytest.raises(cw.InputError, match=f"no row has a value of '{column}'"):
            call(formula, frame)


@given(st.lists(st.integers(1_000_000, 1_000_030), min_size=2, max_size=6, unique=True))
@settings(max_examples=25, deadline=None)
def test_9_16_numbers_keep_names_of_their_own(codes):
    frame = pd.DataFrame({"y": np.arange(len(codes) * 2.0), "g": codes * 2})
    assert cw.describe("y ~ g", frame).levels == [[str(code) for code in sorted(codes)]]
    curves = cw.kaplan_meier("Surv(t, e) ~ g", frame.assign(t=frame["y"] + 1, e=1))
    assert len(curves.at_risk([1.0]).columns) == len(codes) + 1


def test_9_16_national_shares_by_any_name():
    frame = pd.DataFrame({"g": [1, 1, 2, 2, 2], "text": list("aabbb")})
    want = cw.compare_to_national({"1": 2, "2": 3}, national={"1": 0.4, "2": 0.6}, seed=1)
    for national in ({1.0: 0.4, 2.0: 0.6}, {1: 0.4, 2: 0.6}, pd.Series({1: 0.4, 2: 0.6})):
        got = cw.compare_to_national("g", frame, national=national, seed=1)
        assert (got.names, got.statistic) == (want.names, want.statistic)
        again = cw.compare_to_national(pd.Series({1: 2, 2: 3}), national=national, seed=1)
        assert (again.names, again.statistic) == (want.names, want.statistic)
    with pytest.raises(cw.InputError, match="the same name"):
        cw.compare_to_national("g", frame, national={1: 0.4, "1": 0.6})
    with pytest.raises(cw.InputError, match=r"must be a number.*'x'"):
        cw.compare_to_national(3, n=9, national="x")
    with pytest.raises(cw.InputError, match=r"n= lacks.*seen: b"):
        cw.compare_to_national({"a": 1, "b": 2}, n={"a": 10}, national={"a": 0.1, "b": 0.2})
    with pytest.raises(cw.InputError, match="no row has a value of 'g'"):
        cw.compare_to_national("g", frame.assign(g=None), national={1: 0.4, 2: 0.6})


def test_9_16_rounded_shares_are_scaled_and_said():
    counts = {"a": 5, "b": 10, "c": 15}
    got = cw.compare_to_national(counts, national=dict.fromkeys("abc", 0.333), seed=1)
    assert got.statistic == pytest.approx(sum((n - 10) ** 2 / 10 for n in counts.values()))
    assert any("sum to 0.999" in note for note in got.notes)
    for wrong in ({"a": 0.5, "b": 0.2, "c": 0.2}, {"a": 0.33, "b": 0.33, "c": 0.3}):
        with pytest.raises(cw.InputError, match="sum to 1"):
            cw.compare_to_national(counts, national=wrong)


@pytest.mark.parametrize("build", [pd.DataFrame, pl.DataFrame, pl.LazyFrame])
def test_9_16_national_figures_of_any_kind(build):
    frame = build({"k": ["p", "q", "r", None] * 3})
    shares = {"p": 0.3, "q": 0.3, "r": 0.4}
    want = cw.compare_to_national("k", frame, national=shares)
    for national in (pd.Series(shares), {k: Decimal(str(v)) for k, v in shares.items()}):
        got = cw.compare_to_national("k", frame, national=national, seed=want.seed)
        assert (got.events, got.national, got.p_values) == (
            want.events,
            want.national,
            want.p_values,
        )


def test_clusters_as_an_array_follow_the_rows_of_a_trial_that_left_units_out() -> None:
    d = pd.DataFrame(
        {"family": np.arange(11), "site": np.arange(11) // 2, "y": np.arange(11.0) ** 1.5}
    )
    design = cw.Design(
        "t", arms={"a": 1, "b": 1}, unit="family", method=cw.Complete(misfits="leave_out"), seed=2
    )
    trial = design.assign(d)
    named = cw.ols("y ~ arm", d, design=trial, cluster="site")
    given = cw.ols("y ~ arm", d, design=trial, cluster=d["site"])
    assert np.array_equal(named.se, given.se) and named.n == 10
    out = set(d["family"]) - {int(unit) for unit in trial.clusters}
    holes = d.assign(y=d["y"].where(~d["family"].isin(out)))
    test = cw.randomisation_test("y ~ arm", holes, trial, draws=99, seed=1)
    again = cw.randomisation_test("y ~ arm", d, trial, draws=99, seed=1)
    assert test.p_value == again.p_value and test.estimate == again.estimate


@pytest.mark.parametrize("name", NOTED)
def test_notes_print_as_those_of_models_do(name, children):
    call, formula = calls()[name]
    printed = repr(call(formula, children, cluster="family"))
    assert "Note: 20 of 20" in printed and ".." not in printed

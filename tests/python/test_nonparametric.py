"""Ranks, permutations, small counts, national comparisons and descriptives from Python."""

from __future__ import annotations

import itertools
import json
import pickle
from decimal import Decimal
from pathlib import Path

import crewe as cw
import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

matplotlib.use("Agg")

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "expected" / "nonparametric.json").read_text()
)
TOOTH = REFERENCE["mann_whitney"]["tooth"]
STRESS = REFERENCE["mann_whitney"]["stress"]
NEEDS = [2, 66, 9, 5, 12, 22, 4, 2, 3, 1]
SHARES = [0.04, 0.45, 0.11, 0.03, 0.09, 0.17, 0.03, 0.01, 0.04, 0.03]


@pytest.fixture
def staff() -> pd.DataFrame:
    """Stress scores of the staff of two arms, one row each."""
    x, y = STRESS["x"], STRESS["y"]
    return pd.DataFrame(
        {
            "stress": [*x, *y],
            "other": np.arange(len(x) + len(y)) % 7,
            "workload": [1] * 6 + [0] * 13 + [1] * 8 + [0],
            "arm": ["PC"] * len(x) + ["CEC"] * len(y),
            "wave": ["autumn", "spring"] * 14,
            "team": np.arange(28),
            "office": np.arange(28) // 2,
        }
    )


# -- ranks ------------------------------------------------------------------------------------


def test_exact_p_with_ties_is_that_of_coin() -> None:
    test = cw.mann_whitney(TOOTH["x"], TOOTH["y"])
    assert test.exact and test.ties
    assert test.p_value == pytest.approx(TOOTH["exact"]["two"], rel=1e-9)
    assert round(test.p_value, 5) == 0.06366
    rough = cw.mann_whitney(TOOTH["x"], TOOTH["y"], exact=False)
    assert rough.p_value == pytest.approx(TOOTH["asymptotic"]["two"], rel=1e-10)


def test_the_second_arm_is_compared_with_the_first(staff: pd.DataFrame) -> None:
    test = cw.mann_whitney("stress ~ arm", staff)
    assert test.arms == ("PC", "CEC")
    assert test.n == (19, 9)
    assert test.u == STRESS["u"]
    assert test.p_value == pytest.approx(STRESS["exact"]["two"], rel=1e-9)
    turned = cw.mann_whitney("stress ~ arm", staff, reference="PC")
    assert turned.arms == ("CEC", "PC")
    assert turned.superiority == pytest.approx(1 - test.superiority)
    assert turned.p_value == pytest.approx(test.p_value, rel=1e-12)
    less = cw.mann_whitney("stress ~ arm", staff, alternative="less")
    assert less.p_value == pytest.approx(STRESS["exact"]["less"], rel=1e-9)
    assert "one-sided: PC smaller than CEC" in repr(less)


def test_several_outcomes_are_adjusted_together(staff: pd.DataFrame) -> None:
    family = cw.mann_whitney(["stress ~ arm", "other ~ arm"], staff)
    alone = [cw.mann_whitney(f"{name} ~ arm", staff).p_value for name in ("stress", "other")]
    assert [test.p_value for test in family.tests] == alone
    assert [test.p_adjusted for test in family.tests] == cw.adjust(alone, "holm").tolist()
    assert family["other"] is family[1]
    assert list(family.tidy()["term"]) == ["stress", "other"]
    assert list(family.tidy()["p_adjusted"]) == cw.adjust(alone).tolist()
    assert "p (holm)" in repr(family)
    with pytest.raises(cw.InputError, match="was not tested"):
        family["workload"]


def test_families_are_refused_with_the_way_out(staff: pd.DataFrame) -> None:
    with pytest.raises(cw.DesignError, match=r"randomisation_test\('rank_sum'") as caught:
        cw.mann_whitney("stress ~ arm", staff, cluster="office")
    assert caught.value.column == "office"
    assert caught.value.rows[:2] == [0, 1]
    single = cw.mann_whitney("stress ~ arm", staff, cluster="team")
    assert "each team has one row" in repr(single)
    with pytest.raises(cw.DesignError):
        cw.permutation_test("stress ~ arm", staff, cluster="office")
    with pytest.raises(cw.DesignError):
        cw.compare_rates("workload ~ arm", staff, cluster="office")


def test_missing_values_are_counted_by_arm(staff: pd.DataFrame) -> None:
    staff["stress"] = staff["stress"].astype(float)
    staff.loc[[0, 20, 21], "stress"] = np.nan
    test = cw.mann_whitney("stress ~ arm", staff)
    assert test.n == (18, 7)
    assert test.notes == ["rows without stress, left out by arm: CEC 2, PC 1"]
    assert "CEC 2, PC 1" in repr(test)


def test_every_frame_gives_the_same_and_comes_back_as_its_kind(staff: pd.DataFrame) -> None:
    expected = cw.mann_whitney("stress ~ arm", staff)
    for frame, kind in (
        (pl.from_pandas(staff), pl.DataFrame),
        (pa.Table.from_pandas(staff), pa.Table),
    ):
        test = cw.mann_whitney("stress ~ arm", frame)
        assert test.p_value == expected.p_value
        assert isinstance(test.tidy(), kind)
        for result in (
            cw.permutation_test("stress ~ arm", frame),
            cw.compare_rates("workload ~ arm", frame),
            cw.describe("stress ~ arm + wave", frame),
            cw.crosstab("wave ~ arm", frame),
        ):
            assert isinstance(result.tidy(), kind)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: cw.mann_whitney("strss ~ arm", d), "stress"),
        (lambda d: cw.mann_whitney("wave ~ arm", d), "text"),
        (lambda d: cw.mann_whitney("stress ~ arm + wave", d), "one arm"),
        (lambda d: cw.mann_whitney("stress ~ other", d), "two arms"),
        (lambda d: cw.mann_whitney("stress ~ arm"), "needs data"),
        (lambda d: cw.mann_whitney("stress ~ arm", d, alternative="both"), "two-sided"),
        (lambda d: cw.mann_whitney("stress ~ arm", d, reference="LA"), "no arm 'LA'"),
        (lambda d: cw.mann_whitney([1, 2]), "second sample"),
        (lambda d: cw.mann_whitney([1, 2], ["a"]), "numbers"),
        (lambda d: cw.mann_whitney([1, 1], [1]), "equal"),
        (lambda d: cw.mann_whitney([1, 2], []), "empty"),
        (lambda d: cw.permutation_test([np.pi, 1], [2]), "randomisation test"),
        (lambda d: cw.compare_rates(events=(5, 3), totals=(4, 45)), "rate would be over 1"),
        (lambda d: cw.compare_rates(events=(-1, 3), totals=(83, 45)), "counts"),
        (lambda d: cw.compare_rates(events=(0.06, 3), totals=(83, 45)), "not a rate"),
        (lambda d: cw.compare_rates(events=(5, 3)), "totals= is missing"),
        (lambda d: cw.compare_rates(events=(5, 3, 1), totals=(83, 45, 2)), "two counts"),
        (lambda d: cw.compare_rates("stress ~ arm", d), "0 or 1"),
        (lambda d: cw.compare_to_national(14, n=30, national=49.6), "0.496"),
        (lambda d: cw.compare_to_national(31, n=30, national=0.496), "over 1"),
        (lambda d: cw.compare_to_national(14, national=0.496), "n="),
        (
            lambda d: cw.compare_to_national({"a": 1, "b": 2}, national={"a": 1}),
            "no national share",
        ),
        (
            lambda d: cw.compare_to_national({"a": 1, "b": 2}, national={"a": 0.5, "b": 0.4}),
            "sum to 1",
        ),
        (lambda d: cw.adjust([0.1, 1.2]), "between 0 and 1"),
        (lambda d: cw.adjust([0.1], "sidak"), "not known"),
        (lambda d: cw.describe("wave ~ arm", d), "text"),
        (lambda d: cw.describe("stress ~ arm + wave + other", d).plot(), "one or two"),
        (lambda d: cw.crosstab("wave ~ arm + other", d), "one column"),
        (lambda d: cw.crosstab("stress ~ arm", d, bins=[0, 20]), "outside the bins"),
        (lambda d: cw.crosstab("stress ~ arm", d, bins=[20, 0]), "rising"),
    ],
)
def test_mistakes_are_said_plainly(staff: pd.DataFrame, call: object, message: str) -> None:
    with pytest.raises(cw.InputError, match=message):
        call(staff)  # type: ignore[operator]


# -- permutations -----------------------------------------------------------------------------


def test_fifteen_against_fifteen_counts_every_labelling() -> None:
    case = REFERENCE["permutation"][0]
    test = cw.permutation_test(case["x"], case["y"])
    assert test.labellings == 155_117_520
    assert (test.count_lower, test.count_upper) == (int(case["lower"]), int(case["upper"]))
    assert test.p_value == pytest.approx(
        min(1, 2 * min(test.count_lower, test.count_upper) / test.labellings), rel=1e-13
    )
    assert "155,117,520 labellings" in repr(test)
    assert "twice the smaller tail" in repr(test)


# -- rates ------------------------------------------------------------------------------------


def test_re_referrals_of_the_founding_report() -> None:
    table = REFERENCE["tables"][0]
    rates = cw.compare_rates(events=(3, 5), totals=(45, 83), arms=("CEC", "PC"))
    assert rates.p_value == pytest.approx(table["two"], rel=1e-10)
    assert rates.odds_ratio == pytest.approx(table["odds_ratio"], rel=1e-9)
    assert rates.odds_interval == pytest.approx(table["interval"], rel=1e-9)
    assert rates.mid_p_interval == pytest.approx(table["mid_interval"], rel=1e-9)
    assert rates.newcombe == pytest.approx(table["newcombe"], abs=1e-12)
    assert rates.chan_zhang == pytest.approx(table["chan_zhang"], abs=1e-6)
    tidy = rates.tidy()
    assert list(tidy.columns) == [
        "term",
        "estimate",
        "std_error",
        "statistic",
        "df",
        "p_value",
        "conf_low",
        "conf_high",
    ]
    assert tidy["estimate"].iloc[2] == pytest.approx(5 / 83 - 3 / 45)


def test_rates_from_a_frame_equal_rates_from_counts(staff: pd.DataFrame) -> None:
    counts = cw.compare_rates(events=(8, 6), totals=(9, 19), arms=("CEC", "PC"))
    frame = cw.compare_rates("workload ~ arm", staff)
    assert frame.events == (6, 8)
    assert frame.totals == (19, 9)
    assert frame.tidy().equals(counts.tidy())
    staff["workload"] = staff["workload"] == 1
    assert cw.compare_rates("workload ~ arm", staff).events == (6, 8)


def test_many_cases_leave_the_exact_interval_out_and_say_so() -> None:
    rates = cw.compare_rates(events=(250, 300), totals=(1000, 900))
    assert rates.chan_zhang is None
    assert "exact=True" in repr(rates)
    assert len(rates.tidy()) == 5


# -- national ---------------------------------------------------------------------------------


def test_table_2_of_the_founding_report() -> None:
    cases = {"domestic violence": 14, "mental health": 10, "substance abuse": 7}
    shares = dict(zip(cases, (0.496, 0.366, 0.193), strict=True))
    risks = cw.compare_to_national(cases, n=30, national=shares)
    assert [f"{100 * rate:.1f}" for rate in risks.rates] == ["46.7", "33.3", "23.3"]
    for i, case in enumerate(REFERENCE["rates"][:3]):
        assert risks.p_values[i] == pytest.approx(case["two"], rel=1e-10)
        assert risks.intervals[i] == pytest.approx(case["interval"], rel=1e-10)
        assert risks.wilson[i] == pytest.approx(case["wilson"], rel=1e-10)
    rows = pd.DataFrame({name: [1] * k + [0] * (30 - k) for name, k in cases.items()})
    columns = cw.compare_to_national(list(cases), rows, national=shares)
    assert columns.tidy().equals(risks.tidy())
    one = cw.compare_to_national(14, n=30, national=0.496)
    assert one.p_values == risks.p_values[:1]
    assert cw.compare_to_national("mental health", rows, national=0.366).rates == [1 / 3]


def test_categories_are_tested_together_from_a_named_stream() -> None:
    case = REFERENCE["goodness"][3]
    names = [f"N{i}" for i in range(10)]
    observed = dict(zip(names, map(int, case["counts"]), strict=True))
    national = dict(zip(names, case["shares"], strict=True))
    first = cw.compare_to_national(observed, national=national, seed=5)
    again = cw.compare_to_national(observed, national=national, seed=5)
    assert first.statistic == pytest.approx(case["statistic"], rel=1e-12)
    assert first.p_value == pytest.approx(case["p"], rel=1e-10)
    assert first.exact_p_value == again.exact_p_value
    assert not first.enumerated
    assert first.exact_p_value == pytest.approx(round(first.exact_p_value * 10_000) / 10_000)
    assert abs(first.exact_p_value - first.p_value) < 0.05
    frame = pd.DataFrame({"need": [n for n, k in observed.items() for _ in range(k)]})
    assert (
        cw.compare_to_national("need", frame, national=national, seed=5).tidy().equals(first.tidy())
    )
    free = cw.compare_to_national(observed, national=national)
    assert f"seed {free.seed}" in repr(free)
    same = cw.compare_to_national(observed, national=national, seed=free.seed)
    assert same.exact_p_value == free.exact_p_value


def test_a_category_that_the_sample_lacks_counts_as_none() -> None:
    result = cw.compare_to_national(
        pd.DataFrame({"k": ["a", "b", "a", None]})["k"].dropna().value_counts().to_dict(),
        national={"a": 0.4, "b": 0.3, "c": 0.3},
    )
    assert dict(zip(result.names, result.events, strict=True)) == {"a": 2, "b": 1, "c": 0}
    assert result.enumerated and result.tables == 10


# -- multiplicity -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["holm", "hochberg", "hommel", "BH", "BY", "bonferroni", "none"])
def test_adjustments_treat_missing_values_as_r_does(method: str) -> None:
    for family in REFERENCE["adjusted"]:
        p = [np.nan if value is None else value for value in family["p"]]
        want = [np.nan if value is None else value for value in family[method]]
        np.testing.assert_allclose(cw.adjust(p, method), want, rtol=1e-13, atol=0)


# -- descriptives -----------------------------------------------------------------------------


def test_describe_equals_pandas(staff: pd.DataFrame) -> None:
    found = cw.describe("stress ~ arm + wave", staff).tidy().set_index(["arm", "wave"])
    by_hand = staff.groupby(["arm", "wave"])["stress"].agg(["mean", "std", "count", "median"])
    for column, name in (("estimate", "mean"), ("sd", "std"), ("n", "count")):
        np.testing.assert_allclose(found[column], by_hand[name], rtol=1e-13)
    np.testing.assert_allclose(found["median"], by_hand["median"])
    np.testing.assert_allclose(found["std_error"], by_hand["std"] / np.sqrt(by_hand["count"]))
    whole = cw.describe("stress", staff)
    assert whole.groups[0]["mean"] == pytest.approx(staff["stress"].mean())


def test_crosstab_equals_pandas(staff: pd.DataFrame) -> None:
    table = cw.crosstab("wave ~ arm", staff)
    by_hand = pd.crosstab(staff["wave"], staff["arm"])
    assert table.counts.tolist() == by_hand.to_numpy().tolist()
    np.testing.assert_allclose(table.shares.sum(axis=0), 1)
    assert "(47.4%)" in repr(table) or "(52.6%)" in repr(table)
    first = cw.crosstab("wave ~ arm", staff, reference="PC")
    assert first.columns == ["PC", "CEC"]
    assert first.counts[:, 0].tolist() == table.counts[:, 1].tolist()


def test_scores_fall_into_classes(staff: pd.DataFrame) -> None:
    table = cw.crosstab("stress ~ arm", staff, bins=[10, 20, 25, 33])
    assert table.rows == ["10–19", "20–24", "25–33"]
    assert table.totals.tolist() == [9, 19]
    values = staff.loc[staff["arm"] == "CEC", "stress"]
    by_hand = [(values < 20).sum(), ((values >= 20) & (values < 25)).sum(), (values >= 25).sum()]
    assert table.counts[:, 0].tolist() == by_hand


# -- presentation -----------------------------------------------------------------------------


def test_results_print_pickle_and_say_when_they_are_synthetic(staff: pd.DataFrame) -> None:
    national = dict(zip("abcdefghij", SHARES, strict=True))
    needs = dict(zip("abcdefghij", NEEDS, strict=True))
    for result in (
        cw.mann_whitney("stress ~ arm", staff, synthetic=True),
        cw.mann_whitney(["stress ~ arm", "other ~ arm"], staff, synthetic=True),
        cw.permutation_test("stress ~ arm", staff, synthetic=True),
        cw.compare_rates("workload ~ arm", staff, synthetic=True),
        cw.compare_to_national(needs, national=national, seed=1, synthetic=True),
        cw.describe("stress ~ arm", staff, synthetic=True),
        cw.crosstab("wave ~ arm", staff, synthetic=True),
    ):
        again = pickle.loads(pickle.dumps(result))
        assert repr(again) == repr(result)
        assert "SYNTHETIC" in repr(result)
        assert "<table" in result._repr_html_()
        assert list(result.tidy().columns)[:8] == [
            "term",
            "estimate",
            "std_error",
            "statistic",
            "df",
            "p_value",
            "conf_low",
            "conf_high",
        ]


def test_figures_hold_what_the_results_hold(staff: pd.DataFrame) -> None:
    from matplotlib import pyplot as plt

    means = cw.describe("stress ~ arm + wave", staff, synthetic=True)
    heights = [bar.get_height() for bar in means.plot().patches]
    assert sorted(heights) == pytest.approx(sorted(g["mean"] for g in means.groups))
    table = cw.crosstab("stress ~ arm", staff, bins=range(10, 41, 5))
    heights = [bar.get_height() for bar in table.plot().patches]
    assert heights == pytest.approx(table.shares.T.ravel().tolist())
    names = [f"N{i}" for i in range(10)]
    needs = cw.compare_to_national(
        dict(zip(names, NEEDS, strict=True)), national=dict(zip(names, SHARES, strict=True)), seed=1
    )
    ax = needs.plot()
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([*SHARES, *needs.rates])
    assert [label.get_text() for label in ax.get_xticklabels()] == names
    from crewe.plots import style

    assert "N1: national 45.0%, sample 52.4%" in style.alt_of(ax)
    assert style.is_synthetic(means.plot()) and not style.is_synthetic(ax)
    plt.close("all")


def test_row_3_12_ranks_and_counts_see_values_and_not_their_rounding() -> None:
    moved = cw.mann_whitney([0.1, 0.2, 0.8 - 0.5], [0.3, 0.4, 0.5])
    exact = cw.mann_whitney([1, 2, 3], [3, 4, 5])
    assert moved.p_value == exact.p_value
    frame = pd.DataFrame({"score": [0.8 - 0.5, 0.3, 0.1 * 3, 0.4], "arm": ["a", "b", "a", "b"]})
    assert cw.crosstab("score ~ arm", frame).rows == ["0.3", "0.4"]
    curves = cw.kaplan_meier("Surv(t, e) ~ score", frame.assign(t=[1, 2, 3, 4], e=1))
    assert curves.groups == ["0.3", "0.4"]


def test_row_3_15_a_table_that_nobody_can_read_is_refused() -> None:
    n = 100_000
    frame = pd.DataFrame({"a": np.arange(n), "b": np.arange(n) % 5_000})
    with pytest.raises(cw.InputError, match="more than 1000000 cells"):
        cw.crosstab("a ~ b", frame)
    with pytest.raises(cw.InputError, match="more than 1000000 cells"):
        cw.crosstab("a ~ b", frame.astype(str))


def test_row_9_5_a_value_at_an_edge_is_in_the_bin_above() -> None:
    frame = pd.DataFrame({"share": [*np.arange(0.05, 1, 0.1).round(2).tolist(), 0.3, 1.0]})
    frame.loc[2, "share"] = 0.3
    table = cw.crosstab("share", frame, bins=np.arange(0, 1.05, 0.1))
    assert table.counts.ravel().tolist() == [1, 1, 0, 3, 1, 1, 1, 1, 1, 2]


def test_9_13_bins_and_an_order_are_refused():
    data = {"x": [1, 2, 3], "arm": ["a", "b", "b"]}
    for options in ({}, {"by": "arm"}):
        with pytest.raises(cw.InputError, match="order= names categories"):
            cw.crosstab("x", pd.DataFrame(data), bins=[0, 2, 4], order=["0–1", "2–4"], **options)
    with pytest.raises(cw.InputError, match="bins"):
        cw.crosstab("x", data, bins="ab")
    with pytest.raises(cw.InputError, match="2 dimensions"):
        cw.crosstab("x", data, bins=[[0, 2], [2, 4]])


def test_9_5_classes_are_written_by_the_shortest_decimals():
    table = cw.crosstab("x", {"x": [0.05, 0.3, 1.0]}, bins=np.arange(0, 1.05, 0.1))
    assert table.rows[2:4] == ["0.2–0.3", "0.3–0.4"]
    assert table.counts.ravel().tolist() == [1, 0, 0, 1, 0, 0, 0, 0, 0, 1]
    thirds = cw.crosstab("x", {"x": [0.5]}, bins=np.linspace(0, 1, 4)).rows
    assert thirds == ["0–0.333", "0.333–0.667", "0.667–1"]
    assert cw.crosstab("x", {"x": [0.2]}, bins=[0, 0.125, 0.25]).rows == ["0–0.125", "0.125–0.25"]
    # Whole numbers fall into whole classes, also where the edges went through arithmetic.
    assert cw.crosstab("x", {"x": [1, 3]}, bins=[0, 0.1 * 3 * 10, 6]).rows == ["0–2", "3–6"]


@given(
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(0, 60),
    st.integers(2, 12),
    st.sampled_from(["arange", "sum"]),
)
@settings(deadline=None)
def test_9_5_edges_of_any_step_print_as_decimals(places, step, start, classes, how):
    exact = [Decimal(start + step * i).scaleb(-places) for i in range(classes + 1)]
    each = step * 10.0**-places
    edges = (
        start * 10.0**-places + each * np.arange(classes + 1)
        if how == "arange"
        else np.cumsum([start * 10.0**-places, *[each] * classes])
    )
    assume(any(edge != edge.to_integral_value() for edge in exact))
    # A value between whole numbers, so that the classes are not those of whole numbers.
    rows = cw.crosstab("x", {"x": [float(edges[0]) + each / 3]}, bins=edges).rows
    text = [format(edge.normalize(), "f") if edge else "0" for edge in exact]
    assert rows == [f"{low}–{high}" for low, high in itertools.pairwise(text)]

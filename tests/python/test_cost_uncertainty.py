"""Costs with uncertainty: draws from counts, amounts and fits, arms compared, prices, and what is refused."""

from __future__ import annotations

import pickle

import crewe as cw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest

ARMS = {"PC": "crewe", "CEC": "control"}


@pytest.fixture(scope="module")
def costs() -> cw.cost.CostBenefit:
    return cw.cost.project_crewe()


@pytest.fixture(scope="module")
def drawn(costs) -> cw.cost.Sensitivity:
    return costs.psa(draws=50_000, seed=2017)


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    made = cw.datasets.project_crewe(seed=2017).cases  # SYNTHETIC
    made = made[made["analysed"]]
    return made.assign(closed=made["closed"].astype(float), weeks=made["days"] / 7)


def of_beta(events: float, of: float) -> tuple[float, float]:
    a, b = events + 0.5, of - events + 0.5
    return a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))


# -- draws ------------------------------------------------------------------------------------


def test_lines_have_the_moments_of_their_rates(drawn):
    tidy = drawn.tidy().set_index("line")
    for arm, events, of in (("pc", 60, 83), ("cec", 29, 45)):
        mean, variance = of_beta(events, of)
        line = tidy.loc[f"earnings_{arm}"]
        assert (
            abs(line["mean"] - 80_000 * (0.15 + 0.39 * mean)) < 4 * line["std_error"] / 50_000**0.5
        )
        assert line["std_error"] == pytest.approx(80_000 * 0.39 * variance**0.5, rel=0.02)
        assert line["conf_low"] < line["value"] < line["conf_high"]
    # A count of 5 among 82, times the cost of a case that is not rounded in draws.
    mean, _ = of_beta(5, 82)
    assert tidy.loc["rereferral_cost_pc", "mean"] == pytest.approx(mean * 68.05 * 36, rel=0.01)
    # What was typed as printed follows from what it rests on.
    mean, _ = of_beta(2, 83)
    averted = 0.125 * 83 - 83 * mean
    assert tidy.loc["escalation_saving", "mean"] == pytest.approx(778 * averted, rel=0.01)
    assert tidy.loc["cost_per_case_pc", "std_error"] == 0


def test_printed_figures_stand_beside_ours_and_the_interval(costs, drawn):
    text = drawn.text()
    assert "£34,464" in text and "£6,224" in text and "£74.98" in text
    row = next(
        line for line in text.splitlines() if line.startswith("Lifetime earnings per case  PC")
    )
    assert row.count("£34,464") == 2 and " to £" in row
    for name, worked in costs.lines.items():
        assert drawn.tidy().set_index("line").loc[name, "value"] == worked.value
    assert "Taken as known: Cost of an open case a week, PC" in text
    assert "50,000 draws from seed 2017" in text


def test_the_same_seed_gives_the_same_draws(costs, drawn):
    again = costs.psa(draws=50_000, seed=2017)
    np.testing.assert_array_equal(again.column("tax_pc"), drawn.column("tax_pc"))
    assert not np.array_equal(costs.psa(50_000, seed=1).column("tax_pc"), drawn.column("tax_pc"))
    loaded = pickle.loads(pickle.dumps(drawn))
    np.testing.assert_array_equal(loaded.column("tax_pc"), drawn.column("tax_pc"))
    # Another uncertain input changes no draw of the others.
    more = costs.with_inputs(weekly_cost_pc={"value": "68.05", "cv": 0.2}).psa(50_000, seed=2017)
    np.testing.assert_array_equal(more.column("tax_pc"), drawn.column("tax_pc"))
    cost = more.tidy().set_index("line").loc["cost_per_case_pc"]
    assert cost["std_error"] == pytest.approx(0.2 * 68.05 * 36, rel=0.02)
    assert costs.psa(1_000).seed != costs.psa(1_000).seed


def test_a_typed_estimate_is_t_or_normal():
    def spread(**stated):
        found = cw.cost.CostBenefit(
            [{"name": "effect", "value": "0.08", "std_error": "0.02", **stated}],
            {"worth": "1000 * effect"},
        ).psa(200_000, seed=4)
        return found.tidy()["std_error"][0]

    assert spread() == pytest.approx(20, rel=0.01)
    assert spread(df="5") == pytest.approx(20 * (5 / 3) ** 0.5, rel=0.02)


# -- fits -------------------------------------------------------------------------------------


def test_effects_are_drawn_with_their_own_t(costs, cases):
    fit = cw.ols("closed ~ arm + history", cases, cluster="family_id")
    found = costs.with_fits({"closure": fit}, ARMS).psa(200_000, seed=5)
    margins = fit.margins("arm")
    effect = found.column("closed_pc") - found.column("closed_cec")
    row = margins.contrasts().iloc[0]
    assert effect.mean() == pytest.approx(row["estimate"], abs=4 * row["std_error"] / 200_000**0.5)
    low, high = np.quantile(effect, [0.025, 0.975])
    assert low == pytest.approx(row["conf_low"], abs=0.01 * row["std_error"] * 4)
    assert high == pytest.approx(row["conf_high"], abs=0.01 * row["std_error"] * 4)
    reference = margins.tidy().iloc[0]
    assert found.column("closed_cec").std() == pytest.approx(
        reference["std_error"] * (reference["df"] / (reference["df"] - 2)) ** 0.5, rel=0.02
    )
    # The printed figures stay beside the new ones.
    other = costs.with_fits({"closure": fit}, ARMS)
    assert other["earnings_pc"].printed == "£34,464"
    level = margins.tidy()["estimate"][1]
    assert other["earnings_pc"].value == pytest.approx(80_000 * (0.15 + 0.39 * level), abs=0.01)


def test_weeks_and_rates_come_from_their_fits(costs, cases):
    weeks = cw.rmst("Surv(days / 7, event) ~ arm", cases, cluster="family_id", horizon=60)
    back = cw.compare_rates(events=(3, 5), totals=(45, 83), arms=("control", "crewe"))
    other = costs.with_fits({"weeks open": weeks, "re-referral": back}, ARMS)
    means = weeks.tidy().set_index("term")["estimate"]
    assert other["cost_per_case_pc"].value == pytest.approx(68.05 * means["crewe"], abs=1e-5)
    found = other.psa(100_000, seed=6)
    np.testing.assert_allclose(
        np.cov(found.column("weeks_open_cec"), found.column("weeks_open_pc")),
        weeks.cov * weeks.tidy()["df"][0] / (weeks.tidy()["df"][0] - 2),
        rtol=0.03,
        atol=0.02 * weeks.cov[0, 0],
    )
    mean, variance = of_beta(5, 83)
    rate = found.column("rereferred_pc") / 82
    assert rate.mean() == pytest.approx(mean, rel=0.01)
    assert rate.var() == pytest.approx(variance, rel=0.03)
    assert pickle.loads(pickle.dumps(found)).column("tax_pc")[3] == found.column("tax_pc")[3]


def test_what_rests_on_synthetic_data_says_so(costs, cases):
    fit = cw.ols("closed ~ arm", cases, cluster="family_id", synthetic=True)
    other = costs.with_fits({"closure": fit}, ARMS)
    drawn = other.psa(1_000, seed=1)
    choice = drawn.decision([0, 10_000])
    for made in (other, other.with_inputs(cases_pc=84), drawn, choice, drawn.tornado("tax_pc")):
        assert "SYNTHETIC" in made.text()
    assert not costs.synthetic and "SYNTHETIC" not in costs.text()
    for ax in (choice.plot(), choice.plane(), drawn.tornado("tax_pc").plot()):
        assert any("synthetic" in text.get_text().lower() for text in ax.figure.findobj(plt.Text))
    plt.close("all")


def test_a_logit_and_its_margins_say_the_same(costs, cases):
    fit = cw.logit("closed ~ arm", cases, cluster="family_id")
    one, two = (
        costs.with_fits({"closure": found}, ARMS).psa(2_000, seed=1)
        for found in (fit, fit.margins("arm"))
    )
    np.testing.assert_array_equal(one.column("tax_pc"), two.column("tax_pc"))


def test_fits_that_do_not_fit_are_refused(costs, cases):
    fit = cw.ols("closed ~ arm", cases, cluster="family_id")
    with pytest.raises(cw.InputError, match="no input has the measure 'closing'"):
        costs.with_fits({"closing": fit}, ARMS)
    with pytest.raises(cw.InputError, match="has the arms"):
        costs.with_fits({"closure": fit})
    with pytest.raises(cw.InputError, match="no variable of the fit of 'closure' has the arms"):
        costs.with_fits({"closure": cw.ols("closed ~ history", cases)}, ARMS)
    with pytest.raises(cw.InputError, match="a int gives no closure by arm"):
        costs.with_fits({"closure": 7}, ARMS)
    days = cw.rmst("Surv(days, event) ~ arm", cases, horizon=300)
    with pytest.raises(cw.InputError, match="is in weeks, and the times of the fit are in days"):
        costs.with_fits({"weeks open": days}, ARMS)
    ratios = fit.margins("arm", compare="ratio")
    with pytest.raises(cw.InputError, match="not two arms and their difference"):
        costs.with_fits({"closure": ratios}, ARMS)
    with pytest.raises(cw.InputError, match="the input 'closed' has no value"):
        cw.cost.CostBenefit([{"name": "closed", "measure": "closure", "arm": "PC"}], {})


def test_a_fit_of_another_trial_is_refused(costs):
    rows = pd.DataFrame({"family": [f"F{i:02}" for i in range(40)]})
    rng = np.random.default_rng(1)

    def fitted(seed: int, kind: str):
        design = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=seed)
        trial = design.assign(rows)
        data = trial.frame[["family", "arm"]].assign(
            closed=rng.integers(0, 2, 40), weeks=rng.integers(5, 50, 40), event=1
        )
        if kind == "closure":
            return cw.ols("closed ~ arm", data, design=trial)
        return cw.rmst("Surv(weeks, event) ~ arm", data, design=trial, horizon=20)

    same = {"closure": fitted(1, "closure"), "weeks open": fitted(1, "weeks")}
    assert costs.with_fits(same, ARMS).psa(1_000, seed=1).draws == 1_000
    with pytest.raises(cw.DesignError, match=r"the fits are of different trials.*closure: T \("):
        costs.with_fits({**same, "weeks open": fitted(2, "weeks")}, ARMS)


# -- arms -------------------------------------------------------------------------------------


def test_arms_are_compared_by_cost_and_effect(drawn):
    found = drawn.decision([0, 7_500, 20_000])
    assert found.arms == ["CEC", "PC"] and found.effect == "cases closed and not re-referred"
    cost = sum(
        sign * drawn.column(f"{name}_{arm}")
        for arm, sign in (("pc", 1), ("cec", -1))
        for name in ("cost_per_case", "rereferral_cost", "escalation_cost")
    )
    effect = drawn.column("closed_pc") - drawn.column("closed_cec")
    assert found.icer["PC"] == pytest.approx(cost.mean() / effect.mean(), rel=1e-9)
    row = found.increments().iloc[0]
    assert row["cost"] == pytest.approx(cost.mean()) and row["effect"] == pytest.approx(
        effect.mean()
    )
    shares = row[["dearer_better", "dearer_worse", "cheaper_worse", "cheaper_better"]]
    assert shares.sum() == pytest.approx(1)
    assert row["dearer_better"] == pytest.approx(((cost > 0) & (effect > 0)).mean())
    tidy = found.tidy()
    for k in (0, 7_500, 20_000):
        net = k * effect - cost
        part = tidy[(tidy["willingness"] == k) & (tidy["arm"] == "PC")].iloc[0]
        assert part["difference"] == pytest.approx(net.mean(), rel=1e-9)
        assert part["probability"] == pytest.approx((net > 0).mean())
        assert part[["conf_low", "conf_high"]].tolist() == pytest.approx(
            np.quantile(net, [0.025, 0.975]).tolist()
        )
        assert part["evpi"] == pytest.approx(
            np.maximum(net, 0).mean() - max(net.mean(), 0), abs=1e-8
        )


def test_savings_over_a_lifetime_are_counted_where_asked(drawn):
    without, with_them = drawn.decision([5_000]), drawn.decision([5_000], lifetime=True)
    saved = (drawn.column("tax_pc") - drawn.column("tax_cec")).mean()
    difference = with_them.increments()["cost"][0] - without.increments()["cost"][0]
    assert difference == pytest.approx(-saved)
    assert "with savings over a lifetime" in with_them.text()
    assert "without savings over a lifetime" in without.text()
    assert "dominates" in with_them.text()


def test_a_closed_form_of_the_value_of_information():
    # The worked example of the R package voi: 0.4798107 at a willingness to pay of 1.
    costs = cw.cost.CostBenefit(
        [
            {"name": "p1", "value": "1", "std_error": "1"},
            {"name": "p2", "value": "0", "std_error": "2"},
            {"name": "none", "value": "0"},
        ],
        [
            {"name": "c1", "formula": "none", "arm": "t1", "role": "cost"},
            {"name": "e1", "formula": "none", "arm": "t1", "role": "effect"},
            {"name": "c2", "formula": "p2", "arm": "t2", "role": "cost"},
            {"name": "e2", "formula": "p1", "arm": "t2", "role": "effect"},
        ],
    )
    tidy = costs.psa(1_000_000, seed=1).decision([1]).tidy()
    assert abs(tidy["evpi"][0] - 0.4798107) < 4 * tidy["evpi_se"][0] < 0.01


def test_figures_and_tables(drawn):
    found = drawn.decision(range(0, 20_001, 1_000))
    assert found.plot().get_ylim() == (0, 1)
    ax = found.plane(willingness=10_000)
    assert ax.get_ylim()[0] <= 0 < ax.get_ylim()[1]
    tornado = drawn.tornado(willingness=10_000)
    assert "Net benefit of PC over CEC at £10,000" in tornado.result
    tidy = tornado.tidy()
    swings = (tidy["at_high"] - tidy["at_low"]).abs()
    assert list(swings) == sorted(swings, reverse=True)
    assert len(tornado.plot().patches) == 2 * len(tidy)
    line = drawn.tornado("tax_pc").tidy()
    assert line["input"].tolist() == ["closed_pc"]
    for made in (drawn, found, tornado):
        assert "<table" in made._repr_html_()
    again = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(again.tidy(), found.tidy())
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(tornado)).tidy(), tidy)
    plt.close("all")


def test_results_are_frames_of_the_users_kind():
    lines = pl.DataFrame(
        {
            "name": ["c1", "e1", "c2", "e2"],
            "formula": ["10", "r1", "20", "r2"],
            "arm": ["a", "a", "b", "b"],
            "role": ["cost", "effect"] * 2,
        }
    )
    inputs = [{"name": f"r{i}", "value": "0.5", "events": "4", "of": "8"} for i in (1, 2)]
    found = cw.cost.CostBenefit(inputs, lines).psa(1_000, seed=1)
    for frame in (found.tidy(), found.decision([10]).tidy(), found.tornado("e1").tidy()):
        assert isinstance(frame, pl.DataFrame)


# -- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"value": "-5", "unit": "GBP"}, "the cost 'x' is negative"),
        ({"value": "120%", "unit": "%"}, "the rate 'x' is over 1"),
        ({"value": "1.2", "unit": "%"}, "the rate 'x' is over 1"),
        ({"value": "1", "events": "9", "of": "8"}, "the rate 'x' is over 1: 9 events of 8"),
        ({"value": "9", "of": "8"}, "the rate 'x' is over 1"),
        ({"value": "1", "events": "-1", "of": "8"}, "has -1 events of 8"),
        ({"value": "1", "events": "1"}, "no number of cases"),
        ({"value": "0", "cv": "0.2"}, "mean above 0"),
        ({"value": "5", "cv": "-0.2"}, "coefficient of variation of 'x' is -0.2"),
        ({"value": "5", "cv": "wide"}, "the cv of 'x' is not a number"),
        ({"value": "5", "std_error": "1", "df": "0"}, "degrees of freedom"),
    ],
)
def test_inputs_that_cannot_be(item, says):
    with pytest.raises(cw.InputError, match=says):
        cw.cost.CostBenefit([{"name": "x", **item}], {"y": "x"})


def test_arguments_that_cannot_be(costs, drawn):
    for draws in (0, -1, 2.5, True, 10):
        with pytest.raises(cw.InputError, match="draws"):
            costs.psa(draws)  # type: ignore[arg-type]
    with pytest.raises(cw.InputError, match="level"):
        costs.psa(1_000, seed=1, level=95)
    with pytest.raises(cw.InputError, match="willingness to pay is 0 or more"):
        drawn.decision([-1])
    with pytest.raises(cw.InputError, match="what is an effect worth"):
        drawn.decision()
    with pytest.raises(cw.InputError, match="willingness to pay is 0 or more"):
        drawn.tornado(willingness=-1)
    with pytest.raises(cw.InputError, match="follows a line, or the net benefit"):
        drawn.tornado()
    with pytest.raises(cw.InputError, match="Did you mean 'tax_pc'"):
        drawn.tornado("tax_p")
    with pytest.raises(cw.InputError, match="there is no 'nothing'"):
        drawn.column("nothing")
    plain = cw.cost.CostBenefit({"a": 1}, {"b": "a"}).psa(1_000, seed=1)
    with pytest.raises(cw.InputError, match="what the arms cost and bring about"):
        plain.decision([1])
    with pytest.raises(cw.InputError, match="unknown role 'price'"):
        cw.cost.CostBenefit({"a": 1}, [{"name": "b", "formula": "a", "role": "price"}])


# -- prices -----------------------------------------------------------------------------------


def test_price_years():
    inputs = [
        {"name": "week", "value": "68.05", "unit": "GBP", "price_year": "2015-16"},
        {"name": "visit", "value": "40", "unit": "GBP", "price_year": "2024-25"},
    ]
    with pytest.raises(cw.InputError, match=r"prices of different years.*week: 2015-16"):
        cw.cost.CostBenefit(inputs, {"sum": "week + visit"})
    index = cw.cost.deflators().set_index("year")["index"]
    made = cw.cost.CostBenefit(inputs, {"sum": "week + visit"}, prices="2024-25")
    assert made.inputs["week"].value == f"{68.05 * 100 / index['2015-16']:.2f}" == "91.24"
    assert made["sum"].value == pytest.approx(131.24)
    assert "68.05 at 2015-16 prices" in made.inputs["week"].source
    back = made.at_prices("2015-16")
    assert back.inputs["week"].value == "68.05"
    with pytest.raises(cw.InputError, match="no deflator of '2016'"):
        cw.cost.CostBenefit(inputs, {}, prices="2016")
    with pytest.raises(cw.InputError, match="1 sums of money have no price year"):
        cw.cost.CostBenefit(
            [*inputs, {"name": "x", "value": "1", "unit": "GBP"}], {}, prices="2024-25"
        )
    with pytest.raises(cw.InputError, match="prices of different years"):
        cw.cost.CostBenefit([inputs[0], {"name": "x", "value": "1", "unit": "GBP"}], {})


def test_deflators_rise_but_for_none_and_end_at_100():
    frame = cw.cost.deflators()
    assert frame["index"].is_monotonic_increasing and frame["index"].iloc[-1] == 100
    years = [int(year[:4]) for year in frame["year"]]
    assert years == list(range(2000, 2025))


def test_discounting():
    factors = cw.cost.discount_factors([0, 30, 31, 75, 76, 125])
    by_hand = [1, 1.035**-30, 1.035**-30 / 1.03, 1.035**-30 * 1.03**-45]
    by_hand += [by_hand[3] / 1.025, by_hand[3] * 1.025**-50]
    np.testing.assert_allclose(factors, by_hand, rtol=1e-12)
    stream = cw.cost.present_value([100.0] * 40, first=1)
    assert stream == pytest.approx(100 * cw.cost.discount_factors(np.arange(1, 41)).sum())
    with pytest.raises(cw.InputError, match="0 or more"):
        cw.cost.discount_factors([-1])
    with pytest.raises(cw.InputError, match="missing or infinite"):
        cw.cost.present_value([1, np.nan])


def test_what_an_effect_is_worth_is_bounded() -> None:
    found = cw.cost.project_crewe().psa(draws=200, seed=1)
    with pytest.raises(cw.InputError, match="more than can be compared"):
        found.decision(range(10**8))
    with pytest.raises(cw.InputError, match=r"worth\? Give"):
        found.decision([])
    choice = found.decision([0, 1000])
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(cw.InputError, match="willingness to pay is 0 or more"):
            choice.plane(willingness=wrong)

"""Simulated trials whose analysis is no linear model: logit, Cox, log-rank."""

from __future__ import annotations

import math

import crewe as cw
import numpy as np
import pandas as pd
import pytest

DESIGN = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family")
STRATIFIED = cw.Design(
    "Trial", arms={"control": 1, "crewe": 1}, cluster="family", strata=["history"]
)
CLOSED = cw.power.SurvivalOutcome(baseline=0.7, effect=1.5, tau=0.33, entry=0.5, dropout=0.1)
FAMILIES = cw.power.ClusterSizes([1, 2, 3, 4] * 20)


def children(n: int = 80) -> pd.DataFrame:
    sizes = np.arange(n) % 4 + 1
    return pd.DataFrame(
        {
            "family": np.repeat(np.arange(n), sizes),
            "history": np.repeat(np.arange(n) // 2 % 2, sizes),
            "age": np.arange(sizes.sum()) % 11.0,
        }
    )


@pytest.mark.parametrize("vcov", ["iid", "HC0", "CR0", "CR1", "CR3", "jackknife"])
def test_a_cox_model_with_any_variance_shows_its_size(vcov):
    """With siblings alike, errors that know no families reject too often, the others about as they say."""
    found = cw.power.simulate(
        DESIGN, FAMILIES, CLOSED, cw.power.CoxModel(vcov=vcov), sims=600, seed=1
    )
    assert found.convergence > 0.99
    slack = 4 * found.measures["size"].std_error
    if vcov in ("iid", "HC0"):
        assert found.size > 0.06
    else:
        assert abs(found.size - 0.05) < 0.02 + slack
    assert found.power > found.size
    assert found.effect == 1.5 and found.treated == pytest.approx(1 - 0.3**1.5)


def test_times_of_individuals_have_the_power_of_the_formula():
    """No clusters: Schoenfeld's formula is large-sample theory, so it may be two points off."""
    people = cw.Design("Trial", arms={"control": 1, "crewe": 1}, unit="id")
    alone = cw.power.SurvivalOutcome(baseline=0.7, effect=1.4)
    closed = cw.power.survival(baseline=0.7, cluster_size=1, clusters=300, effect=1.4)
    for analysis in (cw.power.CoxModel(), cw.power.LogRank()):
        found = cw.power.simulate(
            people, cw.power.ClusterSizes(1, clusters=300), alone, analysis, sims=4_000, seed=3
        )
        assert abs(found.power - closed.power) <= 4 * found.measures["power"].std_error + 0.02
        assert abs(found.size - 0.05) <= 4 * found.measures["size"].std_error
    assert abs(found.bias) < 0.05


def test_strata_enter_the_models():
    """Rates that differ by stratum: terms in Cox, comparisons within strata in the log-rank test."""
    data = children().assign(share=lambda d: np.where(d["history"] == 1, 0.9, 0.3))
    own = cw.power.SurvivalOutcome(baseline="share", effect=1.8, tau=0.2)
    for analysis in (cw.power.CoxModel("Surv(days, closed) ~ arm"), cw.power.LogRank()):
        within = cw.power.simulate(STRATIFIED, data, own, analysis, sims=800, seed=2)
        flat = type(analysis)(strata_terms=False)
        across = cw.power.simulate(STRATIFIED, data, own, flat, sims=800, seed=2)
        assert "stratum" in within.trial.model and "stratum" not in across.trial.model
        assert within.power > across.power
        assert within.treated is None


def test_a_logit_model_takes_covariates_of_members():
    data = children()
    rates = cw.power.BinaryOutcome(baseline=0.3, effect=0.3, icc=0.2)
    logit = cw.power.simulate(
        STRATIFIED, data, rates, cw.power.LogitModel("~ arm + age", vcov="CR1"), sims=600, seed=2
    )
    linear = cw.power.simulate(
        STRATIFIED, data, rates, cw.power.LinearModel("~ arm + age", vcov="CR1"), sims=600, seed=2
    )
    # Covariates of no consequence: the same outcomes, and nearly the same differences.
    assert logit.replicates["estimate"].corr(linear.replicates["estimate"]) > 0.99
    assert abs(logit.bias) < 4 * logit.measures["bias"].std_error + 0.01
    assert abs(logit.power - linear.power) < 0.05
    assert "logit" in logit.methods()[-1]


def test_smallest_hazard_ratios():
    people = cw.Design("Trial", arms={"control": 1, "crewe": 1}, unit="id")
    alone = cw.power.SurvivalOutcome(baseline=0.7, effect=1.0)
    sizes = cw.power.ClusterSizes(1, clusters=200)
    rise = cw.power.mdes(people, sizes, alone, cw.power.LogRank(), sims=1_000, seed=1)
    assert 1 < rise.conf_low < rise.effect < rise.conf_high
    closed = cw.power.survival(baseline=0.7, cluster_size=1, clusters=200, power=0.8)
    assert math.log(rise.effect) == pytest.approx(math.log(closed.effect), rel=0.1)
    fall = cw.power.mdes(
        people, sizes, alone, cw.power.LogRank(), sims=1_000, seed=1, direction="fall"
    )
    assert fall.effect < 1 and "hazard ratio" in repr(fall)


def test_outcomes_go_with_their_analyses():
    rates = cw.power.BinaryOutcome(baseline=0.3, effect=0.1, icc=0.2)
    for outcome, analysis in [
        (CLOSED, "~ arm"),
        (CLOSED, cw.power.LogitModel()),
        (rates, cw.power.CoxModel()),
        (rates, cw.power.LogRank()),
    ]:
        with pytest.raises(cw.InputError, match="another's"):
            cw.power.simulate(DESIGN, FAMILIES, outcome, analysis, sims=10, seed=1)
    drawn = cw.power.ClusterSizes([1, 2, 3], clusters=60)
    with pytest.raises(cw.InputError, match="looks at rows"):
        cw.power.simulate(DESIGN, drawn, CLOSED, cw.power.CoxModel(), sims=10, seed=1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"baseline": 1.0}, "strictly between 0 and 1"),
        ({"baseline": math.nan}, "strictly between 0 and 1|outcome"),
        ({"effect": 0.0}, "hazard ratio"),
        ({"effect": -1.4}, "hazard ratio"),
        ({"tau": 0.95}, "tau"),
        ({"tau": -0.1}, "tau"),
        ({"entry": 1.0}, "entry"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_times_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(cw.InputError, match=said):
        outcome = cw.power.SurvivalOutcome(**{"baseline": 0.5, "effect": 1.4, **wrong})
        cw.power.simulate(DESIGN, FAMILIES, outcome, cw.power.CoxModel(), sims=10, seed=1)

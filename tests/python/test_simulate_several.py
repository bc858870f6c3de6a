"""Simulated trials of several arms: functions that analyse them, and effects by arm in a subgroup."""

from __future__ import annotations

import math

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from scipy import stats

ARMS = {"control": 1, "letters": 1, "visits": 1}
DESIGN = cw.Design("Trial", arms=ARMS, cluster="family")
ALONE = cw.Design("Trial", arms=ARMS, unit="id")
SCORE = cw.power.ContinuousOutcome(effect={"letters": 0.3, "visits": 0.6}, icc=0.2, dropout=0.1)


def children(n: int = 60) -> pd.DataFrame:
    sizes = np.arange(n) % 4 + 1
    return pd.DataFrame(
        {
            "family": np.repeat(np.arange(n), sizes),
            "history": np.repeat(np.arange(n) // 3 % 2, sizes),
        }
    )


def fitted(frame):
    """Every arm beside the control arm, by a fit of this package."""
    whole = frame.dropna()
    whole = whole.assign(arm=pd.Categorical(whole["arm"], categories=list(ARMS)))
    table = cw.ols("outcome ~ arm", whole, cluster="family", vcov="CR2").tidy().set_index("term")
    return {arm: table.loc[f"arm[T.{arm}]"] for arm in ("letters", "visits")}


def test_a_function_of_several_arms_gives_what_the_core_gives():
    run = {"sims": 40, "seed": 3, "size": True}
    ours = cw.power.simulate(DESIGN, children(), SCORE, "~ arm", **run)
    theirs = cw.power.simulate(DESIGN, children(), SCORE, fitted, **run)
    assert list(theirs.arms) == ["letters", "visits"]
    for arm, one in theirs.arms.items():
        mine = ours.arms[arm]
        for name in ("estimate", "std_error", "df", "p_value"):
            assert np.allclose(mine.replicates[name], one.replicates[name], rtol=1e-8), name
        for name in ("power", "size", "coverage"):
            assert mine.measures[name] == one.measures[name], name
        assert one.effect == mine.effect
    for name in ("power_any", "power_all", "size_any"):
        assert ours.measures[name] == theirs.measures[name]
    a, b = (
        cw.power.mdes(
            DESIGN, children(30), SCORE, analysis, sims=100, seed=1, detect="visits"
        ).effect
        for analysis in ("~ arm", fitted)
    )
    assert a == pytest.approx(b, rel=1e-6)


def test_results_that_name_their_arms_are_read():
    """The randomisation test of three arms says of each what it found."""
    few = cw.power.ContinuousOutcome(effect={"letters": 1.0, "visits": 2.0}, icc=0.1)

    def redrawn(frame):
        seen = DESIGN.observe(frame, arm="arm")
        return cw.randomisation_test("difference_in_means", frame, seen, outcome="outcome")

    run = {"sims": 20, "seed": 3, "size": False}
    ours = cw.power.simulate(DESIGN, children(6), few, cw.power.RandomisationTest(), **run)
    theirs = cw.power.simulate(DESIGN, children(6), few, redrawn, **run)
    for arm in ("letters", "visits"):
        a, b = ours.arms[arm].replicates, theirs.arms[arm].replicates
        assert np.allclose(a["p_value"], b["p_value"], rtol=1e-12)
        assert np.allclose(a["estimate"], b["estimate"], rtol=1e-12)


def test_an_arm_without_an_answer_does_not_reject():
    def half(frame):
        return {"letters": None, "visits": (0.5, 0.1, 0.001)}

    found = cw.power.simulate(DESIGN, children(), SCORE, half, sims=30, seed=1)
    assert found.arms["letters"].power == 0 and found.arms["letters"].convergence == 0
    assert found.arms["visits"].power == 1
    assert found.measures["power_any"].value == 1 and found.measures["power_all"].value == 0


@pytest.mark.parametrize(
    "returned",
    [(0.1, 0.2, 0.3), {"letters": (0.1, 0.2, 0.3)}, {"letters": 1, "visits": 2, "calls": 3}],
)
def test_answers_that_leave_arms_out_are_refused(returned):
    with pytest.raises(cw.InputError, match="each of letters, visits, in replicate 0"):
        cw.power.simulate(DESIGN, children(), SCORE, lambda frame: returned, sims=10, seed=1)


def by_hand(rng, outside, inside, share, n, target, sims):
    """Three arms of n individuals, normal outcomes, each arm by a pooled t test of its own; in numpy alone."""
    rejects = np.empty((sims, 2))
    for i in range(sims):
        arm = np.repeat([0, 1, 2], n)
        member = rng.random(3 * n) < share
        shift = np.where(member, np.array([0, *inside])[arm], np.array([0, *outside])[arm])
        y = shift + rng.standard_normal(3 * n)
        x = np.column_stack([np.ones(3 * n), arm == 1, arm == 2]).astype(float)
        if target == "subgroup":
            y, x = y[member], x[member]
        elif target == "interaction":
            x = np.column_stack([x, member, x[:, 1:] * member[:, None]])
        inverse = np.linalg.inv(x.T @ x)
        coef = inverse @ x.T @ y
        df = len(y) - x.shape[1]
        sigma = ((y - x @ coef) ** 2).sum() / df
        at = [-2, -1]
        t = coef[at] / np.sqrt(sigma * np.diag(inverse)[at])
        rejects[i] = 2 * stats.t.sf(np.abs(t), df) <= 0.05
    return rejects.mean(axis=0)


@pytest.mark.parametrize("target", ["all", "subgroup", "interaction"])
def test_effects_by_arm_in_a_subgroup_agree_with_a_simulation_in_numpy(target):
    """Arms differ in the subgroup otherwise than outside it: power, bias and coverage of each."""
    outside, inside, share, n = (0.1, 0.4), (0.9, 0.2), 0.4, 60
    group = cw.power.Subgroup(
        "meals", effect=dict(zip(("letters", "visits"), inside, strict=True)), share=share
    )
    score = cw.power.ContinuousOutcome(
        effect=dict(zip(("letters", "visits"), outside, strict=True)), icc=0, subgroup=group
    )
    people = cw.power.ClusterSizes([1] * (3 * n))
    found = cw.power.simulate(
        ALONE, people, score, cw.power.LinearModel(vcov="iid", target=target), sims=3_000, seed=2
    )
    sims = 3_000
    theirs = by_hand(np.random.default_rng(8), outside, inside, share, n, target, sims)
    truth = {
        "all": [share * a + (1 - share) * b for a, b in zip(inside, outside, strict=True)],
        "subgroup": list(inside),
        "interaction": [a - b for a, b in zip(inside, outside, strict=True)],
    }[target]
    for one, power, effect in zip(found.arms.values(), theirs, truth, strict=True):
        assert one.effect == pytest.approx(effect)
        error = math.hypot(one.measures["power"].std_error, math.sqrt(power * (1 - power) / sims))
        assert abs(one.power - power) <= 4 * error
        assert abs(one.bias) <= 4 * one.measures["bias"].std_error
        assert abs(one.size - 0.05) <= 4 * one.measures["size"].std_error


def test_the_effect_outside_may_be_one_for_all_or_none():
    """A number holds for every arm; a mapping in the subgroup alone is its own."""
    group = cw.power.Subgroup("history", effect={"letters": 0.4, "visits": 0.8})
    score = cw.power.ContinuousOutcome(effect=0.2, icc=0.1, subgroup=group)
    for target, effects in (("subgroup", [0.4, 0.8]), ("interaction", [0.2, 0.6])):
        found = cw.power.simulate(
            DESIGN, children(), score, cw.power.LinearModel(target=target), sims=400, seed=1
        )
        assert [one.effect for one in found.arms.values()] == pytest.approx(effects)
        for one in found.arms.values():
            assert abs(one.bias) <= 4 * one.measures["bias"].std_error
    closed = cw.power.SurvivalOutcome(
        baseline=0.6,
        effect={"letters": 1.2, "visits": 1.5},
        subgroup=cw.power.Subgroup("meals", effect={"letters": 2.0, "visits": 1.0}, share=0.5),
    )
    people = cw.power.ClusterSizes([1] * 240)
    found = cw.power.simulate(
        ALONE, people, closed, cw.power.CoxModel(target="subgroup"), sims=300, seed=1
    )
    assert [one.effect for one in found.arms.values()] == pytest.approx([2.0, 1.0])
    assert found.arms["letters"].power > 0.5
    assert abs(found.arms["visits"].power - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 300) + 0.01


def test_smallest_effects_keep_the_proportions_of_arms_and_subgroup():
    group = cw.power.Subgroup("meals", effect={"letters": 1.0, "visits": 0.5}, share=0.5)
    score = cw.power.ContinuousOutcome(
        effect={"letters": 0.0, "visits": 0.5}, icc=0, subgroup=group
    )
    people = cw.power.ClusterSizes([1] * 240)
    inside = cw.power.LinearModel(target="subgroup")
    letters, visits = (
        cw.power.mdes(ALONE, people, score, inside, sims=2_000, seed=1, detect=arm)
        for arm in ("letters", "visits")
    )
    # The same contrast and the same noise: the effect on the arm in the subgroup is the same, to its error.
    assert letters.effect == pytest.approx(visits.effect, rel=0.1)
    t = stats.t.ppf(0.975, 117) + stats.t.ppf(0.8, 117)
    assert letters.effect == pytest.approx(t * math.sqrt(2 / 40), rel=0.1)


def test_effects_that_leave_arms_out_are_refused():
    group = cw.power.Subgroup("meals", effect={"letters": 1.0}, share=0.5)
    score = cw.power.ContinuousOutcome(effect=0.2, icc=0.1, subgroup=group)
    with pytest.raises(cw.InputError, match="name every arm but the first"):
        cw.power.simulate(DESIGN, children(), score, sims=10, seed=1)
    half = cw.power.ContinuousOutcome(
        effect=0.2, icc=0.1, subgroup=cw.power.Subgroup("meals", share=0.5)
    )
    with pytest.raises(cw.InputError, match="subgroup has no effect"):
        cw.power.simulate(DESIGN, children(), half, sims=10, seed=1)

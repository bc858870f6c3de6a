"""Replays of several arms and with lost outcomes, against a simulation in numpy that shares no code with them."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe.power._trial import read_trial

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "expected" / "simulate_arms.json").read_text("utf-8")
)
OUTCOMES = {
    "binary": cw.power.BinaryOutcome,
    "continuous": cw.power.ContinuousOutcome,
    "survival": cw.power.SurvivalOutcome,
}
MODELS = {"linear": cw.power.LinearModel, "log_rank": cw.power.LogRank}
ARMS = {"control": 1, "letters": 1, "visits": 1}
SIMS = 10_000


def close(ours: cw.power.Measure, theirs: dict[str, float], name: str) -> None:
    error = math.hypot(ours.std_error, theirs["std_error"])
    assert abs(ours.value - theirs["value"]) <= 4 * error, (name, ours, theirs)


def outcome_of(case: dict[str, Any], effect: Any) -> Any:
    options = dict(case["outcome"])
    return OUTCOMES[options.pop("name")](effect=effect, **options)


@pytest.mark.parametrize("case", REFERENCE["arms"], ids=[c["name"] for c in REFERENCE["arms"]])
def test_several_arms_agree_with_a_simulation_in_numpy(case):
    design = cw.Design("Trial", arms=dict(zip(ARMS, case["ratio"], strict=True)), cluster="family")
    effects = dict(zip(list(ARMS)[1:], case["effects"], strict=True))
    model = MODELS[case["model"]](vcov=case["vcov"])
    sims = SIMS if case["model"] == "linear" else 3_000
    found = cw.power.simulate(
        design,
        cw.power.ClusterSizes(case["sizes"]),
        outcome_of(case, effects),
        model,
        sims=sims,
        seed=8,
    )
    for arm, theirs in zip(found.arms, case["found"]["arms"], strict=True):
        for name, measure in theirs.items():
            close(found.arms[arm].measures[name], measure, f"{name} of {arm}")
    for name in ("power_any", "power_all", "size_any"):
        close(found.measures[name], case["found"][name], name)


@pytest.mark.parametrize("case", REFERENCE["lost"], ids=[c["name"] for c in REFERENCE["lost"]])
def test_lost_outcomes_agree_with_a_simulation_in_numpy(case):
    design = cw.Design("Trial", arms={"control": 1, "crewe": 2}, cluster="family")
    sizes = cw.power.ClusterSizes(case["sizes"])
    planned = cw.power.LinearModel(vcov=case["vcov"])
    found = cw.power.simulate(
        design, sizes, outcome_of(case, case["effect"]), planned, sims=SIMS, seed=8
    )
    for name, measure in case["found"].items():
        close(found.measures[name], measure, name)
    # Without loss the power is another: the tolerance is no blanket.
    whole = {**case, "outcome": {**case["outcome"], "dropout": 0.0}}
    kept = cw.power.simulate(
        design, sizes, outcome_of(whole, case["effect"]), planned, sims=SIMS, seed=8, size=False
    )
    assert kept.power > case["found"]["power"]["value"] + 0.03


def test_closed_form_and_replay_differ_by_the_estimated_variance():
    """The closed form knows the variance; a test that estimates it finds less, in numpy and in the replay alike."""
    sizes = REFERENCE["families"]
    design = cw.Design("Trial", arms={"control": 1, "crewe": 2}, cluster="family")
    for case in REFERENCE["closed_form"]:
        closed = cw.power.binary(
            baseline=0.226,
            icc=0.36,
            cluster_size=sizes,
            effect=case["effect"],
            allocation=2 / 3,
            method="unpooled",
            distribution="z",
        )
        assert abs(closed.power - case["known"]["value"]) < 0.006
        assert closed.power - case["estimated"]["value"] > 0.01
        outcome = cw.power.BinaryOutcome(baseline=0.226, effect=case["effect"], icc=0.36)
        found = cw.power.simulate(
            design,
            cw.power.ClusterSizes(sizes),
            outcome,
            cw.power.LinearModel(vcov="CR1"),
            sims=20_000,
            seed=3,
            size=False,
        )
        close(found.measures["power"], case["estimated"], "power")


def children(n: int = 90) -> pd.DataFrame:
    sizes = np.arange(n) % 4 + 1
    return pd.DataFrame(
        {
            "family": np.repeat(np.arange(n), sizes),
            "history": np.repeat(np.arange(n) // 3 % 2, sizes),
            "age": np.arange(sizes.sum()) % 11.0,
        }
    )


SCORE = cw.power.ContinuousOutcome(effect={"letters": 0.3, "visits": 0.6}, icc=0.2, dropout=0.1)


def test_a_replicate_of_three_arms_is_the_fit_that_a_user_would_make():
    """Arms and outcomes of a replicate, fitted by cw.ols with its strata and a covariate of members."""
    data = children()
    design = cw.Design("Trial", arms=ARMS, cluster="family", strata=["history"])
    planned = cw.power.LinearModel("~ arm + age", vcov="CR2")
    found = cw.power.simulate(design, data, SCORE, planned, sims=3, seed=77, size=False)
    ready = read_trial(design, data, SCORE, planned, 77, None).ready()
    arms, (y, _, _) = ready.arms(0, 3), ready.outcomes(0, 3, 0.6)
    assert np.isnan(y).any() and not np.isnan(y).all()
    families = sorted(data["family"].unique(), key=str)
    for i in range(3):
        arm = dict(zip(families, np.array(list(ARMS))[arms[i]], strict=True))
        again = data.assign(arm=pd.Categorical(data["family"].map(arm), list(ARMS)), y=y[i])
        fit = cw.ols("y ~ arm + age + C(history)", again, cluster="family").tidy().set_index("term")
        for name in ("letters", "visits"):
            ours = found.arms[name].replicates.iloc[i]
            theirs = fit.loc[f"arm[T.{name}]"]
            for column in ("estimate", "std_error", "df", "p_value"):
                assert ours[column] == pytest.approx(theirs[column], rel=1e-8), (name, column)


@pytest.mark.parametrize(
    ("analysis", "outcome"),
    [
        (
            cw.power.LogitModel(),
            cw.power.BinaryOutcome(baseline=0.3, effect={"letters": 0.2, "visits": 0.3}, icc=0.2),
        ),
        (
            cw.power.CoxModel(),
            cw.power.SurvivalOutcome(baseline=0.5, effect={"letters": 1.5, "visits": 2.5}),
        ),
        (
            cw.power.LogRank(),
            cw.power.SurvivalOutcome(baseline=0.5, effect={"letters": 1.5, "visits": 2.5}),
        ),
    ],
)
def test_models_of_several_arms(analysis, outcome):
    design = cw.Design("Trial", arms=ARMS, cluster="family", strata=["history"])
    found = cw.power.simulate(design, children(), outcome, analysis, sims=300, seed=4)
    assert list(found.arms) == ["letters", "visits"]
    assert found.arms["visits"].effect == pytest.approx(outcome.effect["visits"])
    assert found.arms["visits"].power > found.arms["letters"].power > 0.08
    assert found.all.value <= found.arms["letters"].power <= found.any.value
    if not isinstance(analysis, cw.power.LogRank):
        for one in found.arms.values():
            bias = one.measures["bias"]
            assert abs(bias.value) <= 4 * bias.std_error + 0.03


def test_another_reference_turns_effects_round():
    design = cw.Design("Trial", arms=ARMS, cluster="family")
    score = cw.power.ContinuousOutcome(effect={"letters": 0.3, "visits": 0.8}, icc=0.2)
    plain = cw.power.simulate(design, children(), score, sims=400, seed=5)
    turned = cw.power.simulate(design, children(), score, sims=400, seed=5, reference="visits")
    assert list(turned.arms) == ["control", "letters"]
    assert turned.arms["control"].effect == pytest.approx(-0.8)
    assert turned.arms["letters"].effect == pytest.approx(-0.5)
    ours, theirs = (found.replicates for found in (turned.arms["control"], plain.arms["visits"]))
    assert np.allclose(ours["estimate"], -theirs["estimate"], rtol=1e-9)
    assert np.allclose(ours["std_error"], theirs["std_error"], rtol=1e-9)
    assert "against visits" in repr(turned)


def test_several_arms_are_the_same_bits_however_cut():
    design = cw.Design("Trial", arms=ARMS, cluster="family", strata=["history"])
    alone = cw.power.simulate(design, children(), SCORE, sims=900, seed=6)
    with ThreadPoolExecutor(3) as threads:
        shared = cw.power.simulate(design, children(), SCORE, sims=900, seed=6, executor=threads)
        effect = cw.power.mdes(
            design, children(), SCORE, sims=400, seed=6, detect="all", executor=threads
        )
    pd.testing.assert_frame_equal(alone.replicates, shared.replicates, check_exact=True)
    assert alone.measures == shared.measures
    one = cw.power.mdes(design, children(), SCORE, sims=400, seed=6, detect="all")
    pd.testing.assert_frame_equal(one.tried, effect.tried, check_exact=True)


def test_smallest_effects_of_several_arms():
    design = cw.Design("Trial", arms=ARMS, cluster="family")
    score = cw.power.ContinuousOutcome(icc=0.2)
    found = {
        detect: cw.power.mdes(design, children(), score, sims=1_000, seed=2, detect=detect).effect
        for detect in ("any", "all", "letters")
    }
    assert found["any"] < found["letters"] < found["all"]
    under = cw.power.ContinuousOutcome(effect=found["all"], icc=0.2)
    again = cw.power.simulate(design, children(), under, sims=1_000, seed=2, size=False)
    assert again.all.value == pytest.approx(0.8, abs=0.001)
    with pytest.raises(cw.InputError, match="several arms detects"):
        cw.power.mdes(design, children(), score, sims=200, seed=2)
    with pytest.raises(cw.InputError, match="none of the arms"):
        cw.power.mdes(design, children(), score, sims=200, seed=2, detect="vists")


def test_effects_and_arms_that_cannot_be_are_refused():
    design = cw.Design("Trial", arms=ARMS, cluster="family")
    for effect in ({"letters": 0.2}, {"letters": 0.2, "visits": 0.1, "control": 0.0}):
        with pytest.raises(cw.InputError, match="every arm but the first"):
            wrong = cw.power.BinaryOutcome(baseline=0.2, effect=effect, icc=0.1)
            cw.power.simulate(design, children(), wrong, sims=10, seed=1)
    with pytest.raises(cw.InputError, match="no effect to be simulated"):
        none = cw.power.BinaryOutcome(baseline=0.2, icc=0.1)
        cw.power.simulate(design, children(), none, sims=10, seed=1)
    with pytest.raises(cw.InputError, match="outside 0 to 1"):
        wrong = cw.power.BinaryOutcome(
            baseline=0.2, effect={"letters": 0.1, "visits": -0.3}, icc=0.1
        )
        cw.power.simulate(design, children(), wrong, sims=10, seed=1)
    with pytest.raises(cw.InputError, match="reference is none of the arms"):
        cw.power.simulate(design, children(), SCORE, sims=10, seed=1, reference="nobody")
    for dropout in (-0.1, 1.0):
        with pytest.raises(cw.InputError, match="dropout must be a share"):
            lost = cw.power.ContinuousOutcome(effect=0.1, icc=0.1, dropout=dropout)
            cw.power.simulate(design, children(), lost, sims=10, seed=1)
    found = cw.power.simulate(design, children(), SCORE, sims=20, seed=1)
    with pytest.raises(cw.InputError, match="has a power for each"):
        _ = found.power
    with pytest.raises(cw.InputError, match="drawn apart"):
        found.plot()
    found.arms["visits"].plot()

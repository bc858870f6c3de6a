"""Replays with covariates of a stated R² and with a subgroup, against a simulation in numpy that shares no code."""

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

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "expected" / "simulate_beside.json").read_text(
        "utf-8"
    )
)
OUTCOMES = {"binary": cw.power.BinaryOutcome, "continuous": cw.power.ContinuousOutcome}
DESIGN = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family")
SIZES = cw.power.ClusterSizes(REFERENCE["sizes"])
SIMS = 8_000


def replayed(case: dict[str, Any], sims: int = SIMS) -> cw.power.SimulatedPower:
    options = dict(case["outcome"])
    kind = OUTCOMES[options.pop("name")]
    if "target" in case:
        group = cw.power.Subgroup(
            "meals", effect=case["own"], share=case["share"], level=case["level"]
        )
        outcome = kind(**options, effect=case["others"], subgroup=group)
        planned = cw.power.LinearModel(vcov="CR1", target=case["target"])
    else:
        between, within = case["r2"]
        beside = [
            cw.power.Covariate("area", between, level="cluster"),
            cw.power.Covariate("pretest", within),
        ]
        outcome = kind(**options, covariates=beside)
        formula = "~ arm + area + pretest" if case["adjusted"] else "~ arm"
        planned = cw.power.LinearModel(formula, vcov="CR1")
    return cw.power.simulate(DESIGN, SIZES, outcome, planned, sims=sims, seed=9)


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=[c["name"] for c in REFERENCE["cases"]])
def test_replays_agree_with_a_simulation_in_numpy(case):
    found = replayed(case)
    for name, theirs in case["found"].items():
        ours = found.measures[name]
        error = math.hypot(ours.std_error, theirs["std_error"])
        assert abs(ours.value - theirs["value"]) <= 4 * error, (name, ours, theirs)


def test_the_reference_would_notice_another_share():
    case = REFERENCE["cases"][0]
    wrong = replayed({**case, "r2": [0.1, 0.1]}, 2_000)
    assert case["found"]["power"]["value"] - wrong.power > 0.1


def children(n: int = 60) -> pd.DataFrame:
    sizes = np.arange(n) % 4 + 1
    return pd.DataFrame(
        {
            "family": np.repeat(np.arange(n), sizes),
            "meals": np.arange(sizes.sum()) % 3 == 0,
            "age": np.arange(sizes.sum()) % 11.0,
        }
    )


PRETEST = cw.power.Covariate("pretest", 0.5)


def test_the_columns_are_those_that_a_user_would_fit():
    """A function sees covariate and subgroup; cw.ols on them is what the core found."""
    seen = []

    def fitted(frame):
        seen.append(frame)
        return cw.ols("outcome ~ arm + pretest + age", frame, cluster="family").tidy().iloc[1]

    score = cw.power.ContinuousOutcome(effect=0.5, icc=0.2, covariates=[PRETEST])
    planned = cw.power.LinearModel("~ arm + pretest + age", vcov="CR2")
    ours = cw.power.simulate(DESIGN, children(), score, planned, sims=20, seed=3, size=False)
    theirs = cw.power.simulate(DESIGN, children(), score, fitted, sims=20, seed=3, size=False)
    for name in ("estimate", "std_error", "df", "p_value"):
        assert np.allclose(ours.replicates[name], theirs.replicates[name], rtol=1e-8), name
    all_of_them = pd.concat(seen)
    within = np.corrcoef(all_of_them["pretest"], all_of_them["outcome"])[0, 1] ** 2
    assert abs(within - 0.4) < 0.1
    with ThreadPoolExecutor(3) as threads:
        shared = cw.power.simulate(
            DESIGN, children(), score, planned, sims=20, seed=3, size=False, executor=threads
        )
    pd.testing.assert_frame_equal(ours.replicates, shared.replicates, check_exact=True)


def test_a_subgroup_that_is_known():
    """Its members are those of the column, whether the effect is theirs or the others'."""
    group = cw.power.Subgroup("meals", effect=1.0)
    score = cw.power.ContinuousOutcome(effect=0.0, icc=0.1, subgroup=group)

    def run(**options):
        planned = cw.power.LinearModel(vcov="CR2", **options)
        return cw.power.simulate(DESIGN, children(), score, planned, sims=1_500, seed=1)

    for target, truth in (("all", 1 / 3), ("subgroup", 1.0), ("interaction", 1.0)):
        found = run(target=target)
        assert found.effect == pytest.approx(truth, abs=0.01)
        assert abs(found.bias) <= 4 * found.measures["bias"].std_error, target
        assert abs(found.size - 0.05) <= 4 * found.measures["size"].std_error
    assert run(target="subgroup").power > run().power


def test_smallest_effects_of_subgroups():
    group = cw.power.Subgroup("meals", share=0.4)
    score = cw.power.ContinuousOutcome(icc=0.1, subgroup=group)
    found = {
        target: cw.power.mdes(
            DESIGN, SIZES, score, cw.power.LinearModel(vcov="CR1", target=target), sims=600, seed=1
        ).effect
        for target in ("subgroup", "interaction")
    }
    assert 0.3 < found["subgroup"] < found["interaction"] < 1.5
    under = cw.power.ContinuousOutcome(
        effect=0.0,
        icc=0.1,
        subgroup=cw.power.Subgroup("meals", effect=found["subgroup"], share=0.4),
    )
    planned = cw.power.LinearModel(vcov="CR1", target="subgroup")
    again = cw.power.simulate(DESIGN, SIZES, under, planned, sims=600, seed=1, size=False)
    assert again.power == pytest.approx(0.8, abs=0.002)


def test_other_outcomes_have_subgroups():
    group = cw.power.Subgroup("meals", effect=2.0, share=0.5)
    days = cw.power.SurvivalOutcome(baseline=0.6, effect=1.0, tau=0.2, subgroup=group)
    planned = cw.power.CoxModel(target="interaction")
    found = cw.power.simulate(DESIGN, SIZES, days, planned, sims=400, seed=1)
    assert found.effect == pytest.approx(2.0) and abs(found.bias) < 0.1
    group = cw.power.Subgroup("meals", effect=1.5, share=0.5)
    visits = cw.power.CountOutcome(baseline=3, effect=0.0, cv=0.3, subgroup=group)
    planned = cw.power.LinearModel(target="subgroup")
    found = cw.power.simulate(DESIGN, SIZES, visits, planned, sims=800, seed=1)
    assert found.effect == 1.5
    assert abs(found.bias) <= 4 * found.measures["bias"].std_error


@pytest.mark.parametrize(
    ("outcome", "analysis", "said"),
    [
        ({"covariates": [cw.power.Covariate("x", 1.2)]}, "~ arm + x", "shares from 0 to 1"),
        (
            {"covariates": [cw.power.Covariate("x", 0.6), cw.power.Covariate("z", 0.6)]},
            "~ arm + x",
            "shares from 0 to 1",
        ),
        ({"covariates": [PRETEST], "icc": -0.05}, "~ arm + pretest", "at least 0"),
        ({"covariates": [PRETEST]}, "~ arm + I(pretest**2)", "once, as it is"),
        ({"covariates": [PRETEST]}, "~ arm + pretest + pretest:age", "once, as it is"),
        ({"covariates": [cw.power.Covariate("age", 0.5)]}, "~ arm + age", "already have columns"),
        ({}, cw.power.LinearModel(target="subgroup"), "has none"),
        (
            {"subgroup": cw.power.Subgroup("fsm", effect=0.5, share=1.5)},
            "~ arm",
            "share between 0 and 1",
        ),
        (
            {"subgroup": cw.power.Subgroup("fsm", effect=0.5, share=0.5)},
            cw.power.LinearModel("~ arm + fsm", target="interaction"),
            "into the model itself",
        ),
        ({"subgroup": cw.power.Subgroup("fsm", share=0.5)}, "~ arm", "no effect"),
        ({"subgroup": cw.power.Subgroup("age", effect=0.5)}, "~ arm", "1 or 0"),
        ({"subgroup": cw.power.Subgroup("nobody", effect=0.5)}, "~ arm", "no column 'nobody'"),
    ],
)
def test_what_cannot_be_is_refused(outcome, analysis, said):
    with pytest.raises(cw.CreweError, match=said):
        made = cw.power.ContinuousOutcome(**{"effect": 0.5, "icc": 0.1, **outcome})
        cw.power.simulate(DESIGN, children(), made, analysis, sims=10, seed=1)


def test_binary_outcomes_say_what_they_cannot_have():
    with pytest.raises(cw.InputError, match="latent_normal"):
        made = cw.power.BinaryOutcome(baseline=0.3, effect=0.1, icc=0.1, covariates=[PRETEST])
        cw.power.simulate(DESIGN, SIZES, made, sims=10, seed=1)
    group = cw.power.Subgroup("fsm", effect=0.2, share=0.5)
    with pytest.raises(cw.InputError, match="different effects"):
        made = cw.power.BinaryOutcome(baseline=0.3, effect=0.1, icc=0.1, subgroup=group)
        cw.power.simulate(DESIGN, SIZES, made, sims=10, seed=1)
    group = cw.power.Subgroup("fsm", effect=0.8, share=0.5)
    with pytest.raises(cw.InputError, match="outside 0 to 1"):
        made = cw.power.BinaryOutcome(
            baseline=0.3, effect=0.1, icc=0.1, sharing="shared_draw", subgroup=group
        )
        cw.power.simulate(DESIGN, SIZES, made, sims=10, seed=1)
    for wrong in ("2x", "arm", 3):
        with pytest.raises(cw.InputError):
            cw.power.Covariate(wrong, 0.5)  # type: ignore[arg-type]
    with pytest.raises(cw.InputError, match="a name each"):
        cw.power.ContinuousOutcome(effect=0.5, icc=0.1, covariates=[PRETEST, PRETEST])
    with pytest.raises(cw.InputError, match="individuals or of clusters"):
        cw.power.Subgroup("fsm", share=0.5, level="school")  # type: ignore[arg-type]
    drawn = cw.power.ClusterSizes({1: 0.5, 2: 0.5}, clusters=60)
    with pytest.raises(cw.DesignError, match="row a member"):
        made = cw.power.ContinuousOutcome(effect=0.5, icc=0.1, covariates=[PRETEST])
        cw.power.simulate(DESIGN, drawn, made, sims=10, seed=1)

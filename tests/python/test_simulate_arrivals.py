"""Simulated trials whose clusters arrive one by one: numbers, strata, places, and what an analysis makes of them."""

from __future__ import annotations

import json
import math
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "expected" / "simulate_arrivals.json").read_text(
        "utf-8"
    )
)["cases"]
BLOCKS = cw.Design(
    "Trial",
    arms={"control": 1, "crewe": 2},
    cluster="family",
    strata=["history"],
    method=cw.Blocks(sizes=[6]),
)
SIMPLE = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family", method=cw.Simple())
HISTORY = {"history": {"yes": 0.4, "no": 0.6}}
CLOSED = cw.power.BinaryOutcome(baseline=0.25, effect=0.25, icc=0.3)


def arrivals(case: dict[str, Any], **more: Any) -> cw.power.Arrivals:
    return cw.power.Arrivals(
        case["rates"],
        sizes={i + 1: share for i, share in enumerate(case["sizes"])},
        capacity=None if case["places"] is None else {"crewe": case["places"]},
        every=case["every"],
        overflow=case["overflow"],
        clusters=case.get("until"),
        follow_up=case.get("follow_up", 0),
        **more,
    )


def close(ours: cw.power.Measure, theirs: dict[str, float], name: str) -> None:
    error = math.hypot(ours.std_error, theirs["std_error"])
    assert abs(ours.value - theirs["value"]) <= 4 * error, (name, ours, theirs)


def recruited(found: cw.power.SimulatedPower, theirs: dict[str, dict[str, float]]) -> None:
    assert found.recruited is not None
    for name, measure in theirs.items():
        column = found.recruited[name]
        error = math.hypot(column.std() / math.sqrt(len(column)), measure["std_error"])
        assert abs(column.mean() - measure["value"]) <= 4 * error, name


@pytest.mark.parametrize("name", ["blocks", "until"])
def test_families_by_the_ledger_agree_with_a_simulation_in_numpy(name):
    """Strata that fill up by chance, permuted blocks within them, places that are given every four weeks."""
    case, theirs = REFERENCE[name]["case"], REFERENCE[name]["found"]
    closed = cw.power.BinaryOutcome(baseline=case["base"], effect=case["effect"], icc=case["icc"])
    found = cw.power.simulate(
        BLOCKS,
        arrivals(case, strata=HISTORY),
        closed,
        cw.power.LinearModel(vcov="CR1"),
        sims=8_000,
        seed=4,
    )
    for measure in ("power", "size", "bias"):
        close(found.measures[measure], theirs[measure], measure)
    recruited(found, theirs["recruited"])
    assert "stratum" in found.trial.model


def test_families_outside_the_comparison_agree_with_a_simulation_in_numpy():
    case, theirs = REFERENCE["simple"]["case"], REFERENCE["simple"]["found"]
    score = cw.power.ContinuousOutcome(effect=case["effect"], icc=case["icc"])
    run: dict[str, Any] = {"sims": 8_000, "seed": 4}
    found = cw.power.simulate(
        SIMPLE, arrivals(case), score, cw.power.LinearModel(vcov="CR1"), **run
    )
    for measure in ("power", "size", "bias"):
        close(found.measures[measure], theirs[measure], measure)
    recruited(found, theirs["recruited"])
    # With places for all the power is another: the tolerance is no blanket.
    roomy = cw.power.simulate(
        SIMPLE,
        arrivals({**case, "places": None}),
        score,
        cw.power.LinearModel(vcov="CR1"),
        **run,
    )
    assert roomy.power > theirs["power"]["value"] + 0.1
    assert roomy.recruited is not None and roomy.recruited["outside"].max() == 0


def test_entry_as_they_come_feeds_times_to_an_event():
    case, theirs = REFERENCE["times"]["case"], REFERENCE["times"]["found"]
    people = cw.Design("Trial", arms={"control": 1, "crewe": 1}, unit="id", method=cw.Simple())
    closed = cw.power.SurvivalOutcome(baseline=case["base"], effect=case["effect"])
    found = cw.power.simulate(
        people, arrivals(case), closed, cw.power.LogRank(), sims=4_000, seed=4
    )
    for measure in ("power", "size"):
        close(found.measures[measure], theirs[measure], measure)
    # All in at the start and followed for the whole study: more events, more power.
    early = cw.power.Arrivals(at=[0.0] * 150, weeks=30, follow_up=10)
    whole = cw.power.simulate(people, early, closed, cw.power.LogRank(), sims=2_000, seed=4)
    assert whole.power > found.power + 0.05


def test_the_randomisation_test_draws_those_again_who_came():
    case, theirs = REFERENCE["redrawn"]["case"], REFERENCE["redrawn"]["found"]
    design = cw.Design(
        "Trial",
        arms={"control": 1, "crewe": 2},
        cluster="family",
        strata=["history"],
        method=cw.Blocks(sizes=[3]),
    )
    score = cw.power.ContinuousOutcome(effect=case["effect"], icc=case["icc"])
    found = cw.power.simulate(
        design,
        arrivals(case, strata=HISTORY),
        score,
        cw.power.RandomisationTest(draws=99),
        sims=2_000,
        seed=4,
    )
    for measure in ("power", "size"):
        close(found.measures[measure], theirs[measure], measure)


def test_analyses_by_family_and_by_member_see_the_same_trials():
    """CR1 from the sums of families and from members, and the logit's difference, of the same replicates."""
    come = cw.power.Arrivals(4, weeks=15, sizes=[1, 2, 3], strata=HISTORY)
    lost = cw.power.BinaryOutcome(baseline=0.3, effect=0.25, icc=0.2, dropout=0.1)
    run: dict[str, Any] = {"sims": 60, "seed": 2, "size": False}
    by_family = cw.power.simulate(BLOCKS, come, lost, cw.power.LinearModel(vcov="CR0"), **run)
    by_member = cw.power.simulate(BLOCKS, come, lost, cw.power.Rates(vcov="CR0"), **run)
    logit = cw.power.simulate(BLOCKS, come, lost, cw.power.LogitModel(vcov="CR0"), **run)
    flat = cw.power.simulate(
        BLOCKS, come, lost, cw.power.LinearModel(vcov="CR0", strata_terms=False), **run
    )
    for name in ("estimate", "std_error"):
        assert np.allclose(flat.replicates[name], by_member.replicates[name], rtol=1e-9)
    assert logit.replicates["estimate"].corr(by_family.replicates["estimate"]) > 0.99
    for one in (by_family, by_member, logit, flat):
        pd.testing.assert_frame_equal(one.recruited, flat.recruited)


def test_every_rolling_procedure_and_analysis_runs_to_the_same_bits():
    minimised = cw.Design(
        "Trial",
        arms={"control": 1, "crewe": 1},
        cluster="family",
        method=cw.Minimisation(factors=["history", "office"], p=0.8),
    )
    both = {**HISTORY, "office": {1: 1, 2: 2, 3: 1}}
    come = cw.power.Arrivals(3, weeks=12, sizes=[1, 2], strata=both, capacity={"crewe": 2})
    score = cw.power.ContinuousOutcome(effect=0.7, icc=0.1)
    closed = cw.power.SurvivalOutcome(baseline=0.6, effect=2.0, tau=0.2)
    spawn = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2, mp_context=spawn) as processes:
        for design in (minimised, SIMPLE, BLOCKS):
            for outcome, analysis in (
                (score, cw.power.LinearModel()),
                (score, cw.power.MannWhitney()),
                (score, cw.power.RandomisationTest(statistic="coefficient", draws=39)),
                (closed, cw.power.CoxModel()),
            ):

                def run(sims, executor=None, design=design, outcome=outcome, analysis=analysis):
                    return cw.power.simulate(
                        design, come, outcome, analysis, sims=sims, seed=5, size=False,
                        executor=executor,
                    )  # fmt: skip

                alone = run(300)
                assert alone.convergence > 0.95
                shorter = run(70)
                same = {"check_exact": True}
                pd.testing.assert_frame_equal(alone.replicates[:70], shorter.replicates, **same)
                executor = processes if design is SIMPLE else threads
                shared = run(300, executor)
                pd.testing.assert_frame_equal(alone.replicates, shared.replicates, **same)


def test_places_are_kept_and_pauses_counted():
    come = cw.power.Arrivals(
        [6.0] * 8, sizes=2, strata=HISTORY, capacity={"crewe": 3}, every=2, clusters=14
    )
    found = cw.power.simulate(BLOCKS, come, CLOSED, sims=300, seed=1)
    seen = found.recruited
    assert seen is not None
    assert seen["crewe"].max() <= 12 and seen["refused"].min() > 0 and seen["outside"].max() == 0
    both = seen["control"] + seen["crewe"]
    assert both.max() <= 14
    assert (seen["members"] == 2 * both).all()
    assert found.clusters == round(both.mean())
    said = " ".join(found.methods())
    assert "crewe takes 3 every 2 weeks, then enrolment pauses" in said
    assert "are refused while an arm is full" in said and "6 arrive a week over 8 weeks" in said
    again = pickle.loads(pickle.dumps(found))
    assert again.power == found.power and "arrive" in repr(again)


def test_known_dates_are_the_same_in_every_replicate():
    dates = ["2015-07-01", "2015-07-08", "2015-07-08", "2015-07-22"] * 15
    come = cw.power.Arrivals(at=dates)
    assert come.pace[0] == 0 and max(come.pace) == 3 and come.weeks == 4
    score = cw.power.ContinuousOutcome(effect=0.5, icc=0)
    found = cw.power.simulate(SIMPLE, come, score, sims=100, seed=1)
    seen = found.recruited
    assert seen is not None and (seen["control"] + seen["crewe"] == 60).all()
    assert "60 arrive at known times over 4 weeks" in " ".join(found.methods())
    assert seen["crewe"].nunique() > 5


def test_smallest_effects_of_those_who_come():
    """Near that of a list of as many families; recruitment that varies costs little."""
    come = cw.power.Arrivals(6, weeks=20, sizes=3, strata=HISTORY)
    rates = cw.power.BinaryOutcome(baseline=0.25, icc=0.2)
    found = cw.power.mdes(BLOCKS, come, rates, sims=1_000, seed=3)
    families = pd.DataFrame({"family": np.repeat(np.arange(120), 3)})
    listed = cw.power.mdes(
        cw.Design("Trial", arms={"control": 1, "crewe": 2}, cluster="family"),
        families,
        rates,
        sims=1_000,
        seed=3,
    )
    assert found.effect == pytest.approx(listed.effect, rel=0.12)
    assert found.recruited is not None and "arrive" in repr(found)
    with ThreadPoolExecutor(2) as threads:
        shared = cw.power.mdes(BLOCKS, come, rates, sims=1_000, seed=3, executor=threads)
    assert shared.effect == found.effect


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "at a rate or at known times"),
        ({"rate": 3, "at": [1.0]}, "at a rate or at known times"),
        ({"rate": 3}, "how long the trial recruits"),
        ({"rate": 3, "weeks": 0}, "recruits for some weeks"),
        ({"rate": 3, "weeks": 5, "overflow": "wait"}, "not known"),
        ({"rate": 3, "weeks": 5, "strata": {"history": {}}}, "values with their shares"),
        ({"rate": 3, "weeks": 5, "strata": {"history": {"yes": -1}}}, "above 0"),
        ({"rate": 3, "weeks": 5, "sizes": 0}, "at least one member"),
        ({"at": ["soon"]}, "at must be a number"),
    ],
)
def test_arrivals_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(cw.InputError, match=said):
        cw.power.Arrivals(**wrong)


def test_trials_that_cannot_recruit_are_refused():
    come = cw.power.Arrivals(3, weeks=10, strata=HISTORY)
    listed = cw.Design("Trial", arms={"control": 1, "crewe": 2}, cluster="family")
    people = cw.Design("Trial", arms={"control": 1, "crewe": 1}, unit="id", method=cw.Simple())
    own = cw.power.BinaryOutcome(baseline="rate", effect=0.1, icc=0)
    entry = cw.power.SurvivalOutcome(baseline=0.5, effect=1.5, entry=0.5)
    for design, units, outcome, analysis, error, said in (
        (listed, come, CLOSED, "~ arm", cw.DesignError, "whole list"),
        (BLOCKS, cw.power.Arrivals(3, weeks=10), CLOSED, "~ arm", cw.DesignError, "history|values"),
        (SIMPLE, come, CLOSED, "~ arm + age", cw.DesignError, "do not say which values"),
        (SIMPLE, come, own, "~ arm", cw.DesignError, "need a frame"),
        (SIMPLE, come, CLOSED, lambda frame: None, cw.DesignError, "called with a frame"),
        (SIMPLE, come, entry, cw.power.LogRank(), cw.InputError, "when units enter"),
        (SIMPLE, come, CLOSED, "~ history", cw.InputError, "does not name the arm"),
        (
            people,
            cw.power.Arrivals(3, weeks=9, sizes=2),
            CLOSED,
            "~ arm",
            cw.DesignError,
            "several",
        ),
        (SIMPLE, cw.power.Arrivals(0, weeks=9), CLOSED, "~ arm", cw.InputError, "nobody arrives"),
        (SIMPLE, cw.power.Arrivals(0.1, weeks=4), CLOSED, "~ arm", cw.DesignError, "fewer than 2"),
        (
            SIMPLE,
            cw.power.Arrivals(3, weeks=9, capacity={"visits": 3}),
            CLOSED,
            "~ arm",
            cw.DesignError,
            "one of the arms",
        ),
    ):
        with pytest.raises(error, match=said):
            cw.power.simulate(design, units, outcome, analysis, sims=10, seed=1)

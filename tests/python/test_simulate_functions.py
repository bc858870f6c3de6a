"""Outcomes and analyses that are functions of the user."""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

DESIGN = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family")
ALONE = cw.Design("Trial", arms={"control": 1, "crewe": 1}, unit="id")
PEOPLE = cw.power.ClusterSizes(1, clusters=60)


def children(n: int = 60) -> pd.DataFrame:
    sizes = np.arange(n) % 4 + 1
    return pd.DataFrame(
        {
            "family": np.repeat(np.arange(n), sizes),
            "history": np.repeat(np.arange(n) // 2 % 2, sizes),
        }
    )


def scores(units, arm, effect, rng):
    """Normal, with an effect."""
    return effect + rng.normal(size=len(units))


def siblings(units, arm, effect, rng):
    """Normal with a correlation of .2 within families."""
    family = np.unique(units["family"], return_inverse=True)[1]
    shared = rng.normal(size=family.max() + 1)[family]
    return effect + math.sqrt(0.2) * shared + math.sqrt(0.8) * rng.normal(size=len(family))


def days(units, arm, effect, rng):
    """Exponential times until an end, the effect a logarithm of the hazard ratio."""
    time = rng.exponential(np.exp(-effect))
    return np.minimum(time, 1.0), time <= 1.0


def welch(frame):
    """Student's test without equal variances, written here."""
    treated = np.asarray(frame["arm"] == "crewe")
    y = np.asarray(frame["outcome"], dtype=float)
    test = stats.ttest_ind(y[treated], y[~treated], equal_var=False)
    low, high = test.confidence_interval()
    error = (high - low) / 2 / stats.t.isf(0.025, test.df)
    return y[treated].mean() - y[~treated].mean(), error, test.pvalue, low, high


def fitted(frame):
    """A row of a fit of this package."""
    return cw.ols("outcome ~ arm", frame, cluster="family").tidy().iloc[1]


def broken(units, arm, effect, rng):
    """Fails where the first of its numbers is large."""
    y = rng.normal(size=len(units))
    if y[0] > 1.5:
        raise KeyError("no such column")
    return y + effect


def test_a_function_and_the_generator_of_the_core_have_the_same_power():
    """Outcomes drawn in Python and analysed by the core, both in Python, against the noncentral t."""
    power = stats.nct.sf(stats.t.ppf(0.975, 58), 58, 0.8 / math.sqrt(4 / 60))
    mine = cw.power.CustomOutcome(scores, effect=0.8)
    theirs = cw.power.ContinuousOutcome(effect=0.8, icc=0)
    for outcome, analysis, sims in (
        (mine, "~ arm", 3_000),
        (mine, welch, 800),
        (theirs, welch, 800),
    ):
        found = cw.power.simulate(ALONE, PEOPLE, outcome, analysis, sims=sims, seed=1)
        near = 4 * found.measures["power"].std_error
        assert abs(found.power - power) <= near + (0.003 if analysis is welch else 0)
        assert abs(found.size - 0.05) <= 4 * found.measures["size"].std_error
        assert abs(found.coverage - 0.95) <= 4 * found.measures["coverage"].std_error
        assert abs(found.bias) <= 4 * found.measures["bias"].std_error
    assert "the function welch" in repr(found)


def test_the_analysis_of_a_function_is_that_of_the_core_on_the_same_replicates():
    """cw.ols called on the frame of every replicate gives what the core found, to rounding."""
    data = children()
    score = cw.power.ContinuousOutcome(effect=0.5, icc=0.2, dropout=0.1)
    plain = cw.power.LinearModel("~ arm", vcov="CR2")
    ours = cw.power.simulate(DESIGN, data, score, plain, sims=60, seed=3, size=False)
    theirs = cw.power.simulate(DESIGN, data, score, fitted, sims=60, seed=3, size=False)
    for name in ("estimate", "std_error", "df", "p_value"):
        assert np.allclose(ours.replicates[name], theirs.replicates[name], rtol=1e-8), name
    assert ours.measures["coverage"] == theirs.measures["coverage"]
    # Outcomes drawn in Python have the same arms and another stream.
    mine = cw.power.CustomOutcome(siblings, effect=0.5)
    a = cw.power.simulate(DESIGN, data, mine, plain, sims=60, seed=3, size=False)
    b = cw.power.simulate(DESIGN, data, mine, fitted, sims=60, seed=3, size=False)
    assert np.allclose(a.replicates["estimate"], b.replicates["estimate"], rtol=1e-8)
    assert not np.allclose(a.replicates["estimate"], ours.replicates["estimate"], rtol=1e-2)


def test_times_of_a_function():
    mine = cw.power.CustomOutcome(days, effect=math.log(2), times=True)
    theirs = cw.power.SurvivalOutcome(baseline=1 - math.exp(-1), effect=2)
    people = cw.power.ClusterSizes(1, clusters=100)
    a, b = (
        cw.power.simulate(ALONE, people, outcome, cw.power.CoxModel(), sims=1_500, seed=1)
        for outcome in (mine, theirs)
    )
    for name in ("power", "size", "bias", "sd"):
        one, other = a.measures[name], b.measures[name]
        assert abs(one.value - other.value) <= 4 * math.hypot(one.std_error, other.std_error), name

    def by_cox(frame):
        return cw.coxph("Surv(time, event) ~ arm", frame).tidy().iloc[0]

    ours = cw.power.simulate(ALONE, people, mine, by_cox, sims=20, seed=1, size=False)
    assert np.allclose(ours.replicates["estimate"], a.replicates["estimate"][:20], rtol=1e-8)


def test_the_same_bits_however_cut_and_with_any_executor():
    data = children()
    mine = cw.power.CustomOutcome(siblings, effect=0.6)

    def run(analysis, sims, executor=None):
        return cw.power.simulate(
            DESIGN, data, mine, analysis, sims=sims, seed=5, size=False, executor=executor
        )

    alone = {fitted: run(fitted, 70), "~ arm": run("~ arm", 300)}
    shorter = run("~ arm", 131)
    same = {"check_exact": True}
    pd.testing.assert_frame_equal(alone["~ arm"].replicates[:131], shorter.replicates, **same)
    spawn = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2, mp_context=spawn) as processes:
        for executor in (threads, processes):
            for analysis, sims in ((fitted, 70), ("~ arm", 300)):
                shared = run(analysis, sims, executor)
                pd.testing.assert_frame_equal(alone[analysis].replicates, shared.replicates, **same)
        effect = cw.power.mdes(DESIGN, data, mine, sims=200, seed=5, executor=processes)
    one = cw.power.mdes(DESIGN, data, mine, sims=200, seed=5)
    pd.testing.assert_frame_equal(one.tried, effect.tried, **same)
    assert 0.2 < one.effect < 1.0
    again = pickle.loads(pickle.dumps(alone[fitted]))
    pd.testing.assert_frame_equal(again.replicates, alone[fitted].replicates, **same)


def test_the_frame_is_of_the_users_kind():
    kinds = set()

    def note(frame):
        kinds.add((type(frame), tuple(frame.columns)))
        return {"p_value": 0.5}

    score = cw.power.ContinuousOutcome(effect=0.5, icc=0.2)
    found = cw.power.simulate(DESIGN, pl.from_pandas(children()), score, note, sims=3, seed=1)
    assert kinds == {(pl.DataFrame, ("family", "history", "arm", "outcome"))}
    assert found.power == 0 and math.isnan(found.bias) and math.isnan(found.coverage)


def test_units_that_are_left_out_are_not_analysed():
    design = cw.Design(
        "Trial",
        arms={"control": 1, "crewe": 2},
        cluster="family",
        method=cw.Complete(misfits="leave_out"),
    )
    seen = set()

    def note(frame):
        seen.add(frame["family"].nunique())
        assert not frame["arm"].isna().any()
        return {"p_value": 0.5}

    score = cw.power.ContinuousOutcome(effect=0.5, icc=0.2)
    cw.power.simulate(design, children(61), score, note, sims=4, seed=1)
    assert seen == {60}


def test_what_functions_raise_names_the_replicate():
    mine = cw.power.CustomOutcome(broken, effect=0.5)
    with pytest.raises(cw.InputError, match=r"raised KeyError: .*in replicate (\d+)") as raised:
        cw.power.simulate(ALONE, PEOPLE, mine, sims=200, seed=1, size=False)
    number = int(raised.value.values[0].split()[1])
    draws = [np.random.default_rng([1, i]).normal(size=60)[0] for i in range(number + 1)]
    assert draws[-1] > 1.5 and max(draws[:-1], default=0) <= 1.5
    with ThreadPoolExecutor(2) as threads, pytest.raises(cw.InputError, match="in replicate"):
        cw.power.simulate(ALONE, PEOPLE, mine, sims=200, seed=1, executor=threads)
    score = cw.power.ContinuousOutcome(effect=0.5, icc=0)
    for returned, said in (
        (3.0, "holds no p_value"),
        ((1, 2), "holds no p_value"),
        ({"estimate": 1.0}, "holds no p_value"),
        ({"p_value": 1.5}, "p-value of 1.5"),
        ({"p_value": "small"}, "no numbers"),
    ):
        with pytest.raises(cw.InputError, match=said):
            cw.power.simulate(ALONE, PEOPLE, score, lambda frame, r=returned: r, sims=5, seed=1)
    for drawn, said in (
        (lambda *_: [1.0, 2.0], "shape"),
        (lambda *_: ["a"] * 60, "no numbers"),
        (lambda *_: [math.inf] * 60, "infinite"),
    ):
        with pytest.raises(cw.InputError, match=said):
            outcome = cw.power.CustomOutcome(drawn, effect=0.5)
            cw.power.simulate(ALONE, PEOPLE, outcome, sims=5, seed=1)
    for drawn, said in (
        (lambda *_: [1.0] * 60, "two arrays"),
        (lambda *_: ([-1.0] * 60, [1] * 60), "below 0"),
        (lambda *_: ([1.0] * 60, [2] * 60), "below 0"),
    ):
        with pytest.raises(cw.InputError, match=said):
            outcome = cw.power.CustomOutcome(drawn, effect=0.5, times=True)
            cw.power.simulate(ALONE, PEOPLE, outcome, cw.power.CoxModel(), sims=5, seed=1)


def test_functions_in_the_wrong_place_are_refused():
    score = cw.power.ContinuousOutcome(effect=0.5, icc=0)
    with pytest.raises(cw.InputError, match="cannot be called"):
        cw.power.CustomOutcome("scores", effect=0.5)  # type: ignore[arg-type]
    with pytest.raises(cw.InputError, match="cannot be called"):
        cw.power.CustomAnalysis(3)  # type: ignore[arg-type]
    three = cw.Design("Trial", arms={"a": 1, "b": 1, "c": 1}, unit="id")
    with pytest.raises(cw.DesignError, match="two arms"):
        cw.power.simulate(three, PEOPLE, score, welch, sims=5, seed=1)
    drawn = cw.power.ClusterSizes({1: 0.5, 2: 0.5}, clusters=60)
    with pytest.raises(cw.DesignError, match="row a member"):
        cw.power.simulate(
            DESIGN, drawn, cw.power.ContinuousOutcome(effect=1, icc=0), welch, sims=5, seed=1
        )
    with pytest.raises(cw.DesignError, match="already have columns"):
        cw.power.simulate(
            DESIGN,
            children().assign(outcome=1),
            cw.power.ContinuousOutcome(effect=1, icc=0),
            welch,
            sims=5,
            seed=1,
        )


def test_answers_without_a_p_value_do_not_reject():
    """None, a p-value of NaN, and a model that cannot be fitted."""
    score = cw.power.ContinuousOutcome(effect=0.5, icc=0)
    calls = iter(range(100))

    def sometimes(frame):
        i = next(calls)
        if i % 4 == 0:
            return None
        if i % 4 == 1:
            raise cw.SeparationError("a perfect prediction")
        return {"p_value": float("nan")} if i % 4 == 2 else {"p_value": 0.01}

    found = cw.power.simulate(ALONE, PEOPLE, score, sometimes, sims=8, seed=1, size=False)
    assert found.power == 0.25 and found.unanswered == {"undefined": 4, "not fitted": 2}


@pytest.mark.parametrize("functions", ["outcome", "analysis"])
def test_control_c_stops_at_once(functions):
    def slow(*_):
        time.sleep(0.02)
        return {"p_value": 0.5} if functions == "analysis" else np.zeros(60)

    score = cw.power.ContinuousOutcome(effect=0.5, icc=0)
    outcome = score if functions == "analysis" else cw.power.CustomOutcome(slow, effect=0.5)
    # Whoever started the tests in the background lets them ignore the keyboard.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            cw.power.simulate(
                ALONE,
                PEOPLE,
                outcome,
                slow if functions == "analysis" else "~ arm",
                sims=10**6,
                seed=1,
            )
        assert time.monotonic() - began < 1.5
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)

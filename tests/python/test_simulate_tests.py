"""Simulated trials whose analysis is a test: the randomisation test, ranks, two rates."""

from __future__ import annotations

import json
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe.power._trial import read_trial

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "expected" / "simulate_tests.json").read_text(
        "utf-8"
    )
)
DESIGN = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family")
ALONE = cw.Design("Trial", arms={"control": 1, "crewe": 1}, unit="id")
SCORE = cw.power.ContinuousOutcome(effect=0.6, icc=0.2, dropout=0.1)
CLOSED = cw.power.BinaryOutcome(baseline=0.3, effect=0.25, icc=0.2)


def children(n: int = 40) -> pd.DataFrame:
    sizes = np.arange(n) % 4 + 1
    return pd.DataFrame(
        {
            "family": np.repeat(np.arange(n), sizes),
            "history": np.repeat(np.arange(n) // 2 % 2, sizes),
            "age": np.arange(sizes.sum()) % 11.0,
        }
    )


def planned(case: dict[str, Any]) -> Any:
    if case["analysis"] == "randomisation_test":
        model = case["statistic"] == "coefficient"
        return cw.power.RandomisationTest(
            "~ arm + x" if model else "~ arm", statistic=case["statistic"], draws=199
        )
    if case["analysis"] == "mann_whitney":
        return cw.power.MannWhitney(exact=case["exact"])
    return cw.power.Rates(compare=case["compare"], vcov=case.get("vcov"))


def replayed(case: dict[str, Any], sims: int) -> cw.power.SimulatedPower:
    options, sizes, counts = dict(case["outcome"]), case["sizes"], case["counts"]
    kind = cw.power.BinaryOutcome if "baseline" in options else cw.power.ContinuousOutcome
    share = math.gcd(*counts)
    arms = {"control": counts[0] // share, "crewe": counts[1] // share}
    if set(sizes) == {1}:
        design = cw.Design("Trial", arms=arms, unit="id")
        units: Any = cw.power.ClusterSizes(1, clusters=len(sizes))
    else:
        design = cw.Design("Trial", arms=arms, cluster="family")
        units = cw.power.ClusterSizes(sizes)
    if case.get("statistic") == "coefficient":
        # The families' own means are the covariate, as in the simulation in numpy.
        x = np.linspace(-1, 1, len(sizes))
        family = np.repeat(np.arange(len(sizes)), sizes)
        units, options["baseline"] = pd.DataFrame({"family": family, "x": x[family]}), "x"
    return cw.power.simulate(design, units, kind(**options), planned(case), sims=sims, seed=11)


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=[c["name"] for c in REFERENCE["cases"]])
def test_replays_agree_with_a_simulation_in_numpy(case):
    found = replayed(case, 3_000)
    assert found.convergence > 0.999
    for name, theirs in case["found"].items():
        ours = found.measures[name]
        error = math.hypot(ours.std_error, theirs["std_error"])
        assert abs(ours.value - theirs["value"]) <= 4 * error, (name, ours, theirs)


def test_the_reference_would_notice_another_correlation():
    case = next(c for c in REFERENCE["cases"] if c["analysis"] == "randomisation_test")
    wrong = {**case, "outcome": {**case["outcome"], "icc": 0.6}}
    assert case["found"]["power"]["value"] - replayed(wrong, 600).power > 0.1


def by_ranks(frame):
    """Mann-Whitney of the families' means, by the function of the package."""
    means = frame.dropna().groupby(["family", "arm"], observed=True)["outcome"].mean().reset_index()
    return cw.mann_whitney("outcome ~ arm", means, reference="control")


def by_ranks_of_individuals(frame):
    return cw.mann_whitney("outcome ~ arm", frame, reference="control")


def by_fisher(frame):
    rates = cw.compare_rates("outcome ~ arm", frame, reference="control", exact=False)
    return rates.difference, math.nan, rates.p_value, *rates.newcombe


def same(ours: cw.power.SimulatedPower, theirs: cw.power.SimulatedPower, *names: str) -> None:
    for name in names:
        a, b = ours.replicates[name].to_numpy(), theirs.replicates[name].to_numpy()
        assert np.isfinite(a).mean() > 0.9
        assert np.allclose(a, b, rtol=1e-12, atol=1e-12, equal_nan=True), name


def test_ranks_are_those_of_the_package_on_the_same_replicates():
    """The p-value and the interval of every replicate, families and individuals, with ties and without."""
    people = cw.power.ClusterSizes(1, clusters=50)
    alone = cw.power.ContinuousOutcome(effect=0.6, icc=0, dropout=0.1)
    for design, units, outcome, function in (
        (DESIGN, children(), SCORE, by_ranks),
        (DESIGN, children(20), CLOSED, by_ranks),
        (ALONE, people, alone, by_ranks_of_individuals),
    ):
        run = {"sims": 40, "seed": 3, "size": False}
        ours = cw.power.simulate(design, units, outcome, cw.power.MannWhitney(), **run)
        theirs = cw.power.simulate(design, units, outcome, function, **run)
        same(ours, theirs, "p_value")
        assert ours.measures["power"] == theirs.measures["power"]
        test = function(_frame(design, units, outcome, 3))
        assert ours.replicates["estimate"][0] == pytest.approx(test.shift, rel=1e-12)


def _frame(design: Any, units: Any, outcome: Any, seed: int, number: int = 0) -> pd.DataFrame:
    """The frame of a replicate."""
    frames: list[pd.DataFrame] = []

    def keep(frame: pd.DataFrame) -> tuple[float, float, float]:
        frames.append(frame)
        return 0.0, 1.0, 1.0

    cw.power.simulate(design, units, outcome, keep, sims=number + 1, seed=seed, size=False)
    return frames[number]


def test_rates_are_those_of_the_package_on_the_same_replicates():
    run: dict[str, Any] = {"sims": 60, "seed": 3, "size": False}
    people = cw.power.ClusterSizes(1, clusters=60)
    alone = cw.power.BinaryOutcome(baseline=0.3, effect=0.25, icc=0, dropout=0.1)

    def by_fisher_alone(frame):
        return by_fisher(frame.dropna())

    ours = cw.power.simulate(ALONE, people, alone, cw.power.Rates(), **run)
    theirs = cw.power.simulate(ALONE, people, alone, by_fisher_alone, **run)
    same(ours, theirs, "estimate", "p_value")
    assert ours.measures["coverage"] == theirs.measures["coverage"]
    for compare in ("difference", "ratio"):

        def by_margins(frame, compare=compare):
            fit = cw.ols("outcome ~ arm", frame, cluster="family", vcov="CR2")
            row = fit.margins("arm", compare=compare).contrasts().iloc[0]
            return {"p_value": row["p_value"], "df": row["df"]}

        rates = cw.power.Rates(compare=compare)
        ours = cw.power.simulate(DESIGN, children(), CLOSED, rates, **run)
        theirs = cw.power.simulate(DESIGN, children(), CLOSED, by_margins, **run)
        same(ours, theirs, "p_value", "df")
        assert ours.power == theirs.power
    assert ours.estimand == pytest.approx(math.log(0.55 / 0.3))
    assert ours.effect == 0.25
    assert "logarithm" in ours.plot().get_xlabel()
    assert "Logarithm of the ratio" in repr(ours) and "0.6061" in repr(ours)


@pytest.mark.parametrize("statistic", ["difference_in_means", "rate_ratio", "rank_sum"])
def test_listed_assignments_give_the_p_values_of_the_randomisation_test(statistic):
    """With eight families all 70 assignments are listed, whatever the seed."""
    outcome = CLOSED if statistic == "rate_ratio" else SCORE

    def by_package(frame):
        seen = DESIGN.observe(frame, arm="arm")
        test = cw.randomisation_test(statistic, frame, seen, outcome="outcome")
        assert test.exact and test.assignments == 70
        return {"estimate": test.estimate, "p_value": test.p_value}

    analysis = cw.power.RandomisationTest(statistic=statistic)
    run: dict[str, Any] = {"sims": 40, "seed": 3, "size": False}
    ours = cw.power.simulate(DESIGN, children(8), outcome, analysis, **run)
    theirs = cw.power.simulate(DESIGN, children(8), outcome, by_package, **run)
    same(ours, theirs, "p_value")
    assert any("all 70 assignments" in note for note in ours.notes)


@pytest.mark.parametrize("studentised", [True, False])
def test_the_coefficient_is_that_of_the_fit_on_the_same_replicates(studentised):
    design = cw.Design(
        "Trial", arms={"control": 1, "crewe": 1}, cluster="family", strata=["history"]
    )
    whole = cw.power.ContinuousOutcome(effect=0.6, icc=0.2)

    def by_package(frame):
        seen = design.observe(frame, arm="arm")
        fit = cw.ols("outcome ~ arm + age", frame, design=seen)
        test = cw.randomisation_test(fit, design=seen, studentised=studentised, interval=False)
        assert test.exact
        return {"estimate": test.estimate, "p_value": test.p_value}

    analysis = cw.power.RandomisationTest(
        "~ arm + age", statistic="coefficient", studentised=studentised
    )
    run: dict[str, Any] = {"sims": 25, "seed": 3, "size": False}
    ours = cw.power.simulate(design, children(12), whole, analysis, **run)
    theirs = cw.power.simulate(design, children(12), whole, by_package, **run)
    same(ours, theirs, "p_value", "estimate")


def test_each_of_several_arms_beside_any_reference():
    """Three arms of two families each: 90 assignments, and the package's own test with the reference first."""
    design = cw.Design("Trial", arms={"a": 1, "b": 1, "c": 1}, cluster="family")
    outcome = cw.power.ContinuousOutcome(effect={"b": 1.0, "c": 2.0}, icc=0.1)
    analysis = cw.power.RandomisationTest(alpha=0.2)
    found = cw.power.simulate(
        design, children(6), outcome, analysis, sims=30, seed=3, size=False, reference="b"
    )
    trial = read_trial(design, children(6), outcome, analysis, 3, None, "b")
    ready = trial.ready()
    arms, (y, _, _) = ready.arms(0, 30), ready.outcomes(0, 30, 2.0)
    names = np.array(["a", "b", "c"])
    turned = cw.Design("Trial", arms={"b": 1, "a": 1, "c": 1}, cluster="family")
    for i in range(0, 30, 7):
        frame = children(6).assign(arm=names[arms[i]][trial.unit], outcome=y[i])
        seen = turned.observe(frame, arm="arm")
        test = cw.randomisation_test("difference_in_means", frame, seen, outcome="outcome")
        for one in test.comparisons:
            ours = found.arms[one.arm].replicates.iloc[i]
            assert ours["p_value"] == pytest.approx(one.p_value, rel=1e-12)
            assert ours["estimate"] == pytest.approx(one.estimate, rel=1e-12)


def test_the_size_is_the_attainable_level():
    """Of 70 assignments only the two most extreme have p below 5%: 2/70, and with 20 none has."""
    score = cw.power.ContinuousOutcome(effect=0, icc=0.2)
    found = cw.power.simulate(
        DESIGN, children(8), score, cw.power.RandomisationTest(), sims=4_000, seed=5
    )
    assert abs(found.power - 2 / 70) <= 4 * found.measures["power"].std_error
    coverage = found.measures["coverage"]
    assert abs(coverage.value - (1 - 2 / 70)) <= 4 * coverage.std_error
    never = cw.power.simulate(
        DESIGN, children(6), SCORE, cw.power.RandomisationTest(), sims=200, seed=5
    )
    assert never.power == 0
    assert any("never rejects" in note for note in never.notes)


def test_the_same_bits_however_cut_and_with_any_executor():
    analyses = [
        cw.power.RandomisationTest("~ arm + age", statistic="coefficient", draws=99),
        cw.power.RandomisationTest(draws=99),
        cw.power.MannWhitney(),
    ]
    same_bits = {"check_exact": True}
    spawn = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2, mp_context=spawn) as processes:
        for analysis in analyses:

            def run(sims, executor=None, analysis=analysis):
                return cw.power.simulate(
                    DESIGN, children(), SCORE, analysis, sims=sims, seed=5, size=False,
                    executor=executor,
                ).replicates  # fmt: skip

            alone = run(700)
            pd.testing.assert_frame_equal(alone[:131], run(131), **same_bits)
            for executor in (threads, processes):
                pd.testing.assert_frame_equal(alone, run(700, executor), **same_bits)


def test_smallest_effects():
    """Near that of the linear model, and the same with an executor."""
    score = cw.power.ContinuousOutcome(icc=0.1)
    linear = cw.power.mdes(DESIGN, children(), score, "~ arm", sims=600, seed=2)
    for analysis in (
        cw.power.RandomisationTest(draws=99),
        cw.power.RandomisationTest(statistic="coefficient", draws=99),
        cw.power.MannWhitney(exact=False),
    ):
        found = cw.power.mdes(DESIGN, children(), score, analysis, sims=600, seed=2)
        assert found.effect == pytest.approx(linear.effect, rel=0.2)
        with ThreadPoolExecutor(2) as threads:
            shared = cw.power.mdes(
                DESIGN, children(), score, analysis, sims=600, seed=2, executor=threads
            )
        assert shared.effect == found.effect
    rate = cw.power.BinaryOutcome(baseline=0.3, icc=0.1)
    difference, ratio = (
        cw.power.mdes(DESIGN, children(), rate, cw.power.Rates(compare=by), sims=600, seed=2)
        for by in ("difference", "ratio")
    )
    # The ratio's error falls with the rate, so that a rise is found later.
    assert difference.effect < ratio.effect < 1.5 * difference.effect


def test_a_subgroup_is_tested_in_its_members_alone():
    group = cw.power.Subgroup("meals", effect=1.2, share=0.5)
    score = cw.power.ContinuousOutcome(effect=0.0, icc=0.1, subgroup=group)

    def by_package(frame):
        inside = frame[frame["meals"] == 1]
        means = inside.groupby(["family", "arm"], observed=True)["outcome"].mean().reset_index()
        return cw.mann_whitney("outcome ~ arm", means, reference="control")

    ours = cw.power.simulate(
        DESIGN, children(), score, cw.power.MannWhitney(target="subgroup"), sims=30, seed=3
    )
    theirs = cw.power.simulate(DESIGN, children(), score, by_package, sims=30, seed=3)
    same(ours, theirs, "p_value")
    tested = cw.power.RandomisationTest(draws=99, target="subgroup")
    found = cw.power.simulate(DESIGN, children(), score, tested, sims=400, seed=3)
    assert abs(found.bias) < 4 * found.measures["bias"].std_error
    assert found.power > found.size + 0.3


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: cw.power.RandomisationTest("~ arm + age"), "knows no covariates"),
        (lambda: cw.power.RandomisationTest(statistic="median"), "not known"),
        (lambda: cw.power.RandomisationTest(target="interaction"), "members of a subgroup"),
        (lambda: cw.power.Rates(compare="odds_ratio"), "difference or their ratio"),
        (lambda: cw.power.MannWhitney(target="interaction"), "members of a subgroup"),
    ],
)
def test_plans_that_cannot_be_are_refused(make, said):
    with pytest.raises(cw.InputError, match=said):
        make()


def test_trials_that_a_test_cannot_analyse_are_refused():
    drawn = cw.power.ClusterSizes([1, 2, 3], clusters=60)
    people = cw.power.ClusterSizes(1, clusters=40)
    times = cw.power.SurvivalOutcome(baseline=0.5, effect=1.4)
    for units, outcome, analysis, said in (
        (children(), times, cw.power.RandomisationTest(), "another's"),
        (children(), SCORE, cw.power.Rates(), "0 or 1"),
        (drawn, SCORE, cw.power.MannWhitney(), "looks at rows"),
        (children(), SCORE, cw.power.RandomisationTest(draws=38), "at least 39 times"),
        (children(), SCORE, cw.power.RandomisationTest(draws=0), "out of range"),
    ):
        with pytest.raises(cw.InputError, match=said):
            cw.power.simulate(DESIGN, units, outcome, analysis, sims=10, seed=1)
    rates = cw.power.BinaryOutcome(baseline=0.3, effect=0.2, icc=0)
    with pytest.raises(cw.InputError, match="no variance"):
        cw.power.simulate(ALONE, people, rates, cw.power.Rates(vcov="CR1"), sims=10, seed=1)

    def scores(units, arm, effect, rng):
        return rng.normal(size=len(units))

    mine = cw.power.CustomOutcome(scores, effect=0.1)
    for design, units in ((ALONE, people), (DESIGN, children())):
        with pytest.raises(cw.InputError, match="0 or 1"):
            cw.power.simulate(design, units, mine, cw.power.Rates(), sims=10, seed=1)


def test_they_say_what_they_are():
    for analysis, said in (
        (cw.power.RandomisationTest(draws=99), "randomisation test of difference in means, 99"),
        (cw.power.MannWhitney(), "Mann-Whitney test of the clusters' mean outcomes"),
    ):
        found = cw.power.simulate(DESIGN, children(), SCORE, analysis, sims=20, seed=1)
        assert said in found.methods()[-1]
        assert found.tidy()["estimate"].notna().any()

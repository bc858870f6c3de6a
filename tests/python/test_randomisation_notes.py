"""What notes and refusals send the user to, run as printed; trials that were randomised elsewhere."""

from __future__ import annotations

import itertools
import re

import crewe as cw
import numpy as np
import pandas as pd
import pytest

RNG = np.random.default_rng(4)
FAMILY = np.repeat(np.arange(10), RNG.integers(1, 4, 10))
N = len(FAMILY)
D = pd.DataFrame(
    {
        "family": FAMILY,
        "site": np.where(FAMILY < 4, "north", "south"),
        "score": RNG.integers(0, 9, N).astype(float),
        "closed": (RNG.random(N) < 0.5).astype(int),
        "days": RNG.integers(1, 60, N).astype(float),
    }
)
DESIGN = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=2)


def _printed(text: str) -> str:
    """The call that a message prints."""
    found = re.search(r"cw\.randomisation_test\(.*?\)", text)
    assert found, text
    return found[0]


def test_the_note_of_cox_prints_a_call_that_runs():
    assignment = DESIGN.assign(D)
    fit = cw.coxph("Surv(days, closed) ~ arm", D, design=assignment)
    note = next(note for note in fit.notes if "randomisation_test" in note)
    assert note in " ".join(str(fit).split()) or "randomisation_test" in str(fit)
    test = eval(_printed(note), {"cw": cw, "fit": fit, "assignment": assignment})
    assert test.exact and 0 < test.p_value <= 1
    assert not any("randomisation_test" in note for note in fit.vcov("iid").notes)


@pytest.mark.parametrize(
    "call",
    [
        lambda design: cw.mann_whitney("score ~ arm", D, design=design),
        lambda design: cw.permutation_test("score ~ arm", D, design=design),
        lambda design: cw.compare_rates("closed ~ arm", D, design=design),
    ],
)
def test_refusals_of_siblings_print_a_call_that_runs(call):
    assignment = DESIGN.assign(D)
    with pytest.raises(cw.DesignError) as refused:
        call(assignment)
    test = eval(_printed(str(refused.value)), {"cw": cw, "data": D, "assignment": assignment})
    assert test.exact and 0 < test.p_value <= 1


@pytest.mark.parametrize("model", [False, True])
def test_an_observed_trial_permutes_its_arms_within_the_declared_strata(model):
    """Neither the declared ratio nor the procedure deals three of four in the north; the arms are permuted as they are."""
    design = cw.Design(
        "T",
        arms={"control": 1, "crewe": 1},
        cluster="family",
        strata=["site"],
        method=cw.Simple(),
    )
    treated = [0, 1, 2, 5, 7]
    d = D.assign(arm=np.where(np.isin(FAMILY, treated), "crewe", "control"))
    observed = design.observe(d, arm="arm")

    def statistic(z: np.ndarray) -> float:
        if not model:
            return float(d.score[z].mean() - d.score[~z].mean())
        x = np.column_stack([np.ones(N), d.site == "south", z]).astype(float)
        return float(np.linalg.lstsq(x, d.score.to_numpy(), rcond=None)[0][2])

    values = np.array(
        [
            statistic(np.isin(FAMILY, north + south))
            for north in itertools.combinations(range(4), 3)
            for south in itertools.combinations(range(4, 10), 2)
        ]
    )
    found = statistic(np.isin(FAMILY, treated))
    if model:
        fit = cw.ols("score ~ arm", d, design=observed)
        test = cw.randomisation_test(fit, design=observed, studentised=False)
    else:
        test = cw.randomisation_test("score ~ arm", d, observed)
    assert test.exact and test.assignments == len(values) == 60
    low, high = (values <= found + 1e-9).mean(), (values >= found - 1e-9).mean()
    assert test.p_value == pytest.approx(min(1, 2 * min(low, high)), abs=1e-12)
    notes = [note for note in test.notes if "randomised elsewhere" in note]
    assert len(notes) == 1 and "those of a stratum" in notes[0]
    called = cw.randomisation_test(
        lambda frame, arm: float(
            frame.score[arm == "crewe"].mean() - frame.score[arm == "control"].mean()
        ),
        d,
        observed,
    )
    assert called.assignments == 60 and any("randomised elsewhere" in note for note in called.notes)


def test_permutations_of_a_large_observed_trial_are_drawn():
    family = np.arange(60)
    d = pd.DataFrame({"family": family, "score": RNG.normal(size=60), "arm": family % 3 == 0})
    design = cw.Design("T", arms={"a": 1, "b": 1}, cluster="family")
    d["arm"] = np.where(d.arm, "b", "a")
    observed = design.observe(d, arm="arm")
    test = cw.randomisation_test("score ~ arm", d, observed, draws=1999, seed=1)
    again = cw.randomisation_test("score ~ arm", d, observed, draws=1999, seed=1)
    assert not test.exact and test.p_value == again.p_value
    # Twenty of sixty in every draw, where the declared ratio would deal thirty.
    counts = []
    cw.randomisation_test(
        lambda frame, arm: counts.append((arm == "b").sum()) or 1.0, d, observed, draws=50, seed=1
    )
    assert set(counts) == {20}
    sd = np.sqrt(d.score.var(ddof=1) * (1 / 20 + 1 / 40))
    assert test.comparisons[0].null_sd == pytest.approx(sd, rel=0.08)


def test_an_observed_trial_in_sets_is_dealt_again_within_them():
    family = np.arange(8)
    d = pd.DataFrame({"family": family, "pair": family // 2, "score": RNG.normal(size=8)})
    d["arm"] = np.where(family % 2 == 0, "b", "a")
    design = cw.Design(
        "T", arms={"a": 1, "b": 1}, cluster="family", method=cw.MatchedSets(on="pair")
    )
    observed = design.observe(d, arm="arm")
    test = cw.randomisation_test("score ~ arm", d, observed)
    assert test.assignments == 16
    assert any("those of a set" in note for note in test.notes)


def test_bad_input_is_refused_with_a_reason():
    assignment = DESIGN.assign(D)
    fit = cw.ols("score ~ arm", D, design=assignment)
    large = pd.DataFrame({"family": np.arange(60), "score": RNG.normal(size=60)})
    many = DESIGN.assign(large)
    for draws in (1, 18):
        with pytest.raises(cw.InputError, match="at least 19"):
            cw.randomisation_test("score ~ arm", large, many, draws=draws)
        with pytest.raises(cw.InputError, match="at least 19"):
            cw.randomisation_test(
                lambda f, a: f.score[a == "crewe"].mean(), large, many, draws=draws
            )
    assert cw.randomisation_test("score ~ arm", large, many, draws=19).p_value >= 0.05
    with pytest.raises(cw.DesignError, match="another assignment"):
        cw.randomisation_test(fit, design=many)
    with pytest.raises(cw.InputError, match="no one column that is the arm"):
        cw.randomisation_test(cw.ols("score ~ site", D, cluster="family"), design=assignment)
    one = D[(D.family.astype(str).map(assignment.clusters) == "control") | (D.family == 0)]
    with pytest.raises(cw.CreweError):
        cw.randomisation_test("score ~ arm", one, assignment)
    for same in (
        lambda d: cw.randomisation_test("score ~ arm", d, assignment),
        lambda d: cw.randomisation_test("score ~ arm", d, assignment, studentised=True),
        lambda d: cw.randomisation_test("rank_sum", d, assignment, outcome="score"),
        lambda d: cw.randomisation_test(
            cw.ols("score ~ arm", d, design=assignment), design=assignment
        ),
    ):
        with pytest.raises(cw.InputError, match="same value"):
            same(D.assign(score=3.0))

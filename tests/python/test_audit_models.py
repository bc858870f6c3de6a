"""Audits of Firth's penalty, estimating equations and mixed models: against a loop of refits, to the last count."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from redrawn_trials import few, redrawn, rejects, rows_of, with_arm

ROWS = rows_of(9, 2)
DESIGN = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family", seed=3)
TRIAL = DESIGN.assign(ROWS)
FORMULA = "score ~ arm + x + z"
TERM = "arm[T.crewe]"

firth = partial(cw.logit, penalty="firth")
binomial = partial(cw.gee, family="binomial")
independent = partial(cw.gee, corstr="independence", divisor="n-p")


def _refits(
    model: Callable[..., Any],
    formula: str,
    rows: pd.DataFrame,
    trial: cw.Assignment,
    arms: np.ndarray,
    effect: float = 0.0,
) -> list[Any]:
    """The model fitted to every redraw, one after the other; none where it cannot be."""
    found = []
    outcome = formula.split(" ~")[0]
    for drawn in arms:
        frame = with_arm(rows, trial, drawn)
        if few(frame, trial.arms):
            found.append(None)
            continue
        if effect:
            frame[outcome] = frame[outcome] + effect * (frame.arm == "crewe")
        try:
            found.append(model(formula, frame, cluster="family"))
        except cw.CreweError:
            found.append(None)
    return found


def _under(fit: Any, kind: str) -> Any:
    """The line of the arm in a fit's table under this covariance; NaN where there is none."""
    try:
        return fit.vcov(kind).tidy().set_index("term").loc[TERM]
    except (AttributeError, cw.CreweError):
        nothing = ("p_value", "conf_low", "conf_high")
        return pd.Series(dict.fromkeys(nothing, np.nan))


def _p(fits: list[Any], kind: str) -> np.ndarray:
    return np.array([_under(fit, kind).p_value for fit in fits])


MODELS = {
    "equations": (cw.gee, FORMULA, ["KC", "MD", "FG", "MBN", "CR1", "CR2", "iid"]),
    "independent equations": (independent, FORMULA, ["MD", "CR0"]),
    "equations of a rate": (binomial, "closed ~ arm + x", ["KC", "MD", "FG", "MBN", "CR0"]),
    "mixed": (cw.mixed, FORMULA, ["kenward-roger", "satterthwaite", "CR2", "iid"]),
    "mixed of a rate": (cw.mixed, "closed ~ arm", ["kenward-roger", "satterthwaite"]),
    "penalty": (firth, "closed ~ arm + x", ["CR1", "CR1S", "CV3", "iid"]),
}


@pytest.mark.parametrize("name", MODELS)
def test_listed_size_is_that_of_a_loop_of_refits(name: str) -> None:
    model, formula, kinds = MODELS[name]
    audit = model(formula, ROWS, design=TRIAL).audit(TRIAL, procedures=kinds)
    arms, weight = redrawn(TRIAL, 10_000, 3)
    assert audit.exact and audit.redraws == len(arms) and weight is not None
    fits = _refits(model, formula, ROWS, TRIAL, arms)
    for kind in kinds:
        p = _p(fits, kind)
        assert audit[kind].size == rejects(p).mean(), kind
        assert audit[kind].no_answer == np.isnan(p).mean(), kind
        coverage = np.isnan(audit[kind].coverage)
        assert coverage if formula.startswith("closed") else not coverage, kind


def test_drawn_size_is_that_of_a_loop_of_refits_with_the_strata() -> None:
    rows = rows_of(24, 5)
    design = cw.Design(
        "T", arms={"control": 1, "crewe": 2}, cluster="family", strata="site", seed=8
    )
    trial = design.assign(rows)
    arms, weight = redrawn(trial, 100, 17)
    assert weight is None
    for model in (cw.gee, cw.mixed):
        fit = model(FORMULA, rows, design=trial)
        assert "site" in fit.formula or "stratum" in fit.formula
        audit = fit.audit(trial, 100, seed=17)
        fits = _refits(model, fit.formula, rows.assign(stratum=rows.site), trial, arms)
        for row in audit.procedures[:2]:
            p = _p(fits, row.procedure)
            assert row.size == rejects(p).mean(), row.procedure
            assert row.coverage == (~rejects(p)).mean(), row.procedure
            assert row.size_low < row.size_high


@pytest.mark.parametrize(
    ("model", "kinds"), [(cw.gee, ["KC", "MD"]), (cw.mixed, ["kenward-roger", "satterthwaite"])]
)
def test_power_and_coverage_are_those_of_outcomes_with_the_effect_added(
    model: Any, kinds: list[str]
) -> None:
    effect = 1.5
    audit = model(FORMULA, ROWS, design=TRIAL).audit(TRIAL, effect=effect, procedures=kinds)
    arms, _ = redrawn(TRIAL, 10_000, 3)
    fits = _refits(model, FORMULA, ROWS, TRIAL, arms, effect)
    for kind in kinds:
        lines = [_under(fit, kind) for fit in fits]
        assert audit[kind].power == rejects(np.array([line.p_value for line in lines])).mean()
        held = [line.conf_low <= effect <= line.conf_high for line in lines]
        assert audit[kind].coverage == np.mean(held)
        assert audit[kind].power > audit[kind].size


def test_what_applies_is_audited_with_the_fits_own_covariance_first() -> None:
    rate = "closed ~ arm"
    beside = ["cluster_level", "randomisation_test"]
    wanted = [
        (cw.gee(FORMULA, ROWS, design=TRIAL), ["KC", "MD"]),
        (cw.gee(FORMULA, ROWS, design=TRIAL, vcov="FG"), ["FG", "KC", "MD"]),
        (binomial(rate, ROWS, design=TRIAL), ["KC", "MD"]),
        (cw.mixed(FORMULA, ROWS, design=TRIAL), ["kenward-roger", "satterthwaite"]),
        (firth(rate, ROWS, design=TRIAL, vcov="CR1"), ["CR1"]),
        (firth(rate, ROWS, design=TRIAL), ["CR1"]),
    ]
    for fit, kinds in wanted:
        audit = fit.audit(TRIAL)
        assert [row.procedure for row in audit.procedures] == [*kinds, *beside]
        left_out = any("fits the model again without each cluster" in note for note in audit.notes)
        assert left_out == (fit.vcov_name == "CV3"), "refits are left out, and that is said"
    assert fit.vcov_name == "CV3"
    named = fit.audit(TRIAL, procedures=["CV3", "CR1"])
    assert not any("is left out" in note for note in named.notes)
    assert "CV3 (this fit)" in str(named)


def test_the_other_rows_are_those_of_the_model_that_takes_rows_as_independent() -> None:
    linear = cw.ols(FORMULA, ROWS, design=TRIAL).audit(TRIAL, effect=1.0)
    rate = cw.logit("closed ~ arm", ROWS, design=TRIAL).audit(TRIAL, effect=0.3)
    same = [
        (cw.gee(FORMULA, ROWS, design=TRIAL), 1.0, linear, "linear model"),
        (cw.mixed(FORMULA, ROWS, design=TRIAL), 1.0, linear, "linear model"),
        (binomial("closed ~ arm", ROWS, design=TRIAL), 0.3, rate, "logit"),
        (firth("closed ~ arm", ROWS, design=TRIAL), 0.3, rate, "logit"),
    ]
    for fit, effect, other, called in same:
        audit = fit.audit(TRIAL, effect=effect)
        for name in ("cluster_level", "randomisation_test"):
            assert repr(audit[name]) == repr(other[name])
        assert any(f"score of the arm in the {called} of the same" in note for note in audit.notes)


BY_NAME = {
    "linear": (cw.ols, FORMULA, {"gee": (cw.gee, "MD"), "mixed": (cw.mixed, "kenward-roger")}),
    "linear of a rate": (
        cw.ols,
        "closed ~ arm + x",
        {"firth": (firth, "CR1"), "gee": (cw.gee, "MD"), "mixed": (cw.mixed, "kenward-roger")},
    ),
    "logit": (cw.logit, "closed ~ arm", {"firth": (firth, "CR1"), "gee": (binomial, "KC")}),
    "probit": (cw.probit, "closed ~ arm", {"firth": (firth, "CR1"), "gee": (binomial, "KC")}),
    "penalty": (firth, "closed ~ arm", {"gee": (binomial, "KC")}),
    "equations": (cw.gee, FORMULA, {"mixed": (cw.mixed, "kenward-roger")}),
    "independent equations": (independent, FORMULA, {"gee": (cw.gee, "MD")}),
    "equations of a rate": (binomial, "closed ~ arm", {"firth": (firth, "CR1")}),
}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_model_that_is_named_fares_as_in_its_own_audit(name: str) -> None:
    model, formula, others = BY_NAME[name]
    effect = 0.3 if formula.startswith("closed") else 1.0
    fit = model(formula, ROWS, design=TRIAL)
    audit = fit.audit(TRIAL, effect=effect, procedures=[fit.vcov_name, *others])
    assert [row.procedure for row in audit.procedures] == [fit.vcov_name, *others]
    for called, (other, kind) in others.items():
        own = other(formula, ROWS, design=TRIAL).audit(TRIAL, effect=effect, procedures=kind)
        for value in ("size", "size_low", "power", "coverage", "no_answer"):
            found, wanted = getattr(audit[called], value), getattr(own[kind], value)
            assert found == wanted or (np.isnan(found) and np.isnan(wanted)), (called, value)
    said = " ".join(audit.methods())
    assert "Fitted in its place, to the same columns and clusters" in said
    assert ("Firth's penalty (CR1)" in said) == ("firth" in others)


def test_separated_redraws_have_no_answer_but_under_the_penalty() -> None:
    rows = pd.DataFrame({"family": np.repeat(np.arange(8), 2), "closed": [0, 1] * 3 + [0, 0] * 5})
    trial = DESIGN.assign(rows)
    arms, weight = redrawn(trial, 10_000, 3)
    assert len(arms) == 70 and weight is not None
    # All three families with the outcome are in one arm: 2 of the 70 choices times the 5 others.
    fit = binomial("closed ~ arm", rows, design=trial)
    audit = fit.audit(trial, procedures=["KC", "firth"])
    p = _p(_refits(binomial, "closed ~ arm", rows, trial, arms), "KC")
    assert audit["KC"].no_answer == np.isnan(p).mean() >= 10 / 70
    assert audit["KC"].size == rejects(p).mean()
    assert audit["firth"].no_answer == 0.0
    assert audit["firth"].size == rejects(
        _p(_refits(firth, "closed ~ arm", rows, trial, arms), "CR1")
    ).mean()  # fmt: skip


def test_a_score_without_an_answer_leaves_out_the_randomisation_test_alone() -> None:
    # Nobody of a group has the outcome: the score of the others is what it is, and is tested.
    rows = ROWS.assign(nobody=((ROWS.closed == 0) & (ROWS.family % 2 == 0)).astype(int))
    fit = firth("closed ~ arm + nobody", rows, design=TRIAL, vcov="CR1")
    assert fit.separated and fit.audit(TRIAL)["randomisation_test"].size > 0
    # A covariate that decides the outcome leaves no score.
    fit = firth("closed ~ arm + score", ROWS, design=TRIAL, vcov="CR1")
    assert fit.separated
    audit = fit.audit(TRIAL)
    assert [row.procedure for row in audit.procedures] == ["CR1", "cluster_level"]
    assert any(note.startswith("randomisation_test is left out: ") for note in audit.notes)
    with pytest.raises(cw.InputError, match="randomisation_test: no answer on the trial itself"):
        fit.audit(TRIAL, procedures="randomisation_test")


def test_individuals_under_the_penalty_are_audited_without_its_profile() -> None:
    rows = rows_of(12, 3).groupby("family", as_index=False).first()
    design = cw.Design("T", arms={"control": 1, "crewe": 1}, unit="family", seed=2)
    trial = design.assign(rows)
    fit = firth("closed ~ arm", rows, design=trial)
    audit = fit.audit(trial)
    assert [row.procedure for row in audit.procedures] == ["HC1", "randomisation_test"]
    assert any("the profile likelihood" in note for note in audit.notes)
    arms, _ = redrawn(trial, 10_000, 2)
    p = []
    for drawn in arms:
        frame = with_arm(rows, trial, drawn)
        p.append(_under(firth("closed ~ arm", frame, vcov="HC1"), "HC1").p_value)
    assert audit["HC1"].size == rejects(np.array(p)).mean()


def test_it_is_the_same_to_the_bit_whoever_works() -> None:
    rows = rows_of(24, 5)
    trial = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=8).assign(rows)
    fit = cw.logit("closed ~ arm + x", rows, design=trial)
    asked: dict[str, Any] = {"effect": 0.2, "seed": 4, "procedures": ["CR2", "firth", "gee"]}
    alone = fit.audit(trial, 300, **asked)
    with ThreadPoolExecutor(2) as threads:
        shared = fit.audit(trial, 300, **asked, executor=threads)
    pd.testing.assert_frame_equal(alone.tidy(), shared.tidy(), check_exact=True)
    for model in (cw.gee, cw.mixed):
        other = model("score ~ arm + x", rows, design=trial)
        alone = other.audit(trial, 300, effect=0.2, seed=4)
        with ThreadPoolExecutor(2) as threads:
            shared = other.audit(trial, 300, effect=0.2, seed=4, executor=threads)
        pd.testing.assert_frame_equal(alone.tidy(), shared.tidy(), check_exact=True)
        again = pickle.loads(pickle.dumps(shared))
        pd.testing.assert_frame_equal(alone.tidy(), again.tidy(), check_exact=True)


def test_several_arms_are_audited_one_comparison_at_a_time() -> None:
    rows = rows_of(9, 3)
    design = cw.Design("T", arms={"a": 1, "b": 1, "c": 1}, cluster="family", seed=8)
    trial = design.assign(rows)
    fit = cw.gee("score ~ arm", rows, design=trial)
    audit = fit.audit(trial, 60, of="c", procedures=["KC", "mixed"], seed=1)
    arms, _ = redrawn(trial, 60, 1)
    for name, kind, model in (("KC", "KC", cw.gee), ("mixed", "kenward-roger", cw.mixed)):
        fits = _refits(model, "score ~ arm", rows, trial, arms)
        p = np.array([float(fit.vcov(kind).p_value["arm[T.c]"]) for fit in fits])
        assert audit[name].size == rejects(p).mean(), name


RATE = "closed ~ arm"
REFUSED = {
    "bootstrap of a penalty": (lambda: firth(RATE, ROWS, design=TRIAL), "wild_bootstrap", "penalty is no sum"),
    "bootstrap of equations": (
        lambda: cw.gee(FORMULA, ROWS, design=TRIAL), "wild_bootstrap", "correlation would have to be estimated again",
    ),
    "bootstrap of variances": (
        lambda: cw.mixed(FORMULA, ROWS, design=TRIAL), "wild_bootstrap", "variances would have to be estimated again",
    ),
    "penalty of a quantity": (lambda: cw.ols(FORMULA, ROWS, design=TRIAL), "firth", "the outcome is a quantity"),
    "mixed beside a logit": (lambda: cw.logit(RATE, ROWS, design=TRIAL), "mixed", "the mixed model is linear"),
    "mixed beside a penalty": (lambda: firth(RATE, ROWS, design=TRIAL), "mixed", "the mixed model is linear"),
    "the same penalty": (lambda: firth(RATE, ROWS, design=TRIAL), "firth", "it is the model of this fit"),
    "the same equations": (lambda: cw.gee(FORMULA, ROWS, design=TRIAL), "gee", "it is the model of this fit"),
    "the same variances": (lambda: cw.mixed(FORMULA, ROWS, design=TRIAL), "mixed", "it is the model of this fit"),
    "times": (
        lambda: cw.coxph("Surv(days, event) ~ arm", ROWS, design=TRIAL), ["CR3", "gee"], "the outcomes are times",
    ),
    "weights": (
        lambda: cw.ols(FORMULA, ROWS.assign(w=1.5), design=TRIAL, weights="w"), "mixed", "weights of rows",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_apply_is_refused_in_words(name: str) -> None:
    fit, procedures, said = REFUSED[name]
    with pytest.raises(cw.InputError, match=f"does not apply: .*{said}"):
        fit().audit(TRIAL, procedures=procedures)


def test_a_covariance_of_another_model_is_refused_with_its_reason() -> None:
    wrong = [
        (firth(RATE, ROWS, design=TRIAL), "CR2"),
        (cw.gee(FORMULA, ROWS, design=TRIAL), "CV3"),
        (cw.gee(FORMULA, ROWS, design=TRIAL), "kenward-roger"),
        (cw.mixed(FORMULA, ROWS, design=TRIAL), "KC"),
    ]
    for fit, kind in wrong:
        with pytest.raises(cw.InputError, match=f"{kind}: no answer on the trial itself"):
            fit.audit(TRIAL, procedures=kind)


def test_individuals_have_no_models_of_clusters() -> None:
    rows = rows_of(12, 3).groupby("family", as_index=False).first()
    trial = cw.Design("T", arms={"control": 1, "crewe": 1}, unit="family", seed=2).assign(rows)
    for name in ("gee", "mixed", "firth"):
        with pytest.raises(cw.InputError, match=f"'{name}' does not apply: the fit has no cluster"):
            cw.ols("closed ~ arm", rows, design=trial).audit(trial, procedures=name)


def test_a_cluster_level_analysis_points_to_the_fit_that_holds_it() -> None:
    fit = cw.cluster_level(FORMULA, ROWS, design=TRIAL)
    with pytest.raises(
        cw.InputError, match=r"cw.ols fit of the same formula.*cluster-level analysis"
    ):
        fit.audit(TRIAL)

"""The audit of inference: against brute force, a loop of refits, to the last count."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe import _core
from crewe.resampling import SizeAudit
from redrawn_trials import few as _few
from redrawn_trials import redrawn as _redrawn
from redrawn_trials import rejects as _rejects
from redrawn_trials import rows_of as _rows
from redrawn_trials import with_arm as _with_arm

ROOT = Path(__file__).resolve().parents[2]
ALPHA = 0.05
FORMULA = "score ~ arm + x + z"


ROWS = _rows(9, 2)
DESIGN = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family", seed=3)
TRIAL = DESIGN.assign(ROWS)


def _term(fit: Any, arm: str = "crewe") -> float:
    return float(fit.p_value[f"arm[T.{arm}]"])


def _p(frame: pd.DataFrame, formula: str, procedure: str, seed: int, model: Any = cw.ols) -> float:
    """The p-value that a refit gives; NaN where it gives none."""
    try:
        if procedure == "cluster_level":
            return _term(cw.cluster_level(formula, frame, cluster="family"))
        fit = model(formula, frame, cluster="family")
        if procedure == "wild_bootstrap":
            found = cw.wild_bootstrap(fit, "arm[T.crewe]", 399, seed, interval=False)
            return float(found.p_value)
        return _term(fit.vcov(procedure))
    except cw.CreweError:
        return np.nan


def _loop(
    rows: pd.DataFrame,
    trial: cw.Assignment,
    arms: np.ndarray,
    formula: str,
    procedure: str,
    seed: int,
    model: Any = cw.ols,
) -> np.ndarray:
    """The p-values of all redraws, one refit after the other."""
    found = []
    for i, drawn in enumerate(arms):
        frame = _with_arm(rows, trial, drawn)
        few = _few(frame, trial.arms)
        found.append(np.nan if few else _p(frame, formula, procedure, seed + i, model))
    return np.array(found)


CLUSTERED = ("CR1", "CR2", "CR3", "CR1S", "wild_bootstrap", "cluster_level")


@pytest.mark.parametrize("formula", [FORMULA, "score ~ arm", "score ~ arm + C(site)"])
def test_listed_size_is_that_of_a_loop_of_refits(formula: str) -> None:
    fit = cw.ols(formula, ROWS, design=TRIAL)
    audit = fit.audit(TRIAL, procedures=CLUSTERED)
    arms, weight = _redrawn(TRIAL, 10_000, 3)
    assert audit.exact and audit.redraws == len(arms) and weight is not None
    for name in CLUSTERED:
        p = _loop(ROWS, TRIAL, arms, formula, name, audit.seed)
        row = audit[name]
        assert row.size == (weight * _rejects(p)).sum() / weight.sum(), name
        assert row.size_low == row.size == row.size_high
        assert row.no_answer == (weight * np.isnan(p)).sum() / weight.sum(), name
    assert audit["CR1"].size > ALPHA  # nine families are few


def test_drawn_size_is_that_of_a_loop_of_refits() -> None:
    rows = _rows(24, 5)
    design = cw.Design(
        "T", arms={"control": 1, "crewe": 2}, cluster="family", strata="site", seed=8
    )
    trial = design.assign(rows)
    fit = cw.ols(FORMULA, rows, design=trial)
    audit = fit.audit(trial, 150, seed=17)
    assert not audit.exact and audit.redraws == 150 and audit.seed == 17
    arms, weight = _redrawn(trial, 150, 17)
    assert weight is None
    # The terms of the strata are in the model that is fitted again.
    formula = fit.formula
    assert "site" in formula or "stratum" in formula
    rows = rows.assign(stratum=rows.site)
    assert [row.procedure for row in audit.procedures] == [
        "CR1",
        "CR2",
        "CR3",
        "wild_bootstrap",
        "cluster_level",
        "randomisation_test",
    ]
    for name in ("CR1", "CR2", "CR3", "wild_bootstrap", "cluster_level"):
        p = _loop(rows, trial, arms, formula, name, 17)
        row = audit[name]
        assert row.size == _rejects(p).mean(), name
        assert row.size_low < row.size < row.size_high or row.size == 0
        assert row.no_answer == np.isnan(p).mean()
        assert row.coverage == (~_rejects(p)).mean(), name
    assert audit["randomisation_test"].size <= ALPHA


def test_assignments_of_unequal_chances_are_weighted_and_empty_arms_have_no_answer() -> None:
    rows = _rows(7, 4)
    design = cw.Design(
        "T", arms={"control": 1, "crewe": 2}, cluster="family", method=cw.Simple(), seed=3
    )
    trial = design.assign(rows)
    fit = cw.ols("score ~ arm", rows, design=trial)
    audit = fit.audit(trial)
    arms, weight = _redrawn(trial, 10_000, 3)
    assert audit.exact and weight is not None and len(arms) == 2**7
    assert not np.allclose(weight, weight[0])
    for name in ("CR1", "CR2", "cluster_level"):
        p = _loop(rows, trial, arms, "score ~ arm", name, 0)
        assert np.isclose(audit[name].size, (weight * _rejects(p)).sum() / weight.sum(), rtol=1e-12)
        missing = (weight * np.isnan(p)).sum() / weight.sum()
        assert missing > 0 and np.isclose(audit[name].no_answer, missing, rtol=1e-12)


def test_the_randomisation_tests_row_is_its_attainable_level() -> None:
    fit = cw.ols(FORMULA, ROWS, design=TRIAL)
    arms, _ = _redrawn(TRIAL, 10_000, 3)
    p = []
    for drawn in arms:
        frame = _with_arm(ROWS, TRIAL, drawn)
        # Permuting within one stratum is what complete randomisation draws: but for the odd family.
        seen = DESIGN.observe(frame, arm="arm")
        refit = cw.ols(FORMULA, frame, design=seen)
        test = cw.randomisation_test(refit, design=seen, interval=False)
        p.append((test.statistic, (drawn == 1).sum()))
    # Nine families: 4 or 5 are treated, and the design gives both.
    statistic = np.array([found for found, _ in p])
    near = 1e-9 * np.maximum(np.abs(statistic), statistic.std())
    tails = [
        min((statistic <= t + d).mean(), (statistic >= t - d).mean())
        for t, d in zip(statistic, near, strict=True)
    ]
    size = (2 * np.array(tails) <= ALPHA * (1 + 1e-9)).mean()
    assert fit.audit(TRIAL)["randomisation_test"].size == pytest.approx(size, abs=1e-15)


@pytest.mark.parametrize("formula", ["score ~ arm", FORMULA])
def test_power_and_coverage_are_those_of_outcomes_with_the_effect_added(formula: str) -> None:
    fit = cw.ols(formula, ROWS, design=TRIAL)
    effect = 1.5
    audit = fit.audit(TRIAL, effect=effect)
    arms, _ = _redrawn(TRIAL, 10_000, 3)
    power: dict[str, list[float]] = {name: [] for name in ("CR1", "CR2", "CR3", "cluster_level")}
    wild, held = [], {name: [] for name in power}
    for i, drawn in enumerate(arms):
        frame = _with_arm(ROWS, TRIAL, drawn)
        frame["score"] = frame.score + effect * (frame.arm == "crewe")
        fits = {
            name: cw.ols(formula, frame, cluster="family", vcov=name) for name in list(power)[:3]
        }
        fits["cluster_level"] = cw.cluster_level(formula, frame, cluster="family")
        for name, refit in fits.items():
            table = refit.tidy().set_index("term").loc["arm[T.crewe]"]
            power[name].append(table.p_value)
            held[name].append(table.conf_low <= effect <= table.conf_high)
        wild.append(_p(frame, formula, "wild_bootstrap", audit.seed + i))
    for name in power:
        assert audit[name].power == _rejects(np.array(power[name])).mean(), name
        assert audit[name].coverage == np.mean(held[name]), name
    assert audit["wild_bootstrap"].power == _rejects(np.array(wild)).mean()
    assert audit["CR2"].power > audit["CR2"].size
    drawn = audit["randomisation_test"]
    assert drawn.coverage == 1 - drawn.size and drawn.power > drawn.size


@pytest.mark.parametrize("outcome", ["score", "closed"])
def test_power_of_the_randomisation_test_is_that_of_tests_of_outcomes_with_the_effect(
    outcome: str,
) -> None:
    rows = ROWS[ROWS.family < 8]
    trial = DESIGN.assign(rows)
    fit = cw.ols(f"{outcome} ~ arm + x", rows, design=trial)
    effect = 1.2 if outcome == "score" else 0.5
    audit = fit.audit(trial, effect=effect, procedures="randomisation_test")
    arms, weight = _redrawn(trial, 10_000, 3)
    assert audit.exact and len(arms) == 70 and weight is not None
    found = []
    for drawn in arms:
        frame = _with_arm(rows, trial, drawn)
        treated = frame.arm == "crewe"
        frame["arm"] = frame.arm.astype(str)
        if outcome == "score":
            frame["score"] = frame.score + effect * treated
        else:
            # At random; so the rate alone can be told here, and the power of many such trials.
            zeros = frame.index[treated & (frame.closed == 0)]
            wanted = int(np.ceil(effect * treated.sum() - 1e-9))
            frame.loc[zeros[: min(wanted, len(zeros))], "closed"] = 1
        seen = DESIGN.observe(frame, arm="arm")
        refit = cw.ols(f"{outcome} ~ arm + x", frame, design=seen)
        found.append(cw.randomisation_test(refit, design=seen, interval=False).p_value)
    power = _rejects(np.array(found)).mean()
    if outcome == "score":
        assert audit["randomisation_test"].power == power
    else:
        assert abs(audit["randomisation_test"].power - power) < 0.15
    assert audit["randomisation_test"].power > audit["randomisation_test"].size


def test_the_randomisation_tests_interval_holds_the_effect_where_the_test_without_it_does_not_reject() -> (
    None
):
    effect, held = 1.5, []
    for drawn in _redrawn(TRIAL, 10_000, 3)[0][::9]:
        frame = _with_arm(ROWS, TRIAL, drawn)
        seen = DESIGN.observe(frame.assign(arm=frame.arm.astype(str)), arm="arm")
        with_it = frame.assign(score=frame.score + effect * (frame.arm == "crewe"))
        fits = [cw.ols("score ~ arm + x", rows, design=seen) for rows in (frame, with_it)]
        none, some = (cw.randomisation_test(fit, design=seen, level=0.9) for fit in fits)
        assert some.conf_int is not None
        held.append(some.conf_int[0] <= effect <= some.conf_int[1])
        assert held[-1] == (none.p_value > 0.1)
    assert not all(held)


def test_ten_families_over_reject_as_the_evidence_page_knows() -> None:
    """Exact audits of trials like those of the page reject as often as its simulations, which draw outcomes anew."""
    page = json.loads((ROOT / "docs" / "evidence" / "linear.json").read_text("utf-8"))
    known = {"ICC": "0.36", "allocation": "1:1", "families": "10", "outcome": "normal"}
    cell = next(one for one in page["cells"] if one["cell"] == known)
    simulated = {
        one["name"].split(",")[0]: one["all"]["rejected"] / one["all"]["answered"]
        for one in cell["procedures"]
    }
    design = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=5)
    sizes: dict[str, list[float]] = {"CR1": [], "CR2": [], "CR1S": []}
    for seed in range(1, 41):
        rng = np.random.default_rng(seed)
        family = np.repeat(np.arange(10), rng.integers(1, 6, 10))
        rows = pd.DataFrame({"family": family, "history": rng.integers(0, 2, 10)[family]})
        rows["age"] = rng.normal(size=len(rows))
        own = 0.6 * rng.normal(size=10)[family] + 0.8 * rng.normal(size=len(rows))
        rows["score"] = 0.5 * rows.history + 0.3 * rows.age + own
        if rows.history.nunique() == 1:
            continue
        trial = design.assign(rows)
        audit = cw.ols("score ~ arm + history + age", rows, design=trial).audit(
            trial, procedures=[*sizes, "randomisation_test"]
        )
        assert audit.exact and audit["randomisation_test"].size <= ALPHA
        for name, found in sizes.items():
            found.append(audit[name].size)
    for name, found in sizes.items():
        error = np.std(found) / np.sqrt(len(found))
        assert abs(np.mean(found) - simulated[name]) < 4 * error, name
    assert np.mean(sizes["CR1"]) > 0.12 > 0.08 > np.mean(sizes["CR2"])


def test_it_is_the_same_to_the_bit_whoever_works() -> None:
    rows = _rows(24, 5)
    design = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=8)
    trial = design.assign(rows)
    fit = cw.ols("score ~ arm + x", rows, design=trial)
    alone = fit.audit(trial, 400, effect=0.5, seed=4)
    with ThreadPoolExecutor(2) as threads:
        shared = fit.audit(trial, 400, effect=0.5, seed=4, executor=threads)
    pd.testing.assert_frame_equal(alone.tidy(), shared.tidy(), check_exact=True)
    again = pickle.loads(pickle.dumps(alone))
    assert isinstance(again, SizeAudit)
    pd.testing.assert_frame_equal(alone.tidy(), again.tidy(), check_exact=True)


def test_yes_or_no_outcomes_have_power_and_no_coverage() -> None:
    rows = _rows(30, 9)
    design = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=8)
    trial = design.assign(rows)
    fit = cw.ols("closed ~ arm", rows, design=trial)
    small = fit.audit(trial, 300, effect=0.1, procedures=["CR2", "cluster_level"], seed=1)
    large = fit.audit(trial, 300, effect=0.45, procedures=["CR2", "cluster_level"], seed=1)
    for name in ("CR2", "cluster_level"):
        assert small[name].size == large[name].size
        assert small[name].power < large[name].power
        assert np.isnan(small[name].coverage)
    assert "moved at random until its rate has risen by 10.0 points" in " ".join(small.methods())


@pytest.mark.parametrize("model", [cw.logit, cw.probit])
def test_families_are_refitted_and_separated_refits_have_no_answer(model: Any) -> None:
    rows = _rows(9, 6)
    # Families agree, so that some redraws separate them.
    rows["closed"] = (rows.family % 3 == 0).astype(int)
    rows.loc[rows.groupby("family").head(1).index[:4], "closed"] ^= 1
    trial = DESIGN.assign(rows)
    fit = model("closed ~ arm", rows, design=trial)
    audit = fit.audit(trial, seed=6)
    arms, weight = _redrawn(trial, 10_000, 6)
    assert audit.exact and weight is not None
    names = [row.procedure for row in audit.procedures]
    assert names == ["CR1", "CR2", "CV3L", "wild_bootstrap", "cluster_level", "randomisation_test"]
    for name in names[:-1]:
        p = _loop(rows, trial, arms, "closed ~ arm", name, 6, model)
        assert audit[name].size == _rejects(p).mean(), name
        assert audit[name].no_answer == np.isnan(p).mean(), name
        assert np.isnan(audit[name].coverage)


def test_a_separated_redraw_is_no_rejection() -> None:
    rows = pd.DataFrame({"family": np.repeat(np.arange(8), 2), "closed": [0, 1] * 3 + [0, 0] * 5})
    trial = DESIGN.assign(rows)
    arm = _with_arm(rows, trial, trial._arm)
    if arm.groupby("arm", observed=True).closed.sum().min() == 0:
        pytest.skip("the trial itself is separated")
    audit = cw.logit("closed ~ arm", rows, design=trial).audit(trial, procedures=["CR1", "CR2"])
    # All three families with the outcome in one arm: 2 of the 70 choices times the 5 others.
    assert audit["CR1"].no_answer == pytest.approx(10 / 70)
    assert audit["CR1"].size + audit["CR1"].no_answer <= 1


def test_power_of_a_logit_is_that_of_moved_outcomes() -> None:
    rows = _rows(30, 9)
    design = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=8)
    trial = design.assign(rows)
    fit = cw.logit("closed ~ arm", rows, design=trial)
    audit = fit.audit(trial, 200, effect=0.3, procedures=["CR1", "CR2"], seed=2)
    linear = cw.ols("closed ~ arm", rows, design=trial).audit(
        trial, 200, effect=0.3, procedures=["CR1", "CR2"], seed=2
    )
    # The same rows are moved, and a logit of two groups rejects much as their difference does.
    assert audit["CR1"].power > 2 * audit["CR1"].size
    assert abs(audit["CR1"].power - linear["CR1"].power) < 0.1


def test_times_are_audited_for_size() -> None:
    rows = _rows(9, 6)
    trial = DESIGN.assign(rows)
    formula = "Surv(days, event) ~ arm + x"
    fit = cw.coxph(formula, rows, design=trial)
    audit = fit.audit(trial, seed=6)
    assert [row.procedure for row in audit.procedures] == ["CR1", "CR3", "randomisation_test"]
    arms, weight = _redrawn(trial, 10_000, 6)
    assert audit.exact and weight is not None
    for name in ("CR1", "CR3"):
        p = _loop(rows, trial, arms, formula, name, 6, cw.coxph)
        assert audit[name].size == _rejects(p).mean(), name
        assert audit[name].no_answer == np.isnan(p).mean(), name
        assert np.isnan(audit[name].power) and np.isnan(audit[name].coverage)
    assert audit["randomisation_test"].size <= ALPHA
    with pytest.raises(cw.InputError, match="no power of times"):
        fit.audit(trial, effect=1.0)
    with pytest.raises(cw.InputError, match="does not apply: the likelihood of a Cox model"):
        fit.audit(trial, procedures="wild_bootstrap")


def test_individuals_have_no_clusters_to_bootstrap() -> None:
    rows = _rows(12, 3).groupby("family", as_index=False).first()
    design = cw.Design("T", arms={"control": 1, "crewe": 1}, unit="family", seed=2)
    trial = design.assign(rows)
    fit = cw.ols("score ~ arm + x", rows, design=trial)
    audit = fit.audit(trial)
    assert [row.procedure for row in audit.procedures] == [
        "HC1",
        "HC2",
        "HC3",
        "randomisation_test",
    ]
    arms, _ = _redrawn(trial, 10_000, 2)
    for name in ("HC1", "HC2", "HC3"):
        p = []
        for drawn in arms:
            frame = _with_arm(rows, trial, drawn)
            p.append(_term(cw.ols("score ~ arm + x", frame, vcov=name)))
        assert audit[name].size == _rejects(np.array(p)).mean(), name
    with pytest.raises(cw.InputError, match="no clusters"):
        fit.audit(trial, procedures="CR2")


def test_observed_trials_permute_and_say_so() -> None:
    frame = _with_arm(ROWS, TRIAL, TRIAL._arm).assign(arm=lambda rows: rows.arm.astype(str))
    seen = DESIGN.observe(frame, arm="arm")
    audit = cw.ols("score ~ arm", frame, design=seen).audit(seen, seed=1)
    # Nine families, four of them in one arm.
    assert audit.exact and audit.redraws == 126
    assert any("randomised elsewhere" in note for note in audit.notes)


def test_a_ledger_is_redrawn_with_those_who_came_while_an_arm_was_full(tmp_path: Path) -> None:
    design = cw.Design(
        "Rolling", arms={"a": 1, "b": 1}, cluster="family", method=cw.Blocks(sizes=[4]),
        seed=cw.Key(bytes(range(32))),
    )  # fmt: skip
    ledger = cw.Ledger.create(
        tmp_path / "t.ledger", design, overflow="draw-first", at="2026-01-01T00:00:00Z"
    )
    for number in range(12):
        at = f"2026-01-{number + 2:02}T00:00:00Z"
        if number in (4, 6):
            ledger.capacity("b", full=number == 4, at=at, by="the team")
        ledger.enrol(f"F{number}", [f"c{number}"], approved_by="council", at=at)
    rows = pd.DataFrame({"family": [f"F{i}" for i in range(12) if i not in (4, 5)]})
    rows["score"] = np.random.default_rng(3).normal(size=10)
    with pytest.raises(cw.DesignError, match="not closed"):
        cw.ols("score ~ x", rows.assign(x=rows.score**2), cluster="family").audit(ledger)
    ledger.close(by="the team", at="2026-02-01T00:00:00Z")
    audit = cw.ols("score ~ arm", rows, design=ledger).audit(ledger, seed=1)
    everybody = ledger._assigned(everybody=True)[0]
    arms, weight = _redrawn(everybody, 10_000, 1)
    assert audit.exact and len(arms) == 6**3 and weight is not None
    for name in ("CR1", "CR2", "cluster_level"):
        p = []
        for drawn in arms:
            frame = _with_arm(rows, everybody, drawn)
            if _few(frame, everybody.arms):
                p.append(np.nan)
            elif name == "cluster_level":
                fit = cw.cluster_level("score ~ arm", frame, cluster="family")
                p.append(_term(fit, "b"))
            else:
                p.append(_term(cw.ols("score ~ arm", frame, cluster="family", vcov=name), "b"))
        assert audit[name].size == _rejects(np.array(p)).mean(), name
    assert any("an arm was full" in note for note in audit.notes)


def test_weights_go_along() -> None:
    rows = ROWS.assign(w=np.linspace(0.5, 2.0, len(ROWS)))
    fit = cw.ols("score ~ arm + x", rows, design=TRIAL, weights="w")
    audit = fit.audit(TRIAL)
    assert "cluster_level" not in [row.procedure for row in audit.procedures]
    arms, _ = _redrawn(TRIAL, 10_000, 3)
    for name in ("CR1", "CR2"):
        p = []
        for drawn in arms:
            frame = _with_arm(rows, TRIAL, drawn)
            p.append(
                _term(cw.ols("score ~ arm + x", frame, cluster="family", weights="w", vcov=name))
            )
        assert audit[name].size == _rejects(np.array(p)).mean(), name


def test_several_arms_are_audited_one_comparison_at_a_time() -> None:
    rows = _rows(9, 3)
    design = cw.Design("T", arms={"a": 1, "b": 1, "c": 1}, cluster="family", seed=8)
    trial = design.assign(rows)
    fit = cw.ols("score ~ arm + x", rows, design=trial)
    with pytest.raises(cw.InputError, match="several arms"):
        fit.audit(trial)
    with pytest.raises(cw.InputError, match="is no arm that is compared"):
        fit.audit(trial, of="a")
    audit = fit.audit(trial, of="c", procedures=["CR1", "cluster_level"])
    arms, weight = _redrawn(trial, 10_000, 8)
    assert audit.exact and len(arms) == 1680 and weight is not None
    p = []
    for drawn in arms[::7]:
        frame = _with_arm(rows, trial, drawn)
        p.append(_term(cw.ols("score ~ arm + x", frame, cluster="family", vcov="CR1"), "c"))
    part = _core.audit_found(_values(fit, trial, "c", arms[::7]), None, np.nan, _options(["CR1"]))
    assert part.size[0] == _rejects(np.array(p)).mean()


def _options(procedures: list[str]) -> _core.AuditOptions:
    return _core.AuditOptions(procedures, ALPHA, None, 399, 1)


def _values(fit: Any, trial: cw.Assignment, of: str, arms: np.ndarray) -> np.ndarray:
    from crewe.resampling._audit_model import audited

    read = audited(fit, trial, trial, None, of)
    return read.values(_options(["CR1"]), np.ascontiguousarray(arms), 0)


REFUSED = {
    "another assignment": (
        lambda: cw.ols("score ~ arm", ROWS, design=TRIAL).audit(
            cw.Design("U", arms={"control": 1, "crewe": 1}, cluster="family", seed=4).assign(ROWS)
        ),
        cw.DesignError,
        "another assignment",
    ),
    "other units": (
        lambda: cw.ols("score ~ arm", _with_arm(ROWS, TRIAL, TRIAL._arm), cluster="family").audit(
            DESIGN.assign(ROWS.assign(family=ROWS.family + 50))
        ),
        cw.DesignError,
        "were not randomised by this trial",
    ),
    "no arm": (
        lambda: cw.ols("score ~ x", ROWS, design=TRIAL).audit(TRIAL),
        cw.InputError,
        "no one column that is the arm",
    ),
    "products": (
        lambda: cw.ols("score ~ arm * x", ROWS, design=TRIAL).audit(TRIAL),
        cw.InputError,
        "would change with every draw",
    ),
    "few draws": (
        lambda: cw.ols("score ~ arm", ROWS, design=TRIAL).audit(TRIAL, 18),
        cw.InputError,
        "at least 19",
    ),
    "no draws": (
        lambda: cw.ols("score ~ arm", ROWS, design=TRIAL).audit(TRIAL, 0),
        cw.InputError,
        "number of draws",
    ),
    "few bootstrap draws": (
        lambda: cw.ols("score ~ arm", ROWS, design=TRIAL).audit(
            TRIAL, procedures="wild_bootstrap", bootstrap_draws=5
        ),
        cw.InputError,
        "too few for a test",
    ),
    "alpha": (
        lambda: cw.ols("score ~ arm", ROWS, design=TRIAL).audit(TRIAL, alpha=1.5),
        cw.InputError,
        "between 0 and 1",
    ),
    "no effect": (
        lambda: cw.ols("score ~ arm", ROWS, design=TRIAL).audit(TRIAL, effect=0.0),
        cw.InputError,
        "not 0",
    ),
    "all equal": (
        lambda: cw.ols("score ~ arm", ROWS.assign(score=2.0), design=TRIAL).audit(TRIAL),
        cw.InputError,
        "the same value in every row",
    ),
    "unknown": (
        lambda: cw.ols("score ~ arm", ROWS, design=TRIAL).audit(TRIAL, procedures="magic"),
        cw.InputError,
        "no procedure called 'magic'",
    ),
    "not a trial": (
        lambda: cw.ols("score ~ arm", ROWS, design=TRIAL).audit("trial"),  # type: ignore[arg-type]
        cw.DesignError,
        "draws an assignment again",
    ),
    "a key": (
        lambda: cw.ols("score ~ arm", ROWS, design=TRIAL).audit(TRIAL, seed=cw.new_key()),  # type: ignore[arg-type]
        cw.InputError,
        "nothing to conceal",
    ),
    "another model": (
        lambda: cw.cluster_level("score ~ arm", ROWS, design=TRIAL).audit(TRIAL),
        cw.InputError,
        "no audit of a Cluster-level analysis",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_audited_is_refused(name: str) -> None:
    call, kind, said = REFUSED[name]
    with pytest.raises(kind, match=said):
        call()


def test_one_family_in_an_arm_is_refused() -> None:
    rows = _rows(5, 2)
    design = cw.Design("T", arms={"control": 4, "crewe": 1}, cluster="family", seed=1)
    trial = design.assign(rows)
    fit = cw.ols("score ~ arm", _with_arm(rows, trial, trial._arm), cluster="family")
    with pytest.raises(cw.DesignError, match="arm 'crewe' has 1 of the clusters"):
        fit.audit(trial)


def test_nothing_is_certain_where_no_variance_is_left() -> None:
    # Families of one row each, two of them in every arm of a saturated model: no procedure may take 0 for certainty.
    rows = pd.DataFrame({"family": range(6), "score": [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]})
    trial = DESIGN.assign(rows)
    audit = cw.ols("score ~ arm", rows, design=trial).audit(trial)
    for row in audit.procedures:
        assert 0.0 <= row.size <= 1.0
        assert row.no_answer < 1.0
    assert audit["randomisation_test"].size == 0.0


def test_the_table_says_what_the_numbers_are() -> None:
    fit = cw.ols("score ~ arm", ROWS, design=TRIAL)
    audit = fit.audit(TRIAL, effect=1.0)
    text = str(audit)
    assert "sharp null hypothesis" in text and "does not replace" in " ".join(text.split())
    assert "CR2 (this fit)" in text
    assert list(audit.tidy().columns) == [
        "procedure",
        "size",
        "size_low",
        "size_high",
        "power",
        "coverage",
        "no_answer",
    ]
    assert audit.glance().loc[0, "redraws"] == audit.redraws
    ax = audit.plot()
    assert len(ax.get_yticklabels()) == 6


def test_a_report_prints_it_beside_its_fit() -> None:
    fit = cw.ols("score ~ arm", ROWS, design=TRIAL)
    audit = fit.audit(TRIAL, procedures=["CR1", "CR2"])
    report = cw.Report("A trial").add(fit, heading="Primary outcome").add(audit)
    page = report.add_text("Words.", heading="Secondary outcomes").html
    primary = page.index('id="primary-outcome"')
    assert (
        primary < page.index("Audit of size at 5%", primary) < page.index('id="secondary-outcomes"')
    )
    assert "does not replace the analysis that was declared before" in page

"""Wrong arguments are refused in crewe's words, whatever stands in their place, in every public function.

Each argument of a call that works is replaced in turn by values of every kind.
"""

from __future__ import annotations

import typing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crewe as cw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from crewe.frames import choices
from crewe.frames.arguments import checked

N = 24
ROWS = np.arange(N)
DATA = pd.DataFrame(
    {
        "y": ROWS % 5 + 0.5,
        "arm": np.resize(["control", "control", "crewe", "crewe"], N),
        "x": np.random.default_rng(3).random(N),
        "family": np.repeat(np.arange(N // 2), 2),
        "time": ROWS + 1.0,
        "event": np.resize([1, 0, 1, 1, 0], N),
        "h": np.resize(["p", "p", "p", "p", "q", "q"], N),
    }
)
UNITS = DATA.drop(columns="arm")
DESIGN = cw.Design("t", arms={"control": 1, "crewe": 1}, cluster="family", strata=["h"], seed=1)
DRAWN = DESIGN.assign(UNITS)
FIT = cw.ols("y ~ arm + x", DATA, cluster="family")
FIT_OF_THE_TRIAL = cw.ols("y ~ arm", DATA.assign(arm=DRAWN.frame["arm"].to_numpy()), design=DRAWN)
COX = cw.coxph("Surv(time, event) ~ arm", DATA)
CURVES = cw.kaplan_meier("Surv(time, event) ~ arm", DATA)
SURV = "Surv(time, event) ~ arm"
COSTS = cw.cost.project_crewe()
RATES = cw.compare_rates(events=(3, 5), totals=(45, 83), arms=("control", "crewe"))
PRICED = cw.cost.CostBenefit(
    [{"name": "a", "value": "1", "unit": "GBP", "price_year": "2015-16"}], {"b": "a"}
)
DRAWS = COSTS.psa(draws=200, seed=1)
DECISION = DRAWS.decision([0, 1e4])


def mean_y(frame: Any) -> float:
    """A statistic of the user's."""
    return float(frame["y"].mean())


Call = tuple[Callable[..., Any], dict[str, Any]]

CALLS: dict[str, Call] = {
    "ols": (
        cw.ols,
        {
            "formula": "y ~ arm",
            "data": DATA,
            "design": None,
            "cluster": "family",
            "vcov": "CR2",
            "by": None,
            "weights": None,
            "df": "default",
            "missing": "drop",
            "level": 0.95,
            "strata_terms": True,
        },
    ),
    "ols arrays": (
        cw.ols,
        {
            "formula": DATA["y"].to_numpy(),
            "data": DATA[["x"]].to_numpy(),
            "cluster": None,
            "names": ["x"],
            "intercept": True,
            "weights": None,
        },
    ),
    "logit": (
        cw.logit,
        {
            "formula": "event ~ arm",
            "data": DATA,
            "cluster": "family",
            "vcov": "CR2",
            "penalty": None,
            "level": 0.9,
        },
    ),
    "cluster_level": (
        cw.cluster_level,
        {
            "formula": "y ~ arm",
            "data": DATA,
            "design": None,
            "cluster": "family",
            "by": None,
            "vcov": "iid",
            "weight": "clusters",
            "missing": "drop",
            "level": 0.95,
            "strata_terms": True,
            "synthetic": False,
            "keep_data": False,
        },
    ),
    "gee": (
        cw.gee,
        {
            "formula": "y ~ arm",
            "data": DATA,
            "design": None,
            "cluster": "family",
            "by": None,
            "family": "gaussian",
            "corstr": "independence",
            "divisor": "n",
            "vcov": "KC",
            "df": "default",
            "missing": "drop",
            "level": 0.95,
            "strata_terms": True,
        },
    ),
    "mixed": (
        cw.mixed,
        {
            "formula": "y ~ arm",
            "data": DATA,
            "design": None,
            "cluster": "family",
            "by": None,
            "vcov": "kenward-roger",
            "df": "default",
            "missing": "drop",
            "level": 0.95,
            "strata_terms": True,
        },
    ),
    "diagnostics": (FIT.diagnostics, {"terms": ["x"]}),
    "coxph": (
        cw.coxph,
        {
            "formula": SURV,
            "data": DATA,
            "design": None,
            "cluster": None,
            "vcov": "iid",
            "ties": "efron",
            "strata": "h",
            "weights": None,
            "missing": "drop",
            "level": 0.95,
        },
    ),
    "kaplan_meier": (
        cw.kaplan_meier,
        {
            "formula": SURV,
            "data": DATA,
            "conf_type": "log-log",
            "level": 0.95,
            "weights": None,
            "design": None,
            "cluster": None,
            "by": None,
            "missing": "drop",
        },
    ),
    "rmst": (
        cw.rmst,
        {
            "formula": SURV,
            "data": DATA,
            "horizon": 3.0,
            "level": 0.95,
            "weights": None,
            "design": None,
            "cluster": None,
            "by": None,
            "missing": "drop",
        },
    ),
    "logrank": (
        cw.logrank,
        {
            "formula": SURV,
            "data": DATA,
            "strata": None,
            "design": None,
            "cluster": None,
            "by": None,
            "missing": "drop",
        },
    ),
    "mann_whitney": (
        cw.mann_whitney,
        {
            "formula": "y ~ arm",
            "data": DATA,
            "alternative": "two-sided",
            "by": None,
            "missing": "drop",
            "reference": None,
        },
    ),
    "permutation_test": (
        cw.permutation_test,
        {"formula": "y ~ arm", "data": DATA, "alternative": "two-sided", "reference": None},
    ),
    "compare_rates": (
        cw.compare_rates,
        {
            "formula": "event ~ arm",
            "data": DATA,
            "alternative": "two-sided",
            "exact": None,
            "level": 0.95,
            "reference": None,
            "by": None,
        },
    ),
    "compare_rates of counts": (
        cw.compare_rates,
        {"events": [3, 5], "totals": [10, 12], "arms": ["a", "b"], "level": 0.95},
    ),
    "icc": (
        cw.icc,
        {
            "formula": "event",
            "data": DATA,
            "cluster": "family",
            "method": "anova",
            "by": None,
            "missing": "drop",
            "level": 0.95,
        },
    ),
    "icc_convert": (cw.icc_convert, {"icc": 0.1, "rate": 0.2, "to": "observed"}),
    "describe": (
        cw.describe,
        {"formula": "y ~ arm", "data": DATA, "by": None, "level": 0.95, "reference": None},
    ),
    "crosstab": (
        cw.crosstab,
        {"formula": "y ~ arm", "data": DATA, "bins": [0, 2, 5], "order": None, "by": None},
    ),
    "compare_to_national": (
        cw.compare_to_national,
        {
            "observed": "h",
            "data": DATA,
            "national": {"p": 0.4, "q": 0.6},
            "n": None,
            "alternative": "two-sided",
            "draws": 99,
            "enumerate_up_to": 1000,
            "seed": 1,
            "level": 0.95,
        },
    ),
    "adjust": (cw.adjust, {"pvalues": [0.1, 0.2], "method": "holm"}),
    "Design": (
        cw.Design,
        {
            "name": "t",
            "arms": {"a": 1, "b": 1},
            "cluster": "family",
            "strata": ["h"],
            "method": cw.Complete(),
            "seed": 1,
        },
    ),
    "assign": (DESIGN.assign, {"frame": UNITS, "order": None, "keep_data": False}),
    "observe": (DESIGN.observe, {"frame": DRAWN.frame, "arm": "arm"}),
    "draws": (DESIGN.draws, {"frame": UNITS, "n": 3, "seed": 1}),
    "balance": (DRAWN.balance, {"covariates": ["x", "y"]}),
    "consort": (
        cw.consort,
        {
            "assignment": DRAWN,
            "excluded": None,
            "analysed": None,
            "assessed": None,
            "not_randomised": None,
            "member": None,
            "members": "children",
        },
    ),
    "randomisation_test": (
        cw.randomisation_test,
        {
            "statistic": "y ~ arm",
            "data": DATA.assign(arm=DRAWN.frame["arm"]),
            "design": DRAWN,
            "outcome": None,
            "draws": 19,
            "seed": 1,
            "alternative": "two-sided",
            "level": 0.95,
            "interval": True,
            "studentised": False,
            "weights": "auto",
            "compared": None,
        },
    ),
    "audit": (
        FIT_OF_THE_TRIAL.audit,
        {
            "assignment": DRAWN,
            "draws": 19,
            "effect": None,
            "of": None,
            "procedures": "CR2",
            "alpha": 0.1,
            "bootstrap_draws": 99,
            "seed": 1,
            "executor": None,
        },
    ),
    "wild_bootstrap": (
        cw.wild_bootstrap,
        {
            "fit": FIT,
            "term": "x",
            "draws": 99,
            "seed": 1,
            "value": 0.0,
            "kind": "11",
            "null": True,
            "weights": "webb",
            "p": "symmetric",
            "level": 0.9,
            "interval": True,
        },
    ),
    "pairs_bootstrap": (
        cw.pairs_bootstrap,
        {
            "data": DATA,
            "statistic": mean_y,
            "cluster": "family",
            "strata": "arm",
            "draws": 20,
            "seed": 1,
            "null": 0.0,
            "level": 0.9,
            "progress": False,
            "executor": None,
            "synthetic": False,
        },
    ),
    "power.binary": (
        cw.power.binary,
        {
            "baseline": 0.2,
            "icc": 0.1,
            "cluster_size": 3,
            "clusters": 100,
            "power": 0.8,
            "allocation": 0.5,
            "alpha": 0.05,
            "method": "arcsine",
            "direction": "rise",
        },
    ),
    "power.simulate": (
        cw.power.simulate,
        {
            "design": cw.Design("t", arms={"a": 1, "b": 1}, unit="id"),
            "units": cw.power.ClusterSizes(1, clusters=20),
            "outcome": cw.power.ContinuousOutcome(effect=0.5, icc=0),
            "analysis": "~ arm",
            "sims": 5,
            "seed": 1,
            "reference": "a",
            "size": True,
        },
    ),
    "power.mdes": (
        cw.power.mdes,
        {
            "design": cw.Design("t", arms={"a": 1, "b": 1}, unit="id"),
            "units": cw.power.ClusterSizes(1, clusters=20),
            "outcome": cw.power.ContinuousOutcome(icc=0),
            "analysis": "~ arm",
            "power": 0.8,
            "sims": 100,
            "seed": 1,
            "direction": "rise",
            "detect": "b",
        },
    ),
    "power.BinaryOutcome": (
        cw.power.BinaryOutcome,
        {"baseline": 0.2, "effect": 0.1, "icc": 0.1, "dropout": 0.1},
    ),
    "power.CustomOutcome": (
        cw.power.CustomOutcome,
        {"draw": print, "effect": 0.1, "times": False},
    ),
    "power.CustomAnalysis": (cw.power.CustomAnalysis, {"function": print, "alpha": 0.05}),
    "power.RandomisationTest": (
        cw.power.RandomisationTest,
        {
            "formula": "~ arm",
            "statistic": "difference_in_means",
            "draws": 99,
            "studentised": True,
            "alpha": 0.05,
            "strata_terms": True,
            "target": "all",
        },
    ),
    "power.MannWhitney": (
        cw.power.MannWhitney,
        {"exact": None, "correct": True, "alpha": 0.05, "target": "all"},
    ),
    "power.Rates": (
        cw.power.Rates,
        {"compare": "ratio", "vcov": "CR1", "alpha": 0.05, "target": "all"},
    ),
    "power.Arrivals": (
        cw.power.Arrivals,
        {
            "rate": 2.0,
            "weeks": 10,
            "clusters": 30,
            "sizes": 1,
            "strata": {"site": {"a": 1, "b": 2}},
            "capacity": {"b": 4},
            "every": 2.0,
            "overflow": "pause",
            "follow_up": 4.0,
        },
    ),
    "power.Subgroup": (
        cw.power.Subgroup,
        {"name": "meals", "effect": {"b": 0.1}, "share": 0.4, "level": "individual"},
    ),
    "table": (cw.table, {"fits": [FIT], "show": "std_error", "digits": 3}),
    "coefplot": (cw.coefplot, {"fits": [FIT], "level": None}),
    "Report.add": (
        lambda **given: cw.Report(given.pop("title")).add(**given),
        {"title": "x", "result": FIT, "heading": "h"},
    ),
    "Blocks": (cw.Blocks, {"sizes": [2, 4]}),
    "BigStick": (cw.BigStick, {"limit": 3}),
    "BiasedCoin": (cw.BiasedCoin, {"p": 0.7}),
    "Minimisation": (cw.Minimisation, {"factors": ["h"], "p": 0.8, "imbalance": "range"}),
    "Constrained": (cw.Constrained, {"on": ["x"], "draws": 100, "keep": 0.1}),
    "Rerandomised": (cw.Rerandomised, {"on": ["x"], "accept": 0.1}),
    "Complete": (cw.Complete, {"misfits": "strata"}),
    "survey.score": (
        cw.survey.score,
        {
            "frame": DATA,
            "items": ["event"],
            "reverse": (),
            "scale": (0, 1),
            "labels": None,
            "needed": 0.5,
            "name": "s",
        },
    ),
    "Surv": (cw.Surv, {"time": DATA["time"], "event": DATA["event"]}),
    "margins": (
        FIT.margins,
        {
            "term": "arm",
            "at": "means",
            "by": None,
            "values": None,
            "level": 0.95,
            "compare": "difference",
        },
    ),
    "contrast": (FIT.contrast, {"weights": {"x": 1}}),
    "test": (FIT.test, {"terms": ["x"]}),
    "predict": (FIT.predict, {"data": DATA, "kind": "response", "level": 0.95}),
    "confint": (FIT.confint, {"level": 0.95}),
    "tidy": (FIT.tidy, {"level": 0.95}),
    "vcov": (FIT.vcov, {"kind": "CR1", "df": "default"}),
    "adjusted_curves": (COX.adjusted_curves, {"term": "arm", "times": None}),
    "plot of curves": (CURVES.plot, {"step": 10, "labels": None}),
    "Framework.from_toml": (cw.risk.Framework.from_toml, {"path": Path("no such file")}),
    "CostBenefit": (
        cw.cost.CostBenefit,
        {
            "inputs": {"a": 1},
            "lines": {"b": "2 * a"},
            "fits": None,
            "arms": None,
            "prices": None,
        },
    ),
    "CostBenefit.with_fits": (
        COSTS.with_fits,
        {"fits": {"re-referral": RATES}, "arms": {"PC": "crewe", "CEC": "control"}},
    ),
    "CostBenefit.psa": (COSTS.psa, {"draws": 200, "seed": 1, "level": 0.9}),
    "CostBenefit.at_prices": (PRICED.at_prices, {"year": "2024-25"}),
    "Sensitivity.decision": (
        DRAWS.decision,
        {"willingness": [0, 1e4], "lifetime": False, "level": 0.9},
    ),
    "Sensitivity.column": (DRAWS.column, {"name": "tax_pc"}),
    "Sensitivity.tornado": (DRAWS.tornado, {"line": "tax_pc", "lifetime": False, "level": 0.9}),
    "tornado of net benefit": (DRAWS.tornado, {"willingness": 100.0}),
    "Decision.plane": (DECISION.plane, {"willingness": 100.0, "labels": {"PC": "p"}}),
    "Decision.plot": (DECISION.plot, {"labels": {"PC": "p"}}),
    "repriced": (
        cw.cost.repriced,
        {"amount": "68.05", "from_year": "2015-16", "to_year": "2024-25"},
    ),
    "discount_factors": (cw.cost.discount_factors, {"years": [0, 1]}),
    "present_value": (cw.cost.present_value, {"amounts": [1.0, 2.0], "first": 0}),
    "CostBenefit.from_toml": (cw.cost.CostBenefit.from_toml, {"path": Path("no such file")}),
}

ANYTHING: list[Any] = [
    None,
    3,
    -1,
    0,
    2.5,
    float("nan"),
    "x",
    "",
    [],
    ["x"],
    {},
    {"x": 1},
    object(),
    np.array([1.0, 2.0]),
    DATA,
    True,
    b"x",
    (1, 2),
    [None],
    [[1]],
    print,
]


def answered(call: Callable[..., Any], given: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            repr(call(**given))
        except cw.CreweError as error:
            assert str(error).strip()
        finally:
            plt.close("all")


@pytest.mark.parametrize("name", sorted(CALLS))
def test_2_16_arguments_of_any_kind_are_taken_or_refused_in_our_own_words(name: str) -> None:
    call, given = CALLS[name]
    for argument in given:
        for value in ANYTHING:
            answered(call, {**given, argument: value})


@pytest.mark.parametrize("name", sorted(CALLS))
def test_the_calls_work(name: str) -> None:
    call, given = CALLS[name]
    if name.endswith("from_toml"):
        with pytest.raises(cw.InputError, match="cannot be read: No such file"):
            call(**given)
    else:
        call(**given)


def test_what_an_argument_takes_is_said() -> None:
    @checked
    def half(
        level: float,
        names: list[str] | None = None,
        trial: Nobody | None = None,  # noqa: F821
    ) -> float:
        return level / 2 + len(names or "")

    assert half(1.0) == 0.5
    with pytest.raises(cw.InputError, match=r"level= takes a number, not 'x'\. Pass"):
        half("x")  # type: ignore[arg-type]
    with pytest.raises(cw.InputError, match="names= takes a list of texts or None, not 3"):
        half(1.0, 3)  # type: ignore[arg-type]


def test_a_fault_that_no_argument_explains_is_not_hidden() -> None:
    @checked
    def broken(level: float) -> float:
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        broken(1.0)


def test_type_checkers_know_the_covariances_that_the_core_has() -> None:
    """The words of `frames/choices.py` are those of the core, and each model takes its own and no other."""
    rng = np.random.default_rng(8)
    rows = pd.DataFrame({"family": np.arange(60) // 3, "y": rng.normal(size=60)})
    rows["arm"], rows["closed"] = rows["family"] % 2, (rng.random(60) < 0.5).astype(int)
    rows["t"] = rng.exponential(size=60) + 0.1
    takes = {
        choices.LinearVcov: cw.ols("y ~ arm", rows, cluster="family"),
        choices.BinaryVcov: cw.logit("closed ~ arm", rows, cluster="family"),
        choices.GeeVcov: cw.gee("y ~ arm", rows, cluster="family"),
        choices.MixedVcov: cw.mixed("y ~ arm", rows, cluster="family"),
        choices.CoxVcov: cw.coxph("Surv(t, closed) ~ arm", rows, cluster="family"),
    }
    with pytest.raises(cw.InputError) as error:
        takes[choices.LinearVcov].vcov("CR9")  # type: ignore[arg-type]
    core = set(str(error.value.remedy).removeprefix("Choose one of ").rstrip(".").split(", "))
    known = set(typing.get_args(choices.AnyVcov))
    assert known == core | {"profile"}
    for words, fit in takes.items():
        own = set(typing.get_args(words))
        for word in sorted(core):
            if word in own:
                assert fit.vcov(word).vcov_name == word
            else:
                with pytest.raises(cw.InputError):
                    fit.vcov(word)

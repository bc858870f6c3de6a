"""crewe: randomised controlled trials of public services, from randomisation to report."""

from __future__ import annotations

import sys

from crewe import cost, datasets, exceptions, plots, power
from crewe._core import __version__
from crewe.comparisons import descriptives, national, permutation, ranks, rates
from crewe.comparisons.descriptives import Crosstab, Description, crosstab, describe
from crewe.comparisons.national import NationalComparison, compare_to_national
from crewe.comparisons.permutation import PermutationTest, permutation_test
from crewe.comparisons.ranks import MannWhitney, MannWhitneyFamily, mann_whitney
from crewe.comparisons.rates import RateComparison, adjust, compare_rates
from crewe.design import (
    Acceptance,
    Assignment,
    Balance,
    BiasedCoin,
    BigStick,
    Blocks,
    Commitment,
    Complete,
    Constrained,
    Design,
    Joined,
    Key,
    MatchedSets,
    Minimisation,
    Rerandomised,
    Simple,
    new_key,
)
from crewe.design.consort import Consort, consort
from crewe.design.predictability import Predictability, PredictabilityComparison, predictability
from crewe.exceptions import (
    ConvergenceError,
    CreweError,
    DesignError,
    InputError,
    LedgerError,
    RankError,
    SeparationError,
)
from crewe.instruments import cases, risk, sdq, survey
from crewe.ledger import Ledger, Receipt, Verification
from crewe.models import regression
from crewe.models.logit import Logit, logit
from crewe.models.probit import Probit, probit
from crewe.models.regression import OLS, ols
from crewe.models.weights import Analytic
from crewe.plots import coefplot
from crewe.report import Report
from crewe.report.versions import show_versions, versions
from crewe.resampling import RandomisationTest, randomisation_test
from crewe.survival import CoxPH, KaplanMeier, LogRank, Surv, coxph, kaplan_meier, logrank
from crewe.tables.table import ModelTable, table

# Paths that programs written before the rooms were furnished still import.
for _path, _module in {
    "descriptives": descriptives,
    "national": national,
    "nonparametric": ranks,
    "permutation": permutation,
    "rates": rates,
    "regression": regression,
}.items():
    sys.modules[f"{__name__}.{_path}"] = _module
nonparametric = ranks
del _path, _module

__all__ = [
    "OLS",
    "Acceptance",
    "Analytic",
    "Assignment",
    "Balance",
    "BiasedCoin",
    "BigStick",
    "Blocks",
    "Commitment",
    "Complete",
    "Consort",
    "Constrained",
    "ConvergenceError",
    "CoxPH",
    "CreweError",
    "Crosstab",
    "Description",
    "Design",
    "DesignError",
    "InputError",
    "Joined",
    "KaplanMeier",
    "Key",
    "Ledger",
    "LedgerError",
    "LogRank",
    "Logit",
    "MannWhitney",
    "MannWhitneyFamily",
    "MatchedSets",
    "Minimisation",
    "ModelTable",
    "NationalComparison",
    "PermutationTest",
    "Predictability",
    "PredictabilityComparison",
    "Probit",
    "RandomisationTest",
    "RankError",
    "RateComparison",
    "Receipt",
    "Report",
    "Rerandomised",
    "SeparationError",
    "Simple",
    "Surv",
    "Verification",
    "__version__",
    "adjust",
    "cases",
    "coefplot",
    "compare_rates",
    "compare_to_national",
    "consort",
    "cost",
    "coxph",
    "crosstab",
    "datasets",
    "describe",
    "exceptions",
    "kaplan_meier",
    "logit",
    "logrank",
    "mann_whitney",
    "new_key",
    "ols",
    "permutation_test",
    "plots",
    "power",
    "predictability",
    "probit",
    "randomisation_test",
    "risk",
    "sdq",
    "show_versions",
    "survey",
    "table",
    "versions",
]

"""crewe: randomised controlled trials of public services, from randomisation to report."""

from __future__ import annotations

from crewe import _families, _methods, cost, datasets, exceptions, plots, power
from crewe._assignment import Assignment, Joined
from crewe._balance import Balance
from crewe._consort import Consort, consort
from crewe._constrained import Acceptance
from crewe._core import __version__
from crewe._families import *  # noqa: F403 - every family, by its own list
from crewe._methods import *  # noqa: F403 - every procedure, by its own list
from crewe._predictability import Predictability, PredictabilityComparison, predictability
from crewe._table import ModelTable, table
from crewe._versions import show_versions, versions
from crewe._weights import Analytic
from crewe.descriptives import Crosstab, Description, crosstab, describe
from crewe.design import Commitment, Design, Key, new_key
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
from crewe.national import NationalComparison, compare_to_national
from crewe.nonparametric import MannWhitney, MannWhitneyFamily, mann_whitney
from crewe.permutation import PermutationTest, permutation_test
from crewe.plots import coefplot
from crewe.rates import RateComparison, adjust, compare_rates
from crewe.regression import OLS, ols
from crewe.report import Report
from crewe.resampling import RandomisationTest, randomisation_test
from crewe.survival import CoxPH, KaplanMeier, LogRank, Surv, coxph, kaplan_meier, logrank

__all__ = [
    "OLS",
    "Acceptance",
    "Analytic",
    "Assignment",
    "Balance",
    "Commitment",
    "Consort",
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
    "MannWhitney",
    "MannWhitneyFamily",
    "ModelTable",
    "NationalComparison",
    "PermutationTest",
    "Predictability",
    "PredictabilityComparison",
    "RandomisationTest",
    "RankError",
    "RateComparison",
    "Receipt",
    "Report",
    "SeparationError",
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
    "logrank",
    "mann_whitney",
    "new_key",
    "ols",
    "permutation_test",
    "plots",
    "power",
    "predictability",
    "randomisation_test",
    "risk",
    "sdq",
    "show_versions",
    "survey",
    "table",
    "versions",
]
__all__ += _families.__all__
__all__ += _methods.__all__

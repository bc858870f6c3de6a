"""crewe: randomised controlled trials of public services, from randomisation to report."""

from __future__ import annotations

from crewe import cost, datasets, exceptions, plots, power
from crewe._assignment import Assignment, Joined
from crewe._balance import Balance
from crewe._consort import Consort, consort
from crewe._core import __version__
from crewe._table import ModelTable, table
from crewe._versions import show_versions, versions
from crewe.design import Commitment, Complete, Design, Key, Simple, new_key
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
from crewe.plots import coefplot
from crewe.regression import OLS, ols
from crewe.report import Report
from crewe.survival import CoxPH, KaplanMeier, LogRank, Surv, coxph, kaplan_meier, logrank

__all__ = [
    "OLS",
    "Assignment",
    "Balance",
    "Commitment",
    "Complete",
    "Consort",
    "ConvergenceError",
    "CoxPH",
    "CreweError",
    "Design",
    "DesignError",
    "InputError",
    "Joined",
    "KaplanMeier",
    "Key",
    "LedgerError",
    "LogRank",
    "ModelTable",
    "RankError",
    "Report",
    "SeparationError",
    "Simple",
    "Surv",
    "__version__",
    "cases",
    "coefplot",
    "consort",
    "cost",
    "coxph",
    "datasets",
    "exceptions",
    "kaplan_meier",
    "logrank",
    "new_key",
    "ols",
    "plots",
    "power",
    "risk",
    "sdq",
    "show_versions",
    "survey",
    "table",
    "versions",
]

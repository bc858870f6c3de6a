"""crewe: randomised controlled trials of public services, from randomisation to report."""

from __future__ import annotations

from crewe import cost, datasets, exceptions, plots, power
from crewe._core import __version__
from crewe._table import ModelTable, table
from crewe._versions import show_versions, versions
from crewe.exceptions import (
    ConvergenceError,
    CreweError,
    DesignError,
    InputError,
    LedgerError,
    RankError,
    SeparationError,
)
from crewe.plots import coefplot
from crewe.regression import OLS, ols
from crewe.report import Report

__all__ = [
    "OLS",
    "ConvergenceError",
    "CreweError",
    "DesignError",
    "InputError",
    "LedgerError",
    "ModelTable",
    "RankError",
    "Report",
    "SeparationError",
    "__version__",
    "coefplot",
    "cost",
    "datasets",
    "exceptions",
    "ols",
    "plots",
    "power",
    "show_versions",
    "table",
    "versions",
]

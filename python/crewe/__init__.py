"""crewe: randomised controlled trials of public services, from randomisation to report."""

from __future__ import annotations

<<<<<<< HEAD
<<<<<<< HEAD
from crewe import datasets, exceptions, plots
=======
from crewe import cost, exceptions, power
>>>>>>> power
from crewe._core import __version__
from crewe._table import ModelTable, table
from crewe._versions import show_versions, versions
=======
from crewe import exceptions
from crewe._assignment import Assignment, Joined
from crewe._balance import Balance
from crewe._consort import Consort, consort
from crewe._core import __version__
from crewe.design import Commitment, Complete, Design, Key, Simple, new_key
>>>>>>> design
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
<<<<<<< HEAD
    "coefplot",
    "datasets",
    "exceptions",
<<<<<<< HEAD
    "ols",
    "plots",
    "show_versions",
    "table",
    "versions",
=======
    "cost",
    "exceptions",
    "ols",
    "power",
>>>>>>> power
=======
    "Assignment",
    "Balance",
    "Commitment",
    "Complete",
    "Consort",
    "Design",
    "Joined",
    "Key",
    "Simple",
    "consort",
    "new_key",
>>>>>>> design
]

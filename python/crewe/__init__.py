"""crewe: randomised controlled trials of public services, from randomisation to report."""

from __future__ import annotations

from crewe import datasets, exceptions
from crewe._core import __version__
from crewe.exceptions import (
    ConvergenceError,
    CreweError,
    DesignError,
    InputError,
    LedgerError,
    RankError,
    SeparationError,
)
from crewe.regression import OLS, ols

__all__ = [
    "OLS",
    "ConvergenceError",
    "CreweError",
    "DesignError",
    "InputError",
    "LedgerError",
    "RankError",
    "SeparationError",
    "__version__",
    "datasets",
    "exceptions",
    "ols",
]

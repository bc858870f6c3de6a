"""crewe: randomised controlled trials of public services, from randomisation to report."""

from __future__ import annotations

from crewe import exceptions
from crewe._assignment import Assignment, Joined
from crewe._balance import Balance
from crewe._consort import Consort, consort
from crewe._core import __version__
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

__all__ = [
    "ConvergenceError",
    "CreweError",
    "DesignError",
    "InputError",
    "LedgerError",
    "RankError",
    "SeparationError",
    "__version__",
    "exceptions",
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
]

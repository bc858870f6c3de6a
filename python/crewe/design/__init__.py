"""Designs and their methods, assignments, and what is known of them before a trial begins."""

from __future__ import annotations

from crewe.design import methods
from crewe.design.assignment import Assignment, Joined
from crewe.design.balance import Balance
from crewe.design.constrained import Acceptance
from crewe.design.design import Design
from crewe.design.keys import Commitment, Key, new_key
from crewe.design.methods import *  # noqa: F403 - every procedure, by its own list
from crewe.design.methods import Method

__all__ = [
    "Acceptance",
    "Assignment",
    "Balance",
    "Commitment",
    "Design",
    "Joined",
    "Key",
    "Method",
    "new_key",
]
__all__ += methods.__all__

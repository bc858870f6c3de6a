"""Designs and their methods, assignments, and what is known of them before a trial begins."""

from __future__ import annotations

from crewe.design.assignment import Assignment, Joined
from crewe.design.balance import Balance
from crewe.design.constrained import Acceptance
from crewe.design.design import Design
from crewe.design.keys import Commitment, Key, new_key
from crewe.design.methods import (
    BiasedCoin,
    BigStick,
    Blocks,
    Complete,
    Constrained,
    MatchedSets,
    Method,
    Minimisation,
    Rerandomised,
    Simple,
)

__all__ = [
    "Acceptance",
    "Assignment",
    "Balance",
    "BiasedCoin",
    "BigStick",
    "Blocks",
    "Commitment",
    "Complete",
    "Constrained",
    "Design",
    "Joined",
    "Key",
    "MatchedSets",
    "Method",
    "Minimisation",
    "Rerandomised",
    "Simple",
    "new_key",
]

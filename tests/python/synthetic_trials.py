"""Fifty synthetic Project Crewes, each made once for all the tests that look at them."""

from __future__ import annotations

from functools import cache

import crewe as cw

SEEDS = [*range(47), 2017, 90210, 2**63 + 11]


@cache
def made(seed: int) -> cw.datasets.ProjectCrewe:
    """Make the trial of a seed."""
    return cw.datasets.project_crewe(seed=seed)

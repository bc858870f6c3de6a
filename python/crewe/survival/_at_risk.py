"""The numbers at risk under curves: as they are, and as a rule of disclosure lets them be written."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.tables.counts import DIFFERENCE, Count, Relation, counted, relations_of, written

Floats = NDArray[np.float64]


class Curves(Protocol):
    """Curves by group, whatever is read off them."""

    @property
    def groups(self) -> Sequence[str]:
        """The groups."""
        ...

    @property
    def by(self) -> str:
        """What they are groups of."""
        ...

    @property
    def time_name(self) -> str:
        """What the times are called."""
        ...

    @property
    def curves(self) -> Sequence[_core.KaplanMeierCurve]:
        """A curve for each group."""
        ...


def numbers_at(of: Curves, times: Floats) -> dict[str, Floats]:
    """Give the numbers at risk just before each time, by group."""
    return {
        group: curve.at_risk_at(times) for group, curve in zip(of.groups, of.curves, strict=True)
    }


def counts_at(of: Curves, times: Floats) -> tuple[dict[str, list[Count]], list[Relation]]:
    """Type the numbers at risk: each is part of the one before."""
    found: dict[str, list[Count]] = {}
    relations: list[Relation] = []
    for group, at_risk in numbers_at(of, times).items():
        at = {of.by: group} if of.by else {}
        whole = [round(float(n)) for n in at_risk]
        # At the start all are at risk.
        counts = [
            counted(n, at if time <= 0 else {**at, of.time_name: f"at risk at {time:g}"})
            for n, time in zip(whole, times, strict=True)
        ]
        ordered = [counts[k] for k in np.argsort(times, kind="stable")]
        relations += [
            relations_of(early, late, DIFFERENCE)
            for early, late in itertools.pairwise(ordered)
            if early != late
        ]
        found[group] = counts
    return found, relations


def written_at(of: Curves, times: Floats) -> dict[str, list[str]]:
    """Write the numbers at risk as the rule that holds lets them be read."""
    counts, relations = counts_at(of, times)
    texts = iter(written([one for group in counts.values() for one in group], relations))
    return {group: [next(texts) for _ in values] for group, values in counts.items()}

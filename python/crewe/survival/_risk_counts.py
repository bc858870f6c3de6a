"""The numbers at risk as counts of people, which tables and figures may have to keep back."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.tables.counts import DIFFERENCE, Count, Relation, counted, relations_of, written

Floats = NDArray[np.float64]


def risk_counts(
    groups: Sequence[str],
    curves: Sequence[_core.KaplanMeierCurve],
    by: str,
    time_name: str,
    times: Floats,
) -> tuple[dict[str, list[Count]], list[Relation]]:
    """Type the numbers at risk: each is part of the one before."""
    found: dict[str, list[Count]] = {}
    relations: list[Relation] = []
    for group, curve in zip(groups, curves, strict=True):
        at = {by: group} if by else {}
        whole = [round(float(n)) for n in curve.at_risk_at(times)]
        # At the start all are at risk.
        counts = [
            counted(n, at if time <= 0 else {**at, time_name: f"at risk at {time:g}"})
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


def risk_written(
    counts: Mapping[str, Sequence[Count]], relations: Sequence[Relation]
) -> dict[str, list[str]]:
    """Write them as a figure prints them."""
    texts = iter(written([one for group in counts.values() for one in group], relations))
    return {group: [next(texts) for _ in values] for group, values in counts.items()}

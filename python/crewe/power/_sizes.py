"""Clusters of which only the sizes are known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.power._quantities import real, whole


def _size(value: Any) -> int:
    return whole("a cluster's size", value, "Give the number of members of a cluster")


@dataclass(frozen=True, init=False)
class ClusterSizes:
    """Clusters of which only the sizes are known, in place of a frame.

    Parameters
    ----------
    sizes : int, sequence of int or mapping
        One size for all; the sizes of these very clusters, or, where `clusters` is given too, sizes
        from which every simulated cluster draws its own; or a mapping of sizes to weights, from
        which they draw.
    clusters : int, optional
        The number of clusters in both arms together.

    Examples
    --------
    >>> import crewe as cw
    >>> families = cw.power.ClusterSizes({1: 0.34, 2: 0.28, 3: 0.38}, clusters=132)
    >>> families.clusters, round(families.mean, 2)
    (132, 2.04)
    """

    clusters: int
    weights: tuple[tuple[int, int], ...]
    fixed: tuple[int, ...] | None

    @checked
    def __init__(
        self, sizes: int | Sequence[int] | Mapping[int, float], *, clusters: int | None = None
    ) -> None:
        put = object.__setattr__
        if isinstance(sizes, Mapping):
            weights = {_size(size): real("weight", w) for size, w in sizes.items()}
            wrong = [size for size, w in weights.items() if not (w >= 0 and math.isfinite(w))]
            if wrong:
                raise fault(
                    InputError,
                    "the weights of sizes must be numbers of at least 0",
                    values=[str(size) for size in wrong],
                    remedy="Give shares or counts, such as {1: 0.34, 2: 0.28, 3: 0.38}",
                )
        elif isinstance(sizes, Sequence | np.ndarray) and not isinstance(sizes, str):
            weights = {
                size: float(n) for size, n in sorted(Counter(_size(s) for s in sizes).items())
            }
        else:
            weights = {_size(sizes): 1.0}
        listed = isinstance(sizes, Sequence | np.ndarray) and clusters is None
        if clusters is None and not listed:
            raise fault(
                InputError,
                "how many clusters there are is missing",
                remedy="Give clusters=, both arms together, or the list of all sizes",
            )
        fixed = tuple(_size(s) for s in sizes) if listed else None  # type: ignore[union-attr]
        many = (
            len(fixed)
            if fixed is not None
            else whole("clusters", clusters, "Give the number in both arms together")
        )
        if not 1 <= many <= 10_000_000 or not all(1 <= size <= 1_000_000 for size in weights):
            raise fault(
                InputError,
                "a trial has at least one cluster, and a cluster at least one member",
                values=[f"{many} clusters", *(str(size) for size in weights if size < 1)],
                remedy="Give whole numbers above 0 (at most a million members)",
            )
        if all(w == int(w) for w in weights.values()):
            counted = {size: int(w) for size, w in weights.items()}
        else:
            total = sum(weights.values())
            counted = {size: round(1e9 * w / total) for size, w in weights.items()}
        put(self, "clusters", many)
        put(self, "weights", tuple(counted.items()))
        put(self, "fixed", (next(iter(counted)),) * many if len(counted) == 1 else fixed)

    @property
    def mean(self) -> float:
        """The mean size."""
        total = sum(weight for _, weight in self.weights)
        return sum(size * weight for size, weight in self.weights) / total

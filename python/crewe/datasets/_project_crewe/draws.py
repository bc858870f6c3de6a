"""Draws and exact totals for synthetic data, the same on every platform and version of Python.

Only the core's named stream gives randomness. Weights are integers, sums of floats go through
`math.fsum`, and curves are straight lines between knots, so that no result rests on a platform's
`exp` or `log`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from crewe._core import Stream

T = TypeVar("T")


class Draws:
    """A named stream, one draw at a time.

    Parameters
    ----------
    seed : int
        The seed of the data set.
    purpose : str
        What is drawn; another purpose is another stream.
    attempt : int
        The number of the attempt, where draws are repeated until a condition holds.
    """

    def __init__(self, seed: int, purpose: str, attempt: int = 0) -> None:
        self._stream: Any = Stream(seed, "datasets.project_crewe", [purpose], attempt)

    def below(self, bound: int) -> int:
        """Give a uniform integer in ``0..bound``, the bound left out."""
        return int(self._stream.below(bound, 1)[0])

    def between(self, low: int, high: int) -> int:
        """Give a uniform integer from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def normal(self) -> float:
        """Give a standard normal number."""
        return float(self._stream.normal(1)[0])

    def unit(self) -> float:
        """Give a uniform number in [0, 1)."""
        return float(self._stream.unit(1)[0])

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Give the items in a random order."""
        return [items[int(i)] for i in self._stream.permutation(len(items))]

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """Give `k` different items."""
        return self.shuffled(items)[:k]

    def several(self, items: Sequence[T], k: int) -> list[T]:
        """Give `k` items, each from all of them."""
        return [items[self.below(len(items))] for _ in range(k)]

    def weighted(self, weights: Sequence[int]) -> int:
        """Give an index, with chances in proportion to integer weights."""
        at = self.below(sum(weights))
        for index, weight in enumerate(weights):
            at -= weight
            if at < 0:
                return index
        raise AssertionError("the draw lies below the sum of the weights")

    def weighted_sample(self, weights: Sequence[int], k: int) -> list[int]:
        """Give `k` different indices, one by one, by the weights of those left."""
        left = list(weights)
        chosen = []
        for _ in range(k):
            index = self.weighted(left)
            left[index] = 0
            chosen.append(index)
        return chosen


def curve(knots: Sequence[tuple[float, float]], at: float) -> float:
    """Give the height at `at` of the straight lines through the knots, flat beyond the ends."""
    if at <= knots[0][0]:
        return knots[0][1]
    for (x0, y0), (x1, y1) in pairwise(knots):
        if at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return knots[-1][1]


def exact_total(
    draws: Draws,
    values: list[int],
    total: int,
    allowed: Callable[[int, int], bool],
    steps: Sequence[int] = (1,),
) -> bool:
    """Move values by small steps, in rounds of random order, until they sum to `total`.

    Parameters
    ----------
    draws : Draws
        Where the order comes from.
    values : list of int
        Changed in place.
    total : int
        The sum wanted.
    allowed : callable
        Whether the value at an index may become what is given.
    steps : sequence of int
        The sizes of the steps, the largest first.

    Returns
    -------
    bool
        Whether the total could be reached.
    """
    gap = total - sum(values)
    for size in steps:
        moved = True
        while moved and abs(gap) >= size:
            moved = False
            for index in draws.shuffled(range(len(values))):
                step = size if gap > 0 else -size
                if abs(gap) >= size and allowed(index, values[index] + step):
                    values[index] += step
                    gap -= step
                    moved = True
    return gap == 0


def solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Solve a small linear system by elimination with row pivots, in a fixed order."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for j in range(size):
        pivot = max(range(j, size), key=lambda i: abs(rows[i][j]))
        rows[j], rows[pivot] = rows[pivot], rows[j]
        for i in range(size):
            if i != j:
                ratio = rows[i][j] / rows[j][j]
                rows[i] = [a - ratio * b for a, b in zip(rows[i], rows[j], strict=True)]
    return [row[size] / row[j] for j, row in enumerate(rows)]


def within_groups(
    columns: Sequence[Sequence[int]], y: Sequence[int], group: Sequence[int]
) -> list[float]:
    """Regress 0/1 `y` on 0/1 columns and a dummy for each group; give the columns' coefficients.

    The dummies are swept out first (Frisch-Waugh-Lovell): the cross-product of x and y within
    groups is ``sum(xy) - sum over groups of sum(x) sum(y) / n``.
    """
    masks = [_bits([value == level for value in group]) for level in sorted(set(group))]
    bits = [_bits(x) for x in columns]
    outcome = _bits(y)

    def cross(x: int, z: int) -> float:
        shares = ((x & m).bit_count() * (z & m).bit_count() / m.bit_count() for m in masks)
        return (x & z).bit_count() - math.fsum(shares)

    matrix = [[cross(x, z) for z in bits] for x in bits]
    return solve(matrix, [cross(x, outcome) for x in bits])


def _bits(values: Sequence[int]) -> int:
    """Write 0/1 values as the bits of one integer, so that counting is one step."""
    return int("".join("1" if value else "0" for value in values), 2)

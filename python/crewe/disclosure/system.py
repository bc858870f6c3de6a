"""What a reader knows of published counts: which are one, which add up, and how far that bounds the others.

Every count is an unknown whole number from 0 upwards; a published one is known, or known to lie between
two numbers where it was rounded. Relations between totals and parts are linear equations. What a reader
can then say of a count that was left out lies between the least and the greatest value that the
equations allow, which are linear programmes (Fischetti and Salazar 2001, doi:10.1287/mnsc.47.7.1008.9819).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe.exceptions import CreweError, fault
from crewe.tables.counts import At, Count, Relation

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]

_SMALL = 200
"""Unknowns of parts that are put together."""

_LARGEST = 20_000
"""Unknowns in one linear programme; more targets are asked for one batch after the other."""


def scipy_of() -> tuple[Any, Any]:
    """Import the solver and sparse matrices.

    Raises
    ------
    CreweError
        Where scipy is not installed.
    """
    try:
        from scipy import optimize, sparse
    except ImportError as error:
        raise fault(
            CreweError,
            "the bounds of suppressed counts are worked out by HiGHS in scipy, which is not installed",
            remedy="Install it with: pip install 'crewe[disclosure]'",
        ) from error
    return optimize, sparse


class System:
    """Counts of tables that are published together, and the equations that tie them.

    Two counts of the same group with the same number are one, in whichever table they stand.

    Attributes
    ----------
    counts : list of Count
        One for each unknown.
    value : array of int (n,)
        The true numbers.
    printed : array of bool (n,)
        Whether a table prints the count, or gives it away.
    """

    def __init__(self) -> None:
        self.counts: list[Count] = []
        self.value: Places = np.empty(0, dtype=np.int64)
        self.printed: Mask = np.empty(0, dtype=np.bool_)
        self._place: dict[tuple[At, int], int] = {}
        self._rows: dict[tuple[int, frozenset[int]], None] = {}

    def add(self, counts: Iterable[Count], relations: Sequence[Relation]) -> None:
        """Take in the counts of a table, which it prints, and its relations."""
        told = [self._new(count) for count in counts]
        for relation in relations:
            total = self._new(relation.total)
            parts = frozenset(self._new(part) for part in relation.parts)
            if total not in parts:
                self._rows.setdefault((total, parts))
            else:
                # All but one are nought: the one is the total.
                for zero in parts - {total}:
                    self._rows.setdefault((zero, frozenset()))
        grown = len(self.counts) - len(self.printed)
        self.printed = np.append(self.printed, np.zeros(grown, dtype=np.bool_))
        self.printed[told] = True
        self.value = np.array([count.value for count in self.counts], dtype=np.int64)

    def _new(self, count: Count) -> int:
        key = (count.at, count.value)
        place = self._place.setdefault(key, len(self.counts))
        if place == len(self.counts):
            self.counts.append(count)
        elif self.counts[place].harmless and not count.harmless:
            self.counts[place] = count
        return place

    def place(self, count: Count) -> int:
        """Give the unknown that a count is."""
        return self._place[(count.at, count.value)]

    @property
    def harmless(self) -> Mask:
        """Which counts need no protection."""
        return np.array([count.harmless for count in self.counts], dtype=np.bool_)

    @property
    def totals(self) -> Mask:
        """Which counts are the total of others."""
        mask = np.zeros(len(self.counts), dtype=np.bool_)
        mask[[total for total, parts in self._rows if parts]] = True
        return mask

    def gaps(self) -> list[int]:
        """Give by how much published counts of one group differ, each from the next larger."""
        groups: dict[tuple[At, str], list[int]] = {}
        for count, printed in zip(self.counts, self.printed, strict=True):
            if printed:
                groups.setdefault((count.at, count.of), []).append(count.value)
        return [
            large - small
            for values in map(sorted, groups.values())
            for small, large in itertools.pairwise(values)
        ]

    def parts_of(self, chosen: Mask) -> list[Places]:
        """Cut the system into parts that share no chosen unknown: what is known ties nothing together."""
        parent = list(range(len(self.counts)))

        def root(place: int) -> int:
            while parent[place] != place:
                parent[place] = place = parent[parent[place]]
            return place

        free = chosen.tolist()
        for total, parts in self._rows:
            tied = [place for place in (total, *parts) if free[place]]
            for place in tied[1:]:
                parent[root(place)] = root(tied[0])
        groups: dict[int, list[int]] = {}
        for place in np.flatnonzero(chosen).tolist():
            groups.setdefault(root(place), []).append(place)
        return [np.array(group, dtype=np.int64) for group in groups.values()]

    def equations(self, part: Places) -> tuple[Places, Places, Floats]:
        """Give the equations that hold any of some unknowns: rows, places within the part, and 1 or −1."""
        within = {int(place): k for k, place in enumerate(part)}
        found = [
            (row, within[place], 1.0 if place == total else -1.0)
            for row, (total, parts) in enumerate(self._rows)
            for place in (total, *parts)
            if place in within
        ]
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
        rows, columns, ones = zip(*found, strict=True)
        return np.array(rows), np.array(columns), np.array(ones)

    def right(self, rows: Places, known: Floats) -> Floats:
        """Give what the known counts leave on the right of some equations."""
        listed = list(self._rows)
        return np.array(
            [sum(known[place] for place in listed[row][1]) - known[listed[row][0]] for row in rows]
        )

    def bounds(self, low: Floats, high: Floats, targets: Places) -> tuple[Floats, Floats]:
        """Give the least and the greatest value of some counts that agree with all that is known.

        Parameters
        ----------
        low, high : arrays (n,)
            Between what each count is known to lie; they are the same where it is published.
        targets : array of int
            Which counts to bound.

        Returns
        -------
        two arrays
            The bounds; infinite where nothing bounds a count.
        """
        least, most = low[targets].astype(np.float64), high[targets].astype(np.float64)
        position = {int(place): k for k, place in enumerate(targets)}
        for part in self._gathered(self.parts_of(low < high), position):
            wanted = np.array([place for place in part if int(place) in position], dtype=np.int64)
            step = max(1, _LARGEST // (2 * len(part)))
            for start in range(0, len(wanted), step):
                batch = wanted[start : start + step]
                found = self._solve(low, high, part, batch)
                for place, (bottom, top) in zip(batch, found, strict=True):
                    least[position[int(place)]], most[position[int(place)]] = bottom, top
        return least, most

    @staticmethod
    def _gathered(parts: list[Places], wanted: dict[int, int]) -> list[Places]:
        """Put small parts that are asked for together: a call costs more than what is in it."""
        asked = [part for part in parts if any(int(place) in wanted for place in part)]
        size = sum(map(len, asked))
        if len(asked) > 1 and size <= _SMALL:
            return [np.sort(np.concatenate(asked))]
        return asked

    def _solve(self, low: Floats, high: Floats, part: Places, wanted: Places) -> Floats:
        """Solve all programmes of a part as one: a block of equations for each."""
        optimize, sparse = scipy_of()
        equation, column, one = self.equations(part)
        rows, row = np.unique(equation, return_inverse=True)
        n, blocks = len(part), 2 * len(wanted)
        # Far beyond any count: what gets near it is bounded by nothing.
        top = 100.0 * (1.0 + float(self.value.max(initial=0)) + len(self.counts))
        at = np.searchsorted(part, wanted)
        even, odd = np.arange(0, blocks, 2), np.arange(1, blocks, 2)
        goal = np.zeros((blocks, n))
        goal[even, at], goal[odd, at] = 1.0, -1.0
        shift = np.arange(blocks)[:, None]
        matrix = sparse.csc_matrix(
            (
                np.tile(one, blocks),
                ((row + shift * len(rows)).ravel(), (column + shift * n).ravel()),
            ),
            shape=(blocks * len(rows), blocks * n),
        )
        right = self.right(rows, np.where(low < high, 0.0, low))
        got = optimize.linprog(
            goal.ravel(),
            A_eq=matrix if len(rows) else None,
            b_eq=np.tile(right, blocks) if len(rows) else None,
            bounds=np.tile(np.column_stack([low[part], np.minimum(high[part], top)]), (blocks, 1)),
            method="highs",
        )
        if got.status != 0:
            raise fault(
                CreweError,
                f"the bounds could not be worked out: {got.message}",
                remedy="Protect fewer tables at a time",
            )
        found = got.x.reshape(blocks, n)
        ends = np.column_stack([found[even, at], found[odd, at]])
        ends[ends > top / 10] = np.inf
        return np.asarray(ends, dtype=np.float64)


def possible(least: Floats, most: Floats) -> Floats:
    """Count the whole numbers between two bounds."""
    return np.asarray(np.floor(most + 1e-6) - np.ceil(least - 1e-6) + 1.0)

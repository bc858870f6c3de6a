"""Which counts are left out: the small ones, and as few others as keep these from being worked out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crewe.disclosure.system import Floats, Mask, Places, System, possible, scipy_of
from crewe.exceptions import InputError, fault

_PASSES = 4
"""How often weights are set anew; after that hardly a pattern becomes cheaper."""

_NEAR = 0.02
"""What keeps weights finite, as a share of the furthest move."""


@dataclass
class Pattern:
    """Counts of a system and what becomes of them.

    Attributes
    ----------
    system : System
        The counts.
    threshold : int
        Counts below it are protected.
    base : int
        What published counts are rounded to; 1 leaves them as they are.
    primary : array of bool (n,)
        Printed counts that are left out because they are small.
    secondary : array of bool (n,)
        Those left out because of others.
    fixed : array of bool (n,)
        Those that cannot be left out: published already.
    shut : bool
        Whether no smaller pattern protects, so that all of a part is left out.
    """

    system: System
    threshold: int
    base: int
    primary: Mask
    secondary: Mask
    fixed: Mask
    exact: Mask
    safe: Mask = field(init=False)
    shut: bool = False

    def __post_init__(self) -> None:
        self.safe = np.zeros(len(self.primary), dtype=np.bool_)

    @property
    def hidden(self) -> Mask:
        """What a reader is not told."""
        return self.primary | self.secondary | ~self.system.printed

    @property
    def targets(self) -> Mask:
        """What must not be bounded closely: what is left out, and small counts that are printed nowhere."""
        small = (self.system.value < self.threshold) & ~self.system.harmless
        return self.primary | self.secondary | (small & ~self.system.printed)

    def known(self) -> tuple[Floats, Floats]:
        """Give between what a reader knows each count to lie."""
        value = self.system.value.astype(np.float64)
        low, high = value.copy(), value.copy()
        if self.base > 1:
            loose = ~self.exact
            shown = rounded(self.system.value, self.base)
            half = self.base // 2
            # What is published at all is not small.
            low[loose] = np.maximum(shown - half, self.threshold)[loose]
            high[loose] = (shown + (self.base - 1 - half))[loose]
        low[self.hidden], high[self.hidden] = 0.0, np.inf
        return low, high

    def unsafe(self) -> tuple[Places, Floats]:
        """Give the targets that can be bounded to fewer values than the threshold, and to how many.

        What was safe stays so while more is left out.
        """
        asked = np.flatnonzero(self.targets & ~self.safe)
        if not len(asked):
            return asked, np.empty(0)
        number = possible(*self.system.bounds(*self.known(), asked))
        self.safe[asked[number >= self.threshold]] = True
        return asked[number < self.threshold], number[number < self.threshold]


def rounded(value: Places, base: int) -> Places:
    """Round counts to a base, halves upwards.

    Examples
    --------
    >>> rounded(np.array([2, 3, 7, 8, 12]), 5).tolist()
    [0, 5, 5, 10, 10]
    """
    return np.asarray((value + base // 2) // base * base)


def protect(pattern: Pattern, cost: Floats) -> None:
    """Leave out further counts, cheap ones first, until no target can be bounded closely.

    For one target after the other, the one that is bounded most closely first, further counts are
    found whose leaving out admits two tables that agree with all that is published and in which the
    target differs by at least the threshold less 1. They are few and cheap: a linear programme makes
    the sum of their costs times how far they move small, and is solved again with the weights of
    counts that hardly move made large (Candès, Wakin and Boyd 2008, doi:10.1007/s00041-008-9045-x). The
    bounds of all that is left out are then worked out again. At the end counts are shown again, dear
    ones first, where all stays safe without them.

    Raises
    ------
    InputError
        Where what was published already gives a small count away.
    """
    before = pattern.secondary.copy()
    rounds = 0
    while True:
        places, number = pattern.unsafe()
        if not len(places):
            break
        rounds += 1
        target = int(places[np.argmin(number)])
        chosen = _cheapest(pattern, cost, target, pattern.threshold - 1.0)
        if not len(chosen):
            # The bounds may lie between whole numbers.
            chosen = _cheapest(pattern, cost, target, float(pattern.threshold))
        if not len(chosen):
            chosen = _everything(pattern, target)
        pattern.secondary[chosen] = True
    if rounds and not pattern.shut:
        _show_again(pattern, cost, before)


def _open(pattern: Pattern) -> Mask:
    """Give the counts that could still be left out."""
    free = pattern.system.printed & ~pattern.system.harmless
    return np.asarray(free & ~pattern.hidden & ~pattern.fixed)


def _part(pattern: Pattern, target: int) -> tuple[Places, Mask]:
    free = _open(pattern)
    low, high = pattern.known()
    loose = free | (low < high)
    return next(part for part in pattern.system.parts_of(loose) if target in part), free


def _cheapest(pattern: Pattern, cost: Floats, target: int, apart: float) -> Places:
    """Find cheap counts to leave out so that a target may differ by so much; none where no choice is enough."""
    optimize, _ = scipy_of()
    part, free = _part(pattern, target)
    choice = np.flatnonzero(free[part])
    limits, programme = _programme(pattern, part, choice, target, apart)
    n, weight = len(part), cost[part][choice]
    best, found, moves = np.inf, np.empty(0, dtype=np.int64), np.zeros(2 * n)
    for _ in range(_PASSES):
        got = optimize.linprog(
            np.concatenate([np.zeros(2 * n), weight]), bounds=limits, method="highs", **programme
        )
        if got.status != 0:
            break
        moved = got.x[2 * n :]
        picked = part[choice[moved > 1e-7]]
        if cost[picked].sum() < best:
            best, found, moves = float(cost[picked].sum()), picked, got.x
        # What hardly moves is made dear, so that few counts carry the whole move.
        weight = cost[part][choice] / (moved + _NEAR)
    _learn(pattern, part, moves[:n], moves[n : 2 * n])
    return found


def _programme(
    pattern: Pattern, part: Places, choice: Places, target: int, apart: float
) -> tuple[Floats, dict[str, Any]]:
    """Write two moves away from the true table, within the equations, and what must be left out for them.

    The unknowns are the moves of one, the moves of the other, and for each count that is still shown how
    far it is left out, from 0 to 1. Moves are those of the published intervals, and further where a count
    is left out; the target's two moves lie apart.
    """
    _, sparse = scipy_of()
    low, high = pattern.known()
    value = pattern.system.value[part].astype(np.float64)
    far = 2.0 * pattern.threshold
    down = np.maximum(low[part] - value, -far)
    up = np.minimum(high[part] - value, far)
    n, m, k = len(part), len(choice), np.arange(len(choice))
    furthest = np.minimum(value[choice], far)
    equation, column, one = pattern.system.equations(part)
    rows, row = np.unique(equation, return_inverse=True)
    shape = (2 * len(rows), 2 * n + m)
    equal = sparse.csr_matrix(
        (
            np.concatenate([one, one]),
            (np.concatenate([row, row + len(rows)]), np.concatenate([column, column + n])),
        ),
        shape=shape,
    )
    at = int(np.searchsorted(part, target))
    # A row for each count, move and direction: sign x move + slack x left out <= end.
    signs: list[Floats] = []
    slacks: list[Floats] = []
    ends: list[Floats] = []
    places: list[Places] = []
    columns: list[Places] = []
    for move in (0, n):
        for sign, slack, end in (
            (-1.0, -(furthest + down[choice]), -down[choice]),
            (1.0, up[choice] - far, up[choice]),
        ):
            start = len(ends) * m
            signs.append(np.full(m, sign))
            slacks.append(slack)
            ends.append(end)
            places.append(start + k)
            columns.append(move + choice)
    last = len(ends) * m
    over = sparse.csr_matrix(
        (
            np.concatenate([*signs, *slacks, [-1.0, 1.0]]),
            (
                np.concatenate([*places, *places, [last, last]]),
                np.concatenate([*columns, *([2 * n + k] * 4), [at, n + at]]),
            ),
        ),
        shape=(last + 1, 2 * n + m),
    )
    least, most = down.copy(), up.copy()
    least[choice], most[choice] = -furthest, far
    limits = np.column_stack(
        [np.concatenate([least, least, np.zeros(m)]), np.concatenate([most, most, np.ones(m)])]
    )
    return limits, {
        "A_ub": over,
        "b_ub": np.concatenate([*ends, [-apart]]),
        "A_eq": equal if len(rows) else None,
        "b_eq": np.zeros(2 * len(rows)) if len(rows) else None,
    }


def _learn(pattern: Pattern, part: Places, first: Floats, second: Floats) -> None:
    """Take note of the counts that the two tables found show to be safe."""
    spread = np.floor(np.maximum(np.maximum(first, second), 0) + 1e-6) - np.ceil(
        np.minimum(np.minimum(first, second), 0) - 1e-6
    )
    pattern.safe[part[spread >= pattern.threshold - 1]] = True


def _everything(pattern: Pattern, target: int) -> Places:
    """Give all that can still be left out with a target, where no choice of it is enough."""
    part, free = _part(pattern, target)
    chosen = part[free[part]]
    if not len(chosen):
        count = pattern.system.counts[target]
        raise fault(
            InputError,
            "no pattern of suppression protects a small count: what is published already, or a count that "
            f"cannot be left out, gives away '{count.where}'",
            remedy="Merge levels that are small, or leave out fewer of the tables that are published already",
        )
    pattern.shut = True
    return chosen


def _show_again(pattern: Pattern, cost: Floats, before: Mask) -> None:
    added = np.flatnonzero(pattern.secondary & ~before)
    for place in added[np.argsort(-cost[added], kind="stable")]:
        pattern.secondary[place] = False
        pattern.safe[:] = False
        if len(pattern.unsafe()[0]):
            pattern.secondary[place] = True
    pattern.safe[:] = True

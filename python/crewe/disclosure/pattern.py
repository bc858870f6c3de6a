"""Which counts are left out: the small ones, and as few others as keep these from being worked out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from crewe.disclosure.system import Floats, Mask, Places, System, possible, scipy_of
from crewe.exceptions import InputError, fault

_SECONDS = 10.0
"""How long one search may take; what it found by then is used."""


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
            low[loose] = np.maximum(shown - half, 0)[loose]
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

    For one target after the other, the one that is bounded most closely first, the cheapest set of
    counts is found whose leaving out admits two further tables, in whole numbers, that agree with
    all that is published and in which the target differs by at least the threshold less 1 (a mixed
    integer programme). The bounds of all that is left out are then worked out again. At the end
    counts are shown again where all stays safe without them.

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
        chosen = _cheapest(pattern, cost, target)
        if not len(chosen):
            chosen = _everything(pattern, target)
        pattern.secondary[chosen] = True
    if rounds > 1 and not pattern.shut:
        _show_again(pattern, cost, before)


def _open(pattern: Pattern) -> Mask:
    """Give the counts that could still be left out."""
    harmless = pattern.system.harmless & (pattern.system.value == 0)
    return np.asarray(pattern.system.printed & ~pattern.hidden & ~pattern.fixed & ~harmless)


def _part(pattern: Pattern, target: int) -> tuple[Places, Mask]:
    free = _open(pattern)
    low, high = pattern.known()
    loose = free | (low < high)
    return next(part for part in pattern.system.parts_of(loose) if target in part), free


def _cheapest(pattern: Pattern, cost: Floats, target: int) -> Places:
    optimize, sparse = scipy_of()
    part, free = _part(pattern, target)
    matrix = pattern.system.matrix[:, part]
    matrix = matrix[np.flatnonzero(np.diff(matrix.indptr))]
    low, high = pattern.known()
    value = pattern.system.value[part].astype(np.float64)
    far = 2.0 * pattern.threshold
    down = np.maximum(low[part] - value, -far)
    up = np.minimum(high[part] - value, far)
    choice = np.flatnonzero(free[part])
    n, m = len(part), len(choice)
    # Moves up and down from the true table; a count that is still shown moves only if it is chosen.
    pick = sparse.csr_matrix((np.ones(m), (np.arange(m), choice)), shape=(m, n))
    empty, none = sparse.csr_matrix((m, n)), sparse.csr_matrix((matrix.shape[0], n))
    wide = np.minimum(value[choice], far)
    below, above = sparse.diags(wide + down[choice]), sparse.diags(far - up[choice])
    at = int(np.searchsorted(part, target))
    apart = np.zeros(2 * n + m)
    apart[at], apart[n + at] = 1.0, -1.0
    blank = sparse.csr_matrix((matrix.shape[0], m))
    constraints = [
        optimize.LinearConstraint(sparse.hstack([matrix, none, blank]), 0, 0),
        optimize.LinearConstraint(sparse.hstack([none, matrix, blank]), 0, 0),
        optimize.LinearConstraint(apart[None, :], pattern.threshold - 1, np.inf),
    ]
    for one, other in ((pick, empty), (empty, pick)):
        constraints += [
            optimize.LinearConstraint(sparse.hstack([one, other, below]), down[choice], np.inf),
            optimize.LinearConstraint(sparse.hstack([one, other, -above]), -np.inf, up[choice]),
        ]
    least, most = down.copy(), up.copy()
    least[choice], most[choice] = -wide, far
    got = optimize.milp(
        np.concatenate([np.zeros(2 * n), cost[part][choice]]),
        integrality=np.concatenate([np.zeros(2 * n), np.ones(m)]),
        bounds=optimize.Bounds(
            np.concatenate([least, least, np.zeros(m)]), np.concatenate([most, most, np.ones(m)])
        ),
        constraints=constraints,
        options={"time_limit": _SECONDS},
    )
    if got.x is None:
        return np.empty(0, dtype=np.int64)
    return np.asarray(part[choice[got.x[2 * n :] > 0.5]])


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

"""What a reader can work out: the tightest bounds of every count that was left out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from crewe.disclosure.protect import Protected, assumptions, many, opened, pattern_of, typed
from crewe.disclosure.rules import Rule
from crewe.disclosure.system import possible
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.source import build
from crewe.tables.display import Table
from crewe.tables.printable import Printable


@dataclass(frozen=True)
class Bound:
    """What a reader knows of a count that was left out.

    Attributes
    ----------
    where : str
        Whose count it is.
    of : str
        What is counted.
    least, most : float
        Between what it lies; `most` is infinite where nothing bounds it.
    printed : bool
        Whether a symbol stands for it in a table, or it is a count that no table names and that
        differences of others would give.
    """

    where: str
    of: str
    least: float
    most: float
    printed: bool

    @property
    def values(self) -> float:
        """How many whole numbers it may be."""
        return float(possible(np.array([self.least]), np.array([self.most]))[0])


@dataclass(repr=False)
class Audit(Printable):
    """The bounds that readers have of suppressed counts; made by :func:`audit`.

    Attributes
    ----------
    threshold : int
        How many values each must be possible to have.
    bounds : list of Bound
        One for each count that was left out, those bounded most closely first.
    shown : int
        Small counts that are not left out at all.
    notes : list of str
        What was taken for granted.
    """

    threshold: int
    bounds: list[Bound]
    shown: int
    notes: list[str] = field(default_factory=list)

    @property
    def unsafe(self) -> list[Bound]:
        """Counts that can be bounded to fewer values than the threshold."""
        return [bound for bound in self.bounds if bound.values < self.threshold]

    @property
    def safe(self) -> bool:
        """Whether no count can be bounded so, and no small count is shown."""
        return not self.unsafe and not self.shown

    def tidy(self) -> Any:
        """Give a row for each count that was left out: where, of, least, most, values, safe."""
        return build(
            {
                "where": [bound.where for bound in self.bounds],
                "of": [bound.of for bound in self.bounds],
                "least": [bound.least for bound in self.bounds],
                "most": [bound.most for bound in self.bounds],
                "values": [bound.values for bound in self.bounds],
                "safe": [bound.values >= self.threshold for bound in self.bounds],
            }
        )

    def methods(self) -> list[str]:
        """Say how the bounds were worked out."""
        return [
            "Bounds of suppressed counts are the least and the greatest values that agree with all published "
            "counts, their totals and counts not being negative (linear programming with HiGHS)."
        ]

    def _panels(self) -> list[Table]:
        rows = [
            [
                bound.where,
                bound.of,
                _number(bound.least),
                _number(bound.most),
                _number(bound.values),
                "yes" if bound.values >= self.threshold else "no",
            ]
            for bound in self.bounds
        ]
        verdict = (
            f"No suppressed count can be bounded to fewer than {self.threshold} values."
            if not self.unsafe
            else f"{many(len(self.unsafe), 'suppressed count')} can be bounded to fewer than {self.threshold} values."
        )
        if self.shown:
            verdict += f" Shown: {many(self.shown, 'count')} under {self.threshold}."
        return [
            Table(
                ["suppressed count", "of", "least", "most", "values", "safe"],
                rows,
                title="Audit of suppressed counts",
                notes=[verdict, *(f"{note[:1].upper()}{note[1:]}." for note in self.notes)],
                align="llrrrl",
            )
        ]


def _number(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:,.6g}"


@checked
def audit(tables: Any, rule: Rule) -> Audit:
    """Say what a reader can work out of counts that were left out.

    Parameters
    ----------
    tables : Protected, or results, tables, lists and mappings of them
        What is published together. A result that was not protected is audited as it is printed; a
        pattern that was made elsewhere is given by :func:`tabulated` with `withheld=`.
    rule : Rule
        Its threshold, and its structural zeros.

    Returns
    -------
    Audit

    Raises
    ------
    InputError
        For what has no tables, counts that are negative or fractional, and parts that do not add up.
    CreweError
        Where scipy is not installed.

    Notes
    -----
    For each count that was left out two linear programmes are solved: the least and the greatest value
    under the equations of totals and parts, with published counts known (or known to lie within half a
    base, where they are rounded) and all counts at least 0. All tables count: equal numbers of the
    same group are one count.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> frame = pd.DataFrame({
    ...     "arm": ["a", "a", "a", "b", "b", "b"],
    ...     "closed": ["no", "yes", "Total"] * 2,
    ...     "n": [3, 9, 12, 8, 20, 28],
    ...     "left_out": [True, False, False, False, False, False],
    ... })
    >>> table = cw.disclosure.tabulated(frame, count="n", by=["arm", "closed"], withheld="left_out")
    >>> found = cw.disclosure.audit(table, cw.disclosure.Rule())
    >>> found.safe, found.bounds[0].least, found.bounds[0].most
    (False, 3.0, 3.0)
    """
    if isinstance(tables, Protected):
        pattern, notes = replace(tables.pattern, threshold=rule.threshold), list(tables.assumed)
    else:
        made = [typed(table, f"table {k + 1}") for k, (_, table) in enumerate(opened(tables))]
        if not made:
            raise fault(
                InputError, "there is nothing to audit", remedy="Pass results that print tables"
            )
        pattern = pattern_of(replace(rule, base=1), made)
        left = np.array([count.withheld for count in pattern.system.counts], dtype=np.bool_)
        pattern.primary = left & ~pattern.system.printed
        notes = assumptions(pattern, rule, made)
    system = pattern.system
    small = (system.value < rule.threshold) & system.printed & ~system.harmless
    targets = np.flatnonzero(pattern.targets)
    least, most = system.bounds(*pattern.known(), targets)
    named = pattern.primary | pattern.secondary
    found = [
        Bound(
            system.counts[place].where,
            system.counts[place].of,
            round(float(least[k]), 6) + 0.0,
            round(float(most[k]), 6) + 0.0,
            bool(named[place]),
        )
        for k, place in enumerate(targets)
    ]
    found.sort(key=lambda bound: bound.values)
    return Audit(rule.threshold, found, int((small & ~pattern.hidden).sum()), notes)

"""A rule that applies to figures: what they write of counts is protected together with the tables beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from crewe.disclosure.pattern import Pattern
from crewe.disclosure.pattern import protect as find
from crewe.disclosure.protect import Protected, Writer, costs, opened, pattern_of
from crewe.disclosure.rules import Rule
from crewe.exceptions import InputError, fault
from crewe.tables.counts import PROTECTOR, At, Count, Relation, cell
from crewe.tables.display import Table


@contextmanager
def applying(rule: Rule | Protected, *, published: Sequence[Any] = ()) -> Iterator[None]:
    """Let a rule apply to the counts that figures write, such as the numbers at risk under curves.

    What tables print stays as it was decided; a figure's counts are protected against these tables and
    against the figures before it.

    Parameters
    ----------
    rule : Rule or Protected
        The rule; or results that were protected, whose tables stand beside the figures.
    published : sequence of results
        With a rule: what is published beside the figures, as it is.

    Raises
    ------
    InputError
        For what is no rule, and where the tables already give a small count away.

    Examples
    --------
    >>> import crewe as cw
    >>> curves = cw.kaplan_meier("Surv(week, arrest) ~ fin", cw.datasets.rossi().head(40))
    >>> with cw.disclosure.applying(cw.disclosure.Rule()):
    ...     axes = curves.plot()
    """
    if not isinstance(rule, Rule | Protected):
        raise fault(
            InputError,
            f"{type(rule).__name__} is no rule of disclosure",
            remedy="Pass cw.disclosure.Rule(), or what rule.protect(...) gave",
        )
    token = PROTECTOR.set(_Figures(rule, [table for _, table in opened(list(published))]))
    try:
        yield
    finally:
        PROTECTOR.reset(token)


class _Figures:
    """Writes the counts of one figure after the other; what was decided before stays decided."""

    def __init__(self, rule: Rule | Protected, published: Sequence[Table]) -> None:
        self._rule = rule.rule if isinstance(rule, Protected) else rule
        self._published = published
        self._tables = list(rule.before) if isinstance(rule, Protected) else []
        self._hidden: dict[tuple[At, int], bool] = {}
        if isinstance(rule, Protected):
            self._decide(rule.pattern)

    def __call__(self, counts: Sequence[Count], relations: Sequence[Relation]) -> list[str]:
        self._tables.append(Table([""], [["", *map(cell, counts)]], relations=relations))
        pattern = pattern_of(self._rule, self._tables, self._published)
        for place, count in enumerate(pattern.system.counts):
            hidden = self._hidden.get((count.at, count.value))
            if hidden is not None:
                pattern.secondary[place] = hidden and not pattern.primary[place]
                pattern.fixed[place] |= not hidden
        find(pattern, costs(pattern, self._rule))
        self._decide(pattern)
        writer = Writer(pattern)
        return [writer.cell(cell(count))[0] for count in counts]

    def _decide(self, pattern: Pattern) -> None:
        left = pattern.primary | pattern.secondary
        for place in np.flatnonzero(pattern.system.printed | left):
            count = pattern.system.counts[place]
            self._hidden[(count.at, count.value)] = bool(left[place])

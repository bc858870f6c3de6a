"""How results look: one table type, printed alike in a terminal, a notebook and a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from crewe.tables.counts import Counted, Relation, within
from crewe.tables.printable import Printable
from crewe.tables.sheet import Cell, Sheet, Stacked, clean, minus


def number(value: Any, digits: int = 4) -> str:
    """Print a number to `digits` decimals, small ones to two digits; text as it is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    value = float(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value != 0 and abs(value) < 10**-digits:
        # Readers of reports count noughts rather than powers, up to a millionth.
        first = -math.floor(math.log10(abs(value)))
        return f"{value:.{first + 1}f}" if first <= 6 else f"{value:.1e}"
    if abs(value) >= 1e6:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}"


def p_value(value: float) -> str:
    """Print a p-value: three decimals, never 0."""
    if value != value:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def stars(value: float) -> str:
    """Give the stars of a p-value: *** below .01, ** below .05, * below .10."""
    return "***" if value < 0.01 else "**" if value < 0.05 else "*" if value < 0.10 else ""


@dataclass(repr=False)
class Table(Printable):
    """A table ready to print, in every format.

    Attributes
    ----------
    header : sequence of str
        The column headings; the first column is a row label.
    rows : sequence of sequences
        The cells: text, numbers, counts that know whose they are, or an estimate with its bracket.
    title : str
        The caption.
    notes : sequence of str, or cells of counts
        What stands under it.
    digits : int
        Decimals for numbers that are not text already.
    align : str
        A letter a column, `l` for text and `r` for numbers; the first alone is text otherwise.
    heads : sequence of sequences of str
        Further heading rows.
    facts : sequence of sequences of str
        The lines at the foot, parted by a rule.
    relations : sequence of Relation
        Which counts add up to which, beyond those that the cells hold.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    notes: Sequence[Any] = field(default_factory=list)
    digits: int = 4
    align: str = ""
    heads: Sequence[Sequence[str]] = ()
    facts: Sequence[Sequence[str]] = ()
    relations: Sequence[Relation] = field(default=(), repr=False)

    def within(self, place: tuple[str, str]) -> Table:
        """Give the table as that of one group: its counts are of that group."""

        def placed(values: Sequence[Any]) -> list[Any]:
            return [within(value, place) for value in values]

        return replace(
            self,
            rows=[placed(row) for row in self.rows],
            notes=placed(self.notes),
            relations=placed(self.relations),
        )

    def cells(self) -> list[list[str]]:
        """Give the rows as text."""
        return self.sheet().body()

    def sheet(self, alone: bool = True) -> Sheet:
        """Give the table as the writers of formats take it."""

        def words(row: Sequence[Any]) -> tuple[str, ...]:
            return tuple(clean(str(cell)) for cell in row)

        return Sheet(
            title=clean(str(self.title)),
            notes=words(self.notes),
            heads=tuple(map(words, [self.header, *self.heads])),
            rows=tuple(
                tuple(self._cell(value, label=j == 0) for j, value in enumerate(row))
                for row in self.rows
            ),
            facts=tuple(map(words, self.facts)),
            align=self.align or "l" + "r" * (len(self.header) - 1),
            alone=alone,
        )

    def _cell(self, value: Any, *, label: bool) -> Cell:
        if isinstance(value, Stacked):
            return Stacked(minus(clean(value.top)), minus(clean(value.below)))
        text = clean(str(value) if isinstance(value, Counted) else number(value, self.digits))
        # The names of rows are the data's, whatever they look like.
        return text if label else minus(text)

    def _panels(self) -> Sequence[Table]:
        return [self]

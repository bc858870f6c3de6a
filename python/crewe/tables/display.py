"""How results look: one table type, printed alike in a terminal, a notebook and a report."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


def number(value: Any, digits: int = 4) -> str:
    """Print a number to `digits` decimals, small ones in scientific notation; text as it is."""
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
        return f"{value:.1e}"
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


@dataclass
class Table:
    """A table ready to print.

    Attributes
    ----------
    header : sequence of str
        The column headings; the first column is a row label.
    rows : sequence of sequences
        The cells, text or numbers.
    title : str
        The caption.
    notes : sequence of str
        What stands under it.
    digits : int
        Decimals for numbers that are not text already.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    notes: Sequence[str] = field(default_factory=list)
    digits: int = 4

    def cells(self) -> list[list[str]]:
        """Give the rows as text."""
        return [[number(cell, self.digits) for cell in row] for row in self.rows]

    def text(self) -> str:
        """Give the table for a terminal."""
        cells = [list(self.header), *self.cells()]
        widths = [max(len(row[j]) for row in cells) for j in range(len(self.header))]
        lines = [
            "  ".join(
                cell.ljust(width) if j == 0 else cell.rjust(width)
                for j, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        rule = "─" * max(len(line) for line in lines)
        body = [lines[0], rule, *lines[1:]]
        head = [self.title, ""] if self.title else []
        notes = ["", *self.notes] if self.notes else []
        return "\n".join([*head, *body, *notes])

    def html(self) -> str:
        """Give the table as HTML: a caption, column and row headings in `th` with a scope."""

        def cell(tag: str, value: str, extra: str = "") -> str:
            return f"<{tag}{extra}>{html.escape(value)}</{tag}>"

        head = "".join(cell("th", title, ' scope="col"') for title in self.header)
        body = "".join(
            "<tr>"
            + cell("th", row[0], ' scope="row"')
            + "".join(cell("td", value) for value in row[1:])
            + "</tr>"
            for row in self.cells()
        )
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        notes = "".join(f"<p class='crewe-note'>{html.escape(note)}</p>" for note in self.notes)
        return (
            f"<table class='crewe'>{caption}<thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{notes}"
        )

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

"""How results look: one table type, printed alike in a terminal, a notebook and a report."""

from __future__ import annotations

import html
import math
import re
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


# The sign shows where the table is wider than its place, and is pulled out of sight where it is not: 100% is the width of
# the table, 100cqw that of its place. Where styles are taken out nothing of it is left.
_SCROLL = (
    "<style>.crewe-scroll{max-width:100%;container-type:inline-size;contain-intrinsic-inline-size:40rem}"
    ".crewe-scroll>div{width:min-content;min-width:100%}"
    '.crewe-scroll>div::before{content:"Scroll for more columns \\2192";display:block;position:sticky;left:0;'
    "width:max-content;max-width:100vw;height:1.6em;margin-top:-1.6em;"
    "margin-top:clamp(-1.6em,(100% - 100cqw - 1px)/.0001 - 1.6em,0px);font-size:.85em;opacity:.8}"
    "@media print{.crewe-scroll{container-type:normal}.crewe-scroll>div::before{content:none}}</style>"
    '<div class="crewe-scroll" style="overflow-x:auto" tabindex="0"><div>',
    "</div></div>",
)
_SCROLLED = re.compile(rf"{re.escape(_SCROLL[0])}(.*?</table>){re.escape(_SCROLL[1])}", re.DOTALL)


def scrolled(table: str) -> str:
    """Let a table that is wider than its place scroll, under a sign that says so."""
    return f"{_SCROLL[0]}{table}{_SCROLL[1]}"


def unscrolled(text: str) -> str:
    """Give HTML with its tables bare, for pages that scroll them in their own way."""
    return _SCROLLED.sub(r"\1", text)


def paragraphs(notes: Sequence[str]) -> str:
    """Give notes as they stand under a table."""
    return "".join(f"<p class='crewe-note'>{html.escape(note)}</p>" for note in notes)


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
        table = f"<table class='crewe'>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return scrolled(table) + paragraphs(self.notes)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

"""A table as the writers of formats take it: every cell is text, and every row has every column."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Stacked:
    """A cell of two lines: an estimate, stars at its end, and what stands in brackets under it."""

    top: str
    below: str = ""


Cell = str | Stacked


@dataclass(frozen=True)
class Sheet:
    """A printed table, the one thing that the writer of a format is given.

    The text holds no control characters but tabs, and no line breaks but newlines; what a format
    cannot hold beyond that, its writer escapes.

    Attributes
    ----------
    title : str
        The caption, or nothing.
    notes : tuple of str
        What stands under the table.
    heads : tuple of rows of str
        The heading rows, one or more; the first column is that of the row labels.
    rows : tuple of rows of str or Stacked
        The body.
    facts : tuple of rows of str
        The lines at the foot, which a rule parts from the body; often none.
    align : str
        A letter a column: `l` for text, `r` for numbers.
    alone : bool
        Whether the result prints this table only.
    """

    title: str
    notes: tuple[str, ...]
    heads: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[Cell, ...], ...]
    facts: tuple[tuple[str, ...], ...]
    align: str
    alone: bool = True

    def body(self) -> list[list[str]]:
        """Give the rows as lines of text: what is stacked becomes two lines."""
        lines = []
        for row in self.rows:
            lines.append([cell.top if isinstance(cell, Stacked) else cell for cell in row])
            below = [cell.below if isinstance(cell, Stacked) else "" for cell in row]
            if any(below):
                lines.append(below)
        return lines

    def lines(self) -> list[list[str]]:
        """Give headings, rows and the lines at the foot, one under the other."""
        return [*map(list, self.heads), *self.body(), *map(list, self.facts)]


_BREAK = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# A terminal obeys them, XML and CSV have no place for them, LaTeX stops at them.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def clean(text: str) -> str:
    r"""Write line breaks of every kind as `\n` and leave out other control characters.

    Examples
    --------
    >>> clean("one\r\ntwo\x1b[2J")
    'one\ntwo[2J'
    """
    return _CONTROL.sub("", _BREAK.sub("\n", text))


_HYPHEN = re.compile(r"(?<![\w.\u2010-\u2015-])-(?=[£$€]?[\d.])")
_NUMERIC = re.compile("[(\\[]?[\N{MINUS SIGN}+£$€]*[\\d.]")
_MINUS = re.compile("\N{MINUS SIGN}(?=[\\d.])")


def minus(text: str) -> str:
    r"""Write the sign of negative numbers as a minus, which is as wide as a plus.

    Examples
    --------
    >>> minus("-0.16 (-1.2 to 3)"), minus("2016-11-01"), minus("1.5e-05")
    ('−0.16 (−1.2 to 3)', '2016-11-01', '1.5e-05')
    """
    return _HYPHEN.sub("\N{MINUS SIGN}", text)


def hyphen(text: str) -> str:
    """Write the sign of negative numbers as programs read it; words stay as they are."""
    return _MINUS.sub("-", text) if _NUMERIC.match(text) else text


def one_line(text: str) -> str:
    r"""Write line breaks and tabs as spaces, where either would end a row or a column.

    Examples
    --------
    >>> one_line("one \n two")
    'one two'
    """
    return re.sub(r"\s*[\n\t]\s*", " ", text)

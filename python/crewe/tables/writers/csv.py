"""CSV (RFC 4180): the cells as they are printed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crewe.tables.sheet import Sheet, hyphen
from crewe.tables.writers.registry import writer


@writer("csv", ".csv")
def csv(sheet: Sheet) -> str:
    """Give headings and rows as comma-separated values, each cell as it is printed but for the sign of negative numbers.

    Title and notes are no cells and are left out. The digits behind the cells are in `tidy()`.
    """
    # A spreadsheet reads -1 as a number and no other sign.
    body = [[row[0], *map(hyphen, row[1:])] for row in [*sheet.body(), *map(list, sheet.facts)]]
    lines = [_line(row) for row in [*map(list, sheet.heads), *body]]
    # Of several tables each says which it is.
    return "\n".join(lines if sheet.alone or not sheet.title else [_line([sheet.title]), *lines])


def _line(row: Sequence[str]) -> str:
    # A line with nothing on it is no row.
    return ",".join(map(_cell, row)) or '""'


def _cell(text: str) -> str:
    if re.search(r'[",\n]|^\s|\s$', text):
        return '"' + text.replace('"', '""') + '"'
    return text

"""Text for a terminal: columns set with spaces."""

from __future__ import annotations

from crewe.tables.sheet import Sheet, one_line
from crewe.tables.writers.registry import writer


@writer("text", ".txt")
def text(sheet: Sheet) -> str:
    """Give the table for a terminal."""
    cells = [[one_line(cell) for cell in row] for row in sheet.lines()]
    widths = [max(len(row[j]) for row in cells) for j in range(len(cells[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if place == "l" else cell.rjust(width)
            for cell, width, place in zip(row, widths, sheet.align, strict=True)
        ).rstrip()
        for row in cells
    ]
    rule = "─" * max(len(line) for line in lines)
    head = [one_line(sheet.title), ""] if sheet.title else []
    notes = ["", *map(one_line, sheet.notes)] if sheet.notes else []
    return "\n".join([*head, lines[0], rule, *lines[1:], *notes])

"""Markdown: a pipe table, as GitHub, pandoc and Quarto read it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crewe.tables.sheet import Sheet, one_line
from crewe.tables.writers.registry import writer


@writer("markdown", ".md", ".markdown")
def markdown(sheet: Sheet) -> str:
    """Give the table as a Markdown pipe table, the title in bold over it."""
    grid = [[escape(cell).replace("|", "\\|") for cell in row] for row in sheet.lines()]
    widths = [max(len(row[j]) for row in grid) for j in range(len(grid[0]))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.ljust(width) if place == "l" else cell.rjust(width)
            for cell, width, place in zip(row, widths, sheet.align, strict=True)
        )
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "".join(
        f":{'-' * (width + 1)}|" if place == "l" else f"{'-' * (width + 1)}:|"
        for width, place in zip(widths, sheet.align, strict=True)
    )
    title = escape(sheet.title).strip()
    head = [f"**{title}**", ""] if title else []
    notes = ["", *map(_note, sheet.notes)] if sheet.notes else []
    return "\n".join([*head, line(grid[0]), rule, *map(line, grid[1:]), *notes])


def escape(text: str) -> str:
    r"""Let text be text: no signs that mean bold, code or mathematics, no HTML, no links.

    Examples
    --------
    >>> print(escape("a*b, x_1, _x_, [a](b), <b>, $5"))
    a\*b, x_1, \_x\_, [a]\(b), \<b>, \$5
    """
    text = one_line(text).replace("\\", "\\\\")
    text = re.sub(r"[*`$^]", r"\\\g<0>", text)
    # Between letters an underscore, and between spaces a tilde, mean themselves.
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    text = re.sub(r"(?<!\s)~|~(?!\s)", r"\\~", text)
    # The name of a source, to pandoc.
    text = re.sub(r"(?<!\w)@(?=\w)", r"\\@", text)
    # What follows on a bracket makes it a link, or a word with attributes; Quarto runs {{< … >}}.
    text = re.sub(r"(?<=\])[(\[{]|(?<=\{)\{", r"\\\g<0>", text)
    return re.sub(r"[<&](?=[A-Za-z/!?#])", r"\\\g<0>", text)


def _note(note: str) -> str:
    """Escape what makes a line a heading, a list, a rule, a table or the address of a link."""
    text = escape(note).lstrip()
    text = re.sub(r"^(\d+)(?=[.)](?:\s|$))", r"\1\\", text)
    return re.sub(r"^(?:[#>=+|-]|\[(?=[^\]]*\]:))", r"\\\g<0>", text)

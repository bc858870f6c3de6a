"""HTML: a table with a caption and scoped headings, for notebooks, reports and pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from crewe.tables.sheet import Cell, Sheet, Stacked
from crewe.tables.writers.registry import writer

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#1a1a1a}"
    "table{border-collapse:collapse;margin:1.5rem 0 0;font-variant-numeric:tabular-nums}"
    "caption{text-align:left;font-weight:600;padding:0 0 .5rem}"
    "th,td{padding:.3rem .7rem;text-align:right;vertical-align:top;font-weight:400}"
    "th:first-child,td:first-child,.left{text-align:left}"
    "thead th{font-weight:600;vertical-align:bottom}"
    "thead tr:first-child>*{border-top:2px solid}thead tr:last-child>*{border-bottom:1px solid}"
    "tbody.facts tr:first-child>*{border-top:1px solid}"
    "tbody:last-child tr:last-child>*{border-bottom:2px solid}"
    ".models td,.models thead th:not(:first-child){padding-right:2rem}.stars{position:absolute}.se{color:#505050}"
    ".crewe-note{color:#505050;font-size:13px;margin:.5rem 0 0;max-width:60rem}"
)


def page(text: str, title: str) -> str:
    """Make a whole page, which says how it is encoded: a browser guesses otherwise."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title or 'Table')}</title><style>{_STYLE}</style></head>\n"
        f"<body>{text}</body></html>\n"
    )


@writer("html", ".html", ".htm", between="", file=page)
def html(sheet: Sheet) -> str:
    """Give the table as HTML: a caption, column and row headings in `th` with a scope."""
    looks = [
        "" if j == 0 or place == "r" else ' class="left"' for j, place in enumerate(sheet.align)
    ]
    heads = [_head(row, looks, first=i == 0) for i, row in enumerate(sheet.heads)]
    body = "".join(_row(row, looks) for row in sheet.rows)
    facts = "".join(_row(row, looks) for row in sheet.facts)
    stacked = any(isinstance(cell, Stacked) for row in sheet.rows for cell in row)
    return (
        f'<table class="crewe{" models" if stacked else ""}">'
        + (f"<caption>{escape(sheet.title)}</caption>" if sheet.title else "")
        + f"<thead>{''.join(heads)}</thead><tbody>{body}</tbody>"
        + (f'<tbody class="facts">{facts}</tbody>' if facts else "")
        + "</table>"
        + "".join(f'<p class="crewe-note">{escape(note)}</p>' for note in sheet.notes)
    )


def _head(row: Sequence[str], looks: Sequence[str], *, first: bool) -> str:
    if not first:
        return _row(row, looks)
    # A heading that says nothing is none.
    corner = f'<th scope="col">{escape(row[0])}</th>' if row and row[0] else "<td></td>"
    rest = (
        f'<th scope="col"{look}>{escape(cell)}</th>'
        for cell, look in zip(row[1:], looks[1:], strict=True)
    )
    return f"<tr>{corner}{''.join(rest)}</tr>"


def _row(row: Sequence[Cell], looks: Sequence[str]) -> str:
    label, *cells = row
    values = (f"<td{look}>{_cell(cell)}</td>" for cell, look in zip(cells, looks[1:], strict=True))
    return f'<tr><th scope="row">{_cell(label)}</th>{"".join(values)}</tr>'


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    # The stars hang, so that the numbers stand under each other.
    plain = cell.top.rstrip("*")
    marks = cell.top[len(plain) :]
    hung = f'<span class="stars">{marks}</span>' if marks else ""
    below = f'<br><span class="se">{escape(cell.below)}</span>' if cell.below else ""
    return escape(plain) + hung + below

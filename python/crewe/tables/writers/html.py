"""HTML: a table with a caption and scoped headings, for notebooks, reports and pages."""

from __future__ import annotations

import re
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
    ".starred td,.starred thead th:not(:first-child){padding-right:2rem}.lines{white-space:pre-line}.stars{position:absolute}.se{color:#505050}"
    ".crewe-note{color:#505050;font-size:13px;margin:.5rem 0 0;max-width:60rem}"
)

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
    return "".join(f'<p class="crewe-note">{escape(note)}</p>' for note in notes)


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
    caption = f"<caption>{escape(sheet.title)}</caption>" if sheet.title else ""
    return scrolled(table(sheet, caption)) + paragraphs(sheet.notes)


def table(sheet: Sheet, caption: str) -> str:
    """Give the table alone, under a caption that is HTML already."""
    looks = [
        "" if j == 0 or place == "r" else ' class="left"' for j, place in enumerate(sheet.align)
    ]
    heads = [_head(row, looks, first=i == 0) for i, row in enumerate(sheet.heads)]
    body = "".join(_row(row, looks) for row in sheet.rows)
    facts = "".join(_row(row, looks) for row in sheet.facts)
    stacked = [cell for row in sheet.rows for cell in row if isinstance(cell, Stacked)]
    look = " models" if stacked else ""
    look += " starred" if any(cell.top.endswith("*") for cell in stacked) else ""
    return (
        f'<table class="crewe{look}">{caption}'
        + f"<thead>{''.join(heads)}</thead><tbody>{body}</tbody>"
        + (f'<tbody class="facts">{facts}</tbody>' if facts else "")
        + "</table>"
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
        # An estimate with its interval under it.
        return f'<span class="lines">{escape(cell)}</span>' if "\n" in cell else escape(cell)
    # The stars hang, so that the numbers stand under each other.
    plain = cell.top.rstrip("*")
    marks = cell.top[len(plain) :]
    hung = f'<span class="stars">{marks}</span>' if marks else ""
    below = f'<br><span class="se">{escape(cell.below)}</span>' if cell.below else ""
    return escape(plain) + hung + below

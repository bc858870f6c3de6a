"""What a result prints, says and is, as a report reads it."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crewe.exceptions import InputError, fault
from crewe.report import foreign
from crewe.report.document import Block, texts
from crewe.tables import protocols
from crewe.tables.display import Table, number, p_value
from crewe.tables.labels import pretty
from crewe.tables.printable import Printable
from crewe.tables.sheet import Cell, Sheet, Stacked, minus

_HEADS = {
    "term": "Term",
    "level": "Level",
    "by": "By",
    "estimate": "Estimate",
    "std_error": "Standard error",
    "statistic": "Statistic",
    "df": "df",
    "p_value": "p",
    "conf_low": "95% CI, low",
    "conf_high": "95% CI, high",
}


def panels(result: Any) -> list[Block | Table | Sheet] | None:
    """Give a result's own tables, a frame or a tidy result as a table, the words and tables of HTML, or None."""
    if isinstance(result, Printable):
        return list(result._panels())
    own = getattr(result, "_repr_html_", None)
    columns = isinstance(result, Mapping) and not callable(own)
    if columns and not all(map(_is_column, result.values())):
        raise fault(
            InputError,
            "a mapping of results is no table",
            values=[str(name) for name in result],
            remedy="Add them one after the other, or put models side by side with cw.table",
        )
    if protocols.is_frame(result) or columns:
        return [_frame_table(protocols.rows(result))]
    if callable(own):
        return [*foreign.read(str(own()))]
    if isinstance(result, protocols.Tidy):
        return [_frame_table(protocols.tidy(result))]
    return None


def _frame_table(rows: list[dict[str, Any]]) -> Table:
    names = list(rows[0]) if rows else []
    cells = [
        [
            pretty(str(row[name]))
            if name == "term"
            else p_value(row[name])
            if name == "p_value" and isinstance(row[name], float)
            else _plain_number(row[name])
            for name in names
        ]
        for row in rows
    ]
    heads = [
        _HEADS.get(name, name if "[" in name or "(" in name else name.replace("_", " "))
        for name in names
    ]
    return Table(heads, cells, digits=3)


def _is_column(values: Any) -> bool:
    return isinstance(values, Iterable) and not hasattr(values, "tidy")


def _plain_number(value: Any) -> Any:
    """Give a value as a cell; whole numbers stay numbers, for they may be counts."""
    if hasattr(value, "item"):
        value = value.item()
    if value is not None and not isinstance(value, str | numbers.Real):
        # Dates, and what else has no number: missing where it is not equal to itself.
        return "–" if value != value else getattr(value, "isoformat", value.__str__)()
    return value if isinstance(value, int) and not isinstance(value, bool) else number(value, 3)


def with_minus(sheet: Sheet) -> Sheet:
    """Write the hyphen before a number as a minus, also where a frame or a page of others gave the table."""

    def cell(given: Cell) -> Cell:
        if isinstance(given, Stacked):
            return Stacked(minus(given.top), minus(given.below))
        return minus(given)

    return replace(
        sheet,
        heads=tuple(tuple(map(minus, head)) for head in sheet.heads),
        rows=tuple(tuple(map(cell, row)) for row in sheet.rows),
        facts=tuple(tuple(map(minus, fact)) for fact in sheet.facts),
    )


def unsaid(notes: Sequence[str], found: Sequence[Block | Sheet], result: Any) -> list[str]:
    """Give the notes that do not stand under the tables yet; those of groups stand there with or without the group."""
    shown = [
        text
        for one in found
        for text in (
            [one.title, *texts(one), *one.notes]
            if isinstance(one, Sheet)
            else ["".join(run.text for run in getattr(one, "runs", ()))]
        )
    ]
    said = " ".join(" ".join(shown).split()).lower()

    def there(note: str) -> bool:
        return " ".join(note.split()).rstrip(".").lower() in said

    grouped = isinstance(result, Mapping)
    return [
        note
        for note in dict.fromkeys(notes)
        if not there(note) and not (grouped and there(note.partition(": ")[2] or note))
    ]


def bare(text: str) -> str:
    """Give a sentence without what may differ where it is said twice: spaces, capitals, the full stop."""
    return " ".join(text.split()).rstrip(".").lower()


def kinds_of(result: Any) -> frozenset[str]:
    """Give the names of the classes of a result, of the models of a table, and of a frame."""
    found = {kind.__name__ for kind in type(result).__mro__ if kind is not object}
    for source in protocols.attribute(result, "sources") or []:
        found |= kinds_of(source)
    if protocols.is_frame(result):
        found = {"Frame"}
    # An assignment was drawn here, or only observed.
    if "Assignment" in found and protocols.attribute(result, "commitment") is not None:
        found.add("Assignment.drawn")
    if protocols.attribute(result, "clusters") or protocols.attribute(result, "cluster"):
        found.add("Clustered")
    if protocols.methods(result) and protocols.formula(result):
        found.add("methods")
    if any("rows dropped for missing values" in note for note in protocols.notes(result)):
        found.add("Dropped")
    return frozenset(found)

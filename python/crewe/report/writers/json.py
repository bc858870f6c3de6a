"""`results.json`: the numbers of a report, each with what it estimates, how, and from which data."""

from __future__ import annotations

import json as notation
from typing import Any

from crewe.report.document import Document, Grid
from crewe.report.writers.registry import writer
from crewe.results.file import FORMAT, VERSION
from crewe.tables.sheet import Stacked


@writer("json", ".json")
def json(document: Document) -> str:
    """Give the numbers as JSON; `crewe.results.load` reads them, and `crewe.results.schema` says what they are."""
    methods: dict[tuple[str, ...], str] = {}
    data: dict[str, dict[str, Any]] = {}
    results = []
    for one in document.results["results"]:
        made = dict(one)
        sentences = tuple(made.pop("methods"))
        made["method"] = (
            methods.setdefault(sentences, f"method-{len(methods) + 1}") if sentences else None
        )
        found = made["data"]
        if found is not None:
            found = data.setdefault(found["fingerprint"], {"id": f"data-{len(data) + 1}", **found})
        made["data"] = None if found is None else found["id"]
        made["confidence"] = made.pop("level")
        results.append(made)
    whole = {
        "format": FORMAT,
        "version": VERSION,
        "report": {
            "title": document.title,
            "subtitle": document.subtitle,
            "author": document.author,
            "date": document.date.isoformat(),
            "synthetic": document.synthetic,
            "disclosure": document.statement or None,
        },
        "software": dict(document.software),
        "estimands": document.results["estimands"],
        "methods": [{"id": id, "sentences": list(said)} for said, id in methods.items()],
        "data": list(data.values()),
        "results": results,
        "tables": [_table(one) for one in document.tables],
        "figures": [
            {"name": one.name, "caption": one.caption, "alt": one.alt} for one in document.figures
        ],
    }
    return notation.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _table(one: Grid) -> dict[str, Any]:
    sheet = one.sheet
    return {
        "name": one.name,
        "caption": sheet.title,
        "heads": [list(row) for row in sheet.heads],
        "rows": [
            [[cell.top, cell.below] if isinstance(cell, Stacked) else cell for cell in row]
            for row in sheet.rows
        ],
        "facts": [list(row) for row in sheet.facts],
        "notes": list(sheet.notes),
    }

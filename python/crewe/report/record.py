"""What `results.json` says of a result: every number with what it is an estimate of, how, and from which data."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from typing import Any

from crewe.exceptions import CreweError
from crewe.frames.column import Columns
from crewe.frames.fingerprint import fingerprint
from crewe.tables import protocols

NUMBERS = ("tidy", "contrasts", "medians")
"""The methods of a result that give its numbers, each as a frame."""


def records(result: Any) -> Iterator[dict[str, Any]]:
    """Give a record for each model of a result, without its place in the report."""
    models = protocols.attribute(result, "sources")
    if isinstance(models, list):
        for model in models:
            yield from records(model)
        return
    yield _record(result)


def _record(result: Any) -> dict[str, Any]:
    facts = _facts(result)
    return {
        "kind": type(result).__name__,
        "formula": protocols.formula(result) or None,
        "outcome": outcome_of(result) or None,
        "n": _count(facts.get("n", protocols.attribute(result, "n"))),
        "clusters": _count(facts.get("clusters", protocols.attribute(result, "clusters"))),
        "cluster": _text(protocols.attribute(result, "cluster_name")),
        "level": protocols.level_of(result) if not protocols.is_frame(result) else None,
        "variance": _text(facts.get("vcov", protocols.attribute(result, "vcov_name"))),
        "methods": protocols.methods(result),
        "notes": protocols.notes(result),
        "synthetic": protocols.synthetic(result),
        "data": data_of(result),
        "facts": {name: safe(value) for name, value in facts.items()},
        "numbers": list(_numbers(result)),
    }


def _facts(result: Any) -> dict[str, Any]:
    try:
        return protocols.facts(result)
    except CreweError:
        return {}


def _numbers(result: Any) -> Iterator[dict[str, Any]]:
    if protocols.is_frame(result):
        for row in protocols.rows(result):
            yield {**{str(key): safe(value) for key, value in row.items()}, "table": "frame"}
        return
    for name in NUMBERS:
        method = protocols.attribute(result, name)
        if not callable(method):
            continue
        try:
            rows = protocols.rows(method())
        except (CreweError, TypeError):
            # What needs an argument, or the data that a loaded fit has left behind, is no table of the report.
            continue
        for row in rows:
            yield {**{str(key): safe(value) for key, value in row.items()}, "table": name}


def outcome_of(result: Any) -> str:
    """Give the outcome of a result: as it says, or the left side of its formula."""
    own = protocols.attribute(result, "outcome")
    if isinstance(own, str):
        return own
    formula = protocols.formula(result)
    return formula.partition("~")[0].strip() if "~" in formula else ""


def data_of(result: Any) -> dict[str, Any] | None:
    """Give the fingerprint of the analysed rows with the columns that it is of, where the result still has them."""
    ready = protocols.attribute(result, "fingerprint")
    if isinstance(ready, Mapping):
        return dict(ready)
    for name in ("data", "rows"):
        design = getattr(protocols.attribute(result, name), "design", None)
        columns = getattr(design, "columns", None)
        if isinstance(columns, Columns):
            return {
                "fingerprint": fingerprint(columns),
                "rows": columns.n,
                "columns": sorted(columns),
            }
    return None


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return int(value)


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str) and value else None


def safe(value: Any) -> Any:
    """Give a value as JSON holds it: numbers, text, true and false; none for what is missing, words for infinity.

    Examples
    --------
    >>> safe(float("nan")), safe(float("inf")), safe(datetime.date(2016, 11, 1))
    (None, 'Infinity', '2016-11-01')
    """
    if hasattr(value, "item") and not isinstance(value, str):
        try:
            value = value.item()
        except (ValueError, TypeError):
            return str(value)
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, datetime.date | datetime.datetime):
        return None if value != value else value.isoformat()
    if isinstance(value, list | tuple):
        return [safe(one) for one in value]
    return str(value)

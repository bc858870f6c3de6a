"""The words of synthetic data in print: every table of a result that rests on such data says so in its title."""

from __future__ import annotations

import functools
import inspect
from dataclasses import replace
from typing import Any

from crewe.tables import protocols

SAID = "SYNTHETIC data"


def titled(title: str) -> str:
    """Give a title that says that the data are synthetic, where it does not say so already.

    Examples
    --------
    >>> titled("Log-rank test"), titled("Closure (synthetic)"), titled("")
    ('Log-rank test (SYNTHETIC data)', 'Closure (synthetic)', 'SYNTHETIC data')
    """
    if "synthetic" in title.lower():
        return title
    return f"{title} ({SAID})" if title else SAID


def print_as_synthetic(kind: type) -> None:
    """Let the tables of a class say that the data are synthetic, where a result rests on such data."""
    found = vars(kind).get("_panels")
    if inspect.isfunction(found):
        kind._panels = _saying_so(found)  # type: ignore[attr-defined]


def _saying_so(method: Any) -> Any:
    @functools.wraps(method)
    def panels(self: Any) -> Any:
        tables = method(self)
        if not protocols.synthetic(self):
            return tables
        return [replace(table, title=titled(table.title)) for table in tables]

    return panels

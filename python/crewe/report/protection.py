"""What stands between results and a document: every table, figure and number passes it before any writer sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from crewe.report.document import Block
from crewe.tables.display import Table


class Guard:
    """Lets everything pass as it is; a rule of disclosure is a guard that does not."""

    def tables(self, place: int, tables: Sequence[Table]) -> Sequence[Table]:
        """Give the tables of one call of `Report.add`, of which `place` is the number from 0, as they may be shown."""
        return tables

    def drawing(self) -> AbstractContextManager[Any]:
        """Give what holds while results draw themselves and say their alternative texts."""
        return contextlib.nullcontext()

    def record(self, place: int, record: dict[str, Any]) -> dict[str, Any]:
        """Give what `results.json` may say of a result."""
        return record

    def statement(self, synthetic: bool) -> str:
        """Say what the first page and the foot of every page must say of small numbers; nothing where empty."""
        return ""

    def said(self) -> list[Block]:
        """Say what was done, as a section of the report."""
        return []

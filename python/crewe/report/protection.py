"""What stands between results and a document: every table, figure and number passes it before any writer sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from crewe.disclosure import Protected, Rule, applying, row_level_ids, small_cells
from crewe.exceptions import InputError, fault
from crewe.report.document import Block, Paragraph, Subheading
from crewe.report.pictures import Picture
from crewe.report.reading import panels
from crewe.report.words import plain, points
from crewe.tables import protocols
from crewe.tables.display import Table
from crewe.tables.printable import Printable

SMALL = 5
"""Counts below it are small where no rule says otherwise."""


class Guard:
    """Lets everything pass as it is, and counts the small counts of real data.

    Attributes
    ----------
    small : int
        How many small counts of real data were shown.
    """

    def __init__(self) -> None:
        self.small = 0

    def building(self) -> AbstractContextManager[Any]:
        """Give what holds while results print and draw themselves."""
        return contextlib.nullcontext()

    def frame(self, frame: Any, ids: Sequence[str], synthetic: bool) -> None:
        """Refuse rows of real people under their identifiers.

        Raises
        ------
        InputError
            Where a column holds identifiers and is not asked for by name.
        """
        if synthetic or not protocols.is_frame(frame):
            return
        found = [name for name in row_level_ids(frame) if name not in ids]
        if found:
            raise fault(
                InputError,
                "the data frame holds people or units row by row, under their identifiers",
                values=found,
                remedy="Leave the columns out, replace them with cw.disclosure.pseudonymise, say synthetic=True of data made "
                f"by a program, or ask for them by name: ids={found!r}",
            )

    def tables(self, place: int, tables: Sequence[Table], synthetic: bool) -> Sequence[Table]:
        """Give the tables of one call of `Report.add`, of which `place` is the number from 0, as they may be shown."""
        if not synthetic:
            self.small += sum(small_cells(table) for table in tables)
        return tables

    def record(self, place: int, record: dict[str, Any]) -> dict[str, Any]:
        """Give what `results.json` may say of a result."""
        return record

    def statement(self) -> str:
        """Say what the first page and the foot of every page must say of small counts; nothing where empty."""
        if not self.small:
            return ""
        counts = "1 count" if self.small == 1 else f"{self.small:,} counts"
        return f"NOT FOR PUBLICATION: this report shows {counts} under {SMALL} of real data."

    def said(self) -> list[Block]:
        """Say what was done, as a section of the report."""
        return []


class Ruled(Guard):
    """Protects all tables of a report together under a rule, and the figures beside them.

    Parameters
    ----------
    rule : Rule
        The rule.
    sources : sequence
        What was added, in order.
    """

    def __init__(self, rule: Rule, sources: Sequence[Any]) -> None:
        super().__init__()
        self.rule = rule
        self._places: dict[int, int] = {}
        self._outside = sum(isinstance(source, Picture) for source in sources)
        results: list[Any] = []
        for place, source in enumerate(sources):
            found = _protectable(source)
            if found is not None:
                self._places[place] = len(results)
                results.append(found)
        self.protected: Protected | None = rule.protect(*results) if results else None

    def building(self) -> AbstractContextManager[Any]:
        """Give what holds while results print and draw themselves: figures are protected against tables and each other."""
        return applying(self.protected if self.protected is not None else self.rule)

    def tables(self, place: int, tables: Sequence[Table], synthetic: bool) -> Sequence[Table]:
        """Give the tables of one call as the rule has them."""
        if place not in self._places or self.protected is None:
            return tables
        return self.protected[self._places[place]].tables

    def record(self, place: int, record: dict[str, Any]) -> dict[str, Any]:
        """Withhold the numbers of a result whose tables were changed: they would give away what was left out."""
        if place not in self._places or self.protected is None:
            return record
        done = self.protected[self._places[place]].done
        if all(row["action"] == "shown" for row in done):
            return record
        note = "the numbers are withheld, for counts behind them are protected"
        return {**record, "numbers": [], "facts": {}, "notes": [*record["notes"], note]}

    def statement(self) -> str:
        """Say which counts are left out."""
        rounded = f", the others rounded to {self.rule.base}" if self.rule.base > 1 else ""
        return f"Disclosure control: counts under {self.rule.threshold} are suppressed{rounded}."

    def said(self) -> list[Block]:
        """Say what the rule is and what was done under it."""
        made: list[Block] = []
        if self.protected is not None:
            made += [Paragraph(plain(" ".join(self.protected.methods())))]
            made += [Subheading(plain("What was done"))]
            made += [
                points([plain(f"{note[:1].upper()}{note[1:]}.") for note in self.protected.notes])
            ]
        if self._outside:
            figures = "1 figure was" if self._outside == 1 else f"{self._outside} figures were"
            made.append(
                Paragraph(
                    plain(
                        f"{figures} drawn before the rule applied, and not checked: look at their counts."
                    )
                )
            )
        return made


def _protectable(source: Any) -> Any:
    """Give a result, or the table of a frame, as a rule takes it; None for words and for figures."""
    if isinstance(source, Printable):
        return source
    found = panels(source) if source is not None and not isinstance(source, Picture) else None
    tables = [one for one in found or [] if isinstance(one, Table)]
    return tables or None

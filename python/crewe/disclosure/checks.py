"""What a report says of itself before it goes out: small counts, and people row by row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from crewe.disclosure.protect import many, opened, typed
from crewe.disclosure.rules import Rule
from crewe.frames.arguments import checked
from crewe.frames.source import Source, build
from crewe.tables import protocols
from crewe.tables.counts import counts_in, parts_of
from crewe.tables.display import Table
from crewe.tables.printable import Printable

_ID = re.compile(
    r"(?:^|[_\W])(?:id|ids|upn|uln|nhs|ref|reference|identifier|key)(?:$|[_\W\d])|Id$|ID$", re.I
)


_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")


@dataclass(repr=False)
class Check(Printable):
    """Small counts and people's rows in results; made by :func:`check`.

    Attributes
    ----------
    threshold : int
        Counts below it are small.
    titles : list of str
        The results.
    small : list of int
        How many small counts each shows, zeros that were not declared structural among them.
    ids : list of list of str
        Columns of each that hold a row's own identifier.
    untyped : list of bool
        Whether a result holds no counts that are known as such, so that it was not checked.
    """

    threshold: int
    titles: list[str]
    small: list[int]
    ids: list[list[str]]
    untyped: list[bool] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was found; what was not checked is not found."""
        return not sum(self.small) and not any(self.ids)

    def tidy(self) -> Any:
        """Give a row for each table: title, small, ids, checked."""
        return build(
            {
                "title": self.titles,
                "small": self.small,
                "ids": [", ".join(names) for names in self.ids],
                "checked": [not one for one in self.untyped],
            }
        )

    def _panels(self) -> list[Table]:
        rows = [
            [title, str(small), ", ".join(ids) or "none", "no" if untyped else "yes"]
            for title, small, ids, untyped in zip(
                self.titles, self.small, self.ids, self.untyped, strict=True
            )
        ]
        said = (
            "Nothing was found."
            if self.clean
            else f"Shown: {many(sum(self.small), 'count')} under {self.threshold}, and "
            f"{many(sum(map(bool, self.ids)), 'table')} with identifiers of rows."
        )
        return [
            Table(
                ["table", f"counts under {self.threshold}", "identifiers", "counts known"],
                rows,
                title="Disclosure check",
                notes=[said],
                align="lrll",
            )
        ]


def small_cells(table: Table, rule: Rule | None = None) -> int:
    """Count the cells of a table that show a count under the threshold.

    Parameters
    ----------
    table : Table
        The table.
    rule : Rule, optional
        With the threshold, 5 otherwise, and structural zeros.

    Examples
    --------
    >>> import crewe as cw
    >>> few = cw.crosstab("arrest ~ fin", cw.datasets.rossi().head(20))
    >>> cw.disclosure.small_cells(few.table())
    3
    """
    rule = rule or Rule()
    shown = {count for part in parts_of(typed(table, "").rows) for count in counts_in(part)}
    return sum(
        count.value < rule.threshold
        and not count.harmless
        and not (count.value == 0 and rule.zero_is_structural(count.at))
        for count in shown
    )


@checked
def row_level_ids(frame: Any, *, unit: str | None = None) -> list[str]:
    """Name the columns of a frame that identify its rows or the units of a trial.

    A column is one where a design names it as the unit, or where its name says so (`id`, `upn`, `ref`,
    `child_id`), or where it holds text that is another in nearly every row of at least ten; labels of a
    few rows, and numbers, dates and estimates, are not taken for identifiers by their values alone.

    Parameters
    ----------
    frame : data frame
        The frame.
    unit : str, optional
        The column of the unit that was randomised.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import crewe as cw
    >>> cw.disclosure.row_level_ids(cw.datasets.project_crewe(seed=2017).cases)[:2]
    ['case_id', 'family_id']
    """
    source = Source(frame)
    return [name for name in source.names if name == unit or _identifies(source, name)]


def _identifies(source: Source, name: str) -> bool:
    cells = [cell for cell in source.cells(name) if cell is not None]
    if not cells:
        return False
    distinct = len({str(cell) for cell in cells})
    if _ID.search(name):
        # A level of a few rows, such as a site's reference, is a group and not a person.
        return 2 * distinct >= len(cells) or distinct > 20
    texts = sum(isinstance(cell, str) for cell in cells)
    dates = sum(_DATE.match(str(cell)) is not None for cell in cells)
    return len(cells) >= 10 and texts == len(cells) and not dates and distinct >= 0.95 * len(cells)


@checked
def check(results: Any, rule: Rule | None = None, *, unit: str | None = None) -> Check:
    """Say of results how many small counts they show, and which hold people's rows.

    Parameters
    ----------
    results : results, tables, frames, or lists and mappings of them
        What is to be published.
    rule : Rule, optional
        With the threshold, 5 otherwise, and structural zeros.
    unit : str, optional
        The column of the unit that was randomised, whose name need not say that it identifies.

    Returns
    -------
    Check

    Raises
    ------
    InputError
        For what is neither a result nor a frame.

    Examples
    --------
    >>> import crewe as cw
    >>> few = cw.crosstab("arrest ~ fin", cw.datasets.rossi().head(20))
    >>> cw.disclosure.check([few, cw.datasets.rossi().head(20)]).small
    [3, 0]
    """
    rule = rule or Rule()
    made = Check(rule.threshold, [], [], [])
    for one in results if isinstance(results, list | tuple) else [results]:
        if protocols.is_frame(one):
            _add(made, "a frame", 0, row_level_ids(one, unit=unit), untyped=False)
            continue
        for result, table in opened(one):
            shown = [*parts_of(typed(table, "").rows)]
            _add(
                made,
                str(table.title) or type(result).__name__,
                small_cells(table, rule),
                _ids_of(table, unit),
                untyped=not shown,
            )
    return made


def _add(made: Check, title: str, small: int, ids: Sequence[str], *, untyped: bool) -> None:
    made.titles.append(title)
    made.small.append(small)
    made.ids.append(list(ids))
    made.untyped.append(untyped)


def _ids_of(table: Table, unit: str | None) -> list[str]:
    """Name the columns of a printed table that hold identifiers: the text of its cells is all there is."""
    names = [str(name) for name in table.header]
    columns = list(zip(*(map(str, row) for row in table.cells()), strict=False))
    if len(set(names)) < len(names) or not columns:
        return []
    return [
        name
        for name, cells in zip(names, columns, strict=False)
        if name and (name == unit or (_ID.search(name) and len(set(cells)) > 20))
    ]

"""Frames of counts as tables whose totals are known as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.source import Source
from crewe.tables.counts import Count, Counted, Relation, counted
from crewe.tables.display import Table
from crewe.tables.synthetic import titled

Parts = Mapping[str, Mapping[str, Sequence[str]]]


@checked
def tabulated(
    frame: Any,
    *,
    count: str,
    by: Sequence[str],
    total: str = "Total",
    parts: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    withheld: str | None = None,
    of: str = "rows",
    title: str = "",
) -> Table:
    """Make a table of a frame of counts, one row a cell, so that it can be protected and audited.

    Parameters
    ----------
    frame : data frame
        A row for each cell, margins among them.
    count : str
        The column of counts.
    by : sequence of str
        The columns that say whose count it is. Tables that share columns and levels share counts.
    total : str
        The level that stands for all.
    parts : mapping, optional
        Hierarchies: for a column, which levels are the sum of which others.
    withheld : str, optional
        A column of true and false (1 and 0): cells that are left out already.
    of : str
        What is counted.
    title : str
        The caption.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        For counts that are negative or fractional, a cell that comes twice, hierarchies that go in
        circles, and parts that do not add up to their total.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> frame = pd.DataFrame({"region": ["North", "South", "Total"], "n": [3, 12, 15]})
    >>> cw.disclosure.tabulated(frame, count="n", by=["region"]).relations[0].total.value
    15
    """
    source = Source(frame)
    names = list(dict.fromkeys([by] if isinstance(by, str) else by))
    if not names:
        raise fault(
            InputError, "no column says whose counts these are", remedy="Name columns in by="
        )
    levels = [_levels(source, name) for name in names]
    values = source.cells(count)
    left = [False] * source.n if withheld is None else list(map(bool, source.cells(withheld)))
    cells: dict[tuple[str, ...], Count] = {}
    for row, at in enumerate(zip(*levels, strict=True)):
        if at in cells:
            raise fault(
                InputError,
                "a cell comes twice",
                column=count,
                rows=[row],
                remedy="Give one row a cell: sum the counts, or name the column that tells them apart in by=",
            )
        try:
            places = {name: level for name, level in zip(names, at, strict=True) if level != total}
            cells[at] = counted(values[row], places, of, withheld=left[row])
        except InputError as error:
            raise fault(
                InputError, error.problem, column=count, rows=[row], remedy=error.remedy
            ) from None
    tree = {name: _tree(dict(parts or {}).get(name, {}), name) for name in names}
    relations = [
        relation
        for k, name in enumerate(names)
        for relation in _margins(cells, k, total, tree[name], name, of)
    ]
    shown = [[*at[:1], *at[1:], Counted("{}", (cells[at],))] for at in cells]
    return Table(
        [*names, count],
        shown,
        title=titled(title) if source.synthetic else title,
        align="l" * len(names) + "r",
        relations=relations,
    )


def _levels(source: Source, name: str) -> list[str]:
    cells = source.cells(name)
    missing = [row for row, cell in enumerate(cells) if cell is None]
    if missing:
        raise fault(
            InputError,
            "a level is missing",
            column=name,
            rows=missing,
            remedy="Name the level that stands for all, 'Total' unless total= says otherwise, and the one for not known",
        )
    return [
        str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
        for cell in cells
    ]


def _tree(given: Mapping[str, Sequence[str]], name: str) -> dict[str, str]:
    """Give the parent of each level."""
    parent: dict[str, str] = {}
    for above, below in given.items():
        for level in below:
            if level in parent:
                raise fault(
                    InputError,
                    "a level is part of two others",
                    column=name,
                    values=[level],
                    remedy="Give each level to one level above it",
                )
            parent[level] = above
    for level in parent:
        seen, up = {level}, parent.get(level)
        while up is not None:
            if up in seen:
                raise fault(
                    InputError,
                    "a hierarchy goes in circles",
                    column=name,
                    values=sorted(seen),
                    remedy="A level cannot be part of itself",
                )
            seen.add(up)
            up = parent.get(up)
    return parent


def _margins(
    cells: Mapping[tuple[str, ...], Count],
    place: int,
    total: str,
    parent: Mapping[str, str],
    name: str,
    of: str,
) -> list[Relation]:
    """Give the totals over one column, and those of its hierarchy, where they are printed or not."""
    groups: dict[tuple[tuple[str, ...], str], list[Count]] = {}
    for at, count in cells.items():
        if at[place] != total:
            others = (*at[:place], *at[place + 1 :])
            groups.setdefault((others, parent.get(at[place], total)), []).append(count)
    relations = []
    for (others, above), found in groups.items():
        whole = cells.get((*others[:place], above, *others[place:]))
        if whole is None:
            places = {key: level for key, level in found[0].at if key != name}
            if above != total:
                places[name] = above
            whole = counted(sum(part.value for part in found), places, of)
        relations.append(Relation(whole, tuple(found)))
    return relations

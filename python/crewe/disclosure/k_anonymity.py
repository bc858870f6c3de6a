"""k-anonymity and l-diversity: whom the columns of a file single out, and of whom they tell something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.cells import label_of
from crewe.frames.source import Source, build
from crewe.tables.display import Table
from crewe.tables.printable import Printable

_MOST = 6
"""Columns of which every combination is looked at; more are looked at together only."""


@dataclass(frozen=True)
class Combination:
    """Columns that somebody may know, and how many rows they single out.

    Attributes
    ----------
    columns : tuple of str
        The columns.
    groups : int
        Groups of rows that agree in them.
    smallest : int
        The size of the smallest group.
    rows : int
        Rows in groups of fewer than k.
    """

    columns: tuple[str, ...]
    groups: int
    smallest: int
    rows: int


@dataclass(repr=False)
class Anonymity(Printable):
    """How far a file singles people out; made by :func:`anonymity`.

    Attributes
    ----------
    k, l : int
        How many rows must agree, and how many values of the sensitive column they must have.
    quasi : list of str
        The columns that somebody may know.
    sensitive : str or None
        The column that must not be told.
    smallest, least : int
        The k and the l that the file has.
    rows : list of int
        Rows that break k-anonymity, counted from 0.
    told : list of int
        Rows that break l-diversity, those above among them where they do.
    combinations : list of Combination
        The columns alone and together, the fewest columns first.
    synthetic : bool
        Whether the data say that they are synthetic.
    """

    k: int
    l: int  # noqa: E741
    n: int
    quasi: list[str]
    sensitive: str | None
    smallest: int
    least: int
    rows: list[int]
    told: list[int]
    combinations: list[Combination]
    notes: list[str] = field(default_factory=list)
    _kind: Any = field(default=(None, False), repr=False)
    synthetic: bool = False

    @property
    def holds(self) -> bool:
        """Whether the file is k-anonymous, and l-diverse where a sensitive column is named."""
        return not self.rows and not self.told

    def tidy(self) -> Any:
        """Give a row for each combination of columns: columns, groups, smallest, rows."""
        return build(
            {
                "columns": [" + ".join(one.columns) for one in self.combinations],
                "groups": [one.groups for one in self.combinations],
                "smallest": [one.smallest for one in self.combinations],
                "rows": [one.rows for one in self.combinations],
            },
            self._kind[0],
            lazy=self._kind[1],
            synthetic=self.synthetic,
        )

    def methods(self) -> list[str]:
        """Say what was counted."""
        return [
            f"A file is {self.k}-anonymous where at least {self.k} rows agree in all columns that somebody may know "
            "(Sweeney 2002); it is l-diverse where the rows that agree have at least l values of the sensitive "
            "column (Machanavajjhala et al. 2007, distinct l-diversity)."
        ]

    def _panels(self) -> list[Table]:
        rows = [
            [" + ".join(one.columns), f"{one.groups:,}", f"{one.smallest:,}", f"{one.rows:,}"]
            for one in self.combinations
        ]
        said = [
            f"The file is {self.smallest}-anonymous; {self.k} was asked for, and {len(self.rows):,} of {self.n:,} "
            f"rows break it{_listed(self.rows)}."
        ]
        if self.sensitive is not None:
            said.append(
                f"It is {self.least}-diverse in {self.sensitive}; {self.l} was asked for, and {len(self.told):,} rows "
                f"break it{_listed(self.told)}."
            )
        return [
            Table(
                ["columns", "groups", "smallest", f"rows in groups under {self.k}"],
                rows,
                title="Whom the columns single out",
                notes=[*said, *self.notes],
            )
        ]


def _listed(rows: Sequence[int]) -> str:
    if not rows:
        return ""
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f" (rows {', '.join(map(str, rows[:5]))}{more})"


@checked
def anonymity(
    frame: Any,
    *,
    quasi: Sequence[str],
    sensitive: str | None = None,
    k: int = 5,
    l: int = 2,  # noqa: E741
) -> Anonymity:
    """Say whom the columns of a file of people single out, and of whom they tell something.

    Parameters
    ----------
    frame : data frame
        The file, one row a person.
    quasi : sequence of str
        The columns that somebody may know of a person: age, school, ethnicity.
    sensitive : str, optional
        A column that must not be told, for l-diversity.
    k : int
        How many rows must agree in all of `quasi`.
    l : int
        How many values of `sensitive` they must have.

    Returns
    -------
    Anonymity
        With the rows, and the columns and combinations that single them out.

    Raises
    ------
    InputError
        For columns that are not there or named twice, a sensitive column among the others, and a k
        or l that is no whole number from 1 upwards.

    Notes
    -----
    A missing value is a value of its own, since nobody can tell that it is missing from outside.

    References
    ----------
    Sweeney (2002), doi:10.1142/S0218488502001648; Machanavajjhala, Kifer, Gehrke and
    Venkitasubramaniam (2007), doi:10.1145/1217299.1217302.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> people = pd.DataFrame({"age": [9, 9, 9, 10], "sex": ["f", "f", "f", "m"], "closed": [1, 1, 1, 0]})
    >>> found = cw.disclosure.anonymity(people, quasi=["age", "sex"], sensitive="closed", k=3)
    >>> found.rows, found.told, found.smallest, found.least
    ([3], [0, 1, 2, 3], 1, 1)
    """
    for name, value in (("k", k), ("l", l)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise fault(
                InputError,
                f"{name}= is a whole number from 1 upwards",
                values=[repr(value)],
                remedy="Five rows that agree, and two values, are a usual beginning",
            )
    names = [quasi] if isinstance(quasi, str) else list(quasi)
    if not names or len(set(names)) < len(names) or sensitive in names:
        raise fault(
            InputError,
            "quasi= names each column once, one at least, and the sensitive column is not among them",
            values=names,
            remedy='Write for instance quasi=["age", "school"], sensitive="closed"',
        )
    source = Source(frame)
    if source.n == 0:
        raise fault(InputError, "the file has no rows", remedy="Check the filter that came before")
    codes = {name: _codes(source, name) for name in names}
    sizes = range(1, len(names) + 1) if len(names) <= _MOST else (1, len(names))
    combined = [
        _combination(columns, codes, k) for n in sizes for columns in combinations(names, n)
    ]
    group = _grouped([codes[name] for name in names])
    many = np.bincount(group)
    rows = np.flatnonzero(many[group] < k)
    told: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    least = 0
    if sensitive is not None:
        secret = _codes(source, sensitive)
        pairs = np.unique(np.column_stack([group, secret]), axis=0)
        different = np.bincount(pairs[:, 0], minlength=len(many))
        told, least = np.flatnonzero(different[group] < l), int(different.min())
    notes = []
    if len(names) > _MOST:
        notes.append(f"With more than {_MOST} columns only each alone and all together are listed.")
    return Anonymity(
        k,
        l,
        source.n,
        names,
        sensitive,
        int(many.min()),
        least,
        rows.tolist(),
        told.tolist(),
        combined,
        notes,
        (source._implementation, source._lazy),
        source.synthetic,
    )


def _codes(source: Source, name: str) -> NDArray[np.int64]:
    cells = [label_of(cell) if isinstance(cell, float) else cell for cell in source.cells(name)]
    texts = [None if cell is None else str(cell) for cell in cells]
    codes, _ = pd.factorize(np.array(texts, dtype=object), use_na_sentinel=False)
    return np.asarray(codes, dtype=np.int64)


def _grouped(codes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    _, group = np.unique(np.column_stack(list(codes)), axis=0, return_inverse=True)
    return np.asarray(group, dtype=np.int64).ravel()


def _combination(
    columns: tuple[str, ...], codes: dict[str, NDArray[np.int64]], k: int
) -> Combination:
    group = _grouped([codes[name] for name in columns])
    size = np.bincount(group)
    return Combination(columns, len(size), int(size.min()), int((size[group] < k).sum()))

"""Columns in canonical form, as arrays: what formulas, models and comparisons are worked out from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Column:
    """One column in canonical form.

    Attributes
    ----------
    values : array (n,)
        float64 with NaN where a value is missing; whole numbers that float64 would merge as integers; of a category
        the place of each row's level, -1 where it is missing.
    levels : tuple of str, or None
        The levels of a category in their order.
    """

    values: Array
    levels: tuple[str, ...] | None = None

    @classmethod
    def of(cls, series: pd.Series[Any]) -> Column:
        """Read a pandas column in canonical form."""
        if isinstance(series.dtype, pd.CategoricalDtype):
            levels = tuple(str(level) for level in series.cat.categories)
            return cls(np.asarray(series.cat.codes, dtype=np.intp), levels)
        return cls(series.to_numpy())

    def __len__(self) -> int:
        return len(self.values)

    @property
    def missing(self) -> Mask:
        """Which rows have no value."""
        if self.levels is not None:
            return np.asarray(self.values < 0)
        if self.values.dtype.kind == "f":
            return np.isnan(self.values)
        return np.zeros(len(self.values), dtype=np.bool_)

    @cached_property
    def is_complete(self) -> bool:
        """Whether every row has a value, which a sum finds faster than :attr:`missing` where nothing is missing."""
        if self.levels is None and self.values.dtype == np.float64:
            with np.errstate(over="ignore", invalid="ignore"):
                # Not a product: a thread of BLAS that waits for the next one would stand in the core's way.
                if not np.isnan(self.values.sum()):
                    return True
        return not bool(self.missing.any())

    def take(self, rows: Array) -> Column:
        """Give some rows."""
        return Column(self.values[rows], self.levels)

    def used(self) -> Column:
        """Leave out the levels that no row has."""
        if self.levels is None:
            return self
        # Few rows say of most columns that every level occurs.
        for rows in (self.values[:1_000], self.values):
            counts = np.bincount(rows + 1, minlength=len(self.levels) + 1)[1:]
            if counts.all():
                return self
        present = np.flatnonzero(counts)
        return self.ordered([self.levels[place] for place in present])

    def ordered(self, levels: Sequence[str]) -> Column:
        """Give a category with these levels in this order; a row with another level has no value."""
        place = {level: i for i, level in enumerate(levels)}
        to = np.array([*(place.get(level, -1) for level in self.levels or ()), -1], dtype=np.intp)
        return Column(to[self.values], tuple(levels))

    def counts(self, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Count the rows of each level, weighted where weights are given."""
        found = np.bincount(self.values, weights=weights, minlength=len(self.levels or ()))
        return np.asarray(found, dtype=np.float64)

    def code_of(self, value: Any) -> int:
        """Give the place of a level, -1 where it is none."""
        levels = self.levels or ()
        return levels.index(str(value)) if str(value) in levels else -1

    def filled(self, value: Any, n: int) -> Column:
        """Give a column of the same kind that holds one value."""
        if self.levels is not None:
            return Column(np.full(n, self.code_of(value), dtype=np.intp), self.levels)
        exact = self.values.dtype.kind in "iu" and isinstance(value, int | np.integer)
        return Column(np.full(n, value, dtype=self.values.dtype if exact else np.float64))

    def series(self, name: str) -> pd.Series[Any]:
        """Give it as a pandas column."""
        if self.levels is None:
            return pd.Series(self.values, name=name, copy=False)
        kind = pd.CategoricalDtype(list(self.levels))
        return pd.Series(pd.Categorical.from_codes(self.values, dtype=kind), name=name)  # pyright: ignore[reportArgumentType]


class Columns(Mapping[str, Column]):
    """Columns of the same rows by name.

    Attributes
    ----------
    n : int
        The number of rows.
    """

    def __init__(self, columns: Mapping[str, Column], n: int) -> None:
        self._columns = dict(columns)
        self.n = n

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Columns:
        """Read a pandas frame in canonical form."""
        return cls({str(name): Column.of(frame[name]) for name in frame}, len(frame))

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def take(self, rows: Array) -> Columns:
        """Give some rows, and only the levels that these have."""
        whole = len(rows) == self.n
        kept = {
            name: (column if whole else column.take(rows)).used() for name, column in self.items()
        }
        return Columns(kept, len(rows))

    def changed(self, columns: Mapping[str, Column]) -> Columns:
        """Replace columns."""
        return Columns({**self._columns, **columns}, self.n)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The same as a pandas frame."""
        made = {name: column.series(name) for name, column in self.items()}
        return pd.DataFrame(made, index=range(self.n))

    def __getstate__(self) -> dict[str, Any]:
        return {"_columns": self._columns, "n": self.n}

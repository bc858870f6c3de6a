"""Selections of units or rows, given in whatever way is at hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe.design.assignment import Assignment
from crewe.exceptions import InputError, fault
from crewe.frames import cells as _cells
from crewe.frames.columns import identifiers
from crewe.frames.source import Source, aligned


class Ids(list[str]):
    """Identifiers that know the column they are from.

    Attributes
    ----------
    column : str
        The column.
    """

    def __init__(self, values: Iterable[str] = (), column: str = "") -> None:
        super().__init__(values)
        self.column = column


class Selector:
    """Turns a selection of units or rows into one boolean a randomised row."""

    def __init__(self, assignment: Assignment, member: str | None) -> None:
        self.assignment = assignment
        self.member = member
        self.notes: list[str] = []

    def __call__(self, selection: Any) -> NDArray[np.bool_]:
        """Give the units that are named: by column, by mask or by identifier."""
        if isinstance(selection, str):
            values = self.assignment._data().column(selection)
            if (
                values.levels is not None
                or not np.isin(values.values[~values.missing], [0, 1]).all()
            ):
                raise fault(
                    InputError,
                    "a selection must be a column of 0 and 1",
                    column=selection,
                    remedy="Name a true/false column, or pass identifiers or a data frame",
                )
            return np.asarray(values.values == 1, dtype=np.bool_)
        column = getattr(selection, "column", None)
        if hasattr(selection, "to_numpy") and not hasattr(selection, "columns"):
            cells = pd.Series(selection.to_numpy()).tolist()
        elif isinstance(selection, Sequence | np.ndarray | set | frozenset):
            cells = selection.tolist() if isinstance(selection, np.ndarray) else list(selection)
        else:
            return self._frame(Source(selection))
        mask = self._mask(selection, cells)
        return self._named(cells, column) if mask is None else mask

    def _mask(self, selection: Any, cells: list[Any]) -> NDArray[np.bool_] | None:
        """Read one true or false, or 1 or 0, for each row; None where these are identifiers."""
        if not cells or isinstance(selection, set | frozenset):
            return None
        rows = len(self.assignment._rows)
        truths = all(isinstance(x, bool | np.bool_) for x in cells)
        if not truths and (
            len(cells) != rows
            or not all(isinstance(x, _cells.NUMBERS) and x in (0, 1) for x in cells)
        ):
            return None
        if len(cells) != rows:
            raise fault(
                InputError,
                "the selection has another number of rows than the data that were randomised",
                values=[str(len(cells)), str(rows)],
                remedy="Pass one true or false for each row that was randomised",
            )
        if not truths and {str(int(x)) for x in cells} <= set(self.assignment._labels):
            raise fault(
                InputError,
                "the selection could be 1 or 0 for each row, or identifiers of units",
                column=self.assignment.design.id_column,
                values=sorted({str(int(x)) for x in cells}),
                remedy="Pass true and false for rows, or a data frame with the identifiers",
            )
        source = self.assignment._source
        placed = aligned(selection, None if source is None else source.index, "the selection")
        if placed is not selection:
            cells = placed.tolist()
        return np.array(cells, dtype=np.bool_)

    def _named(self, ids: list[Any], column: str | None) -> NDArray[np.bool_]:
        """Find rows by identifiers of units or, with `member`, of members."""
        rows = self.assignment._rows
        if not ids:
            return np.zeros(len(rows), dtype=np.bool_)
        unit = self.assignment.design.id_column
        source = self.assignment._source
        if column is not None and column not in (unit, self.member):
            there = source is not None and column in source.names
            if not there and self.member is not None:
                return self._members(Source(pd.DataFrame({self.member: ids})), self.member)
            if not there:
                raise fault(
                    InputError,
                    f"the selection holds identifiers of '{column}', which the randomised data do not have",
                    column=column,
                    remedy="Name the column with these identifiers: member=, or pass a data frame",
                )
            return self._members(Source(pd.DataFrame({column: ids})), column)
        if column == unit or self.member is None or self.member == unit:
            return np.isin(rows, self.assignment.check(pd.DataFrame({unit: ids})).unit)
        if column == self.member:
            return self._members(Source(pd.DataFrame({self.member: ids})), self.member)
        wanted = set(Source(pd.DataFrame({self.member: ids})).ids(self.member)[1])
        of_members = wanted <= set(identifiers(self.assignment._data(), self.member)[2])
        of_units = wanted <= {*self.assignment._labels, *self.assignment._aliases}
        if of_members and of_units:
            raise fault(
                InputError,
                f"the selection fits identifiers of '{unit}' and of '{self.member}'",
                column=self.member,
                ids=sorted(wanted),
                remedy="Pass a data frame whose column says which, or true or false for each row",
            )
        if of_members:
            return self._members(Source(pd.DataFrame({self.member: ids})), self.member)
        return np.isin(rows, self.assignment.check(pd.DataFrame({unit: ids})).unit)

    def _frame(self, source: Source) -> NDArray[np.bool_]:
        rows = self.assignment._rows
        if source.n == 0:
            return np.zeros(len(rows), dtype=np.bool_)
        if self.member is None:
            if self.assignment.cluster is not None:
                self._note(
                    "A data frame counts for all rows of the units that it holds, as no member= was given."
                )
            return np.isin(rows, self.assignment.check(source).unit)
        return self._members(source, self.member)

    def _members(self, source: Source, member: str) -> NDArray[np.bool_]:
        _, codes, names = identifiers(source, member)
        wanted = {names[code] for code in codes}
        _, codes, names = identifiers(self.assignment._data(), member)
        strangers = sorted(wanted - set(names))
        if strangers:
            raise fault(
                InputError,
                f"{len(strangers)} rows were not randomised",
                column=member,
                ids=strangers,
                remedy="Leave them out, or name the column that identifies rows in both data frames",
            )
        chosen = np.array([name in wanted for name in names])
        found: NDArray[np.bool_] = chosen[codes]
        return found

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

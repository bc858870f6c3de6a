"""Selections of units or rows, given in whatever way is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe._assignment import Assignment
from crewe._columns import identifiers
from crewe._frames import Source
from crewe.exceptions import InputError, fault


class Selector:
    """Turns a selection of units or rows into one boolean a randomised row."""

    def __init__(self, assignment: Assignment, member: str | None) -> None:
        self.assignment = assignment
        self.member = member
        self.notes: list[str] = []

    def __call__(self, selection: Any) -> NDArray[np.bool_]:
        rows = self.assignment._rows
        if isinstance(selection, str):
            values = self.assignment._data().column(selection)
            if (
                isinstance(values.dtype, pd.CategoricalDtype)
                or not values.dropna().isin([0, 1]).all()
            ):
                raise fault(
                    InputError,
                    "a selection must be a column of 0 and 1",
                    column=selection,
                    remedy="Name a true/false column, or pass identifiers or a data frame",
                )
            return np.asarray(values == 1, dtype=np.bool_)
        if isinstance(selection, pd.Series) or (
            hasattr(selection, "to_numpy") and not hasattr(selection, "columns")
        ):
            selection = selection.to_numpy()
        if (
            isinstance(selection, list)
            and selection
            and all(isinstance(x, bool) for x in selection)
        ):
            selection = np.array(selection)
        if isinstance(selection, np.ndarray) and selection.dtype == np.bool_:
            if len(selection) != len(rows):
                raise fault(
                    InputError,
                    "the selection has another number of rows than the data that were randomised",
                    values=[str(len(selection)), str(len(rows))],
                    remedy="Pass one true or false for each row that was randomised",
                )
            return selection
        if isinstance(selection, Sequence | np.ndarray | set | frozenset):
            column = self.assignment.design.id_column
            ids = list(selection)
            if not ids:
                return np.zeros(len(rows), dtype=np.bool_)
            selection = pd.DataFrame({column: ids})
            return np.isin(rows, self.assignment.check(selection).unit)
        return self._frame(Source(selection))

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
        _, codes, names = identifiers(source, self.member)
        wanted = {names[code] for code in codes}
        _, codes, names = identifiers(self.assignment._data(), self.member)
        strangers = sorted(wanted - set(names))
        if strangers:
            raise fault(
                InputError,
                f"{len(strangers)} rows were not randomised",
                column=self.member,
                values=strangers,
                remedy="Leave them out, or name the column that identifies rows in both data frames",
            )
        chosen = np.array([name in wanted for name in names])
        found: NDArray[np.bool_] = chosen[codes]
        return found

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

"""The design of a model: the columns of a right-hand side over the rows that have every value.

What differs between backends (reference levels, booleans, missing values) is settled before a formula sees a column, so
the names of the terms and the bits of the design are the same for every kind of data frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe.exceptions import CreweError, InputError, cut, fault, shown_labels
from crewe.formula import means
from crewe.formula import names as _names
from crewe.formula.missing import filled_in, missing_levels
from crewe.formula.parse import shown_name, variables
from crewe.formula.plan import Plan, State
from crewe.frames import cells
from crewe.frames.column import Column, Columns
from crewe.frames.source import Source, label_of, refuse_text

Floats = NDArray[np.float64]


@dataclass
class Dropped:
    """Rows left out for missing values.

    Attributes
    ----------
    n : int
        How many.
    total : int
        Of how many.
    by_column : dict of str to int
        How many of them are missing in each column.
    """

    n: int = 0
    total: int = 0
    by_column: dict[str, int] = field(default_factory=dict)

    def note(self) -> str:
        """Say it in a sentence."""
        columns = ", ".join(f"{name} {count:,}" for name, count in self.by_column.items())
        return f"{self.n:,} of {self.total:,} rows dropped for missing values ({columns})"


@dataclass(frozen=True)
class Owner:
    """Whom the rows of a model belong to: what a test of its randomisation matches them by.

    Attributes
    ----------
    codes : array
        Of each kept row: a unit of the trial, by number, or an index into `labels`.
    trial : str
        The trial that `design=` joined, by name and hash; empty without one.
    column, labels : str and list of str
        The column that `cluster=` named and its identifiers, where no trial was joined.
    """

    codes: NDArray[np.uint32]
    trial: str = ""
    column: str = ""
    labels: list[str] = field(default_factory=list)


@dataclass
class Design:
    """The design matrix of the right-hand side of a formula.

    Attributes
    ----------
    x : array (n, p)
        The columns without the intercept, by rows.
    names : list of str
        Their names.
    columns : Columns
        The variables in canonical form, kept rows only.
    rows : array
        The positions of the kept rows in the data as given.
    plan : Plan
        What makes the columns, also for other values.
    state : dict
        What the functions of the formula remember of these rows: knots, means.
    dropped : Dropped
        The rows left out.
    owner : Owner or None
        Whom the rows belong to, where a trial or a column of clusters says so.
    """

    x: Floats
    names: list[str]
    columns: Columns
    rows: NDArray[np.int64]
    plan: Plan
    state: State
    dropped: Dropped
    notes: list[str] = field(default_factory=list)
    owner: Owner | None = None

    @property
    def intercept(self) -> bool:
        """Whether the formula has an intercept."""
        return self.plan.intercept

    @property
    def frame(self) -> pd.DataFrame:
        """The variables as a pandas frame."""
        return self.columns.frame

    @property
    def variables(self) -> list[str]:
        """The columns of the right-hand side, in order of appearance."""
        return [name for name in self.plan.variables if name in self.columns]

    @property
    def coded(self) -> frozenset[str]:
        """The columns of numbers that enter as categories, through `C()`."""
        return self.plan.coded

    @property
    def term_slices(self) -> dict[str, slice]:
        """The columns of each term, the intercept's first where there is one."""
        return {term.name: term.where for term in self.plan.terms}

    @property
    def term_columns(self) -> dict[str, list[int]]:
        """The columns of `x` that each term has, by its name, and by that of its one variable where no other term has it."""
        shift = int(self.intercept)
        named: dict[str, list[int]] = {}
        by_variable: dict[str, list[list[int]]] = {}
        for term in self.plan.terms:
            found = [j - shift for j in range(term.where.start, term.where.stop) if j >= shift]
            if found:
                named[term.name] = found
                by_variable.setdefault(", ".join(term.variables), []).append(found)
        alone = {name: found[0] for name, found in by_variable.items() if len(found) == 1}
        return {**alone, **named}

    def made_of(self, columns: set[str]) -> dict[str, list[str]]:
        """Give the columns of every term that is made of some of these variables alone, by the name of the term."""
        return {
            term.name: list(self.plan.names[term.where])
            for term in self.plan.terms
            if term.variables and columns.issuperset(term.variables)
        }

    def rows_of(self, data: Any) -> tuple[Floats, NDArray[np.bool_]]:
        """Give the design of other data, the intercept left out, and which rows have every value.

        Raises
        ------
        InputError
            A category that the model has not seen.
        """
        source = Source(data)
        found = {
            name: _as_known(source.column(name), self.columns[name], name)
            for name in self.variables
        }
        whole = np.ones(source.n, dtype=np.bool_)
        for column in found.values():
            whole &= ~column.missing
        out = np.full((source.n, len(self.plan.names)), np.nan)
        if whole.any():
            kept = {name: column.take(whole) for name, column in found.items()}
            out[whole] = self.columns_at(Columns(kept, int(whole.sum())))
        return np.ascontiguousarray(out[:, int(self.intercept) :]), whole

    def columns_at(self, columns: Columns) -> Floats:
        """Give the design matrix, the intercept included, at other values of the variables."""
        return self.plan.evaluate(columns, self.state)

    def with_values(self, setting: dict[str, Any]) -> Floats:
        """Give the design of the same rows with some variables set, without the intercept."""
        n = self.columns.n
        changed = {name: self.columns[name].filled(value, n) for name, value in setting.items()}
        return self.plan.evaluate(self.columns.changed(changed), self.state, constant=False)

    def rows_at_means(
        self, fixed: Sequence[dict[str, Any]], observed: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Give one row of the design for each setting, all other variables at their means; see :mod:`means`."""
        return means.rows_at_means(self.plan, self.state, self.columns, fixed, observed)


def _as_known(column: Column, like: Column, name: str) -> Column:
    """Read a column of other data as the model knows it."""
    if like.levels is None:
        refuse_text(column, name)
        return column
    if column.levels is None:
        unique, places = np.unique(column.values, return_inverse=True)
        text = ["" if value != value else label_of(value) for value in unique]
        codes = np.where(column.missing, -1, places)
        column = Column(codes.astype(np.intp), tuple(text))
    column = column.used()
    strange = sorted(set(column.levels or ()) - set(like.levels))
    if strange:
        known = column.ordered(like.levels)
        raise fault(
            InputError,
            f"'{name}' has levels that the model has not seen",
            column=name,
            rows=[int(row) for row in np.flatnonzero(known.missing & ~column.missing)],
            labels=strange,
            remedy=f"The model was fitted to {', '.join(shown_labels(like.levels)) or 'other labels'}",
        )
    return column.ordered(like.levels)


def design(
    source: Source,
    right: str,
    *,
    also: Iterable[str] = (),
    missing: str = "drop",
    keep: Iterable[str] = (),
    levels: dict[str, list[str]] | None = None,
    out: NDArray[np.bool_] | None = None,
) -> Design:
    """Build the design of a right-hand side over the rows without missing values.

    Parameters
    ----------
    source : Source
        The data.
    right : str
        The right-hand side.
    also : iterable of str
        Further columns whose missing values drop a row (those of the left-hand side).
    missing : {"drop", "refuse", "indicator"}
        `"indicator"` fills a missing covariate with its mean (a category with a level of its own) and adds a column
        that says so (White and Thompson 2005, doi:10.1002/sim.1981).
    keep : iterable of str
        Columns that `"indicator"` must not fill: the arm.
    levels : dict
        Levels of text columns in their order, the reference first.
    out : array of bool, optional
        Rows that take no part for a reason of their own, such as a weight of 0; they do not count as dropped.
    """
    needed = variables(right)
    columns = source.columns([*needed, *[name for name in also if name not in needed]])
    if source.n == 0:
        raise fault(
            InputError,
            "there are no rows to analyse",
            remedy="Check the filter that came before",
        )
    for name, order in (levels or {}).items():
        if name in columns and columns[name].levels is not None:
            known = columns[name].levels or ()
            first = columns[name].ordered([*order, *[v for v in known if v not in order]])
            columns = columns.changed({name: first})
    notes: list[str] = []
    # formulaic is imported with the first formula.
    from crewe.formula import engine

    if "levels" in right:
        columns = missing_levels(engine.terms_of(right), columns)
    if missing == "indicator":
        columns, right, filled = filled_in(
            columns, right, [n for n in needed if n not in set(keep)], source.names
        )
        notes += filled
    rows, dropped = _whole_rows(columns, out)
    if missing == "refuse" and dropped.n:
        name, count = next(iter(dropped.by_column.items()))
        raise fault(
            InputError,
            f"{count} of {columns.n} rows have no value of '{name}'",
            column=name,
            rows=[int(row) for row in np.flatnonzero(columns[name].missing)],
            remedy="Fill them in, or leave them out and count them with missing='drop'",
        )
    kept = columns.take(rows)
    notes += cells.check_levels({name: kept[name] for name in needed}, rows)
    x, plan, state = engine.materialise(right, kept)
    if not plan.names:
        raise fault(
            InputError,
            f"the formula '{cut(right)}' has no terms",
            remedy="Name a column, or write 1 for the mean alone",
        )
    for term in plan.terms:
        if term.where.start == term.where.stop:
            raise fault(
                InputError,
                f"'{term.name}' has the same value in every row that is analysed",
                column=term.name,
                remedy="Leave it out of the model: there is nothing to compare",
            )
    names = list(plan.names[int(plan.intercept) :])
    return Design(x, names, kept, rows, plan, state, dropped, notes)


def terms(expression: str) -> list[str]:
    """Name the terms of the right side of a formula."""
    from crewe.formula.engine import terms_of

    return [shown_name(term) for term in terms_of(expression)]


def _whole_rows(
    columns: Columns, out: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], Dropped]:
    """Give the rows that have every value, and count the others."""
    lost = np.zeros(columns.n, dtype=np.bool_)
    by_column = {}
    for name, column in columns.items():
        if column.is_complete:
            continue
        gone = column.missing if out is None else column.missing & ~out
        if gone.any():
            by_column[name] = int(gone.sum())
            lost |= gone
    dropped = Dropped(n=int(lost.sum()), total=columns.n, by_column=by_column)
    rows = np.flatnonzero(~lost if out is None else ~lost & ~out)
    if not len(rows):
        raise fault(
            InputError,
            "every row has a missing value in one of the columns of the model",
            values=[f"{k}: {v} missing" for k, v in by_column.items()],
            remedy="Leave the emptiest column out of the model",
        )
    return rows, dropped


def left_values(left: str, columns: Columns) -> Floats:
    """Evaluate a numeric left-hand side over kept rows."""
    plain = _names.name_of(_names.aliased(left.strip()))
    if plain is not None and plain in columns:
        return column_values(plain, columns)
    from crewe.formula.engine import categorical_factors, evaluated

    try:
        matrix, spec = evaluated(f"{_names.arithmetic(left)} - 1", columns)
    except CreweError:
        for name in variables(left):
            refuse_text(columns[name], name)
        raise
    # A text of one value would count as 1.0 in every row: it is the kind that tells, not the number of columns.
    for factor in categorical_factors(spec):
        inside = [name for name in _names.inside(factor) if name in columns]
        refuse_text(columns[inside[0]], inside[0])
        raise fault(
            InputError,
            f"'{shown_name(factor)}' makes categories, where numbers are needed",
            column=inside[0],
            remedy=f"Write the column of numbers itself: '{inside[0]}'",
        )
    if matrix.shape[1] != 1:
        raise fault(
            InputError,
            f"the outcome '{left}' is not one column of numbers",
            column=left,
            values=[shown_name(name) for name in spec.column_names],
            remedy="Write one column of numbers left of '~'",
        )
    return np.ascontiguousarray(matrix[:, 0])


def column_values(name: str, columns: Columns) -> Floats:
    """Give a column of numbers, such as weights, over kept rows."""
    refuse_text(columns[name], name)
    return np.ascontiguousarray(columns[name].values, dtype=np.float64)

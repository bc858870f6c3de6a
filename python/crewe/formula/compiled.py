"""Formulas in R style, over columns that are already in canonical form.

formulaic parses and expands the formula; what differs between backends (reference levels, booleans, missing values)
is settled before it sees a column, so the names of the terms and the bits of the design are the same for every kind
of data frame.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula as _FormulaClass
from formulaic.parser.types import Factor
from formulaic.transforms import C as _formulaic_c
from numpy.typing import NDArray

from crewe.exceptions import CreweError, InputError, cut, fault
from crewe.formula import names as _names
from crewe.formula.missing import filled_in, missing_levels
from crewe.formula.splines import FUNCTIONS
from crewe.frames import cells
from crewe.frames.source import Source, label_of, refuse_text

Floats = NDArray[np.float64]
# Typed as abstract, though calling it is how formulaic makes one.
Formula: Any = _FormulaClass


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


@dataclass
class Design:
    """The design matrix of the right-hand side of a formula.

    Attributes
    ----------
    x : array (n, p)
        The columns without the intercept, by rows.
    names : list of str
        Their names.
    intercept : bool
        Whether the formula has an intercept.
    frame : pandas.DataFrame
        The variables in canonical form, kept rows only.
    rows : array
        The positions of the kept rows in the data as given.
    spec : formulaic.ModelSpec
        What rebuilds the columns for other values.
    dropped : Dropped
        The rows left out.
    """

    x: Floats
    names: list[str]
    intercept: bool
    frame: pd.DataFrame
    rows: NDArray[np.int64]
    spec: Any
    dropped: Dropped
    notes: list[str] = field(default_factory=list)

    @property
    def variables(self) -> list[str]:
        """The columns of the right-hand side, in order of appearance."""
        return [name for name in _spec_variables(self.spec) if name in self.frame]

    @property
    def coded(self) -> set[str]:
        """The columns of numbers that enter as categories, through `C()`."""
        return _category_factors(self.spec)

    @property
    def term_slices(self) -> dict[str, slice]:
        """The columns of each term, the intercept's first where there is one."""
        return {_shown(term): columns for term, columns in self.spec.term_slices.items()}

    @property
    def term_columns(self) -> dict[str, list[int]]:
        """The columns of `x` that each term has, by its name, and by that of its one variable where no other term has it."""
        shift = int(self.intercept)
        named: dict[str, list[int]] = {}
        by_variable: dict[str, list[list[int]]] = {}
        for term, found in self.spec.term_slices.items():
            columns = [j - shift for j in range(found.start, found.stop) if j >= shift]
            if columns:
                named[_shown(term)] = columns
                for name in {tuple(_names.inside(str(term)))}:
                    by_variable.setdefault(", ".join(name), []).append(columns)
        alone = {name: columns[0] for name, columns in by_variable.items() if len(columns) == 1}
        return {**alone, **named}

    def rows_of(self, data: Any) -> tuple[Floats, NDArray[np.bool_]]:
        """Give the design of other data, the intercept left out, and which rows have every value.

        Raises
        ------
        InputError
            A category that the model has not seen.
        """
        source = Source(data)
        names = self.variables
        frame = source.columns(names)
        for name in names:
            like = self.frame[name].dtype
            if not isinstance(like, pd.CategoricalDtype):
                refuse_text(frame[name], name)
                continue
            column = frame[name]
            if not isinstance(column.dtype, pd.CategoricalDtype):
                column = column.map(lambda value: value if value != value else label_of(value))
            known = [str(level) for level in like.categories]
            strange = sorted({str(v) for v in column.dropna()} - set(known))
            if strange:
                raise fault(
                    InputError,
                    f"'{name}' has levels that the model has not seen",
                    column=name,
                    rows=[int(row) for row in np.flatnonzero(column.isin(strange).to_numpy())],
                    values=strange,
                    remedy=f"The model was fitted to {', '.join(known)}",
                )
            frame[name] = pd.Categorical(column.astype(object), categories=like.categories)
        whole = ~frame.isna().any(axis=1).to_numpy()
        columns = np.full((source.n, len(self.spec.column_names)), np.nan)
        if whole.any():
            kept: pd.DataFrame = frame.loc[whole].reset_index(drop=True)
            columns[whole] = self.columns_at(kept)
        return np.ascontiguousarray(columns[:, 1:] if self.intercept else columns), whole

    def columns_at(self, frame: pd.DataFrame) -> Floats:
        """Give the design matrix, the intercept included, at other values of the variables."""
        with _worked_out("the model at other values"):
            matrix = self.spec.get_model_matrix(
                _aliased(frame), context=_CONTEXT, na_action="ignore", output="numpy"
            )
        return np.asarray(matrix, dtype=np.float64)

    def rows_at_means(
        self, fixed: Sequence[dict[str, Any]], observed: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Give one row of the design for each setting, all other variables at their means.

        Numbers stand at their (weighted) mean; a category stands at its observed shares; transformed columns and
        interactions are recomputed from these. Each term is linear in the shares of its categories, so it is evaluated
        on the levels of its own categories only and averaged. The second array holds what the mean of a column is beyond
        a double, which counts where the standard deviation is nothing beside the mean.
        """
        frame = self.frame
        categories = {name for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)}
        wrapped = _category_factors(self.spec)
        base = {
            name: frame[name].cat.categories[0]
            if name in categories
            else float(np.average(frame[name], weights=observed))
            for name in frame
        }
        for name in wrapped:
            base[name] = frame[name].iloc[0]
        out = np.empty((len(fixed), len(self.spec.column_names)))
        beyond = np.zeros_like(out)
        for i, setting in enumerate(fixed):
            for term, columns in self.spec.term_slices.items():
                alone = _plain_number(term, frame, categories)
                if alone is not None and alone not in setting and alone not in wrapped:
                    rest = np.asarray(frame[alone], dtype=np.float64) - base[alone]
                    beyond[i, columns] = np.average(rest, weights=observed)
                used = _variables(term, frame)
                spread = [v for v in used if (v in categories or v in wrapped) and v not in setting]
                grid, weights = _grid(frame, spread, observed)
                rows = {name: [base[name]] * len(weights) for name in frame}
                rows.update({name: [value] * len(weights) for name, value in setting.items()})
                rows.update(grid)
                block = self.columns_at(_typed(rows, frame))[:, columns]
                out[i, columns] = weights @ block
        return out, beyond


def _category(data: Any, *args: Any, **kwargs: Any) -> Any:
    """`C()` whose levels print alike whether a backend holds whole numbers as integers or floats."""
    series = pd.Series(data)
    if series.dtype.kind == "f" and cells.safely_whole(series):
        data = series.astype("int64")
    return _formulaic_c(data, *args, **kwargs)


_CONTEXT = {"C": _category, **FUNCTIONS}


def _aliased(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(columns=_names.alias)


def _shown(part: Any) -> str:
    return _names.shown(str(part))


_NESTED = 50
"""How deep brackets may nest in a formula: far beyond any, short of what parsers bear."""

_JOINED = 1_000
"""How many operators may stand inside one pair of brackets."""

_LONGEST = 50_000
"""How many characters a formula may have."""


@contextmanager
def _worked_out(what: str) -> Iterator[None]:
    """Say in words what went wrong inside a formula: its functions may raise anything."""
    try:
        yield
    except CreweError:
        raise
    except Exception as error:
        # The parser wraps what a function of ours refuses.
        inner = error.__cause__
        if isinstance(inner, CreweError):
            raise inner from None
        raise fault(
            InputError,
            f"{what} cannot be worked out: {_reason(error)}",
            remedy="Check the functions and their arguments, or work the column out in the data first",
        ) from error


def _refuse_depth(expression: str) -> None:
    """Refuse an expression whose tree would be deeper than parsers bear, before one is built."""
    if len(expression) > _LONGEST:
        raise fault(
            InputError,
            f"the formula '{cut(expression)}' has more than {_LONGEST:,} characters",
            remedy="Work it out in columns of their own first, or pass arrays",
        )
    depth = joined = 0
    for char in re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", "", expression):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth = max(0, depth - 1)
            joined = joined if depth else 0
        elif depth and char in "+-*/%^|&<>=!~@.,:":
            joined += 1
        if depth > _NESTED or joined > _JOINED:
            what = (
                f"nests brackets more than {_NESTED} deep"
                if depth > _NESTED
                else f"has more than {_JOINED:,} operators within one pair of brackets"
            )
            raise fault(
                InputError,
                f"the formula '{cut(expression)}' {what}",
                remedy="Work it out in a column of its own first",
            )


def parse(text: str) -> tuple[str, str]:
    """Split a formula into its two sides; what is arithmetic on the left stays arithmetic."""
    _refuse_depth(text)
    left, tilde, right = _names.halves(text)
    if not tilde or not left.strip() or not right.strip():
        raise fault(
            InputError,
            f"'{cut(text)}' is not a formula",
            remedy="Write it as 'outcome ~ arm + covariate'",
        )
    _names.aliased(right)
    return left.strip(), right.strip()


def refuse_outcome_right(left: str, right: str) -> None:
    """Refuse an outcome that is a covariate of itself."""
    outcome = _names.name_of(_names.aliased(left.strip()))
    if outcome is not None and outcome in variables(right):
        raise fault(
            InputError,
            f"'{outcome}' stands on both sides of the formula",
            column=outcome,
            remedy="Leave it out on the right: it would explain itself",
        )


def variables(expression: str) -> list[str]:
    """Name the columns that one side of a formula needs."""
    _refuse_depth(expression)
    return sorted(_names.inside(_names.aliased(expression)))


@functools.lru_cache(maxsize=512)
def _parsed(expression: str) -> Any:
    _refuse_depth(expression)
    text = _names.aliased(expression)
    try:
        parsed = Formula(text)
    except CreweError:
        raise
    except Exception as error:
        raise fault(
            InputError,
            f"the formula '{cut(expression)}' cannot be read: {_reason(error)}",
            remedy="Write it as 'outcome ~ arm + covariate', with names that hold other signs in backticks",
        ) from error
    if not hasattr(parsed, "required_variables") or not isinstance(parsed, _FormulaClass):
        raise fault(
            InputError,
            f"the formula '{cut(expression)}' has several parts",
            remedy="Write one list of terms, joined by '+'",
        )
    return parsed


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError | MemoryError):
        return "it nests too deeply"
    return cut(_names.shown(str(error).split("\n")[0]) or type(error).__name__)


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
    missing : {"drop", "indicator"}
        `"indicator"` fills a missing covariate with its mean (a category with a level of its own) and adds a column
        that says so (White and Thompson 2005, doi:10.1002/sim.1981).
    keep : iterable of str
        Columns that `"indicator"` must not fill: the arm.
    levels : dict
        Levels of text columns in their order, the reference first.
    out : array of bool, optional
        Rows that take no part for a reason of their own, such as a weight of 0; they do not count as dropped.
    """
    if missing not in ("drop", "indicator"):
        raise fault(
            InputError, f"missing={missing!r} is unknown", remedy="Use 'drop' or 'indicator'"
        )
    needed = variables(right)
    outcome = [name for name in also if name not in needed]
    frame = source.columns([*needed, *outcome])
    if source.n == 0:
        raise fault(
            InputError,
            "there are no rows to analyse",
            remedy="Check the filter that came before",
        )
    for name, order in (levels or {}).items():
        if name in frame and isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = frame[name].cat.set_categories(
                [*order, *[v for v in frame[name].cat.categories if v not in order]]
            )
    notes: list[str] = []
    missing_levels(_parsed(right), frame)
    if missing == "indicator":
        frame, right, filled = filled_in(
            frame, right, [n for n in needed if n not in set(keep)], source.names
        )
        notes += filled
    gone = frame.isna()
    if out is not None:
        gone.loc[out] = False
    lost = gone.any(axis=1).to_numpy()
    dropped = Dropped(
        n=int(lost.sum()),
        total=source.n,
        by_column={str(k): int(v) for k, v in gone.sum().items() if v},
    )
    rows = np.flatnonzero(~lost if out is None else ~lost & ~out)
    if not len(rows):
        raise fault(
            InputError,
            "every row has a missing value in one of the columns of the model",
            values=[f"{k}: {v} missing" for k, v in dropped.by_column.items()],
            remedy="Leave the emptiest column out of the model",
        )
    kept = frame.iloc[rows].reset_index(drop=True)
    for name in kept:
        if isinstance(kept[name].dtype, pd.CategoricalDtype):
            kept[name] = kept[name].cat.remove_unused_categories()
    notes += cells.check_levels(kept[needed], rows)
    matrix, spec = _materialise(right, kept)
    raw = [str(name) for name in spec.column_names]
    names = [_shown(name) for name in raw]
    if not names:
        raise fault(
            InputError,
            f"the formula '{cut(right)}' has no terms",
            remedy="Name a column, or write 1 for the mean alone",
        )
    for term, columns in spec.term_slices.items():
        if columns.start == columns.stop:
            raise fault(
                InputError,
                f"'{_shown(term)}' has the same value in every row that is analysed",
                column=_shown(term),
                remedy="Leave it out of the model: there is nothing to compare",
            )
    intercept = raw[0] == "Intercept"
    x = np.ascontiguousarray(matrix[:, 1:] if intercept else matrix)
    return Design(x, names[1:] if intercept else names, intercept, kept, rows, spec, dropped, notes)


def left_values(left: str, frame: pd.DataFrame) -> Floats:
    """Evaluate a numeric left-hand side over kept rows."""
    try:
        matrix, spec = _materialise(f"{_names.arithmetic(left)} - 1", frame)
    except CreweError:
        for name in variables(left):
            refuse_text(frame[name], name)
        raise
    for factor, (kind, _) in spec.encoder_state.items():
        # A text of one value would count as 1.0 in every row: it is the kind that tells, not the number of columns.
        if kind is Factor.Kind.CATEGORICAL:
            inside = [name for name in _names.inside(str(factor)) if name in frame]
            refuse_text(frame[inside[0]], inside[0])
            raise fault(
                InputError,
                f"'{_shown(factor)}' makes categories, where numbers are needed",
                column=inside[0],
                remedy=f"Write the column of numbers itself: '{inside[0]}'",
            )
    if matrix.shape[1] != 1:
        raise fault(
            InputError,
            f"the outcome '{left}' is not one column of numbers",
            column=left,
            values=[_shown(name) for name in spec.column_names],
            remedy="Write one column of numbers left of '~'",
        )
    return np.ascontiguousarray(matrix[:, 0])


def column_values(name: str, frame: pd.DataFrame) -> Floats:
    """Give a column of numbers, such as weights, over kept rows."""
    refuse_text(frame[name], name)
    return np.ascontiguousarray(frame[name], dtype=np.float64)


def _materialise(expression: str, frame: pd.DataFrame) -> tuple[Floats, Any]:
    parsed = _parsed(expression)
    with _worked_out(f"the formula '{cut(expression)}'"):
        matrix = parsed.get_model_matrix(
            _aliased(frame), context=_CONTEXT, na_action="ignore", output="numpy"
        )
    return np.asarray(matrix, dtype=np.float64), matrix.model_spec


def _variables(term: Any, frame: pd.DataFrame) -> list[str]:
    names = [name for factor in term.factors for name in _names.inside(str(factor))]
    return [name for name in dict.fromkeys(names) if name in frame]


def _spec_variables(spec: Any) -> list[str]:
    """Name the variables that a design is made of."""
    names = [
        name
        for term in spec.terms
        for factor in term.factors
        for name in _names.inside(str(factor))
    ]
    return list(dict.fromkeys(names))


def _category_factors(spec: Any) -> set[str]:
    """Name the variables that only enter through `C()`: numbers used as categories."""
    inside: set[str] = set()
    for term in spec.terms:
        for factor in term.factors:
            if str(factor).startswith("C("):
                inside |= set(_names.inside(str(factor)))
    return inside


def _plain_number(term: Any, frame: pd.DataFrame, categories: set[str]) -> str | None:
    """Name the column of numbers that a term is, where it is nothing else."""
    if len(term.factors) != 1:
        return None
    name = _names.name_of(str(next(iter(term.factors))))
    return name if name is not None and name in frame and name not in categories else None


def _grid(
    frame: pd.DataFrame, names: Sequence[str], observed: Floats | None
) -> tuple[dict[str, list[Any]], Floats]:
    grid: dict[str, list[Any]] = {}
    weights = np.ones(1)
    for name in names:
        column = frame[name]
        kinds = column.dtype.categories if isinstance(column.dtype, pd.CategoricalDtype) else None
        values = np.asarray(column if kinds is None else column.cat.codes)
        unique, codes = np.unique(values, return_inverse=True)
        share = np.bincount(codes, weights=observed) / (
            len(values) if observed is None else observed.sum()
        )
        levels = list(unique) if kinds is None else [kinds[code] for code in unique]
        grid = {key: [v for v in values for _ in levels] for key, values in grid.items()}
        grid[name] = [level for _ in range(len(weights)) for level in levels]
        weights = np.outer(weights, share).ravel()
    return grid, weights


def _typed(rows: dict[str, list[Any]], like: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for name in like:
        dtype = like[name].dtype
        columns[name] = (
            pd.Categorical(rows[name], categories=dtype.categories)
            if isinstance(dtype, pd.CategoricalDtype)
            else cells.typed(rows[name], dtype)
        )
    return pd.DataFrame(columns)

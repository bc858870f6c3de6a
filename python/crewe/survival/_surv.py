"""The left-hand side of a survival formula, and the groups on its right."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, cut, fault
from crewe.formula import design as designs
from crewe.formula import parse as parsing
from crewe.formula.names import split, unquoted
from crewe.frames import cells as _cells
from crewe.frames.column import Columns
from crewe.frames.source import Source, aligned, index_of, numbers
from crewe.frames.synthetic import marked
from crewe.models.request import need_formula, numeric, read, refuse_empty
from crewe.tables.display import p_value

Floats = NDArray[np.float64]
Codes = NDArray[np.uint32]


def equals(p: float) -> str:
    """Print a p-value in a sentence."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


class Surv:
    """Times to an event, for the forms that take arrays.

    Parameters
    ----------
    time : array (n,)
        Time on study, 0 or more; lengths of time (timedelta) count in days. Dates are refused.
    event : array (n,)
        1 (or True) where the event happened, 0 where the time was censored.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.Surv([5, 8, 12], [1, 0, 1])
    Surv(3 times, 2 events)
    """

    def __init__(self, time: Any, event: Any) -> None:
        self.index = index_of(time, event)
        self.time: Floats = _numbers(_days(time, "time"), "time")
        self.event: Floats = _numbers(
            _no_dates(aligned(event, self.index, "event"), "event"), "event"
        )
        self.time_name = "time"
        self.event_name = "event"
        self.synthetic = marked(time) or marked(event)
        if len(self.time) != len(self.event):
            raise fault(
                InputError,
                f"there are {len(self.time)} times and {len(self.event)} events",
                remedy="Give one of each for every row",
            )

    def core(self, weights: Floats | None = None) -> _core.Surv:
        """Give the outcome as the core takes it."""
        return _core.Surv(self.time, self.event, self.time_name, self.event_name, weights)

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        return f"Surv({len(self.time):,} times, {int(np.nansum(self.event)):,} events)"


def _numbers(values: Any, name: str) -> Floats:
    array = np.ascontiguousarray(numbers(values, name))
    if array.ndim != 1:
        raise fault(InputError, f"{name} has {array.ndim} dimensions", remedy="Pass one column")
    return array


_SPANS = (dt.timedelta, np.timedelta64)
_DATES = (dt.date, dt.time, np.datetime64, pd.Period)


def _no_dates(values: Any, name: str) -> NDArray[Any]:
    """Refuse dates and lengths of time, of which arithmetic would make nanoseconds."""
    array = np.asarray(values)
    cells: Any = array.ravel() if array.dtype.kind == "O" else []
    # NaT is an instance of datetime, and is no more than a missing value.
    rows = [
        i for i, cell in enumerate(cells) if isinstance(cell, (*_DATES, *_SPANS)) and cell == cell
    ]
    if array.dtype.kind in "mM" or rows:
        kind = "lengths of time" if array.dtype.kind == "m" else "dates"
        raise fault(
            InputError,
            f"{kind} cannot enter a model as they are",
            column=name,
            rows=rows,
            remedy="Turn them into numbers first, for instance days since the start of the trial",
        )
    return array


def _days(values: Any, name: str) -> NDArray[Any]:
    """Give lengths of time in days; anything else as it came."""
    array = np.asarray(values)
    if array.dtype.kind == "O":
        cells = [cell for cell in array.ravel() if not _cells.is_missing(cell)]
        if cells and all(isinstance(cell, _SPANS) for cell in cells):
            shape = array.shape
            plain = [None if _cells.is_missing(cell) else cell for cell in array.ravel()]
            array = pd.to_timedelta(pd.Series(plain)).to_numpy().reshape(shape)
    if array.dtype.kind == "m":
        if np.datetime_data(array.dtype)[0] in ("Y", "M", "generic"):
            raise fault(
                InputError,
                "a length of time in months or years is no number of days",
                column=name,
                remedy="Give the days",
            )
        days = array / np.timedelta64(1, "D")
        return np.where(np.isnat(array), np.nan, days)
    return _no_dates(array, name)


@dataclass
class Sides:
    """A survival formula, taken apart.

    Attributes
    ----------
    time, event : str
        The two arguments of `Surv`.
    right : str
        The right-hand side without its `strata(...)`.
    strata : list of str
        The columns inside `strata(...)`.
    """

    time: str
    event: str
    right: str
    strata: list[str]

    def columns(self) -> list[str]:
        """Name the columns of the left-hand side."""
        return list(dict.fromkeys([*_columns(self.time), *_columns(self.event)]))

    def outcome(self, columns: Columns) -> Surv:
        """Evaluate the left-hand side over rows; one that lacks a column has no value."""
        surv = Surv(_side(self.time, columns), _side(self.event, columns))
        surv.time_name, surv.event_name = unquoted(self.time), unquoted(self.event)
        return surv


def _columns(side: str) -> list[str]:
    name = unquoted(side)
    return [name] if name != side or name.isidentifier() else parsing.variables(_plain(side))


def _side(side: str, columns: Columns) -> Floats:
    """Evaluate one side; a comparison with a missing value would be false, so that is looked up in the columns."""
    name = unquoted(side)
    if name in columns:
        refuse_empty(columns[name], name)
        return designs.column_values(name, columns)
    used = _columns(side)
    for column in used:
        refuse_empty(columns[column], column)
    values: Floats = designs.left_values(_plain(side), columns).copy()
    values[np.any([columns[column].missing for column in used], axis=0)] = np.nan
    return values


def _plain(expression: str) -> str:
    """Wrap anything but a name, so that `status - 1` is arithmetic and not a formula."""
    return expression if expression.isidentifier() else f"I({expression})"


# What stands inside `strata(...)`: names, those in backticks with any signs.
_INSIDE = r"((?:[^()`]|`[^`]*`)*)"


def sides(formula: str) -> Sides:
    """Split `Surv(time, event) ~ right`."""
    left, right = parsing.parse(formula)
    match = re.fullmatch(r"Surv\s*\((.*)\)", left, flags=re.DOTALL)
    arguments = split(match.group(1), ",") if match is not None else []
    if len(arguments) < 2 or not all(arguments):
        raise fault(
            InputError,
            f"'{cut(left)}' is not a survival outcome",
            remedy="Write the left-hand side as Surv(days, event)",
        )
    if len(arguments) > 2:
        raise fault(
            InputError,
            f"'{cut(left)}' has three arguments, and entry times are not supported",
            remedy="Write the left-hand side as Surv(days, event)",
        )
    strata: list[str] = []
    for inside in re.findall(rf"strata\({_INSIDE}\)", right):
        strata += [unquoted(name) for name in split(inside, ",")]
    right = re.sub(rf"\s*\+?\s*strata\({_INSIDE}\)", "", right).strip().removeprefix("+").strip()
    return Sides(arguments[0], arguments[1], right or "1", strata)


def layers_of(strata: Any, known: Collection[str] = ()) -> list[str]:
    """Read `strata=` beside a formula: the name of a column, or several."""
    if strata is None:
        return []
    named = [strata] if isinstance(strata, str) else strata
    if not isinstance(named, Sequence) or not all(isinstance(name, str) for name in named):
        raise fault(
            InputError,
            f"strata= names columns beside a formula, and a {type(strata).__name__} names none",
            column="strata",
            remedy="Write strata='office', or a list of columns",
        )
    return [unquoted(name, known) for name in named]


def refuse_missing_times(source: Source, parts: Sides, rows: NDArray[np.int64]) -> None:
    """Refuse times that are missing where the event is known.

    Dropped silently these would most often be open cases, which have no end date, and the curves
    would then rest on closed cases alone. Rows without time and event are dropped and counted.
    """
    if source.n:
        open_refused(parts, source.columns(parts.columns()), rows)


def open_refused(parts: Sides, columns: Columns, rows: NDArray[np.int64]) -> Surv:
    """Evaluate the left-hand side, refusing rows of which the event is known and the time is not."""

    def missing(side: str) -> NDArray[np.bool_]:
        gone = [columns[name].missing for name in _columns(side)]
        return np.asarray(np.any([np.zeros(columns.n, dtype=np.bool_), *gone], axis=0))

    def refuse(gone: NDArray[np.bool_]) -> None:
        if gone.any():
            raise fault(
                InputError,
                f"{int(gone.sum())} of {columns.n} times are missing although the event is known",
                column=unquoted(parts.time),
                rows=[int(row) for row in rows[gone]],
                remedy="A case that is still open has the days until the end of follow-up, and event 0; "
                "drop the rows of which nothing is known",
            )

    refuse(missing(parts.time) & ~missing(parts.event))
    surv = parts.outcome(columns)
    # Arithmetic may lose what the columns hold, as the logarithm of a negative number does.
    refuse(np.isnan(surv.time) & ~np.isnan(surv.event))
    return surv


def codes_of(columns: Columns, names: Sequence[str]) -> tuple[Codes, list[str]]:
    """Code the combinations of columns that occur, in the order of their levels."""
    if not names:
        return np.zeros(columns.n, dtype=np.uint32), ["all"]
    parts = []
    labels: list[Any] = []
    for name in names:
        names_of_levels, codes = _cells.levels(columns[name])
        parts.append(codes)
        labels.append(names_of_levels)
    rows = np.column_stack(parts)
    unique, inverse = np.unique(rows, axis=0, return_inverse=True)
    named = [", ".join(labels[j][code] for j, code in enumerate(row)) for row in unique]
    return np.ascontiguousarray(inverse.ravel(), dtype=np.uint32), named


def array_codes(values: Any, n: int, name: str) -> tuple[Codes, list[str]]:
    """Code groups that come as an array."""
    columns = Source(pd.DataFrame({name: np.asarray(values)})).columns([name])
    if columns.n != n:
        raise fault(
            InputError,
            f"{columns.n} values of {name} for {n} rows",
            column=name,
            remedy="Pass one for each row",
        )
    gone = np.flatnonzero(columns[name].missing)
    if len(gone):
        raise fault(
            InputError,
            f"{name} is missing in {len(gone)} of {n} rows",
            column=name,
            rows=[int(i) for i in gone],
            remedy="Drop these rows first",
        )
    return codes_of(columns, [name])


def need_text(formula: Any) -> None:
    """Refuse `by=` beside arrays, which have no columns."""
    if not isinstance(formula, str):
        need_formula(by="by")


@dataclass
class Grouped:
    """Outcomes with the groups they are compared by."""

    surv: Surv
    groups: Codes
    labels: list[str]
    by: str
    strata: Codes | None
    weights: Floats | None
    notes: list[str]
    implementation: Any
    synthetic: bool
    rows: NDArray[np.int64] | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    clusters: Codes | None = None
    cluster_name: str = ""
    mark: str = ""


def grouped(
    formula: Any,
    data: Any,
    *,
    strata: Any = None,
    weights: Any = None,
    design: Any = None,
    cluster: Any = None,
    missing: str = "drop",
    narrow: str = "the intervals are too narrow",
    compared: bool = False,
    clustered: bool = False,
) -> Grouped:
    """Read `Surv(...) ~ group` over a frame, or a `Surv` and an array of groups.

    Where the groups are `compared` by a test, clusters or units of an arm that are too few are refused. A method that
    is `clustered` gets the cluster of each row; to others a note says what counting rows as independent makes too narrow.
    """
    if not isinstance(formula, str):
        if not isinstance(formula, Surv):
            raise fault(
                InputError,
                f"{type(formula).__name__} is not a survival outcome",
                remedy="Pass 'Surv(days, event) ~ arm' and a data frame, or cw.Surv(time, event) and groups",
            )
        need_formula(design, cluster)
        n = len(formula)
        groups, labels = (
            (np.zeros(n, dtype=np.uint32), ["all"])
            if data is None
            else array_codes(aligned(data, formula.index, "group"), n, "group")
        )
        index = index_of(data) if formula.index is None else formula.index
        layers = (
            None
            if strata is None
            else array_codes(aligned(strata, index, "strata"), n, "strata")[0]
        )
        weight = (
            None if weights is None else _numbers(aligned(weights, index, "weights"), "weights")
        )
        return Grouped(
            formula,
            groups,
            labels,
            "group",
            layers,
            weight,
            [],
            None,
            formula.synthetic or marked(data),
        )
    parts = sides(formula)
    by = [] if parts.right == "1" else [unquoted(name) for name in split(parts.right, "+")]
    asked = read(data, by, design=design, cluster=cluster, missing=missing)
    source = asked.source
    for name in by:
        source.require(name)
    if source.n == 0:
        raise fault(
            InputError,
            "there are no rows to analyse",
            remedy="Check the filter that came before",
        )
    columns = source.columns(parts.columns())
    surv = open_refused(parts, columns, asked.rows)
    arms = [asked.arms(name) for name in by]
    gone = {name: column.missing for name, column in columns.items()}
    gone[surv.event_name] = np.isnan(surv.event) | gone.get(surv.event_name, False)
    gone |= {name: codes < 0 for name, (_, codes) in zip(by, arms, strict=True)}
    layers_by = parts.strata + layers_of(strata, source.names)
    gone |= {name: source.column(name).missing for name in layers_by}
    weight = None
    if isinstance(weights, str):
        named = unquoted(weights, source.names)
        weight = numeric(source, named)
        gone[named] = np.isnan(weight)
    kept, dropped = asked.kept(gone, arms[0] if len(arms) == 1 else None)
    if not kept.any():
        raise fault(
            InputError,
            "every row has a missing value in one of the columns of the model",
            values=[f"{k}: {int(v.sum())} missing" for k, v in gone.items() if v.any()],
            remedy="Leave the emptiest column out of the model",
        )
    if compared:
        asked.refuse_few(kept)
    rows = np.flatnonzero(kept)
    groups, labels = _combined(arms, rows)
    clusters = asked.clusters(kept) if clustered else None
    alone = [] if clustered else asked.independence(kept, narrow)
    notes = [*asked.notes, *([dropped] if dropped else []), *alone]
    surv.time = np.ascontiguousarray(surv.time[rows])
    surv.event = np.ascontiguousarray(surv.event[rows])
    layers = None
    if layers_by:
        layers = codes_of(source.columns(layers_by).take(rows), layers_by)[0]
    return Grouped(
        surv,
        groups,
        labels,
        " and ".join(by),
        layers,
        None if weight is None else np.ascontiguousarray(weight[rows]),
        notes,
        source._implementation,
        asked.synthetic,
        asked.rows[rows],
        asked.words,
        None if clusters is None else np.ascontiguousarray(clusters.codes[rows], dtype=np.uint32),
        "" if clusters is None else clusters.name,
        asked.mark,
    )


def _combined(
    arms: Sequence[tuple[list[str], NDArray[np.int64]]], rows: NDArray[np.int64]
) -> tuple[Codes, list[str]]:
    """Code the combinations of groups that occur, in the order of their levels."""
    if not arms:
        return np.zeros(len(rows), dtype=np.uint32), ["all"]
    codes = np.column_stack([code[rows] for _, code in arms])
    unique, inverse = np.unique(codes, axis=0, return_inverse=True)
    named = [", ".join(arms[j][0][code] for j, code in enumerate(row)) for row in unique]
    return np.ascontiguousarray(inverse.ravel(), dtype=np.uint32), named

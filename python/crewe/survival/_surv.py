"""The left-hand side of a survival formula, and the groups on its right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _cells, _formula
from crewe._display import p_value
from crewe._frames import Source, aligned, index_of, numbers
from crewe.exceptions import InputError, cut, fault

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
        Time on study, 0 or more.
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
        self.time: Floats = _numbers(time, "time")
        self.event: Floats = _numbers(aligned(event, self.index, "event"), "event")
        self.time_name = "time"
        self.event_name = "event"
        if len(self.time) != len(self.event):
            raise fault(
                InputError,
                f"there are {len(self.time)} times and {len(self.event)} events",
                remedy="Give one of each for every row",
            )

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        return f"Surv({len(self.time):,} times, {int(np.nansum(self.event)):,} events)"


def _numbers(values: Any, name: str) -> Floats:
    array = np.ascontiguousarray(numbers(values, name))
    if array.ndim != 1:
        raise fault(InputError, f"{name} has {array.ndim} dimensions", remedy="Pass one column")
    return array


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
        return [
            name for side in (self.time, self.event) for name in _formula.variables(_plain(side))
        ]

    def outcome(self, frame: pd.DataFrame) -> Surv:
        """Evaluate the left-hand side over kept rows."""
        surv = Surv(
            _formula.left_values(_plain(self.time), frame),
            _formula.left_values(_plain(self.event), frame),
        )
        surv.time_name, surv.event_name = self.time, self.event
        return surv


def _plain(expression: str) -> str:
    """Wrap anything but a name, so that `status - 1` is arithmetic and not a formula."""
    return expression if expression.isidentifier() else f"I({expression})"


def sides(formula: str) -> Sides:
    """Split `Surv(time, event) ~ right`."""
    left, right = _formula.parse(formula)
    match = re.fullmatch(r"Surv\(\s*([^,]+?)\s*,\s*(.+?)\s*\)", left)
    if match is None:
        raise fault(
            InputError,
            f"'{cut(left)}' is not a survival outcome",
            remedy="Write the left-hand side as Surv(days, event)",
        )
    if "," in match.group(2) and not match.group(2).count("("):
        raise fault(
            InputError,
            f"'{cut(left)}' has three arguments, and entry times are not supported",
            remedy="Write the left-hand side as Surv(days, event)",
        )
    strata: list[str] = []
    for inside in re.findall(r"strata\(([^()]*)\)", right):
        strata += [name.strip() for name in inside.split(",")]
    right = re.sub(r"\s*\+?\s*strata\([^()]*\)", "", right).strip().removeprefix("+").strip()
    return Sides(match.group(1), match.group(2), right or "1", strata)


def refuse_missing_times(source: Source, parts: Sides) -> None:
    """Refuse times that are missing where the event is known.

    Dropped silently these would most often be open cases, which have no end date, and the curves
    would then rest on closed cases alone. Rows without time and event are dropped and counted.
    """
    if not (parts.time in source.names and parts.event in source.names):
        return
    time, event = source.column(parts.time), source.column(parts.event)
    gone = np.flatnonzero((time.isna() & event.notna()).to_numpy())
    if len(gone):
        raise fault(
            InputError,
            f"{len(gone)} of {source.n} times are missing although the event is known",
            column=parts.time,
            rows=[int(row) for row in gone],
            remedy="A case that is still open has the days until the end of follow-up, and event 0; "
            "drop the rows of which nothing is known",
        )


def codes_of(frame: pd.DataFrame, names: Sequence[str]) -> tuple[Codes, list[str]]:
    """Code the combinations of columns that occur, in the order of their levels."""
    if not names:
        return np.zeros(len(frame), dtype=np.uint32), ["all"]
    parts = []
    labels: list[Any] = []
    for name in names:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            parts.append(column.cat.codes.to_numpy())
            labels.append([str(level) for level in column.cat.categories])
        else:
            names_of_levels, codes = _cells.levels(column)
            parts.append(codes)
            labels.append(names_of_levels)
    rows = np.column_stack(parts)
    unique, inverse = np.unique(rows, axis=0, return_inverse=True)
    named = [", ".join(labels[j][code] for j, code in enumerate(row)) for row in unique]
    return np.ascontiguousarray(inverse.ravel(), dtype=np.uint32), named


def array_codes(values: Any, n: int, name: str) -> tuple[Codes, list[str]]:
    """Code groups that come as an array."""
    frame = Source(pd.DataFrame({name: np.asarray(values)})).columns([name])
    if len(frame) != n:
        raise fault(InputError, f"{len(frame)} values of {name} for {n} rows", column=name)
    gone = np.flatnonzero(frame[name].isna().to_numpy())
    if len(gone):
        raise fault(
            InputError,
            f"{name} is missing in {len(gone)} of {n} rows",
            column=name,
            rows=[int(i) for i in gone],
            remedy="Drop these rows first",
        )
    return codes_of(frame, [name])


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


def grouped(
    formula: Any,
    data: Any,
    *,
    strata: Any = None,
    weights: Any = None,
) -> Grouped:
    """Read `Surv(...) ~ group` over a frame, or a `Surv` and an array of groups."""
    if not isinstance(formula, str):
        if not isinstance(formula, Surv):
            raise fault(
                InputError,
                f"{type(formula).__name__} is not a survival outcome",
                remedy="Pass 'Surv(days, event) ~ arm' and a data frame, or cw.Surv(time, event) and groups",
            )
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
        return Grouped(formula, groups, labels, "group", layers, weight, [], None, False)
    if data is None:
        raise fault(InputError, "a formula needs data", remedy="Pass the data frame second")
    parts = sides(formula)
    source = Source(data)
    by = [] if parts.right == "1" else [name.strip() for name in parts.right.split("+")]
    for name in by:
        source.require(name)
    refuse_missing_times(source, parts)
    layers_by = parts.strata + ([strata] if isinstance(strata, str) else list(strata or []))
    also = [weights] if isinstance(weights, str) else []
    built = _formula.design(source, "1", also=[*parts.columns(), *by, *layers_by, *also])
    groups, labels = codes_of(built.frame, by)
    layers = codes_of(built.frame, layers_by)[0] if layers_by else None
    weight = None
    if isinstance(weights, str):
        weight = _formula.column_values(weights, built.frame)
    return Grouped(
        parts.outcome(built.frame),
        groups,
        labels,
        " and ".join(by),
        layers,
        weight,
        [built.dropped.note()] if built.dropped.n else [],
        source._implementation,
        bool(getattr(data, "attrs", {}).get("synthetic", False)),
    )

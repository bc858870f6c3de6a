"""Columns of records as people write them: dates, yes and no, answers in words."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe.exceptions import InputError, did_you_mean, fault
from crewe.frames.source import Source, label_of

_ISO = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ].*)?$")

YES: dict[str, float] = {
    "yes": 1.0,
    "present": 1.0,
    "true": 1.0,
    "no": 0.0,
    "absent": 0.0,
    "false": 0.0,
}
"""Words for present and absent."""


def is_missing(value: Any) -> bool:
    """Say whether a cell is empty: None, NaN, NaT or blank text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return False


def raw(source: Source, name: str) -> list[Any]:
    """Give the cells of a column as Python values, missing ones as None."""
    source.require(name)
    return [None if is_missing(value) else value for value in source._frame[name].to_list()]


def day(value: Any) -> int | None:
    """Give a date as the number of its day, or None where it is not a date."""
    if isinstance(value, str):
        found = _ISO.match(value.strip())
        try:
            return dt.date.fromisoformat(found[1]).toordinal() if found else None
        except ValueError:
            return None
    return value.toordinal() if isinstance(value, dt.date) else None


def days(source: Source, name: str) -> list[int | None]:
    """Give a column of dates as day numbers; what is neither a date nor empty is refused."""
    cells = raw(source, name)
    found = [None if cell is None else day(cell) for cell in cells]
    bad = [i for i, cell in enumerate(cells) if cell is not None and found[i] is None]
    if bad:
        raise fault(
            InputError,
            "these are not dates",
            column=name,
            rows=bad,
            values=[str(cells[i]) for i in bad],
            remedy="Write dates as year-month-day (2015-08-31) or give a column of dates; "
            "31/08/15 can be read in two ways",
        )
    return found


def window_day(value: Any, what: str) -> int:
    """Give an argument that is a date as its day number."""
    found = day(value)
    if found is None:
        raise fault(
            InputError,
            f"{what} is not a date",
            values=[str(value)],
            remedy="Write it as year-month-day, for instance '2015-08-01'",
        )
    return found


def plain(text: Any) -> str:
    """Give a label without case, punctuation and doubled spaces."""
    return " ".join(re.sub(r"[\W_]+", " ", str(text).casefold()).split())


def nearest(value: Any, known: Sequence[str]) -> str:
    """Word the nearest known names, or all of them where none is near."""
    by_plain = {plain(name): name for name in known}
    near = difflib.get_close_matches(plain(value), list(by_plain), n=3, cutoff=0.5)
    if near:
        return did_you_mean([by_plain[name] for name in near])
    return "Known are " + ", ".join(known)


def answers(
    cells: Sequence[Any],
    column: str,
    labels: Mapping[str, float],
    *,
    allowed: Sequence[float] | None = None,
    rows: Sequence[int] | None = None,
    what: str = "answers",
) -> NDArray[np.float64]:
    """Give cells as numbers: numbers as they are, words by `labels`, empty cells as NaN.

    What is neither, or not among the `allowed` numbers, is refused with its rows.
    """
    by_plain = {plain(label): score for label, score in labels.items()}
    out = np.full(len(cells), np.nan)
    bad: list[int] = []
    for i, cell in enumerate(cells):
        if is_missing(cell):
            continue
        value = by_plain.get(plain(cell)) if isinstance(cell, str) else None
        if value is None:
            try:
                value = float(cell)
            except (TypeError, ValueError):
                value = math.nan
        if math.isnan(value) or (allowed is not None and value not in allowed):
            bad.append(i)
        out[i] = value
    if bad:
        scale = "" if allowed is None else " of " + ", ".join(f"{x:g}" for x in allowed)
        words = [cells[i] for i in bad if isinstance(cells[i], str) and day(cells[i]) is None]
        raise fault(
            InputError,
            f"{what} lie off the scale{scale}",
            column=column,
            rows=[i if rows is None else rows[i] for i in bad],
            values=[str(cells[i]) for i in bad],
            remedy=nearest(words[0], list(labels))
            if words and labels
            else "Correct them, or leave missing ones empty",
        )
    return out


def groups(source: Source, name: str) -> tuple[NDArray[np.uint32], list[str]]:
    """Give a grouping column as codes and labels in their order; empty cells are refused."""
    column = source.column(name)
    missing = np.flatnonzero(column.missing)
    if len(missing):
        raise fault(
            InputError,
            "the group is missing",
            column=name,
            rows=[int(row) for row in missing],
            remedy="Fill it in or drop these rows",
        )
    values = raw(source, name)
    if column.levels is not None:
        return np.asarray(column.values, dtype=np.uint32), list(column.levels)
    distinct = sorted(set(values))
    place = {value: code for code, value in enumerate(distinct)}
    codes = np.array([place[value] for value in values], dtype=np.uint32)
    return codes, [
        label_of(value) if isinstance(value, float) else str(value) for value in distinct
    ]

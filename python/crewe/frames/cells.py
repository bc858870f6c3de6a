"""Cells of a column as exact labels, whole numbers and text."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.column import Column

SAFE = 2**53
"""Up to here float64 holds every whole number."""

MANY = 10_000
"""More levels than a model of dummies can hold in memory."""

TEMPORAL = (dt.date, dt.time, dt.timedelta, np.datetime64, np.timedelta64, pd.Period)
NUMBERS = (int, float, decimal.Decimal, np.integer, np.floating)


def label_of(number: Any) -> str:
    """Give a number as its shortest exact text, whole ones without a decimal point.

    Examples
    --------
    >>> label_of(1.0), label_of(1000001.0), label_of(0.12345671), label_of(2**60 + 1)
    ('1', '1000001', '0.12345671', '1152921504606846977')
    """
    if isinstance(number, int | np.integer):
        return str(int(number))
    value = float(number)
    if value == 0.0:
        return "0"
    return repr(value).removesuffix(".0")


def levels(column: Column) -> tuple[list[str], NDArray[np.int64]]:
    """Give the levels of a column that occur and each row's level; missing rows get -1."""
    if column.levels is not None:
        used = column.used()
        return list(used.levels or ()), used.values.astype(np.int64)
    if column.values.dtype.kind in "iu":
        whole, places = np.unique(column.values, return_inverse=True)
        return [label_of(value) for value in whole], places.astype(np.int64)
    found = _core.levels(np.ascontiguousarray(column.values, dtype=np.float64))
    return [label_of(value) for value in found.values], found.codes


def whole(values: Sequence[Any], name: str) -> pd.Series[Any] | None:
    """Give whole numbers that float64 cannot hold as they are; None where it can.

    Codes beyond 64 bits, and those with missing rows, become a category in the order of the numbers.
    """
    kept = [value for value in values if not is_missing(value)]
    if not any(abs(value) > SAFE for value in kept if value == value):
        return None
    if not all(_is_whole(value) for value in kept):
        return None
    exact = [None if is_missing(value) else int(value) for value in values]
    low, high = min(map(int, kept)), max(map(int, kept))
    if len(kept) == len(values) and low >= -(2**63) and high < 2**63:
        return pd.Series(np.array(exact, dtype=np.int64), name=name)
    if len(kept) == len(values) and low >= 0 and high < 2**64:
        return pd.Series(np.array(exact, dtype=np.uint64), name=name)
    order = [str(value) for value in sorted(set(map(int, kept)))]
    text = [None if value is None else str(value) for value in exact]
    return pd.Series(pd.Categorical(text, categories=order), name=name)


def _is_whole(value: Any) -> bool:
    if isinstance(value, decimal.Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return isinstance(value, int | np.integer)


def is_missing(value: Any) -> bool:
    """Say whether a cell of a frame of any kind is missing.

    Examples
    --------
    >>> [is_missing(cell) for cell in (None, float("nan"), pd.NA, np.datetime64("NaT"), "", 0)]
    [True, True, True, True, False, False]
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, decimal.Decimal):
        return value.is_nan()
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        # A cell that holds a list or an array is not a missing one.
        return False


def number_column(series: nw.Series[Any], name: str) -> Column:
    """Read numbers or booleans: float64, or exact integers where float64 would merge them."""
    dtype = series.dtype
    if dtype.is_decimal():
        cells = series.to_list()
        exact = whole(cells, name)
        return Column(to_floats(cells)) if exact is None else Column.of(exact)
    if dtype.is_integer():
        values = series.to_numpy()
        if values.dtype.kind in "iu":
            if not len(values) or (values.min() >= -SAFE and values.max() <= SAFE):
                return Column(values.astype(np.float64))
        elif _small(series):
            return Column(_floats(series))
        cells = series.to_list()
        exact = whole(cells, name)
        if exact is not None:
            return Column.of(exact)
        return Column(np.array([np.nan if is_missing(v) else v for v in cells], float))
    return Column(_floats(series))


def _floats(series: nw.Series[Any]) -> NDArray[np.float64]:
    native = series.to_native()
    if isinstance(native, pd.Series) and isinstance(native.dtype, np.dtype):
        return np.array(native.to_numpy(), dtype=np.float64)
    values = series.cast(nw.Float64).to_numpy()
    # What polars and Arrow hold never changes; a fit must not change with what is written into a pandas frame.
    immutable = series.implementation.is_polars() or series.implementation.is_pyarrow()
    return np.asarray(values, dtype=np.float64) if immutable else np.array(values, np.float64)


def _small(series: nw.Series[Any]) -> bool:
    """Say whether float64 holds every whole number of a column."""
    if series.null_count() == len(series):
        return True
    return bool(series.min() >= -SAFE and series.max() <= SAFE)


def to_floats(values: Sequence[Any]) -> NDArray[np.float64]:
    """Give Python numbers of any kind as float64, missing ones as NaN."""
    return np.array(
        [np.nan if is_missing(value) else float(value) for value in values], dtype=float
    )


def refuse_mixture(values: Sequence[Any], name: str) -> None:
    """Refuse cells of which some are numbers and some are text."""
    if set(map(type, values)) <= {str, type(None)}:
        return
    text = [i for i, value in enumerate(values) if isinstance(value, str)]
    mixed = any(
        isinstance(value, (*NUMBERS, np.bool_)) and not is_missing(value) for value in values
    )
    if text and mixed:
        raise fault(
            InputError,
            f"'{name}' holds text among numbers",
            column=name,
            rows=text,
            labels=list(dict.fromkeys(values[i] for i in text)),
            remedy="Repair these cells, or make them missing, as pandas.to_numeric(..., errors='coerce') does; "
            "write every cell as text where they are names",
        )


def refuse_unwritable(values: Sequence[str], name: str, what: str = "text") -> None:
    """Refuse text that no file can hold: half of a character of two parts."""
    if "".join(values).isascii():
        return
    bad = [value for value in values if any("\ud800" <= sign <= "\udfff" for sign in value)]
    if bad:
        raise fault(
            InputError,
            f"{what} holds broken characters",
            column=name,
            ids=[ascii(value) for value in bad],
            remedy="Read the file again with its right encoding",
        )


def looks_like_a_number(text: str) -> bool:
    """Say whether text reads as a decimal number.

    Examples
    --------
    >>> [looks_like_a_number(text) for text in ("12", "1.5e3", "n/a", "nan")]
    [True, True, False, False]
    """
    try:
        return np.isfinite(float(text)).item() and "_" not in text
    except ValueError:
        return False


def safely_whole(series: pd.Series[Any]) -> bool:
    """Say whether decimal numbers are whole and small enough to become integers."""
    return bool(((series == series.round()) & (series.abs() <= SAFE)).all())


def check_levels(columns: Mapping[str, Column], rows: NDArray[np.int64]) -> list[str]:
    """Refuse text that cannot be a category of a model; note where text looks like numbers."""
    notes = []
    for name, column in columns.items():
        if column.levels is None:
            continue
        text = column.levels
        strange = [level for level in text if not looks_like_a_number(level)]
        like_numbers = len(text) - len(strange)
        if strange and like_numbers > 20 and len(strange) <= min(5, like_numbers // 10):
            places = [place for place, level in enumerate(text) if level in strange]
            bad = np.flatnonzero(np.isin(column.values, places))
            raise fault(
                InputError,
                f"'{name}' holds text among numbers, and so is text in every row",
                column=name,
                rows=[int(rows[row]) for row in bad],
                labels=strange,
                remedy="Make these cells missing and the column a number, for instance with "
                "pandas.to_numeric(..., errors='coerce')",
            )
        many = len(text) > MANY or len(text) * len(column) > 2e8
        if many or (len(text) > 2 and len(text) >= len(column)):
            raise fault(
                InputError,
                f"'{name}' is {'numbers written as ' if not strange else ''}text with {len(text):,} "
                f"different values in {len(column):,} rows, each of which would be a coefficient",
                column=name,
                remedy="Read the column as numbers"
                if not strange
                else "Leave it out of the model, or pass it as cluster= if it names units",
            )
        if not strange and len(text) > 2:
            notes.append(
                f"{name} is numbers written as text, so each of its {len(text)} values is a category: "
                "read the column as numbers if it counts or measures something"
            )
    return notes

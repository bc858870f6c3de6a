"""Columns of labels as the core takes them: identifiers, strata and arms."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe.exceptions import InputError, fault
from crewe.frames import ids
from crewe.frames.cells import SAFE, label_of
from crewe.frames.source import Source

Labels = tuple[str, NDArray[np.uint32], list[str]]
"""Name, one code a row (2^32 - 1 is missing), one canonical label a code."""

MISSING = np.uint32(2**32 - 1)


def identifiers(source: Source, name: str) -> Labels:
    """Read identifiers; missing and fractional ones are refused."""
    codes, text = source.ids(name)
    return name, np.ascontiguousarray(codes, dtype=np.uint32), text


def labels(source: Source, name: str, what: str) -> Labels:
    """Read strata or arms: text in NFC, booleans and whole numbers in decimal."""
    column = source.column(name)
    if column.levels is not None:
        codes = np.asarray(column.values, dtype=np.int64)
        text = [unicodedata.normalize("NFC", level) for level in column.levels]
        ids.refuse_unsafe(text, name)
    elif column.values.dtype.kind in "iu":
        codes, whole = pd.factorize(column.values)
        text = [label_of(value) for value in whole]
    else:
        values = column.values
        missing = np.isnan(values)
        large = np.flatnonzero(np.isfinite(values) & (np.abs(values) >= SAFE))
        if len(large):
            raise fault(
                InputError,
                f"the {what} is a decimal number above 2^53, where neighbouring codes are one number",
                column=name,
                rows=[int(row) for row in large],
                remedy="Read the column as whole numbers or as text",
            )
        fractional = np.flatnonzero(
            ~missing & ~(np.isfinite(values) & (values == np.floor(values)))
        )
        if len(fractional):
            raise fault(
                InputError,
                f"the {what} is not a whole number, which gives no safe label",
                column=name,
                rows=[int(row) for row in fractional],
                remedy="Cut it into bands first, and give the bands names",
            )
        codes, unique = pd.factorize(values)
        text = [str(int(value)) for value in unique]
    codes = np.where(codes < 0, MISSING, codes)
    return name, np.ascontiguousarray(codes, dtype=np.uint32), text


def arrivals(source: Source, name: str) -> NDArray[np.int64]:
    """Read an order of arrival (numbers, dates or text that sorts) as whole numbers."""
    source.require(name)
    native = source._frame[name].to_native()
    if isinstance(native, pd.Series) and isinstance(native.dtype, pd.CategoricalDtype):
        # A declared order is the order.
        ranks = native.cat.codes if native.dtype.ordered else native.astype(object)
        values = ranks.where(native.notna()).reset_index(drop=True)
    else:
        values = pd.Series(source._frame[name].to_list(), dtype=object)
    missing = np.flatnonzero(values.isna().to_numpy())
    if len(missing):
        raise fault(
            InputError,
            f"the order of arrival is missing in {len(missing)} rows",
            column=name,
            rows=[int(row) for row in missing],
            remedy="Fill in the date or the position: a sequential procedure cannot do without",
        )
    return ids.order_of(values, name)


def text(value: object, what: str) -> str:
    """Read one identifier or label as :func:`labels` reads a column of them."""
    if isinstance(value, str):
        ids.refuse_unsafe([value], what)
        return unicodedata.normalize("NFC", value)
    if isinstance(value, int | np.integer | np.bool_):
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return ids.whole_text([value], what)[0]
    raise fault(
        InputError,
        f"'{value!r}' is no text or whole number, which gives no safe label",
        column=what,
        remedy="Pass text or a whole number",
    )


def new_id(value: object, what: str) -> str:
    """Read an identifier that enters a register: nothing in it may be out of sight."""
    found = text(value, what)
    ids.refuse_hidden([found], what)
    return found

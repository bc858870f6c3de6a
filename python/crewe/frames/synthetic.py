"""Whether a data frame is synthetic, as the frame itself says.

A pandas frame carries the mark in its attributes and an Arrow table in the metadata of its schema, and both hand it on to
what is made from them (filters, new columns, most joins). polars frames and DuckDB relations have no such place: the mark
belongs to the very object, and what is made from it must be marked again.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, TypeVar

import narwhals as nw

Frame = TypeVar("Frame")

KEY = "synthetic"

# The objects that carry the mark nowhere else, by their id for as long as they live.
_KNOWN: dict[int, weakref.ref[Any]] = {}


def mark(frame: Frame) -> Frame:
    """Give a frame of any kind with the mark; the one given stays as it is where the kind can hold a mark of its own."""
    native: Any = nw.to_native(frame, pass_through=True)
    kind = type(native).__module__.partition(".")[0]
    if kind == "pandas":
        made = native.copy(deep=False)
        made.attrs = {**native.attrs, KEY: True}
    elif kind == "pyarrow":
        made = native.replace_schema_metadata(
            {**(native.schema.metadata or {}), KEY.encode(): b"true"}
        )
    else:
        made = native
        place = id(made)
        _KNOWN[place] = weakref.ref(made, lambda _: _KNOWN.pop(place, None))
    return made  # type: ignore[no-any-return]


def marked(data: Any) -> bool:
    """Say whether a frame, a column of one, or any column of a mapping is marked as synthetic."""
    if isinstance(data, Mapping):
        return any(marked(column) for column in data.values())
    native: Any = nw.to_native(data, pass_through=True)
    attributes = getattr(native, "attrs", None)
    if isinstance(attributes, Mapping) and attributes.get(KEY) is True:
        return True
    known = _KNOWN.get(id(native))
    if known is not None and known() is native:
        return True
    if type(native).__module__.partition(".")[0] != "pyarrow":
        return False
    metadata = getattr(getattr(native, "schema", None), "metadata", None) or {}
    return (
        metadata.get(KEY.encode()) == b"true"
        or b'"synthetic": true' in metadata.get(b"pandas", b"").rpartition(b'"attributes"')[2]
    )

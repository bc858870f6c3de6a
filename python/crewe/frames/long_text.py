"""Long columns of text, which Arrow tells apart faster than Python, and identifiers that are canonical as they stand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

_LONG = 10_000
"""From so many rows Arrow is the faster."""

_HALVED = 500_000
"""From so many rows two threads read a half each."""


@dataclass(frozen=True)
class Plain:
    """Identifiers that need no reading: whole numbers, or text in which nothing can be hidden or written in two ways.

    Attributes
    ----------
    values : array of int64, or (codes, text, ends)
        Whole numbers, one a row; or the code of each row, the different identifiers joined, and where each ends.
    one_case : bool
        Whether no two of them can look alike, since no letter stands in both cases.
    """

    values: NDArray[np.int64] | tuple[NDArray[np.uint32], str, NDArray[np.int64]]
    one_case: bool

    def named(self, name: str) -> Any:
        """Give them as the core takes them."""
        return (name, *self.values) if isinstance(self.values, tuple) else (name, self.values)


def plain(series: nw.Series[Any]) -> Plain | None:
    """Give a column of identifiers as it stands, where it has no gap and needs no reading; else None."""
    if series.dtype.is_integer():
        return _whole(series)
    found = _dictionary(series)
    if found is None or found.indices.null_count or found.dictionary.offset:
        return None
    _, ends, joined = found.dictionary.buffers()
    width = np.int64 if "large" in str(found.dictionary.type) else np.int32
    places = np.frombuffer(ends, dtype=width)[: len(found.dictionary) + 1].astype(np.int64)
    if joined is None or (places[1:] == places[:-1]).any():
        return None
    data = memoryview(joined)[places[0] : places[-1]]
    try:
        text = str(data, "ascii")
    except UnicodeDecodeError:
        return None
    if " " in text or not text.isprintable():
        return None
    codes = found.indices.to_numpy().view(np.uint32)
    one_case = text in (text.upper(), text.lower())
    return Plain((codes, text, places[1:] - places[0]), one_case)


def encoded(series: nw.Series[Any]) -> tuple[NDArray[np.intp], list[str]] | None:
    """Give a long column of text as places in a list of the texts that differ, -1 where none stands.

    None for columns that are short, that hold anything else, or that Arrow cannot hold.
    """
    found = _dictionary(series)
    if found is None:
        return None
    places = found.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    try:
        return places.astype(np.intp), found.dictionary.to_pylist()
    except UnicodeError:
        return None


def _whole(series: nw.Series[Any]) -> Plain | None:
    if bool(series.is_null().any()):
        return None
    values = series.to_numpy()
    if values.dtype.kind not in "iu" or values.dtype == np.uint64:
        return None
    return Plain(np.ascontiguousarray(values, dtype=np.int64), True)


def _dictionary(series: nw.Series[Any]) -> Any:
    if len(series) < _LONG or series.dtype != nw.String:
        return None
    try:
        text = series.to_arrow()
        found = text.dictionary_encode() if len(text) < _HALVED else _by_halves(text)
        return found.combine_chunks() if hasattr(found, "combine_chunks") else found
    except (ImportError, ValueError, TypeError, UnicodeError):
        return None


def _by_halves(text: Any) -> Any:
    import pyarrow as pa

    half = len(text) // 2
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(
            lambda part: part.dictionary_encode(), (text.slice(0, half), text.slice(half))
        )
    chunks = [
        chunk
        for part in (first, second)
        for chunk in (part.chunks if isinstance(part, pa.ChunkedArray) else [part])
    ]
    return pa.chunked_array(chunks).unify_dictionaries()

"""Data frames of every kind in, one canonical form inside, the same kind out.

Backends disagree on the reference level of a dictionary column, on what a boolean term is called and on which
values are missing. So the columns that are used are brought to one form first, before any formula sees them:

* numbers and booleans become float64, and NaN, null and None all become NaN; whole numbers that float64 would
  merge stay integers;
* text and categories become a pandas Categorical. The levels that a pandas Categorical, a polars Enum or an
  ordered Arrow dictionary declares are kept in their order; everything else is sorted.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe.exceptions import InputError, did_you_mean, fault
from crewe.frames import cells as _cells
from crewe.frames import ids as _ids
from crewe.frames import long_text as _long_text
from crewe.frames.cells import label_of
from crewe.frames.column import Column, Columns
from crewe.frames.long_text import Plain
from crewe.frames.synthetic import mark, marked

__all__ = ["Source", "aligned", "build", "index_of", "label_of", "numbers", "refuse_text"]

_LONG = 500_000
"""From so many rows on, columns are read by two threads."""


class Source:
    """A user's data frame, read column by column.

    Attributes
    ----------
    names : list of str
        The columns.
    n : int
        The number of rows.
    synthetic : bool
        Whether the frame says that its data are synthetic; what is made from it says so too.
    """

    def __init__(self, frame: Any) -> None:
        if isinstance(frame, Source):
            self.__dict__.update(frame.__dict__)
            return
        try:
            wrapped: Any = nw.from_native(frame)
        except TypeError as error:
            raise fault(
                InputError,
                f"{type(frame).__name__} is not a data frame that crewe can read",
                remedy="Pass a pandas, polars, pyarrow or DuckDB table",
            ) from error
        except nw.exceptions.DuplicateError as error:
            raise _names_twice(getattr(frame, "column_names", frame.columns)) from error
        self.synthetic: bool = marked(frame)
        wrapped = _native_bytes(wrapped)
        self._lazy = isinstance(wrapped, nw.LazyFrame)
        self._implementation = wrapped.implementation
        if self._lazy:
            # DuckDB relations have no eager form of their own: Arrow carries them.
            eager = "polars" if self._implementation.is_polars() else "pyarrow"
            wrapped = wrapped.collect(backend=eager)
        self._frame: nw.DataFrame[Any] = wrapped
        self.names: list[str] = [str(name) for name in wrapped.columns]
        if len(set(self.names)) < len(self.names):
            raise _names_twice(self.names)
        self.n: int = len(wrapped)
        self._cache: dict[str, Column] = {}
        self._ids: dict[str, tuple[NDArray[np.uint32], list[str]]] = {}
        self._plain: dict[str, Plain | None] = {}

    @property
    def index(self) -> pd.Index[Any] | None:
        """The labels of the rows, where the frame has any."""
        return index_of(self._frame.to_native())

    def require(self, name: str) -> None:
        """Refuse a column that is not there, with the nearest names."""
        if name not in self.names:
            near = difflib.get_close_matches(name, self.names, n=3, cutoff=0.5)
            raise fault(
                InputError,
                f"there is no column '{name}'",
                column=name,
                remedy=did_you_mean(near) if near else f"The columns are {', '.join(self.names)}",
            )

    def column(self, name: str) -> Column:
        """One column in canonical form."""
        if name not in self._cache:
            self.require(name)
            self._cache[name] = _canonical(self._frame[name], name)
        return self._cache[name]

    def cells(self, name: str) -> list[Any]:
        """Give the cells of a column as Python values, missing ones as None; text that is blank is missing.

        Records hold words, numbers and dates side by side, which no canonical form would keep.
        """
        self.require(name)
        return [
            None
            if _cells.is_missing(cell) or (isinstance(cell, str) and not cell.strip())
            else cell
            for cell in self._frame[name].to_list()
        ]

    def columns(self, names: Sequence[str]) -> Columns:
        """Several columns in canonical form; long ones are read by two threads."""
        if self.n >= _LONG:
            with ThreadPoolExecutor(2) as threads:
                # Whether each is complete is asked of it while it is at hand.
                list(threads.map(lambda name: self.column(name).is_complete, dict.fromkeys(names)))
        return Columns({name: self.column(name) for name in names}, self.n)

    def ids(self, name: str) -> tuple[NDArray[np.uint32], list[str]]:
        """Give identifiers as codes and canonical text (integers in decimal, text as NFC).

        Labels come in order of first appearance. Missing and fractional identifiers are refused, as are several
        types in one column; whole numbers that were read as decimal ones are integers.
        """
        if name not in self._ids:
            self._ids[name] = self._read_ids(name)
        codes, labels = self._ids[name]
        return codes, list(labels)

    def plain_ids(self, name: str) -> Plain | None:
        """Give identifiers that are canonical as they stand, for the core to read; None where :meth:`ids` must."""
        if name not in self._plain:
            self.require(name)
            self._plain[name] = _long_text.plain(self._frame[name])
        return self._plain[name]

    def _read_ids(self, name: str) -> tuple[NDArray[np.uint32], list[str]]:
        self.require(name)
        series = self._frame[name]
        dtype = series.dtype
        missing = np.flatnonzero(series.is_null().to_numpy())
        if dtype.is_float():
            missing = np.flatnonzero(np.isnan(_floats(series)))
        if len(missing):
            raise fault(
                InputError,
                f"identifiers are missing in {len(missing)} of {self.n} rows",
                column=name,
                rows=[int(row) for row in missing],
                remedy="Every row needs to say which unit it belongs to: fill the identifier in "
                "or drop these rows before the analysis",
            )
        if dtype.is_integer() or dtype == nw.Boolean:
            values = series.to_numpy()
            codes, unique = pd.factorize(values)
            if unique.dtype.kind in "iu":
                return codes.astype(np.uint32), list(map(str, unique.tolist()))
            return codes.astype(np.uint32), [str(int(value)) for value in unique]
        encoded = _long_text.encoded(series)
        if encoded is not None:
            places, distinct = encoded
            names = self._id_names(distinct, name)
            if len(set(names)) == len(names):
                return places.astype(np.uint32), names
            first: dict[str, int] = {}
            merged = np.array([first.setdefault(text, len(first)) for text in names])
            return merged[places].astype(np.uint32), list(first)
        # Text is told apart by Python: a hash of C would end at a NUL.
        cells = series.to_list()
        distinct = list(dict.fromkeys(cells)) if set(map(type, cells)) == {str} else cells
        place: dict[str, int] = {}
        names = self._id_names(distinct, name)
        found = [place.setdefault(text, len(place)) for text in names]
        if distinct is not cells:
            known = dict(zip(distinct, found, strict=True))
            found = list(map(known.__getitem__, cells))
        codes = np.array(found, dtype=np.uint32)
        return codes, list(place)

    @staticmethod
    def _id_names(cells: list[Any], name: str) -> list[str]:
        names = _ids.id_text(cells, name)
        if "".join(names).isascii():
            return names
        return [unicodedata.normalize("NFC", text) for text in names]

    def like(self, columns: Mapping[str, Any]) -> Any:
        """Build a frame of the user's own kind from columns."""
        return build(columns, self._implementation, lazy=self._lazy, synthetic=self.synthetic)

    def take(self, rows: Sequence[int]) -> Source:
        """Give the same frame with only these rows, in this order."""
        part = Source(self)
        part._frame = self._frame[list(rows)]
        part.n = len(part._frame)
        part._cache, part._ids, part._plain = {}, {}, {}
        return part

    def with_columns(self, columns: Mapping[str, Any]) -> Any:
        """Give the user's frame with columns added or replaced, as the same kind."""
        backend = self._frame.implementation
        series = [
            nw.new_series(name, _plain(values), backend=backend) for name, values in columns.items()
        ]
        made = _native(self._frame.with_columns(*series), self._implementation, self._lazy)
        return mark(made) if self.synthetic else made

    def native(self) -> Any:
        """Give the frame as the kind of frame that it was read as, lazy ones collected."""
        made = self._frame.to_native()
        return mark(made) if self.synthetic else made


def _names_twice(names: Sequence[Any]) -> Exception:
    twice = [str(name) for name, count in Counter(map(str, names)).items() if count > 1]
    return fault(
        InputError,
        f"the data have several columns called {' and '.join(map(repr, twice)) or 'the same'}",
        column=twice[0] if twice else None,
        remedy="Rename or drop all but one, for instance with data.loc[:, ~data.columns.duplicated()]",
    )


def index_of(*values: Any) -> pd.Index[Any] | None:
    """Give the labels of the rows of the first of these that has any."""
    for value in values:
        if isinstance(value, pd.Series | pd.DataFrame):
            return value.index
    return None


def aligned(values: Any, like: Any, name: str) -> Any:
    """Bring rows that have labels into the order of other rows that have labels.

    Parameters
    ----------
    values : array-like
        Returned as it is where it has no labels, or where its labels stand in the order of `like`.
    like : index, Series, data frame or None
        Whose order counts.
    name : str
        What a message calls `values`.

    Raises
    ------
    InputError
        Where labels differ, or come twice in another order, so that no row can be told from another.
    """
    own = index_of(values)
    index = like if isinstance(like, pd.Index) else index_of(like)
    if own is None or index is None or len(own) != len(index) or own.equals(index):
        return values
    places = own.get_indexer(index) if own.is_unique and index.is_unique else None
    if places is None or (places < 0).any():
        strange = [] if places is None else list(index[places < 0])
        raise fault(
            InputError,
            f"the rows of {name} have other labels than those that they stand beside"
            if strange
            else f"the rows of {name} stand in another order, and their labels come twice",
            column=name,
            rows=[] if places is None else [int(row) for row in np.flatnonzero(places < 0)],
            remedy="Give both the same index; where they match by position, pass the values alone with .to_numpy()",
        )
    return values.iloc[places]


def _native_bytes(wrapped: Any) -> Any:
    """Bring numbers of the other order of bytes, as some binary files have them, into the machine's own."""
    frame = nw.to_native(wrapped)
    if not isinstance(frame, pd.DataFrame):
        return wrapped
    foreign = {
        name: dtype.newbyteorder("=")
        for name, dtype in frame.dtypes.items()
        if isinstance(dtype, np.dtype) and not dtype.isnative
    }
    return nw.from_native(frame.astype(foreign)) if foreign else wrapped


def build(
    columns: Mapping[str, Any],
    implementation: Any = None,
    *,
    lazy: bool = False,
    synthetic: bool = False,
) -> Any:
    """Build a frame from columns: of the implementation named, else pandas; marked where its data are synthetic."""
    plain = {name: _plain(values) for name, values in columns.items()}
    if implementation is None or implementation.is_pandas_like():
        made: Any = pd.DataFrame(plain)
    else:
        backend: Any = "polars" if implementation.is_polars() else "pyarrow"
        made = _native(nw.from_dict(plain, backend=backend), implementation, lazy)
    return mark(made) if synthetic else made


def _native(frame: nw.DataFrame[Any], implementation: Any, lazy: bool) -> Any:
    native = frame.to_native()
    if lazy and implementation.is_polars():
        return native.lazy()
    if implementation.is_duckdb():
        import duckdb

        return duckdb.from_arrow(native)
    return native


def _plain(values: Any) -> Any:
    """Columns as every backend takes them: categories as text, arrays as they are."""
    if isinstance(values, pd.Series):
        values = values.array
    if isinstance(values, pd.Categorical):
        return [None if value != value else value for value in values.astype(object)]
    return values if isinstance(values, np.ndarray) and values.dtype != object else list(values)


def _floats(series: nw.Series[Any]) -> NDArray[np.float64]:
    values = series.cast(nw.Float64).to_numpy()
    return np.asarray(values, dtype=np.float64)


def _canonical(series: nw.Series[Any], name: str) -> Column:
    dtype = series.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        return _cells.number_column(series, name)
    if dtype.is_temporal():
        raise _dates_refused(name)
    declared = _declared_levels(series)
    if declared is None:
        plain = _text(series, name)
        if plain is not None:
            return plain
    values = pd.Series(series.to_list(), dtype=object)
    missing = values.isna().to_numpy()
    kept = values[~missing]
    if len(kept) and all(isinstance(value, bool | np.bool_) for value in kept):
        return Column(values.astype("float64").to_numpy())
    if len(kept) and all(isinstance(value, _cells.NUMBERS) for value in kept):
        exact = _cells.whole(list(values), name)
        return Column(_cells.to_floats(list(values))) if exact is None else Column.of(exact)
    if declared is None:
        if any(isinstance(value, _cells.TEMPORAL) for value in kept):
            raise _dates_refused(name)
        _cells.refuse_mixture(list(values), name)
    elif len(set(declared)) < len(declared):
        raise fault(
            InputError,
            f"two levels of '{name}' are written alike",
            column=name,
            labels=sorted({level for level in declared if declared.count(level) > 1}),
            remedy="A category that holds the number 1 and the text '1' has two levels of one name: make them one",
        )
    text = [None if gone else str(value) for value, gone in zip(values, missing, strict=True)]
    present = {value for value in text if value is not None}
    _cells.refuse_unwritable(sorted(present), name)
    levels = (
        [level for level in declared if level in present]
        if declared is not None
        else sorted(present)
    )
    place = {level: i for i, level in enumerate(levels)}
    codes = [-1 if value is None else place[value] for value in text]
    return Column(np.array(codes, dtype=np.intp), tuple(levels))


def _dates_refused(name: str) -> Exception:
    return fault(
        InputError,
        "dates cannot enter a model as they are",
        column=name,
        remedy="Turn them into numbers first, for instance days since the start of the trial",
    )


def _text(series: nw.Series[Any], name: str) -> Column | None:
    """Read a column of nothing but text; None where anything else stands in it."""
    encoded = _long_text.encoded(series)
    if encoded is not None:
        places, distinct_text = encoded
        levels = sorted(distinct_text)
        _cells.refuse_unwritable(levels, name)
        rank = {level: i for i, level in enumerate(levels)}
        to = np.array([*map(rank.__getitem__, distinct_text), -1], dtype=np.intp)
        return Column(to[places], tuple(levels))
    cells = series.to_list()
    kinds = set(map(type, cells))
    if str not in kinds or not kinds <= {str, float, type(None)}:
        return None
    distinct = set(cells)
    levels = sorted(value for value in distinct if isinstance(value, str))
    if any(isinstance(value, float) and value == value for value in distinct):
        return None
    _cells.refuse_unwritable(levels, name)
    place: dict[Any, int] = {level: i for i, level in enumerate(levels)}
    if kinds == {str}:
        codes = list(map(place.__getitem__, cells))
    else:
        codes = [place.get(cell, -1) for cell in cells]
    return Column(np.array(codes, dtype=np.intp), tuple(levels))


def refuse_text(column: Column, name: str, remedy: str = "") -> None:
    """Refuse a category, of one level or of many, where numbers are needed."""
    if column.levels is not None:
        _refuse_text(name, list(column.levels), remedy)


def _refuse_text(
    name: str, values: Sequence[str], remedy: str = "", rows: Sequence[int] = ()
) -> None:
    raise fault(
        InputError,
        f"'{name}' is text, where numbers are needed",
        column=name,
        rows=rows,
        labels=values,
        remedy=remedy
        or (
            "Code it as numbers first, for instance 1 and 0"
            if len(values) == 2
            else "Read the column as numbers"
        ),
    )


def numbers(values: Any, name: str, remedy: str = "") -> NDArray[np.float64]:
    """Read an array-like of any shape as numbers, as :meth:`Source.column` reads a column of them.

    Booleans are 0 and 1, None and NA are NaN. Text is refused, even where it looks like numbers, as are dates.
    """
    array = np.asarray(values)
    kind = array.dtype.kind
    array = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    if kind == "O":
        cells = array.ravel()
        text = [i for i, cell in enumerate(cells) if isinstance(cell, str | bytes)]
        if text:
            row = len(cells) // (array.shape[0] if array.ndim else 1)
            seen = list(dict.fromkeys(str(cells[i]) for i in text))
            _refuse_text(name, seen, remedy, list(dict.fromkeys(i // row for i in text)))
        array = np.where(pd.isna(array), np.nan, array)
    elif kind in "UST":
        _refuse_text(name, [str(value) for value in np.unique(array)], remedy)
    try:
        if kind not in "biufO":
            raise TypeError(array.dtype)
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise fault(
            InputError,
            f"{name} does not hold numbers ({array.dtype})",
            column=name,
            remedy=remedy or "Turn it into numbers first, for instance dates into days",
        ) from error


def _declared_levels(series: nw.Series[Any]) -> list[str] | None:
    """Give the levels whose order the user has declared, or None where the order is an accident."""
    native = series.to_native()
    if isinstance(native, pd.Series) and isinstance(native.dtype, pd.CategoricalDtype):
        return [str(level) for level in native.dtype.categories]
    if series.dtype == nw.Enum:
        return [str(level) for level in series.dtype.categories]  # type: ignore[attr-defined]
    kind = getattr(native, "type", None)
    if kind is not None and getattr(kind, "ordered", False):
        chunk = native.unify_dictionaries().chunk(0) if hasattr(native, "chunk") else native
        return [str(level) for level in chunk.dictionary.to_pylist()]
    return None

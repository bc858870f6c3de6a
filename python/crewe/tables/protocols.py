"""What a result offers, so that tables, figures and reports take any result of any kind.

Nothing here is inherited from. A table, a plot or a report asks whether an object has the methods
it needs, so a model written outside crewe prints beside crewe's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import narwhals as nw

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.cells import is_missing
from crewe.frames.synthetic import marked


@runtime_checkable
class Tidy(Protocol):
    """A result with one row a term."""

    def tidy(self) -> Any:
        """Give a frame with `term, estimate, std_error, …` in the order of printing."""


@runtime_checkable
class Described(Protocol):
    """A result that can say in plain sentences how it was worked out."""

    def methods(self) -> Sequence[str]:
        """Give the model, the definition of the variance, the degrees of freedom, the software."""
        ...


@runtime_checkable
class Noted(Protocol):
    """A result that carries warnings."""

    notes: list[str]


@runtime_checkable
class Plotted(Protocol):
    """A result that can draw itself."""

    def plot(self) -> Any:
        """Draw, and give the matplotlib Axes."""


@runtime_checkable
class Fit(Protocol):
    """A fitted model."""

    notes: list[str]

    def tidy(self, level: float = 0.95) -> Any:
        """Give a frame: term, estimate, std_error, statistic, df, p_value, conf_low, conf_high."""

    def glance(self) -> Any:
        """Give the facts of the whole model: n, clusters, vcov, r_squared, …."""


@runtime_checkable
class Margins(Protocol):
    """Predicted levels (re-weighted means) of a term."""

    def tidy(self, level: float = 0.95) -> Any:
        """Give a frame: level, by (if any), estimate, std_error, df, conf_low, conf_high."""

    def contrasts(self) -> Any:
        """Give the differences between the levels, with p_value."""


@runtime_checkable
class Designed(Protocol):
    """An assignment: units with arms, drawn from a design that can be committed to."""

    design: Any


def rows(frame: Any) -> list[dict[str, Any]]:
    """Give a frame of any kind (or a mapping of columns, or a list of rows) as a list of rows."""
    if isinstance(frame, Mapping):
        columns = {
            str(name): values
            if isinstance(values, Sequence) and not isinstance(values, str)
            else [values]
            for name, values in frame.items()
        }
        n = max((len(values) for values in columns.values()), default=0)
        return [{name: values[i] for name, values in columns.items()} for i in range(n)]
    if isinstance(frame, list) and all(isinstance(row, Mapping) for row in frame):
        return [dict(row) for row in frame]
    try:
        given: Any = frame
        wrapped: Any = nw.from_native(given)
    except TypeError as error:
        raise fault(
            InputError,
            f"{type(frame).__name__} is not a table that can be printed",
            remedy="Give a result of crewe or a data frame",
        ) from error
    if isinstance(wrapped, nw.LazyFrame):
        wrapped = wrapped.collect()
    return [{str(k): v for k, v in row.items()} for row in wrapped.rows(named=True)]


def is_frame(result: Any) -> bool:
    """Say whether an object is a data frame."""
    wrapped = nw.from_native(result, pass_through=True)
    return isinstance(wrapped, nw.DataFrame | nw.LazyFrame)


def attribute(result: Any, name: str) -> Any:
    """Give what a result says of itself; a frame says nothing, since its attributes are columns."""
    return None if is_frame(result) else getattr(result, name, None)


def description(result: Any) -> str:
    """Give a result's own words for its figure: `alt`, or what `describe()` says."""
    alt = attribute(result, "alt")
    if isinstance(alt, str):
        return alt
    describe = attribute(result, "describe")
    return str(describe()) if callable(describe) else ""


def level_of(result: Any, level: float | None = None) -> float:
    """Give the coverage of a result's intervals: what is asked for, else its own, else .95."""
    if level is not None:
        return _core.check_level(level)
    for name in ("level", "confidence"):
        own = attribute(result, name)
        if isinstance(own, float):
            return own
    return 0.95


def synthetic(result: Any) -> bool:
    """Say whether a result rests on synthetic data, as it or the frame itself says."""
    return marked(result) or attribute(result, "synthetic") is True


def tidy(result: Any, level: float | None = None) -> list[dict[str, Any]]:
    """Give a result's tidy rows, with intervals at `level` where one is asked for."""
    if not isinstance(result, Tidy):
        return rows(result)
    if level is not None and "level" in inspect.signature(result.tidy).parameters:
        return rows(result.tidy(level=level))  # type: ignore[call-arg]
    return rows(result.tidy())


def tidy_with(
    result: Any, columns: Sequence[str], level: float | None = None
) -> list[dict[str, Any]]:
    """Give a result's tidy rows, and refuse them where a column that is needed is not there."""
    found = tidy(result, level)
    for name in columns:
        if found and name not in found[0]:
            raise fault(
                InputError,
                f"there is no column '{name}'",
                column=name,
                remedy=f"The columns are {', '.join(found[0])}",
            )
    numbers = [name for name in _NUMBERS if found and name in found[0]]
    return [{**row, **{name: _number(row[name], name) for name in numbers}} for row in found]


INTERVAL = ("estimate", "conf_low", "conf_high")
"""The columns of an estimate with its interval."""

_NUMBERS = (*INTERVAL, "std_error", "statistic", "df", "p_value")


def _number(value: Any, name: str) -> Any:
    """Read a number of a tidy frame; what is missing, in whatever way the frame says so, is NaN."""
    if is_missing(value):
        return float("nan")
    if isinstance(value, str) or not hasattr(value, "__float__"):
        raise fault(
            InputError,
            f"'{name}' holds what is no number",
            column=name,
            values=[repr(value)],
            remedy="Turn the column into numbers first",
        )
    return value


def facts(result: Any) -> dict[str, Any]:
    """Give what `glance()` says as one dict; empty where there is none."""
    glance = attribute(result, "glance")
    if glance is None:
        return {}
    said = rows(glance())
    return said[0] if said else {}


def formula(result: Any) -> str:
    """Give the formula of a model, or nothing."""
    return str(attribute(result, "formula") or "")


def notes(result: Any) -> list[str]:
    """Give the warnings of a result."""
    return [str(note) for note in attribute(result, "notes") or []]


def methods(result: Any) -> list[str]:
    """Give the sentences that say how a result was worked out."""
    said: Any = attribute(result, "methods")
    if not callable(said):
        return []
    sentences: Any = said()
    return [str(sentence) for sentence in sentences]

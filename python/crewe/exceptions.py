"""What can go wrong. Every message names what is wrong, where, and what to do about it."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from functools import partial
from typing import Any


class CreweError(Exception):
    """The root of crewe's errors.

    Attributes
    ----------
    problem : str
        What is wrong, without the places.
    column : str or None
        The column at fault.
    rows : list of int
        The rows at fault, counted from 0, in the order of the data as given.
    values : list of str
        The offending names, settings or labels of categories; of identifiers the first few. Data of
        people are not among them: look at `rows`.
    remedy : str
        What to do.
    """

    def __init__(
        self,
        message: str = "",
        *,
        problem: str = "",
        column: str | None = None,
        rows: Sequence[int] = (),
        values: Sequence[str] = (),
        remedy: str = "",
    ) -> None:
        super().__init__(message)
        self.problem = problem or message
        self.column = column
        self.rows = list(rows)
        self.values = list(values)
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), str(self), self.__dict__.copy()))


def _rebuild(cls: type[CreweError], message: str, facts: dict[str, object]) -> CreweError:
    error = cls(message)
    error.__dict__.update(facts)
    return error


class InputError(CreweError, ValueError):
    """The data or the arguments are wrong."""


class DesignError(CreweError, ValueError):
    """The trial's design is impossible, or the data contradict it."""


class RankError(CreweError, ValueError):
    """Some columns of the model are combinations of others."""


class SeparationError(CreweError, ValueError):
    """A variable predicts the outcome perfectly, so that its coefficient has no finite value."""


class ConvergenceError(CreweError, RuntimeError):
    """An iteration did not reach its answer."""


class LedgerError(CreweError, RuntimeError):
    """The register of a rolling trial refused a request or does not verify."""


def from_signal(error: BaseException) -> BaseException | None:
    """Give what the handler of a signal raised, where that is what struck or what lies behind it.

    Whoever says in words what went wrong inside somebody's function asks this first: a signal that
    came meanwhile has nothing to do with the function, and what its handler raised goes on as it is.
    """
    codes = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in seen:
        place = found.__traceback__
        while place is not None:
            if place.tb_frame.f_code in codes:
                return found
            place = place.tb_next
        seen.append(found)
        found = found.__cause__ or found.__context__
    return None


def _code(handler: Any) -> Any:
    """Give the code of a handler, by which it stands in a traceback; None for one that is not Python's."""
    while isinstance(handler, partial):
        handler = handler.func
    if not callable(handler):
        return None
    return getattr(handler, "__code__", None) or getattr(type(handler).__call__, "__code__", None)


def did_you_mean(names: Sequence[object]) -> str:
    """Ask for the nearest known names.

    Examples
    --------
    >>> did_you_mean(["age", "arm", "aim"])
    "Did you mean 'age', 'arm' or 'aim'?"
    """
    quoted = [repr(str(name)) for name in names]
    listed = " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
    return f"Did you mean {listed}?"


def cut(text: str, shown: int = 200) -> str:
    """Give the beginning of a text, so that a message stays readable.

    Examples
    --------
    >>> cut("y ~ arm"), cut("y ~ arm", 3)
    ('y ~ arm', 'y ~ …')
    """
    return text if len(text) <= shown else f"{text[:shown].rstrip()} …"


def said(value: object) -> str:
    """Give any value as a message shows it, however long or deep it is.

    Examples
    --------
    >>> said([1, "a"])
    "[1, 'a']"
    """
    try:
        return cut(repr(value))
    except RecursionError:
        return f"a {type(value).__name__} that nests too deeply"


_SHOWN = 5
"""How many rows, values or identifiers a message lists."""

_LABELS = 12
"""The most labels of a category that a message may show."""

_SENTENCE = 2_000
"""The characters of a sentence."""


def shown_labels(labels: Sequence[str]) -> list[str]:
    """Give labels of a category where a message may show them, and none of a column that holds data.

    Words and short whole numbers, such as 9 for an answer that was not given, are labels. A column
    of many texts, of quantities, dates or numbers of people is the wrong column for a category, and
    what it holds is somebody's.

    Examples
    --------
    >>> shown_labels(["yes", "n/a"]), shown_labels(["9"]), shown_labels(["36.6"]), shown_labels(["1987-06-05"])
    (['yes', 'n/a'], ['9'], [], [])
    """

    def data(label: str) -> bool:
        digits = sum(sign.isdigit() for sign in label)
        return digits > 4 or (digits > 0 and re.search(r"\.(?!0*$)", label) is not None)

    return [] if len(labels) > _LABELS or any(map(data, labels)) else list(labels)


def _visible(item: object) -> str:
    """Write a value so that blanks at its ends and what shows nothing are seen."""
    text = str(item)
    return text if text == text.strip() and text.isprintable() else ascii(text)


def fault(
    kind: type[CreweError],
    problem: str,
    *,
    column: str | None = None,
    rows: Sequence[int] = (),
    values: Sequence[str] = (),
    labels: Sequence[str] = (),
    ids: Sequence[str] = (),
    remedy: str = "",
) -> CreweError:
    """Build an error whose message is worded as the core words its own.

    It is written into logs and sent around, so it holds no data of people: `rows` tell where they
    are; `values` are the user's own settings and names; `labels` are those of a category, shown where
    they can be (:func:`shown_labels`); of `ids` the first few are kept, for want of rows.
    """

    def listed(items: Sequence[object]) -> str:
        shown = ", ".join(map(_visible, items[:_SHOWN]))
        return shown + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")

    problem, remedy = cut(problem, _SENTENCE), cut(remedy, _SENTENCE)
    values = [cut(value) for value in (*values, *shown_labels(labels), *ids[:_SHOWN])]
    facts = []
    if column is not None:
        facts.append(f"column '{cut(str(column))}'")
    if len(rows) == 1:
        facts.append(f"row {rows[0]}")
    elif rows:
        facts.append(f"rows {listed(rows)}")
    if values:
        facts.append(f"seen: {listed(values)}")
    message = problem + (f" ({'; '.join(facts)})" if facts else "")
    message += "" if message.endswith("?") else "."
    if remedy:
        message += f" {remedy}" + ("" if remedy.endswith("?") else ".")
    return kind(message, problem=problem, column=column, rows=rows, values=values, remedy=remedy)

"""What can go wrong. Every message names what is wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence


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
        The offending values or names.
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


def fault(
    kind: type[CreweError],
    problem: str,
    *,
    column: str | None = None,
    rows: Sequence[int] = (),
    values: Sequence[str] = (),
    remedy: str = "",
) -> CreweError:
    """Build an error whose message is worded as the core words its own."""

    def listed(items: Sequence[object]) -> str:
        shown = ", ".join(str(item) for item in items[:5])
        return shown + (f" and {len(items) - 5} more" if len(items) > 5 else "")

    facts = []
    if column is not None:
        facts.append(f"column '{column}'")
    if len(rows) == 1:
        facts.append(f"row {rows[0]}")
    elif rows:
        facts.append(f"rows {listed(rows)}")
    if values:
        facts.append(f"seen: {listed(values)}")
    message = problem + (f" ({'; '.join(facts)})" if facts else "") + "."
    if remedy:
        message += f" {remedy}" + ("" if remedy.endswith("?") else ".")
    return kind(message, problem=problem, column=column, rows=rows, values=values, remedy=remedy)

"""The words of a trial in print: what a table or figure says in place of the name of an arm.

A design declares labels once; every result that came from it carries them, and whatever prints an arm asks `worded`. The
frames of `tidy()` keep the names. Who prints several results together, as a report, may put words of its own before those
of the results.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

Result = TypeVar("Result")
Function = TypeVar("Function", bound=Callable[..., Any])

_NONE: Mapping[str, str] = {}
_WORDS: ContextVar[Mapping[str, str]] = ContextVar("words")

PRINTS = (
    "_panels",
    "_repr_html_",
    "describe",
    "methods",
    "plot",
    "risk_table",
    "summary",
    "svg",
    "table",
    "tables",
)
"""The methods of a result that print."""


def worded(name: str) -> str:
    """Say a name in the words that hold here; as it is where there are none.

    Examples
    --------
    >>> with wording({"crewe": "Project Crewe"}):
    ...     worded("crewe"), worded("control")
    ('Project Crewe', 'control')
    """
    return _WORDS.get(_NONE).get(name, name)


def worded_term(term: str) -> str:
    """Say the levels in the name of a term in the words that hold here.

    Examples
    --------
    >>> with wording({"crewe": "Project Crewe"}):
    ...     worded_term("arm[T.crewe]:history")
    'arm[T.Project Crewe]:history'
    """
    if not _WORDS.get(_NONE):
        return term
    return re.sub(r"\[(T\.)?([^\]]*)\]", lambda m: f"[{m[1] or ''}{worded(m[2])}]", term)


@contextmanager
def wording(words: Mapping[str, str]) -> Iterator[None]:
    """Let these words hold within, after those that hold already."""
    if not words:
        yield
        return
    token = _WORDS.set({**words, **_WORDS.get(_NONE)})
    try:
        yield
    finally:
        _WORDS.reset(token)


def words_of(result: Any) -> Mapping[str, str]:
    """Give the words that a result, or any of several, carries."""
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, list | tuple):
        return {name: word for one in result for name, word in words_of(one).items()}
    found = getattr(result, "_words", None)
    return found if isinstance(found, Mapping) else {}


def carry(result: Result, words: Mapping[str, str]) -> Result:
    """Let a result carry words, and give it."""
    if words:
        # Results may be frozen.
        object.__setattr__(result, "_words", dict(words))
    return result


def print_in_own_words(kind: type) -> None:
    """Let the methods of a class that print do so in the words that the result carries."""
    for name in PRINTS:
        found = vars(kind).get(name)
        if inspect.isfunction(found):
            setattr(kind, name, _in_own_words(found))


def in_words(function: Function) -> Function:
    """Let a function print in the words of the results that are its first argument."""
    first = next(iter(inspect.signature(function).parameters))

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        with wording(words_of(args[0] if args else options.get(first))):
            return function(*args, **options)

    return cast(Function, call)


def _in_own_words(method: Any) -> Any:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **options: Any) -> Any:
        with wording(words_of(self)):
            return method(self, *args, **options)

    return call

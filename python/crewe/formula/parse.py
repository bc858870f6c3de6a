"""A formula's text, taken apart: its sides and its variables."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crewe.exceptions import CreweError, InputError, cut, fault, from_signal
from crewe.formula import names as _names


def shown_name(part: Any) -> str:
    """Put the names of columns back into what the parser calls a term or a column."""
    return _names.shown(str(part))


_NESTED = 50
"""How deep brackets may nest in a formula: far beyond any, short of what parsers bear."""

_JOINED = 1_000
"""How many operators may stand inside one pair of brackets."""

_LONGEST = 50_000
"""How many characters a formula may have."""


@contextmanager
def worked_out(what: str) -> Iterator[None]:
    """Say in words what went wrong inside a formula: its functions may raise anything."""
    try:
        yield
    except CreweError:
        raise
    except Exception as error:
        if (raised := from_signal(error)) is not None:
            raise raised from None
        # The parser wraps what a function of ours refuses.
        inner = error.__cause__
        if isinstance(inner, CreweError):
            raise inner from None
        raise fault(
            InputError,
            f"{what} cannot be worked out: {reason(error)}",
            remedy="Check the functions and their arguments, or work the column out in the data first",
        ) from error


def refuse_depth(expression: str) -> None:
    """Refuse an expression whose tree would be deeper than parsers bear, before one is built."""
    if len(expression) > _LONGEST:
        raise fault(
            InputError,
            f"the formula '{cut(expression)}' has more than {_LONGEST:,} characters",
            remedy="Work it out in columns of their own first, or pass arrays",
        )
    depth = joined = 0
    for char in re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", "", expression):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth = max(0, depth - 1)
            joined = joined if depth else 0
        elif depth and char in "+-*/%^|&<>=!~@.,:":
            joined += 1
        if depth > _NESTED or joined > _JOINED:
            what = (
                f"nests brackets more than {_NESTED} deep"
                if depth > _NESTED
                else f"has more than {_JOINED:,} operators within one pair of brackets"
            )
            raise fault(
                InputError,
                f"the formula '{cut(expression)}' {what}",
                remedy="Work it out in a column of its own first",
            )


def need_text(formula: object) -> None:
    """Refuse a formula that is no text."""
    if not isinstance(formula, str):
        raise fault(
            InputError,
            f"a formula is text, not a {type(formula).__name__}",
            remedy="Write it as 'outcome ~ arm + covariate'",
        )


def parse(text: str) -> tuple[str, str]:
    """Split a formula into its two sides; what is arithmetic on the left stays arithmetic."""
    need_text(text)
    return _parse(text)


@functools.lru_cache(maxsize=512)
def _parse(text: str) -> tuple[str, str]:
    refuse_depth(text)
    left, tilde, right = _names.halves(text)
    if not tilde or not left.strip() or not right.strip():
        raise fault(
            InputError,
            f"'{cut(text)}' is not a formula",
            remedy="Write it as 'outcome ~ arm + covariate'",
        )
    _names.aliased(right)
    return left.strip(), right.strip()


def refuse_outcome_right(left: str, right: str) -> None:
    """Refuse an outcome that is a covariate of itself."""
    outcome = _names.name_of(_names.aliased(left.strip()))
    if outcome is not None and outcome in variables(right):
        raise fault(
            InputError,
            f"'{outcome}' stands on both sides of the formula",
            column=outcome,
            remedy="Leave it out on the right: it would explain itself",
        )


def variables(expression: str) -> list[str]:
    """Name the columns that one side of a formula needs."""
    return list(_variables(expression))


@functools.lru_cache(maxsize=512)
def _variables(expression: str) -> tuple[str, ...]:
    refuse_depth(expression)
    return tuple(sorted(_names.inside(_names.aliased(expression))))


def reason(error: BaseException) -> str:
    """Give the first line of an error, with the names of columns in it."""
    if isinstance(error, RecursionError | MemoryError):
        return "it nests too deeply"
    return cut(_names.shown(str(error).split("\n")[0]) or type(error).__name__)

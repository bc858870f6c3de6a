"""TOML as crewe reads it: designs, cost-benefit analyses, risk matrices."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crewe.exceptions import CreweError, InputError, fault, from_signal

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

DEEPEST = 20
"""How deep tables and lists may nest: far beyond any file of crewe's."""


def text_of(path: str | os.PathLike[str], kind: type[CreweError] = InputError) -> str:
    """Read a file of text; one that cannot be read is refused.

    Raises
    ------
    CreweError
        Of the kind given, where there is no such file or it is no text.
    """
    if not isinstance(path, str | os.PathLike):
        raise fault(
            kind,
            f"a file is named by its path, not by a {type(path).__name__}",
            remedy="Pass text or a pathlib.Path",
        )
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        if (raised := from_signal(error)) is not None:
            raise raised from None
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise fault(
            kind,
            f"{path} cannot be read: {reason}",
            remedy="Check the path, and that the file is text",
        ) from error


def read(
    text: str,
    what: str,
    remedy: str,
    *,
    kind: type[CreweError] = InputError,
    parse_float: Callable[[str], Any] = float,
) -> dict[str, Any]:
    r"""Read TOML; what is none, and what nests deeper than anybody means, is refused.

    Parameters
    ----------
    text : str
        The text.
    what : str
        What it is called in an error.
    remedy : str
        What to do where it is no TOML.
    kind : type of CreweError
        Which error.
    parse_float : callable
        What reads decimals.

    Examples
    --------
    >>> read("[a]\nb = 1", "the file", "Mend it")
    {'a': {'b': 1}}
    """
    try:
        table: dict[str, Any] = tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError as error:
        raise fault(kind, f"{what} is not TOML: {error}", remedy=remedy) from error
    except RecursionError:
        raise _too_deep(kind, what) from None
    level: list[Any] = [table]
    for _ in range(DEEPEST):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return table
    raise _too_deep(kind, what)


def _too_deep(kind: type[CreweError], what: str) -> CreweError:
    return fault(
        kind,
        f"{what} nests tables or lists more than {DEEPEST} deep",
        remedy="Write it flat: no file of crewe nests deeper than four",
    )

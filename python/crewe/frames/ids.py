"""Identifiers and orders of arrival: what can be told apart, and what only looks alike."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe.exceptions import InputError, fault, shown_labels
from crewe.frames import cells as _cells

_LOOK = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u04cf"
    "\u0501\u051b\u051d\u0261\u0251\u0131"
    "\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03f2",
    "abekmhopctyxsijldqwgaiabezhikmvoptuxc",
)
"""Cyrillic and Greek letters, in lower case, that look like Latin ones in lower or upper case."""

_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Characters that count as letters or marks and show nothing."""

_ALIKE = "look alike are counted apart"
_TWICE = "make sure that none was entered twice"

_HALF_DATE = re.compile(
    r"^\s*\d{1,2}[./\- ]\d{1,2}[./\- ]\d{2,4}|[A-Za-z]{3}.*\d{4}|\d\s*[ap]\.?m\.?\b", re.I
)
_OFFSET = re.compile(r"\d{2}:\d{2}.*?([+-]\d{2}:?\d{2}|Z)$")


def hidden(text: str) -> str:
    r"""Name what a reader cannot see in an identifier; empty where there is nothing.

    Examples
    --------
    >>> hidden("F1"), hidden("F1 "), hidden("F1\u200b")
    ('', 'a blank at an end', 'U+200B')
    """
    if text.isascii() and text.isprintable():
        return "a blank at an end" if text != text.strip() else ""
    for sign in text:
        # A blank within is seen; other controls, formats and separators are not.
        kind = unicodedata.category(sign)
        variation = "\ufe00" <= sign <= "\ufe0f" or "\U000e0100" <= sign <= "\U000e01ef"
        if kind in ("Cc", "Cf", "Zl", "Zp") or variation or sign in _BLANK:
            return f"U+{ord(sign):04X}"
    return "a blank at an end" if text != text.strip() else ""


def _not_plain(ids: Iterable[str]) -> list[str]:
    """Leave out, where all is printable ASCII, what nothing can be hidden in; registers are long."""
    texts = list(ids)
    joined = "".join(texts)
    if not (joined.isascii() and joined.isprintable()):
        return texts
    if " " not in joined:
        return []
    return [text for text, bare in zip(texts, map(str.strip, texts), strict=True) if text != bare]


def refuse_hidden(ids: Iterable[str], name: str) -> None:
    """Refuse new identifiers that differ from others in nothing that can be seen."""
    found = {text: hidden(text) for text in _not_plain(ids)}
    bad = {text: what for text, what in found.items() if what}
    if bad:
        raise fault(
            InputError,
            "identifiers hold blanks at an end or characters that cannot be seen, so one unit could be "
            "randomised twice under two of them",
            column=name,
            ids=[f"{text!a} ({what})" for text, what in bad.items()],
            remedy="Strip them before units are randomised, for instance with .str.strip()",
        )


def skeleton(text: str) -> str:
    r"""Give what an identifier looks like: without case, and with Latin letters for their doubles.

    Examples
    --------
    >>> skeleton("F1") == skeleton("f1") == skeleton("\uff261"), skeleton("\u0410B") == skeleton("AB")
    (True, True)
    """
    if text.isascii() and text.isprintable():
        return "".join(text.casefold().split())
    seen = unicodedata.normalize("NFKC", text).casefold().translate(_LOOK)
    return "".join(sign for sign in seen if not hidden(sign) and not sign.isspace())


def alike(ids: Iterable[str], noun: str) -> list[str]:
    """Note identifiers that look like each other."""
    found = [" and ".join(map(_shown, same)) for same in _lookalikes(ids)]
    if not found:
        return []
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return [f"{noun} whose identifiers {_ALIKE}: {'; '.join(found[:5])}{more}; {_TWICE}"]


def unnamed(note: str) -> str:
    """Give a note of identifiers that look alike without them, as it may be published.

    Examples
    --------
    >>> unnamed(alike(["F1", "f1"], "families")[0])
    'families whose identifiers look alike are counted apart; make sure that none was entered twice'
    """
    return re.sub(rf"(?<={_ALIKE}): .*(?=; {_TWICE})", "", note, flags=re.DOTALL)


def alike_clusters(ids: Iterable[str], name: str) -> list[str]:
    """Note clusters whose identifiers look like each other, without them: what is noted is published.

    Examples
    --------
    >>> alike_clusters(["F1", "f1", "F2"], "family")
    ["2 identifiers in 'family' look like one another (case, blanks, doubles of letters) and count as clusters of their own"]
    """
    count = sum(map(len, _lookalikes(ids)))
    return [
        f"{count} identifiers in '{name}' look like one another (case, blanks, doubles of letters) and "
        "count as clusters of their own"
        for _ in range(count > 0)
    ]


def alike_levels(levels: Iterable[str], name: str) -> list[str]:
    """Note levels of a category that look like each other.

    Examples
    --------
    >>> alike_levels(["control", "crewe", "crewe "], "arm")
    ["levels of 'arm' look alike and are counted apart: 'crewe' and 'crewe '"]
    """
    levels = list(levels)
    found = [" and ".join(map(_shown, same)) for same in _lookalikes(levels)]
    if not found:
        return []
    said = "; ".join(found) if shown_labels(levels) else f"{len(found)} of them"
    return [f"levels of '{name}' look alike and are counted apart: {said}"]


def _lookalikes(ids: Iterable[str]) -> list[list[str]]:
    """Give the groups of texts that look alike."""
    ids = list(ids)
    joined = "".join(ids)
    if joined.isascii() and joined.isprintable() and " " not in joined:
        # In letters of one case nothing but the same text looks the same.
        one_case = joined.isdecimal() or joined in (joined.upper(), joined.lower())
        if one_case or len(set(map(str.casefold, ids))) == len(ids):
            return []
    groups: dict[str, list[str]] = {}
    for text in ids:
        groups.setdefault(skeleton(text), []).append(text)
    return [same for same in groups.values() if len(same) > 1]


def _shown(text: str) -> str:
    return f"'{text}'" if text.isascii() and text.isprintable() else ascii(text)


def refuse_unsafe(values: Sequence[str], name: str) -> None:
    """Refuse text in which a NUL hides what follows, or that no file can hold."""
    bad = [value for value in values if "\0" in value] if "\0" in "".join(values) else []
    if bad:
        raise fault(
            InputError,
            "labels hold the character NUL, behind which text is lost",
            column=name,
            ids=[ascii(value) for value in bad],
            remedy="Remove it, for instance with .str.replace(chr(0), '')",
        )
    _cells.refuse_unwritable(values, name, "a label")


def id_text(cells: Sequence[Any], name: str) -> list[str]:
    """Give cells of one type as text: text as it is, whole numbers in decimal."""
    if set(map(type, cells)) == {str}:
        refuse_unsafe(cells, name)
        return list(cells)
    kinds: dict[str, int] = {}
    for row, cell in enumerate(cells):
        kinds.setdefault(_kind(cell), row)
    # Words and whole numbers cannot be taken for each other, as when two registers are put together.
    apart = set(kinds) == {"text", "number"} and not any(
        isinstance(cell, str) and _cells.looks_like_a_number(cell) for cell in cells
    )
    if len(kinds) > 1 and not apart:
        raise fault(
            InputError,
            f"identifiers of several types stand in one column: {', '.join(kinds)}",
            column=name,
            rows=sorted(kinds.values()),
            remedy=f"Make them one type, for instance data['{name}'].astype(str) where each is written as it should be",
        )
    if set(kinds) == {"number"}:
        return whole_text(cells, name)
    try:
        text = [
            whole_text([cell], name)[0] if apart and not isinstance(cell, str) else str(cell)
            for cell in cells
        ]
    except RecursionError:
        raise fault(
            InputError,
            "identifiers nest too deeply to be read as text",
            column=name,
            remedy="Use text or whole numbers as identifiers",
        ) from None
    refuse_unsafe(list(dict.fromkeys(text)), name)
    return text


def _kind(cell: Any) -> str:
    if isinstance(cell, bool | np.bool_):
        return "true or false"
    if isinstance(cell, _cells.NUMBERS):
        return "number"
    return "text" if isinstance(cell, str) else type(cell).__name__


def whole_text(cells: Sequence[Any], name: str) -> list[str]:
    """Give whole numbers of any type in decimal; fractions and floats beyond 2^53 are refused."""
    inexact = [isinstance(cell, float | np.floating) for cell in cells]
    bad = [
        row
        for row, cell in enumerate(cells)
        if cell != cell or abs(cell) == float("inf") or cell != int(cell)
    ]
    if bad:
        raise fault(
            InputError,
            "identifiers are decimal numbers, which do not compare safely",
            column=name,
            rows=bad,
            remedy=f"Identify units by whole numbers or text, for instance data['{name}'].astype(str)",
        )
    large = [row for row, cell in enumerate(cells) if inexact[row] and abs(cell) >= _cells.SAFE]
    if large:
        raise fault(
            InputError,
            "identifiers are decimal numbers above 2^53, where neighbours are one number",
            column=name,
            rows=large,
            remedy="Read the column as whole numbers or as text",
        )
    return [str(int(cell)) for cell in cells]


def order_of(values: pd.Series[Any], name: str) -> NDArray[np.int64]:
    """Rank an order of arrival; what does not sort as it reads is refused."""
    cells = list(values)
    if any(isinstance(cell, str) for cell in cells):
        if not all(isinstance(cell, str) for cell in cells):
            raise _no_order(name, "holds text and other values, which have no order")
        _refuse_misread(cells, name)
    try:
        return _ranked(cells)
    except (TypeError, ValueError) as error:
        raise _no_order(name, "holds values of several kinds, which have no order") from error


def _ranked(cells: Sequence[Any]) -> NDArray[np.int64]:
    ordered = sorted(set(cells))
    place = {cell: rank for rank, cell in enumerate(ordered)}
    return np.array([place[cell] for cell in cells], dtype=np.int64)


def _refuse_misread(cells: Sequence[str], name: str) -> None:
    texts = sorted(set(cells))
    if any(_HALF_DATE.search(text) for text in texts):
        raise _no_order(name, "is dates as text that does not sort by date")
    zones = {found[1] if (found := _OFFSET.search(text)) else "" for text in texts}
    if len(zones) > 1:
        raise _no_order(name, "is times as text of several offsets, which do not sort by time")
    natural = [
        [
            (0, int(part), "") if part.isdecimal() else (1, 0, part)
            for part in re.findall(r"\d+|\D+", text)
        ]
        for text in texts
    ]
    signed = any(_cells.looks_like_a_number(text) and text.strip()[:1] in "+-" for text in texts)
    if signed or any(a > b for a, b in itertools.pairwise(natural)):
        raise _no_order(name, "is numbers as text, which sorts 10 before 2")


def _no_order(name: str, problem: str) -> Exception:
    return fault(
        InputError,
        f"the order of arrival {problem}",
        column=name,
        remedy="Turn the column into numbers or dates first, for instance with pandas.to_numeric or "
        "pandas.to_datetime",
    )

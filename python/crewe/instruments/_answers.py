"""Answers and flags as people write them: numbers, words with what they are worth, yes and no.

A word is looked up as it stands first. Only a word that is no label is compared without case, spacing and the
punctuation between words, and then has to fit one label alone: what labels differ in otherwise is never left out, so that
"-" and "--", "1 hour" and "<1 hour", "-2" and "2" stay apart.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe.exceptions import InputError, did_you_mean, fault, said
from crewe.frames import cells as _cells
from crewe.models.groups import label_among

FLAGS: dict[str, float] = {
    "yes": 1.0,
    "y": 1.0,
    "true": 1.0,
    "t": 1.0,
    "present": 1.0,
    "no": 0.0,
    "n": 0.0,
    "false": 0.0,
    "f": 0.0,
    "absent": 0.0,
}
"""Words for present and absent."""


def plain(text: Any) -> str:
    """Give a label without case, punctuation and doubled spaces.

    Examples
    --------
    >>> plain("Not-true. "), plain("--")
    ('not true', '')
    """
    return " ".join(re.sub(r"[\W_]+", " ", str(text).casefold()).split())


def _tidy(text: str) -> str:
    """Give a label as a reader sees it, however it is spaced and its accents are stored."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _folded(text: str) -> str:
    """Give a label without case and without the punctuation between words; signs and what stands at digits stay."""
    text = re.sub(r"[\u2010-\u2015\u2212]", "-", _tidy(text).casefold())
    text = re.sub(r"(?<!\d)[.,;:!'\"()\[\]\u2018\u2019\u201c\u201d\u2026]+(?!\d)", " ", text)
    text = re.sub(r"(?<=[^\W\d_])[-/]+(?=[^\W\d_])|_", " ", text)
    return " ".join(re.sub(r"(?<=[<>=\u2264\u2265~\u00a3$\u20ac])\s+(?=\w)", "", text).split())


def nearest(value: Any, known: Sequence[str]) -> str:
    """Word the nearest known names, or all of them where none is near."""
    by_fold: dict[str, str] = {}
    for name in known:
        by_fold.setdefault(_folded(name) or name, name)
    wanted = _folded(str(value)) or str(value)
    near = difflib.get_close_matches(wanted, list(by_fold), n=3, cutoff=0.5)
    if near:
        return did_you_mean([by_fold[name] for name in near])
    return "Known are " + ", ".join(known)


class Labels:
    """What words are worth.

    Parameters
    ----------
    worth : mapping or Series of label to number
        The number of each label; None where the label means that there is no answer.

    Raises
    ------
    InputError
        Where it is no mapping, a label is not worth a number, or labels that print alike are worth different numbers.
    """

    def __init__(self, worth: Any = None) -> None:
        pairs = _pairs(worth)
        self.names = [name for name, _ in pairs]
        self._exact: dict[str, float | None] = {}
        for name, value in pairs:
            if self._exact.setdefault(name, value) != value:
                raise fault(
                    InputError,
                    "a label is worth several numbers",
                    values=[name],
                    remedy="Give each label once",
                )
        self._tidy = _sets(pairs, _tidy)
        self._folded = _sets(pairs, _folded)
        self._plain = _sets(pairs, lambda name: plain(_folded(name)))
        numbers = [pair for pair in pairs if _cells.looks_like_a_number(pair[0])]
        self._numbers = _sets(numbers, float)
        # Labels that give numbers to numbers leave no number to stand for itself.
        self.recode = any(value is not None and float(name) != value for name, value in numbers)

    def find(self, text: str) -> set[float | None]:
        """Give what a text may be worth: one value, none where it is no label, several where it is ambiguous."""
        if text in self._exact:
            return {self._exact[text]}
        if (tidy := _tidy(text)) in self._tidy:
            return self._tidy[tidy]
        folded = _folded(text)
        # Of labels that punctuation alone tells apart none is the one that was meant.
        return self._plain[plain(folded)] if folded and folded in self._folded else set()

    def find_number(self, number: float) -> set[float | None]:
        """Give what a number may be worth by the labels that write it."""
        return self._numbers.get(number, set())


def _pairs(worth: Any) -> list[tuple[str, float | None]]:
    if isinstance(worth, pd.Series):
        worth = dict(worth.items())
    if worth is not None and not isinstance(worth, Mapping):
        raise fault(
            InputError,
            "labels= must map each label to a number",
            values=[said(worth)],
            remedy='Write it as {"never": 1, "always": 5}',
        )
    pairs: list[tuple[str, float | None]] = []
    for name, value in (worth or {}).items():
        if _cells.is_missing(value):
            pairs.append((label_among(name, ()), None))
            continue
        if isinstance(value, bool | np.bool_) or not isinstance(value, _cells.NUMBERS):
            raise fault(
                InputError,
                "a label must be worth a number",
                values=[f"{said(name)}: {said(value)}"],
                remedy='Write it as {"never": 1, "not sure": None}, None where there is no answer',
            )
        pairs.append((label_among(name, ()), float(value)))
    return pairs


def _sets(pairs: Sequence[tuple[str, float | None]], key: Any) -> dict[Any, set[float | None]]:
    found: dict[Any, set[float | None]] = {}
    for name, value in pairs:
        found.setdefault(key(name), set()).add(value)
    return found


def as_number(cell: Any) -> float | None:
    """Give a cell as a number, also one that is written as text; None where it is none."""
    if isinstance(cell, str):
        text = cell.strip().replace("\N{MINUS SIGN}", "-")
        return float(text) if _cells.looks_like_a_number(text) else None
    if isinstance(cell, (bool, np.bool_, *_cells.NUMBERS)):
        return float(cell)
    return None


def shown(cell: Any) -> str:
    """Give a cell as a message shows it: a whole number without a decimal point."""
    flag = isinstance(cell, bool | np.bool_)
    return _cells.label_of(cell) if isinstance(cell, _cells.NUMBERS) and not flag else str(cell)


def _worth(cell: Any, labels: Labels) -> set[float | None]:
    number = as_number(cell)
    words = isinstance(cell, str | bool | np.bool_)
    found = labels.find(str(cell)) if words else set()
    if not found and number is not None:
        found = labels.find_number(number)
    if found or number is None or labels.recode:
        return found
    return {number}


def answers(
    cells: Sequence[Any],
    column: str,
    labels: Labels,
    *,
    allowed: Sequence[float] | None = None,
    rows: Sequence[int] | None = None,
    what: str = "answers",
) -> NDArray[np.float64]:
    """Give cells as numbers: words by `labels`, numbers as they are, empty cells as NaN.

    What is neither, could be several labels, or is not among the `allowed` numbers, is refused with its rows.
    """
    out = np.full(len(cells), np.nan)
    bad: list[int] = []
    unclear: list[int] = []
    # Columns hold few different answers; 1 and True are one key, so the type is a part of it.
    known: dict[tuple[type, Any], set[float | None]] = {}
    for i, cell in enumerate(cells):
        if cell is None:
            continue
        key = (type(cell), cell if isinstance(cell, str | int | float) else str(cell))
        if key not in known:
            known[key] = _worth(cell, labels)
        found = known[key]
        value = next(iter(found)) if len(found) == 1 else None
        if len(found) > 1:
            unclear.append(i)
        elif not found or (value is not None and allowed is not None and value not in allowed):
            bad.append(i)
        elif value is not None:
            out[i] = value
    wrong = unclear or bad
    if not wrong:
        return out
    scale = "" if allowed is None else " of " + ", ".join(f"{x:g}" for x in allowed)
    words = [cells[i] for i in wrong if isinstance(cells[i], str)]
    remedy = "Correct them, or leave missing ones empty"
    if unclear:
        remedy = f"Write each as one of {', '.join(map(repr, labels.names))}"
    elif labels.recode:
        remedy = f"labels= gives numbers to numbers, so answers are read by it alone: {', '.join(labels.names)}"
    elif words and labels.names:
        remedy = nearest(words[0], labels.names)
    raise fault(
        InputError,
        f"{what} could be several of the labels" if unclear else f"{what} lie off the scale{scale}",
        column=column,
        rows=[i if rows is None else rows[i] for i in wrong],
        labels=list(dict.fromkeys(shown(cells[i]) for i in wrong)),
        remedy=remedy,
    )

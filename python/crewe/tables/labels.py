"""Names for people: terms of a formula and models as a reader would write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from crewe.exceptions import InputError, fault
from crewe.tables import protocols
from crewe.tables.wording import worded

MINUS = "\N{MINUS SIGN}"


def pretty(term: str) -> str:
    """Write a term as a reader would.

    Examples
    --------
    >>> pretty("arm[T.crewe]")
    'arm: crewe'
    >>> pretty("C(age)[T.12]:history")
    'age: 12 × history'
    """
    parts = []
    for part in re.split(r":(?![^\[(]*[\])])", term):
        found = re.fullmatch(r"(?:C\()?(.+?)(?:,[^)]*)?\)?\[(?:T\.)?(.+)\]", part)
        parts.append(f"{spaced(found[1])}: {worded(found[2])}" if found else spaced(part))
    return " × ".join(parts)


def of_strata(least: int, most: int | None = None) -> str:
    """Word the one line that stands for the terms of the strata.

    Examples
    --------
    >>> of_strata(79), of_strata(1), of_strata(38, 41)
    ('strata: 79 terms', 'strata: 1 term', 'strata: 38 to 41 terms')
    """
    count = f"{least:,}" if most in (None, least) else f"{least:,} to {most:,}"
    return f"strata: {count} term{'' if count == '1' else 's'}"


_OF_STRATA = re.compile(r"C\((?:stratum|set)\)\[")


def strata_of(result: Any, terms: Sequence[str]) -> list[str]:
    """Give those terms that are of the strata: as a fit knows them, in a frame by the names that a design gives them."""
    own = protocols.attribute(result, "strata_terms")
    if own is None:
        return [term for term in terms if _OF_STRATA.match(term)]
    return [term for term in terms if term in set(own)]


def sentence(text: str) -> str:
    """Write a note as a sentence: a capital in front, a full stop behind.

    Examples
    --------
    >>> sentence("4 of 132 rows dropped")
    '4 of 132 rows dropped.'
    """
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def spaced(name: str) -> str:
    """Write the name of a column as a reader would: without underscores."""
    return name.replace("_", " ")


def fixed(value: float, digits: int = 1) -> str:
    """Write a number with a proper minus: 4.60, −1.33."""
    # Adding nought takes the sign from a negative nought.
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", MINUS)


def share(value: float, digits: int = 1) -> str:
    """Write a share in per cent, never 0 or 100 for one that is not.

    Examples
    --------
    >>> share(0.0002), share(2999 / 3000), share(0.125), share(0)
    ('<0.1%', '>99.9%', '12.5%', '0.0%')
    """
    least = 10.0**-digits
    if 0 < value < 1:
        if round(100 * value, digits) <= 0:
            return f"<{least:.{digits}f}%"
        if round(100 * value, digits) >= 100:
            return f">{100 - least:.{digits}f}%"
    return f"{fixed(100 * value, digits)}%"


def signed(value: float, digits: int = 1) -> str:
    """Write a difference with its sign: +8.5, −3.1."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else MINUS}{text}"


def named(names: Sequence[str] | None) -> Sequence[str] | None:
    """Read a list of names; one name alone is a list of one, and not of its letters."""
    return [names] if isinstance(names, str) else names


def model_names(fits: Any, names: Sequence[str] | None = None) -> tuple[list[Any], list[str]]:
    """Give the models and a name for each: the keys of a mapping, `names`, or (1), (2), ….

    Raises
    ------
    InputError
        Where there is no model, or the names do not fit the models.
    """
    if isinstance(fits, Mapping) and not all(isinstance(key, str) for key in fits):
        fits = {str(key): fit for key, fit in fits.items()}
    if isinstance(fits, Mapping):
        models, titles = list(fits.values()), [str(key) for key in fits]
    elif isinstance(fits, list | tuple):
        models, titles = list(fits), [f"({i + 1})" for i in range(len(fits))]
    else:
        models, titles = [fits], ["(1)"]
    if names is not None:
        titles = [str(name) for name in named(names) or ()]
    if not models or len(titles) != len(models):
        raise fault(
            InputError,
            f"there are {len(models)} models and {len(titles)} names",
            remedy="Give at least one fitted model, and as many names as models",
        )
    return models, titles


def outcome(fit: Any) -> str:
    """Give the left side of a model's formula, or nothing."""
    return protocols.formula(fit).split("~")[0].strip()

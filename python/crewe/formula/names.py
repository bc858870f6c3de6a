"""Names of columns inside formulas: found by reading the text once, and handed to the parser as words of its own.

A column may be called anything: `key-stage`, `sdq.total`, `center`, `C`. So every name of a column is replaced by a word
that no function, keyword or operator can be taken for, before a parser sees the formula, and is put back into whatever
the parser calls its terms. A name is a function only where it is called.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator

from crewe.exceptions import InputError, cut, fault

_TOKEN = re.compile(
    r"""(?P<text>'[^']*'|"[^"]*")
    |`(?P<quoted>[^`]+)`
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ALIAS = re.compile(r"crewe__([0-9a-f]+)__")

_MODULES = ("np", "numpy", "contr")
"""What a dotted name may begin with that is no column."""


def alias(name: str) -> str:
    """Give the word that stands for a column inside a formula.

    Examples
    --------
    >>> alias("key-stage")
    'crewe__6b65792d7374616765__'
    """
    return f"crewe__{name.encode('utf-8', 'surrogatepass').hex()}__"


def _name(found: re.Match[str]) -> str:
    return bytes.fromhex(found[1]).decode("utf-8", "surrogatepass")


def quoted(name: str) -> str:
    """Write a column's name as a formula takes it."""
    plain = name.isidentifier() and not keyword.iskeyword(name)
    return name if plain else f"`{name}`"


def shown(text: str) -> str:
    """Put the names of columns back into the parser's name of a term or a column.

    Examples
    --------
    >>> shown(f"{alias('key-stage')}[T.2]:C({alias('year group')})[T.7]")
    'key-stage[T.2]:C(`year group`)[T.7]'
    """

    def plain(found: re.Match[str]) -> str:
        alone = found.start() == 0 or text[found.start() - 1] == ":"
        return _name(found) if alone else quoted(_name(found))

    return _ALIAS.sub(plain, text)


def name_of(word: str) -> str | None:
    """Give the column that a word of the parser stands for, where it is one and nothing else."""
    found = _ALIAS.fullmatch(word)
    return None if found is None else _name(found)


def inside(text: str) -> list[str]:
    """Name the columns in a text of the parser, in order of appearance."""
    return list(dict.fromkeys(_name(found) for found in _ALIAS.finditer(text)))


def inside_calls(text: str, function: str) -> set[str]:
    """Name the columns inside the calls of a function in a text of the parser."""
    found: set[str] = set()
    for call in re.finditer(rf"\b{function}\s*\(", text):
        depth, end = 1, call.end()
        while depth and end < len(text):
            depth += (text[end] == "(") - (text[end] == ")")
            end += 1
        found |= set(inside(text[call.end() : end]))
    return found


def aliased(expression: str) -> str:
    """Replace the names of columns in one side of a formula.

    Raises
    ------
    InputError
        For what R or another package writes and crewe does not: `|`, `.` for all other columns, a column that is
        called `Intercept`, which is the name of the constant.
    """
    return "".join(_pieces(expression))


def _pieces(expression: str) -> Iterator[str]:
    depth = 0
    for found in _TOKEN.finditer(expression):
        after = expression[found.end() :].lstrip()
        name = found["quoted"]
        word = found["word"]
        other = found["other"]
        if other is not None:
            depth += (other in "([{") - (other in ")]}")
            if not depth:
                _refuse_operator(other, expression)
            # R's power: between terms both mean the same, inside a function Python has only the second.
            yield "**" if other == "^" else other
        elif word is not None and name is None:
            root, dot, rest = word.partition(".")
            called = after.startswith("(")
            argument = depth > 0 and after.startswith("=") and not after.startswith("==")
            if keyword.iskeyword(word) or argument or (dot and root in _MODULES):
                yield word
            elif called:
                # A method of a column, or a function.
                yield f"{alias(root)}.{rest}" if dot else word
            else:
                yield _column(word)
        elif name is not None:
            yield _column(name)
        else:
            yield found[0]


def _column(name: str) -> str:
    if name == "Intercept":
        raise fault(
            InputError,
            "a column cannot be called 'Intercept' in a formula, which is the name of the constant",
            column=name,
            remedy="Give the column another name",
        )
    return alias(name)


def _refuse_operator(operator: str, expression: str) -> None:
    remedies = {
        "|": "For a term for each group add C(group), for errors that are not independent within groups pass "
        "cluster='group', for a model in each group pass by='group'",
        "~": "A formula has one '~': for several outcomes pass a list of formulas",
        ".": "Name the columns, joined by '+'",
    }
    if operator in remedies:
        raise fault(
            InputError,
            f"the formula '{cut(expression)}' has a '{operator}' that means nothing here",
            remedy=remedies[operator],
        )


def arithmetic(expression: str) -> str:
    """Give a left-hand side as one expression: there `y - pre` is a difference, and not a list of terms."""
    depth = 0
    for found in _TOKEN.finditer(expression):
        other = found["other"]
        if other is None:
            continue
        depth += (other in "([{") - (other in ")]}")
        if depth or other in "()[]{} \t\n":
            continue
        if other in "+-*/^%<>=!&":
            return f"I({expression})"
        raise fault(
            InputError,
            f"the outcome '{cut(expression)}' has a '{other}' that means nothing here",
            remedy="Write one column, or arithmetic of columns, left of '~'; for several outcomes pass a list of "
            "formulas",
        )
    return expression


def halves(formula: str) -> tuple[str, str, str]:
    """Split a formula at its first `~` that stands in no name and in no text."""
    for found in _TOKEN.finditer(formula):
        if found["other"] == "~":
            return formula[: found.start()], "~", formula[found.end() :]
    return formula, "", ""


def split(text: str, mark: str) -> list[str]:
    """Split at a mark that stands outside of brackets, names and texts.

    Examples
    --------
    >>> split("round(days, 1), `a, b`", ",")
    ['round(days, 1)', '`a, b`']
    """
    parts, depth, start = [], 0, 0
    for found in _TOKEN.finditer(text):
        other = found["other"]
        if other is None:
            continue
        depth += (other in "([{") - (other in ")]}")
        if other == mark and depth == 0:
            parts.append(text[start : found.start()])
            start = found.end()
    return [part.strip() for part in [*parts, text[start:]]]


def unquoted(name: str, known: Collection[str] = ()) -> str:
    """Give a name without the backticks that a formula puts around it, and as it is where a known one is written so."""
    if name in known:
        return name
    inside = re.fullmatch(r"\s*`([^`]+)`\s*", name)
    return inside.group(1) if inside else name.strip()

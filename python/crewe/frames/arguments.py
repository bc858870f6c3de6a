"""Wrong arguments refused in one place: what a function takes is what its signature says.

The check costs nothing where a call succeeds. Where a call fails with an error that is not crewe's, the arguments are
held against the signature; the first that is not what the signature says is named. An error that no argument explains
is a fault of crewe and is not hidden.
"""

from __future__ import annotations

import collections.abc
import functools
import inspect
import numbers
import os
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import numpy as np

from crewe.exceptions import CreweError, InputError, cut, fault

Function = TypeVar("Function", bound=Callable[..., Any])

_PLAIN: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    str: ("text", lambda value: isinstance(value, str)),
    bool: ("True or False", lambda value: isinstance(value, bool | np.bool_)),
    int: (
        "a whole number",
        lambda value: isinstance(value, numbers.Integral) and not isinstance(value, bool),
    ),
    float: (
        "a number",
        lambda value: isinstance(value, numbers.Real) and not isinstance(value, bool),
    ),
    type(None): ("None", lambda value: value is None),
}


def checked(function: Function) -> Function:
    """Let a function say which of its arguments is not what it takes.

    Raises
    ------
    InputError
        Where the call failed and an argument is not what the signature says.
    """

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except CreweError:
            raise
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            refusal = _refusal(function, args, options)
            if refusal is None:
                raise
            raise refusal from error
        finally:
            # A key may be among them: no traceback shows it.
            del args, options

    return cast(Function, call)


def check_methods(kind: type) -> None:
    """Check the arguments of the public methods that a class has of its own."""
    for name, found in list(vars(kind).items()):
        if not name.startswith("_") and inspect.isfunction(found):
            setattr(kind, name, checked(found))


def _refusal(
    function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> CreweError | None:
    try:
        bound = inspect.signature(function).bind(*args, **options)
    except TypeError:
        return None
    hints = _hints(function)
    for parameter, name, value in _each(bound):
        hint = hints.get(parameter, Any)
        if not _fits(value, hint):
            return fault(
                InputError,
                f"{name}= takes {_words(hint)}, not {_shown(value)}",
                remedy=f"Pass {_words(hint)}",
            )
    return None


def _each(bound: inspect.BoundArguments) -> Iterator[tuple[str, str, Any]]:
    """Give the parameter, the name and the value of every argument, those without a parameter of their own too."""
    for parameter, value in bound.arguments.items():
        kind = bound.signature.parameters[parameter].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            yield from ((parameter, name, one) for name, one in value.items())
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            yield from ((parameter, parameter, one) for one in value)
        else:
            yield parameter, parameter, value


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Read the annotations; one that names what only type checkers import says nothing here."""
    known = {**getattr(function, "__globals__", {})}
    found = {}
    for name, text in getattr(function, "__annotations__", {}).items():
        found[name] = _read(text, known) if isinstance(text, str) else text
    return found


class _Named:
    """A class that only type checkers import, known by its name."""

    def __init__(self, name: str) -> None:
        self.__name__ = name


def _read(text: str, known: dict[str, Any]) -> Any:
    try:
        return eval(text, known)
    except Exception:
        parts = [part.strip() for part in text.split("|")]
        if len(parts) == 1:
            return _Named(text) if text.isidentifier() else Any
        return tuple(_read(part, known) for part in parts)


def _parts(hint: Any) -> tuple[Any, ...]:
    if isinstance(hint, tuple):
        return hint
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _fits(value: Any, hint: Any) -> bool:
    if hint is None:
        return value is None
    parts = _parts(hint)
    if len(parts) > 1:
        return any(_fits(value, part) for part in parts)
    if hint in _PLAIN:
        return _PLAIN[hint][1](value)
    if isinstance(hint, _Named):
        return any(base.__name__ == hint.__name__ for base in type(value).__mro__)
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        # Names of covariances are read whatever their case.
        folded = [one.casefold() if isinstance(one, str) else one for one in inside]
        return (
            isinstance(value, str | int)
            and (value.casefold() if isinstance(value, str) else value) in folded
        )
    if inspect.isclass(origin) and issubclass(origin, collections.abc.Mapping | dict):
        return isinstance(value, collections.abc.Mapping) and all(
            _fits(key, inside[0]) and _fits(one, inside[1]) for key, one in value.items()
        )
    if origin is tuple:
        return isinstance(value, tuple)
    if inspect.isclass(origin) and issubclass(origin, collections.abc.Iterable):
        single = (str, bytes, collections.abc.Mapping)
        if isinstance(value, single) or not isinstance(value, collections.abc.Iterable):
            return False
        sized = isinstance(value, collections.abc.Collection)
        return not (sized and inside) or all(_fits(one, inside[0]) for one in value)
    if hint in (os.PathLike,) or origin is os.PathLike:
        return isinstance(value, os.PathLike)
    if inspect.isclass(hint) and hint.__module__.startswith("crewe"):
        return isinstance(value, hint)
    return True


def _words(hint: Any) -> str:
    words = list(dict.fromkeys(_word(part) for part in _parts(hint)))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _word(hint: Any) -> str:
    if hint is None:
        return "None"
    if hint in _PLAIN:
        return _PLAIN[hint][0]
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(map(repr, inside))
    if inspect.isclass(origin) and issubclass(origin, collections.abc.Mapping | dict):
        kind = inside[1] if inside else Any
        plain = kind is Any or len(_parts(kind)) > 1
        return "a mapping" if plain else f"a mapping of {_many(inside[0])} to {_words(kind)}"
    if origin is tuple:
        return f"a tuple of {len(inside)}"
    if inspect.isclass(origin) and issubclass(origin, collections.abc.Iterable):
        return f"a list of {_many(inside[0])}" if inside else "a list"
    name = getattr(hint, "__name__", str(hint))
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"


def _many(hint: Any) -> str:
    kinds = {str: "texts", float: "numbers", int: "whole numbers", bool: "True and False"}
    return kinds.get(hint, "values")


def _shown(value: Any) -> str:
    kind = type(value).__name__
    if value is None:
        return "None"
    if isinstance(value, str | int | float):
        return f"{cut(repr(value))}"
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    return f"{article} {kind}"

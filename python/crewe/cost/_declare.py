"""Inputs and lines as they are declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from crewe.exceptions import InputError, fault
from crewe.frames.cells import is_missing


@dataclass(frozen=True)
class Input:
    """A number that a cost-benefit analysis starts from.

    Attributes
    ----------
    name : str
        The name that formulas use.
    value : str
        The number as its source prints it: ``"68.05"``, ``"34,464"``, ``"14.3%"``. Numbers are
        taken too.
    label, unit, source, note : str
        What it is, in what (``"GBP"``, ``"%"`` or other words), where it stands, what to know
        about it.
    events, of : str
        The counts behind a rate, which in a sensitivity analysis is Beta(events + 1/2, of − events + 1/2). `of` alone says
        that the value itself is a count among so many.
    cv : str
        The coefficient of variation of an amount, which is then gamma: 0.2 is a standard deviation of a fifth.
    std_error, df : str
        The standard error of an estimate, which is then t on `df` degrees of freedom, normal without.
    follows : str
        A formula that the figure follows from, where it was typed as a report printed it: a sensitivity analysis takes the
        formula.
    price_year : str
        The financial year of its prices, such as ``"2015-16"``.
    measure, arm : str
        What a fit may give in its place (see `CostBenefit.with_fits`), and of which arm.
    """

    name: str
    value: str = ""
    label: str = ""
    unit: str = ""
    source: str = ""
    note: str = ""
    events: str = ""
    of: str = ""
    cv: str = ""
    std_error: str = ""
    df: str = ""
    follows: str = ""
    price_year: str = ""
    measure: str = ""
    arm: str = ""

    @property
    def uncertain(self) -> bool:
        """Whether something is stated of how well it is known."""
        return bool(self.events or self.of or self.cv or self.std_error or self.follows)


@dataclass(frozen=True)
class Line:
    """A line to be worked out.

    Attributes
    ----------
    name : str
        Its name, by which other lines may use it.
    formula : str
        An expression over inputs and lines: ``+ - * /``, parentheses, numbers and ``round(x,
        places)``, half away from nil (``round(x, -2)`` is to hundreds).
    label, words, arm, unit, source, note : str
        What it is, its formula in words, the arm it belongs to, in what, where it is printed, what
        to know.
    printed : str
        The figure printed, if any; its decimals are the precision of the comparison.
    role : str
        What it is to a comparison of arms: ``"cost"``, ``"saving"``, ``"lifetime"`` (a saving over a lifetime, counted only
        where it is asked for) or ``"effect"``; lines of one role and arm are added.
    table : str
        The table of the report that it stands in.
    """

    name: str
    formula: str
    label: str = ""
    words: str = ""
    arm: str = ""
    unit: str = ""
    source: str = ""
    printed: str = ""
    note: str = ""
    role: str = ""
    table: str = ""


def stated(item: Input) -> Input:
    """Leave out what is said of how well an input is known: it belongs to its old value."""
    return replace(item, events="", of="", cv="", std_error="", df="", follows="")


ROLES = ("cost", "saving", "lifetime", "effect")


def declared(kind: Any, given: Any, second: str) -> list[Any]:
    """Bring inputs or lines in any form to a list of `kind`."""
    known = [item.name for item in fields(kind)]
    if isinstance(given, Mapping):
        rows: list[Any] = [{"name": name, second: value} for name, value in given.items()]
    elif isinstance(given, Sequence) and not isinstance(given, str):
        rows = list(given)
    else:
        rows = _frame_rows(given)
    declared = []
    for position, row in enumerate(rows):
        if isinstance(row, kind):
            given_as = {name: getattr(row, name) for name in known}
            declared.append(
                replace(row, **{name: _text(value) for name, value in given_as.items()})
            )
            continue
        if not isinstance(row, Mapping):
            raise fault(
                InputError,
                f"{kind.__name__.lower()}s must be {kind.__name__} objects or mappings",
                rows=[position],
                values=[type(row).__name__],
                remedy=f"Give each its name and {second}",
            )
        unknown = sorted(set(row) - set(known))
        # A fit may give the number.
        given_otherwise = kind is Input and row.get("measure")
        needed = ("name",) if given_otherwise else ("name", second)
        absent = [name for name in needed if _is_absent(row.get(name))]
        if unknown or absent:
            problem = (
                f"has the unknown field {unknown[0]!r}"
                if unknown
                else f"lacks its {' and '.join(absent)}"
            )
            raise fault(
                InputError,
                f"{kind.__name__.lower()} {row.get('name', '')!r} {problem}",
                rows=[position],
                remedy=f"The fields are {', '.join(known)}",
            )
        declared.append(
            kind(
                **{
                    name: _text(value)
                    for name, value in row.items()
                    if name == second or not is_missing(value)
                }
            )
        )
    return declared


def _frame_rows(frame: Any) -> list[dict[str, Any]]:
    import narwhals as nw

    from crewe.frames.source import Source

    Source(frame)  # refuses what is not a frame, in the words that every function uses
    native: Any = nw.from_native(frame)
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    singles = {name for name, dtype in native.schema.items() if dtype == nw.Float32}

    def cell(name: str, value: Any) -> Any:
        if isinstance(value, Decimal):
            # A column of decimals has one scale, and fills every figure up to it.
            return format(value.normalize(), "f")
        return np.float32(value) if name in singles else value

    return [
        {name: cell(name, value) for name, value in row.items() if not is_missing(value)}
        for row in native.rows(named=True)
    ]


def changed(item: Input, value: Any) -> Input:
    """Give an input another number, or other fields."""
    plain = replace(stated(item), source="changed by the user", note="")
    if isinstance(value, Input):
        return replace(value, name=item.name)
    if isinstance(value, Mapping):
        fields = {**{name: getattr(plain, name) for name in plain.__dataclass_fields__}, **value}
        made: list[Input] = declared(Input, [{**fields, "name": item.name}], "value")
        return made[0]
    return replace(plain, value=text_of(value))


def frame_kind(given: Any) -> tuple[Any, bool]:
    """Say which kind of frame lines came in, and whether lazy, so that results go out alike."""
    import narwhals as nw

    frame: Any = nw.from_native(given, pass_through=True)
    if isinstance(frame, nw.DataFrame | nw.LazyFrame):
        return frame.implementation, isinstance(frame, nw.LazyFrame)
    return None, False


def text_of(value: Any) -> str:
    """Give a number as the decimal that was typed; text as it is.

    A float that is whole is a whole number: a column of whole figures with a gap holds floats.

    Examples
    --------
    >>> text_of(2450.0), text_of(68.05), text_of("29.70")
    ('2450', '68.05', '29.70')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float | np.floating) and np.isfinite(value):
        # A number prints by the digits of its own precision; 68.05 in 32 bits is no 68.05000305.
        digits = str(value) if isinstance(value, np.floating) else repr(value)
        return format(Decimal(digits), "f").removesuffix(".0")
    return str(value)


def _text(value: Any) -> Any:
    return "" if value is None else text_of(value)


def _is_absent(value: Any) -> bool:
    """Say whether a name, number or formula was left out; one that is not a number was not."""
    return value is None or value is pd.NA or (isinstance(value, str) and not value)

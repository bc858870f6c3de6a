"""Inputs and lines as they are declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

from crewe.exceptions import InputError, fault


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
    """

    name: str
    value: str
    label: str = ""
    unit: str = ""
    source: str = ""
    note: str = ""


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
            declared.append(replace(row, **{second: text_of(getattr(row, second))}))
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
        absent = [name for name in ("name", second) if row.get(name) in (None, "")]
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
            kind(**{name: text_of(value) for name, value in row.items() if value is not None})
        )
    return declared


def _frame_rows(frame: Any) -> list[dict[str, Any]]:
    import narwhals as nw

    from crewe.frames.source import Source

    Source(frame)  # refuses what is not a frame, in the words that every function uses
    native: Any = nw.from_native(frame)
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    rows = native.rows(named=True)
    return [{k: v for k, v in row.items() if v is not None and v == v} for row in rows]


def frame_kind(given: Any) -> tuple[Any, bool]:
    """Say which kind of frame lines came in, and whether lazy, so that results go out alike."""
    import narwhals as nw

    frame: Any = nw.from_native(given, pass_through=True)
    if isinstance(frame, nw.DataFrame | nw.LazyFrame):
        return frame.implementation, isinstance(frame, nw.LazyFrame)
    return None, False


def text_of(value: Any) -> str:
    """Give a number as the decimal that was typed; text as it is."""
    if isinstance(value, str):
        return value
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return str(value)

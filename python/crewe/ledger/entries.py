"""What the ledger takes and gives: keys, times and labels in, receipts and frames out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

import narwhals as nw
import numpy as np

from crewe import _core
from crewe.design.assignment import Assignment
from crewe.design.design import Design
from crewe.design.keys import Key
from crewe.design.methods import from_table
from crewe.exceptions import DesignError, InputError, LedgerError, fault
from crewe.frames.columns import text
from crewe.tables.display import Table
from crewe.tables.printable import Printable

Label = str | int
When = datetime | str | None

OWN = (
    "child",
    "stratum",
    "arm",
    "drawn",
    "delivered",
    "status",
    "comparison",
    "inherited",
    "enrolled",
    "probability",
    "analysed_as",
    "randomised",
    "sequence",
    "conditional_probability",
    "block",
    "block_size",
)
"""The columns that a ledger's frame has besides those of the design."""

USUAL = "usual service"
"""What is delivered to an overflow family."""


@dataclass(frozen=True)
class Receipt:
    """The answer to an entry, once it is on the disk.

    Attributes
    ----------
    sequence : int
        The number of the last event that the request wrote.
    head : str
        The state of the ledger after it. Lodge it outside: only with it a tail that is cut off later
        can be found.
    again : bool
        Whether the request had been answered before, and this is the first answer.
    family, arm : str or None
        For a family enrolled or a child who joined it: the family and the arm that it drew.
    overflow : bool or None
        Whether that arm was full, so that the family goes to the usual service.
    comparison : bool or None
        Whether it came while no arm was full, so that it is in the comparison.
    enrolled : datetime or None
        When the family was enrolled.
    """

    sequence: int
    head: str
    again: bool
    family: str | None = None
    arm: str | None = None
    overflow: bool | None = None
    comparison: bool | None = None
    enrolled: datetime | None = None


@dataclass(frozen=True)
class Verification(Printable):
    """What a ledger was found to be; a ledger with a wrong event raises instead.

    Attributes
    ----------
    events, families, children : int
        How many there are.
    head : str
        The head as it is now.
    tail : int or None
        The event up to which a lodged head vouches for the tail; None where none was given.
    notes : list of str
        What a reader should know, such as "tail not checked".
    """

    events: int
    families: int
    children: int
    head: str
    tail: int | None
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        found = (
            f"{self.events:,} events whole, {self.families:,} families, {self.children:,} children"
        )
        return "\n".join([f"{found}; head {self.head}", *self.notes])

    def _panels(self) -> list[Table]:
        rows: list[list[Any]] = [
            ["events", self.events],
            ["families", self.families],
            ["children", self.children],
            ["head", self.head],
            ["tail vouched for up to event", "not checked" if self.tail is None else self.tail],
        ]
        return [Table(["", "found"], rows, title="Ledger verified: whole", notes=self.notes)]


@dataclass(frozen=True)
class Register:
    """What a flow diagram takes from a ledger."""

    assignment: Assignment
    excluded: dict[str, Any]
    refused: dict[str, tuple[int, int]]
    received: list[dict[str, tuple[int, int]]]
    notes: list[str]


def read_design(table: dict[str, Any], wording: _core.Wording, key: Key) -> Design:
    """Make the design that a ledger was created with."""
    unit = table["unit"]
    names = {"cluster": None, "unit": None}
    names["cluster" if unit["kind"] == "cluster" else "unit"] = unit["column"]
    return Design(
        table["name"],
        arms=dict(table["arms"]),
        strata=table["strata"],
        method=from_table(table["method"]),
        seed=key,
        unit_noun=wording.unit,
        member_noun=wording.member,
        labels=dict(wording.labels),
        **names,
    )


def write_time(at: When) -> str | None:
    """Write a time as the ledger stores it."""
    if at is None or isinstance(at, str):
        return at
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise fault(
            InputError,
            "a time must say its offset from UTC",
            values=[repr(at)],
            remedy="Pass for instance datetime.now(timezone.utc), or text such as "
            "2017-03-01T09:30:00+00:00",
        )
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_time(time: str) -> datetime:
    """Read a time as the ledger stores it."""
    return datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)


def read_receipt(made: _core.Receipt) -> Receipt:
    """Make the receipt of an event."""
    return Receipt(
        sequence=made.sequence,
        head=made.head,
        again=made.again,
        family=made.family,
        arm=made.arm,
        overflow=made.overflow,
        comparison=made.comparison,
        enrolled=None if made.enrolled is None else read_time(made.enrolled),
    )


def listed(children: Iterable[Label]) -> list[Label]:
    """Give a list of children, also of one."""
    if isinstance(children, str | int):
        return [children]
    return list(children)


def ordered(
    given: Mapping[str, Label] | Sequence[Label] | Label | None, columns: Sequence[str], what: str
) -> list[str]:
    """Give the labels in the order of the design's columns."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        wrong = sorted(set(map(str, given)) ^ set(columns))
        if wrong:
            raise fault(
                LedgerError,
                f"the {what} does not name the columns of the design",
                values=wrong,
                remedy=f"Give a value for each of {', '.join(columns) or 'none'}",
            )
        return [text(given[name], name) for name in columns]
    if isinstance(given, str | int | np.integer | np.bool_):
        given = [given]
    return [
        text(value, columns[place] if place < len(columns) else what)
        for place, value in enumerate(given)
    ]


def kept(values: Any, keep: list[bool]) -> Any:
    """Leave out the rows that are not asked for."""
    if isinstance(values, np.ndarray):
        return values[np.array(keep, dtype=np.bool_)]
    return [value for value, kept in zip(values, keep, strict=True) if kept]


def backend(kind: Literal["pandas", "polars", "pyarrow"]) -> Any:
    """Give the kind of frame that is asked for."""
    if kind not in ("pandas", "polars", "pyarrow"):
        raise fault(
            InputError,
            f"'{kind}' is no kind of data frame that crewe makes",
            remedy="Use pandas, polars or pyarrow",
        )
    return nw.Implementation.from_backend(kind)


def columns_of(design: Design, rows: _core.LedgerFrame) -> dict[str, Any]:
    """Give the columns of a ledger's frame from the core's rows."""
    arms = np.array([*design.arms, USUAL], dtype=object)
    strata, factors = rows.stratum, rows.factors
    columns: dict[str, Any] = {design.id_column: rows.family}
    if design.cluster is not None:
        columns["child"] = rows.child
    for place, name in enumerate(design.strata):
        columns[name] = [values[place] for values in strata]
    for place, name in enumerate(design.method.factor_columns):
        columns[name] = [values[place] for values in factors]
    columns["stratum"] = [" / ".join(values) or "all" for values in strata]
    columns["arm"] = list(arms[rows.arm])
    columns["drawn"] = list(arms[rows.drawn])
    columns["delivered"] = [arms[-1 if arm is None else arm] for arm in rows.delivered]
    columns["status"] = rows.status
    columns["comparison"] = np.array([left is None for left in rows.left], dtype=np.bool_)
    columns["inherited"] = np.array(rows.inherited, dtype=np.bool_)
    columns["enrolled"] = [read_time(time) for time in rows.enrolled]
    columns["probability"] = rows.probability
    columns["randomised"] = rows.randomised
    columns["analysed_as"] = rows.analysed_as
    columns["sequence"] = rows.sequence
    if rows.closed:
        columns["conditional_probability"] = np.array(rows.conditional, dtype=np.float64)
        blocks = rows.block
        if any(block is not None for block in blocks):
            columns["block"] = [None if block is None else block[0] for block in blocks]
            columns["block_size"] = [None if block is None else block[1] for block in blocks]
    return columns


def check_design(design: object, levels: Mapping[str, Any]) -> list[str]:
    """Refuse what no ledger can be made for; give the columns of strata and factors."""
    if not isinstance(design, Design):
        raise fault(
            DesignError,
            f"a ledger takes a design, not a {type(design).__name__}",
            remedy="Pass a crewe.Design whose seed is crewe.new_key()",
        )
    design._need_seed()
    columns = [*design.strata, *design.method.factor_columns]
    taken = [name for name in [design.id_column, *columns] if name in OWN]
    if taken:
        raise fault(
            DesignError,
            "columns of the design have names that the ledger's frame uses",
            values=taken,
            remedy="Rename them in the design",
        )
    unknown = sorted(set(levels) - set(columns))
    if unknown:
        raise fault(
            LedgerError,
            "levels are given for columns that are neither strata nor factors",
            values=unknown,
            remedy=f"The columns are {', '.join(columns) or 'none'}",
        )
    return columns

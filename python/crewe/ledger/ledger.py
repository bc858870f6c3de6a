"""The register of a rolling trial: families enrolled one by one, in a file that shows every change."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from crewe import _core
from crewe.design.assignment import Assignment
from crewe.design.design import Design
from crewe.design.keys import Commitment, Key
from crewe.exceptions import DesignError, InputError, LedgerError, fault
from crewe.frames.columns import new_id, text
from crewe.frames.source import Source, build
from crewe.ledger.entries import (
    Label,
    Receipt,
    Register,
    Verification,
    When,
    backend,
    check_design,
    columns_of,
    kept,
    listed,
    ordered,
    read_design,
    read_receipt,
    write_time,
)
from crewe.tables.display import Table
from crewe.tables.printable import Printable
from crewe.tables.wording import worded

if TYPE_CHECKING:
    from crewe.design.consort import Consort


class Ledger(Printable):
    """The register of a rolling trial in one file, made by :meth:`create` or :meth:`open`.

    Families are enrolled one by one, also by several people at once. Every event is chained to those
    before it under a key that the file does not hold, so that an event that was edited, deleted,
    moved or added is found. Approval is recorded before the arm is drawn; no entry changes an arm.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    design : Design
        The design, with the key.
    notes : list of str
        What a reader should know since the ledger was opened.

    Notes
    -----
    Two things no program on one machine can prevent. Who has the key and a copy of the file can
    enrol on the copy and look, so **the key-holder must not be the recruiter**. And who has the key
    can write the whole chain anew, or cut off its end: **lodge the head** of the last receipt with
    somebody else.

    A new ledger and the files beside it can be read by their owner only. What is recorded stays for
    good, so an identifier takes at most 200 characters, a name or a value 1,000, a reason 10,000, and
    a family 10,000 children.

    Examples
    --------
    >>> import crewe as cw, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "trial.ledger"
    >>> design = cw.Design("Project Crewe", arms={"control": 1, "crewe": 2}, cluster="family_id",
    ...                    strata=["history"], method=cw.Simple(), seed=cw.new_key())
    >>> ledger = cw.Ledger.create(path, design)
    >>> receipt = ledger.enrol("F1", ["C1", "C2"], {"history": "no"}, approved_by="A. Officer")
    >>> receipt.arm in ("control", "crewe")
    True
    >>> ledger.verify(head=receipt.head).families
    1
    """

    def __init__(self, inner: _core.Ledger, path: Path, design: Design) -> None:
        self._inner = inner
        self.path = path
        self.design = design
        self.notes: list[str] = list(inner.notes())

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        design: Design,
        *,
        overflow: Literal["pause", "draw-first"] = "pause",
        merged: Literal["as-randomised", "earliest"] = "as-randomised",
        clock_tolerance: int = 0,
        levels: Mapping[str, Sequence[Label]] | None = None,
        at: When = None,
    ) -> Ledger:
        """Create a ledger. What is chosen here never changes.

        Parameters
        ----------
        path : str or path
            A file that is not there yet, on a disk of this machine: write-ahead logs do not work on
            network drives.
        design : Design
            A design whose procedure draws one arrival after the other, such as ``Simple`` or ``Blocks``,
            and whose seed is a :class:`Key`.
        overflow : {"pause", "draw-first"}
            What happens while an arm is full. "pause" (default): families are refused, which is
            recorded, and nothing is drawn. "draw-first": the arm is drawn, a family drawn for a full
            arm goes to the usual service, and the comparison leaves out every family that came while
            any arm was full, whichever arm it drew; this confounds it with calendar time.
        merged : {"as-randomised", "earliest"}
            How families that merge are analysed: each in its own arm, or as one cluster in the arm
            of the one enrolled first.
        clock_tolerance : int
            How many seconds a time may lie before the latest one.
        levels : mapping, optional
            The values that strata and factors may take, by column; others are refused.
        at : datetime or str, optional
            When; now by default.

        Raises
        ------
        DesignError
            For a procedure that needs the whole list of units.
        LedgerError
            For an integer seed, and a file that is there already.
        """
        columns = check_design(design, levels or {})
        known = levels or {}
        allowed = [[text(value, name) for value in known.get(name, ())] for name in columns]
        inner = _core.Ledger.create(
            Path(path),
            design._core(),
            _core.LedgerRules(overflow, merged, clock_tolerance, allowed if any(allowed) else []),
            write_time(at),
        )
        return cls(inner, Path(path), design)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        key: Key | str | Path | None = None,
        *,
        head: str | None = None,
        read_only: bool = False,
    ) -> Ledger:
        """Open a ledger, follow its chain and draw every arm again.

        Parameters
        ----------
        path : str or path
            The file.
        key : Key, str or pathlib.Path, optional
            The key, its 64 hexadecimal digits, or the path of a file that holds them. Without it the
            environment variable ``CREWE_KEY`` is read.
        head : str, optional
            The head of the last receipt. Without it events that were cut off at the end cannot be
            found, and `notes` says that the tail was not checked.
        read_only : bool
            Whether to read and verify only. Nothing is written to the file or beside it, so it may
            lie on read-only media or be kept by somebody else; whatever would record something is
            refused. Who may not write to the file, or to its folder, gets this in any case, and
            `notes` says so.

        Raises
        ------
        LedgerError
            For a file that is no ledger, another key, and any event that is not as it was written;
            the message names the first one. Also where the latest events are still in the file's
            ``-wal`` and nothing may be written beside it: close the ledger where it is kept, or
            copy both.

        Examples
        --------
        An auditor who has the file on a disk that cannot be written, the key, and the head that was
        lodged with the last receipt:

        >>> import crewe as cw, tempfile, pathlib
        >>> path, key = pathlib.Path(tempfile.mkdtemp()) / "trial.ledger", cw.new_key()
        >>> design = cw.Design("t", arms={"a": 1, "b": 1}, cluster="family_id",
        ...                    method=cw.Simple(), seed=key)
        >>> head = cw.Ledger.create(path, design).enrol("F1", ["C1"], approved_by="A. Officer").head
        >>> cw.Ledger.open(path, key, head=head, read_only=True).verify(head).families
        1
        """
        try:
            held: Key = Key.read(key)
        finally:
            # It may be the secret itself, with a slip in it or without: no traceback shows it.
            del key
        inner = _core.Ledger.open(Path(path), held, head, read_only)
        return cls(
            inner, Path(path), read_design(json.loads(inner.design()), inner.wording(), held)
        )

    def enrol(
        self,
        family: Label,
        children: Iterable[Label] = (),
        stratum: Mapping[str, Label] | Sequence[Label] | Label | None = None,
        *,
        approved_by: str,
        factors: Mapping[str, Label] | Sequence[Label] | Label | None = None,
        proposed_by: str | None = None,
        consent: str | None = None,
        at: When = None,
        request: str | None = None,
    ) -> Receipt:
        """Enrol a family: record its approval, draw its arm, return when the disk has both.

        Parameters
        ----------
        family : str or int
            Its identifier; use pseudonyms, since nothing that is recorded is ever removed.
        children : sequence of str or int
            The children known now.
        stratum, factors : mapping, sequence or one value
            The values of the design's strata and of the procedure's factors, by column or in order.
        approved_by : str
            Who approved.
        proposed_by, consent : str, optional
            Who put the family forward, and how it consented.
        at : datetime or str, optional
            When; now by default. A datetime must know its offset from UTC.
        request : str, optional
            An identifier of this request. The same request again gets the first answer; another one
            under the same identifier is refused. An empty one, as a form sends it, is none.

        Raises
        ------
        LedgerError
            For families and children that are enrolled already, a family that was randomised in
            another stratum, values that the ledger does not know, a time before the latest one, a
            trial that is closed, and while enrolment is paused, which is recorded as a refusal.
        """
        return read_receipt(
            self._inner.enrol(
                new_id(family, self.design.id_column),
                [new_id(child, "child") for child in listed(children)],
                ordered(stratum, self.design.strata, "stratum"),
                ordered(factors, self.design.method.factor_columns, "factors"),
                _core.Approval(approved_by, proposed_by, consent, write_time(at), request),
            )
        )

    def add_child(
        self,
        family: Label,
        child: Label,
        *,
        stratum: Mapping[str, Label] | Sequence[Label] | Label | None = None,
        by: str | None = None,
        at: When = None,
        request: str | None = None,
    ) -> Receipt:
        """Add a child who came after the draw: it takes the family's arm, and nothing is drawn.

        `stratum`, where it is given, is compared with that of the family.
        """
        given = None if stratum is None else ordered(stratum, self.design.strata, "stratum")
        return read_receipt(
            self._inner.add_child(
                self._id(family),
                new_id(child, "child"),
                given,
                _core.Entry(by, None, write_time(at), request),
            )
        )

    def capacity(
        self,
        arm: str,
        full: bool,
        *,
        by: str,
        reason: str | None = None,
        at: When = None,
        request: str | None = None,
    ) -> Receipt:
        """Say that an arm is full, or no longer full."""
        entry = _core.Entry(by, reason, write_time(at), request)
        return read_receipt(self._inner.capacity(arm, full, entry))

    def override(
        self,
        family: Label,
        arm: str,
        *,
        by: str,
        reason: str,
        at: When = None,
        request: str | None = None,
    ) -> Receipt:
        """Record that a family gets another arm's service; the arm drawn stays for the analysis."""
        whose = self._id(family)
        entry = _core.Entry(by, reason, write_time(at), request)
        return read_receipt(self._inner.override_arm(whose, arm, entry))

    def withdraw(
        self,
        family: Label,
        *,
        data: bool,
        by: str,
        reason: str,
        child: Label | None = None,
        at: When = None,
        request: str | None = None,
    ) -> Receipt:
        """Record that a family, or one of its children, left.

        `data` says whether what is known of them may still be used.
        """
        whom = None if child is None else text(child, "child")
        whose = self._id(family)
        entry = _core.Entry(by, reason, write_time(at), request)
        return read_receipt(self._inner.withdraw(whose, whom, data, entry))

    def merge(
        self,
        family: Label,
        into: Label,
        *,
        by: str,
        reason: str,
        at: When = None,
        request: str | None = None,
    ) -> Receipt:
        """Record that a family became one with another, analysed as `merged=` said at creation."""
        whose, other = self._id(family), self._id(into)
        entry = _core.Entry(by, reason, write_time(at), request)
        return read_receipt(self._inner.merge(whose, other, entry))

    def split(
        self,
        family: Label,
        into: Label,
        children: Iterable[Label],
        *,
        by: str,
        reason: str,
        at: When = None,
        request: str | None = None,
    ) -> Receipt:
        """Record that some children became a family of their own, with the arm that they had.

        They stay analysed with the family that was randomised.
        """
        who = [text(child, "child") for child in listed(children)]
        whose, other = self._id(family), self._id(into)
        entry = _core.Entry(by, reason, write_time(at), request)
        return read_receipt(self._inner.split(whose, other, who, entry))

    def exclude(
        self,
        family: Label,
        *,
        by: str,
        reason: str,
        child: Label | None = None,
        at: When = None,
        request: str | None = None,
    ) -> Receipt:
        """Leave the outcome of a family, or of one of its children, out of the analysis."""
        whom = None if child is None else text(child, "child")
        whose = self._id(family)
        entry = _core.Entry(by, reason, write_time(at), request)
        return read_receipt(self._inner.exclude(whose, whom, entry))

    def close(
        self,
        *,
        by: str,
        reason: str | None = None,
        at: When = None,
        request: str | None = None,
    ) -> Receipt:
        """End the trial: nobody is enrolled any more, and the key may be revealed.

        Frames then show blocks and conditional probabilities, and fits take the ledger as
        ``design=``.
        """
        entry = _core.Entry(by, reason, write_time(at), request)
        return read_receipt(self._inner.close(entry))

    @property
    def closed(self) -> bool:
        """Whether the trial is closed."""
        return self._inner.is_closed()

    def need_closed(self) -> None:
        """Refuse an analysis while families may still come."""
        if not self.closed:
            raise fault(
                DesignError,
                "the ledger's trial is not closed",
                remedy="Close it first, or pass ledger.assignment() for an analysis before its end",
            )

    @property
    def full(self) -> list[str]:
        """The arms that are full."""
        return self._inner.full()

    def commitment(self) -> Commitment:
        """Give the commitment to design and key, which the file holds in place of the key."""
        return Commitment.of(self._inner.commitment())

    def head(self) -> str:
        """Give the state of the ledger now, to be lodged outside."""
        return self._inner.head()

    def verify(self, head: str | None = None) -> Verification:
        """Read the whole file anew: follow the chain, replay the rules, draw every arm again.

        Parameters
        ----------
        head : str, optional
            A head that was lodged outside, from :meth:`head` or a receipt. Only with it can a tail
            that was cut off be found.

        Raises
        ------
        LedgerError
            Naming the first event that is wrong, and what is wrong with it.
        """
        found = self._inner.verify(head)
        return Verification(
            events=found.events,
            families=found.families,
            children=found.children,
            head=found.head,
            tail=found.tail,
            notes=found.notes,
        )

    def frame(self, kind: Literal["pandas", "polars", "pyarrow"] = "pandas") -> Any:
        """Give one row a child (a family without children has one), in the order of enrolment.

        Identifiers are text. `arm` is the arm of the analysis, `drawn` the one drawn, `delivered`
        the one delivered; `comparison` says whether a row belongs in the comparison and `status`
        why not; `probability` is the marginal probability of the arm drawn. `randomised` is the
        family that was randomised and `analysed_as` the cluster of the analysis. Only a closed trial
        shows blocks and conditional probabilities, since the end of a block tells the next arm.
        """
        return build(columns_of(self.design, self._inner.frame()), backend(kind))

    def overflow(self, kind: Literal["pandas", "polars", "pyarrow"] = "pandas") -> Any:
        """Give the rows of families that came while an arm was full, whichever arm they drew."""
        rows = self._inner.frame()
        came = [left is not None and "arm was full" in left for left in rows.left]
        columns = columns_of(self.design, rows)
        return build({name: kept(values, came) for name, values in columns.items()}, backend(kind))

    def assignment(self) -> Assignment:
        """Give the families in the comparison as an assignment, with the order of their arrival.

        It is what fits take as ``design=``; they take a closed ledger itself too. Families who
        withdrew were randomised and stay in it; leave their rows out of the analysis by the frame's
        `comparison`.
        """
        return self._assigned(everybody=False)[0]

    def consort(self, **options: Any) -> Consort:
        """Count the flow of the trial; see :func:`crewe.consort` for the options."""
        from crewe.design.consort import consort

        return consort(self, **options)

    def _register(self) -> Register:
        """Give what a flow diagram needs: everybody randomised, why some are not compared, counts."""
        assignment, rows = self._assigned(everybody=True)
        flow, lefts = self._inner.flow(), rows.left
        return Register(
            assignment,
            {why: np.array([left == why for left in lefts]) for why in flow.reasons},
            {"refused while an arm was full": flow.refused} if any(flow.refused) else {},
            [
                {
                    f"with {self.design.member_noun} who came late": arm.late,
                    "given another arm": arm.overridden,
                    "withdrew": arm.withdrawn,
                }
                for arm in flow.entries
            ],
            flow.notes,
        )

    def _assigned(self, *, everybody: bool) -> tuple[Assignment, _core.LedgerFrame]:
        found = self._inner.assigned(everybody)
        rows = found.frame
        columns = columns_of(self.design, rows)
        units_of = rows.randomised if everybody else rows.analysed_as
        columns[self.design.id_column] = units_of
        source = Source(build(columns, None))
        made = Assignment(self.design, source, found.assignment, arm_column="arm")
        made._aliases = {
            family: unit
            for family, unit in zip(rows.family, units_of, strict=True)
            if family != unit
        }
        return made, rows

    def _id(self, family: Label) -> str:
        return text(family, self.design.id_column)

    def _table(self) -> Table:
        noun = self.design.unit_noun
        rows: list[list[Any]]
        try:
            assigned, _ = self._assigned(everybody=True)
            rows = [[worded(arm), count] for arm, count in assigned.counts().items()]
        except InputError:
            rows = [[worded(arm), 0] for arm in self.design.arms]
        except LedgerError as error:
            return Table([noun, ""], [], title=f"Ledger {self.path}", notes=[str(error)])
        state = "closed" if self.closed else "open"
        notes = [*self.notes, *(f"arm '{worded(arm)}' is full" for arm in self.full)]
        return Table(
            [noun, "drawn"], rows, title=f"{self.design.name}: ledger, {state}", notes=notes
        )

    def _panels(self) -> list[Table]:
        return [self._table()]

    @property
    def _words(self) -> dict[str, str]:
        return self.design.labels

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ledger is an open file with a key; open it again where it is needed")

"""Assignments: who got which arm, drawn here or read from a trial randomised elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.design.balance import Balance
from crewe.design.constrained import Acceptance
from crewe.design.keys import Commitment
from crewe.design.nouns import Noun
from crewe.exceptions import DesignError, fault
from crewe.frames.columns import identifiers, labels
from crewe.frames.ids import alike
from crewe.frames.source import Source, build
from crewe.tables.counts import Share, cell, counted, crossed
from crewe.tables.display import Table
from crewe.tables.printable import Printable
from crewe.tables.wording import carry, worded

if TYPE_CHECKING:
    from crewe.design.design import Design

ADDED = ("arm", "stratum", "probability", "block", "set", "conditional_probability")
"""The columns that an assignment adds to the user's data."""

LEFT_OUT = 255
"""What stands for the arm of a unit that the procedure left out."""

_TAKEN = {
    "_labels", "_stratum", "_strata", "_rows", "_arm", "_probability", "_counts", "_table",
    "_simulated", "_conditional", "_block", "_left_out",
}  # fmt: skip
"""What is taken out of the core's assignment, and is in no pickle."""


@dataclass(frozen=True)
class Joined:
    """The rows of a data frame matched to the units of an assignment.

    Attributes
    ----------
    unit : array of uint32, shape (rows,)
        The unit of each row, an index into `units`: the cluster codes of a fit.
    units : list of str
        The canonical identifiers of all units of the assignment, in order.
    stratum : array of uint32, shape (rows,)
        The stratum of each row, an index into `strata`.
    strata : list of str
        The names of all strata of the assignment.
    arm : array of uint8, shape (rows,)
        The arm that was drawn for each row, an index into `arms`.
    arms : list of str
        The names of the arms, the reference first.
    """

    unit: NDArray[np.uint32]
    units: list[str]
    stratum: NDArray[np.uint32]
    strata: list[str]
    arm: NDArray[np.uint8]
    arms: list[str]


class Assignment(Printable):
    """The arms of all units of a trial, from ``design.assign`` or ``design.observe``.

    Attributes
    ----------
    design : Design
        The design that it follows.
    commitment : Commitment or None
        The hash of design and seed, for an assignment that was drawn here.
    notes : list of str
        What a reader should know.
    synthetic : bool
        Whether the data say that they are synthetic.

    Notes
    -----
    Pickles hold the units, not the rows of the user's data, unless ``keep_data=True`` was asked
    for.
    """

    def __init__(
        self,
        design: Design,
        source: Source,
        drawn: _core.Assignment,
        *,
        arm_column: str | None = None,
        keep_data: bool = False,
    ) -> None:
        self.design = design
        made = drawn.commitment
        self.commitment = None if made is None else Commitment.of(made)
        self.notes: list[str] = drawn.notes
        self._take(drawn)
        self._source: Source | None = source
        self.synthetic = source.synthetic
        self._arm_column = arm_column
        # Other identifiers under which rows may name a unit: families that split off or merged.
        self._aliases: dict[str, str] = {}
        self._kind = (source._implementation, source._lazy)
        self._integers = _whole(source, design.id_column)
        plain = source.plain_ids(design.id_column)
        if not self._integers and not (plain is not None and plain.one_case):
            self.notes += alike(self._labels, self.noun)
        self._keep_data = keep_data

    def _take(self, drawn: _core.Assignment) -> None:
        """Keep what the core holds of the units within reach."""
        units = drawn.units
        self._core = drawn
        self._stratum = units.stratum
        self._strata = units.strata
        self._rows = units.rows
        self._arm = drawn.arm
        self._probability = drawn.probability
        self._counts = drawn.counts()
        self._table = drawn.table()
        self._simulated = drawn.simulated
        self._conditional = drawn.conditional
        self._block = drawn.block
        self._left_out = drawn.left_out()

    @cached_property
    def _labels(self) -> list[str]:
        """The canonical identifiers, which a large register need not hold twice before they are asked for."""
        return self._core.units.labels

    @property
    def cluster(self) -> str | None:
        """The column that names the clusters, or None where individuals were randomised."""
        return self.design.cluster

    @property
    def arms(self) -> list[str]:
        """The names of the arms, the reference first."""
        return list(self.design.arms)

    @property
    def clusters(self) -> dict[str, str]:
        """The arm of each unit by its canonical identifier; units that were left out are absent."""
        arms = self.arms
        return {
            label: arms[arm]
            for label, arm in zip(self._labels, self._arm, strict=True)
            if arm != LEFT_OUT
        }

    @property
    def strata(self) -> list[str]:
        """The name of each stratum: its values, joined by " / "."""
        return [" / ".join(values) if values else "all" for values in self._strata]

    @property
    def probability(self) -> NDArray[np.float64]:
        """The probability of each arm for each unit, shape (units, arms)."""
        return self._probability

    @property
    def possible(self) -> int | None:
        """The exact number of assignments that the procedure can give to these units.

        None where more than eight arms share the places left over in a stratum.
        """
        count = self.design._core().possible(self._units())
        return None if count is None else int.from_bytes(count, "little")

    def _units(self) -> _core.Units:
        """Give the units as the core knows them."""
        return self._core.units

    def counts(self) -> dict[str, int]:
        """Count the units in each arm."""
        return dict(zip(self.arms, self._counts, strict=True))

    @property
    def units(self) -> Any:
        """One row a unit, in canonical order: identifier, strata, arm, stratum, probability, rows.

        The probability is that of the arm which the unit has, as inverse-probability weights need
        it.
        """
        ids: list[Any] = [int(label) for label in self._labels] if self._integers else self._labels
        columns: dict[str, Any] = {self.design.id_column: ids}
        for place, name in enumerate(self.design.strata):
            columns[name] = [self._strata[stratum][place] for stratum in self._stratum]
        columns |= self._added(np.arange(len(ids)))
        columns["rows"] = np.bincount(self._rows, minlength=len(ids))
        return build(columns, self._kind[0], lazy=self._kind[1], synthetic=self.synthetic)

    @property
    def frame(self) -> Any:
        """The user's rows with arm, stratum and probability, as the same kind of frame."""
        return self._data().with_columns(self._added(self._rows))

    def join(self, frame: Any) -> Any:
        """Add arm, stratum and probability to other data of the same units, such as outcomes.

        Raises
        ------
        DesignError
            For rows of units that were not randomised, rows whose stratum is not the one drawn, and
            columns of those names that are there already.
        """
        source = Source(frame)
        taken = [name for name in ADDED if name in source.names and name not in self.design.strata]
        if taken:
            raise fault(
                DesignError,
                "the data already have columns that an assignment adds",
                values=taken,
                remedy="Rename them; assignment.check(frame, arm=...) compares arms that are there already",
            )
        return source.with_columns(self._added(self.check(source).unit))

    def check(self, source: Source | Any, arm: str | None = None) -> Joined:
        """Match rows to the units by identifier, and refuse those that contradict them.

        This is what every fit with ``design=assignment`` calls. The strata columns of the design
        are compared wherever `source` has them, and the arms in the column `arm` where it is named.

        Parameters
        ----------
        source : Source or data frame
            The data of an analysis, in any row order, also with only some of the units.
        arm : str, optional
            The column with the arms: their names or, with two arms, 0 and 1.

        Raises
        ------
        InputError
            For missing identifiers or arms and values that are no arm.
        DesignError
            For rows of units that were not randomised, and rows whose stratum or arm is not the one
            drawn.
        """
        source = Source(source)
        design = self.design
        name, codes, ids = identifiers(source, design.id_column)
        named = (name, codes, [self._aliases.get(label, label) for label in ids])
        strata = [labels(source, name, "stratum") for name in design.strata if name in source.names]
        given = None if arm is None else labels(source, arm, "arm")
        unit = self._core.join(named, strata, given)
        return Joined(
            unit, self._labels, self._stratum[unit], self.strata, self._arm[unit], self.arms
        )

    def balance(
        self, covariates: Sequence[str], *, frame: Any = None, members: str | None = None
    ) -> Balance:
        """Compare covariates between the arms, by unit (family) and by row (child).

        Parameters
        ----------
        covariates : sequence of str
            Columns; numbers as they are, text and categories as one share for each level.
        frame : data frame, optional
            Data of the same units in place of the rows that were randomised.
        members : str, optional
            What rows are called; as the design says by default.

        Returns
        -------
        Balance
            Means (shares), standard deviations and standardised differences against the first arm.
        """
        covariates = [covariates] if isinstance(covariates, str) else list(covariates)
        source = self._data() if frame is None else Source(frame)
        rows = self._rows if frame is None else self.check(source).unit
        member = Noun.of_many(members or self.design.member_noun)
        made = Balance.measure(
            source,
            rows,
            self._arm,
            self.arms,
            covariates,
            unit=self.noun.one,
            members=member.one if self.design.cluster is not None else None,
        )
        return carry(made, self.design.labels)

    @property
    def noun(self) -> Noun:
        """What the units are called: as the design says, or from their column, "families" for ``family_id``."""
        return self.design.unit_noun

    @property
    def _words(self) -> dict[str, str]:
        return self.design.labels

    def validity(self) -> Acceptance:
        """Say what a constrained randomisation accepts, and which pairs of units it ties together.

        Raises
        ------
        DesignError
            For another procedure.
        """
        found = self.design._core().constrained(self._units())
        return Acceptance._of(self.design, found, self._kind)

    def table(self) -> Table:
        """Units by stratum and arm."""
        ratio = ":".join(str(share) for share in self.design.arms.values())
        column = " / ".join(self.design.strata) or "stratum"
        counts = [
            [
                counted(n, {column: stratum, "arm": arm}, self.noun)
                for arm, n in zip(self.arms, line, strict=True)
            ]
            for stratum, line in zip(self.strata, self._table, strict=True)
        ]
        rows: list[list[Any]] = [
            [
                stratum,
                *map(cell, line),
                cell(counted(sum(n.value for n in line), {column: stratum}, self.noun)),
            ]
            for stratum, line in zip(self.strata, counts, strict=True)
        ]
        arms = [
            counted(n, {"arm": arm}, self.noun)
            for arm, n in zip(self.arms, self._counts, strict=True)
        ]
        # The title says how many there are.
        whole = counted(sum(self._counts), {}, self.noun, harmless=True)
        if len(rows) > 1:
            rows.append(["all strata", *map(cell, arms), cell(whole)])
        rows.append([f"share of {self.noun}", *(cell(Share(n, whole)) for n in arms), ""])
        how = "randomised" if self.commitment is not None else "observed"
        notes = list(self.notes)
        if self.commitment is not None:
            notes.append(f"commitment {self.commitment}")
        return Table(
            [column, *map(worded, self.arms), "total"],
            rows,
            title=f"{self.design.name}: {sum(self._counts)} {self.noun} {how} at {ratio}",
            notes=notes,
            relations=crossed([n for line in counts for n in line]),
        )

    def methods(self) -> list[str]:
        """Say how the units were randomised."""
        ratio = ":".join(str(share) for share in self.design.arms.values())
        within = f" within strata of {', '.join(self.design.strata)}" if self.design.strata else ""
        if self.commitment is None:
            return [
                f"The {self.noun} were randomised before; crewe read their arms. The declared "
                "procedure is "
                f"{self.design.method} at {ratio}{within}."
            ]
        return [
            f"The {self.noun} were randomised by {self.design.method} at {ratio}{within}, with "
            f"ChaCha20 under the algorithm crewe/1; {self._chances()}.",
        ]

    def _chances(self) -> str:
        """Say how units' probabilities stand to the ratio."""
        shares = np.array(list(self.design.probabilities().values()))
        if self._simulated is not None:
            return f"every unit's probability of an arm was found from {self._simulated:,} simulated draws"
        if bool(np.all(np.abs(self._probability - shares) <= 1e-14)):
            return "every unit's probability of an arm is exactly the ratio"
        spread = [
            f"{low:.3f} to {high:.3f} for {worded(arm)}"
            for arm, low, high in zip(
                self.arms, self._probability.min(axis=0), self._probability.max(axis=0), strict=True
            )
        ]
        gone = f", and {self._left_out} were left out" if self._left_out else ""
        return (
            "units' probabilities of an arm are known but not all equal to the ratio "
            f"({', '.join(spread)}){gone}"
        )

    def __len__(self) -> int:
        return len(self._arm)

    def _panels(self) -> list[Table]:
        return [self.table()]

    def _added(self, unit: NDArray[Any]) -> dict[str, Any]:
        arm = self._arm[unit]
        # A unit that the procedure left out has no arm.
        names = np.array([*self.arms, None], dtype=object)
        place = np.minimum(arm, len(self.arms))
        strata = np.array(self.strata, dtype=object)
        chance = np.column_stack([self._probability, 1 - self._probability.sum(axis=1)])
        added: dict[str, Any] = {
            "arm": names[place],
            "stratum": strata[self._stratum[unit]],
            "probability": chance[unit, place],
        }
        if self._block is not None:
            added[self._block_name] = self._block[unit]
        if self._conditional is not None:
            added["conditional_probability"] = self._conditional[unit, arm]
        return added

    @property
    def _block_name(self) -> str:
        return "set" if self.design.method.in_sets else "block"

    def _data(self) -> Source:
        if self._source is None:
            raise fault(
                DesignError,
                "the rows of the data were left out of the pickle",
                remedy="Call assignment.join(frame) with the data, or keep them: assign(frame, "
                "keep_data=True)",
            )
        return self._source

    def __getstate__(self) -> dict[str, Any]:
        kept = self._source if self._keep_data else None
        whole = {name: value for name, value in self.__dict__.items() if name not in _TAKEN}
        return {**whole, "_source": kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._take(self._core)


def _whole(source: Source, name: str) -> bool:
    dtype = source._frame[name].dtype
    return bool(dtype.is_integer() or dtype.is_float())

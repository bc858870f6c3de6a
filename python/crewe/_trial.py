"""What a fit takes from a trial: its clusters, the order of its arms, its strata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _formula
from crewe._frames import Source
from crewe.exceptions import DesignError, fault


@dataclass
class Trial:
    """A trial joined to the data of an analysis.

    Attributes
    ----------
    source : Source
        The data, with `arm` and `stratum` as they were drawn.
    right : str
        The right-hand side with the terms of the strata.
    cluster : str or None
        The unit that was randomised, where it is a cluster.
    arm : str or None
        The column of the formula that holds the arm.
    levels : dict
        The arms in their order, the reference first.
    notes : list of str
        What a reader must know.
    synthetic : bool
        Whether the trial was drawn over synthetic data.
    """

    source: Source
    right: str
    cluster: str | None
    arm: str | None
    levels: dict[str, list[str]]
    notes: list[str]
    synthetic: bool
    _unit: NDArray[np.uint32]
    _arm: NDArray[np.uint8]
    _arms: list[str]
    _noun: str

    def dropped_by_arm(self, rows: NDArray[np.int64]) -> str:
        """Say how many rows of each arm were dropped."""
        kept = np.bincount(self._arm[rows], minlength=len(self._arms))
        all_rows = np.bincount(self._arm, minlength=len(self._arms))
        parts = [
            f"{arm} {total - stays} of {total}"
            for arm, total, stays in zip(self._arms, all_rows, kept, strict=True)
        ]
        return f"rows dropped by arm: {', '.join(parts)}"

    def refuse_too_few(self, rows: NDArray[np.int64]) -> None:
        """Refuse an analysis in which an arm has fewer than two units."""
        for code, arm in enumerate(self._arms):
            units = len(np.unique(self._unit[rows][self._arm[rows] == code]))
            if units < 2:
                raise fault(
                    DesignError,
                    f"arm '{arm}' has {units} of the {self._noun} in the rows that are analysed",
                    column=self.arm,
                    remedy="An arm needs at least two, or its variation cannot be known: check the "
                    "filter and the missing values",
                )


def join(
    assignment: Any,
    source: Source,
    right: str,
    *,
    strata_terms: bool,
    objection: Callable[[Any], str] | None = None,
) -> Trial:
    """Join a trial to the data of an analysis, refusing rows that contradict it.

    `objection` says of the joined rows why terms of the strata would harm this model; empty where they would not.
    """
    if hasattr(assignment, "closed") and hasattr(assignment, "assignment"):
        if not assignment.closed:
            raise fault(
                DesignError,
                "the ledger's trial is not closed",
                remedy="Close it first, or pass ledger.assignment() for an analysis before its end",
            )
        assignment = assignment.assignment()
    if not hasattr(assignment, "check"):
        raise fault(
            DesignError,
            f"design= takes an assignment, not a {type(assignment).__name__}",
            remedy="Pass what design.assign(frame) or design.observe(frame, arm=...) returned, or a "
            "closed ledger",
        )
    needed = _formula.variables(right)
    column = next(
        (n for n in (assignment._arm_column, "arm") if n and n in needed and n in source.names),
        None,
    )
    joined = assignment.check(source, arm=column)
    names = np.asarray(joined.arms, dtype=object)[joined.arm]
    added: dict[str, Any] = {"stratum": np.asarray(joined.strata, dtype=object)[joined.stratum]}
    if assignment.cluster and getattr(assignment, "_aliases", None):
        # Families that split off or merged are one cluster with the family that was randomised.
        added[assignment.cluster] = np.asarray(joined.units, dtype=object)[joined.unit]
    if column is None and "arm" in needed:
        column, added["arm"] = "arm", names
    joined_source = Source(source.with_columns(added))
    notes: list[str] = []
    strata = assignment.design.strata
    if strata and strata_terms and not _spans_strata(joined_source, right, joined.stratum):
        reason = "" if objection is None else objection(joined)
        used = [name for name in strata if name in needed]
        if reason:
            notes.append(reason)
        elif used and all(name in source.names for name in strata):
            # With one of several strata columns in the formula, their product shares its terms.
            right = f"{right} + {' * '.join(strata)}"
        else:
            right = f"{right} + C(stratum)"
    units, places = len(joined.units), len(joined.strata)
    if strata and 5 * (places - 1) > units:
        notes.append(
            f"{places} strata for {units} units: with so few units a stratum, CR0, CR1, CR1S and CR3 "
            "understate the variance; CR2 does not, or cluster by stratum"
        )
    return Trial(
        source=joined_source,
        right=right,
        cluster=assignment.cluster,
        arm=column,
        levels={column: list(joined.arms)} if column else {},
        notes=notes,
        synthetic=bool(getattr(assignment, "synthetic", False)),
        _unit=joined.unit,
        _arm=joined.arm,
        _arms=list(joined.arms),
        _noun=assignment.noun,
    )


def _spans_strata(source: Source, right: str, stratum: NDArray[np.uint32]) -> bool:
    """Whether the formula's columns already tell every stratum apart."""
    design = _formula.design(source, right)
    x = design.x
    if design.intercept:
        x = np.column_stack([np.ones(len(x)), x])
    dummies = stratum[design.rows][:, None] == np.unique(stratum[design.rows])
    fitted = x @ np.linalg.lstsq(x, dummies.astype(np.float64), rcond=None)[0]
    return bool(np.abs(fitted - dummies).max() < 1e-8)

"""What a fit takes from a trial: its clusters, the order of its arms, its strata."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.design.assignment import LEFT_OUT
from crewe.exceptions import DesignError, fault
from crewe.formula import design as designs
from crewe.formula import parse as parsing
from crewe.formula.design import Design
from crewe.formula.names import quoted
from crewe.frames.source import Source
from crewe.models.linear import ROWWISE, array_clusters

LONG = 10
"""From so many on, terms of the strata that a formula names itself are printed as one line."""


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
        The unit that was randomised, where it is a cluster; :meth:`clustering` says what an analysis clusters by.
    unit : str
        The column that names the unit that was randomised.
    arm : str or None
        The column of the formula that holds the arm.
    levels : dict
        The arms in their order, the reference first.
    notes : list of str
        What a reader must know.
    layer : str or None
        The column of the strata or sets for a layered model.
    synthetic : bool
        Whether the trial was drawn over synthetic data.
    strata : set of str
        The columns of the strata or sets.
    asked : str
        The right-hand side before the design added terms.
    apart : frozenset of str
        The columns of strata, sets and what else the design balanced: nobody asks after their terms.
    sets : Sets or None
        Strata or sets of few units that have terms of their own.
    mark : str
        The name of the trial, and what tells it from others: two results belong together where it is the same.
    """

    source: Source
    right: str
    cluster: str | None
    unit: str
    arm: str | None
    levels: dict[str, list[str]]
    notes: list[str]
    layer: str | None
    synthetic: bool
    strata: set[str]
    asked: str
    apart: frozenset[str]
    sets: Sets | None
    mark: str
    _unit: NDArray[np.uint32]
    _arm: NDArray[np.uint8]
    _arms: list[str]
    _noun: str
    words: Mapping[str, str] = field(default_factory=dict)

    def strata_terms(self, design: Design) -> list[str]:
        """Name the coefficients of the strata or sets: those that the design added, and a long list of the formula's own."""
        made = design.made_of(self.strata)
        own = set(designs.terms(self.asked)) if made else set()
        return [
            name
            for term, names in made.items()
            if term not in own or len(names) >= LONG
            for name in names
        ]

    def dropped_by_arm(self, rows: NDArray[np.int64]) -> str:
        """Say how many rows of each arm were dropped."""
        kept = np.bincount(self._arm[rows], minlength=len(self._arms))
        all_rows = np.bincount(self._arm, minlength=len(self._arms))
        parts = [
            f"{self.words.get(arm, arm)} {total - stays} of {total}"
            for arm, total, stays in zip(self._arms, all_rows, kept, strict=True)
        ]
        return f"rows dropped by arm: {', '.join(parts)}"

    def clustering(self, asked: Any, rows: NDArray[np.int64]) -> Clustering:
        """Say what an analysis of these rows clusters by: the unit, or what was asked for and holds whole units.

        Where a unit has several rows its rows are not independent, whether the design calls it a cluster or not.

        Raises
        ------
        DesignError
            For clusters that split a unit which has several rows.
        """
        unit = self._unit[rows]
        counts = np.bincount(unit)
        several, units = int((counts > 1).sum()), int((counts > 0).sum())
        said = f"{several:,} of {units:,} {self._noun} have several rows"
        by_kind: dict[str, list[str]] = {}
        if several:
            rowwise = f"{said}, and this covariance counts rows of one {self.unit} as independent"
            by_kind = {kind: [rowwise] for kind in ROWWISE}
        if asked is None:
            self._note_sets(by_kind, None, rows, bool(several))
            if not several:
                return Clustering(self.cluster, [], by_kind)
            note = [] if self.cluster else [f"{said}: errors are clustered by {self.unit}"]
            return Clustering(self.unit, note, by_kind)
        codes = (
            self.source.ids(asked)[0]
            if isinstance(asked, str)
            else array_clusters(asked, self.source.n, self.source.index)[0]
        )
        self._note_sets(by_kind, codes, rows, bool(several))
        if not several:
            return Clustering(asked, [], by_kind)
        pairs = np.unique(np.column_stack([unit, codes[rows]]), axis=0)
        split = np.flatnonzero(np.bincount(pairs[:, 0], minlength=len(counts)) > 1)
        if len(split):
            name = asked if isinstance(asked, str) else "cluster"
            raise fault(
                DesignError,
                f"the clusters split {len(split)} of {units} {self._noun}, whose rows are not "
                "independent: the trial randomised them whole",
                column=name,
                rows=[int(row) for row in rows[np.isin(unit, split)]],
                remedy=f"Leave cluster= out, which clusters by {self.unit}, or name a column that "
                "holds whole units, such as their set",
            )
        return Clustering(asked, [], by_kind)

    def _note_sets(
        self,
        by_kind: dict[str, list[str]],
        codes: NDArray[Any] | None,
        rows: NDArray[np.int64],
        several: bool,
    ) -> None:
        """Note which covariances are too small or too large beside terms of sets of few units."""
        if self.sets is None:
            return
        whole = codes is not None and _within_one(self.sets.code[rows], codes[rows])
        for kind, note in self.sets.notes(self.unit, whole, several).items():
            by_kind.setdefault(kind, []).append(note)

    def refuse_too_few(self, rows: NDArray[np.int64]) -> None:
        """Refuse an analysis in which an arm has fewer than two units."""
        refuse_too_few(self._arms, self._arm[rows], self._unit[rows], self._noun, self.arm)


def refuse_too_few(
    arms: list[str], arm: NDArray[Any], unit: NDArray[Any], noun: str, column: str | None
) -> None:
    """Refuse rows in which an arm has fewer than two units."""
    counts = [len(np.unique(unit[arm == code])) for code in range(len(arms))]
    _core.check_units_by_arm(arms, counts, noun, column)


def _within_one(inner: NDArray[Any], outer: NDArray[Any]) -> bool:
    """Whether no group of `inner` is split by `outer`."""
    pairs = np.unique(np.column_stack([inner, outer]), axis=0)
    return len(pairs) == len(np.unique(inner))


@dataclass
class Sets:
    """Strata or matched sets of few units, each with a term of its own.

    Attributes
    ----------
    noun : str
        What one is called.
    column : str
        The column that names them.
    code : array
        The set of each row.
    count, units : int
        How many sets there are, of how many units.
    layered : bool
        Whether they are strata of a Cox model.
    """

    noun: str
    column: str
    code: NDArray[Any]
    count: int
    units: int
    layered: bool

    def notes(self, unit: str, whole: bool, several: bool) -> dict[str, str]:
        """Say of each covariance what it does there; `whole` where the clusters hold whole sets.

        With s units a set, scores of single units are too small by (s - 1)/s in the variance, and the leverage of a
        unit in its set is 1/s, for which CR3, HC3 and the jackknife pay twice. By set CR1 is the paired t-test's.
        """
        if whole:
            factor = f"CR1S by {self.noun} overstates the variance by (n - 1)/(n - k), CR1 does not"
            return {} if self.layered else {"CR1S": factor}
        nouns = "strata" if self.noun == "stratum" else f"{self.noun}s"
        own = f"{self.count} {nouns} for {self.units} units, each with a term of its own"
        remedy = f"cluster by {self.noun} (cluster='{self.column}')"
        if not self.layered:
            remedy += ", or take CR2"
        small = ["CR0", "CR1"] + (["CR1S"] if several else ["HC0"])
        large = ["CR3", "jackknife", "CV3", "CV3L"] + ([] if several else ["HC3"])
        others = f"{own}: by {unit} CR0 and CR1 understate the variance, CR3 and the jackknife overstate it"
        others += f"; {remedy}" if self.layered else ", CR2 does neither"
        told: dict[str, str] = {kind: others for kind in (*ROWWISE, "CR1S", "CR2", "hansen")}
        for does, kinds in {"understates": small, "overstates": large}.items():
            for kind in kinds:
                by = "" if kind in ROWWISE else f" by {unit}"
                told[kind] = f"{own}: {kind}{by} {does} the variance; {remedy}"
        return told


@dataclass
class Clustering:
    """What an analysis of a trial clusters by.

    Attributes
    ----------
    cluster : str, array of ids or None
        The clusters; None where every unit has one row.
    notes : list of str
        What a reader must know.
    by_kind : dict of str to list of str
        What to note of covariances by their name: those that take rows as independent where they are not, and those
        that are too small or too large beside terms of sets.
    """

    cluster: Any
    notes: list[str]
    by_kind: dict[str, list[str]]


def join(
    assignment: Any,
    source: Source,
    right: str,
    *,
    strata_terms: bool,
    objection: Callable[[Any], str] | None = None,
    layered: bool = False,
) -> Trial:
    """Join a trial to the data of an analysis, refusing rows that contradict it.

    The strata or matched sets of the design become terms or, where the model is `layered`, the column of its strata;
    what the procedure balanced besides becomes terms.

    `objection` says of the joined rows why terms of the strata would harm this model; empty where they would not.
    """
    if hasattr(assignment, "need_closed"):
        assignment.need_closed()
        assignment = assignment.assignment()
    if not hasattr(assignment, "check"):
        raise fault(
            DesignError,
            f"design= takes an assignment, not a {type(assignment).__name__}",
            remedy="Pass what design.assign(frame) or design.observe(frame, arm=...) returned, or a "
            "closed ledger",
        )
    notes: list[str] = []
    needed = parsing.variables(right)
    column = next(
        (n for n in (assignment._arm_column, "arm") if n and n in needed and n in source.names),
        None,
    )
    joined = assignment.check(source, arm=column)
    names = np.asarray(joined.arms, dtype=object)[joined.arm]
    added: dict[str, Any] = {"stratum": np.asarray(joined.strata, dtype=object)[joined.stratum]}
    if getattr(assignment, "_aliases", None):
        # Families that split off or merged are one cluster with the family that was randomised.
        added[assignment.design.id_column] = np.asarray(joined.units, dtype=object)[joined.unit]
    if column is None and "arm" in needed:
        column, added["arm"] = "arm", names
    balanced = _balanced(assignment, source, joined, added)
    asked = right
    joined_source = Source(source.with_columns(added))
    strata, matched = assignment.design.strata, assignment.design.method.in_sets
    groups = joined
    if matched:
        # Sets are nested in strata, so their terms span those of the strata.
        groups = replace(joined, stratum=balanced.code[joined.unit], strata=balanced.labels)
    units, places = len(joined.units), len(groups.strata)
    layer, spanned = None, False
    if strata or matched:
        spanned = _spans(joined_source, right, groups.stratum)
    if strata_terms and (strata or matched) and not spanned:
        layer = balanced.column if matched else "stratum"
        spanned = True
        reason = "" if objection is None else objection(groups)
        used = [name for name in strata if name in needed]
        if layered:
            pass
        elif reason:
            spanned = False
            notes.append(reason.replace("strata", "sets") if matched else reason)
        elif matched:
            right = f"{right} + {balanced.terms[0]}"
        elif used and all(name in source.names for name in strata):
            # With one of several strata columns in the formula, their product shares its terms.
            right = f"{right} + {' * '.join(strata)}"
        else:
            right = f"{right} + C(stratum)"
    if strata_terms and not matched:
        for term in balanced.terms:
            if not _spans_term(joined_source, right, term):
                right = f"{right} + {term}"
    sets = None
    if spanned and 5 * (places - 1) > units:
        sets = Sets(
            noun="set" if matched else "stratum",
            column=balanced.column if matched else "stratum",
            code=groups.stratum,
            count=places,
            units=units,
            layered=layered,
        )
    return Trial(
        source=joined_source,
        right=right,
        cluster=assignment.cluster,
        unit=assignment.design.id_column,
        arm=column,
        levels={column: list(joined.arms)} if column else {},
        notes=notes,
        layer=layer if layered else None,
        synthetic=bool(getattr(assignment, "synthetic", False)),
        strata={*strata, "stratum", *([balanced.column] if matched else [])},
        asked=asked,
        apart=frozenset({*strata, "stratum", *balanced.columns}),
        sets=sets,
        mark=mark_of(assignment),
        _unit=joined.unit,
        _arm=joined.arm,
        _arms=list(joined.arms),
        _noun=assignment.noun,
        words=assignment.design.labels,
    )


def mark_of(assignment: Any) -> str:
    """Give the name of a trial, and a hash over its units and their arms."""
    drawn = hashlib.sha256()
    drawn.update("\x1f".join([*assignment._labels, *assignment.design.arms, ""]).encode())
    drawn.update(np.asarray(assignment._arm).tobytes())
    return f"{assignment.design.name} ({drawn.hexdigest()[:8]})"


@dataclass
class _Balanced:
    """What the procedure balanced besides the strata, as terms of a formula."""

    terms: list[str]
    columns: list[str]
    column: str
    code: NDArray[np.uint32]
    labels: list[str]


def _balanced(assignment: Any, source: Source, joined: Any, added: dict[str, Any]) -> _Balanced:
    """Give the terms of what the procedure balanced; columns that the data lack go into `added`.

    They come from the units as they were randomised.
    """
    method, units = assignment.design.method, assignment._units()
    factors = {factor.name: (factor.level, factor.levels) for factor in units.factors}
    covariates = {covariate.name: covariate.values for covariate in units.covariates}
    if method.in_sets:
        name = next(iter(method.factor_columns), "set")
        code = factors[name][0] if assignment._block is None else assignment._block
        if name not in source.names:
            values = (
                np.asarray(factors[name][1], dtype=object)[factors[name][0]]
                if name in factors
                else code
            )
            added[name] = values[joined.unit]
        labels = [str(place) for place in range(int(code.max()) + 1)]
        return _Balanced([f"C({quoted(name)})"], [name], name, code, labels)
    terms = []
    columns = [*method.factor_columns, *method.covariate_columns]
    for name in columns:
        if name in factors:
            if name not in source.names:
                level, levels = factors[name]
                added[name] = np.asarray(levels, dtype=object)[level][joined.unit]
            terms.append(f"C({quoted(name)})")
        elif name in covariates:
            if name not in source.names:
                added[name] = covariates[name][joined.unit]
            terms.append(quoted(name))
    return _Balanced(terms, columns, "", np.zeros(0, dtype=np.uint32), [])


def without_left_out(assignment: Any, source: Source) -> tuple[Source, list[str]]:
    """Drop the rows of units that the randomisation left out, and say how many."""
    if not getattr(assignment, "_left_out", 0):
        return source, []
    unit = assignment.check(source).unit
    gone = assignment._arm[unit] == LEFT_OUT
    if not gone.any():
        return source, []
    units = len(np.unique(unit[gone]))
    note = (
        f"{int(gone.sum()):,} of {source.n:,} rows belong to {units} units that the randomisation "
        "left out and are not analysed"
    )
    return source.take([int(row) for row in np.flatnonzero(~gone)]), [note]


def _spans(source: Source, right: str, group: NDArray[np.uint32]) -> bool:
    """Whether the formula's columns already tell every group apart."""
    design = designs.design(source, right)
    kept = group[design.rows]
    return _within(design, (kept[:, None] == np.unique(kept)).astype(np.float64))


def _spans_term(source: Source, right: str, term: str) -> bool:
    """Whether the formula's columns already span those of a term."""
    both = designs.design(source, f"{right} + {term}")
    alone = designs.design(source, right)
    if len(alone.rows) == len(both.rows):
        return both.x.shape[1] == alone.x.shape[1] or _within(alone, both.x)
    return False


def _within(design: Design, columns: NDArray[np.float64]) -> bool:
    x = design.x
    if design.intercept:
        x = np.column_stack([np.ones(len(x)), x])
    fitted = x @ np.linalg.lstsq(x, columns, rcond=None)[0]
    scale = np.maximum(np.abs(columns).max(axis=0), 1e-300)
    return bool((np.abs(fitted - columns) / scale).max() < 1e-8)

"""The road from a call to the core: the frame, the trial, the formula, what is dropped, the clusters.

Every function that takes data comes through :func:`read`, so that `design=`, `cluster=`, `weights=`, `by=` and `missing=`
mean the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import DesignError, InputError, fault
from crewe.formula import design as designs
from crewe.formula.names import quoted, unquoted
from crewe.frames import cells
from crewe.frames.column import Column
from crewe.frames.ids import alike_clusters, alike_levels
from crewe.frames.source import Source, refuse_text
from crewe.frames.synthetic import mark, marked
from crewe.models.groups import label_among
from crewe.models.linear import array_clusters, rows_of_the_data
from crewe.models.rows import Clusters, ModelRows
from crewe.models.trial import Trial, join, refuse_too_few, without_left_out
from crewe.models.weights import Weights, left_out_note

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

# -- names and values -------------------------------------------------------------------------


def key_label(value: Any) -> str:
    """Name the key of a mapping as the data print it."""
    return label_among(value, ())


def refuse_empty(column: Column, name: str) -> None:
    """Refuse a column in which no row has a value."""
    if len(column) and bool(column.missing.all()):
        raise fault(
            InputError,
            f"no row has a value of '{name}'",
            column=name,
            remedy="Check how the column was read, or name another",
        )


def numeric(source: Source, name: str) -> Floats:
    """Read a column of numbers, of which some row has a value."""
    column = source.column(name)
    refuse_empty(column, name)
    refuse_text(column, name, "Choose a numeric column, or cw.crosstab for categories")
    return np.ascontiguousarray(column.values, dtype=np.float64)


def with_reference(
    levels: list[str], codes: Codes, reference: Any, name: str
) -> tuple[list[str], Codes]:
    """Put the reference level first."""
    if reference is None:
        return levels, codes
    wanted = label_among(reference, levels)
    if wanted not in levels:
        raise fault(
            InputError,
            f"there is no arm '{reference}'",
            column=name,
            values=levels,
            remedy="Name the reference arm as it stands in the data",
        )
    first = levels.index(wanted)
    return reordered(levels, codes, [first, *[i for i in range(len(levels)) if i != first]])


def reordered(levels: list[str], codes: Codes, order: Sequence[int]) -> tuple[list[str], Codes]:
    """Give levels in another order, and the codes that follow from it."""
    place = np.full(len(levels) + 1, -1, dtype=np.int64)
    place[list(order)] = np.arange(len(order))
    return [levels[i] for i in order], place[codes]


# -- the call ---------------------------------------------------------------------------------


@dataclass
class Request:
    """A call that has been read.

    Attributes
    ----------
    source : Source
        The data; with a trial those of its units, with the arm as it was drawn.
    trial : Trial or None
        What `design=` joined.
    cluster : str, array or None
        The column that `cluster=` named, or the code of each row where it came as an array.
    missing : {"drop", "refuse", "indicator"}
        What becomes of rows with missing values.
    rows : array
        The positions of these rows in the data as given.
    notes : list of str
        What a reader must know so far.
    synthetic : bool
        Whether the data or the trial say that they are synthetic.
    right : str
        The right-hand side of the formula, with the terms that the trial adds.
    weights : Weights or None
        What `weights=` named.
    """

    source: Source
    trial: Trial | None
    cluster: Any
    missing: str
    rows: NDArray[np.int64]
    notes: list[str]
    synthetic: bool
    right: str = "1"
    weights: Weights | None = None

    @property
    def words(self) -> Mapping[str, str]:
        """What the trial prints in place of the names of its arms."""
        return {} if self.trial is None else self.trial.words

    @property
    def mark(self) -> str:
        """What tells the trial from others; empty without one."""
        return "" if self.trial is None else self.trial.mark

    @property
    def arm(self) -> str:
        """The column that holds the arm of the trial; empty without one."""
        return "" if self.trial is None or self.trial.arm is None else self.trial.arm

    def arms(self, name: str, reference: Any = None) -> tuple[list[str], Codes]:
        """Give the levels of a column, the reference first, and each row's level (-1 is missing).

        The arm of a trial has the trial's own order.
        """
        if self.trial is not None and self.trial.arm == name:
            codes = self.trial._arm.astype(np.int64)
            used = [int(i) for i in np.unique(codes)]
            levels, codes = reordered(list(self.trial._arms), codes, used)
        else:
            column = self.source.column(name)
            refuse_empty(column, name)
            levels, codes = cells.levels(column)
            self.notes += alike_levels(levels, name)
        return with_reference(levels, codes, reference, name)

    def kept(
        self,
        gone: Mapping[str, NDArray[np.bool_]],
        arms: tuple[list[str], Codes] | None = None,
    ) -> tuple[NDArray[np.bool_], str]:
        """Give the rows without missing values, and the sentence that counts the others by arm."""
        lost = np.zeros(self.source.n, dtype=bool)
        for name, mask in gone.items():
            if self.missing == "refuse" and mask.any():
                raise fault(
                    InputError,
                    f"{int(mask.sum())} of {self.source.n} rows have no value of '{name}'",
                    column=name,
                    rows=[int(row) for row in self.rows[mask]],
                    remedy="Fill them in, or leave them out and count them with missing='drop'",
                )
            lost |= mask
        if not lost.any():
            return ~lost, ""
        counts = ", ".join(f"{name} {int(mask.sum())}" for name, mask in gone.items() if mask.any())
        note = (
            f"{int(lost.sum()):,} of {self.source.n:,} rows dropped for missing values ({counts})"
        )
        if arms is not None and len(arms[0]) > 1:
            note += f"; by arm: {by_arm(arms, lost)}"
        return ~lost, note

    def clusters(self, kept: NDArray[np.bool_]) -> Clusters | None:
        """Count the clusters of the kept rows; None where neither a trial nor `cluster=` names any."""
        rows = np.flatnonzero(kept)
        if self.trial is not None and self.cluster is None:
            return Clusters.of(self.trial._unit, rows, self.trial.unit, self.trial._noun)
        if self.cluster is None:
            return None
        if self.trial is not None:
            with rows_of_the_data(self.rows):
                self.trial.clustering(self.cluster, rows)
        if isinstance(self.cluster, str):
            name = unquoted(self.cluster, self.source.names)
            return Clusters.of(self.source.ids(name)[0], rows, name, "clusters")
        return Clusters.of(self.cluster, rows, "cluster", "clusters")

    def model(self, also: Sequence[str]) -> ModelRows:
        """Compile the right-hand side over the rows that have every value, those of the columns `also` included."""
        trial, weights = self.trial, self.weights
        weight = [weights.column] if weights is not None and weights.column is not None else []
        with rows_of_the_data(self.rows):
            zero = None if weights is None else weights.without(self.source)
            built = designs.design(
                self.source,
                self.right,
                also=[*also, *weight],
                out=zero,
                missing=self.missing,
                keep=[trial.arm] if trial is not None and trial.arm else [],
                levels=trial.levels if trial is not None else None,
            )
        inside = built.rows
        built.rows = self.rows[inside]
        notes = [*self.notes, *built.notes]
        for name, column in built.columns.items():
            if column.levels is not None:
                notes += alike_levels(column.levels, name)
        weighted = None
        if weights is not None and zero is not None:
            notes += left_out_note(zero, weight[0])
            values = designs.column_values(weight[0], built.columns)
            weighted = _core.Weights(values, weights.kind)
        if built.dropped.n:
            notes.append(built.dropped.note())
        strata = [] if trial is None else trial.strata_terms(built)
        apart = None if trial is None else trial.apart
        made = ModelRows(built, notes, None, None, None, {}, weighted, strata, apart)
        with rows_of_the_data(self.rows):
            self._cluster(made, inside)
            if trial is not None:
                trial.refuse_too_few(inside)
        built.owner = self._owner(inside)
        return made

    def _owner(self, inside: NDArray[np.int64]) -> designs.Owner | None:
        """Say whom these rows belong to."""
        if self.trial is not None:
            codes = np.ascontiguousarray(self.trial._unit[inside], dtype=np.uint32)
            return designs.Owner(codes, trial=self.trial.mark)
        if not isinstance(self.cluster, str):
            return None
        name = unquoted(self.cluster, self.source.names)
        codes, labels = self.source.ids(name)
        return designs.Owner(codes[inside], column=name, labels=labels)

    def _cluster(self, made: ModelRows, inside: NDArray[np.int64]) -> None:
        """Say what the rows of a model are clustered by."""
        cluster, dropped = self.cluster, bool(made.design.dropped.n)
        if self.trial is not None:
            if dropped:
                made.notes.append(self.trial.dropped_by_arm(inside))
            clustering = self.trial.clustering(cluster, inside)
            cluster, made.by_kind = clustering.cluster, clustering.by_kind
            made.notes += clustering.notes
        if cluster is None:
            return
        # A trial knows which families are one cluster, whatever they are called now.
        if isinstance(cluster, str):
            name = made.cluster_name = unquoted(cluster, self.source.names)
            codes, labels = self.source.ids(name)
            made.labels = pd.Series(np.asarray(labels, dtype=object)[codes[inside]])
        else:
            codes = cluster
            made.labels = pd.Series(codes[inside])
        made.codes = np.ascontiguousarray(codes[inside])
        if dropped:
            left = np.zeros(int(codes.max(initial=0)) + 1, dtype=np.bool_)
            left[codes] = True
            left[made.codes] = False
            if left.any():
                total = len(np.unique(codes))
                made.notes.append(f"{int(left.sum())} of {total} clusters lost all their rows")

    def refuse_few(self, kept: NDArray[np.bool_]) -> None:
        """Refuse a comparison of fewer than two clusters, or of an arm with fewer than two units."""
        clusters = self.clusters(kept)
        if clusters is None:
            return
        if self.trial is not None and self.trial.arm is not None:
            # An arm that the user left out is not compared.
            used = [int(code) for code in np.unique(self.trial._arm)]
            place = np.full(len(self.trial._arms), -1)
            place[used] = np.arange(len(used))
            refuse_too_few(
                [self.trial._arms[code] for code in used],
                place[self.trial._arm[kept]],
                self.trial._unit[kept],
                self.trial._noun,
                self.trial.arm,
            )
        _core.check_clusters(clusters.count)

    def refuse_families(self, kept: NDArray[np.bool_], tests: str, instead: str) -> list[str]:
        """Refuse several rows a cluster, for tests that have no answer to them; `instead` is the call that has one."""
        clusters = self.clusters(kept)
        if clusters is None:
            return []
        self.refuse_few(kept)
        if len(clusters.several):
            within = np.flatnonzero(kept & np.isin(clusters.codes, clusters.several))
            raise fault(
                DesignError,
                f"{len(clusters.several):,} of {clusters.count:,} clusters have several rows, and "
                f"{tests} take rows as independent: rows of one {clusters.one} would count as if each "
                "had been randomised",
                column=clusters.name,
                rows=[int(row) for row in self.rows[within]],
                remedy=f"Keep one row a {clusters.one}, or draw the trial again, whole {clusters.noun} at a time: "
                f"cw.randomisation_test({instead}), assignment being what design.assign or design.observe returned",
            )
        return self._single(clusters)

    def independence(self, kept: NDArray[np.bool_], narrow: str) -> list[str]:
        """Note that rows of one cluster count as independent, and what that makes too narrow."""
        clusters = self.clusters(kept)
        if clusters is None:
            return []
        if not len(clusters.several):
            return self._single(clusters)
        return [
            f"{len(clusters.several):,} of {clusters.count:,} {clusters.noun} have several rows, and "
            f"rows of one {clusters.one} are counted as independent: {narrow}"
        ]

    def _single(self, clusters: Clusters) -> list[str]:
        if self.cluster is None:
            return []
        return [f"each {clusters.name} has one row, so rows count as independent"]


def by_arm(arms: tuple[list[str], Codes], lost: NDArray[np.bool_]) -> str:
    """Count the rows lost in each arm."""
    levels, codes = arms
    return ", ".join(
        f"{level} {int((lost & (codes == i)).sum())}" for i, level in enumerate(levels)
    )


def read(
    data: Any,
    right: str | Sequence[str] = (),
    *,
    design: Any = None,
    cluster: Any = None,
    weights: Any = None,
    missing: str = "drop",
    rules: Sequence[str] = ("drop", "refuse"),
    strata_terms: bool = False,
    layered: bool = False,
    objection: Callable[[Source], Callable[[Any], str] | None] | None = None,
) -> Request:
    """Read the frame of a call and join the trial.

    Parameters
    ----------
    data : data frame
        The data as given.
    right : str or list of str
        The right-hand side of a formula, or the columns that stand there.
    design, cluster, weights, missing : Any
        As the user passed them.
    rules : sequence of str
        The values that `missing` may have here.
    strata_terms, layered, objection : Any
        As :func:`crewe.models.trial.join`.
    """
    if data is None:
        raise fault(InputError, "a formula needs data", remedy="Pass the data frame second")
    check_missing(missing, rules)
    source = source_of(data)
    rows = np.arange(source.n)
    if not isinstance(right, str):
        right = " + ".join(quoted(name) for name in right) or "1"
    if cluster is not None and not isinstance(cluster, str):
        cluster = array_clusters(cluster, source.n, source.index)[0]
    named = unquoted(cluster, source.names) if isinstance(cluster, str) else None
    asked = Request(
        source,
        None,
        cluster,
        missing,
        rows,
        [] if named is None or design is not None else alike_clusters(source.ids(named)[1], named),
        source.synthetic,
        right,
        Weights.of(weights),
    )
    return asked if design is None else _joined(asked, design, strata_terms, layered, objection)


def _joined(
    asked: Request,
    design: Any,
    strata_terms: bool,
    layered: bool,
    objection: Callable[[Source], Callable[[Any], str] | None] | None,
) -> Request:
    """Give the request with the trial: its rows, its arms, its terms."""
    source, rows = asked.source, asked.rows
    if hasattr(design, "need_closed"):
        design.need_closed()
        design = design.assignment()
    place = "crewe row of the data"
    numbered = source
    if getattr(design, "_left_out", 0):
        numbered = Source(source.with_columns({place: rows}))
    inside, notes = without_left_out(design, numbered)
    if numbered is not source:
        rows = inside.column(place).values.astype(np.int64)
    with rows_of_the_data(rows if len(rows) else None):
        trial = join(
            design,
            inside,
            asked.right,
            strata_terms=strata_terms,
            objection=None if objection is None else objection(inside),
            layered=layered,
        )
    return replace(
        asked,
        source=trial.source,
        trial=trial,
        cluster=asked.cluster[rows] if isinstance(asked.cluster, np.ndarray) else asked.cluster,
        rows=rows,
        notes=[*notes, *trial.notes],
        synthetic=asked.synthetic or trial.synthetic,
        right=trial.right,
    )


_RULES = {
    "drop": "'drop', which counts the rows that are left out",
    "refuse": "'refuse'",
    "indicator": "'indicator', which fills covariates in beside a column that says so",
}


def check_missing(missing: str, rules: Sequence[str] = ("drop", "refuse")) -> None:
    """Refuse an unknown rule for missing values."""
    if not isinstance(missing, str) or missing not in rules:
        raise fault(
            InputError,
            f"missing={missing!r} is unknown",
            remedy=f"Use {' or '.join(_RULES[rule] for rule in rules)}",
        )


def need_formula(design: Any = None, cluster: Any = None, by: Any = None) -> None:
    """Refuse what names columns where arrays were passed."""
    for name, value in (("design", design), ("cluster", cluster), ("by", by)):
        if value is not None:
            raise fault(
                InputError,
                f"{name}= names a column, and arrays have none"
                if name != "design"
                else "design= joins a trial by the identifiers in the data, and arrays have none",
                remedy="Pass a formula and a data frame",
            )


def source_of(data: Any) -> Source:
    """Read a data frame, or a mapping of columns."""
    if not isinstance(data, dict):
        return Source(data)
    try:
        made = pd.DataFrame(data)
        return Source(mark(made) if marked(data) else made)
    except ValueError as error:
        raise fault(
            InputError,
            f"the mapping is no table: {error}",
            remedy="Pass a data frame, or a mapping of columns that are equally long",
        ) from error

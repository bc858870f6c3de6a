"""How a comparison without a model reads its call: the frame, the trial, the arms and what is dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _cells, _core
from crewe._frames import Source, refuse_text
from crewe._groups import Results, label_among
from crewe._linear import array_clusters, rows_of_the_data
from crewe._names import quoted, unquoted
from crewe.exceptions import DesignError, InputError, fault

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

# -- names and values -------------------------------------------------------------------------


def key_label(value: Any) -> str:
    """Name the key of a mapping as the data print it."""
    return label_among(value, ())


def refuse_empty(column: pd.Series[Any], name: str) -> None:
    """Refuse a column in which no row has a value."""
    if len(column) and bool(column.isna().all()):
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
    return np.ascontiguousarray(column.to_numpy(dtype=np.float64))


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
        What `cluster=` named.
    missing : {"drop", "refuse"}
        What becomes of rows with missing values.
    rows : array
        The positions of these rows in the data as given.
    notes : list of str
        What a reader must know so far.
    synthetic : bool
        Whether the data or the trial say that they are synthetic.
    """

    source: Source
    trial: Any
    cluster: Any
    missing: str
    rows: NDArray[np.int64]
    notes: list[str]
    synthetic: bool

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
            levels, codes = _cells.levels(column)
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
            name = unquoted(self.cluster)
            return Clusters.of(self.source.ids(name)[0], rows, name, "clusters")
        codes = array_clusters(self.cluster, int(self.rows.max(initial=-1)) + 1)[0][self.rows]
        return Clusters.of(codes, rows, "cluster", "clusters")

    def refuse_few(self, kept: NDArray[np.bool_]) -> None:
        """Refuse a comparison of fewer than two clusters, or of an arm with fewer than two units."""
        clusters = self.clusters(kept)
        if clusters is None:
            return
        if self.trial is not None and self.trial.arm is not None:
            from crewe._trial import refuse_too_few

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

    def refuse_families(self, kept: NDArray[np.bool_]) -> list[str]:
        """Refuse several rows a cluster, for tests that have no answer to them."""
        clusters = self.clusters(kept)
        if clusters is None:
            return []
        self.refuse_few(kept)
        if len(clusters.several):
            within = np.flatnonzero(kept & np.isin(clusters.codes, clusters.several))
            raise fault(
                DesignError,
                f"{len(clusters.several)} of {clusters.count} clusters have several rows, and rank "
                "tests take rows as independent: siblings would count as if each had been randomised",
                column=clusters.name,
                rows=[int(row) for row in self.rows[within]],
                remedy="Keep one row a cluster, or compare the statistic with its values over "
                "design.draws(frame, n), which re-draw whole clusters",
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
            f"rows of one {clusters.name} are counted as independent: {narrow}"
        ]

    def _single(self, clusters: Clusters) -> list[str]:
        if self.cluster is None:
            return []
        return [f"each {clusters.name} has one row, so rows count as independent"]


@dataclass
class Clusters:
    """The clusters of the kept rows: a code a row of the data, how many there are, which have several rows."""

    codes: NDArray[Any]
    count: int
    several: NDArray[np.int64]
    name: str
    noun: str

    @classmethod
    def of(cls, codes: NDArray[Any], rows: NDArray[np.int64], name: str, noun: str) -> Clusters:
        _, dense = np.unique(codes, return_inverse=True)
        counts = np.bincount(dense[rows])
        return cls(dense, int((counts > 0).sum()), np.flatnonzero(counts > 1), name, noun)


def by_arm(arms: tuple[list[str], Codes], lost: NDArray[np.bool_]) -> str:
    levels, codes = arms
    return ", ".join(
        f"{level} {int((lost & (codes == i)).sum())}" for i, level in enumerate(levels)
    )


def read(
    data: Any,
    names: Sequence[str] = (),
    *,
    design: Any = None,
    cluster: Any = None,
    missing: str = "drop",
) -> Request:
    """Read the frame of a call and join the trial; `names` are the columns right of the tilde."""
    if data is None:
        raise fault(InputError, "a formula needs data", remedy="Pass the data frame second")
    check_missing(missing)
    synthetic = bool(getattr(data, "attrs", {}).get("synthetic", False))
    source = Source(pd.DataFrame(data) if isinstance(data, dict) else data)
    rows = np.arange(source.n)
    if design is None:
        return Request(source, None, cluster, missing, rows, [], synthetic)
    from crewe._trial import join, without_left_out

    if hasattr(design, "need_closed"):
        design.need_closed()
        design = design.assignment()
    place = "crewe row of the data"
    numbered = source
    if getattr(design, "_left_out", 0):
        numbered = Source(source.with_columns({place: rows}))
    inside, notes = without_left_out(design, numbered)
    if numbered is not source:
        rows = inside.column(place).to_numpy(dtype=np.int64)
    right = " + ".join(quoted(name) for name in names) or "1"
    with rows_of_the_data(rows if len(rows) else None):
        trial = join(design, inside, right, strata_terms=False)
    return Request(
        trial.source,
        trial,
        cluster,
        missing,
        rows,
        [*notes, *trial.notes],
        synthetic or trial.synthetic,
    )


def check_missing(missing: str) -> None:
    if missing not in ("drop", "refuse"):
        raise fault(
            InputError,
            f"missing={missing!r} is unknown",
            remedy="Use 'drop', which counts the rows that are left out, or 'refuse'",
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


# -- groups -----------------------------------------------------------------------------------


def each(
    by: str, data: Any, cluster: Any, missing: str, answer: Callable[[Any, Any], Any]
) -> Results[Any]:
    """Answer within each value of a column; rows without one are counted in every result."""
    if data is None:
        raise fault(InputError, "a formula needs data", remedy="Pass the data frame second")
    if not isinstance(by, str):
        raise fault(
            InputError, "by= takes the name of one column", remedy="Write by='site', for instance"
        )
    source = Source(pd.DataFrame(data) if isinstance(data, dict) else data)
    by = unquoted(by)
    column = source.column(by)
    refuse_empty(column, by)
    levels, codes = _cells.levels(column)
    whole = Request(source, None, None, missing, np.arange(source.n), [], False)
    kept, _ = whole.kept({by: codes < 0})
    synthetic = bool(getattr(data, "attrs", {}).get("synthetic", False))
    results = {}
    for i, level in enumerate(levels):
        rows = np.flatnonzero(codes == i)
        inside = cluster
        if cluster is not None and not isinstance(cluster, str):
            inside = array_clusters(cluster, source.n)[0][rows]
        with rows_of_the_data(rows):
            one = answer(source.take([int(row) for row in rows])._frame.to_native(), inside)
        if not kept.all():
            one.notes.append(f"{int((~kept).sum())} rows without {by} are in no group")
        one.synthetic = one.synthetic or synthetic
        results[level] = one
    return Results(by, results)

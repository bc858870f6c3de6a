"""Who a trial has enrolled and what is known of them, without their arms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.comparisons.icc import IntraclusterCorrelation, icc
from crewe.design import Assignment
from crewe.exceptions import DesignError, InputError, fault
from crewe.frames.dates import days
from crewe.ledger import Ledger
from crewe.models.request import numeric, read
from crewe.power._blinded import Blinded, Counts, Means, Times

# The day of those who do not come.
NEVER = np.iinfo(np.int64).max


@dataclass
class Came:
    """Who is enrolled: the cluster of each identifier, the clusters, and the day on which each came."""

    units: dict[str, str]
    labels: list[str]
    days: NDArray[np.int64]
    notes: list[str]


def arrivals(enrolled: Ledger | Assignment, arrived: str | None) -> Came:
    """Read who came and when; neither arms nor blocks are looked at."""
    if isinstance(enrolled, Ledger):
        rows = enrolled._inner.frame()
        if arrived is not None:
            raise fault(
                InputError,
                "a ledger knows when its clusters came",
                remedy="Leave arrived= out",
            )
        # Families who split or merged are one cluster, which came with its first.
        first: dict[str, int] = {}
        units: dict[str, str] = {}
        away: set[str] = set()
        for label, unit, left, time in zip(
            rows.family, rows.analysed_as, rows.left, rows.enrolled, strict=True
        ):
            if left is not None:
                away.add(unit)
                continue
            units[label] = units[unit] = unit
            day = dt.date.fromisoformat(time[:10]).toordinal()
            first[unit] = min(day, first.get(unit, day))
        _need_some(first)
        gone = len(away - set(first))
        notes = [f"{gone:,} clusters are not in the comparison and not counted."] if gone else []
        return Came(units, list(first), np.array(list(first.values()), dtype=np.int64), notes)
    if arrived is None:
        raise fault(
            InputError,
            "an assignment does not say when its clusters came",
            remedy="Name the column of dates: arrived='referred'",
        )
    labels = enrolled._labels
    _need_some(labels)
    found = days(enrolled._data(), arrived)
    empty = [row for row, day in enumerate(found) if day is None]
    if empty:
        raise fault(
            InputError,
            "these rows have no day of arrival",
            column=arrived,
            rows=empty,
            remedy="Fill them in",
        )
    first_day = np.full(len(labels), NEVER, dtype=np.int64)
    np.minimum.at(first_day, enrolled._rows, np.array(found, dtype=np.int64))
    own = {label: label for label in labels}
    notes = []
    if enrolled._left_out:
        # Who was left out by the procedure has no arm and never comes.
        randomised = set(enrolled.clusters)
        first_day[[label not in randomised for label in labels]] = NEVER
        notes.append(f"{enrolled._left_out:,} clusters were left out of the randomisation.")
    return Came({**enrolled._aliases, **own}, list(labels), first_day, notes)


def _need_some(found: Iterable[Any]) -> None:
    if not list(found):
        raise fault(InputError, "nobody is enrolled", remedy="Enrol the first cluster")


@dataclass(frozen=True)
class Columns:
    """The columns that an outcome is read from, and what is counted.

    Attributes
    ----------
    kind : str
        The plan's outcome: "binary", "continuous", "count" or "survival".
    outcome : str
        The outcome, the count, or whether the event was seen.
    time : str, or None
        The time that a member was observed.
    exposure : float
        The same for all, where there is no column.
    horizon : float, or None
        The end of follow-up, for times to an event.
    clustered : bool
        Whether the plan has clusters of several members, so that their likeness must be known.
    """

    kind: str
    outcome: str
    time: str | None
    exposure: float
    horizon: float | None
    clustered: bool


def outcomes(
    enrolled: Ledger | Assignment,
    came: Came,
    here: NDArray[np.bool_],
    data: Any,
    columns: Columns,
    level: float,
) -> tuple[Blinded, list[int], list[str]]:
    """Read what outcomes say of both arms together; give the sizes of clusters too."""
    name = enrolled.design.id_column
    asked = read(data, cluster=name)
    values = numeric(asked.source, columns.outcome)
    times = np.full(len(values), columns.exposure)
    if columns.time is not None:
        times = numeric(asked.source, columns.time)
    codes, labels = asked.source.ids(name)
    clusters = {label: at for at, label in enumerate(came.labels)}
    strange = [label for label in labels if label not in came.units]
    if strange:
        rows = np.flatnonzero(np.isin(codes, [labels.index(label) for label in strange]))
        raise fault(
            DesignError,
            f"outcomes of {len(strange):,} clusters that are not enrolled",
            column=name,
            rows=[int(row) for row in rows],
            labels=strange,
            remedy="Leave out their rows, or check the identifiers",
        )
    # A cluster that came after the look has no outcome yet.
    place = np.array([clusters[came.units[label]] for label in labels], dtype=np.int64)[codes]
    inside = here[place]
    sizes = np.bincount(place[inside], minlength=len(came.labels))
    notes = list(asked.notes)
    missing = np.isnan(values) | np.isnan(times)
    known_now = inside & ~missing
    waiting = int((inside & missing).sum())
    if waiting:
        notes.append(f"{waiting:,} of {int(inside.sum()):,} rows have no outcome yet.")
    unseen = int((here & (sizes == 0)).sum())
    if unseen:
        notes.append(f"{unseen:,} enrolled clusters have no rows in the data yet.")

    def alike(seen: NDArray[np.float64]) -> IntraclusterCorrelation:
        if not columns.clustered and len(np.unique(place[known_now])) == len(seen) > 1:
            # Individuals: nobody shares a cluster, and the plan asks for no likeness.
            return IntraclusterCorrelation(
                level,
                synthetic=asked.synthetic,
                outcome=columns.outcome,
                n=len(seen),
                clusters=len(seen),
                mean=float(seen.mean()),
                sd=float(seen.std(ddof=1)),
            )
        found: IntraclusterCorrelation = icc(
            seen, cluster=place[known_now], level=level, synthetic=asked.synthetic
        )
        return found

    blinded = _blinded(columns, values[known_now], times[known_now], alike)
    return blinded, [int(size) for size in sizes[sizes > 0]], notes


def _blinded(
    columns: Columns,
    values: NDArray[np.float64],
    times: NDArray[np.float64],
    alike: Callable[[NDArray[np.float64]], IntraclusterCorrelation],
) -> Blinded:
    """Make what was seen of its kind; `alike` gives the correlation of what members share."""
    if columns.kind == "count":
        counted = _core.power_counts_seen(values, times)
        return Counts(alike(counted.residuals), counted.rate, counted.dispersion, counted.exposure)
    if columns.kind == "survival" and columns.horizon is not None:
        surv = _core.Surv(times, values, columns.time or "time", columns.outcome, None)
        timed = _core.power_times_seen(surv, columns.horizon)
        return Times(alike(timed.scores), timed.share, timed.events, columns.horizon)
    return Means(alike(values))

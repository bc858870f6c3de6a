"""Scores of a risk matrix, and how they change by arm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.source import Source
from crewe.instruments import _plots, _risk_reading
from crewe.instruments._answers import nearest
from crewe.instruments._risk_reading import Assessments
from crewe.tables.display import Table
from crewe.tables.printable import Printable

if TYPE_CHECKING:
    from crewe.instruments.risk import Framework

MEASURES = ("total", "risk", "protective", "engagement")
"""What an assessment is scored on."""

_FLOATS = NDArray[np.float64]


@dataclass(eq=False, repr=False)
class Scores(Printable):
    """The scores of each case at each time.

    Attributes
    ----------
    framework : Framework
        The matrix used.
    frame : data frame
        One row a case and time, of the kind given: ``total``, ``risk``, ``protective``,
        ``engagement``, and ``low``, ``high``, the range of the total if uncertain weights took
        their alternatives.
    missing : dict of str to list of str
        The times that a case lacks, by its id.
    notes : list of str
        What a reader should know.
    synthetic : bool
        Whether the data say that they are synthetic.
    """

    framework: Framework
    frame: Any
    missing: dict[str, list[str]]
    notes: list[str]
    _matrix: _FLOATS
    _case: NDArray[Any]
    _time: NDArray[Any]
    _cases: list[str]
    _ids: list[Any]
    _times: list[str]
    _attributes: dict[str, Any]
    _values: _FLOATS
    _names: tuple[str, str]
    synthetic: bool = False

    def bounds(self) -> Any:
        """Give the range of each total over the uncertain weights: case, time, low, total, high."""
        case, time = self._names
        return Source(self.frame).like(
            {
                case: [self._ids[c] for c in self._case],
                time: [self._times[t] for t in self._time],
                "low": self._values[:, 4],
                "total": self._values[:, 0],
                "high": self._values[:, 5],
            }
        )

    def tidy(self) -> Any:
        """Give the mean of each measure at each time: ``time, term, n, estimate, sd``."""
        rows = self._means()
        names = ("time", "term", "n", "estimate", "sd")
        return Source(self.frame).like({n: [r[j] for r in rows] for j, n in enumerate(names)})

    def prevalence(self, time: Any = None, codes: Sequence[str] | None = None) -> Any:
        """Count the cases in which each factor is present at one time, the first unless named.

        Returns
        -------
        data frame
            ``code, label, kind, count, n, share``: what a comparison with national figures takes.
        """
        t = 0 if time is None else self._at(time)
        chosen = [self.framework.factor(code) for code in codes] if codes is not None else [
            factor for factor in self.framework.factors if factor.kind != "engagement"
        ]  # fmt: skip
        for factor in chosen:
            if factor.kind == "engagement":
                raise fault(
                    InputError,
                    "engagement is a scale and has no prevalence",
                    values=[factor.code],
                    remedy="Name risk or protective factors",
                )
        seen = self._matrix[self._time == t]
        counts = [int(seen[:, self.framework.codes.index(f.code)].sum()) for f in chosen]
        return Source(self.frame).like(
            {
                "code": [f.code for f in chosen],
                "label": [f.label for f in chosen],
                "kind": [f.kind for f in chosen],
                "count": counts,
                "n": [len(seen)] * len(chosen),
                "share": [count / len(seen) for count in counts],
            }
        )

    def change(self, by: str = "arm", times: tuple[Any, Any] | None = None) -> Change:
        """Compare the change between two times, the first and the last unless named, by arm.

        Parameters
        ----------
        by : str
            The column of the arm in the frame that was scored: one value a case. A category's first
            level is the reference, otherwise the first in sorted order.
        times : pair, optional
            The time before and the time after.

        Raises
        ------
        InputError
            Where a case changes arm or has none, there is one time only, or an arm has no case with
            both times.
        """
        if len(self._times) < 2:
            raise fault(
                InputError,
                "a change needs two times, the data have one",
                column=self._names[1],
                remedy="Pass the assessments at referral and later",
            )
        t0, t1 = (0, len(self._times) - 1) if times is None else map(self._at, times)
        arms, labels = self._arms(by)
        first = {int(c): i for i, c in enumerate(self._case) if self._time[i] == t0}
        last = {int(c): i for i, c in enumerate(self._case) if self._time[i] == t1}
        both = [c for c in range(len(self._cases)) if c in first and c in last]
        before = np.array([first[c] for c in both], dtype=int)
        after = np.array([last[c] for c in both], dtype=int)
        arm = np.array([arms[c] for c in both], dtype=np.uint32)
        results = {
            name: _core.risk_change(
                np.ascontiguousarray(self._values[before, j]),
                np.ascontiguousarray(self._values[after, j]),
                arm,
                len(labels),
            )
            for j, name in enumerate(MEASURES)
        }
        points = np.nan_to_num(self._matrix[after]) - np.nan_to_num(self._matrix[before])
        ranges = _core.risk_bounds(
            np.ascontiguousarray(points), self.framework._factors(), arm, len(labels)
        )
        columns: dict[str, Any] = {
            self._names[0]: [self._ids[c] for c in both],
            by: [labels[a] for a in arm],
        }
        for j, name in enumerate(MEASURES):
            columns[f"{name}_before"] = self._values[before, j]
            columns[f"{name}_after"] = self._values[after, j]
            columns[f"{name}_change"] = results[name].change
        left_out = len(self._cases) - len(both)
        notes = (
            list(self.notes[:1]) if any(f.weight_uncertain for f in self.framework.factors) else []
        )
        if left_out:
            notes.append(f"{left_out} of {len(self._cases)} cases lack one of the two times.")
        notes.append(
            "Standard errors are Welch's, for large samples; with few cases take the p-value from "
            "the exact permutation test on the changes."
        )
        return Change(
            frame=Source(self.frame).like(columns),
            notes=notes,
            _results=results,
            _ranges=ranges,
            _arms=labels,
            _times=(self._times[t0], self._times[t1]),
            _by=by,
            synthetic=self.synthetic,
        )

    def plot(
        self,
        by: str | None = "arm",
        measure: Literal["total", "risk", "protective", "engagement"] = "total",
        ax: Any = None,
        *,
        at: Any = None,
        arm: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Any:
        """Draw box plots of a measure at each time by arm, whiskers at 1.5 interquartile ranges.

        Parameters
        ----------
        by : str, optional
            The column of the arm.
        measure : {"total", "risk", "protective", "engagement"}
            What to draw.
        ax : matplotlib Axes, optional
            Where to draw; a figure of its own otherwise.
        at : optional
            One of the times, to draw it alone; the scale stays that of all times.
        arm : str, optional
            One of the arms, to draw it alone, likewise.
        labels : mapping, optional
            What to print in place of arms and times.

        Returns
        -------
        matplotlib.axes.Axes
        """
        j = _measure(measure)
        arms, groups = (np.zeros(len(self._cases), int), ["all"]) if by is None else self._arms(by)
        row_arm = np.array([arms[c] for c in self._case])
        values = [
            [self._values[(row_arm == g) & (self._time == t), j] for t in range(len(self._times))]
            for g in range(len(groups))
        ]
        only = None if at is None else self._at(at)
        if arm is not None and arm not in groups:
            raise fault(
                InputError,
                f"there is no arm '{arm}'",
                column=by,
                values=groups,
                remedy="Name one of these",
            )
        alone = None if arm is None else groups.index(arm)
        words = f"{measure.capitalize()} score (higher is better)"
        return _plots.boxes(
            self._times, groups, values, words, ax, labels or {}, only, alone, self.synthetic
        )

    def _arms(self, by: str) -> tuple[NDArray[Any], list[str]]:
        if by not in self._attributes:
            raise fault(
                InputError,
                f"the frame that was scored had no column '{by}'",
                column=by,
                remedy=nearest(by, list(self._attributes))
                if self._attributes
                else "Add the arm to the frame before scoring",
            )
        found = self._attributes[by]
        if found["problem"]:
            raise fault(
                InputError,
                found["problem"],
                column=by,
                rows=found["rows"],
                remedy="Give every row of a case the same value",
            )
        return found["codes"], found["labels"]

    def _at(self, time: Any) -> int:
        text = _risk_reading.label(time)
        if text not in self._times:
            raise fault(
                InputError,
                f"there is no time '{text}'",
                values=[text],
                remedy=nearest(text, self._times),
            )
        return self._times.index(text)

    def _means(self) -> list[list[Any]]:
        rows = []
        codes = np.ascontiguousarray(self._time, dtype=np.uint32)
        for j, name in enumerate(MEASURES):
            found = _core.summarise_scores(
                np.ascontiguousarray(self._values[:, j]), codes, len(self._times)
            )
            rows += [
                [time, name, s.n, s.mean, s.sd] for time, s in zip(self._times, found, strict=True)
            ]
        return rows

    def _table(self) -> Table:
        return Table(
            ["time", "measure", "cases", "mean", "SD"],
            self._means(),
            title=f"{self.framework.title}: {len(self._cases)} cases",
            notes=self.notes,
            digits=2,
        )

    def _panels(self) -> list[Table]:
        return [self._table()]


@dataclass(eq=False, repr=False)
class Change(Printable):
    """How scores changed, by arm.

    Attributes
    ----------
    frame : data frame
        One row a case with both times: the arm and, for each measure, ``_before``, ``_after``,
        ``_change``: what a permutation test of the changes takes.
    notes : list of str
        What a reader should know.
    synthetic : bool
        Whether the data say that they are synthetic.
    """

    frame: Any
    notes: list[str]
    _results: dict[str, _core.RiskChange]
    _ranges: list[tuple[float, float]]
    _arms: list[str]
    _times: tuple[str, str]
    _by: str
    synthetic: bool = False

    @property
    def did(self) -> dict[str, float]:
        """The difference in differences of each measure, the second arm against the first."""
        return {name: self._results[name].differences.estimate[0] for name in MEASURES}

    @property
    def means(self) -> Any:
        """The means by measure, time and arm: ``measure, time, arm, n, mean, sd``."""
        rows = [
            [name, time, arm, n, mean, sd]
            for name, found in self._results.items()
            for time, means in zip(self._times, (found.before, found.after), strict=True)
            for arm, n, mean, sd in zip(self._arms, means.n, means.mean, means.sd, strict=True)
        ]
        names = ("measure", "time", self._by, "n", "mean", "sd")
        return Source(self.frame).like({n: [r[j] for r in rows] for j, n in enumerate(names)})

    def tidy(self) -> Any:
        """Give the differences in differences: ``term, arm, estimate, std_error, df``.

        There is no p-value: with a handful of cases it belongs to the exact permutation test on
        ``frame``'s changes.
        """
        rows = [
            [name, self._arms[arm], estimate, std_error, df]
            for name, found in self._results.items()
            for arm, estimate, std_error, df in _differences(found)
        ]
        names = ("term", "arm", "estimate", "std_error", "df")
        return Source(self.frame).like({n: [r[j] for r in rows] for j, n in enumerate(names)})

    def bounds(self) -> Any:
        """Give the exact range of the totals' difference in differences over the uncertain weights.

        Returns
        -------
        data frame
            ``arm, low, estimate, high``.
        """
        estimates = self._results["total"].differences.estimate
        return Source(self.frame).like(
            {
                "arm": self._arms[1:],
                "low": [low for low, _ in self._ranges],
                "estimate": estimates,
                "high": [high for _, high in self._ranges],
            }
        )

    def plot(
        self,
        measure: Literal["total", "risk", "protective", "engagement"] = "total",
        ax: Any = None,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> Any:
        """Draw the means of a measure at both times, a line an arm.

        Parameters
        ----------
        measure : {"total", "risk", "protective", "engagement"}
            What to draw.
        ax : matplotlib Axes, optional
            Where to draw; a figure of its own otherwise.
        labels : mapping, optional
            What to print in place of arms and times.

        Returns
        -------
        matplotlib.axes.Axes
        """
        _measure(measure)
        found = self._results[measure]
        means = [
            [before, after]
            for before, after in zip(found.before.mean, found.after.mean, strict=True)
        ]
        sizes = found.before.n
        words = f"Mean {measure} score (higher is better)"
        return _plots.lines(
            self._times, self._arms, means, sizes, words, ax, labels or {}, self.synthetic
        )

    def _table(self) -> Table:
        rows = [
            [
                name,
                self._arms[arm],
                found.by_arm.mean[0],
                found.by_arm.mean[arm],
                estimate,
                std_error,
            ]
            for name, found in self._results.items()
            for arm, estimate, std_error, _ in _differences(found)
        ]
        # A heading that named the column of arms would be taken for it.
        other = self._arms[1] if len(self._arms) == 2 else "compared"
        return Table(
            ["measure", "arm", f"change, {self._arms[0]}", f"change, {other}", "difference", "SE"],
            rows,
            title=f"Change from {self._times[0]} to {self._times[1]} by {self._by}",
            notes=[
                *self.notes,
                *(
                    f"Over the uncertain weights the difference of totals ({arm}) lies between "
                    f"{low:.2f} and {high:.2f}."
                    for arm, (low, high) in zip(self._arms[1:], self._ranges, strict=True)
                    if low != high
                ),
            ],
            digits=2,
        )

    def _panels(self) -> list[Table]:
        return [self._table()]


def build(framework: Framework, source: Source, read: Assessments) -> Scores:
    """Score what was read, cases in their order and times in theirs."""
    case_labels, time_labels = read.cases, read.times
    case, time = read.names
    order = np.lexsort((read.time, read.case))
    matrix = np.ascontiguousarray(read.matrix[order])
    row_case, row_time = read.case[order].astype(int), read.time[order].astype(int)
    out = _core.risk_score(matrix, framework._factors())
    scores = {
        "total": out.total,
        "risk": out.risk,
        "protective": out.protective,
        "engagement": out.engagement,
        "low": out.low,
        "high": out.high,
    }
    seen: dict[str, set[int]] = {label: set() for label in case_labels}
    for c, t in zip(row_case, row_time, strict=True):
        seen[case_labels[c]].add(int(t))
    missing = {
        label: [name for t, name in enumerate(time_labels) if t not in times]
        for label, times in seen.items()
        if len(times) < len(time_labels)
    }
    columns: dict[str, Any] = {
        case: [read.ids[c] for c in row_case],
        time: [time_labels[t] for t in row_time],
    }
    columns.update(scores)
    notes = []
    uncertain = sum(factor.weight_uncertain for factor in framework.factors)
    if uncertain:
        notes.append(
            f"{uncertain} weights are uncertain (the report's bold print is lost): low and high "
            "bound the totals over every choice between them and their alternatives."
        )
    unrecorded = int(out.unrecorded.sum())
    if unrecorded:
        notes.append(f"{unrecorded} values of engagement are not recorded and add nothing.")
    if missing:
        notes.append(
            f"{len(missing)} of {len(case_labels)} cases lack a time and are left out of changes: "
            f"{', '.join(list(missing)[:5])}{', …' if len(missing) > 5 else ''}."
        )
    return Scores(
        framework=framework,
        frame=source.like(columns),
        missing=missing,
        notes=notes,
        _matrix=matrix,
        _case=row_case,
        _time=row_time,
        _cases=case_labels,
        _ids=read.ids,
        _times=time_labels,
        _attributes=_risk_reading.attributes(source, read.row_case, len(case_labels), read.used),
        _values=np.column_stack(list(scores.values())),
        _names=(case, time),
        synthetic=source.synthetic,
    )


def _differences(found: _core.RiskChange) -> Iterator[tuple[int, float, float, float]]:
    """Give the arm of each difference, the difference, its standard error and degrees of freedom."""
    kept = found.differences
    return zip(kept.arm, kept.estimate, kept.std_error, kept.df, strict=True)


def _measure(measure: str) -> int:
    if measure not in MEASURES:
        raise fault(
            InputError,
            f"there is no measure '{measure}'",
            values=[measure],
            remedy=nearest(measure, MEASURES),
        )
    return MEASURES.index(measure)

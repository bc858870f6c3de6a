"""A risk matrix whose weights are data: totals at each time, change by arm, prevalence.

Notes
-----
A present risk factor adds its weight (negative), a present protective factor its own (positive), and
engagement its value. The total is risk, protection and engagement together; less is worse.

The weights of the Project Crewe report are -2 and 2 where it prints bold, which is lost in the copy at
hand: all of them are 1 in size here and marked uncertain. Give others with
:meth:`Framework.with_weights`; ``low`` and ``high`` bound the totals over every choice of 1 or 2, and
:meth:`Change.bounds` the difference in differences.

Heal, J., Nolan, M. and Sanders, M. (2017), Project Crewe: research report, Department for
Education, DFE-RR580, Appendix 3.
"""

from __future__ import annotations

import importlib.resources
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe._display import Table
from crewe._frames import Source
from crewe.exceptions import InputError, fault
from crewe.instruments import _columns, _plots

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MEASURES = ("total", "risk", "protective", "engagement")
"""What an assessment is scored on."""

_KINDS = ("risk", "protective", "engagement")
_GROUPS = ("parent", "child", "family", "social")
_FLOATS = NDArray[np.float64]


@dataclass(frozen=True)
class Factor:
    """One line of the matrix.

    Attributes
    ----------
    code : str
        The name used in data.
    kind : {"risk", "protective", "engagement"}
        What it counts towards.
    label : str
        Its name for readers.
    group : str
        Whom it describes.
    weight : float
        Its weight: 0 or less for risk, 0 or more for protection; 1 for engagement.
    weight_uncertain : bool
        Whether the weight may be ``alternative`` instead.
    alternative : float
        The other weight; twice the weight unless the file says otherwise.
    applies : str
        To whom it applies; for the reader, not enforced.
    """

    code: str
    kind: str
    label: str
    group: str = ""
    weight: float = 1.0
    weight_uncertain: bool = False
    alternative: float = 1.0
    applies: str = ""


@dataclass(frozen=True)
class Framework:
    """A risk matrix.

    Attributes
    ----------
    title, source : str
        What it is and where it was published.
    factors : tuple of Factor
        The lines.
    scale : dict of str to float
        The labels of engagement and their values.
    """

    title: str
    source: str
    factors: tuple[Factor, ...]
    scale: Mapping[str, float]

    @classmethod
    def project_crewe(cls) -> Framework:
        """Give the matrix of the Project Crewe report, every weight 1 in size and uncertain.

        Examples
        --------
        >>> import crewe as cw
        >>> framework = cw.risk.Framework.project_crewe()
        >>> len(framework.factors), framework.factor("parent_mental_health").weight
        (31, -1.0)
        """
        data = importlib.resources.files("crewe") / "data" / "risk_framework.toml"
        return cls._parse(data.read_text(encoding="utf-8"), "risk_framework.toml")

    @classmethod
    def from_toml(cls, path: str | Path) -> Framework:
        """Read a matrix from a TOML file.

        Parameters
        ----------
        path : str or Path
            A file with ``title``, ``source``, one ``[[scale]]`` (value, label, aliases) for each level of
            engagement and one ``[[factor]]`` for each line: code, kind, label, group, weight,
            weight_uncertain, alternative, applies.

        Raises
        ------
        InputError
            Where the file is not TOML or a line is wrong.
        """
        return cls._parse(Path(path).read_text(encoding="utf-8"), str(path))

    @classmethod
    def _parse(cls, text: str, name: str) -> Framework:
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise fault(
                InputError,
                f"{name} is not a TOML file ({error})",
                remedy="Start from the matrix that comes with crewe",
            ) from error
        scale: dict[str, float] = {}
        for level in data.get("scale", []):
            for label in (level["label"], *level.get("aliases", [])):
                scale[str(label)] = float(level["value"])
        factors = tuple(_factor(line, i) for i, line in enumerate(data.get("factor", [])))
        codes = [factor.code for factor in factors]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice or not factors:
            raise fault(
                InputError,
                "codes occur more than once" if twice else f"{name} has no [[factor]]",
                values=twice,
                remedy="Give each factor one line",
            )
        if any(factor.kind == "engagement" for factor in factors) and not scale:
            raise fault(
                InputError, f"{name} has engagement but no [[scale]]", remedy="Add its levels"
            )
        return cls(str(data.get("title", name)), str(data.get("source", "")), factors, scale)

    def factor(self, code: str) -> Factor:
        """Give the line of a code; an unknown one is refused with the nearest."""
        for factor in self.factors:
            if factor.code == code:
                return factor
        raise fault(
            InputError,
            f"there is no factor '{code}'",
            values=[code],
            remedy=_columns.nearest(code, self.codes),
        )

    @property
    def codes(self) -> list[str]:
        """The codes, in order."""
        return [factor.code for factor in self.factors]

    def with_weights(self, weights: Mapping[str, float]) -> Framework:
        """Give the same matrix with these weights, which then count as certain.

        Raises
        ------
        InputError
            Where a code is unknown, or a weight has the sign of the other kind.

        Examples
        --------
        >>> import crewe as cw
        >>> framework = cw.risk.Framework.project_crewe()
        >>> framework.with_weights({"family_stress": -2}).factor("family_stress").weight
        -2.0
        """
        new = {}
        for code, weight in weights.items():
            factor = self.factor(code)
            if factor.kind == "engagement":
                raise fault(
                    InputError,
                    "engagement is scored by its own values and has no weight",
                    values=[code],
                    remedy="Change the values of the scale in the TOML file",
                )
            value = _weight(weight, factor.kind, code)
            new[code] = replace(factor, weight=value, alternative=value, weight_uncertain=False)
        return replace(self, factors=tuple(new.get(f.code, f) for f in self.factors))

    def score(
        self,
        frame: Any,
        case: str = "case_id",
        time: str = "time",
        code: str | None = None,
        value: str | None = None,
        *,
        times: Sequence[Any] | None = None,
        missing: str = "refuse",
    ) -> Scores:
        """Score the assessments of cases at two or more times.

        Parameters
        ----------
        frame : data frame
            Long, one row a case, time and factor seen; or wide, one row a case and time with a column for each code.
        case, time : str
            The columns of the case and of the time.
        code : str, optional
            The column of the codes, which makes the frame long: a factor without a row is absent.
        value : str, optional
            In a long frame the column of the values: 1 or 0, present or absent, yes or no, and for engagement 2, 1,
            -1, -2 or their labels. Without it every row means present.
        times : sequence, optional
            The times in order. Needed for times in words, unless they are an ordered category; numbers
            and dates are sorted.
        missing : {"refuse", "absent"}
            What an empty cell or a missing column of a wide frame means for risk and protective
            factors. Engagement that is not recorded always adds nothing, with a note.

        Returns
        -------
        Scores

        Raises
        ------
        InputError
            Where a code is unknown (the nearest are named), a value is off its scale, or a case has two
            rows for the same thing.

        Examples
        --------
        >>> import pandas as pd
        >>> import crewe as cw
        >>> seen = pd.DataFrame({
        ...     "case_id": [1, 1, 1], "time": [0, 0, 1],
        ...     "code": ["family_stress", "engagement_parent", "parent_empathy"],
        ...     "value": ["present", "compliant", "present"],
        ... })
        >>> scores = cw.risk.Framework.project_crewe().score(seen, code="code", value="value")
        >>> scores.frame["total"].tolist()
        [0.0, 1.0]
        """
        if missing not in ("refuse", "absent"):
            raise fault(
                InputError, f"'{missing}' is no rule for missing values", remedy="Use 'refuse' or 'absent'"
            )
        source = Source(frame)
        ids, case_labels = source.ids(case)
        time_codes, time_labels = _times(source, time, times)
        if code is None:
            return self._wide(source, ids, case_labels, time_codes, time_labels, case, time, missing)
        return self._long(source, ids, case_labels, time_codes, time_labels, case, time, code, value)

    def _long(
        self,
        source: Source,
        ids: NDArray[np.uint32],
        case_labels: list[str],
        time_codes: NDArray[np.int64],
        time_labels: list[str],
        case: str,
        time: str,
        code: str,
        value: str | None,
    ) -> Scores:
        names = _columns.raw(source, code)
        place = {known: j for j, known in enumerate(self.codes)}
        unknown = [i for i, name in enumerate(names) if name is not None and name not in place]
        blank = [i for i, name in enumerate(names) if name is None]
        if unknown or blank:
            bad = unknown or blank
            raise fault(
                InputError,
                "these codes are not in the framework" if unknown else "codes are missing",
                column=code,
                rows=bad,
                values=[str(names[i]) for i in unknown],
                remedy=_columns.nearest(names[unknown[0]], self.codes)
                if unknown
                else "Fill them in or drop these rows",
            )
        columns = np.array([place[name] for name in names], dtype=int)
        cells = [1] * source.n if value is None else _columns.raw(source, value)
        if value is not None and any(cell is None for cell in cells):
            raise fault(
                InputError,
                "values are missing",
                column=value,
                rows=[i for i, cell in enumerate(cells) if cell is None],
                remedy="Say present or absent, or drop these rows",
            )
        numbers = np.empty(source.n)
        for j, factor in enumerate(self.factors):
            own = np.flatnonzero(columns == j)
            if value is None and factor.kind == "engagement" and len(own):
                raise fault(
                    InputError,
                    "engagement needs a value, but no column of values is named",
                    column=code,
                    rows=[int(i) for i in own],
                    remedy="Pass value='…'",
                )
            numbers[own] = self._read(factor, [cells[i] for i in own], value or code, own)
        keys = pd.DataFrame({"case": ids, "time": time_codes, "code": columns})
        twice = np.flatnonzero(keys.duplicated(keep=False).to_numpy())
        if len(twice):
            raise fault(
                InputError,
                "a case has the same factor twice at one time",
                column=code,
                rows=[int(i) for i in twice],
                values=list(dict.fromkeys(names[i] for i in twice)),
                remedy="Keep one row a case, time and factor",
            )
        pairs = keys[["case", "time"]].drop_duplicates().reset_index(drop=True)
        row_of = {(c, t): i for i, (c, t) in enumerate(pairs.itertuples(index=False))}
        engagement = np.array([factor.kind == "engagement" for factor in self.factors])
        matrix = np.where(engagement, np.nan, 0.0) * np.ones((len(pairs), 1))
        rows = [row_of[pair] for pair in zip(ids, time_codes, strict=True)]
        matrix[rows, columns] = numbers
        return self._scores(
            source, matrix, pairs["case"].to_numpy(), pairs["time"].to_numpy(), ids, case_labels,
            time_labels, case, time, {case, time, code, value},
        )  # fmt: skip

    def _wide(
        self,
        source: Source,
        ids: NDArray[np.uint32],
        case_labels: list[str],
        time_codes: NDArray[np.int64],
        time_labels: list[str],
        case: str,
        time: str,
        missing: str,
    ) -> Scores:
        present = [code for code in self.codes if code in source.names]
        others = [name for name in source.names if name not in present and name not in (case, time)]
        for name in others:
            near = _columns.difflib.get_close_matches(name, self.codes, n=1, cutoff=0.85)
            if near and near[0] not in present:
                raise fault(
                    InputError,
                    f"'{name}' is not in the framework",
                    column=name,
                    values=[name],
                    remedy=_columns.nearest(name, self.codes),
                )
        gone = [f.code for f in self.factors if f.kind != "engagement" and f.code not in present]
        if not present or (gone and missing == "refuse"):
            raise fault(
                InputError,
                "the frame lacks columns of the framework" if present else "the frame has no code as a column",
                values=gone,
                remedy="Add them, or pass missing='absent' if a factor without a column was never seen"
                if present
                else "For one row a factor, name the column of the codes: code='…'",
            )
        twice = np.flatnonzero(
            pd.DataFrame({"case": ids, "time": time_codes}).duplicated(keep=False).to_numpy()
        )
        if len(twice):
            raise fault(
                InputError,
                "a case has several rows at one time",
                column=case,
                rows=[int(i) for i in twice],
                remedy="Keep one row a case and time; for one row a factor, pass code='…'",
            )
        matrix = np.empty((source.n, len(self.factors)))
        everyone = np.arange(source.n)
        for j, factor in enumerate(self.factors):
            empty = np.nan if factor.kind == "engagement" else 0.0
            if factor.code not in present:
                matrix[:, j] = empty
                continue
            column = self._read(factor, _columns.raw(source, factor.code), factor.code, everyone)
            blank = np.flatnonzero(np.isnan(column))
            if len(blank) and factor.kind != "engagement":
                if missing == "refuse":
                    raise fault(
                        InputError,
                        "values are missing",
                        column=factor.code,
                        rows=[int(i) for i in blank],
                        remedy="Say present or absent, or pass missing='absent'",
                    )
                column[blank] = 0.0
            matrix[:, j] = column
        return self._scores(
            source, matrix, ids, time_codes, ids, case_labels, time_labels, case, time,
            {case, time, *present},
        )  # fmt: skip

    def _read(
        self, factor: Factor, cells: Sequence[Any], column: str, rows: NDArray[Any]
    ) -> _FLOATS:
        positions = [int(row) for row in rows]
        if factor.kind == "engagement":
            allowed = sorted(set(self.scale.values()), reverse=True)
            return _columns.answers(
                cells, column, self.scale, allowed=allowed, rows=positions, what="values of engagement"
            )
        return _columns.answers(
            cells, column, _columns.YES, allowed=(0, 1), rows=positions, what=f"values of {factor.code}"
        )

    def _scores(
        self,
        source: Source,
        matrix: _FLOATS,
        row_case: NDArray[Any],
        row_time: NDArray[Any],
        ids: NDArray[np.uint32],
        case_labels: list[str],
        time_labels: list[str],
        case: str,
        time: str,
        used: Collection[str | None],
    ) -> Scores:
        order = np.lexsort((row_time, row_case))
        matrix = np.ascontiguousarray(matrix[order])
        row_case, row_time = row_case[order].astype(int), row_time[order].astype(int)
        out = _core.risk_score(matrix, *self._arrays())
        seen: dict[str, set[int]] = {label: set() for label in case_labels}
        for c, t in zip(row_case, row_time, strict=True):
            seen[case_labels[c]].add(int(t))
        missing = {
            label: [name for t, name in enumerate(time_labels) if t not in times]
            for label, times in seen.items()
            if len(times) < len(time_labels)
        }
        columns: dict[str, Any] = {
            case: [case_labels[c] for c in row_case],
            time: [time_labels[t] for t in row_time],
        }
        columns.update({name: out[name] for name in (*MEASURES, "low", "high")})
        notes = []
        uncertain = sum(factor.weight_uncertain for factor in self.factors)
        if uncertain:
            notes.append(
                f"{uncertain} weights are uncertain (the report's bold print is lost): low and high "
                "bound the totals over every choice between them and their alternatives."
            )
        unrecorded = int(sum(out["unrecorded"]))
        if unrecorded:
            notes.append(f"{unrecorded} values of engagement are not recorded and add nothing.")
        if missing:
            notes.append(
                f"{len(missing)} of {len(case_labels)} cases lack a time and are left out of changes: "
                f"{', '.join(list(missing)[:5])}{', …' if len(missing) > 5 else ''}."
            )
        return Scores(
            framework=self,
            frame=source.like(columns),
            missing=missing,
            notes=notes,
            _matrix=matrix,
            _case=row_case,
            _time=row_time,
            _cases=case_labels,
            _times=time_labels,
            _attributes=_attributes(source, ids, len(case_labels), used),
            _values=np.column_stack([out[name] for name in (*MEASURES, "low", "high")]),
            _names=(case, time),
        )

    def _arrays(self) -> tuple[list[str], _FLOATS, _FLOATS]:
        return (
            [factor.kind for factor in self.factors],
            np.array([factor.weight for factor in self.factors]),
            np.array(
                [f.alternative if f.weight_uncertain else f.weight for f in self.factors]
            ),
        )

    def _table(self) -> Table:
        uncertain = any(factor.weight_uncertain for factor in self.factors)
        return Table(
            ["code", "kind", "weight", "applies to"],
            [
                [
                    f.code,
                    f.kind,
                    "scale" if f.kind == "engagement" else f"{f.weight:+g}{' ?' * f.weight_uncertain}",
                    f.applies,
                ]
                for f in self.factors
            ],
            title=self.title,
            notes=[self.source, *(["? uncertain: may be the alternative."] if uncertain else [])],
        )

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


@dataclass(eq=False, repr=False)
class Scores:
    """The scores of each case at each time.

    Attributes
    ----------
    framework : Framework
        The matrix used.
    frame : data frame
        One row a case and time, of the kind given: ``total``, ``risk``, ``protective``, ``engagement``, and
        ``low``, ``high``, the range of the total if uncertain weights took their alternatives.
    missing : dict of str to list of str
        The times that a case lacks, by its id.
    notes : list of str
        What a reader should know.
    """

    framework: Framework
    frame: Any
    missing: dict[str, list[str]]
    notes: list[str]
    _matrix: _FLOATS
    _case: NDArray[Any]
    _time: NDArray[Any]
    _cases: list[str]
    _times: list[str]
    _attributes: dict[str, Any]
    _values: _FLOATS
    _names: tuple[str, str]

    def bounds(self) -> Any:
        """Give the range of each total over the uncertain weights: case, time, low, total, high."""
        case, time = self._names
        return Source(self.frame).like(
            {
                case: [self._cases[c] for c in self._case],
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
            The column of the arm in the frame that was scored: one value a case. A category's first level is the
            reference, otherwise the first in sorted order.
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
            np.ascontiguousarray(points), *self.framework._arrays(), arm, len(labels)
        )
        columns: dict[str, Any] = {
            self._names[0]: [self._cases[c] for c in both],
            by: [labels[a] for a in arm],
        }
        for j, name in enumerate(MEASURES):
            columns[f"{name}_before"] = self._values[before, j]
            columns[f"{name}_after"] = self._values[after, j]
            columns[f"{name}_change"] = results[name]["change"]
        left_out = len(self._cases) - len(both)
        notes = list(self.notes[:1]) if any(f.weight_uncertain for f in self.framework.factors) else []
        if left_out:
            notes.append(f"{left_out} of {len(self._cases)} cases lack one of the two times.")
        notes.append(
            "Standard errors are Welch's, for large samples; with few cases take the p-value from the exact "
            "permutation test on the changes."
        )
        return Change(
            frame=Source(self.frame).like(columns),
            notes=notes,
            _results=results,
            _ranges=ranges,
            _arms=labels,
            _times=(self._times[t0], self._times[t1]),
            _by=by,
        )

    def plot(self, by: str | None = "arm", measure: str = "total", ax: Any = None) -> Any:
        """Draw box plots of a measure at each time by arm, whiskers at 1.5 interquartile ranges.

        Returns
        -------
        matplotlib.axes.Axes
        """
        j = _measure(measure)
        arms, labels = (np.zeros(len(self._cases), int), ["all"]) if by is None else self._arms(by)
        row_arm = np.array([arms[c] for c in self._case])
        values = [
            [self._values[(row_arm == g) & (self._time == t), j] for t in range(len(self._times))]
            for g in range(len(labels))
        ]
        return _plots.boxes(self._times, labels, values, f"{measure} score", ax)

    def _arms(self, by: str) -> tuple[NDArray[Any], list[str]]:
        if by not in self._attributes:
            raise fault(
                InputError,
                f"the frame that was scored had no column '{by}'",
                column=by,
                remedy=_columns.nearest(by, list(self._attributes))
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
        text = str(time)
        if text not in self._times:
            raise fault(
                InputError,
                f"there is no time '{text}'",
                values=[text],
                remedy=_columns.nearest(text, self._times),
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
                [time, name, s["n"], s["mean"], s["sd"]]
                for time, s in zip(self._times, found, strict=True)
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

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


@dataclass(eq=False, repr=False)
class Change:
    """How scores changed, by arm.

    Attributes
    ----------
    frame : data frame
        One row a case with both times: the arm and, for each measure, ``_before``, ``_after``, ``_change``: what a
        permutation test of the changes takes.
    notes : list of str
        What a reader should know.
    """

    frame: Any
    notes: list[str]
    _results: dict[str, Any]
    _ranges: list[tuple[float, float]]
    _arms: list[str]
    _times: tuple[str, str]
    _by: str

    @property
    def did(self) -> dict[str, float]:
        """The difference in differences of each measure, the second arm against the first."""
        return {name: self._results[name]["differences"][0]["estimate"] for name in MEASURES}

    @property
    def means(self) -> Any:
        """The means by measure, time and arm: ``measure, time, arm, n, mean, sd``."""
        rows = [
            [name, time, arm, m["n"], m["mean"], m["sd"]]
            for name in MEASURES
            for time, key in zip(self._times, ("before", "after"), strict=True)
            for arm, m in zip(self._arms, self._results[name][key], strict=True)
        ]
        names = ("measure", "time", self._by, "n", "mean", "sd")
        return Source(self.frame).like({n: [r[j] for r in rows] for j, n in enumerate(names)})

    def tidy(self) -> Any:
        """Give the differences in differences: ``term, arm, estimate, std_error, df``.

        There is no p-value: with a handful of cases it belongs to the exact permutation test on
        ``frame``'s changes.
        """
        rows = [
            [name, self._arms[d["arm"]], d["estimate"], d["std_error"], d["df"]]
            for name in MEASURES
            for d in self._results[name]["differences"]
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
        estimates = [d["estimate"] for d in self._results["total"]["differences"]]
        return Source(self.frame).like(
            {
                "arm": self._arms[1:],
                "low": [low for low, _ in self._ranges],
                "estimate": estimates,
                "high": [high for _, high in self._ranges],
            }
        )

    def plot(self, measure: str = "total", ax: Any = None) -> Any:
        """Draw the means of a measure at both times, a line an arm.

        Returns
        -------
        matplotlib.axes.Axes
        """
        _measure(measure)
        found = self._results[measure]
        means = [
            [found["before"][g]["mean"], found["after"][g]["mean"]] for g in range(len(self._arms))
        ]
        return _plots.lines(self._times, self._arms, means, f"mean {measure} score", ax)

    def _table(self) -> Table:
        rows = [
            [
                name,
                self._arms[d["arm"]],
                self._results[name]["by_arm"][0]["mean"],
                self._results[name]["by_arm"][d["arm"]]["mean"],
                d["estimate"],
                d["std_error"],
            ]
            for name in MEASURES
            for d in self._results[name]["differences"]
        ]
        return Table(
            ["measure", "arm", f"change, {self._arms[0]}", "change, arm", "difference", "SE"],
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

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def _measure(measure: str) -> int:
    if measure not in MEASURES:
        raise fault(
            InputError,
            f"there is no measure '{measure}'",
            values=[measure],
            remedy=_columns.nearest(measure, MEASURES),
        )
    return MEASURES.index(measure)


def _weight(value: Any, kind: str, code: str) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = float("nan")
    if not np.isfinite(weight) or (weight > 0 if kind == "risk" else weight < 0):
        raise fault(
            InputError,
            f"the weight of '{code}' is wrong: {kind} factors weigh 0 or "
            f"{'less' if kind == 'risk' else 'more'}",
            values=[str(value)],
            remedy="Give the weight the sign of its kind",
        )
    return weight


def _factor(line: Mapping[str, Any], i: int) -> Factor:
    code, kind = str(line.get("code", "")), str(line.get("kind", ""))
    unknown = sorted(set(line) - {name for name in Factor.__dataclass_fields__})
    if not code or kind not in _KINDS or unknown:
        raise fault(
            InputError,
            f"line {i + 1} of the framework is wrong",
            values=[code or "no code", kind or "no kind", *unknown],
            remedy=f"Give code and kind ({', '.join(_KINDS)}), and no other fields than "
            f"{', '.join(Factor.__dataclass_fields__)}",
        )
    engagement = kind == "engagement"
    weight = 1.0 if engagement else _weight(line.get("weight", -1 if kind == "risk" else 1), kind, code)
    uncertain = bool(line.get("weight_uncertain", False)) and not engagement
    other = _weight(line.get("alternative", 2 * weight), kind, code) if uncertain else weight
    return Factor(
        code=code,
        kind=kind,
        label=str(line.get("label", code)),
        group=str(line.get("group", "")),
        weight=weight,
        weight_uncertain=uncertain,
        alternative=other,
        applies=str(line.get("applies", "")),
    )


_SORTABLE = re.compile(r"\d+(\.\d+)?$|\d{4}-\d{2}(-\d{2})?")


def _times(
    source: Source, time: str, times: Sequence[Any] | None
) -> tuple[NDArray[np.int64], list[str]]:
    cells = _columns.raw(source, time)
    blank = [i for i, cell in enumerate(cells) if cell is None]
    if blank:
        raise fault(
            InputError,
            "the time is missing",
            column=time,
            rows=blank,
            remedy="Fill it in or drop these rows",
        )
    text = [_label(cell) for cell in cells]
    if times is not None:
        order = [_label(value) for value in times]
        strange = [i for i, label in enumerate(text) if label not in order]
        if strange:
            raise fault(
                InputError,
                "these times are not among those named",
                column=time,
                rows=strange,
                values=list(dict.fromkeys(text[i] for i in strange)),
                remedy=_columns.nearest(text[strange[0]], order),
            )
    elif all(not isinstance(cell, str) for cell in cells):
        order = [_label(value) for value in sorted(set(cells))]
    else:
        from crewe._frames import _declared_levels

        declared = _declared_levels(source._frame[time])
        present = set(text)
        if declared is not None:
            order = [label for label in declared if label in present]
        elif len(present) == 1 or all(_SORTABLE.match(label) for label in present):
            order = sorted(present)
        else:
            names = ", ".join(repr(label) for label in sorted(present)[:4])
            raise fault(
                InputError,
                "the order of the times is not known",
                column=time,
                values=sorted(present),
                remedy=f"Name them from first to last: times=[{names}] in the right order",
            )
    place = {label: t for t, label in enumerate(order)}
    return np.array([place[label] for label in text], dtype=np.int64), order


def _label(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    found = None if isinstance(value, str) else _columns.day(value)
    return str(value) if found is None else _columns.dt.date.fromordinal(found).isoformat()


def _attributes(
    source: Source, ids: NDArray[np.uint32], cases: int, used: Collection[str | None]
) -> dict[str, Any]:
    """The other columns as facts of the cases, with what stands against using one as the arm."""
    out: dict[str, Any] = {}
    for name in source.names:
        if name in used:
            continue
        try:
            codes, labels = _columns.groups(source, name)
        except InputError as error:
            out[name] = {"problem": error.problem, "rows": error.rows}
            continue
        first = np.full(cases, -1, dtype=np.int64)
        for i, c in enumerate(ids):
            if first[c] < 0:
                first[c] = codes[i]
        wrong = np.flatnonzero(first[ids] != codes)
        out[name] = (
            {"problem": "a case has several values", "rows": [int(i) for i in wrong]}
            if len(wrong)
            else {"problem": "", "rows": [], "codes": first, "labels": labels}
        )
    return out

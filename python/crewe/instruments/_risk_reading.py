"""Assessments of a risk matrix as people record them, long or wide, brought to one array."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe.exceptions import InputError, fault
from crewe.frames import cells as _cells
from crewe.frames import dates as _dates
from crewe.frames.source import Source, _declared_levels
from crewe.instruments import _columns
from crewe.instruments._answers import FLAGS, Labels, answers, nearest

if TYPE_CHECKING:
    from crewe.instruments.risk import Factor, Framework


@dataclass
class Assessments:
    """Assessments in rows, factors in columns.

    Attributes
    ----------
    matrix : ndarray (assessments, factors)
        0 or 1; engagement on its scale, NaN where it is not recorded.
    case, time : ndarray of int (assessments,)
        Whose and when, as positions in ``cases`` and ``times``.
    cases, times : list of str
        The labels, times in order.
    ids : list
        The cases as the frame has them: numbers stay numbers.
    row_case : ndarray of int (rows of the frame,)
        The case of each row of the frame as given.
    names : (str, str)
        The columns of case and time.
    used : collection of str
        The columns that are no facts of the case.
    """

    matrix: NDArray[np.float64]
    case: NDArray[Any]
    time: NDArray[Any]
    cases: list[str]
    times: list[str]
    ids: list[Any]
    row_case: NDArray[np.uint32]
    names: tuple[str, str]
    used: Collection[str | None]


def long(
    framework: Framework,
    source: Source,
    case: str,
    time: str,
    times: Sequence[Any] | None,
    code: str,
    value: str | None,
) -> Assessments:
    """Read one row a case, time and factor seen."""
    ids, case_labels = source.ids(case)
    time_codes, time_labels = _times(source, time, times)
    names = source.cells(code)
    place = {known: j for j, known in enumerate(framework.codes)}
    unknown = [i for i, name in enumerate(names) if name is not None and name not in place]
    blank = [i for i, name in enumerate(names) if name is None]
    if unknown or blank:
        bad = unknown or blank
        raise fault(
            InputError,
            "these codes are not in the framework" if unknown else "codes are missing",
            column=code,
            rows=bad,
            labels=list(dict.fromkeys(str(names[i]) for i in unknown)),
            remedy=nearest(names[unknown[0]], framework.codes)
            if unknown
            else "Fill them in or drop these rows",
        )
    columns = np.array([place[name] for name in names], dtype=int)
    cells = [1] * source.n if value is None else source.cells(value)
    if value is not None and any(cell is None for cell in cells):
        raise fault(
            InputError,
            "values are missing",
            column=value,
            rows=[i for i, cell in enumerate(cells) if cell is None],
            remedy="Say present or absent, or drop these rows",
        )
    numbers = np.empty(source.n)
    for j, factor in enumerate(framework.factors):
        own = np.flatnonzero(columns == j)
        if value is None and factor.kind == "engagement" and len(own):
            raise fault(
                InputError,
                "engagement needs a value, but no column of values is named",
                column=code,
                rows=[int(i) for i in own],
                remedy="Pass value='…'",
            )
        numbers[own] = _read(framework, factor, [cells[i] for i in own], value or code, own)
    keys = pd.DataFrame({"case": ids, "time": time_codes, "code": columns})
    twice = np.flatnonzero(keys.duplicated(keep=False).to_numpy())
    if len(twice):
        raise fault(
            InputError,
            "a case has the same factor twice at one time",
            column=code,
            rows=[int(i) for i in twice],
            labels=list(dict.fromkeys(names[i] for i in twice)),
            remedy="Keep one row a case, time and factor",
        )
    first = ~keys.duplicated(["case", "time"]).to_numpy(dtype=bool)
    of_case, of_time = np.asarray(ids)[first], np.asarray(time_codes)[first]
    row_of = {pair: i for i, pair in enumerate(zip(of_case, of_time, strict=True))}
    engagement = np.array([factor.kind == "engagement" for factor in framework.factors])
    matrix = np.where(engagement, np.nan, 0.0) * np.ones((len(of_case), 1))
    rows = [row_of[pair] for pair in zip(ids, time_codes, strict=True)]
    matrix[rows, columns] = numbers
    return Assessments(
        matrix,
        of_case,
        of_time,
        case_labels,
        time_labels,
        _as_given(source, case, case_labels),
        ids,
        (case, time),
        {case, time, code, value},
    )


def wide(
    framework: Framework,
    source: Source,
    case: str,
    time: str,
    times: Sequence[Any] | None,
    missing: str,
) -> Assessments:
    """Read one row a case and time, a column a factor."""
    ids, case_labels = source.ids(case)
    time_codes, time_labels = _times(source, time, times)
    present = [code for code in framework.codes if code in source.names]
    others = [name for name in source.names if name not in present and name not in (case, time)]
    for name in others:
        near = difflib.get_close_matches(name, framework.codes, n=1, cutoff=0.85)
        if near and near[0] not in present:
            raise fault(
                InputError,
                f"'{name}' is not in the framework",
                column=name,
                values=[name],
                remedy=nearest(name, framework.codes),
            )
    gone = [f.code for f in framework.factors if f.kind != "engagement" and f.code not in present]
    if not present or (gone and missing == "refuse"):
        raise fault(
            InputError,
            "the frame lacks columns of the framework"
            if present
            else "the frame has no code as a column",
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
    matrix = np.empty((source.n, len(framework.factors)))
    everyone = np.arange(source.n)
    for j, factor in enumerate(framework.factors):
        empty = np.nan if factor.kind == "engagement" else 0.0
        if factor.code not in present:
            matrix[:, j] = empty
            continue
        column = _read(framework, factor, source.cells(factor.code), factor.code, everyone)
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
    return Assessments(
        matrix,
        ids,
        time_codes,
        case_labels,
        time_labels,
        _as_given(source, case, case_labels),
        ids,
        (case, time),
        {case, time, *present},
    )


def _read(
    framework: Framework, factor: Factor, cells: Sequence[Any], column: str, rows: NDArray[Any]
) -> NDArray[np.float64]:
    positions = [int(row) for row in rows]
    if factor.kind == "engagement":
        allowed = sorted(set(framework.scale.values()), reverse=True)
        return answers(
            cells,
            column,
            Labels(framework.scale),
            allowed=allowed,
            rows=positions,
            what="values of engagement",
        )
    return answers(
        cells,
        column,
        _FLAGS,
        allowed=(0, 1),
        rows=positions,
        what=f"values of {factor.code}",
    )


_FLAGS = Labels(FLAGS)
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?")


def _times(
    source: Source, time: str, times: Sequence[Any] | None
) -> tuple[NDArray[np.int64], list[str]]:
    cells = source.cells(time)
    blank = [i for i, cell in enumerate(cells) if cell is None]
    if blank:
        raise fault(
            InputError,
            "the time is missing",
            column=time,
            rows=blank,
            remedy="Fill it in or drop these rows",
        )
    _dates.refuse_zones(
        [_dates.moment(cell) for cell in cells],
        time,
        "Give local dates without a zone, for instance with .dt.tz_convert('Europe/London').dt.date",
    )
    text = [label(cell) for cell in cells]
    if times is not None:
        order = [label(value) for value in times]
        strange = [i for i, name in enumerate(text) if name not in order]
        if strange:
            raise fault(
                InputError,
                "these times are not among those named",
                column=time,
                rows=strange,
                labels=list(dict.fromkeys(text[i] for i in strange)),
                remedy=nearest(text[strange[0]], order),
            )
    else:
        order = _order(source, time, cells, text)
    place = {name: t for t, name in enumerate(order)}
    return np.array([place[name] for name in text], dtype=np.int64), order


def _order(source: Source, time: str, cells: list[Any], text: list[str]) -> list[str]:
    """Give the times from first to last, where that can be read off them."""
    present = sorted(set(text))
    if not any(isinstance(cell, str) for cell in cells):
        try:
            return list(dict.fromkeys(label(value) for value in sorted(set(cells))))
        except TypeError:
            pass
    else:
        declared = _declared_levels(source._frame[time])
        if declared is not None:
            return [name for name in declared if name in present]
        if all(_cells.looks_like_a_number(name) for name in present):
            return sorted(present, key=float)
        if len(present) == 1 or all(_DATE.match(name) for name in present):
            return present
    names = ", ".join(repr(name) for name in present[:4])
    raise fault(
        InputError,
        "the order of the times is not known",
        column=time,
        labels=present,
        remedy=f"Name them from first to last: times=[{names}] in the right order",
    )


def label(value: Any) -> str:
    """Name a time: a date by its day, a whole number without a decimal point, a word as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, _cells.NUMBERS):
        return _cells.label_of(value)
    found = _dates.day(_dates.moment(value))
    return str(value) if found is None else dt.date.fromordinal(found).isoformat()


def _as_given(source: Source, case: str, labels: list[str]) -> list[Any]:
    whole = source._frame[case].dtype.is_integer()
    return [int(label) for label in labels] if whole else list(labels)


def attributes(
    source: Source, ids: NDArray[np.uint32], cases: int, used: Collection[str | None]
) -> dict[str, Any]:
    """Give the other columns as facts of the cases, or what stands against that."""
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

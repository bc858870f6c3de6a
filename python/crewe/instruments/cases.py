"""From the dates of case records to the outcomes of a trial, by four window rules.

Notes
-----
The rules are those of the Project Crewe report, for any window and any column names:

1. a referral before the start of the window is moved to the start;
2. support that began before the start sets ``history``;
3. a re-referral counts only if the case was closed and re-referred inside the window;
4. ``closed`` means stepped down by the end of the window and not re-referred by then.

The event of a survival analysis is the first closure, re-referred cases included; a case open at
the end is censored there. Both ends belong to the window.

Heal, J., Nolan, M. and Sanders, M. (2017), Project Crewe: research report, Department for
Education, DFE-RR580.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from crewe import _core
from crewe.design.select import Ids
from crewe.exceptions import InputError, fault
from crewe.frames import dates as _dates
from crewe.frames.arguments import checked
from crewe.frames.source import Source
from crewe.instruments._answers import FLAGS, Labels, as_number, nearest, shown
from crewe.tables.display import Table
from crewe.tables.printable import Printable

RULES = ("move_referral", "history", "re_referral_in_window", "re_referred_not_closed")
"""The rules' names, in order."""

_ADDED = ("history", "closed", "re_referred", "event", "days", "censored", "referral_recoded")


@dataclass(eq=False, repr=False)
class Cases(Printable):
    """Case records recoded by the window rules.

    Attributes
    ----------
    frame : data frame
        The rows kept, of the kind given, with the columns ``history``, ``closed``, ``re_referred``,
        ``event``, ``censored`` (0 or 1), ``days`` (whole days from the origin to the first closure
        or the end) and ``referral_recoded`` (text, year-month-day).
    log : data frame
        One line a recode: ``rule`` (0 for censoring), ``recode``, ``n``, ``rows`` (counted from 0
        in the frame as given) and ``cases``, the last two as text.
    excluded : dict of str to list of str
        The ids of the cases that are not kept, by reason: what a CONSORT flow takes. A case with several
        reasons stands under the first, which a note says.
    notes : list of str
        What a reader should know.
    synthetic : bool
        Whether the data say that they are synthetic.
    """

    frame: Any
    log: Any
    excluded: dict[str, list[str]]
    notes: list[str]
    _summary: dict[str, Any]
    synthetic: bool = False

    def tidy(self) -> Any:
        """Give the log of recodes."""
        return self.log

    def _tables(self) -> list[Table]:
        s = self._summary
        counts = Table(
            ["", "cases"],
            [[label, value] for label, value in s["counts"]],
            title=f"Cases from {s['start']} to {s['end']}, time from {s['origin']}",
        )
        log = Table(
            ["rule", "recode", "cases"],
            [[str(r) if r else "", what, n] for r, what, n in s["log"]],
            title="Recodes",
            notes=self.notes,
            align="llr",
        )
        return [counts, log]

    def _panels(self) -> list[Table]:
        return self._tables()


@checked
def prepare(
    frame: Any,
    start: Any = "2015-08-01",
    end: Any = "2016-11-01",
    *,
    referral: str = "referral",
    closure: str = "closure",
    rereferral: str = "rereferral",
    cin_start: str | None = None,
    randomised: str | None = None,
    case: str = "case_id",
    family: str = "family_id",
    rules: Collection[str] = RULES,
    origin: Literal["randomisation", "referral"] = "randomisation",
    extracted: Any = None,
    incomplete: str | None = None,
    tz: str | dt.tzinfo | None = None,
) -> Cases:
    """Recode case records into outcomes, and say which rule changed which rows.

    Parameters
    ----------
    frame : data frame
        One row a case (a child).
    start, end : date or str
        The first and the last day of the window; any type of date that a column may hold.
    referral, closure, rereferral : str
        The columns of the dates: ISO text, dates or timestamps; empty where there is none. A
        referral is needed for every case. Times that carry a time zone need `tz`.
    cin_start : str, optional
        The column of the date on which support first began. Without it there is no ``history``;
        an empty cell means no earlier support.
    randomised : str, optional
        The column of the date of randomisation; needed for the default origin.
    case, family : str
        The columns of the identifiers; a case occurs once.
    rules : collection of str
        The rules in force, from :data:`RULES`; all by default.
    origin : {"randomisation", "referral"}
        The day from which time is counted: randomisation, or the referral as recoded by rule 1.
    extracted : date or str, optional
        The day on which the data were extracted; later dates are then refused.
    incomplete : str, optional
        A column that marks cases with incomplete outcomes, which are excluded and counted. It holds
        flags (true or false, 1 or 0, yes or no, y or n, also as text) or the reasons as text, with
        complete cases empty or marked "complete" or "none".
    tz : str or tzinfo, optional
        Where the trial is, for instance "Europe/London": a time with a zone counts by the day that
        it is there. Times without a zone are local already.

    Returns
    -------
    Cases

    Raises
    ------
    InputError
        Where identifiers are missing or repeated, dates cannot be read, or dates are impossible (a
        closure before the referral or the randomisation, a re-referral before or without a closure,
        a date after the extraction, a randomisation outside the window, siblings randomised on
        different days); all such rows are listed. Also where times carry a zone and no `tz` is named,
        a cell of `incomplete` is neither a flag nor a reason, or no case is left.

    Examples
    --------
    >>> import pandas as pd
    >>> import crewe as cw
    >>> data = pd.DataFrame({
    ...     "case_id": [1, 2], "family_id": [1, 2],
    ...     "referral": ["2015-07-01", "2015-09-01"], "closure": ["2015-12-01", None],
    ...     "rereferral": ["2016-03-01", None], "cin_start": ["2014-01-01", None],
    ...     "randomised": ["2015-08-11", "2015-09-11"],
    ... })
    >>> cases = cw.cases.prepare(data, cin_start="cin_start", randomised="randomised")
    >>> cases.frame[["history", "closed", "re_referred", "event", "days"]].values.tolist()
    [[1, 0, 1, 1, 112], [0, 0, 0, 0, 417]]
    """
    source = Source(frame)
    zone = _dates.zone_of(tz)
    flags = _rules(rules)
    _core.check_word("origin", str(origin))
    if origin == "randomisation" and randomised is None:
        raise fault(
            InputError,
            "time is counted from randomisation, but no column of randomisation is named",
            remedy="Pass randomised='…', or origin='referral'",
        )
    ids = _case_ids(source, case)
    families, _ = source.ids(family)
    reasons = _reasons(source, incomplete)
    clash = [name for name in _ADDED if name in source.names]
    if clash:
        raise fault(
            InputError,
            "the frame already has columns of the names to be added",
            values=clash,
            remedy="Rename or drop them first",
        )
    first, last = (
        _dates.window_day(value, what, zone) for value, what in ((start, "start"), (end, "end"))
    )
    seen = None if extracted is None else _dates.window_day(extracted, "extracted", zone)
    out = _core.prepare_cases(
        _core.CaseDates(
            _dates.days(source, referral, zone),
            _dates.days(source, closure, zone),
            _dates.days(source, rereferral, zone),
            None if cin_start is None else _dates.days(source, cin_start, zone),
            None if randomised is None else _dates.days(source, randomised, zone),
            [referral, closure, rereferral, cin_start or "", randomised or ""],
        ),
        np.ascontiguousarray(families, dtype=np.uint32),
        [reason is not None for reason in reasons],
        _core.CaseWindow(first, last, seen, origin, flags),
    )
    excluded: dict[str, list[str]] = {}
    several: dict[str, int] = {}
    for one in out.excluded:
        named = [reasons[one.row] or one.reason, *one.also]
        excluded.setdefault(named[0], Ids(column=case)).append(ids[one.row])
        if one.also:
            several[" and ".join(named)] = several.get(" and ".join(named), 0) + 1
    if source.n and not out.rows:
        raise fault(
            InputError,
            f"no case is left: all {source.n} are excluded",
            column=incomplete if any(reasons) else randomised,
            values=[f"{reason}: {len(who)}" for reason, who in excluded.items()],
            remedy="Check how the column marks complete cases: leave them empty, or write false"
            if any(reasons)
            else "Check the columns of the dates",
        )
    log = out.recodes
    return Cases(
        frame=_frame(source, out),
        log=source.like(
            {
                "rule": [recode.rule for recode in log],
                "recode": [recode.action for recode in log],
                "n": [len(recode.rows) for recode in log],
                "rows": [", ".join(str(row) for row in recode.rows) for recode in log],
                "cases": [", ".join(ids[row] for row in recode.rows) for recode in log],
            }
        ),
        excluded=excluded,
        notes=[*_notes(out, cin_start, seen, origin, flags), *_several(several)],
        _summary={
            "start": dt.date.fromordinal(first).isoformat(),
            "end": dt.date.fromordinal(last).isoformat(),
            "origin": origin,
            "counts": [
                ("rows given", source.n),
                *((f"excluded: {reason}", len(who)) for reason, who in excluded.items()),
                ("kept", len(out.rows)),
                ("closed", int(out.closed.sum())),
                ("re-referred", int(out.re_referred.sum())),
                ("open, censored at the end", int((~out.event).sum())),
            ],
            "log": [(recode.rule, recode.action, len(recode.rows)) for recode in log],
        },
        synthetic=source.synthetic,
    )


def _rules(rules: Collection[str]) -> list[bool]:
    named = [rules] if isinstance(rules, str) else list(rules)
    for rule in named:
        if rule not in RULES:
            raise fault(
                InputError,
                f"there is no rule '{rule}'",
                values=[str(rule)],
                remedy=nearest(rule, RULES),
            )
    return [rule in named for rule in RULES]


def _case_ids(source: Source, case: str) -> list[str]:
    codes, labels = source.ids(case)
    repeated = pd.Series(codes).duplicated(keep=False).to_numpy().nonzero()[0]
    if len(repeated):
        raise fault(
            InputError,
            "cases occur more than once",
            column=case,
            rows=[int(row) for row in repeated],
            ids=list(dict.fromkeys(labels[codes[row]] for row in repeated)),
            remedy="Keep one row a case: its first closure and first re-referral",
        )
    return [labels[code] for code in codes]


_FLAGS = Labels({**FLAGS, "incomplete": 1})
_NO_REASON = (
    "complete",
    "completed",
    "ok",
    "no reason",
    "not applicable",
    "n/a",
    "na",
    "nil",
    "none",
)
# What empty cells become when a column is written as text.
_EMPTY = ("nan", "null", "nat", "<na>")
_COMPLETE = Labels(dict.fromkeys((*_NO_REASON, *_EMPTY), 0))
"""Words that stand, among reasons, where there is none."""


def _reasons(source: Source, incomplete: str | None) -> list[str | None]:
    """Give the reason for which each case is left out, None where it is complete.

    A column holds flags or reasons: beside a yes or a no, an unknown word is no reason but one more flag.
    """
    if incomplete is None:
        return [None] * source.n
    cells = source.cells(incomplete)
    flags = [_flag(cell) for cell in cells]
    flagged = any(flag is not None for flag in flags)
    out: list[str | None] = []
    bad: list[int] = []
    for i, (cell, flag) in enumerate(zip(cells, flags, strict=True)):
        out.append("incomplete outcomes" if flag else None)
        text = cell.strip() if isinstance(cell, str) else ""
        if cell is None or flag is not None or (text and _COMPLETE.find(text)):
            continue
        # A letter or a sign may mark either, so it is no reason.
        if flagged or not re.search(r"[^\W\d_]{3}", text):
            bad.append(i)
        else:
            out[-1] = text
    if bad:
        raise fault(
            InputError,
            "these are neither true nor false"
            if flagged
            else "these are neither flags nor reasons in words",
            column=incomplete,
            rows=bad,
            labels=list(dict.fromkeys(shown(cells[i]) for i in bad)),
            remedy="Write true or false (1 or 0, yes or no) in every row, or the reasons as text with "
            "complete cases empty",
        )
    return out


def _flag(cell: Any) -> bool | None:
    """Read a flag, a number or a word; None where a cell is neither yes nor no."""
    found = _FLAGS.find(cell) if isinstance(cell, str) else set()
    number = next(iter(found)) if found else as_number(cell)
    return bool(number) if number in (0, 1) else None


def _several(several: dict[str, int]) -> list[str]:
    """Say of the excluded cases which have several reasons."""
    if not several:
        return []
    total = sum(several.values())
    told = "; ".join(f"{both}: {n}" for both, n in several.items())
    have = "1 excluded case has" if total == 1 else f"{total} excluded cases have"
    return [f"{have} several reasons and count{'s' * (total == 1)} under the first ({told})."]


def _frame(source: Source, out: _core.PreparedCases) -> Any:
    columns: dict[str, Any] = {}
    if out.history is not None:
        columns["history"] = out.history.astype(np.int64)
    columns["closed"] = out.closed.astype(np.int64)
    columns["re_referred"] = out.re_referred.astype(np.int64)
    columns["event"] = out.event.astype(np.int64)
    columns["days"] = out.days
    columns["censored"] = (~out.event).astype(np.int64)
    columns["referral_recoded"] = [dt.date.fromordinal(int(d)).isoformat() for d in out.referral]
    return source.take(out.rows).with_columns(columns)


def _notes(
    out: _core.PreparedCases,
    cin_start: str | None,
    seen: int | None,
    origin: str,
    flags: list[bool],
) -> list[str]:
    notes = []
    if cin_start is None and flags[1]:
        notes.append("No column of earlier support is named, so there is no history.")
    if seen is None:
        notes.append(
            "No date of extraction is given, so dates in the future are not looked for: pass extracted=."
        )
    off = [name for name, on in zip(RULES, flags, strict=True) if not on]
    if off:
        notes.append(f"Rules left out: {', '.join(off)}.")
    early = out.days_before_randomisation[out.days_before_randomisation > 0]
    if origin == "referral" and len(early):
        notes.append(
            f"In {len(early)} cases time starts before randomisation, by "
            f"{int(early.sum()) / len(early):.1f} days on average: in these days no case could be closed "
            "by either service, which pulls the arms together."
        )
    same_day = int((out.event & (out.days == 0)).sum())
    if same_day:
        notes.append(f"{same_day} cases are closed on the day from which time is counted.")
    return notes

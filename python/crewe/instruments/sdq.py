"""The Strengths and Difficulties Questionnaire: 25 items to five scales and total difficulties.

Notes
-----
Items are answered 0, 1 or 2; items 7, 11, 14, 21 and 25 are reversed. Scales are the sums of five
items: emotional (3, 8, 13, 16, 24), conduct (5, 7, 12, 18, 22), hyperactivity (2, 10, 15, 21, 25),
peer (6, 11, 14, 19, 23), prosocial (1, 4, 9, 17, 20). A scale with three or four answers is five
times their mean, rounded to the nearest whole number, halves up; with fewer it is missing. Total
difficulties are the first four scales together, missing if one of them is.

Goodman, R. (1997), The Strengths and Difficulties Questionnaire: a research note,
doi:10.1111/j.1469-7610.1997.tb01545.x. The bands are those of the scoring instructions for ages 4
to 17 in the UK; the teacher's four are also printed in PMC4830858, table 1, and the three end at
the same scores. The questionnaire's wording is under copyright and is not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.source import Source
from crewe.instruments._answers import Labels, answers, nearest, plain
from crewe.tables.display import Table
from crewe.tables.printable import Printable

SCALES = ("emotional", "conduct", "hyperactivity", "peer", "prosocial")
"""The five scales."""

_LABELS = Labels({"not true": 0, "somewhat true": 1, "certainly true": 2})
_FOUR = ("close to average", "slightly raised", "high", "very high")
_THREE = ("normal", "borderline", "abnormal")
# The upper ends of the bands of total difficulties by informant, ages 4 to 17.
_BANDS: dict[tuple[str, str], tuple[float, ...]] = {
    ("parent", "four"): (13, 16, 19, 40),
    ("parent", "three"): (13, 16, 40),
    ("teacher", "four"): (11, 15, 18, 40),
    ("teacher", "three"): (11, 15, 40),
}
_INFORMANTS = ("parent", "teacher", "practitioner", "self")


@dataclass(eq=False, repr=False)
class Scores(Printable):
    """Scored questionnaires.

    Attributes
    ----------
    frame : data frame
        The frame given, of the same kind, with ``emotional``, ``conduct``, ``hyperactivity``,
        ``peer``, ``prosocial`` (0 to 10), ``total_difficulties`` (0 to 40), ``band`` (empty where
        no bands are known), ``sdq_answered`` (items of 25) and ``sdq_prorated`` (scales of 5).
    notes : list of str
        What a reader should know.
    synthetic : bool
        Whether the data say that they are synthetic.
    """

    frame: Any
    notes: list[str]
    _summary: list[list[Any]]
    synthetic: bool = False

    def tidy(self) -> Any:
        """Give the mean of each scale: ``term, n, missing, estimate, sd, min, median, max``."""
        names = ("term", "n", "missing", "estimate", "sd", "min", "median", "max")
        return Source(self.frame).like(
            {name: [row[j] for row in self._summary] for j, name in enumerate(names)}
        )

    def _table(self) -> Table:
        return Table(
            ["", "n", "missing", "mean", "SD", "min", "median", "max"],
            self._summary,
            title="Strengths and Difficulties Questionnaire",
            notes=self.notes,
            digits=2,
        )

    def _panels(self) -> list[Table]:
        return [self._table()]


@checked
def score(
    frame: Any,
    items: Sequence[str] | None = None,
    *,
    prefix: str = "sdq_",
    informant: Literal["parent", "teacher", "practitioner", "self"] = "parent",
    version: Literal["4-17", "2-4"] = "4-17",
    bands: Literal["four", "three"] = "four",
) -> Scores:
    """Score the 25 items of the SDQ.

    Parameters
    ----------
    frame : data frame
        One row a questionnaire.
    items : sequence of str, optional
        The 25 columns in the order of the questionnaire; else those named ``prefix`` and 1 to 25
        (or 01 to 25). Answers are 0, 1, 2, or "not true", "somewhat true", "certainly true"; empty
        where there is none.
    prefix : str
        What the items' names start with.
    informant : {"parent", "teacher", "practitioner", "self"} or str
        Who answered, or the column that says so in these words. Bands are known for parents and
        teachers.
    version : {"4-17", "2-4"}
        The ages of the version used. Both score alike; bands are known for 4 to 17.
    bands : {"four", "three"}
        Close to average, slightly raised, high, very high (a parent's total of 0-13, 14-16, 17-19,
        20-40), or the original normal, borderline, abnormal (0-13, 14-16, 17-40).

    Returns
    -------
    Scores

    Raises
    ------
    InputError
        Where there are not 25 items, or an answer is off the scale; rows and nearest labels are
        given.

    Examples
    --------
    >>> import pandas as pd
    >>> import crewe as cw
    >>> data = pd.DataFrame({f"sdq_{i}": [1] for i in range(1, 26)})
    >>> cw.sdq.score(data).frame[["emotional", "total_difficulties", "band"]].values.tolist()
    [[5.0, 20.0, 'very high']]
    """
    _one_of("version", version, ("4-17", "2-4"))
    _one_of("bands", bands, ("four", "three"))
    source = Source(frame)
    informants = _who(source, informant)
    names = _items(source, items, prefix)
    values = np.column_stack(
        [answers(source.cells(name), name, _LABELS, allowed=(0, 1, 2)) for name in names]
    )
    known = {who: _BANDS.get((who, bands)) if version == "4-17" else None for who in _INFORMANTS}
    out = _core.sdq_score(
        np.ascontiguousarray(values), [list(known[who] or ()) for who in informants]
    )
    words = _FOUR if bands == "four" else _THREE
    columns: dict[str, Any] = _scales(out)
    columns["total_difficulties"] = out.total
    columns["band"] = [None if b is None else words[b] for b in out.band]
    columns["sdq_answered"] = out.answered
    columns["sdq_prorated"] = out.prorated
    clash = [name for name in columns if name in source.names]
    if clash:
        raise fault(
            InputError,
            "the frame already has columns of the names to be added",
            values=clash,
            remedy="Rename or drop them first",
        )
    return Scores(
        frame=source.with_columns(columns),
        notes=_notes(out, [who for who in informants if known[who] is None], version),
        _summary=_describe(out),
        synthetic=source.synthetic,
    )


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise fault(
            InputError,
            f"{name} is one of {', '.join(known)}",
            values=[str(value)],
            remedy=nearest(value, known),
        )


def _who(source: Source, informant: str) -> list[str]:
    """Give the informant of each row: the same for all, or read from a column."""
    if informant in _INFORMANTS or informant not in source.names:
        _one_of("informant", informant, _INFORMANTS)
        return [informant] * source.n
    cells = source.cells(informant)
    words = ["" if cell is None else plain(cell) for cell in cells]
    bad = [i for i, word in enumerate(words) if word not in _INFORMANTS]
    if bad:
        raise fault(
            InputError,
            f"informants are {', '.join(_INFORMANTS)}",
            column=informant,
            rows=bad,
            labels=list(dict.fromkeys(str(cells[i]) for i in bad)),
            remedy=nearest(words[bad[0]], _INFORMANTS),
        )
    return words


def _items(source: Source, items: Sequence[str] | None, prefix: str) -> list[str]:
    if items is None:
        padded = f"{prefix}01" in source.names
        items = [f"{prefix}{i:02d}" if padded else f"{prefix}{i}" for i in range(1, 26)]
    names = list(items)
    if len(names) != 25 or len(set(names)) != 25:
        raise fault(
            InputError,
            f"the questionnaire has 25 items, {len(set(names))} different ones were named",
            remedy="Name the 25 columns in the order of the questionnaire",
        )
    for name in names:
        source.require(name)
    return names


def _scales(out: _core.SdqScores) -> dict[str, NDArray[np.float64]]:
    return {
        "emotional": out.emotional,
        "conduct": out.conduct,
        "hyperactivity": out.hyperactivity,
        "peer": out.peer,
        "prosocial": out.prosocial,
    }


def _notes(out: _core.SdqScores, unbanded: list[str], version: str) -> list[str]:
    notes = []
    prorated = int(np.count_nonzero(out.prorated))
    if prorated:
        notes.append(
            f"{prorated} questionnaires have scales pro-rated from three or four answers (halves rounded up)."
        )
    missing = int(np.isnan(out.total).sum())
    if missing:
        notes.append(
            f"{missing} totals are missing: a scale has fewer than three of its five answers."
        )
    if unbanded:
        notes.append(
            f"{len(unbanded)} questionnaires have no band: none is known here for the version for "
            f"ages {version} answered by {' or '.join(sorted(set(unbanded)))}."
        )
    return notes


def _describe(out: _core.SdqScores) -> list[list[Any]]:
    rows = []
    for name, values in {**_scales(out), "total": out.total}.items():
        s = _core.summarise_scores(values, np.zeros(len(values), dtype=np.uint32), 1)[0]
        label = "total difficulties" if name == "total" else name
        rows.append([label, s.n, s.missing, s.mean, s.sd, s.min, s.median, s.max])
    return rows

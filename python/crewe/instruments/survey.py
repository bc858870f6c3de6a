"""Rating scales of a survey, such as staff stress: scores, alpha, distribution by arm.

Notes
-----
An answer x on a scale from a to b is reversed as a + b - x. A person's mean runs over the items
answered; the total is that mean times the number of items. Both are missing where fewer than
`needed` of the items are answered (half of them by default). Cronbach's alpha and the correlation
of each item with the sum of the others run over complete rows; a note names the items for which
that correlation is negative, as it is where a reversal was forgotten.

Cronbach, L. J. (1951), Coefficient alpha and the internal structure of tests,
doi:10.1007/BF02310555.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault, said
from crewe.frames.arguments import checked
from crewe.frames.source import Source
from crewe.instruments import _columns, _plots
from crewe.instruments._answers import Labels, answers, nearest
from crewe.tables.display import Table, number
from crewe.tables.printable import Printable


@dataclass(eq=False, repr=False)
class Scores(Printable):
    """A scored rating scale.

    Attributes
    ----------
    frame : data frame
        The frame given, of the same kind, with ``score_mean``, ``score_total`` and
        ``score_answered`` (or another name than ``score``).
    alpha : float
        Cronbach's alpha over the complete rows; NaN where it is not defined.
    item_rest : dict of str to float
        The correlation of each item, reversed where it is, with the sum of the others over the complete
        rows; NaN where it is not defined.
    items : list of str
        The columns scored.
    notes : list of str
        The rule for missing answers and what else a reader should know.
    synthetic : bool
        Whether the data say that they are synthetic.
    """

    frame: Any
    alpha: float
    item_rest: dict[str, float]
    items: list[str]
    notes: list[str]
    _name: str
    _range: tuple[float, float]
    synthetic: bool = False

    def summary(self, by: str | None = None, of: Literal["total", "mean"] = "total") -> Any:
        """Describe the scores, by group if one is named.

        Parameters
        ----------
        by : str, optional
            The column of the group, for instance the arm.
        of : {"total", "mean"}
            Which score.

        Returns
        -------
        data frame
            ``group, n, missing, mean, sd, min, q1, median, q3, max``, quartiles by Hyndman and
            Fan's definition 7.
        """
        labels, records, _ = self._by(by, of)
        return Source(self.frame).like(
            {
                "group": labels,
                "n": [record.n for record in records],
                "missing": [record.missing for record in records],
                "mean": [record.mean for record in records],
                "sd": [record.sd for record in records],
                "min": [record.min for record in records],
                "q1": [record.q1 for record in records],
                "median": [record.median for record in records],
                "q3": [record.q3 for record in records],
                "max": [record.max for record in records],
            }
        )

    def tidy(self) -> Any:
        """Give the summary of the totals."""
        return self.summary()

    def plot(self, by: str | None = None, of: str = "total", ax: Any = None) -> Any:
        """Draw the distribution of the scores, a row of columns for each group.

        Returns
        -------
        matplotlib.axes.Axes
        """
        labels, _, values = self._by(by, of)
        return _plots.distribution(labels, values, f"{of} score", ax, self.synthetic)

    def _by(
        self, by: str | None, of: str
    ) -> tuple[list[str], list[_core.ScoreSummary], list[NDArray[np.float64]]]:
        if of not in ("total", "mean"):
            raise fault(InputError, f"there is no score '{of}'", remedy="Use 'total' or 'mean'")
        source = Source(self.frame)
        scores = np.ascontiguousarray(source.column(f"{self._name}_{of}").values)
        if by is None:
            codes, labels = np.zeros(source.n, dtype=np.uint32), ["all"]
        else:
            codes, labels = _columns.groups(source, by)
        records = _core.summarise_scores(scores, np.ascontiguousarray(codes), len(labels))
        kept = [scores[(codes == g) & ~np.isnan(scores)] for g in range(len(labels))]
        return labels, records, kept

    def _table(self) -> Table:
        records = self._by(None, "total")[1] + self._by(None, "mean")[1]
        return Table(
            ["", "n", "missing", "mean", "SD", "min", "median", "max"],
            [
                [label, r.n, r.missing, r.mean, r.sd, r.min, r.median, r.max]
                for label, r in zip(("total", "mean answer"), records, strict=True)
            ],
            title=f"Rating scale of {len(self.items)} items",
            notes=self.notes,
            digits=2,
        )

    def _panels(self) -> list[Table]:
        return [self._table()]


@checked
def score(
    frame: Any,
    items: Sequence[str],
    *,
    reverse: Sequence[str] = (),
    scale: tuple[int, int] = (1, 5),
    labels: Mapping[Any, float | None] | None = None,
    needed: float = 0.5,
    name: str = "score",
) -> Scores:
    """Score a rating (Likert) scale.

    Parameters
    ----------
    frame : data frame
        One row a person.
    items : sequence of str
        The columns of the answers: whole numbers, or labels that `labels` explains.
    reverse : sequence of str
        The items where a high answer means a low score.
    scale : (int, int)
        The lowest and the highest answer.
    labels : mapping of label to number, optional
        What labels are worth, for instance ``{"never": 1, "always": 5, "not sure": None}``, with None
        where there is no answer. A label is matched as it is written, or without case and punctuation
        where that fits one label alone. Labels may be numbers: ``{-9: None}``, or ``{0: 1, 1: 2}``, by
        which numbers are then read too.
    needed : float
        The share of the items that must be answered.
    name : str
        What the added columns' names start with.

    Returns
    -------
    Scores

    Raises
    ------
    InputError
        Where an answer is off the scale, a word is unknown (the nearest are given) or could be several
        labels, or a reversed item is not among the items.

    Examples
    --------
    >>> import pandas as pd
    >>> import crewe as cw
    >>> data = pd.DataFrame({"tense": [4, 5, 2], "calm": [2, 1, 5], "arm": ["a", "b", "b"]})
    >>> stress = cw.survey.score(data, ["tense", "calm"], reverse=["calm"])
    >>> stress.frame["score_total"].tolist()
    [8.0, 10.0, 3.0]
    >>> stress.summary(by="arm")["mean"].tolist()
    [8.0, 6.5]
    """
    source = Source(frame)
    names = [items] if isinstance(items, str) else list(items)
    turned = {reverse} if isinstance(reverse, str) else set(() if reverse is None else reverse)
    twice = sorted({item for item in names if names.count(item) > 1})
    if twice:
        raise fault(
            InputError, "items are named twice", values=twice, remedy="Name each column once"
        )
    for item in sorted(turned - set(names)):
        raise fault(
            InputError,
            f"the reversed item '{item}' is not among the items",
            column=item,
            remedy=nearest(item, names),
        )
    added = [f"{name}_{part}" for part in ("mean", "total", "answered")]
    clash = [column for column in added if column in source.names]
    if clash:
        raise fault(
            InputError,
            "the frame already has columns of the names to be added",
            values=clash,
            remedy="Pass another name=",
        )
    low_high, share = _range(scale), _share(needed)
    words = Labels(labels)
    values = [answers(source.cells(item), item, words) for item in names]
    out = _core.likert_score(
        np.ascontiguousarray(np.column_stack(values)) if values else np.empty((source.n, 0)),
        names,
        [item in turned for item in names],
        low_high,
        share,
    )
    least = math.ceil(share * len(names) - 1e-9)
    notes = [
        "Missing answers: scored from the items answered where at least "
        f"{least} of {len(names)} are; the total is the mean answer times the number of items."
    ]
    short = int(np.isnan(out.total).sum())
    if short:
        notes.append(f"{short} people answered fewer items and have no score.")
    if not math.isnan(out.alpha):
        notes.append(f"Cronbach's alpha is {out.alpha:.2f} over {out.complete} complete rows.")
    item_rest = dict(zip(names, out.item_rest, strict=True))
    lowest = sorted((r, item) for item, r in item_rest.items() if r < 0)
    against = [f"{item} {number(r, 2)}" for r, item in lowest]
    if against:
        notes.append(
            "Items that run against the rest of the scale, by their correlation with the sum of the "
            f"others: {', '.join(against)}. Check which items reverse= must name."
        )
    return Scores(
        frame=source.with_columns(
            dict(zip(added, (out.mean, out.total, out.answered), strict=True))
        ),
        alpha=out.alpha,
        item_rest=item_rest,
        items=names,
        notes=notes,
        _name=name,
        _range=low_high,
        synthetic=source.synthetic,
    )


def _range(scale: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in scale)
    except (TypeError, ValueError):
        raise fault(
            InputError,
            "a rating scale runs between two whole numbers",
            values=[said(scale)],
            remedy="Give the lowest and the highest answer, for instance (1, 5)",
        ) from None
    return low, high


def _share(needed: Any) -> float:
    try:
        return float(needed)
    except (TypeError, ValueError):
        raise fault(
            InputError,
            "the share of items that must be answered is not a number",
            values=[said(needed)],
            remedy="Give a share above 0 and at most 1",
        ) from None

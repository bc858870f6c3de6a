"""Counts and shares by arm: categories, and classes of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.comparisons.samples import (
    Result,
    kind_of,
    two_sides,
)
from crewe.exceptions import InputError, fault, shown_labels
from crewe.frames.arguments import checked
from crewe.frames.choices import Missing
from crewe.frames.source import label_of, numbers
from crewe.models.grouped import each
from crewe.models.groups import label_among
from crewe.models.request import by_arm, numeric, read
from crewe.tables.counts import PROTECTOR, Count, Share, cell, counted, crossed, shown
from crewe.tables.display import Table
from crewe.tables.labels import pretty
from crewe.tables.wording import carry, worded

_LEFT = " Bars are left out where a count is suppressed."


@dataclass(repr=False)
class Crosstab(Result):
    """Counts and shares by arm; made by :func:`crosstab`.

    Attributes
    ----------
    outcome, by : str
        What was counted, and by what.
    rows, columns : list of str
        Their levels.
    counts, shares : arrays (rows, columns)
        Counts, and shares within each column.
    totals : array (columns,)
        The size of each column.
    """

    outcome: str = ""
    by: str = ""
    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    counts: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    shares: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    totals: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "term": row,
                "estimate": float(self.shares[i, j]),
                self.by or "group": column,
                "count": int(self.counts[i, j]),
                "n": int(self.totals[j]),
            }
            for j, column in enumerate(self.columns)
            for i, row in enumerate(self.rows)
        ]

    def _typed(self) -> tuple[list[list[Count]], list[Count]]:
        """Give the counts and the sizes of the columns with whose they are."""
        groups = [{self.by: column} if self.by else {} for column in self.columns]
        counts = [
            [
                counted(n, {**group, self.outcome: row})
                for n, group in zip(line, groups, strict=True)
            ]
            for row, line in zip(self.rows, self.counts, strict=True)
        ]
        return counts, [counted(n, group) for n, group in zip(self.totals, groups, strict=True)]

    def _shown(self) -> tuple[NDArray[np.float64], list[int | None]]:
        """Give the shares and the sizes that a figure may show."""
        counts, totals = self._typed()
        flat = [count for line in counts for count in line]
        if PROTECTOR.get() is None:
            return self.shares, [int(n) for n in self.totals]
        found = shown([*flat, *totals], crossed(flat))
        sizes = found[len(flat) :]
        shares = [
            np.nan if few is None or not total else few / total
            for few, total in zip(found[: len(flat)], sizes * len(counts), strict=True)
        ]
        return np.reshape(np.array(shares, dtype=np.float64), self.shares.shape), sizes

    def table(self) -> Table:
        """Give the table that is printed: the count and its share of the column."""
        counts, totals = self._typed()
        body: list[list[Any]] = [
            [
                row,
                *(
                    cell(few, Share(few, total), form="{} ({})")
                    for few, total in zip(line, totals, strict=True)
                ),
            ]
            for row, line in zip(self.rows, counts, strict=True)
        ]
        body.append(["all", *map(cell, totals)])
        title = self.outcome + (f" by {self.by}" if self.by else "")
        return Table(
            ["", *map(worded, self.columns)],
            body,
            self._titled(title),
            [f"Note: {note}." for note in self.notes],
            relations=crossed([count for line in counts for count in line]),
        )

    def plot(
        self,
        ax: Any = None,
        *,
        labels: Mapping[str, str] | None = None,
        ylabel: str = "",
        xlabel: str | None = None,
    ) -> Any:
        """Draw the shares of the categories, a bar for each arm.

        Parameters
        ----------
        labels : mapping, optional
            What to print in place of arms and categories.
        ylabel, xlabel : str, optional
            The names of the axes; the column's otherwise.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib Axes
        """
        from crewe.plots.bars import Bars, grouped

        group = pretty(self.by)
        shares, sizes = self._shown()
        bars = Bars(
            self.rows,
            self.columns,
            shares.T,
            ylabel=ylabel or (f"Share within each {group}" if self.by else "Share"),
            xlabel=pretty(self.outcome).capitalize() if xlabel is None else xlabel,
            percent=True,
            synthetic=self.synthetic,
            totals=sizes,
            caption=_LEFT.strip() if PROTECTOR.get() and np.isnan(shares).any() else "",
            labels=dict(labels or {}),
        )
        return grouped(bars, ax)


@checked
def crosstab(
    formula: str,
    data: Any,
    *,
    bins: Sequence[float] | None = None,
    order: Sequence[str] | None = None,
    design: Any = None,
    cluster: Any = None,
    by: str | None = None,
    missing: Missing = "drop",
    reference: Any = None,
    synthetic: bool = False,
) -> Any:
    """Count categories by arm, with shares within each arm.

    Parameters
    ----------
    formula : str
        `"outcome ~ arm"`; a name alone counts over all rows.
    data : data frame
        The data.
    bins : sequence of float, optional
        For numbers: edges of the classes [a, b), the last one closed; for a distribution of scores. The
        classes stand in their own order, so that `order` is refused beside it.
    order : sequence of str, optional
        The categories in the order to print; as they are sorted otherwise. One that nobody has is
        counted as none.
    design : Assignment or closed Ledger, optional
        The trial: gives the arm and its order, the reference first, and the units that were randomised.
    cluster : str, or array of ids (n,), optional
        The unit that was randomised; with several rows a unit a note says that they count as independent.
    by : str, optional
        A column, for a result within each of its values.
    missing : {"drop", "refuse"}
        What becomes of rows with missing values: left out and counted by arm, or refused.
    reference : str, optional
        The arm to put first.
    synthetic : bool
        Marks the table and the figure as made from synthetic data.

    Returns
    -------
    Crosstab, or with `by` a mapping from group to one

    Raises
    ------
    InputError
        An unknown column, a value outside the bins, `bins` and `order` together.

    Examples
    --------
    >>> import crewe as cw
    >>> table = cw.crosstab(
    ...     "outcome ~ arm", {"outcome": ["closed", "open", "closed"], "arm": ["PC", "PC", "CEC"]}
    ... )
    >>> table.rows, table.columns, table.counts.tolist()
    (['closed', 'open'], ['CEC', 'PC'], [[1, 1], [0, 1]])
    """
    if by is not None:
        return each(
            by,
            data,
            cluster,
            missing,
            lambda part, inside: crosstab(
                formula,
                part,
                bins=bins,
                order=order,
                design=design,
                cluster=inside,
                missing=missing,
                reference=reference,
                synthetic=synthetic,
            ),
        )
    if bins is not None and order is not None:
        raise fault(
            InputError,
            "bins= makes classes that stand in the order of their edges, and order= names categories",
            remedy="Pass one of the two",
        )
    outcome, right = two_sides(formula)
    if len(right) > 1:
        raise fault(
            InputError,
            "a table of counts is by one column",
            values=right,
            remedy=f"Write '{outcome} ~ arm'",
        )
    asked = read(data, right, design=design, cluster=cluster, missing=missing)
    if bins is None:
        rows, row_codes = asked.arms(outcome)
        if order is not None:
            wanted = [label_among(name, rows) for name in order]
            rows, row_codes = _reordered(rows, row_codes, wanted, outcome)
    else:
        rows, row_codes = _classes(numeric(asked.source, outcome), bins, outcome)
    if right:
        columns, column_codes = asked.arms(right[0], reference)
    else:
        columns, column_codes = ["all"], np.zeros(asked.source.n, dtype=np.int64)
    gone = {outcome: row_codes < 0}
    if right:
        gone[right[0]] = column_codes < 0
    kept, _ = asked.kept(gone)
    if not kept.any():
        raise fault(
            InputError,
            "there are no rows to count",
            column=outcome,
            remedy="Check the filter that came before, and how the columns were read",
        )
    notes = list(asked.notes)
    if not kept.all():
        names = " or ".join([outcome, *right])
        note = f"{int((~kept).sum())} of {asked.source.n} rows without {names} are left out"
        if right:
            note += f"; by {right[0]}: {by_arm((columns, column_codes), ~kept)}"
        notes.append(note)
    notes += asked.independence(kept, "the shares rest on fewer independent units than rows")
    got = _core.crosstab(
        row_codes[kept].astype(np.uint32),
        column_codes[kept].astype(np.uint32),
        len(rows),
        len(columns),
    )
    shape = (len(rows), len(columns))
    made = Crosstab(
        0.95,
        notes,
        synthetic or asked.synthetic,
        kind_of(asked.source),
        outcome=outcome,
        by=right[0] if right else "",
        rows=rows,
        columns=columns,
        counts=got.counts.astype(np.int64).reshape(shape),
        shares=got.shares.reshape(shape),
        totals=got.totals.astype(np.int64),
    )
    return carry(made, asked.words)


def _reordered(
    found: list[str], codes: NDArray[np.int64], order: list[str], name: str
) -> tuple[list[str], NDArray[np.int64]]:
    lacking = [level for level in found if level not in order]
    if lacking or len(set(order)) < len(order):
        raise fault(
            InputError,
            "order= must name every category once",
            column=name,
            labels=lacking or order,
            remedy=f"The data have {', '.join(shown_labels(found)) or 'other categories'}",
        )
    places = np.array([order.index(level) for level in found] + [-1], dtype=np.int64)
    return order, places[codes]


def _classes(
    values: NDArray[np.float64], bins: Sequence[float], name: str
) -> tuple[list[str], NDArray[np.int64]]:
    edges = np.ascontiguousarray(numbers(bins, "bins", "Give the edges of the classes as numbers"))
    if edges.ndim != 1:
        raise fault(
            InputError,
            f"bins has {edges.ndim} dimensions",
            remedy="Give one list of rising edges, for instance [0, 10, 20]",
        )
    if np.isinf(edges).any():
        raise fault(
            InputError,
            "an edge of the classes is infinite, and a class without an end has no width",
            column=name,
            remedy="Give the least and the greatest value that can occur as the outer edges",
        )
    codes = _core.cut(values, edges, name)
    missing = codes < 0
    whole = bool((np.abs(edges - edges.round()) <= _rounding(edges)).all()) and bool(
        (values[~missing] == values[~missing].round()).all()
    )
    edges = edges.round() if whole else _written(edges)
    last = len(edges) - 2
    labels = []
    for i in range(len(edges) - 1):
        top = edges[i + 1] - 1 if whole and i < last else edges[i + 1]
        same = whole and top == edges[i]
        labels.append(label_of(edges[i]) if same else f"{label_of(edges[i])}–{label_of(top)}")
    return labels, codes


def _rounding(edges: NDArray[np.float64]) -> float:
    """Give what arithmetic may leave behind in edges: 0.1 * 3 is not the double 0.3."""
    return 1e-12 * float(np.abs(edges).max())


def _written(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give edges as they are printed: short decimals exactly, others rounded well below the width of a class."""
    rounding = _rounding(edges)
    places = next((d for d in range(18) if len(set(edges.round(d).tolist())) == len(edges)), 17)

    def written(edge: float) -> float:
        if abs(edge) <= rounding:
            return 0.0
        short = (float(f"{edge:.{digits}g}") for digits in range(1, 11))
        near = (value for value in short if abs(value - edge) <= rounding)
        return next(near, round(edge, places + 2))

    printed = np.array([written(float(edge)) for edge in edges])
    return printed if bool((np.diff(printed) > 0).all()) else edges

"""Means and standard deviations by arm."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crewe import _core
from crewe.comparisons.counting import described, hidden
from crewe.comparisons.crosstabs import Crosstab, crosstab
from crewe.comparisons.samples import (
    Result,
    interval_heading,
    kind_of,
    spread,
    two_sides,
)
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.choices import Missing
from crewe.models.grouped import each
from crewe.models.request import numeric, read
from crewe.tables.counts import Told, cell
from crewe.tables.display import Table, number
from crewe.tables.labels import pretty
from crewe.tables.wording import carry, worded

# Programs import the tables of counts from here too.
__all__ = ["Crosstab", "Description", "crosstab", "describe"]

_LEFT = " Bars are left out where a count is suppressed."


@dataclass(repr=False)
class Description(Result):
    """Means by group; made by :func:`describe`.

    Attributes
    ----------
    outcome : str
        What was described.
    by : list of str
        The columns that make the groups.
    levels : list of list of str
        Their levels.
    groups : list of dict
        One a combination of levels that occurs: its levels, n, missing, mean, sd, std_error, min,
        median, max and the interval of the mean.
    """

    outcome: str = ""
    by: list[str] = field(default_factory=list)
    levels: list[list[str]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "term": ", ".join(map(worded, group["levels"])) or self.outcome,
                "estimate": group["mean"],
                "std_error": group["std_error"],
                "df": group["n"] - 1.0,
                "conf_low": group["conf_low"],
                "conf_high": group["conf_high"],
                **dict(zip(self.by, group["levels"], strict=True)),
                **{name: group[name] for name in ("n", "missing", "sd", "min", "median", "max")},
            }
            for group in self.groups
        ]

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        return [
            f"Mean, standard deviation (n − 1) and Student's {interval_heading(self.level)} of the "
            "mean, which takes rows as independent: it describes, and does not test."
        ]

    def table(self) -> Table:
        """Give the table that is printed."""
        counts, relations = described(self.groups, self.by, self.outcome)
        rows = [
            [
                ", ".join(map(worded, group["levels"])) or self.outcome,
                cell(count.size),
                cell(count.lost),
                cell(Told(number(group["mean"], 2), count.known)),
                cell(Told(number(group["sd"], 2), count.known)),
                cell(Told(number(group["median"], 2), count.known)),
                cell(Told(spread(group["min"], group["max"], 2), count.known, single=True)),
                cell(Told(spread(group["conf_low"], group["conf_high"], 2), count.known)),
            ]
            for group, count in zip(self.groups, counts, strict=True)
        ]
        header = ["", "n", "missing", "mean", "SD", "median", "range", interval_heading(self.level)]
        title = self.outcome + (f" by {', '.join(self.by)}" if self.by else "")
        notes = [*self.methods(), *(f"Note: {note}." for note in self.notes)]
        return Table(header, rows, self._titled(title), notes, relations=relations)

    def plot(
        self,
        ax: Any = None,
        *,
        labels: Mapping[str, str] | None = None,
        ylabel: str = "",
        xlabel: str | None = None,
    ) -> Any:
        """Draw the means as bars with intervals, the number of rows under each group.

        The second grouping goes along the axis, with a bar for each level of the first.

        Parameters
        ----------
        labels : mapping, optional
            What to print in place of levels.
        ylabel, xlabel : str, optional
            The names of the axes; those of the columns otherwise.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib Axes
        """
        from crewe.plots.bars import Bars, grouped

        if not 1 <= len(self.by) <= 2:
            raise fault(
                InputError,
                f"a figure needs one or two groupings, and there are {len(self.by)}",
                values=self.by,
                remedy="Describe by arm, or by arm and wave",
            )
        along = self.levels[1] if len(self.by) == 2 else [self.outcome]
        shape = (len(self.levels[0]), len(along))
        mean, low, high, sizes = (np.full(shape, np.nan) for _ in range(4))
        counts, relations = described(self.groups, self.by, self.outcome)
        left = hidden(counts, relations)
        for group, out in zip(self.groups, left, strict=True):
            if out:
                continue
            row = self.levels[0].index(group["levels"][0])
            column = along.index(group["levels"][1]) if len(self.by) == 2 else 0
            mean[row, column] = group["mean"]
            low[row, column], high[row, column] = group["conf_low"], group["conf_high"]
            sizes[row, column] = group["n"]
        named = dict(labels or {})
        if len(self.by) == 1:
            named.setdefault(self.outcome, "")
        along_axis = pretty(self.by[1]).capitalize() if len(self.by) == 2 else ""
        bars = Bars(
            along,
            self.levels[0],
            mean,
            low=low,
            high=high,
            ylabel=ylabel or f"Mean {pretty(self.outcome)}",
            xlabel=along_axis if xlabel is None else xlabel,
            caption=f"Lines: {100 * self.level:g}% confidence intervals of the mean."
            + (_LEFT if any(left) else ""),
            synthetic=self.synthetic,
            sizes=sizes,
            numbers=True,
            labels=named,
        )
        return grouped(bars, ax)


@checked
def describe(
    formula: str,
    data: Any,
    *,
    design: Any = None,
    cluster: Any = None,
    by: str | None = None,
    missing: Missing = "drop",
    reference: Any = None,
    level: float = 0.95,
    synthetic: bool = False,
) -> Any:
    """Give mean, standard deviation, n and an interval of a number by group.

    Parameters
    ----------
    formula : str
        `"visits ~ arm + wave"`; a name alone describes all rows.
    data : data frame
        The data.
    design : Assignment or closed Ledger, optional
        The trial: gives the arm and its order, the reference first, and the units that were randomised.
    cluster : str, or array of ids (n,), optional
        The unit that was randomised; with several rows a unit a note says that they count as independent.
    by : str, optional
        A column, for a result within each of its values.
    missing : {"drop", "refuse"}
        What becomes of rows with missing values: left out and counted by arm, or refused.
    reference : str, optional
        The level of the first grouping to put first.
    level : float
        Of the intervals, which take rows as independent.
    synthetic : bool
        Marks the table and the figure as made from synthetic data.

    Returns
    -------
    Description, or with `by` a mapping from group to one

    Raises
    ------
    InputError
        An unknown column, an outcome that is text or infinite.

    Examples
    --------
    >>> import crewe as cw
    >>> visits = cw.describe(
    ...     "visits ~ arm", {"visits": [11, 9, 4, 2], "arm": ["PC", "PC", "CEC", "CEC"]}
    ... )
    >>> [(group["levels"], group["mean"]) for group in visits.groups]
    [(['CEC'], 3.0), (['PC'], 10.0)]
    """
    if by is not None:
        return each(
            by,
            data,
            cluster,
            missing,
            lambda part, inside: describe(
                formula,
                part,
                design=design,
                cluster=inside,
                missing=missing,
                reference=reference,
                level=level,
                synthetic=synthetic,
            ),
        )
    outcome, names = two_sides(formula)
    asked = read(data, names, design=design, cluster=cluster, missing=missing)
    values = numeric(asked.source, outcome)
    levels, codes = [], []
    for i, name in enumerate(names):
        found = asked.arms(name, reference if i == 0 else None)
        levels.append(found[0])
        codes.append(found[1])
    group = np.zeros(asked.source.n, dtype=np.int64)
    for level_names, code in zip(levels, codes, strict=True):
        group = group * len(level_names) + code
    gone = {name: code < 0 for name, code in zip(names, codes, strict=True)}
    if missing == "refuse":
        asked.kept({outcome: np.isnan(values), **gone})
    kept, _ = asked.kept(gone)
    notes = list(asked.notes)
    if not kept.all():
        notes.append(f"{int((~kept).sum())} rows without {' or '.join(names)} are left out")
    notes += asked.independence(kept & ~np.isnan(values), "the intervals are too narrow")
    combinations = list(itertools.product(*levels))
    found_groups = _core.group_summary(
        np.ascontiguousarray(values[kept]),
        group[kept].astype(np.uint32),
        len(combinations),
        level,
    )
    groups = [
        {
            "levels": list(combined),
            "n": summary.n,
            "missing": summary.missing,
            "mean": summary.mean,
            "sd": summary.sd,
            "std_error": summary.std_error,
            "min": summary.min,
            "median": summary.median,
            "max": summary.max,
            "conf_low": summary.conf_low,
            "conf_high": summary.conf_high,
        }
        for combined, summary in zip(combinations, found_groups, strict=True)
        if summary.n + summary.missing > 0
    ]
    if not groups:
        raise fault(
            InputError,
            "there are no rows to describe",
            column=outcome,
            remedy="Check the filter that came before, and how the columns were read",
        )
    made = Description(
        level,
        notes,
        synthetic or asked.synthetic,
        kind_of(asked.source),
        outcome=outcome,
        by=names,
        levels=levels,
        groups=groups,
    )
    return carry(made, asked.words)

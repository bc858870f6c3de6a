"""The log-rank test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.choices import Missing
from crewe.frames.source import build
from crewe.models.grouped import each
from crewe.models.linear import rows_of_the_data
from crewe.survival._surv import equals, grouped, need_text
from crewe.tables.counts import Relation, Told, cell, counted
from crewe.tables.display import Table, number
from crewe.tables.printable import Printable
from crewe.tables.wording import carry, worded


@dataclass(repr=False)
class LogRank(Printable):
    """A log-rank test; made by :func:`logrank`.

    Attributes
    ----------
    statistic : float
        Chi-squared.
    df : int
        Its degrees of freedom.
    p_value : float
        Its upper tail.
    observed, expected : array
        Events by group, and what would be expected if the groups were alike.
    notes : list of str
        What a reader must know.
    """

    groups: list[str]
    by: str
    n: list[int]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64] = field(repr=False)
    statistic: float = np.nan
    df: int = 0
    p_value: float = np.nan
    notes: list[str] = field(default_factory=list)
    stratified: bool = False
    synthetic: bool = False
    implementation: Any = field(default=None, repr=False)
    event_name: str = field(default="event", repr=False)

    def tidy(self) -> Any:
        """Give one row a group: `term, n, observed, expected`, and the test in every row."""
        k = len(self.groups)
        return build(
            {
                "term": self.groups,
                "n": self.n,
                "observed": self.observed,
                "expected": self.expected,
                "statistic": [self.statistic] * k,
                "df": [self.df] * k,
                "p_value": [self.p_value] * k,
            },
            self.implementation,
            synthetic=self.synthetic,
        )

    def summary(self) -> Table:
        """Give the printed table."""
        relations: list[Relation] = []
        sizes, had = [], []
        for group, n, events in zip(self.groups, self.n, self.observed, strict=True):
            at = {self.by: group}
            sizes.append(counted(n, at))
            had.append(counted(round(float(events)), {**at, self.event_name: "1"}))
            others = counted(n - had[-1].value, {**at, self.event_name: "0"})
            relations.append(Relation(sizes[-1], (had[-1], others)))
        # The numbers expected add up to those observed, so any of them may give the others away.
        given = (*sizes, *had)
        rows: list[list[Any]] = [
            [worded(group), cell(size), cell(events), cell(Told(number(float(e), 1), given))]
            for group, size, events, e in zip(self.groups, sizes, had, self.expected, strict=True)
        ]
        said = f"{self.statistic:.2f} on {self.df} df, {equals(self.p_value)}"
        test = cell(Told(said, given), form="Chi-squared {}.")
        title = "Log-rank test" + (", stratified" if self.stratified else "")
        return Table(
            [self.by, "rows", "events", "expected"],
            rows,
            title=title + (" (SYNTHETIC data)" if self.synthetic else ""),
            notes=[test, *[f"Note: {note}." for note in self.notes]],
            relations=relations,
        )

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        layers = " stratified" if self.stratified else ""
        return [f"Groups were compared by the{layers} log-rank test, upper tail of chi-squared."]

    def _panels(self) -> list[Table]:
        return [self.summary()]


@checked
def logrank(
    formula: Any,
    data: Any = None,
    *,
    strata: Any = None,
    design: Any = None,
    cluster: Any = None,
    by: str | None = None,
    missing: Missing = "drop",
    synthetic: bool = False,
) -> Any:
    """Test whether groups survive alike.

    The test takes rows as independent: with siblings of one family in the data, prefer the robust
    test of :func:`coxph` with `design` or `cluster`.

    Parameters
    ----------
    formula : str, or Surv
        `"Surv(days, closed) ~ arm"`, with `+ strata(history)` for comparisons within strata; or
        `cw.Surv(time, event)` with the groups as an array in `data`.
    data : data frame, or array (n,)
    strata : str, list of str, or array (n,), optional
        Compares within these only.
    design : Assignment or closed Ledger, optional
        The trial: gives the arm and its order, the reference first, and the units that were randomised.
    cluster : str, or array of ids (n,), optional
        The unit that was randomised; with several rows a unit a note says that they count as independent.
    by : str, optional
        A column, for a result within each of its values.
    missing : {"drop", "refuse"}
        What becomes of rows with missing values: left out and counted by arm, or refused.
    synthetic : bool
        Marks the table as made from synthetic data.

    Returns
    -------
    LogRank, or with `by` a mapping from group to one

    Examples
    --------
    >>> import crewe as cw
    >>> test = cw.logrank("Surv(week, arrest) ~ fin", cw.datasets.rossi())
    >>> round(test.statistic, 3), test.df
    (3.838, 1)
    """
    if by is not None:
        need_text(formula)
        return each(
            by,
            data,
            cluster,
            missing,
            lambda part, inside: logrank(
                formula,
                part,
                strata=strata,
                design=design,
                cluster=inside,
                missing=missing,
                synthetic=synthetic,
            ),
        )
    read = grouped(
        formula,
        data,
        strata=strata,
        design=design,
        cluster=cluster,
        missing=missing,
        narrow="the variance of the test is too small, and so is p",
        compared=True,
    )
    if len(read.labels) < 2:
        raise fault(
            InputError,
            "a comparison needs two groups with rows, and there is one",
            remedy="Check the column of arms and the filter that came before",
        )
    with rows_of_the_data(read.rows):
        test = _core.logrank(read.surv.core(), read.groups, read.labels, read.strata)
    made = LogRank(
        groups=read.labels,
        by=read.by,
        n=test.n,
        observed=test.observed,
        expected=test.expected,
        variance=test.variance,
        statistic=test.statistic,
        df=test.df,
        p_value=test.p_value,
        notes=[*read.notes, *test.notes],
        stratified=read.strata is not None,
        synthetic=synthetic or read.synthetic,
        implementation=read.implementation,
        event_name=read.surv.event_name,
    )
    return carry(made, read.words)

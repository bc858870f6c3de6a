"""Small counts: two rates side by side, and p-values adjusted for several tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crewe import _core
from crewe.comparisons.samples import (
    Result,
    check_alternative,
    count,
    events_of,
    interval_heading,
    kind_of,
    need_two,
    percents,
    spread,
    tail_rule,
    two_sides,
)
from crewe.exceptions import InputError, fault
from crewe.formula import parse as parsing
from crewe.frames.arguments import checked
from crewe.frames.choices import Alternative, Missing
from crewe.frames.source import numbers
from crewe.models.grouped import each
from crewe.models.request import Request, need_formula, read
from crewe.tables.counts import Count, Counted, Relation, Share, Told, cell, counted, crossed
from crewe.tables.display import Table, number, p_value
from crewe.tables.labels import signed
from crewe.tables.wording import carry, worded

EXACT_CASES = 1_000
"""Cases up to which the exact unconditional interval comes by default."""

# -- two rates --------------------------------------------------------------------------------


@dataclass(repr=False)
class RateComparison(Result):
    """Two rates and what separates them; made by :func:`compare_rates`.

    Attributes
    ----------
    outcome, by : str
        The event, and what makes the arms.
    arms : tuple of str
        The arm that was compared, then the reference.
    events, totals, rates : tuple
        Events, cases and rates of both.
    difference : float
        The rate of the compared arm less that of the reference.
    newcombe, chan_zhang : tuple of float
        Its hybrid score interval, and the exact unconditional one (None where it was not worked
        out).
    chan_zhang_p : float or None
        The exact unconditional p-value of no difference.
    odds_ratio, odds_interval, p_value : float, tuple, float
        The conditional estimate, its exact interval, and Fisher's exact p-value.
    mid_p_value, mid_p_interval : float, tuple
        The mid-p versions on the conditional odds ratio.
    mark : str
        The trial that `design=` joined, by name and hash; empty without one.
    """

    outcome: str = ""
    by: str = "arm"
    arms: tuple[str, str] = ("first", "second")
    alternative: str = "two-sided"
    events: tuple[int, int] = (0, 0)
    totals: tuple[int, int] = (0, 0)
    rates: tuple[float, float] = (np.nan, np.nan)
    rate_intervals: tuple[tuple[float, float], ...] = ()
    difference: float = np.nan
    newcombe: tuple[float, float] = (np.nan, np.nan)
    chan_zhang: tuple[float, float] | None = None
    chan_zhang_p: float | None = None
    odds_ratio: float = np.nan
    odds_interval: tuple[float, float] = (np.nan, np.nan)
    p_value: float = np.nan
    mid_p_value: float = np.nan
    mid_p_interval: tuple[float, float] = (np.nan, np.nan)
    mark: str = ""

    @property
    def rule(self) -> str:
        """The rule of Fisher's p-value."""
        if self.alternative == "two-sided":
            return "two-sided: the tables no more probable than the one seen"
        return tail_rule(self.alternative, *self.arms)

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [
            {
                "term": f"rate: {arm}",
                "estimate": rate,
                "conf_low": interval[0],
                "conf_high": interval[1],
            }
            for arm, rate, interval in zip(self.arms, self.rates, self.rate_intervals, strict=True)
        ]
        low, high = self.newcombe
        rows.append(
            {
                "term": "difference (Newcombe)",
                "estimate": self.difference,
                "conf_low": low,
                "conf_high": high,
            }
        )
        if self.chan_zhang is not None:
            rows.append(
                {
                    "term": "difference (exact)",
                    "estimate": self.difference,
                    "p_value": self.chan_zhang_p,
                    "conf_low": self.chan_zhang[0],
                    "conf_high": self.chan_zhang[1],
                }
            )
        for term, p, (low, high) in (
            ("odds ratio (Fisher)", self.p_value, self.odds_interval),
            ("odds ratio (mid-p)", self.mid_p_value, self.mid_p_interval),
        ):
            rows.append(
                {
                    "term": term,
                    "estimate": self.odds_ratio,
                    "p_value": p,
                    "conf_low": low,
                    "conf_high": high,
                }
            )
        return rows

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        lines = [
            f"Fisher's exact test, {self.rule}; odds ratio by conditional maximum likelihood.",
            "Rates with Clopper-Pearson intervals; difference with Newcombe's hybrid score "
            "interval (1998, method 10).",
            "Mid-p on the conditional odds ratio"
            + (": twice the smaller mid-p tail." if self.alternative == "two-sided" else "."),
        ]
        if self.chan_zhang is not None:
            lines.append(
                "Exact difference: unconditional, inverting two one-sided tests on the score "
                "statistic (Chan and Zhang 1999); p is twice the smaller tail, always two-sided."
            )
        return lines

    def table(self) -> Table:
        """Give the table that is printed."""
        rows: list[list[Any]] = []
        relations: list[Relation] = []
        given: list[Count] = []
        for arm, events, total, interval in zip(
            self.arms, self.events, self.totals, self.rate_intervals, strict=True
        ):
            at = {self.by: arm}
            few, all_ = counted(events, {**at, self.outcome: "1"}), counted(total, at)
            others = counted(total - events, {**at, self.outcome: "0"})
            relations.append(Relation(all_, (few, others)))
            given += [few, all_, others]
            rows.append(
                [
                    worded(arm),
                    cell(few, all_, Share(few, all_), form="{}/{} = {}"),
                    cell(Told(percents(*interval), (few, all_, others))),
                    "",
                ]
            )
        relations += crossed([part for relation in relations for part in relation.parts])

        def told(text: str) -> Counted:
            # With one arm known, what compares the two gives the other away.
            return cell(Told(text, tuple(given)))

        points = told(f"{signed(100 * self.difference)} pp")
        rows.append(["difference (Newcombe)", points, told(_points(self.newcombe)), ""])
        if self.chan_zhang is not None and self.chan_zhang_p is not None:
            rows.append(
                [
                    "difference (exact)",
                    points,
                    told(_points(self.chan_zhang)),
                    told(p_value(self.chan_zhang_p)),
                ]
            )
        ratio = told(number(self.odds_ratio, 2))
        rows.append(
            [
                "odds ratio (Fisher)",
                ratio,
                told(spread(*self.odds_interval, 2)),
                told(p_value(self.p_value)),
            ]
        )
        rows.append(
            [
                "odds ratio (mid-p)",
                ratio,
                told(spread(*self.mid_p_interval, 2)),
                told(p_value(self.mid_p_value)),
            ]
        )
        title = f"Rates: {self.outcome}, {worded(self.arms[0])} against {worded(self.arms[1])}"
        return Table(
            ["", "estimate", interval_heading(self.level), "p"],
            rows,
            self._titled(title),
            [*self.methods(), *(f"Note: {note}." for note in self.notes)],
            relations=relations,
        )


def _points(limits: tuple[float, float]) -> str:
    return f"{signed(100 * limits[0])} to {signed(100 * limits[1])} pp"


@checked
def compare_rates(
    formula: str | None = None,
    data: Any = None,
    *,
    events: Sequence[int] | None = None,
    totals: Sequence[int] | None = None,
    arms: Sequence[str] | None = None,
    alternative: Alternative = "two-sided",
    exact: bool | None = None,
    design: Any = None,
    cluster: Any = None,
    by: str | None = None,
    missing: Missing = "drop",
    reference: Any = None,
    level: float = 0.95,
    synthetic: bool = False,
) -> Any:
    """Compare the rate of an event between two arms when events are few.

    Gives Fisher's exact test by R's rule with the conditional odds ratio, mid-p beside it, and the
    difference of the rates with Newcombe's interval and the exact unconditional one of Chan and
    Zhang.

    Parameters
    ----------
    formula : str, optional
        `"re_referred ~ arm"`, the event as 0/1; the second arm is compared with the first.
    data : data frame, optional
        The data of the formula.
    events, totals : pairs of int, optional
        Instead of a formula: events and cases of the reference arm, then of the one compared with it.
    arms : pair of str, optional
        With counts: the names of the two, the reference first.
    alternative : {"two-sided", "less", "greater"}
        Of Fisher's and the mid-p test; `"greater"`: the compared arm's rate is larger.
    exact : bool, optional
        Whether to work out the exact unconditional interval; by default up to 1,000 cases.
    design : Assignment or closed Ledger, optional
        The trial: gives the arm and its order, the reference first, and the units that were randomised.
    cluster : str, or array of ids (n,), optional
        The unit that was randomised; several rows a unit are refused.
    by : str, optional
        A column, for a result within each of its values.
    missing : {"drop", "refuse"}
        What becomes of rows with missing values: left out and counted by arm, or refused.
    reference : str, optional
        The reference arm, where it is not the first.
    level : float
        Of the intervals.
    synthetic : bool
        Marks every table as made from synthetic data.

    Returns
    -------
    RateComparison, or with `by` a mapping from group to one

    Raises
    ------
    InputError
        More events than cases, an empty arm, negative or fractional counts, an outcome that is not
        0/1.
    DesignError
        Clusters that split a unit of the trial.

    Examples
    --------
    >>> import crewe as cw
    >>> rates = cw.compare_rates(events=(3, 5), totals=(45, 83), arms=("control", "crewe"))
    >>> round(rates.p_value, 3), round(rates.difference, 4)
    (1.0, -0.0064)
    """
    check_alternative(alternative)
    notes: list[str] = []
    implementation = None
    if formula is not None:
        if events is not None or totals is not None:
            raise fault(
                InputError,
                "both a formula and counts were given",
                remedy="Pass either 'event ~ arm' with data, or events= and totals=",
            )
        if by is not None:
            return each(
                by,
                data,
                cluster,
                missing,
                lambda part, inside: compare_rates(
                    formula,
                    part,
                    alternative=alternative,
                    exact=exact,
                    design=design,
                    cluster=inside,
                    missing=missing,
                    reference=reference,
                    level=level,
                    synthetic=synthetic,
                ),
            )
        outcome, right = _one_arm(formula)
        asked = read(data, [right], design=design, cluster=cluster, missing=missing)
        mark = asked.mark
        names, counted, cases, notes = _count_arms(asked, outcome, right, reference)
        implementation, synthetic = kind_of(asked.source), synthetic or asked.synthetic
    else:
        need_formula(design, cluster, by)
        asked = None
        counted, cases = _pair(events, "events"), _pair(totals, "totals")
        names = ("second", "first") if arms is None else _names(arms)
        outcome, right, mark = "events", "arm", ""
    if exact is None:
        exact = sum(cases) <= EXACT_CASES
        if not exact:
            notes.append(
                f"over {EXACT_CASES:,} cases the exact unconditional interval is left out; "
                "exact=True asks for it (up to 3,000)"
            )
    got = _core.compare_rates(counted, cases, alternative, exact, level)
    rates = (counted[0] / cases[0], counted[1] / cases[1])
    made = RateComparison(
        level,
        notes,
        synthetic,
        implementation,
        outcome=outcome,
        by=right,
        arms=names,
        alternative=alternative,
        events=counted,
        totals=cases,
        rates=rates,
        rate_intervals=got.intervals,
        difference=rates[0] - rates[1],
        newcombe=got.newcombe,
        chan_zhang=got.chan_zhang,
        chan_zhang_p=got.chan_zhang_p,
        odds_ratio=got.odds_ratio,
        odds_interval=got.odds_interval,
        p_value=got.p_value,
        mid_p_value=got.mid_p_value,
        mid_p_interval=got.mid_p_interval,
        mark=mark,
    )
    return carry(made, {} if asked is None else asked.words)


def _pair(values: Sequence[int] | None, name: str) -> tuple[int, int]:
    if values is None:
        raise fault(
            InputError,
            f"{name}= is missing",
            remedy="Pass 'event ~ arm' with data, or events=(3, 5) and totals=(45, 83)",
        )
    counts = [count(value, name) for value in values]
    if len(counts) != 2:
        raise fault(
            InputError,
            f"{name} needs two counts",
            values=[str(value) for value in counts],
            remedy="Give the reference arm first, then the one compared with it",
        )
    return counts[1], counts[0]


def _names(arms: Sequence[str]) -> tuple[str, str]:
    names = [arms] if isinstance(arms, str) else [str(arm) for arm in arms]
    if len(names) != 2 or names[0] == names[1]:
        raise fault(
            InputError,
            "arms= needs two names that differ",
            values=names,
            remedy="Give the reference arm first, then the one compared with it",
        )
    return names[1], names[0]


def _one_arm(formula: str) -> tuple[str, str]:
    if not isinstance(formula, str) or "~" not in formula:
        parsing.parse(formula)
    outcome, right = two_sides(formula)
    if len(right) != 1:
        raise fault(
            InputError,
            "a comparison of two rates takes one arm and no covariates",
            values=right,
            remedy=f"Write '{outcome} ~ arm', or use cw.logit for covariates",
        )
    return outcome, right[0]


def _count_arms(
    asked: Request, outcome: str, arm: str, reference: Any
) -> tuple[tuple[str, str], tuple[int, int], tuple[int, int], list[str]]:
    values = events_of(asked.source, outcome)
    levels, codes = asked.arms(arm, reference)
    need_two(levels, arm)
    kept, dropped = asked.kept({outcome: np.isnan(values), arm: codes < 0}, (levels, codes))
    notes = [*asked.notes, *([dropped] if dropped else [])]
    notes += asked.refuse_families(
        kept,
        "comparisons of two rates",
        f"'difference_in_rates', data, assignment, outcome={outcome!r}",
    )
    totals = [int((kept & (codes == i)).sum()) for i in (1, 0)]
    counted = [int(values[kept & (codes == i)].sum()) for i in (1, 0)]
    names = (levels[1], levels[0])
    return names, (counted[0], counted[1]), (totals[0], totals[1]), notes


# -- multiplicity -----------------------------------------------------------------------------


@checked
def adjust(pvalues: Any, method: str = "holm") -> Any:
    """Adjust p-values for several hypotheses, with the definitions of R's `p.adjust`.

    Parameters
    ----------
    pvalues : array of float, or mapping of name to float
        Missing ones (NaN) stay missing and do not count.
    method : str
        `"holm"` (default), `"hochberg"`, `"hommel"`, `"bonferroni"` for the family-wise error;
        `"BH"` (`"fdr"`), `"BY"` for the false discovery rate; `"none"`.

    Returns
    -------
    array, or dict of str to float
        In the order given.

    Raises
    ------
    InputError
        A value outside 0 to 1, an unknown method.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.adjust([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    >>> cw.adjust({"closed": 0.02, "days": 0.04})
    {'closed': 0.04, 'days': 0.04}
    """
    if isinstance(pvalues, Mapping):
        values = _core.adjust(numbers(list(pvalues.values()), "pvalues"), method)
        return {name: float(value) for name, value in zip(pvalues, values, strict=True)}
    return _core.adjust(numbers(pvalues, "pvalues").ravel(), method)

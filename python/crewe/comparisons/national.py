"""One sample beside national figures, which count as known without error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from crewe import _core
from crewe.comparisons.samples import (
    Result,
    check_alternative,
    count,
    events_of,
    interval_heading,
    kind_of,
    percent,
    percents,
    source_of,
)
from crewe.exceptions import InputError, fault, said
from crewe.formula.names import unquoted
from crewe.frames import cells
from crewe.frames.arguments import checked
from crewe.frames.choices import Alternative
from crewe.frames.source import Source
from crewe.models.groups import label_among
from crewe.models.request import key_label, refuse_empty
from crewe.tables.display import Table, p_value


@dataclass(repr=False)
class NationalComparison(Result):
    """Shares of a sample beside fixed national ones; made by :func:`compare_to_national`.

    Attributes
    ----------
    names : list of str
        The categories, or the separate characteristics.
    events, totals : list of int
        Cases with each, and cases observed.
    rates, national : list of float
        The shares of the sample and the national ones.
    intervals, wilson : list of tuple
        Clopper-Pearson's and Wilson's intervals.
    p_values : list of float
        The exact binomial p-value of each.
    statistic, df, p_value, exact_p_value : float or None
        With categories of one variable: chi-squared, its upper tail, and the exact multinomial
        p-value.
    enumerated, tables, seed :
        Whether all tables were enumerated, how many tables or draws, and the seed of the draws.
    """

    title: str = ""
    composition: bool = False
    alternative: str = "two-sided"
    names: list[str] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    national: list[float] = field(default_factory=list)
    intervals: list[tuple[float, float]] = field(default_factory=list)
    wilson: list[tuple[float, float]] = field(default_factory=list)
    p_values: list[float] = field(default_factory=list)
    statistic: float | None = None
    df: float | None = None
    p_value: float | None = None
    exact_p_value: float | None = None
    enumerated: bool | None = None
    tables: int | None = None
    seed: int | None = None

    def _rows(self) -> list[dict[str, Any]]:
        rows = [
            {
                "term": name,
                "estimate": self.rates[i],
                "p_value": self.p_values[i],
                "conf_low": self.intervals[i][0],
                "conf_high": self.intervals[i][1],
                "events": self.events[i],
                "n": self.totals[i],
                "national": self.national[i],
            }
            for i, name in enumerate(self.names)
        ]
        if self.composition:
            rows.append(
                {
                    "term": "all categories (chi-squared)",
                    "statistic": self.statistic,
                    "df": self.df,
                    "p_value": self.p_value,
                    "events": self.totals[0],
                    "n": self.totals[0],
                    "national": 1.0,
                }
            )
            rows.append(
                {**rows[-1], "term": "all categories (exact)", "p_value": self.exact_p_value}
            )
        return rows

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        rule = (
            "two-sided: the outcomes no more probable than the one seen"
            if self.alternative == "two-sided"
            else f"one-sided: the sample {self.alternative} than the national share"
        )
        lines = [
            f"Shares with Clopper-Pearson intervals; exact binomial p, {rule}. "
            "National shares count as known without error."
        ]
        if self.composition and self.tables is not None:
            how = (
                f"all {self.tables:,} tables enumerated"
                if self.enumerated
                else f"Monte Carlo, (1 + x)/(1 + {self.tables:,}), seed {self.seed}"
            )
            lines.append(
                f"Pearson's chi-squared, upper tail; exact multinomial p for the same statistic: {how}."
            )
            lines.append("p-values by category are not adjusted for their number; see cw.adjust.")
        return lines

    def table(self) -> Table:
        """Give the table that is printed."""
        rows: list[list[Any]] = [
            [
                name,
                f"{self.events[i]}/{self.totals[i]}",
                percent(self.rates[i]),
                percents(*self.intervals[i]),
                percent(self.national[i]),
                p_value(self.p_values[i]),
            ]
            for i, name in enumerate(self.names)
        ]
        if self.statistic is not None and self.df is not None:
            chi = f"χ²({self.df:g}) = {self.statistic:.2f}"
            rows.append([chi, "", "", "", "", p_value(self.p_value or 0.0)])
            rows.append(["exact", "", "", "", "", p_value(self.exact_p_value or 0.0)])
        return Table(
            ["", "cases", "sample", interval_heading(self.level), "national", "p"],
            rows,
            self._titled(self.title),
            [*self.methods(), *(f"Note: {note}." for note in self.notes)],
        )

    def plot(
        self,
        ax: Any = None,
        *,
        labels: Mapping[str, str] | None = None,
        ylabel: str = "Share of cases",
    ) -> Any:
        """Draw the shares of the sample beside the national ones, with intervals.

        Parameters
        ----------
        labels : mapping, optional
            What to print in place of the categories and of "sample" and "national", for instance
            ``{"national": "England (illustrative)"}``.
        ylabel : str
            The name of the axis.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib Axes
        """
        from crewe.plots.bars import Bars, grouped

        none = [np.nan] * len(self.names)
        bars = Bars(
            self.names,
            ["national", "sample"],
            np.array([self.national, self.rates]),
            low=np.array([none, [limits[0] for limits in self.intervals]]),
            high=np.array([none, [limits[1] for limits in self.intervals]]),
            ylabel=ylabel,
            caption=f"Lines: {100 * self.level:g}% Clopper-Pearson intervals of the sample.",
            percent=True,
            synthetic=self.synthetic,
            numbers=True,
            totals=[None, self.totals[0]] if len(set(self.totals)) == 1 else None,
            labels=dict(labels or {}),
        )
        return grouped(bars, ax)


@checked
def compare_to_national(
    observed: Any,
    data: Any = None,
    *,
    national: float | Mapping[str, float],
    n: int | Mapping[str, int] | None = None,
    alternative: Alternative = "two-sided",
    draws: int = 9_999,
    enumerate_up_to: int = 1_000_000,
    seed: int | None = None,
    level: float = 0.95,
    synthetic: bool = False,
) -> NationalComparison:
    """Set a sample's shares beside national ones, which count as known without error.

    Three forms: one characteristic; several separate characteristics, each a share of all cases;
    and the categories of one variable, whose shares sum to 1 and which are then also tested
    together.

    Parameters
    ----------
    observed : int, str, list of str, or mapping
        The number of cases with the characteristic (with `n`); the name of a 0/1 column; several
        such names; the name of a column of categories (with `national` a mapping); counts by name:
        with `n` separate characteristics, without it the categories of one variable.
    data : data frame, optional
        Where the columns are.
    national : float, mapping of name to share, or Series
        The national shares, in 0 to 1; shares of categories that miss 1 by the rounding of their digits
        are divided by their sum, which a note says.
    n : int, or mapping of name to int, optional
        With counts: how many cases were observed.
    alternative : {"two-sided", "less", "greater"}
        Of the binomial tests.
    draws : int
        Monte Carlo tables of the exact multinomial test.
    enumerate_up_to : int
        All tables are enumerated instead where there are no more than this.
    seed : int, optional
        Of the draws; one is drawn from the system and reported where none is given.
    level : float
        Of the intervals.
    synthetic : bool
        Marks every table and figure as made from synthetic data.

    Returns
    -------
    NationalComparison

    Raises
    ------
    InputError
        Shares outside 0 to 1 or, for categories, not summing to 1; a category without a national
        share; counts that are negative or larger than n.

    Examples
    --------
    >>> import crewe as cw
    >>> risks = cw.compare_to_national(
    ...     {"domestic violence": 14, "mental health": 10, "substance abuse": 7},
    ...     n=30,
    ...     national={"domestic violence": 0.496, "mental health": 0.366, "substance abuse": 0.193},
    ... )
    >>> [f"{100 * rate:.1f}%" for rate in risks.rates]
    ['46.7%', '33.3%', '23.3%']
    """
    check_alternative(alternative)
    options = {"alternative": alternative, "level": level, "synthetic": synthetic}
    national, n = _mapping(national), _mapping(n)
    observed = _mapping(observed) if data is None else observed
    if isinstance(observed, Mapping):
        shares = _shares(national, list(observed))
        counts = {key_label(name): count(value, str(name)) for name, value in observed.items()}
        if n is None:
            return _composition(
                "the sample", counts, shares, None, [], draws, enumerate_up_to, seed, options
            )
        totals = _totals(n, list(counts))
        return _separate("Sample beside national", counts, totals, shares, None, [], options)
    if isinstance(observed, str):
        source = source_of(data)
        options["synthetic"] = synthetic or source.synthetic
        if isinstance(national, Mapping):
            observed = unquoted(observed, source.names)
            column = source.column(observed)
            refuse_empty(column, observed)
            levels, codes = cells.levels(column)
            national = {label_among(name, levels): share for name, share in _named(national)}
            names = [*national, *levels]
            counts = {name: 0 for name in names}
            for i, name in enumerate(levels):
                counts[name] = int((codes == i).sum())
            notes = _missing_note(int((codes < 0).sum()), source.n, observed)
            shares = _shares(national, list(counts))
            return _composition(
                observed, counts, shares, source, notes, draws, enumerate_up_to, seed, options
            )
        observed = unquoted(observed, source.names)
        return _columns(source, [observed], {observed: _share(national)}, options)
    if isinstance(observed, Sequence):
        source = source_of(data)
        names = [unquoted(str(name), source.names) for name in observed]
        options["synthetic"] = synthetic or source.synthetic
        return _columns(source, names, _shares(national, names), options)
    if isinstance(national, Mapping):
        raise fault(
            InputError,
            "one count cannot be compared with several national shares",
            remedy="Pass the counts as a mapping with the same names",
        )
    if n is None or isinstance(n, Mapping):
        raise fault(
            InputError,
            "the number of cases is missing",
            remedy="Pass n=, for instance compare_to_national(14, n=30, national=0.496)",
        )
    counts, totals = {"sample": count(observed, "observed")}, {"sample": count(n, "n")}
    return _separate(
        "Sample beside national", counts, totals, {"sample": _share(national)}, None, [], options
    )


def _mapping(values: Any) -> Any:
    """Give a pandas Series as the mapping that it is."""
    return dict(values.items()) if isinstance(values, pd.Series) else values


def _named(national: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """Give the items of a mapping, refusing names that print alike."""
    labels = [key_label(name) for name in national]
    again = sorted({name for name in labels if labels.count(name) > 1})
    if again:
        raise fault(
            InputError,
            "several national shares have the same name",
            values=again,
            remedy="Give one share for each category",
        )
    return list(national.items())


def _share(value: Any) -> float:
    number = isinstance(value, cells.NUMBERS) and not isinstance(value, bool)
    if not number or cells.is_missing(value):
        raise fault(
            InputError,
            "a national share must be a number",
            values=[said(value)],
            remedy="Give 49.6% as 0.496",
        )
    return float(value)


def _totals(n: Any, names: list[str]) -> dict[str, int]:
    """Give the number of cases of each characteristic."""
    if not isinstance(n, Mapping):
        return {name: count(n, "n") for name in names}
    given = {key_label(name): value for name, value in n.items()}
    lacking = [name for name in names if name not in given]
    if lacking:
        raise fault(
            InputError,
            "n= lacks the number of cases of some of the names",
            values=lacking,
            remedy=f"It has {', '.join(given)}: name every one, or pass one number for all",
        )
    return {name: count(given[name], "n") for name in names}


def _summing_to_one(shares: dict[str, float]) -> tuple[dict[str, float], list[str]]:
    """Scale shares that miss 1 by no more than the rounding of their own digits, and say so."""
    total = math.fsum(shares.values())
    digits = max((_decimals(value) for value in shares.values()), default=0)
    rounding = min(len(shares) * 0.5 * 10.0**-digits, 0.02) if digits >= 2 else 0.0
    if not 1e-9 < abs(total - 1.0) <= rounding * (1 + 1e-9):
        return shares, []
    note = f"the national shares sum to {total:.6g}, as rounded figures do, and are divided by that"
    return {name: value / total for name, value in shares.items()}, [note]


def _decimals(value: float) -> int:
    return -int(Decimal(repr(value)).normalize().as_tuple().exponent)


def _shares(national: float | Mapping[str, float], names: list[str]) -> dict[str, float]:
    if not isinstance(national, Mapping):
        raise fault(
            InputError,
            "several shares need several national figures",
            values=[str(name) for name in names],
            remedy="Pass national= as a mapping of name to share",
        )
    shares = {key_label(name): _share(value) for name, value in _named(national)}
    off = [name for name, value in shares.items() if not 0.0 <= value <= 1.0]
    if off:
        raise fault(
            InputError,
            "national shares must lie between 0 and 1",
            values=[f"{name} {shares[name]:g}" for name in off],
            remedy="Give 49.6% as 0.496",
        )
    lacking = [key_label(name) for name in names if key_label(name) not in shares]
    if lacking:
        raise fault(
            InputError,
            "there is no national share for some of the names",
            values=lacking,
            remedy=f"The national figures are for {', '.join(shares)}",
        )
    return shares


def _missing_note(missing: int, n: int, column: str) -> list[str]:
    return [f"{missing} of {n} rows have no {column} and are left out"] if missing else []


def _columns(
    source: Source, names: list[str], shares: Mapping[str, float], options: dict[str, Any]
) -> NationalComparison:
    counts, totals, notes = {}, {}, []
    for name in names:
        values = events_of(source, name)
        seen = ~np.isnan(values)
        counts[name], totals[name] = int(values[seen].sum()), int(seen.sum())
        notes += _missing_note(int((~seen).sum()), source.n, name)
    return _separate("Sample beside national", counts, totals, shares, source, notes, options)


def _separate(
    title: str,
    counts: Mapping[str, int],
    totals: Mapping[str, int],
    shares: Mapping[str, float],
    source: Source | None,
    notes: list[str],
    options: dict[str, Any],
) -> NationalComparison:
    names = list(counts)
    got = [
        _core.prevalence(
            counts[name], totals[name], shares[name], options["alternative"], options["level"]
        )
        for name in names
    ]
    return NationalComparison(
        options["level"],
        notes,
        options["synthetic"],
        kind_of(source),
        title=title,
        alternative=options["alternative"],
        names=names,
        events=[counts[name] for name in names],
        totals=[totals[name] for name in names],
        rates=[one.rate for one in got],
        national=[float(shares[name]) for name in names],
        intervals=[one.interval for one in got],
        wilson=[one.wilson for one in got],
        p_values=[one.p_value for one in got],
    )


def _composition(
    name: str,
    counts: Mapping[str, int],
    shares: Mapping[str, float],
    source: Source | None,
    notes: list[str],
    draws: int,
    enumerate_up_to: int,
    seed: int | None,
    options: dict[str, Any],
) -> NationalComparison:
    # A national category that the sample lacks stays, with no cases.
    whole = {**{category: 0 for category in shares}, **counts}
    shares, rounded = _summing_to_one(dict(shares))
    notes = [*notes, *rounded]
    _core.read_seed(seed)
    seed = _core.system_seed() if seed is None else seed
    fit = _core.goodness_of_fit(
        list(whole.values()),
        np.array([shares[category] for category in whole], dtype=np.float64),
        count(draws, "draws"),
        count(enumerate_up_to, "enumerate_up_to"),
        seed,
    )
    n = sum(whole.values())
    result = _separate(
        f"Categories of {name} beside national",
        whole,
        {category: n for category in whole},
        shares,
        source,
        notes,
        options,
    )
    result.composition = True
    result.statistic, result.df = fit.statistic, fit.df
    result.p_value, result.exact_p_value = fit.p_value, fit.exact_p_value
    result.enumerated, result.tables, result.seed = fit.enumerated, fit.tables, seed
    small = sum(1 for expected in fit.expected if expected < 5)
    if small:
        result.notes.append(
            f"{small} of {len(whole)} categories expect fewer than 5 cases: prefer the exact p"
        )
    return result

"""Price years and discounting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.cost._declare import Input, text_of
from crewe.exceptions import InputError, did_you_mean, fault
from crewe.frames.arguments import checked
from crewe.frames.source import numbers

MONEY = "GBP"


@cache
def _series() -> dict[str, str]:
    """Read the series that is shipped, its indices as printed."""
    file = resources.files("crewe.cost").joinpath("data/gdp_deflators.csv")
    rows = [line for line in file.read_text(encoding="utf-8").splitlines() if line[:1].isdigit()]
    return dict(row.split(",") for row in rows)


def deflators() -> pd.DataFrame:
    """Give the GDP deflators by financial year, 2024-25 = 100.

    Returns
    -------
    pandas.DataFrame
        Columns `year` ("2015-16") and `index`: HM Treasury, *GDP deflators at market prices, and money GDP*, March 2026,
        outturn only.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.cost.deflators().tail(1).to_dict("records")
    [{'year': '2024-25', 'index': 100.0}]
    """
    series = _series()
    return pd.DataFrame(
        {"year": list(series), "index": [float(value) for value in series.values()]}
    )


def _index(year: str) -> str:
    series = _series()
    if not isinstance(year, str):
        raise fault(
            InputError,
            f"a price year is text, and not a {type(year).__name__}",
            remedy="Write a financial year such as '2024-25'",
        )
    if year not in series:
        first, last = min(series), max(series)
        near = [known for known in series if known[:4] == year[:4]]
        raise fault(
            InputError,
            f"there is no deflator of '{year}'",
            remedy=did_you_mean(near)
            if near
            else f"Write a financial year from {first} to {last}, such as '{last}'",
        )
    return series[year]


@checked
def repriced(amount: str | float, from_year: str, to_year: str) -> str:
    """Bring an amount to the prices of another financial year by the GDP deflator.

    Parameters
    ----------
    amount : str or float
        The amount, as its source prints it.
    from_year, to_year : str
        Financial years, such as `"2015-16"`.

    Returns
    -------
    str
        The amount × index of `to_year` / index of `from_year`, to pence (or to the decimals that it has, if these are more).

    Examples
    --------
    >>> import crewe as cw
    >>> cw.cost.repriced("68.05", "2015-16", "2024-25")
    '91.24'
    """
    return _core.repriced(text_of(amount), _index(from_year), _index(to_year))


@checked
def discount_factors(years: Sequence[float] | float) -> NDArray[np.float64]:
    """Give what a pound in so many years counts today, by the Green Book's standard rates.

    The rate is 3.5% a year for 30 years, 3.0% up to year 75, 2.5% up to 125, 2.0% up to 200, 1.5% up to 300 and 1.0% after
    that (HM Treasury, *The Green Book*; the schedule stands in the Department for Transport's notice of April
    2026 on the edition of February 2026).

    Parameters
    ----------
    years : float or sequence of float
        Years from the start of the proposal, year 0.

    Returns
    -------
    array
        A factor each.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.cost.discount_factors([0, 1, 30, 31]).round(4).tolist()
    [1.0, 0.9662, 0.3563, 0.3459]
    """
    return _core.discount_factors(np.atleast_1d(numbers(years, "years")).astype(np.float64))


@checked
def present_value(amounts: Sequence[float], first: float = 0) -> float:
    """Give what yearly amounts count today, by the Green Book's standard rates.

    Parameters
    ----------
    amounts : sequence of float
        An amount a year, at constant prices.
    first : float
        The year of the first, 0 for the start of the proposal.

    Returns
    -------
    float

    Examples
    --------
    >>> import crewe as cw
    >>> round(cw.cost.present_value([100, 100]), 2)
    196.62
    """
    column = np.ascontiguousarray(np.atleast_1d(numbers(amounts, "amounts")), dtype=np.float64)
    return _core.present_value(column, float(first))


def at_prices(inputs: Iterable[Input], year: str) -> list[Input]:
    """Bring every sum of money to the prices of one year."""
    _index(year)
    given = list(inputs)
    money = [item for item in given if item.unit == MONEY and item.value]
    lacking = [item.name for item in money if not item.price_year]
    if lacking:
        raise fault(
            InputError,
            f"{len(lacking)} sums of money have no price year",
            values=lacking,
            remedy="Say of which year's prices each is, as price_year='2015-16'",
        )

    def at(item: Input) -> Input:
        if item.unit != MONEY or not item.value or item.price_year == year:
            return item
        source = f"{item.source}; " if item.source else ""
        return replace(
            item,
            value=repriced(item.value, item.price_year, year),
            price_year=year,
            source=f"{source}{item.value} at {item.price_year} prices, by the GDP deflator (HM Treasury, March 2026)",
        )

    return [at(item) for item in given]


def refuse_mixed(inputs: Iterable[Input]) -> None:
    """Refuse sums of money at the prices of different years."""
    money = [item for item in inputs if item.unit == MONEY and item.value]
    years = sorted({item.price_year for item in money})
    if len(years) < 2:
        return
    named = [f"{item.name}: {item.price_year or 'no price year'}" for item in money]
    raise fault(
        InputError,
        "sums of money are at the prices of different years",
        values=named,
        remedy="Bring them to one year with prices='2024-25', and say the price year of each",
    )

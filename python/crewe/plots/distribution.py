"""The distribution of a statistic, with the value that was observed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.plots import style

Floats = NDArray[np.float64]


def histogram(
    values: Floats,
    weight: Floats | None,
    observed: float,
    *,
    bins: int,
    colours: tuple[style.ArmStyle, style.ArmStyle],
    ax: Any = None,
) -> Any:
    """Draw shares of values, in per cent, with a line where the observed one is.

    Parameters
    ----------
    values : array (n,)
        Those that are not finite are left out.
    weight : array (n,), optional
        How each counts; equally by default.
    observed : float
        What the line is at; none where it is not finite.
    bins : int
        The number of bars, where more values than these differ.
    colours : tuple of style
        Of the bars and of the line.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        A number of bins that is out of range.
    """
    if not 1 <= bins <= 10_000:
        raise fault(
            InputError,
            "a histogram has between 1 and 10,000 bins",
            values=[f"bins = {bins}"],
            remedy="Give a number of bins in that range, or leave it out",
        )
    finite = np.isfinite(values)
    weight = np.ones(int(finite.sum())) if weight is None else weight[finite]
    values = values[finite]
    inside = [*values, observed] if np.isfinite(observed) else list(values)
    low, high = min(inside, default=0.0), max(inside, default=0.0)
    grey, ink = colours
    if ax is None:
        ax = style.figure(height_mm=70)[1]
    if low == high:
        low, high = low - 0.5, high + 0.5
    distinct = _core.levels(values)
    places, tops = distinct.values, distinct.codes
    shares = 100 * weight / max(weight.sum(), 1e-300)
    if len(places) <= bins:
        # Few different values: a bar for each, or bins would part them unevenly.
        heights = np.bincount(tops, shares, minlength=len(places))
        gap = float(np.diff(places).min()) if len(places) > 1 else high - low
        left, width = places - 0.45 * gap, np.full(len(places), 0.9 * gap)
    else:
        heights, edges = np.histogram(values, np.linspace(low, high, bins + 1), weights=shares)
        left, width = edges[:-1], np.diff(edges)
    ax.bar(
        left,
        heights,
        width,
        align="edge",
        color=grey.fill,
        edgecolor=grey.colour,
        linewidth=0.4,
    )
    if np.isfinite(observed):
        ax.axvline(observed, color=ink.colour, linewidth=1.6)
        ax.annotate(
            f"observed {observed:.3g}",
            (observed, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4 if observed < (low + high) / 2 else -4, -2),
            textcoords="offset points",
            ha="left" if observed < (low + high) / 2 else "right",
            va="top",
            color=ink.colour,
        )
        # Room above the bars, so that the label covers none.
        ax.set_ylim(0, 1.15 * max(heights.max(initial=0.0), 1e-9))
    return ax

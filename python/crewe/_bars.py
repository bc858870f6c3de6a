"""Grouped bars of shares or means, in the printed style."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe import _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]


@dataclass
class Bars:
    """What a figure of grouped bars shows.

    Attributes
    ----------
    groups : sequence of str
        Along the axis.
    series : sequence of str
        One bar each in every group, the reference first.
    values : array (series, groups)
        The heights; NaN draws nothing.
    low, high : arrays (series, groups), optional
        Intervals; NaN draws none.
    ylabel, xlabel, caption : str
        The words; the caption stands under the axis.
    percent : bool
        Whether values are shares.
    synthetic : bool
        Whether the figure says that the data are synthetic.
    """

    groups: Sequence[str]
    series: Sequence[str]
    values: Floats
    low: Floats | None = None
    high: Floats | None = None
    ylabel: str = ""
    xlabel: str = ""
    caption: str = ""
    percent: bool = False
    synthetic: bool = False

    def words(self, value: float) -> str:
        """Write a value as the figure does."""
        return f"{100 * value:.1f}%" if self.percent else f"{value:.1f}"


@_style.printed()
def grouped(bars: Bars, ax: Any = None) -> Axes:
    """Draw grouped bars; gives the matplotlib Axes."""
    count = len(bars.groups) * len(bars.series)
    if ax is None:
        width = min(_style.WIDTH_MM, max(78.0, 34.0 + 9.0 * count))
        _, ax = _style.figure(width_mm=width, height_mm=86)
    styles = _style.arm_styles(bars.series)
    step = 0.8 / max(len(bars.series), 1)
    places = np.arange(len(bars.groups), dtype=np.float64)
    for k, name in enumerate(bars.series):
        style = styles[str(name)]
        at = places + (k - 0.5 * (len(bars.series) - 1)) * step
        ax.bar(
            at,
            np.nan_to_num(bars.values[k]),
            width=0.92 * step,
            color=style.fill,
            edgecolor=style.colour,
            hatch=style.hatch,
            linewidth=0.8,
        )
        _whiskers(ax, bars, k, at)
    _axes(ax, bars, places)
    if len(bars.series) > 1:
        _style.legend(ax, styles, bars=True)
    if bars.synthetic:
        _style.label_synthetic(ax)
    _style.alt_text(ax, _alt(bars))
    return ax  # type: ignore[no-any-return]


def _whiskers(ax: Any, bars: Bars, k: int, at: Floats) -> None:
    if bars.low is None or bars.high is None:
        return
    drawn = np.isfinite(bars.low[k]) & np.isfinite(bars.high[k])
    if not drawn.any():
        return
    value = bars.values[k][drawn]
    ends = np.maximum([value - bars.low[k][drawn], bars.high[k][drawn] - value], 0.0)
    # A white line under the dark one keeps the lower half visible on a dark bar.
    ax.errorbar(at[drawn], value, yerr=ends, fmt="none", ecolor="#ffffff", elinewidth=3.0)
    ax.errorbar(
        at[drawn], value, yerr=ends, fmt="none", ecolor=_style.INK, elinewidth=1.1, capsize=3
    )


def _axes(ax: Any, bars: Bars, places: Floats) -> None:
    room = max(8, 84 // max(len(bars.groups), 1))
    ax.set_xticks(places, [textwrap.fill(str(name), room) for name in bars.groups])
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, len(bars.groups) - 0.5)
    ax.grid(axis="y")
    if bars.percent:
        from matplotlib.ticker import PercentFormatter

        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    finite = [a[np.isfinite(a)] for a in (bars.values, bars.low) if a is not None]
    if min((float(a.min()) for a in finite if a.size), default=0.0) >= 0.0:
        ax.set_ylim(bottom=0)
    else:
        ax.axhline(0, color=_style.INK, linewidth=0.7)
    ax.set_ylabel(bars.ylabel)
    under = "\n".join(line for line in (bars.xlabel, bars.caption) if line)
    ax.set_xlabel(under, fontsize=7.5, color=_style.QUIET, labelpad=8)


def _alt(bars: Bars) -> str:
    parts = []
    for j, group in enumerate(bars.groups):
        values = ", ".join(
            f"{name} {bars.words(float(bars.values[k, j]))}"
            for k, name in enumerate(bars.series)
            if np.isfinite(bars.values[k, j])
        )
        parts.append(f"{group}: {values}")
    return f"Bar chart of {bars.ylabel}. " + "; ".join(parts) + "."

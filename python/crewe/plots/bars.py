"""Grouped bars of shares or means, in the printed style."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe.plots import style as _style
from crewe.plots.shares import in_percent
from crewe.tables.labels import fixed, share
from crewe.tables.wording import worded

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
    sizes : array (series, groups), optional
        How many rows stand behind each bar, printed under the groups.
    totals : sequence of int, optional
        How many rows stand behind each series, printed in the legend.
    numbers : bool
        Whether each bar carries its value.
    labels : mapping of str to str
        What to print in place of groups and series.
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
    sizes: Floats | None = None
    totals: Sequence[int | None] | None = None
    numbers: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    def name(self, text: str) -> str:
        """Give what to print in place of a group or a series."""
        return self.labels.get(str(text), worded(str(text)))

    def words(self, value: float) -> str:
        """Write a value as the figure does."""
        return share(value) if self.percent else fixed(value)


@_style.printed()
def grouped(bars: Bars, ax: Any = None) -> Axes:
    """Draw grouped bars, lying where the names of the groups are long; gives the matplotlib Axes."""
    count = len(bars.groups) * len(bars.series)
    lying = _lying(bars)
    if ax is None:
        # The legend takes about 2 mm a letter and stands on the plot's own width.
        named = 30.0 + 2.0 * sum(len(name) + 4 for name in _named(bars).values())
        width = min(_style.WIDTH_MM, max(96.0, 34.0 + 9.0 * count, named))
        height = 30.0 + 5.0 * count if lying else 86.0
        _, ax = _style.figure(width_mm=_style.WIDTH_MM if lying else width, height_mm=height)
    styles = _style.arm_styles(bars.series)
    step = 0.8 / max(len(bars.series), 1)
    places = np.arange(len(bars.groups), dtype=np.float64)
    for k, name in enumerate(bars.series):
        style = styles[str(name)]
        at = places + (k - 0.5 * (len(bars.series) - 1)) * step
        options: dict[str, Any] = {
            "color": style.fill,
            "edgecolor": style.colour,
            "hatch": style.hatch,
            "linewidth": 0.8,
        }
        heights = np.nan_to_num(bars.values[k])
        if lying:
            ax.barh(at, heights, height=0.92 * step, **options)
        else:
            ax.bar(at, heights, width=0.92 * step, **options)
        _whiskers(ax, bars, k, at, lying)
        if bars.numbers:
            _numbers(ax, bars, k, at, lying)
    _axes(ax, bars, places, lying)
    if len(bars.series) > 1:
        _style.legend(ax, styles, _named(bars), bars=True)
    if bars.synthetic:
        _style.label_synthetic(ax)
    _style.alt_text(ax, _alt(bars))
    return ax  # type: ignore[no-any-return]


def _named(bars: Bars) -> dict[str, str]:
    """Name the series, with the number of rows behind each."""
    totals = bars.totals or [None] * len(bars.series)
    return {
        str(name): bars.name(name) + ("" if n is None else f" (n = {n:,})")
        for name, n in zip(bars.series, totals, strict=True)
    }


_STANDING = 12
"""The most groups whose names fit beside each other."""


def _room(bars: Bars) -> int:
    """Give how many letters fit under a group."""
    return max(8, 84 // max(len(bars.groups), 1))


def _lying(bars: Bars) -> bool:
    """Whether a name would not fit under its group in three lines."""
    if len(bars.groups) > _STANDING:
        return True
    room = _room(bars)
    names = [textwrap.wrap(bars.name(name), room) for name in bars.groups]
    return any(
        len(lines) > 3 or len(max(lines, key=len, default="")) > room for lines in names
    ) or (len(bars.groups) > 6 and any(len(lines) > 1 for lines in names))


def _whiskers(ax: Any, bars: Bars, k: int, at: Floats, lying: bool) -> None:
    if bars.low is None or bars.high is None:
        return
    drawn = np.isfinite(bars.low[k]) & np.isfinite(bars.high[k])
    if not drawn.any():
        return
    value = bars.values[k][drawn]
    ends = np.maximum([value - bars.low[k][drawn], bars.high[k][drawn] - value], 0.0)
    x, y = (value, at[drawn]) if lying else (at[drawn], value)
    _style.whiskers(ax, x, y, **({"xerr": ends} if lying else {"yerr": ends}))


def _numbers(ax: Any, bars: Bars, k: int, at: Floats, lying: bool) -> None:
    """Write the values beyond the bars and their intervals."""
    for j, place in enumerate(at):
        value = float(bars.values[k, j])
        if not np.isfinite(value):
            continue
        top = value if bars.high is None else np.nanmax([value, bars.high[k, j]])
        ax.annotate(
            bars.words(value),
            (top, place) if lying else (place, top),
            xytext=(4, 0) if lying else (0, 3),
            textcoords="offset points",
            ha="left" if lying else "center",
            va="center" if lying else "bottom",
            fontsize=7.5,
        )


def _axes(ax: Any, bars: Bars, places: Floats, lying: bool) -> None:
    names = []
    for j, group in enumerate(bars.groups):
        text = textwrap.fill(bars.name(group), 30 if lying else _room(bars))
        if bars.sizes is not None:
            counts = ", ".join(f"{int(n):,}" for n in bars.sizes[:, j] if np.isfinite(n))
            text = f"{text}\nn = {counts}".lstrip("\n")
        names.append(text)
    limits = (-0.5, len(bars.groups) - 0.5)
    across, along = (ax.yaxis, ax.xaxis) if lying else (ax.xaxis, ax.yaxis)
    if lying:
        ax.set_yticks(places, names)
        # The first group stands at the top.
        ax.set_ylim(*reversed(limits))
    else:
        ax.set_xticks(places, names)
        ax.set_xlim(*limits)
    across.set_tick_params(length=0)
    along.grid(True)
    if bars.percent:
        in_percent(along)
    finite = [a[np.isfinite(a)] for a in (bars.values, bars.low) if a is not None]
    least = min((float(a.min()) for a in finite if a.size), default=0.0)
    low, high = ax.get_xlim() if lying else ax.get_ylim()
    ends = (0.0 if least >= 0.0 else low, high + (0.05 * (high - low) if bars.numbers else 0.0))
    if lying:
        ax.set_xlim(*ends)
    else:
        ax.set_ylim(*ends)
    if least < 0.0:
        (ax.axvline if lying else ax.axhline)(0, color=_style.INK, linewidth=0.7)
    ax.set_xlabel(bars.ylabel if lying else bars.xlabel)
    ax.set_ylabel(bars.xlabel if lying else bars.ylabel)
    if bars.caption:
        _style.note(ax, bars.caption)


def _alt(bars: Bars) -> str:
    parts = []
    for j, group in enumerate(bars.groups):
        values = ", ".join(
            f"{bars.name(name)} {bars.words(float(bars.values[k, j]))}"
            + (f" (n = {int(bars.sizes[k, j]):,})" if bars.sizes is not None else "")
            for k, name in enumerate(bars.series)
            if np.isfinite(bars.values[k, j])
        )
        parts.append(f"{bars.name(group)}: {values}".removeprefix(": "))
    behind = ", ".join(_named(bars).values()) + ". " if bars.totals else ""
    return f"Bar chart. {bars.ylabel}. {behind}" + "; ".join(parts) + "."

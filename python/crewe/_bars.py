"""Grouped bars, safe in black and white: series differ in lightness and hatch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FILLS = (
    ("#0b4f8a", ""),
    ("#e4e4e4", "////"),
    ("#f2a25c", "...."),
    ("#8fd0b8", "\\\\\\\\"),
    ("#ffffff", "xxxx"),
)
INK = "#1a1a1a"


def grouped(
    groups: Sequence[str],
    series: Sequence[str],
    values: Floats,
    *,
    low: Floats | None = None,
    high: Floats | None = None,
    ylabel: str = "",
    xlabel: str = "",
    percent: bool = False,
    synthetic: bool = False,
    caption: str = "",
    ax: Any = None,
) -> Any:
    """Draw one group of bars for each of `groups`, one bar for each of `series`.

    `values`, `low` and `high` have one row a series and one column a group; an interval that is NaN
    or has no width is not drawn.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import PercentFormatter

    if ax is None:
        width = max(3.2, 0.9 + 0.26 * len(groups) * (len(series) + 1))
        _, ax = plt.subplots(figsize=(min(width, 6.3), 3.4), layout="constrained")
    bar = 0.8 / len(series)
    places = np.arange(len(groups))
    for k, name in enumerate(series):
        fill, hatch = FILLS[k % len(FILLS)]
        at = places + (k - 0.5 * (len(series) - 1)) * bar
        ax.bar(
            at,
            np.nan_to_num(values[k]),
            0.92 * bar,
            label=name,
            color=fill,
            hatch=hatch,
            edgecolor=INK,
            linewidth=0.6,
            zorder=2,
        )
        if low is None or high is None:
            continue
        drawn = np.isfinite(low[k]) & np.isfinite(high[k]) & (high[k] > low[k])
        if drawn.any():
            ends = np.array([values[k] - low[k], high[k] - values[k]])[:, drawn]
            light = dict(fmt="none", ecolor="#ffffff", elinewidth=2.6, capsize=0, zorder=3)
            dark = dict(fmt="none", ecolor=INK, elinewidth=0.9, capsize=2.2, zorder=4)
            for style in (light, dark):
                ax.errorbar(at[drawn], values[k][drawn], yerr=np.maximum(ends, 0.0), **style)
    _label(ax, groups, places, ylabel, xlabel, percent, PercentFormatter)
    if len(series) > 1:
        ax.legend(
            frameon=False,
            fontsize=8,
            ncols=min(len(series), 3),
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            borderaxespad=0.2,
        )
    if caption:
        ax.annotate(
            caption,
            (1.0, -0.02),
            xycoords=("axes fraction", "figure fraction"),
            ha="right",
            va="bottom",
            fontsize=7,
            color="#595959",
            annotation_clip=False,
        )
    if synthetic:
        ax.text(
            0.99,
            0.98,
            "SYNTHETIC DATA",
            transform=ax.transAxes,
            ha="right",
            va="top",
            fontsize=8,
            color="#595959",
            weight="bold",
        )
    return ax


def _label(
    ax: Any,
    groups: Sequence[str],
    places: NDArray[np.int64],
    ylabel: str,
    xlabel: str,
    percent: bool,
    formatter: Any,
) -> None:
    longest = max((len(name) for name in groups), default=0)
    crowded = longest * len(groups) > 70
    ax.set_xticks(
        places,
        groups,
        fontsize=8,
        rotation=35 if crowded else 0,
        ha="right" if crowded else "center",
    )
    ax.set_ylabel(ylabel, fontsize=8.5)
    ax.set_xlabel(xlabel, fontsize=8.5)
    ax.tick_params(axis="y", labelsize=8)
    ax.tick_params(axis="x", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(axis="y", color="#dcdcdc", linewidth=0.5)
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    if percent:
        ax.yaxis.set_major_formatter(formatter(1.0, decimals=0))

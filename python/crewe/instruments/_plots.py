"""Figures of scores: box plots, lines of means, distributions. They survive a photocopier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FILLS = ("white", "0.6", "0.85", "0.35")
_HATCHES = ("//", "", "..", "xx")
_LINES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D")


def _axes(ax: Any) -> Any:
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(6.3, 3.6), layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def boxes(
    times: Sequence[str],
    groups: Sequence[str],
    values: Sequence[Sequence[NDArray[np.float64]]],
    label: str,
    ax: Any,
) -> Any:
    """Draw box plots, whiskers at 1.5 interquartile ranges: `values[group][time]`."""
    ax = _axes(ax)
    width = 0.8 / len(groups)
    handles = []
    for g in range(len(groups)):
        drawn = ax.boxplot(
            [np.asarray(x) for x in values[g]],
            positions=[t + (g - (len(groups) - 1) / 2) * width for t in range(len(times))],
            widths=0.8 * width,
            whis=1.5,
            patch_artist=True,
            medianprops={"color": "black", "linewidth": 1.6},
            flierprops={"marker": "o", "markersize": 4, "markerfacecolor": "white"},
            manage_ticks=False,
        )
        for box in drawn["boxes"]:
            box.set(facecolor=_FILLS[g % 4], hatch=_HATCHES[g % 4], edgecolor="black")
        handles.append(drawn["boxes"][0])
    ax.set_xticks(range(len(times)), times)
    ax.set_ylabel(label)
    ax.legend(handles, groups, frameon=False)
    return ax


def lines(
    times: Sequence[str],
    groups: Sequence[str],
    means: Sequence[Sequence[float]],
    label: str,
    ax: Any,
) -> Any:
    """Draw the means at each time, a line a group: `means[group][time]`."""
    ax = _axes(ax)
    for g, name in enumerate(groups):
        ax.plot(
            range(len(times)),
            means[g],
            color="0.35" if g % 2 else "black",
            linestyle=_LINES[g % 4],
            marker=_MARKERS[g % 4],
            markerfacecolor=_FILLS[g % 4],
            label=name,
        )
    ax.set_xticks(range(len(times)), times)
    ax.set_xlim(-0.3, len(times) - 0.7)
    ax.set_ylabel(label)
    ax.legend(frameon=False)
    return ax


def distribution(
    groups: Sequence[str], values: Sequence[NDArray[np.float64]], label: str, ax: Any
) -> Any:
    """Draw how many people have each score, groups side by side as shares of their own number."""
    ax = _axes(ax)
    everything = np.concatenate([np.asarray(x) for x in values])
    if len(everything) == 0:
        ax.set_xlabel(label)
        return ax
    low, high = np.floor(everything.min()), np.ceil(everything.max())
    step = max(1.0, np.ceil((high - low + 1) / 12))
    edges = np.arange(low - 0.5, high + step + 0.5, step)
    width = step * 0.8 / len(groups)
    for g, (name, x) in enumerate(zip(groups, values, strict=True)):
        counts, _ = np.histogram(x, edges)
        place = edges[:-1] + step / 2 + (g - (len(groups) - 1) / 2) * width
        ax.bar(
            place,
            100 * counts / max(len(x), 1),
            width,
            color=_FILLS[g % 4],
            hatch=_HATCHES[g % 4],
            edgecolor="black",
            label=f"{name} (n = {len(x)})",
        )
    ax.set_xlabel(label)
    ax.set_ylabel("% of the group")
    ax.legend(frameon=False)
    return ax

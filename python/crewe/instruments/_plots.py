"""Figures of scores: box plots, lines of means, distributions, in the printed style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _style


def _axes(ax: Any) -> Any:
    return _style.figure(height_mm=80)[1] if ax is None else ax


def boxes(
    times: Sequence[str],
    groups: Sequence[str],
    values: Sequence[Sequence[NDArray[np.float64]]],
    label: str,
    ax: Any,
) -> Any:
    """Draw box plots, whiskers at 1.5 interquartile ranges: `values[group][time]`."""
    with _style.printed():
        ax = _axes(ax)
        styles = _style.arm_styles(groups)
        width = 0.7 / len(groups)
        for g, name in enumerate(groups):
            style = styles[name]
            drawn = ax.boxplot(
                [np.asarray(x) for x in values[g]],
                positions=[t + (g - (len(groups) - 1) / 2) * width for t in range(len(times))],
                widths=0.8 * width,
                whis=1.5,
                patch_artist=True,
                medianprops={"color": _style.INK, "linewidth": 2.4},
                whiskerprops={"color": style.colour},
                capprops={"color": style.colour},
                flierprops={
                    "marker": style.marker,
                    "markersize": 4,
                    "markerfacecolor": style.face,
                    "markeredgecolor": style.colour,
                },
                manage_ticks=False,
            )
            for box in drawn["boxes"]:
                box.set(facecolor=style.fill, hatch=style.hatch, edgecolor=style.colour)
            # A white line inside the dark one, so that the median is seen on a dark box too.
            for line in drawn["medians"]:
                x, y = line.get_data()
                ax.plot(x, y, color="white", linewidth=1.0, zorder=line.get_zorder() + 1)
        ax.set_xticks(range(len(times)), times)
        ax.set_ylabel(label)
        _style.legend(ax, styles, bars=True)
        _style.alt_text(ax, _boxes_in_words(times, groups, values, label))
    return ax


def _boxes_in_words(
    times: Sequence[str],
    groups: Sequence[str],
    values: Sequence[Sequence[NDArray[np.float64]]],
    label: str,
) -> str:
    parts = [
        f"{name}, {time}: median {np.median(x):.1f}, middle half {np.percentile(x, 25):.1f} to "
        f"{np.percentile(x, 75):.1f}, {len(x)} cases"
        for g, name in enumerate(groups)
        for time, x in zip(times, values[g], strict=True)
        if len(x)
    ]
    return f"Box plots of the {label}. {'; '.join(parts)}."


def lines(
    times: Sequence[str],
    groups: Sequence[str],
    means: Sequence[Sequence[float]],
    label: str,
    ax: Any,
) -> Any:
    """Draw the means at each time, a line a group: `means[group][time]`."""
    with _style.printed():
        ax = _axes(ax)
        styles = _style.arm_styles(groups)
        for g, name in enumerate(groups):
            style = styles[name]
            ax.plot(
                range(len(times)),
                means[g],
                color=style.colour,
                linestyle=style.line,
                marker=style.marker,
                markerfacecolor=style.face,
                label=name,
            )
        ax.set_xticks(range(len(times)), times)
        ax.set_xlim(-0.3, len(times) - 0.7)
        ax.set_ylabel(label)
        _style.legend(ax, styles)
        parts = [
            f"{name} from {means[g][0]:.2f} at {times[0]} to {means[g][-1]:.2f} at {times[-1]}"
            for g, name in enumerate(groups)
        ]
        _style.alt_text(ax, f"Lines of the {label}: {'; '.join(parts)}.")
    return ax


def distribution(
    groups: Sequence[str], values: Sequence[NDArray[np.float64]], label: str, ax: Any
) -> Any:
    """Draw how many people have each score, groups side by side as shares of their own number."""
    with _style.printed():
        ax = _axes(ax)
        ax.set_xlabel(label)
        ax.set_ylabel("% of the group")
        everything = np.concatenate([np.asarray(x) for x in values])
        if len(everything) == 0:
            return ax
        low, high = np.floor(everything.min()), np.ceil(everything.max())
        step = int(max(1.0, np.ceil((high - low + 1) / 10)))
        edges = np.arange(low, high + step + 0.5, step)
        width = 0.8 / len(groups)
        names = [f"{name} (n = {len(x)})" for name, x in zip(groups, values, strict=True)]
        styles = _style.arm_styles(names)
        parts = []
        for g, x in enumerate(values):
            style = styles[names[g]]
            counts, _ = np.histogram(x, edges - 1e-9)
            ax.bar(
                np.arange(len(counts)) + (g - (len(groups) - 1) / 2) * width,
                100 * counts / max(len(x), 1),
                width,
                facecolor=style.fill,
                hatch=style.hatch,
                edgecolor=style.colour,
                linewidth=0.8,
            )
            if len(x):
                parts.append(f"{names[g]} from {x.min():g} to {x.max():g}, median {np.median(x):g}")
        labels = [f"{a:g}" if step == 1 else f"{a:g} to under {a + step:g}" for a in edges[:-1]]
        ax.set_xticks(range(len(labels)), labels, rotation=0 if step == 1 else 30)
        _style.legend(ax, styles, bars=True)
        _style.alt_text(ax, f"Columns of the {label}: {'; '.join(parts)}.")
    return ax

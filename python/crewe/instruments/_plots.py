"""Figures of scores: box plots, lines of means, distributions, in the printed style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.plots import style as _style
from crewe.tables.labels import fixed
from crewe.tables.wording import worded


def _axes(ax: Any) -> Any:
    return _style.figure(height_mm=80)[1] if ax is None else ax


def boxes(
    times: Sequence[str],
    groups: Sequence[str],
    values: Sequence[Sequence[NDArray[np.float64]]],
    label: str,
    ax: Any,
    labels: Mapping[str, str],
    only: int | None = None,
    alone: int | None = None,
    synthetic: bool = False,
) -> Any:
    """Draw box plots, whiskers at 1.5 interquartile ranges: `values[group][time]`.

    With `only` one time is drawn, a place on the axis for each group; with `alone` one group. The scale is that of all.
    """
    shown = range(len(times)) if only is None else [only]
    drawn = [g for g in range(len(groups)) if alone in (None, g)]
    with _style.printed():
        if ax is None:
            _, ax = _style.figure(_style.WIDTH_MM if only is None else 110, 82)
        styles = _style.arm_styles(groups)
        width = 0.7 / max(len(drawn), 2)
        for place, g in enumerate(drawn):
            shift = (place - (len(drawn) - 1) / 2) * width
            at = [i + shift for i in range(len(shown))] if only is None else [place]
            _box(ax, [values[g][t] for t in shown], at, 0.8 * width, styles[groups[g]])
        sizes = [[len(values[g][t]) for g in drawn] for t in shown]
        if only is None:
            ticks = [
                f"{labels.get(times[t], times[t])}\nn = {', '.join(map(str, n))}"
                for t, n in zip(shown, sizes, strict=True)
            ]
            _style.legend(ax, {groups[g]: styles[groups[g]] for g in drawn}, labels, bars=True)
        else:
            ticks = [
                f"{labels.get(name, worded(name))}\nn = {n}"
                for name, n in zip([groups[g] for g in drawn], sizes[0], strict=True)
            ]
            ax.set_xlabel(labels.get(times[only], times[only]))
            ax.set_xlim(-0.6, len(drawn) - 0.4)
        ax.set_xticks(range(len(ticks)), ticks)
        ax.tick_params(axis="x", length=0)
        ax.set_ylabel(label)
        ax.grid(axis="y")
        ax.yaxis.get_major_locator().set_params(integer=True)
        every = np.concatenate([x for row in values for x in row])
        if len(every):
            margin = 0.06 * max(1.0, float(np.ptp(every)))
            ax.set_ylim(float(every.min()) - margin, float(every.max()) + margin)
        _style.note(
            ax,
            "Line: median. Box: middle half. Whiskers: to 1.5 interquartile ranges. Markers: beyond.",
        )
        _style.alt_text(
            ax,
            _boxes_in_words(
                [times[t] for t in shown],
                [groups[g] for g in drawn],
                [values[g] for g in drawn],
                label,
                labels,
                shown,
            ),
        )
        if synthetic:
            _style.label_synthetic(ax)
    return ax


def _box(ax: Any, values: Any, at: Any, width: float, style: _style.ArmStyle) -> None:
    drawn = ax.boxplot(
        [np.asarray(x) for x in values],
        positions=at,
        widths=width,
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


def _boxes_in_words(
    times: Sequence[str],
    groups: Sequence[str],
    values: Sequence[Sequence[NDArray[np.float64]]],
    label: str,
    labels: Mapping[str, str],
    shown: Sequence[int],
) -> str:
    parts = [
        f"{labels.get(name, worded(name))}, {labels.get(time, time)}: median {fixed(np.median(x))}, "
        f"middle half {fixed(np.percentile(x, 25))} to {fixed(np.percentile(x, 75))}, {len(x)} cases"
        for g, name in enumerate(groups)
        for time, x in zip(times, [values[g][t] for t in shown], strict=True)
        if len(x)
    ]
    return f"Box plots. {label}. {'; '.join(parts)}."


def lines(
    times: Sequence[str],
    groups: Sequence[str],
    means: Sequence[Sequence[float]],
    sizes: Sequence[int],
    label: str,
    ax: Any,
    labels: Mapping[str, str],
    synthetic: bool = False,
) -> Any:
    """Draw the means at each time, a line a group: `means[group][time]`."""
    with _style.printed():
        if ax is None:
            _, ax = _style.figure(130, 76)
        styles = _style.arm_styles(groups)
        for g, name in enumerate(groups):
            style = styles[name]
            # Groups stand a little apart, so that equal means do not hide each other.
            shift = _shift(g, len(groups))
            ax.plot(
                [t + shift for t in range(len(times))],
                means[g],
                color=style.colour,
                linestyle=style.line,
                marker=style.marker,
                markersize=7,
                markerfacecolor=style.face,
                label=name,
            )
        ax.set_xticks(range(len(times)), [labels.get(time, time) for time in times])
        ax.set_xlim(-0.4, len(times) - 0.6)
        ax.margins(y=0.12)
        ax.set_ylabel(label)
        ax.grid(axis="y")
        for side, t in ((-1, 0), (1, len(times) - 1)):
            _values_beside(ax, [row[t] for row in means], t, side)
        named = {
            name: f"{labels.get(name, worded(name))} (n = {n})"
            for name, n in zip(groups, sizes, strict=True)
        }
        _style.legend(ax, styles, named, lines=True, markers=True)
        parts = [
            f"{named[name]} from {fixed(means[g][0], 2)} ({labels.get(times[0], times[0])}) to "
            f"{fixed(means[g][-1], 2)} ({labels.get(times[-1], times[-1])})"
            for g, name in enumerate(groups)
        ]
        _style.alt_text(ax, f"Lines. {label}: {'; '.join(parts)}.")
        if synthetic:
            _style.label_synthetic(ax)
    return ax


def _shift(g: int, count: int) -> float:
    return 0.05 * (g - (count - 1) / 2)


def _values_beside(ax: Any, values: Sequence[float], place: int, side: int) -> None:
    """Write the means beside their markers, apart where they are nearly the same."""
    low, high = ax.get_ylim()
    least = 0.075 * (high - low)
    order = np.argsort(np.asarray(values), kind="stable")
    at = np.asarray(values, dtype=np.float64)[order]
    for i in range(1, len(at)):
        if at[i] - at[i - 1] < least:
            middle = (at[i] + at[i - 1]) / 2
            at[i - 1], at[i] = middle - least / 2, middle + least / 2
    # Equal means are written once.
    seen: set[str] = set()
    for i, g in enumerate(order):
        text = fixed(values[g], 2)
        if text in seen:
            continue
        seen.add(text)
        same = [k for k, h in enumerate(order) if fixed(values[h], 2) == text]
        y = values[g] if len(same) > 1 else at[i]
        shifts = [_shift(int(order[k]), len(values)) for k in same]
        ax.annotate(
            text,
            (place + (min(shifts) if side < 0 else max(shifts)) + 0.045 * side, y),
            ha="right" if side < 0 else "left",
            va="center",
            fontsize=8.5,
            fontweight="bold",
        )


def distribution(
    groups: Sequence[str],
    values: Sequence[NDArray[np.float64]],
    label: str,
    ax: Any,
    synthetic: bool = False,
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
            counts = np.bincount(_core.cut(x, edges, label), minlength=len(edges) - 1)
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
        if synthetic:
            _style.label_synthetic(ax)
    return ax

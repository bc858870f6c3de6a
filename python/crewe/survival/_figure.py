"""Survival curves as steps, with the numbers at risk under the axis."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.plots import style as _style
from crewe.tables.wording import worded

_NICE = (1, 2, 2.5, 5, 10)


@_style.printed()
def survival_figure(
    curves: Sequence[Mapping[str, Any]],
    *,
    at_risk: Callable[[Sequence[float]], Mapping[str, Sequence[str]]] | None,
    medians: Sequence[float] | None,
    end: float | None,
    step: float | None,
    ylabel: str,
    xlabel: str,
    labels: Mapping[str, str],
    interval: bool,
    kind: str,
    synthetic: bool,
    ax: Any,
    means: tuple[float, Sequence[float]] | None = None,
) -> Any:
    """Draw the curves, and the areas under them up to a horizon where there are `means`; see :meth:`crewe.survival.KaplanMeier.plot`."""
    names = [str(curve["label"]) for curve in curves]
    styles = _style.arm_styles(names)
    last = max(float(curve["time"][-1]) for curve in curves)
    end, step = _reach(last, end, step)
    ticks = np.arange(0.0, end + step / 2, step)
    if ax is None:
        below = 2 * len(curves) if _long(names, labels) else len(curves)
        rows = below + 1 if at_risk is not None else 0
        _, ax = _style.figure(150, 78 + 4.4 * rows)
    for curve, name in zip(curves, names, strict=True):
        style = styles[name]
        time, survival = _steps(curve["time"], curve["survival"], 1.0, end)
        ax.step(time, survival, where="post", color=style.colour, linestyle=style.line, zorder=3)
        if means is not None:
            _fill_under(ax, time, survival, min(means[0], end), style.colour)
        if interval:
            for side in ("low", "high"):
                values = np.where(np.isnan(curve[side]), curve["survival"], curve[side])
                edge_time, edge = _steps(curve["time"], values, 1.0, end)
                ax.step(
                    edge_time,
                    edge,
                    where="post",
                    color=style.colour,
                    linestyle=style.line,
                    linewidth=0.5,
                )
        marks = np.asarray(curve["censored"], dtype=np.float64)
        marks = marks[marks <= end]
        if len(marks):
            at = _core.last_at(curve["time"], marks)
            ax.plot(
                marks,
                np.asarray(curve["survival"])[at],
                linestyle="none",
                marker="|",
                markersize=5,
                markeredgewidth=0.7,
                color=style.colour,
                zorder=3,
            )
    if means is not None and means[0] <= end:
        ax.axvline(means[0], color=_style.QUIET, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=2)
    ax.set_xlim(0, end)
    ax.set_ylim(0, 1.02)
    ax.set_xticks(ticks)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.yaxis.grid(True)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    drawn = any(len(curve["censored"]) for curve in curves)
    _style.legend(ax, styles, labels, lines=True, ticks="censored" if drawn else "")
    counts = None
    if at_risk is not None:
        counts = at_risk(ticks.tolist())
        _table_below(ax, ticks, names, counts, labels, styles)
    _style.alt_text(
        ax, _alt(curves, names, labels, kind, xlabel, ylabel, end, medians, counts, means)
    )
    if synthetic:
        _style.label_synthetic(ax)
    return ax


_MOST_TICKS = 60
_ROOM = 20
"""The letters of a name that stand beside the numbers at risk."""


def _reach(last: float, end: float | None, step: float | None) -> tuple[float, float]:
    """Give the end of the axis and the distance of its ticks.

    Raises
    ------
    InputError
        For an end or a step that is no positive number, and more ticks than can be read.
    """
    for name, value in (("end", end), ("step", step)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise fault(
                InputError,
                f"'{name}' is a time after 0",
                values=[f"{value:g}"],
                remedy=f"Give a positive, finite number, or leave '{name}' out",
            )
    if step is None:
        step = _tick(last if end is None else float(end))
    count = (last if end is None else float(end)) / step
    if count > _MOST_TICKS:
        raise fault(
            InputError,
            f"the axis would have {count:,.0f} ticks",
            values=[f"step = {step:g}"],
            remedy=f"Give a step that makes at most {_MOST_TICKS}, or leave it out",
        )
    if end is None:
        # Where every time is 0 the axis still needs a length.
        end = step * max(float(np.ceil(last / step)), 1.0)
    return float(end), float(step)


def _long(names: Sequence[str], labels: Mapping[str, str]) -> bool:
    return any(len(labels.get(name, worded(name))) > _ROOM for name in names)


def _tick(end: float) -> float:
    """Give a round distance that makes about six ticks."""
    rough = end / 6
    power = 10.0 ** np.floor(np.log10(rough)) if rough > 0 else 1.0
    return float(next(n * power for n in _NICE if n * power >= rough))


def _steps(time: Any, value: Any, start: float, end: float) -> tuple[Any, Any]:
    time, value = np.asarray(time, dtype=np.float64), np.asarray(value, dtype=np.float64)
    inside = int(_core.last_at(time, np.array([float(end)]))[0]) + 1
    time = np.concatenate([[0.0], time[:inside]])
    value = np.concatenate([[start], value[:inside]])
    return time, value


def _fill_under(ax: Any, time: Any, survival: Any, until: float, colour: str) -> None:
    """Shade the area between a curve and the axis up to a time."""
    inside = time <= until
    time = np.append(time[inside], until)
    survival = np.append(survival[inside], survival[inside][-1])
    ax.fill_between(time, survival, step="post", color=colour, alpha=0.13, linewidth=0, zorder=1)


def _table_below(
    ax: Any,
    ticks: Any,
    names: Sequence[str],
    counts: Mapping[str, Sequence[str]],
    labels: Mapping[str, str],
    styles: Mapping[str, _style.ArmStyle],
) -> None:
    """Write the numbers at risk below the name of the axis, each under its tick."""

    def put(text: str, x: float, line: float, *, anchor: str, transform: Any, **style: Any) -> None:
        ax.annotate(
            text,
            xy=(x, 0),
            xytext=(0, -34 - 11 * line),
            xycoords=transform,
            textcoords="offset points",
            ha=anchor,
            va="top",
            fontsize=7.5,
            annotation_clip=False,
            **style,
        )

    axis = ax.get_xaxis_transform()
    put("Number at risk", 0, 0, anchor="left", transform="axes fraction", fontweight="bold")
    long = _long(names, labels)
    # 7.5-point digits are 4.8 points wide; the first count stands half to the left of nought.
    widest = max((len(counts[name][0]) for name in names), default=1)
    beside = -max(14.0, 2.4 * widest + 6.0)
    for place, name in enumerate(names, start=1):
        # A long name has a line of its own above its numbers.
        line = 2 * place if long else place
        ax.annotate(
            textwrap.shorten(labels.get(name, worded(name)), 70, placeholder=" …")
            if long
            else labels.get(name, worded(name)),
            xy=(0, 0),
            xytext=(0, -34 - 11 * (line - 1)) if long else (beside, -34 - 11 * line),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="left" if long else "right",
            va="top",
            fontsize=7.5,
            color=styles[name].colour,
            annotation_clip=False,
        )
        for x, count in zip(ticks, counts[name], strict=True):
            put(count, float(x), line, anchor="center", transform=axis)


def _alt(
    curves: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    labels: Mapping[str, str],
    kind: str,
    xlabel: str,
    ylabel: str,
    end: float,
    medians: Sequence[float] | None,
    counts: Mapping[str, Sequence[str]] | None,
    means: tuple[float, Sequence[float]] | None,
) -> str:
    parts = [f"{kind} curves. {ylabel} against {xlabel}, 0 to {end:g}."]
    for i, (curve, name) in enumerate(zip(curves, names, strict=True)):
        at = int(_core.last_at(curve["time"], np.array([float(end)]))[0])
        value = 1.0 if at < 0 else float(curve["survival"][at])
        shown = f"{value:.0%}" if np.isfinite(value) else "not known"
        sentence = f"{labels.get(name, worded(name))}: {shown} at the end"
        if medians is not None and np.isfinite(medians[i]):
            sentence += f", median {medians[i]:g}"
        if means is not None:
            sentence += f", mean {means[1][i]:g} up to {means[0]:g}"
        if counts is not None:
            sentence += f", {counts[name][0]} at risk at the start"
        parts.append(sentence + ".")
    return " ".join(parts)

"""Figures of sensitivity analyses, in the printed style."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from crewe.plots import style as _style

if TYPE_CHECKING:
    from crewe.cost._decision import Decision, Tornado

_POINTS = 1_000
"""The draws that are drawn: more would be a blot."""


def _money_axis(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    def text(value: float, _: Any) -> str:
        return f"{'−' if value < 0 else ''}£{abs(value):,.0f}"

    axis.set_major_formatter(FuncFormatter(text))


def _title(found: Decision) -> str:
    return "with savings over a lifetime" if found.lifetime else "without savings over a lifetime"


@_style.printed()
def acceptability(found: Decision, labels: Mapping[str, str], ax: Any) -> Any:
    """Draw the curves; see :meth:`crewe.cost.Decision.plot`."""
    if ax is None:
        _, ax = _style.figure(140, 80)
    styles = _style.arm_styles(found.arms)
    shares = found._found.probability
    for j, arm in enumerate(found.arms):
        style = styles[arm]
        ax.plot(found.willingness, shares[:, j], color=style.colour, linestyle=style.line)
    ax.set_ylim(0, 1)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.yaxis.grid(True)
    if len(found.willingness) > 1:
        ax.set_xlim(found.willingness.min(), found.willingness.max())
    _money_axis(ax.xaxis)
    ax.set_xlabel(textwrap.fill(f"What an effect is worth ({found.effect})", 70))
    ax.set_ylabel("Share of draws in which the arm is best")
    _style.legend(ax, styles, labels, lines=True)
    _style.note(ax, f"{found.sensitivity.draws:,} draws, {_title(found)}")
    ends = [
        f"{labels.get(arm, arm)} is best in {shares[0, j]:.0%} of draws at the low end and {shares[-1, j]:.0%} at the high end"
        for j, arm in enumerate(found.arms)
    ]
    _style.alt_text(
        ax, f"Cost-effectiveness acceptability curves, {_title(found)}. {'. '.join(ends)}."
    )
    if found.sensitivity.analysis.synthetic:
        _style.label_synthetic(ax)
    return ax


@_style.printed()
def plane(found: Decision, willingness: float | None, labels: Mapping[str, str], ax: Any) -> Any:
    """Draw the plane; see :meth:`crewe.cost.Decision.plane`."""
    if ax is None:
        _, ax = _style.figure(140, 95)
    styles = _style.arm_styles(found.arms)
    said = []
    for j, (arm, (cost, effect)) in enumerate(zip(found.arms[1:], found._increments, strict=True)):
        style = styles[arm]
        ax.plot(
            effect[:_POINTS],
            cost[:_POINTS],
            linestyle="none",
            marker=".",
            markersize=2.5,
            alpha=0.35,
            color=style.colour,
        )
        mean = (
            float(found._found.effect_difference[j, 0]),
            float(found._found.cost_difference[j, 0]),
        )
        ax.plot(*mean, linestyle="none", marker="X", markersize=9, color="#ffffff", zorder=4)
        ax.plot(*mean, linestyle="none", marker="X", markersize=6.5, color=_style.INK, zorder=5)
        said.append(
            f"{labels.get(arm, arm)}: mean difference in effect {mean[0]:.3f} and in cost {mean[1]:,.0f} pounds"
        )
    # Both axes show nought, or the quadrants would not be seen.
    ax.set_xlim(min(ax.get_xlim()[0], 0.0), max(ax.get_xlim()[1], 0.0))
    ax.set_ylim(min(ax.get_ylim()[0], 0.0), max(ax.get_ylim()[1], 0.0))
    if willingness is not None:
        ends = np.array(ax.get_xlim())
        low, high = ax.get_ylim()
        ax.plot(ends, willingness * ends, color=_style.QUIET, linewidth=0.9, linestyle=(0, (4, 2)))
        ax.set_xlim(ends)
        ax.set_ylim(low, high)
    ax.axhline(0, color=_style.QUIET, linewidth=0.7)
    ax.axvline(0, color=_style.QUIET, linewidth=0.7)
    _money_axis(ax.yaxis)
    ax.set_xlabel(
        textwrap.fill(
            f"Difference in effect from {labels.get(found.arms[0], found.arms[0])} ({found.effect})",
            70,
        )
    )
    ax.set_ylabel("Difference in cost")
    _style.legend(ax, {arm: styles[arm] for arm in found.arms[1:]}, labels, markers=True)
    shown = min(_POINTS, found.sensitivity.draws)
    line = (
        "" if willingness is None else f"; on the broken line an effect costs £{willingness:,.0f}"
    )
    _style.note(
        ax, f"{shown:,} of {found.sensitivity.draws:,} draws, {_title(found)}; cross: means{line}"
    )
    _style.alt_text(ax, f"Cost-effectiveness plane, {_title(found)}. {'. '.join(said)}.")
    if found.sensitivity.analysis.synthetic:
        _style.label_synthetic(ax)
    return ax


@_style.printed()
def bars(found: Tornado, ax: Any) -> Any:
    """Draw the bars; see :meth:`crewe.cost.Tornado.plot`."""
    swings, inputs = found._found, found.sensitivity.analysis.inputs
    names = [textwrap.fill(inputs[name].label or name, 34) for name in swings.names]
    if ax is None:
        _, ax = _style.figure(150, 28 + 9 * max(len(names), 2))
    places = np.arange(len(names))
    for at, colour, face in (
        (swings.at_low, "#6b6b6b", "#e4e4e4"),
        (swings.at_high, "#0b4f8a", "#0b4f8a"),
    ):
        ax.barh(
            places, at - found.base, left=found.base, height=0.6, color=face, edgecolor=colour,
            hatch="////" if face == "#e4e4e4" else "", linewidth=0.8,
        )  # fmt: skip
    ax.axvline(found.base, color=_style.INK, linewidth=0.9)
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.xaxis.grid(True)
    if found.unit == "GBP":
        _money_axis(ax.xaxis)
    elif found.unit == "%":
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    ax.set_xlabel(textwrap.fill(found.result, 80))
    low, high = _style.arm_styles(["low", "high"]).values()
    styles = {"input at its low end": low, "input at its high end": high}
    _style.legend(ax, styles, bars=True)
    _style.note(
        ax,
        f"Line: {found.show(found.base)}, at the estimates; ends of {100 * found.level:g}% intervals",
    )
    said = [
        f"{inputs[name].label or name}: {found.show(float(swings.at_low[i]))} to {found.show(float(swings.at_high[i]))}"
        for i, name in enumerate(swings.names)
    ]
    _style.alt_text(ax, f"Tornado of {found.result}. {'. '.join(said)}.")
    if found.sensitivity.analysis.synthetic:
        _style.label_synthetic(ax)
    return ax

"""Figures of recruitment and of what drives a trial's power."""

from __future__ import annotations

import datetime as dt
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from crewe.plots import style as _style
from crewe.power._priors import NAMES
from crewe.power._quantities import percent

if TYPE_CHECKING:
    from crewe.power._assurance import Assurance
    from crewe.power._update import Update


@_style.printed()
def recruitment(found: Update, ax: Any) -> Any:
    """Draw arrivals, forecast and plan; see :meth:`crewe.power.Update.plot`."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if ax is None:
        _, ax = _style.figure(140, 80)
    days = [dt.date.fromordinal(int(day)) for day in found.arrivals]
    counts = np.arange(1, len(days) + 1)
    ax.step([*days, found.at], [*counts, counts[-1]], where="post", color=_style.INK)
    said = [f"{found.clusters} clusters came from {found.first} to {found.at}"]
    if found.at_close is not None and found.closes is not None:
        expected, low, high = found.at_close
        ends = [found.at, found.closes]
        now = found.clusters
        ax.fill_between(ends, [now, low], [now, high], color="#cfdbe8", linewidth=0)
        ax.plot(ends, [now, expected], color="#0b4f8a", linestyle="--")
        said.append(
            f"{expected:.0f} are expected by {found.closes}, between {low:.0f} and {high:.0f}"
        )
    if found.plan.clusters is not None:
        ax.axhline(found.plan.clusters, color=_style.QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
        said.append(f"{found.plan.clusters} were planned")
    ax.set_ylim(0, None)
    ax.set_ylabel("Clusters")
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    _style.note(
        ax,
        f"Solid: came so far; broken: forecast with its {100 * found.level:g}% interval; dotted: planned",
    )
    _style.alt_text(ax, f"Clusters recruited over time. {'. '.join(said)}.")
    if found.seen is not None and found.seen.synthetic:
        _style.label_synthetic(ax)
    return ax


@_style.printed()
def tornado(found: Assurance, ax: Any) -> Any:
    """Draw the bars; see :meth:`crewe.power.Assurance.plot`."""
    swings = found.swings
    names = [textwrap.fill(NAMES[str(name)], 34) for name in swings["quantity"]]
    if ax is None:
        _, ax = _style.figure(150, 34 + 9 * max(len(names), 2))
    places = np.arange(len(names))
    for column, colour, face in (
        ("at_low", "#6b6b6b", "#e4e4e4"),
        ("at_high", "#0b4f8a", "#0b4f8a"),
    ):
        width = swings[column].to_numpy(dtype=float) - found.power
        ax.barh(
            places, np.nan_to_num(width), left=found.power, height=0.6, color=face, edgecolor=colour,
            hatch="////" if face == "#e4e4e4" else "", linewidth=0.8,
        )  # fmt: skip
    ax.axvline(found.power, color=_style.INK, linewidth=0.9)
    ax.set_xlim(0, 1)
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.xaxis.grid(True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.set_xlabel("Power in the direction of the plan")
    low, high = _style.arm_styles(["low", "high"]).values()
    _style.legend(ax, {"low end of its prior": low, "high end of its prior": high}, bars=True)
    _style.note(
        ax,
        f"Line: {percent(found.power)}, as planned; assurance {percent(found.assurance)}; "
        f"ends of {100 * found.level:g}% intervals",
    )
    said = [
        f"{NAMES[str(row['quantity'])]}: {row['at_low']:.0%} to {row['at_high']:.0%}"
        for row in swings.to_dict("records")
    ]
    _style.alt_text(ax, f"Tornado of the power. {'. '.join(said)}.")
    return ax

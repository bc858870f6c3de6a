"""Predicted levels by arm (re-weighted means) with their intervals, and stars under the axis."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.plots import style as _style
from crewe.plots.shares import in_percent
from crewe.tables import protocols
from crewe.tables.display import p_value, stars
from crewe.tables.labels import fixed, pretty, share, signed
from crewe.tables.wording import in_words, worded

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass
class _Group:
    """One place on the horizontal axis: the levels of every arm and the tests between them."""

    title: str
    levels: list[dict[str, Any]]
    tests: list[dict[str, Any]]
    counts: list[int]


@checked
@in_words
def means(
    margins: Any,
    *,
    arms: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    percent: bool = False,
    ylabel: str = "",
    kind: Literal["points", "bars"] = "points",
    level: float | None = None,
    significance: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the predicted level of every arm with its confidence interval, group by group.

    Under each group stand the number of rows of each arm, where the margins know it, and the
    difference from the first arm with its stars: *** for p < .01, ** for p < .05, * for p < .10, as
    `contrasts()` of the margins gives them.

    Parameters
    ----------
    margins : margins, or a mapping of them
        Anything with `tidy()` (level, by, estimate, conf_low, conf_high) and, for the stars,
        `contrasts()`. The keys of a mapping name the groups, for instance
        ``{"All cases": all_cases, "By history": by_history}``; a `by` column makes one group for
        each of its values.
    arms : sequence of str, optional
        The arms in order, the reference first; as they come otherwise.
    labels : mapping, optional
        What to print in place of an arm or of a value of `by`.
    percent : bool
        Whether the levels are shares, to be printed as per cent and differences as points.
    ylabel : str, optional
        What is predicted.
    kind : {"points", "bars"}
        Points with intervals, or bars with intervals.
    level : float, optional
        The coverage of the intervals; the margins' own otherwise.
    significance : bool
        Whether differences and stars stand under the axis.
    ax : matplotlib Axes, optional
        Where to draw; a figure of its own otherwise.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        Where there is nothing to draw, a column is missing, or `kind` is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from crewe import plots
    >>> levels = pd.DataFrame({"level": ["control", "crewe"], "estimate": [0.64, 0.72],
    ...                        "conf_low": [0.50, 0.62], "conf_high": [0.78, 0.82]})
    >>> ax = plots.means(levels, percent=True, ylabel="Predicted share closed")
    >>> [text.get_text() for text in ax.texts]
    ['64%', '72%']
    """
    if kind not in ("points", "bars"):
        raise fault(InputError, f"'{kind}' is no kind of figure", remedy="Use 'points' or 'bars'")
    groups = _groups(margins, level, dict(labels or {}))
    names = list(arms or dict.fromkeys(str(r["level"]) for g in groups for r in g.levels))
    if not names or not groups:
        raise fault(InputError, "there is nothing to draw", remedy="Give margins with levels")
    first = _named(margins)
    outcome = str(protocols.attribute(next(iter(first.values())), "outcome") or "level")
    options = _Options(
        percent=percent,
        ylabel=ylabel or f"Predicted {outcome.replace('_', ' ')}",
        kind=kind,
        level=protocols.level_of(next(iter(first.values())), level),
        significance=significance,
        labels={**_level_names(first, names), **dict(labels or {})},
        digits=_digits(_ends(groups), percent),
    )
    drawn = _draw(groups, names, options, ax)
    if any(protocols.synthetic(result) for result in first.values()):
        _style.label_synthetic(drawn)
    return drawn


@dataclass
class _Options:
    percent: bool
    ylabel: str
    kind: str
    level: float
    significance: bool
    labels: dict[str, str]
    digits: int

    def value(self, value: float) -> str:
        if not math.isfinite(value):
            return "–"
        if self.percent:
            return share(value, self.digits)
        return fixed(value, self.digits) if self.digits <= _MOST_DIGITS else f"{value:.2e}"

    def difference(self, value: float) -> str:
        if not math.isfinite(value):
            return "–"
        if self.percent:
            return f"{signed(100 * value, max(1, self.digits))} points"
        return signed(value, self.digits) if self.digits <= _MOST_DIGITS else f"{value:+.2e}"


_MOST_DIGITS = 6


def _ends(groups: list[_Group]) -> list[float]:
    """Give every number that the axis must show, where it is one."""
    found = [row[name] for g in groups for row in g.levels for name in protocols.INTERVAL]
    return [float(value) for value in found if math.isfinite(value)]


def _digits(ends: list[float], percent: bool) -> int:
    """Give as many decimals as tell levels apart: two, or one beside large numbers, and more where all are close."""
    reach = max(ends, default=0.0) - min(ends, default=0.0)
    if percent:
        return max(0, -math.floor(math.log10(100 * reach))) if 0 < reach < 0.01 else 0
    few = 2 if all(abs(end) < 10 for end in ends) else 1
    needed = -math.floor(math.log10(reach)) if reach > 0 else 0
    return needed + 1 if needed > few else few


def _level_names(margins: Mapping[str, Any], names: list[str]) -> dict[str, str]:
    """Name bare numbers by what they are levels of: "treated: 1" says more than "1"."""
    term = protocols.attribute(next(iter(margins.values())), "term")
    if not term:
        return {}
    return {
        name: f"{pretty(str(term))}: {name}"
        for name in names
        if name.replace(".", "", 1).lstrip("-").isdigit()
    }


def _named(margins: Any) -> dict[str, Any]:
    """Give margins by the title of their group; a mapping of columns is one result."""
    if isinstance(margins, Mapping) and "level" not in margins:
        return {str(title): result for title, result in margins.items()}
    return {"": margins}


def _groups(margins: Any, level: float | None, labels: dict[str, str]) -> list[_Group]:
    groups = []
    for title, result in _named(margins).items():
        levels = protocols.tidy_with(result, ("level", *protocols.INTERVAL), level)
        given = protocols.attribute(result, "contrasts")
        tests = protocols.rows(given()) if callable(given) else []
        counts = list(protocols.attribute(result, "counts") or [0] * len(levels))
        for value in dict.fromkeys(row.get("by") for row in levels):
            text = "" if value is None else labels.get(str(value), worded(str(value)))
            groups.append(
                _Group(
                    title=text or str(title),
                    levels=[row for row in levels if row.get("by") == value],
                    tests=[row for row in tests if row.get("by") == value],
                    counts=[
                        n for n, row in zip(counts, levels, strict=True) if row.get("by") == value
                    ],
                )
            )
    return groups


@_style.printed()
def _draw(groups: list[_Group], names: list[str], options: _Options, ax: Any) -> Axes:
    if ax is None:
        _, ax = _style.figure(width_mm=min(_style.WIDTH_MM, 70 + 36 * len(groups)), height_mm=86)
    styles = _style.arm_styles(names)
    bars = options.kind == "bars"
    step = 0.36 if bars else 0.30
    for j, name in enumerate(names):
        style = styles[name]
        places = [
            (g, row)
            for g, group in enumerate(groups)
            for row in group.levels
            if str(row["level"]) == name
        ]
        x = [g + (j - (len(names) - 1) / 2) * step for g, _ in places]
        y = [row["estimate"] for _, row in places]
        low = [row["estimate"] - row["conf_low"] for _, row in places]
        high = [row["conf_high"] - row["estimate"] for _, row in places]
        title = options.labels.get(name, worded(name))
        if bars:
            ax.bar(
                x,
                y,
                width=step * 0.92,
                color=style.fill,
                edgecolor=style.colour,
                hatch=style.hatch,
                linewidth=0.8,
                label=title,
            )
            _style.whiskers(ax, x, y, yerr=[low, high])
        else:
            ax.errorbar(
                x,
                y,
                yerr=[low, high],
                fmt=style.marker,
                color=style.colour,
                mfc=style.face,
                mec=style.colour,
                mew=1.3,
                markersize=7,
                label=title,
                **_CAPS,
            )
        for at, row in zip(x, (row for _, row in places), strict=True):
            if not math.isfinite(row["estimate"]):
                continue
            high_end = row["conf_high"] if math.isfinite(row["conf_high"]) else row["estimate"]
            ax.annotate(
                options.value(row["estimate"]),
                (at, high_end if bars else row["estimate"]),
                xytext=(0, 4) if bars else (7, 0),
                textcoords="offset points",
                ha="center" if bars else "left",
                va="bottom" if bars else "center",
                fontsize=8.5,
                fontweight="bold",
                color=_style.INK,
            )
    _axes(ax, groups, styles, options)
    _style.alt_text(ax, _alt(groups, names, options))
    return ax  # type: ignore[no-any-return]


_CAPS: dict[str, Any] = {"elinewidth": 1.3, "capsize": 4, "capthick": 1.3}


def _axes(
    ax: Any,
    groups: list[_Group],
    styles: dict[str, _style.ArmStyle],
    options: _Options,
) -> None:
    ax.set_xlim(-0.5, len(groups) - 0.5)
    ax.set_xticks(range(len(groups)), _under(groups, options))
    ax.tick_params(axis="x", length=0, pad=6, labelsize=8.5)
    ends = _ends(groups)
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    if options.percent:
        _shares(ax, min(low, 0.0), max(high, 0.0))
    elif options.kind == "points":
        # Points need no nought: the axis shows the intervals, with room for the numbers.
        if ends:
            margin = 0.12 * ((high - low) or abs(high) or 1.0)
            ax.set_ylim(low - margin, high + margin)
        if low < 0 < high:
            ax.axhline(0, color=_style.INK, linewidth=0.7)
    elif low >= 0:
        # Room above the longest interval for the number that stands on it.
        ax.set_ylim(0, ax.get_ylim()[1] * 1.05)
    else:
        margin = 0.05 * (max(high, 0.0) - low)
        ax.set_ylim(low - margin, max(high, 0.0) + margin)
        ax.axhline(0, color=_style.INK, linewidth=0.7)
    ax.grid(axis="y")
    ax.set_ylabel(options.ylabel)
    interval = f"Vertical lines: {100 * options.level:g}% confidence intervals."
    tested = options.significance and any(group.tests for group in groups)
    # No line breaks between stars and what they stand for.
    marks = ("(n.s.) p ≥ 0.10", "* p < 0.10", "** p < 0.05", "*** p < 0.01")
    legend = "   ".join(["", *(mark.replace(" ", "\N{NO-BREAK SPACE}") for mark in marks)])
    ax.set_xlabel(
        _style.wrapped(ax, interval + (legend if tested else "")),
        fontsize=7.5,
        color=_style.QUIET,
        labelpad=8,
    )
    _style.legend(ax, styles, options.labels, bars=options.kind == "bars")


def _shares(ax: Any, low: float, high: float) -> None:
    """Put shares on the whole scale, small ones on as much of it as shows them."""
    # Predictions of a linear model may lie below nought.
    whole, step = _scale(max(high, -low) or 1.0)
    top = max(high * 1.06, whole) if high > 0 or low == 0 else 0.0
    ax.set_ylim(low * 1.06, top)
    first, last = math.ceil(low * 1.06 / step - 1e-9), round(min(top, whole) / step)
    ax.set_yticks([step * tick for tick in range(first, last + 1)])
    in_percent(ax.yaxis)
    if low < 0:
        ax.axhline(0, color=_style.INK, linewidth=0.7)


def _scale(top: float) -> tuple[float, float]:
    """Give the height of an axis of shares and the distance of its ticks."""
    if top > 0.5:
        return 1.0, 0.2
    power = 10.0 ** math.floor(math.log10(max(top, 1e-12) * 1.06))
    step = next(n * power for n in (0.2, 0.5, 1.0, 2.0) if top * 1.06 / (n * power) <= 6)
    return step * math.ceil(top * 1.06 / step - 1e-9), step


def _under(groups: list[_Group], options: _Options) -> list[str]:
    """Word the ticks: the groups' titles, wrapped to the same height, and their differences."""
    titles = [
        [part for line in group.title.split("\n") for part in textwrap.wrap(line, 24) or [""]]
        for group in groups
    ]
    tall = max(len(lines) for lines in titles) if any(group.title for group in groups) else 0
    ticks = []
    for group, title in zip(groups, titles, strict=True):
        lines = title[:tall] + [""] * (tall - len(title))
        if all(group.counts):
            lines.append("n = " + ", ".join(f"{n:,}" for n in group.counts))
        if options.significance:
            for test in group.tests:
                star = stars(test["p_value"]) or "(n.s.)"
                words = "" if tall else "Difference "
                lines.append(f"{words}{options.difference(test['estimate'])} {star}")
        ticks.append("\n".join(lines).rstrip("\n"))
    return ticks


def _alt(groups: list[_Group], names: list[str], options: _Options) -> str:
    said = []
    for group in groups:
        by_name = {str(row["level"]): row for row in group.levels}
        sizes = {
            str(row["level"]): f", n = {n:,}" if n else ""
            for row, n in zip(group.levels, group.counts, strict=True)
        }
        parts = [
            f"{options.labels.get(name, worded(name))} {options.value(row['estimate'])} "
            f"({options.value(row['conf_low'])} to {options.value(row['conf_high'])}"
            f"{sizes.get(name, '')})"
            for name in names
            if (row := by_name.get(name)) is not None
        ]
        parts += [
            f"difference {options.difference(test['estimate'])}, p = {p_value(test['p_value'])}"
            for test in group.tests
        ]
        said.append((f"{group.title}: " if group.title else "") + "; ".join(parts))
    return (
        f"{options.ylabel} by arm with {100 * options.level:g}% confidence intervals. "
        + ". ".join(said)
        + "."
    ).replace("p = <", "p < ")

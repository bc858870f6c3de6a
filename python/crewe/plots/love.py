"""Balance at a glance: the standardised difference of every covariate between the arms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.plots import style as _style
from crewe.tables import protocols
from crewe.tables.labels import pretty, signed
from crewe.tables.wording import in_words, worded

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
@in_words
def love(
    balance: Any,
    *,
    difference: str = "std_difference",
    labels: Mapping[str, str] | None = None,
    mark: float = 0.1,
    ax: Axes | None = None,
) -> Axes:
    """Draw each covariate's standardised difference in means, the largest first.

    Parameters
    ----------
    balance : balance table or tidy frame
        With `term` and the column named by `difference`: the difference in means over the pooled
        standard deviation. Several arms (`arm`) or levels (`level`, as families and children) are
        told apart by their markers.
    difference : str
        The name of that column.
    labels : mapping, optional
        What to print in place of a covariate.
    mark : float
        Where dotted lines stand on both sides of zero.
    ax : matplotlib Axes, optional
        Where to draw; a figure of its own otherwise.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        Where the column is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> from crewe import plots
    >>> table = pd.DataFrame({"term": ["age", "history"], "std_difference": [0.02, -0.14]})
    >>> [label.get_text() for label in plots.love(table).get_yticklabels()]
    ['history', 'age']
    """
    rows = protocols.tidy(balance)
    columns = list(rows[0]) if rows else []
    if difference not in columns or "term" not in columns:
        raise fault(
            InputError,
            f"there is no column '{difference}' beside 'term'",
            column=difference,
            remedy=f"The columns are {', '.join(columns) or 'none'}",
        )
    # The reference arm has no difference from itself: an arm without any is no series.
    with_any = {row.get("arm") for row in rows if _given(row[difference])}
    rows = [row for row in rows if not with_any or row.get("arm") in with_any]
    split = [name for name in ("arm", "level") if len({row.get(name) for row in rows}) > 1]
    series: dict[str, dict[str, float]] = {}
    for row in rows:
        title = ", ".join(worded(str(row[name])) for name in split)
        series.setdefault(title, {})[str(row["term"])] = _known(row[difference])
    largest: dict[str, float] = {}
    for values in series.values():
        for term, value in values.items():
            largest[term] = max(largest.get(term, -1.0), -1.0 if math.isnan(value) else abs(value))
    terms = sorted(largest, key=lambda term: -largest[term])
    known = {**(protocols.attribute(balance, "texts") or {}), **(labels or {})}
    return _draw(series, terms, [known.get(term, pretty(term)) for term in terms], mark, ax)


def _given(value: Any) -> bool:
    return value is not None and value == value


def _known(value: Any) -> float:
    """Give a difference as a number; one that is not defined, or not finite, as NaN."""
    value = math.nan if value is None else float(value)
    return value if math.isfinite(value) else math.nan


@_style.printed()
def _draw(
    series: dict[str, dict[str, float]], terms: list[str], texts: list[str], mark: float, ax: Any
) -> Axes:
    if ax is None:
        _, ax = _style.figure(height_mm=min(max(26 + 6 * len(terms), 44), 230))
    # One series is drawn as the treated arm is; several take the styles in turn.
    names = list(series)
    keys = names if len(names) > 1 else ["", *names]
    every = list(_style.arm_styles([f"{i}" for i in range(len(keys))]).values())
    styles = dict(zip(names, every[-len(names) :] if names else [], strict=True))
    place = {term: i for i, term in enumerate(terms)}
    said = []
    for name, values in series.items():
        style = styles[name]
        y = [place[term] for term in values]
        x = list(values.values())
        for term, value in values.items():
            if math.isnan(value):
                _mark_undefined(ax, place[term])
        if len(names) == 1:
            ax.hlines(y, 0, x, color=style.colour, linewidth=0.9)
        ax.plot(x, y, style.marker, color=style.colour, mfc=style.face, mec=style.colour, zorder=3)
        said += [
            (f"{name}, " if name else "") + f"{texts[place[term]]}: {_said(value)}"
            for term, value in values.items()
        ]
    ax.axvline(0, color=_style.INK, linewidth=0.7, zorder=0)
    for side in (-mark, mark):
        ax.axvline(side, color=_style.QUIET, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
    sizes = [
        abs(value) for values in series.values() for value in values.values() if value == value
    ]
    reach = 1.15 * max([2 * mark, *sizes])
    ax.set_xlim(-reach, reach)
    ax.set_yticks(range(len(texts)), texts)
    ax.set_ylim(len(texts) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_xlabel(f"Standardised difference in means (dotted: ±{mark:g})")
    if len(names) > 1:
        _style.legend(ax, styles)
    _style.alt_text(ax, f"Standardised difference in means of each covariate. {'; '.join(said)}.")
    return ax  # type: ignore[no-any-return]


def _mark_undefined(ax: Any, y: int) -> None:
    """Keep the line of a covariate whose difference is not defined, in words."""
    ax.annotate(
        "not defined",
        (0.99, y),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="center",
        fontsize=7.5,
        color=_style.QUIET,
        style="italic",
    )


def _said(value: float) -> str:
    return "not defined" if math.isnan(value) else signed(value, 2)

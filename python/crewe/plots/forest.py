"""A forest plot: one estimate a line with its interval, drawn and written out."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.plots import style as _style
from crewe.tables import protocols
from crewe.tables.display import number
from crewe.tables.labels import pretty, strata_of
from crewe.tables.wording import in_words, worded

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
@in_words
def forest(
    frame: Any,
    *,
    terms: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    null: float = 0.0,
    log: bool = False,
    digits: int = 2,
    level: float | None = None,
    xlabel: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw estimates of several subgroups, outcomes or trials under each other.

    Parameters
    ----------
    frame : tidy frame or result, or a mapping of results
        With `term`, `estimate`, `conf_low` and `conf_high`, on the scale that is drawn. Columns in
        front of `term`, as fits with `by=` have one, name the subgroup of a line, and so do the keys
        of a mapping.
    terms : sequence of str, optional
        The terms to show, in this order within each subgroup. Otherwise all but those of the strata
        and, of a fitted model, the intercept.
    labels : mapping, optional
        What to print in place of a term or of a subgroup.
    null : float
        Where there is no effect: 0 for differences, 1 for ratios.
    log : bool
        Whether the axis is logarithmic, as ratios want it.
    digits : int
        Decimals of the numbers on the right.
    level : float, optional
        The coverage of the intervals, as the frame has them; .95 otherwise.
    xlabel : str, optional
        What is estimated.
    ax : matplotlib Axes, optional
        Where to draw; a figure of its own otherwise.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        Where the frame is empty, lacks a column or has no such term, or a logarithmic axis meets a
        value that is not positive.

    Examples
    --------
    >>> import pandas as pd
    >>> from crewe import plots
    >>> ratios = pd.DataFrame({"term": ["fin", "age"], "estimate": [0.68, 0.94],
    ...                        "conf_low": [0.47, 0.90], "conf_high": [1.00, 0.99]})
    >>> plots.forest(ratios, null=1, log=True, xlabel="Hazard ratio").get_xscale()
    'log'
    """
    lines = _lines(frame, terms, level, dict(labels or {}))
    rows = [row for row, _ in lines]
    coverage = protocols.level_of(_first(frame), level)
    if not rows:
        raise fault(InputError, "there is nothing to draw", remedy="Give at least one estimate")
    low = [row for row in rows if log and min(row["conf_low"], row["estimate"]) <= 0]
    if low:
        raise fault(
            InputError,
            "a logarithmic axis has no place for values that are not positive",
            values=[str(row["term"]) for row in low],
            remedy="Exponentiate the estimates first, or use log=False",
        )
    names = list(dict.fromkeys(str(row["term"]) for row in rows))
    one = len(names) == 1 and all(group for _, group in lines)
    wording = {name: (labels or {}).get(name, pretty(name)) for name in names}
    texts = [
        group if one else ", ".join(filter(None, [group, wording[str(row["term"])]]))
        for row, group in lines
    ]
    # Where every line is a subgroup, the axis says what is estimated in each.
    said = xlabel or (f"Estimate of {wording[names[0]]}" if one else "Estimate")
    drawn = _draw(rows, texts, (null, log, digits, coverage, said), ax)
    if protocols.synthetic(frame):
        _style.label_synthetic(drawn)
    return drawn


def _named(frame: Any) -> Mapping[str, Any] | None:
    """Give results by the name of their subgroup; a mapping of columns is one frame, and so is a tidy result."""
    if not isinstance(frame, Mapping) or isinstance(frame, protocols.Tidy) or "term" in frame:
        return None
    return {str(name): result for name, result in frame.items()}


def _first(frame: Any) -> Any:
    """Give the result whose level holds for all: fits by subgroup have one level."""
    several = isinstance(frame, Mapping) and frame and "term" not in frame
    return next(iter(frame.values())) if several else frame


def _lines(
    frame: Any, terms: Sequence[str] | None, level: float | None, labels: dict[str, str]
) -> list[tuple[dict[str, Any], str]]:
    """Give the rows to draw, each with the words for its subgroup."""
    named = _named(frame)
    if named is not None:
        return [
            (row, ", ".join(filter(None, [labels.get(name, worded(name)), group])))
            for name, result in named.items()
            for row, group in _lines(result, terms, level, labels)
        ]
    rows = protocols.tidy_with(frame, ("term", *protocols.INTERVAL), level)
    found = list(dict.fromkeys(str(row["term"]) for row in rows))
    strata = set(strata_of(frame, found))
    unknown = [term for term in terms or [] if term not in found]
    if unknown:
        raise fault(
            InputError,
            "there are no such terms to draw",
            values=unknown,
            remedy=f"The terms are {', '.join(term for term in found if term not in strata)}",
        )
    if terms is None:
        fitted = protocols.attribute(frame, "strata_terms") is not None
        hidden = strata | ({"Intercept"} if fitted else set())
        rows = [row for row in rows if str(row["term"]) not in hidden] or rows
    columns = list(rows[0]) if rows else []
    front = [
        name
        for name in columns[: columns.index("term") if rows else 0]
        if len({str(row[name]) for row in rows}) > 1
    ]
    lines = [
        (row, ", ".join(_group(name, str(row[name]), labels) for name in front)) for row in rows
    ]
    if terms is None:
        return lines
    shown = list(terms)
    order = list(dict.fromkeys(group for _, group in lines))
    chosen = [line for line in lines if str(line[0]["term"]) in shown]
    return sorted(
        chosen, key=lambda line: (order.index(line[1]), shown.index(str(line[0]["term"])))
    )


def _group(name: str, value: str, labels: dict[str, str]) -> str:
    """Word a subgroup by its column and its value; outcomes and arms speak for themselves."""
    if value in labels:
        return labels[value]
    return pretty(value) if name == "outcome" else f"{pretty(name)}: {worded(value)}"


@_style.printed()
def _draw(
    rows: list[dict[str, Any]],
    texts: list[str],
    options: tuple[float, bool, int, float, str],
    ax: Any,
) -> Axes:
    null, log, digits, level, xlabel = options
    if ax is None:
        _, ax = _style.figure(height_mm=min(max(26 + 7 * len(rows), 44), 230))
    style = _style.arm_styles(["", "treated"])["treated"]
    said = []
    for i, (row, text) in enumerate(zip(rows, texts, strict=True)):
        ends = [[row["estimate"] - row["conf_low"]], [row["conf_high"] - row["estimate"]]]
        ax.errorbar(
            [row["estimate"]],
            [i],
            xerr=ends,
            fmt=style.marker,
            color=style.colour,
            elinewidth=1.2,
            capsize=2.2,
        )
        numbers = (
            "not estimated"
            if row["estimate"] != row["estimate"]
            else (
                f"{number(row['estimate'], digits)} "
                f"({number(row['conf_low'], digits)} to {number(row['conf_high'], digits)})"
            ).replace("-", "\N{MINUS SIGN}")
        )
        ax.annotate(
            numbers,
            (1.0, i),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
        said.append(f"{text}: {numbers}")
    if log:
        _log_axis(ax, rows)
    ax.axvline(null, color=_style.INK, linewidth=0.7, zorder=0)
    ax.set_yticks(range(len(rows)), [textwrap.fill(text, 40) for text in texts])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_xlabel(f"{xlabel}, with {100 * level:g}% confidence interval")
    _style.alt_text(
        ax,
        f"{xlabel} with {100 * level:g}% confidence intervals; a vertical line marks no effect "
        f"at {null:g}. " + "; ".join(said) + ".",
    )
    return ax  # type: ignore[no-any-return]


def _log_axis(ax: Any, rows: list[dict[str, Any]]) -> None:
    """Ratios at round numbers, since powers of ten are too far apart for them."""
    ax.set_xscale("log")
    ends = [row[end] for row in rows for end in ("conf_low", "conf_high")]
    known = [value for value in ends if math.isfinite(value)] or [1.0]
    least, most = min(known), max(known)
    if most / least > 1e4:
        first, last = math.floor(math.log10(least)), math.ceil(math.log10(most))
        every = -(-(last - first) // 7)
        decades = [k for k in range(first, last + 1) if k % every == 0]
        ax.set_xticks([10.0**k for k in decades], [f"{10.0**k:g}" for k in decades])
        ax.minorticks_off()
        return
    places = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    if most / least < 6:
        places = [0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4]
    shown = [place for place in places if least * 0.9 <= place <= most * 1.1] or [1]
    ax.set_xticks(shown, [f"{place:g}" for place in shown])
    ax.minorticks_off()

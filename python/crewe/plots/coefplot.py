"""Coefficients with their intervals, of one model or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.plots import style as _style
from crewe.tables import protocols
from crewe.tables.labels import fixed, model_names, named, pretty, strata_of
from crewe.tables.wording import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
@in_words
def coefplot(
    fits: Any,
    *,
    terms: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    names: Sequence[str] | None = None,
    level: float | None = None,
    xlabel: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the coefficients of one or more models with their confidence intervals.

    Parameters
    ----------
    fits : fit, tidy frame, or a list or mapping of them
        Anything with `tidy()`. The keys of a mapping name the models.
    terms : sequence of str, optional
        The terms to show, in this order; otherwise all but the intercept and those of the strata.
    labels : mapping, optional
        What to print in place of a term.
    names : sequence of str, optional
        The models' names.
    level : float, optional
        The coverage of the intervals; the models' own otherwise.
    xlabel : str, optional
        What the coefficients measure.
    ax : matplotlib Axes, optional
        Where to draw; a figure of its own otherwise.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        Where no model has any of the terms, or a frame has no interval.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> frame = pd.DataFrame({"term": ["arm[T.crewe]"], "estimate": [0.08],
    ...                       "conf_low": [-0.09], "conf_high": [0.26]})
    >>> cw.coefplot(frame).get_xlabel()
    'Estimate and 95% confidence interval'
    """
    terms = named(terms)
    models, titles = model_names(fits, names)
    need = ("term", *protocols.INTERVAL)
    tables = [{row["term"]: row for row in protocols.tidy_with(fit, need, level)} for fit in models]
    found = list(dict.fromkeys(term for table in tables for term in table))
    hidden = {"Intercept", "(Intercept)"}
    hidden |= {
        term for fit, table in zip(models, tables, strict=True) for term in strata_of(fit, [*table])
    }
    shown = [
        term
        for term in (found if terms is None else terms)
        if term in found and (terms is not None or term not in hidden)
    ]
    if not shown:
        raise fault(
            InputError,
            "there is nothing to draw",
            values=[str(term) for term in (terms or found)],
            remedy=f"The models have the terms {', '.join(found) or 'none'}",
        )
    coverage = protocols.level_of(models[0], level)
    drawn = _draw(tables, titles, shown, dict(labels or {}), coverage, xlabel, ax)
    if any(protocols.synthetic(fit) for fit in models):
        _style.label_synthetic(drawn)
    return drawn


@_style.printed()
def _draw(
    tables: list[dict[str, dict[str, Any]]],
    titles: list[str],
    shown: list[str],
    labels: dict[str, str],
    level: float,
    xlabel: str | None,
    ax: Any,
) -> Axes:
    several = len(tables) > 1
    if ax is None:
        height = 24 + len(shown) * (5.5 + 3.0 * len(tables))
        _, ax = _style.figure(height_mm=min(max(height, 42), 220))
    # One model is drawn as the treated arm is; several take the styles in turn.
    count = len(titles) if several else 2
    styles = list(_style.arm_styles([f"{i}" for i in range(count)]).values())[-len(titles) :]
    step = 0.62 / max(len(tables), 1)
    said = []
    for j, (table, title, style) in enumerate(zip(tables, titles, styles, strict=False)):
        rows = [(i, table[term]) for i, term in enumerate(shown) if term in table]
        y = [i + (j - (len(tables) - 1) / 2) * step for i, _ in rows]
        x = [row["estimate"] for _, row in rows]
        low = [row["estimate"] - row["conf_low"] for _, row in rows]
        high = [row["conf_high"] - row["estimate"] for _, row in rows]
        ax.errorbar(
            x,
            y,
            xerr=[low, high],
            fmt=style.marker,
            color=style.colour,
            mfc=style.face,
            mec=style.colour,
            elinewidth=1.2,
            capsize=2.2,
            capthick=1.0,
            label=title,
        )
        for i, row in rows:
            said.append(
                (f"{title}, " if several else "")
                + f"{labels.get(shown[i], pretty(shown[i]))}: {fixed(row['estimate'], 3)} "
                f"({fixed(row['conf_low'], 3)} to {fixed(row['conf_high'], 3)})"
            )
    ax.axvline(0, color=_style.INK, linewidth=0.7, zorder=0)
    ax.set_yticks(range(len(shown)), [labels.get(term, pretty(term)) for term in shown])
    ax.set_ylim(len(shown) - 0.45, -0.55)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    interval = f"{100 * level:g}% confidence interval"
    ax.set_xlabel(f"{xlabel}, with {interval}" if xlabel else f"Estimate and {interval}")
    if several:
        _style.legend(ax, dict(zip(titles, styles, strict=True)))
    _style.alt_text(
        ax,
        f"Coefficients with {interval}s; a vertical line marks no effect. " + "; ".join(said) + ".",
    )
    return ax  # type: ignore[no-any-return]

"""Balance at a glance: the standardised difference of every covariate between the arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crewe import _protocols, _style
from crewe._labels import pretty, signed
from crewe.exceptions import InputError, fault

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        standard deviation.
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
    rows = _protocols.tidy(balance)
    columns = list(rows[0]) if rows else []
    if difference not in columns or "term" not in columns:
        raise fault(
            InputError,
            f"there is no column '{difference}' beside 'term'",
            column=difference,
            remedy=f"The columns are {', '.join(columns) or 'none'}",
        )
    rows = [row for row in rows if row[difference] is not None]
    rows = [row for row in rows if row[difference] == row[difference]]
    rows.sort(key=lambda row: -abs(row[difference]))
    known = dict(labels or {})
    texts = [known.get(str(row["term"]), pretty(str(row["term"]))) for row in rows]
    return _draw([float(row[difference]) for row in rows], texts, mark, ax)


@_style.printed()
def _draw(values: list[float], texts: list[str], mark: float, ax: Any) -> Axes:
    if ax is None:
        _, ax = _style.figure(height_mm=min(max(26 + 6 * len(values), 44), 230))
    style = _style.arm_styles(["", "treated"])["treated"]
    ax.plot(values, range(len(values)), style.marker, color=style.colour, zorder=3)
    ax.hlines(range(len(values)), 0, values, color=style.colour, linewidth=0.9)
    ax.axvline(0, color=_style.INK, linewidth=0.7, zorder=0)
    for side in (-mark, mark):
        ax.axvline(side, color=_style.QUIET, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
    reach = 1.15 * max([2 * mark, *(abs(value) for value in values)])
    ax.set_xlim(-reach, reach)
    ax.set_yticks(range(len(texts)), texts)
    ax.set_ylim(len(texts) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_xlabel(f"Standardised difference in means (dotted: ±{mark:g})")
    said = "; ".join(f"{t}: {signed(v, 2)}" for t, v in zip(texts, values, strict=True))
    _style.alt_text(ax, f"Standardised difference in means of each covariate. {said}.")
    return ax  # type: ignore[no-any-return]

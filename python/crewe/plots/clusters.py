"""What single clusters mean to an estimate: their shares in what is known of it, and the estimate without them."""

from __future__ import annotations

from typing import Any

import numpy as np

from crewe.plots import style as _style
from crewe.tables.labels import pretty
from crewe.tables.wording import in_words, worded_term

_NAMED = 30
"""More clusters than these stand as a cloud, without their names."""


@in_words
@_style.printed()
def shares_and_influence(found: Any, name: str, axes: Any = None) -> Any:
    """Draw partial leverages, the largest first, and beside them the estimates without each cluster.

    Parameters
    ----------
    found : ClusterDiagnostics
        Of a fit.
    name : str
        One of its terms.
    axes : two matplotlib Axes, optional
    """
    term = found.terms[name]
    count = len(found.clusters)
    if axes is None:
        height = 70.0 if count > _NAMED else min(32.0 + 4.2 * count, 160.0)
        _, axes = _style.figure(170, height, ncols=2, sharey=True, layout="constrained")
    left, right = axes
    order = np.argsort(-term.partial, kind="stable")
    place = np.arange(count)
    dots = {"linestyle": "none", "marker": "o", "markersize": 3.2, "color": _style.INK, "zorder": 3}
    left.plot(term.partial[order], place, **dots)
    left.hlines(place, 0, term.partial[order], color=_style.QUIET, linewidth=0.6)
    left.axvline(1 / count, color=_style.QUIET, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
    left.set_xlim(left=0)
    left.set_xlabel(f"Share in {pretty(worded_term(name))}")
    right.axvspan(
        term.conf_low, term.conf_high, color=_style.QUIET, alpha=0.15, linewidth=0, zorder=0
    )
    right.axvline(term.estimate, color=_style.INK, linewidth=0.8, zorder=1)
    right.plot(term.without[order], place, **dots)
    right.set_xlabel("Estimate without the cluster")
    for ax in (left, right):
        ax.grid(axis="x")
        ax.locator_params(axis="x", nbins=5)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_ylim(count - 0.4, -0.6)
    if count <= _NAMED:
        left.set_yticks(place, [found.clusters[i] for i in order])
    else:
        left.set_yticks([])
        left.set_ylabel(f"{count:,} clusters, the largest share first")
    _style.note(left, f"Dotted: what each would have if all had the same, 1/{count:,}.")
    _style.note(right, "Line and band: estimate and interval from all clusters.")
    known = term.without[np.isfinite(term.without)]
    reach = f"from {known.min():.4g} to {known.max():.4g}" if len(known) else "not defined"
    _style.alt_text(
        left,
        f"Shares of {count:,} clusters in what is known of {pretty(worded_term(name))}: the largest, "
        f"{found.clusters[order[0]]}, has {100 * term.partial[order[0]]:.1f}%. The estimate is {term.estimate:.4g}; without "
        f"one cluster it goes {reach}.",
    )
    if found.synthetic:
        _style.label_synthetic(left)
    return axes

"""What a wild cluster bootstrap found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe.comparisons.samples import Result, interval_heading
from crewe.frames.arguments import check_methods
from crewe.frames.source import build
from crewe.plots import style
from crewe.plots.distribution import histogram
from crewe.resampling._result import limits
from crewe.tables.display import Table, number, p_value
from crewe.tables.wording import worded_term

Floats = NDArray[np.float64]

KINDS = {
    "11": "scores as they are, CR1 (classic)",
    "13": "scores as they are, jackknife variance (V)",
    "31": "scores transformed by the jackknife, CR1 (S)",
    "33": "scores transformed by the jackknife, jackknife variance (B)",
}


@dataclass(repr=False)
class WildBootstrap(Result):
    """A wild cluster bootstrap; made by :func:`wild_bootstrap`.

    Attributes
    ----------
    term : str
        The contrast that is tested, or several with commas between them.
    value : float
        What the hypothesis says it is.
    estimate, std_error : float
        The contrast and its standard error, by CR1 or the jackknife; NaN where several are tested at once.
    statistic : float
        `(estimate - value) / std_error`; with several contrasts their F statistic.
    p_value : float
        Two-sided; never 0.
    conf_int : tuple of float or None
        The values that the test does not reject; limits may be infinite.
    distribution : array
        The statistic of every draw.
    kind : str
        The type: `"11"`, `"13"`, `"31"` or `"33"`.
    null : bool
        Whether the hypothesis is imposed on the draws (WCR), or not (WCU).
    weights, p : str
        The distribution of the weights, and the kind of p-value.
    contrasts : int
        How many are tested at once.
    draws : int
        How many draws there are.
    exact : bool
        Whether they are all signs that there can be.
    clusters : int
        The number of clusters.
    seed : int or None
        The seed of the draws.
    model : str
        The model, as it was fitted.
    """

    term: str = ""
    value: float = 0.0
    estimate: float = np.nan
    std_error: float = np.nan
    statistic: float = np.nan
    p_value: float = np.nan
    conf_int: tuple[float, float] | None = None
    distribution: Floats = field(default_factory=lambda: np.empty(0), repr=False)
    kind: str = "11"
    null: bool = True
    weights: str = "rademacher"
    p: str = "symmetric"
    contrasts: int = 1
    draws: int = 0
    exact: bool = False
    clusters: int = 0
    cluster_name: str = ""
    seed: int | None = None
    model: str = ""
    score: bool = False

    @property
    def method(self) -> str:
        """The name of the method: WCR or WCU (WCLR or WCLU of a logit or probit) with its type."""
        return f"WC{'L' if self.score else ''}{'R' if self.null else 'U'}-{self.kind}"

    @property
    def rule(self) -> str:
        """How the p-value was formed."""
        if self.contrasts > 1:
            extreme = "F at least as large"
        elif self.p == "symmetric":
            extreme = "two-sided, symmetric: |t| at least as large"
        else:
            extreme = "two-sided, equal-tailed: twice the smaller tail"
        if self.exact:
            return f"{extreme}; over all {self.draws:,} signs of {self.clusters} clusters"
        return f"{extreme}; (1 + x)/(1 + {self.draws:,}) for x draws at least as extreme"

    def _rows(self) -> list[dict[str, Any]]:
        low, high = self.conf_int or (np.nan, np.nan)
        return [
            {
                "term": self.term,
                "estimate": self.estimate,
                "std_error": self.std_error,
                "statistic": self.statistic,
                "p_value": self.p_value,
                "conf_low": low,
                "conf_high": high,
            }
        ]

    def glance(self) -> Any:
        """Give one row about the whole bootstrap."""
        row = {
            "method": self.method,
            "weights": self.weights,
            "contrasts": self.contrasts,
            "clusters": self.clusters,
            "draws": self.draws,
            "exact": self.exact,
            "p_value": self.p_value,
        }
        columns = {key: [value] for key, value in row.items()}
        return build(columns, self.implementation, synthetic=self.synthetic)

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        what = "score bootstrap" if self.score else "wild cluster bootstrap"
        imposed = "with the hypothesis imposed" if self.null else "without imposing the hypothesis"
        seed = f" (seed {self.seed})" if self.seed is not None else ""
        over = (
            f"all {self.draws:,} signs of the {self.clusters} clusters"
            if self.exact
            else f"{self.draws:,} draws{seed}"
        )
        source = "MacKinnon, Nielsen and Webb (2023)"
        if self.score:
            source = f"Kline and Santos (2012), {source}"
        said = [
            f"{what[:1].upper()}{what[1:]} of {self.model}, {imposed} ({self.method}: "
            f"{KINDS[self.kind]}), {self.weights.capitalize()} weights by {self.cluster_name or 'cluster'}, "
            f"over {over}: {source}.",
            f"p is {self.rule}.",
        ]
        if self.conf_int is not None:
            said.append("The interval holds the values that the test does not reject.")
        return said

    def table(self) -> Table:
        """Give the table that is printed."""
        interval = "" if self.conf_int is None else limits(*self.conf_int)
        about = "" if self.value == 0 else f" = {number(self.value, 3)}"
        header = ["", "estimate", "std. error", interval_heading(self.level), "t", "p"]
        row = [
            worded_term(self.term) + about,
            number(self.estimate, 3),
            number(self.std_error, 3),
            interval,
            number(self.statistic, 2),
            p_value(self.p_value),
        ]
        if self.contrasts > 1:
            header = ["", "contrasts", "F", "p"]
            row = [
                worded_term(self.term),
                str(self.contrasts),
                number(self.statistic, 2),
                p_value(self.p_value),
            ]
        title = self._titled(f"Wild cluster bootstrap: {self.model}")
        notes = [*self.methods(), *(f"Note: {note}." for note in self.notes)]
        return Table(header, [row], title, notes)

    def plot(self, *, bins: int = 41, ax: Any = None) -> Any:
        """Draw the distribution of the bootstrapped statistic with that of the fit.

        Parameters
        ----------
        bins : int
            The number of bars.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        grey, ink = style.arm_styles(["draws", "observed"]).values()
        name = "t" if self.contrasts == 1 else "F"
        kind = "signs" if self.exact else "draws"
        with style.printed():
            ax = histogram(
                self.distribution, None, self.statistic, bins=bins, colours=(grey, ink), ax=ax
            )
            ax.set_xlabel(f"Bootstrapped {name} of {worded_term(self.term)}")
            ax.set_ylabel(f"Share of {kind} (%)")
        style.alt_text(
            ax,
            f"Histogram of {name} of {worded_term(self.term)} over {self.draws:,} {kind} of a wild cluster "
            f"bootstrap; the observed value is {self.statistic:.3g}, p = {p_value(self.p_value)}.",
        )
        if self.synthetic:
            style.label_synthetic(ax)
        return ax


check_methods(WildBootstrap)

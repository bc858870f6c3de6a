"""The intracluster correlation: how alike members of one family, class or school are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from crewe import _core
from crewe.comparisons.samples import (
    Result,
    interval_heading,
    kind_of,
    percent,
    spread,
    two_sides,
    vector,
)
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.choices import Missing
from crewe.frames.synthetic import marked
from crewe.models.grouped import each
from crewe.models.request import numeric, read
from crewe.tables.display import Table, number
from crewe.tables.wording import carry

_NAMES = {
    "anova": "analysis of variance",
    "reml": "restricted maximum likelihood",
    "fleiss_cuzick": "Fleiss and Cuzick",
    "latent": "logistic model, latent scale",
}
_DOUBTS = {
    "not_binary": "the outcome is not binary",
    "few_clusters": "there are too few clusters for so rare an outcome (40 for rates of .2 to .8, 130 from .05)",
    "large_clusters": "clusters are larger than families (up to 9, 5.5 on average)",
    "level": "the level is not 95%",
}
# The largest mean size of families in the core.
_FAMILY = 9
_WIDE = (
    "The interval may be conservative here: the outcome is rare in clusters of this size, where intervals cover up to 97.4% "
    "in place of 95%."
)


@dataclass(repr=False)
class IntraclusterCorrelation(Result):
    """An intracluster correlation with its interval; made by :func:`icc`.

    Attributes
    ----------
    outcome, cluster : str
        The outcome, and what makes the clusters.
    method : str
        The estimator.
    scale : {"observed", "latent"}
        The scale of the estimate and the interval.
    estimate : float
        The correlation, from 0 to 1.
    raw : float
        The same before it was truncated at 0.
    truncated : bool
        Whether it was.
    interval : tuple of float
        Within 0 to 1; NaN where no cluster differs within itself, or too few have several members.
    trusted : bool
        Whether the data lie on the grid on which the interval was found to hold.
    doubts : tuple of str
        Why not.
    n, clusters : int
        Rows and clusters.
    mean_size, adjusted_size : float
        Rows a cluster, and the size that the analysis of variance works with.
    rate : float or None
        The rate of a binary outcome.
    mean, sd : float
        The mean of the outcome and its standard deviation over all rows.
    mark : str
        The trial that `design=` joined, by name and hash; empty without one.
    """

    outcome: str = ""
    cluster: str = ""
    method: str = "anova"
    estimate: float = np.nan
    raw: float = np.nan
    truncated: bool = False
    interval: tuple[float, float] = (np.nan, np.nan)
    doubts: tuple[str, ...] = ()
    n: int = 0
    clusters: int = 0
    mean_size: float = np.nan
    adjusted_size: float = np.nan
    rate: float | None = None
    mean: float = np.nan
    sd: float = np.nan
    mark: str = ""

    @property
    def scale(self) -> str:
        """The scale of the estimate and the interval."""
        return "latent" if self.method == "latent" else "observed"

    @property
    def trusted(self) -> bool:
        """Whether the data lie on the grid on which the interval was found to hold."""
        return not self.doubts

    @property
    def conservative(self) -> bool:
        """Whether the interval may be wide: a rare outcome in large clusters, of which it can cover more than it says."""
        return "conservative" in self.doubts

    def _families(self) -> bool:
        """Say whether the core takes clusters of a binary outcome for families, which can be all of one mind."""
        return self.rate is not None and self.mean_size <= _FAMILY

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "term": f"icc ({self.scale})",
                "estimate": self.estimate,
                "conf_low": self.interval[0],
                "conf_high": self.interval[1],
                "method": self.method,
                "truncated": self.truncated,
                "trusted": self.trusted,
                "clusters": self.clusters,
                "n": self.n,
            }
        ]

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        lines = [
            f"Estimate: {_NAMES[self.method]}. Interval: inversion of a studentised jackknife over "
            "clusters, allowing for skewness and kurtosis"
            + (", most of the error left to the lower limit" if self._families() else "")
            + ("" if self.rate is None else "; whether it holds 0 by the law of independence")
            + (
                ", brought to the latent scale at the rate seen."
                if self.method == "latent"
                else "."
            )
        ]
        if self.truncated:
            below = f" ({number(self.raw, 3)} before)" if self.raw < 0 else ""
            lines.append(
                f"The estimate was truncated at 0{below}: members of one cluster are no more alike "
                "than others, which few clusters show by chance."
            )
        if self.interval[0] != self.interval[0]:
            lines.append(
                "No interval: no cluster has members that differ, or fewer than two have several."
            )
            return lines
        reasons = "; ".join(_DOUBTS[doubt] for doubt in self.doubts if doubt in _DOUBTS)
        if reasons:
            lines.append(
                f"The interval is not to be trusted here: {reasons}. It was tried on the grid of the "
                "evidence page."
            )
        if self.conservative:
            lines.append(_WIDE)
        return lines

    def table(self) -> Table:
        """Give the table that is printed."""
        sizes = f"{self.n:,} in {self.clusters:,}, {number(self.mean_size, 2)} each"
        row = [
            self.outcome,
            number(self.estimate, 3),
            "–" if self.interval[0] != self.interval[0] else spread(*self.interval),
            sizes,
        ]
        head = ["", "ICC", interval_heading(self.level), f"rows in clusters ({self.cluster})"]
        if self.rate is not None:
            head.append("rate")
            row.append(percent(self.rate))
        title = f"Intracluster correlation, {self.scale} scale: {self.outcome}"
        return Table(head, [row], self._titled(title), [*self.methods(), *self.notes])


@checked
def icc(
    formula: Any,
    data: Any = None,
    *,
    cluster: Any = None,
    design: Any = None,
    method: Literal["anova", "reml", "fleiss_cuzick", "latent"] = "anova",
    by: str | None = None,
    missing: Missing = "drop",
    level: float = 0.95,
    synthetic: bool = False,
) -> Any:
    """Estimate the intracluster correlation of an outcome, with an interval.

    With MSB and MSW the mean squares between and within K clusters of sizes m and n rows in all,
    `"anova"` is (MSB - MSW) / (MSB + (m0 - 1) MSW), m0 = (n - sum(m²)/n) / (K - 1). `"fleiss_cuzick"` is
    1 - sum(s (m - s) / m) / ((n - K) p (1 - p)) for s events a cluster and the rate p. `"reml"` is the share of
    the clusters' variance in a random-intercept model by restricted maximum likelihood; `"latent"`
    the share in a random-intercept logistic model by maximum likelihood, s² / (s² + π²/3).

    Parameters
    ----------
    formula : str, or array of float (n,)
        The outcome: a column, also as `"closed ~ 1"`, or the values themselves.
    data : data frame, optional
        The data of the column.
    cluster : str, or array of ids (n,)
        What makes the clusters; the units of `design=` where it is left out.
    design : Assignment or closed Ledger, optional
        The trial, whose units are the clusters.
    method : {"anova", "reml", "fleiss_cuzick", "latent"}
        The estimator. The last two need an outcome of 0 and 1.
    by : str, optional
        A column, for a result within each of its values, such as the arms.
    missing : {"drop", "refuse"}
        What becomes of rows without the outcome.
    level : float
        Of the interval.
    synthetic : bool
        Marks every table as made from synthetic data.

    Returns
    -------
    IntraclusterCorrelation, or with `by` a mapping from group to one

    Raises
    ------
    InputError
        No clusters, one cluster, one row in every cluster, an outcome that does not vary, or one
        that is not 0/1 where the method needs it.
    ConvergenceError
        A latent correlation whose likelihood rises up to 1.

    Examples
    --------
    >>> import crewe as cw
    >>> families = [1, 1, 2, 2, 2, 3, 3, 4, 4]
    >>> found = cw.icc([1, 1, 0, 0, 0, 1, 1, 0, 1], cluster=families)
    >>> round(found.estimate, 3), found.trusted
    (0.681, False)
    """
    if by is not None:
        return each(
            by,
            data,
            cluster,
            missing,
            lambda part, inside: icc(
                formula,
                part,
                cluster=inside,
                design=design,
                method=method,
                missing=missing,
                level=level,
                synthetic=synthetic,
            ),
        )
    if isinstance(formula, str):
        outcome, right = two_sides(formula)
        if right not in ([], ["1"]):
            raise fault(
                InputError,
                "an intracluster correlation takes an outcome and no covariates",
                values=right,
                remedy=f"Write '{outcome}', with by='arm' for one within each arm",
            )
    else:
        if data is not None:
            raise fault(
                InputError,
                "both values and data were given",
                remedy="Name the column of the data that holds the outcome, or pass the values alone",
            )
        if isinstance(cluster, str):
            raise fault(
                InputError,
                "cluster= names a column, and values have none",
                remedy="Pass one id for each value, or the name of a column with data",
            )
        synthetic = synthetic or marked(formula)
        outcome, data = "outcome", {"outcome": vector(formula, "the outcome")}
    asked = read(data, design=design, cluster=cluster, missing=missing)
    values = numeric(asked.source, outcome)
    kept, dropped = asked.kept({outcome: np.isnan(values)})
    clusters = asked.clusters(kept)
    if clusters is None:
        raise fault(
            InputError,
            "an intracluster correlation needs clusters",
            remedy="Name them: cluster='family_id', or design= for the units of a trial",
        )
    _, codes = np.unique(clusters.codes[kept], return_inverse=True)
    found = _core.icc(
        np.ascontiguousarray(values[kept]),
        _core.Clusters(np.ascontiguousarray(codes, dtype=np.uint32)),
        method,
        level,
    )
    made = IntraclusterCorrelation(
        level,
        [*asked.notes, *([dropped] if dropped else [])],
        synthetic or asked.synthetic,
        kind_of(asked.source) if isinstance(formula, str) else None,
        outcome=outcome,
        cluster=clusters.name,
        method=method,
        estimate=found.estimate,
        raw=found.raw,
        truncated=found.truncated,
        interval=(np.nan, np.nan) if found.interval is None else found.interval,
        doubts=tuple(found.doubts),
        n=found.n,
        clusters=found.clusters,
        mean_size=found.mean_size,
        adjusted_size=found.adjusted_size,
        rate=found.rate,
        mean=found.mean,
        sd=found.sd,
        mark=asked.mark,
    )
    return carry(made, asked.words)


@checked
def icc_convert(
    icc: float, *, rate: float, to: Literal["observed", "latent"] = "observed"
) -> float:
    """Bring the intracluster correlation of a binary outcome to the other scale.

    A random-intercept logistic model p = logit⁻¹(a + s Z) with standard normal Z has the latent
    correlation s² / (s² + π²/3); the outcomes of two members correlate by var(p) / (rate (1 - rate)),
    where a is such that the mean of p is the rate.

    Parameters
    ----------
    icc : float
        The correlation on the other scale, from 0 to 1.
    rate : float
        The rate of the outcome, strictly between 0 and 1.
    to : {"observed", "latent"}
        The scale wanted.

    Returns
    -------
    float

    Raises
    ------
    InputError
        A correlation or a rate out of range, an unknown scale.

    Examples
    --------
    >>> import crewe as cw
    >>> round(cw.icc_convert(0.36, rate=0.226), 3)
    0.223
    >>> round(cw.icc_convert(cw.icc_convert(0.36, rate=0.226), rate=0.226, to="latent"), 6)
    0.36
    """
    return _core.icc_convert(icc, rate, to)

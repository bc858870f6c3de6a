"""Power for a count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from crewe.frames.arguments import checked
from crewe.power._layouts import Layout
from crewe.power._quantities import Direction, Distribution, Hypothesis, Level, Scale, Weighting
from crewe.power._result import Power
from crewe.power._solve import solve


@checked
def count(
    *,
    baseline: float,
    exposure: float = 1.0,
    dispersion: float = 1.0,
    rate_cv: float | None = None,
    icc: float | None = None,
    cluster_size: float | Sequence[int] | None = None,
    clusters: int | None = None,
    power: float | None = None,
    effect: float | None = None,
    cv: float = 0.0,
    weighting: Weighting = "members",
    allocation: float = 0.5,
    alpha: float = 0.05,
    method: Literal["log", "unpooled"] = "log",
    scale: Scale = "ratio",
    direction: Direction | None = None,
    distribution: Distribution | None = None,
    r2: float | None = 0.0,
    r2_cluster: float | None = None,
    covariates: int = 0,
    attrition: float = 0.0,
    cluster_attrition: float = 0.0,
    subgroup: float | None = None,
    subgroup_level: Level = "individual",
    interaction: bool = False,
    layout: Layout | None = None,
    hypothesis: Hypothesis = "two-sided",
    margin: float | None = None,
) -> Power:
    """Solve the power calculation of a count: events that may happen more than once.

    Exactly one of `effect`, `clusters`, `power`, `icc`, `cluster_size` and `r2` is left out (None)
    and solved for; what is not listed here is as in [`binary`][crewe.power.binary].

    Parameters
    ----------
    baseline : float
        The control arm's rate: events a member and unit of time.
    exposure : float
        The time that a member is observed.
    dispersion : float
        The variance of a member's count over its mean; 1 for Poisson counts.
    rate_cv : float, optional
        The coefficient of variation of the clusters' own rates (Hayes and Bennett's k), in place
        of `icc`.
    effect : float, optional
        The ratio of the rates, or their difference: see `scale`.
    method : {"log", "unpooled"}
        The Wald test of the logarithm of the ratio, or of the difference.
    scale : {"ratio", "difference"}
        How the effect (and the margin) is written.

    Returns
    -------
    Power
        All quantities, the formula's name and source, and the ceiling where the power is
        unattainable.

    Raises
    ------
    InputError
        As for `binary`; for a rate, time or dispersion that is not above 0, and for both `icc` and
        `rate_cv`.

    Notes
    -----
    An arm's rate has the variance φ λ / (t n) with an ICC, where n counts independent units, or
    φ λ / (t N) + k² λ² / K with `rate_cv`, N members and K clusters (Hayes and Bennett 1999).

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.count(baseline=0.4, effect=0.75, power=0.8, cluster_size=25, rate_cv=0.25)
    >>> plan.clusters, round(plan.treated, 2)
    (68, 0.3)
    """
    return solve("count", dict(locals()))

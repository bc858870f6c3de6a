"""Power for a continuous outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from crewe.frames.arguments import checked
from crewe.power._layouts import Layout
from crewe.power._quantities import Direction, Distribution, Hypothesis, Level, Weighting
from crewe.power._result import Power
from crewe.power._solve import solve


@checked
def continuous(
    *,
    sd: float = 1.0,
    icc: float | None = None,
    cluster_size: float | Sequence[int] | None = None,
    clusters: int | None = None,
    power: float | None = None,
    effect: float | None = None,
    cv: float = 0.0,
    weighting: Weighting = "members",
    allocation: float = 0.5,
    alpha: float = 0.05,
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
    correlation: float | None = None,
    cluster_correlation: float | None = None,
    adjustment: Literal["ancova", "change"] = "ancova",
) -> Power:
    """Solve the power calculation of a continuous outcome.

    Exactly one of `effect`, `clusters`, `power`, `icc`, `cluster_size` and `r2` is left out (None)
    and solved for; what is not listed here is as in [`binary`][crewe.power.binary].

    Parameters
    ----------
    sd : float
        The outcome's standard deviation, within and between clusters. With 1, the default, effects
        are in standard deviations; else in the outcome's units.
    effect : float, optional
        The mean of the treated less that of the controls.
    correlation : float, optional
        The correlation of a member's deviation from its cluster with the same before
        randomisation; 0 where others were measured then.
    cluster_correlation : float, optional
        The correlation of the clusters' levels with those before randomisation; by default that of
        the members.
    adjustment : {"ancova", "change"}
        Whether that measurement is a covariate or is subtracted.

    Returns
    -------
    Power
        All quantities, the formula's name and source, and the ceiling where the power is
        unattainable.

    Raises
    ------
    InputError
        As for `binary`; for a standard deviation that is not above 0, and correlations outside -1
        to 1.

    Notes
    -----
    power = P(|T| > t), with T noncentral t at effect / (sd sqrt(1/n₁ + 1/n₀)) (Raudenbush 1997). A
    baseline measurement divides the variance by 1 / (1 - r²), or by 1 / (2 (1 - r)) as a change, with
    r = (m ICC r_cluster + (1 - ICC) r_member) / (1 + (m - 1) ICC) (Teerenstra and others 2012).

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.continuous(icc=0.15, cluster_size=60, clusters=40, power=0.8, r2=0.5)
    >>> round(plan.effect, 3)
    0.26
    >>> cw.power.continuous(cluster_size=1, effect=0.5, power=0.8, distribution="t").clusters
    128
    """
    return solve("continuous", dict(locals()))

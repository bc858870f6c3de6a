"""Power for a binary outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from crewe.frames.arguments import checked
from crewe.power._layouts import Layout
from crewe.power._quantities import Direction, Distribution, Hypothesis, Level, Scale, Weighting
from crewe.power._result import Power
from crewe.power._solve import solve


@checked
def binary(
    *,
    baseline: float,
    icc: float | None = None,
    cluster_size: float | Sequence[int] | None = None,
    clusters: int | None = None,
    power: float | None = None,
    effect: float | None = None,
    cv: float = 0.0,
    weighting: Weighting = "members",
    allocation: float = 0.5,
    alpha: float = 0.05,
    method: Literal["arcsine", "pooled", "unpooled"] = "arcsine",
    scale: Scale = "difference",
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
    """Solve the power calculation of a binary outcome.

    Exactly one of `effect`, `clusters`, `power`, `icc`, `cluster_size` and `r2` is left out (None)
    and solved for. With `cluster_size=1` individuals are randomised: `clusters` counts them and no
    `icc` is needed. A list of sizes gives its own number of clusters.

    Parameters
    ----------
    baseline : float
        The control arm's rate, between 0 and 1.
    icc : float, optional
        The intracluster correlation of the outcome as observed (not on a latent scale). 1 is
        legal: then each cluster counts as one unit. It may be negative, above -1/(m - 1).
    cluster_size : float or sequence of int, optional
        The mean number of units a cluster, or the list of sizes, whose own sums then give the
        design effect. With `clusters` of another number the list stands for the sizes to be expected.
    clusters : int, optional
        The number of clusters randomised, in both arms together; at least 2 an arm.
    power : float, optional
        The power wanted.
    effect : float, optional
        The treated rate less the baseline: 0.112 for a rise, -0.112 for a fall of 11.2 points; or a
        ratio, see `scale`.
    cv : float
        The coefficient of variation of the cluster sizes, with a mean size: their standard
        deviation (divisor n) over their mean.
    weighting : {"members", "precision"}
        What clusters of different sizes count for: each member alike, as in a regression with
        clustered standard errors, or each cluster by the precision of its mean, as in a mixed model.
    allocation : float
        The treated share of the clusters. It is not rounded in the formulas; the result shows the
        nearest whole split beside it.
    alpha : float
        The level: two-sided where the hypothesis is, else that of one test.
    method : {"arcsine", "pooled", "unpooled"}
        Cohen's h; the z test with the pooled variance under the null; the Wald test.
    scale : {"difference", "ratio", "odds_ratio"}
        How the effect (and the margin) is written.
    direction : {"rise", "fall"}, optional
        Where the effect is sought; a rise by default. With `effect` given its sign decides.
    distribution : {"z", "t"}, optional
        Normal, or Student's t, noncentral under the effect. By default t under 50 clusters. It has
        (clusters analysed - 2 - covariates) degrees of freedom; layouts say where they differ.
    r2 : float or None
        The share of the outcome's variance that covariates explain: within clusters, and between
        them as well unless `r2_cluster` says otherwise. None is solved for.
    r2_cluster : float, optional
        The share of the variance between clusters that covariates explain.
    covariates : int
        The number of covariates of clusters, each of which costs a degree of freedom.
    attrition : float
        The share of members lost, each independently; it shrinks clusters.
    cluster_attrition : float
        The share of clusters lost whole.
    subgroup : float, optional
        The share of a subgroup, whose own effect is then asked for.
    subgroup_level : {"individual", "cluster"}
        Whether it is a share of the members of every cluster, or of the clusters.
    interaction : bool
        Whether the effect is the difference between the subgroup's effect and that of the rest.
    layout : Pairs, Blocks, ThreeLevels, Nested, SteppedWedge or Crossover, optional
        How clusters are laid out; two arms side by side by default.
    hypothesis : {"two-sided", "one-sided", "non-inferiority", "equivalence"}
        What the test has to show. The last two need a `margin` and the effect that is expected.
    margin : float, optional
        The effect that still counts as no worse, with its sign: -0.05 for at most 5 points lower
        where higher is better. Equivalence takes it to both sides.

    Returns
    -------
    Power
        All quantities, the formula's name and source, and the ceiling where the power is
        unattainable.

    Raises
    ------
    InputError
        For more or fewer than one unknown, a rate or share outside 0 to 1, an effect that leaves 0
        to 1, an ICC that clusters of this size cannot have, a size below 1, fewer than 2 clusters
        an arm, or clusters that leave no degree of freedom.

    Notes
    -----
    With design effect D = 1 + ((1 + cv²) m - 1) ICC each arm counts for
    n = share × clusters × m / (D (1 - r2)) independent units. The arcsine formula is power = P(|Z
    + h / sqrt(1/n₁ + 1/n₀)| > z), with h = 2 asin √p₁ - 2 asin √p₀ (Cohen 1988, chapter 6).

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.binary(baseline=0.226, icc=0.36, cluster_size=3, effect=0.112, power=0.8)
    >>> plan.clusters
    288
    >>> plan.power >= 0.8 > plan.power_one_fewer
    True
    """
    return solve("binary", dict(locals()))

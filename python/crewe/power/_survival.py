"""Power for times to an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from crewe.frames.arguments import checked
from crewe.power._layouts import Layout
from crewe.power._quantities import Direction, Distribution, Hypothesis, Level, Weighting
from crewe.power._result import Power
from crewe.power._solve import solve


@checked
def survival(
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
    method: Literal["schoenfeld", "freedman", "wald"] = "schoenfeld",
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
    """Solve the power calculation of times to an event: the log-rank test, Cox regression.

    Exactly one of `effect`, `clusters`, `power`, `icc`, `cluster_size` and `r2` is left out (None)
    and solved for; what is not listed here is as in [`binary`][crewe.power.binary].

    Parameters
    ----------
    baseline : float
        The share of the control arm with the event by the end of follow-up.
    icc : float, optional
        The intracluster correlation of the scores of the log-rank test (the martingale residuals):
        how alike siblings are in what happens to them. It is smaller than that of the times where
        many are censored.
    effect : float, optional
        The hazard ratio, treated over control: marginal, as a Cox model without random effects
        estimates it.
    method : {"schoenfeld", "freedman", "wald"}
        The log-rank test from all events; the same with the mean of its statistic at the hazard
        ratio; Cox regression from the events of each arm.

    Returns
    -------
    Power
        All quantities, the expected number of events, the formula's name and source, and the
        ceiling where the power is unattainable.

    Raises
    ------
    InputError
        As for `binary`; for a hazard ratio that is not above 0, and for `r2`: covariates do not lower
        the variance of a hazard ratio, whatever they explain of the times.

    Notes
    -----
    power = P(|Z + |ln HR| sqrt(π (1 - π) D)| > z), with D the events of n₁ + n₀ independent units
    (Schoenfeld 1983). Hazards are taken to be proportional, so that a share 1 - (1 - baseline)^HR of
    the treated has the event.

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.survival(baseline=0.6, effect=1.5, icc=0.2, cluster_size=3, power=0.8)
    >>> plan.clusters, round(plan.events)
    (133, 269)
    """
    return solve("survival", dict(locals()))

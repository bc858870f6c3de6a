"""How clusters are laid out: what a power calculation takes as `layout=`."""

from __future__ import annotations

from dataclasses import dataclass

from crewe import _core
from crewe.power._quantities import real, whole, yes

_MANY = "Give a whole number"


@dataclass(frozen=True)
class Pairs:
    """Clusters matched in pairs, one of each treated.

    Parameters
    ----------
    correlation : float
        The correlation of the levels of two matched clusters: how well the pairs are matched. 0 is
        no gain, for the price of half the degrees of freedom.

    Examples
    --------
    >>> import crewe as cw
    >>> known = {"icc": 0.1, "cluster_size": 20, "effect": 0.4, "clusters": 40}
    >>> alone = cw.power.continuous(**known)
    >>> matched = cw.power.continuous(**known, layout=cw.power.Pairs(correlation=0.5))
    >>> matched.power > alone.power, matched.df
    (True, 19.0)
    """

    correlation: float

    def _core(self) -> _core.PowerLayout:
        return _core.PowerLayout.pairs(real("correlation", self.correlation))


@dataclass(frozen=True)
class Blocks:
    """Clusters, or individuals, randomised within blocks, each block a term of the analysis.

    Parameters
    ----------
    number : int
        The number of blocks. Each costs a degree of freedom; what the blocks explain of the
        variance between clusters is given as `r2_cluster`.
    effect_sd : float, optional
        The standard deviation of the blocks' own effects, in the units of the effect, where the
        blocks stand for others like them (random effects; a continuous outcome). Its square over
        the number of blocks is added to the variance, and the test has one degree of freedom fewer
        than there are blocks, however many clusters they hold. Without it the effect is that in
        these blocks.

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.continuous(icc=0.1, cluster_size=20, effect=0.4, clusters=40,
    ...                            layout=cw.power.Blocks(8), r2_cluster=0.3)
    >>> plan.df
    31.0
    >>> others = cw.power.continuous(icc=0.1, cluster_size=20, effect=0.4, clusters=40,
    ...                              layout=cw.power.Blocks(8, effect_sd=0.1), r2_cluster=0.3)
    >>> others.df, others.power < plan.power
    (7.0, True)
    """

    number: int
    effect_sd: float | None = None

    def _core(self) -> _core.PowerLayout:
        sd = None if self.effect_sd is None else real("effect_sd", self.effect_sd)
        return _core.PowerLayout.blocks(whole("the number of blocks", self.number, _MANY), sd)


@dataclass(frozen=True)
class ThreeLevels:
    """Members in subclusters in the clusters that are randomised: pupils in classes in schools.

    Parameters
    ----------
    subclusters : float
        Subclusters a cluster; `cluster_size` counts the members of all of them.
    icc : float
        The share of the outcome's variance between subclusters of one cluster; `icc` of the
        calculation is the share between clusters.

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.continuous(icc=0.06, cluster_size=60, power=0.8, clusters=40,
    ...                            layout=cw.power.ThreeLevels(subclusters=3, icc=0.05))
    >>> round(plan.effect, 3)
    0.275
    """

    subclusters: float
    icc: float

    def _core(self) -> _core.PowerLayout:
        return _core.PowerLayout.three_levels(
            real("subclusters", self.subclusters), real("icc", self.icc)
        )


@dataclass(frozen=True)
class Nested:
    """Individuals are randomised, and those treated meet in groups: a partially nested trial.

    `clusters` counts the groups of the treated arm, `cluster_size` the members of a group, and
    `allocation` is the treated share of the individuals.

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.continuous(icc=0.1, cluster_size=8, clusters=20, power=0.8,
    ...                            layout=cw.power.Nested())
    >>> round(plan.effect, 3), plan.units_analysed
    (0.372, 320.0)
    """

    def _core(self) -> _core.PowerLayout:
        return _core.PowerLayout.nested()


@dataclass(frozen=True)
class SteppedWedge:
    """Clusters that cross over to treatment in steps, measured in every period.

    Parameters
    ----------
    steps : int
        The number of sequences, one of which crosses over after each period but the last; there
        is one period more. `cluster_size` counts the members of a cluster in one period.
    autocorrelation : float
        The correlation of a cluster's level in two periods, as a share of its variance: 1 is the
        model of Hussey and Hughes. With `decay` that of two periods that follow each other.
    decay : bool
        Whether it decays with the time between: `autocorrelation` to that power.
    cohort : float
        The correlation of a member's own deviations in two periods, where the same members are
        measured each time; 0 where they are others.

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.continuous(icc=0.05, cluster_size=20, clusters=12, effect=0.3,
    ...                            layout=cw.power.SteppedWedge(steps=4, autocorrelation=0.8))
    >>> round(plan.power, 3)
    0.727
    """

    steps: int
    autocorrelation: float = 1.0
    decay: bool = False
    cohort: float = 0.0

    def _core(self) -> _core.PowerLayout:
        return _core.PowerLayout.stepped_wedge(
            whole("steps", self.steps, _MANY),
            real("autocorrelation", self.autocorrelation),
            yes("decay", self.decay),
            real("cohort", self.cohort),
        )


@dataclass(frozen=True)
class Crossover:
    """Clusters of two sequences that change places each period.

    Parameters
    ----------
    periods : int
        The number of periods; `cluster_size` counts the members of a cluster in one period.
    autocorrelation, decay, cohort
        As for `SteppedWedge`.

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.continuous(icc=0.05, cluster_size=20, clusters=12, effect=0.3,
    ...                            layout=cw.power.Crossover(autocorrelation=0.8))
    >>> round(plan.power, 3)
    0.788
    """

    periods: int = 2
    autocorrelation: float = 1.0
    decay: bool = False
    cohort: float = 0.0

    def _core(self) -> _core.PowerLayout:
        return _core.PowerLayout.crossover(
            whole("periods", self.periods, _MANY),
            real("autocorrelation", self.autocorrelation),
            yes("decay", self.decay),
            real("cohort", self.cohort),
        )


Layout = Pairs | Blocks | ThreeLevels | Nested | SteppedWedge | Crossover

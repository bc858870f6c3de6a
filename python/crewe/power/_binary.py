"""Power for a binary outcome."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from crewe import _core
from crewe.frames.arguments import checked
from crewe.power._quantities import (
    QUANTITIES,
    Direction,
    Distribution,
    Method,
    Quantity,
    percent,
    points,
    real,
    sizes_of,
    whole,
)
from crewe.tables.display import Table
from crewe.tables.printable import Printable

if TYPE_CHECKING:
    from crewe.power._curve import Curve

# Below so many clusters a note says that the normal distribution flatters the power.
_FEW = 50


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
    allocation: float = 0.5,
    alpha: float = 0.05,
    method: Method = "arcsine",
    direction: Direction | None = None,
    distribution: Distribution = "z",
    r2: float = 0.0,
) -> BinaryPower:
    """Solve the power calculation of a binary outcome in a trial that randomises clusters.

    Exactly one of `effect`, `clusters`, `power`, `icc` and `cluster_size` is left out and solved
    for. The test is two-sided and both of its tails count as power.

    Parameters
    ----------
    baseline : float
        The control arm's rate, between 0 and 1.
    icc : float, optional
        The intra-cluster correlation of the outcome as observed (not on a latent scale). 1 is
        legal: then each cluster counts as one unit. It may be negative, above -1/(m - 1).
    cluster_size : float or sequence of int, optional
        The mean number of units a cluster, or the list of sizes, whose own sums then give the
        design effect (the list need not be as long as `clusters`: it stands for the sizes to be
        expected).
    clusters : int, optional
        The number of clusters in both arms together; at least 2 an arm.
    power : float, optional
        The power wanted.
    effect : float, optional
        The treated rate less the baseline: 0.112 for a rise, -0.112 for a fall of 11.2 points.
    cv : float
        The coefficient of variation of the cluster sizes, with a mean size: their standard
        deviation (divisor n) over their mean.
    allocation : float
        The treated share of the clusters. It is not rounded in the formulas; the result shows the
        nearest whole split beside it.
    alpha : float
        The two-sided level.
    method : {"arcsine", "pooled", "unpooled"}
        Cohen's h; the z test with the pooled variance under the null; the Wald test.
    direction : {"rise", "fall"}, optional
        Where the effect is sought; a rise by default. With `effect` given its sign decides.
    distribution : {"z", "t"}
        Normal, or Student's t with (clusters - 2) degrees of freedom, noncentral under the effect.
    r2 : float
        The share of the outcome's variance, within and between clusters alike, that covariates
        explain.

    Returns
    -------
    BinaryPower
        All quantities, the formula's name and source, and the ceiling where the power is
        unattainable.

    Raises
    ------
    InputError
        For more or fewer than one unknown, a rate or share outside 0 to 1, an effect that leaves 0
        to 1, an ICC that clusters of this size cannot have, a size below 1, or fewer than 2
        clusters an arm.

    Notes
    -----
    With design effect D = 1 + ((1 + cv²) m - 1) ICC each arm counts for
    n = share × clusters × m / (D (1 - r2)) independent units. The arcsine formula is power = P(|Z
    + h / sqrt(1/n₁ + 1/n₀)| > z), with h = 2 asin √p₁ - 2 asin √p₀.

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.binary(baseline=0.226, icc=0.36, cluster_size=3, effect=0.112, power=0.8)
    >>> plan.clusters
    288
    >>> plan.power >= 0.8 > plan.power_one_fewer
    True
    """
    sizes: float | list[int] | None = None
    if cluster_size is not None:
        sizes = sizes_of(cluster_size)
    asked: dict[str, Any] = {
        "baseline": real("baseline", baseline),
        "icc": None if icc is None else real("icc", icc),
        "cluster_size": sizes,
        "clusters": None if clusters is None else whole("clusters", clusters),
        "power": None if power is None else real("power", power),
        "effect": None if effect is None else real("effect", effect),
        "cv": real("cv", cv),
        "allocation": real("allocation", allocation),
        "alpha": real("alpha", alpha),
        "method": method,
        "direction": direction,
        "distribution": distribution,
        "r2": real("r2", r2),
    }
    answer = _core.power_binary(
        asked["baseline"],
        method,
        direction,
        _core.PowerQuantities(
            asked["effect"], asked["clusters"], asked["power"], asked["icc"], sizes
        ),
        _core.PowerSetting(
            asked["cv"], asked["allocation"], asked["alpha"], distribution, asked["r2"]
        ),
    )
    return BinaryPower(
        solved=answer.solved,
        baseline=answer.baseline,
        treated=answer.treated,
        effect=answer.effect,
        clusters=answer.clusters,
        power=answer.power,
        target=answer.target,
        icc=answer.icc,
        cluster_size=answer.cluster_size,
        cv=answer.cv,
        allocation=asked["allocation"],
        alpha=asked["alpha"],
        method=method,
        direction=answer.direction,
        distribution=distribution,
        r2=asked["r2"],
        formula=answer.formula,
        source=answer.source,
        design_effect=answer.design_effect,
        effective=answer.effective,
        df=answer.df,
        noncentrality=answer.noncentrality,
        clusters_treated=answer.clusters_treated,
        clusters_control=answer.clusters_control,
        power_one_fewer=answer.power_one_fewer,
        ceiling=answer.ceiling,
        ceiling_at=answer.ceiling_at,
        any_icc=answer.any_icc,
        asked=asked,
    )


def _relative(share: float) -> str:
    return f"{100 * share:+.0f}%".replace("-", "−")


@dataclass(frozen=True, repr=False)
class BinaryPower(Printable):
    """The answer to a power calculation of a binary outcome.

    Quantities that are unattainable, and what follows from them, are None.

    Attributes
    ----------
    effect : float or None
        Treated rate less baseline, a difference of proportions.
    treated : float or None
        The treated arm's rate.
    power : float or None
        The power that the solved plan has; for a number of clusters at least `target`.
    target : float or None
        The power asked for.
    clusters, clusters_treated, clusters_control : int or None
        The number in both arms, and the nearest whole split by the allocation (a half goes to the
        treated).
    icc, cluster_size, cv, design_effect : float or None
        The clustering; for a list of sizes its mean and coefficient of variation.
    effective : float or None
        The number of independent units that the trial is worth.
    solved : str
        The quantity that was solved for.
    method, formula, source : str
        The formula, by the name of the argument, in words, and where it stands.
    power_one_fewer : float or None
        The power with one cluster (or one unit a cluster) fewer, where that was solved for.
    ceiling, ceiling_at : float or None
        Where the power asked for is unattainable: the highest power within reach, and the value of
        the unknown that gives it (infinite where it is only approached).
    df, noncentrality : float or None
        The degrees of freedom (infinite for the normal) and the effect in standard errors.
    """

    solved: Quantity
    baseline: float
    treated: float | None
    effect: float | None
    clusters: int | None
    power: float | None
    target: float | None
    icc: float | None
    cluster_size: float | None
    cv: float
    allocation: float
    alpha: float
    method: Method
    direction: Direction
    distribution: Distribution
    r2: float
    formula: str
    source: str
    design_effect: float | None
    effective: float | None
    df: float | None
    noncentrality: float | None
    clusters_treated: int | None
    clusters_control: int | None
    power_one_fewer: float | None
    ceiling: float | None
    ceiling_at: float | None
    any_icc: bool
    asked: dict[str, Any] = field(compare=False)

    @property
    def attainable(self) -> bool:
        """Whether the power asked for is within reach."""
        return self.ceiling is None

    @property
    def relative(self) -> float | None:
        """The effect as a share of the baseline."""
        return None if self.effect is None else self.effect / self.baseline

    @property
    def units(self) -> float | None:
        """The number of units (children) in all clusters."""
        if self.clusters is None or self.cluster_size is None:
            return None
        return self.clusters * self.cluster_size

    def methods(self) -> list[str]:
        """Say in plain sentences which formula and which distribution were used."""
        law = (
            "Normal distribution"
            if self.distribution == "z"
            else "Noncentral t with (clusters − 2) degrees of freedom"
        )
        return [
            f"Formula: {self.formula}. {self.source}.",
            f"{law}, two-sided {percent(self.alpha, 0)} level; both tails count as power.",
        ]

    @property
    def notes(self) -> list[str]:
        """What to know about this answer, in plain words."""
        notes = []
        if self.ceiling is not None:
            notes.append(self._out_of_reach())
        if self.power_one_fewer is not None and self.power is not None:
            what = "cluster" if self.solved == "clusters" else "unit a cluster"
            notes.append(
                f"The power is {percent(self.power, 2)}; with one {what} fewer it is "
                f"{percent(self.power_one_fewer, 2)}."
            )
        if self.any_icc:
            notes.append(
                f"Even at an ICC of 1 the power is {percent(self.power)}, above the "
                f"{percent(self.target)} asked for: any ICC will do."
            )
        elif self.solved == "icc" and self.icc is not None and self.icc < 0:
            notes.append(
                "Only a negative ICC would leave that power: plan for less, or for more clusters."
            )
        if self.clusters is not None:
            treated = self.allocation * self.clusters
            if abs(treated - round(treated)) > 1e-6:
                notes.append(
                    f"The share is not rounded: {self.clusters} clusters count as {treated:.2f} "
                    "treated and "
                    f"{self.clusters - treated:.2f} control. The nearest whole split is "
                    f"{self.clusters_treated} and {self.clusters_control}."
                )
            if self.distribution == "z" and self.clusters < _FEW:
                notes.append(
                    f"With fewer than {_FEW} clusters the normal distribution flatters the power: "
                    "see distribution='t'."
                )
        listed = self.asked["cluster_size"]
        if isinstance(listed, list) and self.clusters is not None and len(listed) != self.clusters:
            notes.append(
                f"The list has {len(listed)} sizes: their mean and variation stand for all "
                f"{self.clusters} clusters."
            )
        return notes

    def _out_of_reach(self) -> str:
        assert self.ceiling is not None and self.ceiling_at is not None  # asked for only then
        best = percent(self.ceiling)
        wanted = percent(self.target)
        if self.solved == "effect":
            return (
                f"Unattainable: even a {self.direction} to "
                f"{percent(self.baseline + self.ceiling_at)} would be "
                f"found with power {best} at most, not {wanted}. More clusters are needed."
            )
        if self.solved == "cluster_size":
            size = (
                "however large the clusters are"
                if math.isinf(self.ceiling_at)
                else f"even with {self.ceiling_at:.0f} units a cluster"
            )
            return (
                f"Unattainable: {size}, the power stays below {wanted} (it reaches {best}), "
                "since units of one "
                "cluster resemble each other. More clusters are needed."
            )
        if self.solved == "clusters":
            most = f"{self.ceiling_at:,.0f}"
            return f"Unattainable: even {most} clusters have power {best}, not {wanted}."
        return f"Unattainable: even at the lowest possible ICC the power is {best}, not {wanted}."

    def _table(self) -> Table:
        arms = (
            ""
            if self.clusters is None
            else f" ({self.clusters_treated} treated, {self.clusters_control} control)"
        )
        rates = (
            f" ({percent(self.baseline)} → {percent(self.treated)}, "
            f"{_relative(self.relative)} of the baseline)"
            if self.effect is not None and self.relative is not None
            else ""
        )
        deff = "" if self.design_effect is None else f", design effect {self.design_effect:.3f}"
        size = "unattainable" if self.cluster_size is None else f"{self.cluster_size:.4g}"
        variation = f", CV {self.cv:.2f}" if self.cv > 0 else ""
        cells = {
            "effect": f"{points(self.effect)}{rates}",
            "clusters": "unattainable" if self.clusters is None else f"{self.clusters:,}{arms}",
            "power": percent(self.power),
            "icc": ("unattainable" if self.icc is None else f"{self.icc:.4g}") + deff,
            "cluster_size": size + variation,
        }
        names = {
            "effect": "Effect",
            "clusters": "Clusters",
            "power": "Power",
            "icc": "ICC",
            "cluster_size": "Mean cluster size",
        }
        rows = [
            [names[name] + (" (solved for)" if name == self.solved else ""), cells[name]]
            for name in QUANTITIES
        ]
        if self.units is not None and self.effective is not None:
            rows.append(
                ["Units", f"{self.units:,.0f}, worth {self.effective:,.1f} independent ones"]
            )
        if self.r2 > 0:
            rows.append(["R² of covariates", f"{self.r2:.4g}"])
        return Table(
            header=["Quantity", "Value"],
            rows=rows,
            title=f"Power for a binary outcome, by the {self.method} formula",
            notes=[*self.methods(), *self.notes],
        )

    def tidy(self) -> pd.DataFrame:
        """Give the answer as a frame of one row, a column a quantity."""
        values = {name: value for name, value in asdict(self).items() if name != "asked"}
        return pd.DataFrame({name: [value] for name, value in values.items()})

    def _panels(self) -> list[Table]:
        return [self._table()]

    def curve(
        self,
        over: Quantity = "clusters",
        *,
        of: Quantity | None = None,
        values: Iterable[float] | None = None,
        **lines: Sequence[Any],
    ) -> Curve:
        """Follow one quantity as another changes, all else as in this answer.

        Parameters
        ----------
        over : str
            The quantity along the axis: effect, clusters, power, icc or cluster_size.
        of : str, optional
            The quantity solved for at each point. By default the one that this answer solved for,
            and the power where that is `over` itself.
        values : iterable of float, optional
            The points; by default a range around this answer.
        **lines
            At most one argument of `binary` with several values, a line for each: ``icc=[0, 0.36,
            1]``.

        Returns
        -------
        Curve
            With `.frame` and `.plot()`. Unattainable points are missing.

        Examples
        --------
        >>> import crewe as cw
        >>> known = {"baseline": 0.226, "icc": 0.36, "cluster_size": 3}
        >>> plan = cw.power.binary(**known, clusters=132, power=0.8)
        >>> curve = plan.curve(over="clusters", values=[132, 286], icc=[0.36, 1])
        >>> [round(100 * effect, 1) for effect in curve.frame["effect"]]
        [16.9, 11.2, 22.8, 15.1]
        """
        from crewe.power._curve import follow

        return follow(self, over, of, values, lines)

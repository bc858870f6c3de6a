"""The answer to a power calculation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import pandas as pd

from crewe.power._quantities import (
    LABELS,
    QUANTITIES,
    Direction,
    Distribution,
    Outcome,
    Quantity,
    Scale,
    chance,
    decimals,
    effect_text,
    percent,
    plain,
)
from crewe.power._words import methods_of, notes_of
from crewe.tables import labels
from crewe.tables.display import Table
from crewe.tables.printable import Printable

if TYPE_CHECKING:
    from crewe.power._compare import Comparison
    from crewe.power._curve import Curve

# What the package knows and the core need not tell.
_ASKED = ("outcome", "allocation", "alpha", "asked")
_TITLES = {
    "binary": "a binary outcome",
    "continuous": "a continuous outcome",
    "count": "a count",
    "survival": "times to an event",
}


@dataclass(frozen=True, repr=False)
class Power(Printable):
    """The answer to a power calculation.

    Quantities that are unattainable, and what follows from them, are None.

    Attributes
    ----------
    outcome : str
        "binary", "continuous", "count" or "survival".
    effect : float or None
        Treated less control (a difference of proportions, means or rates), or a ratio: `scale` says
        which.
    baseline, treated : float or None
        The rates of the arms (for times to an event the shares with it); None for means.
    power : float or None
        The power that the solved plan has; for a number of clusters at least `target`.
    target : float or None
        The power asked for.
    clusters, clusters_treated, clusters_control : int or None
        The number randomised in both arms, and the nearest whole split by the allocation (a half
        goes to the treated).
    clusters_analysed, units_analysed : float or None
        Clusters and members after losses, those of a subgroup where it is about one.
    icc, cluster_size, cv, design_effect : float or None
        The clustering; for a list of sizes its mean and coefficient of variation. The design effect
        is that of the clusters analysed.
    r2 : float or None
        The share of the variance that covariates explain.
    effective : float or None
        The number of independent units that the trial is worth.
    events : float or None
        The expected number of events, for times to one.
    solved : str
        The quantity that was solved for.
    method, formula, source : str
        The formula, by the name of the argument, in words, and where it stands.
    power_one_fewer : float or None
        The power with one cluster (or one unit a cluster) fewer, where that was solved for.
    ceiling, ceiling_at : float or None
        Where the power asked for is unattainable: the highest power within reach, and the value of
        the unknown that gives it (infinite where it is only approached).
    distribution : str
        "z" or "t".
    df, noncentrality, error : float or None
        The degrees of freedom (infinite for the normal), the effect in standard errors, and its
        standard error on the scale of the test.
    """

    outcome: Outcome
    solved: Quantity
    baseline: float | None
    treated: float | None
    effect: float | None
    clusters: int | None
    power: float | None
    target: float | None
    icc: float | None
    cluster_size: float | None
    r2: float | None
    cv: float
    allocation: float
    alpha: float
    method: str
    scale: Scale
    direction: Direction
    distribution: Distribution
    formula: str
    source: str
    design_effect: float | None
    effective: float | None
    events: float | None
    df: float | None
    noncentrality: float | None
    error: float | None
    clusters_treated: int | None
    clusters_control: int | None
    clusters_analysed: float | None
    units_analysed: float | None
    power_one_fewer: float | None
    ceiling: float | None
    ceiling_at: float | None
    any_icc: bool
    asked: dict[str, Any] = field(compare=False)

    @classmethod
    def _from_core(cls) -> list[str]:
        return [one.name for one in fields(cls) if one.name not in _ASKED]

    @property
    def attainable(self) -> bool:
        """Whether the power asked for is within reach."""
        return self.ceiling is None

    @property
    def relative(self) -> float | None:
        """The effect as a share of the baseline, where it is a difference of rates."""
        if self.effect is None or self.baseline is None or self.treated is None:
            return None
        return (self.treated - self.baseline) / self.baseline

    @property
    def units(self) -> float | None:
        """The number of units (children) in all clusters randomised."""
        if self.clusters is None or self.cluster_size is None:
            return None
        return self.clusters * self.cluster_size

    def methods(self) -> list[str]:
        """Say in plain sentences which formula and which distribution were used."""
        return methods_of(self)

    @property
    def notes(self) -> list[str]:
        """What to know about this answer, in plain words."""
        return notes_of(self)

    def _cells(self) -> dict[str, str]:
        arms = ""
        if self.clusters_treated is not None:
            arms = f" ({self.clusters_treated:,} treated, {self.clusters_control:,} control)"
        rates = ""
        if self.relative is not None and self.baseline is not None and self.treated is not None:
            change = f"{labels.signed(100 * self.relative, 0)}%"
            digits = decimals(100 * (self.treated - self.baseline))
            between = f"{percent(self.baseline, digits)} → {percent(self.treated, digits)}"
            if self.outcome == "count":
                rates = " → ".join(plain(rate) for rate in (self.baseline, self.treated))
                between = f"{rates} a member and unit of time"
            rates = f" ({between}, {change} of the baseline)"
        deff = "" if self.design_effect is None else f", design effect {self.design_effect:.3f}"
        size = "unattainable" if self.cluster_size is None else plain(self.cluster_size)
        r2 = "unattainable" if self.r2 is None else plain(self.r2)
        between_clusters = self.asked["r2_cluster"]
        return {
            "effect": f"{effect_text(self, self.effect)}{rates}",
            "clusters": "unattainable" if self.clusters is None else f"{self.clusters:,}{arms}",
            "power": chance(self.power),
            "icc": ("unattainable" if self.icc is None else plain(round(self.icc, 9))) + deff,
            "cluster_size": size + (f", CV {self.cv:.2f}" if self.cv > 0 else ""),
            "r2": r2
            + ("" if between_clusters is None else f", between clusters {plain(between_clusters)}"),
        }

    def _table(self) -> Table:
        cells = self._cells()
        shown: list[str] = list(QUANTITIES)
        if self.solved != "r2" and self.r2 == 0 and not self.asked["r2_cluster"]:
            shown.remove("r2")
        if self.asked.get("rate_cv") is not None:
            cells["icc"] = plain(self.asked["rate_cv"])
        names = {**LABELS, "effect": "Effect", "clusters": "Clusters", "icc": "ICC"}
        if self.asked.get("rate_cv") is not None:
            names["icc"] = "CV of the clusters' rates"
        rows = [
            [names[name] + (" (solved for)" if name == self.solved else ""), cells[name]]
            for name in shown
        ]
        if self.units_analysed is not None and self.effective is not None:
            worth = f"{self.units_analysed:,.0f}, worth {self.effective:,.1f} independent ones"
            lost = self.asked["attrition"] > 0 or self.asked["cluster_attrition"] > 0
            rows.append(["Units analysed" if lost else "Units", worth])
        if self.events is not None:
            rows.append(["Events expected", f"{self.events:,.0f}"])
        formula = "" if self.outcome == "continuous" else f", by the {self.method} formula"
        return Table(
            header=["Quantity", "Value"],
            rows=rows,
            title=f"Power for {_TITLES[self.outcome]}{formula}",
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
            The quantity along the axis: effect, clusters, power, icc, cluster_size or r2.
        of : str, optional
            The quantity solved for at each point. By default the one that this answer solved for,
            and the power where that is `over` itself.
        values : iterable of float, optional
            The points; by default a range around this answer.
        **lines
            At most one argument of the calculation with several values, a line for each:
            ``icc=[0, 0.36, 1]``.

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

    def table(
        self,
        *,
        subgroups: Mapping[str, float | Mapping[str, Any]] | None = None,
        **stages: Mapping[str, Any],
    ) -> Comparison:
        """Lay the smallest detectable effect out for a protocol, stage by stage.

        The first column is this answer, "protocol". Each stage changes what became known since the
        one before, and the smallest detectable effect is worked out anew, for all participants and
        for each subgroup.

        Parameters
        ----------
        subgroups : mapping, optional
            Names of subgroups with their share of the members, or with several arguments that are
            theirs: ``{"FSM": 0.27}`` or ``{"FSM": {"subgroup": 0.27, "r2": 0.4}}``.
        **stages
            The arguments that changed, by stage: ``randomisation={"clusters": 98}``,
            ``analysis={"clusters": 94, "icc": 0.12}``.

        Returns
        -------
        Comparison
            A row a quantity in print; in `.frame` a row a stage and group.

        Examples
        --------
        >>> import crewe as cw
        >>> plan = cw.power.continuous(icc=0.15, cluster_size=50, clusters=100, power=0.8, r2=0.5)
        >>> laid_out = plan.table(
        ...     subgroups={"FSM": 0.27},
        ...     randomisation={"clusters": 98},
        ...     analysis={"clusters": 94, "attrition": 0.1},
        ... )
        >>> [round(effect, 2) for effect in laid_out.frame["effect"]]
        [0.16, 0.19, 0.16, 0.19, 0.17, 0.2]
        """
        from crewe.power._protocol import lay_out

        return lay_out(self, subgroups or {}, stages)

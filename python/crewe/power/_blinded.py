"""What outcomes of both arms together say: rates, variation, likeness of siblings, the planned effect taken off or not."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.comparisons.icc import IntraclusterCorrelation
from crewe.power._quantities import effect_text, percent, signed
from crewe.power._result import Power
from crewe.tables.display import number

Floats = NDArray[np.float64]


def is_clustered(plan: Power) -> bool:
    """Say whether the plan has clusters of several members."""
    likeness = plan.icc is not None or plan.asked.get("rate_cv") is not None
    return likeness and (plan.cluster_size or 1) > 1


@dataclass(frozen=True)
class Blinded(ABC):
    """Outcomes of both arms together.

    Attributes
    ----------
    icc : IntraclusterCorrelation
        What members of a cluster share, with its interval.
    """

    icc: IntraclusterCorrelation

    @abstractmethod
    def figures(self, plan: Power, *, removed: bool, icc: float | None = None) -> dict[str, Any]:
        """Give a calculation's arguments, the planned effect taken off or not; at another ICC if asked."""

    @abstractmethod
    def inflation(self, plan: Power) -> float:
        """Give the share of the blinded variance that the planned effect makes up."""

    def no_room(self, plan: Power) -> str | None:
        """Say that what was seen has no room for the planned effect, where it has none."""
        return None

    def has_room(self, plan: Power, baseline: float) -> bool:
        """Say whether this control rate has room for the planned effect."""
        return True

    @abstractmethod
    def lines(self, clusters: float | None, plan: Power) -> list[list[str]]:
        """Give rows of the printed table; `clusters` are those expected at the close."""


@dataclass(frozen=True)
class Means(Blinded):
    """A rate or a mean."""

    def _difference(self, plan: Power) -> float:
        """Give the planned effect as a difference in the outcome's units."""
        if plan.effect is None:
            return 0.0
        if plan.baseline is not None and plan.treated is not None:
            return plan.treated - plan.baseline
        return plan.effect * (self.icc.sd if plan.asked["sd"] == 1 else 1.0)

    def _variance(self, plan: Power) -> float:
        mean = self.icc.mean
        return mean * (1 - mean) if plan.outcome == "binary" else self.icc.sd**2

    def figures(self, plan: Power, *, removed: bool, icc: float | None = None) -> dict[str, Any]:
        """Give rate or standard deviation and ICC."""
        clustered = is_clustered(plan)
        mean, variance = self.icc.mean, self._variance(plan)
        seen = self.icc.estimate if icc is None else icc
        if removed:
            mean, variance, seen = _core.PowerBlinded(mean, variance, seen, clustered).less(
                self._difference(plan), plan.allocation
            )
        figures: dict[str, Any] = {"icc": seen} if clustered else {}
        if plan.outcome == "binary":
            figures["baseline"] = mean
        elif plan.asked["sd"] != 1:
            figures["sd"] = math.sqrt(variance)
        return figures

    def inflation(self, plan: Power) -> float:
        """Give the share of the blinded variance that the planned effect makes up."""
        share = plan.allocation * (1 - plan.allocation)
        return share * self._difference(plan) ** 2 / self._variance(plan)

    def no_room(self, plan: Power) -> str | None:
        """Say that the rate seen has no room for the planned effect, where it has none."""
        if plan.outcome != "binary":
            return None
        control = self.icc.mean - plan.allocation * self._difference(plan)
        if 0 < control < 1 and self.has_room(plan, control):
            return None
        return (
            f"A rate of {percent(self.icc.mean)} in both arms together has no room for the planned "
            f"effect of {effect_text(plan, plan.effect)}, with {percent(plan.allocation)} of the clusters "
            "treated: it cannot be there in full."
        )

    def has_room(self, plan: Power, baseline: float) -> bool:
        """Say whether this control rate has room for the planned effect."""
        return plan.outcome != "binary" or 0 < baseline + self._difference(plan) < 1

    def lines(self, clusters: float | None, plan: Power) -> list[list[str]]:
        """Give rate or mean and standard deviation as they print."""
        outcomes = f"{self.icc.n:,} outcomes in {self.icc.clusters:,} clusters"
        if plan.outcome == "binary":
            return [["Rate, both arms", f"{percent(self.icc.mean)} of {outcomes}"]]
        return [
            ["Mean, both arms", f"{number(self.icc.mean, 3)}, {outcomes}"],
            ["Standard deviation, both arms", number(self.icc.sd, 3)],
        ]


@dataclass(frozen=True)
class Counts(Blinded):
    """A rate of events.

    Attributes
    ----------
    rate, dispersion, exposure : float
        Events a member and unit of time, the variance of a member's count over its mean, and the
        mean time that a member was observed.
    """

    rate: float
    dispersion: float
    exposure: float

    def _less(
        self, plan: Power, *, removed: bool, icc: float | None = None
    ) -> _core.PowerCountFigures:
        seen = _core.PowerBlindedCounts(
            self.rate,
            self.dispersion,
            self.exposure,
            self.icc.estimate if icc is None else icc,
            is_clustered(plan),
        )
        effect = plan.effect if removed else None
        if effect is None:
            return seen.less(0.0, plan.allocation)
        if plan.scale == "ratio":
            effect = seen.difference(effect, plan.allocation)
        return seen.less(effect, plan.allocation)

    def figures(self, plan: Power, *, removed: bool, icc: float | None = None) -> dict[str, Any]:
        """Give rate, dispersion, and ICC or the variation of the clusters' rates."""
        found = self._less(plan, removed=removed, icc=icc)
        figures: dict[str, Any] = {"baseline": found.rate, "dispersion": found.dispersion}
        if not is_clustered(plan):
            return figures
        if plan.asked.get("rate_cv") is None:
            return figures | {"icc": found.icc}
        return figures | {"rate_cv": found.rate_cv, "dispersion": found.dispersion_within}

    def inflation(self, plan: Power) -> float:
        """Give the share of the blinded variance that the planned effect makes up."""
        return self._less(plan, removed=True).inflation

    def no_room(self, plan: Power) -> str | None:
        """Say that the rate seen has no room for the planned difference, where it has none."""
        if plan.scale == "ratio" or plan.effect is None:
            return None
        control = self.rate - plan.allocation * plan.effect
        if control > 0 and self.has_room(plan, control):
            return None
        return (
            f"A rate of {number(self.rate, 3)} in both arms together has no room for the planned "
            f"difference of {signed(plan.effect)}: it cannot be there in full."
        )

    def has_room(self, plan: Power, baseline: float) -> bool:
        """Say whether this control rate has room for the planned difference."""
        return plan.scale == "ratio" or baseline + (plan.effect or 0.0) > 0

    def lines(self, clusters: float | None, plan: Power) -> list[list[str]]:
        """Give rate and dispersion as they print."""
        outcomes = f"{self.icc.n:,} members in {self.icc.clusters:,} clusters"
        return [
            ["Events a member and unit of time, both arms", f"{number(self.rate, 3)}, {outcomes}"],
            ["Variance over mean of a member's count, both arms", number(self.dispersion, 3)],
        ]


@dataclass(frozen=True)
class Times(Blinded):
    """Times to an event.

    Attributes
    ----------
    share : float
        The share with the event by the horizon (Kaplan and Meier).
    events : int
        Those who had it by then, so far.
    horizon : float
        The end of follow-up, in the unit of the times.
    """

    share: float
    events: int
    horizon: float

    def _seen(self, plan: Power, icc: float | None = None) -> _core.PowerBlindedTimes:
        return _core.PowerBlindedTimes(
            self.share,
            self.events / self.icc.n,
            self.icc.sd**2,
            self.icc.estimate if icc is None else icc,
            is_clustered(plan),
        )

    def figures(self, plan: Power, *, removed: bool, icc: float | None = None) -> dict[str, Any]:
        """Give the share with the event and the ICC of the scores."""
        ratio = plan.effect if removed and plan.effect is not None else 1.0
        share, within, _ = self._seen(plan, icc).less(ratio, plan.allocation)
        return {"baseline": share, **({"icc": within} if is_clustered(plan) else {})}

    def inflation(self, plan: Power) -> float:
        """Give the share of the scores' blinded variance that the planned effect makes up."""
        ratio = 1.0 if plan.effect is None else plan.effect
        return self._seen(plan).less(ratio, plan.allocation)[2]

    def lines(self, clusters: float | None, plan: Power) -> list[list[str]]:
        """Give the share and the events, so far and expected, as they print."""
        by = f"by {number(self.horizon, 4).rstrip('0').rstrip('.')}"
        outcomes = f"{self.icc.n:,} members in {self.icc.clusters:,} clusters"
        rows = [
            [f"With the event {by}, both arms", f"{percent(self.share)} of {outcomes}"],
            [f"Events {by} so far", f"{self.events:,}"],
        ]
        if clusters is not None:
            expected = clusters * self.icc.n / self.icc.clusters * self.share
            planned = "" if plan.events is None else f" ({plan.events:,.0f} planned)"
            rows.append(["Events of those expected at the close", f"{expected:,.0f}{planned}"])
        return rows

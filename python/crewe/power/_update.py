"""A trial's power while it recruits: what came so far, blinded outcomes, what it will detect at close."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.comparisons.icc import IntraclusterCorrelation
from crewe.design import Assignment
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.frames.dates import window_day
from crewe.ledger import Ledger
from crewe.power._again import again, known
from crewe.power._enrolled import NEVER, arrivals, outcomes
from crewe.power._quantities import Quantity, effect_text, percent
from crewe.power._result import Power
from crewe.tables.display import Table, number
from crewe.tables.printable import Printable

_Forecast = tuple[float, float, float]


@checked
def update(
    plan: Power,
    enrolled: Ledger | Assignment,
    *,
    data: Any = None,
    outcome: str | None = None,
    at: Any = None,
    closes: Any = None,
    arrived: str | None = None,
    recent: int | None = None,
    level: float = 0.95,
) -> Update:
    """Say what a trial that is still recruiting can detect, without reading any arm.

    Parameters
    ----------
    plan : Power
        The calculation that the trial was planned with, for a binary or a continuous outcome.
    enrolled : Ledger or Assignment
        The clusters that came so far. A ledger may be open; of an assignment `arrived` says when.
    data : data frame, optional
        The outcomes known so far, a row a member, under the identifier of the design. Rows without
        an outcome are left out and counted.
    outcome : str, optional
        Its column.
    at : date, optional
        The day of the look; later arrivals are left out. By default the day of the last arrival.
    closes : date, optional
        When recruitment closes, for the forecast.
    arrived : str, optional
        The column of the assignment's data with the day on which a cluster came.
    recent : int, optional
        Forecast from the arrivals of so many days before the look, where the pace changed.
    level : float
        Of the intervals.

    Returns
    -------
    Update

    Raises
    ------
    InputError
        A plan for counts or times, an outcome without data, dates that are none or run backwards,
        nobody enrolled.
    DesignError
        Outcomes of clusters that are not enrolled.

    Notes
    -----
    Rate, standard deviation and ICC are those of both arms together. Under an effect d and a
    treated share π these hold π (1 - π) d² of variance too much, between clusters: the planned
    effect is taken off (Kieser and Friede 2003), and what the trial detects is given with and
    without that. Arrivals are a Poisson process; their number to come is negative binomial, with
    Jeffreys' prior of the rate.

    Examples
    --------
    >>> import crewe as cw
    >>> import pandas as pd
    >>> came = pd.DataFrame(
    ...     {"family": range(40), "day": pd.date_range("2015-08-03", periods=40, freq="3D")}
    ... )
    >>> design = cw.Design("Demo", arms={"control": 1, "treated": 2}, cluster="family", seed=1)
    >>> plan = cw.power.binary(baseline=0.226, icc=0.36, cluster_size=3, clusters=132, power=0.8)
    >>> now = cw.power.update(plan, design.assign(came), arrived="day", closes="2016-03-31")
    >>> now.clusters, [round(now.at_close[0]), *now.at_close[1:]]
    (40, [83, 66.0, 102.0])
    """
    if plan.outcome not in ("binary", "continuous"):
        raise fault(
            InputError,
            "only plans of a binary or a continuous outcome are updated",
            values=[plan.outcome],
            remedy="Solve the plan again with the rates and the clusters that are known now",
        )
    if (data is None) != (outcome is None):
        raise fault(
            InputError,
            "outcomes need both their data and their column",
            remedy="Give data= with outcome=, or neither",
        )
    level = _core.check_level(level)
    came = arrivals(enrolled, arrived)
    start = int(came.days.min())
    look = int(came.days[came.days != NEVER].max()) if at is None else window_day(at, "at")
    here = came.days <= look
    if not here.any():
        raise fault(
            InputError,
            "nobody had been enrolled by then",
            values=[str(dt.date.fromordinal(look))],
            remedy="Give a later day as at=",
        )
    notes = list(came.notes)
    later = int((~here & (came.days != NEVER)).sum())
    if later:
        notes.append(f"{later:,} clusters that came after the look are left out.")
    clusters = int(here.sum())
    seen = None
    sizes: list[int] = []
    if data is not None and outcome is not None:
        seen, sizes, said = outcomes(enrolled, came, here, data, outcome, level)
        notes += said
    to_come = reached = None
    close = None if closes is None else window_day(closes, "closes")
    if close is not None and close <= look:
        raise fault(
            InputError,
            "recruitment closes before the look",
            values=[str(dt.date.fromordinal(look)), str(dt.date.fromordinal(close))],
            remedy="Give the day of the close, after at=",
        )
    window = look - start + 1
    counted = clusters
    if recent is not None:
        if not 1 <= recent <= window:
            raise fault(
                InputError,
                "recent= must be a number of days since the first arrival",
                values=[str(recent), f"{window} days so far"],
                remedy="Give fewer days, or leave it out",
            )
        counted = int((here & (came.days > look - recent)).sum())
        window = recent
    pace = _core.PowerArrivals(counted, float(window))
    if close is not None:
        to_come = pace.over(float(close - look), level)
    if plan.clusters is not None and plan.clusters > clusters:
        reached = pace.until(plan.clusters - clusters, level)
    made = Update(
        plan=plan,
        at=dt.date.fromordinal(look),
        closes=None if close is None else dt.date.fromordinal(close),
        first=dt.date.fromordinal(start),
        clusters=clusters,
        per_week=7 * counted / window,
        to_come=to_come,
        days_to_target=reached,
        seen=seen,
        sizes=sizes,
        level=level,
        notes=notes,
        arrivals=np.sort(came.days[here]),
    )
    made._solve()
    return made


@dataclass(frozen=True)
class Stage:
    """What a trial detects at one moment.

    Attributes
    ----------
    stage : str
        "planned", "today", or "at close" with what is expected or an end of its interval.
    effect_removed : bool
        Whether the planned effect was taken off the blinded figures.
    clusters : int
        In both arms.
    baseline, sd, icc : float or None
        What was taken for the control arm's rate, the standard deviation and the ICC.
    effect, power : float or None
        The smallest effect that is detected with the power of the plan (80% where that was solved
        for), and the power to find the planned one.
    """

    stage: str
    effect_removed: bool
    clusters: int
    baseline: float | None
    sd: float | None
    icc: float | None
    effect: float | None
    power: float | None


@dataclass(repr=False)
class Update(Printable):
    """What a recruiting trial can detect, without reading any arm; made by :func:`update`.

    Attributes
    ----------
    plan : Power
        What was planned.
    at, first, closes : date
        The look, the first arrival, and the close (or None).
    clusters : int
        Those that came by the look.
    per_week : float
        How many come a week.
    to_come : tuple of float, or None
        How many more come until the close: the mean and the ends of the prediction interval.
    days_to_target : tuple of float, or None
        How many days until the planned number has come: the median and the ends.
    seen : IntraclusterCorrelation or None
        The outcomes of both arms together: `rate`, `mean`, `sd`, and the ICC with its interval.
    sizes : list of int
        The sizes of the clusters in the data.
    stages : list of Stage
        What is detected when.
    level : float
        Of the intervals.
    notes : list of str
        What a reader must know.
    arrivals : array of int
        The days of arrival, as ordinals of `datetime.date`.
    """

    plan: Power
    at: dt.date
    first: dt.date
    closes: dt.date | None
    clusters: int
    per_week: float
    to_come: _Forecast | None
    days_to_target: _Forecast | None
    seen: IntraclusterCorrelation | None
    sizes: list[int]
    level: float
    notes: list[str]
    arrivals: NDArray[np.int64] = field(repr=False)
    stages: list[Stage] = field(default_factory=list)

    @property
    def at_close(self) -> _Forecast | None:
        """The number of clusters at the close: the mean and the ends of the prediction interval."""
        if self.to_come is None:
            return None
        expected, low, high = (self.clusters + more for more in self.to_come)
        return expected, low, high

    def _solve(self) -> None:
        plan = self.plan
        self.stages.append(
            Stage(
                "planned", False, plan.clusters or 0, plan.baseline, plan.asked.get("sd"), plan.icc,
                plan.effect, plan.power,
            )
        )  # fmt: skip
        moments = {"today": self.clusters}
        if self.at_close is not None:
            words = ("expected", "low", "high")
            for word, count in zip(words, self.at_close, strict=True):
                moments[f"at close, {word}"] = math.floor(count)
        ways = (False, True) if self.seen is not None and self._room() else (False,)
        for stage, clusters in moments.items():
            for removed in ways:
                self._stage(stage, clusters, removed=removed)
        seen = self.seen
        if seen is None or not self._clustered or math.isnan(seen.interval[0]):
            return
        ends = [
            self._ask(
                "effect", "today", {**self._changed(self.clusters, removed=False), "icc": end}
            )
            for end in seen.interval
        ]
        if ends[0] is not None and ends[1] is not None:
            texts = [effect_text(plan, found.effect) for found in ends if found is not None]
            self.notes.append(
                f"At the ends of the ICC's interval, {number(seen.interval[0], 3)} and "
                f"{number(seen.interval[1], 3)}, the clusters of today detect {texts[0]} and {texts[1]}."
            )

    def _room(self) -> bool:
        """Say whether the rate seen has room for the planned effect; note where it has not."""
        plan, seen = self.plan, self.seen
        if seen is None or plan.outcome != "binary":
            return True
        control = seen.mean - plan.allocation * self._difference()
        if 0 < control < 1 and 0 < control + self._difference() < 1:
            return True
        self.notes.append(
            f"A rate of {percent(seen.mean)} in both arms together has no room for the planned effect of "
            f"{effect_text(plan, plan.effect)}, with {percent(plan.allocation)} of the clusters treated: "
            "it cannot be there in full."
        )
        return False

    @property
    def _clustered(self) -> bool:
        """Whether the plan has clusters of several members."""
        return self.plan.icc is not None and (self.plan.cluster_size or 1) > 1

    @property
    def target(self) -> float:
        """The power with which effects are detected: the plan's, or 80% where that was solved for."""
        return 0.8 if self.plan.target is None else self.plan.target

    def _changed(self, clusters: int, *, removed: bool) -> dict[str, Any]:
        """Give what is known now in place of the plan's own arguments."""
        changed: dict[str, Any] = {"clusters": clusters}
        if self.sizes and self._clustered:
            changed |= {"cluster_size": self.sizes, "cv": 0.0}
        return changed | (self._figures(removed) if self.seen is not None else {})

    def _ask(self, name: Quantity, stage: str, changed: dict[str, Any]) -> Power | None:
        """Solve the plan again; None, and a note, where that cannot be."""
        arguments = {**known(self.plan, name), **changed}
        if name == "effect":
            arguments["power"] = self.target
        elif arguments["effect"] is None:
            return None
        try:
            return again(self.plan, arguments)
        except InputError as error:
            # Too few clusters for a test, or an effect that the rate seen has no room for.
            said = f"{stage}, {changed['clusters']} clusters: {error}"
            if said not in self.notes:
                self.notes.append(said)
            return None

    def _stage(self, stage: str, clusters: int, *, removed: bool) -> None:
        plan, changed = self.plan, self._changed(clusters, removed=removed)
        effect = self._ask("effect", stage, changed)
        power = self._ask("power", stage, changed)
        self.stages.append(
            Stage(
                stage,
                removed,
                clusters,
                changed.get("baseline", plan.baseline),
                changed.get("sd", plan.asked.get("sd")),
                changed.get("icc", plan.icc),
                None if effect is None else effect.effect,
                None if power is None else power.power,
            )
        )

    def _figures(self, removed: bool) -> dict[str, Any]:
        """Give rate or standard deviation and ICC for a calculation, the planned effect taken off or not."""
        plan, seen = self.plan, self.seen
        assert seen is not None
        clustered = self._clustered
        mean, variance, icc = seen.mean, seen.sd**2, seen.estimate
        if plan.outcome == "binary":
            variance = mean * (1 - mean)
        if removed:
            effect = self._difference()
            mean, variance, icc = _core.PowerBlinded(mean, variance, icc, clustered).less(
                effect, plan.allocation
            )
        figures: dict[str, Any] = {}
        if clustered:
            figures["icc"] = icc
        if plan.outcome == "binary":
            figures["baseline"] = mean
        elif plan.asked["sd"] != 1:
            figures["sd"] = math.sqrt(variance)
        return figures

    def _difference(self) -> float:
        """Give the planned effect as a difference in the outcome's units."""
        plan, seen = self.plan, self.seen
        assert seen is not None
        if plan.effect is None:
            return 0.0
        if plan.baseline is not None and plan.treated is not None:
            return plan.treated - plan.baseline
        return plan.effect * (seen.sd if plan.asked["sd"] == 1 else 1.0)

    def tidy(self) -> pd.DataFrame:
        """Give a row a stage: `stage, effect_removed, clusters, baseline, sd, icc, effect, power`."""
        return pd.DataFrame([vars(stage) for stage in self.stages])

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        share = f"{100 * self.level:g}%"
        lines = [
            "No arm was read: rate, standard deviation and ICC are those of both arms together.",
            f"Recruitment is forecast as a Poisson process, with Jeffreys' prior of its rate; {share} "
            "prediction intervals.",
        ]
        if self.seen is not None:
            plan = self.plan
            inflation = plan.allocation * (1 - plan.allocation) * self._difference() ** 2
            variance = (
                self.seen.mean * (1 - self.seen.mean)
                if plan.outcome == "binary"
                else self.seen.sd**2
            )
            lines.append(
                f"If the planned effect of {effect_text(plan, plan.effect)} is there, it makes up "
                f"{percent(inflation / variance)} of the blinded variance, all between clusters: "
                "rows 'less the planned effect' have it taken off."
            )
        return lines

    def _panels(self) -> list[Table]:
        plan = self.plan
        recruited: list[list[Any]] = [
            ["Clusters by the look", f"{self.clusters:,}"],
            ["A week", number(self.per_week, 2)],
        ]
        if self.at_close is not None:
            expected, low, high = self.at_close
            recruited.append(
                [f"At the close, {self.closes}", f"{expected:,.0f} ({low:,.0f} to {high:,.0f})"]
            )
        if self.days_to_target is not None:
            dates = [self._date(ahead) for ahead in self.days_to_target]
            recruited.append(
                [f"{plan.clusters:,} reached", f"{dates[0]} ({dates[1]} to {dates[2]})"]
            )
        seen = self.seen
        if seen is not None:
            outcomes = f"{seen.n:,} outcomes in {seen.clusters:,} clusters"
            if plan.outcome == "binary":
                recruited.append(["Rate, both arms", f"{percent(seen.mean)} of {outcomes}"])
            else:
                recruited.append(["Mean, both arms", f"{number(seen.mean, 3)}, {outcomes}"])
                recruited.append(["Standard deviation, both arms", number(seen.sd, 3)])
            ends = (
                ""
                if math.isnan(seen.interval[0])
                else f" ({number(seen.interval[0], 3)} to {number(seen.interval[1], 3)})"
            )
            recruited.append(["ICC, both arms", f"{number(seen.estimate, 3)}{ends}"])
        title = f"Recruitment by {self.at}" + (
            " (SYNTHETIC data)" if seen is not None and seen.synthetic else ""
        )
        rows = []
        for stage in self.stages:
            known_rate = stage.sd if plan.outcome == "continuous" else stage.baseline
            rows.append(
                [
                    stage.stage + (", less the planned effect" if stage.effect_removed else ""),
                    f"{stage.clusters:,}",
                    "–"
                    if known_rate is None
                    else (
                        percent(known_rate) if plan.outcome == "binary" else number(known_rate, 3)
                    ),
                    "–" if stage.icc is None else number(stage.icc, 3),
                    "–" if stage.effect is None else effect_text(plan, stage.effect),
                    "–" if stage.power is None else percent(stage.power),
                ]
            )
        rate = "baseline" if plan.outcome == "binary" else "SD"
        untrusted = (
            [line for line in seen.methods() if "not to be trusted" in line]
            if seen is not None
            else []
        )
        return [
            Table(["Recruitment", ""], recruited, title=title, notes=[*self.methods(), *untrusted]),
            Table(
                [
                    "Stage",
                    "clusters",
                    rate,
                    "ICC",
                    f"detects with power {percent(self.target, 0)}",
                    "power for the planned effect",
                ],
                rows,
                title="What the trial detects",
                notes=self.notes,
                align="lrrrrr",
            ),
        ]

    def _date(self, ahead: float) -> str:
        """Give the date so many days after the look; "never" beyond the calendar."""
        try:
            return str(self.at + dt.timedelta(days=math.ceil(ahead)))
        except OverflowError:
            return "never"

    def plot(self, *, ax: Any = None) -> Any:
        """Draw how many came, the forecast with its interval, and the planned number.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from crewe.power._figures import recruitment

        return recruitment(self, ax)

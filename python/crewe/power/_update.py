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
from crewe.power._blinded import Blinded, is_clustered
from crewe.power._enrolled import NEVER, Columns, arrivals, outcomes
from crewe.power._quantities import Quantity, effect_text, percent, real
from crewe.power._result import Power
from crewe.tables.display import Table, number
from crewe.tables.printable import Printable

_Forecast = tuple[float, float, float]

_READ = {
    "binary": "rate, standard deviation and ICC",
    "continuous": "rate, standard deviation and ICC",
    "count": "rate, dispersion and ICC",
    "survival": "the share with the event and the ICC of the scores",
}


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
    time: str | None = None,
    horizon: float | None = None,
) -> Update:
    """Say what a trial that is still recruiting can detect, without reading any arm.

    Parameters
    ----------
    plan : Power
        The calculation that the trial was planned with.
    enrolled : Ledger or Assignment
        The clusters that came so far. A ledger may be open; of an assignment `arrived` says when.
    data : data frame, optional
        The outcomes known so far, a row a member, under the identifier of the design. Rows without
        an outcome are left out and counted.
    outcome : str, optional
        Its column: of counts the events of a member, of times whether the event was seen (0, 1).
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
    time : str, optional
        The column of the time that a member was observed: of counts by default the plan's exposure
        for everybody, of times to an event that until it or until now.
    horizon : float, optional
        Of times to an event, the end of follow-up by which the plan's share has it.

    Returns
    -------
    Update

    Raises
    ------
    InputError
        An outcome without data, times to an event without `time` and `horizon`, a horizon until which
        nobody was followed, dates that are none or run backwards, nobody enrolled.
    DesignError
        Outcomes of clusters that are not enrolled.

    Notes
    -----
    Rate, standard deviation and ICC are those of both arms together. Under an effect d and a
    treated share π these hold π (1 - π) d² of variance too much, between clusters: the planned
    effect is taken off (Kieser and Friede 2003), and what the trial detects is given with and
    without that. Of counts the dispersion is Pearson's, and the ICC that of what is left of a count
    after its expectation; of times the share is Kaplan and Meier's, and the ICC that of the martingale
    residuals under one hazard for all. Arrivals are a Poisson process; their number to come is negative binomial, with
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
    columns = _columns(plan, data, outcome, time, horizon)
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
    if columns is not None:
        seen, sizes, said = outcomes(enrolled, came, here, data, columns, level)
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
        blinded=seen,
        sizes=sizes,
        level=level,
        notes=notes,
        arrivals=np.sort(came.days[here]),
    )
    made._solve()
    return made


def _columns(
    plan: Power, data: Any, outcome: str | None, time: str | None, horizon: float | None
) -> Columns | None:
    """Say which columns the outcome of a plan is read from; None without data."""
    if (data is None) != (outcome is None):
        raise fault(
            InputError,
            "outcomes need both their data and their column",
            remedy="Give data= with outcome=, or neither",
        )
    timed, followed = plan.outcome in ("count", "survival"), plan.outcome == "survival"
    unused = [
        name
        for name, given, of_use in (("time", time, timed), ("horizon", horizon, followed))
        if given is not None and (data is None or not of_use)
    ]
    if unused:
        raise fault(
            InputError,
            f"{' and '.join(unused)} would have nothing to do here",
            values=[plan.outcome],
            remedy="time= goes with the data of counts and of times to an event, horizon= with the latter",
        )
    if outcome is None:
        return None
    if followed and (time is None or horizon is None):
        raise fault(
            InputError,
            "times to an event need the time that each member was followed, and the end of follow-up",
            remedy="Give time='days', the column, and horizon=, by which the plan's share has the event",
        )
    exposure = float(plan.asked.get("exposure") or 1.0)
    return Columns(
        plan.outcome,
        outcome,
        time,
        exposure,
        None if horizon is None else real("horizon", horizon),
        is_clustered(plan),
    )


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
        What was taken for the control arm's rate (of times the share with the event), the standard
        deviation and the ICC.
    effect, power : float or None
        The smallest effect that is detected with the power of the plan (80% where that was solved
        for), and the power to find the planned one.
    dispersion, rate_cv : float or None
        Of counts, the variance of a member's count over its mean, and in place of the ICC the
        coefficient of variation of the clusters' rates.
    """

    stage: str
    effect_removed: bool
    clusters: int
    baseline: float | None
    sd: float | None
    icc: float | None
    effect: float | None
    power: float | None
    dispersion: float | None = None
    rate_cv: float | None = None


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
    blinded : Means, Counts, Times or None
        What the outcomes of both arms together say: their ICC (`icc`), and of counts `rate` and
        `dispersion`, of times `share` and `events`.
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
    blinded: Blinded | None
    sizes: list[int]
    level: float
    notes: list[str]
    arrivals: NDArray[np.int64] = field(repr=False)
    stages: list[Stage] = field(default_factory=list)

    @property
    def seen(self) -> IntraclusterCorrelation | None:
        """The ICC of both arms together with its interval; of a rate or a mean also `rate`, `mean`, `sd`."""
        return None if self.blinded is None else self.blinded.icc

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
                "planned",
                False,
                plan.clusters or 0,
                plan.baseline,
                plan.asked.get("sd"),
                None if plan.asked.get("rate_cv") is not None else plan.icc,
                plan.effect,
                plan.power,
                plan.asked.get("dispersion"),
                plan.asked.get("rate_cv"),
            )
        )
        moments = {"today": self.clusters}
        if self.at_close is not None:
            words = ("expected", "low", "high")
            for word, count in zip(words, self.at_close, strict=True):
                moments[f"at close, {word}"] = math.floor(count)
        ways = (False, True) if self._room() else (False,)
        for stage, clusters in moments.items():
            for removed in ways:
                self._stage(stage, clusters, removed=removed)
        seen = self.seen
        if seen is None or not is_clustered(plan) or math.isnan(seen.interval[0]):
            return
        ends = [
            self._ask("effect", "today", self._changed(self.clusters, removed=False, icc=end))
            for end in seen.interval
        ]
        found = [end.effect for end in ends if end is not None and end.attainable]
        if len(found) == 2:
            low, high = (effect_text(plan, effect) for effect in found)
            self.notes.append(
                f"At the ends of the ICC's interval, {number(seen.interval[0], 3)} and "
                f"{number(seen.interval[1], 3)}, the clusters of today detect {low} and {high}."
            )

    def _room(self) -> bool:
        """Say whether what was seen has room for the planned effect; note where it has not."""
        if self.blinded is None:
            return False
        said = self.blinded.no_room(self.plan)
        if said is not None:
            self.notes.append(said)
        return said is None

    @property
    def target(self) -> float:
        """The power with which effects are detected: the plan's, or 80% where that was solved for."""
        return 0.8 if self.plan.target is None else self.plan.target

    def _changed(self, clusters: int, *, removed: bool, icc: float | None = None) -> dict[str, Any]:
        """Give what is known now in place of the plan's own arguments."""
        changed: dict[str, Any] = {"clusters": clusters}
        if self.sizes and is_clustered(self.plan):
            changed |= {"cluster_size": self.sizes, "cv": 0.0}
        if self.blinded is None:
            return changed
        return changed | self.blinded.figures(self.plan, removed=removed, icc=icc)

    def _ask(self, name: Quantity, stage: str, changed: dict[str, Any]) -> Power | None:
        """Solve the plan again; None, and a note, where that cannot be."""
        arguments = {**known(self.plan, name), **changed}
        if name == "effect":
            arguments["power"] = self.target
        elif arguments["effect"] is None:
            return None
        elif self.blinded is not None and "baseline" in changed:
            rate = changed["baseline"]
            if not self.blinded.has_room(self.plan, rate):
                said = (
                    f"From a control rate of {percent(rate)} the planned effect of "
                    f"{effect_text(self.plan, self.plan.effect)} would leave 0 to 100%, so it has no power."
                    if self.plan.outcome == "binary"
                    else f"From a control rate of {number(rate, 3)} the planned effect of "
                    f"{effect_text(self.plan, self.plan.effect)} would leave no events, so it has no power."
                )
                if said not in self.notes:
                    self.notes.append(said)
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
        rate_cv = changed.get("rate_cv", plan.asked.get("rate_cv"))
        self.stages.append(
            Stage(
                stage,
                removed,
                clusters,
                changed.get("baseline", plan.baseline),
                changed.get("sd", plan.asked.get("sd")),
                None if rate_cv is not None else changed.get("icc", plan.icc),
                None if effect is None else effect.effect,
                None if power is None else power.power,
                changed.get("dispersion", plan.asked.get("dispersion")),
                rate_cv,
            )
        )

    def tidy(self) -> pd.DataFrame:
        """Give a row a stage: `stage, effect_removed, clusters, baseline, sd, icc, effect, power, dispersion, rate_cv`."""
        return pd.DataFrame([vars(stage) for stage in self.stages])

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        share = f"{100 * self.level:g}%"
        lines = [
            f"No arm was read: {_READ[self.plan.outcome]} are those of both arms together.",
            f"Recruitment is forecast as a Poisson process, with Jeffreys' prior of its rate; {share} "
            "prediction intervals.",
        ]
        if self.blinded is not None:
            plan = self.plan
            lines.append(
                f"If the planned effect of {effect_text(plan, plan.effect)} is there, it makes up "
                f"{percent(self.blinded.inflation(plan))} of the blinded variance"
                + (" of the scores" if plan.outcome == "survival" else "")
                + ", all between clusters: rows 'less the planned effect' have it taken off."
            )
        return lines

    def _panels(self) -> list[Table]:
        from crewe.power._update_tables import tables

        return tables(self)

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

"""What a simulated trial found, and how it prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crewe.exceptions import InputError, fault
from crewe.plots import style as _style
from crewe.power._measures import LABELS, SHARES, Measure, effect_text
from crewe.power._outcomes import BinaryOutcome, SurvivalOutcome, _Outcome
from crewe.power._quantities import Direction, percent
from crewe.power._trial import Trial
from crewe.tables.display import Table, number
from crewe.tables.printable import Printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class _Simulated(Printable):
    """What results of simulated trials share."""

    outcome: _Outcome
    trial: Trial
    sims: int
    seed: int

    method = "simulation"

    @property
    def synthetic(self) -> bool:
        """Whether the frame of the units says that its data are synthetic."""
        return self.trial.synthetic

    @property
    def clusters(self) -> int:
        """The number of units that are randomised, all arms together; in the mean where they arrive."""
        came = self.recruited
        if came is None:
            return len(self.trial.units)
        return round(float(came[list(self.trial.design.arms)].sum(axis=1).mean()))

    @property
    def recruited(self) -> pd.DataFrame | None:
        """Who came, where clusters arrive one by one, a row for each of (at most 10,000) replicates.

        The clusters of every arm in the comparison, their `members`, and how many clusters were `refused` while
        enrolment paused or randomised `outside` the comparison.
        """
        return self.trial.recruited

    @property
    def icc(self) -> float | None:
        """The intracluster correlation, where there is one."""
        found: float | None = getattr(self.outcome, "icc", None)
        return found

    @property
    def alpha(self) -> float:
        """The two-sided level of the test."""
        return self.trial.alpha

    def _treated(self, effect: float | None) -> float | None:
        return None if effect is None else self.outcome._treated(effect)

    def methods(self) -> list[str]:
        """Say in plain sentences what was simulated."""
        design = self.trial.design
        strata = f" within strata of {', '.join(design.strata)}" if design.strata else ""
        sizes = ""
        if self.trial.sizes is not None:
            sizes = ", whose sizes are drawn anew every time"
        who = f"{self.clusters:,} {design.unit_noun}{sizes}, randomised by {design.method}{strata}."
        if self.trial.arriving is not None:
            who = f"{design.unit_noun}, randomised by {design.method}{strata} as they come: {self._came()}"
        return [
            f"{self.sims:,} replicates under seed {self.seed}: {who}",
            f"Outcomes: {self.outcome.describe()}.",
            f"Analysis: {self._analysis()}, two-sided {percent(self.alpha, 0)} level.",
        ]

    def _came(self) -> str:
        """Say how many arrive."""
        reading, came = self.trial.arriving, self.trial.recruited
        if reading is None or came is None:
            return ""
        mean = came.mean()
        arms = " and ".join(f"{number(mean[arm], 1)} in {arm}" for arm in self.trial.design.arms)
        lost = [
            f"{number(mean[name], 1)} are {said} while an arm is full"
            for name, said in (("refused", "refused"), ("outside", "randomised outside it"))
            if mean[name] > 0
        ]
        said = "; ".join([f"in the mean {arms} are in the comparison", *lost])
        return f"{reading.arrivals.describe()}. {said[0].upper()}{said[1:]}."

    def _analysis(self) -> str:
        made = self.trial.words
        reference = list(self.trial.design.arms)[self.trial.reference]
        several = len(self.trial.compared) > 1
        return f"{made}, each arm against {reference}, unadjusted" if several else made


@dataclass(frozen=True, repr=False)
class SimulatedPower(_Simulated):
    """The power of a trial, by replaying it.

    Attributes
    ----------
    measures : dict of str to Measure
        Every diagnosand by its name, with the error of the simulation: power, size, bias, sd (of the
        estimates), mean_std_error, coverage, type_s, type_m, convergence. Of several arms power_any,
        power_all and size_any.
    effect : float or None
        The effect that was simulated; None for several arms together.
    arms : dict of str to SimulatedPower
        With more than two arms, what was found of each against the reference; else empty.
    outcome : BinaryOutcome, ContinuousOutcome, CountOutcome, SurvivalOutcome or CustomOutcome
        How outcomes came about.
    sims, seed : int
        The number of replicates, and what their random numbers follow from.
    replicates : pandas.DataFrame
        A row a replicate: estimate, std_error, df, p_value, status.
    unanswered : dict of str to int
        Replicates without an answer, by the reason.
    estimand : float
        What the analysis estimates, which bias, coverage and type M are about: the effect, the logarithm of
        a hazard ratio or, where rates are compared by their ratio, its logarithm.
    clusters, icc, alpha : int, float, float
        The units that are randomised, their correlation, the level of the test.
    """

    measures: Mapping[str, Measure]
    effect: float | None
    outcome: _Outcome
    trial: Trial
    sims: int
    seed: int
    replicates: pd.DataFrame
    unanswered: Mapping[str, int]
    arms: Mapping[str, SimulatedPower] = field(default_factory=dict)
    estimand: float = float("nan")

    def _value(self, name: str) -> float:
        if self.arms:
            raise fault(
                InputError,
                f"a trial of several arms has a {name.replace('_', ' ')} for each",
                values=list(self.arms),
                remedy=f"Ask for one of them: .arms[{next(iter(self.arms))!r}], or for .any or .all",
            )
        return self.measures[name].value if name in self.measures else float("nan")

    @property
    def any(self) -> Measure:
        """The share of replicates in which some arm differs from the reference; of two arms the power."""
        return self.measures["power_any" if self.arms else "power"]

    @property
    def all(self) -> Measure:
        """The share of replicates in which all arms differ from the reference; of two arms the power."""
        return self.measures["power_all" if self.arms else "power"]

    @property
    def power(self) -> float:
        """The share of replicates that reject no effect."""
        return self._value("power")

    @property
    def size(self) -> float:
        """The same without an effect; NaN where that was not asked for."""
        return self._value("size")

    @property
    def bias(self) -> float:
        """The mean estimate less the effect."""
        return self._value("bias")

    @property
    def coverage(self) -> float:
        """The share of intervals that hold the effect."""
        return self._value("coverage")

    @property
    def type_s(self) -> float:
        """Among significant estimates, the share with the wrong sign."""
        return self._value("type_s")

    @property
    def type_m(self) -> float:
        """The mean size of significant estimates over that of the effect."""
        return self._value("type_m")

    @property
    def convergence(self) -> float:
        """The share of replicates with an answer."""
        return self._value("convergence")

    @property
    def treated(self) -> float | None:
        """The treated arm's rate or mean, where the baseline is one number."""
        return self._treated(self.effect)

    @property
    def notes(self) -> list[str]:
        """What to know about this answer, in plain words."""
        notes = list(self.trial.notes)
        if self.arms:
            said = {arm: [n for n in one.notes if n not in notes] for arm, one in self.arms.items()}
            return [*notes, *(f"{arm}: {note}" for arm, each in said.items() for note in each)]
        for reason, count in self.unanswered.items():
            notes.append(
                f"{count:,} of {self.sims:,} replicates have no answer ({reason}) and count as not "
                "rejecting."
            )
        size = self.measures.get("size")
        if size is not None and not size.conf_low <= self.alpha <= size.conf_high:
            more = "more" if size.value > self.alpha else "less"
            notes.append(
                f"Without an effect the test rejects {more} often than its level says "
                f"({percent(size.value)}): its power is not that of a test of level "
                f"{percent(self.alpha, 0)}."
            )
        return notes

    def tidy(self) -> pd.DataFrame:
        """Give the diagnosands as a frame, a row each, with the error of the simulation; of several arms by arm."""
        if self.arms:
            parts = {**{arm: one.tidy() for arm, one in self.arms.items()}, "": self._tidy()}
            each = [part.assign(arm=arm or None) for arm, part in parts.items()]
            found = pd.concat(each, ignore_index=True)
            return found.loc[:, ["arm", *[name for name in found if name != "arm"]]]
        return self._tidy()

    def _tidy(self) -> pd.DataFrame:
        names = [name for name in LABELS if name in self.measures]
        found = [self.measures[name] for name in names]
        return pd.DataFrame(
            {
                "diagnosand": names,
                "estimate": [m.value for m in found],
                "std_error": [m.std_error for m in found],
                "conf_low": [m.conf_low for m in found],
                "conf_high": [m.conf_high for m in found],
            }
        )

    def _cells(self, name: str) -> list[str]:
        m = self.measures[name]

        def show(value: float) -> str:
            if np.isnan(value):
                return "–"
            if name in SHARES:
                return percent(value)
            if name == "type_m":
                return f"{value:.2f}"
            if self.trial.logs:
                return number(value)
            return effect_text(self.outcome, value, signed=False)

        between = "" if np.isnan(m.conf_low) else f"{show(m.conf_low)} to {show(m.conf_high)}"
        return [LABELS[name], show(m.value), between]

    def _table(self, arm: str = "") -> Table:
        rows = [] if self.arms else [["Effect", effect_text(self.outcome, self.effect), ""]]
        if rows and self.trial.logs:
            rows.append(["Logarithm of the ratio, which is estimated", number(self.estimand), ""])
        rows += [self._cells(name) for name in LABELS if name in self.measures]
        return Table(
            header=["Quantity", "Value", "95% Monte Carlo interval"],
            rows=rows,
            title=f"Power by simulation of the trial{arm}",
            notes=[] if arm else [*self.methods(), *self.notes],
        )

    def _panels(self) -> list[Table]:
        reference = list(self.trial.design.arms)[self.trial.reference]
        each = [one._table(f": {arm} against {reference}") for arm, one in self.arms.items()]
        return [*each, self._table()]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the estimates of all replicates, those that reject no effect apart.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib Axes
        """
        with _style.printed():
            return self._drawn(ax)

    def _drawn(self, ax: Axes | None) -> Axes:
        if self.arms or self.effect is None:
            raise fault(
                InputError,
                "the estimates of several arms are drawn apart",
                values=list(self.arms),
                remedy=f"Draw one of them: .arms[{next(iter(self.arms), '')!r}].plot()",
            )
        drawn: Axes = _style.figure()[1] if ax is None else ax
        rates = isinstance(self.outcome, BinaryOutcome) and not self.trial.logs
        scale = 100.0 if rates else 1.0
        answered = self.replicates.dropna(subset=["estimate"])
        values = scale * answered["estimate"].to_numpy()
        rejects = answered["p_value"].to_numpy() <= self.alpha
        styles = _style.arm_styles(["not significant", "significant"])
        if len(values):
            bins = np.histogram_bin_edges(values, bins=40)
            drawn.hist(
                [values[rejects], values[~rejects]],
                bins=bins.tolist(),
                stacked=True,
                color=[styles["significant"].colour, "#ffffff"],
                edgecolor=_style.INK,
                linewidth=0.4,
                label=["significant", "not significant"],
            )
            drawn.legend()
        drawn.axvline(
            scale * self.estimand,
            color=_style.INK,
            linewidth=0.8,
            linestyle=(0, (1, 2)),
        )
        unit = "Estimate, percentage points" if scale == 100.0 else "Estimate"
        if isinstance(self.outcome, SurvivalOutcome):
            unit = "Estimate, logarithm of the hazard ratio"
        elif self.trial.logs:
            unit = "Estimate, logarithm of the ratio"
        drawn.set_xlabel(unit)
        drawn.set_ylabel("Replicates")
        _style.alt_text(
            drawn,
            f"Histogram of the estimates of {len(values)} simulated trials; {percent(self.power)} are "
            f"significant. A dotted line marks the effect, {effect_text(self.outcome, self.effect)}.",
        )
        return drawn


@dataclass(frozen=True, repr=False)
class SimulatedEffect(_Simulated):
    """The smallest effect that a trial detects with a given power, by replaying it.

    Attributes
    ----------
    effect : float or None
        The effect, signed; None where the power is unattainable.
    conf_low, conf_high : float or None
        The 95% interval that the error of the simulation gives the effect, the end nearer to no
        effect first; None where the power does not reach so far.
    achieved : Measure
        The simulated power under the effect.
    target : float
        The power asked for.
    ceiling, ceiling_at : float or None
        Where the power is unattainable: that under the largest effect within reach, and this effect.
    detect : str or None
        Of several arms, the one that is to be found, or ``"any"`` or ``"all"``.
    tried : pandas.DataFrame
        The effects that were tried, with their powers: a curve under one set of random numbers.
    """

    effect: float | None
    conf_low: float | None
    conf_high: float | None
    achieved: Measure
    target: float
    ceiling: float | None
    ceiling_at: float | None
    direction: Direction
    outcome: _Outcome
    trial: Trial
    sims: int
    seed: int
    tried: pd.DataFrame
    detect: str | None = None

    @property
    def power(self) -> float:
        """The simulated power under the effect."""
        return self.achieved.value

    @property
    def attainable(self) -> bool:
        """Whether the power asked for is within reach."""
        return self.effect is not None

    @property
    def treated(self) -> float | None:
        """The treated arm's rate or mean, where the baseline is one number."""
        return self._treated(self.effect)

    @property
    def notes(self) -> list[str]:
        """What to know about this answer, in plain words."""
        if self.attainable:
            return list(self.trial.notes)
        return [
            *self.trial.notes,
            f"Unattainable: even an effect of {effect_text(self.outcome, self.ceiling_at)} is found with "
            f"power {percent(self.ceiling)}, not {percent(self.target)}. More clusters are needed.",
        ]

    def tidy(self) -> pd.DataFrame:
        """Give the answer as a frame of one row."""
        return pd.DataFrame(
            {
                "effect": [self.effect],
                "conf_low": [self.conf_low],
                "conf_high": [self.conf_high],
                "power": [self.power],
                "target": [self.target],
                "sims": [self.sims],
            }
        )

    def methods(self) -> list[str]:
        """Say in plain sentences what was simulated."""
        if self.detect is None:
            return super().methods()
        found = {"any": "any arm", "all": "all arms"}.get(self.detect, self.detect)
        several = "all arms have the effect"
        if isinstance(self.outcome.effect, Mapping):
            several = "the effect is the largest of the arms', which stay in proportion"
        return [*super().methods(), f"Found is {found}; {several}."]

    def _table(self) -> Table:
        ends = [self.conf_low, self.conf_high]
        between = " to ".join(
            "beyond reach" if end is None else effect_text(self.outcome, end) for end in ends
        )
        power = self.achieved
        return Table(
            header=["Quantity", "Value", "95% Monte Carlo interval"],
            rows=[
                [
                    "Smallest detectable effect",
                    effect_text(self.outcome, self.effect),
                    between if self.attainable else "",
                ],
                ["Power asked for", percent(self.target), ""],
                [
                    "Power under it" if self.attainable else "Power under the largest effect",
                    percent(power.value),
                    f"{percent(power.conf_low)} to {percent(power.conf_high)}",
                ],
            ],
            title="Smallest detectable effect by simulation of the trial",
            notes=[*self.methods(), *self.notes],
        )

    def _panels(self) -> list[Table]:
        return [self._table()]


__all__ = ["Measure", "SimulatedEffect", "SimulatedPower"]

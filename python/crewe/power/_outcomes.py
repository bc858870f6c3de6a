"""How outcomes come about in a simulated trial."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.power._beside import Covariate, Subgroup, effects
from crewe.power._beside import covariates as read_covariates
from crewe.power._quantities import real

Sharing: TypeAlias = Literal["beta_binomial", "latent_normal", "shared_draw"]
Effect: TypeAlias = float | Mapping[str, float] | None


@dataclass(frozen=True)
class Parts:
    """How an effect is shared out.

    Attributes
    ----------
    largest : float
        The largest effect, on the scale of the analysis.
    doses : list of float
        How much of it each arm has, outside a subgroup where there is one.
    shares : tuple of float
        How much of their arm's dose the others and the subgroup have.
    inside : list of float, or None
        How much of the largest effect the subgroup has in each arm, where that is its own.
    """

    largest: float
    doses: list[float]
    shares: tuple[float, float]
    inside: list[float] | None


@dataclass(frozen=True)
class _Outcome:
    """What all outcomes have: a baseline that may be a column, and an effect."""

    baseline: float | str
    effect: Effect
    # What is drawn with it.
    covariates: tuple[Covariate, ...]
    subgroup: Subgroup | None

    @property
    def column(self) -> str | None:
        """The column that holds each row's baseline, where there is one."""
        return self.baseline if isinstance(self.baseline, str) else None

    def _to_shift(self, effect: float) -> float:
        """Bring an effect to the scale of the analysis, 0 where there is none."""
        return effect

    def _of_shift(self, shift: float) -> float:
        """Give an effect from that of the analysis."""
        return shift

    def _doses(self, arms: Sequence[str]) -> tuple[float, list[float]]:
        """Give the largest effect on the scale of the analysis, and how much of it each arm has; without one 0."""
        given = self.effect
        if not isinstance(given, Mapping):
            shift = 0.0 if given is None else self._to_shift(given)
            return shift, [float(i > 0) for i in range(len(arms))]
        shifts = self._shifts(arms, given)
        largest = max(shifts, key=abs)
        if largest == 0:
            return 0.0, [float(i > 0) for i in range(len(arms))]
        return largest, [shift / largest for shift in shifts]

    def _treated(self, effect: float) -> float | None:
        """Give the treated arm's rate or mean, where the baseline is one number."""
        return None if isinstance(self.baseline, str) else self.baseline + effect

    def _parts(self, arms: Sequence[str]) -> Parts:
        """Give how a subgroup and the others share the largest effect, on the scale of the analysis."""
        group = self.subgroup
        if group is None:
            shift, doses = self._doses(arms)
            return Parts(shift, doses, (1.0, 1.0), None)
        if group.effect is None and self.effect is not None:
            raise fault(
                InputError,
                "the subgroup has no effect",
                values=[group.name],
                remedy="Give Subgroup(..., effect=...), or neither effect where mdes solves for it",
            )
        if not isinstance(self.effect, Mapping) and not isinstance(group.effect, Mapping):
            own = 0.0 if group.effect is None else self._to_shift(group.effect)
            others = 0.0 if self.effect is None else self._to_shift(self.effect)
            largest = max(own, others, key=abs)
            shares = (others / largest, own / largest) if largest else (1.0, 1.0)
            if largest == 0 and self.effect is None:
                shares = (0.0, 1.0)
            return Parts(largest, [float(i > 0) for i in range(len(arms))], shares, None)
        outside, inside = (
            self._shifts(arms, 0.0 if given is None else given)
            for given in (self.effect, group.effect)
        )
        largest = max([*outside, *inside], key=abs)
        if largest == 0:
            ones = [float(i > 0) for i in range(len(arms))]
            return Parts(0.0, ones, (1.0, 1.0), None)
        return Parts(
            largest,
            [shift / largest for shift in outside],
            (1.0, 1.0),
            [shift / largest for shift in inside],
        )

    def _shifts(self, arms: Sequence[str], given: float | Mapping[str, float]) -> list[float]:
        """Give the effect of every arm on the scale of the analysis, 0 for the first."""
        if not isinstance(given, Mapping):
            # One effect of all treated arms; 0 stands for none, whatever the scale.
            shift = self._to_shift(given) if given else 0.0
            return [0.0, *(shift for _ in arms[1:])]
        if set(given) != set(arms[1:]):
            raise fault(
                InputError,
                "effects by arm name every arm but the first, to which they are added",
                values=[str(arm) for arm in given],
                remedy=f"Give the effects of {', '.join(arms[1:])}",
            )
        return [0.0, *(self._to_shift(given[arm]) for arm in arms[1:])]

    @property
    def _times(self) -> bool:
        """Whether it is a time to an event."""
        return False

    def _options(self) -> dict[str, Any]:
        given = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in ("covariates", "subgroup")
        }
        if self.covariates:
            given["covariates"] = [
                {"r2": one.r2, "cluster": one.level == "cluster"} for one in self.covariates
            ]
        if self.column is not None:
            # Each row has its own.
            del given["baseline"]
        return given

    def _json(self, effect: float = 0.0) -> str:
        return json.dumps({"name": self._name, **self._options(), "effect": effect})

    @property
    def _name(self) -> str:
        raise NotImplementedError

    def describe(self) -> str:
        """Say in words how outcomes come about."""
        return _core.outcome_text(self._json())


@dataclass(frozen=True, init=False)
class BinaryOutcome(_Outcome):
    """An outcome of 0 or 1 that members of a cluster share in part.

    Parameters
    ----------
    baseline : float or str
        The control arm's rate, from 0 to 1, or the column of the units' frame that holds each row's
        own.
    effect : float or mapping, optional
        The treated arm's rate less the control arm's: 0.112 is a rise by 11.2 points, for every
        row. A number holds for every treated arm; a mapping gives each its own. :func:`mdes` solves
        for it and needs none.
    icc : float
        The intracluster correlation of the outcome as it is observed (not on a latent scale).
    sharing : {"beta_binomial", "latent_normal", "shared_draw"}
        What members of a cluster share; rates and correlation are those asked for under each.

        - ``"beta_binomial"``: a probability with a beta distribution over clusters. Slightly
          negative correlations are possible.
        - ``"latent_normal"``: part of a normal score, of which the outcome says whether it exceeds
          a threshold. The score's correlation is the one that gives the control arm `icc`.
        - ``"shared_draw"``: with probability √icc a member takes the cluster's random number.
    dropout : float
        The share of members whose outcome is lost, whatever it is and whatever their arm.
    covariates : sequence of Covariate
        What is drawn with it and explains shares of its variance on a normal scale (with latent_normal).
    subgroup : Subgroup, optional
        A subgroup with an effect of its own; `effect` is then that of the others.

    Notes
    -----
    Prentice (1986, doi:10.1080/01621459.1986.10478275); Emrich and Piedmonte (1991,
    doi:10.1080/00031305.1991.10475828); Lunn and Davies (1998, doi:10.1093/biomet/85.2.487).

    Examples
    --------
    >>> import crewe as cw
    >>> closed = cw.power.BinaryOutcome(baseline=0.226, effect=0.112, icc=0.36)
    >>> closed.sharing
    'beta_binomial'
    """

    icc: float
    sharing: Sharing
    dropout: float

    @checked
    def __init__(
        self,
        *,
        baseline: float | str,
        effect: float | Mapping[str, float] | None = None,
        icc: float,
        sharing: Sharing = "beta_binomial",
        dropout: float = 0.0,
        covariates: Sequence[Covariate] = (),
        subgroup: Subgroup | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "baseline", baseline if isinstance(baseline, str) else real("baseline", baseline))
        put(self, "effect", effects(effect))
        put(self, "icc", real("icc", icc))
        _core.check_word("sharing", str(sharing))
        put(self, "sharing", str(sharing))
        put(self, "dropout", real("dropout", dropout))
        put(self, "covariates", read_covariates(covariates))
        put(self, "subgroup", subgroup)

    @property
    def _name(self) -> str:
        return "binary"


@dataclass(frozen=True, init=False)
class ContinuousOutcome(_Outcome):
    """A normal outcome that members of a cluster share in part.

    Parameters
    ----------
    effect : float or mapping, optional
        The treated arm's mean less the control arm's, in the outcome's units (in standard
        deviations where `sd` is 1); as for :class:`BinaryOutcome`.
    icc : float
        The intracluster correlation; as low as -1/(m - 1) in clusters of at most m.
    sd : float
        The standard deviation within an arm.
    baseline : float or str
        The control arm's mean, or the column of the units' frame that holds each row's own.
    dropout : float
        The share of members whose outcome is lost, whatever it is and whatever their arm.
    covariates : sequence of Covariate
        What is drawn with it and explains shares of its variance.
    subgroup : Subgroup, optional
        A subgroup with an effect of its own; `effect` is then that of the others.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.power.ContinuousOutcome(effect=0.25, icc=0.1).sd
    1.0
    """

    icc: float
    sd: float
    dropout: float

    @checked
    def __init__(
        self,
        *,
        effect: float | Mapping[str, float] | None = None,
        icc: float,
        sd: float = 1.0,
        baseline: float | str = 0.0,
        dropout: float = 0.0,
        covariates: Sequence[Covariate] = (),
        subgroup: Subgroup | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "baseline", baseline if isinstance(baseline, str) else real("baseline", baseline))
        put(self, "effect", effects(effect))
        put(self, "icc", real("icc", icc))
        put(self, "sd", real("sd", sd))
        put(self, "dropout", real("dropout", dropout))
        put(self, "covariates", read_covariates(covariates))
        put(self, "subgroup", subgroup)

    @property
    def _name(self) -> str:
        return "continuous"


@dataclass(frozen=True, init=False)
class CountOutcome(_Outcome):
    """A count whose rate members of a cluster share in part.

    Parameters
    ----------
    baseline : float or str
        The mean count of a member of the control arm (at most 500), or the column of the units'
        frame that holds each row's own.
    effect : float or mapping, optional
        The mean count of the treated less that of the control arm; as for :class:`BinaryOutcome`.
    cv : float
        The coefficient of variation of the clusters' rates: their standard deviation over their
        mean (Hayes and Bennett's k).
    dropout : float
        The share of members whose outcome is lost, whatever it is and whatever their arm.
    subgroup : Subgroup, optional
        A subgroup with an effect of its own; `effect` is then that of the others.

    Notes
    -----
    Counts are Poisson given the cluster's factor, which is gamma with mean 1 and variance cv².
    Hayes and Bennett (1999, doi:10.1093/ije/28.2.319).

    Examples
    --------
    >>> import crewe as cw
    >>> days = cw.power.CountOutcome(baseline=4, effect=-1, cv=0.5)
    >>> days.icc
    0.5
    """

    cv: float
    dropout: float

    @checked
    def __init__(
        self,
        *,
        baseline: float | str,
        effect: float | Mapping[str, float] | None = None,
        cv: float,
        dropout: float = 0.0,
        subgroup: Subgroup | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "baseline", baseline if isinstance(baseline, str) else real("baseline", baseline))
        put(self, "effect", effects(effect))
        put(self, "cv", real("cv", cv))
        put(self, "dropout", real("dropout", dropout))
        put(self, "covariates", ())
        put(self, "subgroup", subgroup)

    @property
    def icc(self) -> float | None:
        """The intracluster correlation of the control arm's counts; None where each row has its own mean."""
        if isinstance(self.baseline, str):
            return None
        between = self.baseline * self.cv**2
        return between / (1 + between)

    @property
    def _name(self) -> str:
        return "count"


@dataclass(frozen=True, init=False)
class SurvivalOutcome(_Outcome):
    """A time to an event that members of a cluster share in part, with staggered entry and drop-out.

    Parameters
    ----------
    baseline : float or str
        The share of the control arm with the event by the end of the study, were all followed from
        its start, strictly between 0 and 1; or the column of the units' frame that holds each row's
        own.
    effect : float or mapping, optional
        The hazard ratio, treated over control: that of the margins, which a Cox model without random
        effects estimates; as for :class:`BinaryOutcome`.
    tau : float
        Kendall's rank correlation of two members of a cluster, from 0 to 0.9.
    entry : float
        The share of the study over which clusters enter, evenly: with 0.5 the last one is followed
        for half of it. Members of a cluster enter together.
    dropout : float
        The share that would drop out by the end, were nobody to have the event and all followed from
        the start; at a constant rate.
    subgroup : Subgroup, optional
        A subgroup with an effect of its own; `effect` is then that of the others.

    Notes
    -----
    Times are exponential in each arm; survival within a cluster is joined as a gamma frailty of variance
    2 tau / (1 - tau) joins it (Clayton 1978, doi:10.1093/biomet/65.1.141). Simulated power goes with
    :class:`CoxModel` or :class:`LogRank`; estimates are logarithms of hazard ratios.

    Examples
    --------
    >>> import crewe as cw
    >>> closed = cw.power.SurvivalOutcome(baseline=0.7, effect=1.5, tau=0.33, entry=0.5, dropout=0.1)
    >>> closed.effect
    1.5
    """

    tau: float
    entry: float
    dropout: float

    @checked
    def __init__(
        self,
        *,
        baseline: float | str,
        effect: float | Mapping[str, float] | None = None,
        tau: float = 0.0,
        entry: float = 0.0,
        dropout: float = 0.0,
        subgroup: Subgroup | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "baseline", baseline if isinstance(baseline, str) else real("baseline", baseline))
        put(self, "effect", effects(effect))
        put(self, "tau", real("tau", tau))
        put(self, "entry", real("entry", entry))
        put(self, "dropout", real("dropout", dropout))
        put(self, "covariates", ())
        put(self, "subgroup", subgroup)
        given = [*self.effect.values()] if isinstance(self.effect, Mapping) else [self.effect]
        inside = None if subgroup is None else subgroup.effect
        given += [*inside.values()] if isinstance(inside, Mapping) else [inside]
        wrong = [ratio for ratio in given if ratio is not None and not ratio > 0]
        if wrong:
            raise fault(
                InputError,
                "the effect on a time to an event is a hazard ratio",
                values=[f"{ratio:g}" for ratio in wrong],
                remedy="Give a number above 0: 1 is none, 1.4 a hazard that is 40% higher",
            )

    def _to_shift(self, effect: float) -> float:
        return math.log(effect)

    def _of_shift(self, shift: float) -> float:
        return math.exp(shift)

    def _treated(self, effect: float) -> float | None:
        return None if isinstance(self.baseline, str) else 1 - (1 - self.baseline) ** effect

    @property
    def _times(self) -> bool:
        return True

    @property
    def _name(self) -> str:
        return "survival"

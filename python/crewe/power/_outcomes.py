"""How outcomes come about in a simulated trial."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from crewe import _core
from crewe.frames.arguments import checked
from crewe.power._quantities import real

Sharing: TypeAlias = Literal["beta_binomial", "latent_normal", "shared_draw"]


@dataclass(frozen=True)
class _Outcome:
    """What all outcomes have: a baseline that may be a column, and an effect."""

    baseline: float | str
    effect: float

    @property
    def column(self) -> str | None:
        """The column that holds each row's baseline, where there is one."""
        return self.baseline if isinstance(self.baseline, str) else None

    def _json(self) -> str:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.column is not None:
            # Each row has its own.
            del given["baseline"]
        return json.dumps({"name": self._name, **given})

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
    effect : float
        The treated arm's rate less the control arm's: 0.112 is a rise by 11.2 points, for every
        row.
    icc : float
        The intra-cluster correlation of the outcome as it is observed (not on a latent scale).
    sharing : {"beta_binomial", "latent_normal", "shared_draw"}
        What members of a cluster share; rates and correlation are those asked for under each.

        - ``"beta_binomial"``: a probability with a beta distribution over clusters. Slightly
          negative correlations are possible.
        - ``"latent_normal"``: part of a normal score, of which the outcome says whether it exceeds
          a threshold. The score's correlation is the one that gives the control arm `icc`.
        - ``"shared_draw"``: with probability √icc a member takes the cluster's random number.

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

    @checked
    def __init__(
        self,
        *,
        baseline: float | str,
        effect: float,
        icc: float,
        sharing: Sharing = "beta_binomial",
    ) -> None:
        put = object.__setattr__
        put(self, "baseline", baseline if isinstance(baseline, str) else real("baseline", baseline))
        put(self, "effect", real("effect", effect))
        put(self, "icc", real("icc", icc))
        _core.check_word("sharing", str(sharing))
        put(self, "sharing", str(sharing))

    @property
    def _name(self) -> str:
        return "binary"


@dataclass(frozen=True, init=False)
class ContinuousOutcome(_Outcome):
    """A normal outcome that members of a cluster share in part.

    Parameters
    ----------
    effect : float
        The treated arm's mean less the control arm's, in the outcome's units (in standard
        deviations where `sd` is 1).
    icc : float
        The intra-cluster correlation; as low as -1/(m - 1) in clusters of at most m.
    sd : float
        The standard deviation within an arm.
    baseline : float or str
        The control arm's mean, or the column of the units' frame that holds each row's own.

    Examples
    --------
    >>> import crewe as cw
    >>> cw.power.ContinuousOutcome(effect=0.25, icc=0.1).sd
    1.0
    """

    icc: float
    sd: float

    @checked
    def __init__(
        self, *, effect: float, icc: float, sd: float = 1.0, baseline: float | str = 0.0
    ) -> None:
        put = object.__setattr__
        put(self, "baseline", baseline if isinstance(baseline, str) else real("baseline", baseline))
        put(self, "effect", real("effect", effect))
        put(self, "icc", real("icc", icc))
        put(self, "sd", real("sd", sd))

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
    effect : float
        The mean count of the treated less that of the control arm.
    cv : float
        The coefficient of variation of the clusters' rates: their standard deviation over their
        mean (Hayes and Bennett's k).

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

    @checked
    def __init__(self, *, baseline: float | str, effect: float, cv: float) -> None:
        put = object.__setattr__
        put(self, "baseline", baseline if isinstance(baseline, str) else real("baseline", baseline))
        put(self, "effect", real("effect", effect))
        put(self, "cv", real("cv", cv))

    @property
    def icc(self) -> float | None:
        """The intra-cluster correlation of the control arm's counts; None where each row has its own mean."""
        if isinstance(self.baseline, str):
            return None
        between = self.baseline * self.cv**2
        return between / (1 + between)

    @property
    def _name(self) -> str:
        return "count"

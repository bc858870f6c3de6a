"""What is drawn beside an outcome: covariates that explain a share of it, and a subgroup with an effect of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe.exceptions import DesignError, InputError, fault
from crewe.formula import parse as parsing
from crewe.frames.arguments import checked
from crewe.frames.source import Source
from crewe.power._analyses import Analysis
from crewe.power._quantities import Level, real

if TYPE_CHECKING:
    from crewe.power._outcomes import _Outcome

Columns = dict[str, NDArray[np.float64]]


def effects(value: float | Mapping[str, float] | None) -> float | dict[str, float] | None:
    """Read an effect: one for every treated arm, each arm's own, or none yet."""
    if isinstance(value, Mapping):
        return {str(arm): real(f"the effect of {arm}", one) for arm, one in value.items()}
    return None if value is None else real("effect", value)


def _level(level: str) -> str:
    if level not in ("individual", "cluster"):
        raise fault(
            InputError,
            "a level is that of individuals or of clusters",
            values=[str(level)],
            remedy='Give level="individual" or "cluster"',
        )
    return str(level)


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.isidentifier() or name == "arm":
        raise fault(
            InputError,
            "what is drawn beside an outcome has a plain name",
            values=[str(name)],
            remedy="Give a word that a formula can hold, other than arm",
        )
    return name


@dataclass(frozen=True, init=False)
class Covariate:
    """A covariate that is drawn with the outcome and explains a share of its variance.

    Parameters
    ----------
    name : str
        What a formula calls it.
    r2 : float
        The share of the variance of its level that it explains, as in :func:`continuous`: of that
        between clusters, or of that within them. The shares of a level sum to 1 at most.
    level : {"individual", "cluster"}
        Whether it differs between members, or is the cluster's.

    Notes
    -----
    Standard normal, anew in every replicate and independent of the others. An analysis adjusts for it
    where its formula names it.

    Examples
    --------
    >>> import crewe as cw
    >>> pretest = cw.power.Covariate("pretest", r2=0.5)
    >>> score = cw.power.ContinuousOutcome(effect=0.3, icc=0.2, covariates=[pretest])
    >>> design = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family_id")
    >>> families = cw.power.ClusterSizes([3] * 60)
    >>> plain, adjusted = (
    ...     cw.power.simulate(design, families, score, analysis, sims=300, seed=1, size=False)
    ...     for analysis in ("~ arm", "~ arm + pretest")
    ... )
    >>> adjusted.power > plain.power
    True
    """

    name: str
    r2: float
    level: str

    @checked
    def __init__(self, name: str, r2: float, *, level: Level = "individual") -> None:
        put = object.__setattr__
        put(self, "name", _name(name))
        put(self, "r2", real("r2", r2))
        put(self, "level", _level(level))


@dataclass(frozen=True, init=False)
class Subgroup:
    """A subgroup whose members have an effect of their own.

    Parameters
    ----------
    name : str
        What it is called; without `share` the column of the units' frame that says with 1 or 0 (or
        True or False) who is in it.
    effect : float or mapping, optional
        The effect in it, on the scale of the outcome's own, which is that of the others; a mapping gives
        each arm but the first its own. :func:`mdes` solves for it where neither is given, with no effect on
        the others.
    share : float, optional
        The share of members, or of clusters, that are drawn into it anew in every replicate.
    level : {"individual", "cluster"}
        Whether members are drawn, or clusters as a whole.

    Examples
    --------
    >>> import crewe as cw
    >>> meals = cw.power.Subgroup("free_meals", effect=0.5, share=0.4)
    >>> score = cw.power.ContinuousOutcome(effect=0.2, icc=0.1, subgroup=meals)
    >>> score.subgroup.share
    0.4
    """

    name: str
    effect: float | Mapping[str, float] | None
    share: float | None
    level: str

    @checked
    def __init__(
        self,
        name: str,
        *,
        effect: float | Mapping[str, float] | None = None,
        share: float | None = None,
        level: Level = "individual",
    ) -> None:
        put = object.__setattr__
        put(self, "name", _name(name))
        put(self, "effect", effects(effect))
        put(self, "share", None if share is None else real("share", share))
        put(self, "level", _level(level))


def covariates(given: Sequence[Covariate]) -> tuple[Covariate, ...]:
    """Read the covariates of an outcome."""
    found = tuple(given)
    wrong = [type(one).__name__ for one in found if not isinstance(one, Covariate)]
    names = [one.name for one in found if isinstance(one, Covariate)]
    if wrong or len(set(names)) < len(names):
        raise fault(
            InputError,
            "covariates of an outcome have a name each",
            values=wrong or names,
            remedy='Give for instance covariates=[cw.power.Covariate("pretest", r2=0.5)]',
        )
    return found


def add(source: Source, outcome: _Outcome, model: Analysis) -> Columns:
    """Make stand-ins for the columns of covariates that are drawn later."""
    group = outcome.subgroup
    names = [one.name for one in outcome.covariates]
    drawn = [*names, *([group.name] if group is not None and group.share is not None else [])]
    taken = [name for name in drawn if name in source.names]
    if taken:
        raise fault(
            DesignError,
            "the units already have columns that are drawn with the outcome",
            values=taken,
            remedy="Rename them; a subgroup that is known has no share=",
        )
    if (
        group is not None
        and group.name in parsing.variables(model.right)
        and (model.target != "all" or group.share is not None)
    ):
        raise fault(
            InputError,
            "the analysis puts the subgroup into the model itself",
            values=[group.name],
            remedy='Leave it out of the formula, and choose target="subgroup" or "interaction"',
        )
    return {
        name: np.random.default_rng(place).normal(size=source.n) for place, name in enumerate(names)
    }


def places(stand_ins: Columns, right: str, names: list[str], x: NDArray[Any]) -> list[int | None]:
    """Find the columns of covariates among those beside the arm; None for one that is not in the model."""
    found: list[int | None] = []
    for name, values in stand_ins.items():
        if name not in parsing.variables(right):
            found.append(None)
            continue
        terms = [term for term in names if re.search(rf"\b{re.escape(name)}\b", term)]
        same = [j for j in range(x.shape[1]) if np.array_equal(x[:, j], values)]
        if len(terms) != 1 or len(same) != 1:
            raise fault(
                InputError,
                "a covariate that is drawn with the outcome stands in the formula once, as it is",
                column=name,
                values=terms,
                remedy="Leave out transformations and products of it",
            )
        found.append(same[0])
    return found


__all__ = ["Columns", "Covariate", "Subgroup", "add", "covariates", "places"]

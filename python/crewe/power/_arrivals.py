"""Clusters that arrive one by one, in place of a frame: how a trial recruits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from crewe import _core
from crewe.design.design import Design
from crewe.exceptions import DesignError, InputError, fault
from crewe.formula import parse as parsing
from crewe.frames.arguments import checked
from crewe.frames.dates import moment
from crewe.frames.source import Source
from crewe.models.arm import beside_arm
from crewe.models.request import read
from crewe.power._analyses import Analysis
from crewe.power._functions import CustomAnalysis, CustomOutcome
from crewe.power._outcomes import _Outcome
from crewe.power._quantities import plain, real, whole
from crewe.power._sizes import ClusterSizes

_SHARES = 10**9
"""What shares of strata are made whole by."""


@dataclass(frozen=True, init=False)
class Arrivals:
    """Clusters (or individuals) that arrive one by one and are randomised as they come.

    In every replicate other clusters come, in other numbers and strata, as in a trial that recruits by a
    :class:`crewe.Ledger`.

    Parameters
    ----------
    rate : float or sequence of float, optional
        How many arrive in a week, in the mean: arrivals are a Poisson process. A sequence has one rate for
        each week.
    at : sequence of float or of dates, optional
        In place of a rate: the weeks after the opening at which they arrive, or the dates, of which the first
        is the opening; the same in every replicate.
    weeks : float, optional
        How long the trial recruits; by default as many weeks as there are rates, or until the last of `at`.
    clusters : int, optional
        The number of randomised clusters at which recruitment ends before its time.
    sizes : int, sequence of int or mapping
        The number of members, as in :class:`ClusterSizes`: one for all, or sizes (with weights) from which
        every cluster draws its own.
    strata : mapping of str to mapping, optional
        For each column of the design's strata, of its procedure's factors and of the analysis the shares of
        its values, such as ``{"history": {"yes": 0.4, "no": 0.6}}``; columns are independent.
    capacity : mapping of str to int, optional
        How many clusters an arm takes in a period. Once it has, it is full until the next period begins.
    every : float
        The length of a period in weeks.
    overflow : {"pause", "draw-first"}
        What becomes of those who come while an arm is full, as in the ledger. ``"pause"``: they are refused,
        and nothing is drawn. ``"draw-first"``: they are randomised; who draws the full arm goes to the usual
        service, and the comparison leaves out all who came while any arm was full.
    follow_up : float
        How many weeks all are followed after recruitment. The study of a :class:`SurvivalOutcome` takes
        `weeks` and these: clusters enter it as they come, and its end is common.

    Notes
    -----
    Procedures are those of a ledger: simple, blocks, big stick, biased coin and minimisation. A randomisation
    test draws again the clusters that came, and takes arrivals and pauses as they were.

    Examples
    --------
    >>> import crewe as cw
    >>> design = cw.Design(
    ...     "Trial", arms={"control": 1, "crewe": 2}, cluster="family", method=cw.Blocks(sizes=[3, 6])
    ... )
    >>> families = cw.power.Arrivals(
    ...     rate=4, weeks=26, sizes={1: 0.34, 2: 0.28, 3: 0.38}, capacity={"crewe": 10}, every=4
    ... )
    >>> closed = cw.power.BinaryOutcome(baseline=0.226, effect=0.25, icc=0.36)
    >>> found = cw.power.simulate(design, families, closed, sims=200, seed=1)
    >>> 0.2 < found.power < 0.95, bool(found.recruited["crewe"].max() <= 70)
    (True, True)
    """

    pace: tuple[float, ...]
    known: bool
    weeks: float
    clusters: int | None
    sizes: tuple[tuple[int, int], ...]
    strata: Mapping[str, Mapping[str | int, float]]
    capacity: Mapping[str, int]
    every: float
    overflow: str
    follow_up: float

    @checked
    def __init__(
        self,
        rate: float | Sequence[float] | None = None,
        *,
        at: Sequence[Any] | None = None,
        weeks: float | None = None,
        clusters: int | None = None,
        sizes: int | Sequence[int] | Mapping[int, float] = 1,
        strata: Mapping[str, Mapping[str | int, float]] | None = None,
        capacity: Mapping[str, int] | None = None,
        every: float = 1.0,
        overflow: Literal["pause", "draw-first"] = "pause",
        follow_up: float = 0.0,
    ) -> None:
        if (rate is None) == (at is None):
            raise fault(
                InputError,
                "clusters arrive at a rate or at known times",
                remedy="Give rate=4, the number in a week, or at= with the weeks at which they come",
            )
        _core.check_word("overflow", str(overflow))
        until = None if weeks is None else real("weeks", weeks)
        if at is not None:
            pace = _times(at)
            until = math.floor(pace[-1]) + 1.0 if until is None and pace else until
        elif isinstance(rate, Sequence | np.ndarray):
            pace = [real("rate", one) for one in rate]
            until = float(len(pace)) if until is None else until
        else:
            steady = real("rate", rate)
            pace = [] if until is None else [steady] * _weeks(until)
        if until is None:
            raise fault(
                InputError,
                "how long the trial recruits is missing",
                remedy="Give weeks=26, or the rate of every week",
            )
        put = object.__setattr__
        put(self, "pace", tuple(pace))
        put(self, "known", at is not None)
        put(self, "weeks", until)
        put(
            self,
            "clusters",
            None if clusters is None else whole("clusters", clusters, "Give a whole number"),
        )
        # Any number of clusters will do: each draws its own size.
        put(self, "sizes", ClusterSizes(sizes, clusters=1).weights)
        put(self, "strata", {str(name): _shares(name, of) for name, of in (strata or {}).items()})
        put(
            self,
            "capacity",
            {
                str(arm): whole("capacity", places, "Give the clusters that an arm takes")
                for arm, places in (capacity or {}).items()
            },
        )
        put(self, "every", real("every", every))
        put(self, "overflow", str(overflow))
        put(self, "follow_up", real("follow_up", follow_up))

    def describe(self) -> str:
        """Say in words how they arrive."""
        if self.known:
            pace = f"{len(self.pace):,} arrive at known times over {plain(self.weeks)} weeks"
        elif len(set(self.pace)) == 1:
            pace = f"{plain(self.pace[0])} arrive a week over {plain(self.weeks)} weeks"
        else:
            mean = sum(self.pace) / len(self.pace)
            pace = f"{plain(mean)} arrive a week in the mean, over {plain(self.weeks)} weeks"
        until = "" if self.clusters is None else f" or until {self.clusters:,} are randomised"
        places = ", ".join(f"{arm} takes {places:,}" for arm, places in self.capacity.items())
        period = "a week" if self.every == 1 else f"every {plain(self.every)} weeks"
        rule = {"pause": "enrolment pauses", "draw-first": "the arm is drawn first"}[self.overflow]
        return pace + until + (f"; {places} {period}, then {rule}" if places else "")


def _times(at: Sequence[Any]) -> list[float]:
    """Give the weeks of arrivals, or of their dates."""
    days = [None if isinstance(one, int | float | np.number) else moment(one) for one in at]
    known = [day.toordinal() for day in days if day is not None]
    if len(known) == len(days) and known:
        return sorted((day - min(known)) / 7 for day in known)
    return sorted(real("at", one) for one in at)


def _weeks(weeks: float) -> int:
    if not 0 < weeks <= 10_000:
        raise fault(
            InputError,
            "a trial recruits for some weeks",
            values=[f"{weeks:g}"],
            remedy="Give weeks=26",
        )
    return math.ceil(weeks)


def _shares(name: Any, of: Mapping[Any, Any]) -> dict[str | int, float]:
    if not isinstance(of, Mapping) or not of:
        raise fault(
            InputError,
            "a stratum has values with their shares",
            column=str(name),
            remedy='Give for instance {"yes": 0.4, "no": 0.6}',
        )
    shares = {value: real(f"the share of {value}", share) for value, share in of.items()}
    wrong = [
        value for value in shares if isinstance(value, bool) or not isinstance(value, str | int)
    ]
    if wrong or not all(0 < share < math.inf for share in shares.values()):
        raise fault(
            InputError,
            "values of strata are text or whole numbers, and their shares above 0",
            column=str(name),
            values=[f"{value}: {share:g}" for value, share in shares.items()],
            remedy='Give for instance {"yes": 0.4, "no": 0.6}',
        )
    return shares


@dataclass(frozen=True)
class Reading:
    """Arrivals as they were read for a design and an analysis.

    Attributes
    ----------
    arrivals : Arrivals
        What they were read from.
    kinds : list
        For each kind its values of strata and of factors, and its weight.
    columns : array (kinds, q)
        The columns of the model beside the arm.
    capacity : list
        The places of each arm.
    units : the core's Units
        Units of every kind and arm.
    model : str
        The right-hand side of the analysis.
    """

    arrivals: Arrivals
    kinds: list[tuple[list[str], list[str], int]]
    columns: np.ndarray[Any, np.dtype[np.float64]]
    capacity: list[int | None]
    units: _core.Units
    model: str

    def members(self) -> _core.SimulatedMembers:
        """Give them to the core."""
        a = self.arrivals
        return _core.SimulatedMembers.arriving(
            (list(a.pace), a.known),
            (a.weeks, a.follow_up, a.every, a.clusters),
            list(a.sizes),
            self.kinds,
            self.columns,
            (self.capacity, a.overflow),
        )


def read_arrivals(
    design: Design, arrivals: Arrivals, outcome: _Outcome, model: Analysis
) -> Reading:
    """Read arrivals: what kinds of clusters there are, and the columns that the analysis makes of them."""
    _refuse(design, arrivals, outcome, model)
    arms = list(design.arms)
    names = list(arrivals.strata)
    each = list(itertools.product(*arrivals.strata.values()))
    sums = {name: sum(of.values()) for name, of in arrivals.strata.items()}
    share = [
        math.prod(
            arrivals.strata[name][value] / sums[name]
            for name, value in zip(names, kind, strict=True)
        )
        for kind in each
    ]
    # Two clusters of every kind in every arm, the fewest that an analysis takes: what it makes of them is that of all who
    # may come.
    rows = [(kind, arm) for kind in each for arm in [*arms, *arms]]
    frame = pd.DataFrame(
        {
            design.id_column: [f"{i:08d}" for i in range(len(rows))],
            **{name: [kind[i] for kind, _ in rows] for i, name in enumerate(names)},
            "arm": [arm for _, arm in rows],
        }
    )
    assignment = design.observe(frame, arm="arm")
    asked = read(Source(frame), model.right, design=assignment, strata_terms=model.strata_terms)
    columns = asked.model([]).design
    if not columns.intercept:
        raise fault(
            InputError,
            "a simulated model has an intercept or a baseline",
            values=[model.formula],
            remedy="Leave out - 1 and + 0",
        )
    drawn = frame["arm"].to_numpy()[columns.rows]
    rest = beside_arm(columns, np.column_stack([drawn == arm for arm in arms[1:]]))
    place = {name: i for i, name in enumerate(names)}

    def values(kind: tuple[str | int, ...], of: Sequence[str]) -> list[str]:
        return [str(kind[place[name]]) for name in of]

    factors = list(design.method.factor_columns)
    return Reading(
        arrivals,
        [
            (values(kind, design.strata), values(kind, factors), max(1, round(_SHARES * part)))
            for kind, part in zip(each, share, strict=True)
        ],
        np.ascontiguousarray(rest[:: 2 * len(arms)], dtype=np.float64),
        [arrivals.capacity.get(arm) for arm in arms],
        assignment._units(),
        asked.right,
    )


def _refuse(design: Design, arrivals: Arrivals, outcome: _Outcome, model: Analysis) -> None:
    if isinstance(outcome, CustomOutcome) or isinstance(model, CustomAnalysis):
        raise fault(
            DesignError,
            "functions are called with a frame, and clusters that arrive have none",
            remedy="Give a frame, or an outcome and an analysis of this package",
        )
    if outcome.covariates or outcome.subgroup is not None or outcome.column is not None:
        raise fault(
            DesignError,
            "covariates, subgroups and baselines of their own need a frame",
            remedy="Give a frame in place of arrivals, or leave them out",
        )
    if design.cluster is None and dict(arrivals.sizes).keys() != {1}:
        raise fault(
            DesignError,
            "individuals are randomised, so none has several members",
            remedy="Leave out sizes=",
        )
    strange = [arm for arm in arrivals.capacity if arm not in design.arms]
    if strange:
        raise fault(
            DesignError,
            "a capacity is that of one of the arms",
            values=strange,
            remedy=f"Choose {' or '.join(design.arms)}",
        )
    needed = [
        *design.strata,
        *design.method.factor_columns,
        *(name for name in parsing.variables(model.right) if name != "arm"),
    ]
    missing = [name for name in dict.fromkeys(needed) if name not in arrivals.strata]
    if missing:
        raise fault(
            DesignError,
            "arrivals do not say which values the columns of the trial have",
            values=missing,
            remedy=f'Give strata={{"{missing[0]}": {{"yes": 0.4, "no": 0.6}}}} with the shares of the values',
        )
    if "arm" not in parsing.variables(model.right):
        raise fault(
            InputError,
            "the formula does not name the arm",
            values=[model.formula],
            remedy='Write it as one of the terms: "~ arm"',
        )


__all__ = ["Arrivals", "Reading", "read_arrivals"]

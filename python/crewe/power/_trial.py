"""Reading a trial that is to be simulated: its units, their members, the planned analysis."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe.design.design import Design
from crewe.exceptions import DesignError, InputError, fault
from crewe.formula import design as designs
from crewe.formula import parse as parsing
from crewe.formula.names import quoted
from crewe.frames.source import Source
from crewe.models.arm import beside_arm
from crewe.models.linear import rows_of_the_data
from crewe.models.request import read
from crewe.power import _beside as beside
from crewe.power import _functions as functions
from crewe.power._analyses import Analysis, LinearModel
from crewe.power._arrivals import Arrivals, Reading, read_arrivals
from crewe.power._beside import Subgroup
from crewe.power._functions import CustomAnalysis, CustomOutcome
from crewe.power._outcomes import _Outcome
from crewe.power._sizes import ClusterSizes

_LOOKED_AT = 10_000
"""Replicates of which the number of those who came is kept."""

_ADDED = ("arm", "stratum", "probability")
"""The columns that a draw of the arms adds."""


Group: TypeAlias = tuple[
    float, bool, NDArray[np.bool_] | None, tuple[tuple[float, float], list[float] | None]
]


@dataclass(frozen=True)
class Trial:
    """A trial that was read, as it travels to those who simulate it.

    Attributes
    ----------
    design : Design
        The design, under the seed of the simulation.
    units : the core's Units
        Its units.
    outcome : str
        The outcome as the core reads it.
    analysis : str
        The model or test whose answer counts, as the core reads it.
    words : str
        The same in words.
    logs : bool
        Whether it estimates the logarithm of a ratio of rates.
    vcov : str
        The kind of variance.
    alpha : float
        The level.
    seed : int
        Of all random numbers.
    sizes : tuple, or None
        Sizes with weights where they are drawn; else the rows follow.
    unit, baseline, covariates, clusters : arrays, or None
        By row: its unit, its own baseline, the columns beside the arm, what the analysis clusters
        by.
    model : str
        The right-hand side of the analysis, or what its function is called.
    doses : tuple of float
        How much of the largest effect each arm has.
    reference : int
        The place of the arm that others are compared with.
    target : str
        Whose effect the analysis is about.
    drawn : tuple
        The places among `covariates` of those that are drawn with the outcome.
    subgroup : tuple, or None
        Its share, whether it is one of clusters, its members by row, and how much of their arm's effect
        others and members have, or members in each arm.
    beside : tuple of str
        The names of covariates and the subgroup that are drawn.
    draw, function : CustomOutcome, CustomAnalysis, or None
        Functions of the user.
    data : data frame, or None
        What functions are called with, a row for every one of `unit`.
    rows : array, or None
        The places of the rows in the frame.
    notes : list of str
        What a reader must know.
    synthetic : bool
        Whether the frame says that its data are synthetic.
    arriving : Reading, or None
        How clusters arrive, in place of rows.
    recruited : pandas.DataFrame, or None
        Who came in the first replicates.
    """

    design: Design
    units: _core.Units
    outcome: str
    analysis: str
    vcov: str
    alpha: float
    seed: int
    sizes: tuple[tuple[int, int], ...] | None
    unit: NDArray[np.uint32]
    baseline: NDArray[np.float64] | None
    covariates: NDArray[np.float64] | None
    clusters: NDArray[np.uint32] | None
    model: str
    words: str = ""
    logs: bool = False
    doses: tuple[float, ...] = (0.0, 1.0)
    reference: int = 0
    target: str = "all"
    drawn: tuple[int | None, ...] = ()
    subgroup: Group | None = None
    beside: tuple[str, ...] = ()
    draw: CustomOutcome | None = None
    function: CustomAnalysis | None = None
    data: Any = None
    rows: NDArray[np.int64] | None = None
    notes: list[str] = field(default_factory=list)
    synthetic: bool = False
    arriving: Reading | None = None
    recruited: pd.DataFrame | None = None

    def ready(self) -> _core.SimulatedTrial:
        """Make it ready in this process."""
        with rows_of_the_data(self.rows):
            return self._ready()

    def _ready(self) -> _core.SimulatedTrial:
        members = (
            self.arriving.members()
            if self.arriving is not None
            else _core.SimulatedMembers.rows(
                self.unit,
                self.baseline,
                self.covariates,
                self.clusters,
                list(self.drawn),
                self.subgroup,
            )
            if self.sizes is None
            else _core.SimulatedMembers.drawn(list(self.sizes))
        )
        return _core.SimulatedTrial(
            self.design._core(),
            self.units,
            members,
            (self.outcome, list(self.doses)),
            (self.analysis, self.vcov, self.alpha, self.reference, self.target),
            self.seed,
        )

    @property
    def compared(self) -> list[str]:
        """The arms that are compared with the reference."""
        return [arm for i, arm in enumerate(self.design.arms) if i != self.reference]

    @property
    def called(self) -> bool:
        """Whether functions of the user are called."""
        return self.draw is not None or self.function is not None

    def came(self, ready: _core.SimulatedTrial, sims: int) -> Trial:
        """Add what is known of this very trial: notes, and who came where clusters arrive."""
        made = replace(self, notes=[*self.notes, *ready.notes()])
        if self.arriving is None:
            return made
        found = ready.recruited(0, min(sims, _LOOKED_AT)).astype(np.int64)
        names = [*self.design.arms, "members", "refused", "outside"]
        return replace(made, recruited=pd.DataFrame(found, columns=names))

    def run(
        self, ready: _core.SimulatedTrial, effect: float, first: int, end: int
    ) -> _core.Replicates:
        """Run the replicates of these numbers."""
        if self.called:
            return functions.replicates(self, ready, effect, first, end)
        return ready.replicates(first, end, effect)


def read_trial(
    design: Any,
    units: Any,
    outcome: Any,
    analysis: Any,
    seed: int,
    order: str | None,
    reference: str | None = None,
) -> Trial:
    """Read a trial that is to be simulated."""
    if not isinstance(design, Design):
        raise fault(
            DesignError,
            f"the first argument must be a design, not a {type(design).__name__}",
            remedy="Declare it with crewe.Design(...)",
        )
    if not isinstance(outcome, _Outcome):
        raise fault(
            InputError,
            f"a {type(outcome).__name__} does not say how outcomes come about",
            remedy="Give cw.power.BinaryOutcome, ContinuousOutcome, CountOutcome, SurvivalOutcome, or CustomOutcome "
            "with a function",
        )
    model = LinearModel(analysis) if isinstance(analysis, str) else analysis
    if callable(model):
        model = CustomAnalysis(model)
    if not isinstance(model, Analysis):
        raise fault(
            InputError,
            f"a {type(analysis).__name__} is no analysis to simulate",
            remedy='Give a formula such as "~ arm + history", or cw.power.LinearModel(...), LogitModel, CoxModel, LogRank, '
            "RandomisationTest, MannWhitney, Rates, or a function of the frame",
        )
    seeded = design._with_seed(seed)
    clustered = design.cluster is not None
    vcov = model.vcov or model._variances[clustered]
    more = bool(outcome.covariates) or outcome.subgroup is not None
    if isinstance(units, Arrivals):
        made = _of_arrivals(seeded, units, outcome, model, vcov)
    elif isinstance(units, ClusterSizes) and not more:
        made = _of_sizes(seeded, units, outcome, model, vcov)
    elif isinstance(units, ClusterSizes):
        made = _of_frame(seeded, _frame_of(seeded, units), outcome, model, vcov, None)
    else:
        made = _of_frame(seeded, units, outcome, model, vcov, order)
    named = model.called if isinstance(model, CustomAnalysis) else made.model
    parts = outcome._parts(list(design.arms))
    return replace(
        made,
        outcome=outcome._json(parts.largest),
        doses=tuple(parts.doses),
        target=model.target,
        reference=_reference(design, reference),
        model=named,
        analysis=model._json(clustered),
        words=model._text(named, vcov, clustered),
        logs=bool(getattr(model, "compare", None) == "ratio")
        or getattr(model, "statistic", None) == "rate_ratio",
        draw=outcome if isinstance(outcome, CustomOutcome) else None,
        function=model if isinstance(model, CustomAnalysis) else None,
    )


def _of_arrivals(
    design: Design, arrivals: Arrivals, outcome: _Outcome, model: Analysis, vcov: str
) -> Trial:
    reading = read_arrivals(design, arrivals, outcome, model)
    return Trial(
        design=design,
        units=reading.units,
        outcome=outcome._json(),
        analysis=model._name,
        vcov=vcov,
        alpha=model.alpha,
        seed=int(design.seed),  # type: ignore[arg-type]
        sizes=None,
        unit=np.zeros(0, dtype=np.uint32),
        baseline=None,
        covariates=None,
        clusters=None,
        model=reading.model,
        arriving=reading,
    )


def _frame_of(design: Design, sizes: ClusterSizes) -> pd.DataFrame:
    """Make a frame of sizes that are known, a row a member."""
    if sizes.fixed is None or design.method.needs_order:
        raise fault(
            DesignError,
            "covariates and subgroups need a row a member"
            if sizes.fixed is None
            else "clusters that arrive one by one need an order",
            remedy="Give a frame"
            + ("" if sizes.fixed is None else " and order=")
            + ("; the list of the sizes of all clusters will do" if sizes.fixed is None else ""),
        )
    ids = np.array([f"{i:08d}" for i in range(sizes.clusters)], dtype=object)
    return pd.DataFrame({design.id_column: np.repeat(ids, sizes.fixed)})


def _reference(design: Design, reference: str | None) -> int:
    arms = list(design.arms)
    if reference is None:
        return 0
    if reference not in arms:
        raise fault(
            InputError,
            "the reference is none of the arms",
            values=[str(reference)],
            remedy=f"Choose {' or '.join(arms)}",
        )
    return arms.index(reference)


def _needs_data(outcome: _Outcome, model: Analysis) -> bool:
    return isinstance(outcome, CustomOutcome) or isinstance(model, CustomAnalysis)


def _of_sizes(
    design: Design, sizes: ClusterSizes, outcome: _Outcome, model: Analysis, vcov: str
) -> Trial:
    named = [
        *design.strata,
        *design.method.factor_columns,
        *design.method.covariate_columns,
        *([outcome.column] if outcome.column else []),
        *(name for name in parsing.variables(model.right) if name != "arm"),
    ]
    if named:
        raise fault(
            DesignError,
            "sizes alone say nothing of the columns that the trial needs",
            values=list(dict.fromkeys(named)),
            remedy="Pass a frame with a row a member and these columns",
        )
    if "arm" not in parsing.variables(model.right):
        raise _no_arm(model)
    n = sizes.clusters
    # Padded, so that the order of the identifiers is that of the clusters.
    ids = [f"{i:08d}" for i in range(n)]
    codes = np.arange(n, dtype=np.uint32)
    arrival = ("place", np.arange(n, dtype=np.int64)) if design.method.needs_order else None
    units = _core.Units(design._core_unit(), (design.id_column, codes, ids), [], arrival, [], [])
    fixed = sizes.fixed
    if design.cluster is None and (fixed is None or set(fixed) != {1}):
        raise fault(
            DesignError,
            "individuals are randomised, so no unit has several members",
            remedy="Give ClusterSizes(1, clusters=...), the number of individuals",
        )
    data = None
    if _needs_data(outcome, model):
        if fixed is None:
            raise fault(
                DesignError,
                "functions are called with a row a member, and sizes that are drawn have none",
                remedy="Give a frame, or the list of the sizes of all clusters",
            )
        data = pd.DataFrame({design.id_column: np.repeat(np.array(ids, dtype=object), fixed)})
    return Trial(
        design=design,
        units=units,
        outcome=outcome._json(),
        analysis=model._name,
        vcov=vcov,
        alpha=model.alpha,
        seed=int(design.seed),  # type: ignore[arg-type]
        sizes=sizes.weights if fixed is None else None,
        data=data,
        unit=np.repeat(codes, 1 if fixed is None else fixed),
        baseline=None,
        covariates=None,
        clusters=None,
        model=model.right,
    )


def _no_arm(model: Analysis) -> Exception:
    return fault(
        InputError,
        "the formula does not name the arm",
        values=[model.formula],
        remedy='Write it as one of the terms: "~ arm"',
    )


def _of_frame(
    design: Design,
    frame: Any,
    outcome: _Outcome,
    model: Analysis,
    vcov: str,
    order: str | None,
) -> Trial:
    source = Source(frame)
    added = _ADDED
    if isinstance(model, CustomAnalysis):
        added = (*_ADDED, *(("time", "event") if outcome._times else ("outcome",)))
    taken = [name for name in added if name in source.names and name not in design.strata]
    if taken:
        raise fault(
            DesignError,
            "the units already have columns that every simulated draw of the arms adds",
            values=taken,
            remedy="Drop or rename them: a simulation draws its own arms",
        )
    if "arm" not in parsing.variables(model.right):
        raise _no_arm(model)
    design._need_order(order)
    # Any one draw: only the columns beside the arm are taken from it.
    assignment = design.assign(frame, order=order)
    arms = list(design.arms)
    own = source
    stand_ins = beside.add(source, outcome, model)
    if stand_ins:
        frame = source.with_columns(stand_ins)
        source = Source(frame)
    if assignment._left_out:
        # The rows of units that this draw left out are analysed under others.
        units = np.asarray(assignment.check(source).unit)
        some = source.with_columns({"arm": [arms[unit % len(arms)] for unit in units]})
        assignment = design.observe(some, arm="arm", order=order)
        source = Source(some)
    asked = read(source, model.right, design=assignment, strata_terms=model.strata_terms)
    group = outcome.subgroup
    known = group if group is not None and group.share is None else None
    also = [outcome.column, None if known is None else known.name]
    built = asked.model([name for name in also if name is not None])
    columns = built.design
    if not columns.intercept:
        raise fault(
            InputError,
            "a simulated model has an intercept or a baseline",
            values=[model.formula],
            remedy="Leave out - 1 and + 0",
        )
    joined = assignment.check(source)
    drawn = joined.arm[columns.rows]
    rest = beside_arm(columns, np.column_stack([drawn == i for i in range(1, len(arms))]))
    drawn_at = beside.places(
        {name: values[columns.rows] for name, values in stand_ins.items()},
        asked.right,
        columns.names,
        rest,
    )
    baseline = None
    if outcome.column is not None:
        values = designs.column_values(quoted(outcome.column), columns.columns)
        baseline = np.ascontiguousarray(values, dtype=np.float64)
    return Trial(
        design=design,
        units=assignment._units(),
        outcome=outcome._json(),
        analysis=model._name,
        vcov=vcov,
        alpha=model.alpha,
        seed=int(design.seed),  # type: ignore[arg-type]
        sizes=None,
        unit=np.ascontiguousarray(joined.unit[columns.rows], dtype=np.uint32),
        baseline=baseline,
        covariates=np.ascontiguousarray(rest) if rest.shape[1] else None,
        clusters=None if built.codes is None else np.ascontiguousarray(built.codes, np.uint32),
        model=asked.right,
        drawn=tuple(drawn_at),
        beside=(*stand_ins, *([group.name] if group is not None else [])),
        subgroup=None if group is None else _subgroup(group, outcome, columns, list(design.arms)),
        data=own.take(columns.rows.tolist()).native() if _needs_data(outcome, model) else None,
        rows=columns.rows,
        notes=[columns.dropped.note()] if columns.dropped.n else [],
        synthetic=asked.synthetic,
    )


def _subgroup(
    group: Subgroup, outcome: _Outcome, columns: designs.Design, arms: list[str]
) -> Group:
    """Read who is in a subgroup, where that is known."""
    member = None
    if group.share is None:
        values = designs.column_values(quoted(group.name), columns.columns)
        wrong = np.flatnonzero(~np.isin(values, (0, 1)))
        if len(wrong):
            raise fault(
                InputError,
                "a subgroup's column says with 1 or 0 who is in it",
                column=group.name,
                rows=columns.rows[wrong].tolist(),
                remedy="Give numbers or True and False",
            )
        member = np.ascontiguousarray(values == 1)
    parts = outcome._parts(arms)
    return (group.share or 0.0, group.level == "cluster", member, (parts.shares, parts.inside))

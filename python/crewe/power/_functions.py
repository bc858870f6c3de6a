"""Outcomes and analyses that are functions of the user, replicate by replicate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import (
    ConvergenceError,
    CreweError,
    InputError,
    RankError,
    SeparationError,
    fault,
    from_signal,
)
from crewe.frames.arguments import checked
from crewe.frames.source import Source
from crewe.power._analyses import Analysis
from crewe.power._outcomes import _Outcome, effects

if TYPE_CHECKING:
    from crewe.power._trial import Trial

Matrix = NDArray[np.float64]

_BATCH = 128
"""Replicates whose outcomes are held at a time."""

_ANSWER = ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high")

# The places of these states among those of the core.
_ANSWERED, _, _UNDEFINED, _NOT_FITTED = range(4)


def _called(function: Any) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


def _need_function(function: Any, takes: str) -> None:
    if not callable(function):
        raise fault(
            InputError,
            f"a {type(function).__name__} cannot be called",
            remedy=f"Pass a function of {takes}",
        )


@dataclass(frozen=True, init=False)
class CustomOutcome(_Outcome):
    """An outcome that a function of yours draws.

    Parameters
    ----------
    draw : callable of (units, arm, effect, rng)
        It returns an outcome for every row of `units`, NaN where one is lost; with `times` the times
        and whether the event came, two arrays. `units` is the frame of the trial, `arm` an array with
        the arm of every row (None for units that were left out), `effect` an array with the effect on
        every row, 0 in the control arm, and `rng` the replicate's own ``numpy.random.Generator``:
        nothing else may be random. An instance of a class with ``__call__`` serves too. For processes
        it must be defined in a module.
    effect : float or mapping, optional
        The effect, on the scale of the estimate (for a hazard ratio its logarithm); as for
        :class:`BinaryOutcome`.
    times : bool
        Whether it is a time to an event.

    Notes
    -----
    Replicate i gets ``numpy.random.default_rng([seed, i])``, with an effect and without one.

    Examples
    --------
    >>> import crewe as cw
    >>> def score(units, arm, effect, rng):
    ...     return effect + rng.standard_t(4, len(units))
    >>> heavy = cw.power.CustomOutcome(score, effect=0.5)
    >>> design = cw.Design("Trial", arms={"control": 1, "crewe": 1}, unit="id")
    >>> people = cw.power.ClusterSizes(1, clusters=100)
    >>> found = cw.power.simulate(design, people, heavy, sims=200, seed=1)
    >>> 0.2 < found.power < 0.8
    True
    """

    draw: Callable[..., Any]
    times: bool

    @checked
    def __init__(
        self,
        draw: Callable[..., Any],
        *,
        effect: float | Mapping[str, float] | None = None,
        times: bool = False,
    ) -> None:
        _need_function(draw, "(units, arm, effect, rng)")
        put = object.__setattr__
        put(self, "baseline", 0.0)
        put(self, "draw", draw)
        put(self, "effect", effects(effect))
        put(self, "times", bool(times))
        put(self, "covariates", ())
        put(self, "subgroup", None)

    def _treated(self, effect: float) -> float | None:
        return None

    @property
    def _times(self) -> bool:
        return self.times

    def _options(self) -> dict[str, Any]:
        return {"times": self.times}

    @property
    def _name(self) -> str:
        return "given"

    def describe(self) -> str:
        """Say in words how outcomes come about."""
        return f"drawn by the function {_called(self.draw)}"


@dataclass(frozen=True, init=False)
class CustomAnalysis(Analysis):
    """The planned analysis as a function of yours.

    Parameters
    ----------
    function : callable of (frame)
        `frame` is that of the trial with the columns `arm` and `outcome` (of times `time` and `event`),
        as the same kind of frame, without units that were left out. It returns an estimate with its
        standard error and p-value, and optionally the two ends of an interval: three or five numbers, or
        a mapping, a row of ``tidy()`` or a result with some of ``estimate``, ``std_error``, ``df``,
        ``p_value``, ``conf_low``, ``conf_high``, the p-value among them. None, or a p-value that is NaN,
        is no answer, and neither is a model of this package that refuses: these count as not rejecting.
    alpha : float
        The two-sided level of the test. Intervals are those of the function; where it gives none, they
        follow from standard error and `df` (the normal law without one).

    Notes
    -----
    A test by randomisation has its seed in the function, or every run gives another answer.

    Examples
    --------
    >>> import crewe as cw
    >>> def ranks(frame):
    ...     return cw.mann_whitney("outcome ~ arm", frame)
    >>> design = cw.Design("Trial", arms={"control": 1, "crewe": 1}, unit="id")
    >>> people = cw.power.ClusterSizes(1, clusters=60)
    >>> score = cw.power.ContinuousOutcome(effect=0.8, icc=0)
    >>> planned = cw.power.CustomAnalysis(ranks)
    >>> found = cw.power.simulate(design, people, score, planned, sims=100, seed=1)
    >>> 0.6 < found.power
    True
    """

    function: Callable[..., Any]

    _name = "given"
    _words = "the function {model}"

    @checked
    def __init__(self, function: Callable[..., Any], *, alpha: float = 0.05) -> None:
        _need_function(function, "(frame)")
        super().__init__("~ arm", alpha=alpha, strata_terms=False)
        object.__setattr__(self, "function", function)

    @property
    def called(self) -> str:
        """What the function is called."""
        return _called(self.function)


def replicates(
    trial: Trial, ready: _core.SimulatedTrial, effect: float, first: int, end: int
) -> _core.Replicates:
    """Run replicates of a trial whose outcomes or analysis are functions."""
    made = []
    for start in range(first, end, _BATCH):
        stop = min(end, start + _BATCH)
        arms = ready.arms(start, stop)
        beside: list[Matrix] = []
        if trial.draw is None:
            y, event, beside = ready.outcomes(start, stop, effect)
        else:
            y, event = _drawn(trial, trial.draw, arms, effect, start)
        if trial.function is None:
            made.append(ready.fitted(start, y, event))
        else:
            made.append(_analysed(trial, trial.function, arms, (y, event, beside), start))
    return _core.Replicates.joined(made)


def _names(trial: Trial) -> NDArray[Any]:
    names = np.empty(256, dtype=object)
    names[: len(trial.design.arms)] = list(trial.design.arms)
    return names


def _drawn(
    trial: Trial, outcome: CustomOutcome, arms: NDArray[np.uint8], effect: float, first: int
) -> tuple[Matrix, Matrix | None]:
    """Call the function that draws outcomes for the replicates from `first` on."""
    names, doses = _names(trial), np.zeros(256)
    doses[: len(trial.doses)] = trial.doses
    y = np.empty((len(arms), len(trial.unit)))
    event = np.empty_like(y) if outcome.times else None
    for i, row in enumerate(arms):
        of_row = row[trial.unit]
        rng = np.random.default_rng([trial.seed, first + i])
        said = _call(
            "the outcome",
            outcome.draw,
            (trial.data, names[of_row], effect * doses[of_row], rng),
            first + i,
        )
        if event is None:
            y[i] = _column(said, len(trial.unit), "the outcome", first + i)
            continue
        if not isinstance(said, Sequence) or len(said) != 2:
            raise _wrong("the outcome", first + i, "did not return times and events, two arrays")
        y[i], event[i] = (_column(part, len(trial.unit), "the outcome", first + i) for part in said)
        known = ~np.isnan(y[i])
        if (y[i][known] < 0).any() or not np.isin(event[i][known], (0, 1)).all():
            raise _wrong(
                "the outcome", first + i, "returned times below 0 or events that are not 0 or 1"
            )
    return y, event


def _column(values: Any, n: int, what: str, number: int) -> Matrix:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise _wrong(what, number, "returned what are no numbers") from None
    if found.shape != (n,):
        raise _wrong(what, number, f"returned an array of shape {found.shape} for {n} rows")
    if np.isinf(found).any():
        raise _wrong(what, number, "returned infinite numbers")
    return found


def _analysed(
    trial: Trial,
    analysis: CustomAnalysis,
    arms: NDArray[np.uint8],
    outcomes: tuple[Matrix, Matrix | None, list[Matrix]],
    first: int,
) -> _core.Replicates:
    """Call the function that analyses, for the replicates from `first` on."""
    source, names = Source(trial.data), _names(trial)
    found = np.full((len(arms), len(_ANSWER)), np.nan)
    status = np.full(len(arms), _UNDEFINED, dtype=np.uint8)
    y, event, beside = outcomes
    for i, row in enumerate(arms):
        of_row = row[trial.unit]
        columns: dict[str, Any] = {"arm": names[of_row]}
        if event is None:
            columns["outcome"] = y[i]
        else:
            columns.update(time=y[i], event=event[i])
        columns.update({name: part[i] for name, part in zip(trial.beside, beside, strict=False)})
        frame = source.with_columns(columns)
        if (of_row >= len(trial.design.arms)).any():
            frame = (
                Source(frame)
                .take(np.flatnonzero(of_row < len(trial.design.arms)).tolist())
                .native()
            )
        try:
            said = _call("the analysis", analysis.function, (frame,), first + i)
        except (ConvergenceError, RankError, SeparationError):
            # A model that cannot be fitted to these data, as it may happen in the trial.
            status[i] = _NOT_FITTED
            continue
        found[i] = _answer(said, first + i)
        if not np.isnan(found[i, 3]):
            status[i] = _ANSWERED
    found[np.isnan(found[:, 2]), 2] = np.inf
    own = ~np.isnan(found[:, 4:]).all()
    columns_found = [np.ascontiguousarray(column) for column in found.T[: 6 if own else 4]]
    return _core.Replicates.restore(columns_found, status, 1)


def _answer(said: Any, number: int) -> list[float]:
    """Read what an analysis returned."""
    given: dict[str, Any] = {}
    if said is None:
        return [np.nan] * len(_ANSWER)
    if hasattr(said, "keys") and hasattr(said, "__getitem__"):
        given = {name: said[name] for name in _ANSWER if name in said.keys()}  # noqa: SIM118 (a Series holds values)
    elif isinstance(said, Sequence | np.ndarray) and not isinstance(said, str):
        names = ("estimate", "std_error", "p_value", "conf_low", "conf_high")
        given = dict(zip(names, said, strict=False)) if len(said) in (3, 5) else {}
    else:
        given = {name: getattr(said, name) for name in _ANSWER if hasattr(said, name)}
        both: Any = getattr(said, "conf_int", None)
        if "conf_low" not in given and both is not None:
            given["conf_low"], given["conf_high"] = both
    if "p_value" not in given:
        raise _wrong(
            "the analysis", number, f"returned a {type(said).__name__} that holds no p_value"
        )
    try:
        read = [np.nan if (x := given.get(name)) is None else float(x) for name in _ANSWER]
    except (TypeError, ValueError):
        raise _wrong("the analysis", number, "returned what are no numbers") from None
    if not (np.isnan(read[3]) or 0 <= read[3] <= 1):
        raise _wrong("the analysis", number, f"returned a p-value of {read[3]:g}")
    return read


def _call(what: str, function: Callable[..., Any], given: tuple[Any, ...], number: int) -> Any:
    """Call a function of the user; what it raises names the replicate."""
    try:
        return function(*given)
    except (ConvergenceError, RankError, SeparationError):
        raise
    except Exception as error:
        raised = from_signal(error)
        if raised is not None:
            raise raised from None
        said = error.problem if isinstance(error, CreweError) else str(error)
        raise _wrong(what, number, f"raised {type(error).__name__}: {said}") from error


def _wrong(what: str, number: int, said: str) -> CreweError:
    return fault(
        InputError,
        f"the function of {what} {said}, in replicate {number}",
        values=[f"replicate {number}"],
        remedy=f"Mend the function; sims={number + 1} with the same seed comes to this replicate last",
    )


__all__ = ["CustomAnalysis", "CustomOutcome", "replicates"]

"""Power and smallest detectable effects by replaying the trial."""

from __future__ import annotations

from concurrent.futures import Executor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.parallel import spread
from crewe.power._analyses import Analysis, LinearModel
from crewe.power._outcomes import _Outcome
from crewe.power._quantities import Direction, real, whole
from crewe.power._simulated import Measure, SimulatedEffect, SimulatedPower
from crewe.power._sizes import ClusterSizes
from crewe.power._trial import Trial, read_trial

_LEAST = 250
"""The fewest replicates that are worth sending to a worker."""

_MANY = 8192
"""So many that the threads of one process share them without waiting for each other."""


_LEAST_CALLS = 8
"""The fewest where functions of the user are called."""


def _run(trial: Trial, effect: float, first: int, end: int) -> _core.Replicates:
    """Run a part of the replicates, in whatever process this is."""
    return trial.run(trial.ready(), effect, first, end)


def _rejections(trial: Trial, effect: float, detect: str, first: int, end: int) -> int:
    """Count those of a part that reject no effect."""
    return _run(trial, effect, first, end).rejections(trial.alpha, detect)


def _least(trial: Trial, executor: Executor | None) -> int:
    if trial.called:
        return _LEAST_CALLS
    return _MANY if executor is None else _LEAST


def _sims(sims: Any) -> int:
    n = whole("sims", sims, "Give for instance sims=2_000")
    if not 1 <= n <= 10**9:
        raise fault(
            InputError,
            "the number of simulations must be at least 1 and at most a billion",
            values=[str(n)],
            remedy="Give for instance sims=2_000",
        )
    return n


def _seed(seed: int | None) -> int:
    found = _core.system_seed() if seed is None else _core.read_seed(seed)
    if not isinstance(found, int):
        raise fault(
            InputError,
            "the seed of a simulation is a whole number: there is nothing to conceal",
            remedy="Give for instance seed=1",
        )
    return found


@checked
def simulate(
    design: Any,
    units: Any,
    outcome: Any,
    analysis: str | Analysis = "~ arm",
    sims: int = 2_000,
    seed: int | None = None,
    executor: Executor | None = None,
    *,
    order: str | None = None,
    reference: str | None = None,
    size: bool = True,
) -> SimulatedPower:
    r"""Find the power of a trial by replaying it.

    In every replicate the declared procedure is drawn anew on the real units, within its strata and
    whole clusters at a time; outcomes come about as `outcome` says; and the planned analysis is
    made. Replicate i depends on the seed and on i only, so results are the same to the bit on any
    number of threads, and with any executor.

    Parameters
    ----------
    design : Design
        The trial. Its seed is not used.
    units : data frame, ClusterSizes or Arrivals
        The units to be randomised, a row a member (a child of a family), with the columns that
        strata, procedure and analysis name; or sizes alone (:class:`ClusterSizes`); or clusters that
        arrive one by one (:class:`Arrivals`).
    outcome : BinaryOutcome, ContinuousOutcome, CountOutcome, SurvivalOutcome or CustomOutcome
        How outcomes come about; a function of yours in a :class:`CustomOutcome`.
    analysis : str, Analysis or callable
        The planned analysis: :class:`LinearModel`, :class:`LogitModel`, :class:`CoxModel`,
        :class:`LogRank`, :class:`RandomisationTest`, :class:`MannWhitney`, :class:`Rates` or
        :class:`CustomAnalysis`. Models have terms for the strata. A formula stands for
        ``LinearModel(formula)``, a function of the frame for ``CustomAnalysis(function)``; times to an
        event need :class:`CoxModel` or :class:`LogRank`.
    sims : int
        The number of replicates.
    seed : int, optional
        Of all random numbers; by default one from the operating system, which the result reports.
    executor : concurrent.futures.Executor, optional
        What shares the replicates among processes or machines. By default this process's threads.
    order : str, optional
        The column with the order of arrival, for sequential procedures.
    reference : str, optional
        The arm that every other is compared with; by default the first.
    size : bool
        Whether the same replicates are also run without an effect, for the size of the test.

    Returns
    -------
    SimulatedPower
        With more than two arms one for every arm in `arms`, and the power to find any and all.

    Raises
    ------
    InputError
        Rates outside 0 to 1, an effect that is missing or leaves the range, a correlation that
        clusters of these sizes cannot have, unknown columns; a function that raised, which names the
        replicate.
    DesignError
        Fewer than two units an arm, a design that the units cannot meet.
    CreweError
        An executor whose workers died; it names the replicates that were done.

    Notes
    -----
    Replicates without an answer (an arm with fewer than two units, nobody with the outcome) count as
    not rejecting. Shares have Wilson's 95% interval for the error of the simulation, means the
    normal one. Type S is the share of significant estimates with the wrong sign, type M the mean of
    their size over that of the effect (Gelman and Carlin 2014, doi:10.1177/1745691614551642).

    Examples
    --------
    >>> import crewe as cw
    >>> design = cw.Design("Trial", arms={"control": 1, "crewe": 2}, cluster="family_id")
    >>> families = cw.power.ClusterSizes({1: 0.34, 2: 0.28, 3: 0.18, 4: 0.2}, clusters=132)
    >>> closed = cw.power.BinaryOutcome(baseline=0.226, effect=0.2, icc=0.36)
    >>> found = cw.power.simulate(design, families, closed, sims=500, seed=1)
    >>> 0.5 < found.power < 0.95, found.coverage > 0.9
    (True, True)
    """
    n, seed = _sims(sims), _seed(seed)
    trial = read_trial(design, units, outcome, analysis, seed, order, reference)
    known: _Outcome = outcome
    group = known.subgroup
    if known.effect is None or (group is not None and group.effect is None):
        raise fault(
            InputError,
            "the outcome has no effect to be simulated",
            remedy="Give effect=, 0 for none, or ask cw.power.mdes for the smallest that is found",
        )
    # Whatever is wrong is said here and not by a worker.
    ready = trial.ready()
    trial = trial.came(ready, n)
    shift = known._parts(list(trial.design.arms)).largest

    def run(effect: float) -> _core.Replicates:
        if executor is None:
            part = partial(trial.run, ready, effect)
            return _core.Replicates.joined(spread(None, part, n, _least(trial, None)))
        part = partial(_run, trial, effect)
        return _core.Replicates.joined(spread(executor, part, n, _least(trial, executor)))

    found = run(shift)
    null = run(0.0) if size and shift != 0 else None
    null = found if shift == 0 else null
    each = {}
    truths = zip(trial.compared, ready.effects(shift), ready.estimands(shift), strict=True)
    for i, (arm, effect, estimand) in enumerate(truths):
        replicates = found.of(i)
        diagnosed = replicates.diagnose(estimand, trial.alpha)
        measures = {name: Measure.of(measure) for name, measure in diagnosed.measures}
        if null is not None:
            measures["size"] = Measure.of(null.share(trial.alpha, str(i)))
        each[arm] = SimulatedPower(
            measures=measures,
            effect=known._of_shift(effect),
            outcome=known,
            trial=trial,
            sims=n,
            seed=seed,
            replicates=_frame(replicates),
            unanswered=dict(diagnosed.unanswered),
            estimand=estimand,
        )
    if len(each) == 1:
        return next(iter(each.values()))
    together = {"power_any": "any", "power_all": "all"}
    measures = {name: Measure.of(found.share(trial.alpha, word)) for name, word in together.items()}
    if null is not None:
        measures["size_any"] = Measure.of(null.share(trial.alpha, "any"))
    return SimulatedPower(
        measures=measures,
        effect=None,
        outcome=known,
        trial=trial,
        sims=n,
        seed=seed,
        replicates=pd.concat({arm: one.replicates for arm, one in each.items()}, axis=1),
        unanswered={},
        arms=each,
    )


def _frame(replicates: _core.Replicates) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "estimate": replicates.estimate,
            "std_error": replicates.std_error,
            "df": replicates.df,
            "p_value": replicates.p_value,
            "status": pd.Categorical.from_codes(replicates.status, replicates.states()),
        }
    )


def _detected(trial: Trial, detect: str | None) -> str:
    """Say what counts as found, in the core's words."""
    arms = trial.compared
    if detect is None and len(arms) > 1:
        raise fault(
            InputError,
            "a trial of several arms detects one of them, any or all",
            remedy=f'Give detect="any", "all" or one of {", ".join(arms)}',
        )
    if detect is None or detect in arms:
        return "0" if detect is None else str(arms.index(detect))
    if detect in ("any", "all"):
        return detect
    raise fault(
        InputError,
        "what is to be detected is none of the arms",
        values=[str(detect)],
        remedy=f'Give "any", "all" or one of {", ".join(arms)}',
    )


@checked
def mdes(
    design: Any,
    units: Any,
    outcome: Any,
    analysis: str | Analysis = "~ arm",
    power: float = 0.8,
    sims: int = 2_000,
    seed: int | None = None,
    executor: Executor | None = None,
    *,
    direction: Direction = "rise",
    order: str | None = None,
    reference: str | None = None,
    detect: str | None = None,
) -> SimulatedEffect:
    """Find the smallest effect that a trial detects with a given power, by replaying it.

    Every effect that is tried meets the same draws of the arms and the same random numbers, so that
    the noise of the simulation does not enter the search.

    Parameters
    ----------
    design, units, outcome, analysis, seed, executor, order, reference : Any
        As for :func:`simulate`. The effect of `outcome` is not used, and it needs none; where it gives
        each arm its own, effects stay in these proportions, and the largest is solved for; so do those
        of a subgroup and the others, and the effect is that of the analysis' target.
    power : float
        The power asked for.
    sims : int
        The number of replicates under each effect.
    direction : {"rise", "fall"}
        Where the effect is sought.
    detect : str, optional
        With more than two arms: the arm that is to be found to differ from the reference, ``"any"`` or
        ``"all"`` of them. An arm of such a name comes first.

    Returns
    -------
    SimulatedEffect
        The effect, with the interval that the error of the simulation gives it; None where the
        power is unattainable.

    Raises
    ------
    InputError, DesignError
        As :func:`simulate`; for a power that is not between the level and 1.

    Examples
    --------
    >>> import crewe as cw
    >>> design = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family_id")
    >>> families = cw.power.ClusterSizes(3, clusters=286)
    >>> closed = cw.power.BinaryOutcome(baseline=0.226, icc=0.36)
    >>> found = cw.power.mdes(design, families, closed, sims=1_000, seed=1)
    >>> 0.10 < found.effect < 0.125
    True
    """
    n, seed = _sims(sims), _seed(seed)
    if direction not in ("rise", "fall"):
        raise fault(
            InputError,
            "the direction of an effect is a rise or a fall",
            values=[str(direction)],
            remedy='Give direction="rise" or "fall"',
        )
    trial = read_trial(design, units, outcome, analysis, seed, order, reference)
    ready = trial.ready()
    trial = trial.came(ready, n)
    word = _detected(trial, detect)

    def rejections(effect: float, sims: int) -> int:
        least = _least(trial, executor)
        if executor is None:
            made = spread(None, partial(trial.run, ready, effect), sims, least)
            return sum(part.rejections(trial.alpha, word) for part in made)
        return sum(spread(executor, partial(_rejections, trial, effect, word), sims, least))

    ask = None if executor is None and not trial.called else rejections
    found = ready.mdes(real("power", power), n, direction == "fall", word, ask)
    attainable = not np.isnan(found.effect)
    known: _Outcome = outcome

    # What the target of the analysis has of the effect that was sought.
    parts = ready.effects(1.0)
    part = 1.0
    if known.subgroup is not None:
        part = parts[int(word)] if word.isdigit() else max(parts, key=abs)

    def of(shift: float | None) -> float | None:
        return None if shift is None or np.isnan(shift) else known._of_shift(part * shift)

    return SimulatedEffect(
        effect=of(found.effect),
        conf_low=of(found.low),
        conf_high=of(found.high),
        achieved=Measure.of(found.power),
        target=real("power", power),
        ceiling=None if attainable else found.power.value,
        ceiling_at=None if attainable else of(found.ceiling_at),
        direction=direction,
        detect=None if len(trial.compared) == 1 else detect,
        outcome=outcome,
        trial=trial,
        sims=n,
        seed=seed,
        tried=pd.DataFrame(
            {
                "effect": [known._of_shift(part * shift) for shift in found.tried_effect],
                "power": found.tried_power,
            }
        ),
    )


__all__ = ["ClusterSizes", "LinearModel", "mdes", "simulate"]

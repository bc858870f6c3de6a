"""What fits say of an arm, as the inputs of a cost-benefit analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.comparisons.rates import RateComparison
from crewe.cost._declare import Input, stated, text_of
from crewe.exceptions import DesignError, InputError, fault
from crewe.models.linear import Linear
from crewe.models.margins import Margins
from crewe.survival import RestrictedMean

_PLACES = 8
"""Decimals of an estimate that enter exact arithmetic: a hundredth of a penny in a million pounds."""


@dataclass(frozen=True)
class Estimated:
    """An arm's share of what one fit estimated together.

    Attributes
    ----------
    label : str
        The measure.
    estimate, df : tuple of float
        The estimates and their degrees of freedom.
    cov : array
        Their covariance.
    weights : tuple of float
        The sum of estimates that the arm's figure is.
    """

    label: str
    estimate: tuple[float, ...]
    cov: NDArray[np.float64] = field(compare=False)
    df: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def value(self) -> float:
        """The arm's figure."""
        return float(np.dot(self.estimate, self.weights))

    def times(self, scale: float) -> Estimated:
        """Give a multiple of it."""
        return replace(self, weights=tuple(scale * weight for weight in self.weights))

    def joint(self) -> _core.CostJoint:
        """Give what is drawn together as the core takes it."""
        return _core.CostJoint(self.label, self.estimate, self.cov, self.df)


@dataclass(frozen=True)
class Counted:
    """An arm's rate, from its counts."""

    events: int
    of: int
    scale: float = 1.0

    @property
    def value(self) -> float:
        """The arm's figure."""
        return self.scale * self.events / self.of

    def times(self, scale: float) -> Counted:
        """Give a multiple of it."""
        return replace(self, scale=scale * self.scale)


def with_estimates(
    inputs: list[Input], fits: Mapping[str, Any], arms: Mapping[str, str]
) -> tuple[list[Input], dict[str, Estimated | Counted]]:
    """Put what fits say in the place of the inputs of their measures.

    Returns
    -------
    list of Input, dict
        The inputs, and by name what those are drawn from that a fit estimated.
    """
    for name, given in (("fits", fits), ("arms", arms)):
        if not isinstance(given, Mapping):
            raise fault(
                InputError,
                f"{name}= takes a mapping, and not a {type(given).__name__}",
                remedy="Write fits={'closure': fit} and arms={'PC': 'crewe'}",
            )
    known = {item.measure for item in inputs if item.measure}
    unknown = [str(name) for name in fits if name not in known]
    if unknown:
        raise fault(
            InputError,
            f"no input has the measure '{unknown[0]}'",
            remedy=f"The measures are {', '.join(sorted(known))}"
            if known
            else "Say of an input what a fit may give in its place, as measure='closure' with arm='PC'",
        )
    _refuse_other_trials(fits)
    out: list[Input] = []
    drawn: dict[str, Estimated | Counted] = {}
    for item in inputs:
        if item.measure not in fits:
            out.append(item)
            continue
        found = _of(fits[item.measure], item, arms.get(item.arm, item.arm), list(arms.values()))
        scale = float(item.of.replace(",", "")) if item.of and not item.events else 1.0
        plain = replace(
            stated(item),
            note="",
            source=f"{type(fits[item.measure]).__name__} of {item.measure}",
        )
        drawn[item.name] = found.times(scale)
        out.append(replace(plain, value=text_of(round(drawn[item.name].value, _PLACES))))
    return out, drawn


def _refuse_other_trials(fits: Mapping[str, Any]) -> None:
    marks = {name: getattr(fit, "mark", "") for name, fit in fits.items()}
    trials = sorted({mark for mark in marks.values() if mark})
    if len(trials) > 1:
        raise fault(
            DesignError,
            "the fits are of different trials",
            values=[f"{name}: {mark}" for name, mark in marks.items() if mark],
            remedy="Fit all of them with the same design=",
        )


def _of(fit: Any, item: Input, label: str, labels: list[str]) -> Estimated | Counted:
    if isinstance(fit, RateComparison):
        _need_arm(label, list(fit.arms), item)
        at = list(fit.arms).index(label)
        return Counted(int(fit.events[at]), int(fit.totals[at]))
    if isinstance(fit, RestrictedMean):
        _need_arm(label, fit.groups, item)
        _need_unit(fit.time_name, item)
        return Estimated(
            item.measure,
            tuple(float(mean) for mean in fit._means["estimate"]),
            fit.cov,
            tuple(float(df) for df in fit._means["df"]),
            tuple(float(group == label) for group in fit.groups),
        )
    if isinstance(fit, Linear):
        fit = fit.margins(_term(fit, labels or [label], item))
    if isinstance(fit, Margins):
        return _of_margins(fit, item, label)
    raise fault(
        InputError,
        f"a {type(fit).__name__} gives no {item.measure} by arm",
        remedy="Pass a fit, its margins, cw.compare_rates(...) or cw.rmst(...)",
    )


def _need_arm(label: str, known: list[str], item: Input) -> None:
    if label not in known:
        raise fault(
            InputError,
            f"the fit of '{item.measure}' has no arm '{label}'",
            values=known,
            remedy=f"Say which arm of the data is '{item.arm}', as arms={{'{item.arm}': '{known[0]}'}}",
        )


def _need_unit(time_name: str, item: Input) -> None:
    """Refuse times whose column is called by another unit than the input's."""
    units = ("days", "weeks", "months", "years")
    if item.unit in units and time_name.lower() in units and time_name.lower() != item.unit:
        raise fault(
            InputError,
            f"'{item.name}' is in {item.unit}, and the times of the fit are in {time_name}",
            remedy="Take the times in that unit, such as Surv(days / 7, closed) for weeks",
        )


def _term(fit: Linear, labels: list[str], item: Input) -> str:
    """Find the variable that holds the arms."""
    design = fit._needs_data().design
    names = [] if design is None else design.variables
    for name in names:
        levels = design.columns[name].levels if design is not None else None
        if levels is not None and set(labels) <= {str(level) for level in levels}:
            return name
    raise fault(
        InputError,
        f"no variable of the fit of '{item.measure}' has the arms {', '.join(labels)}",
        values=names,
        remedy="Say which arm of the data is which as arms=, or pass the margins, as fit.margins('arm')",
    )


def _of_margins(found: Margins, item: Input, label: str) -> Estimated:
    levels, contrasts = found._levels, found._contrasts
    names = [str(name) for name in levels["level"]]
    _need_arm(label, names, item)
    if found.compare != "difference" or found.by is not None or len(names) != 2:
        raise fault(
            InputError,
            f"the margins of '{item.measure}' are not two arms and their difference",
            values=names,
            remedy="Take margins of the arm alone, compared by differences, of two arms",
        )
    # The effect has its own degrees of freedom, so the level of the reference and the effect are what is drawn.
    first, second = (float(se) ** 2 for se in levels["std_error"])
    between = float(contrasts["std_error"][0]) ** 2
    shared = (second - first - between) / 2
    return Estimated(
        item.measure,
        (float(levels["estimate"][0]), float(contrasts["estimate"][0])),
        np.array([[first, shared], [shared, between]]),
        (float(levels["df"][0]), float(contrasts["df"][0])),
        (1.0, float(label == names[1])),
    )

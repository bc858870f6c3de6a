"""Arms compared by cost and effect: incremental ratio, acceptability, value of information, tornado."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.cost._prices import MONEY
from crewe.cost._trace import money
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import check_methods
from crewe.frames.source import build
from crewe.tables.display import Table
from crewe.tables.printable import Printable

if TYPE_CHECKING:
    from crewe.cost._psa import Sensitivity

Floats = NDArray[np.float64]

QUADRANTS = (
    "dearer and better",
    "dearer and not better",
    "cheaper and not better",
    "cheaper and better",
)
"""The quadrants of the plane, in the order in which the core counts draws."""


@dataclass(repr=False)
class Decision(Printable):
    """Arms compared by cost and effect; made by :meth:`Sensitivity.decision`.

    Attributes
    ----------
    arms : list of str
        The arms, the reference first.
    effect : str
        What an effect is.
    willingness : array (k,)
        What an effect is worth.
    lifetime : bool
        Whether savings over a lifetime are counted.
    """

    arms: list[str]
    effect: str
    willingness: Floats
    lifetime: bool
    level: float
    sensitivity: Sensitivity = field(repr=False)
    _found: _core.CostDecision = field(repr=False)
    _increments: list[tuple[Floats, Floats]] = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return decision, (self.sensitivity, self.willingness, self.lifetime, self.level)

    @property
    def icer(self) -> dict[str, float]:
        """By arm but the reference: mean difference in cost over mean difference in effect; NaN where effects do not differ."""
        return dict(zip(self.arms[1:], self._found.icer.tolist(), strict=True))

    def increments(self) -> Any:
        """Give one row an arm but the reference.

        Columns: `arm, cost, cost_low, cost_high, effect, effect_low, effect_high, icer`, and the shares of draws
        `dearer_better, dearer_worse, cheaper_worse, cheaper_better`.
        """
        cost, effect, shares = (
            self._found.cost_difference,
            self._found.effect_difference,
            self._found.quadrants,
        )
        implementation, lazy = self.sensitivity.analysis._kind
        return build(
            {
                "arm": self.arms[1:],
                **{f"cost{end}": cost[:, i] for i, end in enumerate(("", "_low", "_high"))},
                **{f"effect{end}": effect[:, i] for i, end in enumerate(("", "_low", "_high"))},
                "icer": self._found.icer,
                "dearer_better": shares[:, 0],
                "dearer_worse": shares[:, 1],
                "cheaper_worse": shares[:, 2],
                "cheaper_better": shares[:, 3],
            },
            implementation,
            lazy=lazy,
            synthetic=self.sensitivity.analysis.synthetic,
        )

    def tidy(self) -> Any:
        """Give a row an arm and willingness to pay.

        Columns: `willingness, arm, net_benefit, probability` (the share of draws in which the arm is best), `difference,
        conf_low, conf_high` (net benefit less the reference's), `evpi, evpi_se` (the expected value of perfect information, a
        case, with its Monte Carlo standard error).
        """
        found = self._found
        k, arms = len(self.willingness), len(self.arms)
        difference = np.full((k, arms, 3), np.nan)
        for j, table in enumerate(found.incremental, start=1):
            difference[:, j] = table
        implementation, lazy = self.sensitivity.analysis._kind
        return build(
            {
                "willingness": np.repeat(self.willingness, arms),
                "arm": self.arms * k,
                "net_benefit": found.net_benefit.ravel(),
                "probability": found.probability.ravel(),
                "difference": difference[:, :, 0].ravel(),
                "conf_low": difference[:, :, 1].ravel(),
                "conf_high": difference[:, :, 2].ravel(),
                "evpi": np.repeat(found.evpi, arms),
                "evpi_se": np.repeat(found.evpi_se, arms),
            },
            implementation,
            lazy=lazy,
            synthetic=self.sensitivity.analysis.synthetic,
        )

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        counted = "with" if self.lifetime else "without"
        return [
            *self.sensitivity.methods(),
            f"Arms were compared with {self.arms[0]} {counted} savings over a lifetime; the effect is {self.effect}. The "
            "incremental ratio is the mean difference in cost over the mean difference in effect.",
        ]

    def _ratio(self, i: int) -> str:
        cost, effect = (
            float(self._found.cost_difference[i, 0]),
            float(self._found.effect_difference[i, 0]),
        )
        if cost <= 0 < effect:
            return "dominates"
        if effect < 0 <= cost:
            return "is dominated"
        ratio = float(self._found.icer[i])
        return "–" if np.isnan(ratio) else pounds(ratio)

    def _panels(self) -> list[Table]:
        found = self._found
        percent = f"{100 * self.level:g}%"
        title = self.sensitivity.analysis.caption
        counted = (
            "with savings over a lifetime" if self.lifetime else "without savings over a lifetime"
        )
        rows = []
        for i, arm in enumerate(self.arms[1:]):
            cost, effect = found.cost_difference[i], found.effect_difference[i]
            shares = [
                f"{name} {share:.0%}"
                for name, share in zip(QUADRANTS, found.quadrants[i], strict=True)
            ]
            rows.append(
                [
                    f"{arm} − {self.arms[0]}",
                    f"{pounds(cost[0])} ({pounds(cost[1])} to {pounds(cost[2])})",
                    f"{effect[0]:.3f} ({effect[1]:.3f} to {effect[2]:.3f})",
                    self._ratio(i),
                    ", ".join(shares),
                ]
            )
        first = Table(
            ["", f"cost ({percent})", f"effect ({percent})", "cost an effect", "draws"],
            rows,
            title=f"{title}: cost and effect, {counted}",
            align="lrrrl",
        )
        # A long range is printed at a few of its values.
        shown = np.unique(np.linspace(0, len(self.willingness) - 1, 9).round().astype(int))
        table = []
        for j in shown:
            table.append(
                [
                    pounds(float(self.willingness[j])),
                    *[pounds(float(value)) for value in found.net_benefit[j]],
                    *[
                        f"{pounds(row[j, 0])} ({pounds(row[j, 1])} to {pounds(row[j, 2])})"
                        for row in found.incremental
                    ],
                    *[f"{share:.0%}" for share in found.probability[j, 1:]],
                    pounds(float(found.evpi[j])),
                ]
            )
        second = Table(
            [
                "worth of an effect",
                *[f"net benefit, {arm}" for arm in self.arms],
                *[f"{arm} − {self.arms[0]} ({percent})" for arm in self.arms[1:]],
                *[f"{arm} best" for arm in self.arms[1:]],
                "EVPI a case",
            ],
            table,
            title=f"{title}: net benefit, {counted}",
            notes=[*self.methods(), *self.sensitivity.notes],
            align="l" + "r" * (2 + 3 * (len(self.arms) - 1)),
        )
        return [first, second]

    def plot(self, *, labels: dict[str, str] | None = None, ax: Any = None) -> Any:
        """Draw the cost-effectiveness acceptability curves: the share of draws in which each arm is best.

        Parameters
        ----------
        labels : dict, optional
            Words for the arms.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from crewe.cost._figures import acceptability

        return acceptability(self, labels or {}, ax)

    def plane(
        self,
        *,
        willingness: float | None = None,
        labels: dict[str, str] | None = None,
        ax: Any = None,
    ) -> Any:
        """Draw the cost-effectiveness plane: differences in cost against differences in effect, of some of the draws.

        Parameters
        ----------
        willingness : float, optional
            A line on which an effect costs what it is worth.
        labels : dict, optional
            Words for the arms.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from crewe.cost._figures import plane

        if willingness is not None and not 0 <= float(willingness) < float("inf"):
            raise fault(
                InputError,
                "a willingness to pay is 0 or more",
                values=[f"{willingness:g}"],
                remedy="Give what one more effect is worth, in the money of the costs",
            )
        return plane(self, willingness, labels or {}, ax)


@dataclass(repr=False)
class Tornado(Printable):
    """What each uncertain input does by itself; made by :meth:`Sensitivity.tornado`.

    Attributes
    ----------
    result : str
        What was followed.
    base : float
        The result at the estimates.
    """

    result: str
    unit: str
    base: float
    level: float
    sensitivity: Sensitivity = field(repr=False)
    _asked: tuple[Any, ...] = field(repr=False)
    _found: _core.CostSwings = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return tornado, (self.sensitivity, *self._asked)

    def tidy(self) -> Any:
        """Give a row an input: `input, label, low, high` (the ends of its interval), `at_low, at_high` (the result there)."""
        found = self._found
        inputs = self.sensitivity.analysis.inputs
        implementation, lazy = self.sensitivity.analysis._kind
        return build(
            {
                "input": found.names,
                "label": [inputs[name].label or name for name in found.names],
                "low": found.low,
                "high": found.high,
                "at_low": found.at_low,
                "at_high": found.at_high,
            },
            implementation,
            lazy=lazy,
            synthetic=self.sensitivity.analysis.synthetic,
        )

    def show(self, value: float) -> str:
        """Print a value of the result."""
        return (
            f"{value:.1%}"
            if self.unit == "%"
            else pounds(value)
            if self.unit == MONEY
            else f"{value:g}"
        )

    def _panels(self) -> list[Table]:
        found, inputs = self._found, self.sensitivity.analysis.inputs
        rows = []
        for i, name in enumerate(found.names):
            item = inputs[name]
            ends = [
                f"{value:.1%}" if item.unit == "%" else f"{value:,.4g}"
                for value in (float(found.low[i]), float(found.high[i]))
            ]
            rows.append(
                [
                    item.label or name,
                    f"{ends[0]} to {ends[1]}",
                    self.show(float(found.at_low[i])),
                    self.show(float(found.at_high[i])),
                ]
            )
        return [
            Table(
                [
                    "Input",
                    f"{100 * self.level:g}% interval",
                    "result at the low end",
                    "at the high end",
                ],
                rows,
                title=f"{self.result}: one input at a time"
                + (" (SYNTHETIC data)" if self.sensitivity.analysis.synthetic else ""),
                notes=[f"At the estimates: {self.show(self.base)}."],
                align="lrrr",
            )
        ]

    def plot(self, *, ax: Any = None) -> Any:
        """Draw a bar an input, from the result at one end of its interval to that at the other.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from crewe.cost._figures import bars

        return bars(self, ax)


def pounds(value: float) -> str:
    """Print whole pounds; pence below ten."""
    whole = abs(value) >= 9.995 or value == 0
    return money(f"{value:.0f}" if whole else f"{value:.2f}", MONEY)


def decision(found: Sensitivity, willingness: Floats, lifetime: bool, level: float) -> Decision:
    """Compare the arms; see :meth:`crewe.cost.Sensitivity.decision`."""
    arms, core = found._core_arms(lifetime)
    level = _core.check_level(level)
    effects = [
        worked.line.label or name
        for name, worked in found.analysis.lines.items()
        if worked.line.role == "effect"
    ]
    return Decision(
        arms=arms,
        effect=effects[0].lower(),
        willingness=willingness,
        lifetime=lifetime,
        level=level,
        sensitivity=found,
        _found=found._draws.decide(core, willingness, level),
        _increments=[found._draws.increments(core, j) for j in range(1, len(arms))],
    )


def tornado(
    found: Sensitivity, line: str | None, willingness: float | None, lifetime: bool, level: float
) -> Tornado:
    """Move one input at a time; see :meth:`crewe.cost.Sensitivity.tornado`."""
    level = _core.check_level(level)
    asked = (line, willingness, lifetime, level)
    if line is not None:
        found.analysis._require(line, found.analysis.lines)
        worked = found.analysis.lines[line].line
        name = (worked.label or line) + (f" ({worked.arm})" if worked.arm else "")
        swings = found._draws.tornado(line, level)
        return Tornado(name, worked.unit, swings.base, level, found, asked, swings)
    worth = float(willingness or 0.0)
    arms, core = found._core_arms(lifetime)
    swings = found._draws.net_benefit_tornado(core, 1, worth, level)
    counted = ", with savings over a lifetime" if lifetime else ""
    title = f"Net benefit of {arms[1]} over {arms[0]} at {pounds(worth)} an effect{counted}"
    return Tornado(title, MONEY, swings.base, level, found, asked, swings)


check_methods(Decision)
check_methods(Tornado)

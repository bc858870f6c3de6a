"""A cost-benefit analysis over draws of what is uncertain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.cost._declare import Input, Line
from crewe.cost._fits import Counted, Estimated
from crewe.cost._trace import money
from crewe.exceptions import InputError, fault
from crewe.frames.arguments import check_methods
from crewe.frames.source import build, numbers
from crewe.tables.display import Table
from crewe.tables.printable import Printable

if TYPE_CHECKING:
    from crewe.cost._analysis import CostBenefit
    from crewe.cost._decision import Decision, Tornado

Floats = NDArray[np.float64]


def quantities(
    inputs: Sequence[Input], drawn: Mapping[str, Estimated | Counted]
) -> tuple[list[_core.CostQuantity], list[_core.CostJoint]]:
    """Give inputs as the core draws them, and what is drawn together."""
    made: list[_core.CostQuantity] = []
    joints: dict[str, tuple[int, Estimated]] = {}
    for item in inputs:
        found = drawn.get(item.name)
        if found is None and item.std_error:
            df = _number(item, "df") if item.df else np.inf
            square = np.array([[_number(item, "std_error") ** 2]])
            found = Estimated(
                f"input {item.name}", (_number(item, "value"),), square, (df,), (1.0,)
            )
        if isinstance(found, Estimated):
            at, _ = joints.setdefault(found.label, (len(joints), found))
            made.append(_core.CostQuantity.joint(item.name, at, found.weights))
        elif isinstance(found, Counted):
            made.append(_rate(item, found.events, found.of, found.scale))
        elif item.follows:
            made.append(_core.CostQuantity.follows(item.name, item.follows))
        elif item.of:
            of = _number(item, "of")
            count = not item.events
            made.append(
                _rate(item, _number(item, "value" if count else "events"), of, of if count else 1.0)
            )
        elif item.events:
            raise fault(
                InputError,
                f"the rate '{item.name}' has events and no number of cases",
                remedy="Give both, as events=60 and of=83",
            )
        elif item.cv:
            made.append(_core.CostQuantity.amount(item.name, item.value, _number(item, "cv")))
        else:
            made.append(_core.CostQuantity.fixed(item.name, item.value))
    return made, [found.joint() for _, found in joints.values()]


def _rate(item: Input, events: float, of: float, scale: float) -> _core.CostQuantity:
    return _core.CostQuantity.rate(item.name, item.value, events, of, scale)


def _number(item: Input, name: str) -> float:
    text = str(getattr(item, name)).replace(",", "").strip()
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise fault(
            InputError,
            f"the {name} of '{item.name}' is not a number",
            values=[text],
            remedy="Write a plain decimal such as 0.2",
        )
    return value


def sensitivity(analysis: CostBenefit, draws: int, seed: int | None, level: float) -> Sensitivity:
    """Draw; see :meth:`crewe.cost.CostBenefit.psa`."""
    level = _core.check_level(level)
    if not isinstance(draws, int | np.integer) or isinstance(draws, bool) or draws < 1:
        raise fault(
            InputError,
            f"draws={draws!r} is no number of draws",
            remedy="Ask for a whole number, such as 100_000",
        )
    start = _core.read_seed(_core.system_seed() if seed is None else seed)
    if not isinstance(start, int):
        raise fault(
            InputError, "a sensitivity analysis takes a whole number as its seed", remedy="Give one"
        )
    made, joints = quantities(list(analysis.inputs.values()), analysis._drawn)
    lines = [(worked.line.name, worked.line.formula) for worked in analysis.lines.values()]
    core = _core.cost_draws(made, joints, lines, int(draws), start)
    return Sensitivity(analysis, int(draws), start, level, core, core.summaries(level))


_MOST = 10_000
"""The most amounts of an effect's worth that are compared at a time."""


@dataclass(repr=False)
class Sensitivity(Printable):
    """The lines of a cost-benefit analysis over draws; made by :meth:`CostBenefit.psa`.

    Attributes
    ----------
    analysis : CostBenefit
        What was drawn from.
    draws, seed, level : int, int, float
        How many draws, what they started from, and the level of the intervals. The same seed gives
        the same draws on any number of threads.
    """

    analysis: CostBenefit
    draws: int
    seed: int
    level: float
    _draws: _core.CostDraws = field(repr=False)
    _found: _core.CostSummaries = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        # The draws are made again from their seed.
        return sensitivity, (self.analysis, self.draws, self.seed, self.level)

    def column(self, name: str) -> Floats:
        """Give the draws of an input or a line.

        Parameters
        ----------
        name : str
            The input or the line.

        Returns
        -------
        array (draws,)
        """
        return self._draws.column(name)

    def _at(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self._draws.names)}

    def tidy(self) -> Any:
        """Give a row a line.

        Columns: `line, label, arm, value` (worked out from the estimates as they are typed or fitted), `printed`, and of the
        draws `mean, std_error, conf_low, conf_high`.
        """
        at = self._at()
        worked = self.analysis.lines
        places = [at[name] for name in worked]
        implementation, lazy = self.analysis._kind
        return build(
            {
                "line": list(worked),
                "label": [item.line.label or name for name, item in worked.items()],
                "arm": [item.line.arm for item in worked.values()],
                "value": [item.value for item in worked.values()],
                "printed": [item.printed for item in worked.values()],
                "mean": self._found.mean[places],
                "std_error": self._found.std_error[places],
                "conf_low": self._found.conf_low[places],
                "conf_high": self._found.conf_high[places],
            },
            implementation,
            lazy=lazy,
            synthetic=self.analysis.synthetic,
        )

    @property
    def notes(self) -> list[str]:
        """What is uncertain and what is taken as known, draws that left 0 to 1, and how the draws were made."""
        items = self.analysis.inputs.values()
        varied = [i for i in items if i.uncertain or i.name in self.analysis._drawn]
        known = [i.label or i.name for i in items if i not in varied]
        named = ", ".join(dict.fromkeys(i.label or i.name for i in varied)) or "nothing"
        notes = [f"Uncertain: {named}.", f"Taken as known: {', '.join(known) or 'nothing'}."]
        for item in varied:
            if item.unit == "%" and isinstance(self.analysis._drawn.get(item.name), Estimated):
                values = self.column(item.name)
                outside = float(np.mean((values < 0) | (values > 1)))
                if outside >= 0.001:
                    notes.append(
                        f"{item.label or item.name}: {outside:.1%} of draws lie outside 0 to 1, since its fit is linear."
                    )
        if any(isinstance(self.analysis._drawn.get(i.name), Counted) or i.of for i in varied):
            notes.append(
                "A rate of r among n has the mean (r + 1/2)/(n + 1) over draws, so that means of draws lie a little off "
                "the figures worked out."
            )
        notes.append(
            f"{self.draws:,} draws from seed {self.seed}; {100 * self.level:g}% intervals are central ones of the draws."
        )
        return notes

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        return [
            "Uncertainty was carried by probabilistic sensitivity analysis: rates are Beta(r + 1/2, n − r + 1/2) from their "
            "counts, unit costs gamma with their stated coefficient of variation, estimates t with their own degrees of "
            "freedom and drawn jointly where they come from one fit."
        ]

    def _interval(self, place: int, shown: str, unit: str) -> str:
        low, high = (
            money(_like(float(value), shown), unit)
            for value in (self._found.conf_low[place], self._found.conf_high[place])
        )
        return "" if self._found.std_error[place] == 0 else f"{low} to {high}"

    def _panels(self) -> list[Table]:
        at = self._at()
        parts: dict[str, list[list[str]]] = {}
        for name, worked in self.analysis.lines.items():
            line = worked.line
            place = at[name]
            mean = money(_like(float(self._found.mean[place]), worked.shown), line.unit)
            parts.setdefault(line.table, []).append(
                [
                    line.label or name,
                    line.arm,
                    worked.printed,
                    worked.shown,
                    mean,
                    self._interval(place, worked.shown, line.unit),
                ]
            )
        percent = f"{100 * self.level:g}% interval"
        header = ["Line", "Arm", "Printed", "Worked out", "Mean of draws", percent]
        tables = [
            Table(
                header,
                rows,
                title=f"{self.analysis.caption}: {name}" if name else self.analysis.caption,
                align="llrrrr",
            )
            for name, rows in parts.items()
        ]
        tables[-1].notes = [*self.notes, *self.analysis.notes]
        return tables

    # -- arms -----------------------------------------------------------------------------

    def _arms(self, lifetime: bool) -> tuple[list[str], list[Line]]:
        lines = [worked.line for worked in self.analysis.lines.values() if worked.line.role]
        arms = list(dict.fromkeys(line.arm for line in lines))
        reference = self.analysis.reference or (arms[0] if arms else "")
        lacking = [
            arm or "no arm"
            for arm in arms
            if not {"cost", "effect"} <= {line.role for line in lines if line.arm == arm}
        ]
        if len(arms) < 2 or reference not in arms or lacking:
            raise fault(
                InputError,
                "the lines do not say what the arms cost and bring about",
                values=[f"{line.name}: {line.role} of {line.arm or 'no arm'}" for line in lines],
                remedy="Give lines of every arm the roles 'cost' and 'effect', and name the reference arm",
            )
        if lifetime and not any(line.role == "lifetime" for line in lines):
            raise fault(
                InputError,
                "no line is a saving over a lifetime",
                remedy="Give such lines the role 'lifetime', or compare without lifetime=True",
            )
        return [reference, *[arm for arm in arms if arm != reference]], lines

    def _core_arms(self, lifetime: bool) -> tuple[list[str], _core.CostArms]:
        arms, lines = self._arms(lifetime)

        def of(arm: str, *roles: str) -> list[str]:
            return [line.name for line in lines if line.arm == arm and line.role in roles]

        saved = ("saving", "lifetime") if lifetime else ("saving",)
        return arms, _core.CostArms(
            [(arm, of(arm, "cost"), of(arm, *saved), of(arm, "effect")) for arm in arms]
        )

    def decision(
        self, willingness: Any = None, *, lifetime: bool = False, level: float | None = None
    ) -> Decision:
        """Compare the arms by cost and effect, over what an effect is worth.

        Parameters
        ----------
        willingness : sequence of float
            What one more effect (in Project Crewe a case closed and not re-referred) is worth, each 0 or more: your range.
        lifetime : bool
            Whether lines with the role `"lifetime"` count as savings.
        level : float, optional
            Of the intervals; that of the analysis without it.

        Returns
        -------
        Decision
            Incremental cost and effect with their ratio, net benefit, acceptability and the expected value of perfect
            information.

        Examples
        --------
        >>> import crewe as cw
        >>> found = cw.cost.project_crewe().psa(draws=20_000, seed=2017)
        >>> choice = found.decision(range(0, 20_001, 5_000))
        >>> choice.arms
        ['CEC', 'PC']
        """
        from crewe.cost._decision import decision

        given = len(willingness) if hasattr(willingness, "__len__") else 1
        if given > _MOST:
            raise fault(
                InputError,
                f"{given:,} amounts that an effect may be worth are more than can be compared",
                remedy=f"Give at most {_MOST:,}, such as range(0, 30_001, 100)",
            )
        asked = list(willingness) if isinstance(willingness, range) else willingness
        values = np.atleast_1d(numbers([] if asked is None else asked, "willingness"))
        if values.ndim != 1 or not len(values):
            raise fault(
                InputError,
                "what is an effect worth?",
                remedy="Give your range, such as decision(range(0, 30_001, 1_000))",
            )
        wanted = np.ascontiguousarray(values, dtype=np.float64)
        return decision(self, wanted, lifetime, self.level if level is None else level)

    def tornado(
        self,
        line: str | None = None,
        *,
        willingness: float | None = None,
        lifetime: bool = False,
        level: float | None = None,
    ) -> Tornado:
        """Move each uncertain input by itself from one end of its interval to the other.

        Parameters
        ----------
        line : str, optional
            The line to follow.
        willingness : float, optional
            In place of a line: what an effect is worth, to follow the net benefit of the arms' difference.
        lifetime : bool
            Whether lines with the role `"lifetime"` count as savings.
        level : float, optional
            Of the inputs' intervals; that of the analysis without it.

        Returns
        -------
        Tornado
            The largest swing first.
        """
        from crewe.cost._decision import tornado

        if (line is None) == (willingness is None):
            raise fault(
                InputError,
                "a tornado follows a line, or the net benefit at a willingness to pay",
                remedy="Give tornado('tax_pc'), or tornado(willingness=10_000)",
            )
        return tornado(self, line, willingness, lifetime, self.level if level is None else level)


check_methods(Sensitivity)


def _like(value: float, shown: str) -> str:
    """Print a number to the decimals of another figure; those of a percentage belong to the share."""
    digits = shown.rstrip("%…")
    places = len(digits.partition(".")[2]) + (2 if shown.endswith("%") else 0)
    return f"{value:.{places}f}"

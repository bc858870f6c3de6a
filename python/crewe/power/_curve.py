"""One quantity of a power calculation followed over another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crewe.exceptions import CreweError, InputError, fault
from crewe.plots import style as _style
from crewe.power._again import again, known
from crewe.power._quantities import (
    LABELS,
    QUANTITIES,
    Quantity,
    cell,
    chance,
    effect_scale,
    effect_text,
    label_of,
    named,
    short,
)
from crewe.power._result import Power
from crewe.tables.display import Table
from crewe.tables.printable import Printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def follow(
    answer: Power,
    over: Quantity,
    of: Quantity | None,
    values: Iterable[float] | None,
    lines: Mapping[str, Sequence[Any]],
) -> Curve:
    """Follow one quantity as another changes, all else as in an answer."""
    if of is None:
        of = answer.solved if answer.solved != over else ("effect" if over == "power" else "power")
    for name in (over, of):
        if name not in QUANTITIES:
            raise fault(
                InputError,
                f"there is no quantity '{name}' to follow",
                remedy=f"Choose among {', '.join(QUANTITIES)}",
            )
    if over == of:
        raise fault(
            InputError,
            f"'{over}' cannot be followed over itself",
            remedy="Give another quantity as of=",
        )
    if len(lines) > 1 or any(name in (over, of) or name not in answer.asked for name in lines):
        raise fault(
            InputError,
            "a curve has lines for one argument of the calculation other than its two axes",
            values=list(lines),
            remedy=f"Give one of {', '.join(n for n in answer.asked if n not in (over, of))} with its values",
        )
    if answer.asked.get("rate_cv") is not None and "icc" in (over, of, *lines):
        raise fault(
            InputError,
            "clusters differ by rate_cv in this calculation, and have no icc to follow",
            remedy="Give several values as rate_cv=, or solve the calculation with icc=",
        )
    if values is not None:
        values = list(values)
    for argument, given in (("values", values), *lines.items()):
        if given is not None and (isinstance(given, str) or not len(given)):
            raise fault(
                InputError,
                f"{argument}= takes a list of at least one value",
                values=[repr(given)],
                remedy=f"Give the values as a list, such as {argument}=[...], or leave it out",
            )
    base = known(answer, of)
    if "cluster_size" in (over, of):
        base["cv"] = answer.cv  # a list of sizes is given up for its mean and variation
    base[over] = None
    replaced = {"icc"} if base.get("rate_cv") is not None else set()
    missing = [
        q
        for q in QUANTITIES
        if q not in (over, of) and q not in lines and q not in replaced and base[q] is None
    ]
    if missing:
        raise fault(
            InputError,
            f"there is no curve of {of} over {over}: the {missing[0]} of this answer is unattainable",
            remedy=f"Follow the {missing[0]} itself, with of='{missing[0]}'",
        )
    line, options = next(iter(lines.items()), (None, [None]))
    points = values if values is not None else _range(answer, over)
    refused: CreweError | None = None
    columns: dict[str, list[Any]] = {name: [] for name in ([line] if line else []) + [over, of]}
    for option, point in itertools.product(options, points):
        asked = {**base, over: point}
        if line is not None:
            asked[line] = option
        try:
            found = again(answer, asked)
        except CreweError as error:
            if values is not None:
                raise
            # A range of our own may reach beyond what this design allows; its points there are left out.
            refused = error
            continue
        if line is not None:
            columns[line].append(named(option))
        columns[over].append(point)
        columns[of].append(getattr(found, of) if found.attainable else None)
    if refused is not None and not columns[over]:
        raise refused
    frame = pd.DataFrame(columns)
    frame[of] = pd.to_numeric(frame[of])
    return Curve(frame=frame, over=over, of=of, line=line, answer=answer)


def _range(answer: Power, over: Quantity) -> list[float]:
    """Give points around this answer."""
    if over == "power":
        return [round(0.5 + 0.01 * i, 2) for i in range(46)]
    if over in ("icc", "r2"):
        top = 51 if over == "icc" else 49
        return [round(0.02 * i, 2) for i in range(top)]
    if over == "cluster_size":
        top = max(8, math.ceil(2 * (answer.cluster_size or 4)))
        first = 1.0 if answer.cv == 0 else 1.25
        return [float(x) for x in np.linspace(first, top, 57)]
    if over == "clusters":
        middle = answer.clusters or 200
        least = math.ceil(2 / min(answer.allocation, 1 - answer.allocation) - 1e-9)
        low, high = max(least, middle // 4), max(2 * middle, least + 20)
        return sorted({int(x) for x in np.linspace(low, high, 61)})
    return _effects(answer)


def _effects(answer: Power) -> list[float]:
    """Give effects from none to twice this answer's, on its own scale."""
    sign = 1 if answer.direction == "rise" else -1
    steps = np.linspace(1 / 60, 1, 60)
    if answer.scale != "difference":
        reach = 2 * abs(math.log(answer.effect)) if answer.effect else math.log(3)
        if answer.outcome == "binary" and answer.baseline is not None and sign > 0:
            top = 1 / answer.baseline if answer.scale == "ratio" else math.inf
            reach = min(reach, math.log(top) * 0.999)
        return [float(math.exp(sign * reach * x)) for x in steps]
    reach = 2 * abs(answer.effect) if answer.effect else 1.0
    if answer.baseline is not None:
        room = answer.baseline if sign < 0 else 1 - answer.baseline
        if answer.outcome == "binary" or sign < 0:
            reach = min(reach, 0.999 * room)
    return [float(sign * reach * x) for x in steps]


@dataclass(frozen=True, repr=False)
class Curve(Printable):
    """One quantity of a power calculation followed over another.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row a point: the line (where there are several), `over` and `of`; unattainable points are
        missing.
    over, of : str
        The two quantities.
    line : str or None
        The argument that tells the lines apart.
    answer : Power
        The calculation that the curve belongs to.
    """

    frame: pd.DataFrame
    over: Quantity
    of: Quantity
    line: str | None
    answer: Power

    def tidy(self) -> pd.DataFrame:
        """Give the frame."""
        return self.frame

    def methods(self) -> list[str]:
        """Say in plain sentences which formula and which distribution were used."""
        if self.line in ("method", "distribution"):
            return [f"A line for each {LABELS[self.line]}."]
        return self.answer.methods()

    def _table(self) -> Table:
        step = max(1, len(self.frame) // 20)
        shown = self.frame.iloc[::step]
        return Table(
            header=[label_of(self.answer, str(name)) for name in shown.columns],
            rows=[
                [cell(self.answer, str(name), shown[name].iloc[row]) for name in shown.columns]
                for row in range(len(shown))
            ],
            title=f"{self._label(self.of)} over {self._lower(self.over)}",
            notes=self.methods(),
        )

    def _label(self, name: str) -> str:
        return label_of(self.answer, name)

    def _lower(self, name: str) -> str:
        label = self._label(name)
        return label[0].lower() + label[1:]

    def _panels(self) -> list[Table]:
        return [self._table()]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve: lines told apart by dashes, the calculation's own point marked.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib Axes
        """
        with _style.printed():
            return self._drawn(ax)

    def _drawn(self, ax: Axes | None) -> Axes:
        from matplotlib.lines import Line2D
        from matplotlib.ticker import PercentFormatter, StrMethodFormatter

        drawn: Axes = _style.figure()[1] if ax is None else ax
        scale: dict[str, float] = {
            name: effect_scale(self.answer) if name == "effect" else 1.0
            for name in (self.over, self.of)
        }
        parts = {"": self.frame}
        if self.line is not None:
            parts = {
                f"{LABELS.get(self.line, self.line)} {short(value)}": part
                for value, part in self.frame.groupby(self.line, sort=False)
            }
        styles = _style.arm_styles(list(parts))
        for (label, part), style in zip(parts.items(), styles.values(), strict=True):
            drawn.plot(
                scale[self.over] * part[self.over],
                scale[self.of] * part[self.of],
                color=style.colour,
                linestyle=style.line if self.line is not None else "-",
                label=label,
            )
        said = self._mark(drawn, scale)
        for name, axis in ((self.over, drawn.xaxis), (self.of, drawn.yaxis)):
            if name == "power":
                axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            if name == "clusters":
                axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        if self.of == "power":
            drawn.set_ylim(0, 1.02)
            if self.answer.target is not None:
                drawn.axhline(
                    self.answer.target,
                    color=_style.QUIET,
                    linewidth=0.8,
                    linestyle=(0, (1, 2)),
                    zorder=0,
                )
        drawn.set_xlabel(self._label(self.over))
        drawn.set_ylabel(self._label(self.of))
        handles = [
            Line2D([], [], color=style.colour, linestyle=style.line, label=label)
            for label, style in styles.items()
            if label
        ]
        if handles:
            drawn.legend(handles=handles, handlelength=3.2)
        lines = f" One line for each of {', '.join(parts)}." if self.line is not None else ""
        _style.alt_text(
            drawn, f"{self._label(self.of)} against {self._lower(self.over)}.{lines} {said}"
        )
        return drawn

    def _mark(self, ax: Axes, scale: Mapping[str, float]) -> str:
        """Mark the calculation that the curve belongs to, and say it in words."""
        x, y = self._point(self.over), self._point(self.of)
        low, high = self.frame[self.over].min(), self.frame[self.over].max()
        if x is None or y is None or not low <= x <= high:
            return ""
        ax.plot(
            [scale[self.over] * x],
            [scale[self.of] * y],
            "o",
            color=_style.INK,
            markerfacecolor="#ffffff",
            zorder=3,
        )
        shown = {
            "effect": effect_text(self.answer, self.answer.effect),
            "power": chance(self.answer.power),
            "clusters": f"{cell(self.answer, 'clusters', self.answer.clusters)} clusters",
            "icc": f"ICC {cell(self.answer, 'icc', self.answer.icc)}",
            "cluster_size": f"mean size {cell(self.answer, 'cluster_size', self.answer.cluster_size)}",
            "r2": f"R² {cell(self.answer, 'r2', self.answer.r2)}",
        }
        return f"A circle marks {shown[self.over]} with {shown[self.of]}."

    def _point(self, name: Quantity) -> float | None:
        return None if not self.answer.attainable else getattr(self.answer, name)

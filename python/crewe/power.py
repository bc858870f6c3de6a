"""What a trial can detect: power, smallest detectable effects and the number of clusters.

Every function takes a trial on paper with exactly one quantity left out, and solves for it:

>>> import crewe as cw
>>> plan = cw.power.binary(baseline=0.226, icc=0.36, cluster_size=3, clusters=286, power=0.8)
>>> round(100 * plan.effect, 1)
11.2

Effects are signed differences (0.112 is a rise of 11.2 percentage points), `clusters` counts both
arms together, and `allocation` is the treated share of the clusters (2:1 is 2/3).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from crewe import _core
from crewe._display import Table
from crewe.exceptions import InputError, fault

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BinaryPower", "Comparison", "Curve", "binary", "project_crewe", "table"]

Method: TypeAlias = Literal["arcsine", "pooled", "unpooled"]
Direction: TypeAlias = Literal["rise", "fall"]
Distribution: TypeAlias = Literal["z", "t"]
Quantity: TypeAlias = Literal["effect", "clusters", "power", "icc", "cluster_size"]

_QUANTITIES: tuple[Quantity, ...] = ("effect", "clusters", "power", "icc", "cluster_size")

_LABELS = {
    "effect": "Effect, percentage points",
    "clusters": "Clusters, both arms",
    "power": "Power",
    "icc": "Intra-cluster correlation",
    "cluster_size": "Mean cluster size",
    "method": "formula",
    "baseline": "baseline",
    "allocation": "treated share",
    "cv": "CV of sizes",
    "r2": "R²",
    "alpha": "level",
    "distribution": "distribution",
    "direction": "direction",
}

# Below so many clusters a note says that the normal distribution flatters the power.
_FEW = 50


def binary(
    *,
    baseline: float,
    icc: float | None = None,
    cluster_size: float | Sequence[int] | None = None,
    clusters: int | None = None,
    power: float | None = None,
    effect: float | None = None,
    cv: float = 0.0,
    allocation: float = 0.5,
    alpha: float = 0.05,
    method: Method = "arcsine",
    direction: Direction | None = None,
    distribution: Distribution = "z",
    r2: float = 0.0,
) -> BinaryPower:
    """Solve the power calculation of a binary outcome in a trial that randomises clusters.

    Exactly one of `effect`, `clusters`, `power`, `icc` and `cluster_size` is left out and solved
    for. The test is two-sided and both of its tails count as power.

    Parameters
    ----------
    baseline : float
        The control arm's rate, between 0 and 1.
    icc : float, optional
        The intra-cluster correlation of the outcome as observed (not on a latent scale). 1 is
        legal: then each cluster counts as one unit. It may be negative, above -1/(m - 1).
    cluster_size : float or sequence of int, optional
        The mean number of units a cluster, or the list of sizes, whose own sums then give the
        design effect (the list need not be as long as `clusters`: it stands for the sizes to be
        expected).
    clusters : int, optional
        The number of clusters in both arms together; at least 2 an arm.
    power : float, optional
        The power wanted.
    effect : float, optional
        The treated rate less the baseline: 0.112 for a rise, -0.112 for a fall of 11.2 points.
    cv : float
        The coefficient of variation of the cluster sizes, with a mean size: their standard
        deviation (divisor n) over their mean.
    allocation : float
        The treated share of the clusters. It is not rounded in the formulas; the result shows the
        nearest whole split beside it.
    alpha : float
        The two-sided level.
    method : {"arcsine", "pooled", "unpooled"}
        Cohen's h; the z test with the pooled variance under the null; the Wald test.
    direction : {"rise", "fall"}, optional
        Where the effect is sought; a rise by default. With `effect` given its sign decides.
    distribution : {"z", "t"}
        Normal, or Student's t with (clusters - 2) degrees of freedom, noncentral under the effect.
    r2 : float
        The share of the outcome's variance, within and between clusters alike, that covariates
        explain.

    Returns
    -------
    BinaryPower
        All quantities, the formula's name and source, and the ceiling where the power is
        unattainable.

    Raises
    ------
    InputError
        For more or fewer than one unknown, a rate or share outside 0 to 1, an effect that leaves 0
        to 1, an ICC that clusters of this size cannot have, a size below 1, or fewer than 2
        clusters an arm.

    Notes
    -----
    With design effect D = 1 + ((1 + cv²) m - 1) ICC each arm counts for
    n = share × clusters × m / (D (1 - r2)) independent units. The arcsine formula is power = P(|Z
    + h / sqrt(1/n₁ + 1/n₀)| > z), with h = 2 asin √p₁ - 2 asin √p₀.

    Examples
    --------
    >>> import crewe as cw
    >>> plan = cw.power.binary(baseline=0.226, icc=0.36, cluster_size=3, effect=0.112, power=0.8)
    >>> plan.clusters
    288
    >>> plan.power >= 0.8 > plan.power_one_fewer
    True
    """
    sizes: float | list[int] | None = None
    if cluster_size is not None:
        sizes = _sizes(cluster_size)
    asked: dict[str, Any] = {
        "baseline": _real("baseline", baseline),
        "icc": None if icc is None else _real("icc", icc),
        "cluster_size": sizes,
        "clusters": None if clusters is None else _whole("clusters", clusters),
        "power": None if power is None else _real("power", power),
        "effect": None if effect is None else _real("effect", effect),
        "cv": _real("cv", cv),
        "allocation": _real("allocation", allocation),
        "alpha": _real("alpha", alpha),
        "method": method,
        "direction": direction,
        "distribution": distribution,
        "r2": _real("r2", r2),
    }
    answer = _core.power_binary(**asked)
    kept = {item.name for item in fields(BinaryPower)} - {"asked"}
    values = {**asked, **{name: answer[name] for name in answer if name in kept}}
    return BinaryPower(**values, asked=asked)


def _real(name: str, value: Any) -> float:
    try:
        if isinstance(value, str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError) as error:
        raise fault(
            InputError, f"{name} must be a number", values=[repr(value)], remedy="Give one number"
        ) from error


def _whole(name: str, value: Any) -> int:
    number = _real(name, value)
    if not (math.isfinite(number) and number == int(number) and 0 <= number < 2**53):
        raise fault(
            InputError,
            f"{name} must be a whole number",
            values=[f"{number:g}"],
            remedy="Give the number of clusters in both arms together",
        )
    return int(number)


def _sizes(value: Any) -> float | list[int]:
    """Give a mean as a float, a list of sizes as whole numbers."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return _real("cluster_size", value)
    sizes = np.asarray(list(value), dtype=object)
    numbers = np.array([_real("cluster_size", size) for size in sizes])
    # `not (size >= 0)` is true of NaN as well.
    wrong = [row for row, size in enumerate(numbers) if not (size >= 0 and size == np.floor(size))]
    if wrong or not np.all(np.isfinite(numbers)):
        raise fault(
            InputError,
            "cluster sizes must be whole numbers",
            rows=wrong,
            values=[str(sizes[row]) for row in wrong],
            remedy="Give one count of units (children) a cluster (family), or the mean size alone",
        )
    return [int(size) for size in numbers]


def _points(effect: float | None) -> str:
    return "unattainable" if effect is None else f"{100 * effect:+.1f} pp".replace("-", "−")


def _percent(value: float | None, digits: int = 1) -> str:
    return "unattainable" if value is None else f"{100 * value:.{digits}f}%"


@dataclass(frozen=True, repr=False)
class BinaryPower:
    """The answer to a power calculation of a binary outcome.

    Quantities that are unattainable, and what follows from them, are None.

    Attributes
    ----------
    effect : float or None
        Treated rate less baseline, a difference of proportions.
    treated : float or None
        The treated arm's rate.
    power : float or None
        The power that the solved plan has; for a number of clusters at least `target`.
    target : float or None
        The power asked for.
    clusters, clusters_treated, clusters_control : int or None
        The number in both arms, and the nearest whole split by the allocation (a half goes to the
        treated).
    icc, cluster_size, cv, design_effect : float or None
        The clustering; for a list of sizes its mean and coefficient of variation.
    effective : float or None
        The number of independent units that the trial is worth.
    solved : str
        The quantity that was solved for.
    method, formula, source : str
        The formula, by the name of the argument, in words, and where it stands.
    power_one_fewer : float or None
        The power with one cluster (or one unit a cluster) fewer, where that was solved for.
    ceiling, ceiling_at : float or None
        Where the power asked for is unattainable: the highest power within reach, and the value of
        the unknown that gives it (infinite where it is only approached).
    df, noncentrality : float or None
        The degrees of freedom (infinite for the normal) and the effect in standard errors.
    """

    solved: Quantity
    baseline: float
    treated: float | None
    effect: float | None
    clusters: int | None
    power: float | None
    target: float | None
    icc: float | None
    cluster_size: float | None
    cv: float
    allocation: float
    alpha: float
    method: Method
    direction: Direction
    distribution: Distribution
    r2: float
    formula: str
    source: str
    design_effect: float | None
    effective: float | None
    df: float | None
    noncentrality: float | None
    clusters_treated: int | None
    clusters_control: int | None
    power_one_fewer: float | None
    ceiling: float | None
    ceiling_at: float | None
    any_icc: bool
    asked: dict[str, Any] = field(compare=False)

    @property
    def attainable(self) -> bool:
        """Whether the power asked for is within reach."""
        return self.ceiling is None

    @property
    def relative(self) -> float | None:
        """The effect as a share of the baseline."""
        return None if self.effect is None else self.effect / self.baseline

    @property
    def units(self) -> float | None:
        """The number of units (children) in all clusters."""
        if self.clusters is None or self.cluster_size is None:
            return None
        return self.clusters * self.cluster_size

    @property
    def notes(self) -> list[str]:
        """What to know about this answer, in plain words."""
        notes = [f"Formula: {self.formula}. {self.source}."]
        law = (
            "Normal distribution"
            if self.distribution == "z"
            else "Noncentral t with (clusters − 2) degrees of freedom"
        )
        notes.append(
            f"{law}, two-sided {_percent(self.alpha, 0)} level; both tails count as power."
        )
        if self.ceiling is not None:
            notes.append(self._out_of_reach())
        if self.power_one_fewer is not None and self.power is not None:
            what = "cluster" if self.solved == "clusters" else "unit a cluster"
            notes.append(
                f"The power is {_percent(self.power, 2)}; with one {what} fewer it is "
                f"{_percent(self.power_one_fewer, 2)}."
            )
        if self.any_icc:
            notes.append(
                f"Even at an ICC of 1 the power is {_percent(self.power)}, above the "
                f"{_percent(self.target)} asked for: any ICC will do."
            )
        elif self.solved == "icc" and self.icc is not None and self.icc < 0:
            notes.append(
                "Only a negative ICC would leave that power: plan for less, or for more clusters."
            )
        if self.clusters is not None:
            treated = self.allocation * self.clusters
            if abs(treated - round(treated)) > 1e-6:
                notes.append(
                    f"The share is not rounded: {self.clusters} clusters count as {treated:.2f} "
                    "treated and "
                    f"{self.clusters - treated:.2f} control. The nearest whole split is "
                    f"{self.clusters_treated} and {self.clusters_control}."
                )
            if self.distribution == "z" and self.clusters < _FEW:
                notes.append(
                    f"With fewer than {_FEW} clusters the normal distribution flatters the power: "
                    "see distribution='t'."
                )
        listed = self.asked["cluster_size"]
        if isinstance(listed, list) and self.clusters is not None and len(listed) != self.clusters:
            notes.append(
                f"The list has {len(listed)} sizes: their mean and variation stand for all "
                f"{self.clusters} clusters."
            )
        return notes

    def _out_of_reach(self) -> str:
        assert self.ceiling is not None and self.ceiling_at is not None  # asked for only then
        best = _percent(self.ceiling)
        wanted = _percent(self.target)
        if self.solved == "effect":
            return (
                f"Unattainable: even a {self.direction} to "
                f"{_percent(self.baseline + self.ceiling_at)} would be "
                f"found with power {best} at most, not {wanted}. More clusters are needed."
            )
        if self.solved == "cluster_size":
            size = (
                "however large the clusters are"
                if math.isinf(self.ceiling_at)
                else f"even with {self.ceiling_at:.0f} units a cluster"
            )
            return (
                f"Unattainable: {size}, the power stays below {wanted} (it reaches {best}), "
                "since units of one "
                "cluster resemble each other. More clusters are needed."
            )
        if self.solved == "clusters":
            most = f"{self.ceiling_at:,.0f}"
            return f"Unattainable: even {most} clusters have power {best}, not {wanted}."
        return f"Unattainable: even at the lowest possible ICC the power is {best}, not {wanted}."

    def _table(self) -> Table:
        arms = (
            ""
            if self.clusters is None
            else f" ({self.clusters_treated} treated, {self.clusters_control} control)"
        )
        rates = (
            f" ({_percent(self.baseline)} → {_percent(self.treated)}, "
            f"{100 * self.relative:+.0f}% of the baseline)"
            if self.effect is not None and self.relative is not None
            else ""
        )
        deff = "" if self.design_effect is None else f", design effect {self.design_effect:.3f}"
        size = "unattainable" if self.cluster_size is None else f"{self.cluster_size:.4g}"
        variation = f", CV {self.cv:.2f}" if self.cv > 0 else ""
        cells = {
            "effect": f"{_points(self.effect)}{rates}",
            "clusters": "unattainable" if self.clusters is None else f"{self.clusters:,}{arms}",
            "power": _percent(self.power),
            "icc": ("unattainable" if self.icc is None else f"{self.icc:.4g}") + deff,
            "cluster_size": size + variation,
        }
        names = {
            "effect": "Effect",
            "clusters": "Clusters",
            "power": "Power",
            "icc": "ICC",
            "cluster_size": "Mean cluster size",
        }
        rows = [
            [names[name] + (" (solved for)" if name == self.solved else ""), cells[name]]
            for name in _QUANTITIES
        ]
        if self.units is not None and self.effective is not None:
            rows.append(
                ["Units", f"{self.units:,.0f}, worth {self.effective:,.1f} independent ones"]
            )
        if self.r2 > 0:
            rows.append(["R² of covariates", f"{self.r2:.4g}"])
        return Table(
            header=["Quantity", "Value"],
            rows=rows,
            title=f"Power for a binary outcome, by the {self.method} formula",
            notes=self.notes,
        )

    def tidy(self) -> pd.DataFrame:
        """Give the answer as a frame of one row, a column a quantity."""
        values = {name: value for name, value in asdict(self).items() if name != "asked"}
        return pd.DataFrame({name: [value] for name, value in values.items()})

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()

    def curve(
        self,
        over: Quantity = "clusters",
        *,
        of: Quantity | None = None,
        values: Iterable[float] | None = None,
        **lines: Sequence[Any],
    ) -> Curve:
        """Follow one quantity as another changes, all else as in this answer.

        Parameters
        ----------
        over : str
            The quantity along the axis: effect, clusters, power, icc or cluster_size.
        of : str, optional
            The quantity solved for at each point. By default the one that this answer solved for,
            and the power where that is `over` itself.
        values : iterable of float, optional
            The points; by default a range around this answer.
        **lines
            At most one argument of `binary` with several values, a line for each: ``icc=[0, 0.36,
            1]``.

        Returns
        -------
        Curve
            With `.frame` and `.plot()`. Unattainable points are missing.

        Examples
        --------
        >>> import crewe as cw
        >>> known = {"baseline": 0.226, "icc": 0.36, "cluster_size": 3}
        >>> plan = cw.power.binary(**known, clusters=132, power=0.8)
        >>> curve = plan.curve(over="clusters", values=[132, 286], icc=[0.36, 1])
        >>> [round(100 * effect, 1) for effect in curve.frame["effect"]]
        [16.9, 11.2, 22.9, 15.1]
        """
        if of is None:
            of = self.solved if self.solved != over else ("effect" if over == "power" else "power")
        for name in (over, of):
            if name not in _QUANTITIES:
                raise fault(
                    InputError,
                    f"there is no quantity '{name}' to follow",
                    remedy=f"Choose among {', '.join(_QUANTITIES)}",
                )
        if over == of:
            raise fault(
                InputError,
                f"'{over}' cannot be followed over itself",
                remedy="Give another quantity as of=",
            )
        if len(lines) > 1 or any(name in (over, of) or name not in self.asked for name in lines):
            raise fault(
                InputError,
                "a curve has lines for one argument of the calculation other than its two axes",
                values=list(lines),
                remedy=f"Give one of {', '.join(n for n in self.asked if n not in (over, of))} "
                "with its values",
            )
        base: dict[str, Any] = dict(self.asked)
        base.update((name, self._given(name)) for name in _QUANTITIES)
        if of != "power":
            base["power"] = self.target if self.target is not None else self.power
        base[of] = None
        base[over] = None
        missing = [
            q for q in _QUANTITIES if q not in (over, of) and q not in lines and base[q] is None
        ]
        if missing:
            raise fault(
                InputError,
                f"there is no curve of {of} over {over}: the {missing[0]} of this answer is "
                "unattainable",
                remedy=f"Follow the {missing[0]} itself, with of='{missing[0]}'",
            )
        line, options = next(iter(lines.items()), (None, [None]))
        points = list(values) if values is not None else self._range(over)
        columns: dict[str, list[Any]] = {name: [] for name in ([line] if line else []) + [over, of]}
        for option, point in itertools.product(options, points):
            asked = {**base, over: point}
            if line is not None:
                asked[line] = option
            if asked["effect"] is not None:
                asked["direction"] = None
            answer = binary(**asked)
            if line is not None:
                columns[line].append(_named(option))
            columns[over].append(point)
            columns[of].append(getattr(answer, of) if answer.attainable else None)
        frame = pd.DataFrame(columns)
        frame[of] = pd.to_numeric(frame[of])
        return Curve(frame=frame, over=over, of=of, line=line, answer=self)

    def _given(self, name: Quantity) -> Any:
        """Give the value of a quantity as it was given or found."""
        return self.asked[name] if self.asked[name] is not None else getattr(self, name)

    def _range(self, over: Quantity) -> list[float]:
        """Give points around this answer."""
        if over == "power":
            return [round(0.5 + 0.01 * i, 2) for i in range(46)]
        if over == "icc":
            return [round(0.02 * i, 2) for i in range(51)]
        if over == "cluster_size":
            top = max(8, math.ceil(2 * (self.cluster_size or 4)))
            first = 1.0 if self.cv == 0 else 1.25
            return [float(x) for x in np.linspace(first, top, 57)]
        if over == "clusters":
            middle = self.clusters or 200
            least = math.ceil(2 / min(self.allocation, 1 - self.allocation) - 1e-9)
            low, high = max(least, middle // 4), max(2 * middle, least + 20)
            return sorted({int(x) for x in np.linspace(low, high, 61)})
        room = 1 - self.baseline if self.direction == "rise" else self.baseline
        sign = 1 if self.direction == "rise" else -1
        reach = min(2 * abs(self.effect), 0.999 * room) if self.effect is not None else 0.999 * room
        return [float(sign * x) for x in np.linspace(reach / 60, reach, 60)]


def _named(option: Any) -> Any:
    """Give a value as it can stand in a frame: a list of sizes by its length and mean."""
    if isinstance(option, str) or np.ndim(option) == 0:
        return option
    return f"{len(option)} sizes, mean {np.mean(option):.2f}"


_DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 2)),
    (0, (1, 1.5)),
    (0, (6, 2, 1, 2)),
    (0, (8, 2)),
    (0, (3, 1)),
)
_GREYS = ("#000000", "#444444", "#666666", "#000000", "#444444", "#666666")


@dataclass(frozen=True, repr=False)
class Curve:
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
    answer : BinaryPower
        The calculation that the curve belongs to.
    """

    frame: pd.DataFrame
    over: Quantity
    of: Quantity
    line: str | None
    answer: BinaryPower

    def tidy(self) -> pd.DataFrame:
        """Give the frame."""
        return self.frame

    @property
    def notes(self) -> list[str]:
        """What to know about the curve."""
        return self.answer.notes[:2]

    def _table(self) -> Table:
        step = max(1, len(self.frame) // 20)
        shown = self.frame.iloc[::step]
        return Table(
            header=[_LABELS.get(str(name), str(name)) for name in shown.columns],
            rows=[[self._cell(n, v) for n, v in row.items()] for _, row in shown.iterrows()],
            title=f"{_LABELS[self.of]} over {_LABELS[self.over].lower()}",
            notes=self.notes,
        )

    @staticmethod
    def _cell(name: Any, value: Any) -> str:
        if isinstance(value, str):
            return value
        if value is None or value != value:
            return "unattainable"
        return f"{100 * value:+.2f}" if name == "effect" else f"{value:.4g}"

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()

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
        import matplotlib.pyplot as plt
        from matplotlib.ticker import PercentFormatter

        if ax is None:
            _, ax = plt.subplots(figsize=(6.3, 3.9), layout="constrained")
        scale = {name: 100.0 if name == "effect" else 1.0 for name in (self.over, self.of)}
        groups = (
            [(None, self.frame)]
            if self.line is None
            else list(self.frame.groupby(self.line, sort=False))
        )
        for i, (value, part) in enumerate(groups):
            label = (
                None
                if self.line is None
                else f"{_LABELS.get(self.line, self.line)} = {_short(value)}"
            )
            ax.plot(
                scale[self.over] * part[self.over],
                scale[self.of] * part[self.of],
                color=_GREYS[i % len(_GREYS)],
                linestyle=_DASHES[i % len(_DASHES)],
                linewidth=1.6,
                label=label,
            )
        x, y = self._point(self.over), self._point(self.of)
        low, high = self.frame[self.over].min(), self.frame[self.over].max()
        if x is not None and y is not None and low <= x <= high:
            ax.plot(
                [scale[self.over] * x],
                [scale[self.of] * y],
                "o",
                color="#000000",
                markerfacecolor="#ffffff",
                markersize=6,
                zorder=3,
                label="this calculation",
            )
        if "power" in (self.over, self.of):
            axis = ax.xaxis if self.over == "power" else ax.yaxis
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            target = self.answer.target
            if self.of == "power":
                ax.set_ylim(0, 1.02)
                if target is not None:
                    ax.axhline(
                        target, color="#888888", linewidth=0.8, linestyle=(0, (2, 2)), zorder=0
                    )
        ax.set_xlabel(_LABELS[self.over])
        ax.set_ylabel(_LABELS[self.of])
        ax.set_title(
            f"Baseline {_percent(self.answer.baseline)}, {self.answer.method} formula",
            loc="left",
            fontsize=10,
        )
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        if ax.get_legend_handles_labels()[1]:
            ax.legend(frameon=False)
        return ax

    def _point(self, name: Quantity) -> float | None:
        return None if not self.answer.attainable else getattr(self.answer, name)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, repr=False)
class Comparison:
    """Several power calculations side by side.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row a calculation.
    tables : list of Table
        The same, laid out for reading.
    notes : list of str
        What to know about them.
    """

    frame: pd.DataFrame
    tables: list[Table]
    notes: list[str]

    def tidy(self) -> pd.DataFrame:
        """Give the frame."""
        return self.frame

    def __repr__(self) -> str:
        return "\n\n".join([*(table.text() for table in self.tables), *self.notes])

    def _repr_html_(self) -> str:
        notes = Table(header=[""], rows=[], notes=self.notes).html().split("</table>")[1]
        return "".join(table.html() for table in self.tables) + notes


def table(**arguments: Any) -> Comparison:
    """Solve a power calculation for every combination of arguments.

    Parameters
    ----------
    **arguments
        Those of `binary`. A list stands for several values, and a mapping for several values with
        labels (the way to compare lists of sizes: ``cluster_size={"mean 3": 3, "as recruited": [1,
        4, 2]}``). A list given as `cluster_size` is one list of sizes.

    Returns
    -------
    Comparison
        A row a combination, in the order of the arguments, the last one changing fastest.

    Examples
    --------
    >>> import crewe as cw
    >>> known = {"baseline": 0.226, "cluster_size": 3, "power": 0.8}
    >>> grid = cw.power.table(**known, icc=[0.36, 1], clusters=286)
    >>> [round(100 * effect, 1) for effect in grid.frame["effect"]]
    [11.2, 15.1]
    """
    choices: dict[str, list[tuple[Any, Any]]] = {}
    for name, value in arguments.items():
        if isinstance(value, Mapping):
            choices[name] = list(value.items())
        elif isinstance(value, list | tuple) and name != "cluster_size":
            choices[name] = [(item, item) for item in value]
        else:
            choices[name] = [(_named(value), value)]
    rows, answers = [], []
    for combination in itertools.product(*choices.values()):
        asked = {name: value for name, (_, value) in zip(choices, combination, strict=True)}
        labels = {name: label for name, (label, _) in zip(choices, combination, strict=True)}
        answer = binary(**asked)
        answers.append(answer)
        rows.append({**_summary(answer), **labels})
    if not rows:
        raise fault(
            InputError, "an argument has no values", remedy="Give each list at least one value"
        )
    frame = pd.DataFrame(rows)
    varied = [name for name, options in choices.items() if len(options) > 1]
    solved = answers[0].solved
    body = [
        [*(_short(row[name]) for name in varied), _shown(answer, solved)]
        for row, answer in zip(rows, answers, strict=True)
    ]
    laid_out = Table(
        header=[*(_LABELS.get(name, name) for name in varied), _LABELS[solved]],
        rows=body,
        title=f"{_LABELS[solved]}, solved for",
    )
    notes = sorted({note for answer in answers for note in answer.notes[:2]})
    return Comparison(frame=frame, tables=[laid_out], notes=notes)


def _summary(answer: BinaryPower) -> dict[str, Any]:
    kept = (
        "baseline",
        "treated",
        "effect",
        "clusters",
        "power",
        "icc",
        "cluster_size",
        "cv",
        "design_effect",
        "allocation",
        "method",
        "direction",
        "distribution",
        "alpha",
        "r2",
        "ceiling",
    )
    return {name: getattr(answer, name) for name in kept}


def _shown(answer: BinaryPower, name: Quantity) -> str:
    value = getattr(answer, name)
    if not answer.attainable or value is None:
        return f"unattainable (power {_percent(answer.ceiling)})"
    if name == "effect":
        return _points(value)
    return _percent(value) if name == "power" else f"{value:.4g}"


_METHODS: tuple[Method, ...] = ("arcsine", "pooled", "unpooled")
# Appendix 6 of the report: baseline, ICC, smallest detectable effect in points.
_PRINTED = ((0.226, 1.0, 15.1), (0.226, 0.36, 11.2), (0.113, 1.0, 12.4), (0.113, 0.36, 9.1))
_FAMILIES, _CHILDREN, _CASES = 132, 326, 126


def project_crewe(sizes: Sequence[int] | None = None) -> Comparison:
    """Show the power calculation of Project Crewe: as printed, and for the trial that happened.

    The report (Heal, Nolan and Sanders, DfE RR580, 2017, Appendix 6) prints four smallest
    detectable effects. Only the arcsine formula and a rise fit all four, with 286 or 287 families
    at 1:1 (322 or 323 at 2:1): more than twice the 132 families that were recruited.

    Parameters
    ----------
    sizes : sequence of int, optional
        The number of children in each family, where they are at hand. The report does not print
        them; without them the mean sizes 3 (as planned) and 326/132 (as recruited) are shown.

    Returns
    -------
    Comparison
        `part` says which table a row belongs to: "printed", "trial" or "index cases".

    Examples
    --------
    >>> import crewe as cw
    >>> shown = cw.power.project_crewe().frame
    >>> trial = shown[(shown["part"] == "trial") & (shown["method"] == "arcsine")]
    >>> [round(100 * effect, 1) for effect in trial[trial["direction"] == "rise"]["effect"]]
    [24.3, 18.0, 24.3, 18.8]
    """
    rows: list[dict[str, Any]] = []

    def solve(part: str, label: str, printed: float = math.nan, **asked: Any) -> BinaryPower:
        answer = binary(power=0.8, **asked)
        rows.append({"part": part, "sizes": label, "printed": printed, **_summary(answer)})
        return answer

    designs = ((286, 0.5, "286 at 1:1"), (322, 2 / 3, "322 at 2:1"))
    printed = []
    for baseline, icc, points in _PRINTED:
        cells = [f"{_percent(baseline)}, ICC {icc:g}", f"{points:.1f}"]
        for clusters, share, _ in designs:
            for method in _METHODS:
                answer = solve(
                    "printed",
                    "mean 3",
                    points / 100,
                    baseline=baseline,
                    icc=icc,
                    cluster_size=3,
                    clusters=clusters,
                    allocation=share,
                    method=method,
                )
                cells.append(_plain_points(answer))
        printed.append(cells)
    choices: dict[str, Any] = {
        "mean 3": 3,
        f"mean {_CHILDREN / _FAMILIES:.2f}": _CHILDREN / _FAMILIES,
    }
    if sizes is not None:
        given = _sizes(sizes)
        if not isinstance(given, list):
            raise fault(
                InputError,
                "sizes must be a list, one number a family",
                values=[f"{given:g}"],
                remedy="Leave it out for the mean sizes",
            )
        choices[f"{len(given)} sizes given, mean {np.mean(given):.2f}"] = given
    trial = []
    for label, size in choices.items():
        families = len(size) if isinstance(size, list) else _FAMILIES
        for icc in (1.0, 0.36):
            cells = [f"{families} families, {label}, ICC {icc:g}"]
            for way in ("rise", "fall"):
                for method in _METHODS:
                    answer = solve(
                        "trial",
                        label,
                        baseline=0.226,
                        icc=icc,
                        cluster_size=size,
                        clusters=families,
                        allocation=2 / 3,
                        method=method,
                        direction=way,
                    )
                    cells.append(_plain_points(answer))
            trial.append(cells)
    rates = ((0.226, "report"), (0.273, "North East"), (0.234, "England"))
    index = []
    for baseline, name in rates:
        cells = [f"{_percent(baseline)} ({name})"]
        children = {"icc": 0.36, "cluster_size": _CHILDREN / _FAMILIES, "clusters": _FAMILIES}
        cases = {"icc": 0.0, "cluster_size": 1, "clusters": _CASES}
        for label, units in ((f"{_CHILDREN} children", children), (f"{_CASES} index cases", cases)):
            for way in ("rise", "fall"):
                answer = solve(
                    "index cases",
                    label,
                    baseline=baseline,
                    allocation=2 / 3,
                    direction=way,
                    **units,
                )
                cells.append(_plain_points(answer))
        index.append(cells)
    by_method = [f"{design[2]}: {method}" for design in designs for method in _METHODS]
    tables = [
        Table(
            header=["Baseline", "printed", *by_method],
            rows=printed,
            title="Smallest detectable rise in points at 80% power, families of 3: printed and "
            "worked out",
        ),
        Table(
            header=["Trial at 2:1, baseline 22.6%"]
            + [f"{way}: {method}" for way in ("rise", "fall") for method in _METHODS],
            rows=trial,
            title="What the trial that happened could detect, in points at 80% power",
        ),
        Table(
            header=["Baseline"]
            + [
                f"{label}: {way}"
                for label in (f"{_CHILDREN} children", f"{_CASES} index cases")
                for way in ("rise", "fall")
            ],
            rows=index,
            title="Children (ICC 0.36) and index cases (one a family), arcsine, 2:1, points at "
            "80% power",
        ),
    ]
    notes = [
        "Two-sided 5% level, normal distribution, both tails counted as power. — : no rate "
        "between 0 and "
        "100% would be found with 80% power.",
        "Of the three formulas only arcsine, and of the two directions only a rise, fits all "
        "four printed "
        "effects: with 286 or 287 families at 1:1, 322 or 323 at 2:1, 340 or 341 at 70:30.",
        "That the report's 132 cases are families with 326 children is an inference; it does "
        "not print the "
        "size of each family.",
    ]
    return Comparison(frame=pd.DataFrame(rows), tables=tables, notes=notes)


def _plain_points(answer: BinaryPower) -> str:
    return "—" if answer.effect is None else f"{100 * answer.effect:.1f}".replace("-", "−")

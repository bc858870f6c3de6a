"""What covariate-constrained randomisation accepts, and whether it is valid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe.frames.source import build
from crewe.plots import style
from crewe.tables.display import Table
from crewe.tables.printable import Printable
from crewe.tables.wording import carry, worded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crewe import _core
    from crewe.design.design import Design

Floats = NDArray[np.float64]


@dataclass(repr=False)
class Acceptance(Printable):
    """The assignments that a constrained design accepts, from ``design.constrained(frame)``.

    Attributes
    ----------
    candidates : int
        How many assignments were looked at.
    enumerated : bool
        Whether these are all that are possible; else they are a sample, fixed by the seed.
    accepted : int
        How many are accepted, ties with the last one included.
    minimum, mean, maximum : float
        Of the candidates' balance scores.
    cutoff : float
        The largest score that is accepted.
    scores : array, shape (candidates,)
        The balance score of each.
    units : list of str
        The canonical identifiers of the units.
    probability : array, shape (units, arms)
        Every unit's probability of every arm.
    coincidence : array, shape (units, units)
        The probability that two units are in the same arm.
    together, apart : list of (str, str)
        Pairs of units that are always, and never, in the same arm.
    notes : list of str
        What a reader should know.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> sites = pd.DataFrame({"site": range(8), "need": [1, 2, 3, 4, 6, 7, 8, 9]})
    >>> method = cw.Constrained(on=["need"], keep=0.25)
    >>> arms = {"usual": 1, "new": 1}
    >>> design = cw.Design("Sites", arms=arms, unit="site", method=method, seed=1)
    >>> found = design.constrained(sites)
    >>> found.candidates, found.accepted
    (70, 20)
    """

    trial: str
    arms: list[str]
    units: list[str]
    enumerated: bool
    accepted: int
    minimum: float
    mean: float
    maximum: float
    cutoff: float
    scores: Floats
    probability: Floats
    coincidence: Floats
    together: list[tuple[str, str]]
    apart: list[tuple[str, str]]
    _kind: tuple[Any, bool] = field(default=(None, False))

    @classmethod
    def _of(cls, design: Design, found: _core.Acceptance, kind: tuple[Any, bool]) -> Acceptance:
        made = cls(
            trial=design.name,
            arms=list(design.arms),
            units=found.units,
            enumerated=found.enumerated,
            accepted=found.accepted,
            minimum=found.minimum,
            mean=found.mean,
            maximum=found.maximum,
            cutoff=found.cutoff,
            scores=found.scores,
            probability=found.probability,
            coincidence=found.coincidence,
            together=found.together,
            apart=found.apart,
            _kind=kind,
        )
        return carry(made, design.labels)

    @property
    def candidates(self) -> int:
        """How many assignments were looked at."""
        return len(self.scores)

    @property
    def notes(self) -> list[str]:
        """What a reader should know."""
        notes = []
        if not self.enumerated:
            notes.append("the candidates are a sample, which the design's seed fixes")
        for pairs, how in ((self.together, "always"), (self.apart, "never")):
            if pairs:
                shown = ", ".join(f"{first} and {second}" for first, second in pairs[:3])
                more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
                notes.append(
                    f"{len(pairs)} pairs of units are {how} in the same arm ({shown}{more}): the "
                    "randomisation is not valid in Bailey's sense; keep a larger share or balance "
                    "fewer covariates"
                )
        return notes

    def tidy(self) -> Any:
        """Give a row for each unit and arm: unit, arm, probability."""
        columns = {
            "unit": [unit for unit in self.units for _ in self.arms],
            "arm": self.arms * len(self.units),
            "probability": self.probability.ravel(),
        }
        return build(columns, self._kind[0], lazy=self._kind[1])

    def table(self) -> Table:
        """Scores, acceptance, probabilities and coincidences."""
        which = "possible" if self.enumerated else "sampled"
        rows: list[list[Any]] = [
            [f"{which} assignments", self.candidates],
            ["accepted", self.accepted],
            ["score: minimum", self.minimum],
            ["score: mean", self.mean],
            ["score: maximum", self.maximum],
            ["score: cutoff", self.cutoff],
        ]
        for place, arm in enumerate(self.arms):
            chance = self.probability[:, place]
            rows.append([f"probability of {worded(arm)}", _range(chance)])
        pairs = self.coincidence[np.triu_indices(len(self.units), 1)]
        rows += [
            ["probability of the same arm", _range(pairs)],
            ["pairs always together", len(self.together)],
            ["pairs never together", len(self.apart)],
        ]
        title = f"{self.trial}: covariate-constrained randomisation"
        return Table(["", "value"], rows, title=title, notes=self.notes, digits=3)

    @style.printed()
    def plot(self, ax: Any = None) -> Axes:
        """Draw the histogram of scores, with the cutoff."""
        if ax is None:
            _, ax = style.figure()
        finite = self.scores[np.isfinite(self.scores)]
        ax.hist(finite, bins=50, color="#e4e4e4", edgecolor="#6b6b6b", linewidth=0.6)
        ax.axvline(self.cutoff, color="#0b4f8a", linewidth=1.2)
        ax.annotate(
            f"cutoff {self.cutoff:.3g}: {self.accepted:,} of {self.candidates:,} accepted",
            (self.cutoff, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -10),
            textcoords="offset points",
        )
        ax.set_xlabel("balance score (smaller is better)")
        ax.set_ylabel("assignments")
        style.alt_text(
            ax,
            f"Histogram of the balance scores of {self.candidates:,} assignments, from "
            f"{self.minimum:.3g} to {self.maximum:.3g}; the {self.accepted:,} that score at most "
            f"{self.cutoff:.3g} are accepted.",
        )
        axes: Axes = ax
        return axes

    def _panels(self) -> list[Table]:
        return [self.table()]


def _range(values: Floats) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.3f}" if high - low < 1e-12 else f"{low:.3f} to {high:.3f}"

"""How well arms can be guessed and how uneven they become: what a procedure is chosen by."""

from __future__ import annotations

import operator
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crewe import _core
from crewe._core import read_seed
from crewe.design.keys import Key
from crewe.exceptions import DesignError, fault, said
from crewe.frames.arguments import checked
from crewe.frames.source import Source
from crewe.parallel import spread
from crewe.plots import style as _style
from crewe.tables.display import Table
from crewe.tables.printable import Printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crewe.design.design import Design

_LEAST = 500
"""The fewest simulated trials that are worth sending to a worker."""

_RATES = {
    "chance": "Right guesses, knowing the ratio alone",
    "guess": "Right guesses, remembering the arms",
    "informed": "Right guesses, knowing the procedure",
    "certain": "Arms that are certain",
}
_DEVIATIONS = {
    "end_mean": "Units off the ratio at the end, mean",
    "end_max": "Units off the ratio at the end, largest",
    "worst_mean": "Units off the ratio at any time, mean",
    "worst_max": "Units off the ratio at any time, largest",
    "stratum_mean": "Units off the ratio in a stratum, mean",
    "stratum_max": "Units off the ratio in a stratum, largest",
}
_NOTE = (
    "Remembering the arms: the arm most behind its ratio in the stratum is guessed (Blackwell and "
    "Hodges 1957). Knowing the procedure: the most probable arm is guessed, given also what the "
    "procedure hides (the size of the present block); no guesser does better."
)


@dataclass(frozen=True, repr=False)
class Predictability(Printable):
    """How predictable a procedure is, and how even it keeps the arms.

    Attributes
    ----------
    procedure : str
        The procedure in words.
    arms : dict of str to int
        The arms and their shares of the ratio.
    n, sims : int
        The number of arrivals in each simulated trial, and of trials.
    chance : float
        The rate of right guesses of who knows the ratio alone: the largest arm's share.
    guess, guess_se : float
        The rate for the convergence strategy of Blackwell and Hodges (1957,
        doi:10.1214/aoms/1177706973): guess the arm that is most behind its ratio in the stratum
        (ties in proportion to the shares); and its standard error over the trials.
    informed, informed_se : float
        The rate of who knows the procedure and all that it hides (the size of the present block,
        which fake arms stood for the arms), and guesses the most probable arm.
    certain : float
        The share of arrivals whose arm such a person knows for certain.
    end_mean, end_max : float
        ``max_j |n_j - N r_j / R|`` at the end of the trial: mean and largest over the trials.
    worst_mean, worst_max : float
        The same at the time when it is largest.
    stratum_mean, stratum_max : float
        The same at the end, within the stratum where it is largest.
    notes : list of str
        What a reader should know.
    """

    procedure: str
    arms: dict[str, int]
    n: int
    sims: int
    chance: float
    guess: float
    guess_se: float
    informed: float
    informed_se: float
    certain: float
    end_mean: float
    end_max: float
    worst_mean: float
    worst_max: float
    stratum_mean: float
    stratum_max: float
    notes: list[str] = field(default_factory=list)

    def tidy(self) -> pd.DataFrame:
        """Give the numbers as a frame with the columns term, estimate and std_error."""
        values = asdict(self)
        terms = [*_RATES, *_DEVIATIONS]
        errors = [values.get(f"{term}_se", float("nan")) for term in terms]
        return pd.DataFrame(
            {"term": terms, "estimate": [values[term] for term in terms], "std_error": errors}
        )

    def table(self) -> Table:
        """Give the table that is printed."""
        rows = [[label, f"{getattr(self, name):.1%}"] for name, label in _RATES.items()]
        rows += [[label, f"{getattr(self, name):.2f}"] for name, label in _DEVIATIONS.items()]
        title = f"{_title(self)}: {self.procedure}"
        return Table(["", "Value"], rows, title=title, notes=[_NOTE, *self.notes])

    def _panels(self) -> list[Table]:
        return [self.table()]


@dataclass(frozen=True, repr=False)
class PredictabilityComparison(Printable):
    """Procedures side by side, in the order in which they were given.

    Attributes
    ----------
    results : list of Predictability
        One result a procedure.
    notes : list of str
        What a reader should know.
    """

    results: list[Predictability]
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Predictability]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, place: int) -> Predictability:
        return self.results[place]

    def tidy(self) -> pd.DataFrame:
        """Give the numbers as a frame with the columns procedure, term, estimate, std_error."""
        frames = [found.tidy().assign(procedure=found.procedure) for found in self.results]
        columns = ["procedure", "term", "estimate", "std_error"]
        return pd.concat(frames, ignore_index=True).loc[:, columns]

    def table(self) -> Table:
        """Give the table that is printed: a row a procedure."""
        header = [
            "Procedure",
            "Guessed",
            "Guessed, informed",
            "Certain",
            "Off at the end",
            "Off at worst",
            "Largest",
        ]
        rows = [
            [
                found.procedure,
                f"{found.guess:.1%}",
                f"{found.informed:.1%}",
                f"{found.certain:.1%}",
                f"{found.end_mean:.2f}",
                f"{found.worst_mean:.2f}",
                f"{found.worst_max:.1f}",
            ]
            for found in self.results
        ]
        first = self.results[0]
        return Table(header, rows, title=_title(first), notes=[*_units(first), *self.notes])

    def plot(self) -> tuple[Axes, Axes]:
        """Draw the two sides of the choice: right guesses, and units off the ratio.

        Returns
        -------
        tuple of two matplotlib Axes
            A row a procedure; on the left the rate of right guesses, on the right the mean
            deviation from the ratio.
        """
        with _style.printed():
            height = 38 + 9 * len(self.results)
            _, (left, right) = _style.figure(height_mm=height, ncols=2, sharey=True)
            sides = {
                "remembering the arms": [100 * found.guess for found in self.results],
                "knowing the procedure": [100 * found.informed for found in self.results],
            }
            chance = 100 * self.results[0].chance
            left.axvline(chance, color=_style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)))
            self._dots(left, sides, "Right guesses, %")
            off = {
                "at the end": [found.end_mean for found in self.results],
                "at any time": [found.worst_mean for found in self.results],
            }
            self._dots(right, off, "Units off the ratio, mean")
            right.set_xlim(left=-0.04 * max(off["at any time"]))
            names = [textwrap.fill(found.procedure, 32) for found in self.results]
            left.set_yticks(range(len(names)), names)
            left.set_ylim(len(self.results) - 0.4, -0.6)
            rows = [
                f"{found.procedure}: {found.guess:.0%} right guesses by who remembers the arms, "
                f"{found.informed:.0%} by who knows the procedure, {found.worst_mean:.1f} units off"
                for found in self.results
            ]
            told = f"{_title(self.results[0])}. {'; '.join(rows)}. Dashed: {chance:.0f}%, "
            told += "knowing the ratio alone."
            _style.alt_text(left, told)
        axes: tuple[Axes, Axes] = (left, right)
        return axes

    @staticmethod
    def _dots(ax: Axes, sides: dict[str, list[float]], words: str) -> None:
        """Draw two markers a row, joined."""
        styles = _style.arm_styles(list(sides))
        for row, pair in enumerate(zip(*sides.values(), strict=True)):
            ax.plot(pair, [row, row], color=_style.RULE, linewidth=2, zorder=1)
        for name, values in sides.items():
            style = styles[name]
            ax.plot(
                values,
                range(len(values)),
                linestyle="none",
                marker=style.marker,
                markerfacecolor=style.face,
                markeredgecolor=style.colour,
                clip_on=False,
                label=name,
            )
        ax.set_xlabel(words)
        # One under the other: two panels leave no room for a line of words.
        ax.legend(loc="lower left", bbox_to_anchor=(-0.04, 1.0), borderpad=0.1, handletextpad=0.2)

    def _panels(self) -> list[Table]:
        return [self.table()]


def measure(
    design: Design,
    n: int | None,
    frame: Any,
    order: str | None,
    strata: int | None,
    levels: int | Mapping[str, int],
    sims: int,
    seed: int | Key | None,
    executor: Executor | None,
) -> Predictability:
    """Simulate trials of a design; see :meth:`crewe.Design.predictability`."""
    if (n is None) == (frame is None):
        raise fault(
            DesignError,
            "predictability needs either a number of arrivals or the units themselves",
            remedy="Pass n=132, or frame=... with order=...",
        )
    design._need_seed()
    sims = max(operator.index(sims), 0)
    units = None if frame is None else design._units(Source(frame), order)
    expected = _Expected(
        design,
        units,
        (
            0 if n is None else _whole(n, "the number of arrivals"),
            1 if strata is None else _whole(strata, "the number of strata"),
            tuple(_levels(design, levels)),
        ),
        seed,
    )
    if executor is None or sims < 2:
        trials = expected.trials(0, sims)
    else:
        trials = np.concatenate(spread(executor, expected.trials, sims, _LEAST, "simulated trials"))
    found = design._core().predictability(units, expected.imagined, trials)
    notes = found.notes
    if frame is None and strata is None and design.strata:
        notes.append(
            "simulated as one stratum: pass strata= (how many there are) or the units as frame="
        )
    return Predictability(
        procedure=str(design.method),
        arms=design.arms,
        n=found.n,
        sims=found.sims,
        chance=found.chance,
        guess=found.guess,
        guess_se=found.guess_se,
        informed=found.informed,
        informed_se=found.informed_se,
        certain=found.certain,
        end_mean=found.end_mean,
        end_max=found.end_max,
        worst_mean=found.worst_mean,
        worst_max=found.worst_max,
        stratum_mean=found.stratum_mean,
        stratum_max=found.stratum_max,
        notes=notes,
    )


@dataclass(frozen=True)
class _Expected:
    """A design and who is expected to arrive, as they travel to those who simulate."""

    design: Design
    units: _core.Units | None
    imagined: tuple[int, int, tuple[int, ...]]
    seed: int | Key | None

    def trials(self, first: int, end: int) -> NDArray[np.float64]:
        """Simulate the trials of these numbers, in whatever process this is."""
        if self.seed is None:
            self.design._need_seed()
        core = self.design._core()
        return core.predictability_trials(self.units, self.imagined, (first, end), self.seed)


@checked
def predictability(
    designs: Sequence[Design],
    n: int | None = None,
    *,
    frame: Any = None,
    order: str | None = None,
    strata: int | None = None,
    levels: int | Mapping[str, int] = 2,
    sims: int = 10_000,
    seed: int | Key | None = None,
    executor: Executor | None = None,
) -> PredictabilityComparison:
    """Compare procedures by how well arms can be guessed and how even they stay.

    Parameters
    ----------
    designs : sequence of Design
        Designs with the same arms and ratio, each with its procedure.
    n, frame, order, strata, levels, sims, seed
        As for :meth:`crewe.Design.predictability`, the same for every design.
    executor : concurrent.futures.Executor, optional
        What shares the simulated trials among processes or machines, with the same result; a secret
        key is sent nowhere.

    Returns
    -------
    PredictabilityComparison
        One row a procedure.

    Raises
    ------
    DesignError
        For no designs, and designs whose arms differ.

    Examples
    --------
    >>> import crewe as cw
    >>> def design(method):
    ...     arms = {"control": 1, "crewe": 1}
    ...     return cw.Design("trial", arms=arms, cluster="family_id", method=method, seed=1)
    >>> methods = [cw.Simple(), cw.Blocks([2])]
    >>> both = cw.predictability([design(m) for m in methods], n=20, sims=100)
    >>> [found.certain for found in both]
    [0.0, 0.5]
    """
    try:
        seed = read_seed(seed)
    except BaseException:
        # It may be a secret: no traceback shows it.
        del seed
        raise
    designs = list(designs)
    arms = {tuple(design.arms.items()) for design in designs}
    if len(arms) != 1:
        raise fault(
            DesignError,
            "procedures are compared for designs of the same arms and ratio",
            values=[str(dict(one)) for one in sorted(arms)],
            remedy="Give at least one design, and change nothing but the method",
        )
    results = [
        measure(design, n, frame, order, strata, levels, sims, seed, executor) for design in designs
    ]
    notes: list[str] = []
    for found in results:
        notes += [f"{found.procedure}: {note}" for note in found.notes]
    return PredictabilityComparison(results, notes)


def _levels(design: Design, levels: int | Mapping[str, int]) -> list[int]:
    """Give the number of levels of each factor of a procedure that draws one arrival after the other."""
    columns = design.method.factor_columns if design.method.needs_order else []
    if not columns:
        return []
    if not isinstance(levels, Mapping):
        return [_whole(levels, "the number of levels")] * len(columns)
    if set(levels) != set(columns):
        raise fault(
            DesignError,
            "levels must name every factor of the procedure and nothing else",
            values=sorted(set(levels) ^ set(columns)),
            remedy=f"The factors are {', '.join(columns)}",
        )
    return [_whole(levels[column], "the number of levels") for column in columns]


def _whole(value: object, what: str) -> int:
    """Read a whole number of at least 1."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if isinstance(value, bool) or not 1 <= number < 2**32:
        raise fault(
            DesignError,
            f"{what} must be a whole number of at least 1",
            values=[said(value)],
            remedy="Give a whole number",
        )
    return number


def _title(found: Predictability) -> str:
    ratio = ":".join(str(share) for share in found.arms.values())
    return f"Predictability at {ratio}, {found.n:,} arrivals, {found.sims:,} simulated trials"


def _units(found: Predictability) -> list[str]:
    off = (
        "Off: units by which an arm differs from its ratio, the arm where that is most. "
        f"Knowing the ratio alone, {found.chance:.1%} of guesses are right."
    )
    return [_NOTE, off]

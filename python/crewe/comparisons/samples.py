"""What tests without a model share: results that print themselves, samples out of a formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crewe import _core
from crewe.exceptions import InputError, fault
from crewe.formula import parse as parsing
from crewe.formula.names import split, unquoted
from crewe.frames import cells
from crewe.frames.source import Source, build, numbers
from crewe.frames.synthetic import marked
from crewe.models.request import by_arm, need_formula, numeric, read
from crewe.tables.display import Table, number
from crewe.tables.printable import Printable
from crewe.tables.wording import worded

Floats = NDArray[np.float64]

COLUMNS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")


@dataclass(repr=False)
class Result(Printable):
    """What every result of this module offers.

    Attributes
    ----------
    level : float
        The coverage of the intervals.
    notes : list of str
        What the reader must know.
    synthetic : bool
        Whether the data are synthetic, which every table and figure then says.
    """

    level: float = 0.95
    notes: list[str] = field(default_factory=list)
    synthetic: bool = False
    implementation: Any = field(default=None, repr=False)

    def _rows(self) -> list[dict[str, Any]]:
        """Give the rows of `tidy()`; what is not given there is NaN."""
        raise NotImplementedError

    def table(self) -> Table:
        """Give the table that is printed."""
        raise NotImplementedError

    def methods(self) -> list[str]:
        """Say in sentences how the numbers were worked out."""
        return []

    def tidy(self) -> Any:
        """Give one row a term, as a frame of the kind that came in.

        The columns are term, estimate, std_error, statistic, df, p_value, conf_low and conf_high,
        then what this result has beyond them.
        """
        rows = self._rows()
        extra = [name for name in rows[0] if name not in ("term", *COLUMNS)]
        columns: dict[str, Any] = {"term": [row["term"] for row in rows]}
        for name in COLUMNS:
            columns[name] = np.array([row.get(name, np.nan) for row in rows], dtype=np.float64)
        for name in extra:
            columns[name] = [row[name] for row in rows]
        return build(columns, self.implementation, synthetic=self.synthetic)

    def _titled(self, title: str) -> str:
        return title + (" (SYNTHETIC data)" if self.synthetic else "")

    def _panels(self) -> list[Table]:
        return [self.table()]


def interval_heading(level: float) -> str:
    """Head the column of intervals."""
    return f"{100 * level:g}% interval"


def spread(low: float, high: float, digits: int = 3) -> str:
    """Print an interval."""
    return f"{number(low, digits)} to {number(high, digits)}"


def percent(value: float) -> str:
    """Print a share as a percentage."""
    return "–" if value != value else f"{100 * value:.1f}%"


def percents(low: float, high: float) -> str:
    """Print an interval of shares as percentages."""
    return f"{100 * low:.1f} to {100 * high:.1f}%"


@dataclass
class Samples:
    """Two samples; the first arm is the reference, the second is compared with it."""

    outcome: str
    arms: tuple[str, str]
    reference: Floats
    treated: Floats
    notes: list[str]
    implementation: Any = None
    synthetic: bool = False
    words: Mapping[str, str] = field(default_factory=dict)
    by: str = "arm"


def vector(values: Any, name: str) -> Floats:
    """Read one sample as numbers without gaps."""
    array = np.ascontiguousarray(
        numbers(values, name, "Pass a list or an array of numbers, or a formula with data")
    )
    if array.ndim != 1:
        raise fault(
            InputError,
            f"{name} has {array.ndim} dimensions",
            remedy="Pass one list of numbers for each sample",
        )
    return array


def two_sides(formula: str) -> tuple[str, list[str]]:
    """Give the outcome and the columns right of the tilde; none where there is no tilde."""
    parsing.need_text(formula)
    if len(split(formula, "~")) == 1:
        return unquoted(formula), []
    left, right = parsing.parse(formula)
    return unquoted(left), [unquoted(term) for term in split(right, "+")]


def samples_of(
    formula: str,
    data: Any,
    reference: Any = None,
    *,
    design: Any = None,
    cluster: Any = None,
    missing: str = "drop",
    tests: str = "rank tests",
    instead: str = "rank_sum",
) -> Samples:
    """Read two samples of independent rows out of a formula; `instead` is the statistic that siblings are compared by."""
    if "~" not in formula:
        parsing.parse(formula)
    outcome, right = two_sides(formula)
    if len(right) != 1:
        raise fault(
            InputError,
            "a comparison of two samples takes one arm and no covariates",
            values=right,
            remedy=f"Write '{outcome} ~ arm', or use cw.ols for covariates",
        )
    arm = right[0]
    asked = read(data, right, design=design, cluster=cluster, missing=missing)
    values = numeric(asked.source, outcome)
    arms = asked.arms(arm, reference)
    levels, codes = arms
    need_two(levels, arm)
    gone = np.isnan(values)
    kept, dropped = asked.kept({outcome: gone, arm: codes < 0})
    notes = list(asked.notes)
    if dropped:
        notes.append(
            f"rows without {outcome}, left out by arm: {by_arm(arms, gone & (codes >= 0))}"
        )
        if (codes < 0).any():
            notes.append(f"rows without {arm}, left out: {int((codes < 0).sum())}")
    notes += asked.refuse_families(
        kept, tests, f"{instead!r}, data, assignment, outcome={outcome!r}"
    )
    return Samples(
        outcome,
        (levels[0], levels[1]),
        np.ascontiguousarray(values[kept & (codes == 0)]),
        np.ascontiguousarray(values[kept & (codes == 1)]),
        notes,
        kind_of(asked.source),
        asked.synthetic,
        asked.words,
        arm,
    )


def need_two(levels: list[str], arm: str) -> None:
    """Refuse more or fewer arms than two."""
    if len(levels) != 2:
        raise fault(
            InputError,
            f"the comparison needs two arms, and there {'is' if len(levels) == 1 else 'are'} {len(levels)}",
            column=arm,
            labels=levels,
            remedy="Keep the rows of two arms",
        )


def check_alternative(alternative: str) -> None:
    """Refuse an unknown alternative."""
    _core.check_word("alternative", str(alternative))


def tail_rule(alternative: str, treated: str, reference: str) -> str:
    """Say which side a one-sided test looks at."""
    word = "larger" if alternative == "greater" else "smaller"
    return f"one-sided: {worded(treated)} {word} than {worded(reference)}"


def two_arrays(x: Any, y: Any, design: Any = None, cluster: Any = None, by: Any = None) -> Samples:
    """Read two samples given as arrays."""
    if y is None:
        raise fault(InputError, "the second sample is missing", remedy="Pass both: x first, then y")
    need_formula(design, cluster, by)
    first, second = vector(x, "x"), vector(y, "y")
    made_up = marked(x) or marked(y)
    return Samples("score", ("y", "x"), second, first, [], synthetic=made_up)


def source_of(data: Any) -> Source:
    """Read the data of a formula."""
    if data is None:
        raise fault(InputError, "a formula needs data", remedy="Pass the data frame second")
    return Source(data)


def kind_of(source: Source | None) -> Any:
    """Give the kind of frame that results go back in."""
    return None if source is None else source._implementation


def count(value: Any, name: str) -> int:
    """Read a whole number of people."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole and isinstance(value, float | np.floating):
        whole = float(value).is_integer()
    if not whole or value < 0:
        raise fault(
            InputError,
            f"{name} must be counts: whole numbers from 0 up",
            values=[str(value)],
            remedy="Pass the number of cases, not a rate",
        )
    return int(value)


def events_of(source: Source, name: str) -> Floats:
    """Read a column of 0 and 1."""
    values = numeric(source, name)
    off = np.flatnonzero(~np.isnan(values) & (values != 0) & (values != 1))
    if len(off):
        raise fault(
            InputError,
            "the event must be 0 or 1",
            column=name,
            rows=[int(row) for row in off],
            labels=sorted({cells.label_of(values[row]) for row in off}),
            remedy="Recode it: 1 where the event happened",
        )
    return values

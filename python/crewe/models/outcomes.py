"""What CONSORT 2025 asks of every outcome (item 26): by arm who was randomised, had data and was analysed, and the effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crewe.exceptions import CreweError, InputError, fault
from crewe.formula.names import unquoted
from crewe.formula.parse import variables
from crewe.frames import cells
from crewe.frames.arguments import checked
from crewe.frames.choices import AveragedOver
from crewe.frames.source import Source, build
from crewe.models.groups import FitGroup
from crewe.models.linear import Linear
from crewe.models.margins import Margins
from crewe.tables.counts import Count, Counted, Told, cell, counted
from crewe.tables.display import Table, number, p_value
from crewe.tables.labels import fixed, sentence, share, signed
from crewe.tables.printable import Printable
from crewe.tables.wording import carry, worded, words_of

if TYPE_CHECKING:
    from crewe.design.assignment import Assignment


@checked
def outcome_table(
    fits: Linear | Mapping[str, Linear],
    data: Any,
    *,
    design: Assignment | None = None,
    arm: str = "arm",
    at: AveragedOver = "observed",
    level: float | None = None,
    title: str = "",
) -> OutcomeTable:
    """Put each outcome by arm: numbers randomised, with data and analysed, the result, and the effect.

    The result of an arm is its predicted level over all analysed rows, and the absolute effect the difference of its
    level from the first arm's; of an outcome of 0 and 1 the relative effect is the ratio of the two (the risk ratio), on
    the log scale by the delta method. Covariance and degrees of freedom are those of the fit.

    Parameters
    ----------
    fits : fit, or mapping of str to fit
        One model an outcome, made from a formula: `cw.ols`, `cw.logit` or `cw.probit`. The keys name the outcomes.
    data : data frame
        All rows randomised, also those without the outcome: its rows with a value of the outcome are counted by arm.
    design : Assignment, optional
        The trial: who was randomised to each arm, in units and rows. `data` then need not hold the arm.
    arm : str
        The variable of the models that holds the arm.
    at : {"observed", "means"}
        As in `margins`: predictions averaged over all analysed rows, or the prediction at the means.
    level : float, optional
        Of the intervals; that of each fit otherwise.
    title : str
        The caption.

    Returns
    -------
    OutcomeTable
        `tidy()` has one row an outcome and arm.

    Raises
    ------
    InputError
        Where there is no fit, a fit is no linear predictor made from a formula, or the outcome is not in `data`.
    DesignError
        Where rows of `data` are of units that were not randomised.

    References
    ----------
    Hopewell et al. (2025), CONSORT 2025 statement, BMJ 389, e081123, doi:10.1136/bmj-2024-081123, item 26.

    Examples
    --------
    >>> import crewe as cw
    >>> cases = cw.datasets.project_crewe(seed=2017).cases
    >>> fit = cw.ols("closed ~ arm + history", cases[cases["analysed"] == 1], cluster="family_id")
    >>> table = cw.outcome_table({"Closed": fit}, cases)
    >>> table.tidy()[["arm", "with_data", "analysed"]].values.tolist()
    [['control', 45, 45], ['crewe', 83, 83]]
    """
    if isinstance(fits, FitGroup):
        raise fault(
            InputError,
            f"fits by '{fits.by}' are of one outcome in several groups, and rows are counted over all of them",
            remedy="Give the fit of one group with the rows of that group",
        )
    if isinstance(fits, Sequence):
        raise fault(
            InputError,
            "several fits need the names of their outcomes",
            remedy="Give a mapping: {'Closed': fit, 'Re-referred': other}",
        )
    named = dict(fits) if isinstance(fits, Mapping) else {"": fits}
    if not named:
        raise fault(InputError, "there is no fit", remedy="Give at least one model of an outcome")
    for name, fit in named.items():
        if not isinstance(fit, Linear):
            raise fault(
                InputError,
                f"{name or 'the model'} is a {type(fit).__name__}, which gives no level of the outcome by arm",
                remedy="Give fits of cw.ols, cw.logit or cw.probit; a Cox model's hazard ratio is in its own table",
            )
    source = Source(data)
    randomised = None if design is None else _randomised(design)
    rows: list[_Row] = []
    notes: list[str] = []
    sources = []
    for name, fit in named.items():
        levels = fit.margins(arm, at=at, level=level)
        called = name or levels.outcome
        sources.append(levels)
        ratios = None
        if _is_binary(fit):
            try:
                ratios = fit.margins(arm, at=at, level=level, compare="ratio")
            except CreweError as error:
                notes.append(f"{called}: no relative effect, for {error.problem}")
        with_data = _with_data(source, fit, arm, design, levels)
        found = _rows(called, levels, ratios, _events(fit, arm), with_data, randomised)
        rows += found
        fewer = [row.arm for row in found if row.with_data < row.analysed]
        if fewer:
            raise fault(
                InputError,
                f"the data hold fewer rows of '{fewer[0]}' with {called} than the model analysed",
                remedy="Pass all rows randomised, those of the model among them",
            )
        notes += [f"{called}: {note}" if len(named) > 1 else note for note in levels.notes]
    first = sources[0]
    made = OutcomeTable(
        rows=rows,
        unit=None if design is None else design.noun,
        confidence=first.confidence,
        title=title or "Outcomes by arm",
        notes=list(dict.fromkeys(notes)),
        synthetic=any(fit.synthetic for fit in named.values()),
        sources=sources,
        implementation=source._implementation,
    )
    return carry(made, {**words_of(list(named.values())), **words_of(design)})


@dataclass
class _Row:
    """One outcome in one arm."""

    outcome: str
    arm: str
    randomised_units: int | None
    randomised: int | None
    with_data: int
    analysed: int
    events: int | None
    level: dict[str, float]
    difference: dict[str, float] | None
    ratio: dict[str, float] | None

    @property
    def binary(self) -> bool:
        return self.events is not None

    def count(self, what: str, value: int) -> Count:
        return counted(value, {"arm": self.arm, self.outcome: what})

    def behind(self) -> tuple[Count, ...]:
        """Give the counts that a level of the arm gives away: of 0 and 1 those who have it and those who do not."""
        analysed = self.count("analysed", self.analysed)
        if self.events is None:
            return (analysed,)
        others = self.analysed - self.events
        return (self.count("1", self.events), analysed, self.count("0", others))


@dataclass(repr=False)
class OutcomeTable(Printable):
    """Each outcome by arm, ready to print.

    Attributes
    ----------
    title : str
        The caption.
    confidence : float
        The coverage of the intervals.
    unit : str or None
        What was randomised, where a design was given.
    notes : list of str
        What a reader must know.
    sources : list of Margins
        The levels that the results are.
    """

    rows: list[_Row] = field(repr=False)
    unit: str | None
    confidence: float
    title: str
    notes: list[str]
    synthetic: bool
    sources: list[Margins] = field(repr=False)
    implementation: Any = field(repr=False, default=None)

    def tidy(self) -> Any:
        """Give one row an outcome and arm.

        `outcome, arm, randomised_units, randomised, with_data, analysed`; the level as `estimate, std_error, df, conf_low,
        conf_high`; the absolute effect as `difference, difference_std_error, difference_df, difference_low, difference_high,
        p_value`; the relative one as `ratio, ratio_low, ratio_high`. What an arm does not have is missing.
        """
        nothing = float("nan")
        columns: dict[str, list[Any]] = {
            "outcome": [row.outcome for row in self.rows],
            "arm": [row.arm for row in self.rows],
        }
        if self.unit is not None:
            columns["randomised_units"] = [row.randomised_units for row in self.rows]
            columns["randomised"] = [row.randomised for row in self.rows]
        columns["with_data"] = [row.with_data for row in self.rows]
        columns["analysed"] = [row.analysed for row in self.rows]
        for key in ("estimate", "std_error", "df", "conf_low", "conf_high"):
            columns[key] = [row.level[key] for row in self.rows]
        for name, key in (
            ("difference", "estimate"),
            ("difference_std_error", "std_error"),
            ("difference_df", "df"),
            ("difference_low", "conf_low"),
            ("difference_high", "conf_high"),
            ("p_value", "p_value"),
        ):
            columns[name] = [(row.difference or {}).get(key, nothing) for row in self.rows]
        for name, key in (
            ("ratio", "estimate"),
            ("ratio_low", "conf_low"),
            ("ratio_high", "conf_high"),
        ):
            columns[name] = [(row.ratio or {}).get(key, nothing) for row in self.rows]
        return build(columns, self.implementation)

    def methods(self) -> list[str]:
        """Say in plain sentences what was done."""
        said = [
            "With data: rows with a value of the outcome. Analysed: rows in the model of the outcome, each in the arm to "
            "which it was randomised.",
            "Relative effect: the ratio of the levels of an outcome of 0 and 1, with its interval on the log scale by the "
            "delta method.",
        ]
        return list(
            dict.fromkeys([*said, *(one for source in self.sources for one in source.methods())])
        )

    def _randomised(self, row: _Row) -> Counted:
        at = {"arm": row.arm}
        members = counted(row.randomised or 0, at, "rows randomised")
        return cell(members, counted(row.randomised_units or 0, at, str(self.unit)), form="{} ({})")

    def _panels(self) -> Sequence[Table]:
        percent = f"{100 * self.confidence:g}% confidence intervals"
        units = self.unit is not None
        header = [
            "Outcome",
            "Arm",
            *([f"Randomised ({self.unit})"] if units else []),
            "With data",
            "Analysed",
            "Result",
            "Difference",
            "Ratio",
            "p",
        ]
        body = []
        first: dict[str, _Row] = {}
        for row in self.rows:
            first.setdefault(row.outcome, row)
            body.append(
                [
                    row.outcome,
                    worded(row.arm),
                    *([self._randomised(row)] if units else []),
                    cell(row.count("with data", row.with_data)),
                    cell(row.count("analysed", row.analysed)),
                    cell(Told(_level(row.level, row.binary), row.behind())),
                    cell(
                        Told(
                            _difference(row.difference, row.binary),
                            first[row.outcome].behind() + row.behind(),
                        )
                    )
                    if row.difference
                    else "reference",
                    cell(Told(_ratio(row.ratio), first[row.outcome].behind() + row.behind()))
                    if row.ratio
                    else "",
                    p_value(row.difference["p_value"]) if row.difference else "",
                ]
            )
        title = self.title + (" (SYNTHETIC data)" if self.synthetic else "")
        notes = [f"{percent} in brackets.", *(sentence(note) for note in self.notes)]
        align = "ll" + "r" * (len(header) - 2)
        return [Table(header, body, title=title, notes=notes, align=align)]


def _level(one: Mapping[str, float], binary: bool) -> str:
    value = one["estimate"]
    return f"{share(value) if binary else fixed(value, 2)}\n{_interval(one, binary)}"


def _difference(one: Mapping[str, float], binary: bool) -> str:
    value = one["estimate"]
    shown = f"{signed(100 * value)} points" if binary else signed(value, 2)
    return f"{shown}\n{_interval(one, binary)}"


def _interval(one: Mapping[str, float], binary: bool) -> str:
    factor, digits = (100, 1) if binary else (1, 2)
    low, high = one["conf_low"], one["conf_high"]
    return f"({fixed(factor * low, digits)} to {fixed(factor * high, digits)})"


def _ratio(one: Mapping[str, float]) -> str:
    low, high = number(one["conf_low"], 2), number(one["conf_high"], 2)
    return f"{number(one['estimate'], 2)}\n({low} to {high})"


def _is_binary(fit: Linear) -> bool:
    values = fit._needs_data().y
    return bool(np.isin(values, (0.0, 1.0)).all())


def _events(fit: Linear, arm: str) -> dict[str, int] | None:
    """Count by arm the analysed rows whose outcome is 1; None where it is not 0 and 1."""
    if not _is_binary(fit):
        return None
    held = fit._needs_data()
    assert held.design is not None, "margins were made from it"
    names, codes = cells.levels(held.design.columns[arm])
    return {name: int(held.y[codes == place].sum()) for place, name in enumerate(names)}


def _randomised(design: Assignment) -> dict[str, tuple[int, int]]:
    """Count the units and the rows that were randomised to each arm."""
    arms = np.asarray(design._arm)
    of_rows = arms[design._rows]
    return {
        name: (int((arms == place).sum()), int((of_rows == place).sum()))
        for place, name in enumerate(design.arms)
    }


def _with_data(
    source: Source, fit: Linear, arm: str, design: Assignment | None, levels: Margins
) -> dict[str, int]:
    """Count by arm the rows that have a value of the outcome."""
    left = fit.formula.partition("~")[0]
    there: NDArray[np.bool_] = np.ones(source.n, dtype=np.bool_)
    for name in variables(left):
        there &= ~source.column(unquoted(name)).missing
    if design is not None:
        joined = design.check(source, arm if arm in source.names else None)
        names, codes = list(joined.arms), np.asarray(joined.arm, dtype=np.int64)
    else:
        names, codes = cells.levels(source.column(arm))
    return {name: int((there & (codes == place)).sum()) for place, name in enumerate(names)}


_KEYS = ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high")


def _rows(
    outcome: str,
    levels: Margins,
    ratios: Margins | None,
    events: Mapping[str, int] | None,
    with_data: Mapping[str, int],
    randomised: Mapping[str, tuple[int, int]] | None,
) -> list[_Row]:
    made = []
    for i, arm in enumerate(levels._levels["level"]):
        units, rows = (None, None) if randomised is None else randomised.get(arm, (0, 0))
        made.append(
            _Row(
                outcome=outcome,
                arm=arm,
                randomised_units=units,
                randomised=rows,
                with_data=with_data.get(arm, 0),
                analysed=levels.counts[i],
                events=events.get(arm, 0) if events is not None else None,
                level=_picked(levels._levels, i),
                difference=_picked(levels._contrasts, i - 1) if i else None,
                ratio=_picked(ratios._contrasts, i - 1) if i and ratios is not None else None,
            )
        )
    return made


def _picked(table: Mapping[str, Any], place: int) -> dict[str, float]:
    return {key: float(table[key][place]) for key in _KEYS}

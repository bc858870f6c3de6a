"""Models side by side, as a paper prints them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from crewe.exceptions import InputError, fault
from crewe.frames.arguments import checked
from crewe.tables import protocols
from crewe.tables.display import Table, number, stars
from crewe.tables.labels import model_names, named, of_strata, outcome, pretty, sentence, strata_of
from crewe.tables.printable import Printable, Words
from crewe.tables.sheet import Stacked, minus
from crewe.tables.wording import in_words

_SHOWN = {
    "std_error": "Standard errors in brackets.",
    "conf_int": "{level}% confidence intervals in brackets.",
    "p_value": "p-values in brackets.",
    "statistic": "Test statistics in brackets.",
}
_FACTS = (
    ("n", "Observations"),
    ("events", "Events"),
    ("clusters", "Clusters"),
    ("r_squared", "R²"),
    ("vcov", "Variance"),
)


@checked
@in_words
def table(
    fits: Any,
    *,
    names: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    terms: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    show: Literal["std_error", "conf_int", "p_value", "statistic"] = "std_error",
    star: bool = True,
    digits: int = 3,
    level: float | None = None,
    title: str = "",
    notes: Sequence[str] = (),
) -> ModelTable:
    """Put the estimates of several models side by side.

    Parameters
    ----------
    fits : fit, tidy frame, or a list or mapping of them
        Anything with `tidy()`; `glance()` adds the lines under the estimates. The keys of a
        mapping name the models.
    names : sequence of str, optional
        The models' names; (1), (2), … otherwise.
    labels : mapping, optional
        What to print in place of a term.
    terms : sequence of str, optional
        The terms to show, in this order; otherwise all but those of the strata, for which one line
        stands under the estimates.
    drop : sequence of str
        Terms to leave out.
    show : {"std_error", "conf_int", "p_value", "statistic"}
        What stands in brackets under an estimate.
    star : bool
        Whether *** marks p < .01, ** p < .05 and * p < .10.
    digits : int
        Decimals.
    level : float, optional
        The coverage of the intervals; the models' own otherwise.
    title : str
        The caption.
    notes : sequence of str
        What to say under the table, besides what is said of brackets and stars.

    Returns
    -------
    ModelTable
        With `.html`, `.markdown`, `.latex`, `.text()`, `.csv()`, `.docx(path)`, `.save(path)` and
        `.gt()`.

    Raises
    ------
    InputError
        Where there is no model, no such term, or `show` is unknown.

    Examples
    --------
    >>> import crewe as cw, pandas as pd
    >>> fit = pd.DataFrame({"term": ["arm[T.crewe]"], "estimate": [0.0849],
    ...                     "std_error": [0.0871], "p_value": [0.331]})
    >>> print(cw.table({"Closed": fit}, star=False).markdown)
    |            |  Closed |
    |:-----------|--------:|
    | arm: crewe |   0.085 |
    |            | (0.087) |
    <BLANKLINE>
    Standard errors in brackets.
    """
    if not isinstance(show, str) or show not in _SHOWN:
        raise fault(
            InputError,
            f"'{show}' cannot stand under an estimate",
            remedy=f"Use one of {', '.join(repr(name) for name in _SHOWN)}",
        )
    terms, drop, notes = named(terms), named(drop) or (), named(notes) or ()
    if digits < 0:
        raise fault(
            InputError,
            "digits must not be negative",
            values=[str(digits)],
            remedy="Give the number of decimals, for instance 3",
        )
    models, titles = model_names(fits, names)
    tables = [
        {str(row["term"]): row for row in protocols.tidy_with(fit, ("term", "estimate"), level)}
        for fit in models
    ]
    found = list(dict.fromkeys(term for one in tables for term in one))
    missing = [term for term in (terms or []) if term not in found]
    if missing:
        raise fault(
            InputError,
            "no model has these terms",
            values=missing,
            remedy=f"The models have {', '.join(found)}",
        )
    strata = [strata_of(fit, list(one)) for fit, one in zip(models, tables, strict=True)]
    hidden = set() if terms else {term for one in strata for term in one}
    shown = [term for term in (terms or found) if term not in set(drop) | hidden]
    # The intercept says least, so it stands last.
    shown.sort(key=lambda term: terms is None and term in {"Intercept", "(Intercept)"})
    texts = dict(labels or {})
    rows = [
        _Row(
            label=texts.get(term, pretty(term)),
            top=[_estimate(one.get(term), star, digits) for one in tables],
            below=[_bracket(one.get(term), show, digits) for one in tables],
        )
        for term in shown
    ]
    said = [_SHOWN[show].format(level=f"{100 * protocols.level_of(models[0], level):g}")]
    if star:
        said.append("* p < 0.10, ** p < 0.05, *** p < 0.01.")
    return ModelTable(
        names=titles,
        outcomes=[outcome(fit) for fit in models],
        rows=rows,
        facts=[*_strata(strata, shown), *_facts(models, tables, shown)],
        title=title,
        remarks=[" ".join(said), *notes],
        notes=_model_notes(models, titles),
        sources=models,
    )


@dataclass
class _Row:
    label: str
    top: list[str]
    below: list[str]


@dataclass(repr=False)
class ModelTable(Printable):
    """Several models side by side, ready to print.

    Attributes
    ----------
    names, outcomes : list of str
        The models' names and the left sides of their formulas.
    rows : list
        One a term: its label, the estimates and what stands in brackets under them.
    facts : list of (label, values)
        The lines under the estimates.
    title : str
        The caption.
    remarks : list of str
        What stands under the table on brackets and stars, and what the caller adds.
    notes : list of str
        The models' own warnings, which stand under the table too.
    """

    names: list[str]
    outcomes: list[str]
    rows: list[_Row]
    facts: list[tuple[str, list[str]]]
    title: str = ""
    remarks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sources: list[Any] = field(default_factory=list, repr=False)

    def methods(self) -> list[str]:
        """Give the sentences that say how each model was worked out, without repetition."""
        return list(dict.fromkeys(s for fit in self.sources for s in protocols.methods(fit)))

    @property
    def synthetic(self) -> bool:
        """Whether any of the models rests on synthetic data."""
        return any(protocols.synthetic(fit) for fit in self.sources)

    def _under(self) -> list[str]:
        return [*self.remarks, *self.notes]

    def _panels(self) -> list[Table]:
        rows = [
            [row.label, *(Stacked(*pair) for pair in zip(row.top, row.below, strict=True))]
            for row in self.rows
        ]
        outcomes = any(self.outcomes) and self.outcomes != self.names
        return [
            Table(
                ["", *self.names],
                rows,
                title=self.title,
                notes=self._under(),
                heads=[["Outcome", *self.outcomes]] if outcomes else [],
                facts=[[label, *values] for label, values in self.facts],
            )
        ]

    # Attributes before every result had these methods; both ways of asking work.

    @property
    def html(self) -> Words:
        """The table as HTML, with a caption and scoped headings."""
        return Words(super().html())

    @property
    def markdown(self) -> Words:
        """The table as a Markdown pipe table."""
        return Words(super().markdown())

    @property
    def latex(self) -> Words:
        """The table as LaTeX; it needs the package booktabs."""
        return Words(super().latex())

    def gt(self) -> Any:
        """Give the table as a `great_tables.GT`, to be styled further."""
        import great_tables
        import pandas as pd

        grid = self._panels()[0].sheet().lines()
        columns = [f"column {j}" for j in range(len(grid[0]))]
        made = great_tables.GT(pd.DataFrame(grid[1:], columns=columns), rowname_col=columns[0])
        made = made.cols_label(dict(zip(columns[1:], self.names, strict=True)))
        made = made.cols_align("right", columns[1:])
        if self.title:
            made = made.tab_header(self.title)
        for note in self._under():
            made = made.tab_source_note(note)
        return made


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _estimate(row: Mapping[str, Any] | None, star: bool, digits: int) -> str:
    if row is None or not _known(row["estimate"]):
        return ""
    p = row.get("p_value")
    marks = stars(float(p)) if star and p is not None and _known(p) else ""
    return minus(number(float(row["estimate"]), digits)) + marks


def _bracket(row: Mapping[str, Any] | None, show: str, digits: int) -> str:
    if row is None:
        return ""
    if show == "conf_int":
        low, high = row.get("conf_low"), row.get("conf_high")
        if not (_known(low) and _known(high)):
            return ""
        return minus(f"[{number(float(low), digits)}, {number(float(high), digits)}]")  # type: ignore[arg-type]
    value = row.get(show)
    if not _known(value):
        return ""
    if show == "p_value" and float(value) < 10**-digits:  # type: ignore[arg-type]
        return f"(<{10**-digits:g})"
    return minus(f"({number(float(value), digits)})")  # type: ignore[arg-type]


def _strata(strata: list[list[str]], shown: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Give the line that stands for terms of the strata, unless some of them are shown."""
    counts = [len(one) for one in strata]
    some = [count for count in counts if count]
    if not some or any(term in shown for one in strata for term in one):
        return []
    alike = min(some) == max(some)
    words = [("yes" if alike else f"{count:,}") if count else "no" for count in counts]
    return [(of_strata(min(some), max(some)), words)]


def _facts(
    models: list[Any], tables: list[dict[str, Any]], shown: list[str]
) -> list[tuple[str, list[str]]]:
    """Give the lines under the estimates: those that at least one model has."""
    glances = [protocols.facts(fit) for fit in models]
    lines = []
    for key, label in _FACTS:
        values = [glance.get(key) for glance in glances]
        if any(_known(value) and value != "" for value in values):
            lines.append((label, [_fact(value) for value in values]))
        if key == "clusters":
            df = [_degrees(one, shown) for one in tables]
            if any(df):
                lines.append(("Degrees of freedom", df))
    return lines


def _fact(value: Any) -> str:
    if not _known(value):
        return ""
    if isinstance(value, str):
        return value
    return f"{int(value):,}" if float(value).is_integer() and abs(value) > 1 else number(value, 3)


def _degrees(one: Mapping[str, Any], shown: Sequence[str]) -> str:
    """Give the degrees of freedom of a model's terms: one number, or from least to most."""
    known = [one[term].get("df") for term in shown if term in one]
    df = [float(value) for value in known if _known(value)]
    if not df:
        return ""
    if math.isinf(min(df)):
        return "∞ (z)"
    text = [f"{value:,.0f}" if value.is_integer() else f"{value:.1f}" for value in df]
    least, most = text[df.index(min(df))], text[df.index(max(df))]
    return least if least == most else f"{least} to {most}"


def _model_notes(models: list[Any], titles: list[str]) -> list[str]:
    """Gather the models' own warnings, each with the models that it concerns."""
    found: dict[str, list[str]] = {}
    for fit, title in zip(models, titles, strict=True):
        for note in protocols.notes(fit):
            found.setdefault(note, []).append(title)
    return [
        sentence(note) if len(whose) == len(models) else f"{', '.join(whose)}: {sentence(note)}"
        for note, whose in found.items()
    ]

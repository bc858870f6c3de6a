"""What terms, columns, outcomes and arms are called in print: one mapping for every table, figure and sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from crewe.exceptions import CreweError
from crewe.formula.names import split, unquoted
from crewe.formula.parse import variables
from crewe.tables import protocols
from crewe.tables.labels import spaced
from crewe.tables.sheet import Cell, Sheet, Stacked, clean

_FUNCTIONS = {
    "np.log1p": "logarithm of 1 + {}",
    "np.log": "logarithm of {}",
    "np.log2": "logarithm to base 2 of {}",
    "np.log10": "logarithm to base 10 of {}",
    "np.sqrt": "square root of {}",
    "np.exp": "exponential of {}",
    "np.abs": "absolute value of {}",
    "np.square": "{} squared",
    "log": "logarithm of {}",
    "log1p": "logarithm of 1 + {}",
    "sqrt": "square root of {}",
    "exp": "exponential of {}",
    "center": "{} (centred)",
    "scale": "{} (standardised)",
    "standardize": "{} (standardised)",
    "C": "{}",
    "I": "{}",
}
_CALL = re.compile(r"([A-Za-z_][\w.]*)\((.*)\)", re.DOTALL)
_LEVEL = re.compile(r"(.+?)\[(?:T\.)?(.+)\]", re.DOTALL)
_CODE = r"np\.\w+\([\w.]+\)|C\(\w+\)(?:\[(?:T\.)?[^\]\n]*\])?|\w+\[T\.[^\]\n]*\]"
_PRODUCT = re.compile(r":(?![^\[(]*[\])])")
_TERM = re.compile(r"(?:np\.\w+|[CI])\([^\s].*\)|(?:[^\W\d]\w*|C\([^()]+\))\[[^\]]+\]")
_MODEL = re.compile(r"([A-Z][\w -]*): (\S[^~]* ~ [^~]+?)(\.?(?: \(SYNTHETIC data\))?)")
_LONGEST = 300
"""The letters up to which a text is taken for a term."""
# Where the words of a cell part: arms that are compared, products, lists of levels.
_JOINED = re.compile(r"( × | − | / |: |, )")


@dataclass(frozen=True)
class Names:
    """The labels of a report.

    Attributes
    ----------
    labels : mapping of str to str
        What a term, a column, an outcome or a level is called.
    """

    labels: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Give the label of a column, a level, a term or an expression of a formula; without one the name in words.

        Examples
        --------
        >>> Names({"days_absent": "days absent"}).of("np.log1p(days_absent)")
        'logarithm of 1 + days absent'
        >>> Names({"arm": "Service", "crewe": "Project Crewe"}).of("arm[T.crewe]:history")
        'Service: Project Crewe × history'
        """
        name = unquoted(name.strip()) if name.strip() else name
        if (label := self._label(name)) is not None:
            return label
        parts = _PRODUCT.split(name)
        if len(parts) > 1 and not any(part[:1].isspace() or part[-1:].isspace() for part in parts):
            return " × ".join(map(self.of, parts))
        level = _LEVEL.fullmatch(name)
        if level:
            return f"{self.of(level[1])}: {self._label(level[2]) or level[2]}"
        call = _CALL.fullmatch(name)
        if call:
            inside = call[2].split(",")[0] if call[1] == "C" else call[2]
            power = re.fullmatch(r"\s*([\w.]+)\s*\*\*\s*2\s*", inside)
            if power and call[1] == "I":
                return f"{self.of(power[1])} squared"
            words = _FUNCTIONS.get(call[1])
            return words.format(self.of(inside)) if words else f"{call[1]} of {self.of(inside)}"
        return spaced(name) if re.fullmatch(r"\w+", name) else name

    def cell(self, text: str) -> str:
        """Give the words of a label in a table or a figure: a term as a reader would write it, or what it is called.

        Examples
        --------
        >>> names = Names({"control": "Council", "crewe": "Project Crewe"})
        >>> names.cell("crewe − control"), names.cell("np.log1p(days)"), names.cell("Mean (SD)")
        ('Project Crewe − Council', 'logarithm of 1 + days', 'Mean (SD)')
        """
        if self._known(text):
            return self.of(text)
        parts = _JOINED.split(text)
        if len(parts) > 1 and any(map(self._known, parts[::2])):
            return "".join(
                self.of(part) if i % 2 == 0 and self._known(part) else part
                for i, part in enumerate(parts)
            )
        return text

    def _label(self, name: str) -> str | None:
        """Give the label of a name; tables write names without underscores."""
        if name in self.labels:
            return self.labels[name]
        return self._spaced.get(name)

    @cached_property
    def _spaced(self) -> dict[str, str]:
        return {spaced(name): label for name, label in self.labels.items()}

    def _known(self, text: str) -> bool:
        """Say whether a text has a label or is a term of a formula, and not words."""
        if self._label(text) is not None:
            return True
        if len(text) > _LONGEST or "\n" in text:
            return False
        parts = _PRODUCT.split(text)
        terms = [bool(_TERM.fullmatch(part)) for part in parts]
        if len(parts) == 1:
            return terms[0]
        return all(
            re.fullmatch(r"\w+", part) or term for part, term in zip(parts, terms, strict=True)
        ) and any(
            term or self._label(part) is not None for part, term in zip(parts, terms, strict=True)
        )

    def lines(self, text: str) -> str:
        """Give the words of a label of several lines."""
        return "\n".join(map(self.cell, text.split("\n")))

    def sheet(self, sheet: Sheet, names: Mapping[str, str]) -> Sheet:
        """Put the labels into a table: headings, labels of rows, columns of words; sentences by `names`."""
        words = [place == "l" or j == 0 for j, place in enumerate(sheet.align)]

        def one(cell: Cell) -> Cell:
            if isinstance(cell, Stacked):
                return Stacked(self.cell(cell.top), cell.below)
            return self.cell(cell)

        def row(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
            return tuple(
                # A column of numbers may hold the name of an arm; a number is never a name there.
                one(cell)
                if word or (cell in self.labels and not re.match(r"[−+-]?[\d.]", str(cell)))
                else cell
                for cell, word in zip(cells, words, strict=True)
            )

        return replace(
            sheet,
            title=self.said(sheet.title, names),
            notes=tuple(self.said(note, names) for note in sheet.notes),
            heads=tuple(tuple(map(self.cell, head)) for head in sheet.heads),
            rows=tuple(row(cells) for cells in sheet.rows),
            facts=tuple(
                (self.said(fact[0], names), *map(self.cell, fact[1:])) for fact in sheet.facts
            ),
        )

    def said(self, text: str, names: Mapping[str, str]) -> str:
        """Give a sentence of a result in words: what it names of the data by its label.

        Examples
        --------
        >>> Names({"family_id": "families"}).said("Clusters: 128 of family_id.", {})
        'Clusters: 128 of families.'
        """
        known = {name: words for name, words in self.labels.items() if re.search(r"[_.\[(]", name)}
        known.update(names)
        if self.labels and (model := _MODEL.fullmatch(text)):
            # What a model says of itself: its kind and its formula.
            return f"{model[1]}: {self.formula(model[2])}{model[3]}"
        longest = sorted(known, key=len, reverse=True)
        named = "|".join(map(re.escape, longest)) or "(?!)"
        # A word may be anything; before a count in a list, or alone in brackets, it is a level of the data.
        plain = sorted((name for name in self.labels if name not in known), key=len, reverse=True)
        level = "|".join(map(re.escape, plain)) or "(?!)"
        # In one pass: what is put in is not read again.
        return re.sub(
            rf"(?<![\w.\[])(?:(?P<name>{named})(?![\w\[(])|{_CODE}"
            rf"|(?<=[:,] )(?P<counted>{level})(?= \d)|(?<=\()(?P<alone>{level})(?=\)))",
            lambda found: (
                known[found[0]]
                if found["name"] is not None
                else self.labels.get(found[0]) or self.of(found[0])
            ),
            text,
        )

    def of_result(self, result: Any) -> dict[str, str]:
        """Gather what a result names of the data, with the words for each."""
        if not self.labels:
            return {}
        found: dict[str, str] = {}
        for source in [*(protocols.attribute(result, "sources") or []), result]:
            formula = protocols.formula(source)
            if "~" in formula:
                found[formula] = self.formula(formula)
                for name in _columns(formula):
                    found[name] = self.of(name)
            for attribute in ("cluster_name", "outcome", "term", "by", "cluster", "unit"):
                name = protocols.attribute(source, attribute)
                if isinstance(name, str) and name:
                    found[name] = self.of(name)
            arms = protocols.attribute(source, "arms")
            if isinstance(arms, Sequence | Mapping) and not isinstance(arms, str):
                found.update({str(arm): self.of(str(arm)) for arm in arms})
        return {
            name: words
            for name, words in found.items()
            if words != name and (name in self.labels or not re.fullmatch(r"[a-z]+", name))
        }

    def formula(self, formula: str) -> str:
        """Give a formula in words.

        Examples
        --------
        >>> Names({"closed": "case closed"}).formula("closed ~ arm + C(age) + arm:history")
        'case closed on arm, age and arm × history'
        """
        left, _, right = formula.partition("~")
        terms = [self._term(term) for term in split(right, "+") if term.strip()]
        *most, last = terms or ["nothing"]
        survival = re.fullmatch(r"\s*Surv\((.*)\)\s*", left)
        outcome = (
            f"time ({', '.join(self.of(part) for part in survival[1].split(','))})"
            if survival
            else self.of(left)
        )
        return f"{outcome} on {', '.join(most)} and {last}" if most else f"{outcome} on {last}"

    def _term(self, term: str) -> str:
        factors = split(term, "*")
        if len(factors) > 1:
            return " with ".join(map(self.of, factors)) + " and their product"
        return self.of(term)


def _columns(formula: str) -> list[str]:
    found: list[str] = []
    for side in formula.split("~"):
        try:
            found += [unquoted(name) for name in variables(side)]
        except CreweError:
            continue
    return found


def texts_of(figure: Any) -> Iterator[Any]:
    """Give the texts of a matplotlib figure that are not made anew whenever it is drawn."""
    from matplotlib.text import Text

    ticks = {
        id(label)
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for label in [*axis.get_majorticklabels(), *axis.get_minorticklabels()]
    }
    for text in figure.findobj(Text):
        if id(text) not in ticks:
            yield text


@contextmanager
def labelled(figure: Any, names: Names) -> Iterator[None]:
    """Draw a figure with the labels of the report, and give it back as it was."""
    if not names.labels:
        yield
        return
    from matplotlib.ticker import FixedFormatter

    before: list[tuple[Any, str]] = []
    ticks: list[tuple[Any, Any]] = []
    held: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, FixedFormatter):
                ticks.append((formatter, formatter.seq))
                formatter.seq = [names.lines(str(text)) for text in formatter.seq]
            said = getattr(getattr(formatter, "func", None), "args", ())
            # Labels that were given with their ticks are held by place.
            if said and isinstance(said[0], dict):
                held.append((said[0], dict(said[0])))
                said[0].update({at: names.lines(str(text)) for at, text in said[0].items()})
    for text in texts_of(figure):
        old = text.get_text()
        new = names.lines(clean(old)) if old else old
        if new != old:
            before.append((text, old))
            text.set_text(new)
    try:
        yield
    finally:
        for formatter, seq in ticks:
            formatter.seq = seq
        for labels, old in held:
            labels.update(old)
        for text, was in before:
            text.set_text(was)

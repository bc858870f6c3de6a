"""A cost-benefit analysis: inputs, and the lines that follow from them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from crewe import _core
from crewe.cost._checks import check
from crewe.cost._declare import Input, Line, changed, declared, frame_kind
from crewe.cost._fits import Counted, Estimated, with_estimates
from crewe.cost._prices import at_prices
from crewe.cost._psa import Sensitivity, quantities, sensitivity
from crewe.cost._trace import Trace, full, money
from crewe.cost._worked import Worked
from crewe.exceptions import InputError, did_you_mean, fault
from crewe.files import toml
from crewe.frames.arguments import check_methods
from crewe.frames.source import build
from crewe.tables.display import Table
from crewe.tables.printable import Printable

# A line that is used twice is followed twice, so a trace can grow much faster than the analysis.
_LONGEST_TRACE = 10_000
# Decimals of a value that nothing was printed for: pence, and hundredths of a per cent.
_PLACES = {"%": 4}


class CostBenefit(Printable):
    """A cost-benefit analysis: inputs, and the lines that follow from them, exact to the penny.

    Parameters
    ----------
    inputs : frame, sequence of Input or mapping, or mapping of name to number
        What is known. A frame has columns `name` and `value`, and may have `label`, `unit`,
        `source`, `note`.
    lines : frame, sequence of Line or mapping, or mapping of name to formula
        What follows. A frame has columns `name` and `formula`, and may have the other fields of
        `Line`.
    title, source : str
        The caption, and where the figures were printed.
    fits : mapping of measure to fit, optional
        What takes the place of the inputs of these measures; see :meth:`with_fits`.
    arms : mapping of arm to arm, optional
        Which arm of the fits is which arm of the inputs.
    prices : str, optional
        The financial year to whose prices every sum of money is brought, by the GDP deflator.
    reference : str
        The arm that the others are compared with; the first that has a role without it.

    Raises
    ------
    InputError
        For a number or formula that cannot be read, a name unknown or used twice, lines that refer
        to each other in a circle, or division by nil; the message names the line. For sums of money
        below 0 or at the prices of different years, and rates over 1.
    DesignError
        For fits of different trials.

    Notes
    -----
    Values are fractions, so 34,464 is 34,464 and whether a printed figure was rounded or cut off
    is known.

    Examples
    --------
    >>> import crewe as cw
    >>> costs = cw.cost.CostBenefit({"weekly": "68.05", "weeks": 36}, {"case": "weekly * weeks"})
    >>> costs["case"].exact, costs["case"].value
    (Fraction(12249, 5), 2449.8)
    """

    def __init__(
        self,
        inputs: Any,
        lines: Any,
        *,
        title: str = "Costs and benefits",
        source: str = "",
        fits: Mapping[str, Any] | None = None,
        arms: Mapping[str, str] | None = None,
        prices: str | None = None,
        reference: str = "",
    ) -> None:
        self.title = title
        self.source = source
        self.reference = reference
        given: list[Input] = declared(Input, inputs, "value")
        self._drawn: dict[str, Estimated | Counted] = {}
        self.synthetic = False
        if fits is not None:
            given, self._drawn = with_estimates(given, fits, {} if arms is None else arms)
            self.synthetic = any(getattr(fit, "synthetic", False) for fit in fits.values())
        if prices is not None:
            given = at_prices(given, prices)
        self.inputs: dict[str, Input] = {item.name: item for item in given}
        lines_given = declared(Line, lines, "formula")
        check(given, lines_given)
        self._kind = frame_kind(lines)
        answers = _core.cost_lines(
            [(item.name, item.value) for item in given],
            [
                (line.name, line.formula, line.printed or None, _PLACES.get(line.unit, 2))
                for line in lines_given
            ],
        )
        quantities(given, self._drawn)  # refuses what cannot be drawn
        self.lines: dict[str, Worked] = {
            line.name: Worked(
                line=line,
                exact=Fraction(answer.exact),
                shown=money(answer.shown, line.unit),
                printed=money(line.printed, line.unit) if line.printed else "",
                agreement=answer.agreement,
                uses=tuple(answer.uses),
            )
            for line, answer in zip(lines_given, answers, strict=True)
        }

    @classmethod
    def from_toml(cls, path: str | Path) -> CostBenefit:
        """Read an analysis from a TOML file with tables `[[input]]` and `[[line]]`.

        Parameters
        ----------
        path : str or Path
            The file. Numbers may be written as text, which keeps them as printed.

        Returns
        -------
        CostBenefit
        """
        return cls._of_toml(toml.text_of(path), str(path))

    @classmethod
    def _of_toml(cls, text: str, path: str) -> CostBenefit:
        # Decimals as text: nothing passes through binary.
        content = toml.read(
            text, f"the file '{path}'", "Mend it at the place named", parse_float=str
        )
        unknown = set(content) - {"title", "source", "reference", "input", "line"}
        if unknown:
            raise fault(
                InputError,
                f"the file '{path}' has parts that a cost-benefit analysis does not know",
                values=sorted(unknown),
                remedy="Use title, source, reference, [[input]] and [[line]]",
            )
        for entry in ("title", "source", "reference"):
            if not isinstance(content.get(entry, ""), str):
                raise fault(
                    InputError,
                    f"the {entry} of the file '{path}' is not text",
                    remedy=f'Write {entry} = "..."',
                )
        return cls(
            content.get("input", []),
            content.get("line", []),
            title=content.get("title", "Costs and benefits"),
            source=content.get("source", ""),
            reference=content.get("reference", ""),
        )

    def __getitem__(self, name: str) -> Worked:
        self._require(name, self.lines)
        return self.lines[name]

    def _require(self, name: str, names: Iterable[str]) -> None:
        known = list(names)
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            raise fault(
                InputError,
                f"there is no '{name}' in this analysis",
                remedy=did_you_mean(near) if near else f"There are {', '.join(known)}",
            )

    def with_inputs(self, **values: Any) -> CostBenefit:
        """Work the lines out with other inputs.

        The printed figures are left out of the result: they belong to the inputs that were printed.

        Parameters
        ----------
        **values
            New numbers by name of input; a mapping gives other fields too, such as
            `{"value": "68.05", "cv": 0.2}`. What was said of how well the old number is known goes with it.

        Returns
        -------
        CostBenefit

        Examples
        --------
        >>> import crewe as cw
        >>> other = cw.cost.project_crewe().with_inputs(weeks_open_pc="30")
        >>> other["cost_per_case_pc"].shown
        '£2,041.50'
        """
        for name in values:
            self._require(name, self.inputs)
        inputs = [
            changed(item, values[name]) if name in values else item
            for name, item in self.inputs.items()
        ]
        lines = [replace(worked.line, printed="", note="") for worked in self.lines.values()]
        named = ", ".join(values)
        other = CostBenefit(
            inputs,
            lines,
            title=f"{self.title}, with other {named}",
            source=self.source,
            reference=self.reference,
        )
        other._drawn = {name: found for name, found in self._drawn.items() if name not in values}
        other.synthetic = self.synthetic
        return other

    def with_fits(
        self, fits: Mapping[str, Any], arms: Mapping[str, str] | None = None
    ) -> CostBenefit:
        """Work the lines out with what fits say in the place of typed figures.

        Parameters
        ----------
        fits : mapping of measure to fit
            For each `measure` of the inputs a fit (OLS, logit, probit) or its margins by arm, a `cw.compare_rates` or a
            `cw.rmst`, in the unit of the input: weeks open come from `Surv(days / 7, closed) ~ arm`.
        arms : mapping of arm to arm, optional
            Which arm of the fits is which arm of the inputs, as `{"PC": "crewe", "CEC": "control"}`.

        Returns
        -------
        CostBenefit
            With the printed figures beside the new ones.

        Examples
        --------
        >>> import crewe as cw
        >>> rates = cw.compare_rates(events=(29, 60), totals=(45, 83), arms=("control", "crewe"))
        >>> costs = cw.cost.project_crewe()
        >>> other = costs.with_fits({"closure": rates}, {"PC": "crewe", "CEC": "control"})
        >>> other["earnings_pc"].shown, other["earnings_pc"].printed
        ('£34,554', '£34,464')
        """
        lines = [worked.line for worked in self.lines.values()]
        other = CostBenefit(
            list(self.inputs.values()),
            lines,
            title=f"{self.title}, from fits",
            source=self.source,
            fits=fits,
            arms=arms,
            reference=self.reference,
        )
        other._drawn = {**self._drawn, **other._drawn}
        other.synthetic = self.synthetic or other.synthetic
        return other

    def at_prices(self, year: str) -> CostBenefit:
        """Work the lines out at the prices of another financial year.

        Parameters
        ----------
        year : str
            Such as `"2024-25"`; every sum of money needs its `price_year`.

        Returns
        -------
        CostBenefit
            Without the printed figures, which are at their own prices.
        """
        lines = [replace(worked.line, printed="", note="") for worked in self.lines.values()]
        other = CostBenefit(
            list(self.inputs.values()),
            lines,
            title=f"{self.title}, at {year} prices",
            source=self.source,
            prices=year,
            reference=self.reference,
        )
        other._drawn = dict(self._drawn)
        other.synthetic = self.synthetic
        return other

    def psa(
        self, draws: int = 100_000, seed: int | None = None, level: float = 0.95
    ) -> Sensitivity:
        """Work the lines out over draws of what is uncertain: probabilistic sensitivity analysis.

        Rates are Beta(r + 1/2, n − r + 1/2) from their counts, unit costs gamma with the coefficient of variation that is
        stated (known where none is), estimates of fits t with their own degrees of freedom and drawn jointly where
        they come from one fit. Rounding in formulas is left out.

        Parameters
        ----------
        draws : int
            How many.
        seed : int, optional
            What the draws start from; one from the operating system without it, which the result names.
        level : float
            Of the intervals, central ones of the draws.

        Returns
        -------
        Sensitivity

        Examples
        --------
        >>> import crewe as cw
        >>> found = cw.cost.project_crewe().psa(draws=20_000, seed=2017)
        >>> tidy = found.tidy().set_index("line")
        >>> tidy.loc["earnings_pc", ["conf_low", "conf_high"]].astype(float).round(-2).tolist()
        [31400.0, 37300.0]
        """
        return sensitivity(self, draws, seed, level)

    @property
    def caption(self) -> str:
        """The title, with a word where fits of synthetic data are behind it."""
        return self.title + (" (SYNTHETIC data)" if self.synthetic else "")

    @property
    def notes(self) -> list[str]:
        """The notes of inputs and lines, and how many printed figures agree."""
        compared = [worked for worked in self.lines.values() if worked.agreement is not None]
        notes = [f"Source: {self.source}."] if self.source else []
        if compared:
            agree = sum(worked.agreement != "differs" for worked in compared)
            notes.append(f"{agree} of {len(compared)} printed figures follow from the inputs.")
        for item in self.inputs.values():
            if item.note:
                notes.append(f"{item.label or item.name}: {item.note}")
        for worked in self.lines.values():
            if worked.line.note:
                arm = f" ({worked.line.arm})" if worked.line.arm else ""
                notes.append(f"{worked.line.label or worked.line.name}{arm}: {worked.line.note}")
        return notes

    def tidy(self) -> Any:
        """Give a row a line: value, printed figure, agreement, formula, source and note.

        Returns
        -------
        frame
            Of the kind that the lines came in; pandas where they did not come as a frame.
        """
        worked = self.lines.values()
        columns: dict[str, list[Any]] = {
            "line": list(self.lines),
            "label": [item.line.label or item.line.name for item in worked],
            "arm": [item.line.arm for item in worked],
            "value": [item.value for item in worked],
            "unit": [item.line.unit for item in worked],
            "shown": [item.shown for item in worked],
            "printed": [item.printed for item in worked],
            "agreement": [item.agreement or "" for item in worked],
        }
        for name in ("formula", "words", "source", "note"):
            columns[name] = [getattr(item.line, name) for item in worked]
        implementation, lazy = self._kind
        return build(columns, implementation, lazy=lazy, synthetic=self.synthetic)

    def _table(self) -> Table:
        rows = []
        for name, worked in self.lines.items():
            agreement = worked.agreement or ""
            rows.append(
                [
                    worked.line.label or name,
                    worked.line.arm,
                    worked.shown,
                    worked.printed,
                    agreement + ("*" if worked.line.note else ""),
                    worked.line.words or worked.line.formula,
                ]
            )
        return Table(
            header=["Line", "Arm", "Worked out", "Printed", "Agreement", "Formula"],
            rows=rows,
            title=self.caption,
            notes=self.notes,
            align="llrrll",
        )

    def _panels(self) -> list[Table]:
        return [self._table()]

    def trace(self, name: str) -> Trace:
        """Follow a line back to its inputs.

        Parameters
        ----------
        name : str
            The line.

        Returns
        -------
        Trace
            Its formula in words, in names and in numbers, and the same for every line that it
            uses, down to the inputs with their sources.

        Examples
        --------
        >>> import crewe as cw
        >>> trace = cw.cost.project_crewe().trace("escalation_saving_per_case")
        >>> print(trace.text().splitlines()[0])
        Escalation saving per case (PC) = £74.98795…
        """
        self._require(name, self.lines)
        rows: list[dict[str, Any]] = []
        ahead = [(name, 0)]
        while ahead:
            part, depth = ahead.pop()
            if len(rows) == _LONGEST_TRACE:
                raise fault(
                    InputError,
                    f"the trace of '{name}' has more than {_LONGEST_TRACE:,} rows, since its lines use each "
                    "other again and again",
                    remedy=f"Follow what it uses: {', '.join(self.lines[name].uses[:5])}",
                )
            rows.append(self._part(part, depth))
            if part in self.lines:
                ahead += [(used, depth + 1) for used in reversed(self.lines[part].uses)]
        return Trace(name=name, frame=pd.DataFrame(rows))

    def _part(self, name: str, depth: int) -> dict[str, Any]:
        if name in self.inputs:
            item = self.inputs[name]
            return {
                "depth": depth,
                "name": name,
                "kind": "input",
                "label": item.label or name,
                "value": money(item.value, item.unit),
                "words": "",
                "formula": "",
                "numbers": "",
                "printed": "",
                "agreement": "",
                "source": item.source,
                "note": item.note,
            }
        worked = self.lines[name]
        line = worked.line

        def number(match: re.Match[str]) -> str:
            word = match.group(0)
            if word in self.inputs:
                return self.inputs[word].value
            return full(self.lines[word].exact) if word in self.lines else word

        return {
            "depth": depth,
            "name": name,
            "kind": "line",
            "label": (line.label or name) + (f" ({line.arm})" if line.arm else ""),
            "value": money(full(worked.exact), line.unit),
            "words": line.words,
            "formula": line.formula,
            "numbers": re.sub(r"[^\W\d]\w*", number, line.formula),
            "printed": worked.printed,
            "agreement": worked.agreement or "",
            "source": line.source,
            "note": line.note,
        }


check_methods(CostBenefit)


def project_crewe() -> CostBenefit:
    """Give the cost-benefit analysis of Project Crewe from its printed inputs.

    Returns
    -------
    CostBenefit
        Tables 6 to 9 of Heal, Nolan and Sanders, *Project Crewe: research report*, Department for
        Education, DFE-RR580, 2017, Appendix 9: each line with the figure printed and how it agrees.
    """
    text = (
        resources.files("crewe.cost")
        .joinpath("data/project_crewe_costs.toml")
        .read_text(encoding="utf-8")
    )
    return CostBenefit._of_toml(text, "project_crewe_costs.toml")

"""How figures print, and how a line is followed back to its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import pandas as pd

from crewe.tables.display import Table
from crewe.tables.printable import Printable


def full(value: Fraction) -> str:
    """Give a fraction as a decimal; an ellipsis where it goes on after five."""
    if value.denominator == 1:
        return str(value.numerator)
    scaled = abs(value) * 10**5
    digits = f"{scaled.numerator // scaled.denominator:06d}"
    more = "…" if scaled.denominator != 1 else ""
    part = digits[-5:] if more else digits[-5:].rstrip("0")
    return f"{'-' if value < 0 else ''}{digits[:-5]}.{part}{more}"


def money(text: str, unit: str) -> str:
    """Give a decimal with its unit: pounds with thousands separated, a share as a percentage."""
    more = "…" if text.endswith("…") else ""
    plain = text.removesuffix("…").replace(",", "")
    if unit == "%":
        if plain.endswith("%"):
            return plain
        return f"{Decimal(plain).scaleb(2):f}{more}%"
    if unit == "GBP":
        sign = "−" if plain.startswith("-") else ""
        return f"{sign}£{Decimal(plain.lstrip('-')):,f}{more}"
    return text


@dataclass(frozen=True, repr=False)
class Trace(Printable):
    """A line of a cost-benefit analysis followed back to its inputs.

    Attributes
    ----------
    name : str
        The line.
    frame : pandas.DataFrame
        A row a line or input, the line itself first, each followed by what it uses; `depth` is how
        far down.
    """

    name: str
    frame: pd.DataFrame

    def tidy(self) -> pd.DataFrame:
        """Give the frame."""
        return self.frame

    @staticmethod
    def _details(row: Mapping[str, str]) -> list[str]:
        details = []
        if row["words"]:
            details.append(row["words"])
        if row["formula"]:
            details.append(f"{row['formula']}  =  {row['numbers']}")
        if row["printed"]:
            details.append(f"printed {row['printed']}: {row['agreement']}")
        if row["source"]:
            details.append(f"source: {row['source']}")
        if row["note"]:
            details.append(f"note: {row['note']}")
        return details

    def text(self) -> str:
        """Give the trace for a terminal, what a line uses indented under it."""
        lines = []
        for row in self.frame.to_dict("records"):
            indent = "    " * row["depth"]
            lines.append(f"{indent}{row['label']} = {row['value']}")
            lines.extend(f"{indent}  {detail}" for detail in self._details(row))
        return "\n".join(lines)

    def _panels(self) -> list[Table]:
        table = Table(
            header=["Line or input", "Value", "How"],
            rows=[
                [
                    "\u2003" * row["depth"] + row["label"],
                    row["value"],
                    "; ".join(self._details(row)),
                ]
                for row in self.frame.to_dict("records")
            ],
            title=f"Where {self.name} comes from",
            align="lrl",
        )
        return [table]

    def __repr__(self) -> str:
        return self.text()

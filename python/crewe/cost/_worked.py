"""A line with its value."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from crewe.cost._declare import Line


@dataclass(frozen=True)
class Worked:
    """A line worked out.

    Attributes
    ----------
    line : Line
        As declared.
    exact : Fraction
        Its value, without any rounding.
    shown : str
        The value rounded to the decimals that are printed (to pence where nothing is), with its
        unit.
    printed : str
        The figure printed, with its unit; empty if none.
    agreement : str or None
        How the printed figure agrees: "exact", "rounded", "cut off", "rounded or cut off alike" or
        "differs".
    uses : tuple of str
        The inputs and lines of its formula.
    """

    line: Line
    exact: Fraction
    shown: str
    printed: str
    agreement: str | None
    uses: tuple[str, ...]

    @property
    def value(self) -> float:
        """The value as a double."""
        return float(self.exact)

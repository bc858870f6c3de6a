"""The quantities that a simulation finds, and how they print."""

from __future__ import annotations

from dataclasses import dataclass

from crewe import _core
from crewe.power._outcomes import BinaryOutcome, SurvivalOutcome, _Outcome
from crewe.power._quantities import points
from crewe.tables.display import number
from crewe.tables.labels import fixed

SHARES = (
    "power",
    "power_any",
    "power_all",
    "size",
    "size_any",
    "coverage",
    "type_s",
    "convergence",
)

LABELS = {
    "power": "Power",
    "power_any": "Power to find any arm",
    "power_all": "Power to find all arms",
    "size_any": "Size for any arm without effects",
    "size": "Size of the test without an effect",
    "coverage": "Coverage of the interval",
    "bias": "Bias",
    "sd": "SD of the estimates",
    "mean_std_error": "Mean standard error",
    "type_s": "Type S: wrong sign, if significant",
    "type_m": "Type M: exaggeration, if significant",
    "convergence": "Replicates with an answer",
}


@dataclass(frozen=True)
class Measure:
    """A simulated quantity: its value, Monte Carlo standard error and 95% interval; NaN where undefined."""

    value: float
    std_error: float
    conf_low: float
    conf_high: float

    @classmethod
    def of(cls, found: _core.SimulatedMeasure) -> Measure:
        """Take what the core found."""
        return cls(found.value, found.std_error, found.low, found.high)


def effect_text(outcome: _Outcome, value: float | None, signed: bool = True) -> str:
    """Print an effect: points of a rate, or the outcome's own units."""
    if value is None:
        return "unattainable"
    if isinstance(outcome, BinaryOutcome):
        return points(value) if signed else f"{fixed(100 * value, 2)} pp"
    if isinstance(outcome, SurvivalOutcome) and signed:
        return f"hazard ratio {value:.3g}"
    return number(value)

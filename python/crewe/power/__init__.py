"""What a trial can detect: power, smallest detectable effects and the number of clusters.

Every function takes a trial on paper with exactly one quantity left out, and solves for it:

>>> import crewe as cw
>>> plan = cw.power.binary(baseline=0.226, icc=0.36, cluster_size=3, clusters=286, power=0.8)
>>> round(100 * plan.effect, 1)
11.2

Effects are signed differences (0.112 is a rise of 11.2 percentage points), `clusters` counts both
arms together, and `allocation` is the treated share of the clusters (2:1 is 2/3).
"""

from __future__ import annotations

from crewe.power._binary import BinaryPower, binary
from crewe.power._compare import Comparison, project_crewe, table
from crewe.power._curve import Curve
from crewe.power._outcomes import BinaryOutcome, ContinuousOutcome, CountOutcome
from crewe.power._simulate import mdes, simulate
from crewe.power._simulated import Measure, SimulatedEffect, SimulatedPower
from crewe.power._trial import ClusterSizes, LinearModel

__all__ = [
    "BinaryOutcome",
    "BinaryPower",
    "ClusterSizes",
    "Comparison",
    "ContinuousOutcome",
    "CountOutcome",
    "Curve",
    "LinearModel",
    "Measure",
    "SimulatedEffect",
    "SimulatedPower",
    "binary",
    "mdes",
    "project_crewe",
    "simulate",
    "table",
]

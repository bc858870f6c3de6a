"""What a trial can detect: power, smallest detectable effects and the number of clusters.

Every function takes a trial on paper with exactly one quantity left out, and solves for it:

>>> import crewe as cw
>>> plan = cw.power.binary(baseline=0.226, icc=0.36, cluster_size=3, clusters=286, power=0.8)
>>> round(100 * plan.effect, 1)
11.2

Effects are signed differences (0.112 is a rise of 11.2 percentage points) or ratios, `clusters`
counts both arms together, and `allocation` is the treated share of the clusters (2:1 is 2/3).
"""

from __future__ import annotations

from crewe.power._analyses import CoxModel, LinearModel, LogitModel, LogRank
from crewe.power._arrivals import Arrivals
from crewe.power._assurance import Assurance, assurance
from crewe.power._beside import Covariate, Subgroup
from crewe.power._binary import binary
from crewe.power._compare import Comparison, table
from crewe.power._continuous import continuous
from crewe.power._count import count
from crewe.power._curve import Curve
from crewe.power._functions import CustomAnalysis, CustomOutcome
from crewe.power._layouts import Blocks, Crossover, Nested, Pairs, SteppedWedge, ThreeLevels
from crewe.power._outcomes import (
    BinaryOutcome,
    ContinuousOutcome,
    CountOutcome,
    SurvivalOutcome,
)
from crewe.power._priors import Beta, LogNormal, Normal, Uniform
from crewe.power._project_crewe import project_crewe
from crewe.power._result import Power
from crewe.power._several import Several, several
from crewe.power._simulate import mdes, simulate
from crewe.power._simulated import Measure, SimulatedEffect, SimulatedPower
from crewe.power._sizes import ClusterSizes
from crewe.power._survival import survival
from crewe.power._tests import MannWhitney, RandomisationTest, Rates
from crewe.power._update import Stage, Update, update

__all__ = [
    "Arrivals",
    "Assurance",
    "Beta",
    "BinaryOutcome",
    "Blocks",
    "ClusterSizes",
    "Comparison",
    "ContinuousOutcome",
    "CountOutcome",
    "Covariate",
    "CoxModel",
    "Crossover",
    "Curve",
    "CustomAnalysis",
    "CustomOutcome",
    "LinearModel",
    "LogNormal",
    "LogRank",
    "LogitModel",
    "MannWhitney",
    "Measure",
    "Nested",
    "Normal",
    "Pairs",
    "Power",
    "RandomisationTest",
    "Rates",
    "Several",
    "SimulatedEffect",
    "SimulatedPower",
    "Stage",
    "SteppedWedge",
    "Subgroup",
    "SurvivalOutcome",
    "ThreeLevels",
    "Uniform",
    "Update",
    "assurance",
    "binary",
    "continuous",
    "count",
    "mdes",
    "project_crewe",
    "several",
    "simulate",
    "survival",
    "table",
    "update",
]

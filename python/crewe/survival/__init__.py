"""Times to an event: Kaplan-Meier curves, restricted means, the log-rank test and Cox's model."""

from __future__ import annotations

from crewe.survival._adjusted import AdjustedCurves
from crewe.survival._cox import CoxPH, coxph
from crewe.survival._kaplan_meier import KaplanMeier, kaplan_meier
from crewe.survival._logrank import LogRank, logrank
from crewe.survival._rmst import RestrictedMean, rmst
from crewe.survival._surv import Surv
from crewe.survival._zph import ProportionalHazards

__all__ = [
    "AdjustedCurves",
    "CoxPH",
    "KaplanMeier",
    "LogRank",
    "ProportionalHazards",
    "RestrictedMean",
    "Surv",
    "coxph",
    "kaplan_meier",
    "logrank",
    "rmst",
]

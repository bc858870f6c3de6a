"""Inference by drawing again: the trial's own procedure, weights of clusters, or the clusters themselves."""

from crewe.resampling._audit_result import AuditedProcedure, SizeAudit
from crewe.resampling._pairs import PairsBootstrap, pairs_bootstrap
from crewe.resampling._result import Comparison, RandomisationTest
from crewe.resampling._test import randomisation_test
from crewe.resampling._wild import wild_bootstrap
from crewe.resampling._wild_result import WildBootstrap

__all__ = [
    "AuditedProcedure",
    "Comparison",
    "PairsBootstrap",
    "RandomisationTest",
    "SizeAudit",
    "WildBootstrap",
    "pairs_bootstrap",
    "randomisation_test",
    "wild_bootstrap",
]

"""Disclosure control: pseudonyms, small counts, and what a reader can work out from published tables."""

from crewe.disclosure.audits import Audit, Bound, audit
from crewe.disclosure.checks import Check, check, row_level_ids, small_cells
from crewe.disclosure.figures import applying
from crewe.disclosure.guidance import Guidance
from crewe.disclosure.k_anonymity import Anonymity, Combination, anonymity
from crewe.disclosure.protect import Protected
from crewe.disclosure.pseudonyms import StudyKey, pseudonymise
from crewe.disclosure.rules import DFE, SRS, Rule
from crewe.disclosure.tables import tabulated

__all__ = [
    "DFE",
    "SRS",
    "Anonymity",
    "Audit",
    "Bound",
    "Check",
    "Combination",
    "Guidance",
    "Protected",
    "Rule",
    "StudyKey",
    "anonymity",
    "applying",
    "audit",
    "check",
    "pseudonymise",
    "row_level_ids",
    "small_cells",
    "tabulated",
]

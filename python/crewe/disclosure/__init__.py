"""Disclosure control: pseudonyms, small counts, and what a reader can work out from published tables."""

from crewe.disclosure.pseudonyms import StudyKey, pseudonymise

__all__ = ["StudyKey", "pseudonymise"]

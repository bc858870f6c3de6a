"""`Report`: results, figures and words as HTML, PDF, Word and numbers; and the parts that evaluators say in words."""

from __future__ import annotations

from crewe.report.blocks import Abbreviations, Estimand, Funding, Limitations, Protocol, Summary
from crewe.report.check import Checklist
from crewe.report.report import Report

__all__ = [
    "Abbreviations",
    "Checklist",
    "Estimand",
    "Funding",
    "Limitations",
    "Protocol",
    "Report",
    "Summary",
]

"""`Report`: results, figures and words as one HTML file that prints well and needs no network."""

from __future__ import annotations

from crewe.report.report import Report

__all__ = ["Report"]

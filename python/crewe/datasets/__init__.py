"""Data to learn and test with: two real trials, and a synthetic one that says so."""

from __future__ import annotations

from crewe.datasets._project_crewe import ProjectCrewe, project_crewe

__all__ = ["ProjectCrewe", "project_crewe"]
"""Trials to learn on: two real ones, shipped with crewe.
The numbers belong to the studies that published them, not to crewe's licence; each function's
documentation names the study, the way the data came here and every column.
"""
from crewe.datasets._real import achievement_awards, rossi
__all__ = ["achievement_awards", "rossi"]

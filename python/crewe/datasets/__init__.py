"""Trials to learn on: two real ones, shipped with crewe, and a synthetic one that says so.

The numbers of the real trials belong to the studies that published them, not to crewe's licence;
each function's documentation names the study, the way the data came here and every column.
"""

from __future__ import annotations

from crewe.datasets._mark import mark_synthetic
from crewe.datasets._project_crewe import ProjectCrewe, project_crewe
from crewe.datasets._real import achievement_awards, rossi

__all__ = ["ProjectCrewe", "achievement_awards", "mark_synthetic", "project_crewe", "rossi"]

"""Data to learn and test with: two real trials, and a synthetic one that says so."""

from __future__ import annotations

from crewe.datasets._project_crewe import ProjectCrewe, project_crewe

__all__ = ["ProjectCrewe", "project_crewe"]

"""The synthetic Project Crewe: its families and dates, what was recorded of them, and what was printed."""

from __future__ import annotations

from crewe.datasets._project_crewe.trial import ProjectCrewe, project_crewe

__all__ = ["ProjectCrewe", "project_crewe"]

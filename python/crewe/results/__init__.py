"""`results.json`: the numbers of a report, for readers who work them out again; read back to frames, and described by a schema."""

from __future__ import annotations

from crewe.results.file import FORMAT, VERSION, schema
from crewe.results.results import Results, fingerprint, load

__all__ = ["FORMAT", "VERSION", "Results", "fingerprint", "load", "schema"]

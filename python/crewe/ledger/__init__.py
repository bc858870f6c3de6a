"""The register of a rolling trial: one family at a time, every event chained to those before it."""

from __future__ import annotations

from crewe.ledger.entries import Receipt, Verification
from crewe.ledger.ledger import Ledger

__all__ = ["Ledger", "Receipt", "Verification"]

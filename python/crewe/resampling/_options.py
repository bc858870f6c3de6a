"""How a randomisation test is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from crewe.design.keys import Key


@dataclass
class Options:
    draws: int
    seed: int | Key | None
    alternative: str
    level: float
    interval: bool
    weights: str

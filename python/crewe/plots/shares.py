"""Shares along an axis: per cent, with the decimals that the step between ticks asks for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any


def in_percent(axis: Any) -> None:
    """Write the ticks of an axis of shares in per cent: 10% and 20%, or 0.5% and 1.0%."""
    from matplotlib.ticker import Formatter

    class Percent(Formatter):
        def __call__(self, value: float, position: int | None = None) -> str:
            return _written(value, 1)

        def format_ticks(self, values: Sequence[float]) -> list[str]:
            digits = _decimals(values)
            return [_written(value, digits) for value in values]

    axis.set_major_formatter(Percent())


def _decimals(values: Sequence[float]) -> int:
    """Give the decimals that the least step needs: one for 2.5, none for 10."""
    places = sorted({round(float(value), 12) for value in values})
    step = 100 * min((b - a for a, b in itertools.pairwise(places)), default=0.01)
    return next((d for d in range(4) if math.isclose(step, round(step, d), rel_tol=1e-6)), 4)


def _written(value: float, digits: int) -> str:
    text = f"{abs(100 * value):.{digits}f}%"
    return f"−{text}" if value < 0 and float(text[:-1]) else text

"""Figures in the printed style, one a file.

Each takes results or tidy frames and gives matplotlib Axes. Alternative text is attached to each
figure, with the numbers in it.
"""

from __future__ import annotations

from crewe.plots.coefplot import coefplot
from crewe.plots.forest import forest
from crewe.plots.love import love
from crewe.plots.means import means

__all__ = ["coefplot", "forest", "love", "means"]

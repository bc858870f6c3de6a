"""Figures as drawings: those of matplotlib, and those that results make of themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crewe.plots import style
from crewe.report.naming import Names, labelled
from crewe.tables import protocols


@dataclass(frozen=True)
class Picture:
    """A drawing that waits for its number: from a name, an alternative text and a prefix to SVG."""

    make: Callable[[str, str, str], str]
    alt: str = ""
    synthetic: bool = False


def is_figure(result: Any) -> bool:
    """Say whether something is a matplotlib figure or Axes."""
    return any(protocols.attribute(result, name) is not None for name in ("savefig", "transAxes"))


def svg_of(result: Any) -> str | None:
    """Give a drawing that a result makes of itself, or None."""
    svg = protocols.attribute(result, "svg")
    svg = svg() if callable(svg) else svg
    return svg if isinstance(svg, str) else None


def figure_picture(made: Any, synthetic: bool, names: Names) -> Picture:
    """Take a matplotlib figure, to be drawn under the labels of the report."""

    def make(name: str, alt: str, prefix: str) -> str:
        # The label is there only while the SVG is made: the user's figure stays as it was.
        with labelled(made, names):
            label = style.label_synthetic(made) if synthetic else None
            try:
                return style.to_svg(made, name, alt, prefix)
            finally:
                if label is not None:
                    label.remove()

    alt = names.said(style.alt_of(made), {})
    return Picture(make, alt, synthetic or style.is_synthetic(made))


def svg_picture(text: str, synthetic: bool) -> Picture:
    """Take a drawing as it is, cleaned."""

    def make(name: str, alt: str, prefix: str) -> str:
        return style.embed_svg(text, name, alt, prefix, synthetic=synthetic)

    return Picture(make, synthetic=synthetic)

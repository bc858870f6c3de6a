"""One printed style for every figure: sized for an A4 column, safe in black and white.

Arms differ in lightness, marker, line and hatch at once, so a figure survives a photocopier and any
kind of colour vision. The hues are those of Okabe and Ito (2008), "Color Universal Design",
darkened until each stands out from white paper by at least 3:1.
"""

from __future__ import annotations

import io
import re
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crewe.exceptions import InputError, fault
from crewe.tables.wording import worded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_MM = 160.0
"""The width of a figure that fills an A4 column."""

INK = "#1a1a1a"
QUIET = "#595959"
RULE = "#dcdcdc"
WARNING = "#8a2b00"
SYNTHETIC = "SYNTHETIC DATA"
"""What every figure of synthetic data says."""

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "text.color": INK,
    # A dollar sign in a label is a dollar.
    "text.parse_math": False,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.4,
    "lines.markersize": 5.5,
    "hatch.linewidth": 0.6,
    "figure.dpi": 110,
    "savefig.dpi": 300,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "crewe",
}


@dataclass(frozen=True)
class ArmStyle:
    """How one arm is drawn.

    Attributes
    ----------
    colour : str
        Of lines and marker edges.
    face : str
        Inside markers: the reference arm's are hollow.
    fill : str
        Of bars and boxes.
    hatch : str
        On bars and boxes.
    marker, line : str
        matplotlib's marker and line style.
    """

    colour: str
    face: str
    fill: str
    hatch: str
    marker: str
    line: Any


_STYLES = (
    ArmStyle("#6b6b6b", "#ffffff", "#e4e4e4", "////", "o", (0, (4, 1.6))),
    ArmStyle("#0b4f8a", "#0b4f8a", "#0b4f8a", "", "s", "-"),
    ArmStyle("#c85200", "#f2a25c", "#f2a25c", "....", "^", (0, (1, 1.2))),
    ArmStyle("#00734f", "#8fd0b8", "#8fd0b8", "\\\\\\\\", "D", (0, (5, 1.4, 1, 1.4))),
    ArmStyle("#7a3b69", "#7a3b69", "#d5b3cb", "xxxx", "v", (0, (7, 2))),
    ArmStyle("#1a1a1a", "#ffffff", "#ffffff", "++++", "P", (0, (2, 2, 6, 2))),
)


@contextmanager
def printed() -> Iterator[None]:
    """Draw in the printed style, whatever the user's own matplotlib settings; also a decorator.

    Examples
    --------
    >>> from crewe.plots import style
    >>> with style.printed():
    ...     fig, ax = style.figure(80, 50)
    >>> [round(float(inches) * 25.4) for inches in fig.get_size_inches()]
    [80, 50]

    Notes
    -----
    Only the settings that the style changed are put back. The first figure of a session makes matplotlib choose its
    backend, which in a notebook also switches the interactive mode on and sets a style of its own:
    `matplotlib.style.context` would undo that, and no later figure, the user's own included, would be shown.
    """
    import matplotlib
    import matplotlib.style

    # Copies are read, for reading the backend itself would choose one.
    settings: Any = matplotlib.rcParams
    before = dict(settings.copy())
    matplotlib.style.use(["default", RC])
    ours = dict(settings.copy())
    changed = [name for name, value in ours.items() if value != before[name]]
    try:
        yield
    finally:
        now = dict(settings.copy())
        settings.update({name: before[name] for name in changed if now[name] == ours[name]})


def arm_styles(arms: Sequence[str]) -> dict[str, ArmStyle]:
    """Give each arm its style, by position: the reference arm first.

    Raises
    ------
    InputError
        Where there are more arms than styles that can be told apart.

    Examples
    --------
    >>> styles = arm_styles(["control", "crewe"])
    >>> styles["control"].marker, styles["crewe"].marker
    ('o', 's')
    """
    names = list(dict.fromkeys(str(arm) for arm in arms))
    if len(names) > len(_STYLES):
        raise fault(
            InputError,
            f"{len(names)} series cannot be told apart in one figure",
            remedy=f"Draw at most {len(_STYLES)} together, or split the figure",
        )
    return dict(zip(names, _STYLES, strict=False))


def figure(width_mm: float = WIDTH_MM, height_mm: float = 90.0, **axes: Any) -> tuple[Any, Any]:
    """Make a figure of a size in millimetres; further arguments go to `matplotlib.pyplot.subplots`.

    Returns
    -------
    figure, axes
        As `subplots` gives them.
    """
    import matplotlib.pyplot as plt

    size = (width_mm / 25.4, height_mm / 25.4)
    with printed():
        made, panels = plt.subplots(figsize=size, **axes)
    return made, panels


def legend(
    ax: Axes,
    styles: Mapping[str, ArmStyle],
    labels: Mapping[str, str] | None = None,
    *,
    bars: bool = False,
    lines: bool = False,
    markers: bool = False,
    ticks: str = "",
) -> None:
    """Name the arms above the plot, on the left: markers, filled boxes, lines, or lines with markers.

    `ticks` names small vertical strokes on the lines.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    known = labels or {}
    handles: list[Any] = []
    for name, style in styles.items():
        words = textwrap.fill(known.get(name, worded(name)), _LEGEND)
        if bars:
            handles.append(
                Patch(
                    facecolor=style.fill,
                    edgecolor=style.colour,
                    hatch=style.hatch,
                    linewidth=0.8,
                    label=words,
                )
            )
            continue
        handles.append(
            Line2D(
                [],
                [],
                color=style.colour,
                linestyle=style.line if lines else "none",
                marker="" if lines and not markers else style.marker,
                markerfacecolor=style.face,
                markeredgecolor=style.colour,
                label=words,
            )
        )
    if ticks:
        handles.append(
            Line2D([], [], linestyle="none", marker="|", markersize=6, color=QUIET, label=ticks)
        )
    ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=_columns(ax, [str(handle.get_label()) for handle in handles]),
        borderaxespad=0.3,
        borderpad=0.1,
        handlelength=2.4 if lines else 1.4,
        handletextpad=0.4,
        columnspacing=1.6,
    )


_LEGEND = 48
"""The letters in a line of a legend, which the narrowest figure still holds."""


def _columns(ax: Any, names: Sequence[str]) -> int:
    """Give how many names stand side by side in the width of the plot: three at most."""
    # 8-point letters are about 1.6 mm wide, a marker with its gaps takes 8 mm.
    width = 0.82 * 25.4 * float(figure_of(ax).get_figwidth())
    widest = 8.0 + 1.6 * max((len(line) for name in names for line in name.split("\n")), default=1)
    if all(len(name) <= 24 for name in names):
        return min(len(names), 3)
    return max(1, min(len(names), 3, int(width / widest)))


def whiskers(ax: Any, x: Any, y: Any, **ends: Any) -> None:
    """Draw intervals over bars: a white line under the dark one shows them on a dark bar too."""
    ax.errorbar(x, y, fmt="none", ecolor="#ffffff", elinewidth=3.0, capsize=0, **ends)
    ax.errorbar(x, y, fmt="none", ecolor=INK, elinewidth=1.1, capsize=3, **ends)


def wrapped(ax: Any, text: str) -> str:
    """Break a quiet line where the figure is too narrow for it."""
    width_mm = 25.4 * float(figure_of(ax).get_figwidth())
    # 7.5-point letters are about 1.35 mm wide; the plot takes some three quarters of the width.
    return textwrap.fill(text, max(24, int(0.78 * width_mm / 1.35)))


def note(ax: Any, text: str) -> Any:
    """Write a quiet line under everything else that stands below the plot.

    Returns
    -------
    matplotlib.text.Annotation
    """
    return ax.annotate(
        wrapped(ax, text),
        # An empty label has no place of its own: the line then takes the label's.
        xy=(0.5, 0.0),
        xycoords=ax.xaxis.label,
        xytext=(0, -3),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=7.5,
        color=QUIET,
        annotation_clip=False,
        gid="crewe-note",
    )


def figure_of(ax: Any) -> Figure:
    """Give the figure of an Axes, of an array of Axes or of a figure."""
    if hasattr(ax, "savefig"):
        return ax  # type: ignore[no-any-return]
    if hasattr(ax, "flat"):
        ax = next(iter(ax.flat))
    found = getattr(ax, "figure", None)
    if found is None:
        raise fault(
            InputError,
            f"{type(ax).__name__} is not a figure",
            remedy="Give a matplotlib Figure or Axes, such as a plot() returns",
        )
    while getattr(found, "figure", found) is not found:
        found = found.figure
    return found  # type: ignore[no-any-return]


def alt_text(ax: Any, text: str) -> None:
    """Attach the alternative text that a report gives to people who do not see the figure."""
    figure_of(ax)._crewe_alt = " ".join(text.split())  # type: ignore[attr-defined]
    _dollars(ax)


def _dollars(ax: Any) -> None:
    """Let a dollar sign be one on Axes that the caller made in another style, too."""
    if not hasattr(ax, "get_xticklabels"):
        return
    from matplotlib.text import Text

    labels = [*ax.get_xticklabels(), *ax.get_yticklabels()]
    for text in [*labels, *ax.findobj(Text)]:
        # The labels of matplotlib's own logarithmic axes are mathematics.
        if "mathdefault" not in text.get_text():
            text.set_parse_math(False)


def alt_of(ax: Any) -> str:
    """Give the alternative text attached to a figure, or nothing."""
    return str(getattr(figure_of(ax), "_crewe_alt", ""))


def label_synthetic(ax: Axes) -> Any:
    """Write "Synthetic data" above the plot, in the figure itself so that it travels with a copy.

    Returns
    -------
    matplotlib.text.Text or None
        The label; None where the figure has one already.
    """
    made = figure_of(ax)
    if is_synthetic(made):
        return None
    if not hasattr(ax, "text") or hasattr(ax, "savefig") or hasattr(ax, "flat"):
        ax = made.axes[-1] if made.axes else made.add_subplot()
    label = ax.annotate(
        SYNTHETIC,
        xy=(1.0, 1.0),
        xytext=(0, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=6.5,
        fontweight="bold",
        color=WARNING,
        fontfamily="DejaVu Sans",
        bbox={"boxstyle": "round,pad=0.35", "fc": "#ffffff", "ec": WARNING, "lw": 0.7},
        annotation_clip=False,
        gid="crewe-synthetic",
    )
    _clear_of_legend(made, ax, label)
    return label


def _clear_of_legend(made: Any, ax: Any, label: Any) -> None:
    """Lift the label above a legend that reaches as far as it."""
    legend = ax.get_legend()
    if legend is None:
        return
    with printed():
        made.draw_without_rendering()
    box = legend.get_window_extent()
    if box.padded(4).overlaps(label.get_window_extent()):
        height = 72.0 * float(box.height) / float(made.dpi)
        label.xyann = (0, 7 + height)


def is_synthetic(ax: Any) -> bool:
    """Whether a figure carries the label already."""
    made = figure_of(ax)
    return any(text.get_gid() == "crewe-synthetic" for axes in made.axes for text in axes.texts)


def to_svg(fig: Any, title: str = "", desc: str = "", prefix: str = "figure") -> str:
    """Give a figure as SVG text to stand inside a page.

    Letters are drawn as paths, so no font is needed. The same figure gives the same bytes. All ids
    begin with `prefix`; pages that hold several figures give each its own.

    Parameters
    ----------
    fig : matplotlib Figure or Axes
        What to draw.
    title, desc : str
        The name and the alternative text, read out in place of the picture.
    prefix : str
        What every id begins with.
    """
    made = figure_of(fig)
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with printed():
        made.savefig(buffer, format="svg", metadata=nothing)
    return embed_svg(buffer.getvalue(), title, desc or alt_of(made), prefix)


_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_DEEPEST = 100
_FORBIDDEN = set(
    [
        "script",
        "foreignObject",
        "image",
        "metadata",
        "iframe",
        "style",
        "title",
        "desc",
        "animate",
        "animateMotion",
        "animateTransform",
        "animateColor",
        "set",
        "mpath",
        "discard",
        "handler",
        "listener",
        "audio",
        "video",
    ]
)


def embed_svg(text: str, title: str, desc: str, prefix: str, *, synthetic: bool = False) -> str:
    """Make SVG text fit to stand inside a page: own ids, own texts, nothing fetched, nothing run.

    Parameters
    ----------
    text : str
        A whole SVG document or element.
    title, desc : str
        The name and the alternative text.
    prefix : str
        What every id begins with.
    synthetic : bool
        Whether to write "Synthetic data" above the drawing.
    """
    root = _parsed(re.sub(r"<!DOCTYPE[^>]*>|<\?xml[^>]*\?>", "", text))
    _clean(root, prefix)
    width, height = (_millimetres(root.get(side)) for side in ("width", "height"))
    box = root.get("viewBox")
    for name in [name for name in root.attrib if name not in {"viewBox"}]:
        del root.attrib[name]
    root.set("xmlns", "http://www.w3.org/2000/svg")
    if box is not None and not width:
        # Without a size of its own a drawing is as wide as its units are CSS pixels.
        width = min(_millimetres(re.split(r"[\s,]+", box.strip())[2]), WIDTH_MM)
    if box is None and width and height:
        root.set("viewBox", f"0 0 {width * 72 / 25.4:g} {height * 72 / 25.4:g}")
    root.set("role", "img")
    root.set("focusable", "false")
    root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
    if width:
        # A page may enlarge it on screen; the variable tells it how wide the figure is on paper.
        root.set("width", f"{width:.1f}mm")
        root.set("style", f"--width:{width:.1f}mm;{root.get('style')}")
    if synthetic:
        _label_svg(root)
    if any(element.tag == "text" for element in root.iter()):
        root.set("style", f"{root.get('style')};font-family:sans-serif")
    for tag, words in (("desc", desc), ("title", title)):
        if words:
            named = ET.Element(tag, {"id": f"{prefix}-{tag}"})
            named.text = words
            root.insert(0, named)
    if title:
        root.set("aria-labelledby", f"{prefix}-title")
    if desc:
        root.set("aria-describedby", f"{prefix}-desc")
    return ET.tostring(root, encoding="unicode")


def _parsed(text: str) -> ET.Element:
    """Read SVG that is whole and not too deep to be walked through."""
    depth = deepest = 0
    root: ET.Element | None = None
    try:
        for event, element in ET.iterparse(io.StringIO(text), ("start", "end")):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            deepest = max(deepest, depth)
            if deepest > _DEEPEST:
                break
    except (ET.ParseError, ValueError) as error:
        raise fault(
            InputError,
            f"the drawing is no SVG that can be read: {error}",
            remedy="Give a whole SVG element, or the matplotlib figure itself",
        ) from error
    if root is None or deepest > _DEEPEST:
        raise fault(
            InputError,
            f"the drawing nests its elements more than {_DEEPEST} deep",
            remedy="Flatten its groups",
        )
    return root


def _label_svg(root: ET.Element) -> None:
    """Make room above a drawing and write there that its data are synthetic."""
    box = [float(part) for part in re.split(r"[\s,]+", (root.get("viewBox") or "").strip()) if part]
    if len(box) != 4 or any(element.text == SYNTHETIC for element in root.iter("text")):
        return
    x, y, width, height = box
    size = width / 60
    root.set("viewBox", f"{x:g} {y - 2 * size:g} {width:g} {height + 2 * size:g}")
    label = ET.SubElement(
        root,
        "text",
        {
            # In line with a drawing that keeps a small margin of its own.
            "x": f"{x + width - 0.8 * size:g}",
            "y": f"{y - 0.5 * size:g}",
            "text-anchor": "end",
            "font-size": f"{size:g}",
            "font-weight": "bold",
            "fill": WARNING,
        },
    )
    label.text = SYNTHETIC


def _millimetres(length: str | None) -> float:
    """Read an SVG length; bare numbers are CSS pixels, 96 to the inch."""
    found = re.fullmatch(r"\s*([\d.]+)\s*(pt|px|mm|cm|in)?\s*", length or "")
    if not found:
        return 0.0
    per = {"pt": 25.4 / 72, "px": 25.4 / 96, "mm": 1.0, "cm": 10.0, "in": 25.4}
    return float(found[1]) * per[found[2] or "px"]


def _clean(element: ET.Element, prefix: str) -> None:
    """Drop what may load or run and all namespaces; put `prefix` before ids and references."""
    for child in list(element):
        tag = child.tag if isinstance(child.tag, str) else ""
        if not tag or tag.split("}")[-1] in _FORBIDDEN:
            element.remove(child)
        else:
            _clean(child, prefix)
    element.tag = element.tag.replace(_SVG, "")
    if element.tag != "text" and element.tag != "tspan":
        element.text = element.text if element.text and element.text.strip() else None
    if element.tail and not element.tail.strip():
        element.tail = "\n"
    for name, value in list(element.attrib.items()):
        del element.attrib[name]
        short = "href" if name == _XLINK else name
        if short.startswith(("{", "on")):
            continue
        if short == "id":
            value = f"{prefix}-{value}"
        elif short == "href":
            if not value.startswith("#"):
                continue
            value = f"#{prefix}-{value[1:]}"
        elif "url(" in value:
            if re.search(r"url\(\s*['\"]?(?!#)", value.replace("'", "").replace('"', "")):
                continue
            value = re.sub(r"url\(\s*['\"]?#([^)'\"]*)['\"]?\s*\)", rf"url(#{prefix}-\1)", value)
        element.set(short, value)

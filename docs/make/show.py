"""Put beside the code of a page what came out of it: tables as HTML, figures as SVG, saved pages in a frame."""

from __future__ import annotations

import html
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blocks import Block, Ran, blocks, run


def executed(source: str, text: str, folder: Path, name: str) -> str:
    """Run a page and give its Markdown with what came out; figures and saved pages go into a folder.

    Parameters
    ----------
    source : str
        What the page is called in errors.
    text : str
        Its Markdown.
    folder : Path
        Where files go, beside the page.
    name : str
        What their names begin with.
    """
    ran = run(source, text)[1]
    found = blocks(text)
    files = _Files(folder, name)
    parts: list[str] = []
    end = 0
    for k, (block, one) in enumerate(zip(found, ran, strict=True)):
        before, end = text[end : block.span[0]], block.span[1]
        said = k + 1 < len(found) and found[k + 1].language == "text" and found[k + 1].follows
        # What a page says was printed stands as it is; where that is a result, its table takes the place.
        if block.language == "text" and block.follows and _rich(ran[k - 1]):
            continue
        parts += [before, text[slice(*block.span)]]
        for item in one.shown:
            if not (said and isinstance(item, str) and not _rich(one)):
                parts.append(_beneath(block, _item(item, files)))
        parts += [
            _beneath(block, _page(path, files)) for path in one.files if path.suffix == ".html"
        ]
    return "".join(parts) + text[end:]


@dataclass
class _Files:
    """Where the files of a page go, and how many figures are there already."""

    folder: Path
    name: str
    figures: int = 0


def _rich(one: Ran) -> bool:
    return any(callable(getattr(item, "_repr_html_", None)) for item in one.shown)


def _beneath(block: Block, piece: str) -> str:
    return "\n\n" + textwrap.indent(piece, block.indent)


def _item(item: Any, files: _Files) -> str:
    if isinstance(item, str):
        return f"``` {{ .text .printed }}\n{item.rstrip()}\n```" if item.strip() else ""
    if hasattr(item, "savefig"):
        return _figure(item, files)
    import pandas as pd
    from crewe.tables import protocols

    with pd.option_context("display.precision", 4):
        # An empty line would end the block of HTML.
        body = re.sub(r"\n\s*\n", "\n", item._repr_html_().strip())
    # Most results say so in their title.
    made_up = protocols.synthetic(item) and "synthetic" not in body.lower()
    label = '<p class="synthetic">Synthetic data</p>' if made_up else ""
    return f'<div class="shown">{label}{body}</div>'


def _figure(figure: Any, files: _Files) -> str:
    from crewe.plots import style

    alt = style.alt_of(figure)
    assert alt, f"{files.name}: a figure without alternative text"
    if style.is_synthetic(figure):
        alt = f"Synthetic data. {alt}"
    files.figures += 1
    path = files.folder / f"{files.name}-{files.figures}.svg"
    path.write_text(style.to_svg(figure, desc=alt), "utf-8")
    return f'<figure><img src="{path.name}" alt="{html.escape(alt)}"></figure>'


def _page(path: Path, files: _Files) -> str:
    name = f"{files.name}-{path.name}"
    (files.folder / name).write_bytes(path.read_bytes())
    return (
        f'<figure class="saved"><div><iframe src="{name}" title="{path.name}, as saved" loading="lazy" '
        f'tabindex="-1"></iframe></div><figcaption><a href="{name}">{path.name}</a>, the whole page'
        "</figcaption></figure>"
    )

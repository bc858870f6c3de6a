"""Formulas between dollar signs as MathML, which browsers set without scripts, fonts or a network."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from typing import Any

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

# A dollar sign before a blank, or after one, is money; code has been taken out before this looks.
FORMULA = r"(?<![\\$\w])(\$)(?![\s$])((?:\\.|[^$\\])+?)(?<!\s)\$(?![\w$])"
BLOCK = r"(?<![\\$])(\$\$)\s*((?:\\.|[^$\\])+?)\s*\$\$"


_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_BIG = ("\u2211", "\u220f")
ET.register_namespace("", _NAMESPACE)


def mathml(formula: str, *, block: bool = False) -> str:
    """Give a formula of LaTeX as MathML, with the formula itself as what is read where MathML is not."""
    text = " ".join(html.unescape(formula).split())
    root = ET.fromstring(convert(text, display="block" if block else "inline"))
    left = re.findall(r"\\[A-Za-z]+", "".join(root.itertext()))
    assert not left, f"{left} of {text!r} is not known to the converter"
    # The limits of sums stand above and below, but beside them within a line: browsers decide that for these elements.
    for element in root.iter():
        above = {"msub": "munder", "msubsup": "munderover"}.get(element.tag.rpartition("}")[2])
        if above and element[0].text in _BIG:
            element.tag = f"{{{_NAMESPACE}}}{above}"
    root.set("alttext", text)
    return ET.tostring(root, encoding="unicode")


class _Formula(InlineProcessor):
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[str, int, int]:  # type: ignore[override]
        made = mathml(m[2], block=m[1] == "$$")
        return self.md.htmlStash.store(made), m.start(0), m.end(0)


class Maths(Extension):
    """Reads `$…$` and `$$…$$`."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Look for formulas after code and before escapes."""
        md.inlinePatterns.register(_Formula(BLOCK, md), "formula-block", 188)
        md.inlinePatterns.register(_Formula(FORMULA, md), "formula", 187)


def makeExtension(**options: Any) -> Maths:
    """Give the extension, as Python-Markdown asks for it."""
    return Maths(**options)

"""Formulas between dollar signs as MathML, which browsers set without scripts, fonts or a network."""

from __future__ import annotations

import html
import xml.etree.ElementTree as ET
from re import Match
from typing import Any

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

# A dollar sign before a blank, or after one, is money; code has been taken out before this looks.
FORMULA = r"(?<![\\$\w])(\$)(?![\s$])((?:\\.|[^$\\])+?)(?<!\s)\$(?![\w$])"
BLOCK = r"(?<![\\$])(\$\$)\s*((?:\\.|[^$\\])+?)\s*\$\$"


_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_PRIME = "\u2032"
_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")
ET.register_namespace("", _NAMESPACE)


def mathml(formula: str, *, block: bool = False) -> str:
    """Give a formula of LaTeX as MathML, with the formula itself as what is read where MathML is not."""
    text = " ".join(html.unescape(formula).split())
    root = ET.fromstring(convert(text, display="block" if block else "inline"))
    assert "\\" not in "".join(root.itertext()), f"some of {text!r} is not known to the converter"
    for element in root.iter():
        _limits(element)
        _prime(element)
        _spaced(element)
    root.set("alttext", text)
    return ET.tostring(root, encoding="unicode")


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _named(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _limits(element: ET.Element) -> None:
    """Put the limits of sums above and below; within a line browsers put those of these elements beside them."""
    above = {"msub": "munder", "msubsup": "munderover"}.get(_name(element))
    if above and element[0].text in ("\u2211", "\u220f"):
        element.tag = _named(above)


def _prime(element: ET.Element) -> None:
    """Put a prime behind its letter: the sign is raised in itself, and flies away where it is raised again."""
    if _name(element) not in ("msup", "msubsup") or element[-1].text != _PRIME:
        return
    *base, prime = list(element)
    prime.tag = _named("mo")
    prime.attrib = {"form": "postfix", "lspace": "0", "rspace": "0"}
    for one in list(element):
        element.remove(one)
    if len(base) == 2:
        inner = ET.SubElement(element, _named("msub"))
        inner.extend(base)
    else:
        element.extend(base)
    element.append(prime)
    element.tag = _named("mrow")


def _spaced(element: ET.Element) -> None:
    """Set brackets and strokes as what they are, since a browser takes them for operators."""
    if _name(element) != "mo":
        return
    if element.text == "/":
        element.attrib |= {"lspace": "0", "rspace": "0"}
    elif element.text in (*_OPEN, *_CLOSE):
        element.attrib.setdefault("form", "prefix" if element.text in _OPEN else "postfix")
        element.attrib |= {"lspace": "0", "rspace": "0"}
    elif element.text == "|" and "form" not in element.attrib:
        element.attrib |= {"stretchy": "false", "lspace": "0", "rspace": "0"}


class _Formula(InlineProcessor):
    def handleMatch(self, m: Match[str], data: str) -> tuple[str, int, int]:  # type: ignore[override]
        made = mathml(m[2], block=m[1] == "$$")
        if m[1] == "$$":
            # What is wider than a phone scrolls.
            made = f'<span class="formula">{made}</span>'
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

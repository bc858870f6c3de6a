"""A little Markdown read into the words of a document."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crewe.report.document import Block, Listing, Paragraph, Run, Runs, Subheading
from crewe.tables.sheet import clean

_LINK = re.compile(r"\[([^\]]+)\]\((#[\w-]+|https?://[^\s)]+|mailto:[^\s)]+)\)")
_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*(\S(?:.*?\S)?)\*\*")
_ITALIC = re.compile(r"(?<![\w*])\*([^\s*](?:[^*]*[^\s*])?)\*(?![\w*])")
# A control character, which no cleaned text holds, stands for what has been read already.
_HELD = "\x00"


def plain(text: str) -> Runs:
    """Give words as they are."""
    return (Run(clean(text)),)


def runs(text: str, *, links: bool = True) -> Runs:
    """Read `**bold**`, `*italic*`, `` `code` `` and `[text](address)`; all else are letters.

    Sentences that hold names from the data are read without `links`.

    Examples
    --------
    >>> [(run.text, run.bold) for run in runs("p < .05 in **both** arms")]
    [('p < .05 in ', False), ('both', True), (' arms', False)]
    """
    held: list[Run] = []

    def hold(run: Run) -> str:
        held.append(run)
        return _HELD

    text = clean(text)
    # In the order of the text, so that what is held is met again in that order.
    pattern = re.compile(f"{_CODE.pattern}|{_LINK.pattern}" if links else _CODE.pattern)
    text = pattern.sub(
        lambda found: hold(
            Run(found[1], code=True)
            if found[1] is not None
            else Run(re.sub(r"\*+", "", found[2]), link=found[3])
        ),
        text,
    )
    rest = iter(held)
    made: list[Run] = []

    def put(part: str, bold: bool, italic: bool) -> None:
        for i, letters in enumerate(part.split(_HELD)):
            if i:
                run = next(rest)
                made.append(Run(run.text, bold, italic, run.code, run.link))
            if letters:
                made.append(Run(letters, bold, italic))

    for i, part in enumerate(_BOLD.split(text)):
        for j, inner in enumerate(_ITALIC.split(part)):
            put(inner, bool(i % 2), bool(j % 2))
    return tuple(made)


def markdown(text: str) -> list[Block]:
    r"""Read a little Markdown: paragraphs, lists, `###` headings and what `runs` knows.

    Headings of any depth stand within the section, since sections are the report's own.

    Examples
    --------
    >>> [type(block).__name__ for block in markdown("Two rules:\n\n- one\n- two")]
    ['Paragraph', 'Listing']
    """
    blocks: list[Block] = []
    for block in re.split(r"\n\s*\n", clean(text).strip()):
        lines = [line.strip() for line in block.strip().splitlines()]
        if not lines:
            continue
        heading = re.match(r"#{1,6}\s+(.*)", lines[0])
        if heading:
            blocks.append(Subheading(runs(heading[1])))
            lines = lines[1:]
        for ordered, pattern in ((False, r"[-*]\s+"), (True, r"\d+[.)]\s+")):
            if lines and re.match(pattern, lines[0]):
                items: list[str] = []
                for line in lines:
                    if re.match(pattern, line):
                        items.append(re.sub(pattern, "", line, count=1))
                    else:
                        items[-1] += f" {line}"
                blocks.append(points([runs(item) for item in items], ordered=ordered))
                break
        else:
            if lines:
                blocks.append(Paragraph(runs(" ".join(lines))))
    return blocks


def points(items: Sequence[Runs], *, ordered: bool = False) -> Listing:
    """Make a list of points with none under them."""
    return Listing(tuple((item, ()) for item in items), ordered)


def letters(words: Runs) -> str:
    """Give the letters of words without their look."""
    return "".join(run.text for run in words)

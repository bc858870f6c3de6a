"""Read the fenced blocks of a page, run its Python, and hold the page to what it says of it.

The one door to the code of the documentation: the tests run pages through it, and the site shows what came out.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# What a block may be written in. Rust stands in the documentation of the crate, where rustdoc runs it, and shell is
# not run here; a block of text straight after Python is what that Python prints.
PYTHON = ("python", "py")
OTHERS = ("text", "sh")
# Lines of other programs on the pages for who comes from them, which test_coming.py holds to what those programs gave.
PEERS = re.compile(r'r|stata|py title="\w+"')

FENCE = re.compile(r"^( *)(```+|~~~+)([^\n`]*)\n(.*?)^\1\2[ \t]*$", flags=re.DOTALL | re.MULTILINE)
_RAISES = re.compile(r"<!-- raises: (\w+) -->\s*\Z")


@dataclass
class Block:
    """A fenced block of a page: where it stands, what it says, and what the page says of it."""

    language: str
    code: str
    line: int
    raises: str | None
    follows: bool
    indent: str = ""
    # Where the fence begins and ends in the text of the page.
    span: tuple[int, int] = (0, 0)


@dataclass
class Ran:
    """What became of a block: the text that it printed, what it showed in order, and the files it wrote.

    In `shown` stand texts, results that can show themselves as HTML, and figures.
    """

    printed: str = ""
    shown: list[Any] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def pages() -> list[Path]:
    """Give every page with code that is to run, the one beside the documentation first."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> list[Block]:
    """Read the fenced blocks of a page in their order."""
    found: list[Block] = []
    end = 0
    for fence in FENCE.finditer(text):
        before = text[end : fence.start()]
        marked = _RAISES.search(before)
        found.append(
            Block(
                language=fence[3].strip(),
                code=textwrap.dedent(fence[4]),
                line=text.count("\n", 0, fence.start()) + 1,
                raises=marked[1] if marked else None,
                follows=bool(found) and found[-1].language in PYTHON and not before.strip(),
                indent=fence[1],
                span=fence.span(),
            )
        )
        end = fence.end()
    return found


def run(page: str, text: str) -> tuple[dict[str, Any], list[Ran]]:
    """Run the Python of a page from top to bottom as if pasted, and hold it to what the page says of it.

    What a notebook would show is worked out too, in the folder where this is called. Gives what the page has made,
    and for every block what became of it.
    """
    import matplotlib.pyplot as plt

    watch = _Watch()
    names: dict[str, Any] = {"__name__": "page", "print": watch.print}
    ran: list[Ran] = []
    for block in blocks(text):
        place = f"{page}:{block.line}"
        if page.startswith("docs/coming/") and PEERS.fullmatch(block.language):
            ran.append(Ran())
            continue
        assert block.language in (*PYTHON, *OTHERS), (
            f"{place}: {block.language!r} is run by nothing"
        )
        if block.language in PYTHON:
            there, drawn = _files(), set(plt.get_fignums())
            error = _execute(block, page, names, watch)
            raised = None if error is None else type(error).__name__
            if error is not None and raised != block.raises:
                raise error
            assert raised == block.raises, f"{place}: the page says {block.raises}"
            if error is not None:
                watch.print(error)
            one = watch.take()
            one.files = sorted(_files() - there)
            for number in sorted(set(plt.get_fignums()) - drawn):
                one.shown.append(plt.figure(number))
                plt.close(number)
            ran.append(one)
        else:
            if block.language == "text" and block.follows:
                assert says(block.code, ran[-1].printed), (
                    f"{place}: the block before it printed\n{ran[-1].printed}"
                )
            ran.append(Ran())
    return names, ran


def _files() -> set[Path]:
    return {path for path in Path.cwd().iterdir() if path.is_file()}


class _Watch:
    """Sees what a block prints: results that can show themselves as HTML are kept beside their text."""

    def __init__(self) -> None:
        self._ran = Ran()

    def print(self, *values: Any, **options: Any) -> None:
        """Print as Python does, and keep it."""
        if options.get("file") is not None:
            print(*values, **options)
            return
        out = io.StringIO()
        print(*values, **options, file=out)
        shows = len(values) == 1 and callable(getattr(values[0], "_repr_html_", None))
        self._keep(out.getvalue(), values[0] if shows else None)

    def left(self, value: Any) -> None:
        """Keep what stands at the end of a block, as a notebook would show it."""
        if callable(getattr(value, "_repr_html_", None)):
            self._ran.shown.append(value)

    def said(self, text: str) -> None:
        """Keep what the block wrote to the terminal by other ways than `print`."""
        if text:
            self._keep(text, None)

    def take(self) -> Ran:
        """Give what was kept since this was last asked."""
        taken, self._ran = self._ran, Ran()
        return taken

    def _keep(self, text: str, value: Any) -> None:
        self._ran.printed += text
        shown = self._ran.shown
        if value is not None:
            shown.append(value)
        elif shown and isinstance(shown[-1], str):
            shown[-1] += text
        else:
            shown.append(text)


def _execute(block: Block, page: str, names: dict[str, Any], watch: _Watch) -> Exception | None:
    # Line numbers of errors are those of the page.
    tree = ast.parse("\n" * block.line + block.code, page)
    try:
        for statement in tree.body:
            with contextlib.redirect_stdout(io.StringIO()) as other:
                if isinstance(statement, ast.Expr):
                    code = compile(ast.Expression(statement.value), page, "eval")
                    value = eval(code, names)
                    _show(value)
                    if statement is tree.body[-1]:
                        watch.left(value)
                else:
                    exec(compile(ast.Module([statement], []), page, "exec"), names)
            watch.said(other.getvalue())
    except Exception as error:
        return error
    return None


def _show(value: Any) -> None:
    repr(value)
    html = getattr(value, "_repr_html_", None)
    if callable(html):
        html()


def says(shown: str, printed: str) -> bool:
    """Say whether this is what was printed, line by line; a line with an ellipsis stands for any lines."""
    parts = [re.escape(line.rstrip()) for line in shown.rstrip().splitlines()]
    pattern = "".join("(?:.*\n)*" if part in ("…", r"\.\.\.") else f"{part}\n" for part in parts)
    lines = "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())
    return re.fullmatch(pattern, lines) is not None

"""The documentation says what the repository holds."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import crewe as cw
import pandas as pd
import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text("utf-8"))


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert found
    return found[0]


def declared() -> set[str]:
    """Gather the names of everything that the repository depends on."""
    names: set[str] = set()
    for file in ("Cargo.toml", "python/Cargo.toml", "evidence/Cargo.toml"):
        for table in ("dependencies", "dev-dependencies", "build-dependencies"):
            names |= set(_toml(file).get(table, {}))
    project = _toml("pyproject.toml")
    lists = [project["build-system"]["requires"], project["project"]["dependencies"]]
    lists += project["dependency-groups"].values()
    lists += project["project"].get("optional-dependencies", {}).values()
    names |= {_name(entry) for entries in lists for entry in entries if isinstance(entry, str)}
    return names - {"crewe"}


def listed() -> set[str]:
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    return set(re.findall(r"^\| `([^`]+)` \| \S", page, flags=re.MULTILINE))


def test_every_dependency_has_its_reason() -> None:
    assert declared() - listed() == set(), "say in docs/dependencies.md why these are needed"


def test_no_reason_without_its_dependency() -> None:
    assert listed() - declared() == set(), "docs/dependencies.md lists what nothing depends on"


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text("utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.relative_to(ROOT / "docs").as_posix() in nav


def test_4_4_what_the_first_page_draws_under_a_design_takes_one() -> None:
    drawing = (ROOT / "docs" / "index.md").read_text("utf-8").partition("```text")[2]
    words = set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", drawing.partition("```")[0])))
    named = [getattr(cw, word) for word in words if callable(getattr(cw, word, None))]
    assert len(named) > 3
    for one in named:
        if not inspect.isclass(one):
            assert "design" in inspect.signature(one).parameters, one.__name__
    assert not [word for word in words if inspect.ismodule(getattr(cw, word, None))]


def test_4_4_the_columns_that_tables_take() -> None:
    page = (ROOT / "docs" / "reporting.md").read_text("utf-8").partition("## ")[0]
    columns = [name for name in re.findall(r"`(\w+)`", page)]
    frame = pd.DataFrame({name: [0.1] for name in columns}).assign(term="x")
    assert "0.100" in cw.table([frame, frame]).markdown
    for name in ("term", "estimate"):
        with pytest.raises(cw.InputError, match=f"no column '{name}'"):
            cw.table([frame.rename(columns={name: name.upper()})])


# --------------------------------------------------------------------------- blocks of code

# What a block may be written in. Rust stands in the documentation of the crate, where rustdoc runs it, and shell is
# not run here; a block of text straight after Python is what that Python prints.
PYTHON = ("python", "py")
OTHERS = ("text", "sh")
# Lines of other programs, which test_coming.py holds to what those programs gave.
PEERS = re.compile(r'r|stata|py title="\w+"')

_FENCE = re.compile(r"^( *)(```+|~~~+)([^\n`]*)\n(.*?)^\1\2[ \t]*$", flags=re.DOTALL | re.MULTILINE)
_RAISES = re.compile(r"<!-- raises: (\w+) -->\s*\Z")


@dataclass
class Block:
    """A fenced block of a page: where it stands, what it says, and what the page says of it."""

    language: str
    code: str
    line: int
    raises: str | None
    follows: bool


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> list[Block]:
    """Read the fenced blocks of a page in their order."""
    found: list[Block] = []
    end = 0
    for fence in _FENCE.finditer(text):
        before = text[end : fence.start()]
        marked = _RAISES.search(before)
        found.append(
            Block(
                language=fence[3].strip(),
                code=textwrap.dedent(fence[4]),
                line=text.count("\n", 0, fence.start()) + 1,
                raises=marked[1] if marked else None,
                follows=bool(found) and found[-1].language in PYTHON and not before.strip(),
            )
        )
        end = fence.end()
    return found


def run(page: str, text: str, say: Callable[[], str]) -> dict[str, Any]:
    """Run the Python of a page from top to bottom as if pasted, and hold it to what the page says of it.

    What a notebook would show is worked out too. `say` gives what was printed since it was last asked. Returns what
    the page has made.
    """
    names: dict[str, Any] = {"__name__": "page"}
    printed = ""
    for block in blocks(text):
        place = f"{page}:{block.line}"
        if page.startswith("docs/coming/") and PEERS.fullmatch(block.language):
            continue
        assert block.language in (*PYTHON, *OTHERS), (
            f"{place}: {block.language!r} is run by nothing"
        )
        if block.language in PYTHON:
            error = _execute(block, page, names)
            raised = None if error is None else type(error).__name__
            if error is not None and raised != block.raises:
                raise error
            assert raised == block.raises, f"{place}: the page says {block.raises}"
            printed = say() + (f"{error}\n" if error else "")
        elif block.language == "text" and block.follows:
            assert _says(block.code, printed), f"{place}: the block before it printed\n{printed}"
    return names


def _execute(block: Block, page: str, names: dict[str, Any]) -> Exception | None:
    # Line numbers of errors are those of the page.
    tree = ast.parse("\n" * block.line + block.code, page)
    try:
        for statement in tree.body:
            if isinstance(statement, ast.Expr):
                _show(eval(compile(ast.Expression(statement.value), page, "eval"), names))
            else:
                exec(compile(ast.Module([statement], []), page, "exec"), names)
    except Exception as error:
        return error
    return None


def _show(value: Any) -> None:
    repr(value)
    html = getattr(value, "_repr_html_", None)
    if callable(html):
        html()


def _says(shown: str, printed: str) -> bool:
    """Say whether this is what was printed, line by line; a line with an ellipsis stands for any lines."""
    parts = [re.escape(line.rstrip()) for line in shown.rstrip().splitlines()]
    pattern = "".join("(?:.*\n)*" if part in ("…", r"\.\.\.") else f"{part}\n" for part in parts)
    lines = "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())
    return re.fullmatch(pattern, lines) is not None


@pytest.mark.parametrize("page", [str(page.relative_to(ROOT)) for page in pages()])
def test_5_6_the_code_of_a_page_runs_as_pasted(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import matplotlib.pyplot as plt

    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    try:
        text = (ROOT / page).read_text("utf-8")
        sentences(page, text, run(page, text, lambda: capsys.readouterr().out))
    finally:
        plt.close("all")


@pytest.mark.parametrize(
    "page",
    [
        str(p.relative_to(ROOT))
        for f in ("methods", "tasks", "coming")
        for p in pages()
        if p.parent.name == f
    ],
)
def test_5_6_every_method_and_task_has_code(page: str) -> None:
    found = [b for b in blocks((ROOT / page).read_text("utf-8")) if b.language in PYTHON]
    assert found
    for block in found:
        assert "..." not in block.code and "…" not in block.code, "code that pretends runs nowhere"
    assert "import crewe as cw" in found[0].code


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\n1 / 0\n```", "division by zero"),
        ("<!-- raises: ValueError -->\n\n```python\nx = 1\n```", "the page says ValueError"),
        ("<!-- raises: ValueError -->\n\n```py\n1 / 0\n```", "division by zero"),
        ("```python\nprint('a')\n```\n\n```text\nb\n```", "printed"),
        ("```python\nprint('a\\nb')\n```\n\n```text\na\n```", "printed"),
        ("```python\nx = 1\n```\n\n```python\ny = z\n```", "'z' is not defined"),
        ("1. a list\n\n    ```python\n    1 / 0\n    ```", "division by zero"),
        ("```rust\nfn main() {}\n```", "run by nothing"),
        ("```\nx\n```", "run by nothing"),
        ("```r\nx\n```", "run by nothing"),
    ],
)
def test_5_6_a_page_that_is_wrong_fails(
    text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((AssertionError, ArithmeticError, NameError), match=message):
        run("page.md", text, lambda: capsys.readouterr().out)


def test_5_6_a_page_that_is_right_passes(capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        "```python\nx = 3\nprint('a')\nprint('b')\nprint(x)\n```\n\n```text\na\n…\n3\n```\n\n"
        "<!-- raises: ZeroDivisionError -->\n```python\nx / 0\n```\n\n```text\ndivision by zero\n```\n\n"
        "```sh\nmake test\n```\n\nA formula:\n\n```text\na = b\n```\n"
    )
    run("page.md", text, lambda: capsys.readouterr().out)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("A coin: `cw.BiasedCoin(p=2)`.", cw.DesignError),
        ("There is `cw.nothing`, or `fit.nothing`.", AttributeError),
        ("It takes `fit.replace(a)`.", TypeError),
        ("With data: `cw.ols(formula, frame, clusters=3)`.", AssertionError),
        ("With data: `cw.ols(…, clusters=3)`.", AssertionError),
    ],
)
def test_code_in_sentences_that_is_wrong_fails(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        sentences("page.md", text, {"fit": "", "a": ""})


def test_code_in_sentences_that_is_right_passes() -> None:
    text = "`cw.Blocks(sizes=[4])` or `cw.MatchedSets(on=…)`, `unknown.name`, `y ~ arm`, `fit.upper()`, `by=`."
    sentences("page.md", text, {"fit": ""})


def sentences(page: str, text: str, names: dict[str, Any]) -> None:
    """Hold the code inside sentences to the package, and to what the page has made by then.

    Expressions whose names are known are worked out; of other calls the name and the keywords are looked up.
    """
    names = {**names, "cw": cw}
    for code in dict.fromkeys(re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))):
        try:
            tree = ast.parse(code.replace("…", "..."), mode="eval")
        except SyntaxError:
            continue
        nodes = list(ast.walk(tree))
        known = all(node.id in names for node in nodes if isinstance(node, ast.Name))
        whole = not any(isinstance(node, ast.Constant) and node.value is ... for node in nodes)
        if isinstance(tree.body, ast.Attribute | ast.Call) and known and whole:
            eval(compile(tree, f"{page}: {code}", "eval"), names)
        for node in nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("cw."):
                _keywords(f"{page}: {code}", node, names)


def _keywords(place: str, call: ast.Call, names: dict[str, Any]) -> None:
    called = eval(compile(ast.Expression(call.func), place, "eval"), names)
    taken = inspect.signature(called).parameters
    if not any(one.kind is one.VAR_KEYWORD for one in taken.values()):
        unknown = [word.arg for word in call.keywords if word.arg not in taken]
        assert not unknown, f"{place} takes no {unknown}"

"""The documentation says what the repository holds."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import crewe as cw
import pandas as pd
import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from blocks import FENCE, PYTHON, ROOT, blocks, pages, run
from links import faults
from show import executed


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


def test_the_readme_shows_the_code_of_the_first_page() -> None:
    shown = [
        [
            block.code
            for block in blocks((ROOT / page).read_text("utf-8"))
            if block.language in PYTHON
        ]
        for page in ("README.md", "docs/index.md")
    ]
    assert len(shown[0]) == 1 and shown[0] == shown[1]


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


@pytest.mark.parametrize("page", [str(page.relative_to(ROOT)) for page in pages()])
def test_5_6_the_code_of_a_page_runs_as_pasted(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib.pyplot as plt

    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    try:
        text = (ROOT / page).read_text("utf-8")
        sentences(page, text, run(page, text)[0])
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
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((AssertionError, ArithmeticError, NameError), match=message):
        run("page.md", text)


def test_5_6_a_page_that_is_right_passes() -> None:
    text = (
        "```python\nx = 3\nprint('a')\nprint('b')\nprint(x)\n```\n\n```text\na\n…\n3\n```\n\n"
        "<!-- raises: ZeroDivisionError -->\n```python\nx / 0\n```\n\n```text\ndivision by zero\n```\n\n"
        "```sh\nmake test\n```\n\nA formula:\n\n```text\na = b\n```\n"
    )
    run("page.md", text)


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


# --------------------------------------------------------------------------- the site


def test_every_page_of_the_navigation_is_there() -> None:
    listed = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8"))
    assert [page for page in listed if not (ROOT / "docs" / page).exists()] == []
    assert len(listed) == len(set(listed))


def test_what_a_page_gives_stands_under_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "Words.\n\n```python\nimport crewe as cw\n\ntrial = cw.datasets.project_crewe(seed=2017)\n"
        "fit = cw.ols('closed ~ arm', trial.cases, cluster='family_id')\nprint(fit)\n```\n\n"
        "```text\nOLS: closed ~ arm (SYNTHETIC data)\n…\n```\n\nMore.\n\n"
        "1. a list\n\n    ```python\n    ax = fit.margins('arm').plot()\n    print('drawn')\n    ```\n\n"
        "```python\nawards = cw.datasets.achievement_awards()\nawards.head(2)\n```\n\n"
        "```python\nsaved = open('a.html', 'w').write('<p>x</p>')\nprint('one', 'two')\n```\n\n"
        "```text\none two\n```\n"
    )
    folder = tmp_path / "to"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    made = executed("page.md", text, folder, "page")
    table, figure, frame, page = made.split("```python")[1:]
    assert "<table" in table and "SYNTHETIC data" in table and "More." in table
    assert "```text" not in table
    assert re.search(r'    <figure><img src="page-1.svg" alt="Synthetic data\. [^"]{40,}">', figure)
    assert "    ``` { .text .printed }\n    drawn\n" in figure
    assert "<svg" in (folder / "page-1.svg").read_text("utf-8")
    assert "<table" in frame and "Synthetic" not in frame
    assert 'src="page-a.html"' in page and page.count("one two") == 1
    assert (folder / "page-a.html").read_text("utf-8") == "<p>x</p>"


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="top"></h1><a href="b.html#here"></a><a href="https://doi.org/1"></a><a href="#top"></a>'
        '<a href="b.html#gone"></a><img src="c.svg"><script src="https://cdn.example/x.js"></script>'
    )
    (tmp_path / "b.html").write_text('<p id="here"></p><a href="../a.html"></a>')
    assert faults(tmp_path) == [
        "a.html: b.html#gone has no such place",
        "a.html: c.svg is not there",
        "a.html: fetches https://cdn.example/x.js",
        "b.html: ../a.html is not there",
    ]


def _formulas(text: str) -> list[str]:
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    maths = pytest.importorskip("maths")
    return [m[2] for pattern in (maths.BLOCK, maths.FORMULA) for m in re.finditer(pattern, prose)]


def test_formulas_are_set() -> None:
    pytest.importorskip("latex2mathml")
    import maths

    found = [one for page in pages() for one in _formulas(page.read_text("utf-8"))]
    assert len(found) > 50
    for one in found:
        maths.mathml(one)
    with pytest.raises(AssertionError, match="nonsense"):
        maths.mathml(r"\nonsense{x}")


def test_formulas_stand_between_dollars_and_money_does_not() -> None:
    pytest.importorskip("latex2mathml")
    markdown = pytest.importorskip("markdown")
    text = "Costs $5 or $6, `$x$`, $a_i$ and $b_i$.\n\n$$\n\\sum_{i=1}^{n} *x_i*\n$$\n"
    made = markdown.markdown(text, extensions=["maths"])
    assert made.count("<math") == 3 and made.count('display="block"') == 1
    assert "$5 or $6" in made and "<code>$x$</code>" in made and "<em>" not in made
    assert "<munderover><mo>∑</mo>" in made


def sentences(page: str, text: str, names: dict[str, Any]) -> None:
    """Hold the code inside sentences to the package, and to what the page has made by then.

    Expressions whose names are known are worked out; of other calls the name and the keywords are looked up.
    """
    names = {**names, "cw": cw}
    for code in dict.fromkeys(re.findall(r"`([^`\n]+)`", FENCE.sub("", text))):
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

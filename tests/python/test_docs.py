"""The documentation says what the repository holds."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize(
    "page", [f"tasks/{path.name}" for path in sorted(ROOT.glob("docs/tasks/*.md"))]
)
def test_the_code_of_a_task_prints_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / page).read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), page, "exec"), {})
    printed = capsys.readouterr().out
    for shown in re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL):
        assert shown in printed


@pytest.mark.parametrize("page", ["reporting.md"])
def test_the_code_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), page, "exec"), {})
    assert "Two models" in capsys.readouterr().out
    assert (tmp_path / "report.html").stat().st_size > 10_000

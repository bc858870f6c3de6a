"""Files for the user are written whole or not at all, and what goes wrong is a crewe error."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crewe as cw
import pandas as pd
import pytest

HALF = "half \ud800 a character"


def report(title: str = "A report") -> cw.Report:
    frame = pd.DataFrame({"arm": ["control", "crewe"], "cases": [45, 83]})
    return cw.Report(title, date="2016-11-01").add(frame, heading="Cases")


def table(title: str = "A table") -> Any:
    rows = pd.DataFrame({"y": [1.0, 3.0, 2.0, 5.0, 4.0], "x": [1.0, 2.0, 3.0, 4.0, 5.5]})
    return cw.table([cw.ols("y ~ x", rows)], title=title)


def design(name: str = "A trial") -> cw.Design:
    made = cw.Design("A trial", arms={"a": 1, "b": 1}, cluster="family_id", seed=1)
    object.__setattr__(made, "name", name)
    return made


# Every method that writes a file: what it writes, and the same with half a character in it.
WRITERS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any]]] = {
    "report": (lambda p: report().save(p), lambda p: report(HALF).save(p)),
    "docx": (lambda p: table().docx(p), lambda p: table(HALF).docx(p)),
    "toml": (lambda p: design().to_toml(p), lambda p: design(HALF).to_toml(p)),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_7_2_a_failed_writing_leaves_the_last_good_file(kind: str, tmp_path: Path) -> None:
    good, bad = WRITERS[kind]
    path = tmp_path / "file"
    good(path)
    before = path.read_bytes()
    assert before
    with pytest.raises(cw.InputError, match=r"half a character \(U\+D800\)"):
        bad(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["file"]
    # The same bytes again.
    good(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("when", ["write", "fsync", "replace", "interrupted"])
def test_7_2_a_full_disk_leaves_the_last_good_file(
    kind: str, when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, _ = WRITERS[kind]
    path = tmp_path / "file"
    path.write_text("the last good one")

    def fail(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt if when == "interrupted" else OSError(28, "No space left on device")

    called = {"write": "fsync", "interrupted": "fsync"}.get(when, when)
    monkeypatch.setattr(os, called, fail)
    expected = KeyboardInterrupt if when == "interrupted" else cw.CreweError
    with pytest.raises(expected) as caught:
        good(path)
    if when != "interrupted":
        assert "No space left on device" in str(caught.value) and str(path) in str(caught.value)
        assert isinstance(caught.value.__cause__, OSError)
    assert path.read_text() == "the last good one"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="limits of the size of files")
def test_7_2_a_file_that_cannot_grow_is_never_cut(tmp_path: Path) -> None:
    script = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import crewe as cw
from test_files import report
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = {str(tmp_path / "report.html")!r}
report().save(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    report("Another").save(path)
except cw.CreweError as error:
    print("refused:", error)
"""
    run = subprocess.run(
        [sys.executable, "-B", "-c", script], capture_output=True, text=True, check=True
    )
    assert "could not be written: File too large" in run.stdout, run
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "A report" in page and page.rstrip().endswith("</html>")
    assert os.listdir(tmp_path) == ["report.html"]


def test_7_2_a_file_is_replaced_as_it_was(tmp_path: Path) -> None:
    path, link = tmp_path / "real" / "page.html", tmp_path / "link.html"
    assert report().save(path) == path
    assert report().save(str(path)) == path
    if os.name == "posix":
        umask = os.umask(0o022)
        os.umask(umask)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
        path.chmod(0o640)
        link.symlink_to(path)
        report("Another").save(link)
        assert link.is_symlink() and "Another" in path.read_text("utf-8")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert sorted(os.listdir(tmp_path)) == ["link.html", "real"]
    assert os.listdir(path.parent) == ["page.html"]


@pytest.mark.skipif(os.name != "posix", reason="devices are files")
def test_7_2_devices_are_written_to_and_stay() -> None:
    before = os.stat(os.devnull)
    report().save(os.devnull)
    assert os.stat(os.devnull).st_ino == before.st_ino
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(cw.CreweError, match="No space left on device"):
        report().save("/dev/full")


def test_7_2_what_is_no_place_for_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(cw.InputError, match="is a folder"):
        report().save(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(cw.CreweError, match="could not be written"):
        report().save(tmp_path / "file" / "page.html")
    with pytest.raises(cw.CreweError, match="could not be written"):
        report().save(tmp_path / ("n" * 300))
    with pytest.raises(cw.CreweError, match="could not be written"):
        report().save(str(tmp_path / "a\0b"))
    assert (tmp_path / "file").read_text() == "x"


def test_7_2_nothing_else_in_the_package_writes_files() -> None:
    package = Path(cw.__file__).parent
    for path in package.rglob("*.py"):
        if path.name == "writing.py":
            continue
        text = path.read_text("utf-8")
        for door in ("write_text(", "write_bytes(", '"w"', '"wb"', "'w'"):
            found = [
                line
                for line in text.splitlines()
                if door in line and "ZipFile(made" not in line and "savefig(buffer" not in line
            ]
            assert not found, (path.name, found)

"""Write the documentation with its code executed: `python docs/make` before the generator, with `check` after it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile

import links
from blocks import ROOT
from show import executed

WRITTEN = ROOT / "out" / "docs"


def write() -> None:
    """Write every page, executed, to `out/docs`, whence the generator takes it."""
    os.environ["MPLBACKEND"] = "agg"
    docs = ROOT / "docs"
    shutil.rmtree(WRITTEN, ignore_errors=True)
    shutil.copytree(docs, WRITTEN, ignore=shutil.ignore_patterns("make"))
    for page in sorted(docs.rglob("*.md")):
        place = page.relative_to(docs)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            text = executed(
                f"docs/{place}", page.read_text("utf-8"), (WRITTEN / place).parent, page.stem
            )
            os.chdir(ROOT)
        (WRITTEN / place).write_text(text, "utf-8")


if sys.argv[1:] == ["check"]:
    if wrong := links.faults(ROOT / "site"):
        sys.exit("\n".join(wrong))
else:
    write()

"""The pages for who comes from Stata, R or Python: the same model, the same number, line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import crewe as cw
import pandas as pd
import pytest
from blocks import PEERS, ROOT, blocks, run

EXPECTED = ROOT / "tests" / "reference" / "expected"


def stored(page: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((EXPECTED / f"coming_{page}.json").read_text("utf-8"))[
        "cases"
    ]
    return cases


CASES = [(page, case["id"]) for page in ("r", "python", "stata") for case in stored(page)]


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, Any]]:
    """Run each page and give the names that it has made."""
    found = {}
    for page in ("r", "python", "stata"):
        text = (ROOT / "docs" / "coming" / f"{page}.md").read_text("utf-8")
        # What the pages print is held by test_docs.
        found[page] = run(f"docs/coming/{page}.md", _without_text(text))[0]
    pupils = pd.read_csv(ROOT / "tests" / "reference" / "data" / "school23.csv")
    found["stata"]["pupils"] = cw.ols("math ~ homework", pupils, cluster="school")
    return found


def _without_text(text: str) -> str:
    return text.replace("```text", "```sh")


@pytest.mark.parametrize(("page", "case"), CASES)
def test_the_number_is_the_same(page: str, case: str, made: Any) -> None:
    wanted = next(one for one in stored(page) if one["id"] == case)
    ours = [float(value) for value in eval(wanted["crewe"], made[page])]
    if page != "stata":
        assert wanted["value"], "nothing was read off the other program's result"
        assert ours == pytest.approx(wanted["value"], rel=wanted["tolerance"], abs=1e-12)
        return
    assert len(ours) == len(wanted["printed"])
    for value, printed, units in zip(ours, wanted["printed"], wanted["units"], strict=True):
        last = 10.0 ** -len(printed.partition(".")[2])
        # A number printed is at most half a unit of its last digit off; more where the source says why.
        assert abs(value - float(printed)) <= (0.5001 if units == 1 else units) * last
        assert units == 1 or wanted["why"]


@pytest.mark.parametrize("page", ["r", "python", "stata"])
def test_every_line_of_the_other_program_is_one_that_was_run_or_published(page: str) -> None:
    text = (ROOT / "docs" / "coming" / f"{page}.md").read_text("utf-8")
    shown = [block.code.rstrip() for block in blocks(text) if PEERS.fullmatch(block.language)]
    held = ["\n".join(case["code"]) for case in stored(page)]
    assert shown and sorted(shown) == sorted(held)


def test_published_numbers_have_their_source_on_the_page() -> None:
    text = " ".join((ROOT / "docs" / "coming" / "stata.md").read_text("utf-8").split())
    for case in stored("stata"):
        assert case["source"].partition(",")[0] in text
        for printed in case["printed"][:1]:
            assert printed.replace("-", "") in text.replace("−", "-")


def test_the_scripts_stand_beside_what_they_wrote() -> None:
    for name in ("coming.R", "coming.py"):
        script = (Path(EXPECTED).parent / name).read_text("utf-8")
        assert f"coming_{'r' if name.endswith('R') else 'python'}.json" in script

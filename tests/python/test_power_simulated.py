"""The closed forms of power against trials simulated by a program that shares no code with them.

The full grid, 20,000 trials a design, is `docs/evidence/power.md`; here each design has fewer.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import crewe as cw
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def _grid() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "evidence_power", ROOT / "tests" / "evidence_power.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evidence_power"] = module
    spec.loader.exec_module(module)
    return module


grid = _grid()
CASES = grid.cases()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_closed_forms_are_what_trials_do(case) -> None:
    found = grid.run(case, 1500)
    assert found.within, f"{found.closed:.3f} against {found.simulated:.3f} ({found.error:.3f})"


def test_the_simulator_would_notice_a_wrong_formula() -> None:
    # Without the design effect the same trials are far off.
    case = next(one for one in CASES if one.name.startswith("clusters of 20, 10 v 10"))
    rng = np.random.default_rng(1)
    simulated = case.simulate(rng, 1500, **case.how)
    wrong = cw.power.continuous(**{**case.asked, "icc": 0.0}).power
    assert wrong - simulated > 0.2


def test_the_simulator_knows_nothing_of_crewe() -> None:
    text = (ROOT / "tests" / "simulators" / "power_trials.py").read_text("utf-8")
    assert re.search(r"^\s*(import|from) crewe", text, flags=re.MULTILINE) is None


def test_the_page_shows_every_design_as_it_now_is() -> None:
    page = (ROOT / "docs" / "evidence" / "power.md").read_text("utf-8")
    for case in CASES:
        row = next(line for line in page.splitlines() if line.startswith(f"| {case.name} |"))
        assert row.split("|")[2].strip() == f"{100 * case.power():.1f}", case.name

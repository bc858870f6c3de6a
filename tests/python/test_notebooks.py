"""Figures in notebooks that a real kernel executes: all of them show, the user's own included."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from count_figures import figures

FRAME = """
import crewe as cw
trial = cw.datasets.project_crewe(seed=2017)
fit = cw.ols("closed ~ arm + gender", trial.cases, cluster="family_id")
times = cw.datasets.rossi()
"""
CREWE = [
    "shown = fit.plot()",
    "fit.margins('arm').plot()",
    "curves = cw.kaplan_meier('Surv(week, arrest) ~ fin', times).plot()",
    "cw.crosstab('closed ~ arm', trial.cases).plot();",
    "a = fit.plot(); b = fit.margins('arm').plot()",
]
OWN = ["import matplotlib.pyplot as plt; plt.plot([1, 2, 3]);", "plt.subplots();"]
SETTINGS = """
import json, matplotlib
print("SETTINGS" + json.dumps({k: repr(v) for k, v in sorted(matplotlib.rcParams.items())}))
"""


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel chooses its own backend, whatever the tests draw with."""
    monkeypatch.delenv("MPLBACKEND", raising=False)


def execute(cells: list[str], folder: Path) -> tuple[Path, list[dict[str, str]]]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(folder)}}
    ).execute()
    path = folder / "executed.ipynb"
    nbformat.write(notebook, path)
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    return path, [
        json.loads(line.removeprefix("SETTINGS"))
        for line in printed.splitlines()
        if line.startswith("SETTINGS")
    ]


@pytest.mark.parametrize("first", ["crewe", "the user"])
def test_5_1_every_figure_shows_in_a_notebook(first: str, tmp_path: Path) -> None:
    drawn = [*CREWE, *OWN] if first == "crewe" else [*OWN, *CREWE, OWN[0]]
    expected = 8 if first == "crewe" else 9
    path, _ = execute([FRAME, *drawn], tmp_path)
    assert figures(path) == expected


def test_5_1_figures_leave_the_settings_of_matplotlib_as_they_were(tmp_path: Path) -> None:
    own = "import matplotlib.pyplot as plt\nplt.rcParams['lines.linewidth'] = 7.0\nplt.close(plt.figure())"
    _, alone = execute([own, SETTINGS], tmp_path)
    _, before = execute([FRAME, own, SETTINGS, *CREWE, SETTINGS], tmp_path)
    _, after = execute([FRAME, *CREWE, own, SETTINGS], tmp_path)
    assert before[0] == before[1] == after[0] == alone[0]
    assert alone[0]["lines.linewidth"] == "7.0" and alone[0]["interactive"] == "True"


def test_5_1_what_a_cell_sets_while_crewe_draws_stays_where_the_style_did_not_set_it() -> None:
    import matplotlib
    from crewe.plots import style

    with matplotlib.rc_context({"font.size": 21.0, "interactive": False}):
        before = dict(matplotlib.rcParams)
        with pytest.raises(ZeroDivisionError), style.printed():
            assert matplotlib.rcParams["font.size"] == 8.5
            _ = 1 / 0
        assert dict(matplotlib.rcParams) == before
        with style.printed(), style.printed():
            matplotlib.interactive(True)
            matplotlib.rcParams["figure.dpi"] = 72.0
        after = dict(matplotlib.rcParams)
        assert after.pop("interactive") and after.pop("figure.dpi") == 72.0
        assert after.items() <= before.items()


def test_5_1_a_report_made_in_a_notebook_leaves_no_figures_behind(tmp_path: Path) -> None:
    cells = [
        FRAME,
        "report = cw.Report('A report').add(fit.margins('arm'), heading='Levels')\n"
        "saved = report.save('report.html')",
    ]
    path, _ = execute(cells, tmp_path)
    assert figures(path) == 0
    assert "<svg" in (tmp_path / "report.html").read_text("utf-8")

"""Synthetic data say so themselves: the mark goes from the frame into every result, table and figure."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable
from typing import Any

import crewe as cw
import matplotlib.pyplot as plt
import narwhals as nw
import numpy as np
import pandas as pd
import pytest
from crewe.frames.synthetic import _KNOWN, mark, marked
from crewe.plots import style
from crewe.tables.synthetic import titled
from synthetic_trials import made

BACKENDS = ["pandas", "polars", "pyarrow"]
ARMS = {"control": 1, "crewe": 2}
PRINTED = {"costs", "interviews", "factor_national"}


def results(trial: Any, wrap: Callable[[Any], Any]) -> dict[str, Any]:
    """Work out one result of every kind from frames that `wrap` may mark or leave as they are."""
    keep = trial.cases["analysed"].to_numpy()
    cases, absences = wrap(trial.cases[keep]), wrap(trial.absences)
    simple = cw.Design("t", arms=ARMS, cluster="family_id", method=cw.Simple())
    families = simple.observe(cases, arm="arm")
    drawn = cw.Design("t", arms=ARMS, cluster="family_id", seed=1).assign(wrap(trial.children))
    fit = cw.ols("closed ~ arm + history", cases, cluster="family_id")
    days = np.ones(len(trial.cases))[keep]
    cox = cw.coxph("Surv(days, event) ~ arm", cases)
    risk = cw.risk.Framework.project_crewe().score(
        wrap(trial.risk), code="code", value="value", times=["referral", "latest"]
    )
    raw = ["case_id", "family_id", "referral_date", "closure_date", "rereferral_date", "start_date"]
    found = {
        "ols": fit,
        "margins": fit.margins("arm"),
        "by": cw.ols("closed ~ arm", cases, by="history"),
        "table": cw.table([fit]),
        "logit": cw.logit("closed ~ arm", cases),
        "by design": cw.ols("closed ~ arm", cases, design=families),
        "kaplan_meier": cw.kaplan_meier("Surv(days, event) ~ arm", cases),
        "logrank": cw.logrank("Surv(days, event) ~ arm", cases),
        "coxph": cox,
        "zph": cox.zph(),
        "adjusted": cox.adjusted_curves("arm"),
        "mann_whitney": cw.mann_whitney("closed ~ arm", cases),
        "permutation": cw.permutation_test("closed ~ arm", cases),
        "rates": cw.compare_rates("closed ~ arm", cases),
        "icc": cw.icc("days_absent", absences, cluster="family_id"),
        "describe": cw.describe("days_absent ~ arm", absences),
        "crosstab": cw.crosstab("phase ~ arm", absences),
        "national": cw.compare_to_national(
            "phase", absences, national={"primary": 0.6, "secondary": 0.4}
        ),
        "national shares": cw.compare_to_national(["closed"], cases, national={"closed": 0.5}),
        "randomisation_test": cw.randomisation_test(
            "closed ~ arm", cases, families, draws=99, seed=1
        ),
        "wild_bootstrap": cw.wild_bootstrap(
            cw.ols("closed ~ arm", cases, cluster="family_id"), "arm", draws=99, seed=1
        ),
        "pairs_bootstrap": cw.pairs_bootstrap(
            cases, lambda frame: float(np.mean(frame["closed"])), "family_id", draws=99, seed=1
        ),
        "assignment": drawn,
        "balance": families.balance(["age", "gender"]),
        "flow": cw.consort(families),
        "sdq": cw.sdq.score(wrap(trial.sdq), informant="informant"),
        "risk": risk,
        "change": risk.change(),
        "survey": cw.survey.score(wrap(trial.survey), ["stress_1", "stress_2"]),
        "prepared": cw.cases.prepare(
            wrap(trial.cases[keep][raw]),
            referral="referral_date",
            closure="closure_date",
            rereferral="rereferral_date",
            randomised="start_date",
        ),
        "anonymity": cw.disclosure.anonymity(cases, quasi=["age", "gender"], k=2),
        "protected": cw.disclosure.Rule(threshold=3).protect(cw.crosstab("phase ~ arm", absences)),
        "rmst": cw.rmst("Surv(days, event) ~ arm", cases, horizon=400),
        "arrays": cw.ols(cases["closed"], days[:, None], intercept=False),
        "two samples": cw.mann_whitney(cases["days"], cases["age"]),
        "Surv": cw.kaplan_meier(cw.Surv(cases["days"], cases["event"])),
    }
    return found


def unmarked(frame: Any) -> Any:
    plain = frame.copy()
    plain.attrs = {}
    return plain


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    trial = made(2017)
    return results(trial, lambda frame: frame), results(trial, unmarked)


NAMES = sorted(results(made(2017), unmarked))


@pytest.mark.parametrize("name", NAMES)
def test_every_result_knows_and_says_it(name: str, both: Any) -> None:
    told, plain = both[0][name], both[1][name]
    assert told.synthetic is True and plain.synthetic is False
    for text in (repr(told), told._repr_html_()):
        assert "synthetic" in text.lower(), name
        # Once a table: nothing is said twice.
        assert "(SYNTHETIC data) (SYNTHETIC data)" not in text
    assert "synthetic" not in repr(plain).lower()
    assert pickle.loads(pickle.dumps(told)).synthetic is True


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("survey",)])
def test_frames_of_results_are_marked_too(name: str, both: Any) -> None:
    told, plain = both[0][name], both[1][name]
    tidy = getattr(told, "tidy", None)
    if tidy is not None:
        assert marked(tidy()) and not marked(plain.tidy())


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_says_it(name: str, both: Any) -> None:
    drawable = [getattr(one[name], "plot", None) for one in both]
    if drawable[0] is None:
        return
    for plot, wanted in zip(drawable, (True, False), strict=True):
        ax = plot()
        assert style.is_synthetic(ax) is wanted, name
        plt.close(style.figure_of(ax))


def test_the_flow_says_it_in_its_drawing_once(both: Any) -> None:
    told, plain = both[0]["flow"].svg(), both[1]["flow"].svg()
    assert told.count(style.SYNTHETIC) == 1 and style.SYNTHETIC not in plain
    page = cw.Report("t").add(both[0]["flow"], caption="Flow").html
    assert page[page.index("<svg") :].count(style.SYNTHETIC) == 1


def test_the_words_lie_within_the_drawing(both: Any) -> None:
    figure = style.figure_of(both[0]["flow"].plot())
    figure.draw_without_rendering()
    label = next(t for t in figure.axes[0].texts if t.get_gid() == "crewe-synthetic")
    box = label.get_bbox_patch().get_window_extent()
    assert box.y0 >= 0 and box.y1 <= figure.bbox.y1 and box.x1 <= figure.bbox.x1
    plt.close(figure)


def test_a_report_takes_it_from_results(both: Any) -> None:
    banner = "rests on synthetic data"
    for name, told, plain in ((n, both[0][n], both[1][n]) for n in ("ols", "balance", "sdq")):
        assert cw.Report("t").add(told, caption=name).synthetic is True
        assert cw.Report("t").add(plain, caption=name).synthetic is False
    assert cw.Report("t").add(made(2017).cases.head(3), caption="cases").synthetic is True
    assert banner not in cw.Report("t").add(both[1]["ols"]).html


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_frames_of_the_trial_are_marked_on_every_backend(backend: str) -> None:
    trial = cw.datasets.project_crewe(seed=5, backend=backend)
    for again in (trial, pickle.loads(pickle.dumps(trial))):
        assert {name for name, frame in again.items() if not marked(frame)} == PRINTED
    fit = cw.ols("days_absent ~ arm", trial.absences, cluster="family_id", by="phase")
    assert fit.synthetic and marked(fit.tidy())
    assert cw.sdq.score(trial.sdq, informant="informant").synthetic


def test_pandas_and_arrow_hand_the_mark_on() -> None:
    cases = made(2017).cases
    families = made(2017).families[["family_id", "n_children"]]
    for derived in (
        cases[cases["analysed"]],
        cases.assign(x=1),
        cases.merge(families, on="family_id"),
        cases.drop(columns="days"),
        cases["days"],
    ):
        assert marked(derived)
    table = cw.datasets.project_crewe(seed=5, backend="pyarrow").cases
    assert marked(table.filter(table["analysed"])) and marked(table.select(["arm"]))
    pyarrow = pytest.importorskip("pyarrow")
    assert marked(pyarrow.Table.from_pandas(cases))
    assert not marked(pyarrow.Table.from_pandas(unmarked(cases)))


def test_polars_is_known_by_the_object_and_forgotten_with_it() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"y": [1.0, 2.0, 4.0, 3.0], "x": [0, 1, 0, 1]})
    assert not cw.ols("y ~ x", frame).synthetic
    assert cw.datasets.mark_synthetic(frame) is frame
    assert cw.ols("y ~ x", frame).synthetic
    # A copy has no mark: the documentation says so.
    assert not cw.ols("y ~ x", frame.filter(polars.col("y") > 0)).synthetic
    place = id(frame)
    assert place in _KNOWN
    del frame
    gc.collect()
    assert place not in _KNOWN


def test_marking_leaves_the_frame_that_was_given() -> None:
    frame = pd.DataFrame({"y": [1.0]})
    frame.attrs["source"] = "mine"
    told = cw.datasets.mark_synthetic(frame)
    assert marked(told) and not marked(frame) and told.attrs["source"] == "mine"
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"y": [1.0]}).replace_schema_metadata({"mine": "1"})
    assert marked(mark(table)) and not marked(table)
    assert mark(table).schema.metadata[b"mine"] == b"1"
    assert marked(mark(nw.from_native(frame)))
    assert marked({"y": told["y"]}) and not marked({"y": frame["y"]})
    with pytest.raises(cw.InputError, match="not a data frame"):
        cw.datasets.mark_synthetic([1, 2])


def test_titles_say_it_once() -> None:
    assert titled("Log-rank test (SYNTHETIC data)") == "Log-rank test (SYNTHETIC data)"
    assert titled("Closure (synthetic)") == "Closure (synthetic)"
    assert titled("Closure") == "Closure (SYNTHETIC data)"

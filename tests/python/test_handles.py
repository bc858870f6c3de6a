"""What crosses the border to the core: handles with typed getters, which pickle and come back the same."""

from __future__ import annotations

import copy
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe import _core


def children() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    family = np.repeat(np.arange(24), 2)
    return pd.DataFrame(
        {
            "family": family,
            "site": np.where(family % 2, "north", "south"),
            "sex": np.where(family % 3, "f", "m"),
            "need": rng.normal(size=24)[family] / 3,
            "came": family[::-1],
            "score": rng.normal(size=48),
            "days": rng.integers(1, 50, 48),
            "closed": rng.integers(0, 2, 48),
        }
    )


def drawn(method: Any, **options: Any) -> cw.Assignment:
    given = options.pop("given", {})
    design = cw.Design(
        "Trial", arms={"control": 1, "crewe": 1}, cluster="family", method=method, seed=5, **options
    )
    return design.assign(children(), **given)


def fit() -> cw.OLS:
    return cw.ols("score ~ site + need", children(), cluster="family")


def register() -> cw.Assignment:
    design = cw.Design(
        "Trial",
        arms={"control": 1, "crewe": 1},
        cluster="family",
        method=cw.Blocks([2]),
        seed=cw.new_key(),
    )
    with tempfile.TemporaryDirectory() as folder:
        ledger = cw.Ledger.create(Path(folder) / "ledger", design)
        for family in range(5):
            ledger.enrol(f"F{family}", [f"A{family}", f"B{family}"], approved_by="A. Officer")
        ledger.close(by="A. Officer")
        return ledger.assignment()


def change() -> _core.RiskChange:
    numbers = np.arange(6, dtype=np.float64)
    return _core.risk_change(
        numbers, numbers[::-1].copy(), np.array([0, 0, 0, 1, 1, 1], dtype=np.uint32), 2
    )


HANDLES: dict[str, Callable[[], Any]] = {
    "contrasts": lambda: fit()._table(),
    "weights": lambda: _core.Weights(np.array([1.0, 0.1]), "analytic"),
    "Kaplan-Meier curve": lambda: cw.kaplan_meier("Surv(days, closed) ~ site", children()).curves[0],
    "survival curve": lambda: cw.coxph("Surv(days, closed) ~ site", children()).adjusted_curves().curves[0],
    "unit": lambda: _core.Unit.individual("child"),
    "commitment": lambda: drawn(cw.Simple())._core.commitment,
    "list in strata": lambda: drawn(cw.Complete(), strata=["site"])._core,
    "blocks in order": lambda: drawn(cw.Blocks([2, 4]), strata=["site"], given={"order": "came"})._core,
    "minimisation": lambda: drawn(
        cw.Minimisation(["sex", "site"], p=0.8), given={"order": "came"}
    )._core,
    "covariates": lambda: drawn(cw.Rerandomised(on=["need"], accept=0.1))._core,
    "a ledger's families": lambda: register()._core,
    "units": lambda: drawn(cw.Rerandomised(on=["need", "sex"], accept=0.1))._units(),
    "balance": lambda: drawn(cw.Complete()).balance(["need", "sex"])._levels["family"],
    "risk change": change,
}  # fmt: skip


def parts(value: Any) -> Any:
    """Take apart whatever a pickle of the core would hold."""
    if type(value).__module__ == "crewe._core":
        made, held = value.__reduce__()
        return [made.__qualname__, *map(parts, held)]
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.shape, value.tobytes()]
    if isinstance(value, list | tuple):
        return [parts(one) for one in value]
    return value


@pytest.mark.parametrize("name", HANDLES)
def test_a_handle_comes_back_bit_for_bit(name: str) -> None:
    value = HANDLES[name]()
    for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert type(again) is type(value)
        assert parts(again) == parts(value)


@pytest.mark.parametrize("keep", [False, True])
def test_an_assignment_answers_after_a_pickle_as_before(keep: bool) -> None:
    data = children()
    design = cw.Design(
        "Trial",
        arms={"control": 1, "crewe": 1},
        cluster="family",
        strata=["site"],
        method=cw.Blocks([2]),
        seed=5,
    )
    trial = design.assign(data, order="came", keep_data=keep)
    again = pickle.loads(pickle.dumps(trial))
    assert again.clusters == trial.clusters and again.possible == trial.possible
    assert again.commitment == trial.commitment and again.notes == trial.notes
    assert repr(again) == repr(trial) and again.methods() == trial.methods()
    assert again.join(data[["family"]]).equals(trial.join(data[["family"]]))
    one, two = (
        cw.randomisation_test("score ~ arm", data, held, draws=99) for held in (trial, again)
    )
    assert (one.p_value, one.conf_int, one.seed) == (two.p_value, two.conf_int, two.seed)


def test_handles_cannot_be_changed_or_made_from_nothing() -> None:
    table = fit()._table()
    with pytest.raises(AttributeError):
        table.estimate = np.zeros(3)  # type: ignore[misc]
    for kind in (_core.Contrasts, _core.Fit, _core.Covariance, _core.Assignment, _core.Ledger):
        with pytest.raises(TypeError):
            kind()

"""Randomisation tests of rates, restricted means and ratios of times: against every assignment in plain Python."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import crewe as cw
import numpy as np
import pandas as pd
import pytest

REFERENCE = Path(__file__).parents[1] / "reference" / "expected"
G = 8
END = 20.0
DESIGN = cw.Design("T", arms={"control": 1, "crewe": 1}, cluster="family", seed=6)


def _trial() -> tuple[pd.DataFrame, cw.Assignment, np.ndarray]:
    rng = np.random.default_rng(9)
    family = np.repeat(np.arange(G), rng.integers(2, 5, G))
    n = len(family)
    d = pd.DataFrame({"family": family})
    drawn = DESIGN.assign(d)
    arm = d.family.astype(str).map(drawn.clusters).eq("crewe").to_numpy().astype(float)
    time = np.round(rng.exponential(12 * np.exp(0.6 * arm), n), 1) + 0.1
    d["end"] = np.where(rng.random(n) < 0.3, 15.0, END)
    d["days"], d["closed"] = np.minimum(time, d.end), (time <= d.end).astype(int)
    d["back"] = (rng.random(n) < 0.3 + 0.3 * arm).astype(int)
    return d, drawn, arm


D, DRAWN, ARM = _trial()
N = len(D)
FAMILY = D.family.to_numpy()
CLOSED = "Surv(days, closed)"


def _every(statistic: Callable[[np.ndarray], float]) -> np.ndarray:
    return np.array(
        [
            statistic(np.isin(FAMILY, some).astype(float))
            for some in itertools.combinations(range(G), G // 2)
        ]
    )


def _p(found: float, values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    near = 1e-9 * max(abs(found), finite.std())
    return min(1.0, 2 * min((values <= found + near).mean(), (values >= found - near).mean()))


def _log_ratio(z: np.ndarray, events: np.ndarray, rows: np.ndarray, studentised: bool) -> float:
    rate, variance = {}, 0.0
    for arm in (0, 1):
        families = [g for g in range(G) if z[g == FAMILY][0] == arm]
        y = np.array([events[g == FAMILY].sum() for g in families])
        t = np.array([rows[g == FAMILY].sum() for g in families])
        m, units = y.sum() / t.sum(), len(families)
        rate[arm] = m
        if m > 0:
            variance += units / (units - 1) * ((y - t * m) ** 2).sum() / t.sum() ** 2 / m**2
    with np.errstate(divide="ignore"):
        apart = np.log(rate[1]) - np.log(rate[0])
    return float(apart if not studentised or np.isinf(apart) else apart / np.sqrt(variance))


@pytest.mark.parametrize("studentised", [False, True])
def test_the_ratio_of_rates(studentised):
    test = cw.randomisation_test(
        "rate_ratio", D, DRAWN, outcome="back", studentised=studentised, level=0.8
    )
    y, ones = D.back.to_numpy().astype(float), np.ones(N)
    found = _log_ratio(ARM, y, ones, studentised)
    values = _every(lambda z: _log_ratio(z, y, ones, studentised))
    assert test.exact and test.statistic == pytest.approx(found, rel=1e-9)
    assert test.p_value == pytest.approx(_p(found, values), abs=1e-12)
    assert test.estimate == pytest.approx(
        np.log(y[ARM == 1].mean() / y[ARM == 0].mean()), rel=1e-12
    )

    def tails(effect: float) -> tuple[float, float]:
        rows = np.exp(effect * ARM)
        here = _log_ratio(ARM, y, rows, studentised)
        every = _every(lambda z: _log_ratio(z, y, rows, studentised))
        return (every <= here + 1e-9).mean(), (every >= here - 1e-9).mean()

    low, high = test.conf_int
    assert np.isfinite([low, high]).all()
    assert tails(low - 1e-6)[1] <= 0.1 < tails(low + 1e-6)[1]
    assert tails(high + 1e-6)[0] <= 0.1 < tails(high - 1e-6)[0]
    assert "log rate ratio" in str(test)


def test_rates_are_studentised_unless_told_otherwise_and_their_difference_is_that_of_means():
    rates = cw.randomisation_test("difference_in_rates", D, DRAWN, outcome="back")
    means = cw.randomisation_test("back ~ arm", D, DRAWN, studentised=True)
    assert rates.studentised and rates.p_value == means.p_value and rates.conf_int == means.conf_int
    assert rates.means == means.means
    one_row = D.drop_duplicates("family")
    compared = cw.compare_rates("back ~ arm", one_row, design=DRAWN)
    test = cw.randomisation_test("difference_in_rates", one_row, DRAWN, outcome="back")
    assert test.estimate == pytest.approx(compared.difference, abs=1e-12)


def test_an_arm_without_events_is_as_extreme_as_can_be():
    d = D.assign(back=np.where(ARM == 1, D.back, 0))
    d.loc[ARM == 1, "back"] = 1
    test = cw.randomisation_test("rate_ratio", d, DRAWN, outcome="back")
    assert test.estimate == np.inf and test.p_value == pytest.approx(2 / 70)
    assert test.conf_int is None and any("no events" in note for note in test.notes)
    for bad, words in ((0, "same value"), (np.where(ARM == 1, 1, -1), "fewer than none")):
        with pytest.raises(cw.InputError, match=words):
            cw.randomisation_test("rate_ratio", D.assign(back=bad), DRAWN, outcome="back")


def _area(time: np.ndarray, event: np.ndarray, horizon: float) -> tuple[float, np.ndarray]:
    """The area under the curve, and the influence of every row, from the product-limit formula."""
    area, survival, before, steps = 0.0, 1.0, 0.0, []
    for t in np.unique(time[time <= horizon]):
        area += survival * (t - before)
        risk, deaths = (time >= t).sum(), ((time == t) & (event == 1)).sum()
        if deaths:
            steps.append((t, deaths, risk, area))
            survival *= 1 - deaths / risk
        before = t
    area += survival * (horizon - before)
    influence = np.zeros(len(time))
    for t, deaths, risk, up_to in steps:
        if risk > deaths:
            after = area - up_to
            influence += (time >= t) * after * deaths / (risk * (risk - deaths))
            influence -= ((time == t) & (event == 1)) * after / (risk - deaths)
    return area, influence


def _restricted(z: np.ndarray, horizon: float, studentised: bool) -> float:
    time, event = D.days.to_numpy(), D.closed.to_numpy()
    areas, variance = {}, 0.0
    for arm in (0, 1):
        rows = z == arm
        areas[arm], influence = _area(time[rows], event[rows], horizon)
        by_family = [influence[FAMILY[rows] == g].sum() for g in range(G)]
        variance += G / (G - 1) * np.square(by_family).sum()
    apart = areas[1] - areas[0]
    return float(apart / np.sqrt(variance) if studentised else apart)


@pytest.mark.parametrize("studentised", [None, False])
@pytest.mark.parametrize("horizon", [6.0, 14.0])
def test_restricted_means(studentised, horizon):
    test = cw.randomisation_test(
        "restricted_mean", D, DRAWN, outcome=CLOSED, horizon=horizon, studentised=studentised
    )
    found = _restricted(ARM, horizon, studentised is None)
    values = _every(lambda z: _restricted(z, horizon, studentised is None))
    assert test.exact and test.statistic == pytest.approx(found, rel=1e-9)
    assert test.p_value == pytest.approx(_p(found, values), abs=1e-12)
    table = cw.rmst(f"{CLOSED} ~ arm", D, design=DRAWN, horizon=horizon).tidy()
    row = table[table.measure == "difference"].iloc[0]
    assert test.estimate == pytest.approx(row.estimate, rel=1e-12)
    if studentised is None:
        assert test.statistic == pytest.approx(row.statistic, rel=1e-9)
    assert list(test.means.values()) == pytest.approx(table.estimate[:2].tolist(), rel=1e-12)
    assert test.conf_int is None and any("ratio of times has one" in note for note in test.notes)


def _log_rank(z: np.ndarray, time: np.ndarray, event: np.ndarray) -> float:
    """Minus the log-rank score under Efron's ties, over the root of its parts by family."""
    u = np.zeros(len(time))
    for t in np.unique(time[event == 1]):
        dying = np.flatnonzero((time == t) & (event == 1))
        for k in range(len(dying)):
            weight = (time >= t).astype(float)
            weight[dying] *= 1 - k / len(dying)
            mean = weight @ z / weight.sum()
            u[dying] += (z[dying] - mean) / len(dying)
            u -= weight * (z - mean) / weight.sum()
    by_family = np.array([u[g == FAMILY].sum() for g in range(G)])
    squares = G / (G - 1) * (by_family**2).sum()
    return float(-by_family.sum() / np.sqrt(squares)) if squares > 1e-20 else 0.0


def _shifted(effect: float) -> tuple[np.ndarray, np.ndarray]:
    time = D.days.to_numpy() * np.exp(-effect * ARM)
    end = D.end.to_numpy() * min(1.0, np.exp(-effect))
    seen = time <= end
    return np.where(seen, time, end), np.where(seen, D.closed.to_numpy(), 0)


def test_the_ratio_of_times_and_its_interval():
    test = cw.randomisation_test("time_ratio", D, DRAWN, outcome=CLOSED, horizon="end", level=0.8)
    time, event = D.days.to_numpy(), D.closed.to_numpy()
    found = _log_rank(ARM, time, event)
    values = _every(lambda z: _log_rank(z, time, event))
    assert test.exact and test.statistic == pytest.approx(found, rel=1e-8)
    assert test.p_value == pytest.approx(_p(found, values), abs=1e-12)
    hazard = cw.randomisation_test(f"{CLOSED} ~ arm", D, DRAWN)
    assert test.statistic == pytest.approx(-hazard.statistic, rel=1e-12)
    assert _log_rank(ARM, *_shifted(test.estimate - 1e-6)) >= 0
    assert _log_rank(ARM, *_shifted(test.estimate + 1e-6)) <= 0

    def tails(effect: float) -> tuple[float, float]:
        here = _shifted(effect)
        one, every = _log_rank(ARM, *here), _every(lambda z: _log_rank(z, *here))
        return (every <= one + 1e-9).mean(), (every >= one - 1e-9).mean()

    low, high = test.conf_int
    assert np.isfinite(low) and low < test.estimate < high
    assert tails(low - 1e-6)[1] <= 0.1 < tails(low + 1e-6)[1]
    if np.isfinite(high):
        assert tails(high + 1e-6)[0] <= 0.1 < tails(high - 1e-6)[0]
    assert any("censored again" in note for note in test.notes)


def test_the_unit_of_time_moves_nothing_but_the_times():
    test = cw.randomisation_test("time_ratio", D, DRAWN, outcome=CLOSED, horizon="end")
    weeks = D.assign(days=D.days / 7, end=D.end / 7)
    again = cw.randomisation_test("time_ratio", weeks, DRAWN, outcome=CLOSED, horizon="end")
    assert again.p_value == test.p_value
    assert again.estimate == pytest.approx(test.estimate, abs=1e-6)


def test_times_that_cannot_be_tested_are_refused():
    def run(name: str, data: pd.DataFrame = D, **options):
        return cw.randomisation_test(name, data, DRAWN, **{"outcome": CLOSED, **options})

    for name in ("restricted_mean", "time_ratio"):
        with pytest.raises(cw.InputError, match="where the times end is missing"):
            run(name)
        with pytest.raises(cw.InputError, match="a time with its event"):
            run(name, outcome="days", horizon=5)
        with pytest.raises(cw.InputError, match="no row has the event"):
            run(name, D.assign(closed=0), horizon=20)
    with pytest.raises(cw.InputError, match="after which nothing is known"):
        run("restricted_mean", horizon=500)
    with pytest.raises(cw.InputError, match="not a time after 0"):
        run("restricted_mean", horizon=0)
    with pytest.raises(cw.InputError, match="is one number"):
        run("restricted_mean", horizon="end")
    with pytest.raises(cw.InputError, match="beyond the end of follow-up"):
        run("time_ratio", horizon=10)
    with pytest.raises(cw.InputError, match="no column 'nowhere'"):
        run("time_ratio", horizon="nowhere")
    with pytest.raises(cw.InputError, match="horizon= is for"):
        cw.randomisation_test("back ~ arm", D, DRAWN, horizon=5)
    with pytest.raises(cw.InputError, match="is none of times"):
        run("rank_sum")


def _three() -> tuple[pd.DataFrame, cw.Assignment]:
    design = cw.Design("T", arms={"a": 1, "b": 1, "c": 2}, cluster="family", seed=8)
    return D, design.assign(D)


def test_several_arms_of_rates_and_times():
    d, drawn = _three()
    for name, options in {
        "rate_ratio": {"outcome": "back"},
        "restricted_mean": {"outcome": CLOSED, "horizon": 10},
    }.items():
        test = cw.randomisation_test(name, d, drawn, **options)
        assert [c.arm for c in test.comparisons] == ["b", "c"]
        assert all(c.p_adjusted >= c.p_value / 2 for c in test.comparisons)
        assert 0 < test.omnibus[1] <= 1
    with pytest.raises(cw.InputError, match="takes two arms"):
        cw.randomisation_test("time_ratio", d, drawn, outcome=CLOSED, horizon="end")


def test_the_interval_of_a_rate_ratio_is_permuters():
    """Children of areas as in pneumovac, in an observed trial; permuter's limits are a search at random."""
    expected = json.loads((REFERENCE / "permuter.json").read_text("utf-8"))
    areas = zip(
        *(expected[key] for key in ("area", "children", "episodes", "treated")), strict=True
    )
    d = pd.DataFrame(
        [
            {"area": area, "episodes": episodes if child == 0 else 0, "arm": int(treated)}
            for area, children, episodes, treated in areas
            for child in range(int(children))
        ]
    )
    design = cw.Design("pneumovac", arms={"comparator": 1, "vaccine": 1}, cluster="area")
    observed = design.observe(d, arm="arm")
    test = cw.randomisation_test(
        "rate_ratio", d, observed, outcome="episodes", studentised=False, draws=20_000, seed=1
    )
    assert test.estimate == pytest.approx(expected["estimate"], abs=1e-6)
    for found, limits in zip(test.conf_int, (expected["low"], expected["high"]), strict=True):
        error = np.std(limits, ddof=1) * np.sqrt(1 + 1 / len(limits))
        assert found == pytest.approx(np.mean(limits), abs=4 * error)

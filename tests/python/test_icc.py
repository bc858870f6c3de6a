"""The intracluster correlation: reference values, refusals, what the result says."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe.exceptions import InputError
from scipy import stats

KNOWN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "reference" / "expected" / "icc.json").read_text("utf-8")
)
FRAME = pd.DataFrame({name: KNOWN[name] for name in ("family", "binary", "score", "apart")})


@pytest.mark.parametrize("outcome", ["binary", "score", "apart"])
@pytest.mark.parametrize("method", ["anova", "reml"])
def test_moments_and_reml_are_those_of_r(outcome: str, method: str) -> None:
    found = cw.icc(outcome, FRAME, cluster="family", method=method)
    known = KNOWN[method][outcome]
    assert found.estimate == pytest.approx(max(known, 0), abs=1e-8)
    assert found.raw == pytest.approx(known, abs=1e-8)


def test_binary_methods_are_those_of_r() -> None:
    fleiss = cw.icc("binary", FRAME, cluster="family", method="fleiss_cuzick")
    assert fleiss.estimate == pytest.approx(KNOWN["fleiss_cuzick"], abs=1e-12)
    assert fleiss.adjusted_size == pytest.approx(KNOWN["adjusted_size"], rel=1e-12)
    latent = cw.icc("binary", FRAME, cluster="family", method="latent")
    assert latent.estimate == pytest.approx(KNOWN["latent"], abs=1e-6)
    assert latent.scale == "latent" and fleiss.scale == "observed"


def test_conversion_is_that_of_adaptive_quadrature() -> None:
    known = KNOWN["convert"]
    for icc, rate, observed in zip(known["icc"], known["rate"], known["observed"], strict=True):
        assert cw.icc_convert(icc, rate=rate) == pytest.approx(observed, rel=1e-7)
        back = cw.icc_convert(observed, rate=rate, to="latent")
        assert back == pytest.approx(icc, rel=1e-6)


def _parts(m: Any, within: Any, total: Any) -> Any:
    """Numerator and denominator of the analysis of variance, from sizes, squares within and sums."""
    n, k = m.sum(), len(m)
    msb = (m * (total / m - total.sum() / n) ** 2).sum() / (k - 1)
    msw = within.sum() / (n - k)
    m0 = (n - (m**2).sum() / n) / (k - 1)
    return np.array([msb - msw, msb + (m0 - 1) * msw])


def _pseudo(*of: Any) -> Any:
    k, whole = len(of[0]), _parts(*of)
    one_less = [_parts(*(np.delete(values, i) for values in of)) for i in range(k)]
    return np.array([k * whole - (k - 1) * rest for rest in one_less])


def _beyond(
    values: Any, weights: Any, icc: float, skewness: float, kurtosis: float, p: float
) -> float:
    """How far the statistic lies beyond its quantile."""
    u, k = values[:, 0] - icc * values[:, 1], weights.sum()
    mean = (weights * u).sum() / k
    d = u - mean
    v = (weights * d**2).sum() / (k - 1)
    skew = skewness * (weights * d**3).sum() / k / v**1.5
    x = mean / np.sqrt(v)
    found = np.sqrt(k) * (x + skew * x**2 / 3 + skew**2 * x**3 / 27 + skew / (6 * k))
    tails = max((weights * d**4).sum() / k / v**2 - 3, 0)
    return float(abs(found) - stats.t.ppf(p, 2 * k / (2 + kurtosis * tails)))


def _clusters(outcome: str) -> Any:
    y, g = FRAME[outcome].to_numpy(float), np.unique(FRAME["family"], return_inverse=True)[1]
    sizes, total = np.bincount(g).astype(float), np.bincount(g, y)
    return sizes, np.bincount(g, (y - (total / sizes)[g]) ** 2), total


def test_the_interval_of_a_binary_outcome_rejects_no_icc_inside_it() -> None:
    """The ends solve the definition, worked out here with numpy alone."""
    sizes, within, total = _clusters("binary")
    ones = np.ones(len(sizes))
    for level in (0.95, 0.8):
        low, high = cw.icc("binary", FRAME, cluster="family", level=level).interval
        # The error is left to the lower end, whose kurtosis counts from an ICC of 0.6 on in full.
        below = _beyond(
            _pseudo(sizes, within, total),
            ones,
            low,
            1,
            min(low / 0.6, 1) ** 2,
            1 - 0.85 * (1 - level),
        )
        assert below == pytest.approx(0, abs=1e-6)
        # One more family of the mean size, in which everybody has the rarer outcome.
        assert FRAME["binary"].mean() <= 0.5
        more = _pseudo(
            np.append(sizes, sizes.mean()), np.append(within, 0), np.append(total, sizes.mean())
        )
        above = _beyond(more, np.append(ones, 0.35), high, 0.5, 2, 1 - 0.15 * (1 - level))
        assert above == pytest.approx(0, abs=1e-6)


def test_a_school_of_one_mind_is_not_added_to_schools() -> None:
    rng = np.random.default_rng(11)
    school = np.repeat(np.arange(40), 120)
    one = cw.icc((rng.random(len(school)) < 0.3) * 1.0, cluster=school)
    assert one.interval[0] == 0 and one.interval[1] < 0.01
    assert one.doubts == ("large_clusters",)
    assert "left to the lower limit" not in repr(one).replace("\n", " ")
    assert "left to the lower limit" in repr(cw.icc("binary", FRAME, cluster="family"))


def test_the_interval_of_a_score_has_equal_errors() -> None:
    sizes, within, total = _clusters("score")
    values, ones = _pseudo(sizes, within, total), np.ones(len(sizes))
    low, high = cw.icc("score", FRAME, cluster="family").interval
    assert _beyond(values, ones, low, 0.85, 1, 0.975) == pytest.approx(0, abs=1e-6)
    assert _beyond(values, ones, high, 0.5, 2, 0.975) == pytest.approx(0, abs=1e-6)


def test_a_truncated_estimate_is_said() -> None:
    found = cw.icc("apart", FRAME, cluster="family")
    assert found.estimate == 0 and found.raw < 0 and found.truncated
    assert found.interval[0] == 0
    assert re.search(r"truncated at 0 \([−-]0\.631 before\)", repr(found).replace("\n", " "))
    assert bool(found.tidy()["truncated"].iloc[0])


def test_where_the_interval_is_not_to_be_trusted_is_said() -> None:
    assert cw.icc("binary", FRAME, cluster="family").trusted
    found = cw.icc("score", FRAME, cluster="family", level=0.9)
    assert found.doubts == ("not_binary", "level") and not found.trusted
    assert "not to be trusted here: the outcome is not binary" in repr(found)
    few = cw.icc("binary", FRAME[FRAME["family"] < 30], cluster="family")
    assert few.doubts == ("few_clusters",)


def test_no_interval_where_nobody_differs_within() -> None:
    frame = pd.DataFrame({"g": np.repeat(np.arange(8), 2), "y": np.repeat([0, 1] * 4, 2)})
    found = cw.icc("y", frame, cluster="g")
    assert found.estimate == 1 and np.isnan(found.interval[0])
    assert "No interval" in repr(found)


def test_arrays_are_the_column() -> None:
    one = cw.icc(FRAME["binary"].to_numpy(), cluster=FRAME["family"].to_numpy())
    other = cw.icc("binary ~ 1", FRAME, cluster="family")
    assert (one.estimate, one.interval) == (other.estimate, other.interval)
    assert pickle.loads(pickle.dumps(one)).estimate == one.estimate


def test_rows_without_outcome_are_counted_and_without_cluster_refused() -> None:
    frame = FRAME.astype(float)
    frame.loc[[0, 7], "binary"] = np.nan
    found = cw.icc("binary", frame, cluster="family")
    assert found.n == len(frame) - 2
    assert any("2 of" in note and "dropped" in note for note in found.notes)
    with pytest.raises(InputError, match=r"missing in 1 of 156 rows .*row 5"):
        cw.icc(
            "binary", frame.assign(family=frame["family"].where(frame.index != 5)), cluster="family"
        )
    with pytest.raises(InputError, match="have no value of 'binary'"):
        cw.icc("binary", frame, cluster="family", missing="refuse")


def test_units_of_the_trial_are_the_clusters() -> None:
    trial = cw.datasets.project_crewe(seed=2017)
    found = cw.icc("days_absent", trial.absences, cluster="family_id", by="arm")
    assert set(found) == set(trial.absences["arm"].unique())
    assert all(one.synthetic for one in found.values())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cw.icc("binary", FRAME), "needs clusters"),
        (lambda: cw.icc("binary", FRAME.assign(one=1), cluster="one"), "at least 2 clusters"),
        (
            lambda: cw.icc("binary", FRAME.drop_duplicates("family"), cluster="family"),
            "has one row",
        ),
        (lambda: cw.icc("same", FRAME.assign(same=3), cluster="family"), "the same value"),
        (lambda: cw.icc("score", FRAME, cluster="family", method="latent"), "outcome of 0 and 1"),
        (lambda: cw.icc("binary", FRAME, cluster="family", method="mle"), "method is not known"),
        (lambda: cw.icc("binary ~ score", FRAME, cluster="family"), "no covariates"),
        (lambda: cw.icc([0, 1, 1], cluster="family"), "names a column"),
        (lambda: cw.icc("binary", FRAME, cluster="family", level=95), "confidence level"),
        (lambda: cw.icc_convert(1.2, rate=0.2), "between 0 and 1"),
        (lambda: cw.icc_convert(0.2, rate=1), "the rate does not lie"),
        (lambda: cw.icc_convert(0.2, rate=0.3, to="logit"), "scale is not known"),
    ],
)
def test_what_has_no_icc_is_refused(call: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


def test_whether_an_interval_holds_0_is_decided_by_all_assignments() -> None:
    """Beside 2,000 permutations of the outcome, which are as likely as each other where the ICC is 0."""
    rng = np.random.default_rng(7)
    sizes = rng.integers(1, 6, 50)
    family = np.repeat(np.arange(50), sizes)
    m = np.bincount(family)

    def alike(y: np.ndarray) -> float:
        return float((np.bincount(family, y) ** 2 / m).sum())

    held = []
    for share in np.linspace(0, 0.6, 25):
        own = np.where(
            rng.random(len(family)) < share, rng.random(50)[family], rng.random(len(family))
        )
        y = (own < 0.3) * 1.0
        seen, draws = alike(y), np.array([alike(rng.permutation(y)) for _ in range(2_000)])
        chance = (draws > seen + 1e-9).mean() + 0.5 * (np.abs(draws - seen) <= 1e-9).mean()
        found = cw.icc(y, cluster=family)
        # The lower end has 0.85 of the error of 5%.
        if abs(chance - 0.0425) > 0.012:
            assert (found.interval[0] == 0) == (chance > 0.0425), (share, chance, found.interval)
        held.append(found.interval[0] == 0)
    assert 0 < sum(held) < len(held)
    assert "law of independence" in repr(found)


def test_rare_outcomes_in_large_families_are_said_to_have_wide_intervals() -> None:
    rng = np.random.default_rng(3)
    family = np.repeat(np.arange(140), 5)
    rare = cw.icc((rng.random(700) < 0.08) * 1.0, cluster=family)
    assert rare.conservative
    assert rare.doubts == ("conservative",)
    assert "may be conservative here" in repr(rare).replace("\n", " ")
    assert "not to be trusted" not in repr(rare)
    assert not cw.icc((rng.random(700) < 0.4) * 1.0, cluster=family).conservative

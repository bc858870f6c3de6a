"""The wild cluster bootstrap: against brute force by refits, row by row, and against fwildclusterboot."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import crewe as cw
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

EXPECTED = json.loads(
    (Path(__file__).parents[1] / "reference/expected/wild_bootstrap.json").read_text()
)
KINDS = ("11", "13", "31", "33")
G = 6
FAMILY = np.repeat(np.arange(G), [3, 5, 4, 7, 5, 6])
N = len(FAMILY)


def _data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    d = pd.DataFrame({"family": FAMILY, "x": rng.normal(size=N), "w": rng.uniform(0.5, 2, N)})
    d["arm"] = (FAMILY % 2).astype(float)
    d["z"] = rng.normal(size=N) + 3
    d["y"] = 1 + 0.8 * d.arm + 0.5 * d.x + rng.normal(size=N) + rng.normal(size=G)[FAMILY]
    d["b"] = (d.y > d.y.median()).astype(float)
    return d


D = _data()
SIGNS = np.array([[1.0 if draw >> g & 1 else -1.0 for g in range(G)] for draw in range(2**G)])
ROWS = [g == FAMILY for g in range(G)]


class Linear:
    """Least squares from rows."""

    def __init__(self, x: np.ndarray, y: np.ndarray, w: np.ndarray) -> None:
        self.x, self.y = x * np.sqrt(w)[:, None], y * np.sqrt(w)

    def restricted(self, r: np.ndarray, value: np.ndarray, kept: Any = slice(None)) -> np.ndarray:
        """Solve with Lagrange multipliers: the estimates with R b = r of the rows that are kept."""
        x, y, q = self.x[kept], self.y[kept], len(r)
        system = np.block([[x.T @ x, r.T], [r, np.zeros((q, q))]])
        return np.linalg.lstsq(system, np.concatenate([x.T @ y, value]), rcond=1e-12)[0][
            : x.shape[1]
        ]

    def free(self, kept: Any = slice(None)) -> np.ndarray:
        return np.linalg.lstsq(self.x[kept], self.y[kept], rcond=1e-12)[0]


def statistic(
    d: np.ndarray, scores: list[np.ndarray], blocks: list[np.ndarray], r: np.ndarray, kind: str
) -> float:
    """t, or F over q, from the distances to the hypothesis and the scores by cluster."""
    a = sum(blocks)
    if kind[1] == "1":
        changes = [r @ np.linalg.solve(a, score) for score in scores]
        factor = G / (G - 1)
    else:
        changes = [
            r @ np.linalg.pinv(a - b, rcond=1e-9, hermitian=True) @ score
            for score, b in zip(scores, blocks, strict=True)
        ]
        factor = (G - 1) / G
    v = factor * sum(np.outer(change, change) for change in changes)
    return (
        float(d[0] / np.sqrt(v[0, 0])) if len(r) == 1 else float(d @ np.linalg.solve(v, d)) / len(r)
    )


def brute(
    x: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    r: np.ndarray,
    value: np.ndarray,
    kind: str,
    null: bool,
) -> tuple[float, np.ndarray]:
    """The statistic, and that of every draw: bootstrapped outcomes are made and the model fitted to them again."""
    model = Linear(x, y, w)
    blocks = [model.x[g].T @ model.x[g] for g in ROWS]
    b = model.free()
    observed = statistic(
        r @ b - value, [model.x[g].T @ (model.y[g] - model.x[g] @ b) for g in ROWS], blocks, r, kind
    )
    centre = model.restricted(r, value) if null else b
    residual = model.y - model.x @ centre
    if kind[0] == "3":
        for g in ROWS:
            without = model.restricted(r, value, ~g) if null else model.free(~g)
            residual[g] = model.y[g] - model.x[g] @ without
    made = []
    for v in SIGNS:
        if kind[0] == "1":
            again = Linear(x, y, w)
            again.y = model.x @ centre + v[FAMILY] * residual
            moved = again.free()
            scores = [again.x[g].T @ (again.y[g] - again.x[g] @ moved) for g in ROWS]
            made.append(statistic(r @ (moved - centre), scores, blocks, r, kind))
            continue
        # Residuals from other fits add up to nothing that is orthogonal to X: the scores themselves are bootstrapped.
        drawn = [sign * model.x[g].T @ residual[g] for sign, g in zip(v, ROWS, strict=True)]
        m = np.linalg.solve(sum(blocks), sum(drawn))
        scores = [score - block @ m for score, block in zip(drawn, blocks, strict=True)]
        made.append(statistic(r @ m, scores, blocks, r, kind))
    return observed, np.array(made)


def same(
    test: cw.WildBootstrap, brute_force: tuple[float, np.ndarray], tolerance: float = 1e-12
) -> None:
    observed, draws = brute_force
    assert test.exact and test.draws == 2**G
    assert test.statistic == pytest.approx(observed, rel=tolerance)
    finite = np.isfinite(draws)
    assert np.allclose(test.distribution[finite], draws[finite], rtol=tolerance, atol=tolerance)
    count = int((np.abs(draws) >= abs(observed) * (1 - 1e-9)).sum())
    assert test.p_value == max(count, 1) / 2**G


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", [None, "w"])
def test_a_coefficient_is_that_of_brute_force(weights: str | None, kind: str, null: bool) -> None:
    fit = cw.ols("y ~ arm + x + z", D, cluster="family", weights=weights)
    x = np.column_stack([np.ones(N), D.arm, D.x, D.z])
    w = np.ones(N) if weights is None else D.w.to_numpy()
    r = np.array([[0.0, 1, 0, 0]])
    for value in (0.0, 0.3):
        expected = brute(x, D.y.to_numpy(), w, r, np.array([value]), kind, null)
        for interval in (True, False):
            same(
                cw.wild_bootstrap(fit, "arm", kind=kind, null=null, value=value, interval=interval),
                expected,
            )
    analytic = cw.ols("y ~ arm + x + z", D, cluster="family", weights=weights and cw.Analytic("w"))
    same(cw.wild_bootstrap(analytic, "arm", kind=kind, null=null, value=0.3), expected)


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_joint_tests_are_those_of_brute_force(kind: str, null: bool) -> None:
    fit = cw.ols("y ~ arm + x + z", D, cluster="family", weights="w")
    x = np.column_stack([np.ones(N), D.arm, D.x, D.z])
    r, value = np.array([[0.0, 1, 0, 0], [0, 0, 1, -1]]), np.array([0.2, -0.1])
    test = cw.wild_bootstrap(fit, ["arm", "x - z = 0"], kind=kind, null=null, value=value)
    same(test, brute(x, D.y.to_numpy(), D.w.to_numpy(), r, value, kind, null))
    assert test.contrasts == 2 and test.conf_int is None and np.isnan(test.estimate)
    by_rows = cw.wild_bootstrap(fit, r, kind=kind, null=null, value=value)
    assert np.array_equal(by_rows.distribution, test.distribution)


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_fixed_terms_of_the_clusters_are_left_out_with_them(kind: str, null: bool) -> None:
    fit = cw.ols("y ~ x + C(family)", D, cluster="family")
    x = np.column_stack([np.ones(N), D.x, *(g == FAMILY for g in range(1, G))]).astype(float)
    r = np.eye(x.shape[1])[[1]]
    expected = brute(x, D.y.to_numpy(), np.ones(N), r, np.zeros(1), kind, null)
    test = cw.wild_bootstrap(fit, "x", kind=kind, null=null)
    same(test, expected, 1e-11)
    said = any("determine a coefficient by themselves" in note for note in test.notes)
    assert said == (kind != "11")


@pytest.mark.parametrize("kind", KINDS)
def test_the_strata_of_a_trial_are_columns_like_others(kind: str) -> None:
    d = D.assign(arm=np.where(FAMILY % 2 == 1, "crewe", "control"), site=(FAMILY // 3).astype(str))
    design = cw.Design(
        "T", arms={"control": 1, "crewe": 1}, cluster="family", strata=["site"], seed=1
    )
    fit = cw.ols("y ~ arm + x", d, design=design.observe(d, arm="arm"))
    x = np.column_stack([np.ones(N), FAMILY % 2, D.x, FAMILY // 3])
    r = np.array([[0.0, 1, 0, 0]])
    expected = brute(x, D.y.to_numpy(), np.ones(N), r, np.zeros(1), kind, True)
    test = cw.wild_bootstrap(fit, "arm", kind=kind)
    same(test, expected)
    assert test.term == "arm[T.crewe]"
    assert any("3 of 6 clusters are on one side of arm[T.crewe]" in note for note in test.notes)


def _parts(
    link: str, eta: np.ndarray, y: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    mu = 1 / (1 + np.exp(-eta)) if link == "logit" else norm.cdf(eta)
    slope = mu * (1 - mu) if link == "logit" else norm.pdf(eta)
    return w * (y - mu) * slope / (mu * (1 - mu)), w * slope**2 / (mu * (1 - mu))


def _maximum(
    link: str, x: np.ndarray, y: np.ndarray, w: np.ndarray, offset: np.ndarray
) -> np.ndarray:
    b = np.zeros(x.shape[1])
    for _ in range(200):
        score, weight = _parts(link, offset + x @ b, y, w)
        step = np.linalg.solve(x.T @ (weight[:, None] * x), x.T @ score)
        b = b + step
        if np.abs(step).max() < 1e-15:
            break
    return b


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("link", ["logit", "probit"])
def test_the_score_bootstrap_is_that_of_brute_force(
    link: str, weights: str | None, kind: str, null: bool
) -> None:
    fit = getattr(cw, link)("b ~ arm + x", D, cluster="family", weights=weights)
    x, y = np.column_stack([np.ones(N), D.arm, D.x]), D.b.to_numpy()
    w = np.ones(N) if weights is None else D.w.to_numpy()

    def world(b: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        score, weight = _parts(link, x @ b, y, w)
        return (
            [x[g].T @ score[g] for g in ROWS],
            [x[g].T @ (weight[g][:, None] * x[g]) for g in ROWS],
        )

    for r, value, term in (
        (np.array([[0.0, 1, 0]]), np.array([0.3]), "arm"),
        (np.eye(3)[1:], np.zeros(2), ["arm", "x"]),
    ):
        b = _maximum(link, x, y, w, np.zeros(N))
        scores, blocks = world(b)
        observed = statistic(r @ b - value, scores, blocks, r, kind)
        beside = np.linalg.svd(r)[2][len(r) :].T
        if null:
            start = r.T @ np.linalg.solve(r @ r.T, value)
            b = start + beside @ _maximum(link, x @ beside, y, w, x @ start)
            scores, blocks = world(b)
        if kind[0] == "3":
            columns = beside if null else np.eye(3)
            for g, (score, block) in enumerate(zip(scores, blocks, strict=True)):
                rest = columns.T @ (sum(blocks) - block) @ columns
                change = columns @ np.linalg.solve(rest, columns.T @ score)
                scores[g] = score + block @ change
        made = []
        for v in SIGNS:
            m = np.linalg.solve(sum(blocks), sum(s * t for s, t in zip(v, scores, strict=True)))
            left = [s * t - block @ m for s, t, block in zip(v, scores, blocks, strict=True)]
            made.append(statistic(r @ m, left, blocks, r, kind))
        test = cw.wild_bootstrap(fit, term, kind=kind, null=null, value=value)
        same(test, (observed, np.array(made)), 1e-10)
        assert test.method == f"WCL{'R' if null else 'U'}-{kind}"


@pytest.mark.parametrize(
    "case", EXPECTED["small"]["cases"], ids=lambda c: f"{c['kind']} {c['null']}"
)
def test_every_draw_is_that_of_fwildclusterboot(case: dict[str, Any]) -> None:
    frame = pd.DataFrame(EXPECTED["small"]["columns"])
    weights = cw.Analytic("w") if case["weighted"] else None
    fit = cw.ols("y ~ arm + x + z", frame, cluster="family", weights=weights)
    test = cw.wild_bootstrap(fit, "arm", kind=case["kind"], null=case["null"])
    assert test.exact and test.statistic == pytest.approx(case["statistic"], rel=1e-10)
    assert np.allclose(np.sort(np.abs(test.distribution)), case["sizes"], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "case", EXPECTED["awards"]["cases"], ids=lambda c: f"{c['kind']} {c['null']}"
)
def test_the_awards_agree_with_fwildclusterboot_within_monte_carlo_error(
    case: dict[str, Any],
) -> None:
    trial = cw.datasets.achievement_awards()
    fit = cw.ols(EXPECTED["awards"]["formula"], trial[trial["year"] == 2001], cluster="school_id")
    draws = 99_999
    test = cw.wild_bootstrap(
        fit,
        "treated",
        draws,
        7,
        kind=case["kind"],
        null=case["null"],
        interval=case["kind"] == "11",
    )
    assert test.statistic == pytest.approx(case["statistic"], rel=1e-9)
    error = np.sqrt(2 * case["p"] * (1 - case["p"]) / draws)
    assert abs(test.p_value - case["p"]) < 4 * error
    if case["kind"] == "11":
        # The density of t near its 2.5% points is above .02: so many standard errors either way.
        near = 4 * np.sqrt(2 * 0.05 * 0.95 / draws) / 0.04 * test.std_error
        assert np.allclose(test.conf_int, (case["low"], case["high"]), atol=near)


# A twin of the weights in plain Python: ChaCha20 by its published rounds.


def _chacha_words(key: bytes, first: int, count: int) -> list[int]:
    def rotate(value: int, by: int) -> int:
        return (value << by | value >> (32 - by)) & 0xFFFFFFFF

    def quarter(s: list[int], a: int, b: int, c: int, d: int) -> None:
        for by, (i, j, k) in zip(
            (16, 12, 8, 7), ((a, b, d), (c, d, b), (a, b, d), (c, d, b)), strict=True
        ):
            s[i] = (s[i] + s[j]) & 0xFFFFFFFF
            s[k] = rotate(s[k] ^ s[i], by)

    found: list[int] = []
    block = first // 16
    while len(found) < first % 16 + count:
        state = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key)]
        state += [block & 0xFFFFFFFF, block >> 32, 0, 0]
        work = list(state)
        for _ in range(10):
            for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
                quarter(work, *q)
            for q in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                quarter(work, *q)
        found += [(a + b) & 0xFFFFFFFF for a, b in zip(work, state, strict=True)]
        block += 1
    return found[first % 16 : first % 16 + count]


def _drawn(name: str, seed: int, clusters: int, draw: int) -> np.ndarray:
    import hashlib

    fields = [b"crewe/1", b"\x01" + seed.to_bytes(8, "little"), b"wild bootstrap", name.encode()]
    key = hashlib.sha256(b"".join(len(f).to_bytes(8, "little") + f for f in fields)).digest()
    a_word = {"rademacher": 64, "webb": 8, "mammen": 2}[name]
    need = -(-clusters // a_word)
    words = _chacha_words(key, 2 * draw * need, 2 * need)
    values: list[float] = []
    for low, high in zip(words[::2], words[1::2], strict=True):
        word = low | high << 32
        if name == "rademacher":
            values += [1.0 if word >> bit & 1 else -1.0 for bit in range(64)]
        elif name == "webb":
            rest = word * 6**8 >> 64
            for _ in range(8):
                values.append([-(1.5**0.5), -1, -(0.5**0.5), 0.5**0.5, 1, 1.5**0.5][rest % 6])
                rest //= 6
        else:
            root = 5**0.5
            share = int((root + 1) / (2 * root) * 2**32)
            values += [(1 - root) / 2 if half < share else (1 + root) / 2 for half in (low, high)]
    return np.array(values[:clusters])


@pytest.mark.parametrize("kind", ["11", "33"])
@pytest.mark.parametrize("weights", ["rademacher", "webb", "mammen"])
def test_drawn_weights_give_what_brute_force_does(
    weights: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = cw.ols("y ~ arm + x + z", D, cluster="family")
    # Fewer draws than there are signs.
    test = cw.wild_bootstrap(fit, "arm", 40, 11, weights=weights, kind=kind)
    assert not test.exact and test.draws == 40 and test.seed == 11
    drawn = np.array([_drawn(weights, 11, G, draw) for draw in range(40)])
    monkeypatch.setattr(f"{__name__}.SIGNS", drawn)
    x = np.column_stack([np.ones(N), D.arm, D.x, D.z])
    r = np.array([[0.0, 1, 0, 0]])
    observed, draws = brute(x, D.y.to_numpy(), np.ones(N), r, np.zeros(1), kind, True)
    assert np.allclose(test.distribution, draws, rtol=1e-11, atol=1e-12)
    extreme = (np.abs(draws) >= abs(observed) * (1 - 1e-9)).sum()
    assert test.p_value == (1 + extreme) / 41
    tailed = cw.wild_bootstrap(fit, "arm", 40, 11, weights=weights, kind=kind, p="equal-tailed")
    near = 1e-9 * abs(observed)
    tails = (draws <= observed + near).sum(), (draws >= observed - near).sum()
    assert tailed.p_value == min(1.0, 2 * (1 + min(tails)) / 41)


def _many(clusters: int = 30) -> cw.OLS:
    rng = np.random.default_rng(2)
    family = np.repeat(np.arange(clusters), rng.integers(1, 9, clusters))
    n = len(family)
    d = pd.DataFrame({"family": family, "arm": (family % 2).astype(float), "x": rng.normal(size=n)})
    d["y"] = 0.6 * d.arm + rng.normal(size=n) + rng.normal(size=clusters)[family]
    return cw.ols("y ~ arm + x", d, cluster="family")


@pytest.mark.parametrize("p", ["symmetric", "equal-tailed"])
@pytest.mark.parametrize(("kind", "null"), [("11", True), ("33", True), ("13", False)])
def test_the_interval_holds_what_is_not_rejected(kind: str, null: bool, p: str) -> None:
    fit = _many()
    asked: dict[str, Any] = {"kind": kind, "null": null, "p": p, "level": 0.9}
    test = cw.wild_bootstrap(fit, "arm", 999, 3, **asked)
    assert test.conf_int is not None
    low, high = test.conf_int
    step = 1e-6 * (high - low)
    tested = [
        cw.wild_bootstrap(fit, "arm", 999, 3, value=at, **asked).p_value > 0.1
        for at in (low - step, low + step, high - step, high + step)
    ]
    assert tested == [False, True, True, False]


def test_the_interval_of_a_logit_holds_what_is_not_rejected() -> None:
    fit = cw.logit("b ~ arm + x", D, cluster="family")
    test = cw.wild_bootstrap(fit, "arm", level=0.8, kind="11")
    assert test.conf_int is not None
    for at, sign in zip(test.conf_int, (-1, 1), strict=True):
        outside, inside = (
            cw.wild_bootstrap(
                fit, "arm", level=0.8, kind="11", value=at + side * sign * 1e-6
            ).p_value
            for side in (1, -1)
        )
        assert outside <= 0.2 < inside


def test_few_signs_reject_nothing_and_say_so() -> None:
    d = D[D.family < 4]
    test = cw.wild_bootstrap(cw.ols("y ~ arm", d, cluster="family"), "arm", kind="11")
    assert test.exact and test.draws == 16 and test.conf_int == (-np.inf, np.inf)
    assert any("p is at least 0.125" in note for note in test.notes)
    assert any("too few draws differ" in note for note in test.notes)
    assert any("2 of 4 clusters are on one side of arm" in note for note in test.notes)


def test_the_type_follows_from_the_clusters() -> None:
    assert cw.wild_bootstrap(_many(20), "arm", 99, 1).kind == "33"
    assert cw.wild_bootstrap(_many(21), "arm", 99, 1).kind == "11"


def test_the_type_without_refits_is_taken_where_a_cluster_cannot_be_left_out() -> None:
    """Without the first family the history says no more than the arm."""
    rng = np.random.default_rng(2)
    family = np.repeat(np.arange(10), 3)
    frame = pd.DataFrame(
        {"family": family, "arm": family > 2, "history": (family == 1) | (family == 2)}
    ).astype(float)
    frame["y"] = rng.normal(size=30)
    fit = cw.ols("y ~ arm + history", frame, cluster="family")
    found = cw.wild_bootstrap(fit, "arm", 999, 1)
    assert found.kind == "11" and any("the type is 11, since" in note for note in found.notes)
    assert found.p_value == cw.wild_bootstrap(fit, "arm", 999, 1, kind="11").p_value
    with pytest.raises(cw.InputError, match="jackknife is not defined"):
        cw.wild_bootstrap(fit, "arm", 999, 1, kind="33")


def test_rows_units_and_names_of_clusters_do_not_matter() -> None:
    fit = cw.ols("y ~ arm + x + z", D, cluster="family")
    test = cw.wild_bootstrap(fit, "arm")
    other = D.sample(frac=1, random_state=1).assign(
        x=lambda d: 1e6 * d.x + 1e3,
        y=lambda d: 1e-6 * d.y,
        family=lambda d: "f" + d.family.astype(str),
    )
    again = cw.wild_bootstrap(cw.ols("y ~ arm + x + z", other, cluster="family"), "arm")
    assert np.allclose(np.sort(again.distribution), np.sort(test.distribution), atol=1e-9)
    assert again.p_value == test.p_value
    assert np.allclose(1e6 * np.array(again.conf_int), test.conf_int)


def test_the_seed_gives_the_same_bits_and_more_draws_begin_with_the_fewer() -> None:
    fit = _many()
    test = cw.wild_bootstrap(fit, "arm", 999)
    assert test.seed is not None and any(str(test.seed) in note for note in test.notes)
    again = cw.wild_bootstrap(fit, "arm", 999, test.seed)
    assert np.array_equal(again.distribution, test.distribution) and again.conf_int == test.conf_int
    more = cw.wild_bootstrap(fit, "arm", 5_000, test.seed)
    assert np.array_equal(more.distribution[:999], test.distribution)


def test_its_size_is_near_the_level() -> None:
    """Under no effect a test at 5% with twelve families of very different sizes rejects near 5% of 400 trials."""
    rejected = 0
    for trial in range(400):
        rng = np.random.default_rng(trial)
        family = np.repeat(np.arange(12), [1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 2, 20])
        d = pd.DataFrame({"family": family, "arm": (family % 2).astype(float)})
        d["y"] = rng.normal(size=len(d)) + rng.normal(size=12)[family]
        fit = cw.ols("y ~ arm", d, cluster="family", vcov="CR1")
        rejected += (
            cw.wild_bootstrap(fit, "arm", 999, trial, kind="33", interval=False).p_value <= 0.05
        )
    assert 8 <= rejected <= 36


def test_what_cannot_be_bootstrapped_is_refused() -> None:
    fit = cw.ols("y ~ arm + x", D, cluster="family")
    with pytest.raises(cw.InputError, match="needs to know the clusters"):
        cw.wild_bootstrap(cw.ols("y ~ arm + x", D), "arm")
    with pytest.raises(cw.InputError, match="no term 'age'"):
        cw.wild_bootstrap(fit, "age")
    with pytest.raises(cw.InputError, match="19 draws are too few"):
        cw.wild_bootstrap(fit, "arm", 19)
    with pytest.raises(cw.InputError, match="fits every outcome exactly"):
        cw.wild_bootstrap(
            cw.ols("c ~ arm + x", D.assign(c=4.2), cluster="family", vcov="CR1"), "arm"
        )
    alone = D.assign(arm=(D.family == 2).astype(float))
    with pytest.raises(cw.DesignError, match="one of 6 clusters is by itself"):
        cw.wild_bootstrap(cw.ols("y ~ arm + x", alone, cluster="family", vcov="CR1"), "arm")
    cox = cw.coxph("Surv(t, b) ~ arm", D.assign(t=np.arange(N) + 1.0), cluster="family")
    with pytest.raises(cw.InputError, match=r"Cox model.*randomisation_test"):
        cw.wild_bootstrap(cox, "arm")
    with pytest.raises(cw.InputError, match="type of the bootstrap is not known"):
        cw.wild_bootstrap(fit, "arm", kind="12")
    with pytest.raises(cw.InputError, match="distribution of the weights is not known"):
        cw.wild_bootstrap(fit, "arm", weights="normal")
    with pytest.raises(cw.RankError, match="repeat each other"):
        cw.wild_bootstrap(fit, ["arm", "arm"])
    with pytest.raises(cw.InputError, match="a DataFrame has no wild bootstrap"):
        cw.wild_bootstrap(D, "arm")
    with pytest.raises(cw.InputError, match="without its data"):
        cw.wild_bootstrap(pickle.loads(pickle.dumps(fit)), "arm")


def test_it_prints_pickles_and_draws_itself() -> None:
    fit = cw.ols("y ~ arm + x", D, cluster="family")
    test = cw.wild_bootstrap(fit, "arm", kind="11")
    assert list(test.tidy()["term"]) == ["arm"] and test.tidy()["p_value"][0] == test.p_value
    glance = test.glance().iloc[0]
    assert glance["method"] == "WCR-11" and glance["draws"] == 64 and glance["exact"]
    assert "64 signs" in repr(test) and "<table" in test._repr_html_()
    assert pickle.loads(pickle.dumps(test)).tidy().equals(test.tidy())
    ax = test.plot()
    assert "64 signs" in str(ax.get_ylabel()) or "signs" in ax.get_ylabel()
    joint = cw.wild_bootstrap(fit, ["arm", "x"], kind="11")
    assert "F" in repr(joint)
    joint.plot()
    plt.close("all")
    assert 0 < joint.p_value <= 1


def test_a_penalised_fit_is_refused() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"family": np.arange(60) // 3, "c": rng.integers(0, 2, 60)})
    frame["arm"] = frame["family"] % 2
    fit = cw.logit("c ~ arm", frame, cluster="family", penalty="firth")
    with pytest.raises(cw.InputError, match="no sum over clusters"):
        cw.wild_bootstrap(fit, "arm")
    assert (
        cw.wild_bootstrap(cw.logit("c ~ arm", frame, cluster="family"), "arm", draws=99).p_value > 0
    )

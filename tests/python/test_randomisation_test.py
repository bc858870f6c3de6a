"""The randomisation test from Python: against plain enumeration, and as users meet it."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import crewe as cw
import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from crewe import _core

matplotlib.use("Agg")


def children(families: int = 8, seed: int = 1) -> pd.DataFrame:
    """Families of one to three children in two strata, with a score."""
    rng = np.random.default_rng(seed)
    family = np.repeat(np.arange(families), 1 + np.arange(families) % 3)
    score = rng.integers(0, 12, len(family)) + 2.0 * (family % 2)
    return pd.DataFrame({"family": family, "site": family * 2 // families, "score": score})


def make(ratio: tuple[int, int] = (1, 1), *, strata: bool = False, **options: Any) -> cw.Design:
    return cw.Design(
        "Trial",
        arms={"control": ratio[0], "crewe": ratio[1]},
        cluster="family",
        strata=["site"] if strata else [],
        seed=11,
        **options,
    )


# -- an independent oracle: every assignment and its probability, in plain Python ------------------


def splits(n: int, ratio: tuple[int, int]) -> dict[int, float]:
    """How many of n units are treated, with its probability: floors, and the place left over."""
    total = sum(ratio)
    low, left = divmod(n * ratio[1], total)
    return {low: 1.0} if not left else {low: 1 - left / total, low + 1: left / total}


def assignments(
    members: list[list[int]], ratio: tuple[int, int]
) -> Iterator[tuple[set[int], float]]:
    """Every set of treated units within strata, with its probability."""

    def within(units: list[int]) -> Iterator[tuple[tuple[int, ...], float]]:
        for treated, chance in splits(len(units), ratio).items():
            for chosen in itertools.combinations(units, treated):
                yield chosen, chance / math.comb(len(units), treated)

    for parts in itertools.product(*(list(within(units)) for units in members)):
        treated = {unit for chosen, _ in parts for unit in chosen}
        yield treated, math.prod(chance for _, chance in parts)


def difference(frame: pd.DataFrame, treated: set[int], *, by_unit: bool = False) -> float:
    if by_unit:
        frame = frame.groupby("family", as_index=False)["score"].mean()
    inside = frame["family"].isin(treated)
    return float(frame["score"][inside].mean() - frame["score"][~inside].mean())


def tails(
    frame: pd.DataFrame,
    treated: set[int],
    members: list[list[int]],
    ratio: tuple[int, int],
    **kind: bool,
) -> tuple[float, float]:
    observed = difference(frame, treated, **kind)
    lower = upper = 0.0
    for other, chance in assignments(members, ratio):
        value = difference(frame, other, **kind)
        lower += chance * (value <= observed + 1e-9)
        upper += chance * (value >= observed - 1e-9)
    return lower, upper


@pytest.mark.parametrize("ratio", [(1, 1), (1, 2), (2, 1)])
@pytest.mark.parametrize("strata", [False, True])
@pytest.mark.parametrize("by_unit", [False, True])
def test_p_is_the_sum_over_all_assignments(
    ratio: tuple[int, int], strata: bool, by_unit: bool
) -> None:
    frame = children()
    trial = make(ratio, strata=strata).assign(frame)
    treated = {int(unit) for unit, arm in trial.clusters.items() if arm == "crewe"}
    members = [[0, 1, 2, 3], [4, 5, 6, 7]] if strata else [list(range(8))]
    lower, upper = tails(frame, treated, members, ratio, by_unit=by_unit)
    name = "difference_in_unit_means" if by_unit else "difference_in_means"
    test = cw.randomisation_test(name, frame, trial, outcome="score")
    found = test.comparisons[0]
    assert test.exact
    assert found.estimate == pytest.approx(difference(frame, treated, by_unit=by_unit), rel=1e-12)
    assert (found.p_lower, found.p_upper) == pytest.approx((lower, upper), rel=1e-12)
    assert test.p_value == pytest.approx(min(1, 2 * min(lower, upper)), rel=1e-12)
    for alternative, tail in (("less", lower), ("greater", upper)):
        one = cw.randomisation_test(name, frame, trial, outcome="score", alternative=alternative)
        assert one.p_value == pytest.approx(tail, rel=1e-12)


def test_the_interval_is_where_plain_enumeration_stops_rejecting() -> None:
    frame = children(10)
    trial = make().assign(frame)
    treated = {int(unit) for unit, arm in trial.clusters.items() if arm == "crewe"}
    members = [list(range(10))]

    def p(effect: float) -> float:
        less = frame.assign(score=frame["score"] - effect * frame["family"].isin(treated))
        return min(1, 2 * min(tails(less, treated, members, (1, 1))))

    low, high = cw.randomisation_test("score ~ arm", frame, trial, level=0.9).conf_int or (0, 0)
    assert p(low + 1e-6) > 0.1 >= p(low - 1e-6)
    assert p(high - 1e-6) > 0.1 >= p(high + 1e-6)


def test_draws_follow_the_design_and_count_the_trial_itself() -> None:
    frame = children(40)
    trial = make((1, 2), strata=True).assign(frame)
    test = cw.randomisation_test("score ~ arm", frame, trial, draws=499)
    assert not test.exact and test.draws == 499 and test.seed == 11
    drawn = trial.design.draws(frame, 499)
    # Units stand in bytewise order of their identifiers.
    families = np.array([int(unit) for unit in trial.clusters])
    values = np.array([difference(frame, set(families[row == 1])) for row in drawn])
    np.testing.assert_allclose(test.distribution, values, rtol=1e-10, atol=1e-12)
    upper = (1 + (values >= test.estimate - 1e-9).sum()) / 500
    assert test.comparisons[0].p_upper == pytest.approx(upper, rel=1e-12)
    assert test.p_value >= 1 / 500
    assert cw.randomisation_test("score ~ arm", frame, trial, draws=499).tidy().equals(test.tidy())


def test_dickinson_over_the_accepted_set() -> None:
    """16 counties, 1,288 accepted schemes: the test runs over these very schemes and no others."""
    folder = os.environ.get("CREWE_REFERENCE_DATA")
    if not folder:
        pytest.skip("CREWE_REFERENCE_DATA is not set: the Dickinson counties are not checked")
    counties = pd.read_csv(Path(folder) / "dickinson_design.csv").set_index("county", drop=False)
    with gzip.open(Path(folder) / "dickinson_outcome.csv.gz", "rt") as lines:
        rows = [(int(row["county"]), float(row["outcome"])) for row in csv.DictReader(lines)]
    frame = pd.DataFrame(rows, columns=["county", "outcome"])
    on = ["location", "inciis", "uptodateonimmunizations", "hispanic", "incomecat"]
    design = cw.Design(
        "Dickinson",
        arms={"control": 1, "reminder": 1},
        cluster="county",
        method=cw.Constrained(on=on, draws=12_870, keep=0.1),
        seed=1,
    )
    trial = design.assign(counties.reset_index(drop=True))
    test = cw.randomisation_test("outcome ~ arm", frame, trial)
    assert test.exact and test.assignments == 1288

    # The score by its formula, the accepted set, and the test over it, in numpy.
    x = np.column_stack(
        [
            counties["location"] == "Rural",
            counties[["inciis", "uptodateonimmunizations", "hispanic"]],
            counties["incomecat"] == "Low",
            counties["incomecat"] == "Med",
        ]
    ).astype(float)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    z = np.array(
        [
            [1 if i in chosen else -1 for i in range(16)]
            for chosen in itertools.combinations(range(16), 8)
        ]
    )
    score = ((z @ scaled) ** 2).sum(axis=1) / 4
    cut = np.sort(score)[1286]
    accepted = z[score <= cut * (1 + 1e-9)]
    assert len(accepted) == 1288
    sums = frame.groupby("county")["outcome"].sum().to_numpy()
    sizes = frame.groupby("county").size().to_numpy()
    on_, off = accepted == 1, accepted == -1
    values = (on_ @ sums) / (on_ @ sizes) - (off @ sums) / (off @ sizes)
    near = 1e-9
    upper, lower = (values >= test.estimate - near).mean(), (values <= test.estimate + near).mean()
    assert test.comparisons[0].p_upper == pytest.approx(upper, rel=1e-12)
    assert test.p_value == pytest.approx(min(1, 2 * min(upper, lower)), rel=1e-12)
    assert any("0 or 1" in note for note in test.notes)


# -- what users meet -------------------------------------------------------------------------------


def test_every_frame_gives_the_same_and_comes_back_as_its_kind() -> None:
    frame = children(12)
    trial = make().assign(frame)
    expected = cw.randomisation_test("score ~ arm", frame, trial)
    shuffled = frame.sample(frac=1, random_state=2)
    for other, kind in (
        (pl.from_pandas(frame), pl.DataFrame),
        (pa.Table.from_pandas(frame), pa.Table),
        (shuffled, pd.DataFrame),
    ):
        test = cw.randomisation_test("score ~ arm", other, trial)
        assert test.p_value == pytest.approx(expected.p_value, rel=1e-12)
        assert test.conf_int == pytest.approx(expected.conf_int, rel=1e-12)
        assert isinstance(test.tidy(), kind)

        def statistic(given: Any, arm: Any, kind: type = kind) -> float:
            assert isinstance(given, kind)
            score = np.asarray(given["score"], dtype=float)
            return float(score[arm == "crewe"].mean() - score[arm == "control"].mean())

        own = cw.randomisation_test(statistic, other, trial)
        assert own.p_value == pytest.approx(expected.p_value, rel=1e-12)
        assert own.conf_int is None


def test_missing_outcomes_are_counted_by_arm() -> None:
    frame = children(12)
    trial = make().assign(frame)
    frame.loc[frame["family"] == 3, "score"] = np.nan
    frame.loc[0, "score"] = np.nan
    full = cw.randomisation_test("score ~ arm", frame, trial)
    assert full.assignments == 924
    assert any(note.startswith("rows without score") for note in full.notes)
    assert any(note.startswith("families drawn again that have no outcome") for note in full.notes)
    part = cw.randomisation_test("score ~ arm", frame.dropna(), trial)
    assert part.p_value == full.p_value
    compared = [unit not in ("0", "3") for unit in trial.clusters]
    masked = cw.randomisation_test(
        "score ~ arm", children(12).query("family != 0"), trial, compared=compared
    )
    assert any("outside the comparison" in note for note in masked.notes)


def test_a_model_with_covariates_is_the_coefficient_of_ols() -> None:
    frame = children(30, seed=4)
    frame["age"] = np.arange(len(frame)) % 7
    trial = make((1, 1), strata=True).assign(frame)
    fit = cw.ols("score ~ arm + age", frame, design=trial)
    by_fit = cw.randomisation_test(fit, frame, trial, draws=199)
    by_formula = cw.randomisation_test("score ~ arm + age", frame, trial, draws=199)
    assert by_fit.estimate == pytest.approx(fit.coef["arm[T.crewe]"], rel=1e-10)
    assert by_fit.p_value == by_formula.p_value
    assert by_fit.conf_int is not None and by_fit.conf_int[0] < by_fit.estimate

    def coefficient(given: Any, arm: Any) -> float:
        return float(cw.ols("score ~ drawn + age + C(site)", given.assign(drawn=arm)).coef.iloc[1])

    own = cw.randomisation_test(coefficient, frame, trial, draws=199, progress=False)
    np.testing.assert_allclose(own.distribution, by_fit.distribution, rtol=1e-8, atol=1e-10)
    assert own.p_value == by_fit.p_value
    with pytest.raises(cw.InputError, match="would change with every draw"):
        cw.randomisation_test("score ~ arm * age + arm", frame, trial)


def test_refusals_say_what_to_do() -> None:
    frame = children(12)
    trial = make().assign(frame)
    with pytest.raises(cw.DesignError, match="must be an assignment"):
        cw.randomisation_test("score ~ arm", frame, trial.design)
    with pytest.raises(cw.InputError, match="Pass outcome"):
        cw.randomisation_test("difference_in_means", frame, trial)
    with pytest.raises(cw.InputError, match="no column 'event'"):
        cw.randomisation_test("Surv(score, event) ~ arm", frame, trial)
    with pytest.raises(cw.InputError, match="is unknown"):
        cw.randomisation_test("median", frame, trial, outcome="score")
    with pytest.raises(cw.InputError, match="not a finite number on") as caught:
        calls = iter(range(10_000))
        cw.randomisation_test(lambda f, arm: np.nan if next(calls) % 2 else 1.0, frame, trial)
    assert "assignments" in str(caught.value)
    with pytest.raises(cw.InputError, match="not a number"):
        cw.randomisation_test(lambda f, arm: [1, 2], frame, trial)
    with pytest.raises(cw.DesignError, match="not randomised"):
        cw.randomisation_test("score ~ arm", frame.assign(family=frame["family"] + 6), trial)
    # Families of one pair in one arm.
    wrong = frame.assign(treated=(frame["family"] % 4 < 2).astype(int), pair=frame["family"] // 2)
    observed = make(method=cw.MatchedSets(on="pair")).observe(wrong, arm="treated")
    with pytest.raises(cw.DesignError, match="as the trial was run"):
        cw.randomisation_test("score ~ treated", wrong, observed)


def test_a_secret_key_and_an_observed_trial_need_a_seed_of_their_own() -> None:
    frame = children(40)
    key = cw.new_key()
    design = cw.Design("Trial", arms={"control": 1, "crewe": 1}, cluster="family", seed=key)
    trial = design.assign(frame)
    test = cw.randomisation_test("score ~ arm", frame, trial, draws=99)
    assert test.seed is not None and any(f"seed {test.seed}" in note for note in test.notes)
    again = cw.randomisation_test("score ~ arm", frame, trial, draws=99, seed=test.seed)
    assert again.p_value == test.p_value
    old = frame.assign(treated=(frame["family"] % 2).astype(int))
    observed = make().observe(old, arm="treated")
    assert cw.randomisation_test("score ~ treated", old, observed, draws=99).seed != 11


def test_several_arms() -> None:
    frame = children(9)
    arms = {"usual": 1, "letter": 1, "visit": 1}
    trial = cw.Design("Three", arms=arms, cluster="family", seed=2).assign(frame)
    test = cw.randomisation_test("score ~ arm", frame, trial)
    assert [c.arm for c in test.comparisons] == ["letter", "visit"]
    assert list(test.tidy()["term"]) == ["arm[T.letter]", "arm[T.visit]"]
    assert test.omnibus is not None and 0 < test.omnibus[1] <= 1
    with pytest.raises(cw.InputError, match="several comparisons"):
        _ = test.p_value
    assert "no arm has any effect" in repr(test)


def test_printing_pickling_and_the_figure() -> None:
    frame = children(40)
    trial = make().assign(frame)
    test = cw.randomisation_test(
        "score ~ arm", frame, trial, draws=499, studentised=True, synthetic=True
    )
    assert "studentised difference in means" in repr(test)
    assert "(1 + x)/(1 + 499)" in repr(test) and "SYNTHETIC" in repr(test)
    assert "<table" in test._repr_html_()
    assert list(test.tidy().columns)[:8] == [
        "term",
        "estimate",
        "std_error",
        "statistic",
        "df",
        "p_value",
        "conf_low",
        "conf_high",
    ]
    copy = pickle.loads(pickle.dumps(test))
    assert copy.p_value == test.p_value
    np.testing.assert_array_equal(copy.distribution, test.distribution)
    ax = test.plot()
    heights = sum(bar.get_height() for bar in ax.patches)
    assert heights == pytest.approx(100)
    small = cw.randomisation_test("score ~ arm", children(4), make().assign(children(4)))
    assert "unbounded" in repr(small)


def test_progress_is_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    frame = children(6)
    trial = make().assign(frame)
    cw.randomisation_test(lambda f, arm: float((arm == "crewe")[0]), frame, trial, progress=True)
    assert "draw" in capsys.readouterr().err


def test_size_from_python() -> None:
    frame = children(24)
    trial = make(strata=True).assign(frame)
    joined = trial.check(frame)
    found = _core.randomisation_size(
        trial.design._core(),
        trial._units(),
        _core.Outcomes("score", frame["score"].to_numpy(), joined.unit, trial._units(), None),
        _core.Statistic("difference_in_means", False, None),
        _core.SizeOptions(trials=300, draws=199, seed=5, alpha=0.05, effect=0.0),
    )
    assert found.rejected <= 0.05 + 4 * found.std_error
    assert found.covered >= 0.95 - 4 * found.std_error


# -- a ledger --------------------------------------------------------------------------------------


def rolling(path: Path, overflow: str) -> cw.Ledger:
    design = cw.Design(
        "Rolling", arms={"control": 1, "crewe": 1}, cluster="family", method=cw.Blocks(sizes=[4]),
        seed=cw.Key(bytes(range(32))),
    )  # fmt: skip
    ledger = cw.Ledger.create(path, design, overflow=overflow, at="2026-01-01T00:00:00Z")
    for number in range(14):
        if number == 8:
            ledger.capacity("crewe", full=True, at="2026-01-09T12:00:00Z", by="the team")
        if number == 10:
            ledger.capacity("crewe", full=False, at="2026-01-11T12:00:00Z", by="the team")
        if overflow == "draw-first" or number not in (8, 9):
            ledger.enrol(
                f"F{number}",
                [f"c{number}"],
                approved_by="council",
                at=f"2026-01-{number + 2:02}T00:00:00Z",
            )
    return ledger


def test_a_closed_ledger_is_drawn_again_with_those_who_came_while_an_arm_was_full(
    tmp_path: Path,
) -> None:
    ledger = rolling(tmp_path / "overflow.ledger", "draw-first")
    outcomes = pd.DataFrame(
        {"family": [f"F{i}" for i in range(14)], "score": [i * 7 % 5 for i in range(14)]}
    )
    data = outcomes[~outcomes["family"].isin(["F8", "F9"])]
    with pytest.raises(cw.DesignError, match="not closed"):
        cw.randomisation_test("difference_in_means", data, ledger, outcome="score", seed=1)
    ledger.close(by="the team", at="2026-02-01T00:00:00Z")
    test = cw.randomisation_test("difference_in_means", data, ledger, outcome="score", seed=1)
    assert any("an arm was full" in note for note in test.notes)
    # By hand: blocks of four over all fourteen arrivals, a statistic over the twelve compared.
    drawn = ledger._assigned(everybody=True)[0].clusters
    treated = {family for family, arm in drawn.items() if arm == "crewe"}
    compared = [number for number in range(14) if number not in (8, 9)]

    def statistic(of: set[str]) -> float:
        score = outcomes["score"]
        ours = [score[i] for i in compared if f"F{i}" in of]
        theirs = [score[i] for i in compared if f"F{i}" not in of]
        return float(np.mean(ours) - np.mean(theirs))

    halves = [set(chosen) for chosen in itertools.combinations(range(4), 2)]
    # The last block stays unfinished after two families.
    ends = [{0, 1} & half for half in halves]
    found = []
    for blocks in itertools.product(halves, halves, halves, ends):
        of = {f"F{4 * b + place}" for b, block in enumerate(blocks) for place in block}
        found.append(statistic(of))
    observed = statistic(treated)
    assert test.estimate == pytest.approx(observed)
    upper = np.mean([value >= observed - 1e-9 for value in found])
    assert test.exact
    assert test.comparisons[0].p_upper == pytest.approx(upper, rel=1e-12)
    # A fit knows those compared alone, and is tested over the same draws of everybody.
    fit = cw.ols("score ~ arm", data, design=ledger)
    of_fit = cw.randomisation_test(fit, design=ledger, seed=1, studentised=False)
    assert of_fit.exact and of_fit.assignments == test.assignments
    assert of_fit.estimate == pytest.approx(observed)
    assert of_fit.comparisons[0].p_upper == pytest.approx(upper, rel=1e-12)


def test_a_paused_ledger_says_that_it_was(tmp_path: Path) -> None:
    ledger = rolling(tmp_path / "paused.ledger", "pause")
    ledger.close(by="the team", at="2026-02-01T00:00:00Z")
    data = pd.DataFrame(
        {"family": [f"F{i}" for i in range(14) if i not in (8, 9)], "score": range(12)}
    )
    test = cw.randomisation_test("difference_in_means", data, ledger, outcome="score", seed=1)
    assert test.exact

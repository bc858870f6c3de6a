"""Power by replaying the trial: against exact formulas, an independent simulation, and itself."""

from __future__ import annotations

import math
import pickle

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from scipy import stats


def families(n: int = 132, seed: int = 1) -> pd.DataFrame:
    """Families of 1 to 5 children, half of them with a history, in no order."""
    draw = np.random.default_rng(seed)
    sizes = draw.integers(1, 6, n)
    frame = pd.DataFrame(
        {
            "family": np.repeat([f"f{i:04d}" for i in range(n)], sizes),
            "history": np.repeat(draw.integers(0, 2, n), sizes),
            "age": draw.normal(10, 3, sizes.sum()),
        }
    )
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


def trial(ratio: int = 2, **options) -> cw.Design:
    return cw.Design(
        "Trial", arms={"control": 1, "crewe": ratio}, cluster="family", seed=9, **options
    )


CLOSED = cw.power.BinaryOutcome(baseline=0.226, effect=0.112, icc=0.36)


def near(found: cw.power.Measure, truth: float, error: float = 0.0) -> bool:
    return abs(found.value - truth) <= 4 * math.hypot(found.std_error, error)


def test_normal_outcomes_have_the_exact_power():
    """Equal clusters, equal arms: a t test of cluster means, whose power is a noncentral t."""
    clusters, m, icc, effect = 24, 5, 0.2, 0.7
    found = cw.power.simulate(
        trial(1),
        cw.power.ClusterSizes(m, clusters=clusters),
        cw.power.ContinuousOutcome(effect=effect, icc=icc),
        sims=20_000,
        seed=1,
    )
    se = math.sqrt(4 * (1 + (m - 1) * icc) / (m * clusters))
    critical = stats.t.ppf(0.975, clusters - 2)
    power = stats.nct.sf(critical, clusters - 2, effect / se)
    assert near(found.measures["power"], power)
    assert near(found.measures["size"], 0.05)
    assert near(found.measures["coverage"], 0.95)
    assert near(found.measures["bias"], 0)
    assert near(found.measures["sd"], se)
    # With two equal arms of whole clusters CR2 has the degrees of freedom of that test.
    assert np.allclose(found.replicates["df"], clusters - 2)
    # The exaggeration of significant estimates under that noncentral t, by another simulation.
    draw = np.random.default_rng(2)
    estimate = effect + se * draw.normal(size=400_000)
    spread = se * np.sqrt(draw.chisquare(clusters - 2, 400_000) / (clusters - 2))
    kept = np.abs(estimate / spread) > critical
    assert near(found.measures["type_m"], np.abs(estimate[kept]).mean() / effect, 0.002)


@pytest.mark.parametrize("sharing", ["beta_binomial", "latent_normal", "shared_draw"])
def test_every_replicate_is_the_fit_that_a_user_would_make(sharing):
    """Estimates have the mean and spread of trials simulated here in numpy and fitted by cw.ols."""
    data = families(60)
    outcome = cw.power.BinaryOutcome(baseline=0.3, effect=0.25, icc=0.4, sharing=sharing)
    design = trial(1, strata=["history"])
    found = cw.power.simulate(design, data, outcome, "y ~ arm + age", sims=600, seed=5, size=False)
    assert found.measures["convergence"].value == 1
    assert near(found.measures["bias"], 0)
    ratio = found.measures["mean_std_error"].value / found.measures["sd"].value
    assert 0.88 < ratio < 1.12
    fit = cw.ols(
        "y ~ arm + age",
        design.assign(data).frame.assign(y=np.arange(len(data)) % 3),
        design=design.assign(data),
    )
    assert fit.formula == f"y ~ {found.trial.model}"


def test_a_replicate_is_that_of_cw_ols():
    """The draw of a replicate, refitted from a frame, has its degrees of freedom."""
    data = families(40)
    design = trial(2, strata=["history"])
    score = cw.power.ContinuousOutcome(effect=0.4, icc=0.3)
    found = cw.power.simulate(design, data, score, sims=3, seed=77, size=False)
    draws = design.draws(data, 3, seed=77)
    units = sorted(data["family"].unique())
    for i in range(3):
        arm = dict(zip(units, draws[i], strict=True))
        again = data.assign(
            z=data["family"].map(arm), y=np.random.default_rng(i).normal(size=len(data))
        )
        fit = cw.ols("y ~ z + C(history)", again, cluster="family")
        assert fit.tidy().set_index("term")["df"]["z"] == pytest.approx(
            found.replicates["df"][i], rel=1e-9
        )


def test_replicates_are_found_by_their_number():
    data = families()
    design = trial(strata=["history"])
    alone = cw.power.simulate(design, data, CLOSED, sims=1_100, seed=3)
    shorter = cw.power.simulate(design, data, CLOSED, sims=500, seed=3, size=False)
    pd.testing.assert_frame_equal(alone.replicates[:500], shorter.replicates, check_exact=True)
    # Neither the order of the rows nor the seed of the design enters.
    mixed = data.sample(frac=1, random_state=8)
    other = cw.power.simulate(design._with_seed(123), mixed, CLOSED, sims=500, seed=3, size=False)
    pd.testing.assert_frame_equal(other.replicates, shorter.replicates, check_exact=True)


def test_every_row_may_have_its_own_baseline():
    data = families().assign(risk=lambda d: 0.1 + 0.3 * d["history"])
    own = cw.power.BinaryOutcome(baseline="risk", effect=0.2, icc=0.2)
    found = cw.power.simulate(trial(strata=["history"]), data, own, sims=2_000, seed=1, size=False)
    assert near(found.measures["bias"], 0)
    assert found.treated is None
    wrong = data.assign(risk=np.where(np.arange(len(data)) == 7, 0.95, data["risk"]))
    with pytest.raises(cw.InputError, match="outside 0 to 1") as raised:
        cw.power.simulate(trial(), wrong, own, sims=10, seed=1)
    assert raised.value.rows == [7]


def test_procedures_are_replayed_as_declared():
    """Matched pairs of alike families find more than complete randomisation does."""
    data = families(60).assign(day=lambda d: d["family"].str[1:].astype(int))
    data["mean"] = 2.0 * data["history"]
    score = cw.power.ContinuousOutcome(baseline="mean", effect=0.4, icc=0.2)
    plain = cw.power.LinearModel(strata_terms=False)
    powers = {}
    for name, options in {
        "complete": {},
        "strata": {"strata": ["history"]},
        "blocks": {"strata": ["history"], "method": cw.Blocks(sizes=[4])},
        "minimisation": {"method": cw.Minimisation(factors=["history"], p=0.9)},
    }.items():
        order = "day" if name in ("blocks", "minimisation") else None
        found = cw.power.simulate(
            trial(1, **options), data, score, plain, sims=1_500, seed=2, order=order, size=True
        )
        powers[name] = found
    # The strata's part of the variance is gone from the estimates, and the plain analysis does not know it.
    for name in ("strata", "blocks", "minimisation"):
        assert powers[name].measures["sd"].conf_high < powers["complete"].measures["sd"].conf_low
        assert powers[name].measures["size"].conf_high < 0.05
    assert near(powers["complete"].measures["size"], 0.05)
    adjusted = cw.power.simulate(trial(1, strata=["history"]), data, score, sims=1_500, seed=2)
    assert adjusted.power > powers["strata"].power + 0.1
    assert near(adjusted.measures["size"], 0.05)


def test_individuals_and_variances():
    design = cw.Design("t", arms={"a": 1, "b": 1}, unit="id", seed=1)
    people = pd.DataFrame({"id": np.arange(80), "x": np.arange(80) % 7.0})
    score = cw.power.ContinuousOutcome(effect=0.6, icc=0.0)
    found = cw.power.simulate(design, people, score, sims=4_000, seed=1)
    assert found.trial.vcov == "HC2"
    power = stats.nct.sf(stats.t.ppf(0.975, 78), 78, 0.6 / math.sqrt(4 / 80))
    assert near(found.measures["power"], power)
    for vcov in ("HC1", "HC3", "iid"):
        other = cw.power.simulate(
            design, people, score, cw.power.LinearModel("~ arm + x", vcov=vcov), sims=400, seed=1
        )
        assert 0.02 < other.size < 0.09


def test_counts():
    days = cw.power.CountOutcome(baseline=4, effect=-1.0, cv=0.4)
    found = cw.power.simulate(
        trial(1), cw.power.ClusterSizes(3, clusters=60), days, sims=6_000, seed=1
    )
    assert near(found.measures["bias"], 0)
    arms = [(mean + 2 * (0.4 * mean) ** 2 + (0.4 * mean) ** 2) / 90 for mean in (4.0, 3.0)]
    assert near(found.measures["sd"], math.sqrt(sum(arms)))
    assert days.icc == pytest.approx(0.64 / 1.64) and found.icc == days.icc
    with pytest.raises(cw.InputError, match="outside 0 to 500"):
        wrong = cw.power.CountOutcome(baseline=4, effect=-5, cv=0.4)
        cw.power.simulate(trial(1), families(), wrong, sims=10, seed=1)
    with pytest.raises(cw.InputError, match="coefficient of variation"):
        wrong = cw.power.CountOutcome(baseline=4, effect=-1, cv=-0.1)
        cw.power.simulate(trial(1), families(), wrong, sims=10, seed=1)


def test_errors_that_know_no_families_reject_too_often():
    data = families()
    naive = cw.power.LinearModel(vcov="iid")
    flat = cw.power.ContinuousOutcome(effect=0.0, icc=0.6)
    found = cw.power.simulate(trial(), data, flat, naive, sims=600, seed=1)
    assert found.size == found.power > 0.1
    assert any("rejects more often" in note for note in found.notes)
    assert math.isnan(found.type_s) and math.isnan(found.type_m)


def test_smallest_detectable_effects():
    sizes = cw.power.ClusterSizes(3, clusters=286)
    found = cw.power.mdes(trial(1), sizes, CLOSED, sims=4_000, seed=1)
    closed_form = cw.power.binary(
        baseline=0.226, icc=0.36, cluster_size=3, clusters=286, power=0.8, method="unpooled"
    )
    assert found.conf_low < found.effect < found.conf_high
    assert found.effect == pytest.approx(closed_form.effect, abs=0.005)
    # Within a twentieth of the Monte Carlo error, or the one replicate that can be told apart.
    assert abs(found.power - 0.8) <= max(0.5, 0.05 * math.sqrt(0.16 * 4_000)) / 4_000 + 1e-12
    # The same random numbers: simulate gives the very power.
    under = cw.power.BinaryOutcome(baseline=0.226, effect=found.effect, icc=0.36)
    again = cw.power.simulate(trial(1), sizes, under, sims=4_000, seed=1, size=False)
    assert again.power == found.power
    assert (found.tried["power"].diff().dropna() >= 0).all()
    fall = cw.power.mdes(trial(1), sizes, CLOSED, sims=1_000, seed=1, direction="fall")
    assert -0.226 <= fall.effect < 0
    assert abs(fall.conf_low) < abs(fall.effect) < abs(fall.conf_high)
    score = cw.power.ContinuousOutcome(effect=0, icc=0.2, sd=10)
    exact = cw.power.mdes(
        trial(1), cw.power.ClusterSizes(5, clusters=24), score, sims=4_000, seed=1
    )
    se = 10 * math.sqrt(4 * 1.8 / 120)
    powers = stats.nct.sf(
        stats.t.ppf(0.975, 22), 22, np.array([exact.conf_low, exact.conf_high]) / se
    )
    assert powers[0] < 0.8 < powers[1]


def test_unattainable_effects_say_so():
    few = cw.power.ClusterSizes(1, clusters=8)
    rare = cw.power.BinaryOutcome(baseline=0.1, effect=0.0, icc=0.0)
    found = cw.power.mdes(trial(1), few, rare, sims=400, seed=1, direction="fall")
    assert not found.attainable and found.effect is None and found.ceiling_at == -0.1
    assert "unattainable" in repr(found).lower()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (cw.power.BinaryOutcome(baseline=1.2, effect=0.0, icc=0.1), "probability"),
        (cw.power.BinaryOutcome(baseline=math.nan, effect=0.0, icc=0.1), "outcome"),
        (cw.power.BinaryOutcome(baseline=0.5, effect=0.6, icc=0.1), "outside 0 to 1"),
        (cw.power.BinaryOutcome(baseline=0.5, effect=0.1, icc=-0.3), "correlation of -0.3"),
        (cw.power.BinaryOutcome(baseline=0.5, effect=0.1, icc=1.01), "correlation of 1.01"),
        (cw.power.ContinuousOutcome(effect=0.1, icc=-0.26), "correlation of -0.26"),
        (cw.power.ContinuousOutcome(effect=0.1, icc=0.1, sd=-1.0), "standard deviation"),
        (
            cw.power.ContinuousOutcome(effect=0.1, icc=0.1, baseline="missing"),
            "no column 'missing'",
        ),
    ],
)
def test_outcomes_that_cannot_be_are_refused(outcome, said):
    with pytest.raises(cw.InputError, match=said):
        cw.power.simulate(trial(), families(), outcome, sims=10, seed=1)


def test_trials_that_cannot_be_are_refused():
    data = families()
    with pytest.raises(cw.DesignError, match="fewer than 2 units"):
        cw.power.simulate(trial(), cw.power.ClusterSizes(3, clusters=3), CLOSED, sims=10, seed=1)
    with pytest.raises(cw.DesignError, match="already have columns"):
        cw.power.simulate(trial(), data.assign(arm="control"), CLOSED, sims=10, seed=1)
    with pytest.raises(cw.DesignError, match="sizes alone") as raised:
        sizes = cw.power.ClusterSizes(3, clusters=60)
        cw.power.simulate(trial(strata=["history"]), sizes, CLOSED, sims=10, seed=1)
    assert raised.value.values == ["history"]
    with pytest.raises(cw.DesignError, match="order"):
        cw.power.simulate(trial(method=cw.Blocks(sizes=[3])), data, CLOSED, sims=10, seed=1)
    with pytest.raises(cw.InputError, match="does not name the arm"):
        cw.power.simulate(trial(), data, CLOSED, "~ age", sims=10, seed=1)
    with pytest.raises(cw.InputError, match=r"interact|hold the arm"):
        cw.power.simulate(trial(), data, CLOSED, "~ arm * age", sims=10, seed=1)
    with pytest.raises(cw.InputError, match="HC1"):
        hc1 = cw.power.LinearModel(vcov="HC1")
        cw.power.simulate(
            trial(), cw.power.ClusterSizes({1: 1, 2: 1}, clusters=60), CLOSED, hc1, sims=10, seed=1
        )
    with pytest.raises(cw.InputError, match="no column 'wrong'"):
        cw.power.simulate(trial(), data, CLOSED, "~ arm + wrong", sims=10, seed=1)
    for sims in (0, -1, 2.5):
        with pytest.raises(cw.InputError):
            cw.power.simulate(trial(), data, CLOSED, sims=sims, seed=1)  # type: ignore[arg-type]
    with pytest.raises(cw.InputError):
        cw.power.mdes(trial(), data, CLOSED, power=0.01, sims=200, seed=1)
    with pytest.raises(cw.InputError):
        cw.power.LinearModel(vcov="CR9")
    with pytest.raises(cw.InputError):
        cw.power.BinaryOutcome(baseline=0.2, effect=0.1, icc=0.2, sharing="copula")  # type: ignore[arg-type]
    with pytest.raises(cw.InputError):
        cw.power.ClusterSizes({0: 1.0}, clusters=10)
    with pytest.raises(cw.InputError):
        cw.power.ClusterSizes(3)
    with pytest.raises(cw.InputError, match="how outcomes come about"):
        cw.power.simulate(trial(), data, {"baseline": 0.2}, sims=10, seed=1)


def test_replicates_without_an_answer_are_counted():
    """Nobody has the outcome in some of the trials: they do not reject, and the result says how many."""
    rare = cw.power.BinaryOutcome(baseline=0.02, effect=0.0, icc=0.0)
    found = cw.power.simulate(
        trial(1), cw.power.ClusterSizes(1, clusters=20), rare, sims=4_000, seed=1
    )
    nobody = 0.98**20
    assert near(found.measures["convergence"], 1 - nobody)
    assert found.unanswered["undefined"] == (found.replicates["status"] == "undefined").sum()
    assert any("no answer" in note for note in found.notes)
    simple = trial(1, method=cw.Simple())
    found = cw.power.simulate(
        simple, cw.power.ClusterSizes(2, clusters=6), CLOSED, sims=4_000, seed=1
    )
    # An arm of at most one of six: 2 (1 + 6) of 64.
    few = (found.replicates["status"] == "few units in an arm").mean()
    assert abs(few - 14 / 64) < 4 * math.sqrt(14 / 64 * 50 / 64 / 4_000)


def test_units_left_out_take_no_part():
    data = families(61)
    design = trial(2, method=cw.Complete(misfits="leave_out"))
    score = cw.power.ContinuousOutcome(effect=0.5, icc=0.3)
    found = cw.power.simulate(design, data, score, sims=2_000, seed=1)
    assert near(found.measures["bias"], 0) and near(found.measures["size"], 0.05)


def test_sizes_may_be_drawn_or_listed():
    listed = cw.power.ClusterSizes([1, 2, 3] * 20)
    drawn = cw.power.ClusterSizes([1, 2, 3], clusters=60)
    assert listed.fixed is not None and drawn.fixed is None
    assert listed.mean == drawn.mean == 2 and listed.clusters == drawn.clusters == 60
    score = cw.power.ContinuousOutcome(effect=0.7, icc=0.3)
    powers = [
        cw.power.simulate(trial(1), sizes, score, sims=4_000, seed=1, size=False).measures["power"]
        for sizes in (listed, drawn)
    ]
    assert near(powers[0], powers[1].value, powers[1].std_error)


def test_results_print_pickle_and_draw():
    found = cw.power.simulate(trial(strata=["history"]), families(), CLOSED, sims=300, seed=1)
    again = pickle.loads(pickle.dumps(found))
    assert repr(again) == repr(found) and "Monte Carlo" in repr(found)
    assert found.clusters == 132 and found.icc == 0.36 and found.method == "simulation"
    assert found.treated == pytest.approx(0.338)
    tidy = found.tidy()
    assert list(tidy) == ["diagnosand", "estimate", "std_error", "conf_low", "conf_high"]
    ax = found.plot()
    assert sum(patch.get_height() for patch in ax.patches) == 300
    assert "<table" in found._repr_html_() and "CR2" in found.markdown()
    smallest = cw.power.mdes(trial(), families(), CLOSED, sims=300, seed=1)
    assert repr(pickle.loads(pickle.dumps(smallest))) == repr(smallest)

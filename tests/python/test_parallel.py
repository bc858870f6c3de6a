"""Work over executors: the same bits however it is cut, and what is said when workers die."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from pathlib import Path

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe import parallel

CLOSED = cw.power.BinaryOutcome(baseline=0.226, effect=0.15, icc=0.36)


def trial(**options) -> cw.Design:
    return cw.Design(
        "Trial", arms={"control": 1, "crewe": 2}, cluster="family", strata=["history"], **options
    )


def families(n: int = 132) -> pd.DataFrame:
    sizes = np.arange(n) % 5 + 1
    return pd.DataFrame(
        {
            "family": np.repeat([f"f{i:04d}" for i in range(n)], sizes),
            "history": np.repeat(np.arange(n) % 2, sizes),
        }
    )


def powers(executor: Executor | None, sims: int = 2_100) -> cw.power.SimulatedPower:
    return cw.power.simulate(
        trial(), families(), CLOSED, sims=sims, seed=3, executor=executor, size=False
    )


def smallest(executor: Executor | None) -> cw.power.SimulatedEffect:
    return cw.power.mdes(trial(), families(), CLOSED, sims=1_100, seed=3, executor=executor)


@pytest.fixture(scope="module")
def alone() -> tuple[cw.power.SimulatedPower, cw.power.SimulatedEffect]:
    return powers(None), smallest(None)


def same(alone, shared: cw.power.SimulatedPower) -> None:
    pd.testing.assert_frame_equal(alone[0].replicates, shared.replicates, check_exact=True)
    assert alone[0].measures == shared.measures


def the_same_effect(alone, shared: cw.power.SimulatedEffect) -> None:
    pd.testing.assert_frame_equal(alone[1].tried, shared.tried, check_exact=True)
    assert (shared.effect, shared.conf_low, shared.conf_high) == (
        alone[1].effect,
        alone[1].conf_low,
        alone[1].conf_high,
    )


def spawned(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("count", [1, 2, 7, 100, 2_100])
def test_the_same_bits_however_the_work_is_cut(alone, monkeypatch, count):
    def cut(n: int, least: int, workers: int | None = None) -> list[tuple[int, int]]:
        ends = sorted({n * i // count for i in range(count + 1)})
        return list(itertools.pairwise(ends))

    monkeypatch.setattr(parallel, "parts", cut)
    with ThreadPoolExecutor(3) as threads:
        same(alone, powers(threads))
        if count in (2, 7):
            the_same_effect(alone, smallest(threads))
    same(alone, powers(None))


def test_processes_share_the_work(alone):
    with spawned(2) as processes:
        same(alone, powers(processes))
        the_same_effect(alone, smallest(processes))


@pytest.mark.parametrize(("n", "least"), [(1, 250), (249, 250), (501, 250), (10**6, 250), (70, 1)])
def test_parts_make_up_the_whole(n, least):
    cut = parallel.parts(n, least)
    assert cut[0][0] == 0 and cut[-1][1] == n
    assert all(a[1] == b[0] for a, b in itertools.pairwise(cut))
    assert all(end - first >= min(n, least) for first, end in cut)
    assert len(parallel.parts(10**6, 1, workers=500)) == 2_000


def die_at(mark: str, first: int, end: int) -> list[int]:
    """End this process without a word at the third part, once the first two are known to be done."""
    if first == 20:
        while not Path(mark).exists():
            time.sleep(0.01)
        os._exit(1)
    return list(range(first, end))


def test_a_pool_that_breaks_names_what_was_done(tmp_path, monkeypatch):
    """One process of the pool dies at the third of five parts: the error says which were done."""
    monkeypatch.setattr(parallel, "_PARTS", 5)
    mark = tmp_path / "done"
    threading.Timer(1.5, mark.touch).start()
    with spawned(1) as processes, pytest.raises(cw.CreweError) as raised:
        parallel.spread(processes, functools.partial(die_at, str(mark)), 50, 10)
    assert isinstance(raised.value.__cause__, BrokenExecutor)
    assert raised.value.values == ["replicates 0 to 19"]
    assert "20 of 50 replicates were done" in str(raised.value)
    assert "BrokenProcessPool" in str(raised.value)


def test_a_simulation_whose_workers_die_is_refused_in_words():
    context = multiprocessing.get_context("spawn")
    dying = ProcessPoolExecutor(1, mp_context=context, initializer=os._exit, initargs=(1,))
    with dying, pytest.raises(cw.CreweError, match="0 of 600 replicates were done") as raised:
        powers(dying, sims=600)
    assert "enough memory" in raised.value.remedy


def test_executors_that_do_no_work_are_refused():
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    with pytest.raises(cw.CreweError, match="0 of 10 replicates were done"):
        powers(closed, sims=10)
    with pytest.raises(cw.InputError, match="executor"):
        powers(4, sims=10)  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as threads, pytest.raises(cw.CreweError, match="ZeroDivisionError"):
        parallel.spread(threads, lambda first, end: first // 0, 10, 1)


def test_what_the_work_itself_refuses_comes_back_as_it_is():
    """An effect that takes rates outside 0 to 1 is the same error from a worker."""

    def refuse(first: int, end: int) -> None:
        raise cw.InputError("the work has no rows", rows=[4])

    with ThreadPoolExecutor(1) as threads, pytest.raises(cw.InputError, match="no rows") as raised:
        parallel.spread(threads, refuse, 10, 1)
    assert raised.value.rows == [4]


def test_the_keyboard_stops_what_waits_for_workers():
    """Ctrl-C is heard, and what has not begun is never done; in a process of its own, whose keyboard nobody else has."""
    code = """
import signal, threading, time
from concurrent.futures import ThreadPoolExecutor
from crewe import parallel

signal.signal(signal.SIGINT, signal.default_int_handler)
begun = []

def slow(first, end):
    begun.append(first)
    if len(begun) == 1:
        # To the main thread, as a terminal does it, while it waits.
        time.sleep(0.3)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    time.sleep(0.3)

with ThreadPoolExecutor(1) as threads:
    try:
        parallel.spread(threads, slow, 40, 1)
    except KeyboardInterrupt:
        stopped = len(begun)
time.sleep(0.7)
print(stopped, len(begun), len(parallel.parts(40, 1, 1)))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    stopped, begun, parts = map(int, run.stdout.split())
    assert begun <= stopped + 1 < parts


def test_a_bar_past_two_seconds(capsys, monkeypatch):
    monkeypatch.setattr(parallel, "_SILENT_SECONDS", 0.05)
    list(parallel.bar([time.sleep(0.04) for _ in range(3)], unit="part"))
    assert capsys.readouterr().err == ""
    for _ in parallel.bar(range(4), unit="part"):
        time.sleep(0.04)
    assert "part" in capsys.readouterr().err


def mean_of_the_treated(frame: pd.DataFrame, arm: np.ndarray) -> float:
    """A statistic of one's own."""
    scores = frame["score"].to_numpy()
    return float(scores[arm == "crewe"].mean() - scores[arm == "control"].mean())


def mean_score(frame: pd.DataFrame) -> tuple[float, float]:
    """A statistic with its standard error."""
    scores = frame["score"]
    return float(scores.mean()), float(scores.std() / math.sqrt(len(scores)))


def test_replicates_of_clusters_are_shared_out():
    data = families().assign(score=lambda d: np.arange(len(d)) % 7.0)
    alone = cw.pairs_bootstrap(data, mean_score, "family", draws=99, seed=6)
    with spawned(2) as processes:
        shared = cw.pairs_bootstrap(
            data, mean_score, "family", draws=99, seed=6, executor=processes
        )
    assert np.array_equal(alone.replicates, shared.replicates)
    assert alone.studentised == shared.studentised and alone.p_value == shared.p_value


def once():
    """A statistic that has a value the first time only."""
    called: list[int] = []

    def statistic(frame: pd.DataFrame, arm: np.ndarray) -> float:
        called.append(1)
        return 1.0 if len(called) == 1 else math.nan

    return statistic


def test_a_statistic_of_one_s_own_is_shared_out():
    data = families().assign(score=lambda d: np.arange(len(d)) % 7.0)
    drawn = trial(seed=4).assign(data)
    options = {"draws": 199, "seed": 6}
    alone = cw.randomisation_test(mean_of_the_treated, data, drawn, **options)
    with spawned(2) as processes:
        shared = cw.randomisation_test(
            mean_of_the_treated, data, drawn, executor=processes, **options
        )
    assert np.array_equal(alone.comparisons[0].distribution, shared.comparisons[0].distribution)
    assert alone.p_value == shared.p_value
    with (
        ThreadPoolExecutor(2) as threads,
        pytest.raises(cw.InputError, match="199 of 199 assignments"),
    ):
        cw.randomisation_test(once(), data, drawn, executor=threads, **options)


def outcomes() -> pd.DataFrame:
    """Families with a score, an age, a yes-or-no outcome and days until it."""
    data = families()
    n = np.arange(len(data))
    return data.assign(
        score=n * 37 % 19, age=n * 11 % 7, closed=(n * 29 % 5 < 2).astype(int), days=1 + n * 53 % 41
    )


def built_in(kind: str, data: pd.DataFrame, drawn: cw.Assignment) -> dict[str, object]:
    """The arguments of a test by one of crewe's own statistics."""
    fits = {
        "ols": lambda: cw.ols("score ~ arm + age", data, design=drawn),
        "logit": lambda: cw.logit("closed ~ arm", data, design=drawn),
        "cox": lambda: cw.coxph("Surv(days, closed) ~ arm + age", data, design=drawn),
        "product": lambda: cw.ols("score ~ arm + age + arm:age", data, design=drawn),
    }
    compared = {"margin": "logit", "margin beside a product": "product", "product": "product"}
    if kind in compared:
        of = "arm[T.crewe]:age" if kind == "product" else "margin"
        return {"statistic": fits[compared[kind]](), "design": drawn, "of": of}
    if kind in fits:
        return {"statistic": fits[kind](), "design": drawn}
    named = {
        "rank_sum": {"outcome": "score"},
        "stratified_rank_sum": {"outcome": "score"},
        "difference_in_rates": {"outcome": "closed"},
        "rate_ratio": {"outcome": "closed"},
        "restricted_mean": {"outcome": "Surv(days, closed)", "horizon": 30},
        "time_ratio": {"outcome": "Surv(days, closed)", "horizon": 41},
    }
    return {"statistic": kind, "data": data, "design": drawn, **named.get(kind, {})}


BUILT_IN = [
    "score ~ arm",
    "score ~ arm + age",
    "Surv(days, closed) ~ arm",
    "rank_sum",
    "stratified_rank_sum",
    "ols",
    "logit",
    "cox",
    "margin",
    "margin beside a product",
    "product",
    "difference_in_rates",
    "rate_ratio",
    "restricted_mean",
    "time_ratio",
]


def test_draws_of_built_in_statistics_are_shared_out():
    """The null distribution and the interval, inverted effect by effect, to the bit."""
    data = outcomes()
    drawn = trial(seed=4).assign(data)
    with spawned(2) as processes:
        for kind in BUILT_IN:
            asked = built_in(kind, data, drawn)
            alone = cw.randomisation_test(**asked, draws=1_100, seed=6)
            shared = cw.randomisation_test(**asked, draws=1_100, seed=6, executor=processes)
            assert not alone.exact, kind
            assert np.array_equal(alone.distribution, shared.distribution), kind
            assert (alone.p_value, alone.conf_int, alone.estimate, alone.seed, alone.notes) == (
                shared.p_value,
                shared.conf_int,
                shared.estimate,
                shared.seed,
                shared.notes,
            ), kind
            if kind in ("restricted_mean", "product"):
                assert alone.conf_int is None, kind
            else:
                assert alone.conf_int[0] < alone.estimate < alone.conf_int[1], kind


class Counting(Executor):
    """Does the work itself, and counts what it was given."""

    def __init__(self) -> None:
        self.parts = 0

    def submit(self, function, /, *args, **options):
        self.parts += 1
        made: Future[object] = Future()
        made.set_result(function(*args, **options))
        return made


def test_several_arms_and_draws_without_a_seed_are_shared_out():
    data = outcomes()
    design = cw.Design("Trial", arms={"a": 1, "b": 1, "c": 1}, cluster="family", seed=8)
    drawn = design.assign(data)
    one, counting = cw.randomisation_test("score ~ arm", data, drawn, draws=1_000), Counting()
    other = cw.randomisation_test("score ~ arm", data, drawn, draws=1_000, executor=counting)
    assert counting.parts == 2
    assert one.omnibus == other.omnibus
    for mine, theirs in zip(one.comparisons, other.comparisons, strict=True):
        assert np.array_equal(mine.distribution, theirs.distribution)
        assert (mine.p_value, mine.p_adjusted) == (theirs.p_value, theirs.p_adjusted)


def test_listed_assignments_are_sent_to_nobody():
    few = outcomes().head(12)
    drawn = trial(seed=4).assign(few)
    counting = Counting()
    test = cw.randomisation_test("score ~ arm", few, drawn, executor=counting)
    assert test.exact
    assert counting.parts == 0


def test_a_secret_key_is_sent_nowhere():
    data = outcomes()
    key = cw.Key.from_hex("11" * 32)
    drawn = cw.Design("Trial", arms={"a": 1, "b": 1}, cluster="family", seed=key).assign(data)
    with ThreadPoolExecutor(1) as threads, pytest.raises(cw.InputError, match="sent nowhere"):
        cw.randomisation_test("score ~ arm", data, drawn, seed=key, draws=600, executor=threads)
    with spawned(1) as processes:
        found = cw.randomisation_test("score ~ arm", data, drawn, draws=600, executor=processes)
    again = cw.randomisation_test("score ~ arm", data, drawn, draws=600, seed=found.seed)
    assert np.array_equal(found.distribution, again.distribution)


def test_what_goes_wrong_elsewhere_is_said():
    data = outcomes()
    drawn = trial(seed=4).assign(data)
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    with pytest.raises(cw.CreweError, match="0 of 600 draws were done"):
        cw.randomisation_test("score ~ arm", data, drawn, draws=600, executor=closed)
    with pytest.raises(cw.InputError, match="executor"):
        cw.randomisation_test("score ~ arm", data, drawn, draws=600, executor=3)


def test_trials_of_one_design_are_shared_out():
    design = cw.Design(
        "Trial", arms={"a": 1, "b": 2}, cluster="family", method=cw.BigStick(3), seed=7
    )
    alone, counting = design.predictability(40, sims=1_300), Counting()
    shared = design.predictability(40, sims=1_300, executor=counting)
    assert counting.parts == 2
    assert alone == shared
    with spawned(2) as processes:
        assert design.predictability(40, sims=1_300, executor=processes) == alone


def test_procedures_are_compared_by_several_processes():
    designs = [
        cw.Design("Trial", arms={"a": 1, "b": 2}, cluster="family", method=method, seed=7)
        for method in (cw.Simple(), cw.Blocks([3]), cw.BigStick(3))
    ]
    alone = cw.predictability(designs, n=40, sims=300)
    with spawned(2) as processes:
        shared = cw.predictability(designs, n=40, sims=300, executor=processes)
        secret = cw.Design(
            "Trial", arms={"a": 1, "b": 2}, cluster="family", seed=cw.Key.from_hex("00" * 32)
        )
        with pytest.raises(cw.DesignError, match="a key is left out of pickles"):
            cw.predictability([secret], n=40, sims=300, executor=processes)
    pd.testing.assert_frame_equal(alone.tidy(), shared.tidy(), check_exact=True)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made,
        distributed.Client(made) as client,
    ):
        yield client


def test_a_dask_cluster_of_two_workers(alone, cluster):
    executor = cluster.get_executor()
    same(alone, powers(executor))
    the_same_effect(alone, smallest(executor))


def test_a_dask_worker_killed_half_way(alone, cluster):
    """Its parts are done again elsewhere, and no bit changes."""
    pids = list(cluster.run(os.getpid).values())
    assert len(pids) == 2
    begun = time.monotonic()
    whole = powers(cluster.get_executor(), sims=40_000)
    took = time.monotonic() - begun
    killed: list[float] = []

    def kill() -> None:
        os.kill(pids[0], signal.SIGKILL)
        killed.append(time.monotonic())

    timer = threading.Timer(took / 3, kill)
    timer.start()
    again = powers(cluster.get_executor(), sims=40_000)
    ended = time.monotonic()
    timer.join()
    assert killed[0] < ended, "the worker was killed after the work was done"
    pd.testing.assert_frame_equal(whole.replicates, again.replicates, check_exact=True)
    assert math.isfinite(again.power)
    assert pids[0] not in cluster.run(os.getpid).values()


@pytest.mark.skipif(
    shutil.which("mpiexec") is None or importlib.util.find_spec("mpi4py") is None,
    reason="there is no MPI on this machine, or no mpi4py",
)
def test_a_pool_of_mpi_ranks():
    """Rank 0 hands out, two ranks work; the script says whether any bit differs."""
    open_mpi = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
        "RAYON_NUM_THREADS": "1",
    }
    script = Path(__file__).parent / "over_mpi.py"
    ran = subprocess.run(
        ["mpiexec", "-n", "3", sys.executable, "-m", "mpi4py.futures", str(script)],
        env={**os.environ, **open_mpi},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2_000:]
    assert ran.stdout.split() == ["simulate", "True", "randomisation_test", "True", "ranks", "2"]


def test_an_audit_is_the_same_wherever_it_is_done() -> None:
    data = families(24).assign(score=lambda rows: np.sin(np.arange(len(rows)) * 7.0))
    data["closed"] = (data.score > 0.3).astype(int)
    drawn = trial(seed=5).assign(data)
    fit = cw.ols("score ~ arm", data, design=drawn)
    alone = fit.audit(drawn, 300, effect=0.3, seed=2)
    with spawned(2) as processes:
        shared = fit.audit(drawn, 300, effect=0.3, seed=2, executor=processes)
        pd.testing.assert_frame_equal(alone.tidy(), shared.tidy(), check_exact=True)
        for model in (cw.gee, cw.mixed):
            other = model("score ~ arm", data, design=drawn)
            alone = other.audit(drawn, 300, effect=0.3, seed=2)
            shared = other.audit(drawn, 300, effect=0.3, seed=2, executor=processes)
            pd.testing.assert_frame_equal(alone.tidy(), shared.tidy(), check_exact=True)
        rate = cw.logit("closed ~ arm", data, design=drawn, penalty="firth", vcov="CR1")
        alone = rate.audit(drawn, 200, procedures=["CR1", "gee"], seed=2)
        shared = rate.audit(drawn, 200, procedures=["CR1", "gee"], seed=2, executor=processes)
        pd.testing.assert_frame_equal(alone.tidy(), shared.tidy(), check_exact=True)

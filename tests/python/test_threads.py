"""Threads change nothing but the time, and a forked child is not left waiting for its parent's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FIT = """
import numpy as np
import crewe as cw

def fit(_=0):
    stream = cw._core.Stream(1, "threads")
    n = 60_000
    x = stream.normal(3 * n).reshape(n, 3)
    y = x.sum(axis=1) + stream.normal(n)
    ids = (np.arange(n) // 3).astype(np.uint32)
    result = cw.ols(y, x, cluster=ids)
    return np.concatenate([result.coef, result.se, result.df]).tobytes().hex()
"""


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FIT + code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout.strip()


def test_the_same_bits_for_any_number_of_threads() -> None:
    one = run("print(fit())", RAYON_NUM_THREADS="1")
    assert len(one) == 2 * 8 * 12
    assert run("print(fit())", RAYON_NUM_THREADS="8") == one


BOOTSTRAP = """
stream = cw._core.Stream(2, "threads")
n = 3_000
x = stream.normal(2 * n).reshape(n, 2)
y = x.sum(axis=1) + stream.normal(n)
ids = (np.arange(n) // 9).astype(np.uint32)
wild = cw.wild_bootstrap(cw.ols(y, x, cluster=ids), "x1", 2_000, 1, kind="33")
ended = (y > 0).astype(float)
score = cw.wild_bootstrap(cw.logit(ended, x, cluster=ids), "x1", 200, 1, interval=False)
limits = np.array(wild.conf_int)
print(np.concatenate([wild.distribution, limits, score.distribution]).tobytes().hex())
"""


def test_bootstraps_have_the_same_bits_for_any_number_of_threads() -> None:
    one = run(BOOTSTRAP, RAYON_NUM_THREADS="1")
    assert len(one) == 2 * 8 * 2_202
    assert run(BOOTSTRAP, RAYON_NUM_THREADS="5") == one


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_gets_threads_of_its_own() -> None:
    code = """
import multiprocessing
if __name__ == "__main__":
    parent = fit()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        children = pool.map_async(fit, range(2)).get(timeout=60)
    print(parent == children[0] == children[1])
"""
    assert run(code, RAYON_NUM_THREADS="2") == "True"


INTERRUPTED = """
import _thread, signal, threading, time
import crewe as cw, pandas as pd
# A shell starts what runs in its background with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
design = cw.Design("t", arms={"a": 1, "b": 1}, cluster="id", seed=1)
frame = pd.DataFrame({"id": range(5_000)})
start = time.perf_counter()
threading.Timer(0.2, _thread.interrupt_main).start()
try:
    design.draws(frame, 100_000)
    print("ran to its end")
except KeyboardInterrupt:
    print(time.perf_counter() - start < 2.5)
time.sleep(0.2)
print(design.assign(frame).counts())
"""


def test_control_c_stops_long_work_and_nothing_else() -> None:
    for threads in ("1", "2"):
        shown = run(INTERRUPTED, RAYON_NUM_THREADS=threads).splitlines()
        assert shown == ["True", "{'a': 2500, 'b': 2500}"]

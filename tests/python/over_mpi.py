"""The same bits over a pool of MPI ranks: mpiexec -n 3 python -m mpi4py.futures tests/python/over_mpi.py."""

import time

import crewe as cw
import numpy as np
import pandas as pd
from mpi4py import MPI
from mpi4py.futures import MPIPoolExecutor


def rank(_: int) -> int:
    """Which rank works; slowly, so that none does all."""
    time.sleep(0.2)
    return MPI.COMM_WORLD.Get_rank()


if __name__ == "__main__":
    design = cw.Design("Trial", arms={"control": 1, "crewe": 2}, cluster="family_id", seed=4)
    families = cw.power.ClusterSizes({1: 0.34, 2: 0.28, 3: 0.18, 4: 0.2}, clusters=132)
    closed = cw.power.BinaryOutcome(baseline=0.226, effect=0.2, icc=0.36)
    rows = pd.DataFrame({"family_id": range(132), "score": np.arange(132) * 37 % 19})
    drawn = design.assign(rows)
    with MPIPoolExecutor() as executor:
        alone = cw.power.simulate(design, families, closed, sims=2_000, seed=1)
        shared = cw.power.simulate(design, families, closed, sims=2_000, seed=1, executor=executor)
        print("simulate", alone.replicates.equals(shared.replicates))
        one = cw.randomisation_test("score ~ arm", rows, drawn, draws=2_000)
        other = cw.randomisation_test("score ~ arm", rows, drawn, draws=2_000, executor=executor)
        print("randomisation_test", bool(np.array_equal(one.distribution, other.distribution)))
        print("ranks", len(set(executor.map(rank, range(8)))))

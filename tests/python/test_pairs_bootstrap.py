"""The pairs cluster bootstrap: against replicates made by hand from the clusters that the core draws."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import crewe as cw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from crewe import _core

G = 9
FAMILY = np.repeat(np.arange(G), [3, 1, 4, 2, 5, 3, 2, 2, 4])
RNG = np.random.default_rng(4)
D = pd.DataFrame(
    {
        "family": [f"F{g}" for g in FAMILY],
        "arm": np.where(FAMILY % 3 == 0, "crewe", "control"),
        "y": RNG.normal(size=len(FAMILY)) + RNG.normal(size=G)[FAMILY],
    }
)


def mean(frame: Any) -> float:
    """The mean of y, of a frame of any kind."""
    return float(np.mean(np.asarray(frame["y"], dtype=float)))


def mean_by_family(frame: pd.DataFrame) -> tuple[float, float]:
    """A mean over the clusters' own means, with its standard error."""
    means = frame.groupby("family")["y"].mean()
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means)))


def difference(frame: pd.DataFrame) -> float:
    """The difference in means between the arms."""
    y = frame.groupby("arm")["y"].mean()
    return float(y["crewe"] - y["control"])


def replicates(strata: np.ndarray, draws: int, seed: int) -> list[pd.DataFrame]:
    """Draw the frames by hand."""
    drawn = _core.bootstrap_pairs(strata.astype(np.uint32), 0, draws, seed)
    assert drawn.shape == (draws, G)
    made = []
    for row in drawn:
        assert np.array_equal(np.sort(strata[row]), np.sort(strata))
        parts = [D[g == FAMILY].assign(family=place) for place, g in enumerate(row)]
        made.append(pd.concat(parts))
    return made


def quantile(values: np.ndarray, share: float) -> float:
    place = share * (len(values) + 1)
    return float(np.interp(place, np.arange(1, len(values) + 1), np.sort(values)))


def test_replicates_and_percentiles_are_those_made_by_hand() -> None:
    found = cw.pairs_bootstrap(D, mean, "family", draws=199, seed=8, null=0.2, level=0.9)
    values = np.array([mean(frame) for frame in replicates(np.zeros(G), 199, 8)])
    assert np.allclose(found.replicates, values, rtol=1e-12)
    assert found.std_error == pytest.approx(values.std(ddof=1))
    assert found.bias == pytest.approx(values.mean() - mean(D))
    assert found.percentile == pytest.approx((quantile(values, 0.05), quantile(values, 0.95)))
    fewer = min((values <= 0.2).sum(), (values >= 0.2).sum())
    assert found.p_value == pytest.approx(min(1.0, 2 * (1 + fewer) / 200))
    assert found.studentised is None and found.conf_int == found.percentile


def test_standard_errors_give_the_bootstrap_t_and_a_cluster_drawn_twice_is_two() -> None:
    found = cw.pairs_bootstrap(D, mean_by_family, "family", draws=199, seed=3)
    pairs = [mean_by_family(frame) for frame in replicates(np.zeros(G), 199, 3)]
    estimate, error = mean_by_family(D)
    t = np.array([(value - estimate) / se for value, se in pairs])
    assert found.studentised == pytest.approx(
        (estimate - quantile(t, 0.975) * error, estimate - quantile(t, 0.025) * error)
    )
    own = estimate / error
    fewer = min((t <= own).sum(), (t >= own).sum())
    assert found.p_value == pytest.approx(min(1.0, 2 * (1 + fewer) / 200))
    assert found.conf_int == found.studentised


def test_clusters_are_drawn_within_strata() -> None:
    found = cw.pairs_bootstrap(D, difference, "family", "arm", 99, 5)
    strata = (np.arange(G) % 3 == 0).astype(int)
    values = [difference(frame) for frame in replicates(strata, 99, 5)]
    assert np.allclose(found.replicates, values) and found.strata == 2


def test_the_standard_error_is_that_of_the_mean_of_clusters() -> None:
    """Of a mean over clusters of one size the bootstrap's variance is (G - 1)/G^2 times the sample variance."""
    even = pd.DataFrame(
        {"family": np.repeat(np.arange(40), 2), "y": np.repeat(RNG.normal(size=40), 2)}
    )
    found = cw.pairs_bootstrap(even, mean, "family", draws=4_000, seed=1)
    expected = even.y[::2].std(ddof=0) / np.sqrt(40)
    assert abs(found.std_error / expected - 1) < 4 / np.sqrt(2 * 4_000)


def test_it_is_the_same_for_every_kind_of_frame_and_every_worker() -> None:
    alone = cw.pairs_bootstrap(D, mean, "family", draws=64, seed=2)
    for frame in (pl.from_pandas(D), pa.Table.from_pandas(D, preserve_index=False)):
        other = cw.pairs_bootstrap(frame, mean, "family", draws=64, seed=2)
        assert np.allclose(other.replicates, alone.replicates)
        assert type(other.tidy()) is type(frame)
    seen: set[type] = set()

    def kind(frame: Any) -> float:
        seen.add(type(frame))
        return mean(frame)

    cw.pairs_bootstrap(pl.from_pandas(D).lazy(), kind, "family", draws=20, seed=2)
    assert seen == {pl.DataFrame}
    with ThreadPoolExecutor(2) as threads:
        shared = cw.pairs_bootstrap(D, mean, "family", draws=64, seed=2, executor=threads)
    assert np.array_equal(shared.replicates, alone.replicates) and shared.p_value == alone.p_value
    more = cw.pairs_bootstrap(D, mean, "family", draws=90, seed=2)
    assert np.array_equal(more.replicates[:64], alone.replicates)


def test_what_cannot_be_bootstrapped_is_refused() -> None:
    with pytest.raises(cw.InputError, match="there is no column 'school'"):
        cw.pairs_bootstrap(D, mean, "school")
    with pytest.raises(cw.InputError, match="at least 2 clusters, and there is 1"):
        cw.pairs_bootstrap(D[D.family == "F0"], mean, "family")
    with pytest.raises(cw.InputError, match="10 draws are too few"):
        cw.pairs_bootstrap(D, mean, "family", draws=10)
    with pytest.raises(cw.InputError, match="returned a str"):
        cw.pairs_bootstrap(D, lambda frame: "x", "family")
    with pytest.raises(cw.InputError, match=r"not a finite number on .* of 99 replicates"):
        cw.pairs_bootstrap(D, lambda f: mean(f) if len(f) == len(D) else np.nan, "family", draws=99)
    with pytest.raises(cw.DesignError, match="clusters are in several strata"):
        cw.pairs_bootstrap(D.assign(arm=np.resize(["a", "b"], len(D))), mean, "family", "arm")
    with pytest.raises(cw.DesignError, match="1 of 2 strata have a single cluster"):
        cw.pairs_bootstrap(D.assign(arm=D.family == "F1"), mean, "family", "arm")
    with pytest.raises(cw.InputError, match="not all positive"):
        cw.pairs_bootstrap(D, lambda f: (mean(f), 0.0), "family", draws=99)
    with pytest.raises(cw.InputError, match="missing"):
        cw.pairs_bootstrap(D.assign(family=D.family.where(D.family != "F1")), mean, "family")


def test_it_prints_pickles_and_draws_itself() -> None:
    found = cw.pairs_bootstrap(D, mean, "family", draws=99, seed=1)
    row = found.tidy().iloc[0]
    assert (row["term"], row["estimate"]) == ("mean", mean(D)) and row["bias"] == found.bias
    assert found.glance()["clusters"][0] == G
    assert "99 times (seed 1)" in repr(found) and "<table" in found._repr_html_()
    assert pickle.loads(pickle.dumps(found)).tidy().equals(found.tidy())
    assert "Bootstrapped mean" in found.plot().get_xlabel()
    unseeded = cw.pairs_bootstrap(D, mean, "family", draws=99)
    again = cw.pairs_bootstrap(D, mean, "family", draws=99, seed=unseeded.seed)
    assert np.array_equal(again.replicates, unseeded.replicates)

"""Planning values of the intracluster correlation: each has its source, and the ranges hold what they should."""

from __future__ import annotations

import crewe as cw
import pandas as pd
import pytest
from crewe.exceptions import InputError


def test_every_value_has_a_source_and_a_place() -> None:
    frame = cw.icc_planning().frame
    assert len(frame) >= 20
    for name in ("setting", "cluster", "outcome", "measure", "where", "citation", "place"):
        assert frame[name].str.len().gt(0).all(), name
    without = set(frame.loc[frame["doi"] == "", "citation"])
    assert len(without) == 2
    assert all("DFE-RR580" in one or "European Journal of Homelessness" in one for one in without)
    assert frame.loc[frame["doi"] != "", "doi"].str.match(r"10\.\d{4,}/\S+$").all()


def test_values_and_ranges_are_correlations() -> None:
    frame = cw.icc_planning().frame
    for name in ("icc", "low", "high"):
        assert frame[name].dropna().between(0, 1).all()
    both = frame.dropna(subset=["icc", "low", "high"])
    assert (both["low"] < both["icc"]).all() and (both["icc"] < both["high"]).all()
    # A value or a bound, and a range says what it is.
    assert (frame["icc"].notna() | frame["high"].notna()).all()
    assert (frame["high"].notna() == frame["spread"].notna()).all()


def test_settings_and_clusters_are_chosen() -> None:
    assert set(cw.icc_planning("education").frame["setting"]) == {"education"}
    classes = cw.icc_planning("education", cluster="class").frame["cluster"]
    assert set(classes) == {"class", "school or class"}
    with pytest.raises(
        InputError, match="no intracluster correlation is known for setting 'prisons'"
    ):
        cw.icc_planning("prisons")
    with pytest.raises(InputError, match="for cluster 'school'"):
        cw.icc_planning("social care", cluster="school")


def test_the_sources_are_printed_once_each() -> None:
    found = cw.icc_planning("social care")
    assert sum("DFE-RR580" in line for line in found.methods()) == 1
    assert "0.36" in repr(found) and "Appendix 6" in repr(found)
    assert isinstance(found.tidy(), pd.DataFrame)


def test_a_range_of_outcomes_is_no_value() -> None:
    homes = cw.icc_planning("social care", cluster="care home")
    [row] = homes.frame.to_dict("records")
    assert pd.isna(row["icc"]) and (row["low"], row["high"]) == (0.025, 0.514)
    assert "0.025 to 0.514 (range of outcomes)" in repr(homes)
    assert "up to 0.5" in repr(cw.icc_planning("housing"))


def test_a_value_plans_a_trial() -> None:
    icc = float(cw.icc_planning("social care").frame["icc"].iloc[0])
    plan = cw.power.binary(baseline=0.226, icc=icc, cluster_size=3, clusters=286, power=0.8)
    assert plan.effect == pytest.approx(0.1124, abs=5e-5)

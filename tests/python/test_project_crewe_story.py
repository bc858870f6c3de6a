"""The synthetic Project Crewe tells the report's story, whatever the seed: its directions, and nothing significant."""

from __future__ import annotations

from datetime import date, timedelta

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from synthetic_trials import SEEDS, made

END = date(2016, 11, 1)
PHASES = {"all": 1, "primary": 1, "secondary": -1}
SCALES = ["emotional", "conduct", "hyperactivity", "peer", "prosocial", "total_difficulties"]


@pytest.fixture(scope="module", params=SEEDS)
def trial(request):
    return made(request.param)


def gap(frame, column):
    means = frame.groupby("arm")[column].mean()
    return means["crewe"] - means["control"]


def medians(frame, column):
    found = frame.groupby("arm")[column].median()
    return found["crewe"], found["control"]


# Figure 2 and the weeks open


def kaplan_meier(rows):
    """Give days and the share still open from each of them on, worked out from the definition."""
    days, event = rows["days"].to_numpy(float), rows["event"].to_numpy(bool)
    times = np.unique(days[event])
    shares = [1 - ((days == t) & event).sum() / (days >= t).sum() for t in times]
    return np.concatenate([[0], times]), np.concatenate([[1], np.cumprod(shares)])


def restricted(times, shares, end):
    """Give the area under a curve until `end`: the mean days open, up to `end`."""
    inside = times < end
    return float(shares[inside] @ np.diff([*times[inside], end]))


def test_the_council_is_faster_until_day_300_and_closes_fewer(trial):
    rows = trial.cases[trial.cases["analysed"]]
    curves = {arm: kaplan_meier(rows[rows["arm"] == arm]) for arm in ("crewe", "control")}

    def open_at(arm, day):
        times, shares = curves[arm]
        return shares[times <= day][-1]

    assert abs(open_at("crewe", 100) - open_at("control", 100)) < 0.06
    for day in (150, 200, 250, 300):
        assert open_at("control", day) < open_at("crewe", day) - 0.05
    assert 0.11 < open_at("crewe", 450) < open_at("control", 450) - 0.06
    days = [100, 200, 300, 450]
    ours = cw.kaplan_meier("Surv(days, event) ~ arm", rows).survival_at(days)
    for row in ours.itertuples():
        assert row.estimate == pytest.approx(open_at(row.term, row.time))
    # Both curves reach to the end of the figure: somebody is still at risk.
    assert (rows.groupby("arm")["days"].max() >= 450).all()
    assert cw.logrank("Surv(days, event) ~ arm", rows).p_value > 0.1


def test_restricted_means_run_as_the_printed_weeks_do(trial):
    rows = trial.cases[trial.cases["analysed"]]
    for end in (420, 450):
        weeks = {
            arm: restricted(*kaplan_meier(rows[rows["arm"] == arm]), end) / 7
            for arm in ("crewe", "control")
        }
        assert weeks["crewe"] > weeks["control"] + 1.5
        ours = cw.rmst("Surv(days, event) ~ arm", rows, horizon=end).tidy().set_index("term")
        for arm, found in weeks.items():
            assert ours.loc[arm, "estimate"] / 7 == pytest.approx(found)
        assert abs(weeks["crewe"] - 36.0) < 2.7 and abs(weeks["control"] - 32.56) < 4
    plain = rows.groupby("arm")["weeks_open"].mean()
    assert plain["crewe"].round(2) == 36.00 and plain["control"].round(2) == 32.56


# Figure 3


def test_absences_run_as_figure_3_shows(trial):
    assert trial.absences["phase"].value_counts().to_dict() == {"primary": 109, "secondary": 65}
    for phase, sign in PHASES.items():
        rows = trial.absences
        rows = rows if phase == "all" else rows[rows["phase"] == phase]
        for right in ("arm", "arm + history", "arm * history"):
            fit = cw.ols(f"days_absent ~ {right}", rows, cluster="family_id")
            found = fit.margins("arm").contrasts().iloc[0]
            assert found["estimate"] * sign > 0, (phase, right)
            assert found["p_value"] > 0.1, (phase, right)
        hc1 = cw.ols("days_absent ~ arm", rows, vcov="HC1").tidy().iloc[1]
        assert hc1["p_value"] > 0.1
        # "Marginally" over all; the phases are further apart.
        assert abs(gap(rows, "days_absent")) < (0.7 if phase == "all" else 3)
        assert phase == "all" or abs(gap(rows, "days_absent")) > 0.6
    logs = cw.ols("np.log1p(days_absent) ~ arm", trial.absences, cluster="family_id")
    assert logs.tidy().iloc[1]["p_value"] > 0.1


# SDQ


def test_sdq_is_slightly_better_and_nothing_significant(trial):
    scored = cw.sdq.score(trial.sdq, prefix="sdq_", informant="informant").frame
    views = {
        "parent": scored[scored["informant"] == "parent"],
        "practitioner": scored[scored["informant"] == "practitioner"],
        "one a child": scored.drop_duplicates("family_id"),
    }
    for name, rows in views.items():
        assert -2.5 < gap(rows, "total_difficulties") < 0, name
        tests = cw.mann_whitney([f"{scale} ~ arm" for scale in SCALES], rows).tidy()
        assert (tests["p_value"] > 0.05).all(), name


# Figures 4 to 8


def test_risk_runs_as_figures_4_to_8_show(trial):
    framework = cw.risk.Framework.project_crewe()
    scored = framework.score(
        trial.risk,
        case="case_id",
        time="time",
        code="code",
        value="value",
        times=["referral", "latest"],
    )
    change = scored.change(by="arm")
    rows = change.frame
    before = gap(rows, "risk_before")
    # A score below nought is risk: there is more of it at referral in Project Crewe.
    assert before < -0.3 and gap(rows, "total_before") < -0.3
    assert gap(rows, "risk_change") == pytest.approx(0) and (rows["risk_change"].mean()) > 3
    means = rows.groupby("arm")[["protective_change", "total_change"]].mean()
    assert means.loc["crewe", "protective_change"] > 0.5
    assert -1 < means.loc["control", "protective_change"] < 0
    assert means.loc["crewe", "total_change"] > means.loc["control", "total_change"] > 0
    first, last = medians(rows, "total_before"), medians(rows, "total_after")
    assert first[0] < first[1] and last[0] > last[1]
    assert all(-6 <= score <= 2 for score in first) and all(1 <= score <= 6 for score in last)


# Figures 11 and 12


def test_visits_stress_and_workload(trial):
    means = trial.visits.groupby(["arm", "wave"])["visits"].mean()
    assert means["crewe", "autumn"] == 11 and means["crewe", "spring"] == 9
    for wave in ("autumn", "spring"):
        assert means["crewe", wave] / means["control", wave] == pytest.approx(3, abs=0.1)
    assert trial.survey["arm"].value_counts().to_dict() == {"crewe": 19, "control": 9}
    assert gap(trial.survey, "stress_score") < -1
    named = (trial.survey["named_workload"] == "yes").groupby(trial.survey["arm"]).sum()
    assert named.to_dict() == {"control": 8, "crewe": 6}
    assert list(trial.caseload.groupby("date")["cases"].mean()) == [7, 9, 11]


# Tables 1 and 3, re-referrals


def test_table_1_is_as_printed(trial):
    table = trial.interviews.set_index("participant")[["participants", "interviews"]]
    assert {name: tuple(row) for name, row in zip(table.index, table.to_numpy(), strict=True)} == {
        "Family Practitioner": (13, 19),
        "Cheshire East social worker": (5, 7),
        "Project Crewe case: family and child": (8, 13),
        "Cheshire East case: family and child": (4, 6),
        "Catch22 senior leader": (1, 1),
        "Cheshire East senior leader": (2, 2),
    }
    assert table.sum().to_dict() == {"participants": 33, "interviews": 48}
    assert trial.outcomes["arm"].value_counts().to_dict() == {"crewe": 7, "control": 5}


def test_re_referrals_of_siblings(trial):
    children = trial.children
    index = children[children["index_child"]].set_index("family_id")["re_referred"]
    cases = trial.cases.set_index("family_id")["re_referred"].reindex(index.index)
    pd.testing.assert_series_equal(index, cases)
    back = children[children["re_referred"] == 1]
    arms = trial.families.set_index("family_id")["arm"]
    families = back["family_id"].drop_duplicates().map(arms).value_counts().to_dict()
    assert families == {"crewe": 5, "control": 3}
    lost = trial.cases.loc[~trial.cases["analysed"], "family_id"]
    assert (children["re_referred"].isna() == children["family_id"].isin(lost)).all()


# Rolling enrolment


def test_flow_closes(trial):
    rows = trial.recommended
    counts = rows["outcome"].value_counts().to_dict()
    assert counts == {"randomised": 132, "overflow": 8, "opted out": 6}
    assert rows["family_id"].is_unique
    randomised = rows[rows["outcome"] == "randomised"]
    assert list(randomised["family_id"]) == list(trial.families["family_id"])
    for column, other in (
        ("arm", "arm"),
        ("history", "history"),
        ("n_children", "n_children"),
        ("decided_on", "randomised_on"),
    ):
        assert list(randomised[column]) == list(trial.families[other])
    assert rows.loc[rows["outcome"] != "randomised", "arm"].isna().all()
    assert list(rows["decided_on"]) == sorted(rows["decided_on"])
    assert (rows["recommended_on"] <= rows["decided_on"]).all()
    referred = trial.cases.set_index("family_id")["referral_date"]
    assert (
        referred.reindex(randomised["family_id"]).to_numpy() <= randomised["recommended_on"]
    ).all()
    days = {*rows["recommended_on"], *rows["decided_on"]}
    assert all(date.fromisoformat(day).weekday() < 5 for day in days)


def test_who_was_randomised_follows_from_the_places(trial):
    """Replay every decision: a family is randomised while Project Crewe has a place, and only then."""
    closing = trial.cases.set_index("family_id")["closure_date"].to_dict()
    held: list[str] = []
    for row in trial.recommended.itertuples():
        day = row.decided_on
        held = [one for one in held if not isinstance(closing[one], str) or closing[one] > day]
        places = int(trial.capacity.loc[trial.capacity["date"] <= day, "places"].max())
        assert row.places_free == places - len(held) >= 0
        assert (row.outcome == "overflow") == (row.places_free == 0) or row.outcome == "opted out"
        if row.arm == "crewe":
            held.append(row.family_id)
    assert list(trial.capacity["places"]) == [48, 96] and list(trial.capacity["practitioners"]) == [
        4,
        8,
    ]


def test_a_ledger_takes_the_families_as_they_came(tmp_path):
    trial = cw.datasets.project_crewe(seed=2017)
    design = cw.Design(
        "Project Crewe (synthetic)",
        arms={"control": 1, "crewe": 2},
        cluster="family_id",
        strata=["history"],
        method=cw.Blocks(sizes=[3, 6]),
        seed=cw.new_key(),
    )
    opened = pd.Timestamp("2015-08-01T09:00:00Z").to_pydatetime()
    ledger = cw.Ledger.create(tmp_path / "t.ledger", design, at=opened)
    full = refused = 0
    for row in trial.recommended.itertuples():
        at = pd.Timestamp(f"{row.decided_on}T09:00:00Z").to_pydatetime()
        if row.outcome == "opted out":
            continue
        if (row.places_free == 0) != bool(full):
            full = not full
            ledger.capacity("crewe", full, by="a manager", at=at)
        try:
            ledger.enrol(
                row.family_id,
                [f"{row.family_id}-{i}" for i in range(row.n_children)],
                {"history": row.history},
                approved_by="a council officer",
                at=at,
            )
        except cw.LedgerError:
            refused += 1
    assert refused == 8
    assert ledger.verify().families == 132
    flow = ledger.consort()
    assert flow.assessed == (
        140,
        326 + trial.recommended.query("outcome == 'overflow'").n_children.sum(),
    )
    assert len(ledger.frame()) == 326


def test_dates_lie_in_the_pilot(trial):
    for row in trial.cases.itertuples():
        start = date.fromisoformat(row.start_date)
        assert date(2015, 8, 3) <= start <= date(2016, 3, 31)
        assert not row.analysed or start + timedelta(row.days) <= END

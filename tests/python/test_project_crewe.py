"""The synthetic Project Crewe meets every printed marginal and says that it is synthetic."""

from __future__ import annotations

import hashlib
import json
import pickle
from datetime import date
from pathlib import Path

import crewe as cw
import numpy as np
import pandas as pd
import pytest
from crewe.datasets._project_crewe.columns import FRAMES
from synthetic_trials import SEEDS, made

ROOT = Path(__file__).resolve().parents[2]

START, END = date(2015, 8, 1), date(2016, 11, 1)
RISKS = {
    "parent_previous_social_care",
    "parent_mental_health",
    "parent_substance_abuse",
    "parent_attachment_issues",
    "parent_own_needs_first",
    "parent_domestic_abuse_victim",
    "parent_personality_disorder",
    "child_risk_taking",
    "child_excluded",
    "child_low_attendance",
    "child_aggressive",
    "family_parental_conflict",
    "family_stress",
    "family_isolated_parent",
    "family_power_issues",
    "family_substance_abuse",
    "family_young_children",
    "social_dangerous_neighbourhood",
    "social_lack_of_support",
}
PROTECTIONS = {
    "parent_in_employment",
    "parent_empathy",
    "parent_overcome_adversity",
    "parent_lack_of_denial",
    "parent_responsible",
    "child_positive_relationships",
    "child_low_risk_taking",
    "child_engaged_at_school",
    "family_supportive_partner",
    "family_supportive_network",
}
ENGAGEMENT = {"engagement_parent", "engagement_child"}
GOLDEN = "65f81d0d783ba87a88fa4dd999e6e15ebbc65ce96655644d6f23e06c02ec2eab"


@pytest.fixture(scope="module", params=SEEDS)
def trial(request):
    return made(request.param)


def analysed(trial):
    return trial.cases[trial.cases.analysed]


def day(text):
    return date.fromisoformat(text)


def counts(frame, column):
    return {arm: int(total) for arm, total in frame.groupby("arm")[column].sum().items()}


def design_matrix(rows, interaction=False):
    columns = {
        "one": np.ones(len(rows)),
        "treated": (rows.arm == "crewe").to_numpy(float),
        "male": (rows.gender == "male").to_numpy(float),
        "disability": (rows.disability == "yes").to_numpy(float),
        "history": (rows.history == "yes").to_numpy(float),
    }
    for age in sorted(set(rows.age))[1:]:
        columns[f"age {age}"] = (rows.age == age).to_numpy(float)
    if interaction:
        columns["treated:history"] = columns["treated"] * columns["history"]
    return pd.DataFrame(columns)


def ols_hc1(x, y):
    x, y = x.to_numpy(), np.asarray(y, float)
    bread = np.linalg.inv(x.T @ x)
    coef = bread @ x.T @ y
    scores = x * (y - x @ coef)[:, None]
    n, k = x.shape
    return coef, np.sqrt(np.diag(bread @ scores.T @ scores @ bread) * n / (n - k))


# Who was randomised


def test_families(trial):
    families = trial.families
    assert len(families) == 132 and families.family_id.is_unique
    assert families.arm.value_counts().to_dict() == {"crewe": 87, "control": 45}
    assert set(families.history) == {"yes", "no"}
    assert families.n_children.sum() == 326
    assert families.n_children.min() == 1 and families.n_children.max() == 9
    assert 0.5 < families.n_children.std(ddof=0) / families.n_children.mean() < 0.7
    days = [day(text) for text in families.randomised_on]
    assert days == sorted(days) and all(d.weekday() < 5 for d in days)
    assert days[0] >= date(2015, 8, 3) and days[-1] <= date(2016, 3, 31)


def test_children(trial):
    children = trial.children
    assert len(children) == 326 and children.child_id.is_unique
    assert (children.groupby("family_id").index_child.sum() == 1).all()
    sizes = children.groupby("family_id").size()
    assert (sizes == trial.families.set_index("family_id").n_children.reindex(sizes.index)).all()
    assert children.age.between(0, 17).all()
    index = children[children.index_child].set_index("child_id")
    cases = trial.cases.set_index("child_id")
    for column in ("family_id", "age", "gender", "disability", "history"):
        assert (index[column] == cases[column].reindex(index.index)).all()


def test_cases_agree_with_families(trial):
    both = trial.cases.merge(trial.families, on="family_id", suffixes=("", "_f"))
    assert len(both) == 132 and both.case_id.is_unique
    assert (both.arm == both.arm_f).all() and (both.history == both.history_f).all()
    assert (both.start_date == both.randomised_on).all()


# Outcomes


def test_outcome_marginals(trial):
    rows = analysed(trial)
    assert rows.arm.value_counts().to_dict() == {"crewe": 83, "control": 45}
    assert counts(rows, "closed") == {"crewe": 60, "control": 29}
    assert counts(rows, "re_referred") == {"crewe": 5, "control": 3}
    assert counts(rows, "event") == {"crewe": 65, "control": 32}
    assert counts(rows, "escalated") == {"crewe": 2, "control": 1}
    assert not ((rows.closed == 1) & (rows.re_referred == 1)).any()
    out = trial.cases[~trial.cases.analysed]
    assert list(out.arm) == ["crewe"] * 4
    assert (out.exclusion == "outcome incomplete").all() and rows.exclusion.isna().all()
    assert out[["closed", "days", "event", "re_referred"]].isna().all(axis=None)
    with_history = rows[rows.history == "yes"].groupby("arm").closed.mean()
    assert with_history["crewe"] - with_history["control"] == pytest.approx(0.20)


def test_primary_covariates_are_complete_and_the_others_are_not(trial):
    cases = trial.cases
    assert cases[["history", "gender", "age", "disability"]].notna().all(axis=None)
    assert cases.ethnicity.isna().sum() == 6 and cases.accommodation.isna().sum() == 9
    assert set(cases.need) <= {f"N{i}" for i in range(10)}


def test_ols_finds_what_was_printed(trial):
    rows = analysed(trial)
    x = design_matrix(rows)
    coef, se = ols_hc1(x, rows.closed)
    assert 0.0828 < coef[1] < 0.0844
    assert abs(coef[1] / se[1]) < 1.645
    at_means = x.mean().to_numpy().copy()
    levels = []
    for treated in (1.0, 0.0):
        at_means[1] = treated
        levels.append(round(100 * float(at_means @ coef)))
    assert levels == [72, 64]
    by_history, _ = ols_hc1(design_matrix(rows, interaction=True), rows.closed)
    assert 0.184 < by_history[1] + by_history[-1] < 0.216


def test_no_covariate_separates_and_no_row_has_leverage_one(trial):
    rows = analysed(trial)
    for column in ("age", "gender", "disability", "history"):
        assert (rows.groupby(column).closed.nunique() == 2).all()
    q, _ = np.linalg.qr(design_matrix(rows, interaction=True).to_numpy())
    assert (q**2).sum(axis=1).max() < 0.9


def test_weeks_open(trial):
    rows = analysed(trial)
    assert counts(rows, "days") == {"crewe": 20_917, "control": 10_256}
    weeks = rows.groupby("arm").weeks_open.mean()
    assert round(weeks["crewe"], 2) == 36.00 and round(weeks["control"], 2) == 32.56
    assert round(68.05 * weeks["crewe"]) == 2450 and round(55.13 * weeks["control"]) == 1795


# The rules of the window


def test_the_rules_rebuild_the_outcomes_from_the_raw_dates(trial):
    for row in analysed(trial).itertuples():
        closing = None if pd.isna(row.closure_date) else day(row.closure_date)
        back = None if pd.isna(row.rereferral_date) else day(row.rereferral_date)
        event = closing is not None and closing <= END
        again = event and back is not None and closing < back <= END
        assert row.event == event and row.re_referred == again
        assert row.closed == (event and not again)
        assert row.days == ((closing if event else END) - day(row.start_date)).days > 0
    for row in trial.cases.itertuples():
        assert row.history == ("yes" if day(row.support_date) < START else "no")
        assert day(row.referral_date) <= day(row.start_date)
        assert day(row.support_date) <= day(row.start_date)


def test_every_rule_bites(trial):
    cases = analysed(trial)
    early = cases.referral_date < START.isoformat()
    assert early.sum() >= 20 and set(cases.history[early]) == {"yes", "no"}
    assert (cases.closure_date > END.isoformat()).sum() == 4
    assert (cases.rereferral_date > END.isoformat()).sum() == 3
    assert not (cases.closure_date.isna() & cases.rereferral_date.notna()).any()
    naive = cases.closure_date.notna() & cases.rereferral_date.isna()
    assert naive.sum() != cases.closed.sum()


# What was recorded


def test_absences(trial):
    rows = trial.absences
    assert rows.phase.value_counts().to_dict() == {"primary": 109, "secondary": 65}
    assert rows.child_id.is_unique and rows.family_id.nunique() < 174
    assert (rows.days_autumn + rows.days_spring == rows.days_absent).all()
    assert rows.days_absent.min() >= 0 and rows.days_absent.max() <= 70
    ages = trial.children.set_index("child_id").age.reindex(rows.child_id).to_numpy()
    assert (np.where(rows.phase == "primary", (ages >= 5) & (ages <= 10), ages >= 11)).all()
    assert set(rows.family_id) <= set(analysed(trial).family_id)


def test_sdq(trial):
    rows = trial.sdq
    items = [f"sdq_{i:02d}" for i in range(1, 26)]
    assert list(rows.columns[-25:]) == items and len(rows) == 120
    answers = rows[items].to_numpy(float)
    assert set(answers[~np.isnan(answers)]) == {0.0, 1.0, 2.0}
    assert 0.005 < np.isnan(answers).mean() < 0.05
    assert rows.age.between(4, 17).all()
    assert set(rows.informant) == {"parent", "practitioner"}
    assert not rows.duplicated(["child_id", "informant"]).any()


def test_risk(trial):
    risk = trial.risk
    assert set(risk.code) == RISKS | PROTECTIONS | ENGAGEMENT
    assert len(risk) == 30 * 2 * 31
    assert not risk.duplicated(["case_id", "time", "code"]).any()
    sampled = risk.groupby("arm").case_id.nunique()
    assert sampled.to_dict() == {"control": 15, "crewe": 15}
    engaged = risk[risk.code.isin(ENGAGEMENT)]
    assert set(engaged.value) <= {-2, -1, 1, 2}
    factors = risk[~risk.code.isin(ENGAGEMENT)]
    assert (factors.present == factors.value).all() and set(factors.present) == {0, 1}

    first = risk[(risk.time == "referral") & (risk.present == 1)]

    def families(*codes):
        return first[first.code.isin(codes)].family_id.nunique()

    assert families("parent_domestic_abuse_victim") == 14
    assert families("parent_mental_health") == 10
    assert families("parent_substance_abuse", "family_substance_abuse") == 7


def test_risk_changes(trial):
    risk = trial.risk
    score = np.where(risk.code.isin(RISKS), -risk.value, risk.value)

    def means(codes):
        rows = risk.assign(score=score)[risk.code.isin(codes)]
        total = rows.groupby(["arm", "time"]).score.sum() / 15
        return {arm: total[arm, "latest"] - total[arm, "referral"] for arm in ("crewe", "control")}

    total = risk.assign(score=score).groupby(["arm", "case_id", "time"]).score.sum()
    before, after = (total.xs(time, level="time") for time in ("referral", "latest"))
    assert before.quantile(0.1) >= -9 and -4 <= before.median() <= 0 and before.quantile(0.75) <= 3
    assert 2 <= after.median() <= 5
    change, risks, kept = means(set(risk.code)), means(RISKS), means(PROTECTIONS)
    assert change["crewe"] > change["control"] > 0
    assert risks["crewe"] == pytest.approx(risks["control"]) and risks["crewe"] > 0
    assert kept["crewe"] > 0 > kept["control"] > -1
    kept = means(PROTECTIONS | ENGAGEMENT)
    assert kept["crewe"] > 0 > kept["control"]


def test_risk_codes_fit_the_family(trial):
    risk = trial.risk[trial.risk.present == 1].merge(trial.cases[["case_id", "history", "age"]])
    assert (risk.history[risk.code == "parent_previous_social_care"] == "yes").all()
    young = risk[risk.code.isin({"child_excluded", "child_low_attendance", "child_aggressive"})]
    assert (young.age > 11).all()


def test_visits(trial):
    means = trial.visits.groupby(["arm", "wave"]).visits.mean()
    assert means["crewe", "autumn"] == 11 and means["crewe", "spring"] == 9
    assert means["control", "spring"] == 3
    assert means["control", "autumn"] == pytest.approx(11 / 3, abs=0.06)
    assert trial.visits.visits.min() >= 0
    starts = trial.cases.set_index("case_id").start_date
    autumn = trial.visits[trial.visits.wave == "autumn"]
    assert (starts.reindex(autumn.case_id) < "2015-11-01").all()


def test_survey_and_caseload(trial):
    survey = trial.survey
    assert survey.arm.value_counts().to_dict() == {"crewe": 19, "control": 9}
    named = (survey.named_workload == "yes").groupby(survey.arm).sum().to_dict()
    assert named == {"crewe": 6, "control": 8}
    items = survey[[f"stress_{i}" for i in range(1, 6)]]
    assert items.min(axis=None) >= 1 and items.max(axis=None) <= 5
    assert (items.sum(axis=1) == survey.stress_score).all()
    held = trial.caseload.groupby("date").cases
    assert list(held.mean()) == [7, 9, 11] and held.max().max() <= 12


def test_costs_and_outcomes(trial):
    costs = trial.costs.set_index(["item", "arm"]).value
    assert costs["weekly_cost", "crewe"] == 68.05 and costs["weekly_cost", "control"] == 55.13
    assert costs["re_referral_saving_per_case", "both"] == 29.68
    assert costs["escalation_saving_per_case", "crewe"] == 74.98
    table = trial.outcomes.groupby(["outcome", "arm"]).size().to_dict()
    assert table == {
        ("closed", "crewe"): 2,
        ("closed", "control"): 3,
        ("improved", "crewe"): 2,
        ("improved", "control"): 1,
        ("no change", "crewe"): 1,
        ("escalated", "crewe"): 2,
        ("escalated", "control"): 1,
    }
    both = trial.outcomes.merge(trial.cases, on="case_id")
    assert (both.closed[both.outcome == "closed"] == 1).all()
    assert (both.event[both.outcome != "closed"] == 0).all()
    assert (both.escalated == (both.outcome == "escalated")).all()


def test_national_shares(trial):
    assert trial.need_national.national_share.sum() == pytest.approx(1)
    assert set(trial.need_national.source) == {"ILLUSTRATIVE"}
    assert list(trial.factor_national.national_share) == [0.496, 0.366, 0.193]


# The object


def test_every_column_is_documented(trial):
    assert list(trial) == list(FRAMES) and len(trial) == len(FRAMES)
    for name, frame in trial.items():
        documented = []
        for column in FRAMES[name][1]:
            first, _, last = column.partition(" .. ")
            stem, _, low = first.rpartition("_")
            if last:
                high = last.rpartition("_")[2]
                numbers = range(int(low), int(high) + 1)
                documented += [f"{stem}_{i:0{len(low)}d}" for i in numbers]
            else:
                documented.append(column)
        assert list(frame.columns) == documented
        assert trial[name] is getattr(trial, name)
    with pytest.raises(cw.InputError, match="no frame 'nothing'"):
        trial["nothing"]


def test_same_seed_same_data_and_other_seeds_differ():
    one, two, other = (cw.datasets.project_crewe(seed) for seed in (3, 3, 4))
    for name in one:
        pd.testing.assert_frame_equal(one[name], two[name])
    fixed = {"capacity", "costs", "interviews", "need_national", "factor_national"}
    for name in set(one) - fixed:
        assert not one[name].equals(other[name]), name


def test_the_data_of_a_seed_never_change():
    """The same bits on every platform and version: a change here breaks what users have printed."""
    trial = cw.datasets.project_crewe(seed=2017, backend="pyarrow")
    rows = {name: frame.to_pylist() for name, frame in trial.items()}
    assert hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest() == GOLDEN


@pytest.mark.parametrize("backend", ["polars", "pyarrow"])
def test_backends_hold_the_same(backend):
    one = cw.datasets.project_crewe(seed=5)
    other = cw.datasets.project_crewe(seed=5, backend=backend)
    assert type(other.cases).__module__.startswith(backend)
    for name in one:
        frame = other[name].to_pandas()
        left = one[name].astype(object).where(one[name].notna(), None)
        right = frame.astype(object).where(frame.notna(), None)
        assert left.to_numpy().tolist() == right.to_numpy().tolist(), name
        assert list(left.columns) == list(right.columns)


def test_it_says_synthetic():
    trial = cw.datasets.project_crewe()
    for text in (
        repr(trial),
        trial._repr_html_(),
        repr(trial.describe()),
        repr(trial.describe("cases")),
        cw.datasets.project_crewe.__doc__,
        cw.datasets.ProjectCrewe.__doc__,
    ):
        assert "SYNTHETIC" in text
    assert "seed 2017" in repr(trial)


def test_it_pickles():
    trial = cw.datasets.project_crewe(seed=9)
    again = pickle.loads(pickle.dumps(trial))
    pd.testing.assert_frame_equal(trial.cases, again.cases)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, True, "2017"])
def test_seeds_that_are_refused(seed):
    with pytest.raises(cw.InputError, match="whole number"):
        cw.datasets.project_crewe(seed=seed)


def test_unknown_names_are_refused():
    with pytest.raises(cw.InputError, match="pandas, polars, pyarrow"):
        cw.datasets.project_crewe(backend="excel")
    with pytest.raises(cw.InputError, match="families"):
        cw.datasets.project_crewe().describe("case")


def test_working_days(trial):
    for column in ("start_date", "closure_date", "rereferral_date"):
        for text in trial.cases[column].dropna():
            assert day(text).weekday() < 5


def test_6_what_the_chapter_says_of_the_trial_is_so() -> None:
    """Each claim stands in the chapter's words, and is worked out here from the data."""
    text = " ".join((ROOT / "examples" / "project_crewe.py").read_text("utf-8").split())
    text = text.replace("# ", "").replace('" "', "")
    trial = cw.datasets.project_crewe(seed=2017)
    cases = trial.cases[trial.cases["analysed"] == 1]
    curves = cw.kaplan_meier("Surv(days, event) ~ arm", cases)
    left = curves.survival_at([100, 200, 300, 450]).set_index(["time", "term"])["estimate"]
    behind = [left[day, "crewe"] - left[day, "control"] for day in (100, 200, 300, 450)]
    events = cases.groupby("arm")["re_referred"].sum()
    staff = trial.survey.groupby("arm")["named_workload"]
    named = staff.apply(lambda answers: (int((answers == "yes").sum()), len(answers)))
    people = trial.interviews[["participants", "interviews"]].sum()
    power = cw.power.project_crewe(sizes=trial.families["n_children"].tolist())
    claims = {
        "families were randomised two to one": len(trial.families) == 132,
        "places for 48 cases until a second pod opened": trial.capacity["places"].tolist()
        == [48, 96],
        "the arms part between days 100 and 300 and meet again": abs(behind[0]) < 0.07
        and min(behind[1:3]) > 0.05
        and behind[3] < 0,
        "5 of Project Crewe's index children and 3 of the council's came back": (
            events["crewe"],
            events["control"],
        )
        == (5, 3),
        "Workload was named by 8 of 9 council staff and 6 of 19 of Project Crewe's.": (
            named["control"],
            named["crewe"],
        )
        == ((8, 9), (6, 19)),
        "Siblings came back together": trial.children.groupby("family_id")["re_referred"]
        .nunique()
        .mean()
        < 1.2,
        "8 re-referrals and 2 escalations": (
            events.sum(),
            cases.loc[cases["arm"] == "crewe", "escalated"].sum(),
        )
        == (8, 2),
        "more than twice the 132 families that were recruited": 286 > 2 * 132,
        "effects below 18 to 24 points would probably be missed": "18.0" in repr(power)
        and "24.3" in repr(power),
    }
    assert people.tolist() == [33, 48]
    for claim, holds in claims.items():
        assert claim in text, claim
        assert holds, claim

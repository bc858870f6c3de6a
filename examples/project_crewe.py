# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a trial's design to its report
#
# Project Crewe (Department for Education, 2017, DFE-RR580) was the first randomised controlled trial in children's
# social care in the United Kingdom. Families were randomised two to one, all siblings to one arm. This notebook does
# the main job of such an evaluation twice:
#
# 1. on **real data**, the Achievement Awards trial (Angrist and Lavy 2009), where ignoring the clusters would turn an
#    inconclusive result into a triumph;
# 2. on a **synthetic** Project Crewe. The trial's data were never published, so its numbers here are made up to meet
#    every figure that the report printed. Nothing about real children can be learnt from them.

# %%
import crewe as cw

# %% [markdown]
# ## 1. Why clusters matter: the Achievement Awards trial
#
# Forty Israeli schools were randomised in matched sets, and pupils in the treated schools were promised cash for
# their matriculation (Bagrut). The *school* was randomised, so the school is the unit that carries information.

# %%
awards = cw.datasets.achievement_awards()
in_2001 = awards[awards["year"] == 2001]
model = "Bagrut_status ~ treated + girl + school_type + immigrant + siblings + father_ed + mother_ed + lagscore"
fit = cw.ols(model, in_2001, cluster="school_id")
fit

# %% [markdown]
# The same coefficient under three covariance matrices: HC1 takes 3,821 pupils for independent, CR1S (Stata's) knows
# the schools, CR2 also corrects for their small number and counts its degrees of freedom.

# %%
side_by_side = cw.table(
    {
        "Classical": fit.vcov("iid"),
        "HC1": fit.vcov("HC1"),
        "CR1S": fit.vcov("CR1S"),
        "CR2": fit,
    },
    title="Effect on matriculation, 2001, under four covariance matrices",
)
side_by_side

# %%
awards_effect = {
    name: fit.vcov(kind) for name, kind in [("HC1", "HC1"), ("CR1S", "CR1S"), ("CR2", "CR2")]
}
cw.coefplot(awards_effect, terms=["treated"])

# %% [markdown]
# Predicted levels at the means of the covariates ("re-weighted means"): categories stand at their observed shares.

# %%
levels = fit.margins("treated")
levels

# %% [markdown]
# ## 2. The synthetic Project Crewe
#
# ### The design is declared once

# %%
trial = cw.datasets.project_crewe(seed=2017)
trial

# %%
design = cw.Design(
    "Project Crewe (synthetic)",
    arms={"control": 1, "crewe": 2},
    cluster="family_id",
    strata=["history"],
    method=cw.Complete(),
    seed=2017,
)
drawn = design.assign(trial.children)
drawn

# %% [markdown]
# This is how crewe would randomise these families. The trial that is analysed below keeps the arms that its data
# record: the assignment just drawn is **not** the one analysed.

# %%
observed = cw.Design(
    "Project Crewe (synthetic)",
    arms={"control": 1, "crewe": 2},
    cluster="family_id",
).observe(trial.children.merge(trial.families[["family_id", "arm"]]), arm="arm")
balance = observed.balance(["age", "gender", "disability", "history"])
balance

# %% [markdown]
# ### Who was analysed

# %%
cases = trial.cases
analysed = cases[cases["analysed"] == 1]
incomplete = cases.loc[cases["analysed"] == 0, "family_id"].tolist()
flow = cw.consort(observed, excluded={"incomplete outcomes": incomplete})
flow

# %% [markdown]
# ### Primary outcome: was the case closed?

# %%
primary = cw.ols(
    "closed ~ arm + gender + C(age) + disability + history",
    analysed,
    cluster="family_id",
    synthetic=True,
)
interacted = cw.ols(
    "closed ~ arm * history + gender + C(age) + disability",
    analysed,
    cluster="family_id",
    synthetic=True,
)
cw.table({"Closed": primary, "With history": interacted}, terms=["arm[T.crewe]", "history[T.yes]"])

# %% [markdown]
# A logistic regression as robustness: odds ratios, and predicted shares averaged over the cases (g-computation).

# %%
robust = cw.logit(
    "closed ~ arm + gender + disability + history", analysed, cluster="family_id", synthetic=True
)
robust.tidy(exponentiate=True)

# %%
robust_levels = robust.margins("arm", at="observed")
robust_levels

# %%
closed = primary.margins("arm")
closed_by_history = interacted.margins("arm", by="history")
figure_1 = cw.plots.means(
    {"All cases": closed, "": closed_by_history},
    percent=True,
    ylabel="Predicted share closed",
    labels={
        "control": "Council",
        "crewe": "Project Crewe",
        "no": "No history",
        "yes": "History of social care",
    },
)

# %% [markdown]
# ### What could the trial have detected?
#
# The report printed four smallest detectable effects. All four follow from one formula, on more than twice the 132
# families that were recruited.

# %%
power = cw.power.project_crewe(sizes=trial.families["n_children"].tolist())
power

# %% [markdown]
# ### From raw case records to outcomes
#
# The four rules of the report, each recode counted.

# %%
raw = cases.drop(columns=["history", "closed", "re_referred", "event", "days"])
prepared = cw.cases.prepare(
    raw,
    referral="referral_date",
    closure="closure_date",
    rereferral="rereferral_date",
    cin_start="support_date",
    randomised="start_date",
    incomplete="exclusion",
)
prepared

# %% [markdown]
# ### Time to closure

# %%
curves = cw.kaplan_meier("Surv(days, event) ~ arm", analysed, synthetic=True)
curves

# %%
figure_2 = curves.plot()

# %%
logrank = cw.logrank("Surv(days, event) ~ arm", analysed, synthetic=True)
logrank

# %%
cox = cw.coxph("Surv(days, event) ~ arm + history", analysed, cluster="family_id", synthetic=True)
cox

# %%
proportional = cox.zph()
proportional

# %%
adjusted = cox.adjusted_curves("arm")
figure_2b = adjusted.plot()

# %% [markdown]
# The same on real data: released prisoners with and without financial aid (Rossi, Berk and Lenihan 1980).

# %%
prisoners = cw.datasets.rossi()
rossi = cw.coxph("Surv(week, arrest) ~ fin + age + race + wexp + mar + paro + prio", prisoners)
rossi

# %% [markdown]
# ### Re-referrals: small counts

# %%
rereferred = cw.compare_rates("re_referred ~ arm", analysed, synthetic=True)
rereferred

# %% [markdown]
# ### Absences from school
#
# Three specifications, for all pupils and by phase, with days as they are and as log(1 + days). Pupils are clustered
# in families.

# %%
specifications = {
    "(1)": "arm",
    "(2)": "arm + history",
    "(3)": "arm * history",
    # As the report prints it: the interaction without a main effect of history.
    "(3) as printed": "crewe + crewe:known",
}
pupils = trial.absences.assign(
    crewe=(trial.absences["arm"] == "crewe").astype(float),
    known=(trial.absences["history"] == "yes").astype(float),
)


def absence_models(outcome):
    return {
        name: cw.ols(f"{outcome} ~ {right}", pupils, cluster="family_id", synthetic=True)
        for name, right in specifications.items()
    }


absence = absence_models("days_absent")
absence_table = cw.table(absence, title="Days absent over two terms (synthetic)")
absence_table

# %%
log_table = cw.table(absence_models("np.log1p(days_absent)"), title="The same with log(1 + days)")
log_table

# %%
by_phase = cw.ols(
    "days_absent ~ arm + history", trial.absences, cluster="family_id", by="phase", synthetic=True
)
levels_absent = {"All": absence["(2)"].margins("arm"), **by_phase.margins("arm")}
figure_3 = cw.plots.means(
    {name.capitalize(): result for name, result in levels_absent.items()},
    ylabel="Predicted days absent",
    labels={"control": "Council", "crewe": "Project Crewe"},
    kind="bars",
)

# %% [markdown]
# ### Strengths and difficulties

# %%
sdq = cw.sdq.score(trial.sdq, prefix="sdq_", informant="informant")
sdq

# %% [markdown]
# Siblings are not independent, so one child a family enters the rank tests: the first in the order of the data.

# %%
one_child = sdq.frame.drop_duplicates("family_id")
scales = ["emotional", "conduct", "hyperactivity", "peer", "prosocial", "total_difficulties"]
sdq_tests = cw.mann_whitney(
    [f"{scale} ~ arm" for scale in scales], one_child, adjust="holm", synthetic=True
)
sdq_tests

# %% [markdown]
# ### Risk and protective factors

# %%
seen = trial.risk.assign(seen=trial.risk["value"].fillna(trial.risk["present"]))
framework = cw.risk.Framework.project_crewe()
risk = framework.score(
    seen, case="case_id", time="time", code="code", value="seen", times=["referral", "latest"]
)
change = risk.change(by="arm")
change

# %%
risk_test = cw.permutation_test("total_change ~ arm", change.frame, synthetic=True)
risk_test

# %%
prevalence = cw.compare_to_national(
    {"domestic violence": 14, "mental health": 10, "substance abuse": 7},
    n=30,
    national={"domestic violence": 0.496, "mental health": 0.366, "substance abuse": 0.193},
)
prevalence

# %% [markdown]
# ### Needs, visits, stress, outcomes
#
# National shares of need are the user's input; those here are illustrative.

# %%
needs = cw.compare_to_national(
    "need",
    analysed,
    national=dict(
        zip(trial.need_national["need"], trial.need_national["national_share"], strict=True)
    ),
    seed=2017,
    synthetic=True,
)
figure_13 = needs.plot()

# %%
visits = cw.describe("visits ~ arm + wave", trial.visits, synthetic=True)
figure_11 = visits.plot()
visits

# %%
stress = cw.describe("stress_score ~ arm", trial.survey, synthetic=True)
stress

# %%
workload = cw.compare_rates(events=(8, 6), totals=(9, 19))
workload

# %%
outcomes = cw.crosstab("outcome ~ arm", trial.outcomes, synthetic=True)
outcomes

# %% [markdown]
# ### Costs and benefits

# %%
costs = cw.cost.project_crewe()
costs

# %% [markdown]
# ## The report
#
# Built from the results above: the methods, their definitions and the versions of all software are collected by
# themselves.

# %%
report = cw.Report(
    "Project Crewe: a worked evaluation",
    subtitle="The Achievement Awards trial (real data), and a synthetic Project Crewe",
    author="Made by crewe",
)
report.add(fit, heading="Why clusters matter: the Achievement Awards trial")
report.add(side_by_side)
report.add_figure(
    cw.coefplot(awards_effect, terms=["treated"]),
    caption="The effect of the awards on matriculation under three covariance matrices",
)
report.add(levels)
report.add(drawn, heading="Project Crewe (synthetic): design", synthetic=True)
report.add(balance, heading="Balance", synthetic=True)
report.add(flow, heading="Flow of families", synthetic=True)
report.add(primary, heading="Primary outcome: cases closed")
report.add(interacted)
report.add(closed)
report.add(robust)
report.add(robust_levels, figure=False)
report.add_figure(
    figure_1,
    caption="Predicted share of cases closed, with 95% confidence intervals (re-weighted means)",
    synthetic=True,
)
report.add(power, heading="What the trial could detect")
report.add(prepared, heading="From case records to outcomes", synthetic=True)
report.add(curves, heading="Time to closure", figure=True, synthetic=True)
report.add(logrank)
report.add(cox)
report.add(proportional, figure=False, synthetic=True)
report.add_figure(
    figure_2b,
    caption="Share remaining open, adjusted by Cox regression (average over the cases analysed)",
    synthetic=True,
)
report.add(
    rossi,
    heading="Time to arrest: a real trial of financial aid",
    text="432 released prisoners (Rossi, Berk and Lenihan 1980).",
)
report.add(rereferred, heading="Re-referrals", synthetic=True)
report.add(absence_table, heading="Absence from school", synthetic=True)
report.add_figure(
    figure_3, caption="Predicted days absent, with 95% confidence intervals", synthetic=True
)
report.add(sdq, heading="Strengths and difficulties", figure=False, synthetic=True)
report.add(sdq_tests)
report.add(change, heading="Risk and protective factors", figure=False, synthetic=True)
for measure in ("total", "risk", "protective"):
    report.add_figure(
        change.plot(measure=measure),
        caption=f"Mean {measure} score at the two times",
        synthetic=True,
    )
report.add_figure(risk.plot(), caption="Total risk score at the two times", synthetic=True)
report.add(risk_test)
report.add(prevalence, heading="Prevalence beside national figures", figure=False)
report.add(needs, heading="Categories of need", figure=True, synthetic=True)
report.add(visits, heading="Visits", figure=True, synthetic=True)
report.add(stress, heading="Staff stress", figure=True, synthetic=True)
report.add(
    workload,
    text="Workload named as a cause by 8 of 9 council staff and 6 of 19 of Project Crewe's.",
)
report.add(outcomes, heading="Outcomes of cases", figure=False, synthetic=True)
report.add(costs, heading="Costs and benefits")
report.save("out/report.html")

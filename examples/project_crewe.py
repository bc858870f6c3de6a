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
figure_awards = cw.coefplot(
    awards_effect,
    terms=["treated"],
    labels={"treated": "Award offered"},
    xlabel="Effect on the share who matriculated",
)

# %% [markdown]
# Predicted levels at the means of the covariates ("re-weighted means"): categories stand at their observed shares.

# %%
levels = fit.margins("treated")
levels

# %%
figure_awards_levels = levels.plot(
    percent=True,
    ylabel="Predicted share who matriculated",
    labels={"0": "No award offered", "1": "Award offered"},
)

# %% [markdown]
# ## 2. The synthetic Project Crewe
#
# ### The design is declared once

# %%
trial = cw.datasets.project_crewe(seed=2017)
trial

# %% [markdown]
# What the arms and times are called in figures.

# %%
names = {
    "control": "Council",
    "crewe": "Project Crewe",
    "no": "No history",
    "yes": "History of social care",
    "referral": "At referral",
    "latest": "At latest information",
}

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
# Ethnicity and accommodation are recorded for the case, that is for the index child.

# %%
cases = trial.cases
index_balance = (
    cw.Design("Project Crewe (synthetic)", arms={"control": 1, "crewe": 2}, cluster="family_id")
    .observe(cases, arm="arm")
    .balance(["age", "gender", "ethnicity", "accommodation", "disability", "history"])
)
index_balance

# %% [markdown]
# ### Who was analysed
#
# The report's own counts do not close: 132 cases less 6 are 126, yet its rates fit 83 and 45, which are 128. The
# synthetic trial allocates 87 and 45 families and analyses 83 and 45. The families who opted out, and those who came
# while Project Crewe was full, stand above these; their numbers are invented, for the report prints none.

# %%
analysed = cases[cases["analysed"] == 1]
incomplete = cases.loc[cases["analysed"] == 0, "family_id"].tolist()
came = trial.recommended.groupby("outcome")["n_children"].agg(["size", "sum"])
flow = cw.consort(
    observed,
    excluded={"incomplete outcomes": incomplete},
    not_randomised={
        "opted out": tuple(came.loc["opted out"].tolist()),
        "Project Crewe was full: the council's service, and no control": tuple(
            came.loc["overflow"].tolist()
        ),
    },
)
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
closure_table = cw.table(
    {"Closed": primary, "With history": interacted},
    terms=["arm[T.crewe]", "history[T.yes]", "arm[T.crewe]:history[T.yes]"],
    title="Share of cases closed (synthetic): least squares, adjusted for gender, age and disability",
)
closure_table

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
    labels=names,
)


# %%
def row(result, **wanted):
    """Give the one row of a tidy frame where the columns have these values."""
    for column, value in wanted.items():
        result = result[result[column] == value]
    return result.iloc[0]


at = {arm: row(closed.tidy(), level=arm)["estimate"] for arm in ("control", "crewe")}
gap = closed.contrasts().iloc[0]
gap_history = row(closed_by_history.contrasts(), by="yes")
closure_words = (
    f"**{at['crewe']:.0%} of Project Crewe's cases were closed, {at['control']:.0%} of the council's:** "
    f"{100 * gap['estimate']:.1f} points more, 95% interval {100 * gap['conf_low']:.0f} to "
    f"{100 * gap['conf_high']:.0f}, p = {gap['p_value']:.2f}, so the data fit anything from a fall to a large "
    f"rise. Among cases with a history of social care the difference is {100 * gap_history['estimate']:.0f} "
    f"points (p = {gap_history['p_value']:.2f}); the report prints 20 in one place and 12 in another."
)
closure_words = closure_words.replace(" -", " −")
print(closure_words)

# %% [markdown]
# ### What could the trial have detected?
#
# The report printed four smallest detectable effects: 15.1, 11.2, 12.4 and 9.1 points. All four follow from one
# formula, on more than twice the 132 families that were recruited. Those 132, at 2:1, could detect a rise of 24
# points (children alike in a family, ICC 1) or 18 (ICC 0.36), more with their real sizes.

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
figure_2 = curves.plot(
    end=450,
    step=50,
    ylabel="Probability of remaining open",
    xlabel="Days since the start of the case",
    labels=names,
)

# %% [markdown]
# The trial was built with a council service that closes cases faster between days 100 and 300, after which Project
# Crewe catches up. Do the curves find it?

# %%
days = [100, 150, 200, 250, 300, 350, 400]
remaining = curves.survival_at(days).pivot(index="time", columns="term", values="estimate")
remaining["difference"] = remaining["crewe"] - remaining["control"]
still_open = remaining.reset_index().astype({"time": int}).rename(columns={"time": "day", **names})
still_open

# %%
widest = remaining["difference"].idxmax()
curve_words = (
    f"**The council closes faster between days 100 and 300.** After 100 days {remaining['control'][100]:.0%} of "
    f"its cases and {remaining['crewe'][100]:.0%} of Project Crewe's remain open; after {widest:.0f} days "
    f"{remaining['control'][widest]:.0%} and {remaining['crewe'][widest]:.0%}; after 350 days "
    f"{remaining['control'][350]:.0%} and {remaining['crewe'][350]:.0%}, so the curves meet again."
)
print(curve_words)

# %%
logrank = cw.logrank("Surv(days, event) ~ arm", analysed, synthetic=True)
logrank

# %%
cox = cw.coxph("Surv(days, event) ~ arm + history", analysed, cluster="family_id", synthetic=True)
cox

# %%
proportional = cox.zph()
proportional

# %% [markdown]
# The hazards are not proportional: the council's is the higher one at first, Project Crewe's later. A Cox model gives
# one average hazard ratio, near 1 here, and its adjusted curves (below) cannot part and meet again: the report assumed
# proportional hazards, and that assumption hides the pattern.

# %%
adjusted = cox.adjusted_curves("arm")
figure_2b = adjusted.plot(
    end=450,
    step=50,
    ylabel="Adjusted probability of remaining open",
    xlabel="Days since the start of the case",
    labels=names,
)

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


def absence_models(outcome, data=pupils):
    return {
        name: cw.ols(f"{outcome} ~ {right}", data, cluster="family_id", synthetic=True)
        for name, right in specifications.items()
    }


absence = absence_models("days_absent")
absence_table = cw.table(absence, title="Days absent over two terms (synthetic)")
absence_table

# %%
log_table = cw.table(
    absence_models("np.log1p(days_absent)"), title="Logarithm of 1 + days absent (synthetic)"
)
log_table

# %%
phase_tables = {
    phase: cw.table(
        absence_models("days_absent", pupils[pupils["phase"] == phase]),
        title=f"Days absent over two terms (synthetic): {phase} pupils",
    )
    for phase in ("primary", "secondary")
}
phase_tables["primary"]

# %%
phase_tables["secondary"]

# %%
by_phase = cw.ols(
    "days_absent ~ arm + history", trial.absences, cluster="family_id", by="phase", synthetic=True
)
levels_absent = {"All": absence["(2)"].margins("arm"), **by_phase.margins("arm")}
figure_3 = cw.plots.means(
    {f"{name.capitalize()} pupils": result for name, result in levels_absent.items()},
    ylabel="Predicted days absent over two terms",
    labels=names,
    kind="bars",
)

# %% [markdown]
# ### Strengths and difficulties

# %%
sdq = cw.sdq.score(trial.sdq, prefix="sdq_", informant="informant")
sdq

# %%
bands = cw.crosstab(
    "band ~ arm",
    sdq.frame[sdq.frame["informant"] == "parent"],
    order=["close to average", "slightly raised", "high", "very high"],
    synthetic=True,
)
bands

# %%
difficulties = cw.describe("total_difficulties ~ arm", sdq.frame, synthetic=True)
difficulties

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
figures_4_5 = {time: risk.plot(at=time, labels=names) for time in ("referral", "latest")}

# %%
figures_6_7_8 = {
    measure: change.plot(measure=measure, labels=names)
    for measure in ("total", "risk", "protective")
}

# %% [markdown]
# The report made no test, for its 15 + 15 cases were too few. The exact permutation test needs no large sample.

# %%
risk_tests = {
    measure: cw.permutation_test(f"{measure}_change ~ arm", change.frame, synthetic=True)
    for measure in ("total", "risk", "protective")
}
risk_tests["total"]

# %%
risk_p = ", ".join(f"{measure} p = {test.p_value:.3f}" for measure, test in risk_tests.items())
risk_words = (
    f"From referral to the latest information the total score rises by {change.did['total']:.2f} points more in "
    f"Project Crewe than in the council's service: the risk score improves alike (difference "
    f"{change.did['risk']:.2f}), the protective score rises by {change.did['protective']:.2f} more. "
    f"Exact permutation tests: {risk_p}."
)
print(risk_words)

# %% [markdown]
# Three factors beside England's figures (Table 2). Substance abuse is a parent's or a family's.

# %%
present = seen[seen["time"] == "referral"].pivot(index="case_id", columns="code", values="present")
found = {
    factor: int((present[codes.split(" or ")].max(axis=1) > 0).sum())
    for factor, codes in zip(
        trial.factor_national["factor"], trial.factor_national["code"], strict=True
    )
}
prevalence = cw.compare_to_national(
    found,
    n=len(present),
    national=dict(
        zip(trial.factor_national["factor"], trial.factor_national["national_share"], strict=True)
    ),
    synthetic=True,
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
meanings = dict(zip(trial.need_national["need"], trial.need_national["meaning"], strict=True))
figure_13 = needs.plot(
    labels={
        **{need: f"{need} {meaning}" for need, meaning in meanings.items()},
        "national": "England (ILLUSTRATIVE shares)",
        "sample": "Cases of the trial",
    }
)
needs

# %%
visits = cw.describe("visits ~ arm + wave", trial.visits, synthetic=True)
figure_11 = visits.plot(labels=names, ylabel="Mean visits a month", xlabel="Wave of the survey")
visits

# %%
caseload = cw.describe("cases ~ date", trial.caseload, synthetic=True)
caseload

# %% [markdown]
# Staff answered five questions on stress, 1 to 5 each.

# %%
stress_items = [f"stress_{i}" for i in range(1, 6)]
stress_scale = cw.survey.score(trial.survey, stress_items, name="stress5")
stress_scale

# %%
stress = cw.describe("stress_score ~ arm", trial.survey, synthetic=True)
stress

# %%
stress_bands = cw.crosstab(
    "stress_score ~ arm", trial.survey, bins=[5, 8, 11, 14, 17, 20, 23, 25], synthetic=True
)
figure_12 = stress_bands.plot(
    labels=names,
    ylabel="Share of each arm's staff",
    xlabel="Stress score, 5 to 25 (higher is more stressed)",
)

# %%
stress_test = cw.mann_whitney("stress_score ~ arm", trial.survey, synthetic=True)
stress_test

# %% [markdown]
# Who answered the survey, and how many named workload as a cause of stress (8 of 9 and 6 of 19).

# %%
answered = cw.crosstab("role ~ arm", trial.survey, synthetic=True)
answered

# %%
survey = trial.survey.assign(named=(trial.survey["named_workload"] == "yes").astype(float))
workload = cw.compare_rates("named ~ arm", survey, synthetic=True)
workload

# %%
interviews = trial.interviews[["participant", "participants", "interviews"]]
interviews

# %%
outcomes = cw.crosstab(
    "outcome ~ arm",
    trial.outcomes,
    order=["closed", "improved", "no change", "escalated"],
    synthetic=True,
)
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
report.add(
    fit,
    heading="Why clusters matter: the Achievement Awards trial",
    text="Real data. Schools were randomised, so pupils of a school are not independent. Taken as independent "
    "they would make the effect of the awards look certain; counted as 39 schools, it is not.",
)
report.add(side_by_side)
report.add_figure(
    figure_awards,
    caption="Effect of the awards on matriculation under three covariance matrices (3,821 pupils, 39 schools)",
)
report.add(levels, figure=False)
report.add_figure(
    figure_awards_levels, caption="Predicted share who matriculated (re-weighted means)"
)
report.add(
    drawn,
    heading="Project Crewe (synthetic): design",
    text="The design and one assignment that crewe drew from it. **It is not the one analysed below**, which "
    "is the one recorded in the data.",
    synthetic=True,
)
report.add(
    balance,
    heading="Balance",
    figure_caption="Standardised differences between the arms",
    synthetic=True,
)
report.add(index_balance, text="The index children's cases:", figure=False, synthetic=True)
report.add(
    flow,
    heading="Flow of families",
    text="The report's own counts do not close: 132 cases less 6 are 126, yet its rates fit 83 and 45, which "
    "are 128. The synthetic trial follows the rates.",
    synthetic=True,
)
report.add(closure_table, heading="Primary outcome: cases closed", text=closure_words)
report.add(closed, figure=False)
report.add(closed_by_history, figure=False)
report.add_figure(
    figure_1,
    caption="Predicted share of cases closed, with 95% confidence intervals (re-weighted means)",
    synthetic=True,
)
report.add(robust, text="Robustness: a logistic regression.")
report.add(robust_levels, figure=False)
report.add(
    power,
    heading="What the trial could detect",
    text="The report's four smallest detectable effects, 15.1, 11.2, 12.4 and 9.1 points, are reproduced. They "
    "assume 286 families in equal arms (or 322 at 2:1), more than twice the 132 that were recruited; what "
    "those 132 could detect stands beside them.",
)
report.add(prepared, heading="From case records to outcomes", synthetic=True)
report.add(curves, heading="Time to closure", text=curve_words, figure=False, synthetic=True)
report.add_figure(figure_2, caption="Probability of remaining open, by arm", synthetic=True)
report.add(still_open, caption="Share of cases remaining open (synthetic)", synthetic=True)
report.add(logrank)
report.add(cox)
report.add(
    proportional,
    text="The hazards are not proportional: the council's is the higher one at first, Project Crewe's later. A Cox "
    "model gives one average hazard ratio, and its adjusted curves cannot part and meet again.",
    figure=False,
    synthetic=True,
)
report.add_figure(
    figure_2b,
    caption="Probability of remaining open, adjusted by Cox regression (average over the cases analysed)",
    synthetic=True,
)
report.add(
    rossi,
    heading="Time to arrest: a real trial of financial aid",
    text="Real data: 432 released prisoners (Rossi, Berk and Lenihan 1980).",
)
report.add(
    rereferred,
    heading="Re-referrals",
    text="5 of Project Crewe's cases and 3 of the council's were re-referred: the rates are close, and so few "
    "events leave room for a large difference either way.",
    synthetic=True,
)
report.add(
    absence_table,
    heading="Absence from school",
    text="Three specifications side by side, the third also as the report prints it, without a main effect of "
    "history.",
    synthetic=True,
)
for phase in phase_tables.values():
    report.add(phase, synthetic=True)
report.add(log_table, synthetic=True)
report.add_figure(
    figure_3, caption="Predicted days absent, with 95% confidence intervals", synthetic=True
)
report.add(sdq, heading="Strengths and difficulties", figure=False, synthetic=True)
report.add(difficulties, figure=False)
report.add(bands, caption="Bands of total difficulties, parents' answers (synthetic)", figure=False)
report.add(sdq_tests)
report.add(
    change,
    heading="Risk and protective factors",
    text=risk_words,
    figure=False,
    synthetic=True,
)
for time, ax in figures_4_5.items():
    report.add_figure(ax, caption=f"Total score {names[time].lower()}, by arm", synthetic=True)
for measure, ax in figures_6_7_8.items():
    report.add_figure(ax, caption=f"Mean {measure} score at the two times, by arm", synthetic=True)
for measure, test in risk_tests.items():
    report.add(
        test, caption=f"Exact permutation test of the change in the {measure} score (synthetic)"
    )
report.add(prevalence, heading="Prevalence beside national figures", figure=False)
report.add(
    needs,
    heading="Categories of need",
    text="**The national shares are illustrative**: put the census's in their place.",
    figure=False,
)
report.add_figure(
    figure_13, caption="Cases by category of need, beside illustrative national shares"
)
report.add(visits, heading="Visits and caseloads", figure=False)
report.add_figure(figure_11, caption="Mean visits a month, by arm and wave")
report.add(
    caseload,
    caption="Cases of each family practitioner at three dates (synthetic)",
    figure=False,
)
report.add(
    answered, heading="Survey of staff", caption="Staff who answered (synthetic)", figure=False
)
report.add(
    stress_scale, caption="Stress scale of five questions (synthetic)", figure=False, synthetic=True
)
report.add(stress, figure=False)
report.add_figure(figure_12, caption="Distribution of staff stress scores, by arm")
report.add(stress_test)
report.add(
    workload,
    text="Workload was named by 8 of 9 council staff and 6 of 19 of Project Crewe's.",
)
report.add(
    interviews.rename(columns={"participant": ""}),
    heading="Interviews and outcomes of cases",
    caption="Interviews by type of participant (synthetic)",
    synthetic=True,
)
report.add(outcomes, caption="Outcome of the cases studied in depth (synthetic)", figure=False)
report.add(
    costs,
    heading="Costs and benefits",
    text="Tables 6 to 9 from their inputs. Twelve of the fourteen printed figures follow from them to the last "
    "digit printed, rounded or cut off; the two that do not are marked *differs*, with the reason under the table. Note that the "
    "savings rest on 8 re-referrals and 2 escalations.",
)
for ending in ("html", "pdf", "docx"):
    report.save(f"out/report.{ending}")
report.save("out/results.json")

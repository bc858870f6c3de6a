# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Project Crewe, evaluated again
#
# Project Crewe (Department for Education, 2017, DFE-RR580) was the first randomised controlled trial in children's
# social care in the United Kingdom: families were randomised two to one to a service of family practitioners or to
# the council's usual service, all siblings to one arm. Its data were never published. **The data here are synthetic**:
# they meet the totals that the report printed, and nothing about real children can be learnt from them.
#
# This chapter does the evaluation from the first decision to the report. Each section says what an evaluator decides
# there, and why.

# %%
import tempfile
from pathlib import Path

import crewe as cw

trial = cw.datasets.project_crewe(seed=2017)
trial

# %% [markdown]
# ## The trial is declared once
#
# Arms and ratio, what is randomised, strata, procedure, and the words that tables and figures print. Everything below
# takes this declaration and never asks for a fact of it again. Enrolment is rolling, so the procedure must draw one
# family after the other; permuted blocks of 3 and 6 keep the ratio, and since their size is drawn too the next arm
# cannot be counted out. The key keeps the draw concealed, and the commitment is lodged before the first family.

# %%
design = cw.Design(
    "Project Crewe (synthetic)",
    arms={"control": 1, "crewe": 2},
    cluster="family_id",
    strata=["history"],
    method=cw.Blocks(sizes=[3, 6]),
    seed=cw.new_key(),
    labels={"control": "Council", "crewe": "Project Crewe"},
)
design

# %% [markdown]
# ## What could it detect?
#
# The report printed four smallest detectable effects: 15.1, 11.2, 12.4 and 9.1 points. All four follow from one formula,
# on more than twice the 132 families that were recruited. What those 132 could detect, at 2:1 and with their real
# sizes, stands beside them: effects below 18 to 24 points would probably be missed. The reader of every result below
# should keep that in mind.

# %%
power = cw.power.project_crewe(sizes=trial.families["n_children"].tolist())
power

# %% [markdown]
# A formula knows the trial by a few numbers. Beside it the trial itself is replayed: this procedure on these families in the
# order in which they came, with re-referrals as alike within families as the report assumed, and the planned comparison
# with the terms of the strata. And the other way round: the families that it would have taken to find the report's 11.2
# points, if they were as large and as different in size as these.

# %%
arrivals = trial.children.merge(trial.families[["family_id", "randomised_on"]])
detectable = {
    way: cw.power.mdes(
        design,
        arrivals,
        cw.power.BinaryOutcome(baseline=0.226, effect=0.112, icc=0.36),
        seed=2017,
        order="randomised_on",
        direction=way,
    )
    for way in ("rise", "fall")
}
sizes = trial.families["n_children"]
needed = cw.power.binary(
    baseline=0.226,
    icc=0.36,
    cluster_size=sizes.mean(),
    cv=sizes.std(ddof=0) / sizes.mean(),
    effect=0.112,
    power=0.8,
    allocation=2 / 3,
)
print(f"{needed.clusters} families would have been needed; {len(sizes)} came")
detectable["rise"]

# %% [markdown]
# ## Enrolment: a ledger that can be defended
#
# The referrals are replayed in the order in which they were decided. Project Crewe had places for 48 cases until a
# second pod opened; a family that came while it was full went to the council's service **and is no control**, so enrolment
# pauses while an arm is full. Families who opted out are never drawn. One override is added to show what it does: the
# arm drawn stays for the analysis, the service given is recorded with who and why.

# %%
ledger = cw.Ledger.create(
    Path(tempfile.mkdtemp()) / "crewe.ledger", design, at="2015-08-01T09:00:00Z"
)
asked = trial.recommended[trial.recommended["outcome"] != "opted out"]
for family in asked.itertuples():
    at = f"{family.decided_on}T09:00:00Z"
    full = family.places_free == 0
    if full != ("crewe" in ledger.full):
        ledger.capacity("crewe", full, by="Service manager", at=at)
    children = [f"{family.family_id}-{i}" for i in range(1, family.n_children + 1)]
    try:
        ledger.enrol(
            family.family_id,
            children,
            {"history": family.history},
            approved_by="Social worker",
            at=at,
        )
    except cw.LedgerError as paused:
        # Refused because an arm is full, which the ledger records.
        last_refusal = str(paused)
drawn = ledger.frame()
ledger.override(
    drawn.loc[drawn["drawn"] == "crewe", "family_id"].iloc[0],
    "control",
    by="Head of service",
    reason="court order (invented)",
    at="2016-04-01T09:00:00Z",
)
ledger.close(by="Evaluator", at="2016-04-01T10:00:00Z")
head = ledger.head()
print(ledger.verify(head))
last_refusal

# %%
enrolled = ledger.consort()
enrolled

# %% [markdown]
# The ledger draws arms of its own. What is analysed from here on are the arms that the synthetic data record, read into
# the same declaration.

# %%
children = trial.children.merge(trial.families[["family_id", "arm", "randomised_on"]])
run = design.observe(children, arm="arm", order="randomised_on")
cases = trial.cases
analysed = cases[cases["analysed"] == 1]
by_case = design.observe(cases, arm="arm", order="start_date")
run

# %% [markdown]
# ## Who was randomised and analysed
#
# The report's own counts do not close (132 cases less 6 are 126, yet its rates fit 83 and 45); the synthetic trial follows
# the rates. How many opted out or found the service full is invented, for the report prints neither.

# %%
came = trial.recommended.groupby("outcome")["n_children"].agg(["size", "sum"])
flow = cw.consort(
    run,
    excluded={"incomplete outcomes": cases.loc[cases["analysed"] == 0, "family_id"].tolist()},
    not_randomised={
        "opted out": tuple(came.loc["opted out"].tolist()),
        "service full (council's service, no control)": tuple(came.loc["overflow"].tolist()),
    },
)
flow

# %% [markdown]
# Balance is described and not tested: the arms were drawn by chance.

# %%
balance = run.balance(["age", "gender", "disability", "history"])
balance

# %% [markdown]
# ## Primary outcome: is the case closed and not re-referred?
#
# Decided before the data were seen: least squares on the case, adjusted for gender, age, disability and history, the
# estimand being the difference in the share closed among all families randomised. The declaration supplies the family
# as the unit, the arms' order and the strata. `outcome_table` prints what CONSORT 2025 asks for: both numbers of cases, the result in
# each arm, the effect as a difference and as a ratio.

# %%
controls = "gender + C(age) + disability + history"
primary = cw.ols(f"closed ~ arm + {controls}", analysed, design=by_case)
closure = cw.outcome_table({"Case closed": primary}, cases, design=by_case)
closure

# %% [markdown]
# Beside the model stands a test that needs none: the arms drawn again, thousands of times, as the procedure could have
# drawn them.

# %%
replayed = cw.randomisation_test(
    f"closed ~ arm + {controls}", analysed, by_case, draws=9_999, seed=2017
)
replayed

# %% [markdown]
# Does it depend on a history of social care? The report's second specification; logit as robustness for both, as the
# report had it.

# %%
interaction = cw.ols(f"closed ~ arm * history + {controls}", analysed, design=by_case)
logits = [
    cw.logit(f"closed ~ arm + {controls}", analysed, design=by_case),
    cw.logit(f"closed ~ arm * history + {controls}", analysed, design=by_case),
]
models = cw.table(
    {
        "OLS": primary,
        "OLS, by history": interaction,
        "Logit": logits[0],
        "Logit, by history": logits[1],
    },
    terms=["arm[T.crewe]", "history[T.yes]", "arm[T.crewe]:history[T.yes]"],
    title="Cases closed: least squares and logit (SYNTHETIC data)",
)
models

# %%
by_history = interaction.margins("arm", by="history")
words = {"no": "No history", "yes": "History of social care"}
figure_1 = cw.plots.means(
    {"All cases": primary.margins("arm"), "": by_history},
    percent=True,
    ylabel="Predicted share closed",
    labels=words,
)

# %%
logit_levels = {
    "Logit": logits[0].margins("arm", at="observed"),
    "Logit, by history": logits[1].margins("arm", by="history", at="observed"),
}
effect = primary.margins("arm").contrasts().iloc[0]
within = by_history.contrasts().set_index("by").loc["yes"]
closure_words = (
    f"{100 * effect['estimate']:.1f} points more of Project Crewe's cases closed (95% interval "
    f"{100 * effect['conf_low']:.0f} to {100 * effect['conf_high']:.0f}, p = {effect['p_value']:.2f}; by the "
    f"randomisation test p = {replayed.p_value:.2f}). The data fit anything from a fall to a large rise. With a history of "
    f"social care the difference is {100 * within['estimate']:.0f} points (p = {within['p_value']:.2f}); the report prints 20 in "
    "one place and 12 in another."
).replace("-", "−")
print(closure_words)

# %% [markdown]
# ## Time to closure
#
# Cases still open at the end are censored, not lost. Curves first, since they assume nothing; then the restricted mean, the
# weeks that a case is open up to the end of the window, which is also what costs need.

# %%
curves = cw.kaplan_meier("Surv(days, event) ~ arm", analysed, design=by_case)
figure_2 = curves.plot(
    end=450,
    step=50,
    ylabel="Probability of remaining open",
    xlabel="Days since the start of the case",
)

# %%
in_weeks = analysed.assign(weeks=analysed["days"] / 7)
weeks = cw.rmst("Surv(weeks, event) ~ arm", in_weeks, horizon=60, design=by_case)
weeks

# %% [markdown]
# The report fitted a Cox model. It gives one average hazard ratio; the test of proportional hazards and the curves show that
# the arms part between days 100 and 300 and meet again, which one ratio hides.

# %%
cox = cw.coxph("Surv(days, event) ~ arm + history", analysed, cluster="family_id")
proportional = cox.zph()
cox

# %%
proportional

# %% [markdown]
# ## Re-referrals, with siblings
#
# Of the index children 5 and 3 came back: an exact comparison of two small counts. Siblings came back together, so the count of
# all children is compared with the family as the unit.

# %%
rereferred = cw.compare_rates("re_referred ~ arm", analysed, design=by_case)
rereferred

# %%
siblings = cw.ols("re_referred ~ arm", children, design=run)
siblings.margins("arm")

# %%
alike = cw.icc("re_referred", children, design=run)
alike

# %% [markdown]
# ## Attendance
#
# Days absent over two terms, in the report's three specifications and by phase; pupils of one family are not independent.

# %%
absences = trial.absences
attendance = {
    name: cw.ols(f"days_absent ~ {right}", absences, design=run)
    for name, right in {"(1)": "arm", "(2)": "arm + history", "(3)": "arm * history"}.items()
}
absence_table = cw.table(attendance, title="Days absent over two terms (SYNTHETIC data)")
absence_table

# %%
by_phase = cw.ols("days_absent ~ arm + history", absences, cluster="family_id", by="phase")
figure_3 = cw.plots.means(
    {
        "All pupils": attendance["(2)"].margins("arm"),
        **{f"{phase.capitalize()} pupils": fit.margins("arm") for phase, fit in by_phase.items()},
    },
    ylabel="Predicted days absent over two terms",
    labels=design.labels,
    kind="bars",
)

# %%
logged = cw.ols("np.log1p(days_absent) ~ arm + history", absences, design=run)
logged.margins("arm")

# %% [markdown]
# ## Strengths and difficulties
#
# Six scales are six chances of a false alarm: p-values are adjusted by Holm's method. One child a family enters the rank tests.

# %%
sdq = cw.sdq.score(trial.sdq, prefix="sdq_", informant="informant")
scales = ["emotional", "conduct", "hyperactivity", "peer", "prosocial", "total_difficulties"]
one_child = sdq.frame.drop_duplicates("family_id")
difficulties = cw.mann_whitney([f"{scale} ~ arm" for scale in scales], one_child, adjust="holm")
difficulties

# %% [markdown]
# ## Risk and protective factors
#
# Thirty cases, scored by the framework of the report's Appendix 3. No model is fitted to 15 and 15; the exact permutation test
# counts every way in which the arms could have fallen.

# %%
seen = trial.risk.assign(seen=trial.risk["value"].fillna(trial.risk["present"]))
risk = cw.risk.Framework.project_crewe().score(
    seen, case="case_id", time="time", code="code", value="seen", times=["referral", "latest"]
)
change = risk.change(by="arm")
change

# %%
times = {"referral": "At referral", "latest": "At latest information"}
figures_4_5 = {
    arm: risk.plot(arm=arm, labels={**design.labels, **times}) for arm in ("control", "crewe")
}

# %%
figures_6_7_8 = {
    measure: change.plot(measure=measure, labels={**design.labels, **times})
    for measure in ("total", "risk", "protective")
}

# %%
risk_tests = {
    measure: cw.permutation_test(f"{measure}_change ~ arm", change.frame)
    for measure in ("total", "risk", "protective")
}
risk_tests["total"]

# %% [markdown]
# ## Needs, visits, staff
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
)
meaning = dict(zip(trial.need_national["need"], trial.need_national["meaning"], strict=True))
figure_13 = needs.plot(
    labels={
        **{need: f"{need} {meaning[need]}" for need in meaning},
        "national": "England (ILLUSTRATIVE shares)",
        "sample": "Cases of the trial",
    }
)

# %%
visits = cw.describe("visits ~ arm + wave", trial.visits)
figure_11 = visits.plot(
    labels=design.labels, ylabel="Mean visits a month", xlabel="Wave of the survey"
)

# %%
stress = cw.crosstab("stress_score ~ arm", trial.survey, bins=[5, 8, 11, 14, 17, 20, 23, 25])
figure_12 = stress.plot(
    labels=design.labels,
    ylabel="Share of each arm's staff",
    xlabel="Stress score, 5 to 25 (higher is more stressed)",
)

# %%
survey = trial.survey.assign(named=(trial.survey["named_workload"] == "yes").astype(float))
workload = cw.compare_rates("named ~ arm", survey)
workload

# %%
order = ["closed", "improved", "no change", "escalated"]
studied = cw.crosstab("outcome ~ arm", trial.outcomes, order=order)
interviews = trial.interviews.replace({"arm": design.labels})
studied

# %% [markdown]
# ## Costs and benefits, with their uncertainty
#
# The report's Tables 6 to 9 follow from their inputs to the penny. What they cannot show is how little is known: the savings rest on 8 re-referrals and 2 escalations
# (Project Crewe's). So the fits of this chapter take the place of the typed rates, and every line is worked out over
# 100,000 draws of what is uncertain.

# %%
as_printed = cw.cost.project_crewe()
escalated = cw.compare_rates("escalated ~ arm", analysed, design=by_case)
costs = as_printed.with_fits(
    {"closure": primary, "weeks open": weeks, "re-referral": rereferred, "escalation": escalated},
    arms={"PC": "crewe", "CEC": "control"},
)
uncertain = costs.psa(draws=100_000, seed=2017)
uncertain

# %%
choice = uncertain.decision(range(0, 30_001, 500))
choice

# %%
figure_plane = choice.plane(willingness=10_000)

# %%
figure_acceptable = choice.plot()

# %%
figure_tornado = uncertain.tornado(willingness=10_000).plot()

# %% [markdown]
# ## Before anything leaves the house
#
# Rules of disclosure are for real data; the synthetic data need none, and the report says so in its banner. This is what the
# Department's rule would take out of one table here, so that nobody can work a small count out from its margins or from the other tables.

# %%
protected = cw.disclosure.DFE.protect(studied, rereferred)
protected

# %% [markdown]
# ## The report
#
# Words, tables and figures in order; contents, methods, warnings, versions and the list of what a reader misses are put in by
# the report itself. Labels are given once.

# %%
report = cw.Report(
    "Project Crewe: a cluster randomised trial, evaluated again",
    subtitle="On a synthetic copy of the trial",
    author="Made by crewe",
    labels={
        "arm": "Service",
        "history": "history of social care",
        "closed": "case closed",
        "re_referred": "re-referred",
        "days_absent": "days absent",
        "family_id": "families",
        "named": "workload named as a cause of stress",
        "stress_score": "stress score",
        "total_difficulties": "total difficulties",
        **design.labels,
    },
)
report.add(
    cw.report.Summary(
        background="Families of children in need may be helped by practitioners without a social work qualification.",
        objective="Does Project Crewe close more cases than the council's usual service?",
        design="Randomised controlled trial, families two to one, all siblings to one arm; 132 families.",
        outcomes="Primary: the case is closed and not re-referred by 1 November 2016.",
        results=closure_words,
        conclusions="The trial would probably have missed an effect below 18 points, and found none. It neither shows that "
        "Project Crewe helps nor that it does not.",
    )
)
report.add(
    cw.report.Estimand(
        outcome="closed",
        population="Families referred, eligible and randomised while both services had room",
        treatment="Project Crewe against the council's usual service, as allocated",
        summary="Difference in the share of cases closed and not re-referred by 1 November 2016",
        average="participant",
        intercurrent={"another service is given than was drawn": "treatment policy"},
        name="Primary",
    )
)
report.add(
    cw.report.Protocol(
        registration="The report names none.",
        data="The trial's data were never published; these are synthetic, seed 2017, with the code that made them.",
        deviations=[
            "The report's Cox model is kept beside curves and restricted means, since hazards are not proportional.",
            "Clusters, multiplicity and the uncertainty of costs are taken into account, which the report did not do.",
        ],
    )
)
BOTH = "CONSORT 2010 clusters"
report.add_text(
    "Cheshire East, from August 2015 to March 2016, with outcomes to 1 November 2016. Families of children in need who were "
    "referred could take part where council staff approved; consent was opt-out, before the draw. Project Crewe gave a family a "
    "practitioner of its own, at most 12 families each, four to a pod under a social work consultant; the council gave its usual "
    "social work. The family was randomised because siblings are served together: all children of a family are in its arm, "
    "those who come later too.",
    heading="Setting, services and families",
    items={
        "CONSORT 2025": ["11", "12a", "12b", "13", "23a"],
        BOTH: ["2a", "4a", "5", "10b", "10c"],
    },
)
report.add(run, text="The families as they were randomised:")
report.add_text(
    "The next arm comes from a key that the recruiter does not hold; who approves a family is recorded before its arm is drawn, and "
    "sizes of blocks are drawn too. Neither families nor practitioners could be blind to the service. Harms were not asked for; "
    "escalations stand with the costs.",
    items={"CONSORT 2025": ["15", "18", "19", "20a", "20b"], BOTH: ["9", "10a"]},
)
report.add(
    power,
    heading="What the trial could detect",
    text="The four effects that the report printed assume 286 families in equal arms (or 322 at 2:1), more than twice the 132 recruited. "
    f"With the sizes of the synthetic families, {needed.clusters} at 2:1 would have been needed to find 11.2 points.",
)
report.add(
    detectable["rise"],
    caption="Smallest detectable rise, the synthetic trial replayed",
    text="The declared procedure on the synthetic families in their order of arrival, and the planned comparison; a fall of "
    f"{-100 * detectable['fall'].effect:.1f} points would have been found as surely.",
)
report.add(
    enrolled,
    heading="Enrolment and concealment",
    caption="Families enrolled in the ledger, by the arm drawn",
    figure_caption="Enrolment through the ledger",
    text=f"Replayed from the referrals in a ledger whose every event is chained under a key. The commitment was lodged "
    f"before the first family: `{design.commitment().digest}`. The arms drawn here are not those analysed.",
    synthetic=True,
)
report.add(
    flow,
    heading="Flow of families",
    caption="Families through the synthetic trial",
    figure_caption="Flow of families through the synthetic trial",
    text="The report's own counts do not close: 132 cases less 6 are 126, yet its rates fit 83 and 45, which are 128. "
    "The synthetic trial follows the rates; opted out and full are invented numbers.",
)
report.add(
    balance,
    heading="Balance at randomisation",
    figure_caption="Standardised differences between the arms",
)
report.add(closure, heading="Primary outcome: cases closed", text=closure_words, estimand="Primary")
report.add_figure(
    figure_1, caption="Predicted share of cases closed, with 95% confidence intervals"
)
report.add(replayed, text="The randomisation test needs no model:", figure=False)
report.add(models, text="With the interaction, and by logit:")
report.add(logit_levels["Logit"], figure=False)
report.add(logit_levels["Logit, by history"], figure=False)
report.add(
    weeks,
    heading="Time to closure",
    text="The council closes cases faster between days 100 and 300, and Project Crewe catches up: a case of Project Crewe is open longer "
    "on average, though in the end more of its cases close.",
    figure=False,
)
report.add_figure(figure_2, caption="Probability of remaining open, by arm (Kaplan-Meier)")
report.add(
    cox, text="The report's model, one average hazard ratio, and the test of what it assumes:"
)
report.add(proportional, figure=False)
report.add(
    rereferred,
    heading="Re-referrals",
    text="5 of Project Crewe's index children and 3 of the council's came back: so few that a large difference either way is possible.",
)
report.add(siblings.margins("arm"), text="All children, the family being the unit:", figure=False)
report.add(alike, text="How alike siblings are in it:")
report.add(absence_table, heading="Attendance")
report.add_figure(figure_3, caption="Predicted days absent, with 95% confidence intervals")
report.add(logged.margins("arm"), text="On the logarithm of 1 + days:", figure=False)
report.add(difficulties, heading="Strengths and difficulties")
report.add(
    change,
    heading="Risk and protective factors",
    text=f"The total score rises by {change.did['total']:.2f} points more in Project Crewe: risks improve alike (difference "
    f"{change.did['risk']:.2f}), protective factors by {change.did['protective']:.2f} more. Exact permutation tests: "
    + ", ".join(f"{measure} p = {test.p_value:.3f}" for measure, test in risk_tests.items())
    + ".",
    figure=False,
)
for arm, ax in figures_4_5.items():
    report.add_figure(ax, caption=f"Total score at the two times: {design.labels[arm]}")
for measure, ax in figures_6_7_8.items():
    report.add_figure(ax, caption=f"Mean {measure} score at the two times, by arm")
report.add_figure(
    figure_13,
    heading="Needs, visits and staff",
    caption="Cases by category of need, beside illustrative national shares",
)
report.add_figure(figure_11, caption="Mean visits a month, by arm and wave")
report.add_figure(figure_12, caption="Distribution of staff stress scores, by arm")
report.add(
    workload,
    text="Workload was named by 8 of 9 council staff and 6 of 19 of Project Crewe's.",
)
report.add(
    interviews,
    heading="Interviews and cases studied in depth",
    caption="Participants and interviews (SYNTHETIC data)",
)
report.add(studied, figure=False)
report.add(
    uncertain,
    heading="Costs and benefits",
    text="Tables 6 to 9: the printed figure, ours, and its interval; PC is Project Crewe and CEC the council, as there. With 8 re-referrals and 2 escalations the savings may be losses: the "
    "intervals say how far either way.",
)
report.add(choice, figure=False)
report.add_figure(figure_plane, caption="Differences in cost and effect over the draws")
report.add_figure(
    figure_acceptable,
    caption="Probability that each service is the better value, by what a closed case is worth",
)
report.add_figure(figure_tornado, caption="What moves the net benefit most")
report.add(
    cw.report.Limitations(
        [
            "The data are synthetic: no number here says anything about Project Crewe.",
            "One council, 132 families of the 286 that the printed power calculation assumed.",
            "Eligible families were approved by staff, and what happened to those who were not is not known.",
            "Staff and families knew the arm.",
        ]
    )
)
report.add(
    cw.report.Funding(
        funder="The original trial: Department for Education, Innovation Programme.",
        role="None in this chapter.",
        interests="None.",
    )
)
report.check("CONSORT 2025")

# %%
for ending in ("html", "pdf", "docx"):
    report.save(f"out/report.{ending}")
report.save("out/results.json")

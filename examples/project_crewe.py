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
# ## 3. The report
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
report.add_figure(
    figure_1,
    caption="Predicted share of cases closed, with 95% confidence intervals (re-weighted means)",
    synthetic=True,
)
report.save("out/report.html")

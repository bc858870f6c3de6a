# What R gives for the lines that docs/coming/r.md sets beside crewe's. Run from the root of the repository:
# Rscript tests/reference/coming.R
#
# A case has the code as it stands on the page, what is read off its result, and crewe's expression for the same numbers,
# which tests/python/test_coming.py works out with the names that the page has made.
source("tests/reference/lib/write.R")

home <- getwd()
page <- new.env(parent = globalenv())

case <- function(id, code, give, crewe, tolerance = 1e-8) {
  setwd(file.path(home, "python/crewe/datasets/data"))
  on.exit(setwd(home))
  suppressMessages(suppressWarnings(eval(parse(text = code), page)))
  value <- if (is.null(give)) numeric(0) else suppressMessages(as.numeric(eval(parse(text = give), page)))
  list(id = one(id), code = strsplit(code, "\n", fixed = TRUE)[[1]], crewe = one(if (is.null(crewe)) "[]" else crewe),
       tolerance = one(tolerance), value = value)
}

cases <- list(
  case("data", 'library(sandwich); library(clubSandwich); library(lmtest); library(emmeans)
library(survival); library(coin); library(pwr)
awards <- subset(read.csv("achievement_awards.csv.gz"), year == 2001)
rossi <- read.csv("rossi.csv.gz", stringsAsFactors = TRUE)', "nrow(awards); c(nrow(awards), nrow(rossi))",
       "[len(awards), len(rossi)]"),
  case("cr2", 'fit <- lm(Bagrut_status ~ treated + girl + school_type + lagscore, data = awards)
coef_test(fit, vcov = "CR2", cluster = awards$school_id, test = "Satterthwaite")',
       '{ found <- coef_test(fit, vcov = "CR2", cluster = awards$school_id, test = "Satterthwaite")
        c(found$beta, found$SE, found$df_Satt, found$p_Satt) }',
       '[*fit.tidy()["estimate"], *fit.tidy()["std_error"], *fit.tidy()["df"], *fit.tidy()["p_value"]]', 1e-7),
  case("interval", 'conf_int(fit, vcov = "CR2", cluster = awards$school_id)["treated", ]',
       '{ found <- conf_int(fit, vcov = "CR2", cluster = awards$school_id)["treated", ]
        c(found$CI_L, found$CI_U) }',
       'list(fit.tidy().loc[1, ["conf_low", "conf_high"]])', 1e-7),
  case("cr1s", 'coeftest(fit, vcov = vcovCL(fit, cluster = ~ school_id), df = 38)',
       'coeftest(fit, vcov = vcovCL(fit, cluster = ~ school_id), df = 38)["treated", c(2, 4)]',
       'list(stata.tidy().loc[1, ["std_error", "p_value"]])'),
  case("hc", 'coeftest(fit, vcov = vcovHC(fit, type = "HC1"))',
       'coeftest(fit, vcov = vcovHC(fit, type = "HC1"))["treated", c(2, 4)]',
       'list(robust.tidy().loc[1, ["std_error", "p_value"]])'),
  case("wald", 'Wald_test(fit, constraints = constrain_zero("school_type", reg_ex = TRUE),
          vcov = "CR2", cluster = awards$school_id, test = "HTZ")',
       '{ found <- Wald_test(fit, constraints = constrain_zero("school_type", reg_ex = TRUE), vcov = "CR2",
                             cluster = awards$school_id, test = "HTZ")
        c(found$Fstat, found$df_denom, found$p_val) }',
       'list(joint.loc[0, ["statistic", "df_denom", "p_value"]])', 1e-7),
  case("margins", 'emmeans(fit, "treated", weights = "proportional")',
       'summary(emmeans(fit, "treated", weights = "proportional"))$emmean',
       'list(levels.tidy()["estimate"])'),
  case("logit", 'odds <- glm(Bagrut_status ~ treated + girl + lagscore, family = binomial, data = awards)
sqrt(diag(vcovCL(odds, cluster = ~ school_id, type = "HC0")))',
       '{ odds <- update(odds, control = glm.control(epsilon = 1e-14))
        c(coef(odds), sqrt(diag(vcovCL(odds, cluster = ~ school_id, type = "HC0")))) }',
       '[*odds.coef, *odds.se]'),
  case("coxph", 'hazard <- coxph(Surv(week, arrest) ~ fin + age + prio, data = rossi)
summary(hazard)',
       '{ hazard <- update(hazard, control = coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100))
        c(coef(hazard), sqrt(diag(vcov(hazard))), hazard$loglik[2]) }', '[*hazard.coef, *hazard.se, hazard.loglik]'),
  case("survfit", 'summary(survfit(Surv(week, arrest) ~ fin, data = rossi), times = c(26, 52))',
       '{ found <- summary(survfit(Surv(week, arrest) ~ fin, data = rossi), times = c(26, 52))
        c(found$surv, found$lower, found$upper) }',
       '[*share["estimate"], *share["conf_low"], *share["conf_high"]]'),
  case("logrank", 'survdiff(Surv(week, arrest) ~ fin, data = rossi)',
       'survdiff(Surv(week, arrest) ~ fin, data = rossi)$chisq', '[curves.statistic]'),
  case("zph", 'cox.zph(hazard)', 'cox.zph(hazard)$table', '[*zph["statistic"], *zph["df"], *zph["p_value"]]'),
  case("wilcoxon", 'wilcox_test(prio ~ fin, data = rossi[1:60, ], distribution = "exact")',
       'pvalue(wilcox_test(prio ~ fin, data = rossi[1:60, ], distribution = "exact"))', '[ranks.p_value]'),
  case("p.adjust", 'p.adjust(c(0.01, 0.04, 0.03), "holm")', 'p.adjust(c(0.01, 0.04, 0.03), "holm")',
       'list(cw.adjust([0.01, 0.04, 0.03]))'),
  case("power", 'h <- pwr.2p.test(n = 143, power = 0.8)$h
sin(asin(sqrt(0.226)) + h / 2)^2 - 0.226',
       'sin(asin(sqrt(0.226)) + h / 2)^2 - 0.226', '[power.effect]', 1e-4)
)

write_json_file(
  list(
    packages = versions("sandwich", "clubSandwich", "lmtest", "emmeans", "survival", "coin", "pwr"),
    cases = cases
  ),
  "tests/reference/expected/coming_r.json"
)

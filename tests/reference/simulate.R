# The power of cluster trials, simulated in R from their description: families drawn to arms by sample(), outcomes of
# families by rbeta() and rnorm(), the difference of the arms with a variance that knows families.
#
# Of crewe this shares neither code nor random numbers, so values agree within the error of both simulations, which stands
# beside each. The variances are written out for two arms without covariates and held against clubSandwich on one trial;
# the stratified trial is fitted by lm() and sandwich.
# Run from the root of the repository: Rscript tests/reference/simulate.R
source("tests/reference/lib/write.R")
suppressMessages({library(clubSandwich); library(sandwich)})
set.seed(20151)

# 132 families of 1 to 9 children, 328 in all: as many families as Project Crewe had, at about its mean size. Synthetic.
crewe <- rep(1:9, c(40, 43, 23, 12, 6, 4, 2, 1, 1))
stopifnot(length(crewe) == 132)

# --- outcomes of families: an n x G matrix of totals for rates p (n x G) ------------------------------------------
beta_binomial <- function(sizes, p, icc) {
  each <- rep(sizes, each = nrow(p))
  q <- rbeta(length(p), p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc)
  matrix(rbinom(length(p), each, q), nrow(p))
}
# The scores' correlation that gives the control arm's outcomes the correlation icc: bivariate normal by integrate().
latent <- function(p, icc) {
  h <- qnorm(p)
  joint <- function(r) integrate(function(x) dnorm(x) * pnorm((h - r * x) / sqrt(1 - r^2)), -Inf, h, rel.tol = 1e-10)$value
  uniroot(function(r) joint(r) - p^2 - icc * p * (1 - p), c(0, 1 - 1e-9), tol = 1e-10)$root
}
latent_normal <- function(sizes, p, icc, r) {
  shared <- matrix(rnorm(length(p)), nrow(p))
  # Given what its family shares, a member has the outcome by itself.
  q <- pnorm((qnorm(p) - sqrt(r) * shared) / sqrt(1 - r))
  matrix(rbinom(length(p), rep(sizes, each = nrow(p)), q), nrow(p))
}
normal <- function(sizes, mean, icc) {
  m <- rep(sizes, each = nrow(mean))
  matrix(rnorm(length(mean), m * mean, sqrt(m * (1 + (m - 1) * icc))), nrow(mean))
}

# --- arms and analysis ---------------------------------------------------------------------------------------------
draw_arms <- function(n, families, treated) t(replicate(n, sample(rep(c(1, 0), c(treated, families - treated)))))

# Difference of the arms' means over children, with CR1 (t with G - 1 df) and CR2 (Satterthwaite df under independence).
# In an arm of N children the block of the hat matrix of a family of m is 1/N in every place, so that
# (I - H_gg)^(-1/2) 1 = 1 / sqrt(1 - m / N); p_g'p_h of the degrees of freedom follow in the same way.
compare <- function(arms, totals, sizes) {
  m <- matrix(sizes, nrow(arms), length(sizes), byrow = TRUE)
  estimate <- cr1 <- cr2 <- trace <- square <- 0
  for (a in 0:1) {
    own <- arms == a
    n <- rowSums(m * own)
    mean <- rowSums(totals * own) / n
    u <- (totals - m * mean) * own
    h <- 1 - m / n
    estimate <- estimate + (2 * a - 1) * mean
    cr1 <- cr1 + rowSums(u^2) / n^2
    cr2 <- cr2 + rowSums(u^2 / h) / n^2
    trace <- trace + rowSums(own * m) / n^2
    # sum over pairs of (p_g'p_h)^2, the pairs of a family with itself apart
    w <- own * m^2 / h
    square <- square + (rowSums(w)^2 - rowSums(w^2)) / n^6 + rowSums(own * m^2) / n^4
  }
  families <- length(sizes)
  list(estimate = estimate, CR1 = sqrt(families / (families - 1) * cr1), CR2 = sqrt(cr2),
       df_CR1 = rep(families - 1, nrow(arms)), df_CR2 = trace^2 / square)
}

# One trial against clubSandwich.
local({
  arm <- draw_arms(1, 132, 88)
  totals <- beta_binomial(crewe, 0.226 + 0.2 * arm, 0.36)
  found <- compare(arm, totals, crewe)
  family <- rep(1:132, crewe)
  y <- unlist(lapply(1:132, function(g) rep(c(1, 0), c(totals[g], crewe[g] - totals[g]))))
  z <- rep(arm[1, ], crewe)
  test <- coef_test(lm(y ~ z), vcov = "CR2", cluster = family, test = "Satterthwaite")
  stopifnot(abs(found$CR2 - test$SE[2]) < 1e-12, abs(found$df_CR2 - test$df_Satt[2]) < 1e-8)
  cr1 <- sqrt(vcovCR(lm(y ~ z), cluster = family, type = "CR1")[2, 2])
  stopifnot(abs(found$CR1 - cr1) < 1e-12)
})

share <- function(x) list(value = one(mean(x)), std_error = one(sqrt(mean(x) * (1 - mean(x)) / length(x))))
average <- function(x) list(value = one(mean(x)), std_error = one(sd(x) / sqrt(length(x))))

diagnosands <- function(found, vcov, effect, alpha = 0.05) {
  se <- found[[vcov]]; df <- found[[paste0("df_", vcov)]]
  # Nobody, or everybody, has the outcome: no variance, and no rejection.
  reject <- se > 0 & 2 * pt(-abs(found$estimate / se), df) <= alpha
  out <- list(power = share(reject))
  if (effect != 0) {
    covered <- abs(found$estimate - effect) <= qt(1 - alpha / 2, df) * se
    out <- c(out, list(
      coverage = share(covered), bias = average(found$estimate - effect), mean_std_error = average(se),
      sd = list(value = one(sd(found$estimate)), std_error = one(sd(found$estimate) / sqrt(2 * (length(se) - 1)))),
      type_s = share(sign(found$estimate[reject]) != sign(effect)),
      type_m = average(abs(found$estimate[reject]) / abs(effect))))
  }
  out
}

cases <- list()
add <- function(name, sizes, treated, outcome, vcov, sims, totals) {
  run <- function(effect) {
    arms <- draw_arms(sims, length(sizes), treated)
    compare(arms, totals(sizes, arms * effect), sizes)
  }
  found <- diagnosands(run(outcome$effect), vcov, outcome$effect)
  found$size <- diagnosands(run(0), vcov, 0)$power
  cases[[length(cases) + 1]] <<- list(
    name = one(name), sizes = sizes, treated = one(treated), outcome = lapply(outcome, one), vcov = one(vcov),
    sims = one(sims), found = found)
}

binary <- function(baseline, icc) function(sizes, shift) beta_binomial(sizes, baseline + shift, icc)
sims <- 40000
add("286 families of 3, the report's plan", rep(3, 286), 143,
    list(name = "binary", baseline = 0.226, effect = 0.112, icc = 0.36, sharing = "beta_binomial"), "CR1", sims,
    binary(0.226, 0.36))
for (vcov in c("CR1", "CR2")) {
  add(paste("132 families of 1 to 9 at 2:1,", vcov), crewe, 88,
      list(name = "binary", baseline = 0.226, effect = 0.2, icc = 0.36, sharing = "beta_binomial"), vcov, sims,
      binary(0.226, 0.36))
}
add("132 families of 1 to 9 at 1:2, a fall", crewe, 44,
    list(name = "binary", baseline = 0.4, effect = -0.18, icc = 0.36, sharing = "beta_binomial"), "CR2", sims,
    binary(0.4, 0.36))
r <- latent(0.226, 0.36)
add("132 families of 1 to 9 at 2:1, normal scores", crewe, 88,
    list(name = "binary", baseline = 0.226, effect = 0.2, icc = 0.36, sharing = "latent_normal"), "CR2", sims,
    function(sizes, shift) latent_normal(sizes, 0.226 + shift, 0.36, r))
add("20 families of 1 to 9, scores", crewe[c(1:4, 50:55, 90:93, 110:112, 130:132)], 10,
    list(name = "continuous", effect = 0.9, icc = 0.3, sd = 1, baseline = 0), "CR2", sims,
    function(sizes, shift) normal(sizes, shift, 0.3))

# --- strata: rates of 15% and 35% by the history of a family, 2:1 within each, a term for the history -------------
history <- rep(0:1, 66)
stratified <- local({
  effect <- 0.2; sims <- 3000; family <- rep(1:132, crewe); past <- rep(history, crewe)
  one_trial <- function(effect) {
    arm <- numeric(132)
    for (h in 0:1) arm[history == h] <- sample(rep(c(1, 0), c(44, 22)))
    totals <- beta_binomial(crewe, matrix(0.15 + 0.2 * history + effect * arm, 1), 0.36)
    y <- unlist(lapply(1:132, function(g) rep(c(1, 0), c(totals[g], crewe[g] - totals[g]))))
    z <- rep(arm, crewe)
    fit <- lm(y ~ z + past)
    c(coef(fit)[["z"]], sqrt(vcovCL(fit, cluster = family, type = "HC0", cadjust = TRUE)[2, 2]))
  }
  run <- function(effect) {
    found <- replicate(sims, one_trial(effect))
    list(estimate = found[1, ], CR1 = found[2, ], df_CR1 = rep(131, sims))
  }
  found <- diagnosands(run(effect), "CR1", effect)
  found$size <- diagnosands(run(0), "CR1", 0)$power
  list(name = one("132 families of 1 to 9 at 2:1 within two strata"), sizes = crewe, history = history, treated = one(88),
       outcome = list(name = one("binary"), effect = one(effect), icc = one(0.36), sharing = one("beta_binomial")),
       rates = c(0.15, 0.35), vcov = one("CR1"), sims = one(sims), found = found)
})
cases[[length(cases) + 1]] <- stratified

# --- times to an event and logit: 132 families at 2:1, models of R's own packages --------------------------------
# Siblings share a gamma frailty on the scale of survival probabilities, so that times are exponential in each arm
# (Marshall and Olkin): U = (1 + E / V)^(-1/theta), V gamma of shape 1/theta; T = -log U / hazard.
suppressMessages(library(survival))
fam <- rep(1:132, crewe)
times <- function(z, baseline, ratio, tau, entry, dropout) {
  theta <- 2 * tau / (1 - tau)
  v <- rgamma(132, 1 / theta)[fam]
  u <- (1 + rexp(length(fam)) / v)^(-1 / theta)
  t <- -log(u) / (-log(1 - baseline) * ifelse(z == 1, ratio, 1))
  end <- pmin((1 - entry * runif(132))[fam], rexp(length(fam), -log(1 - dropout)))
  list(time = pmin(t, end), event = as.numeric(t <= end))
}
many <- function(sims, effect, one_trial) {
  found <- replicate(sims, one_trial(draw_arms(1, 132, 88)[1, ][fam], effect))
  lapply(split(found, row(found)), as.numeric)
}
tested <- function(estimate, se, effect, df = Inf) {
  reject <- 2 * pt(-abs(estimate / se), df) <= 0.05
  list(power = share(reject), sd = list(value = one(sd(estimate)), std_error = one(sd(estimate) / sqrt(2 * (length(se) - 1)))),
       mean_std_error = average(se), bias = average(estimate - effect),
       coverage = share(abs(estimate - effect) <= qt(0.975, df) * se))
}
sims <- 2500
survived <- local({
  asked <- list(name = "survival", baseline = 0.7, effect = 1.6, tau = 0.33, entry = 0.5, dropout = 0.1)
  one_trial <- function(z, effect) {
    d <- times(z, asked$baseline, effect, asked$tau, asked$entry, asked$dropout)
    naive <- coxph(Surv(d$time, d$event) ~ z)
    robust <- coxph(Surv(d$time, d$event) ~ z, cluster = fam)
    rank <- survdiff(Surv(d$time, d$event) ~ z)
    c(coef(robust), sqrt(vcov(naive)), sqrt(vcov(robust)), sqrt(rank$chisq), summary(robust)$robscore[["test"]])
  }
  with <- many(sims, asked$effect, one_trial); none <- many(sims, 1, one_trial)
  case <- function(name, model, vcov, found) list(
    name = one(name), model = one(model), vcov = one(vcov), sizes = crewe, treated = one(88),
    outcome = lapply(asked, one), sims = one(sims), found = found)
  cox <- function(name, vcov, place) {
    found <- tested(with[[1]], with[[place]], log(asked$effect))
    found$size <- share(2 * pnorm(-abs(none[[1]] / none[[place]])) <= 0.05)
    case(name, "cox", vcov, found)
  }
  rank <- function(name, vcov, of) case(name, "log_rank", vcov, list(
    power = share(2 * pnorm(-of(with)) <= 0.05), size = share(2 * pnorm(-of(none)) <= 0.05)))
  list(cox("Cox, robust", "CR0", 3), cox("Cox, as if independent", "iid", 2),
       rank("log-rank, as if independent", "iid", function(x) x[[4]]),
       rank("log-rank, robust", "CR0", function(x) sqrt(x[[5]])))
})
averaged <- local({
  asked <- list(name = "binary", baseline = 0.226, effect = 0.2, icc = 0.36, sharing = "beta_binomial")
  one_trial <- function(z, effect) {
    arm <- z[match(1:132, fam)]
    totals <- beta_binomial(crewe, matrix(asked$baseline + effect * arm, 1), asked$icc)
    y <- unlist(lapply(1:132, function(g) rep(c(1, 0), c(totals[g], crewe[g] - totals[g]))))
    fit <- glm(y ~ z, family = binomial)
    p <- plogis(c(sum(coef(fit)), coef(fit)[1]))
    slope <- p * (1 - p)
    gradient <- c(slope[1] - slope[2], slope[1])
    v <- vcovCL(fit, cluster = fam, type = "HC0", cadjust = TRUE)
    c(p[1] - p[2], sqrt(drop(gradient %*% v %*% gradient)))
  }
  with <- many(sims, asked$effect, one_trial); none <- many(sims, 0, one_trial)
  found <- tested(with[[1]], with[[2]], asked$effect, 131)
  found$size <- share(2 * pt(-abs(none[[1]] / none[[2]]), 131) <= 0.05)
  list(name = one("logit, average difference"), model = one("logit"), vcov = one("CR1"), sizes = crewe, treated = one(88),
       outcome = lapply(asked, one), sims = one(sims), found = found)
})
cases <- c(cases, survived, list(averaged))

write_json_file(list(
  metadata = list(r = one(R.version.string), clubSandwich = one(as.character(packageVersion("clubSandwich"))),
                  sandwich = one(as.character(packageVersion("sandwich"))),
                  survival = one(as.character(packageVersion("survival"))), seed = one(20151)),
  latent_correlation = one(r), cases = cases), "tests/reference/expected/simulate.json")

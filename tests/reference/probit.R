# Reference values for probit regression, in the layout of logit.R and on its data: coefficients, likelihoods, covariance
# matrices, degrees of freedom, tests and margins. Run from the root: Rscript tests/reference/probit.R
#
# The bread is the inverse of the EXPECTED information, as R's glm, sandwich and clubSandwich take it, and the score of
# a row is x (y - mu) mu' / V. Values come from the definitions in lib/sandwich.R at the polished coefficients; glm,
# sandwich and clubSandwich, run on a basis orthonormal in the metric of the weights, must agree.
suppressMessages({library(clubSandwich); library(sandwich)})
source("tests/reference/lib/write.R")
source("tests/reference/lib/sandwich.R")
source("tests/reference/lib/families.R")
f <- families$probit
largest <- list()
agree <- function(what, a, b, tolerance) {
  d <- apart(a, b)
  largest[[what]] <<- max(largest[[what]], d)
  if (!is.finite(d) || d > tolerance) stop(what, " differs by ", d)
}

case <- function(name, data, frame, y, columns, cluster = NULL, set = NULL, wald = NULL, note = "") {
  X <- cbind(1, as.matrix(frame[columns]))
  colnames(X) <- c("Intercept", columns)
  outcome <- frame[[y]]
  n <- nrow(X); k <- ncol(X)
  fit <- glm(outcome ~ 0 + X, family = binomial("probit"), control = tight)
  stopifnot(fit$converged)
  coef <- polish(X, outcome, rep(1, n), f, unname(coef(fit)))
  agree("coefficients", coef, unname(coef(fit)), 1e-6)
  eta <- drop(X %*% coef)
  ids <- if (is.null(cluster)) NULL else frame[[cluster]]
  s <- sandwich_of(X * f$slope(eta), 1 / f$variance(eta), f$residual(outcome, eta), f$variance(eta), ids)
  cov <- c(list(iid = s$bread), s$cov)
  if (!is.null(ids)) {
    cov$CV3L <- (s$G - 1) / s$G * cov$CR3
    cov$CV3 <- cv3(X, outcome, rep(1, n), f, coef, ids)
    stopifnot(!is.null(cov$CV3))
  }
  df_of <- function(type, C) {
    if (type == "CR2") return(s$satterthwaite(C))
    rep(if (grepl("^(CR|CV)", type)) s$G - 1 else Inf, nrow(C))
  }

  basis <- X %*% s$Rinv
  fit_q <- glm(outcome ~ 0 + basis, family = binomial("probit"), start = qr.coef(qr(basis), eta), control = tight)
  agree("iid", cov$iid, s$back(vcov(fit_q)), 1e-9)
  for (type in c("HC0", "HC1", "HC2", "HC3")) agree(type, cov[[type]], s$back(vcovHC(fit_q, type = type)), 1e-9)
  robust <- NULL
  if (!is.null(ids)) {
    for (type in c("CR0", "CR1", "CR1S", "CR2", "CR3")) {
      V <- vcovCR(fit_q, cluster = ids, type = type)
      agree(type, cov[[type]], s$back(as.matrix(V)), 1e-9)
      if (type == "CR2") robust <- V
    }
    agree("CR2 df", df_of("CR2", diag(k)), linear_contrast(fit_q, robust, s$Rinv)$df, 1e-9)
  }

  contrast <- function(C, estimate = drop(C %*% coef)) lapply(setNames(nm = names(cov)), function(type)
    summarise(estimate, C %*% cov[[type]] %*% t(C), df_of(type, C)))
  margins <- NULL
  if (!is.null(set)) {
    place <- match(set, colnames(X))
    at <- lapply(0:1, function(v) { A <- X; A[, place] <- v; A })
    means <- t(sapply(at, colMeans))
    link <- drop(means %*% coef)
    level <- f$mean(link)
    gradient <- f$slope(link) * means
    observed <- lapply(at, function(A) drop(A %*% coef))
    averaged <- t(mapply(function(A, eta) colMeans(f$slope(eta) * A), at, observed))
    share <- vapply(observed, function(eta) mean(f$mean(eta)), 0)
    difference <- function(M) M[2, , drop = FALSE] - M[1, , drop = FALSE]
    margins <- list(term = one(set),
      means_link = list(x = unname(means), estimate = link, vcov = contrast(means)),
      means = list(levels = level, gradient = unname(difference(gradient)), estimate = one(level[2] - level[1]),
                   vcov = contrast(difference(gradient), level[2] - level[1])),
      observed = list(gradient = unname(rbind(averaged, difference(averaged))), estimate = c(share, share[2] - share[1]),
                      vcov = contrast(rbind(averaged, difference(averaged)), c(share, share[2] - share[1]))))
  }
  test <- NULL
  if (!is.null(wald)) {
    C <- diag(k)[match(wald, colnames(X)), , drop = FALSE]
    b <- drop(C %*% coef)
    test <- list(R = C, vcov = list(iid = joint(C, b, cov$iid, Inf), HC2 = joint(C, b, cov$HC2, Inf)))
    if (!is.null(ids)) {
      test$vcov$CR1 <- joint(C, b, cov$CR1, s$G - 1)
      mine <- s$htz(C, b)
      htz <- Wald_test(fit_q, C %*% s$Rinv, robust, test = "HTZ")
      agree("HTZ", c(mine$statistic, mine$df_denom), c(htz$Fstat, htz$df_denom), 1e-9)
      test$vcov$CR2 <- lapply(mine, one)
    }
  }
  ll <- sum(f$likelihood(outcome, eta))
  agree("log-likelihood", ll, as.numeric(logLik(fit)), 1e-12)
  share <- mean(outcome)
  null <- n * (share * log(share) + (1 - share) * log(1 - share))
  agree("null log-likelihood", null, as.numeric(logLik(glm(outcome ~ 1, family = binomial("probit"), control = tight))), 1e-12)
  list(name = one(name), note = one(note), data = data, y = one(y), columns = columns,
       cluster = if (is.null(cluster)) NULL else one(cluster), coef = coef, log_likelihood = one(ll),
       null_log_likelihood = one(null), aic = one(2 * (k - ll)), max_abs_eta = one(max(abs(eta))),
       vcov = lapply(setNames(nm = names(cov)), function(type)
         c(list(cov = unname(cov[[type]])), summarise(coef, cov[[type]], df_of(type, diag(k))))),
       margins = margins, wald = test)
}
inline <- function(frame) list(columns = lapply(as.list(frame), as.numeric))

awards <- read.csv("tests/reference/data/achievement_2001.csv")
covariates <- c("treated", "girl", "religious", "secular", "immigrant", "siblings", "father_ed", "mother_ed", "lagscore")
cases <- list(case("achievement_2001", list(csv = one("tests/reference/data/achievement_2001.csv")), awards,
                   "Bagrut_status", covariates, "school_id", set = "treated", wald = c("religious", "secular")))
infertility <- data.frame(case = infert$case, spontaneous = infert$spontaneous, induced = infert$induced, age = infert$age,
                          parity = infert$parity, set = infert$stratum)
cases[[2]] <- case("infert", inline(infertility), infertility, "case", c("spontaneous", "induced", "age", "parity"), "set",
                   wald = c("spontaneous", "induced"), note = "R's infert; every matched set is a cluster of three.")
chick <- subset(ChickWeight, Time > 0)
chick <- data.frame(heavy = as.numeric(chick$weight > 120), time = chick$Time, diet2 = as.numeric(chick$Diet == 2),
                    diet3 = as.numeric(chick$Diet == 3), diet4 = as.numeric(chick$Diet == 4),
                    chick = as.integer(as.character(chick$Chick)))
cases[[3]] <- case("chick_weight", inline(chick), chick, "heavy", c("time", "diet2", "diet3", "diet4"), "chick", set = "diet3",
                   wald = c("diet2", "diet3", "diet4"), note = "R's ChickWeight; heavier than 120 g.")
cars <- data.frame(am = mtcars$am, wt = mtcars$wt, hp = mtcars$hp / 100)
cases[[4]] <- case("mtcars", inline(cars), cars, "am", c("wt", "hp"), NULL, note = "R's mtcars; no clusters; hp in hundreds.")
bands <- data.frame(count = as.numeric(InsectSprays$count > 9), b = as.numeric(InsectSprays$spray %in% c("A", "B")),
                    block = rep(1:12, 6))
cases[[5]] <- case("sprays", inline(bands), bands, "count", "b", "block", set = "b",
                   note = "Two rows of b = 1 and four of b = 0 in each of twelve clusters.")
weight <- cars[c("am", "wt")]
cases[[6]] <- case("mtcars_weight", inline(weight), weight, "am", "wt", NULL,
                   note = "The standard error of wt is .7197 by the expected information; by the observed one it is .7093.")
stopifnot(round(cases[[6]]$vcov$iid$se[2], 4) == 0.7197)

# The other definition, by differences of the score: what the observed information gives.
X <- cbind(1, weight$wt)
score <- function(b) {
  eta <- drop(X %*% b)
  drop(crossprod(X, f$residual(weight$am, eta) * f$slope(eta) / f$variance(eta)))
}
observed <- sapply(1:2, function(j) {
  h <- 1e-3 * (1:2 == j)
  b <- cases[[6]]$coef
  (8 * (score(b - h) - score(b + h)) - (score(b - 2 * h) - score(b + 2 * h))) / 12e-3
})
se <- sqrt(diag(solve(observed)))
cases[[6]]$observed_information_se_not_ours <- signif(se, 9)
stopifnot(round(se[2], 4) == 0.7093)

for (what in names(largest)) cat(sprintf("%-20s %.1e\n", what, largest[[what]]))
metadata <- c(versions("clubSandwich", "sandwich"), list(confidence = one(0.95), definitions = list(
  iid_HC = one("inverse of the expected information X' diag(mu'^2 / V) X; scores x (y - mu) mu' / V; z, so that df is null"),
  CR = one("clubSandwich::vcovCR for glm: D = X mu', weights 1 / V, working variance V, response residuals; CR0, CR1, CR1S, CR3 on t(G - 1)"),
  CR2 = one("A = D (D (I - H) V D)^(-1/2) D with D'D = V, Satterthwaite degrees of freedom of each contrast"),
  CV3 = one("(G-1)/G sum (b_g - b)(b_g - b)' by refits without each cluster, on t(G - 1)"),
  CV3L = one("to first order: (G-1)/G CR3, on t(G - 1)"),
  margins = one("delta method: the gradient is the contrast; levels at the means are tested on the link scale"))))
write_json_file(list(metadata = metadata, cases = cases), "tests/reference/expected/probit.json")
for (c in cases) cat(sprintf("%-20s max |eta| %.2f CR2 df %s\n", c$name[[1]], c$max_abs_eta[[1]], paste(format(c$vcov$CR2$df, digits = 4), collapse = " ")))

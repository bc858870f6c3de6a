# Reference values for logistic regression: coefficients, likelihoods, covariance matrices, degrees of freedom, tests and
# margins, from glm, sandwich, clubSandwich and emmeans. Run from the root: Rscript tests/reference/logit.R
#
# As for linear models clubSandwich runs on a well-conditioned basis of the same column space: Q = X R^-1, orthonormal
# in the metric of the final weights. Its results are mapped back by R^-1; the run on X itself must agree (checked).
suppressMessages({library(clubSandwich); library(sandwich); library(emmeans)})
source("tests/reference/lib/write.R")
source("tests/reference/lib/families.R")
tight <- glm.control(epsilon = 1e-14, maxit = 100)

summarise <- function(estimate, cov, df) {
  se <- sqrt(diag(cov))
  half <- qt(0.975, df) * se
  list(se = unname(se), df = unname(df), p = unname(2 * pt(abs(estimate / se), df, lower.tail = FALSE)),
       conf_low = unname(estimate - half), conf_high = unname(estimate + half))
}

case <- function(name, data, frame, y, columns, cluster = NULL, set = NULL, wald = NULL, note = "") {
  X <- cbind(1, as.matrix(frame[columns]))
  colnames(X) <- c("Intercept", columns)
  outcome <- frame[[y]]
  n <- nrow(X); k <- ncol(X)
  fit <- glm(outcome ~ 0 + X, family = binomial, control = tight)
  coef <- unname(coef(fit))
  # One more Newton step, by QR: glm stops on the deviance, which is flat at the maximum.
  for (i in 1:2) {
    mu <- plogis(drop(X %*% coef)); w <- mu * (1 - mu)
    coef <- coef + qr.coef(qr(X * sqrt(w), tol = 1e-14), (outcome - mu) / sqrt(w))
  }
  coef <- unname(coef)
  mu <- plogis(drop(X %*% coef)); w <- mu * (1 - mu)
  decomposition <- qr(X * sqrt(w), tol = 1e-14)
  stopifnot(identical(decomposition$pivot, seq_len(k)), max(abs(coef - coef(fit))) < 1e-8 * max(abs(coef)))
  Rinv <- backsolve(qr.R(decomposition), diag(k))
  Q <- X %*% Rinv
  start <- qr.coef(qr(Q), drop(X %*% coef))
  fit_q <- glm(outcome ~ 0 + Q, family = binomial, start = start, control = tight)
  back <- function(V) { V <- Rinv %*% as.matrix(V) %*% t(Rinv); (V + t(V)) / 2 }
  h <- rowSums((Q * sqrt(w))^2)
  e <- outcome - mu
  meat <- function(v) { V <- Rinv %*% crossprod(Q * v) %*% t(Rinv); (V + t(V)) / 2 }
  cov <- list(iid = tcrossprod(Rinv), HC0 = meat(e), HC1 = meat(e) * n / (n - k), HC2 = meat(e / sqrt(1 - h)), HC3 = meat(e / (1 - h)))
  for (type in c("HC0", "HC1", "HC2", "HC3")) {
    theirs <- vcovHC(fit_q, type = type)
    stopifnot(max(abs(back(theirs) - cov[[type]]) / tcrossprod(sqrt(diag(cov[[type]])))) < 1e-7)
  }
  df <- lapply(cov, function(V) rep(Inf, k))
  robust <- NULL
  if (!is.null(cluster)) {
    ids <- frame[[cluster]]
    G <- length(unique(ids))
    for (type in c("CR0", "CR1", "CR1S", "CR2", "CR3")) {
      V <- vcovCR(fit_q, cluster = ids, type = type)
      if (type == "CR2") robust <- V
      cov[[type]] <- back(V)
      df[[type]] <- rep(G - 1, k)
      direct <- as.matrix(vcovCR(fit, cluster = ids, type = type))
      stopifnot(max(abs(direct - cov[[type]]) / tcrossprod(sqrt(diag(cov[[type]])))) < 1e-6)
    }
    df$CR2 <- linear_contrast(fit_q, robust, Rinv)$df
    cov$CV3L <- (G - 1) / G * cov$CR3
    cov$CV3 <- cv3(X, outcome, rep(1, n), families$logit, coef, ids)
    stopifnot(!is.null(cov$CV3))
    df$CV3 <- df$CV3L <- rep(G - 1, k)
  }
  contrast <- function(C, estimate = drop(C %*% coef)) {
    lapply(setNames(names(cov), names(cov)), function(type) {
      d <- if (type == "CR2") linear_contrast(fit_q, robust, C %*% Rinv)$df else rep(df[[type]][1], nrow(C))
      summarise(estimate, C %*% cov[[type]] %*% t(C), d)
    })
  }
  margins <- NULL
  if (!is.null(set)) {
    place <- match(set, colnames(X))
    at <- lapply(0:1, function(v) { A <- X; A[, place] <- v; A })
    means <- t(sapply(at, colMeans))
    eta <- drop(means %*% coef)
    level <- plogis(eta)
    gradient <- level * (1 - level) * means
    observed <- lapply(at, function(A) plogis(drop(A %*% coef)))
    averaged <- t(mapply(function(A, m) colMeans(m * (1 - m) * A), at, observed))
    share <- vapply(observed, mean, 0)
    difference <- function(M) M[2, , drop = FALSE] - M[1, , drop = FALSE]
    margins <- list(term = one(set),
      means_link = list(x = means, estimate = eta, vcov = contrast(means)),
      means = list(levels = level, gradient = difference(gradient), estimate = one(level[2] - level[1]),
                   vcov = contrast(difference(gradient), level[2] - level[1])),
      observed = list(gradient = rbind(averaged, difference(averaged)), estimate = c(share, share[2] - share[1]),
                      vcov = contrast(rbind(averaged, difference(averaged)), c(share, share[2] - share[1]))))
  }
  joint <- NULL
  if (!is.null(wald)) {
    C <- diag(k)[match(wald, colnames(X)), , drop = FALSE]
    q <- nrow(C)
    b <- drop(C %*% coef)
    form <- function(type) drop(crossprod(b, solve(C %*% cov[[type]] %*% t(C), b))) / q
    row <- function(statistic, d) list(statistic = one(statistic), df_num = one(q), df_denom = one(d),
                                       p = one(pf(statistic, q, d, lower.tail = FALSE)))
    joint <- list(R = C, vcov = list(iid = row(form("iid"), Inf), HC2 = row(form("HC2"), Inf)))
    if (!is.null(cluster)) {
      joint$vcov$CR1 <- row(form("CR1"), G - 1)
      htz <- Wald_test(fit_q, C %*% Rinv, robust, test = "HTZ")
      joint$vcov$CR2 <- list(statistic = one(htz$Fstat), df_num = one(q), df_denom = one(htz$df_denom), p = one(htz$p_val))
    }
  }
  ll <- sum(outcome * plogis(drop(X %*% coef), log.p = TRUE) + (1 - outcome) * plogis(-drop(X %*% coef), log.p = TRUE))
  null <- glm(outcome ~ 1, family = binomial, control = tight)
  stopifnot(abs(ll - as.numeric(logLik(fit))) < 1e-9 * abs(ll))
  list(name = one(name), note = one(note), data = data, y = one(y), columns = columns,
       cluster = if (is.null(cluster)) NULL else one(cluster), coef = coef, log_likelihood = one(ll),
       null_log_likelihood = one(as.numeric(logLik(null))), aic = one(2 * (k - ll)), odds_ratio = exp(coef),
       vcov = lapply(setNames(names(cov), names(cov)), function(type)
         c(list(cov = unname(cov[[type]])), summarise(coef, cov[[type]], df[[type]]))),
       margins = margins, wald = joint)
}
inline <- function(frame) list(columns = lapply(as.list(frame), as.numeric))

awards <- read.csv("tests/reference/data/achievement_2001.csv")
covariates <- c("treated", "girl", "religious", "secular", "immigrant", "siblings", "father_ed", "mother_ed", "lagscore")
cases <- list(case("achievement_2001", list(csv = one("tests/reference/data/achievement_2001.csv")), awards,
                   "Bagrut_status", covariates, "school_id", set = "treated", wald = c("religious", "secular")))

# What other definitions of the mean give, recorded as what crewe's margins are not.
awards$school_type <- factor(ifelse(awards$religious == 1, "Religious", ifelse(awards$secular == 1, "Secular", "Arab")))
emm_fit <- glm(Bagrut_status ~ factor(treated) + girl + school_type + immigrant + siblings + father_ed + mother_ed + lagscore,
               family = binomial, data = awards, control = tight)
equal_fit <- glm(Bagrut_status ~ treated + girl + school_type + immigrant + siblings + father_ed + mother_ed + lagscore,
                 family = binomial, data = awards, control = tight)
default <- summary(emmeans(equal_fit, "treated", type = "response"))$prob
proportional <- summary(emmeans(emm_fit, "treated", weights = "proportional", type = "response", cov.keep = character()))$prob
cases[[1]]$margins$emmeans_proportional <- proportional
cases[[1]]$margins$emmeans_equal_weights_not_ours <- default
a <- cases[[1]]
print(c(a$margins$means$levels, a$margins$observed$estimate[1:2], default, a$vcov$CR2$se[2], a$vcov$CR2$df[2], a$vcov$CR2$p[2]), digits = 9)
stopifnot(round(a$margins$means$levels, 4) == c(.0925, .1385), round(a$margins$observed$estimate[1:2], 4) == c(.2115, .2709),
          round(default, 4) == c(.1232, .1814), abs(a$vcov$CR2$se[2] - .3120322) < 1e-6,
          abs(proportional - a$margins$means$levels) < 1e-10)

# Infertility after abortion, matched sets of three as clusters.
infertility <- data.frame(case = infert$case, spontaneous = infert$spontaneous, induced = infert$induced, age = infert$age,
                          parity = infert$parity, set = infert$stratum)
cases[[2]] <- case("infert", inline(infertility), infertility, "case", c("spontaneous", "induced", "age", "parity"), "set",
                   wald = c("spontaneous", "induced"), note = "R's infert; every matched set is a cluster of three.")
# Clusters of one to six rows, some with the same predictor in all rows.
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

metadata <- c(versions("clubSandwich", "sandwich", "emmeans"), list(confidence = one(0.95), definitions = list(
  iid_HC = one("inverse information; sandwich::vcovHC for glm; z"),
  CR = one("clubSandwich::vcovCR for glm: working variance mu (1 - mu), response residuals; CR0, CR1, CR1S, CR3 on t(G - 1)"),
  CR2 = one("A = D (V - V x M x' V)^(-1/2) D form of clubSandwich 0.5.8, Satterthwaite degrees of freedom of each contrast"),
  margins = one("delta method: the gradient is the contrast; levels at the means are tested on the link scale"))))
write_json_file(list(metadata = metadata, cases = cases), "tests/reference/expected/logit.json")
for (c in cases) cat(sprintf("%-20s CR2 df %s\n", c$name[[1]], paste(format(c$vcov$CR2$df, digits = 4), collapse = " ")))

# Reference values for weighted fits: linear, logit and probit, with probability weights (a row stands for w rows) and
# analytic weights (the variance of a row is sigma^2 / w). Run from the root: Rscript tests/reference/weighted.R
#
# Values come from the definitions in lib/sandwich.R; clubSandwich and sandwich must agree, or the script stops.
suppressMessages({library(clubSandwich); library(sandwich)})
source("tests/reference/lib/write.R")
source("tests/reference/lib/sandwich.R")
source("tests/reference/lib/families.R")
source("tests/reference/lib/margins.R")
largest <- list()
agree <- function(what, a, b, tolerance) {
  d <- apart(a, b)
  largest[[what]] <<- max(largest[[what]], d)
  if (!is.finite(d) || d > tolerance) stop(what, " differs by ", d)
}

# What clubSandwich gives on an orthonormal basis, mapped back; its degrees of freedom by HTZ with one row, since with
# weights linear_contrast of 0.5.8 stops on an undefined name.
theirs <- function(fit, ids, s, C_wald, ...) {
  V <- lapply(setNames(nm = c("CR0", "CR1", "CR1S", "CR2", "CR3")), function(type) vcovCR(fit, cluster = ids, type = type, ...))
  df <- function(C) apply(C %*% s$Rinv, 1, function(row) Wald_test(fit, matrix(row, 1), V$CR2, test = "HTZ")$df_denom)
  list(cov = lapply(V, function(v) s$back(as.matrix(v))), df = df,
       htz = lapply(C_wald, function(C) Wald_test(fit, C %*% s$Rinv, V$CR2, test = "HTZ")))
}

case <- function(set, data, y, columns, cluster, weights, family, kind, term, wald) {
  frame <- data[[set]]$frame
  X <- cbind(1, as.matrix(frame[columns]))
  colnames(X) <- c("Intercept", columns)
  outcome <- frame[[y]]
  w <- frame[[weights]]
  ids <- if (is.null(cluster)) NULL else frame[[cluster]]
  n <- nrow(X); k <- ncol(X)
  f <- families[[family]]
  linear <- family == "gaussian"
  if (linear) {
    coef <- unname(qr.coef(qr(X * sqrt(w), tol = 1e-13), outcome * sqrt(w)))
    e <- outcome - drop(X %*% coef)
    sigma <- sqrt(sum(w * e^2) / (n - k))
    s <- if (kind == "probability") sandwich_of(X, w, e, rep(1, n), ids) else
      sandwich_of(X * sqrt(w), rep(1, n), e * sqrt(w), rep(1, n), ids)
  } else {
    fit <- suppressWarnings(glm(outcome ~ 0 + X, family = binomial(family), weights = w, control = tight))
    stopifnot(fit$converged)
    coef <- polish(X, outcome, w, f, unname(coef(fit)))
    eta <- drop(X %*% coef)
    s <- sandwich_of(X * f$slope(eta), w / f$variance(eta), f$residual(outcome, eta), f$variance(eta) / w, ids)
    agree("glm coefficients", coef, unname(coef(fit)), 1e-6)
  }
  cov <- s$cov
  if (linear && kind == "analytic") cov <- c(list(iid = sigma^2 * s$bread), cov)
  if (!linear && kind == "analytic") cov <- c(list(iid = s$bread), cov)
  if (!is.null(ids)) {
    if (linear) {
      shifts <- sapply(unique(ids), function(g) {
        kept <- ids != g
        unname(qr.coef(qr((X * sqrt(w))[kept, ], tol = 1e-13), (outcome * sqrt(w))[kept])) - coef
      })
      cov$jackknife <- (s$G - 1) / s$G * tcrossprod(shifts)
    } else {
      cov$CV3L <- (s$G - 1) / s$G * cov$CR3
      cov$CV3 <- cv3(X, outcome, w, f, coef, ids)
      stopifnot(!is.null(cov$CV3))
    }
  }
  if (linear && !is.null(ids)) agree("CR3 and jackknife", cov$CR3 * (s$G - 1) / s$G, cov$jackknife, 1e-9)
  bell <- linear && kind == "analytic"
  df_of <- function(type, C) {
    if (type == "CR2") return(s$satterthwaite(C))
    if (type == "HC2" && bell) return(bell_mccaffrey(s$Q, C %*% s$Rinv))
    rep(if (type %in% c("CR0", "CR1", "CR1S", "CR3", "jackknife", "CV3", "CV3L")) s$G - 1 else if (linear) n - k else Inf, nrow(C))
  }
  picks <- lapply(wald, function(names) diag(k)[match(names, colnames(X)), , drop = FALSE])

  # sandwich and clubSandwich on the same basis.
  w_col <- w
  if (linear) {
    basis <- if (kind == "probability") s$Q else s$Q / sqrt(w)
    fit_q <- lm(outcome ~ 0 + basis, weights = w_col)
    flat_y <- outcome * sqrt(w)
    flat <- s$Q
    fit_flat <- lm(flat_y ~ 0 + flat)
  } else {
    basis <- X %*% s$Rinv
    fit_q <- suppressWarnings(glm(outcome ~ 0 + basis, family = binomial(family), weights = w_col, control = tight,
                                  start = qr.coef(qr(basis), eta)))
  }
  for (type in c("HC0", "HC1", "HC2", "HC3"))
    agree(paste("sandwich", type), cov[[type]], s$back(vcovHC(if (bell) fit_flat else fit_q, type = type)), 1e-9)
  if (bell) {
    agree("lm iid", cov$iid, s$back(vcov(fit_q)), 1e-9)
    agree("lm sigma", sigma, summary(fit_q)$sigma, 1e-12)
    if (n <= 200) {
      rows <- vcovCR(fit_flat, cluster = seq_len(n), type = "CR2")
      agree("HC2 df", df_of("HC2", diag(k)), linear_contrast(fit_flat, rows, s$Rinv)$df, 1e-9)
    }
  }
  if (!linear) agree("glm iid", s$bread, s$back(vcov(fit_q)), 1e-9)
  another <- NULL
  if (!is.null(ids)) {
    club <- theirs(if (bell) fit_flat else fit_q, ids, s, picks)
    # clubSandwich's absolute cut of eigenvalues of the order of (V / w)^2 drops rows of nearly certain outcomes.
    cut <- !linear && min(f$variance(eta) / w) < 2e-6
    tolerance <- if (cut) 1e-4 else 1e-9
    name <- function(what) paste0("clubSandwich ", family, " ", what, if (cut) " (rows cut off)")
    for (type in names(club$cov))
      agree(name(type), cov[[type]], club$cov[[type]], if (type == "CR2") tolerance else 1e-9)
    agree(name("df"), df_of("CR2", diag(k)), club$df(diag(k)), tolerance)
    if (bell) {
      target <- theirs(fit_q, ids, s, picks, target = 1 / w)
      another <- list(se = unname(sqrt(diag(target$cov$CR2))), df = target$df(diag(k)))
      constant <- all(tapply(w, ids, function(v) diff(range(v)) == 0))
      if (constant) {
        agree("constant weights, target 1/w", cov$CR2, target$cov$CR2, 1e-9)
        agree("constant weights, target 1/w, df", df_of("CR2", diag(k)), another$df, 1e-9)
        another <- NULL
      } else cat(sprintf("%-10s %-8s CR2 with target 1/w: se %s df %s\n", set, family,
                         paste(sprintf("%+.1e", another$se / sqrt(diag(cov$CR2)) - 1), collapse = " "),
                         paste(sprintf("%+.1e", another$df / df_of("CR2", diag(k)) - 1), collapse = " ")))
    }
  }

  vcov <- lapply(setNames(nm = names(cov)), function(type)
    c(list(cov = unname(cov[[type]])), summarise(coef, cov[[type]], df_of(type, diag(k)))))
  if (!is.null(another)) {
    vcov$CR2$cr2_target_se <- another$se
    vcov$CR2$cr2_target_df <- another$df
  }
  contrast <- function(C, estimate) lapply(setNames(nm = names(cov)), function(type)
    summarise(estimate, C %*% cov[[type]] %*% t(C), df_of(type, C)))
  place <- match(term, colnames(X))
  settings <- lapply(0:1, function(v) { A <- X; A[, place] <- v; A })
  centres <- lapply(settings, function(A) matrix(colSums(A * w) / sum(w), 1))
  binary <- all(outcome %in% 0:1)
  margins <- list(
    term = one(term),
    means = margin_rows(centres, 1, c("0", "1"), coef, f, contrast, link = !linear, odds = binary),
    observed = margin_rows(settings, w, c("0", "1"), coef, f, contrast, odds = binary))
  tests <- lapply(seq_along(picks), function(i) {
    C <- picks[[i]]
    b <- drop(C %*% coef)
    rest <- if (linear) n - k else Inf
    out <- if ("iid" %in% names(cov)) list(iid = joint(C, b, cov$iid, rest)) else list()
    out$HC1 <- joint(C, b, cov$HC1, rest)
    if (!is.null(ids)) {
      out$CR1 <- joint(C, b, cov$CR1, s$G - 1)
      mine <- s$htz(C, b)
      agree(name("HTZ df"), mine$df_denom, club$htz[[i]]$df_denom, tolerance)
      agree(name("HTZ"), mine$statistic, club$htz[[i]]$Fstat, tolerance)
      out$CR2 <- c(list(rule = one("HTZ")), lapply(mine, one))
    }
    list(name = one(paste(wald[[i]], collapse = ", ")), R = C, vcov = out)
  })
  list(name = one(paste(set, family, kind)), data = one(set), y = one(y), x = colnames(X),
       cluster = if (is.null(cluster)) NULL else one(cluster), weights = one(weights),
       family = one(if (linear) "gaussian" else "binomial"), link = one(if (linear) "identity" else family), kind = one(kind),
       n = one(n), k = one(k), clusters = if (is.null(ids)) NULL else one(s$G), coef = coef,
       sigma = if (bell) one(sigma) else NULL,
       log_likelihood = if (linear) NULL else one(sum(w * f$likelihood(outcome, eta))),
       vcov = vcov, margins = margins, wald = tests)
}

# Made-up weights, the same each time: of the rows, within clusters of the same size and different.
data <- list()
awards <- read.csv("tests/reference/data/achievement_2001.csv")
awards$weight <- 0.5 + (seq_len(nrow(awards)) * 37) %% 101 / 50
data$awards <- list(frame = awards, note = "weights 0.5 + (37 i mod 101) / 50 vary within schools",
                    json = list(csv = one("tests/reference/data/achievement_2001.csv"), columns = list(weight = awards$weight)))
chicks <- data.frame(gain = ChickWeight$weight, day = ChickWeight$Time, diet2 = as.numeric(ChickWeight$Diet == 2),
                     diet3 = as.numeric(ChickWeight$Diet == 3), diet4 = as.numeric(ChickWeight$Diet == 4),
                     chick = as.numeric(as.character(ChickWeight$Chick)))
chicks <- chicks[order(chicks$chick, chicks$day), ]
chicks <- chicks[chicks$day %in% c(4, 8, 12, 14, 18, 20), ]
turn <- ave(chicks$day, chicks$chick, FUN = seq_along)
chicks <- chicks[turn <= 1 + (chicks$chick * 5) %% 6 | turn == 1 + chicks$chick %% 3, ]
chicks$heavy <- as.numeric(chicks$gain > 90)
chicks$weight <- round(0.4 + (seq_len(nrow(chicks)) * 17) %% 23 / 8, 3)
data$chicks <- list(frame = chicks, note = "R's ChickWeight, one to six rows a chick; weights vary within chicks",
                    json = list(columns = as.list(chicks)))
cars <- data.frame(mpg = mtcars$mpg, vs = mtcars$vs, am = mtcars$am, wt = mtcars$wt, qsec = mtcars$qsec)
data$cars <- list(frame = cars, note = "R's mtcars, no clusters", json = list(columns = as.list(cars)))
set.seed(20251125)
size <- sample(1:6, 26, replace = TRUE)
family <- rep(seq_along(size), size)
arm <- rep(sample(rep(0:1, 13)), size)
child <- data.frame(family = family, arm = arm, girl = rbinom(length(family), 1, 0.5), age = round(runif(length(family), 2, 16), 1))
effect <- rep(rnorm(26, 0, 0.7), size)
child$score <- round(12 + 1.5 * arm - 0.2 * child$age + 2 * effect + rnorm(nrow(child), 0, 3), 2)
child$referred <- as.numeric(-1 + 0.7 * arm + 0.05 * child$age + effect + rlogis(nrow(child)) > 0)
child$share <- 1 / size[family]
data$families <- list(frame = child, note = "made up: 26 families of one to six children; weights 1 / size, constant in a family",
                      json = list(columns = as.list(child)))

models <- list(
  list(set = "awards", y = c("Bagrut_status", "Bagrut_status"), columns = c("treated", "girl", "religious", "secular", "siblings", "lagscore"),
       cluster = "school_id", weights = "weight", term = "treated", wald = list(c("religious", "secular"), c("treated", "girl", "siblings"))),
  list(set = "chicks", y = c("gain", "heavy"), columns = c("day", "diet2", "diet3", "diet4"), cluster = "chick", weights = "weight",
       term = "diet3", wald = list(c("diet2", "diet3", "diet4"), c("day", "diet4"))),
  list(set = "cars", y = c("mpg", "vs"), columns = c("am", "wt"), cluster = NULL, weights = "qsec", term = "am", wald = list(c("am", "wt"))),
  list(set = "families", y = c("score", "referred"), columns = c("arm", "girl", "age"), cluster = "family", weights = "share",
       term = "arm", wald = list(c("girl", "age"), c("arm", "girl", "age"))))
cases <- list()
for (m in models) for (family in c("gaussian", "logit", "probit")) for (kind in c("probability", "analytic"))
  cases[[length(cases) + 1]] <- case(m$set, data, m$y[1 + (family != "gaussian")], m$columns, m$cluster, m$weights, family, kind, m$term, m$wald)

for (what in names(largest)) cat(sprintf("%-40s %.1e\n", what, largest[[what]]))
metadata <- c(versions("clubSandwich", "sandwich"), list(confidence = one(0.95), definitions = list(
  probability = one("weights enter the scores; gaussian: HC2 has (w e)^2 / (1 - h), h the weighted hat value; df n - k for HC; no iid"),
  analytic = one("gaussian: least squares of sqrt(w) y on sqrt(w) X, everything as without weights; HC2 has Bell and McCaffrey's df; binomial: the sandwich of probability weights, and iid the inverse of the weighted expected information"),
  binomial_HC = one("z, so that df is null"),
  CR = one("CR0, CR1, CR1S, CR3 and jackknife on t(G - 1); CR1 is G/(G-1), CR1S is G/(G-1) (n-1)/(n-k), CR3 has no factor"),
  CR2 = one("probability: clubSandwich's defaults: identity target for gaussian, V / w for binomial; analytic gaussian: that of the transformed rows"),
  cr2_target = one("another definition of CR2 under analytic weights that vary within a cluster: clubSandwich on the weighted fit with target 1/w"),
  jackknife = one("gaussian: (G-1)/G sum (b_g - b)(b_g - b)' by refits without each cluster; binomial: CV3 by refits, CV3L the form to first order, (G-1)/G CR3"),
  wald = one("HTZ under CR2, F(q, G - 1) under CR1, F(q, n - k) or F(q, Inf) else"),
  margins = one("a level is the weighted mean over rows (observed) or is at the weighted means; `gradient` of `estimate` is the contrast; scale link: low and high are the limits of the level, value the level; scale log: value, low and high are the ratio and its limits; p tests estimate = 0"))))
write_json_file(list(metadata = metadata,
                     data = lapply(data, function(d) c(list(note = one(d$note)), d$json)), cases = cases),
                "tests/reference/expected/weighted.json")

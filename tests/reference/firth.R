# Reference values for logistic regression with Firth's penalty: estimates, penalised likelihoods, profile intervals and
# likelihood ratios, covariances with clusters, refits without each cluster, and margins. Run from the root:
# Rscript tests/reference/firth.R
#
# Written from the formulas (Firth 1993; Heinze and Schemper 2002), with the hat values by QR: Fisher's scoring until nothing
# moves, profiles by the same with one coefficient held, limits by Newton's method on the root of the likelihood ratio.
# brglm2 (AS_mean, which for a logit is the same) must give the estimate and the inverse information. logistf is not in
# Debian; where it is installed its estimates, profile limits and likelihood ratios must come out, with its own iteration
# tightened, and nothing that is written depends on it. Its standard errors (1.26.1) are those of weights that its hat values
# enlarge, not of the information, and are left alone.
suppressMessages(library(brglm2))
source("tests/reference/lib/write.R")
source("tests/reference/lib/sandwich.R")
source("tests/reference/lib/margins.R")
source("tests/reference/lib/families.R")
f <- families$logit
largest <- list()
agree <- function(what, a, b, tolerance, scale = abs(b)) {
  d <- max(abs(a - b) / scale)
  largest[[what]] <<- max(largest[[what]], d)
  if (!is.finite(d) || d > tolerance) stop(what, " differs by ", d)
}

# Everything at one b: l*, its score, the information, and the rows' factors y - mu + h (1/2 - mu).
at <- function(X, y, b) {
  eta <- drop(X %*% b)
  mu <- plogis(eta); w <- mu * plogis(-eta)
  decomposition <- qr(X * sqrt(w), tol = 1e-14)
  R <- qr.R(decomposition)
  h <- rowSums(qr.Q(decomposition)^2)
  factor <- ifelse(y == 1, plogis(-eta), -mu) + h * (0.5 - mu)
  list(l = sum(ifelse(y == 1, plogis(eta, log.p = TRUE), plogis(-eta, log.p = TRUE))) + sum(log(abs(diag(R)))),
       R = R, score = drop(crossprod(X, factor)), factor = factor, w = w)
}
# Fisher's scoring over the coefficients `free`, the others held; a step that lowers l* is halved.
climb <- function(X, y, b = numeric(ncol(X)), free = seq_len(ncol(X))) {
  last <- Inf
  for (i in 1:5000) {
    here <- at(X, y, b)
    if (!length(free)) return(c(here, list(b = b)))
    A <- crossprod(here$R)[free, free, drop = FALSE]
    step <- solve(A, here$score[free])
    size <- sqrt(sum(step * here$score[free]))
    if (size < 1e-13 || (size < 1e-9 && size >= 0.5 * last)) return(c(here, list(b = b)))
    last <- size
    share <- 1
    repeat {
      tried <- b
      tried[free] <- b[free] + share * step
      if (at(X, y, tried)$l >= here$l - 1e-13 * abs(here$l) || share < 1e-9) break
      share <- share / 2
    }
    b <- tried
  }
  stop("not settled")
}
limit <- function(X, y, top, j, side, se) {
  z <- qnorm(0.975)
  free <- setdiff(seq_len(ncol(X)), j)
  root <- function(v, from) {
    b <- from; b[j] <- v
    here <- climb(X, y, b, free)
    list(r = sqrt(max(0, 2 * (top$l - here$l))), slope = here$score[j], b = here$b)
  }
  # The outermost point where the root is still below z, and the innermost where it is above.
  inside <- top$b[j]; v <- inside + side * z * se; from <- top$b; outside <- NA
  for (i in 1:200) {
    here <- root(v, from)
    if (here$r < z) { inside <- v; from <- here$b } else outside <- v
    new <- v - (here$r - z) / (-here$slope / here$r)
    if (abs(new - v) < 1e-12 * se) return(new)
    bracketed <- (new - inside) * side > 0 && (is.na(outside) || (outside - new) * side > 0)
    v <- if (bracketed) new else if (is.na(outside)) inside + side * 2 * abs(inside - top$b[j]) else (inside + outside) / 2
  }
  stop("limit not found")
}

tight_logistf <- function(X, y) {
  control <- logistf::logistf.control(maxit = 5000, maxstep = 0.5, lconv = 1e-14, gconv = 1e-12, xconv = 1e-13)
  profile <- logistf::logistpl.control(maxit = 5000, maxstep = 0.5, lconv = 1e-12, xconv = 1e-12)
  logistf::logistf(y ~ 0 + X, control = control, plcontrol = profile)
}

case <- function(name, data, frame, y, columns, cluster = NULL, set = NULL, note = "") {
  X <- cbind(1, as.matrix(frame[columns]))
  colnames(X) <- c("Intercept", columns)
  outcome <- frame[[y]]
  n <- nrow(X); k <- ncol(X)
  top <- climb(X, outcome)
  coef <- unname(top$b)
  bread <- chol2inv(top$R)
  se <- sqrt(diag(bread))
  theirs <- glm(outcome ~ 0 + X, family = binomial, method = "brglmFit", type = "AS_mean", epsilon = 1e-13, maxit = 10000)
  agree("brglm2 coefficients", coef, unname(coef(theirs)), 1e-8, se)
  agree("brglm2 inverse information", bread, unname(vcov(theirs)), 1e-8, outer(se, se))

  # Twice what l* falls where each is 0, and where all slopes are.
  single <- sapply(seq_len(k), function(j) 2 * (top$l - climb(X, outcome, free = setdiff(seq_len(k), j))$l))
  limits <- sapply(seq_len(k), function(j) c(limit(X, outcome, top, j, -1, se[j]), limit(X, outcome, top, j, 1, se[j])))
  ratio <- 2 * (top$l - climb(X, outcome, free = 1)$l)
  if (requireNamespace("logistf", quietly = TRUE)) {
    fit <- tight_logistf(X, outcome)
    agree("logistf coefficients", coef, unname(fit$coefficients), 1e-8, se)
    agree("logistf penalised log-likelihood", top$l, fit$loglik[["full"]], 1e-10)
    agree("logistf likelihood ratios", pchisq(single, 1, lower.tail = FALSE), unname(fit$prob), 1e-8, 1)
    agree("logistf limits", limits, rbind(unname(fit$ci.lower), unname(fit$ci.upper)), 1e-6, rep(se, each = 2))
    modified <- logistf::logistf.mod.control(terms.fit = 1)
    null <- getFromNamespace("logistf.fit", "logistf")(X, outcome, control = fit$control, modcontrol = modified)
    agree("logistf likelihood ratio of all", ratio, 2 * (fit$loglik[["full"]] - null$loglik), 1e-8)
  }

  rows <- X * top$factor
  cov <- list(iid = bread, HC0 = bread %*% crossprod(rows) %*% bread)
  cov$HC1 <- cov$HC0 * n / (n - k)
  refits <- NULL
  G <- Inf
  if (!is.null(cluster)) {
    ids <- frame[[cluster]]
    sums <- rowsum(rows, ids)
    G <- nrow(sums)
    cov$CR0 <- bread %*% crossprod(sums) %*% bread
    cov$CR1 <- cov$CR0 * G / (G - 1)
    cov$CR1S <- cov$CR1 * (n - 1) / (n - k)
    refits <- t(sapply(unique(ids), function(g) unname(climb(X[ids != g, ], outcome[ids != g], coef)$b)))
    cov$CV3 <- (G - 1) / G * crossprod(sweep(refits, 2, coef))
    cov$jackknife <- cov$CV3
  }
  cov <- lapply(cov, function(V) unname((V + t(V)) / 2))
  df_of <- function(type, C) rep(if (grepl("^(CR|CV|jack)", type)) G - 1 else Inf, nrow(C))
  contrast <- function(C, estimate = drop(C %*% coef)) lapply(setNames(nm = names(cov)), function(type)
    summarise(estimate, C %*% cov[[type]] %*% t(C), df_of(type, C)))
  margins <- NULL
  if (!is.null(set)) {
    place <- match(set, colnames(X))
    settings <- lapply(0:1, function(v) { A <- X; A[, place] <- v; A })
    means <- t(sapply(settings, colMeans))
    link <- drop(means %*% coef)
    level <- f$mean(link)
    gradient <- f$slope(link) * means
    observed <- lapply(settings, function(A) drop(A %*% coef))
    averaged <- t(mapply(function(A, eta) colMeans(f$slope(eta) * A), settings, observed))
    share <- vapply(observed, function(eta) mean(f$mean(eta)), 0)
    difference <- function(M) M[2, , drop = FALSE] - M[1, , drop = FALSE]
    margins <- list(term = one(set),
      means_link = list(x = unname(means), estimate = link, vcov = contrast(means)),
      means = list(levels = level, gradient = unname(difference(gradient)), estimate = one(level[2] - level[1]),
                   vcov = contrast(difference(gradient), level[2] - level[1])),
      observed = list(gradient = unname(rbind(averaged, difference(averaged))), estimate = c(share, share[2] - share[1]),
                      vcov = contrast(rbind(averaged, difference(averaged)), c(share, share[2] - share[1]))))
  }
  cat(sprintf("%-18s n %4d k %2d coef %s\n", name, n, k, paste(format(coef, digits = 4), collapse = " ")))
  list(name = one(name), note = one(note), data = data, y = one(y), columns = columns,
       cluster = if (is.null(cluster)) NULL else one(cluster), coef = coef,
       penalised_log_likelihood = one(top$l), likelihood_ratio = one(ratio), likelihood_ratio_df = one(k - 1),
       likelihood_ratio_p = one(pchisq(ratio, k - 1, lower.tail = FALSE)),
       profile = list(std_error = se, statistic = sign(coef) * sqrt(single), p = pchisq(single, 1, lower.tail = FALSE),
                      conf_low = limits[1, ], conf_high = limits[2, ]),
       vcov = lapply(setNames(nm = names(cov)), function(type)
         c(list(cov = cov[[type]]), summarise(coef, cov[[type]], df_of(type, diag(k))))),
       margins = margins, refits = refits)
}
inline <- function(frame) list(columns = lapply(as.list(frame), as.numeric))

awards <- read.csv("tests/reference/data/achievement_2001.csv")
covariates <- c("treated", "girl", "religious", "secular", "immigrant", "siblings", "father_ed", "mother_ed", "lagscore")
cases <- list(case("achievement_2001", list(csv = one("tests/reference/data/achievement_2001.csv")), awards,
                   "Bagrut_status", covariates, "school_id", set = "treated"))
infertility <- data.frame(case = infert$case, spontaneous = infert$spontaneous, induced = infert$induced, age = infert$age,
                          parity = infert$parity, set = infert$stratum)
cases[[2]] <- case("infert", inline(infertility), infertility, "case", c("spontaneous", "induced", "age", "parity"), "set",
                   note = "R's infert; every matched set is a cluster of three.")
bands <- data.frame(count = as.numeric(InsectSprays$count > 9), b = as.numeric(InsectSprays$spray %in% c("A", "B")),
                    block = rep(1:12, 6))
cases[[3]] <- case("sprays", inline(bands), bands, "count", "b", "block", set = "b",
                   note = "Two rows of b = 1 and four of b = 0 in each of twelve clusters.")
weight <- data.frame(am = mtcars$am, wt = mtcars$wt)
cases[[4]] <- case("mtcars_weight", inline(weight), weight, "am", "wt", NULL, note = "R's mtcars; no clusters.")
set.seed(12)
size <- sample(1:5, 10, replace = TRUE)
cluster <- rep(1:10, size)
families_ten <- data.frame(family = cluster, arm = as.numeric(cluster %% 2 == 0), age = round(runif(length(cluster), 0, 16), 1),
                           girl = rbinom(length(cluster), 1, 0.5))
families_ten$event <- as.numeric(families_ten$arm == 1 & runif(length(cluster)) < 0.4)
cases[[5]] <- case("ten_families", inline(families_ten), families_ten, "event", c("arm", "age", "girl"), "family", set = "arm",
                   note = "Made up: ten families of one to five, no event in the first arm.")
far <- data.frame(y = as.numeric(1:12 > 6), x = 1:12)
cases[[6]] <- case("perfect", inline(far), far, "y", "x", NULL, note = "Made up: x predicts y perfectly.")

for (what in names(largest)) cat(sprintf("%-34s %.1e\n", what, largest[[what]]))
metadata <- c(versions("brglm2"), list(confidence = one(0.95),
  logistf = one("1.26.1: estimates, penalised likelihoods, profile limits and likelihood ratios are as here"),
  definitions = list(
  penalised = one("l + 1/2 ln det X'WX; likelihood ratios hold the penalty of all columns"),
  iid_HC = one("inverse of the information at the penalised estimate; scores x (y - mu + h (1/2 - mu)); z, so that df is null"),
  CR = one("sums of these scores over clusters; CR1 G/(G-1), CR1S G/(G-1) (n-1)/(n-k); t(G - 1)"),
  CV3 = one("(G-1)/G sum (b_g - b)(b_g - b)' by refits without each cluster (`refits`), penalised too; t(G - 1)"),
  profile = one("statistic: the root of the likelihood ratio with the sign of the estimate; limits at the chi-squared quantile of 1 df"))))
write_json_file(list(metadata = metadata, cases = cases), "tests/reference/expected/firth.json")

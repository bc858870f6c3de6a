# Reference values of the linear mixed model with an intercept for every cluster: the restricted likelihood written out with the
# variances brought to its maximum by bisection of its slope, Kenward and Roger's covariance and degrees of freedom and
# Satterthwaite's from their formulas with n x n matrices; lme4 with pbkrtest and lmerTest beside them, as near as their
# optimiser goes. Data: crtData of eefAnalytics (in the folder of its R sources that CREWE_EEFANALYTICS names) and five more.
# Run from the root of the repository: Rscript tests/reference/mixed.R
suppressMessages({library(lme4); library(pbkrtest); library(lmerTest)})
source("tests/reference/lib/write.R")

trace <- function(M) sum(diag(M))

# Everything at given variances.
parts <- function(y, X, id, between, within) {
  Z <- 1 * outer(id, unique(id), "==")
  G <- list(tcrossprod(Z), diag(length(y)))
  V <- between * G[[1]] + within * G[[2]]
  Vi <- solve(V)
  Phi <- solve(t(X) %*% Vi %*% X)
  b <- Phi %*% t(X) %*% Vi %*% y
  list(G = G, V = V, Vi = Vi, Phi = Phi, b = b, P = Vi - Vi %*% X %*% Phi %*% t(X) %*% Vi, r = y - X %*% b)
}

# The slope of the restricted likelihood in the ratio, by sums over clusters; the variance within follows.
reml <- function(y, X, id) {
  n <- length(y); k <- ncol(X)
  sizes <- as.vector(table(factor(id, unique(id))))
  at <- function(ratio) {
    w <- ratio / (1 + sizes * ratio)
    sum_of <- function(M) rowsum(M, factor(id, unique(id)), reorder = FALSE)
    u <- sum_of(X); s <- sum_of(matrix(y))
    A <- crossprod(X) - t(u) %*% (w * u)
    b <- solve(A, crossprod(X, y) - t(u) %*% (w * s))
    r <- y - X %*% b
    rs <- as.vector(sum_of(r))
    squares <- sum(r^2) - sum(w * rs^2)
    shrunk <- 1 / (1 + sizes * ratio)
    slope <- sum(sizes * shrunk) - trace(solve(A) %*% (t(u) %*% (shrunk^2 * u))) - (n - k) * sum((shrunk * rs)^2) / squares
    list(slope = slope, within = squares / (n - k))
  }
  if (at(0)$slope >= 0) return(c(0, at(0)$within))
  low <- 0; high <- 1
  while (at(high)$slope < 0) high <- 2 * high
  for (i in 1:200) { middle <- (low + high) / 2; if (at(middle)$slope < 0) low <- middle else high <- middle }
  within <- at((low + high) / 2)$within
  c(within * (low + high) / 2, within)
}

both <- function(y, X, id) {
  variances <- reml(y, X, id)
  p <- parts(y, X, id, variances[1], variances[2])
  k <- ncol(X); n <- length(y)
  Pi <- lapply(p$G, function(G) -t(X) %*% p$Vi %*% G %*% p$Vi %*% X)
  Q <- lapply(1:2, function(i) lapply(1:2, function(j) t(X) %*% p$Vi %*% p$G[[i]] %*% p$Vi %*% p$G[[j]] %*% p$Vi %*% X))
  I <- H <- matrix(0, 2, 2)
  for (i in 1:2) for (j in 1:2) {
    I[i, j] <- trace(p$Vi %*% p$G[[i]] %*% p$Vi %*% p$G[[j]]) - 2 * trace(p$Phi %*% Q[[i]][[j]]) + trace(p$Phi %*% Pi[[i]] %*% p$Phi %*% Pi[[j]])
    H[i, j] <- 2 * t(y) %*% p$P %*% p$G[[i]] %*% p$P %*% p$G[[j]] %*% p$P %*% y - trace(p$P %*% p$G[[i]] %*% p$P %*% p$G[[j]])
  }
  W <- 2 * solve(I)
  observed <- if (variances[1] == 0) matrix(c(0, 0, 0, 2 / H[2, 2]), 2) else 2 * solve(H)
  U <- 0
  for (i in 1:2) for (j in 1:2) U <- U + W[i, j] * (Q[[i]][[j]] - Pi[[i]] %*% p$Phi %*% Pi[[j]])
  adjusted <- p$Phi + 2 * p$Phi %*% U %*% p$Phi
  df <- function(W, c) {
    a <- sapply(Pi, function(P) t(c) %*% p$Phi %*% P %*% p$Phi %*% c / t(c) %*% p$Phi %*% c)
    2 / as.vector(t(a) %*% W %*% a)
  }
  of_terms <- function(W) sapply(1:k, function(j) df(W, diag(k)[, j]))
  # The joint test of all terms but the intercept.
  L <- diag(k)[-1, , drop = FALSE]; q <- k - 1
  Theta <- t(L) %*% solve(L %*% p$Phi %*% t(L)) %*% L
  A1 <- A2 <- 0
  for (i in 1:2) for (j in 1:2) {
    one_i <- Theta %*% p$Phi %*% Pi[[i]] %*% p$Phi; one_j <- Theta %*% p$Phi %*% Pi[[j]] %*% p$Phi
    A1 <- A1 + W[i, j] * trace(one_i) * trace(one_j); A2 <- A2 + W[i, j] * trace(one_i %*% one_j)
  }
  B <- (A1 + 6 * A2) / (2 * q); g <- ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2); d <- 3 * q + 2 * (1 - g)
  E <- 1 / (1 - A2 / q)
  V <- 2 / q * (1 + g / d * B) / ((1 - (q - g) / d * B)^2 * (1 - (q + 2 - g) / d * B))
  m <- 4 + (q + 2) / (q * V / (2 * E^2) - 1)
  F <- m / (E * (m - 2)) * as.vector(t(L %*% p$b) %*% solve(L %*% adjusted %*% t(L)) %*% (L %*% p$b)) / q
  logdet <- function(M) as.vector(determinant(M)$modulus)
  loglik <- -0.5 * ((n - k) * log(2 * pi) + logdet(p$V) - logdet(p$Phi) + as.vector(t(p$r) %*% p$Vi %*% p$r))
  list(coef = as.vector(p$b), between = one(variances[1]), within = one(variances[2]), log_likelihood = one(loglik),
    se = as.vector(sqrt(diag(p$Phi))), kr_se = as.vector(sqrt(diag(adjusted))), kr_df = of_terms(W), satterthwaite_df = of_terms(observed),
    joint = list(statistic = one(F), df_num = one(q), df_denom = one(m)))
}

far <- function(a, b) max(abs(a / b - 1))
case <- function(formula, data, peers = TRUE) {
  X <- model.matrix(formula, data); y <- model.response(model.frame(formula, data))
  found <- both(y, X, data$id)
  if (peers) {
    fit <- lmerTest::lmer(update(formula, . ~ . + (1 | id)), data, control = lmerControl(optimizer = "nloptwrap", calc.derivs = FALSE,
      optCtrl = list(algorithm = "NLOPT_LN_BOBYQA", xtol_abs = 1e-12, ftol_abs = 1e-14, maxeval = 1e4)))
    kr <- summary(fit, ddf = "Kenward-Roger")$coefficients
    st <- summary(fit, ddf = "Satterthwaite")$coefficients
    none <- lm(update(formula, . ~ 1), data)
    joint <- KRmodcomp(fit, diag(ncol(X))[-1, , drop = FALSE])$test
    off <- c(far(kr[, "Std. Error"], found$kr_se), far(kr[, "df"], found$kr_df), far(joint$stat[1], found$joint$statistic[[1]]),
      far(joint$ddf[1], found$joint$df_denom[[1]]), far(as.vector(logLik(fit)), found$log_likelihood[[1]]))
    message(deparse(formula), ": lme4, pbkrtest differ by ", paste(signif(off, 2), collapse = " "), "; lmerTest's df by ",
      signif(far(st[, "df"], found$satterthwaite_df), 2))
    stopifnot(off < 1e-5)
    found$lmertest_df <- as.vector(st[, "df"])
  }
  c(list(formula = one(deparse(formula))), found, list(data = as.list(data)))
}

old <- "tests/reference/expected/mixed.json"
folder <- Sys.getenv("CREWE_EEFANALYTICS")
if (!nzchar(folder)) stop("set CREWE_EEFANALYTICS to the folder of the R sources of eefAnalytics")
load(file.path(folder, "data/crtData.rda"))
crt <- data.frame(id = as.numeric(factor(crtData$School)), y = crtData$Posttest, arm = crtData$Intervention, pre = crtData$Prettest)

set.seed(55)
made <- function(sizes, icc, skewed = FALSE) {
  id <- rep(seq_along(sizes), sizes); G <- length(sizes)
  shared <- if (skewed) rexp(G) - 1 else rnorm(G)
  arm <- rep_len(c(0, 1, 1), G)[id]
  pre <- round(rnorm(length(id)) + shared[id] / 2, 3)
  data.frame(id, arm, pre, y = round(10 + .4 * arm + .5 * pre + sqrt(icc) * shared[id] + sqrt(1 - icc) * rnorm(length(id)), 3))
}
families <- sample(1:9, 60, replace = TRUE, prob = c(336, 281, 181, 91, 51, 30, 15, 10, 5))
apart <- made(c(4, 7, 5, 9, 6, 8, 3, 10, 5, 6), .1)
# Less alike than by chance: the boundary.
apart$y <- round(apart$y - ave(apart$y, apart$id) + rnorm(10, sd = .05)[apart$id], 3)

write_json_file(list(
  metadata = list(versions = versions("lme4", "pbkrtest", "lmerTest"), eefAnalytics = one("1.1.5")),
  cases = list(
    crt = case(y ~ arm + pre, crt),
    crt_alone = case(y ~ arm, crt),
    families = case(y ~ arm + pre, made(families, .3)),
    few = case(y ~ arm + pre, made(c(2, 3, 15, 4, 9, 30, 6, 5), .2)),
    alike = case(y ~ arm, made(c(5, 12, 3, 8, 20, 2, 7, 9, 4, 6, 11, 3), .9, TRUE)),
    singles = case(y ~ arm + pre, made(c(rep(1, 25), rep(2, 10), 3, 4), .4)),
    boundary = case(y ~ arm + pre, apart))
), old)

# Reference values of the diagnostics of clusters, by the definitions with whole matrices (MacKinnon, Nielsen and Webb 2023; Carter,
# Schnepel and Steigerwald 2017) and by fitting again without each cluster. R's summclust has the same leverage, partial leverage
# and leave-one-out estimates; it is not needed.
# Run from the root of the repository: Rscript tests/reference/diagnostics.R
source("tests/reference/lib/write.R")

trial <- read.csv("tests/reference/data/achievement_2001.csv")
trial$w <- 1 + trial$siblings
schools <- sort(unique(trial$school_id))

# `w` the weights of rows in the information; alike: whether G* under equal rows is defined.
of <- function(X, w, refit, alike) {
  A <- crossprod(X * sqrt(w))
  B <- solve(A)
  groups <- lapply(schools, function(s) which(trial$school_id == s))
  leverage <- sapply(groups, function(r) sum(diag(crossprod(X[r, , drop = FALSE] * sqrt(w[r])) %*% B)))
  terms <- lapply(2:ncol(X), function(j) {
    # What is left of the column beside the others.
    rest <- lm.wfit(X[, -j, drop = FALSE], X[, j], w)$residuals
    partial <- sapply(groups, function(r) sum(w[r] * rest[r]^2) / sum(w * rest^2))
    direction <- X %*% B[, j]
    gamma <- function(omega) sapply(groups, omega)
    effective <- function(g) length(g) / (1 + mean((g / mean(g) - 1)^2))
    independent <- gamma(function(r) sum(w[r] * direction[r]^2))
    list(partial = partial, effective = one(effective(independent)),
      alike = one(if (alike) effective(gamma(function(r) sum(direction[r])^2)) else NA_real_),
      without = sapply(groups, function(r) refit(-r)[j]))
  })
  list(leverage = leverage, terms = terms)
}
formula <- Bagrut_status ~ treated + girl + siblings
X <- model.matrix(formula, trial)
logit <- glm(formula, binomial, trial, control = glm.control(epsilon = 1e-15, maxit = 100))
mu <- fitted(logit)

write_json_file(list(
  metadata = list(versions = versions()),
  schools = schools,
  ols = of(X, rep(1, nrow(X)), function(rows) coef(lm(formula, trial[rows, ])), TRUE),
  weighted = of(X, trial$w, function(rows) coef(lm(formula, trial[rows, ], weights = w)), FALSE),
  logit = of(X, mu * (1 - mu), function(rows) coef(glm(formula, binomial, trial[rows, ],
    control = glm.control(epsilon = 1e-15, maxit = 100))), FALSE)
), "tests/reference/expected/diagnostics.json")

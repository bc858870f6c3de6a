# Reference values of cluster-level analysis: means of clusters, t-tests, weighted comparisons and the two stages of Hayes and
# Moulton (2017), by the formulas written out.
# Run from the root of the repository: Rscript tests/reference/cluster_level.R
source("tests/reference/lib/write.R")

trial <- read.csv("tests/reference/data/achievement_2001.csv")
# A covariate of whole schools, and strata of schools.
schools <- sort(unique(trial$school_id))
trial$large <- ave(trial$upper, trial$school_id, FUN = length) / 100
trial$stratum <- c("a", "b", "c")[match(trial$school_id, schools) %% 3 + 1]

arm <- tapply(trial$treated, trial$school_id, mean)
size <- tapply(trial$treated, trial$school_id, length)
mean_of <- function(x) as.vector(tapply(x, trial$school_id, mean))
first <- function(x) as.vector(tapply(x, trial$school_id, function(v) v[1]))

table_of <- function(b, V, df) {
  se <- sqrt(diag(V))
  t <- b / se
  list(estimate = as.vector(b), std_error = as.vector(se), df = one(df), p_value = as.vector(2 * pt(-abs(t), df)),
       conf_low = as.vector(b - qt(.975, df) * se), conf_high = as.vector(b + qt(.975, df) * se))
}
pooled <- function(y, X) {
  B <- solve(crossprod(X))
  b <- B %*% crossprod(X, y)
  e <- y - X %*% b
  df <- length(y) - ncol(X)
  table_of(b, sum(e^2) / df * B, df)
}
# Weights of clusters: scores w x e over the root of 1 - leverage, t with G - k.
weighted <- function(y, X, w) {
  B <- solve(crossprod(X * sqrt(w)))
  b <- B %*% crossprod(X, w * y)
  e <- as.vector(y - X %*% b)
  h <- rowSums((X %*% B) * X) * w
  table_of(b, B %*% crossprod(X * (w * e / sqrt(1 - h))) %*% B, length(y) - ncol(X))
}
# The ratio of the arms' means of r by the delta method, under the pooled variance: log scale.
ratio <- function(r, X, at) {
  B <- solve(crossprod(X))
  b <- B %*% crossprod(X, r)
  df <- length(r) - ncol(X)
  V <- sum((r - X %*% b)^2) / df * B
  m0 <- sum(at$zero * b); m1 <- sum(at$one * b)
  g <- at$one / m1 - at$zero / m0
  se <- sqrt(as.vector(t(g) %*% V %*% g))
  c(list(estimate = one(m1 / m0)), list(std_error = one(se), df = one(df), p_value = one(2 * pt(-abs(log(m1 / m0) / se), df)),
    conf_low = one(exp(log(m1 / m0) - qt(.975, df) * se)), conf_high = one(exp(log(m1 / m0) + qt(.975, df) * se))))
}

X <- cbind(1, arm)
y <- mean_of(trial$Bagrut_status)
unadjusted <- pooled(y, X)
# It is Student's test of the schools' shares.
student <- t.test(y[arm == 1], y[arm == 0], var.equal = TRUE)
stopifnot(abs(student$p.value - unadjusted$p_value[2]) < 1e-13)

# Hayes and Moulton's second stage: a logistic regression without the arm; O - E and O / E of each school.
logistic <- glm(Bagrut_status ~ girl + siblings + lagscore, binomial, trial, control = glm.control(epsilon = 1e-15, maxit = 100))
expected <- mean_of(fitted(logistic))
residual <- y - expected + mean(trial$Bagrut_status)
linear <- lm(lagscore ~ girl + father_ed, trial)
score <- mean_of(trial$lagscore)

# Strata and a covariate of whole schools: in both stages; in the second they take degrees of freedom.
inner <- glm(Bagrut_status ~ girl + large + stratum, binomial, trial, control = glm.control(epsilon = 1e-15, maxit = 100))
large <- first(trial$large)
stratum <- first(trial$stratum)
Z <- cbind(1, arm, large, stratum == "b", stratum == "c")
at <- colMeans(Z)

write_json_file(list(
  metadata = list(versions = versions()),
  unadjusted = unadjusted,
  participants = weighted(y, X, as.vector(size)),
  ratio = ratio(y, X, list(zero = c(1, 0), one = c(1, 1))),
  expected = expected,
  adjusted = pooled(residual, X),
  adjusted_participants = weighted(residual, X, as.vector(size)),
  adjusted_ratio = ratio(y / expected, X, list(zero = c(1, 0), one = c(1, 1))),
  continuous = pooled(score - mean_of(fitted(linear)) + mean(trial$lagscore), X),
  strata = pooled(y - mean_of(fitted(inner)) + mean(trial$Bagrut_status), Z),
  strata_ratio = ratio(y / mean_of(fitted(inner)), Z, list(zero = replace(at, 2, 0), one = replace(at, 2, 1)))
), "tests/reference/expected/cluster_level.json")

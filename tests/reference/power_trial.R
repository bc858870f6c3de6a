# Reference values of recruitment forecasts, blinded figures and assurance, with base R alone: qnbinom, a numerical beta-prime
# quantile, moments of a mixture worked out arm by arm, and adaptive quadrature of the power over priors.
library(jsonlite)

forecast <- function(n, t, h, level) {
  half <- (1 - level) / 2
  size <- n + 0.5
  prob <- t / (t + h)
  list(n = n, t = t, h = h, level = level,
       expected = size * (1 - prob) / prob,
       low = qnbinom(half, size, prob), high = qnbinom(1 - half, size, prob))
}

# The time until m more: P(time <= h) is the chance that m or more came by then.
until <- function(n, t, m, level) {
  half <- (1 - level) / 2
  at <- function(p) {
    f <- function(h) pnbinom(m - 1, n + 0.5, t / (t + h), lower.tail = FALSE) - p
    uniroot(f, c(1e-9, 1e7), tol = 1e-12, maxiter = 10000)$root
  }
  list(n = n, t = t, m = m, level = level, median = at(0.5), low = at(half), high = at(1 - half))
}

# Two arms with the same ICC within: variance and correlation of both together, by the law of total variance.
mixture <- function(p0, effect, treated, icc) {
  p1 <- p0 + effect
  within <- treated * p1 * (1 - p1) + (1 - treated) * p0 * (1 - p0)
  mean <- treated * p1 + (1 - treated) * p0
  between_arms <- treated * (p1 - mean)^2 + (1 - treated) * (p0 - mean)^2
  variance <- within + between_arms
  blinded <- (icc * within + between_arms) / variance
  list(p0 = p0, effect = effect, treated = treated, icc = icc, within = within,
       mean = mean, variance = variance, blinded = blinded)
}

# One tail of the unpooled z test of two rates, in the direction of a rise.
tail_of <- function(p0, effect, icc, clusters = 286, m = 3) {
  p1 <- p0 + effect
  n <- clusters / 2 * m / (1 + (m - 1) * icc)
  se <- sqrt((p0 * (1 - p0) + p1 * (1 - p1)) / n)
  pnorm(effect / se - qnorm(0.975))
}
beta_density <- function(x, mean, sd) {
  size <- mean * (1 - mean) / sd^2 - 1
  dbeta(x, mean * size, (1 - mean) * size)
}
over <- function(f, low, high) integrate(Vectorize(f), low, high, rel.tol = 1e-10, subdivisions = 2000)$value

assurance <- list(
  power = tail_of(0.226, 0.112, 0.36),
  icc = over(function(x) tail_of(0.226, 0.112, x) * beta_density(x, 0.36, 0.1), 0, 1),
  # The effect is cut off where a rate leaves 0 to 1: that is 5.6 standard deviations away.
  effect = over(function(x) tail_of(0.226, x, 0.36) * dnorm(x, 0.112, 0.04), -0.22, 0.4),
  both = over(function(x) dnorm(x, 0.112, 0.04) *
                over(function(r) tail_of(0.226, x, r) * beta_density(r, 0.36, 0.1), 0, 1), -0.22, 0.4),
  icc_ends = qbeta(c(0.025, 0.975), 0.36 * (0.36 * 0.64 / 0.01 - 1), 0.64 * (0.36 * 0.64 / 0.01 - 1)),
  effect_ends = qnorm(c(0.025, 0.975), 0.112, 0.04)
)
assurance$at_icc_ends <- sapply(assurance$icc_ends, function(r) tail_of(0.226, 0.112, r))
assurance$at_effect_ends <- sapply(assurance$effect_ends, function(x) tail_of(0.226, x, 0.36))

out <- list(
  forecasts = list(forecast(40, 118, 123, 0.95), forecast(0, 30, 60, 0.95), forecast(7, 30, 45, 0.9),
                   forecast(132, 220, 10, 0.8)),
  times = list(until(40, 118, 92, 0.95), until(3, 60, 20, 0.9), until(131, 220, 1, 0.95)),
  mixtures = list(mixture(0.226, 0.112, 0.5, 0.36), mixture(0.226, -0.1, 2 / 3, 0.1), mixture(0.5, 0.2, 0.3, 0)),
  assurance = assurance
)
write_json(out, "tests/reference/expected/power_trial.json", auto_unbox = TRUE, digits = NA, pretty = TRUE)

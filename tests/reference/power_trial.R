# Reference values of recruitment forecasts, blinded figures (also of counts and of times) and assurance, with base R alone:
# qnbinom, a numerical beta-prime
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

# Counts of two arms over a time t: within an arm the variance is phi times the mean, and clusters' own rates vary by k.
counts <- function(l0, ratio, treated, t, phi, k) {
  share <- c(1 - treated, treated)
  rates <- l0 * c(1, ratio)
  mean <- sum(share * rates)
  within <- sum(share * phi * rates * t)
  clusters <- sum(share * (k * rates * t)^2)
  arms <- sum(share * (rates - mean)^2) * t^2
  variance <- within + clusters + arms
  list(rate = l0, ratio = ratio, treated = treated, exposure = t, phi = phi, k = k, mean = mean,
       seen = variance / (mean * t), blinded = (clusters + arms) / variance,
       icc = clusters / (within + clusters), dispersion = (within + clusters) / (mean * t), inflation = arms / variance)
}

# Times of two arms with proportional hazards, everybody followed until a share of all has the event: scores are the event
# less the cumulative hazard of both arms together. Their mean in each arm, by quadrature over time on the hazard's scale.
times <- function(q0, ratio, treated, icc) {
  share <- c(1 - treated, treated)
  h <- c(1, ratio)
  end <- -log(1 - q0)
  together <- function(u) sum(share * h * exp(-h * u)) / sum(share * exp(-h * u))
  upto <- function(u) integrate(Vectorize(together), 0, u, rel.tol = 1e-11)$value
  moments <- sapply(h, function(a) {
    # The time is exponential with hazard a, cut at the end.
    score <- function(power) {
      died <- integrate(Vectorize(function(u) (1 - upto(u))^power * a * exp(-a * u)), 0, end, rel.tol = 1e-9)$value
      died + (-upto(end))^power * exp(-a * end)
    }
    c(score(1), score(2))
  })
  mean <- sum(share * moments[1, ])
  variance <- sum(share * moments[2, ]) - mean^2
  arms <- sum(share * (moments[1, ] - mean)^2)
  within <- variance - arms
  q <- 1 - exp(-h * end)
  list(q0 = q0, ratio = ratio, treated = treated, share = sum(share * q), variance = variance, mean = mean,
       blinded = (icc * within + arms) / variance, icc = icc, inflation = arms / variance)
}

out <- list(
  counts = list(counts(0.4, 0.7, 0.5, 2, 1, 0.25), counts(1.5, 1.4, 2 / 3, 0.5, 1.3, 0), counts(0.2, 0.5, 0.3, 3, 2, 0.6)),
  times = list(times(0.6, 0.5, 0.5, 0.2), times(0.3, 1.8, 2 / 3, 0), times(0.9, 0.3, 0.4, 0.4), times(0.2, 2.5, 0.3, 0.1)),
  forecasts = list(forecast(40, 118, 123, 0.95), forecast(0, 30, 60, 0.95), forecast(7, 30, 45, 0.9),
                   forecast(132, 220, 10, 0.8)),
  waits = list(until(40, 118, 92, 0.95), until(3, 60, 20, 0.9), until(131, 220, 1, 0.95)),
  mixtures = list(mixture(0.226, 0.112, 0.5, 0.36), mixture(0.226, -0.1, 2 / 3, 0.1), mixture(0.5, 0.2, 0.3, 0)),
  assurance = assurance
)
write_json(out, "tests/reference/expected/power_trial.json", auto_unbox = TRUE, digits = NA, pretty = TRUE)

# Reference values for power calculations: the closed forms written out here, pwr and stats::power.prop.test where
# they cover a case, and R's own noncentral t.
# Run from the root of the repository: Rscript tests/reference/power.R
suppressMessages(library(pwr))
source("tests/reference/lib/write.R")

# --- the noncentral t -------------------------------------------------------------------------------------------
# R's pt is good to about 1e-12 in absolute terms (AS 243) up to a noncentrality of 37.6. The upper tail is taken by
# adaptive quadrature over the log of the chi variable, so that it has relative precision, and checked against pt.
upper <- function(t, df, ncp) {
  log_density <- function(u) df * (u - expm1(2 * u) / 2)
  log_value <- function(u) log_density(u) + pnorm(ncp - t * exp(u), log.p = TRUE)
  sd <- 1 / sqrt(2 * df)
  grid <- seq(-40 / min(df, 40) - 5 * sd, 5, length.out = 20001)
  peak <- grid[which.max(log_value(grid))]
  top <- log_value(peak)
  total <- function(f, centre) {
    cuts <- sort(unique(c(centre + c(-100, -40, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16) * sd)))
    sum(mapply(function(a, b) integrate(f, a, b, rel.tol = 1e-13, subdivisions = 2000L)$value,
               head(cuts, -1), tail(cuts, -1)))
  }
  value <- total(function(u) exp(log_value(u) - top), peak)
  mass <- total(function(u) exp(log_density(u)), 0)
  exp(top) * value / mass
}
grid <- expand.grid(t = c(-2.5, 0.3, 1.96, 2.8, 6), df = c(3, 10, 40, 130, 570), ncp = c(0, 0.5, 2.8, 5))
cdf <- mapply(pt, grid$t, grid$df, grid$ncp)
sf <- mapply(upper, grid$t, grid$df, grid$ncp)
stopifnot(abs(cdf + sf - 1) < 1e-10)

# --- power ------------------------------------------------------------------------------------------------------
design_effect <- function(m, icc, cv = 0) 1 + ((1 + cv^2) * m - 1) * icc
list_effect <- function(sizes, icc) 1 + (sum(sizes^2) / sum(sizes) - 1) * icc

power_of <- function(p0, p1, n1, n0, method, alpha, df = Inf) {
  if (method == "arcsine") {
    lambda <- abs(2 * asin(sqrt(p1)) - 2 * asin(sqrt(p0))) / sqrt(1 / n1 + 1 / n0)
    scale <- 1
  } else {
    own <- sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    pooled <- (n1 * p1 + n0 * p0) / (n1 + n0)
    lambda <- abs(p1 - p0) / own
    scale <- if (method == "pooled") sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0)) / own else 1
  }
  if (is.infinite(df)) {
    bound <- qnorm(alpha / 2, lower.tail = FALSE) * scale
    return(pnorm(bound - lambda, lower.tail = FALSE) + pnorm(-bound - lambda))
  }
  bound <- qt(alpha / 2, df, lower.tail = FALSE) * scale
  upper(bound, df, lambda) + pt(-bound, df, lambda)
}

# Mean size m, design effect, clusters k, share a: the power for an effect.
cases <- expand.grid(method = c("arcsine", "pooled", "unpooled"), distribution = c("z", "t"),
                     effect = c(0.112, -0.09), allocation = c(0.5, 2 / 3), clusters = c(24, 132, 286),
                     shape = c("equal", "cv", "list"), stringsAsFactors = FALSE)
sizes <- c(rep(1, 40), rep(2, 35), rep(3, 28), rep(4, 16), rep(5, 8), rep(6, 3), 7, 9)
of_case <- function(case, p0 = 0.226, icc = 0.36, alpha = 0.05, r2 = 0.1) {
  m <- if (case$shape == "list") mean(sizes) else 3
  deff <- switch(case$shape, equal = design_effect(3, icc), cv = design_effect(3, icc, 0.55),
                 list = list_effect(sizes, icc))
  n <- case$clusters * m / deff / (1 - r2)
  df <- if (case$distribution == "t") case$clusters - 2 else Inf
  power_of(p0, p0 + case$effect, n * case$allocation, n * (1 - case$allocation), case$method, alpha, df)
}
cases$power <- vapply(seq_len(nrow(cases)), function(i) of_case(cases[i, ]), 0)

# Smallest detectable effects: uniroot on the same powers.
mdes_of <- function(baseline, icc, m, clusters, allocation, method, direction, distribution) {
  p0 <- baseline
  n <- clusters * m / design_effect(m, icc)
  df <- if (distribution == "t") clusters - 2 else Inf
  gap <- function(p1) power_of(p0, p1, n * allocation, n * (1 - allocation), method, 0.05, df) - 0.8
  range <- if (direction == "rise") c(p0 + 1e-9, 1) else c(0, p0 - 1e-9)
  if (gap(if (direction == "rise") 1 else 0) < 0) return(NA)
  root <- uniroot(gap, range, tol = 1e-15, maxiter = 10000)$root
  root - p0
}
mdes <- expand.grid(baseline = c(0.226, 0.113, 0.273, 0.234), icc = c(0.36, 1), m = c(3, 326 / 132),
                    clusters = c(132, 286), allocation = c(0.5, 2 / 3),
                    method = c("arcsine", "pooled", "unpooled"), direction = c("rise", "fall"),
                    distribution = "z", stringsAsFactors = FALSE)
# The t law costs a quadrature a step: fewer of them.
few <- expand.grid(baseline = 0.226, icc = 0.36, m = 3, clusters = c(20, 132), allocation = 2 / 3,
                   method = c("arcsine", "pooled", "unpooled"), direction = c("rise", "fall"), distribution = "t",
                   stringsAsFactors = FALSE)
mdes <- rbind(mdes, few)
mdes$effect <- vapply(seq_len(nrow(mdes)), function(i) do.call(mdes_of, mdes[i, ]), 0)

# Clusters: the first total that is enough, counted up one by one.
needs <- expand.grid(method = c("arcsine", "pooled", "unpooled"), distribution = c("z", "t"),
                     effect = c(0.112, -0.15), allocation = c(0.5, 2 / 3), stringsAsFactors = FALSE)
count_up <- function(case) {
  k <- if (case$allocation == 0.5) 4 else 6
  repeat {
    n <- k * 3 / design_effect(3, 0.36)
    df <- if (case$distribution == "t") k - 2 else Inf
    p <- power_of(0.226, 0.226 + case$effect, n * case$allocation, n * (1 - case$allocation), case$method, 0.05, df)
    stopifnot(abs(p - 0.8) > 1e-9)
    if (p >= 0.8) return(k)
    k <- k + 1
  }
}
needs$clusters <- vapply(seq_len(nrow(needs)), function(i) count_up(needs[i, ]), 0)

# pwr (arcsine, singleton clusters) and power.prop.test (pooled, strict, 1:1).
peers <- expand.grid(p0 = c(0.226, 0.5), p1 = c(0.3, 0.41), clusters = c(60, 400), allocation = c(0.5, 2 / 3))
peers$pwr <- mapply(function(p0, p1, k, a) {
  pwr.2p2n.test(h = ES.h(p1, p0), n1 = k * a, n2 = k * (1 - a), sig.level = 0.05)$power
}, peers$p0, peers$p1, peers$clusters, peers$allocation)
peers$prop_test <- mapply(function(p0, p1, k, a) {
  if (a != 0.5) return(NA)
  power.prop.test(n = k / 2, p1 = p0, p2 = p1, strict = TRUE)$power
}, peers$p0, peers$p1, peers$clusters, peers$allocation)

rows <- function(frame) lapply(seq_len(nrow(frame)), function(i) lapply(as.list(frame[i, ]), one))
write_json_file(list(
  versions = versions("pwr"),
  noncentral = list(t = grid$t, df = grid$df, ncp = grid$ncp, cdf = cdf, sf = sf),
  sizes = sizes,
  power = rows(cases), mdes = rows(mdes), clusters = rows(needs), peers = rows(peers)
), "tests/reference/expected/power.json")

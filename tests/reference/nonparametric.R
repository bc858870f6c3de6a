# Reference values for ranks, permutations, small counts, rates and multiplicity.
# Run from the root of the repository: Rscript tests/reference/nonparametric.R
suppressMessages(library(coin))
source("tests/reference/lib/write.R")

# -- Mann-Whitney ---------------------------------------------------------------------------------------------
# coin's exact conditional distribution for the p-values; wilcox.test for the approximation and the shift.
data(ToothGrowth)
sleep_like <- list(x = c(1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30), y = c(0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29))
samples <- list(
  tooth = list(x = ToothGrowth$len[ToothGrowth$supp == "OJ"], y = ToothGrowth$len[ToothGrowth$supp == "VC"]),
  ties = list(x = c(3, 5, 5, 7, 9, 9, 9, 12), y = c(1, 2, 5, 5, 6, 7, 9)),
  few = list(x = c(4, 4, 5), y = c(1, 4)),
  apart = list(x = c(11, 12, 13, 15, 18), y = c(1, 2, 3, 4, 5, 6)),
  untied = list(x = c(0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46), y = c(1.15, 0.88, 0.9, 0.74, 1.21)),
  halves = sleep_like,
  likert = list(x = rep(1:5, c(2, 5, 9, 11, 6)), y = rep(1:5, c(6, 8, 7, 4, 2))),
  stress = list(x = c(14, 15, 17, 18, 18, 19, 20, 20, 21, 21, 22, 23, 24, 24, 25, 26, 27, 28, 30), y = c(18, 20, 22, 24, 24, 27, 29, 30, 33)),
  large = list(x = floor(40 + 15 * sin(1:90 * 1.7)), y = floor(36 + 15 * sin(1:75 * 2.3)))
)

# Newcombe (2006), part 2, method 5.
superiority <- function(theta, m, n, alpha) {
  z <- qnorm(alpha, lower.tail = FALSE)
  star <- (m + n) / 2 - 1
  se <- function(t) sqrt(t * (1 - t) * (1 + star * (1 - t) / (2 - t) + star * t / (1 + t)) / (m * n))
  root <- function(f, a, b) uniroot(f, c(a, b), tol = 1e-15, maxiter = 10000)$root
  c(if (theta == 0) 0 else root(function(t) theta - t - z * se(t), 1e-12, theta - 1e-9),
    if (theta == 1) 1 else root(function(t) t - theta - z * se(t), theta + 1e-9, 1 - 1e-12))
}

mann_whitney <- function(s) {
  pooled <- data.frame(score = c(s$x, s$y), arm = factor(rep(c("x", "y"), c(length(s$x), length(s$y)))))
  exact <- function(alternative) {
    as.numeric(pvalue(wilcox_test(score ~ arm, pooled, distribution = coin::exact(algorithm = "shift", fact = 2), alternative = alternative)))
  }
  rough <- function(alternative, correct = TRUE, ...) {
    suppressWarnings(wilcox.test(s$x, s$y, exact = FALSE, correct = correct, alternative = alternative, tol.root = 1e-13, ...))
  }
  two <- rough("two.sided", conf.int = TRUE)
  u <- unname(two$statistic)
  m <- length(s$x); n <- length(s$y)
  untied <- !anyDuplicated(pooled$score)
  sure <- if (untied) wilcox.test(s$x, s$y, exact = TRUE, conf.int = TRUE)
  sure_greater <- if (untied) wilcox.test(s$x, s$y, exact = TRUE, conf.int = TRUE, alternative = "greater")
  list(
    x = s$x, y = s$y, u = one(u),
    exact = list(two = one(exact("two.sided")), less = one(exact("less")), greater = one(exact("greater"))),
    asymptotic = list(two = one(two$p.value), less = one(rough("less")$p.value), greater = one(rough("greater")$p.value),
                      uncorrected = one(rough("two.sided", FALSE)$p.value)),
    median = one(median(outer(s$x, s$y, "-"))),
    interval = as.numeric(two$conf.int),
    interval_less = one(rough("less", conf.int = TRUE)$conf.int[2]),
    interval_90 = as.numeric(rough("two.sided", conf.int = TRUE, conf.level = .9)$conf.int),
    superiority = superiority(u / (m * n), m, n, .025),
    exact_interval = if (untied) as.numeric(sure$conf.int),
    exact_interval_greater = if (untied) one(sure_greater$conf.int[1]),
    attained = if (untied) one(1 - 2 * pwilcox(max(qwilcox(.025, m, n), 1) - 1, m, n))
  )
}

# -- Permutation test of means --------------------------------------------------------------------------------
# Counts of labellings by enumeration with combn where this is feasible, by polynomial multiplication otherwise (all
# products stay below 2^53, so the doubles are exact).
subset_counts <- function(scores, take) {
  a <- scores - min(scores)
  table <- matrix(0, take + 1, sum(a) + 1)
  table[1, 1] <- 1
  for (s in a) {
    for (j in seq(take, 1)) {
      from <- seq_len(ncol(table) - s)
      table[j + 1, from + s] <- table[j + 1, from + s] + table[j, from]
    }
  }
  stopifnot(all(table < 2^53))
  setNames(table[take + 1, ], seq_len(ncol(table)) - 1 + take * min(scores))
}

permutation <- function(x, y) {
  counts <- subset_counts(c(x, y), length(x))
  sums <- as.numeric(names(counts))
  low <- sum(counts[sums <= sum(x)]); high <- sum(counts[sums >= sum(x)]); all <- sum(counts)
  stopifnot(all == choose(length(x) + length(y), length(x)))
  if (all < 2e5) {
    listed <- combn(c(x, y), length(x), sum)
    stopifnot(low == sum(listed <= sum(x)), high == sum(listed >= sum(x)))
  }
  if (length(unique(c(x, y))) > 1) {
    pooled <- data.frame(score = c(x, y), arm = factor(rep(c("x", "y"), c(length(x), length(y)))))
    by_coin <- as.numeric(pvalue(oneway_test(score ~ arm, pooled, distribution = coin::exact(algorithm = "shift", fact = 2), alternative = "greater")))
    stopifnot(abs(by_coin / (high / all) - 1) < 1e-9)
  }
  list(x = x, y = y, lower = one(sprintf("%.0f", low)), upper = one(sprintf("%.0f", high)), all = one(sprintf("%.0f", all)),
       p_lower = one(low / all), p_upper = one(high / all), two = one(min(1, 2 * min(low, high) / all)))
}
changes <- list(
  permutation(c(4, 6, 2, 3, 5, 1, 0, 7, 3, 2, 4, 5, 6, 1, 3), c(1, 2, 0, -1, 3, 2, 1, 4, 0, 1, 2, -2, 3, 1, 0)),
  permutation(c(3, -1, 2, 5), c(0, 0, -2, 1, 1)),
  permutation(c(1, 1), c(1, 1, 1)),
  permutation(c(-6, -3, -3, 2, 2, 4, 10), c(-4, -3, 0, 1, 2))
)

# -- Fisher -------------------------------------------------------------------------------------------------------
# p from fisher.test; its uniroot stops at 1e-4, so the roots are found again here from the same definitions.
fisher <- function(a, n1, b, n2) {
  table <- matrix(c(a, b, n1 - a, n2 - b), 2)
  events <- a + b
  support <- seq(max(0, events - n2), min(n1, events))
  logdc <- dhyper(support, n1, n2, events, log = TRUE)
  density <- function(t) { d <- logdc + t * support; d <- exp(d - max(d)); d / sum(d) }
  upper <- function(t, mid) sum(density(t)[support >= a]) - mid * density(t)[support == a] / 2
  lower <- function(t, mid) sum(density(t)[support <= a]) - mid * density(t)[support == a] / 2
  root <- function(f) exp(uniroot(f, c(-60, 60), tol = 1e-14, maxiter = 1e5)$root)
  limits <- function(mid) c(
    if (a == min(support)) 0 else root(function(t) upper(t, mid) - .025),
    if (a == max(support)) Inf else root(function(t) lower(t, mid) - .025))
  r <- function(alternative) fisher.test(table, alternative = alternative)
  interval <- limits(0)
  stopifnot(all.equal(as.numeric(r("two.sided")$conf.int), interval, tolerance = 2e-2))
  list(events = c(a, b), totals = c(n1, n2), two = one(r("two.sided")$p.value), less = one(r("less")$p.value),
       greater = one(r("greater")$p.value), mid = one(min(1, 2 * min(upper(0, 1), lower(0, 1)))),
       # With one possible table the data say nothing (fisher.test prints 0).
       odds_ratio = one(if (length(support) == 1) NA_real_ else if (a == min(support)) 0 else if (a == max(support)) Inf else root(function(t) sum(support * density(t)) - a)),
       interval = interval, mid_interval = limits(1))
}

# -- Rates and their differences ------------------------------------------------------------------------------
wilson <- function(x, n, level = .95) as.numeric(suppressWarnings(prop.test(x, n, conf.level = level, correct = FALSE))$conf.int)
newcombe <- function(a, n1, b, n2) {
  p <- c(a / n1, b / n2); v <- wilson(a, n1); w <- wilson(b, n2); d <- p[1] - p[2]
  c(d - sqrt((p[1] - v[1])^2 + (w[2] - p[2])^2), d + sqrt((v[2] - p[1])^2 + (p[2] - w[1])^2))
}

# Chan and Zhang (1999) in the plainest way: all tables, no convexity, restricted rates in the closed form of
# Farrington and Manning (1990), a fine grid for the free rate, and the first crossing by a scan and a bisection.
statistic <- function(x1, n1, x2, n2, delta) {
  theta <- n2 / n1; p1 <- x1 / n1; p2 <- x2 / n2
  a <- 1 + theta
  b <- -(1 + theta + p1 + theta * p2 + delta * (theta + 2))
  c <- delta^2 + delta * (2 * p1 + theta + 1) + p1 + theta * p2
  d <- -p1 * delta * (1 + delta)
  v <- b^3 / (27 * a^3) - b * c / (6 * a^2) + d / (2 * a)
  u <- ifelse(v >= 0, 1, -1) * sqrt(pmax(b^2 / (9 * a^2) - c / (3 * a), 0))
  w <- (pi + acos(pmin(1, pmax(-1, ifelse(u == 0, 0, v / u^3))))) / 3
  q1 <- pmin(1, pmax(0, 2 * u * cos(w) - b / (3 * a)))
  q2 <- pmin(1, pmax(0, q1 - delta))
  distance <- p1 - p2 - delta
  se <- sqrt(q1 * (1 - q1) / n1 + q2 * (1 - q2) / n2)
  ifelse(abs(distance) < 1e-12, 0, distance / pmax(se, 1e-300))
}
worst_tail <- function(x1, n1, x2, n2, delta, grid = 2001) {
  all <- expand.grid(i = 0:n1, j = 0:n2)
  t0 <- statistic(x1, n1, x2, n2, delta)
  inside <- matrix(statistic(all$i, n1, all$j, n2, delta) >= t0 - 1e-7 * max(1, abs(t0)), n1 + 1)
  q <- seq(max(0, -delta), min(1, 1 - delta), length.out = grid)
  first <- outer(0:n1, pmin(1, pmax(0, q + delta)), function(i, p) dbinom(i, n1, p))
  second <- outer(0:n2, q, function(j, p) dbinom(j, n2, p))
  max(colSums(first * (inside %*% second)))
}
# The scan starts a quarter below Newcombe's limit, in steps small enough for the narrow first crossings: at 5/83
# against 3/45 the tail passes alpha at -.1299, falls below it again and passes it for good at -.1288.
lower_limit <- function(x1, n1, x2, n2, alpha = .025, step = 2e-4) {
  estimate <- x1 / n1 - x2 / n2
  if (estimate == -1) return(-1)
  start <- max(-1, newcombe(x1, n1, x2, n2)[1] - .25)
  grid <- c(seq(start, estimate, by = step)[-1], estimate)
  for (g in seq_along(grid)) if (worst_tail(x1, n1, x2, n2, grid[g], 301) > alpha) break
  low <- if (g == 1) start else grid[g - 1]; high <- grid[g]
  if (g == 1) { stopifnot(start == -1); if (worst_tail(x1, n1, x2, n2, -1 + 1e-9) > alpha) return(-1) }
  for (k in 1:24) { middle <- (low + high) / 2; if (worst_tail(x1, n1, x2, n2, middle) > alpha) high <- middle else low <- middle }
  high
}
rates <- function(a, n1, b, n2, exact = TRUE) {
  c(fisher(a, n1, b, n2), list(
    newcombe = newcombe(a, n1, b, n2),
    chan_zhang = if (exact) c(lower_limit(a, n1, b, n2), -lower_limit(b, n2, a, n1)),
    chan_zhang_p = if (exact) one(min(1, 2 * min(worst_tail(a, n1, b, n2, 0, 20001), worst_tail(b, n2, a, n1, 0, 20001))))))
}
tables <- list(rates(5, 83, 3, 45), rates(8, 9, 6, 19), rates(6, 13, 2, 7), rates(13, 13, 0, 7), rates(1, 26, 2, 26),
               rates(0, 10, 0, 12), rates(7, 34, 1, 34), rates(10, 10, 20, 20), rates(56, 70, 48, 80, FALSE),
               rates(2, 5, 3, 5), rates(60, 83, 29, 45), rates(250, 1000, 300, 900, FALSE))

one_rate <- function(x, n, p) {
  r <- function(alternative, level = .95) binom.test(x, n, p, alternative, level)
  list(x = one(x), n = one(n), p = one(p), two = one(r("two.sided")$p.value), less = one(r("less")$p.value),
       greater = one(r("greater")$p.value), interval = as.numeric(r("two.sided")$conf.int),
       interval_90 = as.numeric(r("two.sided", .9)$conf.int),
       low_greater = one(r("greater")$conf.int[1]), high_less = one(r("less")$conf.int[2]), wilson = wilson(x, n))
}
single <- list(one_rate(14, 30, .496), one_rate(10, 30, .366), one_rate(7, 30, .193), one_rate(0, 12, .1), one_rate(12, 12, .6),
               one_rate(3, 45, .226), one_rate(1, 1000, .01), one_rate(682, 925, .75), one_rate(40000, 100000, .398))

# -- Counts by category ---------------------------------------------------------------------------------------
# The exact probability by listing every table.
compositions <- function(n, k) {
  if (k == 1) return(matrix(n, 1))
  do.call(rbind, lapply(0:n, function(i) cbind(i, compositions(n - i, k - 1), deparse.level = 0)))
}
goodness <- function(counts, shares, exact = TRUE) {
  fit <- suppressWarnings(chisq.test(counts, p = shares))
  p <- NULL
  if (exact) {
    all <- compositions(sum(counts), length(counts))
    expected <- sum(counts) * shares
    statistic <- colSums((t(all) - expected)^2 / expected)
    mass <- apply(all, 1, dmultinom, prob = shares)
    stopifnot(abs(sum(mass) - 1) < 1e-10)
    p <- one(sum(mass[statistic >= fit$statistic * (1 - 1e-9)]))
  }
  list(counts = counts, shares = shares, statistic = one(unname(fit$statistic)), df = one(unname(fit$parameter)),
       p = one(fit$p.value), exact = p)
}
categories <- list(
  goodness(c(8, 2), c(.5, .5)), goodness(c(12, 9, 6, 3), c(.25, .25, .25, .25)), goodness(c(7, 4, 1), c(.4, .35, .25)),
  goodness(c(66, 9, 5, 12, 22, 4, 2, 3, 2, 1), c(.45, .11, .03, .09, .17, .03, .01, .04, .04, .03), FALSE))

# -- Multiplicity -------------------------------------------------------------------------------------------------
methods <- c("holm", "hochberg", "hommel", "BH", "BY", "bonferroni", "none")
families <- list(c(.01, .02, .03, .04, .05), c(.0001, .04, NA, .013, .2, .9, .04), c(.5), c(.03, .01), c(NA, .02, NA),
                 c(.004, .011, .039, .012, .0008, .3, .07, .041, .6, .021), c(0, 1, .5, .5, 0))
adjusted <- lapply(families, function(p) c(list(p = p), setNames(lapply(methods, function(m) p.adjust(p, m)), methods)))

quantiles <- expand.grid(p = c(1e-10, .001, .025, .3, .975, .9999), a = c(.5, 1, 3, 40, 900), b = c(.5, 2, 17, 1200))
quantiles$x <- qbeta(quantiles$p, quantiles$a, quantiles$b)
# R's qbeta is checked before it serves as a reference: back through pbeta to 1e-12.
quantiles$keep <- abs(pbeta(quantiles$x, quantiles$a, quantiles$b) / quantiles$p - 1) < 1e-12
quantiles <- quantiles[quantiles$keep, ]

write_json_file(list(
  metadata = versions("coin"),
  mann_whitney = lapply(samples, mann_whitney),
  permutation = changes, tables = tables, rates = single, goodness = categories, adjusted = adjusted,
  beta = list(p = quantiles$p, a = quantiles$a, b = quantiles$b, x = quantiles$x)
), "tests/reference/expected/nonparametric.json")

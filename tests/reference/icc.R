# Reference values of the intracluster correlation: the formulas of ANOVA and of Fleiss and Cuzick by plain loops (as in the
# packages aod and ICCbin), REML by lme4 and by the likelihood written out, the latent scale by adaptive quadrature.
# Run from the root of the repository: Rscript tests/reference/icc.R
suppressMessages(library(lme4))
source("tests/reference/lib/write.R")

set.seed(48)
sizes <- sample(1:9, 60, replace = TRUE, prob = c(336, 281, 181, 91, 51, 30, 15, 10, 5))
family <- rep(seq_along(sizes), sizes)
shared <- rnorm(length(sizes))[family]
binary <- as.numeric(-0.9 + 1.3 * shared + rlogis(length(family)) > 0)
score <- round(20 + 3 * shared + 4 * rnorm(length(family)), 2)
apart <- round(rnorm(length(family)), 2)
# Less alike than by chance: each family's values lie about 0.
apart <- apart - ave(apart, family)

anova_icc <- function(y, g) {
  n <- length(y); k <- length(unique(g)); ssb <- 0; ssw <- 0; squares <- 0
  for (i in unique(g)) {
    v <- y[g == i]
    ssb <- ssb + length(v) * (mean(v) - mean(y))^2
    ssw <- ssw + sum((v - mean(v))^2)
    squares <- squares + length(v)^2
  }
  msb <- ssb / (k - 1); msw <- ssw / (n - k); m0 <- (n - squares / n) / (k - 1)
  c((msb - msw) / (msb + (m0 - 1) * msw), m0)
}
fleiss_cuzick <- function(y, g) {
  p <- mean(y); total <- 0
  for (i in unique(g)) { v <- y[g == i]; total <- total + sum(v) * (length(v) - sum(v)) / length(v) }
  1 - total / ((length(y) - length(unique(g))) * p * (1 - p))
}
reml <- function(y, g) {
  m <- tapply(y, g, length); means <- tapply(y, g, mean); within <- sum((y - means[as.character(g)])^2)
  minus <- function(icc) {
    r <- icc / (1 - icc); w <- m / (1 + m * r); mu <- sum(w * means) / sum(w)
    sum(log1p(m * r)) + log(sum(w)) + (length(y) - 1) * log(within + sum(w * (means - mu)^2))
  }
  slope <- function(icc) {
    r <- icc / (1 - icc); w <- m / (1 + m * r); mu <- sum(w * means) / sum(w)
    sum(w) - sum(w^2) / sum(w) - (length(y) - 1) * sum((w * (means - mu))^2) /
      (within + sum(w * (means - mu)^2))
  }
  if (slope(0) >= 0) return(0)
  at <- optimize(minus, c(0, 0.999))$minimum
  found <- uniroot(slope, c(max(at - 0.02, 0), at + 0.02), tol = 1e-15)$root
  # lme4's own criterion has its least value there, and its fit comes as near as its optimiser goes.
  criterion <- lmer(y ~ 1 + (1 | g), devFunOnly = TRUE)
  theta <- sqrt(found / (1 - found))
  stopifnot(criterion(theta) <= criterion(theta * (1 + 1e-4)), criterion(theta) <= criterion(theta * (1 - 1e-4)))
  fit <- lmer(y ~ 1 + (1 | g), control = lmerControl(optimizer = "nloptwrap", calc.derivs = FALSE,
    optCtrl = list(algorithm = "NLOPT_LN_BOBYQA", xtol_abs = 1e-13, ftol_abs = 1e-15, maxeval = 1e4)))
  v <- as.data.frame(VarCorr(fit))$vcov
  message("lme4 differs by ", abs(v[1] / sum(v) - found))
  stopifnot(abs(v[1] / sum(v) - found) < 2e-8)
  found
}
latent <- function(y, g) {
  events <- tapply(y, g, sum); m <- tapply(y, g, length)
  cells <- as.data.frame(table(events, m), stringsAsFactors = FALSE)
  cells <- cells[cells$Freq > 0, ]; k <- as.numeric(cells$events); n <- as.numeric(cells$m)
  minus <- function(par) {
    each <- mapply(function(k, n) integrate(function(z) {
      p <- plogis(par[1] + exp(par[2]) * z); p^k * (1 - p)^(n - k) * dnorm(z)
    }, -9, 9, rel.tol = 1e-12, subdivisions = 500L)$value, k, n)
    -sum(cells$Freq * log(each))
  }
  fit <- optim(c(qlogis(mean(y)), 0), minus, method = "BFGS", control = list(reltol = 1e-15, maxit = 500))
  fit <- optim(fit$par, minus, control = list(reltol = 1e-15, maxit = 5000))
  peer <- glmer(y ~ 1 + (1 | g), family = binomial, nAGQ = 25)
  s2 <- exp(2 * fit$par[2])
  stopifnot(abs(as.data.frame(VarCorr(peer))$vcov - s2) < 1e-3 * s2)
  s2 / (s2 + pi^2 / 3)
}
convert <- function(icc, rate) {
  s <- sqrt(pi^2 / 3 * icc / (1 - icc))
  of <- function(a, power) integrate(function(z) plogis(a + s * z)^power * dnorm(z), -Inf, Inf,
                                     rel.tol = 1e-13, subdivisions = 1000L)$value
  a <- uniroot(function(a) of(a, 1) - rate, c(-30, 30), tol = 1e-15)$root
  (of(a, 2) - rate^2) / (rate * (1 - rate))
}
grid <- expand.grid(icc = c(0.01, 0.1, 0.36, 0.7), rate = c(0.05, 0.226, 0.5, 0.9))
binary_anova <- anova_icc(binary, family)
write_json_file(list(
  versions = versions("lme4"),
  family = family, binary = binary, score = score, apart = apart,
  anova = list(binary = one(binary_anova[1]), score = one(anova_icc(score, family)[1]),
               apart = one(anova_icc(apart, family)[1])),
  adjusted_size = one(binary_anova[2]),
  fleiss_cuzick = one(fleiss_cuzick(binary, family)),
  reml = list(binary = one(reml(binary, family)), score = one(reml(score, family)), apart = one(reml(apart, family))),
  latent = one(latent(binary, family)),
  convert = list(icc = grid$icc, rate = grid$rate, observed = mapply(convert, grid$icc, grid$rate))
), "tests/reference/expected/icc.json")

# Power of blocks whose effects vary, by PowerUpR, and of outcomes with a matrix of correlations, by mvtnorm.
#
# PowerUpR's R files are read from the folder that CREWE_POWER_PEERS names (as by power_peers.R): PowerUpR/R/*.R.
# Run from the root of the repository: CREWE_POWER_PEERS=... Rscript tests/reference/power_blocks.R
library(jsonlite)
library(mvtnorm)
root <- Sys.getenv("CREWE_POWER_PEERS")
if (root == "") {
  message("NOTE: power_blocks.R was not run, for CREWE_POWER_PEERS names no folder with the sources of PowerUpR.")
  quit(status = 0)
}
up <- new.env(parent = globalenv())
for (file in c("utils.R", "error.R", "bira2.R", "bcra3r2.R")) sys.source(file.path(root, "PowerUpR", "R", file), up)
# PowerUpR reads the text of its call, so that numbers must stand in it, and prints.
ask <- function(.call, ...) {
  sink(tempfile())
  on.exit(sink())
  suppressWarnings(do.call(up[[.call]], list(...)))$power
}

# Its rho3 is the share between blocks, rho2 that between clusters of a block, omega3 the variance of the blocks' effects
# over that of the blocks; r2t3 says what blocks' covariates explain of their effects.
clusters <- list()
for (K in c(4, 8, 20)) for (J in c(4, 10)) for (omega in c(0, 0.2, 0.6)) for (p in c(0.5, 0.3)) {
  rho2 <- 0.1; rho3 <- 0.15; r21 <- 0.2; r22 <- 0.4
  power <- ask("power.bcra3r2", es = 0.3, rho2 = rho2, rho3 = rho3, omega3 = omega, n = 20, J = J, K = K, p = p, r21 = r21, r22 = r22)
  clusters[[length(clusters) + 1]] <- list(
    blocks = K, clusters = J * K, size = 20, allocation = p, effect = 0.3, effect_sd = sqrt(rho3 * omega), icc = rho2 + rho3,
    # Blocks explain rho3 of what lies between clusters, covariates r22 of the rest.
    r2_cluster = 1 - rho2 * (1 - r22) / (rho2 + rho3), r2 = 1 - (1 - rho2 - rho3) * (1 - r21) / (1 - rho2 - rho3), power = power)
}
individuals <- list()
for (J in c(5, 12)) for (n in c(20, 50)) for (omega in c(0.1, 0.5)) {
  rho2 <- 0.2; r21 <- 0.3
  power <- ask("power.bira2r1", es = 0.25, rho2 = rho2, omega2 = omega, n = n, J = J, p = 0.5, r21 = r21)
  individuals[[length(individuals) + 1]] <- list(
    blocks = J, clusters = J * n, size = 1, allocation = 0.5, effect = 0.25, effect_sd = sqrt(rho2 * omega), icc = 0, r2_cluster = 0,
    r2 = 1 - (1 - rho2) * (1 - r21), power = power)
}

# Three one-sided z tests with three correlations.
matrices <- list(c(0.2, 0.5, 0.7), c(0, 0.6, -0.3), c(0.9, 0.1, 0.3))
together <- list()
for (r in matrices) for (share in c(1, 3)) {
  corr <- diag(3)
  corr[upper.tri(corr)] <- r
  corr <- pmax(corr, t(corr)) + pmin(corr, t(corr)) * (pmax(corr, t(corr)) == 0)
  lambda <- c(2.2, 2.8, 3.1)
  bound <- qnorm(0.05 / share, lower.tail = FALSE)
  exact <- Miwa(steps = 4097)
  none <- pmvnorm(upper = rep(bound, 3), mean = lambda, corr = corr, algorithm = exact)
  all <- pmvnorm(lower = rep(bound, 3), upper = rep(Inf, 3), mean = lambda, corr = corr, algorithm = exact)
  together[[length(together) + 1]] <- list(correlations = corr, procedure = if (share == 1) "none" else "bonferroni", lambda = lambda,
                                           any = 1 - as.numeric(none), all = as.numeric(all))
}
# Holm by simulation: a million trials.
set.seed(11)
corr <- matrix(c(1, 0.2, 0.5, 0.2, 1, -0.3, 0.5, -0.3, 1), 3)
z <- rmvnorm(1e6, c(2.2, 2.8, 3.1), corr)
p <- pnorm(z, lower.tail = FALSE)
ordered <- t(apply(p, 1, sort))
steps <- cbind(ordered[, 1] <= 0.05 / 3, ordered[, 2] <= 0.05 / 2, ordered[, 3] <= 0.05)
number <- steps[, 1] + steps[, 1] * steps[, 2] + steps[, 1] * steps[, 2] * steps[, 3]
holm <- list(correlations = corr, lambda = c(2.2, 2.8, 3.1), at_least = sapply(1:3, function(k) mean(number >= k)))

version <- unname(read.dcf(file.path(root, "PowerUpR", "DESCRIPTION"), "Version")[1, 1])
write_json(list(versions = list(PowerUpR = version, mvtnorm = as.character(packageVersion("mvtnorm"))),
                blocks = c(clusters, individuals), together = together, holm = holm),
           "tests/reference/expected/power_blocks.json", auto_unbox = TRUE, digits = NA, pretty = TRUE)

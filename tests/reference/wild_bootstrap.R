# Reference values for the wild cluster bootstrap. Run from the root of the repository:
# Rscript tests/reference/wild_bootstrap.R
#
# The R package fwildclusterboot 0.14.3 (from its repository, since it has left CRAN; with summclust, dreamerr and dqrng).
# Seven clusters, so that all 128 signs are used: the statistics of all of them, for every type with and without the
# hypothesis imposed, and for weighted least squares as far as the package takes weights. The Achievement Awards trial,
# 39 schools: p-values and the interval from 99,999 draws, which hold to their Monte Carlo error.
#
# The package's own p-values count draws that are strictly larger, and are not written for the small case: the trial's own
# signs are among them, and count.
if (!requireNamespace("fwildclusterboot", quietly = TRUE)) {
  message("wild_bootstrap.R: fwildclusterboot is not installed, and its values stay as they are")
  quit(status = 0)
}
suppressMessages(library(fwildclusterboot))
source("tests/reference/lib/write.R")
set.seed(1)
dqrng::dqset.seed(1)
# CR1 is G / (G - 1) and nothing else. The package's CV3 is (G - 1) / G times its factor for clusters: the jackknife without.
plain <- function(kind) boot_ssc(adj = FALSE, cluster.adj = !(kind %in% c("13", "33")))
quiet <- function(code) suppressWarnings(suppressMessages(code))

size <- c(3, 1, 4, 2, 5, 3, 6)
small <- data.frame(family = rep(1:7, size))
n <- nrow(small)
small$x <- round(rnorm(n), 3); small$z <- round(rnorm(n), 3); small$w <- round(runif(n, .5, 2), 3)
small$arm <- small$family %% 2
small$y <- round(1 + .8 * small$arm + .5 * small$x + rnorm(n) + rnorm(7)[small$family], 3)

of <- function(fit, kind, null, weighted) {
  found <- quiet(boottest(fit, param = "arm", clustid = "family", B = 9999, bootstrap_type = kind, impose_null = null,
                          conf_int = FALSE, ssc = plain(kind)))
  list(kind = one(if (kind == "fnw11") "11" else kind), null = one(null), weighted = one(weighted),
       statistic = one(unname(found$t_stat)), sizes = sort(abs(as.numeric(found$t_boot))))
}
cases <- list()
for (null in c(TRUE, FALSE)) {
  for (kind in c("11", "13", "31", "33"))
    cases <- c(cases, list(of(lm(y ~ arm + x + z, small), kind, null, FALSE)))
  cases <- c(cases, list(of(lm(y ~ arm + x + z, small, weights = w), "fnw11", null, TRUE)))
}

awards <- read.csv("tests/reference/data/achievement_2001.csv")
awards <- awards[stats::complete.cases(awards[, c("Bagrut_status", "treated", "siblings", "girl", "school_id")]), ]
fit <- lm(Bagrut_status ~ treated + girl + siblings, awards)
large <- list()
for (kind in c("fnw11", "13", "31", "33")) for (null in c(TRUE, FALSE)) {
  found <- quiet(boottest(fit, param = "treated", clustid = "school_id", B = 99999, bootstrap_type = kind,
                          impose_null = null, conf_int = kind == "fnw11", ssc = plain(kind)))
  limits <- if (kind == "fnw11") found$conf_int else c(NA_real_, NA_real_)
  large <- c(large, list(list(kind = one(if (kind == "fnw11") "11" else kind), null = one(null),
                              statistic = one(unname(found$t_stat)), p = one(found$p_val), low = one(limits[1]),
                              high = one(limits[2]))))
}
write_json_file(list(
  metadata = versions("fwildclusterboot", "summclust"),
  small = list(columns = as.list(small), cases = cases),
  awards = list(formula = one("Bagrut_status ~ treated + girl + siblings"), draws = one(99999), cases = large)),
  "tests/reference/expected/wild_bootstrap.json")

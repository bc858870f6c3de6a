# What other programs and papers say of power, as calls of crewe that must give the same number.
#
# Packages that are installed are used as they are. Of those that are not, the R files are read from the folder that
# CREWE_POWER_PEERS names: one folder a package, each the unpacked source from CRAN (or from its mirror github.com/cran).
# Run from the root of the repository: CREWE_POWER_PEERS=... Rscript tests/reference/power_peers.R
#
# A case holds the peer's call as text, crewe's function and arguments, which quantity is compared, and the value. Where
# definitions differ, `differs` names how, and the value is what crewe's definition makes of the peer's:
#   far tail       the peer counts the tail of the effect alone; the other, worked out by pt or pnorm, is added here
#   two calls      the peer counts clusters an arm as K and uses K - 1: crewe is asked for K - 1 an arm
#   whole clusters the peer gives a fraction an arm; crewe the smallest whole total
#   quantiles      the peer adds two central quantiles; crewe's noncentral t inverts the power itself
source("tests/reference/lib/write.R")
options(width = 120)
root <- Sys.getenv("CREWE_POWER_PEERS")
if (root == "") {
  message("NOTE: power_peers.R was not run, for CREWE_POWER_PEERS names no folder with the sources of the packages.")
  quit(status = 0)
}

read <- function(package, files = NULL) {
  if (requireNamespace(package, quietly = TRUE)) return(asNamespace(package))
  env <- new.env(parent = globalenv())
  folder <- file.path(root, package, "R")
  if (is.null(files)) files <- list.files(folder, pattern = "[.][Rr]$")
  for (file in files) sys.source(file.path(folder, file), env)
  env
}
version_of <- function(package) {
  if (requireNamespace(package, quietly = TRUE)) return(as.character(packageVersion(package)))
  unname(read.dcf(file.path(root, package, "DESCRIPTION"), "Version")[1, 1])
}
library(pwr)
up <- read("PowerUpR", c("utils.R", "error.R", "ira.R", "cra2.R", "cra3.R", "bira2.R", "bcra3r2.R"))
cp <- read("clusterPower", paste0("cpa.", c("normal", "binary", "count", "irgtt.normal", "irgtt.binary", "did.normal"), ".R"))
crt <- read("CRTSize", c("n4means.R", "n4props.R", "n4incidence.R"))
web <- read("WebPower", "webpower.R")
surv <- read("powerSurvEpi", c("powerCT.R", "powerEpi.R"))
tost <- read("PowerTOST")
sw <- read("swCRTdesign", c("blkDiag.R", "swCRTdesign-internal.R", "swDsn.R", "swPwr.r"))
# PowerUpR reads the text of its call, so that numbers must stand in it.
ask_up <- function(.call, ...) quiet(suppressWarnings(do.call(up[[.call]], list(...))))
quiet <- function(x) { sink(tempfile()); on.exit(sink()); x }

cases <- list()
add <- function(peer, call, outcome, quantity, value, ..., differs = NULL) {
  arguments <- lapply(list(...), function(x) if (is.list(x) || length(x) > 1) x else one(x))
  stopifnot(length(value) == 1, is.finite(value))
  case <- list(peer = one(peer), call = one(call), outcome = one(outcome), quantity = one(quantity),
               value = one(unname(value)), arguments = arguments)
  if (!is.null(differs)) case$differs <- one(differs)
  cases[[length(cases) + 1]] <<- case
}
layout <- function(name, ...) list(name = one(name), options = lapply(list(...), one))

# --- individuals: pwr and stats ---------------------------------------------------------------------------------
for (n in c(12, 64, 200)) for (d in c(0.2, 0.5)) {
  add("pwr", sprintf("pwr.t.test(n = %g, d = %g)", n, d), "continuous", "power",
      pwr.t.test(n = n, d = d)$power, cluster_size = 1, clusters = 2 * n, effect = d, distribution = "t")
}
for (a in c(0.25, 2 / 3)) for (d in c(0.3, -0.6)) {
  add("pwr", sprintf("pwr.t2n.test(n1 = %g, n2 = %g, d = %g)", 120 * a, 120 * (1 - a), d), "continuous", "power",
      pwr.t2n.test(n1 = 120 * a, n2 = 120 * (1 - a), d = d)$power,
      cluster_size = 1, clusters = 120, effect = d, distribution = "t", allocation = a)
}
add("pwr", "pwr.t.test(n = 30, d = .6, alternative = 'greater')", "continuous", "power",
    pwr.t.test(n = 30, d = 0.6, alternative = "greater")$power,
    cluster_size = 1, clusters = 60, effect = 0.6, distribution = "t", hypothesis = "one-sided")
for (p1 in c(0.3, 0.41)) for (n in c(40, 300)) {
  add("pwr", sprintf("pwr.2p.test(h = ES.h(%g, .226), n = %g)", p1, n), "binary", "power",
      pwr.2p.test(h = ES.h(p1, 0.226), n = n)$power,
      baseline = 0.226, cluster_size = 1, clusters = 2 * n, effect = p1 - 0.226, distribution = "z")
}
add("pwr", "pwr.2p2n.test(h = ES.h(.1, .226), n1 = 100, n2 = 50)", "binary", "power",
    pwr.2p2n.test(h = ES.h(0.1, 0.226), n1 = 100, n2 = 50)$power,
    baseline = 0.226, cluster_size = 1, clusters = 150, effect = 0.1 - 0.226, allocation = 2 / 3, distribution = "z")
for (sd in c(1, 12)) for (n in c(15, 90)) {
  add("stats", sprintf("power.t.test(n = %g, delta = .4 * %g, sd = %g, strict = TRUE)", n, sd, sd), "continuous", "power",
      power.t.test(n = n, delta = 0.4 * sd, sd = sd, strict = TRUE)$power,
      cluster_size = 1, clusters = 2 * n, effect = 0.4 * sd, sd = sd, distribution = "t")
}
add("stats", "power.t.test(n = 40, power = .8, strict = TRUE, tol = 1e-12)$delta", "continuous", "effect",
    power.t.test(n = 40, power = 0.8, strict = TRUE, tol = 1e-14)$delta,
    cluster_size = 1, clusters = 80, power = 0.8, distribution = "t")
for (p1 in c(0.12, 0.31)) for (n in c(80, 250)) {
  add("stats", sprintf("power.prop.test(n = %g, p1 = .2, p2 = %g, strict = TRUE)", n, p1), "binary", "power",
      power.prop.test(n = n, p1 = 0.2, p2 = p1, strict = TRUE)$power,
      baseline = 0.2, cluster_size = 1, clusters = 2 * n, effect = p1 - 0.2, method = "pooled", distribution = "z")
}

# --- clusters: PowerUpR -----------------------------------------------------------------------------------------
add("PowerUpR", "power.ira1r1(es = .3, n = 200, p = .4, r21 = .3, g1 = 1)", "continuous", "power",
    ask_up("power.ira1r1", es = 0.3, n = 200, p = 0.4, r21 = 0.3, g1 = 1)$power,
    cluster_size = 1, clusters = 200, effect = 0.3, allocation = 0.4, r2 = 0.3, covariates = 1, distribution = "t")
for (J in c(12, 20, 44)) for (r22 in c(0, 0.5)) for (p in c(0.5, 0.3)) {
  add("PowerUpR", sprintf("power.cra2r2(es = .35, rho2 = .18, n = 24, J = %g, p = %g, r21 = .2, r22 = %g, g2 = 1)", J, p, r22),
      "continuous", "power",
      ask_up("power.cra2r2", es = 0.35, rho2 = 0.18, n = 24, J = J, p = p, r21 = 0.2, r22 = r22, g2 = 1)$power,
      icc = 0.18, cluster_size = 24, clusters = J, effect = 0.35, allocation = p, r2 = 0.2, r2_cluster = r22,
      covariates = 1, distribution = "t")
}
for (J in c(3, 6)) {
  add("PowerUpR", sprintf("power.cra3r3(es = .3, rho3 = .06, rho2 = .09, n = 20, J = %g, K = 30, r21 = .25, r22 = .25, r23 = .4, g3 = 2)", J),
      "continuous", "power",
      ask_up("power.cra3r3", es = 0.3, rho3 = 0.06, rho2 = 0.09, n = 20, J = J, K = 30, r21 = 0.25, r22 = 0.25, r23 = 0.4, g3 = 2)$power,
      icc = 0.06, cluster_size = 20 * J, clusters = 30, effect = 0.3, r2 = 0.25, r2_cluster = 0.4, covariates = 2,
      distribution = "t", layout = layout("ThreeLevels", subclusters = J, icc = 0.09))
}
add("PowerUpR", "power.bcra3f2(rho2 = .10, n = 20, J = 8, K = 5, r22 = .4)", "continuous", "power",
    ask_up("power.bcra3f2", rho2 = 0.10, n = 20, J = 8, K = 5, r22 = 0.4)$power,
    icc = 0.10, cluster_size = 20, clusters = 40, effect = 0.25, r2_cluster = 0.4, distribution = "t", covariates = 4,
    layout = layout("Blocks", number = 5),
    differs = "it estimates an effect a block: 4 more degrees of freedom are spent, here as covariates")
for (q in c(0.27, 0.5)) {
  add("PowerUpR", sprintf("power.mod221(es = .3, rho2 = .2, omegam2 = 0, r2m2 = 0, r21 = .3, q = %g, n = 12, J = 30)", q),
      "continuous", "power",
      ask_up("power.mod221", es = 0.3, rho2 = 0.2, omegam2 = 0, r21 = 0.3, q = q, n = 12, J = 30)$power,
      icc = 0.2, cluster_size = 12, clusters = 30, effect = 0.3, r2 = 0.3, subgroup = q, interaction = TRUE, distribution = "t")
}
# A stepped wedge by clusterPower: it divides the variance by the number of steps once too often (the formula of Hooper and
# others (2016) counts the members of one period). Kept as a fault.
swn <- new.env(parent = globalenv())
sys.source(file.path(root, "clusterPower", "R", "cpa.sw.normal.R"), swn)
wedge <- swn$cpa.sw.normal(power = NA, nclusters = 12, nsubjects = 20, ntimes = 4, d = 0.15, ICC = 0.05, rho_c = 1, rho_s = 0, vart = 1)
deff <- 1 + 19 * 0.05
r <- 20 * 0.05 / deff
hooper <- 4 / (12 * 20) * deff * 3 * 4 * (1 - r) * (1 + 4 * r) / ((4^2 - 1) * (2 + 4 * r))
# Subgroups of clusters: it counts J - 5 clusters in the variance as well as in the degrees of freedom. Kept as a fault.
wrong <- ask_up("power.mod222", es = 0.6, rho2 = 0.15, q = 0.5, n = 20, J = 24)$power
# Its MDES adds two central quantiles: put back into its own power it misses what was asked for, which ours does not.
mdes <- ask_up("mdes.cra2r2", rho2 = 0.17, n = 20, J = 12)$mdes[1]
add("PowerUpR", "power.cra2r2(es = mdes.cra2r2(rho2 = .17, n = 20, J = 12)$mdes, ...)", "continuous", "power",
    ask_up("power.cra2r2", es = mdes, rho2 = 0.17, n = 20, J = 12)$power,
    icc = 0.17, cluster_size = 20, clusters = 12, effect = unname(mdes), distribution = "t", differs = "quantiles")

# --- clusters: WebPower -----------------------------------------------------------------------------------------
for (J in c(10, 30)) for (icc in c(0.05, 0.3)) {
  add("WebPower", sprintf("wp.crt2arm(f = .5, n = 18, J = %g, icc = %g)", J, icc), "continuous", "power",
      web$wp.crt2arm(f = 0.5, n = 18, J = J, icc = icc)$power,
      icc = icc, cluster_size = 18, clusters = J, effect = 0.5, distribution = "t")
}
add("WebPower", "wp.crt2arm(f = .5, n = 18, J = 16, icc = .1, alternative = 'one.sided')", "continuous", "power",
    web$wp.crt2arm(f = 0.5, n = 18, J = 16, icc = 0.1, alternative = "one.sided")$power,
    icc = 0.1, cluster_size = 18, clusters = 16, effect = 0.5, distribution = "t", hypothesis = "one-sided")

# --- clusters: clusterPower, K an arm, the far tail left out -------------------------------------------------------
far_t <- function(ncp, df, alpha = 0.05) pt(-qt(alpha / 2, df, lower.tail = FALSE), df, ncp)
far_z <- function(ncp, alpha = 0.05) pnorm(-qnorm(alpha / 2, lower.tail = FALSE) - ncp)
for (K in c(8, 40)) for (cv in c(0, 0.6)) for (t in c(TRUE, FALSE)) {
  p1 <- 0.226; p2 <- 0.40; m <- 5; icc <- 0.2
  power <- cp$cpa.binary(power = NA, nclusters = K, nsubjects = m, CV = cv, p1 = p1, p2 = p2, ICC = icc, tdist = t)
  ncp <- (p2 - p1) / sqrt((p1 * (1 - p1) + p2 * (1 - p2)) * (1 + ((cv^2 + 1) * m - 1) * icc) / (K * m))
  add("clusterPower", sprintf("cpa.binary(nclusters = %g, nsubjects = 5, CV = %g, p1 = .226, p2 = .40, ICC = .2, tdist = %s)", K, cv, t),
      "binary", "power", power + if (t) far_t(ncp, 2 * (K - 1)) else far_z(ncp),
      baseline = p1, icc = icc, cluster_size = m, cv = cv, clusters = 2 * K, effect = p2 - p1, method = "unpooled",
      distribution = if (t) "t" else "z", differs = "far tail")
}
for (K in c(6, 25)) for (cv in c(0, 0.5)) {
  power <- cp$cpa.normal(power = NA, nclusters = K, nsubjects = 20, CV = cv, d = 0.4, ICC = 0.1, vart = 1, method = "weighted")
  ncp <- sqrt(K * 20 / (2 * (1 + ((cv^2 + 1) * 20 - 1) * 0.1))) * 0.4
  add("clusterPower", sprintf("cpa.normal(nclusters = %g, nsubjects = 20, CV = %g, d = .4, ICC = .1, vart = 1, method = 'weighted')", K, cv),
      "continuous", "power", power + far_t(ncp, 2 * (K - 1)), icc = 0.1, cluster_size = 20, cv = cv, clusters = 2 * K,
      effect = 0.4, distribution = "t", differs = "far tail")
}
for (cv in c(0.3, 0.7)) {
  power <- cp$cpa.normal(power = NA, nclusters = 12, nsubjects = 20, CV = cv, d = 0.4, ICC = 0.1, vart = 1, method = "taylor")
  deff <- 1 + 19 * 0.1
  l <- 20 * 0.1 / deff
  ncp <- sqrt(12 * 20 / (2 * deff / (1 - cv^2 * l * (1 - l)))) * 0.4
  add("clusterPower", sprintf("cpa.normal(nclusters = 12, nsubjects = 20, CV = %g, d = .4, ICC = .1, vart = 1, method = 'taylor')", cv),
      "continuous", "power", power + far_t(ncp, 22), icc = 0.1, cluster_size = 20, cv = cv, clusters = 24, effect = 0.4,
      weighting = "precision", distribution = "t", differs = "far tail")
}
for (r in c(0.6, 0.05)) {
  power <- cp$cpa.did.normal(power = NA, nclusters = 10, nsubjects = 20, d = 0.3, ICC = 0.08, rho_c = r, rho_s = 0.5, vart = 1)
  deff <- 1 + 19 * 0.08
  rho <- (20 * 0.08 * r + 0.92 * 0.5) / deff
  ncp <- sqrt(10 * 20 / (2 * deff * 2 * (1 - rho))) * 0.3
  add("clusterPower", sprintf("cpa.did.normal(nclusters = 10, nsubjects = 20, d = .3, ICC = .08, rho_c = %g, rho_s = .5, vart = 1)", r),
      "continuous", "power", power + far_t(ncp, 18), icc = 0.08, cluster_size = 20, clusters = 20, effect = 0.3,
      correlation = 0.5, cluster_correlation = r, adjustment = "change", distribution = "t", differs = "far tail")
}
for (K in c(12, 30)) {
  r1 <- 0.4; r2 <- 0.3; k <- 0.25; m <- 25
  power <- cp$cpa.count(power = NA, nclusters = K, nsubjects = m, r1 = r1, r2 = r2, CVB = k)
  ncp <- sqrt((K - 1) * (r1 - r2)^2 / ((r1 + r2) / m + k^2 * (r1^2 + r2^2)))
  add("clusterPower", sprintf("cpa.count(nclusters = %g, nsubjects = 25, r1 = .4, r2 = .3, CVB = .25)", K), "count", "power",
      power + far_z(ncp), baseline = r1, effect = r2 / r1, rate_cv = k, cluster_size = m, clusters = 2 * (K - 1),
      method = "unpooled", distribution = "z", differs = "two calls, far tail")
}
power <- cp$cpa.irgtt.normal(power = NA, nclusters = 12, nsubjects = 8, ncontrols = 96, d = 0.4, varu = 0.1, varei = 0.9, varr = 1)
add("clusterPower", "cpa.irgtt.normal(nclusters = 12, nsubjects = 8, ncontrols = 96, d = .4, varu = .1, varei = .9, varr = 1)",
    "continuous", "power", power + far_z(0.4 / sqrt((8 * 0.1 + 0.9) / 96 + 1 / 96)), icc = 0.1, cluster_size = 8, clusters = 12,
    effect = 0.4, distribution = "z", layout = layout("Nested"), differs = "far tail")
power <- cp$cpa.irgtt.binary(power = NA, nclusters = 20, nsubjects = 6, ncontrols = 180, p1 = 0.3, p2 = 0.45, ICC = 0.05)
add("clusterPower", "cpa.irgtt.binary(nclusters = 20, nsubjects = 6, ncontrols = 180, p1 = .3, p2 = .45, ICC = .05)",
    "binary", "power", power + far_z(0.15 / sqrt(0.45 * 0.55 * 1.25 / 120 + 0.3 * 0.7 / 180)), baseline = 0.3, icc = 0.05,
    cluster_size = 6, clusters = 20, effect = 0.15, allocation = 0.4, method = "unpooled", distribution = "z",
    layout = layout("Nested"), differs = "far tail")

# --- clusters: CRTSize, a fraction of clusters an arm ---------------------------------------------------------------
whole <- function(n) ceiling(2 * n - 1e-9)
add("CRTSize", "n4means(delta = .25, sigma = 1, m = 15, ICC = .1)", "continuous", "clusters",
    whole(crt$n4means(delta = 0.25, sigma = 1, m = 15, ICC = 0.1)$n), icc = 0.1, cluster_size = 15, effect = 0.25,
    power = 0.8, distribution = "z", differs = "whole clusters")
add("CRTSize", "n4means(delta = 3, sigma = 14, m = 8, ICC = .2, power = .9)", "continuous", "clusters",
    whole(crt$n4means(delta = 3, sigma = 14, m = 8, ICC = 0.2, power = 0.9)$n), icc = 0.2, cluster_size = 8, effect = 3,
    sd = 14, power = 0.9, distribution = "z", differs = "whole clusters")
add("CRTSize", "n4props(pe = .338, pc = .226, m = 3, ICC = .36)", "binary", "clusters",
    whole(crt$n4props(pe = 0.338, pc = 0.226, m = 3, ICC = 0.36)$n), baseline = 0.226, icc = 0.36, cluster_size = 3,
    effect = 0.112, power = 0.8, method = "unpooled", distribution = "z", differs = "whole clusters")
add("CRTSize", "n4incidence(le = .012, lc = .015, m = 500, t = 1, CV = .2)", "count", "clusters",
    whole(crt$n4incidence(le = 0.012, lc = 0.015, m = 500, t = 1, CV = 0.2)$n), baseline = 0.015, effect = 0.8, rate_cv = 0.2,
    cluster_size = 500, power = 0.8, method = "unpooled", distribution = "z", differs = "whole clusters")

# --- survival: powerSurvEpi -----------------------------------------------------------------------------------------
for (rr in c(0.6, 1.5)) for (k in c(1, 2)) {
  pC <- 0.45; pE <- 1 - (1 - pC)^rr; n <- 300
  power <- surv$powerCT.default(nE = n * k / (1 + k), nC = n / (1 + k), pE = pE, pC = pC, RR = rr)
  d <- n * (k * pE + pC) / (1 + k)
  add("powerSurvEpi", sprintf("powerCT.default(nE = %g, nC = %g, pE = 1 - .55^%g, pC = .45, RR = %g)", n * k / (1 + k), n / (1 + k), rr, rr),
      "survival", "power", power + far_z(sqrt(k * d) * abs(rr - 1) / (k * rr + 1)), baseline = pC, effect = rr, cluster_size = 1,
      clusters = n, allocation = k / (1 + k), method = "freedman", distribution = "z", differs = "far tail")
  psi <- d / n
  p <- k / (1 + k)
  power <- surv$powerEpi.default(n = n, theta = rr, p = p, psi = psi, rho2 = 0)
  add("powerSurvEpi", sprintf("powerEpi.default(n = 300, theta = %g, p = %.4g, psi = %.6g, rho2 = 0)", rr, p, psi),
      "survival", "power", power + far_z(sqrt(n * log(rr)^2 * p * (1 - p) * psi)), baseline = pC, effect = rr,
      cluster_size = 1, clusters = n, allocation = p, method = "schoenfeld", distribution = "z", differs = "far tail")
}

# --- equivalence: PowerTOST -------------------------------------------------------------------------------------------
for (n in c(24, 60)) for (theta0 in c(0, 0.1)) {
  add("PowerTOST", sprintf("power.TOST(alpha = .05, logscale = FALSE, theta1 = -.8, theta2 = .8, theta0 = %g, CV = 1, n = %g, design = 'parallel')", theta0, n),
      "continuous", "power",
      suppressMessages(tost$power.TOST(alpha = 0.05, logscale = FALSE, theta1 = -0.8, theta2 = 0.8, theta0 = theta0, CV = 1, n = n, design = "parallel")),
      cluster_size = 1, clusters = n, effect = theta0, hypothesis = "equivalence", margin = 0.8, distribution = "t")
}
add("PowerTOST", "power.noninf(alpha = .025, logscale = FALSE, margin = -.5, theta0 = .05, CV = 1, n = 80, design = 'parallel')",
    "continuous", "power",
    suppressMessages(tost$power.noninf(alpha = 0.025, logscale = FALSE, margin = -0.5, theta0 = 0.05, CV = 1, n = 80, design = "parallel")),
    cluster_size = 1, clusters = 80, effect = 0.05, hypothesis = "non-inferiority", margin = -0.5, alpha = 0.025, distribution = "t")

# --- stepped wedges: swCRTdesign ----------------------------------------------------------------------------------------
for (case in list(list(4, 3, 0.05, 0.02, 30), list(3, 4, 0.02, 0.1, 12), list(6, 2, 0.2, 0.05, 50))) {
  steps <- case[[1]]; each <- case[[2]]; icc <- case[[4]]; m <- case[[5]]; d <- 0.25
  design <- sw$swDsn(clusters = rep(each, steps))
  cac <- if (steps == 4) 1 else 0.8
  power <- sw$swPwr(design, distn = "gaussian", n = m, mu0 = 0, mu1 = d, sigma = sqrt(1 - icc), icc = icc, cac = cac,
                    alpha = 0.05, retDATA = FALSE, silent = TRUE)
  power <- as.numeric(power)[1]
  add("swCRTdesign", sprintf("swPwr(swDsn(clusters = rep(%g, %g)), 'gaussian', n = %g, mu0 = 0, mu1 = .25, sigma = sqrt(%g), icc = %g, cac = %g)",
                              each, steps, m, 1 - icc, icc, cac),
      "continuous", "power", power, icc = icc, cluster_size = m, clusters = steps * each, effect = d, distribution = "z",
      layout = layout("SteppedWedge", steps = steps, autocorrelation = cac))
}

# --- printed ------------------------------------------------------------------------------------------------------------
printed <- list()
say <- function(source, outcome, quantity, value, digits, ...) {
  arguments <- lapply(list(...), function(x) if (is.list(x) || length(x) > 1) x else one(x))
  printed[[length(printed) + 1]] <<- list(source = one(source), outcome = one(outcome), quantity = one(quantity),
                                          value = one(value), digits = one(digits), arguments = arguments)
}
crewe <- "Heal, Nolan and Sanders (2017), DFE-RR580, appendix 6"
for (row in list(c(0.226, 1, 0.151), c(0.226, 0.36, 0.112), c(0.113, 1, 0.124), c(0.113, 0.36, 0.091))) {
  say(crewe, "binary", "effect", row[3], 3, baseline = row[1], icc = row[2], cluster_size = 3, clusters = 286, power = 0.8,
      distribution = "z")
}
cohen <- "Cohen (1988), table 2.4.1: n = 64 an arm for d = .5, 26 for .8, power .80, two-sided .05"
for (row in list(c(0.5, 128), c(0.8, 52))) {
  say(cohen, "continuous", "clusters", row[2], 0, effect = row[1], power = 0.8, cluster_size = 1, distribution = "t")
}
say("Schoenfeld's formula in gsDesign::nEvents(hr = .7): 246.8 events", "survival", "events", 247, 0, baseline = 0.6, effect = 0.7,
    power = 0.8, cluster_size = 1, distribution = "z")
# Two individuals an arm from rounding up twice, 93, and 19 clusters of 10 in all.
say("Stata, sampsi 12 16, sd1(5) and sampclus, obsclus(10) rho(.3): 19 clusters", "continuous", "clusters", 19, 0, sd = 5, effect = 4,
    power = 0.8, icc = 0.3, cluster_size = 10, distribution = "z")

# --- several outcomes: the multivariate normal ------------------------------------------------------------------------------
# Three one-sided z tests: any and all of them, each at the whole level and at Bonferroni's third.
library(mvtnorm)
together <- list()
for (r in c(0, 0.4, 0.8)) for (share in c(1, 3)) {
  lambda <- c(2.2, 2.8, 3.1)
  corr <- matrix(r, 3, 3)
  diag(corr) <- 1
  bound <- qnorm(0.05 / share, lower.tail = FALSE)
  exact <- Miwa(steps = 4097)
  none <- pmvnorm(upper = rep(bound, 3), mean = lambda, corr = corr, algorithm = exact)
  all <- pmvnorm(lower = rep(bound, 3), upper = rep(Inf, 3), mean = lambda, corr = corr, algorithm = exact)
  together[[length(together) + 1]] <- list(correlation = one(r), procedure = one(if (share == 1) "none" else "bonferroni"),
                                           lambda = lambda, any = one(1 - as.numeric(none)), all = one(as.numeric(all)))
}

write_json_file(list(
  versions = c(versions("pwr", "mvtnorm"), sapply(c("PowerUpR", "clusterPower", "CRTSize", "WebPower", "powerSurvEpi", "PowerTOST", "swCRTdesign"),
                                        function(p) one(version_of(p)), simplify = FALSE)),
  cases = cases, printed = printed, mod222 = one(wrong), wedge = list(clusterPower = one(unname(wedge)), hooper_variance = one(hooper)), together = together
), "tests/reference/expected/power_peers.json")
cat(length(cases), "cases of", length(unique(sapply(cases, function(x) x$peer[[1]]))), "peers,", length(printed), "printed\n")

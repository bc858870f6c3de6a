# Reference values for restricted mean survival time. Run from the root of the repository, after survival.R:
# Rscript tests/reference/rmst.R
#
# Without clusters: the R package survRM2 on veteran, rossi and lung. With clusters, and with weights: the formula of the
# influences by plain loops over rows and event times, written here and held against Greenwood's variance where every
# row is a cluster of its own, and against differences of the area where a row's weight changes.
suppressMessages({library(survival); library(survRM2)})
source("tests/reference/lib/write.R")

table_of <- function(name) {
  frame <- read.csv(sprintf("tests/reference/data/%s.csv", name))
  if (name == "veteran") frame$arm <- as.numeric(frame$trt == 2)
  if (name == "rossi") frame$arm <- as.numeric(frame$fin == "yes")
  if (name == "lung") frame$arm <- as.numeric(frame$sex == 2)
  if (name == "rats") frame$arm <- frame$rx
  frame
}

plain <- function(data, time, event, tau) {
  frame <- table_of(data)
  fit <- rmst2(frame[[time]], frame[[event]], frame$arm, tau = tau)
  z <- qnorm(.975)
  # survRM2 prints limits and p; the standard errors follow from its variances.
  se <- c(sqrt(fit$RMST.arm0$rmst.var), sqrt(fit$RMST.arm1$rmst.var))
  out <- list(data = one(data), time = one(time), event = one(event), horizon = one(fit$tau), given = one(!is.null(tau)),
              mean = unname(c(fit$RMST.arm0$rmst[1], fit$RMST.arm1$rmst[1])), se = unname(se),
              low = unname(c(fit$RMST.arm0$rmst[3], fit$RMST.arm1$rmst[3])),
              high = unname(c(fit$RMST.arm0$rmst[4], fit$RMST.arm1$rmst[4])),
              difference = unname(fit$unadjusted.result[1, ]), ratio = unname(fit$unadjusted.result[2, ]))
  out
}

# The area under the Kaplan-Meier curve of rows with weights w, by the definition.
area <- function(time, event, w, tau) {
  s <- 1; total <- 0; at <- 0
  for (t in sort(unique(time[event == 1 & time <= tau]))) {
    total <- total + s * (t - at); at <- t
    s <- s * (1 - sum(w[time == t & event == 1]) / sum(w[time >= t]))
  }
  total + s * (tau - at)
}
influences <- function(time, event, w, tau) {
  steps <- sort(unique(time[event == 1 & time <= tau]))
  curve <- numeric(length(steps)); s <- 1
  for (k in seq_along(steps)) {
    s <- s * (1 - sum(w[time == steps[k] & event == 1]) / sum(w[time >= steps[k]])); curve[k] <- s
  }
  out <- numeric(length(time))
  for (i in seq_along(time)) for (k in seq_along(steps)) {
    t <- steps[k]
    if (curve[k] == 0) next
    after <- sum(curve[k:length(steps)] * diff(c(steps[k:length(steps)], tau)))
    n <- sum(w[time >= t]); d <- sum(w[time == t & event == 1])
    martingale <- (time[i] == t && event[i] == 1) - (time[i] >= t) * d / n
    out[i] <- out[i] - w[i] * after * martingale / (n - d)
  }
  out
}

clustered <- function(name, data, time, event, cluster, tau, weights = NULL, across = FALSE) {
  frame <- table_of(data)
  frame$row <- seq_len(nrow(frame))
  # Three rows of an arm after each other are a cluster.
  frame$three <- 1000 * frame$arm + ave(frame$row, frame$arm, FUN = function(i) (seq_along(i) - 1) %/% 3)
  frame <- frame[complete.cases(frame[c(time, event, "arm", cluster)]), ]
  w <- if (is.null(weights)) rep(1, nrow(frame)) else frame[[weights]]
  ids <- unique(frame[[cluster]]); G <- length(ids)
  psi <- matrix(0, nrow(frame), 2); mean <- numeric(2); greenwood <- numeric(2)
  for (arm in 0:1) {
    rows <- which(frame$arm == arm)
    t <- frame[[time]][rows]; e <- frame[[event]][rows]
    mean[arm + 1] <- area(t, e, w[rows], tau)
    psi[rows, arm + 1] <- influences(t, e, w[rows], tau)
    # A sample of the influences against differences of the area.
    for (i in seq(1, length(rows), length.out = 7)) {
      moved <- function(h) { v <- w[rows]; v[i] <- v[i] * (1 + h); area(t, e, v, tau) }
      slope <- (moved(1e-5) - moved(-1e-5)) / 2e-5
      stopifnot(abs(slope - psi[rows[i], arm + 1]) < 1e-7 * max(1, abs(slope)))
    }
    if (is.null(weights))
      stopifnot(abs(sum(psi[rows, arm + 1]^2) / survRM2:::rmst1(t, e, tau)$rmst.var - 1) < 1e-10)
  }
  V <- matrix(0, 2, 2)
  for (id in ids) {
    s <- colSums(psi[frame[[cluster]] == id, , drop = FALSE])
    V <- V + outer(s, s)
  }
  V <- V * G / (G - 1)
  df <- G - 2; q <- qt(.975, df)
  d <- mean[2] - mean[1]; se_d <- sqrt(V[1, 1] + V[2, 2] - 2 * V[1, 2])
  g <- c(-1 / mean[1], 1 / mean[2]); lr <- log(mean[2] / mean[1]); se_r <- sqrt(drop(t(g) %*% V %*% g))
  list(name = one(name), data = one(data), time = one(time), event = one(event), cluster = one(cluster),
       weights = if (is.null(weights)) NULL else one(weights), horizon = one(tau), clusters = one(G), df = one(df),
       mean = mean, cov = V, se = sqrt(diag(V)),
       difference = c(d, se_d, d - q * se_d, d + q * se_d, 2 * pt(-abs(d / se_d), df)),
       ratio = c(exp(lr), se_r, exp(lr - q * se_r), exp(lr + q * se_r), 2 * pt(-abs(lr / se_r), df)))
}

write_json_file(list(
  metadata = c(versions("survival", "survRM2"), list(note = one("difference and ratio: estimate, [standard error,] low, high, p at 95%; plain: survRM2; clustered: t(G - 2)"))),
  plain = list(plain("veteran", "time", "status", NULL), plain("veteran", "time", "status", 200),
               plain("rossi", "week", "arrest", 52), plain("rossi", "week", "arrest", 30.5),
               plain("lung", "time", "status", NULL), plain("lung", "time", "status", 365)),
  clustered = list(
    clustered("rats by litter, across arms", "rats", "time", "status", "litter", 100),
    clustered("lung by institution, across arms", "lung", "time", "status", "inst", 500),
    clustered("veteran in threes, within arms", "veteran", "time", "status", "three", 300),
    clustered("rossi in threes, within arms", "rossi", "week", "arrest", "three", 52),
    clustered("veteran, rows alone", "veteran", "time", "status", "row", 300),
    clustered("veteran, weighted by age", "veteran", "time", "status", "row", 300, "age"),
    clustered("lung by institution, weighted by age", "lung", "time", "status", "inst", 365, "age"))),
  "tests/reference/expected/rmst.json")

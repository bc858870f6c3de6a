# Reference values for Cox models with few clusters: the sandwich, leave-one-cluster-out refits and corrections of small
# samples. Run from the root of the repository: Rscript tests/reference/cox_small.R
#
# Written from the formulas (Wang, Turner and Li, Improving sandwich variance estimation for marginal Cox analysis of
# cluster randomized trials; the estimators MD, KC, FG, MBN and MR), in sums over event times that take either ties.
# Held against coxph, and the derivatives L_g against differences of the scores.
#
# The package CoxBcv holds the increments of the baseline hazard fixed when it differentiates the score: where L_g has
# (z - zbar)(z - zbar)' it has (z - zbar) z', which sums to the same over all clusters but not in each. Its MD, KC and FG
# then change when a covariate is shifted or the arms change names. Its MR reads the scores of the later columns before
# they are filled, as zeros, so that it changes with the order of the columns. These (`held` below) are recorded as not
# ours; where the package is installed its numbers must come out, and nothing that is written depends on it.
suppressMessages(library(survival))
source("tests/reference/lib/write.R")
source("tests/reference/lib/sandwich.R")
CORRECTIONS <- c("MD", "KC", "FG", "MBN", "MR", "MDMR", "KCMR", "FGMR", "MBNMR")
CONTROL <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100)
largest <- list()
agree <- function(what, a, b, tolerance, scale = abs(a)) {
  d <- if (is.matrix(a) && missing(scale)) apart(a, b) else max(abs(a - b) / scale)
  largest[[what]] <<- max(largest[[what]], d)
  if (!is.finite(d) || d > tolerance) stop(what, " differs by ", d)
}

# Everything at one beta. At an event time t with d events of total weight w_D, step m of Efron's has the weights
# a_i = 1 - m/d for the rows with an event at t and 1 for the others at risk, S0 = sum a_i w_i r_i with r_i = exp(z_i'b),
# the mean zbar, the variance V and the hazard (w_D / d) / S0; Breslow's has one step with a = 1 and hazard w_D / S0.
# Row i's score is the sum over the steps of w_i (delta_i / d (z_i - zbar) - a_i r_i hazard (z_i - zbar)), and minus its
# derivative is w_i (delta_i / d V + a_i r_i hazard ((z_i - zbar)(z_i - zbar)' - V)): `L`, n x k^2.
cox_at <- function(beta, d) {
  n <- nrow(d$Z); k <- ncol(d$Z)
  eta <- drop(d$Z %*% beta)
  r <- exp(eta)
  U <- matrix(0, n, k)
  L <- matrix(0, n, k * k)
  held <- matrix(0, n, k * k)                 # what the hazard's own derivative adds: L + held is CoxBcv's
  shared <- matrix(0, n, k)                   # for MR, below
  moved <- matrix(0, n, k * k)
  loglik <- 0
  for (s in unique(d$strata)) for (t in sort(unique(d$time[d$event == 1 & d$strata == s]))) {
    risk <- which(d$strata == s & d$time >= t)
    dying <- d$event[risk] == 1 & d$time[risk] == t
    count <- sum(dying)
    steps <- if (d$ties == "efron") count else 1
    total <- sum(d$w[risk][dying])
    Zr <- d$Z[risk, , drop = FALSE]
    loglik <- loglik + sum((d$w * eta)[risk][dying])
    for (m in seq_len(steps) - 1) {
      a <- if (d$ties == "efron") ifelse(dying, 1 - m / count, 1) else rep(1, length(risk))
      S0 <- sum(a * (d$w * r)[risk])
      zbar <- colSums(a * (d$w * r)[risk] * Zr) / S0
      centred <- sweep(Zr, 2, zbar)
      V <- crossprod(centred, centred * (a * (d$w * r)[risk])) / S0
      hazard <- total / steps / S0
      loglik <- loglik - total / steps * log(S0)
      gain <- d$w[risk] * dying / steps
      loss <- a * (d$w * r)[risk] * hazard
      U[risk, ] <- U[risk, ] + (gain - loss) * centred
      squares <- centred[, rep(seq_len(k), k), drop = FALSE] * centred[, rep(seq_len(k), each = k), drop = FALSE]
      L[risk, ] <- L[risk, ] + outer(gain - loss, as.vector(V)) + loss * squares
      held[risk, ] <- held[risk, ] + loss * centred[, rep(seq_len(k), k), drop = FALSE] * rep(rep(zbar, each = k), each = length(risk))
      increment <- gain - loss
      mates <- outer(d$ids[risk], d$ids[risk], "==") %*% increment
      shared[risk, ] <- shared[risk, ] + drop(mates) * a * (d$w * r)[risk] / S0 * centred
      moved[risk, ] <- moved[risk, ] + loss * squares
    }
  }
  list(loglik = loglik, U = U, L = L, held = held, shared = shared, moved = moved, score = colSums(U), information = matrix(colSums(L), k))
}

solve_cox <- function(beta, d) {
  for (i in 1:50) {
    at <- cox_at(beta, d)
    step <- solve(at$information, at$score)
    beta <- beta + step
    size <- max(abs(step * sqrt(diag(at$information))))
    if (size < 1e-14) break
  }
  stopifnot(size < 1e-12)
  unname(beta)
}
coxph_of <- function(d, clustered) {
  model <- list(y = Surv(d$time, d$event), Z = d$Z, s = d$strata, w = d$w, g = d$ids)
  formula <- if (length(unique(d$strata)) > 1) y ~ Z + strata(s) else y ~ Z
  environment(formula) <- list2env(model, parent = globalenv())
  if (clustered) return(coxph(formula, ties = d$ties, weights = w, cluster = g, control = CONTROL))
  coxph(formula, ties = d$ties, weights = w, robust = FALSE, control = CONTROL)
}
without <- function(d, rows) {
  d$Z <- d$Z[rows, , drop = FALSE]
  for (name in c("time", "event", "strata", "w", "ids")) d[[name]] <- d[[name]][rows]
  d
}

corrections <- function(at, d, held = FALSE) {
  k <- ncol(d$Z); n <- nrow(d$Z)
  clusters <- unique(d$ids)
  G <- length(clusters)
  B <- solve(at$information)
  B <- (B + t(B)) / 2
  by <- function(M) rowsum(M, match(d$ids, clusters))
  u <- by(at$U)
  derivatives <- by(if (held) at$L + at$held else at$L)
  L <- lapply(seq_len(G), function(g) matrix(derivatives[g, ], k))
  values <- sapply(L, function(l) max(Re(eigen(l %*% B, only.values = TRUE)$values)))
  if (!held) stopifnot(values < 1 - 1e-8)
  spread <- function(rows, others = rows) { V <- B %*% crossprod(rows, others) %*% B; (V + t(V)) / 2 }
  each <- function(f) matrix(t(sapply(seq_len(G), f)), G)
  md <- each(function(g) solve(diag(k) - L[[g]] %*% B, u[g, ]))
  fg <- each(function(g) u[g, ] / sqrt(1 - pmin(0.75, diag(L[[g]] %*% B))))
  out <- list(naive = B, CR0 = spread(u), MD = spread(md), KC = spread(md, u), FG = spread(fg))
  factor <- (n - 1) * G / ((n - k) * (G - 1))
  out$MBN <- factor * out$CR0 + min(0.5, k / (G - k)) * max(1, sum(B * crossprod(u)) * factor / k) * B
  # MR: the residuals of a cluster are short of the martingale increments by what its own rows moved beta and the
  # hazard; both are put back. The first takes the rows' compensator alone: sum of loss (z - zbar)(z - zbar)'. The hybrids
  # correct the scores so made in the place of u.
  moved <- by(at$moved)
  used <- if (held) lower.tri(B, diag = TRUE) else TRUE
  mr <- each(function(g) u[g, ] + (used * matrix(moved[g, ], k) %*% B) %*% u[g, ]) + by(at$shared)
  mdmr <- each(function(g) solve(diag(k) - L[[g]] %*% B, mr[g, ]))
  fgmr <- each(function(g) mr[g, ] / sqrt(1 - pmin(0.75, diag(L[[g]] %*% B))))
  out$MR <- spread(mr)
  out$MDMR <- spread(mdmr)
  out$KCMR <- spread(mdmr, mr)
  out$FGMR <- spread(fgmr)
  out$MBNMR <- factor * out$MR + min(0.5, k / (G - k)) * max(1, sum(B * crossprod(mr)) * factor / k) * B
  list(cov = out, u = u, L = L, values = values, clusters = clusters)
}

case <- function(name, set, x, ties = "efron", strata = NULL, weights = NULL, R, check = FALSE) {
  frame <- data[[set]]$frame
  d <- list(Z = as.matrix(frame[x]), time = frame$time, event = frame$event, ids = frame$cluster, ties = ties,
            strata = if (is.null(strata)) rep(1, nrow(frame)) else frame[[strata]],
            w = if (is.null(weights)) rep(1, nrow(frame)) else frame[[weights]])
  colnames(d$Z) <- NULL
  k <- ncol(d$Z)
  untied <- !anyDuplicated(frame$time[frame$event == 1])
  d$plain <- untied && is.null(strata) && is.null(weights)
  fit <- coxph_of(d, TRUE)
  beta <- solve_cox(unname(coef(fit)), d)
  agree("coxph coefficients", beta, unname(coef(fit)), 1e-9, max(abs(beta)))
  at <- cox_at(beta, d)
  at$beta <- beta
  agree("coxph log-likelihood", at$loglik, fit$loglik[2], 1e-12)
  agree("coxph score residuals", at$U, d$w * matrix(residuals(fit, "score"), nrow(frame)), 1e-9, max(abs(at$U)))
  made <- corrections(at, d)
  G <- length(made$clusters)
  agree("coxph naive", made$cov$naive, unname(fit$naive.var), 1e-9)
  agree("coxph robust", made$cov$CR0, unname(fit$var), 1e-9)
  agree("sum of L_g", Reduce(`+`, made$L), at$information, 1e-12)
  for (l in made$L) agree("symmetry of L_g", l, t(l), 1e-12, max(abs(at$information)))
  # L_g is minus the derivative of the score: differences of eighth order.
  weights_8 <- c(4 / 5, -1 / 5, 4 / 105, -1 / 280)
  unit <- 1 / sqrt(diag(at$information))
  for (j in seq_len(k)) {
    slope <- Reduce(`+`, lapply(1:4, function(m) {
      h <- 0.02 * unit[j]
      shift <- m * h * (seq_len(k) == j)
      up <- rowsum(cox_at(beta + shift, d)$U, match(d$ids, made$clusters))
      down <- rowsum(cox_at(beta - shift, d)$U, match(d$ids, made$clusters))
      weights_8[m] * (up - down) / h
    }))
    for (g in seq_len(G))
      agree("L_g by differences", -slope[g, ], made$L[[g]][, j], 1e-10, sqrt(diag(at$information) * at$information[j, j]))
  }
  refits <- t(sapply(made$clusters, function(g) {
    rest <- without(d, d$ids != g)
    fit <- coxph_of(rest, FALSE)
    beta <- solve_cox(unname(coef(fit)), rest)
    agree("coxph coefficients of refits", beta, unname(coef(fit)), 1e-8, max(abs(beta)))
    beta
  }))
  refits <- matrix(refits, G)
  cov <- made$cov
  cov <- c(cov[c("naive", "CR0")], list(jackknife = (G - 1) / G * crossprod(sweep(refits, 2, beta))), cov[-(1:2)])

  coxbcv <- if (d$plain) lapply(corrections(at, d, held = TRUE)$cov[CORRECTIONS], function(V) unname(diag(V)))
  if (d$plain && requireNamespace("CoxBcv", quietly = TRUE)) {
    # At its own coefficients, which stop at coxph's default of 1e-9 and so are not the last word.
    model <- list(y = Surv(d$time, d$event), Z = d$Z)
    formula <- y ~ Z
    environment(formula) <- list2env(model, parent = globalenv())
    rough <- unname(coef(coxph(formula)))
    at_rough <- cox_at(rough, d)
    at_rough$beta <- rough
    mine <- corrections(at_rough, d, held = TRUE)$cov
    for (type in c("rob", tolower(CORRECTIONS))) {
      their <- unname(getExportedValue("CoxBcv", paste0("CoxBcv.", type))(d$time, d$event, d$Z, d$ids)$outbeta[, 3])
      kind <- if (type == "rob") "CR0" else toupper(type)
      agree(paste("CoxBcv", kind), diag(mine[[kind]]), their, 1e-11)
      if (kind != "CR0") agree(paste("CoxBcv", kind, "at the solution"), coxbcv[[kind]], their, 1e-7)
    }
  }

  df <- function(type) if (type %in% c("naive", "CR0")) Inf else G - 1
  tested <- c("naive", "CR0", "jackknife", CORRECTIONS)
  vcov <- lapply(setNames(nm = names(cov)), function(type) {
    V <- unname(cov[[type]])
    if (type %in% tested) c(list(cov = V), summarise(beta, V, rep(df(type), k))) else list(cov = V, se = sqrt(diag(V)))
  })
  estimate <- drop(R %*% beta)
  contrasts <- list(R = R, estimate = estimate, vcov = lapply(setNames(nm = tested), function(type)
    c(summarise(estimate, R %*% cov[[type]] %*% t(R), rep(df(type), nrow(R))),
      list(joint = joint(R, estimate, cov[[type]], df(type))))))
  null <- cox_at(numeric(k), d)
  cat(sprintf("%-22s n %3d events %3d G %2d largest eigenvalue of L_g B %.3f se CR0 %.4f jackknife %.4f MD %.4f\n", name,
              nrow(frame), sum(frame$event), G, max(made$values), vcov$CR0$se[1], vcov$jackknife$se[1], vcov$MD$se[1]))
  list(name = one(name), data = one(set), time = one("time"), event = one("event"), x = x, ties = one(ties),
       strata = if (is.null(strata)) NULL else one(strata), weights = if (is.null(weights)) NULL else one(weights),
       cluster = one("cluster"), n = one(nrow(frame)), events = one(sum(frame$event)), clusters = made$clusters, coef = beta,
       log_likelihood = one(at$loglik), null_log_likelihood = one(null$loglik), information = at$information,
       vcov = vcov, coxbcv_variances_not_ours = coxbcv, contrasts = contrasts, scores = unname(made$u), L = lapply(made$L, unname),
       largest_eigenvalue = one(max(made$values)), refits = refits)
}

make <- function(seed, G, digits, note) {
  set.seed(seed)
  size <- sample(1:6, G, replace = TRUE)
  cluster <- rep(seq_len(G), size)
  n <- length(cluster)
  frame <- data.frame(cluster = cluster, arm = rep(sample(rep(0:1, length.out = G)), size),
                      site = rep(sample(rep(1:2, length.out = G)), size),
                      age = round(runif(n, 1, 16), 1), girl = rbinom(n, 1, 0.5))
  frailty <- rep(rgamma(G, 2, 2), size)
  hazard <- frailty * exp(0.4 * frame$arm - 0.05 * (frame$age - 8) + 0.2 * frame$girl) / 20
  event <- rexp(n) / hazard
  censored <- runif(n, 5, 55)
  frame$time <- if (digits == 0) ceiling(pmin(event, censored) / 3) else round(pmin(event, censored), digits)
  frame$event <- as.numeric(event <= censored)
  frame$weight <- round(0.5 + (seq_len(n) * 13) %% 17 / 10, 1)
  if (digits > 0) stopifnot(!anyDuplicated(frame$time))
  list(frame = frame, note = note)
}
made_up <- "made up: clusters of one to six rows, the arm by cluster;"
data <- list(clusters_12 = make(1, 12, 4, paste(made_up, "12 clusters, no ties")),
             clusters_20 = make(2, 20, 4, paste(made_up, "20 clusters, no ties")),
             clusters_40 = make(3, 40, 4, paste(made_up, "40 clusters, no ties")),
             tied_20 = make(4, 20, 0, paste(made_up, "20 clusters, whole times with many ties")))
x <- c("arm", "age", "girl")
R <- rbind(c(1, 0, -1), c(1, 5, 0))
cases <- list(
  case("clusters_12", "clusters_12", x, R = R),
  case("clusters_12 arm", "clusters_12", "arm", R = matrix(1)),
  case("clusters_20", "clusters_20", x, R = R),
  case("clusters_40", "clusters_40", x, R = R),
  case("clusters_40 strata", "clusters_40", x, strata = "site", R = R),
  case("clusters_20 weights", "clusters_20", x, weights = "weight", R = R),
  case("tied_20 efron", "tied_20", x, R = R),
  case("tied_20 breslow", "tied_20", x, ties = "breslow", R = R),
  case("tied_20 efron strata", "tied_20", x, strata = "site", R = R),
  case("tied_20 efron weights", "tied_20", x, weights = "weight", R = R),
  case("tied_20 breslow weights", "tied_20", x, ties = "breslow", weights = "weight", R = R))

for (what in names(largest)) cat(sprintf("%-34s %.1e\n", what, largest[[what]]))
metadata <- c(versions("survival"), list(
  CoxBcv = one(paste("0.0.1.0: on data without ties, strata and weights it gives the variances of CR0 and MBN, of MR with",
                     "one column, and else the coxbcv_variances_not_ours: it holds the baseline hazard fixed in the derivative, so that",
                     "MD, KC and FG change when a covariate is shifted or the arms are swapped, and its MR takes the scores of later",
                     "columns as zero, so that it changes with the order of the columns")),
  confidence = one(0.95), definitions = list(
  naive_CR0 = one("inverse information B; B sum u_g u_g' B (Lin and Wei); z, so that df is null"),
  jackknife = one("(G-1)/G sum (b_g - b)(b_g - b)' by refits without each cluster (`refits`, in the order of `clusters`); t(G - 1)"),
  L = one("minus the derivative of the cluster's score u_g (`scores`), with the sums of the `ties`; they add up to the information"),
  MD = one("B sum (I - L_g B)^-1 u_g u_g' (I - L_g B)^-T B; t(G - 1)"),
  KC = one("B sym[sum (I - L_g B)^-1 u_g u_g'] B"),
  FG = one("u_gj divided by the root of 1 - min(.75, (L_g B)_jj)"),
  MBN = one("c CR0 + min(.5, k/(G-k)) max(1, tr(B sum u u') c / k) B with c = (n-1) G / ((n-k)(G-1)), n rows"),
  MR = one("martingale residuals corrected for what the cluster itself moved; data without ties, strata and weights only"),
  contrasts = one("each row of R, and `joint` F(q, G - 1), or F(q, Inf) under naive and CR0"),
  weights = one("weights multiply a row's part of the score and of the risk sums"))))
write_json_file(list(metadata = metadata, data = lapply(data, function(d) list(note = one(d$note), columns = as.list(d$frame))),
                     cases = cases), "tests/reference/expected/cox_small.json")

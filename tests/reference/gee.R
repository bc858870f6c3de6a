# Reference values of generalised estimating equations: geepack (estimates, the sandwich) with its iteration tightened, and
# the corrections by the formulas written out with n x n matrices, at geepack's own estimates. Where CREWE_GEESMV names the
# folder of the R sources of geesmv (CRAN), its MD, FG and MBN are run too, on the package gee tightened as well; its KC is
# not: it takes a symmetric root of I - H, which is not symmetric.
# Run from the root of the repository: Rscript tests/reference/gee.R
suppressMessages({library(geepack); library(gee)})
source("tests/reference/lib/write.R")

trial <- read.csv("tests/reference/data/achievement_2001.csv")
trial <- trial[order(trial$school_id), ]
trial$one_in <- ave(trial$siblings, trial$school_id, FUN = seq_along)
few <- trial[trial$school_id %in% sort(unique(trial$school_id))[c(1:4, 21:32)], ]
# Schools of different sizes, few rows each, so that corrections are large.
few <- few[few$one_in <= 3 + few$school_id %% 9, ]
balanced <- trial[trial$one_in <= 6 & trial$school_id %in% unique(trial$school_id)[table(trial$school_id) >= 6], ]

root_of <- function(M) {
  # The principal root of the inverse, M similar to a symmetric matrix but not symmetric itself.
  e <- eigen(M)
  stopifnot(max(abs(Im(e$values))) < 1e-9, all(Re(e$values) > 0))
  Re(e$vectors %*% diag(as.complex(e$values)^(-1/2), length(e$values)) %*% solve(e$vectors))
}

corrections <- function(X, y, id, beta, alpha, phi, family) {
  k <- ncol(X)
  eta <- as.vector(X %*% beta)
  mu <- if (family == "binomial") plogis(eta) else eta
  v <- if (family == "binomial") mu * (1 - mu) else rep(1, length(eta))
  scale <- if (family == "binomial") 1 else phi
  D <- if (family == "binomial") X * v else X
  groups <- split(seq_along(y), id)
  inverse <- function(rows) {
    n <- length(rows)
    R <- (1 - alpha) * diag(n) + alpha
    solve(scale * diag(sqrt(v[rows]), n) %*% R %*% diag(sqrt(v[rows]), n))
  }
  A <- matrix(0, k, k)
  for (rows in groups) A <- A + t(D[rows, , drop = FALSE]) %*% inverse(rows) %*% D[rows, , drop = FALSE]
  B <- solve(A)
  meat <- list(CR0 = 0, KC = 0, MD = 0, FG = 0)
  for (rows in groups) {
    d <- D[rows, , drop = FALSE]; Vi <- inverse(rows); e <- (y - mu)[rows]
    H <- d %*% B %*% t(d) %*% Vi
    I <- diag(length(rows))
    Q <- t(d) %*% Vi %*% d %*% B
    scores <- list(CR0 = t(d) %*% Vi %*% e, KC = t(d) %*% Vi %*% root_of(I - H) %*% e, MD = t(d) %*% Vi %*% solve(I - H, e),
                   FG = diag(1 / sqrt(1 - pmin(.75, diag(Q)))) %*% t(d) %*% Vi %*% e)
    for (name in names(meat)) meat[[name]] <- meat[[name]] + scores[[name]] %*% t(scores[[name]])
  }
  G <- length(groups); n <- length(y)
  kappa <- (n - 1) / (n - k) * G / (G - 1)
  delta <- if (G > 3 * k) k / (G - k) else .5
  xi <- max(1, sum(diag(B %*% meat$CR0)) / k)
  V <- lapply(meat, function(M) B %*% M %*% B)
  V$MBN <- kappa * V$CR0 + delta * xi * B
  V$iid <- B
  lapply(V, function(V) as.vector(sqrt(diag(V))))
}

case <- function(formula, data, family, corstr) {
  fit <- geeglm(formula, family = family, data = data, id = school_id, corstr = corstr,
    control = geese.control(epsilon = 1e-15, maxit = 500))
  alpha <- if (corstr == "independence") 0 else as.vector(fit$geese$alpha)
  X <- model.matrix(formula, data)
  se <- corrections(X, model.response(model.frame(formula, data)), data$school_id, coef(fit), alpha,
    as.vector(fit$geese$gamma), family)
  off <- max(abs(se$CR0 / sqrt(diag(fit$geese$vbeta)) - 1))
  message(deparse(formula), " ", corstr, ": sandwich differs from geepack by ", off)
  stopifnot(off < 1e-9)
  list(formula = one(deparse(formula)), family = one(family), corstr = one(corstr), data = one(deparse(substitute(data))),
    coef = as.vector(coef(fit)), alpha = one(alpha), scale = one(as.vector(fit$geese$gamma)),
    clusters = one(length(unique(data$school_id))), se = se)
}

score <- lagscore ~ treated + girl
passed <- Bagrut_status ~ treated + girl + siblings
cases <- list(
  case(passed, trial, "binomial", "exchangeable"),
  case(passed, trial, "binomial", "independence"),
  case(score, trial, "gaussian", "exchangeable"),
  case(score, trial, "gaussian", "independence"),
  case(passed, few, "binomial", "exchangeable"),
  case(passed, few, "binomial", "independence"),
  case(score, few, "gaussian", "exchangeable"),
  case(score, few, "gaussian", "independence")
)

# The package gee divides moments by rows and pairs less the number of coefficients; geesmv stands on it.
old <- file.path("tests/reference/expected/gee.json")
folder <- Sys.getenv("CREWE_GEESMV")
geesmv <- NULL
if (nzchar(folder)) {
  vec <- function(x) matrix(as.vector(x), ncol = 1)
  # Their calls of gee, with its iteration tightened.
  for (file in list.files(folder, "[.]R$", full.names = TRUE))
    eval(parse(text = gsub("corstr=corstr)", "corstr=corstr,tol=1e-13,maxiter=500)", readLines(file), fixed = TRUE)))
  run <- function(formula, data, family, corstr) {
    name <- deparse(substitute(data))
    data$id <- data$school_id
    fit <- suppressMessages(gee(formula, id = id, data = data, family = family, corstr = corstr, tol = 1e-13, maxiter = 500))
    one_of <- function(f) as.vector(sqrt(suppressMessages(f(formula, "id", family = family, data = data, corstr = corstr))$cov.beta))
    list(formula = one(deparse(formula)), family = one(family), corstr = one(corstr), data = one(name),
      coef = as.vector(fit$coefficients), alpha = one(fit$working.correlation[1, 2]), scale = one(fit$scale),
      se = list(MD = one_of(GEE.var.md), FG = one_of(GEE.var.fg), MBN = one_of(GEE.var.mbn)))
  }
  geesmv <- list(run(passed, few, "binomial", "exchangeable"), run(passed, few, "binomial", "independence"),
    run(score, balanced, "gaussian", "exchangeable"))
} else if (file.exists(old)) stop("set CREWE_GEESMV, or the values of geesmv would be lost")

frame_of <- function(data) as.list(data[c("school_id", "treated", "girl", "siblings", "Bagrut_status", "lagscore")])
write_json_file(list(metadata = list(versions = versions("geepack", "gee"), geesmv = one("1.3")), cases = cases, geesmv = geesmv,
  few = frame_of(few), balanced = frame_of(balanced)), old)

# Reference values for Hansen's jackknife of linear models (V5), its scale and its degrees of freedom, by explicit
# leave-one-cluster-out algebra. Run from the root: Rscript tests/reference/hansen.R
#
# b_(g) is a least squares solution for the other clusters, and V5 the sum of (b - b_(g))(b - b_(g))'. Where there are many
# solutions it is the one with the least slopes, each divided by the root of its diagonal element of (X'X)^{-1}; where only
# slopes are lost that the others do not see at all, it is that of pinv(X'X - X_g'X_g). Of a contrast c the change
# c'(b - b_(g)) is a linear form d_g'y of the outcomes, found here with whole matrices, n long. With independent errors of
# variance 1 the expectation of c'V5c is sum d_g'd_g, its variance 2 sum_gh (d_g'd_h)^2: so a^2 is the expectation over
# c'(X'X)^{-1}c, and K twice the squared expectation over the variance.
#
# B. E. Hansen (2025), Jackknife standard errors for clustered regression, doi:10.1093/restud/rdag050.
source("tests/reference/lib/write.R")

pinv <- function(m) {
  s <- svd(m)
  keep <- s$d > 1e-9 * s$d[1]
  s$v[, keep, drop = FALSE] %*% (t(s$u[, keep, drop = FALSE]) / s$d[keep])
}

# The least squares solution as a linear map of the outcomes: coefficients x rows. Columns are divided by their sizes first,
# so that a rank is one whatever their units.
least <- function(Z, slopes, units) {
  size <- sqrt(colSums(Z^2)); size[size == 0] <- 1
  any <- pinv(sweep(Z, 2, size, "/")) / size
  s <- svd(sweep(Z, 2, size, "/"), nv = ncol(Z))
  null <- s$v[, c(s$d, rep(0, ncol(Z) - length(s$d))) <= 1e-9 * s$d[1], drop = FALSE] / size
  if (ncol(null) == 0) return(any)
  standardised <- diag(1 / units[slopes], length(slopes))
  lost <- standardised %*% null[slopes, , drop = FALSE]
  any - null %*% pinv(lost) %*% standardised %*% any[slopes, , drop = FALSE]
}

# `plain` where the Moore-Penrose inverse is the same.
case <- function(name, X, y, ids, weights = NULL, contrasts, plain = TRUE) {
  w <- if (is.null(weights)) rep(1, length(y)) else weights
  Z <- X * sqrt(w); o <- y * sqrt(w)
  n <- nrow(Z); k <- ncol(Z)
  bread <- solve(crossprod(Z))
  A <- bread %*% t(Z)
  b <- drop(A %*% o)
  alone <- 0
  forms <- lapply(unique(ids), function(g) {
    kept <- ids != g
    C <- matrix(0, k, n)
    C[, kept] <- least(Z[kept, ], seq_len(k)[-1], sqrt(diag(bread)))
    if (qr(Z[kept, ], tol = 1e-9)$rank < k) {
      alone <<- alone + 1
      if (plain) stopifnot(max(abs(C[, kept] - pinv(crossprod(Z[kept, ])) %*% t(Z[kept, ]))) < 1e-9)
    }
    A - C
  })
  changes <- sapply(forms, function(D) drop(D %*% o))
  V <- tcrossprod(changes)
  law <- function(c) {
    d <- sapply(forms, function(D) drop(t(D) %*% c))
    products <- crossprod(d)
    expected <- sum(diag(products))
    a <- sqrt(expected / drop(t(c) %*% bread %*% c))
    K <- expected^2 / sum(products^2)
    estimate <- sum(c * b)
    se <- sqrt(drop(t(c) %*% V %*% c)) / a
    t <- estimate / se
    list(estimate = one(estimate), scale = one(a), df = one(K), se = one(se), statistic = one(t),
         p = one(2 * pt(-abs(t), K)), conf_low = one(estimate - qt(.975, K) * se),
         conf_high = one(estimate + qt(.975, K) * se))
  }
  rows <- rbind(diag(k), contrasts)
  list(name = one(name), x = X, y = y, ids = ids, weights = weights, alone = one(alone), coef = b, V5 = V,
       contrasts = rows, laws = lapply(seq_len(nrow(rows)), function(i) law(rows[i, ])))
}

set.seed(20261130)
sizes <- c(1, 3, 2, 5, 4, 9, 1, 2, 6, 3, 2, 4)
ids <- rep(seq_along(sizes), sizes)
n <- length(ids)
arm <- as.numeric(ids %in% c(2, 4, 5, 8, 9, 11))
age <- round(rnorm(n, 9, 3), 2)
y <- round(20 + 2 * arm - .4 * age + rnorm(length(sizes))[ids] + rnorm(n, 0, 2), 2)
one_treated <- as.numeric(ids == 6)
# Stratum 3 is one family alone; stratum 2 two, one an arm.
stratum <- c(1, 1, 1, 2, 1, 1, 3, 1, 1, 2, 1, 1)[ids]
in_two <- as.numeric(stratum == 2); in_three <- as.numeric(stratum == 3)
weights <- round(runif(n, .5, 3), 2)
# Forty visits to everybody but one family; a dose in thousands that goes by age but in that family.
visits <- ifelse(ids == 6, 40 + seq_len(n) %% 4, 40)
dose <- ifelse(ids == 6, 1000 * (3 + seq_len(n) %% 5), 500 * age)

cases <- list(
  case("families", cbind(1, arm), y, ids, contrasts = rbind(c(1, 1))),
  case("families, a covariate", cbind(1, arm, age), y, ids, contrasts = rbind(c(1, 1, 9), c(0, 1, -2))),
  case("families, analytic weights", cbind(1, arm, age), y, ids, weights, rbind(c(1, .5, 8))),
  case("a cluster of half the rows", cbind(1, arm, age), y, ifelse(ids > 6, 7, ids), contrasts = rbind(c(1, 1, 9))),
  case("one treated cluster", cbind(1, one_treated), y, ids, contrasts = rbind(c(1, 1))),
  case("one treated cluster, its slope", cbind(1, one_treated, age, one_treated * age), y, ids,
       contrasts = rbind(c(1, 1, 9, 9), c(0, 1, 0, 9))),
  case("a stratum of one family", cbind(1, arm, in_two, in_three), y, ids, contrasts = rbind(c(1, .5, 0, 1))),
  case("strata, a covariate", cbind(1, arm, age, in_two, in_three), y, ids, contrasts = rbind(c(1, 1, 9, 0, 1))),
  case("a covariate that varies in one family", cbind(1, arm, visits), y, ids, contrasts = rbind(c(1, 1, 40)),
       plain = FALSE),
  case("two covariates that only one family tells apart", cbind(1, arm, age, dose), y, ids,
       contrasts = rbind(c(0, 1, 1, .001)), plain = FALSE)
)
write_json_file(list(metadata = list(versions = versions()), cases = cases), "tests/reference/expected/hansen.json")

# The mean, its derivative, the variance and the residual of the families of the scripts, precise in both tails, and
# the fit by Fisher scoring to the end: glm stops on the deviance, and its covariance is one step old.
families <- list(
  gaussian = list(mean = function(eta) eta, slope = function(eta) rep(1, length(eta)),
                  variance = function(eta) rep(1, length(eta)), residual = function(y, eta) y - eta),
  logit = list(mean = plogis, slope = dlogis, variance = function(eta) plogis(eta) * plogis(-eta),
               residual = function(y, eta) y * plogis(-eta) - (1 - y) * plogis(eta),
               likelihood = function(y, eta) y * plogis(eta, log.p = TRUE) + (1 - y) * plogis(-eta, log.p = TRUE)),
  probit = list(mean = pnorm, slope = dnorm, variance = function(eta) pnorm(eta) * pnorm(-eta),
                residual = function(y, eta) y * pnorm(-eta) - (1 - y) * pnorm(eta),
                likelihood = function(y, eta) y * pnorm(eta, log.p = TRUE) + (1 - y) * pnorm(-eta, log.p = TRUE)))
tight <- glm.control(epsilon = 1e-14, maxit = 200)

# Coefficients of a binary model; the last of the steps is below rounding, or the script stops.
polish <- function(X, y, w, family, coef) {
  for (i in 1:200) {
    eta <- drop(X %*% coef)
    s <- family$slope(eta); v <- family$variance(eta)
    root <- s * sqrt(w / v)
    step <- qr.coef(qr(X * root, tol = 1e-14), sqrt(w / v) * family$residual(y, eta))
    coef <- coef + step
    size <- max(abs(X %*% step)) / max(1, abs(eta))
    if (size < 1e-15) break
  }
  stopifnot(size < 1e-13)
  unname(coef)
}

# CV3 of MacKinnon, Nielsen and Webb: the model fitted again without each cluster, from the estimate on. NULL where a fit has
# no maximum.
cv3 <- function(X, y, w, family, coef, ids) {
  refits <- tryCatch(sapply(unique(ids), function(g) {
    kept <- ids != g
    polish(X[kept, , drop = FALSE], y[kept], w[kept], family, coef)
  }), error = function(e) NULL)
  if (is.null(refits)) return(NULL)
  G <- length(unique(ids))
  V <- (G - 1) / G * tcrossprod(refits - coef)
  unname((V + t(V)) / 2)
}

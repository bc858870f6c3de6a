# Reference values for logits that are nearly separated but have a maximum, from glm. Run from the root:
# Rscript tests/reference/separation.R
source("tests/reference/lib/write.R")

case <- function(name, x, y) {
  X <- cbind(1, as.matrix(x))
  fit <- suppressWarnings(glm(y ~ 0 + X, family = binomial, control = glm.control(epsilon = 1e-14, maxit = 1000)))
  coef <- unname(coef(fit))
  # Newton steps by QR: glm stops on the deviance, which is flat at the maximum.
  for (i in 1:3) {
    eta <- drop(X %*% coef)
    miss <- ifelse(y == 1, plogis(-eta), -plogis(eta))
    root <- sqrt(plogis(eta) * plogis(-eta))
    decomposition <- qr(X * root, tol = 1e-14)
    step <- qr.coef(decomposition, miss / root)
    coef <- coef + step
  }
  stopifnot(max(abs(step)) < 1e-9 * max(abs(coef)))
  se <- sqrt(diag(chol2inv(qr.R(decomposition))))
  cat(sprintf("%-10s furthest predictor %.1f\n", name, max(abs(X %*% coef))))
  list(name = one(name), x = unname(as.matrix(x)), y = y, coef = coef, se = unname(se),
       log_likelihood = one(sum(ifelse(y == 1, plogis(eta, log.p = TRUE), plogis(-eta, log.p = TRUE)))))
}

# Two neighbours among forty are exchanged.
steps <- 1:40
exchanged <- as.numeric(steps > 20)
exchanged[20:21] <- c(1, 0)
# The outcomes overlap by a hundredth of a unit.
narrow <- c(seq(-4, 0, 0.5), 0.01, seq(0, 4, 0.5) + 1e-3)
above <- c(rep(0, 9), 0, rep(1, 9))
# a - b alone would separate all rows but two that contradict each other by a little.
a <- c(1, 2, 3, 4, 5, 6, 2, 3, 4, 5, 1, 6, 3, 3.05)
b <- c(2, 3, 5, 5, 6, 8, 1, 1, 3, 2, 0, 3, 3.1, 3)
differ <- as.numeric(a - b > 0)
differ[13:14] <- c(1, 0)
# One success in a cell of thirty rows.
cell <- rep(c(0, 1), each = 30)
rare <- c(rep(c(0, 1, 1), 10), 1, rep(0, 29))
cases <- list(case("exchanged", cbind(steps), exchanged), case("narrow", cbind(narrow), above),
              case("difference", cbind(a, b), differ), case("cell", cbind(cell), rare))
write_json_file(list(metadata = versions(), cases = cases), "tests/reference/expected/separation.json")

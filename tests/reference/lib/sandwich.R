# Sandwich covariances, Satterthwaite degrees of freedom and HTZ from their definitions, for a weighted working model
#   U'W e = 0, with U the derivative of the mean (n x k), W and the target variance Theta diagonal, H = U (U'WU)^-1 U'W.
# Linear models: U = X, e = y - Xb. Generalised ones: U = X mu', W = w / V, Theta = V / w, e = y - mu.
#
# clubSandwich 0.5.8 has the same definitions but an absolute cut of 1e-12 on the eigenvalues of its blocks, which
# are of the order of Theta^2; it also forms M by normal equations. Here everything runs in a basis that is
# orthonormal in the metric of W, and no eigenvalue is cut: a singular block stops the script. Each script holds its
# values against clubSandwich run in the same basis, and says in its metadata how far apart they are.

# Eigenvalues and vectors of a positive definite matrix by Jacobi's rotations, which keep the small eigenvalues of a
# graded matrix (rows of nearly certain outcomes) to full relative precision; LAPACK keeps them relative to the largest.
jacobi <- function(F) {
  n <- nrow(F)
  order <- order(-diag(F))
  A <- F[order, order, drop = FALSE]
  E <- diag(n)
  for (sweep in 1:60) {
    largest <- 0
    for (p in seq_len(n - 1)) for (q in (p + 1):n) {
      size <- abs(A[p, q]) / sqrt(A[p, p] * A[q, q])
      largest <- max(largest, size)
      if (size < 1e-17) next
      tau <- (A[q, q] - A[p, p]) / (2 * A[p, q])
      t <- if (tau == 0) 1 else if (is.finite(tau^2)) sign(tau) / (abs(tau) + sqrt(1 + tau^2)) else 1 / (2 * tau)
      c <- 1 / sqrt(1 + t^2)
      s <- t * c
      shift <- t * A[p, q]
      diagonal <- c(A[p, p] - shift, A[q, q] + shift)
      rotation <- matrix(c(c, s, -s, c), 2)
      A[c(p, q), ] <- rotation %*% A[c(p, q), ]
      A[, c(p, q)] <- A[, c(p, q)] %*% t(rotation)
      E[, c(p, q)] <- E[, c(p, q)] %*% t(rotation)
      A[p, q] <- A[q, p] <- 0
      A[p, p] <- diagonal[1]
      A[q, q] <- diagonal[2]
    }
    if (largest < 1e-16) break
  }
  vectors <- matrix(0, n, n)
  vectors[order, ] <- E
  list(values = diag(A), vectors = vectors)
}

inverse_root <- function(F) {
  if (nrow(F) == 1) return(1 / sqrt(F))
  F <- (F + t(F)) / 2
  e <- if (nrow(F) <= 12) jacobi(F) else eigen(F, symmetric = TRUE)
  stopifnot(e$values > 0)
  e$vectors %*% (t(e$vectors) / sqrt(e$values))
}

sandwich_of <- function(U, W, e, Theta, ids = NULL) {
  n <- nrow(U); k <- ncol(U)
  decomposition <- qr(U * sqrt(W), tol = 1e-13)
  stopifnot(decomposition$rank == k, identical(decomposition$pivot, seq_len(k)))
  Rinv <- backsolve(qr.R(decomposition), diag(k))
  Z <- qr.Q(decomposition)                   # sqrt(W) U R^-1
  Q <- Z / sqrt(W)                           # U R^-1; Q'WQ = I
  h <- rowSums(Z^2)
  back <- function(V) { V <- Rinv %*% V %*% t(Rinv); (V + t(V)) / 2 }
  rows <- Q * (W * e)
  cov <- list(HC0 = back(crossprod(rows)), HC1 = back(crossprod(rows)) * n / (n - k))
  if (max(h) < 1 - 1e-8) {
    cov$HC2 <- back(crossprod(rows / sqrt(1 - h)))
    cov$HC3 <- back(crossprod(rows / (1 - h)))
  }
  out <- list(n = n, k = k, Rinv = Rinv, Q = Q, h = h, back = back, bread = (tcrossprod(Rinv) + t(tcrossprod(Rinv))) / 2)
  if (!is.null(ids)) {
    blocks <- split(seq_len(n), factor(ids, unique(ids)))
    G <- length(blocks)
    spread <- crossprod(Q * (W * sqrt(Theta)))          # Q'W Theta W Q
    roots <- lapply(blocks, function(r) {
      Ug <- Q[r, , drop = FALSE]
      stopifnot(max(eigen(tcrossprod(Z[r, , drop = FALSE]), TRUE, TRUE)$values) < 1 - 1e-8)
      HT <- tcrossprod(Ug, Ug * (W[r] * Theta[r]))      # H_g Theta_g
      B <- diag(Theta[r], length(r)) - HT - t(HT) + Ug %*% spread %*% t(Ug)
      d <- sqrt(Theta[r])
      inverse_root(B * tcrossprod(d)) * tcrossprod(d)   # D (D B D)^(-1/2) D
    })
    score <- function(adjust) sapply(seq_along(blocks), function(g) {
      r <- blocks[[g]]
      drop(crossprod(Q[r, , drop = FALSE], W[r] * adjust(g, r)))
    })
    raw <- matrix(score(function(g, r) e[r]), k)
    cr2 <- matrix(score(function(g, r) roots[[g]] %*% e[r]), k)
    cr3 <- matrix(score(function(g, r) {
      Ug <- Q[r, , drop = FALSE]
      solve(diag(length(r)) - tcrossprod(Ug, Ug * W[r]), e[r])
    }), k)
    cov$CR0 <- back(tcrossprod(raw))
    cov$CR1 <- cov$CR0 * G / (G - 1)
    cov$CR1S <- cov$CR0 * G / (G - 1) * (n - 1) / (n - k)
    cov$CR2 <- back(tcrossprod(cr2))
    cov$CR3 <- back(tcrossprod(cr3))
    # P_gh = p_g' Theta p_h for a contrast c, p_g = (I - H)_g.' A_g' W_g U_g M c; n x G for each row of C.
    parts <- function(C) lapply(seq_len(nrow(C)), function(i) {
      c <- drop(C[i, ] %*% Rinv)
      sapply(seq_along(blocks), function(g) {
        r <- blocks[[g]]
        a <- drop(crossprod(roots[[g]], W[r] * (Q[r, , drop = FALSE] %*% c)))
        p <- -W * drop(Q %*% crossprod(Q[r, , drop = FALSE], a))
        p[r] <- p[r] + a
        p * sqrt(Theta)
      })
    })
    out$satterthwaite <- function(C) vapply(parts(C), function(p) {
      P <- crossprod(p)
      sum(diag(P))^2 / sum(P^2)
    }, 0)
    out$htz <- function(C, b) {
      q <- nrow(C)
      p <- parts(C)
      cross <- function(s, t) crossprod(p[[s]], p[[t]])
      Omega <- outer(seq_len(q), seq_len(q), Vectorize(function(s, t) sum(p[[s]] * p[[t]])))
      root <- inverse_root(Omega)
      p <- lapply(seq_len(q), function(s) Reduce(`+`, lapply(seq_len(q), function(t) root[s, t] * p[[t]])))
      total <- 0
      for (s in seq_len(q)) for (t in seq_len(q))
        total <- total + sum(cross(s, t) * cross(t, s)) + sum(cross(s, s) * cross(t, t))
      nu <- q * (q + 1) / total
      V <- C %*% cov$CR2 %*% t(C)
      scale <- sqrt(diag(V))
      Q2 <- drop(crossprod(b / scale, solve(V / tcrossprod(scale), b / scale)))
      statistic <- (nu - q + 1) / (nu * q) * Q2
      d <- nu - q + 1
      list(statistic = statistic, df_num = q, df_denom = d, p = pf(statistic, q, d, lower.tail = FALSE))
    }
    out$G <- G
  }
  out$cov <- cov
  out
}

# Bell and McCaffrey's degrees of freedom under HC2 and equal variances: CR2's with every row its own cluster.
# p_i = (I - H)_i' a_i with a_i = x_i'(X'X)^-1 c / sqrt(1 - h_ii).
bell_mccaffrey <- function(Z, C) {
  H <- tcrossprod(Z)
  apply(C, 1, function(c) {
    a <- drop(Z %*% c) / sqrt(1 - diag(H))
    P <- -outer(a, a) * H
    diag(P) <- diag(P) + a^2
    sum(diag(P))^2 / sum(P^2)
  })
}

summarise <- function(estimate, cov, df) {
  se <- sqrt(diag(cov))
  half <- qt(0.975, df) * se
  list(se = unname(se), df = unname(df), p = unname(2 * pt(abs(estimate / se), df, lower.tail = FALSE)),
       conf_low = unname(estimate - half), conf_high = unname(estimate + half))
}

# The largest difference of two covariance matrices in units of the standard errors; of two vectors, relative.
apart <- function(a, b) {
  if (is.matrix(a)) return(max(abs(a - b) / tcrossprod(sqrt(diag(a)))))
  max(abs(a - b) / abs(a))
}

# F, or chi-squared over q where the denominator is infinite.
joint <- function(C, b, V, denominator) {
  V <- C %*% V %*% t(C)
  scale <- sqrt(diag(V))
  q <- nrow(C)
  statistic <- drop(crossprod(b / scale, solve(V / tcrossprod(scale), b / scale))) / q
  list(statistic = one(statistic), df_num = one(q), df_denom = one(denominator),
       p = one(pf(statistic, q, denominator, lower.tail = FALSE)))
}

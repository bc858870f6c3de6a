# Reference values for tail probabilities and quantiles, from R's own distribution functions.
# Run from the root of the repository: Rscript tests/reference/dist.R
#
# tests/reference/dist_check.py holds each of these values against 40-digit arithmetic. Two of R's functions need
# help: pt() takes a normal approximation above 4e5 degrees of freedom, so the incomplete beta function stands in
# there; and a quantile is finished by one Newton step on the tail it is the quantile of.
source("tests/reference/lib/write.R")

t_two_sided <- function(t, df) {
  direct <- 2 * pt(abs(t), df, lower.tail = FALSE)
  # P(|T| > |t|) = 1 - I_x(1/2, df/2), x = t^2 / (df + t^2)
  ifelse(df > 4e5, pbeta(t^2 / (df + t^2), 0.5, df / 2, lower.tail = FALSE), direct)
}

dfs <- c(0.5, 1, 2.3, 5, 12.9, 24.7, 38, 200, 1e6)
ts <- c(1e-8, 1e-4, 0.01, 0.3, 0.9999, 1, 1.3706, 2.2, 3.5, 5, 8, 14, 30, 37, 100, 1000)
grid <- expand.grid(t = ts, df = dfs)
p <- t_two_sided(grid$t, grid$df)
student <- list(t = grid$t, df = grid$df, p = p)
keep <- p > 1e-290                            # below lies the end of the double range
student <- lapply(student, `[`, keep)

probabilities <- c(1e-12, 1e-6, 0.001, 0.025, 0.2, 0.4, 0.49999, 0.6, 0.9, 0.975, 0.995, 0.9999, 1 - 1e-9)
grid <- expand.grid(p = probabilities, df = dfs)
upper <- pmin(grid$p, 1 - grid$p)
q <- -qt(upper, grid$df)
for (step in 1:3) {
  # Near the centre the step is taken on the mass between -q and q, which keeps its digits there.
  centre <- pbeta(q^2 / (grid$df + q^2), 0.5, grid$df / 2)
  gap <- ifelse(upper > 0.25, (1 - 2 * upper) - centre, t_two_sided(q, grid$df) - 2 * upper)
  q <- q + gap / (2 * dt(q, grid$df))
}
student_quantile <- list(p = grid$p, df = grid$df, t = ifelse(grid$p < 0.5, -q, q))

z <- c(-37, -20, -8, -3, -1, -0.5, -1e-6, 0, 1e-10, 0.1, 0.5, 1, 1.6448536269514722, 1.959963984540054, 3, 5, 8, 12, 20, 30, 37)
normal <- list(z = z, sf = pnorm(z, lower.tail = FALSE))
p <- c(1e-300, 1e-200, 1e-100, 1e-40, 1e-16, 1e-9, 1e-4, 0.01, 0.025, 0.07, 0.075, 0.3, 0.42, 0.5, 0.58, 0.9, 0.925, 0.975, 0.999, 1 - 1e-10)
normal_quantile <- list(p = p, z = qnorm(p))

grid <- expand.grid(f = c(1e-6, 0.01, 0.5, 1, 2.5, 4, 10, 50, 1000), df1 = c(1, 2, 3.5, 9), df2 = c(0.7, 2, 15.466, 38, 3811, 1e6))
p <- pf(grid$f, grid$df1, grid$df2, lower.tail = FALSE)
keep <- p > 1e-290
fisher <- lapply(list(f = grid$f, df1 = grid$df1, df2 = grid$df2, p = p), `[`, keep)

grid <- expand.grid(x = c(1e-8, 1e-3, 0.1, 0.5, 1, 3.841458820694124, 10, 25, 60, 150, 400, 1200), df = c(0.3, 1, 2, 2.7, 7, 10, 31.5, 200, 3000))
p <- pchisq(grid$x, grid$df, lower.tail = FALSE)
keep <- p > 1e-290
chi_squared <- lapply(list(x = grid$x, df = grid$df, p = p), `[`, keep)

write_json_file(list(metadata = versions(), t = student, t_quantile = student_quantile, normal = normal,
                     normal_quantile = normal_quantile, f = fisher, chi2 = chi_squared),
                "tests/reference/expected/dist.json")

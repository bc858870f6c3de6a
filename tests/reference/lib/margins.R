# Rows of margins: levels of a column set to each value in turn, the difference of the last and the first, and the
# logarithms of the ratio and of the odds ratio of the two levels. A level is the weighted mean of mean(A b) over the
# rows of A: one row for a margin at the means, all rows for an observed one. The gradient is the contrast (delta method),
# with the covariates and their means taken as fixed.
#
# `contrast(C, estimate)` gives, by kind of covariance, se, df, p and limits of the rows of C.
margin_rows <- function(settings, weights, labels, coef, family, contrast, link = FALSE, odds = TRUE) {
  share <- weights / sum(weights)
  level <- vapply(settings, function(A) sum(share * family$mean(drop(A %*% coef))), 0)
  slope <- lapply(settings, function(A) colSums(share * family$slope(drop(A %*% coef)) * A))
  # The gradients against differences of eighth order of the levels themselves.
  size <- 1e-2 / (1 + max(abs(unlist(slope))))
  for (j in seq_along(settings)) {
    at <- function(b) sum(share * family$mean(drop(settings[[j]] %*% b)))
    numeric <- vapply(seq_along(coef), function(i) {
      h <- size * (seq_along(coef) == i)
      sum(c(4 / 5, -1 / 5, 4 / 105, -1 / 280) * vapply(1:4, function(m) at(coef + m * h) - at(coef - m * h), 0)) / size
    }, 0)
    stopifnot(abs(numeric - slope[[j]]) < 1e-8 * max(abs(slope[[j]])))
  }
  row <- function(measure, label, scale, estimate, gradient, shape = NULL) {
    vcov <- lapply(contrast(matrix(gradient, 1), estimate), function(v) {
      v <- lapply(v, one)
      if (!is.null(shape)) v <- c(v, list(low = one(shape(v$conf_low[[1]])), high = one(shape(v$conf_high[[1]]))))
      v
    })
    c(list(measure = one(measure), label = one(label), scale = one(scale), estimate = one(estimate)),
      if (!is.null(shape)) list(value = one(shape(estimate))), list(gradient = unname(gradient), vcov = vcov))
  }
  rows <- list()
  if (link) for (j in seq_along(settings)) {
    x <- drop(settings[[j]])
    rows <- c(rows, list(row("level", labels[j], "link", sum(x * coef), x, family$mean)))
  }
  for (j in seq_along(settings)) rows <- c(rows, list(row("level", labels[j], "response", level[j], slope[[j]])))
  for (j in seq_along(settings)[-1]) {
    pair <- paste(labels[j], "-", labels[1])
    rows <- c(rows, list(row("difference", pair, "response", level[j] - level[1], slope[[j]] - slope[[1]])))
    over <- paste(labels[j], "/", labels[1])
    if (all(level > 0))
      rows <- c(rows, list(row("ratio", over, "log", log(level[j] / level[1]), slope[[j]] / level[j] - slope[[1]] / level[1], exp)))
    if (odds && all(level > 0, level < 1))
      rows <- c(rows, list(row("odds_ratio", over, "log", qlogis(level[j]) - qlogis(level[1]),
                               slope[[j]] / (level[j] * (1 - level[j])) - slope[[1]] / (level[1] * (1 - level[1])), exp)))
  }
  rows
}

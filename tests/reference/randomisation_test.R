# Reference values for randomisation tests: one-sided exact p of coin, within blocks.
# Run from the root of the repository: Rscript tests/reference/randomisation_test.R
suppressMessages(library(coin))
source("tests/reference/lib/write.R")

cases <- list(
  plain = list(y = c(5, 8, 2, 9, 4, 7, 7, 1, 3, 6, 10, 5), arm = c(1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0), block = rep(1, 12)),
  blocks = list(y = c(3, 9, 4, 8, 2, 7, 14, 11, 19, 12, 15, 10, 18, 13), arm = c(0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0), block = rep(1:2, c(6, 8))),
  ties = list(y = c(1, 1, 2, 2, 3, 3, 1, 2, 2, 4, 4, 5), arm = c(0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1), block = rep(1:3, each = 4)),
  ratio = list(y = c(4, 6, 1, 8, 7, 9, 3, 2, 5, 12, 10, 15, 11, 13, 17), arm = c(1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1), block = rep(1:2, c(9, 6)))
)

p <- function(case, alternative) {
  data <- data.frame(y = case$y, arm = factor(case$arm, levels = c(1, 0)), block = factor(case$block))
  formula <- if (nlevels(data$block) > 1) y ~ arm | block else y ~ arm
  test <- oneway_test(formula, data, distribution = exact(algorithm = "shift"), alternative = alternative)
  one(as.numeric(pvalue(test)))
}

results <- lapply(cases, function(case) {
  c(case, list(greater = p(case, "greater"), less = p(case, "less")))
})

write_json_file(list(metadata = versions("coin"), cases = results), "tests/reference/expected/randomisation_test.json")

# Reference values for formulas: polynomials, splines, several outcomes, hypotheses in words; stats and splines of R.
# Run from the root of the repository: Rscript tests/reference/formula.R
library(splines)
source("tests/reference/lib/write.R")

data <- read.csv("tests/reference/data/achievement_2001.csv")
data <- data[!is.na(data$lagscore), ]
new <- data.frame(treated = c(0, 1, 1), lagscore = quantile(data$lagscore, c(.1, .5, .9), names = FALSE))
beyond <- data.frame(treated = c(0, 1), lagscore = range(data$lagscore) + c(-7, 11))

case <- function(name, ours, formula, linear = FALSE) {
  fit <- lm(formula, data)
  middle <- data.frame(treated = 0:1, lagscore = mean(data$lagscore))
  list(
    name = one(name), formula = one(ours),
    estimate = unname(coef(fit)), std_error = unname(sqrt(diag(vcov(fit)))),
    fitted = unname(head(fitted(fit), 20)), at_means = unname(predict(fit, middle)),
    new = as.list(new), predicted = unname(predict(fit, new)),
    beyond = if (linear) as.list(beyond), extrapolated = if (linear) unname(suppressWarnings(predict(fit, beyond)))
  )
}
b <- "Bagrut_status ~ treated + "
cases <- list(
  case("poly", paste0(b, "poly(lagscore, 2)"), Bagrut_status ~ treated + poly(lagscore, 2), TRUE),
  case("poly_cubic", paste0(b, "poly(lagscore, 3)"), Bagrut_status ~ treated + poly(lagscore, 3), TRUE),
  case("bs", paste0(b, "bs(lagscore, 4)"), Bagrut_status ~ treated + bs(lagscore, df = 4)),
  case("bs_knots", paste0(b, "bs(lagscore, knots=[40, 70], degree=2)"),
       Bagrut_status ~ treated + bs(lagscore, knots = c(40, 70), degree = 2)),
  case("ns", paste0(b, "ns(lagscore, 3)"), Bagrut_status ~ treated + ns(lagscore, df = 3), TRUE),
  case("ns_product", paste0(b, "ns(lagscore, 2) + treated:ns(lagscore, 2)"),
       Bagrut_status ~ treated + ns(lagscore, df = 2) + treated:ns(lagscore, df = 2), TRUE),
  case("poly_raw", paste0(b, "poly(lagscore, 2, raw=True)"), Bagrut_status ~ treated + poly(lagscore, 2, raw = TRUE), TRUE),
  case("bs_intercept", paste0(b, "bs(lagscore, 6, intercept=True) - 1"),
       Bagrut_status ~ treated + bs(lagscore, df = 6, intercept = TRUE) - 1),
  case("ns_intercept", paste0(b, "ns(lagscore, 4, intercept=True) - 1"),
       Bagrut_status ~ treated + ns(lagscore, df = 4, intercept = TRUE) - 1, TRUE)
)

outcomes <- c("Bagrut_status", "siblings", "father_ed")
fits <- lapply(outcomes, function(y) summary(lm(reformulate(c("treated", "girl"), y), data))$coefficients)
p <- sapply(fits, function(table) table["treated", 4])
several <- list(
  outcomes = outcomes, estimate = sapply(fits, function(table) table["treated", 1]), p_value = p,
  holm = p.adjust(p, "holm"), BH = p.adjust(p, "BH")
)

fit <- lm(Bagrut_status ~ treated + mother_ed + father_ed, data)
weights <- c(0, 0, 1, -1)
estimate <- sum(weights * coef(fit))
error <- sqrt(drop(t(weights) %*% vcov(fit) %*% weights))
hypothesis <- list(estimate = estimate, std_error = error, p_value = 2 * pt(-abs(estimate / error), fit$df.residual))
data$kind <- factor(ifelse(data$religious == 1, "r", ifelse(data$secular == 1, "s", "a")))
whole <- anova(lm(Bagrut_status ~ treated, data), lm(Bagrut_status ~ treated + kind, data))
metadata <- list(R = one(R.version.string), splines = one(as.character(packageVersion("splines"))))
write_json_file(list(
  metadata = metadata,
  cases = cases, several = several, hypothesis = hypothesis,
  factor = list(statistic = whole$F[2], df_num = whole$Df[2], p_value = whole$`Pr(>F)`[2])
), "tests/reference/expected/formula.json")

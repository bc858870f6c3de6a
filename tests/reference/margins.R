# Reference values for margins of models with products of covariates: at the means and observed, differences, ratios and
# odds ratios, for linear, logit and probit models. Run from the root of the repository: Rscript tests/reference/margins.R
#
# At the means: the product of the means and shares of the separate covariates, emmeans' weights = "outer". Observed: the
# average over the rows with the term set, g-computation; where a linear model has products of categories only that is
# emmeans' weights = "proportional". Standard errors and degrees of freedom: the gradient given to clubSandwich as a contrast.
suppressMessages({library(clubSandwich); library(sandwich); library(emmeans)})
source("tests/reference/lib/write.R")
source("tests/reference/lib/sandwich.R")
source("tests/reference/lib/families.R")
source("tests/reference/lib/margins.R")
largest <- list()
agree <- function(what, a, b, tolerance) {
  d <- apart(a, b)
  largest[[what]] <<- max(largest[[what]], d)
  if (!is.finite(d) || d > tolerance) stop(what, " differs by ", d)
}

# The row of the design with the term at one value and every other covariate at its mean or its shares.
row_at_means <- function(terms, frame, term, value, levels) {
  others <- setdiff(all.vars(terms), term)
  choices <- lapply(setNames(nm = others), function(v) if (is.numeric(frame[[v]])) mean(frame[[v]]) else levels[[v]])
  shares <- lapply(setNames(nm = others), function(v) if (is.numeric(frame[[v]])) 1 else
    as.numeric(table(factor(frame[[v]], levels[[v]]))) / nrow(frame))
  grid <- expand.grid(choices, stringsAsFactors = FALSE)
  weight <- apply(expand.grid(shares), 1, prod)
  if (!length(others)) { grid <- data.frame(row.names = 1); weight <- 1 }
  grid[[term]] <- value
  matrix(colSums(weight * model.matrix(terms, grid, xlev = levels)), 1)
}

case <- function(name, set, formula, term, cluster = NULL, family = "gaussian", proportional = FALSE) {
  frame <- data[[set]]$frame
  f <- families[[family]]
  linear <- family == "gaussian"
  formula <- as.formula(formula)
  terms <- delete.response(terms(formula))
  outcome <- frame[[all.vars(formula)[1]]]
  levels <- lapply(Filter(is.character, frame[all.vars(terms)]), function(v) sort(unique(v)))
  X <- model.matrix(terms, frame, xlev = levels)
  values <- if (is.numeric(frame[[term]])) sort(unique(frame[[term]])) else levels[[term]]
  n <- nrow(X); k <- ncol(X)
  ids <- if (is.null(cluster)) NULL else frame[[cluster]]
  if (linear) {
    fit <- lm(formula, frame)
    coef <- unname(qr.coef(qr(X, tol = 1e-13), outcome))
    e <- outcome - drop(X %*% coef)
    s <- sandwich_of(X, rep(1, n), e, rep(1, n), ids)
    iid <- sum(e^2) / (n - k) * s$bread
  } else {
    fit <- glm(formula, binomial(family), frame, control = tight)
    stopifnot(fit$converged)
    coef <- polish(X, outcome, rep(1, n), f, unname(coef(fit)))
    eta <- drop(X %*% coef)
    s <- sandwich_of(X * f$slope(eta), 1 / f$variance(eta), f$residual(outcome, eta), f$variance(eta), ids)
    iid <- s$bread
  }
  agree("coefficients", coef, unname(coef(fit)), 1e-6)
  cov <- c(list(iid = iid), s$cov[if (is.null(ids)) "HC2" else c("CR1", "CR2")])
  df_of <- function(type, C) {
    if (type == "CR2") return(s$satterthwaite(C))
    if (type == "HC2" && linear) return(bell_mccaffrey(s$Q, C %*% s$Rinv))
    rep(if (type == "CR1") s$G - 1 else if (linear) n - k else Inf, nrow(C))
  }
  # clubSandwich on an orthonormal basis, by its linear_contrast.
  basis <- X %*% s$Rinv
  fit_q <- if (linear) lm(outcome ~ 0 + basis) else
    glm(outcome ~ 0 + basis, binomial(family), start = qr.coef(qr(basis), eta), control = tight)
  robust <- if (is.null(ids)) list() else
    lapply(c(CR1 = "CR1", CR2 = "CR2"), function(type) vcovCR(fit_q, cluster = ids, type = type))
  if (is.null(ids) && linear) robust$HC2 <- vcovCR(fit_q, cluster = seq_len(n), type = "CR2")
  contrast <- function(C, estimate) lapply(setNames(nm = names(cov)), function(type) {
    out <- summarise(estimate, C %*% cov[[type]] %*% t(C), df_of(type, C))
    if (type %in% names(robust)) {
      test <- if (type == "CR1") "naive-t" else "Satterthwaite"
      theirs <- suppressWarnings(linear_contrast(fit_q, robust[[type]], C %*% s$Rinv, test = test))
      agree(paste("linear_contrast", family, "se"), out$se, theirs$SE, 1e-9)
      agree(paste("linear_contrast", family, "df"), out$df, theirs$df, 1e-9)
    }
    out
  })

  centres <- lapply(values, function(v) row_at_means(terms, frame, term, v, levels))
  settings <- lapply(values, function(v) {
    set <- frame
    set[[term]] <- v
    unname(model.matrix(terms, set, xlev = levels))
  })
  fit$coefficients[] <- coef
  arguments <- list(fit, term, cov.keep = character())
  if (is.numeric(frame[[term]])) arguments$at <- setNames(list(values), term)
  outer <- suppressMessages(summary(do.call(emmeans, c(arguments, weights = "outer"))))$emmean
  agree(paste("emmeans outer", family), vapply(centres, function(x) sum(x * coef), 0), outer, 1e-10)
  observed <- NULL
  if (proportional) {
    observed <- suppressMessages(summary(do.call(emmeans, c(arguments, weights = "proportional"))))$emmean
    agree("emmeans proportional", vapply(settings, function(A) mean(A %*% coef), 0), observed, 1e-10)
  }
  labels <- as.character(values)
  list(name = one(name), data = one(set), formula = one(deparse(formula, 500)), term = one(term), levels = labels,
       cluster = if (is.null(cluster)) NULL else one(cluster), family = one(if (linear) "gaussian" else "binomial"),
       link = one(if (linear) "identity" else family), n = one(n), k = one(k), clusters = if (is.null(ids)) NULL else one(s$G),
       columns = colnames(X), coef = coef,
       emmeans = list(outer_on_link = outer, proportional = observed),
       means = margin_rows(centres, 1, labels, coef, f, contrast, link = !linear, odds = !linear),
       observed = margin_rows(settings, rep(1, n), labels, coef, f, contrast, odds = !linear))
}

data <- list()
set.seed(20251126)
size <- sample(1:6, 44, replace = TRUE)
family <- rep(seq_along(size), size)
n <- length(family)
site <- rep(c("coast", "moor", "town"), c(12, 14, 18))
programme <- seq_along(size) %in% c(sample(1:12, 5), sample(13:26, 8), sample(27:44, 9))
child <- data.frame(family = family, arm = rep(ifelse(programme, "programme", "control"), size), site = rep(site, size), sex = sample(c("boy", "girl"), n, TRUE, c(.6, .4)),
                    age = round(runif(n, 2, 16), 1), need = round(rnorm(n, 1, 2), 2))
effect <- rep(rnorm(44, 0, 0.6), size)
treated <- child$arm == "programme"
child$score <- round(20 + 2 * treated + (child$site == "town") * (1 - 3 * treated) - 0.3 * child$age * (1 + treated) +
                       1.5 * (child$sex == "girl") + 0.4 * child$need + 2 * effect + rnorm(n, 0, 3), 2)
child$referred <- as.numeric(-0.8 + 0.9 * treated - 0.6 * treated * (child$sex == "girl") + 0.4 * (child$site == "moor") +
                               0.04 * child$age + 0.2 * child$need + effect + rlogis(n) > 0)
data$families <- list(frame = child, note = "made up: 44 families of one to six children, the arm by family",
                      json = list(columns = as.list(child)))
looms <- data.frame(breaks = warpbreaks$breaks, wool = tolower(warpbreaks$wool),
                    tension = c(L = "low", M = "medium", H = "high")[as.character(warpbreaks$tension)])
looms <- looms[-c(2, 5, 6, 17, 29, 30, 41, 43), ]        # unequal cells: all weights differ
looms$tension <- unname(looms$tension)
rownames(looms) <- NULL
data$looms <- list(frame = looms, note = "R's warpbreaks without eight rows, so that cells are unequal", json = list(columns = as.list(looms)))
grass <- data.frame(plant = as.character(CO2$Plant), type = tolower(CO2$Type), treatment = as.character(CO2$Treatment),
                    conc = CO2$conc, uptake = CO2$uptake)
grass <- grass[-c(3, 4, 21, 33, 58, 59, 60, 84), ]
rownames(grass) <- NULL
data$grass <- list(frame = grass, note = "R's CO2 without eight rows; plants are the clusters", json = list(columns = as.list(grass)))
abortion <- data.frame(case = infert$case, set = infert$stratum, spontaneous = c("none", "one", "several")[infert$spontaneous + 1],
                       induced = c("no", "yes", "yes")[infert$induced + 1], age = infert$age)
data$infert <- list(frame = abortion, note = "R's infert", json = list(columns = as.list(abortion)))
awards <- read.csv("tests/reference/data/achievement_2001.csv")
data$awards <- list(frame = awards, note = "all covariates are numbers", json = list(csv = one("tests/reference/data/achievement_2001.csv")))

cases <- list(
  case("category by category", "families", "score ~ arm * site + sex * site + age", "arm", "family", proportional = TRUE),
  case("category by category, three levels", "families", "score ~ arm * site + sex * site + age", "site", "family", proportional = TRUE),
  case("category by number", "families", "score ~ arm * age + site * sex + site:need + need", "arm", "family"),
  case("number by number", "families", "score ~ arm * age * need + sex", "arm", "family"),
  case("transformed", "families", "score ~ arm * log(age) + need + I(need^2) + site", "arm", "family"),
  case("looms wool", "looms", "breaks ~ wool * tension", "wool", proportional = TRUE),
  case("looms tension", "looms", "breaks ~ wool * tension", "tension", proportional = TRUE),
  case("grass", "grass", "uptake ~ treatment * type + type * log(conc)", "treatment", "plant"),
  case("awards linear", "awards", "Bagrut_status ~ treated * girl + treated * religious + secular + girl * lagscore", "treated", "school_id"))
for (link in c("logit", "probit")) cases <- c(cases, list(
  case(paste("category by category", link), "families", "referred ~ arm * sex + site * sex + age", "arm", "family", link),
  case(paste("category by number", link), "families", "referred ~ arm * age + arm:site + site + need", "arm", "family", link),
  case(paste("transformed", link), "families", "referred ~ arm * sqrt(age) + need + I(need^2)", "arm", "family", link),
  case(paste("no clusters", link), "families", "referred ~ arm * sex + need", "sex", NULL, link),
  case(paste("infert", link), "infert", "case ~ spontaneous * induced + age", "spontaneous", "set", link),
  case(paste("awards", link), "awards", "Bagrut_status ~ treated * girl + treated * religious + secular + girl * lagscore", "treated", "school_id", link)))

for (what in names(largest)) cat(sprintf("%-32s %.1e\n", what, largest[[what]]))
for (c in cases) {
  level <- function(rows) vapply(Filter(function(r) r$measure[[1]] == "level" && r$scale[[1]] == "response", rows), function(r) r$estimate[[1]], 0)
  cat(sprintf("%-36s n %4d means %s observed %s\n", c$name[[1]], c$n[[1]], paste(sprintf("%.4f", level(c$means)), collapse = " "),
              paste(sprintf("%.4f", level(c$observed)), collapse = " ")))
}
metadata <- c(versions("clubSandwich", "sandwich", "emmeans"), list(confidence = one(0.95), definitions = list(
  means = one("the linear predictor at the product of the means and shares of the separate covariates (emmeans weights = outer), then the inverse link; transformed columns at the mean of the covariate"),
  observed = one("the mean over the rows of the prediction with the term set"),
  gradient = one("the derivative of `estimate` by the coefficients, in the order of `columns`: the contrast that is given to clubSandwich"),
  scale = one("link: value, low and high are the level and its limits, transformed back; log: value, low and high are the ratio and its limits; p tests estimate = 0"),
  vcov = one("clustered: iid, CR1 on t(G - 1) and CR2 with Satterthwaite's df; without clusters iid and HC2, linear with Bell and McCaffrey's df, else z (df null); iid is n - k or z"),
  emmeans = one("what emmeans gives for the levels: outer_on_link, and proportional where a linear model has products of categories only, which is the observed margin"))))
write_json_file(list(metadata = metadata, data = lapply(data, function(d) c(list(note = one(d$note)), d$json)), cases = cases),
                "tests/reference/expected/margins.json")

# Reference values for survival: Kaplan-Meier, log-rank, Cox, proportional hazards tests and baseline hazards, from R's
# survival. Run from the root of the repository: Rscript tests/reference/survival.R
#
# Data, written to tests/reference/data: lung, veteran and rats as survival carries them, and the Rossi recidivism trial
# (P. H. Rossi, R. A. Berk, K. J. Lenihan 1980, Money, Work and Crime) as python/crewe/datasets carries it.
suppressMessages(library(survival))
source("tests/reference/lib/write.R")

CONTROL <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100)

rossi <- read.csv(gzfile("python/crewe/datasets/data/rossi.csv.gz"))
lung <- survival::lung
lung$status <- lung$status - 1
veteran <- survival::veteran
rats <- survival::rats
for (name in c("rossi", "lung", "veteran", "rats"))
  write_csv_file(get(name), sprintf("tests/reference/data/%s.csv", name))

design_column <- function(recipe, frame) {
  parts <- lapply(strsplit(recipe, "*", fixed = TRUE)[[1]], function(part) {
    if (!grepl("=", part)) return(as.numeric(frame[[part]]))
    pieces <- strsplit(part, "=")[[1]]
    as.numeric(frame[[pieces[1]]] == pieces[2])
  })
  Reduce(`*`, parts)
}

# `terms` is a list of recipes of columns, one element a term of cox.zph.
cox_case <- function(name, data, time, event, terms, ties, strata = NULL, cluster = NULL, weights = NULL,
                     zph = TRUE) {
  raw <- get(data)
  used <- unique(c(time, event, gsub("=.*", "", unlist(strsplit(unlist(terms), "*", fixed = TRUE))), strata,
                   if (!identical(cluster, "row")) cluster, weights))
  keep <- complete.cases(raw[used])
  frame <- raw[keep, ]
  blocks <- lapply(terms, function(recipes) {
    block <- sapply(recipes, design_column, frame = frame)
    matrix(block, nrow(frame), dimnames = list(NULL, recipes))
  })
  names(blocks) <- paste0("t", seq_along(blocks))
  model <- c(list(y = Surv(frame[[time]], frame[[event]])), blocks)
  right <- names(blocks)
  if (!is.null(strata)) {
    model$s <- as.character(frame[[strata]])
    right <- c(right, "strata(s)")
  }
  model$g <- if (is.null(cluster)) NULL else if (cluster == "row") seq_len(nrow(frame)) else as.character(frame[[cluster]])
  model$w <- if (is.null(weights)) rep(1, nrow(frame)) else frame[[weights]]
  formula <- reformulate(right, "y")
  environment(formula) <- list2env(model, parent = globalenv())
  fit <- if (is.null(cluster)) {
    coxph(formula, ties = ties, control = CONTROL, weights = w, model = TRUE, x = TRUE, robust = FALSE)
  } else {
    coxph(formula, ties = ties, control = CONTROL, weights = w, cluster = g, model = TRUE, x = TRUE)
  }
  plain <- if (is.null(fit$naive.var)) fit$var else fit$naive.var
  base <- basehaz(fit, centered = FALSE)
  out <- list(
    name = one(name), csv = one(sprintf("data/%s.csv", data)), time = one(time), event = one(event),
    terms = lapply(terms, as.character), ties = one(ties),
    strata = if (is.null(strata)) NULL else one(strata), cluster = if (is.null(cluster)) NULL else one(cluster),
    weights = if (is.null(weights)) NULL else one(weights),
    n = one(fit$n), events = one(sum(frame[[event]])), dropped = one(sum(!keep)),
    coef = unname(coef(fit)), se = unname(sqrt(diag(fit$var))), naive_se = unname(sqrt(diag(plain))),
    loglik = fit$loglik, score = one(fit$score), wald = one(unname(fit$wald.test)),
    rscore = if (is.null(fit$rscore)) NULL else one(unname(fit$rscore)),
    lr_p = one(pchisq(2 * diff(fit$loglik), length(coef(fit)), lower.tail = FALSE)),
    p = unname(2 * pnorm(abs(coef(fit) / sqrt(diag(fit$var))), lower.tail = FALSE)),
    baseline = list(time = base$time, hazard = base$hazard))
  if (nrow(frame) < 250) {
    out$martingale <- unname(residuals(fit, "martingale"))
    score <- residuals(fit, "score")
    out$score_residuals <- matrix(score, nrow = nrow(frame))
  }
  if (is.null(strata)) {
    at <- lapply(blocks, function(block) block[2, , drop = FALSE])
    curves <- lapply(c("log", "log-log", "plain"), function(type)
      survfit(fit, newdata = list2DF_matrix(at), conf.type = type, se.fit = TRUE))
    first <- curves[[1]]
    out$curve <- list(row = one(1), time = first$time, survival = as.numeric(first$surv),
                      std_log = as.numeric(first$std.err),
                      log = list(low = as.numeric(curves[[1]]$lower), high = as.numeric(curves[[1]]$upper)),
                      loglog = list(low = as.numeric(curves[[2]]$lower), high = as.numeric(curves[[2]]$upper)),
                      plain = list(low = as.numeric(curves[[3]]$lower), high = as.numeric(curves[[3]]$upper)))
  }
  if (grepl("^rossi (efron|breslow)", name)) {
    # Survival averaged over all rows, with financial aid withheld from and given to everybody.
    at <- c(0, 10, 26, 52)
    out$adjusted <- list(time = at, settings = lapply(0:1, function(aid) {
      rows <- lapply(blocks, function(block) { if (colnames(block)[1] == "fin=yes") block[, 1] <- aid; block })
      frame <- data.frame(row.names = seq_len(nrow(blocks[[1]])))
      for (name in names(rows)) frame[[name]] <- rows[[name]]
      rowMeans(summary(survfit(fit, newdata = frame, se.fit = FALSE), times = at)$surv)
    }))
  }
  if (zph) {
    out$zph <- lapply(c(km = "km", rank = "rank", identity = "identity", log = "log"), function(transform) {
      test <- cox.zph(fit, transform = transform)
      columns <- cox.zph(fit, transform = transform, terms = FALSE)
      list(chisq = unname(test$table[, "chisq"]), df = unname(test$table[, "df"]), p = unname(test$table[, "p"]),
           columns = unname(columns$table[, "chisq"]))
    })
    columns <- cox.zph(fit, transform = "km", terms = FALSE)
    out$schoenfeld <- list(x = unname(columns$x), time = unname(columns$time), first = columns$y[1:5, ])
    if (length(coef(fit)) == 1) out$schoenfeld$first <- matrix(columns$y[1:5, ], ncol = 1)
  }
  out
}

# A data frame whose columns are one-row matrices, as predictions from a model of matrices want it.
list2DF_matrix <- function(blocks) {
  frame <- data.frame(row.names = 1)
  for (name in names(blocks)) frame[[name]] <- blocks[[name]]
  frame
}

rossi_terms <- list("fin=yes", "age", "race=other", "wexp=yes", "mar=married", "paro=yes", "prio")
lung_terms <- list("age", "sex", "ph.ecog")
veteran_terms <- list("trt", c("celltype=smallcell", "celltype=adeno", "celltype=large"), "karno", "diagtime", "age",
                      "prior")
both <- function(make) unlist(lapply(c("efron", "breslow"), function(ties) make(ties)), recursive = FALSE)
cox <- both(function(ties) list(
  cox_case(paste("rossi", ties), "rossi", "week", "arrest", rossi_terms, ties),
  cox_case(paste("rossi rows", ties), "rossi", "week", "arrest", rossi_terms, ties, cluster = "row"),
  cox_case(paste("rossi strata", ties), "rossi", "week", "arrest", rossi_terms[-3], ties, strata = "race"),
  cox_case(paste("rossi weights", ties), "rossi", "week", "arrest", rossi_terms, ties, cluster = "row",
           weights = "educ", zph = FALSE),
  cox_case(paste("lung", ties), "lung", "time", "status", lung_terms, ties),
  cox_case(paste("lung inst", ties), "lung", "time", "status", lung_terms, ties, cluster = "inst"),
  cox_case(paste("veteran", ties), "veteran", "time", "status", veteran_terms, ties),
  cox_case(paste("veteran strata", ties), "veteran", "time", "status", veteran_terms[-1], ties, strata = "trt"),
  cox_case(paste("rats", ties), "rats", "time", "status", list("rx"), ties),
  cox_case(paste("rats litter", ties), "rats", "time", "status", list("rx"), ties, cluster = "litter"),
  cox_case(paste("rats litter sex", ties), "rats", "time", "status", list("rx", "sex=f"), ties, cluster = "litter"),
  cox_case(paste("rats litter strata", ties), "rats", "time", "status", list("rx"), ties, strata = "sex",
           cluster = "litter")))

km_case <- function(name, data, time, event, group, at, weights = NULL) {
  raw <- get(data)
  frame <- raw[complete.cases(raw[c(time, event, group, weights)]), ]
  frame$w <- if (is.null(weights)) 1 else frame[[weights]]
  levels <- sort(unique(as.character(frame[[group]])))
  groups <- lapply(levels, function(level) {
    part <- frame[as.character(frame[[group]]) == level, ]
    y <- Surv(part[[time]], part[[event]])
    fits <- lapply(c(loglog = "log-log", log = "log", plain = "plain"), function(type)
      survfit(y ~ 1, conf.type = type, weights = part$w))
    fit <- fits$log
    list(level = one(level), time = fit$time, at_risk = fit$n.risk, events = fit$n.event, censored = fit$n.censor,
         survival = fit$surv, std_error = fit$surv * fit$std.err,
         risk_at = sapply(at, function(t) sum(part$w[part[[time]] >= t])),
         limits = lapply(fits, function(f) list(low = f$lower, high = f$upper)),
         quantiles = lapply(fits, function(f) {
           q <- quantile(f, c(.25, .5, .75))
           list(estimate = unname(q$quantile), low = unname(q$lower), high = unname(q$upper))
         }))
  })
  list(name = one(name), csv = one(sprintf("data/%s.csv", data)), time = one(time), event = one(event),
       group = one(group), weights = if (is.null(weights)) NULL else one(weights), at = at, groups = groups)
}

km <- list(
  km_case("rossi fin", "rossi", "week", "arrest", "fin", c(0, 13, 26, 39, 52)),
  km_case("lung sex", "lung", "time", "status", "sex", c(0, 100, 310, 1000)),
  km_case("veteran trt", "veteran", "time", "status", "trt", c(0, 50, 100, 400)),
  km_case("veteran celltype", "veteran", "time", "status", "celltype", c(0, 50, 100, 400)),
  km_case("rats rx", "rats", "time", "status", "rx", c(0, 60, 80, 104)),
  km_case("rossi weights", "rossi", "week", "arrest", "fin", c(0, 26, 52), weights = "educ"))

logrank_case <- function(name, data, time, event, group, strata = NULL) {
  raw <- get(data)
  frame <- raw[complete.cases(raw[c(time, event, group, strata)]), ]
  y <- Surv(frame[[time]], frame[[event]])
  g <- as.character(frame[[group]])
  test <- if (is.null(strata)) survdiff(y ~ g) else {
    s <- as.character(frame[[strata]])
    survdiff(y ~ g + strata(s))
  }
  total <- function(x) if (is.matrix(x)) rowSums(x) else x
  df <- sum(total(test$exp) > 0) - 1
  list(name = one(name), csv = one(sprintf("data/%s.csv", data)), time = one(time), event = one(event),
       group = one(group), strata = if (is.null(strata)) NULL else one(strata),
       n = as.numeric(test$n), observed = total(test$obs), expected = total(test$exp), variance = unname(test$var),
       statistic = one(test$chisq), df = one(df), p = one(pchisq(test$chisq, df, lower.tail = FALSE)))
}

logrank <- list(
  logrank_case("rossi fin", "rossi", "week", "arrest", "fin"),
  logrank_case("rossi fin by race", "rossi", "week", "arrest", "fin", "race"),
  logrank_case("lung sex", "lung", "time", "status", "sex"),
  logrank_case("lung ecog by sex", "lung", "time", "status", "ph.ecog", "sex"),
  logrank_case("veteran celltype", "veteran", "time", "status", "celltype"),
  logrank_case("veteran celltype by prior", "veteran", "time", "status", "celltype", "prior"),
  logrank_case("rats rx", "rats", "time", "status", "rx"),
  logrank_case("rats rx by sex", "rats", "time", "status", "rx", "sex"))

# The small examples of the documentation.
small <- list(
  logrank = one(survdiff(Surv(c(1, 3, 4, 2, 5, 6), c(1, 1, 0, 1, 1, 1)) ~ c(0, 0, 0, 1, 1, 1))$chisq),
  cox = one(unname(coef(coxph(Surv(c(4, 3, 1, 1, 2, 2, 3), c(1, 1, 1, 0, 1, 1, 0)) ~ c(0, 2, 1, 1, 1, 0, 0),
                              control = CONTROL)))))

write_json_file(list(versions = versions("survival"), small = small, cox = cox, km = km, logrank = logrank),
                "tests/reference/expected/survival.json")

# Reference values for linear regression: coefficients, covariance matrices, degrees of freedom, tests, intervals,
# re-weighted means and joint tests, from clubSandwich, sandwich, estimatr and emmeans.
# Run from the root of the repository: Rscript tests/reference/ols.R
#
# clubSandwich forms (X'X)^-1 by Cholesky, which costs digits when a column's mean is far from zero. So it is run on
# an orthonormal basis Q of the same column space, X = QR, and its results are mapped back by R^-1: CR0 to CR3 and
# the Satterthwaite degrees of freedom do not depend on the basis. The run on X itself must agree to 1e-8 (checked).
suppressMessages({library(clubSandwich); library(sandwich); library(estimatr); library(emmeans)})
source("tests/reference/lib/write.R")

close_to <- function(a, b, tolerance = 1e-8) {
  stopifnot(all(is.finite(a)), all(abs(a - b) <= tolerance * pmax(abs(a), max(abs(b)) * 1e-4)))
}

# One column of the design from its recipe: "1", a column, an indicator "column=value", or a product "a*b".
design_column <- function(recipe, frame) {
  parts <- lapply(strsplit(recipe, "*", fixed = TRUE)[[1]], function(part) {
    if (part == "1") return(rep(1, nrow(frame)))
    if (!grepl("=", part)) return(as.numeric(frame[[part]]))
    pieces <- strsplit(part, "=")[[1]]
    as.numeric(frame[[pieces[1]]] == as.numeric(pieces[2]))
  })
  Reduce(`*`, parts)
}

# A standard error that is zero but for rounding has no test: 0, and null for the rest.
summarise <- function(estimate, cov, df) {
  se <- sqrt(diag(cov))
  df[se == 0] <- NA
  t <- estimate / se
  half <- qt(0.975, df) * se
  t[se == 0] <- NA
  list(se = unname(se), df = unname(df), statistic = unname(t),
       p = unname(2 * pt(abs(t), df, lower.tail = FALSE)),
       conf_low = unname(estimate - half), conf_high = unname(estimate + half))
}

# Satterthwaite degrees of freedom of contrasts. With weights linear_contrast of 0.5.8 stops on an undefined name,
# so HTZ with one row, which is the same number, stands in.
satterthwaite_df <- function(fit, V, C, weighted) {
  if (!weighted) return(suppressWarnings(linear_contrast(fit, V, C)$df))
  apply(C, 1, function(row) Wald_test(fit, matrix(row, 1), V, test = "HTZ")$df_denom)
}

# Bell and McCaffrey's degrees of freedom under HC2 and an identity working covariance, by the definition:
# g_i = (I - H)_i' a_i, a_i = x_i'(X'X)^-1 c / sqrt(1 - h_ii), df = (sum g_i'g_i)^2 / sum_ij (g_i'g_j)^2.
bell_mccaffrey <- function(Q, contrasts_q) {
  H <- tcrossprod(Q)
  apply(contrasts_q, 1, function(c) {
    a <- drop(Q %*% c) / sqrt(1 - diag(H))
    P <- -outer(a, a) * H
    diag(P) <- diag(P) + a^2
    sum(diag(P))^2 / sum(P^2)
  })
}

case <- function(name, data, frame, y, design, x_names, cluster = NULL, formula = NULL, margins = list(),
                 wald = list(), note = NULL, estimatr_check = TRUE, weights = NULL) {
  X <- sapply(design, design_column, frame = frame)
  colnames(X) <- x_names
  outcome <- as.numeric(frame[[y]])
  n <- nrow(X); k <- ncol(X)
  w <- if (is.null(weights)) rep(1, n) else as.numeric(frame[[weights]])
  Xw <- X * sqrt(w)
  decomposition <- qr(Xw, tol = 1e-12)
  stopifnot(decomposition$rank == k, identical(decomposition$pivot, seq_len(k)))
  Q <- qr.Q(decomposition)                    # orthonormal in the metric of the weights
  R <- qr.R(decomposition)
  Rinv <- backsolve(R, diag(k))
  basis <- data.frame(outcome = outcome, Q / sqrt(w))
  w_col <- w
  fit_q <- if (is.null(weights)) lm(outcome ~ 0 + ., data = basis) else lm(outcome ~ 0 + ., data = basis, weights = w_col)
  fit <- if (is.null(weights)) lm(outcome ~ 0 + X) else lm(outcome ~ 0 + X, weights = w_col)
  coef <- drop(qr.coef(decomposition, outcome * sqrt(w)))
  residual <- outcome - drop(X %*% coef)
  back <- function(V) { V <- Rinv %*% as.matrix(V) %*% t(Rinv); (V + t(V)) / 2 }
  sigma2 <- sum(w * residual^2) / (n - k)
  h <- rowSums(Q^2)

  ids <- if (is.null(cluster)) NULL else frame[[cluster]]
  G <- if (is.null(ids)) NA else length(unique(ids))
  cov <- list(); df <- list(); satterthwaite <- list()
  rank_contrasts <- function(C) C %*% Rinv    # contrasts of the coefficients, in the basis Q

  hc <- setdiff(c("HC0", "HC1", if (max(h) < 1 - 1e-8) c("HC2", "HC3")), character())
  cov$iid <- (sigma2 * tcrossprod(Rinv) + t(sigma2 * tcrossprod(Rinv))) / 2
  df$iid <- rep(n - k, k)
  for (type in hc) {
    cov[[type]] <- back(vcovHC(fit_q, type = type))
    df[[type]] <- rep(n - k, k)
  }
  if ("HC2" %in% hc && is.null(weights)) {
    satterthwaite$HC2 <- function(C) bell_mccaffrey(Q, rank_contrasts(C))
    df$HC2 <- satterthwaite$HC2(diag(k))
    if (n <= 200) {
      singletons <- vcovCR(fit_q, cluster = seq_len(n), type = "CR2")
      close_to(cov$HC2, back(singletons), 1e-10)
      close_to(df$HC2, linear_contrast(fit_q, singletons, Rinv)$df, 1e-8)
    }
  }
  if (!is.null(weights)) {
    # With weights the two definitions part: sandwich's HC2 takes the working variance 1/w, clubSandwich the identity.
    singletons <- vcovCR(fit_q, cluster = seq_len(n), type = "CR2")
    cov$CR2_rows <- back(singletons)
    satterthwaite$CR2_rows <- function(C) satterthwaite_df(fit_q, singletons, rank_contrasts(C), TRUE)
    df$CR2_rows <- satterthwaite$CR2_rows(diag(k))
  }
  robust <- list()
  if (!is.null(ids)) {
    blocks <- lapply(split(seq_len(n), ids), function(rows) {
      Qg <- Q[rows, , drop = FALSE]
      1 - max(eigen(tcrossprod(Qg), symmetric = TRUE, only.values = TRUE)$values)
    })
    singular <- min(unlist(blocks)) < 1e-8    # a cluster that some coefficient cannot do without
    for (type in c("CR0", "CR1", "CR1S", "CR2", if (!singular) "CR3")) {
      robust[[type]] <- vcovCR(fit_q, cluster = ids, type = type)
      cov[[type]] <- back(robust[[type]])
      df[[type]] <- rep(G - 1, k)
      direct <- as.matrix(vcovCR(fit, cluster = ids, type = type))
      scale <- sqrt(pmax(diag(cov[[type]]), 1e-8 * diag(cov$iid)))
      stopifnot(max(abs(direct - cov[[type]]) / tcrossprod(scale)) < 1e-7)
    }
    satterthwaite$CR2 <- function(C) satterthwaite_df(fit_q, robust$CR2, rank_contrasts(C), !is.null(weights))
    df$CR2 <- satterthwaite$CR2(diag(k))
    refits <- lapply(unique(ids), function(g) {
      kept <- ids != g
      lm.fit(Q[kept, , drop = FALSE], (outcome * sqrt(w))[kept])
    })
    if (all(vapply(refits, `[[`, 0L, "rank") == k)) {
      centre <- drop(crossprod(Q, outcome * sqrt(w)))
      deviations <- sapply(refits, function(r) r$coefficients - centre)
      cov$jackknife <- back((G - 1) / G * tcrossprod(deviations))
      df$jackknife <- rep(G - 1, k)
    }
  }
  cov <- lapply(cov, function(V) {
    none <- diag(V) < 1e-14 * diag(cov$iid)
    V[none, ] <- 0
    V[, none] <- 0
    V
  })
  vcov <- lapply(setNames(names(cov), names(cov)), function(type) {
    c(list(cov = unname(cov[[type]])), summarise(coef, cov[[type]], df[[type]]))
  })

  # estimatr's names for the same things; what it defines otherwise is left out and told in the metadata.
  if (is.null(weights) && estimatr_check) {
    named <- c(iid = "classical", HC0 = "HC0", HC1 = "HC1", HC2 = "HC2", HC3 = "HC3")
    for (type in intersect(names(named), names(cov))) {
      theirs <- lm_robust(outcome ~ 0 + X, se_type = named[[type]])
      close_to(theirs$std.error, vcov[[type]]$se, 1e-7)
      vcov[[type]]$estimatr_se <- unname(theirs$std.error)
    }
    named <- c(CR0 = "CR0", CR1S = "stata", CR2 = "CR2")
    for (type in if (is.null(ids)) character() else intersect(names(named), names(cov))) {
      theirs <- lm_robust(outcome ~ 0 + X, clusters = ids, se_type = named[[type]])
      close_to(theirs$std.error, vcov[[type]]$se, 1e-6)
      vcov[[type]]$estimatr_se <- unname(theirs$std.error)
      if (type == "CR2") {
        close_to(theirs$df, df$CR2, 1e-5)
        vcov[[type]]$estimatr_df <- unname(theirs$df)
      }
    }
  }

  contrast_table <- function(C) {
    estimate <- drop(C %*% coef)
    c(list(x = unname(C), estimate = unname(estimate)),
      list(vcov = lapply(setNames(names(cov), names(cov)), function(type) {
        d <- if (!is.null(satterthwaite[[type]])) satterthwaite[[type]](C) else rep(df[[type]][1], nrow(C))
        V <- C %*% cov[[type]] %*% t(C)
        summarise(estimate, V, d)
      })))
  }
  margins <- lapply(margins, function(m) {
    c(list(term = one(m$term), at = one("means"), labels = m$labels), contrast_table(m$C), m$emmeans)
  })
  wald <- lapply(wald, function(test) {
    C <- test$C
    rownames(C) <- NULL
    q <- nrow(C)
    estimate <- drop(C %*% coef)
    kinds <- setdiff(names(cov), "CR2_rows")
    rows <- lapply(setNames(kinds, kinds), function(type) {
      V <- C %*% cov[[type]] %*% t(C)
      scale <- sqrt(diag(V))
      statistic <- drop(crossprod(estimate / scale, solve(V / tcrossprod(scale), estimate / scale)))
      if (type == "CR2") {
        htz <- Wald_test(fit_q, rank_contrasts(C), robust$CR2, test = "HTZ")
        return(list(rule = one("HTZ"), statistic = one(htz$Fstat), df_num = one(q), df_denom = one(htz$df_denom),
                    p = one(htz$p_val)))
      }
      denominator <- if (grepl("^(CR|jack)", type)) G - 1 else n - k
      if (type == "CR1S") {
        naive <- Wald_test(fit_q, rank_contrasts(C), robust$CR1S, test = "Naive-F")
        close_to(c(naive$Fstat, naive$p_val), c(statistic / q, pf(statistic / q, q, G - 1, lower.tail = FALSE)), 1e-9)
      }
      list(rule = one("F"), statistic = one(statistic / q), df_num = one(q), df_denom = one(denominator),
           p = one(pf(statistic / q, q, denominator, lower.tail = FALSE)))
    })
    if ("HC2" %in% names(cov) && n <= 200) {
      htz <- Wald_test(fit_q, rank_contrasts(C), vcovCR(fit_q, cluster = seq_len(n), type = "CR2"), test = "HTZ")
      rows$HC2_HTZ <- list(rule = one("HTZ"), statistic = one(htz$Fstat), df_num = one(q),
                           df_denom = one(htz$df_denom), p = one(htz$p_val))
    }
    list(name = one(test$name), R = unname(C), vcov = rows)
  })

  r2 <- 1 - sum(w * residual^2) / sum(w * (outcome - weighted.mean(outcome, w))^2)
  list(name = one(name), formula = one(formula), note = one(if (is.null(note)) "" else note), data = data,
       y = one(y), design = design, x_names = x_names, cluster = if (is.null(cluster)) NULL else one(cluster),
       weights = if (is.null(weights)) NULL else one(weights),
       n = one(n), k = one(k), clusters = if (is.null(ids)) NULL else one(G),
       coef = unname(coef), sigma = one(sqrt(sigma2)), r_squared = one(r2), max_leverage = one(max(h)),
       vcov = vcov, margins = margins, wald = wald)
}

# Rows for the levels and the last minus the first, at the means of the other columns.
at_means <- function(X, set) t(sapply(set, function(values) { row <- colMeans(X); row[names(values)] <- values; row }))
columns_of <- function(frame, design, x_names) { X <- sapply(design, design_column, frame = frame); colnames(X) <- x_names; X }
inline <- function(frame) list(columns = lapply(as.list(frame), as.numeric))
emmeans_levels <- function(fit, specs, weights) summary(emmeans(fit, specs, weights = weights))$emmean
picks <- function(x_names, wanted) { C <- diag(length(x_names))[match(wanted, x_names), , drop = FALSE]; C }

# --- Achievement Awards, 2001: covariates, 39 schools -----------------------------------------------------------
csv <- list(csv = one("tests/reference/data/achievement_2001.csv"))
awards <- read.csv("tests/reference/data/achievement_2001.csv")
awards$school_type <- factor(ifelse(awards$religious == 1, "Religious", ifelse(awards$secular == 1, "Secular", "Arab")))

design <- c("1", "treated", "girl", "religious", "secular", "immigrant", "siblings", "father_ed", "mother_ed", "lagscore")
names_1 <- c("Intercept", "treated", "girl", "school_type[T.Religious]", "school_type[T.Secular]", "immigrant",
             "siblings", "father_ed", "mother_ed", "lagscore")
X <- columns_of(awards, design, names_1)
levels_1 <- at_means(X, list(c(treated = 0), c(treated = 1)))
emm_fit <- lm(Bagrut_status ~ factor(treated) + girl + school_type + immigrant + siblings + father_ed + mother_ed +
                lagscore, data = awards)
proportional <- summary(emmeans(emm_fit, "treated", weights = "proportional", cov.keep = character()))$emmean
equal_fit <- lm(Bagrut_status ~ treated + girl + school_type + immigrant + siblings + father_ed + mother_ed +
                  lagscore, data = awards)
equal <- summary(emmeans(equal_fit, "treated"))$emmean
stopifnot(round(proportional, 4) == c(.2135, .2707), round(equal, 3) == c(.271, .328))
cases <- list()
cases[[1]] <- case(
  "achievement_2001", csv, awards, "Bagrut_status", design, names_1, "school_id",
  "Bagrut_status ~ treated + girl + school_type + immigrant + siblings + father_ed + mother_ed + lagscore",
  margins = list(list(term = "treated", labels = c("0", "1", "1 - 0"), C = rbind(levels_1, levels_1[2, ] - levels_1[1, ]),
                      emmeans = list(emmeans_proportional = proportional, emmeans_equal_weights_not_ours = equal))),
  wald = list(list(name = "school_type", C = picks(names_1, names_1[4:5])),
              list(name = "treated", C = picks(names_1, "treated")),
              list(name = "all slopes", C = picks(names_1, names_1[-1]))))
close_to(cases[[1]]$margins[[1]]$estimate[1:2], proportional, 1e-10)

# --- The same year with the effect by half of the lagged score ---------------------------------------------------
design <- c("1", "treated", "upper", "girl", "religious", "secular", "siblings", "treated*upper")
names_2 <- c("Intercept", "treated", "upper", "girl", "school_type[T.Religious]", "school_type[T.Secular]",
             "siblings", "treated:upper")
X <- columns_of(awards, design, names_2)
grid <- list(c(treated = 0, upper = 0, `treated:upper` = 0), c(treated = 1, upper = 0, `treated:upper` = 0),
             c(treated = 0, upper = 1, `treated:upper` = 0), c(treated = 1, upper = 1, `treated:upper` = 1))
levels_2 <- at_means(X, grid)
share <- mean(awards$upper)
overall <- at_means(X, list(c(treated = 0, `treated:upper` = 0), c(treated = 1, `treated:upper` = share)))
emm_fit <- lm(Bagrut_status ~ factor(treated) * factor(upper) + girl + school_type + siblings, data = awards)
emm <- summary(emmeans(emm_fit, ~ treated + upper, weights = "proportional", cov.keep = character()))$emmean
cases[[2]] <- case(
  "achievement_2001_interaction", csv, awards, "Bagrut_status", design, names_2, "school_id",
  "Bagrut_status ~ treated * upper + girl + school_type + siblings",
  note = paste("Margins by upper set it; the margins over both recompute the interaction from the set value of",
               "treated and the mean of upper."),
  margins = list(
    list(term = "treated by upper", labels = c("0|0", "1|0", "0|1", "1|1", "1 - 0|0", "1 - 0|1"),
         C = rbind(levels_2, levels_2[2, ] - levels_2[1, ], levels_2[4, ] - levels_2[3, ]),
         emmeans = list(emmeans_proportional = emm)),
    list(term = "treated", labels = c("0", "1", "1 - 0"), C = rbind(overall, overall[2, ] - overall[1, ]), emmeans = NULL)),
  wald = list(list(name = "treated and treated:upper", C = picks(names_2, c("treated", "treated:upper"))),
              list(name = "school_type", C = picks(names_2, names_2[5:6]))))
close_to(cases[[2]]$margins[[1]]$estimate[1:4], emm, 1e-10)

# --- Matched sets: indicators of the set, clustered by school and by set -----------------------------------------
sets <- sort(unique(awards$pair))[-1]
design <- c("1", "treated", paste0("pair=", sets), "girl", "lagscore")
names_3 <- c("Intercept", "treated", paste0("C(pair)[T.", sets, "]"), "girl", "lagscore")
X <- columns_of(awards, design, names_3)
levels_3 <- at_means(X, list(c(treated = 0), c(treated = 1)))
margin_3 <- list(list(term = "treated", labels = c("0", "1", "1 - 0"),
                      C = rbind(levels_3, levels_3[2, ] - levels_3[1, ]), emmeans = NULL))
for (cluster in c("school_id", "pair")) {
  cases[[length(cases) + 1]] <- case(
    paste0("achievement_2001_sets_by_", cluster), csv, awards, "Bagrut_status", design, names_3, cluster,
    "Bagrut_status ~ treated + C(pair) + girl + lagscore", margins = margin_3, estimatr_check = FALSE,
    note = paste("Clusters that an indicator belongs to have leverage blocks with an eigenvalue of 1: CR2 takes the",
                 "Moore-Penrose root, CR3 and the jackknife do not exist where a cluster carries an indicator alone."),
    wald = list(list(name = "treated", C = picks(names_3, "treated")),
                list(name = "girl and lagscore", C = picks(names_3, c("girl", "lagscore")))))
}

# --- One row a school: its share of passes, set indicators ------------------------------------------------------
schools <- aggregate(cbind(Bagrut_status, lagscore, treated, pair) ~ school_id, data = awards, FUN = mean)
schools <- schools[order(schools$school_id), ]
design <- c("1", "treated", paste0("pair=", sets))
names_4 <- c("Intercept", "treated", paste0("C(pair)[T.", sets, "]"))
for (cluster in c("school_id", "pair")) {
  cases[[length(cases) + 1]] <- case(
    paste0("school_means_sets_by_", cluster), inline(schools), schools, "Bagrut_status", design, names_4, cluster,
    "Bagrut_status ~ treated + C(pair)", estimatr_check = FALSE,
    note = "39 schools in 18 pairs and one set of three; leverage is 1/2 or more in every pair.",
    wald = list(list(name = "treated", C = picks(names_4, "treated"))))
}

# --- Singleton clusters, and clusters that carry an indicator alone ----------------------------------------------
blocks <- data.frame(
  y = c(3.1, 2.7, 4.4, 5.2, 1.9, 6.3, 4.8, 3.3, 7.1, 2.2, 5.9, 4.1, 6.6, 3.8, 2.9, 5.5, 4.9, 6.1),
  z = c(1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0),
  x = c(.4, 1.2, -.3, 2.1, .9, -1.4, .2, 1.7, -.6, .8, 1.1, -.2, .5, 2.4, -1.9, .3, 1.5, -.7),
  d = c(1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  e = c(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
  g = c(11, 11, 11, 12, 12, 13, 14, 15, 15, 15, 15, 16, 17, 17, 18, 19, 19, 20))
names_5 <- c("Intercept", "z", "x", "d")
margin_5 <- function(names) {
  X <- columns_of(blocks, c("1", names[-1]), names)
  levels <- at_means(X, list(c(z = 0), c(z = 1)))
  list(list(term = "z", labels = c("0", "1", "1 - 0"), C = rbind(levels, levels[2, ] - levels[1, ]), emmeans = NULL))
}
cases[[length(cases) + 1]] <- case(
  "blocks_indicator", inline(blocks), blocks, "y", c("1", "z", "x", "d"), names_5, "g", "y ~ z + x + d",
  note = "Cluster 11 is the whole of the indicator d; clusters 13, 14, 16, 18 and 20 are single rows.",
  margins = margin_5(names_5), estimatr_check = FALSE,
  wald = list(list(name = "z and x", C = picks(names_5, c("z", "x"))), list(name = "z, x and d", C = picks(names_5, c("z", "x", "d")))))
names_6 <- c("Intercept", "z", "x", "e")
cases[[length(cases) + 1]] <- case(
  "blocks_leverage_one", inline(blocks), blocks, "y", c("1", "z", "x", "e"), names_6, "g", "y ~ z + x + e",
  note = "Row 17 alone has e = 1: its leverage is 1, so that HC2 and HC3 do not exist and CR2 needs the pseudo-inverse.",
  margins = margin_5(names_6), estimatr_check = FALSE,
  wald = list(list(name = "z and x", C = picks(names_6, c("z", "x")))))
names_7 <- c("Intercept", "z", "x")
cases[[length(cases) + 1]] <- case(
  "blocks_plain", inline(blocks), blocks, "y", c("1", "z", "x"), names_7, "g", "y ~ z + x",
  note = "Ten clusters of one to four rows; everything exists.", margins = margin_5(names_7),
  wald = list(list(name = "z and x", C = picks(names_7, c("z", "x")))))

# --- Repeated weighings of 50 chicks ---------------------------------------------------------------------------
chicks <- data.frame(weight = ChickWeight$weight, time = ChickWeight$Time,
                     diet = as.integer(as.character(ChickWeight$Diet)), chick = as.integer(as.character(ChickWeight$Chick)))
design <- c("1", "time", "diet=2", "diet=3", "diet=4", "time*diet=2", "time*diet=3", "time*diet=4")
names_8 <- c("Intercept", "time", "C(diet)[T.2]", "C(diet)[T.3]", "C(diet)[T.4]",
             "time:C(diet)[T.2]", "time:C(diet)[T.3]", "time:C(diet)[T.4]")
cases[[length(cases) + 1]] <- case(
  "chick_weight", inline(chicks), chicks, "weight", design, names_8, "chick", "weight ~ time * C(diet)",
  note = "R's ChickWeight.",
  wald = list(list(name = "time:diet", C = picks(names_8, names_8[6:8])), list(name = "diet and time:diet", C = picks(names_8, names_8[3:8]))))

# --- No clusters -----------------------------------------------------------------------------------------------
yarn <- data.frame(breaks = warpbreaks$breaks, wool = as.integer(warpbreaks$wool == "B"), tension = as.integer(warpbreaks$tension) - 1)
design <- c("1", "wool", "tension=1", "tension=2", "wool*tension=1", "wool*tension=2")
names_9 <- c("Intercept", "wool[T.B]", "tension[T.M]", "tension[T.H]", "wool[T.B]:tension[T.M]", "wool[T.B]:tension[T.H]")
cases[[length(cases) + 1]] <- case(
  "warpbreaks", inline(yarn), yarn, "breaks", design, names_9, NULL, "breaks ~ wool * tension",
  note = "R's warpbreaks; wool A = 0, B = 1; tension L = 0, M = 1, H = 2.",
  wald = list(list(name = "interaction", C = picks(names_9, names_9[5:6])), list(name = "all slopes", C = picks(names_9, names_9[-1]))))
cars <- data.frame(mpg = mtcars$mpg, wt = mtcars$wt, hp = mtcars$hp, cyl = mtcars$cyl, am = mtcars$am)
design <- c("1", "am", "wt", "hp", "cyl=6", "cyl=8")
names_10 <- c("Intercept", "am", "wt", "hp", "C(cyl)[T.6]", "C(cyl)[T.8]")
X <- columns_of(cars, design, names_10)
levels_10 <- at_means(X, list(c(am = 0), c(am = 1)))
cases[[length(cases) + 1]] <- case(
  "mtcars", inline(cars), cars, "mpg", design, names_10, NULL, "mpg ~ am + wt + hp + C(cyl)", note = "R's mtcars.",
  margins = list(list(term = "am", labels = c("0", "1", "1 - 0"), C = rbind(levels_10, levels_10[2, ] - levels_10[1, ]), emmeans = NULL)),
  wald = list(list(name = "cyl", C = picks(names_10, names_10[5:6]))))

# --- Weights ---------------------------------------------------------------------------------------------------
cars$gear <- mtcars$gear
cars$carb_gear <- mtcars$carb * 10 + mtcars$gear
cars$qsec <- mtcars$qsec
design <- c("1", "am", "wt")
names_11 <- c("Intercept", "am", "wt")
cases[[length(cases) + 1]] <- case(
  "mtcars_weighted", inline(cars), cars, "mpg", design, names_11, "carb_gear", "mpg ~ am + wt", weights = "qsec",
  note = paste("Weighted least squares with weights qsec. CR2's target is the identity, clubSandwich's default for lm.",
               "HC2 is sandwich's (df n - k here); CR2_rows is CR2 with every row its own cluster, which differs from it."),
  wald = list(list(name = "am and wt", C = picks(names_11, c("am", "wt")))))

# --- Columns whose scales are six and twelve powers of ten apart --------------------------------------------------
set.seed(20170701)
n <- 1000
scales <- data.frame(a = round(rnorm(n), 4), b = round(rnorm(n), 4) * 1e6, c = round(1e3 + rnorm(n), 4) / 1e6,
                     z = rep(0:1, n / 2))
scales$y <- round(2 + 0.5 * scales$z + scales$a - 2e-6 * scales$b + 3e4 * scales$c + rnorm(n) * exp(scales$a / 2), 4)
names_12 <- c("Intercept", "z", "a", "b", "c")
cases[[length(cases) + 1]] <- case(
  "scales", inline(scales), scales, "y", c("1", "z", "a", "b", "c"), names_12, NULL, "y ~ z + a + b + c",
  note = paste("b is 1e6 times and c 1e-6 times a unit column; c also has a mean of 1,000 standard deviations,",
               "so the intercept and c hold about three digits fewer than z, a and b."),
  estimatr_check = FALSE,
  wald = list(list(name = "z and b", C = picks(names_12, c("z", "b"))), list(name = "a, b and c", C = picks(names_12, c("a", "b", "c")))))

metadata <- c(versions("clubSandwich", "sandwich", "estimatr", "emmeans"), list(
  confidence = one(0.95),
  definitions = list(
    iid = one("sigma^2 (X'X)^-1, df n - k"),
    HC0_HC1_HC3 = one("sandwich::vcovHC, df n - k; HC3 has no small-sample factor"),
    HC2 = one("sandwich::vcovHC, Bell-McCaffrey df: clubSandwich CR2 with every row its own cluster"),
    CR0_CR1_CR1S_CR3 = one("clubSandwich::vcovCR, df G - 1; CR1 is G/(G-1), CR1S is G/(G-1) (n-1)/(n-k), CR3 has no factor"),
    CR2 = one("clubSandwich::vcovCR, identity target, Satterthwaite df, Moore-Penrose root"),
    jackknife = one("(G-1)/G sum (b_g - b)(b_g - b)' by refitting without each cluster, df G - 1"),
    joint = one("HTZ under CR2 (clubSandwich::Wald_test); F(q, G - 1) under other clustered kinds; F(q, n - k) else; HC2_HTZ is HTZ with single rows as clusters")),
  estimatr_agreement = one(paste("estimatr_se and estimatr_df stand beside a kind where estimatr means the same: classical, HC0 to HC3,",
                       "CR0, stata (CR1S) and CR2 with its df. It differs in: HC2 df (n - k there), CR0 and stata df G - 1 as here, no CR1 or CR3.")),
  absent = one("A kind that is missing from `vcov` does not exist for the case: leverage 1 under HC2 and HC3, a singular block under CR3, a refit without full rank under the jackknife.")))
write_json_file(list(metadata = metadata, cases = cases), "tests/reference/expected/ols.json")
for (c in cases) cat(sprintf("%-36s n %5d k %3d kinds %s\n", c$name[[1]], c$n[[1]], c$k[[1]], paste(names(c$vcov), collapse = " ")))

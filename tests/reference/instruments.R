# Reference values for case records, risk matrices, the SDQ and rating scales, worked out from their definitions.
# Run from the root of the repository: Rscript tests/reference/instruments.R
#
# The inputs are made here too and stand in the same file, so that every language scores the same data.
source("tests/reference/lib/write.R")
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(20150801)

# ---- Case records: R's own dates, one vectorised line a rule. -----------------------------------------------------
start <- as.Date("2015-08-01"); end <- as.Date("2016-11-01"); extracted <- as.Date("2017-02-01")
n <- 120
family <- sample(1:70, n, replace = TRUE)
family_day <- start + sample(0:240, 70, replace = TRUE)
randomised <- family_day[family]
referral <- randomised - sample(0:150, n, replace = TRUE)
closure <- randomised + sample(0:420, n, replace = TRUE)
closure[runif(n) < 0.25 | closure > extracted] <- NA
back <- closure + sample(0:200, n, replace = TRUE)
back[runif(n) < 0.6 | back > extracted] <- NA
support <- referral - sample(-60:400, n, replace = TRUE)
support[runif(n) < 0.3] <- NA

recoded <- pmax(referral, start)
history <- !is.na(support) & support < start
event <- !is.na(closure) & closure <= end
re_referred <- event & !is.na(back) & back <= end
closed <- event & !re_referred
stop_day <- pmin(closure, end, na.rm = TRUE)
text <- function(dates) ifelse(is.na(dates), NA_character_, format(dates))
where <- function(flag) which(flag) - 1
cases <- list(
  input = list(case_id = seq_len(n), family_id = family, referral = text(referral), closure = text(closure),
               rereferral = text(back), cin_start = text(support), randomised = text(randomised)),
  start = one(format(start)), end = one(format(end)), extracted = one(format(extracted)),
  history = as.integer(history), closed = as.integer(closed), re_referred = as.integer(re_referred),
  event = as.integer(event), days = as.integer(stop_day - randomised),
  days_from_referral = as.integer(stop_day - recoded), referral_recoded = text(recoded),
  moved = where(referral < start), late_back = where(!is.na(back) & !re_referred),
  not_closed = where(event & re_referred), late_closure = where(!is.na(closure) & closure > end),
  open = where(is.na(closure)),
  days_before_randomisation = as.integer(pmax(randomised - recoded, 0)))

# ---- Risk: matrix products over the codes, by kind; the range by all combinations of three uncertain weights. -----
risk_codes <- c("parent_previous_social_care", "parent_mental_health", "parent_substance_abuse",
  "parent_attachment_issues", "parent_own_needs_first", "parent_domestic_abuse_victim",
  "parent_personality_disorder", "child_risk_taking", "child_excluded", "child_low_attendance",
  "child_aggressive", "family_parental_conflict", "family_stress", "family_isolated_parent",
  "family_power_issues", "family_substance_abuse", "family_young_children", "social_dangerous_neighbourhood",
  "social_lack_of_support")
protective_codes <- c("parent_in_employment", "parent_empathy", "parent_overcome_adversity",
  "parent_lack_of_denial", "parent_responsible", "child_positive_relationships", "child_low_risk_taking",
  "child_engaged_at_school", "family_supportive_partner", "family_supportive_network")
engagement_codes <- c("engagement_parent", "engagement_child")
m <- 60
R <- matrix(rbinom(m * 19, 1, 0.3), m); P <- matrix(rbinom(m * 10, 1, 0.4), m)
E <- matrix(sample(c(2, 1, -1, -2, NA), m * 2, replace = TRUE), m)
case <- rep(1:30, each = 2); time <- rep(0:1, 30); arm <- rep(rep(c("control", "crewe"), each = 15), each = 2)
risk <- drop(R %*% rep(-1, 19)); protective <- drop(P %*% rep(1, 10)); engagement <- rowSums(E, na.rm = TRUE)
total <- risk + protective + engagement
change <- function(x) x[time == 1] - x[time == 0]
of <- arm[time == 0]
welch <- function(x) {
  t <- t.test(change(x)[of == "crewe"], change(x)[of == "control"])
  list(estimate = one(unname(t$estimate[1] - t$estimate[2])), std_error = one(unname(t$stderr)),
       df = one(unname(t$parameter)))
}
# Every choice of 1 or 2 for three factors, the others certain.
choices <- expand.grid(a = c(1, 2), b = c(1, 2), c = c(1, 2))
did <- apply(choices, 1, function(w) {
  x <- total - (w["a"] - 1) * R[, 13] - (w["b"] - 1) * R[, 2] + (w["c"] - 1) * P[, 2]
  mean(change(x)[of == "crewe"]) - mean(change(x)[of == "control"])
})
values <- cbind(R, P, E); colnames(values) <- c(risk_codes, protective_codes, engagement_codes)
risk_reference <- list(
  codes = colnames(values), values = values,
  case_id = case, time = time, arm = arm, total = total, risk = risk, protective = protective,
  engagement = engagement,
  low = -2 * rowSums(R) + protective + engagement, high = risk + 2 * rowSums(P) + engagement,
  did = lapply(list(total = total, risk = risk, protective = protective, engagement = engagement), welch),
  uncertain_three = c("family_stress", "parent_mental_health", "parent_empathy"),
  did_range = range(did),
  prevalence = as.integer(colSums(R[time == 0, ])))

# ---- SDQ: means of five items, floor(0.5 + 5 mean). ----------------------------------------------------------------
k <- 80
S <- matrix(sample(c(0, 1, 2), k * 25, replace = TRUE), k)
S[matrix(runif(k * 25) < 0.15, k)] <- NA
turned <- S; turned[, c(7, 11, 14, 21, 25)] <- 2 - S[, c(7, 11, 14, 21, 25)]
scale <- function(items) {
  x <- turned[, items]
  ifelse(rowSums(!is.na(x)) >= 3, floor(0.5 + 5 * rowSums(x, na.rm = TRUE) / rowSums(!is.na(x))), NA)
}
scales <- list(emotional = scale(c(3, 8, 13, 16, 24)), conduct = scale(c(5, 7, 12, 18, 22)),
  hyperactivity = scale(c(2, 10, 15, 21, 25)), peer = scale(c(6, 11, 14, 19, 23)),
  prosocial = scale(c(1, 4, 9, 17, 20)))
difficulties <- with(scales, emotional + conduct + hyperactivity + peer)
sdq <- c(list(items = S), scales,
  list(total = difficulties,
       band = as.integer(cut(difficulties, c(-1, 13, 16, 19, 40))) - 1L))

# ---- A rating scale: 28 people, 6 items from 1 to 5, two reversed. ---------------------------------------------------
L <- matrix(sample(1:5, 28 * 6, replace = TRUE), 28)
L <- pmin(pmax(L + rep(sample(-1:1, 28, replace = TRUE), 6), 1), 5)
L[matrix(runif(28 * 6) < 0.2, 28)] <- NA
T <- L; T[, c(2, 5)] <- 6 - L[, c(2, 5)]
answered <- rowSums(!is.na(T))
mean_score <- ifelse(answered >= 3, rowMeans(T, na.rm = TRUE), NA)
complete <- T[answered == 6, ]
staff <- rep(c("control", "crewe"), c(9, 19))
describe <- function(x) {
  x <- x[!is.na(x)]; q <- unname(quantile(x, c(0.25, 0.5, 0.75), type = 7))
  lapply(list(n = length(x), mean = mean(x), sd = sd(x), min = min(x), q1 = q[1], median = q[2], q3 = q[3],
              max = max(x)), one)
}
likert <- list(items = L, reversed = c(1, 4), arm = staff, mean = mean_score,
  total = mean_score * 6, answered = as.integer(answered), complete = one(nrow(complete)),
  alpha = one(6 / 5 * (1 - sum(apply(complete, 2, var)) / var(rowSums(complete)))),
  item_rest = sapply(1:6, function(j) cor(complete[, j], rowSums(complete[, -j]))),
  by_arm = lapply(split(mean_score * 6, staff), describe))

write_json_file(list(metadata = versions(), cases = cases, risk = risk_reference, sdq = sdq, likert = likert),
                "tests/reference/expected/instruments.json")

# Reference values for covariate-constrained randomisation: the balance score of all 12,870 ways of splitting sixteen
# counties 8:8, from its formula in base R. The data are read from the folder in CREWE_REFERENCE_DATA.
# Run from the root of the repository: Rscript tests/reference/constrained.R
#
# Where the package cvcrand is installed, its scores are compared with these: it is no part of the values written.
source("tests/reference/lib/write.R")

folder <- Sys.getenv("CREWE_REFERENCE_DATA")
if (folder == "") stop("set CREWE_REFERENCE_DATA to the folder that holds dickinson_design.csv")
counties <- read.csv(file.path(folder, "dickinson_design.csv"))
x <- with(counties, cbind(
  urban = location == "Urban", inciis, uptodateonimmunizations, hispanic,
  low = incomecat == "Low", med = incomecat == "Med"
)) + 0

# B = (1/4) sum_k (sum_i z_i (x_ik - mean_k) / s_k)^2 with z = +1 or -1
first <- combn(16, 8)
z <- matrix(-1, ncol(first), 16)
z[cbind(rep(seq_len(ncol(first)), each = 8), c(first))] <- 1
scores <- rowSums((z %*% scale(x))^2) / 4

# the same as 16 times the squared standardised differences in means
by_means <- 16 * rowSums((z %*% scale(x) / 8)^2)
stopifnot(abs(scores - by_means) < 1e-10)

wanted <- ceiling(nrow(z) / 10)
cutoff <- sort(scores)[wanted]
accepted <- z[scores <= cutoff * (1 + 1e-9), ]
stopifnot(colMeans(accepted) == 0)
together <- (crossprod(accepted) / nrow(accepted) + 1) / 2
pairs <- together[upper.tri(together)]

if (requireNamespace("cvcrand", quietly = TRUE)) {
  theirs <- cvcrand::cvrall(
    clustername = counties$county, balancemetric = "l2", ntotal_cluster = 16, ntrt_cluster = 8,
    x = counties[c("location", "inciis", "uptodateonimmunizations", "hispanic", "incomecat")],
    categorical = c("location", "incomecat"), cutoff = 0.1, seed = 12345, size = 50000
  )
  print(theirs$bscores)
  message("cvcrand ", packageVersion("cvcrand"))
}

write_json_file(
  list(
    metadata = list(r = one(R.version.string), note = one("base R, from the formula")),
    dickinson = list(
      schemes = one(nrow(z)), accepted = one(nrow(accepted)), minimum = one(min(scores)), mean = one(mean(scores)),
      maximum = one(max(scores)), cutoff = one(cutoff), together = one(sum(pairs == 1)), apart = one(sum(pairs == 0)),
      least_coincidence = one(min(pairs)), most_coincidence = one(max(pairs))
    ),
    rerandomisation = list(
      accept = c(0.001, 0.01, 0.1, 0.5), df = c(1, 2, 10, 45),
      threshold = outer(c(0.001, 0.01, 0.1, 0.5), c(1, 2, 10, 45), qchisq),
      variance_factor = outer(c(0.001, 0.01, 0.1, 0.5), c(1, 2, 10, 45), function(p, df) pchisq(qchisq(p, df), df + 2) / p)
    )
  ),
  "tests/reference/expected/constrained.json"
)

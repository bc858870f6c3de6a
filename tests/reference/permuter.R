# The randomisation interval of a log rate ratio by permuter (D. Rabideau, MIT licence), on its data set pneumovac: a sample
# of 449 children of the Pneumococcal Conjugate Vaccine Trial (R. J. Hayes and L. H. Moulton 2017, Harvard Dataverse), 36
# areas of which have children in it.
#
# The package is on GitHub alone (djrabideau/permuter, commit 2561373); doRNG is on CRAN.
# Run from the root of the repository: R_LIBS=<library with permuter> Rscript tests/reference/permuter.R
suppressMessages({
  library(permuter)
  library(survival)
})
source("tests/reference/lib/write.R")

seeds <- 1:5
search <- function(seed) {
  # The search prints its progress.
  invisible(capture.output(found <- permci_glm(
    bpepisodes ~ spnvac, trtname = "spnvac", runit = "randunit", family = poisson, data = pneumovac,
    nperm = 1500, nburn = 500, level = 0.95, ncores = 1, seed = seed, quietly = TRUE
  )))
  as.numeric(found$ci)
}
limits <- t(sapply(seeds, search))
areas <- sort(unique(pneumovac$randunit))
of <- function(values, f) as.numeric(tapply(values, pneumovac$randunit, f))
fit <- glm(bpepisodes ~ spnvac, family = poisson, data = pneumovac)

write_json_file(
  list(
    metadata = versions("permuter"),
    area = areas,
    children = of(pneumovac$bpepisodes, length),
    episodes = of(pneumovac$bpepisodes, sum),
    treated = of(pneumovac$spnvac, unique),
    estimate = one(unname(coef(fit)["spnvac"])),
    low = limits[, 1],
    high = limits[, 2]
  ),
  "tests/reference/expected/permuter.json"
)

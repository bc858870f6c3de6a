# Takes the two real trials out of the R packages that distribute them and writes the files that crewe ships,
# and the smaller table of one year that the Rust tests read.
# Run from the root of the repository: Rscript tests/reference/datasets.R
suppressMessages(library(clubSandwich))
suppressMessages(library(carData))
source("tests/reference/lib/write.R")

shipped <- "python/crewe/datasets/data"

data(AchievementAwardsRCT)
awards <- as.data.frame(AchievementAwardsRCT)
awards$girl <- as.integer(awards$sex == "Girl")
stopifnot(nrow(awards) == 16526, all(awards$sex %in% c("Boy", "Girl")), all(awards$attempted == round(awards$attempted)))
awards <- awards[c("school_id", "pair", "treated", "school_type", "year", "student_id", "sex", "girl", "siblings",
                   "immigrant", "father_ed", "mother_ed", "lagscore", "qrtl", "half", "Bagrut_status", "attempted",
                   "awarded", "achv_math", "achv_english", "achv_hebrew")]
write_csv_file(awards, file.path(shipped, "achievement_awards.csv.gz"))

# The year with outcomes under the programme, numbers only: school_type as two indicators (Arab the reference),
# half as upper (1 = upper half of the lagged score within cohort and sex).
year <- awards[awards$year == "2001", ]
numeric <- data.frame(
  Bagrut_status = year$Bagrut_status, treated = year$treated, girl = year$girl,
  religious = as.integer(year$school_type == "Religious"), secular = as.integer(year$school_type == "Secular"),
  immigrant = year$immigrant, siblings = year$siblings, father_ed = year$father_ed, mother_ed = year$mother_ed,
  lagscore = year$lagscore, upper = as.integer(year$half == "2"), school_id = year$school_id, pair = year$pair
)
stopifnot(nrow(numeric) == 3821, !anyNA(numeric), length(unique(numeric$school_id)) == 39)
write_csv_file(numeric, "tests/reference/data/achievement_2001.csv")

data(Rossi)
rossi <- Rossi[c("week", "arrest", "fin", "age", "race", "wexp", "mar", "paro", "prio", "educ")]
rossi$educ <- as.integer(as.character(rossi$educ))
stopifnot(nrow(rossi) == 432, !anyNA(rossi))
write_csv_file(rossi, file.path(shipped, "rossi.csv.gz"))

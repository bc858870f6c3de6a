# Writing reference values so that every double comes back as the same double, and a re-run gives the same bytes.
# jsonlite's `digits = NA` stops at 15 significant digits, which is not enough for the columns of a design.

# The shortest of 15, 16 or 17 significant digits that reads back as the same double; null where not finite.
number <- function(x, missing = "null") {
  text <- sprintf("%.15g", x)
  for (digits in 16:17) {
    off <- is.finite(x) & suppressWarnings(as.numeric(text)) != x
    text[off] <- sprintf(paste0("%.", digits, "g"), x[off])
  }
  text[!is.finite(x)] <- missing
  text
}

# A length-one value that is written as a scalar; every other atomic vector is written as an array.
one <- function(x) structure(list(x), class = "one")

json <- function(x) {
  quoted <- function(text) ifelse(is.na(text), "null", paste0("\"", gsub("([\"\\\\])", "\\\\\\1", text), "\""))
  if (inherits(x, "one")) {
    value <- x[[1]]
    return(if (is.character(value)) quoted(value) else if (is.logical(value)) tolower(value) else number(value))
  }
  if (is.null(x)) return("null")
  if (is.matrix(x)) {
    rows <- apply(x, 1, function(row) paste0("[", paste(number(row), collapse = ","), "]"))
    return(paste0("[", paste(rows, collapse = ",\n"), "]"))
  }
  if (is.list(x)) {
    parts <- vapply(x, json, "")
    if (is.null(names(x))) return(paste0("[", paste(parts, collapse = ",\n"), "]"))
    return(paste0("{", paste(paste0(quoted(names(x)), ":", parts), collapse = ",\n"), "}"))
  }
  if (is.logical(x)) return(paste0("[", paste(tolower(x), collapse = ","), "]"))
  parts <- if (is.character(x)) quoted(x) else number(as.numeric(x))
  paste0("[", paste(parts, collapse = ","), "]")
}

write_json_file <- function(x, path) {
  out <- file(path, "wb")
  on.exit(close(out))
  writeLines(json(x), out, sep = "\n", useBytes = TRUE)
}

# A data frame as comma-separated text: numbers as above, missing as nothing. No value may hold a comma or a quote.
csv_lines <- function(frame) {
  columns <- lapply(frame, function(column) {
    if (is.numeric(column)) return(number(column, missing = ""))
    text <- as.character(column)
    stopifnot(!grepl("[,\"\n]", text))
    ifelse(is.na(text), "", text)
  })
  c(paste(names(frame), collapse = ","), do.call(paste, c(unname(columns), sep = ",")))
}

# R's gzfile stores no time and no name, so the same rows give the same bytes.
write_csv_file <- function(frame, path) {
  out <- if (grepl("\\.gz$", path)) gzfile(path, "wb", compression = 9) else file(path, "wb")
  on.exit(close(out))
  writeLines(csv_lines(frame), out, sep = "\n", useBytes = TRUE)
}

versions <- function(...) {
  packages <- c(...)
  c(list(R = one(paste(R.version$major, R.version$minor, sep = "."))),
    setNames(lapply(packages, function(p) one(as.character(packageVersion(p)))), packages))
}

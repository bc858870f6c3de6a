//! Descriptive tables: means by group, counts and shares by arm.
//!
//! The interval of a mean is Student's, mean +- t(n - 1) sd/sqrt(n): it treats the rows of a group as independent.

use serde::Serialize;

use super::{Interval, check_level};
use crate::dist::t_quantile;
use crate::moments::Moments;
use crate::ties::{Distinct, Sameness, Tolerance, all_whole};
use crate::{Fault, Result, codes};

/// Cells of a table beyond which it is refused: nobody reads it, and memory runs out soon after.
const MOST_CELLS: usize = 1_000_000;
/// Groups beyond which a summary of each is refused.
const MOST_GROUPS: usize = 1_000_000;

/// One group of a numeric column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupSummary {
    /// The number of observed values.
    pub n: usize,
    /// The number of missing ones.
    pub missing: usize,
    /// The mean; NaN where nothing is observed.
    pub mean: f64,
    /// The standard deviation (n - 1); NaN under two values, and 0 where they differ by rounding alone.
    pub sd: f64,
    /// The standard error of the mean, sd/sqrt(n).
    pub std_error: f64,
    /// The smallest value.
    pub min: f64,
    /// The median.
    pub median: f64,
    /// The largest value.
    pub max: f64,
    /// The interval of the mean; NaN under two values.
    pub interval: Interval,
}

/// Summarises a column by group; `codes` give each row's group, counted from 0, and NaN is missing.
///
/// # Errors
/// When the lengths differ, a code is not under `groups`, a value is infinite, or the level is not between 0 and 1.
///
/// ```
/// use crewe::nonparametric::group_summary;
/// let groups = group_summary(&[1.0, 3.0, 10.0], &[0, 0, 1], 2, 0.95)?;
/// assert_eq!((groups[0].mean, groups[0].n, groups[1].mean), (2.0, 2, 10.0));
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn group_summary(values: &[f64], codes: &[u32], groups: usize, level: f64) -> Result<Vec<GroupSummary>> {
    check_level(level)?;
    codes::check(codes, values.len(), groups, "groups")?;
    if groups > MOST_GROUPS {
        return Err(Fault::new(format!("a summary of {groups} groups has more than {MOST_GROUPS} rows"))
            .remedy("Check that the groups are not ids")
            .input());
    }
    refuse_infinite(values)?;
    let mut members = vec![Vec::new(); groups];
    let mut missing = vec![0; groups];
    for (&value, &code) in values.iter().zip(codes) {
        if value.is_nan() {
            missing[code as usize] += 1;
        } else {
            members[code as usize].push(value);
        }
    }
    let rule = Sameness::of(values);
    Ok(members
        .into_iter()
        .zip(missing)
        .map(|(values, missing)| summary(values, rule, missing, level))
        .collect())
}

fn refuse_infinite(values: &[f64]) -> Result<()> {
    let infinite: Vec<usize> = (0..values.len()).filter(|&i| values[i].is_infinite()).collect();
    if infinite.is_empty() {
        return Ok(());
    }
    Err(Fault::new("values are infinite")
        .rows(infinite)
        .remedy("Correct them or mark them as missing")
        .input())
}

fn summary(mut values: Vec<f64>, rule: Sameness, missing: usize, level: f64) -> GroupSummary {
    // In ascending order sums do not depend on the order of the rows.
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let count = n as f64;
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    let moments = Moments::within(&values, rule);
    let (mean, sd) = (moments.mean, moments.sd());
    let std_error = sd / count.sqrt();
    let half = if n < 2 { f64::NAN } else { t_quantile(0.5 + 0.5 * level, count - 1.0) * std_error };
    GroupSummary {
        n,
        missing,
        mean,
        sd,
        std_error,
        min: at(0),
        median: if n == 0 { f64::NAN } else { 0.5 * (at((n - 1) / 2) + at(n / 2)) },
        max: if n == 0 { f64::NAN } else { at(n - 1) },
        interval: Interval { low: mean - half, high: mean + half },
    }
}

/// The different values of a column, and which of them each row has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Levels {
    /// The different values, ascending.
    pub values: Vec<f64>,
    /// One a row, an index into `values`; `None` where the value is missing.
    pub codes: Vec<Option<u32>>,
}

/// Tells the values of a column apart; NaN is missing, and what differs by rounding alone is one value.
///
/// # Errors
/// When a value is infinite, or there are more than 2^32 - 1 rows.
///
/// ```
/// use crewe::nonparametric::levels;
/// let found = levels(&[0.8 - 0.5, f64::NAN, 0.3, 0.1])?;
/// assert_eq!(found.codes, [Some(1), None, Some(1), Some(0)]);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn levels(values: &[f64]) -> Result<Levels> {
    refuse_infinite(values)?;
    if u32::try_from(values.len()).is_err() {
        return Err(Fault::new("a column has at most 4,294,967,295 rows").input());
    }
    let seen: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    let distinct = Distinct::of(&seen);
    let codes = values.iter().map(|&v| (!v.is_nan()).then(|| distinct.class(v) as u32)).collect();
    Ok(Levels { values: distinct.values, codes })
}

/// The bin of each value between rising `edges`: from each edge up to the next, the last bin with its upper edge.
///
/// A value that differs from an edge by rounding alone is at that edge, by the rule for times of
/// [`crate::survival::Tolerance`]; whole numbers are compared as they are. NaN is missing and gives `None`.
///
/// # Errors
/// When there are fewer than two edges, edges that do not rise, or values outside them, with their rows.
///
/// ```
/// use crewe::nonparametric::cut;
/// let edges = [0.0, 0.1, 0.1 + 0.1 + 0.1, 1.0];
/// assert_eq!(cut(&[0.3, 0.1, 1.0, f64::NAN], &edges, "share")?, [Some(2), Some(1), Some(2), None]);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn cut(values: &[f64], edges: &[f64], column: &str) -> Result<Vec<Option<u32>>> {
    let rule = if all_whole(edges) && values.iter().all(|v| v.is_nan() || all_whole(&[*v])) {
        Tolerance::within(0.0)
    } else {
        Tolerance::of(edges)
    };
    if edges.len() < 2 || !edges.windows(2).all(|e| e[0] < e[1] && !rule.same(e[0], e[1])) {
        return Err(Fault::new("bins need at least two rising edges")
            .values(edges.iter().map(f64::to_string))
            .remedy("Give the lower edge of every bin, then the upper edge of the last")
            .input());
    }
    let last = edges.len() - 1;
    let class = |value: f64| match rule.last_at(edges, value) {
        Some(j) if j == last && rule.same(value, edges[last]) => Some(last - 1),
        found => found.filter(|&j| j < last),
    };
    let off: Vec<usize> =
        (0..values.len()).filter(|&i| !values[i].is_nan() && class(values[i]).is_none()).collect();
    if !off.is_empty() {
        return Err(Fault::new("values lie outside the bins")
            .column(column)
            .rows(off)
            .remedy(format!("The bins run from {} to {}: widen them", edges[0], edges[last]))
            .input());
    }
    Ok(values.iter().map(|&v| class(v).map(|j| j as u32)).collect())
}

/// Counts of a category by group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Crosstab {
    /// Counts, row by row (categories), one column a group.
    pub counts: Vec<u64>,
    /// The share of each category within its group, in the same order; NaN for an empty group.
    pub shares: Vec<f64>,
    /// The size of each group.
    pub totals: Vec<u64>,
}

/// Counts `rows` categories by `columns` groups.
///
/// # Errors
/// When the lengths differ, a code is out of range, or the table has more than a million cells.
///
/// ```
/// use crewe::nonparametric::crosstab;
/// let table = crosstab(&[0, 0, 1, 1], &[0, 1, 1, 1], 2, 2)?;
/// assert_eq!(table.counts, [1, 1, 0, 2]);
/// assert_eq!(table.shares[3], 2.0 / 3.0);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn crosstab(row_codes: &[u32], column_codes: &[u32], rows: usize, columns: usize) -> Result<Crosstab> {
    codes::check(row_codes, column_codes.len(), rows, "categories")?;
    codes::check(column_codes, row_codes.len(), columns, "groups")?;
    if rows.checked_mul(columns).is_none_or(|cells| cells > MOST_CELLS) {
        return Err(Fault::new(format!(
            "a table of {rows} categories by {columns} groups has more than {MOST_CELLS} cells"
        ))
        .remedy("Group the categories, put numbers into classes, and check that neither column holds ids")
        .input());
    }
    let mut counts = vec![0_u64; rows * columns];
    let mut totals = vec![0_u64; columns];
    for (&r, &c) in row_codes.iter().zip(column_codes) {
        counts[r as usize * columns + c as usize] += 1;
        totals[c as usize] += 1;
    }
    let shares = counts.iter().enumerate().map(|(i, &n)| n as f64 / totals[i % columns] as f64).collect();
    Ok(Crosstab { counts, shares, totals })
}

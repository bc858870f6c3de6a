//! Descriptive tables: means by group, counts and shares by arm.
//!
//! The interval of a mean is Student's, mean +- t(n - 1) sd/sqrt(n): it treats the rows of a group as independent.

use super::{Interval, check_level};
use crate::dist::t_quantile;
use crate::{Fault, Result};

/// One group of a numeric column.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSummary {
    /// The number of observed values.
    pub n: usize,
    /// The number of missing ones.
    pub missing: usize,
    /// The mean; NaN where nothing is observed.
    pub mean: f64,
    /// The standard deviation (n - 1); NaN under two values.
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
    check_codes(codes, values.len(), groups)?;
    let infinite: Vec<usize> = (0..values.len()).filter(|&i| values[i].is_infinite()).collect();
    if !infinite.is_empty() {
        return Err(Fault::new("values are infinite")
            .rows(infinite)
            .remedy("Correct them or mark them as missing")
            .input());
    }
    let mut members = vec![Vec::new(); groups];
    let mut missing = vec![0; groups];
    for (&value, &code) in values.iter().zip(codes) {
        if value.is_nan() {
            missing[code as usize] += 1;
        } else {
            members[code as usize].push(value);
        }
    }
    Ok(members.into_iter().zip(missing).map(|(values, missing)| summary(values, missing, level)).collect())
}

fn summary(mut values: Vec<f64>, missing: usize, level: f64) -> GroupSummary {
    // In ascending order sums do not depend on the order of the rows.
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let count = n as f64;
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    let mean = if n == 0 { f64::NAN } else { values.iter().sum::<f64>() / count };
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let sd = if n < 2 { f64::NAN } else { (squares / (count - 1.0)).sqrt() };
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

/// Counts of a category by group.
#[derive(Debug, Clone, PartialEq)]
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
/// When the lengths differ or a code is out of range.
///
/// ```
/// use crewe::nonparametric::crosstab;
/// let table = crosstab(&[0, 0, 1, 1], &[0, 1, 1, 1], 2, 2)?;
/// assert_eq!(table.counts, [1, 1, 0, 2]);
/// assert_eq!(table.shares[3], 2.0 / 3.0);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn crosstab(row_codes: &[u32], column_codes: &[u32], rows: usize, columns: usize) -> Result<Crosstab> {
    check_codes(row_codes, column_codes.len(), rows)?;
    check_codes(column_codes, row_codes.len(), columns)?;
    let mut counts = vec![0_u64; rows * columns];
    let mut totals = vec![0_u64; columns];
    for (&r, &c) in row_codes.iter().zip(column_codes) {
        counts[r as usize * columns + c as usize] += 1;
        totals[c as usize] += 1;
    }
    let shares = counts.iter().enumerate().map(|(i, &n)| n as f64 / totals[i % columns] as f64).collect();
    Ok(Crosstab { counts, shares, totals })
}

fn check_codes(codes: &[u32], length: usize, groups: usize) -> Result<()> {
    if codes.len() != length {
        return Err(Fault::new("groups and values must have one entry a row")
            .values([format!("{} and {length}", codes.len())])
            .input());
    }
    let off: Vec<usize> = (0..length).filter(|&i| codes[i] as usize >= groups).collect();
    if off.is_empty() {
        return Ok(());
    }
    Err(Fault::new("a group code is out of range").rows(off).input())
}

//! Rating scales of a survey: scores, Cronbach's alpha, and their distribution by group.
//!
//! An answer x on a scale from a to b is reversed as a + b - x. A person's mean runs over the items answered, the
//! total is that mean times the number of items; both are missing when fewer than a given share of the items is
//! answered. Over the complete rows, with k items of variance s_j^2 and a total of variance s_T^2 (n - 1 below),
//! alpha = k / (k - 1) (1 - sum_j s_j^2 / s_T^2). The item-rest correlation of item j is Pearson's of x_j and the sum of
//! the other k - 1; one below 0 says that the item runs against the scale, as one does whose reversal was forgotten.
//!
//! L. J. Cronbach (1951), Coefficient alpha and the internal structure of tests, doi:10.1007/BF02310555;
//! R. J. Hyndman, Y. Fan (1996), Sample quantiles in statistical packages, doi:10.1080/00031305.1996.10473566.

use ndarray::ArrayView2;

use serde::Serialize;

use crate::moments::Moments;
use crate::setters::setters;
use crate::ties::Sameness;
use crate::{Fault, Result, codes};

/// How a survey is scored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options<'a> {
    /// The lowest answer.
    pub low: f64,
    /// The highest answer.
    pub high: f64,
    /// Which items are reversed, one flag an item.
    pub reversed: &'a [bool],
    /// The share of the items that must be answered, above 0 and at most 1.
    pub needed: f64,
    /// The items' names, for messages.
    pub names: &'a [String],
}

impl<'a> Options<'a> {
    /// A scale from `low` to `high`; one flag an item says whether it is reversed, and half of them must be answered.
    #[must_use]
    pub fn new(low: f64, high: f64, reversed: &'a [bool], names: &'a [String]) -> Self {
        Self { low, high, reversed, needed: 0.5, names }
    }
}

setters!(['a] Options<'a>, needed: plain(f64));

/// The scores of n people.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Scores {
    /// The mean answer after reversal, length n; NaN where too few items are answered.
    pub mean: Vec<f64>,
    /// The mean times the number of items, length n.
    pub total: Vec<f64>,
    /// How many items are answered, length n.
    pub answered: Vec<usize>,
    /// Cronbach's alpha over the complete rows; NaN with one item, under two complete rows or totals that do not
    /// vary.
    pub alpha: f64,
    /// The complete rows.
    pub complete: usize,
    /// The correlation of each item, after reversal, with the sum of the others over the complete rows, length k; NaN
    /// with one item, under three complete rows, or where the item or the others do not vary.
    pub item_rest: Vec<f64>,
}

/// Scores `items`, n by k, NaN where there is no answer.
///
/// ```
/// use crewe::instruments::likert::{score, Options};
/// use ndarray::array;
/// let names = vec!["tired".to_string(), "calm".to_string()];
/// let options = Options::new(1.0, 5.0, &[false, true], &names);
/// let scores = score(array![[4.0, 2.0], [5.0, f64::NAN]].view(), &options)?;
/// // 4 and 6 - 2 = 4; then the one answer alone.
/// assert_eq!(scores.total, [8.0, 10.0]);
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// An input error for an answer off the scale or between two points of it, with the item and its rows.
pub fn score(items: ArrayView2<'_, f64>, options: &Options<'_>) -> Result<Scores> {
    let k = items.ncols();
    check(items, options)?;
    let turned = |i: usize, j: usize| {
        let answer = items[[i, j]];
        if options.reversed[j] { options.low + options.high - answer } else { answer }
    };
    let mut out = Scores {
        mean: Vec::new(),
        total: Vec::new(),
        answered: Vec::new(),
        alpha: f64::NAN,
        complete: 0,
        item_rest: Vec::new(),
    };
    let mut complete = Vec::new();
    for i in 0..items.nrows() {
        let answers: Vec<f64> = (0..k).map(|j| turned(i, j)).filter(|answer| !answer.is_nan()).collect();
        // A hair of tolerance, so that a share such as 0.7 of 10 items asks for 7 and not for 8.
        let enough = answers.len() as f64 + 1e-9 >= options.needed * k as f64 && !answers.is_empty();
        let sum: f64 = answers.iter().sum();
        let mean = if enough { sum / answers.len() as f64 } else { f64::NAN };
        out.mean.push(mean);
        out.total.push(if answers.len() == k { sum } else { mean * k as f64 });
        out.answered.push(answers.len());
        if answers.len() == k {
            complete.push(answers);
        }
    }
    out.complete = complete.len();
    out.alpha = cronbach(&complete, k);
    out.item_rest = (0..k).map(|j| item_rest(&complete, j, options.low)).collect();
    Ok(out)
}

fn check(items: ArrayView2<'_, f64>, options: &Options<'_>) -> Result<()> {
    let k = items.ncols();
    if k == 0 || options.reversed.len() != k || options.names.len() != k {
        return Err(Fault::new("the items, their names and the reversed flags differ in number")
            .remedy("Name at least one item")
            .input());
    }
    let whole = |x: f64| x.is_finite() && x.fract() == 0.0;
    if !(whole(options.low) && whole(options.high) && options.low < options.high) {
        return Err(Fault::new("a rating scale runs between two whole numbers")
            .values([options.low.to_string(), options.high.to_string()])
            .remedy("Give the lowest and the highest answer, for instance (1, 5)")
            .input());
    }
    if !(options.needed > 0.0 && options.needed <= 1.0) {
        return Err(Fault::new("the share of items that must be answered lies outside 0 to 1")
            .values([options.needed.to_string()])
            .remedy("Give a share above 0 and at most 1")
            .input());
    }
    for (j, column) in items.columns().into_iter().enumerate() {
        let off: Vec<usize> = (0..column.len())
            .filter(|&i| {
                let x = column[i];
                !(x.is_nan() || whole(x) && x >= options.low && x <= options.high)
            })
            .collect();
        if !off.is_empty() {
            return Err(Fault::new(format!(
                "answers lie off the scale of {} to {}",
                options.low, options.high
            ))
            .column(options.names[j].clone())
            .labels(off.iter().map(|&i| column[i].to_string()))
            .rows(off)
            .remedy("Correct the answers, give the right scale, or leave missing answers empty")
            .input());
        }
    }
    Ok(())
}

fn cronbach(rows: &[Vec<f64>], k: usize) -> f64 {
    if rows.len() < 2 || k < 2 {
        return f64::NAN;
    }
    let variance = |x: Vec<f64>| Moments::of(&x).variance();
    let items: f64 = (0..k).map(|j| variance(rows.iter().map(|row| row[j]).collect())).sum();
    let total = variance(rows.iter().map(|row| row.iter().sum()).collect());
    if total == 0.0 {
        return f64::NAN;
    }
    // Twice the covariances, as a share of the total's variance; without any, what is left of 1 - 1 is rounding.
    let shared = 1.0 - items / total;
    if shared.abs() <= 1e-13 { 0.0 } else { k as f64 / (k as f64 - 1.0) * shared }
}

/// The correlation of item `j` with the sum of the others.
///
/// Answers are whole numbers, so sums of products from the lowest answer on are exact, and so are the sign and a variance of 0.
fn item_rest(rows: &[Vec<f64>], j: usize, low: f64) -> f64 {
    let n = rows.len() as f64;
    if rows.len() < 3 {
        return f64::NAN;
    }
    let (mut x, mut y, mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for row in rows {
        let own = row[j] - low;
        let rest = row.iter().map(|answer| answer - low).sum::<f64>() - own;
        x += own;
        y += rest;
        xx += own * own;
        yy += rest * rest;
        xy += own * rest;
    }
    let spread = (n * xx - x * x) * (n * yy - y * y);
    if spread > 0.0 { ((n * xy - x * y) / spread.sqrt()).clamp(-1.0, 1.0) } else { f64::NAN }
}

/// The distribution of scores in one group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Scores that are not missing.
    pub n: usize,
    /// Missing scores.
    pub missing: usize,
    /// The mean.
    pub mean: f64,
    /// The standard deviation over n - 1; NaN with one score.
    pub sd: f64,
    /// The least score.
    pub min: f64,
    /// The lower quartile.
    pub q1: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub q3: f64,
    /// The greatest score.
    pub max: f64,
}

/// Describes each group's scores; `group` holds codes below `groups`. Quartiles by Hyndman and Fan's definition 7.
///
/// # Errors
/// An input error for another number of codes than scores, and a code that is none of the groups.
///
/// ```
/// use crewe::instruments::likert::summarise;
/// let by = summarise(&[1.0, 2.0, 4.0, 7.0, f64::NAN], &[0, 0, 0, 1, 1], 2)?;
/// assert_eq!((by[0].median, by[0].q1, by[1].n, by[1].missing), (2.0, 1.5, 1, 1));
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn summarise(scores: &[f64], group: &[u32], groups: usize) -> Result<Vec<Summary>> {
    codes::check(group, scores.len(), groups, "groups")?;
    let mut members = vec![Vec::new(); groups];
    let mut missing = vec![0; groups];
    for (&score, &code) in scores.iter().zip(group) {
        if score.is_nan() {
            missing[code as usize] += 1;
        } else {
            members[code as usize].push(score);
        }
    }
    let rule = Sameness::of(scores);
    let summaries = members
        .into_iter()
        .zip(missing)
        .map(|(mut x, missing)| {
            x.sort_by(f64::total_cmp);
            let moments = Moments::within(&x, rule);
            Summary {
                n: x.len(),
                missing,
                mean: moments.mean,
                sd: moments.sd(),
                min: quantile(&x, 0.0),
                q1: quantile(&x, 0.25),
                median: quantile(&x, 0.5),
                q3: quantile(&x, 0.75),
                max: quantile(&x, 1.0),
            }
        })
        .collect();
    Ok(summaries)
}

/// Definition 7 on sorted values: linear between the order statistics at (n - 1) p.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let place = (sorted.len() - 1) as f64 * p;
    let low = place.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (place - low as f64) * (sorted[high] - sorted[low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_of_items_that_agree_is_one() {
        let rows: Vec<Vec<f64>> = [1.0, 3.0, 4.0].iter().map(|&x| vec![x, x, x]).collect();
        assert!((cronbach(&rows, 3) - 1.0).abs() < 1e-15);
        assert!(cronbach(&rows[..1], 3).is_nan());
    }

    #[test]
    fn an_item_against_the_scale_is_told_from_one_that_does_not_vary() {
        let rows = [vec![1.0, 5.0, 3.0], vec![3.0, 3.0, 3.0], vec![5.0, 1.0, 3.0]];
        // The others of the first are 8, 6, 4; those of the last 6, 6, 6.
        assert!((item_rest(&rows, 0, 1.0) + 1.0).abs() < 1e-15);
        assert!(item_rest(&rows, 2, 1.0).is_nan());
        assert!(item_rest(&rows[..2], 0, 1.0).is_nan());
    }

    #[test]
    fn row_9_1_alpha_of_items_that_have_nothing_in_common_is_0() {
        // Every pair of answers once: the items do not covary, and a third is the same for all.
        for k in 2..8 {
            let mut rows = Vec::new();
            for a in 0..k {
                for b in 0..k {
                    rows.push(vec![f64::from(a), f64::from(b), 3.0]);
                }
            }
            assert_eq!(cronbach(&rows, 3), 0.0);
        }
        assert!(cronbach(&vec![vec![3.0, 4.0]; 33], 2).is_nan());
        // Items that cancel leave a total without variance.
        assert!(cronbach(&[vec![1.0, 5.0], vec![2.0, 4.0], vec![5.0, 1.0]], 2).is_nan());
    }
}

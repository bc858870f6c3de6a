//! The Strengths and Difficulties Questionnaire: 25 items to five scales and total difficulties.
//!
//! Each item is 0, 1 or 2 as answered. Items 7, 11, 14, 21 and 25 are reversed (2 - answer). A scale is the sum
//! of its five items, from 0 to 10. With three or four of the five answered it is five times their mean,
//! rounded to the nearest integer, halves up: floor(5 s / k + 1/2), in whole numbers, so that nothing depends on
//! floating point; with fewer it is missing. Total difficulties are the sum of the four scales without prosocial,
//! from 0 to 40, missing if one of them is.
//!
//! R. Goodman (1997), The Strengths and Difficulties Questionnaire: a research note,
//! doi:10.1111/j.1469-7610.1997.tb01545.x.

use ndarray::ArrayView2;

use serde::Serialize;

use crate::{Fault, Result};

/// The number of items.
pub const ITEMS: usize = 25;
/// The items of each scale, counted from 1: emotional, conduct, hyperactivity, peer, prosocial.
pub const SCALES: [[usize; 5]; 5] =
    [[3, 8, 13, 16, 24], [5, 7, 12, 18, 22], [2, 10, 15, 21, 25], [6, 11, 14, 19, 23], [1, 4, 9, 17, 20]];
/// The reversed items, counted from 1.
pub const REVERSED: [usize; 5] = [7, 11, 14, 21, 25];
/// How many of a scale's five items must be answered.
pub const NEEDED: usize = 3;

/// The scores of n children; missing scores are NaN.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Scores {
    /// Emotional symptoms, 0 to 10, length n.
    pub emotional: Vec<f64>,
    /// Conduct problems, 0 to 10, length n.
    pub conduct: Vec<f64>,
    /// Hyperactivity, 0 to 10, length n.
    pub hyperactivity: Vec<f64>,
    /// Peer problems, 0 to 10, length n.
    pub peer: Vec<f64>,
    /// Prosocial behaviour, 0 to 10, length n; more is better.
    pub prosocial: Vec<f64>,
    /// Total difficulties, 0 to 40, length n.
    pub total: Vec<f64>,
    /// How many of the 25 items were answered, length n.
    pub answered: Vec<usize>,
    /// How many of the five scales were pro-rated, length n.
    pub prorated: Vec<usize>,
}

/// Scores `items`, n by 25 in the order of the questionnaire, NaN where there is no answer.
///
/// ```
/// use crewe::instruments::sdq::score;
/// use ndarray::Array2;
/// // All "somewhat true": 5 points a scale, reversed or not.
/// let scores = score(Array2::from_elem((1, 25), 1.0).view())?;
/// assert_eq!((scores.emotional[0], scores.total[0]), (5.0, 20.0));
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// An input error if there are not 25 items, or an answer is not 0, 1, 2 or NaN; it names the item as
/// `item 7` and the rows.
pub fn score(items: ArrayView2<'_, f64>) -> Result<Scores> {
    if items.ncols() != ITEMS {
        return Err(Fault::new(format!("the questionnaire has 25 items, {} were given", items.ncols()))
            .remedy("Name the 25 columns in the order of the questionnaire")
            .input());
    }
    for (j, column) in items.columns().into_iter().enumerate() {
        let off: Vec<usize> = (0..column.len())
            .filter(|&i| !(column[i].is_nan() || [0.0, 1.0, 2.0].contains(&column[i])))
            .collect();
        if !off.is_empty() {
            return Err(Fault::new("answers lie off the scale of 0, 1, 2")
                .column(format!("item {}", j + 1))
                .labels(off.iter().map(|&i| column[i].to_string()))
                .rows(off)
                .remedy("Code not true 0, somewhat true 1, certainly true 2, and leave missing answers empty")
                .input());
        }
    }
    let n = items.nrows();
    let mut scales: [Vec<f64>; 5] = std::array::from_fn(|_| Vec::with_capacity(n));
    let mut out = Scores {
        emotional: Vec::new(),
        conduct: Vec::new(),
        hyperactivity: Vec::new(),
        peer: Vec::new(),
        prosocial: Vec::new(),
        total: Vec::with_capacity(n),
        answered: Vec::with_capacity(n),
        prorated: Vec::with_capacity(n),
    };
    for row in items.rows() {
        let mut prorated = 0;
        let mut total = 0.0;
        for (s, members) in SCALES.iter().enumerate() {
            let mut sum = 0_u32;
            let mut answered = 0_u32;
            for &item in members {
                let answer = row[item - 1];
                if !answer.is_nan() {
                    // Checked above: 0, 1 or 2.
                    let answer = answer as u32;
                    sum += if REVERSED.contains(&item) { 2 - answer } else { answer };
                    answered += 1;
                }
            }
            let value = scale(sum, answered);
            prorated += usize::from(answered < 5 && !value.is_nan());
            scales[s].push(value);
            // The last scale is prosocial, which is no difficulty.
            if s < 4 {
                total += value;
            }
        }
        out.total.push(total);
        out.answered.push(row.iter().filter(|answer| !answer.is_nan()).count());
        out.prorated.push(prorated);
    }
    [out.emotional, out.conduct, out.hyperactivity, out.peer, out.prosocial] = scales;
    Ok(out)
}

/// floor(5 sum / answered + 1/2) in whole numbers, NaN with fewer than three answers.
fn scale(sum: u32, answered: u32) -> f64 {
    if (answered as usize) < NEEDED {
        return f64::NAN;
    }
    f64::from((10 * sum + answered) / (2 * answered))
}

/// The band of a total: the index of the first upper bound that it does not exceed, `None` for NaN.
///
/// ```
/// use crewe::instruments::sdq::band;
/// let parent = [13.0, 16.0, 19.0, 40.0];
/// assert_eq!((band(13.0, &parent), band(20.0, &parent), band(f64::NAN, &parent)), (Some(0), Some(3), None));
/// ```
pub fn band(total: f64, upper: &[f64]) -> Option<usize> {
    upper.iter().position(|&bound| total <= bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_part_the_items() {
        let mut all: Vec<usize> = SCALES.iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, (1..=ITEMS).collect::<Vec<_>>());
    }

    #[test]
    fn halves_go_up() {
        // 2 points on 4 answers: 5 x 2/4 = 2.5, so 3; 1 on 4: 1.25, so 1; 4 on 3: 6.67, so 7.
        assert_eq!([scale(2, 4), scale(1, 4), scale(4, 3), scale(10, 5)], [3.0, 1.0, 7.0, 10.0]);
        assert!(scale(4, 2).is_nan());
    }
}

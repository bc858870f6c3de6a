//! A risk matrix: weighted factors seen at each time, and how their totals change by arm.
//!
//! With x_ic = 1 where factor c is present in assessment i and weight w_c (negative for risk, positive for
//! protection), and engagement on its own scale:
//!
//! risk_i = sum over risk factors of w_c x_ic, protective_i likewise, engagement_i = the sum of its values,
//! total_i = risk_i + protective_i + engagement_i.
//!
//! Where a weight may be either of two numbers, a total lies between the sums of the lesser and of the greater
//! contributions. A difference in differences is linear in the weights too: its range over every combination of
//! uncertain weights is exact, and needs one contribution a factor, not 2^k combinations.
//!
//! J. Heal, M. Nolan, M. Sanders (2017), Project Crewe: research report, Department for Education, DFE-RR580,
//! Appendix 3.

use ndarray::ArrayView2;

use serde::Serialize;

use crate::moments::Moments;
use crate::setters::setters;
use crate::ties::Sameness;
use crate::words::words;
use crate::{Fault, Result, codes};

/// What a factor counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A risk factor, 0 or 1.
    Risk,
    /// A protective factor, 0 or 1.
    Protective,
    /// Engagement with social care, on a scale of its own; NaN where it was not recorded.
    Engagement,
}

words!(Kind, "kind of factor", Risk => "risk", Protective => "protective", Engagement => "engagement");

/// One factor of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Factor {
    /// What it counts towards.
    pub kind: Kind,
    /// Its weight; 1 for engagement, whose values are scores already.
    pub weight: f64,
    /// What the weight may be instead, where it is uncertain; else the weight itself.
    pub alternative: f64,
}

impl Factor {
    /// A factor of a certain weight.
    #[must_use]
    pub fn new(kind: Kind, weight: f64) -> Self {
        Self { kind, weight, alternative: weight }
    }
}

setters!(Factor, alternative: plain(f64));

/// The scores of n assessments.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Scores {
    /// Risk, protection and engagement together, length n.
    pub total: Vec<f64>,
    /// Risk factors only, length n.
    pub risk: Vec<f64>,
    /// Protective factors only, length n.
    pub protective: Vec<f64>,
    /// Engagement only, length n; an item not recorded adds nothing.
    pub engagement: Vec<f64>,
    /// The least total that the uncertain weights allow, length n.
    pub low: Vec<f64>,
    /// The greatest, length n.
    pub high: Vec<f64>,
    /// How many engagement items are not recorded, length n.
    pub unrecorded: Vec<usize>,
}

/// Scores `values`, n assessments by k factors: 0 or 1, or engagement on its scale.
///
/// ```
/// use crewe::instruments::risk::{score, Factor, Kind};
/// use ndarray::array;
/// let factors = [
///     Factor::new(Kind::Risk, -1.0).alternative(-2.0),
///     Factor::new(Kind::Protective, 1.0),
///     Factor::new(Kind::Engagement, 1.0),
/// ];
/// let scores = score(array![[1.0, 0.0, 2.0]].view(), &factors)?;
/// assert_eq!((scores.total[0], scores.risk[0], scores.low[0], scores.high[0]), (1.0, -1.0, 0.0, 1.0));
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// An input error if the shapes differ, a weight is not finite or has the sign of the other kind, or a factor is
/// neither 0 nor 1.
pub fn score(values: ArrayView2<'_, f64>, factors: &[Factor]) -> Result<Scores> {
    check(values, factors)?;
    let n = values.nrows();
    let zeros = || vec![0.0; n];
    let mut out = Scores {
        total: zeros(),
        risk: zeros(),
        protective: zeros(),
        engagement: zeros(),
        low: zeros(),
        high: zeros(),
        unrecorded: vec![0; n],
    };
    for (i, row) in values.rows().into_iter().enumerate() {
        for (&value, factor) in row.iter().zip(factors) {
            if value.is_nan() {
                out.unrecorded[i] += 1;
                continue;
            }
            let points = factor.weight * value;
            let other = factor.alternative * value;
            match factor.kind {
                Kind::Risk => out.risk[i] += points,
                Kind::Protective => out.protective[i] += points,
                Kind::Engagement => out.engagement[i] += points,
            }
            out.low[i] += points.min(other);
            out.high[i] += points.max(other);
        }
        out.total[i] = out.risk[i] + out.protective[i] + out.engagement[i];
    }
    Ok(out)
}

fn check(values: ArrayView2<'_, f64>, factors: &[Factor]) -> Result<()> {
    if values.ncols() != factors.len() || factors.is_empty() {
        return Err(Fault::new(format!(
            "{} columns of values for {} factors",
            values.ncols(),
            factors.len()
        ))
        .remedy("Pass one column a factor")
        .input());
    }
    for (j, factor) in factors.iter().enumerate() {
        let signed = |w: f64| match factor.kind {
            Kind::Risk => w <= 0.0,
            Kind::Protective | Kind::Engagement => w >= 0.0,
        };
        if ![factor.weight, factor.alternative].iter().all(|&w| w.is_finite() && signed(w)) {
            return Err(Fault::new("a risk factor weighs 0 or less, a protective factor 0 or more")
                .column(format!("factor {j}"))
                .values([factor.weight.to_string(), factor.alternative.to_string()])
                .remedy("Give the weight the sign of its kind")
                .input());
        }
        let column = values.column(j);
        let bad: Vec<usize> = (0..column.len())
            .filter(|&i| match factor.kind {
                Kind::Engagement => column[i].is_infinite(),
                Kind::Risk | Kind::Protective => column[i] != 0.0 && column[i] != 1.0,
            })
            .collect();
        if !bad.is_empty() {
            return Err(Fault::new("a factor is present (1) or absent (0)")
                .column(format!("factor {j}"))
                .labels(bad.iter().map(|&i| column[i].to_string()))
                .rows(bad)
                .remedy("Correct these values")
                .input());
        }
    }
    Ok(())
}

/// The mean of one measure in one group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Mean {
    /// How many values.
    pub n: usize,
    /// Their mean; NaN without values.
    pub mean: f64,
    /// Their standard deviation over n - 1; NaN with fewer than two.
    pub sd: f64,
}

/// The change of one measure, compared between two arms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The arm compared, as a code; the reference is arm 0.
    pub arm: usize,
    /// Mean change in the arm less mean change in the reference.
    pub estimate: f64,
    /// sqrt(s_1^2 / n_1 + s_0^2 / n_0), the variances not pooled; NaN with fewer than two cases in an arm.
    pub std_error: f64,
    /// Welch and Satterthwaite's degrees of freedom of it; NaN where they are not defined.
    pub df: f64,
}

/// The change of one measure by arm; arms are codes below `means_before.len()`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// After less before, one a case.
    pub change: Vec<f64>,
    /// The means before, one an arm.
    pub before: Vec<Mean>,
    /// The means after, one an arm.
    pub after: Vec<Mean>,
    /// The mean changes, one an arm.
    pub by_arm: Vec<Mean>,
    /// Each further arm against arm 0.
    pub differences: Vec<Difference>,
}

/// Differences in differences of `after - before` between `arms` arms; `arm` holds a code for each case.
///
/// ```
/// use crewe::instruments::risk::change;
/// let change = change(&[0.0, 1.0, 0.0, 2.0], &[1.0, 2.0, 3.0, 5.0], &[0, 0, 1, 1], 2)?;
/// // Mean change 1 in arm 0, 3 in arm 1.
/// assert_eq!(change.differences[0].estimate, 2.0);
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// An input error if the lengths differ, an arm has no case or a code is none of the arms.
pub fn change(before: &[f64], after: &[f64], arm: &[u32], arms: usize) -> Result<Change> {
    if before.len() != after.len() || before.len() != arm.len() {
        return Err(Fault::new("before, after and arm differ in length")
            .remedy("Pass one entry a case")
            .input());
    }
    check_arms(arm, arms)?;
    let change: Vec<f64> = after.iter().zip(before).map(|(a, b)| a - b).collect();
    // What arithmetic leaves of two equal scores is rounding beside the scores, not beside itself.
    let rule = Sameness::of(&[before, after].concat());
    let by_arm = means(&change, rule, arm, arms);
    if arms < 2 || by_arm.iter().any(|mean| mean.n == 0) {
        return Err(Fault::new("a change by arm needs cases in at least two arms")
            .remedy("Check the column of the arm, and that cases of every arm have both times")
            .input());
    }
    let differences = (1..arms).map(|g| welch(g, &by_arm[0], &by_arm[g])).collect();
    Ok(Change {
        before: means(before, rule, arm, arms),
        after: means(after, rule, arm, arms),
        change,
        by_arm,
        differences,
    })
}

/// Refuses arms that do not exist, and more arms than cases.
fn check_arms(arm: &[u32], arms: usize) -> Result<()> {
    codes::check(arm, arm.len(), arms, "arms")?;
    if arms <= arm.len() {
        return Ok(());
    }
    Err(Fault::new(format!("{arms} arms have {} cases", arm.len()))
        .remedy("Check the column of the arm")
        .input())
}

fn means(x: &[f64], rule: Sameness, arm: &[u32], arms: usize) -> Vec<Mean> {
    (0..arms)
        .map(|g| {
            let own: Vec<f64> =
                x.iter().zip(arm).filter(|(_, code)| **code as usize == g).map(|(x, _)| *x).collect();
            let moments = Moments::within(&own, rule);
            Mean { n: own.len(), mean: moments.mean, sd: moments.sd() }
        })
        .collect()
}

fn welch(arm: usize, reference: &Mean, other: &Mean) -> Difference {
    let part = |m: &Mean| m.sd * m.sd / m.n as f64;
    let variance = part(reference) + part(other);
    let weight = |m: &Mean| part(m).powi(2) / (m.n as f64 - 1.0);
    Difference {
        arm,
        estimate: other.mean - reference.mean,
        std_error: variance.sqrt(),
        df: variance * variance / (weight(reference) + weight(other)),
    }
}

/// The least and the greatest difference in differences of the totals that the uncertain weights allow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Range {
    /// The arm compared with arm 0.
    pub arm: usize,
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

/// The exact range of the totals' difference in differences over every combination of uncertain weights.
///
/// `change` is cases by factors: the value after less the value before, 0 where an engagement item is not
/// recorded. With d_c the difference in differences of factor c, the range is the sum over c of
/// min(w_c d_c, v_c d_c) to that of max, where v_c is the other weight.
///
/// # Errors
/// An input error if the shapes differ, an arm has no case or a code is none of the arms.
pub fn bounds(
    change: ArrayView2<'_, f64>,
    factors: &[Factor],
    arm: &[u32],
    arms: usize,
) -> Result<Vec<Range>> {
    if change.ncols() != factors.len() || change.nrows() != arm.len() {
        return Err(Fault::new("the changes do not match the factors and cases")
            .remedy("Check the shapes")
            .input());
    }
    check_arms(arm, arms)?;
    let mut ranges: Vec<Range> = (1..arms).map(|g| Range { arm: g, low: 0.0, high: 0.0 }).collect();
    for (j, factor) in factors.iter().enumerate() {
        let column = change.column(j).to_vec();
        let by_arm = means(&column, Sameness::of(&column), arm, arms);
        if by_arm.iter().any(|mean| mean.n == 0) {
            return Err(Fault::new("an arm has no case").remedy("Check the column of the arm").input());
        }
        for range in &mut ranges {
            let difference = by_arm[range.arm].mean - by_arm[0].mean;
            let points = factor.weight * difference;
            let other = factor.alternative * difference;
            range.low += points.min(other);
            range.high += points.max(other);
        }
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_range_is_that_of_all_combinations() {
        let changes = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0], [-1.0, 0.0]];
        let arm = [0, 0, 1, 1];
        let factor = |kind, weight| Factor { kind, weight, alternative: 2.0 * weight };
        let factors = [factor(Kind::Risk, -1.0), factor(Kind::Protective, 1.0)];
        // d = (-1 - 1/2, 1/2 - 1/2) = (-1.5, 0): the points are 1.5 at weight -1 and 3 at -2.
        let range = bounds(changes.view(), &factors, &arm, 2).unwrap()[0];
        assert_eq!((range.low, range.high), (1.5, 3.0));
    }

    #[test]
    fn a_weight_has_the_sign_of_its_kind() {
        let wrong = [Factor { kind: Kind::Risk, weight: 1.0, alternative: 1.0 }];
        assert!(score(array![[1.0]].view(), &wrong).is_err());
    }
}

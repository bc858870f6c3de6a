//! Power for several outcomes together whose correlations differ.
//!
//! As in [`super::several`] an outcome with power `p` at a level is found there where a standard normal `X <= Phi^-1(p)`; here
//! the X of the outcomes have any correlations. What is found is looked at on a lattice of points (R. D. Richtmyer's, the
//! fractional parts of multiples of square roots of primes, folded at the middle), which is shifted sixteen times at random
//! so that the error is known (R. Cranley and T. N. L. Patterson 1976, doi:10.1137/0713071; A. Genz and F. Bretz 2009,
//! doi:10.1007/978-3-642-01689-9, for the normal).

use nalgebra::{Cholesky, DMatrix};
use ndarray::ArrayView2;
use serde::Serialize;

use super::several::{MOST, Procedure, Several, check_outcomes};
use crate::dist::normal_quantile;
use crate::rng::{Seed, Stream};
use crate::{Fault, Result};

/// Power of several outcomes together, with the error of the numerical integral.
///
/// ```
/// use crewe::ndarray::array;
/// use crewe::power::correlated::several_by;
/// use crewe::power::several::Procedure;
/// let none = array![[1.0, 0.0], [0.0, 1.0]];
/// let found = several_by(&[vec![0.8], vec![0.5]], none.view(), Procedure::Bonferroni)?;
/// assert!(found.error < 1e-3 && (found.together.at_least[0] - 0.9).abs() < 5.0 * found.error);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Correlated {
    /// The chances.
    pub together: Several,
    /// The largest of their standard errors.
    pub error: f64,
}

/// Shifts of the lattice.
const SHIFTS: u64 = 16;
/// Points of each.
const POINTS: u32 = 1 << 14;
/// One prime an outcome.
const PRIMES: [f64; MOST] = [2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0, 23.0, 29.0];

/// Power of outcomes together, from `powers[outcome][step]` at the [`Procedure::levels`] and the outcomes' correlations.
///
/// # Errors
/// As [`super::several::several`]; correlations that are not symmetric with ones on the diagonal, or that no outcomes can have.
pub fn several_by(
    powers: &[Vec<f64>],
    correlations: ArrayView2<'_, f64>,
    procedure: Procedure,
) -> Result<Correlated> {
    check_outcomes(powers, procedure)?;
    let outcomes = powers.len();
    let root = root(correlations, outcomes)?;
    let bounds: Vec<Vec<f64>> =
        powers.iter().map(|steps| steps.iter().map(|&p| normal_quantile(p)).collect()).collect();
    // Of every shift: the share of points where each outcome is found, then where at least 1, 2, ... are.
    let mut shares: Vec<Vec<f64>> = Vec::new();
    for shift in 0..SHIFTS {
        let mut stream = Stream::new::<&str>(&Seed::Integer(0), "several outcomes", &[], shift);
        let start: Vec<f64> = (0..outcomes).map(|_| stream.unit()).collect();
        let mut counts = vec![0.0; 2 * outcomes];
        let (mut own, mut x) = (vec![0.0; outcomes], vec![0.0; outcomes]);
        for point in 1..=POINTS {
            for (j, z) in own.iter_mut().enumerate() {
                let u = (f64::from(point) * PRIMES[j].sqrt() + start[j]).fract();
                *z = normal_quantile((2.0 * u - 1.0).abs().clamp(1e-15, 1.0 - 1e-15));
            }
            for (i, x) in x.iter_mut().enumerate() {
                *x = (0..=i).map(|j| root[(i, j)] * own[j]).sum();
            }
            let found = found(&x, &bounds);
            let number = found.count_ones() as usize;
            (0..outcomes).filter(|i| found >> i & 1 == 1).for_each(|i| counts[i] += 1.0);
            counts[outcomes..outcomes + number].iter_mut().for_each(|count| *count += 1.0);
        }
        shares.push(counts.iter().map(|count| count / f64::from(POINTS)).collect());
    }
    let many = SHIFTS as f64;
    let mean: Vec<f64> =
        (0..2 * outcomes).map(|k| shares.iter().map(|share| share[k]).sum::<f64>() / many).collect();
    let error = (0..2 * outcomes)
        .map(|k| {
            let squares: f64 = shares.iter().map(|share| (share[k] - mean[k]).powi(2)).sum();
            (squares / (many - 1.0) / many).sqrt()
        })
        .fold(0.0, f64::max);
    let (each, at_least) = mean.split_at(outcomes);
    Ok(Correlated { together: Several { each: each.to_vec(), at_least: at_least.to_vec() }, error })
}

/// The outcomes that are found, as bits: step by step where there are several steps.
fn found(x: &[f64], bounds: &[Vec<f64>]) -> u32 {
    let steps = bounds[0].len();
    let beyond =
        |step: usize| -> u32 { (0..x.len()).filter(|&i| x[i] <= bounds[i][step]).map(|i| 1 << i).sum() };
    let mut set = 0_u32;
    loop {
        let step = set.count_ones() as usize;
        if step >= steps {
            return set;
        }
        let more = beyond(step);
        if more.count_ones() as usize <= step {
            return set;
        }
        set = more;
        if steps == 1 {
            return set;
        }
    }
}

/// The lower triangle whose square the correlations are.
fn root(correlations: ArrayView2<'_, f64>, outcomes: usize) -> Result<DMatrix<f64>> {
    let wrong = |problem: &str| {
        Fault::new(problem.to_owned())
            .values([format!("{} x {} correlations of {outcomes} outcomes", correlations.nrows(), correlations.ncols())])
            .remedy("Give a row and a column an outcome, in the order of the calculations: symmetric, 1 on the diagonal")
            .input()
    };
    if correlations.dim() != (outcomes, outcomes) {
        return Err(wrong("the correlations do not fit the outcomes"));
    }
    let matrix = DMatrix::from_fn(outcomes, outcomes, |i, j| correlations[[i, j]]);
    let far = |a: f64, b: f64| a.is_nan() || (a - b).abs() > 1e-9;
    let bad = |i: usize, j: usize| {
        let value = matrix[(i, j)];
        far(value, matrix[(j, i)]) || value.abs() > 1.0 + 1e-9 || (i == j && far(value, 1.0))
    };
    if (0..outcomes).any(|i| (0..outcomes).any(|j| bad(i, j))) {
        return Err(wrong("correlations are symmetric, from -1 to 1, and those of an outcome with itself 1"));
    }
    Cholesky::new(matrix)
        .map(nalgebra::Cholesky::unpack)
        .ok_or_else(|| wrong("no outcomes can have these correlations, or one says another in full"))
}

#[cfg(test)]
mod tests {
    use super::super::several::several;
    use super::*;
    use ndarray::Array2;

    #[test]
    fn equal_correlations_are_those_of_one_factor() {
        let powers = vec![vec![0.55, 0.6, 0.7], vec![0.7, 0.75, 0.8], vec![0.8, 0.85, 0.9]];
        for r in [0.0, 0.4, 0.8] {
            let all = Array2::from_shape_fn((3, 3), |(i, j)| if i == j { 1.0 } else { r });
            let found = several_by(&powers, all.view(), Procedure::Holm).unwrap();
            let known = several(&powers, r, Procedure::Holm).unwrap();
            assert!(found.error < 1e-3, "{}", found.error);
            let pairs = found.together.at_least.iter().zip(&known.at_least);
            for (here, there) in pairs.chain(found.together.each.iter().zip(&known.each)) {
                assert!((here - there).abs() < 5.0 * found.error.max(1e-4), "{r}: {here} {there}");
            }
        }
    }

    #[test]
    fn impossible_correlations_are_refused() {
        let powers = vec![vec![0.8]; 3];
        let said = |r: [[f64; 3]; 3]| {
            let r = Array2::from_shape_fn((3, 3), |(i, j)| r[i][j]);
            several_by(&powers, r.view(), Procedure::None).unwrap_err().to_string()
        };
        let apart = [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]];
        assert!(said(apart).contains("no outcomes can have"));
        assert!(said([[1.0, 0.5, 0.0], [0.4, 1.0, 0.0], [0.0, 0.0, 1.0]]).contains("symmetric"));
        let two = Array2::eye(2);
        assert!(
            several_by(&powers, two.view(), Procedure::None).unwrap_err().to_string().contains("do not fit")
        );
    }
}

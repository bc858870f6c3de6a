//! HC2, HC3 and Bell and McCaffrey's degrees of freedom: what needs the leverage of single rows.
//!
//! `1 - h` of a row that nearly determines a coefficient by itself is the sum of what the other rows have in its
//! direction, `sum over j of (z_j' z_i)^2 / h`, and not a difference from 1: HC3 divides by its square, a residual that is
//! as small and needs as many digits. The score of such a row is kept apart from the sum of all others. Degrees of
//! freedom are those of CR2 with every row its own cluster: `Gamma_ii = (z_i'u)^2`, and between rows
//! `Gamma_ij = -a_i a_j z_i'z_j` with `a_i = z_i'u (1 - h_i)^{-1/2}`; rows with large a_i enter the sum over pairs singly.
//!
//! R. M. Bell and D. F. McCaffrey (2002), Survey Methodology 28, 169-181.

use std::borrow::Cow;

use super::adjusted::at_least_one;
use super::fitted::WhitenedRows;
use super::vcov::Vcov;
use crate::{Fault, Result};

/// `1 - h` below this is summed from the other rows.
const SMALL: f64 = 1e-3;
/// `1 - h` below this makes a row enter sums over pairs singly.
const HEAVY: f64 = 0.02;

/// `1 - h` of every row, to all its digits; what is below `resolution` is 0.
///
/// # Errors
/// [`crate::Error::Input`] naming the rows that the model fits exactly.
pub(super) fn rests(rows: &dyn WhitenedRows, kind: Vcov, resolution: f64) -> Result<Vec<f64>> {
    let mut rests: Vec<f64> = rows.leverage()?.into_iter().map(|h| 1.0 - h).collect();
    for i in (0..rests.len()).filter(|&i| rests[i] < SMALL).collect::<Vec<_>>() {
        let z = rows.row(i);
        let length = z.iter().map(|z| z * z).sum::<f64>();
        let products = rows.project(&z)?;
        let others: f64 = products.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| p * p).sum();
        rests[i] = others / length;
    }
    let full: Vec<usize> = (0..rests.len()).filter(|&i| rests[i] <= resolution).collect();
    if full.is_empty() {
        return Ok(rests);
    }
    Err(Fault::new(format!("{kind} is not defined for rows with leverage 1: the model fits them exactly"))
        .rows(full)
        .remedy("Use HC1, or drop the term that only this row informs")
        .input())
}

/// The factors of the rows' scores. What is left of a residual by a row that nearly determines a coefficient is divided
/// by what that row leaves to the others: both are needed to all their digits.
pub(super) fn factors<'r>(rows: &'r dyn WhitenedRows, rests: &[f64]) -> &'r [f64] {
    let any = rests.iter().any(|rest| *rest < SMALL);
    if any { rows.sharp_factors() } else { rows.score_factors() }
}

/// The scores of rows that nearly determine a coefficient, with their factors, which are set to 0.
pub(super) fn apart(rows: &dyn WhitenedRows, rests: &[f64], factors: &mut [f64]) -> Vec<Vec<f64>> {
    let root = |i: usize| rows.roots().map_or(1.0, |roots| roots[i]);
    let few = (0..rests.len()).filter(|&i| rests[i] < SMALL && root(i) > 0.0);
    let mut score = |i: usize| {
        let factor = std::mem::take(&mut factors[i]) / root(i);
        rows.row(i).into_iter().map(|z| z * factor).collect()
    };
    few.map(&mut score).collect()
}

/// The Satterthwaite degrees of freedom of contrasts given in whitened form, under HC2.
///
/// # Errors
/// [`crate::Error::Interrupted`] when whoever watches stops the work.
pub(super) fn degrees(rows: &dyn WhitenedRows, rests: &[f64], contrasts: &[Vec<f64>]) -> Result<Vec<f64>> {
    let heavy: Vec<usize> = (0..rests.len()).filter(|&i| rests[i] < HEAVY).collect();
    // The products of the heavy rows with all others do not depend on the contrast.
    let products: Vec<Vec<f64>> = heavy.iter().map(|&i| rows.project(&rows.row(i))).collect::<Result<_>>()?;
    contrasts
        .iter()
        .map(|u| {
            let length = u.iter().map(|v| v * v).sum::<f64>().sqrt();
            if length == 0.0 {
                return Ok(f64::NAN);
            }
            let unit: Vec<f64> = u.iter().map(|v| v / length).collect();
            let own = rows.project(&unit)?;
            let mut factors: Vec<f64> = own.iter().zip(rests).map(|(p, rest)| p / rest.sqrt()).collect();
            let kept: Vec<f64> = heavy.iter().map(|&i| std::mem::take(&mut factors[i])).collect();
            let trace: f64 = own.iter().map(|p| p * p).sum();
            let squares: f64 = own.iter().map(|p| p.powi(4)).sum();
            let fourth: f64 = factors.iter().zip(rests).map(|(a, rest)| (a * a * (1.0 - rest)).powi(2)).sum();
            let mut pairs = (rows.outer_norm(&weighted(rows, &factors))? - fourth).max(0.0);
            for (a, (&i, products)) in heavy.iter().zip(&products).enumerate() {
                let light: f64 = products.iter().zip(&factors).map(|(p, f)| (p * f).powi(2)).sum();
                pairs += 2.0 * kept[a] * kept[a] * light;
                for (b, &j) in heavy.iter().enumerate().filter(|(b, _)| *b != a) {
                    debug_assert_ne!(i, j);
                    pairs += (kept[a] * kept[b] * products[j]).powi(2);
                }
            }
            Ok(at_least_one(trace * trace / (squares + pairs)))
        })
        .collect()
}

/// As [`super::adjusted::hotelling`] where every row is its own cluster: contrasts with orthonormal whitened forms.
///
/// # Errors
/// As [`degrees`].
pub(super) fn hotelling(rows: &dyn WhitenedRows, rests: &[f64], contrasts: &[Vec<f64>]) -> Result<f64> {
    let q = contrasts.len();
    let own: Vec<Vec<f64>> = contrasts.iter().map(|u| rows.project(u)).collect::<Result<_>>()?;
    let n = rests.len();
    // Gamma^st_ii = p_s p_t, so trace and square of the q x q matrix are both (sum of p^2)^2.
    let size: Vec<f64> = (0..n).map(|i| own.iter().map(|p| p[i] * p[i]).sum()).collect();
    let mut total: f64 = size.iter().map(|s| 2.0 * s * s).sum();
    // Between rows it is -g p_s(i) p_t(j) with g = z_i'z_j / root of (1 - h_i)(1 - h_j): of rank one, so the square of its
    // trace and the trace of its square are both g^2 (p(i)'p(j))^2.
    let heavy: Vec<usize> = (0..n).filter(|&i| rests[i] < HEAVY).collect();
    let light = |i: usize| if rests[i] < HEAVY { 0.0 } else { 1.0 / rests[i].sqrt() };
    // sum over light i, j of g_ij^2 (p(i)'p(j))^2 = sum over s, t of the outer products with factors c^2 p_s p_t.
    for s in 0..q {
        for t in 0..q {
            let positive: Vec<f64> = (0..n).map(|i| light(i) * root(own[s][i] * own[t][i])).collect();
            let negative: Vec<f64> = (0..n).map(|i| light(i) * root(-own[s][i] * own[t][i])).collect();
            let difference =
                &rows.outer(&weighted(rows, &positive))? - &rows.outer(&weighted(rows, &negative))?;
            total += 2.0 * difference.iter().map(|v| v * v).sum::<f64>();
        }
    }
    total -= (0..n).map(|i| 2.0 * (light(i).powi(2) * (1.0 - rests[i]) * size[i]).powi(2)).sum::<f64>();
    let dot = |i: usize, j: usize| own.iter().map(|p| p[i] * p[j]).sum::<f64>();
    for &i in &heavy {
        let products = rows.project(&rows.row(i))?;
        for j in (0..n).filter(|&j| j != i) {
            let pair = 2.0 * (products[j] * dot(i, j)).powi(2) / (rests[i] * rests[j]);
            // Pairs with a light row come once here and count twice.
            total += if rests[j] < HEAVY { pair } else { 2.0 * pair };
        }
    }
    Ok((q * (q + 1)) as f64 / total)
}

fn root(value: f64) -> f64 {
    value.max(0.0).sqrt()
}

/// Factors of rows with their weights.
fn weighted<'a>(rows: &dyn WhitenedRows, factors: &'a [f64]) -> Cow<'a, [f64]> {
    match rows.roots() {
        None => Cow::Borrowed(factors),
        Some(roots) => factors.iter().zip(roots).map(|(f, root)| f * root).collect(),
    }
}

//! Which columns predict a binary outcome perfectly.
//!
//! The likelihood of a binary regression has no maximum when a direction d has `(2 y_i - 1) x_i'd >= 0` in every row
//! and `> 0` in some: along it the likelihood never falls (complete separation where all are positive, else
//! quasi-complete). Three certificates are tried, and each is checked on every row before it is believed:
//!
//! 1. one column alone: its values where y = 0 do not overlap with its values where y = 1, a shared end point allowed;
//! 2. complete separation: every linear predictor already has the sign of its outcome;
//! 3. the Newton step of an iteration that does not settle, which tends to such a direction: rows that are separated
//!    move by about 1, the others no longer move.
//!
//! A. Albert and J. A. Anderson (1984), doi:10.1093/biomet/71.1.1; S. Correia, P. Guimaraes and T. Zylkin (2019),
//! arXiv:1903.01633.

use ndarray::ArrayView1;

use crate::linalg::DesignMatrix;
use crate::linalg::double::{Double, Scalar};
use crate::linalg::factor::factor;
use crate::linalg::gram::precise_cross_products;
use crate::{Error, Fault};

/// The move of a row, relative to the largest, below which it does not move.
const STILL: f64 = 1e-5;
/// The share of the largest part of a direction below which a column has no part in it.
const NEGLIGIBLE: f64 = 1e-3;

/// The error that names the columns, if the outcome is separated; `predictor` is `x'b` and `moves` is `x'd` of the
/// last Newton step, both of length n.
pub(super) fn separation(
    x: &DesignMatrix<'_>,
    y: ArrayView1<'_, f64>,
    predictor: &[f64],
    moves: Option<&[f64]>,
) -> Option<Error> {
    let single = (0..x.columns().ncols()).find_map(|j| one_column(x, y, j));
    if single.is_some() {
        return single;
    }
    let sign = |i: usize| 2.0 * y[i] - 1.0;
    if (0..y.len()).all(|i| sign(i) * predictor[i] > 0.0) {
        return Some(several(x, predictor, true, y.len()));
    }
    let moves = moves?;
    let most = moves.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let certified = (0..y.len()).all(|i| sign(i) * moves[i] >= -STILL * most);
    let rows = (0..y.len()).filter(|&i| sign(i) * moves[i] > STILL * most).count();
    (certified && rows > 0).then(|| several(x, moves, false, rows))
}

/// Whether column `j` separates by itself (beside an intercept, or about 0 without one).
fn one_column(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, j: usize) -> Option<Error> {
    let column = x.columns().column(j).to_owned();
    let range = |outcome: f64| {
        column
            .iter()
            .zip(y)
            .filter(|(_, y)| **y == outcome)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (&v, _)| (low.min(v), high.max(v)))
    };
    let (zeros, ones) = (range(0.0), range(1.0));
    let (below, above, upper) = if zeros.1 <= ones.0 { (zeros.1, ones.0, 1) } else { (ones.1, zeros.0, 0) };
    if below > above || (!x.has_intercept() && (below > 0.0 || above < 0.0)) {
        return None;
    }
    let name = &x.names()[j + usize::from(x.has_intercept())];
    let two_values = column.iter().all(|&v| v == zeros.0.min(ones.0) || v == zeros.1.max(ones.1));
    let y_low = 1 - upper;
    let problem = if below < above {
        format!(
            "'{name}' predicts the outcome perfectly: it is {upper} in every row with '{name}' at {above} or more, {y_low} in every row with {below} or less"
        )
    } else if two_values {
        // The value that only one outcome has.
        let (value, outcome) = if zeros.0.max(ones.0) == below && zeros.1.min(ones.1) == below {
            if zeros.1.max(ones.1) > below {
                (zeros.1.max(ones.1), upper)
            } else {
                (zeros.0.min(ones.0), y_low)
            }
        } else {
            (zeros.0.min(ones.0), y_low)
        };
        format!(
            "'{name}' predicts the outcome perfectly where it is {value}: the outcome is {outcome} in all of those rows"
        )
    } else {
        format!(
            "'{name}' predicts the outcome perfectly on both sides of {below}: the outcome is {upper} in every row above it and {y_low} in every row below it"
        )
    };
    Some(refuse(Fault::new(problem).column(name)))
}

/// Names the columns of the direction whose products with the rows are `along`.
fn several(x: &DesignMatrix<'_>, along: &[f64], complete: bool, rows: usize) -> Error {
    let names = involved(x, along);
    let what = match names.as_slice() {
        [] => "the intercept predicts".to_owned(),
        [one] => format!("'{one}' predicts"),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(|n| format!("'{n}'")).collect();
            format!("{} and '{last}' together predict", most.join(", "))
        }
    };
    let problem = if complete {
        format!("{what} the outcome perfectly in every row")
    } else {
        format!("{what} the outcome perfectly in {rows} of {} rows", along.len())
    };
    let fault = Fault::new(problem);
    let fault = match names.first() {
        Some(name) => fault.column(name),
        None => fault,
    };
    refuse(fault.values(names))
}

/// The columns with a part in the direction: its regression on X, scaled by each column's spread.
fn involved(x: &DesignMatrix<'_>, along: &[f64]) -> Vec<String> {
    let k = x.k();
    let first = usize::from(x.has_intercept());
    let gram = precise_cross_products(x, ArrayView1::from(along));
    let inner: Vec<Vec<Double>> = gram[..k].iter().map(|row| row[..k].to_vec()).collect();
    let Ok(factor) = factor(&inner, 0.0) else { return x.names()[first..].to_vec() };
    let products: Vec<Double> = gram[..k].iter().map(|row| row[k]).collect();
    let d = super::ols::solve(&factor.inverse, &products);
    let n = x.n() as f64;
    let parts: Vec<f64> = (first..k)
        .map(|j| {
            let mean = if first == 1 { gram[0][j].value() / n } else { 0.0 };
            d[j].value().abs() * (gram[j][j].value() / n - mean * mean).max(0.0).sqrt()
        })
        .collect();
    let most = parts.iter().fold(0.0_f64, |m, v| m.max(*v));
    (first..k).filter(|&j| parts[j - first] > NEGLIGIBLE * most).map(|j| x.names()[j].clone()).collect()
}

fn refuse(fault: Fault) -> Error {
    fault
        .remedy("No finite coefficient exists: merge rare categories, leave the column out, or use ols for the difference in shares")
        .separation()
}

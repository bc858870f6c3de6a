//! Columns made orthonormal, and what they leave of others.

/// A column whose part outside the columns before it is shorter than this share of itself adds nothing.
const NOTHING: f64 = 1e-11;

/// An orthonormal basis of the space of these columns; those that repeat others add nothing to it.
pub(super) fn orthonormal(columns: impl Iterator<Item = Vec<f64>>) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for mut part in columns {
        let length = dot(&part, &part).sqrt();
        take_off(&mut part, &basis);
        let left = dot(&part, &part).sqrt();
        if left > NOTHING * length {
            part.iter_mut().for_each(|x| *x /= left);
            basis.push(part);
        }
    }
    basis
}

/// Takes the part within an orthonormal basis off a column, twice, so that nothing of it is left.
pub(super) fn take_off(column: &mut [f64], basis: &[Vec<f64>]) {
    for _ in 0..2 {
        for direction in basis {
            let share = dot(column, direction);
            column.iter_mut().zip(direction).for_each(|(x, q)| *x -= share * q);
        }
    }
}

/// Makes outcomes residuals of the basis; outcomes that it gives exactly leave none.
pub(super) fn leave_residuals(outcomes: &mut [f64], basis: &[Vec<f64>]) {
    let size = dot(outcomes, outcomes).sqrt();
    take_off(outcomes, basis);
    if dot(outcomes, outcomes).sqrt() <= NOTHING * size {
        outcomes.fill(0.0);
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

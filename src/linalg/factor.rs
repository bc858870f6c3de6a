//! Cholesky factors of cross-products, with the rank decided column by column.
//!
//! The factor of `X'X` is the R of X's QR decomposition. In double-doubles it has the digits that a Householder QR in
//! doubles has, takes one pass over the data and no memory, and so serves as the fallback for ill-conditioned
//! designs: at a condition number of 1e10 (NIST's Filip) it still holds 12 digits. Columns are taken in the user's
//! order, so that a column that repeats earlier ones is the one that is named, as R does.

use serde::Serialize;

use super::double::Scalar;

/// A column that is (to the tolerance) a combination of earlier ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Collinear {
    /// The column.
    pub column: usize,
    /// The earlier columns that it is a combination of.
    pub with: Vec<usize>,
}

/// The inverse of the Cholesky factor.
#[derive(Debug, Clone)]
pub struct Factor<T> {
    /// `W`, upper triangular, k x k by rows: `W W' = G^{-1}`, so `W'x` whitens a row.
    pub inverse: Vec<Vec<T>>,
    /// How much of each column's variance the columns before and after it leave: 1 / VIF, the smallest.
    pub tolerance: f64,
}

/// Factors the k x k matrix `gram`; a column whose part that is new against the columns before it is below
/// `tolerance` (relative to its length) makes it rank-deficient.
///
/// # Errors
/// The columns that add nothing, with those they repeat.
pub fn factor<T: Scalar>(gram: &[Vec<T>], tolerance: f64) -> Result<Factor<T>, Vec<Collinear>> {
    let k = gram.len();
    let zero = T::of(0.0);
    let length: Vec<T> = (0..k).map(|j| gram[j][j].root()).collect();
    // Lower factor of the scaled matrix, only over the columns kept so far.
    let mut lower: Vec<Vec<T>> = vec![vec![zero; k]; k];
    let mut kept: Vec<usize> = Vec::new();
    let mut lost = Vec::new();
    for j in 0..k {
        let mut rest = T::of(1.0);
        let empty = length[j].value() <= 0.0;
        if !empty {
            for (position, &c) in kept.iter().enumerate() {
                let mut value = gram[j][c] / (length[j] * length[c]);
                for (earlier, _) in kept.iter().enumerate().take(position) {
                    value = value - lower[j][earlier] * lower[c][earlier];
                }
                value = value / lower[c][position];
                lower[j][position] = value;
                rest = rest - value * value;
            }
        }
        if empty || rest.value() <= tolerance * tolerance {
            lost.push(Collinear { column: j, with: combination(&lower, &kept, j, empty) });
        } else {
            lower[j][kept.len()] = rest.root();
            kept.push(j);
        }
    }
    if !lost.is_empty() {
        return Err(lost);
    }
    // W = (L^{-1})' / length, by forward substitution.
    let mut inverse = vec![vec![zero; k]; k];
    for column in 0..k {
        for row in column..k {
            let mut value = if row == column { T::of(1.0) } else { zero };
            for m in column..row {
                value = value - lower[row][m] * inverse[column][m];
            }
            inverse[column][row] = value / lower[row][row];
        }
    }
    let mut smallest = 1.0_f64;
    for row in &inverse {
        let vif: f64 = row.iter().map(|value| value.value() * value.value()).sum();
        smallest = smallest.min(1.0 / vif);
    }
    for (row, &length) in inverse.iter_mut().zip(&length) {
        for value in row.iter_mut() {
            *value = *value / length;
        }
    }
    Ok(Factor { inverse, tolerance: smallest })
}

/// The kept columns whose scaled coefficient in the combination that gives column `j` is not negligible.
fn combination<T: Scalar>(lower: &[Vec<T>], kept: &[usize], j: usize, empty: bool) -> Vec<usize> {
    if empty {
        return Vec::new();
    }
    let mut coefficient: Vec<T> = (0..kept.len()).map(|position| lower[j][position]).collect();
    for position in (0..kept.len()).rev() {
        let mut value = coefficient[position];
        for later in position + 1..kept.len() {
            value = value - lower[kept[later]][position] * coefficient[later];
        }
        coefficient[position] = value / lower[kept[position]][position];
    }
    kept.iter().zip(&coefficient).filter(|(_, c)| c.value().abs() > 1e-6).map(|(&column, _)| column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_repeated_column() {
        // Columns a, b, 2a - b, of lengths far apart.
        let rows: [[f64; 3]; 4] = [[1.0, 5.0, -3.0], [2.0, 1.0, 3.0], [4.0, 0.0, 8.0], [3.0, 3.0, 3.0]];
        let gram: Vec<Vec<f64>> =
            (0..3).map(|a| (0..3).map(|b| rows.iter().map(|r| r[a] * r[b]).sum()).collect()).collect();
        let lost = factor(&gram, 1e-7).unwrap_err();
        assert_eq!(lost, vec![Collinear { column: 2, with: vec![0, 1] }]);
    }

    #[test]
    fn inverts() {
        let gram = vec![vec![4.0, 2.0], vec![2.0, 5.0]];
        let w = factor(&gram, 1e-11).unwrap().inverse;
        let inverse = |a: usize, b: usize| w[a].iter().zip(&w[b]).map(|(x, y)| x * y).sum::<f64>();
        assert!((inverse(0, 0) - 5.0 / 16.0).abs() < 1e-15);
        assert!((inverse(0, 1) + 2.0 / 16.0).abs() < 1e-15);
        assert!((inverse(1, 1) - 4.0 / 16.0).abs() < 1e-15);
    }
}

//! What is left of the information without one cluster: the inverse of `I - L_g`, or of its part in the columns that a
//! hypothesis leaves free, as Moore and Penrose have it where the cluster determines a direction by itself.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn, SymmetricEigen};

use crate::inference::Moments;
use crate::resampling::projection::{dot, take_off};

/// Where a pivot of the factor is below this, eigenvalues say what is left.
const PIVOT: f64 = 1e-4;
/// An eigenvalue of `I - L_g` below this is 0.
const NOTHING: f64 = 1e-9;

/// `(I - P L_g P)^+`, P the projection off some directions, which it leaves as they are.
pub(super) struct LeftOut {
    /// `F P`, r rows of k, where the information has a factor: the inverse is `I + P F' M F P`.
    factor: Option<Vec<Vec<f64>>>,
    inverse: Inverse,
    alone: Vec<Vec<f64>>,
}

enum Inverse {
    Factor(Cholesky<f64, Dyn>),
    Matrix(DMatrix<f64>),
}

impl LeftOut {
    /// Without the cluster that has these moments; `off` is orthonormal.
    pub fn new(moments: &Moments, off: &[Vec<f64>]) -> Self {
        let k = moments.score().len();
        let Some(r) = moments.factor_rows() else {
            let flat = moments.information();
            let mut columns: Vec<Vec<f64>> = flat.chunks_exact(k).map(<[f64]>::to_vec).collect();
            columns.iter_mut().for_each(|column| take_off(column, off));
            let mut turned: Vec<Vec<f64>> =
                (0..k).map(|i| columns.iter().map(|column| column[i]).collect()).collect();
            turned.iter_mut().for_each(|column| take_off(column, off));
            let gap = DMatrix::from_fn(k, k, |a, b| {
                f64::from(u8::from(a == b)) - 0.5 * (turned[a][b] + turned[b][a])
            });
            let (inverse, alone) = inverted(gap, |_| 0.0);
            let alone = alone.into_iter().map(|v| v.as_slice().to_vec()).collect();
            return Self { factor: None, inverse, alone };
        };
        let mut factor: Vec<Vec<f64>> =
            moments.matrix().chunks_exact(moments.width()).take(r).map(|row| row[..k].to_vec()).collect();
        factor.iter_mut().for_each(|row| take_off(row, off));
        let gap = DMatrix::from_fn(r, r, |a, b| f64::from(u8::from(a == b)) - dot(&factor[a], &factor[b]));
        // Along F'e, e an eigenvector whose eigenvalue of F F' is l, M = -1 / l makes the inverse 0.
        let (inverse, alone) = inverted(gap, |l| -1.0 / l);
        let back = |e: DVector<f64>| -> Vec<f64> {
            let mut v = vec![0.0; k];
            for (row, share) in factor.iter().zip(e.iter()) {
                v.iter_mut().zip(row).for_each(|(v, f)| *v += share * f);
            }
            let length = dot(&v, &v).sqrt();
            v.iter_mut().for_each(|v| *v /= length);
            v
        };
        let alone = alone.into_iter().map(back).collect();
        Self { factor: Some(factor), inverse, alone }
    }

    /// The inverse times v.
    pub fn times(&self, v: &[f64]) -> Vec<f64> {
        let solved = |v: DVector<f64>| match &self.inverse {
            Inverse::Factor(factor) => factor.solve(&v),
            Inverse::Matrix(matrix) => matrix * v,
        };
        let Some(factor) = &self.factor else {
            return solved(DVector::from_column_slice(v)).as_slice().to_vec();
        };
        let inner = solved(DVector::from_iterator(factor.len(), factor.iter().map(|row| dot(row, v))));
        let mut out = v.to_vec();
        for (row, share) in factor.iter().zip(inner.iter()) {
            out.iter_mut().zip(row).for_each(|(out, f)| *out += share * f);
        }
        out
    }

    /// The directions of which nothing is left, orthonormal.
    pub fn alone(&self) -> &[Vec<f64>] {
        &self.alone
    }
}

/// The inverse of `I - M`, with `nothing(l)` in place of an infinite eigenvalue, l that of M, and the eigenvectors there.
fn inverted(gap: DMatrix<f64>, nothing: impl Fn(f64) -> f64) -> (Inverse, Vec<DVector<f64>>) {
    if let Some(factor) = Cholesky::new(gap.clone())
        && factor.l_dirty().diagonal().iter().all(|pivot| *pivot > PIVOT)
    {
        return (Inverse::Factor(factor), Vec::new());
    }
    let eigen = SymmetricEigen::new(gap);
    let mut scaled = eigen.eigenvectors.clone();
    let mut alone = Vec::new();
    for (mut column, rest) in scaled.column_iter_mut().zip(eigen.eigenvalues.iter()) {
        if *rest <= NOTHING {
            alone.push(column.clone_owned());
            column *= nothing(1.0 - rest);
        } else {
            column /= *rest;
        }
    }
    (Inverse::Matrix(scaled * eigen.eigenvectors.transpose()), alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moments whose information is F'F, as a factor or as a matrix.
    fn moments(f: &[[f64; 3]], as_matrix: bool) -> Moments {
        let mut moments = Moments::new(3);
        let width = moments.width();
        if as_matrix {
            let matrix = moments.symmetric();
            for a in 0..3 {
                for b in 0..3 {
                    matrix[a * width + b] = f.iter().map(|row| row[a] * row[b]).sum();
                }
            }
        } else {
            let matrix = moments.factor(f.len());
            for (into, row) in matrix.chunks_exact_mut(width).zip(f) {
                into[..3].copy_from_slice(row);
            }
        }
        moments
    }

    #[test]
    fn the_inverse_is_that_of_moore_and_penrose() {
        let off = vec![vec![0.6, 0.8, 0.0]];
        for f in [&[[0.3, 0.1, -0.2], [0.2, 0.0, 0.4]][..], &[[1.0, 0.0, 0.0], [0.0, 0.3, 0.4]], &[]] {
            for off in [&[][..], &off] {
                for as_matrix in [false, true] {
                    let left = LeftOut::new(&moments(f, as_matrix), off);
                    let mut rows: Vec<Vec<f64>> = f.iter().map(|row| row.to_vec()).collect();
                    rows.iter_mut().for_each(|row| take_off(row, off));
                    let gap = DMatrix::from_fn(3, 3, |a, b| {
                        f64::from(u8::from(a == b)) - rows.iter().map(|row| row[a] * row[b]).sum::<f64>()
                    });
                    let want = gap.pseudo_inverse(1e-9).expect("the bound is positive");
                    for j in 0..3 {
                        let mut unit = vec![0.0; 3];
                        unit[j] = 1.0;
                        for (got, want) in left.times(&unit).iter().zip(want.column(j).iter()) {
                            assert!((got - want).abs() < 1e-13, "{f:?} {off:?} {as_matrix}");
                        }
                    }
                    assert_eq!(
                        left.alone().len(),
                        usize::from(f.len() == 2 && f[0][0] == 1.0 && off.is_empty())
                    );
                }
            }
        }
    }
}

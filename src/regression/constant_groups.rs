//! Groups whose outcomes are all the same, where a robust variance is none.
//!
//! Where nobody in a small arm has the outcome, the squared residuals of that arm are near zero, and every robust
//! estimate takes its mean as known. With 6 against 30 individuals and a rare outcome, a nominal 5% test then rejects
//! in far more than 5% of trials without an effect (`docs/evidence/individuals.md`). The result has to say so.

use ndarray::ArrayView1;

use super::estimates::Estimates;
use crate::linalg::DesignMatrix;

/// Outcomes of one group differ by less than this share of the largest outcome only by rounding.
const SAME: f64 = 1e-9;

/// A note for every column of two values in one of which the outcome never varies, though it does in the other.
pub(super) fn notes(x: &DesignMatrix<'_>, y: ArrayView1<'_, f64>, estimates: &Estimates) -> Vec<String> {
    let first = usize::from(x.has_intercept());
    let mut outcome = |i: usize| y[i];
    let mut notes = Vec::new();
    for (j, column) in x.columns().columns().into_iter().enumerate() {
        let Some(group) = smaller(column.iter().copied(), &mut outcome) else { continue };
        notes.push(format!(
            "the outcome is the same in all {} rows with {} = {}: robust errors take their mean as known, and a \
             nominal 5% test can reject far more often; compare with the randomisation test, or Fisher's for counts",
            group.rows,
            estimates.names[first + j],
            group.value,
        ));
    }
    notes
}

/// A group of rows whose outcome does not vary.
struct Constant {
    value: f64,
    rows: usize,
}

/// One group of a column's two values, as far as it has been read.
struct Group {
    value: f64,
    rows: usize,
    outcome: f64,
    varies: bool,
}

/// The group of a two-valued column in which the outcome never varies, where it varies in the other; reads no further
/// than it must.
fn smaller(column: impl Iterator<Item = f64>, outcome: &mut impl FnMut(usize) -> f64) -> Option<Constant> {
    let mut groups: Vec<Group> = Vec::new();
    for (i, value) in column.enumerate() {
        let place = groups.iter().position(|group| group.value == value);
        match place {
            None if groups.len() == 2 => return None,
            None => groups.push(Group { value, rows: 1, outcome: outcome(i), varies: false }),
            Some(place) => {
                let group = &mut groups[place];
                group.rows += 1;
                if !group.varies {
                    let here = outcome(i);
                    group.varies =
                        (here - group.outcome).abs() > SAME * here.abs().max(group.outcome.abs()).max(SAME);
                }
            }
        }
        if groups.len() == 2 && groups.iter().all(|group| group.varies) {
            return None;
        }
    }
    let [a, b] = groups.as_slice() else { return None };
    let (constant, other) = if a.varies { (b, a) } else { (a, b) };
    // A single row always has one outcome: its leverage says more than a note could.
    (other.varies && constant.rows > 1).then_some(Constant { value: constant.value, rows: constant.rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(x: &[f64], y: &[f64]) -> Option<usize> {
        smaller(x.iter().copied(), &mut |i| y[i]).map(|group| group.rows)
    }

    #[test]
    fn only_a_constant_group_beside_a_varying_one_counts() {
        assert_eq!(rows(&[0.0, 0.0, 1.0, 1.0], &[0.0, 1.0, 0.0, 0.0]), Some(2));
        assert_eq!(rows(&[0.0, 0.0, 1.0, 1.0], &[0.0, 1.0, 0.0, 1.0]), None);
        assert_eq!(rows(&[0.0, 0.0, 1.0, 1.0], &[0.0, 0.0, 1.0, 1.0]), None);
        assert_eq!(rows(&[0.0, 2.0, 1.0, 1.0], &[0.0, 1.0, 0.0, 0.0]), None);
        assert_eq!(rows(&[0.0, 0.0, 1.0], &[0.0, 1.0, 0.0]), None);
    }
}

//! The levels of a large factor among the columns of a design.
//!
//! A factor of hundreds of levels fills a design with columns of zeros. Its columns stand side by side, hold 0 or 1 and
//! never two ones in a row, so a code for each row says all of them: cross-products take time n p^2 in the p other
//! columns, and not n k^2.

use ndarray::ArrayView2;

/// Columns from which it is worth looking.
const MANY: usize = 50;

/// A block of indicator columns.
#[derive(Debug, Clone)]
pub(crate) struct Indicators {
    /// Its columns, as they are stored.
    pub columns: std::ops::Range<usize>,
    /// For each row 1 + the position of its column in the block, or 0.
    pub level: Vec<u32>,
}

impl Indicators {
    /// The largest block, where it has more than fifty columns.
    pub fn find(x: ArrayView2<'_, f64>) -> Option<Self> {
        let (n, p) = x.dim();
        if p <= MANY {
            return None;
        }
        let mut plain = vec![true; p];
        // One more than the last column before each that is 1 in a row where it is 1 too.
        let mut before = vec![0; p];
        for row in x.outer_iter() {
            let mut last = 0;
            for (j, &value) in row.iter().enumerate() {
                if value == 1.0 {
                    before[j] = before[j].max(last);
                    last = j + 1;
                } else if value != 0.0 {
                    plain[j] = false;
                }
            }
        }
        let mut best = 0..0;
        let mut start = 0;
        for j in 0..p {
            if !plain[j] {
                start = j + 1;
            } else if before[j] > start {
                start = j;
            }
            if j + 1 - start > best.len() && start <= j {
                best = start..j + 1;
            }
        }
        if best.len() <= MANY {
            return None;
        }
        let mut level = vec![0; n];
        for (row, level) in x.outer_iter().zip(&mut level) {
            let place = row.iter().skip(best.start).take(best.len()).position(|&value| value == 1.0);
            *level = place.map_or(0, |place| place as u32 + 1);
        }
        Some(Self { columns: best, level })
    }

    /// The columns that are not in the block, as they are stored.
    pub fn others(&self, p: usize) -> Vec<usize> {
        (0..p).filter(|j| !self.columns.contains(j)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn finds_the_larger_factor() {
        let n = 300;
        // A column of 0 and 1, a number, a factor of 61 levels and one of 3.
        let x = Array2::from_shape_fn((n, 64), |(i, j)| match j {
            0 => f64::from(u8::from(i % 2 == 0)),
            1 => i as f64,
            2..62 => f64::from(u8::from(i % 61 == j - 1)),
            _ => f64::from(u8::from(i % 3 == j - 61)),
        });
        let found = Indicators::find(x.view()).unwrap();
        assert_eq!(found.columns, 2..62);
        assert_eq!(found.level[..3], [0, 1, 2]);
        assert_eq!(found.others(64), [0, 1, 62, 63]);
        assert!(Indicators::find(x.slice_axis(ndarray::Axis(1), ndarray::Slice::from(..40))).is_none());
    }
}

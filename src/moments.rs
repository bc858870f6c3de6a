//! The mean and the squares about it of values that may not vary.
//!
//! The mean of 33 times `.3` is not computed as `.3`, so squares about it are not 0, and what divides by their root is
//! rounding divided by rounding. Whether values vary is therefore never asked of a variance: they do where their range
//! does, by the rule for scores in [`crate::ties`]; where they do not, the mean is the value and the squares are 0.

use crate::ties::Sameness;

/// Moments of values that are not missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moments {
    /// How many there are.
    pub n: usize,
    /// Their mean, never outside their range; NaN where there are none.
    pub mean: f64,
    /// The sum of squares about it.
    pub squares: f64,
}

impl Moments {
    /// Of these values, added in their order.
    pub fn of(values: &[f64]) -> Self {
        Self::within(values, Sameness::of(values))
    }

    /// Of some values of a column whose rule is given.
    pub fn within(values: &[f64], rule: Sameness) -> Self {
        let n = values.len();
        let Some(&first) = values.first() else {
            return Self { n, mean: f64::NAN, squares: 0.0 };
        };
        if !rule.varies(values.iter().copied()) {
            return Self { n, mean: first, squares: 0.0 };
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares = values.iter().map(|v| (v - mean).powi(2)).sum();
        Self { n, mean, squares }
    }

    /// The variance over n - 1; NaN under two values.
    pub fn variance(self) -> f64 {
        if self.n < 2 { f64::NAN } else { self.squares / (self.n as f64 - 1.0) }
    }

    /// The standard deviation over n - 1; NaN under two values.
    pub fn sd(self) -> f64 {
        self.variance().sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn row_9_1_of_none_and_of_one() {
        let none = Moments::of(&[]);
        assert!(none.n == 0 && none.mean.is_nan() && none.sd().is_nan());
        let one = Moments::of(&[0.3]);
        assert!(one.mean == 0.3 && one.sd().is_nan() && one.squares == 0.0);
        assert_eq!(Moments::of(&[1.0, 3.0]).sd(), 2.0_f64.sqrt());
    }

    proptest! {
        #[test]
        fn row_9_1_what_does_not_vary_has_its_mean_and_no_spread(value in -1e9_f64..1e9, n in 2_usize..300) {
            let same = Moments::of(&vec![value; n]);
            prop_assert_eq!((same.mean, same.squares, same.sd()), (value, 0.0, 0.0));
            let rounded: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { value } else { value.next_up() }).collect();
            prop_assert_eq!(Moments::of(&rounded).sd(), 0.0);
        }

        #[test]
        fn row_9_1_what_varies_is_as_it_was(values in prop::collection::vec(-1e3_f64..1e3, 2..50)) {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
            let found = Moments::of(&values);
            prop_assert_eq!((found.mean, found.sd()), (mean, (squares / (n - 1.0)).sqrt()));
        }
    }
}

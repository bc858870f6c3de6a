//! Which p-values lie below the level, for whoever counts rejections alone.

use crate::dist::{t_quantile, t_two_sided};

/// Says on which side of a level p-values lie, without working them out where one quantile says so for all.
pub(super) struct Judge {
    alpha: f64,
    df: f64,
    /// The quantile of the test under these degrees of freedom.
    limit: Option<f64>,
}

/// How far from the quantile the side is certain, whatever the rounding.
const CERTAIN: f64 = 1e-9;

impl Judge {
    pub fn new(alpha: f64) -> Self {
        Self { alpha, df: f64::NAN, limit: None }
    }

    /// The p-value, or 0 where it is below the level and 1 where it is above, beyond doubt.
    pub fn p_value(&mut self, t: f64, df: f64) -> f64 {
        if df != self.df {
            // A quantile pays where the degrees of freedom come again.
            (self.df, self.limit) = (df, None);
            return t_two_sided(t, df);
        }
        let limit = *self.limit.get_or_insert_with(|| t_quantile(1.0 - 0.5 * self.alpha, df));
        if t.abs() > limit * (1.0 + CERTAIN) {
            0.0
        } else if t.abs() < limit * (1.0 - CERTAIN) {
            1.0
        } else {
            t_two_sided(t, df)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_of_the_level_is_that_of_the_p_value() {
        let mut judge = Judge::new(0.05);
        let limit = t_quantile(0.975, 40.0);
        let found = [0.3, limit * (1.0 + 1e-12), limit + 0.1, -limit - 0.1, limit - 0.1, f64::NAN]
            .map(|t| judge.p_value(t, 40.0));
        assert_eq!(found[0], t_two_sided(0.3, 40.0));
        assert!((found[1] - 0.05).abs() < 1e-9);
        assert!(found[2..5] == [0.0, 0.0, 1.0] && found[5].is_nan());
        // Other degrees of freedom have another quantile.
        assert_eq!(judge.p_value(limit, 3.0), t_two_sided(limit, 3.0));
        assert_eq!(judge.p_value(limit, 3.0), 1.0);
    }
}

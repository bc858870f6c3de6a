//! When two times are one, and where a time stands among others.
//!
//! A time that went through arithmetic carries its rounding: `0.1 * 3` is not the double `0.3`. Times that differ by at
//! most 1.5e-8 (the square root of the machine's precision) of the mean of the distinct times are one, as they are to
//! R's `survival` (`timefix`); unlike there no absolute difference is let pass, so that the unit of time decides nothing.
//! Rows are grouped by this rule, and every look-up of a time, or of a value among cut points, follows it too.

use serde::Serialize;

/// How far apart two times may be and still be one.
///
/// ```
/// use crewe::survival::Tolerance;
/// let times = [0.1 * 3.0, 1.0, 2.0];
/// let rule = Tolerance::of(&times);
/// assert!(times[0] > 0.3 && rule.same(times[0], 0.3));
/// assert_eq!(rule.last_at(&times, 0.3), Some(0));
/// assert_eq!(rule.before(&times, 0.3), 0);
/// assert_eq!(rule.last_at(&times, 0.2), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tolerance {
    width: f64,
}

impl Tolerance {
    /// The tolerance among distinct times (or cut points).
    pub fn of(distinct: &[f64]) -> Self {
        let n = distinct.len().max(1) as f64;
        let mean: f64 = distinct.iter().map(|time| time.abs() / n).sum();
        Self { width: f64::EPSILON.sqrt() * mean }
    }

    /// The tolerance of this width.
    pub fn within(width: f64) -> Self {
        Self { width }
    }

    /// The largest distance of two times that are one.
    pub fn width(self) -> f64 {
        self.width
    }

    /// Whether two times are one.
    pub fn same(self, a: f64, b: f64) -> bool {
        a == b || (a - b).abs() <= self.width
    }

    /// The position of the last of ascending `times` that is at or before `time`; `None` where none is.
    pub fn last_at(self, times: &[f64], time: f64) -> Option<usize> {
        self.last_by(times, time, |&t| t)
    }

    /// How many of ascending `times` come before `time`; those that are one with it do not.
    pub fn before(self, times: &[f64], time: f64) -> usize {
        match self.last_at(times, time) {
            None => 0,
            Some(j) if self.same(times[j], time) => j,
            Some(j) => j + 1,
        }
    }

    /// As [`Tolerance::last_at`], among things that have a time.
    pub(crate) fn last_by<T>(self, items: &[T], time: f64, key: impl Fn(&T) -> f64) -> Option<usize> {
        let after = items.partition_point(|item| key(item) <= time);
        let near = |j: usize| items.get(j).is_some_and(|item| self.same(key(item), time));
        // A time just short of the next one has reached it, unless it is one with the last already.
        let reached = near(after) && !after.checked_sub(1).is_some_and(near);
        if reached { Some(after) } else { after.checked_sub(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_before_the_first_or_among_none() {
        assert_eq!(Tolerance::of(&[]).last_at(&[], 1.0), None);
        assert_eq!(Tolerance::of(&[]).before(&[], 1.0), 0);
        assert_eq!(Tolerance::of(&[0.0]).last_at(&[0.0], 0.0), Some(0));
        assert_eq!(Tolerance::of(&[5.0]).before(&[5.0], f64::INFINITY), 1);
        assert_eq!(Tolerance::of(&[f64::MAX, f64::MAX]).width, f64::EPSILON.sqrt() * f64::MAX);
    }

    proptest! {
        /// A time that arithmetic moved is found where the time itself stands, in any unit.
        #[test]
        fn rounding_moves_no_look_up(
            steps in prop::collection::btree_set(1_u32..5000, 1..40),
            unit in -40_i32..40,
            wobble in -1e-9_f64..1e-9,
        ) {
            let unit = 0.1 * 2_f64.powi(unit);
            let times: Vec<f64> = steps.iter().map(|&k| f64::from(k) * unit).collect();
            let rule = Tolerance::of(&times);
            for (j, &time) in times.iter().enumerate() {
                let moved = time * (1.0 + wobble);
                prop_assert_eq!(rule.last_at(&times, moved), Some(j));
                prop_assert_eq!(rule.before(&times, moved), j);
                prop_assert_eq!(rule.last_at(&times, time + 0.5 * unit), Some(j));
                prop_assert_eq!(rule.before(&times, time + 0.5 * unit), j + 1);
                prop_assert_eq!(rule.last_at(&times, time - 0.5 * unit), j.checked_sub(1));
                prop_assert_eq!(rule.before(&times, time - 0.5 * unit), j);
            }
        }
    }
}

//! When two times, or two values, are one, and where a time stands among others.
//!
//! A time that went through arithmetic carries its rounding: `0.1 * 3` is not the double `0.3`. Times that differ by at
//! most 1.5e-8 (the square root of the machine's precision) of the mean of the distinct times are one, as they are to
//! R's `survival` (`timefix`); unlike there no absolute difference is let pass, so that the unit of time decides nothing.
//! Rows are grouped by this rule, and every look-up of a time, or of a value among cut points, follows it too.
//!
//! Scores that are ranked, counted or compared lie closer than times do and may be of either sign, so their rule is
//! narrower. Whole numbers up to 2^53 carry no rounding and are compared as they are; of other values two are one
//! when they differ by at most 1e-10 of the larger and 1e-12 of the mean size: `0.8 - 0.5` and `0.3` are one value,
//! and so are `0.3 - 0.1 * 3` and 0. A class of values runs from its smallest and never beyond the rule, so that a
//! chain of small steps does not make one value of all. Whether a column varies at all is asked by this rule too: the
//! variance of a constant is seldom computed as 0.

use serde::Serialize;

/// Of the larger of two values that are one.
const RELATIVE: f64 = 1e-10;
/// Of the mean size of all: what differences of such values may leave in place of 0.
const ABSOLUTE: f64 = 1e-12;
/// Up to here every whole number is a double.
const WHOLE: f64 = 9_007_199_254_740_992.0;

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
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Tolerance {
    width: f64,
}

impl Tolerance {
    /// The tolerance among distinct times (or cut points).
    #[must_use]
    pub fn of(distinct: &[f64]) -> Self {
        let n = distinct.len().max(1) as f64;
        let mean: f64 = distinct.iter().map(|time| time.abs() / n).sum();
        Self { width: f64::EPSILON.sqrt() * mean }
    }

    /// The tolerance of this width.
    #[must_use]
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

/// Whether values carry no rounding, for they are whole numbers that a double holds.
pub(crate) fn all_whole(values: &[f64]) -> bool {
    values.iter().all(|v| is_whole(*v))
}

fn is_whole(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() <= WHOLE
}

/// When two values of a column are one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sameness {
    whole: bool,
    least: f64,
}

impl Sameness {
    /// The rule among finite values; NaN is passed over.
    pub fn of(values: &[f64]) -> Self {
        let seen = || values.iter().filter(|v| !v.is_nan());
        let n = seen().count().max(1) as f64;
        let least = ABSOLUTE * seen().map(|v| v.abs() / n).sum::<f64>();
        Self { whole: seen().all(|v| is_whole(*v)), least }
    }

    /// Whether two values are one.
    pub fn same(self, a: f64, b: f64) -> bool {
        a == b || (!self.whole && (b - a).abs() <= RELATIVE * a.abs().max(b.abs()) + self.least)
    }

    /// Whether some of the column's values are not all one; NaN is passed over, and nothing does not vary.
    pub fn varies(self, some: impl IntoIterator<Item = f64>) -> bool {
        let (low, high) = some
            .into_iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (v.min(low), v.max(high)));
        low < high && !self.same(low, high)
    }
}

/// Whether a column of finite values varies; NaN is passed over.
pub(crate) fn varies(values: &[f64]) -> bool {
    Sameness::of(values).varies(values.iter().copied())
}

/// The values that count as different, ascending; each stands for itself and for what is one with it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Distinct {
    /// The smallest of each class, ascending.
    pub values: Vec<f64>,
}

impl Distinct {
    /// The classes of finite values.
    pub fn of(values: &[f64]) -> Self {
        let rule = Sameness::of(values);
        // Negative zero is zero.
        let mut sorted: Vec<f64> = values.iter().map(|v| v + 0.0).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut first = f64::NAN;
        sorted.retain(|&v| {
            let new = first.is_nan() || !rule.same(first, v);
            if new {
                first = v;
            }
            new
        });
        Self { values: sorted }
    }

    /// The class of one of the values.
    pub fn class(&self, value: f64) -> usize {
        self.values.partition_point(|&v| v <= value).saturating_sub(1)
    }

    /// The values, each replaced by the one that stands for it.
    pub fn snapped(&self, values: &[f64]) -> Vec<f64> {
        values.iter().map(|&v| self.values[self.class(v)]).collect()
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

        /// Values on a grid fall into as many classes as they have places, whatever arithmetic made them.
        #[test]
        fn row_3_12_rounding_makes_no_new_value(
            places in prop::collection::vec(-2000_i32..2000, 1..60),
            unit in prop::sample::select(vec![1e-300, 1e-12, 1e-3, 0.1, 1.0 / 3.0, 0.7, 1.0, 7.3, 1e12, 1e300]),
            offset in -50_i32..50,
        ) {
            let offset = f64::from(offset) * unit;
            let exact: Vec<f64> = places.iter().map(|&k| f64::from(k) * unit).collect();
            let moved = places.iter().map(|&k| (f64::from(k) * unit + offset) - offset);
            let both: Vec<f64> = exact.iter().copied().chain(moved).collect();
            let count = places.iter().collect::<std::collections::BTreeSet<_>>().len();
            let distinct = Distinct::of(&both);
            prop_assert_eq!(distinct.values.len(), count);
            for (a, b) in exact.iter().zip(&both[exact.len()..]) {
                prop_assert_eq!(distinct.class(*a), distinct.class(*b));
            }
        }

        /// A chain of steps below the rule is cut where it has gone as far as the rule reaches.
        #[test]
        fn row_3_12_a_chain_is_not_one_value(step in 1e-11_f64..9e-11, n in 50_usize..200) {
            let chain: Vec<f64> = (0..n).map(|i| 1.0 + step * i as f64).collect();
            let distinct = Distinct::of(&chain);
            for pair in distinct.values.windows(2) {
                prop_assert!(pair[1] - pair[0] > RELATIVE);
            }
            let snapped = distinct.snapped(&chain);
            for (v, s) in chain.iter().zip(&snapped) {
                prop_assert!(v - s <= 1.02e-10 && v >= s);
            }
        }
    }

    #[test]
    fn row_9_1_a_column_varies_by_more_than_rounding() {
        assert!(!varies(&[]) && !varies(&[f64::NAN]) && !varies(&[0.3; 17]) && !varies(&[-0.0, 0.0]));
        assert!(!varies(&[0.3, 0.1 * 3.0, f64::NAN, 0.8 - 0.5]));
        assert!(varies(&[0.3, f64::NAN, 0.300_000_001]) && varies(&[0.0, 5e-324]));
        assert!(varies(&[WHOLE - 1.0, WHOLE]) && varies(&[1e9 + 0.5, 1e9 + 0.75]));
        // What a difference leaves in place of 0 is told by the rest of the column.
        let column = [0.3 - 0.1 * 3.0, 0.0, 0.7, 0.7];
        let rule = Sameness::of(&column);
        assert!(!rule.varies(column[..2].iter().copied()) && rule.varies(column.iter().copied()));
    }

    #[test]
    fn whole_numbers_are_compared_as_they_are() {
        let ids =
            [1_234_567_890_123.0, 1_234_567_890_124.0, 9_007_199_254_740_991.0, 9_007_199_254_740_992.0];
        assert_eq!(Distinct::of(&ids).values, ids);
        assert_eq!(Distinct::of(&[0.0, -0.0]).values, [0.0]);
        assert!(Distinct::of(&[]).values.is_empty());
        // Large sums with pence are as they are, too.
        assert_eq!(Distinct::of(&[12_345_678.01, 12_345_678.02]).values.len(), 2);
    }
}

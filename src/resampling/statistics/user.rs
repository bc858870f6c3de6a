//! Any function of the outcomes and the arms.

use crate::Result;
use crate::progress::Monitor;
use crate::resampling::prepared::{Compare, Prepared};
use crate::resampling::replay::{Evaluate, Room};
use crate::resampling::result::{RandomisationOptions, RandomisationTest};

/// A statistic of the outcomes by row (NaN where they do not count) and the arms by unit.
///
/// ```
/// use crewe::resampling::UserStatistic;
/// let treated = |_: &[f64], arm: &[u8]| arm.iter().filter(|&&arm| arm == 1).count() as f64;
/// let statistic: &UserStatistic<'_> = &treated;
/// assert_eq!(statistic(&[], &[0, 1, 1]), 2.0);
/// ```
pub type UserStatistic<'a> = dyn Fn(&[f64], &[u8]) -> f64 + Sync + 'a;

/// A user's statistic.
pub(super) struct Function<'a>(pub &'a UserStatistic<'a>);

impl Compare for Function<'_> {
    fn at<'e>(&'e self, trial: &'e Prepared<'_>, effect: f64) -> Result<Box<dyn Evaluate + 'e>> {
        let values = trial.outcomes.without_effect(effect, &trial.treated);
        Ok(Box::new(User { values, function: self.0 }))
    }

    fn test(
        &self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        let at = |effect: f64| self.at(trial, effect);
        trial.general(&at, options, trial.about_means(options.interval.unwrap_or(false)), true, monitor)
    }
}

/// A user's statistic on fixed outcomes.
struct User<'a> {
    values: Vec<f64>,
    function: &'a UserStatistic<'a>,
}

impl Evaluate for User<'_> {
    fn width(&self) -> usize {
        1
    }

    fn evaluate(&self, arm: &[u8], _room: &mut Room, values: &mut [f64]) {
        values[0] = (self.function)(&self.values, arm);
    }
}

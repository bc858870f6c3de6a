//! The difference in means of every arm from the reference, over rows or over the units' own means ([`super::super::means`]
//! has the formulas).

use crate::Result;
use crate::progress::Monitor;
use crate::resampling::means::{ByArm, Linear};
use crate::resampling::prepared::{Compare, Prepared};
use crate::resampling::replay::Evaluate;
use crate::resampling::result::{RandomisationOptions, RandomisationTest};

/// Differences in means.
pub(super) struct Differences {
    /// Over the means of the units, not over rows.
    pub unit_means: bool,
    /// Divided by their standard errors.
    pub studentised: bool,
}

impl Compare for Differences {
    fn test(
        &self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        let Self { unit_means, studentised } = *self;
        let values = trial.outcomes.without_effect(0.0, &trial.treated);
        let means = trial.means(&values, unit_means, false);
        let by_arm = means.means(&trial.assignment.arm);
        let mut test = if trial.assignment.arms.len() == 2 && !studentised {
            trial.linear(&Linear::new(&means, trial.everybody()), options, monitor)?
        } else {
            let at = |effect: f64| {
                let values = trial.outcomes.without_effect(effect, &trial.treated);
                Ok(Box::new(ByArm(trial.means(&values, unit_means, studentised))) as Box<dyn Evaluate>)
            };
            trial.general(
                &at,
                options,
                trial.about_means(options.interval.unwrap_or(true)),
                false,
                monitor,
            )?
        };
        for (comparison, mean) in test.comparisons.iter_mut().zip(&by_arm[1..]) {
            comparison.estimate = mean - by_arm[0];
        }
        (test.means, test.weighted) = (by_arm, trial.weight.is_some());
        test.notes.splice(0..0, trial.chances.iter().cloned());
        Ok(test)
    }
}

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

impl Differences {
    /// Makes it ready for the outcomes less an effect of the treated.
    pub fn made(&self, trial: &Prepared<'_>, effect: f64) -> Box<dyn Evaluate> {
        let values = trial.outcomes.without_effect(effect, &trial.treated);
        let means = trial.means(&values, self.unit_means, self.studentised);
        if self.linear(trial) {
            Box::new(Linear::new(&means, trial.everybody()))
        } else {
            Box::new(ByArm(means))
        }
    }

    /// Whether an effect makes a straight line of it.
    fn linear(&self, trial: &Prepared<'_>) -> bool {
        trial.assignment.arms.len() == 2 && !self.studentised
    }
}

impl Compare for Differences {
    fn at<'e>(&'e self, trial: &'e Prepared<'_>, effect: f64) -> Result<Box<dyn Evaluate + 'e>> {
        Ok(self.made(trial, effect))
    }

    fn test(
        &self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        let values = trial.outcomes.without_effect(0.0, &trial.treated);
        let by_arm = trial.means(&values, self.unit_means, false).means(&trial.assignment.arm);
        let at = |effect: f64| self.at(trial, effect);
        let mut test = if self.linear(trial) {
            trial.linear(&*at(0.0)?, options, monitor)?
        } else {
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

//! A randomisation test done again and again: one procedure, and outcomes after outcomes, as in a simulation of the trial.
//!
//! Test number i is compared with draws of its own, those numbered from `i` times the number of draws on, so that it is
//! found without the ones before it. All assignments are listed once, where there are no more than that.

use std::sync::Arc;

use super::outcomes::Outcomes;
use super::prepared::Prepared;
use super::replay::Replay;
use super::result::{Comparison, RandomisationOptions};
use super::statistics::Statistic;
use crate::design::{Assignment, Design, Redraws, Support, Units};
use crate::progress::Monitor;
use crate::rng::Seed;
use crate::ties::Sameness;
use crate::{Fault, Result};

/// The most draws: a billion tests then have numbers of their own for all draws.
const MOST: u64 = 10_000_000;

/// The assignments that every test is compared with.
enum Reference {
    All(Arc<Support>),
    Draws(Arc<Redraws>),
}

/// A procedure made ready for one test after the other.
pub(crate) struct Repeated {
    reference: Reference,
    options: RandomisationOptions,
    /// The units with their chances of the arms; its arms are those of no trial.
    home: Assignment,
}

impl Repeated {
    /// The procedure of a design for these units, under the seed of the tests' draws, for two-sided tests at this level.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for fewer draws than could reject at the level; as [`Design::assign`].
    pub fn new(
        design: &Design,
        units: &Units,
        seed: &Seed,
        (draws, alpha): (u64, f64),
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        if !(1..=MOST).contains(&draws) {
            return Err(Fault::new("the number of draws of a repeated randomisation test is out of range")
                .values([draws.to_string()])
                .remedy("Draw 999 times, the default, or at most ten million times")
                .input());
        }
        let n = draws as usize;
        let redraws = Redraws::new(design, units, seed, monitor)?;
        let reference = match redraws.support(n, monitor)? {
            Some(support) => Reference::All(Arc::new(support)),
            None => Reference::Draws(Arc::new(redraws)),
        };
        // The smallest two-sided p-value of draws is 2 / (1 + n).
        let least = (2.0 / alpha - 1e-9).ceil() - 1.0;
        if matches!(reference, Reference::Draws(_)) && (draws as f64) < least {
            return Err(Fault::new(format!(
                "with {draws} draws no two-sided p-value can be as small as {alpha}"
            ))
            .values([draws.to_string()])
            .remedy(format!("Draw at least {least} times; 999 are the default"))
            .input());
        }
        let options = RandomisationOptions::default().draws(draws).level(1.0 - alpha);
        let home = design.clone().seed(seed.clone()).assign(units)?;
        Ok(Self { reference, options, home })
    }

    /// The smallest p-value that a two-sided test can have, and of how many assignments, where they are all listed.
    pub fn smallest(&self) -> Option<(f64, usize)> {
        let Reference::All(support) = &self.reference else { return None };
        let least = support.probability.iter().copied().fold(1.0, f64::min);
        Some(((2.0 * least).min(1.0), support.probability.len()))
    }

    /// Test number `number` of outcomes under these arms of the units: every arm beside the first. `interval` asks for the
    /// effects that are not rejected, where they follow from the draws. Nothing where all outcomes are one value.
    ///
    /// # Errors
    /// As [`super::randomisation_test`].
    pub fn test(
        &self,
        number: u64,
        arm: &[u8],
        outcomes: &Outcomes,
        statistic: Statistic<'_>,
        interval: bool,
        monitor: &dyn Monitor,
    ) -> Result<Vec<Comparison>> {
        if statistic.is_of_values() {
            let rule = Sameness::of(&outcomes.values);
            if !rule.varies(outcomes.rows().map(|row| outcomes.values[row])) {
                return Ok(Vec::new());
            }
        }
        let trial = Assignment { arm: arm.to_vec(), ..self.home.clone() };
        let replay = match &self.reference {
            Reference::All(support) => Replay::All(Arc::clone(support)),
            Reference::Draws(redraws) => Replay::Draws {
                redraws: Arc::clone(redraws),
                first: number.saturating_mul(self.options.draws),
                n: self.options.draws as usize,
                units: arm.len(),
            },
        };
        let options = self.options.clone().interval(interval);
        let prepared = Prepared::over(&trial, outcomes, &options, replay)?.alone();
        Ok(statistic.test(&prepared, &options, monitor)?.comparisons)
    }
}

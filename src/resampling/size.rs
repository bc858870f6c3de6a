//! How often the test rejects when there is no effect, and how often its interval covers the effect.
//!
//! Where all assignments can be listed, the size is exact: the probability of those whose own p-value is at most alpha.
//! It is then the attainable level, since a discrete distribution has no assignment in between. Elsewhere the trial is
//! drawn again and again, each time with a test of its own.

use rayon::prelude::*;

use serde::Serialize;

use super::prepared::{Prepared, UNDEFINED};
use super::{Outcomes, RandomisationOptions, Statistic};
use crate::design::{Assignment, Design, Units};
use crate::progress::{Monitor, Part, check, unwatched};
use crate::rng::{Seed, Stream};
use crate::setters::setters;
use crate::{Fault, Result};

/// How to look.
///
/// ```
/// use crewe::resampling::SizeOptions;
/// assert_eq!(SizeOptions::default().trials(500).alpha(0.1).trials, 500);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SizeOptions {
    /// The number of trials, where they are simulated.
    pub trials: u64,
    /// The seed of the trials.
    pub seed: u64,
    /// The nominal size.
    pub alpha: f64,
    /// An effect that is added to the outcomes of the second arm, and that the interval should cover.
    pub effect: f64,
    /// The test that each trial gets; its seed is set anew in every trial.
    pub test: RandomisationOptions,
}

impl Default for SizeOptions {
    fn default() -> Self {
        let test = RandomisationOptions { draws: 999, ..RandomisationOptions::default() };
        Self { trials: 2_000, seed: 1, alpha: 0.05, effect: 0.0, test }
    }
}

setters!(SizeOptions, trials: plain(u64), seed: plain(u64), alpha: plain(f64), effect: plain(f64), test: plain(RandomisationOptions));

/// How a test fares.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::{Outcomes, SizeOptions, Statistic, size};
/// let outcomes = Outcomes::new("score", &[1.0, 2.0, 2.0, 5.0, 4.0], units.rows(), units.len())?;
/// let means = Statistic::DifferenceInMeans { studentised: false };
/// let found = size(&design, &units, &outcomes, means, &SizeOptions::default(), &NoMonitor)?;
/// assert!(found.exact && found.trials == 6);
/// assert_eq!(found.rejected, 0.0); // six assignments cannot reject at 5%
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Size {
    /// The share of trials with a p-value of at most alpha.
    pub rejected: f64,
    /// The share of trials whose interval covers the effect; NaN where there was no interval.
    pub covered: f64,
    /// The standard error of such a share where the truth is alpha; 0 where all assignments were listed.
    pub std_error: f64,
    /// Whether all assignments were listed, so that the shares are exact.
    pub exact: bool,
    /// The number of trials, or of assignments.
    pub trials: usize,
}

/// The size of the randomisation test for a design, and the coverage of its interval.
///
/// `outcomes` are those of the trial without any treatment.
///
/// # Errors
/// As [`super::randomisation_test`].
pub fn size(
    design: &Design,
    units: &Units,
    outcomes: &Outcomes,
    statistic: Statistic<'_>,
    options: &SizeOptions,
    monitor: &dyn Monitor,
) -> Result<Size> {
    let draws = usize::try_from(options.test.draws).unwrap_or(usize::MAX);
    let part = &Part(monitor);
    let procedure = design.procedure(units, part)?;
    let probabilities = procedure.probabilities(part)?;
    let trial = |arm: Vec<u8>| Assignment {
        units: units.clone(),
        arms: design.arm_names(),
        arm,
        probability: probabilities.arm.clone(),
        simulated: probabilities.simulated,
        details: crate::design::Details::default(),
        commitment: None,
        observed: false,
        notes: vec![],
    };
    let run = |arm: Vec<u8>, seed: u64| -> Result<Option<Trial>> {
        let assignment = trial(arm);
        let mut outcomes = outcomes.clone();
        for row in 0..outcomes.values.len() {
            if assignment.arm[outcomes.unit[row] as usize] == 1 {
                outcomes.values[row] += options.effect;
            }
        }
        let seed = Seed::Integer(seed);
        let prepared = match Prepared::new(design, &assignment, &outcomes, &options.test, &seed, part) {
            Ok(prepared) => prepared,
            // A trial that leaves an arm empty has no test; it is one of those that the test conditions away.
            Err(crate::Error::Input(fault)) if fault.problem == "an arm has no outcomes" => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let test = match statistic.test(&prepared, &options.test, part) {
            Ok(test) => test,
            // So is one under which the statistic is not defined.
            Err(crate::Error::Input(fault)) if fault.problem == UNDEFINED => return Ok(None),
            Err(error) => return Err(error),
        };
        let first = &test.comparisons[0];
        // Rounding in sums of probabilities must not turn an attained level into one just above it.
        let rejected = first.p_value <= options.alpha * (1.0 + 1e-9);
        let near = 1e-9 * first.null_sd;
        let covered =
            first.interval.map(|i| i.low - near <= options.effect && options.effect <= i.high + near);
        Ok(Some(Trial { rejected, covered }))
    };
    if let Some(support) = procedure.support(draws, part)? {
        check(monitor, 0, 1)?;
        let found: Vec<Option<Trial>> = (0..support.probability.len())
            .into_par_iter()
            .map(|i| unwatched(|| run(support.arm.row(i).to_vec(), 0)))
            .collect::<Result<_>>()?;
        return Ok(summed(&found, Some(&support.probability), options.alpha));
    }
    let seed = Seed::Integer(options.seed);
    let trials = usize::try_from(options.trials).unwrap_or(usize::MAX);
    if trials == 0 {
        return Err(Fault::new("no trials were asked for").remedy("Simulate at least one").input());
    }
    let drawn = design.draws(units, trials, Some(&seed), monitor)?;
    let mut found = Vec::with_capacity(trials);
    for first in (0..trials).step_by(64) {
        check(monitor, first as u64, trials as u64)?;
        let part: Vec<Option<Trial>> = (first..trials.min(first + 64))
            .into_par_iter()
            .map(|i| {
                // A number of its own, apart from the streams of the trials.
                let own = Stream::new::<&str>(&seed, "size", &[], i as u64).next_u64();
                unwatched(|| run(drawn.row(i).to_vec(), own))
            })
            .collect::<Result<_>>()?;
        found.extend(part);
    }
    Ok(summed(&found, None, options.alpha))
}

struct Trial {
    rejected: bool,
    covered: Option<bool>,
}

fn summed(found: &[Option<Trial>], probability: Option<&[f64]>, alpha: f64) -> Size {
    let (mut all, mut rejected, mut covered, mut trials) = (0.0, 0.0, 0.0, 0);
    for (i, trial) in found.iter().enumerate() {
        let Some(trial) = trial else { continue };
        let weight = probability.map_or(1.0, |p| p[i]);
        all += weight;
        trials += 1;
        rejected += if trial.rejected { weight } else { 0.0 };
        covered += match trial.covered {
            Some(true) => weight,
            Some(false) => 0.0,
            None => f64::NAN,
        };
    }
    let exact = probability.is_some();
    let std_error = if exact { 0.0 } else { (alpha * (1.0 - alpha) / all).sqrt() };
    Size { rejected: rejected / all, covered: covered / all, std_error, exact, trials }
}

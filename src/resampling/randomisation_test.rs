//! The randomisation test (R. A. Fisher 1935, The Design of Experiments; P. R. Rosenbaum 2002, Observational Studies).
//!
//! Under the hypothesis that no arm has an effect on anybody the outcomes are fixed, and only the assignment is random.
//! So the statistic's distribution is known: it is computed over all assignments that the design could have given,
//! weighted by their probabilities, where there are no more than `draws` of them; else over that many new draws of the
//! very procedure. [`super::tails`] says how p-values come from it. Assignments that leave an arm without outcomes give
//! no difference in means: the test conditions on those that do, which no outcome can influence.
//!
//! Missing outcomes: all units randomised are drawn again and the statistic is computed on the rows observed, which
//! assumes that the arm does not influence what is missing.

use std::ops::Range;

use super::outcomes::{each_arm_has_units, refuse_constant};
use super::prepared::{Elsewhere, Prepared};
use super::redrawn::{new_seed, of_observed, redraw_seed, shown};
use super::statistics::Statistic;
use super::{Outcomes, RandomisationOptions, RandomisationTest};
use crate::Result;
use crate::design::{Assignment, Design};
use crate::progress::Monitor;

/// Tests whether any arm had an effect, by drawing the trial again.
///
/// `outcomes` hold the rows of the trial, matched to the units of `assignment`. With more than two arms every arm is
/// compared with the first; all these tests are of the hypothesis that no arm has any effect.
///
/// # Errors
/// [`crate::Error::Input`] where an arm has no outcomes, the options are out of range, or the user's statistic is not a finite
/// number on some assignments; [`crate::Error::Design`] where an arm has fewer than two units with outcomes, and where
/// the assignment cannot have come from the design;
/// [`crate::Error::Interrupted`] when the monitor stops the work.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::{Outcomes, RandomisationOptions, Statistic, randomisation_test};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(5);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "c", "d", "e", "f"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// let trial = design.assign(&units)?;
/// // Every child of a treated family gains 10: of the 20 assignments no other is as extreme.
/// let y: Vec<f64> = units.rows().iter().enumerate()
///     .map(|(row, &family)| row as f64 + 10.0 * f64::from(trial.arm[family as usize])).collect();
/// let outcomes = Outcomes::new("score", &y, units.rows(), units.len())?;
/// let statistic = Statistic::DifferenceInMeans { studentised: false };
/// let test = randomisation_test(&design, &trial, &outcomes, statistic, &RandomisationOptions::default(), &NoMonitor)?;
/// assert!(test.exact);
/// assert_eq!(test.assignments, 20);
/// assert_eq!(test.comparisons[0].p_upper, 1.0 / 20.0);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn randomisation_test(
    design: &Design,
    assignment: &Assignment,
    outcomes: &Outcomes,
    statistic: Statistic<'_>,
    options: &RandomisationOptions,
    monitor: &dyn Monitor,
) -> Result<RandomisationTest> {
    tested(design, assignment, outcomes, statistic, options, None, monitor)
}

/// The same test, with draws whose values others compute: `elsewhere` gives them, as [`randomisation_values`] does of any
/// part of the draws. Where all assignments are listed nobody is asked.
///
/// # Errors
/// As [`randomisation_test`], and what `elsewhere` returns.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::{
///     Outcomes, RandomisationOptions, Statistic, randomisation_test, randomisation_test_by, randomisation_values,
/// };
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(5);
/// let names: Vec<String> = (0..40).map(|family| format!("{family:02}")).collect();
/// let families = Column::from_values("family", names.iter().map(String::as_str));
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// let trial = design.assign(&units)?;
/// let y: Vec<f64> = (0..40).map(|row| f64::from(row * 7 % 11)).collect();
/// let outcomes = Outcomes::new("score", &y, units.rows(), units.len())?;
/// let means = Statistic::DifferenceInMeans { studentised: true };
/// let options = RandomisationOptions::default().draws(300);
/// let halves = |effect: f64, seed: &crewe::rng::Seed, draws: u64| -> crewe::Result<Vec<f64>> {
///     let mut asked = options.clone();
///     asked.seed = Some(seed.clone());
///     let part = |draws| randomisation_values(&design, &trial, &outcomes, means, &asked, (effect, draws), &NoMonitor);
///     Ok([part(0..draws / 2)?, part(draws / 2..draws)?].concat())
/// };
/// assert_eq!(
///     randomisation_test_by(&design, &trial, &outcomes, means, &options, &halves, &NoMonitor)?,
///     randomisation_test(&design, &trial, &outcomes, means, &options, &NoMonitor)?,
/// );
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn randomisation_test_by(
    design: &Design,
    assignment: &Assignment,
    outcomes: &Outcomes,
    statistic: Statistic<'_>,
    options: &RandomisationOptions,
    elsewhere: &Elsewhere<'_>,
    monitor: &dyn Monitor,
) -> Result<RandomisationTest> {
    tested(design, assignment, outcomes, statistic, options, Some(elsewhere), monitor)
}

/// The values of a statistic over the draws of these numbers, draws x values, for the outcomes less an effect of the treated:
/// a part of [`randomisation_test_by`]. `options` hold the seed of the draws; the trial is not checked again.
///
/// # Errors
/// As [`randomisation_test`].
pub fn randomisation_values(
    design: &Design,
    assignment: &Assignment,
    outcomes: &Outcomes,
    statistic: Statistic<'_>,
    options: &RandomisationOptions,
    (effect, draws): (f64, Range<u64>),
    monitor: &dyn Monitor,
) -> Result<Vec<f64>> {
    let part = Prepared::part(design, assignment, outcomes, options, &draws, monitor)?;
    statistic.values(&part, effect, monitor)
}

fn tested(
    design: &Design,
    assignment: &Assignment,
    outcomes: &Outcomes,
    statistic: Statistic<'_>,
    options: &RandomisationOptions,
    elsewhere: Option<&Elsewhere<'_>>,
    monitor: &dyn Monitor,
) -> Result<RandomisationTest> {
    let seed = redraw_seed(design, assignment, options.seed.as_ref())?;
    if outcomes.units == assignment.units.len() {
        each_arm_has_units(assignment, outcomes)?;
    }
    if statistic.is_of_values() {
        refuse_constant(outcomes)?;
    }
    let mut prepared = Prepared::new(design, assignment, outcomes, options, &seed, monitor)?;
    if let Some(elsewhere) = elsewhere {
        prepared = prepared.asking(elsewhere, seed.clone());
    }
    let mut test = statistic.test(&prepared, options, monitor)?;
    test.notes.extend(of_observed(design, assignment));
    if !test.exact {
        test.seed = shown(&seed);
        test.notes.extend(new_seed(design, options.seed.as_ref(), &seed));
    }
    Ok(test)
}

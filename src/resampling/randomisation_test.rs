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

use rayon::prelude::*;

use serde::Serialize;

use super::adjusted::Adjusted;
use super::chances::chances;
use super::inversion::{Lines, Search};
use super::means::{ByArm, Linear, Means};
use super::null::{tails_of, tolerance, weights};
use super::outcomes::{each_arm_has_outcomes, each_arm_has_units};
use super::redrawn::{new_seed, redraw_seed, replay_of, shown};
use super::replay::{Evaluate, Replay, Room};
use super::{Outcomes, Statistic, Weights};
use crate::design::{Assignment, Design};
use crate::nonparametric::{Alternative, Interval, check_level};
use crate::progress::Monitor;
use crate::rng::Seed;
use crate::setters::setters;
use crate::{Fault, Result};

/// A statistic of the outcomes by row (NaN where they do not count) and the arms by unit.
///
/// ```
/// use crewe::resampling::UserStatistic;
/// let treated = |_: &[f64], arm: &[u8]| arm.iter().filter(|&&arm| arm == 1).count() as f64;
/// let statistic: &UserStatistic<'_> = &treated;
/// assert_eq!(statistic(&[], &[0, 1, 1]), 2.0);
/// ```
pub type UserStatistic<'a> = dyn Fn(&[f64], &[u8]) -> f64 + Sync + 'a;

/// How to test.
///
/// ```
/// use crewe::resampling::{RandomisationOptions, Weights};
/// let options = RandomisationOptions::default().draws(999).seed(7).weights(Weights::Equal);
/// assert_eq!(options.draws, 999);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RandomisationOptions {
    /// The number of draws; where the procedure can give no more assignments than this, all are used instead.
    pub draws: u64,
    /// The seed of the draws; by default the design's own, where it drew the assignment and is no secret key, else one
    /// from the operating system.
    pub seed: Option<Seed>,
    /// The direction; `Greater` says that the arm has the larger outcomes than the reference.
    pub alternative: Alternative,
    /// The coverage of the interval.
    pub level: f64,
    /// Whether to invert the test into an interval; by default for built-in statistics, since a user's own must be
    /// computed some eighty times over.
    pub interval: Option<bool>,
    /// How the units count in a difference in means.
    pub weights: Weights,
}

impl Default for RandomisationOptions {
    fn default() -> Self {
        Self {
            draws: 9_999,
            seed: None,
            alternative: Alternative::TwoSided,
            level: 0.95,
            interval: None,
            weights: Weights::Auto,
        }
    }
}

setters!(
    RandomisationOptions,
    draws: plain(u64),
    alternative: plain(Alternative),
    level: plain(f64),
    interval: some(bool),
    weights: plain(Weights),
);

impl RandomisationOptions {
    /// Sets the seed of the draws: an integer, or a key.
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }
}

/// One arm beside the reference.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::{Outcomes, RandomisationOptions, Statistic, randomisation_test};
/// let assignment = design.assign(&units)?;
/// let outcomes = Outcomes::new("score", &[1.0, 2.0, 2.0, 5.0, 4.0], units.rows(), units.len())?;
/// let means = Statistic::DifferenceInMeans { studentised: false };
/// let test = randomisation_test(&design, &assignment, &outcomes, means, &RandomisationOptions::default(), &NoMonitor)?;
/// let crewe = &test.comparisons[0];
/// assert_eq!((crewe.arm.as_str(), crewe.distribution.len()), ("crewe", 6));
/// assert!((crewe.estimate - (test.means[1] - test.means[0])).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// The difference in means or coefficient as it was observed; the statistic where the user gave one.
    pub estimate: f64,
    /// The statistic as it was observed; the estimate over its standard error where it is studentised.
    pub statistic: f64,
    /// The p-value of the alternative.
    pub p_value: f64,
    /// The probability of a statistic at most as large.
    pub p_lower: f64,
    /// The probability of a statistic at least as large.
    pub p_upper: f64,
    /// The effects that the test does not reject; limits may be infinite.
    pub interval: Option<Interval>,
    /// The mean of the statistic over the assignments.
    pub null_mean: f64,
    /// Its standard deviation.
    pub null_sd: f64,
    /// The statistic of every assignment.
    pub distribution: Vec<f64>,
}

/// All arms together.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::{Outcomes, RandomisationOptions, Statistic, randomisation_test};
/// let design = Design::new("Trial").arm("a", 1).arm("b", 1).arm("c", 1).individual("id").seed(3);
/// let ids = Column::from_values("id", ["1", "2", "3", "4", "5", "6"]);
/// let units = Units::from_rows(design.unit()?, &ids, &[])?;
/// let outcomes = Outcomes::new("score", &[1., 2., 4., 5., 7., 8.], units.rows(), units.len())?;
/// let means = Statistic::DifferenceInMeans { studentised: false };
/// let options = RandomisationOptions::default();
/// let test = randomisation_test(&design, &design.assign(&units)?, &outcomes, means, &options, &NoMonitor)?;
/// assert!(test.omnibus.expect("there are three arms").p_value > 0.0);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Omnibus {
    /// The sum of squares between the arms.
    pub statistic: f64,
    /// The probability of one at least as large.
    pub p_value: f64,
}

/// What the test found.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// use crewe::progress::NoMonitor;
/// use crewe::resampling::{Outcomes, RandomisationOptions, Statistic, randomisation_test};
/// let assignment = design.assign(&units)?;
/// let outcomes = Outcomes::new("score", &[1.0, 2.0, 2.0, 5.0, 4.0], units.rows(), units.len())?;
/// let means = Statistic::DifferenceInMeans { studentised: false };
/// let test = randomisation_test(&design, &assignment, &outcomes, means, &RandomisationOptions::default(), &NoMonitor)?;
/// assert!(test.exact && test.assignments == 6);
/// assert_eq!(test.means.len(), 2);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RandomisationTest {
    /// Every arm but the reference, in order.
    pub comparisons: Vec<Comparison>,
    /// All arms together, where there are more than two.
    pub omnibus: Option<Omnibus>,
    /// The mean of every arm, where a difference in means was tested.
    pub means: Vec<f64>,
    /// Whether all assignments were used.
    pub exact: bool,
    /// How many assignments the p-values stand on.
    pub assignments: usize,
    /// How many more have no statistic, as an arm has no outcomes.
    pub undefined: usize,
    /// The probabilities of the assignments (or weights in proportion), where all were used.
    pub weight: Option<Vec<f64>>,
    /// The seed of the draws, where it is a number.
    pub seed: Option<u64>,
    /// Whether units count by inverse probability.
    pub weighted: bool,
    /// What a reader should know.
    pub notes: Vec<String>,
}

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
    let seed = redraw_seed(design, assignment, options.seed.as_ref())?;
    if outcomes.units == assignment.units.len() {
        each_arm_has_units(assignment, outcomes)?;
    }
    let prepared = Prepared::new(design, assignment, outcomes, options, &seed, monitor)?;
    let mut test = prepared.test(statistic, options, monitor)?;
    if !test.exact {
        test.seed = shown(&seed);
        test.notes.extend(new_seed(design, options.seed.as_ref(), &seed));
    }
    Ok(test)
}

/// A trial with its outcomes and the assignments that it is compared with.
pub(super) struct Prepared<'a> {
    assignment: &'a Assignment,
    outcomes: &'a Outcomes,
    replay: Replay,
    /// Units x arms, where units count by inverse probability.
    weight: Option<ndarray::Array2<f64>>,
    treated: Vec<bool>,
    notes: Vec<String>,
}

impl<'a> Prepared<'a> {
    pub fn new(
        design: &Design,
        assignment: &'a Assignment,
        outcomes: &'a Outcomes,
        options: &RandomisationOptions,
        seed: &Seed,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        check_level(options.level)?;
        let units = assignment.units.len();
        if outcomes.units != units || assignment.arm.len() != units {
            return Err(Fault::new("the outcomes belong to another number of units than were randomised")
                .values([units.to_string(), outcomes.units.to_string()])
                .remedy("Match the rows to this assignment")
                .design());
        }
        each_arm_has_outcomes(assignment, outcomes)?;
        let mut notes = Vec::new();
        let weight = chances(assignment, options.weights, &mut notes)?;
        let replay = replay_of(design, assignment, options.draws, seed, monitor)?;
        let treated = assignment.arm.iter().map(|&arm| arm == 1).collect();
        Ok(Self { assignment, outcomes, replay, weight, treated, notes })
    }

    /// Tests one statistic.
    pub fn test(
        &self,
        statistic: Statistic<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        let two_arms = self.assignment.arms.len() == 2;
        let values = self.outcomes.without_effect(0.0, &self.treated);
        match statistic {
            Statistic::DifferenceInMeans { studentised }
            | Statistic::DifferenceInUnitMeans { studentised } => {
                let unit_means = matches!(statistic, Statistic::DifferenceInUnitMeans { .. });
                let means = self.means(&values, unit_means, false);
                let by_arm = means.means(&self.assignment.arm);
                let weighted = self.weight.is_some();
                let mut test = if two_arms && !studentised {
                    self.linear(&Linear::new(&means, self.everybody()), options, monitor)?
                } else {
                    let at = |effect: f64| {
                        let values = self.outcomes.without_effect(effect, &self.treated);
                        Ok(Box::new(ByArm(self.means(&values, unit_means, studentised))) as Box<dyn Evaluate>)
                    };
                    self.general(&at, options, options.interval.unwrap_or(true), false, monitor)?
                };
                for (comparison, mean) in test.comparisons.iter_mut().zip(&by_arm[1..]) {
                    comparison.estimate = mean - by_arm[0];
                }
                (test.means, test.weighted) = (by_arm, weighted);
                Ok(test)
            }
            Statistic::Adjusted(covariates) => {
                self.check_adjusted(two_arms)?;
                self.linear(
                    &Adjusted::new(self.outcomes, &values, covariates, &self.treated)?,
                    options,
                    monitor,
                )
            }
            Statistic::User(function) => {
                let at = |effect: f64| {
                    let values = self.outcomes.without_effect(effect, &self.treated);
                    Ok(Box::new(User { values, function }) as Box<dyn Evaluate + '_>)
                };
                self.general(&at, options, options.interval.unwrap_or(false), true, monitor)
            }
        }
    }

    fn means(&self, values: &[f64], unit_means: bool, studentised: bool) -> Means {
        let arms = self.assignment.arms.len();
        let weight = self.weight.as_ref();
        Means::new(self.outcomes, values, unit_means, weight, &self.treated, arms, studentised)
    }

    /// Whether the procedure gives every unit an arm.
    fn everybody(&self) -> bool {
        self.assignment.probability.rows().into_iter().all(|row| row.sum() > 1.0 - 1e-9)
    }

    fn check_adjusted(&self, two_arms: bool) -> Result<()> {
        if !two_arms {
            return Err(Fault::new("adjustment by covariates takes two arms")
                .values(self.assignment.arms.iter().cloned())
                .remedy("Compare means without covariates, or give a statistic of your own")
                .input());
        }
        if !self.everybody() {
            return Err(Fault::new("adjustment by covariates needs an arm for every unit")
                .remedy("Compare means, since this procedure leaves units out")
                .design());
        }
        Ok(())
    }

    /// The test of a statistic that is linear in the effect: two values an assignment.
    fn linear(
        &self,
        evaluate: &dyn Evaluate,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        let observed = self.observed(evaluate)?[0];
        let values = self.replay.run(evaluate, monitor)?;
        let kept: Vec<bool> = values.chunks_exact(2).map(|pair| !pair[0].is_nan()).collect();
        let pairs = || values.chunks_exact(2).filter(|pair| !pair[0].is_nan());
        let (a, b): (Vec<f64>, Vec<f64>) = pairs().map(|pair| (pair[0], pair[1])).unzip();
        let mut test = self.result(&kept)?;
        let found = tails_of(&a, test.weight.as_deref(), observed);
        let mut interval = None;
        if options.interval.unwrap_or(true) {
            let error = options.alternative.tails(options.level);
            let near = tolerance(observed, found.sd);
            let lines = Lines { a: &a, b: &b, weight: test.weight.as_deref(), observed, tolerance: near };
            interval = Some(lines.interval(error.below, error.above));
            self.interval_notes(interval, &mut test.notes);
        }
        test.comparisons.push(Comparison {
            arm: self.assignment.arms[1].clone(),
            estimate: observed,
            statistic: observed,
            p_value: found.p_value(options.alternative),
            p_lower: found.lower,
            p_upper: found.upper,
            interval,
            null_mean: found.mean,
            null_sd: found.sd,
            distribution: a,
        });
        Ok(test)
    }

    /// The test of any statistic; `at` makes it ready for the outcomes less an effect of the treated.
    fn general<'e>(
        &self,
        at: &dyn Fn(f64) -> Result<Box<dyn Evaluate + 'e>>,
        options: &RandomisationOptions,
        interval: bool,
        must_be_defined: bool,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        let evaluate = at(0.0)?;
        let width = evaluate.width();
        let observed = self.observed(&*evaluate)?;
        let values = self.replay.run(&*evaluate, monitor)?;
        if must_be_defined {
            refuse_undefined(&values)?;
        }
        let kept: Vec<bool> = values.chunks_exact(width).map(|row| !row[0].is_nan()).collect();
        let column = |k: usize| -> Vec<f64> {
            values.chunks_exact(width).filter(|row| !row[0].is_nan()).map(|row| row[k]).collect()
        };
        let mut test = self.result(&kept)?;
        let two_arms = self.assignment.arms.len() == 2;
        for k in 0..if two_arms || width == 1 { 1 } else { width - 1 } {
            let distribution = column(k);
            let found = tails_of(&distribution, test.weight.as_deref(), observed[k]);
            test.comparisons.push(Comparison {
                arm: self.assignment.arms[k + 1].clone(),
                estimate: observed[k],
                statistic: observed[k],
                p_value: found.p_value(options.alternative),
                p_lower: found.lower,
                p_upper: found.upper,
                interval: None,
                null_mean: found.mean,
                null_sd: found.sd,
                distribution,
            });
        }
        if !two_arms {
            if width > 1 {
                let found = tails_of(&column(width - 1), test.weight.as_deref(), observed[width - 1]);
                test.omnibus = Some(Omnibus { statistic: observed[width - 1], p_value: found.upper });
            }
            test.notes.push(
                "every p-value is of the hypothesis that no arm has any effect, on which the statistic of one arm \
                 looks from its side; there are no intervals, since the effect of one arm says nothing of the others'"
                    .into(),
            );
        } else if interval {
            let found = self.bisected(at, options, must_be_defined, monitor)?;
            test.comparisons[0].interval = found;
            if found.is_none() {
                test.notes.push("there is no interval: the test rejects even the observed difference".into());
            }
            self.interval_notes(found, &mut test.notes);
        }
        Ok(test)
    }

    fn bisected<'e>(
        &self,
        at: &dyn Fn(f64) -> Result<Box<dyn Evaluate + 'e>>,
        options: &RandomisationOptions,
        must_be_defined: bool,
        monitor: &dyn Monitor,
    ) -> Result<Option<Interval>> {
        let values = self.outcomes.without_effect(0.0, &self.treated);
        let by_arm = self.means(&values, false, false).means(&self.assignment.arm);
        let start = by_arm[1] - by_arm[0];
        let tail = |effect: f64, upper: bool| -> Result<f64> {
            let evaluate = at(effect)?;
            let observed = self.observed(&*evaluate)?[0];
            let values = self.replay.run(&*evaluate, monitor)?;
            if must_be_defined {
                refuse_undefined(&values)?;
            }
            let kept: Vec<bool> = values.iter().map(|value| !value.is_nan()).collect();
            let weight = self.replay.probability().map(|p| weights(p, &kept));
            let values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
            let found = tails_of(&values, weight.as_deref(), observed);
            Ok(if upper { found.upper } else { found.lower })
        };
        let scale = self.outcomes.spread();
        let error = options.alternative.tails(options.level);
        let low = match error.below {
            Some(alpha) => Search { start, scale, alpha }.limit(-1.0, |effect| tail(effect, true))?,
            None => Some(f64::NEG_INFINITY),
        };
        let high = match error.above {
            Some(alpha) => Search { start, scale, alpha }.limit(1.0, |effect| tail(effect, false))?,
            None => Some(f64::INFINITY),
        };
        Ok(low.zip(high).map(|(low, high)| Interval { low, high }))
    }

    /// The statistic of the trial itself.
    fn observed(&self, evaluate: &dyn Evaluate) -> Result<Vec<f64>> {
        let mut values = vec![0.0; evaluate.width()];
        evaluate.evaluate(&self.assignment.arm, &mut Room::default(), &mut values);
        if values.iter().any(|value| value.is_nan()) {
            return Err(Fault::new("the statistic is not defined on the trial's own assignment")
                .column(&self.outcomes.name)
                .remedy("A studentised difference needs two units with outcomes in each arm")
                .input());
        }
        Ok(values)
    }

    /// The result before its comparisons.
    fn result(&self, kept: &[bool]) -> Result<RandomisationTest> {
        let assignments = kept.iter().filter(|&&kept| kept).count();
        let undefined = kept.len() - assignments;
        let exact = self.replay.probability().is_some();
        let mut notes = self.notes.clone();
        if undefined > 0 {
            notes.push(format!(
                "{undefined} of {} {} leave an arm without the outcomes that the statistic needs; the test \
                 conditions on the others",
                kept.len(),
                if exact { "assignments" } else { "draws" },
            ));
        }
        if assignments == 0 {
            return Err(Fault::new("the statistic is defined on none of the draws")
                .column(&self.outcomes.name)
                .remedy("Check which units have outcomes")
                .input());
        }
        Ok(RandomisationTest {
            comparisons: Vec::new(),
            omnibus: None,
            means: Vec::new(),
            exact,
            assignments,
            undefined,
            weight: self.replay.probability().map(|p| weights(p, kept)),
            seed: None,
            weighted: false,
            notes,
        })
    }

    fn interval_notes(&self, interval: Option<Interval>, notes: &mut Vec<String>) {
        let Some(interval) = interval else { return };
        if self.outcomes.binary() {
            notes.push(
                "the outcome is 0 or 1, so an effect that is the same for everybody is a convention of the interval; \
                 the p-value does not need it"
                    .into(),
            );
        }
        if interval.low == f64::NEG_INFINITY && interval.high == f64::INFINITY {
            notes.push("too few assignments differ for any effect to be rejected at this level".into());
        }
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

/// Refuses a user's statistic that is not a number on every assignment: leaving such out would bias the test.
pub(super) fn refuse_undefined(values: &[f64]) -> Result<()> {
    let wrong: Vec<usize> = values.par_iter().positions(|value| !value.is_finite()).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!(
        "the statistic is not a finite number on {} of {} assignments",
        wrong.len(),
        values.len()
    ))
    .values(wrong.iter().take(3).map(|draw| format!("assignment {draw}: {}", values[*draw])))
    .remedy("Give it a value wherever the procedure may lead, for instance where an arm has no events")
    .input())
}

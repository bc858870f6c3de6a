//! A trial made ready for the test: its outcomes, the assignments that it is compared with, and the two ways in which a
//! statistic is compared over them.

use std::ops::Range;

use rayon::prelude::*;

use super::chances::chances;
use super::inversion::{FAR, Lines, Search};
use super::means::Means;
use super::null::{check_draws, tails_of, tolerance, weights};
use super::outcomes::{Outcomes, each_arm_has_outcomes};
use super::redrawn::{part_of, redraw_seed, replay_of};
use super::replay::{Evaluate, Replay, Room};
use super::result::{Comparison, Omnibus, RandomisationOptions, RandomisationTest};
use crate::design::{Assignment, Design};
use crate::nonparametric::{Alternative, Interval, check_level};
use crate::progress::Monitor;
use crate::rng::Seed;
use crate::{Fault, Result};

/// A trial with its outcomes and the assignments that it is compared with.
pub(super) struct Prepared<'a> {
    pub assignment: &'a Assignment,
    pub outcomes: &'a Outcomes,
    replay: Replay,
    /// Units x arms, where units count by inverse probability.
    pub weight: Option<ndarray::Array2<f64>>,
    /// Whether each unit was in the second arm.
    pub treated: Vec<bool>,
    /// What a reader should know of how the units count, where they count by their chances.
    pub chances: Vec<String>,
    /// Who else computes the statistic of the draws, and their seed.
    elsewhere: Option<(&'a Elsewhere<'a>, Seed)>,
}

/// Gives the values of a statistic that others compute, draws x values, for the outcomes less an effect of the treated; it is
/// told that effect, the seed of the draws and how many there are.
///
/// ```
/// use crewe::rng::Seed;
/// use crewe::resampling::Elsewhere;
/// let nowhere: &Elsewhere<'_> = &|_effect, _seed, draws| Ok(vec![0.0; draws as usize]);
/// assert_eq!(nowhere(0.0, &Seed::Integer(1), 2)?, [0.0, 0.0]);
/// # Ok::<(), crewe::Error>(())
/// ```
pub type Elsewhere<'a> = dyn Fn(f64, &Seed, u64) -> Result<Vec<f64>> + 'a;

/// What is wrong where a trial has no statistic.
pub(super) const UNDEFINED: &str = "the statistic is not defined on the trial's own assignment";

/// Where the limits of an interval are looked for.
#[derive(Clone, Copy)]
pub(super) struct Bracket {
    /// An effect that the test should not reject.
    pub start: f64,
    /// The first step from it.
    pub scale: f64,
    /// How many steps count as infinitely many.
    pub far: f64,
}

/// A statistic that a trial can be tested by.
pub(super) trait Compare {
    /// Makes it ready for the outcomes less an effect of the treated, as the test looks at them.
    fn at<'e>(&'e self, trial: &'e Prepared<'_>, effect: f64) -> Result<Box<dyn Evaluate + 'e>>;

    /// Tests it, by [`Prepared::linear`] where it is linear in the effect and else by [`Prepared::general`].
    fn test(
        &self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest>;
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
        check_units(assignment, outcomes)?;
        each_arm_has_outcomes(assignment, outcomes)?;
        let replay = replay_of(design, assignment, options.draws, seed, monitor)?;
        if replay.probability().is_none() {
            check_draws(replay.len(), options.level)?;
        }
        Self::over(assignment, outcomes, options, replay)
    }

    /// Only these draws of it, for whoever was asked for their values by one who has checked the trial.
    pub fn part(
        design: &Design,
        assignment: &'a Assignment,
        outcomes: &'a Outcomes,
        options: &RandomisationOptions,
        draws: &Range<u64>,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        check_units(assignment, outcomes)?;
        each_arm_has_outcomes(assignment, outcomes)?;
        let seed = redraw_seed(design, assignment, options.seed.as_ref())?;
        Self::over(assignment, outcomes, options, part_of(design, assignment, &seed, draws, monitor)?)
    }

    fn over(
        assignment: &'a Assignment,
        outcomes: &'a Outcomes,
        options: &RandomisationOptions,
        replay: Replay,
    ) -> Result<Self> {
        let mut said = Vec::new();
        let weight = chances(assignment, options.weights, &mut said)?;
        let treated = assignment.arm.iter().map(|&arm| arm == 1).collect();
        Ok(Self { assignment, outcomes, replay, weight, treated, chances: said, elsewhere: None })
    }

    /// The same, with draws whose values others compute.
    pub fn asking(self, elsewhere: &'a Elsewhere<'a>, seed: Seed) -> Self {
        Self { elsewhere: Some((elsewhere, seed)), ..self }
    }

    /// The values of every assignment for the outcomes less an effect of the treated.
    pub fn values(&self, evaluate: &dyn Evaluate, effect: f64, monitor: &dyn Monitor) -> Result<Vec<f64>> {
        let Some((elsewhere, seed)) = self.elsewhere.as_ref().filter(|_| self.replay.probability().is_none())
        else {
            return self.replay.run(evaluate, monitor);
        };
        let n = self.replay.len();
        let values = elsewhere(effect, seed, n as u64)?;
        if values.len() == n * evaluate.width() {
            return Ok(values);
        }
        Err(Fault::new("whoever was asked for the statistic of the draws gave another number of values")
            .values([values.len().to_string(), (n * evaluate.width()).to_string()])
            .remedy("Give them all, in their order")
            .input())
    }

    /// Means by arm of outcomes by row.
    pub fn means(&self, values: &[f64], unit_means: bool, studentised: bool) -> Means {
        let arms = self.assignment.arms.len();
        let weight = self.weight.as_ref();
        Means::new(self.outcomes, values, unit_means, weight, &self.treated, arms, studentised)
    }

    /// Whether the procedure gives every unit an arm.
    pub fn everybody(&self) -> bool {
        self.assignment.probability.rows().into_iter().all(|row| row.sum() > 1.0 - 1e-9)
    }

    /// The values of every assignment, as part of another's test.
    pub fn of(&self, compared: &dyn Compare, effect: f64, monitor: &dyn Monitor) -> Result<Vec<f64>> {
        self.values(&*compared.at(self, effect)?, effect, monitor)
    }

    /// The test of a statistic that is linear in the effect: two values an assignment.
    pub fn linear(
        &self,
        evaluate: &dyn Evaluate,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        let observed = self.observed(evaluate)?[0];
        let values = self.values(evaluate, 0.0, monitor)?;
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
            p_adjusted: None,
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
    pub fn general<'e>(
        &self,
        at: &dyn Fn(f64) -> Result<Box<dyn Evaluate + 'e>>,
        options: &RandomisationOptions,
        interval: Option<Bracket>,
        must_be_defined: bool,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        let evaluate = at(0.0)?;
        let width = evaluate.width();
        let observed = self.observed(&*evaluate)?;
        let values = self.values(&*evaluate, 0.0, monitor)?;
        if must_be_defined {
            refuse_undefined(&values)?;
        }
        let kept: Vec<bool> = values.chunks_exact(width).map(|row| !row[0].is_nan()).collect();
        let column = |k: usize| -> Vec<f64> {
            values.chunks_exact(width).filter(|row| !row[0].is_nan()).map(|row| row[k]).collect()
        };
        let mut test = self.result(&kept)?;
        let comparisons = width - usize::from(evaluate.omnibus());
        let alone = self.assignment.arms.len() == 2 && comparisons == 1;
        for k in 0..comparisons {
            let distribution = column(k);
            let found = tails_of(&distribution, test.weight.as_deref(), observed[k]);
            test.comparisons.push(Comparison {
                arm: self.assignment.arms.get(k + 1).cloned().unwrap_or_default(),
                estimate: observed[k],
                statistic: observed[k],
                p_value: found.p_value(options.alternative),
                p_adjusted: None,
                p_lower: found.lower,
                p_upper: found.upper,
                interval: None,
                null_mean: found.mean,
                null_sd: found.sd,
                distribution,
            });
        }
        if !alone {
            adjust(&mut test, options.alternative);
            if evaluate.omnibus() {
                let found = tails_of(&column(width - 1), test.weight.as_deref(), observed[width - 1]);
                test.omnibus = Some(Omnibus { statistic: observed[width - 1], p_value: found.upper });
            }
            test.notes.push(
                "every p-value is of the hypothesis that no arm has any effect, on which the statistic of one arm \
                 looks from its side; there are no intervals, since the effect of one arm says nothing of the others'"
                    .into(),
            );
        } else if let Some(bracket) = interval {
            let found = self.bisected(at, bracket, options, must_be_defined, monitor)?;
            test.comparisons[0].interval = found;
            if found.is_none() {
                test.notes.push("there is no interval: the test rejects even the observed difference".into());
            }
            self.interval_notes(found, &mut test.notes);
        }
        Ok(test)
    }

    /// About the difference in means, if an interval is asked for.
    pub fn about_means(&self, interval: bool) -> Option<Bracket> {
        if !interval {
            return None;
        }
        let values = self.outcomes.without_effect(0.0, &self.treated);
        let by_arm = self.means(&values, false, false).means(&self.assignment.arm);
        Some(Bracket { start: by_arm[1] - by_arm[0], scale: self.outcomes.spread(), far: FAR })
    }

    fn bisected<'e>(
        &self,
        at: &dyn Fn(f64) -> Result<Box<dyn Evaluate + 'e>>,
        Bracket { start, scale, far }: Bracket,
        options: &RandomisationOptions,
        must_be_defined: bool,
        monitor: &dyn Monitor,
    ) -> Result<Option<Interval>> {
        let held = if self.elsewhere.is_some() { None } else { self.replay.held(monitor)? };
        let tail = |effect: f64, upper: bool| -> Result<f64> {
            let evaluate = at(effect)?;
            let observed = self.observed(&*evaluate)?[0];
            let values = match &held {
                Some(held) => held.run(&*evaluate, monitor)?,
                None => self.values(&*evaluate, effect, monitor)?,
            };
            if must_be_defined {
                refuse_undefined(&values)?;
            }
            let kept: Vec<bool> = values.iter().map(|value| !value.is_nan()).collect();
            let weight = self.replay.probability().map(|p| weights(p, &kept));
            let values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
            let found = tails_of(&values, weight.as_deref(), observed);
            Ok(if upper { found.upper } else { found.lower })
        };
        let error = options.alternative.tails(options.level);
        let low = match error.below {
            Some(alpha) => Search { start, scale, alpha, far }.limit(-1.0, |effect| tail(effect, true))?,
            None => Some(f64::NEG_INFINITY),
        };
        let high = match error.above {
            Some(alpha) => Search { start, scale, alpha, far }.limit(1.0, |effect| tail(effect, false))?,
            None => Some(f64::INFINITY),
        };
        Ok(low.zip(high).map(|(low, high)| Interval { low, high }))
    }

    /// The statistic of the trial itself.
    pub fn observed(&self, evaluate: &dyn Evaluate) -> Result<Vec<f64>> {
        let mut values = vec![0.0; evaluate.width()];
        evaluate.evaluate(&self.assignment.arm, &mut Room::default(), &mut values);
        if values.iter().any(|value| value.is_nan()) {
            return Err(Fault::new(UNDEFINED)
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
        let mut notes = Vec::new();
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

/// Refuses outcomes of another trial.
fn check_units(assignment: &Assignment, outcomes: &Outcomes) -> Result<()> {
    let units = assignment.units.len();
    if outcomes.units == units && assignment.arm.len() == units {
        return Ok(());
    }
    Err(Fault::new("the outcomes belong to another number of units than were randomised")
        .values([units.to_string(), outcomes.units.to_string()])
        .remedy("Match the rows to this assignment")
        .design())
}

/// Gives every comparison its p-value among the largest of all.
fn adjust(test: &mut RandomisationTest, alternative: Alternative) {
    if test.comparisons.len() < 2 {
        return;
    }
    let towards = |value: f64, sd: f64| {
        let standardised = value / sd;
        match alternative {
            Alternative::TwoSided => standardised.abs(),
            Alternative::Less => -standardised,
            Alternative::Greater => standardised,
        }
    };
    let largest: Vec<f64> = (0..test.assignments)
        .map(|draw| {
            let of = |c: &Comparison| towards(c.distribution[draw], c.null_sd);
            test.comparisons.iter().map(of).fold(f64::NEG_INFINITY, f64::max)
        })
        .collect();
    for at in 0..test.comparisons.len() {
        let observed = towards(test.comparisons[at].statistic, test.comparisons[at].null_sd);
        let found = (!observed.is_nan()).then(|| tails_of(&largest, test.weight.as_deref(), observed).upper);
        test.comparisons[at].p_adjusted = found;
    }
}

/// Refuses a user's statistic that is not a number on every assignment: leaving such out would bias the test.
fn refuse_undefined(values: &[f64]) -> Result<()> {
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

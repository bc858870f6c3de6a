//! Restricted mean times without the event: the areas under the arms' Kaplan-Meier curves up to a horizon.
//!
//! The difference of an arm's area from that of the reference, by default over its standard error: the root of
//! `G/(G - 1)` times the sum over units of their squared influences, as [`crate::survival::rmst`] has it with units as
//! clusters. In a redrawn arm whose last time is censored before the horizon the curve stays where it is.
//!
//! There is no interval of the difference: adding the same time to everybody says nothing of times that were censored.

use super::model::refuse_left_out;
use crate::progress::Monitor;
use crate::resampling::outcomes::Outcomes;
use crate::resampling::prepared::{Compare, Prepared};
use crate::resampling::replay::{Evaluate, Room};
use crate::resampling::result::{RandomisationOptions, RandomisationTest};
use crate::survival::Tolerance;
use crate::{Fault, Result};

/// Restricted means of times (the outcomes), with their events by row.
pub(super) struct Restricted<'a> {
    pub event: &'a [f64],
    pub horizon: f64,
    pub studentised: bool,
}

impl Compare for Restricted<'_> {
    fn at<'e>(&'e self, trial: &'e Prepared<'_>, _effect: f64) -> Result<Box<dyn Evaluate + 'e>> {
        Ok(Box::new(Areas::new(trial, self.event, self.horizon, self.studentised)))
    }

    fn test(
        &self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        check_times(trial.outcomes, self.event)?;
        refuse_left_out(trial)?;
        if !(self.horizon.is_finite() && self.horizon > 0.0) {
            return Err(Fault::new("the horizon is not a time after 0")
                .values([self.horizon.to_string()])
                .remedy("Give a positive, finite number in the unit of the times")
                .input());
        }
        let plain = Areas::new(trial, self.event, self.horizon, false);
        plain.refuse_beyond(trial)?;
        let estimates = trial.observed(&plain)?;
        let at = |effect: f64| self.at(trial, effect);
        let mut test = trial.general(&at, options, None, false, monitor)?;
        for (comparison, estimate) in test.comparisons.iter_mut().zip(estimates) {
            comparison.estimate = estimate;
        }
        let mut areas = Vec::new();
        plain.walk(&trial.assignment.arm, &mut areas);
        test.means = areas.iter().map(|curve| curve.area).collect();
        if options.interval.unwrap_or(true) && trial.assignment.arms.len() == 2 {
            test.notes.push(
                "there is no interval: an effect that adds the same time to everybody says nothing of times that were \
                 censored; the ratio of times has one"
                    .into(),
            );
        }
        Ok(test)
    }
}

/// Refuses times and events that cannot be.
pub(super) fn check_times(outcomes: &Outcomes, event: &[f64]) -> Result<()> {
    if event.len() != outcomes.values.len() {
        return Err(Fault::new("times and events have different numbers of rows")
            .values([outcomes.values.len().to_string(), event.len().to_string()])
            .remedy("Pass columns of one data frame")
            .input());
    }
    let wrong: Vec<usize> = outcomes
        .rows()
        .filter(|&row| outcomes.values[row] < 0.0 || (event[row] != 0.0 && event[row] != 1.0))
        .collect();
    if !wrong.is_empty() {
        return Err(Fault::new("times are negative, or events neither 0 nor 1")
            .column(outcomes.name())
            .rows(wrong)
            .remedy("Correct them")
            .input());
    }
    if outcomes.rows().all(|row| event[row] == 0.0) {
        return Err(Fault::new("no row has the event, so there is nothing to compare")
            .column(outcomes.name())
            .remedy("Check the column of events")
            .input());
    }
    Ok(())
}

/// A row, in the order of times.
struct Row {
    unit: u32,
    /// Its place among the distinct times up to the horizon; none for a time beyond.
    time: Option<u32>,
    event: bool,
}

/// Areas under the curves, made ready for assignments.
struct Areas {
    arms: usize,
    rows: Vec<Row>,
    /// Distinct times up to the horizon.
    times: Vec<f64>,
    horizon: f64,
    /// The place of each unit among those with rows, and how many there are.
    place: Vec<u32>,
    units: usize,
    studentised: bool,
}

/// One arm's curve.
#[derive(Default, Clone)]
struct Curve {
    rows: f64,
    area: f64,
    survival: f64,
    /// By time: deaths and rows at risk, and the area up to it.
    steps: Vec<(f64, f64, f64)>,
}

impl Areas {
    fn new(trial: &Prepared<'_>, event: &[f64], horizon: f64, studentised: bool) -> Self {
        let outcomes = trial.outcomes;
        let mut order: Vec<usize> = outcomes.rows().collect();
        order.sort_by(|&a, &b| outcomes.values[a].total_cmp(&outcomes.values[b]));
        let known: Vec<f64> = order.iter().map(|&row| outcomes.values[row]).collect();
        let rule = Tolerance::of(&known);
        let (mut times, mut rows): (Vec<f64>, Vec<Row>) = (Vec::new(), Vec::with_capacity(order.len()));
        for (&row, &time) in order.iter().zip(&known) {
            if times.last().is_none_or(|&last| !rule.same(last, time))
                && (time <= horizon || rule.same(time, horizon))
            {
                times.push(time);
            }
            let last = times.last().filter(|&&last| rule.same(last, time)).map(|_| times.len() as u32 - 1);
            rows.push(Row { unit: outcomes.unit[row], time: last, event: event[row] == 1.0 });
        }
        let mut place = vec![u32::MAX; outcomes.units];
        let mut units = 0;
        for row in &rows {
            let place = &mut place[row.unit as usize];
            if *place == u32::MAX {
                *place = units;
                units += 1;
            }
        }
        let arms = trial.assignment.arms.len();
        Self { arms, rows, times, horizon, place, units: units as usize, studentised }
    }

    /// The curves of the arms.
    fn walk(&self, arm: &[u8], curves: &mut Vec<Curve>) {
        curves.clear();
        let none = (0.0, 0.0, 0.0);
        curves.resize(
            self.arms,
            Curve { survival: 1.0, steps: vec![none; self.times.len()], ..Curve::default() },
        );
        // Deaths, and in the place of those at risk first what leaves at each time.
        for row in &self.rows {
            let curve = &mut curves[usize::from(arm[row.unit as usize])];
            curve.rows += 1.0;
            if let Some(time) = row.time {
                let step = &mut curve.steps[time as usize];
                step.0 += f64::from(u8::from(row.event));
                step.1 += 1.0;
            }
        }
        for curve in curves {
            let (mut risk, mut before) = (curve.rows, 0.0);
            for (step, &time) in curve.steps.iter_mut().zip(&self.times) {
                let time = time.min(self.horizon);
                curve.area += curve.survival * (time - before);
                before = time;
                let leaving = step.1;
                (step.1, step.2) = (risk, curve.area);
                if step.0 > 0.0 {
                    curve.survival *= 1.0 - step.0 / risk;
                }
                risk -= leaving;
            }
            curve.area += curve.survival * (self.horizon - before);
        }
    }

    /// Refuses a horizon beyond what is known of an arm of the trial itself.
    fn refuse_beyond(&self, trial: &Prepared<'_>) -> Result<()> {
        let mut curves = Vec::new();
        self.walk(&trial.assignment.arm, &mut curves);
        let values = &trial.outcomes.values;
        for (code, curve) in curves.iter().enumerate() {
            let of_arm = trial
                .outcomes
                .rows()
                .filter(|&row| usize::from(trial.assignment.arm[trial.outcomes.unit[row] as usize]) == code);
            let last = of_arm.map(|row| values[row]).fold(0.0_f64, f64::max);
            if last < self.horizon * (1.0 - 1e-9) && curve.survival > 0.0 {
                let arm = &trial.assignment.arms[code];
                return Err(Fault::new(format!(
                    "the horizon lies beyond the last time of '{arm}', after which nothing is known"
                ))
                .values([format!("horizon {}", self.horizon), format!("last time {last}")])
                .remedy(format!("Give a horizon of at most {last}"))
                .input());
            }
        }
        Ok(())
    }

    /// The variances of the areas, by arm: sums over units of squared influences.
    fn variances(&self, arm: &[u8], curves: &[Curve], by_unit: &mut Vec<f64>) -> Vec<f64> {
        by_unit.clear();
        by_unit.resize(self.units, 0.0);
        // What a row that fails at a time takes, and what one that was at risk at all times up to it has been given.
        let shares: Vec<Vec<(f64, f64)>> = curves.iter().map(Curve::shares).collect();
        for row in &self.rows {
            let shares = &shares[usize::from(arm[row.unit as usize])];
            let own = match row.time {
                Some(time) => {
                    let (fails, given) = shares[time as usize];
                    if row.event { given - fails } else { given }
                }
                None => shares.last().map_or(0.0, |last| last.1),
            };
            by_unit[self.place[row.unit as usize] as usize] += own;
        }
        let units = self.units as f64;
        let mut squares = vec![0.0; self.arms];
        for (unit, &arm) in arm.iter().enumerate() {
            if let Some(own) = by_unit.get(self.place[unit] as usize) {
                squares[usize::from(arm)] += own * own;
            }
        }
        squares.iter().map(|square| units / (units - 1.0) * square).collect()
    }
}

impl Curve {
    fn shares(&self) -> Vec<(f64, f64)> {
        let mut given = 0.0;
        let share = |&(deaths, risk, area): &(f64, f64, f64)| {
            let (after, left) = (self.area - area, risk - deaths);
            // Where everybody at risk fails the curve is at 0, and no area is left.
            let fails = if deaths > 0.0 && left > 0.0 { after / left } else { 0.0 };
            if deaths > 0.0 {
                given += fails * deaths / risk;
            }
            (fails, given)
        };
        self.steps.iter().map(share).collect()
    }
}

impl Evaluate for Areas {
    fn width(&self) -> usize {
        if self.arms == 2 { 1 } else { self.arms }
    }

    fn omnibus(&self) -> bool {
        self.arms > 2
    }

    fn evaluate(&self, arm: &[u8], room: &mut Room, values: &mut [f64]) {
        let mut curves = Vec::new();
        self.walk(arm, &mut curves);
        let mut units = vec![0_u32; self.arms];
        for (unit, &arm) in arm.iter().enumerate() {
            units[usize::from(arm)] += u32::from(self.place[unit] != u32::MAX);
        }
        let least = if self.studentised { 2 } else { 1 };
        if units.iter().any(|&units| units < least) {
            values.fill(f64::NAN);
            return;
        }
        let variances = if self.studentised {
            self.variances(arm, &curves, &mut room.numbers)
        } else {
            vec![0.0; self.arms]
        };
        for j in 1..self.arms {
            let apart = curves[j].area - curves[0].area;
            let variance = variances[j] + variances[0];
            // Arms without any variance are infinitely far apart, unless they are equal.
            let studentised = if variance > 0.0 || apart != 0.0 { apart / variance.sqrt() } else { 0.0 };
            values[j - 1] = if self.studentised { studentised } else { apart };
        }
        if self.arms > 2 {
            let rows: f64 = curves.iter().map(|curve| curve.rows).sum();
            let mean = curves.iter().map(|curve| curve.rows * curve.area).sum::<f64>() / rows;
            values[self.arms - 1] = curves.iter().map(|curve| curve.rows * (curve.area - mean).powi(2)).sum();
        }
    }
}

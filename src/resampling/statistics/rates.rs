//! Rates of an event by arm: their difference and the logarithm of their ratio.
//!
//! With y the events of a row and t = 1 its share of the denominator, the rate of arm j is `r_j = sum w y / sum w t` over
//! its units (w = 1, or the inverse of the unit's probability of the arm), and the variance of a rate is that of a mean
//! over units ([`super::super::means`]). The ratio is compared as `log r_j - log r_0`, over the root of
//! `V_j / r_j^2 + V_0 / r_0^2` (delta method). An arm without events has the logarithm minus infinity, so an assignment that
//! leaves it without any is as extreme as can be.
//!
//! A ratio other than 1 is tested by giving its logarithm to the treated units as an offset: their denominators are
//! multiplied by the ratio, under which the rates of a model without an effect are equal.

use super::differences::Differences;
use crate::progress::Monitor;
use crate::resampling::outcomes::Outcomes;
use crate::resampling::prepared::{Bracket, Compare, Prepared};
use crate::resampling::replay::{Evaluate, Room};
use crate::resampling::result::{RandomisationOptions, RandomisationTest};
use crate::resampling::sums::ArmSums;
use crate::{Fault, Result};

/// Log ratios beyond this count as infinite.
const FAR_RATIO: f64 = 16.0;

/// Rates.
pub(super) struct Rates {
    /// Compared by the logarithm of their ratio, and not by their difference.
    pub ratio: bool,
    /// Divided by their standard errors.
    pub studentised: bool,
}

impl Rates {
    fn as_means(&self) -> Differences {
        Differences { unit_means: false, studentised: self.studentised }
    }
}

impl Compare for Rates {
    fn at<'e>(&'e self, trial: &'e Prepared<'_>, effect: f64) -> Result<Box<dyn Evaluate + 'e>> {
        if self.ratio {
            return Ok(Box::new(Ratios::new(trial, effect, self.studentised)));
        }
        Ok(self.as_means().made(trial, effect))
    }

    fn test(
        &self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        refuse_what_is_no_rate(trial.outcomes)?;
        if !self.ratio {
            return self.as_means().test(trial, options, monitor);
        }
        let at = |effect: f64| self.at(trial, effect);
        let plain = Ratios::new(trial, 0.0, false);
        let estimates = trial.observed(&plain)?;
        let wanted = options.interval.unwrap_or(true) && trial.assignment.arms.len() == 2;
        let bracket = Bracket { start: estimates[0], scale: 1.0, far: FAR_RATIO };
        let bracket = (wanted && bracket.start.is_finite()).then_some(bracket);
        let mut test = trial.general(&at, options, bracket, false, monitor)?;
        for (comparison, estimate) in test.comparisons.iter_mut().zip(estimates) {
            comparison.estimate = estimate;
        }
        test.notes.splice(0..0, trial.chances.iter().cloned());
        if wanted && bracket.is_none() {
            test.notes
                .push("an arm has no events, so the ratio has no interval: compare the difference".into());
        }
        test.weighted = trial.weight.is_some();
        test.means = plain.rates(&trial.assignment.arm);
        Ok(test)
    }
}

fn refuse_what_is_no_rate(outcomes: &Outcomes) -> Result<()> {
    let negative: Vec<usize> = outcomes.rows().filter(|&row| outcomes.values[row] < 0.0).collect();
    if !negative.is_empty() {
        return Err(Fault::new("a rate counts events, and some rows have fewer than none")
            .column(outcomes.name())
            .rows(negative)
            .remedy("Code the event as 0 and 1, or compare means")
            .input());
    }
    if outcomes.rows().all(|row| outcomes.values[row] == 0.0) {
        return Err(Fault::new("no row has the event, so there are no rates to compare")
            .column(outcomes.name())
            .remedy("Check the column")
            .input());
    }
    Ok(())
}

/// Log ratios of rates, made ready for an offset of the treated units.
struct Ratios {
    arms: usize,
    units: usize,
    /// Arms x units: events and denominators, weighted; nothing for units without rows.
    cells: Vec<Option<(f64, f64)>>,
    studentised: bool,
}

impl Ratios {
    fn new(trial: &Prepared<'_>, effect: f64, studentised: bool) -> Self {
        let outcomes = trial.outcomes;
        let (arms, units) = (trial.assignment.arms.len(), outcomes.units);
        let mut by_unit = vec![(0.0, 0.0); units];
        for row in outcomes.rows() {
            let unit = outcomes.unit[row] as usize;
            by_unit[unit].0 += outcomes.values[row];
            by_unit[unit].1 += if trial.treated[unit] { effect.exp() } else { 1.0 };
        }
        let cell = |index: usize| {
            let (arm, unit) = (index / units, index % units);
            let w = trial.weight.as_ref().map_or(1.0, |weight| weight[[unit, arm]]);
            let (events, rows) = by_unit[unit];
            (rows > 0.0).then_some((w * events, w * rows))
        };
        Self { arms, units, cells: (0..arms * units).map(cell).collect(), studentised }
    }

    fn sums<'a>(&self, arm: &[u8], room: &'a mut Vec<ArmSums>) -> &'a [ArmSums] {
        room.clear();
        room.resize(self.arms, ArmSums::default());
        for (unit, &arm) in arm.iter().enumerate() {
            let arm = usize::from(arm);
            if arm >= self.arms {
                continue;
            }
            if let Some((events, rows)) = self.cells[arm * self.units + unit] {
                let into = &mut room[arm];
                into.sum += events;
                into.rows += rows;
                into.units += 1.0;
                into.square += events * events;
                into.cross += events * rows;
                into.size += rows * rows;
            }
        }
        room
    }

    fn rates(&self, arm: &[u8]) -> Vec<f64> {
        self.sums(arm, &mut Vec::new()).iter().map(ArmSums::mean).collect()
    }

    fn ratio(&self, arm: &ArmSums, reference: &ArmSums) -> f64 {
        let apart = arm.mean().ln() - reference.mean().ln();
        if !self.studentised || apart.is_infinite() {
            return apart;
        }
        let of = |sums: &ArmSums| sums.variance() / sums.mean().powi(2);
        let variance = of(arm) + of(reference);
        // Arms without any variance are infinitely far apart, unless they are equal.
        if variance > 0.0 || apart != 0.0 { apart / variance.sqrt() } else { 0.0 }
    }
}

impl Evaluate for Ratios {
    fn width(&self) -> usize {
        if self.arms == 2 { 1 } else { self.arms }
    }

    fn omnibus(&self) -> bool {
        self.arms > 2
    }

    fn evaluate(&self, arm: &[u8], room: &mut Room, values: &mut [f64]) {
        let sums = self.sums(arm, &mut room.sums);
        let least = if self.studentised { 2.0 } else { 1.0 };
        if sums.iter().any(|sums| sums.units < least) {
            values.fill(f64::NAN);
            return;
        }
        for (value, arm) in values.iter_mut().zip(&sums[1..]) {
            // Two arms without any event are alike.
            *value = if arm.sum == 0.0 && sums[0].sum == 0.0 { 0.0 } else { self.ratio(arm, &sums[0]) };
        }
        if self.arms > 2 {
            let rows: f64 = sums.iter().map(|sums| sums.rows).sum();
            let rate = sums.iter().map(|sums| sums.sum).sum::<f64>() / rows;
            values[self.arms - 1] = sums.iter().map(|sums| sums.rows * (sums.mean() - rate).powi(2)).sum();
        }
    }
}

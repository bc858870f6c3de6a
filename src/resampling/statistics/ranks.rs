//! Sums of ranks: over all rows (F. Wilcoxon 1945, doi:10.2307/3001968), or within the strata of the trial, each rank over
//! the stratum's rows and one more (P. van Elteren 1960). Ties have mid-ranks.
//!
//! They are tested as the coefficient of the arm in a linear model of the ranks, with a constant for every stratum. The
//! estimate is the shift at which that coefficient is 0 (Hodges and Lehmann).

use ndarray::Array2;

use super::model::{estimates, refuse_left_out};
use crate::Result;
use crate::progress::Monitor;
use crate::resampling::inversion::{FAR, root};
use crate::resampling::outcomes::Outcomes;
use crate::resampling::prepared::{Bracket, Compare, Prepared};
use crate::resampling::replay::Evaluate;
use crate::resampling::result::{RandomisationOptions, RandomisationTest};
use crate::resampling::score::{ArmModel, Score};
use crate::ties::Distinct;

/// Ranks of the outcomes.
pub(super) struct Ranks {
    /// Within the strata of the trial.
    pub stratified: bool,
    /// Divided by their standard error.
    pub studentised: bool,
}

impl Compare for Ranks {
    fn at<'e>(&'e self, trial: &'e Prepared<'_>, effect: f64) -> Result<Box<dyn Evaluate + 'e>> {
        Ok(Box::new(self.score(trial, &self.strata(trial), effect)?))
    }

    fn test(
        &self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        refuse_left_out(trial)?;
        let arms = trial.assignment.arms.len();
        let strata = self.strata(trial);
        let score = |effect: f64| self.score(trial, &strata, effect);
        let at = |effect: f64| Ok(Box::new(score(effect)?) as Box<dyn Evaluate>);
        // Of several arms the estimates are differences in mean ranks.
        let estimates = if arms == 2 { vec![shift(trial, &score)?] } else { estimates(trial, &score, true)? };
        let bracket = Bracket { start: estimates[0], scale: trial.outcomes.spread(), far: FAR };
        let wanted = options.interval.unwrap_or(true) && arms == 2 && bracket.start.is_finite();
        let mut test = trial.general(&at, options, wanted.then_some(bracket), false, monitor)?;
        for (comparison, estimate) in test.comparisons.iter_mut().zip(estimates) {
            comparison.estimate = estimate;
        }
        Ok(test)
    }
}

impl Ranks {
    fn strata(&self, trial: &Prepared<'_>) -> Strata {
        let units = &trial.assignment.units;
        let of = |&unit: &u32| if self.stratified { units.stratum()[unit as usize] as usize } else { 0 };
        let strata = if self.stratified { units.strata().len() } else { 1 };
        let stratum: Vec<usize> = trial.outcomes.unit.iter().map(of).collect();
        let constants =
            Array2::from_shape_fn((stratum.len(), strata), |(row, s)| f64::from(u8::from(stratum[row] == s)));
        Strata { stratum, strata, constants }
    }

    /// The arm in a linear model of the ranks.
    fn score(&self, trial: &Prepared<'_>, within: &Strata, effect: f64) -> Result<Score> {
        let values = trial.outcomes.without_effect(effect, &trial.treated);
        let values = ranked(&values, &within.stratum, within.strata, self.stratified);
        let ranks = Outcomes { values, ..trial.outcomes.clone() };
        let model = ArmModel::linear(within.constants.view()).studentised(self.studentised);
        let mut score = model.at(&ranks, 0.0, &trial.treated, trial.assignment.arms.len())?;
        score.scale = trial.outcomes.spread();
        Ok(score)
    }
}

/// The strata that ranks are taken in.
struct Strata {
    /// Of every row.
    stratum: Vec<usize>,
    /// How many there are.
    strata: usize,
    /// Rows x strata: a constant for each.
    constants: Array2<f64>,
}

/// What rounding leaves of a statistic of ranks that is 0, a row.
const ROUNDING: f64 = 1e-12;

/// The shift at which the score is 0.
fn shift(trial: &Prepared<'_>, score: &dyn Fn(f64) -> Result<Score>) -> Result<f64> {
    let nothing = ROUNDING * trial.outcomes.rows().count() as f64;
    root(trial.outcomes.spread(), FAR, |effect| {
        let found = trial.observed(&score(effect)?)?[0];
        // Ranks are halves, so their sum is 0 over whole stretches, but for rounding.
        Ok(if found.abs() <= nothing { 0.0 } else { found })
    })
}

/// Mid-ranks within strata, NaN where there is no value.
fn ranked(values: &[f64], stratum: &[usize], strata: usize, scaled: bool) -> Vec<f64> {
    let mut ranks = vec![f64::NAN; values.len()];
    let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let distinct = Distinct::of(&known);
    for s in 0..strata {
        let rows: Vec<usize> =
            (0..values.len()).filter(|&row| stratum[row] == s && !values[row].is_nan()).collect();
        let mut order: Vec<(usize, usize)> =
            rows.iter().map(|&row| (distinct.class(values[row]), row)).collect();
        order.sort_unstable();
        let over = if scaled { rows.len() as f64 + 1.0 } else { 1.0 };
        let mut from = 0;
        while from < order.len() {
            let tied = order[from..].iter().take_while(|(class, _)| *class == order[from].0).count();
            let rank = from as f64 + 0.5 * (tied as f64 + 1.0);
            for (_, row) in &order[from..from + tied] {
                ranks[*row] = rank / over;
            }
            from += tied;
        }
    }
    ranks
}

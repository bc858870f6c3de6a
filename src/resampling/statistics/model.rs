//! The score of the arm in a model that was fitted without it ([`super::super::score`] has the formulas).

use crate::nonparametric::Interval;
use crate::progress::Monitor;
use crate::resampling::inversion::{FAR, root};
use crate::resampling::prepared::{Bracket, Compare, Prepared};
use crate::resampling::replay::Evaluate;
use crate::resampling::result::{RandomisationOptions, RandomisationTest};
use crate::resampling::score::{ArmModel, Score};
use crate::{Fault, Result};

/// Log odds ratios and log hazard ratios beyond this count as infinite.
const FAR_RATIO: f64 = 16.0;

/// The arm in a model.
pub(super) struct Model<'a>(pub ArmModel<'a>);

impl Compare for Model<'_> {
    fn at<'e>(&'e self, trial: &'e Prepared<'_>, effect: f64) -> Result<Box<dyn Evaluate + 'e>> {
        let arms = trial.assignment.arms.len();
        Ok(Box::new(self.0.at(trial.outcomes, effect, &trial.treated, arms)?))
    }

    fn test(
        &self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        let model = self.0;
        let arms = trial.assignment.arms.len();
        model.check(trial.outcomes, arms)?;
        refuse_left_out(trial)?;
        let score = |effect: f64| model.at(trial.outcomes, effect, &trial.treated, arms);
        let at = |effect: f64| self.at(trial, effect);
        let none = score(0.0)?;
        let weight = none.of_an_effect();
        let asked = options.interval.unwrap_or(true) && arms == 2;
        let interval = asked && weight.is_some();
        let mut estimates = estimates(trial, &score, model.is_linear())?;
        let far = if model.is_linear() { FAR } else { FAR_RATIO };
        // What is added to every treated row, of which the comparison may be a multiple.
        let multiple = weight.unwrap_or(1.0);
        let start = if model.is_linear() { estimates[0] / multiple } else { estimates[0] };
        let bracket = Bracket { start, scale: none.scale, far };
        let bracket = (interval && start.is_finite()).then_some(bracket);
        let mut test = trial.general(&at, options, bracket, false, monitor)?;
        if interval && bracket.is_none() {
            test.comparisons[0].interval = Some(Interval { low: f64::NEG_INFINITY, high: f64::INFINITY });
            test.notes.push("the estimate is infinite, and so the interval is unbounded".into());
        }
        let raised = |effect: f64| match model.raised(trial.outcomes, effect, &trial.treated) {
            // No difference of probabilities lies further from 0.
            Some(_) if effect.is_infinite() => Ok(effect.signum()),
            Some(difference) => difference,
            None => Ok(multiple * effect),
        };
        if weight.is_some() {
            if let Some(Interval { low, high }) = test.comparisons[0].interval {
                test.comparisons[0].interval = Some(Interval { low: raised(low)?, high: raised(high)? });
            }
            if !model.is_linear() {
                estimates[0] = raised(estimates[0])?;
            }
        } else if asked {
            test.notes.push(
                if none.comparisons() > 1 {
                    "there are no intervals of several comparisons: ask for one at a time"
                } else {
                    "there is no interval: an effect that is the same for every row says nothing of how effects \
                     differ between rows"
                }
                .into(),
            );
        }
        for (comparison, estimate) in test.comparisons.iter_mut().zip(estimates) {
            comparison.estimate = estimate;
        }
        if let Some(names) = model.names() {
            for (comparison, name) in test.comparisons.iter_mut().zip(names) {
                name.clone_into(&mut comparison.arm);
            }
        }
        if bracket.is_some() && !model.is_linear() {
            test.notes.push(
                "the p-value is that of no effect on anybody; the interval stands on the model, in which an effect is \
                 the same ratio for every row"
                    .into(),
            );
        }
        Ok(test)
    }
}

/// Refuses a procedure that leaves units out.
pub(super) fn refuse_left_out(trial: &Prepared<'_>) -> Result<()> {
    if trial.everybody() {
        return Ok(());
    }
    Err(Fault::new("the score of a model needs an arm for every unit")
        .remedy("Compare means, since this procedure leaves units out")
        .design())
}

/// The effects of the arms: of two, the one at which the score is 0; of several, one step from no effect.
pub(super) fn estimates(
    trial: &Prepared<'_>,
    score: &dyn Fn(f64) -> Result<Score>,
    one_step: bool,
) -> Result<Vec<f64>> {
    let mut none = score(0.0)?;
    if none.of_an_effect().is_some() && !one_step {
        let scale = none.scale;
        return Ok(vec![root(scale, FAR_RATIO, |effect| Ok(trial.observed(&score(effect)?)?[0]))?]);
    }
    none.unstudentised();
    let comparisons = none.comparisons();
    let mut found = trial.observed(&none)?;
    found.truncate(comparisons);
    Ok(found)
}

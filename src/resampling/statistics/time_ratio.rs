//! The ratio of times: the hypothesis that treatment multiplies every time to the event by one number.
//!
//! Under a ratio exp(d) a treated row without treatment would have had its time over exp(d), seen only up to its own end of
//! follow-up over exp(d). So that the arms are seen alike, every row is censored again at C min(1, exp(-d)), C the end of its
//! follow-up (J. M. Robins and A. A. Tsiatis 1991, doi:10.1080/03610929108830654), and the log-rank score of the arm
//! is compared over the assignments, its sign turned so that larger values speak for longer times. The estimate is the ratio
//! at which the score is 0 (L. J. Wei, Z. Ying, D. Y. Lin 1990, doi:10.1093/biomet/77.4.845).

use ndarray::Array2;

use super::model::refuse_left_out;
use super::restricted::check_times;
use crate::progress::Monitor;
use crate::resampling::inversion::root;
use crate::resampling::outcomes::Outcomes;
use crate::resampling::prepared::{Bracket, Compare, Prepared};
use crate::resampling::replay::{Evaluate, Room};
use crate::resampling::result::{RandomisationOptions, RandomisationTest};
use crate::resampling::score::{ArmModel, Score};
use crate::{Fault, Result};

/// Log ratios beyond this count as infinite.
const FAR_RATIO: f64 = 16.0;

/// Times (the outcomes), with their events and the ends of follow-up by row.
pub(super) struct TimeRatio<'a> {
    pub event: &'a [f64],
    pub end: &'a [f64],
    pub studentised: bool,
}

impl Compare for TimeRatio<'_> {
    fn at<'e>(&'e self, trial: &'e Prepared<'_>, effect: f64) -> Result<Box<dyn Evaluate + 'e>> {
        Ok(Box::new(self.shifted(trial, effect)?))
    }

    fn test(
        &self,
        trial: &Prepared<'_>,
        options: &RandomisationOptions,
        monitor: &dyn Monitor,
    ) -> Result<RandomisationTest> {
        self.check(trial)?;
        let at = |effect: f64| self.at(trial, effect);
        let estimate = root(1.0, FAR_RATIO, |effect| Ok(trial.observed(&*at(effect)?)?[0]))?;
        let wanted = options.interval.unwrap_or(true);
        let bracket = Bracket { start: estimate, scale: 1.0, far: FAR_RATIO };
        let bracket = (wanted && estimate.is_finite()).then_some(bracket);
        let mut test = trial.general(&at, options, bracket, false, monitor)?;
        test.comparisons[0].estimate = estimate;
        if wanted {
            test.notes.push(if bracket.is_some() {
                "at a ratio other than 1 the times are censored again at the end of follow-up, so that the arms are seen \
                 alike"
                    .into()
            } else {
                "the estimate is infinite, and there is no interval".into()
            });
        }
        Ok(test)
    }
}

impl TimeRatio<'_> {
    fn check(&self, trial: &Prepared<'_>) -> Result<()> {
        let outcomes = trial.outcomes;
        check_times(outcomes, self.event)?;
        refuse_left_out(trial)?;
        if trial.assignment.arms.len() != 2 {
            return Err(Fault::new("a ratio of times takes two arms")
                .values(trial.assignment.arms.iter().cloned())
                .remedy("Compare restricted means, or the log-rank scores")
                .input());
        }
        let fits = |row: usize| {
            self.end.get(row).is_some_and(|end| end.is_finite() && outcomes.values[row] <= end * (1.0 + 1e-9))
        };
        let wrong: Vec<usize> = outcomes.rows().filter(|&row| !fits(row)).collect();
        if !wrong.is_empty() {
            return Err(Fault::new("times lie beyond the end of follow-up, or that is missing")
                .column(outcomes.name())
                .rows(wrong)
                .remedy("Give the time at which follow-up would have ended for each row, whatever happened before")
                .input());
        }
        Ok(())
    }

    /// The score of the times as they would have been without treatment.
    fn shifted(&self, trial: &Prepared<'_>, effect: f64) -> Result<Shifted> {
        let outcomes = trial.outcomes;
        let (shrunk, least) = ((-effect).exp(), (-effect).exp().min(1.0));
        let (mut values, mut event) = (vec![f64::NAN; outcomes.values.len()], vec![0.0; self.event.len()]);
        for row in outcomes.rows() {
            let factor = if trial.treated[outcomes.unit[row] as usize] { shrunk } else { 1.0 };
            let (time, end) = (outcomes.values[row] * factor, self.end[row] * least);
            (values[row], event[row]) = if time <= end { (time, self.event[row]) } else { (end, 0.0) };
        }
        if outcomes.rows().all(|row| event[row] == 0.0) {
            return Ok(Shifted { score: None, none: 0.0 });
        }
        let covariates = Array2::zeros((values.len(), 0));
        let model = ArmModel::cox(&event, covariates.view()).studentised(self.studentised);
        let times = Outcomes { values, ..outcomes.clone() };
        let score = model.at(&times, 0.0, &trial.treated, 2)?;
        Ok(Shifted { score: Some(score), none: if effect == 0.0 { f64::NAN } else { 0.0 } })
    }
}

/// The score with its sign turned; where no event is left that could tell the arms apart, what stands for none.
struct Shifted {
    score: Option<Score>,
    none: f64,
}

impl Evaluate for Shifted {
    fn width(&self) -> usize {
        1
    }

    fn evaluate(&self, arm: &[u8], room: &mut Room, values: &mut [f64]) {
        values[0] = f64::NAN;
        if let Some(score) = &self.score {
            score.evaluate(arm, room, values);
        }
        values[0] = if values[0].is_nan() { self.none } else { -values[0] };
    }
}

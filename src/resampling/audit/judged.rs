//! The power of the randomisation test: redraws whose outcomes the effect was given to, each judged among the others.
//!
//! Under an effect the statistic of redraw i is compared with its values over the redraws j, all of the outcomes that i has:
//! a number for every pair. So where there are many redraws only some of them are judged, and among some: of draws the first
//! 1,000, each beside the other 999; of listed assignments each is judged among all, and where these are over 1,000 as many
//! are drawn by their probabilities as make a million pairs.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::options::Procedure;
use super::redraw::Audited;
use crate::Result;
use crate::nonparametric::Alternative;
use crate::progress::{Monitor, Part, go_on, watcher};
use crate::resampling::null::tails_of;
use crate::resampling::replay::{Evaluate, Room};
use crate::rng::{Seed, Stream};

/// So many redraws are judged, and among so many, where they are draws.
const MOST: usize = 1_000;

impl Audited<'_, '_, '_> {
    /// The power of the randomisation test under the stated effect, over these redraws (redraws x units) with weights where
    /// all assignments were used; not a number without an effect, and where the test is not asked for.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when the monitor stops the work.
    pub fn power_of_the_test(
        &self,
        arm: ArrayView2<'_, u8>,
        weight: Option<&[f64]>,
        monitor: &dyn Monitor,
    ) -> Result<f64> {
        let asked = self.options.procedures.contains(&Procedure::RandomisationTest);
        let (Some(effect), true) = (self.options.effect, asked) else { return Ok(f64::NAN) };
        let among = if weight.is_some() { arm.nrows() } else { arm.nrows().min(MOST) };
        let (judged, weighted) = self.chosen(among, weight);
        let (stop, watcher) = (&Part(monitor), watcher());
        let rejects = |&i: &usize| -> Result<bool> {
            go_on(stop)?;
            watcher.over(|| self.rejected(arm, i, among, effect, weight, stop))
        };
        let rejected: Vec<bool> = judged.par_iter().map(rejects).collect::<Result<_>>()?;
        let of = |i: usize| weight.filter(|_| weighted).map_or(1.0, |weight| weight[i]);
        let all = judged.iter().fold(0.0, |sum, &i| sum + of(i));
        let found = judged.iter().zip(&rejected).filter(|(_, rejected)| **rejected);
        Ok(found.fold(0.0, |sum, (&i, _)| sum + of(i)) / all)
    }

    /// Which redraws are judged, and whether by their weights.
    fn chosen(&self, among: usize, weight: Option<&[f64]>) -> (Vec<usize>, bool) {
        let Some(weight) = weight.filter(|_| among > MOST) else { return ((0..among).collect(), true) };
        let mut until = Vec::with_capacity(among);
        let mut sum = 0.0;
        for weight in weight {
            sum += weight;
            until.push(sum);
        }
        let mut stream = Stream::new::<&str>(&Seed::Integer(self.options.seed), "audit judged", &[], 0);
        let judged = (0..MOST * MOST / among).map(|_| {
            // 53 bits of a word: a uniform number below 1.
            let u = (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
            until.partition_point(|&until| until <= u * sum).min(among - 1)
        });
        (judged.collect(), false)
    }

    /// Whether the test of redraw i rejects, on the outcomes that the effect gave it.
    fn rejected(
        &self,
        arm: ArrayView2<'_, u8>,
        i: usize,
        among: usize,
        effect: f64,
        weight: Option<&[f64]>,
        stop: &dyn Monitor,
    ) -> Result<bool> {
        let own = arm.row(i).to_vec();
        if !self.has_units(&own) {
            return Ok(false);
        }
        let mut outcomes = self.outcomes.clone();
        if self.is_shifted() {
            self.add(&own, effect, &mut outcomes.values);
        } else {
            self.move_rows(i as u64, &own, effect, &mut outcomes.values);
        }
        let treated = vec![false; own.len()];
        // Outcomes that were moved until all are one have no test.
        let Ok(score) = self.arm_model.at(&outcomes, 0.0, &treated, self.arms) else { return Ok(false) };
        let (mut room, mut values) = (Room::default(), vec![0.0; score.width()]);
        let mut statistic = |arm: &[u8]| {
            score.evaluate(arm, &mut room, &mut values);
            values[self.model.of]
        };
        let observed = statistic(&own);
        let (mut beside, mut weights, mut drawn) = (Vec::new(), Vec::new(), vec![0; own.len()]);
        for j in (0..among).filter(|j| weight.is_some() || *j != i) {
            if j % 256 == 0 {
                go_on(stop)?;
            }
            drawn.iter_mut().zip(arm.row(j)).for_each(|(to, from)| *to = *from);
            let value = statistic(&drawn);
            if !value.is_nan() {
                beside.push(value);
                weights.push(weight.map_or(1.0, |weight| weight[j]));
            }
        }
        if observed.is_nan() {
            return Ok(false);
        }
        let tails = tails_of(&beside, weight.map(|_| weights.as_slice()), observed);
        Ok(self.options.rejects(tails.p_value(Alternative::TwoSided)))
    }
}

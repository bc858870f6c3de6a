//! Times to an event that members of a cluster share in part, with staggered entry, drop-out and a common end.
//!
//! Every member's time is exponential, with the hazard ratio `exp(effect)` between the arms: that of the margins, which a Cox
//! model without random effects estimates. Within a cluster survival probabilities are joined as a gamma frailty joins them
//! (D. G. Clayton 1978, <https://doi.org/10.1093/biomet/65.1.141>), with Kendall's `tau = theta / (theta + 2)` and theta
//! the frailty's variance. Drawn one after the other: with `u_1 ... u_k` the survival probabilities at the times of the members
//! before and `S = 1 + sum (u_i^-theta - 1)`, the next has, for a uniform W,
//!
//! ```text
//! u^-theta - 1 = S (W^(-theta / (1 + k theta)) - 1)
//! ```
//!
//! Members of a cluster enter together, at a uniform moment of the first `entry` of the study, which ends at 1; they drop out
//! at a constant rate. `baseline` is the share of the control arm with the event by the end, were all followed from the start.

use serde::{Deserialize, Serialize};

use super::generator::{Entry, Generator, Groups, Shifts, Times};
use crate::rng::Stream;
use crate::{Fault, Result};

pub(super) const ENTRY: Entry = Entry { name: "survival" };

/// The largest correlation that is drawn: beyond, powers overflow.
const CLOSEST: f64 = 0.9;
/// The largest logarithm of a hazard ratio.
const LARGEST: f64 = 10.0;

/// A time to an event.
///
/// ```
/// use crewe::simulate::Survival;
/// let closed = Survival { baseline: 0.7, effect: 1.4_f64.ln(), tau: 0.33, ..Survival::default() };
/// assert_eq!((closed.entry, closed.dropout), (0.0, 0.0));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Survival {
    /// The share of the control arm with the event by the end of the study, were all followed from its start.
    pub baseline: f64,
    /// The logarithm of the hazard ratio, treated over control.
    pub effect: f64,
    /// Kendall's rank correlation of two members of a cluster.
    pub tau: f64,
    /// The share of the study over which clusters enter; 0 where all enter at its start.
    pub entry: f64,
    /// The share that would drop out by the end, were nobody to have the event and all followed from the start.
    pub dropout: f64,
}

impl Default for Survival {
    fn default() -> Self {
        Self { baseline: 0.5, effect: 0.0, tau: 0.0, entry: 0.0, dropout: 0.0 }
    }
}

impl Survival {
    fn each(
        &self,
        groups: &Groups<'_>,
        shifts: &Shifts<'_>,
        stream: &mut Stream,
        mut tell: impl FnMut(usize, usize, f64, bool),
    ) {
        let theta = 2.0 * self.tau / (1.0 - self.tau);
        let leaving = -libm::log1p(-self.dropout);
        for unit in 0..groups.units() {
            if groups.rows(unit).is_empty() {
                continue;
            }
            let entered = match groups.entry {
                Some(entry) => entry[unit],
                None if self.entry > 0.0 => self.entry * stream.unit(),
                None => 0.0,
            };
            let end = 1.0 - entered;
            let (mut before, mut sum) = (0.0, 1.0);
            for row in groups.rows(unit) {
                // Above 0, at most 1.
                let chance = 1.0 - stream.unit();
                let integrated = if theta > 0.0 {
                    let more = sum * libm::expm1(-theta / (1.0 + before * theta) * libm::log(chance));
                    before += 1.0;
                    sum += more;
                    libm::log1p(more) / theta
                } else {
                    -libm::log(chance)
                };
                let hazard = -libm::log1p(-groups.baseline.of(row));
                let time = integrated / (hazard * libm::exp(shifts.of(unit, row)));
                let gone =
                    if leaving > 0.0 { -libm::log(1.0 - stream.unit()) / leaving } else { f64::INFINITY };
                let followed = end.min(gone);
                tell(unit, row, time.min(followed), time <= followed);
            }
        }
    }
}

impl Times for Survival {
    fn draw(
        &self,
        groups: &Groups<'_>,
        shifts: &Shifts<'_>,
        stream: &mut Stream,
        time: &mut [f64],
        event: &mut [f64],
    ) {
        self.each(groups, shifts, stream, |_, row, at, came| {
            (time[row], event[row]) = (at, f64::from(u8::from(came)));
        });
    }
}

impl Generator for Survival {
    fn entry(&self) -> Entry {
        ENTRY
    }

    fn text(&self) -> String {
        let entering = match self.entry {
            entry if entry > 0.0 => format!(", clusters entering over the first {entry} of the study"),
            _ => String::new(),
        };
        let leaving = match self.dropout {
            dropout if dropout > 0.0 => format!(", a share of {dropout} dropping out by its end"),
            _ => String::new(),
        };
        format!(
            "times to an event, exponential, with Kendall's tau of {} within clusters as a gamma frailty gives it\
             {entering}{leaving}",
            self.tau
        )
    }

    fn baseline(&self) -> f64 {
        self.baseline
    }

    fn effect(&self) -> f64 {
        self.effect
    }

    fn enters(&self) -> bool {
        self.entry > 0.0
    }

    fn bounds(&self, _groups: &Groups<'_>) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    fn times(&self) -> Option<&dyn Times> {
        Some(self)
    }

    fn check(&self, groups: &Groups<'_>, effect: f64, order: &[u32]) -> Result<()> {
        let n = groups.starts[groups.units()] as usize;
        let wrong: Vec<usize> = (0..n)
            .filter(|&row| {
                let share = groups.baseline.of(row);
                !(share > 0.0 && share < 1.0)
            })
            .collect();
        if !wrong.is_empty() {
            return Err(Fault::new("the baseline of a time to an event is a share strictly between 0 and 1")
                .rows(wrong.iter().filter_map(|&row| order.get(row).map(|&row| row as usize)))
                .remedy("Give the share of the control arm with the event by the end of the study")
                .input());
        }
        if effect.is_nan() || effect.abs() > LARGEST {
            return Err(Fault::new("the hazard ratio of a simulated trial must be a number above 0")
                .values([libm::exp(effect).to_string()])
                .remedy("Give for instance 1.4, at most e^10")
                .input());
        }
        let asked = [("tau", self.tau, CLOSEST), ("entry", self.entry, 1.0), ("dropout", self.dropout, 1.0)];
        if let Some((name, value, most)) = asked.into_iter().find(|(name, value, most)| {
            !(*value >= 0.0 && (*value < *most || (*name == "tau" && *value <= *most)))
        }) {
            return Err(Fault::new(format!("{name} must be a share from 0 to below {most}"))
                .values([value.to_string()])
                .remedy("Give 0 where there is none")
                .input());
        }
        Ok(())
    }

    fn rows(&self, groups: &Groups<'_>, shifts: &Shifts<'_>, stream: &mut Stream, y: &mut [f64]) {
        self.each(groups, shifts, stream, |_, row, _, came| y[row] = f64::from(u8::from(came)));
    }

    fn totals(&self, groups: &Groups<'_>, shifts: &Shifts<'_>, stream: &mut Stream, totals: &mut [f64]) {
        totals.fill(0.0);
        self.each(groups, shifts, stream, |unit, _, _, came| {
            totals[unit] += f64::from(u8::from(came));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::generator::Baseline;
    use super::*;
    use crate::rng::Seed;

    /// The share with the event is the baseline, the treated have the hazard ratio, and pairs the rank correlation.
    #[test]
    fn margins_and_correlations_are_those_asked_for() {
        let starts = [0, 4, 8];
        let groups = Groups { starts: &starts, baseline: Baseline::One(0.999), prepared: 0.0, entry: None };
        let hazard = -libm::log(0.001);
        for tau in [0.0, 0.33, 0.7] {
            let closed = Survival { baseline: 0.999, effect: 0.5, tau, ..Survival::default() };
            let stream = Stream::new::<&str>(&Seed::Integer(1), "test", &[], 0);
            let (mut time, mut event) = ([0.0; 8], [0.0; 8]);
            let (mut sums, mut pairs): ([f64; 2], Vec<(f64, f64)>) = ([0.0; 2], Vec::new());
            let sims = 20_000;
            for i in 0..sims {
                closed.draw(
                    &groups,
                    &Shifts { dose: &[0.0, 1.0], effect: 0.5, share: None },
                    &mut stream.at(i),
                    &mut time,
                    &mut event,
                );
                sums[0] += time[3] / sims as f64;
                sums[1] += time[7] / sims as f64;
                pairs.push((time[1], time[3]));
            }
            // Censored at the end, where one in a thousand is left: the mean is baseline / hazard.
            let means = [0.999 / hazard, (1.0 - 0.001_f64.powf(0.5_f64.exp())) / (hazard * 0.5_f64.exp())];
            for (found, mean) in sums.iter().zip(means) {
                assert!((found / mean - 1.0).abs() < 0.03, "{tau}: {found} for {mean}");
            }
            let agree: f64 = pairs
                .chunks_exact(2)
                .map(|two| ((two[0].0 - two[1].0) * (two[0].1 - two[1].1)).signum())
                .sum();
            let found = agree / (sims as f64 / 2.0);
            assert!((found - tau).abs() < 0.035, "{tau}: {found}");
        }
    }

    /// Entry is shared by a cluster, and both it and drop-out end what is seen.
    #[test]
    fn followed_until_the_end_or_the_drop_out() {
        let starts = [0, 2];
        let groups = Groups { starts: &starts, baseline: Baseline::One(1e-9), prepared: 0.0, entry: None };
        let rare = Survival { baseline: 1e-9, entry: 0.5, ..Survival::default() };
        let stream = Stream::new::<&str>(&Seed::Integer(2), "test", &[], 0);
        let (mut time, mut event) = ([0.0; 2], [0.0; 2]);
        let leaving = Survival { baseline: 1e-9, dropout: 0.3, ..Survival::default() };
        let mut gone = 0.0;
        for i in 0..4_000 {
            rare.draw(
                &groups,
                &Shifts { dose: &[0.0], effect: 0.0, share: None },
                &mut stream.at(i),
                &mut time,
                &mut event,
            );
            assert!(time[0] == time[1] && time[0] > 0.5 && time[0] <= 1.0 && event == [0.0; 2]);
            leaving.draw(
                &groups,
                &Shifts { dose: &[0.0], effect: 0.0, share: None },
                &mut stream.at(i),
                &mut time,
                &mut event,
            );
            gone += f64::from(u8::from(time[0] < 1.0)) / 4_000.0;
        }
        assert!((gone - 0.3).abs() < 0.03, "{gone}");
    }
}

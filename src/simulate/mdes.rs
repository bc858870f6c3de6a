//! The smallest detectable effect, by the same random numbers under every effect that is tried.
//!
//! Under one set of random numbers the simulated power is a step function of the effect that hardly ever falls, so its
//! root is found by a search that takes the power on the probit scale, where it is nearly a line (regula falsi, in its
//! Illinois form). A few replicates say where to look with all of them. Where the power asked for crosses the Monte Carlo
//! interval of the simulated one is the interval of the effect.
//!
//! G. Casella and R. L. Berger (2002), Statistical Inference, 9.2.3, for intervals from pivoting; M. Dowell and P. Jarratt
//! (1971), <https://doi.org/10.1007/BF01934364>, for the search.

use serde::Serialize;

use super::diagnosands::Measure;
use super::replicates::Detect;
use super::trial::Trial;
use crate::dist::normal_quantile;
use crate::progress::{Monitor, Part, check};
use crate::{Fault, Result};

/// Effects that are tried at most, for each root.
const TRIES: usize = 40;
/// How far an unbounded effect is doubled.
const DOUBLINGS: usize = 40;
/// Replicates that say where to look with all of them.
const FEW: u64 = 2_000;
/// How close the power under the effect is to the one asked for, in Monte Carlo standard errors.
const CLOSE: f64 = 0.05;
/// The same for the ends of the interval.
const NEAR: f64 = 0.1;
/// How far a power may be from the one asked for, for the line between them to say where others lie.
const FAR: f64 = 0.05;
/// Monte Carlo standard errors beyond which a power is larger without doubt.
const SURE: f64 = 5.0;

/// What is searched for.
///
/// ```
/// use crewe::simulate::Search;
/// assert_eq!(Search::new(0.8, 2_000).power, 0.8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Search {
    /// The power asked for.
    pub power: f64,
    /// The number of replicates under each effect.
    pub sims: u64,
    /// Whether it is a fall that is sought, and not a rise.
    pub fall: bool,
    /// What counts as having found something.
    pub detect: Detect,
}

impl Search {
    /// The smallest rise that is found with this power.
    pub fn new(power: f64, sims: u64) -> Self {
        Self { power, sims, fall: false, detect: Detect::default() }
    }

    /// Sets whether it is a fall that is sought, and not a rise.
    #[must_use]
    pub fn fall(mut self, fall: bool) -> Self {
        self.fall = fall;
        self
    }

    /// Sets what counts as having found something.
    #[must_use]
    pub fn detect(mut self, detect: Detect) -> Self {
        self.detect = detect;
        self
    }
}

/// The smallest detectable effect.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Detectable {
    /// The effect, signed; NaN where the power is unattainable.
    pub effect: f64,
    /// The ends of the interval that the Monte Carlo error of the power gives it, the smaller effect first in size; NaN where
    /// the power does not reach so far.
    pub interval: [f64; 2],
    /// The simulated power under the effect; where it is unattainable, under the largest one.
    pub power: Measure,
    /// Where the power is unattainable, the largest effect that the outcome can have.
    pub ceiling_at: Option<f64>,
    /// Every effect that was tried, with its power.
    pub tried: Vec<(f64, f64)>,
}

impl Trial {
    /// The smallest effect that is found with a given power.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a power not between alpha and 1 and too few replicates; as [`Trial::replicates`].
    pub fn mdes(&self, search: Search, monitor: &dyn Monitor) -> Result<Detectable> {
        // Every effect meets the same arms.
        let held = self.held(search.sims, monitor)?;
        let mut tried = 0;
        self.mdes_by(search, &mut |effect, sims| {
            check(monitor, tried, 0)?;
            tried += 1;
            self.rejected(sims, (effect, search.detect), held.as_ref(), &Part(monitor))
        })
    }

    /// The same where others run the replicates: `rejections` says of an effect and a number how many of so many first
    /// replicates reject no effect.
    ///
    /// # Errors
    /// As [`Trial::mdes`]; whatever `rejections` refuses.
    pub fn mdes_by(
        &self,
        search: Search,
        rejections: &mut dyn FnMut(f64, u64) -> Result<u64>,
    ) -> Result<Detectable> {
        if !(search.power > self.analysis.alpha && search.power < 1.0) {
            return Err(Fault::new("the power must lie between the level of the test and 1")
                .values([search.power.to_string()])
                .remedy("Give for instance 0.8")
                .input());
        }
        if search.sims < 100 {
            return Err(Fault::new(
                "a search for the smallest detectable effect needs at least 100 simulations",
            )
            .values([search.sims.to_string()])
            .remedy("Give sims=2_000 or more")
            .input());
        }
        let (low, high) = self.bounds();
        let sign = if search.fall { -1.0 } else { 1.0 };
        let bound = if search.fall { -low } else { high };
        let level = -normal_quantile(0.5 * self.analysis.alpha);
        let mut of = |sims: u64| -> Result<Reached> {
            Known { sims, power: search.power, sign, level, tried: Vec::new(), rejections: &mut *rejections }
                .effect(bound, self.unit())
        };
        // The first replicates say where to look with all of them.
        let first = if search.sims >= 4 * FEW { Some(of(FEW)?) } else { None };
        let mut known =
            Known { sims: search.sims, power: search.power, sign, level, tried: Vec::new(), rejections };
        let found = match first {
            Some(Reached::Found { size, end, sure: true }) => Reached::Found {
                size: known.root(size, end, search.power, CLOSE)?.unwrap_or(end),
                end,
                sure: true,
            },
            _ => known.effect(bound, self.unit())?,
        };
        let Reached::Found { size, end, .. } = found else {
            let Reached::Beyond { end } = found else { return known.unattainable(0.0) };
            return known.unattainable(end);
        };
        let error = known.error() * -normal_quantile(0.025);
        let mut interval = [f64::NAN; 2];
        for (into, aim) in interval.iter_mut().zip([search.power - error, search.power + error]) {
            if aim > self.analysis.alpha
                && aim < 1.0
                && let Some(size) = known.root(known.between(size, aim), end, aim, NEAR)?
            {
                *into = sign * size;
            }
        }
        let power = known.measure(size)?;
        Ok(Detectable { effect: sign * size, interval, power, ceiling_at: None, tried: known.effects() })
    }
}

/// Where a search of so many replicates ended.
enum Reached {
    /// The effect's size lies below `end`, where the power is larger beyond doubt where this is `sure`.
    Found { size: f64, end: f64, sure: bool },
    /// The power is not reached under this size, the largest that the outcome can have.
    Beyond { end: f64 },
    /// There is no effect of this sign.
    Nowhere,
}

/// The powers of the sizes of effects that were tried, among so many first replicates.
struct Known<'a> {
    sims: u64,
    power: f64,
    sign: f64,
    /// The quantile of the test: the probit of the power is nearly a line from minus this on.
    level: f64,
    tried: Vec<(f64, f64)>,
    rejections: &'a mut dyn FnMut(f64, u64) -> Result<u64>,
}

impl Known<'_> {
    /// The power under an effect of this size.
    fn at(&mut self, size: f64) -> Result<f64> {
        if let Some((_, power)) = self.tried.iter().find(|(tried, _)| *tried == size) {
            return Ok(*power);
        }
        let power = (self.rejections)(self.sign * size, self.sims)? as f64 / self.sims as f64;
        self.tried.push((size, power));
        Ok(power)
    }

    fn measure(&mut self, size: f64) -> Result<Measure> {
        let power = self.at(size)?;
        Measure::share((power * self.sims as f64).round() as u64, self.sims)
    }

    /// The Monte Carlo standard error of the power asked for.
    fn error(&self) -> f64 {
        (self.power * (1.0 - self.power) / self.sims as f64).sqrt()
    }

    /// The probit of a power; counts of none and of all are half a replicate inside.
    fn probit(&self, power: f64) -> f64 {
        let half = 0.5 / self.sims as f64;
        normal_quantile(power.clamp(half, 1.0 - half))
    }

    /// The size at which a line gives this power, which has that at `size`.
    fn linear(&self, size: f64, power: f64, wanted: f64) -> f64 {
        size * (self.probit(wanted) + self.level) / (self.probit(power) + self.level)
    }

    /// The size at which the line through the two powers nearest to the one asked for comes to another; `size` has the power
    /// asked for.
    fn between(&self, size: f64, wanted: f64) -> f64 {
        let away = |power: f64| (power - self.power).abs();
        let mut near: Vec<(f64, f64)> =
            self.tried.iter().copied().filter(|&(tried, _)| tried != size).collect();
        near.sort_by(|a, b| away(a.1).total_cmp(&away(b.1)));
        let here =
            self.tried.iter().find(|(tried, _)| *tried == size).map_or(self.power, |(_, power)| *power);
        let slope = near
            .first()
            .map_or(f64::NAN, |&(tried, power)| (self.probit(power) - self.probit(here)) / (tried - size));
        // Where the nearest is far away, the line through the size of the test says as much.
        if away(near.first().map_or(f64::NAN, |near| near.1)) < FAR && slope > 0.0 && slope.is_finite() {
            (size + (self.probit(wanted) - self.probit(here)) / slope).max(0.0)
        } else {
            self.linear(size, self.power, wanted)
        }
    }

    /// The size whose power is the one asked for, from nothing but a bound on it.
    fn effect(&mut self, bound: f64, unit: f64) -> Result<Reached> {
        let end = if bound.is_finite() { bound } else { self.reach(unit)? };
        if end <= 0.0 {
            return Ok(Reached::Nowhere);
        }
        let most = self.at(end)?;
        if most < self.power {
            return Ok(Reached::Beyond { end });
        }
        let guess = self.linear(end, most, self.power);
        let size = self.root(guess, end, self.power, CLOSE)?.unwrap_or(end);
        Ok(Reached::Found { size, end, sure: most >= self.power + SURE * self.error() || !bound.is_finite() })
    }

    /// A size under which the power is that asked for, and then some; the largest tried where there is none.
    fn reach(&mut self, unit: f64) -> Result<f64> {
        let aim = (self.power + SURE * self.error()).min(1.0 - 0.5 / self.sims as f64);
        let mut end = unit;
        for _ in 0..DOUBLINGS {
            if self.at(end)? >= aim {
                break;
            }
            end *= 2.0;
        }
        Ok(end)
    }

    /// The size at which the power comes to `aim`, within a share of its Monte Carlo standard error; from a guess, up to
    /// `end`. None where the power is above it without an effect, or below it at the end.
    fn root(&mut self, guess: f64, end: f64, aim: f64, within: f64) -> Result<Option<f64>> {
        // One replicate more or less is all that can be told apart.
        let tolerance = (within * self.error()).max(0.5 / self.sims as f64);
        let wanted = self.probit(aim);
        let mut size = guess.clamp(0.0, end);
        // The closest on either side, with their distances on the probit scale.
        let (mut low, mut high): (Option<(f64, f64)>, Option<(f64, f64)>) = (None, None);
        for &(tried, power) in &self.tried {
            let gap = self.probit(power) - wanted;
            if power < aim && low.is_none_or(|(nearest, _)| tried > nearest) {
                low = Some((tried, gap));
            }
        }
        for &(tried, power) in &self.tried {
            let gap = self.probit(power) - wanted;
            let right = low.is_none_or(|(nearest, _)| tried > nearest);
            if power >= aim && right && high.is_none_or(|(nearest, _)| tried < nearest) {
                high = Some((tried, gap));
            }
        }
        let mut last = 0;
        for _ in 0..TRIES {
            let power = self.at(size)?;
            let gap = self.probit(power) - wanted;
            if (power - aim).abs() <= tolerance {
                return Ok(Some(size));
            }
            // The side that stays for a second time counts half (Illinois).
            if gap >= 0.0 {
                high = Some((size, gap));
                if let (1, Some(low)) = (last, &mut low) {
                    low.1 *= 0.5;
                }
                last = 1;
            } else {
                low = Some((size, gap));
                if let (-1, Some(high)) = (last, &mut high) {
                    high.1 *= 0.5;
                }
                last = -1;
            }
            size = match (low, high) {
                (Some((low, below)), Some((high, above))) => {
                    if high - low <= 1e-5 * high || above == 0.0 {
                        return Ok(Some(high));
                    }
                    low + (high - low) * (below / (below - above)).clamp(0.02, 0.98)
                }
                // A little beyond where the line crosses, so that the next one brackets it.
                (Some((low, _)), None) if low >= end => return Ok(None),
                (Some((low, _)), None) => {
                    let line = self.linear(low, power, aim);
                    (low + 1.2 * (line - low)).max(low * (1.0 + 1e-4)).min(end)
                }
                (None, Some((high, _))) if high <= 1e-9 * end => return Ok(None),
                (None, Some((high, _))) => {
                    let line = self.linear(high, power, aim);
                    (high - 1.2 * (high - line)).min(high * (1.0 - 1e-4)).max(0.0)
                }
                (None, None) => return Ok(None),
            };
        }
        Ok(high.map(|(size, _)| size))
    }

    /// The effects that were tried with their powers, in their order.
    fn effects(&self) -> Vec<(f64, f64)> {
        let mut tried: Vec<(f64, f64)> =
            self.tried.iter().map(|&(size, power)| (self.sign * size, power)).collect();
        tried.sort_by(|a, b| a.0.total_cmp(&b.0));
        tried
    }

    fn unattainable(mut self, size: f64) -> Result<Detectable> {
        let power = self.measure(size)?;
        Ok(Detectable {
            effect: f64::NAN,
            interval: [f64::NAN; 2],
            power,
            ceiling_at: Some(self.sign * size),
            tried: self.effects(),
        })
    }
}

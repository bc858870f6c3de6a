//! The smallest detectable effect, by the same random numbers under every effect that is tried.
//!
//! Under one set of random numbers the simulated power is a step function of the effect that hardly ever falls, so its
//! root is found by a search that takes the power on the probit scale, where it is nearly a line (regula falsi, in its
//! Illinois form). Where the power asked for crosses the Monte Carlo interval of the simulated one is the interval of the
//! effect.
//!
//! G. Casella and R. L. Berger (2002), Statistical Inference, 9.2.3, for intervals from pivoting; M. Dowell and P. Jarratt
//! (1971), <https://doi.org/10.1007/BF01934364>, for the search.

use serde::Serialize;

use super::diagnosands::Measure;
use super::trial::Trial;
use crate::dist::normal_quantile;
use crate::progress::{Monitor, Part, check};
use crate::{Fault, Result};

/// Effects that are tried at most, for each root.
const TRIES: usize = 40;
/// How far an unbounded effect is doubled.
const DOUBLINGS: usize = 40;

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
}

impl Search {
    /// The smallest rise that is found with this power.
    pub fn new(power: f64, sims: u64) -> Self {
        Self { power, sims, fall: false }
    }

    /// Sets whether it is a fall that is sought, and not a rise.
    #[must_use]
    pub fn fall(mut self, fall: bool) -> Self {
        self.fall = fall;
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
        let (alpha, mut tried) = (self.analysis.alpha, 0);
        self.mdes_by(search, &mut |effect| {
            check(monitor, tried, 0)?;
            tried += 1;
            let found = self.replicates(0..search.sims, Some(effect), &Part(monitor))?;
            Ok(found.rejections(alpha))
        })
    }

    /// The same where others run the replicates: `rejections` says how many of the replicates 0 to `search.sims` under an
    /// effect reject no effect.
    ///
    /// # Errors
    /// As [`Trial::mdes`]; whatever `rejections` refuses.
    pub fn mdes_by(
        &self,
        search: Search,
        rejections: &mut dyn FnMut(f64) -> Result<u64>,
    ) -> Result<Detectable> {
        if !(search.power > self.analysis.alpha && search.power < 1.0) {
            return Err(Fault::new("the power must lie between the level of the test and 1")
                .values([search.power.to_string()])
                .remedy("Give for instance 0.8")
                .input());
        }
        let n = search.sims as f64;
        let error = (search.power * (1.0 - search.power) / n).sqrt() * -normal_quantile(0.025);
        let aims = [search.power, search.power - error, search.power + error];
        if search.sims < 100 {
            return Err(Fault::new(
                "a search for the smallest detectable effect needs at least 100 simulations",
            )
            .values([search.sims.to_string()])
            .remedy("Give sims=2_000 or more")
            .input());
        }
        let mut known = Known { unit: self.unit(), search, tried: Vec::new(), rejections };
        let (low, high) = self.bounds();
        let (sign, end) = if search.fall { (-1.0, -low) } else { (1.0, high) };
        known.at(0.0)?;
        let end = if end.is_finite() { Some(end) } else { known.reach(sign, aims[2].min(1.0 - 0.5 / n))? };
        let Some(end) = end.filter(|&end| end > 0.0) else {
            return Ok(known.unattainable(sign, 0.0));
        };
        if known.at(sign * end)? < search.power {
            return Ok(known.unattainable(sign, end));
        }
        let effect = known.root(sign, end, aims[0])?;
        let mut ends = [f64::NAN; 2];
        for (into, &aim) in ends.iter_mut().zip(&aims[1..]) {
            if aim > known.at(0.0)? && known.at(sign * end)? >= aim {
                *into = known.root(sign, end, aim)?;
            }
        }
        let power = known.measure(effect)?;
        let mut tried = known.tried;
        tried.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(Detectable { effect, interval: ends, power, ceiling_at: None, tried })
    }
}

/// The powers of effects that were tried.
struct Known<'a> {
    /// A first guess at the size of an effect that has no bound.
    unit: f64,
    search: Search,
    tried: Vec<(f64, f64)>,
    rejections: &'a mut dyn FnMut(f64) -> Result<u64>,
}

impl Known<'_> {
    /// The power under an effect.
    fn at(&mut self, effect: f64) -> Result<f64> {
        if let Some((_, power)) = self.tried.iter().find(|(tried, _)| *tried == effect) {
            return Ok(*power);
        }
        let power = (self.rejections)(effect)? as f64 / self.search.sims as f64;
        self.tried.push((effect, power));
        Ok(power)
    }

    fn measure(&mut self, effect: f64) -> Result<Measure> {
        let power = self.at(effect)?;
        let sims = self.search.sims;
        Measure::share((power * sims as f64).round() as u64, sims)
    }

    /// An effect of this sign under which the power is at least `aim`; the largest tried where there is none.
    fn reach(&mut self, sign: f64, aim: f64) -> Result<Option<f64>> {
        let mut end = self.unit;
        for _ in 0..DOUBLINGS {
            if self.at(sign * end)? >= aim {
                break;
            }
            end *= 2.0;
        }
        Ok(Some(end))
    }

    /// The effect at which the power comes to `aim`, which lies between those under no effect and under `end`.
    fn root(&mut self, sign: f64, end: f64, aim: f64) -> Result<f64> {
        let n = self.search.sims as f64;
        // Counts of none and of all are half a replicate inside.
        let probit = |power: f64| normal_quantile(power.clamp(0.5 / n, 1.0 - 0.5 / n));
        let wanted = probit(aim);
        // The closest that are known already.
        let (mut low, mut high) = (0.0, end);
        for &(effect, power) in &self.tried {
            let size = effect * sign;
            if power < aim && size > low {
                low = size;
            }
        }
        for &(effect, power) in &self.tried {
            let size = effect * sign;
            if power >= aim && size > low && size < high {
                high = size;
            }
        }
        let mut below = probit(self.at(sign * low)?) - wanted;
        let mut above = probit(self.at(sign * high)?) - wanted;
        let mut last = 0;
        for _ in 0..TRIES {
            if high - low <= 1e-5 * high || above == 0.0 {
                break;
            }
            let share = below / (below - above);
            let middle = low + (high - low) * share.clamp(0.02, 0.98);
            let power = self.at(sign * middle)?;
            let gap = probit(power) - wanted;
            // One replicate more or less is all that can be told apart.
            if (power - aim).abs() <= 0.5 / n {
                return Ok(sign * middle);
            }
            if gap >= 0.0 {
                (high, above) = (middle, gap);
                if last == 1 {
                    below *= 0.5;
                }
                last = 1;
            } else {
                (low, below) = (middle, gap);
                if last == -1 {
                    above *= 0.5;
                }
                last = -1;
            }
        }
        Ok(sign * high)
    }

    fn unattainable(self, sign: f64, end: f64) -> Detectable {
        let effect = sign * end;
        let power =
            self.tried.iter().find(|(tried, _)| *tried == effect).map_or(f64::NAN, |(_, power)| *power);
        let sims = self.search.sims;
        let power = Measure::share((power * sims as f64).round() as u64, sims);
        let mut tried = self.tried;
        tried.sort_by(|a, b| a.0.total_cmp(&b.0));
        Detectable {
            effect: f64::NAN,
            interval: [f64::NAN; 2],
            // A share of the replicates is never above the whole.
            power: power.unwrap_or(Measure::mean(std::iter::empty())),
            ceiling_at: Some(effect),
            tried,
        }
    }
}

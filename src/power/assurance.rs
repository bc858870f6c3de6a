//! Assurance: the chance that a trial finds its effect, over what is believed of it.
//!
//! Power takes effect, rate and correlation as known. Assurance is its mean over priors of these (A. O'Hagan, J. W. Stevens
//! and M. J. Campbell 2005, doi:10.1002/pst.175): the chance of a significant result in the direction of the plan, the
//! far tail of a two-sided test left out. Each prior is drawn by its own stream of random numbers, named by the quantity, so
//! that another prior changes no draw of the others. Draws that cannot be (a rate beyond 1) are left out: priors are
//! cut off there, and the share is said.

use rayon::prelude::*;
use serde::Serialize;

use super::answer::{Answer, Scale};
use super::binary::{self, Binary};
use super::continuous::{self, Continuous};
use super::count::{self, Count};
use super::plan::{Hypothesis, Plan};
use super::survival::{self, Survival};
use crate::dist::{beta_quantile, normal_quantile};
use crate::inference::check_level;
use crate::progress::{go_on, watcher};
use crate::rng::{Seed, Stream};
use crate::words::words;
use crate::{Fault, Result};

/// What may be uncertain.
///
/// ```
/// use crewe::power::assurance::Uncertain;
/// assert_eq!("icc".parse(), Ok(Uncertain::Icc));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Uncertain {
    /// The effect, as it is written.
    Effect,
    /// The control arm's rate.
    Baseline,
    /// The intracluster correlation.
    Icc,
    /// The standard deviation.
    Sd,
    /// The share of the variance that covariates explain.
    R2,
    /// The share of members lost.
    Attrition,
}

words!(
    Uncertain, "uncertain quantity",
    Effect => "effect",
    Baseline => "baseline",
    Icc => "icc",
    Sd => "sd",
    R2 => "r2",
    Attrition => "attrition",
);

/// What is believed of a quantity.
///
/// ```
/// use crewe::power::assurance::Prior;
/// assert!((Prior::Normal { mean: 0.1, sd: 0.05 }.quantile(0.5) - 0.1).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Prior {
    /// Normal.
    Normal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        sd: f64,
    },
    /// Normal on the logarithmic scale, for ratios.
    LogNormal {
        /// Its median.
        median: f64,
        /// The standard deviation of its logarithm.
        sd: f64,
    },
    /// Beta, for shares and correlations.
    Beta {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        sd: f64,
    },
    /// Every value between two alike.
    Uniform {
        /// The lower.
        low: f64,
        /// The upper.
        high: f64,
    },
}

impl Prior {
    /// Refuses what is no distribution.
    ///
    /// # Errors
    /// A standard deviation that is not above 0, a beta with a mean outside 0 to 1 or more spread than it can have, a median that
    /// is not above 0, and ends in the wrong order.
    pub fn check(&self) -> Result<()> {
        let refuse = |problem: &str, values: [f64; 2], remedy: &str| {
            Err(Fault::new(problem).values(values.map(|value| value.to_string())).remedy(remedy).input())
        };
        let positive = |sd: f64| sd > 0.0 && sd.is_finite();
        match *self {
            Self::Normal { mean, sd } if !mean.is_finite() || !positive(sd) => refuse(
                "a normal prior needs a mean and a standard deviation above 0",
                [mean, sd],
                "Leave out what is taken as known",
            ),
            Self::LogNormal { median, sd } if !positive(median) || !positive(sd) => refuse(
                "a log-normal prior needs a median and a standard deviation above 0",
                [median, sd],
                "Give the ratio, and the standard deviation of its logarithm",
            ),
            Self::Beta { mean, sd }
                if !(mean > 0.0 && mean < 1.0 && positive(sd) && sd * sd < mean * (1.0 - mean)) =>
            {
                refuse(
                    "a beta prior needs a mean between 0 and 1 and a standard deviation below the root of mean (1 - mean)",
                    [mean, sd],
                    "Give the share itself, such as 0.36, and a smaller standard deviation",
                )
            }
            Self::Uniform { low, high } if !(low.is_finite() && high.is_finite() && low < high) => {
                refuse("a uniform prior needs a lower and a higher end", [low, high], "Give low, then high")
            }
            _ => Ok(()),
        }
    }

    /// The value below which this share of it lies.
    pub fn quantile(&self, p: f64) -> f64 {
        match *self {
            Self::Normal { mean, sd } => mean + sd * normal_quantile(p),
            Self::LogNormal { median, sd } => median * libm::exp(sd * normal_quantile(p)),
            Self::Beta { mean, sd } => {
                let size = mean * (1.0 - mean) / (sd * sd) - 1.0;
                beta_quantile(p, mean * size, (1.0 - mean) * size)
            }
            Self::Uniform { low, high } => low + p * (high - low),
        }
    }
}

/// A calculation whose power is sought, whatever the outcome.
#[derive(Debug, Clone)]
pub enum Calculation {
    /// Two rates.
    Binary(Binary),
    /// Two means.
    Continuous(Continuous),
    /// Two rates of counts.
    Count(Count),
    /// Times to an event.
    Survival(Survival),
}

impl Calculation {
    fn plan(&mut self) -> &mut Plan {
        match self {
            Self::Binary(asked) => &mut asked.plan,
            Self::Continuous(asked) => &mut asked.plan,
            Self::Count(asked) => &mut asked.plan,
            Self::Survival(asked) => &mut asked.plan,
        }
    }

    fn scale(&self) -> Scale {
        match self {
            Self::Binary(asked) => asked.scale,
            Self::Continuous(_) => Scale::Difference,
            Self::Count(asked) => asked.scale,
            Self::Survival(_) => Scale::HazardRatio,
        }
    }

    fn set(&mut self, quantity: Uncertain, value: f64) -> Result<()> {
        let none = || {
            Err(Fault::new(format!("this calculation has no {quantity}"))
                .remedy("Give priors of quantities that it was made with")
                .input())
        };
        match (quantity, &mut *self) {
            (Uncertain::Baseline, Self::Binary(asked)) => asked.baseline = value,
            (Uncertain::Baseline, Self::Count(asked)) => asked.baseline = value,
            (Uncertain::Baseline, Self::Survival(asked)) => asked.baseline = value,
            (Uncertain::Sd, Self::Continuous(asked)) => asked.sd = value,
            (Uncertain::Baseline | Uncertain::Sd, _) => return none(),
            (Uncertain::Effect, _) => self.plan().effect = Some(value),
            (Uncertain::Icc, _) => self.plan().icc = Some(value),
            (Uncertain::R2, _) => self.plan().r2 = Some(value),
            (Uncertain::Attrition, _) => self.plan().attrition = value,
        }
        Ok(())
    }

    fn answer(&self) -> Result<Answer> {
        match self {
            Self::Binary(asked) => binary::power(asked),
            Self::Continuous(asked) => continuous::power(asked),
            Self::Count(asked) => count::power(asked),
            Self::Survival(asked) => survival::power(asked),
        }
    }

    /// The power in one tail at a level, and in both at twice that.
    fn tail(&self, hypothesis: Hypothesis, alpha: f64) -> Result<f64> {
        let mut asked = self.clone();
        let plan = asked.plan();
        (plan.hypothesis, plan.alpha, plan.power) = (hypothesis, alpha, None);
        // The plan leaves out the power alone, so that it has one.
        Ok(asked.answer()?.solution.power.unwrap_or(f64::NAN))
    }

    /// The chance of a significant result on the side of `sign`, whichever side the effect lies on.
    fn found(&self, sign: f64) -> Result<f64> {
        let mut asked = self.clone();
        let null = self.scale().null();
        let plan = asked.plan();
        let (hypothesis, alpha) = (plan.hypothesis, plan.alpha);
        let one = match hypothesis {
            Hypothesis::TwoSided => 0.5 * alpha,
            Hypothesis::OneSided => alpha,
            Hypothesis::NonInferiority | Hypothesis::Equivalence => return self.tail(hypothesis, alpha),
        };
        let effect = plan.effect.unwrap_or(null);
        if effect == null {
            return Ok(one);
        }
        let near = self.tail(Hypothesis::OneSided, one)?;
        if (effect - null) * sign > 0.0 {
            return Ok(near);
        }
        Ok((self.tail(Hypothesis::TwoSided, 2.0 * one)? - near).max(0.0))
    }
}

/// What one quantity does by itself, from one end of its prior's interval to the other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Swing {
    /// The quantity.
    pub quantity: Uncertain,
    /// The ends.
    pub ends: [f64; 2],
    /// The power there, all else as planned; not a number where the end cannot be.
    pub power: [f64; 2],
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Assurance {
    /// The power at the values of the plan, in its direction.
    pub power: f64,
    /// The mean of the power over the priors.
    pub assurance: f64,
    /// Its Monte Carlo standard error.
    pub error: f64,
    /// The share of draws that cannot be.
    pub impossible: f64,
    /// The power in each draw that can be, in the order of the draws.
    pub powers: Vec<f64>,
    /// What each quantity does by itself, the largest swing first.
    pub swings: Vec<Swing>,
}

/// The fewest and the most draws.
const DRAWS: (usize, usize) = (100, 10_000_000);
/// Draws in a block.
const BLOCK: usize = 250;

/// The assurance of a calculation, which holds every quantity but the power.
///
/// # Errors
/// No prior, two of one quantity, priors that are none, a plan that cannot be, more than half of the draws impossible, and
/// fewer than 100 draws.
///
/// ```
/// use crewe::power::assurance::{Calculation, Prior, Uncertain, assurance};
/// use crewe::power::{ClusterSize, Plan, binary::{Binary, Method}};
/// let plan = Plan::default().effect(0.112).clusters(286).icc(0.36).cluster_size(ClusterSize::Mean(3.0));
/// let asked = Calculation::Binary(Binary::new(0.226, Method::Arcsine, plan));
/// let priors = [(Uncertain::Effect, Prior::Normal { mean: 0.112, sd: 0.05 })];
/// let found = assurance(&asked, &priors, 2_000, &7.into(), 0.95)?;
/// // Doubt about the effect takes more away below than it adds above.
/// assert!(found.assurance < found.power);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn assurance(
    asked: &Calculation,
    priors: &[(Uncertain, Prior)],
    draws: usize,
    seed: &Seed,
    level: f64,
) -> Result<Assurance> {
    check_level(level)?;
    check(priors, draws)?;
    let mut plan = asked.clone();
    let null = asked.scale().null();
    let effect = plan.plan().effect.unwrap_or(null);
    let sign = if effect < null { -1.0 } else { 1.0 };
    let power = asked.found(sign)?;
    let at = |values: &[f64]| -> Result<f64> {
        let mut asked = asked.clone();
        for ((quantity, _), value) in priors.iter().zip(values) {
            asked.set(*quantity, *value)?;
        }
        asked.found(sign)
    };
    // A quantity that this calculation has not is refused before it is drawn.
    for (quantity, prior) in priors {
        asked.clone().set(*quantity, prior.quantile(0.5))?;
    }
    let streams: Vec<Stream> =
        priors.iter().map(|(quantity, _)| Stream::new(seed, "power: prior", &[quantity.name()], 0)).collect();
    let monitor = watcher();
    let blocks: Vec<Vec<Option<f64>>> = (0..draws.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            go_on(&monitor)?;
            let mut own: Vec<Stream> = streams.iter().map(|stream| stream.at(block as u64)).collect();
            let draw = |_| {
                let values: Vec<f64> = priors
                    .iter()
                    .zip(&mut own)
                    .map(|((_, prior), stream)| prior.quantile(stream.unit().max(f64::MIN_POSITIVE)))
                    .collect();
                at(&values).ok().filter(|power| power.is_finite())
            };
            Ok((0..BLOCK.min(draws - block * BLOCK)).map(draw).collect())
        })
        .collect::<Result<_>>()?;
    let powers: Vec<f64> = blocks.into_iter().flatten().flatten().collect();
    let impossible = 1.0 - powers.len() as f64 / draws as f64;
    if impossible > 0.5 {
        return Err(Fault::new(format!("{:.0}% of the draws cannot be", 100.0 * impossible))
            .remedy("Check the priors beside the plan: a rate plus the effect lies between 0 and 1, and the ICC above its lowest value")
            .input());
    }
    let count = powers.len() as f64;
    let mean = powers.iter().sum::<f64>() / count;
    let variance = powers.iter().map(|power| (power - mean).powi(2)).sum::<f64>() / (count - 1.0);
    Ok(Assurance {
        power,
        assurance: mean,
        error: (variance / count).sqrt(),
        impossible,
        powers,
        swings: swings(asked, priors, sign, level),
    })
}

fn check(priors: &[(Uncertain, Prior)], draws: usize) -> Result<()> {
    if priors.is_empty() {
        return Err(Fault::new("nothing is uncertain")
            .remedy(
                "Give a prior of the effect, the rate or the ICC; without one the power itself is the answer",
            )
            .input());
    }
    for (place, (quantity, prior)) in priors.iter().enumerate() {
        prior.check()?;
        if priors[..place].iter().any(|(other, _)| other == quantity) {
            return Err(Fault::new(format!("there are two priors of {quantity}")).remedy("Give one").input());
        }
    }
    if !(DRAWS.0..=DRAWS.1).contains(&draws) {
        return Err(Fault::new("the number of draws is out of range")
            .values([draws.to_string()])
            .remedy(format!("Ask for {} to {}", DRAWS.0, DRAWS.1))
            .input());
    }
    Ok(())
}

fn swings(asked: &Calculation, priors: &[(Uncertain, Prior)], sign: f64, level: f64) -> Vec<Swing> {
    let half = 0.5 * (1.0 - level);
    let mut swings: Vec<Swing> = priors
        .iter()
        .map(|(quantity, prior)| {
            let ends = [prior.quantile(half), prior.quantile(1.0 - half)];
            let power = ends.map(|end| {
                let mut asked = asked.clone();
                asked.set(*quantity, end).and_then(|()| asked.found(sign)).unwrap_or(f64::NAN)
            });
            Swing { quantity: *quantity, ends, power }
        })
        .collect();
    let width = |swing: &Swing| {
        let width = (swing.power[1] - swing.power[0]).abs();
        if width.is_nan() { f64::INFINITY } else { width }
    };
    swings.sort_by(|a, b| width(b).total_cmp(&width(a)));
    swings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::power::{ClusterSize, Distribution};

    fn crewe() -> Calculation {
        let plan = Plan::default().effect(0.112).clusters(286).icc(0.36).cluster_size(ClusterSize::Mean(3.0));
        Calculation::Binary(Binary::new(0.226, binary::Method::Unpooled, plan.distribution(Distribution::Z)))
    }

    #[test]
    fn both_tails_make_the_power() {
        let asked = crewe();
        let both = asked.tail(Hypothesis::TwoSided, 0.05).unwrap();
        let sides = asked.found(1.0).unwrap() + asked.found(-1.0).unwrap();
        assert!((both - sides).abs() < 1e-12 && asked.found(-1.0).unwrap() < 1e-5);
    }

    #[test]
    fn another_prior_changes_no_draw_of_the_first() {
        let icc = (Uncertain::Icc, Prior::Beta { mean: 0.36, sd: 0.1 });
        let alone = assurance(&crewe(), &[icc], 500, &3.into(), 0.95).unwrap();
        let narrow = (Uncertain::Baseline, Prior::Uniform { low: 0.226 - 1e-12, high: 0.226 + 1e-12 });
        let beside = assurance(&crewe(), &[narrow, icc], 500, &3.into(), 0.95).unwrap();
        let apart = alone.powers.iter().zip(&beside.powers).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-9, "{apart}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let message = |priors: &[(Uncertain, Prior)], draws| {
            assurance(&crewe(), priors, draws, &1.into(), 0.95).unwrap_err().to_string()
        };
        let icc = (Uncertain::Icc, Prior::Beta { mean: 0.36, sd: 0.1 });
        assert!(message(&[], 500).contains("nothing is uncertain"));
        assert!(message(&[icc, icc], 500).contains("two priors of icc"));
        assert!(message(&[icc], 10).contains("out of range"));
        assert!(
            message(&[(Uncertain::Sd, Prior::Uniform { low: 1.0, high: 2.0 })], 500).contains("has no sd")
        );
        assert!(
            message(&[(Uncertain::Icc, Prior::Beta { mean: 0.36, sd: 0.5 })], 500).contains("beta prior")
        );
        assert!(
            message(&[(Uncertain::Effect, Prior::Uniform { low: 0.5, high: 4.0 })], 500)
                .contains("cannot be")
        );
    }
}

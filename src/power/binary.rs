//! Power for a binary outcome in a trial that randomises clusters: three formulas, each by its name.
//!
//! With rates `p_0` (control) and `p_1 = p_0 + effect` (treated), and `n_0`, `n_1` independent units an arm after the
//! design effect (see [`crate::power`]):
//!
//! ```text
//! arcsine    lambda = |2 asin sqrt p_1 - 2 asin sqrt p_0| / sqrt(1/n_1 + 1/n_0)                       s = 1
//! unpooled   lambda = |effect| / se_1,  se_1^2 = p_1(1-p_1)/n_1 + p_0(1-p_0)/n_0                      s = 1
//! pooled     lambda = |effect| / se_1,  se_0^2 = p(1-p)(1/n_1 + 1/n_0)                      s = se_0 / se_1
//!            p = (n_1 p_1 + n_0 p_0) / (n_1 + n_0)
//! ```
//!
//! Sources: J. Cohen, *Statistical Power Analysis for the Behavioral Sciences*, second edition, Erlbaum, 1988,
//! chapter 6 (arcsine); J. L. Fleiss, B. Levin and M. C. Paik, *Statistical Methods for Rates and Proportions*, third
//! edition, Wiley, 2003, chapter 4 (pooled); A. Donner and N. Klar, *Design and Analysis of Cluster Randomization
//! Trials in Health Research*, Arnold, 2000, chapter 5 (unpooled, design effect). With singleton clusters arcsine is
//! `pwr::pwr.2p2n.test` and pooled at 1:1 is `stats::power.prop.test(strict = TRUE)` in R.

use serde::Serialize;

pub use super::answer::Direction;
use super::answer::{self, Answer, Scale, Written};
use super::outcome::{Arms, Outcome};
use super::plan::Plan;
use crate::setters::setters;
use crate::words::words;
use crate::{Fault, Result};

/// The formula.
///
/// ```
/// use crewe::power::binary::Method;
/// assert_eq!("pooled".parse(), Ok(Method::Pooled));
/// assert!(Method::Arcsine.source().starts_with("Cohen (1988)"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Cohen's h: the variance does not depend on the rates.
    Arcsine,
    /// The z test for two proportions, its null variance from the pooled rate.
    Pooled,
    /// The Wald test, its variance from each arm's own rate.
    Unpooled,
}

words!(Method, "method", Arcsine => "arcsine", Pooled => "pooled", Unpooled => "unpooled");

impl Method {
    /// The formula in words.
    pub fn formula(self) -> &'static str {
        match self {
            Self::Arcsine => "difference of arcsine-transformed proportions (Cohen's h)",
            Self::Pooled => "difference of proportions, pooled variance under the null",
            Self::Unpooled => "difference of proportions, unpooled variance (Wald)",
        }
    }

    /// Where it stands.
    pub fn source(self) -> &'static str {
        match self {
            Self::Arcsine => {
                "Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., chapter 6"
            }
            Self::Pooled => {
                "Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, 3rd ed., chapter 4"
            }
            Self::Unpooled => {
                "Donner and Klar (2000), Design and Analysis of Cluster Randomization Trials, chapter 5"
            }
        }
    }
}

/// What is asked.
///
/// ```
/// use crewe::power::{Direction, Plan};
/// use crewe::power::binary::{Binary, Method};
/// let asked = Binary::new(0.226, Method::Unpooled, Plan::default()).direction(Direction::Fall);
/// assert_eq!(asked.direction, Some(Direction::Fall));
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Binary {
    /// The control arm's rate.
    pub baseline: f64,
    /// The formula.
    pub method: Method,
    /// The direction sought; where the effect is given its sign decides, and a direction must agree.
    pub direction: Option<Direction>,
    /// How the effect is written.
    pub scale: Scale,
    /// The trial; its effect is a signed difference of proportions, or a ratio where the scale is one.
    pub plan: Plan,
}

impl Binary {
    /// A control arm's rate, a formula and the trial.
    #[must_use]
    pub fn new(baseline: f64, method: Method, plan: Plan) -> Self {
        Self { baseline, method, direction: None, scale: Scale::Difference, plan }
    }
}

setters!(Binary, direction: some(Direction), scale: plain(Scale));

/// Power, smallest detectable effect, clusters, ICC or cluster size: whichever the plan leaves out.
///
/// # Errors
/// A rate outside 0 to 1, an effect of nil or one that leaves 0 to 1, a direction that contradicts the effect's
/// sign, and whatever [`crate::power::solve`] refuses. A power out of reach is a result, with its ceiling.
///
/// ```
/// use crewe::power::{ClusterSize, Plan, binary::{Binary, Method, power}};
/// // Families of three, a baseline of 22.6%, an ICC of .36: 286 families detect a rise of 11.2 points.
/// let plan = Plan::default().clusters(286).power(0.8).icc(0.36).cluster_size(ClusterSize::Mean(3.0));
/// let answer = power(&Binary::new(0.226, Method::Arcsine, plan))?;
/// assert!((answer.solution.effect.unwrap() - 0.1124).abs() < 5e-5);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn power(asked: &Binary) -> Result<Answer> {
    let baseline = asked.baseline;
    answer::check_rate(baseline, "the control arm's rate")?;
    if asked.scale == Scale::HazardRatio {
        return Err(Fault::new("a hazard ratio belongs to times to an event")
            .remedy("Write the effect as difference, ratio or odds_ratio, or ask for survival")
            .input());
    }
    let treated = |effect: f64| match asked.scale {
        Scale::Ratio => baseline * effect,
        Scale::OddsRatio => {
            let odds = effect * baseline / (1.0 - baseline);
            odds / (1.0 + odds)
        }
        _ => baseline + effect,
    };
    let inside = |effect: f64| {
        let rate = treated(effect);
        if rate > 0.0 && rate < 1.0 {
            return Ok(if asked.scale == Scale::Difference { effect } else { rate - baseline });
        }
        Err(Fault::new("the effect takes the treated arm's rate out of 0 to 1")
            .values([match asked.scale {
                Scale::Difference => {
                    format!("{baseline} {} {} = {rate}", if effect < 0.0 { "-" } else { "+" }, effect.abs())
                }
                _ => format!("{baseline} times {effect} = {rate}"),
            }])
            .remedy("Give a smaller effect: 0.112, not 11.2, for 11.2 points, or a ratio such as 1.5")
            .input())
    };
    let written = |difference: f64| {
        let rate = (baseline + difference).clamp(0.0, 1.0);
        match asked.scale {
            Scale::Ratio => rate / baseline,
            Scale::OddsRatio => rate / (1.0 - rate) / (baseline / (1.0 - baseline)),
            _ => difference,
        }
    };
    let written = Written {
        scale: asked.scale,
        inside: &inside,
        written: &written,
        example: "Give the signed difference of proportions, for instance 0.112 for a rise of 11.2 points, or a ratio such as 1.5",
    };
    let direction = answer::direction(&asked.plan, asked.direction, &written)?;
    let rates = Rates { baseline, method: asked.method, direction };
    let solution = answer::solved(&rates, &asked.plan, &written)?;
    let treated = solution.effect.map(treated);
    Ok(Answer {
        baseline: Some(baseline),
        treated,
        method: asked.method.name(),
        formula: asked.method.formula(),
        source: asked.method.source(),
        scale: asked.scale,
        direction,
        events: None,
        solution,
    })
}

/// Two rates compared by one of the formulas.
struct Rates {
    baseline: f64,
    method: Method,
    direction: Direction,
}

impl Outcome for Rates {
    fn contrast(&self, effect: f64) -> f64 {
        if self.method == Method::Arcsine {
            let rate = (self.baseline + effect).clamp(0.0, 1.0);
            return 2.0 * (rate.sqrt().asin() - self.baseline.sqrt().asin());
        }
        effect
    }

    fn errors(&self, effect: f64, arms: Arms) -> (f64, f64) {
        let (p0, p1) = (self.baseline, (self.baseline + effect).clamp(0.0, 1.0));
        let inverse = 1.0 / arms.treated + 1.0 / arms.control;
        if self.method == Method::Arcsine {
            let error = inverse.sqrt();
            return (error, error);
        }
        let own = (p1 * (1.0 - p1) / arms.treated + p0 * (1.0 - p0) / arms.control).sqrt();
        if self.method == Method::Unpooled {
            return (own, own);
        }
        let pooled = (arms.treated * p1 + arms.control * p0) / (arms.treated + arms.control);
        (own, (pooled * (1.0 - pooled) * inverse).sqrt())
    }

    fn limit(&self) -> f64 {
        match self.direction {
            Direction::Rise => 1.0 - self.baseline,
            Direction::Fall => -self.baseline,
        }
    }
}

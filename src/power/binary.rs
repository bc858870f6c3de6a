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

use super::{Arms, Outcome, Plan, Solution, Standardised, Unknown, solve};
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

/// Whether the treated arm's rate is higher or lower; there is no third.
///
/// ```
/// use crewe::power::binary::Direction;
/// assert_eq!("fall".parse(), Ok(Direction::Fall));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Higher: a positive effect.
    Rise,
    /// Lower: a negative effect.
    Fall,
}

words!(Direction, "direction", Rise => "rise", Fall => "fall");

/// What is asked.
///
/// ```
/// use crewe::power::Plan;
/// use crewe::power::binary::{Binary, Direction, Method};
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
    /// The trial; its effect is a signed difference of proportions.
    pub plan: Plan,
}

impl Binary {
    /// A control arm's rate, a formula and the trial.
    #[must_use]
    pub fn new(baseline: f64, method: Method, plan: Plan) -> Self {
        Self { baseline, method, direction: None, plan }
    }
}

setters!(Binary, direction: some(Direction));

/// The answer.
///
/// ```
/// use crewe::power::{ClusterSize, Plan, binary::{Binary, Method, power}};
/// let plan = Plan::default().effect(0.112).clusters(286).icc(0.36).cluster_size(ClusterSize::Mean(3.0));
/// let answer = power(&Binary::new(0.226, Method::Arcsine, plan))?;
/// assert_eq!(answer.treated, Some(0.226 + 0.112));
/// assert_eq!(answer.direction.name(), "rise");
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct BinaryPower {
    /// The control arm's rate.
    pub baseline: f64,
    /// The treated arm's rate; `None` where the effect is unattainable.
    pub treated: Option<f64>,
    /// The formula.
    pub method: Method,
    /// The direction.
    pub direction: Direction,
    /// The solved plan.
    pub solution: Solution,
}

/// Power, smallest detectable effect, clusters, ICC or cluster size: whichever the plan leaves out.
///
/// # Errors
/// A rate outside 0 to 1, an effect of nil or one that leaves 0 to 1, a direction that contradicts the effect's
/// sign, and whatever [`solve`] refuses. A power out of reach is a result, with its ceiling.
///
/// ```
/// use crewe::power::{ClusterSize, Plan, binary::{Binary, Method, power}};
/// // Families of three, a baseline of 22.6%, an ICC of .36: 286 families detect a rise of 11.2 points.
/// let plan = Plan::default().clusters(286).power(0.8).icc(0.36).cluster_size(ClusterSize::Mean(3.0));
/// let answer = power(&Binary::new(0.226, Method::Arcsine, plan))?;
/// assert!((answer.solution.effect.unwrap() - 0.1124).abs() < 5e-5);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn power(asked: &Binary) -> Result<BinaryPower> {
    let baseline = asked.baseline;
    if !(baseline > 0.0 && baseline < 1.0) {
        return Err(Fault::new("baseline, the control arm's rate, must lie between 0 and 1")
            .values([baseline.to_string()])
            .remedy("Give it as a share, for instance 0.226 for 22.6%")
            .input());
    }
    let direction = direction(asked)?;
    let rates = Rates { baseline, method: asked.method, direction };
    let mut solution = solve(&rates, &asked.plan)?;
    if solution.solved == Unknown::Effect && solution.unattainable.is_some() {
        solution.effect = None;
    }
    let treated = solution.effect.map(|effect| baseline + effect);
    Ok(BinaryPower { baseline, treated, method: asked.method, direction, solution })
}

fn direction(asked: &Binary) -> Result<Direction> {
    let Some(effect) = asked.plan.effect else { return Ok(asked.direction.unwrap_or(Direction::Rise)) };
    if effect == 0.0 || !effect.is_finite() {
        return Err(Fault::new("the effect must be a number other than 0")
            .values([effect.to_string()])
            .remedy("Give the signed difference of proportions, for instance 0.112 for a rise of 11.2 points")
            .input());
    }
    let treated = asked.baseline + effect;
    if !(treated > 0.0 && treated < 1.0) {
        return Err(Fault::new("the effect takes the treated arm's rate out of 0 to 1")
            .values([format!(
                "{} {} {} = {treated}",
                asked.baseline,
                if effect < 0.0 { "-" } else { "+" },
                effect.abs()
            )])
            .remedy("Give a smaller effect, as a difference of proportions: 0.112, not 11.2, for 11.2 points")
            .input());
    }
    let direction = if effect > 0.0 { Direction::Rise } else { Direction::Fall };
    if asked.direction.is_some_and(|wanted| wanted != direction) {
        return Err(Fault::new("the effect's sign contradicts the direction")
            .values([effect.to_string()])
            .remedy("A rise is a positive effect and a fall a negative one: leave the direction out or change the sign")
            .input());
    }
    Ok(direction)
}

/// Two rates compared by one of the formulas.
struct Rates {
    baseline: f64,
    method: Method,
    direction: Direction,
}

impl Outcome for Rates {
    fn standardise(&self, effect: f64, arms: Arms) -> Standardised {
        let (p0, p1) = (self.baseline, (self.baseline + effect).clamp(0.0, 1.0));
        let inverse = 1.0 / arms.treated + 1.0 / arms.control;
        if self.method == Method::Arcsine {
            let h = 2.0 * (p1.sqrt().asin() - p0.sqrt().asin()).abs();
            return Standardised { noncentrality: h / inverse.sqrt(), null_scale: 1.0 };
        }
        let own = (p1 * (1.0 - p1) / arms.treated + p0 * (1.0 - p0) / arms.control).sqrt();
        let null_scale = if self.method == Method::Pooled {
            let pooled = (arms.treated * p1 + arms.control * p0) / (arms.treated + arms.control);
            (pooled * (1.0 - pooled) * inverse).sqrt() / own
        } else {
            1.0
        };
        Standardised { noncentrality: effect.abs() / own, null_scale }
    }

    fn limit(&self) -> f64 {
        match self.direction {
            Direction::Rise => 1.0 - self.baseline,
            Direction::Fall => -self.baseline,
        }
    }
}

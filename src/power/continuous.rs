//! Power for a continuous outcome: the difference of two means.
//!
//! ```text
//! error = sd sqrt(1/n_1 + 1/n_0)
//! ```
//!
//! with `n_1`, `n_0` independent units an arm (see [`crate::power`]). With `sd = 1` effects are in standard deviations of
//! the outcome: its total one, within and between clusters. With singleton clusters and the t law it is `pwr::pwr.t2n.test`
//! in R, and with clusters PowerUpR's `power.cra2`.
//!
//! Source: S. W. Raudenbush, Psychological Methods 2 (1997) 173-185, <https://doi.org/10.1037/1082-989X.2.2.173>.

use serde::Serialize;

use super::answer::{self, Answer, Direction, Scale, Written};
use super::outcome::{Arms, Outcome};
use super::plan::Plan;
use crate::Result;
use crate::setters::setters;

/// What is asked.
///
/// ```
/// use crewe::power::Plan;
/// use crewe::power::continuous::Continuous;
/// assert_eq!(Continuous::new(Plan::default()).sd, 1.0);
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Continuous {
    /// The outcome's standard deviation, within and between clusters; 1 for effects in standard deviations.
    pub sd: f64,
    /// The direction sought; where the effect is given its sign decides, and a direction must agree.
    pub direction: Option<Direction>,
    /// The trial; its effect is a difference of means.
    pub plan: Plan,
}

impl Continuous {
    /// Effects in standard deviations.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self { sd: 1.0, direction: None, plan }
    }
}

setters!(Continuous, sd: plain(f64), direction: some(Direction));

/// Power, smallest detectable effect, clusters, ICC, cluster size or R2: whichever the plan leaves out.
///
/// # Errors
/// A standard deviation that is not above 0, an effect of nil, a direction that contradicts the effect's sign, and whatever
/// [`crate::power::solve`] refuses.
///
/// ```
/// use crewe::power::{ClusterSize, Plan, continuous::{Continuous, power}};
/// // 40 schools of 60 pupils, ICC .15: what the trial detects, in standard deviations.
/// let plan = Plan::default().clusters(40).power(0.8).icc(0.15).cluster_size(ClusterSize::Mean(60.0));
/// let answer = power(&Continuous::new(plan))?;
/// assert!((answer.solution.effect.unwrap() - 0.36836).abs() < 1e-5, "{:?}", answer.solution.effect);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn power(asked: &Continuous) -> Result<Answer> {
    answer::check_positive(
        "sd",
        asked.sd,
        "Give the outcome's standard deviation, or leave it out for effects in SD",
    )?;
    let same = |effect: f64| effect;
    let written = Written {
        scale: Scale::Difference,
        inside: &|effect| Ok(effect),
        written: &same,
        example: "Give the signed difference of means, for instance 0.25 for a quarter of a standard deviation",
    };
    let direction = answer::direction(&asked.plan, asked.direction, &written)?;
    let solution = answer::solved(&Means { sd: asked.sd, direction }, &asked.plan, &written)?;
    Ok(Answer {
        baseline: None,
        treated: None,
        method: "means",
        formula: "difference of means",
        source: "Raudenbush (1997), Psychological Methods 2, 173",
        scale: Scale::Difference,
        direction,
        events: None,
        solution,
    })
}

struct Means {
    sd: f64,
    direction: Direction,
}

impl Outcome for Means {
    fn errors(&self, _effect: f64, arms: Arms) -> (f64, f64) {
        let error = self.sd * (1.0 / arms.treated + 1.0 / arms.control).sqrt();
        (error, error)
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn limit(&self) -> f64 {
        self.direction.sign() * f64::INFINITY
    }
}

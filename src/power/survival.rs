//! Power for times to an event: the log-rank test and Cox regression.
//!
//! With a hazard ratio `HR`, shares with the event by the end of follow-up `q_0 = baseline` and
//! `q_1 = 1 - (1 - q_0)^HR` (proportional hazards), and `n_1`, `n_0` independent units an arm, `D = n_1 q_1 + n_0 q_0` and
//! `phi = n_1 / (n_1 + n_0)`:
//!
//! ```text
//! schoenfeld  lambda = |ln HR| sqrt(phi (1 - phi) D)
//! freedman    lambda = |HR - 1| sqrt(phi (1 - phi) D) / (1 - phi + phi HR)
//! wald        lambda = |ln HR| / sqrt(1 / (n_1 q_1) + 1 / (n_0 q_0))
//! ```
//!
//! Siblings enter through the design effect, with the intracluster correlation of the scores of the log-rank test (the
//! martingale residuals): what one event says of the others of its family. It is that of the sum over follow-up, smaller
//! than the correlation of the times where many are censored.
//!
//! Sources: D. A. Schoenfeld, Biometrics 39 (1983) 499-503, <https://doi.org/10.2307/2531021>; L. S. Freedman, Statistics in
//! Medicine 1 (1982) 121-129, <https://doi.org/10.1002/sim.4780010204>; D. Collett, *Modelling Survival Data in Medical
//! Research*, third edition, CRC, 2015, chapter 15 (Wald); T. Xie and J. Waksman, Statistics in Medicine 22 (2003)
//! 2835-2846, <https://doi.org/10.1002/sim.1536> (clusters).

use serde::Serialize;

use super::answer::{self, Answer, Direction, Scale, Written};
use super::outcome::{Arms, Outcome};
use super::plan::Plan;
use crate::setters::setters;
use crate::words::words;
use crate::{Fault, Result};

/// The formula.
///
/// ```
/// use crewe::power::survival::Method;
/// assert_eq!("freedman".parse(), Ok(Method::Freedman));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// The log-rank test near no effect, from all events.
    Schoenfeld,
    /// The log-rank test, its mean for the hazard ratio itself.
    Freedman,
    /// Cox regression, from the events of each arm.
    Wald,
}

words!(Method, "method", Schoenfeld => "schoenfeld", Freedman => "freedman", Wald => "wald");

impl Method {
    fn formula(self) -> &'static str {
        match self {
            Self::Schoenfeld => "log-rank test, logarithm of the hazard ratio and all events",
            Self::Freedman => "log-rank test, the mean of its statistic at the hazard ratio",
            Self::Wald => "Cox regression, logarithm of the hazard ratio and the events of each arm",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Schoenfeld => "Schoenfeld (1983), Biometrics 39, 499",
            Self::Freedman => "Freedman (1982), Statistics in Medicine 1, 121",
            Self::Wald => "Collett (2015), Modelling Survival Data in Medical Research, 3rd ed., chapter 15",
        }
    }
}

/// What is asked.
///
/// ```
/// use crewe::power::Plan;
/// use crewe::power::survival::{Method, Survival};
/// assert_eq!(Survival::new(0.6, Method::Schoenfeld, Plan::default()).baseline, 0.6);
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Survival {
    /// The share of the control arm with the event by the end of follow-up.
    pub baseline: f64,
    /// The formula.
    pub method: Method,
    /// The direction sought; where the effect is given it decides, and a direction must agree.
    pub direction: Option<Direction>,
    /// The trial; its effect is a hazard ratio.
    pub plan: Plan,
}

impl Survival {
    /// A control arm's share of events, a formula and the trial.
    #[must_use]
    pub fn new(baseline: f64, method: Method, plan: Plan) -> Self {
        Self { baseline, method, direction: None, plan }
    }
}

setters!(Survival, direction: some(Direction));

/// Power, smallest detectable hazard ratio, clusters, ICC, cluster size or R2: whichever the plan leaves out.
///
/// # Errors
/// A share outside 0 to 1, a hazard ratio that is not above 0 or is 1, a direction that contradicts it, and whatever
/// [`crate::power::solve`] refuses.
///
/// ```
/// use crewe::power::{ClusterSize, Distribution, Plan, survival::{Method, Survival, power}};
/// // Schoenfeld: 247 events for a hazard ratio of .7 at 80% power.
/// let plan = Plan::default().effect(0.7).power(0.8).cluster_size(ClusterSize::Mean(1.0));
/// let answer = power(&Survival::new(0.6, Method::Schoenfeld, plan))?;
/// assert!((answer.events.unwrap() - 247.0).abs() < 1.0);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn power(asked: &Survival) -> Result<Answer> {
    let baseline = asked.baseline;
    answer::check_rate(baseline, "the share of the control arm with the event by the end,")?;
    let plan = &asked.plan;
    if plan.r2 != Some(0.0) || plan.r2_cluster.is_some() || plan.baseline.is_some() {
        return Err(Fault::new("covariates do not lower the variance of a hazard ratio, whatever they explain of the times")
            .remedy("Leave r2 and r2_cluster out; where they explain what siblings have in common, give a smaller icc")
            .input());
    }
    let inside = |ratio: f64| {
        if ratio > 0.0 && ratio.is_finite() {
            return Ok(ratio.ln());
        }
        Err(Fault::new("a hazard ratio must be above 0")
            .values([ratio.to_string()])
            .remedy("Give the treated arm's hazard over the control arm's, for instance 0.7")
            .input())
    };
    let exp = |log: f64| log.exp();
    let written = Written {
        scale: Scale::HazardRatio,
        inside: &inside,
        written: &exp,
        example: "Give the treated arm's hazard over the control arm's, for instance 0.7",
    };
    let direction = answer::direction(&asked.plan, asked.direction, &written)?;
    let times = Times { baseline, method: asked.method, direction };
    let solution = answer::solved(&times, &asked.plan, &written)?;
    let treated = solution.effect.map(|ratio| times.treated(ratio.ln()));
    let share = asked.plan.allocation;
    let events = treated
        .zip(solution.units_analysed)
        .map(|(treated, units)| units * (share * treated + (1.0 - share) * baseline));
    Ok(Answer {
        baseline: Some(baseline),
        treated,
        method: asked.method.name(),
        formula: asked.method.formula(),
        source: asked.method.source(),
        scale: Scale::HazardRatio,
        direction,
        events,
        solution,
    })
}

struct Times {
    baseline: f64,
    method: Method,
    direction: Direction,
}

impl Times {
    /// The share of the treated with the event.
    fn treated(&self, log: f64) -> f64 {
        -libm::expm1(libm::log1p(-self.baseline) * log.exp())
    }
}

impl Outcome for Times {
    fn contrast(&self, log: f64) -> f64 {
        if self.method == Method::Freedman { libm::expm1(log) } else { log }
    }

    fn errors(&self, log: f64, arms: Arms) -> (f64, f64) {
        let events = (arms.treated * self.treated(log), arms.control * self.baseline);
        let error = if self.method == Method::Wald {
            (1.0 / events.0 + 1.0 / events.1).sqrt()
        } else {
            let phi = arms.treated / (arms.treated + arms.control);
            let own = 1.0 / (phi * (1.0 - phi) * (events.0 + events.1)).sqrt();
            if self.method == Method::Freedman { own * (1.0 - phi + phi * log.exp()) } else { own }
        };
        (error, error)
    }

    fn limit(&self) -> f64 {
        // Hazard ratios from e^-30 to e^30: beyond, nobody or everybody has the event at once.
        30.0 * self.direction.sign()
    }
}

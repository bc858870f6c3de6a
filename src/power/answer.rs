//! What every power calculation answers, and how an effect is written.

use serde::Serialize;

use super::outcome::Outcome;
use super::plan::{Hypothesis, Plan, Unknown};
use super::solve::{Solution, solve};
use crate::words::words;
use crate::{Fault, Result};

/// Whether the treated arm's value is higher or lower; there is no third.
///
/// ```
/// use crewe::power::Direction;
/// assert_eq!("fall".parse(), Ok(Direction::Fall));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Higher: a positive effect, a ratio above 1.
    Rise,
    /// Lower: a negative effect, a ratio below 1.
    Fall,
}

words!(Direction, "direction", Rise => "rise", Fall => "fall");

impl Direction {
    /// 1 or -1.
    pub fn sign(self) -> f64 {
        match self {
            Self::Rise => 1.0,
            Self::Fall => -1.0,
        }
    }
}

/// How an effect is written.
///
/// ```
/// use crewe::power::Scale;
/// assert_eq!("odds_ratio".parse(), Ok(Scale::OddsRatio));
/// assert_eq!(Scale::Ratio.null(), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scale {
    /// Treated less control, in the outcome's units.
    Difference,
    /// Treated over control: a ratio of risks, of rates.
    Ratio,
    /// Odds of the treated over odds of the controls.
    OddsRatio,
    /// Hazard of the treated over hazard of the controls.
    HazardRatio,
}

words!(
    Scale, "scale of the effect",
    Difference => "difference",
    Ratio => "ratio",
    OddsRatio => "odds_ratio",
    HazardRatio => "hazard_ratio",
);

impl Scale {
    /// The effect that is none.
    pub fn null(self) -> f64 {
        if self == Self::Difference { 0.0 } else { 1.0 }
    }
}

/// The answer to a power calculation.
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
pub struct Answer {
    /// The control arm's rate; for means the standard deviation stands in `sd` instead.
    pub baseline: Option<f64>,
    /// The treated arm's rate; `None` where the effect is unattainable, and for means.
    pub treated: Option<f64>,
    /// The name of the formula.
    pub method: &'static str,
    /// The formula in words.
    pub formula: &'static str,
    /// Where it stands.
    pub source: &'static str,
    /// How the effect is written.
    pub scale: Scale,
    /// The direction.
    pub direction: Direction,
    /// The expected number of events, for times to one.
    pub events: Option<f64>,
    /// The solved plan, its effect as it is written.
    pub solution: Solution,
}

/// How an outcome's effects are written, and what they are inside its formula.
pub(super) struct Written<'a> {
    /// How the effect is written.
    pub scale: Scale,
    /// Inside from as it is written; an error where no such effect is possible.
    pub inside: &'a dyn Fn(f64) -> Result<f64>,
    /// As it is written, from inside.
    pub written: &'a dyn Fn(f64) -> f64,
    /// An example of an effect, for errors.
    pub example: &'static str,
}

/// Checks the sign of an effect against the direction asked for. An effect of none is an effect only where a margin is.
pub(super) fn direction(plan: &Plan, asked: Option<Direction>, written: &Written<'_>) -> Result<Direction> {
    let Some(effect) = plan.effect else { return Ok(asked.unwrap_or(Direction::Rise)) };
    let null = written.scale.null();
    let margins = matches!(plan.hypothesis, Hypothesis::NonInferiority | Hypothesis::Equivalence);
    if !effect.is_finite() || (effect == null && !margins) {
        return Err(Fault::new(format!("the effect must be a number other than {null}"))
            .values([effect.to_string()])
            .remedy(written.example)
            .input());
    }
    if null == 1.0 && effect <= 0.0 {
        return Err(Fault::new("a ratio must be above 0")
            .values([effect.to_string()])
            .remedy(written.example)
            .input());
    }
    let found = match (effect > null, effect < null) {
        (true, _) => Direction::Rise,
        (_, true) => Direction::Fall,
        _ => asked.unwrap_or(Direction::Rise),
    };
    if asked.is_some_and(|wanted| wanted != found) {
        return Err(Fault::new("the effect's sign contradicts the direction")
            .values([effect.to_string()])
            .remedy("A rise is a positive effect (a ratio above 1) and a fall a negative one (a ratio below 1): leave the direction out or change the effect")
            .input());
    }
    Ok(found)
}

/// Solves a plan whose effect and margin are as they are written; the solution's effect is too.
pub(super) fn solved(outcome: &impl Outcome, plan: &Plan, written: &Written<'_>) -> Result<Solution> {
    let mut inner = plan.clone();
    inner.effect = plan.effect.map(written.inside).transpose()?;
    let null = written.scale.null();
    inner.margin = match plan.margin {
        // No difference is refused by the plan's own check.
        Some(margin) if margin == null => Some(0.0),
        Some(margin) if null == 1.0 && !(margin > 0.0 && margin.is_finite()) => {
            return Err(Fault::new("a margin that is a ratio must be above 0")
                .values([margin.to_string()])
                .remedy("Give the ratio that still counts as no worse, for instance 0.8 or 1.25")
                .input());
        }
        margin => margin.map(written.inside).transpose()?,
    };
    let mut solution = solve(outcome, &inner)?;
    if solution.solved == Unknown::Effect {
        if let Some(ceiling) = &mut solution.unattainable {
            ceiling.at = (written.written)(ceiling.at);
            solution.effect = None;
        }
        solution.effect = solution.effect.map(written.written);
    } else {
        solution.effect = plan.effect;
    }
    refuse_no_number(&solution)?;
    Ok(solution)
}

/// Refuses an answer that is no number: the standard error was nought, or past all bounds.
fn refuse_no_number(solution: &Solution) -> Result<()> {
    let found = [
        ("effect", solution.effect),
        ("power", solution.power),
        ("effective units", solution.effective),
        ("highest power", solution.unattainable.map(|ceiling| ceiling.power)),
        ("standard error", solution.error),
    ];
    let wrong: Vec<String> = found
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_finite())?)))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Fault::new("the calculation has no number for an answer: its standard error is nought or boundless")
        .values(wrong)
        .remedy(
            "Give sizes, variation and level as a trial has them; with an interaction of members the ICC must be below \
             1, since they are compared within clusters",
        )
        .input())
}

/// Refuses a rate outside 0 to 1.
pub(super) fn check_rate(baseline: f64, what: &str) -> Result<()> {
    if baseline > 0.0 && baseline < 1.0 {
        return Ok(());
    }
    Err(Fault::new(format!("baseline, {what}, must lie between 0 and 1"))
        .values([baseline.to_string()])
        .remedy("Give it as a share, for instance 0.226 for 22.6%")
        .input())
}

/// Refuses what is not a positive number.
pub(super) fn check_positive(name: &str, value: f64, remedy: &str) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Fault::new(format!("{name} must be above 0")).values([value.to_string()]).remedy(remedy).input())
}

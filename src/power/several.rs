//! Power for several outcomes together: any of them, all, or at least so many.
//!
//! Each outcome has its power at each level that a procedure tests it at (from its own closed form). The tests are joined
//! by one correlation `r >= 0` of the test statistics, which in a trial is that of the outcomes themselves: with a common
//! factor `F`, an outcome whose power at a level is `p` is found there with probability
//!
//! ```text
//! Phi((sqrt(r) F + Phi^-1(p)) / sqrt(1 - r))
//! ```
//!
//! independently of the others, and the result is the mean over `F`. For one-sided z tests this is the multivariate normal
//! itself; for two-sided ones the far tail is taken to go with the near one. Holm's procedure compares the i-th smallest
//! p-value with `alpha / (m - i + 1)` and stops at the first that is above: all paths are added up over the sets of outcomes
//! found so far.
//!
//! Sources: S. Holm, Scandinavian Journal of Statistics 6 (1979) 65-70; K. E. Porter, Journal of Research on Educational
//! Effectiveness 11 (2018) 267-295, <https://doi.org/10.1080/19345747.2017.1342887> (the kinds of power).

use serde::Serialize;

use crate::dist::{normal_cdf, normal_quantile};
use crate::words::words;
use crate::{Fault, Result};

/// How the level is shared between outcomes.
///
/// ```
/// use crewe::power::several::Procedure;
/// assert_eq!(Procedure::Holm.levels(0.05, 2), [0.025, 0.05]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Procedure {
    /// Each outcome at the whole level.
    None,
    /// Each at the level over the number of outcomes.
    Bonferroni,
    /// Step by step, the smallest p-value first.
    Holm,
}

words!(Procedure, "procedure", None => "none", Bonferroni => "bonferroni", Holm => "holm");

impl Procedure {
    /// The levels at which outcomes are tested, in the order of the steps.
    pub fn levels(self, alpha: f64, outcomes: usize) -> Vec<f64> {
        let all = outcomes as f64;
        match self {
            Self::None => vec![alpha],
            Self::Bonferroni => vec![alpha / all],
            Self::Holm => (0..outcomes).map(|step| alpha / (all - step as f64)).collect(),
        }
    }
}

/// Power of several outcomes together.
///
/// ```
/// use crewe::power::several::{Procedure, several};
/// // Independent outcomes, each with power .8 at its level.
/// let together = several(&[vec![0.8], vec![0.8]], 0.0, Procedure::Bonferroni)?;
/// assert!((together.at_least[0] - 0.96).abs() < 1e-12 && (together.at_least[1] - 0.64).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Several {
    /// The chance of finding each outcome, shape (outcomes,).
    pub each: Vec<f64>,
    /// The chance of finding at least 1, 2, ... all outcomes, shape (outcomes,).
    pub at_least: Vec<f64>,
}

/// The most outcomes: paths grow as three to their number.
pub const MOST: usize = 10;

/// Power of outcomes together, from `powers[outcome][step]` at the [`Procedure::levels`] and one correlation.
///
/// # Errors
/// Fewer than 2 or more than [`MOST`] outcomes, another number of powers than the procedure has steps, a power outside 0 to
/// 1, and a correlation outside 0 to 1.
pub fn several(powers: &[Vec<f64>], correlation: f64, procedure: Procedure) -> Result<Several> {
    check(powers, correlation, procedure)?;
    let outcomes = powers.len();
    let bounds: Vec<Vec<f64>> =
        powers.iter().map(|steps| steps.iter().map(|&p| normal_quantile(p)).collect()).collect();
    let (near, far) = (correlation.sqrt(), (1.0 - correlation).sqrt());
    // The trapezoidal rule over F: the integrand turns within `far`, and the density is negligible beyond 9.
    let step = if correlation == 0.0 { 18.0 } else { (0.1 * far).min(0.1) };
    let nodes = (9.0 / step).ceil() as i64;
    let mut together = Several { each: vec![0.0; outcomes], at_least: vec![0.0; outcomes] };
    let mut mass = 0.0;
    for node in -nodes..=nodes {
        let factor = if correlation == 0.0 { 0.0 } else { node as f64 * step };
        let weight = (-0.5 * factor * factor).exp();
        mass += weight;
        let found = |outcome: usize, at: usize| {
            let bound = bounds[outcome][at];
            if bound.is_infinite() {
                f64::from(u8::from(bound > 0.0))
            } else {
                normal_cdf((near * factor + bound) / far)
            }
        };
        paths(outcomes, procedure, &found, &mut |set, chance| {
            for (outcome, total) in together.each.iter_mut().enumerate() {
                if set & (1 << outcome) != 0 {
                    *total += weight * chance;
                }
            }
            for total in &mut together.at_least[..set.count_ones() as usize] {
                *total += weight * chance;
            }
        });
    }
    for total in together.each.iter_mut().chain(&mut together.at_least) {
        *total /= mass;
    }
    Ok(together)
}

/// Every set of outcomes that may be found, with its chance.
fn paths(
    outcomes: usize,
    procedure: Procedure,
    found: &dyn Fn(usize, usize) -> f64,
    end: &mut dyn FnMut(u32, f64),
) {
    let sets = 1_u32 << outcomes;
    let steps = if procedure == Procedure::Holm { outcomes } else { 1 };
    // The chance of each set of outcomes beyond the bound of the step before, all steps passed so far.
    let mut open = vec![0.0; sets as usize];
    open[0] = 1.0;
    for step in 0..steps {
        let mut next = vec![0.0; sets as usize];
        for (set, &chance) in open.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
            let rest = !(set as u32) & (sets - 1);
            // Each subset of the rest: those that lie between this step's bound and the one before.
            let mut more = rest;
            loop {
                let mut here = chance;
                for outcome in 0..outcomes {
                    if rest & (1 << outcome) != 0 {
                        let before = if step == 0 { 0.0 } else { found(outcome, step - 1) };
                        // Given that it was not beyond the bound before.
                        let now = if before >= 1.0 {
                            0.0
                        } else {
                            ((found(outcome, step) - before) / (1.0 - before)).clamp(0.0, 1.0)
                        };
                        here *= if more & (1 << outcome) != 0 { now } else { 1.0 - now };
                    }
                }
                let reached = set as u32 | more;
                if procedure == Procedure::Holm && (reached.count_ones() as usize) <= step {
                    end(reached, here);
                } else {
                    next[reached as usize] += here;
                }
                if more == 0 {
                    break;
                }
                more = (more - 1) & rest;
            }
        }
        open = next;
    }
    for (set, &chance) in open.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
        end(set as u32, chance);
    }
}

fn check(powers: &[Vec<f64>], correlation: f64, procedure: Procedure) -> Result<()> {
    if !(0.0..1.0).contains(&correlation) {
        return Err(Fault::new("the correlation of the outcomes must be at least 0 and below 1")
            .values([correlation.to_string()])
            .remedy("Give one correlation for all pairs of outcomes, signed so that better goes with better, or a matrix")
            .input());
    }
    check_outcomes(powers, procedure)
}

/// Refuses powers that do not fit the procedure.
pub(super) fn check_outcomes(powers: &[Vec<f64>], procedure: Procedure) -> Result<()> {
    if !(2..=MOST).contains(&powers.len()) {
        return Err(Fault::new(format!("several outcomes are 2 to {MOST}"))
            .values([powers.len().to_string()])
            .remedy("Give one calculation an outcome, and none for outcomes that are not tested together")
            .input());
    }
    let steps = procedure.levels(0.05, powers.len()).len();
    let right = |own: &Vec<f64>| own.len() == steps && own.iter().all(|p| (0.0..=1.0).contains(p));
    if !powers.iter().all(right) {
        return Err(Fault::new("every outcome needs a power between 0 and 1 at each level of the procedure")
            .values([format!("{steps} levels")])
            .remedy("Give the powers at the levels of the procedure")
            .input());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_outcomes_multiply_under_holm_as_well() {
        // Two outcomes with powers a at alpha/2 and b at alpha: both are found where either passes a and both pass b.
        let (a, b) = ([0.6, 0.7], [0.75, 0.8]);
        let found = several(&[vec![a[0], b[0]], vec![a[1], b[1]]], 0.0, Procedure::Holm).unwrap();
        let any = 1.0 - (1.0 - a[0]) * (1.0 - a[1]);
        let all = b[0] * b[1] - (b[0] - a[0]) * (b[1] - a[1]);
        assert!((found.at_least[0] - any).abs() < 1e-14 && (found.at_least[1] - all).abs() < 1e-14);
        assert!((found.each[0] + found.each[1] - any - all).abs() < 1e-14);
    }

    #[test]
    fn margins_stay_and_correlation_joins() {
        for correlation in [0.0, 0.3, 0.9, 0.99] {
            let found = several(&vec![vec![0.8]; 3], correlation, Procedure::None).unwrap();
            assert!(found.each.iter().all(|p| (p - 0.8).abs() < 1e-9), "{correlation}: {:?}", found.each);
            assert!(found.at_least[0] >= 0.8 - 1e-12 && found.at_least[2] <= 0.8 + 1e-12);
        }
        let joined = several(&vec![vec![0.8]; 3], 0.999, Procedure::None).unwrap();
        assert!((joined.at_least[0] - joined.at_least[2]).abs() < 0.05);
    }
}

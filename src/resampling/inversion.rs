//! Confidence intervals by inverting the test: the effects that it does not reject.
//!
//! The hypothesis of an effect e says that treatment adds e to every outcome. It is tested by taking e off the outcomes
//! of the treated and testing for no effect, over the same assignments (J. L. Hodges and E. L. Lehmann 1963,
//! doi:10.1214/aoms/1177704172; P. R. Rosenbaum 2002, Observational Studies, 2.6). The interval holds the effects that
//! neither one-sided test rejects at half the error probability.
//!
//! For a difference in means every assignment's statistic is linear in e: it is a - e b, where a comes from the outcomes
//! and b from the treated units' indicator, and the trial's own is t - e. So the assignment counts as at least as large
//! once e (1 - b) >= t - a, and the limits are found exactly among the ratios (t - a) / (1 - b). Other statistics take
//! bisection. Where even an infinite effect is not rejected the limit is infinite.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::Result;
use crate::nonparametric::Interval;

/// Differences of b from 1 below this are rounding: b is a difference of shares.
const SAME: f64 = 1e-12;
/// Room for rounding in the comparison of a p-value with an error probability.
const SLACK: f64 = 1.0 + 1e-12;
/// An effect of so many standard deviations that is not rejected counts as an infinite one.
pub(super) const FAR: f64 = 1_048_576.0;
/// Bisection stops at this share of a standard deviation.
const NEAR: f64 = 1e-11;

/// The statistics of all assignments as lines in the effect.
pub(super) struct Lines<'a> {
    /// Their values at no effect.
    pub a: &'a [f64],
    /// How much an effect of 1 takes off them.
    pub b: &'a [f64],
    /// Their weights; nothing for draws.
    pub weight: Option<&'a [f64]>,
    /// The trial's own value; an effect of 1 takes 1 off it.
    pub observed: f64,
    /// Values no further apart are equal.
    pub tolerance: f64,
}

impl Lines<'_> {
    /// The interval that leaves these error probabilities below and above; infinite where one is nothing.
    pub fn interval(&self, below: Option<f64>, above: Option<f64>) -> Interval {
        Interval {
            low: below.map_or(f64::NEG_INFINITY, |alpha| self.limit(alpha, 1.0)),
            high: above.map_or(f64::INFINITY, |alpha| -self.limit(alpha, -1.0)),
        }
    }

    /// The smallest effect at which the upper tail exceeds `alpha`; with `sign` -1 the smallest negative of an effect
    /// at which the lower tail does.
    fn limit(&self, alpha: f64, sign: f64) -> f64 {
        let n = self.a.len();
        let all = match self.weight {
            Some(weight) => weight.iter().sum(),
            None => 1.0 + n as f64,
        };
        let mut active = if self.weight.is_some() { 0.0 } else { 1.0 };
        // Where an assignment begins to count, and where it ceases to.
        let (mut on, mut off): (Vec<(f64, f64)>, Vec<(f64, f64)>) = (Vec::with_capacity(n), Vec::new());
        for i in 0..n {
            let weight = self.weight.map_or(1.0, |weight| weight[i]);
            let gap = self.observed - self.a[i];
            let gap = if gap.abs() <= self.tolerance { 0.0 } else { sign * gap };
            let slope = 1.0 - self.b[i];
            if slope.abs() <= SAME {
                active += if gap <= 0.0 { weight } else { 0.0 };
            } else if slope > 0.0 {
                on.push((gap / slope, weight));
            } else {
                active += weight;
                off.push((gap / slope, weight));
            }
        }
        let enough = alpha * SLACK * all;
        if active > enough {
            return f64::NEG_INFINITY;
        }
        if self.weight.is_none() && off.is_empty() {
            // The first so many lines make the tail exceed alpha: the last of them is found without sorting.
            let needed = (enough - active).floor() as usize;
            return if needed < on.len() {
                on.select_nth_unstable_by(needed, |x, y| x.0.total_cmp(&y.0)).1.0
            } else {
                f64::INFINITY
            };
        }
        on.sort_unstable_by(|x, y| x.0.total_cmp(&y.0));
        off.sort_unstable_by(|x, y| x.0.total_cmp(&y.0));
        let mut ceased = off.iter().peekable();
        for (at, weight) in on {
            while let Some((_, gone)) = ceased.next_if(|(end, _)| *end < at) {
                active -= gone;
            }
            active += weight;
            if active > enough {
                return at;
            }
        }
        f64::INFINITY
    }
}

/// Where a limit may lie.
pub(super) struct Search {
    /// An effect that the test should not reject.
    pub start: f64,
    /// The standard deviation of the outcomes.
    pub scale: f64,
    /// The error probability on this side.
    pub alpha: f64,
    /// So many of these from the start, an effect that is not rejected counts as an infinite one.
    pub far: f64,
}

impl Search {
    /// The furthest effect from `start`, downwards where `sign` is -1, at which `tail` exceeds the error probability;
    /// nothing where it does not at `start`.
    pub fn limit(&self, sign: f64, tail: impl Fn(f64) -> Result<f64>) -> Result<Option<f64>> {
        let accepted = |effect: f64| -> Result<bool> { Ok(tail(effect)? > self.alpha * SLACK) };
        if !accepted(self.start)? {
            return Ok(None);
        }
        let (mut inside, mut step) = (self.start, self.scale);
        let mut outside = loop {
            let next = self.start + sign * step;
            if !accepted(next)? {
                break next;
            }
            if step >= self.far * self.scale {
                return Ok(Some(sign * f64::INFINITY));
            }
            inside = next;
            step *= 2.0;
        };
        while (outside - inside).abs() > NEAR * self.scale {
            let middle = 0.5 * (inside + outside);
            if middle == inside || middle == outside {
                break;
            }
            if accepted(middle)? {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        Ok(Some(inside))
    }
}

/// Where a statistic that falls with the effect is 0: the effect that fits best, the middle where it is 0 over a stretch;
/// infinite where it is 0 nowhere within `far` steps of `scale`.
pub(super) fn root(scale: f64, far: f64, statistic: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    // Where the statistic is 0 at no effect looked at, both edges look at the same ones.
    let seen = RefCell::new(HashMap::new());
    let statistic = |effect: f64| -> Result<f64> {
        if let Some(value) = seen.borrow().get(&effect.to_bits()) {
            return Ok(*value);
        }
        let value = statistic(effect)?;
        seen.borrow_mut().insert(effect.to_bits(), value);
        Ok(value)
    };
    let above = edge(scale, far, &|effect| Ok(statistic(effect)? > 0.0))?;
    let below = edge(scale, far, &|effect| Ok(statistic(effect)? >= 0.0))?;
    if above.is_infinite() { Ok(above) } else { Ok(0.5 * (above + below)) }
}

/// The effect up to which something holds.
fn edge(scale: f64, far: f64, holds: &dyn Fn(f64) -> Result<bool>) -> Result<f64> {
    let sign = if holds(0.0)? { 1.0 } else { -1.0 };
    let (mut near, mut step) = (0.0, scale);
    let mut beyond = loop {
        let next = sign * step;
        if holds(next)? != (sign > 0.0) {
            break next;
        }
        if step >= far * scale {
            return Ok(sign * f64::INFINITY);
        }
        near = next;
        step *= 2.0;
    };
    while (beyond - near).abs() > NEAR * scale {
        let middle = 0.5 * (near + beyond);
        if middle == near || middle == beyond {
            break;
        }
        if holds(middle)? == (sign > 0.0) {
            near = middle;
        } else {
            beyond = middle;
        }
    }
    Ok(0.5 * (near + beyond))
}

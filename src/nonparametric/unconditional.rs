//! The exact unconditional interval for a difference of rates (Chan and Zhang).
//!
//! For a difference delta = p1 - p2 the tables are ordered by the score statistic
//!
//! ```text
//! T(x; delta) = (x1/n1 - x2/n2 - delta)/sqrt(q1 (1 - q1)/n1 + q2 (1 - q2)/n2),
//! ```
//!
//! q the maximum likelihood rates under q1 - q2 = delta, and the tail is maximised over the rate that delta leaves free:
//!
//! ```text
//! P(delta) = max_p P(T >= t_obs | p + delta, p),   lower limit = inf {delta: P(delta) > alpha/2}.
//! ```
//!
//! The upper limit exchanges the groups. I. S. F. Chan and Z. Zhang (1999), Test-based exact confidence intervals for
//! the difference of two binomial proportions, doi:10.1111/j.0006-341X.1999.01202.x; C. P. Farrington and G. Manning
//! (1990), doi:10.1002/sim.4780091208, for the restricted rates.
//!
//! *Search.* P(delta) jumps where the order of the tables changes, so a bisection alone may miss the first
//! crossing. Every tail set has Barnard's convexity (with (x1, x2) it holds (x1 + 1, x2) and (x1, x2 - 1)), so it is one
//! boundary c(x1), found in n1 + n2 steps, and the probability of a fixed set grows with delta. On an interval
//! [a, b] of a grid of 128 steps, P is therefore bounded by the maximised probability, at b, of the union of the
//! tail sets at a and b; intervals whose bound stays under alpha/2 are left out, the others are halved from the left
//! down to 1e-10. The bound supposes that a table in neither end's set is in none between, which the grid makes
//! safe in practice but which is not proved. The maximum over p is taken on a grid of 200 steps, even in the arcsine of
//! the root so that rare events are met as closely as common ones, whose local peaks are refined by golden section.

use serde::Serialize;

use super::proportions::binomial_masses;
use super::{Interval, check_events, check_level};
use crate::progress::{Monitor, check};
use crate::{Fault, Result};

/// Cases beyond which the search is refused (about half a minute).
const MOST_CASES: u64 = 3_000;
const GRID: u32 = 128;
const NUISANCE: usize = 200;
const WIDTH: f64 = 1e-10;
/// Probabilities this far under the mode's are left out: together they are below 1e-36.
const NEGLIGIBLE: f64 = 1e-40;
/// Statistics this close count as equal.
const SLACK: f64 = 1e-9;

/// The exact interval and the test of no difference that belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChanZhang {
    /// The interval for the rate of the first group less that of the second.
    pub interval: Interval,
    /// Twice the smaller one-sided exact p-value at a difference of 0, at most 1.
    pub p_value: f64,
}

/// The exact unconditional interval for `events[0]/totals[0] - events[1]/totals[1]`.
///
/// # Errors
/// When a group is empty or has more events than cases, when there are more than 3,000 cases, when the level is not
/// between 0 and 1, or when the monitor stops the search.
///
/// ```
/// use crewe::nonparametric::chan_zhang;
/// use crewe::progress::NoMonitor;
/// // StatXact 11 gives -0.3108 to 0.5787, p = 0.5569, for 6/13 - 2/7.
/// let exact = chan_zhang([6, 2], [13, 7], 0.95, &NoMonitor)?;
/// assert!((exact.interval.low + 0.3108).abs() < 1e-4 && (exact.interval.high - 0.5787).abs() < 1e-4);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn chan_zhang(
    events: [u64; 2],
    totals: [u64; 2],
    level: f64,
    monitor: &dyn Monitor,
) -> Result<ChanZhang> {
    check_level(level)?;
    check_events(events[0], totals[0], "the first group")?;
    check_events(events[1], totals[1], "the second group")?;
    if totals[0] + totals[1] > MOST_CASES {
        return Err(Fault::new("the exact unconditional interval takes too long for so many cases")
            .values([format!("{} cases", totals[0] + totals[1])])
            .remedy("Use Newcombe's interval, which is accurate at this size")
            .input());
    }
    let alpha = 0.5 * (1.0 - level);
    let forward = Search { events, totals, alpha, monitor };
    let backward = Search { events: [events[1], events[0]], totals: [totals[1], totals[0]], alpha, monitor };
    let interval = Interval { low: forward.lower_limit()?, high: -backward.lower_limit()? };
    let upper = forward.worst(0.0, &forward.boundary(0.0), 1.0);
    let lower = backward.worst(0.0, &backward.boundary(0.0), 1.0);
    Ok(ChanZhang { interval, p_value: (2.0 * upper.min(lower)).min(1.0) })
}

struct Search<'a> {
    events: [u64; 2],
    totals: [u64; 2],
    alpha: f64,
    monitor: &'a dyn Monitor,
}

/// The tail set: x2 up to `boundary[x1] - 1` belongs to it.
type Boundary = Vec<usize>;

impl Search<'_> {
    fn estimate(&self) -> f64 {
        self.events[0] as f64 / self.totals[0] as f64 - self.events[1] as f64 / self.totals[1] as f64
    }

    fn lower_limit(&self) -> Result<f64> {
        let end = self.estimate();
        if end <= -1.0 {
            return Ok(-1.0);
        }
        let mut left = -1.0;
        let mut set = self.boundary(left);
        for cell in 1..=GRID {
            check(self.monitor, u64::from(cell - 1), u64::from(GRID))?;
            let right =
                if cell == GRID { end } else { -1.0 + (end + 1.0) * f64::from(cell) / f64::from(GRID) };
            let next = self.boundary(right);
            if let Some(found) = self.first_crossing(left, &set, right, &next)? {
                return Ok(if found < -1.0 + 1e-8 { -1.0 } else { found });
            }
            (left, set) = (right, next);
        }
        // At the estimate itself the tail holds at least the table seen and its maximum is far above alpha/2.
        Ok(end)
    }

    /// The leftmost delta in [a, b] with P(delta) > alpha.
    fn first_crossing(&self, a: f64, at_a: &Boundary, b: f64, at_b: &Boundary) -> Result<Option<f64>> {
        check(self.monitor, 0, 1)?;
        let union: Boundary = at_a.iter().zip(at_b).map(|(x, y)| *x.max(y)).collect();
        if self.worst(b, &union, self.alpha) <= self.alpha {
            return Ok(None);
        }
        if b - a <= WIDTH {
            return Ok((self.worst(b, at_b, self.alpha) > self.alpha).then_some(b));
        }
        let middle = 0.5 * (a + b);
        let at_middle = self.boundary(middle);
        match self.first_crossing(a, at_a, middle, &at_middle)? {
            None => self.first_crossing(middle, &at_middle, b, at_b),
            found => Ok(found),
        }
    }

    /// The tail set {T(x; delta) >= T(observed; delta)}.
    fn boundary(&self, delta: f64) -> Boundary {
        let observed = self.statistic(self.events[0], self.events[1], delta);
        let least = observed - SLACK * observed.abs().max(1.0);
        let mut count = 0;
        (0..=self.totals[0])
            .map(|x1| {
                while count <= self.totals[1] && self.statistic(x1, count, delta) >= least {
                    count += 1;
                }
                count as usize
            })
            .collect()
    }

    fn statistic(&self, x1: u64, x2: u64, delta: f64) -> f64 {
        let (n1, n2) = (self.totals[0] as f64, self.totals[1] as f64);
        let (x1, x2) = (x1 as f64, x2 as f64);
        let distance = x1 / n1 - x2 / n2 - delta;
        if distance.abs() < 1e-13 {
            return 0.0;
        }
        let q2 = restricted_rate(x1, n1, x2, n2, delta);
        let q1 = q2 + delta;
        let variance = (q1 * (1.0 - q1)).max(0.0) / n1 + (q2 * (1.0 - q2)).max(0.0) / n2;
        distance / variance.sqrt()
    }

    /// The probability of a tail set at delta, maximised over the second group's rate; the first value over
    /// `enough` will do.
    fn worst(&self, delta: f64, set: &Boundary, enough: f64) -> f64 {
        let (low, high) = ((-delta).max(0.0), (1.0 - delta).min(1.0));
        if high <= low {
            return self.probability(low, delta, set);
        }
        let at = |i: usize| {
            let angle = std::f64::consts::FRAC_PI_2 * i as f64 / NUISANCE as f64;
            low + (high - low) * angle.sin().powi(2)
        };
        let mut grid = Vec::with_capacity(NUISANCE + 1);
        for i in 0..=NUISANCE {
            let here = self.probability(at(i), delta, set);
            if here > enough {
                return here;
            }
            grid.push(here);
        }
        let mut most = grid.iter().copied().fold(0.0, f64::max);
        let promising = 0.8 * most;
        for i in 0..=NUISANCE {
            let before = if i == 0 { 0.0 } else { grid[i - 1] };
            let after = grid.get(i + 1).copied().unwrap_or(0.0);
            if grid[i] >= promising && grid[i] >= before && grid[i] >= after {
                let bracket = [at(i.saturating_sub(1)), at((i + 1).min(NUISANCE))];
                most = most.max(golden_maximum(bracket, |p| self.probability(p, delta, set)));
            }
        }
        most
    }

    fn probability(&self, p2: f64, delta: f64, set: &Boundary) -> f64 {
        let first = binomial_masses(self.totals[0] as usize, (p2 + delta).clamp(0.0, 1.0), NEGLIGIBLE);
        let second = binomial_masses(self.totals[1] as usize, p2.clamp(0.0, 1.0), NEGLIGIBLE);
        let (mut below, mut counted, mut total) = (0.0, 0, 0.0);
        for (mass, &count) in first.iter().zip(set) {
            while counted < count {
                below += second[counted];
                counted += 1;
            }
            total += mass * below;
        }
        total
    }
}

/// The second group's rate that maximises the likelihood under p1 = p2 + delta: its score falls in p2.
fn restricted_rate(x1: f64, n1: f64, x2: f64, n2: f64, delta: f64) -> f64 {
    let (mut low, mut high) = ((-delta).max(0.0), (1.0 - delta).min(1.0));
    let ratio = |count: f64, rate: f64| if count == 0.0 { 0.0 } else { count / rate };
    for _ in 0..60 {
        let p = 0.5 * (low + high);
        let score =
            ratio(x1, p + delta) - ratio(n1 - x1, 1.0 - p - delta) + ratio(x2, p) - ratio(n2 - x2, 1.0 - p);
        if score > 0.0 { low = p } else { high = p }
    }
    0.5 * (low + high)
}

fn golden_maximum([mut a, mut b]: [f64; 2], f: impl Fn(f64) -> f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut c, mut d) = (b - RATIO * (b - a), a + RATIO * (b - a));
    let (mut fc, mut fd) = (f(c), f(d));
    for _ in 0..30 {
        if fc > fd {
            (b, d, fd) = (d, c, fc);
            c = b - RATIO * (b - a);
            fc = f(c);
        } else {
            (a, c, fc) = (c, d, fd);
            d = a + RATIO * (b - a);
            fd = f(d);
        }
    }
    fc.max(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoMonitor;

    #[test]
    fn tail_sets_are_convex() {
        let search = Search { events: [5, 3], totals: [12, 9], alpha: 0.025, monitor: &NoMonitor };
        for delta in [-0.9, -0.31, 0.0, 0.08, 0.55] {
            let set = search.boundary(delta);
            let least = search.statistic(5, 3, delta) - 1e-9;
            for x1 in 0..=12 {
                for x2 in 0..=9 {
                    let inside = search.statistic(x1, x2, delta) >= least;
                    assert_eq!(inside, (x2 as usize) < set[x1 as usize], "{delta} {x1} {x2}");
                }
            }
        }
    }

    #[test]
    fn restricted_rates_solve_the_score() {
        let q = restricted_rate(5.0, 12.0, 3.0, 9.0, 0.3);
        let score = 5.0 / (q + 0.3) - 7.0 / (0.7 - q) + 3.0 / q - 6.0 / (1.0 - q);
        assert!(score.abs() < 1e-10);
        assert!(restricted_rate(0.0, 12.0, 0.0, 9.0, 0.3) < 1e-15);
    }
}

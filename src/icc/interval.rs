//! Intervals of a ratio of two statistics by inverting a studentised jackknife statistic.
//!
//! The pseudo-values of above - icc * below have mean 0 at the true ICC whatever the distribution within clusters, as in
//! Fieller's theorem. Their studentised mean is skewed and has heavier tails than Student's t where the outcome is rare,
//! so it goes through P. Hall's cubic transformation (1992, doi:10.1111/j.2517-6161.1992.tb01876.x) at a share of the
//! skewness seen, and is held against t with the degrees of freedom of a variance whose values have the kurtosis seen,
//! 2 G / (2 + c kurtosis). Towards an ICC of 0 the kurtosis is not used for the lower end (c falls with the square of the ICC):
//! a sample whose estimate errs high has a large variance and kurtosis too, and nearly never rejects.
//!
//! A sample of few clusters may hold none of those in which every member has the rarer outcome, which a high ICC can make
//! (all of it, where clusters are all or none) and whose pseudo-values are the largest: it then errs low and takes its error
//! for small. The upper end of a binary outcome in families therefore counts one more such cluster, of the mean size, with a
//! small weight, as one adds successes and failures to a proportion (A. Agresti and B. A. Coull 1998,
//! doi:10.1080/00031305.1998.10480550), and most of the error is left to the lower end. How much of each is used was chosen by
//! simulation and is shown to hold in `docs/evidence/icc.md`.

use super::moments::Ratio;
use super::root::falling_root;
use crate::dist::t_quantile;
use crate::nonparametric::Interval;

/// What is used of skewness and kurtosis at one end.
struct Side {
    skewness: f64,
    kurtosis: f64,
    /// The ICC from which the kurtosis is used in full.
    in_full: f64,
    /// The share of the error.
    error: f64,
}

/// How the two ends are found.
pub(super) struct Rule {
    below: Side,
    above: Side,
    /// The weight of the cluster that is added for the upper end.
    added: f64,
}

/// Of a binary outcome in families, whose pseudo-values come with those of the added cluster.
pub(super) const FAMILIES: Rule = Rule {
    below: Side { skewness: 1.0, kurtosis: 1.0, in_full: 0.6, error: 0.85 },
    above: Side { skewness: 0.5, kurtosis: 2.0, in_full: 0.0, error: 0.15 },
    added: 0.35,
};
/// Of other outcomes, and in clusters that are too large to be of one mind.
pub(super) const OTHER: Rule = Rule {
    below: Side { skewness: 0.85, kurtosis: 1.0, in_full: 0.0, error: 0.5 },
    above: Side { skewness: 0.5, kurtosis: 2.0, in_full: 0.0, error: 0.5 },
    added: 1.0,
};

impl Rule {
    /// The chance that the lower end lies above the ICC.
    pub fn below(&self, level: f64) -> f64 {
        self.below.error * (1.0 - level)
    }
}

/// The fewest degrees of freedom.
const FEWEST: f64 = 3.0;
/// Steps of the search outwards from the estimate.
const STEPS: u32 = 20;

/// The interval, within 0 to 1; `None` where the pseudo-values do not vary. `upper` has the pseudo-values for the upper end, of
/// which the last is that of the cluster that is added.
pub(super) fn invert(pseudo: &[Ratio], upper: &[Ratio], rule: &Rule, level: f64) -> Option<Interval> {
    let count = pseudo.len() as f64;
    if pseudo.is_empty() {
        return None;
    }
    let mean = |of: fn(&Ratio) -> f64| pseudo.iter().map(of).sum::<f64>() / count;
    let (above, below) = (mean(|p| p.above), mean(|p| p.below));
    let estimate = (above / below).min(1.0);
    let quantile = |side: &Side, s: &Studentised, icc: f64| {
        let used = if icc < side.in_full { (icc / side.in_full).powi(2) } else { 1.0 };
        s.quantile(used * side.kurtosis, 1.0 - side.error * (1.0 - level))
    };
    // How far the statistic lies beyond its quantile: positive outside the interval.
    let lower = |icc: f64| {
        studentised(pseudo, icc, 1.0)
            .map(|s| s.transformed(rule.below.skewness) - quantile(&rule.below, &s, icc))
    };
    let upper = |icc: f64| {
        studentised(upper, icc, rule.added)
            .map(|s| -s.transformed(rule.above.skewness) - quantile(&rule.above, &s, icc))
    };
    // Where nobody differs within a cluster the statistic has no variance.
    if !estimate.is_finite() || estimate >= 1.0 - 1e-12 {
        return None;
    }
    let low = if estimate > 0.0 { outwards(lower, estimate, 0.0)? } else { 0.0 };
    let high = outwards(upper, estimate, 1.0)?;
    Some(Interval { low: low.max(0.0), high: high.clamp(0.0, 1.0) })
}

/// The first point from `start` to `end` at which `outside` turns positive, or `end`.
fn outwards(outside: impl Fn(f64) -> Option<f64>, start: f64, end: f64) -> Option<f64> {
    let mut inside = start;
    for step in 1..=STEPS {
        let point = start + (end - start) * f64::from(step) / f64::from(STEPS);
        // At 1 itself the variance may vanish; just before it, it does not.
        let at = if point >= 1.0 { 1.0 - 1e-9 } else { point };
        if outside(at)? > 0.0 {
            // A variance that vanishes was seen by the search already; within a step it is as at the ends.
            return Some(falling_root(inside.min(at), inside.max(at), |icc| {
                let value = outside(icc).unwrap_or(0.0);
                if at < inside { value } else { -value }
            }));
        }
        inside = at;
    }
    Some(end)
}

struct Studentised {
    count: f64,
    statistic: f64,
    skewness: f64,
    kurtosis: f64,
}

/// The statistic of one ICC, with this weight of the last pseudo-value.
fn studentised(pseudo: &[Ratio], icc: f64, weight: f64) -> Option<Studentised> {
    let (last, others) = pseudo.split_last()?;
    let value = |p: &Ratio| p.above - icc * p.below;
    let count = others.len() as f64 + weight;
    let mean = (others.iter().map(value).sum::<f64>() + weight * value(last)) / count;
    let powers = |p: &Ratio| {
        let d = value(p) - mean;
        [d * d, d * d * d, d * d * d * d]
    };
    let mut sums = powers(last).map(|power| weight * power);
    for p in others {
        sums.iter_mut().zip(powers(p)).for_each(|(sum, power)| *sum += power);
    }
    let [second, third, fourth] = sums;
    let variance = second / (count - 1.0);
    if variance.is_nan() || variance <= 0.0 {
        return None;
    }
    Some(Studentised {
        count,
        statistic: mean / (variance / count).sqrt(),
        skewness: third / count / variance.powf(1.5),
        kurtosis: (fourth / count / (variance * variance) - 3.0).max(0.0),
    })
}

impl Studentised {
    fn transformed(&self, share: f64) -> f64 {
        let (root, g) = (self.count.sqrt(), share * self.skewness);
        let x = self.statistic / root;
        root * (x + g * x * x / 3.0 + g * g * x.powi(3) / 27.0 + g / (6.0 * self.count))
    }

    fn quantile(&self, share: f64, p: f64) -> f64 {
        t_quantile(p, (2.0 * self.count / (2.0 + share * self.kurtosis)).max(FEWEST))
    }
}

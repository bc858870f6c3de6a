//! The Kaplan-Meier estimate of survival, by group.
//!
//! `S(t) = prod over t_k <= t of (1 - d_k / n_k)`, with Greenwood's variance of its logarithm,
//! `sum of d_k / (n_k (n_k - d_k))`. E. L. Kaplan and P. Meier (1958), doi:10.1080/01621459.1958.10501452;
//! M. Greenwood (1926); intervals on three scales as in J. D. Kalbfleisch and R. L. Prentice (2002), section 1.4.
//! With weights, d and n are sums of weights.

use serde::Serialize;

use super::data::{Surv, Timeline, Tolerance};
use crate::inference::level::check_level;
use crate::progress::{Pace, watcher};
use crate::setters::setters;
use crate::words::words;
use crate::{Result, dist};

/// Basic steps of a time.
const STEP: usize = 128;

/// The scale on which an interval of S is symmetric.
///
/// ```
/// use crewe::survival::Interval;
/// assert_eq!("log-log".parse(), Ok(Interval::LogLog));
/// let limits = Interval::Plain.limits(0.5, 0.2, 1.96);
/// assert!((limits.high - 0.5 - 1.96 * 0.1).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Interval {
    /// `log(-log S)`: never leaves 0 to 1, and the one that covers best in small groups.
    #[default]
    LogLog,
    /// `log S`, cut at 1.
    Log,
    /// S itself, cut at 0 and 1.
    Plain,
}

words!(Interval, "scale of the intervals", LogLog => "log-log", Log => "log", Plain => "plain");

impl Interval {
    /// The limits around `survival`, whose logarithm has standard error `se_log`; NaN where the scale has none.
    pub fn limits(self, survival: f64, se_log: f64, z: f64) -> Limits {
        let nan = f64::NAN;
        let (low, high) = match self {
            Self::Plain => {
                let half = z * se_log * survival;
                if survival == 0.0 {
                    (nan, nan)
                } else {
                    ((survival - half).max(0.0), (survival + half).min(1.0))
                }
            }
            Self::Log if survival == 0.0 => (nan, nan),
            Self::Log => ((survival.ln() - z * se_log).exp(), (survival.ln() + z * se_log).exp().min(1.0)),
            Self::LogLog if survival == 0.0 || survival == 1.0 => (nan, nan),
            Self::LogLog => {
                let log = survival.ln();
                let half = z * se_log / log;
                let centre = (-log).ln();
                (((-((centre - half).exp())).exp()), (-((centre + half).exp())).exp())
            }
        };
        Limits { low, high }
    }
}

/// The two ends of an interval.
///
/// ```
/// use crewe::survival::Interval;
/// let limits = Interval::Log.limits(0.9, 0.2, 1.96);
/// assert!(limits.low < 0.9 && limits.high == 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What to estimate.
///
/// ```
/// use crewe::survival::{Interval, Options};
/// let options = Options::default().interval(Interval::Log).level(0.9);
/// assert_eq!(options.level, 0.9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Options {
    /// The scale of the intervals.
    pub interval: Interval,
    /// Their coverage.
    pub level: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { interval: Interval::LogLog, level: 0.95 }
    }
}

setters!(Options, interval: plain(Interval), level: plain(f64));

/// The estimate in one group; all arrays have one element for each distinct time of the group.
///
/// ```
/// use crewe::survival::{Options, Surv, kaplan_meier};
/// let curve = &kaplan_meier(&Surv::new(&[2., 4., 4., 9.], &[1., 1., 0., 0.]), None, Options::default())?[0];
/// assert_eq!((curve.time.as_slice(), curve.at_risk.as_slice()), ([2., 4., 9.].as_slice(), [4., 3., 1.].as_slice()));
/// assert_eq!(curve.survival_at(8.0), 0.5);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Curve {
    /// The distinct times, censored ones included.
    pub time: Vec<f64>,
    /// (Weighted) rows at risk just before each time.
    pub at_risk: Vec<f64>,
    /// (Weighted) events.
    pub events: Vec<f64>,
    /// (Weighted) censored rows.
    pub censored: Vec<f64>,
    /// S at and after each time.
    pub survival: Vec<f64>,
    /// The standard error of S, `S * se(log S)`; NaN once S is 0.
    pub std_error: Vec<f64>,
    /// Lower limits.
    pub conf_low: Vec<f64>,
    /// Upper limits.
    pub conf_high: Vec<f64>,
    /// Rows of the group.
    pub n: usize,
    /// How far apart times may be and still be one, by the times of all groups.
    pub tolerance: Tolerance,
}

/// A curve read at given times; all arrays have one element a time, NaN where a time is, and beyond the last time of the
/// group, where nobody is left who could tell, unless the curve had come down to 0.
///
/// ```
/// use crewe::survival::{Options, Surv, kaplan_meier};
/// let curve = &kaplan_meier(&Surv::new(&[2., 4., 4., 9.], &[1., 1., 0., 0.]), None, Options::default())?[0];
/// assert_eq!(curve.read(&[1.0, 2.0, 8.0]).survival, [1.0, 0.75, 0.5]);
/// assert!(curve.read(&[30.0]).survival[0].is_nan());
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Readings {
    /// S: 1 before the first time of the group.
    pub survival: Vec<f64>,
    /// Its standard error: 0 before the first time.
    pub std_error: Vec<f64>,
    /// Lower limits: NaN before the first time.
    pub conf_low: Vec<f64>,
    /// Upper limits: NaN before the first time.
    pub conf_high: Vec<f64>,
}

/// A quantile of the time to the event, with its interval; NaN where the curve does not come down that far.
///
/// ```
/// use crewe::survival::{Options, Surv, kaplan_meier};
/// let curve = &kaplan_meier(&Surv::new(&[2., 4., 6., 9.], &[1., 1., 1., 0.]), None, Options::default())?[0];
/// assert_eq!(curve.median().estimate, 5.0);
/// assert!(curve.quantile(0.9).estimate.is_nan()); // the curve does not come down that far
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Quantile {
    /// The estimate.
    pub estimate: f64,
    /// Lower limit.
    pub conf_low: f64,
    /// Upper limit.
    pub conf_high: f64,
}

/// Estimates the survival curve of every group (codes 0, 1, ... without a gap; one group without them).
///
/// # Errors
/// [`crate::Error::Input`] for times or events that cannot be ([`Surv::check`]), codes that leave a group empty, or a
/// level outside 0 to 1.
///
/// ```
/// use crewe::survival::{Options, Surv, kaplan_meier};
/// let curves = kaplan_meier(&Surv::new(&[1., 2., 2., 5.], &[1., 1., 0., 1.]), None, Options::default())?;
/// assert_eq!(curves[0].survival, [0.75, 0.5, 0.0]);
/// assert_eq!(curves[0].quantile(0.5).estimate, 3.5); // flat at one half from 2 to 5: the middle, as R has it
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn kaplan_meier(surv: &Surv<'_>, groups: Option<&[u32]>, options: Options) -> Result<Vec<Curve>> {
    check_level(options.level)?;
    let timeline = Timeline::new(surv, groups)?;
    let z = dist::normal_quantile(0.5 + 0.5 * options.level);
    let monitor = &watcher();
    let mut pace = Pace::new(monitor);
    let of =
        |ties: &std::ops::Range<usize>| curve(surv, &timeline, ties.clone(), options.interval, z, &mut pace);
    timeline.strata.iter().map(of).collect()
}

fn curve(
    surv: &Surv<'_>,
    timeline: &Timeline,
    ties: std::ops::Range<usize>,
    interval: Interval,
    z: f64,
    pace: &mut Pace<'_>,
) -> Result<Curve> {
    let ties = &timeline.ties[ties];
    let total = |from: usize, to: usize| -> f64 {
        if surv.weights.is_none() {
            return (to - from) as f64;
        }
        timeline.order[from..to].iter().map(|&row| surv.weight(row as usize)).sum()
    };
    let k = ties.len();
    let mut out = Curve {
        time: ties.iter().map(|tie| tie.time).collect(),
        at_risk: vec![0.0; k],
        events: ties.iter().map(|tie| total(tie.events, tie.end)).collect(),
        censored: ties.iter().map(|tie| total(tie.start, tie.events)).collect(),
        survival: Vec::with_capacity(k),
        std_error: Vec::with_capacity(k),
        conf_low: Vec::with_capacity(k),
        conf_high: Vec::with_capacity(k),
        n: ties.iter().map(|tie| tie.end - tie.start).sum(),
        tolerance: timeline.tolerance,
    };
    let mut remaining = 0.0;
    for j in (0..k).rev() {
        remaining += out.events[j] + out.censored[j];
        out.at_risk[j] = remaining;
    }
    let (mut survival, mut variance) = (1.0, 0.0);
    for j in 0..k {
        pace.by(STEP)?;
        let (n, d) = (out.at_risk[j], out.events[j]);
        // The last time at which all fail: rounding of weights must not leave a remainder.
        let last = ties[j].deaths() > 0 && j + 1 == k && out.censored[j] == 0.0;
        survival = if last { 0.0 } else { survival * ((n - d) / n) };
        variance += if last { f64::INFINITY } else { d / (n * (n - d)) };
        let se_log = f64::sqrt(variance);
        let limits = interval.limits(survival, se_log, z);
        out.survival.push(survival);
        out.std_error.push(if survival == 0.0 { f64::NAN } else { survival * se_log });
        out.conf_low.push(limits.low);
        out.conf_high.push(limits.high);
    }
    Ok(out)
}

impl Curve {
    /// The time by which a share `p` has had the event, with limits read off the curve's own limits.
    ///
    /// Where the curve is flat at `1 - p`, the middle of the flat step is taken, as R's `quantile.survfit` does; with
    /// few cases the other convention, its left end, is common.
    pub fn quantile(&self, p: f64) -> Quantile {
        Quantile {
            estimate: crossing(&self.time, &self.survival, p),
            conf_low: crossing(&self.time, &self.conf_low, p),
            conf_high: crossing(&self.time, &self.conf_high, p),
        }
    }

    /// The median time.
    pub fn median(&self) -> Quantile {
        self.quantile(0.5)
    }

    /// S at any time, 1 before the first and NaN beyond the last; a time that is one with one of the group's is that time.
    ///
    /// ```
    /// use crewe::survival::{Options, Surv, kaplan_meier};
    /// let time = [0.1 * 3.0, 1.0, 2.0, 2.0];
    /// let curves = kaplan_meier(&Surv::new(&time, &[1., 1., 0., 0.]), None, Options::default())?;
    /// assert_eq!(curves[0].survival_at(0.3), 0.75); // although 0.1 * 3 > 0.3
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn survival_at(&self, time: f64) -> f64 {
        self.read(&[time]).survival[0]
    }

    /// The curve at any times.
    pub fn read(&self, times: &[f64]) -> Readings {
        let mut out = Readings::default();
        for &time in times {
            let at = self.tolerance.last_at(&self.time, time);
            let unknown = time.is_nan() || self.ends_before(time);
            let pick = |column: &[f64], start: f64| {
                if unknown { f64::NAN } else { at.map_or(start, |j| column[j]) }
            };
            out.survival.push(pick(&self.survival, 1.0));
            out.std_error.push(pick(&self.std_error, 0.0));
            out.conf_low.push(pick(&self.conf_low, f64::NAN));
            out.conf_high.push(pick(&self.conf_high, f64::NAN));
        }
        out
    }

    /// Whether nothing is known at a time: nobody is left, and not because all have had the event.
    fn ends_before(&self, time: f64) -> bool {
        let (Some(&end), Some(&survival)) = (self.time.last(), self.survival.last()) else { return false };
        time > end && !self.tolerance.same(time, end) && survival > 0.0
    }

    /// The (weighted) rows at risk just before each of `times`; NaN where a time is.
    pub fn at_risk_at(&self, times: &[f64]) -> Vec<f64> {
        let at = |time| self.at_risk.get(self.tolerance.before(&self.time, time)).copied().unwrap_or(0.0);
        times.iter().map(|&time| if time.is_nan() { f64::NAN } else { at(time) }).collect()
    }

    /// Whether the group has any event.
    pub fn has_events(&self) -> bool {
        self.events.iter().any(|&d| d > 0.0)
    }
}

/// Where a survival curve (or one of its limits) comes down to `1 - p`.
fn crossing(time: &[f64], survival: &[f64], p: f64) -> f64 {
    let tolerance = f64::EPSILON.sqrt();
    // Steps down: the start, then the first time of every new value; limits that do not exist are passed over.
    let mut at = vec![0.0];
    let mut down = vec![0.0];
    for (&t, &s) in time.iter().zip(survival) {
        if !s.is_nan() && 1.0 - s != down[down.len() - 1] {
            at.push(t);
            down.push(1.0 - s);
        }
    }
    let reach = |shift: f64| down.iter().position(|&d| d + shift >= p).map(|j| at[j]);
    let Some(first) = reach(tolerance) else { return f64::NAN };
    let exists_at_end = survival.last().is_some_and(|s| !s.is_nan());
    if exists_at_end && (p - down[down.len() - 1]).abs() < tolerance {
        return 0.5 * (first + time[time.len() - 1]);
    }
    reach(-tolerance).map_or(f64::NAN, |second| 0.5 * (first + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_take_the_middle_of_a_flat_step() {
        assert_eq!(crossing(&[1.0, 2.0, 3.0], &[0.75, 0.5, 0.25], 0.5), 2.5);
        assert_eq!(crossing(&[1.0, 2.0, 3.0], &[0.75, 0.5, 0.5], 0.5), 2.5);
        assert_eq!(crossing(&[1.0, 2.0], &[0.75, 0.4], 0.5), 2.0);
        assert!(crossing(&[1.0, 2.0], &[0.75, 0.6], 0.5).is_nan());
    }

    #[test]
    fn row_4_6_beyond_the_last_time_a_curve_is_known_only_where_it_is_0() {
        let curve = |event: &[f64]| {
            kaplan_meier(&Surv::new(&[1.0, 2.0, 3.0], event), None, Options::default()).unwrap().remove(0)
        };
        let open = curve(&[1.0, 1.0, 0.0]).read(&[3.0, 3.0 + 1e-9, 3.1, f64::INFINITY]);
        assert!(open.survival[1] == open.survival[0] && open.conf_low[1] == open.conf_low[0]);
        for column in [&open.survival, &open.std_error, &open.conf_low, &open.conf_high] {
            assert!(column[2].is_nan() && column[3].is_nan());
        }
        assert_eq!(curve(&[1.0, 1.0, 1.0]).read(&[3.0, 30.0]).survival, [0.0, 0.0]);
    }
}

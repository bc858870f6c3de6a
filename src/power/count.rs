//! Power for counts of events: two rates, each event as often as it happens.
//!
//! With rates `l_0`, `l_1` a unit of time, members observed for a time `t` and a variance of each member's count of `phi`
//! times its mean, the variance of an arm's rate is
//!
//! ```text
//! phi l / (t n)                            with an ICC of members' counts: n independent units, after the design effect
//! phi l / (t N) + k^2 l^2 / K              with k, the coefficient of variation of the clusters' own rates:
//!                                          N members, K clusters of the arm (larger ones counting for more)
//! ```
//!
//! `unpooled` compares the rates, `log` their logarithms (variance divided by `l^2`). For equal clusters and `phi = 1` the
//! second is Hayes and Bennett's formula, without the cluster that they add an arm in place of the t distribution.
//!
//! Sources: R. J. Hayes and S. Bennett, International Journal of Epidemiology 28 (1999) 319-326,
//! <https://doi.org/10.1093/ije/28.2.319>; H. Zhu and H. Lakkis, Statistics in Medicine 33 (2014) 376-387,
//! <https://doi.org/10.1002/sim.5947> (log rate ratio, extra variance).

use serde::Serialize;

use super::answer::{self, Answer, Direction, Scale, Written};
use super::layout::Layout;
use super::outcome::{Arms, Outcome};
use super::plan::{Plan, Unknown, Weighting};
use crate::setters::setters;
use crate::words::words;
use crate::{Fault, Result};

/// The formula.
///
/// ```
/// use crewe::power::count::Method;
/// assert_eq!("log".parse(), Ok(Method::Log));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// The Wald test of the logarithm of the rate ratio.
    Log,
    /// The Wald test of the difference of rates.
    Unpooled,
}

words!(Method, "method", Log => "log", Unpooled => "unpooled");

/// What is asked.
///
/// ```
/// use crewe::power::Plan;
/// use crewe::power::count::{Count, Method};
/// let asked = Count::new(0.4, Method::Log, Plan::default()).exposure(2.0);
/// assert_eq!((asked.dispersion, asked.exposure), (1.0, 2.0));
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Count {
    /// The control arm's rate: events a member and unit of time.
    pub baseline: f64,
    /// The time that a member is observed.
    pub exposure: f64,
    /// The variance of a member's count over its mean; 1 for Poisson counts.
    pub dispersion: f64,
    /// The coefficient of variation of the clusters' own rates, in place of an ICC.
    pub rate_cv: Option<f64>,
    /// The formula.
    pub method: Method,
    /// The direction sought; where the effect is given it decides, and a direction must agree.
    pub direction: Option<Direction>,
    /// How the effect is written: ratio or difference.
    pub scale: Scale,
    /// The trial.
    pub plan: Plan,
}

impl Count {
    /// Poisson counts over one unit of time, the effect a ratio of rates.
    #[must_use]
    pub fn new(baseline: f64, method: Method, plan: Plan) -> Self {
        Self {
            baseline,
            exposure: 1.0,
            dispersion: 1.0,
            rate_cv: None,
            method,
            direction: None,
            scale: Scale::Ratio,
            plan,
        }
    }
}

setters!(
    Count,
    exposure: plain(f64),
    dispersion: plain(f64),
    rate_cv: some(f64),
    direction: some(Direction),
    scale: plain(Scale),
);

/// Power, smallest detectable effect, clusters, ICC, cluster size or R2: whichever the plan leaves out.
///
/// # Errors
/// A rate, time or dispersion that is not above 0, both an ICC and a variation of rates, an effect of nil or one that
/// leaves no rate, a direction that contradicts it, and whatever [`crate::power::solve`] refuses.
///
/// ```
/// use crewe::power::{ClusterSize, Plan, count::{Count, Method, power}};
/// // Hayes and Bennett's example: villages of 424 person-years, 14.8 deaths a thousand, 30% fewer, k = .29.
/// let plan = Plan::default().effect(0.7).power(0.8).cluster_size(ClusterSize::Mean(424.0));
/// let answer = power(&Count::new(0.0148, Method::Unpooled, plan).rate_cv(0.29))?;
/// assert!(answer.solution.clusters.is_some_and(|clusters| clusters >= 70), "{:?}", answer.solution.clusters);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn power(asked: &Count) -> Result<Answer> {
    let baseline = asked.baseline;
    answer::check_positive(
        "baseline, the control arm's rate,",
        baseline,
        "Give events a member and unit of time",
    )?;
    answer::check_positive("exposure", asked.exposure, "Give the time that a member is observed")?;
    answer::check_positive(
        "dispersion",
        asked.dispersion,
        "Give the variance of a member's count over its mean",
    )?;
    if !matches!(asked.scale, Scale::Ratio | Scale::Difference) {
        return Err(Fault::new("the effect on a rate is a ratio or a difference")
            .values([asked.scale.name()])
            .remedy("Write it as ratio or difference")
            .input());
    }
    let mut plan = asked.plan.clone();
    if let Some(k) = asked.rate_cv {
        check_rate_cv(k, &plan)?;
        plan.icc = Some(0.0);
    }
    // Inside, effects are logarithms of the rate ratio.
    let inside = |effect: f64| {
        let rate = if asked.scale == Scale::Ratio { baseline * effect } else { baseline + effect };
        if rate > 0.0 && rate.is_finite() {
            return Ok((rate / baseline).ln());
        }
        Err(Fault::new("the effect leaves the treated arm no rate above 0")
            .values([format!("a rate of {rate}")])
            .remedy("Give a ratio above 0, or a difference smaller than the baseline")
            .input())
    };
    let written = |log: f64| {
        if asked.scale == Scale::Ratio { log.exp() } else { baseline * libm::expm1(log) }
    };
    let written = Written {
        scale: asked.scale,
        inside: &inside,
        written: &written,
        example: "Give the ratio of the rates, for instance 0.8 for a fifth fewer, or their difference with scale=\"difference\"",
    };
    let direction = answer::direction(&plan, asked.direction, &written)?;
    let rates = Rates { asked, direction };
    let solution = answer::solved(&rates, &plan, &written)?;
    let treated = solution.effect.map(|effect| match asked.scale {
        Scale::Ratio => baseline * effect,
        _ => baseline + effect,
    });
    Ok(Answer {
        baseline: Some(baseline),
        treated,
        method: asked.method.name(),
        formula: match asked.method {
            Method::Log => "logarithm of the ratio of rates (Wald)",
            Method::Unpooled => "difference of rates, unpooled variance (Wald)",
        },
        source: if asked.rate_cv.is_some() {
            "Hayes and Bennett (1999), International Journal of Epidemiology 28, 319"
        } else {
            "Zhu and Lakkis (2014), Statistics in Medicine 33, 376"
        },
        scale: asked.scale,
        direction,
        events: None,
        solution,
    })
}

fn check_rate_cv(k: f64, plan: &Plan) -> Result<()> {
    if !(k.is_finite() && k >= 0.0) {
        return Err(Fault::new("rate_cv must not be negative")
            .values([k.to_string()])
            .remedy(
                "Give the standard deviation of the clusters' own rates over their mean, for instance 0.25",
            )
            .input());
    }
    if plan.icc.is_some() {
        return Err(Fault::new("icc and rate_cv both say how clusters differ")
            .remedy("Give one of them")
            .input());
    }
    if matches!(plan.layout, Layout::Periods(_)) {
        return Err(Fault::new("over periods the likeness of a cluster's members is an ICC")
            .remedy("Give icc in place of rate_cv")
            .input());
    }
    if plan.weighting == Weighting::Precision {
        return Err(Fault::new("weights by precision go with an ICC")
            .remedy("Give icc in place of rate_cv")
            .input());
    }
    if plan.baseline.is_some() {
        return Err(Fault::new("correlations with a baseline go with an ICC")
            .remedy("Give icc in place of rate_cv")
            .input());
    }
    let open = [
        plan.effect.is_none(),
        plan.clusters.is_none(),
        plan.power.is_none(),
        plan.cluster_size.is_none(),
        plan.r2.is_none(),
    ];
    if !open.contains(&true) {
        return Err(Fault::new(format!(
            "nothing is left to solve for: rate_cv stands in place of {}",
            Unknown::Icc
        ))
        .remedy("Leave out one of effect, clusters, power, cluster_size and r2")
        .input());
    }
    Ok(())
}

struct Rates<'a> {
    asked: &'a Count,
    direction: Direction,
}

impl Outcome for Rates<'_> {
    fn contrast(&self, log: f64) -> f64 {
        match self.asked.method {
            Method::Log => log,
            Method::Unpooled => self.asked.baseline * libm::expm1(log),
        }
    }

    fn errors(&self, log: f64, arms: Arms) -> (f64, f64) {
        let Count { baseline, exposure, dispersion, rate_cv, method, .. } = *self.asked;
        let variance = |rate: f64, effective: f64, units: f64, clusters: f64| {
            let own = match rate_cv {
                None => dispersion * rate / (exposure * effective),
                Some(k) => dispersion * rate / (exposure * units) + k * k * rate * rate / clusters,
            };
            if method == Method::Log { own / (rate * rate) } else { own }
        };
        let treated = variance(baseline * log.exp(), arms.treated, arms.units.0, arms.clusters.0);
        let control = variance(baseline, arms.control, arms.units.1, arms.clusters.1);
        let error = (treated + control).sqrt();
        (error, error)
    }

    fn limit(&self) -> f64 {
        // Ratios from e^-30 to e^30: beyond, counts are none or all there are.
        30.0 * self.direction.sign()
    }
}

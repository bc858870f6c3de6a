//! Restricted mean survival time: the area under the Kaplan-Meier curve up to a horizon, by arm.
//!
//! `m = integral of S from 0 to h`, the mean time without the event within the horizon. With `A_k` the area after the
//! event time `t_k`, and `d_k` of `n_k` at risk failing there, Greenwood's plug-in variance is
//! `sum of A_k^2 d_k / (n_k (n_k - d_k))`, as the R package survRM2 has it (P. Royston and M. K. B. Parmar 2013,
//! doi:10.1186/1471-2288-13-152; H. Uno and others 2014, doi:10.1200/JCO.2014.55.2208). It takes rows as independent and
//! refers to the normal.
//!
//! With clusters the variance comes from what each row adds to the area, its influence
//! `sum over t_k up to its time of A_k d_k / (n_k (n_k - d_k))`, less `A_k / (n_k - d_k)` where the row itself fails at
//! `t_k`: the derivative of the area by the row's weight, times that weight. Influences are summed over clusters; the
//! covariance of the arms is `G / (G - 1)` times the sum of the products of these sums, over all G clusters, and refers to t
//! on G less the number of arms degrees of freedom. Where every row is a cluster of its own the sum of squares is
//! Greenwood's variance itself. A cluster may have rows in several arms. Weighted rows without clusters are clusters of one.
//!
//! Differences are compared as they are, ratios as logarithms (delta method).

use ndarray::{Array1, Array2};
use serde::Serialize;

use super::data::{Surv, Timeline};
use super::kaplan_meier::{Curve, Options, kaplan_meier};
use crate::inference::{Clusters, Contrasts, check_clusters, check_level, check_units_by_arm};
use crate::progress::{Pace, watcher};
use crate::setters::setters;
use crate::{Fault, Result};

/// A variance that is so small beside its terms is none: the square of what rounding leaves of a sum.
const NOTHING: f64 = 1e-26;
/// The same of a difference of two variances.
const NO_DIFFERENCE: f64 = 1e-13;

/// Clusters below which the simulated size of the test is said.
const FEW_CLUSTERS: usize = 80;

/// Basic steps of a row.
const STEP: usize = 8;

/// What to estimate.
///
/// ```
/// use crewe::survival::RmstOptions;
/// let options = RmstOptions::default().horizon(365.0).level(0.9);
/// assert_eq!(options.horizon, Some(365.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RmstOptions {
    /// Where the area ends; without one, at the last time of the arm that ends first.
    pub horizon: Option<f64>,
    /// The level of the intervals.
    pub level: f64,
}

impl Default for RmstOptions {
    fn default() -> Self {
        Self { horizon: None, level: 0.95 }
    }
}

setters!(RmstOptions, horizon: some(f64), level: plain(f64));

/// Restricted means by arm (k of them), and their comparisons with the first.
///
/// ```
/// use crewe::survival::{RmstOptions, Surv, rmst};
/// let surv = Surv::new(&[1., 2., 3., 4.], &[1., 1., 1., 0.]);
/// let found = rmst(&surv, Some(&[0, 0, 1, 1]), &["a", "b"], None, RmstOptions::default().horizon(2.0))?;
/// assert_eq!(found.means.estimate, [1.5, 2.0]);
/// assert_eq!(found.differences.estimate, [0.5]);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Rmst {
    /// Where the area ends.
    pub horizon: f64,
    /// The mean time without the event within the horizon, k rows; means are not tested against 0.
    pub means: Contrasts,
    /// Each other arm's mean less the first's, k - 1 rows.
    pub differences: Contrasts,
    /// The logarithms of each other arm's mean over the first's, k - 1 rows.
    pub ratios: Contrasts,
    /// The covariance of the means, k x k.
    pub covariance: Array2<f64>,
    /// The curves under which the areas lie, length k.
    pub curves: Vec<Curve>,
    /// (Weighted) events up to the horizon, length k.
    pub events: Vec<f64>,
    /// Clusters with rows in each arm, length k, where there are clusters.
    pub clusters: Option<Vec<usize>>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// Estimates the restricted mean of every group (codes 0, 1, ... with their `labels`; one group without codes), and
/// compares each with the first.
///
/// # Errors
/// [`crate::Error::Input`] for times or events that cannot be ([`Surv::check`]), codes that leave a group empty, a level
/// outside 0 to 1, a horizon that is not above 0 or lies beyond the last time of an arm whose curve has not come down to
/// 0, and no more clusters than arms; [`crate::Error::Design`] for an arm with fewer than two clusters.
///
/// ```
/// use crewe::survival::{RmstOptions, Surv, rmst};
/// let surv = Surv::new(&[1., 2., 3., 4.], &[1., 1., 1., 0.]);
/// let far = rmst(&surv, Some(&[0, 1, 0, 1]), &["a", "b"], None, RmstOptions::default().horizon(5.0));
/// assert!(far.unwrap_err().to_string().contains("beyond the last time of 'b'"));
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn rmst<S: AsRef<str>>(
    surv: &Surv<'_>,
    groups: Option<&[u32]>,
    labels: &[S],
    clusters: Option<&Clusters>,
    options: RmstOptions,
) -> Result<Rmst> {
    check_level(options.level)?;
    let timeline = Timeline::new(surv, groups)?;
    let curves = kaplan_meier(surv, groups, Options::default().level(options.level))?;
    let arms = curves.len();
    if labels.len() != arms {
        return Err(Fault::new(format!("there are {} labels for {arms} groups", labels.len()))
            .remedy("Give one label for each group")
            .input());
    }
    let horizon = reach(&curves, labels, options.horizon)?;
    let areas: Vec<Area> = curves.iter().map(|curve| Area::under(curve, horizon)).collect();
    let mut notes = said(&areas, labels, horizon, options.horizon.is_none());

    let alone;
    let clustered = match (clusters, surv.weights) {
        (None, Some(_)) => {
            alone = Clusters::singletons(surv.n())?;
            Some(&alone)
        }
        _ => clusters,
    };
    let (covariance, df) = match clustered {
        None => {
            let variances: Array1<f64> = areas.iter().map(|area| area.greenwood).collect();
            (Array2::from_diag(&variances), f64::INFINITY)
        }
        Some(clusters) => {
            let count = by_arm(clusters, &timeline, surv.n(), labels)?;
            if count < FEW_CLUSTERS && arms > 1 {
                notes.push(format!(
                    "{count} clusters: a nominal 5% test of the difference rejects in 8% to 14%, 7% to 10% and 6% to 8% of \
                     simulated trials with 10, 20 and 40 families and no effect, most where an arm has few of them"
                ));
            }
            (covariance(surv, &timeline, &areas, clusters)?, count as f64 - arms as f64)
        }
    };
    if clusters.is_none() && surv.weights.is_some() {
        notes.push("with weights the variance comes from the influence of each row".to_owned());
    }
    let estimate: Vec<f64> = areas.iter().map(|area| area.mean).collect();
    let table = |estimate: Vec<f64>, variance: Vec<f64>| {
        let m = estimate.len();
        let se = variance.into_iter().map(f64::sqrt).collect();
        Contrasts::from_parts(estimate, se, vec![df; m], options.level)
    };
    let mut means = table(estimate.clone(), covariance.diag().to_vec())?;
    // That a mean time is 0 is no hypothesis.
    means.statistic.fill(f64::NAN);
    means.p_value.fill(f64::NAN);
    let compared = |scale: &dyn Fn(usize) -> f64| -> Vec<f64> {
        (1..arms).map(|j| compared(&covariance, j, scale(0), scale(j))).collect()
    };
    let differences = table(estimate[1..].iter().map(|m| m - estimate[0]).collect(), compared(&|_| 1.0))?;
    let ratios = table(
        estimate[1..].iter().map(|m| (m / estimate[0]).ln()).collect(),
        compared(&|j| 1.0 / estimate[j]),
    )?;
    Ok(Rmst {
        horizon,
        means,
        differences,
        ratios,
        covariance,
        events: areas.iter().map(|area| area.events).collect(),
        clusters: clusters.map(|clusters| counts(clusters, &timeline)).transpose()?,
        curves,
        notes,
    })
}

/// Where the area ends: what was asked for, if every curve is known so far.
fn reach<S: AsRef<str>>(curves: &[Curve], labels: &[S], asked: Option<f64>) -> Result<f64> {
    let ends: Vec<f64> = curves.iter().map(|curve| curve.time.last().copied().unwrap_or(0.0)).collect();
    let shortest = ends.iter().copied().fold(f64::INFINITY, f64::min);
    let Some(horizon) = asked else {
        if shortest > 0.0 {
            return Ok(shortest);
        }
        let arm = ends.iter().position(|&end| end == shortest).unwrap_or(0);
        return Err(Fault::new(format!("every time of '{}' is 0", labels[arm].as_ref()))
            .remedy("There is no time to average: check the column of times")
            .input());
    };
    if !(horizon.is_finite() && horizon > 0.0) {
        return Err(Fault::new("the horizon is not a time after 0")
            .values([horizon.to_string()])
            .remedy("Give a positive, finite number in the unit of the times")
            .input());
    }
    // Once all have had the event nothing is left to know.
    let last =
        curves.iter().zip(&ends).enumerate().filter(|(_, (curve, _))| curve.survival.last() != Some(&0.0));
    let open = last.map(|(arm, (_, &end))| (arm, end)).min_by(|a, b| a.1.total_cmp(&b.1));
    let latest = || ends.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((arm, end)) = open.or_else(latest) else { return Ok(horizon) };
    if horizon <= end || curves[arm].tolerance.same(horizon, end) {
        return Ok(horizon);
    }
    let whose = if labels.len() > 1 { format!(" of '{}'", labels[arm].as_ref()) } else { String::new() };
    Err(Fault::new(format!("the horizon lies beyond the last time{whose}, after which nothing is known"))
        .values([format!("horizon {horizon}"), format!("last time {end}")])
        .remedy(format!("Give a horizon of at most {end}, or leave it out"))
        .input())
}

/// What must be said of the areas.
fn said<S: AsRef<str>>(areas: &[Area], labels: &[S], horizon: f64, chosen: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if chosen {
        let whose = if areas.len() > 1 { " of the arm that ends first" } else { "" };
        notes.push(format!("no horizon was given: it is {horizon}, the last time{whose}"));
    }
    for (area, label) in areas.iter().zip(labels) {
        if area.events == 0.0 {
            notes.push(format!(
                "no event of '{}' up to the horizon: its mean is the horizon itself, with no variance to be seen",
                label.as_ref()
            ));
        }
    }
    notes
}

/// The area under a curve up to the horizon, and what it is made of.
struct Area {
    mean: f64,
    events: f64,
    /// For each time up to the horizon: the area after it.
    after: Vec<f64>,
    /// What a failure takes at each time, `A / (n - d)`, 0 where all fail.
    falls: Vec<f64>,
    /// What being at risk adds up to each time, the sum of `A d / (n (n - d))`.
    adds: Vec<f64>,
    /// The sum of `A^2 d / (n (n - d))`.
    greenwood: f64,
}

impl Area {
    fn under(curve: &Curve, horizon: f64) -> Self {
        let inside = curve.tolerance.last_at(&curve.time, horizon).map_or(0, |j| j + 1);
        let mut after = vec![0.0; inside];
        let (mut area, mut end) = (0.0, horizon);
        for k in (0..inside).rev() {
            // A time that is the horizon but for rounding may lie behind it.
            area += curve.survival[k] * (end - curve.time[k]).max(0.0);
            end = curve.time[k].min(end);
            after[k] = area;
        }
        let (mut falls, mut adds) = (vec![0.0; inside], vec![0.0; inside]);
        let (mut sum, mut greenwood) = (0.0, 0.0);
        for k in 0..inside {
            let (n, d) = (curve.at_risk[k], curve.events[k]);
            if curve.survival[k] > 0.0 {
                falls[k] = after[k] / (n - d);
                sum += falls[k] * d / n;
                greenwood += after[k] * falls[k] * d / n;
            }
            adds[k] = sum;
        }
        Self { mean: end + area, events: curve.events[..inside].iter().sum(), after, falls, adds, greenwood }
    }

    /// What a row that ended at the `k`th time of its arm adds to the area, by its weight.
    fn influence(&self, k: usize, event: bool) -> f64 {
        let inside = self.after.len();
        if inside == 0 {
            return 0.0;
        }
        let fall = if event && k < inside { self.falls[k] } else { 0.0 };
        self.adds[k.min(inside - 1)] - fall
    }
}

/// Refuses clusters that are too few or do not fit; gives their number.
fn by_arm<S: AsRef<str>>(clusters: &Clusters, timeline: &Timeline, n: usize, labels: &[S]) -> Result<usize> {
    if clusters.codes().len() != n {
        return Err(Fault::new(format!("there are {} cluster codes for {n} rows", clusters.codes().len()))
            .remedy("Give one for each row")
            .input());
    }
    check_clusters(clusters.count())?;
    check_units_by_arm(labels, &counts(clusters, timeline)?, "clusters", None)?;
    if clusters.count() <= labels.len() {
        return Err(Fault::new(format!(
            "{} clusters leave no degrees of freedom for {} arms",
            clusters.count(),
            labels.len()
        ))
        .remedy("There must be more clusters than arms: check the column of ids")
        .input());
    }
    Ok(clusters.count())
}

/// The clusters that have rows in each arm.
fn counts(clusters: &Clusters, timeline: &Timeline) -> Result<Vec<usize>> {
    let monitor = &watcher();
    let mut pace = Pace::new(monitor);
    let mut seen = vec![usize::MAX; clusters.count()];
    let mut count = vec![0; timeline.strata.len()];
    for (arm, ties) in timeline.strata.iter().enumerate() {
        for tie in &timeline.ties[ties.clone()] {
            for &row in &timeline.order[tie.start..tie.end] {
                let last = &mut seen[clusters.codes()[row as usize] as usize];
                count[arm] += usize::from(std::mem::replace(last, arm) != arm);
            }
            pace.by(STEP * (tie.end - tie.start))?;
        }
    }
    Ok(count)
}

/// `G / (G - 1)` times the sum over clusters of the products of their influences on the arms, k x k.
fn covariance(
    surv: &Surv<'_>,
    timeline: &Timeline,
    areas: &[Area],
    clusters: &Clusters,
) -> Result<Array2<f64>> {
    let monitor = &watcher();
    let mut pace = Pace::new(monitor);
    let (arms, g) = (areas.len(), clusters.count());
    let mut sums = Array2::<f64>::zeros((g, arms));
    let mut sizes = Array2::<f64>::zeros((g, arms));
    for (arm, ties) in timeline.strata.iter().enumerate() {
        for (k, tie) in timeline.ties[ties.clone()].iter().enumerate() {
            for place in tie.start..tie.end {
                let row = timeline.order[place] as usize;
                let adds = surv.weight(row) * areas[arm].influence(k, place >= tie.events);
                let at = (clusters.codes()[row] as usize, arm);
                sums[at] += adds;
                sizes[at] += adds.abs();
            }
            pace.by(STEP * (tie.end - tie.start))?;
        }
    }
    let squared = |values: &Array2<f64>| values.t().dot(values);
    let (mut out, terms) = (squared(&sums), squared(&sizes));
    for arm in 0..arms {
        if out[(arm, arm)] <= NOTHING * terms[(arm, arm)] {
            out.row_mut(arm).fill(0.0);
            out.column_mut(arm).fill(0.0);
        }
    }
    Ok(out * (g as f64 / (g as f64 - 1.0)))
}

/// The variance of `b m_j - a m_0`.
fn compared(covariance: &Array2<f64>, j: usize, a: f64, b: f64) -> f64 {
    let parts = a * a * covariance[(0, 0)] + b * b * covariance[(j, j)];
    let variance = parts - 2.0 * a * b * covariance[(0, j)];
    if variance <= NO_DIFFERENCE * parts { 0.0 } else { variance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn influences_of_single_rows_add_up_to_nothing_and_their_squares_to_greenwood() {
        let time = [3.0, 5.0, 5.0, 5.0, 7.0, 9.0, 9.0, 12.0, 15.0, 15.0];
        let event = [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0];
        let surv = Surv::new(&time, &event);
        let timeline = Timeline::new(&surv, None).unwrap();
        let curve = kaplan_meier(&surv, None, Options::default()).unwrap().remove(0);
        for horizon in [2.0, 4.0, 9.0, 14.0] {
            let area = Area::under(&curve, horizon);
            let (mut sum, mut squares) = (0.0, 0.0);
            for (k, tie) in timeline.ties.iter().enumerate() {
                for place in tie.start..tie.end {
                    let adds = area.influence(k, place >= tie.events);
                    sum += adds;
                    squares += adds * adds;
                }
            }
            assert!(sum.abs() < 1e-12, "{sum}");
            assert!((squares - area.greenwood).abs() < 1e-12 * squares.max(1.0), "{squares}");
        }
    }

    #[test]
    fn an_influence_is_the_derivative_of_the_area_by_the_weight() {
        let time = [3.0, 5.0, 5.0, 5.0, 7.0, 9.0, 9.0, 12.0];
        let event = [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0];
        let mean = |weights: &[f64]| {
            let surv = Surv::new(&time, &event).weights(Some(weights));
            let curve = kaplan_meier(&surv, None, Options::default()).unwrap().remove(0);
            Area::under(&curve, 11.0).mean
        };
        let surv = Surv::new(&time, &event);
        let timeline = Timeline::new(&surv, None).unwrap();
        let curve = kaplan_meier(&surv, None, Options::default()).unwrap().remove(0);
        let area = Area::under(&curve, 11.0);
        for (k, tie) in timeline.ties.iter().enumerate() {
            for place in tie.start..tie.end {
                let row = timeline.order[place] as usize;
                let moved = |by: f64| {
                    let mut weights = [1.0; 8];
                    weights[row] += by;
                    mean(&weights)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((slope - area.influence(k, place >= tie.events)).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn a_curve_that_came_down_to_0_is_known_for_ever() {
        let surv = Surv::new(&[1.0, 2.0, 5.0, 9.0], &[1.0, 1.0, 1.0, 0.0]);
        let ask = |horizon| {
            rmst(&surv, Some(&[0, 0, 1, 1]), &["a", "b"], None, RmstOptions { horizon, level: 0.95 })
        };
        assert_eq!(ask(Some(9.0)).unwrap().means.estimate, [1.5, 7.0]);
        assert_eq!(ask(None).unwrap().horizon, 2.0);
        assert!(ask(Some(9.1)).unwrap_err().to_string().contains("of 'b'"));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(ask(Some(wrong)).unwrap_err().to_string().contains("not a time after 0"));
        }
    }

    #[test]
    fn too_few_clusters_are_refused() {
        let surv = Surv::new(&[1.0, 2.0, 5.0, 9.0], &[1.0, 1.0, 1.0, 0.0]);
        let ask = |codes: [u32; 4]| {
            let clusters = Clusters::new(&codes).unwrap();
            rmst(&surv, Some(&[0, 0, 1, 1]), &["a", "b"], Some(&clusters), RmstOptions::default())
        };
        assert!(ask([0, 0, 1, 2]).unwrap_err().to_string().contains("arm 'a' has 1 of the clusters"));
        assert!(ask([0, 1, 0, 1]).unwrap_err().to_string().contains("no degrees of freedom"));
        assert_eq!(ask([0, 1, 2, 3]).unwrap().means.df, [2.0, 2.0]);
    }
}

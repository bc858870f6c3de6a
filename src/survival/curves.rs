//! Survival after a Cox model: the baseline hazard, curves for given covariates, and adjusted curves.
//!
//! The cumulative baseline hazard adds `sum over f of m / D_f` at every event time: Efron's under Efron's ties,
//! Breslow's under Breslow's. Curves at x are `exp(-H0(t) exp(x'b))`, with the variance of A. A. Tsiatis (1981),
//! doi:10.1214/aos/1176345342. Adjusted curves average these over the covariates of all rows with the arm set to each
//! of its values (marginal standardisation, or g-computation); that is not the curve at mean covariates. With a clustered
//! covariance their standard errors come from the influence of each cluster on the average, whatever the correction for
//! few clusters (times G / (G - 1) in the variance under CR1).

use ndarray::{Array2, ArrayView2};
use serde::Serialize;

use super::cox::{CoxFit, other_fit};
use super::hazard::Hazard;
use super::kaplan_meier::Options;
use super::likelihood::dot;
use super::residuals::cluster_scores;
use crate::inference::level::check_level;
use crate::inference::{Compare, Contrasts, Covariance, Vcov};
use crate::progress::{Monitor, Pace, watcher};
use crate::{Fault, Result, dist};

/// Basic steps of a row or a time beside its columns.
const STEP: usize = 32;

/// The cumulative baseline hazard of one stratum, at all its distinct times.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Baseline {
    /// Distinct times, censored ones included.
    pub time: Vec<f64>,
    /// Cumulative hazard at and after each.
    pub hazard: Vec<f64>,
}

/// A survival curve with its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SurvivalCurve {
    /// Times.
    pub time: Vec<f64>,
    /// S at and after each.
    pub survival: Vec<f64>,
    /// Its standard error.
    pub std_error: Vec<f64>,
    /// Lower limits.
    pub conf_low: Vec<f64>,
    /// Upper limits.
    pub conf_high: Vec<f64>,
}

/// Adjusted curves, one a setting, and the differences of the later ones from the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AdjustedCurves {
    /// One curve a setting.
    pub curves: Vec<SurvivalCurve>,
    /// Setting 1, 2, ... less setting 0, with intervals on the scale of S.
    pub differences: Vec<SurvivalCurve>,
    /// What a reader must know: times beyond those that were observed.
    pub notes: Vec<String>,
}

/// Adjusted risks at one time, and their comparisons.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AdjustedRisks {
    /// One risk a setting.
    pub levels: Contrasts,
    /// One comparison a pair: differences, or logarithms of ratios.
    pub comparisons: Contrasts,
    /// How they were compared.
    pub compare: Compare,
    /// What a reader must know: a time beyond those that were observed.
    pub notes: Vec<String>,
}

impl CoxFit {
    /// The cumulative baseline hazard of every stratum, for covariates of 0, or at their means if `centred`.
    ///
    /// ```
    /// use crewe::survival::{Cox, Surv};
    /// use ndarray::array;
    /// let surv = Surv::new(&[1., 2., 3., 4.], &[1., 1., 0., 1.]);
    /// let x = array![[0.], [1.], [1.], [0.]];
    /// let base = Cox::new(surv, x.view()).fit()?.baseline(false)?;
    /// assert_eq!(base[0].time, [1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(base[0].hazard[1], base[0].hazard[2]); // nobody has the event at time 3
    /// # Ok::<(), crewe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when whoever watches stops the work.
    pub fn baseline(&self, centred: bool) -> Result<Vec<Baseline>> {
        let cumulated = self.cumulated(&watcher())?;
        let off: f64 = self.coef.iter().zip(&self.means).map(|(b, mean)| b * mean).sum();
        let factor = if centred { 1.0 } else { (-off).exp() };
        let of = |range: &std::ops::Range<usize>| Baseline {
            time: self.data.timeline.ties[range.clone()].iter().map(|tie| tie.time).collect(),
            hazard: cumulated.total[range.clone()].iter().map(|h| h * factor).collect(),
        };
        Ok(self.data.timeline.strata.iter().map(of).collect())
    }

    /// The survival curve of a row with covariates `x` (length p, as given to the fit) in a stratum, under a covariance of
    /// this fit.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another number of covariates, a stratum that is not there or a covariance of another
    /// fit.
    pub fn survival_curve(
        &self,
        covariance: &Covariance<'_>,
        x: &[f64],
        stratum: usize,
        options: Options,
    ) -> Result<SurvivalCurve> {
        self.owns(covariance)?;
        let p = self.coef.len();
        let Some(range) = self.data.timeline.strata.get(stratum).filter(|_| x.len() == p) else {
            return Err(Fault::new(format!(
                "a curve needs {p} covariates and a stratum below {}",
                self.strata
            ))
            .input());
        };
        check_level(options.level)?;
        let z = dist::normal_quantile(0.5 + 0.5 * options.level);
        let monitor = &watcher();
        let mut pace = Pace::new(monitor);
        let cumulated = self.cumulated(monitor)?;
        let at = self.standardised(x);
        let relative = dot(&at, &self.beta).exp();
        let mut out = SurvivalCurve::empty();
        for k in range.clone() {
            pace.by(STEP + p * p)?;
            let drift: Vec<f64> =
                (0..p).map(|j| cumulated.mean[k * p + j] - at[j] * cumulated.total[k]).collect();
            let se = relative * (cumulated.variance[k] + self.form(covariance, &drift)).sqrt();
            let survival = (-relative * cumulated.total[k]).exp();
            out.push(self.data.timeline.ties[k].time, survival, se * survival, options, z);
        }
        Ok(out)
    }

    /// The survival by `time` of every row of `rows` (m x p, as given to the fit) in a stratum: one value a row, NaN beyond
    /// the last time of the stratum.
    ///
    /// # Errors
    /// As [`CoxFit::survival_curve`], and [`crate::Error::Input`] for a time before 0.
    pub fn survival_at(
        &self,
        covariance: &Covariance<'_>,
        rows: ArrayView2<'_, f64>,
        stratum: usize,
        time: f64,
        options: Options,
    ) -> Result<SurvivalCurve> {
        self.owns(covariance)?;
        check_level(options.level)?;
        check_time(time)?;
        let p = self.coef.len();
        if stratum >= self.data.timeline.strata.len() || rows.ncols() != p {
            return Err(Fault::new(format!(
                "a prediction needs {p} covariates and a stratum below {}",
                self.strata
            ))
            .input());
        }
        let z = dist::normal_quantile(0.5 + 0.5 * options.level);
        let monitor = &watcher();
        let mut pace = Pace::new(monitor);
        let cumulated = self.cumulated(monitor)?;
        let last = self.data.timeline.last_at(stratum, time);
        let known = self.data.timeline.reaches(stratum, time);
        let mut out = SurvivalCurve::empty();
        for row in rows.outer_iter() {
            pace.by(STEP + p * p)?;
            if !known {
                out.push_unknown(time);
                continue;
            }
            let Some(k) = last else {
                out.push(time, 1.0, 0.0, options, z);
                continue;
            };
            let at = self.standardised(&row.to_vec());
            let relative = dot(&at, &self.beta).exp();
            let drift: Vec<f64> =
                (0..p).map(|j| cumulated.mean[k * p + j] - at[j] * cumulated.total[k]).collect();
            let se = relative * (cumulated.variance[k] + self.form(covariance, &drift)).sqrt();
            let survival = (-relative * cumulated.total[k]).exp();
            out.push(time, survival, se * survival, options, z);
        }
        Ok(out)
    }

    /// Survival averaged over the (weighted) rows of each of `settings`, at `times`.
    ///
    /// Every setting is the n x p design with the arm set to one of its values for all rows, in the order of the data.
    /// Standard errors are the model's, or, with clusters, from the influence of each cluster on the average; the
    /// covariates are taken as fixed. Beyond the last time of all rows the curves are NaN; beyond that of some strata theirs
    /// are carried forward. Either is noted.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for settings of another shape or a covariance of another fit.
    pub fn adjusted_curves(
        &self,
        covariance: &Covariance<'_>,
        settings: &[ArrayView2<'_, f64>],
        times: &[f64],
        options: Options,
    ) -> Result<AdjustedCurves> {
        self.check_settings(covariance, settings)?;
        check_level(options.level)?;
        let z = dist::normal_quantile(0.5 + 0.5 * options.level);
        let monitor = &watcher();
        let mut pace = Pace::new(monitor);
        let spread = Spread::new(self, covariance, monitor)?;
        let cumulated = &spread.cumulated;
        let sorted: Vec<Array2<f64>> = settings.iter().map(|x| self.sorted(*x)).collect();
        let mut curves: Vec<SurvivalCurve> = settings.iter().map(|_| SurvivalCurve::empty()).collect();
        let mut differences: Vec<SurvivalCurve> =
            settings.iter().skip(1).map(|_| SurvivalCurve::empty()).collect();
        for &time in times {
            if !self.reaches(time) {
                curves.iter_mut().chain(&mut differences).for_each(|curve| curve.push_unknown(time));
                continue;
            }
            let average = |x: &Array2<f64>| self.average(x, cumulated, time, &mut pace);
            let averages: Vec<Average> = sorted.iter().map(average).collect::<Result<_>>()?;
            for (average, curve) in averages.iter().zip(&mut curves) {
                let se = spread.of(average, time, &mut pace)?;
                curve.push(time, average.survival, se, options, z);
            }
            for (average, difference) in averages.iter().skip(1).zip(&mut differences) {
                let change = average.less(&averages[0]);
                let se = spread.of(&change, time, &mut pace)?;
                difference.time.push(time);
                difference.survival.push(change.survival);
                difference.std_error.push(se);
                difference.conf_low.push(change.survival - z * se);
                difference.conf_high.push(change.survival + z * se);
            }
        }
        Ok(AdjustedCurves { curves, differences, notes: self.beyond(times) })
    }

    /// The risk of the event by `time`, averaged over the (weighted) rows of each of `settings`, and the comparisons of
    /// `pairs` of them (the second is the one that is compared with): differences, or logarithms of ratios. Intervals of
    /// levels are those of survival on the log-log scale. Beyond the last time of all rows nothing is known and all are NaN,
    /// with a note.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for settings of another shape, a covariance of another fit, a time before 0, pairs that are
    /// not there, or ratios of risks that are 0.
    pub fn adjusted_risks(
        &self,
        covariance: &Covariance<'_>,
        settings: &[ArrayView2<'_, f64>],
        time: f64,
        pairs: &[[usize; 2]],
        compare: Compare,
        level: f64,
    ) -> Result<AdjustedRisks> {
        self.check_settings(covariance, settings)?;
        check_level(level)?;
        check_time(time)?;
        if let Some(pair) = pairs.iter().flatten().find(|place| **place >= settings.len()) {
            return Err(Fault::new(format!("there is no setting {pair} among {}", settings.len())).input());
        }
        let monitor = &watcher();
        let mut pace = Pace::new(monitor);
        let spread = Spread::new(self, covariance, monitor)?;
        let average =
            |x: &ArrayView2<'_, f64>| self.average(&self.sorted(*x), &spread.cumulated, time, &mut pace);
        let averages: Vec<Average> = settings.iter().map(average).collect::<Result<_>>()?;
        let df = covariance.shared_df();
        let risks: Vec<f64> = averages.iter().map(|average| 1.0 - average.survival).collect();
        let errors: Vec<f64> =
            averages.iter().map(|average| spread.of(average, time, &mut pace)).collect::<Result<_>>()?;
        let mut levels = Contrasts::from_parts(risks.clone(), errors.clone(), vec![df; risks.len()], level)?;
        let reach = dist::t_quantile(0.5 + 0.5 * level, df);
        for (i, average) in averages.iter().enumerate() {
            let limits = super::kaplan_meier::Interval::LogLog.limits(
                average.survival,
                errors[i] / average.survival,
                reach,
            );
            (levels.conf_low[i], levels.conf_high[i]) = (1.0 - limits.high, 1.0 - limits.low);
        }
        let (mut estimates, mut changes) = (Vec::new(), Vec::new());
        for &[one, base] in pairs {
            let (a, b) = (risks[one], risks[base]);
            let (estimate, by, base_by) = match compare {
                Compare::Difference => (a - b, 1.0, 1.0),
                _ if a.is_nan() || b.is_nan() => (f64::NAN, 1.0, 1.0),
                Compare::Ratio if a > 0.0 && b > 0.0 => ((a / b).ln(), a, b),
                Compare::OddsRatio if a > 0.0 && b > 0.0 && a < 1.0 && b < 1.0 => {
                    ((a / (1.0 - a)).ln() - (b / (1.0 - b)).ln(), a * (1.0 - a), b * (1.0 - b))
                }
                _ => {
                    return Err(Fault::new(format!("risks of {a:.4} and {b:.4} have no {compare}"))
                        .remedy("Compare them by their difference, or at a later time")
                        .input());
                }
            };
            estimates.push(estimate);
            let change = averages[base].scaled(1.0 / base_by).less(&averages[one].scaled(1.0 / by));
            changes.push(spread.of(&change, time, &mut pace)?);
        }
        let comparisons = Contrasts::from_parts(estimates, changes, vec![df; pairs.len()], level)?;
        Ok(AdjustedRisks { levels, comparisons, compare, notes: self.beyond(&[time]) })
    }

    fn owns(&self, covariance: &Covariance<'_>) -> Result<()> {
        if covariance.owner() == self.id { Ok(()) } else { Err(other_fit()) }
    }

    fn check_settings(&self, covariance: &Covariance<'_>, settings: &[ArrayView2<'_, f64>]) -> Result<()> {
        self.owns(covariance)?;
        let p = self.coef.len();
        if settings.iter().any(|x| x.dim() != (self.n, p)) {
            return Err(Fault::new(format!("every setting needs {} rows and {p} columns", self.n))
                .remedy("Give every row of the data, with the arm set")
                .input());
        }
        Ok(())
    }

    /// The distinct times with events, over all strata.
    pub fn event_times(&self) -> Vec<f64> {
        let ties = self.data.timeline.ties.iter().filter(|tie| tie.deaths() > 0);
        let mut times: Vec<f64> = ties.map(|tie| tie.time).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        times
    }

    fn average(
        &self,
        x: &Array2<f64>,
        cumulated: &Hazard,
        time: f64,
        pace: &mut Pace<'_>,
    ) -> Result<Average> {
        let (p, ties) = (self.coef.len(), &self.data.timeline.ties);
        let mut out = Average { survival: 0.0, slope: Vec::new(), drift: vec![0.0; p] };
        let mut total = 0.0;
        let mut means = vec![0.0; p];
        for (stratum, range) in self.data.timeline.strata.iter().enumerate() {
            let last = self.data.timeline.last_at(stratum, time);
            let hazard = last.map_or(0.0, |k| cumulated.total[k]);
            let mut slope = 0.0;
            means.fill(0.0);
            let rows = range.clone().flat_map(|k| ties[k].start..ties[k].end);
            for position in rows {
                pace.by(STEP + p)?;
                let row = x.row(position);
                let weight = self.data.weight(position);
                let relative = row.iter().zip(&self.beta).map(|(x, b)| x * b).sum::<f64>().exp();
                let survival = weight * (-hazard * relative).exp();
                total += weight;
                out.survival += survival;
                slope += survival * relative;
                for (sum, x) in means.iter_mut().zip(row) {
                    *sum += survival * relative * x;
                }
            }
            if let Some(k) = last {
                for j in 0..p {
                    out.drift[j] += hazard * means[j] - slope * cumulated.mean[k * p + j];
                }
            }
            out.slope.push(slope);
        }
        // With nobody left in any stratum nothing of an average is known.
        let total = if self.reaches(time) { total } else { f64::NAN };
        out.survival /= total;
        out.slope.iter_mut().chain(&mut out.drift).for_each(|value| *value /= total);
        Ok(out)
    }
}

fn check_time(time: f64) -> Result<()> {
    if time >= 0.0 {
        return Ok(());
    }
    Err(Fault::new(format!("risks are asked for at a time of {time}"))
        .remedy("Give a time of 0 or more, on the scale of the outcome")
        .input())
}

/// What the standard errors of averages are made of.
struct Spread<'s, 'f> {
    fit: &'s CoxFit,
    covariance: &'s Covariance<'f>,
    cumulated: Hazard,
    /// The influence of each cluster on the coefficients of standardised columns, G x p.
    influence: Option<Array2<f64>>,
    factor: f64,
}

impl<'s, 'f> Spread<'s, 'f> {
    fn new(fit: &'s CoxFit, covariance: &'s Covariance<'f>, monitor: &dyn Monitor) -> Result<Self> {
        let clusters = covariance.membership().filter(|_| covariance.kind().is_clustered());
        let influence = clusters.map(|clusters| {
            let p = fit.coef.len();
            let w = fit.bread.whitening();
            let root = Array2::from_shape_fn((p, p), |(a, b)| w[a * p + b] * fit.data.scale[a]);
            let scores = cluster_scores(&fit.data, &fit.beta, fit.ties, clusters, monitor)?;
            Ok(scores.dot(&root).dot(&root.t()))
        });
        let factor = match (covariance.kind(), clusters) {
            (Vcov::Cr1, Some(clusters)) => (clusters.count() as f64 / (clusters.count() as f64 - 1.0)).sqrt(),
            _ => 1.0,
        };
        let (cumulated, influence) = (fit.cumulated(monitor)?, influence.transpose()?);
        Ok(Self { fit, covariance, cumulated, influence, factor })
    }

    /// The standard error of an average (or a combination of some), whose change is
    /// `-(sum over strata of slope dH + drift' db)`.
    fn of(&self, average: &Average, time: f64, pace: &mut Pace<'_>) -> Result<f64> {
        let (timeline, cumulated) = (&self.fit.data.timeline, &self.cumulated);
        let last: Vec<Option<usize>> =
            (0..timeline.strata.len()).map(|stratum| timeline.last_at(stratum, time)).collect();
        let (Some(influence), Some(clusters)) = (&self.influence, self.covariance.membership()) else {
            let hazard: f64 = last
                .iter()
                .zip(&average.slope)
                .filter_map(|(last, slope)| last.map(|k| slope * slope * cumulated.variance[k]))
                .sum();
            return Ok((hazard + self.fit.form(self.covariance, &average.drift)).sqrt());
        };
        let mut effect: Vec<f64> = influence
            .outer_iter()
            .map(|row| row.iter().zip(&average.drift).map(|(a, b)| a * b).sum())
            .collect();
        for ((range, slope), last) in timeline.strata.iter().zip(&average.slope).zip(last) {
            let Some(last) = last else { continue };
            for k in range.clone() {
                let tie = timeline.ties[k];
                pace.by((STEP + average.drift.len()) * (1 + tie.end - tie.start))?;
                let before = if k == range.start { 0.0 } else { cumulated.variance[k - 1] };
                for position in tie.start..tie.end {
                    let dies = position >= tie.events && k <= last;
                    let spent =
                        if dies { before + cumulated.die[k] } else { cumulated.variance[k.min(last)] };
                    let jump = if dies { cumulated.jump[k] } else { 0.0 };
                    let change = jump - self.fit.data.relative_hazard(position, &self.fit.beta) * spent;
                    let g = clusters.codes()[timeline.order[position] as usize] as usize;
                    effect[g] += self.fit.data.weight(position) * slope * change;
                }
            }
        }
        Ok(self.factor * effect.iter().map(|value| value * value).sum::<f64>().sqrt())
    }
}

/// An average of survival at one time, and how it moves with the baseline hazards and the coefficients.
struct Average {
    survival: f64,
    slope: Vec<f64>,
    drift: Vec<f64>,
}

impl Average {
    fn scaled(&self, factor: f64) -> Self {
        let times = |values: &[f64]| values.iter().map(|value| factor * value).collect();
        Self { survival: factor * self.survival, slope: times(&self.slope), drift: times(&self.drift) }
    }

    fn less(&self, other: &Self) -> Self {
        let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        Self {
            survival: self.survival - other.survival,
            slope: minus(&self.slope, &other.slope),
            drift: minus(&self.drift, &other.drift),
        }
    }
}

impl SurvivalCurve {
    fn empty() -> Self {
        Self { time: vec![], survival: vec![], std_error: vec![], conf_low: vec![], conf_high: vec![] }
    }

    fn push(&mut self, time: f64, survival: f64, se: f64, options: Options, z: f64) {
        let limits = options.interval.limits(survival, se / survival, z);
        self.time.push(time);
        self.survival.push(survival);
        self.std_error.push(se);
        self.conf_low.push(limits.low);
        self.conf_high.push(limits.high);
    }

    /// A time at which nothing is known.
    fn push_unknown(&mut self, time: f64) {
        self.time.push(time);
        for column in [&mut self.survival, &mut self.std_error, &mut self.conf_low, &mut self.conf_high] {
            column.push(f64::NAN);
        }
    }
}

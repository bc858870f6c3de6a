//! Times to an event: the fits stay in the core, the package asks them questions.

use crewe::inference::{Compare, Vcov};
use crewe::survival::{
    self, Cox, CoxFit, Curve, Interval, Options, Quantile, Surv, SurvivalCurve, Test, Ties, Tolerance,
    Transform,
};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{Level, Word, record, slice};
use crate::covariance::{Covariance, Groups, Owner, table};

/// A curve's columns, its rows and the width of its tolerance.
type Parts = ([Vec<f64>; 8], usize, f64);

/// One dictionary a curve.
type Records<'py> = Vec<Bound<'py, PyDict>>;

fn options(interval: Word<Interval>, level: Level) -> Options {
    Options::default().interval(interval.0).level(level.0)
}

fn optional<'a, T: numpy::Element>(array: Option<&'a PyReadonlyArray1<'_, T>>) -> PyResult<Option<&'a [T]>> {
    array.map(slice).transpose()
}

/// A Kaplan-Meier curve.
#[pyclass(module = "crewe._core", frozen)]
struct KaplanMeierCurve {
    inner: Curve,
}

#[pymethods]
impl KaplanMeierCurve {
    /// The curve again, from the columns that it was taken apart into.
    #[staticmethod]
    #[allow(clippy::needless_pass_by_value)]
    fn restore(columns: [Vec<f64>; 8], n: usize, width: f64) -> Self {
        let [time, at_risk, events, censored, survival, std_error, conf_low, conf_high] = columns;
        let mut inner = Curve::default();
        (inner.time, inner.at_risk, inner.events, inner.censored) = (time, at_risk, events, censored);
        (inner.survival, inner.std_error) = (survival, std_error);
        (inner.conf_low, inner.conf_high) = (conf_low, conf_high);
        (inner.n, inner.tolerance) = (n, Tolerance::within(width));
        Self { inner }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Parts)> {
        let c = self.inner.clone();
        let columns =
            [c.time, c.at_risk, c.events, c.censored, c.survival, c.std_error, c.conf_low, c.conf_high];
        let restore = py.get_type::<Self>().getattr("restore")?;
        Ok((restore, (columns, c.n, c.tolerance.width())))
    }

    /// The curve's columns.
    fn record<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let curve = self.inner.clone();
        Ok(record!(py,
            "time" => curve.time.into_pyarray(py),
            "at_risk" => curve.at_risk.into_pyarray(py),
            "events" => curve.events.into_pyarray(py),
            "censored" => curve.censored.into_pyarray(py),
            "survival" => curve.survival.into_pyarray(py),
            "std_error" => curve.std_error.into_pyarray(py),
            "conf_low" => curve.conf_low.into_pyarray(py),
            "conf_high" => curve.conf_high.into_pyarray(py),
            "n" => curve.n,
        ))
    }

    /// A quantile of the time, with its limits.
    fn quantile<'py>(&self, py: Python<'py>, p: f64) -> PyResult<Bound<'py, PyDict>> {
        let Quantile { estimate, conf_low, conf_high, .. } = self.inner.quantile(p);
        Ok(record!(py, "estimate" => estimate, "conf_low" => conf_low, "conf_high" => conf_high))
    }

    /// The curve at any times.
    fn read<'py>(&self, py: Python<'py>, times: PyReadonlyArray1<'py, f64>) -> PyResult<Bound<'py, PyDict>> {
        let read = self.inner.read(slice(&times)?);
        Ok(record!(py,
            "estimate" => read.survival.into_pyarray(py),
            "std_error" => read.std_error.into_pyarray(py),
            "conf_low" => read.conf_low.into_pyarray(py),
            "conf_high" => read.conf_high.into_pyarray(py),
        ))
    }

    /// Rows at risk just before each time.
    fn at_risk<'py>(
        &self,
        py: Python<'py>,
        times: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        Ok(self.inner.at_risk_at(slice(&times)?).into_pyarray(py))
    }
}

/// Kaplan-Meier curves by group; every group below `count` has one.
#[pyfunction]
#[pyo3(signature = (time, event, time_name, event_name, groups, weights, interval, level))]
#[allow(clippy::too_many_arguments)]
fn kaplan_meier(
    py: Python<'_>,
    time: PyReadonlyArray1<'_, f64>,
    event: PyReadonlyArray1<'_, f64>,
    time_name: &str,
    event_name: &str,
    groups: Option<PyReadonlyArray1<'_, u32>>,
    weights: Option<PyReadonlyArray1<'_, f64>>,
    interval: Word<Interval>,
    level: Level,
) -> PyResult<Vec<KaplanMeierCurve>> {
    let (time, event) = (slice(&time)?, slice(&event)?);
    let (groups, weights) = (optional(groups.as_ref())?, optional(weights.as_ref())?);
    let curves = crate::pool::compute(py, |_| {
        let surv = Surv::new(time, event).named(time_name, event_name).weights(weights);
        survival::kaplan_meier(&surv, groups, options(interval, level))
    })?;
    Ok(curves.into_iter().map(|inner| KaplanMeierCurve { inner }).collect())
}

/// The last of ascending times at or before each of `wanted`; -1 where there is none.
#[pyfunction]
fn last_at<'py>(
    py: Python<'py>,
    times: PyReadonlyArray1<'py, f64>,
    wanted: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let times = slice(&times)?;
    let rule = Tolerance::of(times);
    let at = |&time: &f64| rule.last_at(times, time).map_or(-1, |j| j as i64);
    Ok(slice(&wanted)?.iter().map(at).collect::<Vec<i64>>().into_pyarray(py))
}

/// The log-rank test.
#[pyfunction]
#[pyo3(signature = (time, event, time_name, event_name, groups, labels, strata))]
#[allow(clippy::too_many_arguments)]
fn logrank<'py>(
    py: Python<'py>,
    time: PyReadonlyArray1<'py, f64>,
    event: PyReadonlyArray1<'py, f64>,
    time_name: &str,
    event_name: &str,
    groups: PyReadonlyArray1<'py, u32>,
    labels: Vec<String>,
    strata: Option<PyReadonlyArray1<'py, u32>>,
) -> PyResult<Bound<'py, PyDict>> {
    let (time, event, groups) = (slice(&time)?, slice(&event)?, slice(&groups)?);
    let strata = optional(strata.as_ref())?;
    let test = crate::pool::compute(py, |_| {
        let surv = Surv::new(time, event).named(time_name, event_name);
        survival::logrank(&surv, groups, &labels, strata)
    })?;
    Ok(record!(py,
        "n" => test.n,
        "observed" => test.observed.into_pyarray(py),
        "expected" => test.expected.into_pyarray(py),
        "variance" => test.variance.into_pyarray(py),
        "statistic" => test.statistic,
        "df" => test.df,
        "p_value" => test.p_value,
        "notes" => test.notes,
    ))
}

/// A fitted Cox model, with the rows it was fitted to.
#[pyclass(module = "crewe._core", frozen)]
pub struct CoxModel {
    pub inner: CoxFit,
}

fn test_record<'py>(py: Python<'py>, test: &Test) -> PyResult<Bound<'py, PyDict>> {
    Ok(record!(py, "statistic" => test.statistic, "df" => test.df, "p_value" => test.p_value))
}

fn curve_record(py: Python<'_>, curve: SurvivalCurve) -> PyResult<Bound<'_, PyDict>> {
    Ok(record!(py,
        "time" => curve.time.into_pyarray(py),
        "estimate" => curve.survival.into_pyarray(py),
        "std_error" => curve.std_error.into_pyarray(py),
        "conf_low" => curve.conf_low.into_pyarray(py),
        "conf_high" => curve.conf_high.into_pyarray(py),
    ))
}

#[pymethods]
impl CoxModel {
    /// What does not depend on the covariance.
    fn record<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fit = &self.inner;
        Ok(record!(py,
            "names" => &fit.names,
            "coef" => fit.coef.clone().into_pyarray(py),
            "means" => fit.means.clone().into_pyarray(py),
            "n" => fit.n,
            "events" => fit.events,
            "strata" => fit.strata,
            "loglik_null" => fit.loglik_null,
            "loglik" => fit.loglik,
            "likelihood_ratio" => test_record(py, &fit.likelihood_ratio)?,
            "score" => test_record(py, &fit.score)?,
            "iterations" => fit.iterations,
        ))
    }

    /// The covariance under a named definition.
    #[pyo3(signature = (kind, groups))]
    fn covariance(slf: Bound<'_, Self>, kind: Word<Vcov>, groups: Option<&Groups>) -> PyResult<Covariance> {
        let py = slf.py();
        let clusters = groups.map(|groups| &groups.inner);
        let fit = &slf.get().inner;
        let inner = crate::pool::compute(py, |_| Ok(fit.vcov(kind.0, clusters)?.detach()))?;
        Ok(Covariance { owner: Owner::Cox(slf.unbind()), inner })
    }

    /// The Wald test of all coefficients under a covariance.
    fn wald<'py>(&self, py: Python<'py>, covariance: &Covariance) -> PyResult<Bound<'py, PyDict>> {
        let test = crate::pool::compute(py, |_| {
            self.inner.attach(&covariance.inner).and_then(|cov| self.inner.wald(&cov))
        })?;
        test_record(py, &test)
    }

    /// The score test that takes account of clusters.
    fn robust_score<'py>(&self, py: Python<'py>, groups: &Groups) -> PyResult<Bound<'py, PyDict>> {
        let test = crate::pool::compute(py, |_| self.inner.robust_score(&groups.inner))?;
        test_record(py, &test)
    }

    /// Tests of proportional hazards, by terms.
    fn zph<'py>(
        &self,
        py: Python<'py>,
        transform: Word<Transform>,
        terms: Vec<Vec<usize>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let zph = crate::pool::compute(py, |_| self.inner.zph(transform.0, &terms))?;
        let all: Vec<&Test> = zph.terms.iter().chain([&zph.global]).collect();
        Ok(record!(py,
            "statistic" => all.iter().map(|t| t.statistic).collect::<Vec<_>>().into_pyarray(py),
            "df" => all.iter().map(|t| t.df).collect::<Vec<_>>().into_pyarray(py),
            "p_value" => all.iter().map(|t| t.p_value).collect::<Vec<_>>().into_pyarray(py),
            "time" => zph.time.into_pyarray(py),
            "transformed" => zph.transformed.into_pyarray(py),
            "scaled_schoenfeld" => zph.scaled_schoenfeld.into_pyarray(py),
        ))
    }

    /// Cumulative baseline hazards, one record a stratum.
    fn baseline<'py>(&self, py: Python<'py>, centred: bool) -> PyResult<Vec<Bound<'py, PyDict>>> {
        crate::pool::compute(py, |_| self.inner.baseline(centred))?
            .into_iter()
            .map(|base| {
                Ok(record!(py, "time" => base.time.into_pyarray(py), "hazard" => base.hazard.into_pyarray(py)))
            })
            .collect()
    }

    /// The survival curve of a row.
    fn survival_curve<'py>(
        &self,
        py: Python<'py>,
        covariance: &Covariance,
        x: PyReadonlyArray1<'py, f64>,
        stratum: usize,
        interval: Word<Interval>,
        level: Level,
    ) -> PyResult<Bound<'py, PyDict>> {
        let x = slice(&x)?;
        let curve = crate::pool::compute(py, |_| {
            let covariance = self.inner.attach(&covariance.inner)?;
            self.inner.survival_curve(&covariance, x, stratum, options(interval, level))
        })?;
        curve_record(py, curve)
    }

    /// Survival averaged over the rows of every setting; curves first, then differences from the first, then notes.
    fn adjusted_curves<'py>(
        &self,
        py: Python<'py>,
        covariance: &Covariance,
        settings: Vec<PyReadonlyArray2<'py, f64>>,
        times: PyReadonlyArray1<'py, f64>,
        interval: Word<Interval>,
        level: Level,
    ) -> PyResult<(Records<'py>, Records<'py>, Vec<String>)> {
        let times = slice(&times)?;
        let views: Vec<_> = settings.iter().map(|x| x.as_array()).collect();
        let adjusted = crate::pool::compute(py, |_| {
            let covariance = self.inner.attach(&covariance.inner)?;
            self.inner.adjusted_curves(&covariance, &views, times, options(interval, level))
        })?;
        let list = |curves: Vec<SurvivalCurve>| -> PyResult<Vec<_>> {
            curves.into_iter().map(|curve| curve_record(py, curve)).collect()
        };
        Ok((list(adjusted.curves)?, list(adjusted.differences)?, adjusted.notes))
    }

    /// The survival of rows by a time, one value a row.
    #[allow(clippy::too_many_arguments)]
    fn survival_at<'py>(
        &self,
        py: Python<'py>,
        covariance: &Covariance,
        rows: PyReadonlyArray2<'py, f64>,
        stratum: usize,
        time: f64,
        interval: Word<Interval>,
        level: Level,
    ) -> PyResult<Bound<'py, PyDict>> {
        let rows = rows.as_array();
        let curve = crate::pool::compute(py, |_| {
            let covariance = self.inner.attach(&covariance.inner)?;
            self.inner.survival_at(&covariance, rows, stratum, time, options(interval, level))
        })?;
        curve_record(py, curve)
    }

    /// Risks at a time averaged over the rows of every setting, comparisons of pairs of them, and notes.
    #[allow(clippy::too_many_arguments)]
    fn adjusted_risks<'py>(
        &self,
        py: Python<'py>,
        covariance: &Covariance,
        settings: Vec<PyReadonlyArray2<'py, f64>>,
        time: f64,
        pairs: Vec<[usize; 2]>,
        compare: Word<Compare>,
        level: Level,
    ) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>, Vec<String>)> {
        let views: Vec<_> = settings.iter().map(|x| x.as_array()).collect();
        let found = crate::pool::compute(py, |_| {
            let covariance = self.inner.attach(&covariance.inner)?;
            self.inner.adjusted_risks(&covariance, &views, time, &pairs, compare.0, level.0)
        })?;
        Ok((table(py, found.levels)?, table(py, found.comparisons)?, found.notes))
    }

    /// The distinct times with events.
    fn event_times<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.inner.event_times().into_pyarray(py)
    }

    /// Score residuals, by rows.
    fn score_residuals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        Ok(crate::pool::compute(py, |_| self.inner.score_residuals())?.into_pyarray(py))
    }

    /// Martingale residuals.
    fn martingale_residuals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<f64>>> {
        Ok(crate::pool::compute(py, |_| self.inner.martingale_residuals())?.into_pyarray(py))
    }
}

/// Fits a Cox model.
#[pyfunction]
#[pyo3(signature = (time, event, time_name, event_name, x, names, ties, strata, weights))]
#[allow(clippy::too_many_arguments)]
fn cox_fit(
    py: Python<'_>,
    time: PyReadonlyArray1<'_, f64>,
    event: PyReadonlyArray1<'_, f64>,
    time_name: &str,
    event_name: &str,
    x: PyReadonlyArray2<'_, f64>,
    names: Vec<String>,
    ties: Word<Ties>,
    strata: Option<PyReadonlyArray1<'_, u32>>,
    weights: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<CoxModel> {
    let (time, event, columns) = (slice(&time)?, slice(&event)?, x.as_array());
    let (strata, weights) = (optional(strata.as_ref())?, optional(weights.as_ref())?);
    let fit = crate::pool::compute(py, |_| {
        Cox::new(Surv::new(time, event).named(time_name, event_name).weights(weights), columns)
            .named(names)
            .ties(ties.0)
            .strata(strata)
            .fit()
    })?;
    Ok(CoxModel { inner: fit })
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<KaplanMeierCurve>()?;
    m.add_class::<CoxModel>()?;
    m.add_function(wrap_pyfunction!(kaplan_meier, m)?)?;
    m.add_function(wrap_pyfunction!(last_at, m)?)?;
    m.add_function(wrap_pyfunction!(logrank, m)?)?;
    m.add_function(wrap_pyfunction!(cox_fit, m)?)
}

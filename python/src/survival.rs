//! Times to an event, Kaplan-Meier curves, restricted means and the log-rank test.

use crewe::survival::{self as core, Curve, Interval, Options, Tolerance};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::covariance::{Clusters, Contrasts};
use crate::handle::{Floats, Level, Word, floats, slice};

/// The scale and the level of intervals.
pub fn options(interval: Word<Interval>, level: Level) -> Options {
    Options::default().interval(interval.0).level(level.0)
}

/// The slice of an array that may not be there.
pub fn optional<'a, T: numpy::Element>(
    array: Option<&'a PyReadonlyArray1<'_, T>>,
) -> PyResult<Option<&'a [T]>> {
    array.map(slice).transpose()
}

/// Times to an event (n,), with what they are called, and weights.
#[pyclass(module = "crewe._core", frozen)]
pub struct Surv {
    time: Floats,
    event: Floats,
    time_name: String,
    event_name: String,
    weights: Option<Floats>,
}

#[pymethods]
impl Surv {
    #[new]
    #[pyo3(signature = (time, event, time_name, event_name, weights))]
    fn new(
        time: Floats,
        event: Floats,
        time_name: String,
        event_name: String,
        weights: Option<Floats>,
    ) -> Self {
        Self { time, event, time_name, event_name, weights }
    }
}

impl Surv {
    /// Runs `ask` on the core's outcome, without the interpreter.
    pub fn ask<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(core::Surv<'_>) -> crewe::Result<T> + Send,
    ) -> PyResult<T> {
        let weights = self.weights.as_ref().map(|weights| weights.bind(py).readonly());
        let (time, event) = (self.time.bind(py).readonly(), self.event.bind(py).readonly());
        let surv = core::Surv::new(slice(&time)?, slice(&event)?)
            .named(&self.time_name, &self.event_name)
            .weights(optional(weights.as_ref())?);
        crate::pool::compute(py, |_| ask(surv))
    }
}

/// A quantile of the time to the event, with its limits.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Quantile {
    estimate: f64,
    conf_low: f64,
    conf_high: f64,
}

/// A curve at times that were asked for.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Readings {
    survival: Floats,
    std_error: Floats,
    conf_low: Floats,
    conf_high: Floats,
}

/// A Kaplan-Meier curve.
#[pyclass(module = "crewe._core", frozen)]
struct KaplanMeierCurve {
    inner: Curve,
}

/// What makes a curve again: its columns, its rows and the width of its tolerance.
type Parts<'py> = (Bound<'py, PyAny>, (Vec<Floats>, usize, f64));

#[pymethods]
impl KaplanMeierCurve {
    /// The curve again, from the columns that it was taken apart into.
    #[staticmethod]
    fn restore(columns: [PyReadonlyArray1<'_, f64>; 8], n: usize, width: f64) -> PyResult<Self> {
        let mut inner = Curve::default();
        (inner.n, inner.tolerance) = (n, Tolerance::within(width));
        for (to, from) in columns_of(&mut inner).into_iter().zip(&columns) {
            *to = slice(from)?.to_vec();
        }
        Ok(Self { inner })
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Parts<'py>> {
        let mut curve = self.inner.clone();
        let columns = columns_of(&mut curve).map(|column| floats(py, std::mem::take(column)));
        let restore = py.get_type::<Self>().getattr("restore")?;
        Ok((restore, (columns.into(), curve.n, curve.tolerance.width())))
    }

    /// The distinct times, censored ones included; the other columns have one element for each.
    #[getter]
    fn time(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.time.clone())
    }

    /// Rows at risk just before each time, by their weights.
    #[getter]
    fn at_risk(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.at_risk.clone())
    }

    /// Events, by their weights.
    #[getter]
    fn events(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.events.clone())
    }

    /// Censored rows, by their weights.
    #[getter]
    fn censored(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.censored.clone())
    }

    /// Survival at and after each time.
    #[getter]
    fn survival(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.survival.clone())
    }

    /// Its standard error.
    #[getter]
    fn std_error(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.std_error.clone())
    }

    /// Lower limits.
    #[getter]
    fn conf_low(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.conf_low.clone())
    }

    /// Upper limits.
    #[getter]
    fn conf_high(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.conf_high.clone())
    }

    /// The rows of the group.
    #[getter]
    fn n(&self) -> usize {
        self.inner.n
    }

    /// A quantile of the time, with its limits.
    fn quantile(&self, p: f64) -> Quantile {
        let core::Quantile { estimate, conf_low, conf_high, .. } = self.inner.quantile(p);
        Quantile { estimate, conf_low, conf_high }
    }

    /// The curve at any times.
    fn read(&self, py: Python<'_>, times: PyReadonlyArray1<'_, f64>) -> PyResult<Readings> {
        let read = self.inner.read(slice(&times)?);
        Ok(Readings {
            survival: floats(py, read.survival),
            std_error: floats(py, read.std_error),
            conf_low: floats(py, read.conf_low),
            conf_high: floats(py, read.conf_high),
        })
    }

    /// Rows at risk just before each of any times.
    fn at_risk_at(&self, py: Python<'_>, times: PyReadonlyArray1<'_, f64>) -> PyResult<Floats> {
        Ok(floats(py, self.inner.at_risk_at(slice(&times)?)))
    }
}

fn columns_of(curve: &mut Curve) -> [&mut Vec<f64>; 8] {
    [
        &mut curve.time,
        &mut curve.at_risk,
        &mut curve.events,
        &mut curve.censored,
        &mut curve.survival,
        &mut curve.std_error,
        &mut curve.conf_low,
        &mut curve.conf_high,
    ]
}

/// Kaplan-Meier curves by group; every group below `count` has one.
#[pyfunction]
#[pyo3(signature = (surv, groups, interval, level))]
fn kaplan_meier(
    py: Python<'_>,
    surv: &Surv,
    groups: Option<PyReadonlyArray1<'_, u32>>,
    interval: Word<Interval>,
    level: Level,
) -> PyResult<Vec<KaplanMeierCurve>> {
    let groups = optional(groups.as_ref())?;
    let curves = surv.ask(py, |surv| core::kaplan_meier(&surv, groups, options(interval, level)))?;
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

/// Restricted means by arm, and their comparisons with the first; ratios as logarithms.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Rmst {
    horizon: f64,
    means: Py<Contrasts>,
    differences: Py<Contrasts>,
    ratios: Py<Contrasts>,
    covariance: Py<PyArray2<f64>>,
    curves: Vec<Py<KaplanMeierCurve>>,
    events: Floats,
    clusters: Option<Vec<usize>>,
    notes: Vec<String>,
}

/// Restricted mean survival times up to a horizon.
#[pyfunction]
#[pyo3(signature = (surv, groups, labels, clusters, horizon, level))]
fn rmst(
    py: Python<'_>,
    surv: &Surv,
    groups: Option<PyReadonlyArray1<'_, u32>>,
    labels: Vec<String>,
    clusters: Option<&Clusters>,
    horizon: Option<f64>,
    level: Level,
) -> PyResult<Rmst> {
    let groups = optional(groups.as_ref())?;
    let clusters = clusters.map(|clusters| &clusters.inner);
    let mut options = core::RmstOptions::default().level(level.0);
    options.horizon = horizon;
    let found = surv.ask(py, |surv| core::rmst(&surv, groups, &labels, clusters, options))?;
    let curve = |inner| Py::new(py, KaplanMeierCurve { inner });
    Ok(Rmst {
        horizon: found.horizon,
        means: Py::new(py, Contrasts::of(py, found.means))?,
        differences: Py::new(py, Contrasts::of(py, found.differences))?,
        ratios: Py::new(py, Contrasts::of(py, found.ratios))?,
        covariance: found.covariance.into_pyarray(py).unbind(),
        curves: found.curves.into_iter().map(curve).collect::<PyResult<_>>()?,
        events: floats(py, found.events),
        clusters: found.clusters,
        notes: found.notes,
    })
}

/// A log-rank test of k groups.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct LogRank {
    n: Vec<usize>,
    observed: Floats,
    expected: Floats,
    variance: Py<PyArray2<f64>>,
    statistic: f64,
    df: usize,
    p_value: f64,
    notes: Vec<String>,
}

/// The log-rank test.
#[pyfunction]
#[pyo3(signature = (surv, groups, labels, strata))]
fn logrank(
    py: Python<'_>,
    surv: &Surv,
    groups: PyReadonlyArray1<'_, u32>,
    labels: Vec<String>,
    strata: Option<PyReadonlyArray1<'_, u32>>,
) -> PyResult<LogRank> {
    let (groups, strata) = (slice(&groups)?, optional(strata.as_ref())?);
    let test = surv.ask(py, |surv| core::logrank(&surv, groups, &labels, strata))?;
    Ok(LogRank {
        n: test.n,
        observed: floats(py, test.observed),
        expected: floats(py, test.expected),
        variance: test.variance.into_pyarray(py).unbind(),
        statistic: test.statistic,
        df: test.df,
        p_value: test.p_value,
        notes: test.notes,
    })
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Surv>()?;
    m.add_class::<Quantile>()?;
    m.add_class::<Readings>()?;
    m.add_class::<KaplanMeierCurve>()?;
    m.add_class::<LogRank>()?;
    m.add_class::<Rmst>()?;
    m.add_function(wrap_pyfunction!(kaplan_meier, m)?)?;
    m.add_function(wrap_pyfunction!(last_at, m)?)?;
    m.add_function(wrap_pyfunction!(rmst, m)?)?;
    m.add_function(wrap_pyfunction!(logrank, m)?)
}

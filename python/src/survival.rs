//! Times to an event: the fits stay in the core, the package asks them questions.

use crewe::inference::{Compare, Vcov};
use crewe::survival::{self as core, Cox, Curve, Interval, Options, Ties, Tolerance, Transform};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::covariance::{Clusters, Contrasts, Covariance, Owner};
use crate::error::OrRaise;
use crate::handle::{Floats, Level, Word, columns, floats, slice};

fn options(interval: Word<Interval>, level: Level) -> Options {
    Options::default().interval(interval.0).level(level.0)
}

fn optional<'a, T: numpy::Element>(array: Option<&'a PyReadonlyArray1<'_, T>>) -> PyResult<Option<&'a [T]>> {
    array.map(slice).transpose()
}

/// Times to an event (n,), with what they are called, and weights.
#[pyclass(module = "crewe._core", frozen)]
struct Surv {
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
    fn ask<T: Send>(
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

/// A chi-squared test.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Test {
    statistic: f64,
    df: f64,
    p_value: f64,
}

impl From<&core::Test> for Test {
    fn from(&core::Test { statistic, df, p_value, .. }: &core::Test) -> Self {
        Self { statistic, df, p_value }
    }
}

columns! {
    /// A survival curve: its times, and what holds at and after each.
    struct SurvivalCurve { time, survival, std_error, conf_low, conf_high }
}

impl SurvivalCurve {
    fn of(py: Python<'_>, curve: core::SurvivalCurve) -> Self {
        Self {
            time: floats(py, curve.time),
            survival: floats(py, curve.survival),
            std_error: floats(py, curve.std_error),
            conf_low: floats(py, curve.conf_low),
            conf_high: floats(py, curve.conf_high),
        }
    }
}

/// Survival under every setting, the differences of the later ones from the first, and what to know of them.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct AdjustedCurves {
    curves: Vec<Py<SurvivalCurve>>,
    differences: Vec<Py<SurvivalCurve>>,
    notes: Vec<String>,
}

/// Risks by a time under every setting, comparisons of pairs of them, and what to know of them.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct AdjustedRisks {
    levels: Py<Contrasts>,
    comparisons: Py<Contrasts>,
    notes: Vec<String>,
}

/// A cumulative baseline hazard.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Baseline {
    time: Floats,
    hazard: Floats,
}

/// Tests of proportional hazards: of every term, then of all; with what they rest on, one entry an event.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct ProportionalHazards {
    statistic: Floats,
    df: Floats,
    p_value: Floats,
    time: Floats,
    transformed: Floats,
    scaled_schoenfeld: Py<PyArray2<f64>>,
}

/// A fitted Cox model, with the rows it was fitted to.
#[pyclass(module = "crewe._core", frozen)]
pub struct CoxFit {
    pub inner: core::CoxFit,
}

#[pymethods]
impl CoxFit {
    /// The names of the coefficients, length p.
    #[getter]
    fn terms(&self) -> Vec<String> {
        self.inner.names.clone()
    }

    /// The coefficients, length p.
    #[getter]
    fn coef(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.coef.clone())
    }

    /// The means of the columns, length p.
    #[getter]
    fn means(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.means.clone())
    }

    /// The rows that it was fitted to.
    #[getter]
    fn n(&self) -> usize {
        self.inner.n
    }

    /// Those with an event.
    #[getter]
    fn events(&self) -> usize {
        self.inner.events
    }

    /// The strata, which have a baseline hazard each.
    #[getter]
    fn strata(&self) -> usize {
        self.inner.strata
    }

    /// The log partial likelihood without covariates.
    #[getter]
    fn loglik_null(&self) -> f64 {
        self.inner.loglik_null
    }

    /// The log partial likelihood with them.
    #[getter]
    fn loglik(&self) -> f64 {
        self.inner.loglik
    }

    /// The steps that the fit took.
    #[getter]
    fn iterations(&self) -> usize {
        self.inner.iterations
    }

    /// The likelihood ratio test of all coefficients.
    #[getter]
    fn likelihood_ratio(&self) -> Test {
        Test::from(&self.inner.likelihood_ratio)
    }

    /// The score test of all coefficients.
    #[getter]
    fn score(&self) -> Test {
        Test::from(&self.inner.score)
    }

    /// The covariance under a named definition.
    #[pyo3(signature = (kind, clusters))]
    fn covariance(
        slf: Bound<'_, Self>,
        kind: Word<Vcov>,
        clusters: Option<&Clusters>,
    ) -> PyResult<Covariance> {
        let py = slf.py();
        let clusters = clusters.map(|clusters| &clusters.inner);
        let fit = &slf.get().inner;
        let inner = crate::pool::compute(py, |_| Ok(fit.vcov(kind.0, clusters)?.detach()))?;
        Ok(Covariance { owner: Owner::Cox(slf.unbind()), inner })
    }

    /// The Wald test of all coefficients under a covariance.
    fn wald(&self, py: Python<'_>, covariance: &Covariance) -> PyResult<Test> {
        let test = self.inner.attach(&covariance.inner).and_then(|cov| self.inner.wald(&cov)).or_raise(py)?;
        Ok(Test::from(&test))
    }

    /// The score test that takes account of clusters.
    fn robust_score(&self, py: Python<'_>, clusters: &Clusters) -> PyResult<Test> {
        let test = crate::pool::compute(py, |_| self.inner.robust_score(&clusters.inner))?;
        Ok(Test::from(&test))
    }

    /// Tests of proportional hazards, by terms.
    fn zph(
        &self,
        py: Python<'_>,
        transform: Word<Transform>,
        terms: Vec<Vec<usize>>,
    ) -> PyResult<ProportionalHazards> {
        let zph = crate::pool::compute(py, |_| self.inner.zph(transform.0, &terms))?;
        let all: Vec<&core::Test> = zph.terms.iter().chain([&zph.global]).collect();
        Ok(ProportionalHazards {
            statistic: floats(py, all.iter().map(|test| test.statistic).collect()),
            df: floats(py, all.iter().map(|test| test.df).collect()),
            p_value: floats(py, all.iter().map(|test| test.p_value).collect()),
            time: floats(py, zph.time),
            transformed: floats(py, zph.transformed),
            scaled_schoenfeld: zph.scaled_schoenfeld.into_pyarray(py).unbind(),
        })
    }

    /// Cumulative baseline hazards, one a stratum.
    fn baseline(&self, py: Python<'_>, centred: bool) -> PyResult<Vec<Baseline>> {
        let found = crate::pool::compute(py, |_| self.inner.baseline(centred))?;
        let each = |base: survival::Baseline| Baseline {
            time: floats(py, base.time),
            hazard: floats(py, base.hazard),
        };
        Ok(found.into_iter().map(each).collect())
    }

    /// The survival curve of a row.
    fn survival_curve(
        &self,
        py: Python<'_>,
        covariance: &Covariance,
        x: PyReadonlyArray1<'_, f64>,
        stratum: usize,
        interval: Word<Interval>,
        level: Level,
    ) -> PyResult<SurvivalCurve> {
        let x = slice(&x)?;
        let curve = crate::pool::compute(py, |_| {
            let covariance = self.inner.attach(&covariance.inner)?;
            self.inner.survival_curve(&covariance, x, stratum, options(interval, level))
        })?;
        Ok(SurvivalCurve::of(py, curve))
    }

    /// Survival averaged over the rows of every setting.
    fn adjusted_curves(
        &self,
        py: Python<'_>,
        covariance: &Covariance,
        settings: Vec<PyReadonlyArray2<'_, f64>>,
        times: PyReadonlyArray1<'_, f64>,
        interval: Word<Interval>,
        level: Level,
    ) -> PyResult<AdjustedCurves> {
        let times = slice(&times)?;
        let views: Vec<_> = settings.iter().map(|x| x.as_array()).collect();
        let adjusted = crate::pool::compute(py, |_| {
            let covariance = self.inner.attach(&covariance.inner)?;
            self.inner.adjusted_curves(&covariance, &views, times, options(interval, level))
        })?;
        let list = |curves: Vec<core::SurvivalCurve>| -> PyResult<Vec<_>> {
            curves.into_iter().map(|curve| Py::new(py, SurvivalCurve::of(py, curve))).collect()
        };
        let (curves, differences) = (list(adjusted.curves)?, list(adjusted.differences)?);
        Ok(AdjustedCurves { curves, differences, notes: adjusted.notes })
    }

    /// The survival of rows by a time, one value a row.
    #[expect(clippy::too_many_arguments, reason = "the interpreter and the fit are two of them")]
    fn survival_at(
        &self,
        py: Python<'_>,
        covariance: &Covariance,
        rows: PyReadonlyArray2<'_, f64>,
        stratum: usize,
        time: f64,
        interval: Word<Interval>,
        level: Level,
    ) -> PyResult<SurvivalCurve> {
        let rows = rows.as_array();
        let curve = crate::pool::compute(py, |_| {
            let covariance = self.inner.attach(&covariance.inner)?;
            self.inner.survival_at(&covariance, rows, stratum, time, options(interval, level))
        })?;
        Ok(SurvivalCurve::of(py, curve))
    }

    /// Risks at a time averaged over the rows of every setting, and comparisons of pairs of them.
    #[expect(clippy::too_many_arguments, reason = "the interpreter and the fit are two of them")]
    fn adjusted_risks(
        &self,
        py: Python<'_>,
        covariance: &Covariance,
        settings: Vec<PyReadonlyArray2<'_, f64>>,
        time: f64,
        pairs: Vec<[usize; 2]>,
        compare: Word<Compare>,
        level: Level,
    ) -> PyResult<AdjustedRisks> {
        let views: Vec<_> = settings.iter().map(|x| x.as_array()).collect();
        let found = crate::pool::compute(py, |_| {
            let covariance = self.inner.attach(&covariance.inner)?;
            self.inner.adjusted_risks(&covariance, &views, time, &pairs, compare.0, level.0)
        })?;
        Ok(AdjustedRisks {
            levels: Py::new(py, Contrasts::of(py, found.levels))?,
            comparisons: Py::new(py, Contrasts::of(py, found.comparisons))?,
            notes: found.notes,
        })
    }

    /// The distinct times with events.
    fn event_times(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.event_times())
    }

    /// Score residuals, by rows.
    fn score_residuals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        Ok(crate::pool::compute(py, |_| self.inner.score_residuals())?.into_pyarray(py))
    }

    /// Martingale residuals.
    fn martingale_residuals(&self, py: Python<'_>) -> PyResult<Floats> {
        Ok(floats(py, crate::pool::compute(py, |_| self.inner.martingale_residuals())?))
    }
}

/// Fits a Cox model.
#[pyfunction]
#[pyo3(signature = (surv, x, names, ties, strata))]
fn cox_fit(
    py: Python<'_>,
    surv: &Surv,
    x: PyReadonlyArray2<'_, f64>,
    names: Vec<String>,
    ties: Word<Ties>,
    strata: Option<PyReadonlyArray1<'_, u32>>,
) -> PyResult<CoxFit> {
    let (columns, strata) = (x.as_array(), optional(strata.as_ref())?);
    let inner =
        surv.ask(py, |surv| Cox::new(surv, columns).named(names).ties(ties.0).strata(strata).fit())?;
    Ok(CoxFit { inner })
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Surv>()?;
    m.add_class::<Quantile>()?;
    m.add_class::<Readings>()?;
    m.add_class::<KaplanMeierCurve>()?;
    m.add_class::<LogRank>()?;
    m.add_class::<Test>()?;
    m.add_class::<SurvivalCurve>()?;
    m.add_class::<AdjustedCurves>()?;
    m.add_class::<AdjustedRisks>()?;
    m.add_class::<Baseline>()?;
    m.add_class::<ProportionalHazards>()?;
    m.add_class::<CoxFit>()?;
    m.add_function(wrap_pyfunction!(kaplan_meier, m)?)?;
    m.add_function(wrap_pyfunction!(last_at, m)?)?;
    m.add_function(wrap_pyfunction!(logrank, m)?)?;
    m.add_function(wrap_pyfunction!(cox_fit, m)?)
}

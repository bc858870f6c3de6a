//! Cox models: the fit stays in the core, the package asks it questions.

use std::sync::Arc;

use crewe::inference::{Compare, Sandwich, Vcov};
use crewe::survival::{self as core, Cox, Interval, Ties, Transform};
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::covariance::{Ask, Clusters, Contrasts, Covariance, Owner};
use crate::handle::{Floats, Level, Word, columns, floats, slice};
use crate::survival::{Surv, optional, options};

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
struct CoxFit {
    inner: core::CoxFit,
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
        Ok(Covariance { owner: Box::new(slf.unbind()), inner })
    }

    /// The Wald test of all coefficients under a covariance.
    fn wald(&self, py: Python<'_>, covariance: &Covariance) -> PyResult<Test> {
        let test = crate::pool::compute(py, |_| {
            self.inner.attach(&covariance.inner).and_then(|cov| self.inner.wald(&cov))
        })?;
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
        let of =
            |base: core::Baseline| Baseline { time: floats(py, base.time), hazard: floats(py, base.hazard) };
        Ok(found.into_iter().map(of).collect())
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

impl Owner for Py<CoxFit> {
    fn attach(&self, py: Python<'_>, inner: &Arc<Sandwich>, ask: Ask<'_>) -> PyResult<()> {
        let fit = &self.get().inner;
        crate::pool::compute(py, |_| fit.attach(inner).and_then(|covariance| ask(&covariance)))
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
    m.add_class::<Test>()?;
    m.add_class::<SurvivalCurve>()?;
    m.add_class::<AdjustedCurves>()?;
    m.add_class::<AdjustedRisks>()?;
    m.add_class::<Baseline>()?;
    m.add_class::<ProportionalHazards>()?;
    m.add_class::<CoxFit>()?;
    m.add_function(wrap_pyfunction!(cox_fit, m)?)
}

//! Models that say how the rows of a cluster hang together: estimating equations, mixed models; and means of clusters.

use std::sync::Arc;

use crewe::inference::{self, DfRule, Sandwich, Vcov};
use crewe::linalg;
use crewe::regression::cluster_level;
use crewe::regression::gee::{Correlation, Divisor, Gee, GeeFamily, GeeFit as CoreGee};
use crewe::regression::mixed::{self, MixedFit as CoreMixed};
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::covariance::{Ask, Clusters, Covariance, Owner};
use crate::handle::{Floats, Word, floats};
use crate::regression::DesignMatrix;

/// What was fitted.
enum Model {
    Gee(CoreGee),
    Mixed(CoreMixed),
}

/// A fitted model of either kind; it holds its own rows.
#[pyclass(module = "crewe._core", frozen, subclass)]
pub struct ClusteredFit(Model);

/// A fit by estimating equations.
#[pyclass(module = "crewe._core", frozen, extends = ClusteredFit, get_all)]
struct GeeFit {
    alpha: f64,
    impossible: Option<f64>,
    scale: f64,
    single: bool,
    iterations: usize,
}

/// A mixed model with an intercept for every cluster.
#[pyclass(module = "crewe._core", frozen, extends = ClusteredFit, get_all)]
struct MixedFit {
    between: f64,
    within: f64,
    icc: f64,
    boundary: bool,
    log_likelihood: f64,
}

impl ClusteredFit {
    fn names(&self) -> &[String] {
        match &self.0 {
            Model::Gee(fit) => fit.names(),
            Model::Mixed(fit) => fit.names(),
        }
    }

    fn inner_residuals(&self) -> &[f64] {
        match &self.0 {
            Model::Gee(fit) => fit.residuals(),
            Model::Mixed(fit) => fit.residuals(),
        }
    }

    fn inner_coef(&self) -> &[f64] {
        match &self.0 {
            Model::Gee(fit) => fit.coef(),
            Model::Mixed(fit) => fit.coef(),
        }
    }

    fn vcov(&self, kind: Vcov, rule: DfRule) -> crewe::Result<inference::Covariance<'static>> {
        match &self.0 {
            Model::Gee(fit) => fit.vcov_with(kind, rule),
            Model::Mixed(fit) => fit.vcov_with(kind, rule),
        }
    }

    fn attached(&self, sandwich: &Arc<Sandwich>) -> crewe::Result<inference::Covariance<'static>> {
        match &self.0 {
            Model::Gee(fit) => fit.attach(sandwich),
            Model::Mixed(fit) => fit.attach(sandwich),
        }
    }
}

impl Owner for Py<ClusteredFit> {
    fn attach(&self, py: Python<'_>, inner: &Arc<Sandwich>, ask: Ask<'_>) -> PyResult<()> {
        let fit = self.get();
        crate::pool::compute(py, |_| fit.attached(inner).and_then(|covariance| ask(&covariance)))
    }
}

#[pymethods]
impl ClusteredFit {
    /// The names of the coefficients, length k.
    #[getter]
    fn terms(&self) -> Vec<String> {
        self.names().to_vec()
    }

    /// The rows that it was fitted to.
    #[getter]
    fn n(&self) -> usize {
        self.inner_residuals().len()
    }

    /// Rows less coefficients.
    #[getter]
    fn df_residual(&self) -> f64 {
        self.inner_residuals().len() as f64 - self.inner_coef().len() as f64
    }

    /// The coefficients, length k.
    #[getter]
    fn coef(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner_coef().to_vec())
    }

    /// The covariance of the coefficients under a named definition, over the clusters that the model was fitted with.
    #[pyo3(signature = (kind, residual_df))]
    fn covariance(slf: Bound<'_, Self>, kind: Word<Vcov>, residual_df: bool) -> PyResult<Covariance> {
        let rule = if residual_df { DfRule::Residual } else { DfRule::Default };
        let fit = slf.get();
        let inner = crate::pool::compute(slf.py(), |_| Ok(fit.vcov(kind.0, rule)?.detach()))?;
        Ok(Covariance { owner: Box::new(slf.unbind()), inner })
    }

    /// Predictions for rows of the design, length m.
    fn predict(
        &self,
        py: Python<'_>,
        rows: PyReadonlyArray2<'_, f64>,
        linear_predictor: bool,
    ) -> PyResult<Floats> {
        let rows = rows.as_array();
        let found = crate::pool::compute(py, |_| match &self.0 {
            Model::Gee(fit) => fit.predict(rows, linear_predictor),
            Model::Mixed(fit) => fit.predict(rows),
        })?;
        Ok(floats(py, found))
    }

    /// Residuals, one a row.
    fn residuals(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner_residuals().to_vec())
    }
}

/// Estimating equations of `y` on the columns of a design; `how` is family, working correlation and divisor, `aside` the
/// columns that nobody asks after.
#[pyfunction]
fn gee_fit<'py>(
    y: PyReadonlyArray1<'py, f64>,
    y_name: &str,
    design: Bound<'py, DesignMatrix>,
    clusters: &Clusters,
    how: (Word<GeeFamily>, Word<Correlation>, Word<Divisor>),
    aside: Vec<usize>,
) -> PyResult<Py<GeeFit>> {
    let py = design.py();
    let (outcome, x) = (y.as_array(), design.get().columns(py));
    let (design, columns) = (design.get(), x.as_array());
    let fit = crate::pool::compute(py, |_| {
        Gee::of(outcome, y_name, design.over(columns)?.aside(aside), &clusters.inner)
            .family(how.0.0)
            .correlation(how.1.0)
            .divisor(how.2.0)
            .fit()
    })?;
    let found = *fit.summary();
    let own = GeeFit {
        alpha: found.alpha,
        impossible: found.impossible,
        scale: found.scale,
        single: found.single,
        iterations: found.iterations,
    };
    Py::new(py, PyClassInitializer::from(ClusteredFit(Model::Gee(fit))).add_subclass(own))
}

/// A mixed model of `y` on the columns of a design, of which nobody asks after those in `aside`.
#[pyfunction]
fn mixed_fit<'py>(
    y: PyReadonlyArray1<'py, f64>,
    y_name: &str,
    design: Bound<'py, DesignMatrix>,
    clusters: &Clusters,
    aside: Vec<usize>,
) -> PyResult<Py<MixedFit>> {
    let py = design.py();
    let (outcome, x) = (y.as_array(), design.get().columns(py));
    let (design, columns) = (design.get(), x.as_array());
    let fit = crate::pool::compute(py, |_| {
        mixed::fit(&design.over(columns)?.aside(aside), outcome, y_name, &clusters.inner)
    })?;
    let found = *fit.summary();
    let own = MixedFit {
        between: found.between,
        within: found.within,
        icc: found.icc,
        boundary: found.boundary,
        log_likelihood: found.log_likelihood,
    };
    Py::new(py, PyClassInitializer::from(ClusteredFit(Model::Mixed(fit))).add_subclass(own))
}

/// Means of clusters, G of them.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct ClusterMeans {
    sizes: Floats,
    observed: Floats,
    expected: Floats,
    first: Vec<u32>,
    mean: f64,
    binary: bool,
    penalised: bool,
    ratios: Option<Floats>,
}

/// The means of clusters, and what the covariates of their rows lead one to expect.
#[pyfunction]
#[pyo3(signature = (y, y_name, covariates, clusters))]
fn cluster_means<'py>(
    y: PyReadonlyArray1<'py, f64>,
    y_name: &str,
    covariates: Option<Bound<'py, DesignMatrix>>,
    clusters: &Clusters,
) -> PyResult<ClusterMeans> {
    let py = y.py();
    let outcome = y.as_array();
    let x = covariates.as_ref().map(|design| (design.get(), design.get().columns(py)));
    let view = x.as_ref().map(|(design, columns)| (*design, columns.as_array()));
    let found = crate::pool::compute(py, |_| {
        let design: Option<linalg::DesignMatrix<'_>> =
            view.map(|(design, columns)| design.over(columns)).transpose()?;
        cluster_level::summarise(outcome, y_name, design.as_ref(), &clusters.inner)
    })?;
    let ratios = cluster_level::ratios(&found).ok();
    Ok(ClusterMeans {
        sizes: floats(py, found.sizes),
        observed: floats(py, found.observed),
        expected: floats(py, found.expected),
        first: found.first,
        mean: found.mean,
        binary: found.binary,
        penalised: found.penalised,
        ratios: ratios.map(|ratios| floats(py, ratios)),
    })
}

/// Whether each column is the same for all rows of every cluster, length p.
#[pyfunction]
fn constant_within(py: Python<'_>, x: PyReadonlyArray2<'_, f64>, clusters: &Clusters) -> PyResult<Vec<bool>> {
    let x = x.as_array();
    crate::pool::compute(py, |_| cluster_level::constant_within(x, &clusters.inner))
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<ClusteredFit>()?;
    m.add_class::<GeeFit>()?;
    m.add_class::<MixedFit>()?;
    m.add_class::<ClusterMeans>()?;
    m.add_function(wrap_pyfunction!(gee_fit, m)?)?;
    m.add_function(wrap_pyfunction!(mixed_fit, m)?)?;
    m.add_function(wrap_pyfunction!(cluster_means, m)?)?;
    m.add_function(wrap_pyfunction!(constant_within, m)?)
}

//! Linear and generalised linear models: the fit holds on to the arrays of the package, and keeps what is small.

use std::sync::Arc;

use crewe::inference::{self, DfRule, Sandwich, Vcov};
use crewe::linalg;
use crewe::regression::{
    self as core, Estimates, Family, GlmSummary, OlsSummary, Penalty, WeightKind, glm, ols,
};
use numpy::ndarray::ArrayView2;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::covariance::{Ask, Clusters, Contrasts, Covariance, Owner};
use crate::error::OrRaise;
use crate::handle::{Floats, Level, Word, floats};

/// The columns of a model: x (n x p), a name for each, and whether an intercept comes before them.
#[pyclass(module = "crewe._core", frozen)]
pub struct DesignMatrix {
    x: Py<PyArray2<f64>>,
    names: Vec<String>,
    intercept: bool,
}

#[pymethods]
impl DesignMatrix {
    #[new]
    fn new(x: Py<PyArray2<f64>>, names: Vec<String>, intercept: bool) -> Self {
        Self { x, names, intercept }
    }
}

impl Weights {
    /// The values and their kind, as the core takes them.
    pub fn parts<'py>(&self, py: Python<'py>) -> (PyReadonlyArray1<'py, f64>, WeightKind) {
        (self.values.bind(py).readonly(), self.kind)
    }
}

impl DesignMatrix {
    pub fn columns<'py>(&self, py: Python<'py>) -> PyReadonlyArray2<'py, f64> {
        self.x.bind(py).readonly()
    }

    /// The core's, over the columns.
    pub fn over<'a>(&self, columns: ArrayView2<'a, f64>) -> crewe::Result<linalg::DesignMatrix<'a>> {
        linalg::DesignMatrix::new(columns, self.intercept).named(&self.names)
    }
}

/// Writes blocks of columns side by side, each with its place, as a matrix of n rows and k columns; nothing where a block
/// is not contiguous or does not fit.
#[pyfunction]
fn side_by_side<'py>(
    py: Python<'py>,
    blocks: Vec<(PyReadonlyArray2<'py, f64>, usize)>,
    n: usize,
    k: usize,
) -> PyResult<Option<Bound<'py, PyArray2<f64>>>> {
    let made = PyArray2::zeros(py, [n, k], false);
    let blocks: Vec<_> = blocks.iter().map(|(block, place)| (block.as_array(), *place)).collect();
    let mut out = made.readwrite();
    let written = match out.as_slice_mut() {
        Ok(out) => crate::pool::compute(py, |_| Ok(linalg::matrix::side_by_side(&blocks, k, out)))?,
        Err(_) => false,
    };
    drop(out);
    Ok(written.then_some(made))
}

/// Weights of the rows of a regression, and what they mean.
#[pyclass(module = "crewe._core", frozen)]
pub struct Weights {
    #[pyo3(get)]
    values: Floats,
    kind: WeightKind,
}

#[pymethods]
impl Weights {
    #[new]
    fn new(values: Floats, kind: Word<WeightKind>) -> Self {
        Self { values, kind: kind.0 }
    }

    /// The name of their kind.
    #[getter]
    fn kind(&self) -> &'static str {
        self.kind.name()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyType>, (Floats, &'static str)) {
        (py.get_type::<Self>(), (self.values.clone_ref(py), self.kind.name()))
    }
}

/// What was fitted.
enum Model {
    Ols(Arc<OlsSummary>),
    Glm(Arc<GlmSummary>),
}

/// A fitted regression of either kind, with the arrays that it was fitted to.
#[pyclass(module = "crewe._core", frozen, subclass)]
pub struct Fit {
    model: Model,
    design: Py<DesignMatrix>,
    y: Py<PyArray1<f64>>,
}

/// A fit by least squares.
#[pyclass(module = "crewe._core", frozen, extends = Fit, get_all)]
struct OlsFit {
    sigma: f64,
    r_squared: f64,
    adj_r_squared: f64,
    precise: bool,
}

/// A fit of a family, by maximum likelihood.
#[pyclass(module = "crewe._core", frozen, extends = Fit, get_all)]
struct GlmFit {
    log_likelihood: f64,
    null_log_likelihood: f64,
    deviance: f64,
    pseudo_r_squared: f64,
    aic: f64,
    iterations: usize,
    precise: bool,
    penalised: Option<Py<Penalised>>,
}

/// The penalised likelihood of a fit: its maximum, and the likelihood ratio of all slopes.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Penalised {
    log_likelihood: f64,
    likelihood_ratio: f64,
    df: f64,
    p_value: f64,
    separated: bool,
}

impl Penalised {
    fn of(py: Python<'_>, found: &core::Penalised) -> PyResult<Py<Self>> {
        let core::Penalised { log_likelihood, likelihood_ratio, df, p_value, separated, .. } = *found;
        Py::new(py, Self { log_likelihood, likelihood_ratio, df, p_value, separated })
    }
}

/// The core's fit of either kind.
pub enum AnyFit<'a> {
    /// Least squares.
    Ols(core::Fit<'a, OlsSummary>),
    /// A family.
    Glm(core::Fit<'a, GlmSummary>),
}

impl AnyFit<'_> {
    /// The core's covariance from its numbers.
    pub fn attach(&self, sandwich: &Arc<Sandwich>) -> crewe::Result<inference::Covariance<'_>> {
        match self {
            Self::Ols(fit) => fit.attach(sandwich),
            Self::Glm(fit) => fit.attach(sandwich),
        }
    }

    fn vcov(&self, kind: Vcov, clusters: Option<&Clusters>, rule: DfRule) -> crewe::Result<Arc<Sandwich>> {
        let clusters = clusters.map(|clusters| &clusters.inner);
        Ok(match self {
            Self::Ols(fit) => fit.vcov_with(kind, clusters, rule)?.detach(),
            Self::Glm(fit) => fit.vcov_with(kind, clusters, rule)?.detach(),
        })
    }
}

impl Fit {
    fn estimates(&self) -> &Estimates {
        match &self.model {
            Model::Ols(summary) => &summary.estimates,
            Model::Glm(summary) => &summary.estimates,
        }
    }

    /// Runs `ask` on the core's fit, without the interpreter.
    pub fn with_fit<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&AnyFit<'_>) -> crewe::Result<T> + Send,
    ) -> PyResult<T> {
        self.with_fit_aside(py, Vec::new(), ask)
    }

    /// As [`Fit::with_fit`], with columns of the design that nobody asks after.
    fn with_fit_aside<T: Send>(
        &self,
        py: Python<'_>,
        aside: Vec<usize>,
        ask: impl FnOnce(&AnyFit<'_>) -> crewe::Result<T> + Send,
    ) -> PyResult<T> {
        let design = self.design.get();
        let (x, y) = (design.columns(py), self.y.bind(py).readonly());
        let (design, outcome) = (design.over(x.as_array()).or_raise(py)?.aside(aside), y.as_array());
        let fit = match &self.model {
            Model::Ols(summary) => AnyFit::Ols(core::Fit::resume(design, outcome, Arc::clone(summary))),
            Model::Glm(summary) => AnyFit::Glm(core::Fit::resume(design, outcome, Arc::clone(summary))),
        };
        crate::pool::compute(py, |_| ask(&fit))
    }
}

impl Owner for Py<Fit> {
    fn attach(&self, py: Python<'_>, inner: &Arc<Sandwich>, ask: Ask<'_>) -> PyResult<()> {
        self.get().with_fit(py, |fit| fit.attach(inner).and_then(|covariance| ask(&covariance)))
    }
}

#[pymethods]
impl Fit {
    /// The names of the coefficients, length k.
    #[getter]
    fn terms(&self) -> Vec<String> {
        self.estimates().names.clone()
    }

    /// The rows that it was fitted to.
    #[getter]
    fn n(&self) -> usize {
        self.estimates().n()
    }

    /// Rows less coefficients.
    #[getter]
    fn df_residual(&self) -> f64 {
        self.estimates().df_residual()
    }

    /// The coefficients, length k.
    #[getter]
    fn coef(&self, py: Python<'_>) -> Floats {
        floats(py, self.estimates().coef.clone())
    }

    /// The covariance of the coefficients under a named definition; notes pass over the columns of `x` that are aside.
    #[pyo3(signature = (kind, clusters, residual_df, aside))]
    fn covariance(
        slf: Bound<'_, Self>,
        kind: Word<Vcov>,
        clusters: Option<&Clusters>,
        residual_df: bool,
        aside: Vec<usize>,
    ) -> PyResult<Covariance> {
        let py = slf.py();
        let rule = if residual_df { DfRule::Residual } else { DfRule::Default };
        let inner = slf.get().with_fit_aside(py, aside, |fit| fit.vcov(kind.0, clusters, rule))?;
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
        let found = self.with_fit(py, |fit| match fit {
            AnyFit::Ols(fit) => fit.predict(rows, linear_predictor),
            AnyFit::Glm(fit) => fit.predict(rows, linear_predictor),
        })?;
        Ok(floats(py, found))
    }

    /// Residuals, one a row.
    fn residuals(&self, py: Python<'_>) -> Floats {
        floats(py, self.estimates().residuals.clone())
    }
}

#[pymethods]
impl GlmFit {
    /// The table of the coefficients by profiles of the penalised likelihood.
    fn profile(slf: PyRef<'_, Self>, level: Level) -> PyResult<Contrasts> {
        let py = slf.py();
        let found = slf.as_super().with_fit(py, |fit| match fit {
            AnyFit::Glm(fit) => fit.profile(level.0),
            AnyFit::Ols(_) => Err(crewe::Fault::new("least squares have no penalty").input()),
        })?;
        Ok(Contrasts::of(py, found))
    }
}

/// What a model is fitted to.
type Weighted<'a> = Option<core::Weights<'a>>;

/// Runs `fit` over the arrays, without the interpreter.
fn fitted<S: Send>(
    y: &PyReadonlyArray1<'_, f64>,
    design: &Bound<'_, DesignMatrix>,
    weights: Option<&Weights>,
    fit: impl FnOnce(
        &linalg::DesignMatrix<'_>,
        numpy::ndarray::ArrayView1<'_, f64>,
        Weighted<'_>,
    ) -> crewe::Result<S>
    + Send,
) -> PyResult<S> {
    let py = design.py();
    let (design, outcome) = (design.get(), y.as_array());
    let x = design.columns(py);
    let columns = x.as_array();
    let values = weights.map(|weights| weights.parts(py));
    let weights = values.as_ref().map(|(values, kind)| core::Weights::new(values.as_array(), *kind));
    crate::pool::compute(py, |_| fit(&design.over(columns)?, outcome, weights))
}

/// Least squares of `y` on the columns of a design.
#[pyfunction]
#[pyo3(signature = (y, y_name, design, weights))]
fn ols_fit<'py>(
    y: PyReadonlyArray1<'py, f64>,
    y_name: &str,
    design: Bound<'py, DesignMatrix>,
    weights: Option<&Weights>,
) -> PyResult<Py<OlsFit>> {
    let summary = fitted(&y, &design, weights, |x, y, weights| ols::fit(x, y, y_name, weights))?;
    let own = OlsFit {
        sigma: summary.sigma,
        r_squared: summary.r_squared,
        adj_r_squared: summary.adj_r_squared,
        precise: summary.precise,
    };
    let (py, y) = (design.py(), y.as_unbound().clone_ref(design.py()));
    let fit = Fit { model: Model::Ols(Arc::new(summary)), design: design.unbind(), y };
    Py::new(py, PyClassInitializer::from(fit).add_subclass(own))
}

/// A regression of a yes-or-no outcome, of a family by its name, with a penalty by its name or without.
#[pyfunction]
#[pyo3(signature = (family, y, y_name, design, weights, penalty))]
fn glm_fit<'py>(
    family: Word<Family>,
    y: PyReadonlyArray1<'py, f64>,
    y_name: &str,
    design: Bound<'py, DesignMatrix>,
    weights: Option<&Weights>,
    penalty: Option<Word<Penalty>>,
) -> PyResult<Py<GlmFit>> {
    let penalty = penalty.map(|word| word.0);
    let summary =
        fitted(&y, &design, weights, |x, y, weights| glm::fit(family.0, x, y, y_name, weights, penalty))?;
    let own = GlmFit {
        log_likelihood: summary.log_likelihood,
        null_log_likelihood: summary.null_log_likelihood,
        deviance: summary.deviance,
        pseudo_r_squared: summary.pseudo_r_squared,
        aic: summary.aic,
        iterations: summary.iterations,
        precise: summary.precise,
        penalised: summary.penalised.map(|found| Penalised::of(design.py(), &found)).transpose()?,
    };
    let (py, y) = (design.py(), y.as_unbound().clone_ref(design.py()));
    let fit = Fit { model: Model::Glm(Arc::new(summary)), design: design.unbind(), y };
    Py::new(py, PyClassInitializer::from(fit).add_subclass(own))
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<DesignMatrix>()?;
    m.add_class::<Weights>()?;
    m.add_class::<Fit>()?;
    m.add_class::<OlsFit>()?;
    m.add_class::<GlmFit>()?;
    m.add_class::<Penalised>()?;
    m.add_function(wrap_pyfunction!(side_by_side, m)?)?;
    m.add_function(wrap_pyfunction!(ols_fit, m)?)?;
    m.add_function(wrap_pyfunction!(glm_fit, m)?)
}

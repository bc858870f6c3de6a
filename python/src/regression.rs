//! Linear and generalised linear models: the fit holds on to the arrays of the package, and keeps what is small.

use std::sync::Arc;

use crewe::inference::{self, DfRule, Sandwich, Vcov};
use crewe::linalg::DesignMatrix;
use crewe::regression::{Estimates, Family, Fit, GlmSummary, OlsSummary, WeightKind, Weights, glm, ols};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{Word, record};
use crate::covariance::{Covariance, Groups, Owner};
use crate::error::OrRaise;

/// What was fitted.
enum Model {
    Ols(Arc<OlsSummary>),
    Glm(Arc<GlmSummary>),
}

/// A fitted regression, with the arrays that it was fitted to.
#[pyclass(module = "crewe._core", frozen)]
pub struct Linear {
    model: Model,
    x: Py<PyArray2<f64>>,
    y: Py<PyArray1<f64>>,
    intercept: bool,
}

/// A fit of either kind.
pub enum AnyFit<'a> {
    /// Least squares.
    Ols(Fit<'a, OlsSummary>),
    /// A family.
    Glm(Fit<'a, GlmSummary>),
}

impl AnyFit<'_> {
    /// The core's covariance from its numbers.
    pub fn attach(&self, sandwich: &Arc<Sandwich>) -> crewe::Result<inference::Covariance<'_>> {
        match self {
            Self::Ols(fit) => fit.attach(sandwich),
            Self::Glm(fit) => fit.attach(sandwich),
        }
    }

    fn vcov(&self, kind: Vcov, groups: Option<&Groups>, rule: DfRule) -> crewe::Result<Arc<Sandwich>> {
        let clusters = groups.map(|groups| &groups.inner);
        Ok(match self {
            Self::Ols(fit) => fit.vcov_with(kind, clusters, rule)?.detach(),
            Self::Glm(fit) => fit.vcov_with(kind, clusters, rule)?.detach(),
        })
    }
}

impl Linear {
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

    /// As [`Linear::with_fit`], with columns of the design that nobody asks after.
    fn with_fit_aside<T: Send>(
        &self,
        py: Python<'_>,
        aside: Vec<usize>,
        ask: impl FnOnce(&AnyFit<'_>) -> crewe::Result<T> + Send,
    ) -> PyResult<T> {
        let (x, y) = (self.x.bind(py).readonly(), self.y.bind(py).readonly());
        let (columns, outcome) = (x.as_array(), y.as_array());
        let names = self.estimates().names.iter().skip(usize::from(self.intercept)).cloned();
        let design = DesignMatrix::new(columns, self.intercept).named(names).or_raise(py)?.aside(aside);
        let fit = match &self.model {
            Model::Ols(summary) => AnyFit::Ols(Fit::resume(design, outcome, Arc::clone(summary))),
            Model::Glm(summary) => AnyFit::Glm(Fit::resume(design, outcome, Arc::clone(summary))),
        };
        crate::pool::compute(py, |_| ask(&fit))
    }
}

/// Weights by the name of their kind.
type Weighted<'py> = Option<(PyReadonlyArray1<'py, f64>, Word<WeightKind>)>;

/// Least squares of `y` on the columns of `x`; gives the fit and its summary.
#[pyfunction]
#[pyo3(signature = (y, x, intercept, y_name, names, weights))]
fn ols_fit<'py>(
    py: Python<'py>,
    y: PyReadonlyArray1<'py, f64>,
    x: PyReadonlyArray2<'py, f64>,
    intercept: bool,
    y_name: &str,
    names: Vec<String>,
    weights: Weighted<'py>,
) -> PyResult<(Linear, Bound<'py, PyDict>)> {
    let (outcome, columns) = (y.as_array(), x.as_array());
    let kind = weights.as_ref().map(|(_, kind)| kind.0);
    let values = weights.as_ref().map(|(values, _)| values.as_array());
    let summary = crate::pool::compute(py, |_| {
        let design = DesignMatrix::new(columns, intercept).named(names)?;
        let weights = values.zip(kind).map(|(values, kind)| Weights::new(values, kind));
        ols::fit(&design, outcome, y_name, weights)
    })?;
    let estimates = &summary.estimates;
    let record = record!(py,
        "names" => &estimates.names,
        "coef" => estimates.coef.clone().into_pyarray(py),
        "n" => estimates.n(),
        "df_residual" => estimates.df_residual(),
        "sigma" => summary.sigma,
        "r_squared" => summary.r_squared,
        "adj_r_squared" => summary.adj_r_squared,
        "precise" => summary.precise,
    );
    let model = Model::Ols(Arc::new(summary));
    Ok((
        Linear { model, x: x.as_unbound().clone_ref(py), y: y.as_unbound().clone_ref(py), intercept },
        record,
    ))
}

/// A regression of a yes-or-no outcome, of a family by its name; gives the fit and its summary.
#[pyfunction]
#[pyo3(signature = (family, y, x, intercept, y_name, names, weights))]
#[allow(clippy::too_many_arguments)]
fn glm_fit<'py>(
    py: Python<'py>,
    family: Word<Family>,
    y: PyReadonlyArray1<'py, f64>,
    x: PyReadonlyArray2<'py, f64>,
    intercept: bool,
    y_name: &str,
    names: Vec<String>,
    weights: Weighted<'py>,
) -> PyResult<(Linear, Bound<'py, PyDict>)> {
    let (outcome, columns) = (y.as_array(), x.as_array());
    let kind = weights.as_ref().map(|(_, kind)| kind.0);
    let values = weights.as_ref().map(|(values, _)| values.as_array());
    let summary = crate::pool::compute(py, |_| {
        let design = DesignMatrix::new(columns, intercept).named(names)?;
        let weights = values.zip(kind).map(|(values, kind)| Weights::new(values, kind));
        glm::fit(family.0, &design, outcome, y_name, weights)
    })?;
    let estimates = &summary.estimates;
    let record = record!(py,
        "names" => &estimates.names,
        "coef" => estimates.coef.clone().into_pyarray(py),
        "n" => estimates.n(),
        "df_residual" => estimates.df_residual(),
        "log_likelihood" => summary.log_likelihood,
        "null_log_likelihood" => summary.null_log_likelihood,
        "deviance" => summary.deviance,
        "pseudo_r_squared" => summary.pseudo_r_squared,
        "aic" => summary.aic,
        "iterations" => summary.iterations,
        "precise" => summary.precise,
    );
    let model = Model::Glm(Arc::new(summary));
    Ok((
        Linear { model, x: x.as_unbound().clone_ref(py), y: y.as_unbound().clone_ref(py), intercept },
        record,
    ))
}

#[pymethods]
impl Linear {
    /// The covariance of the coefficients under a named definition; notes pass over the columns of `x` that are aside.
    #[pyo3(signature = (kind, groups, residual_df, aside))]
    fn covariance(
        slf: Bound<'_, Self>,
        kind: Word<Vcov>,
        groups: Option<&Groups>,
        residual_df: bool,
        aside: Vec<usize>,
    ) -> PyResult<Covariance> {
        let py = slf.py();
        let rule = if residual_df { DfRule::Residual } else { DfRule::Default };
        let inner = slf.get().with_fit_aside(py, aside, |fit| fit.vcov(kind.0, groups, rule))?;
        Ok(Covariance { owner: Owner::Linear(slf.unbind()), inner })
    }

    /// Predictions for rows of the design, length m.
    fn predict<'py>(
        &self,
        py: Python<'py>,
        rows: PyReadonlyArray2<'py, f64>,
        linear_predictor: bool,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let rows = rows.as_array();
        let found = self.with_fit(py, |fit| match fit {
            AnyFit::Ols(fit) => fit.predict(rows, linear_predictor),
            AnyFit::Glm(fit) => fit.predict(rows, linear_predictor),
        })?;
        Ok(found.into_pyarray(py))
    }

    /// Residuals, one a row.
    fn residuals<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.estimates().residuals.clone().into_pyarray(py)
    }
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Linear>()?;
    m.add_function(wrap_pyfunction!(ols_fit, m)?)?;
    m.add_function(wrap_pyfunction!(glm_fit, m)?)
}

//! Linear and logistic regression: the data stay in Python's arrays, the fit keeps what is small.

use crewe::inference::{self, Clusters, Contrasts, DfRule, Estimates, Vcov};
use crewe::linalg::DesignMatrix;
use crewe::regression::{logit, ols};
use numpy::{IntoPyArray, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{record, slice};
use crate::error::OrRaise;

/// A fitted linear model without its data; the package hands the same arrays back to every call.
#[pyclass(module = "crewe._core", frozen)]
struct Linear {
    estimates: Estimates,
    intercept: bool,
}

impl Linear {
    fn design<'a>(&self, x: &'a PyReadonlyArray2<'_, f64>) -> crewe::Result<DesignMatrix<'a>> {
        let names = self.estimates.names.iter().skip(usize::from(self.intercept)).cloned();
        DesignMatrix::new(x.as_array(), self.intercept).named(names)
    }
}

/// Membership of clusters, from one code a row.
#[pyclass(module = "crewe._core", frozen)]
struct Groups {
    inner: Clusters,
}

#[pymethods]
impl Groups {
    #[new]
    fn new(py: Python<'_>, codes: PyReadonlyArray1<'_, u32>) -> PyResult<Self> {
        let codes = slice(&codes)?;
        Ok(Self { inner: crate::pool::compute(py, || Clusters::new(codes)).or_raise(py)? })
    }

    /// The number of clusters.
    #[getter]
    fn count(&self) -> usize {
        self.inner.count()
    }

    /// The size of every cluster.
    fn sizes(&self) -> Vec<usize> {
        self.inner.sizes()
    }
}

/// A covariance matrix of coefficients.
#[pyclass(module = "crewe._core", frozen)]
struct Covariance {
    inner: inference::Covariance,
}

#[pymethods]
impl Covariance {
    /// The matrix and what its tests refer to.
    fn record<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        Ok(record!(py,
            "kind" => self.inner.kind.name(),
            "matrix" => self.inner.matrix.clone().into_pyarray(py),
            "df" => self.inner.df.clone().into_pyarray(py),
            "clusters" => self.inner.clusters,
            "notes" => &self.inner.notes,
        ))
    }
}

fn table(py: Python<'_>, contrasts: Contrasts) -> PyResult<Bound<'_, PyDict>> {
    Ok(record!(py,
        "estimate" => contrasts.estimate.into_pyarray(py),
        "std_error" => contrasts.std_error.into_pyarray(py),
        "statistic" => contrasts.statistic.into_pyarray(py),
        "df" => contrasts.df.into_pyarray(py),
        "p_value" => contrasts.p_value.into_pyarray(py),
        "conf_low" => contrasts.conf_low.into_pyarray(py),
        "conf_high" => contrasts.conf_high.into_pyarray(py),
    ))
}

/// Least squares of `y` on the columns of `x`; gives the fit and its summary.
#[pyfunction]
fn ols_fit<'py>(
    py: Python<'py>,
    y: PyReadonlyArray1<'py, f64>,
    x: PyReadonlyArray2<'py, f64>,
    intercept: bool,
    y_name: &str,
    names: Vec<String>,
) -> PyResult<(Linear, Bound<'py, PyDict>)> {
    let (outcome, columns) = (y.as_array(), x.as_array());
    let summary = crate::pool::compute(py, || {
        let design = DesignMatrix::new(columns, intercept).named(names)?;
        ols::fit(&design, outcome, y_name)
    })
    .or_raise(py)?;
    let estimates = &summary.estimates;
    let record = record!(py,
        "names" => &estimates.names,
        "coef" => estimates.coef.clone().into_pyarray(py),
        "n" => estimates.n(),
        "df_residual" => estimates.df_residual,
        "sigma" => summary.sigma,
        "r_squared" => summary.r_squared,
        "adj_r_squared" => summary.adj_r_squared,
        "precise" => summary.precise,
    );
    Ok((Linear { estimates: summary.estimates, intercept }, record))
}

/// Logistic regression of `y` on the columns of `x`; gives the fit and its summary.
#[pyfunction]
fn logit_fit<'py>(
    py: Python<'py>,
    y: PyReadonlyArray1<'py, f64>,
    x: PyReadonlyArray2<'py, f64>,
    intercept: bool,
    y_name: &str,
    names: Vec<String>,
) -> PyResult<(Linear, Bound<'py, PyDict>)> {
    let (outcome, columns) = (y.as_array(), x.as_array());
    let summary = crate::pool::compute(py, || {
        let design = DesignMatrix::new(columns, intercept).named(names)?;
        logit::fit(&design, outcome, y_name)
    })
    .or_raise(py)?;
    let estimates = &summary.estimates;
    let record = record!(py,
        "names" => &estimates.names,
        "coef" => estimates.coef.clone().into_pyarray(py),
        "n" => estimates.n(),
        "df_residual" => estimates.df_residual,
        "log_likelihood" => summary.log_likelihood,
        "null_log_likelihood" => summary.null_log_likelihood,
        "deviance" => summary.deviance,
        "pseudo_r_squared" => summary.pseudo_r_squared,
        "aic" => summary.aic,
        "iterations" => summary.iterations,
        "precise" => summary.precise,
    );
    Ok((Linear { estimates: summary.estimates, intercept }, record))
}

/// Tests and intervals at `level` from estimates, standard errors and degrees of freedom.
#[pyfunction]
fn estimate_table(
    py: Python<'_>,
    estimate: Vec<f64>,
    std_error: Vec<f64>,
    df: Vec<f64>,
    level: f64,
) -> PyResult<Bound<'_, PyDict>> {
    table(py, Contrasts::from_parts(estimate, std_error, df, level).or_raise(py)?)
}

#[pymethods]
impl Linear {
    /// The covariance of the coefficients under a named definition.
    #[pyo3(signature = (x, kind, groups, residual_df))]
    fn covariance(
        &self,
        py: Python<'_>,
        x: PyReadonlyArray2<'_, f64>,
        kind: &str,
        groups: Option<&Groups>,
        residual_df: bool,
    ) -> PyResult<Covariance> {
        let kind: Vcov = kind.parse().or_raise(py)?;
        let rule = if residual_df { DfRule::Residual } else { DfRule::Default };
        let design = self.design(&x).or_raise(py)?;
        let clusters = groups.map(|g| &g.inner);
        let inner = crate::pool::compute(py, || {
            inference::covariance(&design, &self.estimates, kind, clusters, rule)
        })
        .or_raise(py)?;
        Ok(Covariance { inner })
    }

    /// The table of the coefficients: tests and intervals at `level`.
    fn coefficients<'py>(
        &self,
        py: Python<'py>,
        covariance: &Covariance,
        level: f64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let coef = self.estimates.coef.clone();
        let errors = covariance.inner.matrix.diag().iter().map(|v| v.sqrt()).collect();
        let df = covariance.inner.df.clone();
        table(py, Contrasts::from_parts(coef, errors, df, level).or_raise(py)?)
    }

    /// Every row of `matrix` as a contrast of the coefficients.
    fn contrasts<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        covariance: &Covariance,
        groups: Option<&Groups>,
        matrix: PyReadonlyArray2<'py, f64>,
        level: f64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let design = self.design(&x).or_raise(py)?;
        let (matrix, clusters) = (matrix.as_array(), groups.map(|g| &g.inner));
        let result = crate::pool::compute(py, || {
            inference::contrasts(&design, &self.estimates, &covariance.inner, clusters, matrix, level)
        })
        .or_raise(py)?;
        table(py, result)
    }

    /// The joint test that every row of `matrix` gives zero.
    fn wald<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f64>,
        covariance: &Covariance,
        groups: Option<&Groups>,
        matrix: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let design = self.design(&x).or_raise(py)?;
        let (matrix, clusters) = (matrix.as_array(), groups.map(|g| &g.inner));
        let result = crate::pool::compute(py, || {
            inference::wald(&design, &self.estimates, &covariance.inner, clusters, matrix)
        })
        .or_raise(py)?;
        Ok(record!(py,
            "test" => result.test,
            "statistic" => result.statistic,
            "df_num" => result.df_num,
            "df_denom" => result.df_denom,
            "p_value" => result.p_value,
        ))
    }

    /// Residuals, one a row.
    fn residuals<'py>(&self, py: Python<'py>) -> Bound<'py, numpy::PyArray1<f64>> {
        self.estimates.residuals.clone().into_pyarray(py)
    }
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Linear>()?;
    m.add_class::<Groups>()?;
    m.add_class::<Covariance>()?;
    m.add_function(wrap_pyfunction!(ols_fit, m)?)?;
    m.add_function(wrap_pyfunction!(logit_fit, m)?)?;
    m.add_function(wrap_pyfunction!(estimate_table, m)?)
}

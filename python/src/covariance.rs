//! Clusters, and covariances of fits: each holds on to the fit that it was asked of.

use std::sync::Arc;

use crewe::inference::{self, Clusters, Compare, Contrasts, Sandwich, Setting};
use numpy::{IntoPyArray, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{Level, Word, record, slice};
use crate::regression::Linear;
use crate::survival::CoxModel;

/// Membership of clusters, from one code a row.
#[pyclass(module = "crewe._core", frozen)]
pub struct Groups {
    pub inner: Clusters,
}

#[pymethods]
impl Groups {
    #[new]
    fn new(py: Python<'_>, codes: PyReadonlyArray1<'_, u32>) -> PyResult<Self> {
        let codes = slice(&codes)?;
        Ok(Self { inner: crate::pool::compute(py, |_| Clusters::new(codes))? })
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

/// The fit that a covariance is of.
pub enum Owner {
    /// A regression.
    Linear(Py<Linear>),
    /// A Cox model.
    Cox(Py<CoxModel>),
}

/// A covariance matrix of coefficients.
#[pyclass(module = "crewe._core", frozen)]
pub struct Covariance {
    pub owner: Owner,
    pub inner: Arc<Sandwich>,
}

impl Covariance {
    /// Runs `ask` on the core's covariance, without the interpreter.
    pub fn ask<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&inference::Covariance<'_>) -> crewe::Result<T> + Send,
    ) -> PyResult<T> {
        match &self.owner {
            Owner::Linear(fit) => {
                fit.get().with_fit(py, |fit| fit.attach(&self.inner).and_then(|cov| ask(&cov)))
            }
            Owner::Cox(fit) => {
                let fit = &fit.get().inner;
                crate::pool::compute(py, |_| fit.attach(&self.inner).and_then(|cov| ask(&cov)))
            }
        }
    }
}

/// The columns of a table of estimates.
pub fn table(py: Python<'_>, contrasts: Contrasts) -> PyResult<Bound<'_, PyDict>> {
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

/// Two tables.
type Pair<'py> = (Bound<'py, PyDict>, Bound<'py, PyDict>);

#[pymethods]
impl Covariance {
    /// The matrix and what its tests refer to.
    fn record<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (kind, matrix, clusters, notes) = self.ask(py, |cov| {
            Ok((cov.kind().name(), cov.matrix().clone(), cov.clusters(), cov.notes().to_vec()))
        })?;
        Ok(record!(py,
            "kind" => kind,
            "matrix" => matrix.into_pyarray(py),
            "clusters" => clusters,
            "notes" => notes,
        ))
    }

    /// The table of the coefficients: tests and intervals at `level`.
    fn coefficients<'py>(&self, py: Python<'py>, level: Level) -> PyResult<Bound<'py, PyDict>> {
        table(py, self.ask(py, |cov| cov.coefficients(level.0))?)
    }

    /// Every row of `matrix` as a contrast of the coefficients.
    fn contrasts<'py>(
        &self,
        py: Python<'py>,
        matrix: PyReadonlyArray2<'py, f64>,
        level: Level,
    ) -> PyResult<Bound<'py, PyDict>> {
        let matrix = matrix.as_array();
        table(py, self.ask(py, |cov| cov.contrasts(matrix, level.0))?)
    }

    /// The joint test that every row of `matrix` gives zero.
    fn wald<'py>(&self, py: Python<'py>, matrix: PyReadonlyArray2<'py, f64>) -> PyResult<Bound<'py, PyDict>> {
        let matrix = matrix.as_array();
        let result = self.ask(py, |cov| cov.wald(matrix))?;
        Ok(record!(py,
            "test" => result.test,
            "statistic" => result.statistic,
            "df_num" => result.df_num,
            "df_denom" => result.df_denom,
            "p_value" => result.p_value,
        ))
    }

    /// Levels at settings (rows of the design each, perhaps with what doubles leave out and with weights), and comparisons of
    /// pairs of them: differences, or logarithms of ratios.
    #[pyo3(signature = (settings, weights, pairs, compare, level))]
    fn margins<'py>(
        &self,
        py: Python<'py>,
        settings: Vec<(PyReadonlyArray2<'py, f64>, Option<PyReadonlyArray1<'py, f64>>)>,
        weights: Option<PyReadonlyArray1<'py, f64>>,
        pairs: Vec<[usize; 2]>,
        compare: Word<Compare>,
        level: Level,
    ) -> PyResult<Pair<'py>> {
        let weights = weights.as_ref().map(|weights| weights.as_array());
        let settings: Vec<Setting<'_>> = settings
            .iter()
            .map(|(rows, rest)| {
                let setting = Setting::new(rows.as_array());
                match rest {
                    Some(rest) => setting.rest(rest.as_array()),
                    None => setting.weights(weights),
                }
            })
            .collect();
        let found = self.ask(py, |cov| cov.margins(&settings, &pairs, compare.0, level.0))?;
        Ok((table(py, found.levels)?, table(py, found.comparisons)?))
    }

    /// Predictions for rows of the design, with their intervals.
    fn predict<'py>(
        &self,
        py: Python<'py>,
        rows: PyReadonlyArray2<'py, f64>,
        linear_predictor: bool,
        level: Level,
    ) -> PyResult<Bound<'py, PyDict>> {
        let rows = rows.as_array();
        table(py, self.ask(py, |cov| cov.predict(rows, linear_predictor, level.0))?)
    }
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Groups>()?;
    m.add_class::<Covariance>()
}

//! Clusters, and covariances of fits: each holds on to the fit that it was asked of.

use std::sync::Arc;

use crewe::inference::{self as core, Compare, Sandwich, Setting};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::handle::{Floats, Level, Word, columns, floats, slice};

/// Membership of clusters, from one code a row.
#[pyclass(module = "crewe._core", frozen)]
pub struct Clusters {
    pub inner: core::Clusters,
}

#[pymethods]
impl Clusters {
    #[new]
    fn new(py: Python<'_>, codes: PyReadonlyArray1<'_, u32>) -> PyResult<Self> {
        let codes = slice(&codes)?;
        Ok(Self { inner: crate::pool::compute(py, |_| core::Clusters::new(codes))? })
    }

    /// The number of clusters.
    #[getter]
    fn count(&self) -> usize {
        self.inner.count()
    }

    /// The cluster of each row, from 0 on.
    fn codes<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        PyArray1::from_slice(py, self.inner.codes())
    }

    /// The rows of each, length G.
    fn sizes(&self, py: Python<'_>) -> Floats {
        floats(py, (0..self.inner.count()).map(|g| self.inner.rows(g).len() as f64).collect())
    }

    /// The first row of each, length G.
    fn first(&self) -> Vec<u32> {
        (0..self.inner.count()).map(|g| self.inner.rows(g)[0]).collect()
    }

    /// Their sizes: least, lower quartile, median, upper quartile, largest, mean, and coefficient of variation.
    fn spread(&self) -> [f64; 7] {
        let found = core::diagnostics::sizes(&self.inner);
        [found.least, found.lower, found.median, found.upper, found.largest, found.mean, found.cv]
    }
}

columns! {
    /// The columns of a table of estimates, length m each.
    pub struct Contrasts { estimate, std_error, statistic, df, p_value, conf_low, conf_high }
}

impl Contrasts {
    /// The core's, as arrays.
    pub fn of(py: Python<'_>, found: core::Contrasts) -> Self {
        Self {
            estimate: floats(py, found.estimate),
            std_error: floats(py, found.std_error),
            statistic: floats(py, found.statistic),
            df: floats(py, found.df),
            p_value: floats(py, found.p_value),
            conf_low: floats(py, found.conf_low),
            conf_high: floats(py, found.conf_high),
        }
    }
}

/// Levels, and comparisons of pairs of them.
#[pyclass(module = "crewe._core", frozen, get_all)]
pub struct Margins {
    levels: Py<Contrasts>,
    comparisons: Py<Contrasts>,
}

impl Margins {
    /// The core's two tables, as arrays.
    pub fn of(py: Python<'_>, levels: core::Contrasts, comparisons: core::Contrasts) -> PyResult<Self> {
        Ok(Self {
            levels: Py::new(py, Contrasts::of(py, levels))?,
            comparisons: Py::new(py, Contrasts::of(py, comparisons))?,
        })
    }
}

/// Leverage and influence of clusters: of each of m coefficients a column of G.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Diagnostics {
    leverage: Floats,
    partial: Vec<Floats>,
    effective: Vec<f64>,
    effective_alike: Vec<f64>,
    without: Vec<Floats>,
}

/// A joint test of contrasts.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Wald {
    test: &'static str,
    statistic: f64,
    df_num: f64,
    df_denom: f64,
    p_value: f64,
}

/// A question to the core's covariance.
pub type Ask<'a> = &'a mut (dyn FnMut(&core::Covariance<'_>) -> crewe::Result<()> + Send);

/// The fit that a covariance is of, whichever model it is.
pub trait Owner: Send + Sync {
    /// Puts the numbers back beside the fit, and asks, without the interpreter.
    fn attach(&self, py: Python<'_>, inner: &Arc<Sandwich>, ask: Ask<'_>) -> PyResult<()>;
}

/// A covariance matrix of coefficients.
#[pyclass(module = "crewe._core", frozen)]
pub struct Covariance {
    pub owner: Box<dyn Owner>,
    pub inner: Arc<Sandwich>,
}

impl Covariance {
    /// Runs `ask` on the core's covariance, without the interpreter.
    pub fn ask<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl Fn(&core::Covariance<'_>) -> crewe::Result<T> + Send + Sync,
    ) -> PyResult<T> {
        let mut found = None;
        self.owner.attach(py, &self.inner, &mut |covariance| {
            found = Some(ask(covariance)?);
            Ok(())
        })?;
        // The owner asked, or failed.
        Ok(found.expect("the fit was asked"))
    }
}

#[pymethods]
impl Covariance {
    /// The name of its definition.
    #[getter]
    fn kind(&self) -> &'static str {
        self.inner.kind().name()
    }

    /// The matrix, k x k.
    #[getter]
    fn matrix<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f64>> {
        self.inner.matrix().clone().into_pyarray(py)
    }

    /// The number of clusters, where they matter.
    #[getter]
    fn clusters(&self) -> Option<usize> {
        self.inner.clusters()
    }

    /// What a reader of the result must know.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.inner.notes().to_vec()
    }

    /// The table of the coefficients: tests and intervals at `level`.
    fn coefficients(&self, py: Python<'_>, level: Level) -> PyResult<Contrasts> {
        Ok(Contrasts::of(py, self.ask(py, |cov| cov.coefficients(level.0))?))
    }

    /// Every row of `matrix` as a contrast of the coefficients.
    fn contrasts(
        &self,
        py: Python<'_>,
        matrix: PyReadonlyArray2<'_, f64>,
        level: Level,
    ) -> PyResult<Contrasts> {
        let matrix = matrix.as_array();
        Ok(Contrasts::of(py, self.ask(py, |cov| cov.contrasts(matrix, level.0))?))
    }

    /// The joint test that every row of `matrix` gives zero.
    fn wald(&self, py: Python<'_>, matrix: PyReadonlyArray2<'_, f64>) -> PyResult<Wald> {
        let matrix = matrix.as_array();
        let core::Wald { test, statistic, df_num, df_denom, p_value, .. } =
            self.ask(py, |cov| cov.wald(matrix))?;
        Ok(Wald { test, statistic, df_num, df_denom, p_value })
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
    ) -> PyResult<Margins> {
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
        Margins::of(py, found.levels, found.comparisons)
    }

    /// How much the coefficients `of` rest on single clusters; the estimates without each only where `influence` asks.
    fn diagnostics(&self, py: Python<'_>, of: Vec<usize>, influence: bool) -> PyResult<Diagnostics> {
        let found = self.ask(py, |cov| {
            if influence {
                core::diagnostics::diagnostics(cov.fit(), &of)
            } else {
                core::diagnostics::leverage(cov.fit(), &of)
            }
        })?;
        let lists = |lists: Vec<Vec<f64>>| lists.into_iter().map(|list| floats(py, list)).collect();
        Ok(Diagnostics {
            leverage: floats(py, found.leverage),
            partial: lists(found.partial),
            effective: found.effective,
            effective_alike: found.effective_alike,
            without: lists(found.without),
        })
    }

    /// Predictions for rows of the design, with their intervals.
    fn predict(
        &self,
        py: Python<'_>,
        rows: PyReadonlyArray2<'_, f64>,
        linear_predictor: bool,
        level: Level,
    ) -> PyResult<Contrasts> {
        let rows = rows.as_array();
        Ok(Contrasts::of(py, self.ask(py, |cov| cov.predict(rows, linear_predictor, level.0))?))
    }
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Clusters>()?;
    m.add_class::<Contrasts>()?;
    m.add_class::<Margins>()?;
    m.add_class::<Wald>()?;
    m.add_class::<Diagnostics>()?;
    m.add_class::<Covariance>()
}

//! Procedures of randomisation.

use crewe::design as core;
use pyo3::prelude::*;

use crate::error::OrRaise;

/// A procedure with its options, checked.
#[pyclass(module = "crewe._core", frozen)]
pub struct Method {
    inner: core::Method,
}

#[pymethods]
impl Method {
    #[new]
    fn new(py: Python<'_>, json: &str) -> PyResult<Self> {
        Ok(Self { inner: core::Method::from_json(json).or_raise(py)? })
    }

    #[getter]
    fn json(&self) -> String {
        self.inner.to_json()
    }

    #[getter]
    fn text(&self) -> String {
        self.inner.text()
    }

    #[getter]
    fn needs_order(&self) -> bool {
        self.inner.needs_order()
    }

    #[getter]
    fn in_sets(&self) -> bool {
        self.inner.in_sets()
    }

    #[getter]
    fn factors(&self) -> Vec<&str> {
        self.inner.factors()
    }

    #[getter]
    fn covariates(&self) -> Vec<&str> {
        self.inner.covariates()
    }
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Method>()
}

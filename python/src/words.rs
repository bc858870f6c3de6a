//! Words that the package checks before it reads any data: the core knows them.

use crewe::instruments::cases::Origin;
use crewe::nonparametric::Alternative;
use crewe::resampling::{Statistic, Weights};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::OrRaise;

/// Refuses a word that is no alternative, weighting or origin.
#[pyfunction]
fn check_word(py: Python<'_>, kind: &str, word: &str) -> PyResult<()> {
    match kind {
        "alternative" => word.parse::<Alternative>().map(drop),
        "weights" => word.parse::<Weights>().map(drop),
        "origin" => word.parse::<Origin>().map(drop),
        _ => return Err(PyValueError::new_err(format!("no words of kind {kind}"))),
    }
    .or_raise(py)
}

/// The statistics of a randomisation test that need nothing but the outcomes, by name.
#[pyfunction]
fn statistics() -> Vec<&'static str> {
    Statistic::names().collect()
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(check_word, m)?)?;
    m.add_function(wrap_pyfunction!(statistics, m)?)
}

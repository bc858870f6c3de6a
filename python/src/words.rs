//! What the package checks before, or beside, what it computes: the core knows the rules and the words.

use crewe::inference::Vcov;
use crewe::inference::few::Analysed;
use crewe::instruments::cases::Origin;
use crewe::nonparametric::Alternative;
use crewe::resampling::{Residuals, Statistic, Weights};
use crewe::simulate::{Overflow, Sharing, Target, Tested};
use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::handle::Level;

/// Refuses a word that is no alternative, weighting, choice of residuals, origin, way of sharing or kind of variance.
#[pyfunction]
fn check_word(py: Python<'_>, kind: &str, word: &str) -> PyResult<()> {
    match kind {
        "alternative" => word.parse::<Alternative>().map(drop),
        "weights" => word.parse::<Weights>().map(drop),
        "residuals" => word.parse::<Residuals>().map(drop),
        "origin" => word.parse::<Origin>().map(drop),
        "sharing" => word.parse::<Sharing>().map(drop),
        "target" => word.parse::<Target>().map(drop),
        "overflow" => word.parse::<Overflow>().map(drop),
        "simulated statistic" => word.parse::<Tested>().map(drop),
        "vcov" => word.parse::<Vcov>().map(drop),
        _ => return Err(PyValueError::new_err(format!("no words of kind {kind}"))),
    }
    .or_raise(py)
}

/// The statistics of a randomisation test that need nothing but the outcomes, by name.
#[pyfunction]
fn statistics() -> Vec<&'static str> {
    Statistic::names().collect()
}

/// A confidence level as a number; refuses what is none.
#[pyfunction]
fn check_level(level: Level) -> f64 {
    level.0
}

/// Refuses an analysis by fewer than two clusters.
#[pyfunction]
fn check_clusters(py: Python<'_>, count: usize) -> PyResult<()> {
    crewe::inference::check_clusters(count).or_raise(py)
}

/// Refuses a comparison in which an arm has fewer than two units.
#[pyfunction]
fn check_units_by_arm(
    py: Python<'_>,
    arms: Vec<String>,
    units: Vec<usize>,
    noun: &str,
    column: Option<&str>,
) -> PyResult<()> {
    crewe::inference::check_units_by_arm(&arms, &units, noun, column).or_raise(py)
}

/// What simulations found of an analysis with so few clusters: a sentence, or nothing.
#[pyfunction]
fn few_clusters(
    py: Python<'_>,
    model: &str,
    kind: &str,
    clusters: Vec<usize>,
    y: PyReadonlyArray1<'_, f64>,
) -> PyResult<Option<String>> {
    let model: Analysed = model.parse().or_raise(py)?;
    let kind: Vcov = kind.parse().or_raise(py)?;
    Ok(crewe::inference::few::caution(model, kind, &clusters, y.as_array()))
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(check_word, m)?)?;
    m.add_function(wrap_pyfunction!(check_level, m)?)?;
    m.add_function(wrap_pyfunction!(check_clusters, m)?)?;
    m.add_function(wrap_pyfunction!(check_units_by_arm, m)?)?;
    m.add_function(wrap_pyfunction!(few_clusters, m)?)?;
    m.add_function(wrap_pyfunction!(statistics, m)?)
}

//! The intracluster correlation, and its conversion between scales.

use crewe::icc as core;
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

use crate::covariance::Clusters;
use crate::error::OrRaise;
use crate::handle::{Level, Word, slice};

/// An intracluster correlation with its interval.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Icc {
    estimate: f64,
    raw: f64,
    truncated: bool,
    interval: Option<(f64, f64)>,
    doubts: Vec<&'static str>,
    n: usize,
    clusters: usize,
    mean_size: f64,
    adjusted_size: f64,
    rate: Option<f64>,
    mean: f64,
    sd: f64,
}

/// The intracluster correlation of an outcome.
#[pyfunction]
fn icc(
    py: Python<'_>,
    outcome: PyReadonlyArray1<'_, f64>,
    clusters: &Clusters,
    method: Word<core::Method>,
    level: Level,
) -> PyResult<Icc> {
    let options = core::Options::default().method(method.0).level(level.0);
    let outcome = slice(&outcome)?;
    let found = crate::pool::compute(py, |_| core::icc(outcome, &clusters.inner, options))?;
    Ok(Icc {
        estimate: found.estimate,
        raw: found.raw,
        truncated: found.truncated,
        interval: found.interval.map(|ends| (ends.low, ends.high)),
        doubts: found.doubts.iter().map(|doubt| doubt.name()).collect(),
        n: found.n,
        clusters: found.clusters,
        mean_size: found.mean_size,
        adjusted_size: found.adjusted_size,
        rate: found.rate,
        mean: found.mean,
        sd: found.sd,
    })
}

/// An intracluster correlation of a binary outcome on the scale named, from the other one.
#[pyfunction]
fn icc_convert(py: Python<'_>, icc: f64, rate: f64, to: Word<core::Scale>) -> PyResult<f64> {
    core::convert(icc, rate, to.0).or_raise(py)
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Icc>()?;
    m.add_function(wrap_pyfunction!(icc, m)?)?;
    m.add_function(wrap_pyfunction!(icc_convert, m)?)
}

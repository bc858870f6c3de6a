//! The random stream of the core, for synthetic data and for whoever replays a draw by hand.

use crewe::rng;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use crate::handle::SeedLike;

/// A named stream of random numbers: the same on every platform and version.
#[pyclass(module = "crewe._core")]
struct Stream {
    inner: rng::Stream,
}

#[pymethods]
impl Stream {
    #[new]
    #[pyo3(signature = (seed, purpose, labels = vec![], index = 0))]
    fn new(seed: SeedLike, purpose: &str, labels: Vec<String>, index: u64) -> Self {
        Self { inner: rng::Stream::new(&seed.into(), purpose, &labels, index) }
    }

    /// `n` uniform integers in `0..bound`.
    fn below<'py>(&mut self, py: Python<'py>, bound: u64, n: usize) -> Bound<'py, PyArray1<u64>> {
        (0..n).map(|_| self.inner.below(bound)).collect::<Vec<_>>().into_pyarray(py)
    }

    /// `n` uniform numbers in [0, 1).
    fn unit<'py>(&mut self, py: Python<'py>, n: usize) -> Bound<'py, PyArray1<f64>> {
        (0..n).map(|_| self.inner.unit()).collect::<Vec<_>>().into_pyarray(py)
    }

    /// `n` standard normal numbers.
    fn normal<'py>(&mut self, py: Python<'py>, n: usize) -> Bound<'py, PyArray1<f64>> {
        (0..n).map(|_| self.inner.normal()).collect::<Vec<_>>().into_pyarray(py)
    }

    /// A shuffled copy of `0..n`.
    fn permutation<'py>(&mut self, py: Python<'py>, n: usize) -> Bound<'py, PyArray1<u64>> {
        let mut items: Vec<u64> = (0..n as u64).collect();
        self.inner.shuffle(&mut items);
        items.into_pyarray(py)
    }
}

/// An integer seed from the operating system.
#[pyfunction]
fn system_seed(py: Python<'_>) -> PyResult<u64> {
    use crate::error::OrRaise;
    match rng::Seed::from_system().or_raise(py)? {
        rng::Seed::Integer(value) => Ok(value),
        rng::Seed::Key(_) => Ok(0),
    }
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Stream>()?;
    m.add_function(wrap_pyfunction!(system_seed, m)?)
}

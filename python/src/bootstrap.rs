//! Bootstraps over clusters.

use crewe::resampling as core;
use crewe::rng::Seed;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::covariance::Covariance;
use crate::error::OrRaise;
use crate::handle::{Floats, Level, SeedLike, Word, floats, slice};

/// How a wild cluster bootstrap is asked for.
#[pyclass(module = "crewe._core", frozen)]
struct WildOptions {
    inner: core::WildOptions,
}

#[pymethods]
impl WildOptions {
    /// With the draws, their seed and the level of the interval.
    #[new]
    #[pyo3(signature = (draws, seed, level, interval))]
    fn new(draws: u64, seed: Option<SeedLike>, level: Level, interval: bool) -> Self {
        let mut inner = core::WildOptions::default().draws(draws).level(level.0).interval(interval);
        inner.seed = seed.map(Seed::from);
        Self { inner }
    }

    /// The same of a type, with or without the hypothesis imposed, with weights, and with what counts as extreme.
    #[pyo3(signature = (kind, null, weights, extreme))]
    fn of(
        &self,
        kind: Option<Word<core::WildType>>,
        null: bool,
        weights: Word<core::WildWeights>,
        extreme: Word<core::Extreme>,
    ) -> Self {
        let mut inner = self.inner.clone().null(null).weights(weights.0).extreme(extreme.0);
        inner.kind = kind.map(|kind| kind.0);
        Self { inner }
    }

    /// The level of the interval.
    #[getter]
    fn level(&self) -> f64 {
        self.inner.level
    }
}

/// What a wild cluster bootstrap found.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct WildBootstrap {
    kind: &'static str,
    estimate: f64,
    std_error: f64,
    statistic: f64,
    contrasts: usize,
    p_value: f64,
    interval: Option<(f64, f64)>,
    distribution: Floats,
    draws: usize,
    exact: bool,
    clusters: usize,
    seed: Option<u64>,
    notes: Vec<String>,
}

/// Tests that contrasts of the coefficients (q x k) have these values.
#[pyfunction]
fn wild_bootstrap(
    py: Python<'_>,
    covariance: &Covariance,
    contrasts: PyReadonlyArray2<'_, f64>,
    values: PyReadonlyArray1<'_, f64>,
    options: &WildOptions,
) -> PyResult<WildBootstrap> {
    let (contrasts, values) = (contrasts.as_array(), slice(&values)?);
    let found = covariance
        .ask(py, |covariance| core::wild_bootstrap(covariance.fit(), contrasts, values, &options.inner))?;
    Ok(WildBootstrap {
        kind: found.kind.name(),
        estimate: found.estimate,
        std_error: found.std_error,
        statistic: found.statistic,
        contrasts: found.contrasts,
        p_value: found.p_value,
        interval: found.interval.map(|interval| (interval.low, interval.high)),
        distribution: floats(py, found.distribution),
        draws: found.draws,
        exact: found.exact,
        clusters: found.clusters,
        seed: found.seed,
        notes: found.notes,
    })
}

/// The clusters of replicates `first` to `end` of a pairs bootstrap, replicates x clusters.
#[pyfunction]
fn bootstrap_pairs(
    py: Python<'_>,
    strata: PyReadonlyArray1<'_, u32>,
    first: u64,
    end: u64,
    seed: u64,
) -> PyResult<Py<PyArray2<u32>>> {
    let strata = slice(&strata)?;
    let drawn = crate::pool::compute(py, |_| core::pairs(strata, first..end, &Seed::Integer(seed)))?;
    Ok(drawn.into_pyarray(py).unbind())
}

/// What the replicates of a statistic say of it.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Resampled {
    std_error: f64,
    bias: f64,
    percentile: (f64, f64),
    studentised: Option<(f64, f64)>,
    p_value: f64,
}

/// Intervals and the test of a hypothesis from replicates; `own` holds the statistic with its standard error, if any.
#[pyfunction]
#[pyo3(signature = (own, values, errors, null, level))]
fn bootstrap_replicates(
    py: Python<'_>,
    own: (f64, Option<f64>),
    values: PyReadonlyArray1<'_, f64>,
    errors: Option<PyReadonlyArray1<'_, f64>>,
    null: f64,
    level: Level,
) -> PyResult<Resampled> {
    let errors = errors.as_ref().map(slice).transpose()?;
    let found = core::replicates(own.0, own.1, slice(&values)?, errors, null, level.0).or_raise(py)?;
    Ok(Resampled {
        std_error: found.std_error,
        bias: found.bias,
        percentile: (found.percentile.low, found.percentile.high),
        studentised: found.studentised.map(|interval| (interval.low, interval.high)),
        p_value: found.p_value,
    })
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<WildOptions>()?;
    m.add_class::<WildBootstrap>()?;
    m.add_class::<Resampled>()?;
    m.add_function(wrap_pyfunction!(wild_bootstrap, m)?)?;
    m.add_function(wrap_pyfunction!(bootstrap_pairs, m)?)?;
    m.add_function(wrap_pyfunction!(bootstrap_replicates, m)?)
}

//! Power while the trial runs, and before it under doubt: recruitment, blinded outcomes, assurance.

use crewe::power::assurance::{Assurance, Prior, Uncertain, assurance};
use crewe::power::blinded::Blinded;
use crewe::power::recruitment::{Arrivals, Forecast};
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::handle::{Floats, Level, SeedLike, Word, floats};
use crate::power::PowerCalculation;

/// Clusters that came so far.
#[pyclass(module = "crewe._core", frozen)]
struct PowerArrivals {
    inner: Arrivals,
}

fn ends(found: Forecast) -> (f64, f64, f64) {
    (found.expected, found.low, found.high)
}

#[pymethods]
impl PowerArrivals {
    #[new]
    fn new(py: Python<'_>, count: u64, time: f64) -> PyResult<Self> {
        Ok(Self { inner: Arrivals::new(count, time).or_raise(py)? })
    }

    /// How many more come over a further time: the mean and the ends of the interval.
    fn over(&self, py: Python<'_>, further: f64, level: Level) -> PyResult<(f64, f64, f64)> {
        Ok(ends(self.inner.over(further, level.0).or_raise(py)?))
    }

    /// How long until so many more have come: the median and the ends of the interval.
    fn until(&self, py: Python<'_>, more: u64, level: Level) -> PyResult<(f64, f64, f64)> {
        Ok(ends(self.inner.until(more, level.0).or_raise(py)?))
    }
}

/// Outcomes of both arms together.
#[pyclass(module = "crewe._core", frozen)]
struct PowerBlinded {
    inner: Blinded,
}

#[pymethods]
impl PowerBlinded {
    #[new]
    fn new(mean: f64, variance: f64, icc: f64, clustered: bool) -> Self {
        Self { inner: Blinded { mean, variance, icc, clustered } }
    }

    /// The control arm's mean, and the variance and ICC within arms, under an effect.
    fn less(&self, py: Python<'_>, effect: f64, treated: f64) -> PyResult<(f64, f64, f64)> {
        let found = self.inner.less(effect, treated).or_raise(py)?;
        Ok((found.mean, found.variance, found.icc))
    }
}

/// What is believed of a quantity.
#[pyclass(module = "crewe._core", frozen)]
struct PowerPrior {
    inner: Prior,
}

impl PowerPrior {
    fn checked(py: Python<'_>, inner: Prior) -> PyResult<Self> {
        inner.check().or_raise(py)?;
        Ok(Self { inner })
    }
}

#[pymethods]
impl PowerPrior {
    #[staticmethod]
    fn normal(py: Python<'_>, mean: f64, sd: f64) -> PyResult<Self> {
        Self::checked(py, Prior::Normal { mean, sd })
    }

    #[staticmethod]
    fn log_normal(py: Python<'_>, median: f64, sd: f64) -> PyResult<Self> {
        Self::checked(py, Prior::LogNormal { median, sd })
    }

    #[staticmethod]
    fn beta(py: Python<'_>, mean: f64, sd: f64) -> PyResult<Self> {
        Self::checked(py, Prior::Beta { mean, sd })
    }

    #[staticmethod]
    fn uniform(py: Python<'_>, low: f64, high: f64) -> PyResult<Self> {
        Self::checked(py, Prior::Uniform { low, high })
    }

    /// The value below which this share of it lies.
    fn quantile(&self, p: f64) -> f64 {
        self.inner.quantile(p)
    }
}

/// Power over priors.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct PowerAssurance {
    power: f64,
    assurance: f64,
    error: f64,
    impossible: f64,
    powers: Floats,
    quantities: Vec<&'static str>,
    low: Vec<f64>,
    high: Vec<f64>,
    at_low: Vec<f64>,
    at_high: Vec<f64>,
}

impl PowerAssurance {
    fn of(py: Python<'_>, found: Assurance) -> Self {
        let swings = &found.swings;
        Self {
            power: found.power,
            assurance: found.assurance,
            error: found.error,
            impossible: found.impossible,
            quantities: swings.iter().map(|swing| swing.quantity.name()).collect(),
            low: swings.iter().map(|swing| swing.ends[0]).collect(),
            high: swings.iter().map(|swing| swing.ends[1]).collect(),
            at_low: swings.iter().map(|swing| swing.power[0]).collect(),
            at_high: swings.iter().map(|swing| swing.power[1]).collect(),
            powers: floats(py, found.powers),
        }
    }
}

/// The chance of finding the effect, over priors of what is uncertain.
#[pyfunction]
fn power_assurance(
    py: Python<'_>,
    calculation: &PowerCalculation,
    priors: Vec<(Word<Uncertain>, PyRef<'_, PowerPrior>)>,
    draws: usize,
    seed: SeedLike,
    level: Level,
) -> PyResult<PowerAssurance> {
    let priors: Vec<(Uncertain, Prior)> =
        priors.iter().map(|(quantity, prior)| (quantity.0, prior.inner)).collect();
    let seed = seed.into();
    let asked = &calculation.inner;
    let found = crate::pool::compute(py, |_| assurance(asked, &priors, draws, &seed, level.0))?;
    Ok(PowerAssurance::of(py, found))
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PowerArrivals>()?;
    m.add_class::<PowerBlinded>()?;
    m.add_class::<PowerPrior>()?;
    m.add_class::<PowerAssurance>()?;
    m.add_function(wrap_pyfunction!(power_assurance, m)?)
}

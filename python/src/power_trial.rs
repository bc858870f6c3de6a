//! Power while the trial runs, and before it under doubt: recruitment, blinded outcomes, assurance.

use crewe::power::assurance::{Assurance, Prior, Uncertain, assurance};
use crewe::power::blinded::{Blinded, BlindedCounts, BlindedTimes, CountsSeen};
use crewe::power::recruitment::{Arrivals, Forecast};
use crewe::survival::TimesSeen;
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::handle::{Floats, Level, SeedLike, Word, floats, slice};
use crate::power::PowerCalculation;
use crate::survival::Surv;

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

/// What counts over times say of both arms together.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct PowerCountsSeen {
    rate: f64,
    dispersion: f64,
    exposure: f64,
    residuals: Floats,
}

/// What these counts over these times say.
#[pyfunction]
fn power_counts_seen(
    py: Python<'_>,
    counts: PyReadonlyArray1<'_, f64>,
    times: PyReadonlyArray1<'_, f64>,
) -> PyResult<PowerCountsSeen> {
    let found = CountsSeen::of(slice(&counts)?, slice(&times)?).or_raise(py)?;
    Ok(PowerCountsSeen {
        rate: found.rate,
        dispersion: found.dispersion,
        exposure: found.exposure,
        residuals: floats(py, found.residuals),
    })
}

/// Counts of both arms together: rate, dispersion, time, ICC, and whether whole clusters are treated.
#[pyclass(module = "crewe._core", frozen)]
struct PowerBlindedCounts {
    inner: BlindedCounts,
}

/// What a calculation of counts needs.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct PowerCountFigures {
    rate: f64,
    dispersion: f64,
    icc: f64,
    rate_cv: f64,
    dispersion_within: f64,
    inflation: f64,
}

#[pymethods]
impl PowerBlindedCounts {
    #[new]
    fn new(rate: f64, dispersion: f64, exposure: f64, icc: f64, clustered: bool) -> Self {
        Self { inner: BlindedCounts { rate, dispersion, exposure, icc, clustered } }
    }

    /// The difference that a ratio of the arms' rates stands for.
    fn difference(&self, ratio: f64, treated: f64) -> f64 {
        self.inner.difference(ratio, treated)
    }

    /// The figures within arms, under a difference of their rates.
    fn less(&self, py: Python<'_>, difference: f64, treated: f64) -> PyResult<PowerCountFigures> {
        let found = self.inner.less(difference, treated).or_raise(py)?;
        Ok(PowerCountFigures {
            rate: found.rate,
            dispersion: found.dispersion,
            icc: found.icc,
            rate_cv: found.rate_cv,
            dispersion_within: found.dispersion_within,
            inflation: found.inflation,
        })
    }
}

/// What times to an event say of both arms together.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct PowerTimesSeen {
    share: f64,
    events: usize,
    scores: Floats,
}

/// What times say until a horizon.
#[pyfunction]
fn power_times_seen(py: Python<'_>, surv: &Surv, horizon: f64) -> PyResult<PowerTimesSeen> {
    let found = surv.ask(py, |surv| TimesSeen::of(&surv, horizon))?;
    Ok(PowerTimesSeen { share: found.share, events: found.events, scores: floats(py, found.scores) })
}

/// Times of both arms together: shares with the event by the end and so far, variance and ICC of the scores, and whether
/// whole clusters are treated.
#[pyclass(module = "crewe._core", frozen)]
struct PowerBlindedTimes {
    inner: BlindedTimes,
}

#[pymethods]
impl PowerBlindedTimes {
    #[new]
    fn new(share: f64, seen: f64, variance: f64, icc: f64, clustered: bool) -> Self {
        Self { inner: BlindedTimes { share, seen, variance, icc, clustered } }
    }

    /// The control arm's share, the ICC within arms, and the share of the variance that the effect makes up.
    fn less(&self, py: Python<'_>, ratio: f64, treated: f64) -> PyResult<(f64, f64, f64)> {
        let found = self.inner.less(ratio, treated).or_raise(py)?;
        Ok((found.share, found.icc, found.inflation))
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
    m.add_class::<PowerCountsSeen>()?;
    m.add_class::<PowerBlindedCounts>()?;
    m.add_class::<PowerCountFigures>()?;
    m.add_class::<PowerTimesSeen>()?;
    m.add_class::<PowerBlindedTimes>()?;
    m.add_function(wrap_pyfunction!(power_counts_seen, m)?)?;
    m.add_function(wrap_pyfunction!(power_times_seen, m)?)?;
    m.add_class::<PowerPrior>()?;
    m.add_class::<PowerAssurance>()?;
    m.add_function(wrap_pyfunction!(power_assurance, m)?)
}

//! Randomisation tests.

use crewe::design as design_core;
use crewe::nonparametric::Alternative;
use crewe::resampling as core;
use crewe::rng::Seed;
use numpy::{IntoPyArray, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{Level, SeedLike, Word, record, slice};
use crate::design::{Design, Units};
use crate::error::OrRaise;

/// An assignment out of the parts that Python holds.
fn assignment(
    py: Python<'_>,
    design: &Design,
    units: &Units,
    arm: &[u8],
    probability: &PyReadonlyArray2<'_, f64>,
    simulated: Option<u64>,
    drawn_here: bool,
) -> PyResult<design_core::Assignment> {
    let commitment = if drawn_here { Some(design.inner.commitment().or_raise(py)?) } else { None };
    let probability = probability.as_array().to_owned();
    let mut made = design_core::Assignment::from_parts(
        &units.inner,
        design.inner.arm_names(),
        arm.to_vec(),
        probability,
    )
    .or_raise(py)?;
    (made.simulated, made.commitment) = (simulated, commitment);
    Ok(made)
}

/// Tests a statistic of the core's own.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the package passes every option")]
fn randomisation_test<'py>(
    py: Python<'py>,
    design: &Design,
    units: &Units,
    arm: PyReadonlyArray1<'py, u8>,
    probability: PyReadonlyArray2<'py, f64>,
    simulated: Option<u64>,
    drawn_here: bool,
    name: &str,
    values: PyReadonlyArray1<'py, f64>,
    unit: PyReadonlyArray1<'py, u32>,
    compared: Option<Vec<bool>>,
    statistic: &str,
    studentised: bool,
    covariates: Option<PyReadonlyArray2<'py, f64>>,
    weights: Word<core::Weights>,
    draws: u64,
    seed: Option<SeedLike>,
    alternative: Word<Alternative>,
    level: Level,
    interval: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let assignment = assignment(py, design, units, slice(&arm)?, &probability, simulated, drawn_here)?;
    let mut outcomes =
        core::Outcomes::new(name, slice(&values)?, slice(&unit)?, units.inner.len()).or_raise(py)?;
    if let Some(compared) = compared {
        outcomes = outcomes.comparing(&compared).or_raise(py)?;
    }
    let covariates = covariates.as_ref().map(|x| x.as_array());
    let statistic = core::Statistic::named(statistic, studentised, covariates).or_raise(py)?;
    let mut options = core::RandomisationOptions::default()
        .draws(draws)
        .alternative(alternative.0)
        .level(level.0)
        .interval(interval)
        .weights(weights.0);
    options.seed = seed.map(Seed::from);
    let test = crate::pool::compute(py, |signals| {
        core::randomisation_test(&design.inner, &assignment, &outcomes, statistic, &options, signals)
    })?;
    let comparisons: Vec<_> = test
        .comparisons
        .into_iter()
        .map(|c| {
            Ok(record!(py,
                "arm" => c.arm, "estimate" => c.estimate, "statistic" => c.statistic, "p_value" => c.p_value,
                "p_lower" => c.p_lower, "p_upper" => c.p_upper,
                "interval" => c.interval.map(|i| (i.low, i.high)), "null_mean" => c.null_mean,
                "null_sd" => c.null_sd, "distribution" => c.distribution.into_pyarray(py)))
        })
        .collect::<PyResult<_>>()?;
    Ok(record!(py,
        "comparisons" => comparisons,
        "omnibus" => test.omnibus.map(|o| (o.statistic, o.p_value)),
        "means" => test.means,
        "exact" => test.exact,
        "assignments" => test.assignments,
        "undefined" => test.undefined,
        "weight" => test.weight.map(|w| w.into_pyarray(py)),
        "seed" => test.seed,
        "weighted" => test.weighted,
        "notes" => test.notes,
    ))
}

/// The assignments that a trial is compared with, for a statistic that Python computes.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "an assignment comes back in its parts")]
fn randomisation_redrawn<'py>(
    py: Python<'py>,
    design: &Design,
    units: &Units,
    arm: PyReadonlyArray1<'py, u8>,
    probability: PyReadonlyArray2<'py, f64>,
    simulated: Option<u64>,
    drawn_here: bool,
    draws: u64,
    seed: Option<SeedLike>,
) -> PyResult<Bound<'py, PyDict>> {
    let assignment = assignment(py, design, units, slice(&arm)?, &probability, simulated, drawn_here)?;
    let seed = seed.map(Seed::from);
    let found = crate::pool::compute(py, |signals| {
        core::redrawn(&design.inner, &assignment, draws, seed.as_ref(), signals)
    })?;
    Ok(record!(py,
        "arm" => found.arm.into_pyarray(py),
        "weight" => found.weight.map(|w| w.into_pyarray(py)),
        "seed" => found.seed,
        "notes" => found.notes,
    ))
}

/// The tails of a null distribution that Python computed.
#[pyfunction]
fn randomisation_tails<'py>(
    py: Python<'py>,
    values: PyReadonlyArray1<'py, f64>,
    probability: Option<PyReadonlyArray1<'py, f64>>,
    observed: f64,
    alternative: Word<Alternative>,
) -> PyResult<Bound<'py, PyDict>> {
    let probability = probability.as_ref().map(slice).transpose()?;
    let found = core::tails(slice(&values)?, probability, observed).or_raise(py)?;
    Ok(record!(py,
        "p_value" => found.p_value(alternative.0), "p_lower" => found.lower, "p_upper" => found.upper,
        "null_mean" => found.mean, "null_sd" => found.sd))
}

/// The size of the test for a design, and the coverage of its interval, for a difference in means.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the package passes every option")]
fn randomisation_size<'py>(
    py: Python<'py>,
    design: &Design,
    units: &Units,
    values: PyReadonlyArray1<'py, f64>,
    unit: PyReadonlyArray1<'py, u32>,
    studentised: bool,
    trials: u64,
    draws: u64,
    seed: u64,
    alpha: f64,
    effect: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let outcomes =
        core::Outcomes::new("outcome", slice(&values)?, slice(&unit)?, units.inner.len()).or_raise(py)?;
    let test = core::RandomisationOptions::default().draws(draws).level(1.0 - alpha);
    let options =
        core::SizeOptions::default().trials(trials).seed(seed).alpha(alpha).effect(effect).test(test);
    let statistic = core::Statistic::DifferenceInMeans { studentised };
    let found = crate::pool::compute(py, |signals| {
        core::size(&design.inner, &units.inner, &outcomes, statistic, &options, signals)
    })?;
    Ok(record!(py,
        "rejected" => found.rejected, "covered" => found.covered, "std_error" => found.std_error,
        "exact" => found.exact, "trials" => found.trials))
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(randomisation_test, m)?)?;
    m.add_function(wrap_pyfunction!(randomisation_redrawn, m)?)?;
    m.add_function(wrap_pyfunction!(randomisation_tails, m)?)?;
    m.add_function(wrap_pyfunction!(randomisation_size, m)?)
}

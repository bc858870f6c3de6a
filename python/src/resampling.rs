//! Randomisation tests.

use std::cell::RefCell;

use crewe::Fault;
use crewe::nonparametric::Alternative;
use crewe::regression::Family;
use crewe::resampling as core;
use crewe::rng::Seed;
use crewe::survival::Ties;
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::assignment::Assignment;
use crate::design::Design;
use crate::error::OrRaise;
use crate::handle::{Floats, Level, SeedLike, Word, floats, slice};
use crate::pool::Signals;
use crate::units::{Codes, Units};

/// The outcomes of rows, each of a unit of a trial; with `compared`, only some units take part.
#[pyclass(module = "crewe._core", frozen)]
pub struct Outcomes {
    pub inner: core::Outcomes,
}

#[pymethods]
impl Outcomes {
    #[new]
    #[pyo3(signature = (name, values, unit, units, compared))]
    fn new(
        py: Python<'_>,
        name: &str,
        values: PyReadonlyArray1<'_, f64>,
        unit: PyReadonlyArray1<'_, u32>,
        units: &Units,
        compared: Option<Vec<bool>>,
    ) -> PyResult<Self> {
        let mut inner =
            core::Outcomes::new(name, slice(&values)?, slice(&unit)?, units.inner.len()).or_raise(py)?;
        if let Some(compared) = compared {
            inner = inner.comparing(&compared).or_raise(py)?;
        }
        Ok(Self { inner })
    }
}

/// A model in which the arm stands beside covariates (rows x k), which hold the constant of a model that has one.
#[pyclass(module = "crewe._core", frozen)]
pub struct ArmModel {
    kind: Kind,
    covariates: Py<PyArray2<f64>>,
    weights: Option<Floats>,
}

/// What kind of model it is.
enum Kind {
    Linear,
    Binary(Family),
    Cox { event: Floats, strata: Option<Codes>, ties: Ties },
}

#[pymethods]
impl ArmModel {
    /// Least squares.
    #[staticmethod]
    #[pyo3(signature = (covariates, weights))]
    fn linear(covariates: Py<PyArray2<f64>>, weights: Option<Floats>) -> Self {
        Self { kind: Kind::Linear, covariates, weights }
    }

    /// A yes-or-no outcome.
    #[staticmethod]
    #[pyo3(signature = (family, covariates, weights))]
    fn binary(family: Word<Family>, covariates: Py<PyArray2<f64>>, weights: Option<Floats>) -> Self {
        Self { kind: Kind::Binary(family.0), covariates, weights }
    }

    /// Cox's model of times; the outcomes are the times, 1 stands for an event.
    #[staticmethod]
    #[pyo3(signature = (covariates, event, strata, ties))]
    fn cox(covariates: Py<PyArray2<f64>>, event: Floats, strata: Option<Codes>, ties: Word<Ties>) -> Self {
        Self { kind: Kind::Cox { event, strata, ties: ties.0 }, covariates, weights: None }
    }

    /// What makes it again, for those whom it is sent to.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let of = py.get_type::<Self>();
        let (covariates, weights) = (&self.covariates, &self.weights);
        let (name, parts) = match &self.kind {
            Kind::Linear => ("linear", (covariates, weights).into_pyobject(py)?),
            Kind::Binary(family) => ("binary", (family.name(), covariates, weights).into_pyobject(py)?),
            Kind::Cox { event, strata, ties } => {
                ("cox", (covariates, event, strata, ties.name()).into_pyobject(py)?)
            }
        };
        Ok((of.getattr(name)?, parts))
    }
}

impl ArmModel {
    /// Hands the core's model, which borrows the arrays, to `work`; with what of it is compared, if that is not the arms.
    pub fn with<T>(
        &self,
        py: Python<'_>,
        contrasts: Option<&ArmContrasts>,
        work: impl FnOnce(core::ArmModel<'_>) -> PyResult<T>,
    ) -> PyResult<T> {
        let products = contrasts.and_then(|of| of.products.as_ref()).map(|x| x.bind(py).readonly());
        let compared = match contrasts {
            None => core::Compared::Arms,
            Some(of) if of.margins => core::Compared::Margins(&of.contrasts),
            Some(of) => core::Compared::Coefficients(&of.contrasts),
        };
        let (covariates, weights) =
            (self.covariates.bind(py).readonly(), self.weights.as_ref().map(|w| w.bind(py).readonly()));
        let weights = weights.as_ref().map(slice).transpose()?;
        let (columns, products) = (covariates.as_array(), products.as_ref().map(|x| x.as_array()));
        // One call for each kind: a closure would outlive what it borrows.
        match &self.kind {
            Kind::Linear => {
                let model = core::ArmModel::linear(columns).weights(weights);
                work(model.products(products).compared(compared))
            }
            Kind::Binary(family) => {
                let model = core::ArmModel::binary(*family, columns).weights(weights);
                work(model.products(products).compared(compared))
            }
            Kind::Cox { event, strata, ties } => {
                let event = event.bind(py).readonly();
                let strata = strata.as_ref().map(|codes| codes.bind(py).readonly());
                let strata = strata.as_ref().map(slice).transpose()?;
                let model = core::ArmModel::cox(slice(&event)?, columns).strata(strata, *ties);
                work(model.products(products).compared(compared))
            }
        }
    }
}

/// What of a model is compared: combinations (comparisons x coefficients, or x arms where they are of margins) under
/// names, where the model has products of these columns (rows x q) with every arm.
#[pyclass(module = "crewe._core", frozen)]
pub struct ArmContrasts {
    products: Option<Py<PyArray2<f64>>>,
    contrasts: Vec<core::Contrast>,
    margins: bool,
}

#[pymethods]
impl ArmContrasts {
    #[new]
    #[pyo3(signature = (products, names, weights, margins))]
    fn new(
        products: Option<Py<PyArray2<f64>>>,
        names: Vec<String>,
        weights: PyReadonlyArray2<'_, f64>,
        margins: bool,
    ) -> Self {
        let rows = weights.as_array();
        let contrasts = names.into_iter().zip(rows.rows());
        let contrasts = contrasts.map(|(name, row)| core::Contrast::new(name, row.to_vec())).collect();
        Self { products, contrasts, margins }
    }

    /// What makes it again, for those whom it is sent to.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let names: Vec<&str> = self.contrasts.iter().map(|contrast| contrast.name.as_str()).collect();
        let width = self.contrasts.first().map_or(0, |contrast| contrast.weights.len());
        let weights =
            Array2::from_shape_fn((names.len(), width), |(row, column)| self.contrasts[row].weights[column]);
        let parts = (&self.products, names, weights.into_pyarray(py), self.margins).into_pyobject(py)?;
        Ok((py.get_type::<Self>().into_any(), parts))
    }
}

/// What is compared: a statistic by its name, with covariates (rows x k) the adjusted difference, or the arm in a model.
#[pyclass(module = "crewe._core", frozen)]
struct Statistic {
    of: Compared,
    studentised: bool,
}

enum Compared {
    Named(String, Option<Py<PyArray2<f64>>>),
    Model(Py<ArmModel>, core::Residuals, Option<Py<ArmContrasts>>),
    /// Events by row, and the horizon.
    RestrictedMean(Floats, f64),
    /// Events and ends of follow-up by row.
    TimeRatio(Floats, Floats),
}

#[pymethods]
impl Statistic {
    #[new]
    #[pyo3(signature = (name, studentised, covariates))]
    fn new(name: String, studentised: bool, covariates: Option<Py<PyArray2<f64>>>) -> Self {
        Self { of: Compared::Named(name, covariates), studentised }
    }

    /// The score of the arm in a model, or of what is compared in it.
    #[staticmethod]
    #[pyo3(signature = (model, studentised, residuals, contrasts))]
    fn of_model(
        model: Py<ArmModel>,
        studentised: bool,
        residuals: Word<core::Residuals>,
        contrasts: Option<Py<ArmContrasts>>,
    ) -> Self {
        Self { of: Compared::Model(model, residuals.0, contrasts), studentised }
    }

    /// The mean time without the event up to a horizon.
    #[staticmethod]
    fn restricted_mean(event: Floats, horizon: f64, studentised: bool) -> Self {
        Self { of: Compared::RestrictedMean(event, horizon), studentised }
    }

    /// The ratio of the times to the event, with the end of follow-up of every row.
    #[staticmethod]
    fn time_ratio(event: Floats, end: Floats, studentised: bool) -> Self {
        Self { of: Compared::TimeRatio(event, end), studentised }
    }

    /// The name, where it has one.
    #[getter]
    fn name(&self) -> Option<&str> {
        match &self.of {
            Compared::Named(name, _) => Some(name),
            Compared::Model(..) | Compared::RestrictedMean(..) | Compared::TimeRatio(..) => None,
        }
    }
}

impl Statistic {
    /// Hands the core's statistic, which borrows the arrays, to `work`.
    fn with<T>(&self, py: Python<'_>, work: impl FnOnce(core::Statistic<'_>) -> PyResult<T>) -> PyResult<T> {
        match &self.of {
            Compared::Named(name, covariates) => {
                let covariates = covariates.as_ref().map(|x| x.bind(py).readonly());
                let columns = covariates.as_ref().map(|x| x.as_array());
                work(core::Statistic::named(name, self.studentised, columns).or_raise(py)?)
            }
            Compared::RestrictedMean(event, horizon) => {
                let event = event.bind(py).readonly();
                work(core::Statistic::RestrictedMean {
                    event: slice(&event)?,
                    horizon: *horizon,
                    studentised: self.studentised,
                })
            }
            Compared::TimeRatio(event, end) => {
                let (event, end) = (event.bind(py).readonly(), end.bind(py).readonly());
                work(core::Statistic::TimeRatio {
                    event: slice(&event)?,
                    end: slice(&end)?,
                    studentised: self.studentised,
                })
            }
            Compared::Model(model, residuals, contrasts) => {
                let contrasts = contrasts.as_ref().map(Py::get);
                model.get().with(py, contrasts, |model| {
                    work(core::Statistic::Model(model.studentised(self.studentised).residuals(*residuals)))
                })
            }
        }
    }
}

/// How a randomisation test is asked for.
#[pyclass(module = "crewe._core", frozen)]
struct RandomisationOptions {
    inner: core::RandomisationOptions,
}

#[pymethods]
impl RandomisationOptions {
    #[new]
    #[pyo3(signature = (draws, seed, alternative, level, interval, weights))]
    fn new(
        draws: u64,
        seed: Option<SeedLike>,
        alternative: Word<Alternative>,
        level: Level,
        interval: bool,
        weights: Word<core::Weights>,
    ) -> Self {
        let mut inner = core::RandomisationOptions::default()
            .draws(draws)
            .alternative(alternative.0)
            .level(level.0)
            .interval(interval)
            .weights(weights.0);
        inner.seed = seed.map(Seed::from);
        Self { inner }
    }

    /// The word for the alternative.
    #[getter]
    fn alternative(&self) -> &'static str {
        self.inner.alternative.name()
    }

    /// The level of the interval.
    #[getter]
    fn level(&self) -> f64 {
        self.inner.level
    }
}

/// One arm beside the reference.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Comparison {
    arm: String,
    estimate: f64,
    statistic: f64,
    p_value: f64,
    p_adjusted: Option<f64>,
    p_lower: f64,
    p_upper: f64,
    interval: Option<(f64, f64)>,
    null_mean: f64,
    null_sd: f64,
    distribution: Floats,
}

/// What a randomisation test found; `omnibus` holds a statistic and its p-value.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct RandomisationTest {
    comparisons: Vec<Py<Comparison>>,
    omnibus: Option<(f64, f64)>,
    means: Vec<f64>,
    exact: bool,
    assignments: usize,
    undefined: usize,
    weight: Option<Floats>,
    seed: Option<u64>,
    weighted: bool,
    notes: Vec<String>,
}

/// Tests a statistic of the core's own.
#[pyfunction]
fn randomisation_test(
    py: Python<'_>,
    design: &Design,
    assignment: &Assignment,
    outcomes: &Outcomes,
    statistic: &Statistic,
    options: &RandomisationOptions,
) -> PyResult<RandomisationTest> {
    let (design, assignment, outcomes) = (&design.inner, &assignment.inner, &outcomes.inner);
    let test = statistic.with(py, |statistic| {
        crate::pool::compute(py, |signals| {
            core::randomisation_test(design, assignment, outcomes, statistic, &options.inner, signals)
        })
    })?;
    told(py, test)
}

/// The same test, with draws whose values `ask` gives of an effect, the seed and the number of draws.
#[pyfunction]
fn randomisation_test_by(
    py: Python<'_>,
    design: &Design,
    assignment: &Assignment,
    outcomes: &Outcomes,
    statistic: &Statistic,
    options: &RandomisationOptions,
    ask: Py<PyAny>,
) -> PyResult<RandomisationTest> {
    let (design, assignment, outcomes) = (&design.inner, &assignment.inner, &outcomes.inner);
    let options = &options.inner;
    let test = statistic.with(py, |statistic| {
        if crate::pool::compute(py, |signals| core::listed(design, assignment, options.draws, signals))? {
            return crate::pool::compute(py, |signals| {
                core::randomisation_test(design, assignment, outcomes, statistic, options, signals)
            });
        }
        let raised = RefCell::new(None);
        let asked = |effect: f64, seed: &Seed, draws: u64| {
            let Seed::Integer(seed) = seed else {
                return Err(Fault::new("a secret key is sent nowhere")
                    .remedy("Give the draws a seed of their own: seed=, a whole number")
                    .input());
            };
            let found = ask.call1(py, (effect, *seed, draws)).and_then(|found| {
                let found = found.bind(py).cast::<PyArray1<f64>>()?.readonly();
                Ok(slice(&found)?.to_vec())
            });
            // What was raised is what the call raises.
            found.map_err(|error| {
                *raised.borrow_mut() = Some(error);
                crewe::Error::Interrupted
            })
        };
        // This thread waits for the others and hears signals itself.
        let signals = Signals::default();
        let found =
            core::randomisation_test_by(design, assignment, outcomes, statistic, options, &asked, &signals);
        match raised.into_inner() {
            Some(error) => Err(error),
            None => signals.outcome(py, found),
        }
    })?;
    told(py, test)
}

/// The values of a statistic over a part of the draws: an effect, and the first draw and the end.
#[pyfunction]
fn randomisation_values(
    py: Python<'_>,
    design: &Design,
    assignment: &Assignment,
    outcomes: &Outcomes,
    statistic: &Statistic,
    options: &RandomisationOptions,
    part: (f64, u64, u64),
) -> PyResult<Floats> {
    let (design, assignment, outcomes) = (&design.inner, &assignment.inner, &outcomes.inner);
    let (options, part) = (&options.inner, (part.0, part.1..part.2));
    let values = statistic.with(py, |statistic| {
        crate::pool::compute(py, |signals| {
            core::randomisation_values(design, assignment, outcomes, statistic, options, part, signals)
        })
    })?;
    Ok(floats(py, values))
}

/// A result as Python holds it.
fn told(py: Python<'_>, test: core::RandomisationTest) -> PyResult<RandomisationTest> {
    let comparison = |found: core::Comparison| {
        let comparison = Comparison {
            arm: found.arm,
            estimate: found.estimate,
            statistic: found.statistic,
            p_value: found.p_value,
            p_adjusted: found.p_adjusted,
            p_lower: found.p_lower,
            p_upper: found.p_upper,
            interval: found.interval.map(|interval| (interval.low, interval.high)),
            null_mean: found.null_mean,
            null_sd: found.null_sd,
            distribution: floats(py, found.distribution),
        };
        Py::new(py, comparison)
    };
    Ok(RandomisationTest {
        comparisons: test.comparisons.into_iter().map(comparison).collect::<PyResult<_>>()?,
        omnibus: test.omnibus.map(|omnibus| (omnibus.statistic, omnibus.p_value)),
        means: test.means,
        exact: test.exact,
        assignments: test.assignments,
        undefined: test.undefined,
        weight: test.weight.map(|weight| floats(py, weight)),
        seed: test.seed,
        weighted: test.weighted,
        notes: test.notes,
    })
}

/// The assignments that a trial is compared with, assignments x units.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Redrawn {
    arm: Py<PyArray2<u8>>,
    weight: Option<Floats>,
    seed: Option<u64>,
    notes: Vec<String>,
}

/// Draws the assignments that a trial is compared with, for a statistic that Python computes.
#[pyfunction]
fn randomisation_redrawn(
    py: Python<'_>,
    design: &Design,
    assignment: &Assignment,
    options: &RandomisationOptions,
) -> PyResult<Redrawn> {
    let options = &options.inner;
    let found = crate::pool::compute(py, |signals| {
        core::redrawn(&design.inner, &assignment.inner, options.draws, options.seed.as_ref(), signals)
    })?;
    Ok(Redrawn {
        arm: found.arm.into_pyarray(py).unbind(),
        weight: found.weight.map(|weight| floats(py, weight)),
        seed: found.seed,
        notes: found.notes,
    })
}

/// The tails of a null distribution, with its mean and standard deviation.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Tails {
    p_value: f64,
    p_lower: f64,
    p_upper: f64,
    null_mean: f64,
    null_sd: f64,
}

/// The tails of a null distribution that Python computed.
#[pyfunction]
#[pyo3(signature = (values, probability, observed, alternative))]
fn randomisation_tails(
    py: Python<'_>,
    values: PyReadonlyArray1<'_, f64>,
    probability: Option<PyReadonlyArray1<'_, f64>>,
    observed: f64,
    alternative: Word<Alternative>,
) -> PyResult<Tails> {
    let probability = probability.as_ref().map(slice).transpose()?;
    let found = core::tails(slice(&values)?, probability, observed).or_raise(py)?;
    Ok(Tails {
        p_value: found.p_value(alternative.0),
        p_lower: found.lower,
        p_upper: found.upper,
        null_mean: found.mean,
        null_sd: found.sd,
    })
}

/// Refuses so few draws that no p-value could be as small as the error probability of an interval at this level.
#[pyfunction]
fn check_draws(py: Python<'_>, draws: usize, level: f64) -> PyResult<()> {
    core::check_draws(draws, level).or_raise(py)
}

/// How the size of a test is found.
#[pyclass(module = "crewe._core", frozen)]
struct SizeOptions {
    inner: core::SizeOptions,
}

#[pymethods]
impl SizeOptions {
    #[new]
    fn new(trials: u64, draws: u64, seed: u64, alpha: f64, effect: f64) -> Self {
        let test = core::RandomisationOptions::default().draws(draws).level(1.0 - alpha);
        let inner =
            core::SizeOptions::default().trials(trials).seed(seed).alpha(alpha).effect(effect).test(test);
        Self { inner }
    }
}

/// The size of a test, and the coverage of its interval.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Size {
    rejected: f64,
    covered: f64,
    std_error: f64,
    exact: bool,
    trials: usize,
}

/// The size of the test for a design, for a difference in means.
#[pyfunction]
fn randomisation_size(
    py: Python<'_>,
    design: &Design,
    units: &Units,
    outcomes: &Outcomes,
    statistic: &Statistic,
    options: &SizeOptions,
) -> PyResult<Size> {
    let (design, units, outcomes) = (&design.inner, &units.inner, &outcomes.inner);
    let found = statistic.with(py, |statistic| {
        crate::pool::compute(py, |signals| {
            core::size(design, units, outcomes, statistic, &options.inner, signals)
        })
    })?;
    Ok(Size {
        rejected: found.rejected,
        covered: found.covered,
        std_error: found.std_error,
        exact: found.exact,
        trials: found.trials,
    })
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Outcomes>()?;
    m.add_class::<ArmModel>()?;
    m.add_class::<ArmContrasts>()?;
    m.add_class::<Statistic>()?;
    m.add_class::<RandomisationOptions>()?;
    m.add_class::<Comparison>()?;
    m.add_class::<RandomisationTest>()?;
    m.add_class::<Redrawn>()?;
    m.add_class::<Tails>()?;
    m.add_class::<SizeOptions>()?;
    m.add_class::<Size>()?;
    m.add_function(wrap_pyfunction!(randomisation_test, m)?)?;
    m.add_function(wrap_pyfunction!(randomisation_test_by, m)?)?;
    m.add_function(wrap_pyfunction!(randomisation_values, m)?)?;
    m.add_function(wrap_pyfunction!(randomisation_redrawn, m)?)?;
    m.add_function(wrap_pyfunction!(randomisation_tails, m)?)?;
    m.add_function(wrap_pyfunction!(check_draws, m)?)?;
    m.add_function(wrap_pyfunction!(randomisation_size, m)?)
}

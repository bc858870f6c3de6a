//! Cost-benefit lines, and the same over draws of what is uncertain.

use crewe::instruments::cost::{
    Agreement, Arms, Draws, Exact, Input, Joint, Line, Quantity, Swing, Tornado, Uncertainty, prices,
    simulate, work_out,
};
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::handle::{Floats, Level, SeedLike, columns, floats, slice};

/// A line that was worked out: its value as a number and as an exact fraction, as it is shown, and how it stands to the
/// number that was printed.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct WorkedLine {
    name: String,
    value: f64,
    exact: String,
    shown: String,
    printed: Option<f64>,
    agreement: Option<&'static str>,
    uses: Vec<String>,
}

/// Works out lines (name, formula, printed, decimals) from inputs (name, value).
#[pyfunction]
fn cost_lines(
    py: Python<'_>,
    inputs: Vec<(String, String)>,
    lines: Vec<(String, String, Option<String>, i32)>,
) -> PyResult<Vec<WorkedLine>> {
    let inputs: Vec<Input> = inputs.into_iter().map(|(name, value)| Input::new(name, value)).collect();
    let lines: Vec<Line> = lines
        .into_iter()
        .map(|(name, formula, printed, places)| {
            let mut line = Line::new(name, formula).places(places);
            line.printed = printed;
            line
        })
        .collect();
    let worked = crate::pool::compute(py, |_| work_out(&inputs, &lines))?;
    let lines = worked.into_iter().map(|line| WorkedLine {
        name: line.name,
        value: line.value.to_f64(),
        exact: line.value.to_string(),
        shown: line.shown,
        printed: line.printed.map(Exact::to_f64),
        agreement: line.agreement.map(Agreement::name),
        uses: line.uses,
    });
    Ok(lines.collect())
}

/// An input with what is known of it.
#[pyclass(module = "crewe._core", frozen)]
struct CostQuantity {
    inner: Quantity,
}

#[pymethods]
impl CostQuantity {
    /// An input that is known, its number as text.
    #[staticmethod]
    fn fixed(py: Python<'_>, name: String, value: &str) -> PyResult<Self> {
        Ok(Self { inner: Quantity::new(name, number(py, value)?) })
    }

    /// A rate from its counts, times a scale; the value is what was typed.
    #[staticmethod]
    fn rate(py: Python<'_>, name: String, value: &str, events: f64, of: f64, scale: f64) -> PyResult<Self> {
        let known = Uncertainty::Rate { events, of, scale };
        Self::checked(py, Quantity::new(name, number(py, value)?).uncertain(known))
    }

    /// An amount with a coefficient of variation.
    #[staticmethod]
    fn amount(py: Python<'_>, name: String, value: &str, cv: f64) -> PyResult<Self> {
        Self::checked(py, Quantity::new(name, number(py, value)?).uncertain(Uncertainty::Amount { cv }))
    }

    /// A weighted sum of what the joint estimates of this number hold.
    #[staticmethod]
    fn joint(name: String, joint: usize, weights: Vec<f64>) -> Self {
        Self { inner: Quantity::new(name, f64::NAN).uncertain(Uncertainty::Joint { joint, weights }) }
    }

    /// A figure that follows from others.
    #[staticmethod]
    fn follows(name: String, formula: String) -> Self {
        Self { inner: Quantity::new(name, f64::NAN).uncertain(Uncertainty::Follows(formula)) }
    }
}

impl CostQuantity {
    fn checked(py: Python<'_>, inner: Quantity) -> PyResult<Self> {
        inner.check().or_raise(py)?;
        Ok(Self { inner })
    }
}

fn number(py: Python<'_>, text: &str) -> PyResult<f64> {
    let read = Exact::parse(text).map(Exact::to_f64);
    let fault = || crewe::Fault::new("an input is not a number").values([text]).input();
    read.ok_or_else(fault).or_raise(py)
}

/// Estimates of one fit with their covariance and degrees of freedom.
#[pyclass(module = "crewe._core", frozen)]
struct CostJoint {
    inner: Joint,
}

#[pymethods]
impl CostJoint {
    #[new]
    fn new(
        py: Python<'_>,
        label: String,
        estimate: Vec<f64>,
        covariance: PyReadonlyArray2<'_, f64>,
        df: Vec<f64>,
    ) -> PyResult<Self> {
        let covariance = covariance.as_array().to_owned();
        Ok(Self { inner: Joint::new(label, estimate, covariance, df).or_raise(py)? })
    }
}

/// Which lines are the costs, savings and effects of each arm.
#[pyclass(module = "crewe._core", frozen)]
struct CostArms {
    inner: Arms,
}

#[pymethods]
impl CostArms {
    #[new]
    fn new(arms: Vec<(String, Vec<String>, Vec<String>, Vec<String>)>) -> Self {
        let add =
            |all: Arms, (label, costs, savings, effects): (String, Vec<String>, Vec<String>, Vec<String>)| {
                all.arm(&label, &costs, &savings, &effects)
            };
        Self { inner: arms.into_iter().fold(Arms::new(), add) }
    }
}

columns! {
    /// What the draws of all names say.
    struct CostSummaries { base, mean, std_error, conf_low, conf_high }
}

/// What inputs do by themselves: names, the ends of their intervals and the results at these.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct CostSwings {
    base: f64,
    names: Vec<String>,
    low: Floats,
    high: Floats,
    at_low: Floats,
    at_high: Floats,
}

impl CostSwings {
    fn of(py: Python<'_>, Tornado { base, swings, .. }: Tornado) -> Self {
        let column = |pick: fn(&Swing) -> f64| floats(py, swings.iter().map(pick).collect());
        Self {
            base,
            low: column(|swing| swing.ends[0]),
            high: column(|swing| swing.ends[1]),
            at_low: column(|swing| swing.results[0]),
            at_high: column(|swing| swing.results[1]),
            names: swings.iter().map(|swing| swing.name.clone()).collect(),
        }
    }
}

/// Arms compared: means by arm; by arm but the first rows of (mean, low, high); by willingness to pay rows of arms.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct CostDecision {
    cost: Floats,
    effect: Floats,
    cost_difference: Py<PyArray2<f64>>,
    effect_difference: Py<PyArray2<f64>>,
    icer: Floats,
    quadrants: Py<PyArray2<f64>>,
    net_benefit: Py<PyArray2<f64>>,
    probability: Py<PyArray2<f64>>,
    incremental: Vec<Py<PyArray2<f64>>>,
    evpi: Floats,
    evpi_se: Floats,
}

fn rows<const N: usize>(py: Python<'_>, rows: Vec<[f64; N]>) -> Py<PyArray2<f64>> {
    let flat: Vec<f64> = rows.iter().flatten().copied().collect();
    let array = numpy::ndarray::Array2::from_shape_fn((rows.len(), N), |(i, j)| flat[i * N + j]);
    array.into_pyarray(py).unbind()
}

/// All inputs and lines over the draws.
#[pyclass(module = "crewe._core", frozen)]
struct CostDraws {
    inner: Draws,
}

#[pymethods]
impl CostDraws {
    /// Inputs, then lines.
    #[getter]
    fn names(&self) -> Vec<String> {
        self.inner.names().to_vec()
    }

    /// The draws of an input or a line.
    fn column(&self, py: Python<'_>, name: &str) -> PyResult<Floats> {
        Ok(floats(py, self.inner.column(name).or_raise(py)?))
    }

    /// What the draws of each name say, with central intervals.
    fn summaries(&self, py: Python<'_>, level: Level) -> PyResult<CostSummaries> {
        let found = crate::pool::compute(py, |_| self.inner.summaries(level.0))?;
        let column = |pick: fn(&crewe::instruments::cost::Summary) -> f64| {
            floats(py, found.iter().map(pick).collect())
        };
        Ok(CostSummaries {
            base: column(|summary| summary.base),
            mean: column(|summary| summary.mean),
            std_error: column(|summary| summary.std_error),
            conf_low: column(|summary| summary.low),
            conf_high: column(|summary| summary.high),
        })
    }

    /// Arms compared with the first, at each willingness to pay.
    fn decide(
        &self,
        py: Python<'_>,
        arms: &CostArms,
        willingness: PyReadonlyArray1<'_, f64>,
        level: Level,
    ) -> PyResult<CostDecision> {
        let willingness = slice(&willingness)?;
        let found = crate::pool::compute(py, |_| self.inner.decide(&arms.inner, willingness, level.0))?;
        let choices = &found.choices;
        let count = found.cost.len();
        let by_arm = |pick: fn(&crewe::instruments::cost::Choice) -> &[f64]| {
            numpy::ndarray::Array2::from_shape_fn((choices.len(), count), |(i, j)| pick(&choices[i])[j])
                .into_pyarray(py)
                .unbind()
        };
        let incremental =
            (0..count - 1).map(|j| rows(py, choices.iter().map(|choice| choice.incremental[j]).collect()));
        Ok(CostDecision {
            cost_difference: rows(py, found.compared.iter().map(|compared| compared.cost).collect()),
            effect_difference: rows(py, found.compared.iter().map(|compared| compared.effect).collect()),
            icer: floats(py, found.compared.iter().map(|compared| compared.icer).collect()),
            quadrants: rows(py, found.compared.iter().map(|compared| compared.quadrants).collect()),
            net_benefit: by_arm(|choice| &choice.net_benefit),
            probability: by_arm(|choice| &choice.probability),
            incremental: incremental.collect(),
            evpi: floats(py, choices.iter().map(|choice| choice.evpi).collect()),
            evpi_se: floats(py, choices.iter().map(|choice| choice.evpi_se).collect()),
            cost: floats(py, found.cost),
            effect: floats(py, found.effect),
        })
    }

    /// The differences in cost and in effect of an arm from the first, over the draws.
    fn increments(&self, py: Python<'_>, arms: &CostArms, arm: usize) -> PyResult<(Floats, Floats)> {
        let [cost, effect] = self.inner.increments(&arms.inner, arm).or_raise(py)?;
        Ok((floats(py, cost), floats(py, effect)))
    }

    /// What each uncertain input does by itself to a line.
    fn tornado(&self, py: Python<'_>, line: &str, level: Level) -> PyResult<CostSwings> {
        Ok(CostSwings::of(py, self.inner.tornado(line, level.0).or_raise(py)?))
    }

    /// What each uncertain input does by itself to the net benefit of an arm less the first's.
    fn net_benefit_tornado(
        &self,
        py: Python<'_>,
        arms: &CostArms,
        arm: usize,
        willingness: f64,
        level: Level,
    ) -> PyResult<CostSwings> {
        let found = self.inner.net_benefit_tornado(&arms.inner, arm, willingness, level.0);
        Ok(CostSwings::of(py, found.or_raise(py)?))
    }
}

/// Draws inputs and works out lines (name, formula).
#[pyfunction]
fn cost_draws(
    py: Python<'_>,
    quantities: Vec<PyRef<'_, CostQuantity>>,
    joints: Vec<PyRef<'_, CostJoint>>,
    lines: Vec<(String, String)>,
    draws: usize,
    seed: SeedLike,
) -> PyResult<CostDraws> {
    let quantities: Vec<Quantity> = quantities.iter().map(|quantity| quantity.inner.clone()).collect();
    let joints: Vec<Joint> = joints.iter().map(|joint| joint.inner.clone()).collect();
    let lines: Vec<Line> = lines.into_iter().map(|(name, formula)| Line::new(name, formula)).collect();
    let seed = seed.into();
    let inner = crate::pool::compute(py, |_| simulate(&quantities, &joints, &lines, draws, &seed))?;
    Ok(CostDraws { inner })
}

/// What a pound in each of these years counts today.
#[pyfunction]
fn discount_factors(py: Python<'_>, years: PyReadonlyArray1<'_, f64>) -> PyResult<Floats> {
    let factors: crewe::Result<Vec<f64>> =
        slice(&years)?.iter().map(|&t| prices::discount_factor(t)).collect();
    Ok(floats(py, factors.or_raise(py)?))
}

/// What yearly amounts count today, the first in year `first`.
#[pyfunction]
fn present_value(py: Python<'_>, amounts: PyReadonlyArray1<'_, f64>, first: f64) -> PyResult<f64> {
    prices::present_value(slice(&amounts)?, first).or_raise(py)
}

/// An amount at the prices of another year, by the indices of both.
#[pyfunction]
fn repriced(py: Python<'_>, amount: &str, from_index: &str, to_index: &str) -> PyResult<String> {
    prices::repriced(amount, from_index, to_index).or_raise(py)
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<WorkedLine>()?;
    m.add_class::<CostQuantity>()?;
    m.add_class::<CostJoint>()?;
    m.add_class::<CostArms>()?;
    m.add_class::<CostSummaries>()?;
    m.add_class::<CostSwings>()?;
    m.add_class::<CostDecision>()?;
    m.add_class::<CostDraws>()?;
    m.add_function(wrap_pyfunction!(cost_draws, m)?)?;
    m.add_function(wrap_pyfunction!(discount_factors, m)?)?;
    m.add_function(wrap_pyfunction!(present_value, m)?)?;
    m.add_function(wrap_pyfunction!(repriced, m)?)?;
    m.add_function(wrap_pyfunction!(cost_lines, m)?)
}

//! Audits of inference under a trial's own randomisation.

use crewe::progress::Monitor;
use crewe::regression::gee::{Correlation, Divisor, GeeFamily};
use crewe::regression::{self, Family, Penalty};
use crewe::resampling::{self as core, Procedure};
use crewe::survival::Ties;
use numpy::{PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::assignment::Assignment;
use crate::covariance::Clusters;
use crate::design::Design;
use crate::error::OrRaise;
use crate::handle::{Floats, Word, floats, slice};
use crate::regression::{DesignMatrix, Weights};
use crate::resampling::{ArmModel, Outcomes};
use crate::units::Codes;

/// A model whose arms are redrawn: its columns, of which some are the arms but the reference, and its clusters.
#[pyclass(module = "crewe._core", frozen)]
struct AuditedModel {
    kind: Kind,
    design: Py<DesignMatrix>,
    weights: Option<Py<Weights>>,
    arms: Vec<usize>,
    of: usize,
    clusters: Py<Clusters>,
    aside: Vec<usize>,
    levels: Option<(Vec<usize>, bool)>,
}

enum Kind {
    Linear,
    Binary(Family),
    Penalised(Penalty),
    Cox { event: Floats, strata: Option<Codes>, ties: Ties },
    Gee(GeeFamily, Correlation, Divisor),
    Mixed,
}

#[pymethods]
impl AuditedModel {
    /// Least squares; `of` is the place among the arms of the one that is tested.
    #[new]
    #[pyo3(signature = (design, weights, arms, of, clusters, aside))]
    fn new(
        design: Py<DesignMatrix>,
        weights: Option<Py<Weights>>,
        arms: Vec<usize>,
        of: usize,
        clusters: Py<Clusters>,
        aside: Vec<usize>,
    ) -> Self {
        Self { kind: Kind::Linear, design, weights, arms, of, clusters, aside, levels: None }
    }

    /// The same of a yes-or-no outcome.
    fn family(&self, py: Python<'_>, family: Word<Family>) -> Self {
        Self { kind: Kind::Binary(family.0), ..self.again(py) }
    }

    /// The same of a yes-or-no outcome, by a logit with a penalty.
    fn penalised(&self, py: Python<'_>, penalty: Word<Penalty>) -> Self {
        Self { kind: Kind::Penalised(penalty.0), ..self.again(py) }
    }

    /// The same by estimating equations; `how` is family, working correlation and divisor.
    fn gee(&self, py: Python<'_>, how: (Word<GeeFamily>, Word<Correlation>, Word<Divisor>)) -> Self {
        Self { kind: Kind::Gee(how.0.0, how.1.0, how.2.0), ..self.again(py) }
    }

    /// The same by the mixed model with an intercept for every cluster.
    fn mixed(&self, py: Python<'_>) -> Self {
        Self { kind: Kind::Mixed, ..self.again(py) }
    }

    /// The same of times, by Cox's model.
    #[pyo3(signature = (event, strata, ties))]
    fn cox(&self, py: Python<'_>, event: Floats, strata: Option<Codes>, ties: Word<Ties>) -> Self {
        Self { kind: Kind::Cox { event, strata, ties: ties.0 }, ..self.again(py) }
    }

    /// The same with a cluster-level analysis by the columns `kept`, others taken out of rows first where some vary within
    /// clusters.
    fn cluster_level(&self, py: Python<'_>, kept: Vec<usize>, within: bool) -> Self {
        Self { levels: Some((kept, within)), ..self.again(py) }
    }
}

impl AuditedModel {
    fn again(&self, py: Python<'_>) -> Self {
        let kind = match &self.kind {
            Kind::Linear => Kind::Linear,
            Kind::Binary(family) => Kind::Binary(*family),
            Kind::Penalised(penalty) => Kind::Penalised(*penalty),
            Kind::Gee(family, correlation, divisor) => Kind::Gee(*family, *correlation, *divisor),
            Kind::Mixed => Kind::Mixed,
            Kind::Cox { event, strata, ties } => Kind::Cox {
                event: event.clone_ref(py),
                strata: strata.as_ref().map(|codes| codes.clone_ref(py)),
                ties: *ties,
            },
        };
        Self {
            kind,
            design: self.design.clone_ref(py),
            weights: self.weights.as_ref().map(|weights| weights.clone_ref(py)),
            arms: self.arms.clone(),
            of: self.of,
            clusters: self.clusters.clone_ref(py),
            aside: self.aside.clone(),
            levels: self.levels.clone(),
        }
    }

    /// Hands the core's model, which borrows the arrays, to `work`.
    fn with<T>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&core::AuditedModel<'_>) -> PyResult<T>,
    ) -> PyResult<T> {
        let design = self.design.get();
        let x = design.columns(py);
        let columns = design.over(x.as_array()).or_raise(py)?.aside(self.aside.iter().copied());
        let weights = self.weights.as_ref().map(|weights| weights.get().parts(py));
        let weights =
            weights.as_ref().map(|(values, kind)| regression::Weights::new(values.as_array(), *kind));
        let clusters = &self.clusters.get().inner;
        let mut model = core::AuditedModel::linear(columns, &self.arms, clusters)
            .or_raise(py)?
            .weights(weights)
            .of(self.of);
        if let Some((kept, within)) = &self.levels {
            model = model.cluster_level(kept, *within);
        }
        match &self.kind {
            Kind::Linear => work(&model),
            Kind::Binary(family) => work(&model.family(*family)),
            Kind::Penalised(penalty) => work(&model.penalised(*penalty)),
            Kind::Gee(family, correlation, divisor) => work(&model.gee(*family, *correlation, *divisor)),
            Kind::Mixed => work(&model.mixed()),
            Kind::Cox { event, strata, ties } => {
                let event = event.bind(py).readonly();
                let strata = strata.as_ref().map(|codes| codes.bind(py).readonly());
                let strata = strata.as_ref().map(slice).transpose()?;
                work(&model.cox(slice(&event)?, strata, *ties))
            }
        }
    }
}

/// Which procedures are audited, and how.
#[pyclass(module = "crewe._core", frozen)]
struct AuditOptions {
    inner: core::AuditOptions,
}

#[pymethods]
impl AuditOptions {
    #[new]
    #[pyo3(signature = (procedures, alpha, effect, bootstrap_draws, seed))]
    fn new(
        procedures: Vec<Word<Procedure>>,
        alpha: f64,
        effect: Option<f64>,
        bootstrap_draws: u64,
        seed: u64,
    ) -> Self {
        let procedures: Vec<Procedure> = procedures.into_iter().map(|word| word.0).collect();
        let mut inner = core::AuditOptions::default()
            .procedures(procedures)
            .alpha(alpha)
            .bootstrap_draws(bootstrap_draws)
            .seed(seed);
        inner.effect = effect;
        Self { inner }
    }

    /// What makes them again, for those whom they are sent to.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let core::AuditOptions { alpha, effect, bootstrap_draws, seed, .. } = self.inner;
        let parts = (self.procedures(), alpha, effect, bootstrap_draws, seed).into_pyobject(py)?;
        Ok((py.get_type::<Self>().into_any(), parts))
    }

    /// The names of the procedures, as the core writes them.
    #[getter]
    fn procedures(&self) -> Vec<&'static str> {
        self.inner.procedures.iter().map(|procedure| procedure.name()).collect()
    }
}

/// What an audit found: a value for each procedure.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct AuditFound {
    procedures: Vec<&'static str>,
    size: Floats,
    size_low: Floats,
    size_high: Floats,
    power: Floats,
    coverage: Floats,
    no_answer: Floats,
    exact: bool,
    redraws: usize,
}

/// The seed of an audit.
#[pyfunction]
#[pyo3(signature = (design, assignment, seed))]
fn audit_seed(py: Python<'_>, design: &Design, assignment: &Assignment, seed: Option<u64>) -> PyResult<u64> {
    core::audit_seed(&design.inner, &assignment.inner, seed).or_raise(py)
}

/// What an audit is made of: the trial, its outcomes, the model and its score, and what is asked.
type Asked<'a> = (&'a Assignment, &'a Outcomes, &'a AuditedModel, &'a ArmModel, &'a AuditOptions);

/// Lets the core make an audit ready and work with it, without the interpreter.
fn audited<T: Send>(
    py: Python<'_>,
    (assignment, outcomes, model, score, options): Asked<'_>,
    work: impl FnOnce(&core::Audited<'_, '_, '_>, &dyn Monitor) -> crewe::Result<T> + Send,
) -> PyResult<T> {
    let (assignment, outcomes, options) = (&assignment.inner, &outcomes.inner, &options.inner);
    model.with(py, |model| {
        score.with(py, None, |score| {
            crate::pool::compute(py, |signals| {
                work(&core::Audited::new(assignment, outcomes, model, score, options)?, signals)
            })
        })
    })
}

/// Tries every procedure on the trial as it was drawn: why each has no answer, if it has none; and whether the outcome is
/// yes or no.
#[pyfunction]
fn audit_tried(
    py: Python<'_>,
    assignment: &Assignment,
    outcomes: &Outcomes,
    model: &AuditedModel,
    score: &ArmModel,
    options: &AuditOptions,
) -> PyResult<(Vec<Option<String>>, bool)> {
    let arm = &assignment.inner.arm;
    audited(py, (assignment, outcomes, model, score, options), |audited, _| {
        Ok((audited.tried(arm)?, audited.is_binary()))
    })
}

/// What the procedures say of a part of the redraws: their arms (redraws x units) and the number of the first.
#[pyfunction]
fn audit_values(
    py: Python<'_>,
    assignment: &Assignment,
    outcomes: &Outcomes,
    model: &AuditedModel,
    score: &ArmModel,
    options: &AuditOptions,
    part: (PyReadonlyArray2<'_, u8>, u64),
) -> PyResult<Floats> {
    let (arm, first) = (part.0.as_array(), part.1);
    let values = audited(py, (assignment, outcomes, model, score, options), |audited, signals| {
        audited.values(arm, first, signals)
    })?;
    Ok(floats(py, values))
}

/// The power of the randomisation test over redraws (redraws x units), with weights where all assignments were used; not a
/// number without an effect.
#[pyfunction]
#[pyo3(signature = (assignment, outcomes, model, score, options, redrawn))]
fn audit_power(
    py: Python<'_>,
    assignment: &Assignment,
    outcomes: &Outcomes,
    model: &AuditedModel,
    score: &ArmModel,
    options: &AuditOptions,
    redrawn: (PyReadonlyArray2<'_, u8>, Option<PyReadonlyArray1<'_, f64>>),
) -> PyResult<f64> {
    let (arm, weight) = (redrawn.0.as_array(), redrawn.1.as_ref().map(slice).transpose()?);
    audited(py, (assignment, outcomes, model, score, options), |audited, signals| {
        audited.power_of_the_test(arm, weight, signals)
    })
}

/// Sums up the redraws, with weights where all assignments were used.
#[pyfunction]
#[pyo3(signature = (values, weight, power_of_the_test, options))]
fn audit_found(
    py: Python<'_>,
    values: PyReadonlyArray1<'_, f64>,
    weight: Option<PyReadonlyArray1<'_, f64>>,
    power_of_the_test: f64,
    options: &AuditOptions,
) -> PyResult<AuditFound> {
    let weight = weight.as_ref().map(slice).transpose()?;
    let found = core::audited(slice(&values)?, weight, power_of_the_test, &options.inner).or_raise(py)?;
    let column = |of: fn(&core::AuditRow) -> f64| floats(py, found.procedures.iter().map(of).collect());
    Ok(AuditFound {
        procedures: found.procedures.iter().map(|row| row.procedure.name()).collect(),
        size: column(|row| row.size),
        size_low: column(|row| row.size_low),
        size_high: column(|row| row.size_high),
        power: column(|row| row.power),
        coverage: column(|row| row.coverage),
        no_answer: column(|row| row.no_answer),
        exact: found.exact,
        redraws: found.redraws,
    })
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<AuditedModel>()?;
    m.add_class::<AuditOptions>()?;
    m.add_class::<AuditFound>()?;
    m.add_function(wrap_pyfunction!(audit_seed, m)?)?;
    m.add_function(wrap_pyfunction!(audit_tried, m)?)?;
    m.add_function(wrap_pyfunction!(audit_values, m)?)?;
    m.add_function(wrap_pyfunction!(audit_power, m)?)?;
    m.add_function(wrap_pyfunction!(audit_found, m)?)
}

//! Power by replaying the trial.

use crewe::inference::Vcov;
use crewe::rng::Seed;
use crewe::simulate as core;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::design::Design;
use crate::error::OrRaise;
use crate::handle::{Floats, SeedLike, Word, floats, slice};
use crate::units::Units;

/// A subgroup: its share, whether it is one of whole units, its members, and their effects.
type Group<'py> = (f64, bool, Option<PyReadonlyArray1<'py, bool>>, ([f64; 2], Option<Vec<f64>>));

/// The members of the units: rows, or sizes with whole-number weights.
#[pyclass(module = "crewe._core", frozen)]
struct SimulatedMembers {
    inner: core::Members,
}

#[pymethods]
impl SimulatedMembers {
    /// Rows of units, with what each has in place of the outcome's baseline, columns of the model, and clusters; the places
    /// among the columns of covariates that are drawn; and a subgroup: its share or its members, whether it is one of whole
    /// units, and how much of their arm's effect the others and its members have, or its members in each arm.
    #[staticmethod]
    #[pyo3(signature = (unit, baseline, covariates, clusters, drawn, subgroup))]
    fn rows(
        unit: PyReadonlyArray1<'_, u32>,
        baseline: Option<PyReadonlyArray1<'_, f64>>,
        covariates: Option<PyReadonlyArray2<'_, f64>>,
        clusters: Option<PyReadonlyArray1<'_, u32>>,
        drawn: Vec<Option<usize>>,
        subgroup: Option<Group<'_>>,
    ) -> PyResult<Self> {
        let mut rows = core::Rows::new(slice(&unit)?.to_vec());
        if let Some(baseline) = &baseline {
            rows = rows.baselines(slice(baseline)?.to_vec());
        }
        if let Some(covariates) = &covariates {
            rows = rows.covariates(covariates.as_array().to_owned());
        }
        if let Some(clusters) = &clusters {
            rows = rows.clusters(slice(clusters)?.to_vec());
        }
        rows = rows.drawn(drawn);
        if let Some((share, cluster, member, (effects, inside))) = &subgroup {
            let member = match member {
                Some(member) => Some(slice(member)?.to_vec()),
                None => None,
            };
            let (share, cluster, effects, inside) = (*share, *cluster, *effects, inside.clone());
            rows = rows.subgroup(core::Subgroup { share, cluster, member, effects, inside });
        }
        Ok(Self { inner: rows.into() })
    }

    /// As many members as each unit draws.
    #[staticmethod]
    fn drawn(py: Python<'_>, sizes: Vec<(u32, u64)>) -> PyResult<Self> {
        Ok(Self { inner: core::Sizes::new(sizes).or_raise(py)?.into() })
    }

    /// Those who arrive one by one: at so many a week, an entry a week, or at these weeks; over how many weeks, followed for
    /// how many more, for how long an arm gives its places, and the number at which recruitment ends; sizes with weights;
    /// kinds with their values of strata and factors, and weights; a row of the model's columns for each kind; the places of
    /// each arm, and what becomes of those who come while one is full.
    #[staticmethod]
    fn arriving(
        py: Python<'_>,
        pace: (Vec<f64>, bool),
        spans: (f64, f64, f64, Option<u64>),
        sizes: Vec<(u32, u64)>,
        kinds: Vec<(Vec<String>, Vec<String>, u64)>,
        columns: PyReadonlyArray2<'_, f64>,
        capacity: (Vec<Option<u64>>, Word<core::Overflow>),
    ) -> PyResult<Self> {
        let (weeks, follow_up, period, until) = spans;
        let pace = if pace.1 { core::Pace::Times(pace.0) } else { core::Pace::Rates(pace.0) };
        let kinds =
            kinds.into_iter().map(|(stratum, factors, weight)| core::Kind { stratum, factors, weight });
        let mut arrivals = core::Arrivals::new(pace, weeks, core::Sizes::new(sizes).or_raise(py)?)
            .kinds(kinds.collect(), columns.as_array().to_owned())
            .period(period, capacity.1.0)
            .until(until)
            .follow_up(follow_up);
        for (arm, places) in capacity.0.into_iter().enumerate() {
            if let Some(places) = places {
                arrivals = arrivals.places(arm, places);
            }
        }
        Ok(Self { inner: arrivals.into() })
    }
}

/// A simulated quantity with its Monte Carlo standard error and interval.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct SimulatedMeasure {
    value: f64,
    std_error: f64,
    low: f64,
    high: f64,
}

impl From<core::Measure> for SimulatedMeasure {
    fn from(m: core::Measure) -> Self {
        Self { value: m.value, std_error: m.std_error, low: m.low, high: m.high }
    }
}

/// How an analysis fares: measures by their names, and replicates without an answer by the reason.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct SimulatedDiagnosands {
    measures: Vec<(&'static str, Py<SimulatedMeasure>)>,
    unanswered: Vec<(&'static str, u64)>,
}

/// What the analysis said in every replicate.
#[pyclass(module = "crewe._core", frozen)]
struct Replicates {
    inner: core::Replicates,
}

#[pymethods]
impl Replicates {
    /// The replicates of several parts, one after the other.
    #[staticmethod]
    fn joined(parts: Vec<Py<Self>>) -> Self {
        let mut inner = core::Replicates::new(parts.first().map_or(1, |part| part.get().inner.contrasts));
        for part in &parts {
            inner.extend(&part.get().inner);
        }
        Self { inner }
    }

    /// The replicates again, from what a pickle holds, or those of an analysis in Python: estimates, standard errors, degrees
    /// of freedom, p-values and, where they have any, the ends of intervals; states by their places among `states`.
    #[staticmethod]
    fn restore(
        py: Python<'_>,
        columns: Vec<Floats>,
        status: PyReadonlyArray1<'_, u8>,
        contrasts: usize,
    ) -> PyResult<Self> {
        let mut inner = core::Replicates::new(contrasts.max(1));
        let columns: Vec<Vec<f64>> = columns
            .iter()
            .map(|column| Ok(column.bind(py).readonly().as_slice()?.to_vec()))
            .collect::<PyResult<_>>()?;
        let status = slice(&status)?;
        let n = status.len();
        let wrong = || {
            crewe::Fault::new("these are no columns of replicates")
                .values([format!("{} columns of {n} rows", columns.len())])
                .remedy("Restore what a pickle holds")
                .input()
        };
        if columns.iter().any(|column| column.len() != n) || n % inner.contrasts != 0 {
            return Err(wrong()).or_raise(py);
        }
        let of = |&code: &u8| core::Status::ALL.get(usize::from(code)).copied().ok_or_else(wrong);
        inner.status = status.iter().map(of).collect::<Result<_, _>>().or_raise(py)?;
        match columns.as_slice() {
            [estimate, std_error, df, p_value, ends @ ..] => {
                inner.estimate.clone_from(estimate);
                inner.std_error.clone_from(std_error);
                inner.df.clone_from(df);
                inner.p_value.clone_from(p_value);
                inner.interval = match ends {
                    [] => None,
                    [low, high] => Some([low.clone(), high.clone()]),
                    _ => return Err(wrong()).or_raise(py),
                };
            }
            _ => return Err(wrong()).or_raise(py),
        }
        Ok(Self { inner })
    }

    #[allow(clippy::type_complexity)]
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (Vec<Floats>, Py<PyArray1<u8>>, usize))> {
        let mut columns = vec![self.estimate(py), self.std_error(py), self.df(py), self.p_value(py)];
        if let Some(ends) = &self.inner.interval {
            columns.extend(ends.iter().map(|end| floats(py, end.clone())));
        }
        let parts = (columns, self.status(py), self.inner.contrasts);
        Ok((py.get_type::<Self>().getattr("restore")?, parts))
    }

    /// The words for the states.
    #[staticmethod]
    fn states() -> Vec<&'static str> {
        core::Status::ALL.iter().map(|status| status.name()).collect()
    }

    /// The replicates of one of the arms that are compared.
    fn of(&self, contrast: usize) -> Self {
        Self { inner: self.inner.of(contrast) }
    }

    /// How many arms are compared with the reference.
    #[getter]
    fn contrasts(&self) -> usize {
        self.inner.contrasts
    }

    /// The coefficient of the arm.
    #[getter]
    fn estimate(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.estimate.clone())
    }

    /// Its standard error.
    #[getter]
    fn std_error(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.std_error.clone())
    }

    /// Its degrees of freedom.
    #[getter]
    fn df(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.df.clone())
    }

    /// The p-value of no effect.
    #[getter]
    fn p_value(&self, py: Python<'_>) -> Floats {
        floats(py, self.inner.p_value.clone())
    }

    /// Whether there is an answer, or why not, by the place among `states`.
    #[getter]
    fn status(&self, py: Python<'_>) -> Py<PyArray1<u8>> {
        let place = |status: &core::Status| core::Status::ALL.iter().position(|one| one == status);
        let codes = self.inner.status.iter().map(|status| place(status).unwrap_or(0) as u8);
        codes.collect::<Vec<u8>>().into_pyarray(py).unbind()
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    /// How many reject no effect at this level, for an arm by its place, `any` or `all` of them.
    fn rejections(&self, alpha: f64, detect: Word<core::Detect>) -> u64 {
        self.inner.rejections(alpha, detect.0)
    }

    /// The share of those.
    fn share(&self, py: Python<'_>, alpha: f64, detect: Word<core::Detect>) -> PyResult<SimulatedMeasure> {
        let found = core::Measure::share(self.inner.rejections(alpha, detect.0), self.inner.len() as u64);
        Ok(found.or_raise(py)?.into())
    }

    /// How the analysis fared under this effect.
    fn diagnose(&self, py: Python<'_>, effect: f64, alpha: f64) -> PyResult<SimulatedDiagnosands> {
        let found = core::diagnose(&self.inner, effect, alpha).or_raise(py)?;
        let measures = [
            ("power", found.power),
            ("bias", found.bias),
            ("sd", found.sd),
            ("mean_std_error", found.mean_std_error),
            ("coverage", found.coverage),
            ("type_s", found.type_s),
            ("type_m", found.type_m),
            ("convergence", found.convergence),
        ];
        let measures =
            measures.map(|(name, measure)| Ok((name, Py::new(py, SimulatedMeasure::from(measure))?)));
        Ok(SimulatedDiagnosands {
            measures: measures.into_iter().collect::<PyResult<_>>()?,
            unanswered: found.unanswered,
        })
    }
}

/// The smallest detectable effect.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct SimulatedDetectable {
    effect: f64,
    low: f64,
    high: f64,
    power: Py<SimulatedMeasure>,
    ceiling_at: Option<f64>,
    tried_effect: Py<PyArray1<f64>>,
    tried_power: Py<PyArray1<f64>>,
}

/// A trial made ready to be replayed.
#[pyclass(module = "crewe._core", frozen)]
struct SimulatedTrial {
    inner: core::Trial,
}

#[pymethods]
impl SimulatedTrial {
    /// `outcome` comes with how much of its effect each arm has; `analysis` is the model as JSON, the kind of variance, the level
    /// of the test, the place of the arm that others are compared with, and whose effect it is about.
    #[new]
    fn new(
        py: Python<'_>,
        design: &Design,
        units: &Units,
        members: &SimulatedMembers,
        outcome: (String, Vec<f64>),
        analysis: (String, Word<Vcov>, f64, u8, Word<core::Target>),
        seed: SeedLike,
    ) -> PyResult<Self> {
        let (outcome, doses) = (core::Outcome::from_json(&outcome.0).or_raise(py)?, outcome.1);
        let analysis = core::Analysis::new(analysis.1.0, analysis.2)
            .model(core::Model::from_json(&analysis.0).or_raise(py)?)
            .reference(analysis.3)
            .target(analysis.4.0);
        let (members, seed) = (members.inner.clone(), Seed::from(seed));
        let inner = crate::pool::compute(py, |signals| {
            core::Trial::new(&design.inner, &units.inner, members, outcome, analysis, &seed, signals)?
                .doses(&doses)
        })?;
        Ok(Self { inner })
    }

    /// What each contrast estimates under an effect.
    fn effects(&self, effect: f64) -> Vec<f64> {
        self.inner.effects(effect)
    }

    /// What the analysis estimates of each contrast under an effect: the same, or the logarithm of a ratio.
    fn estimands(&self, effect: f64) -> Vec<f64> {
        self.inner.estimands(effect)
    }

    /// What a reader must know of the analysis, whatever the outcomes.
    fn notes(&self) -> Vec<String> {
        self.inner.notes()
    }

    /// The arms of these replicates; replicates x units.
    fn arms(&self, py: Python<'_>, first: u64, end: u64) -> PyResult<Py<PyArray2<u8>>> {
        let found = crate::pool::compute(py, |signals| self.inner.arms(first..end, signals))?;
        Ok(found.into_pyarray(py).unbind())
    }

    /// Who came in these replicates: units of every arm in the comparison, their members, units refused while enrolment
    /// paused, and units outside the comparison; replicates x (arms + 3).
    fn recruited(&self, py: Python<'_>, first: u64, end: u64) -> PyResult<Py<PyArray2<u64>>> {
        let found = crate::pool::compute(py, |signals| self.inner.recruited(first..end, signals))?;
        Ok(found.into_pyarray(py).unbind())
    }

    /// The outcomes of these replicates, whether the event came where they are times, and what is drawn beside them: covariates
    /// and who is in the subgroup; replicates x rows.
    #[allow(clippy::type_complexity)]
    #[pyo3(signature = (first, end, effect))]
    fn outcomes(
        &self,
        py: Python<'_>,
        first: u64,
        end: u64,
        effect: Option<f64>,
    ) -> PyResult<(Py<PyArray2<f64>>, Option<Py<PyArray2<f64>>>, Vec<Py<PyArray2<f64>>>)> {
        let found = crate::pool::compute(py, |signals| self.inner.outcomes(first..end, effect, signals))?;
        let event = found.event.map(|event| event.into_pyarray(py).unbind());
        let beside = found.beside.into_iter().map(|column| column.into_pyarray(py).unbind());
        Ok((found.y.into_pyarray(py).unbind(), event, beside.collect()))
    }

    /// Fits the model to the outcomes of the replicates from `first` on.
    #[pyo3(signature = (first, y, event))]
    fn fitted(
        &self,
        py: Python<'_>,
        first: u64,
        y: PyReadonlyArray2<'_, f64>,
        event: Option<PyReadonlyArray2<'_, f64>>,
    ) -> PyResult<Replicates> {
        let (y, event) = (y.as_array(), event.as_ref().map(|event| event.as_array()));
        let inner = crate::pool::compute(py, |signals| self.inner.fitted(first, y, event, signals))?;
        Ok(Replicates { inner })
    }

    /// Runs the replicates of these numbers.
    #[pyo3(signature = (first, end, effect))]
    fn replicates(&self, py: Python<'_>, first: u64, end: u64, effect: Option<f64>) -> PyResult<Replicates> {
        let inner = crate::pool::compute(py, |signals| self.inner.replicates(first..end, effect, signals))?;
        Ok(Replicates { inner })
    }

    /// The smallest effect that is found with this power; `rejections` gives the number of rejections under an effect
    /// among so many first replicates, where others run them.
    #[pyo3(signature = (power, sims, fall, detect, rejections))]
    fn mdes(
        &self,
        py: Python<'_>,
        power: f64,
        sims: u64,
        fall: bool,
        detect: Word<core::Detect>,
        rejections: Option<Py<PyAny>>,
    ) -> PyResult<SimulatedDetectable> {
        let search = core::Search::new(power, sims).fall(fall).detect(detect.0);
        let found = if let Some(ask) = rejections {
            let mut raised = None;
            let found = self.inner.mdes_by(search, &mut |effect, sims| {
                let found = ask.call1(py, (effect, sims)).and_then(|found| found.extract(py));
                // What was raised is what the call raises.
                found.map_err(|error| {
                    raised = Some(error);
                    crewe::Error::Interrupted
                })
            });
            if let Some(error) = raised {
                return Err(error);
            }
            found.or_raise(py)?
        } else {
            crate::pool::compute(py, |signals| self.inner.mdes(search, signals))?
        };
        let (effects, powers): (Vec<f64>, Vec<f64>) = found.tried.into_iter().unzip();
        Ok(SimulatedDetectable {
            effect: found.effect,
            low: found.interval[0],
            high: found.interval[1],
            power: Py::new(py, SimulatedMeasure::from(found.power))?,
            ceiling_at: found.ceiling_at,
            tried_effect: effects.into_pyarray(py).unbind(),
            tried_power: powers.into_pyarray(py).unbind(),
        })
    }
}

/// What an outcome is in words.
#[pyfunction]
fn outcome_text(py: Python<'_>, outcome: &str) -> PyResult<String> {
    Ok(core::Outcome::from_json(outcome).or_raise(py)?.text())
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<SimulatedMembers>()?;
    m.add_class::<SimulatedMeasure>()?;
    m.add_class::<SimulatedDiagnosands>()?;
    m.add_class::<Replicates>()?;
    m.add_class::<SimulatedDetectable>()?;
    m.add_class::<SimulatedTrial>()?;
    m.add_function(wrap_pyfunction!(outcome_text, m)?)
}

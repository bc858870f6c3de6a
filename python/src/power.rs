//! Power calculations.

use crewe::power::assurance::Calculation;
use crewe::power::binary::{self, Binary};
use crewe::power::continuous::{self, Continuous};
use crewe::power::correlated::several_by;
use crewe::power::count::{self, Count};
use crewe::power::several::{Procedure, several};
use crewe::power::survival::{self, Survival};
use crewe::power::{
    Adjustment, Answer, Baseline, ClusterSize, Direction, Distribution, Hypothesis, Layout, Level, Periods,
    Plan, Scale, Subgroup, Weighting,
};
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::handle::Word;

/// A mean size or a list of sizes.
#[derive(FromPyObject)]
enum SizeLike {
    Mean(f64),
    List(Vec<u64>),
}

impl From<SizeLike> for ClusterSize {
    fn from(size: SizeLike) -> Self {
        match size {
            SizeLike::Mean(mean) => Self::Mean(mean),
            SizeLike::List(sizes) => Self::List(sizes),
        }
    }
}

/// The quantities of a plan, of which the one that is None is solved for.
#[pyclass(module = "crewe._core", frozen)]
struct PowerQuantities {
    effect: Option<f64>,
    clusters: Option<u64>,
    power: Option<f64>,
    icc: Option<f64>,
    cluster_size: Option<ClusterSize>,
    r2: Option<f64>,
}

#[pymethods]
impl PowerQuantities {
    #[new]
    #[pyo3(signature = (effect, clusters, power, icc, cluster_size, r2))]
    fn new(
        effect: Option<f64>,
        clusters: Option<u64>,
        power: Option<f64>,
        icc: Option<f64>,
        cluster_size: Option<SizeLike>,
        r2: Option<f64>,
    ) -> Self {
        Self { effect, clusters, power, icc, cluster_size: cluster_size.map(ClusterSize::from), r2 }
    }
}

/// How clusters are laid out.
#[pyclass(module = "crewe._core", frozen)]
struct PowerLayout {
    layout: Layout,
}

#[pymethods]
impl PowerLayout {
    #[staticmethod]
    fn pairs(correlation: f64) -> Self {
        Self { layout: Layout::Pairs { correlation } }
    }

    #[staticmethod]
    #[pyo3(signature = (number, effect_sd))]
    fn blocks(number: u64, effect_sd: Option<f64>) -> Self {
        Self { layout: Layout::Blocks { number, effect_sd } }
    }

    #[staticmethod]
    fn three_levels(subclusters: f64, icc: f64) -> Self {
        Self { layout: Layout::ThreeLevels { subclusters, icc } }
    }

    #[staticmethod]
    fn nested() -> Self {
        Self { layout: Layout::Nested }
    }

    #[staticmethod]
    fn stepped_wedge(
        py: Python<'_>,
        sequences: usize,
        autocorrelation: f64,
        decay: bool,
        cohort: f64,
    ) -> PyResult<Self> {
        let periods = Periods::stepped_wedge(sequences).or_raise(py)?.autocorrelation(autocorrelation);
        Ok(Self { layout: Layout::Periods(periods.decay(decay).cohort(cohort)) })
    }

    #[staticmethod]
    fn crossover(
        py: Python<'_>,
        periods: usize,
        autocorrelation: f64,
        decay: bool,
        cohort: f64,
    ) -> PyResult<Self> {
        let periods = Periods::crossover(periods).or_raise(py)?.autocorrelation(autocorrelation);
        Ok(Self { layout: Layout::Periods(periods.decay(decay).cohort(cohort)) })
    }
}

/// What a plan takes as given; each method gives a setting that holds more.
#[pyclass(module = "crewe._core", frozen)]
struct PowerSetting {
    plan: Plan,
}

impl PowerSetting {
    fn plan(&self, quantities: &PowerQuantities) -> Plan {
        let mut plan = self.plan.clone();
        (plan.effect, plan.clusters, plan.power) = (quantities.effect, quantities.clusters, quantities.power);
        (plan.icc, plan.cluster_size) = (quantities.icc, quantities.cluster_size.clone());
        plan.r2 = quantities.r2;
        plan
    }
}

#[pymethods]
impl PowerSetting {
    #[new]
    #[pyo3(signature = (cv, allocation, alpha, distribution))]
    fn new(cv: f64, allocation: f64, alpha: f64, distribution: Option<Word<Distribution>>) -> Self {
        let mut plan = Plan::default().cv(cv).allocation(allocation).alpha(alpha);
        plan.distribution = distribution.map(|distribution| distribution.0);
        Self { plan }
    }

    #[pyo3(signature = (r2_cluster, covariates))]
    fn adjusted(&self, r2_cluster: Option<f64>, covariates: u64) -> Self {
        let mut plan = self.plan.clone().covariates(covariates);
        plan.r2_cluster = r2_cluster;
        Self { plan }
    }

    fn measured(&self, correlation: f64, cluster_correlation: f64, adjustment: Word<Adjustment>) -> Self {
        let baseline = Baseline::new(correlation, cluster_correlation, adjustment.0);
        Self { plan: self.plan.clone().baseline(baseline) }
    }

    fn weighted(&self, weighting: Word<Weighting>) -> Self {
        Self { plan: self.plan.clone().weighting(weighting.0) }
    }

    fn lost(&self, attrition: f64, cluster_attrition: f64) -> Self {
        Self { plan: self.plan.clone().attrition(attrition).cluster_attrition(cluster_attrition) }
    }

    fn within(&self, share: f64, level: Word<Level>, interaction: bool) -> Self {
        let subgroup = Subgroup::new(share, level.0).interaction(interaction);
        Self { plan: self.plan.clone().subgroup(subgroup) }
    }

    #[pyo3(signature = (hypothesis, margin))]
    fn tested(&self, hypothesis: Word<Hypothesis>, margin: Option<f64>) -> Self {
        let mut plan = self.plan.clone().hypothesis(hypothesis.0);
        plan.margin = margin;
        Self { plan }
    }

    fn laid_out(&self, layout: &PowerLayout) -> Self {
        Self { plan: self.plan.clone().layout(layout.layout.clone()) }
    }
}

/// What the rates of a count are made of.
#[pyclass(module = "crewe._core", frozen)]
struct PowerRates {
    baseline: f64,
    exposure: f64,
    dispersion: f64,
    rate_cv: Option<f64>,
}

#[pymethods]
impl PowerRates {
    #[new]
    #[pyo3(signature = (baseline, exposure, dispersion, rate_cv))]
    fn new(baseline: f64, exposure: f64, dispersion: f64, rate_cv: Option<f64>) -> Self {
        Self { baseline, exposure, dispersion, rate_cv }
    }
}

/// How an effect is sought: its direction, and how it is written.
#[pyclass(module = "crewe._core", frozen)]
struct PowerEffect {
    direction: Option<Direction>,
    scale: Scale,
}

#[pymethods]
impl PowerEffect {
    #[new]
    #[pyo3(signature = (direction, scale))]
    fn new(direction: Option<Word<Direction>>, scale: Word<Scale>) -> Self {
        Self { direction: direction.map(|direction| direction.0), scale: scale.0 }
    }
}

/// A plan that was solved; quantities that are unattainable are None.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct PowerAnswer {
    baseline: Option<f64>,
    treated: Option<f64>,
    method: &'static str,
    scale: &'static str,
    direction: &'static str,
    formula: &'static str,
    source: &'static str,
    events: Option<f64>,
    solved: &'static str,
    distribution: &'static str,
    effect: Option<f64>,
    clusters: Option<u64>,
    power: Option<f64>,
    target: Option<f64>,
    icc: Option<f64>,
    cluster_size: Option<f64>,
    r2: Option<f64>,
    cv: f64,
    design_effect: Option<f64>,
    df: Option<f64>,
    noncentrality: Option<f64>,
    error: Option<f64>,
    effective: Option<f64>,
    clusters_treated: Option<u64>,
    clusters_control: Option<u64>,
    clusters_analysed: Option<f64>,
    units_analysed: Option<f64>,
    power_one_fewer: Option<f64>,
    any_icc: bool,
    ceiling: Option<f64>,
    ceiling_at: Option<f64>,
}

impl From<Answer> for PowerAnswer {
    fn from(answer: Answer) -> Self {
        let solution = answer.solution;
        Self {
            baseline: answer.baseline,
            treated: answer.treated,
            method: answer.method,
            scale: answer.scale.name(),
            direction: answer.direction.name(),
            formula: answer.formula,
            source: answer.source,
            events: answer.events,
            solved: solution.solved.name(),
            distribution: solution.distribution.name(),
            effect: solution.effect,
            clusters: solution.clusters,
            power: solution.power,
            target: solution.target,
            icc: solution.icc,
            cluster_size: solution.cluster_size,
            r2: solution.r2,
            cv: solution.cv,
            design_effect: solution.design_effect,
            df: solution.df,
            noncentrality: solution.noncentrality,
            error: solution.error,
            effective: solution.effective,
            clusters_treated: solution.clusters_treated,
            clusters_control: solution.clusters_control,
            clusters_analysed: solution.clusters_analysed,
            units_analysed: solution.units_analysed,
            power_one_fewer: solution.power_one_fewer,
            any_icc: solution.any_icc,
            ceiling: solution.unattainable.map(|ceiling| ceiling.power),
            ceiling_at: solution.unattainable.map(|ceiling| ceiling.at),
        }
    }
}

/// Power for a binary outcome: solves for the quantity that is None.
#[pyfunction]
fn power_binary(
    py: Python<'_>,
    baseline: f64,
    method: Word<binary::Method>,
    sought: &PowerEffect,
    quantities: &PowerQuantities,
    setting: &PowerSetting,
) -> PyResult<PowerAnswer> {
    let mut asked = Binary::new(baseline, method.0, setting.plan(quantities)).scale(sought.scale);
    asked.direction = sought.direction;
    Ok(crate::pool::compute(py, |_| binary::power(&asked))?.into())
}

/// Power for a continuous outcome.
#[pyfunction]
fn power_continuous(
    py: Python<'_>,
    sd: f64,
    sought: &PowerEffect,
    quantities: &PowerQuantities,
    setting: &PowerSetting,
) -> PyResult<PowerAnswer> {
    let mut asked = Continuous::new(setting.plan(quantities)).sd(sd);
    asked.direction = sought.direction;
    Ok(crate::pool::compute(py, |_| continuous::power(&asked))?.into())
}

/// Power for a count.
#[pyfunction]
fn power_count(
    py: Python<'_>,
    rates: &PowerRates,
    method: Word<count::Method>,
    sought: &PowerEffect,
    quantities: &PowerQuantities,
    setting: &PowerSetting,
) -> PyResult<PowerAnswer> {
    let mut asked = Count::new(rates.baseline, method.0, setting.plan(quantities)).scale(sought.scale);
    asked = asked.exposure(rates.exposure).dispersion(rates.dispersion);
    (asked.rate_cv, asked.direction) = (rates.rate_cv, sought.direction);
    Ok(crate::pool::compute(py, |_| count::power(&asked))?.into())
}

/// Power for times to an event.
#[pyfunction]
fn power_survival(
    py: Python<'_>,
    baseline: f64,
    method: Word<survival::Method>,
    sought: &PowerEffect,
    quantities: &PowerQuantities,
    setting: &PowerSetting,
) -> PyResult<PowerAnswer> {
    let mut asked = Survival::new(baseline, method.0, setting.plan(quantities));
    asked.direction = sought.direction;
    Ok(crate::pool::compute(py, |_| survival::power(&asked))?.into())
}

/// A calculation that holds every quantity but the power, whatever the outcome.
#[pyclass(module = "crewe._core", frozen)]
pub(crate) struct PowerCalculation {
    pub(crate) inner: Calculation,
}

#[pymethods]
impl PowerCalculation {
    #[staticmethod]
    fn binary(
        baseline: f64,
        method: Word<binary::Method>,
        sought: &PowerEffect,
        quantities: &PowerQuantities,
        setting: &PowerSetting,
    ) -> Self {
        let asked = Binary::new(baseline, method.0, setting.plan(quantities)).scale(sought.scale);
        Self { inner: Calculation::Binary(asked) }
    }

    #[staticmethod]
    fn continuous(sd: f64, quantities: &PowerQuantities, setting: &PowerSetting) -> Self {
        Self { inner: Calculation::Continuous(Continuous::new(setting.plan(quantities)).sd(sd)) }
    }

    #[staticmethod]
    fn count(
        rates: &PowerRates,
        method: Word<count::Method>,
        sought: &PowerEffect,
        quantities: &PowerQuantities,
        setting: &PowerSetting,
    ) -> Self {
        let mut asked = Count::new(rates.baseline, method.0, setting.plan(quantities)).scale(sought.scale);
        asked = asked.exposure(rates.exposure).dispersion(rates.dispersion);
        asked.rate_cv = rates.rate_cv;
        Self { inner: Calculation::Count(asked) }
    }

    #[staticmethod]
    fn survival(
        baseline: f64,
        method: Word<survival::Method>,
        quantities: &PowerQuantities,
        setting: &PowerSetting,
    ) -> Self {
        Self { inner: Calculation::Survival(Survival::new(baseline, method.0, setting.plan(quantities))) }
    }
}

/// The levels at which a procedure tests outcomes, in the order of its steps.
#[pyfunction]
fn power_levels(procedure: Word<Procedure>, alpha: f64, outcomes: usize) -> Vec<f64> {
    procedure.0.levels(alpha, outcomes)
}

/// Power of outcomes whose correlations differ: of each, of at least 1, 2, ... of them, and the largest standard error.
#[pyfunction]
fn power_several_by(
    py: Python<'_>,
    powers: Vec<Vec<f64>>,
    correlations: PyReadonlyArray2<'_, f64>,
    procedure: Word<Procedure>,
) -> PyResult<(Vec<f64>, Vec<f64>, f64)> {
    let correlations = correlations.as_array();
    let found = crate::pool::compute(py, |_| several_by(&powers, correlations, procedure.0))?;
    Ok((found.together.each, found.together.at_least, found.error))
}

/// Power of outcomes together: of each, and of at least 1, 2, ... of them.
#[pyfunction]
fn power_several(
    py: Python<'_>,
    powers: Vec<Vec<f64>>,
    correlation: f64,
    procedure: Word<Procedure>,
) -> PyResult<(Vec<f64>, Vec<f64>)> {
    let together = crate::pool::compute(py, |_| several(&powers, correlation, procedure.0))?;
    Ok((together.each, together.at_least))
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PowerQuantities>()?;
    m.add_class::<PowerLayout>()?;
    m.add_class::<PowerSetting>()?;
    m.add_class::<PowerRates>()?;
    m.add_class::<PowerEffect>()?;
    m.add_class::<PowerAnswer>()?;
    m.add_class::<PowerCalculation>()?;
    m.add_function(wrap_pyfunction!(power_binary, m)?)?;
    m.add_function(wrap_pyfunction!(power_continuous, m)?)?;
    m.add_function(wrap_pyfunction!(power_count, m)?)?;
    m.add_function(wrap_pyfunction!(power_survival, m)?)?;
    m.add_function(wrap_pyfunction!(power_levels, m)?)?;
    m.add_function(wrap_pyfunction!(power_several_by, m)?)?;
    m.add_function(wrap_pyfunction!(power_several, m)?)
}

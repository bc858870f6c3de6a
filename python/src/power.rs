//! Power calculations.

use crewe::power::binary::{self, Binary, Direction, Method};
use crewe::power::{ClusterSize, Distribution, Plan};
use pyo3::prelude::*;

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
}

#[pymethods]
impl PowerQuantities {
    #[new]
    #[pyo3(signature = (effect, clusters, power, icc, cluster_size))]
    fn new(
        effect: Option<f64>,
        clusters: Option<u64>,
        power: Option<f64>,
        icc: Option<f64>,
        cluster_size: Option<SizeLike>,
    ) -> Self {
        Self { effect, clusters, power, icc, cluster_size: cluster_size.map(ClusterSize::from) }
    }
}

/// What a plan takes as given.
#[pyclass(module = "crewe._core", frozen)]
struct PowerSetting {
    plan: Plan,
}

#[pymethods]
impl PowerSetting {
    #[new]
    fn new(cv: f64, allocation: f64, alpha: f64, distribution: Word<Distribution>, r2: f64) -> Self {
        let plan =
            Plan::default().cv(cv).allocation(allocation).alpha(alpha).distribution(distribution.0).r2(r2);
        Self { plan }
    }
}

/// A plan that was solved; quantities that are unattainable are None.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct BinaryPower {
    baseline: f64,
    treated: Option<f64>,
    direction: &'static str,
    formula: &'static str,
    source: &'static str,
    solved: &'static str,
    effect: Option<f64>,
    clusters: Option<u64>,
    power: Option<f64>,
    target: Option<f64>,
    icc: Option<f64>,
    cluster_size: Option<f64>,
    cv: f64,
    design_effect: Option<f64>,
    df: Option<f64>,
    noncentrality: Option<f64>,
    effective: Option<f64>,
    clusters_treated: Option<u64>,
    clusters_control: Option<u64>,
    power_one_fewer: Option<f64>,
    ceiling: Option<f64>,
    ceiling_at: Option<f64>,
    any_icc: bool,
}

/// Power for a binary outcome: solves for the quantity that is None.
#[pyfunction]
#[pyo3(signature = (baseline, method, direction, quantities, setting))]
fn power_binary(
    py: Python<'_>,
    baseline: f64,
    method: Word<Method>,
    direction: Option<Word<Direction>>,
    quantities: &PowerQuantities,
    setting: &PowerSetting,
) -> PyResult<BinaryPower> {
    let method = method.0;
    let mut plan = setting.plan.clone();
    (plan.effect, plan.clusters, plan.power) = (quantities.effect, quantities.clusters, quantities.power);
    (plan.icc, plan.cluster_size) = (quantities.icc, quantities.cluster_size.clone());
    let mut asked = Binary::new(baseline, method, plan);
    asked.direction = direction.map(|direction| direction.0);
    let answer = crate::pool::compute(py, |_| binary::power(&asked))?;
    let solution = &answer.solution;
    Ok(BinaryPower {
        baseline: answer.baseline,
        treated: answer.treated,
        direction: answer.direction.name(),
        formula: method.formula(),
        source: method.source(),
        solved: solution.solved.name(),
        effect: solution.effect,
        clusters: solution.clusters,
        power: solution.power,
        target: solution.target,
        icc: solution.icc,
        cluster_size: solution.cluster_size,
        cv: solution.cv,
        design_effect: solution.design_effect,
        df: solution.df,
        noncentrality: solution.noncentrality,
        effective: solution.effective,
        clusters_treated: solution.clusters_treated,
        clusters_control: solution.clusters_control,
        power_one_fewer: solution.power_one_fewer,
        ceiling: solution.unattainable.map(|ceiling| ceiling.power),
        ceiling_at: solution.unattainable.map(|ceiling| ceiling.at),
        any_icc: solution.any_icc,
    })
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PowerQuantities>()?;
    m.add_class::<PowerSetting>()?;
    m.add_class::<BinaryPower>()?;
    m.add_function(wrap_pyfunction!(power_binary, m)?)
}

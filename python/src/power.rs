//! Power calculations.

use crewe::power::binary::{self, Binary, Direction, Method};
use crewe::power::{ClusterSize, Distribution, Plan};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{Word, record};

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

/// Power for a binary outcome: solves for the one of effect, clusters, power, icc and cluster_size that is None.
#[pyfunction]
#[pyo3(signature = (*, baseline, method, direction, distribution, effect, clusters, power, icc, cluster_size, cv,
                    allocation, alpha, r2))]
#[allow(clippy::too_many_arguments)] // Keywords of one call, gathered at once into the core's options.
fn power_binary<'py>(
    py: Python<'py>,
    baseline: f64,
    method: Word<Method>,
    direction: Option<Word<Direction>>,
    distribution: Word<Distribution>,
    effect: Option<f64>,
    clusters: Option<u64>,
    power: Option<f64>,
    icc: Option<f64>,
    cluster_size: Option<SizeLike>,
    cv: f64,
    allocation: f64,
    alpha: f64,
    r2: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let (Word(method), Word(distribution)) = (method, distribution);
    let cluster_size = cluster_size.map(ClusterSize::from);
    let mut plan =
        Plan::default().cv(cv).allocation(allocation).alpha(alpha).distribution(distribution).r2(r2);
    (plan.effect, plan.clusters, plan.power) = (effect, clusters, power);
    (plan.icc, plan.cluster_size) = (icc, cluster_size);
    let mut asked = Binary::new(baseline, method, plan);
    asked.direction = direction.map(|direction| direction.0);
    let answer = crate::pool::compute(py, |_| binary::power(&asked))?;
    let s = &answer.solution;
    Ok(record!(py,
        "baseline" => answer.baseline,
        "treated" => answer.treated,
        "direction" => answer.direction.name(),
        "formula" => method.formula(),
        "source" => method.source(),
        "solved" => s.solved.name(),
        "effect" => s.effect,
        "clusters" => s.clusters,
        "power" => s.power,
        "target" => s.target,
        "icc" => s.icc,
        "cluster_size" => s.cluster_size,
        "cv" => s.cv,
        "design_effect" => s.design_effect,
        "df" => s.df,
        "noncentrality" => s.noncentrality,
        "effective" => s.effective,
        "clusters_treated" => s.clusters_treated,
        "clusters_control" => s.clusters_control,
        "power_one_fewer" => s.power_one_fewer,
        "ceiling" => s.unattainable.map(|c| c.power),
        "ceiling_at" => s.unattainable.map(|c| c.at),
        "any_icc" => s.any_icc,
    ))
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(power_binary, m)?)
}

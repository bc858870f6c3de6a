//! Designs, assignments, balance and flow.

use crewe::design as core;
use crewe::rng::Seed;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::convert::{SeedLike, record, slice};
use crate::error::OrRaise;

/// A column as the package passes it: name, codes (2^32 - 1 is missing), labels.
type Labels<'py> = (String, PyReadonlyArray1<'py, u32>, Vec<String>);

fn column(py: Python<'_>, labels: Labels<'_>) -> PyResult<core::Column> {
    let codes = slice(&labels.1)?.iter().map(|&code| (code != u32::MAX).then_some(code));
    core::Column::new(&labels.0, codes, labels.2).or_raise(py)
}

fn columns(py: Python<'_>, labels: Vec<Labels<'_>>) -> PyResult<Vec<core::Column>> {
    labels.into_iter().map(|one| column(py, one)).collect()
}

/// A trial's design, checked.
#[pyclass(module = "crewe._core", frozen)]
pub(crate) struct Design {
    pub(crate) inner: core::Design,
}

#[pymethods]
impl Design {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "the package passes every field by name")]
    fn new(
        py: Python<'_>,
        name: &str,
        arms: Vec<(String, u32)>,
        cluster: Option<&str>,
        unit: Option<&str>,
        strata: Vec<String>,
        method: &str,
        seed: Option<SeedLike>,
    ) -> PyResult<Self> {
        let mut inner =
            core::Design::new(name).strata(strata).method(core::Method::from_json(method).or_raise(py)?);
        for (name, ratio) in arms {
            inner = inner.arm(&name, ratio);
        }
        if let Some(column) = cluster {
            inner = inner.cluster(column);
        } else if let Some(column) = unit {
            inner = inner.individual(column);
        }
        if let Some(seed) = seed {
            inner = inner.seed(Seed::from(seed));
        }
        inner.check().or_raise(py)?;
        Ok(Self { inner })
    }

    fn canonical_json(&self, py: Python<'_>) -> PyResult<String> {
        self.inner.canonical_json().or_raise(py)
    }

    fn commitment<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let made = self.inner.commitment().or_raise(py)?;
        Ok(record!(py, "digest" => made.digest, "label" => made.label, "design" => made.design))
    }

    fn assign<'py>(&self, py: Python<'py>, units: &Units) -> PyResult<Bound<'py, PyDict>> {
        let assignment = crate::pool::compute(py, |_| self.inner.assign(&units.inner))?;
        result(py, assignment)
    }

    fn observe<'py>(
        &self,
        py: Python<'py>,
        units: &Units,
        arms: Labels<'py>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let arms = column(py, arms)?;
        let assignment = crate::pool::compute(py, |_| self.inner.observe(&units.inner, &arms))?;
        result(py, assignment)
    }

    fn draws<'py>(
        &self,
        py: Python<'py>,
        units: &Units,
        n: usize,
        seed: Option<SeedLike>,
    ) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let seed = seed.map(Seed::from);
        let drawn =
            crate::pool::compute(py, |signals| self.inner.draws(&units.inner, n, seed.as_ref(), signals))?;
        Ok(drawn.into_pyarray(py))
    }

    /// Simulated trials of these units, or of `n` imagined ones.
    #[expect(clippy::too_many_arguments, reason = "what is expected to arrive comes in its parts")]
    fn predictability<'py>(
        &self,
        py: Python<'py>,
        units: Option<&Units>,
        n: usize,
        strata: u32,
        levels: Vec<u32>,
        sims: u64,
        seed: Option<SeedLike>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let seed = seed.map(Seed::from);
        let expected = match units {
            Some(units) => core::Expected::Units(&units.inner),
            None => core::Expected::Imagined { n, strata, levels: &levels },
        };
        let found = crate::pool::compute(py, |signals| {
            self.inner.predictability(expected, sims, seed.as_ref(), signals)
        })?;
        Ok(record!(py,
            "n" => found.n,
            "sims" => found.sims,
            "chance" => found.chance,
            "guess" => found.guess,
            "guess_se" => found.guess_se,
            "informed" => found.informed,
            "informed_se" => found.informed_se,
            "certain" => found.certain,
            "end_mean" => found.end_mean,
            "end_max" => found.end_max,
            "worst_mean" => found.worst_mean,
            "worst_max" => found.worst_max,
            "stratum_mean" => found.stratum_mean,
            "stratum_max" => found.stratum_max,
            "notes" => found.notes,
        ))
    }

    /// The number of possible assignments as little-endian bytes, or nothing.
    fn possible<'py>(&self, py: Python<'py>, units: &Units) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let possible = crate::pool::compute(py, |_| self.inner.possible(&units.inner))?;
        Ok(possible.map(|count| PyBytes::new(py, &count.to_bytes_le())))
    }

    /// All assignments and their probabilities, or nothing where there are more than `most`.
    fn support<'py>(
        &self,
        py: Python<'py>,
        units: &Units,
        most: usize,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let support = crate::pool::compute(py, |_| self.inner.support(&units.inner, most))?;
        let Some(support) = support else { return Ok(None) };
        Ok(Some(record!(py,
            "arm" => support.arm.into_pyarray(py),
            "probability" => support.probability.into_pyarray(py),
        )))
    }

    /// What a constrained design accepts.
    fn constrained<'py>(&self, py: Python<'py>, units: &Units) -> PyResult<Bound<'py, PyDict>> {
        let found = crate::pool::compute(py, |_| self.inner.constrained(&units.inner))?;
        let pairs = |pairs: Vec<core::Pair>| pairs.iter().map(|p| (p.first, p.second)).collect::<Vec<_>>();
        Ok(record!(py,
            "enumerated" => found.enumerated,
            "scores" => found.scores.into_pyarray(py),
            "minimum" => found.minimum,
            "mean" => found.mean,
            "maximum" => found.maximum,
            "cutoff" => found.cutoff,
            "accepted" => found.accepted,
            "coincidence" => found.coincidence.into_pyarray(py),
            "together" => pairs(found.together),
            "apart" => pairs(found.apart),
            "probability" => found.probability.into_pyarray(py),
            "labels" => units.inner.labels().to_vec(),
        ))
    }

    /// Matches the rows of other data to an assignment, given as `assign` returned it.
    #[expect(clippy::too_many_arguments, reason = "an assignment comes back in its parts")]
    fn join<'py>(
        &self,
        py: Python<'py>,
        labels: Vec<String>,
        stratum: PyReadonlyArray1<'py, u32>,
        strata: Vec<Vec<String>>,
        arm: PyReadonlyArray1<'py, u8>,
        ids: Labels<'py>,
        given_strata: Vec<Labels<'py>>,
        given_arm: Option<Labels<'py>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let assignment = self.rebuilt(py, labels, slice(&stratum)?, &strata, slice(&arm)?)?;
        let (ids, given) = (column(py, ids)?, columns(py, given_strata)?);
        let given_arm = given_arm.map(|arm| column(py, arm)).transpose()?;
        let joined = crate::pool::compute(py, |_| assignment.join(&ids, &given, given_arm.as_ref()))?;
        Ok(record!(py, "unit" => joined.unit.into_pyarray(py)))
    }
}

impl Design {
    /// The assignment whose parts Python holds: its units are rows of their own.
    fn rebuilt(
        &self,
        py: Python<'_>,
        labels: Vec<String>,
        stratum: &[u32],
        strata: &[Vec<String>],
        arm: &[u8],
    ) -> PyResult<core::Assignment> {
        let codes = (0..labels.len() as u32).map(Some);
        let unit = self.inner.unit().or_raise(py)?;
        let ids = core::Column::new(unit.column(), codes, labels).or_raise(py)?;
        let columns: Vec<core::Column> = self
            .inner
            .strata_columns()
            .iter()
            .enumerate()
            .map(|(place, name)| {
                let values = strata.iter().map(|labels| labels[place].clone()).collect();
                core::Column::new(name, stratum.iter().copied().map(Some), values)
            })
            .collect::<crewe::Result<_>>()
            .or_raise(py)?;
        let units = core::Units::from_rows(unit, &ids, &columns).or_raise(py)?;
        let unknown = numpy::ndarray::Array2::zeros((0, 0));
        core::Assignment::from_parts(&units, self.inner.arm_names(), arm.to_vec(), unknown).or_raise(py)
    }
}

/// The units of a trial: rows collapsed, with what the procedure needs to know of them.
#[pyclass(module = "crewe._core", frozen)]
pub struct Units {
    pub inner: core::Units,
}

#[pymethods]
impl Units {
    #[new]
    fn new<'py>(
        py: Python<'py>,
        design: &Design,
        ids: Labels<'py>,
        strata: Vec<Labels<'py>>,
        order: Option<(String, PyReadonlyArray1<'py, i64>)>,
        factors: Vec<Labels<'py>>,
        covariates: Vec<(String, PyReadonlyArray1<'py, f64>)>,
    ) -> PyResult<Self> {
        let (ids, strata, factors) = (column(py, ids)?, columns(py, strata)?, columns(py, factors)?);
        let order = order.map(|(name, order)| Ok::<_, PyErr>((name, slice(&order)?.to_vec()))).transpose()?;
        let covariates: Vec<(String, Vec<f64>)> = covariates
            .into_iter()
            .map(|(name, values)| Ok((name, slice(&values)?.to_vec())))
            .collect::<PyResult<_>>()?;
        let design = &design.inner;
        let inner = crate::pool::compute(py, |_| {
            let mut units = core::Units::from_rows(design.unit()?, &ids, &strata)?;
            if let Some((name, order)) = &order {
                units = units.arriving(name, order)?;
            }
            for factor in &factors {
                units = units.factor(factor)?;
            }
            for (name, values) in &covariates {
                units = units.covariate(name, values)?;
            }
            Ok(units)
        })?;
        Ok(Self { inner })
    }

    /// The parts of the units, one entry a unit, from which they can be built again.
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let units = &self.inner;
        let arrival = units.arrivals().map(|arrivals| {
            let mut place = vec![0_i64; arrivals.len()];
            for (at, &unit) in arrivals.iter().enumerate() {
                place[unit as usize] = at as i64;
            }
            place.into_pyarray(py)
        });
        let factors: Vec<_> = units
            .factors()
            .iter()
            .map(|f| (f.name.clone(), f.level.clone().into_pyarray(py), f.levels.clone()))
            .collect();
        let covariates: Vec<_> =
            units.covariates().iter().map(|c| (c.name.clone(), c.values.clone().into_pyarray(py))).collect();
        Ok(record!(py,
            "labels" => units.labels().to_vec(),
            "stratum" => units.stratum().to_vec().into_pyarray(py),
            "strata" => units.strata().to_vec(),
            "arrival" => arrival,
            "factors" => factors,
            "covariates" => covariates,
        ))
    }
}

pub(crate) fn result(py: Python<'_>, assignment: core::Assignment) -> PyResult<Bound<'_, PyDict>> {
    let units = &assignment.units;
    let commitment = assignment
        .commitment
        .as_ref()
        .map(|c| -> PyResult<_> {
            Ok(record!(py, "digest" => &c.digest, "label" => c.label, "design" => &c.design))
        })
        .transpose()?;
    Ok(record!(py,
        "labels" => units.labels().to_vec(),
        "stratum" => units.stratum().to_vec().into_pyarray(py),
        "strata" => units.strata().to_vec(),
        "rows" => units.rows().to_vec().into_pyarray(py),
        "counts" => assignment.counts(),
        "table" => assignment.table().mapv(|count| count as u64).into_pyarray(py),
        "arm" => assignment.arm.clone().into_pyarray(py),
        "probability" => assignment.probability.clone().into_pyarray(py),
        "simulated" => assignment.simulated,
        "left_out" => assignment.left_out(),
        "conditional" => assignment.details.conditional.clone().map(|c| c.into_pyarray(py)),
        "block" => assignment.details.block.clone().map(|b| b.into_pyarray(py)),
        "commitment" => commitment,
        "notes" => assignment.notes.clone(),
    ))
}

/// Balance by unit and by row; `values` is covariates x rows.
#[pyfunction]
fn balance<'py>(
    py: Python<'py>,
    rows: PyReadonlyArray1<'py, u32>,
    arm: PyReadonlyArray1<'py, u8>,
    arms: usize,
    names: Vec<String>,
    values: PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyDict>> {
    let (rows, arm) = (slice(&rows)?, slice(&arm)?);
    let table = values.as_array();
    let columns: Vec<Vec<f64>> = table.rows().into_iter().map(|row| row.to_vec()).collect();
    let made = crate::pool::compute(py, |_| {
        let covariates: Vec<core::Covariate<'_>> =
            names.iter().zip(&columns).map(|(name, values)| core::Covariate::new(name, values)).collect();
        core::balance(rows, arm, arms, &covariates)
    })?;
    let level = |level: core::Level| -> PyResult<_> {
        Ok(record!(py,
            "n" => level.n.into_pyarray(py),
            "missing" => level.missing.into_pyarray(py),
            "mean" => level.mean.into_pyarray(py),
            "sd" => level.sd.into_pyarray(py),
            "difference" => level.difference.into_pyarray(py),
            "share" => level.share,
        ))
    };
    Ok(record!(py, "unit" => level(made.unit)?, "row" => level(made.row)?))
}

/// The counts of the flow diagram; `reason` is -1 where a row has none.
#[pyfunction]
fn flow<'py>(
    py: Python<'py>,
    rows: PyReadonlyArray1<'py, u32>,
    arm: PyReadonlyArray1<'py, u8>,
    arms: usize,
    reasons: usize,
    reason: Vec<i64>,
    analysed: Vec<bool>,
) -> PyResult<Bound<'py, PyDict>> {
    let (rows, arm) = (slice(&rows)?, slice(&arm)?);
    let reason: Vec<Option<usize>> = reason.iter().map(|&r| usize::try_from(r).ok()).collect();
    let made = crate::pool::compute(py, |_| core::flow(rows, arm, arms, reasons, &reason, &analysed))?;
    let pair = |count: core::Count| (count.units, count.rows);
    let left_out = pair(made.left_out);
    let arms = made
        .arms
        .into_iter()
        .map(|arm| {
            Ok(record!(py,
                "allocated" => pair(arm.allocated),
                "excluded" => arm.excluded.into_iter().map(pair).collect::<Vec<_>>(),
                "unexplained" => pair(arm.unexplained),
                "analysed" => pair(arm.analysed),
            ))
        })
        .collect::<PyResult<Vec<_>>>()?;
    Ok(record!(py, "arms" => arms, "left_out" => left_out))
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Design>()?;
    m.add_class::<Units>()?;
    m.add_function(wrap_pyfunction!(balance, m)?)?;
    m.add_function(wrap_pyfunction!(flow, m)?)
}

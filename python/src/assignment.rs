//! Assignments: the arms of units, the commitment to them, balance between the arms, and the flow through the trial.

use crewe::design as core;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::handle::slice;
use crate::units::{Codes, Labels, Units, codes, column, columns};

/// A commitment to a design and its seed.
#[pyclass(module = "crewe._core", frozen)]
pub struct Commitment {
    pub inner: core::Commitment,
}

#[pymethods]
impl Commitment {
    /// The commitment again, from the parts that it was taken apart into.
    #[staticmethod]
    fn restore(py: Python<'_>, digest: String, label: &str, design: String) -> PyResult<Self> {
        Ok(Self { inner: core::Commitment::from_parts(digest, label, design).or_raise(py)? })
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (String, &'static str, String))> {
        let parts = (self.digest(), self.label(), self.design());
        Ok((py.get_type::<Self>().getattr("restore")?, parts))
    }

    /// SHA-256 of the design and the seed, 64 hexadecimal digits.
    #[getter]
    fn digest(&self) -> String {
        self.inner.digest.clone()
    }

    /// What the commitment is worth.
    #[getter]
    fn label(&self) -> &'static str {
        self.inner.label
    }

    /// The canonical JSON of the design.
    #[getter]
    fn design(&self) -> String {
        self.inner.design.clone()
    }
}

/// The arms of all units of a trial.
#[pyclass(module = "crewe._core", frozen)]
pub struct Assignment {
    pub inner: core::Assignment,
}

/// What a pickle of an assignment holds besides its units, arms and probabilities.
type Details = (Option<u64>, Option<Py<PyArray2<f64>>>, Option<Codes>);

/// What a pickle of an assignment holds.
type Parts =
    (Units, Vec<String>, Py<PyArray1<u8>>, Py<PyArray2<f64>>, Details, (Option<Commitment>, Vec<String>));

#[pymethods]
impl Assignment {
    /// The assignment again, from the parts that it was taken apart into.
    #[staticmethod]
    fn restore<'py>(
        py: Python<'py>,
        units: &Units,
        arms: Vec<String>,
        arm: PyReadonlyArray1<'py, u8>,
        probability: PyReadonlyArray2<'py, f64>,
        details: (Option<u64>, Option<PyReadonlyArray2<'py, f64>>, Option<PyReadonlyArray1<'py, u32>>),
        said: (Option<PyRef<'py, Commitment>>, Vec<String>),
    ) -> PyResult<Self> {
        let (arm, probability) = (slice(&arm)?.to_vec(), probability.as_array().to_owned());
        let mut inner = core::Assignment::from_parts(&units.inner, arms, arm, probability).or_raise(py)?;
        let (simulated, conditional, block) = details;
        inner.simulated = simulated;
        inner.details.conditional = conditional.map(|conditional| conditional.as_array().to_owned());
        inner.details.block = block.map(|block| slice(&block).map(<[u32]>::to_vec)).transpose()?;
        inner.commitment = said.0.map(|commitment| commitment.inner.clone());
        // What was drawn here has a commitment.
        inner.observed = inner.commitment.is_none();
        inner.notes = said.1;
        Ok(Self { inner })
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Parts)> {
        let parts = (
            self.units(),
            self.inner.arms.clone(),
            self.arm(py),
            self.probability(py),
            (self.simulated(), self.conditional(py), self.block(py)),
            (self.commitment(), self.notes()),
        );
        Ok((py.get_type::<Self>().getattr("restore")?, parts))
    }

    /// The units.
    #[getter]
    fn units(&self) -> Units {
        Units { inner: self.inner.units.clone() }
    }

    /// The arm of each unit; 255 where it was left out.
    #[getter]
    fn arm(&self, py: Python<'_>) -> Py<PyArray1<u8>> {
        self.inner.arm.clone().into_pyarray(py).unbind()
    }

    /// The probability of each arm for each unit, units x arms.
    #[getter]
    fn probability(&self, py: Python<'_>) -> Py<PyArray2<f64>> {
        self.inner.probability.clone().into_pyarray(py).unbind()
    }

    /// The simulated draws that the probabilities come from; nothing where they are exact.
    #[getter]
    fn simulated(&self) -> Option<u64> {
        self.inner.simulated
    }

    /// Each unit's probability of each arm when it arrived, of a sequential procedure.
    #[getter]
    fn conditional(&self, py: Python<'_>) -> Option<Py<PyArray2<f64>>> {
        let conditional = self.inner.details.conditional.as_ref();
        conditional.map(|conditional| conditional.clone().into_pyarray(py).unbind())
    }

    /// The block or the matched set of each unit.
    #[getter]
    fn block(&self, py: Python<'_>) -> Option<Codes> {
        self.inner.details.block.as_ref().map(|block| codes(py, block))
    }

    /// The commitment, of an assignment that was drawn here.
    #[getter]
    fn commitment(&self) -> Option<Commitment> {
        self.inner.commitment.clone().map(|inner| Commitment { inner })
    }

    /// What a reader should know.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.inner.notes.clone()
    }

    /// The number of units in each arm.
    fn counts(&self) -> Vec<usize> {
        self.inner.counts()
    }

    /// The number of units by stratum and arm.
    fn table<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<u64>> {
        self.inner.table().mapv(|count| count as u64).into_pyarray(py)
    }

    /// The number of units that the procedure left out.
    fn left_out(&self) -> usize {
        self.inner.left_out()
    }

    /// The unit of each row of other data, whose strata and arms are compared where they are given.
    #[pyo3(signature = (ids, strata, arm))]
    fn join<'py>(
        &self,
        py: Python<'py>,
        ids: Labels<'py>,
        strata: Vec<Labels<'py>>,
        arm: Option<Labels<'py>>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        let (ids, strata) = (column(py, ids)?, columns(py, strata)?);
        let arm = arm.map(|arm| column(py, arm)).transpose()?;
        let joined = crate::pool::compute(py, |_| self.inner.join(&ids, &strata, arm.as_ref()))?;
        Ok(joined.unit.into_pyarray(py))
    }
}

/// Covariates by arm, covariates x arms, and whether each is a share; over units or over rows.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct BalanceLevel {
    n: Py<PyArray2<u64>>,
    missing: Py<PyArray2<u64>>,
    mean: Py<PyArray2<f64>>,
    sd: Py<PyArray2<f64>>,
    difference: Py<PyArray2<f64>>,
    share: Vec<bool>,
}

/// What a pickle of a level of balance holds.
type LevelParts = (
    Py<PyArray2<u64>>,
    Py<PyArray2<u64>>,
    Py<PyArray2<f64>>,
    Py<PyArray2<f64>>,
    Py<PyArray2<f64>>,
    Vec<bool>,
);

#[pymethods]
impl BalanceLevel {
    /// The level again, from the columns that it was taken apart into.
    #[staticmethod]
    fn restore(
        n: Py<PyArray2<u64>>,
        missing: Py<PyArray2<u64>>,
        mean: Py<PyArray2<f64>>,
        sd: Py<PyArray2<f64>>,
        difference: Py<PyArray2<f64>>,
        share: Vec<bool>,
    ) -> Self {
        Self { n, missing, mean, sd, difference, share }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, LevelParts)> {
        let parts = (
            self.n.clone_ref(py),
            self.missing.clone_ref(py),
            self.mean.clone_ref(py),
            self.sd.clone_ref(py),
            self.difference.clone_ref(py),
            self.share.clone(),
        );
        Ok((py.get_type::<Self>().getattr("restore")?, parts))
    }
}

/// Balance over units and over rows.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Balance {
    unit: Py<BalanceLevel>,
    row: Py<BalanceLevel>,
}

/// Balance by unit and by row; `values` is covariates x rows.
#[pyfunction]
fn balance(
    py: Python<'_>,
    rows: PyReadonlyArray1<'_, u32>,
    arm: PyReadonlyArray1<'_, u8>,
    arms: usize,
    names: Vec<String>,
    values: PyReadonlyArray2<'_, f64>,
) -> PyResult<Balance> {
    let (rows, arm) = (slice(&rows)?, slice(&arm)?);
    let table = values.as_array();
    let columns: Vec<Vec<f64>> = table.rows().into_iter().map(|row| row.to_vec()).collect();
    let made = crate::pool::compute(py, |_| {
        let covariates: Vec<core::Covariate<'_>> =
            names.iter().zip(&columns).map(|(name, values)| core::Covariate::new(name, values)).collect();
        core::balance(rows, arm, arms, &covariates)
    })?;
    let level = |level: core::Level| {
        let level = BalanceLevel {
            n: level.n.into_pyarray(py).unbind(),
            missing: level.missing.into_pyarray(py).unbind(),
            mean: level.mean.into_pyarray(py).unbind(),
            sd: level.sd.into_pyarray(py).unbind(),
            difference: level.difference.into_pyarray(py).unbind(),
            share: level.share,
        };
        Py::new(py, level)
    };
    Ok(Balance { unit: level(made.unit)?, row: level(made.row)? })
}

/// Units and rows.
type Count = (u64, u64);

/// The flow of one arm.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct ArmFlow {
    allocated: Count,
    excluded: Vec<Count>,
    unexplained: Count,
    analysed: Count,
}

/// The flow through the trial, arm by arm.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Flow {
    arms: Vec<Py<ArmFlow>>,
    left_out: Count,
}

/// The counts of the flow diagram; `reason` is -1 where a row has none.
#[pyfunction]
fn flow(
    py: Python<'_>,
    rows: PyReadonlyArray1<'_, u32>,
    arm: PyReadonlyArray1<'_, u8>,
    arms: usize,
    reasons: usize,
    reason: PyReadonlyArray1<'_, i64>,
    analysed: PyReadonlyArray1<'_, bool>,
) -> PyResult<Flow> {
    let (rows, arm, analysed) = (slice(&rows)?, slice(&arm)?, slice(&analysed)?);
    let reason: Vec<Option<usize>> = slice(&reason)?.iter().map(|&r| usize::try_from(r).ok()).collect();
    let made = crate::pool::compute(py, |_| core::flow(rows, arm, arms, reasons, &reason, analysed))?;
    let pair = |count: core::Count| (count.units, count.rows);
    let of_arm = |arm: core::ArmFlow| {
        let flow = ArmFlow {
            allocated: pair(arm.allocated),
            excluded: arm.excluded.into_iter().map(pair).collect(),
            unexplained: pair(arm.unexplained),
            analysed: pair(arm.analysed),
        };
        Py::new(py, flow)
    };
    let arms = made.arms.into_iter().map(of_arm).collect::<PyResult<Vec<_>>>()?;
    Ok(Flow { arms, left_out: pair(made.left_out) })
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Commitment>()?;
    m.add_class::<Assignment>()?;
    m.add_class::<BalanceLevel>()?;
    m.add_class::<Balance>()?;
    m.add_class::<ArmFlow>()?;
    m.add_class::<Flow>()?;
    m.add_function(wrap_pyfunction!(balance, m)?)?;
    m.add_function(wrap_pyfunction!(flow, m)?)
}

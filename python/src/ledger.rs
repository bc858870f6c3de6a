//! The register of a rolling trial.
//!
//! Calls release the GIL and run on the calling thread: they wait for the disk and for other processes, not for a
//! processor.

use std::path::PathBuf;

use crewe::ledger as core;
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::assignment::{Assignment, Commitment};
use crate::convert::record;
use crate::design::Design;
use crate::error::OrRaise;
use crate::key::Secret;
use crate::pool::Signals;

/// An open ledger.
#[pyclass(module = "crewe._core", frozen)]
struct Ledger {
    inner: core::Ledger,
}

fn when(py: Python<'_>, at: Option<&str>) -> PyResult<core::When> {
    at.map_or(Ok(core::When::Now), |text| Ok(core::When::At(text.parse().or_raise(py)?)))
}

fn head(py: Python<'_>, text: Option<&str>) -> PyResult<Option<core::Head>> {
    text.map(|text| text.parse().or_raise(py)).transpose()
}

fn entry(
    py: Python<'_>,
    by: Option<&str>,
    reason: Option<&str>,
    at: Option<&str>,
    request: Option<&str>,
) -> PyResult<core::Entry> {
    let mut entry = by.map_or_else(core::Entry::default, core::Entry::by).at(when(py, at)?);
    if let Some(reason) = reason {
        entry = entry.reason(reason);
    }
    if let Some(request) = request {
        entry = entry.request(request);
    }
    Ok(entry)
}

fn receipt<'py>(py: Python<'py>, made: &core::Receipt) -> PyResult<Bound<'py, PyDict>> {
    let place = made.placement.as_ref();
    Ok(record!(py,
        "sequence" => made.sequence,
        "head" => made.head.to_string(),
        "again" => made.again,
        "family" => place.map(|place| place.family.clone()),
        "arm" => place.map(|place| place.arm.clone()),
        "overflow" => place.map(|place| place.overflow),
        "comparison" => place.map(|place| place.comparison),
        "enrolled" => place.map(|place| place.enrolled.to_string()),
    ))
}

fn verified(py: Python<'_>, found: core::Verified) -> PyResult<Bound<'_, PyDict>> {
    Ok(record!(py,
        "events" => found.events,
        "families" => found.families,
        "children" => found.children,
        "head" => found.head.to_string(),
        "tail" => found.tail,
        "notes" => found.notes,
    ))
}

fn frame<'py>(py: Python<'py>, rows: &[core::Row], closed: bool) -> PyResult<Bound<'py, PyDict>> {
    macro_rules! list {
        ($value:expr) => {
            rows.iter().map($value).collect::<Vec<_>>()
        };
    }
    Ok(record!(py,
        "family" => list!(|row| row.family.clone()),
        "child" => list!(|row| row.child.clone()),
        "stratum" => list!(|row| row.stratum.clone()),
        "factors" => list!(|row| row.factors.clone()),
        "arm" => list!(|row| row.arm).into_pyarray(py),
        "drawn" => list!(|row| row.drawn).into_pyarray(py),
        "delivered" => list!(|row| row.delivered),
        "analysed_as" => list!(|row| row.analysed_as.clone()),
        "randomised" => list!(|row| row.randomised.clone()),
        "left" => list!(|row| row.left.as_ref().map(core::Left::words)),
        "status" => list!(|row| row.status.clone()),
        "inherited" => list!(|row| row.inherited),
        "enrolled" => list!(|row| row.enrolled.to_string()),
        "sequence" => list!(|row| row.sequence).into_pyarray(py),
        "probability" => list!(|row| row.probability).into_pyarray(py),
        "closed" => closed,
        "conditional" => list!(|row| row.conditional),
        "block" => list!(|row| row.block.map(|block| (block.number, block.size, block.place))),
    ))
}

#[pymethods]
impl Ledger {
    #[staticmethod]
    #[expect(clippy::too_many_arguments, reason = "the package passes every field by name")]
    fn create(
        py: Python<'_>,
        path: PathBuf,
        design: &Design,
        overflow: &str,
        merged: &str,
        clock_tolerance: u32,
        levels: Vec<Vec<String>>,
        at: Option<&str>,
    ) -> PyResult<Self> {
        let (overflow, merged) = (overflow.parse().or_raise(py)?, merged.parse().or_raise(py)?);
        let rules = core::Rules::default()
            .overflow(overflow)
            .merged(merged)
            .clock_tolerance(clock_tolerance)
            .levels(levels);
        let (at, design) = (when(py, at)?, &design.inner);
        let inner = py.detach(|| core::Ledger::create_at(path, design, &rules, at)).or_raise(py)?;
        Ok(Self { inner: inner.monitored(Signals) })
    }

    #[staticmethod]
    #[pyo3(signature = (path, key, head))]
    fn open(py: Python<'_>, path: PathBuf, key: &Secret, head: Option<&str>) -> PyResult<Self> {
        let (key, head) = (key.seed(), self::head(py, head)?);
        let inner = py.detach(|| core::Ledger::open(path, &key, head.as_ref())).or_raise(py)?;
        Ok(Self { inner: inner.monitored(Signals) })
    }

    /// The canonical JSON of the design.
    fn design(&self, py: Python<'_>) -> PyResult<String> {
        self.inner.design().canonical_json().or_raise(py)
    }

    fn commitment(&self, py: Python<'_>) -> PyResult<Commitment> {
        Ok(Commitment { inner: self.inner.commitment().or_raise(py)? })
    }

    fn notes(&self) -> Vec<String> {
        self.inner.notes().to_vec()
    }

    fn frame_notes(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        py.detach(|| self.inner.frame_notes()).or_raise(py)
    }

    fn is_closed(&self, py: Python<'_>) -> PyResult<bool> {
        py.detach(|| self.inner.is_closed()).or_raise(py)
    }

    fn full(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        py.detach(|| self.inner.full()).or_raise(py)
    }

    #[expect(clippy::too_many_arguments, reason = "the package passes every field by name")]
    fn enrol<'py>(
        &self,
        py: Python<'py>,
        family: &str,
        children: Vec<String>,
        stratum: Vec<String>,
        factors: Vec<String>,
        approved_by: &str,
        proposed_by: Option<&str>,
        consent: Option<&str>,
        at: Option<&str>,
        request: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let mut application = core::Application::new(family)
            .children(children)
            .stratum(stratum)
            .factors(factors)
            .approved_by(approved_by)
            .at(when(py, at)?);
        if let Some(who) = proposed_by {
            application = application.proposed_by(who);
        }
        if let Some(how) = consent {
            application = application.consent(how);
        }
        if let Some(request) = request {
            application = application.request(request);
        }
        receipt(py, &py.detach(|| self.inner.enrol(&application)).or_raise(py)?)
    }

    #[expect(clippy::too_many_arguments, reason = "the package passes every field by name")]
    fn add_child<'py>(
        &self,
        py: Python<'py>,
        family: &str,
        child: &str,
        stratum: Option<Vec<String>>,
        by: Option<&str>,
        at: Option<&str>,
        request: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let entry = entry(py, by, None, at, request)?;
        let made =
            py.detach(|| self.inner.add_child(family, child, stratum.as_deref(), &entry)).or_raise(py)?;
        receipt(py, &made)
    }

    #[expect(clippy::too_many_arguments, reason = "the package passes every field by name")]
    fn capacity<'py>(
        &self,
        py: Python<'py>,
        arm: &str,
        full: bool,
        by: Option<&str>,
        reason: Option<&str>,
        at: Option<&str>,
        request: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let entry = entry(py, by, reason, at, request)?;
        receipt(py, &py.detach(|| self.inner.capacity(arm, full, &entry)).or_raise(py)?)
    }

    #[expect(clippy::too_many_arguments, reason = "the package passes every field by name")]
    fn override_arm<'py>(
        &self,
        py: Python<'py>,
        family: &str,
        delivered: &str,
        by: Option<&str>,
        reason: Option<&str>,
        at: Option<&str>,
        request: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let entry = entry(py, by, reason, at, request)?;
        receipt(py, &py.detach(|| self.inner.override_arm(family, delivered, &entry)).or_raise(py)?)
    }

    #[expect(clippy::too_many_arguments, reason = "the package passes every field by name")]
    fn withdraw<'py>(
        &self,
        py: Python<'py>,
        family: &str,
        child: Option<&str>,
        data: bool,
        by: Option<&str>,
        reason: Option<&str>,
        at: Option<&str>,
        request: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let entry = entry(py, by, reason, at, request)?;
        receipt(py, &py.detach(|| self.inner.withdraw(family, child, data, &entry)).or_raise(py)?)
    }

    #[expect(clippy::too_many_arguments, reason = "the package passes every field by name")]
    fn merge<'py>(
        &self,
        py: Python<'py>,
        family: &str,
        into: &str,
        by: Option<&str>,
        reason: Option<&str>,
        at: Option<&str>,
        request: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let entry = entry(py, by, reason, at, request)?;
        receipt(py, &py.detach(|| self.inner.merge(family, into, &entry)).or_raise(py)?)
    }

    #[expect(clippy::too_many_arguments, reason = "the package passes every field by name")]
    fn split<'py>(
        &self,
        py: Python<'py>,
        family: &str,
        into: &str,
        children: Vec<String>,
        by: Option<&str>,
        reason: Option<&str>,
        at: Option<&str>,
        request: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let entry = entry(py, by, reason, at, request)?;
        receipt(py, &py.detach(|| self.inner.split(family, into, children, &entry)).or_raise(py)?)
    }

    #[expect(clippy::too_many_arguments, reason = "the package passes every field by name")]
    fn exclude<'py>(
        &self,
        py: Python<'py>,
        family: &str,
        child: Option<&str>,
        by: Option<&str>,
        reason: Option<&str>,
        at: Option<&str>,
        request: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let entry = entry(py, by, reason, at, request)?;
        receipt(py, &py.detach(|| self.inner.exclude(family, child, &entry)).or_raise(py)?)
    }

    fn close<'py>(
        &self,
        py: Python<'py>,
        by: Option<&str>,
        reason: Option<&str>,
        at: Option<&str>,
        request: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let entry = entry(py, by, reason, at, request)?;
        receipt(py, &py.detach(|| self.inner.close(&entry)).or_raise(py)?)
    }

    fn head(&self, py: Python<'_>) -> PyResult<String> {
        Ok(py.detach(|| self.inner.head()).or_raise(py)?.to_string())
    }

    #[pyo3(signature = (head))]
    fn verify<'py>(&self, py: Python<'py>, head: Option<&str>) -> PyResult<Bound<'py, PyDict>> {
        let head = self::head(py, head)?;
        verified(py, py.detach(|| self.inner.verify(head.as_ref())).or_raise(py)?)
    }

    fn frame<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (rows, closed) = py.detach(|| Ok((self.inner.frame()?, self.inner.is_closed()?))).or_raise(py)?;
        frame(py, &rows, closed)
    }

    /// The frame, and the assignment over it.
    fn assigned<'py>(&self, py: Python<'py>, everybody: bool) -> PyResult<(Bound<'py, PyDict>, Assignment)> {
        let scope = if everybody { core::Scope::Everybody } else { core::Scope::Compared };
        let (made, closed) =
            py.detach(|| Ok((self.inner.assigned(scope)?, self.inner.is_closed()?))).or_raise(py)?;
        Ok((frame(py, &made.rows, closed)?, Assignment { inner: made.assignment }))
    }

    fn flow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let made = py.detach(|| self.inner.flow()).or_raise(py)?;
        let pair = |count: crewe::design::Count| (count.units, count.rows);
        let entries: Vec<_> = made
            .entries
            .iter()
            .map(|arm| (pair(arm.late), pair(arm.overridden), pair(arm.withdrawn)))
            .collect();
        Ok(record!(py,
            "refused" => pair(made.refused),
            "refusals" => made.refusals,
            "pauses" => made.pauses,
            "reasons" => made.reasons.iter().map(core::Left::words).collect::<Vec<_>>(),
            "entries" => entries,
            "notes" => made.notes,
        ))
    }
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Ledger>()
}

//! The register of a rolling trial.
//!
//! Calls release the GIL and run on the calling thread: they wait for the disk and for other processes, not for a
//! processor.

use std::path::PathBuf;
use std::sync::Arc;

use crewe::ledger as core;
use crewe::progress;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use crate::assignment::{Assignment, Commitment};
use crate::design::Design;
use crate::error::OrRaise;
use crate::key::Secret;
use crate::pool::Signals;
use crate::units::Wording;

/// An open ledger.
#[pyclass(module = "crewe._core", frozen)]
struct Ledger {
    inner: core::Ledger,
    /// What stops a call that waits or reads for long.
    signals: Arc<Signals>,
}

impl Ledger {
    /// Opens or creates one.
    fn begin(py: Python<'_>, work: impl FnOnce() -> crewe::Result<core::Ledger> + Send) -> PyResult<Self> {
        let signals = Arc::new(Signals::default());
        let result = py.detach(|| progress::watched(signals.clone(), work));
        Ok(Self { inner: signals.outcome(py, result)?, signals })
    }

    /// Does something with it, without the GIL.
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&core::Ledger) -> crewe::Result<T> + Send,
    ) -> PyResult<T> {
        let result = py.detach(|| work(&self.inner));
        self.signals.outcome(py, result)
    }
}

fn when(py: Python<'_>, at: Option<&str>) -> PyResult<core::When> {
    at.map_or(Ok(core::When::Now), |text| Ok(core::When::At(text.parse().or_raise(py)?)))
}

fn head(py: Python<'_>, text: Option<&str>) -> PyResult<Option<core::Head>> {
    text.map(|text| text.parse().or_raise(py)).transpose()
}

/// Who enters something, why, when, and by which request.
#[pyclass(module = "crewe._core", frozen)]
struct Entry {
    inner: core::Entry,
}

#[pymethods]
impl Entry {
    #[new]
    #[pyo3(signature = (by, reason, at, request))]
    fn new(
        py: Python<'_>,
        by: Option<&str>,
        reason: Option<&str>,
        at: Option<&str>,
        request: Option<&str>,
    ) -> PyResult<Self> {
        let mut inner = by.map_or_else(core::Entry::default, core::Entry::by).at(when(py, at)?);
        if let Some(reason) = reason {
            inner = inner.reason(reason);
        }
        if let Some(request) = request {
            inner = inner.request(request);
        }
        Ok(Self { inner })
    }
}

/// Who approved a family and who put it forward, how it consented, when, and by which request.
#[pyclass(module = "crewe._core", frozen)]
struct Approval {
    approved_by: String,
    proposed_by: Option<String>,
    consent: Option<String>,
    at: core::When,
    request: Option<String>,
}

#[pymethods]
impl Approval {
    #[new]
    #[pyo3(signature = (approved_by, proposed_by, consent, at, request))]
    fn new(
        py: Python<'_>,
        approved_by: String,
        proposed_by: Option<String>,
        consent: Option<String>,
        at: Option<&str>,
        request: Option<String>,
    ) -> PyResult<Self> {
        Ok(Self { approved_by, proposed_by, consent, at: when(py, at)?, request })
    }
}

impl Approval {
    /// The application with this approval.
    fn of(&self, application: core::Application) -> core::Application {
        let mut application = application.approved_by(&self.approved_by).at(self.at);
        if let Some(who) = &self.proposed_by {
            application = application.proposed_by(who);
        }
        if let Some(how) = &self.consent {
            application = application.consent(how);
        }
        if let Some(request) = &self.request {
            application = application.request(request);
        }
        application
    }
}

/// The rules of a ledger, which never change.
#[pyclass(module = "crewe._core", frozen)]
struct LedgerRules {
    inner: core::Rules,
}

#[pymethods]
impl LedgerRules {
    #[new]
    fn new(
        py: Python<'_>,
        overflow: &str,
        merged: &str,
        clock_tolerance: u32,
        levels: Vec<Vec<String>>,
    ) -> PyResult<Self> {
        let (overflow, merged) = (overflow.parse().or_raise(py)?, merged.parse().or_raise(py)?);
        let rules = core::Rules::default().overflow(overflow).merged(merged);
        Ok(Self { inner: rules.clock_tolerance(clock_tolerance).levels(levels) })
    }
}

/// The answer to an entry; the last four are of the family that was enrolled or joined.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Receipt {
    sequence: u64,
    head: String,
    again: bool,
    family: Option<String>,
    arm: Option<String>,
    overflow: Option<bool>,
    comparison: Option<bool>,
    enrolled: Option<String>,
}

impl From<core::Receipt> for Receipt {
    fn from(made: core::Receipt) -> Self {
        let place = made.placement.as_ref();
        Self {
            sequence: made.sequence,
            head: made.head.to_string(),
            again: made.again,
            family: place.map(|place| place.family.clone()),
            arm: place.map(|place| place.arm.clone()),
            overflow: place.map(|place| place.overflow),
            comparison: place.map(|place| place.comparison),
            enrolled: place.map(|place| place.enrolled.to_string()),
        }
    }
}

/// What a ledger was found to be.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Verified {
    events: u64,
    families: usize,
    children: usize,
    head: String,
    tail: Option<u64>,
    notes: Vec<String>,
}

/// One entry a child; arms are places in the design, `block` holds number, size and place.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct LedgerFrame {
    family: Vec<String>,
    child: Vec<Option<String>>,
    stratum: Vec<Vec<String>>,
    factors: Vec<Vec<String>>,
    arm: Py<PyArray1<u8>>,
    drawn: Py<PyArray1<u8>>,
    delivered: Vec<Option<u8>>,
    analysed_as: Vec<String>,
    randomised: Vec<String>,
    left: Vec<Option<String>>,
    status: Vec<String>,
    inherited: Vec<bool>,
    enrolled: Vec<String>,
    sequence: Py<PyArray1<u64>>,
    probability: Py<PyArray1<f64>>,
    closed: bool,
    conditional: Vec<Option<f64>>,
    block: Vec<Option<(u64, u32, u32)>>,
}

impl LedgerFrame {
    fn of(py: Python<'_>, rows: &[core::Row], closed: bool) -> Self {
        macro_rules! list {
            ($value:expr) => {
                rows.iter().map($value).collect::<Vec<_>>()
            };
        }
        Self {
            family: list!(|row| row.family.clone()),
            child: list!(|row| row.child.clone()),
            stratum: list!(|row| row.stratum.clone()),
            factors: list!(|row| row.factors.clone()),
            arm: list!(|row| row.arm).into_pyarray(py).unbind(),
            drawn: list!(|row| row.drawn).into_pyarray(py).unbind(),
            delivered: list!(|row| row.delivered),
            analysed_as: list!(|row| row.analysed_as.clone()),
            randomised: list!(|row| row.randomised.clone()),
            left: list!(|row| row.left.as_ref().map(core::Left::words)),
            status: list!(|row| row.status.clone()),
            inherited: list!(|row| row.inherited),
            enrolled: list!(|row| row.enrolled.to_string()),
            sequence: list!(|row| row.sequence).into_pyarray(py).unbind(),
            probability: list!(|row| row.probability).into_pyarray(py).unbind(),
            closed,
            conditional: list!(|row| row.conditional),
            block: list!(|row| row.block.map(|block| (block.number, block.size, block.place))),
        }
    }
}

/// The frame, and the assignment over it.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Assigned {
    frame: Py<LedgerFrame>,
    assignment: Py<Assignment>,
}

/// Units and rows.
type Count = (u64, u64);

/// What happened in an arm after the draw.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct ArmEntries {
    late: Count,
    overridden: Count,
    withdrawn: Count,
}

/// What a flow diagram takes from a ledger.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct LedgerFlow {
    refused: Count,
    refusals: usize,
    pauses: usize,
    reasons: Vec<String>,
    entries: Vec<Py<ArmEntries>>,
    notes: Vec<String>,
}

#[pymethods]
impl Ledger {
    #[staticmethod]
    fn create(
        py: Python<'_>,
        path: PathBuf,
        design: &Design,
        rules: &LedgerRules,
        at: Option<&str>,
    ) -> PyResult<Self> {
        let (at, design, rules) = (when(py, at)?, &design.inner, &rules.inner);
        Self::begin(py, || core::Ledger::create_at(path, design, rules, at))
    }

    #[staticmethod]
    #[pyo3(signature = (path, key, head, read_only))]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        key: &Secret,
        head: Option<&str>,
        read_only: bool,
    ) -> PyResult<Self> {
        let (key, head) = (key.seed(), self::head(py, head)?);
        let open = if read_only { core::Ledger::read_only } else { core::Ledger::open };
        Self::begin(py, || open(path, &key, head.as_ref()))
    }

    /// The canonical JSON of the design.
    fn design(&self, py: Python<'_>) -> PyResult<String> {
        self.inner.design().canonical_json().or_raise(py)
    }

    /// What the trial calls its families, children and arms.
    fn wording(&self) -> Wording {
        Wording::of(self.inner.design())
    }

    fn commitment(&self, py: Python<'_>) -> PyResult<Commitment> {
        Ok(Commitment { inner: self.inner.commitment().or_raise(py)? })
    }

    fn notes(&self) -> Vec<String> {
        self.inner.notes().to_vec()
    }

    fn frame_notes(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.run(py, core::Ledger::frame_notes)
    }

    fn is_closed(&self, py: Python<'_>) -> PyResult<bool> {
        self.run(py, core::Ledger::is_closed)
    }

    fn full(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.run(py, core::Ledger::full)
    }

    fn enrol(
        &self,
        py: Python<'_>,
        family: &str,
        children: Vec<String>,
        stratum: Vec<String>,
        factors: Vec<String>,
        approval: &Approval,
    ) -> PyResult<Receipt> {
        let application = core::Application::new(family).children(children).stratum(stratum);
        let application = approval.of(application.factors(factors));
        Ok(self.run(py, |ledger| ledger.enrol(&application))?.into())
    }

    fn add_child(
        &self,
        py: Python<'_>,
        family: &str,
        child: &str,
        stratum: Option<Vec<String>>,
        entry: &Entry,
    ) -> PyResult<Receipt> {
        let made =
            self.run(py, |ledger| ledger.add_child(family, child, stratum.as_deref(), &entry.inner))?;
        Ok(made.into())
    }

    fn capacity(&self, py: Python<'_>, arm: &str, full: bool, entry: &Entry) -> PyResult<Receipt> {
        Ok(self.run(py, |ledger| ledger.capacity(arm, full, &entry.inner))?.into())
    }

    fn override_arm(
        &self,
        py: Python<'_>,
        family: &str,
        delivered: &str,
        entry: &Entry,
    ) -> PyResult<Receipt> {
        Ok(self.run(py, |ledger| ledger.override_arm(family, delivered, &entry.inner))?.into())
    }

    fn withdraw(
        &self,
        py: Python<'_>,
        family: &str,
        child: Option<&str>,
        data: bool,
        entry: &Entry,
    ) -> PyResult<Receipt> {
        Ok(self.run(py, |ledger| ledger.withdraw(family, child, data, &entry.inner))?.into())
    }

    fn merge(&self, py: Python<'_>, family: &str, into: &str, entry: &Entry) -> PyResult<Receipt> {
        Ok(self.run(py, |ledger| ledger.merge(family, into, &entry.inner))?.into())
    }

    fn split(
        &self,
        py: Python<'_>,
        family: &str,
        into: &str,
        children: Vec<String>,
        entry: &Entry,
    ) -> PyResult<Receipt> {
        Ok(self.run(py, |ledger| ledger.split(family, into, children, &entry.inner))?.into())
    }

    fn exclude(&self, py: Python<'_>, family: &str, child: Option<&str>, entry: &Entry) -> PyResult<Receipt> {
        Ok(self.run(py, |ledger| ledger.exclude(family, child, &entry.inner))?.into())
    }

    fn close(&self, py: Python<'_>, entry: &Entry) -> PyResult<Receipt> {
        Ok(self.run(py, |ledger| ledger.close(&entry.inner))?.into())
    }

    fn head(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.run(py, core::Ledger::head)?.to_string())
    }

    #[pyo3(signature = (head))]
    fn verify(&self, py: Python<'_>, head: Option<&str>) -> PyResult<Verified> {
        let head = self::head(py, head)?;
        let found = self.run(py, |ledger| ledger.verify(head.as_ref()))?;
        Ok(Verified {
            events: found.events,
            families: found.families,
            children: found.children,
            head: found.head.to_string(),
            tail: found.tail,
            notes: found.notes,
        })
    }

    fn frame(&self, py: Python<'_>) -> PyResult<LedgerFrame> {
        let (rows, closed) = self.run(py, |ledger| Ok((ledger.frame()?, ledger.is_closed()?)))?;
        Ok(LedgerFrame::of(py, &rows, closed))
    }

    /// The frame, and the assignment over it.
    fn assigned(&self, py: Python<'_>, everybody: bool) -> PyResult<Assigned> {
        let scope = if everybody { core::Scope::Everybody } else { core::Scope::Compared };
        let (made, closed) = self.run(py, |ledger| Ok((ledger.assigned(scope)?, ledger.is_closed()?)))?;
        Ok(Assigned {
            frame: Py::new(py, LedgerFrame::of(py, &made.rows, closed))?,
            assignment: Py::new(py, Assignment { inner: made.assignment })?,
        })
    }

    fn flow(&self, py: Python<'_>) -> PyResult<LedgerFlow> {
        let made = self.run(py, core::Ledger::flow)?;
        let pair = |count: crewe::design::Count| (count.units, count.rows);
        let of_arm = |arm: &core::ArmEntries| {
            let (late, overridden) = (pair(arm.late), pair(arm.overridden));
            Py::new(py, ArmEntries { late, overridden, withdrawn: pair(arm.withdrawn) })
        };
        Ok(LedgerFlow {
            refused: pair(made.refused),
            refusals: made.refusals,
            pauses: made.pauses,
            reasons: made.reasons.iter().map(core::Left::words).collect(),
            entries: made.entries.iter().map(of_arm).collect::<PyResult<_>>()?,
            notes: made.notes,
        })
    }
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Entry>()?;
    m.add_class::<Approval>()?;
    m.add_class::<LedgerRules>()?;
    m.add_class::<Receipt>()?;
    m.add_class::<Verified>()?;
    m.add_class::<LedgerFrame>()?;
    m.add_class::<Assigned>()?;
    m.add_class::<ArmEntries>()?;
    m.add_class::<LedgerFlow>()?;
    m.add_class::<Ledger>()
}

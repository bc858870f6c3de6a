//! Python bindings of `crewe`: convert, call the core once with the GIL released, convert back.
//! No arithmetic and no decisions live here.

use pyo3::prelude::*;

mod assignment;
mod audit;
mod bootstrap;
mod clustered;
mod cost;
mod covariance;
mod cox;
mod design;
mod error;
mod handle;
mod icc;
mod instruments;
mod key;
mod ledger;
mod method;
mod nonparametric;
mod pool;
mod power;
mod power_trial;
mod random;
mod regression;
mod resampling;
mod simulate;
mod survival;
mod units;
mod words;

/// The compiled core of crewe; use the package `crewe`, which wraps it.
#[pymodule(gil_used = false)]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    power::register(m)?;
    power_trial::register(m)?;
    cost::register(m)?;
    covariance::register(m)?;
    icc::register(m)?;
    instruments::register(m)?;
    nonparametric::register(m)?;
    random::register(m)?;
    regression::register(m)?;
    clustered::register(m)?;
    bootstrap::register(m)?;
    resampling::register(m)?;
    audit::register(m)?;
    simulate::register(m)?;
    design::register(m)?;
    units::register(m)?;
    assignment::register(m)?;
    key::register(m)?;
    ledger::register(m)?;
    method::register(m)?;
    survival::register(m)?;
    cox::register(m)?;
    words::register(m)?;
    Ok(())
}

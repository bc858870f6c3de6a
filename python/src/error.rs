//! The one map from the core's errors to Python's.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Turns a core error into the class of `crewe.exceptions` that fits it, with the facts as attributes.
pub fn to_python(py: Python<'_>, error: &crewe::Error) -> PyErr {
    use crewe::Error::{Convergence, Design, Input, Interrupted, Ledger, Rank, Separation};
    let class = match error {
        Input(_) => "InputError",
        Design(_) => "DesignError",
        Rank(_) => "RankError",
        Separation(_) => "SeparationError",
        Convergence(_) => "ConvergenceError",
        Ledger(_) => "LedgerError",
        Interrupted => return PyKeyboardInterrupt::new_err("stopped by the user"),
        _ => "CreweError",
    };
    let build = || -> PyResult<PyErr> {
        let facts = PyDict::new(py);
        if let Some(fault) = error.fault() {
            facts.set_item("problem", &fault.problem)?;
            facts.set_item("column", &fault.column)?;
            facts.set_item("rows", &fault.rows)?;
            facts.set_item("values", &fault.values)?;
            facts.set_item("remedy", &fault.remedy)?;
        }
        let class = py.import("crewe.exceptions")?.getattr(class)?;
        Ok(PyErr::from_value(class.call((error.to_string(),), Some(&facts))?))
    };
    build().unwrap_or_else(|failure| failure)
}

/// `?` on core results in functions that return `PyResult`.
pub trait OrRaise<T> {
    /// The value, or the Python exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for crewe::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| to_python(py, &error))
    }
}

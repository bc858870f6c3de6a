//! Cost-benefit lines.

use crewe::instruments::cost::{Input, Line, work_out};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::record;

/// Works out lines (name, formula, printed, decimals) from inputs (name, value); one record a line.
#[pyfunction]
fn cost_lines(
    py: Python<'_>,
    inputs: Vec<(String, String)>,
    lines: Vec<(String, String, Option<String>, i32)>,
) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let inputs: Vec<Input> = inputs.into_iter().map(|(name, value)| Input::new(name, value)).collect();
    let lines: Vec<Line> = lines
        .into_iter()
        .map(|(name, formula, printed, places)| {
            let mut line = Line::new(name, formula).places(places);
            line.printed = printed;
            line
        })
        .collect();
    let worked = crate::pool::compute(py, |_| work_out(&inputs, &lines))?;
    worked
        .into_iter()
        .map(|line| {
            Ok(record!(py,
                "name" => line.name,
                "value" => line.value.to_f64(),
                "exact" => line.value.to_string(),
                "shown" => line.shown,
                "printed" => line.printed.map(crewe::instruments::cost::Exact::to_f64),
                "agreement" => line.agreement.map(crewe::instruments::cost::Agreement::name),
                "uses" => line.uses,
            ))
        })
        .collect()
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(cost_lines, m)?)
}

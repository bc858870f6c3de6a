//! Cost-benefit lines.

use crewe::instruments::cost::{Agreement, Exact, Input, Line, work_out};
use pyo3::prelude::*;

/// A line that was worked out: its value as a number and as an exact fraction, as it is shown, and how it stands to the
/// number that was printed.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct WorkedLine {
    name: String,
    value: f64,
    exact: String,
    shown: String,
    printed: Option<f64>,
    agreement: Option<&'static str>,
    uses: Vec<String>,
}

/// Works out lines (name, formula, printed, decimals) from inputs (name, value).
#[pyfunction]
fn cost_lines(
    py: Python<'_>,
    inputs: Vec<(String, String)>,
    lines: Vec<(String, String, Option<String>, i32)>,
) -> PyResult<Vec<WorkedLine>> {
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
    let lines = worked.into_iter().map(|line| WorkedLine {
        name: line.name,
        value: line.value.to_f64(),
        exact: line.value.to_string(),
        shown: line.shown,
        printed: line.printed.map(Exact::to_f64),
        agreement: line.agreement.map(Agreement::name),
        uses: line.uses,
    });
    Ok(lines.collect())
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<WorkedLine>()?;
    m.add_function(wrap_pyfunction!(cost_lines, m)?)
}

//! Ranks, permutations, small counts, rates, multiplicity and descriptive tables.

use crewe::nonparametric as core;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{Level, SeedLike, Word, record, slice};
use crate::error::OrRaise;

fn pair(interval: core::Interval) -> (f64, f64) {
    (interval.low, interval.high)
}

/// Compares two samples by their ranks.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the package passes every option")]
fn mann_whitney<'py>(
    py: Python<'py>,
    x: PyReadonlyArray1<'py, f64>,
    y: PyReadonlyArray1<'py, f64>,
    alternative: Word<core::Alternative>,
    exact: Option<bool>,
    correct: bool,
    level: Level,
    name: String,
) -> PyResult<Bound<'py, PyDict>> {
    let mut options = core::MannWhitneyOptions::default()
        .alternative(alternative.0)
        .correct(correct)
        .level(level.0)
        .name(name);
    options.exact = exact;
    let (x, y) = (slice(&x)?, slice(&y)?);
    let test = crate::pool::compute(py, |signals| core::mann_whitney(x, y, &options, signals))?;
    Ok(record!(py,
        "n" => test.n, "u" => test.u, "z" => test.z, "p_value" => test.p_value, "exact" => test.exact,
        "ties" => test.ties, "superiority" => test.superiority,
        "superiority_interval" => pair(test.superiority_interval), "shift" => test.shift.shift,
        "shift_interval" => pair(test.shift.interval), "shift_exact" => test.shift.exact,
        "attained" => test.shift.attained))
}

/// Compares two means over all labellings.
#[pyfunction]
fn permutation_test<'py>(
    py: Python<'py>,
    x: PyReadonlyArray1<'py, f64>,
    y: PyReadonlyArray1<'py, f64>,
    alternative: Word<core::Alternative>,
    name: String,
) -> PyResult<Bound<'py, PyDict>> {
    let options = core::PermutationOptions::default().alternative(alternative.0).name(name);
    let (x, y) = (slice(&x)?, slice(&y)?);
    let test = crate::pool::compute(py, |signals| core::permutation_test(x, y, &options, signals))?;
    Ok(record!(py,
        "n" => test.n, "mean" => test.mean, "difference" => test.difference, "spread" => test.spread,
        "p_value" => test.p_value, "p_lower" => test.p_lower, "p_upper" => test.p_upper,
        "count_lower" => test.count_lower, "count_upper" => test.count_upper, "labellings" => test.labellings,
        "scale" => test.scale))
}

/// Fisher's exact test and the difference of two rates.
#[pyfunction]
fn compare_rates<'py>(
    py: Python<'py>,
    events: [u64; 2],
    totals: [u64; 2],
    alternative: Word<core::Alternative>,
    exact: bool,
    level: Level,
) -> PyResult<Bound<'py, PyDict>> {
    let fisher = core::fisher_test(events, totals, alternative.0, level.0).or_raise(py)?;
    let newcombe = core::newcombe(events, totals, level.0).or_raise(py)?;
    let unconditional = if exact {
        Some(crate::pool::compute(py, |signals| core::chan_zhang(events, totals, level.0, signals))?)
    } else {
        None
    };
    let rates = [0, 1].map(|g| core::clopper_pearson(events[g], totals[g], level.0).map(pair));
    let [first, second] = rates;
    Ok(record!(py,
        "p_value" => fisher.p_value, "odds_ratio" => fisher.odds_ratio, "odds_interval" => pair(fisher.interval),
        "mid_p_value" => fisher.mid_p_value, "mid_p_interval" => pair(fisher.mid_p_interval),
        "newcombe" => pair(newcombe), "chan_zhang" => unconditional.as_ref().map(|u| pair(u.interval)),
        "chan_zhang_p" => unconditional.as_ref().map(|u| u.p_value),
        "intervals" => [first.or_raise(py)?, second.or_raise(py)?]))
}

/// One rate beside a fixed one.
#[pyfunction]
fn prevalence<'py>(
    py: Python<'py>,
    events: u64,
    total: u64,
    national: f64,
    alternative: Word<core::Alternative>,
    level: Level,
) -> PyResult<Bound<'py, PyDict>> {
    let test =
        crate::pool::compute(py, |_| core::prevalence(events, total, national, alternative.0, level.0))?;
    Ok(record!(py,
        "rate" => test.rate, "interval" => pair(test.interval), "wilson" => pair(test.wilson),
        "p_value" => test.p_value))
}

/// Counts by category beside fixed shares.
#[pyfunction]
fn goodness_of_fit<'py>(
    py: Python<'py>,
    counts: Vec<u64>,
    shares: PyReadonlyArray1<'py, f64>,
    draws: u64,
    enumerate: u64,
    seed: SeedLike,
) -> PyResult<Bound<'py, PyDict>> {
    let options = core::GoodnessOptions::default().draws(draws).enumerate(enumerate).seed(seed);
    let shares = slice(&shares)?;
    let fit = crate::pool::compute(py, |signals| core::goodness_of_fit(&counts, shares, &options, signals))?;
    Ok(record!(py,
        "expected" => fit.expected, "statistic" => fit.statistic, "df" => fit.df, "p_value" => fit.p_value,
        "exact_p_value" => fit.exact_p_value, "enumerated" => fit.enumerated, "tables" => fit.tables))
}

/// Adjusts p-values.
#[pyfunction]
fn adjust<'py>(
    py: Python<'py>,
    p: PyReadonlyArray1<'py, f64>,
    method: Word<core::Adjustment>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    Ok(core::adjust(slice(&p)?, method.0).or_raise(py)?.into_pyarray(py))
}

/// Means by group.
#[pyfunction]
fn group_summary<'py>(
    py: Python<'py>,
    values: PyReadonlyArray1<'py, f64>,
    codes: PyReadonlyArray1<'py, u32>,
    groups: usize,
    level: Level,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let (values, codes) = (slice(&values)?, slice(&codes)?);
    let found = crate::pool::compute(py, |_| core::group_summary(values, codes, groups, level.0))?;
    found
        .into_iter()
        .map(|g| {
            Ok(record!(py,
                "n" => g.n, "missing" => g.missing, "mean" => g.mean, "sd" => g.sd, "std_error" => g.std_error, "min" => g.min,
                "median" => g.median, "max" => g.max, "conf_low" => g.interval.low,
                "conf_high" => g.interval.high))
        })
        .collect()
}

/// Codes as the package has them: -1 is missing.
fn signed(codes: Vec<Option<u32>>) -> Vec<i64> {
    codes.into_iter().map(|code| code.map_or(-1, i64::from)).collect()
}

/// The different values of a column, and which of them each row has.
#[pyfunction]
fn levels<'py>(
    py: Python<'py>,
    values: PyReadonlyArray1<'py, f64>,
) -> PyResult<(Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<i64>>)> {
    let values = slice(&values)?;
    let found = crate::pool::compute(py, |_| core::levels(values))?;
    Ok((found.values.into_pyarray(py), signed(found.codes).into_pyarray(py)))
}

/// The class of each value between edges.
#[pyfunction]
fn cut<'py>(
    py: Python<'py>,
    values: PyReadonlyArray1<'py, f64>,
    edges: PyReadonlyArray1<'py, f64>,
    column: &str,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let codes = core::cut(slice(&values)?, slice(&edges)?, column).or_raise(py)?;
    Ok(signed(codes).into_pyarray(py))
}

/// Counts and shares by group.
#[pyfunction]
fn crosstab<'py>(
    py: Python<'py>,
    rows: PyReadonlyArray1<'py, u32>,
    columns: PyReadonlyArray1<'py, u32>,
    n_rows: usize,
    n_columns: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let (rows, columns) = (slice(&rows)?, slice(&columns)?);
    let table = crate::pool::compute(py, |_| core::crosstab(rows, columns, n_rows, n_columns))?;
    Ok(record!(py, "counts" => table.counts, "shares" => table.shares, "totals" => table.totals))
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(mann_whitney, m)?)?;
    m.add_function(wrap_pyfunction!(permutation_test, m)?)?;
    m.add_function(wrap_pyfunction!(compare_rates, m)?)?;
    m.add_function(wrap_pyfunction!(prevalence, m)?)?;
    m.add_function(wrap_pyfunction!(goodness_of_fit, m)?)?;
    m.add_function(wrap_pyfunction!(adjust, m)?)?;
    m.add_function(wrap_pyfunction!(group_summary, m)?)?;
    m.add_function(wrap_pyfunction!(levels, m)?)?;
    m.add_function(wrap_pyfunction!(cut, m)?)?;
    m.add_function(wrap_pyfunction!(crosstab, m)?)
}

//! Ranks, permutations, small counts, rates, multiplicity and descriptive tables.

use crewe::nonparametric as core;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::handle::{Floats, Level, SeedLike, Word, floats, slice};

/// The lower and the upper end of an interval.
type Pair = (f64, f64);

fn pair(interval: core::Interval) -> Pair {
    (interval.low, interval.high)
}

/// How two samples are compared by their ranks.
#[pyclass(module = "crewe._core", frozen)]
struct MannWhitneyOptions {
    alternative: core::Alternative,
    #[pyo3(get)]
    exact: Option<bool>,
    #[pyo3(get)]
    correct: bool,
    #[pyo3(get)]
    level: f64,
}

#[pymethods]
impl MannWhitneyOptions {
    #[new]
    #[pyo3(signature = (alternative, exact, correct, level))]
    fn new(alternative: Word<core::Alternative>, exact: Option<bool>, correct: bool, level: Level) -> Self {
        Self { alternative: alternative.0, exact, correct, level: level.0 }
    }

    /// The word for the alternative.
    #[getter]
    fn alternative(&self) -> &'static str {
        self.alternative.name()
    }
}

/// Two samples, compared by their ranks.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct MannWhitney {
    n: (usize, usize),
    u: f64,
    z: f64,
    p_value: f64,
    exact: bool,
    ties: bool,
    superiority: f64,
    superiority_interval: Pair,
    shift: f64,
    shift_interval: Pair,
    shift_exact: bool,
    attained: f64,
}

/// Compares two samples by their ranks; `name` is what they are called in errors.
#[pyfunction]
fn mann_whitney(
    py: Python<'_>,
    x: PyReadonlyArray1<'_, f64>,
    y: PyReadonlyArray1<'_, f64>,
    name: String,
    options: &MannWhitneyOptions,
) -> PyResult<MannWhitney> {
    let mut asked = core::MannWhitneyOptions::default()
        .alternative(options.alternative)
        .correct(options.correct)
        .level(options.level)
        .name(name);
    asked.exact = options.exact;
    let (x, y) = (slice(&x)?, slice(&y)?);
    let test = crate::pool::compute(py, |signals| core::mann_whitney(x, y, &asked, signals))?;
    Ok(MannWhitney {
        n: test.n.into(),
        u: test.u,
        z: test.z,
        p_value: test.p_value,
        exact: test.exact,
        ties: test.ties,
        superiority: test.superiority,
        superiority_interval: pair(test.superiority_interval),
        shift: test.shift.shift,
        shift_interval: pair(test.shift.interval),
        shift_exact: test.shift.exact,
        attained: test.shift.attained,
    })
}

/// Two means, compared over all labellings; counts are whole numbers in digits, as large as they come.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct PermutationTest {
    n: (usize, usize),
    mean: Pair,
    difference: f64,
    spread: f64,
    p_value: f64,
    p_lower: f64,
    p_upper: f64,
    count_lower: Option<String>,
    count_upper: Option<String>,
    labellings: Option<String>,
    scale: u32,
}

/// Compares two means over all labellings.
#[pyfunction]
fn permutation_test(
    py: Python<'_>,
    x: PyReadonlyArray1<'_, f64>,
    y: PyReadonlyArray1<'_, f64>,
    alternative: Word<core::Alternative>,
    name: String,
) -> PyResult<PermutationTest> {
    let options = core::PermutationOptions::default().alternative(alternative.0).name(name);
    let (x, y) = (slice(&x)?, slice(&y)?);
    let test = crate::pool::compute(py, |signals| core::permutation_test(x, y, &options, signals))?;
    Ok(PermutationTest {
        n: test.n.into(),
        mean: test.mean.into(),
        difference: test.difference,
        spread: test.spread,
        p_value: test.p_value,
        p_lower: test.p_lower,
        p_upper: test.p_upper,
        count_lower: test.count_lower,
        count_upper: test.count_upper,
        labellings: test.labellings,
        scale: test.scale,
    })
}

/// Two rates, compared: exact tests, intervals of the odds ratio, of the difference and of each rate.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct RateComparison {
    p_value: f64,
    odds_ratio: f64,
    odds_interval: Pair,
    mid_p_value: f64,
    mid_p_interval: Pair,
    newcombe: Pair,
    chan_zhang: Option<Pair>,
    chan_zhang_p: Option<f64>,
    intervals: (Pair, Pair),
}

/// Fisher's exact test and the difference of two rates.
#[pyfunction]
fn compare_rates(
    py: Python<'_>,
    events: [u64; 2],
    totals: [u64; 2],
    alternative: Word<core::Alternative>,
    exact: bool,
    level: Level,
) -> PyResult<RateComparison> {
    let fisher = core::fisher_test(events, totals, alternative.0, level.0).or_raise(py)?;
    let newcombe = core::newcombe(events, totals, level.0).or_raise(py)?;
    let unconditional = if exact {
        Some(crate::pool::compute(py, |signals| core::chan_zhang(events, totals, level.0, signals))?)
    } else {
        None
    };
    let rates = [0, 1].map(|g| core::clopper_pearson(events[g], totals[g], level.0).map(pair));
    let [first, second] = rates;
    Ok(RateComparison {
        p_value: fisher.p_value,
        odds_ratio: fisher.odds_ratio,
        odds_interval: pair(fisher.interval),
        mid_p_value: fisher.mid_p_value,
        mid_p_interval: pair(fisher.mid_p_interval),
        newcombe: pair(newcombe),
        chan_zhang: unconditional.as_ref().map(|test| pair(test.interval)),
        chan_zhang_p: unconditional.as_ref().map(|test| test.p_value),
        intervals: (first.or_raise(py)?, second.or_raise(py)?),
    })
}

/// One rate beside a fixed one.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Prevalence {
    rate: f64,
    interval: Pair,
    wilson: Pair,
    p_value: f64,
}

/// Compares one rate with a fixed one.
#[pyfunction]
fn prevalence(
    py: Python<'_>,
    events: u64,
    total: u64,
    national: f64,
    alternative: Word<core::Alternative>,
    level: Level,
) -> PyResult<Prevalence> {
    let test =
        crate::pool::compute(py, |_| core::prevalence(events, total, national, alternative.0, level.0))?;
    Ok(Prevalence {
        rate: test.rate,
        interval: pair(test.interval),
        wilson: pair(test.wilson),
        p_value: test.p_value,
    })
}

/// Counts by category beside fixed shares.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct GoodnessOfFit {
    expected: Floats,
    statistic: f64,
    df: f64,
    p_value: f64,
    exact_p_value: f64,
    enumerated: bool,
    tables: u64,
}

/// Compares counts by category with fixed shares.
#[pyfunction]
fn goodness_of_fit(
    py: Python<'_>,
    counts: Vec<u64>,
    shares: PyReadonlyArray1<'_, f64>,
    draws: u64,
    enumerate: u64,
    seed: SeedLike,
) -> PyResult<GoodnessOfFit> {
    let options = core::GoodnessOptions::default().draws(draws).enumerate(enumerate).seed(seed);
    let shares = slice(&shares)?;
    let fit = crate::pool::compute(py, |signals| core::goodness_of_fit(&counts, shares, &options, signals))?;
    Ok(GoodnessOfFit {
        expected: floats(py, fit.expected),
        statistic: fit.statistic,
        df: fit.df,
        p_value: fit.p_value,
        exact_p_value: fit.exact_p_value,
        enumerated: fit.enumerated,
        tables: fit.tables,
    })
}

/// Adjusts p-values.
#[pyfunction]
fn adjust(py: Python<'_>, p: PyReadonlyArray1<'_, f64>, method: Word<core::Adjustment>) -> PyResult<Floats> {
    Ok(floats(py, core::adjust(slice(&p)?, method.0).or_raise(py)?))
}

/// The values of one group.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct GroupSummary {
    n: usize,
    missing: usize,
    mean: f64,
    sd: f64,
    std_error: f64,
    min: f64,
    median: f64,
    max: f64,
    conf_low: f64,
    conf_high: f64,
}

/// Means by group.
#[pyfunction]
fn group_summary(
    py: Python<'_>,
    values: PyReadonlyArray1<'_, f64>,
    codes: PyReadonlyArray1<'_, u32>,
    groups: usize,
    level: Level,
) -> PyResult<Vec<GroupSummary>> {
    let (values, codes) = (slice(&values)?, slice(&codes)?);
    let found = crate::pool::compute(py, |_| core::group_summary(values, codes, groups, level.0))?;
    let summaries = found.into_iter().map(|group| GroupSummary {
        n: group.n,
        missing: group.missing,
        mean: group.mean,
        sd: group.sd,
        std_error: group.std_error,
        min: group.min,
        median: group.median,
        max: group.max,
        conf_low: group.interval.low,
        conf_high: group.interval.high,
    });
    Ok(summaries.collect())
}

/// Codes as the package has them: -1 is missing.
fn signed(codes: Vec<Option<u32>>) -> Vec<i64> {
    codes.into_iter().map(|code| code.map_or(-1, i64::from)).collect()
}

/// The different values of a column, and which of them each row has.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Levels {
    values: Floats,
    codes: Py<PyArray1<i64>>,
}

/// Finds the different values of a column.
#[pyfunction]
fn levels(py: Python<'_>, values: PyReadonlyArray1<'_, f64>) -> PyResult<Levels> {
    let values = slice(&values)?;
    let found = crate::pool::compute(py, |_| core::levels(values))?;
    let codes = signed(found.codes).into_pyarray(py).unbind();
    Ok(Levels { values: floats(py, found.values), codes })
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

/// Counts and shares by group, row by row, and the size of each group.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Crosstab {
    counts: Py<PyArray1<u64>>,
    shares: Floats,
    totals: Py<PyArray1<u64>>,
}

/// Counts rows by group.
#[pyfunction]
fn crosstab(
    py: Python<'_>,
    rows: PyReadonlyArray1<'_, u32>,
    columns: PyReadonlyArray1<'_, u32>,
    n_rows: usize,
    n_columns: usize,
) -> PyResult<Crosstab> {
    let (rows, columns) = (slice(&rows)?, slice(&columns)?);
    let table = crate::pool::compute(py, |_| core::crosstab(rows, columns, n_rows, n_columns))?;
    Ok(Crosstab {
        counts: table.counts.into_pyarray(py).unbind(),
        shares: floats(py, table.shares),
        totals: table.totals.into_pyarray(py).unbind(),
    })
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<MannWhitneyOptions>()?;
    m.add_class::<MannWhitney>()?;
    m.add_class::<PermutationTest>()?;
    m.add_class::<RateComparison>()?;
    m.add_class::<Prevalence>()?;
    m.add_class::<GoodnessOfFit>()?;
    m.add_class::<GroupSummary>()?;
    m.add_class::<Levels>()?;
    m.add_class::<Crosstab>()?;
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

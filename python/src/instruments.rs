//! Case records, risk matrices, the SDQ and rating scales.

use crewe::instruments::{cases, likert, risk, sdq};
use numpy::{IntoPyArray, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{record, slice};
use crate::error::OrRaise;

type Days = Vec<Option<i64>>;

/// Applies the window rules to dates in days; `names` are those of the five columns, `rules` flags in order.
#[pyfunction]
#[pyo3(signature = (referral, closure, rereferral, support, randomised, family, set_aside, names, window, origin,
                    rules))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)]
fn prepare_cases<'py>(
    py: Python<'py>,
    referral: Days,
    closure: Days,
    rereferral: Days,
    support: Option<Days>,
    randomised: Option<Days>,
    family: Vec<u32>,
    set_aside: Vec<bool>,
    names: [String; 5],
    window: (i64, i64, Option<i64>),
    origin: &str,
    rules: [bool; 4],
) -> PyResult<Bound<'py, PyDict>> {
    let origin = origin.parse::<cases::Origin>().or_raise(py)?;
    let called = cases::Names::default()
        .referral(&names[0])
        .closure(&names[1])
        .rereferral(&names[2])
        .support(&names[3])
        .randomised(&names[4]);
    let mut dates = cases::Dates::new(&referral, &closure, &rereferral, &family, &set_aside).names(called);
    (dates.support, dates.randomised) = (support.as_deref(), randomised.as_deref());
    let kept = cases::Rules::default()
        .move_referral(rules[0])
        .history(rules[1])
        .rereferral_in_window(rules[2])
        .rereferred_not_closed(rules[3]);
    let (first, end, last) = window;
    let mut window = cases::Window::new(first, end, origin).rules(kept);
    window.extracted = last;
    let out = crate::pool::compute(py, || cases::prepare(&dates, &window)).or_raise(py)?;
    let recodes: Vec<_> = out.recodes.into_iter().map(|r| (r.rule, r.action, r.rows)).collect();
    let excluded: Vec<_> = out.excluded.into_iter().map(|e| (e.row, e.reason.name())).collect();
    Ok(record!(py,
        "rows" => out.rows,
        "history" => out.history,
        "closed" => out.closed,
        "re_referred" => out.rereferred,
        "event" => out.event,
        "days" => out.days,
        "referral" => out.referral,
        "days_before_randomisation" => out.days_before_randomisation,
        "recodes" => recodes,
        "excluded" => excluded,
    ))
}

fn factors(
    py: Python<'_>,
    kinds: &[String],
    weights: &[f64],
    alternatives: &[f64],
) -> PyResult<Vec<risk::Factor>> {
    kinds
        .iter()
        .zip(weights.iter().zip(alternatives))
        .map(|(kind, (&weight, &alternative))| {
            let kind = kind.parse::<risk::Kind>().or_raise(py)?;
            Ok(risk::Factor::new(kind, weight).alternative(alternative))
        })
        .collect()
}

/// Scores assessments (rows) on factors (columns).
#[pyfunction]
#[allow(clippy::needless_pass_by_value)]
fn risk_score<'py>(
    py: Python<'py>,
    values: PyReadonlyArray2<'py, f64>,
    kinds: Vec<String>,
    weights: PyReadonlyArray1<'py, f64>,
    alternatives: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyDict>> {
    let factors = factors(py, &kinds, slice(&weights)?, slice(&alternatives)?)?;
    let values = values.as_array();
    let out = crate::pool::compute(py, || risk::score(values, &factors)).or_raise(py)?;
    Ok(record!(py,
        "total" => out.total.into_pyarray(py),
        "risk" => out.risk.into_pyarray(py),
        "protective" => out.protective.into_pyarray(py),
        "engagement" => out.engagement.into_pyarray(py),
        "low" => out.low.into_pyarray(py),
        "high" => out.high.into_pyarray(py),
        "unrecorded" => out.unrecorded,
    ))
}

fn means<'py>(py: Python<'py>, means: &[risk::Mean]) -> PyResult<Vec<Bound<'py, PyDict>>> {
    means.iter().map(|m| Ok(record!(py, "n" => m.n, "mean" => m.mean, "sd" => m.sd))).collect()
}

/// The change of one measure by arm, each arm against arm 0.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)]
fn risk_change<'py>(
    py: Python<'py>,
    before: PyReadonlyArray1<'py, f64>,
    after: PyReadonlyArray1<'py, f64>,
    arm: PyReadonlyArray1<'py, u32>,
    arms: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let (before, after, arm) = (slice(&before)?, slice(&after)?, slice(&arm)?);
    let out = crate::pool::compute(py, || risk::change(before, after, arm, arms)).or_raise(py)?;
    let differences: Vec<_> = out
        .differences
        .iter()
        .map(|d| {
            Ok(record!(py, "arm" => d.arm, "estimate" => d.estimate, "std_error" => d.std_error, "df" => d.df))
        })
        .collect::<PyResult<_>>()?;
    Ok(record!(py,
        "change" => out.change.into_pyarray(py),
        "before" => means(py, &out.before)?,
        "after" => means(py, &out.after)?,
        "by_arm" => means(py, &out.by_arm)?,
        "differences" => differences,
    ))
}

/// The range of the totals' difference in differences over the uncertain weights, one pair an arm after the first.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)]
fn risk_bounds<'py>(
    py: Python<'py>,
    change: PyReadonlyArray2<'py, f64>,
    kinds: Vec<String>,
    weights: PyReadonlyArray1<'py, f64>,
    alternatives: PyReadonlyArray1<'py, f64>,
    arm: PyReadonlyArray1<'py, u32>,
    arms: usize,
) -> PyResult<Vec<(f64, f64)>> {
    let factors = factors(py, &kinds, slice(&weights)?, slice(&alternatives)?)?;
    let (change, arm) = (change.as_array(), slice(&arm)?);
    let out = crate::pool::compute(py, || risk::bounds(change, &factors, arm, arms)).or_raise(py)?;
    Ok(out.into_iter().map(|range| (range.low, range.high)).collect())
}

/// Scores the SDQ's 25 items; `upper` are the upper bounds of the bands of each row's total, in order.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)]
fn sdq_score<'py>(
    py: Python<'py>,
    items: PyReadonlyArray2<'py, f64>,
    upper: Vec<Vec<f64>>,
) -> PyResult<Bound<'py, PyDict>> {
    let items = items.as_array();
    let out = crate::pool::compute(py, || sdq::score(items)).or_raise(py)?;
    let bands: Vec<_> = out.total.iter().zip(&upper).map(|(&total, upper)| sdq::band(total, upper)).collect();
    Ok(record!(py,
        "emotional" => out.emotional.into_pyarray(py),
        "conduct" => out.conduct.into_pyarray(py),
        "hyperactivity" => out.hyperactivity.into_pyarray(py),
        "peer" => out.peer.into_pyarray(py),
        "prosocial" => out.prosocial.into_pyarray(py),
        "total" => out.total.into_pyarray(py),
        "answered" => out.answered,
        "prorated" => out.prorated,
        "band" => bands,
    ))
}

/// Scores a rating scale.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)]
fn likert_score<'py>(
    py: Python<'py>,
    items: PyReadonlyArray2<'py, f64>,
    names: Vec<String>,
    reversed: Vec<bool>,
    scale: (f64, f64),
    needed: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let options = likert::Options::new(scale.0, scale.1, &reversed, &names).needed(needed);
    let items = items.as_array();
    let out = crate::pool::compute(py, || likert::score(items, &options)).or_raise(py)?;
    Ok(record!(py,
        "mean" => out.mean.into_pyarray(py),
        "total" => out.total.into_pyarray(py),
        "answered" => out.answered,
        "alpha" => out.alpha,
        "complete" => out.complete,
        "item_rest" => out.item_rest,
    ))
}

/// Describes scores by group, one record a group.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)]
fn summarise_scores<'py>(
    py: Python<'py>,
    scores: PyReadonlyArray1<'py, f64>,
    group: PyReadonlyArray1<'py, u32>,
    groups: usize,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let (scores, group) = (slice(&scores)?, slice(&group)?);
    crate::pool::compute(py, || likert::summarise(scores, group, groups))
        .or_raise(py)?
        .iter()
        .map(|s| {
            Ok(record!(py,
                "n" => s.n, "missing" => s.missing, "mean" => s.mean, "sd" => s.sd, "min" => s.min,
                "q1" => s.q1, "median" => s.median, "q3" => s.q3, "max" => s.max,
            ))
        })
        .collect()
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(prepare_cases, m)?)?;
    m.add_function(wrap_pyfunction!(risk_score, m)?)?;
    m.add_function(wrap_pyfunction!(risk_change, m)?)?;
    m.add_function(wrap_pyfunction!(risk_bounds, m)?)?;
    m.add_function(wrap_pyfunction!(sdq_score, m)?)?;
    m.add_function(wrap_pyfunction!(likert_score, m)?)?;
    m.add_function(wrap_pyfunction!(summarise_scores, m)?)
}

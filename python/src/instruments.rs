//! Case records, risk matrices, the SDQ and rating scales.

use crewe::instruments::{cases, likert, risk, sdq};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::handle::{Floats, Word, floats, slice};

/// A day number for each row; none where there is no date.
type Days = Vec<Option<i64>>;

/// Whole numbers that Python holds.
type Wholes = Py<PyArray1<i64>>;

/// Yes or no by row, as Python holds it.
type Flags = Py<PyArray1<bool>>;

fn wholes(py: Python<'_>, values: &[usize]) -> Wholes {
    values.iter().map(|&value| value as i64).collect::<Vec<_>>().into_pyarray(py).unbind()
}

fn flags(py: Python<'_>, values: Vec<bool>) -> Flags {
    values.into_pyarray(py).unbind()
}

/// The dates of cases, by row, and what the five columns are called.
#[pyclass(module = "crewe._core", frozen)]
struct CaseDates {
    referral: Days,
    closure: Days,
    rereferral: Days,
    support: Option<Days>,
    randomised: Option<Days>,
    names: [String; 5],
}

#[pymethods]
impl CaseDates {
    #[new]
    #[pyo3(signature = (referral, closure, rereferral, support, randomised, names))]
    fn new(
        referral: Days,
        closure: Days,
        rereferral: Days,
        support: Option<Days>,
        randomised: Option<Days>,
        names: [String; 5],
    ) -> Self {
        Self { referral, closure, rereferral, support, randomised, names }
    }
}

/// The window in which closures count, in day numbers, from where time is counted, and which rules hold, in their order.
#[pyclass(module = "crewe._core", frozen)]
struct CaseWindow {
    inner: cases::Window,
}

#[pymethods]
impl CaseWindow {
    #[new]
    #[pyo3(signature = (start, end, extracted, origin, rules))]
    fn new(
        start: i64,
        end: i64,
        extracted: Option<i64>,
        origin: Word<cases::Origin>,
        rules: [bool; 4],
    ) -> Self {
        let kept = cases::Rules::default()
            .move_referral(rules[0])
            .history(rules[1])
            .rereferral_in_window(rules[2])
            .rereferred_not_closed(rules[3]);
        let mut inner = cases::Window::new(start, end, origin.0).rules(kept);
        inner.extracted = extracted;
        Self { inner }
    }
}

/// What a rule changed, and in which rows.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Recode {
    rule: u8,
    action: &'static str,
    rows: Vec<usize>,
}

/// A row that was left out, why, and what else speaks against it.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Excluded {
    row: usize,
    reason: &'static str,
    also: Vec<&'static str>,
}

/// Cases after the rules of the window; columns have an entry for each of `rows`, which were kept.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct PreparedCases {
    rows: Vec<usize>,
    history: Option<Flags>,
    closed: Flags,
    re_referred: Flags,
    event: Flags,
    days: Wholes,
    referral: Wholes,
    days_before_randomisation: Wholes,
    recodes: Vec<Py<Recode>>,
    excluded: Vec<Py<Excluded>>,
}

/// Applies the window rules to dates; rows that are set aside are left out.
#[pyfunction]
fn prepare_cases(
    py: Python<'_>,
    dates: &CaseDates,
    family: PyReadonlyArray1<'_, u32>,
    set_aside: Vec<bool>,
    window: &CaseWindow,
) -> PyResult<PreparedCases> {
    let called = cases::Names::default()
        .referral(&dates.names[0])
        .closure(&dates.names[1])
        .rereferral(&dates.names[2])
        .support(&dates.names[3])
        .randomised(&dates.names[4]);
    let family = slice(&family)?;
    let mut asked = cases::Dates::new(&dates.referral, &dates.closure, &dates.rereferral, family, &set_aside)
        .names(called);
    (asked.support, asked.randomised) = (dates.support.as_deref(), dates.randomised.as_deref());
    let out = crate::pool::compute(py, |_| cases::prepare(&asked, &window.inner))?;
    let recode = |found: cases::Recode| {
        Py::new(py, Recode { rule: found.rule, action: found.action, rows: found.rows })
    };
    let excluded = |found: cases::Excluded| {
        let also = found.also.into_iter().map(cases::Exclusion::name).collect();
        Py::new(py, Excluded { row: found.row, reason: found.reason.name(), also })
    };
    Ok(PreparedCases {
        rows: out.rows,
        history: out.history.map(|history| flags(py, history)),
        closed: flags(py, out.closed),
        re_referred: flags(py, out.rereferred),
        event: flags(py, out.event),
        days: out.days.into_pyarray(py).unbind(),
        referral: out.referral.into_pyarray(py).unbind(),
        days_before_randomisation: out.days_before_randomisation.into_pyarray(py).unbind(),
        recodes: out.recodes.into_iter().map(recode).collect::<PyResult<_>>()?,
        excluded: out.excluded.into_iter().map(excluded).collect::<PyResult<_>>()?,
    })
}

/// The factors of a risk framework: the kind of each, its weight, and another that its weight may be.
#[pyclass(module = "crewe._core", frozen)]
struct RiskFactors {
    inner: Vec<risk::Factor>,
}

#[pymethods]
impl RiskFactors {
    #[new]
    fn new(
        py: Python<'_>,
        kinds: Vec<String>,
        weights: PyReadonlyArray1<'_, f64>,
        alternatives: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<Self> {
        let inner = kinds
            .iter()
            .zip(slice(&weights)?.iter().zip(slice(&alternatives)?))
            .map(|(kind, (&weight, &alternative))| {
                let kind = kind.parse::<risk::Kind>().or_raise(py)?;
                Ok(risk::Factor::new(kind, weight).alternative(alternative))
            })
            .collect::<PyResult<_>>()?;
        Ok(Self { inner })
    }
}

/// Scores of assessments, and the range of the totals over the uncertain weights.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct RiskScores {
    total: Floats,
    risk: Floats,
    protective: Floats,
    engagement: Floats,
    low: Floats,
    high: Floats,
    unrecorded: Wholes,
}

/// Scores assessments (rows) on factors (columns).
#[pyfunction]
fn risk_score(
    py: Python<'_>,
    values: PyReadonlyArray2<'_, f64>,
    factors: &RiskFactors,
) -> PyResult<RiskScores> {
    let values = values.as_array();
    let out = crate::pool::compute(py, |_| risk::score(values, &factors.inner))?;
    Ok(RiskScores {
        total: floats(py, out.total),
        risk: floats(py, out.risk),
        protective: floats(py, out.protective),
        engagement: floats(py, out.engagement),
        low: floats(py, out.low),
        high: floats(py, out.high),
        unrecorded: wholes(py, &out.unrecorded),
    })
}

/// The mean of a measure in each arm.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Means {
    n: Vec<usize>,
    mean: Vec<f64>,
    sd: Vec<f64>,
}

/// What a pickle of means holds.
type MeansParts = (Vec<usize>, Vec<f64>, Vec<f64>);

#[pymethods]
impl Means {
    /// The means again, from the columns that they were taken apart into.
    #[staticmethod]
    fn restore(n: Vec<usize>, mean: Vec<f64>, sd: Vec<f64>) -> Self {
        Self { n, mean, sd }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, MeansParts)> {
        let parts = (self.n.clone(), self.mean.clone(), self.sd.clone());
        Ok((py.get_type::<Self>().getattr("restore")?, parts))
    }
}

/// Differences from the first arm, one a later arm.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct Differences {
    arm: Vec<usize>,
    estimate: Vec<f64>,
    std_error: Vec<f64>,
    df: Vec<f64>,
}

/// What a pickle of differences holds.
type DifferencesParts = (Vec<usize>, Vec<f64>, Vec<f64>, Vec<f64>);

#[pymethods]
impl Differences {
    /// The differences again, from the columns that they were taken apart into.
    #[staticmethod]
    fn restore(arm: Vec<usize>, estimate: Vec<f64>, std_error: Vec<f64>, df: Vec<f64>) -> Self {
        Self { arm, estimate, std_error, df }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, DifferencesParts)> {
        let parts = (self.arm.clone(), self.estimate.clone(), self.std_error.clone(), self.df.clone());
        Ok((py.get_type::<Self>().getattr("restore")?, parts))
    }
}

/// How a measure changed: of each case, and by arm before, after and in between.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct RiskChange {
    change: Floats,
    before: Py<Means>,
    after: Py<Means>,
    by_arm: Py<Means>,
    differences: Py<Differences>,
}

/// What a pickle of a change holds.
type ChangeParts = (Floats, Py<Means>, Py<Means>, Py<Means>, Py<Differences>);

#[pymethods]
impl RiskChange {
    /// The change again, from the parts that it was taken apart into.
    #[staticmethod]
    fn restore(
        change: Floats,
        before: Py<Means>,
        after: Py<Means>,
        by_arm: Py<Means>,
        differences: Py<Differences>,
    ) -> Self {
        Self { change, before, after, by_arm, differences }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, ChangeParts)> {
        let parts = (
            self.change.clone_ref(py),
            self.before.clone_ref(py),
            self.after.clone_ref(py),
            self.by_arm.clone_ref(py),
            self.differences.clone_ref(py),
        );
        Ok((py.get_type::<Self>().getattr("restore")?, parts))
    }
}

/// The change of one measure by arm, each arm against arm 0.
#[pyfunction]
fn risk_change(
    py: Python<'_>,
    before: PyReadonlyArray1<'_, f64>,
    after: PyReadonlyArray1<'_, f64>,
    arm: PyReadonlyArray1<'_, u32>,
    arms: usize,
) -> PyResult<RiskChange> {
    let (before, after, arm) = (slice(&before)?, slice(&after)?, slice(&arm)?);
    let out = crate::pool::compute(py, |_| risk::change(before, after, arm, arms))?;
    let means = |means: &[risk::Mean]| {
        let means = Means {
            n: means.iter().map(|mean| mean.n).collect(),
            mean: means.iter().map(|mean| mean.mean).collect(),
            sd: means.iter().map(|mean| mean.sd).collect(),
        };
        Py::new(py, means)
    };
    let differences = Differences {
        arm: out.differences.iter().map(|one| one.arm).collect(),
        estimate: out.differences.iter().map(|one| one.estimate).collect(),
        std_error: out.differences.iter().map(|one| one.std_error).collect(),
        df: out.differences.iter().map(|one| one.df).collect(),
    };
    Ok(RiskChange {
        change: floats(py, out.change),
        before: means(&out.before)?,
        after: means(&out.after)?,
        by_arm: means(&out.by_arm)?,
        differences: Py::new(py, differences)?,
    })
}

/// The range of the totals' difference in differences over the uncertain weights, one pair an arm after the first.
#[pyfunction]
fn risk_bounds(
    py: Python<'_>,
    change: PyReadonlyArray2<'_, f64>,
    factors: &RiskFactors,
    arm: PyReadonlyArray1<'_, u32>,
    arms: usize,
) -> PyResult<Vec<(f64, f64)>> {
    let (change, arm) = (change.as_array(), slice(&arm)?);
    let out = crate::pool::compute(py, |_| risk::bounds(change, &factors.inner, arm, arms))?;
    Ok(out.into_iter().map(|range| (range.low, range.high)).collect())
}

/// Scores of the SDQ; the band of a total counts from the lowest, and is none where no band is known.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct SdqScores {
    emotional: Floats,
    conduct: Floats,
    hyperactivity: Floats,
    peer: Floats,
    prosocial: Floats,
    total: Floats,
    answered: Wholes,
    prorated: Wholes,
    band: Vec<Option<usize>>,
}

/// Scores the SDQ's 25 items; `upper` are the upper bounds of the bands of each row's total, in order.
#[pyfunction]
fn sdq_score(py: Python<'_>, items: PyReadonlyArray2<'_, f64>, upper: Vec<Vec<f64>>) -> PyResult<SdqScores> {
    let items = items.as_array();
    let out = crate::pool::compute(py, |_| sdq::score(items))?;
    let band = out.total.iter().zip(&upper).map(|(&total, upper)| sdq::band(total, upper)).collect();
    Ok(SdqScores {
        emotional: floats(py, out.emotional),
        conduct: floats(py, out.conduct),
        hyperactivity: floats(py, out.hyperactivity),
        peer: floats(py, out.peer),
        prosocial: floats(py, out.prosocial),
        total: floats(py, out.total),
        answered: wholes(py, &out.answered),
        prorated: wholes(py, &out.prorated),
        band,
    })
}

/// Scores of a rating scale, and how its items hang together.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct LikertScores {
    mean: Floats,
    total: Floats,
    answered: Wholes,
    alpha: f64,
    complete: usize,
    item_rest: Vec<f64>,
}

/// Scores a rating scale.
#[pyfunction]
fn likert_score(
    py: Python<'_>,
    items: PyReadonlyArray2<'_, f64>,
    names: Vec<String>,
    reversed: Vec<bool>,
    scale: (f64, f64),
    needed: f64,
) -> PyResult<LikertScores> {
    let options = likert::Options::new(scale.0, scale.1, &reversed, &names).needed(needed);
    let items = items.as_array();
    let out = crate::pool::compute(py, |_| likert::score(items, &options))?;
    Ok(LikertScores {
        mean: floats(py, out.mean),
        total: floats(py, out.total),
        answered: wholes(py, &out.answered),
        alpha: out.alpha,
        complete: out.complete,
        item_rest: out.item_rest,
    })
}

/// The scores of one group.
#[pyclass(module = "crewe._core", frozen, get_all)]
struct ScoreSummary {
    n: usize,
    missing: usize,
    mean: f64,
    sd: f64,
    min: f64,
    q1: f64,
    median: f64,
    q3: f64,
    max: f64,
}

/// Describes scores by group.
#[pyfunction]
fn summarise_scores(
    py: Python<'_>,
    scores: PyReadonlyArray1<'_, f64>,
    group: PyReadonlyArray1<'_, u32>,
    groups: usize,
) -> PyResult<Vec<ScoreSummary>> {
    let (scores, group) = (slice(&scores)?, slice(&group)?);
    let found = crate::pool::compute(py, |_| likert::summarise(scores, group, groups))?;
    let summaries = found.into_iter().map(|group| ScoreSummary {
        n: group.n,
        missing: group.missing,
        mean: group.mean,
        sd: group.sd,
        min: group.min,
        q1: group.q1,
        median: group.median,
        q3: group.q3,
        max: group.max,
    });
    Ok(summaries.collect())
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<CaseDates>()?;
    m.add_class::<CaseWindow>()?;
    m.add_class::<Recode>()?;
    m.add_class::<Excluded>()?;
    m.add_class::<PreparedCases>()?;
    m.add_class::<RiskFactors>()?;
    m.add_class::<RiskScores>()?;
    m.add_class::<Means>()?;
    m.add_class::<Differences>()?;
    m.add_class::<RiskChange>()?;
    m.add_class::<SdqScores>()?;
    m.add_class::<LikertScores>()?;
    m.add_class::<ScoreSummary>()?;
    m.add_function(wrap_pyfunction!(prepare_cases, m)?)?;
    m.add_function(wrap_pyfunction!(risk_score, m)?)?;
    m.add_function(wrap_pyfunction!(risk_change, m)?)?;
    m.add_function(wrap_pyfunction!(risk_bounds, m)?)?;
    m.add_function(wrap_pyfunction!(sdq_score, m)?)?;
    m.add_function(wrap_pyfunction!(likert_score, m)?)?;
    m.add_function(wrap_pyfunction!(summarise_scores, m)?)
}

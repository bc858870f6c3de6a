//! Analyses whose p-value is their own: the randomisation test, ranks, and rates by Fisher's exact test.
//!
//! Each is this crate's own test of the replicate's outcomes. The Mann-Whitney test compares the mean outcomes of units, so
//! that members of one cluster are never taken as independent; where units are individuals these are the outcomes.

use ndarray::Array2;

use super::analysis::{Analysis, Target};
use super::by_row::Seen;
use super::by_unit::{Answer, Coefficient};
use super::members::Sorted;
use super::model::{Model, RandomisationPlan, RanksPlan, RatesPlan, Tested};
use crate::design::LEFT_OUT;
use crate::inference::Compare;
use crate::nonparametric::{Alternative, Laws, MannWhitneyOptions, compared_by_ranks, fisher_test, newcombe};
use crate::progress::Monitor;
use crate::resampling::{ArmModel, Outcomes, Repeated, Statistic};
use crate::{Fault, Result};

/// What tests of all replicates share.
#[derive(Default)]
pub(super) struct Shared {
    /// The procedure, for the randomisation test.
    pub repeated: Option<Repeated>,
    /// Laws of rank sums.
    pub laws: Laws,
}

/// What the tests of one replicate need.
pub(super) struct Tests<'a> {
    pub repeated: Option<&'a Repeated>,
    pub laws: &'a Laws,
}

/// What is said of each arm that is compared with the reference.
type Answers = Vec<Option<Answer>>;

/// Tests the outcomes of replicate `number`; `analysis` comes with the number of arms.
pub(super) fn test(
    shared: &Tests<'_>,
    number: u64,
    rows: &Sorted,
    seen: &Seen<'_>,
    (analysis, arms): (Analysis, usize),
    monitor: &dyn Monitor,
) -> Result<Answers> {
    let known =
        |row: usize| !seen.y[row].is_nan() && (analysis.target != Target::Subgroup || seen.inside[row] > 0.0);
    match analysis.model {
        Model::RandomisationTest(plan) => {
            let y: Vec<f64> =
                (0..seen.y.len()).map(|row| if known(row) { seen.y[row] } else { f64::NAN }).collect();
            randomised(shared, number, rows, (seen, &y), (analysis, plan, arms), monitor)
        }
        Model::MannWhitney(plan) => ranks(shared, rows, seen, &known, (analysis, plan, arms), monitor),
        Model::Rates(plan) => rates(rows, seen, &known, (analysis, plan, arms)),
        _ => Ok(Vec::new()),
    }
}

fn answer(estimate: f64, p_value: f64, interval: Option<[f64; 2]>) -> Option<Answer> {
    let none = Coefficient { estimate, std_error: f64::NAN, df: f64::NAN };
    (!p_value.is_nan()).then_some(Answer {
        coefficient: none,
        p_value: Some(p_value),
        interval: Some(interval.unwrap_or([f64::NAN; 2])),
    })
}

fn randomised(
    shared: &Tests<'_>,
    number: u64,
    rows: &Sorted,
    (seen, y): (&Seen<'_>, &[f64]),
    (analysis, plan, arms): (Analysis, RandomisationPlan, usize),
    monitor: &dyn Monitor,
) -> Result<Answers> {
    let Some(repeated) = shared.repeated else { return Ok(Vec::new()) };
    // The reference first, as the test has it.
    let order: Vec<u8> = std::iter::once(analysis.reference).chain(analysis.compared(arms)).collect();
    let place = |arm: &u8| order.iter().position(|one| one == arm).map_or(LEFT_OUT, |place| place as u8);
    let arm: Vec<u8> = seen.arm.iter().map(place).collect();
    let outcomes = Outcomes::new("outcome", y, &rows.unit, seen.arm.len())?;
    let studentised = plan.studentised();
    let columns;
    let statistic = match plan.statistic {
        Tested::DifferenceInMeans => Statistic::DifferenceInMeans { studentised },
        Tested::DifferenceInUnitMeans => Statistic::DifferenceInUnitMeans { studentised },
        Tested::DifferenceInRates => Statistic::Rates { ratio: false, studentised },
        Tested::RateRatio => Statistic::Rates { ratio: true, studentised },
        Tested::RankSum => Statistic::RankSum { stratified: false, studentised },
        Tested::StratifiedRankSum => Statistic::RankSum { stratified: true, studentised },
        Tested::Coefficient => {
            columns = beside(seen.covariates);
            if studentised {
                Statistic::Model(ArmModel::linear(columns.view()))
            } else {
                Statistic::Adjusted(columns.view())
            }
        }
    };
    // The interval of a difference that is not studentised follows from the draws; others are searched for.
    let solved = arms == 2
        && !studentised
        && matches!(
            plan.statistic,
            Tested::DifferenceInMeans | Tested::DifferenceInUnitMeans | Tested::Coefficient
        );
    let found = repeated.test(number, &arm, &outcomes, statistic, solved, monitor)?;
    let of = |one: &crate::resampling::Comparison| {
        let mut said =
            answer(one.estimate, one.p_value, one.interval.map(|interval| [interval.low, interval.high]));
        if let Some(said) =
            said.as_mut().filter(|_| studentised && one.statistic.is_finite() && one.statistic != 0.0)
        {
            said.coefficient.std_error = one.estimate / one.statistic;
        }
        said
    };
    Ok(found.iter().map(of).collect())
}

/// A constant and the columns of the model.
fn beside(covariates: &Array2<f64>) -> Array2<f64> {
    let (n, q) = covariates.dim();
    Array2::from_shape_fn((n, q + 1), |(row, j)| if j == 0 { 1.0 } else { covariates[(row, j - 1)] })
}

fn ranks(
    shared: &Tests<'_>,
    rows: &Sorted,
    seen: &Seen<'_>,
    known: &dyn Fn(usize) -> bool,
    (analysis, plan, arms): (Analysis, RanksPlan, usize),
    monitor: &dyn Monitor,
) -> Result<Answers> {
    let units = seen.arm.len();
    let mean = |unit: usize| {
        let (first, end) = (rows.starts[unit] as usize, rows.starts[unit + 1] as usize);
        let (n, sum) = (first..end)
            .filter(|&row| known(row))
            .fold((0.0, 0.0), |(n, sum), row| (n + 1.0, sum + seen.y[row]));
        (n > 0.0).then_some(sum / n)
    };
    let means: Vec<Option<f64>> = (0..units).map(mean).collect();
    let of = |arm: u8| -> Vec<f64> {
        (0..units).filter(|&unit| seen.arm[unit] == arm).filter_map(|unit| means[unit]).collect()
    };
    let reference = of(analysis.reference);
    let mut options =
        MannWhitneyOptions::default().correct(plan.correct).level(1.0 - analysis.alpha).name("outcome");
    options.exact = plan.exact;
    let compared = |arm: u8| {
        let own = of(arm);
        let mut all = own.iter().chain(&reference);
        let first = all.next().copied();
        // Values that are all one have no test.
        if own.is_empty() || reference.is_empty() || all.all(|value| Some(*value) == first) {
            return Ok(None);
        }
        let found = compared_by_ranks(&own, &reference, &options, shared.laws, monitor)?;
        let interval = found.shift.interval;
        Ok(answer(found.shift.shift, found.p_value, Some([interval.low, interval.high])))
    };
    analysis.compared(arms).map(compared).collect()
}

fn rates(
    rows: &Sorted,
    seen: &Seen<'_>,
    known: &dyn Fn(usize) -> bool,
    (analysis, plan, arms): (Analysis, RatesPlan, usize),
) -> Result<Answers> {
    let mut counts = vec![[0_u64; 2]; arms];
    for row in (0..seen.y.len()).filter(|&row| known(row)) {
        let arm = usize::from(seen.arm[rows.unit[row] as usize]);
        if arm >= arms {
            continue;
        }
        let y = seen.y[row];
        if y != 0.0 && y != 1.0 {
            return Err(not_a_rate(rows, row, y));
        }
        counts[arm][0] += y as u64;
        counts[arm][1] += 1;
    }
    let [events, cases] = counts[usize::from(analysis.reference)];
    let compared = |arm: u8| {
        let [own, all] = counts[usize::from(arm)];
        // Nobody, or everybody: the table has one margin of 0.
        if all == 0 || cases == 0 {
            return Ok(None);
        }
        let (a, b) = (own as f64 / all as f64, events as f64 / cases as f64);
        let found = fisher_test([own, events], [all, cases], Alternative::TwoSided, 1.0 - analysis.alpha)?;
        Ok(if plan.compare == Compare::Ratio {
            let ratio = (a / b).ln();
            answer(if ratio.is_finite() { ratio } else { f64::NAN }, found.p_value, None)
        } else {
            let interval = newcombe([own, events], [all, cases], 1.0 - analysis.alpha)?;
            answer(a - b, found.p_value, Some([interval.low, interval.high]))
        })
    };
    analysis.compared(arms).map(compared).collect()
}

/// The fault of an outcome that is no event.
pub(super) fn not_a_rate(rows: &Sorted, row: usize, y: f64) -> crate::Error {
    Fault::new("rates are those of an outcome that is 0 or 1")
        .column("outcome")
        .rows([rows.order[row] as usize])
        .values([y.to_string()])
        .remedy("Let the function return 0 or 1, NaN where an outcome is lost")
        .input()
}

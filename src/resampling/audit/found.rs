//! From the redraws to size, power and coverage.

use serde::Serialize;

use super::options::{AuditOptions, Procedure};
use super::redraw::WIDTH;
use crate::nonparametric::wilson;
use crate::resampling::null::{check_draws, tolerance};
use crate::{Fault, Result};

/// The level of Monte Carlo intervals.
const LEVEL: f64 = 0.95;

/// What an audit found.
///
/// ```
/// use crewe::inference::Vcov;
/// use crewe::resampling::{AuditOptions, Procedure, audited};
/// let options = AuditOptions::default().procedures([Procedure::Vcov(Vcov::Cr1)]).alpha(0.25);
/// // Of four assignments, equally likely, one rejects; one gives no p-value.
/// let (no, yes) = ([0.6, f64::NAN, 1.0], [0.2, f64::NAN, 0.0]);
/// let values = [no, yes, [f64::NAN; 3], no].concat();
/// let found = audited(&values, Some(&[1.0; 4]), f64::NAN, &options)?;
/// let cr1 = &found.procedures[0];
/// assert_eq!((cr1.size, cr1.size_low, cr1.no_answer), (0.25, 0.25, 0.25));
/// assert!((cr1.coverage - 2.0 / 3.0).abs() < 1e-15 && cr1.power.is_nan() && found.exact);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Audit {
    /// Every procedure, in the order in which they were asked.
    pub procedures: Vec<AuditRow>,
    /// Whether all assignments were used.
    pub exact: bool,
    /// How many assignments the shares stand on.
    pub redraws: usize,
}

/// How one procedure fares; not a number where something is not defined.
///
/// ```
/// use crewe::resampling::{AuditOptions, audited};
/// let options = AuditOptions::default();
/// // Without any answer there is nothing to say of coverage.
/// let found = audited(&vec![f64::NAN; 19 * 6 * 3], None, f64::NAN, &options)?;
/// assert!(found.procedures.iter().all(|row| row.no_answer == 1.0 && row.coverage.is_nan()));
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuditRow {
    /// The procedure.
    pub procedure: Procedure,
    /// The share of all redraws in which it rejects.
    pub size: f64,
    /// The lower end of its 95% Monte Carlo interval (Wilson); the size itself where all assignments were used.
    pub size_low: f64,
    /// The upper end.
    pub size_high: f64,
    /// The share of all redraws in which it rejects under the stated effect.
    pub power: f64,
    /// The share of its intervals that hold a constant effect.
    pub coverage: f64,
    /// The share of redraws in which it gives no p-value.
    pub no_answer: f64,
}

/// Sums up the redraws (redraws x procedures x 3, as [`super::Audited::values`] gives them: of each its p-value, that under
/// the stated effect, and whether its interval holds the effect; of the randomisation test the statistic stands for p),
/// with weights where all assignments were used. The power of the randomisation test is that of
/// [`super::Audited::power_of_the_test`], or not a number.
///
/// # Errors
/// [`crate::Error::Input`] for fewer redraws than could reject at the level, and for numbers that do not fit.
pub fn audited(
    values: &[f64],
    weight: Option<&[f64]>,
    power_of_the_test: f64,
    options: &AuditOptions,
) -> Result<Audit> {
    options.check()?;
    let width = WIDTH * options.procedures.len();
    let redraws = values.len() / width;
    if redraws * width != values.len() || weight.is_some_and(|weight| weight.len() != redraws) {
        return Err(Fault::new("the numbers of the redraws do not fit the procedures")
            .values([values.len().to_string(), width.to_string()])
            .remedy("Give three for each procedure and redraw, and a weight for each redraw")
            .input());
    }
    if weight.is_none() {
        check_draws(redraws, 1.0 - options.alpha)?;
    }
    let rows = options.procedures.iter().enumerate().map(|(place, &procedure)| {
        let column = |k: usize| -> Vec<f64> {
            values.chunks_exact(width).map(|redraw| redraw[WIDTH * place + k]).collect()
        };
        let (p, power, covered) = match procedure {
            Procedure::RandomisationTest => {
                let p = among_themselves(&column(0), weight);
                let held = |(p, interval): (&f64, f64)| {
                    if interval.is_nan() { f64::NAN } else { f64::from(u8::from(!options.rejects(*p))) }
                };
                let covered = p.iter().zip(column(2)).map(held).collect();
                (p, vec![f64::NAN; redraws], covered)
            }
            _ => (column(0), column(1), column(2)),
        };
        row(procedure, [&p, &power, &covered], weight, options)
    });
    let mut procedures: Vec<AuditRow> = rows.collect::<Result<_>>()?;
    for row in procedures.iter_mut().filter(|row| row.procedure == Procedure::RandomisationTest) {
        row.power = power_of_the_test;
    }
    Ok(Audit { procedures, exact: weight.is_some(), redraws })
}

fn row(
    procedure: Procedure,
    [p, power, covered]: [&[f64]; 3],
    weight: Option<&[f64]>,
    options: &AuditOptions,
) -> Result<AuditRow> {
    // With equal weights sums are counts, so that shares are those of a loop to the last bit.
    let sum = |counts: &dyn Fn(usize) -> bool| -> f64 {
        // From 0 on: an empty sum of floats is -0.
        let weights = (0..p.len()).filter(|&i| counts(i)).map(|i| weight.map_or(1.0, |weight| weight[i]));
        weights.fold(0.0, |sum, weight| sum + weight)
    };
    let all = sum(&|_| true);
    let rejected = sum(&|i| options.rejects(p[i]));
    let size = rejected / all;
    let (size_low, size_high) = if weight.is_some() {
        (size, size)
    } else {
        let interval = wilson(rejected as u64, p.len() as u64, LEVEL)?;
        (interval.low, interval.high)
    };
    let answered = sum(&|i| !covered[i].is_nan());
    let powered = power.iter().any(|p| !p.is_nan());
    Ok(AuditRow {
        procedure,
        size,
        size_low,
        size_high,
        power: if powered { sum(&|i| options.rejects(power[i])) / all } else { f64::NAN },
        coverage: if answered > 0.0 { sum(&|i| covered[i] == 1.0) / answered } else { f64::NAN },
        no_answer: sum(&|i| p[i].is_nan()) / all,
    })
}

/// The two-sided p-value of every redraw among all of them, as the randomisation test of that redraw would give it: of
/// draws the one that is judged stands beside the others, so that p is its rank among all; of listed assignments it is the
/// probability of those at least as extreme.
fn among_themselves(statistic: &[f64], weight: Option<&[f64]>) -> Vec<f64> {
    let weight = |i: usize| weight.map_or(1.0, |weight| weight[i]);
    let mut order: Vec<usize> = (0..statistic.len()).filter(|&i| !statistic[i].is_nan()).collect();
    order.sort_by(|&a, &b| statistic[a].total_cmp(&statistic[b]));
    let sorted: Vec<f64> = order.iter().map(|&i| statistic[i]).collect();
    // before[i] is the weight of those before place i.
    let mut before = vec![0.0];
    for &i in &order {
        before.push(before[before.len() - 1] + weight(i));
    }
    let all = before[before.len() - 1];
    let sd = spread(&order, statistic, &weight);
    let p = |&value: &f64| {
        if value.is_nan() {
            return f64::NAN;
        }
        let near = tolerance(value, sd);
        let lower = before[sorted.partition_point(|&other| other <= value + near)];
        let upper = all - before[sorted.partition_point(|&other| other < value - near)];
        (2.0 * lower.min(upper) / all).min(1.0)
    };
    statistic.iter().map(p).collect()
}

/// The standard deviation of the finite values.
fn spread(order: &[usize], statistic: &[f64], weight: &dyn Fn(usize) -> f64) -> f64 {
    let finite = || order.iter().filter(|&&i| statistic[i].is_finite());
    let total: f64 = finite().map(|&i| weight(i)).sum();
    let mean = finite().map(|&i| weight(i) * statistic[i]).sum::<f64>() / total;
    let squares: f64 = finite().map(|&i| weight(i) * (statistic[i] - mean).powi(2)).sum();
    (squares / total).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nonparametric::Alternative;
    use crate::resampling::null::tails;

    #[test]
    fn redraws_are_judged_among_all_as_the_test_judges_them() {
        // Ties, infinities and one without a statistic.
        let statistic = [0.3, -1.0, 2.0, 2.0 + 1e-12, f64::INFINITY, -0.4, f64::NAN, 0.3];
        let kept: Vec<usize> = (0..8).filter(|i| *i != 6).collect();
        let weight = [0.1, 0.2, 0.1, 0.1, 0.05, 0.25, 0.1, 0.1];
        let values: Vec<f64> = kept.iter().map(|&i| statistic[i]).collect();
        let listed = among_themselves(&statistic, Some(&weight));
        let drawn = among_themselves(&statistic, None);
        assert!(listed[6].is_nan() && drawn[6].is_nan());
        let weights: Vec<f64> = kept.iter().map(|&i| weight[i]).collect();
        for &i in &kept {
            let whole = tails(&values, Some(&weights), statistic[i]).unwrap();
            assert!((listed[i] - whole.p_value(Alternative::TwoSided)).abs() < 1e-12, "{i}");
            let others: Vec<f64> = kept.iter().filter(|&&j| j != i).map(|&j| statistic[j]).collect();
            let beside = tails(&others, None, statistic[i]).unwrap();
            assert!((drawn[i] - beside.p_value(Alternative::TwoSided)).abs() < 1e-12, "{i}");
        }
    }
}

//! Replays by unit and by row, of several arms, by number, and without an effect.

use ndarray::Array2;

use super::super::analysis::Analysis;
use super::super::arrivals::{Arrivals, Kind, Overflow, Pace};
use super::super::diagnosands::diagnose;
use super::super::members::Rows;
use super::super::model::{RandomisationPlan, Tested};
use super::super::outcomes::Outcome;
use super::super::outcomes::{Binary, Continuous, Sharing};
use super::super::sizes::Sizes;
use super::*;
use crate::design::{Assignment, Blocks, Column, Complete, Design, Misfits, Units};
use crate::inference::Vcov;
use crate::nonparametric::Alternative;
use crate::progress::NoMonitor;
use crate::resampling::{
    ArmModel, Outcomes, RandomisationOptions, Statistic, randomisation_test, randomisation_values, tails,
};
use crate::rng::Seed;

/// 41 families of 1 to 5, in three strata, with a covariate of the family; rows in no order.
fn rows() -> (Vec<u32>, Array2<f64>, Vec<String>) {
    let family: Vec<u32> = (0..123_u32).map(|row| (row * 29 % 123) % 41).chain([3, 3, 7, 40]).collect();
    let stratum = |g: u32| g % 3;
    let covariates = Array2::from_shape_fn((family.len(), 3), |(row, j)| {
        let g = family[row];
        match j {
            0 => f64::from(u8::from(stratum(g) == 1)),
            1 => f64::from(u8::from(stratum(g) == 2)),
            _ => f64::from(g * g % 11),
        }
    });
    let strata = family.iter().map(|&g| stratum(g).to_string()).collect();
    (family, covariates, strata)
}

fn trial(outcome: impl Into<Outcome>, vcov: Vcov, method: Complete) -> Trial {
    let (family, covariates, strata) = rows();
    let design = Design::new("t").arm("a", 1).arm("b", 2).cluster("family").strata(["s"]).method(method);
    let ids = Column::from_values("family", family.iter().map(|g| format!("{g:03}")));
    let units = Units::from_rows(design.unit().unwrap(), &ids, &[Column::from_values("s", &strata)]).unwrap();
    let members = Rows::new(units.rows().to_vec()).covariates(covariates).into();
    let analysis = Analysis::new(vcov, 0.05);
    Trial::new(&design, &units, members, outcome.into(), analysis, &Seed::Integer(4), &NoMonitor).unwrap()
}

fn same(a: &Replicates, b: &Replicates) {
    assert_eq!(a.status, b.status);
    for (name, a, b) in [
        ("estimate", &a.estimate, &b.estimate),
        ("std_error", &a.std_error, &b.std_error),
        ("df", &a.df, &b.df),
    ] {
        for (i, (x, y)) in a.iter().zip(b).enumerate() {
            assert!((x - y).abs() <= 1e-9 * y.abs().max(0.1), "{name} of {i}: {x}, {y}");
        }
    }
}

/// The algebra by unit gives what the fit of the rows gives, from the same numbers.
#[test]
fn units_and_rows_agree() {
    let outcomes: [Outcome; 3] = [
        Continuous { effect: 0.4, icc: 0.3, ..Continuous::default() }.into(),
        Binary { baseline: 0.226, effect: 0.2, icc: 0.36, ..Binary::default() }.into(),
        Binary { baseline: 0.3, icc: 0.5, sharing: Sharing::LatentNormal, ..Binary::default() }.into(),
    ];
    let left_out = Complete::default().misfits(Misfits::LeaveOut);
    for outcome in outcomes {
        for method in [Complete::default(), left_out] {
            for vcov in [Vcov::Cr0, Vcov::Cr1, Vcov::Cr1s, Vcov::Cr2, Vcov::Cr3] {
                let fast = trial(outcome.clone(), vcov, method);
                assert!(fast.by_unit.is_some());
                let mut slow = trial(outcome.clone(), vcov, method);
                slow.by_unit = None;
                let [a, b] = [fast, slow].map(|t| t.replicates(0..40, None, &NoMonitor).unwrap());
                assert!(a.count(Status::Answered) > 38);
                same(&a, &b);
            }
        }
    }
}

/// Three arms at doses of their own, with and without lost outcomes: by unit, by row, and from outcomes that were given.
#[test]
fn several_arms_and_lost_outcomes() {
    let (family, covariates, strata) = rows();
    let design = Design::new("t").arm("a", 1).arm("b", 2).arm("c", 1).cluster("family").strata(["s"]);
    let ids = Column::from_values("family", family.iter().map(|g| format!("{g:03}")));
    let units = Units::from_rows(design.unit().unwrap(), &ids, &[Column::from_values("s", &strata)]).unwrap();
    for dropout in [0.0, 0.2] {
        for vcov in [Vcov::Cr1, Vcov::Cr2] {
            let make = || {
                let members = Rows::new(units.rows().to_vec()).covariates(covariates.clone()).into();
                let outcome = Continuous { effect: 1.0, icc: 0.3, dropout, ..Continuous::default() }.into();
                let analysis = Analysis::new(vcov, 0.05).reference(2);
                let seed = Seed::Integer(4);
                Trial::new(&design, &units, members, outcome, analysis, &seed, &NoMonitor)
                    .and_then(|trial| trial.doses(&[0.0, 0.5, 2.0]))
                    .unwrap()
            };
            let fast = make();
            assert!(fast.by_unit.is_some());
            assert_eq!((fast.compared(), fast.effects(1.0)), (vec![0, 1], vec![-2.0, -1.5]));
            let mut slow = make();
            slow.by_unit = None;
            let [a, b] = [&fast, &slow].map(|t| t.replicates(0..40, None, &NoMonitor).unwrap());
            assert_eq!((a.contrasts, a.len(), a.status.len()), (2, 40, 80));
            assert!(a.count(Status::Answered) > 76);
            same(&a, &b);
            let drawn = slow.outcomes(3..20, None, &NoMonitor).unwrap();
            let lost = drawn.y.iter().filter(|y| y.is_nan()).count() as f64 / drawn.y.len() as f64;
            assert!((lost - dropout).abs() < 0.05, "{lost}");
            let again = slow.fitted(3, drawn.y.view(), None, &NoMonitor).unwrap();
            assert_eq!(again.estimate, b.estimate[6..40]);
            let first: Vec<f64> = b.estimate.iter().step_by(2).copied().collect();
            assert_eq!(b.of(0).estimate, first);
        }
    }
}

#[test]
fn replicates_are_found_by_their_number() {
    let made = trial(Binary { icc: 0.2, ..Binary::default() }, Vcov::Cr2, Complete::default());
    let all = made.replicates(0..300, None, &NoMonitor).unwrap();
    let mut parts = made.replicates(0..131, None, &NoMonitor).unwrap();
    parts.extend(&made.replicates(131..300, None, &NoMonitor).unwrap());
    assert_eq!(all, parts);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(all, one.install(|| made.replicates(0..300, None, &NoMonitor)).unwrap());
}

/// Without an effect the diagnosands are those of a valid test; with one the estimates are unbiased.
#[test]
fn size_coverage_and_bias() {
    let made =
        trial(Continuous { effect: 0.6, icc: 0.3, ..Continuous::default() }, Vcov::Cr2, Complete::default());
    let null = diagnose(&made.replicates(0..4_000, Some(0.0), &NoMonitor).unwrap(), 0.0, 0.05).unwrap();
    assert!(null.power.low < 0.05 && 0.05 < null.power.high, "{:?}", null.power);
    assert!(null.type_s.value.is_nan());
    let found = diagnose(&made.replicates(0..4_000, None, &NoMonitor).unwrap(), 0.6, 0.05).unwrap();
    assert!(found.coverage.low < 0.95 && 0.95 < found.coverage.high, "{:?}", found.coverage);
    assert!(found.bias.low < 0.0 && 0.0 < found.bias.high, "{:?}", found.bias);
    assert!(found.power.value > 0.3 && found.type_m.value > 1.0 && found.convergence.value == 1.0);
}

/// Every replicate's p-value is that of the randomisation test against draws of its own number.
#[test]
fn randomisation_tests_are_compared_with_draws_of_their_own() {
    let (family, covariates, strata) = rows();
    let design = Design::new("t").arm("a", 1).arm("b", 2).cluster("family").strata(["s"]);
    let ids = Column::from_values("family", family.iter().map(|g| format!("{g:03}")));
    let units = Units::from_rows(design.unit().unwrap(), &ids, &[Column::from_values("s", &strata)]).unwrap();
    let seed = Seed::Integer(4);
    let own = Seed::Integer(Stream::new::<&str>(&seed, "simulate/randomisation", &[], 0).next_u64());
    let home = design.clone().seed(9).assign(&units).unwrap();
    let columns = Array2::from_shape_fn((family.len(), 4), |(row, j)| match j {
        0 => 1.0,
        j => covariates[(row, j - 1)],
    });
    for tested in [Tested::DifferenceInMeans, Tested::Coefficient] {
        let plan = RandomisationPlan { statistic: tested, draws: 99, studentised: None };
        let members = Rows::new(units.rows().to_vec()).covariates(covariates.clone()).into();
        let outcome = Continuous { effect: 0.6, icc: 0.3, ..Continuous::default() }.into();
        let analysis = Analysis::new(Vcov::Cr2, 0.05).model(Model::RandomisationTest(plan));
        let made = Trial::new(&design, &units, members, outcome, analysis, &seed, &NoMonitor).unwrap();
        let found = made.replicates(0..6, None, &NoMonitor).unwrap();
        let arms = made.arms(0..6, &NoMonitor).unwrap();
        let y = made.outcomes(0..6, None, &NoMonitor).unwrap().y;
        for i in 0..6_u64 {
            let at = i as usize;
            let trial = Assignment { arm: arms.row(at).to_vec(), ..home.clone() };
            let outcomes =
                Outcomes::new("y", y.row(at).as_slice().unwrap(), units.rows(), units.len()).unwrap();
            let statistic = match tested {
                Tested::Coefficient => Statistic::Model(ArmModel::linear(columns.view())),
                _ => Statistic::DifferenceInMeans { studentised: false },
            };
            let options = RandomisationOptions::default().draws(99).seed(own.clone()).interval(false);
            let part = (0.0, 99 * i..99 * (i + 1));
            let values =
                randomisation_values(&design, &trial, &outcomes, statistic, &options, part, &NoMonitor)
                    .unwrap();
            let values: Vec<f64> = values.iter().step_by(values.len() / 99).copied().collect();
            let whole =
                randomisation_test(&design, &trial, &outcomes, statistic, &options, &NoMonitor).unwrap();
            let observed = whole.comparisons[0].statistic;
            let p = tails(&values, None, observed).unwrap().p_value(Alternative::TwoSided);
            assert!((p - found.p_value[at]).abs() < 1e-12, "{tested} {i}: {p}, {}", found.p_value[at]);
            assert!((whole.comparisons[0].estimate - found.estimate[at]).abs() < 1e-12);
            // The first replicate has the first draws, as the test itself.
            assert!(i > 0 || whole.comparisons[0].p_value == found.p_value[at]);
        }
        assert!(found.p_value.iter().any(|p| *p < 0.5) && found.interval.is_some());
    }
}

/// Counting on which side of the level the p-values lie, under arms that were kept, gives what the replicates give.
#[test]
fn kept_arms_and_judged_p_values_count_the_same_rejections() {
    for vcov in [Vcov::Cr1, Vcov::Cr2] {
        let outcome = Binary { baseline: 0.3, effect: 0.2, icc: 0.2, ..Binary::default() };
        let made = trial(outcome, vcov, Complete::default());
        let held = made.held(500, &NoMonitor).unwrap();
        assert_eq!(held.as_ref().map(Array2::dim), Some((500, 41)));
        for effect in [0.0, 0.2, 0.3] {
            let whole = made.replicates(0..500, Some(effect), &NoMonitor).unwrap();
            let counted = made.rejected(500, (effect, Detect::default()), held.as_ref(), &NoMonitor).unwrap();
            assert_eq!(counted, whole.rejections(0.05, Detect::default()));
        }
    }
}

/// Of units that arrive the sums and the rows say the same, with strata that may be empty and outcomes that are lost.
#[test]
fn units_that_arrive_and_their_rows_agree() {
    let design = Design::new("t").arm("a", 1).arm("b", 2).cluster("f").strata(["s"]).method(Blocks::new([3]));
    let kind = |label: &str, weight| Kind { stratum: vec![label.to_owned()], factors: Vec::new(), weight };
    let columns = ndarray::array![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
    let ids = Column::from_values("f", ["1", "2", "3"]);
    let strata = Column::from_values("s", ["x", "y", "z"]);
    let units = Units::from_rows(design.unit().unwrap(), &ids, &[strata]).unwrap();
    for dropout in [0.0, 0.2] {
        let make = || {
            let sizes = Sizes::new([(1, 1), (3, 2)]).unwrap();
            let arrivals = Arrivals::new(Pace::Rates(vec![4.0; 8]), 8.0, sizes)
                .kinds(vec![kind("x", 20), kind("y", 10), kind("z", 1)], columns.clone())
                .places(1, 5)
                .period(2.0, Overflow::DrawFirst);
            let outcome = Continuous { effect: 0.4, icc: 0.3, dropout, ..Continuous::default() }.into();
            let analysis = Analysis::new(Vcov::Cr2, 0.05);
            let seed = Seed::Integer(4);
            Trial::new(&design, &units, arrivals.into(), outcome, analysis, &seed, &NoMonitor).unwrap()
        };
        let fast = make();
        assert!(fast.by_unit.is_some() && fast.held(10, &NoMonitor).unwrap().is_none());
        let mut slow = make();
        slow.by_unit = None;
        let [a, b] = [&fast, &slow].map(|t| t.replicates(0..60, None, &NoMonitor).unwrap());
        assert!(a.count(Status::Answered) > 50);
        same(&a, &b);
        let came = fast.recruited(0..60, &NoMonitor).unwrap();
        assert!(came.column(3).iter().all(|&refused| refused == 0) && came.column(4).sum() > 0);
        assert!(fast.outcomes(0..2, None, &NoMonitor).is_err() && fast.need_rows().is_err());
    }
}

//! The randomisation test: against coin, against plain enumeration, its size, and what must not change it.

mod common;

use common::{close, expected, number, numbers};
use crewe::design::{
    Assignment, BiasedCoin, BigStick, Blocks, Column, Complete, Design, Fraction, Imbalance, Method,
    Minimisation, Misfits, Simple, Units,
};
use crewe::nonparametric::Alternative;
use crewe::progress::{Monitor, NoMonitor};
use crewe::resampling::*;
use crewe::rng::{Seed, Stream};
use proptest::prelude::*;

const MEANS: Statistic<'static> = Statistic::DifferenceInMeans { studentised: false };
const STUDENTISED: Statistic<'static> = Statistic::DifferenceInMeans { studentised: true };

/// One row a unit, in strata, arriving in order of their numbers.
fn units(design: &Design, strata: &[usize]) -> Units {
    let ids = Column::from_values("unit", (0..strata.len()).map(|i| format!("{i:04}")));
    let site = Column::from_values("site", strata.iter().map(ToString::to_string));
    let columns = if design.strata_columns().is_empty() { vec![] } else { vec![site.clone()] };
    let order: Vec<i64> = (0..strata.len() as i64).collect();
    Units::from_rows(design.unit().unwrap(), &ids, &columns)
        .unwrap()
        .arriving("order", &order)
        .unwrap()
        .factor(&Column::from_values("site factor", strata.iter().map(ToString::to_string)))
        .unwrap()
}

fn design(ratio: [u32; 2], stratified: bool, method: impl Into<Method>) -> Design {
    let made = Design::new("test").arm("control", ratio[0]).arm("crewe", ratio[1]).individual("unit");
    let made = made.method(method).seed(7);
    if stratified { made.strata(["site"]) } else { made }
}

fn trial(design: &Design, units: &Units, arm: &[u8]) -> Assignment {
    let probability = design.probabilities(units).unwrap();
    let mut made = design.assign(units).unwrap();
    made.arm = arm.to_vec();
    made.probability = probability.arm;
    made
}

fn outcomes(values: &[f64]) -> Outcomes {
    let unit: Vec<u32> = (0..values.len() as u32).collect();
    Outcomes::new("score", values, &unit, values.len()).unwrap()
}

fn options(draws: u64) -> RandomisationOptions {
    RandomisationOptions::default().draws(draws).seed(Seed::Integer(3))
}

fn test(design: &Design, units: &Units, arm: &[u8], y: &[f64], draws: u64) -> RandomisationTest {
    let trial = trial(design, units, arm);
    randomisation_test(design, &trial, &outcomes(y), MEANS, &options(draws), &NoMonitor).unwrap()
}

#[test]
fn exact_one_sided_p_is_that_of_coin() {
    for (name, case) in expected("randomisation_test")["cases"].as_object().unwrap() {
        let y = numbers(&case["y"]);
        let arm: Vec<u8> = numbers(&case["arm"]).iter().map(|&a| a as u8).collect();
        let block: Vec<usize> = numbers(&case["block"]).iter().map(|&b| b as usize).collect();
        let ratio = if name == "ratio" { [1, 2] } else { [1, 1] };
        let design = design(ratio, true, Complete::default());
        let found = test(&design, &units(&design, &block), &arm, &y, 10_000);
        assert!(found.exact, "{name}");
        let comparison = &found.comparisons[0];
        close(comparison.p_upper, number(&case["greater"]), 1e-12, name);
        close(comparison.p_lower, number(&case["less"]), 1e-12, name);
        close(comparison.p_value, 2.0 * comparison.p_upper.min(comparison.p_lower).min(0.5), 1e-12, name);
    }
}

/// Five units at 2:1 are 3 and 1 and one place, so assignments of 3 and of 4 are not equally likely: those of 4 : 1 (5)
/// have 1/3 together and those of 3 : 2 (10) have 2/3.
#[test]
fn unequal_probabilities_are_weights() {
    let design = design([1, 2], false, Complete::default());
    let units = units(&design, &[0; 5]);
    let y = [1.0, 2.0, 4.0, 8.0, 16.0];
    let arm = [0, 0, 1, 1, 1];
    let found = test(&design, &units, &arm, &y, 1000);
    assert!(found.exact);
    assert_eq!(found.assignments, 15);
    let difference = |arm: &[u8]| {
        let mean = |which| {
            let kept: Vec<f64> = (0..5).filter(|&i| arm[i] == which).map(|i| y[i]).collect();
            kept.iter().sum::<f64>() / kept.len() as f64
        };
        mean(1) - mean(0)
    };
    let mut upper = 0.0;
    for bits in 0_u32..32 {
        let other: Vec<u8> = (0..5).map(|i| (bits >> i & 1) as u8).collect();
        // Three or four places with probability 2/3 and 1/3, each among 10 or 5 assignments.
        let (split, of) = match bits.count_ones() {
            3 => (2.0 / 3.0, 10.0),
            4 => (1.0 / 3.0, 5.0),
            _ => continue,
        };
        let chance = split / of;
        upper += if difference(&other) >= difference(&arm) - 1e-9 { chance } else { 0.0 };
    }
    close(found.comparisons[0].p_upper, upper, 1e-12, "p");
}

/// The interval's ends are where the two-sided p, computed anew on outcomes less the effect, passes 1 - level.
#[test]
fn the_interval_holds_what_is_not_rejected() {
    let y = [3.1, 9.4, 4.2, 8.8, 2.0, 7.9, 14.3, 11.7, 19.2, 12.1, 15.5, 10.4];
    let arm = [0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 1, 0];
    let strata = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1];
    let design = design([1, 1], true, Complete::default());
    let units = units(&design, &strata);
    let trial = trial(&design, &units, &arm);
    for draws in [10_000, 99] {
        for (statistic, near) in [(MEANS, 1e-7), (STUDENTISED, 1e-6)] {
            let p = |effect: f64| {
                let less: Vec<f64> = y.iter().zip(arm).map(|(y, a)| y - effect * f64::from(a)).collect();
                let found = randomisation_test(
                    &design,
                    &trial,
                    &outcomes(&less),
                    statistic,
                    &options(draws),
                    &NoMonitor,
                );
                found.unwrap().comparisons[0].p_value
            };
            let found =
                randomisation_test(&design, &trial, &outcomes(&y), statistic, &options(draws), &NoMonitor)
                    .unwrap();
            assert_eq!(found.exact, draws == 10_000);
            let interval = found.comparisons[0].interval.unwrap();
            assert!(interval.low.is_finite() && interval.high.is_finite());
            let ends = [interval.low + near, interval.high - near, interval.low - near, interval.high + near];
            let found = ends.map(p);
            assert!(found[0] > 0.05 && found[1] > 0.05, "{draws} {near}: {ends:?} {found:?}");
            assert!(found[2] <= 0.05 && found[3] <= 0.05, "{draws} {near}: {ends:?} {found:?}");
        }
    }
}

#[test]
fn too_few_assignments_give_an_unbounded_interval() {
    let design = design([1, 1], false, Complete::default());
    let units = units(&design, &[0; 4]);
    let found = test(&design, &units, &[0, 1, 0, 1], &[1.0, 2.0, 3.0, 9.0], 100);
    let interval = found.comparisons[0].interval.unwrap();
    assert_eq!((interval.low, interval.high), (f64::NEG_INFINITY, f64::INFINITY));
    assert!(found.notes.iter().any(|note| note.contains("too few assignments")));
}

/// A model with covariates gives the coefficient that the arm has in the regression itself, on any assignment.
#[test]
fn adjusted_is_the_coefficient_of_the_regression() {
    let design = design([1, 1], false, Complete::default());
    let units = units(&design, &[0; 20]);
    let assignment = design.assign(&units).unwrap();
    let mut stream = Stream::new::<&str>(&Seed::Integer(5), "test", &[], 0);
    let x = ndarray::Array2::from_shape_fn((20, 3), |(_, j)| if j == 0 { 1.0 } else { stream.normal() });
    let y: Vec<f64> = (0..20).map(|i| x[[i, 1]] * 2.0 + stream.normal()).collect();
    let found = randomisation_test(
        &design,
        &assignment,
        &outcomes(&y),
        Statistic::Adjusted(x.view()),
        &options(50),
        &NoMonitor,
    )
    .unwrap();
    let draws = design.draws(&units, 50, Some(&Seed::Integer(3)), &NoMonitor).unwrap();
    let slope = |arm: &dyn Fn(usize) -> u8| {
        let columns =
            ndarray::Array2::from_shape_fn(
                (20, 3),
                |(i, j)| {
                    if j == 0 { f64::from(arm(i)) } else { x[[i, j]] }
                },
            );
        let y = ndarray::Array1::from_vec(y.clone());
        crewe::regression::Ols::new(y.view(), columns.view()).fit().unwrap().coef()[1]
    };
    close(found.comparisons[0].estimate, slope(&|i| assignment.arm[i]), 1e-10, "estimate");
    for (draw, &value) in found.comparisons[0].distribution.iter().enumerate() {
        close(value, slope(&|i| draws[[draw, i]]), 1e-9, "draw");
    }
    let interval = found.comparisons[0].interval.unwrap();
    assert!(interval.low < found.comparisons[0].estimate && found.comparisons[0].estimate < interval.high);
}

#[test]
fn a_function_gives_what_the_built_in_statistic_gives() {
    let design = design([1, 2], true, Complete::default());
    let strata: Vec<usize> = (0..40).map(|i| i % 3).collect();
    let units = units(&design, &strata);
    let assignment = design.assign(&units).unwrap();
    let y: Vec<f64> = (0..40).map(|i| f64::from((i * 37 % 19) as u8)).collect();
    let difference = |y: &[f64], arm: &[u8]| {
        let mean = |which| {
            let kept: Vec<f64> = (0..40).filter(|&i| arm[i] == which).map(|i| y[i]).collect();
            kept.iter().sum::<f64>() / kept.len() as f64
        };
        mean(1) - mean(0)
    };
    let all = options(199).interval(true);
    let run = |statistic: Statistic<'_>| {
        randomisation_test(&design, &assignment, &outcomes(&y), statistic, &all, &NoMonitor).unwrap()
    };
    let (built_in, own) = (run(MEANS), run(Statistic::User(&difference)));
    let (a, b) = (&built_in.comparisons[0], &own.comparisons[0]);
    assert_eq!((a.p_lower, a.p_upper), (b.p_lower, b.p_upper));
    let (i, j) = (a.interval.unwrap(), b.interval.unwrap());
    close(i.low, j.low, 1e-8, "low");
    close(i.high, j.high, 1e-8, "high");

    // Not a number on most draws: refused, with their number, and not left out.
    let broken = |_: &[f64], arm: &[u8]| if arm == assignment.arm { 1.0 } else { f64::NAN };
    let error = randomisation_test(
        &design,
        &assignment,
        &outcomes(&y),
        Statistic::User(&broken),
        &options(199),
        &NoMonitor,
    )
    .unwrap_err();
    assert!(error.to_string().contains("on 199 of 199 assignments"), "{error}");
}

#[test]
fn several_arms_have_an_omnibus_test() {
    let design = Design::new("three").arm("a", 1).arm("b", 1).arm("c", 1).individual("unit").seed(1);
    let units = units(&design, &[0; 9]);
    let mut assignment = design.assign(&units).unwrap();
    assignment.arm = vec![0, 0, 0, 1, 1, 1, 2, 2, 2];
    let y = [1.0, 2.0, 3.0, 1.5, 2.5, 3.5, 11.0, 12.0, 13.0];
    let found =
        randomisation_test(&design, &assignment, &outcomes(&y), MEANS, &options(2000), &NoMonitor).unwrap();
    assert_eq!(found.assignments, 1680);
    assert!(found.exact);
    let support = design.support(&units, 2000).unwrap().unwrap();
    let mean = |arm: ndarray::ArrayView1<'_, u8>, which| {
        (0..9).filter(|&i| arm[i] == which).map(|i| y[i]).sum::<f64>() / 3.0
    };
    let as_large = support.arm.rows().into_iter().filter(|arm| mean(*arm, 2) - mean(*arm, 0) >= 10.0 - 1e-9);
    let (of_b, of_c) = (&found.comparisons[0], &found.comparisons[1]);
    assert_eq!((of_b.estimate, of_c.estimate), (0.5, 10.0));
    close(of_c.p_upper, as_large.count() as f64 / 1680.0, 1e-12, "c");
    assert!(of_b.p_value > 0.05 && of_c.p_value < 0.05);
    assert!(found.omnibus.unwrap().p_value < 0.05);
    assert!(found.comparisons.iter().all(|c| c.interval.is_none()));
}

#[test]
fn missing_outcomes_are_drawn_again_and_not_counted() {
    let design = design([1, 1], false, Complete::default());
    let units = units(&design, &[0; 8]);
    let arm = [0, 1, 0, 1, 0, 1, 0, 1];
    let y = [1.0, 5.0, f64::NAN, 4.0, 2.0, f64::NAN, 3.0, 9.0];
    let found = test(&design, &units, &arm, &y, 1000);
    assert_eq!(found.assignments, 70);
    // The same by a mask over units whose outcomes are known.
    let full = [1.0, 5.0, 7.0, 4.0, 2.0, 8.0, 3.0, 9.0];
    let compared: Vec<bool> = y.iter().map(|y| !y.is_nan()).collect();
    let masked = outcomes(&full).comparing(&compared).unwrap();
    let trial = trial(&design, &units, &arm);
    let again = randomisation_test(&design, &trial, &masked, MEANS, &options(1000), &NoMonitor).unwrap();
    assert_eq!(found.comparisons, again.comparisons);
}

#[test]
fn assignments_without_an_arm_are_conditioned_away() {
    let design = design([1, 1], false, Simple::default());
    let units = units(&design, &[0; 4]);
    let found = test(&design, &units, &[0, 0, 1, 1], &[1.0, 2.0, 3.0, 4.0], 100);
    assert_eq!((found.assignments, found.undefined), (14, 2));
    // Control is {1}, {1, 2} or {1, 2, 3}: all differ by 2.
    assert_eq!(found.comparisons[0].p_upper, 3.0 / 14.0);
}

#[test]
fn row_4_8_an_arm_of_one_unit_is_refused() {
    let design = design([1, 1], false, Simple::default());
    let units = units(&design, &[0; 4]);
    let y = outcomes(&[1.0, 2.0, 3.0, 4.0]);
    let run = |arm: &[u8], y: &Outcomes| {
        randomisation_test(&design, &trial(&design, &units, arm), y, MEANS, &options(100), &NoMonitor)
    };
    let error = run(&[0, 1, 1, 1], &y).unwrap_err();
    assert!(matches!(error, crewe::Error::Design(_)), "{error}");
    assert!(error.to_string().contains("arm 'control' has 1 of the individuals"), "{error}");
    let error = run(&[0, 0, 1, 1], &y.comparing(&[true, false, true, true]).unwrap()).unwrap_err();
    assert!(error.to_string().contains("arm 'control' has 1 of the individuals"), "{error}");
}

#[test]
fn a_trial_that_its_design_cannot_give_is_refused() {
    let design = design([1, 1], false, Complete::default());
    for n in [6, 40] {
        let units = units(&design, &vec![0; n]);
        let mut arm = vec![0; n];
        arm[0] = 1;
        arm[1] = 1;
        let trial = trial(&design, &units, &arm);
        let y: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let error =
            randomisation_test(&design, &trial, &outcomes(&y), MEANS, &options(999), &NoMonitor).unwrap_err();
        assert!(matches!(error, crewe::Error::Design(_)), "{error}");
    }
}

#[test]
fn threads_change_nothing() {
    let design = design([1, 2], true, Complete::default());
    let strata: Vec<usize> = (0..132).map(|i| i % 4).collect();
    let units = units(&design, &strata);
    let assignment = design.assign(&units).unwrap();
    let y: Vec<f64> = (0..132).map(|i| f64::from(i * 7919 % 101).sqrt()).collect();
    for statistic in [MEANS, STUDENTISED] {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let all = options(3000).interval(false);
                randomisation_test(&design, &assignment, &outcomes(&y), statistic, &all, &NoMonitor).unwrap()
            })
        };
        assert_eq!(run(1), run(3));
    }
}

#[test]
fn the_monitor_stops_it() {
    struct Stop;
    impl Monitor for Stop {
        fn tick(&self, done: u64, _total: u64) -> bool {
            done < 2048
        }
    }
    let design = design([1, 1], false, Complete::default());
    let units = units(&design, &[0; 30]);
    let assignment = design.assign(&units).unwrap();
    let y: Vec<f64> = (0..30).map(f64::from).collect();
    let stopped = randomisation_test(&design, &assignment, &outcomes(&y), MEANS, &options(50_000), &Stop);
    assert_eq!(stopped.unwrap_err(), crewe::Error::Interrupted);
}

/// The largest probability at most alpha that the doubled p-value can have, from the support alone.
fn attainable(design: &Design, units: &Units, y: &[f64], alpha: f64) -> f64 {
    let support = design.support(units, 100_000).unwrap().unwrap();
    let value = |arm: &[u8]| {
        let sums = |which: u8| {
            let kept: Vec<f64> = (0..y.len()).filter(|&i| arm[i] == which).map(|i| y[i]).collect();
            (kept.iter().sum::<f64>(), kept.len() as f64)
        };
        let ((treated, m), (control, n)) = (sums(1), sums(0));
        treated / m - control / n
    };
    let values: Vec<f64> = support.arm.rows().into_iter().map(|row| value(row.as_slice().unwrap())).collect();
    let mut rejected = 0.0;
    for (i, &t) in values.iter().enumerate() {
        let tail = |at_least: bool| -> f64 {
            let beyond = |v: f64| if at_least { v >= t - 1e-9 } else { v <= t + 1e-9 };
            (0..values.len()).filter(|&j| beyond(values[j])).map(|j| support.probability[j]).sum()
        };
        let p = f64::min(1.0, 2.0 * f64::min(tail(true), tail(false)));
        rejected += if p <= alpha * (1.0 + 1e-9) { support.probability[i] } else { 0.0 };
    }
    rejected
}

#[test]
fn size_is_the_attainable_level_where_assignments_can_be_listed() {
    let y = [1.0, 1.0, 4.0, 2.0, 8.0, 3.0, 9.0, 6.0, 5.5, 7.0];
    let strata = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
    for (ratio, stratified) in [([1, 1], true), ([1, 2], false), ([1, 2], true), ([2, 3], false)] {
        let design = design(ratio, stratified, Complete::default());
        let units = units(&design, &strata);
        let look = SizeOptions::default().alpha(0.1).test(options(100_000));
        let found = size(&design, &units, &outcomes(&y), MEANS, &look, &NoMonitor).unwrap();
        assert!(found.exact);
        close(found.rejected, attainable(&design, &units, &y, 0.1), 1e-9, "size");
        assert!(found.rejected > 0.0 && found.rejected <= 0.1 + 1e-12);
    }
}

/// Size and coverage by simulation for every procedure that draws one unit after the other or all at once.
#[test]
fn size_and_coverage_hold_for_every_procedure() {
    let coin = Fraction::new(2, 3);
    let methods: Vec<(Method, [u32; 2])> = vec![
        (Simple::default().into(), [1, 1]),
        (Complete::default().into(), [1, 2]),
        (Complete::default().misfits(Misfits::Global).into(), [1, 2]),
        (Complete::default().misfits(Misfits::LeaveOut).into(), [1, 2]),
        (Blocks::new([3, 6]).into(), [1, 2]),
        (BigStick::new(2).into(), [1, 1]),
        (BiasedCoin::new(coin).into(), [1, 1]),
        (Minimisation::new([("site factor", 1)], Imbalance::Range, Fraction::new(4, 5)).into(), [1, 2]),
    ];
    let strata: Vec<usize> = (0..31).map(|i| i % 3).collect();
    // A long tail, and a trend with arrival that sequential procedures must not be hurt by.
    let y: Vec<f64> = (0..31).map(|i| f64::from(i).sqrt() + if i % 7 == 0 { 9.0 } else { 0.0 }).collect();
    for (method, ratio) in methods {
        let name = format!("{method:?}");
        let design = design(ratio, true, method);
        let units = units(&design, &strata);
        for statistic in [MEANS, STUDENTISED] {
            let plain = matches!(statistic, Statistic::DifferenceInMeans { studentised: false });
            let test = options(99).interval(plain);
            let look = SizeOptions::default().trials(400).effect(1.5).test(test);
            let none = look.clone().effect(0.0);
            let found = size(&design, &units, &outcomes(&y), statistic, &none, &NoMonitor).unwrap();
            assert!(!found.exact);
            assert!(found.rejected <= 0.05 + 4.0 * found.std_error, "{name}: {found:?}");
            if look.test.interval == Some(true) {
                let found = size(&design, &units, &outcomes(&y), statistic, &look, &NoMonitor).unwrap();
                assert!(found.covered >= 0.95 - 4.0 * found.std_error, "{name}: {found:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// 0 is in the interval exactly where the test does not reject; the p-value is never 0; scale and origin of the
    /// outcome change nothing but the units.
    #[test]
    fn interval_and_p_agree(
        y in prop::collection::vec(-20_i32..20, 12..24), seed in 0_u64..1000, draws in prop::sample::select(vec![39_u64, 199]),
    ) {
        let y: Vec<f64> = y.into_iter().map(f64::from).collect();
        let strata: Vec<usize> = (0..y.len()).map(|i| i % 2).collect();
        let design = design([1, 2], true, Complete::default()).seed(seed);
        let units = units(&design, &strata);
        let assignment = design.assign(&units).unwrap();
        let level = options(draws).level(0.8);
        let run = |y: &[f64]| {
            let found = randomisation_test(&design, &assignment, &outcomes(y), MEANS, &level, &NoMonitor).unwrap();
            found.comparisons[0].clone()
        };
        let found = run(&y);
        prop_assert!(found.p_value > 0.0 && found.p_value <= 1.0);
        let interval = found.interval.unwrap();
        let inside = interval.low <= 0.0 && 0.0 <= interval.high;
        prop_assert_eq!(inside, found.p_value > 0.2 * (1.0 + 1e-9));
        let other: Vec<f64> = y.iter().map(|y| 1e4 + 4.0 * y).collect();
        let moved = run(&other);
        prop_assert_eq!((moved.p_lower, moved.p_upper), (found.p_lower, found.p_upper));
        let less = level.clone().alternative(Alternative::Less);
        let one = randomisation_test(&design, &assignment, &outcomes(&y), MEANS, &less, &NoMonitor).unwrap();
        prop_assert_eq!(one.comparisons[0].p_value, found.p_lower);
        prop_assert_eq!(one.comparisons[0].interval.unwrap().low, f64::NEG_INFINITY);
    }
}

//! Ranks, permutations, small counts, rates and multiplicity against R (`tests/reference/nonparametric.R`), and
//! their invariances.

mod common;

use common::{close, close_to, expected, number, numbers};
use crewe::dist::{beta_cdf, beta_quantile};
use crewe::nonparametric::*;
use crewe::progress::NoMonitor;
use crewe::rng::{Seed, Stream};
use proptest::prelude::*;
use serde_json::Value;

const ALTERNATIVES: [(&str, Alternative); 3] =
    [("two", Alternative::TwoSided), ("less", Alternative::Less), ("greater", Alternative::Greater)];

fn ranks(sample: &Value, options: &MannWhitneyOptions) -> MannWhitney {
    mann_whitney(&numbers(&sample["x"]), &numbers(&sample["y"]), options, &NoMonitor).unwrap()
}

fn whole(value: &Value) -> Vec<u64> {
    numbers(value).into_iter().map(|v| v as u64).collect()
}

fn pair(value: &Value) -> [u64; 2] {
    whole(value).try_into().unwrap()
}

/// Infinite values come as null, and so does an odds ratio of which the data say nothing.
#[track_caller]
fn close_or_infinite(got: f64, want: &Value, tolerance: f64, what: &str) {
    if want.is_null() {
        assert!(!got.is_finite(), "{what}: {got}");
    } else {
        close_to(got, number(want), tolerance, 1e-300, what);
    }
}

#[test]
fn exact_ranks_equal_coin() {
    for (name, sample) in expected("nonparametric")["mann_whitney"].as_object().unwrap() {
        for (key, alternative) in ALTERNATIVES {
            let options = MannWhitneyOptions::default().alternative(alternative).exact(true);
            let test = ranks(sample, &options);
            assert!(test.exact);
            assert_eq!(test.u, number(&sample["u"]), "{name}");
            close(test.p_value, number(&sample["exact"][key]), 1e-9, &format!("{name} {key}"));
        }
    }
}

#[test]
fn tooth_growth_is_as_published() {
    let sample = &expected("nonparametric")["mann_whitney"]["tooth"];
    let test = ranks(sample, &MannWhitneyOptions::default());
    assert_eq!(format!("{:.5}", test.p_value), "0.06366");
}

#[test]
fn approximate_ranks_equal_wilcox_test() {
    for (name, sample) in expected("nonparametric")["mann_whitney"].as_object().unwrap() {
        let rough = MannWhitneyOptions::default().exact(false);
        for (key, alternative) in ALTERNATIVES {
            let options = rough.clone().alternative(alternative);
            close(ranks(sample, &options).p_value, number(&sample["asymptotic"][key]), 1e-10, name);
        }
        let plain = rough.clone().correct(false);
        close(ranks(sample, &plain).p_value, number(&sample["asymptotic"]["uncorrected"]), 1e-10, name);
        let test = ranks(sample, &rough);
        close_to(test.shift.shift, number(&sample["median"]), 1e-12, 1.0, name);
        let limits = numbers(&sample["interval"]);
        close_to(test.shift.interval.low, limits[0], 1e-9, 1.0, name);
        close_to(test.shift.interval.high, limits[1], 1e-9, 1.0, name);
        let less = rough.clone().alternative(Alternative::Less);
        let less = ranks(sample, &less).shift.interval;
        assert_eq!(less.low, f64::NEG_INFINITY);
        close_to(less.high, number(&sample["interval_less"]), 1e-9, 1.0, name);
        let ninety = ranks(sample, &rough.level(0.9)).shift.interval;
        let limits = numbers(&sample["interval_90"]);
        close_to(ninety.low, limits[0], 1e-9, 1.0, name);
        close_to(ninety.high, limits[1], 1e-9, 1.0, name);
        let superiority = numbers(&sample["superiority"]);
        close_to(test.superiority_interval.low, superiority[0], 1e-12, 1.0, name);
        close_to(test.superiority_interval.high, superiority[1], 1e-12, 1.0, name);
    }
}

#[test]
fn exact_shift_equals_wilcox_test() {
    let mut untied = 0;
    for (name, sample) in expected("nonparametric")["mann_whitney"].as_object().unwrap() {
        if sample["exact_interval"].is_null() {
            continue;
        }
        untied += 1;
        let test = ranks(sample, &MannWhitneyOptions::default());
        let limits = numbers(&sample["exact_interval"]);
        close_to(test.shift.interval.low, limits[0], 1e-14, 1.0, name);
        close_to(test.shift.interval.high, limits[1], 1e-14, 1.0, name);
        close(test.shift.attained, number(&sample["attained"]), 1e-12, name);
        let greater = MannWhitneyOptions::default().alternative(Alternative::Greater);
        let greater = ranks(sample, &greater).shift.interval;
        close_to(greater.low, number(&sample["exact_interval_greater"]), 1e-14, 1.0, name);
        assert_eq!(greater.high, f64::INFINITY);
    }
    assert_eq!(untied, 2);
}

#[test]
fn permutation_counts_are_exact() {
    let all = expected("nonparametric");
    for (i, case) in all["permutation"].as_array().unwrap().iter().enumerate() {
        let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
        let test = permutation_test(&x, &y, &PermutationOptions::default(), &NoMonitor).unwrap();
        assert_eq!(test.count_lower.as_deref(), case["lower"].as_str(), "case {i}");
        assert_eq!(test.count_upper.as_deref(), case["upper"].as_str());
        assert_eq!(test.labellings.as_deref(), case["all"].as_str());
        close(test.p_lower, number(&case["p_lower"]), 1e-13, "lower");
        close(test.p_upper, number(&case["p_upper"]), 1e-13, "upper");
        close(test.p_value, number(&case["two"]), 1e-13, "two-sided");
    }
    assert_eq!(all["permutation"][0]["all"], "155117520");
}

#[test]
fn fisher_equals_r() {
    for table in expected("nonparametric")["tables"].as_array().unwrap() {
        let (events, totals) = (pair(&table["events"]), pair(&table["totals"]));
        let what = format!("{events:?} of {totals:?}");
        for (key, alternative) in ALTERNATIVES {
            let test = fisher_test(events, totals, alternative, 0.95).unwrap();
            close(test.p_value, number(&table[key]), 1e-10, &what);
        }
        let test = fisher_test(events, totals, Alternative::TwoSided, 0.95).unwrap();
        close(test.mid_p_value, number(&table["mid"]), 1e-10, &what);
        close_or_infinite(test.odds_ratio, &table["odds_ratio"], 1e-9, &what);
        close_or_infinite(test.interval.low, &table["interval"][0], 1e-9, &what);
        close_or_infinite(test.interval.high, &table["interval"][1], 1e-9, &what);
        close_or_infinite(test.mid_p_interval.low, &table["mid_interval"][0], 1e-9, &what);
        close_or_infinite(test.mid_p_interval.high, &table["mid_interval"][1], 1e-9, &what);
    }
}

#[test]
fn differences_of_rates() {
    for table in expected("nonparametric")["tables"].as_array().unwrap() {
        let (events, totals) = (pair(&table["events"]), pair(&table["totals"]));
        let what = format!("{events:?} of {totals:?}");
        let limits = numbers(&table["newcombe"]);
        let interval = newcombe(events, totals, 0.95).unwrap();
        close_to(interval.low, limits[0], 1e-12, 1.0, &what);
        close_to(interval.high, limits[1], 1e-12, 1.0, &what);
        if table["chan_zhang"].is_null() {
            continue;
        }
        let exact = chan_zhang(events, totals, 0.95, &NoMonitor).unwrap();
        let limits = numbers(&table["chan_zhang"]);
        // The reference maximises over a grid of 2,001 rates, so its limits are a little too narrow.
        close_to(exact.interval.low, limits[0], 3e-6, 1.0, &what);
        close_to(exact.interval.high, limits[1], 3e-6, 1.0, &what);
        close(exact.p_value, number(&table["chan_zhang_p"]), 1e-5, &what);
    }
}

/// StatXact 11 (inverting two one-sided tests on the score statistic), with which SAS 9.4 agrees.
#[test]
fn chan_zhang_equals_statxact() {
    let first = chan_zhang([6, 2], [13, 7], 0.95, &NoMonitor).unwrap();
    let digits = |x: f64| format!("{x:.4}");
    assert_eq!([digits(first.interval.low), digits(first.interval.high)], ["-0.3108", "0.5787"]);
    assert_eq!(digits(first.p_value), "0.5569");
    let second = chan_zhang([13, 0], [13, 7], 0.95, &NoMonitor).unwrap();
    assert_eq!([digits(second.interval.low), digits(second.interval.high)], ["0.5904", "1.0000"]);
    close(second.p_value, 4.758e-6, 2e-4, "p");
}

#[test]
fn single_rates_equal_binom_test() {
    for case in expected("nonparametric")["rates"].as_array().unwrap() {
        let (x, n, p) = (number(&case["x"]) as u64, number(&case["n"]) as u64, number(&case["p"]));
        let what = format!("{x} of {n}");
        for (key, alternative) in ALTERNATIVES {
            let test = prevalence(x, n, p, alternative, 0.95).unwrap();
            close(test.p_value, number(&case[key]), 1e-9, &what);
        }
        let limits = numbers(&case["interval"]);
        let interval = clopper_pearson(x, n, 0.95).unwrap();
        close_to(interval.low, limits[0], 1e-10, 1e-9, &what);
        close_to(interval.high, limits[1], 1e-10, 1e-9, &what);
        let ninety = clopper_pearson(x, n, 0.9).unwrap();
        close_to(ninety.low, number(&case["interval_90"][0]), 1e-10, 1e-9, &what);
        close_to(ninety.high, number(&case["interval_90"][1]), 1e-10, 1e-9, &what);
        let greater = prevalence(x, n, p, Alternative::Greater, 0.95).unwrap().interval;
        close_to(greater.low, number(&case["low_greater"]), 1e-10, 1e-9, &what);
        assert_eq!(greater.high, 1.0);
        let less = prevalence(x, n, p, Alternative::Less, 0.95).unwrap().interval;
        close_to(less.high, number(&case["high_less"]), 1e-10, 1e-9, &what);
        let limits = numbers(&case["wilson"]);
        let score = wilson(x, n, 0.95).unwrap();
        close_to(score.low, limits[0], 1e-12, 1e-2, &what);
        close_to(score.high, limits[1], 1e-12, 1e-2, &what);
    }
}

#[test]
fn goodness_of_fit_equals_r() {
    for case in expected("nonparametric")["goodness"].as_array().unwrap() {
        let options = GoodnessOptions::default().seed(Seed::Integer(11));
        let fit = goodness_of_fit(&whole(&case["counts"]), &numbers(&case["shares"]), &options, &NoMonitor)
            .unwrap();
        close(fit.statistic, number(&case["statistic"]), 1e-12, "statistic");
        assert_eq!(fit.df, number(&case["df"]));
        close(fit.p_value, number(&case["p"]), 1e-10, "p");
        assert_eq!(fit.enumerated, !case["exact"].is_null());
        if fit.enumerated {
            close(fit.exact_p_value, number(&case["exact"]), 1e-10, "exact");
        } else {
            assert_eq!(fit.tables, 9_999);
            let draws = (fit.exact_p_value * 10_000.0).round();
            close(fit.exact_p_value, draws / 10_000.0, 1e-12, "a whole number of draws");
        }
    }
}

#[test]
fn adjustments_equal_r() {
    let methods = ["holm", "hochberg", "hommel", "BH", "BY", "bonferroni", "none"];
    for family in expected("nonparametric")["adjusted"].as_array().unwrap() {
        let p = numbers(&family["p"]);
        for method in methods {
            let got = adjust(&p, method.parse().unwrap()).unwrap();
            for (got, want) in got.iter().zip(numbers(&family[method])) {
                assert_eq!(got.is_nan(), want.is_nan(), "{method}");
                if !want.is_nan() {
                    close_to(*got, want, 1e-13, 1e-300, method);
                }
            }
        }
    }
}

#[test]
fn beta_quantiles_equal_r() {
    let beta = &expected("nonparametric")["beta"];
    let [p, a, b, x] = ["p", "a", "b", "x"].map(|key| numbers(&beta[key]));
    assert!(p.len() > 80);
    for i in 0..p.len() {
        close(beta_quantile(p[i], a[i], b[i]), x[i], 1e-10, &format!("p {} a {} b {}", p[i], a[i], b[i]));
        close(beta_cdf(x[i], a[i], b[i]), p[i], 1e-10, &format!("x {} a {} b {}", x[i], a[i], b[i]));
    }
}

#[test]
fn mistakes_are_named() {
    let none = MannWhitneyOptions::default();
    let problem = |error: crewe::Error| error.to_string();
    assert!(problem(mann_whitney(&[], &[1.0], &none, &NoMonitor).unwrap_err()).contains("empty"));
    assert!(problem(mann_whitney(&[f64::NAN], &[1.0], &none, &NoMonitor).unwrap_err()).contains("row 0"));
    assert!(problem(mann_whitney(&[2.0, 2.0], &[2.0], &none, &NoMonitor).unwrap_err()).contains("equal"));
    let pi = permutation_test(&[std::f64::consts::PI], &[1.0], &PermutationOptions::default(), &NoMonitor);
    assert!(problem(pi.unwrap_err()).contains("randomisation test"));
    assert!(
        problem(fisher_test([5, 1], [4, 9], Alternative::TwoSided, 0.95).unwrap_err()).contains("over 1")
    );
    assert!(problem(newcombe([0, 0], [0, 9], 0.95).unwrap_err()).contains("no cases"));
    assert!(problem(prevalence(1, 3, 49.6, Alternative::TwoSided, 0.95).unwrap_err()).contains("0.496"));
    assert!(problem(clopper_pearson(1, 3, 95.0).unwrap_err()).contains("level"));
    let shares = |shares: &[f64]| {
        problem(goodness_of_fit(&[3, 4], shares, &GoodnessOptions::default(), &NoMonitor).unwrap_err())
    };
    assert!(shares(&[0.5, 0.4]).contains("sum to 1"));
    assert!(shares(&[1.0, 0.0]).contains("impossible"));
    assert!(problem(adjust(&[0.5, 1.5], Adjustment::Holm).unwrap_err()).contains("row 1"));
    assert!("sidak".parse::<Adjustment>().is_err() && "both".parse::<Alternative>().is_err());
}

/// Coverage of the exact interval, by summing over all tables, is never under its level.
#[test]
fn chan_zhang_covers() {
    let (n1, n2) = (7_u64, 5_u64);
    let limits: Vec<Vec<Interval>> = (0..=n1)
        .map(|x| (0..=n2).map(|y| chan_zhang([x, y], [n1, n2], 0.9, &NoMonitor).unwrap().interval).collect())
        .collect();
    let mass = |n: u64, x: u64, p: f64| {
        let choose = (0..x).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
        choose * p.powi(x as i32) * (1.0 - p).powi((n - x) as i32)
    };
    for i in 0..=40 {
        for j in 0..=40 {
            let (p, q) = (f64::from(i) / 40.0, f64::from(j) / 40.0);
            let mut covered = 0.0;
            for x in 0..=n1 {
                for y in 0..=n2 {
                    let interval = limits[x as usize][y as usize];
                    // Limits belong to the interval up to the width of the search.
                    if interval.low - 1e-8 <= p - q && p - q <= interval.high + 1e-8 {
                        covered += mass(n1, x, p) * mass(n2, y, q);
                    }
                }
            }
            assert!(covered >= 0.9 - 1e-7, "{p} {q}: {covered}");
        }
    }
}

/// Fewer draws of a stratum of hypotheses never change: the same seed gives the same table.
#[test]
fn draws_follow_the_named_stream() {
    let options = GoodnessOptions::default().draws(1).enumerate(0).seed(Seed::Integer(3));
    let fit = goodness_of_fit(&[1, 0], &[0.5, 0.5], &options, &NoMonitor).unwrap();
    // One case of two equal categories is always as extreme as seen.
    assert_eq!(fit.exact_p_value, 1.0);
    let mut stream = Stream::new::<&str>(&Seed::Integer(3), "goodness", &[], 0);
    let heads = (0..4).filter(|_| stream.unit() < 0.5).count() as u64;
    let seen = [4, 0];
    let fit = goodness_of_fit(&seen, &[0.5, 0.5], &options, &NoMonitor).unwrap();
    assert_eq!(fit.exact_p_value, if heads.is_multiple_of(4) { 1.0 } else { 0.5 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ranks_ignore_order_and_monotone_change(
        x in prop::collection::vec(-9_i32..9, 1..12),
        y in prop::collection::vec(-9_i32..9, 1..12),
    ) {
        let real = |v: &[i32]| v.iter().map(|&a| f64::from(a)).collect::<Vec<_>>();
        prop_assume!(x.iter().chain(&y).any(|v| *v != x[0]));
        let options = MannWhitneyOptions::default();
        let test = mann_whitney(&real(&x), &real(&y), &options, &NoMonitor).unwrap();
        let mut back = real(&x);
        back.reverse();
        prop_assert_eq!(&test, &mann_whitney(&back, &real(&y), &options, &NoMonitor).unwrap());
        let bent = |v: &[i32]| v.iter().map(|&a| f64::from(a).exp()).collect::<Vec<_>>();
        let curved = mann_whitney(&bent(&x), &bent(&y), &options, &NoMonitor).unwrap();
        prop_assert_eq!((test.u, test.p_value), (curved.u, curved.p_value));
        let swapped = mann_whitney(&real(&y), &real(&x), &options, &NoMonitor).unwrap();
        prop_assert!((test.p_value - swapped.p_value).abs() < 1e-12);
        prop_assert!((test.superiority + swapped.superiority - 1.0).abs() < 1e-12);
        prop_assert!((test.superiority_interval.low + swapped.superiority_interval.high - 1.0).abs() < 1e-12);
        prop_assert!((test.shift.shift + swapped.shift.shift).abs() < 1e-12);
        prop_assert!(test.p_value > 0.0 && test.p_value <= 1.0);
    }

    #[test]
    fn row_3_12_ranks_see_values_and_not_their_rounding(
        x in prop::collection::vec((0_i32..9, 0_i32..40), 2..7),
        y in prop::collection::vec((0_i32..9, 0_i32..40), 2..7),
        unit in prop::sample::select(vec![1e-12, 0.1, 1.0 / 3.0, 0.7, 1e9]),
    ) {
        let exact = |v: &[(i32, i32)]| v.iter().map(|&(a, _)| f64::from(a)).collect::<Vec<_>>();
        // The same scores, each as a difference of two.
        let moved = |v: &[(i32, i32)]| -> Vec<f64> {
            v.iter().map(|&(a, b)| f64::from(a + b) * unit - f64::from(b) * unit).collect()
        };
        let options = |exact| MannWhitneyOptions::default().exact(exact);
        for kind in [true, false] {
            let want = mann_whitney(&exact(&x), &exact(&y), &options(kind), &NoMonitor);
            let got = mann_whitney(&moved(&x), &moved(&y), &options(kind), &NoMonitor);
            let (Ok(want), Ok(got)) = (&want, &got) else {
                prop_assert!(want.is_err() && got.is_err());
                continue;
            };
            prop_assert_eq!((got.u, got.z, got.p_value, got.ties), (want.u, want.z, want.p_value, want.ties));
            let scaled = |v: f64| v * unit;
            for (a, b) in [
                (got.shift.shift, want.shift.shift),
                (got.shift.interval.low, want.shift.interval.low),
                (got.shift.interval.high, want.shift.interval.high),
            ] {
                prop_assert!((a - scaled(b)).abs() <= 1e-9 * unit, "{a} {b}");
            }
            let alone = hodges_lehmann(&moved(&x), &moved(&y), true, Alternative::TwoSided, 0.95).unwrap();
            prop_assert!(kind && !want.ties || alone == got.shift);
        }
        let found = levels(&moved(&x)).unwrap();
        let want = levels(&exact(&x)).unwrap();
        prop_assert_eq!(found.codes, want.codes);
        if unit > 1e-3 && unit != 0.7 && unit < 1.0 {
            let test = |x: &[f64], y: &[f64]| {
                permutation_test(x, y, &PermutationOptions::default(), &NoMonitor).unwrap()
            };
            prop_assert_eq!(test(&moved(&x), &moved(&y)).p_value, test(&exact(&x), &exact(&y)).p_value);
        }
    }

    #[test]
    fn row_9_5_a_value_at_an_edge_is_in_the_bin_above(
        edges in prop::collection::btree_set(0_u32..60, 2..20),
        unit in prop::sample::select(vec![1e-9, 0.05, 0.1, 1.0 / 3.0, 1.0, 1e6]),
        offset in 0_u32..30,
    ) {
        let at: Vec<f64> = edges.iter().map(|&k| f64::from(k) * unit).collect();
        let offset = f64::from(offset) * unit;
        let moved: Vec<f64> = at.iter().map(|v| (v + offset) - offset).collect();
        let last = at.len() - 1;
        let want: Vec<_> = (0..=last).map(|j| Some(j.min(last - 1) as u32)).collect();
        prop_assert_eq!(cut(&moved, &at, "score").unwrap(), want);
    }

    #[test]
    fn permutation_is_enumeration(
        x in prop::collection::vec(-5_i64..6, 1..6),
        y in prop::collection::vec(-5_i64..6, 1..6),
    ) {
        let real = |v: &[i64]| v.iter().map(|&a| a as f64 / 4.0).collect::<Vec<_>>();
        let test = permutation_test(&real(&x), &real(&y), &PermutationOptions::default(), &NoMonitor).unwrap();
        let pooled: Vec<i64> = x.iter().chain(&y).copied().collect();
        let seen: i64 = x.iter().sum();
        let (mut low, mut high, mut all) = (0_u32, 0_u32, 0_u32);
        for set in 0_u32..1 << pooled.len() {
            if set.count_ones() as usize == x.len() {
                let sum: i64 = (0..pooled.len()).filter(|i| set >> i & 1 == 1).map(|i| pooled[i]).sum();
                low += u32::from(sum <= seen);
                high += u32::from(sum >= seen);
                all += 1;
            }
        }
        prop_assert_eq!(test.count_lower, Some(low.to_string()));
        prop_assert_eq!(test.count_upper, Some(high.to_string()));
        prop_assert_eq!(test.labellings, Some(all.to_string()));
    }

    #[test]
    fn adjusted_values_are_ordered(p in prop::collection::vec(0.0_f64..1.0, 1..12)) {
        let of = |method| adjust(&p, method).unwrap();
        let chain = [Adjustment::None, Adjustment::Hommel, Adjustment::Hochberg, Adjustment::Holm, Adjustment::Bonferroni];
        for pair in chain.windows(2) {
            for (small, large) in of(pair[0]).iter().zip(of(pair[1])) {
                prop_assert!(*small <= large + 1e-12);
            }
        }
    }
}

#[test]
fn row_3_12_a_difference_of_rounding_is_a_tie() {
    let options = MannWhitneyOptions::default();
    let test = |third: f64| mann_whitney(&[0.1, 0.2, third], &[0.3, 0.4, 0.5], &options, &NoMonitor).unwrap();
    assert_eq!(test(0.8 - 0.5).p_value, test(0.3).p_value);
    assert!(test(0.8 - 0.5).ties);
    assert_eq!(levels(&[0.8 - 0.5, 0.3]).unwrap().values, [0.3]);
}

#[test]
fn row_3_15_a_table_that_nobody_can_read_is_refused() {
    let message = crosstab(&[0], &[0], 100_000, 5_000).unwrap_err().to_string();
    assert!(message.contains("more than 1000000 cells") && message.contains("ids"), "{message}");
    assert!(crosstab(&[0], &[0], usize::MAX, 2).is_err());
    assert!(group_summary(&[1.0], &[0], 1 << 40, 0.95).is_err());
    assert_eq!(crosstab(&[0], &[0], 100_000, 8).unwrap().counts.len(), 800_000);
}

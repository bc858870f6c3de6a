//! Empty, missing and impossible input: an answer or an error, never a panic and never an endless loop.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crewe::design::{
    Arrival, Assignment, BiasedCoin, BigStick, Blocks, Column, Complete, Constrained, Design, Expected,
    Fraction, Imbalance, MatchedSets, Method, Minimisation, Misfits, Ratio, Rerandomised, Sequence, Simple,
    Unit, Units, balance, complete, flow, minimisation, misfits, rerandomised, simple,
};
use crewe::inference::{Clusters, Vcov};
use crewe::instruments::{cases, cost, likert, risk, sdq};
use crewe::ndarray::{Array2, ArrayView2, array};
use crewe::nonparametric::*;
use crewe::power::binary::{Binary, Direction, power};
use crewe::power::{ClusterSize, Plan, noncentral};
use crewe::progress::NoMonitor;
use crewe::regression::{Logit, Ols};
use crewe::resampling::{
    Outcomes, RandomisationOptions, SizeOptions, Statistic, WildOptions, WildType, WildWeights, pairs,
    randomisation_test, redrawn, replicates, size, tails, wild_bootstrap,
};
use crewe::rng::{Seed, Stream};
use crewe::survival::{self, Curve, Options, Surv, Timeline, Tolerance, kaplan_meier, logrank};
use crewe::{dist, linalg};

/// Numbers that nobody means to give.
const ODD: [f64; 8] = [0.0, -0.0, -1.0, 95.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE];

/// Runs everything and reports all that panics.
struct Watch(Vec<String>);

impl Watch {
    fn call<T>(&mut self, what: &str, run: impl FnOnce() -> T) {
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            self.0.push(what.to_owned());
        }
    }
}

fn none() -> ArrayView2<'static, f64> {
    ArrayView2::from_shape((0, 0), &[]).unwrap()
}

fn procedures() -> Vec<Method> {
    let half = Fraction::new(1, 2);
    vec![
        Simple {}.into(),
        Complete::default().into(),
        Complete::default().misfits(Misfits::Global).into(),
        Blocks::new([]).into(),
        Blocks::new([0]).into(),
        Blocks::new([2]).into(),
        MatchedSets::given("").into(),
        MatchedSets::built::<&str>([]).into(),
        BigStick::new(0).into(),
        BiasedCoin::new(Fraction::new(0, 0)).into(),
        BiasedCoin::new(half).into(),
        Minimisation::new::<(&str, u32)>([], Imbalance::Range, half).into(),
        Minimisation::new([("", 0)], Imbalance::Variance, Fraction::new(1, 0)).into(),
        Constrained::new::<(&str, u32)>([], half, 0).into(),
        Constrained::new([("x", 1)], half, 10).into(),
        Rerandomised::new::<&str>([], half).into(),
        Rerandomised::new(["x"], Fraction::new(0, 1)).into(),
    ]
}

fn units(n: usize) -> crewe::Result<Units> {
    let ids = Column::from_values("id", (0..n).map(|i| i.to_string()));
    Units::from_rows(&Unit::Individual("id".into()), &ids, &[])
}

#[test]
fn row_8_6_designs_do_not_panic() {
    let mut watch = Watch(vec![]);
    let empty = Column::from_values("id", [""; 0]);
    let missing = Column::from_options("id", [None::<&str>]);
    for column in [&empty, &missing] {
        watch.call("units", || Units::from_rows(&Unit::Cluster(String::new()), column, &[]).is_err());
        watch.call("clusters", || Clusters::from_column(column).is_err());
        watch.call("label", || (column.label(7), column.missing(), column.is_empty()));
    }
    watch.call("column", || Column::new("", [Some(0), None], vec![]).is_err());
    watch.call("clusters", || (Clusters::new(&[]).is_err(), Clusters::singletons(0).is_err()));
    for ratio in [Ratio::new(&[]), Ratio::new(&[0]), Ratio::new(&[0, 0]), Ratio::new(&[1])] {
        let stream = || Stream::new::<&str>(&Seed::Integer(1), "", &[], 0);
        for n in [0, 1, 5] {
            watch.call("simple", || simple::assign(n, &ratio, &mut stream()));
            watch.call("simple possible", || (simple::possible(n, &ratio), simple::probabilities(&ratio)));
            watch.call("complete", || complete::assign(n, &ratio, &mut stream()));
            watch.call("complete possible", || {
                (complete::possible(n, &ratio), complete::probabilities(&ratio))
            });
            watch.call("places", || complete::places(n, &ratio, &[], 0));
            for rule in [Misfits::Strata, Misfits::LeaveOut, Misfits::Global, Misfits::WeightedStrata] {
                watch.call("misfits", || misfits::probabilities(n, &ratio, rule));
            }
        }
        watch.call("shares", || {
            let options = Minimisation::new([("a", 1)], Imbalance::Range, Fraction::new(4, 5));
            minimisation::shares(&options, &ratio, &[2], 0, 0, &1.into(), &NoMonitor).is_ok()
        });
    }
    watch.call("fraction", || (Fraction::new(0, 0).value(), Fraction::new(1, 0).value()));
    watch.call("imbalance", || minimisation::imbalance(&[], &[], Imbalance::Range).is_err());
    watch.call("imbalance", || minimisation::imbalance(&[&[], &[]], &[1, 1], Imbalance::Variance).is_err());
    watch.call("balance", || balance(&[], &[], 0, &[]).is_ok());
    watch.call("flow", || flow(&[], &[], 0, 0, &[], &[]).is_ok());
    for df in ODD {
        for accept in ODD {
            watch.call("threshold", || {
                (rerandomised::threshold(accept, df), rerandomised::variance_factor(accept, df))
            });
        }
    }
    for method in procedures() {
        for (name, arms) in [
            ("", vec![]),
            ("t", vec![("a", 0)]),
            ("t", vec![("a", 1), ("b", 1)]),
            ("t", vec![("a", 1), ("a", 1)]),
        ] {
            let mut design = Design::new(name).individual("id").method(method.clone());
            for (arm, ratio) in &arms {
                design = design.arm(arm, *ratio);
            }
            let what = format!("{method:?} {arms:?}");
            watch.call(&what, || {
                (design.check().is_ok(), design.commitment().is_ok(), design.canonical_json().is_ok())
            });
            watch.call(&what, || serde_json::to_string(&design).is_ok());
            watch.call(&what, || {
                Sequence::new(&design, &1.into())
                    .map(|mut s| {
                        if s.check(&Arrival::new(&[], &[])).is_ok() {
                            s.allocate(&Arrival::new(&[], &[]));
                        }
                    })
                    .is_ok()
            });
            let design = design.seed(1);
            for n in [1, 2, 3] {
                let Ok(units) = units(n) else { continue };
                watch.call(&what, || (design.assign(&units).is_ok(), design.possible(&units).is_ok()));
                watch.call(&what, || {
                    (design.support(&units, 0).is_ok(), design.probabilities(&units).is_ok())
                });
                watch.call(&what, || design.draws(&units, 0, None, &NoMonitor).is_ok());
                watch.call(&what, || design.constrained(&units).is_ok());
                watch.call(&what, || {
                    design.predictability(Expected::Units(&units), 0, None, &NoMonitor).is_ok()
                });
                watch.call(&what, || design.observe(&units, &empty).is_ok());
            }
            for (n, strata) in [(0, 1), (4, 0), (4, 1)] {
                let expected = Expected::Imagined { n, strata, levels: &[] };
                watch.call(&what, || design.predictability(expected, 2, None, &NoMonitor).is_ok());
            }
        }
    }
    watch.call("join", || {
        let made = Assignment::from_parts(&units(2).unwrap(), vec![], vec![], Array2::zeros((0, 0)));
        made.is_err()
    });
    assert!(watch.0.is_empty(), "{:#?}", watch.0);
}

#[test]
fn row_8_6_tests_and_tables_do_not_panic() {
    let mut watch = Watch(vec![]);
    for x in [&[][..], &[1.0], &[f64::NAN], &[f64::INFINITY], &[1.0, 1.0], &[1e308, -1e308]] {
        for y in [&[][..], &[1.0], &[2.0, f64::NAN], &[-1e308, 1e-308]] {
            for exact in [true, false] {
                let options = MannWhitneyOptions::default().exact(exact);
                watch.call("mann_whitney", || mann_whitney(x, y, &options, &NoMonitor).is_ok());
            }
            watch.call("permutation", || {
                permutation_test(x, y, &PermutationOptions::default(), &NoMonitor).is_ok()
            });
            for level in ODD {
                watch.call("hodges_lehmann", || {
                    hodges_lehmann(x, y, true, Alternative::TwoSided, level).is_ok()
                });
            }
        }
        watch.call("levels", || levels(x).is_ok());
        for edges in [&[][..], &[1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY], &[1.0, 1.0], &[0.0, 1.0, 2.0]]
        {
            watch.call("cut", || cut(x, edges, "x").is_ok());
        }
        watch.call("adjust", || adjust(x, Adjustment::Hommel).is_ok());
        let codes = vec![0; x.len()];
        watch.call("group_summary", || {
            (group_summary(x, &codes, 0, 0.9).is_ok(), group_summary(x, &codes, 1, 0.9).is_ok())
        });
        watch.call("summarise", || {
            (likert::summarise(x, &codes, 0).is_ok(), likert::summarise(x, &codes, 2).is_ok())
        });
        watch.call("tails", || (tails(x, None, 0.0).is_ok(), tails(x, Some(&[]), f64::NAN).is_ok()));
        watch.call("outcomes", || Outcomes::new("", x, &codes, 0).is_ok());
        watch.call("change", || risk::change(x, x, &codes, 0).is_ok());
    }
    watch.call("crosstab", || (crosstab(&[], &[], 0, 0).is_ok(), crosstab(&[], &[], 3, 0).is_ok()));
    for (scores, take) in [(&[][..], 0), (&[], 1), (&[5], 0), (&[5], 1), (&[i64::MIN, i64::MAX], 1)] {
        watch.call("subset sums", || {
            SubsetSums::probabilities(scores, take, &NoMonitor)
                .map(|law| {
                    (
                        law.mass(0),
                        law.at_most(i64::MIN),
                        law.at_least(i64::MAX),
                        law.as_far(i64::MAX, i64::MIN),
                    )
                })
                .is_ok()
        });
    }
    for counts in [&[][..], &[0], &[0, 0], &[3, 0]] {
        for shares in [&[][..], &[1.0], &[0.5, 0.5], &[f64::NAN, 1.0], &[0.0, 1.0]] {
            let options = GoodnessOptions::default().draws(5);
            watch.call("goodness", || goodness_of_fit(counts, shares, &options, &NoMonitor).is_ok());
        }
    }
    for events in [[0, 0], [1, 0], [5, 1]] {
        for totals in [[0, 0], [1, 1], [0, 2]] {
            for level in [0.95, f64::NAN] {
                watch.call("rates", || {
                    (
                        fisher_test(events, totals, Alternative::TwoSided, level).is_ok(),
                        newcombe(events, totals, level).is_ok(),
                        chan_zhang(events, totals, level, &NoMonitor).is_ok(),
                        wilson(events[0], totals[0], level).is_ok(),
                        clopper_pearson(events[0], totals[0], level).is_ok(),
                    )
                });
            }
            for national in ODD {
                watch.call("prevalence", || {
                    prevalence(events[0], totals[0], national, Alternative::Less, 0.9).is_ok()
                });
            }
        }
    }
    watch.call("sdq", || (sdq::score(none()).is_ok(), sdq::score(Array2::zeros((0, 25)).view()).is_ok()));
    watch.call("band", || (sdq::band(f64::NAN, &[]), sdq::band(1.0, &[])));
    watch.call("likert", || likert::score(none(), &likert::Options::new(1.0, 5.0, &[], &[])).is_ok());
    watch.call("likert", || {
        let names = ["a".to_owned()];
        likert::score(Array2::zeros((0, 1)).view(), &likert::Options::new(0.0, 5.0, &[false], &names)).is_ok()
    });
    watch.call("risk", || (risk::score(none(), &[]).is_ok(), risk::bounds(none(), &[], &[], 0).is_ok()));
    watch.call("risk", || risk::bounds(none(), &[], &[], usize::MAX).is_ok());
    let dates = cases::Dates::new(&[], &[], &[], &[], &[]);
    for (start, end) in [(0, 0), (5, -5), (i64::MIN, i64::MAX)] {
        watch.call("cases", || {
            cases::prepare(&dates, &cases::Window::new(start, end, cases::Origin::Referral)).is_ok()
        });
    }
    watch.call("cost", || {
        (
            cost::work_out(&[], &[]).is_ok(),
            cost::work_out(&[cost::Input::new("", "")], &[cost::Line::new("", "")]).is_ok(),
        )
    });
    assert!(watch.0.is_empty(), "{:#?}", watch.0);
}

#[test]
fn row_8_6_power_times_and_numbers_do_not_panic() {
    let mut watch = Watch(vec![]);
    for a in ODD {
        for b in ODD {
            for c in [0.5, 0.0, f64::NAN, f64::INFINITY] {
                watch.call(&format!("dist {a} {b} {c}"), || {
                    (
                        dist::t_two_sided(a, b),
                        dist::t_quantile(c, b),
                        dist::f_sf(a, b, c),
                        dist::chi2_sf(a, b),
                        dist::beta_cdf(c, a, b),
                        dist::beta_quantile(c, a, b),
                        dist::normal_quantile(a),
                    )
                });
                watch.call(&format!("noncentral {a} {b} {c}"), || {
                    (noncentral::cdf(a, b, c), noncentral::sf(a, b, c))
                });
            }
            let plan = Plan::default().effect(a).clusters(0).icc(b).cluster_size(ClusterSize::Mean(a));
            for plan in [
                Plan::default(),
                plan.clone(),
                plan.clone().alpha(b),
                plan.clone().allocation(b),
                plan.r2(b).cv(a),
            ] {
                for baseline in [a, 0.3] {
                    let asked = Binary::new(baseline, crewe::power::binary::Method::Pooled, plan.clone());
                    watch.call("power", || {
                        (power(&asked).is_ok(), power(&asked.clone().direction(Direction::Fall)).is_ok())
                    });
                }
            }
            watch.call("surv", || {
                let (time, event) = ([a, b], [1.0, a]);
                let surv = Surv::new(&time, &event);
                kaplan_meier(&surv, Some(&[0, 1]), Options::default().level(b))
                    .map(|curves| {
                        for curve in &curves {
                            let _ = (curve.quantile(a), curve.read(&[a, b]), curve.at_risk_at(&[a]));
                        }
                    })
                    .is_ok()
            });
            watch.call("tolerance", || {
                let rule = Tolerance::of(&[a, b]);
                (rule.last_at(&[], a), rule.before(&[], b), rule.same(a, b))
            });
            watch.call("limits", || survival::Interval::LogLog.limits(a, b, 1.96));
        }
    }
    watch.call("sizes", || {
        power(&Binary::new(
            0.3,
            crewe::power::binary::Method::Arcsine,
            Plan::default().effect(0.1).clusters(9).icc(0.1).cluster_size(ClusterSize::List(vec![])),
        ))
        .is_ok()
    });
    let nobody = Surv::new(&[], &[]);
    watch.call("nobody", || (nobody.check().is_err(), Timeline::new(&nobody, None).is_err()));
    watch.call("nobody", || kaplan_meier(&nobody, Some(&[]), Options::default()).is_err());
    watch.call("nobody", || {
        (logrank::<&str>(&nobody, &[], &[], None).is_err(), logrank(&nobody, &[], &["a"], Some(&[])).is_err())
    });
    let curve = Curve::default();
    watch.call("no curve", || {
        (curve.median(), curve.survival_at(1.0), curve.at_risk_at(&[]), curve.has_events())
    });
    let mut stream = Stream::new::<&str>(&Seed::Integer(0), "", &[], u64::MAX);
    watch.call("stream", || {
        stream.shuffle::<u8>(&mut []);
        (stream.below(0), stream.at(0))
    });
    watch.call("matrix", || {
        linalg::DesignMatrix::new(none(), false)
            .named(Vec::<String>::new())
            .map(|x| (x.n(), x.k(), x.not_finite()))
            .is_ok()
    });
    watch.call("factor", || linalg::factor::factor::<f64>(&[], 1e-11).is_ok());
    assert!(watch.0.is_empty(), "{:#?}", watch.0);
}

#[test]
fn row_8_6_randomisation_tests_do_not_panic() {
    let mut watch = Watch(vec![]);
    let design = Design::new("t").arm("a", 1).arm("b", 1).individual("id").seed(1);
    let units = units(4).unwrap();
    let assignment = design.assign(&units).unwrap();
    let y = [1.0, f64::NAN, f64::NAN, 2.0];
    let outcomes = Outcomes::new("y", &y, &[0, 1, 2, 3], 4).unwrap();
    let function = |_: &[f64], _: &[u8]| f64::NAN;
    let no_covariates = Array2::zeros((4, 0));
    let wrong = array![[1.0]];
    for statistic in [
        Statistic::DifferenceInMeans { studentised: true },
        Statistic::DifferenceInUnitMeans { studentised: false },
        Statistic::Adjusted(no_covariates.view()),
        Statistic::Adjusted(wrong.view()),
        Statistic::User(&function),
    ] {
        for draws in [0, 1, 100] {
            for level in ODD {
                let options = RandomisationOptions::default().draws(draws).level(level).interval(true);
                watch.call("test", || {
                    randomisation_test(&design, &assignment, &outcomes, statistic, &options, &NoMonitor)
                        .is_ok()
                });
            }
            watch.call("redrawn", || redrawn(&design, &assignment, draws, None, &NoMonitor).is_ok());
        }
        let options = SizeOptions::default().trials(0);
        watch.call("size", || size(&design, &units, &outcomes, statistic, &options, &NoMonitor).is_ok());
    }
    watch.call("comparing", || outcomes.clone().comparing(&[]).is_err());
    watch.call("comparing", || outcomes.clone().comparing(&[false; 4]).is_err());
    assert!(watch.0.is_empty(), "{:#?}", watch.0);
}

#[test]
fn bootstraps_do_not_panic() {
    let mut watch = Watch(vec![]);
    let x = array![[0.0], [0.0], [1.0], [1.0], [0.0], [1.0]];
    let clusters = Clusters::new(&[0, 1, 2, 3, 1, 3]).unwrap();
    let contrasts =
        [array![[0.0, 1.0]], array![[0.0, 0.0]], array![[f64::NAN, 1.0]], array![[1.0]], Array2::eye(2)];
    for y in [
        array![1.0, 0.0, 1.0, 1.0, 1.0, 0.0],
        array![1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        array![0.0, 0.0, 1.0, 1.0, 0.0, 1.0],
    ] {
        let linear = Ols::new(y.view(), x.view()).fit().unwrap();
        let logit = Logit::new(y.view(), x.view()).fit();
        let mut covariances = vec![linear.vcov(Vcov::Cr1, Some(&clusters)), linear.vcov(Vcov::Hc1, None)];
        covariances.extend(logit.iter().map(|fit| fit.vcov(Vcov::Cr1, Some(&clusters))));
        for covariance in covariances.into_iter().flatten() {
            for contrast in &contrasts {
                for kind in ["11", "13", "31", "33"] {
                    for (draws, weights) in [
                        (0, WildWeights::Webb),
                        (30, WildWeights::Mammen),
                        (u64::MAX, WildWeights::Webb),
                        (16, WildWeights::Rademacher),
                    ] {
                        for odd in ODD.into_iter().chain([0.9]) {
                            let options = WildOptions::default()
                                .draws(draws)
                                .weights(weights)
                                .kind(kind.parse::<WildType>().unwrap())
                                .null(draws != 30)
                                .level(if odd.is_nan() { odd } else { 0.9 });
                            let values = if draws == 0 { vec![] } else { vec![odd; contrast.nrows()] };
                            watch.call("wild", || {
                                wild_bootstrap(covariance.fit(), contrast.view(), &values, &options).is_ok()
                            });
                        }
                    }
                }
            }
        }
    }
    for odd in ODD {
        watch.call("replicates", || replicates(odd, Some(odd), &[odd, 1.0], Some(&[odd]), odd, 0.9).is_ok());
        watch.call("replicates", || replicates(1.0, None, &[], None, odd, odd).is_ok());
    }
    watch.call("pairs", || pairs(&[u32::MAX, 0], 0..3, &Seed::Integer(1)).is_ok());
    watch.call("pairs", || pairs(&[], std::ops::Range { start: 5, end: 3 }, &Seed::Integer(1)).is_ok());
    assert!(watch.0.is_empty(), "{:#?}", watch.0);
    assert!(pairs(&[9, 0], 0..3, &Seed::Integer(1)).is_err());
}

//! Power against R: the closed forms, `pwr`, `power.prop.test` and the noncentral t.

use crewe::power::binary::{Binary, Method, power};
use crewe::power::{Answer, ClusterSize, Direction, Distribution, Plan, Unknown, noncentral};
use proptest::prelude::*;
use serde_json::Value;

fn reference() -> Value {
    let text = include_str!("reference/expected/power.json");
    serde_json::from_str(text).expect("the reference file is JSON")
}

fn close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    assert!((ours - theirs).abs() <= tolerance * theirs.abs(), "{what}: {ours} against {theirs}");
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or_else(|| panic!("{name} in {row}"))
}

fn method(row: &Value) -> Method {
    match row["method"].as_str() {
        Some("arcsine") => Method::Arcsine,
        Some("pooled") => Method::Pooled,
        Some("unpooled") => Method::Unpooled,
        other => panic!("{other:?}"),
    }
}

fn distribution(row: &Value) -> Distribution {
    if row["distribution"] == "t" { Distribution::T } else { Distribution::Z }
}

/// The trial that was planned: a baseline of 22.6%, families of three, an ICC of .36.
fn families(change: impl FnOnce(&mut Binary)) -> crewe::Result<Answer> {
    let mut asked = Binary::new(
        0.226,
        Method::Arcsine,
        Plan::default().power(0.8).clusters(286).icc(0.36).cluster_size(ClusterSize::Mean(3.0)),
    );
    change(&mut asked);
    power(&asked)
}

#[test]
fn noncentral_t_is_rs() {
    let reference = &reference()["noncentral"];
    let [t, df, ncp, cdf, sf] = ["t", "df", "ncp", "cdf", "sf"].map(|name| numbers(&reference[name]));
    for i in 0..t.len() {
        let what = format!("t={} df={} ncp={}", t[i], df[i], ncp[i]);
        close(noncentral::sf(t[i], df[i], ncp[i]), sf[i], 1e-9, &what);
        assert!((noncentral::cdf(t[i], df[i], ncp[i]) - cdf[i]).abs() < 1e-10, "{what}");
    }
}

#[test]
fn power_is_rs() {
    let reference = reference();
    let sizes: Vec<u64> = numbers(&reference["sizes"]).iter().map(|&n| n as u64).collect();
    for row in reference["power"].as_array().unwrap() {
        let answer = families(|asked| {
            asked.method = method(row);
            let plan = &mut asked.plan;
            plan.power = None;
            plan.effect = Some(number(row, "effect"));
            plan.clusters = Some(number(row, "clusters") as u64);
            plan.allocation = number(row, "allocation");
            plan.distribution = Some(distribution(row));
            plan.r2 = Some(0.1);
            match row["shape"].as_str().unwrap() {
                "cv" => plan.cv = 0.55,
                "list" => plan.cluster_size = Some(ClusterSize::List(sizes.clone())),
                _ => {}
            }
        });
        close(answer.unwrap().solution.power.unwrap(), number(row, "power"), 1e-9, &row.to_string());
    }
}

#[test]
fn detectable_effects_are_rs() {
    for row in reference()["mdes"].as_array().unwrap() {
        let answer = families(|asked| {
            asked.method = method(row);
            asked.baseline = number(row, "baseline");
            asked.direction =
                Some(if row["direction"] == "rise" { Direction::Rise } else { Direction::Fall });
            let plan = &mut asked.plan;
            plan.icc = Some(number(row, "icc"));
            plan.cluster_size = Some(ClusterSize::Mean(number(row, "m")));
            plan.clusters = Some(number(row, "clusters") as u64);
            plan.allocation = number(row, "allocation");
            plan.distribution = Some(distribution(row));
        })
        .unwrap();
        if row["effect"].is_null() {
            let ceiling = answer.solution.unattainable.expect("R finds no root either");
            assert!(ceiling.power < 0.8 && answer.treated.is_none(), "{row}");
        } else {
            close(answer.solution.effect.unwrap(), number(row, "effect"), 1e-9, &row.to_string());
            close(answer.solution.power.unwrap(), 0.8, 1e-12, &row.to_string());
        }
    }
}

#[test]
fn the_number_of_clusters_is_the_first_that_is_enough() {
    for row in reference()["clusters"].as_array().unwrap() {
        let answer = families(|asked| {
            asked.method = method(row);
            let plan = &mut asked.plan;
            plan.clusters = None;
            plan.effect = Some(number(row, "effect"));
            plan.allocation = number(row, "allocation");
            plan.distribution = Some(distribution(row));
        })
        .unwrap()
        .solution;
        assert_eq!(answer.clusters, Some(number(row, "clusters") as u64), "{row}");
        assert!(answer.power.unwrap() >= 0.8 && answer.power_one_fewer.unwrap() < 0.8, "{row}");
    }
}

#[test]
fn singleton_clusters_are_pwr_and_power_prop_test() {
    for row in reference()["peers"].as_array().unwrap() {
        let ours = |method: Method| {
            families(|asked| {
                asked.baseline = number(row, "p0");
                asked.method = method;
                let plan = &mut asked.plan;
                plan.power = None;
                plan.effect = Some(number(row, "p1") - number(row, "p0"));
                plan.clusters = Some(number(row, "clusters") as u64);
                plan.allocation = number(row, "allocation");
                plan.cluster_size = Some(ClusterSize::Mean(1.0));
                plan.icc = Some(0.0);
            })
            .unwrap()
            .solution
            .power
            .unwrap()
        };
        close(ours(Method::Arcsine), number(row, "pwr"), 1e-9, &row.to_string());
        if let Some(theirs) = row["prop_test"].as_f64() {
            close(ours(Method::Pooled), theirs, 1e-9, &row.to_string());
        }
    }
}

/// The totals at which all four printed detectable effects come out within .05 of a point.
fn fits(method: Method, direction: Direction, allocation: f64) -> Vec<u64> {
    let printed = [(0.226, 1.0, 15.1), (0.226, 0.36, 11.2), (0.113, 1.0, 12.4), (0.113, 0.36, 9.1)];
    (150..500)
        .filter(|&clusters| {
            printed.iter().all(|&(baseline, icc, points)| {
                let answer = families(|asked| {
                    (asked.baseline, asked.method, asked.direction) = (baseline, method, Some(direction));
                    (asked.plan.icc, asked.plan.clusters) = (Some(icc), Some(clusters));
                    asked.plan.allocation = allocation;
                });
                let effect = answer.unwrap().solution.effect;
                effect.is_some_and(|effect| (100.0 * effect.abs() - points).abs() <= 0.05)
            })
        })
        .collect()
}

#[test]
fn only_arcsine_and_a_rise_fit_the_four_printed_effects() {
    for (allocation, families) in [(0.5, [286, 287]), (2.0 / 3.0, [322, 323]), (0.7, [340, 341])] {
        assert_eq!(fits(Method::Arcsine, Direction::Rise, allocation), families);
        assert!(fits(Method::Arcsine, Direction::Fall, allocation).is_empty());
        for method in [Method::Pooled, Method::Unpooled] {
            for direction in [Direction::Rise, Direction::Fall] {
                assert!(fits(method, direction, allocation).is_empty(), "{method:?} {direction:?}");
            }
        }
    }
}

#[test]
fn what_132_families_could_detect() {
    for (mean, icc, points) in
        [(3.0, 1.0, 24.3), (3.0, 0.36, 18.0), (326.0 / 132.0, 1.0, 24.3), (326.0 / 132.0, 0.36, 18.8)]
    {
        let answer = families(|asked| {
            asked.plan.clusters = Some(132);
            asked.plan.allocation = 2.0 / 3.0;
            asked.plan.icc = Some(icc);
            asked.plan.cluster_size = Some(ClusterSize::Mean(mean));
        })
        .unwrap()
        .solution;
        assert!((100.0 * answer.effect.unwrap() - points).abs() <= 0.05, "{mean} {icc}: {:?}", answer.effect);
        assert_eq!((answer.clusters_treated, answer.clusters_control), (Some(88), Some(44)));
    }
}

#[test]
fn a_fall_is_not_the_mirror_of_a_rise_and_may_be_out_of_reach() {
    // Even no events at all among the treated are too few to tell from 11.3% with 20 families.
    let answer = families(|asked| {
        asked.baseline = 0.113;
        asked.direction = Some(Direction::Fall);
        asked.plan.clusters = Some(20);
    })
    .unwrap();
    let ceiling = answer.solution.unattainable.unwrap();
    assert!(answer.solution.effect.is_none() && ceiling.power < 0.8 && ceiling.power > 0.05);
    assert_eq!(ceiling.at, -0.113);
}

#[test]
fn an_effect_too_small_for_any_trial_is_said_to_be() {
    for distribution in [Distribution::Z, Distribution::T] {
        let answer = families(|asked| {
            asked.plan.effect = Some(1e-6);
            asked.plan.clusters = None;
            asked.plan.distribution = Some(distribution);
        })
        .unwrap()
        .solution;
        let ceiling = answer.unattainable.unwrap();
        assert!(ceiling.at == 1e9 && ceiling.power < 0.8 && answer.clusters.is_none(), "{ceiling:?}");
    }
}

#[test]
fn larger_families_cannot_replace_more_of_them() {
    let small = |asked: &mut Binary| {
        asked.plan.cluster_size = None;
        asked.plan.effect = Some(0.112);
        asked.plan.clusters = Some(60);
    };
    let answer = families(small).unwrap().solution;
    let ceiling = answer.unattainable.unwrap();
    assert!(ceiling.at.is_infinite() && ceiling.power < 0.8);
    // As families grow without end each is worth 1/icc children.
    let endless = families(|asked| {
        small(asked);
        asked.plan.power = None;
        asked.plan.cluster_size = Some(ClusterSize::Mean(1.0 / 0.36));
        asked.plan.icc = Some(0.0);
    });
    close(ceiling.power, endless.unwrap().solution.power.unwrap(), 1e-6, "ceiling");
}

#[test]
fn the_icc_comes_back() {
    let answer = families(|asked| {
        asked.plan.icc = None;
        asked.plan.effect = Some(0.112);
    })
    .unwrap()
    .solution;
    let again = families(|asked| {
        asked.plan.power = None;
        asked.plan.icc = answer.icc;
        asked.plan.effect = Some(0.112);
    });
    close(again.unwrap().solution.power.unwrap(), 0.8, 1e-12, "power");
    let any = families(|asked| {
        asked.plan.icc = None;
        asked.plan.effect = Some(0.3);
    })
    .unwrap()
    .solution;
    assert!(any.any_icc && any.icc == Some(1.0) && any.power.unwrap() > 0.8);
}

#[test]
fn bad_plans_are_refused_in_plain_words() {
    let refused = |says: &str, change: &dyn Fn(&mut Binary)| {
        let error = families(|asked| change(asked)).unwrap_err();
        assert!(matches!(error, crewe::Error::Input(_)), "{error}");
        assert!(error.to_string().contains(says), "{says}: {error}");
    };
    refused("nothing is left to solve for", &|a| a.plan.effect = Some(0.1));
    refused("2 quantities are left out", &|a| a.plan.icc = None);
    refused("baseline", &|a| a.baseline = 1.2);
    refused("baseline", &|a| a.baseline = f64::NAN);
    refused("at most 1", &|a| a.plan.icc = Some(1.01));
    refused("-0.5000", &|a| a.plan.icc = Some(-0.5));
    refused("icc", &|a| a.plan.icc = Some(f64::NAN));
    refused("at least 1", &|a| a.plan.cluster_size = Some(ClusterSize::Mean(0.5)));
    refused("row 1", &|a| a.plan.cluster_size = Some(ClusterSize::List(vec![2, 0, 3])));
    refused("its own variation", &|a| {
        (a.plan.cluster_size, a.plan.cv) = (Some(ClusterSize::List(vec![2, 3])), 0.5);
    });
    refused("cv must not be negative", &|a| a.plan.cv = -0.1);
    refused("alpha", &|a| a.plan.alpha = 0.0);
    refused("allocation", &|a| a.plan.allocation = 2.0);
    refused("not above the level", &|a| a.plan.power = Some(0.05));
    refused("power", &|a| a.plan.power = Some(1.0));
    refused("r2", &|a| a.plan.r2 = Some(1.0));
    refused("at least 2 clusters", &|a| (a.plan.clusters, a.plan.allocation) = (Some(5), 2.0 / 3.0));
    let effect = |effect: f64| move |a: &mut Binary| (a.plan.effect, a.plan.power) = (Some(effect), None);
    refused("out of 0 to 1", &effect(11.2));
    refused("out of 0 to 1", &effect(-0.226));
    refused("other than 0", &effect(0.0));
    refused("contradicts", &|a| {
        effect(-0.1)(a);
        a.direction = Some(Direction::Rise);
    });
    refused("plays no part", &|a| {
        effect(0.1)(a);
        (a.plan.power, a.plan.icc, a.plan.cluster_size) = (Some(0.8), None, Some(ClusterSize::Mean(1.0)));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is solved for gives the power asked for when it is put back.
    #[test]
    fn solutions_hold(
        baseline in 0.05..0.95_f64, effect in 0.05..0.3_f64, icc in 0.0..1.0_f64, mean in 1.0..8.0_f64,
        allocation in 0.2..0.8_f64, t in any::<bool>(), which in 0..3_usize,
    ) {
        let effect = if baseline < 0.5 { effect } else { -effect };
        let plan = Plan::default().effect(effect).power(0.85).icc(icc).cluster_size(ClusterSize::Mean(mean)).allocation(allocation).distribution(if t { Distribution::T } else { Distribution::Z });
        let method = [Method::Arcsine, Method::Pooled, Method::Unpooled][which];
        let ask = |plan: Plan, direction: Option<Direction>| {
            let mut asked = Binary::new(baseline, method, plan);
            asked.direction = direction;
            power(&asked).unwrap()
        };
        let found = ask(plan.clone(), None);
        let clusters = found.solution.clusters.unwrap();
        prop_assert!(found.solution.power.unwrap() >= 0.85);
        if let Some(fewer) = found.solution.power_one_fewer {
            prop_assert!(fewer < 0.85);
        }
        let mut sought = plan.clone().clusters(clusters);
        sought.effect = None;
        let back = ask(sought.clone(), Some(found.direction));
        prop_assert!(back.solution.effect.unwrap().abs() <= effect.abs() * (1.0 + 1e-12));
        prop_assert_eq!(back.solution.solved, Unknown::Effect);
        prop_assert!((back.solution.power.unwrap() - 0.85).abs() < 1e-9);
        // Ten times the clusters detect less.
        let larger = ask(sought.clusters(10 * clusters), Some(found.direction));
        prop_assert!(larger.solution.effect.unwrap().abs() < back.solution.effect.unwrap().abs());
    }
}

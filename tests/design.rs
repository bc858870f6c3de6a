//! Designs and assignments: golden vectors, exact probabilities, refusals, balance and flow.

use std::sync::Arc;

use crewe::design::{
    Assignment, BigStick, Column, Constrained, Count, Covariate, Design, Expected, Fraction, Imbalance,
    LEFT_OUT, MatchedSets, Method, Minimisation, Rerandomised, Simple, Unit, Units, balance, flow,
};
use crewe::progress::{Monitor, NoMonitor, watched};
use crewe::rng::Seed;
use crewe::{Error, Fault};
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

fn golden() -> std::result::Result<Value, Box<dyn std::error::Error>> {
    Ok(serde_json::from_str(include_str!("reference/expected/golden_assignments.json"))?)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn design_of(case: &Value) -> Design {
    let mut design = Design::new(&text(&case["name"])).cluster(&text(&case["cluster"]));
    for arm in case["arms"].as_array().into_iter().flatten() {
        design = design.arm(&text(&arm[0]), arm[1].as_u64().unwrap_or_default() as u32);
    }
    let strata: Vec<String> = case["strata"].as_array().into_iter().flatten().map(text).collect();
    let seed = match case["key"].as_str() {
        Some(hex) => Seed::Key(std::array::from_fn(|i| {
            u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap_or_default()
        })),
        None => Seed::Integer(case["seed"].as_u64().unwrap_or_default()),
    };
    design
        .strata(strata)
        .method(Method::from_json(&format!(r#"{{"name":"{}"}}"#, text(&case["method"]))).unwrap_or_default())
        .seed(seed)
}

fn units_of(case: &Value, design: &Design) -> crewe::Result<Units> {
    let empty = serde_json::Map::new();
    let units = case["units"].as_object().unwrap_or(&empty);
    let ids = Column::from_values("family", units.keys());
    let strata: Vec<Column> = design
        .strata_columns()
        .iter()
        .enumerate()
        .map(|(place, name)| Column::from_values(name, units.values().map(|labels| text(&labels[place]))))
        .collect();
    Units::from_rows(design.unit()?, &ids, &strata)
}

fn named(assignment: &Assignment) -> Vec<(String, String)> {
    assignment
        .units
        .labels()
        .iter()
        .zip(&assignment.arm)
        .map(|(unit, &arm)| (unit.clone(), assignment.arms[usize::from(arm)].clone()))
        .collect()
}

#[test]
fn golden_assignments() -> Outcome {
    let golden = golden()?;
    let cases = golden["cases"].as_array().ok_or("no cases")?;
    assert_eq!(cases.len(), 7);
    for case in cases {
        let design = design_of(case);
        let units = units_of(case, &design)?;
        let assignment = design.assign(&units)?;
        for (unit, arm) in named(&assignment) {
            assert_eq!(case["assigned"][&unit], arm.as_str(), "{} {unit}", case["case"]);
        }
        assert_eq!(assignment.units.len(), case["assigned"].as_object().map_or(0, serde_json::Map::len));
        let draws = design.draws(&units, 4, None, &NoMonitor)?;
        for (unit, &arm) in units.labels().iter().zip(draws.row(3)) {
            assert_eq!(case["draws_3"][unit], assignment.arms[usize::from(arm)].as_str());
        }
    }
    Ok(())
}

#[test]
fn ten_thousand_families() -> Outcome {
    let design = Design::new("ten thousand")
        .arm("control", 1)
        .arm("crewe", 2)
        .cluster("family")
        .strata(["site"])
        .seed(20_170_701);
    // Backwards, and two rows a family.
    let order: Vec<u64> = (0..10_000).rev().chain(0..10_000).collect();
    let ids = Column::from_values("family", order.iter().map(ToString::to_string));
    let site = Column::from_values("site", order.iter().map(|i| format!("site {}", i * i % 7)));
    let units = Units::from_rows(design.unit()?, &ids, &[site])?;
    let mut hash = Sha256::new();
    for (unit, arm) in named(&design.assign(&units)?) {
        hash.update(format!("{unit}\t{arm}\n"));
    }
    let digest = hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert_eq!(golden()?["ten_thousand"]["sha256"], digest.as_str());
    Ok(())
}

#[test]
fn draws_do_not_depend_on_threads_or_on_one_another() -> Outcome {
    let case = &golden()?["cases"][2];
    let design = design_of(case);
    let units = units_of(case, &design)?;
    let on = |threads: usize, n: usize| -> std::result::Result<_, Box<dyn std::error::Error>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        Ok(pool.install(|| design.draws(&units, n, None, &NoMonitor))?)
    };
    let one = on(1, 5_000)?;
    assert_eq!(one, on(8, 5_000)?);
    assert_eq!(one.row(17), on(2, 18)?.row(17));
    assert_ne!(one.row(0), one.row(1));
    let other = design.draws(&units, 1, Some(&Seed::Integer(9)), &NoMonitor)?;
    assert_ne!(one.row(0), other.row(0));
    Ok(())
}

/// The share of draws in which each unit gets each arm, against the probability that is reported.
#[test]
fn reported_probabilities_are_the_realised_ones() -> Outcome {
    for method in [Method::default(), Simple {}.into()] {
        let design =
            Design::new("t").arm("a", 1).arm("b", 2).arm("c", 3).method(method).cluster("id").seed(4);
        // Strata of 1, 2, 4 and 7 units, none of which divides by 6.
        let sizes = [1, 2, 4, 7];
        let rows: Vec<(usize, usize)> =
            sizes.iter().enumerate().flat_map(|(s, &n)| (0..n).map(move |i| (s, i))).collect();
        let ids = Column::from_values("id", rows.iter().map(|(s, i)| format!("{s}-{i}")));
        let strata = Column::from_values("site", rows.iter().map(|(s, _)| s.to_string()));
        let design = design.strata(["site"]);
        let units = Units::from_rows(design.unit()?, &ids, &[strata])?;
        let probability = design.assign(&units)?.probability;
        let n = 60_000;
        let draws = design.draws(&units, n, None, &NoMonitor)?;
        for unit in 0..units.len() {
            for arm in 0..3 {
                let p = probability[[unit, arm]];
                let share =
                    draws.column(unit).iter().filter(|&&a| usize::from(a) == arm).count() as f64 / n as f64;
                // 84 comparisons: 4.5 standard errors.
                assert!(
                    (share - p).abs() < 4.5 * (p * (1.0 - p) / n as f64).sqrt(),
                    "{unit} {arm} {share} {p}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_monitor_stops_the_draws() -> Outcome {
    struct Stop;
    impl Monitor for Stop {
        fn tick(&self, done: u64, _total: u64) -> bool {
            done == 0
        }
    }
    let case = &golden()?["cases"][0];
    let design = design_of(case);
    let units = units_of(case, &design)?;
    assert_eq!(design.draws(&units, 100_000, None, &Stop), Err(Error::Interrupted));
    Ok(())
}

/// Stops whatever asks.
struct Stop;

impl Monitor for Stop {
    fn tick(&self, _done: u64, _total: u64) -> bool {
        false
    }
}

#[test]
fn test_7_8_whoever_watches_stops_every_procedure() -> Outcome {
    const ON: [&str; 2] = ["age", "need"];
    let stopped = Err(Error::Interrupted);
    let design = |method: Method, shares: [u32; 2]| {
        Design::new("t").arm("a", shares[0]).arm("b", shares[1]).individual("id").seed(1).method(method)
    };
    let units = |design: &Design, n: u32| {
        let ids = Column::from_values("id", (0..n).map(|id| id.to_string()));
        let covariate = |by: u32| -> Vec<f64> { (0..n).map(|i| f64::from(i * by % 101)).collect() };
        let sites = Column::from_values("site", (0..n).map(|i| (i % 3).to_string()));
        let order: Vec<i64> = (0..i64::from(n)).collect();
        Units::from_rows(design.unit()?, &ids, &[])?
            .covariate(ON[0], &covariate(37))?
            .covariate(ON[1], &covariate(59))?
            .factor(&sites)?
            .arriving("day", &order)
    };
    let constrained = |draws| Constrained::new(ON.map(|on| (on, 1)), Fraction::new(1, 10), draws);
    let cases: [(Method, [u32; 2], u32); 7] = [
        (Rerandomised::new(ON, Fraction::new(1, 10_000)).into(), [1, 1], 300),
        (Rerandomised::new(ON, Fraction::new(1, 10)).into(), [1, 2], 300), // its probabilities are simulated
        (constrained(5_000).into(), [1, 2], 300),
        (constrained(1_000_000).into(), [1, 1], 20), // all are listed
        (MatchedSets::built(ON).into(), [1, 1], 300),
        (Minimisation::new([("site", 1)], Imbalance::Range, Fraction::new(4, 5)).into(), [1, 1], 40_000),
        (BigStick::new(3).into(), [1, 2], 200_000),
    ];
    for (method, shares, n) in cases {
        let design = design(method, shares);
        let units = units(&design, n)?;
        let name = design.the_method().name();
        assert_eq!(watched(Arc::new(Stop), || design.assign(&units)), stopped, "{name}");
        assert_eq!(design.draws(&units, 10, None, &Stop).err(), Some(Error::Interrupted), "{name}");
        // Whoever lets it go on changes nothing.
        if n <= 300 {
            assert_eq!(
                watched(Arc::new(NoMonitor), || design.assign(&units))?,
                design.assign(&units)?,
                "{name}"
            );
        }
    }
    // Counting and listing.
    let stick = design(BigStick::new(40).into(), [1, 1]);
    let many = units(&stick, 1_500)?;
    assert_eq!(watched(Arc::new(Stop), || stick.possible(&many)), Err(Error::Interrupted));
    let complete = design(Method::default(), [1, 1]);
    let few = units(&complete, 18)?;
    let listed = watched(Arc::new(Stop), || complete.support(&few, 100_000));
    assert_eq!(listed, Err(Error::Interrupted));
    let long = Expected::Imagined { n: 100_000, strata: 1, levels: &[] };
    assert_eq!(stick.predictability(long, 2, None, &Stop), Err(Error::Interrupted));
    Ok(())
}

fn two_arms() -> Design {
    Design::new("t").arm("control", 1).arm("crewe", 1).cluster("family").seed(1)
}

fn fault_of<T: std::fmt::Debug>(result: crewe::Result<T>) -> std::result::Result<Fault, String> {
    match result {
        Err(error) => error.fault().cloned().ok_or_else(|| error.to_string()),
        Ok(value) => Err(format!("no error but {value:?}")),
    }
}

#[test]
fn impossible_designs_are_refused() -> Outcome {
    let base = Design::new("t").arm("a", 1).cluster("id").seed(1);
    let designs = [
        (base.clone(), "two arms"),
        (base.clone().arm("b", 0), "share of 0"),
        (base.clone().arm("a", 2), "same name"),
        (base.clone().arm("", 2), "no name"),
        (base.clone().arm("b", 1).strata(["id"]), "differ from one another"),
        (base.clone().arm("b", 1).strata(["x", "x"]), "differ from one another"),
        (Design::new("").arm("a", 1).arm("b", 1).cluster("id"), "no name"),
        (Design::new("t").arm("a", 1).arm("b", 1), "does not say what is randomised"),
        ((0..256).fold(base.clone(), |d, i| d.arm(&format!("arm {i}"), 1)), "at most 255"),
    ];
    for (design, problem) in designs {
        assert!(matches!(design.check(), Err(Error::Design(_))));
        let fault = fault_of(design.check())?;
        assert!(fault.problem.contains(problem), "{}", fault.problem);
        assert!(!fault.remedy.is_empty());
    }
    let seedless = Design::new("t").arm("a", 1).arm("b", 1).cluster("id");
    assert!(fault_of(seedless.commitment())?.problem.contains("no seed"));
    assert!(seedless.seeded()?.commitment().is_ok());
    Ok(())
}

#[test]
fn data_that_contradict_the_design_are_refused() -> Outcome {
    let cluster = Unit::Cluster("family".to_owned());
    let ids = Column::from_values("family", ["1", "1", "2", "3"]);
    let fault = fault_of(Units::from_rows(&cluster, &Column::from_values("family", [""; 0]), &[]))?;
    assert!(fault.problem.contains("no rows"));
    let holes = Column::from_options("family", [Some("1"), None, None]);
    let fault = fault_of(Units::from_rows(&cluster, &holes, &[]))?;
    assert_eq!((fault.rows, fault.column.as_deref()), (vec![1, 2], Some("family")));
    let strata = Column::from_options("history", [Some("0"), Some("0"), None, Some("1")]);
    let fault = fault_of(Units::from_rows(&cluster, &ids, &[strata]))?;
    assert_eq!((fault.rows, fault.column.as_deref()), (vec![2], Some("history")));
    let strata = Column::from_values("history", ["0", "1", "1", "1"]);
    let fault = fault_of(Units::from_rows(&cluster, &ids, &[strata]))?;
    assert_eq!((fault.rows, fault.values), (vec![0, 1], vec!["family 1".to_owned()]));
    let fault = fault_of(Units::from_rows(&Unit::Individual("family".to_owned()), &ids, &[]))?;
    assert_eq!((fault.rows, fault.values), (vec![0, 1], vec!["1".to_owned()]));
    let short = Column::from_values("history", ["0"]);
    assert!(fault_of(Units::from_rows(&cluster, &ids, &[short]))?.problem.contains("different numbers"));

    let one = Units::from_rows(&cluster, &Column::from_values("family", ["1", "1"]), &[])?;
    assert!(fault_of(two_arms().assign(&one))?.problem.contains("1 units for 2 arms"));
    assert!(
        fault_of(two_arms().strata(["history"]).assign(&one))?.problem.contains("not built for this design")
    );
    Ok(())
}

#[test]
fn observed_arms() -> Outcome {
    let design = two_arms();
    let ids = Column::from_values("family", ["1", "1", "2", "3", "4"]);
    let units = Units::from_rows(design.unit()?, &ids, &[])?;
    let observe = |values: [&str; 5]| design.observe(&units, &Column::from_values("treated", values));
    let by_name = observe(["crewe", "crewe", "control", "control", "crewe"])?;
    let by_number = observe(["1", "1", "0", "0", "1"])?;
    assert_eq!(by_name, by_number);
    assert_eq!((by_name.arm.as_slice(), by_name.commitment.is_none()), (&[1, 0, 0, 1][..], true));

    assert_eq!(fault_of(observe(["0", "1", "0", "0", "1"]))?.rows, vec![0, 1]);
    let fault = fault_of(observe(["crewe", "crewe", "Control", "control", "crew"]))?;
    assert_eq!(fault.rows, vec![2, 4]);
    assert!(fault.remedy.contains("Did you mean 'control' or 'crewe'?"), "{}", fault.remedy);
    assert!(fault_of(observe(["1"; 5]))?.problem.contains("in one arm"));
    assert!(fault_of(observe(["1", "1", "0", "1", "1"]))?.problem.contains("fewer than two clusters"));
    let holes = Column::from_options("treated", [Some("1"), Some("1"), None, Some("0"), Some("0")]);
    assert_eq!(fault_of(design.observe(&units, &holes))?.rows, vec![2]);
    let three = two_arms().arm("third", 1);
    let fault = fault_of(three.observe(&units, &Column::from_values("arm", ["1", "1", "0", "0", "2"])))?;
    assert_eq!(fault.values, vec!["0", "1", "2"]);
    Ok(())
}

#[test]
fn joining_other_data() -> Outcome {
    let design = two_arms().strata(["site"]);
    let ids = Column::from_values("family", ["1", "2", "3", "4"]);
    let site = Column::from_values("site", ["n", "n", "s", "s"]);
    let units = Units::from_rows(design.unit()?, &ids, &[site])?;
    let assignment = design.observe(&units, &Column::from_values("arm", ["0", "1", "0", "1"]))?;
    let ids = Column::from_values("family", ["4", "1", "4"]);
    let join = |site: [&str; 3], arm: [&str; 3]| {
        let (site, arm) = (Column::from_values("site", site), Column::from_values("arm", arm));
        assignment.join(&ids, &[site], Some(&arm))
    };
    assert_eq!(join(["s", "n", "s"], ["1", "0", "1"])?.unit, [3, 0, 3]);
    let fault = fault_of(join(["n", "n", "s"], ["1", "0", "1"]))?;
    assert_eq!((fault.rows, fault.values), (vec![0], vec!["family 4: randomised as s".to_owned()]));
    let fault = fault_of(join(["s", "n", "s"], ["1", "0", "0"]))?;
    assert_eq!((fault.rows, fault.values), (vec![2], vec!["family 4: drawn crewe".to_owned()]));
    let fault = fault_of(assignment.join(&Column::from_values("family", ["1", "9"]), &[], None))?;
    assert_eq!((fault.rows, fault.values), (vec![1], vec!["9".to_owned()]));
    let holes = Column::from_options("family", [Some("1"), None]);
    assert_eq!(fault_of(assignment.join(&holes, &[], None))?.rows, vec![1]);
    Ok(())
}

/// Worked by hand: ages 2, 4 | 6 of two families in the first arm, 5 | 9, 11 in the second.
#[test]
fn balance_by_hand() -> Outcome {
    let rows = [0, 0, 1, 2, 3, 3];
    let arm = [0, 0, 1, 1];
    let age = Covariate::new("age", &[2.0, 4.0, 6.0, 5.0, 9.0, 11.0]);
    let girl = Covariate::new("girl", &[1.0, 0.0, 1.0, f64::NAN, 0.0, 0.0]);
    let result = balance(&rows, &arm, 2, &[age, girl])?;
    // By family the ages are 3, 6 | 5, 10; variances 4.5 and 12.5.
    assert_eq!(result.unit.mean.row(0).to_vec(), [4.5, 7.5]);
    assert!((result.unit.difference[[0, 1]] - 3.0 / 8.5_f64.sqrt()).abs() < 1e-15);
    // By child 4 and 25/3; variances 4 and 28/3.
    assert!((result.row.sd[[0, 1]] - (28.0_f64 / 3.0).sqrt()).abs() < 1e-15);
    assert!((result.row.difference[[0, 1]] - (13.0 / 3.0) / (20.0_f64 / 3.0).sqrt()).abs() < 1e-15);
    // Girls by child: 2/3 and 0 of 2, one missing; p (1 - p) is 2/9 and 0. By family .5, 1 | missing, 0.
    assert_eq!((result.row.share[1], result.unit.share[1]), (true, false));
    assert_eq!((result.row.n[[1, 1]], result.row.missing[[1, 1]]), (2, 1));
    assert!((result.row.difference[[1, 1]] + (2.0 / 3.0) / (1.0_f64 / 9.0).sqrt()).abs() < 1e-15);
    assert_eq!((result.unit.n[[1, 1]], result.unit.missing[[1, 1]]), (1, 1));
    assert!(result.unit.sd[[1, 1]].is_nan() && result.unit.difference[[1, 1]].is_nan());
    assert!(result.unit.difference[[0, 0]].is_nan());

    let bad = Covariate::new("age", &[f64::INFINITY, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(fault_of(balance(&rows, &arm, 2, &[bad]))?.rows, vec![0]);
    let same = Covariate::new("one", &[1.0; 6]);
    assert_eq!(balance(&rows, &arm, 2, &[same])?.row.difference[[0, 1]], 0.0);
    Ok(())
}

#[test]
fn flow_refuses_rows_analysed_and_excluded() -> Outcome {
    let fault = fault_of(flow(&[0, 1], &[0, 1], 2, 1, &[Some(0), None], &[true, true]))?;
    assert_eq!(fault.rows, vec![0]);
    Ok(())
}

proptest! {
    /// Units and rows both add up, in every arm and whatever was left out.
    #[test]
    fn flow_adds_up(rows in prop::collection::vec((0_u32..20, prop::option::of(0_usize..3), any::<bool>()), 1..80)) {
        let unit: Vec<u32> = rows.iter().map(|r| r.0).collect();
        let arm: Vec<u8> = (0..20).map(|i| i % 3).collect();
        let reason: Vec<Option<usize>> = rows.iter().map(|r| r.1).collect();
        let analysed: Vec<bool> = rows.iter().map(|r| r.1.is_none() && r.2).collect();
        let made = flow(&unit, &arm, 3, 3, &reason, &analysed)?;
        let mut allocated = Count::default();
        for arm in &made.arms {
            let parts: Vec<Count> = arm.excluded.iter().copied().chain([arm.unexplained, arm.analysed]).collect();
            prop_assert_eq!(parts.iter().map(|c| c.units).sum::<u64>(), arm.allocated.units);
            prop_assert_eq!(parts.iter().map(|c| c.rows).sum::<u64>(), arm.allocated.rows);
            allocated.rows += arm.allocated.rows;
        }
        prop_assert_eq!(allocated.rows, rows.len() as u64);
    }

    /// Neither the order of rows nor units of other strata move a unit, and every stratum keeps the ratio.
    #[test]
    fn rows_and_strata_do_not_matter(
        sizes in prop::collection::vec(1_usize..9, 1..5),
        shares in prop::collection::vec(1_u32..5, 2..4),
        seed in any::<u64>(),
        turn in 0_usize..50,
    ) {
        let mut design = Design::new("t").cluster("id").strata(["site"]).seed(seed);
        for (arm, share) in shares.iter().enumerate() {
            design = design.arm(&format!("arm {arm}"), *share);
        }
        let mut rows: Vec<(usize, usize)> =
            sizes.iter().enumerate().flat_map(|(s, &n)| (0..n).map(move |i| (s, i))).collect();
        prop_assume!(rows.len() >= shares.len());
        let assign = |rows: &[(usize, usize)]| -> crewe::Result<Assignment> {
            let ids = Column::from_values("id", rows.iter().map(|(s, i)| format!("{s}-{i}")));
            let site = Column::from_values("site", rows.iter().map(|(s, _)| s.to_string()));
            design.assign(&Units::from_rows(design.unit()?, &ids, &[site])?)
        };
        let before = assign(&rows)?;
        let ratio = design.ratio();
        for (stratum, counts) in before.table().rows().into_iter().enumerate() {
            let n = sizes[stratum] as u64;
            for (arm, &count) in counts.iter().enumerate() {
                let floor = n * ratio.shares[arm] / ratio.total;
                let more = !(n * ratio.shares[arm]).is_multiple_of(ratio.total);
                prop_assert!(count as u64 == floor || (more && count as u64 == floor + 1));
            }
        }
        let middle = turn % rows.len();
        rows.rotate_left(middle);
        rows.extend((0..7).map(|i| (99, i)));
        let after = named(&assign(&rows)?);
        for pair in named(&before) {
            prop_assert!(after.contains(&pair));
        }
    }
}

/// A column may be named in composed or decomposed letters: it is the same column, in the draw and the commitment.
#[test]
fn columns_of_the_method_are_named_in_nfc() -> Outcome {
    let drawn = |name: &str| -> std::result::Result<_, Box<dyn std::error::Error>> {
        let text =
            format!(r#"{{"name":"minimisation","factors":[["{name}",1]],"imbalance":"range","p":[4,5]}}"#);
        let design = Design::new("t").arm("a", 1).arm("b", 1).cluster("id").seed(1);
        let design = design.method(Method::from_json(&text)?);
        let ids = Column::from_values("id", ["1", "2", "3", "4"]);
        let units = Units::from_rows(design.unit()?, &ids, &[])?.arriving("day", &[1, 2, 3, 4])?;
        let units = units.factor(&Column::from_values(name, ["x", "y", "x", "y"]))?;
        Ok((design.assign(&units)?.arm, design.commitment()?.digest))
    };
    assert_eq!(drawn("\u{e2}ge")?, drawn("a\u{302}ge")?);
    Ok(())
}

#[test]
fn row_8_3_units_and_arms_that_are_not_there_are_refused() {
    let age = Covariate::new("age", &[4.0, 6.0]);
    assert!(balance(&[0, 1], &[0, 1], 2, &[age]).is_ok());
    for (rows, arm) in [([0, u32::MAX], [0, 1]), ([0, 2], [0, 1]), ([0, 1], [0, 2])] {
        assert!(matches!(balance(&rows, &arm, 2, &[age]), Err(Error::Input(_))));
        assert!(matches!(flow(&rows, &arm, 2, 1, &[None; 2], &[true; 2]), Err(Error::Input(_))));
    }
    assert!(balance(&[0, 1], &[0, LEFT_OUT], 2, &[age]).is_ok());
    assert!(matches!(flow(&[0, 1], &[0, 1], 2, 1, &[Some(0), Some(1)], &[false; 2]), Err(Error::Input(_))));
    assert!(matches!(balance(&[0], &[0], 1, &[age]), Err(Error::Input(_))));
    let column = Column::from_options("family", [Some("1"), None]);
    assert_eq!(column.codes().collect::<Vec<_>>(), [Some(0), None]);
    assert!(matches!(Column::new("family", [Some(1)], vec!["1".into()]), Err(Error::Input(_))));
}

#[test]
fn row_8_6_designs_and_results_can_be_written_and_hold_no_key() -> Outcome {
    let key = Seed::Key([0xAB; 32]);
    let design = Design::new("t").arm("a", 1).arm("b", 1).cluster("family").strata(["site"]).seed(key);
    let ids = Column::from_values("family", ["1", "2", "2", "3", "4"]);
    let site = Column::from_values("site", ["n", "n", "n", "s", "s"]);
    let units =
        Units::from_rows(design.unit()?, &ids, &[site])?.covariate("age", &[1.0, 2.0, 4.0, 5.0, 6.0])?;
    let assignment = design.assign(&units)?;
    let written = serde_json::to_value(&assignment)?;
    assert_eq!(written["units"]["labels"], serde_json::json!(["1", "2", "3", "4"]));
    assert_eq!(written["units"]["covariates"][0]["values"][1], 3.0);
    assert_eq!(written["arms"], serde_json::json!(["a", "b"]));
    assert_eq!(written["probability"]["dim"], serde_json::json!([4, 2]));
    let text = serde_json::to_string(&design)?;
    assert_eq!(crewe::design::Design::from_json(&design.canonical_json()?)?.name(), "t");
    assert_eq!(
        serde_json::from_str::<Value>(&text)?,
        serde_json::from_str::<Value>(&design.canonical_json()?)?
    );
    for text in [text, written.to_string(), format!("{design:?}")] {
        assert!(!text.contains("171") && !text.to_lowercase().contains("abab"), "{text}");
    }
    Ok(())
}

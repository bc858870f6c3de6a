//! Procedures that draw a whole list at once: misfits, matched sets, constrained randomisation, rerandomisation.

mod common;

use std::collections::BTreeMap;

use crewe::design::{
    Assignment, Column, Complete, Constrained, Design, Fraction, LEFT_OUT, MatchedSets, Method, Misfits,
    Rerandomised, Support, Units, Weighted, rerandomised,
};
use crewe::progress::NoMonitor;
use crewe::rng::{Seed, Stream};
use crewe::{Error, Fault};
use proptest::prelude::*;

fn design(ratio: &[u32], strata: bool, method: impl Into<Method>) -> Design {
    let mut design = Design::new("Lists").individual("id").method(method).seed(2001);
    for (place, &share) in ratio.iter().enumerate() {
        design = design.arm(&format!("arm {place}"), share);
    }
    if strata { design.strata(["stratum"]) } else { design }
}

/// Units named u00, u01, ... in strata of these sizes (none where there is one size).
fn units(sizes: &[usize]) -> crewe::Result<Units> {
    let n: usize = sizes.iter().sum();
    let ids = Column::from_values("id", (0..n).map(|unit| format!("u{unit:03}")));
    let unit = crewe::design::Unit::Individual("id".to_owned());
    if sizes.len() == 1 {
        return Units::from_rows(&unit, &ids, &[]);
    }
    let stratum = sizes.iter().enumerate().flat_map(|(s, &n)| std::iter::repeat_n(format!("s{s}"), n));
    Units::from_rows(&unit, &ids, &[Column::from_values("stratum", stratum)])
}

/// A covariate of deterministic normal numbers.
fn normals(name: &str, n: usize) -> Vec<f64> {
    let mut stream = Stream::new(&Seed::Integer(11), "test", &[name], 0);
    (0..n).map(|_| stream.normal()).collect()
}

fn on(columns: &[&str]) -> Vec<Weighted> {
    columns.iter().map(|&column| Weighted { column: column.to_owned(), weight: 1 }).collect()
}

/// The probabilities sum to 1, assignments differ, and each unit's marginal probability is the one reported.
fn agrees_with_probabilities(design: &Design, units: &Units, tolerance: f64) -> Support {
    let support = design.support(units, 300_000).expect("can be drawn").expect("few assignments");
    let reported = design.probabilities(units).expect("can be drawn").arm;
    assert!((support.probability.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let possible = design.possible(units).expect("can be drawn").expect("can be counted");
    assert_eq!(possible.to_string(), support.probability.len().to_string());
    let mut marginal = ndarray::Array2::<f64>::zeros(reported.raw_dim());
    let mut seen: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
    for (row, &weight) in support.arm.rows().into_iter().zip(&support.probability) {
        assert!(weight > 0.0);
        for (unit, &arm) in row.iter().enumerate() {
            if arm != LEFT_OUT {
                marginal[[unit, usize::from(arm)]] += weight;
            }
        }
        assert!(seen.insert(row.to_vec(), weight).is_none(), "an assignment is listed twice");
    }
    for (got, want) in marginal.iter().zip(&reported) {
        assert!((got - want).abs() <= tolerance, "{got} {want}");
    }
    support
}

/// The draws follow the support: chi-squared over all assignments, p above 1e-4.
fn draws_follow(design: &Design, units: &Units, support: &Support) {
    let n = 40 * support.probability.len().max(50);
    let draws = design.draws(units, n, None, &NoMonitor).expect("can be drawn");
    let mut counts: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
    for row in draws.rows() {
        *counts.entry(row.to_vec()).or_default() += 1.0;
    }
    let mut chi = 0.0;
    for (row, &weight) in support.arm.rows().into_iter().zip(&support.probability) {
        let (seen, expected) = (counts.remove(&row.to_vec()).unwrap_or(0.0), weight * n as f64);
        chi += (seen - expected).powi(2) / expected;
    }
    assert!(counts.is_empty(), "an assignment was drawn that is not possible");
    let df = support.probability.len() as f64 - 1.0;
    assert!(df == 0.0 || crewe::dist::chi2_sf(chi, df) > 1e-4, "{chi} on {df}");
}

const RULES: [Misfits; 5] =
    [Misfits::Strata, Misfits::LeaveOut, Misfits::Global, Misfits::WeightedStrata, Misfits::WeightedGlobal];

fn complete(misfits: Misfits) -> Complete {
    Complete::default().misfits(misfits)
}

#[test]
fn support_of_every_rule_for_misfits_agrees_with_its_probabilities() {
    let ratios: [&[u32]; 6] = [&[1, 1], &[1, 2], &[3, 1], &[1, 1, 1], &[1, 2, 1], &[2, 3, 1]];
    for ratio in ratios {
        for rule in RULES {
            for n in 1..=8 {
                let units = units(&[n]).expect("units");
                let design = design(ratio, false, complete(rule));
                let total: u32 = ratio.iter().sum();
                if rule == Misfits::LeaveOut && n < total as usize {
                    assert!(matches!(design.probabilities(&units), Err(Error::Design(_))));
                    continue;
                }
                agrees_with_probabilities(&design, &units, 1e-13);
            }
            for sizes in [&[1, 1][..], &[1, 4], &[3, 5], &[2, 2, 1], &[1, 1, 1], &[4, 3, 1]] {
                let units = units(sizes).expect("units");
                let design = design(ratio, true, complete(rule));
                if design.probabilities(&units).is_ok() {
                    agrees_with_probabilities(&design, &units, 1e-13);
                }
            }
        }
    }
}

#[test]
fn draws_follow_the_support_under_every_rule_for_misfits() {
    for rule in RULES {
        for (ratio, sizes) in
            [(&[1, 2][..], &[4, 2][..]), (&[1, 1, 1], &[4, 1]), (&[3, 1], &[5, 1]), (&[1, 2], &[5])]
        {
            let units = units(sizes).expect("units");
            let design = design(ratio, sizes.len() > 1, complete(rule));
            let support = agrees_with_probabilities(&design, &units, 1e-13);
            draws_follow(&design, &units, &support);
        }
    }
}

#[test]
fn units_left_out_have_no_arm() -> crewe::Result<()> {
    let units = units(&[5, 4, 1])?;
    let drawn = design(&[1, 2], true, complete(Misfits::LeaveOut)).assign(&units)?;
    // 5 = 3 + 2, 4 = 3 + 1, 1: four units are left over.
    assert_eq!(drawn.left_out(), 4);
    assert_eq!(drawn.counts(), [2, 4]);
    assert_eq!(drawn.table().sum(), 6);
    assert_eq!(drawn.arm[9], LEFT_OUT);
    let left: Vec<f64> = drawn.probability.rows().into_iter().map(|row| 1.0 - row.sum()).collect();
    for (unit, want) in [(0, 2.0 / 5.0), (5, 1.0 / 4.0), (9, 1.0)] {
        assert!((left[unit] - want).abs() < 1e-15);
    }
    assert!(drawn.notes.iter().any(|note| note.contains("left out")), "{:?}", drawn.notes);
    Ok(())
}

#[test]
fn global_rules_draw_singletons_together() -> crewe::Result<()> {
    // Twelve strata of one unit at 1:2. Weighted: 4 and 8 exactly. Equal: 6 and 6, and the probability says so.
    let sizes = [1; 12];
    let units = units(&sizes)?;
    for (rule, counts, first) in
        [(Misfits::WeightedGlobal, [4, 8], 1.0 / 3.0), (Misfits::Global, [6, 6], 0.5)]
    {
        let drawn = design(&[1, 2], true, complete(rule)).assign(&units)?;
        assert_eq!(drawn.counts(), counts);
        assert_eq!(drawn.probability[[3, 0]], first);
    }
    Ok(())
}

fn pairs_of(units: Units, names: &[&str]) -> crewe::Result<Units> {
    units.factor(&Column::from_values("pair", names))
}

fn given() -> MatchedSets {
    MatchedSets::given("pair")
}

#[test]
fn matched_sets_hold_every_arm_and_do_not_touch_each_other() -> crewe::Result<()> {
    let names = ["a", "b", "a", "c", "b", "c", "c"];
    let units = pairs_of(units(&[7])?, &names)?;
    let design = design(&[1, 1], false, given());
    let support = agrees_with_probabilities(&design, &units, 0.0);
    assert_eq!(support.probability.len(), 2 * 2 * 6);
    draws_follow(&design, &units, &support);
    let drawn = design.assign(&units)?;
    assert_eq!(drawn.details.block, Some(vec![0, 1, 0, 2, 1, 2, 2]));
    assert_ne!(drawn.arm[0], drawn.arm[2]);
    assert_ne!(drawn.arm[1], drawn.arm[4]);
    // Without the set b, the others keep their arms.
    let fewer = {
        let ids = Column::from_values("id", ["u000", "u002", "u003", "u005", "u006"]);
        let unit = crewe::design::Unit::Individual("id".to_owned());
        pairs_of(Units::from_rows(&unit, &ids, &[])?, &["a", "a", "c", "c", "c"])?
    };
    let again = design.assign(&fewer)?;
    assert_eq!(again.arm, [0, 2, 3, 5, 6].map(|unit: usize| drawn.arm[unit]));
    Ok(())
}

#[test]
fn matched_sets_that_cannot_be_drawn_are_refused_by_name() -> crewe::Result<()> {
    let design_of = |strata| design(&[1, 1], strata, given());
    let alone = pairs_of(units(&[3])?, &["a", "a", "b"])?;
    let fault = fault_of(design_of(false).assign(&alone));
    assert_eq!(fault.values, ["b (only u002)"]);
    let spanning = pairs_of(units(&[2, 2])?, &["a", "b", "a", "b"])?;
    let fault = fault_of(design_of(true).assign(&spanning));
    assert_eq!(fault.values, ["a", "b"]);
    // A column that the units lack.
    assert!(design_of(false).assign(&units(&[4])?).is_err());
    Ok(())
}

fn fault_of<T: std::fmt::Debug>(result: crewe::Result<T>) -> Fault {
    result.expect_err("is refused").fault().cloned().expect("has facts")
}

fn built(on: &[&str]) -> MatchedSets {
    MatchedSets::built(on.iter().copied())
}

#[test]
fn built_pairs_are_the_shortest_within_strata() -> crewe::Result<()> {
    // On one covariate the shortest pairing of a stratum takes neighbours in sorted order.
    let x = normals("x", 26);
    let units = units(&[10, 16])?.covariate("x", &x)?;
    let drawn = design(&[1, 1], true, built(&["x"])).assign(&units)?;
    let block = drawn.details.block.clone().unwrap_or_default();
    for stratum in [0..10, 10..26] {
        let mut order: Vec<usize> = stratum.collect();
        order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
        for pair in order.chunks(2) {
            assert_eq!(block[pair[0]], block[pair[1]]);
            assert_ne!(drawn.arm[pair[0]], drawn.arm[pair[1]]);
        }
    }
    // Seven units: two pairs and one set of three, and everybody's probability is a half.
    let odd = self::units(&[7])?.covariate("x", &x[..7])?;
    let drawn = design(&[1, 1], false, built(&["x"])).assign(&odd)?;
    assert!(drawn.probability.iter().all(|&p| p == 0.5));
    assert!(drawn.notes.iter().any(|note| note.contains("one set holds three")), "{:?}", drawn.notes);
    Ok(())
}

#[test]
fn collinear_and_constant_covariates_are_named() -> crewe::Result<()> {
    let (a, b) = (normals("a", 12), normals("b", 12));
    let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 2.0 * a - b).collect();
    let units = units(&[12])?
        .covariate("a", &a)?
        .covariate("b", &b)?
        .covariate("c", &sum)?
        .covariate("one", &[1.0; 12])?;
    let methods: [Method; 2] = [
        built(&["a", "b", "c"]).into(),
        Rerandomised::new(["a", "b", "c"].map(String::from).to_vec(), Fraction::new(1, 10)).into(),
    ];
    for method in methods {
        let error = design(&[1, 1], false, method).assign(&units).expect_err("is refused");
        assert!(matches!(error, Error::Rank(_)));
        let fault = error.fault().cloned().unwrap_or_default();
        assert_eq!(fault.column.as_deref(), Some("c"));
        assert_eq!(fault.values, ["a", "b"]);
    }
    let method = Constrained::new(on(&["a", "one"]), Fraction::new(1, 10), 100);
    let error = design(&[1, 1], false, method).assign(&units).expect_err("is refused");
    assert!(error.to_string().contains("'one'"), "{error}");
    Ok(())
}

/// The sixteen counties of Dickinson et al. (2015), from the folder of reference data.
fn counties() -> std::result::Result<Option<Units>, Box<dyn std::error::Error>> {
    let Ok(folder) = std::env::var("CREWE_REFERENCE_DATA") else {
        // Published data that the project does not ship; `make test` says that they were absent.
        eprintln!("NOT CHECKED: the Dickinson counties, for CREWE_REFERENCE_DATA is not set");
        return Ok(None);
    };
    let text = std::fs::read_to_string(format!("{folder}/dickinson_design.csv"))?;
    let rows: Vec<Vec<&str>> =
        text.lines().map(|line| line.split(',').map(|cell| cell.trim_matches('"')).collect()).collect();
    let place = |name: &str| rows[0].iter().position(|cell| *cell == name).expect("the column is there");
    let text = |name: &str| Column::from_values(name, rows[1..].iter().map(|row| row[place(name)]));
    let number = |name: &str| -> Vec<f64> {
        rows[1..].iter().map(|row| row[place(name)].parse().expect("a number")).collect()
    };
    let unit = crewe::design::Unit::Individual("county".to_owned());
    let mut units = Units::from_rows(&unit, &text("county"), &[])?;
    for name in ["location", "incomecat"] {
        units = units.factor(&text(name))?;
    }
    for name in ["inciis", "uptodateonimmunizations", "hispanic"] {
        units = units.covariate(name, &number(name))?;
    }
    Ok(Some(units))
}

const DICKINSON: [&str; 5] = ["location", "inciis", "uptodateonimmunizations", "hispanic", "incomecat"];

fn dickinson(draws: u64) -> Design {
    Design::new("Immunisation in Colorado")
        .arm("practice", 1)
        .arm("community", 1)
        .individual("county")
        .method(Constrained::new(on(&DICKINSON), Fraction::new(1, 10), draws))
        .seed(2015)
}

#[test]
fn dickinson_counties() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let Some(units) = counties()? else { return Ok(()) };
    let expected = common::expected("constrained");
    let want = |name: &str| common::number(&expected["dickinson"][name]);
    let design = dickinson(12_870);
    let found = design.constrained(&units)?;
    assert!(found.enumerated);
    assert_eq!(found.scores.len(), 12_870);
    assert_eq!(found.accepted, 1_288);
    common::close(found.minimum, want("minimum"), 1e-12, "minimum");
    common::close(found.mean, want("mean"), 1e-12, "mean");
    common::close(found.maximum, want("maximum"), 1e-12, "maximum");
    common::close(found.cutoff, want("cutoff"), 1e-12, "cutoff");
    // The printed figures, to their digits.
    for (got, printed) in
        [(found.minimum, 1.161), (found.mean, 24.0), (found.maximum, 116.656), (found.cutoff, 7.638)]
    {
        assert!((got - printed).abs() < 5e-4, "{got} {printed}");
    }
    // Mirror images tie, so everybody's probability is exactly a half.
    assert!(found.probability.iter().all(|&p| p == 0.5));
    assert_eq!(found.together.len(), want("together") as usize);
    assert_eq!(found.apart.len(), want("apart") as usize);
    let off = |a: usize, b: usize| a != b;
    let pairs = || found.coincidence.indexed_iter().filter(|((a, b), _)| off(*a, *b)).map(|(_, &p)| p);
    common::close(pairs().fold(1.0, f64::min), want("least_coincidence"), 1e-12, "least coincidence");
    common::close(pairs().fold(0.0, f64::max), want("most_coincidence"), 1e-12, "most coincidence");

    let support = agrees_with_probabilities(&design, &units, 1e-13);
    assert_eq!(support.probability.len(), 1_288);
    draws_follow(&design, &units, &support);

    // Fewer draws than assignments: a sample, closed under mirror images, and the same each time.
    let sampled = dickinson(4_000).constrained(&units)?;
    assert!(!sampled.enumerated && sampled.scores.len() < 4_000 && sampled.scores.len() > 3_000);
    assert!(sampled.probability.iter().all(|&p| p == 0.5));
    assert_eq!(sampled, dickinson(4_000).constrained(&units)?);
    Ok(())
}

/// The score by its formula, arm by arm, with sums in the plainest order.
fn plain_score(x: &[Vec<f64>], weights: &[f64], arm: &[u8], arms: usize) -> f64 {
    let n = arm.len() as f64;
    let mut score = 0.0;
    for (x, weight) in x.iter().zip(weights) {
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        for j in 0..arms as u8 {
            let here: Vec<f64> = x.iter().zip(arm).filter(|(_, a)| **a == j).map(|(x, _)| *x).collect();
            let size = here.len() as f64;
            score += weight * size * (here.iter().sum::<f64>() / size - mean).powi(2) / variance;
        }
    }
    n / 4.0 * score
}

#[test]
fn constrained_keeps_the_best_of_all_with_several_arms_strata_and_weights() -> crewe::Result<()> {
    for (ratio, sizes) in
        [(&[1, 1, 1][..], &[9][..]), (&[1, 2], &[6, 3]), (&[1, 1], &[5, 4]), (&[1, 1], &[7])]
    {
        let n: usize = sizes.iter().sum();
        let x = vec![normals("a", n), normals("b", n)];
        let units = units(sizes)?.covariate("a", &x[0])?.covariate("b", &x[1])?;
        let mut columns = on(&["a", "b"]);
        columns[1].weight = 3;
        let method = Constrained::new(columns, Fraction::new(1, 5), 10_000);
        let constrained = design(ratio, sizes.len() > 1, method);
        let all = design(ratio, sizes.len() > 1, Complete::default()).support(&units, 10_000)?.expect("few");
        let mut scores: Vec<f64> = all
            .arm
            .rows()
            .into_iter()
            .map(|row| plain_score(&x, &[1.0, 3.0], &row.to_vec(), ratio.len()))
            .collect();
        let found = constrained.constrained(&units)?;
        assert!(found.enumerated);
        let mut got = found.scores.clone();
        scores.sort_by(f64::total_cmp);
        got.sort_by(f64::total_cmp);
        assert_eq!(got.len(), scores.len());
        for (got, want) in got.iter().zip(&scores) {
            common::close_to(*got, *want, 1e-11, 1e-3, "score");
        }
        let kept = scores.len().div_ceil(5);
        common::close_to(found.cutoff, scores[kept - 1], 1e-11, 1e-3, "cutoff");
        assert!(found.accepted >= kept);
        let support = agrees_with_probabilities(&constrained, &units, 1e-13);
        if ratio.iter().all(|&share| share == 1) {
            let half = 1.0 / ratio.len() as f64;
            assert!(found.probability.iter().all(|&p| (p - half).abs() < 1e-15), "{}", found.probability);
        }
        draws_follow(&constrained, &units, &support);
    }
    Ok(())
}

#[test]
fn constrained_reports_pairs_and_refuses_certainty() -> crewe::Result<()> {
    // Two outliers can only balance each other: never together.
    let mut x = normals("x", 8);
    x[2] = 50.0;
    x[5] = 50.0;
    let units = units(&[8])?.covariate("x", &x)?;
    let method = |keep| Constrained::new(on(&["x"]), keep, 1_000);
    let design_of = |ratio: &[u32], keep| design(ratio, false, method(keep));
    let found = design_of(&[1, 1], Fraction::new(1, 2)).constrained(&units)?;
    assert_eq!(found.apart.iter().map(|pair| (pair.first, pair.second)).collect::<Vec<_>>(), [(2, 5)]);
    assert_eq!(found.coincidence[[2, 5]], 0.0);
    let drawn = design_of(&[1, 1], Fraction::new(1, 2)).assign(&units)?;
    assert!(
        drawn.notes.iter().any(|note| note.contains("never in the same arm (u002 and u005)")),
        "{:?}",
        drawn.notes
    );
    // At 1:3 the best balanced leave one unit with the larger arm always.
    let fault = fault_of(design_of(&[1, 3], Fraction::new(1, 28)).assign(&units));
    assert!(fault.values.iter().any(|value| value.contains("never gets")), "{fault}");
    // At 1:3 with a larger share the probabilities are not the ratio, and are reported.
    let drawn = design_of(&[1, 3], Fraction::new(9, 10)).assign(&units)?;
    assert!(drawn.probability.column(0).iter().any(|&p| (p - 0.25).abs() > 0.01));
    assert!(drawn.notes.iter().any(|note| note.contains("away from the ratio")));
    Ok(())
}

#[test]
fn threshold_and_variance_factor_of_morgan_and_rubin() {
    assert!((rerandomised::threshold(0.001, 10.0) - 1.478_743).abs() < 5e-7);
    assert!((rerandomised::variance_factor(0.001, 10.0) - 0.120_921).abs() < 5e-7);
    let expected = &common::expected("constrained")["rerandomisation"];
    for (i, accept) in common::numbers(&expected["accept"]).into_iter().enumerate() {
        for (j, df) in common::numbers(&expected["df"]).into_iter().enumerate() {
            let want = |name: &str| common::number(&expected[name][i][j]);
            common::close(rerandomised::threshold(accept, df), want("threshold"), 1e-11, "threshold");
            common::close(
                rerandomised::variance_factor(accept, df),
                want("variance_factor"),
                1e-11,
                "factor",
            );
        }
    }
    assert_eq!(rerandomised::threshold(1.0, 3.0), f64::INFINITY);
    assert_eq!(rerandomised::variance_factor(1.0, 3.0), 1.0);
    assert!(rerandomised::threshold(1.5, 3.0).is_nan());
}

fn rerandomised_on(columns: &[String], accept: Fraction) -> Rerandomised {
    Rerandomised::new(columns.to_vec(), accept)
}

/// 132 families at 2:1 with ten covariates: the share accepted and the variance of a difference in means.
#[test]
fn acceptance_and_variance_at_132_families() -> crewe::Result<()> {
    let n = 132;
    let names: Vec<String> = (0..10).map(|k| format!("x{k}")).collect();
    let mut units = units(&[n])?;
    let mut x = Vec::new();
    for name in &names {
        x.push(normals(name, n));
        units = units.covariate(name, &normals(name, n))?;
    }
    let ratio = [1, 2];
    let free = design(&ratio, false, Complete::default()).draws(&units, 40_000, None, &NoMonitor)?;
    let accept = Fraction::new(1, 20);
    let method = rerandomised_on(&names, accept);
    let kept = design(&ratio, false, method.clone()).draws(&units, 20_000, None, &NoMonitor)?;
    let variance = |draws: &ndarray::Array2<u8>| -> f64 {
        let mut total = 0.0;
        for x in &x {
            let variance = {
                let mean = x.iter().sum::<f64>() / n as f64;
                x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n as f64 - 1.0)
            };
            for row in draws.rows() {
                let mut sums = [0.0; 2];
                row.iter().zip(x).for_each(|(&arm, x)| sums[usize::from(arm)] += x);
                total += (sums[1] / 88.0 - sums[0] / 44.0).powi(2) / variance;
            }
        }
        total / (draws.nrows() * x.len()) as f64
    };
    let ratio_of_variances = variance(&kept) / variance(&free);
    let theory = rerandomised::variance_factor(accept.value(), 10.0);
    assert!((ratio_of_variances / theory - 1.0).abs() < 0.02, "{ratio_of_variances} {theory}");

    // The share of free draws that would be accepted, with M from one inversion of the covariance.
    let most = rerandomised::threshold(accept.value(), 10.0);
    let data = nalgebra::DMatrix::from_fn(n, 10, |i, k| x[k][i]);
    let mean = data.row_mean();
    let centred = nalgebra::DMatrix::from_fn(n, 10, |i, k| data[(i, k)] - mean[k]);
    let inverse = (centred.transpose() * &centred / (n as f64 - 1.0)).try_inverse().expect("of full rank");
    let distance = |row: ndarray::ArrayView1<'_, u8>| {
        let mut sums = [nalgebra::DVector::zeros(10), nalgebra::DVector::zeros(10)];
        row.iter().enumerate().for_each(|(i, &arm)| sums[usize::from(arm)] += centred.row(i).transpose());
        let [a, b] = sums.map(|sum| (sum.transpose() * &inverse * &sum)[(0, 0)]);
        a / 44.0 + b / 88.0
    };
    let share = free.rows().into_iter().filter(|row| distance(*row) <= most).count() as f64 / 40_000.0;
    let se = (0.05_f64 * 0.95 / 40_000.0).sqrt();
    // The chi-squared law is an approximation: within a tenth of the asked share.
    assert!((share - 0.05).abs() < 0.005 + 4.0 * se, "{share}");
    for row in kept.rows().into_iter().take(2_000) {
        assert!(distance(row) <= most * (1.0 + 1e-8));
    }
    // Simulated probabilities are near the ratio and say how many draws they come from.
    let drawn = design(&ratio, false, method).assign(&units)?;
    let simulated = drawn.simulated.unwrap_or(0);
    assert_eq!(simulated, 10_000);
    let frequency = |unit: usize| kept.column(unit).iter().filter(|&&arm| arm == 1).count() as f64 / 20_000.0;
    for unit in 0..n {
        let gap = drawn.probability[[unit, 1]] - frequency(unit);
        let se = (2.0_f64 / 9.0 * (1.0 / simulated as f64 + 1.0 / 20_000.0)).sqrt();
        assert!(gap.abs() < 5.0 * se, "{unit}: {gap}");
    }
    Ok(())
}

#[test]
fn rerandomisation_of_few_units_is_exact() -> crewe::Result<()> {
    for (ratio, sizes) in [(&[1, 2][..], &[9][..]), (&[1, 1], &[6, 4]), (&[1, 1, 1], &[9])] {
        let n = sizes.iter().sum();
        let units = units(sizes)?.covariate("a", &normals("a", n))?.covariate("b", &normals("b", n))?;
        let columns = ["a".to_owned(), "b".to_owned()];
        let method = rerandomised_on(&columns, Fraction::new(3, 10));
        let design = design(ratio, sizes.len() > 1, method);
        let support = agrees_with_probabilities(&design, &units, 1e-13);
        draws_follow(&design, &units, &support);
    }
    // A threshold below every distance.
    let units = units(&[6])?.covariate("a", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0])?;
    let design = design(&[1, 1], false, rerandomised_on(&["a".to_owned()], Fraction::new(1, 1_000)));
    assert!(fault_of(design.assign(&units)).problem.contains("no assignment is accepted"));
    Ok(())
}

#[test]
fn a_stopped_rerandomisation_stops() -> crewe::Result<()> {
    struct Stop;
    impl crewe::progress::Monitor for Stop {
        fn tick(&self, done: u64, _total: u64) -> bool {
            done == 0
        }
    }
    let units = units(&[60])?.covariate("a", &normals("a", 60))?;
    let design = design(&[1, 1], false, rerandomised_on(&["a".to_owned()], Fraction::new(1, 1_000)));
    let started = std::time::Instant::now();
    assert_eq!(design.draws(&units, 1_000_000, None, &Stop).err(), Some(Error::Interrupted));
    assert!(started.elapsed().as_secs_f64() < 5.0);
    Ok(())
}

/// Every list procedure over thirteen units with two covariates and given sets.
fn methods() -> Vec<Method> {
    let columns = ["a".to_owned(), "b".to_owned()];
    let mut all: Vec<Method> = RULES.iter().map(|&rule| complete(rule).into()).collect();
    all.push(given().into());
    all.push(built(&["a", "b"]).into());
    all.push(Constrained::new(on(&["a", "b"]), Fraction::new(1, 4), 500).into());
    all.push(Constrained::new(on(&["a", "b"]), Fraction::new(1, 4), 5_000).into());
    all.push(rerandomised_on(&columns, Fraction::new(1, 4)).into());
    all
}

fn shuffled(order: &[usize], method: Method, names: [&str; 2]) -> crewe::Result<Assignment> {
    let n = order.len();
    let (a, b) = (normals("a", n), normals("b", n));
    let ids = Column::from_values("id", order.iter().map(|unit| format!("u{unit:03}")));
    let unit = crewe::design::Unit::Individual("id".to_owned());
    let pair: Vec<String> =
        order.iter().map(|unit| format!("p{}", unit / 2 - usize::from(*unit == 12))).collect();
    let units = Units::from_rows(&unit, &ids, &[])?
        .factor(&Column::from_values("pair", pair))?
        .covariate("a", &order.iter().map(|&unit| a[unit]).collect::<Vec<_>>())?
        .covariate("b", &order.iter().map(|&unit| b[unit]).collect::<Vec<_>>())?;
    Design::new("Lists")
        .arm(names[0], 1)
        .arm(names[1], 1)
        .individual("id")
        .method(method)
        .seed(5)
        .assign(&units)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn neither_row_order_nor_the_names_of_arms_matter(order in Just((0..13).collect::<Vec<usize>>()).prop_shuffle()) {
        let plain: Vec<usize> = (0..13).collect();
        for method in methods() {
            let first = shuffled(&plain, method.clone(), ["control", "crewe"]);
            let again = shuffled(&order, method, ["z", "a"]);
            match (first, again) {
                (Ok(first), Ok(again)) => {
                    prop_assert_eq!(first.arm, again.arm);
                    prop_assert_eq!(first.probability, again.probability);
                    prop_assert_eq!(first.details.block, again.details.block);
                }
                (first, again) => prop_assert!(false, "{first:?} {again:?}"),
            }
        }
    }
}

//! What does not vary but for rounding is found as constant: by models, procedures and tests alike.

use crewe::design::{Column, Constrained, Design, Fraction, MatchedSets, Method, Rerandomised, Unit, Units};
use crewe::regression::{Accumulated, Ols};
use crewe::survival::{Cox, Surv, Transform};
use crewe::{Error, Result};
use ndarray::{Array1, Array2, s};

const VALUES: [f64; 5] = [0.3, 2.1, -7.7, 1.0 / 3.0, 1e12 + 0.1];

/// A column of one value, and one of a value and its neighbour.
fn constants(n: usize) -> Vec<Vec<f64>> {
    VALUES
        .into_iter()
        .flat_map(|v| [vec![v; n], (0..n).map(|i| if i % 3 == 0 { v.next_up() } else { v }).collect()])
        .collect()
}

fn rank<T>(found: Result<T>) -> String {
    match found.map(drop) {
        Err(Error::Rank(fault)) => fault.to_string(),
        other => panic!("{other:?}"),
    }
}

fn covariates(n: usize, constant: &[f64]) -> Array2<f64> {
    Array2::from_shape_fn((n, 2), |(i, j)| if j == 0 { ((i * 37) % 11) as f64 } else { constant[i] })
}

#[test]
fn row_9_1_models_refuse_a_column_that_varies_by_rounding() {
    let n = 50;
    let y = Array1::from_shape_fn(n, |i| ((i * i) % 17) as f64);
    let time: Vec<f64> = (0..n).map(|i| 1.0 + ((i * 29) % 31) as f64).collect();
    let event: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i % 3 > 0))).collect();
    for constant in constants(n) {
        let x = covariates(n, &constant);
        let ols = Ols::new(y.view(), x.view()).named("y", ["x", "k"]).unwrap();
        assert!(rank(ols.fit()).contains("'k' has the same value in every row"));
        let cox = Cox::new(Surv::new(&time, &event), x.view()).named(["x", "k"]);
        assert!(rank(cox.fit()).contains("'k' has the same value in every row"));
        let mut sums = Accumulated::new(["x", "k"]);
        let clusters: Vec<u64> = (0..n as u64).map(|i| i / 5).collect();
        for rows in [0..20, 20..n] {
            sums.add(y.slice(s![rows.clone()]), x.slice(s![rows.clone(), ..]), &clusters[rows]).unwrap();
        }
        assert!(rank(sums.fit()).contains("'k'"));
    }
}

#[test]
fn row_9_1_a_column_far_from_nought_still_counts() {
    let n = 50;
    let y = Array1::from_shape_fn(n, |i| ((i * i) % 17) as f64);
    let plain: Vec<f64> = (0..n).map(|i| ((i * 13) % 7) as f64).collect();
    let far: Vec<f64> = plain.iter().map(|v| 1e9 + v).collect();
    let fit = |k: &[f64]| {
        let x = covariates(n, k);
        Ols::new(y.view(), x.view()).fit().unwrap().coef()[2]
    };
    assert!((fit(&far) / fit(&plain) - 1.0).abs() < 1e-12);
}

#[test]
fn row_9_1_events_at_one_time_have_no_trend() {
    let n = 17;
    let time = vec![0.3; n];
    let x = covariates(n, &(0..n).map(|i| ((i * 5) % 13) as f64).collect::<Vec<_>>());
    let fit = Cox::new(Surv::new(&time, &vec![1.0; n]), x.view()).fit().unwrap();
    for transform in [Transform::KaplanMeier, Transform::Identity, Transform::Rank, Transform::Log] {
        let test = fit.zph(transform, &[vec![0], vec![1]]).unwrap();
        assert!(test.global.statistic.is_nan() && test.terms.iter().all(|term| term.statistic.is_nan()));
    }
}

fn units(k: &[f64]) -> Units {
    let n = k.len();
    let ids = Column::from_values("id", (0..n).map(|i| format!("u{i:02}")));
    let site = Column::from_values("site", (0..n).map(|i| if i < n / 2 { "north" } else { "south" }));
    let x: Vec<f64> = (0..n).map(|i| ((i * 37) % 11) as f64).collect();
    Units::from_rows(&Unit::Individual("id".into()), &ids, &[site])
        .and_then(|units| units.covariate("x", &x))
        .and_then(|units| units.covariate("k", k))
        .unwrap()
}

fn methods() -> [Method; 3] {
    let half = Fraction::new(1, 2);
    [
        Rerandomised::new(["x", "k"], half).into(),
        MatchedSets::built(["x", "k"]).into(),
        Constrained::new([("x", 1), ("k", 1)], half, 500).into(),
    ]
}

#[test]
fn row_9_2_a_covariate_constant_within_strata_is_refused_by_name() {
    for (low, high) in [(0.3, 2.1), (0.1, 0.700_000_000_000_000_1), (1.0 / 3.0, 1e6), (0.0, -0.7)] {
        for near in [false, true] {
            let k: Vec<f64> = (0..24)
                .map(|i| {
                    let value = if i < 12 { low } else { high };
                    if near && i % 2 == 0 { f64::next_up(value) } else { value }
                })
                .collect();
            let units = units(&k);
            for method in methods() {
                let design = Design::new("t")
                    .arm("a", 1)
                    .arm("b", 1)
                    .individual("id")
                    .strata(["site"])
                    .seed(1)
                    .method(method);
                let said = rank(design.assign(&units));
                assert!(said.contains("does not vary within strata (column 'k')"), "{said}");
            }
        }
    }
}

#[test]
fn row_9_2_what_varies_in_one_stratum_is_taken() {
    let k: Vec<f64> = (0..24).map(|i| if i == 3 { 0.1 + 1e-6 } else { 0.1 }).collect();
    for method in methods() {
        let design =
            Design::new("t").arm("a", 1).arm("b", 1).individual("id").strata(["site"]).seed(1).method(method);
        design.assign(&units(&k)).unwrap();
    }
}

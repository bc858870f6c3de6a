//! NIST's Statistical Reference Datasets for linear regression: certified values, and the exact solution of the
//! design as doubles hold it (tests/reference/nist.py).

mod common;

use common::{close_to, number, numbers, read};
use crewe::inference::Vcov;
use crewe::linalg::DesignMatrix;
use crewe::regression::{Ols, OlsSummary};
use ndarray::{Array1, Array2};
use serde_json::Value;

const SETS: [&str; 11] = [
    "norris", "pontius", "noint1", "noint2", "filip", "longley", "wampler1", "wampler2", "wampler3",
    "wampler4", "wampler5",
];

fn check(set: &str, part: &str, tolerance: f64) -> OlsSummary {
    let data: Value = serde_json::from_str(&read(&format!("data/nist/{set}.json"))).unwrap();
    let predictors: Vec<Vec<f64>> = data["predictors"].as_array().unwrap().iter().map(numbers).collect();
    let y = Array1::from(numbers(&data["y"]));
    let degree = data["degree"].as_u64().unwrap() as usize;
    let mut columns = predictors.clone();
    for _ in 1..degree {
        let last = columns.last().unwrap().iter().zip(&predictors[0]).map(|(a, b)| a * b).collect();
        columns.push(last);
    }
    let x = Array2::from_shape_fn((y.len(), columns.len()), |(i, j)| columns[j][i]);
    let design = DesignMatrix::new(x.view(), data["intercept"].as_bool().unwrap());
    let fit = Ols::of(y.view(), design).fit().unwrap_or_else(|error| panic!("{set}: {error}"));
    let vcov = fit.vcov(Vcov::Iid, None).unwrap();
    let want = &data[part];
    let sd = numbers(&want["sd"]);
    for (j, &b) in numbers(&want["coef"]).iter().enumerate() {
        close_to(fit.coef()[j], b, tolerance, f64::MIN_POSITIVE, &format!("{set} {part} coef {j}"));
        // A fit that is perfect but for the last bits of y has no standard deviation to speak of.
        let scale = if sd[j] < 1e-13 * b.abs() { b.abs() } else { f64::MIN_POSITIVE };
        close_to(vcov.matrix()[(j, j)].sqrt(), sd[j], tolerance, scale, &format!("{set} {part} sd {j}"));
    }
    let summary = fit.summary().clone();
    let size = y.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let sigma = number(&want["sigma"]);
    let scale = if sigma < 1e-13 * size { size } else { f64::MIN_POSITIVE };
    close_to(summary.sigma, sigma, tolerance, scale, &format!("{set} sigma"));
    close_to(
        summary.r_squared,
        number(&want["r_squared"]),
        tolerance,
        f64::MIN_POSITIVE,
        &format!("{set} r2"),
    );
    summary
}

#[test]
fn nine_digits_on_every_set_but_filip() {
    for set in SETS.into_iter().filter(|set| *set != "filip") {
        check(set, "certified", 1e-9);
        check(set, "double_design", 1e-9);
    }
}

#[test]
fn filip() {
    // The doubles that hold x^10 are not the powers of the decimal x: seven digits are all they contain.
    check("filip", "certified", 1e-7);
    let summary = check("filip", "double_design", 1e-9);
    assert!(summary.precise, "Filip must leave the fast path by itself");
    assert!(!check("norris", "certified", 1e-9).precise, "Norris need not");
}

//! Tail probabilities and quantiles against R (tests/reference/dist.R, itself checked to 40 digits).

use crewe::dist::{chi2_sf, f_sf, normal_cdf, normal_quantile, normal_sf, t_quantile, t_two_sided};
use serde_json::Value;

const TOLERANCE: f64 = 1e-12;

fn reference() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/expected/dist.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn column(table: &Value, name: &str) -> Vec<f64> {
    table[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Compares a function with its table and reports every row that misses, not the first only.
fn compare(table: &str, arguments: &[&str], value: &str, function: impl Fn(&[f64]) -> f64) {
    let reference = reference();
    let table_values = &reference[table];
    let inputs: Vec<Vec<f64>> = arguments.iter().map(|name| column(table_values, name)).collect();
    let expected = column(table_values, value);
    assert!(expected.len() >= 20, "{table} has too few rows");
    let mut misses = Vec::new();
    for (i, &want) in expected.iter().enumerate() {
        let row: Vec<f64> = inputs.iter().map(|c| c[i]).collect();
        let got = function(&row);
        let error = if want == 0.0 { got.abs() } else { ((got - want) / want).abs() };
        if error.is_nan() || error > TOLERANCE {
            misses.push(format!("{arguments:?} = {row:?}: got {got:e}, want {want:e}, off by {error:.1e}"));
        }
    }
    assert!(misses.is_empty(), "{table}: {} of {} miss\n{}", misses.len(), expected.len(), misses.join("\n"));
}

#[test]
fn student_two_sided() {
    compare("t", &["t", "df"], "p", |row| t_two_sided(row[0], row[1]));
    compare("t", &["t", "df"], "p", |row| t_two_sided(-row[0], row[1]));
}

#[test]
fn student_quantile() {
    compare("t_quantile", &["p", "df"], "t", |row| t_quantile(row[0], row[1]));
}

#[test]
fn normal_tail_and_quantile() {
    compare("normal", &["z"], "sf", |row| normal_sf(row[0]));
    compare("normal", &["z"], "sf", |row| normal_cdf(-row[0]));
    compare("normal_quantile", &["p"], "z", |row| normal_quantile(row[0]));
}

#[test]
fn fisher() {
    compare("f", &["f", "df1", "df2"], "p", |row| f_sf(row[0], row[1], row[2]));
}

#[test]
fn chi_squared() {
    compare("chi2", &["x", "df"], "p", |row| chi2_sf(row[0], row[1]));
}

#[test]
fn limits_and_refusals() {
    assert_eq!(t_two_sided(0.0, 5.0), 1.0);
    assert_eq!(t_two_sided(f64::INFINITY, 5.0), 0.0);
    assert_eq!(t_two_sided(2.0, f64::INFINITY), 2.0 * normal_sf(2.0));
    assert!(t_two_sided(f64::NAN, 5.0).is_nan());
    assert!(t_two_sided(1.0, 0.0).is_nan());
    assert_eq!(t_quantile(0.5, 3.0), 0.0);
    assert_eq!(t_quantile(1.0, 3.0), f64::INFINITY);
    assert_eq!(t_quantile(0.0, 3.0), f64::NEG_INFINITY);
    assert!(t_quantile(1.1, 3.0).is_nan());
    assert_eq!(t_quantile(0.975, f64::INFINITY), normal_quantile(0.975));
    assert_eq!(f_sf(0.0, 2.0, 3.0), 1.0);
    assert_eq!(f_sf(f64::INFINITY, 2.0, 3.0), 0.0);
    assert_eq!(f_sf(3.0, 2.0, f64::INFINITY), chi2_sf(6.0, 2.0));
    assert!(f_sf(1.0, 0.0, 3.0).is_nan());
    assert!(f_sf(f64::NAN, 2.0, 3.0).is_nan());
    assert_eq!(chi2_sf(0.0, 2.0), 1.0);
    assert_eq!(chi2_sf(f64::INFINITY, 2.0), 0.0);
    assert!(chi2_sf(1.0, -1.0).is_nan());
}

proptest::proptest! {
    /// The quantile undoes the tail over the whole range of both.
    #[test]
    fn quantile_and_tail_are_inverse(log_p in -280.0_f64..-0.31, log_df in -0.5_f64..7.0) {
        let (p, df) = (10.0_f64.powf(log_p), 10.0_f64.powf(log_df));
        let t = -t_quantile(0.5 * p, df);
        proptest::prop_assume!(t.is_finite() && t < 1e150);
        let back = t_two_sided(t, df);
        // A relative error of 1e-15 in t moves the tail by about t^2 times as much, at most df times; and a
        // tail far out is the exponential of a large number, which carries that number's rounding.
        let room = 1e-13 + 4e-16 * (df.min(t * t) + 1.0) + 1e-15 * p.ln().abs();
        proptest::prop_assert!((back / p - 1.0).abs() < room, "p {p:e} df {df} t {t} back {back:e}");
    }

    /// T squared is F with 1 degree of freedom, and large df approach the normal.
    #[test]
    fn laws_agree_where_they_meet(t in 1e-6_f64..30.0, log_df in -0.5_f64..6.0) {
        let df = 10.0_f64.powf(log_df);
        let p = t_two_sided(t, df);
        proptest::prop_assume!(p > 1e-290);
        proptest::prop_assert!((f_sf(t * t, 1.0, df) / p - 1.0).abs() < 1e-12);
        proptest::prop_assert!((t_two_sided(t, 1e14) / (2.0 * normal_sf(t)) - 1.0).abs() < 1e-8);
    }
}

//! The intracluster correlation against R: ANOVA, Fleiss and Cuzick, REML (lme4), the latent scale.

mod common;

use common::{close_to, expected, numbers};
use crewe::icc::{Method, Options, Scale, convert, icc};
use crewe::inference::Clusters;
use proptest::prelude::*;

fn families(known: &serde_json::Value) -> Clusters {
    let codes: Vec<u32> = numbers(&known["family"]).into_iter().map(|family| family as u32 - 1).collect();
    Clusters::new(&codes).unwrap()
}

#[test]
fn estimates_are_those_of_r() {
    let known = expected("icc");
    let clusters = families(&known);
    for (method, name) in [(Method::Anova, "anova"), (Method::Reml, "reml")] {
        for outcome in ["binary", "score", "apart"] {
            let found = icc(&numbers(&known[outcome]), &clusters, Options::default().method(method)).unwrap();
            close_to(found.raw, known[name][outcome].as_f64().unwrap(), 1e-8, 1.0, name);
        }
    }
    let binary = numbers(&known["binary"]);
    for (method, name, tolerance) in
        [(Method::FleissCuzick, "fleiss_cuzick", 1e-12), (Method::Latent, "latent", 1e-6)]
    {
        let found = icc(&binary, &clusters, Options::default().method(method)).unwrap();
        close_to(found.estimate, known[name].as_f64().unwrap(), tolerance, 1.0, name);
    }
}

#[test]
fn scales_are_converted_as_by_adaptive_quadrature() {
    let known = &expected("icc")["convert"];
    let [from, rates, to] = ["icc", "rate", "observed"].map(|name| numbers(&known[name]));
    for ((icc, rate), observed) in from.iter().zip(&rates).zip(&to) {
        close_to(convert(*icc, *rate, Scale::Observed).unwrap(), *observed, 1e-7, 0.0, "observed");
    }
}

#[test]
fn negative_estimates_are_truncated_and_said() {
    let known = expected("icc");
    let found = icc(&numbers(&known["apart"]), &families(&known), Options::default()).unwrap();
    assert!(found.truncated && found.estimate == 0.0 && found.raw < 0.0);
    assert_eq!(found.interval.unwrap().low, 0.0);
}

proptest! {
    #[test]
    fn nothing_goes_out_of_range(
        rows in prop::collection::vec((0u32..8, prop::bool::ANY), 6..60),
        method in prop::sample::select(vec![Method::Anova, Method::Reml, Method::FleissCuzick, Method::Latent]),
        shift in -1e6f64..1e6,
    ) {
        let mut used: Vec<u32> = rows.iter().map(|row| row.0).collect();
        used.sort_unstable();
        used.dedup();
        let codes: Vec<u32> = rows.iter().map(|row| used.binary_search(&row.0).unwrap() as u32).collect();
        let clusters = Clusters::new(&codes).unwrap();
        let y: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row.1))).collect();
        if let Ok(found) = icc(&y, &clusters, Options::default().method(method)) {
            prop_assert!((0.0..=1.0).contains(&found.estimate));
            if let Some(ends) = found.interval {
                prop_assert!(0.0 <= ends.low && ends.low <= ends.high && ends.high <= 1.0, "{ends:?}");
            }
            if method == Method::Anova {
                // The ICC knows no origin and no unit.
                let moved: Vec<f64> = y.iter().map(|v| shift + 3.0 * v).collect();
                let again = icc(&moved, &clusters, Options::default()).unwrap();
                prop_assert!((again.raw - found.raw).abs() < 1e-6);
            }
        }
    }
}

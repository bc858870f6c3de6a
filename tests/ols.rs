//! OLS against R's lm, sandwich and clubSandwich (tests/reference/ols.R).

mod common;

use std::collections::HashMap;

use common::{close, close_to, columns, expected, number, numbers};
use crewe::inference::{Clusters, Vcov};
use crewe::linalg::DesignMatrix;
use crewe::regression::Ols;
use ndarray::{Array1, Array2};
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

struct Case {
    name: String,
    y: Array1<f64>,
    x: Array2<f64>,
    names: Vec<String>,
    clusters: Option<Clusters>,
    reference: Value,
}

fn cases() -> Vec<Case> {
    let all = expected("ols");
    let cases = all["cases"].as_array().unwrap();
    cases.iter().filter(|case| case["weights"].is_null()).map(prepare).collect()
}

fn prepare(case: &Value) -> Case {
    let data = columns(&case["data"]);
    let raw = &case["data"]["columns"];
    let y = Array1::from(data[case["y"].as_str().unwrap()].clone());
    let design = case["design"].as_array().unwrap();
    let names: Vec<String> =
        case["x_names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect();
    let column = |recipe: &Value| -> Vec<f64> { build(recipe, &data, raw, y.len()) };
    let k = design.len();
    let mut x = Array2::zeros((y.len(), k - 1));
    for (j, recipe) in design.iter().enumerate().skip(1) {
        x.column_mut(j - 1).assign(&Array1::from(column(recipe)));
    }
    let clusters = case["cluster"].as_str().map(|name| {
        let codes: Vec<u32> = data[name].iter().map(|&c| c as u32).collect();
        Clusters::new(&codes).unwrap()
    });
    Case {
        name: case["name"].as_str().unwrap().to_owned(),
        y,
        x,
        names: names[1..].to_vec(),
        clusters,
        reference: case.clone(),
    }
}

/// A column from its recipe: factors joined by `*`, each `name` or `name=level`.
fn build(recipe: &Value, data: &HashMap<String, Vec<f64>>, raw: &Value, n: usize) -> Vec<f64> {
    let mut out = vec![1.0; n];
    for part in recipe.as_str().unwrap().split('*') {
        let factor: Vec<f64> = match part.split_once('=') {
            Some((name, level)) => match data.get(name) {
                Some(column) => {
                    let level: f64 = level.parse().unwrap();
                    column.iter().map(|&v| f64::from(v == level)).collect()
                }
                None => raw[name]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|v| f64::from(v.as_str() == Some(level)))
                    .collect(),
            },
            None => data[part].clone(),
        };
        out.iter_mut().zip(factor).for_each(|(o, f)| *o *= f);
    }
    out
}

#[test]
fn coefficients_and_every_covariance() {
    for case in cases() {
        let fit =
            Ols::new(case.y.view(), case.x.view()).named("y", case.names.clone()).unwrap().fit().unwrap();
        let want = numbers(&case.reference["coef"]);
        let scale = want.iter().fold(0.0_f64, |m, b| m.max(b.abs()));
        for (j, (&got, &want)) in fit.coef().iter().zip(&want).enumerate() {
            // A coefficient that is 0 but for rounding is compared on the scale of its standard error.
            close_to(got, want, TOLERANCE, 1e-10 * scale, &format!("{} coef {j}", case.name));
        }
        close(fit.summary().sigma, number(&case.reference["sigma"]), TOLERANCE, &case.name);
        close(fit.summary().r_squared, number(&case.reference["r_squared"]), TOLERANCE, &case.name);
        for kind in Vcov::ALL {
            let Some(want) = case.reference["vcov"].get(kind.name()) else { continue };
            let what = format!("{} {kind}", case.name);
            let got = fit.vcov(kind, case.clusters.as_ref()).unwrap_or_else(|e| panic!("{what}: {e}"));
            let se = numbers(&want["se"]);
            // Entries that are 0 but for rounding (an indicator that its own cluster fits) compare with the largest.
            let largest = se.iter().fold(0.0_f64, |m, v| m.max(v * v));
            for (a, row) in want["cov"].as_array().unwrap().iter().enumerate() {
                for (b, &value) in numbers(row).iter().enumerate() {
                    close_to(
                        got.matrix()[(a, b)],
                        value,
                        TOLERANCE,
                        (se[a] * se[b]).max(1e-4 * largest),
                        &format!("{what} [{a},{b}]"),
                    );
                }
            }
            // A term without variance has neither test nor degrees of freedom.
            let exists = |j: usize| se[j] > 0.0;
            for (j, &df) in numbers(&want["df"]).iter().enumerate().filter(|(j, _)| exists(*j)) {
                close(got.df().unwrap()[j], df, 1e-8, &format!("{what} df {j}"));
            }
            let unit = Array2::eye(case.names.len() + 1);
            let table = got.contrasts(unit.view(), 0.95).unwrap();
            for (j, &p) in numbers(&want["p"]).iter().enumerate().filter(|(j, _)| exists(*j)) {
                close_to(table.p_value[j], p, 1e-8, 1e-290, &format!("{what} p {j}"));
            }
            for (j, &low) in numbers(&want["conf_low"]).iter().enumerate().filter(|(j, _)| exists(*j)) {
                close_to(
                    table.conf_low[j],
                    low,
                    TOLERANCE,
                    se[j].max(1e-3 * largest.sqrt()),
                    &format!("{what} low {j}"),
                );
            }
        }
    }
}

#[test]
fn margins_as_contrasts() {
    let mut seen = 0;
    for case in cases() {
        let fit = Ols::new(case.y.view(), case.x.view()).fit().unwrap();
        for margin in case.reference["margins"].as_array().unwrap() {
            let rows: Vec<Vec<f64>> = margin["x"].as_array().unwrap().iter().map(numbers).collect();
            let matrix = Array2::from_shape_fn((rows.len(), rows[0].len()), |(a, b)| rows[a][b]);
            for kind in Vcov::ALL {
                let Some(want) = margin["vcov"].get(kind.name()) else { continue };
                let what = format!("{} {} {kind}", case.name, margin["term"]);
                let vcov = fit.vcov(kind, case.clusters.as_ref()).unwrap();
                let got = vcov.contrasts(matrix.view(), 0.95).unwrap();
                for (i, &value) in numbers(&margin["estimate"]).iter().enumerate() {
                    close(got.estimate[i], value, TOLERANCE, &what);
                }
                for (i, &value) in numbers(&want["se"]).iter().enumerate() {
                    close(got.std_error[i], value, TOLERANCE, &what);
                }
                for (i, &value) in numbers(&want["df"]).iter().enumerate() {
                    close(got.df[i], value, 1e-8, &format!("{what} df"));
                }
                for (i, &value) in numbers(&want["conf_high"]).iter().enumerate() {
                    close(got.conf_high[i], value, TOLERANCE, &what);
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn joint_tests() {
    let mut seen = 0;
    for case in cases() {
        let fit = Ols::new(case.y.view(), case.x.view()).fit().unwrap();
        for test in case.reference["wald"].as_array().unwrap() {
            let rows: Vec<Vec<f64>> = test["R"].as_array().unwrap().iter().map(numbers).collect();
            let matrix = Array2::from_shape_fn((rows.len(), rows[0].len()), |(a, b)| rows[a][b]);
            for kind in Vcov::ALL {
                // HC2 has its own entry: single rows as clusters.
                let name = if kind == Vcov::Hc2 { "HC2_HTZ" } else { kind.name() };
                let Some(want) = test["vcov"].get(name) else { continue };
                let what = format!("{} {} {kind}", case.name, test["name"]);
                let vcov = fit.vcov(kind, case.clusters.as_ref()).unwrap();
                let got = vcov.wald(matrix.view()).unwrap();
                close(got.statistic, number(&want["statistic"]), 1e-8, &what);
                close(got.df_num, number(&want["df_num"]), 1e-12, &what);
                close(got.df_denom, number(&want["df_denom"]), 1e-8, &what);
                close_to(got.p_value, number(&want["p"]), 1e-8, 1e-290, &what);
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn hc2_is_cr2_of_single_rows() {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "mtcars").unwrap();
    let fit = Ols::new(case.y.view(), case.x.view()).fit().unwrap();
    let rows = Clusters::singletons(case.y.len()).unwrap();
    let hc2 = fit.vcov(Vcov::Hc2, None).unwrap();
    let cr2 = fit.vcov(Vcov::Cr2, Some(&rows)).unwrap();
    for (a, b) in hc2.matrix().iter().zip(cr2.matrix()) {
        close_to(*a, *b, 1e-12, 1e-12, "HC2 = CR2");
    }
    for (a, b) in hc2.df().unwrap().iter().zip(cr2.df().unwrap()) {
        close(*a, *b, 1e-12, "df");
    }
}

#[test]
fn the_slow_path_agrees_with_the_fast_one() {
    // A column and its near copy (VIF about 1e8) leave the fast path; the others' numbers must not change.
    let case = cases().into_iter().find(|case| case.name == "mtcars").unwrap();
    let mut x = case.x.clone();
    let near = &x.column(1).to_owned() + &case.y.mapv(|v| 1e-4 * (v * 12.9898).sin());
    x.push_column(near.view()).unwrap();
    let fit = Ols::new(case.y.view(), x.view()).fit().unwrap();
    assert!(fit.summary().precise);
    let names = (0..x.ncols()).map(|j| format!("c{j}"));
    let design = DesignMatrix::new(x.view(), true).named(names).unwrap();
    let again = Ols::of(case.y.view(), design).fit().unwrap();
    assert_eq!(fit.coef(), again.coef());
    assert!(!Ols::new(case.y.view(), case.x.view()).fit().unwrap().summary().precise);
}

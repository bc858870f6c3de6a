//! Cox models with few clusters: jackknife and the form of Mancl and DeRouen, against explicit refits and the exact
//! derivative of each cluster's score in R (tests/reference/cox_small.R).

mod common;

use common::{close, close_to, expected, matrix, names, number, numbers};
use crewe::inference::{Clusters, Vcov};
use crewe::survival::{Cox, Surv, Ties};
use ndarray::Array2;

const TOLERANCE: f64 = 1e-9;

#[test]
fn every_covariance_of_few_clusters() {
    let file = expected("cox_small");
    let mut seen = 0;
    for case in file["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let data = &file["data"][case["data"].as_str().unwrap()]["columns"];
        let column = |key: &str| numbers(&data[key]);
        let optional = |key: &str| case[key].as_str().map(column);
        let terms = names(&case["x"]);
        let columns: Vec<Vec<f64>> = terms.iter().map(|term| column(term)).collect();
        let (time, event) = (column("time"), column("event"));
        let x = Array2::from_shape_fn((time.len(), terms.len()), |(i, j)| columns[j][i]);
        let codes = |values: Vec<f64>| -> Vec<u32> {
            let mut levels = values.clone();
            levels.sort_by(f64::total_cmp);
            levels.dedup();
            values.iter().map(|v| levels.iter().position(|l| l == v).unwrap() as u32).collect()
        };
        let clusters = Clusters::new(&codes(column("cluster"))).unwrap();
        let strata = optional("strata").map(codes);
        let weights = optional("weights");
        let ties = if case["ties"] == "efron" { Ties::Efron } else { Ties::Breslow };
        let fit = Cox::new(Surv::new(&time, &event).weights(weights.as_deref()), x.view())
            .named(terms.clone())
            .ties(ties)
            .strata(strata.as_deref())
            .fit()
            .unwrap();
        for (got, want) in fit.coef.iter().zip(numbers(&case["coef"])) {
            close(*got, want, TOLERANCE, &format!("{name} coef"));
        }
        let kinds = [
            ("naive", Vcov::Iid),
            ("CR0", Vcov::Cr0),
            ("jackknife", Vcov::Jackknife),
            ("jackknife", Vcov::Cv3),
            ("MD", Vcov::Cr3),
            ("MD", Vcov::Md),
            ("KC", Vcov::Kc),
            ("FG", Vcov::Fg),
            ("MBN", Vcov::Mbn),
            ("MR", Vcov::Mr),
            ("MDMR", Vcov::Mdmr),
            ("KCMR", Vcov::Kcmr),
            ("FGMR", Vcov::Fgmr),
            ("MBNMR", Vcov::Mbnmr),
        ];
        let contrasts = matrix(&case["contrasts"]["R"]);
        for (key, kind) in kinds {
            let what = format!("{name} {key}");
            let got = fit.vcov(kind, Some(&clusters)).unwrap_or_else(|e| panic!("{what}: {e}"));
            let want = matrix(&case["vcov"][key]["cov"]);
            let se: Vec<f64> = want.diag().iter().map(|v| v.sqrt()).collect();
            for ((a, b), value) in want.indexed_iter() {
                close_to(got.matrix()[(a, b)], *value, TOLERANCE, se[a] * se[b], &what);
            }
            let table = got.coefficients(0.95).unwrap();
            for (got, want) in table.p_value.iter().zip(numbers(&case["vcov"][key]["p"])) {
                close(*got, want, 1e-8, &format!("{what} p"));
            }
            let Some(want) = case["contrasts"]["vcov"].get(key) else { continue };
            let found = got.contrasts(contrasts.view(), 0.95).unwrap();
            for (got, want) in found.std_error.iter().zip(numbers(&want["se"])) {
                close(*got, want, TOLERANCE, &format!("{what} contrast"));
            }
            for (got, want) in found.p_value.iter().zip(numbers(&want["p"])) {
                close(*got, want, 1e-8, &format!("{what} contrast p"));
            }
            if contrasts.nrows() > 1 {
                let joint = got.wald(contrasts.view()).unwrap();
                let want = &want["joint"];
                close(joint.statistic, number(&want["statistic"]), 1e-8, &format!("{what} joint"));
                close(joint.p_value, number(&want["p"]), 1e-8, &format!("{what} joint p"));
            }
            seen += 1;
        }
    }
    assert!(seen >= 150, "{seen}");
}

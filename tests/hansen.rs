//! Hansen's jackknife against explicit leave-one-cluster-out algebra in R (tests/reference/hansen.R).

mod common;

use common::{close, close_to, clusters, expected, number, numbers};
use crewe::inference::{Clusters, DfRule, Vcov};
use crewe::ndarray::{Array1, Array2, array, s};
use crewe::regression::{Ols, WeightKind, Weights};
use serde_json::Value;

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(a, b)| rows[a][b])
}

#[test]
fn it_is_explicit_leave_one_cluster_out_algebra() {
    for case in expected("hansen")["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (x, y) = (matrix(&case["x"]), Array1::from(numbers(&case["y"])));
        let ids = clusters(&numbers(&case["ids"]));
        let columns = x.slice(s![.., 1..]);
        let weights = case["weights"].as_array().map(|_| Array1::from(numbers(&case["weights"])));
        let mut model = Ols::new(y.view(), columns);
        if let Some(weights) = &weights {
            model = model.weights(Weights::new(weights.view(), WeightKind::Analytic));
        }
        let fit = model.fit().unwrap();
        let robust = fit.vcov(Vcov::Hansen, Some(&ids)).unwrap();
        let v = matrix(&case["V5"]);
        for ((a, b), &want) in v.indexed_iter() {
            let scale = (v[(a, a)] * v[(b, b)]).sqrt();
            close_to(robust.matrix()[(a, b)], want, 1e-9, scale, &format!("{name}: V5[{a}, {b}]"));
        }
        let contrasts = matrix(&case["contrasts"]);
        let k = v.nrows();
        let (table, all) =
            (robust.coefficients(0.95).unwrap(), robust.contrasts(contrasts.view(), 0.95).unwrap());
        for (i, law) in case["laws"].as_array().unwrap().iter().enumerate() {
            let tables = if i < k { vec![&all, &table] } else { vec![&all] };
            for table in tables {
                for (key, got) in [
                    ("estimate", table.estimate[i]),
                    ("se", table.std_error[i]),
                    ("df", table.df[i]),
                    ("statistic", table.statistic[i]),
                    ("p", table.p_value[i]),
                    ("conf_low", table.conf_low[i]),
                    ("conf_high", table.conf_high[i]),
                ] {
                    close_to(got, number(&law[key]), 1e-9, 1e-3, &format!("{name}: {key} of contrast {i}"));
                }
            }
            // The test of one contrast is the square of its t.
            let joint = robust.wald(contrasts.slice(s![i..=i, ..])).unwrap();
            close(joint.p_value, number(&law["p"]), 1e-9, &format!("{name}: joint test of contrast {i}"));
        }
        let alone = number(&case["alone"]);
        let noted = robust.notes().iter().any(|note| note.contains("counts as 0"));
        assert_eq!(noted, alone > 0.0, "{name}: {:?}", robust.notes());
        // Where every cluster can be left out, V5 is CR3.
        if alone == 0.0 {
            let cr3 = fit.vcov(Vcov::Cr3, Some(&ids)).unwrap();
            for (a, b) in cr3.matrix().iter().zip(robust.matrix()) {
                close(*a, *b, 1e-12, name);
            }
        }
    }
}

#[test]
fn a_coefficient_that_one_cluster_alone_informs_is_never_certain() {
    // V5 holds the square of that coefficient, so its t is never above a = 1 and a bit.
    let y = array![1.0, 2.0, 1.5, 2.5, 90.0, 91.0];
    let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0]];
    let families = Clusters::new(&[0, 0, 1, 2, 3, 3]).unwrap();
    let fit = Ols::new(y.view(), x.view()).fit().unwrap();
    let table = fit.vcov(Vcov::Hansen, Some(&families)).unwrap().coefficients(0.95).unwrap();
    assert!(table.p_value[1] > 0.3 && table.conf_low[1] < 0.0, "{table:?}");
    // CR2 takes it for nearly known.
    let cr2 = fit.vcov(Vcov::Cr2, Some(&families)).unwrap().coefficients(0.95).unwrap();
    assert!(cr2.std_error[1] < 2.0);
}

#[test]
fn units_and_offsets_change_nothing() {
    let codes = [0, 0, 1, 2, 2, 3, 4, 4, 5, 6];
    let families = Clusters::new(&codes).unwrap();
    let y = Array1::from_shape_fn(10, |i| ((i * 7) % 5) as f64 + 0.3 * i as f64);
    let x =
        Array2::from_shape_fn(
            (10, 2),
            |(i, j)| {
                if j == 0 { f64::from(codes[i] % 2) } else { ((i * 3) % 7) as f64 }
            },
        );
    let law = |y: &Array1<f64>, x: &Array2<f64>| {
        let fit = Ols::new(y.view(), x.view()).fit().unwrap();
        let table = fit.vcov(Vcov::Hansen, Some(&families)).unwrap().coefficients(0.95).unwrap();
        (table.p_value[1], table.df[1])
    };
    let (p, df) = law(&y, &x);
    let mut other = x.clone();
    other.column_mut(1).mapv_inplace(|v| 1e6 + 1e-3 * v);
    let (p_other, df_other) = law(&(&y * 1e3 + 5e4), &other);
    close(p_other, p, 1e-6, "p");
    close(df_other, df, 1e-6, "df");
}

#[test]
fn joint_tests_take_v5_as_it_is_and_other_models_have_none() {
    let families = Clusters::new(&[0, 0, 1, 2, 2, 3, 4, 5]).unwrap();
    let y = array![1.0, 2.0, 2.0, 4.0, 5.0, 4.0, 1.0, 3.0];
    let x = array![
        [0.0, 3.0],
        [0.0, 1.0],
        [1.0, 4.0],
        [1.0, 1.0],
        [1.0, 5.0],
        [0.0, 9.0],
        [0.0, 2.0],
        [1.0, 6.0]
    ];
    let fit = Ols::new(y.view(), x.view()).fit().unwrap();
    let both = array![[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let of = |kind| fit.vcov(kind, Some(&families)).unwrap().wald(both.view()).unwrap();
    let (hansen, cr3) = (of(Vcov::Hansen), of(Vcov::Cr3));
    close(hansen.p_value, cr3.p_value, 1e-12, "joint p");
    assert!((hansen.df_num, hansen.df_denom) == (2.0, 5.0));
    // The residual rule takes V5 as it is too.
    let residual = fit.vcov_with(Vcov::Hansen, Some(&families), DfRule::Residual);
    let table = residual.unwrap().coefficients(0.95).unwrap();
    assert!(table.df.iter().all(|&df| df == 5.0));
    let event = array![0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
    let logit = crewe::regression::Logit::new(event.view(), x.slice(s![.., ..1])).fit().unwrap();
    let error = logit.vcov(Vcov::Hansen, Some(&families)).unwrap_err();
    assert!(error.to_string().contains("linear models"), "{error}");
    let weights = array![1.0, 2.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0];
    let weighted = Ols::new(y.view(), x.view())
        .weights(Weights::new(weights.view(), WeightKind::Probability))
        .fit()
        .unwrap();
    assert!(weighted.vcov(Vcov::Hansen, Some(&families)).is_err());
}

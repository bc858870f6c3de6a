//! Separation: every separated outcome is refused and nothing else is, against enumeration and R's glm
//! (tests/reference/separation.R).

mod common;

use common::{close, expected, number, numbers};
use crewe::inference::Vcov;
use crewe::regression::Logit;
use crewe::rng::{Seed, Stream};
use crewe::{Error, Fault};
use ndarray::{Array1, Array2};
use proptest::prelude::*;

fn refused(y: &Array1<f64>, x: &Array2<f64>, names: &[&str]) -> Fault {
    let error = Logit::new(y.view(), x.view()).named("y", names.iter().copied()).unwrap().fit();
    match error {
        Err(Error::Separation(fault)) => *fault,
        other => panic!("not refused as separated: {other:?}"),
    }
}

#[test]
fn near_separation_is_fitted_as_by_glm() {
    for case in expected("separation")["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let rows: Vec<Vec<f64>> = case["x"].as_array().unwrap().iter().map(numbers).collect();
        let x = Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j]);
        let y = Array1::from(numbers(&case["y"]));
        let fit = Logit::new(y.view(), x.view()).fit().unwrap();
        let iid = fit.vcov(Vcov::Iid, None).unwrap();
        for (j, (want, se)) in numbers(&case["coef"]).iter().zip(numbers(&case["se"])).enumerate() {
            close(fit.coef()[j], *want, 1e-8, &format!("{name} coef {j}"));
            close(iid.matrix()[(j, j)].sqrt(), se, 1e-8, &format!("{name} se {j}"));
        }
        close(fit.summary().log_likelihood, number(&case["log_likelihood"]), 1e-10, name);
    }
}

#[test]
fn a_difference_of_two_columns() {
    // y = 1 where a > b and mixed where a = b; neither column says anything alone, c nothing at all.
    let mut stream = Stream::new::<&str>(&Seed::Integer(5), "separation", &[], 0);
    let n = 90;
    let mut x = Array2::zeros((n, 3));
    let mut y = Array1::zeros(n);
    for i in 0..n {
        let gap = [-1.0, 0.0, 1.0][i % 3];
        x[(i, 1)] = (i / 3 % 5) as f64;
        x[(i, 0)] = x[(i, 1)] + gap;
        x[(i, 2)] = stream.normal();
        y[i] = if gap == 0.0 { f64::from(stream.normal() > 0.0) } else { f64::from(gap > 0.0) };
    }
    let fault = refused(&y, &x, &["a", "b", "c"]);
    assert_eq!(fault.values, ["a", "b"]);
    assert!(fault.problem.contains("perfectly in 60 of 90 rows"), "{}", fault.problem);
    // One row against the rule on each side, and the maximum exists.
    y[0] = 1.0;
    y[2] = 0.0;
    Logit::new(y.view(), x.view()).fit().unwrap();
}

#[test]
fn a_cell_of_an_interaction() {
    // The outcome is 0 in the whole cell a = 1, b = 0; the columns are a, b, a:b and a number.
    let mut stream = Stream::new::<&str>(&Seed::Integer(6), "separation", &[], 0);
    let n = 120;
    let x = Array2::from_shape_fn((n, 4), |(i, j)| {
        let (a, b) = ((i % 2) as f64, (i / 2 % 2) as f64);
        [a, b, a * b, stream.normal()][j]
    });
    let y = Array1::from_shape_fn(n, |i| {
        let drawn = f64::from(stream.normal() > 0.0);
        if x[(i, 0)] == 1.0 && x[(i, 1)] == 0.0 { 0.0 } else { drawn }
    });
    let fault = refused(&y, &x, &["a", "b", "a:b", "age"]);
    assert!(fault.problem.contains("perfectly in 30 of 120 rows"), "{}", fault.problem);
    assert!(fault.values.contains(&"a".to_owned()) && fault.values.contains(&"a:b".to_owned()));
    assert!(!fault.values.contains(&"age".to_owned()), "{}", fault.problem);
}

#[test]
fn many_rows_are_separated_by_a_rare_cell() {
    // The start from a part of the rows sees nothing of a cell of three in 60,000.
    let mut stream = Stream::new::<&str>(&Seed::Integer(7), "separation", &[], 0);
    let n = 60_000;
    let rare = |i: usize| i % 20_000 == 7;
    let x = Array2::from_shape_fn((n, 3), |(i, j)| if j == 1 { f64::from(rare(i)) } else { stream.normal() });
    let mut y = Array1::from_shape_fn(n, |i| f64::from(rare(i) || x[(i, 0)] - 1.0 + stream.normal() > 0.0));
    let fault = refused(&y, &x, &["a", "rare", "c"]);
    assert_eq!(fault.column.as_deref(), Some("rare"));
    y[7] = 0.0;
    let fit = Logit::new(y.view(), x.view()).fit().unwrap();
    assert!(fit.coef()[2].is_finite());
}

/// Whether some direction has no negative product with any signed row: such directions form a cone whose edges are
/// orthogonal to all but one dimension of the rows, so trying every set of k - 1 rows is enough. Exact in integers.
fn separated(rows: &[Vec<i64>]) -> bool {
    let k = rows[0].len();
    subsets(rows.len(), k - 1).iter().any(|chosen| {
        let edge: Vec<i64> = (0..k)
            .map(|j| {
                let minor: Vec<Vec<i64>> = chosen
                    .iter()
                    .map(|&i| (0..k).filter(|&c| c != j).map(|c| rows[i][c]).collect())
                    .collect();
                if j % 2 == 0 { determinant(&minor) } else { -determinant(&minor) }
            })
            .collect();
        let products: Vec<i64> =
            rows.iter().map(|row| row.iter().zip(&edge).map(|(a, b)| a * b).sum()).collect();
        edge.iter().any(|&e| e != 0) && (products.iter().all(|&p| p >= 0) || products.iter().all(|&p| p <= 0))
    })
}

fn subsets(n: usize, size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for last in size - 1..n {
        for mut rest in subsets(last, size - 1) {
            rest.push(last);
            all.push(rest);
        }
    }
    all
}

fn determinant(matrix: &[Vec<i64>]) -> i64 {
    if matrix.is_empty() {
        return 1;
    }
    (0..matrix.len())
        .map(|j| {
            let minor: Vec<Vec<i64>> = matrix[1..]
                .iter()
                .map(|row| row.iter().enumerate().filter(|(c, _)| *c != j).map(|(_, v)| *v).collect())
                .collect();
            let sign = if j % 2 == 0 { 1 } else { -1 };
            sign * matrix[0][j] * determinant(&minor)
        })
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn is_found_exactly_where_enumeration_finds_it(
        seed in 0_u64..1 << 40, n in 6_usize..22, p in 1_usize..4, spread in 1_u64..5, slope in 0_u32..3,
    ) {
        let mut stream = Stream::new::<&str>(&Seed::Integer(seed), "separation", &[], 0);
        let x = Array2::from_shape_simple_fn((n, p), || stream.below(2 * spread + 1) as f64 - spread as f64);
        let y = Array1::from_shape_fn(n, |i| {
            f64::from(f64::from(slope) * x.row(i).sum() + 0.5 + stream.normal() > 0.0)
        });
        let rows: Vec<Vec<i64>> = (0..n)
            .map(|i| {
                let sign = 2 * y[i] as i64 - 1;
                std::iter::once(sign).chain(x.row(i).iter().map(|&v| sign * v as i64)).collect()
            })
            .collect();
        match Logit::new(y.view(), x.view()).fit() {
            Ok(fit) => {
                prop_assert!(!separated(&rows), "fitted, with coefficients {:?}", fit.coef());
                let residuals = Array1::from(fit.summary().estimates.residuals.clone());
                prop_assert!(residuals.sum().abs() < 1e-10);
                prop_assert!(x.columns().into_iter().all(|column| column.dot(&residuals).abs() < 1e-9));
            }
            Err(Error::Separation(_)) => prop_assert!(separated(&rows)),
            Err(Error::Rank(_) | Error::Input(_)) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}

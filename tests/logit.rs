//! Logistic regression against R's glm, sandwich and clubSandwich (tests/reference/logit.R).

mod common;

use common::{binary, close, close_to};
use crewe::Error;
use crewe::inference::Vcov;
use crewe::regression::{Family, Logit};
use ndarray::{Array1, Array2, array};

#[test]
fn coefficients_likelihoods_and_every_covariance() {
    let seen = binary::fits_are(Family::LOGIT, &binary::cases("logit"));
    assert!(seen >= 45, "{seen}");
}

#[test]
fn margins_and_their_gradients() {
    let seen = binary::margins_are(Family::LOGIT, &binary::cases("logit"));
    assert!(seen > 150, "{seen}");
}

#[test]
fn joint_tests() {
    let seen = binary::joint_tests_are(Family::LOGIT, &binary::cases("logit"));
    assert!(seen >= 12, "{seen}");
}

#[test]
fn a_flip_of_the_outcome_changes_signs() {
    binary::a_flip_changes_signs(Family::LOGIT, &binary::cases("logit"));
}

fn separation(y: &Array1<f64>, x: &Array2<f64>, names: &[&str]) -> crewe::Fault {
    let error = Logit::new(y.view(), x.view())
        .named("y", names.iter().copied())
        .unwrap()
        .fit()
        .expect_err("the outcome is separated");
    assert!(matches!(error, Error::Separation(_)), "{error}");
    error.fault().unwrap().clone()
}

#[test]
fn separation_names_its_column() {
    let y = array![0., 0., 0., 1., 1., 1., 0., 1.];
    let noise = [0.3, -1.0, 0.4, 0.2, -0.7, 1.1, 0.9, -0.2];
    // Complete: score above 5 exactly where y = 1.
    let score = [1., 2., 4., 6., 7., 9., 5., 8.];
    let x = Array2::from_shape_fn((8, 2), |(i, j)| if j == 0 { noise[i] } else { score[i] });
    assert_eq!(separation(&y, &x, &["noise", "score"]).column.as_deref(), Some("score"));
    // Quasi-complete: every row of the arm has y = 1, the others are mixed.
    let y = array![0., 1., 0., 1., 1., 1., 0., 1.];
    let arm = [0., 0., 0., 0., 1., 1., 0., 1.];
    let x = Array2::from_shape_fn((8, 2), |(i, j)| if j == 0 { noise[i] } else { arm[i] });
    let fault = separation(&y, &x, &["noise", "arm"]);
    assert_eq!(fault.column.as_deref(), Some("arm"));
    assert!(fault.problem.contains("where it is 1: the outcome is 1"), "{}", fault.problem);
    let flipped = y.mapv(|v| 1.0 - v);
    assert!(separation(&flipped, &x, &["noise", "arm"]).problem.contains("where it is 1: the outcome is 0"));
    let other = x.mapv(|v| 1.0 - v);
    assert!(separation(&y, &other, &["noise", "arm"]).problem.contains("where it is 0: the outcome is 1"));
}

#[test]
fn separation_by_several_columns() {
    // a + b > 0 exactly where y = 1, though neither separates alone; c has no part in it.
    let n = 60;
    let value = |i: usize, s: f64| ((i as f64 + 1.0) * s).sin() * 2.0;
    let mut x = Array2::from_shape_fn((n, 3), |(i, j)| value(i, [12.9898, 78.233, 37.719][j]));
    let y = Array1::from_shape_fn(n, |i| f64::from(x[(i, 0)] + x[(i, 1)] > 0.0));
    let fault = separation(&y, &x, &["a", "b", "c"]);
    assert!(fault.problem.ends_with("perfectly in every row"), "{}", fault.problem);
    assert!(fault.values.contains(&"a".to_owned()) && fault.values.contains(&"b".to_owned()));
    // Quasi: the cell a = 1, b = 1 of an interaction has y = 1 only, and the interaction is its own column.
    let mut y = Array1::from_shape_fn(n, |i| f64::from(value(i, 3.7) > 0.0));
    for i in 0..n {
        let (a, b) = ((i % 2) as f64, (i / 2 % 2) as f64);
        x[(i, 0)] = a;
        x[(i, 1)] = b;
        x[(i, 2)] = value(i, 5.1);
        if a + b == 2.0 {
            y[i] = 1.0;
        }
    }
    let product = &x.column(0) * &x.column(1);
    let mut with = x.clone();
    with.push_column(product.view()).unwrap();
    assert_eq!(separation(&y, &with, &["a", "b", "c", "a:b"]).column.as_deref(), Some("a:b"));
    // Three levels of a factor, the first without any 1: intercept and both dummies go off together.
    let level = |i: usize| i % 3;
    let x = Array2::from_shape_fn(
        (n, 3),
        |(i, j)| {
            if j < 2 { f64::from(level(i) == j + 1) } else { value(i, 5.1) }
        },
    );
    let y = Array1::from_shape_fn(n, |i| if level(i) == 0 { 0.0 } else { f64::from(value(i, 3.7) > 0.0) });
    let fault = separation(&y, &x, &["f[T.b]", "f[T.c]", "c"]);
    assert_eq!(fault.values, ["f[T.b]", "f[T.c]"], "{}", fault.problem);
    assert!(fault.problem.contains("in 20 of 60 rows"), "{}", fault.problem);
}

#[test]
fn nearly_separated_is_fitted() {
    // One row of 2,000 against the rule: the maximum is finite, if far away.
    let n = 2000;
    let x = Array2::from_shape_fn((n, 1), |(i, _)| i as f64 / 100.0);
    let mut y = Array1::from_shape_fn(n, |i| f64::from(i >= 1000));
    y[998] = 1.0;
    let fit = Logit::new(y.view(), x.view()).fit().unwrap();
    let residuals = &fit.summary().estimates.residuals;
    assert!(residuals.iter().sum::<f64>().abs() < 1e-10);
    assert!(residuals.iter().zip(x.column(0)).map(|(e, x)| e * x).sum::<f64>().abs() < 1e-9);
    assert!(fit.coef()[1] > 50.0);
}

#[test]
fn nearly_collinear_columns_meet_the_score_equations() {
    let case = binary::cases("logit").into_iter().find(|case| case.name == "logit infert").unwrap();
    let mut x = case.x.clone();
    let near = Array1::from_shape_fn(case.y.len(), |i| x[(i, 2)] + 1e-3 * (i as f64 * 12.9898).sin());
    x.push_column(near.view()).unwrap();
    let fit = Logit::new(case.y.view(), x.view()).fit().unwrap();
    assert!(fit.summary().precise);
    let residuals = Array1::from(fit.summary().estimates.residuals.clone());
    for column in x.columns() {
        assert!(column.dot(&residuals).abs() < 1e-9);
    }
    // A change of basis changes neither the likelihood nor the other coefficients' standard errors.
    let mut basis = case.x.clone();
    let difference = (&near - &case.x.column(2)) * 1e3;
    basis.push_column(difference.view()).unwrap();
    let other = Logit::new(case.y.view(), basis.view()).fit().unwrap();
    assert!(!other.summary().precise);
    close(fit.summary().log_likelihood, other.summary().log_likelihood, 1e-12, "log-likelihood");
    let (a, b) = (fit.vcov(Vcov::Cr2, case.clusters.as_ref()), other.vcov(Vcov::Cr2, case.clusters.as_ref()));
    let (a, b) = (a.unwrap(), b.unwrap());
    for j in [0, 1, 2, 4] {
        close(a.matrix()[(j, j)], b.matrix()[(j, j)], 1e-7, "variance");
        close(a.df().unwrap()[j], b.df().unwrap()[j], 1e-7, "df");
    }
}

#[test]
fn outcomes_that_cannot_be_fitted() {
    let x = array![[0.1], [0.5], [0.2], [0.9], [0.3]];
    let fault = |y: Array1<f64>| {
        let error = Logit::new(y.view(), x.view()).fit().expect_err("refused");
        assert!(matches!(error, Error::Input(_)), "{error}");
        error.fault().unwrap().clone()
    };
    assert_eq!(fault(array![0., 1., 2., 1., 0.5]).rows, [2, 4]);
    assert!(fault(array![1., 1., 1., 1., 1.]).problem.contains("1 in every row"));
    assert_eq!(fault(array![1., f64::NAN, 0., 1., 1.]).rows, [1]);
    let twice = array![[0.1, 0.2], [0.5, 1.0], [0.2, 0.4], [0.9, 1.8], [0.3, 0.6]];
    let y = array![0., 1., 1., 0., 1.];
    let error = Logit::new(y.view(), twice.view()).fit().expect_err("collinear");
    assert!(matches!(error, Error::Rank(_)), "{error}");
}

#[test]
fn many_rows_do_not_depend_on_where_the_iteration_starts() {
    // The start is the fit of every third row: in another order these are other rows.
    let n = 60_001;
    let value = |i: usize, j: usize| ((i * (j + 3) + 1) as f64 * 12.9898).sin() * 2.0 + j as f64;
    let x = Array2::from_shape_fn((n, 3), |(i, j)| value(i, j));
    let y = Array1::from_shape_fn(n, |i| f64::from(x[(i, 0)] - x[(i, 1)] + 3.0 * value(i, 7) > 21.0));
    let fit = Logit::new(y.view(), x.view()).fit().unwrap();
    let residuals = Array1::from(fit.summary().estimates.residuals.clone());
    assert!(residuals.sum().abs() < 1e-9);
    assert!(x.columns().into_iter().all(|column| column.dot(&residuals).abs() < 1e-9));
    let iid = fit.vcov(Vcov::Iid, None).unwrap();
    let mut backwards = y.view();
    backwards.invert_axis(ndarray::Axis(0));
    let other = Array2::from_shape_fn((n, 3), |(i, j)| x[(n - 1 - i, j)]);
    let reversed = Logit::new(backwards, other.view()).fit().unwrap();
    let again = reversed.vcov(Vcov::Iid, None).unwrap();
    for j in 0..4 {
        close_to(reversed.coef()[j], fit.coef()[j], 1e-12, iid.matrix()[(j, j)].sqrt(), "coef");
        close(again.matrix()[(j, j)], iid.matrix()[(j, j)], 1e-12, "variance");
    }
    // Columns stored one after the other give the same bits.
    let mut by_column = Array2::zeros(ndarray::ShapeBuilder::f((n, 3)));
    by_column.assign(&x);
    let stored = Logit::new(y.view(), by_column.view()).fit().unwrap();
    assert_eq!(stored.coef(), fit.coef());
}

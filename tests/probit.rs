//! Probit regression against R's glm, sandwich and clubSandwich (tests/reference/probit.R).

mod common;

use common::{binary, close, close_to, numbers};
use crewe::Error;
use crewe::inference::Vcov;
use crewe::regression::{Family, Glm};
use ndarray::{Array1, Array2, array};

fn probit() -> Family {
    "probit".parse().unwrap()
}

#[test]
fn coefficients_likelihoods_and_every_covariance() {
    let seen = binary::fits_are(probit(), &binary::cases("probit"));
    assert!(seen >= 54, "{seen}");
}

#[test]
fn margins_and_their_gradients() {
    let seen = binary::margins_are(probit(), &binary::cases("probit"));
    assert!(seen > 150, "{seen}");
}

#[test]
fn joint_tests() {
    let seen = binary::joint_tests_are(probit(), &binary::cases("probit"));
    assert!(seen >= 12, "{seen}");
}

#[test]
fn a_flip_of_the_outcome_changes_signs() {
    binary::a_flip_changes_signs(probit(), &binary::cases("probit"));
}

#[test]
fn the_bread_is_the_expected_information() {
    let cases = binary::cases("probit");
    let case = cases.iter().find(|case| case.name == "probit mtcars_weight").unwrap();
    let fit = case.fit(probit());
    let iid = fit.vcov(Vcov::Iid, None).unwrap();
    // 0.7197 as R's glm prints it; the observed information would give 0.7093.
    assert!((iid.matrix()[(1, 1)].sqrt() - 0.7197).abs() < 5e-5);
    let observed = numbers(&case.reference["observed_information_se_not_ours"]);
    assert!((iid.matrix()[(1, 1)].sqrt() / observed[1] - 1.0).abs() > 0.01);
}

#[test]
fn one_column_has_a_closed_form() {
    // 1 of 4 against 3 of 4: the normal quantiles of the two shares.
    let y = array![1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0];
    let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
    let fit = Glm::new(probit(), y.view(), x.view()).fit().unwrap();
    let quantile = 0.674_489_750_196_081_7;
    close(fit.coef()[0], -quantile, 1e-13, "intercept");
    close(fit.coef()[1], 2.0 * quantile, 1e-13, "slope");
    // Each arm: p (1 - p) / n over the square of the density at the quantile.
    let density = (-0.5 * quantile * quantile).exp() / std::f64::consts::TAU.sqrt();
    let variance = 0.25 * 0.75 / 4.0 / (density * density);
    let iid = fit.vcov(Vcov::Iid, None).unwrap();
    close(iid.matrix()[(0, 0)], variance, 1e-12, "variance");
    close(iid.matrix()[(1, 1)], 2.0 * variance, 1e-12, "variance of the difference");
}

#[test]
fn nearly_collinear_columns_give_the_same_answer_in_another_basis() {
    let cases = binary::cases("probit");
    let case = cases.iter().find(|case| case.name == "probit infert").unwrap();
    let mut near = case.x.clone();
    let noise = Array1::from_shape_fn(case.y.len(), |i| (i as f64 * 12.9898).sin());
    near.push_column((&case.x.column(2) + &(&noise * 1e-3)).view()).unwrap();
    let mut apart = case.x.clone();
    apart.push_column(noise.view()).unwrap();
    let fits = [&near, &apart].map(|x| Glm::new(probit(), case.y.view(), x.view()).fit().unwrap());
    assert!(fits[0].summary().precise && !fits[1].summary().precise);
    close(fits[0].summary().log_likelihood, fits[1].summary().log_likelihood, 1e-12, "log-likelihood");
    for kind in [Vcov::Iid, Vcov::Hc2, Vcov::Cr2, Vcov::Cr3] {
        let [a, b] = fits.each_ref().map(|fit| fit.vcov(kind, case.clusters.as_ref()).unwrap());
        for j in [0, 1, 2, 4] {
            close_to(fits[0].coef()[j], fits[1].coef()[j], 1e-8, a.matrix()[(j, j)].sqrt(), "coefficient");
            close(a.matrix()[(j, j)], b.matrix()[(j, j)], 1e-7, "variance");
            if kind == Vcov::Cr2 {
                close(a.df().unwrap()[j], b.df().unwrap()[j], 1e-7, "df");
            }
        }
    }
}

#[test]
fn outcomes_that_cannot_be_fitted() {
    let x = array![[0.1], [0.5], [0.2], [0.9], [0.3]];
    let fault = |y: Array1<f64>| {
        let error = Glm::new(probit(), y.view(), x.view()).fit().unwrap_err();
        assert!(matches!(error, Error::Input(_)), "{error}");
        error.fault().unwrap().clone()
    };
    let wrong = fault(array![0., 1., 2., 1., 0.5]);
    assert_eq!(wrong.rows, [2, 4]);
    assert_eq!(wrong.problem, "the outcome of a probit must be 0 or 1 in every row");
    assert!(fault(array![1., 1., 1., 1., 1.]).problem.contains("1 in every row"));
    // Separated: the first column above 0.25 exactly where y = 1.
    let y = array![0., 1., 0., 1., 1.];
    let error = Glm::new(probit(), y.view(), x.view()).fit().unwrap_err();
    assert!(matches!(error, Error::Separation(_)), "{error}");
    assert_eq!(error.fault().unwrap().column.as_deref(), Some("x1"));
}

#[test]
fn a_far_tail_is_fitted() {
    // One row of 2,000 against the rule: the maximum is finite, if far away, and the score equations hold there.
    let n = 2000;
    let x = Array2::from_shape_fn((n, 1), |(i, _)| i as f64 / 100.0);
    let mut y = Array1::from_shape_fn(n, |i| f64::from(i >= 1000));
    y[998] = 1.0;
    let fit = Glm::new(probit(), y.view(), x.view()).fit().unwrap();
    assert!(fit.coef()[1] > 25.0);
    let reversed = Glm::new(probit(), y.mapv(|y| 1.0 - y).view(), x.view()).fit().unwrap().coef().to_vec();
    close(reversed[1], -fit.coef()[1], 1e-9, "the other way round");
}

//! Logistic regression with Firth's penalty against the formulas in R, held against brglm2 and logistf
//! (tests/reference/firth.R).

mod common;

use common::{binary, close, close_to, covariance_is, matrix, number, numbers};
use crewe::inference::Vcov;
use crewe::regression::{Family, Glm, Logit, Penalty, WeightKind, Weights};
use crewe::rng::{Seed, Stream};
use crewe::{Error, dist};
use ndarray::{Array1, Array2, Axis, array};

#[test]
fn estimates_likelihoods_and_every_covariance() {
    let mut seen = 0;
    for case in binary::cases("firth") {
        let (fit, want) = (case.fit(Family::LOGIT), &case.reference);
        let coef = numbers(&want["coef"]);
        for (j, &b) in coef.iter().enumerate() {
            close(fit.coef()[j], b, 1e-10, &format!("{} coef {j}", case.name));
        }
        let found = fit.summary().penalised.unwrap();
        close(found.log_likelihood, number(&want["penalised_log_likelihood"]), 1e-12, &case.name);
        close(found.likelihood_ratio, number(&want["likelihood_ratio"]), 1e-10, &case.name);
        close(found.p_value, number(&want["likelihood_ratio_p"]), 1e-8, &case.name);
        assert_eq!(found.df, number(&want["likelihood_ratio_df"]));
        for kind in Vcov::ALL {
            let Some(want) = want["vcov"].get(kind.name()) else { continue };
            let what = format!("{} {kind}", case.name);
            let got = fit.vcov(kind, case.clusters.as_ref()).unwrap_or_else(|e| panic!("{what}: {e}"));
            covariance_is(&got, &coef, want, &what);
            seen += 1;
        }
    }
    assert!(seen >= 38, "{seen}");
}

#[test]
fn profiles_have_the_limits_of_logistf() {
    for case in binary::cases("firth") {
        let (found, want) = (case.fit(Family::LOGIT).profile(0.95).unwrap(), &case.reference["profile"]);
        let se = numbers(&want["std_error"]);
        for (j, &se) in se.iter().enumerate() {
            let what = format!("{} profile {j}", case.name);
            close(found.std_error[j], se, 1e-9, &what);
            close(found.statistic[j], numbers(&want["statistic"])[j], 1e-8, &what);
            close(found.p_value[j], numbers(&want["p"])[j], 1e-7, &what);
            close_to(found.conf_low[j], numbers(&want["conf_low"])[j], 1e-9, se, &what);
            close_to(found.conf_high[j], numbers(&want["conf_high"])[j], 1e-9, se, &what);
            assert!(found.df[j].is_infinite());
        }
    }
}

#[test]
fn a_limit_is_where_the_likelihood_ratio_is_the_quantile() {
    // Two by two: with the other cell fixed the profile is that of one column, at any level.
    let case = &binary::cases("firth")[4];
    let fit = case.fit(Family::LOGIT);
    for level in [0.5, 0.9, 0.999] {
        let table = fit.profile(level).unwrap();
        // An offset of the limit makes the coefficient 0: the column as it is, and the outcome as it is.
        let quantile = dist::normal_quantile(0.5 + 0.5 * level);
        assert!(table.conf_low[1] < fit.coef()[1] && fit.coef()[1] < table.conf_high[1]);
        let null_inside = table.conf_low[1] < 0.0;
        assert_eq!(null_inside, table.statistic[1].abs() < quantile, "{level}");
    }
}

#[test]
fn margins_and_their_gradients() {
    let seen = binary::margins_are(Family::LOGIT, &binary::cases("firth"));
    assert!(seen > 50, "{seen}");
}

#[test]
fn refits_are_penalised_too() {
    for case in binary::cases("firth").iter().filter(|case| case.clusters.is_some()) {
        let (clusters, fit) = (case.clusters.as_ref().unwrap(), case.fit(Family::LOGIT));
        let refits = matrix(&case.reference["refits"]);
        let mut sum = Array2::<f64>::zeros((fit.coef().len(), fit.coef().len()));
        for row in refits.axis_iter(Axis(0)) {
            let change = &row - &Array1::from(fit.coef().to_vec());
            for ((a, b), value) in sum.indexed_iter_mut() {
                *value += change[a] * change[b];
            }
        }
        let count = clusters.count() as f64;
        let got = fit.vcov(Vcov::Cv3, Some(clusters)).unwrap();
        for ((a, b), &value) in sum.indexed_iter() {
            let scale = (sum[(a, a)] * sum[(b, b)]).sqrt();
            close_to(got.matrix()[(a, b)] * count / (count - 1.0), value, 1e-8, scale, &case.name);
        }
        assert!(got.notes().iter().all(|note| !note.contains("not estimable")));
    }
}

#[test]
fn columns_may_be_rescaled_shifted_and_nearly_collinear() {
    let case = &binary::cases("firth")[1];
    let plain = case.fit(Family::LOGIT);
    let cr1 = |fit: &crewe::regression::GlmFit<'_>| {
        fit.vcov(Vcov::Cr1, case.clusters.as_ref()).unwrap().matrix()[(3, 3)].sqrt()
    };
    let mut x = case.x.clone();
    x.column_mut(2).mapv_inplace(|age| 1e6 + 1e-3 * age);
    let moved = Logit::new(case.y.view(), x.view()).penalty(Penalty::Firth).fit().unwrap();
    close(1e-3 * moved.coef()[3], plain.coef()[3], 1e-7, "rescaled");
    close(1e-3 * cr1(&moved), cr1(&plain), 1e-7, "rescaled CR1");
    // A column that is nearly another: the fit runs on orthonormal ones.
    let near = Array1::from_shape_fn(case.y.len(), |i| case.x[(i, 2)] + 1e-3 * (i as f64 * 12.9898).sin());
    let (mut close_by, mut apart) = (case.x.clone(), case.x.clone());
    close_by.push_column(near.view()).unwrap();
    let difference = (&near - &case.x.column(2)) * 1e3;
    apart.push_column(difference.view()).unwrap();
    let [a, b] = [&close_by, &apart]
        .map(|x| Logit::new(case.y.view(), x.view()).penalty(Penalty::Firth).fit().unwrap());
    assert!(a.summary().precise && !b.summary().precise);
    for j in [0, 1, 2, 4] {
        close(a.coef()[j], b.coef()[j], 1e-7, "coef");
    }
    let [a, b] = [a, b].map(|fit| fit.profile(0.95).unwrap());
    close(a.conf_low[4], b.conf_low[4], 1e-6, "limit");
    close(a.p_value[1], b.p_value[1], 1e-6, "p");
}

#[test]
fn a_flip_of_the_outcome_changes_signs() {
    for case in binary::cases("firth") {
        let flipped = case.y.mapv(|y| 1.0 - y);
        let fit = case.fit(Family::LOGIT);
        let other = Logit::new(flipped.view(), case.x.view()).penalty(Penalty::Firth).fit().unwrap();
        let (a, b) = (fit.profile(0.9).unwrap(), other.profile(0.9).unwrap());
        for j in 0..fit.coef().len() {
            close_to(other.coef()[j], -fit.coef()[j], 1e-9, a.std_error[j], &case.name);
            close_to(b.conf_low[j], -a.conf_high[j], 1e-8, a.std_error[j], &case.name);
        }
    }
}

#[test]
fn what_a_penalty_does_not_take() {
    let y = array![0.0, 1.0, 0.0, 1.0, 1.0, 0.0];
    let x = array![[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]];
    let refused = |error: Error, what: &str| {
        assert!(matches!(error, Error::Input(_)), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    };
    let probit = Glm::new("probit".parse().unwrap(), y.view(), x.view()).penalty(Penalty::Firth);
    refused(probit.fit().unwrap_err(), "that of a logit");
    let ones = Array1::ones(6);
    let weights = Weights::new(ones.view(), WeightKind::Analytic);
    let weighted = Logit::new(y.view(), x.view()).weights(weights).penalty(Penalty::Firth);
    refused(weighted.fit().unwrap_err(), "takes no weights");
    refused("ridge".parse::<Penalty>().unwrap_err(), "is not known");
    let fit = Logit::new(y.view(), x.view()).penalty(Penalty::Firth).fit().unwrap();
    for kind in [Vcov::Hc2, Vcov::Hc3] {
        refused(fit.vcov(kind, None).unwrap_err(), "penalised");
    }
    let clusters = crewe::inference::Clusters::new(&[0, 1, 2, 3, 4, 5]).unwrap();
    for kind in [Vcov::Cr2, Vcov::Cr3, Vcov::Cv3l] {
        refused(fit.vcov(kind, Some(&clusters)).unwrap_err(), "penalised");
    }
    refused(fit.profile(1.0).unwrap_err(), "level");
    let plain = Logit::new(y.view(), x.view()).fit().unwrap();
    refused(plain.profile(0.95).unwrap_err(), "penalised fits");
    let constant = Array1::ones(6);
    let error = Logit::new(constant.view(), x.view()).penalty(Penalty::Firth).fit().unwrap_err();
    refused(error, "in every row");
    let twice = array![[0.0, 0.0], [0.1, 0.2], [0.5, 1.0], [0.4, 0.8], [0.3, 0.6], [0.9, 1.8]];
    let error = Logit::new(y.view(), twice.view()).penalty(Penalty::Firth).fit().unwrap_err();
    assert!(matches!(error, Error::Rank(_)), "{error}");
}

/// Whole steps of scoring go to and fro in small trials, about one in a hundred of these.
#[test]
fn small_trials_settle() {
    let mut fitted = 0;
    for trial in 0..400 {
        let stream = &mut Stream::new::<&str>(&Seed::Integer(5), "firth", &[], trial);
        let (mut y, mut x) = (Vec::new(), Vec::new());
        for family in 0..10 {
            let history = f64::from(u8::from(stream.unit() < 0.4));
            let shared = f64::from(u8::from(stream.unit() < 0.3));
            for _ in 0..=stream.below(4) {
                let own = f64::from(u8::from(stream.unit() < 0.3));
                y.push(if stream.unit() < 0.5 { shared } else { own });
                x.extend([f64::from(u8::from(family > 2)), history, stream.normal()]);
            }
        }
        let y = Array1::from(y);
        let x = Array2::from_shape_vec((y.len(), 3), x).unwrap();
        match Logit::new(y.view(), x.view()).penalty(Penalty::Firth).fit() {
            Ok(_) => fitted += 1,
            Err(error) => assert!(!matches!(error, Error::Convergence(_)), "trial {trial}: {error}"),
        }
    }
    assert!(fitted > 350, "{fitted}");
}

//! Weighted fits against R (tests/reference/weighted.R): linear, logit and probit, under probability and analytic weights.

mod common;

use std::collections::HashMap;

use common::{
    close, close_to, clusters, columns, covariance_is, expected, joint_is, margins_are, names, number,
    numbers, side_by_side,
};
use crewe::Error;
use crewe::inference::{Clusters, Compare, Covariance, Setting, Vcov};
use crewe::regression::fit::Summary;
use crewe::regression::{Family, Fit, Glm, Ols, WeightKind, Weights};
use crewe::survival::{Cox, Surv};
use ndarray::{Array1, Array2, Axis, array};
use serde_json::Value;

struct Case {
    name: String,
    family: Option<Family>,
    kind: WeightKind,
    y: Array1<f64>,
    x: Array2<f64>,
    names: Vec<String>,
    weights: Array1<f64>,
    clusters: Option<Clusters>,
    reference: Value,
}

fn cases() -> Vec<Case> {
    let file = expected("weighted");
    let data: HashMap<&String, _> =
        file["data"].as_object().unwrap().iter().map(|(name, set)| (name, columns(set))).collect();
    let prepare = |case: &Value| {
        let data = &data[&case["data"].as_str().unwrap().to_owned()];
        let column = |key: &str| Array1::from(data[case[key].as_str().unwrap()].clone());
        let terms = &names(&case["x"])[1..];
        let link = case["link"].as_str().unwrap();
        Case {
            name: case["name"].as_str().unwrap().to_owned(),
            family: (link != "identity").then(|| link.parse().unwrap()),
            kind: case["kind"].as_str().unwrap().parse().unwrap(),
            y: column("y"),
            x: side_by_side(data, terms),
            names: terms.iter().map(|name| (*name).to_owned()).collect(),
            weights: column("weights"),
            clusters: case["cluster"].as_str().map(|name| clusters(&data[name])),
            reference: case.clone(),
        }
    };
    file["cases"].as_array().unwrap().iter().map(prepare).collect()
}

/// What is asked of a fit, whatever its model.
trait Visit {
    fn visit<S: Summary>(&mut self, fit: &Fit<'_, S>);
}

impl Case {
    /// Fits the case with other weights, and visits the fit.
    fn fit_with(&self, weights: &Array1<f64>, visitor: &mut impl Visit) {
        let weights = Weights::new(weights.view(), self.kind);
        let names = self.names.iter().cloned();
        match self.family {
            None => {
                let model = Ols::new(self.y.view(), self.x.view()).named("y", names).unwrap();
                visitor.visit(&model.weights(weights).fit().unwrap());
            }
            Some(family) => {
                let model = Glm::new(family, self.y.view(), self.x.view()).named("y", names).unwrap();
                visitor.visit(&model.weights(weights).fit().unwrap());
            }
        }
    }

    /// The kinds that the case has.
    fn kinds(&self) -> impl Iterator<Item = Vcov> {
        let clustered = self.clusters.is_some();
        let no_model = self.family.is_some() && self.kind == WeightKind::Probability;
        Vcov::ALL
            .into_iter()
            .filter(|kind| !kind.is_of_equations() && !kind.is_of_cox() && !kind.is_of_mixed_models())
            .filter(|kind| {
                *kind != Vcov::Hansen || (self.family.is_none() && self.kind == WeightKind::Analytic)
            })
            .filter(move |kind| (clustered || !kind.is_clustered()) && !(no_model && *kind == Vcov::Iid))
    }

    /// The rows with the term of the margins at 0 and at 1: all of them, or the weighted means.
    fn settings(&self, means: bool) -> [Array2<f64>; 2] {
        let term = self.reference["margins"]["term"].as_str().unwrap();
        let place = self.names.iter().position(|name| name == term).unwrap();
        [0.0, 1.0].map(|value| {
            let mut rows = self.x.clone();
            if means {
                let total = self.weights.sum();
                rows = (&self.x * &self.weights.view().insert_axis(Axis(1)))
                    .sum_axis(Axis(0))
                    .insert_axis(Axis(0));
                rows /= total;
            }
            rows.column_mut(place).fill(value);
            rows
        })
    }
}

/// Coefficients, covariances, contrasts, joint tests and margins against the reference.
struct Compared<'c> {
    case: &'c Case,
    seen: usize,
}

impl Visit for Compared<'_> {
    fn visit<S: Summary>(&mut self, fit: &Fit<'_, S>) {
        let case = self.case;
        let want = &case.reference;
        let coef = numbers(&want["coef"]);
        for (j, &b) in coef.iter().enumerate() {
            close(fit.coef()[j], b, 1e-9, &format!("{} coef {j}", case.name));
        }
        assert_eq!(fit.summary().estimates().n(), want["n"].as_u64().unwrap() as usize, "{}", case.name);
        let settings = [true, false].map(|means| case.settings(means));
        for kind in case.kinds() {
            let what = format!("{} {kind}", case.name);
            let got = fit.vcov(kind, case.clusters.as_ref()).unwrap_or_else(|e| panic!("{what}: {e}"));
            let Some(numbers) = want["vcov"].get(kind.name()) else {
                // The jackknife stands there under one of its names, and CV3L of a linear model is the same; Hansen's has a
                // reference of its own, with weights.
                let named = kind.is_jackknife()
                    || kind == Vcov::Hansen
                    || (kind == Vcov::Cv3l && case.family.is_none());
                assert!(kind == Vcov::Iid || named, "{what}: the reference lacks it");
                continue;
            };
            covariance_is(&got, &coef, numbers, &what);
            if kind.is_clustered() {
                assert_eq!(got.clusters(), want["clusters"].as_u64().map(|count| count as usize), "{what}");
            }
            for test in want["wald"].as_array().unwrap() {
                let Some(numbers) = test["vcov"].get(kind.name()) else { continue };
                joint_is(&got, &test["R"], numbers, &format!("{what} joint {}", test["name"]));
                self.seen += 1;
            }
            let [means, all] = &settings;
            self.seen += margins_are(&got, means, None, &want["margins"]["means"], &format!("{what} means"));
            let weights = Some(&case.weights);
            self.seen +=
                margins_are(&got, all, weights, &want["margins"]["observed"], &format!("{what} observed"));
        }
    }
}

#[test]
fn every_case_of_the_reference() {
    let mut seen = 0;
    for case in cases() {
        let mut compared = Compared { case: &case, seen: 0 };
        case.fit_with(&case.weights, &mut compared);
        seen += compared.seen;
    }
    assert!(seen > 2000, "{seen}");
}

#[test]
fn likelihoods_and_residual_standard_deviations() {
    for case in cases() {
        let weights = Weights::new(case.weights.view(), case.kind);
        match case.family {
            None => {
                let fit = Ols::new(case.y.view(), case.x.view()).weights(weights).fit().unwrap();
                let want = number(&case.reference["sigma"]);
                if case.kind == WeightKind::Analytic {
                    close(fit.summary().sigma, want, 1e-10, &case.name);
                }
            }
            Some(family) => {
                let fit = Glm::new(family, case.y.view(), case.x.view()).weights(weights).fit().unwrap();
                close(
                    fit.summary().log_likelihood,
                    number(&case.reference["log_likelihood"]),
                    1e-10,
                    &case.name,
                );
            }
        }
    }
}

/// The model-based covariance: refused under probability weights of a yes-or-no outcome, whose scale it would depend on.
struct ModelBased(Result<Array2<f64>, Error>);

impl Visit for ModelBased {
    fn visit<S: Summary>(&mut self, fit: &Fit<'_, S>) {
        self.0 = fit.vcov(Vcov::Iid, None).map(|found| found.matrix().clone());
    }
}

#[test]
fn the_model_based_covariance_under_probability_weights() {
    let all = cases();
    for case in all.iter().filter(|case| case.kind == WeightKind::Probability) {
        let mut found = ModelBased(Ok(array![[]]));
        case.fit_with(&case.weights, &mut found);
        if case.family.is_some() {
            let error = found.0.unwrap_err();
            assert!(matches!(error, Error::Input(_)), "{error}");
            assert_eq!(
                error.to_string(),
                "the model-based covariance depends on the scale of probability weights, which means nothing. \
                     Choose a robust covariance, such as HC2, or CR2 with clusters."
            );
        } else {
            // That of R's lm(weights =), where a scale of the weights is one of sigma.
            let name = case.name.replace("probability", "analytic");
            let analytic = all.iter().find(|other| other.name == name).unwrap();
            let want = common::matrix(&analytic.reference["vcov"]["iid"]["cov"]);
            for ((a, b), value) in want.indexed_iter() {
                let scale = (want[(a, a)] * want[(b, b)]).sqrt();
                close_to(found.0.as_ref().unwrap()[(a, b)], *value, 1e-9, scale, &case.name);
            }
        }
    }
}

/// Everything that a fit says, as a list of numbers with what they are.
struct Everything<'c> {
    case: &'c Case,
    clusters: Option<Clusters>,
    weights: Array1<f64>,
    numbers: Vec<(String, f64)>,
}

impl<'c> Everything<'c> {
    fn of(case: &'c Case, weights: &Array1<f64>) -> Vec<(String, f64)> {
        let mut all =
            Self { case, clusters: case.clusters.clone(), weights: weights.clone(), numbers: Vec::new() };
        case.fit_with(weights, &mut all);
        all.numbers
    }

    fn push(&mut self, what: &str, values: impl IntoIterator<Item = f64>) {
        self.numbers.extend(values.into_iter().enumerate().map(|(i, value)| (format!("{what} {i}"), value)));
    }

    fn covariance(&mut self, got: &Covariance<'_>) {
        let what = got.kind().name();
        let k = got.matrix().nrows();
        let se: Vec<f64> = got.matrix().diag().iter().map(|v| v.sqrt()).collect();
        self.push(&format!("{what} se"), se.clone());
        self.push(
            &format!("{what} correlation"),
            got.matrix().indexed_iter().map(|((a, b), v)| v / (se[a] * se[b])),
        );
        self.push(&format!("{what} df"), got.df().unwrap().to_vec());
        self.push(&format!("{what} clusters"), got.clusters().map(|count| count as f64));
        let rows = Array2::from_shape_fn((2, k), |(i, j)| f64::from(j == i + 1));
        let joint = got.wald(rows.view()).unwrap();
        self.push(&format!("{what} joint"), [joint.statistic, joint.df_denom, joint.p_value]);
        let settings = self.case.settings(false);
        let settings =
            settings.each_ref().map(|rows| Setting::new(rows.view()).weights(Some(self.weights.view())));
        let compare = if self.case.family.is_some() { Compare::OddsRatio } else { Compare::Difference };
        let margins = got.margins(&settings, &[[1, 0]], compare, 0.95).unwrap();
        for table in [margins.levels, margins.comparisons] {
            self.push(&format!("{what} margins"), table.estimate);
            self.push(&format!("{what} margins se"), table.std_error);
            self.push(&format!("{what} margins df"), table.df);
        }
    }
}

impl Visit for Everything<'_> {
    fn visit<S: Summary>(&mut self, fit: &Fit<'_, S>) {
        self.push("coef", fit.coef().to_vec());
        self.push("n", [fit.summary().estimates().n() as f64, fit.summary().estimates().df_residual()]);
        // Analytic weights of a yes-or-no outcome have a scale: it is that of the information.
        let scaled = |kind| kind == Vcov::Iid && self.case.family.is_some();
        let kinds: Vec<Vcov> = self.case.kinds().filter(|kind| !scaled(*kind)).collect();
        for kind in kinds {
            let clusters = self.clusters.clone();
            self.covariance(&fit.vcov(kind, clusters.as_ref()).unwrap());
        }
    }
}

/// Two lists of numbers; standard errors set the scale of coefficients.
fn the_same(got: &[(String, f64)], want: &[(String, f64)], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for ((name, got), (_, want)) in got.iter().zip(want) {
        let scale = if name.contains("correlation") || name.contains("coef") { 1.0 } else { 1e-290 };
        if got.is_infinite() && got == want {
            continue;
        }
        close_to(*got, *want, tolerance, scale, &format!("{what} {name}"));
    }
}

#[test]
fn the_scale_of_the_weights_means_nothing() {
    for case in cases().iter().filter(|case| !case.name.starts_with("awards")) {
        let want = Everything::of(case, &case.weights);
        for scale in [1e-6, 1e6] {
            let weights = &case.weights * scale;
            the_same(&Everything::of(case, &weights), &want, 1e-9, &format!("{} x {scale:e}", case.name));
        }
    }
}

#[test]
fn a_weight_of_nothing_leaves_the_row_out() {
    for case in cases().iter().filter(|case| !case.name.starts_with("awards")) {
        // Rows in between, the first and last of all, and a cluster that has no other.
        let n = case.y.len();
        let dropped = |i: usize| i % 7 == 3 || i == 0 || i + 1 == n;
        let kept: Vec<usize> = (0..n).filter(|&i| !dropped(i)).collect();
        let weights = Array1::from_shape_fn(n, |i| if dropped(i) { 0.0 } else { case.weights[i] });
        let codes = case.clusters.as_ref().map(|clusters| {
            let mut codes = clusters.codes().to_vec();
            codes[0] = 900;
            codes[n - 1] = 0;
            codes
        });
        let with = |rows: &[usize], weights: Array1<f64>| Case {
            name: case.name.clone(),
            family: case.family,
            kind: case.kind,
            y: case.y.select(Axis(0), rows),
            x: case.x.select(Axis(0), rows),
            names: case.names.clone(),
            weights,
            clusters: codes
                .as_ref()
                .map(|codes| Clusters::new(&rows.iter().map(|&i| codes[i]).collect::<Vec<_>>()).unwrap()),
            reference: case.reference.clone(),
        };
        let all: Vec<usize> = (0..n).collect();
        let full = with(&all, weights.clone());
        let part = with(&kept, case.weights.select(Axis(0), &kept));
        let got = Everything::of(&full, &full.weights);
        let want = Everything::of(&part, &part.weights);
        the_same(&got, &want, 1e-9, &case.name);
        let counts = |list: &[(String, f64)]| -> Vec<f64> {
            list.iter()
                .filter(|(name, _)| name.starts_with("n ") || name.contains("clusters"))
                .map(|(_, v)| *v)
                .collect()
        };
        assert_eq!(counts(&got), counts(&want), "{}", case.name);
        if let (Some(full), Some(part)) = (&full.clusters, &part.clusters) {
            assert!(part.count() < full.count(), "{}", case.name);
            assert!(counts(&got).contains(&(part.count() as f64)), "{}", case.name);
        }
    }
}

#[test]
fn frequency_weights_are_refused_with_their_remedy() {
    let error = "frequency".parse::<WeightKind>().unwrap_err();
    assert!(matches!(error, Error::Input(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "frequency weights are not taken. Repeat each row as often as its weight says, and fit the model to all rows."
    );
    assert!(
        "importance".parse::<WeightKind>().unwrap_err().to_string().contains("'probability' or 'analytic'")
    );
    for kind in [WeightKind::Probability, WeightKind::Analytic] {
        assert_eq!(kind.name().parse::<WeightKind>().unwrap(), kind);
        assert_eq!(kind.to_string(), kind.name());
    }
}

#[test]
fn bad_weights_have_one_class_and_one_text() {
    let y = array![0.0, 1.0, 1.0, 0.0, 1.0, 0.0];
    let x = array![[0.3], [0.1], [0.9], [0.7], [0.2], [0.8]];
    let time = [5.0, 3.0, 6.0, 2.0, 8.0, 4.0];
    let event = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0];
    let repair = "Repair these weights, or give a weight of 0 to rows that should not count.";
    let cases = [
        (array![1.0, -2.0, 1.0, 1.0, 1.0, 1.0], format!("weights must be numbers of 0 or more (column 'weights'; row 1; seen: negative). {repair}")),
        (array![1.0, 1.0, 1.0, f64::INFINITY, f64::NAN, 1.0], format!("weights must be numbers of 0 or more (column 'weights'; rows 3, 4; seen: infinite, missing). {repair}")),
        (array![0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "every weight is 0 (column 'weights'). Check how the weights were made: with none above 0 there is nothing to analyse.".into()),
        (array![1.0, 1.0], "2 weights for 6 rows (column 'weights'). Give one weight for each row.".into()),
        (array![1.0, 1.0, 1.7e308, 1.0, 1.0, 1.0], "the squares of the weights overflow (column 'weights'). Divide them by their mean: only their ratios matter.".into()),
    ];
    for (weights, text) in cases {
        let view = weights.view();
        let mut errors = vec![];
        for kind in [WeightKind::Probability, WeightKind::Analytic] {
            errors.push(Ols::new(y.view(), x.view()).weights(Weights::new(view, kind)).fit().unwrap_err());
            for family in Family::all() {
                let model = Glm::new(family, y.view(), x.view()).weights(Weights::new(view, kind));
                errors.push(model.fit().unwrap_err());
            }
        }
        let surv = Surv::new(&time, &event).weights(weights.as_slice());
        errors.push(Cox::new(surv, x.view()).fit().unwrap_err());
        for error in errors {
            assert!(matches!(error, Error::Input(_)), "{error}");
            assert_eq!(error.to_string(), text);
        }
    }
}

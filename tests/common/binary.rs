//! Regressions of a yes-or-no outcome against R: what `expected/logit.json` and `expected/probit.json` share.

use crewe::inference::{Clusters, Compare, Setting, Vcov};
use crewe::regression::{Family, Glm, GlmFit, Penalty};
use ndarray::{Array1, Array2, Axis};
use serde_json::Value;

use super::{
    close, close_to, clusters, columns, covariance_is, degrees_are, expected, joint_is, matrix, names,
    number, numbers, row_is, side_by_side,
};

/// A case of the reference.
pub struct Case {
    pub name: String,
    pub y: Array1<f64>,
    pub x: Array2<f64>,
    pub terms: Vec<String>,
    pub clusters: Option<Clusters>,
    pub penalty: Option<Penalty>,
    pub reference: Value,
}

impl Case {
    pub fn fit(&self, family: Family) -> GlmFit<'_> {
        let model = Glm::new(family, self.y.view(), self.x.view()).named("y", self.terms.iter().cloned());
        let model = model.expect("one name a column");
        let model = match self.penalty {
            Some(penalty) => model.penalty(penalty),
            None => model,
        };
        model.fit().unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The rows with a column at 0 and at 1: all of them, or their means.
    fn settings(&self, term: &str, means: bool) -> [Array2<f64>; 2] {
        let place = self.terms.iter().position(|name| name == term).expect("a column");
        [0.0, 1.0].map(|value| {
            let mut rows = self.x.clone();
            if means {
                rows = rows.mean_axis(Axis(0)).expect("rows").insert_axis(Axis(0));
            }
            rows.column_mut(place).fill(value);
            rows
        })
    }
}

/// The cases of `expected/{topic}.json`.
pub fn cases(topic: &str) -> Vec<Case> {
    let file = expected(topic);
    let prepare = |case: &Value| {
        let data = columns(&case["data"]);
        let terms = names(&case["columns"]);
        Case {
            name: format!("{topic} {}", case["name"].as_str().expect("a name")),
            y: Array1::from(data[case["y"].as_str().expect("an outcome")].clone()),
            x: side_by_side(&data, &terms),
            terms: terms.iter().map(|name| (*name).to_owned()).collect(),
            clusters: case["cluster"].as_str().map(|name| clusters(&data[name])),
            penalty: (topic == "firth").then_some(Penalty::Firth),
            reference: case.clone(),
        }
    };
    file["cases"].as_array().expect("a list").iter().map(prepare).collect()
}

/// Coefficients, likelihoods and every covariance; returns the number of covariances.
pub fn fits_are(family: Family, cases: &[Case]) -> usize {
    let mut seen = 0;
    for case in cases {
        let (fit, want) = (case.fit(family), &case.reference);
        let (summary, coef) = (fit.summary(), numbers(&want["coef"]));
        for (j, &b) in coef.iter().enumerate() {
            close(fit.coef()[j], b, 1e-10, &format!("{} coef {j}", case.name));
        }
        close(summary.log_likelihood, number(&want["log_likelihood"]), 1e-12, &case.name);
        close(summary.null_log_likelihood, number(&want["null_log_likelihood"]), 1e-12, &case.name);
        close(summary.aic, number(&want["aic"]), 1e-12, &case.name);
        close(
            summary.pseudo_r_squared,
            1.0 - summary.log_likelihood / summary.null_log_likelihood,
            1e-14,
            &case.name,
        );
        for kind in Vcov::ALL {
            let Some(want) = want["vcov"].get(kind.name()) else { continue };
            let what = format!("{} {kind}", case.name);
            let got =
                fit.vcov(kind, case.clusters.as_ref()).unwrap_or_else(|error| panic!("{what}: {error}"));
            covariance_is(&got, &coef, want, &what);
            seen += 1;
        }
    }
    seen
}

/// Joint tests; returns their number.
pub fn joint_tests_are(family: Family, cases: &[Case]) -> usize {
    let mut seen = 0;
    for case in cases {
        let (fit, test) = (case.fit(family), &case.reference["wald"]);
        for kind in Vcov::ALL {
            let Some(want) = test["vcov"].get(kind.name()) else { continue };
            let what = format!("{} {kind}", case.name);
            let got = fit.vcov(kind, case.clusters.as_ref()).expect("a covariance");
            joint_is(&got, &test["R"], want, &what);
            seen += 1;
        }
    }
    seen
}

/// Row `i` of a margin's `se df p conf_low conf_high`.
fn row(want: &Value, i: usize) -> Value {
    let pick = |name: &str| match &want[name] {
        Value::Array(list) => list[i].clone(),
        one => one.clone(),
    };
    ["se", "df", "p", "conf_low", "conf_high"].into_iter().map(|name| (name.to_owned(), pick(name))).collect()
}

/// Margins of a binary column: levels at the means on the scale of the link, their difference, and observed levels and
/// their difference; as margins, and as contrasts of the gradients that the reference gives. Returns their number.
pub fn margins_are(family: Family, cases: &[Case]) -> usize {
    let mut seen = 0;
    for case in cases.iter().filter(|case| !case.reference["margins"].is_null()) {
        let (fit, want) = (case.fit(family), &case.reference["margins"]);
        let term = want["term"].as_str().expect("a term");
        let [means, all] = [true, false].map(|means| case.settings(term, means));
        let both = |rows: &[Array2<f64>; 2], kind: Vcov| {
            let settings = rows.each_ref().map(|rows| Setting::new(rows.view()));
            let got = fit.vcov(kind, case.clusters.as_ref()).expect("a covariance");
            got.margins(&settings, &[[1, 0]], Compare::Difference, 0.95).expect("margins")
        };
        for kind in Vcov::ALL {
            let got = fit.vcov(kind, case.clusters.as_ref());
            let what = format!("{} {kind}", case.name);
            if let Some(values) = want["means_link"]["vcov"].get(kind.name()) {
                let got = got.as_ref().expect("a covariance");
                let x = matrix(&want["means_link"]["x"]);
                let levels = both(&means, kind).levels;
                for (i, rows) in means.iter().enumerate() {
                    let (estimate, values) = (numbers(&want["means_link"]["estimate"])[i], row(values, i));
                    let linear = got.predict(rows.view(), true, 0.95).expect("a prediction");
                    row_is(&linear, 0, estimate, &values, &format!("{what} link {i}"));
                    let contrast = got.contrasts(x.select(Axis(0), &[i]).view(), 0.95).expect("a contrast");
                    row_is(&contrast, 0, estimate, &values, &format!("{what} link contrast {i}"));
                    // The interval of a level is that of its link.
                    let mean = |eta: f64| got.fit().link().expect("a link").mean(eta);
                    close(levels.conf_low[i], mean(number(&values["conf_low"])), 1e-9, &what);
                    close(levels.conf_high[i], mean(number(&values["conf_high"])), 1e-9, &what);
                    close(levels.estimate[i], numbers(&want["means"]["levels"])[i], 1e-9, &what);
                    seen += 1;
                }
            }
            if let Some(values) = want["means"]["vcov"].get(kind.name()) {
                let found = both(&means, kind).comparisons;
                let estimate = number(&want["means"]["estimate"]);
                row_is(&found, 0, estimate, &row(values, 0), &format!("{what} at the means"));
                seen += 1;
            }
            if let Some(values) = want["observed"]["vcov"].get(kind.name()) {
                let got = got.as_ref().expect("a covariance");
                let estimate = numbers(&want["observed"]["estimate"]);
                let found = both(&all, kind);
                let gradients =
                    got.contrasts(matrix(&want["observed"]["gradient"]).view(), 0.95).expect("contrasts");
                for i in 0..3 {
                    let (table, at) = if i < 2 { (&found.levels, i) } else { (&found.comparisons, 0) };
                    let values = row(values, i);
                    row_is(table, at, estimate[i], &values, &format!("{what} observed {i}"));
                    // The estimate of the gradient as a contrast is another number; its spread is the same.
                    close(
                        gradients.std_error[i],
                        number(&values["se"]),
                        1e-9,
                        &format!("{what} gradient {i}"),
                    );
                    degrees_are(gradients.df[i], &values["df"], &format!("{what} gradient {i}"));
                    seen += 1;
                }
            }
        }
    }
    seen
}

/// With the outcome flipped the coefficients change their signs, and nothing else does.
pub fn a_flip_changes_signs(family: Family, cases: &[Case]) {
    for case in cases {
        let flipped = Case {
            name: case.name.clone(),
            y: case.y.mapv(|y| 1.0 - y),
            x: case.x.clone(),
            terms: case.terms.clone(),
            clusters: case.clusters.clone(),
            penalty: case.penalty,
            reference: Value::Null,
        };
        let (one, other) = (case.fit(family), flipped.fit(family));
        let kind = if case.clusters.is_some() { Vcov::Cr2 } else { Vcov::Hc3 };
        let [a, b] = [&one, &other].map(|fit| fit.vcov(kind, case.clusters.as_ref()).expect("a covariance"));
        for j in 0..one.coef().len() {
            let se = a.matrix()[(j, j)].sqrt();
            close_to(other.coef()[j], -one.coef()[j], 1e-10, se, &case.name);
            close(b.matrix()[(j, j)].sqrt(), se, 1e-9, &case.name);
            close_to(b.df().expect("df")[j], a.df().expect("df")[j], 1e-8, 0.0, &case.name);
        }
    }
}

//! Survival against R's survival package (tests/reference/survival.R).

mod common;

use std::collections::HashMap;

use common::{close, close_to, expected, number, numbers, read};
use crewe::inference::{Clusters, Contrasts, Covariance, Vcov};
use crewe::survival::{
    Cox, CoxFit, Interval, Options, RmstOptions, Surv, Ties, Transform, kaplan_meier, logrank, rmst,
};
use crewe::{Error, Result};
use ndarray::{Array2, ArrayView2, array};
use proptest::prelude::*;
use serde_json::Value;

const COEFFICIENTS: f64 = 1e-8;
const LIKELIHOOD: f64 = 1e-10;
const CURVES: f64 = 1e-9;

type Frame = HashMap<String, Vec<String>>;

/// The rows of a committed csv without missing values in `used`.
fn frame(path: &str, used: &[String]) -> Frame {
    let text = read(path);
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut frame: Frame = names.iter().map(|n| ((*n).to_owned(), vec![])).collect();
    for line in lines {
        let values: HashMap<&str, &str> = names.iter().copied().zip(line.split(',')).collect();
        if used.iter().all(|name| !values[name.as_str()].is_empty()) {
            for (name, value) in values {
                frame.get_mut(name).unwrap().push(value.to_owned());
            }
        }
    }
    frame
}

fn numeric(frame: &Frame, name: &str) -> Vec<f64> {
    frame[name].iter().map(|v| v.parse().unwrap()).collect()
}

fn codes(frame: &Frame, name: &str) -> (Vec<u32>, Vec<String>) {
    let mut levels = frame[name].clone();
    levels.sort();
    levels.dedup();
    (frame[name].iter().map(|v| levels.binary_search(v).unwrap() as u32).collect(), levels)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

struct Case {
    name: String,
    reference: Value,
    time: Vec<f64>,
    event: Vec<f64>,
    weights: Option<Vec<f64>>,
    x: Array2<f64>,
    names: Vec<String>,
    terms: Vec<Vec<usize>>,
    strata: Option<Vec<u32>>,
    clusters: Option<Clusters>,
}

impl Case {
    fn new(reference: &Value) -> Self {
        let terms: Vec<Vec<String>> = serde_json::from_value(reference["terms"].clone()).unwrap();
        let recipes: Vec<String> = terms.concat();
        let [time, event, strata, cluster, weights] =
            ["time", "event", "strata", "cluster", "weights"].map(|key| text(&reference[key]));
        let mut used: Vec<String> = recipes.iter().map(|r| r.split('=').next().unwrap().to_owned()).collect();
        used.extend([&time, &event, &strata, &weights].into_iter().flatten().cloned());
        used.extend(cluster.iter().filter(|c| *c != "row").cloned());
        let frame = frame(reference["csv"].as_str().unwrap(), &used);
        let n = frame[time.as_ref().unwrap()].len();
        let mut x = Array2::zeros((n, recipes.len()));
        for (j, recipe) in recipes.iter().enumerate() {
            let column: Vec<f64> = match recipe.split_once('=') {
                None => numeric(&frame, recipe),
                Some((name, level)) => frame[name].iter().map(|v| f64::from(u8::from(v == level))).collect(),
            };
            x.column_mut(j).assign(&ndarray::Array1::from(column));
        }
        let mut next = 0;
        let terms = terms
            .iter()
            .map(|term| {
                next += term.len();
                (next - term.len()..next).collect()
            })
            .collect();
        let clusters = cluster.map(|name| match name.as_str() {
            "row" => Clusters::singletons(n).unwrap(),
            name => Clusters::new(&codes(&frame, name).0).unwrap(),
        });
        Self {
            name: reference["name"].as_str().unwrap().to_owned(),
            reference: reference.clone(),
            time: numeric(&frame, &time.unwrap()),
            event: numeric(&frame, &event.unwrap()),
            weights: weights.map(|name| numeric(&frame, &name)),
            x,
            names: recipes,
            terms,
            strata: strata.map(|name| codes(&frame, &name).0),
            clusters,
        }
    }

    fn fit(&self) -> Result<CoxFit> {
        let ties = if self.reference["ties"] == "efron" { Ties::Efron } else { Ties::Breslow };
        Cox::new(Surv::new(&self.time, &self.event).weights(self.weights.as_deref()), self.x.view())
            .named(self.names.clone())
            .ties(ties)
            .strata(self.strata.as_deref())
            .fit()
    }

    /// Robust where the case has clusters.
    fn vcov<'f>(&self, fit: &'f CoxFit) -> Covariance<'f> {
        let kind = if self.clusters.is_some() { Vcov::Cr0 } else { Vcov::Iid };
        fit.vcov(kind, self.clusters.as_ref()).unwrap()
    }
}

fn cases() -> Vec<Case> {
    expected("survival")["cox"].as_array().unwrap().iter().map(Case::new).collect()
}

#[track_caller]
fn all_close(got: &[f64], want: &Value, tolerance: f64, what: &str) {
    let want = numbers(want);
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    for (i, (&got, &want)) in got.iter().zip(&want).enumerate() {
        if want.is_nan() {
            assert!(got.is_nan(), "{what}[{i}]: got {got}, want none");
        } else {
            close_to(got, want, tolerance, 1e-6, &format!("{what}[{i}]"));
        }
    }
}

#[test]
fn cox_coefficients_errors_and_tests() {
    for case in cases() {
        let (fit, want, name) = (case.fit().unwrap(), &case.reference, &case.name);
        assert_eq!(fit.n as f64, number(&want["n"]), "{name}: rows after dropping {}", want["dropped"]);
        assert_eq!(fit.events as f64, number(&want["events"]), "{name}");
        all_close(&fit.coef, &want["coef"], COEFFICIENTS, &format!("{name} coef"));
        let cov = case.vcov(&fit);
        let table = cov.coefficients(0.95).unwrap();
        all_close(&table.std_error, &want["se"], COEFFICIENTS, &format!("{name} se"));
        let naive = fit.vcov(Vcov::Iid, None).unwrap().coefficients(0.95).unwrap().std_error;
        all_close(&naive, &want["naive_se"], COEFFICIENTS, &format!("{name} naive se"));
        all_close(&[fit.loglik_null, fit.loglik], &want["loglik"], LIKELIHOOD, &format!("{name} loglik"));
        close(fit.score.statistic, number(&want["score"]), COEFFICIENTS, &format!("{name} score test"));
        close(
            fit.wald(&cov).unwrap().statistic,
            number(&want["wald"]),
            COEFFICIENTS,
            &format!("{name} Wald test"),
        );
        close(fit.likelihood_ratio.p_value, number(&want["lr_p"]), COEFFICIENTS, &format!("{name} LR p"));
        for (got, want) in table.p_value.iter().zip(numbers(&want["p"])) {
            close(*got, want, COEFFICIENTS, &format!("{name} p"));
        }
        match (case.clusters.as_ref().map(|clusters| fit.robust_score(clusters).unwrap()), &want["rscore"]) {
            (None, Value::Null) => {}
            (Some(test), want) => {
                close(test.statistic, number(want), COEFFICIENTS, &format!("{name} robust score"));
            }
            (None, want) => panic!("{name}: no robust score test where R has {want}"),
        }
    }
}

#[test]
fn cox_residuals() {
    let mut seen = 0;
    for case in cases().iter().filter(|case| !case.reference["martingale"].is_null()) {
        let fit = case.fit().unwrap();
        all_close(
            &fit.martingale_residuals().unwrap(),
            &case.reference["martingale"],
            COEFFICIENTS,
            &case.name,
        );
        let score = fit.score_residuals().unwrap();
        for (row, want) in score.outer_iter().zip(case.reference["score_residuals"].as_array().unwrap()) {
            for (got, want) in row.iter().zip(numbers(want)) {
                close_to(*got, want, COEFFICIENTS, 1e-3, &format!("{} score residual", case.name));
            }
        }
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} cases have residuals");
}

#[test]
fn proportional_hazards() {
    let mut seen = 0;
    for case in cases().iter().filter(|case| !case.reference["zph"].is_null()) {
        let fit = case.fit().unwrap();
        for transform in ["km", "rank", "identity", "log"] {
            let want = &case.reference["zph"][transform];
            let kind = transform.parse::<Transform>().unwrap();
            let what = format!("{} zph {transform}", case.name);
            let zph = fit.zph(kind, &case.terms).unwrap();
            let tests: Vec<_> = zph.terms.iter().chain([&zph.global]).collect();
            all_close(
                &tests.iter().map(|t| t.statistic).collect::<Vec<_>>(),
                &want["chisq"],
                COEFFICIENTS,
                &what,
            );
            all_close(&tests.iter().map(|t| t.df).collect::<Vec<_>>(), &want["df"], 0.0, &what);
            for (test, want) in tests.iter().zip(numbers(&want["p"])) {
                close(test.p_value, want, COEFFICIENTS, &what);
            }
            let columns = fit.zph(kind, &[]).unwrap();
            let tests: Vec<f64> =
                columns.terms.iter().chain([&columns.global]).map(|t| t.statistic).collect();
            all_close(&tests, &want["columns"], COEFFICIENTS, &what);
            seen += 1;
        }
        if case.strata.is_none() {
            let want = &case.reference["schoenfeld"];
            let zph = fit.zph(Transform::KaplanMeier, &[]).unwrap();
            all_close(&zph.time, &want["time"], CURVES, &case.name);
            all_close(&zph.transformed, &want["x"], CURVES, &case.name);
            // Rows of one time have no order of their own: only first times with a single event are compared.
            for (i, want) in want["first"].as_array().unwrap().iter().enumerate() {
                if zph.time.iter().filter(|&&t| t == zph.time[i]).count() == 1 {
                    for (got, want) in zph.scaled_schoenfeld.row(i).iter().zip(numbers(want)) {
                        close_to(*got, want, 1e-7, 1e-3, &format!("{} scaled Schoenfeld", case.name));
                    }
                }
            }
        }
    }
    assert!(seen >= 80, "only {seen} tests were compared");
}

#[test]
fn baseline_hazard_and_curves() {
    for case in cases() {
        let (fit, name) = (case.fit().unwrap(), &case.name);
        let base = fit.baseline(false).unwrap();
        let time: Vec<f64> = base.iter().flat_map(|b| b.time.clone()).collect();
        let hazard: Vec<f64> = base.iter().flat_map(|b| b.hazard.clone()).collect();
        all_close(&time, &case.reference["baseline"]["time"], CURVES, &format!("{name} times"));
        all_close(&hazard, &case.reference["baseline"]["hazard"], COEFFICIENTS, &format!("{name} hazard"));
        let want = &case.reference["curve"];
        if want.is_null() {
            continue;
        }
        let x = case.x.row(1).to_vec();
        for (interval, key) in
            [(Interval::Log, "log"), (Interval::LogLog, "loglog"), (Interval::Plain, "plain")]
        {
            let options = Options::default().interval(interval).level(0.95);
            let curve = fit.survival_curve(&case.vcov(&fit), &x, 0, options).unwrap();
            let what = format!("{name} curve {key}");
            all_close(&curve.time, &want["time"], CURVES, &what);
            all_close(&curve.survival, &want["survival"], COEFFICIENTS, &what);
            let se: Vec<f64> = curve.std_error.iter().zip(&curve.survival).map(|(se, s)| se / s).collect();
            all_close(&se, &want["std_log"], COEFFICIENTS, &what);
            all_close(&curve.conf_low, &want[key]["low"], COEFFICIENTS, &what);
            all_close(&curve.conf_high, &want[key]["high"], COEFFICIENTS, &what);
        }
    }
}

fn set_column(x: ArrayView2<'_, f64>, j: usize, value: f64) -> Array2<f64> {
    let mut out = x.to_owned();
    out.column_mut(j).fill(value);
    out
}

#[test]
fn adjusted_curves_average_over_rows() {
    let mut seen = 0;
    for case in cases().iter().filter(|case| !case.reference["adjusted"].is_null()) {
        let fit = case.fit().unwrap();
        let want = &case.reference["adjusted"];
        let settings = [0.0, 1.0].map(|value| set_column(case.x.view(), 0, value));
        let views: Vec<_> = settings.iter().map(|x| x.view()).collect();
        let got = fit
            .adjusted_curves(&case.vcov(&fit), &views, &numbers(&want["time"]), Options::default())
            .unwrap();
        for (curve, want) in got.curves.iter().zip(want["settings"].as_array().unwrap()) {
            all_close(&curve.survival, want, COEFFICIENTS, &case.name);
        }
        assert_eq!(got.differences.len(), 1);
        seen += 1;
    }
    assert_eq!(seen, 2);
}

/// The robust standard error of an adjusted curve is the length of its derivatives by the weights of the rows.
#[test]
fn adjusted_curves_have_infinitesimal_jackknife_errors() {
    for name in ["veteran efron", "veteran breslow", "veteran strata efron"] {
        let mut case = cases().into_iter().find(|case| case.name == name).unwrap();
        let n = case.time.len();
        case.clusters = Some(Clusters::singletons(n).unwrap());
        let at = 90.0;
        let setting = set_column(case.x.view(), 0, 1.0);
        let fit = case.fit().unwrap();
        let cov = case.vcov(&fit);
        let robust = fit.adjusted_curves(&cov, &[setting.view()], &[at], Options::default()).unwrap();
        case.clusters = None;
        // The average itself keeps equal weights: only the fit moves.
        let value = |case: &Case| {
            let fit = case.fit().unwrap();
            let base = fit.baseline(false).unwrap();
            let hazard = |s: usize| {
                let k = base[s].time.partition_point(|&t| t <= at);
                base[s].hazard[k - 1]
            };
            let total: f64 = (0..n)
                .map(|i| {
                    let s = case.strata.as_ref().map_or(0, |codes| codes[i] as usize);
                    let linear: f64 = setting.row(i).iter().zip(&fit.coef).map(|(x, b)| x * b).sum();
                    (-hazard(s) * linear.exp()).exp()
                })
                .sum();
            total / n as f64
        };
        let step = 1e-4;
        let mut squares = 0.0;
        for i in 0..n {
            let mut weights = vec![1.0; n];
            weights[i] = 1.0 + step;
            case.weights = Some(weights.clone());
            let up = value(&case);
            weights[i] = 1.0 - step;
            case.weights = Some(weights);
            squares += ((up - value(&case)) / (2.0 * step)).powi(2);
        }
        close(robust.curves[0].std_error[0], squares.sqrt(), 1e-6, name);
    }
}

#[test]
fn kaplan_meier_curves_intervals_and_quantiles() {
    for case in expected("survival")["km"].as_array().unwrap() {
        let [time, event, group] = ["time", "event", "group"].map(|key| text(&case[key]).unwrap());
        let weights = text(&case["weights"]);
        let mut used = vec![time.clone(), event.clone(), group.clone()];
        used.extend(weights.clone());
        let frame = frame(case["csv"].as_str().unwrap(), &used);
        let (times, events) = (numeric(&frame, &time), numeric(&frame, &event));
        let weights = weights.map(|name| numeric(&frame, &name));
        let (groups, levels) = codes(&frame, &group);
        for (interval, key) in
            [(Interval::LogLog, "loglog"), (Interval::Log, "log"), (Interval::Plain, "plain")]
        {
            let surv = Surv::new(&times, &events).weights(weights.as_deref());
            let curves =
                kaplan_meier(&surv, Some(&groups), Options::default().interval(interval).level(0.95))
                    .unwrap();
            for ((curve, want), level) in curves.iter().zip(case["groups"].as_array().unwrap()).zip(&levels) {
                let what = format!("{} {level} {key}", case["name"]);
                assert_eq!(want["level"], *level);
                all_close(&curve.time, &want["time"], CURVES, &what);
                all_close(&curve.at_risk, &want["at_risk"], CURVES, &what);
                all_close(&curve.events, &want["events"], CURVES, &what);
                all_close(&curve.censored, &want["censored"], CURVES, &what);
                all_close(&curve.survival, &want["survival"], CURVES, &what);
                all_close(&curve.std_error, &want["std_error"], CURVES, &what);
                all_close(&curve.conf_low, &want["limits"][key]["low"], CURVES, &what);
                all_close(&curve.conf_high, &want["limits"][key]["high"], CURVES, &what);
                all_close(&curve.at_risk_at(&numbers(&case["at"])), &want["risk_at"], CURVES, &what);
                let quantiles = [0.25, 0.5, 0.75].map(|p| curve.quantile(p));
                let want = &want["quantiles"][key];
                all_close(&quantiles.map(|q| q.estimate), &want["estimate"], CURVES, &what);
                all_close(&quantiles.map(|q| q.conf_low), &want["low"], CURVES, &what);
                all_close(&quantiles.map(|q| q.conf_high), &want["high"], CURVES, &what);
            }
        }
    }
}

#[test]
fn log_rank() {
    for case in expected("survival")["logrank"].as_array().unwrap() {
        let [time, event, group] = ["time", "event", "group"].map(|key| text(&case[key]).unwrap());
        let strata = text(&case["strata"]);
        let mut used = vec![time.clone(), event.clone(), group.clone()];
        used.extend(strata.clone());
        let frame = frame(case["csv"].as_str().unwrap(), &used);
        let (times, events) = (numeric(&frame, &time), numeric(&frame, &event));
        let (groups, levels) = codes(&frame, &group);
        let strata = strata.map(|name| codes(&frame, &name).0);
        let test = logrank(&Surv::new(&times, &events), &groups, &levels, strata.as_deref()).unwrap();
        let what = case["name"].as_str().unwrap();
        all_close(&test.observed, &case["observed"], CURVES, what);
        all_close(&test.expected, &case["expected"], CURVES, what);
        let n: Vec<f64> = test.n.iter().map(|&n| n as f64).collect();
        all_close(&n, &case["n"], 0.0, what);
        for (row, want) in test.variance.outer_iter().zip(case["variance"].as_array().unwrap()) {
            all_close(&row.to_vec(), want, CURVES, what);
        }
        close(test.statistic, number(&case["statistic"]), CURVES, what);
        assert_eq!(test.df as f64, number(&case["df"]));
        close(test.p_value, number(&case["p"]), COEFFICIENTS, what);
    }
}

#[test]
fn row_3_8_groups_nested_in_strata_are_compared_within_their_parts() {
    let time = [1., 2., 3., 4., 5., 1., 2.];
    let surv = Surv::new(&time, &[1.0; 7]);
    let groups = [1, 0, 0, 0, 0, 2, 2];
    let strata = [0, 0, 0, 0, 0, 1, 1];
    let test = logrank(&surv, &groups, &["a", "b", "c"], Some(&strata)).unwrap();
    assert_eq!(test.df, 1);
    assert!((test.statistic - 4.0).abs() < 1e-14);
    assert!((test.p_value - 0.045_500_263_896_358_4).abs() < 1e-12);
    assert_eq!(
        test.notes,
        [
            "the groups fall into 2 parts that are never at risk together at an event, and are compared only within \
          them: 'a', 'b'; 'c' alone"
        ]
    );
    // What cannot be compared at all is refused, as are thousands of groups.
    let alone = logrank(&surv, &[0, 0, 0, 0, 0, 1, 1], &["a", "c"], Some(&strata)).unwrap_err();
    assert!(alone.to_string().contains("never at risk at the same time"), "{alone}");
    let many: Vec<String> = (0..5001).map(|g| g.to_string()).collect();
    assert!(logrank(&surv, &groups, &many, None).unwrap_err().to_string().contains("out of reach"));
}

#[test]
fn row_8_3_a_missing_or_sparse_code_is_refused_before_anything_is_laid_out() {
    let surv = Surv::new(&[1.0, 2.0, 3.0], &[1.0, 1.0, 0.0]);
    let options = Options::default;
    let message = |codes: &[u32]| kaplan_meier(&surv, Some(codes), options()).unwrap_err().to_string();
    assert!(message(&[0, 1, u32::MAX]).contains("missing in 1 of 3 rows (row 2)"));
    assert!(message(&[0, 2, 2]).contains("belong to no row (seen: 1)"));
    assert!(message(&[0, 1, 3_000_000_000]).contains("not below 3"));
    assert!(message(&[0, 1]).contains("2 codes of strata or groups for 3 rows"));
    let strata = logrank(&surv, &[0, 1, 1], &["a", "b"], Some(&[0, 0, u32::MAX])).unwrap_err().to_string();
    assert!(strata.contains("missing in 1 of 3 rows"), "{strata}");
    assert!(logrank(&surv, &[0, 1, u32::MAX], &["a", "b"], None).is_err());
    assert!(
        Clusters::new(&[0, u32::MAX]).unwrap_err().to_string().contains("the cluster is missing in 1 of 2")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// With every group in one stratum only, the test adds up the tests of the strata; a stratum in which nothing is
    /// compared adds nothing.
    #[test]
    fn row_3_8_nested_groups_add_up_the_tests_of_the_strata(
        rows in prop::collection::vec((0_u32..3, 0_u32..3, 1_u32..12, 0_u32..4), 4..60),
        unit in prop::sample::select(vec![1e-9, 0.1, 1.0, 1e9]),
    ) {
        let time: Vec<f64> = rows.iter().map(|row| f64::from(row.2) * unit).collect();
        let event: Vec<f64> = rows.iter().map(|row| f64::from(row.3 > 0)).collect();
        let mut used: Vec<u32> = rows.iter().map(|row| row.0).collect();
        used.sort_unstable();
        used.dedup();
        let strata: Vec<u32> = rows.iter().map(|row| used.partition_point(|&s| s < row.0) as u32).collect();
        let groups: Vec<u32> = rows.iter().map(|row| 3 * row.0 + row.1).collect();
        let labels: Vec<String> = (0..9).map(|g| g.to_string()).collect();
        let (mut statistic, mut df) = (0.0, 0);
        for stratum in 0..3 {
            let kept: Vec<usize> = (0..rows.len()).filter(|&i| strata[i] == stratum).collect();
            let pick = |column: &[f64]| kept.iter().map(|&i| column[i]).collect::<Vec<_>>();
            let (time, event) = (pick(&time), pick(&event));
            let inside: Vec<u32> = kept.iter().map(|&i| groups[i]).collect();
            if let Ok(part) = logrank(&Surv::new(&time, &event), &inside, &labels, None) {
                statistic += part.statistic;
                df += part.df;
            }
        }
        let found = logrank(&Surv::new(&time, &event), &groups, &labels, Some(&strata));
        prop_assert_eq!(found.as_ref().map_or(0, |test| test.df), df);
        if let Ok(test) = found {
            prop_assert!((test.statistic - statistic).abs() <= 1e-9 * (1.0 + statistic));
            let parts = test.n.iter().filter(|&&n| n > 0).count() - df;
            prop_assert_eq!(test.notes.iter().any(|note| note.contains("compared only within")), parts > 1);
        }
    }
}

fn fault(result: Result<CoxFit>) -> Error {
    result.expect_err("the fit is refused")
}

#[test]
fn monotone_likelihood_is_named() {
    let time = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let event = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let x = array![[0.0], [0.0], [1.0], [0.0], [1.0], [1.0], [1.0], [0.0]];
    let fit = |x: ArrayView2<'_, f64>, names: &[&str]| {
        Cox::new(Surv::new(&time, &event), x).named(names.iter().copied()).fit()
    };
    let error = fault(fit(x.view(), &["arm"]));
    assert!(matches!(error, Error::Separation(_)), "{error}");
    assert!(error.to_string().contains("no row with 'arm' = 1 has an event"), "{error}");
    // a - b falls with time, so it orders the events; neither a nor b does.
    let a = [3.0, -1.0, 2.0, 4.0, -3.0, 0.5, 1.0, -2.0];
    let mixed = Array2::from_shape_fn((8, 2), |(i, j)| if j == 0 { a[i] } else { a[i] + time[i] - 9.0 });
    let error = fault(fit(mixed.view(), &["a", "b"]));
    assert!(matches!(error, Error::Separation(_)), "{error}");
    assert_eq!(error.fault().unwrap().values.len(), 2, "{error}");
}

#[test]
fn collinear_and_constant_columns_are_named() {
    let case = cases().remove(0);
    let n = case.time.len();
    let build = |extra: Vec<f64>| {
        let mut x = Array2::zeros((n, 4));
        for j in 0..3 {
            x.column_mut(j).assign(&case.x.column(j));
        }
        x.column_mut(3).assign(&ndarray::Array1::from(extra));
        Cox::new(Surv::new(&case.time, &case.event), x.view()).named(["fin", "age", "race", "extra"]).fit()
    };
    let error = fault(build((0..n).map(|i| 2.0 * case.x[(i, 0)] - case.x[(i, 1)] + 7.0).collect()));
    assert!(matches!(error, Error::Rank(_)), "{error}");
    assert!(error.to_string().contains("'extra' repeats what 'fin', 'age'"), "{error}");
    let error = fault(build(vec![0.1; n]));
    assert!(matches!(error, Error::Rank(_)), "{error}");
    assert!(error.to_string().contains("'extra' has the same value in every row"), "{error}");
}

#[test]
fn few_clusters_are_noted() {
    let case = cases().into_iter().find(|case| case.name == "lung inst efron").unwrap();
    let fit = case.fit().unwrap();
    let notes = case.vcov(&fit).notes().join(" ");
    assert!(
        notes.contains("18 clusters") && notes.contains("jackknife") && !notes.contains("randomisation"),
        "{notes}"
    );
}

fn permuted(case: &Case, order: &[usize]) -> Case {
    let pick = |values: &[f64]| order.iter().map(|&i| values[i]).collect::<Vec<_>>();
    let codes = |codes: &[u32]| order.iter().map(|&i| codes[i]).collect::<Vec<_>>();
    Case {
        name: case.name.clone(),
        reference: case.reference.clone(),
        time: pick(&case.time),
        event: pick(&case.event),
        weights: case.weights.as_deref().map(pick),
        x: Array2::from_shape_fn(case.x.dim(), |(i, j)| case.x[(order[i], j)]),
        names: case.names.clone(),
        terms: case.terms.clone(),
        strata: case.strata.as_deref().map(codes),
        clusters: case.clusters.as_ref().map(|c| Clusters::new(&codes(c.codes())).unwrap()),
    }
}

/// Restricted means against survRM2 and against the influences by plain loops (tests/reference/rmst.R).
#[test]
fn restricted_means() {
    let reference = expected("rmst");
    let plain = reference["plain"].as_array().unwrap();
    for case in plain.iter().chain(reference["clustered"].as_array().unwrap()) {
        let csv = case["data"].as_str().unwrap();
        let word = |key: &str| text(&case[key]).unwrap_or_default();
        let mut used = vec![word("time"), word("event")];
        used.extend(text(&case["cluster"]).filter(|name| name == "inst"));
        let rows = frame(&format!("data/{csv}.csv"), &used);
        let (time, event) = (numeric(&rows, &used[0]), numeric(&rows, &used[1]));
        let treated = |row: usize| match csv {
            "veteran" => rows["trt"][row] == "2",
            "rossi" => rows["fin"][row] == "yes",
            "lung" => rows["sex"][row] == "2",
            _ => rows["rx"][row] == "1",
        };
        let arm: Vec<u32> = (0..time.len()).map(|row| u32::from(treated(row))).collect();
        let weights = text(&case["weights"]).map(|name| numeric(&rows, &name));
        let codes: Option<Vec<u32>> = text(&case["cluster"]).map(|name| match name.as_str() {
            "row" => (0..time.len() as u32).collect(),
            "three" => {
                let mut seen = [0, 0];
                let mut next = |arm: u32| {
                    seen[arm as usize] += 1;
                    1_000 * arm + (seen[arm as usize] - 1) / 3
                };
                arm.iter().map(|&arm| next(arm)).collect()
            }
            name => codes(&rows, name).0,
        });
        let clusters = codes.map(|codes| Clusters::new(&codes).unwrap());
        let surv = Surv::new(&time, &event).weights(weights.as_deref());
        let options = RmstOptions::default().horizon(number(&case["horizon"]));
        let found = rmst(&surv, Some(&arm), &["0", "1"], clusters.as_ref(), options).unwrap();
        let place = format!("{csv} {}", word("name"));
        for (a, b) in found.means.estimate.iter().zip(numbers(&case["mean"])) {
            close(*a, b, CURVES, &place);
        }
        for (a, b) in found.means.std_error.iter().zip(numbers(&case["se"])) {
            close(*a, b, CURVES, &place);
        }
        let exp =
            |table: &Contrasts| [table.estimate[0], table.conf_low[0], table.conf_high[0]].map(f64::exp);
        let of = |table: &Contrasts| [table.estimate[0], table.conf_low[0], table.conf_high[0]];
        for (ours, table, key) in [
            (of(&found.differences), &found.differences, "difference"),
            (exp(&found.ratios), &found.ratios, "ratio"),
        ] {
            let mut theirs = numbers(&case[key]);
            if theirs.len() == 5 {
                close(table.std_error[0], theirs.remove(1), COEFFICIENTS, &place);
            }
            for (a, b) in [ours[0], ours[1], ours[2], table.p_value[0]].iter().zip(theirs) {
                close(*a, b, COEFFICIENTS, &place);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// The order of rows, tied ones above all, changes nothing: three Python packages fail this.
    #[test]
    fn row_order_does_not_matter(seed in any::<u64>(), which in 0..24_usize) {
        let case = cases().remove(which);
        let mut order: Vec<usize> = (0..case.time.len()).collect();
        let mut stream = crewe::rng::Stream::new::<&str>(&crewe::rng::Seed::Integer(seed), "test", &[], 0);
        stream.shuffle(&mut order);
        let other = permuted(&case, &order);
        let (one, two) = (case.fit().unwrap(), other.fit().unwrap());
        for (a, b) in one.coef.iter().zip(&two.coef) {
            close_to(*a, *b, 1e-12, 1e-3, "coef");
        }
        let errors = |case: &Case, fit: &CoxFit| case.vcov(fit).coefficients(0.9).unwrap().std_error;
        for (a, b) in errors(&case, &one).iter().zip(&errors(&other, &two)) {
            close(*a, *b, 1e-12, "se");
        }
        close(one.loglik, two.loglik, 1e-12, "loglik");
    }

    /// Moving and stretching columns and time leaves the likelihood and rescales the coefficients.
    #[test]
    fn scale_does_not_matter(shift in -1e3..1e3_f64, factor in 1e-3..1e3_f64, which in 0..24_usize) {
        let case = cases().remove(which);
        let mut moved = permuted(&case, &(0..case.time.len()).collect::<Vec<_>>());
        moved.x.mapv_inplace(|value| factor * value + shift);
        moved.time.iter_mut().for_each(|t| *t *= 8.0);
        let (one, two) = (case.fit().unwrap(), moved.fit().unwrap());
        close(one.loglik, two.loglik, 1e-11, "loglik");
        let z = |case: &Case, fit: &CoxFit| case.vcov(fit).coefficients(0.9).unwrap().statistic;
        for (a, b) in z(&case, &one).iter().zip(&z(&moved, &two)) {
            close_to(*a, *b, 1e-8, 1e-2, "z");
        }
    }
}

/// Twice the rows at twice the times' resolution: no ties, so Efron and Breslow agree.
#[test]
fn ties_methods_agree_without_ties() {
    let case = cases().into_iter().find(|case| case.name == "veteran efron").unwrap();
    let time: Vec<f64> = case.time.iter().enumerate().map(|(i, t)| t + 1e-3 * i as f64).collect();
    let fit = |ties| Cox::new(Surv::new(&time, &case.event), case.x.view()).ties(ties).fit().unwrap();
    let (efron, breslow) = (fit(Ties::Efron), fit(Ties::Breslow));
    for (a, b) in efron.coef.iter().zip(&breslow.coef) {
        close(*a, *b, 1e-12, "coef");
    }
}

//! What the reference tests share: the committed JSON, and comparison to a relative tolerance.
#![allow(dead_code)]

pub mod binary;

use std::collections::HashMap;

use crewe::inference::{Clusters, Compare, Contrasts, Covariance, Setting};
use ndarray::{Array1, Array2};
use serde_json::Value;

/// A file below `tests/reference`.
pub fn read(path: &str) -> String {
    let full = format!("{}/tests/reference/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&full).unwrap_or_else(|error| panic!("{full}: {error}"))
}

/// The reference values of a topic.
pub fn expected(topic: &str) -> Value {
    serde_json::from_str(&read(&format!("expected/{topic}.json"))).expect("the committed JSON is valid")
}

/// A list of numbers; R's missing and infinite values come as text or null.
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

/// A number; R's missing and infinite values come as text or null.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::Number(n) => n.as_f64().expect("a double"),
        Value::String(s) if s == "Inf" => f64::INFINITY,
        Value::String(s) if s == "-Inf" => f64::NEG_INFINITY,
        _ => f64::NAN,
    }
}

/// Fails unless `got` is within `tolerance` of `want`, relative to `want` or to `scale` where that is larger.
#[track_caller]
pub fn close_to(got: f64, want: f64, tolerance: f64, scale: f64, what: &str) {
    let error = (got - want).abs() / want.abs().max(scale);
    assert!(
        error <= tolerance || got == want,
        "{what}: got {got:e}, want {want:e}, relative error {error:.1e}"
    );
}

/// Fails unless `got` is within the relative `tolerance` of `want`.
#[track_caller]
pub fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    close_to(got, want, tolerance, f64::MIN_POSITIVE, what);
}

/// The columns of numbers of a data set: those of its `csv` file and of its `columns`.
pub fn columns(data: &Value) -> HashMap<String, Vec<f64>> {
    let mut columns: HashMap<String, Vec<f64>> = HashMap::new();
    if let Some(path) = data["csv"].as_str() {
        let text = read(path.trim_start_matches("tests/reference/"));
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
        for line in lines {
            for (name, value) in names.iter().zip(line.split(',')) {
                columns.entry((*name).to_owned()).or_default().push(value.parse().expect("a number"));
            }
        }
    }
    for (name, values) in data["columns"].as_object().into_iter().flatten() {
        if values[0].is_number() {
            columns.insert(name.clone(), numbers(values));
        }
    }
    columns
}

/// A list of names; one that stands alone is text.
pub fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(names) => names.iter().map(|name| name.as_str().expect("a name")).collect(),
        one => vec![one.as_str().expect("a name")],
    }
}

/// A list of rows.
pub fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().expect("a list of rows").iter().map(numbers).collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(a, b)| rows[a][b])
}

/// Columns side by side.
pub fn side_by_side(columns: &HashMap<String, Vec<f64>>, names: &[&str]) -> Array2<f64> {
    Array2::from_shape_fn((columns[names[0]].len(), names.len()), |(i, j)| columns[names[j]][i])
}

/// Clusters from whole numbers.
pub fn clusters(ids: &[f64]) -> Clusters {
    Clusters::new(&ids.iter().map(|&id| id as u32).collect::<Vec<_>>()).expect("clusters")
}

/// Fails unless row `i` of a table is what the reference has: its estimate, and `se df p` with their limits. Degrees of
/// freedom that are null are the normal's.
#[track_caller]
pub fn row_is(got: &Contrasts, i: usize, estimate: f64, want: &Value, what: &str) {
    let se = number(&want["se"]);
    close_to(got.estimate[i], estimate, 1e-9, se, &format!("{what} estimate"));
    close(got.std_error[i], se, 1e-9, &format!("{what} se"));
    degrees_are(got.df[i], &want["df"], what);
    close_to(got.p_value[i], number(&want["p"]), 1e-8, 1e-290, &format!("{what} p"));
    close_to(got.conf_low[i], number(&want["conf_low"]), 1e-9, se, &format!("{what} low"));
    close_to(got.conf_high[i], number(&want["conf_high"]), 1e-9, se, &format!("{what} high"));
}

/// Fails unless these are the degrees of freedom; null is infinite.
#[track_caller]
pub fn degrees_are(got: f64, want: &Value, what: &str) {
    match want.as_f64() {
        Some(want) => close(got, want, 1e-8, &format!("{what} df")),
        None => assert!(got.is_infinite(), "{what}: df {got}, want those of the normal"),
    }
}

/// Fails unless a covariance is the reference's: `cov`, and for every coefficient `se df p conf_low conf_high`.
#[track_caller]
pub fn covariance_is(got: &Covariance<'_>, coef: &[f64], want: &Value, what: &str) {
    let se = numbers(&want["se"]);
    for ((a, b), &value) in matrix(&want["cov"]).indexed_iter() {
        close_to(got.matrix()[(a, b)], value, 1e-9, se[a] * se[b], &format!("{what} [{a},{b}]"));
    }
    let table = got.coefficients(0.95).unwrap_or_else(|error| panic!("{what}: {error}"));
    let units = got.contrasts(Array2::eye(se.len()).view(), 0.95).expect("every coefficient as a contrast");
    for j in 0..se.len() {
        let mut row = serde_json::Map::new();
        for name in ["se", "df", "p", "conf_low", "conf_high"] {
            // A column of nulls is written as one null.
            row.insert(name.to_owned(), want[name].get(j).cloned().unwrap_or(Value::Null));
        }
        let row = Value::Object(row);
        row_is(&table, j, coef[j], &row, &format!("{what} {j}"));
        row_is(&units, j, coef[j], &row, &format!("{what} contrast {j}"));
    }
}

/// Fails unless a joint test is the reference's.
#[track_caller]
pub fn joint_is(got: &Covariance<'_>, rows: &Value, want: &Value, what: &str) {
    let found = got.wald(matrix(rows).view()).unwrap_or_else(|error| panic!("{what}: {error}"));
    close(found.statistic, number(&want["statistic"]), 1e-8, what);
    degrees_are(found.df_denom, &want["df_denom"], what);
    close_to(found.p_value, number(&want["p"]), 1e-8, 1e-290, &format!("{what} p"));
}

/// Fails unless the margins of a binary column of the design are the reference's: its rows `level difference ratio
/// odds_ratio`, levels on the scale of the outcome and of the link, by each kind of covariance. `settings` are the rows
/// with the column at 0 and at 1, `weights` those of the average. Returns the number of values compared.
#[track_caller]
pub fn margins_are(
    got: &Covariance<'_>,
    settings: &[Array2<f64>; 2],
    weights: Option<&Array1<f64>>,
    rows: &Value,
    what: &str,
) -> usize {
    let asked = settings.each_ref().map(|rows| Setting::new(rows.view()).weights(weights.map(|w| w.view())));
    let kind = got.kind().name();
    // At one row the interval is that of the linear predictor, transformed: it stands in the row of the link.
    let transformed =
        settings[0].nrows() == 1 && got.fit().link().is_some_and(crewe::inference::Link::is_probability);
    let mut seen = 0;
    for row in rows.as_array().expect("a list of rows") {
        let Some(want) = row["vcov"].get(kind) else { continue };
        let (measure, label) =
            (row["measure"].as_str().expect("a measure"), row["label"].as_str().expect("a label"));
        let what = format!("{what} {kind} {measure} {label} {}", row["scale"]);
        let estimate = number(&row["estimate"]);
        let margins =
            |compare| got.margins(&asked, &[[1, 0]], compare, 0.95).unwrap_or_else(|e| panic!("{what}: {e}"));
        let at = usize::from(label == "1");
        match (measure, row["scale"].as_str()) {
            ("level", Some("response")) => {
                let levels = margins(Compare::Difference).levels;
                if transformed {
                    let se = number(&want["se"]);
                    close(levels.estimate[at], estimate, 1e-9, &what);
                    close(levels.std_error[at], se, 1e-9, &format!("{what} se"));
                    degrees_are(levels.df[at], &want["df"], &what);
                    close_to(levels.p_value[at], number(&want["p"]), 1e-8, 1e-290, &format!("{what} p"));
                } else {
                    row_is(&levels, at, estimate, want, &what);
                }
            }
            ("level", _) => {
                let levels = margins(Compare::Difference).levels;
                close(levels.estimate[at], number(&row["value"]), 1e-9, &what);
                close(levels.conf_low[at], number(&want["low"]), 1e-9, &format!("{what} low"));
                close(levels.conf_high[at], number(&want["high"]), 1e-9, &format!("{what} high"));
                let linear = got.predict(settings[at].view(), true, 0.95).expect("a linear predictor");
                row_is(&linear, 0, estimate, want, &what);
            }
            ("difference", _) => row_is(&margins(Compare::Difference).comparisons, 0, estimate, want, &what),
            (name, _) => {
                let found = margins(name.parse().expect("a comparison")).comparisons;
                row_is(&found, 0, estimate, want, &what);
                let ratio = found.exponentiated();
                close(ratio.estimate[0], number(&row["value"]), 1e-9, &what);
                close(ratio.conf_low[0], number(&want["low"]), 1e-9, &format!("{what} low"));
                close(ratio.conf_high[0], number(&want["high"]), 1e-9, &format!("{what} high"));
            }
        }
        seen += 1;
    }
    seen
}

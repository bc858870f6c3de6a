//! What the reference tests share: the committed JSON, and comparison to a relative tolerance.
#![allow(dead_code)]

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

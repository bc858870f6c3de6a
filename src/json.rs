//! JSON as it enters hashes: one text for one value.

use std::fmt::Write;

use serde_json::Value;

/// The canonical text of a JSON value: UTF-8, no white space, the names of every object in bytewise order.
pub(crate) fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            // Sorted here, since a feature of serde_json that another crate may turn on keeps them as they came.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (place, (name, value)) in entries.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_value(&Value::String(name.clone()), out);
                out.push(':');
                write_value(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        // Writing to a String never fails.
        plain => drop(write!(out, "{plain}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_canonical() {
        let value = serde_json::json!({"b": [1, "x\"\u{e9}", null], "a": {"d": true, "c": 0}});
        assert_eq!(canonical(&value), "{\"a\":{\"c\":0,\"d\":true},\"b\":[1,\"x\\\"\u{e9}\",null]}");
    }
}

//! Lines worked out in exact fractions, each compared with what was printed.

use std::collections::HashMap;

use super::line::{Input, Line, too_large, unreadable};
use super::order::{Ordered, ordered};
use crate::Result;
use crate::instruments::exact::Exact;
use crate::words::words;

/// How a printed figure agrees with the exact value; there is no other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Agreement {
    /// The very value.
    Exact,
    /// The value rounded, and not the value cut off.
    Rounded,
    /// The value cut off, and not the value rounded.
    CutOff,
    /// The value rounded, which is also the value cut off.
    Either,
    /// Neither.
    Differs,
}

words!(
    Agreement, "agreement",
    Exact => "exact",
    Rounded => "rounded",
    CutOff => "cut off",
    Either => "rounded or cut off alike",
    Differs => "differs",
);

/// A line worked out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Worked {
    /// Its name.
    pub name: String,
    /// The exact value.
    pub value: Exact,
    /// The value rounded to the printed decimals, or to the line's own where nothing was printed.
    pub shown: String,
    /// The number that was printed.
    pub printed: Option<Exact>,
    /// Whether the two agree, and how.
    pub agreement: Option<Agreement>,
    /// The inputs and lines that its formula uses, in order, each once.
    pub uses: Vec<String>,
}

/// Works out all lines, in whatever order they refer to each other; the results come in the order given.
///
/// # Errors
/// Input errors for a name that is not one or is used twice, a number that cannot be read, a formula with a mistake
/// or an unknown name, lines that refer to each other in a circle, division by nil, or numbers beyond 128 bits.
///
/// ```
/// use crewe::instruments::cost::{Agreement, Input, Line, work_out};
/// let inputs = [("saving", "3,800"), ("cases", "128")].map(|(name, value)| Input::new(name, value));
/// let line = Line::new("per_case", "saving / cases").printed("29.68");
/// let worked = work_out(&inputs, &[line])?;
/// assert_eq!(worked[0].agreement, Some(Agreement::CutOff));
/// assert_eq!(worked[0].value.decimal(4).unwrap(), "29.6875");
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn work_out(inputs: &[Input], lines: &[Line]) -> Result<Vec<Worked>> {
    let mut values: HashMap<&str, Exact> = HashMap::new();
    for input in inputs {
        let value =
            Exact::parse(&input.value).ok_or_else(|| unreadable("input", &input.name, &input.value))?;
        values.insert(&input.name, value);
    }
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let all: Vec<&Line> = lines.iter().collect();
    let Ordered { expressions, uses, order } = ordered(&names, &all)?;
    for i in order {
        let value = expressions[i].value(&values, &lines[i])?;
        values.insert(&lines[i].name, value);
    }
    lines.iter().zip(uses).map(|(line, uses)| compared(line, values[line.name.as_str()], uses)).collect()
}

fn compared(line: &Line, value: Exact, uses: Vec<String>) -> Result<Worked> {
    let places = line.printed.as_deref().map_or(line.places, Exact::places);
    let (rounded, cut) = (value.round(places), value.cut_off(places));
    let (Some(rounded), Some(cut), Some(shown)) = (rounded, cut, value.decimal(places)) else {
        return Err(too_large(line));
    };
    let printed = match &line.printed {
        None => None,
        Some(text) => {
            Some(Exact::parse(text).ok_or_else(|| unreadable("printed figure of", &line.name, text))?)
        }
    };
    let agreement = printed.map(|printed| match (printed == rounded, printed == cut) {
        _ if printed == value => Agreement::Exact,
        (true, true) => Agreement::Either,
        (true, false) => Agreement::Rounded,
        (false, true) => Agreement::CutOff,
        (false, false) => Agreement::Differs,
    });
    Ok(Worked { name: line.name.clone(), value, shown, printed, agreement, uses })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(formula: &str) -> Result<String> {
        let input = Input { name: "x".into(), value: "2.5".into() };
        let line = Line { name: "y".into(), formula: formula.into(), printed: None, places: 2 };
        Ok(work_out(&[input], &[line])?[0].value.to_string())
    }

    #[test]
    fn formulas_bind_as_usual() {
        for (formula, expected) in [
            ("1 - 2 - 3", "-4"),
            ("12 / 4 / 3", "1"),
            ("1 + 2 * x", "6"),
            ("-(1 + x) * 2", "-7"),
            ("14.3% * 1000", "143"),
            ("round(x * 15.4, -1) + round(-x, 0)", "37"),
        ] {
            assert_eq!(value(formula).unwrap(), expected, "{formula}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (formula, says) in [
            ("1 +", "before \"the end\""),
            ("(1", "')' was expected"),
            ("1 2", "an operator was expected"),
            ("z + 1", "neither an input nor a line"),
            ("x / (1 - 1)", "divides by 0"),
            ("y + 1", "in a circle"),
            ("1.2.3", "a number was expected"),
            ("round(x, 99)", "whole number of decimals"),
            ("x $ 2", "an operator was expected"),
            ("", "a name, a number"),
        ] {
            let error = value(formula).unwrap_err().to_string();
            assert!(error.contains(says), "{formula}: {error}");
        }
        assert!(value(&"(".repeat(100_000)).unwrap_err().to_string().contains("shallower"));
        assert!(value(&"-".repeat(100_000)).is_err());
    }

    #[test]
    fn test_7_3_long_and_deep_formulas_are_answered_or_refused() {
        // On a small stack, as threads have it.
        let worker = std::thread::Builder::new().stack_size(192 * 1024).spawn(|| {
            assert_eq!(value(&vec!["x"; 1_000].join(" + ")).unwrap(), "2500");
            assert_eq!(value(&vec!["1"; 1_000].join("*")).unwrap(), "1");
            for sign in ["+", "-", "*", "/", " + -", "*-", "+(1)*", " - (x - 1) / "] {
                for terms in [5_000, 200_000] {
                    let error = value(&vec!["x"; terms].join(sign)).unwrap_err().to_string();
                    assert!(error.contains("more than 2000 names"), "{sign}: {error}");
                    assert!(error.len() < 300);
                }
            }
            for (open, close) in [("(", ")"), ("-", ""), ("round(", ", 2)"), ("1 + (", ")"), ("-(2 * ", ")")]
            {
                let nested = |n: usize| format!("{}x{}", open.repeat(n), close.repeat(n));
                assert!(value(&nested(49)).is_ok(), "{open}");
                for n in [5_000, 100_000] {
                    let error = value(&nested(n)).unwrap_err().to_string();
                    assert!(error.contains("shallower"), "{open}");
                    assert!(error.len() < 500, "{open}: {}", error.len());
                }
            }
        });
        worker.unwrap().join().unwrap();
    }
}

//! The one check of a confidence level.

use crate::{Error, Fault, Result};

/// Refuses a confidence level that is not strictly between 0 and 1.
///
/// # Errors
/// [`crate::Error::Input`] with the level as its value; a level over 1 is most often meant in per cent.
///
/// ```
/// use crewe::inference::check_level;
/// assert!(check_level(0.95).is_ok() && check_level(f64::NAN).is_err());
/// assert!(check_level(95.0).unwrap_err().to_string().ends_with("A level of 95 per cent is 0.95."));
/// ```
pub fn check_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    let remedy = if level > 1.0 && level < 100.0 {
        format!("A level of {level} per cent is {}", level / 100.0)
    } else {
        "95 per cent is 0.95".into()
    };
    Err(outside(level.to_string(), remedy))
}

/// The same refusal of what is no number at all, such as text.
///
/// ```
/// let error = crewe::inference::not_a_level("'95%'").to_string();
/// assert!(error.starts_with("the confidence level does not lie between 0 and 1 (seen: '95%')"));
/// ```
#[must_use]
pub fn not_a_level(shown: impl Into<String>) -> Error {
    outside(shown.into(), "95 per cent is 0.95".into())
}

fn outside(shown: String, remedy: String) -> Error {
    Fault::new("the confidence level does not lie between 0 and 1").values([shown]).remedy(remedy).input()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_0_and_1_is_a_level() {
        for level in [f64::MIN_POSITIVE, 0.5, 0.95, 1.0 - f64::EPSILON] {
            assert!(check_level(level).is_ok());
        }
        for level in [0.0, -0.0, 1.0, 95.0, -0.95, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = check_level(level).unwrap_err().to_string();
            assert!(error.starts_with("the confidence level does not lie between 0 and 1"), "{error}");
            assert!(error.contains("0.95"), "{error}");
        }
        assert!(check_level(90.0).unwrap_err().to_string().ends_with("A level of 90 per cent is 0.9."));
    }
}

//! Fractions of whole numbers.

use std::fmt;

use serde::de::{Error, IgnoredAny, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Fault, Result};

/// A fraction of whole numbers in lowest terms, since a commitment holds no floats.
///
/// ```
/// use crewe::design::Fraction;
/// let p = Fraction::new(80, 100);
/// assert_eq!((p.numerator, p.denominator, p.value()), (4, 5, 0.8));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "(u64, u64)")]
#[non_exhaustive]
pub struct Fraction {
    /// The upper number.
    pub numerator: u64,
    /// The lower number.
    pub denominator: u64,
}

impl Fraction {
    /// A fraction, brought to lowest terms.
    ///
    /// ```
    /// use crewe::design::Fraction;
    /// assert_eq!(Fraction::new(8, 10), Fraction::new(4, 5));
    /// ```
    #[must_use]
    pub fn new(numerator: u64, denominator: u64) -> Self {
        let common = crate::design::gcd(numerator, denominator).max(1);
        Self { numerator: numerator / common, denominator: denominator / common }
    }

    /// The nearest float.
    pub fn value(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// The fraction as a quotient, or as the whole number that it is.
    fn told(self) -> String {
        match self.denominator {
            1 => self.numerator.to_string(),
            denominator => format!("{}/{denominator}", self.numerator),
        }
    }

    /// The float in so many significant digits, without zeros at the end.
    pub(crate) fn shown(self, digits: usize) -> String {
        let scientific = format!("{:.*e}", digits - 1, self.value());
        // The format of a finite float: digits, "e", a whole number.
        let (digits_of, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let trimmed = |text: &str| {
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text.to_owned()
            }
        };
        match power.parse::<i32>() {
            Ok(power) if power < -4 => format!("{}e-{:02}", trimmed(digits_of), -power),
            Ok(power) => {
                let places = usize::try_from(digits as i32 - 1 - power).unwrap_or(0);
                trimmed(&format!("{:.places$}", self.value()))
            }
            Err(_) => scientific,
        }
    }

    /// Refuses a probability that is 0, or that [`Fraction::check`] refuses whatever the least is.
    pub(crate) fn check_positive(self, what: &str) -> Result<()> {
        if self.numerator == 0 {
            return Err(Fault::new(format!("{what} is out of range"))
                .values(["0"])
                .remedy("Give a probability above 0 and at most 1")
                .design());
        }
        self.check(what, Self::new(0, 1))
    }

    /// Refuses fractions outside `least..=1` and denominators that exact arithmetic has no room for.
    pub(crate) fn check(self, what: &str, least: Self) -> Result<()> {
        const ROOM: u64 = 1 << 40;
        let below = u128::from(self.numerator) * u128::from(least.denominator)
            < u128::from(least.numerator) * u128::from(self.denominator);
        if self.denominator == 0 || self.denominator > ROOM || self.numerator > self.denominator || below {
            let low = least.told();
            let inside = self.denominator > ROOM && self.numerator <= self.denominator && !below;
            let problem = if inside {
                format!("{what} has more digits than exact arithmetic holds")
            } else {
                format!("{what} is out of range")
            };
            return Err(Fault::new(problem)
                .values([if inside { self.value().to_string() } else { self.told() }])
                .remedy(format!("Give a probability from {low} to 1, in at most 12 digits or as a fraction such as \"2/3\""))
                .design());
        }
        Ok(())
    }
}

impl From<Fraction> for (u64, u64) {
    fn from(fraction: Fraction) -> Self {
        (fraction.numerator, fraction.denominator)
    }
}

/// Written as two whole numbers; read also from a number such as 0.8 and from text, which is exact: "0.8" or "2/3".
impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Fraction;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 1 in at most 12 digits, such as 0.8 or 2/3")
            }

            fn visit_str<E: Error>(self, text: &str) -> std::result::Result<Fraction, E> {
                read(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_u64<E: Error>(self, whole: u64) -> std::result::Result<Fraction, E> {
                Ok(Fraction::new(whole, 1))
            }

            fn visit_f64<E: Error>(self, number: f64) -> std::result::Result<Fraction, E> {
                // The shortest decimal that is this float and no other.
                self.visit_str(&number.to_string())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> std::result::Result<Fraction, A::Error> {
                let wrong = |n| A::Error::invalid_length(n, &Self);
                let numerator = pair.next_element()?.ok_or_else(|| wrong(0))?;
                let denominator = pair.next_element()?.ok_or_else(|| wrong(1))?;
                if pair.next_element::<IgnoredAny>()?.is_some() {
                    return Err(wrong(3));
                }
                Ok(Fraction::new(numerator, denominator))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// The fraction that a decimal or a quotient of whole numbers says.
fn read(text: &str) -> Option<Fraction> {
    // `parse` takes a sign; a fraction of an option has none.
    let whole =
        |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    if let Some((above, below)) = text.split_once('/') {
        return Some(Fraction::new(whole(above)?, whole(below)?));
    }
    let (decimal, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (units, places) = decimal.split_once('.').unwrap_or((decimal, ""));
    let places = places.trim_end_matches('0');
    let digits: u64 = whole(&format!("{units}{places}"))?;
    let scale = i64::try_from(places.len()).ok()?.checked_sub(power.parse().ok()?)?;
    let ten = 10_u64.checked_pow(u32::try_from(scale.unsigned_abs()).ok()?)?;
    Some(if scale < 0 { Fraction::new(digits.checked_mul(ten)?, 1) } else { Fraction::new(digits, ten) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_the_fractions_that_they_say() {
        for (text, upper, lower) in [
            ("0.8", 4, 5),
            ("0.80", 4, 5),
            (".5", 1, 2),
            ("1", 1, 1),
            ("1.", 1, 1),
            ("1e-3", 1, 1000),
            ("2.5E-1", 1, 4),
            ("0.2e1", 2, 1),
            ("2/3", 2, 3),
            ("0.30000000000000004", 7_500_000_000_000_001, 25_000_000_000_000_000),
        ] {
            assert_eq!(read(text), Some(Fraction { numerator: upper, denominator: lower }), "{text}");
        }
        for text in
            ["", ".", "nan", "inf", "-0.5", "+1", "1e", "0,5", "1/", "/2", "1e-40", " 1", "0x1", "1_0"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    /// As `%.4g` of C.
    #[test]
    fn fractions_are_shown_in_a_few_digits() {
        for (upper, lower, want) in [
            (2, 3, "0.6667"),
            (4, 5, "0.8"),
            (1, 1, "1"),
            (1, 1000, "0.001"),
            (1, 99_999, "1e-05"),
            (12_345, 100_000_000, "0.0001234"),
            (99_999, 100_000, "1"),
            (0, 1, "0"),
        ] {
            assert_eq!(Fraction::new(upper, lower).shown(4), want);
        }
    }
}

//! Exact fractions, for sums of money that must come out to the penny.

use std::fmt;

/// A fraction in lowest terms with a positive denominator. Operations return `None` where they leave 128 bits, or
/// divide by nil.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    numerator: i128,
    denominator: i128,
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs()
}

impl Exact {
    fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 || numerator == i128::MIN || denominator == i128::MIN {
            return None;
        }
        let divisor = gcd(numerator, denominator).max(1) * denominator.signum();
        Some(Self { numerator: numerator / divisor, denominator: denominator / divisor })
    }

    /// Reads a decimal as reports print it, `34,464`, `-0.36` or `14.3%`, without passing through binary.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (text, percent) = text.strip_suffix('%').map_or((text, false), |t| (t.trim_end(), true));
        let (text, negative) = match text.strip_prefix(['-', '−']) {
            Some(rest) => (rest, true),
            None => (text.strip_prefix('+').unwrap_or(text), false),
        };
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let grouped: Vec<&str> = whole.split(',').collect();
        let well_grouped = grouped.len() == 1
            || (1..=3).contains(&grouped[0].len()) && grouped[1..].iter().all(|g| g.len() == 3);
        let whole = grouped.concat();
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if !well_grouped || !digits(&whole) || !digits(part) || whole.len() + part.len() == 0 {
            return None;
        }
        let mut numerator = 0_i128;
        for byte in whole.bytes().chain(part.bytes()) {
            numerator = numerator.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
        }
        let power = u32::try_from(part.len()).ok()? + if percent { 2 } else { 0 };
        Self::new(if negative { -numerator } else { numerator }, 10_i128.checked_pow(power)?)
    }

    /// The decimals that a printed number has (those of the share for a percentage): `14.3%` has 3.
    pub fn places(text: &str) -> i32 {
        let percent = text.trim().ends_with('%');
        let part =
            text.trim().trim_end_matches('%').trim_end().split_once('.').map_or(0, |(_, part)| part.len());
        i32::try_from(part).unwrap_or(i32::MAX - 2) + if percent { 2 } else { 0 }
    }

    /// Sum.
    pub fn plus(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::new(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    /// Difference.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated())
    }

    /// The same size with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { numerator: -self.numerator, ..self }
    }

    /// Product.
    pub fn times(self, other: Self) -> Option<Self> {
        Self::new(
            self.numerator.checked_mul(other.numerator)?,
            self.denominator.checked_mul(other.denominator)?,
        )
    }

    /// Quotient.
    pub fn over(self, other: Self) -> Option<Self> {
        self.times(Self::new(other.denominator, other.numerator)?)
    }

    /// Rounded to so many decimals (negative: to tens, hundreds ...), halves away from nil.
    pub fn round(self, places: i32) -> Option<Self> {
        let half = Self { numerator: self.numerator.signum(), denominator: 2 };
        self.scaled(places)?.plus(half)?.whole().unscaled(places)
    }

    /// Cut off after so many decimals.
    pub fn cut_off(self, places: i32) -> Option<Self> {
        self.scaled(places)?.whole().unscaled(places)
    }

    /// The whole number next to it on the way to nil.
    fn whole(self) -> Self {
        Self { numerator: self.numerator / self.denominator, denominator: 1 }
    }

    fn scaled(self, places: i32) -> Option<Self> {
        let ten = Self { numerator: 10_i128.checked_pow(places.unsigned_abs())?, denominator: 1 };
        if places >= 0 { self.times(ten) } else { self.over(ten) }
    }

    fn unscaled(self, places: i32) -> Option<Self> {
        self.scaled(-places)
    }

    /// The nearest double.
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// The decimal text at so many decimals, rounded; whole numbers for a negative count.
    pub fn decimal(self, places: i32) -> Option<String> {
        let shown = places.max(0);
        let scaled = self.round(places)?.scaled(shown)?;
        let digits = format!("{:0>width$}", scaled.numerator.abs(), width = shown as usize + 1);
        let (whole, part) = digits.split_at(digits.len() - shown as usize);
        let sign = if scaled.numerator < 0 { "-" } else { "" };
        Some(if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_read_as_printed() {
        assert_eq!(exact("34,464"), exact("34464.00"));
        assert_eq!(exact("14.3%"), exact("0.143"));
        assert_eq!(exact("-.5").to_string(), "-1/2");
        assert_eq!((Exact::places("14.3%"), Exact::places("29.68"), Exact::places("3,800")), (3, 2, 0));
        for wrong in ["", ".", "1e3", "1,00", "12 %3", "nan", "1.2.3", "--1"] {
            assert_eq!(Exact::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn halves_go_away_from_nil_and_cutting_goes_to_it() {
        for (value, places, rounded, cut) in [
            ("29.6875", 2, "29.69", "29.68"),
            ("0.125", 2, "0.13", "0.12"),
            ("-0.125", 2, "-0.13", "-0.12"),
            ("3804.6", -2, "3800", "3800"),
            ("3850", -2, "3900", "3800"),
            ("0.004", 2, "0.00", "0.00"),
        ] {
            assert_eq!(exact(value).decimal(places).unwrap(), rounded, "{value}");
            assert_eq!(exact(value).cut_off(places).unwrap(), exact(cut), "{value}");
        }
    }

    #[test]
    fn overflow_and_division_by_nil_are_seen() {
        let huge = exact("99999999999999999999999999999999999999");
        assert!(huge.times(huge).is_none());
        assert!(huge.over(exact("0")).is_none());
    }
}

//! Double-double arithmetic: an unevaluated sum of two doubles, about 32 significant digits.
//!
//! T. J. Dekker (1971), A floating-point technique for extending the available precision,
//! doi:10.1007/BF01397083; D. E. Knuth, The Art of Computer Programming 2, 4.2.2 for the exact sum.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// The arithmetic that the factorisations need, so that they are written once for both precisions.
pub trait Scalar:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// From a double, exactly.
    fn of(value: f64) -> Self;
    /// The nearest double.
    fn value(self) -> f64;
    /// The square root of a non-negative number.
    fn root(self) -> Self;
}

impl Scalar for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn value(self) -> f64 {
        self
    }
    fn root(self) -> Self {
        self.sqrt()
    }
}

/// A double-double.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Double {
    hi: f64,
    lo: f64,
}

impl Double {
    /// Normalises a pair of which the first is at least as large as the second.
    fn fast(hi: f64, lo: f64) -> Self {
        let sum = hi + lo;
        Self { hi: sum, lo: lo - (sum - hi) }
    }

    /// The exact sum of two doubles.
    #[must_use]
    pub fn sum(a: f64, b: f64) -> Self {
        let s = a + b;
        let t = s - a;
        Self { hi: s, lo: (a - (s - t)) + (b - t) }
    }

    /// The exact product of two doubles (Dekker's splitting, since a fused multiply-add is slow where the
    /// processor is not known to have one).
    #[must_use]
    pub fn product(a: f64, b: f64) -> Self {
        let split = |x: f64| {
            let c = 134_217_729.0 * x;
            let hi = c - (c - x);
            (hi, x - hi)
        };
        let p = a * b;
        let (ah, al) = split(a);
        let (bh, bl) = split(b);
        Self { hi: p, lo: ((ah * bh - p) + ah * bl + al * bh) + al * bl }
    }
}

impl Add for Double {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let s = Self::sum(self.hi, other.hi);
        let t = Self::sum(self.lo, other.lo);
        let first = Self::fast(s.hi, s.lo + t.hi);
        Self::fast(first.hi, first.lo + t.lo)
    }
}

impl Neg for Double {
    type Output = Self;
    fn neg(self) -> Self {
        Self { hi: -self.hi, lo: -self.lo }
    }
}

impl Sub for Double {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Double {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let p = Self::product(self.hi, other.hi);
        Self::fast(p.hi, p.lo + (self.hi * other.lo + self.lo * other.hi))
    }
}

impl Div for Double {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let first = self.hi / other.hi;
        let rest = self - other * Self::of(first);
        let second = rest.hi / other.hi;
        let rest = rest - other * Self::of(second);
        Self::fast(first, second) + Self::of(rest.hi / other.hi)
    }
}

impl Scalar for Double {
    fn of(value: f64) -> Self {
        Self { hi: value, lo: 0.0 }
    }
    fn value(self) -> f64 {
        self.hi + self.lo
    }
    fn root(self) -> Self {
        if self.hi <= 0.0 {
            return Self::default();
        }
        let first = self.hi.sqrt();
        let rest = self - Self::product(first, first);
        Self::fast(first, rest.hi / (2.0 * first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_digits() {
        let third = Double::of(1.0) / Double::of(3.0);
        let rest = (third + third + third - Double::of(1.0)).value();
        assert!(rest.abs() < 1e-31, "{rest}");
        let two = Double::of(2.0).root();
        assert!((two * two - Double::of(2.0)).value().abs() < 1e-31);
        // (1 + e)^2 - 1 - 2e = e^2 is lost in doubles and kept here.
        let e = 2.0_f64.powi(-40);
        let x = Double::sum(1.0, e);
        assert_eq!((x * x - Double::of(1.0) - Double::of(2.0 * e)).value(), e * e);
    }
}

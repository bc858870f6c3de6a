//! Price years and discounting, as HM Treasury's Green Book has them.
//!
//! An amount at the prices of one year is brought to another by the ratio of the GDP deflator's indices, and to pence.
//! What comes in year t of a proposal counts `1 / (1 + r)^t`, with r falling from 3.5% to 3.0% after 30 years, 2.5% after
//! 75, 2.0% after 125, 1.5% after 200 and 1.0% after 300 (HM Treasury, *The Green Book*, annex on discounting).

use super::Exact;
use crate::{Fault, Result};

/// The last year at each rate, and the rate; after the last of them, 1%.
const RATES: [(f64, f64); 5] = [(30.0, 0.035), (75.0, 0.03), (125.0, 0.025), (200.0, 0.02), (300.0, 0.015)];
const LAST: f64 = 0.01;

/// What a pound in so many years counts today.
///
/// # Errors
/// [`crate::Error::Input`] for a time that is negative or no number.
///
/// ```
/// use crewe::instruments::cost::prices::discount_factor;
/// assert_eq!(discount_factor(0.0)?, 1.0);
/// assert!((discount_factor(31.0)? - 1.035_f64.powi(-30) / 1.03).abs() < 1e-15);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn discount_factor(years: f64) -> Result<f64> {
    if !(years.is_finite() && years >= 0.0) {
        return Err(Fault::new("years from now are 0 or more")
            .values([years.to_string()])
            .remedy("Count from the start of the proposal, year 0")
            .input());
    }
    let (mut factor, mut start) = (1.0, 0.0);
    for (end, rate) in RATES.into_iter().chain([(f64::INFINITY, LAST)]) {
        let inside = years.min(end) - start;
        if inside <= 0.0 {
            break;
        }
        factor *= (1.0 + rate).powf(-inside);
        start = end;
    }
    Ok(factor)
}

/// What yearly amounts count today, the first of them in year `first`.
///
/// # Errors
/// [`crate::Error::Input`] for a first year that is negative or no number, and amounts that are none.
///
/// ```
/// use crewe::instruments::cost::prices::present_value;
/// assert!((present_value(&[100.0, 100.0], 0.0)? - 196.618_357_487_922_7).abs() < 1e-9);
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn present_value(amounts: &[f64], first: f64) -> Result<f64> {
    let bad: Vec<usize> =
        amounts.iter().enumerate().filter(|(_, a)| !a.is_finite()).map(|(i, _)| i).collect();
    if !bad.is_empty() {
        return Err(Fault::new("yearly amounts are missing or infinite")
            .rows(bad)
            .remedy("Give a number for every year, 0 where nothing is paid")
            .input());
    }
    let mut sum = 0.0;
    for (year, amount) in amounts.iter().enumerate() {
        sum += amount * discount_factor(first + year as f64)?;
    }
    Ok(sum)
}

/// An amount at the prices of another year, to pence or to the decimals that it has, if these are more.
///
/// # Errors
/// [`crate::Error::Input`] for what is no decimal, an index that is not above 0, and more digits than can be carried.
///
/// ```
/// use crewe::instruments::cost::prices::repriced;
/// assert_eq!(repriced("68.05", "74.5804", "100")?, "91.24");
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn repriced(amount: &str, from: &str, to: &str) -> Result<String> {
    let read = |text: &str| {
        Exact::parse(text).ok_or_else(|| {
            Fault::new("an amount or an index is no decimal")
                .values([text])
                .remedy("Write a plain decimal such as 68.05")
                .input()
        })
    };
    let (value, from, to) = (read(amount)?, read(from)?, read(to)?);
    if from.to_f64() <= 0.0 || to.to_f64() <= 0.0 {
        return Err(Fault::new("an index of prices is not above 0")
            .remedy("Check the series of the deflator")
            .input());
    }
    let places = Exact::places(amount).max(2);
    value.times(to).and_then(|v| v.over(from)).and_then(|v| v.decimal(places)).ok_or_else(|| {
        Fault::new("the amount has more digits than can be carried exactly")
            .values([amount])
            .remedy("Give it with fewer digits")
            .input()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To four decimals, as tables of factors print them.
    #[test]
    fn factors_as_tables_print_them() {
        for (year, printed) in
            [(1, 0.9662), (10, 0.7089), (30, 0.3563), (31, 0.3459), (75, 0.0942), (76, 0.0919), (125, 0.0274)]
        {
            let factor = discount_factor(f64::from(year)).unwrap();
            assert!((factor - printed).abs() <= 0.5e-4, "{year}: {factor}");
        }
        assert!(discount_factor(-1.0).is_err() && discount_factor(f64::NAN).is_err());
        let [before, after] = [300.0, 301.0].map(|t| discount_factor(t).unwrap());
        assert!((before / after - 1.01).abs() < 1e-12);
    }
}

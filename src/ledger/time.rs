//! Times as the ledger writes them: RFC 3339 in UTC with six decimals, `2017-03-01T09:30:00.000000Z`, so that times
//! in bytewise order are times in order.
//!
//! RFC 3339 (2002), Date and Time on the Internet; the calendar arithmetic is the proleptic Gregorian one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Fault, Result};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A moment, in microseconds since 1970-01-01T00:00:00Z; from the year 0 to the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(i64);

/// When something happened: as told, or by the system's clock at the moment of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum When {
    /// The clock is read once the ledger is locked, so that two processes cannot overtake each other.
    #[default]
    Now,
    /// This time.
    At(Time),
}

impl Time {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// What the system's clock says.
    #[must_use]
    pub fn now() -> Self {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
        // A clock before 1970 reads as 1970, which the ledger's order of times then refuses.
        Self(since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl From<Time> for When {
    fn from(time: Time) -> Self {
        Self::At(time)
    }
}

/// Days since 1970-01-01 of a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March put the leap day last; 400 years have 146,097 days.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a number of days since 1970-01-01: year, month, day.
fn date(days: i64) -> [i64; 3] {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    [year, month, of_year - (153 * shifted + 2) / 5 + 1]
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [year, month, day] = date(self.0.div_euclid(DAY));
        let within = self.0.rem_euclid(DAY);
        let (seconds, micros) = (within / SECOND, within % SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

impl FromStr for Time {
    type Err = Error;

    /// Reads RFC 3339, with any offset from UTC and at most six decimals of a second.
    ///
    /// ```
    /// use crewe::ledger::Time;
    /// let time: Time = "2017-03-26T02:30:00+01:00".parse()?;
    /// assert_eq!(time.to_string(), "2017-03-26T01:30:00.000000Z");
    /// # Ok::<(), crewe::Error>(())
    /// ```
    fn from_str(text: &str) -> Result<Self> {
        parse(text.as_bytes()).ok_or_else(|| {
            Fault::new("this is not a time that names its offset from UTC")
                .values([text])
                .remedy(
                    "Write it as RFC 3339 does, for instance 2017-03-01T09:30:00Z or +01:00 in place of Z",
                )
                .input()
        })
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Time {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

fn number(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0_i64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
}

fn parse(text: &[u8]) -> Option<Time> {
    let at = |range: std::ops::Range<usize>| text.get(range).and_then(number);
    let is = |place: usize, accepted: &[u8]| text.get(place).is_some_and(|b| accepted.contains(b));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (at(0..4)?, at(5..7)?, at(8..10)?);
    let (hour, minute, second) = (at(11..13)?, at(14..16)?, at(17..19)?);
    let mut rest = &text[19..];
    let mut micros = 0;
    if let Some(decimals) = rest.strip_prefix(b".") {
        let length = decimals.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=6).contains(&length) {
            return None;
        }
        micros = number(&decimals[..length])? * 10_i64.pow(6 - length as u32);
        rest = &decimals[length..];
    }
    let offset = match rest {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 3600 + minutes * 60) * if *sign == b'+' { 1 } else { -1 }
        }
        _ => return None,
    };
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let day_number = days(year, month, day);
    // A day that the month has not, such as 30 February, comes back as another date.
    if date(day_number) != [year, month, day] {
        return None;
    }
    let time = Time(day_number * DAY + (hour * 3600 + minute * 60 + second - offset) * SECOND + micros);
    // An offset may carry the first or the last day out of the years that can be written.
    (0..=9999).contains(&date(time.0.div_euclid(DAY))[0]).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_comes_back() {
        for day in -719_528..=2_932_896 {
            let [y, m, d] = date(day);
            assert_eq!(days(y, m, d), day);
        }
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2017, 3, 1), 17_226);
    }

    #[test]
    fn times_are_canonical() {
        for (text, canonical) in [
            ("2017-03-01T09:30:00Z", "2017-03-01T09:30:00.000000Z"),
            ("2017-03-01t09:30:00.5z", "2017-03-01T09:30:00.500000Z"),
            ("2017-03-01 00:30:00.000001+01:00", "2017-02-28T23:30:00.000001Z"),
            ("2016-02-29T23:59:59-00:30", "2016-03-01T00:29:59.000000Z"),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(text.parse::<Time>().map(|t| t.to_string()).as_deref(), Ok(canonical));
        }
        for wrong in [
            "",
            "2017-03-01",
            "2017-03-01T09:30:00",
            "2017-02-29T09:30:00Z",
            "2017-13-01T09:30:00Z",
            "2017-03-01T24:00:00Z",
            "2017-03-01T09:30:60Z",
            "2017-03-01T09:30:00.Z",
            "2017-03-01T09:30:00.1234567Z",
            "2017-03-01T09:30:00+1:00",
            "2017-03-01T09:30:00Z ",
            "20170301T093000Z",
            "0000-01-01T00:00:00+01:00",
            "９017-03-01T09:30:00Z",
        ] {
            assert!(wrong.parse::<Time>().is_err(), "{wrong}");
        }
    }
}

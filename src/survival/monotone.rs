//! Monotone likelihood: finding the direction in which the coefficients run away.
//!
//! No finite maximum exists if some combination `v'x` is, at every event time, at least as large for each row that
//! dies as for every row at risk (M. C. Bryson and M. E. Johnson 1981, doi:10.2307/1268078). A treatment arm without
//! events is the usual case. Single columns are checked before the fit; combinations when Newton's steps do not die
//! away, since these then point in the direction `v`.

use super::likelihood::{Prepared, dot};

/// The first column that is the same for all who are at risk at the time of an event, whenever one happens. Columns are
/// standardised, so what differs by less than 1e-9 does so only by rounding.
pub(crate) fn never_differs(data: &Prepared) -> Option<usize> {
    let p = data.p;
    let mut same = vec![true; p];
    for range in &data.timeline.strata {
        let mut high = vec![f64::NEG_INFINITY; p];
        let mut low = vec![f64::INFINITY; p];
        for tie in data.timeline.ties[range.clone()].iter().rev() {
            for position in tie.start..tie.end {
                for (j, &value) in data.row(position).iter().enumerate() {
                    high[j] = high[j].max(value);
                    low[j] = low[j].min(value);
                }
            }
            if tie.deaths() > 0 {
                for j in 0..p {
                    same[j] &= high[j] - low[j] <= 1e-9;
                }
                if !same.contains(&true) {
                    return None;
                }
            }
        }
    }
    same.iter().position(|same| *same)
}

/// The first column whose coefficient has no finite value, with the sign it runs to.
pub(crate) fn monotone_column(data: &Prepared) -> Option<(usize, f64)> {
    let p = data.p;
    // Whether the deaths have always been highest (lowest), and whether anything at risk was ever different.
    let mut state = vec![[true, true]; p];
    let mut differs = vec![false; p];
    for range in &data.timeline.strata {
        let mut high = vec![f64::NEG_INFINITY; p];
        let mut low = vec![f64::INFINITY; p];
        for tie in data.timeline.ties[range.clone()].iter().rev() {
            for position in tie.start..tie.end {
                for (j, &value) in data.row(position).iter().enumerate() {
                    high[j] = high[j].max(value);
                    low[j] = low[j].min(value);
                }
            }
            if tie.deaths() == 0 {
                continue;
            }
            for j in 0..p {
                differs[j] |= high[j] > low[j];
            }
            for position in tie.events..tie.end {
                for (j, &value) in data.row(position).iter().enumerate() {
                    state[j][0] &= value >= high[j];
                    state[j][1] &= value <= low[j];
                }
            }
            if state.iter().all(|s| !s[0] && !s[1]) {
                return None;
            }
        }
    }
    (0..p)
        .find(|&j| differs[j] && (state[j][0] || state[j][1]))
        .map(|j| (j, if state[j][0] { 1.0 } else { -1.0 }))
}

/// Whether the likelihood never falls in the direction `v`, to `tolerance` of the spread of `v'x`.
pub(crate) fn is_monotone(data: &Prepared, v: &[f64], tolerance: f64) -> bool {
    let spread: f64 = v.iter().map(|value| value.abs()).sum();
    let slack = tolerance * spread;
    let mut strict = false;
    for range in &data.timeline.strata {
        let (mut high, mut low) = (f64::NEG_INFINITY, f64::INFINITY);
        for tie in data.timeline.ties[range.clone()].iter().rev() {
            for position in tie.start..tie.end {
                let value = dot(data.row(position), v);
                high = high.max(value);
                low = low.min(value);
            }
            for position in tie.events..tie.end {
                if dot(data.row(position), v) < high - slack {
                    return false;
                }
            }
            strict |= tie.deaths() > 0 && high - low > 10.0 * slack;
        }
    }
    strict
}

/// The direction of a Newton step without the components that are about to vanish.
pub(crate) fn cleaned(step: &[f64]) -> Vec<f64> {
    let largest = step.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    step.iter().map(|&v| if v.abs() < 1e-3 * largest { 0.0 } else { v / largest }).collect()
}

//! Whether members of one cluster are more alike than chance makes them: the test of an ICC of 0 of a binary outcome.
//!
//! Under independence at one rate every assignment of the events to the rows is as likely as another, given how many there
//! are. With `s_g` of `m_g` members and `S` of `N` in `G` clusters, the estimators by moments rise with
//! `B = sum s_g^2 / m_g - S^2 / N` and with nothing else. Its mean given `S` is exact, from factorial moments; its variance and
//! third moment are those of the clusters' own terms with what goes with `S` taken off (`w = x^2 / m - p q - x (1 - 2p) G / N`,
//! `x = s - m p`, summed over the binomial law of each size); and its law is taken to be that of a gamma variable with the
//! same three (K. Pearson's type III), which counts about half of what is exactly as large, as mid-p does.

use super::binary::Tallies;
use crate::dist::{chi2_sf, normal_sf};

/// Beyond such sizes the sum over the law of a size is long, and clusters are no families.
const LARGEST: f64 = 1000.0;
/// With less skewness the law is normal for all that can be told.
const EVEN: f64 = 1e-4;

/// `B`, its mean under independence given how many events there are, and the second and third moments about it.
struct Moments {
    observed: f64,
    mean: f64,
    second: f64,
    third: f64,
}

/// The chance of members as alike as these, or more, where the ICC is 0; `None` where nothing varies.
pub(super) fn chance(of: &Tallies) -> Option<f64> {
    let Moments { observed, mean, second, third } = moments(of)?;
    Some(upper((observed - mean) / second.sqrt(), third / second.powf(1.5)))
}

/// `None` where nothing varies, and of clusters that are no families.
fn moments(of: &Tallies) -> Option<Moments> {
    let (mut count, mut n, mut all, mut seen) = (0.0, 0.0, 0.0, 0.0);
    for t in &of.tallies {
        if t.size > LARGEST {
            return None;
        }
        count += t.clusters;
        n += t.clusters * t.size;
        all += t.clusters * t.events;
        seen += t.clusters * t.events * t.events / t.size;
    }
    let p = all / n;
    let q = 1.0 - p;
    let mean = count * p + (n - count) * p * (all - 1.0) / (n - 1.0) - all * p;
    let slope = (1.0 - 2.0 * p) * count / n;
    let (mut second, mut third) = (0.0, 0.0);
    // Tallies are in the order of their sizes.
    for same in of.tallies.chunk_by(|a, b| a.size == b.size) {
        let (m, clusters) = (same[0].size, same.iter().map(|t| t.clusters).sum::<f64>());
        let mut log = m * q.ln();
        let mut s = 0.0;
        while s <= m {
            let x = s - m * p;
            let w = x * x / m - p * q - slope * x;
            let weight = clusters * log.exp();
            second += weight * w * w;
            third += weight * w * w * w;
            log += ((m - s) / (s + 1.0) * p / q).ln();
            s += 1.0;
        }
    }
    if second.is_nan() || second <= 1e-12 * n {
        return None;
    }
    Some(Moments { observed: seen - all * all / n, mean, second, third })
}

/// The upper tail of a standardised gamma variable of this skewness.
fn upper(z: f64, skewness: f64) -> f64 {
    if skewness.abs() < EVEN {
        return normal_sf(z);
    }
    let shape = 4.0 / (skewness * skewness);
    let at = |z: f64| chi2_sf(2.0 * (shape + z * shape.sqrt()), 2.0 * shape);
    if skewness > 0.0 { at(z) } else { 1.0 - at(-z) }
}

#[cfg(test)]
mod tests {
    use super::super::binary::{Tallies, Tally};
    use super::*;

    /// Every assignment of the events to the rows of small clusters, by brute force: mean, and a tail that agrees.
    #[test]
    fn chances_are_near_those_of_all_assignments() {
        let sizes = [1_usize, 2, 2, 3, 3, 4];
        let rows: Vec<usize> = sizes.iter().enumerate().flat_map(|(g, &m)| vec![g; m]).collect();
        let n = rows.len();
        for all in [4_u32, 6, 7] {
            let mut found: Vec<(f64, f64)> = Vec::new();
            let (mut sum, mut mean) = (0.0, f64::NAN);
            for picked in 0..1_u32 << n {
                if picked.count_ones() != all {
                    continue;
                }
                let mut events = [0.0; 6];
                (0..n).filter(|row| picked >> row & 1 == 1).for_each(|row| events[rows[row]] += 1.0);
                let b: f64 = events.iter().zip(sizes).map(|(s, m)| s * s / m as f64).sum();
                let mut tallies: Vec<Tally> = events
                    .iter()
                    .zip(sizes)
                    .map(|(&events, size)| Tally { size: size as f64, events, clusters: 1.0 })
                    .collect();
                tallies.sort_by(|a, b| a.size.total_cmp(&b.size));
                let of = Tallies { tallies, rate: f64::from(all) / n as f64 };
                let known = moments(&of).unwrap();
                sum += known.observed;
                mean = known.mean;
                found.push((b, chance(&of).unwrap()));
            }
            let total = found.len() as f64;
            assert!((sum / total - mean).abs() < 1e-12, "{all} events: mean {mean}, of all {}", sum / total);
            for &(b, near) in &found {
                let tail =
                    |more: f64| found.iter().filter(|(other, _)| *other > b + more).count() as f64 / total;
                let mid = 0.5 * (tail(-1e-9) + tail(1e-9));
                assert!((near - mid).abs() < 0.06, "{all} events: {near} beside {mid}");
            }
        }
    }
}

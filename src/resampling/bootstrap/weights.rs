//! The weights that a wild bootstrap multiplies the scores of clusters by, and the draws of them, found by their number.
//!
//! A draw takes the same number of words of one ChaCha20 stream whatever it holds, so draw b begins at word b times that
//! number: it is the same whoever works it out. Rademacher's signs are bits, 64 clusters a word, the lowest first. Of
//! Webb's a word gives eight, the digits to the base 6 of `word 6^8 / 2^64`, the lowest first, which are uniform to
//! 2^-43; of Mammen's each half of a word one, compared with its probability.
//!
//! E. Mammen (1993), doi:10.1214/aos/1176349025; R. Davidson and E. Flachaire (2008), doi:10.1016/j.jeconom.2008.08.003;
//! M. D. Webb (2023), doi:10.1111/caje.12661.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::rng::{Seed, Stream};
use crate::words::words;

/// The distribution of the weights: independent between clusters, mean 0 and variance 1.
///
/// ```
/// use crewe::resampling::WildWeights;
/// assert_eq!("webb".parse(), Ok(WildWeights::Webb));
/// assert!("uniform".parse::<WildWeights>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WildWeights {
    /// 1 or -1.
    #[default]
    Rademacher,
    /// Plus or minus the root of 1/2, 1 or 3/2: more different draws with very few clusters.
    Webb,
    /// `(1 - sqrt 5) / 2` with probability `(sqrt 5 + 1) / (2 sqrt 5)`, else `(1 + sqrt 5) / 2`: third moment 1.
    Mammen,
}

words!(WildWeights, "distribution of the weights",
       Rademacher => "rademacher", Webb => "webb", Mammen => "mammen");

const ROOT_3_2: f64 = 1.224_744_871_391_589;
const GOLDEN: f64 = 1.618_033_988_749_895;
/// Of Mammen's lower value, in parts of 2^32.
const LOWER: u64 = 3_107_867_531;

impl WildWeights {
    /// What a weight may be; a code is a place in this list.
    pub(super) fn values(self) -> &'static [f64] {
        match self {
            Self::Rademacher => &[-1.0, 1.0],
            Self::Webb => &[-ROOT_3_2, -1.0, -FRAC_1_SQRT_2, FRAC_1_SQRT_2, 1.0, ROOT_3_2],
            Self::Mammen => &[1.0 - GOLDEN, GOLDEN],
        }
    }

    /// Clusters that one word of the stream serves.
    fn a_word(self) -> usize {
        match self {
            Self::Rademacher => 64,
            Self::Webb => 8,
            Self::Mammen => 2,
        }
    }

    fn read(self, word: u64, codes: &mut [u8]) {
        match self {
            Self::Rademacher => {
                for (bit, code) in codes.iter_mut().enumerate() {
                    *code = (word >> bit & 1) as u8;
                }
            }
            Self::Webb => {
                let mut rest = eight_of_six(word);
                for code in codes {
                    *code = (rest % 6) as u8;
                    rest /= 6;
                }
            }
            Self::Mammen => {
                for (half, code) in codes.iter_mut().enumerate() {
                    *code = u8::from(word >> (32 * half) & 0xFFFF_FFFF >= LOWER);
                }
            }
        }
    }
}

/// Draws of the weights of all clusters.
pub(super) struct Draws {
    pub weights: WildWeights,
    pub clusters: usize,
    pub n: usize,
    /// None where the draws are all signs that there can be.
    stream: Option<Stream>,
}

impl Draws {
    /// All signs, where there are no more of them than draws and the trial itself; else so many draws.
    pub fn new(weights: WildWeights, clusters: usize, draws: usize, seed: &Seed) -> Self {
        if let Some(n) = signs(weights, clusters, draws) {
            return Self { weights, clusters, n, stream: None };
        }
        let stream = Stream::new(seed, "wild bootstrap", &[weights.name()], 0);
        Self { weights, clusters, n: draws, stream: Some(stream) }
    }

    /// Whether they are all that there can be.
    pub fn is_exact(&self) -> bool {
        self.stream.is_none()
    }

    /// The codes of draws `first`, `first + 1`, ..., one row of clusters each. Of all signs, the bits of a draw's number
    /// are those of the clusters, the lowest that of the first.
    pub fn codes(&self, first: usize, codes: &mut [u8]) {
        let Some(stream) = &self.stream else {
            for (place, row) in codes.chunks_exact_mut(self.clusters).enumerate() {
                for (bit, code) in row.iter_mut().enumerate() {
                    *code = ((first + place) >> bit & 1) as u8;
                }
            }
            return;
        };
        let a_word = self.weights.a_word();
        let mut stream = stream.past((first * self.clusters.div_ceil(a_word)) as u64);
        for row in codes.chunks_exact_mut(self.clusters) {
            for part in row.chunks_mut(a_word) {
                self.weights.read(stream.next_u64(), part);
            }
        }
    }

    /// As [`Draws::codes`], by groups of clusters: the codes of a group as the digits of one number, that of the first
    /// cluster the lowest. Digits beyond the last cluster mean nothing.
    pub fn groups(&self, first: usize, group: usize, numbers: &mut [u8]) {
        let (width, base) = (self.clusters.div_ceil(group), self.weights.values().len());
        if let Some(stream) = &self.stream {
            let a_word = self.weights.a_word();
            let mut stream = stream.past((first * self.clusters.div_ceil(a_word)) as u64);
            // Groups that no word parts are read off it.
            match (self.weights, group) {
                (WildWeights::Rademacher, 4) => {
                    for row in numbers.chunks_exact_mut(width) {
                        for part in row.chunks_mut(16) {
                            let word = stream.next_u64();
                            for (place, number) in part.iter_mut().enumerate() {
                                *number = (word >> (4 * place) & 15) as u8;
                            }
                        }
                    }
                    return;
                }
                (WildWeights::Webb, 2) => {
                    for row in numbers.chunks_exact_mut(width) {
                        for part in row.chunks_mut(4) {
                            let mut rest = eight_of_six(stream.next_u64());
                            for number in part {
                                *number = (rest % 36) as u8;
                                rest /= 36;
                            }
                        }
                    }
                    return;
                }
                _ => {}
            }
        }
        let mut codes = vec![0; self.clusters];
        for (place, row) in numbers.chunks_exact_mut(width).enumerate() {
            self.codes(first + place, &mut codes);
            for (number, codes) in row.iter_mut().zip(codes.chunks(group)) {
                *number = codes.iter().rev().fold(0, |number, &code| number * base as u8 + code);
            }
        }
    }
}

/// The number below 6^8 that a word stands for.
fn eight_of_six(word: u64) -> u64 {
    ((u128::from(word) * u128::from(6_u64.pow(8))) >> 64) as u64
}

/// How many signs there can be, where so few draws would do; none where they are drawn.
pub(super) fn signs(weights: WildWeights, clusters: usize, draws: usize) -> Option<usize> {
    let all = 1_usize.checked_shl(u32::try_from(clusters).ok()?)?;
    (weights == WildWeights::Rademacher && clusters < 40 && all <= draws.saturating_add(1)).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(weights: WildWeights, clusters: usize, draws: usize) -> Vec<f64> {
        let draws = Draws::new(weights, clusters, draws, &Seed::Integer(5));
        let mut codes = vec![0; draws.n * clusters];
        draws.codes(0, &mut codes);
        codes.iter().map(|&code| weights.values()[usize::from(code)]).collect()
    }

    #[test]
    fn weights_have_the_moments_that_they_should() {
        for (weights, third, fourth) in [
            (WildWeights::Rademacher, 0.0, 1.0),
            (WildWeights::Webb, 0.0, 7.0 / 6.0),
            (WildWeights::Mammen, 1.0, 2.0),
        ] {
            let values = drawn(weights, 101, 4_000);
            let n = values.len() as f64;
            let moment = |power: i32| values.iter().map(|v| v.powi(power)).sum::<f64>() / n;
            for (power, expected) in [(1, 0.0), (2, 1.0), (3, third), (4, fourth)] {
                // The standard deviation of the eighth power of Mammen's is below 7.
                let reach = 4.0 * 7.0 / n.sqrt();
                assert!((moment(power) - expected).abs() < reach, "{weights} {power}: {}", moment(power));
            }
        }
    }

    #[test]
    fn a_draw_is_found_by_its_number() {
        for weights in [WildWeights::Rademacher, WildWeights::Webb, WildWeights::Mammen] {
            let (clusters, seed) = (67, Seed::Integer(9));
            let draws = Draws::new(weights, clusters, 50, &seed);
            let mut all = vec![0; 50 * clusters];
            draws.codes(0, &mut all);
            let mut one = vec![0; 2 * clusters];
            draws.codes(31, &mut one);
            assert_eq!(one, all[31 * clusters..33 * clusters]);
            let more = Draws::new(weights, clusters, 999, &seed);
            let mut again = vec![0; 50 * clusters];
            more.codes(0, &mut again);
            assert_eq!(again, all);
            assert_ne!(all[..clusters], all[clusters..2 * clusters]);
        }
    }

    #[test]
    fn groups_are_the_codes_of_their_clusters() {
        for (weights, group) in [
            (WildWeights::Rademacher, 4),
            (WildWeights::Webb, 2),
            (WildWeights::Mammen, 4),
            (WildWeights::Webb, 1),
        ] {
            let clusters = 71;
            let (width, base) = (usize::div_ceil(clusters, group), weights.values().len());
            let draws = Draws::new(weights, clusters, 9, &Seed::Integer(2));
            let (mut numbers, mut codes) = (vec![0; 5 * width], vec![0; 5 * clusters]);
            draws.groups(3, group, &mut numbers);
            draws.codes(3, &mut codes);
            for (numbers, codes) in numbers.chunks_exact(width).zip(codes.chunks_exact(clusters)) {
                for (cluster, &code) in codes.iter().enumerate() {
                    let digit =
                        usize::from(numbers[cluster / group]) / base.pow((cluster % group) as u32) % base;
                    assert_eq!(digit, usize::from(code), "{weights} {cluster}");
                }
            }
        }
    }

    #[test]
    fn all_signs_come_once() {
        let draws = Draws::new(WildWeights::Rademacher, 3, 7, &Seed::Integer(1));
        assert!(draws.is_exact() && draws.n == 8);
        let mut codes = vec![9; 24];
        draws.codes(0, &mut codes);
        let rows: std::collections::HashSet<&[u8]> = codes.chunks_exact(3).collect();
        assert!(rows.len() == 8 && codes.iter().all(|&code| code < 2));
        for (weights, draws) in [(WildWeights::Rademacher, 6), (WildWeights::Webb, 999)] {
            assert!(!Draws::new(weights, 3, draws, &Seed::Integer(1)).is_exact());
        }
    }
}

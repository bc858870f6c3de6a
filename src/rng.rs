//! Random numbers that a trial can rest on: the same on every platform, thread count and version.
//!
//! The only generator is ChaCha20. A [`Stream`] is named by (seed, purpose, labels, index). Its 256-bit key is
//! SHA-256 over a versioned tag, the seed, the purpose and the labels, each preceded by its length in bytes as a
//! little-endian `u64`; the index is ChaCha's 64-bit stream number (the nonce words), so that replicate 17 of a
//! simulation is found without drawing the 16 before it. Bounded integers, shuffles and normals are specified and
//! implemented here, since `rand` may change its own between versions. A changed draw is a breaking change and
//! gets a new [`TAG`].
//!
//! D. J. Bernstein (2008), ChaCha, a variant of Salsa20; RFC 8439 (2018) for the block function and its vectors;
//! D. Lemire (2019), Fast random integer generation in an interval, doi:10.1145/3230636;
//! M. J. Wichura (1988), Algorithm AS 241, doi:10.2307/2347330.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::{Fault, Result};

/// The version of every rule in this file.
pub const TAG: &str = "crewe/1";

/// What a trial's randomness starts from.
///
/// A small integer makes a draw reproducible but conceals nothing: who has the design can try them all. A trial
/// that must conceal its next allocation takes a 256-bit key.
#[derive(Clone, PartialEq, Eq)]
pub enum Seed {
    /// A reproducible seed.
    Integer(u64),
    /// A secret of 256 bits.
    Key([u8; 32]),
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "Seed::Integer({value})"),
            Self::Key(_) => f.write_str("Seed::Key(redacted)"),
        }
    }
}

impl From<u64> for Seed {
    fn from(value: u64) -> Self {
        Self::Integer(value)
    }
}

impl Seed {
    /// A seed drawn from the operating system, of 53 bits so that every language can print it as an integer.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn from_system() -> Result<Self> {
        use rand::TryRng;
        let word = rand::rngs::SysRng.try_next_u64().map_err(|_| {
            Fault::new("the operating system gave no random seed").remedy("Give a seed yourself").input()
        })?;
        Ok(Self::Integer(word >> 11))
    }

    /// A secret key drawn from the operating system.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new_key() -> Result<Self> {
        use rand::TryRng;
        let mut key = [0_u8; 32];
        rand::rngs::SysRng.try_fill_bytes(&mut key).map_err(|_| {
            Fault::new("the operating system gave no random key").remedy("Try again later").input()
        })?;
        Ok(Self::Key(key))
    }

    /// The bytes that enter hashes: a type byte, then 8 (little-endian) or 32 bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Integer(value) => [&[1_u8][..], &value.to_le_bytes()].concat(),
            Self::Key(key) => [&[2_u8][..], key].concat(),
        }
    }
}

/// A named stream of random numbers.
#[derive(Debug, Clone)]
pub struct Stream {
    chacha: ChaCha20Rng,
}

impl Stream {
    /// The stream of `purpose` and `labels` (a stratum's, say) with number `index` under `seed`.
    ///
    /// ```
    /// use crewe::rng::{Seed, Stream};
    /// let mut a = Stream::new(&Seed::Integer(2017), "assign", &["north"], 0);
    /// let mut b = Stream::new(&Seed::Integer(2017), "assign", &["north"], 0);
    /// assert_eq!(a.below(6), b.below(6));
    /// ```
    pub fn new<S: AsRef<str>>(seed: &Seed, purpose: &str, labels: &[S], index: u64) -> Self {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        field(TAG.as_bytes());
        field(&seed.bytes());
        field(purpose.as_bytes());
        for label in labels {
            field(label.as_ref().as_bytes());
        }
        let mut chacha = ChaCha20Rng::from_seed(hash.finalize().into());
        chacha.set_stream(index);
        Self { chacha }
    }

    /// The stream of the same name with another number, from its beginning: what [`Stream::new`] gives, without
    /// hashing the name again.
    #[must_use]
    pub fn at(&self, index: u64) -> Self {
        let mut chacha = self.chacha.clone();
        chacha.set_stream(index);
        chacha.set_word_pos(0);
        Self { chacha }
    }

    /// The same stream from its number `word` on, counted in numbers of 64 bits: what so many calls of
    /// [`Stream::next_u64`] of a new one leave, without making them.
    pub(crate) fn past(&self, word: u64) -> Self {
        let mut chacha = self.chacha.clone();
        chacha.set_word_pos(2 * u128::from(word));
        Self { chacha }
    }

    /// The next 64 bits: two ChaCha words, the first one low.
    pub fn next_u64(&mut self) -> u64 {
        self.chacha.next_u64()
    }

    /// A uniform integer in `0..bound`, by Lemire's multiplication with exact rejection; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            let low = product as u64;
            // The threshold of rejection, 2^64 mod bound, is below the bound: the slow division is rarely needed.
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 64) as u64;
            }
        }
    }

    /// Fisher-Yates from the last place down: place `i` is swapped with a uniform place in `0..=i`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }

    /// A uniform number in [0, 1) with 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A standard normal number: AS 241 of a uniform on the midpoints of a grid of 2^53.
    pub fn normal(&mut self) -> f64 {
        let u = ((self.next_u64() >> 11) as f64 + 0.5) * (1.0 / (1_u64 << 53) as f64);
        normal_quantile(u)
    }
}

/// The standard normal quantile by AS 241 (PPND16), about 1e-16; `libm` keeps it the same on every platform.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 8] = [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ];
    const B: [f64; 8] = [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_545,
    ];
    const C: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ];
    const D: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    const E: [f64; 8] = [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const F: [f64; 8] = [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ];
    let ratio = |a: &[f64; 8], b: &[f64; 8], r: f64| {
        let horner = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, &x| sum * r + x);
        horner(a) / horner(b)
    };
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(&A, &B, 0.180_625 - q * q);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(tail));
    let value = if r <= 5.0 { ratio(&C, &D, r - 1.6) } else { ratio(&E, &F, r - 5.0) };
    if q < 0.0 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439 section 2.4.2 fixes the block function with a 32-bit counter and a 96-bit nonce; ours has 64 and
    /// 64 bits. With key 00..1f, counter 1 and nonce 000000000000004a00000000 the words 13 to 15 are 0, 0x4a000000
    /// and 0: word 13 is the high half of our counter and the pair (14, 15) our stream number.
    #[test]
    fn rfc_8439_keystream() {
        let key: [u8; 32] = std::array::from_fn(|i| i as u8);
        let mut chacha = ChaCha20Rng::from_seed(key);
        chacha.set_stream(0x0000_0000_4a00_0000);
        chacha.set_word_pos(16);
        let mut stream = [0_u8; 16];
        chacha.fill_bytes(&mut stream);
        // The RFC's ciphertext XOR its plaintext, first 16 bytes of section 2.4.2.
        let expected =
            [0x22, 0x4f, 0x51, 0xf3, 0x40, 0x1b, 0xd9, 0xe1, 0x2f, 0xde, 0x27, 0x6f, 0xb8, 0x63, 0x1d, 0xed];
        assert_eq!(stream, expected);
    }

    /// RFC 8439 appendix A.1, test vectors 1 and 2: the zero key, counters 0 and 1.
    #[test]
    fn rfc_8439_zero_key() {
        let mut chacha = ChaCha20Rng::from_seed([0; 32]);
        let mut block = [0_u8; 64];
        chacha.fill_bytes(&mut block);
        assert_eq!(block[..8], [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]);
        chacha.fill_bytes(&mut block);
        assert_eq!(block[..8], [0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a]);
    }

    #[test]
    fn bounded_draws_are_uniform() {
        let mut stream = Stream::new::<&str>(&Seed::Integer(1), "test", &[], 0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        let chi: f64 = counts.iter().map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4).sum();
        assert!(chi < 22.5, "{counts:?}"); // chi-squared, 6 df, p = .001
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
    }

    #[test]
    fn streams_differ_by_every_part_of_their_name() {
        let first = |seed: &Seed, purpose: &str, labels: &[&str], index| {
            Stream::new(seed, purpose, labels, index).next_u64()
        };
        let seed = Seed::Integer(5);
        let base = first(&seed, "assign", &["ab", "c"], 0);
        assert_ne!(base, first(&seed, "assign", &["a", "bc"], 0));
        assert_ne!(base, first(&seed, "assign", &["ab", "c"], 1));
        assert_ne!(base, first(&seed, "draws", &["ab", "c"], 0));
        assert_ne!(base, first(&Seed::Integer(6), "assign", &["ab", "c"], 0));
        assert_eq!(format!("{:?}", Seed::Key([7; 32])), "Seed::Key(redacted)");
        let mut used = Stream::new(&seed, "assign", &["ab", "c"], 0);
        used.below(5);
        assert_eq!(used.at(3).next_u64(), first(&seed, "assign", &["ab", "c"], 3));
    }

    /// Wichura's own check values (AS 241).
    #[test]
    fn as_241() {
        for (p, z) in [
            (0.25, -0.674_489_750_196_081_7),
            (0.001, -3.090_232_306_167_813_5),
            (1e-20, -9.262_340_089_798_408),
        ] {
            assert!((normal_quantile(p) / z - 1.0_f64).abs() < 1e-15, "{p}");
        }
    }
}

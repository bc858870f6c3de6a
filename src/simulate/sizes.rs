//! How many members clusters have, where they are not yet known.

use serde::Serialize;

use crate::rng::Stream;
use crate::{Fault, Result};

/// Sizes with whole-number weights, from which each cluster draws its own.
///
/// ```
/// use crewe::rng::{Seed, Stream};
/// use crewe::simulate::Sizes;
/// let sizes = Sizes::new([(1, 336), (2, 281), (3, 383)])?;
/// let mut stream = Stream::new::<&str>(&Seed::Integer(1), "sizes", &[], 0);
/// assert!((1..=3).contains(&sizes.draw(&mut stream)));
/// assert!((sizes.mean() - 2.047).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sizes {
    weighted: Vec<(u32, u64)>,
    total: u64,
}

impl Sizes {
    /// Sizes with their weights.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a size of 0 or above a million, weights that are all 0, and none at all.
    pub fn new(weighted: impl IntoIterator<Item = (u32, u64)>) -> Result<Self> {
        let weighted: Vec<(u32, u64)> = weighted.into_iter().collect();
        let wrong = weighted.iter().filter(|(size, _)| !(1..=1_000_000).contains(size));
        let wrong: Vec<String> = wrong.map(|(size, _)| size.to_string()).collect();
        let total = weighted.iter().try_fold(0_u64, |sum, (_, weight)| sum.checked_add(*weight));
        match total {
            Some(total @ 1..) if wrong.is_empty() => Ok(Self { weighted, total }),
            _ => Err(Fault::new("clusters have a whole number of members, at least 1 and at most a million")
                .values(wrong)
                .remedy("Give sizes with weights above 0, such as {1: 34, 2: 28, 3: 38}")
                .input()),
        }
    }

    /// The same size for all.
    ///
    /// # Errors
    /// As [`Sizes::new`].
    pub fn equal(size: u32) -> Result<Self> {
        Self::new([(size, 1)])
    }

    /// The size of one cluster: a uniform whole number below the sum of the weights, counted off in the order of the sizes;
    /// nothing is drawn where there is one size only.
    pub fn draw(&self, stream: &mut Stream) -> u32 {
        let mut place = if self.weighted.len() > 1 { stream.below(self.total) } else { 0 };
        for &(size, weight) in &self.weighted {
            if place < weight {
                return size;
            }
            place -= weight;
        }
        // The weights sum to the bound of `place`.
        self.largest()
    }

    /// The mean size.
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.weighted.iter().map(|&(size, weight)| f64::from(size) * weight as f64).sum();
        sum / self.total as f64
    }

    /// The largest size that may come out.
    pub fn largest(&self) -> u32 {
        self.weighted.iter().filter(|(_, weight)| *weight > 0).map(|(size, _)| *size).max().unwrap_or(1)
    }
}

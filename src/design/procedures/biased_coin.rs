//! Biased coin: a draw that leans towards the arm that is behind.
//!
//! One of the fake arms with the smallest count, drawn uniformly among them, is preferred: it is taken with
//! probability p, each other fake arm with (1 - p) / (R - 1). At equal ratios there is one fake arm for each arm
//! ([`super::minimisation`] says how unequal ones are kept), and with two arms this is Efron's rule: the arm that is
//! behind with probability p, a fair coin when they are even. With more arms an arm that is behind never has less
//! chance than one that is ahead, for every p >= 1/R; it is minimisation without factors.
//!
//! B. Efron (1971), Forcing a sequential experiment to be balanced, doi:10.1093/biomet/58.3.403.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::options::{Draws, Entry, Options};
use crate::Result;
use crate::design::engine::fake_arms::{self, Chances, Counts, OneByOne, Sequential};
use crate::design::engine::fraction::Fraction;
use crate::design::engine::procedure::Procedure;
use crate::design::engine::stepwise::Stepwise;
use crate::design::units::Units;
use crate::design::{Design, Ratio};
use crate::progress::Monitor;

pub(super) const ENTRY: Entry = Entry { name: "biased_coin", draws: Draws::InOrder };

/// Options of the biased coin.
///
/// ```
/// use crewe::design::{BiasedCoin, Fraction};
/// assert_eq!(BiasedCoin::new(Fraction::new(2, 3)).p.value(), 2.0 / 3.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BiasedCoin {
    /// The probability of the (fake) arms that are behind.
    pub p: Fraction,
}

impl BiasedCoin {
    /// The probability of the (fake) arms that are behind.
    #[must_use]
    pub fn new(p: Fraction) -> Self {
        Self { p }
    }

    fn rule(self) -> Arc<dyn fake_arms::Rule> {
        Arc::new(Rule { p: self.p })
    }
}

impl Options for BiasedCoin {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn text(&self) -> String {
        format!("a biased coin with p = {}", self.p.shown(4))
    }

    fn check(&self) -> Result<()> {
        self.p.check_positive("the coin's probability")
    }

    fn check_ratio(&self, ratio: &Ratio) -> Result<()> {
        fake_arms::check_ratio(ratio)?;
        self.p.check("the coin's probability", Fraction::new(1, ratio.total))
    }

    fn ready(&self, design: &Design, units: &Units, _monitor: &dyn Monitor) -> Result<Box<dyn Procedure>> {
        Ok(Box::new(Sequential::plain(units.members_in_order(), design.ratio(), self.rule())))
    }

    fn stepwise(&self, ratio: Ratio) -> Option<Arc<dyn Stepwise>> {
        Some(Arc::new(OneByOne::new(ratio, self.rule())))
    }
}

/// The biased coin of this probability.
#[derive(Debug, Clone)]
struct Rule {
    p: Fraction,
}

impl fake_arms::Rule for Rule {
    fn weigh(&self, counts: &Counts, slots: &[u32], chances: &mut Chances) {
        chances.scores.clear();
        chances.scores.extend(counts.slot(slots[0]).iter().map(|&count| u128::from(count)));
        chances.prefer_smallest(self.p);
    }

    fn always_open(&self) -> bool {
        self.p.numerator < self.p.denominator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_arms_are_efrons_coin() {
        let rule = Rule { p: Fraction::new(2, 3) };
        let mut counts = Counts::default();
        counts.clear(1, 2);
        let mut chances = Chances::default();
        // The chance of the first arm when it is even, one ahead, two ahead, one ahead, even, one behind.
        let chance = [(1, 2), (1, 3), (1, 3), (1, 3), (1, 2), (2, 3)];
        for (drawn, (upper, lower)) in [0, 0, 1, 1, 1, 0].into_iter().zip(chance) {
            fake_arms::Rule::weigh(&rule, &counts, &[0], &mut chances);
            assert_eq!(chances.of[0] * lower, chances.total * upper);
            counts.add(&[0], drawn);
        }
    }
}

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

use super::fake_arms::{self, Chances, Counts};
use super::{BiasedCoin, Fraction};

/// The biased coin of this probability.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub p: Fraction,
}

pub(super) fn rule(options: &BiasedCoin) -> Arc<dyn fake_arms::Rule> {
    Arc::new(Rule { p: options.p })
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

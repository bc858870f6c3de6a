//! Big stick: a fair draw while the arms are less than a limit apart.
//!
//! Of the fake arms (one for each arm at equal ratios: [`super::minimisation`] says how unequal ones are kept), those
//! may be drawn whose count exceeds the smallest count by less than the limit b, each with the same probability. With
//! two arms this is the published rule: a fair coin until one arm is b ahead, then the other arm for certain. The
//! counts are never more than b apart.
//!
//! J. F. Soares and C. F. J. Wu (1983), Some restricted randomization rules in sequential designs,
//! doi:10.1080/03610928308828586.

use std::sync::Arc;

use super::BigStick;
use super::fake_arms::{self, Chances, Counts};

/// The big stick of this limit.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub limit: u32,
}

pub(super) fn rule(options: BigStick) -> Arc<dyn fake_arms::Rule> {
    Arc::new(Rule { limit: options.limit })
}

impl fake_arms::Rule for Rule {
    fn weigh(&self, counts: &Counts, slots: &[u32], chances: &mut Chances) {
        let counts = counts.slot(slots[0]);
        let least = counts.iter().min().copied().unwrap_or(0);
        chances.among(counts.len(), |fake| counts[fake] - least < self.limit);
    }

    fn always_open(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arm_that_is_ahead_by_the_limit_is_closed() {
        let rule = Rule { limit: 2 };
        let mut counts = Counts::default();
        counts.clear(1, 3);
        let mut chances = Chances::default();
        for (drawn, want) in [(1, [1, 1, 1]), (1, [1, 1, 1]), (0, [1, 0, 1]), (2, [1, 0, 1]), (0, [1, 1, 1])]
        {
            fake_arms::Rule::weigh(&rule, &counts, &[0], &mut chances);
            assert_eq!(chances.of, want);
            counts.add(&[0], drawn);
        }
    }
}

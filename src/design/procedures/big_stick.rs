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

use serde::{Deserialize, Serialize};

use super::options::{Draws, Entry, Options, refused};
use crate::Result;
use crate::design::engine::fake_arms::{self, Chances, Counts, OneByOne, Sequential};
use crate::design::engine::procedure::Procedure;
use crate::design::engine::stepwise::Stepwise;
use crate::design::units::Units;
use crate::design::{Design, Ratio};
use crate::progress::Monitor;

pub(super) const ENTRY: Entry = Entry { name: "big_stick", draws: Draws::InOrder };

/// Options of the big stick.
///
/// ```
/// assert_eq!(crewe::design::BigStick::new(3).limit, 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BigStick {
    /// The largest difference between (fake) arms that is allowed.
    pub limit: u32,
}

impl BigStick {
    /// The largest difference between (fake) arms that is allowed.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit }
    }

    fn rule(self) -> Arc<dyn fake_arms::Rule> {
        Arc::new(Rule { limit: self.limit })
    }
}

impl Options for BigStick {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn text(&self) -> String {
        format!("the big stick with a limit of {}", self.limit)
    }

    fn check(&self) -> Result<()> {
        if self.limit > 0 {
            return Ok(());
        }
        Err(refused("the big stick needs a limit of at least 1", [0], "Use for instance a limit of 3"))
    }

    fn check_ratio(&self, ratio: &Ratio) -> Result<()> {
        fake_arms::check_ratio(ratio)
    }

    fn ready(&self, design: &Design, units: &Units, _monitor: &dyn Monitor) -> Result<Box<dyn Procedure>> {
        Ok(Box::new(Sequential::plain(units.members_in_order(), design.ratio(), self.rule())))
    }

    fn stepwise(&self, ratio: Ratio) -> Option<Arc<dyn Stepwise>> {
        Some(Arc::new(OneByOne::new(ratio, self.rule())))
    }
}

/// The big stick of this limit.
#[derive(Debug, Clone)]
struct Rule {
    limit: u32,
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

//! Complete randomisation: every stratum is split between the arms in the ratio.
//!
//! A stratum of n units under the ratio r_1 : ... : r_J with R = sum of r_j (in lowest terms):
//!
//! 1. arm j gets floor(n r_j / R) places;
//! 2. the u places left over, u = sum_j (n r_j mod R) / R, go to u different arms by systematic sampling in random
//!    order (W. G. Madow 1949, doi:10.1214/aoms/1177729988; J. Hájek 1964): the arms are shuffled, laid end to end
//!    as segments of length n r_j mod R, and one gets a place if its segment holds one of the points s, s + R,
//!    s + 2R, ... for a uniform whole number s in 0..R. Nothing is drawn where u = 0;
//! 3. the list of places, all of the first arm first, is shuffled and dealt to the units in canonical order.
//!
//! All of it is whole numbers. Given any order, an arm's segment holds a point for exactly n r_j mod R of the R
//! starts, so the expected number of places is n r_j / R and every unit's probability of arm j is exactly r_j / R,
//! whatever n is. The rule is that of `misfits` within strata in A. Carril (2017), Stata Journal 17, st0490, with
//! the probabilities made exact; other rules for the units left over are in [`crate::design::misfits`].

use serde::{Deserialize, Serialize};

use super::options::{Draws, Entry, Options};
use crate::design::engine::misfits::{self, Misfits};
use crate::design::engine::misfits_pooled::Pooled;
use crate::design::engine::procedure::{Procedure, by_stratum};
use crate::design::engine::split;
pub use crate::design::engine::split::{assign, places, possible, probabilities};
use crate::design::units::Units;
use crate::design::{Design, Ratio};
use crate::progress::Monitor;
use crate::setters::setters;
use crate::{Fault, Result};

pub(super) const ENTRY: Entry = Entry { name: "complete", draws: Draws::AtOnce };

/// Options of complete randomisation.
///
/// ```
/// use crewe::design::{Complete, Misfits};
/// assert_eq!(Complete::default().misfits(Misfits::LeaveOut).misfits, Misfits::LeaveOut);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Complete {
    /// What happens to units that are left over where a stratum does not divide by the ratio.
    #[serde(default, skip_serializing_if = "Misfits::is_default")]
    pub misfits: Misfits,
}

setters!(Complete, misfits: plain(Misfits));

impl Options for Complete {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn text(&self) -> String {
        match self.misfits {
            Misfits::Strata => "complete randomisation".to_owned(),
            rule => format!("complete randomisation (misfits: {})", rule.name().replace('_', " ")),
        }
    }

    fn ready(&self, design: &Design, units: &Units, _monitor: &dyn Monitor) -> Result<Box<dyn Procedure>> {
        let (members, ratio) = (units.members(), design.ratio());
        let arms = ratio.shares.len();
        Ok(match self.misfits {
            Misfits::Strata => by_stratum(members, arms, split::Rule { ratio }),
            Misfits::LeaveOut => {
                refuse_all_left_out(&members, &ratio)?;
                by_stratum(members, arms, misfits::Within { ratio, leave_out: true })
            }
            Misfits::WeightedStrata => by_stratum(members, arms, misfits::Within { ratio, leave_out: false }),
            Misfits::Global => Box::new(Pooled::new(members, ratio, false)),
            Misfits::WeightedGlobal => Box::new(Pooled::new(members, ratio, true)),
        })
    }

    fn one_block(&self) -> bool {
        self.misfits == Misfits::Strata
    }

    fn left_over(&self, ratio: &Ratio) -> Option<&'static str> {
        Some(misfits::told(self.misfits, ratio))
    }
}

/// Refuses a trial in which every unit would be left out.
fn refuse_all_left_out(members: &[Vec<u32>], ratio: &Ratio) -> Result<()> {
    if members.iter().any(|members| members.len() as u64 >= ratio.total) {
        return Ok(());
    }
    Err(Fault::new("no stratum holds one round of the ratio, so every unit would be left out")
        .values([
            format!("the ratio's sum is {}", ratio.total),
            format!("the largest stratum has {}", members.iter().map(Vec::len).max().unwrap_or(0)),
        ])
        .remedy("Use fewer strata, or another rule for misfits")
        .design())
}

//! Every procedure by its method: the one place that knows them all, above the files that each hold one.
//!
//! A new procedure has its options in `method.rs`, its own file, and an arm here.

use super::fake_arms::Sequential;
use super::misfits_pooled::Pooled;
use super::procedure::{Probabilities, Procedure, Support, by_stratum};
use super::{Design, Method, Misfits, Ratio, Units};
use super::{
    biased_coin, big_stick, blocks, complete, constrained, matched, minimisation, misfits, rerandomised,
    simple,
};
use crate::progress::{Monitor, watcher};
use crate::{Fault, Result};

impl Design {
    /// The procedure made ready for these units.
    pub(crate) fn procedure(&self, units: &Units, monitor: &dyn Monitor) -> Result<Box<dyn Procedure>> {
        self.check_units(units)?;
        let (ratio, arms) = (self.ratio(), self.arms().len());
        Ok(match self.the_method() {
            Method::Simple(_) => by_stratum(self.in_order(units)?, arms, simple::Rule { ratio }),
            Method::Complete(options) if options.misfits == Misfits::Strata => {
                by_stratum(units.members(), arms, complete::Rule { ratio })
            }
            Method::Blocks(options) => {
                let sizes = options.sizes.clone();
                by_stratum(self.in_order(units)?, arms, blocks::Rule { ratio, sizes })
            }
            Method::BigStick(options) => {
                Box::new(Sequential::plain(self.in_order(units)?, ratio, big_stick::rule(*options)))
            }
            Method::BiasedCoin(options) => {
                Box::new(Sequential::plain(self.in_order(units)?, ratio, biased_coin::rule(options)))
            }
            Method::Minimisation(options) => {
                Box::new(minimisation::procedure(options, ratio, units, self.in_order(units)?)?)
            }
            Method::Complete(options) => complete_with(units.members(), ratio, options.misfits)?,
            Method::MatchedSets(options) => Box::new(matched::ready(units, ratio, options, monitor)?),
            Method::Constrained(options) => Box::new(constrained::ready(self, units, options, monitor)?),
            Method::Rerandomised(options) => Box::new(rerandomised::ready(self, units, options, monitor)?),
        })
    }

    /// The units of each stratum, in order of arrival where it is known, else in canonical order.
    ///
    /// # Errors
    /// [`crate::Error::Design`] where the procedure needs the order and there is none.
    pub(super) fn in_order(&self, units: &Units) -> Result<Vec<Vec<u32>>> {
        if units.arrivals().is_none() && self.the_method().needs_order() {
            return Err(Fault::new(format!(
                "{} draws one unit after the other, so it must know the order in which they arrived",
                self.the_method().name()
            ))
            .remedy("Name the column with the order or date of arrival")
            .design());
        }
        Ok(units.members_in_order())
    }

    /// Every unit's probability of every arm.
    ///
    /// # Errors
    /// [`crate::Error::Design`] when the design cannot be carried out.
    pub fn probabilities(&self, units: &Units) -> Result<Probabilities> {
        let monitor = &watcher();
        self.procedure(units, monitor)?.probabilities(monitor)
    }

    /// All assignments that the procedure can give to these units, each with its probability; nothing where there
    /// are more than `most`.
    ///
    /// # Errors
    /// [`crate::Error::Design`] when the design cannot be carried out.
    pub fn support(&self, units: &Units, most: usize) -> Result<Option<Support>> {
        let monitor = &watcher();
        self.procedure(units, monitor)?.support(most, monitor)
    }
}

/// Complete randomisation with this rule for the units left over.
fn complete_with(members: Vec<Vec<u32>>, ratio: Ratio, rule: Misfits) -> Result<Box<dyn Procedure>> {
    let arms = ratio.shares.len();
    Ok(match rule {
        Misfits::Strata => by_stratum(members, arms, complete::Rule { ratio }),
        Misfits::LeaveOut => {
            refuse_all_left_out(&members, &ratio)?;
            by_stratum(members, arms, misfits::Within { ratio, leave_out: true })
        }
        Misfits::WeightedStrata => by_stratum(members, arms, misfits::Within { ratio, leave_out: false }),
        Misfits::Global => Box::new(Pooled::new(members, ratio, false)),
        Misfits::WeightedGlobal => Box::new(Pooled::new(members, ratio, true)),
    })
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

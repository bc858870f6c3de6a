//! Matched sets: complete randomisation within sets of two or more units that are alike.
//!
//! The sets are given by a column or are pairs built here. Within a set the arms are dealt by complete randomisation
//! ([`super::complete`]), so every unit's probability of arm j is exactly r_j / R, also in sets that do not divide by
//! the ratio. Each set has random numbers of its own, in the stream of its stratum at the step whose number is the
//! first eight bytes (big-endian) of SHA-256 over the set's name; adding a set changes no other.
//!
//! *Given sets* are nested in strata: one name in two strata is refused, as is a set of one unit.
//!
//! *Built pairs* have the smallest sum of Mahalanobis distances sqrt((x_i - x_j)' S^-1 (x_i - x_j)) of all pairings
//! within strata (optimal, not greedy: R. Greevy, B. Lu, J. H. Silber, P. Rosenbaum 2004, Biostatistics 5, 263-275,
//! doi:10.1093/biostatistics/5.2.263). S is the covariance within strata. Distances are brought to whole numbers of up
//! to 40 bits; pairings that then tie are chosen between by the fixed order of the search over units in canonical
//! order. In a stratum of odd size one unit is left over, the one without which the sum over the rest is smallest; it
//! joins the pair to which its two distances are smallest, as a set of three, since a unit alone could not be compared.
//! A stratum of one unit is refused. A set is named after its first unit.

use ndarray::Array2;
use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use super::procedure::{
    Details, Probabilities, Procedure, Scratch, Support, Weighed, WithinStratum, product,
};
use super::random::Random;
use super::score::{Columns, Score};
use super::{MatchedSets, Ratio, Units, complete, matching};
use crate::progress::Monitor;
use crate::{Fault, Result};

/// A set of units.
struct Set {
    name: String,
    stratum: usize,
    /// The number of its step.
    step: u64,
    members: Vec<u32>,
}

/// Matched sets made ready for the units of one trial.
pub(super) struct Ready {
    sets: Vec<Set>,
    units: usize,
    ratio: Ratio,
    built: bool,
}

/// Reads or builds the sets.
pub(super) fn ready(
    units: &Units,
    ratio: Ratio,
    options: &MatchedSets,
    monitor: &dyn Monitor,
) -> Result<Ready> {
    let (sets, built) = match options {
        MatchedSets::Given(given) => (given_sets(units, &given.on)?, false),
        MatchedSets::Built(pairs) => (built_sets(units, &pairs.on, monitor)?, true),
    };
    Ok(Ready { sets, units: units.len(), ratio, built })
}

fn given_sets(units: &Units, on: &str) -> Result<Vec<Set>> {
    let factor = units.the_factor(on)?;
    let mut sets: Vec<Set> = factor
        .levels
        .iter()
        .map(|name| Set { name: name.clone(), stratum: usize::MAX, step: step(name), members: vec![] })
        .collect();
    let mut spanning = Vec::new();
    for (unit, &level) in factor.level.iter().enumerate() {
        let set = &mut sets[level as usize];
        let stratum = units.stratum()[unit] as usize;
        if set.stratum == usize::MAX {
            set.stratum = stratum;
        } else if set.stratum != stratum {
            spanning.push(set.name.clone());
        }
        set.members.push(unit as u32);
    }
    if !spanning.is_empty() {
        spanning.sort_unstable();
        spanning.dedup();
        return Err(Fault::new(format!("{} matched sets lie in more than one stratum", spanning.len()))
            .column(on)
            .ids(spanning)
            .remedy("Match within strata, and name sets of different strata differently")
            .design());
    }
    let alone: Vec<&Set> = sets.iter().filter(|set| set.members.len() < 2).collect();
    if !alone.is_empty() {
        let named = |set: &&Set| {
            let unit = set.members.first().map_or("", |&unit| units.labels()[unit as usize].as_str());
            format!("{} (only {unit})", set.name)
        };
        return Err(Fault::new(format!(
            "{} matched sets have one unit, which has nothing to be compared with",
            alone.len()
        ))
        .column(on)
        .ids(alone.iter().map(named))
        .remedy("Join each to another set, or leave these units out of the trial")
        .design());
    }
    sets.sort_by_key(|set| set.stratum);
    Ok(sets)
}

fn built_sets(units: &Units, on: &[String], monitor: &dyn Monitor) -> Result<Vec<Set>> {
    let members = units.members();
    let alone: Vec<String> = members
        .iter()
        .zip(units.strata())
        .filter(|(members, _)| members.len() < 2)
        .map(|(members, labels)| {
            format!("{} (only {})", labels.join(" / "), units.labels()[members[0] as usize])
        })
        .collect();
    if !alone.is_empty() {
        return Err(Fault::new(format!("{} strata have one unit, which cannot be matched", alone.len()))
            .ids(alone)
            .remedy("Use fewer strata, or leave these units out of the trial")
            .design());
    }
    let columns = Columns::new(units, on.iter().map(|column| (column.as_str(), 1)))?;
    let score = Score::mahalanobis(&columns, 2, &members)?;
    let mut sets = Vec::new();
    for (stratum, members) in members.iter().enumerate() {
        let distance = |a: usize, b: usize| {
            let (a, b) = (score.row(members[a] as usize), score.row(members[b] as usize));
            a.iter().zip(b).fold(0.0, |sum, (x, y)| sum + (x - y) * (x - y)).sqrt()
        };
        for set in matching::sets(members.len(), &distance, monitor)? {
            let members: Vec<u32> = set.iter().map(|&place| members[place]).collect();
            let name = units.labels()[members[0] as usize].clone();
            sets.push(Set { step: step(&name), name, stratum, members });
        }
    }
    Ok(sets)
}

/// The number of the step that draws the set of this name.
fn step(name: &str) -> u64 {
    let hash = Sha256::digest(name.as_bytes());
    hash.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}

impl Procedure for Ready {
    fn draw(&self, random: Random<'_>, scratch: &mut Scratch<'_>, arm: &mut [u8]) -> Result<()> {
        let mut stratum = usize::MAX;
        let mut steps = None;
        for set in &self.sets {
            scratch.pace.by(set.members.len())?;
            if steps.is_none() || set.stratum != stratum {
                stratum = set.stratum;
                steps = Some(random.stratum(stratum));
            }
            if let Some(steps) = &mut steps {
                complete::draw(set.members.len(), &self.ratio, steps.step(set.step), scratch);
            }
            for (&unit, &drawn) in set.members.iter().zip(&scratch.arms) {
                arm[unit as usize] = drawn;
            }
        }
        Ok(())
    }

    fn probabilities(&self, _monitor: &dyn Monitor) -> Result<Probabilities> {
        let shares = complete::probabilities(&self.ratio);
        let arm = Array2::from_shape_fn((self.units, shares.len()), |(_, arm)| shares[arm]);
        Ok(Probabilities { arm, simulated: None })
    }

    fn possible(&self, _monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        Ok(self.sets.iter().map(|set| complete::possible(set.members.len(), &self.ratio)).product())
    }

    fn support(&self, most: usize, monitor: &dyn Monitor) -> Result<Option<Support>> {
        if self.possible(monitor)?.is_none_or(|count| count > BigUint::from(most)) {
            return Ok(None);
        }
        let rule = complete::Rule { ratio: self.ratio.clone() };
        let within: Option<Vec<Vec<Weighed>>> = self
            .sets
            .iter()
            .map(|set| rule.support(set.members.len(), most, monitor))
            .collect::<Result<_>>()?;
        let members: Vec<Vec<u32>> = self.sets.iter().map(|set| set.members.clone()).collect();
        within.map_or(Ok(None), |within| product(&members, self.units, &within, most, monitor))
    }

    fn details(&self, _random: Random<'_>, _monitor: &dyn Monitor) -> Result<Details> {
        let mut block = vec![0; self.units];
        for (number, set) in self.sets.iter().enumerate() {
            for &unit in &set.members {
                block[unit as usize] = number as u32;
            }
        }
        Ok(Details { block: Some(block), ..Details::default() })
    }

    fn notes(&self, _monitor: &dyn Monitor) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        let threes: Vec<&str> =
            self.sets.iter().filter(|set| set.members.len() == 3).map(|set| set.name.as_str()).collect();
        if self.built {
            notes.push(format!("{} sets were built by optimal matching", self.sets.len()));
            if !threes.is_empty() {
                notes.push(format!(
                    "{} strata have an odd number of units: there one set holds three (that of {})",
                    threes.len(),
                    threes.join(", "),
                ));
            }
        }
        let misfits = self
            .sets
            .iter()
            .filter(|set| !(set.members.len() as u64).is_multiple_of(self.ratio.total))
            .count();
        if misfits > 0 {
            notes.push(format!(
                "{misfits} of {} sets do not divide by the ratio: the places left over are drawn so that every unit's \
                 probability is exactly the ratio",
                self.sets.len(),
            ));
        }
        Ok(notes)
    }
}

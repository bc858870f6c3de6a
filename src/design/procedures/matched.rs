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
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use super::options::{Draws, Entry, NONE, Options, normalise, refused};
use crate::design::engine::procedure::{
    Details, Probabilities, Procedure, Scratch, Support, Weighed, WithinStratum, product,
};
use crate::design::engine::random::Random;
use crate::design::engine::score::{Columns, Score};
use crate::design::engine::{matching, split};
use crate::design::units::Units;
use crate::design::units::column::nfc;
use crate::design::{Design, Ratio};
use crate::progress::Monitor;
use crate::{Fault, Result};

pub(super) const ENTRY: Entry = Entry { name: "matched_sets", draws: Draws::AtOnce };

/// Options of matched sets: given by a column, or pairs built by optimal matching on covariates.
///
/// ```
/// use crewe::design::MatchedSets;
/// assert!(matches!(MatchedSets::given("pair"), MatchedSets::Given(sets) if sets.on == "pair"));
/// assert!(matches!(MatchedSets::built(["age", "rate"]), MatchedSets::Built(pairs) if pairs.on.len() == 2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum MatchedSets {
    /// The sets are given.
    Given(GivenSets),
    /// Pairs are built.
    Built(BuiltPairs),
}

impl MatchedSets {
    /// The sets that a column names.
    pub fn given(column: impl Into<String>) -> Self {
        Self::Given(GivenSets { on: column.into() })
    }

    /// Pairs built by optimal matching on covariates.
    pub fn built<S: Into<String>>(covariates: impl IntoIterator<Item = S>) -> Self {
        Self::Built(BuiltPairs { on: covariates.into_iter().map(Into::into).collect() })
    }
}

impl<'de> Deserialize<'de> for MatchedSets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Either {
            on: Option<String>,
            r#match: Option<Vec<String>>,
        }

        match Either::deserialize(deserializer)? {
            Either { on: Some(on), r#match: None } => Ok(Self::given(on)),
            Either { on: None, r#match: Some(covariates) } => Ok(Self::built(covariates)),
            Either { .. } => Err(D::Error::invalid_value(
                Unexpected::Map,
                &"either on (the column of sets that are given) or match (covariates to build pairs by)",
            )),
        }
    }
}

/// Sets that a column names: [`MatchedSets::given`].
///
/// ```
/// use crewe::design::MatchedSets;
/// let MatchedSets::Given(sets) = MatchedSets::given("pair") else { unreachable!() };
/// assert_eq!(sets.on, "pair");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GivenSets {
    /// The column that names each unit's set.
    pub on: String,
}

/// Pairs with the smallest sum of Mahalanobis distances: [`MatchedSets::built`].
///
/// ```
/// use crewe::design::MatchedSets;
/// let MatchedSets::Built(pairs) = MatchedSets::built(["age"]) else { unreachable!() };
/// assert_eq!(pairs.on, ["age"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BuiltPairs {
    /// The covariates to match on.
    #[serde(rename = "match")]
    pub on: Vec<String>,
}

impl Options for MatchedSets {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn text(&self) -> String {
        match self {
            Self::Given(sets) => format!("randomisation within the sets of {}", sets.on),
            Self::Built(pairs) => format!("randomisation within pairs matched on {}", pairs.on.join(", ")),
        }
    }

    fn factors(&self) -> Vec<&str> {
        match self {
            Self::Given(sets) => vec![&sets.on],
            Self::Built(_) => vec![],
        }
    }

    fn covariates(&self) -> Vec<&str> {
        match self {
            Self::Given(_) => vec![],
            Self::Built(pairs) => pairs.on.iter().map(String::as_str).collect(),
        }
    }

    fn normalise(&mut self) {
        match self {
            Self::Given(sets) => sets.on = nfc(&sets.on),
            Self::Built(pairs) => normalise(&mut pairs.on),
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Built(pairs) if pairs.on.is_empty() => {
                Err(refused("matching needs covariates", NONE, "Name at least one column"))
            }
            _ => Ok(()),
        }
    }

    fn check_ratio(&self, ratio: &Ratio) -> Result<()> {
        match self {
            Self::Built(_) if ratio.total != 2 => Err(refused(
                "pairs are built for two arms at 1:1 only",
                &ratio.shares,
                "Name a column that gives the sets, for other ratios",
            )),
            _ => Ok(()),
        }
    }

    fn ready(&self, design: &Design, units: &Units, monitor: &dyn Monitor) -> Result<Box<dyn Procedure>> {
        let (sets, built) = match self {
            Self::Given(given) => (given_sets(units, &given.on)?, false),
            Self::Built(pairs) => (built_sets(units, &pairs.on, monitor)?, true),
        };
        Ok(Box::new(Ready { sets, units: units.len(), ratio: design.ratio(), built }))
    }

    fn in_sets(&self) -> bool {
        true
    }
}

/// A set of units.
struct Set {
    name: String,
    stratum: usize,
    /// The number of its step.
    step: u64,
    members: Vec<u32>,
}

/// Matched sets made ready for the units of one trial.
struct Ready {
    sets: Vec<Set>,
    units: usize,
    ratio: Ratio,
    built: bool,
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
                split::draw(set.members.len(), &self.ratio, steps.step(set.step), scratch);
            }
            for (&unit, &drawn) in set.members.iter().zip(&scratch.arms) {
                arm[unit as usize] = drawn;
            }
        }
        Ok(())
    }

    fn probabilities(&self, _monitor: &dyn Monitor) -> Result<Probabilities> {
        let shares = split::probabilities(&self.ratio);
        let arm = Array2::from_shape_fn((self.units, shares.len()), |(_, arm)| shares[arm]);
        Ok(Probabilities { arm, simulated: None })
    }

    fn possible(&self, _monitor: &dyn Monitor) -> Result<Option<BigUint>> {
        Ok(self.sets.iter().map(|set| split::possible(set.members.len(), &self.ratio)).product())
    }

    fn support(&self, most: usize, monitor: &dyn Monitor) -> Result<Option<Support>> {
        if self.possible(monitor)?.is_none_or(|count| count > BigUint::from(most)) {
            return Ok(None);
        }
        let rule = split::Rule { ratio: self.ratio.clone() };
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

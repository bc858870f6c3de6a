//! The counts of a CONSORT flow diagram from the ledger.
//!
//! M. K. Campbell et al. (2012), Consort 2010 statement: extension to cluster randomised trials, BMJ 345, e5661,
//! doi:10.1136/bmj.e5661.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::frame::{Left, Row, notes, rows};
use super::state::State;
use super::store::Ledger;
use crate::Result;
use crate::design::{Count, Flow, flow};

/// What happened in one arm besides the flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ArmEntries {
    /// Families with children who came after the draw, and these children.
    pub late: Count,
    /// Families that got another arm's service, and their children.
    pub overridden: Count,
    /// Families and children who withdrew.
    pub withdrawn: Count,
}

/// The flow of families and children through a rolling trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LedgerFlow {
    /// Families that came while enrolment was paused and were never enrolled, with their children.
    pub refused: Count,
    /// How often a family was refused.
    pub refusals: usize,
    /// How often an arm became full.
    pub pauses: usize,
    /// Why rows are not in the comparison, in the order of the counts in `flow`.
    pub reasons: Vec<Left>,
    /// The counts of each arm drawn: allocated, not in the comparison by reason, in the comparison.
    pub flow: Flow,
    /// What else happened in each arm drawn.
    pub entries: Vec<ArmEntries>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Ledger {
    /// Counts the flow. Families are those that were randomised: one that split off counts with the family that it
    /// left, one that merged as itself.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a file that cannot be read or does not fit together.
    pub fn flow(&self) -> Result<LedgerFlow> {
        self.read(|state, _| count(state))
    }
}

fn count(state: &State) -> Result<LedgerFlow> {
    let rows = rows(state);
    let units = units(&rows);
    let mut arm = vec![0; units.iter().max().map_or(0, |&last| last as usize + 1)];
    for (row, &unit) in rows.iter().zip(&units) {
        arm[unit as usize] = row.drawn;
    }
    let mut reasons: Vec<Left> = rows.iter().filter_map(|row| row.left.clone()).collect();
    reasons.sort();
    reasons.dedup();
    let reason: Vec<Option<usize>> = rows
        .iter()
        .map(|row| row.left.as_ref().and_then(|left| reasons.iter().position(|reason| reason == left)))
        .collect();
    let compared: Vec<bool> = rows.iter().map(|row| row.left.is_none()).collect();
    let arms = state.design.arms().len();
    let counted = flow(&units, &arm, arms, reasons.len(), &reason, &compared)?;
    let entries = (0..arms)
        .map(|arm| {
            let of = |wanted: &dyn Fn(&Row) -> bool| tally(&rows, &units, arm as u8, wanted);
            ArmEntries {
                late: of(&|row| row.inherited),
                overridden: of(&|row| row.delivered.is_some_and(|delivered| delivered != row.drawn)),
                withdrawn: of(&|row| row.left == Some(Left::Withdrawn) || row.status.starts_with("withdrew")),
            }
        })
        .collect();
    let enrolled: HashSet<&str> = state.families.iter().map(|family| family.id.as_str()).collect();
    let mut never: BTreeMap<&str, u64> = BTreeMap::new();
    for refusal in state.refusals.iter().filter(|refusal| !enrolled.contains(refusal.family.as_str())) {
        // A family that came again with more children counts as it came last.
        never.insert(&refusal.family, refusal.children.max(1) as u64);
    }
    Ok(LedgerFlow {
        refused: Count { units: never.len() as u64, rows: never.values().sum() },
        refusals: state.refusals.len(),
        pauses: state.pauses,
        reasons,
        flow: counted,
        entries,
        notes: notes(state),
    })
}

/// The unit of each row: families that split off count with the family that was randomised.
fn units(rows: &[Row]) -> Vec<u32> {
    let mut known: HashMap<&str, u32> = HashMap::new();
    rows.iter()
        .map(|row| {
            let next = known.len() as u32;
            *known.entry(row.randomised.as_str()).or_insert(next)
        })
        .collect()
}

fn tally(rows: &[Row], units: &[u32], arm: u8, wanted: &dyn Fn(&Row) -> bool) -> Count {
    let found: Vec<u32> = rows
        .iter()
        .zip(units)
        .filter(|(row, _)| row.drawn == arm && wanted(row))
        .map(|(_, &unit)| unit)
        .collect();
    let families: HashSet<u32> = found.iter().copied().collect();
    Count { units: families.len() as u64, rows: found.len() as u64 }
}

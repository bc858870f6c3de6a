//! Joining other data to an assignment by unit, and refusing data that contradict it.

use serde::Serialize;

use super::observe::decode;
use super::{Assignment, Column};
use crate::{Fault, Result};

/// Rows of other data matched to the units of an assignment.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(3);
/// let families = Column::from_values("family", ["a", "a", "b", "c", "d"]);
/// let units = Units::from_rows(design.unit()?, &families, &[])?;
/// let assignment = design.assign(&units)?;
/// let outcomes = Column::from_values("family", ["d", "a"]);
/// let joined = assignment.join(&outcomes, &[], None)?;
/// assert_eq!(joined.unit.iter().map(|&unit| units.labels()[unit as usize].as_str()).collect::<Vec<_>>(), ["d", "a"]);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Joined {
    /// The unit of each row, an index into the assignment's units.
    pub unit: Vec<u32>,
}

impl Assignment {
    /// Matches rows to units by identifier, and checks their strata and arms where they are given.
    ///
    /// # Errors
    /// [`crate::Error::Design`] for rows of units that were not randomised, and for rows whose stratum or arm is not
    /// the one drawn; [`crate::Error::Input`] for missing identifiers or arms and for arms that do not exist.
    pub fn join(&self, ids: &Column, strata: &[Column], arm: Option<&Column>) -> Result<Joined> {
        let missing = ids.missing();
        if !missing.is_empty() {
            return Err(Fault::new(format!("identifiers are missing in {} rows", missing.len()))
                .column(ids.name())
                .rows(missing)
                .remedy("Every row needs to say which unit it belongs to")
                .input());
        }
        let place: Vec<Option<u32>> = ids
            .labels()
            .iter()
            .map(|label| self.units.labels().binary_search(label).ok().map(|unit| unit as u32))
            .collect();
        let found: Vec<Option<u32>> = ids.raw().iter().map(|&code| place[code as usize]).collect();
        let strangers: Vec<usize> = (0..found.len()).filter(|&row| found[row].is_none()).collect();
        if !strangers.is_empty() {
            return Err(Fault::new(format!(
                "{} rows belong to units that were not randomised",
                strangers.len()
            ))
            .column(ids.name())
            .ids(distinct(strangers.iter().filter_map(|&row| ids.label(row).map(str::to_owned))))
            .rows(strangers)
            .remedy("Leave these rows out of the comparison, or pass the assignment that they belong to")
            .design());
        }
        // No row is a stranger here, so every row has its unit.
        let unit: Vec<u32> = found.into_iter().flatten().collect();
        for column in strata {
            self.check_stratum(&unit, ids, column)?;
        }
        if let Some(column) = arm {
            let read = decode(column, &self.arms, unit.len())?;
            let wrong: Vec<usize> =
                (0..unit.len()).filter(|&row| read[row] != self.arm[unit[row] as usize]).collect();
            if !wrong.is_empty() {
                let told = wrong.iter().map(|&row| self.told(ids, unit[row]));
                return Err(Fault::new(format!(
                    "{} rows have an arm that is not the one drawn",
                    wrong.len()
                ))
                .column(column.name())
                .ids(distinct(told))
                .rows(wrong)
                .remedy(
                    "Analyse by the arm that was drawn (intention to treat), and keep the arm that was \
                             delivered in a column of its own",
                )
                .design());
            }
        }
        Ok(Joined { unit })
    }

    /// A unit, as a message names it.
    fn told(&self, ids: &Column, unit: u32) -> String {
        format!("{} {}", ids.name(), self.units.labels()[unit as usize])
    }

    fn check_stratum(&self, unit: &[u32], ids: &Column, column: &Column) -> Result<()> {
        let Some(place) = self.units.strata_columns().iter().position(|name| *name == column.name()) else {
            return Ok(());
        };
        if column.len() != unit.len() {
            return Err(Fault::new("the columns have different numbers of rows")
                .column(column.name())
                .values([unit.len().to_string(), column.len().to_string()])
                .remedy("Pass columns of one data frame")
                .input());
        }
        let drawn = |row: usize| {
            let stratum = self.units.stratum()[unit[row] as usize];
            self.units.strata()[stratum as usize][place].as_str()
        };
        let wrong: Vec<usize> =
            (0..unit.len()).filter(|&row| column.label(row) != Some(drawn(row))).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let told = wrong.iter().map(|&row| self.told(ids, unit[row]));
        Err(Fault::new(format!(
            "{} rows have a stratum that is not the one they were randomised in",
            wrong.len()
        ))
        .column(column.name())
        .ids(distinct(told))
        .rows(wrong)
        .remedy("Use the stratum as it stood at randomisation; a corrected value goes into another column")
        .design())
    }
}

fn distinct(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut values: Vec<String> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

//! A trial that was randomised elsewhere: its arms are read from the data.

use ndarray::Array2;

use super::assignment::Assignment;
use crate::design::engine::procedure::Probabilities;
use crate::design::engine::split;
use crate::design::units::Units;
use crate::design::units::column::Column;
use crate::design::{Design, Unit};
use crate::{Error, Fault, Result};

impl Design {
    /// Reads the arms of these units from the column `arms`, which has one value a row.
    ///
    /// The values are the names of the arms or, with two arms, 0 for the first and 1 for the second. The result
    /// has no commitment, and its probabilities are those that the design declares.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for missing or unknown arms; [`crate::Error::Design`] for a cluster in more than one
    /// arm, and for fewer than two units in an arm.
    pub fn observe(&self, units: &Units, arms: &Column) -> Result<Assignment> {
        self.check_units(units)?;
        let names = self.arm_names();
        let read = decode(arms, &names, units.rows().len())?;
        let mut arm = vec![u8::MAX; units.len()];
        let mut spans = vec![false; units.len()];
        for (&unit, &here) in units.rows().iter().zip(&read) {
            let unit = unit as usize;
            if arm[unit] == u8::MAX {
                arm[unit] = here;
            } else if arm[unit] != here {
                spans[unit] = true;
            }
        }
        if spans.contains(&true) {
            let spanning: Vec<usize> = (0..units.len()).filter(|&unit| spans[unit]).collect();
            return Err(Fault::new(format!(
                "{} of {} clusters lie in more than one arm",
                spanning.len(),
                units.len()
            ))
            .column(arms.name())
            .rows((0..read.len()).filter(|&row| spans[units.rows()[row] as usize]))
            .ids(spanning.iter().map(|&unit| format!("{} {}", self.unit_column(), units.labels()[unit])))
            .remedy(
                "Give all rows of a cluster the arm it was first randomised to, or name the unit that was \
                     really randomised",
            )
            .design());
        }
        let mut counts = vec![0_usize; names.len()];
        for &arm in &arm {
            counts[usize::from(arm)] += 1;
        }
        let few: Vec<String> = names
            .iter()
            .zip(&counts)
            .filter(|(_, count)| **count < 2)
            .map(|(name, count)| format!("{name}: {count}"))
            .collect();
        if !few.is_empty() {
            let noun = if matches!(self.unit()?, Unit::Cluster(_)) { "clusters" } else { "individuals" };
            let problem = if counts.iter().filter(|&&count| count > 0).count() == 1 {
                format!("all {noun} are in one arm, so nothing can be compared")
            } else {
                format!("an arm has fewer than two {noun}, so its variance cannot be known")
            };
            return Err(Fault::new(problem)
                .column(arms.name())
                .values(few)
                .remedy("Pass the whole trial; every arm of the design needs at least two")
                .design());
        }
        // The declared ratio: how a trial randomised elsewhere dealt with misfits or balance is not known here.
        let shares = split::probabilities(&self.ratio());
        let probability = Array2::from_shape_fn((units.len(), shares.len()), |(_, arm)| shares[arm]);
        let probabilities = Probabilities { arm: probability, simulated: None };
        let mut assignment = self.assignment(units, arm, probabilities, None);
        assignment.observed = true;
        Ok(assignment)
    }

    fn unit_column(&self) -> &str {
        self.unit().map_or("", Unit::column)
    }
}

/// The arm of each row: by name or, with two arms, by 0 and 1.
pub(crate) fn decode(column: &Column, names: &[String], rows: usize) -> Result<Vec<u8>> {
    if column.len() != rows {
        return Err(Fault::new("the columns have different numbers of rows")
            .column(column.name())
            .values([rows.to_string(), column.len().to_string()])
            .remedy("Pass columns of one data frame")
            .input());
    }
    let missing = column.missing();
    if !missing.is_empty() {
        return Err(Fault::new(format!("the arm is missing in {} of {rows} rows", missing.len()))
            .column(column.name())
            .rows(missing)
            .remedy("Fill in the arm that was drawn, or leave out rows that were never randomised")
            .input());
    }
    let mut present = vec![false; column.labels().len()];
    for &code in column.raw() {
        present[code as usize] = true;
    }
    let by_name = |label: &str| names.iter().position(|name| name == label);
    let all = |read: &dyn Fn(&str) -> Option<usize>| {
        column.labels().iter().zip(&present).all(|(label, &there)| !there || read(label).is_some())
    };
    let by_number = |label: &str| match label {
        "0" if names.len() == 2 => Some(0),
        "1" if names.len() == 2 => Some(1),
        _ => None,
    };
    let codes: Vec<Option<usize>> = if all(&by_name) || !all(&by_number) {
        column.labels().iter().map(|label| by_name(label)).collect()
    } else {
        column.labels().iter().map(|label| by_number(label)).collect()
    };
    if codes.iter().zip(&present).any(|(code, &there)| there && code.is_none()) {
        return Err(unknown(column, names, &codes));
    }
    // Every code that occurs has an arm, and there are at most 255 arms.
    Ok(column.raw().iter().map(|&code| codes[code as usize].unwrap_or(0) as u8).collect())
}

fn unknown(column: &Column, names: &[String], codes: &[Option<usize>]) -> Error {
    let rows: Vec<usize> =
        (0..column.len()).filter(|&row| codes[column.raw()[row] as usize].is_none()).collect();
    let mut values: Vec<&str> = rows.iter().filter_map(|&row| column.label(row)).collect();
    values.sort_unstable();
    values.dedup();
    let near: Vec<String> = values.iter().filter_map(|value| nearest(value, names)).collect();
    let arms = names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let hint = if near.is_empty() { String::new() } else { format!("Did you mean {}? ", near.join(" or ")) };
    let numbers = if names.len() == 2 { ", or 0 and 1 in that order" } else { "" };
    Fault::new("values that are no arm of the design")
        .column(column.name())
        .rows(rows.iter().copied())
        .labels(values)
        .remedy(format!("{hint}The arms are {arms}{numbers}"))
        .input()
}

/// The name nearest to `value`, letter case aside, if it is near at all.
fn nearest(value: &str, names: &[String]) -> Option<String> {
    let value = value.trim().to_lowercase();
    names
        .iter()
        .filter(|name| name.len() * 2 >= value.len())
        .map(|name| (distance(&value, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance * 2 <= name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| format!("'{name}'"))
}

/// Levenshtein's distance, by rows.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let change = above[j] + usize::from(x != *y);
            row.push(change.min(above[j + 1] + 1).min(row[j] + 1));
        }
        above = row;
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name() {
        let names = ["control".to_owned(), "crewe".to_owned()];
        assert_eq!(nearest("Crew", &names).as_deref(), Some("'crewe'"));
        assert_eq!(nearest("zzz", &names), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}

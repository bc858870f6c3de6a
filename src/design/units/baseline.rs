//! What a procedure may need to know of the units besides their strata: when they arrived, and what they are like.

use std::borrow::Cow;
use std::sync::Arc;

use super::column::{Column, nfc, rank};
use super::{Factor, UnitCovariate, Units};
use crate::{Fault, Result};

impl Units {
    /// Adds the order in which the rows arrived: any number that grows with time, such as a day or a position.
    ///
    /// A cluster arrives with its first row; units that arrive together stand in canonical order.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another number of rows.
    pub fn arriving(mut self, column: &str, order: &[i64]) -> Result<Self> {
        self.same_rows(column, order.len())?;
        let mut first = vec![i64::MAX; self.len()];
        for (&unit, &order) in self.rows().iter().zip(order) {
            let here = &mut first[unit as usize];
            *here = order.min(*here);
        }
        let mut units: Vec<u32> = (0..self.len() as u32).collect();
        // Stable, so that ties stay in canonical order.
        units.sort_by_key(|&unit| first[unit as usize]);
        Arc::make_mut(&mut self.baseline).arrival = Some(units);
        Ok(self)
    }

    /// Adds a category of each unit.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another number of rows and missing values; [`crate::Error::Design`] for clusters
    /// whose rows have different values.
    pub fn factor(mut self, column: &Column) -> Result<Self> {
        self.same_rows(column.name(), column.len())?;
        let missing = column.missing();
        if !missing.is_empty() {
            return Err(Fault::new(format!("the factor is missing in {} rows", missing.len()))
                .column(column.name())
                .rows(missing)
                .remedy("Fill it in, or make a category of its own for units where it is not known")
                .input());
        }
        let ranked = rank(Cow::Borrowed(column));
        let mut level = vec![u32::MAX; self.len()];
        let mut spans = vec![false; self.len()];
        for (&unit, &code) in self.rows().iter().zip(column.raw()) {
            let (here, unit) = (ranked.rank[code as usize], unit as usize);
            if level[unit] == u32::MAX {
                level[unit] = here;
            } else if level[unit] != here {
                spans[unit] = true;
            }
        }
        if spans.contains(&true) {
            let spanning: Vec<usize> = (0..self.len()).filter(|&unit| spans[unit]).collect();
            return Err(Fault::new(format!(
                "{} of {} clusters have several values of a factor",
                spanning.len(),
                self.len()
            ))
            .column(column.name())
            .rows((0..self.rows().len()).filter(|&row| spans[self.rows()[row] as usize]))
            .ids(spanning.iter().map(|&u| format!("{} {}", self.unit().column(), self.labels()[u])))
            .remedy("Give all rows of a cluster the same value, for instance that of its first")
            .design());
        }
        let factor = Factor { name: column.name().to_owned(), level, levels: ranked.labels };
        Arc::make_mut(&mut self.baseline).factors.push(factor);
        Ok(self)
    }

    /// Adds a number of each row; a cluster has the mean of its rows.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for another number of rows and for values that are missing or infinite.
    pub fn covariate(mut self, name: &str, values: &[f64]) -> Result<Self> {
        self.same_rows(name, values.len())?;
        let wrong: Vec<usize> = (0..values.len()).filter(|&row| !values[row].is_finite()).collect();
        if !wrong.is_empty() {
            return Err(Fault::new(format!("the covariate is missing or infinite in {} rows", wrong.len()))
                .column(name)
                .rows(wrong)
                .remedy("Fill it in before the randomisation, or leave the covariate out")
                .input());
        }
        // A cluster's mean must not depend on the order of its rows: its values are summed in their own order.
        let mut of_unit: Vec<Vec<f64>> = vec![Vec::new(); self.len()];
        for (&unit, &value) in self.rows().iter().zip(values) {
            of_unit[unit as usize].push(value);
        }
        let values = of_unit
            .into_iter()
            .map(|mut values| {
                values.sort_unstable_by(f64::total_cmp);
                if values[0] == values[values.len() - 1] {
                    return values[0];
                }
                values.iter().sum::<f64>() / values.len() as f64
            })
            .collect();
        let covariate = UnitCovariate { name: nfc(name), values };
        Arc::make_mut(&mut self.baseline).covariates.push(covariate);
        Ok(self)
    }

    /// The units in order of arrival, where it is known.
    pub fn arrivals(&self) -> Option<&[u32]> {
        self.baseline.arrival.as_deref()
    }

    /// The categories of the units.
    pub fn factors(&self) -> &[Factor] {
        &self.baseline.factors
    }

    /// The numbers of the units.
    pub fn covariates(&self) -> &[UnitCovariate] {
        &self.baseline.covariates
    }

    /// The units of each stratum in order of arrival where it is known, else in canonical order.
    pub(crate) fn members_in_order(&self) -> Vec<Vec<u32>> {
        let Some(arrivals) = self.arrivals() else { return self.members() };
        let mut members = vec![Vec::new(); self.strata().len()];
        for &unit in arrivals {
            members[self.stratum()[unit as usize] as usize].push(unit);
        }
        members
    }

    /// The factor of this name.
    pub(crate) fn the_factor(&self, name: &str) -> Result<&Factor> {
        self.factors().iter().find(|factor| factor.name == name).ok_or_else(|| absent(name))
    }

    fn same_rows(&self, column: &str, rows: usize) -> Result<()> {
        if rows == self.rows().len() {
            return Ok(());
        }
        Err(Fault::new("the columns have different numbers of rows")
            .column(column)
            .values([self.rows().len().to_string(), rows.to_string()])
            .remedy("Pass columns of one data frame")
            .input())
    }
}

/// The error for a column that the procedure uses and the units lack.
pub(crate) fn absent(name: &str) -> crate::Error {
    Fault::new("the procedure uses a column that the units do not have")
        .column(name)
        .remedy("Add it to the units before the draw")
        .design()
}

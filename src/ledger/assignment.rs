//! The ledger as an assignment: what balance tables, randomisation tests and fits take.

use ndarray::Array2;

use serde::Serialize;

use super::frame::{Left, Row, notes, rows};
use super::state::{Family, State};
use super::store::Ledger;
use crate::design::{Assignment, Column, Details, Units};
use crate::words::words;
use crate::{Fault, Result};

/// Which families an assignment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Those that came while no arm was full, in the arms and clusters by which they are analysed. Families who
    /// withdrew or whose outcome is left out were randomised, and stay.
    Compared,
    /// All that were randomised, in the arms that they drew.
    Everybody,
}

words!(Scope, "scope of the families", as ledger, Compared => "compared", Everybody => "everybody");

/// An assignment with the rows of the frame that it was built from, in the same order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Assigned {
    /// The rows.
    pub rows: Vec<Row>,
    /// Their units, which carry the order of arrival and the factors, and the units' arms.
    pub assignment: Assignment,
}

impl Ledger {
    /// The families as an assignment, with the order of their arrival.
    ///
    /// # Errors
    /// [`crate::Error::Ledger`] for a file that cannot be read or does not fit together; [`crate::Error::Input`] for a
    /// ledger without families.
    pub fn assigned(&self, scope: Scope) -> Result<Assigned> {
        self.read(|state, _| assigned(state, scope))
    }
}

fn assigned(state: &State, scope: Scope) -> Result<Assigned> {
    let compared = |row: &Row| !matches!(row.left, Some(Left::Overflow | Left::WhileFull));
    let rows: Vec<Row> =
        rows(state).into_iter().filter(|row| scope == Scope::Everybody || compared(row)).collect();
    if rows.is_empty() {
        let unit = &state.nouns.unit;
        return Err(Fault::new(format!("no {unit} in the comparison is enrolled yet"))
            .remedy(format!("Enrol {} first", unit.many()))
            .input());
    }
    let unit_of = |row: &Row| match scope {
        Scope::Compared => row.analysed_as.clone(),
        Scope::Everybody => row.randomised.clone(),
    };
    let heads: Vec<&Family> = rows.iter().map(|row| state.family(&unit_of(row))).collect::<Result<_>>()?;
    let column = |name: &str, value: &dyn Fn(&Family) -> String| {
        Column::from_values(name, heads.iter().map(|family| value(family)))
    };
    let design = &state.design;
    let ids = column(design.unit()?.column(), &|family| family.id.clone());
    let strata: Vec<Column> = (0..)
        .zip(design.strata_columns())
        .map(|(place, name)| column(name, &|family| family.stratum[place].clone()))
        .collect();
    let arrival: Vec<i64> = heads.iter().map(|family| family.sequence as i64).collect();
    let mut units = Units::from_rows(design.unit()?, &ids, &strata)?.arriving("sequence", &arrival)?;
    for (place, name) in state.factor_columns().iter().enumerate() {
        units = units.factor(&column(name, &|family| family.factors[place].clone()))?;
    }
    let family_of: Vec<&Family> =
        units.labels().iter().map(|label| state.family(label)).collect::<Result<_>>()?;
    let ratio = design.ratio();
    let arms = ratio.shares.len();
    let share = |arm: usize| ratio.shares[arm] as f64 / ratio.total as f64;
    let closed = state.closed.is_some();
    let conditional = closed
        .then(|| Array2::from_shape_fn((units.len(), arms), |(unit, arm)| family_of[unit].conditional[arm]));
    let block: Option<Vec<u32>> =
        family_of.iter().map(|family| family.block.filter(|_| closed).map(|b| b.number as u32)).collect();
    let assignment = Assignment {
        arms: design.arm_names(),
        arm: family_of.iter().map(|family| family.arm).collect(),
        probability: Array2::from_shape_fn((units.len(), arms), |(_, arm)| share(arm)),
        simulated: None,
        details: Details { conditional, block },
        commitment: Some(design.commitment()?),
        observed: false,
        notes: notes(state),
        units,
    };
    Ok(Assigned { rows, assignment })
}

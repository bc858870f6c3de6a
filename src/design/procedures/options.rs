//! What the options of every procedure can say: the trait that a procedure implements, once, in its own file.
//!
//! Options are whole numbers, fractions of whole numbers, words and names of columns: a commitment holds no floats.

use std::sync::Arc;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::design::engine::procedure::Procedure;
use crate::design::engine::stepwise::Stepwise;
use crate::design::units::Units;
use crate::design::units::column::nfc;
use crate::design::{Design, Ratio};
use crate::progress::Monitor;
use crate::{Fault, Result};

/// The largest block, and the largest weight of a factor.
pub(super) const MOST: u32 = 1 << 16;

/// A procedure in the registry: what holds of it whatever its options are.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The name in commitments, files and errors.
    pub name: &'static str,
    /// How its arms are drawn.
    pub draws: Draws,
}

/// How a procedure draws the arms of a list of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draws {
    /// All at once, so that it must know every unit.
    AtOnce,
    /// Each by itself, in whatever order.
    EachByItself,
    /// One after the other, so that it must know the order of arrival.
    InOrder,
}

/// The options of a procedure, and what follows from them.
///
/// They are written and read by serde, with `deny_unknown_fields`; [`super::reading`] says what is wrong with options that
/// are none. What is checked here is what their types do not say.
pub(crate) trait Options {
    /// The procedure.
    fn entry(&self) -> &'static Entry;

    /// Procedure and options in words, as they follow "randomised by".
    fn text(&self) -> String;

    /// The columns that hold categories which the procedure uses.
    fn factors(&self) -> Vec<&str> {
        vec![]
    }

    /// The columns that hold covariates, numbers or categories, which the procedure balances.
    fn covariates(&self) -> Vec<&str> {
        vec![]
    }

    /// Brings the names of columns to Unicode NFC, as columns have them.
    fn normalise(&mut self) {}

    /// Refuses options that nobody could carry out.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Refuses options that do not go with the ratio.
    fn check_ratio(&self, _ratio: &Ratio) -> Result<()> {
        Ok(())
    }

    /// The procedure made ready for these units. Design and units have been checked, and the order of arrival is known
    /// where the procedure needs it. What may take long asks the monitor.
    fn ready(&self, design: &Design, units: &Units, monitor: &dyn Monitor) -> Result<Box<dyn Procedure>>;

    /// The procedure one arrival at a time; nothing where it draws a list at once.
    fn stepwise(&self, _ratio: Ratio) -> Option<Arc<dyn Stepwise>> {
        None
    }

    /// Whether a stratum's list is a split in the ratio, which may be simulated as one block.
    fn one_block(&self) -> bool {
        false
    }

    /// Whether units are drawn within sets, which an analysis takes as its strata.
    fn in_sets(&self) -> bool {
        false
    }

    /// What becomes of units left over where a stratum does not divide by the ratio, in words.
    fn left_over(&self, _ratio: &Ratio) -> Option<&'static str> {
        None
    }
}

/// A column with a whole-number weight.
///
/// ```
/// use crewe::design::Weighted;
/// assert_eq!(Weighted::from(("age", 2)).weight, 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "(String, u32)")]
pub struct Weighted {
    /// The column.
    pub column: String,
    /// Its weight.
    pub weight: u32,
}

impl From<(String, u32)> for Weighted {
    fn from((column, weight): (String, u32)) -> Self {
        Self { column, weight }
    }
}

impl From<(&str, u32)> for Weighted {
    fn from((column, weight): (&str, u32)) -> Self {
        Self { column: column.to_owned(), weight }
    }
}

impl From<Weighted> for (String, u32) {
    fn from(weighted: Weighted) -> Self {
        (weighted.column, weighted.weight)
    }
}

/// A column alone has the weight 1.
impl<'de> Deserialize<'de> for Weighted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Weighted;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a column, or a column with its whole-number weight")
            }

            fn visit_str<E: Error>(self, column: &str) -> std::result::Result<Weighted, E> {
                Ok(Weighted::from((column, 1)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> std::result::Result<Weighted, A::Error> {
                let short = |n| A::Error::invalid_length(n, &Self);
                let column: String = pair.next_element()?.ok_or_else(|| short(0))?;
                let weight: u32 = pair.next_element()?.ok_or_else(|| short(1))?;
                if pair.next_element::<serde::de::IgnoredAny>()?.is_some() {
                    return Err(short(3));
                }
                Ok(Weighted { column, weight })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Brings names to Unicode NFC.
pub(super) fn normalise(names: &mut [String]) {
    names.iter_mut().for_each(|name| *name = nfc(name));
}

/// Brings the names of weighted columns to Unicode NFC.
pub(super) fn normalise_weighted(columns: &mut [Weighted]) {
    columns.iter_mut().for_each(|column| column.column = nfc(&column.column));
}

/// The names of weighted columns.
pub(super) fn names(columns: &[Weighted]) -> Vec<&str> {
    columns.iter().map(|column| column.column.as_str()).collect()
}

/// The weights of columns, for an error.
pub(super) fn weights(columns: &[Weighted]) -> impl Iterator<Item = String> {
    columns.iter().map(|column| format!("{}: {}", column.column, column.weight))
}

/// No values to show.
pub(super) const NONE: [&str; 0] = [];

/// The error for options that cannot be carried out.
pub(super) fn refused<T: ToString>(
    problem: &str,
    values: impl IntoIterator<Item = T>,
    remedy: &str,
) -> crate::Error {
    Fault::new(problem).values(values.into_iter().map(|value| value.to_string())).remedy(remedy).design()
}

//! The procedures of randomisation: one file each, with its options, what is checked of them, its text, the drawing, and
//! the `ENTRY` by which it stands in the registry below.
//!
//! A new procedure is a file that implements `Options`, its `mod` and `use`, and a line in `registry!`. A procedure knows
//! nothing of this file, and so nothing of the other procedures.

pub mod biased_coin;
pub mod big_stick;
pub mod blocks;
pub mod complete;
pub mod constrained;
pub mod matched;
pub mod minimisation;
mod options;
mod reading;
pub mod rerandomised;
pub mod simple;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

pub use biased_coin::BiasedCoin;
pub use big_stick::BigStick;
pub use blocks::Blocks;
pub use complete::Complete;
pub use constrained::{Acceptance, Constrained, Pair};
pub use matched::{BuiltPairs, GivenSets, MatchedSets};
pub use minimisation::{Imbalance, Minimisation};
pub use options::Weighted;
pub use rerandomised::Rerandomised;
pub use simple::Simple;

use self::options::{Draws, Entry, Options, refused};
use self::reading::Written;
use super::engine::procedure::{Probabilities, Procedure, Support};
use super::engine::stepwise::Stepwise;
use super::{Design, Ratio, Unit, Units};
use crate::progress::{Monitor, watcher};
use crate::words::listed;
use crate::{Fault, Result};

/// Makes the [`Method`] of these options and files. The name that is written is the options' own in snake case, which is
/// that of the entry.
macro_rules! registry {
    ($($(#[doc = $doc:literal])* $options:ident in $file:ident),+ $(,)?) => {
        /// The procedure that draws the arms.
        ///
        /// ```
        /// use crewe::design::{Blocks, Method};
        /// let method = Method::from_json(r#"{"name":"blocks","sizes":[3,6]}"#)?;
        /// assert_eq!(method, Blocks::new([3, 6]).into());
        /// assert!(method.needs_order());
        /// # Ok::<(), crewe::Error>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(tag = "name", rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Method {
            $($(#[doc = $doc])* $options($options),)+
        }

        $(impl From<$options> for Method {
            fn from(options: $options) -> Self {
                Self::$options(options)
            }
        })+

        /// Every procedure.
        const ENTRIES: &[Entry] = &[$($file::ENTRY),+];

        impl Method {
            fn options(&self) -> &dyn Options {
                match self {
                    $(Self::$options(options) => options,)+
                }
            }

            fn options_mut(&mut self) -> &mut dyn Options {
                match self {
                    $(Self::$options(options) => options,)+
                }
            }

            /// Reads the options that are written for the procedure of this name.
            fn read(name: &str, written: Written) -> Result<Self> {
                $(if name == $file::ENTRY.name {
                    return written.options(name).map(Self::$options);
                })+
                Err(Fault::new(NO_PROCEDURE)
                    .values([name])
                    .remedy(format!("Choose {}", listed(&names(|_| true), "or")))
                    .design())
            }
        }
    };
}

registry! {
    /// Every unit draws for itself: [`simple`].
    Simple in simple,
    /// Every stratum is split in the ratio: [`complete`].
    Complete in complete,
    /// Permuted blocks in the order of arrival: [`blocks`].
    Blocks in blocks,
    /// Within sets of units that are alike: [`matched`].
    MatchedSets in matched,
    /// A fair draw until the arms are a given number apart: [`big_stick`].
    BigStick in big_stick,
    /// A draw that leans towards the arm that is behind: [`biased_coin`].
    BiasedCoin in biased_coin,
    /// The arm that leaves the factors most even is preferred: [`minimisation`].
    Minimisation in minimisation,
    /// One of the best balanced assignments: [`constrained`].
    Constrained in constrained,
    /// Drawn again until the covariates balance: [`rerandomised`].
    Rerandomised in rerandomised,
}

const NO_PROCEDURE: &str = "the method is no procedure of randomisation";

/// The names of the procedures that draw like this.
fn names(which: impl Fn(Draws) -> bool) -> Vec<&'static str> {
    ENTRIES.iter().filter(|entry| which(entry.draws)).map(|entry| entry.name).collect()
}

impl Default for Method {
    fn default() -> Self {
        Self::Complete(Complete::default())
    }
}

/// Read from its name and options, which are checked.
impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Written::deserialize(deserializer)?.read().map_err(serde::de::Error::custom)
    }
}

impl Written {
    /// The procedure that is written, with its options, once they are checked.
    fn read(mut self) -> Result<Method> {
        let name = self.name()?;
        let method = Method::read(&name, self)?;
        method.check_options()?;
        Ok(method)
    }
}

impl Method {
    /// The procedure from its JSON, for instance `{"name":"blocks","sizes":[3,6]}`.
    ///
    /// # Errors
    /// [`crate::Error::Design`] for text that is no JSON, a name that is no procedure, options that it does not have, and
    /// options that nobody could carry out.
    pub fn from_json(text: &str) -> Result<Self> {
        let written: Written = serde_json::from_str(text).map_err(|error| {
            Fault::new(format!("{NO_PROCEDURE}: {error}"))
                .values([text])
                .remedy(format!("Name one of {} with its options", listed(&names(|_| true), "and")))
                .design()
        })?;
        written.read()
    }

    /// Name and options as JSON, which [`Method::from_json`] reads.
    ///
    /// ```
    /// use crewe::design::{BigStick, Method};
    /// assert_eq!(Method::from(BigStick::new(3)).to_json(), r#"{"name":"big_stick","limit":3}"#);
    /// ```
    pub fn to_json(&self) -> String {
        // Options are numbers, text and lists of them: nothing that JSON has not.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The same procedure with the names of columns in Unicode NFC, as columns have them.
    pub(super) fn normalised(mut self) -> Self {
        self.options_mut().normalise();
        self
    }

    /// The name in commitments, files and errors.
    pub fn name(&self) -> &'static str {
        self.options().entry().name
    }

    /// Procedure and options in words, as they follow "randomised by".
    ///
    /// ```
    /// use crewe::design::{Blocks, Method};
    /// assert_eq!(Method::from(Blocks::new([3, 6])).text(), "permuted blocks of 3 or 6");
    /// ```
    pub fn text(&self) -> String {
        self.options().text()
    }

    /// Whether the arms are drawn one after the other, so that the order of arrival must be known.
    pub fn needs_order(&self) -> bool {
        self.options().entry().draws == Draws::InOrder
    }

    /// The columns that hold categories which the procedure uses.
    pub fn factors(&self) -> Vec<&str> {
        self.options().factors()
    }

    /// The columns that hold covariates, numbers or categories, which the procedure balances.
    pub fn covariates(&self) -> Vec<&str> {
        self.options().covariates()
    }

    /// Whether units are drawn within sets, which an analysis takes as its strata.
    pub fn in_sets(&self) -> bool {
        self.options().in_sets()
    }

    /// What becomes of units left over where a stratum does not divide by the ratio, in words; nothing where none are.
    pub(super) fn left_over(&self, ratio: &Ratio) -> Option<&'static str> {
        self.options().left_over(ratio)
    }

    /// Whether a stratum's list is a split in the ratio, which may be simulated as one block.
    pub(super) fn one_block(&self) -> bool {
        self.options().one_block()
    }

    /// The procedure one arrival at a time; nothing where it draws a list at once.
    pub(super) fn stepwise(&self, ratio: Ratio) -> Option<Arc<dyn Stepwise>> {
        self.options().stepwise(ratio)
    }

    /// The procedures that draw one arrival at a time, by name.
    pub(super) fn rolling(last: &str) -> String {
        listed(&names(|draws| draws != Draws::AtOnce), last)
    }

    /// Checks the options against the ratio and the other columns of the design.
    pub(super) fn check(&self, ratio: &Ratio, unit: &Unit, strata: &[String]) -> Result<()> {
        self.check_options()?;
        let columns = self.columns();
        if let Some(column) = columns.iter().find(|&&c| c == unit.column() || strata.iter().any(|s| s == c)) {
            return Err(refused(
                "a column of the method is also the identifier or a stratum",
                [column],
                "Leave it out of the method: within a stratum it does not vary",
            ));
        }
        self.options().check_ratio(ratio)
    }

    /// Checks what the options are by themselves.
    fn check_options(&self) -> Result<()> {
        let columns = self.columns();
        let distinct: BTreeSet<&str> = columns.iter().copied().collect();
        if distinct.len() < columns.len() || distinct.contains("") {
            let problem = "a column of the method is named twice, or has no name";
            return Err(refused(problem, &columns, "Name each column once"));
        }
        self.options().check()
    }

    fn columns(&self) -> Vec<&str> {
        let mut columns = self.factors();
        columns.extend(self.covariates());
        columns
    }

    /// Refuses units whose order of arrival the procedure needs and nobody knows.
    pub(super) fn check_order(&self, units: &Units) -> Result<()> {
        if units.arrivals().is_some() || !self.needs_order() {
            return Ok(());
        }
        Err(Fault::new(format!(
            "{} draws one unit after the other, so it must know the order in which they arrived",
            self.name()
        ))
        .remedy("Name the column with the order or date of arrival")
        .design())
    }
}

impl Design {
    /// The procedure made ready for these units.
    pub(crate) fn procedure(&self, units: &Units, monitor: &dyn Monitor) -> Result<Box<dyn Procedure>> {
        self.check_units(units)?;
        self.the_method().check_order(units)?;
        self.the_method().options().ready(self, units, monitor)
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

    /// The candidates, the accepted assignments and the coincidences of a constrained design.
    ///
    /// # Errors
    /// [`crate::Error::Design`] for another procedure, and for a set in which a unit cannot get one of the arms;
    /// [`crate::Error::Rank`] for a covariate that does not vary.
    pub fn constrained(&self, units: &Units) -> Result<Acceptance> {
        self.check_units(units)?;
        let Method::Constrained(options) = self.the_method() else {
            return Err(Fault::new(format!("{} accepts every assignment", self.the_method().name()))
                .remedy("Ask this of covariate-constrained randomisation")
                .design());
        };
        options.acceptance(self, units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(method: &Method) -> String {
        serde_json::to_value(method).map(|value| crate::json::canonical(&value)).unwrap_or_default()
    }

    const EVERY: [&str; 11] = [
        r#"{"name":"simple"}"#,
        r#"{"name":"complete"}"#,
        r#"{"misfits":"weighted_global","name":"complete"}"#,
        r#"{"name":"blocks","sizes":[3,6]}"#,
        r#"{"name":"matched_sets","on":"pair"}"#,
        r#"{"match":["a","b"],"name":"matched_sets"}"#,
        r#"{"limit":3,"name":"big_stick"}"#,
        r#"{"name":"biased_coin","p":[2,3]}"#,
        r#"{"factors":[["site",1],["age",2]],"imbalance":"range","name":"minimisation","p":[4,5]}"#,
        r#"{"draws":50000,"keep":[1,10],"name":"constrained","on":[["a",1]]}"#,
        r#"{"accept":[1,1000],"name":"rerandomised","on":["a"]}"#,
    ];

    #[test]
    fn methods_survive_their_json() {
        for text in EVERY {
            let method = Method::from_json(text);
            assert_eq!(method.as_ref().map(canonical).as_deref(), Ok(text));
            assert!(method.is_ok_and(|m| text.contains(&format!("\"name\":\"{}\"", m.name()))));
        }
    }

    #[test]
    fn every_procedure_is_in_the_registry_as_it_is() {
        let mut seen = BTreeSet::new();
        for text in EVERY {
            let method = Method::from_json(text).unwrap();
            seen.insert(method.name());
            let rolling = method.options().entry().draws != Draws::AtOnce;
            assert_eq!(method.stepwise(Ratio::new(&[1, 2])).is_some(), rolling, "{text}");
            assert!(!method.text().is_empty() && !method.text().ends_with('.'));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), {
            let mut all = names(|_| true);
            all.sort_unstable();
            all
        });
    }

    #[test]
    fn options_may_be_written_as_people_write_them() {
        for (text, same) in [
            (r#"{"name":"biased_coin","p":0.8}"#, r#"{"name":"biased_coin","p":[4,5]}"#),
            (r#"{"name":"biased_coin","p":"0.80"}"#, r#"{"name":"biased_coin","p":[4,5]}"#),
            (r#"{"name":"biased_coin","p":1}"#, r#"{"name":"biased_coin","p":[1,1]}"#),
            (
                r#"{"name":"constrained","on":["a",["b",2]],"draws":9,"keep":"1/3"}"#,
                r#"{"draws":9,"keep":[1,3],"name":"constrained","on":[["a",1],["b",2]]}"#,
            ),
        ] {
            assert_eq!(Method::from_json(text).as_ref().map(canonical).as_deref(), Ok(same));
        }
    }
}

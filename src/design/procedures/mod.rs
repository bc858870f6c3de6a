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
use crate::words::{listed, unknown};
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
                Err(unknown("procedure of randomisation", name, &names(|_| true)).design())
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
            Fault::new(format!("the method is no procedure of randomisation: {error}"))
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
    pub(crate) fn procedure(&self, units: &Units) -> Result<Box<dyn Procedure>> {
        self.check_units(units)?;
        self.the_method().check_order(units)?;
        self.the_method().options().ready(self, units)
    }

    /// Every unit's probability of every arm.
    ///
    /// # Errors
    /// [`crate::Error::Design`] when the design cannot be carried out.
    pub fn probabilities(&self, units: &Units) -> Result<Probabilities> {
        Ok(self.procedure(units)?.probabilities())
    }

    /// All assignments that the procedure can give to these units, each with its probability; nothing where there
    /// are more than `most`.
    ///
    /// # Errors
    /// [`crate::Error::Design`] when the design cannot be carried out.
    pub fn support(&self, units: &Units, most: usize) -> Result<Option<Support>> {
        Ok(self.procedure(units)?.support(most))
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

    /// What is wrong, in words of the crate, with what would be right.
    #[test]
    fn row_4_5_options_that_are_none_are_told_in_our_words() {
        for (text, told) in [
            (
                r#"{"name":"complete","misfits":"weighted"}"#,
                "the option misfits of complete is not known (seen: weighted). Choose strata, leave_out, global, \
                 weighted_strata or weighted_global.",
            ),
            (
                r#"{"name":"complete","misfits":3}"#,
                "the option misfits of complete is not known (seen: 3). Choose strata, leave_out, global, \
                 weighted_strata or weighted_global.",
            ),
            (r#"{"name":"simple","p":[1,2]}"#, "simple has no such option (seen: p). It has none at all."),
            (
                r#"{"name":"big_stick","limits":3}"#,
                "big_stick has no such option (seen: limits). It has limit.",
            ),
            (r#"{"name":"blocks"}"#, "blocks lacks its option sizes. Say what sizes is."),
            (
                r#"{"name":"blocks","sizes":4}"#,
                "the option sizes of blocks cannot be this (seen: 4). Give a list.",
            ),
            (
                r#"{"name":"blocks","sizes":[4,"6"]}"#,
                "the option sizes of blocks cannot be this (seen: 6). Give a whole number from 0 to 4,294,967,295.",
            ),
            (
                r#"{"name":"big_stick","limit":-2}"#,
                "the option limit of big_stick cannot be this (seen: -2). Give a whole number from 0 to 4,294,967,295.",
            ),
            (
                r#"{"name":"big_stick","limit":0}"#,
                "the big stick needs a limit of at least 1 (seen: 0). Use for instance a limit of 3.",
            ),
            (
                r#"{"name":"big_stick","limit":true}"#,
                "the option limit of big_stick cannot be this (seen: true). Give a whole number from 0 to 4,294,967,295.",
            ),
            (
                r#"{"name":"biased_coin","p":"nan"}"#,
                "the option p of biased_coin cannot be this (seen: nan). Give a number from 0 to 1 in at most 12 \
                 digits, such as 0.8 or 2/3.",
            ),
            (
                r#"{"name":"biased_coin","p":1.5}"#,
                "the coin's probability is out of range (seen: 3/2). Give a probability from 0/1 to 1, in at most 12 \
                 digits or as a fraction.",
            ),
            (
                r#"{"name":"biased_coin","p":[4,5,6]}"#,
                "the option p of biased_coin cannot be this (seen: [4,5,6]). Give a number from 0 to 1 in at most 12 \
                 digits, such as 0.8 or 2/3.",
            ),
            (
                r#"{"name":"matched_sets","on":"pair","match":["age"]}"#,
                "the options of matched_sets cannot be this. Give either on (the column of sets that are given) or \
                 match (covariates to build pairs by).",
            ),
            (r#"{"name":"matched_sets","match":[]}"#, "matching needs covariates. Name at least one column."),
            (
                r#"{"name":"minimisation","factors":[["a",1.5]],"imbalance":"range","p":[4,5]}"#,
                "the option factors of minimisation cannot be this (seen: 1.5). Give a whole number from 0 to \
                 4,294,967,295.",
            ),
            (
                r#"{"name":"minimisation","factors":["a","a"],"imbalance":"range","p":[4,5]}"#,
                "a column of the method is named twice, or has no name (seen: a, a). Name each column once.",
            ),
            (
                r#"{"name":"constrained","on":{"a":1},"draws":9,"keep":[1,3]}"#,
                "the option on of constrained cannot be this (seen: {\"a\":1}). Give a list.",
            ),
            (
                r#"{"name":"urn"}"#,
                "the procedure of randomisation is not known (seen: urn). Choose simple, complete, blocks, \
                 matched_sets, big_stick, biased_coin, minimisation, constrained or rerandomised.",
            ),
            (
                r#"{"sizes":[3]}"#,
                "a procedure of randomisation has a name. Write for instance {\"name\": \"complete\"}.",
            ),
        ] {
            let error = Method::from_json(text).unwrap_err();
            assert!(matches!(error, crate::Error::Design(_)), "{text}");
            assert_eq!(error.to_string(), told, "{text}");
        }
        for text in ["complete", "[]", "3", r#"{"name":"simple","name":"simple"}"#] {
            assert!(matches!(Method::from_json(text), Err(crate::Error::Design(_))), "{text}");
        }
    }
}

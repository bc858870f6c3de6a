//! How outcomes come about: one file each, with its options, what is checked of them, the drawing, and the `ENTRY` by which
//! it stands in the registry below.
//!
//! A new outcome is a file that implements [`Generator`], its `mod` and `use`, and a line in `registry!`.

mod binary;
mod continuous;
mod count;
mod covariates;
mod generator;
mod given;
mod survival;

use serde::{Deserialize, Serialize};

pub use binary::{Binary, Sharing};
pub use continuous::Continuous;
pub use count::Count;
pub use generator::Covariate;
pub(super) use generator::{Baseline, Generator, Groups, Shifts};
pub use given::Given;
pub use survival::Survival;

use self::generator::Entry;
use crate::words::listed;
use crate::{Fault, Result};

macro_rules! registry {
    ($($(#[doc = $doc:literal])* $options:ident in $file:ident),+ $(,)?) => {
        /// How outcomes come about.
        ///
        /// ```
        /// use crewe::simulate::{Binary, Outcome};
        /// let outcome = Outcome::from_json(r#"{"name":"binary","baseline":0.2,"effect":0.1,"icc":0.3}"#)?;
        /// let same = Binary { baseline: 0.2, effect: 0.1, icc: 0.3, ..Binary::default() };
        /// assert_eq!(outcome, same.into());
        /// assert_eq!(outcome.effect(), 0.1);
        /// # Ok::<(), crewe::Error>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name", rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Outcome {
            $($(#[doc = $doc])* $options($options),)+
        }

        $(impl From<$options> for Outcome {
            fn from(options: $options) -> Self {
                Self::$options(options)
            }
        })+

        /// Every outcome.
        const ENTRIES: &[Entry] = &[$($file::ENTRY),+];

        impl Outcome {
            pub(super) fn generator(&self) -> &dyn Generator {
                match self {
                    $(Self::$options(options) => options,)+
                }
            }
        }
    };
}

registry! {
    /// 0 or 1.
    Binary in binary,
    /// Normal.
    Continuous in continuous,
    /// A count.
    Count in count,
    /// A time to an event.
    Survival in survival,
    /// What somebody else draws.
    Given in given,
}

impl Outcome {
    /// The outcome from its JSON, for instance `{"name":"continuous","effect":0.2,"icc":0.1}`.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for text that is no JSON, a name that is no outcome, and options that it does not have.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            let names: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
            Fault::new(format!("this is no outcome to simulate: {error}"))
                .values([text])
                .remedy(format!("Name one of {} with its options", listed(&names, "and")))
                .input()
        })
    }

    /// Name and options as JSON, which [`Outcome::from_json`] reads.
    pub fn to_json(&self) -> String {
        // Options are numbers and words: nothing that JSON has not, but numbers that are not finite, which are refused later.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The name in files and errors.
    pub fn name(&self) -> &'static str {
        self.generator().entry().name
    }

    /// How outcomes come about, in words.
    pub fn text(&self) -> String {
        self.generator().text()
    }

    /// The effect, treated less control.
    pub fn effect(&self) -> f64 {
        self.generator().effect()
    }
}

//! What can go wrong, said so that an evaluator can act on it.
//!
//! There is one [`Fault`] (what is wrong, where, and what to do) and an [`Error`] that says which kind of
//! mistake it is. Python turns each kind into a class of its own and keeps the facts as attributes.

use std::fmt;

use serde::Serialize;

/// The facts of a mistake: the problem in words, the column, rows and values it was seen in, the remedy.
///
/// It is written into logs and sent around, so it holds no data of people: rows are told by their positions, clusters by
/// the first few identifiers where there is no row to name, and values only where they are the user's own settings, names
/// or labels of categories. Long texts are cut.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Fault {
    /// What is wrong, a sentence without its full stop.
    pub problem: String,
    /// The column of the user's data that is at fault.
    pub column: Option<String>,
    /// Positions of the rows at fault, counted from 0, in the order of the data as given.
    pub rows: Vec<usize>,
    /// The offending values or names, as text.
    pub values: Vec<String>,
    /// What to do about it, a sentence without its full stop.
    pub remedy: String,
}

impl Fault {
    /// Starts a fault from the sentence that says what is wrong.
    pub fn new(problem: impl Into<String>) -> Self {
        Self { problem: shortened(problem.into(), SENTENCE), ..Self::default() }
    }

    /// Names the column.
    #[must_use]
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// Lists the rows, counted from 0.
    #[must_use]
    pub fn rows(mut self, rows: impl IntoIterator<Item = usize>) -> Self {
        self.rows = rows.into_iter().collect();
        self
    }

    /// Lists the offending values.
    #[must_use]
    pub fn values<S: Into<String>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        self.values = values.into_iter().map(|value| shortened(value.into(), VALUE)).collect();
        self
    }

    /// Lists identifiers of people or clusters: the first few, by which a reader finds the place. How many there are the
    /// problem says.
    #[must_use]
    pub(crate) fn ids<S: Into<String>>(self, ids: impl IntoIterator<Item = S>) -> Self {
        self.values(ids.into_iter().take(SHOWN))
    }

    /// Lists labels of a category that are not known, each once, where they may be such labels: of a column of many texts
    /// or of quantities none is shown, since that is the wrong column and what it holds are data.
    #[must_use]
    pub(crate) fn labels<S: AsRef<str>>(self, labels: impl IntoIterator<Item = S>) -> Self {
        let mut seen = std::collections::HashSet::new();
        let labels: Vec<S> =
            labels.into_iter().filter(|label| seen.insert(label.as_ref().to_owned())).collect();
        // Quantities, dates and numbers of people; a short whole number is a code.
        let data = |label: &S| {
            let label = label.as_ref();
            let digits = label.chars().filter(char::is_ascii_digit).count();
            let parts = label.split_once('.').is_some_and(|(_, after)| after.chars().any(|sign| sign != '0'));
            digits > 4 || (digits > 0 && parts)
        };
        if labels.len() > LABELS || labels.iter().any(data) {
            return self;
        }
        self.values(labels.iter().map(AsRef::as_ref))
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = shortened(remedy.into(), SENTENCE);
        self
    }

    /// The mistake is in the data or the arguments.
    #[must_use]
    pub fn input(self) -> Error {
        Error::Input(Box::new(self))
    }

    /// The mistake is in the design of the trial, or the data contradict it.
    #[must_use]
    pub fn design(self) -> Error {
        Error::Design(Box::new(self))
    }

    /// The model has columns that are combinations of others.
    #[must_use]
    pub fn rank(self) -> Error {
        Error::Rank(Box::new(self))
    }

    /// A variable predicts the outcome perfectly, so that its coefficient is infinite.
    #[must_use]
    pub fn separation(self) -> Error {
        Error::Separation(Box::new(self))
    }

    /// An iteration did not reach its answer.
    #[must_use]
    pub fn convergence(self) -> Error {
        Error::Convergence(Box::new(self))
    }

    /// The register of a rolling trial refused a request or does not verify.
    #[must_use]
    pub fn ledger(self) -> Error {
        Error::Ledger(Box::new(self))
    }
}

/// How many rows or values a message lists before it only counts the rest.
const SHOWN: usize = 5;
/// The most labels of a category that a message may show.
const LABELS: usize = 12;
/// The characters of a value that a message shows.
const VALUE: usize = 200;
/// The characters of a sentence.
const SENTENCE: usize = 2_000;

/// The beginning of a text, so that a message stays readable.
pub(crate) fn cut(text: &str) -> String {
    shortened(text.to_owned(), VALUE)
}

pub(crate) fn shortened(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push_str(" \u{2026}");
    }
    text
}

pub(crate) fn listed<T: fmt::Display>(items: &[T]) -> String {
    let shown = items.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN { format!("{shown} and {} more", items.len() - SHOWN) } else { shown }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        let mut facts = Vec::new();
        if let Some(column) = &self.column {
            facts.push(format!("column '{}'", cut(column)));
        }
        match self.rows.len() {
            0 => {}
            1 => facts.push(format!("row {}", self.rows[0])),
            _ => facts.push(format!("rows {}", listed(&self.rows))),
        }
        if !self.values.is_empty() {
            facts.push(format!("seen: {}", listed(&self.values)));
        }
        if !facts.is_empty() {
            write!(f, " ({})", facts.join("; "))?;
        }
        f.write_str(".")?;
        if !self.remedy.is_empty() {
            write!(f, " {}.", self.remedy)?;
        }
        Ok(())
    }
}

/// Every error of the crate; each kind carries the same facts.
///
/// ```
/// use crewe::{Error, Fault};
/// let error = Fault::new("cluster ids are missing").column("family_id").rows([3, 8]).input();
/// assert!(matches!(error, Error::Input(_)));
/// assert_eq!(error.to_string(), "cluster ids are missing (column 'family_id'; rows 3, 8).");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data or the arguments.
    #[error("{0}")]
    Input(Box<Fault>),
    /// The trial's design.
    #[error("{0}")]
    Design(Box<Fault>),
    /// Collinear columns.
    #[error("{0}")]
    Rank(Box<Fault>),
    /// Perfect prediction.
    #[error("{0}")]
    Separation(Box<Fault>),
    /// No convergence.
    #[error("{0}")]
    Convergence(Box<Fault>),
    /// The trial's register.
    #[error("{0}")]
    Ledger(Box<Fault>),
    /// The user stopped a long computation.
    #[error("stopped by the user")]
    Interrupted,
}

impl Error {
    /// The facts, where the error has any ([`Error::Interrupted`] has none).
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Input(f)
            | Self::Design(f)
            | Self::Rank(f)
            | Self::Separation(f)
            | Self::Convergence(f)
            | Self::Ledger(f) => Some(f),
            Self::Interrupted => None,
        }
    }
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

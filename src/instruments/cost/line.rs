//! Inputs and lines as they are declared, and what is wrong with them.

use crate::error::shortened;
use crate::setters::setters;
use crate::{Error, Fault, Result};

/// An input: a number with a name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Input {
    /// The name that formulas use: a letter, then letters, digits and underscores.
    pub name: String,
    /// The number as text, as its source prints it: `68.05`, `34,464`, `14.3%`.
    pub value: String,
}

impl Input {
    /// An input of this name; the number is text, as its source prints it.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A line to work out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Line {
    /// Its name, by which other lines may use it.
    pub name: String,
    /// Its expression.
    pub formula: String,
    /// What the report printed, as text: its decimals are the precision of the comparison.
    pub printed: Option<String>,
    /// The decimals to show where nothing was printed.
    pub places: i32,
}

impl Line {
    /// A line of this name and formula, to be shown with two decimals.
    pub fn new(name: impl Into<String>, formula: impl Into<String>) -> Self {
        Self { name: name.into(), formula: formula.into(), printed: None, places: 2 }
    }

    /// Adds what the report printed.
    #[must_use]
    pub fn printed(mut self, text: impl Into<String>) -> Self {
        self.printed = Some(text.into());
        self
    }
}

setters!(Line, places: plain(i32));

pub(super) fn checked_name(name: &str) -> Result<()> {
    let mut letters = name.chars();
    let fits = letters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && letters.all(|c| c.is_alphanumeric() || c == '_')
        && name != "round";
    if fits {
        return Ok(());
    }
    Err(Fault::new(format!("'{name}' cannot be the name of an input or a line"))
        .remedy("Use a letter, then letters, digits and underscores; 'round' is taken")
        .input())
}

pub(super) fn twice(name: &str) -> Error {
    Fault::new(format!("the name '{name}' is used twice"))
        .remedy("Give every input and line a name of its own")
        .input()
}

pub(super) fn unreadable(what: &str, name: &str, value: &str) -> Error {
    Fault::new(format!("the {what} '{name}' is not a number"))
        .values([value])
        .remedy("Write a plain decimal such as 68.05, 34,464 or 14.3%")
        .input()
}

pub(super) fn too_large(line: &Line) -> Error {
    Fault::new(format!("the line '{}' has more digits than can be carried exactly", line.name))
        .values([cut(&line.formula)])
        .remedy("Give its inputs with fewer digits")
        .input()
}

/// The beginning of a formula, for messages.
pub(super) fn cut(text: &str) -> String {
    shortened(text.to_owned(), 120)
}

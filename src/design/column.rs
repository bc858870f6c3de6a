//! A column of labels in canonical form: what identifiers, strata and arms are read from.

use std::collections::HashMap;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The code of a missing value in [`Column::codes`].
pub(crate) const MISSING: u32 = u32::MAX;

/// A column of text values: one code a row, one label a code, labels in Unicode NFC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The column's name in the user's data, for errors.
    pub name: String,
    /// One code a row, an index into `labels`; `u32::MAX` is missing.
    pub codes: Vec<u32>,
    /// The label of each code.
    pub labels: Vec<String>,
}

impl Column {
    /// A column from codes and labels, which are brought to NFC.
    pub fn new(name: &str, codes: Vec<u32>, labels: Vec<String>) -> Self {
        let labels = labels.into_iter().map(|l| if l.is_ascii() { l } else { nfc(&l) }).collect();
        Self { name: nfc(name), codes, labels }
    }

    /// A column from one text value a row.
    ///
    /// ```
    /// use crewe::design::Column;
    /// let column = Column::from_values("site", ["north", "south", "north"]);
    /// assert_eq!(column.codes, [0, 1, 0]);
    /// ```
    pub fn from_values<S: AsRef<str>>(name: &str, values: impl IntoIterator<Item = S>) -> Self {
        Self::from_options(name, values.into_iter().map(Some))
    }

    /// A column from one text value a row, some of them missing.
    pub fn from_options<S: AsRef<str>>(name: &str, values: impl IntoIterator<Item = Option<S>>) -> Self {
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut labels: Vec<String> = Vec::new();
        let mut codes = Vec::new();
        for value in values {
            codes.push(value.map_or(MISSING, |value| {
                *seen.entry(nfc(value.as_ref())).or_insert_with_key(|label| {
                    labels.push(label.clone());
                    labels.len() as u32 - 1
                })
            }));
        }
        Self { name: nfc(name), codes, labels }
    }

    /// The label of a row, or nothing where it is missing.
    pub fn label(&self, row: usize) -> Option<&str> {
        self.labels.get(*self.codes.get(row)? as usize).map(String::as_str)
    }

    /// The rows whose value is missing (or whose code has no label).
    pub(crate) fn missing(&self) -> Vec<usize> {
        let known = self.labels.len();
        (0..self.codes.len()).filter(|&row| self.codes[row] as usize >= known).collect()
    }
}

/// The text in Unicode NFC.
pub(crate) fn nfc(text: &str) -> String {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text.to_owned(),
        _ => text.nfc().collect(),
    }
}

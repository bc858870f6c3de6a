//! A column of labels in canonical form: what identifiers, strata and arms are read from.

use std::borrow::Cow;
use std::collections::HashMap;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::{Fault, Result};

/// The code of a missing value; never outside the crate.
pub(crate) const MISSING: u32 = u32::MAX;

/// A column of text values: one code a row or nothing, one label a code, labels in Unicode NFC.
///
/// ```
/// use crewe::design::Column;
/// let site = Column::from_options("site", [Some("north"), None, Some("south"), Some("north")]);
/// assert_eq!(site.labels(), ["north", "south"]);
/// assert_eq!(site.codes().collect::<Vec<_>>(), [Some(0), None, Some(1), Some(0)]);
/// assert_eq!(site.label(2), Some("south"));
/// assert_eq!(site.missing(), [1]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    name: String,
    /// Below the number of labels, or [`MISSING`].
    codes: Vec<u32>,
    labels: Vec<String>,
}

impl Column {
    /// A column from codes (nothing where the value is missing) and labels, which are brought to NFC.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a code that has no label, naming the rows.
    ///
    /// ```
    /// use crewe::design::Column;
    /// let labels = vec!["no".to_owned(), "yes".to_owned()];
    /// let column = Column::new("history", [Some(1), None, Some(0)], labels.clone())?;
    /// assert_eq!(column.label(0), Some("yes"));
    /// assert!(Column::new("history", [Some(2)], labels).is_err());
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn new(
        name: &str,
        codes: impl IntoIterator<Item = Option<u32>>,
        labels: Vec<String>,
    ) -> Result<Self> {
        let labels: Vec<String> =
            labels.into_iter().map(|l| if l.is_ascii() { l } else { nfc(&l) }).collect();
        let mut strangers = Vec::new();
        let codes = codes
            .into_iter()
            .enumerate()
            .map(|(row, code)| match code {
                None => MISSING,
                Some(code) => {
                    if code as usize >= labels.len() {
                        strangers.push((row, code));
                    }
                    code
                }
            })
            .collect();
        if !strangers.is_empty() {
            return Err(Fault::new(format!("codes are not below the {} labels", labels.len()))
                .column(name)
                .rows(strangers.iter().map(|&(row, _)| row))
                .values(strangers.iter().map(|(_, code)| code.to_string()))
                .remedy("Give every code its label; a missing value has no code")
                .input());
        }
        Ok(Self { name: nfc(name), codes, labels })
    }

    /// A column from one text value a row.
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

    /// A column of whole numbers, whose labels are their decimal text.
    ///
    /// ```
    /// use crewe::design::Column;
    /// let family = Column::from_whole("family", &[12, -3, 12]);
    /// assert_eq!((family.label(0), family.label(1)), (Some("12"), Some("-3")));
    /// ```
    #[must_use]
    pub fn from_whole(name: &str, values: &[i64]) -> Self {
        let (least, most) = values.iter().fold((i64::MAX, i64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
        let span = most.checked_sub(least).and_then(|span| usize::try_from(span).ok());
        let mut labels = Vec::new();
        let mut coded = |value: i64, code: &mut u32| {
            if *code == MISSING {
                *code = labels.len() as u32;
                labels.push(value.to_string());
            }
            *code
        };
        // Numbers that lie close together, as those of a register do, are looked up by their place.
        let codes = if let Some(span) = span.filter(|span| *span < 8 * values.len() + 1_024) {
            let mut seen = vec![MISSING; span + 1];
            values.iter().map(|&value| coded(value, &mut seen[(value - least) as usize])).collect()
        } else {
            let mut seen: HashMap<i64, u32> = HashMap::new();
            values.iter().map(|&value| coded(value, seen.entry(value).or_insert(MISSING))).collect()
        };
        Self { name: nfc(name), codes, labels }
    }

    /// A column of text whose labels are joined to one, as Arrow holds them: `ends` says where each label stops.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for a code that has no label, and for ends that do not part the text in order.
    ///
    /// ```
    /// use crewe::design::Column;
    /// let family = Column::from_joined("family", &[1, 0, 1], "F1F20", [2, 5])?;
    /// assert_eq!((family.label(0), family.label(1)), (Some("F20"), Some("F1")));
    /// assert!(Column::from_joined("family", &[0], "F1", [3]).is_err());
    /// # Ok::<(), crewe::Error>(())
    /// ```
    pub fn from_joined(
        name: &str,
        codes: &[u32],
        text: &str,
        ends: impl IntoIterator<Item = usize>,
    ) -> Result<Self> {
        let mut start = 0;
        let mut ends = ends.into_iter();
        let mut labels = Vec::with_capacity(ends.size_hint().0);
        let parted = ends.all(|end| {
            let label = text.get(start..end).map(|label| labels.push(label.to_owned()));
            start = end;
            label.is_some()
        });
        let labels = parted.then_some(labels).ok_or_else(|| {
            Fault::new("the labels do not stand in the text where they are said to")
                .column(name)
                .remedy("Give the end of each label in bytes, in the order of the text")
                .input()
        })?;
        Self::new(name, codes.iter().map(|&code| (code != MISSING).then_some(code)), labels)
    }

    /// The column's name in the user's data, for errors.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels; a row's code is an index into them.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The code of each row, an index into [`Column::labels`]; nothing where the value is missing.
    pub fn codes(&self) -> impl ExactSizeIterator<Item = Option<u32>> + '_ {
        self.codes.iter().map(|&code| (code != MISSING).then_some(code))
    }

    /// The label of a row, or nothing where it is missing.
    pub fn label(&self, row: usize) -> Option<&str> {
        self.labels.get(*self.codes.get(row)? as usize).map(String::as_str)
    }

    /// The rows whose value is missing.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.codes.len()).filter(|&row| self.codes[row] == MISSING).collect()
    }

    /// The codes with [`MISSING`] among them, for a column that was searched for it.
    pub(crate) fn raw(&self) -> &[u32] {
        &self.codes
    }
}

/// The text in Unicode NFC.
pub(crate) fn nfc(text: &str) -> String {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text.to_owned(),
        _ => text.nfc().collect(),
    }
}

/// Labels that occur, in bytewise order, and the place there of each code.
pub(crate) struct Ranked {
    pub labels: Vec<String>,
    pub rank: Vec<u32>,
}

/// Brings the labels of a column in order; those of a column that is given away are moved, not copied.
pub(crate) fn rank(column: Cow<'_, Column>) -> Ranked {
    let mut present = vec![false; column.labels().len()];
    for &code in column.raw() {
        present[code as usize] = true;
    }
    let order = bytewise(column.labels(), &present);
    let mut rank = vec![MISSING; column.labels().len()];
    let mut labels: Vec<String> = Vec::with_capacity(order.len());
    let mut place = |code: u32, label: Cow<'_, str>| {
        // Two codes may have one label once it is in NFC; they are one unit.
        if labels.last().map(String::as_str) != Some(&*label) {
            labels.push(label.into_owned());
        }
        rank[code as usize] = labels.len() as u32 - 1;
    };
    match column {
        Cow::Borrowed(column) => {
            order.iter().for_each(|&code| place(code, Cow::Borrowed(column.labels[code as usize].as_str())));
        }
        Cow::Owned(mut column) => {
            order
                .iter()
                .for_each(|&code| place(code, Cow::Owned(std::mem::take(&mut column.labels[code as usize]))));
        }
    }
    Ranked { labels, rank }
}

/// The codes that occur, in bytewise order of their labels.
fn bytewise(labels: &[String], present: &[bool]) -> Vec<u32> {
    let codes = || (0..labels.len()).filter(|&code| present[code]);
    let shared = codes().next().map_or(0, |first| {
        let first = labels[first].as_bytes();
        codes().fold(first.len(), |shared, code| {
            let label = &labels[code].as_bytes()[..labels[code].len().min(shared)];
            label.iter().zip(first).take_while(|(a, b)| a == b).count()
        })
    });
    // Past what all share, eight bytes as a big-endian number decide most comparisons without touching the text.
    let mut order: Vec<(u64, u32)> = codes()
        .map(|code| {
            let rest = &labels[code].as_bytes()[shared..];
            let mut bytes = [0_u8; 8];
            let length = rest.len().min(8);
            bytes[..length].copy_from_slice(&rest[..length]);
            (u64::from_be_bytes(bytes), code as u32)
        })
        .collect();
    order
        .sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| labels[a.1 as usize].cmp(&labels[b.1 as usize])));
    order.into_iter().map(|(_, code)| code).collect()
}

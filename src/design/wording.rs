//! What a trial calls its units, the rows of a unit and its arms: in tables, figures and messages, never in the draw.
//!
//! Words are no part of the commitment: a trial may be given others without being another trial.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Design, Unit, nfc};
use crate::{Fault, Result};

/// The most characters of a noun or a label.
const LONGEST: usize = 100;

/// A noun, for one and for many.
///
/// ```
/// use crewe::design::Noun;
/// let (pupil, child) = (Noun::regular("pupil"), Noun::new("child", "children"));
/// assert_eq!((pupil.count(2), child.count(1)), ("2 pupils".into(), "1 child".into()));
/// assert_eq!((Noun::regular("agency").many(), Noun::of_column("school_id").one()), ("agencies", "school"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, String)", into = "(String, String)")]
pub struct Noun {
    one: String,
    many: String,
}

impl From<(String, String)> for Noun {
    fn from((one, many): (String, String)) -> Self {
        Self { one, many }
    }
}

impl From<Noun> for (String, String) {
    fn from(noun: Noun) -> Self {
        (noun.one, noun.many)
    }
}

impl Noun {
    /// A noun with a plural of its own.
    #[must_use]
    pub fn new(one: &str, many: &str) -> Self {
        Self { one: nfc(one.trim()), many: nfc(many.trim()) }
    }

    /// A noun with its regular plural: school, schools; agency, agencies; church, churches. Child and person have theirs.
    #[must_use]
    pub fn regular(one: &str) -> Self {
        let one = one.trim();
        Self::new(one, &plural(one))
    }

    /// The noun of a column of identifiers: school of `school_id`, and unit of one that is no word.
    #[must_use]
    pub fn of_column(column: &str) -> Self {
        let mut noun = column.to_lowercase();
        for end in ["_id", "_no", "_key", "_code", " id", "_number"] {
            noun = noun.strip_suffix(end).map_or(noun.clone(), str::to_owned);
        }
        let noun = noun.replace('_', " ").trim().to_owned();
        let word = noun.chars().count() > 2 && noun.contains(['a', 'e', 'i', 'o', 'u', 'y']);
        match noun.as_str() {
            // An abbreviation is no noun of the field: "tches" for tch.
            _ if !word && noun.is_ascii() => Self::regular("unit"),
            "people" => Self::new("person", "people"),
            noun => Self::regular(noun),
        }
    }

    /// One of them.
    #[must_use]
    pub fn one(&self) -> &str {
        &self.one
    }

    /// Many of them.
    #[must_use]
    pub fn many(&self) -> &str {
        &self.many
    }

    /// One of them with its article: a school, an agency.
    #[must_use]
    pub fn a(&self) -> String {
        let vowel = self.one.to_lowercase().starts_with(['a', 'e', 'i', 'o', 'u']);
        format!("{} {}", if vowel && !self.one.starts_with("uni") { "an" } else { "a" }, self.one)
    }

    /// So many of them.
    #[must_use]
    pub fn count(&self, count: usize) -> String {
        format!("{count} {}", if count == 1 { &self.one } else { &self.many })
    }
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.one)
    }
}

fn plural(one: &str) -> String {
    let stem = |end: &str| one.strip_suffix(end);
    if one == "child" || one.ends_with(" child") {
        return format!("{one}ren");
    }
    if let Some(before) = stem("person").filter(|before| before.is_empty() || before.ends_with(' ')) {
        return format!("{before}people");
    }
    match stem("y") {
        Some(before) if !before.is_empty() && !before.ends_with(['a', 'e', 'i', 'o', 'u']) => {
            format!("{before}ies")
        }
        _ if one.ends_with(['s', 'x']) || one.ends_with("ch") || one.ends_with("sh") => format!("{one}es"),
        _ => format!("{one}s"),
    }
}

/// What a trial calls a unit that is randomised, and a row of one.
///
/// ```
/// use crewe::design::Design;
/// let nouns = Design::new("t").cluster("family_id").nouns();
/// assert_eq!((nouns.unit.many(), nouns.member.one()), ("families", "child"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Nouns {
    /// A unit that is randomised.
    pub unit: Noun,
    /// A row of a cluster.
    pub member: Noun,
}

/// The words that were declared with a design; what is not declared follows from its columns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Wording {
    /// The noun of the units.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<Noun>,
    /// The noun of the rows of a cluster.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub member: Option<Noun>,
    /// What to print in place of an arm's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub labels: BTreeMap<String, String>,
}

impl Wording {
    /// Nouns, and labels by the names of arms.
    #[must_use]
    pub fn new(
        unit: Option<Noun>,
        member: Option<Noun>,
        labels: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let labels = labels.into_iter().map(|(arm, label)| (nfc(&arm), nfc(label.trim()))).collect();
        Self { unit, member, labels }
    }

    /// Whether nothing is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses nouns that are empty or long, and labels of no arm or of two.
    pub(super) fn check(&self, arms: &[String], clustered: bool) -> Result<()> {
        let refuse = |problem: &str, values: Vec<String>, remedy: &str| {
            Err(Fault::new(problem).values(values).remedy(remedy).design())
        };
        let nouns = [&self.unit, &self.member];
        let words =
            nouns.into_iter().flatten().flat_map(|noun| [&noun.one, &noun.many]).chain(self.labels.values());
        for word in words {
            let plain = !word.trim().is_empty() && !word.chars().any(char::is_control);
            if !plain || word.chars().count() > LONGEST {
                return refuse(
                    "a noun or label of the design is no plain text of 1 to 100 characters",
                    vec![crate::error::cut(word)],
                    "Write a word or a few, for instance school",
                );
            }
        }
        if let Some(noun) = self.member.as_ref().filter(|_| !clustered) {
            return refuse(
                "the design randomises individuals, who have no members to be named",
                vec![noun.one.clone()],
                "Leave the member's noun out, or declare what is randomised as a cluster",
            );
        }
        let strange: Vec<String> = self.labels.keys().filter(|arm| !arms.contains(arm)).cloned().collect();
        if !strange.is_empty() {
            return refuse(
                "there are labels of arms that the design does not have",
                strange,
                "Label its arms by name",
            );
        }
        let shown: Vec<&String> = arms.iter().map(|arm| self.labels.get(arm).unwrap_or(arm)).collect();
        if let Some(twice) = shown.iter().enumerate().find(|(at, label)| shown[..*at].contains(label)) {
            return refuse("two arms have the same label", vec![(*twice.1).clone()], "Give each its own");
        }
        Ok(())
    }
}

impl Design {
    /// Calls a unit that is randomised this, instead of what its column says.
    #[must_use]
    pub fn unit_noun(mut self, noun: Noun) -> Self {
        self.wording.unit = Some(noun);
        self
    }

    /// Calls a row of a cluster this, instead of a child.
    #[must_use]
    pub fn member_noun(mut self, noun: Noun) -> Self {
        self.wording.member = Some(noun);
        self
    }

    /// Prints this in place of an arm's name.
    #[must_use]
    pub fn label(mut self, arm: &str, label: &str) -> Self {
        self.wording.labels.insert(nfc(arm), nfc(label.trim()));
        self
    }

    /// Takes all words at once.
    #[must_use]
    pub fn worded(mut self, wording: Wording) -> Self {
        self.wording = wording;
        self
    }

    /// The words that were declared.
    #[must_use]
    pub fn wording(&self) -> &Wording {
        &self.wording
    }

    /// What a unit and a row of it are called.
    #[must_use]
    pub fn nouns(&self) -> Nouns {
        let column = self.unit.as_ref().map_or("", Unit::column);
        Nouns {
            unit: self.wording.unit.clone().unwrap_or_else(|| Noun::of_column(column)),
            member: self.wording.member.clone().unwrap_or_else(|| Noun::regular("child")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_regular_and_abbreviations_are_units() {
        let many = |column: &str| Noun::of_column(column).many().to_owned();
        for (column, plural) in [
            ("family_id", "families"),
            ("school", "schools"),
            ("bus_no", "buses"),
            ("church_id", "churches"),
            ("child_id", "children"),
            ("person", "people"),
            ("people", "people"),
            ("day", "days"),
            ("local_authority_id", "local authorities"),
            ("tch", "units"),
            ("f", "units"),
            ("id", "units"),
            ("\u{c9}cole_id", "\u{e9}coles"),
        ] {
            assert_eq!(many(column), plural, "{column}");
        }
    }

    #[test]
    fn words_are_checked_with_the_design() {
        let design = || Design::new("t").arm("a", 1).arm("b", 1).cluster("school_id");
        assert!(design().unit_noun(Noun::regular("school")).label("a", "Usual").check().is_ok());
        for wrong in [
            design().unit_noun(Noun::new("", "schools")),
            design().label("c", "Other"),
            design().label("a", "b"),
            design().label("a", "two\nlines"),
            Design::new("t").arm("a", 1).arm("b", 1).individual("id").member_noun(Noun::regular("pupil")),
        ] {
            assert!(matches!(wrong.check(), Err(crate::Error::Design(_))), "{wrong:?}");
        }
    }
}

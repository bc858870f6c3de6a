//! How long what is recorded may be: an entry stays for good, and every check of the ledger reads it again.
//!
//! Only new entries are held to this, so that a ledger with longer ones still opens.

use super::event::{Application, Event, Record, Signature};
use crate::design::Nouns;
use crate::{Fault, Result};

/// The most characters of an identifier.
const ID: usize = 200;
/// The most characters of a name, or of a value of a stratum or factor.
const NAME: usize = 1_000;
/// The most characters of a reason.
const TEXT: usize = 10_000;
/// The most characters of a design.
const DESIGN: usize = 1_000_000;
/// The most children of one family, and levels of one column.
const LIST: usize = 10_000;
/// The most bytes of an entry as it is written.
const ENTRY: usize = 4_000_000;

/// Refuses an entry that is longer than a ledger takes; `body` is how it is written, and `known` says which families are
/// in the ledger.
///
/// # Errors
/// [`crate::Error::Ledger`] that names the field and the most it takes.
pub(super) fn check(record: &Record, body: &str, nouns: &Nouns, known: impl Fn(&str) -> bool) -> Result<()> {
    fields(record, nouns, known)?;
    refuse("the entry", body.len(), ENTRY, "bytes", None)
}

fn fields(record: &Record, nouns: &Nouns, known: impl Fn(&str) -> bool) -> Result<()> {
    let (unit, member) = (nouns.unit.one(), nouns.member.one());
    // A family that is in the ledger already may be written about, however long its identifier.
    let named = |id: &str| if known(id) { Ok(()) } else { check_id(unit, id) };
    if let Some(request) = &record.request {
        check_id("request id", request)?;
    }
    match &record.event {
        Event::Created { design, rules, .. } => {
            length("design", design, DESIGN)?;
            rules.levels.iter().try_for_each(|levels| texts("level", levels))
        }
        Event::Approved { application } | Event::Refused { application, .. } => of(application, nouns),
        Event::Drawn { family, .. } => named(family),
        Event::Child { family, child, signature } => {
            named(family)?;
            check_id(member, child)?;
            signed(signature)
        }
        Event::Capacity { arm, signature, .. } => {
            length("arm", arm, NAME)?;
            signed(signature)
        }
        Event::Override { family, delivered, signature } => {
            named(family)?;
            length("arm", delivered, NAME)?;
            signed(signature)
        }
        Event::Withdrawn { family, signature, .. } | Event::Excluded { family, signature, .. } => {
            named(family)?;
            signed(signature)
        }
        Event::Merged { family, into, signature } => {
            named(family)?;
            named(into)?;
            signed(signature)
        }
        Event::Split { family, into, children, signature } => {
            named(family)?;
            check_id(unit, into)?;
            // They are in the ledger already, or the split is refused.
            count(nouns.member.many(), children.len())?;
            signed(signature)
        }
        Event::Closed { signature } => signed(signature),
    }
}

/// Refuses an identifier that is too long.
///
/// # Errors
/// As [`check`].
pub(super) fn check_id(what: &str, id: &str) -> Result<()> {
    length(what, id, ID)
}

fn of(application: &Application, nouns: &Nouns) -> Result<()> {
    check_id(nouns.unit.one(), &application.family)?;
    count(nouns.member.many(), application.children.len())?;
    application.children.iter().try_for_each(|child| check_id(nouns.member.one(), child))?;
    texts("stratum", &application.stratum)?;
    texts("factor", &application.factors)?;
    length("approved_by", &application.approved_by, NAME)?;
    optional("proposed_by", application.proposed_by.as_ref(), NAME)?;
    optional("consent", application.consent.as_ref(), TEXT)
}

fn signed(signature: &Signature) -> Result<()> {
    optional("by", signature.by.as_ref(), NAME)?;
    optional("reason", signature.reason.as_ref(), TEXT)
}

fn optional(what: &str, text: Option<&String>, most: usize) -> Result<()> {
    text.map_or(Ok(()), |text| length(what, text, most))
}

fn texts(what: &str, values: &[String]) -> Result<()> {
    count(what, values.len())?;
    values.iter().try_for_each(|value| length(what, value, NAME))
}

fn count(what: &str, number: usize) -> Result<()> {
    refuse(what, number, LIST, "entries", None)
}

fn length(what: &str, text: &str, most: usize) -> Result<()> {
    // Bytes are never fewer than characters, and cheaper to count.
    let number = if text.len() <= most { text.len() } else { text.chars().count() };
    refuse(what, number, most, "characters", Some(text))
}

fn refuse(what: &str, number: usize, most: usize, unit: &str, text: Option<&str>) -> Result<()> {
    if number <= most {
        return Ok(());
    }
    Err(Fault::new(format!(
        "{what} has {number} {unit}, and a ledger takes at most {most}; nothing was recorded"
    ))
    .values(text)
    .remedy("Shorten it, and keep the long form outside the ledger: what is recorded stays for good")
    .ledger())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_in_characters_and_messages_are_cut() {
        assert!(check_id("family", &"\u{e9}".repeat(ID)).is_ok());
        let error = check_id("family", &"\u{e9}".repeat(ID + 1)).err().map(|error| error.to_string());
        let message = error.unwrap_or_default();
        assert!(message.contains("201 characters") && message.chars().count() < 500, "{message}");
    }
}

//! Where the key of a trial comes from: never from the file of the ledger.

use std::path::Path;

use crate::rng::Seed;
use crate::{Fault, Result};

/// The environment variable that may hold a key, as 64 hexadecimal digits.
pub const KEY_VARIABLE: &str = "CREWE_KEY";

/// Reads a key from 64 hexadecimal digits.
///
/// ```
/// use crewe::ledger::key_from_hex;
/// assert_eq!(key_from_hex(&"07".repeat(32))?, crewe::rng::Seed::Key([7; 32]));
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Ledger`] for anything else, which the message does not repeat.
pub fn key_from_hex(text: &str) -> Result<Seed> {
    let digits = text.trim().as_bytes();
    let value = |digit: u8| char::from(digit).to_digit(16);
    let mut key = [0_u8; 32];
    let read = digits.len() == 64
        && key.iter_mut().zip(digits.chunks(2)).all(|(byte, pair)| match (value(pair[0]), value(pair[1])) {
            (Some(high), Some(low)) => {
                *byte = (high * 16 + low) as u8;
                true
            }
            _ => false,
        });
    if read { Ok(Seed::Key(key)) } else { Err(no_key("this is no key").ledger()) }
}

/// Reads a key from a file that holds it as 64 hexadecimal digits.
///
/// # Errors
/// [`crate::Error::Ledger`] for a file that cannot be read or holds something else.
pub fn key_from_file(path: impl AsRef<Path>) -> Result<Seed> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).map_err(|error| {
        no_key("the key file cannot be read").values([format!("{}: {error}", path.display())]).ledger()
    })?;
    key_from_hex(&text)
}

/// Reads a key from the environment variable [`KEY_VARIABLE`].
///
/// # Errors
/// [`crate::Error::Ledger`] where the variable is not set or holds something else.
pub fn key_from_environment() -> Result<Seed> {
    match std::env::var(KEY_VARIABLE) {
        Ok(text) => key_from_hex(&text),
        Err(_) => Err(no_key("there is no key").ledger()),
    }
}

fn no_key(problem: &str) -> Fault {
    Fault::new(problem).remedy(format!(
        "Pass the key that the ledger was created with: as an argument, in a file, or in the environment variable \
         {KEY_VARIABLE}, as 64 hexadecimal digits"
    ))
}

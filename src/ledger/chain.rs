//! The chain that ties every event to all events before it.
//!
//! mac_n = HMAC-SHA-256(k, mac_{n-1} || n || body_n), where mac_{-1} is 32 zero bytes, n is the event's number as a
//! little-endian 64-bit integer and body_n the bytes of the event as they are stored. The key of the chain is
//! k = HMAC-SHA-256(trial key, "crewe/1 ledger chain"); the streams of the draw come from the trial key by another
//! hash ([`crate::rng`]), so that neither gives the other away. Who edits the file without the key cannot make the
//! codes fit again.
//!
//! H. Krawczyk, M. Bellare, R. Canetti (1997), HMAC: Keyed-Hashing for Message Authentication, RFC 2104,
//! doi:10.17487/RFC2104.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::rng::Seed;
use crate::{Error, Fault, Result};

/// The label under which the chain's key is derived.
const LABEL: &str = "crewe/1 ledger chain";

/// The code of one event: it stands for this event and all before it.
pub(super) type Code = [u8; 32];

/// The code before the first event.
pub(super) const START: Code = [0; 32];

/// Computes codes under the key of one trial.
pub(super) struct Chain {
    keyed: Hmac<Sha256>,
}

impl Chain {
    /// The chain of a trial's key.
    ///
    /// # Errors
    /// [`Error::Ledger`] for an integer seed, which a commitment cannot hide.
    pub fn new(key: &Seed) -> Result<Self> {
        let Seed::Key(secret) = key else {
            return Err(Fault::new("a ledger needs a key of 256 bits, not an integer seed")
                .remedy(
                    "Make one with new_key() and keep it away from those who recruit: an integer could be found \
                     by trying them all",
                )
                .ledger());
        };
        let derived = keyed(secret).chain_update(LABEL).finalize().into_bytes();
        Ok(Self { keyed: keyed(&derived) })
    }

    /// The code of event `number`.
    pub fn code(&self, previous: &Code, number: u64, body: &str) -> Code {
        let mac = self.keyed.clone().chain_update(previous).chain_update(number.to_le_bytes());
        mac.chain_update(body.as_bytes()).finalize().into_bytes().into()
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length: the error of the trait cannot come here.
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
}

/// The state of a ledger after one event, to be lodged outside: the event's number and its code.
///
/// Its text is the number, a hyphen and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the event, counted from 0.
    pub sequence: u64,
    pub(super) code: Code,
}

/// Serialised as its text.
impl serde::Serialize for Head {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.sequence)?;
        self.code.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Head {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (number, digits) = text.trim().split_once('-')?;
            if digits.len() != 64 || !digits.is_ascii() {
                return None;
            }
            let mut code = START;
            for (place, byte) in code.iter_mut().enumerate() {
                *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
            }
            Some(Self { sequence: number.parse().ok()?, code })
        };
        read().ok_or_else(|| {
            Fault::new("this is not the head of a ledger")
                .values([text])
                .remedy("Pass what head() or a receipt gave: a number, a hyphen and 64 hexadecimal digits")
                .input()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 1 and 2.
    #[test]
    fn rfc_4231() {
        let hex = |mac: Hmac<Sha256>| {
            Head { sequence: 0, code: mac.finalize().into_bytes().into() }.to_string()[2..].to_owned()
        };
        assert_eq!(
            hex(keyed(&[0x0b; 20]).chain_update("Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            hex(keyed(b"Jefe").chain_update("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn codes_depend_on_all_before_and_on_the_key() -> Result<()> {
        let chain = Chain::new(&Seed::Key([7; 32]))?;
        let first = chain.code(&START, 0, "a");
        assert_ne!(first, chain.code(&START, 1, "a"));
        assert_ne!(first, chain.code(&START, 0, "b"));
        assert_ne!(first, chain.code(&first, 0, "a"));
        assert_ne!(first, Chain::new(&Seed::Key([8; 32]))?.code(&START, 0, "a"));
        assert!(matches!(Chain::new(&Seed::Integer(1)), Err(Error::Ledger(_))));
        let head = Head { sequence: 12, code: first };
        assert_eq!(head.to_string().parse::<Head>()?, head);
        for wrong in ["", "12", "12-", "x-00", "12-zz", &"0".repeat(64)] {
            assert!(wrong.parse::<Head>().is_err());
        }
        Ok(())
    }
}

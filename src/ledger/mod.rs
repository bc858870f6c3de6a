//! The register of a rolling trial: families are enrolled one after the other, by several people at once, and
//! nothing that was recorded can be lost, changed or drawn again unnoticed.
//!
//! A [`Ledger`] is one SQLite file to which events are added: a family enrolled and its arm drawn, a child who came
//! later, an arm that is full, an override, a withdrawal, a merger, an exclusion, the end.
//!
//! * **The draw.** The n-th arrival's arm depends on the key, the design, its stratum and factors and on the arrivals
//!   before it, by the procedure of the design ([`crate::design::Sequence`]). Approval is recorded before the draw.
//! * **The chain.** Every event carries an HMAC-SHA-256 over the event before it, its number and its text, under a key
//!   derived from the trial's. [`Ledger::verify`] follows the chain, draws every arm again and names the first event
//!   that is wrong. Who edits the file without the key cannot make it fit again.
//! * **The tail.** Events cut off at the end leave a shorter chain that is whole. Only a [`Head`] that was lodged
//!   outside finds that; every entry gives one in its [`Receipt`].
//! * **The key.** It is never in the file, which holds only the commitment to it. Who holds the key and can copy the
//!   file can enrol on the copy and look; who holds the key can write the chain anew. No program on one machine can
//!   prevent either, so the key-holder must not be the recruiter, and heads are lodged outside.
//! * **The disk.** A call returns when the disk has the event (write-ahead log, synchronous=FULL). A process that dies
//!   at any moment leaves the events that were acknowledged, and no half of one.
//!
//! ```
//! use crewe::design::{Design, Simple};
//! use crewe::ledger::{Application, Ledger, Rules};
//! use crewe::rng::Seed;
//! # let folder = std::env::temp_dir().join(format!("crewe-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let path = folder.join("trial.ledger");
//! let key = Seed::new_key()?;
//! let design = Design::new("Project Crewe")
//!     .arm("control", 1)
//!     .arm("crewe", 2)
//!     .cluster("family_id")
//!     .strata(["history"])
//!     .method(Simple {})
//!     .seed(key.clone());
//! let ledger = Ledger::create(&path, &design, &Rules::default())?;
//! let family = Application::new("F001").children(["C1", "C2"]).stratum(["no"]).approved_by("A. Officer");
//! let receipt = ledger.enrol(&family)?;
//! drop(ledger);
//! // Lodge the head with somebody else; without it the end of the file cannot be checked.
//! let ledger = Ledger::open(&path, &key, Some(&receipt.head))?;
//! assert_eq!(ledger.verify(Some(&receipt.head))?.families, 1);
//! # drop(ledger);
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok::<(), crewe::Error>(())
//! ```

mod assignment;
mod chain;
mod changes;
mod enrol;
mod event;
#[cfg(test)]
mod failures;
mod flow;
mod frame;
mod key;
mod limits;
mod log;
mod reading;
mod rules;
mod state;
mod store;
mod time;
mod verify;

pub use assignment::{Assigned, Scope};
pub use chain::Head;
pub use changes::Entry;
pub use enrol::{Application, Placement, Receipt};
pub use event::{Merged, Overflow, Rules};
pub use flow::{ArmEntries, LedgerFlow};
pub use frame::{Left, Row};
pub use key::{KEY_VARIABLE, key_from_environment, key_from_file, key_from_hex};
pub use store::Ledger;
pub use time::{Time, When};
pub use verify::Verified;

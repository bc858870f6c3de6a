//! What goes wrong under a ledger's feet: a full disk, a disk that is read-only, a panic, a fork.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, Record, Signature};
use super::{Application, Ledger, Rules, Time};
use crate::design::{Design, Simple};
use crate::progress::{Monitor, NoMonitor, watched};
use crate::rng::Seed;
use crate::{Error, Result};

const KEY: Seed = Seed::Key([7; 32]);

fn file(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("crewe-failures-{}", std::process::id()));
    // Removed by whoever empties the folder for temporary files; the tests of one process share it.
    drop(std::fs::create_dir_all(&folder));
    folder.join(name)
}

fn created(name: &str) -> Result<Ledger> {
    let design = Design::new("t").arm("a", 1).arm("b", 1).cluster("f").method(Simple {}).seed(KEY);
    let at: Time = "2017-03-01T09:00:00Z".parse()?;
    Ledger::create_at(file(name), &design, &Rules::default(), at)
}

fn family(k: u32) -> Application {
    Application::new(&format!("F{k}")).children([format!("C{k}")]).approved_by("A. Officer")
}

fn pragma(ledger: &Ledger, sql: &str) {
    let guard = ledger.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    guard.log.meddle(sql);
}

#[test]
fn a_full_disk_loses_nothing() -> Result<()> {
    let ledger = created("full")?;
    let mut last = ledger.enrol(&family(0))?;
    // SQLite reports a file that may not grow as it reports a full disk.
    pragma(&ledger, "PRAGMA max_page_count = 6");
    let mut refused = None;
    for k in 1..200 {
        match ledger.enrol(&family(k)) {
            Ok(receipt) => last = receipt,
            Err(error) => {
                refused = Some((k, error.to_string()));
                break;
            }
        }
    }
    let (k, message) = refused.unwrap_or_default();
    assert!(message.contains("disk is full") && message.contains("nothing was recorded"), "{message}");
    assert_eq!(ledger.head()?, last.head);
    pragma(&ledger, "PRAGMA max_page_count = 1000000");
    ledger.enrol(&family(k))?;
    assert_eq!(ledger.verify(Some(&last.head))?.families, k as usize + 1);
    Ok(())
}

#[test]
fn a_disk_that_is_read_only_is_named() -> Result<()> {
    let ledger = created("readonly")?;
    let head = ledger.enrol(&family(0))?.head;
    pragma(&ledger, "PRAGMA query_only = ON");
    let message = ledger.enrol(&family(1)).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("read-only"), "{message}");
    assert_eq!(ledger.verify(Some(&head))?.head, head);
    assert_eq!(ledger.frame()?.len(), 1);
    pragma(&ledger, "PRAGMA query_only = OFF");
    ledger.enrol(&family(1))?;
    Ok(())
}

#[test]
fn a_panic_leaves_the_ledger_usable() -> Result<()> {
    let ledger = created("panic")?;
    let head = ledger.enrol(&family(0))?.head;
    let broken = catch_unwind(AssertUnwindSafe(|| ledger.write::<()>(|_| panic!("as if by a bug"))));
    assert!(broken.is_err());
    assert_eq!(ledger.head()?, head);
    ledger.enrol(&family(1))?;
    assert_eq!(ledger.verify(None)?.families, 2);
    Ok(())
}

#[test]
fn another_process_must_open_it_again() -> Result<()> {
    let mut ledger = created("fork")?;
    ledger.enrol(&family(0))?;
    ledger.process = ledger.process.wrapping_add(1);
    let message = ledger.enrol(&family(1)).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("forked"), "{message}");
    drop(ledger);
    assert_eq!(Ledger::open(file("fork"), &KEY, None)?.verify(None)?.families, 1);
    Ok(())
}

#[test]
fn whoever_waits_can_be_stopped() -> Result<()> {
    struct Stop;
    impl Monitor for Stop {
        fn tick(&self, done: u64, _total: u64) -> bool {
            done < 30
        }
    }
    let first = created("waits")?;
    let second = Ledger::open(file("waits"), &KEY, None)?.monitored(Stop).waiting(Duration::from_secs(60));
    pragma(&first, "BEGIN IMMEDIATE");
    assert_eq!(second.enrol(&family(0)), Err(Error::Interrupted));
    pragma(&first, "ROLLBACK");
    second.enrol(&family(0))?;
    assert_eq!(first.verify(None)?.families, 1);
    Ok(())
}

#[test]
fn test_7_8_reading_a_long_ledger_can_be_stopped() -> Result<()> {
    struct Stop;
    impl Monitor for Stop {
        fn tick(&self, _done: u64, _total: u64) -> bool {
            false
        }
    }
    let ledger = created("long")?;
    // Only so that the test is quick.
    pragma(&ledger, "PRAGMA synchronous = OFF");
    let many: Vec<String> = (0..9_000).map(|k| format!("C{k}")).collect();
    let family = Application::new("F").children(&many).approved_by("A. Officer");
    ledger.enrol(&family)?;
    for k in 0..2_000 {
        ledger.enrol(&self::family(10_000 + k))?;
    }
    let open = || Ledger::open(file("long"), &KEY, None).map(|ledger| ledger.notes().len());
    assert_eq!(watched(Arc::new(Stop), open), Err(Error::Interrupted));
    assert_eq!(open(), Ok(1));
    // A handle that was stopped goes on.
    let stopped = Ledger::open(file("long"), &KEY, None)?.monitored(Stop);
    assert_eq!(stopped.verify(None).err(), Some(Error::Interrupted));
    assert_eq!(stopped.monitored(NoMonitor).verify(None)?.families, 2_001);
    Ok(())
}

#[cfg(unix)]
#[test]
fn test_7_4_a_file_that_goes_in_the_middle_of_an_entry_gives_no_receipt() -> Result<()> {
    let ledger = created("middle")?;
    let head = ledger.enrol(&family(0))?.head;
    let (path, away) = (file("middle"), file("middle-away"));
    let written = ledger.write(|writer| {
        let signature = Signature { by: Some("B".into()), reason: None };
        let event = Event::Capacity { arm: "a".into(), full: true, signature };
        let added = writer.append(&Record { at: Time::now(), event, request: None }, None)?;
        drop(std::fs::rename(&path, &away));
        Ok(added)
    });
    let message = written.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("nothing was recorded"), "{message}");
    drop(std::fs::rename(&away, &path));
    // Nothing was, and the ledger goes on.
    assert_eq!(ledger.head()?, head);
    assert_eq!(ledger.full()?, Vec::<String>::new());
    ledger.enrol(&family(1))?;
    assert_eq!(ledger.verify(Some(&head))?.families, 2);
    Ok(())
}

//! Enrolments at full durability, beside bare commits of SQLite with the same settings on the same disk.

use std::cell::Cell;
use std::path::PathBuf;

use crewe::design::{Blocks, Design};
use crewe::ledger::{Application, Ledger, Rules};
use crewe::rng::Seed;
use rusqlite::Connection;

fn main() {
    divan::main();
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("crewe-bench-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn ledger(folder: &Folder) -> Ledger {
    let key = Seed::Key([7; 32]);
    let design = Design::new("bench")
        .arm("control", 1)
        .arm("crewe", 2)
        .cluster("family_id")
        .strata(["site"])
        .method(Blocks::new([3, 6]))
        .seed(key);
    Ledger::create(folder.0.join("ledger"), &design, &Rules::default()).unwrap()
}

fn family(k: u64) -> Application {
    Application::new(&format!("F{k}"))
        .children([format!("F{k}-a"), format!("F{k}-b")])
        .stratum([if k.is_multiple_of(2) { "north" } else { "south" }])
        .approved_by("A. Officer")
}

/// One family of two children, on the disk when the call returns.
#[divan::bench(sample_count = 2000, sample_size = 1)]
fn enrol(bencher: divan::Bencher<'_, '_>) {
    let folder = Folder::new("enrol");
    let ledger = ledger(&folder);
    let next = Cell::new(0);
    bencher.bench_local(|| {
        next.set(next.get() + 1);
        ledger.enrol(&family(next.get())).unwrap()
    });
}

/// The floor: one row of the same size, one commit.
#[divan::bench(sample_count = 2000, sample_size = 1)]
fn bare_commit(bencher: divan::Bencher<'_, '_>) {
    let folder = Folder::new("bare");
    let connection = Connection::open(folder.0.join("bare")).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (k INTEGER PRIMARY KEY, body TEXT)")
        .unwrap();
    let body = "x".repeat(450);
    bencher.bench_local(|| connection.execute("INSERT INTO t (body) VALUES (?1)", [&body]).unwrap());
}

/// Reading back, following the chain and drawing again 5,000 families.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn verify_5000_families(bencher: divan::Bencher<'_, '_>) {
    let folder = Folder::new("verify");
    let ledger = ledger(&folder);
    // Where it is only tested that the bench runs, the disk is not asked 5,000 times.
    let families = if std::env::args().any(|argument| argument == "--bench") { 5000 } else { 50 };
    for k in 0..families {
        ledger.enrol(&family(k)).unwrap();
    }
    bencher.bench_local(|| ledger.verify(None).unwrap());
}

//! What a ledger must survive: many processes at once, SIGKILL at any moment, bits that flip, and people with SQL.
//!
//! `cargo test --test ledger_torture` runs a small size; `CREWE_LEDGER_FULL=1` the full one: 64 processes of 200
//! enrolments, 500 kills, 1,000 flips of each kind, edits of every event. Prints one line for each trial.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crewe::design::{Blocks, Design, Simple};
use crewe::ledger::{Application, Entry, Head, Ledger, Rules, Time};
use crewe::rng::{Seed, Stream};
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::Connection;
use sha2::Sha256;

const KEY: Seed = Seed::Key([7; 32]);

struct Sizes {
    processes: usize,
    enrolments: usize,
    kills: usize,
    flips: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, path, name, count] = &arguments[..]
        && role == "worker"
    {
        return worker(Path::new(path), name, count.parse().expect("a count"));
    }
    let full = std::env::var_os("CREWE_LEDGER_FULL").is_some();
    let sizes = if full {
        Sizes { processes: 64, enrolments: 200, kills: 500, flips: 1000 }
    } else {
        Sizes { processes: 6, enrolments: 20, kills: 20, flips: 100 }
    };
    let folder = std::env::temp_dir().join(format!("crewe-torture-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    at_once(&folder, &sizes);
    killed(&folder, &sizes);
    flipped(&folder, &sizes);
    edited(&folder);
    std::fs::remove_dir_all(&folder).expect("the folder");
}

fn design() -> Design {
    let design =
        Design::new("torture").arm("control", 1).arm("crewe", 2).cluster("family_id").strata(["site"]);
    let blocks = design.clone().method(Blocks::new([3, 6])).seed(KEY);
    if crewe::design::Sequence::new(&blocks, &KEY).is_ok() {
        blocks
    } else {
        design.method(Simple {}).seed(KEY)
    }
}

fn application(family: &str) -> Application {
    let site = if family.len().is_multiple_of(2) { "north" } else { "south" };
    Application::new(family)
        .children([format!("{family}-a"), format!("{family}-b")])
        .stratum([site])
        .approved_by("A. Officer")
        .request(family)
}

fn at(second: u64) -> Time {
    format!("2017-03-01T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
        .parse()
        .expect("a time")
}

// ---- workers, in processes of their own ------------------------------------------------------------------------

/// Enrols families `name-0, name-1, …`, each followed by a late child, and reports what was acknowledged.
/// Families `shared-…` are wanted by every worker.
fn worker(path: &Path, name: &str, count: usize) {
    let out = &mut std::io::stdout().lock();
    let mut say = |line: String| {
        writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent listens");
    };
    let ledger = match Ledger::open(path, &KEY, None) {
        Ok(ledger) => ledger,
        Err(_) => Ledger::create(path, &design(), &Rules::default())
            .or_else(|_| Ledger::open(path, &KEY, None))
            .expect("a ledger"),
    };
    for k in 0..count {
        let family = format!("{name}-{k}");
        say(format!("try {family}"));
        let receipt = ledger.enrol(&application(&family)).expect("an enrolment");
        say(format!("family {family} {} {}", receipt.placement.expect("a place").arm, receipt.head));
        let late = format!("{family}-late");
        let receipt =
            ledger.add_child(&family, &late, None, &Entry::by("B").request(&late)).expect("a child");
        say(format!("child {family} {late} {}", receipt.head));
        if k % 10 == 0 && !name.starts_with("kill") {
            let shared = format!("shared-{}", k / 10);
            // Another request id for each worker: these are different people who want the same family in.
            match ledger.enrol(&application(&shared).request(&format!("{name}:{shared}"))) {
                Ok(receipt) => say(format!(
                    "family {shared} {} {}",
                    receipt.placement.expect("a place").arm,
                    receipt.head
                )),
                Err(error) => assert!(error.to_string().contains("enrolled already"), "{error}"),
            }
        }
    }
}

fn spawn(path: &Path, name: &str, count: usize) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["worker".as_ref(), path.as_os_str(), name.as_ref(), count.to_string().as_ref()])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a process")
}

/// What a worker was told, and what it tried last.
#[derive(Default)]
struct Told {
    families: Vec<(String, String)>,
    children: Vec<(String, String)>,
    tried: Option<String>,
    last: Option<Head>,
}

impl Told {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["try", family] => self.tried = Some(family.to_owned()),
            ["family", family, arm, head] => {
                self.families.push((family.to_owned(), arm.to_owned()));
                self.last = head.parse().ok();
            }
            ["child", family, child, head] => {
                self.children.push((family.to_owned(), child.to_owned()));
                self.last = head.parse().ok();
            }
            // A line cut off by a kill was not acknowledged.
            _ => {}
        }
    }
}

fn listen(child: &mut Child) -> std::thread::JoinHandle<Told> {
    let out = child.stdout.take().expect("a pipe");
    std::thread::spawn(move || {
        let mut told = Told::default();
        let mut reader = BufReader::new(out);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            if line.ends_with('\n') {
                told.line(line.trim_end());
            }
            line.clear();
        }
        told
    })
}

/// Everything acknowledged is in the ledger, once, with its siblings.
fn check(ledger: &Ledger, told: &[Told]) {
    let rows = ledger.frame().expect("a frame");
    let names = design().arm_names();
    let mut families: HashMap<&str, Vec<&crewe::ledger::Row>> = HashMap::new();
    for row in &rows {
        families.entry(&row.family).or_default().push(row);
    }
    for (family, members) in &families {
        let draws: std::collections::BTreeSet<u64> = members.iter().map(|row| row.sequence).collect();
        assert_eq!(draws.len(), 1, "family {family} was drawn twice");
        for sibling in ["a", "b"] {
            let id = format!("{family}-{sibling}");
            assert_eq!(members.iter().filter(|row| row.child.as_deref() == Some(&id)).count(), 1, "{id}");
        }
        assert!(
            members.iter().all(|row| row.drawn == members[0].drawn),
            "the siblings of {family} are in two arms"
        );
    }
    for told in told {
        for (family, arm) in &told.families {
            let members = families.get(family.as_str()).unwrap_or_else(|| panic!("{family} is lost"));
            assert_eq!(&names[usize::from(members[0].drawn)], arm, "{family}");
        }
        for (family, child) in &told.children {
            let found = families[family.as_str()]
                .iter()
                .any(|row| row.child.as_deref() == Some(child) && row.inherited);
            assert!(found, "{child} is lost");
        }
    }
}

fn at_once(folder: &Path, sizes: &Sizes) {
    let path = folder.join("at-once.ledger");
    drop(Ledger::create(&path, &design(), &Rules::default()).expect("a ledger"));
    let start = Instant::now();
    let workers: Vec<_> = (0..sizes.processes)
        .map(|k| {
            let mut child = spawn(&path, &format!("w{k}"), sizes.enrolments);
            let told = listen(&mut child);
            (child, told)
        })
        .collect();
    let told: Vec<Told> = workers
        .into_iter()
        .map(|(mut child, told)| {
            assert!(child.wait().expect("a status").success());
            told.join().expect("what it was told")
        })
        .collect();
    let seconds = start.elapsed().as_secs_f64();
    let last = told.iter().filter_map(|told| told.last).max_by_key(|head| head.sequence);
    let ledger = Ledger::open(&path, &KEY, last.as_ref()).expect("a whole chain");
    let shared = sizes.enrolments.div_ceil(10);
    let families = sizes.processes * sizes.enrolments + shared;
    let verified = ledger.verify(last.as_ref()).expect("a whole chain");
    assert_eq!((verified.families, verified.children), (families, 3 * families - shared));
    let acknowledged: usize = told.iter().map(|told| told.families.len()).sum();
    assert_eq!(acknowledged, families, "a shared family was enrolled twice or not at all");
    check(&ledger, &told);
    println!(
        "{} processes x {} families, each with a late child, and {shared} that all wanted: {families} families, {} \
         events, chain whole, none lost or doubled; {seconds:.1} s, {:.0} entries a second",
        sizes.processes,
        sizes.enrolments,
        verified.events,
        (2 * families - shared) as f64 / seconds,
    );
}

// ---- SIGKILL ---------------------------------------------------------------------------------------------------

fn killed(folder: &Path, sizes: &Sizes) {
    let mut stream = Stream::new(&Seed::Integer(9), "kill", &[""; 0], 0);
    let (mut acknowledged, mut unanswered, mut kept, mut early, mut told_all) = (0, 0, 0, 0, Vec::new());
    let mut path = PathBuf::new();
    for run in 0..sizes.kills {
        if run % 10 == 0 {
            // Every tenth run also creates its ledger, and may die over it.
            path = folder.join(format!("killed-{run}.ledger"));
            told_all = Vec::new();
        }
        let mut child = spawn(&path, &format!("kill{run}"), 1_000_000);
        let told = listen(&mut child);
        // The runs that create are cut off sooner, so that some die over it.
        let longest = if run % 10 == 0 { 15_000 } else { 150_000 };
        std::thread::sleep(Duration::from_micros(stream.below(longest)));
        child.kill().expect("SIGKILL");
        child.wait().expect("a status");
        let told = told.join().expect("what it was told");
        let ledger = match Ledger::open(&path, &KEY, told.last.as_ref()) {
            Ok(ledger) => ledger,
            Err(error) => {
                // Only a ledger of which nothing was ever acknowledged may be missing, and it can be made then.
                assert!(told.last.is_none() && told_all.is_empty(), "run {run}: {error}");
                early += 1;
                Ledger::create(&path, &design(), &Rules::default()).expect("a ledger after all")
            }
        };
        acknowledged += told.families.len() + told.children.len();
        if let Some(family) = &told.tried
            && told.families.last().is_none_or(|(last, _)| last != family)
        {
            // Nobody knows whether this one was recorded: the same request answers.
            unanswered += 1;
            kept += usize::from(ledger.enrol(&application(family)).expect("an answer").again);
        }
        ledger.verify(told.last.as_ref()).expect("a whole chain");
        told_all.push(told);
        check(&ledger, &told_all);
    }
    println!(
        "{} kills at random moments ({early} before the ledger was made): {acknowledged} acknowledged entries, all \
         there; {unanswered} requests without an answer, {kept} of them recorded and answered again, none doubled; \
         every chain whole",
        sizes.kills
    );
}

// ---- flipped bits ----------------------------------------------------------------------------------------------

/// A ledger of which one part is in the main file and another in the -wal, copied while it is open.
fn sample(folder: &Path) -> (PathBuf, Head) {
    let path = folder.join("sample.ledger");
    let fill = |ledger: &Ledger, from: u64, to: u64| {
        for k in from..to {
            ledger.enrol(&application(&format!("F{k}")).at(at(k))).expect("an enrolment");
        }
    };
    let ledger = Ledger::create_at(&path, &design(), &Rules::default(), at(0)).expect("a ledger");
    fill(&ledger, 1, 40);
    drop(ledger);
    let ledger = Ledger::open(&path, &KEY, None).expect("the ledger");
    fill(&ledger, 40, 60);
    ledger.add_child("F1", "late", None, &Entry::by("B").at(at(61))).expect("a child");
    ledger.capacity("crewe", true, &Entry::by("B").at(at(62))).expect("full");
    drop(ledger.enrol(&application("F90").at(at(63))));
    ledger.capacity("crewe", false, &Entry::by("B").at(at(64))).expect("room");
    ledger.override_arm("F2", "control", &Entry::by("B").reason("needs").at(at(65))).expect("an override");
    ledger.withdraw("F3", None, false, &Entry::by("B").reason("moved").at(at(66))).expect("a withdrawal");
    let head = ledger.head().expect("a head");
    for end in ["", "-wal"] {
        std::fs::copy(with_end(&path, end), folder.join(format!("base{end}"))).expect("a copy");
    }
    (folder.join("base"), head)
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The events as SQLite gives them.
fn events(path: &Path) -> rusqlite::Result<Vec<(i64, String, Vec<u8>)>> {
    let connection = Connection::open(path)?;
    let mut statement = connection.prepare("SELECT sequence, body, code FROM event ORDER BY sequence")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}

fn flipped(folder: &Path, sizes: &Sizes) {
    let (base, head) = sample(folder);
    let read = |end: &str| std::fs::read(with_end(&base, end)).expect("the sample");
    let (main, wal) = (read(""), read("-wal"));
    let trial = folder.join("trial.ledger");
    let lay = |main: &[u8], wal: Option<&[u8]>| {
        for end in ["-wal", "-shm"] {
            drop(std::fs::remove_file(with_end(&trial, end)));
        }
        std::fs::write(&trial, main).expect("a file");
        if let Some(wal) = wal {
            std::fs::write(with_end(&trial, "-wal"), wal).expect("a file");
        }
    };
    lay(&main, Some(&wal));
    Ledger::open(&trial, &KEY, Some(&head)).expect("the sample is whole");
    let truth = events(&trial).expect("the sample's events");
    let mut stream = Stream::new(&Seed::Integer(9), "flip", &[""; 0], 0);
    for kind in ["main file", "-wal", "main file without its -wal"] {
        let (mut told, mut named, mut harmless, mut cut) = (0, 0, 0, 0);
        for _ in 0..sizes.flips {
            let (mut main, mut wal) = (main.clone(), Some(wal.clone()));
            let bytes = match (kind, &mut wal) {
                ("-wal", Some(wal)) => wal,
                _ => &mut main,
            };
            let place = stream.below(bytes.len() as u64) as usize;
            bytes[place] ^= 1 << stream.below(8);
            if kind.ends_with("without its -wal") {
                wal = None;
            }
            lay(&main, wal.as_deref());
            let result = catch_unwind(AssertUnwindSafe(|| {
                let ledger = Ledger::open(&trial, &KEY, Some(&head))?;
                ledger.verify(Some(&head))?;
                ledger.flow()
            }))
            .unwrap_or_else(|_| panic!("byte {place} of the {kind} made it panic"));
            match result {
                Ok(_) => {
                    assert_eq!(
                        events(&trial).ok().as_ref(),
                        Some(&truth),
                        "byte {place} of the {kind} went unseen"
                    );
                    harmless += 1;
                }
                Err(error) => {
                    told += 1;
                    named += usize::from(error.to_string().starts_with("event "));
                    cut += usize::from(error.to_string().contains("cut off"));
                }
            }
            // Without a lodged head events may be missing at the end, but none may differ.
            lay(&main, wal.as_deref());
            if Ledger::open(&trial, &KEY, None).is_ok() {
                let found = events(&trial).expect("events that verify can be read");
                assert_eq!(found, truth[..found.len()], "byte {place} of the {kind} changed an event unseen");
            }
        }
        println!(
            "{} flips in the {kind}: {told} reported ({named} name the event, {cut} of them a tail cut off; the others \
             say that the file is damaged), {harmless} changed no event, no panic",
            sizes.flips
        );
    }
}

// ---- people with SQL -------------------------------------------------------------------------------------------

fn forged(previous: &[u8], number: u64, body: &str, key: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    let mac = mac.chain_update(previous).chain_update(number.to_le_bytes()).chain_update(body);
    mac.finalize().into_bytes().to_vec()
}

type Stored = (i64, String, Vec<u8>);

/// Lets people with SQL at a ledger, one deed at a time, each on a fresh copy.
struct Attacks {
    trial: PathBuf,
    whole: Vec<u8>,
    truth: Vec<Stored>,
    head: Head,
    counts: BTreeMap<&'static str, usize>,
}

fn run(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> usize {
    connection.execute(sql, values).expect("SQL")
}

impl Attacks {
    fn on(folder: &Path) -> Self {
        let sample_folder = folder.join("sql");
        std::fs::create_dir_all(&sample_folder).expect("a folder");
        let (base, head) = sample(&sample_folder);
        let trial = folder.join("edited.ledger");
        std::fs::copy(with_end(&base, "-wal"), with_end(&trial, "-wal")).expect("a copy");
        std::fs::copy(&base, &trial).expect("a copy");
        // Closing brings everything into the main file.
        let truth = events(&trial).expect("events");
        let whole = std::fs::read(&trial).expect("the file");
        Self { trial, whole, truth, head, counts: BTreeMap::new() }
    }

    /// Does it, and checks that opening reports it; at event `names`, where that is known.
    fn attack(
        &mut self,
        what: &'static str,
        names: Option<u64>,
        with_head: bool,
        deed: &dyn Fn(&Connection) -> usize,
    ) {
        for end in ["-wal", "-shm"] {
            drop(std::fs::remove_file(with_end(&self.trial, end)));
        }
        std::fs::write(&self.trial, &self.whole).expect("the file");
        let connection = Connection::open(&self.trial).expect("a connection");
        let made: Vec<String> = connection
            .prepare("SELECT sql FROM sqlite_schema WHERE type <> 'table' ORDER BY rowid")
            .and_then(|mut found| found.query_map([], |row| row.get(0))?.collect())
            .expect("the triggers and the view");
        let gone =
            "DROP TRIGGER event_is_never_changed; DROP TRIGGER event_is_never_removed; DROP VIEW history";
        connection.execute_batch(gone).expect("no triggers");
        assert!(deed(&connection) > 0, "{what} did nothing");
        // They are made again as they were, so that only the events tell.
        made.iter().for_each(|sql| connection.execute_batch(sql).expect("as it was"));
        drop(connection);
        let opened = || Ledger::open(&self.trial, &KEY, with_head.then_some(&self.head)).map(drop);
        let result =
            catch_unwind(AssertUnwindSafe(opened)).unwrap_or_else(|_| panic!("{what} made it panic"));
        let message = match result {
            Err(error) => error.to_string(),
            Ok(()) => panic!("{what}, at event {names:?}: not reported"),
        };
        if let Some(number) = names {
            let zero = number == 0 && message.contains("event 0");
            let named = zero || message.starts_with(&format!("event {number}"));
            assert!(named, "{what}, at event {number}: {message}");
        }
        *self.counts.entry(what).or_default() += 1;
    }

    /// One event is edited, deleted, moved, or the last one left.
    fn change(&mut self, place: usize) {
        let (number, body, code) = self.truth[place].clone();
        let (n, last) = (number as u64, self.truth.len() - 1);
        let mut texts = vec![String::new()];
        for (from, to) in
            [("crewe", "control"), ("control", "crewe"), ("2017", "2018"), ("\"", "\" "), ("F", "G")]
        {
            texts.extend(body.contains(from).then(|| body.replacen(from, to, 1)));
        }
        for text in texts {
            self.attack("edits of an event", Some(n), false, &|c| {
                run(c, "UPDATE event SET body = ?1 WHERE sequence = ?2", (&text, number))
            });
        }
        self.attack("edits of a code", Some(n), false, &|c| {
            let mut other = code.clone();
            other[place % 32] ^= 1;
            run(c, "UPDATE event SET code = ?1 WHERE sequence = ?2", (other, number))
        });
        let gone = if place == last { None } else { Some(n) };
        self.attack("events deleted", gone, place == last, &|c| {
            run(c, "DELETE FROM event WHERE sequence = ?1", [number])
        });
        if place == last {
            return;
        }
        self.attack("events deleted and the rest renumbered", Some(n), false, &|c| {
            run(c, "DELETE FROM event WHERE sequence = ?1", [number]);
            let next = |k: i64| run(c, "UPDATE event SET sequence = ?1 WHERE sequence = ?2", (k - 1, k));
            (number + 1..=last as i64).map(next).sum()
        });
        self.attack("neighbours swapped", Some(n), false, &|c| {
            let moves = [(-1, number), (number, number + 1), (number + 1, -1)];
            moves.iter().map(|to| run(c, "UPDATE event SET sequence = ?1 WHERE sequence = ?2", *to)).sum()
        });
        self.attack("tails cut off, with the lodged head", Some(n + 1), true, &|c| {
            run(c, "DELETE FROM event WHERE sequence > ?1", [number])
        });
    }

    /// The chain is written anew from an event on that was changed, without the key.
    fn rewrite(&mut self, place: usize) {
        let truth = self.truth.clone();
        for key in [&[0_u8; 32][..], b"guess", b""] {
            self.attack("chains written anew without the key", Some(truth[place].0 as u64), false, &|c| {
                let mut previous = if place == 0 { vec![0; 32] } else { truth[place - 1].2.clone() };
                let mut changed = 0;
                for (number, body, _) in &truth[place..] {
                    let body = if changed == 0 { body.replacen("2017", "2018", 1) } else { body.clone() };
                    previous = forged(&previous, *number as u64, &body, key);
                    let sql = "UPDATE event SET body = ?1, code = ?2 WHERE sequence = ?3";
                    changed += run(c, sql, (body, &previous, number));
                }
                changed
            });
        }
    }
}

fn edited(folder: &Path) {
    let mut attacks = Attacks::on(folder);
    for place in 0..attacks.truth.len() {
        attacks.change(place);
        attacks.rewrite(place);
    }
    let (number, body, code) = attacks.truth[attacks.truth.len() - 1].clone();
    let next = number as u64 + 1;
    attacks.attack("events added without the key", Some(next), false, &|c| {
        run(c, "INSERT INTO event VALUES (?1, ?2, ?3)", (number + 1, &body, forged(&code, next, &body, b"x")))
    });
    for (what, count) in attacks.counts {
        println!("{count} {what}: all reported, each naming the event");
    }
}

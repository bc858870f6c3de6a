//! The register of a rolling trial: what it records, refuses, shows and conceals.

use std::path::PathBuf;

use crewe::design::{
    Arrival, BiasedCoin, BigStick, Blocks, Complete, Count, Design, Fraction, Imbalance, Method,
    Minimisation, Sequence, Simple,
};
use crewe::ledger::{
    Application, Entry, Head, Ledger, Left, Merged, Overflow, Row, Rules, Scope, Time, key_from_file,
    key_from_hex,
};
use crewe::rng::Seed;
use crewe::{Error, Result};

const KEY: Seed = Seed::Key([7; 32]);

/// A folder of its own for one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("crewe-ledger-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn design() -> Design {
    Design::new("Project Crewe")
        .arm("control", 1)
        .arm("crewe", 2)
        .cluster("family_id")
        .strata(["history"])
        .method(Simple {})
        .seed(KEY)
}

fn at(minute: u32) -> Time {
    format!("2017-03-01T{:02}:{:02}:00Z", 9 + minute / 60, minute % 60).parse().expect("a time")
}

fn family(id: &str, minute: u32) -> Application {
    Application::new(id)
        .children([format!("{id}-a"), format!("{id}-b")])
        .stratum(["no"])
        .approved_by("A. Officer")
        .at(at(minute))
}

fn entry(minute: u32) -> Entry {
    Entry::by("B. Manager").reason("as decided").at(at(minute))
}

fn rows_of<'a>(rows: &'a [Row], family: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row.family == family).collect()
}

/// The message of an error of the ledger.
fn refused<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::Ledger(fault)) => fault.to_string(),
        other => panic!("{other:?} is no error of the ledger"),
    }
}

fn created(folder: &Folder, rules: &Rules) -> Result<Ledger> {
    Ledger::create_at(folder.file("trial.ledger"), &design(), rules, at(0))
}

#[test]
fn arms_are_those_of_the_procedure() -> Result<()> {
    let folder = Folder::new("arms");
    let ledger = created(&folder, &Rules::default())?;
    let mut sequence = Sequence::new(&design(), &KEY)?;
    for k in 0..60 {
        let stratum = [if k % 3 == 0 { "yes" } else { "no" }.to_owned()];
        let receipt = ledger.enrol(&family(&format!("F{k}"), k).stratum(&stratum))?;
        let drawn = sequence.allocate(&Arrival::new(&stratum, &[]));
        assert_eq!(receipt.placement.expect("a placement").arm, ["control", "crewe"][usize::from(drawn.arm)]);
    }
    let head = ledger.head()?;
    drop(ledger);
    let again = Ledger::open(folder.file("trial.ledger"), &KEY, Some(&head))?;
    assert_eq!(again.verify(Some(&head))?.families, 60);
    assert!(again.notes().is_empty());
    assert_eq!(again.design(), &design());
    let unchecked = Ledger::open(folder.file("trial.ledger"), &KEY, None)?;
    assert!(unchecked.notes()[0].contains("tail not checked"));
    Ok(())
}

#[test]
fn every_sequential_procedure_draws_as_it_would_from_the_list() -> Result<()> {
    let folder = Folder::new("procedures");
    let p = Fraction::new(4, 5);
    let methods: [Method; 5] = [
        Simple {}.into(),
        Blocks::new([3, 6]).into(),
        BigStick::new(2).into(),
        BiasedCoin::new(p).into(),
        Minimisation::new([("need", 1), ("site", 1)], Imbalance::Range, p).into(),
    ];
    for method in methods {
        let path = folder.file(method.name());
        let design = design().method(method.clone());
        let ledger = Ledger::create_at(&path, &design, &Rules::default(), at(0))?;
        let factors = ledger.factor_columns()?.len();
        for k in 0..40_u32 {
            let values = [if k % 4 < 2 { "low" } else { "high" }, if k % 3 == 0 { "north" } else { "south" }];
            let stratum = if k % 5 == 0 { "yes" } else { "no" };
            // Not in the order of their names.
            let id = format!("F{:02}", k * 7 % 40);
            ledger.enrol(&family(&id, k).stratum([stratum]).factors(&values[..factors]))?;
        }
        let open = ledger.assigned(Scope::Everybody)?;
        assert!(open.rows.iter().all(|row| row.block.is_none() && row.conditional.is_none()));
        assert!(open.assignment.details.conditional.is_none() && open.assignment.details.block.is_none());
        let drawn = design.assign(&open.assignment.units)?;
        assert_eq!(drawn.arm, open.assignment.arm, "{}", method.name());
        ledger.close(&entry(50))?;
        let closed = ledger.assigned(Scope::Compared)?;
        // From the list, simple randomisation has no conditional probabilities: they are the ratio.
        let conditional = drawn.details.conditional.unwrap_or(drawn.probability);
        assert_eq!(closed.assignment.details.conditional, Some(conditional), "{}", method.name());
        assert_eq!(closed.assignment.details.block, drawn.details.block, "{}", method.name());
        assert_eq!(closed.rows[0].block.is_some(), matches!(method, Method::Blocks(_)));
        drop(ledger);
        assert_eq!(Ledger::open(&path, &KEY, None)?.verify(None)?.families, 40);
    }
    Ok(())
}

#[test]
fn the_life_of_a_trial() -> Result<()> {
    let folder = Folder::new("life");
    let ledger = created(&folder, &Rules::default())?;
    for k in 1..=12 {
        ledger.enrol(&family(&format!("F{k:02}"), k))?;
    }
    let late = ledger.add_child("F03", "F03-c", Some(&["no".into()]), &Entry::by("A").at(at(13)))?;
    ledger.capacity("crewe", true, &entry(14))?;
    let paused = refused(ledger.enrol(&family("F13", 15)));
    assert!(paused.contains("paused") && paused.contains("crewe"), "{paused}");
    ledger.capacity("crewe", false, &entry(16))?;
    ledger.capacity("crewe", true, &entry(17))?;
    refused(ledger.enrol(&family("F14", 18)));
    refused(ledger.enrol(&family("F14", 18)));
    ledger.capacity("crewe", false, &entry(19))?;
    ledger.enrol(&family("F13", 20))?;
    let rows = ledger.frame()?;
    let arm = |id: &str| rows_of(&rows, id)[0].drawn;
    assert_eq!(rows_of(&rows, "F03").len(), 3);
    assert!(rows_of(&rows, "F03").iter().all(|row| row.drawn == arm("F03")));
    assert_eq!(late.placement.expect("a placement").family, "F03");
    assert_eq!(rows.iter().filter(|row| row.inherited).count(), 1);
    // Whichever arm each drew, the service is switched.
    let other = ["crewe", "control"][usize::from(arm("F01"))];
    ledger.override_arm("F01", other, &entry(21))?;
    ledger.withdraw("F02", None, false, &entry(22))?;
    ledger.withdraw("F04", Some("F04-a"), true, &entry(23))?;
    ledger.exclude("F05", Some("F05-b"), &Entry::by("C").reason("moved away").at(at(24)))?;
    ledger.split("F06", "F06x", ["F06-b"], &entry(25))?;
    ledger.merge("F07", "F08", &entry(26))?;
    let open = ledger.frame()?;
    assert!(open.iter().all(|row| row.conditional.is_none() && row.block.is_none()));
    ledger.close(&entry(27))?;
    ledger.exclude("F09", None, &Entry::by("C").reason("moved away").at(at(28)))?;
    assert!(refused(ledger.enrol(&family("F20", 29))).contains("closed"));

    let rows = ledger.frame()?;
    assert!(rows.iter().all(|row| row.conditional == Some(row.probability)));
    let row = |id: &str, place: usize| rows_of(&rows, id)[place].clone();
    assert_ne!(row("F01", 0).delivered, Some(row("F01", 0).drawn));
    assert_eq!(row("F02", 1).left, Some(Left::Withdrawn));
    assert_eq!((row("F04", 0).left, row("F04", 0).status.as_str()), (None, "withdrew, data may be used"));
    assert_eq!(row("F05", 1).left, Some(Left::Excluded("moved away".into())));
    assert_eq!((row("F06x", 0).analysed_as.as_str(), row("F06x", 0).drawn), ("F06", row("F06", 0).drawn));
    assert_eq!(row("F07", 0).analysed_as, "F07");
    assert_eq!(row("F01", 0).probability, [1.0 / 3.0, 2.0 / 3.0][usize::from(row("F01", 0).drawn)]);

    let flow = ledger.flow()?;
    assert_eq!((flow.refused, flow.refusals, flow.pauses), (Count { units: 1, rows: 2 }, 3, 2));
    let sum =
        |count: &dyn Fn(usize) -> Count| (0..2).map(count).fold((0, 0), |s, c| (s.0 + c.units, s.1 + c.rows));
    assert_eq!(sum(&|arm| flow.flow.arms[arm].allocated), (13, 27));
    // F02 and F09 are gone as a whole; F05 keeps a child.
    assert_eq!(sum(&|arm| flow.flow.arms[arm].analysed), (11, 22));
    assert_eq!(sum(&|arm| flow.entries[arm].late), (1, 1));
    assert_eq!(sum(&|arm| flow.entries[arm].overridden), (1, 2));
    assert_eq!(sum(&|arm| flow.entries[arm].withdrawn), (2, 3));
    assert_eq!(flow.reasons.len(), 2);
    assert_eq!(ledger.verify(Some(&ledger.head()?))?.families, 13);
    Ok(())
}

#[test]
fn draw_first_leaves_out_all_who_came_while_an_arm_was_full() -> Result<()> {
    let folder = Folder::new("overflow");
    let ledger = created(&folder, &Rules::default().overflow(Overflow::DrawFirst))?;
    let mut sequence = Sequence::new(&design(), &KEY)?;
    for k in 0..30 {
        if k == 10 {
            ledger.capacity("crewe", true, &entry(k))?;
        }
        if k == 20 {
            ledger.capacity("crewe", false, &entry(k))?;
        }
        let placement = ledger.enrol(&family(&format!("F{k:02}"), k))?.placement.expect("a placement");
        let drawn = sequence.allocate(&Arrival::new(&["no".into()], &[]));
        assert_eq!(placement.arm, ["control", "crewe"][usize::from(drawn.arm)]);
        let full = (10..20).contains(&k);
        assert_eq!(placement.comparison, !full);
        assert_eq!(placement.overflow, full && placement.arm == "crewe");
    }
    let rows = ledger.frame()?;
    for row in &rows {
        let full = row.family.as_str() >= "F10" && row.family.as_str() < "F20";
        let left = match (full, row.drawn) {
            (false, _) => None,
            (true, 1) => Some(Left::Overflow),
            (true, _) => Some(Left::WhileFull),
        };
        assert_eq!(row.left, left);
        assert_eq!(row.delivered, if left == Some(Left::Overflow) { None } else { Some(row.drawn) });
    }
    let flow = ledger.flow()?;
    let left: u64 = flow.flow.arms.iter().flat_map(|arm| &arm.excluded).map(|count| count.units).sum();
    assert_eq!(left, 10);
    assert!(flow.notes[0].contains("calendar time"), "{:?}", flow.notes);
    Ok(())
}

#[test]
fn merged_families_follow_the_rule_of_the_ledger() -> Result<()> {
    let folder = Folder::new("merged");
    let ledger = created(&folder, &Rules::default().merged(Merged::Earliest))?;
    for k in 1..=30 {
        ledger.enrol(&family(&format!("F{k:02}"), k))?;
    }
    let rows = ledger.frame()?;
    let arm = |id: &str| rows_of(&rows, id)[0].drawn;
    // Two families of different arms, the later one kept by name.
    let early = "F01";
    let late = (2..=30).map(|k| format!("F{k:02}")).find(|id| arm(id) != arm(early)).expect("another arm");
    ledger.merge(early, &late, &entry(31))?;
    ledger.merge(&late, "F30", &entry(32))?;
    let after = ledger.frame()?;
    for id in [early, &late, "F30"] {
        let row = rows_of(&after, id)[0];
        assert_eq!((row.analysed_as.as_str(), row.arm, row.drawn), (early, arm(early), arm(id)));
    }
    assert!(refused(ledger.merge(early, "F05", &entry(33))).contains("merged into"));
    assert!(refused(ledger.add_child(&late, "x", None, &entry(33))).contains("merged into"));
    assert!(refused(ledger.merge("F05", "F05", &entry(33))).contains("itself"));
    Ok(())
}

#[test]
fn a_request_is_answered_once() -> Result<()> {
    let folder = Folder::new("request");
    let ledger = created(&folder, &Rules::default())?;
    let first = ledger.enrol(&family("F1", 1).request("r1"))?;
    let drawn = first.placement.as_ref().map_or("", |placement| placement.arm.as_str());
    let other = if drawn == "control" { "crewe" } else { "control" };
    let error = refused(ledger.override_arm("F1", drawn, &entry(2)));
    assert!(error.contains("already"), "{error}");
    ledger.override_arm("F1", other, &entry(2))?;
    // A later time is no other request.
    let second = ledger.enrol(&family("F1", 9).request("r1"))?;
    assert!(second.again && !first.again);
    assert_eq!((second.head, second.placement), (first.head, first.placement.clone()));
    let other = refused(ledger.enrol(&family("F2", 3).request("r1")));
    assert!(other.contains("used for something else"), "{other}");
    refused(ledger.withdraw("F1", None, true, &entry(3).request("r1")));
    ledger.capacity("crewe", true, &entry(4).request("r2"))?;
    assert!(ledger.capacity("crewe", true, &entry(5).request("r2"))?.again);
    refused(ledger.capacity("crewe", false, &entry(5).request("r2")));
    refused(ledger.enrol(&family("F3", 6).request("r3")));
    ledger.capacity("crewe", false, &entry(7))?;
    // The first answer stands: a refused family comes back under another id.
    assert!(refused(ledger.enrol(&family("F3", 8).request("r3"))).contains("paused"));
    ledger.enrol(&family("F3", 8).request("r4"))?;
    assert!(refused(ledger.enrol(&family("F3", 9).request("r3"))).contains("paused"));
    let child = ledger.add_child("F1", "late", None, &entry(10).request("r5"))?;
    let again = ledger.add_child("F1", "late", None, &entry(11).request("r5"))?;
    assert_eq!((again.head, again.again), (child.head, true));
    let events = ledger.head()?.sequence;
    drop(ledger);
    let ledger = Ledger::open(folder.file("trial.ledger"), &KEY, None)?;
    assert_eq!(ledger.enrol(&family("F1", 9).request("r1"))?.head, first.head);
    assert_eq!(ledger.head()?.sequence, events);
    Ok(())
}

#[test]
fn bad_requests_are_refused_and_change_nothing() -> Result<()> {
    let folder = Folder::new("bad");
    let levels = vec![vec!["no".to_owned(), "yes".to_owned()]];
    let ledger = created(&folder, &Rules::default().levels(levels))?;
    ledger.enrol(&family("F1", 5))?;
    ledger.enrol(&family("F2", 6))?;
    let head = ledger.head()?;
    let f = |id: &str| family(id, 7);
    let e = || entry(7);
    let nameless = Application::new("F9").stratum(["no"]).at(at(7));
    for (result, part) in [
        (ledger.enrol(&f("F1")), "enrolled already"),
        (ledger.enrol(&f("F1").stratum(["yes"])), "another stratum"),
        (ledger.enrol(&f("F9").stratum(["maybe"])), "no value of history"),
        (ledger.enrol(&f("F9").stratum([""])), "no value of history"),
        (ledger.enrol(&f("F9").stratum(["no", "no"])), "2 values"),
        (ledger.enrol(&f("F9").factors(["x"])), "1 values"),
        (ledger.enrol(&f("F9").children(["F1-a"])), "in family 'F1'"),
        (ledger.enrol(&f("F9").children(["c", "c"])), "named twice"),
        (ledger.enrol(&f("F9").children([""])), "no identifier"),
        (ledger.enrol(&f("")), "no identifier"),
        (ledger.enrol(&nameless), "nobody approved"),
        (ledger.enrol(&family("F9", 5)), "clock goes backwards"),
        (ledger.enrol(&f("F9").at("2999-01-01T00:00:00Z".parse::<Time>()?)), "in the future"),
        (ledger.add_child("F9", "c", None, &e()), "no family 'F9'"),
        (ledger.add_child("F1", "F1-a", None, &e()), "in family 'F1'"),
        (ledger.add_child("F1", "F2-a", None, &e()), "in family 'F2'"),
        (ledger.add_child("F1", "c", Some(&["yes".into()]), &e()), "another stratum"),
        (ledger.capacity("crew", true, &e()), "no arm"),
        (ledger.capacity("crewe", false, &e()), "not full"),
        (ledger.override_arm("F1", "crew", &e()), "no arm"),
        (ledger.override_arm("F9", "crewe", &e()), "no family"),
        (ledger.override_arm("F1", "crewe", &Entry::by("X").at(at(7))), "who and why"),
        (ledger.withdraw("F1", Some("F2-a"), true, &e()), "no child of family"),
        (ledger.withdraw("F1", None, true, &Entry::default().reason("x").at(at(7))), "who and why"),
        (ledger.exclude("F9", None, &e()), "no family"),
        (ledger.split("F1", "F2", ["F1-a"], &e()), "cannot be the new family"),
        (ledger.split("F1", "F3", ["F2-a"], &e()), "not children"),
        (ledger.split::<&str>("F1", "F3", [], &e()), "not children"),
        (ledger.merge("F1", "F9", &e()), "no family"),
    ] {
        let message = refused(result);
        assert!(message.contains(part), "'{message}' does not say '{part}'");
    }
    let backwards = refused(ledger.enrol(&family("F9", 5)));
    assert!(backwards.contains("2017-03-01T09:06:00"), "{backwards}");
    assert_eq!(ledger.verify(Some(&head))?.head, head);
    ledger.withdraw("F1", None, true, &e())?;
    assert!(refused(ledger.withdraw("F1", None, true, &e())).contains("already"));
    ledger.close(&e())?;
    assert!(refused(ledger.close(&e())).contains("closed"));
    Ok(())
}

#[test]
fn a_tolerance_lets_clocks_differ() -> Result<()> {
    let folder = Folder::new("clock");
    let ledger = created(&folder, &Rules::default().clock_tolerance(120))?;
    ledger.enrol(&family("F1", 10))?;
    ledger.enrol(&family("F2", 8))?;
    // The tolerance counts from the latest time, so that small steps back do not add up.
    assert!(refused(ledger.enrol(&family("F3", 7))).contains("backwards"));
    assert_eq!(ledger.verify(None)?.families, 2);
    Ok(())
}

#[test]
fn only_keys_and_sequential_procedures() -> Result<()> {
    let folder = Folder::new("accepts");
    let path = folder.file("trial.ledger");
    let refuses = |design: &Design| Ledger::create(&path, design, &Rules::default());
    assert!(refused(refuses(&design().seed(2017))).contains("256 bits"));
    let listed = refuses(&design().method(Complete::default()));
    assert!(matches!(&listed, Err(Error::Design(fault)) if fault.problem.contains("complete")), "{listed:?}");
    assert!(matches!(refuses(&Design::new("t").seed(KEY)), Err(Error::Design(_))));
    let levels = Rules::default().levels(vec![vec![], vec![]]);
    assert!(refused(Ledger::create(&path, &design(), &levels)).contains("levels"));
    assert!(!path.exists());
    let individuals = Design::new("t").arm("a", 1).arm("b", 1).individual("id").method(Simple {}).seed(KEY);
    let ledger = Ledger::create_at(&path, &individuals, &Rules::default(), at(0))?;
    let person = Application::new("P1").approved_by("A").at(at(1));
    assert!(refused(ledger.enrol(&person.clone().children(["c"]))).contains("individuals"));
    ledger.enrol(&person)?;
    assert!(refused(ledger.add_child("P1", "c", None, &entry(2))).contains("individuals"));
    assert_eq!(ledger.frame()?[0].child, None);
    Ok(())
}

#[test]
fn the_key_is_needed_and_never_written() -> Result<()> {
    let folder = Folder::new("key");
    let path = folder.file("trial.ledger");
    let Seed::Key(secret) = Seed::new_key()? else { panic!("a key") };
    let key = Seed::Key(secret);
    let ledger = Ledger::create_at(&path, &design().seed(key.clone()), &Rules::default(), at(0))?;
    ledger.enrol(&family("F1", 1))?;
    let hex = secret.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let shown = format!("{ledger:?} {:?}", ledger.design());
    assert!(!shown.contains(&hex) && !shown.contains(&format!("{secret:?}")[1..20]), "{shown}");
    for name in ["trial.ledger", "trial.ledger-wal"] {
        let bytes = std::fs::read(folder.file(name)).expect("the file");
        for needle in [&secret[..], hex.as_bytes()] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{name} holds the key");
        }
    }
    drop(ledger);
    assert!(refused(Ledger::open(&path, &KEY, None)).contains("key is not the one"));
    assert!(refused(Ledger::open(&path, &Seed::Integer(1), None)).contains("256 bits"));
    let file = folder.file("key");
    std::fs::write(&file, format!("{hex}\n")).expect("the key file");
    Ledger::open(&path, &key_from_file(&file)?, None)?;
    assert_eq!(key_from_hex(&hex.to_uppercase())?, key);
    for wrong in ["", "00", &hex[1..], &format!("{hex}0"), &"é".repeat(32), &format!("+{}", &hex[1..])] {
        let message = refused(key_from_hex(wrong));
        assert!(wrong.is_empty() || !message.contains(wrong) || wrong == "00", "{message}");
    }
    assert!(refused(key_from_file(folder.file("nothing"))).contains("cannot be read"));
    Ok(())
}

#[test]
fn files_that_are_no_ledger_are_refused() -> Result<()> {
    let folder = Folder::new("files");
    let path = folder.file("trial.ledger");
    let ledger = created(&folder, &Rules::default())?;
    for k in 1..=40 {
        ledger.enrol(&family(&format!("F{k}"), k))?;
    }
    let head = ledger.head()?;
    drop(ledger);
    let whole = std::fs::read(&path).expect("the file");
    let other = folder.file("other");
    let open_with = |bytes: &[u8]| {
        std::fs::write(&other, bytes).expect("a file");
        refused(Ledger::open(&other, &KEY, Some(&head)))
    };
    assert!(
        open_with(
            b"not a database, but text that goes on for more than a hundred bytes. ".repeat(3).as_slice()
        )
        .contains("no ledger")
    );
    assert!(open_with(b"").contains("no ledger"));
    // Cut off at every page, and within pages.
    for kept in (1..whole.len()).step_by(1021) {
        let message = open_with(&whole[..kept]);
        assert!(
            message.contains("damaged") || message.contains("no ledger") || message.starts_with("event "),
            "{kept}: {message}"
        );
    }
    assert!(refused(Ledger::open(folder.file("nothing"), &KEY, None)).contains("not there"));
    assert!(!folder.file("nothing").exists());
    assert!(refused(Ledger::open(&folder.0, &KEY, None)).contains("opened"));
    assert!(refused(Ledger::create(&path, &design(), &Rules::default())).contains("not empty"));
    std::fs::write(&other, "some notes of somebody").expect("a file");
    refused(Ledger::create(&other, &design(), &Rules::default()));
    assert_eq!(std::fs::read(&other).expect("the file"), b"some notes of somebody");
    // Linux refuses new files here, as a disk that is read-only does.
    if cfg!(target_os = "linux") {
        refused(Ledger::create("/proc/crewe.ledger", &design(), &Rules::default()));
    }
    let versioned = |version: i32| {
        std::fs::write(&other, &whole).expect("a file");
        let connection = rusqlite::Connection::open(&other).expect("a database");
        connection.pragma_update(None, "user_version", version).expect("a version");
        drop(connection);
        refused(Ledger::open(&other, &KEY, Some(&head)))
    };
    assert!(versioned(0).contains("older") && versioned(2).contains("newer"));
    Ok(())
}

#[test]
fn a_ledger_of_another_design_is_told_apart() -> Result<()> {
    let folder = Folder::new("design");
    let one = created(&folder, &Rules::default())?;
    let two = Ledger::create_at(folder.file("two"), &design(), &Rules::default(), at(0))?;
    let (a, b) = (one.enrol(&family("F1", 1))?, two.enrol(&family("F1", 1))?);
    // The same key and design draw the same arms, and still each has a chain of its own.
    assert_eq!(a.placement, b.placement);
    assert_ne!(a.head, b.head);
    drop(two);
    assert!(refused(Ledger::open(folder.file("two"), &KEY, Some(&a.head))).contains("lodged head"));
    let mut longer = a.head;
    longer.sequence += 1;
    assert!(refused(one.verify(Some(&longer))).contains("event 3"));
    let early: Head = one.verify(None)?.head;
    one.enrol(&family("F2", 2))?;
    let verified = one.verify(Some(&early))?;
    assert_eq!(verified.tail, Some(2));
    assert!(verified.notes[0].contains("up to event 2 of 4"));
    Ok(())
}

#[test]
fn threads_share_a_handle_and_handles_share_a_file() -> Result<()> {
    let folder = Folder::new("threads");
    let now = |id: String| Application::new(&id).stratum(["no"]).approved_by("A");
    let ledger = Ledger::create(folder.file("trial.ledger"), &design(), &Rules::default())?;
    let other = Ledger::open(folder.file("trial.ledger"), &KEY, None)?;
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let handle = if thread % 2 == 0 { &ledger } else { &other };
            scope.spawn(move || {
                for k in 0..20 {
                    handle.enrol(&now(format!("T{thread}-{k}"))).expect("an enrolment");
                }
            });
        }
    });
    assert_eq!(ledger.verify(Some(&other.head()?))?.families, 120);
    assert_eq!(ledger.head()?, other.head()?);
    Ok(())
}

#[test]
fn waiting_ends() -> Result<()> {
    let folder = Folder::new("busy");
    let ledger = created(&folder, &Rules::default())?.waiting(std::time::Duration::from_millis(100));
    let blocker = rusqlite::Connection::open(folder.file("trial.ledger")).expect("a connection");
    blocker.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    assert!(refused(ledger.enrol(&family("F1", 1))).contains("another process"));
    // Reading does not wait for a writer.
    assert!(ledger.frame()?.is_empty());
    blocker.execute_batch("ROLLBACK").expect("the lock");
    ledger.enrol(&family("F1", 1))?;
    Ok(())
}

/// Adds a row with plain SQL, as any tool can that knows no key.
fn forge(path: &std::path::Path, sequence: &dyn rusqlite::ToSql, like: i64) -> rusqlite::Result<usize> {
    let connection = rusqlite::Connection::open(path)?;
    let (body, code): (String, Vec<u8>) =
        connection.query_row("SELECT body, code FROM event WHERE sequence = ?1", [like], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let body = body.replace("F1", "FAKE") + " ";
    connection.execute("INSERT OR REPLACE INTO event VALUES (?1, ?2, ?3)", (sequence, body, code))
}

#[test]
fn test_7_1_a_forged_row_is_found_at_any_place() -> Result<()> {
    let places: [(&str, &dyn rusqlite::ToSql); 12] = [
        ("before the first", &-1_i64),
        ("far before the first", &-1_000_000_007_i64),
        ("the lowest there is", &i64::MIN),
        ("the highest there is", &i64::MAX),
        ("after a gap", &40_i64),
        ("next", &7_i64),
        ("next, by itself", &rusqlite::types::Null),
        ("the first", &0_i64),
        ("in the middle", &3_i64),
        ("the last", &6_i64),
        ("a number with a point", &-2.0_f64),
        ("a number as text", &"-3"),
    ];
    for (name, place) in places {
        for like in [0, 1, 2] {
            let folder = Folder::new(&format!("forged-{}-{like}", name.replace([' ', ','], "-")));
            let ledger = created(&folder, &Rules::default())?;
            for k in 1..4 {
                ledger.enrol(&family(&format!("F{k}"), k))?;
            }
            let head = ledger.head()?;
            assert_eq!(head.sequence, 6);
            let path = folder.file("trial.ledger");
            assert_eq!(forge(&path, place, like).expect("a row"), 1, "{name}");
            assert!(ledger.verify(None).is_err(), "{name}: an open handle");
            assert!(ledger.verify(Some(&head)).is_err(), "{name}: an open handle with the head");
            if !["the first", "in the middle"].contains(&name) {
                assert!(ledger.enrol(&family("F9", 9)).is_err(), "{name}: nothing is added to a forged file");
            }
            drop(ledger);
            assert!(Ledger::open(&path, &KEY, None).is_err(), "{name}");
            let said = refused(Ledger::open(&path, &KEY, Some(&head)));
            if name.contains("before") {
                assert!(said.contains("a row before its first event"), "{said}");
            }
        }
    }
    Ok(())
}

#[test]
fn test_7_1_a_row_before_the_first_is_found_by_every_call_of_an_open_handle() -> Result<()> {
    let folder = Folder::new("forged-open");
    let ledger = created(&folder, &Rules::default())?;
    ledger.enrol(&family("F1", 1))?;
    forge(&folder.file("trial.ledger"), &-5_i64, 1).expect("a row");
    for said in [
        refused(ledger.enrol(&family("F2", 2))),
        refused(ledger.frame()),
        refused(ledger.head()),
        refused(ledger.flow()),
    ] {
        assert!(said.contains("sequence -5"), "{said}");
    }
    Ok(())
}

#[test]
fn test_7_1_the_view_shows_what_was_verified() -> Result<()> {
    let folder = Folder::new("view");
    let ledger = created(&folder, &Rules::default())?;
    for k in 1..4 {
        ledger.enrol(&family(&format!("F{k}"), k))?;
    }
    let events = ledger.verify(None)?.events;
    let connection = rusqlite::Connection::open(folder.file("trial.ledger")).expect("the file");
    let shown: (i64, i64, i64) = connection
        .query_row("SELECT count(*), min(sequence), max(sequence) FROM history", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .expect("the view");
    assert_eq!(shown, (events as i64, 0, events as i64 - 1));
    Ok(())
}

#[cfg(unix)]
mod place {
    use super::*;
    use std::path::Path;

    fn beside(path: &Path, end: &str) -> PathBuf {
        PathBuf::from(format!("{}{end}", path.display()))
    }

    /// Everything that may happen to a file while it is open.
    fn misfortunes() -> Vec<(&'static str, fn(&Path))> {
        fn copy(from: &Path, to: &Path) {
            std::fs::copy(from, to).expect("a copy");
        }
        vec![
            ("removed", |path| std::fs::remove_file(path).expect("removed")),
            ("renamed", |path| std::fs::rename(path, beside(path, ".old")).expect("renamed")),
            ("replaced by a copy", |path| {
                copy(path, &beside(path, ".copy"));
                std::fs::rename(beside(path, ".copy"), path).expect("replaced");
            }),
            ("replaced by nothing", |path| {
                std::fs::remove_file(path).expect("removed");
                std::fs::write(path, "").expect("an empty file");
            }),
            ("a folder in its place", |path| {
                std::fs::remove_file(path).expect("removed");
                std::fs::create_dir(path).expect("a folder");
            }),
            ("its -wal removed", |path| std::fs::remove_file(beside(path, "-wal")).expect("removed")),
            ("its -shm removed", |path| std::fs::remove_file(beside(path, "-shm")).expect("removed")),
            ("its -wal replaced", |path| {
                copy(&beside(path, "-wal"), &beside(path, ".copy"));
                std::fs::rename(beside(path, ".copy"), beside(path, "-wal")).expect("replaced");
            }),
            ("its folder renamed", |path| {
                let folder = path.parent().expect("a folder");
                std::fs::rename(folder, folder.with_extension("away")).expect("renamed");
            }),
            ("all removed", |path| {
                for end in ["", "-wal", "-shm"] {
                    std::fs::remove_file(beside(path, end)).expect("removed");
                }
            }),
        ]
    }

    #[test]
    fn test_7_4_no_receipt_for_a_file_that_is_gone() -> Result<()> {
        for (name, happens) in misfortunes() {
            let folder = Folder::new(&format!("gone-{}", name.replace(' ', "-")));
            let inner = folder.file("inner");
            std::fs::create_dir_all(&inner).expect("a folder");
            let path = inner.join("trial.ledger");
            let ledger = Ledger::create_at(&path, &design(), &Rules::default(), at(0))?;
            ledger.enrol(&family("F1", 1))?;
            happens(&path);
            for said in [
                refused(ledger.enrol(&family("F2", 2))),
                refused(ledger.enrol(&family("F2", 2).request("again"))),
                refused(ledger.add_child("F1", "late", None, &entry(3))),
                refused(ledger.capacity("crewe", true, &entry(3))),
                refused(ledger.override_arm("F1", "control", &entry(3))),
                refused(ledger.withdraw("F1", None, false, &entry(3))),
                refused(ledger.close(&entry(4))),
            ] {
                assert!(said.contains("nothing was recorded"), "{name}: {said}");
            }
            for said in [refused(ledger.verify(None)), refused(ledger.head()), refused(ledger.frame())] {
                assert!(said.contains("moved, removed or replaced"), "{name}: {said}");
            }
        }
        Ok(())
    }

    #[test]
    fn test_7_4_a_file_that_is_put_back_is_taken_up_again() -> Result<()> {
        let folder = Folder::new("put-back");
        let ledger = created(&folder, &Rules::default())?;
        let first = ledger.enrol(&family("F1", 1))?;
        let (path, away) = (folder.file("trial.ledger"), folder.file("away"));
        std::fs::rename(&path, &away).expect("renamed");
        refused(ledger.enrol(&family("F2", 2)));
        std::fs::rename(&away, &path).expect("put back");
        assert_eq!(ledger.head()?, first.head);
        ledger.enrol(&family("F2", 3))?;
        assert_eq!(ledger.verify(Some(&first.head))?.families, 2);
        Ok(())
    }

    #[test]
    fn test_7_4_a_file_that_goes_while_a_call_waits_gives_no_receipt() -> Result<()> {
        let folder = Folder::new("gone-waiting");
        let ledger = created(&folder, &Rules::default())?;
        let path = folder.file("trial.ledger");
        let blocker = rusqlite::Connection::open(&path).expect("a connection");
        blocker.execute_batch("BEGIN IMMEDIATE").expect("a lock");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| refused(ledger.enrol(&family("F1", 1))));
            std::thread::sleep(std::time::Duration::from_millis(100));
            std::fs::remove_file(&path).expect("removed");
            blocker.execute_batch("ROLLBACK").expect("the lock is free");
            assert!(waiting.join().expect("an answer").contains("nothing was recorded"));
        });
        Ok(())
    }

    #[test]
    fn test_7_4_links_and_other_paths_lead_to_the_file() -> Result<()> {
        let folder = Folder::new("linked");
        let ledger = created(&folder, &Rules::default())?;
        drop(ledger);
        let (path, link) = (folder.file("trial.ledger"), folder.file("link"));
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        let ledger = Ledger::open(&link, &KEY, None)?;
        ledger.enrol(&family("F1", 1))?;
        // Somebody else who opens and closes the ledger moves nothing.
        drop(Ledger::open(&path, &KEY, None)?);
        ledger.enrol(&family("F2", 2))?;
        std::fs::remove_file(&link).expect("removed");
        refused(ledger.enrol(&family("F3", 3)));
        std::fs::write(folder.file("other"), "").expect("a file");
        std::os::unix::fs::symlink(folder.file("other"), &link).expect("a link to another file");
        refused(ledger.enrol(&family("F3", 3)));
        drop(ledger);
        assert_eq!(Ledger::open(&path, &KEY, None)?.verify(None)?.families, 2);
        Ok(())
    }

    #[test]
    fn test_7_4_a_ledger_in_memory_is_refused() {
        for path in [":memory:", ""] {
            let said = refused(Ledger::create(path, &design(), &Rules::default()));
            assert!(said.contains("moved, removed or replaced while it was opened"), "{said}");
        }
    }
}

#[test]
fn test_7_7_a_ledger_is_verified_without_writing() -> Result<()> {
    let folder = Folder::new("read-only");
    let path = folder.file("trial.ledger");
    let ledger = Ledger::create_at(&path, &design(), &Rules::default(), at(0))?;
    let head = ledger.enrol(&family("F1", 1))?.head;
    drop(ledger);
    let files = || -> Vec<(PathBuf, Vec<u8>)> {
        let entries = std::fs::read_dir(&folder.0).expect("the folder");
        entries
            .map(|entry| entry.expect("a file").path())
            .map(|p| (p.clone(), std::fs::read(p).expect("it")))
            .collect()
    };
    let before = files();
    let reader = Ledger::read_only(&path, &KEY, Some(&head))?;
    assert!(reader.notes().iter().any(|note| note.contains("read only")));
    assert_eq!((reader.verify(Some(&head))?.families, reader.frame()?.len()), (1, 2));
    assert!(refused(reader.enrol(&family("F2", 2))).contains("nothing was recorded"));
    assert_eq!(files(), before);
    // What somebody else records is seen.
    let writer = Ledger::open(&path, &KEY, Some(&head))?;
    let later = writer.enrol(&family("F2", 2))?.head;
    assert_eq!(reader.verify(Some(&later))?.families, 2);
    drop(writer);
    assert_eq!(reader.verify(Some(&later))?.families, 2);
    assert!(refused(Ledger::read_only(folder.file("nothing"), &KEY, None)).contains("not there"));
    assert!(refused(Ledger::read_only(&path, &Seed::Key([8; 32]), None)).contains("key is not the one"));
    Ok(())
}

#[test]
fn test_7_7_what_is_too_long_is_not_recorded() -> Result<()> {
    let folder = Folder::new("limits");
    let ledger = Ledger::create_at(folder.file("trial.ledger"), &design(), &Rules::default(), at(0))?;
    let head = ledger.enrol(&family(&"\u{e9}".repeat(198), 1))?.head;
    let long = "x".repeat(100_000);
    let by = |minute| Entry::by("B").reason("r").at(at(minute));
    let refusals = [
        refused(ledger.enrol(&family(&"\u{e9}".repeat(199), 2))), // its children have two characters more
        refused(ledger.enrol(&family("F2", 2).approved_by(&long))),
        refused(ledger.enrol(&family("F2", 2).consent(&long))),
        refused(ledger.enrol(&family("F2", 2).stratum([&long]))),
        refused(ledger.enrol(&family("F2", 2).request(&long))),
        refused(ledger.capacity(&long, true, &by(2))),
        refused(ledger.withdraw(&long, None, false, &by(2))),
        refused(ledger.close(&by(2).reason(&long))),
    ];
    for message in refusals {
        assert!(message.contains("at most") && message.len() < 700, "{message}");
    }
    assert_eq!(ledger.head()?, head);
    let receipt = ledger.enrol(&family("F2", 2).request(""))?;
    assert!(!receipt.again && !ledger.enrol(&family("F3", 3).request("  "))?.again);
    assert_eq!(ledger.verify(None)?.families, 3);
    Ok(())
}

//! From the dates of a case record to the outcomes of a trial, by four window rules.
//!
//! With a window from `start` to `end` (both days inside it), dates counted in days:
//!
//! 1. a referral before the start is moved to the start;
//! 2. support that began before the start sets `history`;
//! 3. a re-referral counts only if the case was closed and re-referred by the end;
//! 4. a case is `closed` if it was stepped down by the end and not re-referred by the end.
//!
//! The event of a survival analysis is the first closure, re-referred cases included; a case open at the end is
//! censored there: `days = min(closure, end) - origin`.
//!
//! J. Heal, M. Nolan, M. Sanders (2017), Project Crewe: research report, Department for Education, DFE-RR580
//! (the assumptions on case data).

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use crate::error::listed;
use crate::setters::setters;
use crate::words::words;
use crate::{Fault, Result};

/// What the columns are called, so that messages can name them.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Names<'a> {
    /// The referral.
    pub referral: &'a str,
    /// The closure.
    pub closure: &'a str,
    /// The re-referral.
    pub rereferral: &'a str,
    /// The first support.
    pub support: &'a str,
    /// The randomisation.
    pub randomised: &'a str,
}

impl Default for Names<'_> {
    fn default() -> Self {
        Self {
            referral: "referral",
            closure: "closure",
            rereferral: "rereferral",
            support: "support",
            randomised: "randomised",
        }
    }
}

setters!(
    ['a] Names<'a>,
    referral: plain(&'a str),
    closure: plain(&'a str),
    rereferral: plain(&'a str),
    support: plain(&'a str),
    randomised: plain(&'a str),
);

/// The dates of the cases, one entry a case, in days from any fixed day; `None` where there is no date.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Dates<'a> {
    /// When the case was referred.
    pub referral: &'a [Option<i64>],
    /// When it was first closed (stepped down).
    pub closure: &'a [Option<i64>],
    /// When it was first referred again.
    pub rereferral: &'a [Option<i64>],
    /// When the family first had support; leave out where nothing is known about it.
    pub support: Option<&'a [Option<i64>]>,
    /// When the family was randomised; leave out where the origin is the referral.
    pub randomised: Option<&'a [Option<i64>]>,
    /// The family of each case, as a code: siblings share their day of randomisation.
    pub family: &'a [u32],
    /// Cases set aside beforehand, for instance for incomplete outcomes.
    pub set_aside: &'a [bool],
    /// The columns' names.
    pub names: Names<'a>,
}

impl<'a> Dates<'a> {
    /// The dates that every record has, the family of each case and whether it is set aside.
    #[must_use]
    pub fn new(
        referral: &'a [Option<i64>],
        closure: &'a [Option<i64>],
        rereferral: &'a [Option<i64>],
        family: &'a [u32],
        set_aside: &'a [bool],
    ) -> Self {
        let names = Names::default();
        Self { referral, closure, rereferral, support: None, randomised: None, family, set_aside, names }
    }

    /// Adds when the families first had support.
    #[must_use]
    pub fn support(mut self, days: &'a [Option<i64>]) -> Self {
        self.support = Some(days);
        self
    }

    /// Adds when the families were randomised.
    #[must_use]
    pub fn randomised(mut self, days: &'a [Option<i64>]) -> Self {
        self.randomised = Some(days);
        self
    }
}

setters!(['a] Dates<'a>, names: plain(Names<'a>));

/// The day from which time is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// The day of randomisation.
    Randomisation,
    /// The referral after rule 1.
    Referral,
}

words!(Origin, "origin of time", Randomisation => "randomisation", Referral => "referral");

/// The four rules, each of which may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(clippy::struct_excessive_bools)]
#[non_exhaustive]
pub struct Rules {
    /// Rule 1: referrals before the start are moved to it.
    pub move_referral: bool,
    /// Rule 2: support before the start sets `history`.
    pub history: bool,
    /// Rule 3: re-referrals after the end do not count.
    pub rereferral_in_window: bool,
    /// Rule 4: a case re-referred is not `closed`.
    pub rereferred_not_closed: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { move_referral: true, history: true, rereferral_in_window: true, rereferred_not_closed: true }
    }
}

setters!(
    Rules,
    move_referral: plain(bool),
    history: plain(bool),
    rereferral_in_window: plain(bool),
    rereferred_not_closed: plain(bool),
);

/// The window and how time is counted.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Window {
    /// The first day.
    pub start: i64,
    /// The last day.
    pub end: i64,
    /// The day on which the data were extracted: no date can be later. `None` leaves that unchecked.
    pub extracted: Option<i64>,
    /// Where time starts.
    pub origin: Origin,
    /// The rules in force.
    pub rules: Rules,
}

impl Window {
    /// A window from one day to another, both inside it, with all rules and no day of extraction.
    #[must_use]
    pub fn new(start: i64, end: i64, origin: Origin) -> Self {
        Self { start, end, extracted: None, origin, rules: Rules::default() }
    }
}

setters!(Window, extracted: some(i64), rules: plain(Rules));

/// Why a case is not analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exclusion {
    /// The caller set it aside.
    SetAside,
    /// The case has no day of randomisation.
    NotRandomised,
    /// The case has no day of referral.
    NoReferral,
}

words!(
    Exclusion, "reason of exclusion",
    SetAside => "set aside",
    NotRandomised => "no date of randomisation",
    NoReferral => "no date of referral",
);

/// A row that is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Excluded {
    /// The row, counted from 0.
    pub row: usize,
    /// Why: the reason that it is counted under.
    pub reason: Exclusion,
    /// What else would have excluded it.
    pub also: Vec<Exclusion>,
}

/// A recode that a rule made, and the rows in which it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Recode {
    /// The rule, from 1 to 4; 0 for censoring at the end.
    pub rule: u8,
    /// What was done, a phrase.
    pub action: &'static str,
    /// The rows, counted from 0.
    pub rows: Vec<usize>,
}

/// The outcomes of the cases that are kept; every vector but `recodes` and `excluded` runs over `rows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Prepared {
    /// The rows kept, counted from 0, in the order given.
    pub rows: Vec<usize>,
    /// Support before the window; `None` where nothing is known about support or the rule is off.
    pub history: Option<Vec<bool>>,
    /// Stepped down by the end and not re-referred by then.
    pub closed: Vec<bool>,
    /// Closed and re-referred by the end.
    pub rereferred: Vec<bool>,
    /// First closure by the end.
    pub event: Vec<bool>,
    /// Days from the origin to the first closure or the end.
    pub days: Vec<i64>,
    /// The referral after rule 1.
    pub referral: Vec<i64>,
    /// Days between referral and randomisation where the origin is the referral and precedes it, else 0.
    pub days_before_randomisation: Vec<i64>,
    /// The recodes, in the order of the rules.
    pub recodes: Vec<Recode>,
    /// The rows that are not kept, and why.
    pub excluded: Vec<Excluded>,
}

/// Applies the rules.
///
/// ```
/// use crewe::instruments::cases::{prepare, Dates, Origin, Window};
/// // Days counted from the start of a window of 100 days. The first case was referred before it.
/// let (referral, closure, rereferral) = ([Some(-5), Some(3)], [Some(40), None], [Some(60), None]);
/// let dates = Dates::new(&referral, &closure, &rereferral, &[0, 1], &[false, false])
///     .support(&[Some(-30), None])
///     .randomised(&[Some(10), Some(4)]);
/// let cases = prepare(&dates, &Window::new(0, 100, Origin::Randomisation))?;
/// assert_eq!(cases.history, Some(vec![true, false]));
/// assert_eq!((cases.closed[0], cases.rereferred[0], cases.event[0]), (false, true, true));
/// assert_eq!(cases.days, [30, 96]);
/// # Ok::<(), crewe::Error>(())
/// ```
///
/// # Errors
/// An input error with its rows where dates contradict each other or the window: a closure before the referral,
/// the randomisation or the window; a re-referral before or without a closure; a date after the extraction; a
/// randomisation outside the window; a family randomised on several days.
pub fn prepare(dates: &Dates<'_>, window: &Window) -> Result<Prepared> {
    check_lengths(dates, window)?;
    let Kept { rows, excluded } = keep(dates, window);
    check_dates(dates, window, &rows)?;
    let mut out = Prepared {
        rows: rows.clone(),
        history: None,
        closed: Vec::new(),
        rereferred: Vec::new(),
        event: Vec::new(),
        days: Vec::new(),
        referral: Vec::new(),
        days_before_randomisation: Vec::new(),
        recodes: Vec::new(),
        excluded,
    };
    let rules = window.rules;
    let mut moved = Vec::new();
    let mut late_rereferral = Vec::new();
    let mut not_closed = Vec::new();
    let mut late_closure = Vec::new();
    let mut open = Vec::new();
    for &row in &rows {
        // `keep` has left out the rows without a referral; a row without one cannot come here.
        let raw = dates.referral[row].unwrap_or(window.start);
        let referral = if rules.move_referral { raw.max(window.start) } else { raw };
        if referral != raw {
            moved.push(row);
        }
        let event = dates.closure[row].is_some_and(|day| day <= window.end);
        let back = dates.rereferral[row];
        let rereferred = event && back.is_some_and(|day| day <= window.end || !rules.rereferral_in_window);
        if back.is_some() && !rereferred {
            late_rereferral.push(row);
        }
        let closed = event && !(rereferred && rules.rereferred_not_closed);
        if event && !closed {
            not_closed.push(row);
        }
        if !event {
            if dates.closure[row].is_some() { late_closure.push(row) } else { open.push(row) }
        }
        let randomised = dates.randomised.and_then(|days| days[row]);
        let origin = match window.origin {
            Origin::Randomisation => randomised.unwrap_or(referral),
            Origin::Referral => referral,
        };
        let last = dates.closure[row].map_or(window.end, |day| day.min(window.end));
        out.days.push(last - origin);
        out.days_before_randomisation.push(match (window.origin, randomised) {
            (Origin::Referral, Some(day)) => (day - referral).max(0),
            _ => 0,
        });
        out.event.push(event);
        out.rereferred.push(rereferred);
        out.closed.push(closed);
        out.referral.push(referral);
    }
    let mut support_before = Vec::new();
    if let (true, Some(support)) = (rules.history, dates.support) {
        let history: Vec<bool> =
            rows.iter().map(|&row| support[row].is_some_and(|day| day < window.start)).collect();
        support_before =
            rows.iter().zip(&history).filter(|(_, before)| **before).map(|(&row, _)| row).collect();
        out.history = Some(history);
    }
    if rules.move_referral {
        out.recodes.push(Recode {
            rule: 1,
            action: "referral moved to the start of the window",
            rows: moved,
        });
    }
    if out.history.is_some() {
        out.recodes.push(Recode {
            rule: 2,
            action: "support before the window: history",
            rows: support_before,
        });
    }
    if rules.rereferral_in_window {
        out.recodes.push(Recode {
            rule: 3,
            action: "re-referral after the end of the window not counted",
            rows: late_rereferral,
        });
    }
    if rules.rereferred_not_closed {
        out.recodes.push(Recode {
            rule: 4,
            action: "re-referred in the window: not counted as closed",
            rows: not_closed,
        });
    }
    out.recodes.push(Recode {
        rule: 0,
        action: "closed after the end of the window: censored at the end",
        rows: late_closure,
    });
    out.recodes.push(Recode { rule: 0, action: "never closed: censored at the end", rows: open });
    Ok(out)
}

fn check_lengths(dates: &Dates<'_>, window: &Window) -> Result<()> {
    let n = dates.referral.len();
    let others = [
        dates.closure.len(),
        dates.rereferral.len(),
        dates.family.len(),
        dates.set_aside.len(),
        dates.support.map_or(n, <[_]>::len),
        dates.randomised.map_or(n, <[_]>::len),
    ];
    if others.iter().any(|&len| len != n) {
        return Err(Fault::new("the columns of the case record differ in length")
            .remedy("Pass one entry a case in every column")
            .input());
    }
    if window.end <= window.start {
        return Err(Fault::new("the window ends before it starts").remedy("Check start and end").input());
    }
    if window.extracted.is_some_and(|day| day < window.end) {
        return Err(Fault::new("the data were extracted before the end of the window")
            .remedy("End the window on the day of the extraction or before it: later closures are unknown")
            .input());
    }
    if window.origin == Origin::Randomisation && dates.randomised.is_none() {
        return Err(Fault::new("time is counted from randomisation, but no day of randomisation is given")
            .remedy("Name the column of the randomisation, or count from the referral")
            .input());
    }
    Ok(())
}

struct Kept {
    rows: Vec<usize>,
    excluded: Vec<Excluded>,
}

fn keep(dates: &Dates<'_>, window: &Window) -> Kept {
    let mut kept = Kept { rows: Vec::new(), excluded: Vec::new() };
    for row in 0..dates.referral.len() {
        let randomised = dates.randomised.map(|days| days[row].is_some());
        let mut reasons = [
            (dates.set_aside[row], Exclusion::SetAside),
            (window.origin == Origin::Randomisation && randomised == Some(false), Exclusion::NotRandomised),
            (dates.referral[row].is_none(), Exclusion::NoReferral),
        ]
        .into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, reason)| reason);
        match reasons.next() {
            Some(reason) => kept.excluded.push(Excluded { row, reason, also: reasons.collect() }),
            None => kept.rows.push(row),
        }
    }
    kept
}

/// One kind of impossibility, the column where it shows, and its rows.
struct Finding<'a> {
    problem: &'static str,
    column: &'a str,
    rows: Vec<usize>,
}

/// Refuses the impossible rows, all kinds at once, so that they can be corrected in one go.
fn check_dates(dates: &Dates<'_>, window: &Window, rows: &[usize]) -> Result<()> {
    let mut findings: Vec<Finding<'_>> = Vec::new();
    let names = dates.names;
    let mut find = |problem: &'static str, column, bad: &dyn Fn(usize) -> bool| {
        let found: Vec<usize> = rows.iter().copied().filter(|&row| bad(row)).collect();
        if !found.is_empty() {
            findings.push(Finding { problem, column, rows: found });
        }
    };
    let before = |a: Option<i64>, b: Option<i64>| matches!((a, b), (Some(a), Some(b)) if a < b);
    let randomised = |row: usize| dates.randomised.and_then(|days| days[row]);
    let closure = |row: usize| dates.closure[row];
    let back = |row: usize| dates.rereferral[row];
    if let Some(day) = window.extracted {
        let columns = [
            (names.referral, Some(dates.referral)),
            (names.closure, Some(dates.closure)),
            (names.rereferral, Some(dates.rereferral)),
            (names.support, dates.support),
            (names.randomised, dates.randomised),
        ];
        for (name, column) in columns {
            if let Some(column) = column {
                find("dates lie after the day on which the data were extracted", name, &|row| {
                    column[row].is_some_and(|date| date > day)
                });
            }
        }
    }
    find("cases are closed before they were referred", names.closure, &|row| {
        before(closure(row), dates.referral[row])
    });
    find("cases are re-referred although they were never closed", names.rereferral, &|row| {
        back(row).is_some() && closure(row).is_none()
    });
    find("cases are re-referred before they were closed", names.rereferral, &|row| {
        before(back(row), closure(row))
    });
    find("families are randomised outside the window", names.randomised, &|row| {
        randomised(row).is_some_and(|day| day < window.start || day > window.end)
    });
    find("cases are closed before they were randomised", names.closure, &|row| {
        before(closure(row), randomised(row))
    });
    find("cases are closed before the window starts", names.closure, &|row| {
        before(closure(row), Some(window.start))
    });
    find("cases are referred after the window ends", names.referral, &|row| {
        before(Some(window.end), dates.referral[row])
    });
    let mut days_of: HashMap<u32, BTreeSet<i64>> = HashMap::new();
    for &row in rows {
        if let Some(day) = randomised(row) {
            days_of.entry(dates.family[row]).or_default().insert(day);
        }
    }
    find("children of one family have different days of randomisation", names.randomised, &|row| {
        days_of.get(&dates.family[row]).is_some_and(|days| days.len() > 1)
    });
    let remedy = "Correct these dates at their source, drop the cases that were never in the trial, or mark rows \
                  as incomplete so that they are excluded and counted";
    match findings.as_slice() {
        [] => Ok(()),
        [one] => {
            Err(Fault::new(one.problem).column(one.column).rows(one.rows.clone()).remedy(remedy).input())
        }
        several => {
            // The message shows the first rows of each kind; the error carries them all.
            let list: Vec<String> = several
                .iter()
                .map(|f| {
                    let rows = if f.rows.len() == 1 { "row" } else { "rows" };
                    format!("{} (column '{}'; {rows} {})", f.problem, f.column, listed(&f.rows))
                })
                .collect();
            let rows: BTreeSet<usize> = several.iter().flat_map(|f| f.rows.iter().copied()).collect();
            Err(Fault::new(format!("the dates are impossible: {}", list.join("; ")))
                .rows(rows)
                .remedy(remedy)
                .input())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(origin: Origin) -> Window {
        Window { start: 0, end: 100, extracted: Some(150), origin, rules: Rules::default() }
    }

    /// One case with all its dates.
    fn case(referral: i64, closure: Option<i64>, back: Option<i64>, randomised: i64) -> Result<Prepared> {
        prepare(
            &Dates {
                referral: &[Some(referral)],
                closure: &[closure],
                rereferral: &[back],
                support: None,
                randomised: Some(&[Some(randomised)]),
                family: &[7],
                set_aside: &[false],
                names: Names::default(),
            },
            &window(Origin::Randomisation),
        )
    }

    #[test]
    fn both_ends_of_the_window_are_inside_it() {
        let on_the_last_day = case(0, Some(100), Some(100), 0).unwrap();
        assert_eq!((on_the_last_day.event[0], on_the_last_day.rereferred[0]), (true, true));
        let a_day_later = case(0, Some(101), Some(101), 0).unwrap();
        assert_eq!(
            (a_day_later.event[0], a_day_later.rereferred[0], a_day_later.days[0]),
            (false, false, 100)
        );
        assert_eq!(case(0, None, None, 0).unwrap().recodes[0].rows, Vec::<usize>::new());
        assert_eq!(case(-1, None, None, 0).unwrap().recodes[0].rows, vec![0]);
    }

    #[test]
    fn each_impossibility_names_itself() {
        let problem = |result: Result<Prepared>| result.unwrap_err().to_string();
        assert!(problem(case(20, Some(10), None, 5)).contains("before they were referred"));
        assert!(problem(case(0, None, Some(10), 5)).contains("never closed"));
        assert!(problem(case(0, Some(20), Some(10), 5)).contains("re-referred before"));
        assert!(problem(case(0, Some(10), None, 15)).contains("before they were randomised"));
        assert!(problem(case(0, Some(151), None, 15)).contains("extracted"));
        assert!(problem(case(0, None, None, -1)).contains("outside the window"));
        assert!(problem(case(101, None, None, 5)).contains("after the window ends"));
    }
}

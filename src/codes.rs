//! Codes of groups: one number a row, checked before anything is laid out by them.
//!
//! A missing group has no code. What some languages write in its place (the largest number, or -1 read as unsigned) is
//! refused by name, since as a code it would make one large group of everybody who is in none, or a table of 2^32
//! groups.

use crate::{Error, Fault, Result};

/// Refuses another number of codes than rows, and codes that are not below `groups`.
pub(crate) fn check(codes: &[u32], rows: usize, groups: usize, what: &str) -> Result<()> {
    check_length(codes.len(), rows, what)?;
    let off: Vec<usize> = (0..rows).filter(|&row| codes[row] as usize >= groups).collect();
    if off.is_empty() { Ok(()) } else { Err(out_of_range(codes, off, groups, what)) }
}

/// How many groups there are, refusing codes that do not run from 0 without a gap.
pub(crate) fn gapless(codes: &[u32], rows: usize, what: &str) -> Result<usize> {
    check_length(codes.len(), rows, what)?;
    // As many groups as rows at most, so that no code can ask for more memory than the rows have.
    check(codes, rows, rows, what)?;
    let groups = codes.iter().max().map_or(0, |&most| most as usize + 1);
    let mut seen = vec![false; groups];
    for &code in codes {
        seen[code as usize] = true;
    }
    let empty: Vec<usize> = (0..groups).filter(|&code| !seen[code]).collect();
    if empty.is_empty() {
        return Ok(groups);
    }
    Err(Fault::new(format!("{} codes of {what} below {groups} belong to no row", empty.len()))
        .values(empty.iter().map(usize::to_string))
        .remedy("Code the groups that have rows 0, 1, 2 and so on")
        .input())
}

/// Refuses the codes that stand for a missing group elsewhere.
pub(crate) fn refuse_missing(codes: &[u32], what: &str) -> Result<()> {
    let missing: Vec<usize> = (0..codes.len()).filter(|&row| codes[row] == u32::MAX).collect();
    if missing.is_empty() { Ok(()) } else { Err(out_of_range(codes, missing, u32::MAX as usize, what)) }
}

fn check_length(codes: usize, rows: usize, what: &str) -> Result<()> {
    if codes == rows {
        return Ok(());
    }
    Err(Fault::new(format!("there are {codes} codes of {what} for {rows} rows"))
        .remedy("Give one for every row")
        .input())
}

fn out_of_range(codes: &[u32], rows: Vec<usize>, groups: usize, what: &str) -> Error {
    let missing = rows.iter().all(|&row| codes[row] == u32::MAX);
    let problem = if missing {
        format!("{what} is missing in {} of {} rows", rows.len(), codes.len())
    } else {
        format!("codes of {what} are not below {groups}")
    };
    let values: Vec<String> = rows.iter().map(|&row| codes[row].to_string()).collect();
    let fault = Fault::new(problem).rows(rows);
    if missing {
        fault.remedy("A missing group has no code: leave its rows out, or make a group of them").input()
    } else {
        fault.values(values).remedy("Code the groups 0, 1, 2 and so on").input()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_8_3_codes_are_checked_against_their_number() {
        assert_eq!(gapless(&[1, 0, 2, 1], 4, "strata"), Ok(3));
        assert_eq!(gapless(&[], 0, "strata"), Ok(0));
        let message = |result: Result<usize>| result.unwrap_err().to_string();
        assert!(message(gapless(&[0, 2], 3, "strata")).contains("2 codes of strata for 3 rows"));
        assert!(message(gapless(&[0, 0, 2], 3, "strata")).contains("belong to no row (seen: 1)"));
        assert!(message(gapless(&[0, 7], 2, "strata")).contains("not below 2 (row 1; seen: 7)"));
        let missing = message(gapless(&[0, u32::MAX], 2, "the stratum"));
        assert!(missing.contains("the stratum is missing in 1 of 2 rows (row 1)"), "{missing}");
        assert!(check(&[0, 1], 2, 2, "arms").is_ok() && check(&[0, 2], 2, 2, "arms").is_err());
        assert!(refuse_missing(&[0, 9], "cluster").is_ok());
        assert!(refuse_missing(&[u32::MAX], "cluster").is_err());
    }
}

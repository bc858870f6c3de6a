//! Few families: every default of crewe's models beside what can stand in for it, over shares, long tails, allocations and
//! correlations. What holds is held by a band, and where a default does not the results of crewe say what to read.

mod cells;
mod page;
mod procedures;
mod trial;

use crewe::Result;
use crewe::rng::Stream;

use self::cells::{BLOCKS, Block, Outcome};
use self::procedures::{PROCEDURES, Procedure, SHARES};
use self::trial::{Trial, Truth};
use crate::families::{Binary, Randomised};
use crate::grid::{CellResult, Run, Tally, Topic, Verdict};

pub const TOPIC: Topic =
    Topic { name: "few", title: "Few families: the defaults and the others", run, page: page::page };

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for block in &BLOCKS {
        for &families in block.families {
            cells.push(simulate(run, block, families)?);
        }
    }
    Ok(cells)
}

/// One cell: procedures that get a part of the trials look at the first of those that the others look at.
fn simulate(run: &Run, block: &Block, families: usize) -> Result<CellResult> {
    let cell = block.cell(families);
    let arms = Randomised::new(run, TOPIC.name, &cell, run.sims, families, block.allocation.ratio(), None)?;
    let (model, truth) = match block.outcome {
        Outcome::Share { control, difference } => {
            let model = Binary::new(control, difference);
            (Some(model), Truth { difference, log_odds: model.log_odds })
        }
        Outcome::Skewed { added } => (None, Truth { difference: added, log_odds: f64::NAN }),
    };
    let simulated = |share: u64| {
        let asked: Vec<&Procedure> = PROCEDURES
            .iter()
            .filter(|p| p.share == share && families <= p.most)
            .filter(|p| block.outcome.is_share() || !p.model.is_binary())
            .collect();
        let names: Vec<&str> = asked.iter().map(|p| p.name).collect();
        run.simulate(TOPIC.name, &cell, &names, share, |stream: &mut Stream, i| {
            match block.draw(stream, &arms.arms(i), model) {
                Ok((children, y)) => {
                    let trial = Trial::new(&children, &y, truth, &arms, i, stream.next_u64());
                    asked.iter().map(|p| (p.of)(&trial)).collect()
                }
                Err(error) => vec![Verdict::error(&error); asked.len()],
            }
        })
    };
    let [mut whole, others, dear] = SHARES.map(simulated);
    whole.procedures.extend(others.procedures);
    whole.procedures.extend(dear.procedures);
    Ok(whole)
}

/// The band that a default's size should lie in.
const BAND: [f64; 2] = [0.035, 0.056];
/// The least share of trials that it should answer.
const ANSWERS: f64 = 0.99;

/// How a procedure fares in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fares {
    /// It answers, and its size is in the band within two Monte Carlo standard errors.
    Holds,
    /// It rejects true hypotheses too often.
    Often,
    /// It rejects them too seldom.
    Seldom,
    /// It leaves more than one trial in a hundred without an answer.
    Silent,
}

fn fares(tally: &Tally) -> Fares {
    let size = tally.rejections();
    if 1.0 - tally.refusals().value < ANSWERS {
        Fares::Silent
    } else if size.value - 2.0 * size.se > BAND[1] {
        Fares::Often
    } else if size.value + 2.0 * size.se < BAND[0] {
        Fares::Seldom
    } else {
        Fares::Holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(answered: u64, refused: u64, rejected: u64) -> Tally {
        let refused = [("separated".to_owned(), refused)].into_iter().filter(|(_, n)| *n > 0).collect();
        Tally { answered, refused, rejected, ..Tally::default() }
    }

    #[test]
    fn the_band_allows_for_monte_carlo_error() {
        assert_eq!(fares(&tally(10_000, 0, 500)), Fares::Holds);
        assert_eq!(fares(&tally(10_000, 0, 600)), Fares::Holds); // 6.0% - 2 x .24%
        assert_eq!(fares(&tally(10_000, 0, 620)), Fares::Often);
        assert_eq!(fares(&tally(10_000, 0, 300)), Fares::Seldom);
        assert_eq!(fares(&tally(2_000, 0, 130)), Fares::Holds); // 6.5% - 2 x .55%
        assert_eq!(fares(&tally(9_800, 200, 490)), Fares::Silent);
        assert_eq!(fares(&tally(9_900, 100, 495)), Fares::Holds);
    }
}

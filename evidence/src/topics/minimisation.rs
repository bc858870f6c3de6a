//! Minimisation at unequal ratios: each arm's share at every arrival, and what minimising over the real arms would do.

use std::fmt::Write as _;

use crewe::Result;
use crewe::design::{Fraction, Imbalance, Minimisation, Ratio, minimisation};
use crewe::progress::NoMonitor;
use crewe::rng::{Seed, Stream};
use rayon::prelude::*;

use crate::grid::{Cell, CellResult, Found, Results, Run, Topic};
use crate::page::{Page, Summary};

pub const TOPIC: Topic = Topic { name: "minimisation", title: "Minimisation at unequal ratios", run, page };

const RATIOS: [&[u32]; 3] = [&[2, 1], &[3, 2], &[1, 1, 2]];
/// The probability of the preferred arm, in tenths.
const TENTHS: [u64; 5] = [5, 7, 8, 9, 10];
/// The levels of the two factors.
const LEVELS: [u32; 2] = [4, 2];
const ARRIVALS: usize = 30;
const OURS: &str = "fake arms";
const NAIVE: &str = "real arms";
/// Simulated trials for each replicate of the run, by rule.
const TIMES: [(&str, u64); 2] = [(OURS, 100), (NAIVE, 10)];

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for (rule, times) in TIMES {
        for ratio in RATIOS {
            for tenths in TENTHS {
                let cell = Cell::new([
                    ("rule", rule.to_owned()),
                    ("ratio", name(ratio)),
                    ("p", format!("{:.1}", tenths as f64 / 10.0)),
                ]);
                let seed = Seed::Integer(run.stream(TOPIC.name, "shares", &cell).next_u64());
                cells.push(run.measure(TOPIC.name, &cell, times, |trials| {
                    let count = if rule == OURS {
                        ours(ratio, tenths, trials, &seed)?
                    } else {
                        naive(ratio, tenths, trials, &seed)
                    };
                    Ok(found(&count, trials))
                })?);
            }
        }
    }
    Ok(cells)
}

fn name(ratio: &[u32]) -> String {
    ratio.iter().map(ToString::to_string).collect::<Vec<_>>().join(":")
}

/// Arrivals x arms: in how many trials the arrival got the arm, by crewe's own rule.
fn ours(ratio: &[u32], tenths: u64, trials: u64, seed: &Seed) -> Result<Vec<Vec<u64>>> {
    let factors = [("site", 1), ("history", 1)];
    let options = Minimisation::new(factors, Imbalance::Range, Fraction::new(tenths, 10));
    let ratio = Ratio::new(ratio);
    Ok(minimisation::shares(&options, &ratio, &LEVELS, ARRIVALS, trials, seed, &NoMonitor)?.count)
}

/// The same for what crewe does not do: counts of the real arms are divided by the arms' shares, and the arm that then
/// leaves the smallest sum of ranges is preferred with probability p, each other with (1 - p) / (J - 1).
fn naive(ratio: &[u32], tenths: u64, trials: u64, seed: &Seed) -> Vec<Vec<u64>> {
    const PIECE: u64 = 250;
    let arms = ratio.len();
    // Whole numbers: 1 / r_j times the product of the shares.
    let step: Vec<u64> = ratio
        .iter()
        .map(|&share| ratio.iter().map(|&r| u64::from(r)).product::<u64>() / u64::from(share))
        .collect();
    let base = Stream::new::<&str>(seed, "naive minimisation", &[], 0);
    let pieces: Vec<Vec<Vec<u64>>> = (0..trials.div_ceil(PIECE))
        .into_par_iter()
        .map(|piece| {
            let mut sums = vec![vec![0; arms]; ARRIVALS];
            for trial in piece * PIECE..trials.min((piece + 1) * PIECE) {
                let stream = &mut base.at(trial);
                let mut scaled = LEVELS.map(|levels| vec![vec![0; arms]; levels as usize]);
                for sum in &mut sums {
                    let at = LEVELS.map(|levels| stream.below(u64::from(levels)) as usize);
                    let score = |arm: usize| -> u64 {
                        let range = |(counts, level): (&Vec<Vec<u64>>, usize)| {
                            let after = |other: usize| {
                                counts[level][other] + if other == arm { step[arm] } else { 0 }
                            };
                            let most = (0..arms).map(after).max().unwrap_or(0);
                            most - (0..arms).map(after).min().unwrap_or(0)
                        };
                        scaled.iter().zip(at).map(range).sum()
                    };
                    let scores: Vec<u64> = (0..arms).map(score).collect();
                    let best = scores.iter().min().copied().unwrap_or(0);
                    let tied: Vec<usize> = (0..arms).filter(|&arm| scores[arm] == best).collect();
                    let preferred = tied[stream.below(tied.len() as u64) as usize];
                    let arm = if stream.below(10) < tenths {
                        preferred
                    } else {
                        let other = stream.below(arms as u64 - 1) as usize;
                        other + usize::from(other >= preferred)
                    };
                    scaled.iter_mut().zip(at).for_each(|(counts, level)| counts[level][arm] += step[arm]);
                    sum[arm] += 1;
                }
            }
            sums
        })
        .collect();
    let add = |arrival: usize, arm: usize| pieces.iter().map(|piece| piece[arrival][arm]).sum();
    (0..ARRIVALS).map(|arrival| (0..arms).map(|arm| add(arrival, arm)).collect()).collect()
}

fn found(count: &[Vec<u64>], trials: u64) -> Found {
    let n = trials as f64;
    let mut found = Found::new();
    for (arrival, counts) in count.iter().enumerate() {
        for (arm, &count) in counts.iter().enumerate() {
            // A standard error from a shrunken share, since shares of 0 and 1 have none.
            let shrunk = (count as f64 + 2.0) / (n + 4.0);
            found.push((key(arrival, arm), count as f64 / n, (shrunk * (1.0 - shrunk) / n).sqrt()));
        }
    }
    found
}

fn key(arrival: usize, arm: usize) -> String {
    format!("{:02} arm {}", arrival + 1, arm + 1)
}

/// The share that is furthest from the ratio.
struct Worst {
    z: f64,
    share: f64,
    want: f64,
    arrival: usize,
}

fn worst(cell: &CellResult) -> Worst {
    let shares: Vec<f64> = cell.cell.get("ratio").split(':').filter_map(|share| share.parse().ok()).collect();
    let total: f64 = shares.iter().sum();
    let mut worst = Worst { z: 0.0, share: 0.0, want: 0.0, arrival: 0 };
    for arrival in 0..ARRIVALS {
        for (arm, share) in shares.iter().enumerate() {
            let (got, want) = (cell.quantity(&key(arrival, arm)).value, share / total);
            let z = (got - want) / (want * (1.0 - want) / cell.sims as f64).sqrt();
            if z.abs() > worst.z.abs() {
                worst = Worst { z, share: got, want, arrival: arrival + 1 };
            }
        }
    }
    worst
}

fn page(results: &Results) -> Page {
    let mut table = String::from(
        "| ratio | p | largest \\|z\\| | at arrival | share there | real arms: furthest share | of | at arrival |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    let (mut largest, mut shares, mut drift) = (0.0_f64, 0, 0.0_f64);
    let (mut ours_of, mut naive_of) = (0, 0);
    for cell in results.select(&[("rule", OURS)]) {
        let (ratio, p) = (cell.cell.get("ratio"), cell.cell.get("p"));
        let naive = results.select(&[("rule", NAIVE), ("ratio", ratio), ("p", p)])[0];
        let (here, there) = (worst(cell), worst(naive));
        (ours_of, naive_of) = (cell.sims, naive.sims);
        largest = largest.max(here.z.abs());
        drift = drift.max((there.share - there.want).abs());
        shares += cell.quantities.len();
        let _ = writeln!(
            table,
            "| {ratio} | {p} | {:.2} | {} | {:.2}% | {:.1}% | {:.1}% | {} |",
            here.z.abs(),
            here.arrival,
            100.0 * here.share,
            100.0 * there.share,
            100.0 * there.want,
            there.arrival
        );
    }
    let first = |rule: &str, p: &str| {
        let cell = results.select(&[("rule", rule), ("ratio", "2:1"), ("p", p)])[0];
        [1, 2, 3, 30]
            .map(|arrival| format!("{:.1}%", 100.0 * cell.quantity(&key(arrival - 1, 0)).value))
            .join(", ")
    };
    let millions = ours_of as f64 / 1e6;
    let markdown = format!(
        "\
{millions} million trials of {ARRIVALS} arrivals for every row, two factors of 4 and 2 levels, drawn uniformly, range,
equal weights. z compares an arm's share at one arrival with its ratio, in Monte Carlo standard errors. p is the
probability of the preferred arm: of one of the equal *fake arms* which the ratio is made of, of which an arm at
share r owns r (Kuznetsova and Tymofyeyev 2012, [doi:10.1002/sim.4447](https://doi.org/10.1002/sim.4447)). The last three
columns are a contrast, of a rule that crewe does **not** offer: the real arms are minimised over, with counts divided
by the arms' shares, {naive_of} trials.

## What was found

* Of {shares} shares (three ratios, five p, {ARRIVALS} arrivals, every arm) the one furthest from its ratio has
  |z| = {largest:.2}.
* Over the real arms the share of an arm is up to {drift:.0} points off. At 2:1 and p = .8 the larger arm gets {naive_first}
  of arrivals 1, 2, 3 and 30, where crewe gives {ours_first}.
* One long list would hide this: its overall share may come near the ratio while single arrivals do not. Who knows when
  a family arrived then knows more of its arm than the ratio says.

{table}",
        naive_first = first(NAIVE, "0.8"),
        ours_first = first(OURS, "0.8"),
        drift = 100.0 * drift,
    );
    let summary = vec![Summary {
        procedure: "`Minimisation` at 2:1, 3:2, 1:1:2",
        holds: format!(
            "each arm's share at arrivals 1 to 30, {millions} million trials: largest \\|z\\| {largest:.2} of {shares}"
        ),
        fails: format!("minimising over the real arms (not offered): up to {:.0} points off", 100.0 * drift),
    }];
    Page { markdown, figures: Vec::new(), summary }
}

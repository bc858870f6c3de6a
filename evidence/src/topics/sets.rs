//! Matched sets of families analysed with a term for each set: which clusters the sandwich may use.

use crewe::Result;
use crewe::inference::{Clusters, Vcov};
use crewe::regression::Ols;
use ndarray::{Array1, Array2};

use crate::families::{Randomised, Sizes};
use crate::grid::{Cell, CellResult, Results, Run, Topic, Verdict};
use crate::page::{Measure, Page, Summary, quote, refusals, span, table};

pub const TOPIC: Topic = Topic { name: "sets", title: "Matched sets with set terms", run, page };

const CR2: &str = "CR2 by unit";
const PROCEDURES: [&str; 7] =
    [CR2, "CR0 by unit", "CR1 by unit", "CR1S by unit", "CR0 by set", "CR1 by set", "CR2 by set"];
const SETS: [usize; 4] = [5, 10, 20, 40];
/// Families in a set, of which one is the control.
const WIDTHS: [usize; 2] = [2, 3];

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for (label, sizes) in [("one to nine", Sizes::Crewe), ("one", Sizes::Equal(1))] {
        for width in WIDTHS {
            for sets in SETS {
                let cell = Cell::new([
                    ("children", label.to_owned()),
                    ("families in a set", width.to_string()),
                    ("sets", sets.to_string()),
                ]);
                cells.push(simulate(run, cell, sizes, width, sets)?);
            }
        }
    }
    Ok(cells)
}

fn simulate(run: &Run, cell: Cell, sizes: Sizes, width: usize, sets: usize) -> Result<CellResult> {
    // The cost grows with the cube of the number of sets, since each has a coefficient.
    let share = match sets {
        ..=10 => 1,
        20 => 4,
        _ => 20,
    };
    let families = sets * width;
    let set_of: Vec<usize> = (0..families).map(|family| family / width).collect();
    let sims = run.replicates(share);
    let ratio = [1, width as u32 - 1];
    let arms = Randomised::new(run, TOPIC.name, &cell, sims, families, ratio, Some(&set_of))?;
    Ok(run.simulate(TOPIC.name, &cell, &PROCEDURES, share, |stream, i| {
        let arm = arms.arms(i);
        let of_set: Vec<f64> = (0..sets).map(|_| stream.normal()).collect();
        let (mut family, mut y) = (Vec::new(), Vec::new());
        for g in 0..families {
            let shared = 0.6 * stream.normal();
            for _ in 0..sizes.draw(stream) {
                family.push(g as u32);
                y.push(of_set[set_of[g]] + shared + 0.8 * stream.normal());
            }
        }
        let x = Array2::from_shape_fn((family.len(), sets), |(row, column)| {
            let g = family[row] as usize;
            if column == 0 { arm[g] } else { f64::from(set_of[g] == column) }
        });
        let set: Vec<u32> = family.iter().map(|&g| set_of[g as usize] as u32).collect();
        analyse(&x, &Array1::from_vec(y), &family, &set)
            .unwrap_or_else(|error| vec![Verdict::error(&error); PROCEDURES.len()])
    }))
}

fn analyse(x: &Array2<f64>, y: &Array1<f64>, family: &[u32], set: &[u32]) -> Result<Vec<Verdict>> {
    let fit = Ols::new(y.view(), x.view()).fit()?;
    let (units, sets) = (Clusters::new(family)?, Clusters::new(set)?);
    Ok([
        (Vcov::Cr2, &units),
        (Vcov::Cr0, &units),
        (Vcov::Cr1, &units),
        (Vcov::Cr1s, &units),
        (Vcov::Cr0, &sets),
        (Vcov::Cr1, &sets),
        (Vcov::Cr2, &sets),
    ]
    .map(|(kind, clusters)| {
        Verdict::of(fit.vcov(kind, Some(clusters)).and_then(|covariance| {
            let se = covariance.matrix()[(1, 1)].max(0.0).sqrt();
            Ok(Verdict::estimate(fit.coef()[1], se, covariance.df()?[1], 0.0))
        }))
    })
    .to_vec())
}

const FACTORS: [&str; 3] = ["children", "families in a set", "sets"];

fn page(results: &Results) -> Page {
    let all: Vec<_> = results.cells.iter().collect();
    let of = |width: &str, sets: &str, name: &str| {
        let cells =
            results.select(&[("children", "one to nine"), ("families in a set", width), ("sets", sets)]);
        quote(cells[0], name, Measure::Rejections)
    };
    let size = |name: &str| span(&all, name, Measure::Rejections);
    let by_children =
        |label: &str, name: &str| span(&results.select(&[("children", label)]), name, Measure::Rejections);
    let ratio = |width: &str, name: &str| {
        let cell = results.select(&[("children", "one"), ("families in a set", width), ("sets", "20")])[0];
        let tally = cell.procedure(name).map_or((f64::NAN, 1.0), |t| (t.rms_std_error, t.rms_error));
        format!("{:.2}", (tally.0 / tally.1).powi(2))
    };
    let markdown = format!(
        "\
Sets of two families (one treated) or three (two treated), randomised within sets by `Design` with the sets as strata;
outcome = set + family + child with standard deviations 1, .6 and .8, no effect; `y ~ arm + C(set)`. With 20 sets a
quarter and with 40 a twentieth of the trials are run, since time grows with the cube of the number of terms.

## What holds

* CR2 with the families as clusters, the default: {cr2_all} over the grid; with single children {cr2_one}, with one to
  nine {cr2_many}.
* With the sets as clusters CR2 ({cr2_set}) and CR1 ({cr1_set}) do as well; CR0 ({cr0_set}) needs many sets.

## Where it fails

* CR0 and CR1 with the families as clusters know nothing of the coefficients that the sets have used up: their variance
  is too small by about (s − 1)/s. With single children and 20 sets the mean of CR0's variance is {pair_ratio} of the true one
  for pairs and {triple_ratio} for triples. They reject in {cr0_pairs} and {cr1_pairs} of trials with 40 pairs and
  {cr0_triples} and {cr1_triples} with 40 triples: more sets do not help. CR1S ({cr1s}) has a factor for the
  coefficients, which is about right where families have one child and not elsewhere.
* With 5 pairs CR1 by set rejects in {five_set}, CR2 by unit in {five}.

## No effect: rejections in percent

{table}
## Trials without an answer

{refused}",
        cr2_all = size(CR2),
        cr2_one = by_children("one", CR2),
        cr2_many = by_children("one to nine", CR2),
        cr0_set = size(PROCEDURES[4]),
        cr1_set = size(PROCEDURES[5]),
        pair_ratio = ratio("2", PROCEDURES[1]),
        triple_ratio = ratio("3", PROCEDURES[1]),
        cr0_pairs = of("2", "40", PROCEDURES[1]),
        cr1_pairs = of("2", "40", PROCEDURES[2]),
        cr0_triples = of("3", "40", PROCEDURES[1]),
        cr1_triples = of("3", "40", PROCEDURES[2]),
        cr1s = size(PROCEDURES[3]),
        five = of("2", "5", CR2),
        five_set = of("2", "5", PROCEDURES[5]),
        cr2_set = size(PROCEDURES[6]),
        table = table(&all, &FACTORS, &PROCEDURES, Measure::Rejections),
        refused = refusals(&all, &PROCEDURES, &FACTORS),
    );
    let summary = vec![Summary {
        procedure: "`ols` with matched sets: CR2 by unit",
        holds: format!("5 to 40 sets of two or three families: size {}", size(CR2)),
        fails: format!(
            "CR1 by unit: {}, more sets do not help; CR1S by unit: {}",
            size(PROCEDURES[2]),
            size(PROCEDURES[3])
        ),
    }];
    Page { markdown, figures: Vec::new(), summary }
}

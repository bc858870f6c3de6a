//! Mann-Whitney on single-child families: size of the exact and the approximate test, coverage of its intervals.

use crewe::Result;
use crewe::dist::normal_cdf;
use crewe::nonparametric::{MannWhitney, MannWhitneyOptions, mann_whitney};
use crewe::progress::NoMonitor;
use crewe::rng::Stream;

use crate::families::{Randomised, Sizes};
use crate::grid::{Cell, CellResult, Results, Run, Topic, Verdict};
use crate::page::{Measure, Page, Summary, quote, refusals, span, table};

pub const TOPIC: Topic = Topic { name: "ranks", title: "Mann-Whitney on single children", run, page };

const EXACT: &str = "exact";
const CORRECTED: &str = "normal, corrected";
const TESTS: [&str; 3] = [EXACT, CORRECTED, "normal, uncorrected"];
const INTERVALS: [&str; 3] =
    ["probability of superiority, Newcombe", "shift, exact test inverted", "shift, normal test inverted"];
const ALL: [&str; 6] = [TESTS[0], TESTS[1], TESTS[2], INTERVALS[0], INTERVALS[1], INTERVALS[2]];
/// Treated and control.
const ARMS: [[u32; 2]; 7] = [[5, 5], [10, 10], [6, 30], [20, 20], [20, 60], [88, 44], [100, 100]];
const SHIFT: f64 = 0.8;

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for [treated, control] in ARMS {
        let n = (treated + control) as usize;
        let share = if n > 100 { 10 } else { 1 };
        for (outcome, shift) in [("normal", 0.0), ("0 to 10", 0.0), ("normal, shift .8", SHIFT)] {
            let cell =
                Cell::new([("outcome", outcome.to_owned()), ("arms", format!("{treated} v {control}"))]);
            let sims = run.replicates(share);
            let arms = Randomised::new(run, TOPIC.name, &cell, sims, n, [control, treated], None)?;
            cells.push(run.simulate(TOPIC.name, &cell, &ALL, share, |stream, i| {
                let mut samples = [Vec::new(), Vec::new()];
                for arm in arms.arms(i) {
                    let value =
                        if outcome == "0 to 10" { score(stream) } else { stream.normal() + shift * arm };
                    samples[usize::from(arm < 0.5)].push(value);
                }
                analyse(&samples[0], &samples[1], shift, outcome != "0 to 10")
            }));
        }
        // What the package refuses: every sibling a row of its own.
        let cell =
            Cell::new([("outcome", "siblings, ICC .36".into()), ("arms", format!("{treated} v {control}"))]);
        let arms = Randomised::new(run, TOPIC.name, &cell, run.sims, n, [control, treated], None)?;
        cells.push(run.simulate(TOPIC.name, &cell, &[CORRECTED], 1, |stream, i| {
            let mut samples = [Vec::new(), Vec::new()];
            for arm in arms.arms(i) {
                let shared = 0.6 * stream.normal();
                for _ in 0..Sizes::Crewe.draw(stream) {
                    samples[usize::from(arm < 0.5)].push(shared + 0.8 * stream.normal());
                }
            }
            vec![Verdict::of(test(&samples[0], &samples[1], false, true).map(|t| Verdict::test(t.p_value)))]
        }));
    }
    Ok(cells)
}

/// A score of 0 to 10 with many low values: ten questions, each answered yes by 25%.
fn score(stream: &mut Stream) -> f64 {
    (0..10).map(|_| f64::from(stream.unit() < 0.25)).sum()
}

fn test(x: &[f64], y: &[f64], exact: bool, correct: bool) -> Result<MannWhitney> {
    let options = MannWhitneyOptions::default().exact(exact).correct(correct);
    mann_whitney(x, y, &options, &NoMonitor)
}

fn analyse(x: &[f64], y: &[f64], shift: f64, intervals: bool) -> Vec<Verdict> {
    let tests = [test(x, y, true, true), test(x, y, false, true), test(x, y, false, false)];
    let superiority = normal_cdf(shift / std::f64::consts::SQRT_2);
    let interval = |from: usize, of: &dyn Fn(&MannWhitney) -> Verdict| match &tests[from] {
        Ok(found) if intervals => of(found),
        Ok(_) => Verdict::Refused("not asked"),
        Err(error) => Verdict::error(error),
    };
    let shifted = |t: &MannWhitney| {
        Verdict::interval(
            t.p_value,
            [t.shift.interval.low, t.shift.interval.high],
            t.shift.shift,
            f64::NAN,
            shift,
        )
    };
    let superior = |t: &MannWhitney| {
        let ends = [t.superiority_interval.low, t.superiority_interval.high];
        Verdict::interval(t.p_value, ends, t.superiority, f64::NAN, superiority)
    };
    let mut verdicts: Vec<Verdict> = tests
        .iter()
        .map(|t| t.as_ref().map_or_else(Verdict::error, |found| Verdict::test(found.p_value)))
        .collect();
    verdicts.extend([interval(0, &superior), interval(0, &shifted), interval(1, &shifted)]);
    verdicts
}

fn page(results: &Results) -> Page {
    let of = |outcome: &str| results.select(&[("outcome", outcome)]);
    let (normal, scores, shifted, siblings) =
        (of("normal"), of("0 to 10"), of("normal, shift .8"), of("siblings, ICC .36"));
    let null = [normal.clone(), scores.clone()].concat();
    let size = |name: &str| span(&null, name, Measure::Rejections);
    let covered = |name: &str| span(&[normal.clone(), shifted.clone()].concat(), name, Measure::Coverage);
    let one = |outcome: &str, arms: &str, name: &str| {
        quote(results.select(&[("outcome", outcome), ("arms", arms)])[0], name, Measure::Rejections)
    };
    let factors = ["outcome", "arms"];
    let markdown = format!(
        "\
`cw.mann_whitney` where each family has one child: normal outcomes, and scores of 0 to 10 with many ties. With more
than 100 children a tenth of the trials are run.

## What holds

* The exact test, the default, rejects in at most 5% by construction; found {exact}, above 5% by chance only. Few possible
  p-values keep it below: at 5 v 5 it rejects in {small}.
* The normal approximation with continuity correction: {corrected}; without: {uncorrected}.
* Intervals (95%), with no shift and one of .8: probability of superiority {superiority}; Hodges-Lehmann shift from the
  exact test {hl}, from the normal one {hl_normal}.

## Where it fails

* Siblings as rows of their own (ICC .36; arms are counted in families): rejections in {siblings_span}, and more
  families do not help. The package refuses this when it is told the families.

## No effect: rejections in percent

{null_table}
## Siblings as rows of their own, no effect: rejections in percent

{sibling_table}
## Coverage of the 95% intervals in percent

{coverage_table}
## Trials without an answer

{refused}",
        exact = size(EXACT),
        small = one("normal", "5 v 5", EXACT),
        corrected = size(CORRECTED),
        uncorrected = size(TESTS[2]),
        superiority = covered(INTERVALS[0]),
        hl = covered(INTERVALS[1]),
        hl_normal = covered(INTERVALS[2]),
        siblings_span = span(&siblings, CORRECTED, Measure::Rejections),
        null_table = table(&null, &factors, &TESTS, Measure::Rejections),
        sibling_table = table(&siblings, &factors, &[CORRECTED], Measure::Rejections),
        coverage_table =
            table(&[normal.clone(), shifted.clone()].concat(), &factors, &INTERVALS, Measure::Coverage),
        refused = refusals(&results.cells.iter().collect::<Vec<_>>(), &TESTS, &factors),
    );
    let summary = vec![Summary {
        procedure: "`mann_whitney`, exact",
        holds: format!(
            "single children, with and without ties: by construction at most 5%, found {}",
            size(EXACT)
        ),
        fails: format!("siblings as rows: {}", span(&siblings, CORRECTED, Measure::Rejections)),
    }];
    Page { markdown, figures: Vec::new(), summary }
}

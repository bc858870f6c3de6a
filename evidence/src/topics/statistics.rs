//! Size of the randomisation test of models, rates, times and ranks under the procedures, and coverage of its intervals.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crewe::design::Assignment;
use crewe::dist::normal_quantile;
use crewe::progress::NoMonitor;
use crewe::regression::Family;
use crewe::resampling::{
    ArmModel, Compared, Contrast, Outcomes, RandomisationOptions, RandomisationTest, Statistic,
    randomisation_test,
};
use crewe::rng::{Seed, Stream};
use crewe::simulate::sharing::copula_uniforms;
use crewe::survival::Ties;
use crewe::{Fault, Result};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::randomisation::{Named, Trial, procedures};
use crate::families::inverse_logit;
use crate::grid::{ALPHA, Cell, CellResult, Quantity, Results, Run, Topic, Verdict};
use crate::page::{Measure, Page, Summary, percent, span, table};

pub const TOPIC: Topic =
    Topic { name: "statistics", title: "The randomisation test, by statistic", run, page };

const RATIOS: [(&str, [u32; 2]); 2] = [("1:1", [1, 1]), ("2:1", [1, 2])];
/// Families of simulated trials.
const FAMILIES: usize = 40;
/// The procedures of simulated trials.
const SIMULATED: [&str; 3] = ["complete", "blocks, random sizes", "minimisation, p = .8"];
/// Draws of each simulated test, of which 5% is an attainable level.
const DRAWS: u64 = 79;
/// The correlation of siblings.
const ICC: f64 = 0.36;
/// When follow-up ends.
const END: f64 = 50.0;
/// The parts of the replicates that sizes and coverage get.
const SHARE: [u64; 2] = [10, 20];

/// What is compared.
#[derive(Clone, Copy, PartialEq)]
enum What {
    Coefficient,
    Margin,
    Logit,
    LogitMargin,
    Cox,
    LogRank,
    Ranks,
    StratifiedRanks,
    Difference,
    Ratio,
    RestrictedMean,
    TimeRatio,
}

impl What {
    const ALL: [Self; 12] = [
        Self::Coefficient,
        Self::Margin,
        Self::Logit,
        Self::LogitMargin,
        Self::Cox,
        Self::LogRank,
        Self::Ranks,
        Self::StratifiedRanks,
        Self::Difference,
        Self::Ratio,
        Self::RestrictedMean,
        Self::TimeRatio,
    ];
    /// Those whose interval holds a parameter of the outcomes drawn here.
    const INTERVALS: [Self; 7] =
        [Self::Coefficient, Self::Margin, Self::Logit, Self::Cox, Self::Ranks, Self::Ratio, Self::TimeRatio];

    fn name(self) -> &'static str {
        match self {
            Self::Coefficient => "coefficient, least squares",
            Self::Margin => "margin, least squares with products",
            Self::Logit => "score of a logit",
            Self::LogitMargin => "margin, logit with products",
            Self::Cox => "score of a Cox model",
            Self::LogRank => "log-rank",
            Self::Ranks => "rank sum",
            Self::StratifiedRanks => "rank sum in strata",
            Self::Difference => "difference in rates",
            Self::Ratio => "log rate ratio",
            Self::RestrictedMean => "restricted means",
            Self::TimeRatio => "ratio of times",
        }
    }

    /// The effect that the interval should cover.
    fn effect(self) -> f64 {
        match self {
            Self::Coefficient | Self::Margin | Self::Ranks => 1.0,
            Self::Logit => 0.8,
            Self::Ratio => 0.5,
            Self::Cox => -0.6,
            _ => 0.4,
        }
    }

    /// An outcome from a uniform number, a covariate, and what is added for the treated.
    fn outcome(self, u: f64, x: f64, effect: f64) -> f64 {
        match self {
            // A long tail.
            Self::Coefficient | Self::Margin | Self::Ranks | Self::StratifiedRanks => {
                x + normal_quantile(u).exp() + effect
            }
            Self::Logit | Self::LogitMargin => f64::from(u8::from(u < inverse_logit(0.5 * x - 0.5 + effect))),
            Self::Difference | Self::Ratio => f64::from(u8::from(u < 0.25 * effect.exp())),
            Self::Cox | Self::LogRank | Self::RestrictedMean => -u.ln() * (-0.3 * x - effect).exp() / 0.04,
            Self::TimeRatio => 20.0 * (-u.ln()).powf(2.0 / 3.0) * effect.exp(),
        }
    }

    fn is_of_times(self) -> bool {
        matches!(self, Self::Cox | Self::LogRank | Self::RestrictedMean | Self::TimeRatio)
    }
}

/// Columns of the models, by row, and what is compared in those with products.
struct Columns {
    constant: Array2<f64>,
    none: Array2<f64>,
    x: Array2<f64>,
    margin: [Contrast; 1],
    end: Vec<f64>,
}

impl Columns {
    fn new(trial: &Trial) -> Self {
        let n = trial.x[0].len();
        Self {
            constant: Array2::from_shape_fn((n, 2), |(row, j)| if j == 0 { 1.0 } else { trial.x[0][row] }),
            none: Array2::zeros((n, 0)),
            x: Array2::from_shape_fn((n, 1), |(row, _)| trial.x[0][row]),
            margin: [Contrast::new("treated", [1.0])],
            end: vec![END; n],
        }
    }

    fn statistic<'a>(&'a self, what: What, event: &'a [f64]) -> Statistic<'a> {
        let studentised = true;
        let products = |model: ArmModel<'a>| {
            model.products(Some(self.x.view())).compared(Compared::Margins(&self.margin))
        };
        let cox = |x: ArrayView2<'a, f64>| ArmModel::cox(event, x).strata(None, Ties::Efron);
        let logit = || ArmModel::binary(Family::LOGIT, self.constant.view());
        match what {
            What::Coefficient => Statistic::Model(ArmModel::linear(self.constant.view())),
            What::Margin => Statistic::Model(products(ArmModel::linear(self.constant.view()))),
            What::Logit => Statistic::Model(logit()),
            What::LogitMargin => Statistic::Model(products(logit())),
            What::Cox => Statistic::Model(cox(self.x.view())),
            What::LogRank => Statistic::Model(cox(self.none.view())),
            What::Ranks => Statistic::RankSum { stratified: false, studentised: false },
            What::StratifiedRanks => Statistic::RankSum { stratified: true, studentised: false },
            What::Difference => Statistic::Rates { ratio: false, studentised },
            What::Ratio => Statistic::Rates { ratio: true, studentised },
            What::RestrictedMean => Statistic::RestrictedMean { event, horizon: 20.0, studentised },
            What::TimeRatio => Statistic::TimeRatio { event, end: &self.end, studentised },
        }
    }
}

/// The outcomes of a trial, with their events where they are times.
fn outcomes(trial: &Trial, what: What, arm: &[u8], effect: f64, u: &[f64]) -> Result<(Outcomes, Vec<f64>)> {
    let rows = trial.units.rows();
    let of = |row: usize| {
        let added = if arm[rows[row] as usize] == 1 { effect } else { 0.0 };
        what.outcome(u[row], trial.x[0][row], added)
    };
    let mut values: Vec<f64> = (0..rows.len()).map(of).collect();
    let mut event = vec![1.0; rows.len()];
    if what.is_of_times() {
        for (time, event) in values.iter_mut().zip(&mut event) {
            *event = f64::from(u8::from(*time <= END));
            *time = time.min(END);
        }
    }
    Ok((Outcomes::new("outcome", &values, rows, trial.units.len())?, event))
}

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for (label, ratio) in RATIOS {
        for named in procedures(ratio, true) {
            let built = ratio[0] != ratio[1] && named.name == "matched sets, built pairs";
            if !built && !leaves_out(&named) {
                cells.push(listed(run, label, ratio, &named)?);
            }
        }
    }
    for named in procedures(RATIOS[1].1, false) {
        if SIMULATED.contains(&named.name) {
            cells.push(simulated(run, &named, "size", &What::ALL, SHARE[0])?);
        }
        if named.name == SIMULATED[0] {
            cells.push(simulated(run, &named, "coverage", &What::INTERVALS, SHARE[1])?);
        }
    }
    Ok(cells)
}

/// Whether the procedure gives some units no arm, which models refuse.
fn leaves_out(named: &Named) -> bool {
    named.name.ends_with("left out")
}

fn cell(what: &str, ratio: &str, procedure: &str) -> Cell {
    Cell::new([
        ("looked at", what.to_owned()),
        ("ratio", ratio.to_owned()),
        ("procedure", procedure.to_owned()),
    ])
}

/// All assignments listed: crewe's own size, and the attainable level from the list and the definition.
fn listed(run: &Run, label: &str, ratio: [u32; 2], named: &Named) -> Result<CellResult> {
    let cell = cell("listed", label, named.name);
    let trial = Trial::new(run, named.few(), ratio, named)?;
    let columns = Columns::new(&trial);
    // The same families' outcomes for every procedure.
    let people = Cell::new([("families", named.few().to_string())]);
    let stream = &mut run.stream(TOPIC.name, "outcomes", &people);
    let u = copula_uniforms(stream, trial.units.rows(), trial.units.len(), ICC);
    let most = 100_000;
    let support = trial.design.support(&trial.units, most)?.ok_or_else(|| {
        Fault::new(format!("the assignments of {} cannot be listed", named.name))
            .remedy("Take fewer families")
            .design()
    })?;
    let chances = trial.design.probabilities(&trial.units)?.arm;
    let test = RandomisationOptions::default().draws(most as u64).interval(false);
    let mut quantities = BTreeMap::new();
    let mut found = |name: &str, what: What, value: f64| {
        // Exact, and so the same in the shortest run.
        quantities.insert(format!("{name}, {}", what.name()), Quantity { value, se: 0.0, first: value });
    };
    for what in What::ALL {
        let (y, event) = outcomes(&trial, what, &vec![0; trial.units.len()], 0.0, &u)?;
        let statistic = columns.statistic(what, &event);
        // Each assignment in its turn is the trial; one under which the statistic is not defined has no test.
        let tested: Vec<Option<RandomisationTest>> = (0..support.probability.len())
            .into_par_iter()
            .map(|i| {
                let names = vec!["control".into(), "treated".into()];
                let arm = support.arm.row(i).to_vec();
                let made = Assignment::from_parts(&trial.units, names, arm, chances.clone()).ok()?;
                randomisation_test(&trial.design, &made, &y, statistic, &test, &NoMonitor).ok()
            })
            .collect();
        let list = tested.iter().flatten().next().map(Listed::of);
        let (mut rejected, mut level) = (0.0, 0.0);
        for (test, probability) in tested.iter().zip(&support.probability) {
            let (Some(test), Some(list)) = (test, &list) else { continue };
            level += if list.rejects(test.comparisons[0].statistic) { *probability } else { 0.0 };
            // Rounding in sums of probabilities must not turn an attained level into one just above it.
            rejected += if test.comparisons[0].p_value <= ALPHA * (1.0 + 1e-9) { *probability } else { 0.0 };
        }
        found("size", what, rejected);
        found("attainable", what, level);
        assert!(list.is_some(), "{} has no test under {}", what.name(), named.name);
    }
    run.tell(TOPIC.name, &cell, 1);
    Ok(CellResult { cell, sims: 1, procedures: Vec::new(), quantities })
}

/// The statistic of every assignment, with its weight.
struct Listed {
    values: Vec<(f64, f64)>,
    sd: f64,
    all: f64,
}

impl Listed {
    fn of(test: &RandomisationTest) -> Self {
        let first = &test.comparisons[0];
        let weight = |i: usize| test.weight.as_ref().map_or(1.0, |weight| weight[i]);
        let values = first.distribution.iter().enumerate().map(|(i, value)| (*value, weight(i))).collect();
        Self { values, sd: first.null_sd, all: (0..first.distribution.len()).map(weight).sum() }
    }

    /// Whether twice the smaller tail of a value is at most 5%.
    fn rejects(&self, here: f64) -> bool {
        let scale = here.abs().max(self.sd);
        let near = if scale.is_finite() { 1e-9 * scale } else { 0.0 };
        let tail = |sign: f64| -> f64 {
            let beyond =
                self.values.iter().filter(|(value, _)| sign * (value - here) >= -near || *value == here);
            beyond.map(|(_, weight)| weight).sum::<f64>() / self.all
        };
        2.0 * tail(1.0).min(tail(-1.0)) <= ALPHA * (1.0 + 1e-9)
    }
}

/// Trials with outcomes of their own, each with a test.
fn simulated(run: &Run, named: &Named, looked: &str, what: &[What], share: u64) -> Result<CellResult> {
    let cell = cell(looked, RATIOS[1].0, named.name);
    let trial = Trial::new(run, FAMILIES, RATIOS[1].1, named)?;
    let columns = Columns::new(&trial);
    let sims = run.replicates(share);
    let seed = Seed::Integer(run.stream(TOPIC.name, "arms", &cell).next_u64());
    let drawn = trial.design.draws(&trial.units, sims as usize, Some(&seed), &NoMonitor)?;
    let chances = trial.design.probabilities(&trial.units)?.arm;
    let covers = looked == "coverage";
    let names: Vec<&str> = what.iter().map(|what| what.name()).collect();
    Ok(run.simulate(TOPIC.name, &cell, &names, share, |stream: &mut Stream, i| {
        let u = copula_uniforms(stream, trial.units.rows(), trial.units.len(), ICC);
        let arm = drawn.row(i as usize).to_vec();
        what.iter()
            .map(|&what| {
                let effect = if covers { what.effect() } else { 0.0 };
                let options =
                    RandomisationOptions::default().draws(DRAWS).seed(stream.next_u64()).interval(covers);
                Verdict::of(outcomes(&trial, what, &arm, effect, &u).and_then(|(y, event)| {
                    let arms = vec!["control".into(), "treated".into()];
                    let made = Assignment::from_parts(&trial.units, arms, arm.clone(), chances.clone())?;
                    let statistic = columns.statistic(what, &event);
                    let test = randomisation_test(&trial.design, &made, &y, statistic, &options, &NoMonitor)?;
                    let first = &test.comparisons[0];
                    Ok(match first.interval {
                        Some(ends) => {
                            Verdict::interval(first.p_value, [ends.low, ends.high], effect, f64::NAN, effect)
                        }
                        None => Verdict::test(first.p_value),
                    })
                }))
            })
            .collect()
    }))
}

/// The sizes of trials whose assignments were listed.
fn exact(cells: &[&CellResult]) -> (String, f64, f64) {
    let mut text = String::from("| ratio | procedure |");
    for what in What::ALL {
        let _ = write!(text, " {} |", what.name());
    }
    text.push_str("\n|---|---|");
    text.push_str(&"---:|".repeat(What::ALL.len()));
    text.push('\n');
    let (mut apart, mut largest) = (0.0_f64, 0.0_f64);
    for cell in cells {
        let _ = write!(text, "| {} | {} |", cell.cell.get("ratio"), cell.cell.get("procedure"));
        for what in What::ALL {
            let of = |name: &str| cell.quantity(&format!("{name}, {}", what.name())).value;
            let (size, level) = (of("size"), of("attainable"));
            apart = apart.max((size - level).abs());
            largest = largest.max(size);
            let _ = write!(text, " {:.3} |", 100.0 * size);
        }
        text.push('\n');
    }
    (text, apart, largest)
}

fn page(results: &Results) -> Page {
    let of = |looked: &str| results.select(&[("looked at", looked)]);
    let (listed, sizes, covers) = (of("listed"), of("size"), of("coverage"));
    let (exact, apart, largest) = exact(&listed);
    let names: Vec<&str> = What::ALL.iter().map(|what| what.name()).collect();
    let intervals: Vec<&str> = What::INTERVALS.iter().map(|what| what.name()).collect();
    let over = |cells: &[&CellResult], names: &[&str], measure: Measure| {
        names.iter().fold(String::new(), |mut text, name| {
            let _ = writeln!(text, "* {name}: {}", span(cells, name, measure));
            text
        })
    };
    let trials = |cells: &[&CellResult]| cells.first().map_or(0, |cell| cell.sims);
    let markdown = format!(
        "\
Families of one to nine children, {FAMILIES} of them or few enough to list all assignments, at 1:1 and 2:1. Siblings'
outcomes are correlated (.36, Gaussian copula) and depend on a covariate that the models hold; follow-up of times ends at {END}. Every
statistic but rank sums is studentised.

## All assignments listed

Size is crewe's own: the probability of those assignments which its test rejects when each is the trial. It is compared with
the attainable level, found from the list of the statistic's values by the definition: the probability of the assignments
with twice the smaller tail at most 5%. It is below 5% where no assignment lies in between; an assignment that leaves an arm
fewer than two families, or the statistic undefined, has no test and counts as one that does not reject. All in percent.

* Size and attainable level {apart}. The largest size is {largest:.3}%.

{exact}
## Simulated trials: rejections without an effect

{size_trials} trials of {FAMILIES} families at 2:1 a procedure, each with outcomes of its own and a test of {DRAWS} draws, of
which 5% is an attainable level.

{size_spans}
{size_table}
## Coverage of the 95% intervals

{cover_trials} trials of {FAMILIES} families at 2:1, complete randomisation in strata, with an effect: additive 1 (coefficient,
margin, rank sum), a log odds ratio of .8, a log rate ratio of .5, a log hazard ratio of -.6, a log ratio of times of .4.

{cover_spans}
{cover_table}",
        apart = if apart <= 1e-8 {
            "agree to 1e-8 everywhere".to_owned()
        } else {
            format!("**differ by up to {:.4} points**", 100.0 * apart)
        },
        largest = 100.0 * largest,
        size_trials = trials(&sizes),
        cover_trials = trials(&covers),
        size_spans = over(&sizes, &names, Measure::Rejections),
        cover_spans = over(&covers, &intervals, Measure::Coverage),
        size_table = table(&sizes, &["procedure"], &names, Measure::Rejections),
        cover_table = table(&covers, &["procedure"], &intervals, Measure::Coverage),
    );
    let all = |cells: &[&CellResult], names: &[&str], measure: Measure| {
        let rates: Vec<f64> = cells
            .iter()
            .flat_map(|cell| names.iter().filter_map(|name| measure.of(cell.procedure(name)?)))
            .map(|rate| rate.value)
            .collect();
        let low = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let high = rates.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{} to {}", percent(low), percent(high))
    };
    let summary = vec![Summary {
        procedure: "`randomisation_test` of models, rates, times and ranks",
        holds: format!(
            "8 to 12 families, every procedure: size equal to the attainable level, at most {}; 40 families: {}, coverage {}",
            percent(largest),
            all(&sizes, &names, Measure::Rejections),
            all(&covers, &intervals, Measure::Coverage)
        ),
        fails: "intervals of ratios stand on the model: the test of an effect that is not 0 is not exact"
            .into(),
    }];
    Page { markdown, figures: Vec::new(), summary }
}

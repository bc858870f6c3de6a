//! Size of the randomisation test, and coverage of its interval, under every procedure of randomisation.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use crewe::design::{
    BiasedCoin, BigStick, Blocks, Column, Complete, Constrained, Design, Fraction, Imbalance, MatchedSets,
    Method, Minimisation, Misfits, Rerandomised, Simple, Support, Units,
};
use crewe::progress::NoMonitor;
use crewe::resampling::{Outcomes, RandomisationOptions, Size, SizeOptions, Statistic, size};
use crewe::rng::{Seed, Stream};
use crewe::{Fault, Result};

use crate::families::Sizes;
use crate::grid::{ALPHA, Cell, CellResult, FIRST, ProcedureResult, Rate, Results, Run, Tally, Topic};
use crate::page::{Measure, Page, Summary, percent, span};

pub const TOPIC: Topic =
    Topic { name: "randomisation", title: "The randomisation test, by procedure", run, page };

const MEANS: Statistic<'_> = Statistic::DifferenceInMeans { studentised: false };
const STUDENTISED: Statistic<'_> = Statistic::DifferenceInMeans { studentised: true };
/// What is looked at in simulated trials; the last one only in the smaller ones.
const PROCEDURES: [&str; 3] = ["size, means", "coverage", "size, studentised"];
const RATIOS: [(&str, [u32; 2]); 2] = [("1:1", [1, 1]), ("2:1", [1, 2])];
/// The numbers of families of simulated trials.
const FAMILIES: [usize; 2] = [40, 132];
/// Draws of each simulated test: 80 equal steps of each tail, two of which make 2.5%, so that 5% can be attained.
const DRAWS: u64 = 79;
/// The part of the replicates that a cell gets, by families.
const SHARE: [u64; 2] = [5, 8];
/// The effect that the interval should cover.
const EFFECT: f64 = 1.5;

/// A procedure, and whether it has strata.
pub(super) struct Named {
    pub name: &'static str,
    pub method: Method,
    strata: bool,
}

impl Named {
    /// So few families that all assignments can be listed.
    pub fn few(&self) -> usize {
        match self.method {
            // Sets give few assignments, so there are more of them.
            Method::MatchedSets(_) => 12,
            // Its list takes a walk through all fake arms.
            Method::Minimisation(_) => 8,
            _ => 9,
        }
    }
}

/// Every procedure that the ratio allows; `small` where all assignments are to be listed.
pub(super) fn procedures(ratio: [u32; 2], small: bool) -> Vec<Named> {
    let total = ratio[0] + ratio[1];
    let on = || vec!["x1".to_owned(), "x2".to_owned(), "x3".to_owned()];
    let complete = |misfits: Misfits| Method::from(Complete::default().misfits(misfits));
    let (keep, draws) = if small { (2, 20_000) } else { (4, 2_000) };
    let constrained = Constrained::new(on().into_iter().map(|name| (name, 1)), Fraction::new(1, keep), draws);
    let list: Vec<(&'static str, Method, bool)> = vec![
        ("simple", Simple {}.into(), false),
        ("complete", complete(Misfits::Strata), true),
        ("complete, misfits left out", complete(Misfits::LeaveOut), true),
        ("complete, misfits global", complete(Misfits::Global), true),
        ("complete, misfits weighted in strata", complete(Misfits::WeightedStrata), true),
        ("complete, misfits weighted globally", complete(Misfits::WeightedGlobal), true),
        ("blocks, one size", Blocks::new([total]).into(), true),
        ("blocks, random sizes", Blocks::new([total, 2 * total]).into(), true),
        ("matched sets, given", MatchedSets::given("set").into(), false),
        ("matched sets, built pairs", MatchedSets::built(on()).into(), false),
        ("big stick, limit 2", BigStick::new(2).into(), true),
        ("biased coin, p = 2/3", BiasedCoin::new(Fraction::new(2, 3)).into(), true),
        (
            "minimisation, p = .8",
            Minimisation::new([("site", 1), ("history", 1)], Imbalance::Range, Fraction::new(4, 5)).into(),
            false,
        ),
        ("constrained", constrained.into(), false),
        ("rerandomised", Rerandomised::new(on(), Fraction::new(1, if small { 2 } else { 10 })).into(), false),
    ];
    list.into_iter().map(|(name, method, strata)| Named { name, method, strata }).collect()
}

/// A trial before anybody is treated.
pub(super) struct Trial {
    pub design: Design,
    pub units: Units,
    outcomes: Outcomes,
    /// Three covariates, each by row.
    pub x: Vec<Vec<f64>>,
}

impl Trial {
    pub fn new(run: &Run, families: usize, ratio: [u32; 2], named: &Named) -> Result<Self> {
        // The same families for every procedure.
        let people = Cell::new([("families", families.to_string())]);
        let stream = &mut run.stream(TOPIC.name, "families", &people);
        let total = (ratio[0] + ratio[1]) as usize;
        let (mut of_row, mut y, mut x) = (Vec::new(), Vec::new(), vec![Vec::new(); 3]);
        for family in 0..families {
            let covariates = [stream.normal(), stream.normal(), f64::from(stream.unit() < 0.4)];
            // Families differ, the more so in a long tail, with their covariates and with the time of their arrival.
            let shared = covariates[0] + 0.3 * stream.normal().exp() + 2.0 * family as f64 / families as f64;
            for _ in 0..Sizes::Crewe.draw(stream) {
                of_row.push(family);
                y.push(shared + 0.8 * stream.normal());
                x.iter_mut().zip(covariates).for_each(|(column, value)| column.push(value));
            }
        }
        let mut design = Design::new("Evidence")
            .arm("control", ratio[0])
            .arm("treated", ratio[1])
            .cluster("family")
            .method(named.method.clone())
            .seed(2017);
        let column = |name: &str, of: &dyn Fn(usize) -> String| {
            Column::from_values(name, of_row.iter().map(|&family| of(family)))
        };
        let ids = column("family", &|family| format!("{family:05}"));
        let mut strata = Vec::new();
        if named.strata {
            design = design.strata(["area"]);
            // Strata that divide by neither ratio, where they are few.
            strata.push(if families < 20 {
                column("area", &|family| (family * 2 / (families + 1)).to_string())
            } else {
                column("area", &|family| (family % 10 / 4).to_string())
            });
        }
        let order: Vec<i64> = of_row.iter().map(|&family| family as i64).collect();
        let sets = families / total;
        let mut units = Units::from_rows(design.unit()?, &ids, &strata)?
            .arriving("day", &order)?
            .factor(&column("site", &|family| (family * 7 % 4).to_string()))?
            .factor(&column("history", &|family| (family * 5 % 3 / 2).to_string()))?
            // What is left over joins the last set.
            .factor(&column("set", &|family| format!("{:05}", (family / total).min(sets - 1))))?;
        for (name, values) in ["x1", "x2", "x3"].iter().zip(&x) {
            units = units.covariate(name, values)?;
        }
        let outcomes = Outcomes::new("score", &y, units.rows(), units.len())?;
        Ok(Self { design, units, outcomes, x })
    }

    fn size(
        &self,
        statistic: Statistic<'_>,
        effect: f64,
        draws: u64,
        trials: u64,
        seed: u64,
    ) -> Result<Size> {
        let test = RandomisationOptions::default().draws(draws).interval(effect != 0.0);
        let options = SizeOptions::default().trials(trials).seed(seed).alpha(ALPHA).effect(effect).test(test);
        size(&self.design, &self.units, &self.outcomes, statistic, &options, &NoMonitor)
    }
}

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for (label, ratio) in RATIOS {
        for named in procedures(ratio, true) {
            if ratio[0] == ratio[1] || named.name != "matched sets, built pairs" {
                cells.push(listed(run, label, ratio, &named)?);
            }
        }
    }
    for (families, share) in FAMILIES.into_iter().zip(SHARE) {
        for (label, ratio) in RATIOS {
            for named in procedures(ratio, false) {
                if ratio[0] == ratio[1] || named.name != "matched sets, built pairs" {
                    cells.push(simulated(run, families, share, label, ratio, &named)?);
                }
            }
        }
    }
    Ok(cells)
}

fn cell(families: usize, ratio: &str, procedure: &str) -> Cell {
    Cell::new([
        ("families", families.to_string()),
        ("ratio", ratio.to_owned()),
        ("procedure", procedure.to_owned()),
    ])
}

/// A trial so small that all assignments are listed: the size is exact, and is compared with the attainable level
/// found here and with the share of drawn trials that reject.
fn listed(run: &Run, label: &str, ratio: [u32; 2], named: &Named) -> Result<CellResult> {
    let families = named.few();
    let cell = cell(families, label, named.name);
    let trial = Trial::new(run, families, ratio, named)?;
    let most = 100_000;
    let found = trial.size(MEANS, 0.0, most, 1, 1)?;
    let covered = trial.size(MEANS, EFFECT, most, 1, 1)?;
    let support = trial.design.support(&trial.units, most as usize)?;
    let support = support.filter(|_| found.exact && covered.exact).ok_or_else(|| {
        Fault::new(format!("the assignments of {} cannot be listed", named.name))
            .remedy("Take fewer families")
            .design()
    })?;
    let own = Attainable::new(&trial, &support)?;
    let seed = Seed::Integer(run.stream(TOPIC.name, "drawn", &cell).next_u64());
    run.measure(TOPIC.name, &cell, 1, |sims| {
        let drawn = trial.design.draws(&trial.units, sims as usize, Some(&seed), &NoMonitor)?;
        let (mut rejected, mut answered) = (0, 0);
        for arms in drawn.rows() {
            // An assignment that is not listed would be an error of the list: it counts as a rejection.
            let verdict = own.rejects.get(&arms.to_vec()).copied().unwrap_or(Some(true));
            answered += u64::from(verdict.is_some());
            rejected += u64::from(verdict == Some(true));
        }
        let drawn = Rate::new(rejected, answered);
        // The standard error of the exact share, since a short run may reject nowhere.
        let se = (own.level * (1.0 - own.level) / answered as f64).sqrt();
        Ok([
            ("assignments", support.probability.len() as f64, 0.0),
            ("size", found.rejected, 0.0),
            ("attainable", own.level, 0.0),
            ("covered", covered.covered, 0.0),
            ("drawn", drawn.value, se),
        ]
        .map(|(name, value, se)| (name.to_owned(), value, se))
        .to_vec())
    })
}

/// The test over a list of assignments, from its definition.
struct Attainable {
    /// The probability of those that reject.
    level: f64,
    /// Whether each assignment rejects; nothing where an arm is empty.
    rejects: HashMap<Vec<u8>, Option<bool>>,
}

impl Attainable {
    fn new(trial: &Trial, support: &Support) -> Result<Self> {
        let chances = trial.design.probabilities(&trial.units)?.arm;
        let differ = chances.columns().into_iter().any(|column| {
            let least = column.iter().copied().fold(f64::INFINITY, f64::min);
            column.iter().any(|&chance| chance > least + 1e-9)
        });
        let value = |arms: &[u8]| {
            let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
            for (&y, &unit) in trial.outcomes.values().iter().zip(trial.outcomes.unit()) {
                let arm = usize::from(arms[unit as usize]);
                if arm < 2 {
                    let weight = if differ { 1.0 / chances[[unit as usize, arm]] } else { 1.0 };
                    sums[arm] += weight * y;
                    counts[arm] += weight;
                }
            }
            sums[1] / counts[1] - sums[0] / counts[0]
        };
        let arms: Vec<Vec<u8>> = support.arm.rows().into_iter().map(|row| row.to_vec()).collect();
        let values: Vec<f64> = arms.iter().map(|arms| value(arms)).collect();
        let defined = || values.iter().zip(&support.probability).filter(|(value, _)| value.is_finite());
        let all: f64 = defined().map(|(_, probability)| probability).sum();
        let mut own = Self { level: 0.0, rejects: HashMap::new() };
        for ((arms, &here), probability) in arms.iter().zip(&values).zip(&support.probability) {
            let mut verdict = None;
            if here.is_finite() {
                let tail = |sign: f64| -> f64 {
                    let beyond = defined().filter(|(value, _)| sign * (*value - here) >= -1e-9);
                    beyond.map(|(_, probability)| probability).sum::<f64>() / all
                };
                let reject = 2.0 * tail(1.0).min(tail(-1.0)) <= ALPHA * (1.0 + 1e-9);
                own.level += if reject { probability / all } else { 0.0 };
                verdict = Some(reject);
            }
            own.rejects.insert(arms.clone(), verdict);
        }
        Ok(own)
    }
}

/// Trials drawn anew, each with a test of its own.
fn simulated(
    run: &Run,
    families: usize,
    share: u64,
    label: &str,
    ratio: [u32; 2],
    named: &Named,
) -> Result<CellResult> {
    let cell = cell(families, label, named.name);
    let trial = Trial::new(run, families, ratio, named)?;
    let sims = run.replicates(share);
    let looks = [(MEANS, 0.0), (MEANS, EFFECT), (STUDENTISED, 0.0)];
    let some = if families == FAMILIES[0] { 3 } else { 2 };
    let mut procedures = Vec::new();
    for (name, (statistic, effect)) in PROCEDURES.into_iter().zip(looks).take(some) {
        // Seeds of their own, or coverage would be the complement of size to the last trial.
        let seed = Stream::next_u64(&mut run.stream(TOPIC.name, name, &cell));
        let counts = |trials: u64| -> Result<Tally> {
            let found = trial.size(statistic, effect, DRAWS, trials, seed)?;
            let answered = found.trials as u64;
            let count = |share: f64| (share * answered as f64).round() as u64;
            Ok(Tally {
                answered,
                rejected: count(found.rejected),
                covered: (effect != 0.0).then(|| count(found.covered)),
                ..Tally::default()
            })
        };
        let all = counts(sims)?;
        let first = if sims == FIRST { all.clone() } else { counts(sims.min(FIRST))? };
        let first = [first.answered, first.rejected, first.covered.unwrap_or(0)];
        procedures.push(ProcedureResult { name: name.to_owned(), all, first });
    }
    run.tell(TOPIC.name, &cell, sims);
    Ok(CellResult { cell, sims, procedures, quantities: BTreeMap::new() })
}

/// The rates of the simulated trials.
fn tables(results: &Results) -> String {
    let mut text = String::new();
    for families in FAMILIES.map(|families| families.to_string()) {
        let _ = write!(
            text,
            "### {families} families\n\nIn percent.\n\n\
             | ratio | procedure | size, means | size, studentised | coverage |\n|---|---|---:|---:|---:|\n"
        );
        for cell in results.select(&[("families", &families)]) {
            let of = |name: &str, measure: Measure| {
                let rate = cell.procedure(name).and_then(|tally| measure.of(tally));
                rate.map_or_else(
                    || "–".to_owned(),
                    |rate| format!("{:.2} ± {:.2}", 100.0 * rate.value, 100.0 * rate.se),
                )
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                cell.cell.get("ratio"),
                cell.cell.get("procedure"),
                of(PROCEDURES[0], Measure::Rejections),
                of(PROCEDURES[2], Measure::Rejections),
                of(PROCEDURES[1], Measure::Coverage),
            );
        }
        text.push_str("\n\n");
    }
    text
}

fn page(results: &Results) -> Page {
    let (listed, simulated): (Vec<&CellResult>, Vec<&CellResult>) =
        results.cells.iter().partition(|cell| cell.procedures.is_empty());
    let mut exact = String::from(
        "| families | ratio | procedure | assignments | size | attainable level | in drawn trials | coverage |\n\
         |---|---|---|---:|---:|---:|---:|---:|\n",
    );
    let (mut apart, mut largest) = (0.0_f64, 0.0_f64);
    for cell in &listed {
        let of = |name: &str| cell.quantity(name);
        apart = apart.max((of("size").value - of("attainable").value).abs());
        largest = largest.max(of("size").value);
        let _ = writeln!(
            exact,
            "| {} | {} | {} | {} | {:.3} | {:.3} | {:.2} ± {:.2} | {:.3} |",
            cell.cell.get("families"),
            cell.cell.get("ratio"),
            cell.cell.get("procedure"),
            of("assignments").value,
            100.0 * of("size").value,
            100.0 * of("attainable").value,
            100.0 * of("drawn").value,
            100.0 * of("drawn").se,
            100.0 * of("covered").value,
        );
    }
    // In standard errors of a true 5%.
    let z = |cell: &CellResult, name: &str| {
        let tally = cell.procedure(name)?;
        let se = (ALPHA * (1.0 - ALPHA) / tally.answered as f64).sqrt();
        let rate =
            if name == PROCEDURES[1] { 1.0 - tally.coverage()?.value } else { tally.rejections().value };
        Some((rate - ALPHA) / se)
    };
    let highest =
        |name: &str| simulated.iter().filter_map(|cell| z(cell, name)).fold(f64::NEG_INFINITY, f64::max);
    let above: Vec<String> = simulated
        .iter()
        .flat_map(|cell| PROCEDURES.map(|name| (*cell, name)))
        .filter(|(cell, name)| z(cell, name).is_some_and(|z| z > 4.0))
        .map(|(cell, name)| {
            let place = ["procedure", "ratio", "families"].map(|factor| cell.cell.get(factor)).join(", ");
            format!("{place} ({name})")
        })
        .collect();
    let verdict = if above.is_empty() {
        "None is more than four standard errors above 5%.".to_owned()
    } else {
        format!("**More than four standard errors above 5%: {}.**", above.join("; "))
    };
    let sizes = span(&simulated, PROCEDURES[0], Measure::Rejections);
    let coverage = span(&simulated, PROCEDURES[1], Measure::Coverage);
    let trials =
        |families: &str| results.select(&[("families", families)]).first().map_or(0, |cell| cell.sims);
    let tables = tables(results);
    let markdown = format!(
        "\
Families of one to nine children. Their outcomes grow with the time of arrival and with a covariate, and have a long tail;
they are fixed, and only the arms are drawn, by the procedure itself. The difference in means over children is tested
two-sided at 5%; its 95% interval should hold an added effect of {EFFECT}. Strata, where a procedure has them, divide by
neither ratio. Built pairs are for 1:1 only.

## All assignments listed

With 9 families (12 in sets, 8 with minimisation) every assignment that the procedure can give is listed with its probability. *Size* is
crewe's own: the probability of those assignments which its test rejects. *Attainable level* is computed apart, from the
definition: the probability of the assignments with twice the smaller tail at most 5%. It is below 5% since there is
no assignment in between. *In drawn trials*: the share of {drawn} trials drawn by the procedure that the test rejects,
with the standard error at the attainable level. All in percent.

* Size and attainable level {apart}. The largest size is {largest:.3}%.

{exact}
## Simulated trials

{t40} trials of 40 families and {t132} of 132 in each cell, each with a test of {DRAWS} draws (of which 5% is an attainable
level). Size is that of the difference in means, and of the same over its standard error (40 families only). Coverage is
of trials drawn anew.

* The size of the difference in means is {sizes}, studentised {studentised}; coverage is {coverage}.
* In standard errors of a true 5% the highest size is {z_means:.1} above it (means) and {z_studentised:.1} (studentised), the
  highest non-coverage {z_covered:.1}. {verdict}

{tables}",
        drawn = listed.first().map_or(0, |cell| cell.sims),
        apart = if apart <= 1e-8 {
            "agree to 1e-8 in every row".to_owned()
        } else {
            format!("**differ by up to {:.4} points**", 100.0 * apart)
        },
        largest = 100.0 * largest,
        t40 = trials("40"),
        t132 = trials("132"),
        studentised = span(&simulated, PROCEDURES[2], Measure::Rejections),
        z_means = highest(PROCEDURES[0]),
        z_studentised = highest(PROCEDURES[2]),
        z_covered = highest(PROCEDURES[1]),
    );
    let summary = vec![Summary {
        procedure: "`randomisation_test` under every procedure of `Design`",
        holds: format!(
            "8 to 12 families: size equal to the attainable level, at most {}; 40 and 132 families: {sizes}, coverage {coverage}",
            percent(largest)
        ),
        fails: "few assignments cannot reach 5%: the test then rejects less often, or never".into(),
    }];
    Page { markdown, figures: Vec::new(), summary }
}

//! Intervals of the intracluster correlation of a binary outcome in families of one to nine.

use crewe::Result;
use crewe::icc::{Method, Options, Scale, convert, icc};
use crewe::inference::Clusters;
use crewe::rng::Stream;

use crate::families::{Sizes, inverse_logit};
use crate::grid::{Cell, CellResult, Results, Run, Topic, Verdict};
use crate::page::{Measure, Page, Summary, span, table};

pub const TOPIC: Topic = Topic { name: "icc", title: "Intracluster correlation", run, page };

const PROCEDURES: [&str; 3] = ["anova", "fleiss_cuzick", "anova, latent scale"];
const RATES: [f64; 5] = [0.05, 0.1, 0.2, 0.35, 0.5];
const FAMILIES: [usize; 3] = [40, 130, 300];
const ICC: [f64; 4] = [0.0, 0.1, 0.36, 0.6];
const KINDS: [&str; 4] = ["beta-binomial", "logistic", "shared", "all or none"];
const FACTORS: [&str; 4] = ["rate", "families", "icc", "siblings"];

/// What makes siblings alike, at the same observed ICC.
#[derive(Clone, Copy)]
enum Kind {
    /// The probability of a family has a beta distribution.
    Beta,
    /// Its logit has a normal one.
    Logistic { mean: f64, deviation: f64 },
    /// With probability sqrt(icc) a child has the outcome of the family.
    Shared,
    /// With probability icc all siblings have one outcome; else they are independent.
    AllOrNone,
}

impl Kind {
    fn new(name: &str, rate: f64, icc: f64) -> Result<Self> {
        Ok(match name {
            "beta-binomial" => Self::Beta,
            "shared" => Self::Shared,
            "all or none" => Self::AllOrNone,
            _ => {
                let latent = convert(icc, rate, Scale::Latent)?;
                let deviation = (latent / (1.0 - latent)).sqrt() * std::f64::consts::PI / 3.0_f64.sqrt();
                let mean = |a: f64| {
                    let points = (-1600..=1600).map(|i| f64::from(i) * 0.005);
                    let mass = |z: f64| 0.005 * (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
                    points.map(|z| mass(z) * inverse_logit(a + deviation * z)).sum::<f64>()
                };
                let (mut low, mut high) = (-100.0, 100.0);
                for _ in 0..70 {
                    let middle = 0.5 * (low + high);
                    if mean(middle) > rate { high = middle } else { low = middle }
                }
                Self::Logistic { mean: low, deviation }
            }
        })
    }

    /// The outcomes of one family.
    fn draw(self, stream: &mut Stream, size: usize, rate: f64, icc: f64, into: &mut Vec<f64>) {
        let of_family = stream.unit();
        let probability = match self {
            Self::Logistic { mean, deviation } => inverse_logit(mean + deviation * stream.normal()),
            _ => rate,
        };
        let together = matches!(self, Self::AllOrNone) && stream.unit() < icc;
        let mut events = 0.0;
        for before in 0..size {
            let (own, share) = (stream.unit(), stream.unit());
            let event = match self {
                // Polya's urn.
                Self::Beta => own * (1.0 - icc + icc * before as f64) < rate * (1.0 - icc) + icc * events,
                Self::Logistic { .. } => own < probability,
                Self::Shared => (if share < icc.sqrt() { of_family } else { own }) < rate,
                Self::AllOrNone => (if together { of_family } else { own }) < rate,
            };
            events += f64::from(event);
            into.push(f64::from(event));
        }
    }
}

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for rate in RATES {
        for families in FAMILIES {
            for truth in ICC {
                for name in KINDS {
                    if truth == 0.0 && name != KINDS[0] {
                        continue;
                    }
                    let siblings = if truth == 0.0 { "independent" } else { name };
                    let cell = Cell::new([
                        ("rate", rate.to_string()),
                        ("families", families.to_string()),
                        ("icc", truth.to_string()),
                        ("siblings", siblings.to_owned()),
                    ]);
                    let kind = Kind::new(name, rate, truth)?;
                    let latent = convert(truth, rate, Scale::Latent)?;
                    cells.push(run.simulate(TOPIC.name, &cell, &PROCEDURES, 4, |stream, _| {
                        replicate(stream, families, kind, rate, truth, latent)
                    }));
                }
            }
        }
    }
    Ok(cells)
}

fn replicate(
    stream: &mut Stream,
    families: usize,
    kind: Kind,
    rate: f64,
    truth: f64,
    latent: f64,
) -> Vec<Verdict> {
    let (mut family, mut outcome) = (Vec::new(), Vec::new());
    for g in 0..families {
        let size = Sizes::Crewe.draw(stream);
        kind.draw(stream, size, rate, truth, &mut outcome);
        family.resize(outcome.len(), g as u32);
    }
    let of = |method: Method, scale: Scale| {
        let clusters = Clusters::new(&family)?;
        let found = icc(&outcome, &clusters, Options::default().method(method))?;
        let Some(ends) = found.interval else { return Ok(Verdict::Refused("no interval")) };
        // What contains 0 does not reject it.
        let p_value = f64::from(u8::from(ends.low <= 0.0));
        let (low, high, estimate, truth) = match scale {
            Scale::Observed => (ends.low, ends.high, found.estimate, truth),
            Scale::Latent => {
                let to = |icc: f64| convert(icc, found.rate.unwrap_or(0.5), Scale::Latent);
                (to(ends.low)?, to(ends.high)?, to(found.estimate)?, latent)
            }
        };
        Ok(Verdict::interval(p_value, [low, high], estimate, f64::NAN, truth))
    };
    // The conversion is slow, and asked where the model is the logistic one.
    let on_latent = match kind {
        Kind::Logistic { .. } => Verdict::of(of(Method::Anova, Scale::Latent)),
        _ => Verdict::Refused("not asked"),
    };
    vec![
        Verdict::of(of(Method::Anova, Scale::Observed)),
        Verdict::of(of(Method::FleissCuzick, Scale::Observed)),
        on_latent,
    ]
}

/// Whether the result itself says nothing against the interval.
fn trusted(cell: &crate::CellResult) -> bool {
    let rate: f64 = cell.cell.get("rate").parse().unwrap_or(0.0);
    let families: f64 = cell.cell.get("families").parse().unwrap_or(0.0);
    rate >= 0.2 || families >= 130.0
}

fn page(results: &Results) -> Page {
    let of = |inside: bool, null: bool, sharp: bool| -> Vec<&CellResult> {
        let cells = results.cells.iter().filter(|cell| {
            trusted(cell) == inside
                && (cell.cell.get("icc") == "0") == null
                && (cell.cell.get("siblings") == "all or none") == sharp
        });
        cells.collect()
    };
    let covered = |cells: &[&CellResult], name: &str| span(cells, name, Measure::Coverage);
    let (inside, null, sharp, outside) =
        (of(true, false, false), of(true, true, false), of(true, false, true), of(false, false, false));
    let rare_null = of(false, true, false);
    let logistic: Vec<&CellResult> =
        inside.iter().copied().filter(|cell| cell.cell.get("siblings") == "logistic").collect();
    let all: Vec<&CellResult> = results.cells.iter().collect();
    let markdown = format!(
        "\
Families of one to nine children with mean 2.47 and a binary outcome of known rate and ICC (the correlation of two siblings'
outcomes), made in four ways: a family's probability has a beta distribution (*beta-binomial*) or a normal logit
(*logistic*), a child has the family's outcome with probability $\\sqrt{{\\text{{ICC}}}}$ (*shared*), or a share ICC of the
families are of one mind and the others independent (*all or none*, the hardest case: its fourth moments are the largest).
{sims} trials in each cell. The interval of `cw.icc` is within 0 to 1, so that at an ICC of 0 only its lower limit can
miss: 97.5% is nominal there.

## What holds

* Rates from .2 with 40 families and more, and from .05 with 130 and more: `anova` covers {inside_anova} for ICC from .1 to
  .6, and {null_anova} at 0; `fleiss_cuzick` covers {inside_fc} and {null_fc}.
* With families that are all or none the same cells give {sharp_anova} (`anova`).
* The ends of the interval brought to the latent scale cover the latent ICC of the logistic families: {latent}.

## What fails

* Rates of .05 and .1 with 40 families: {outside_anova}, and {rare_null} at 0; some trials have no interval, since no
  family has both outcomes. `cw.icc` then says that its interval is not to be trusted, as it does
  for larger families, other levels than 95% and outcomes that are not binary, which are not on this grid.

## Coverage of 95% intervals

{table}
",
        sims = results.cells.first().map_or(0, |cell| cell.sims),
        inside_anova = covered(&inside, PROCEDURES[0]),
        null_anova = covered(&null, PROCEDURES[0]),
        inside_fc = covered(&inside, PROCEDURES[1]),
        null_fc = covered(&null, PROCEDURES[1]),
        sharp_anova = covered(&sharp, PROCEDURES[0]),
        latent = covered(&logistic, PROCEDURES[2]),
        outside_anova = covered(&outside, PROCEDURES[0]),
        rare_null = covered(&rare_null, PROCEDURES[0]),
        table = table(&all, &FACTORS, &PROCEDURES, Measure::Coverage),
    );
    let summary = vec![Summary {
        procedure: "`icc`: interval of the intracluster correlation",
        holds: format!(
            "rates from .2 with 40 families, from .05 with 130: coverage {}",
            covered(&inside, PROCEDURES[0])
        ),
        fails: format!(
            "families of one mind or independent: {}; rare outcomes in 40 families: {}",
            covered(&sharp, PROCEDURES[0]),
            covered(&outside, PROCEDURES[0])
        ),
    }];
    Page { markdown, figures: Vec::new(), summary }
}

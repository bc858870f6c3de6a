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
const SIZES: [(&str, Sizes); 2] = [("2.47", Sizes::Crewe), ("5", Sizes::Uniform)];
const FACTORS: [&str; 5] = ["mean size", "rate", "families", "icc", "siblings"];
/// The conversion to the latent scale is slow: it is asked with this number of families.
const ON_LATENT: usize = 130;

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
    for (mean, sizes) in SIZES {
        for rate in RATES {
            for families in FAMILIES {
                for truth in ICC {
                    for name in KINDS {
                        if truth == 0.0 && name != KINDS[0] || mean == "5" && name == KINDS[2] {
                            continue;
                        }
                        let siblings = if truth == 0.0 { "independent" } else { name };
                        let cell = Cell::new([
                            ("mean size", mean.to_owned()),
                            ("rate", rate.to_string()),
                            ("families", families.to_string()),
                            ("icc", truth.to_string()),
                            ("siblings", siblings.to_owned()),
                        ]);
                        let latent = convert(truth, rate, Scale::Latent)?;
                        let asked = Asked {
                            families,
                            sizes,
                            kind: Kind::new(name, rate, truth)?,
                            rate,
                            truth,
                            latent,
                        };
                        cells.push(run.simulate(TOPIC.name, &cell, &PROCEDURES, 4, |stream, _| {
                            replicate(stream, &asked)
                        }));
                    }
                }
            }
        }
    }
    Ok(cells)
}

/// What is simulated in one cell.
struct Asked {
    families: usize,
    sizes: Sizes,
    kind: Kind,
    rate: f64,
    truth: f64,
    latent: f64,
}

fn replicate(stream: &mut Stream, asked: &Asked) -> Vec<Verdict> {
    let &Asked { families, sizes, kind, rate, truth, latent } = asked;
    let (mut family, mut outcome) = (Vec::new(), Vec::new());
    for g in 0..families {
        let size = sizes.draw(stream);
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
    // Asked where the model is the logistic one.
    let on_latent = match kind {
        Kind::Logistic { .. } if families == ON_LATENT => Verdict::of(of(Method::Anova, Scale::Latent)),
        _ => Verdict::Refused("not asked"),
    };
    vec![
        Verdict::of(of(Method::Anova, Scale::Observed)),
        Verdict::of(of(Method::FleissCuzick, Scale::Observed)),
        on_latent,
    ]
}

/// What the result itself says of the interval.
#[derive(Clone, Copy, PartialEq)]
enum Said {
    /// Nothing against it.
    Trusted,
    /// That it may be conservative: the outcome is rare in large families.
    Wide,
    /// That it is not to be trusted.
    Doubted,
}

fn said(cell: &CellResult) -> Said {
    let number = |factor: &str| cell.cell.get(factor).parse().unwrap_or(0.0);
    let (size, rate, families): (f64, f64, f64) = (number("mean size"), number("rate"), number("families"));
    if rate < 0.2 && families < 130.0 {
        Said::Doubted
    } else if size > 3.5 && rate < 0.3 && rate * families < 16.0 {
        Said::Wide
    } else {
        Said::Trusted
    }
}

fn page(results: &Results) -> Page {
    let of = |inside: Said, mean: &str, siblings: &[&str]| -> Vec<&CellResult> {
        let cells = results.cells.iter().filter(|cell| {
            said(cell) == inside
                && cell.cell.get("mean size") == mean
                && siblings.contains(&cell.cell.get("siblings"))
        });
        cells.collect()
    };
    let covered = |cells: &[&CellResult], name: &str| span(cells, name, Measure::Coverage);
    let (smooth, null, sharp) = (&KINDS[..3], &["independent"][..], &KINDS[3..]);
    let anova =
        |inside: Said, mean: &str, siblings: &[&str]| covered(&of(inside, mean, siblings), PROCEDURES[0]);
    let fleiss = |mean: &str, siblings: &[&str]| covered(&of(Said::Trusted, mean, siblings), PROCEDURES[1]);
    let logistic: Vec<&CellResult> =
        SIZES.iter().flat_map(|(mean, _)| of(Said::Trusted, mean, &KINDS[1..2])).collect();
    let outside: Vec<&CellResult> = results.cells.iter().filter(|cell| said(cell) == Said::Doubted).collect();
    let all: Vec<&CellResult> = results.cells.iter().collect();
    let (crewe, uniform) = (SIZES[0].0, SIZES[1].0);
    let markdown = format!(
        "\
Families of one to nine children, as many as in Project Crewe (mean 2.47) or every size as often (mean 5), and a binary
outcome of known rate and ICC (the correlation of two siblings' outcomes), made in four ways: a family's probability has a
beta distribution (*beta-binomial*) or a normal logit (*logistic*), a child has the family's outcome with probability
$\\sqrt{{\\text{{ICC}}}}$ (*shared*, with mean size 2.47), or a share ICC of the families are of one mind and the others
independent (*all or none*, the hardest case: its fourth moments are the largest). {sims} trials in each cell. The interval of
`cw.icc` is within 0 to 1. Of its error of 5% it leaves 4.25% to the lower limit and 0.75% to the upper one, because a sample that
happens to hold no family in which everybody has a rare outcome cannot show a high ICC. At an ICC of 0 only the lower limit can miss:
95.75% is nominal there. Whether the interval holds 0 is decided by the law of the estimate under independence, which is known.

## What holds

Rates from .2 with 40 families and more, and from .05 with 130 and more, with ICC from .1 to .6 and at 0, but for rare
outcomes in large families (below):

| | mean size 2.47 | all or none | ICC 0 | mean size 5 | all or none | ICC 0 |
|---|---|---|---|---|---|---|
| `anova` | {crewe_anova} | {crewe_sharp} | {crewe_null} | {uniform_anova} | {uniform_sharp} | {uniform_null} |
| `fleiss_cuzick` | {crewe_fleiss} | {crewe_fleiss_sharp} | {crewe_fleiss_null} | {uniform_fleiss} | {uniform_fleiss_sharp} | {uniform_fleiss_null} |

* The ends of the interval brought to the latent scale cover the latent ICC of the logistic families, with {families}
  families: {latent}.

## What fails

* Rare outcomes in large families: with mean size 5, rates under .3 and fewer than 16 events expected at one a family (rate times
  families: .05 with 130 and 300, .1 with 130, .2 with 40) fewer than two families are expected in which everybody has the
  outcome, at an ICC of .1, even where families are all or none. An interval that covers those has to be wide: it covers {wide_sharp}
  of them, and {wide} of the others; at an ICC of 0 {wide_null}. The result says by name that its interval may be conservative there.
* Rates of .05 and .1 with 40 families: {outside} where there is an interval, but few trials tell anything; some have
  none, since no family has both outcomes. `cw.icc` says that its interval is not to be trusted there, as it does for
  larger families, other levels than 95% and outcomes that are not binary, which are not on this grid.

## Coverage of 95% intervals

{table}
",
        sims = results.cells.first().map_or(0, |cell| cell.sims),
        crewe_anova = anova(Said::Trusted, crewe, smooth),
        crewe_null = anova(Said::Trusted, crewe, null),
        uniform_anova = anova(Said::Trusted, uniform, smooth),
        uniform_null = anova(Said::Trusted, uniform, null),
        crewe_fleiss = fleiss(crewe, smooth),
        crewe_fleiss_null = fleiss(crewe, null),
        crewe_fleiss_sharp = fleiss(crewe, sharp),
        uniform_fleiss_sharp = fleiss(uniform, sharp),
        uniform_fleiss = fleiss(uniform, smooth),
        uniform_fleiss_null = fleiss(uniform, null),
        wide = anova(Said::Wide, uniform, smooth),
        wide_sharp = anova(Said::Wide, uniform, sharp),
        wide_null = anova(Said::Wide, uniform, null),
        families = ON_LATENT,
        latent = covered(&logistic, PROCEDURES[2]),
        crewe_sharp = anova(Said::Trusted, crewe, sharp),
        uniform_sharp = anova(Said::Trusted, uniform, sharp),
        outside = covered(&outside, PROCEDURES[0]),
        table = table(&all, &FACTORS, &PROCEDURES, Measure::Coverage),
    );
    let summary = vec![Summary {
        procedure: "`icc`: interval of the intracluster correlation",
        holds: format!(
            "families of 1 to 9, rates from .2 with 40 families, from .05 with 130: coverage {} (mean size 2.47), {} (5); families of one mind or independent: {} and {}",
            anova(Said::Trusted, crewe, smooth),
            anova(Said::Trusted, uniform, smooth),
            anova(Said::Trusted, crewe, sharp),
            anova(Said::Trusted, uniform, sharp)
        ),
        fails: format!(
            "rare outcomes in large families: a little wide ({}); rare outcomes in 40 families: wide, or none",
            anova(Said::Wide, uniform, &KINDS)
        ),
    }];
    Page { markdown, figures: Vec::new(), summary }
}

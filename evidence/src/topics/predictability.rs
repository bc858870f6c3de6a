//! How well the next arm can be guessed and how uneven the arms become, by procedure.

use std::fmt::Write as _;

use crewe::Result;
use crewe::design::{
    BiasedCoin, BigStick, Blocks, Complete, Design, Expected, Fraction, Imbalance, Method, Minimisation,
    Simple,
};
use crewe::progress::NoMonitor;
use crewe::rng::Seed;

use crate::grid::{Cell, CellResult, Results, Run, Topic};
use crate::page::{Page, Summary, percent};

pub const TOPIC: Topic = Topic { name: "predictability", title: "Guessing the next arm", run, page };

const FAMILIES: usize = 132;
const RATIOS: [(&str, [u32; 2]); 2] = [("1:1", [1, 1]), ("2:1", [1, 2])];
const STRATA: [u32; 2] = [1, 4];
const COIN: &str = "biased coin, p = ";

/// The procedures for a ratio of this sum. Minimisation has factors of 4 and 2 levels.
fn procedures(total: u32) -> Vec<(String, Method)> {
    let minimised = |tenths: u64| {
        let factors = [("site", 1), ("history", 1)];
        Method::from(Minimisation::new(factors, Imbalance::Range, Fraction::new(tenths, 10)))
    };
    let blocks = |sizes: &[u32]| {
        let sizes: Vec<u32> = sizes.iter().map(|size| size * total).collect();
        let named = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        (format!("blocks of {named}"), Method::from(Blocks::new(sizes)))
    };
    vec![
        ("simple".into(), Simple {}.into()),
        ("complete, one list".into(), Complete::default().into()),
        blocks(&[1]),
        blocks(&[2]),
        blocks(&[1, 2]),
        blocks(&[1, 2, 3]),
        ("big stick, limit 2".into(), BigStick::new(2).into()),
        ("big stick, limit 3".into(), BigStick::new(3).into()),
        (format!("{COIN}2/3"), BiasedCoin::new(Fraction::new(2, 3)).into()),
        (format!("{COIN}.8"), BiasedCoin::new(Fraction::new(4, 5)).into()),
        ("minimisation, p = .7".into(), minimised(7)),
        ("minimisation, p = .8".into(), minimised(8)),
        ("minimisation, p = 1".into(), minimised(10)),
    ]
}

fn run(run: &Run) -> Result<Vec<CellResult>> {
    let mut cells = Vec::new();
    for (label, ratio) in RATIOS {
        for strata in STRATA {
            for (name, method) in procedures(ratio.iter().sum()) {
                let cell = Cell::new([
                    ("ratio", label.to_owned()),
                    ("strata", strata.to_string()),
                    ("procedure", name),
                ]);
                let mut design = Design::new("Evidence")
                    .arm("control", ratio[0])
                    .arm("treated", ratio[1])
                    .cluster("family")
                    .method(method.clone());
                if strata > 1 {
                    design = design.strata(["area"]);
                }
                let levels: &[u32] = if matches!(method, Method::Minimisation(_)) { &[4, 2] } else { &[] };
                let seed = Seed::Integer(run.stream(TOPIC.name, "trials", &cell).next_u64());
                cells.push(run.measure(TOPIC.name, &cell, 1, |sims| {
                    let expected = Expected::Imagined { n: FAMILIES, strata, levels };
                    let found = design.predictability(expected, sims, Some(&seed), &NoMonitor)?;
                    let all = [
                        ("chance", found.chance, 0.0),
                        ("guess", found.guess, found.guess_se),
                        ("informed", found.informed, found.informed_se),
                        ("certain", found.certain, 0.0),
                        ("end mean", found.end_mean, 0.0),
                        ("end max", found.end_max, 0.0),
                        ("worst mean", found.worst_mean, 0.0),
                        ("worst max", found.worst_max, 0.0),
                        ("stratum mean", found.stratum_mean, 0.0),
                        ("stratum max", found.stratum_max, 0.0),
                    ];
                    Ok(all.map(|(name, value, se)| (name.to_owned(), value, se)).to_vec())
                })?);
            }
        }
    }
    Ok(cells)
}

fn table(results: &Results, ratio: &str, strata: &str) -> String {
    let mut text = String::from(
        "| procedure | guess | informed | certain | at the end: mean | most | at its worst: mean | most | in a stratum: \
         mean | most |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for cell in results.select(&[("ratio", ratio), ("strata", strata)]) {
        let rate = |name: &str| percent(cell.quantity(name).value);
        let size = |name: &str| format!("{:.1}", cell.quantity(name).value);
        let row = [
            rate("guess"),
            rate("informed"),
            rate("certain"),
            size("end mean"),
            size("end max"),
            size("worst mean"),
            size("worst max"),
            size("stratum mean"),
            size("stratum max"),
        ];
        let _ = writeln!(text, "| {} | {} |", cell.cell.get("procedure"), row.join(" | "));
    }
    text
}

fn page(results: &Results) -> Page {
    let of = |ratio: &str, procedure: &str, name: &str| {
        results.select(&[("ratio", ratio), ("strata", "1"), ("procedure", procedure)])[0].quantity(name).value
    };
    let guess = |ratio: &str, procedure: &str| percent(of(ratio, procedure, "guess"));
    let off = |procedure: &str| format!("{:.1}", of("2:1", procedure, "end mean"));
    let informed = |procedure: &str| percent(of("2:1", procedure, "informed"));
    let se = results
        .cells
        .iter()
        .flat_map(|cell| [cell.quantity("guess").se, cell.quantity("informed").se])
        .fold(0.0, f64::max);
    let sims = results.cells.first().map_or(0, |cell| cell.sims);
    let mut tables = String::new();
    for (ratio, shares) in RATIOS {
        for strata in STRATA {
            let chance = f64::from(shares[1]) / f64::from(shares[0] + shares[1]);
            let _ = writeln!(
                tables,
                "## {ratio}, {}\n\nWho always names the larger arm is right in {}.\n\n{}",
                if strata == 1 { "no strata" } else { "four strata" },
                percent(chance),
                table(results, ratio, &strata.to_string())
            );
        }
    }
    let markdown = format!(
        "\
{FAMILIES} families, each in a random stratum and with random levels of the two factors of minimisation (4 and 2);
{sims} trials of each procedure by `Design.predictability`; the standard errors of the rates of guesses are at most
{se:.2} points.

* **guess**: a recruiter who remembers the arms of the stratum names the arm that is most behind its ratio (Blackwell
  and Hodges 1957).
* **informed**: names the most probable arm, knowing the procedure and all that it hides (the size of the block, which
  fake arm stood for an arm), but no random number to come. No guesser does better.
* **certain**: arrivals whose arm is certain to the informed.
* **imbalance**: the largest distance of an arm from its share of the families so far, in families: at the end of the
  trial, at its worst moment, and at the end in the worst stratum; mean and most over the trials.

## How to choose

* At 2:1 read the column *informed*: who always names the larger arm is right in {chance}, more than who follows the arm
  that is behind under most procedures.
* Small blocks are even and easy to guess: with blocks of 3 at 2:1 the informed are right in {b3}, and {c3} of arrivals are
  certain. Sizes that vary hide little from who keeps count: {b36} with 3 and 6, {b369} with 3, 6 and 9.
* The big stick and the biased coin are harder to guess: {s3} with a limit of 3, {coin} with a coin of 2/3, for {s3e} and
  {coine} families off on average at the end of the trial (simple randomisation: {simplee}).
* Minimisation at p = .8 is guessed from the totals alone in {m8} at 2:1 ({m81} at 1:1), but who knows every family's
  factors and the fake arms is right in {m8i} ({m8i1}).
* A list that is drawn at once and concealed cannot be guessed. `complete` is shown for a recruiter who learns each arm
  in turn and knows the totals.

{tables}",
        se = 100.0 * se,
        chance = percent(2.0 / 3.0),
        b3 = informed("blocks of 3"),
        c3 = percent(of("2:1", "blocks of 3", "certain")),
        b36 = informed("blocks of 3, 6"),
        b369 = informed("blocks of 3, 6, 9"),
        s3 = informed("big stick, limit 3"),
        coin = informed("biased coin, p = 2/3"),
        s3e = off("big stick, limit 3"),
        coine = off("biased coin, p = 2/3"),
        simplee = off("simple"),
        m8 = guess("2:1", "minimisation, p = .8"),
        m81 = guess("1:1", "minimisation, p = .8"),
        m8i = percent(of("2:1", "minimisation, p = .8", "informed")),
        m8i1 = percent(of("1:1", "minimisation, p = .8", "informed")),
    );
    let summary = vec![Summary {
        procedure: "`Design.predictability`: 132 families at 2:1",
        holds: format!(
            "right guesses of who knows the procedure: big stick (3) {}, biased coin (2/3) {}; by the larger arm {}",
            informed("big stick, limit 3"),
            informed("biased coin, p = 2/3"),
            percent(2.0 / 3.0)
        ),
        fails: format!(
            "blocks of 3: {}, {} of arms certain; minimisation (.8): {}",
            informed("blocks of 3"),
            percent(of("2:1", "blocks of 3", "certain")),
            informed("minimisation, p = .8")
        ),
    }];
    Page { markdown, figures: Vec::new(), summary }
}

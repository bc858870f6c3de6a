//! Runs the simulations and writes their pages: `evidence [--sims N] [--seed N] [--topic NAME]... [--out DIR]`.
//!
//! `--part 3/40` runs the third of forty parts of the cells, for instance as a task of a queue's array, and keeps what it
//! found in `--out`; `--join 40` puts the forty together, with the same bytes as one run would have written.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crewe::rng::Seed;
use crewe_evidence::page::Page;
use crewe_evidence::{Part, Results, Run, TOPICS, Topic};

type Failure = Box<dyn std::error::Error>;

struct Options {
    sims: u64,
    seed: u64,
    topics: Vec<Topic>,
    out: PathBuf,
    part: Option<Part>,
    join: Option<u64>,
}

fn main() -> Result<(), Failure> {
    let options = options(std::env::args().skip(1))?;
    std::fs::create_dir_all(&options.out)?;
    if let Some(of) = options.join {
        for topic in &options.topics {
            join(topic, &options.out, of)?;
        }
        return write_pages(&options.out);
    }
    let part = options.part;
    let run = Run { seed: Seed::Integer(options.seed), sims: options.sims, progress: true, part };
    for topic in &options.topics {
        let start = Instant::now();
        let cells = (topic.run)(&run)?;
        let results = Results { topic: topic.name.to_owned(), seed: options.seed, sims: options.sims, cells };
        let name = part.map_or_else(|| format!("{}.json", topic.name), |part| part_of(topic, part));
        std::fs::write(options.out.join(name), json(&results)?)?;
        eprintln!("{}: {:.0} s", topic.name, start.elapsed().as_secs_f64());
    }
    if part.is_none() { write_pages(&options.out) } else { Ok(()) }
}

/// The file of one part of a topic.
fn part_of(topic: &Topic, part: Part) -> String {
    format!("{}.part-{}-of-{}.json", topic.name, part.number, part.of)
}

/// Puts the parts of a topic together, and takes their files away.
fn join(topic: &Topic, out: &Path, of: u64) -> Result<(), Failure> {
    let files: Vec<PathBuf> = (1..=of).map(|number| out.join(part_of(topic, Part { number, of }))).collect();
    let read = |file: &PathBuf| -> Result<Results, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(serde_json::from_str(&text)?)
    };
    let whole = Results::joined(files.iter().map(read).collect::<Result<_, _>>()?)?;
    std::fs::write(out.join(format!("{}.json", topic.name)), json(&whole)?)?;
    files.iter().try_for_each(std::fs::remove_file)?;
    Ok(())
}

/// A part as it is asked for: `3/40`.
fn part(text: &str) -> Result<Part, Failure> {
    let wrong = || format!("--part takes for instance 3/40, not {text}");
    let (number, of) = text.split_once('/').ok_or_else(wrong)?;
    let part = Part { number: number.parse()?, of: of.parse()? };
    if (1..=part.of).contains(&part.number) { Ok(part) } else { Err(wrong().into()) }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let mut options = Options {
        sims: 10_000,
        seed: 2017,
        topics: Vec::new(),
        out: "docs/evidence".into(),
        part: None,
        join: None,
    };
    while let Some(flag) = arguments.next() {
        if flag == "--pages" {
            // Only the pages, from results that are there already.
            write_pages(&options.out)?;
            std::process::exit(0);
        }
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--sims" => options.sims = value.parse()?,
            "--seed" => options.seed = value.parse()?,
            "--out" => options.out = value.into(),
            "--part" => options.part = Some(part(&value)?),
            "--join" => options.join = Some(value.parse()?),
            "--topic" => {
                let found = TOPICS.iter().find(|topic| topic.name == value);
                options.topics.push(*found.ok_or_else(|| format!("there is no topic '{value}'"))?);
            }
            _ => {
                return Err(format!(
                    "{flag} is not an option: --sims, --seed, --topic, --out, --part, --join, --pages"
                )
                .into());
            }
        }
    }
    if options.sims == 0 {
        return Err("--sims must be at least 1".into());
    }
    if options.topics.is_empty() {
        options.topics = TOPICS.to_vec();
    }
    Ok(options)
}

/// One cell a line, so that a change shows as the lines that it touches.
fn json(results: &Results) -> Result<String, Failure> {
    let cells: Vec<String> = results.cells.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    Ok(format!(
        "{{\"topic\":\"{}\",\"seed\":{},\"sims\":{},\"cells\":[\n{}\n]}}\n",
        results.topic,
        results.seed,
        results.sims,
        cells.join(",\n")
    ))
}

/// Writes the page of every topic with results in `out`, and the index.
fn write_pages(out: &Path) -> Result<(), Failure> {
    let mut pages: Vec<(Topic, Results, Page)> = Vec::new();
    for topic in TOPICS {
        let Ok(text) = std::fs::read_to_string(out.join(format!("{}.json", topic.name))) else { continue };
        let results: Results = serde_json::from_str(&text)?;
        let page = (topic.page)(&results);
        let note = format!(
            "Written by `make evidence`: {} simulated trials in a cell unless the page says otherwise, seed {}. Every rate \
             stands beside its Monte Carlo standard error (±); bold ones err by more than half of the nominal 5% \
             (below 2.5% or above 7.5%; coverage below 92.5% or above 97.5%). Raw counts: [{topic}.json]({topic}.json).",
            thousands(results.sims),
            results.seed,
            topic = topic.name,
        );
        let text = format!("# {}\n\n{note}\n\n{}", topic.title, page.markdown);
        std::fs::write(out.join(format!("{}.md", topic.name)), text.trim_end().to_owned() + "\n")?;
        for figure in &page.figures {
            std::fs::write(out.join(&figure.file), &figure.svg)?;
        }
        pages.push((*topic, results, page));
    }
    let mut index = String::from(INTRODUCTION);
    for (topic, _, page) in &pages {
        for line in &page.summary {
            let _ = writeln!(
                index,
                "| [{}]({}.md) | {} | {} |",
                line.procedure, topic.name, line.holds, line.fails
            );
        }
    }
    if let Ok(counts) = std::fs::read_to_string(out.join("ledger.txt")) {
        std::fs::write(out.join("ledger.md"), ledger(&counts))?;
        index.push_str(LEDGER_LINE);
    }
    // Its page is written by tests/evidence_power.py.
    if out.join("power.md").exists() {
        index.push_str(POWER_LINE);
    }
    index.push_str(CLOSING);
    std::fs::write(out.join("index.md"), index)?;
    Ok(())
}

/// The page of the ledger's trials, from the lines that `tests/ledger_torture.rs` printed.
fn ledger(counts: &str) -> String {
    let mut text = String::from(LEDGER);
    for line in counts.lines().filter(|line| !line.trim().is_empty()) {
        let _ = writeln!(text, "* {}", line.trim());
    }
    text
}

fn thousands(count: u64) -> String {
    if count < 1000 { count.to_string() } else { format!("{},{:03}", thousands(count / 1000), count % 1000) }
}

const INTRODUCTION: &str = "\
# Where the defaults hold, and where they fail

Each default of crewe was put to thousands of simulated trials in which the truth is known: how often does a test at 5%
reject when there is no effect (size), how often does a 95% interval hold the true effect (coverage)? Nothing is
called valid outside the grid that it was tried on. The table gives the lowest and the highest rate found; of
cells with 10,000 trials and a true rate of 5%, one in a hundred comes out below 4.4% or above 5.6% by chance.

| procedure | where it holds, with the rates found | where it fails, with the rates found |
|---|---|---|
";

const POWER_LINE: &str = "| [Closed forms of power](power.md) | means with equal clusters, pairs, blocks, three levels, periods, \
baseline changes, interactions: within 4 Monte Carlo standard errors of 20,000 trials a design | approximate where sizes vary, \
rates differ or hazards do: the page has each distance |
";

const LEDGER_LINE: &str = "| [`Ledger`: many processes, SIGKILL, damage, forgery](ledger.md) | nothing acknowledged \
lost or doubled, every change of a recorded event reported | a tail that is cut off shows only against a head that was \
lodged elsewhere |
";

const LEDGER: &str = "\
# What the ledger survives

Written by `make evidence`, which runs `tests/ledger_torture.rs` at full size and keeps what it prints
([ledger.txt](ledger.txt)). The program stops at the first trial that goes wrong, so that every line below stands for
trials in which nothing did. `make test` runs fewer of them.

* *Processes* enrol families into one ledger at the same time; some families are wanted by all of them.
* *Kills* are SIGKILL at random moments while a process enrols; the ledger is then opened and every acknowledged entry
  looked for.
* *Flips* change one random bit of the file, of its `-wal`, or of a file whose `-wal` is missing. The ledger is then opened
  with the lodged head and must report it, unless no event has changed.
* *Edits*, deletions, swaps, forged chains and cut tails are made with SQL, for every event in turn.

## What was found

";

const CLOSING: &str = "
## How the trials are made

* Families of one to nine children with mean 2.47 (in thousandths: 336, 281, 181, 91, 51, 30, 15, 10, 5), as in
  Project Crewe; cells with equal sizes are named. 10, 20, 40, 80, 132 and 200 families.
* Arms are drawn by `Design` itself: complete randomisation of families, 1:1 or 2:1 (two treated families to each
  control), and 5:1 where a page says so.
* Adjusted models have the arm, a yes-or-no covariate of the family (yes in 40%) and a continuous one of the child
  (half of its variance between families).
* Siblings' outcomes have an intra-family correlation (ICC) of 0, .1, .36 or 1 (with few families 0, .1, .3 or .5); at 1
  siblings differ by their own covariate only. Each page says how.
* A trial in which a procedure refuses to answer (a collinear column, separated outcomes) is counted and shown;
  rates are over the trials answered.
* Replicate i of a cell has a random stream of its own, named by seed, topic, cell and i: the results are the
  same to the bit on any number of threads, and the first hundred replicates of every cell are run again by `make test`.
";

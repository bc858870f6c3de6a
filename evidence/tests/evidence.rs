//! The first hundred trials of every cell, run again: they must lie where the committed results of the full run say,
//! and be the same to the bit on any number of threads. Of few families, whose trials have 37 procedures, an eighth of the cells
//! is run again unless CREWE_EVIDENCE_FULL is set.

use std::path::PathBuf;

use crewe::inference::few::{Analysed, caution};
use crewe::inference::{Clusters, Vcov};
use crewe::rng::Seed;
use crewe::survival::{Cox, RmstOptions, Surv, rmst};
use crewe_evidence::grid::{FIRST, Rate, Tally};
use crewe_evidence::page::{Measure, span};
use crewe_evidence::{Part, Results, Run, TOPICS, Topic};
use ndarray::{Array1, array};

fn committed(topic: &Topic) -> Results {
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/evidence/{}.json", topic.name));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap()
}

fn first_trials(topic: &Topic, seed: u64, threads: usize) -> Results {
    let dear = topic.name == "few" && std::env::var_os("CREWE_EVIDENCE_FULL").is_none();
    let part = dear.then_some(Part { number: 1, of: 8 });
    let run = Run { seed: Seed::Integer(seed), sims: FIRST, progress: false, part };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let cells = pool.install(|| (topic.run)(&run)).unwrap();
    Results { topic: topic.name.to_owned(), seed, sims: FIRST, cells }
}

/// Whether a share of a few trials lies within 4 Monte Carlo standard errors of the full run's. The standard error is
/// that of Agresti and Coull's shrunken share, since a simulated share of 0 or 1 has none.
fn near(few: u64, of: u64, full: Rate) -> bool {
    let share = (full.value * of as f64 + 2.0) / (of as f64 + 4.0);
    let se = (share * (1.0 - share) / of as f64 + full.se * full.se).sqrt();
    (few as f64 / of as f64 - full.value).abs() <= 4.0 * se
}

fn check(topic: &Topic) {
    let full = committed(topic);
    let few = first_trials(topic, full.seed, 2);
    let mut compared = 0;
    for cell in &few.cells {
        let known =
            full.cells.iter().find(|c| c.cell == cell.cell).unwrap_or_else(|| panic!("{:?}", cell.cell));
        // What is worked out has no trials; what has some and was not simulated is of another part.
        if cell.sims == 0 && known.sims > 0 {
            continue;
        }
        assert_eq!(cell.procedures.len(), known.procedures.len(), "{:?}", cell.cell);
        assert_eq!(cell.quantities.len(), known.quantities.len(), "{:?}", cell.cell);
        for ((name, here), (other, there)) in cell.quantities.iter().zip(&known.quantities) {
            let place = format!("{} {:?} {name}: {here:?}, committed {there:?}", topic.name, cell.cell);
            assert_eq!(name, other, "{place}");
            assert!((here.value - there.first).abs() <= 1e-6 * there.first.abs().max(1.0), "{place}");
            if there.se > 0.0 {
                assert!((here.value - there.value).abs() <= 4.0 * here.se.hypot(there.se) + 1e-9, "{place}");
            }
            compared += 1;
        }
        for (here, there) in cell.procedures.iter().zip(&known.procedures) {
            let place = format!("{} {:?} {}", topic.name, cell.cell, here.name);
            assert_eq!(here.name, there.name, "{place}");
            // The same trials: counts differ at most where a platform's last bit turns a verdict over.
            for (a, b) in here.first.iter().zip(&there.first) {
                assert!(a.abs_diff(*b) <= 1, "{place}: {:?}, committed {:?}", here.first, there.first);
            }
            let rates =
                |tally: &Tally| (tally.rejections(), tally.coverage().map(|rate| (rate, tally.covered)));
            if here.all.answered > 0 {
                let (rejections, coverage) = rates(&there.all);
                assert!(near(here.all.rejected, here.all.answered, rejections), "{place}: {:?}", here.all);
                if let Some((rate, _)) = coverage {
                    let covered = here.all.covered.unwrap();
                    assert!(near(covered, here.all.answered, rate), "{place}: {:?}", here.all);
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 0);
}

macro_rules! topics {
    ($($name:ident),*) => {
        $(#[test] fn $name() { check(topic(stringify!($name))) })*
        #[test]
        fn every_topic_is_checked() {
            let checked = [$(stringify!($name)),*];
            assert!(TOPICS.iter().all(|topic| checked.contains(&topic.name)));
        }
    };
}

topics!(
    linear,
    logit,
    few,
    individuals,
    sets,
    survival,
    ranks,
    rates,
    icc,
    randomisation,
    statistics,
    rerandomisation,
    minimisation,
    predictability
);

fn topic(name: &str) -> &'static Topic {
    TOPICS.iter().find(|topic| topic.name == name).unwrap()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for name in ["individuals", "survival"] {
        let [one, four] = [1, 4].map(|threads| first_trials(topic(name), 7, threads));
        assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&four).unwrap(), "{name}");
    }
}

/// Cells that are dealt to processes come together as one run would have found them.
#[test]
fn any_number_of_parts_gives_the_same_bits() {
    let asked = topic("individuals");
    let part = |number| {
        let part = Some(Part { number, of: 3 });
        let run = Run { seed: Seed::Integer(7), sims: FIRST, progress: false, part };
        let cells = (asked.run)(&run).unwrap();
        Results { topic: asked.name.to_owned(), seed: 7, sims: FIRST, cells }
    };
    let parts: Vec<Results> = (1..=3).map(part).collect();
    let run = |part: &Results| part.cells.iter().filter(|cell| cell.sims > 0).count();
    assert!(parts.iter().all(|part| run(part) > 0), "a part has nothing to do");
    assert_eq!(parts.iter().map(run).sum::<usize>(), parts[0].cells.len());
    let missing = Results::joined(parts[1..].to_vec()).unwrap_err();
    assert!(missing.contains("lacks the part with"), "{missing}");
    let [whole, joined] = [first_trials(asked, 7, 2), Results::joined(parts).unwrap()];
    assert_eq!(serde_json::to_string(&whole).unwrap(), serde_json::to_string(&joined).unwrap());
}

/// The warning that a Cox model with few families carries quotes the sizes of the committed run.
#[test]
fn the_note_on_few_clusters_quotes_what_was_found() {
    let results = committed(topic("survival"));
    let span = |families: &str| {
        let cells = results.select(&[("hazard ratio", "1"), ("families", families)]);
        let found = span(&cells, "Cox, CR0, z", Measure::Rejections);
        format!("{:.0}% to {:.0}%", 100.0 * found.low, 100.0 * found.high)
    };
    let sizes = ["10", "20", "40"].map(span).join(", ") + &format!(" and {} of simulated trials", span("80"));
    let x = array![[0.], [2.], [1.], [1.], [1.], [0.], [0.]];
    let surv = Surv::new(&[4., 3., 1., 1., 2., 2., 3.], &[1., 1., 1., 0., 1., 1., 0.]);
    let families = Clusters::new(&[0, 0, 1, 1, 2, 3, 4]).unwrap();
    let fit = Cox::new(surv, x.view()).fit().unwrap();
    let note = fit.vcov(Vcov::Cr0, Some(&families)).unwrap().notes()[0].clone();
    assert!(note.contains(&sizes), "{note} does not say {sizes}");
}

/// The intervals of the ICC hold where their result trusts them, and its pages quote what was found.
#[test]
fn the_intervals_of_the_icc_hold_where_they_are_trusted() {
    let results = committed(topic("icc"));
    let cells = |wide: bool, of: &[&str]| {
        let cells = results.cells.iter().filter(|cell| {
            let number = |factor: &str| cell.cell.get(factor).parse::<f64>().unwrap();
            let (rate, families) = (number("rate"), number("families"));
            (rate >= 0.2 || families >= 130.0)
                && wide == (number("mean size") > 3.5 && rate < 0.3 && rate * families < 16.0)
                && of.contains(&cell.cell.get("siblings"))
        });
        cells.collect::<Vec<_>>()
    };
    let covered = |wide: bool, of: &[&str]| span(&cells(wide, of), "anova", Measure::Coverage);
    let smooth = ["beta-binomial", "logistic", "shared"];
    let (apart, sharp, none) =
        (covered(false, &smooth), covered(false, &["all or none"]), covered(false, &["independent"]));
    for found in [apart, sharp] {
        assert!(found.low >= 0.93 && found.high <= 0.97, "{found}");
    }
    assert!(none.low >= 0.93 && none.high <= 0.985, "{none}");
    let methods = include_str!("../../docs/methods/icc.md");
    for found in [apart, sharp, none] {
        assert!(methods.contains(&found.to_string()), "docs/methods/icc.md does not say {found}");
    }
    let wide = covered(true, &["beta-binomial", "logistic", "all or none"]).high;
    let wide = format!("up to {:.1}%", 100.0 * wide);
    let said = include_str!("../../python/crewe/comparisons/icc.py");
    assert!(methods.contains(&wide) && said.contains(&wide), "{wide}");
}

/// So does that of restricted means.
#[test]
fn the_note_on_restricted_means_quotes_what_was_found() {
    let results = committed(topic("survival"));
    let size = |families: &str| {
        let cells = results.select(&[("hazard ratio", "1"), ("families", families)]);
        let found = span(&cells, "restricted means, clusters", Measure::Rejections);
        format!("{:.0}% to {:.0}%", 100.0 * found.low, 100.0 * found.high)
    };
    let sizes = format!("{}, {} and {} of simulated trials", size("10"), size("20"), size("40"));
    let surv = Surv::new(&[4., 3., 1., 1., 2.], &[1., 1., 1., 0., 1.]);
    let families = Clusters::new(&[0, 1, 2, 3, 4]).unwrap();
    let found =
        rmst(&surv, Some(&[0, 0, 1, 1, 1]), &["a", "b"], Some(&families), RmstOptions::default()).unwrap();
    assert!(found.notes.iter().any(|note| note.contains(&sizes)), "{:?} do not say {sizes}", found.notes);
}

/// What results of crewe say of few clusters is what the committed run found: a sentence with the size where a default did not
/// hold, and none where it did.
#[test]
fn the_notes_on_few_families_quote_what_was_found() {
    let results = committed(topic("few"));
    let page = (topic("few").page)(&results);
    let quoted = &page.figures.iter().find(|figure| figure.file == "few.tsv").unwrap().svg;
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../src/inference/few.tsv");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(&kept, quoted, "copy docs/evidence/few.tsv to src/inference/few.tsv");
    let defaults = [
        (Analysed::Ols, Vcov::Cr2, "OLS, CR2"),
        (Analysed::Logit, Vcov::Cr2, "logit, CR2"),
        (Analysed::Firth, Vcov::Cv3, "Firth, CV3"),
        (Analysed::Firth, Vcov::Cr1, "Firth, CR1"),
        (Analysed::Probit, Vcov::Cr2, "probit, CR2"),
        (Analysed::Means, Vcov::Iid, "cluster means, t"),
        (Analysed::Gee, Vcov::Md, "GEE, MD"),
        (Analysed::Gee, Vcov::Kc, "GEE, KC"),
        (Analysed::GeeLogit, Vcov::Kc, "logit GEE, KC"),
        (Analysed::Mixed, Vcov::KenwardRoger, "mixed, Kenward-Roger"),
        (Analysed::WildBootstrap, Vcov::Cr1, "wild bootstrap, default"),
        (Analysed::ScoreBootstrap, Vcov::Cr1, "score bootstrap, default"),
    ];
    let (mut said, mut silent) = (0, 0);
    for cell in results.select(&[("ICC", "0.3"), ("sizes", "mean 2.5")]) {
        let (outcome, families) = (cell.cell.get("outcome"), cell.cell.get("families"));
        if outcome.contains(" and ") {
            continue;
        }
        let families: usize = families.parse().unwrap();
        let control = match cell.cell.get("allocation") {
            "1:1" => families / 2,
            "2:1" => families / 3,
            _ => families / 6,
        };
        let rate: Option<f64> = outcome.strip_suffix('%').map(|rate| rate.parse::<f64>().unwrap() / 100.0);
        let n = 2 * families;
        let events = rate.map(|rate| (rate * n as f64).round() as usize);
        let y = Array1::from_shape_fn(n, |row| {
            events.map_or(row as f64 / 7.0, |events| f64::from(u8::from(row < events)))
        });
        for (model, kind, name) in defaults {
            let Some(tally) = cell.procedure(name) else { continue };
            let found = caution(model, kind, &[control, families - control], y.view());
            let (size, answered) = (tally.rejections(), 1.0 - tally.refusals().value);
            let holds = answered >= 0.99
                && size.value - 2.0 * size.se <= 0.056
                && size.value + 2.0 * size.se >= 0.035;
            let place = format!("{:?} {name}: {found:?}", cell.cell);
            if holds {
                assert_eq!(found, None, "{place}");
                silent += 1;
                continue;
            }
            let quoted = if answered < 0.99 { answered } else { size.value };
            let found = found.unwrap_or_else(|| panic!("{place}"));
            assert!(found.contains(&format!("{:.1}%", 100.0 * quoted)), "{place}");
            assert!(
                found.contains(&format!("of {families} clusters at {}", cell.cell.get("allocation"))),
                "{place}"
            );
            said += 1;
        }
    }
    assert!(said > 20 && silent > 20, "{said} notes, {silent} without");
}

#[test]
fn pages_are_those_of_the_committed_results() {
    for topic in TOPICS {
        let page = (topic.page)(&committed(topic));
        let file =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/evidence/{}.md", topic.name));
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains(page.markdown.trim_end()), "{}: run the binary with --pages", topic.name);
        assert!(text.starts_with(&format!("# {}\n", topic.title)));
    }
}

#[test]
fn the_ledgers_page_is_what_its_trials_printed() {
    let read = |name: &str| {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/evidence").join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let (counts, page) = (read("ledger.txt"), read("ledger.md"));
    assert!(counts.starts_with("64 processes x 200 families"), "{counts}");
    for line in counts.lines().filter(|line| !line.trim().is_empty()) {
        assert!(page.contains(&format!("* {}\n", line.trim())), "{line}");
    }
}

#[test]
fn randomisation_never_rejects_too_often() {
    for cell in committed(topic("randomisation")).cells {
        if cell.procedures.is_empty() {
            let of = |name: &str| cell.quantity(name).value;
            assert!((of("size") - of("attainable")).abs() < 1e-7 && of("size") <= 0.05 + 1e-8, "{cell:?}");
            assert!(of("covered") >= 0.95 - 1e-8, "{cell:?}");
            let drawn = cell.quantity("drawn");
            assert!((drawn.value - of("size")).abs() <= 4.0 * drawn.se, "{cell:?}");
        }
        for procedure in &cell.procedures {
            let bound = 4.0 * (0.05 * 0.95 / procedure.all.answered as f64).sqrt();
            let wrong = match procedure.all.coverage() {
                Some(coverage) => 1.0 - coverage.value,
                None => procedure.all.rejections().value,
            };
            assert!(wrong <= 0.05 + bound, "{:?} {procedure:?}", cell.cell);
        }
    }
}

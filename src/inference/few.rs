//! What simulations found of analyses with few clusters, said where an analysis is one of them.
//!
//! `few.tsv` holds the size of each procedure in the cells of `docs/evidence/few.md` at an intracluster correlation of .3, as
//! `make evidence TOPIC=few` wrote it. An analysis is put beside the cell that is nearest to it: by its allocation, by the
//! outcome (how often a yes-or-no outcome occurs, else a long tail) and by the number of clusters. Where its procedure did not
//! hold there, one sentence says how often it rejected and what held. Nothing is said of trials that no cell is near, nor of
//! large clusters, which were not tried.

use std::sync::LazyLock;

use ndarray::ArrayView1;

use super::vcov::Vcov;
use crate::words::words;

/// The models that the simulations know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Analysed {
    /// Least squares.
    Ols,
    /// A logit.
    Logit,
    /// A logit with Firth's penalty.
    Firth,
    /// A probit.
    Probit,
    /// A cluster-level analysis with clusters that count the same.
    Means,
    /// Estimating equations with the identity link.
    Gee,
    /// Estimating equations with the logit link.
    GeeLogit,
    /// A linear mixed model.
    Mixed,
    /// The wild cluster bootstrap of least squares, of the default type, whatever the covariance.
    WildBootstrap,
    /// The score bootstrap of a logit, of the default type, whatever the covariance.
    ScoreBootstrap,
}

words!(
    Analysed, "model of few clusters",
    Ols => "OLS",
    Logit => "logit",
    Firth => "Firth",
    Probit => "probit",
    Means => "cluster means",
    Gee => "GEE",
    GeeLogit => "logit GEE",
    Mixed => "mixed",
    WildBootstrap => "wild bootstrap",
    ScoreBootstrap => "score bootstrap",
);

/// How a procedure fared in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fared {
    Held(f64),
    Often(f64),
    Seldom(f64),
    /// The share of trials that it answered.
    Silent(f64),
}

/// A cell of the simulations.
struct Cell {
    /// How often the outcome occurs; none for a long tail.
    rate: Option<f64>,
    allocation: Allocation,
    clusters: f64,
    /// In the order of the procedures.
    fared: Vec<Option<Fared>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Allocation {
    Equal,
    TwoToOne,
    FiveToOne,
}

impl Allocation {
    const ALL: [(&'static str, Self); 3] =
        [("1:1", Self::Equal), ("2:1", Self::TwoToOne), ("5:1", Self::FiveToOne)];

    /// The nearest to an arm with this share of the clusters.
    fn of(share: f64) -> Self {
        if share > 5.0 / 12.0 {
            Self::Equal
        } else if share > 0.25 {
            Self::TwoToOne
        } else {
            Self::FiveToOne
        }
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, own)| *own == self).map_or("", |(name, _)| name)
    }
}

struct Found {
    procedures: Vec<&'static str>,
    cells: Vec<Cell>,
}

static FOUND: LazyLock<Found> = LazyLock::new(|| read(include_str!("few.tsv")));

fn read(text: &'static str) -> Found {
    let mut lines = text.lines();
    let procedures = lines.next().unwrap_or("").split('\t').skip(3).collect();
    let percent = |text: &str| text.parse::<f64>().ok().map(|value| value / 100.0);
    let fared = |text: &str| match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "+")) => percent(number).map(Fared::Often),
        Some((number, "-")) => percent(number).map(Fared::Seldom),
        Some((number, "?")) => percent(number).map(Fared::Silent),
        _ => percent(text).map(Fared::Held),
    };
    let cell = |line: &'static str| {
        let mut words = line.split('\t');
        let rate = percent(words.next()?.trim_end_matches('%'));
        let named = words.next()?;
        let (_, allocation) = *Allocation::ALL.iter().find(|(name, _)| *name == named)?;
        Some(Cell {
            rate,
            allocation,
            clusters: words.next()?.parse().ok()?,
            fared: words.map(fared).collect(),
        })
    };
    Found { procedures, cells: lines.filter_map(cell).collect() }
}

/// The largest mean size of clusters that the simulations speak of.
const LARGEST: f64 = 10.0;
/// A cell with more or fewer clusters than by this factor is not near.
const NEAR: f64 = 1.5;

/// Other procedures, in the order in which they are named, and in words.
const OTHERS: [(&str, &str); 7] = [
    ("OLS, CR2", "a linear model with CR2"),
    ("cluster means, t", "the cluster-level analysis"),
    ("cluster means, arm alone", "the cluster-level analysis without covariates"),
    ("mixed, Kenward-Roger", "the linear mixed model"),
    ("GEE, MD", "estimating equations with MD"),
    ("wild bootstrap, default", "the wild bootstrap of the linear model"),
    ("randomisation test", "the randomisation test"),
];

/// A sentence where simulations found that a procedure does not hold with so few clusters, with what held; none where it
/// held, or where they say nothing.
///
/// `clusters` has the number of clusters of each arm, `y` the outcome by row.
///
/// ```
/// use crewe::inference::{Vcov, few::{Analysed, caution}};
/// use ndarray::Array1;
/// let y = Array1::from_shape_fn(100, |row| f64::from(u8::from(row % 3 == 0)));
/// // Seven families in one arm and 33 in the other.
/// let said = caution(Analysed::Logit, Vcov::Cr2, &[7, 33], y.view()).unwrap();
/// assert!(said.contains("40 clusters at 5:1"), "{said}");
/// // As many as that hold.
/// assert_eq!(caution(Analysed::Mixed, Vcov::KenwardRoger, &[44, 88], y.view()), None);
/// ```
pub fn caution(model: Analysed, kind: Vcov, clusters: &[usize], y: ArrayView1<'_, f64>) -> Option<String> {
    let count: usize = clusters.iter().sum();
    let least = *clusters.iter().min()?;
    if clusters.len() != 2 || least == 0 || y.is_empty() || y.len() as f64 > LARGEST * count as f64 {
        return None;
    }
    let found = &*FOUND;
    let place = found.procedures.iter().position(|name| *name == procedure(model, kind))?;
    let cell = nearest(found, Allocation::of(least as f64 / count as f64), rate(y), count as f64)?;
    let what = match cell.fared.get(place).copied().flatten()? {
        Fared::Held(_) => return None,
        Fared::Often(size) => format!("rejected in {} and not in 5%", percent(size)),
        Fared::Seldom(size) => {
            format!("rejected in no more than {}, and so will miss effects", percent(size))
        }
        Fared::Silent(share) => format!("gave an answer in no more than {}", percent(share)),
    };
    let held = OTHERS.iter().filter_map(|(name, words)| {
        let other = found.procedures.iter().position(|own| own == name).filter(|other| *other != place)?;
        match cell.fared.get(other).copied().flatten()? {
            Fared::Held(size) => Some(format!("{words} ({})", percent(size))),
            _ => None,
        }
    });
    let outcome = cell
        .rate
        .map_or_else(|| "a skewed outcome".to_owned(), |rate| format!("an outcome of {:.0}%", 100.0 * rate));
    let held: Vec<String> = held.collect();
    // The randomisation test is always among the first two that are named.
    let shown = match held.as_slice() {
        [] => "a randomisation test".to_owned(),
        [only] => only.clone(),
        [first, .., last] => format!("{first} or {last}"),
    };
    Some(format!(
        "in simulated trials of {} clusters at {} with {outcome} and no effect, {} {what}: read {shown} instead",
        cell.clusters,
        cell.allocation.name(),
        found.procedures[place],
    ))
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// What the simulations call a covariance of a model.
fn procedure(model: Analysed, kind: Vcov) -> String {
    let kind = match kind {
        _ if matches!(model, Analysed::WildBootstrap | Analysed::ScoreBootstrap) => "default",
        Vcov::KenwardRoger => "Kenward-Roger",
        Vcov::Satterthwaite => "Satterthwaite",
        Vcov::Cv3 if model == Analysed::Ols => "jackknife",
        Vcov::Jackknife if model != Analysed::Ols => "CV3",
        Vcov::Iid if model == Analysed::Means => "t",
        kind => kind.name(),
    };
    format!("{}, {kind}", model.name())
}

/// How often a yes-or-no outcome occurs, or does not, whichever is rarer; none of other outcomes.
fn rate(y: ArrayView1<'_, f64>) -> Option<f64> {
    let ones = y.iter().filter(|value| **value == 1.0).count();
    let zeros = y.iter().filter(|value| **value == 0.0).count();
    (ones + zeros == y.len()).then(|| ones.min(zeros) as f64 / y.len().max(1) as f64)
}

/// The cell that an analysis is put beside.
fn nearest(found: &Found, allocation: Allocation, rate: Option<f64>, count: f64) -> Option<&Cell> {
    let known: Vec<f64> = found.cells.iter().filter_map(|cell| cell.rate).collect();
    let rate = rate
        .and_then(|rate| known.iter().copied().min_by(|a, b| (a - rate).abs().total_cmp(&(b - rate).abs())));
    let apart = |cell: &Cell| (cell.clusters / count).max(count / cell.clusters);
    let best = |allocation: Allocation| {
        found
            .cells
            .iter()
            .filter(|cell| cell.allocation == allocation && cell.rate == rate && apart(cell) <= NEAR)
            .min_by(|a, b| apart(a).total_cmp(&apart(b)))
    };
    // Arms alike were tried in fewer cells: two to one is the nearest to those that were not.
    best(allocation).or_else(|| best(Allocation::TwoToOne).filter(|_| allocation == Allocation::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array1;

    fn shares(n: usize, events: usize) -> Array1<f64> {
        Array1::from_shape_fn(n, |row| f64::from(u8::from(row < events)))
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        let text = include_str!("few.tsv");
        assert_eq!(FOUND.cells.len(), text.lines().count() - 1);
        assert!(FOUND.cells.iter().all(|cell| cell.fared.len() == FOUND.procedures.len()));
        let known = |name: &str| FOUND.procedures.contains(&name);
        assert!(OTHERS.iter().all(|(name, _)| known(name)));
        assert!(
            known(&procedure(Analysed::Firth, Vcov::Jackknife))
                && known(&procedure(Analysed::Ols, Vcov::Cv3))
        );
        assert!(known(&procedure(Analysed::Means, Vcov::Iid)));
        assert!(known(&procedure(Analysed::ScoreBootstrap, Vcov::Cr1)));
        // Read as it was written.
        let table =
            read("outcome\tallocation\tfamilies\ta\tb\tc\td\te\n6%\t5:1\t80\t4.9\t14.6+\t1.0-\t76.2?\t\n");
        let fared = [Fared::Held(0.049), Fared::Often(0.146), Fared::Seldom(0.01), Fared::Silent(0.762)];
        assert_eq!(table.procedures, ["a", "b", "c", "d", "e"]);
        assert_eq!(table.cells[0].fared[..4], fared.map(Some));
        assert!(table.cells[0].fared[4].is_none());
    }

    #[test]
    fn the_nearest_cell_is_taken_and_none_that_is_far() {
        let cell = |share: f64, rate: Option<f64>, count: f64| {
            nearest(&FOUND, Allocation::of(share), rate, count)
                .map(|cell| (cell.allocation.name(), cell.rate, cell.clusters))
        };
        assert_eq!(cell(1.0 / 3.0, Some(0.27), 35.0), Some(("2:1", Some(0.3), 40.0)));
        assert_eq!(cell(0.5, Some(0.05), 45.0), Some(("1:1", Some(0.06), 40.0)));
        assert_eq!(cell(0.15, None, 70.0), Some(("5:1", None, 80.0)));
        // Not tried with arms alike.
        assert_eq!(cell(0.5, Some(0.3), 140.0), Some(("2:1", Some(0.3), 132.0)));
        assert_eq!(cell(0.5, Some(0.3), 320.0), None);
        assert_eq!(cell(0.1, Some(0.06), 20.0), None);
    }

    #[test]
    fn nothing_is_said_of_what_was_not_tried() {
        let rare = shares(160, 10);
        assert!(caution(Analysed::Ols, Vcov::Cr2, &[13, 67], rare.view()).is_some());
        assert_eq!(caution(Analysed::Ols, Vcov::Cr0, &[13, 67], rare.view()), None);
        assert_eq!(caution(Analysed::Ols, Vcov::Cr2, &[13, 40, 27], rare.view()), None);
        assert_eq!(caution(Analysed::Ols, Vcov::Cr2, &[], rare.view()), None);
        assert_eq!(caution(Analysed::Ols, Vcov::Cr2, &[0, 80], rare.view()), None);
        assert_eq!(caution(Analysed::Ols, Vcov::Cr2, &[13, 67], shares(1600, 100).view()), None);
        assert_eq!(caution(Analysed::Ols, Vcov::Cr2, &[13, 67], Array1::zeros(0).view()), None);
    }
}

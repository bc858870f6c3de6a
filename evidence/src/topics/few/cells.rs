//! The cells of the grid, in blocks that each say why they are there.

use ndarray::Array1;

use crate::families::{Allocation, Binary, Children, Sizes};
use crate::grid::Cell;
use crewe::Result;
use crewe::rng::Stream;

/// How outcomes are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// 0 or 1, with the share of control children and the difference that the arm makes.
    Share { control: f64, difference: f64 },
    /// A number with a long tail in families and in children, of variance 1, and what the arm adds.
    Skewed { added: f64 },
}

/// Cells that share everything but their number of families.
pub struct Block {
    /// Why it is in the grid.
    pub why: &'static str,
    pub outcome: Outcome,
    pub allocation: Allocation,
    pub icc: f64,
    pub sizes: Sizes,
    pub families: &'static [usize],
}

const NULL_6: Outcome = Outcome::Share { control: 0.06, difference: 0.0 };
const NULL_15: Outcome = Outcome::Share { control: 0.15, difference: 0.0 };
const NULL_30: Outcome = Outcome::Share { control: 0.3, difference: 0.0 };
const NULL_50: Outcome = Outcome::Share { control: 0.5, difference: 0.0 };
const NULL_SKEWED: Outcome = Outcome::Skewed { added: 0.0 };

const fn block(
    outcome: Outcome,
    allocation: Allocation,
    icc: f64,
    families: &'static [usize],
    why: &'static str,
) -> Block {
    Block { why, outcome, allocation, icc, sizes: Sizes::Crewe, families }
}

use Allocation::{Equal, FiveToOne, TwoToOne};

/// The grid: 60 cells.
pub const BLOCKS: [Block; 27] = [
    block(
        NULL_30,
        TwoToOne,
        0.3,
        &[10, 20, 40, 80, 132, 200],
        "the common case, at every number of families",
    ),
    block(
        NULL_15,
        TwoToOne,
        0.3,
        &[10, 20, 40, 80],
        "between common and rare, where separation begins to matter",
    ),
    block(
        NULL_6,
        TwoToOne,
        0.3,
        &[10, 20, 40, 80, 132, 200],
        "rare: most trials of few families have few events",
    ),
    block(NULL_50, TwoToOne, 0.3, &[10, 20, 40], "as common as can be: few families without few events"),
    block(
        NULL_SKEWED,
        TwoToOne,
        0.3,
        &[10, 20, 40, 80, 132],
        "days and scores: long tails pull means and their errors together",
    ),
    block(NULL_30, Equal, 0.3, &[10, 20, 40], "arms alike, where skewness cancels"),
    block(NULL_6, Equal, 0.3, &[20, 40], "rare outcomes with arms alike"),
    block(NULL_SKEWED, Equal, 0.3, &[10, 20], "long tails with arms alike"),
    block(
        NULL_30,
        FiveToOne,
        0.3,
        &[20, 40, 80, 132, 200],
        "few controls: 3 to 34 families say how controls differ",
    ),
    block(NULL_15, FiveToOne, 0.3, &[40, 80], "few controls and fewer events among them"),
    block(
        NULL_6,
        FiveToOne,
        0.3,
        &[80, 132, 200],
        "few controls and rare outcomes: no event among them in many trials",
    ),
    block(NULL_SKEWED, FiveToOne, 0.3, &[20, 40, 80], "few controls and long tails"),
    block(NULL_30, TwoToOne, 0.0, &[20], "siblings no more alike than others"),
    block(NULL_30, TwoToOne, 0.1, &[20], "siblings a little alike"),
    block(
        NULL_30,
        TwoToOne,
        0.5,
        &[20, 132],
        "siblings much alike, with few families and with as many as Project Crewe",
    ),
    block(NULL_6, TwoToOne, 0.0, &[40], "rare outcomes that come one by one"),
    block(NULL_6, TwoToOne, 0.5, &[40], "rare outcomes that come in families"),
    block(NULL_SKEWED, TwoToOne, 0.5, &[20], "long tails of families"),
    Block {
        sizes: Sizes::Uniform,
        ..block(NULL_30, TwoToOne, 0.3, &[20], "large families: one to nine children, each number as often")
    },
    Block {
        sizes: Sizes::Uniform,
        ..block(NULL_6, TwoToOne, 0.3, &[40], "large families and rare outcomes")
    },
    block(
        NULL_30,
        Equal,
        0.0,
        &[10],
        "the fewest families at the least correlation, where corrections overdo it most",
    ),
    block(
        NULL_50,
        FiveToOne,
        0.3,
        &[40],
        "few controls with as many events as can be: what is left is the number of families",
    ),
    block(
        Outcome::Share { control: 0.3, difference: 0.2 },
        TwoToOne,
        0.3,
        &[20],
        "an effect: whether intervals hold it",
    ),
    block(
        Outcome::Share { control: 0.15, difference: 0.15 },
        TwoToOne,
        0.3,
        &[40],
        "an effect on a rarer outcome",
    ),
    block(
        Outcome::Share { control: 0.3, difference: 0.2 },
        FiveToOne,
        0.3,
        &[40],
        "an effect with few controls",
    ),
    block(Outcome::Skewed { added: 0.5 }, TwoToOne, 0.3, &[20], "an effect beside long tails"),
    block(
        Outcome::Skewed { added: 0.5 },
        FiveToOne,
        0.3,
        &[40],
        "an effect beside long tails with few controls",
    ),
];

impl Outcome {
    /// What the page calls it.
    pub fn label(self) -> String {
        let percent = |share: f64| format!("{:.0}%", 100.0 * share);
        match self {
            Self::Share { control, difference: 0.0 } => percent(control),
            Self::Share { control, difference } => {
                format!("{} and {:+.0} points", percent(control), 100.0 * difference)
            }
            Self::Skewed { added: 0.0 } => "skewed".into(),
            Self::Skewed { added } => format!("skewed and {added:+}"),
        }
    }

    pub fn is_share(self) -> bool {
        matches!(self, Self::Share { .. })
    }
}

/// The label of families' sizes.
pub fn sizes(sizes: Sizes) -> &'static str {
    if sizes == Sizes::Uniform { "mean 5" } else { "mean 2.5" }
}

impl Block {
    /// One of its cells.
    pub fn cell(&self, families: usize) -> Cell {
        Cell::new([
            ("outcome", self.outcome.label()),
            ("allocation", self.allocation.name().to_owned()),
            ("ICC", self.icc.to_string()),
            ("sizes", sizes(self.sizes).to_owned()),
            ("families", families.to_string()),
        ])
    }

    /// Children and their outcomes. A trial of which nothing can be said is drawn again: all children have the same outcome, or
    /// the covariate of families is theirs all, or says no more than the arm.
    pub fn draw(
        &self,
        stream: &mut Stream,
        arms: &[f64],
        model: Option<Binary>,
    ) -> Result<(Children, Array1<f64>)> {
        loop {
            let children = Children::draw(stream, arms, self.sizes)?;
            if !is_told(&children) {
                continue;
            }
            let y = match (self.outcome, model) {
                (Outcome::Share { .. }, Some(model)) => {
                    model.draw(&children, &children.shared_uniforms(stream, self.icc))
                }
                (Outcome::Skewed { added }, _) => self.skewed(stream, &children, added),
                // Every share has a model.
                (Outcome::Share { .. }, None) => Array1::zeros(children.n()),
            };
            if y.iter().any(|value| *value != y[0]) {
                return Ok((children, y));
            }
        }
    }

    fn skewed(&self, stream: &mut Stream, children: &Children, added: f64) -> Array1<f64> {
        let tail = |stream: &mut Stream| -(1.0 - stream.unit()).ln() - 1.0;
        let family: Vec<f64> = (0..children.families).map(|_| tail(stream)).collect();
        Array1::from_shape_fn(children.n(), |i| {
            let (row, g) = (children.x.row(i), children.family[i] as usize);
            let noise = self.icc.sqrt() * family[g] + (1.0 - self.icc).sqrt() * tail(stream);
            added * row[0] + 0.5 * row[1] + 0.3 * row[2] + noise
        })
    }
}

/// Whether families of one arm differ in their covariate, so that it can stand beside the arm.
fn is_told(children: &Children) -> bool {
    [0.0, 1.0].iter().any(|&arm| {
        let mut own = children.x.outer_iter().filter(|row| row[0] == arm).map(|row| row[1]);
        own.next().is_some_and(|first| own.any(|value| value != first))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_sixty_cells_and_none_twice() {
        let mut cells: Vec<String> = BLOCKS
            .iter()
            .flat_map(|block| block.families.iter().map(|&families| format!("{:?}", block.cell(families))))
            .collect();
        assert_eq!(cells.len(), 60);
        cells.sort();
        cells.dedup();
        assert_eq!(cells.len(), 60);
    }
}

//! Declaring a trial and randomising it.
//!
//! A [`Design`] says once who is randomised to what: the arms and their integer ratio, the unit that is
//! randomised (a cluster such as a family, or an individual), the strata, the procedure and the seed. From it
//! come the [`Assignment`], the permutation distribution ([`Design::draws`]) and the [`Commitment`] that is
//! lodged before the first unit is randomised.
//!
//! # The draw, exactly
//! 1. Identifiers and strata are canonical text: integers in decimal, text in Unicode NFC, compared as UTF-8
//!    bytes. Rows of one cluster are collapsed to one unit. Neither the order of the rows, nor the type of the
//!    identifier, nor the locale can enter.
//! 2. Every stratum has a stream of its own, `Stream::new(seed, "assign", labels, 0)`, where `labels` are the
//!    stratum's values in the order of the design's strata (none without strata). No stratum can change another.
//! 3. Within the stratum the units stand in bytewise order of their identifiers, the ratio is divided by its
//!    greatest common divisor, and the procedure ([`complete`], [`simple`]) draws one arm for each.
//!
//! Every procedure lives in a file of its own, with its options, its checks and its probabilities. Of the four rooms
//! `units` knows none of the others, `engine` holds what procedures are made of, `procedures` what a design may name, and
//! `drawn` what comes out of them.
//!
//! ```
//! use crewe::design::{Column, Complete, Design, Units};
//! let design = Design::new("Project Crewe")
//!     .arm("control", 1)
//!     .arm("crewe", 2)
//!     .cluster("family_id")
//!     .strata(["history"])
//!     .method(Complete::default())
//!     .seed(2017);
//! // Seven children of six families; both children of family 12 get the same arm.
//! let families = Column::from_values("family_id", ["3", "12", "12", "7", "9", "1", "20"]);
//! let history = Column::from_values("history", ["0", "1", "1", "0", "0", "1", "1"]);
//! let units = Units::from_rows(design.unit()?, &families, &[history])?;
//! let assignment = design.assign(&units)?;
//! assert_eq!(assignment.counts(), [2, 4]);
//! assert_eq!(assignment.probability[[0, 1]], 2.0 / 3.0);
//! # Ok::<(), crewe::Error>(())
//! ```

mod drawn;
mod engine;
mod procedures;
mod units;
mod wording;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::rng::Seed;
use crate::{Fault, Result};

pub use drawn::assignment::Assignment;
pub use drawn::balance::{Balance, Covariate, Level, balance};
pub use drawn::commitment::Commitment;
pub use drawn::consort::{ArmFlow, Count, Flow, flow};
pub(crate) use drawn::draws::Redraws;
pub use drawn::join::Joined;
pub use drawn::predictability::{Expected, Predictability};
pub use drawn::sequence::{Arrival, Block, Drawn, Sequence};
pub use engine::fraction::Fraction;
pub use engine::misfits::{self, Misfits};
pub(crate) use engine::procedure::Scratch;
pub use engine::procedure::{Details, LEFT_OUT, Probabilities, Support};
// Every procedure with its options and the method: a new one is named in its own room only.
pub use procedures::*;
pub use units::column::Column;
pub(crate) use units::column::nfc;
pub use units::{Factor, UnitCovariate, Units};
pub use wording::{Noun, Nouns, Wording};

/// One arm of a trial.
///
/// ```
/// use crewe::design::Design;
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 2);
/// assert_eq!((design.arms()[1].name.as_str(), design.arms()[1].ratio), ("crewe", 2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Arm {
    /// Its name, in Unicode NFC.
    pub name: String,
    /// Its share of the allocation ratio, at least 1.
    pub ratio: u32,
}

/// What is randomised.
///
/// ```
/// use crewe::design::Unit;
/// assert_eq!(Unit::Cluster("family_id".into()).column(), "family_id");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Unit {
    /// Clusters, named by this column: all rows of a cluster get one arm.
    Cluster(String),
    /// Individuals, named by this column: every row is a unit.
    Individual(String),
}

impl Unit {
    /// The column that holds the identifiers.
    pub fn column(&self) -> &str {
        match self {
            Self::Cluster(column) | Self::Individual(column) => column,
        }
    }
}

/// An allocation ratio in lowest terms.
///
/// ```
/// use crewe::design::Ratio;
/// let ratio = Ratio::new(&[100, 200]);
/// assert_eq!((ratio.shares.as_slice(), ratio.total), ([1, 2].as_slice(), 3));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ratio {
    /// The share of each arm.
    pub shares: Vec<u64>,
    /// Their sum.
    pub total: u64,
}

impl Ratio {
    /// The ratio of these shares, divided by their greatest common divisor.
    ///
    /// ```
    /// use crewe::design::Ratio;
    /// assert_eq!(Ratio::new(&[30, 70]), Ratio::new(&[3, 7]));
    /// ```
    #[must_use]
    pub fn new(shares: &[u32]) -> Self {
        let common = shares.iter().fold(0, |d, &s| gcd(d, u64::from(s))).max(1);
        let shares: Vec<u64> = shares.iter().map(|&s| u64::from(s) / common).collect();
        Self { total: shares.iter().sum(), shares }
    }
}

pub(crate) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The design of a trial, built step by step and checked when it is used.
///
/// ```
/// use crewe::design::{Blocks, Design};
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 2).cluster("family_id").strata(["history"])
///     .method(Blocks::new([3, 6])).seed(2017);
/// design.check()?;
/// // Serialised it is the design of the commitment, which never holds the seed.
/// assert_eq!(serde_json::to_value(&design).unwrap()["unit"]["column"], "family_id");
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Design {
    name: String,
    arms: Vec<Arm>,
    unit: Option<Unit>,
    strata: Vec<String>,
    method: Method,
    seed: Option<Seed>,
    wording: Wording,
}

impl Design {
    /// A design of this name, complete randomisation, without arms yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: nfc(name),
            arms: Vec::new(),
            unit: None,
            strata: Vec::new(),
            method: Method::default(),
            seed: None,
            wording: Wording::default(),
        }
    }

    /// Adds an arm with its integer share of the ratio; the first arm is the reference.
    #[must_use]
    pub fn arm(mut self, name: &str, ratio: u32) -> Self {
        self.arms.push(Arm { name: nfc(name), ratio });
        self
    }

    /// Randomises clusters, which this column names.
    #[must_use]
    pub fn cluster(mut self, column: &str) -> Self {
        self.unit = Some(Unit::Cluster(nfc(column)));
        self
    }

    /// Randomises individuals, which this column names.
    #[must_use]
    pub fn individual(mut self, column: &str) -> Self {
        self.unit = Some(Unit::Individual(nfc(column)));
        self
    }

    /// Randomises within the strata that these columns form together.
    #[must_use]
    pub fn strata<S: AsRef<str>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.strata = columns.into_iter().map(|c| nfc(c.as_ref())).collect();
        self
    }

    /// Chooses the procedure.
    #[must_use]
    pub fn method(mut self, method: impl Into<Method>) -> Self {
        self.method = method.into().normalised();
        self
    }

    /// Sets the seed: an integer for a reproducible draw, [`Seed::Key`] for a concealed one.
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Draws a seed from the operating system unless there is one already; read it with [`Design::the_seed`].
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn seeded(mut self) -> Result<Self> {
        if self.seed.is_none() {
            self.seed = Some(Seed::from_system()?);
        }
        Ok(self)
    }

    /// The name of the trial.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The arms in order, the reference first.
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }

    /// The names of the arms in order.
    pub fn arm_names(&self) -> Vec<String> {
        self.arms.iter().map(|arm| arm.name.clone()).collect()
    }

    /// The columns that form the strata.
    pub fn strata_columns(&self) -> &[String] {
        &self.strata
    }

    /// The procedure.
    pub fn the_method(&self) -> &Method {
        &self.method
    }

    /// The allocation ratio in lowest terms.
    pub fn ratio(&self) -> Ratio {
        Ratio::new(&self.arms.iter().map(|arm| arm.ratio).collect::<Vec<_>>())
    }

    /// What is randomised.
    ///
    /// # Errors
    /// [`crate::Error::Design`] when the design does not say.
    pub fn unit(&self) -> Result<&Unit> {
        self.unit.as_ref().ok_or_else(|| {
            Fault::new("the design does not say what is randomised")
                .remedy("Name the column of the clusters or of the individuals")
                .design()
        })
    }

    /// The seed.
    ///
    /// # Errors
    /// [`crate::Error::Design`] when there is none.
    pub fn the_seed(&self) -> Result<&Seed> {
        self.seed.as_ref().ok_or_else(|| {
            Fault::new("the design has no seed")
                .remedy("Give it one, or let the operating system draw one (seeded)")
                .design()
        })
    }

    /// Checks that the design can be carried out; everything that uses a design calls this first.
    ///
    /// # Errors
    /// [`crate::Error::Design`] for fewer than two or more than 255 arms, an arm without a name or with a share
    /// of 0, two arms of one name, no unit of randomisation, or a column that is named twice.
    pub fn check(&self) -> Result<()> {
        let refuse = |problem: &str, values: Vec<String>, remedy: &str| {
            Err(Fault::new(problem).values(values).remedy(remedy).design())
        };
        if self.name.is_empty() {
            return refuse("the trial has no name", vec![], "Name it, since the commitment holds its name");
        }
        let names = self.arm_names();
        if names.len() < 2 {
            return refuse("a trial needs at least two arms", names, "Declare the control arm too");
        }
        if names.len() > usize::from(u8::MAX) {
            return refuse(
                "a trial has at most 255 arms",
                vec![names.len().to_string()],
                "Declare fewer arms",
            );
        }
        if names.iter().any(String::is_empty) {
            return refuse("an arm has no name", names, "Name every arm");
        }
        let zero: Vec<String> =
            self.arms.iter().filter(|arm| arm.ratio == 0).map(|arm| arm.name.clone()).collect();
        if !zero.is_empty() {
            return refuse("an arm has a share of 0", zero, "Give every arm a whole number of at least 1");
        }
        let distinct: BTreeSet<&String> = names.iter().collect();
        if distinct.len() < names.len() {
            return refuse("two arms have the same name", names, "Rename one of them");
        }
        let unit = self.unit()?.column();
        if unit.is_empty() {
            return refuse("the column of the units has no name", vec![], "Name the column");
        }
        let strata: BTreeSet<&str> = self.strata.iter().map(String::as_str).collect();
        if strata.len() < self.strata.len() || strata.contains(unit) || strata.contains("") {
            let mut columns = self.strata.clone();
            columns.push(unit.to_owned());
            return refuse(
                "the columns of strata and units must differ from one another",
                columns,
                "Name each column once; the identifier cannot be a stratum",
            );
        }
        self.wording.check(&names, matches!(self.unit()?, Unit::Cluster(_)))?;
        self.method.check(&self.ratio(), self.unit()?, &self.strata)
    }

    /// Checks that the units were built for this design.
    pub(crate) fn check_units(&self, units: &Units) -> Result<()> {
        self.check()?;
        let told = |unit: &Unit, strata: &[String]| {
            let kind = if matches!(unit, Unit::Cluster(_)) { "clusters" } else { "individuals" };
            let within = if strata.is_empty() { "no strata".into() } else { strata.join(", ") };
            format!("{kind} named by {}, within {within}", unit.column())
        };
        if units.unit() != self.unit()? || units.strata_columns() != self.strata {
            return Err(Fault::new("the units were not built for this design")
                .values([
                    format!("the units: {}", told(units.unit(), units.strata_columns())),
                    format!("the design: {}", told(self.unit()?, &self.strata)),
                ])
                .remedy("Pass the identifiers and the strata that the design names, in its order")
                .design());
        }
        Ok(())
    }
}

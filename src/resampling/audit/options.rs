//! Which procedures are audited, and how.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::design::{Assignment, Design};
use crate::inference::{Vcov, check_level};
use crate::resampling::redrawn::redraw_seed;
use crate::rng::Seed;
use crate::setters::setters;
use crate::{Error, Fault, Result};

/// A way to a p-value of the arm.
///
/// ```
/// use crewe::inference::Vcov;
/// use crewe::resampling::Procedure;
/// assert_eq!("CR2".parse(), Ok(Procedure::Vcov(Vcov::Cr2)));
/// assert_eq!("wild_bootstrap".parse(), Ok(Procedure::WildBootstrap));
/// assert_eq!("firth".parse(), Ok(Procedure::Firth));
/// assert!("magic".parse::<Procedure>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Procedure {
    /// A t or z test of the coefficient by this covariance.
    Vcov(Vcov),
    /// The wild cluster bootstrap with its defaults.
    WildBootstrap,
    /// One value a cluster, compared by the pooled t-test.
    ClusterLevel,
    /// The randomisation test of the arm in the model.
    RandomisationTest,
    /// A logit with Firth's penalty of the same columns, with CR1.
    Firth,
    /// Estimating equations of the same columns with an exchangeable correlation, and their default covariance.
    Gee,
    /// The linear mixed model of the same columns, by Kenward and Roger.
    Mixed,
}

/// The procedures that are no covariance, by their names; the first of them apply unless others are named.
const NAMED: [(&str, Procedure); 6] = [
    ("wild_bootstrap", Procedure::WildBootstrap),
    ("cluster_level", Procedure::ClusterLevel),
    ("randomisation_test", Procedure::RandomisationTest),
    ("firth", Procedure::Firth),
    ("gee", Procedure::Gee),
    ("mixed", Procedure::Mixed),
];
/// How many of them these are.
const USUAL: usize = 3;

impl Procedure {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vcov(kind) => kind.name(),
            Self::WildBootstrap => NAMED[0].0,
            Self::ClusterLevel => NAMED[1].0,
            Self::RandomisationTest => NAMED[2].0,
            Self::Firth => NAMED[3].0,
            Self::Gee => NAMED[4].0,
            Self::Mixed => NAMED[5].0,
        }
    }
}

impl fmt::Display for Procedure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Procedure {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if let Some((_, found)) = NAMED.iter().find(|(known, _)| *known == name) {
            return Ok(*found);
        }
        name.parse().map(Self::Vcov).map_err(|_: Error| {
            let named = NAMED.map(|(name, _)| format!("'{name}'")).join(", ");
            Fault::new(format!("there is no procedure called '{name}'"))
                .remedy(format!("Choose {named}, or a covariance such as 'CR1', 'CR2' or 'CR3'"))
                .input()
        })
    }
}

/// As its name.
impl Serialize for Procedure {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How to audit.
///
/// ```
/// use crewe::resampling::AuditOptions;
/// let options = AuditOptions::default().alpha(0.1).effect(2.0).seed(7);
/// assert_eq!((options.bootstrap_draws, options.effect), (399, Some(2.0)));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuditOptions {
    /// What is audited, in this order.
    pub procedures: Vec<Procedure>,
    /// The two-sided level.
    pub alpha: f64,
    /// The effect that power is worked out at, if any.
    pub effect: Option<f64>,
    /// The draws of each wild bootstrap.
    pub bootstrap_draws: u64,
    /// The wild bootstrap of redraw i has this seed plus i; rows whose outcomes are moved are drawn from it too.
    pub seed: u64,
}

impl Default for AuditOptions {
    fn default() -> Self {
        let procedures = [Vcov::Cr1, Vcov::Cr2, Vcov::Cr3].map(Procedure::Vcov);
        let named = NAMED[..USUAL].iter().map(|(_, procedure)| *procedure);
        Self {
            procedures: procedures.into_iter().chain(named).collect(),
            alpha: 0.05,
            effect: None,
            bootstrap_draws: 399,
            seed: 1,
        }
    }
}

setters!(
    AuditOptions,
    procedures: into(Vec<Procedure>),
    alpha: plain(f64),
    effect: some(f64),
    bootstrap_draws: plain(u64),
    seed: plain(u64),
);

impl AuditOptions {
    /// Refuses what cannot be asked.
    pub(super) fn check(&self) -> Result<()> {
        check_level(1.0 - self.alpha)?;
        if self.procedures.is_empty() {
            return Err(Fault::new("no procedure is named")
                .remedy("Name at least one, for instance 'CR2'")
                .input());
        }
        if let Some(effect) = self.effect
            && (!effect.is_finite() || effect == 0.0)
        {
            return Err(Fault::new("power is worked out at an effect that is a number and not 0")
                .values([effect.to_string()])
                .remedy("State the effect in units of the outcome, or leave it out")
                .input());
        }
        Ok(())
    }

    /// Whether p rejects; rounding in sums of probabilities must not turn an attained level into one just above it.
    pub(super) fn rejects(&self, p: f64) -> bool {
        p <= self.alpha * (1.0 + 1e-9)
    }
}

/// The seed of an audit: the one that is given, else the design's own where it drew the assignment and is no secret key,
/// else one from the operating system.
///
/// # Errors
/// When the operating system has no randomness to give.
///
/// ```
/// use crewe::design::{Column, Design, Units};
/// use crewe::resampling::audit_seed;
/// let design = Design::new("Trial").arm("control", 1).arm("crewe", 1).cluster("family").seed(5);
/// let families = Column::from_values("family", ["a", "b", "c", "d"]);
/// let trial = design.assign(&Units::from_rows(design.unit()?, &families, &[])?)?;
/// assert_eq!((audit_seed(&design, &trial, None)?, audit_seed(&design, &trial, Some(9))?), (5, 9));
/// # Ok::<(), crewe::Error>(())
/// ```
pub fn audit_seed(design: &Design, assignment: &Assignment, given: Option<u64>) -> Result<u64> {
    match redraw_seed(design, assignment, given.map(Seed::Integer).as_ref())? {
        Seed::Integer(seed) => Ok(seed),
        Seed::Key(_) => {
            Err(Fault::new("the seed of an audit is a whole number: there is nothing to conceal")
                .remedy("Give for instance 1")
                .input())
        }
    }
}

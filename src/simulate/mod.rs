//! Power by replaying the trial: the declared procedure drawn on the real units, outcomes, the planned analysis.
//!
//! A [`Trial`] is a [`crate::design::Design`] with its units, an [`Outcome`] that says how outcomes come about, and an
//! [`Analysis`]. Replicate i has two random streams, both found by its number: the arms are replicate i of the procedure
//! ([`crate::design::Design::draws`] under the same seed), and the outcomes come from `Stream::new(seed,
//! "simulate/outcomes", [], i)`. So results are the same to the bit at any number of threads, machines or parts, and the
//! first thousand replicates of a long run are those of a short one.
//!
//! The same numbers serve every effect that is looked at: with an effect and without one ([`Trial::replicates`]), and over
//! the search for the smallest detectable effect ([`Trial::mdes`]), where the noise of the simulation then cancels.
//!
//! Outcomes register themselves (`outcomes/`). An analysis whose columns are the same within every unit never touches
//! rows (`by_unit`): only the arm changes from one replicate to the next, and the algebra of the other columns is done once.
//! All others (covariates of members, logit, Cox, log-rank) are fitted to rows by the models of this crate (`by_row`).
//!
//! ```
//! use crewe::design::{Column, Design, Units};
//! use crewe::inference::Vcov;
//! use crewe::progress::NoMonitor;
//! use crewe::rng::Seed;
//! use crewe::simulate::{Analysis, Binary, Rows, Trial, diagnose};
//! let family: Vec<u32> = (0..180).map(|child| child / 3).collect();
//! let design = Design::new("Trial").arm("control", 1).arm("crewe", 2).cluster("family").seed(1);
//! let ids = Column::from_values("family", family.iter().map(u32::to_string));
//! let units = Units::from_rows(design.unit()?, &ids, &[])?;
//! let outcome = Binary { baseline: 0.226, effect: 0.3, icc: 0.36, ..Binary::default() };
//! let rows = Rows::new(units.rows().to_vec());
//! let analysis = Analysis::new(Vcov::Cr2, 0.05);
//! let trial = Trial::new(&design, &units, rows.into(), outcome.into(), analysis, &Seed::Integer(7), &NoMonitor)?;
//! let found = diagnose(&trial.replicates(0..1_000, None, &NoMonitor)?, 0.3, 0.05)?;
//! assert!(found.power.value > 0.6 && found.bias.low < 0.0 && found.bias.high > 0.0);
//! # Ok::<(), crewe::Error>(())
//! ```

mod analysis;
mod by_row;
mod by_unit;
mod diagnosands;
mod drawn;
mod mdes;
mod members;
mod outcomes;
mod replay;
mod replicates;
mod room;
pub mod sharing;
mod sizes;
mod trial;

pub use analysis::{Analysis, Model, Target};
pub use diagnosands::{Diagnosands, Measure, diagnose};
pub use drawn::Drawn;
pub use mdes::{Detectable, Search};
pub use members::{Members, Rows, Subgroup};
pub use outcomes::{Binary, Continuous, Count, Covariate, Given, Outcome, Sharing, Survival};
pub use replicates::{Detect, Replicates, Status};
pub use sizes::Sizes;
pub use trial::Trial;

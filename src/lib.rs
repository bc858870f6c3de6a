//! Randomised controlled trials of public services, from randomisation to estimate.
//!
//! ```
//! use crewe::design::{Column, Design, Units};
//! use crewe::inference::{Clusters, Vcov};
//! use crewe::regression::Ols;
//! use ndarray::{Array1, Array2};
//!
//! // Twelve families of two children, randomised two to one, every sibling to one arm.
//! let family: Vec<u32> = (0..24).map(|child| child / 2).collect();
//! let ids = Column::from_values("family", family.iter().map(u32::to_string));
//! let trial = Design::new("Trial").arm("control", 1).arm("crewe", 2).cluster("family").seed(2017);
//! let units = Units::from_rows(trial.unit()?, &ids, &[])?;
//! let assignment = trial.assign(&units)?;
//! assert_eq!(assignment.counts(), [4, 8]);
//!
//! // The outcome, and the effect of the arm with errors that know the families.
//! let treated = Array2::from_shape_fn((24, 1), |(child, _)| f64::from(assignment.arm[units.rows()[child] as usize]));
//! let closed = Array1::from_shape_fn(24, |child| f64::from((child * 7 + 3) % 5 < 3));
//! let fit = Ols::new(closed.view(), treated.view()).named("closed", ["crewe"])?.fit()?;
//! let families = Clusters::new(&family)?;
//! let robust = fit.vcov(Vcov::Cr2, Some(&families))?;
//! assert!(robust.matrix()[(1, 1)] > 0.0 && robust.df()?[1] < 11.0);
//! # Ok::<(), crewe::Error>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`design`] | arms, procedures, assignments, balance, commitment |
//! | [`ledger`] | the register of a rolling trial: one family after the other, tamper-evident (feature `ledger`) |
//! | [`power`] | what a trial can detect |
//! | [`regression`] | models of an outcome |
//! | [`inference`] | what every fit shares: covariances, degrees of freedom, contrasts, joint tests |
//! | [`survival`] | times to an event |
//! | [`nonparametric`] | ranks, permutations, small counts, multiplicity |
//! | [`icc`] | the intracluster correlation |
//! | [`resampling`] | randomisation tests, and their intervals by inversion |
//! | [`simulate`] | power by replaying the trial: procedure, outcomes, planned analysis |
//! | [`instruments`] | evaluators' instruments: case rules, risk, SDQ, scales, costs |
//! | [`rng`], [`dist`], [`linalg`] | what the others stand on |
//!
//! No module but [`ledger`] reads or writes files, and none knows Python. Arrays at the border are those of
//! [`ndarray`], which is exported from here in the version that fits: `use crewe::ndarray::array;`.

#![forbid(unsafe_code)]

mod codes;
pub mod design;
pub mod dist;
mod error;
pub mod icc;
pub mod inference;
pub mod instruments;
mod json;
#[cfg(feature = "ledger")]
pub mod ledger;
pub mod linalg;
mod moments;
pub mod nonparametric;
pub mod power;
pub mod progress;
pub mod regression;
pub mod resampling;
pub mod rng;
mod setters;
pub mod simulate;
pub mod survival;
mod ties;
mod words;

pub use error::{Error, Fault, Result};
pub use ndarray;

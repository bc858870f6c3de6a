//! Randomised controlled trials of public services, from randomisation to estimate.

pub mod design;
pub mod dist;
mod error;
pub mod inference;
pub mod instruments;
pub mod linalg;
pub mod nonparametric;
pub mod power;
pub mod progress;
pub mod regression;
pub mod rng;
pub mod survival;

pub use error::{Error, Fault, Result};

//! Randomised controlled trials of public services, from randomisation to estimate.

pub mod design;
pub mod dist;
mod error;
pub mod progress;
pub mod rng;

pub use error::{Error, Fault, Result};

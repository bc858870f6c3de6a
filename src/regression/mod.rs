//! Regression: one file a model. What they share in inference is in [`crate::inference`].

pub mod ols;

pub use ols::{Ols, OlsFit, OlsSummary};

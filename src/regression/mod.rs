//! Regression: one file a model. What they share in inference is in [`crate::inference`].

pub mod fit;
mod logistic;
pub mod logit;
pub mod ols;
mod separation;

pub use fit::Fit;
pub use logit::{Logit, LogitFit, LogitSummary};
pub use ols::{Ols, OlsFit, OlsSummary};

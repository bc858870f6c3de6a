//! Regression: linear and generalised linear models. What they share in inference is in [`crate::inference`].
//!
//! * [`ols`]: least squares;
//! * [`glm`]: yes-or-no outcomes by maximum likelihood, for every [`Family`];
//! * [`firth`]: a logit with Firth's penalty; `profile`: intervals and tests by its profiles;
//! * [`gee`]: estimating equations with a working correlation within clusters;
//! * [`mixed`]: the linear mixed model with an intercept for every cluster;
//! * [`cluster_level`]: what a cluster-level analysis compares;
//! * [`accumulate`]: least squares from sums over clusters, chunk by chunk;
//! * [`fit`](mod@fit): a fitted model and what can be asked of it;
//! * [`estimates`]: what a fit holds of its rows; `rows`: the same as inference takes it;
//! * [`weights`]: weights of rows.

mod absorbed;
pub mod accumulate;
mod blocks;
pub mod cluster_level;
mod constant_groups;
pub mod estimates;
pub mod family;
pub mod firth;
pub mod fit;
pub mod gee;
pub mod glm;
pub mod mixed;
mod newton;
pub(crate) mod offset;
pub mod ols;
mod pass;
mod profile;
mod rows;
mod saturated;
mod separation;
pub mod weights;
mod whitened;

pub use accumulate::{Accumulated, AccumulatedFit};
pub use estimates::{Estimates, Refit, Scored};
pub use family::Family;
pub use firth::{Penalised, Penalty};
pub use fit::{Fit, Summary};
pub use glm::{Glm, GlmFit, GlmSummary, Logit, LogitFit};
pub use ols::{Ols, OlsFit, OlsSummary};
pub use weights::{WeightKind, Weights};

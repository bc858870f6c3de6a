//! Bootstraps over clusters.
//!
//! [`wild_bootstrap`] keeps the clusters of a fit and multiplies their scores by random weights: it needs sums over
//! clusters only, so a draw costs the same however large they are. [`pairs`] draws clusters themselves, with
//! replacement, for statistics that are computed elsewhere.

mod drawn;
mod left_out;
mod looked_up;
mod null_model;
mod options;
mod pairs;
mod pieces;
mod weights;
mod wild;

pub use options::{Extreme, WildBootstrap, WildOptions, WildType};
pub use pairs::{Resampled, pairs, replicates};
pub use weights::WildWeights;
pub use wild::wild_bootstrap;

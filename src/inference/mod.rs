//! What every fitted model shares: covariance matrices, small-sample degrees of freedom, contrasts, joint tests, margins.
//!
//! A model that has been fitted implements [`Fitted`]: its coefficients, the factor that whitens its information, and
//! score and information cluster by cluster. Everything here is written once against that, and not per model.
//!
//! With `W W'` the inverse information, the whitened score of a cluster is `t_g = W' (its part of the gradient)`, its
//! whitened information `L_g`, and every sandwich is `W (sum of s_g s_g') W'` for (adjusted) scores `s_g`. So all of it is
//! k x k algebra, however large the clusters are.
//!
//! * [`fitted`]: the contract;
//! * [`bread`]: the factor W, and contrasts of centred columns;
//! * [`mod@vcov`]: the kinds of covariance and their definitions;
//! * [`covariance`](mod@covariance): a covariance and the questions put to it;
//! * [`few`]: what simulations found of few clusters;
//! * [`mod@diagnostics`]: how much a fit rests on single clusters;
//! * [`contrasts`], [`wald`], [`margins`]: single and joint combinations of coefficients, and predicted means.

mod adjusted;
pub mod bread;
pub mod clusters;
mod components;
pub mod contrasts;
pub mod covariance;
pub mod diagnostics;
mod equations;
pub mod few;
pub mod fitted;
mod inverse_root;
pub mod level;
pub mod margins;
mod rows;
mod targets;
pub mod vcov;
pub mod wald;

pub use bread::Bread;
pub use clusters::{Clusters, check_clusters, check_units_by_arm};
pub use components::Components;
pub use contrasts::Contrasts;
pub(crate) use contrasts::check_contrasts;
pub use covariance::{Covariance, Sandwich};
pub use diagnostics::{Diagnostics, Sizes};
pub use fitted::{ClusterRows, Fitted, Identity, Link, Moments, Reference, Restricted, Target, WhitenedRows};
pub use level::{check_level, not_a_level};
pub use margins::{Compare, Margins, Setting};
pub use vcov::{DfRule, Vcov, covariance};
pub use wald::Wald;
pub(crate) use wald::{orthonormal, quadratic};

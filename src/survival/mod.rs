//! Times to an event: Kaplan-Meier, log-rank and Cox, all of it per distinct time.
//!
//! * [`data`]: times and events, checked and grouped by distinct time;
//! * [`mod@kaplan_meier`]: survival curves, their intervals, quantiles and numbers at risk;
//! * [`mod@rmst`]: the area under a curve up to a horizon, by arm, with clusters;
//! * [`mod@logrank`]: the log-rank test of k groups, within strata;
//! * [`cox`]: proportional hazards with Efron's or Breslow's ties, strata and clusters;
//! * [`diagnostics`]: tests of proportional hazards;
//! * [`curves`]: baseline hazards, curves at given covariates, adjusted curves.

pub mod blinded;
pub mod cox;
mod cox_clusters;
mod cox_small;
pub mod curves;
pub mod data;
pub mod diagnostics;
mod hazard;
pub mod kaplan_meier;
mod likelihood;
pub mod logrank;
mod monotone;
pub(crate) mod null;
mod residuals;
pub mod rmst;

pub use blinded::TimesSeen;
pub use cox::{Cox, CoxFit, Test};
pub use curves::{AdjustedCurves, AdjustedRisks, Baseline, SurvivalCurve};
pub use data::{Surv, Tie, Timeline, Tolerance};
pub use diagnostics::{Transform, Zph};
pub use kaplan_meier::{Curve, Interval, Options, Quantile, kaplan_meier};
pub use likelihood::Ties;
pub use logrank::{LogRank, logrank};
pub use rmst::{Rmst, RmstOptions, rmst};

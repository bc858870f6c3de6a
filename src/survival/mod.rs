//! Times to an event: Kaplan-Meier, log-rank and Cox, all of it per distinct time.
//!
//! * [`data`]: times and events, checked and grouped by distinct time;
//! * [`kaplan_meier`]: survival curves, their intervals, quantiles and numbers at risk;
//! * [`logrank`]: the log-rank test of k groups, within strata.

pub mod data;
pub mod kaplan_meier;
pub mod logrank;

pub use data::{Surv, Tie, Timeline};
pub use kaplan_meier::{Curve, Interval, Options, Quantile, kaplan_meier};
pub use logrank::{LogRank, logrank};

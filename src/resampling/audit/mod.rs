//! An audit of inference: how often each procedure rejects where nothing happened, on the very outcomes of a trial and
//! under its own randomisation.
//!
//! If no arm has an effect on anybody (the sharp null hypothesis) the outcomes are what they are under every assignment.
//! So the trial's procedure is drawn again, the arm of every row changes with it, the same model is fitted again with all
//! its other terms, and every procedure gives its p-value: the share of redraws with p at most alpha is the size of that
//! procedure, in this trial and for these outcomes. Where all assignments can be listed they are, weighted by their
//! probabilities, and the size is exact. A redraw that gives no p-value (a separated logit, an arm with fewer than two
//! units, no variance) rejects nothing and is counted apart.
//!
//! The randomisation test's own size follows from the same redraws, since each of them is judged among all others: it is
//! the level that the test can attain.
//!
//! Other models of the same columns can stand beside it, so that one audit compares what can be done about few clusters:
//! Firth's penalty, estimating equations, the mixed model. Each is fitted again as the model itself is.
//!
//! A stated effect gives power. In a linear model of a quantity it is added to the outcomes of the redrawn arm's rows:
//! that moves the estimate by as much and leaves every residual where it was, and with them what a working correlation and
//! variances between clusters are estimated from, so that an interval holds the effect
//! exactly where the test without it does not reject, and coverage follows from the same fits. Of a yes-or-no outcome
//! rows of the redrawn arm are drawn at random whose outcome is moved, until the arm's rate has risen by the effect;
//! which interval should hold what is then not defined. Times are only audited for size.
//!
//! This is size under one hypothesis, given these outcomes. It judges procedures, and never takes the place of an
//! analysis that was declared before.
//!
//! What is asked is in `options`, the model whose arm is redrawn in `model`, one redraw in `redraw`, the power of the
//! randomisation test in `judged`, the shares in `found`.

mod cluster_level;
mod found;
mod judged;
mod model;
mod options;
mod raised;
mod redraw;

pub use found::{Audit, AuditRow, audited};
pub use model::AuditedModel;
pub use options::{AuditOptions, Procedure, audit_seed};
pub use redraw::Audited;

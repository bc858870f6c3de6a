//! What a trial can detect: power, smallest detectable effect and number of clusters from closed forms.
//!
//! Whole clusters (families) are randomised, `K` of them, a share `pi` to the treated arm. With mean size `m`,
//! intracluster correlation `rho` and design effect `D` (see [`clustering`]), each arm counts for
//!
//! ```text
//! n_1 = pi K m / (D (1 - r2)),    n_0 = (1 - pi) K m / (D (1 - r2))
//! ```
//!
//! independent units; other layouts, covariates by level, losses and subgroups are in [`worth`]. An outcome turns an effect
//! into a contrast and its standard errors under the effect and under none ([`Outcome`]), from which come a noncentrality
//! `lambda` and a factor `s` on the critical value (1 unless the two errors differ), and
//!
//! ```text
//! power = P(T > c s) + P(T < -c s),   T ~ N(lambda, 1)  or  noncentral t with K - 2 df,
//! ```
//!
//! where `c` is the two-sided critical value ([`tails`] has the other hypotheses). **Both tails count**, so power at no
//! effect is alpha. Under [`FEW`] clusters the law is t, unless one is asked for. The share is not
//! rounded: 322 clusters at 2:1 count as 214.67 and 107.33, which is what a randomisation that honours the ratio
//! gives on average; [`Solution`] shows the nearest whole split (a half goes to the treated arm) beside it.
//!
//! Source: A. Donner and N. Klar, *Design and Analysis of Cluster Randomization Trials in Health Research*,
//! Arnold, 2000, chapter 5; S. W. Raudenbush, Psychological Methods 2 (1997) 173-185,
//! <https://doi.org/10.1037/1082-989X.2.2.173>, for the noncentral t with `K - 2` degrees of freedom.
//!
//! Each kind of outcome has a file of its own and shares everything else here: [`binary`], [`continuous`], [`count`],
//! [`survival`].

mod answer;
pub mod assurance;
pub mod binary;
pub mod blinded;
mod checks;
pub mod clustering;
pub mod continuous;
pub mod correlated;
pub mod count;
mod layout;
pub mod noncentral;
mod outcome;
mod periods;
mod plan;
pub mod recruitment;
mod search;
pub mod several;
mod solve;
pub mod survival;
pub mod tails;
pub mod worth;

pub use answer::{Answer, Direction, Scale};
pub use clustering::ClusterSize;
pub use layout::Layout;
pub use outcome::{Arms, Outcome};
pub use periods::Periods;
pub use plan::{
    Adjustment, Baseline, Distribution, FEW, Hypothesis, Level, Plan, Subgroup, Unknown, Weighting,
};
pub use search::Ceiling;
pub use solve::{Solution, solve};

//! What is asked of every simulated trial: the defaults of crewe's models, and what can stand in for them.

use crewe::inference::Vcov;
use crewe::regression::gee::GeeFamily;
use crewe::resampling::WildType;

use super::trial::{First, Trial};
use crate::grid::Verdict;

/// A model, whose default one of its procedures is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    Linear,
    Logit,
    Firth,
    Probit,
    Means,
    Gee,
    GeeLogit,
    Mixed,
    WildLinear,
    WildLogit,
    Randomisation,
}

impl Model {
    pub const ALL: [Self; 11] = [
        Self::Linear,
        Self::Logit,
        Self::Firth,
        Self::Probit,
        Self::Means,
        Self::Gee,
        Self::GeeLogit,
        Self::Mixed,
        Self::WildLinear,
        Self::WildLogit,
        Self::Randomisation,
    ];

    /// As users call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "`ols`",
            Self::Logit => "`logit`",
            Self::Firth => "`logit`, Firth",
            Self::Probit => "`probit`",
            Self::Means => "`cluster_level`",
            Self::Gee => "`gee`",
            Self::GeeLogit => "`gee`, binomial",
            Self::Mixed => "`mixed`",
            Self::WildLinear => "`wild_bootstrap` of `ols`",
            Self::WildLogit => "`wild_bootstrap` of `logit`",
            Self::Randomisation => "`randomisation_test`",
        }
    }

    /// Its default, on the index.
    pub fn named(self) -> &'static str {
        match self {
            Self::Linear => "`ols`: CR2",
            Self::Logit => "`logit`: CR2",
            Self::Firth => "`logit`, Firth: CV3 up to 40 clusters, then CR1",
            Self::Probit => "`probit`: CR2",
            Self::Means => "`cluster_level`: t-test of clusters",
            Self::Gee => "`gee`, gaussian: MD",
            Self::GeeLogit => "`gee`, binomial: KC",
            Self::Mixed => "`mixed`: Kenward-Roger",
            Self::WildLinear => "`wild_bootstrap` of `ols`",
            Self::WildLogit => "`wild_bootstrap` of `logit`",
            Self::Randomisation => "`randomisation_test` of the linear model",
        }
    }

    /// Whether it takes outcomes of 0 and 1 only.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Logit | Self::Firth | Self::Probit | Self::GeeLogit | Self::WildLogit)
    }
}

/// One way to test the arm.
pub struct Procedure {
    pub name: &'static str,
    pub model: Model,
    /// Whether it is what its model gives by default, in the cells that it is tried in; where none is, the next of the model is.
    pub default: bool,
    /// The part of the trials that it is given, as a divisor: defaults that are quick get all of them.
    pub share: u64,
    /// The most families of the cells that it is tried in: refits without each of many families take long.
    pub most: usize,
    pub of: fn(&Trial<'_>) -> Verdict,
}

const fn default(model: Model, name: &'static str, of: fn(&Trial<'_>) -> Verdict) -> Procedure {
    Procedure { name, model, default: true, share: SHARES[0], most: 200, of }
}

const fn other(model: Model, name: &'static str, of: fn(&Trial<'_>) -> Verdict) -> Procedure {
    Procedure { name, model, default: false, share: SHARES[1], most: 200, of }
}

/// What fits the model again for each family, or along a profile, and is no default: over 2 ms in every cell.
const fn dear(procedure: Procedure) -> Procedure {
    Procedure { share: SHARES[2], most: 40, ..procedure }
}

/// The parts of the trials that defaults, others, and those that take long are given.
pub const SHARES: [u64; 3] = [1, 5, 20];

/// Every procedure, the default of a model first.
// A method's own name would not do for trials of every lifetime.
#[allow(clippy::redundant_closure_for_method_calls)]
pub const PROCEDURES: [Procedure; 38] = [
    default(Model::Linear, "OLS, CR2", |t| t.linear(Vcov::Cr2)),
    other(Model::Linear, "OLS, CR1", |t| t.linear(Vcov::Cr1)),
    other(Model::Linear, "OLS, CR1S", |t| t.linear(Vcov::Cr1s)),
    other(Model::Linear, "OLS, CR3", |t| t.linear(Vcov::Cr3)),
    other(Model::Linear, "OLS, jackknife", |t| t.linear(Vcov::Jackknife)),
    other(Model::Linear, "OLS, hansen", |t| t.linear(Vcov::Hansen)),
    default(Model::Logit, "logit, CR2", |t| t.logit(Vcov::Cr2)),
    other(Model::Logit, "logit, CR1", |t| t.logit(Vcov::Cr1)),
    other(Model::Logit, "logit, CV3L", |t| t.logit(Vcov::Cv3l)),
    dear(other(Model::Logit, "logit, CV3", |t| t.logit(Vcov::Cv3))),
    other(Model::Logit, "logit margin, CR2", |t| t.margin()),
    // The default of up to 40 clusters, then that of more.
    Procedure { share: SHARES[1], most: 40, ..default(Model::Firth, "Firth, CV3", |t| t.firth(Vcov::Cv3)) },
    Procedure { share: SHARES[0], ..other(Model::Firth, "Firth, CR1", |t| t.firth(Vcov::Cr1)) },
    dear(other(Model::Firth, "Firth, profile", |t| t.profile())),
    default(Model::Probit, "probit, CR2", |t| t.probit()),
    default(Model::Means, "cluster means, t", |t| t.means(First::Usual, false, Vcov::Iid)),
    other(Model::Means, "cluster means, HC2", |t| t.means(First::Usual, false, Vcov::Hc2)),
    other(Model::Means, "cluster means by size, HC2", |t| t.means(First::Usual, true, Vcov::Hc2)),
    other(Model::Means, "cluster means, t, linear first", |t| t.means(First::Linear, false, Vcov::Iid)),
    other(Model::Means, "cluster means, arm alone", |t| t.arm_alone()),
    default(Model::Gee, "GEE, MD", |t| t.gee(Vcov::Md)),
    other(Model::Gee, "GEE, KC", |t| t.gee(Vcov::Kc)),
    other(Model::Gee, "GEE, FG", |t| t.gee(Vcov::Fg)),
    other(Model::Gee, "GEE, MBN", |t| t.gee(Vcov::Mbn)),
    other(Model::Gee, "GEE independence, KC", |t| t.independent(GeeFamily::Gaussian)),
    default(Model::GeeLogit, "logit GEE, KC", |t| t.gee_logit(Vcov::Kc)),
    other(Model::GeeLogit, "logit GEE, MD", |t| t.gee_logit(Vcov::Md)),
    other(Model::GeeLogit, "logit GEE, FG", |t| t.gee_logit(Vcov::Fg)),
    other(Model::GeeLogit, "logit GEE, MBN", |t| t.gee_logit(Vcov::Mbn)),
    other(Model::GeeLogit, "logit GEE independence, KC", |t| t.independent(GeeFamily::Binomial)),
    default(Model::Mixed, "mixed, Kenward-Roger", |t| t.mixed(Vcov::KenwardRoger)),
    other(Model::Mixed, "mixed, Satterthwaite", |t| t.mixed(Vcov::Satterthwaite)),
    other(Model::Mixed, "mixed, CR2", |t| t.mixed(Vcov::Cr2)),
    default(Model::WildLinear, "wild bootstrap, default", |t| t.wild(None)),
    other(Model::WildLinear, "wild bootstrap, 11", |t| t.wild(Some(WildType::C11))),
    other(Model::WildLinear, "wild bootstrap, 33", |t| t.wild(Some(WildType::B33))),
    default(Model::WildLogit, "score bootstrap, default", |t| t.score()),
    Procedure {
        share: SHARES[1],
        ..default(Model::Randomisation, "randomisation test", |t| t.randomisation())
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_one_default_and_it_comes_first() {
        for model in Model::ALL {
            let own: Vec<bool> = PROCEDURES.iter().filter(|p| p.model == model).map(|p| p.default).collect();
            assert_eq!(own.iter().filter(|default| **default).count(), 1, "{model:?}");
            assert!(own[0], "{model:?}");
        }
        let mut names: Vec<&str> = PROCEDURES.iter().map(|p| p.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROCEDURES.len());
    }
}

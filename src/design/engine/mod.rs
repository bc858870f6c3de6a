//! What procedures are made of: streams of random numbers, rules over fake arms, splits of a stratum, lists of
//! assignments with their scores and probabilities.

pub(crate) mod counting;
pub(crate) mod fake_arms;
pub(crate) mod fraction;
pub(crate) mod matching;
pub mod misfits;
pub(crate) mod misfits_pooled;
pub(crate) mod paths;
pub(crate) mod procedure;
pub(crate) mod random;
pub(crate) mod schemes;
pub(crate) mod score;
pub(crate) mod split;
pub(crate) mod stepwise;
mod weighing;

//! The topics, one file each.

mod few;
mod icc;
mod individuals;
mod linear;
mod logit;
mod minimisation;
mod predictability;
mod randomisation;
mod ranks;
mod rates;
mod rerandomisation;
mod sets;
mod statistics;
mod survival;

use crate::Topic;

/// Every topic, in the order of the pages.
pub const TOPICS: &[Topic] = &[
    linear::TOPIC,
    logit::TOPIC,
    few::TOPIC,
    individuals::TOPIC,
    sets::TOPIC,
    survival::TOPIC,
    ranks::TOPIC,
    rates::TOPIC,
    icc::TOPIC,
    randomisation::TOPIC,
    statistics::TOPIC,
    rerandomisation::TOPIC,
    minimisation::TOPIC,
    predictability::TOPIC,
];

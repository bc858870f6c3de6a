//! The topics, one file each.

mod individuals;
mod linear;
mod logit;
mod sets;

use crate::Topic;

/// Every topic, in the order of the pages.
pub const TOPICS: &[Topic] = &[linear::TOPIC, logit::TOPIC, individuals::TOPIC, sets::TOPIC];

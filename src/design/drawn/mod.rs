//! What is drawn from a design, and what is known of it: assignments at once or one arrival after the other, the
//! commitment to them, their balance, flow and predictability, and the data that are matched to them.

pub(super) mod assignment;
pub(super) mod balance;
pub(super) mod commitment;
pub(super) mod consort;
pub(super) mod draws;
pub(super) mod join;
mod observe;
pub(super) mod predictability;
pub(super) mod sequence;

//! The instruments of evaluators: counts, scores and costs as reports on public services use them.

pub mod cost;
mod exact;

//! What an evaluator of social care measures with: case records, risk matrices, questionnaires, costs.

pub mod cases;
pub mod cost;
mod exact;
pub mod likert;
pub mod risk;
pub mod sdq;

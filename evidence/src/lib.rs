//! Simulated trials which show where crewe's defaults hold and where they fail.
//!
//! A topic (`topics/`) declares a grid of cells, runs the procedures of crewe on the same simulated trials in each, and
//! writes a page of what came out. [`mod@grid`] simulates, deterministically: every replicate has a random stream named
//! by seed, topic, cell and number, so results are the same to the bit at any number of threads, and the first
//! hundred replicates of a long run are those of a short one. To add a topic, write `topics/NAME.rs` with a
//! `pub const TOPIC: Topic` and put its line into [`TOPICS`].

pub mod families;
pub mod figure;
pub mod grid;
pub mod page;
pub mod topics;

pub use grid::{Cell, CellResult, Part, Results, Run, Topic, Verdict};
pub use topics::TOPICS;

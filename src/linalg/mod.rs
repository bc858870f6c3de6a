//! Cross-products of tall, narrow design matrices, without ever copying the data.
//!
//! * [`matrix`]: the design matrix as it is borrowed from the caller, the intercept implied;
//! * [`gram`]: cross-products of its rows in fixed blocks, the same bits for any number of threads;
//! * [`factor`]: Cholesky factors of those products, in doubles or in double-doubles;
//! * `indicators`: the levels of a large factor among the columns;
//! * [`double`]: double-double arithmetic, about 32 digits.

pub mod double;
pub mod factor;
pub mod gram;
pub(crate) mod indicators;
pub mod matrix;

pub use matrix::DesignMatrix;

//! Conversions that every capability shares.

use std::str::FromStr;

use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::{OrRaise, to_python};
use crate::key::Secret;

/// A dictionary of results: `record!(py, "coef" => array, "n" => 12)`.
macro_rules! record {
    ($py:expr, $($name:literal => $value:expr),+ $(,)?) => {{
        let dict = pyo3::types::PyDict::new($py);
        $(dict.set_item($name, $value)?;)+
        dict
    }};
}
pub(crate) use record;

/// The slice of a one-dimensional array, which the package always passes contiguous.
pub fn slice<'a, T: numpy::Element>(array: &'a PyReadonlyArray1<'_, T>) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| PyValueError::new_err("the array must be contiguous"))
}

/// A seed as Python gives it: an integer from 0 to 2^64 - 1, or a key.
#[derive(FromPyObject)]
pub(crate) enum SeedLike {
    /// A reproducible seed.
    Integer(u64),
    /// A secret key.
    Key(Secret),
}

impl From<SeedLike> for crewe::rng::Seed {
    fn from(seed: SeedLike) -> Self {
        match seed {
            SeedLike::Integer(value) => Self::Integer(value),
            SeedLike::Key(key) => key.seed(),
        }
    }
}

/// A confidence level between 0 and 1; anything else, text included, is refused with the core's words.
#[derive(Clone, Copy)]
pub struct Level(pub f64);

impl<'a, 'py> FromPyObject<'a, 'py> for Level {
    type Error = PyErr;

    fn extract(level: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let py = level.py();
        let Ok(value) = level.extract::<f64>() else {
            let shown: String = level.repr()?.to_string().chars().take(40).collect();
            return Err(to_python(py, &crewe::inference::not_a_level(shown)));
        };
        crewe::inference::check_level(value).or_raise(py)?;
        Ok(Self(value))
    }
}

/// A word of one of the core's enumerations; any other, or what is no text, is refused with those that there are.
#[derive(Clone, Copy)]
pub struct Word<T>(pub T);

impl<'a, 'py, T: FromStr<Err = crewe::Error>> FromPyObject<'a, 'py> for Word<T> {
    type Error = PyErr;

    fn extract(word: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let text = match word.extract::<String>() {
            Ok(text) => text,
            Err(_) => word.repr()?.to_string().chars().take(40).collect(),
        };
        text.parse().map(Self).or_raise(word.py())
    }
}

//! What every handle is made with: arrays, seeds, and classes of columns.

use std::str::FromStr;

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::{OrRaise, to_python};
use crate::key::Secret;

/// A column of numbers that Python holds.
pub type Floats = Py<PyArray1<f64>>;

/// Gives numbers to Python as an array, without a copy.
pub fn floats(py: Python<'_>, values: Vec<f64>) -> Floats {
    values.into_pyarray(py).unbind()
}

/// What makes columns again, and the columns, as a pickle holds them.
pub type Taken<'py> = (Bound<'py, PyAny>, (Vec<Floats>,));

/// A class of columns, frozen: a getter each, and a pickle that takes it apart and puts it together again.
macro_rules! columns {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[pyclass(module = "crewe._core", frozen, get_all)]
        $vis struct $name {
            $($field: $crate::handle::Floats),+
        }

        #[pymethods]
        impl $name {
            /// The columns again, from the list of them.
            #[staticmethod]
            fn restore(columns: [$crate::handle::Floats; [$(stringify!($field)),+].len()]) -> Self {
                let [$($field),+] = columns;
                Self { $($field),+ }
            }

            fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<$crate::handle::Taken<'py>> {
                let columns = vec![$(self.$field.clone_ref(py)),+];
                Ok((py.get_type::<Self>().getattr("restore")?, (columns,)))
            }
        }
    };
}
pub(crate) use columns;

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

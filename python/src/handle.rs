//! What every handle is made with: arrays, seeds, and classes of columns.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

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

//! Keys as Python holds them: handles that only the core can look into.
//!
//! A traceback that shows locals, and a tracker that sends them away, walk through whatever Python can reach. So the
//! bytes of a key are read here, where there are no frames, and never given back but by `reveal`.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::PathBuf;
use std::sync::OnceLock;

use crewe::ledger;
use crewe::rng::Seed;
use crewe::{Error, Fault};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyString, PyType};

use crate::error::{OrRaise, to_python};

/// A secret of 256 bits.
#[pyclass(module = "crewe._core", subclass, frozen, from_py_object)]
#[derive(Clone)]
pub(crate) struct Secret {
    bytes: [u8; 32],
}

impl Secret {
    pub(crate) fn seed(&self) -> Seed {
        Seed::Key(self.bytes)
    }
}

fn no_key(py: Python<'_>) -> PyErr {
    to_python(py, &Fault::new("a key is 32 bytes").remedy("Make one with crewe.new_key()").design())
}

fn bytes_of(py: Python<'_>, seed: crewe::Result<Seed>) -> PyResult<[u8; 32]> {
    match seed.or_raise(py)? {
        Seed::Key(bytes) => Ok(bytes),
        Seed::Integer(_) => Err(no_key(py)),
    }
}

/// Calls the class, so that a subclass gives its own.
fn made<'py>(class: &Bound<'py, PyType>, bytes: &[u8; 32]) -> PyResult<Bound<'py, PyAny>> {
    class.call1((PyBytes::new(class.py(), bytes),))
}

#[pymethods]
#[expect(clippy::unused_self, reason = "Python calls these on the key")]
impl Secret {
    #[new]
    fn new(secret: &Bound<'_, PyAny>) -> PyResult<Self> {
        let bytes = secret.cast::<PyBytes>().ok().and_then(|bytes| bytes.as_bytes().try_into().ok());
        bytes.map(|bytes| Self { bytes }).ok_or_else(|| no_key(secret.py()))
    }

    /// Give the key that `reveal` wrote down.
    #[classmethod]
    fn from_hex<'py>(class: &Bound<'py, PyType>, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = class.py();
        let text = text.cast::<PyString>().map_err(|_| no_key(py))?;
        let digits: String = text.to_str()?.split_ascii_whitespace().collect();
        let seed = ledger::key_from_hex(&digits).map_err(|_| no_key(py))?;
        made(class, &bytes_of(py, Ok(seed))?)
    }

    /// Draw a secret key from the operating system.
    #[classmethod]
    fn draw<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
        let py = class.py();
        made(class, &bytes_of(py, Seed::new_key())?)
    }

    /// Read the key of a ledger: a key, its digits, the path of its file, or, for `None`, the environment.
    #[classmethod]
    fn read<'py>(class: &Bound<'py, PyType>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = class.py();
        if key.is_instance_of::<Secret>() {
            return Ok(key.clone());
        }
        let seed = if key.is_none() {
            ledger::key_from_environment()
        } else if let Ok(text) = key.cast::<PyString>() {
            text.to_str().map_or_else(
                // Half characters are no digits.
                |_| ledger::key_from_hex(""),
                ledger::key_from_hex,
            )
        } else if key.hasattr("__fspath__")? {
            ledger::key_from_file(key.extract::<PathBuf>()?)
        } else {
            // The value itself is not shown: it may be a secret.
            Err(Fault::new(format!("a ledger is opened with a key, not with this {}", type_name(key)?))
                .remedy("Pass the Key, its 64 hexadecimal digits, or the pathlib.Path of its file")
                .ledger())
        };
        made(class, &bytes_of(py, seed)?)
    }

    /// Give the secret as 64 hexadecimal digits, to be kept safe.
    fn reveal(&self) -> String {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('?');
        self.bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    fn __repr__(&self) -> &'static str {
        "Key(redacted)"
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Secret>().is_ok_and(|other| other.get().bytes == self.bytes)
    }

    /// Differs from process to process, so that it says nothing of the secret.
    fn __hash__(&self) -> u64 {
        static STATE: OnceLock<RandomState> = OnceLock::new();
        STATE.get_or_init(RandomState::new).hash_one(self.bytes)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a crewe Key is left out of pickles; use reveal() and from_hex()"))
    }

    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }
}

fn type_name(value: &Bound<'_, PyAny>) -> PyResult<String> {
    value.get_type().name().map(|name| name.to_string())
}

/// Read a seed: nothing, a whole number from 0 to 2^64 - 1, or a key.
#[pyfunction]
fn read_seed<'py>(seed: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = seed.py();
    if seed.is_none() || seed.is_instance_of::<Secret>() {
        return Ok(seed.clone());
    }
    let number = if seed.is_instance_of::<PyBool>() { None } else { seed.extract::<u64>().ok() };
    if let Some(number) = number {
        return Ok(number.into_pyobject(py)?.into_any());
    }
    // The value itself is not shown: it may be a secret.
    let fault: Error = Fault::new(format!(
        "a seed is an integer from 0 to 2^64 - 1 or a Key, not this {}",
        type_name(seed)?
    ))
    .remedy("Pass seed=2017, or seed=crewe.new_key() for a trial that must conceal its allocation")
    .design();
    Err(to_python(py, &fault))
}

/// Adds this file's names to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Secret>()?;
    m.add_function(wrap_pyfunction!(read_seed, m)?)
}

//! Outcomes that somebody else draws: what is known of them is the effect.

use serde::{Deserialize, Serialize};

use super::generator::{Entry, Generator, Groups, Shifts, Times};
use crate::rng::Stream;
use crate::{Fault, Result};

pub(super) const ENTRY: Entry = Entry { name: "given" };

/// An outcome that somebody else draws, to be given to [`crate::simulate::Trial::fitted`].
///
/// ```
/// use crewe::simulate::{Given, Outcome};
/// let score = Given { effect: 0.2, times: false };
/// assert_eq!(Outcome::from(score).effect(), 0.2);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Given {
    /// The effect of a dose of 1, on the scale of the analysis.
    pub effect: f64,
    /// Whether it is a time to an event.
    pub times: bool,
}

impl Times for Given {
    fn draw(
        &self,
        _groups: &Groups<'_>,
        _shifts: &Shifts<'_>,
        _stream: &mut Stream,
        time: &mut [f64],
        event: &mut [f64],
    ) {
        time.fill(f64::NAN);
        event.fill(f64::NAN);
    }
}

impl Generator for Given {
    fn entry(&self) -> Entry {
        ENTRY
    }

    fn text(&self) -> String {
        "drawn by a function of the user".to_owned()
    }

    fn baseline(&self) -> f64 {
        0.0
    }

    fn effect(&self) -> f64 {
        self.effect
    }

    fn bounds(&self, _groups: &Groups<'_>) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    fn unit(&self) -> f64 {
        if self.effect == 0.0 { 1.0 } else { self.effect.abs() }
    }

    fn check(&self, _groups: &Groups<'_>, effect: f64, _order: &[u32]) -> Result<()> {
        if effect.is_finite() {
            return Ok(());
        }
        Err(Fault::new("the effect must be a finite number")
            .values([effect.to_string()])
            .remedy("Give it on the scale of the analysis")
            .input())
    }

    fn times(&self) -> Option<&dyn Times> {
        self.times.then_some(self)
    }

    fn given(&self) -> bool {
        true
    }

    fn rows(&self, _groups: &Groups<'_>, _shifts: &Shifts<'_>, _stream: &mut Stream, y: &mut [f64]) {
        y.fill(f64::NAN);
    }

    fn totals(&self, _groups: &Groups<'_>, _shifts: &Shifts<'_>, _stream: &mut Stream, totals: &mut [f64]) {
        totals.fill(f64::NAN);
    }
}

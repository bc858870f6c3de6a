//! What outcomes say while the arms stay hidden.
//!
//! With a treated share `pi` and an effect `d` (a difference of means or of rates), outcomes of both arms together have the
//! variance within arms plus `pi (1 - pi) d^2`, all of which lies between clusters where whole clusters are treated: both
//! the variance and the intracluster correlation that are seen blinded are too large by it. What is left after it was
//! taken off is what a power calculation needs, if the effect is the one supposed (M. Kieser and T. Friede 2003,
//! doi:10.1002/sim.1585, for the variance).

use serde::Serialize;

use crate::{Fault, Result};

/// Outcomes of both arms together.
///
/// ```
/// use crewe::power::blinded::Blinded;
/// // Rates of .2 and .4, half of the clusters treated: 30% in all.
/// let seen = Blinded { mean: 0.3, variance: 0.3 * 0.7, icc: 0.1, clustered: true };
/// let inside = seen.less(0.2, 0.5)?;
/// assert!((inside.mean - 0.2).abs() < 1e-12 && (inside.variance - 0.2).abs() < 1e-12);
/// assert!((inside.icc - 0.011 / 0.2).abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Blinded {
    /// The mean, or the rate.
    pub mean: f64,
    /// The variance.
    pub variance: f64,
    /// The intracluster correlation.
    pub icc: f64,
    /// Whether whole clusters are treated.
    pub clustered: bool,
}

impl Blinded {
    /// The mean of the control arm, and the variance and correlation within arms, under an effect.
    ///
    /// # Errors
    /// A treated share outside 0 to 1, an effect that is no number, and one that is larger than all that varies.
    pub fn less(&self, effect: f64, treated: f64) -> Result<Self> {
        if !(treated > 0.0 && treated < 1.0 && effect.is_finite()) {
            return Err(Fault::new("the treated share must lie between 0 and 1, and the effect be a number")
                .values([treated.to_string(), effect.to_string()])
                .remedy("Give the plan's own allocation and effect")
                .input());
        }
        let inflation = treated * (1.0 - treated) * effect * effect;
        let variance = self.variance - inflation;
        if variance <= 0.0 {
            return Err(Fault::new("outcomes vary less than the effect alone would make them")
                .values([format!("variance {}", self.variance), format!("from the effect {inflation}")])
                .remedy("The effect of the plan does not fit these outcomes: check units, and the column")
                .input());
        }
        let between = self.icc * self.variance - if self.clustered { inflation } else { 0.0 };
        Ok(Self {
            mean: self.mean - treated * effect,
            variance,
            icc: (between / variance).max(0.0),
            clustered: self.clustered,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_that_outcomes_cannot_hold_is_refused() {
        let seen = Blinded { mean: 1.0, variance: 0.04, icc: 0.0, clustered: true };
        assert!(seen.less(1.0, 0.5).unwrap_err().to_string().contains("vary less"));
        assert!(seen.less(0.1, 1.0).unwrap_err().to_string().contains("treated share"));
        assert_eq!(seen.less(0.1, 0.5).unwrap().icc, 0.0);
    }
}

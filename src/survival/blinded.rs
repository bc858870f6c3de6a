//! What times to an event say while the arms stay hidden: the share with the event, and scores that know no arm.
//!
//! Everybody is followed until a horizon. The share is that of Kaplan and Meier; a score is the event less the expected
//! events, the martingale residual under one hazard for all (Nelson and Aalen), of which siblings may have something in
//! common. [`crate::power::blinded::BlindedTimes`] takes a supposed effect off.

use ndarray::Array2;
use serde::Serialize;

use super::data::Surv;
use super::kaplan_meier::{Options, kaplan_meier};
use super::likelihood::Ties;
use super::null::restricted;
use crate::progress::watcher;
use crate::{Fault, Result};

/// Times of both arms together, until a horizon.
///
/// ```
/// use crewe::survival::{Surv, TimesSeen};
/// let (time, event) = ([1.0, 2.0, 3.0, 9.0], [1.0, 0.0, 1.0, 1.0]);
/// let seen = TimesSeen::of(&Surv::new(&time, &event), 4.0)?;
/// assert_eq!(seen.events, 2);
/// assert!((seen.share - (1.0 - 0.75 * 0.5)).abs() < 1e-12);
/// assert!(seen.scores.iter().sum::<f64>().abs() < 1e-12);
/// # Ok::<(), crewe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TimesSeen {
    /// The share with the event by the horizon.
    pub share: f64,
    /// How many had it by then, so far.
    pub events: usize,
    /// Event less expected events of every row.
    pub scores: Vec<f64>,
}

impl TimesSeen {
    /// What these times say.
    ///
    /// # Errors
    /// Times and events that cannot be; a horizon until which nobody was followed yet, or by which nobody has the event, or all.
    pub fn of(surv: &Surv<'_>, horizon: f64) -> Result<Self> {
        surv.check()?;
        let longest = surv.time.iter().copied().fold(0.0, f64::max);
        if !(horizon > 0.0 && horizon <= longest) {
            return Err(Fault::new("nobody has been followed until the horizon")
                .column(&surv.time_name)
                .values([format!("horizon {horizon}"), format!("at most {longest} so far")])
                .remedy("Give the time, above 0, by which the plan counts events, in the unit of the times; or look again later")
                .input());
        }
        let time: Vec<f64> = surv.time.iter().map(|t| t.min(horizon)).collect();
        let event: Vec<f64> =
            surv.time.iter().zip(surv.event).map(|(t, e)| if *t <= horizon { *e } else { 0.0 }).collect();
        let until = Surv::new(&time, &event).named(&surv.time_name, &surv.event_name);
        let events = event.iter().filter(|e| **e == 1.0).count();
        let share = 1.0 - kaplan_meier(&until, None, Options::default())?[0].survival_at(horizon);
        if events == 0 || share >= 1.0 {
            return Err(Fault::new("events by the horizon say nothing of who has them")
                .column(&surv.event_name)
                .values([format!("{events} events")])
                .remedy("Look again when more are known, or give another horizon")
                .input());
        }
        let n = time.len();
        let fitted =
            restricted(&until, Array2::zeros((n, 0)).view(), None, Ties::Breslow, &vec![0.0; n], &watcher())?;
        let mut scores = vec![0.0; n];
        for (&row, &score) in fitted.order.iter().zip(&fitted.martingale) {
            scores[row as usize] = score;
        }
        Ok(Self { share, events, scores })
    }
}

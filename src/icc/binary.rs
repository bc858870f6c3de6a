//! Clusters of a binary outcome by size and events.

use std::collections::BTreeMap;

use super::moments::Sums;

/// How many clusters have this size and this number of events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    pub size: f64,
    pub events: f64,
    pub clusters: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Tallies {
    pub tallies: Vec<Tally>,
    pub rate: f64,
}

impl Tallies {
    /// Of zeros and ones.
    pub fn of(sums: &Sums) -> Self {
        let mut counts: BTreeMap<(u64, u64), f64> = BTreeMap::new();
        for c in &sums.clusters {
            let events = (c.sum + c.size * sums.centre).round();
            // Sizes and events are whole numbers, not negative.
            *counts.entry((c.size as u64, events as u64)).or_default() += 1.0;
        }
        let tallies = counts.into_iter().map(|((size, events), clusters)| Tally {
            size: size as f64,
            events: events as f64,
            clusters,
        });
        Self { tallies: tallies.collect(), rate: sums.centre }
    }

    /// Whether no cluster has both outcomes.
    pub fn unanimous(&self) -> bool {
        self.tallies.iter().all(|t| t.events == 0.0 || t.events == t.size)
    }
}

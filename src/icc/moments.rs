//! Sums over clusters, from which the estimators of moments follow, with or without one of the clusters.

use crate::inference::Clusters;

/// A ratio of two statistics: the ICC is `above / below`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    pub above: f64,
    pub below: f64,
}

impl Ratio {
    pub fn ratio(self) -> f64 {
        self.above / self.below
    }
}

/// What one cluster adds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cluster {
    /// Its size.
    pub size: f64,
    /// The sum of its values, less the mean of all rows for each.
    pub sum: f64,
    /// The squares of its values about its own mean.
    pub within: f64,
}

/// The clusters and their totals.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    pub clusters: Vec<Cluster>,
    /// The mean of all rows, which was taken from every value.
    pub centre: f64,
    pub count: f64,
    pub n: f64,
    sizes_squared: f64,
    sum: f64,
    between: f64,
    within: f64,
}

impl Sums {
    pub fn of(outcome: &[f64], clusters: &Clusters) -> Self {
        let centre = outcome.iter().sum::<f64>() / outcome.len() as f64;
        let clusters = (0..clusters.count()).map(|g| {
            let rows = clusters.rows(g);
            let values = || rows.iter().map(|&row| outcome[row as usize] - centre);
            let size = rows.len() as f64;
            let sum: f64 = values().sum();
            // A cluster that is of one mind has no squares within, whatever its mean rounds to.
            let first = outcome[rows[0] as usize];
            let alike = rows.iter().all(|&row| outcome[row as usize] == first);
            let within = if alike { 0.0 } else { values().map(|v| (v - sum / size).powi(2)).sum() };
            Cluster { size, sum, within }
        });
        Self::from_clusters(clusters.collect(), centre)
    }

    fn from_clusters(clusters: Vec<Cluster>, centre: f64) -> Self {
        let mut sums = Self {
            clusters: Vec::new(),
            centre,
            count: 0.0,
            n: 0.0,
            sizes_squared: 0.0,
            sum: 0.0,
            between: 0.0,
            within: 0.0,
        };
        clusters.iter().for_each(|cluster| sums.add(*cluster, 1.0));
        sums.clusters = clusters;
        sums
    }

    fn add(&mut self, cluster: Cluster, sign: f64) {
        self.count += sign;
        self.n += sign * cluster.size;
        self.sizes_squared += sign * cluster.size * cluster.size;
        self.sum += sign * cluster.sum;
        self.between += sign * cluster.sum * cluster.sum / cluster.size;
        self.within += sign * cluster.within;
    }

    /// The same with one more cluster, the last, of the mean size, in which everybody has the rarer of the outcomes 0 and 1.
    pub fn with_unanimous(&self) -> Self {
        let size = self.mean_size();
        let rarer = if self.centre <= 0.5 { 1.0 } else { 0.0 };
        let cluster = Cluster { size, sum: size * (rarer - self.centre), within: 0.0 };
        Self::from_clusters(self.clusters.iter().copied().chain([cluster]).collect(), self.centre)
    }

    pub fn mean_size(&self) -> f64 {
        self.n / self.count
    }

    pub fn largest(&self) -> f64 {
        self.clusters.iter().map(|cluster| cluster.size).fold(0.0, f64::max)
    }

    /// The variance over all rows.
    pub fn variance(&self) -> f64 {
        (self.between + self.within - self.sum * self.sum / self.n) / (self.n - 1.0)
    }

    /// (n - sum of squared sizes / n) / (clusters - 1).
    pub fn adjusted_size(&self) -> f64 {
        (self.n - self.sizes_squared / self.n) / (self.count - 1.0)
    }

    /// MSB - MSW over MSB + (adjusted size - 1) MSW.
    pub fn anova(&self) -> Ratio {
        let between = (self.between - self.sum * self.sum / self.n) / (self.count - 1.0);
        let within = self.within / (self.n - self.count);
        Ratio { above: between - within, below: between + (self.adjusted_size() - 1.0) * within }
    }

    /// p q less the disagreement within clusters, over p q. Squares within a cluster of zeros and ones are
    /// s (m - s) / m, and those of all rows n p q.
    pub fn fleiss_cuzick(&self) -> Ratio {
        let mean = self.sum / self.n;
        let all = (self.between + self.within) / self.n - mean * mean;
        Ratio { above: all - self.within / (self.n - self.count), below: all }
    }

    /// What each cluster contributes to both parts of a ratio (pseudo-values); empty where it is not defined without some
    /// cluster.
    pub fn jackknife(&self, ratio: impl Fn(&Self) -> Ratio) -> Vec<Ratio> {
        let several = self.clusters.iter().filter(|cluster| cluster.size > 1.0).count();
        if self.count < 3.0 || several < 2 {
            return Vec::new();
        }
        let all = ratio(self);
        let mut rest = Self { clusters: Vec::new(), ..*self };
        let without = |cluster: &Cluster| {
            rest.add(*cluster, -1.0);
            let left = ratio(&rest);
            // Taken afresh, so that rounding does not add up.
            rest = Self { clusters: Vec::new(), ..*self };
            let pseudo = |all: f64, left: f64| self.count * all - (self.count - 1.0) * left;
            Ratio { above: pseudo(all.above, left.above), below: pseudo(all.below, left.below) }
        };
        self.clusters.iter().map(without).collect()
    }
}

//! Pairs with the smallest sum of distances: minimum-weight perfect matching in a complete graph.
//!
//! The blossom algorithm of J. Edmonds (1965), Canadian Journal of Mathematics 17, 449-467, doi:10.4153/CJM-1965-045-4,
//! in the O(n^3) form with slacks of Z. Galil (1986), ACM Computing Surveys 18, 23-38, doi:10.1145/6462.6502, on whole
//! numbers only: a unit has a dual value, alternating trees grow from unmatched units along edges without slack, odd
//! cycles shrink to blossoms and expand again, and dual values move until a tree reaches another. Everything is visited
//! in a fixed order, so the answer is the same everywhere, also between pairings of the same length.

use std::collections::VecDeque;

use crate::progress::{Monitor, Pace};
use crate::{Fault, Result};

/// More units than this are not matched: the time grows with the third power.
const MOST: usize = 2_000;
/// Whole-number distances are below 2 to the power of this.
const BITS: i32 = 40;

/// Sets of units 0..n: pairs and, where n is odd, one of three. The sets are in order of their first units, the units of
/// a set in order.
pub(super) fn sets(
    n: usize,
    distance: &dyn Fn(usize, usize) -> f64,
    monitor: &dyn Monitor,
) -> Result<Vec<Vec<usize>>> {
    if n > MOST {
        return Err(Fault::new(format!("{n} units are too many to be matched"))
            .remedy(format!("Match within strata of at most {MOST}"))
            .design());
    }
    let mut pace = Pace::new(monitor);
    let whole = whole_numbers(n, distance, &mut pace)?;
    // In an odd stratum a further place at distance 0 from all takes the unit that costs most.
    let places = n + n % 2;
    let mate = Search::new(places, |a, b| if a.max(b) < n { whole[a * n + b] } else { 0 }).run(&mut pace)?;
    let mut sets: Vec<Vec<usize>> = (0..n)
        .filter(|&unit| unit < mate[unit] && mate[unit] < n)
        .map(|unit| vec![unit, mate[unit]])
        .collect();
    if let Some(alone) = (0..n).find(|&unit| mate[unit] >= n) {
        let cost = |set: &Vec<usize>| set.iter().map(|&unit| whole[unit * n + alone]).sum::<i64>();
        if let Some(nearest) = sets.iter_mut().min_by_key(|set| cost(set)) {
            nearest.push(alone);
            nearest.sort_unstable();
        }
    }
    sets.sort_unstable();
    Ok(sets)
}

/// The distances as whole numbers: multiplied by a power of two, which is exact, and rounded.
fn whole_numbers(n: usize, distance: &dyn Fn(usize, usize) -> f64, pace: &mut Pace<'_>) -> Result<Vec<i64>> {
    let mut all = vec![0.0; n * n];
    let mut largest = 0.0_f64;
    for a in 0..n {
        pace.by(64 * n)?;
        for b in a + 1..n {
            let here = distance(a, b);
            largest = largest.max(here);
            all[a * n + b] = here;
            all[b * n + a] = here;
        }
    }
    // 2^exponent is the first power of two above the largest distance.
    let mut unit = f64::from_bits((1023 + BITS as u64) << 52);
    while largest >= 1.0 {
        largest *= 0.5;
        unit *= 0.5;
    }
    while largest > 0.0 && largest < 0.5 {
        largest *= 2.0;
        unit *= 2.0;
    }
    Ok(all.iter().map(|&here: &f64| (here * unit).round_ties_even() as i64).collect())
}

/// What an outermost node is in the forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// In no tree.
    Free,
    /// At an even distance from a root.
    Even,
    /// At an odd distance from a root.
    Odd,
}

/// The state of the search. Nodes 1..=n are units, nodes above are blossoms, and 0 is nobody.
struct Search {
    n: usize,
    /// The largest node in use.
    last: usize,
    /// The number of nodes there is room for.
    room: usize,
    /// Twice the weight of each edge between units.
    weight: Vec<i64>,
    /// For two nodes, the units that the tightest edge between them joins; 0 where there is none.
    edge: Vec<[u16; 2]>,
    /// Dual values.
    dual: Vec<i64>,
    /// The unit at the other end of a node's matched edge.
    mate: Vec<usize>,
    /// For an outermost node, the even unit with the tightest edge to it.
    slack: Vec<usize>,
    /// The outermost blossom around a node; itself where it is outermost, 0 where it is not in use.
    outer: Vec<usize>,
    /// The unit from which a node of a tree was reached.
    parent: Vec<usize>,
    role: Vec<Role>,
    /// The nodes of a blossom, around its cycle from its base.
    cycle: Vec<Vec<usize>>,
    /// For a blossom and a unit in it, the node of the cycle that holds the unit.
    holds: Vec<u16>,
    stamp: Vec<u32>,
    stamps: u32,
    queue: VecDeque<usize>,
}

impl Search {
    /// `n` is even; `distance` is of units counted from 0.
    fn new(n: usize, distance: impl Fn(usize, usize) -> i64) -> Self {
        let room = n + n / 2 + 1;
        let mut largest = 0;
        for a in 0..n {
            for b in 0..n {
                largest = largest.max(distance(a, b));
            }
        }
        // Large enough that a pairing of all units outweighs any that leaves out two.
        let base = (n as i64 / 2 + 1) * (largest + 1);
        let mut weight = vec![0; (n + 1) * (n + 1)];
        let mut edge = vec![[0, 0]; room * room];
        let mut holds = vec![0; room * (n + 1)];
        for a in 1..=n {
            holds[a * (n + 1) + a] = a as u16;
            for b in 1..=n {
                if a != b {
                    weight[a * (n + 1) + b] = 2 * (base - distance(a - 1, b - 1));
                    edge[a * room + b] = [a as u16, b as u16];
                }
            }
        }
        let outer = (0..room).map(|node| if node <= n { node } else { 0 }).collect();
        Self {
            n,
            last: n,
            room,
            weight,
            edge,
            dual: (0..room).map(|node| if (1..=n).contains(&node) { base } else { 0 }).collect(),
            mate: vec![0; room],
            slack: vec![0; room],
            outer,
            parent: vec![0; room],
            role: vec![Role::Free; room],
            cycle: vec![Vec::new(); room],
            holds,
            stamp: vec![0; room],
            stamps: 0,
            queue: VecDeque::new(),
        }
    }

    /// The mate of each unit, counted from 0.
    fn run(mut self, pace: &mut Pace<'_>) -> Result<Vec<usize>> {
        while self.augmented(pace)? {}
        let mates = &self.mate[1..=self.n];
        if mates.contains(&0) {
            // Cannot happen in a complete graph with an even number of units.
            return Err(Fault::new("the matching did not reach all units").convergence());
        }
        Ok(mates.iter().map(|&mate| mate - 1).collect())
    }

    fn edge(&self, a: usize, b: usize) -> [usize; 2] {
        let [from, to] = self.edge[a * self.room + b];
        [usize::from(from), usize::from(to)]
    }

    /// Twice the amount by which an edge is not tight.
    fn gap(&self, [from, to]: [usize; 2]) -> i64 {
        self.dual[from] + self.dual[to] - self.weight[from * (self.n + 1) + to]
    }

    fn improve_slack(&mut self, unit: usize, node: usize) {
        let now = self.slack[node];
        if now == 0 || self.gap(self.edge(unit, node)) < self.gap(self.edge(now, node)) {
            self.slack[node] = unit;
        }
    }

    fn find_slack(&mut self, node: usize) {
        self.slack[node] = 0;
        for unit in 1..=self.n {
            let outer = self.outer[unit];
            if outer != node && self.edge(unit, node)[0] != 0 && self.role[outer] == Role::Even {
                self.improve_slack(unit, node);
            }
        }
    }

    fn enqueue(&mut self, node: usize) {
        if node <= self.n {
            self.queue.push_back(node);
        } else {
            for place in 0..self.cycle[node].len() {
                self.enqueue(self.cycle[node][place]);
            }
        }
    }

    fn set_outer(&mut self, node: usize, outer: usize) {
        self.outer[node] = outer;
        if node > self.n {
            for place in 0..self.cycle[node].len() {
                self.set_outer(self.cycle[node][place], outer);
            }
        }
    }

    /// The place of a node on a blossom's cycle, the cycle turned so that the way to it from the base is even.
    fn even_place(&mut self, blossom: usize, node: usize) -> usize {
        let cycle = &mut self.cycle[blossom];
        let place = cycle.iter().position(|&one| one == node).unwrap_or(0);
        if place.is_multiple_of(2) {
            return place;
        }
        cycle[1..].reverse();
        cycle.len() - place
    }

    /// Matches the node along its edge to another, and the nodes inside accordingly.
    fn match_to(&mut self, node: usize, other: usize) {
        let [from, to] = self.edge(node, other);
        self.mate[node] = to;
        if node <= self.n {
            return;
        }
        let entry = usize::from(self.holds[node * (self.n + 1) + from]);
        let place = self.even_place(node, entry);
        for at in 0..place {
            self.match_to(self.cycle[node][at], self.cycle[node][at ^ 1]);
        }
        self.match_to(entry, other);
        self.cycle[node].rotate_left(place);
    }

    /// Swaps matched and unmatched edges from an even node to its root, once it is joined to `other`.
    fn augment(&mut self, mut node: usize, mut other: usize) {
        loop {
            let odd = self.outer[self.mate[node]];
            self.match_to(node, other);
            if odd == 0 {
                return;
            }
            let next = self.outer[self.parent[odd]];
            self.match_to(odd, next);
            node = next;
            other = odd;
        }
    }

    /// The nearest common even node above two even nodes, or 0 where they are in different trees.
    fn meeting(&mut self, mut a: usize, mut b: usize) -> usize {
        self.stamps += 1;
        while a != 0 || b != 0 {
            if a != 0 {
                if self.stamp[a] == self.stamps {
                    return a;
                }
                self.stamp[a] = self.stamps;
                a = self.outer[self.mate[a]];
                if a != 0 {
                    a = self.outer[self.parent[a]];
                }
            }
            std::mem::swap(&mut a, &mut b);
        }
        0
    }

    /// Shrinks the cycle through two even nodes and their meeting point.
    fn shrink(&mut self, a: usize, meeting: usize, b: usize) {
        let free = (self.n + 1..=self.last).find(|&node| self.outer[node] == 0);
        let blossom = free.unwrap_or(self.last + 1);
        self.last = self.last.max(blossom);
        self.dual[blossom] = 0;
        self.role[blossom] = Role::Even;
        self.mate[blossom] = self.mate[meeting];
        let mut cycle = vec![meeting];
        for (start, turn) in [(a, true), (b, false)] {
            let mut node = start;
            while node != meeting {
                cycle.push(node);
                let odd = self.outer[self.mate[node]];
                cycle.push(odd);
                self.enqueue(odd);
                node = self.outer[self.parent[odd]];
            }
            if turn {
                cycle[1..].reverse();
            }
        }
        self.cycle[blossom].clone_from(&cycle);
        self.set_outer(blossom, blossom);
        for node in 1..=self.last {
            self.edge[blossom * self.room + node] = [0, 0];
            self.edge[node * self.room + blossom] = [0, 0];
        }
        let width = self.n + 1;
        self.holds[blossom * width..(blossom + 1) * width].fill(0);
        for part in cycle {
            for node in 1..=self.last {
                let there = self.edge(part, node);
                let known = self.edge(blossom, node);
                if there[0] != 0 && (known[0] == 0 || self.gap(there) < self.gap(known)) {
                    self.edge[blossom * self.room + node] = self.edge[part * self.room + node];
                    self.edge[node * self.room + blossom] = self.edge[node * self.room + part];
                }
            }
            for unit in 1..=self.n {
                if self.holds[part * width + unit] != 0 {
                    self.holds[blossom * width + unit] = part as u16;
                }
            }
        }
        self.find_slack(blossom);
    }

    /// Opens an odd blossom whose dual value is zero.
    fn expand(&mut self, blossom: usize) {
        for place in 0..self.cycle[blossom].len() {
            let part = self.cycle[blossom][place];
            self.set_outer(part, part);
        }
        let from = self.edge(blossom, self.parent[blossom])[0];
        let entry = usize::from(self.holds[blossom * (self.n + 1) + from]);
        let place = self.even_place(blossom, entry);
        let cycle = self.cycle[blossom].clone();
        for at in (0..place).step_by(2) {
            let (odd, even) = (cycle[at], cycle[at + 1]);
            self.parent[odd] = self.edge(even, odd)[0];
            self.role[odd] = Role::Odd;
            self.role[even] = Role::Even;
            self.slack[odd] = 0;
            self.find_slack(even);
            self.enqueue(even);
        }
        self.role[entry] = Role::Odd;
        self.parent[entry] = self.parent[blossom];
        for &part in &cycle[place + 1..] {
            self.role[part] = Role::Free;
            self.find_slack(part);
        }
        self.outer[blossom] = 0;
    }

    /// Takes up a tight edge from an even unit; whether the matching grew.
    fn take(&mut self, [from, to]: [usize; 2]) -> bool {
        let (even, node) = (self.outer[from], self.outer[to]);
        match self.role[node] {
            Role::Free => {
                self.parent[node] = from;
                self.role[node] = Role::Odd;
                let next = self.outer[self.mate[node]];
                self.slack[node] = 0;
                self.slack[next] = 0;
                self.role[next] = Role::Even;
                self.enqueue(next);
            }
            Role::Even => {
                let meeting = self.meeting(even, node);
                if meeting == 0 {
                    self.augment(even, node);
                    self.augment(node, even);
                    return true;
                }
                self.shrink(even, meeting, node);
            }
            Role::Odd => {}
        }
        false
    }

    /// Grows trees from all unmatched units until two of them meet; false where none can.
    fn augmented(&mut self, pace: &mut Pace<'_>) -> Result<bool> {
        self.role.fill(Role::Free);
        self.slack.fill(0);
        self.queue.clear();
        for node in 1..=self.last {
            if self.outer[node] == node && self.mate[node] == 0 {
                self.parent[node] = 0;
                self.role[node] = Role::Even;
                self.enqueue(node);
            }
        }
        if self.queue.is_empty() {
            return Ok(false);
        }
        loop {
            while let Some(unit) = self.queue.pop_front() {
                pace.by(4 * self.n)?;
                if self.role[self.outer[unit]] == Role::Odd {
                    continue;
                }
                for other in 1..=self.n {
                    if self.outer[unit] == self.outer[other] {
                        continue;
                    }
                    if self.gap([unit, other]) == 0 {
                        if self.take([unit, other]) {
                            return Ok(true);
                        }
                    } else {
                        self.improve_slack(unit, self.outer[other]);
                    }
                }
            }
            pace.by(4 * self.n)?;
            if !self.move_duals() {
                return Ok(false);
            }
            for node in 1..=self.last {
                let unit = self.slack[node];
                if self.outer[node] == node && unit != 0 && self.outer[unit] != node {
                    let edge = self.edge(unit, node);
                    if self.gap(edge) == 0 && self.take(edge) {
                        return Ok(true);
                    }
                }
            }
            for blossom in self.n + 1..=self.last {
                if self.outer[blossom] == blossom
                    && self.role[blossom] == Role::Odd
                    && self.dual[blossom] == 0
                {
                    self.expand(blossom);
                }
            }
        }
    }

    /// Moves the dual values as far as no edge is overfilled; false where the values of roots are used up.
    fn move_duals(&mut self) -> bool {
        let mut by = i64::MAX;
        for node in 1..=self.last {
            if self.outer[node] != node {
                continue;
            }
            if node > self.n && self.role[node] == Role::Odd {
                by = by.min(self.dual[node] / 2);
            }
            if self.slack[node] != 0 {
                let gap = self.gap(self.edge(self.slack[node], node));
                match self.role[node] {
                    Role::Free => by = by.min(gap),
                    Role::Even => by = by.min(gap / 2),
                    Role::Odd => {}
                }
            }
        }
        for unit in 1..=self.n {
            match self.role[self.outer[unit]] {
                Role::Even if self.dual[unit] <= by => return false,
                Role::Even => self.dual[unit] -= by,
                Role::Odd => self.dual[unit] += by,
                Role::Free => {}
            }
        }
        for blossom in self.n + 1..=self.last {
            if self.outer[blossom] == blossom {
                match self.role[blossom] {
                    Role::Even => self.dual[blossom] += 2 * by,
                    Role::Odd => self.dual[blossom] -= 2 * by,
                    Role::Free => {}
                }
            }
        }
        self.queue.clear();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoMonitor;
    use crate::rng::{Seed, Stream};

    fn sets(n: usize, distance: &dyn Fn(usize, usize) -> f64) -> Result<Vec<Vec<usize>>> {
        super::sets(n, distance, &NoMonitor)
    }

    /// The smallest sum over all pairings.
    fn shortest(n: usize, distance: &[i64], left: u32) -> i64 {
        if left == 0 {
            return 0;
        }
        let first = left.trailing_zeros() as usize;
        let rest = left & !(1 << first);
        (first + 1..n)
            .filter(|&second| rest & (1 << second) != 0)
            .map(|second| distance[first * n + second] + shortest(n, distance, rest & !(1 << second)))
            .min()
            .unwrap_or(i64::MAX)
    }

    #[test]
    fn as_short_as_the_shortest_of_all_pairings() {
        let mut stream = Stream::new::<&str>(&Seed::Integer(1965), "matching", &[], 0);
        for case in 0..6_000 {
            let n = 2 * (1 + case % 5);
            // Few different distances in some cases, so that there are many ties and blossoms.
            let spread = [3, 10, 1000, 1 << 40][case / 5 % 4];
            let mut distance = vec![0_i64; n * n];
            for a in 0..n {
                for b in a + 1..n {
                    distance[a * n + b] = stream.below(spread) as i64;
                    distance[b * n + a] = distance[a * n + b];
                }
            }
            let mate = Search::new(n, |a, b| distance[a * n + b]);
            let mate = mate.run(&mut Pace::new(&NoMonitor)).unwrap_or_default();
            assert_eq!(mate.len(), n);
            assert!((0..n).all(|unit| mate[mate[unit]] == unit && mate[unit] != unit));
            let sum: i64 = (0..n).map(|unit| distance[unit * n + mate[unit]]).sum();
            assert_eq!(sum, 2 * shortest(n, &distance, (1 << n) - 1), "{case}");
        }
    }

    /// On a line, neighbours are paired; greedy matching would take (1, 2) first and pay for it.
    #[test]
    fn better_than_greedy_and_odd_sizes() {
        let at = [0.0_f64, 1.0, 1.9, 2.9];
        let found = sets(4, &|a, b| (at[a] - at[b]).abs());
        assert_eq!(found.ok(), Some(vec![vec![0, 1], vec![2, 3]]));
        // The outlier is left over and joins the pair nearest to it.
        let at = [0.0_f64, 0.1, 5.0, 5.1, 9.0];
        let found = sets(5, &|a, b| (at[a] - at[b]).abs());
        assert_eq!(found.ok(), Some(vec![vec![0, 1], vec![2, 3, 4]]));
        assert!(sets(2_001, &|_, _| 1.0).is_err());
    }

    #[test]
    fn large_instances_end() {
        let mut stream = Stream::new::<&str>(&Seed::Integer(7), "matching", &[], 0);
        let at: Vec<[f64; 2]> = (0..200).map(|_| [stream.unit(), stream.unit()]).collect();
        let far = |a: usize, b: usize| (at[a][0] - at[b][0]).hypot(at[a][1] - at[b][1]);
        let found = sets(200, &far).unwrap_or_default();
        assert_eq!(found.len(), 100);
        // No exchange between two pairs makes them shorter.
        for (i, p) in found.iter().enumerate() {
            for q in &found[i + 1..] {
                let now = far(p[0], p[1]) + far(q[0], q[1]);
                assert!(far(p[0], q[0]) + far(p[1], q[1]) > now - 1e-9);
                assert!(far(p[0], q[1]) + far(p[1], q[0]) > now - 1e-9);
            }
        }
    }
}

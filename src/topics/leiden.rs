//! Communities of a graph, by the Leiden algorithm (Traag, Waltman and van Eck, "From Louvain to Leiden", 2019) with the constant
//! Potts model (Traag, Van Dooren and Nesterov, 2011).
//!
//! ```text
//! Q = Σ over communities c of  (weight of the edges inside c) - γ · n_c · (n_c - 1) / 2
//! ```
//!
//! A community is worth having if its papers are tied more strongly than `γ` on average, so that `γ` is a density: unlike with
//! modularity, whether two groups are one does not depend on how large the rest of the graph is.
//!
//! The paper leaves the order of the nodes and some choices to chance. Here the orders are fixed, and of equals the first wins, so
//! that a graph has one answer.

use std::collections::VecDeque;

use rayon::prelude::*;

/// A graph without direction: of each node, its neighbours and the weights of the edges, each edge on both sides.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    pub edges: Vec<Vec<(u32, f64)>>,
    /// How many papers a node stands for.
    pub sizes: Vec<f64>,
}

/// Rounds; more gain next to nothing.
const ROUNDS: u64 = 3;
/// What a move must gain: less is what sums of f64 leave.
const LEAST: f64 = 1e-9;

impl Graph {
    /// The mean weight of a node's edges.
    pub(super) fn mean_degree(&self) -> f64 {
        let sum: f64 = self.edges.iter().flatten().map(|(_, weight)| weight).sum();
        sum / self.edges.len().max(1) as f64
    }

    /// Orders to begin with. Answers for many nodes differ less, and take longer.
    fn starts(&self) -> u64 {
        match self.edges.len() {
            ..=3_000 => 8,
            ..=10_000 => 4,
            _ => 2,
        }
    }

    /// The community of each node, numbered from 0 on in the order of their first nodes: of some answers, which begin in other
    /// orders, the one with the highest quality. No node by itself would be better elsewhere.
    pub(super) fn communities(&self, gamma: f64) -> Vec<usize> {
        let answers: Vec<(f64, Vec<usize>)> = (0..self.starts()).into_par_iter().map(|start| self.answer(gamma, start)).collect();
        let best = answers.into_iter().reduce(|best, next| if next.0 > best.0 + LEAST { next } else { best });
        best.map(|(_, community)| community).unwrap_or_default()
    }

    /// One answer, and its quality.
    fn answer(&self, gamma: f64, start: u64) -> (f64, Vec<usize>) {
        let mut community: Vec<usize> = (0..self.edges.len()).collect();
        for round in 0..ROUNDS {
            if !self.move_nodes(&mut community, gamma, start * ROUNDS + round) {
                break;
            }
            community = self.move_parts(community, gamma, start);
        }
        (self.quality(&community, gamma), numbered(&community))
    }

    fn quality(&self, community: &[usize], gamma: f64) -> f64 {
        let mut sizes = vec![0.0; self.edges.len()];
        community.iter().zip(&self.sizes).for_each(|(community, size)| sizes[*community] += size);
        let inside = |(node, edges): (usize, &Vec<(u32, f64)>)| -> f64 {
            edges.iter().filter(|(other, _)| community[*other as usize] == community[node]).map(|(_, weight)| weight).sum()
        };
        let ties: f64 = self.edges.iter().enumerate().map(inside).sum();
        ties / 2.0 - gamma * sizes.iter().map(|size| size * (size - 1.0).max(0.0) / 2.0).sum::<f64>()
    }

    /// Moves parts of communities, and parts of what that gives, until none gains.
    fn move_parts(&self, mut community: Vec<usize>, gamma: f64, start: u64) -> Vec<usize> {
        let mut graph = self.clone();
        // Of each node of this graph, the node of `graph` that it is in.
        let mut part: Vec<usize> = (0..self.edges.len()).collect();
        loop {
            let refined = graph.refine(&community, gamma, start);
            let count = refined.iter().max().map_or(0, |last| last + 1);
            if count == graph.edges.len() {
                break;
            }
            // A refined part is a node of the next graph, and begins in the community that it was a part of.
            let mut of_part = vec![0; count];
            refined.iter().zip(&community).for_each(|(part, community)| of_part[*part] = *community);
            graph = graph.put_together(&refined, count);
            part.iter_mut().for_each(|node| *node = refined[*node]);
            community = numbered(&of_part);
            graph.move_nodes(&mut community, gamma, start);
        }
        numbered(&part.iter().map(|node| community[*node]).collect::<Vec<_>>())
    }

    /// Moves nodes to where they gain most, until none gains; true if one moved.
    fn move_nodes(&self, community: &mut [usize], gamma: f64, start: u64) -> bool {
        let nodes = self.edges.len();
        let mut sizes = vec![0.0; nodes];
        community.iter().zip(&self.sizes).for_each(|(community, size)| sizes[*community] += size);
        let mut empty: Vec<usize> = (0..nodes).rev().filter(|community| sizes[*community] == 0.0).collect();
        let mut queue: VecDeque<usize> = order(nodes, start).into();
        let mut is_queued = vec![true; nodes];
        let (mut ties, mut touched, mut moved) = (vec![0.0; nodes], Vec::new(), false);
        while let Some(node) = queue.pop_front() {
            is_queued[node] = false;
            let (own, size) = (community[node], self.sizes[node]);
            touched.push(own);
            for &(other, weight) in &self.edges[node] {
                let other = community[other as usize];
                if ties[other] == 0.0 && other != own {
                    touched.push(other);
                }
                ties[other] += weight;
            }
            sizes[own] -= size;
            let gain = |to: usize, ties: &[f64], sizes: &[f64]| ties[to] - gamma * size * sizes[to];
            let stays = gain(own, &ties, &sizes);
            touched[1..].sort_unstable();
            let mut best = (own, stays);
            for &to in &touched[1..] {
                let gain = gain(to, &ties, &sizes);
                if gain > best.1 + LEAST {
                    best = (to, gain);
                }
            }
            // By itself a node gains nothing, which may be better than what it has.
            if best.1 < -LEAST && sizes[own] > 0.0 {
                let free = std::iter::from_fn(|| empty.pop()).find(|community| sizes[*community] == 0.0);
                best = (free.expect("as many communities as nodes"), 0.0);
            }
            sizes[best.0] += size;
            if best.0 != own {
                moved = true;
                community[node] = best.0;
                if sizes[own] == 0.0 {
                    empty.push(own);
                }
                for &(other, _) in &self.edges[node] {
                    if community[other as usize] != best.0 && !is_queued[other as usize] {
                        is_queued[other as usize] = true;
                        queue.push_back(other as usize);
                    }
                }
            }
            touched.drain(..).for_each(|community| ties[community] = 0.0);
        }
        moved
    }

    /// Parts of communities that hold together by themselves: nodes that are tied well to the rest of their community join, one
    /// after the other, the part of it to which that gains most.
    fn refine(&self, community: &[usize], gamma: f64, start: u64) -> Vec<usize> {
        let nodes = self.edges.len();
        let mut part: Vec<usize> = (0..nodes).collect();
        let (mut sizes, mut alone) = (self.sizes.clone(), vec![true; nodes]);
        let mut of_community = vec![0.0; nodes];
        community.iter().zip(&self.sizes).for_each(|(community, size)| of_community[*community] += size);
        // The weight of the edges from a part to the rest of its community.
        let inside = |node: usize| self.edges[node].iter().filter(move |(other, _)| community[*other as usize] == community[node]);
        let mut outward: Vec<f64> = (0..nodes).map(|node| inside(node).map(|(_, weight)| weight).sum()).collect();
        let mut ties = vec![0.0; nodes];
        for node in order(nodes, start) {
            let (size, whole) = (self.sizes[node], of_community[community[node]]);
            if !alone[node] || outward[node] < gamma * size * (whole - size) {
                continue;
            }
            let mut touched: Vec<usize> = Vec::new();
            for &(other, weight) in inside(node) {
                let to = part[other as usize];
                if to != node {
                    if ties[to] == 0.0 {
                        touched.push(to);
                    }
                    ties[to] += weight;
                }
            }
            touched.sort_unstable();
            let mut best = (node, 0.0);
            for &to in &touched {
                let holds = outward[to] >= gamma * sizes[to] * (whole - sizes[to]);
                let gain = ties[to] - gamma * size * sizes[to];
                if holds && gain > best.1 + LEAST {
                    best = (to, gain);
                }
            }
            if best.0 != node {
                let to = best.0;
                part[node] = to;
                outward[to] += outward[node] - 2.0 * ties[to];
                sizes[to] += size;
                (alone[node], alone[to]) = (false, false);
            }
            touched.into_iter().for_each(|to| ties[to] = 0.0);
        }
        numbered(&part)
    }

    /// The graph whose nodes are parts of this one.
    fn put_together(&self, part: &[usize], count: usize) -> Self {
        let mut graph = Self { edges: vec![Vec::new(); count], sizes: vec![0.0; count] };
        part.iter().zip(&self.sizes).for_each(|(part, size)| graph.sizes[*part] += size);
        let mut members = vec![Vec::new(); count];
        part.iter().enumerate().for_each(|(node, part)| members[*part].push(node));
        let mut ties = vec![0.0; count];
        for (one, members) in members.into_iter().enumerate() {
            let mut touched = Vec::new();
            for &(other, weight) in members.iter().flat_map(|node| &self.edges[*node]) {
                let other = part[other as usize];
                if other != one {
                    if ties[other] == 0.0 {
                        touched.push(other);
                    }
                    ties[other] += weight;
                }
            }
            touched.sort_unstable();
            graph.edges[one] = touched.iter().map(|&other| (other as u32, ties[other])).collect();
            touched.into_iter().for_each(|other| ties[other] = 0.0);
        }
        graph
    }
}

/// Nodes in an order that looks random and is the same everywhere (SplitMix64; Steele, Lea and Flood, 2014).
fn order(nodes: usize, start: u64) -> Vec<usize> {
    let mix = |node: usize| {
        let mut z = (node as u64 + 1).wrapping_add(start << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    let mut order: Vec<usize> = (0..nodes).collect();
    order.sort_by_cached_key(|&node| (mix(node), node));
    order
}

/// The same groups, numbered from 0 on in the order in which they begin.
pub(super) fn numbered(groups: &[usize]) -> Vec<usize> {
    let mut numbers = vec![usize::MAX; groups.iter().max().map_or(0, |last| last + 1)];
    let mut next = 0;
    let number = |group: &usize| {
        if numbers[*group] == usize::MAX {
            numbers[*group] = next;
            next += 1;
        }
        numbers[*group]
    };
    groups.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rings of nodes, each tied to all others of its ring, and a weak tie from ring to ring.
    fn rings(count: usize, size: usize) -> Graph {
        let nodes = count * size;
        let mut edges = vec![Vec::new(); nodes];
        for a in 0..nodes {
            for b in 0..nodes {
                if a != b && a / size == b / size {
                    edges[a].push((b as u32, 1.0));
                } else if a % size == 0 && b % size == 0 && (a / size + 1) % count == b / size {
                    edges[a].push((b as u32, 0.3));
                    edges[b].push((a as u32, 0.3));
                }
            }
        }
        Graph { edges, sizes: vec![1.0; nodes] }
    }

    #[test]
    fn rings_are_found_whatever_their_number() {
        for count in [1, 2, 5, 40] {
            let graph = rings(count, 6);
            let expected: Vec<usize> = (0..6 * count).map(|node| node / 6).collect();
            assert_eq!(graph.communities(0.3), expected, "{count} rings");
        }
    }

    #[test]
    fn odd_graphs_have_an_answer() {
        assert_eq!(Graph::default().communities(0.5), [0; 0]);
        let apart = Graph { edges: vec![Vec::new(); 3], sizes: vec![1.0; 3] };
        assert_eq!(apart.communities(0.5), [0, 1, 2]);
        assert_eq!(rings(1, 5).communities(0.0), [0; 5]);
        assert_eq!(rings(1, 5).communities(2.0), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn no_single_move_makes_the_answer_better() {
        // A graph without any order: ties by a recurrence that looks random.
        let (nodes, gamma) = (60usize, 0.25);
        let mut edges = vec![Vec::new(); nodes];
        let mut state = 1u64;
        for a in 0..nodes {
            for b in a + 1..nodes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let weight = (state >> 40) as f64 / (1u64 << 24) as f64;
                if weight > 0.8 {
                    edges[a].push((b as u32, weight));
                    edges[b].push((a as u32, weight));
                }
            }
        }
        let graph = Graph { edges, sizes: vec![1.0; nodes] };
        let found = graph.communities(gamma);
        let before = graph.quality(&found, gamma);
        assert!(before > graph.quality(&(0..nodes).collect::<Vec<_>>(), gamma));
        for node in 0..nodes {
            for to in 0..nodes {
                let mut other = found.clone();
                other[node] = to;
                assert!(graph.quality(&other, gamma) <= before + 1e-6, "node {node} to {to}");
            }
        }
    }
}

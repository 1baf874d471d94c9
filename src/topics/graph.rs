//! Topics of many papers: communities of the graph of those that are alike.
//!
//! Each paper is tied to the `k` that it is most like, out of the `5k` nearest in meaning, `3k` of many papers; a tie weighs the square of their
//! likeness. `k` grows with the root of the number of papers, from 10 to 20. On papers that people sorted, likeness finds better
//! topics than the cosine alone, and its square better ones than likeness.

use std::collections::{BTreeSet, HashMap};

use rayon::prelude::*;

use super::leiden::{Graph, numbered};
use super::papers::{Centroid, Papers};
use super::{Granularity, Options};
use crate::error::Result;
use crate::index::{Index, Source};
use crate::likeness::{BLEND, Compared, Features};
use crate::vector::Vectors;

/// A paper with less of the weight of its ties in its topic may be left over.
const AT_HOME: f64 = 1.0 / 3.0;
/// Two papers that share nothing, and yet are near to each other.
const LEAST_LIKENESS: f32 = 1e-6;

/// Papers that a paper is tied to, at least.
fn ties(papers: usize) -> usize {
    ((papers as f64).sqrt() / 2.0).round().clamp(10.0, 20.0) as usize
}

/// Papers near in meaning, out of which one is chosen to tie a paper to. Of many papers there are more that are near in words as well.
fn choice(papers: usize) -> usize {
    if papers > 10_000 { 3 } else { 5 }
}

/// Papers, and the graph of their ties; a node is a place in `rows`.
pub(super) struct Tied {
    rows: Vec<usize>,
    graph: Graph,
}

impl Tied {
    /// Ties some papers; rows ascend.
    pub(super) fn new(papers: &Papers, rows: Vec<usize>) -> Result<Self> {
        let graph = graph(papers, &rows)?;
        Ok(Self { rows, graph })
    }

    /// Some of the papers, with the ties among them.
    pub(super) fn within(&self, rows: Vec<usize>) -> Self {
        let places: HashMap<usize, u32> = rows.iter().copied().zip(0..).collect();
        let edges = |row: &usize| {
            let node = self.rows.partition_point(|other| other < row);
            let inside = |&(other, weight): &(u32, f64)| Some((*places.get(&self.rows[other as usize])?, weight));
            self.graph.edges[node].iter().filter_map(inside).collect()
        };
        let graph = Graph { edges: rows.iter().map(edges).collect(), sizes: vec![1.0; rows.len()] };
        Self { rows, graph }
    }
}

fn graph(papers: &Papers, rows: &[usize]) -> Result<Graph> {
    let k = ties(rows.len());
    let all = rows.iter().flat_map(|row| papers.features[*row].vector.iter().copied()).collect();
    let nearest = nearest(&Vectors::from_rows(papers.dim(), all), choice(rows.len()) * k)?;
    let features: Vec<&Features> = rows.iter().map(|row| &papers.features[*row]).collect();
    // One table of words a thread; it needs some paper to turn from.
    let table = || Compared::new(features[0], BLEND);
    let ties = (0..rows.len()).into_par_iter().map_init(table, |compared, node| {
        compared.turn_to(features[node]);
        let likeness = |&(other, cosine): &(u32, f32)| (other, compared.with_cosine(features[other as usize], cosine).max(LEAST_LIKENESS));
        let mut alike: Vec<(u32, f32)> = nearest[node].iter().map(likeness).collect();
        alike.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        alike.truncate(k);
        alike
    });
    let ties: Vec<Vec<(u32, f32)>> = ties.collect();
    let mut edges: Vec<Vec<(u32, f64)>> = vec![Vec::new(); rows.len()];
    for (node, ties) in ties.iter().enumerate() {
        for &(other, likeness) in ties {
            let weight = f64::from(likeness) * f64::from(likeness);
            edges[node].push((other, weight));
            edges[other as usize].push((node as u32, weight));
        }
    }
    for edges in &mut edges {
        // A tie of both sides is one; the two differ in their last bit.
        edges.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        edges.dedup_by_key(|(other, _)| *other);
    }
    Ok(Graph { edges, sizes: vec![1.0; rows.len()] })
}

/// The nearest of each row, with their cosines.
pub(super) fn nearest(vectors: &Vectors, k: usize) -> Result<Vec<Vec<(u32, f32)>>> {
    let labels: Vec<i64> = (1..=vectors.len() as i64).collect();
    let lists = Index::build(Source { vectors, labels: &labels, state: 0 }, None)?.neighbours(k)?;
    Ok(lists.into_iter().map(|list| list.into_iter().map(|near| (near.row.0, near.cosine)).collect()).collect())
}

/// How much denser than the whole graph a topic is.
fn density(granularity: Granularity) -> f64 {
    match granularity {
        Granularity::Coarse => 0.6,
        Granularity::Medium => 1.0,
        Granularity::Fine => 2.0,
    }
}

/// Groups of papers. One in none of them is left over.
pub(super) fn groups(papers: &Papers, Tied { rows, graph }: &Tied, options: &Options) -> Vec<Vec<usize>> {
    let gamma = graph.mean_degree() / rows.len() as f64;
    let community = match options.count {
        Some(count) => of_count(graph, gamma, count),
        None => found(graph, gamma * density(options.granularity)),
    };
    let mut groups: Vec<Vec<usize>> = members(&community).into_iter().map(|group| group.into_iter().map(|node| rows[node]).collect()).collect();
    let left = strangers(papers, rows, graph, &numbered(&community), &groups);
    let may_be_left = (options.max_leftover * rows.len() as f32) as usize;
    for (number, row) in left.into_iter().take(may_be_left) {
        if groups[number].len() > 2 {
            groups[number].retain(|other| *other != row);
        }
    }
    groups
}

fn found(graph: &Graph, gamma: f64) -> Vec<usize> {
    let mut community = graph.communities(gamma);
    dissolve(graph, &mut community);
    community
}

fn count_of(community: &[usize]) -> usize {
    community.iter().max().map_or(0, |last| last + 1)
}

/// So many topics: a density with at least as many is looked for, and then those that are tied most become one.
fn of_count(graph: &Graph, gamma: f64, count: usize) -> Vec<usize> {
    /// Halvings of the logarithm of the density.
    const TRIES: usize = 12;
    const DENSEST: f64 = 50.0;
    let mut best = found(graph, gamma);
    if count_of(&best) < count {
        let (mut low, mut high) = (gamma, gamma * DENSEST);
        for _ in 0..TRIES {
            let middle = (low * high).sqrt();
            let next = found(graph, middle);
            let is_enough = count_of(&next) >= count;
            *(if is_enough { &mut high } else { &mut low }) = middle;
            let is_better = if is_enough {
                count_of(&best) < count || count_of(&next) < count_of(&best)
            } else {
                count_of(&next) > count_of(&best) && count_of(&best) < count
            };
            if is_better {
                best = next;
            }
            if count_of(&best) == count {
                break;
            }
        }
    }
    join(graph, best, count)
}

/// Joins topics, always the two whose ties exceed most what chance would give (the gain of modularity; Clauset, Newman and Moore,
/// "Finding community structure in very large networks", 2004), until there are so many.
fn join(graph: &Graph, mut community: Vec<usize>, count: usize) -> Vec<usize> {
    let mut left = count_of(&community);
    let mut between = vec![vec![0.0; left]; left];
    for (node, edges) in graph.edges.iter().enumerate() {
        edges.iter().for_each(|(other, weight)| between[community[node]][community[*other as usize]] += weight);
    }
    let mut degree: Vec<f64> = between.iter().map(|row| row.iter().sum()).collect();
    let all: f64 = degree.iter().sum();
    while left > count {
        let pairs = (0..left).flat_map(|a| (a + 1..left).map(move |b| (a, b)));
        let gain = |&(a, b): &(usize, usize)| 2.0 * between[a][b] / all - 2.0 * degree[a] * degree[b] / (all * all);
        let Some((a, b)) = pairs.reduce(|best, next| if gain(&next) > gain(&best) { next } else { best }) else { break };
        let (row, from) = (between.remove(b), degree.remove(b));
        between[a].iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight);
        degree[a] += from;
        for row in &mut between {
            let from = row.remove(b);
            row[a] += from;
        }
        community.iter_mut().for_each(|own| *own = if *own == b { a } else { *own - usize::from(*own > b) });
        left -= 1;
    }
    community
}

/// Topics of fewer papers are given up.
fn least(papers: usize) -> usize {
    ((papers as f64 / 150.0).min((papers as f64).sqrt() / 4.0) as usize).max(3)
}

/// Topics of very few papers are given up, the smallest first: each of their papers goes to the topic that it is tied to most.
fn dissolve(graph: &Graph, community: &mut Vec<usize>) {
    *community = numbered(community);
    let mut members = members(community);
    let mut by_size: BTreeSet<(usize, usize)> = members.iter().enumerate().map(|(own, group)| (group.len(), own)).collect();
    while by_size.len() > 1 {
        let Some(&(size, own)) = by_size.first().filter(|(size, _)| *size < least(community.len())) else { break };
        by_size.remove(&(size, own));
        let largest = by_size.last().map_or(own, |(_, largest)| *largest);
        let group = std::mem::take(&mut members[own]);
        let to: Vec<usize> = group.iter().map(|&node| tied_most(graph, community, node, own).map_or(largest, |(to, _)| to)).collect();
        for (node, to) in group.into_iter().zip(to) {
            community[node] = to;
            by_size.remove(&(members[to].len(), to));
            members[to].push(node);
            by_size.insert((members[to].len(), to));
        }
    }
    *community = numbered(community);
}

/// The community to which a node is tied most but for one, and how much; of equals the first.
fn tied_most(graph: &Graph, community: &[usize], node: usize, without: usize) -> Option<(usize, f64)> {
    let mut sums: Vec<(usize, f64)> = Vec::new();
    for &(other, weight) in &graph.edges[node] {
        let to = community[other as usize];
        match sums.iter_mut().find(|(seen, _)| *seen == to) {
            Some((_, sum)) => *sum += weight,
            None => sums.push((to, weight)),
        }
    }
    sums.retain(|(to, _)| *to != without);
    sums.into_iter().reduce(|best, next| if next.1 > best.1 || next.1 == best.1 && next.0 < best.0 { next } else { best })
}

/// Papers that are tied to other topics and nearer to the middle of another one: the number of the topic, and the row; those that
/// are least at home first.
fn strangers(papers: &Papers, rows: &[usize], graph: &Graph, community: &[usize], groups: &[Vec<usize>]) -> Vec<(usize, usize)> {
    let centroids: Vec<Centroid> = groups.par_iter().map(|group| papers.centroid(group)).collect();
    let share = |node: usize| {
        let (mut inside, mut all) = (0.0, 0.0);
        for &(other, weight) in &graph.edges[node] {
            all += weight;
            inside += if community[other as usize] == community[node] { weight } else { 0.0 };
        }
        if all > 0.0 { inside / all } else { 1.0 }
    };
    let stranger = |node: usize| {
        let (own, features, share) = (community[node], &papers.features[rows[node]], share(node));
        let home = || centroids[own].cosine_of_member(features);
        let is_nearer = |home: f32| (0..groups.len()).any(|other| other != own && centroids[other].cosine(features) > home);
        (share < AT_HOME && is_nearer(home())).then_some((share, own, rows[node]))
    };
    let mut left: Vec<(f64, usize, usize)> = (0..rows.len()).into_par_iter().filter_map(stranger).collect();
    left.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
    left.into_iter().map(|(_, own, row)| (own, row)).collect()
}

/// The nodes of each community, in the order of the first of them.
fn members(community: &[usize]) -> Vec<Vec<usize>> {
    let numbered = numbered(community);
    let mut members = vec![Vec::new(); count_of(&numbered)];
    numbered.iter().enumerate().for_each(|(node, community)| members[*community].push(node));
    members
}

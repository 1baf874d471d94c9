//! The papers, and the graph of those that are alike.
//!
//! Each paper is tied to the 15 that it is most like in meaning and words, out of the 50 nearest in meaning, with their likeness
//! as the weight. On 1,465 papers that people sorted, likeness finds better topics than the cosine alone.

use std::collections::HashSet;

use rayon::prelude::*;

use super::leiden::Graph;
use super::{Granularity, Options};
use crate::error::Result;
use crate::index::{Index, Source};
use crate::library::{Brief, Library, PaperRow};
use crate::likeness::{BLEND, Compared, Counted, Features, Rarities};
use crate::vector::Vectors;

/// Papers near in meaning that a paper may be tied to.
const NEAREST: usize = 50;
/// Papers that it is tied to.
const TIES: usize = 15;

/// Papers with all that topics look at.
pub(super) struct Papers {
    pub rows: Vec<PaperRow>,
    pub briefs: Vec<Brief>,
    pub features: Vec<Features>,
}

impl Papers {
    /// Those of a library that a filter lets through, and how many of them have no vector.
    pub(super) fn read(library: &Library, options: &Options) -> Result<(Self, u64)> {
        let (mut rows, mut vectors, mut without) = (Vec::new(), Vec::new(), 0);
        let among: Option<HashSet<&PaperRow>> = options.among.as_ref().map(|among| among.iter().collect());
        for row in library.rows_of(&options.filter)?.into_iter().filter(|row| among.as_ref().is_none_or(|among| among.contains(row))) {
            match library.vector(row)? {
                Some(vector) => {
                    rows.push(row);
                    vectors.push(vector);
                }
                None => without += 1,
            }
        }
        let briefs = rows.iter().map(|&row| library.brief(row)).collect::<Result<Vec<_>>>()?;
        let counted: Vec<Counted> = briefs.par_iter().map(|brief| Counted::new(&brief.title, &brief.abstract_text)).collect();
        let rarities = Rarities::of(&counted, 0);
        let features = vectors.into_par_iter().zip(&counted).map(|(vector, counted)| rarities.features(vector, counted)).collect();
        Ok((Self { rows, briefs, features }, without))
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn dim(&self) -> usize {
        self.features.first().map_or(0, |features| features.vector.len())
    }

    /// The graph of the papers.
    fn graph(&self) -> Result<Graph> {
        let all = self.features.iter().flat_map(|features| features.vector.iter().copied()).collect();
        let nearest = nearest(&Vectors::from_rows(self.dim(), all), NEAREST)?;
        let ties = |(row, near): (usize, &Vec<(u32, f32)>)| {
            let compared = Compared::new(&self.features[row], BLEND);
            let mut alike: Vec<(u32, f32)> = near.iter().map(|&(other, _)| (other, compared.to(&self.features[other as usize]))).collect();
            alike.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            alike.truncate(TIES);
            alike.retain(|(_, likeness)| *likeness > 0.0);
            alike
        };
        let ties: Vec<Vec<(u32, f32)>> = nearest.par_iter().enumerate().map(ties).collect();
        let mut edges: Vec<Vec<(u32, f64)>> = vec![Vec::new(); self.len()];
        for (row, ties) in ties.iter().enumerate() {
            for &(other, likeness) in ties {
                edges[row].push((other, f64::from(likeness)));
                edges[other as usize].push((row as u32, f64::from(likeness)));
            }
        }
        for edges in &mut edges {
            // A tie of both sides is one; the two differ in their last bit.
            edges.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
            edges.dedup_by_key(|(other, _)| *other);
        }
        Ok(Graph { edges, sizes: vec![1.0; self.len()] })
    }
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

/// Groups of many papers. A paper in none of them is left over.
pub(super) fn groups(papers: &Papers, options: &Options) -> Result<Vec<Vec<usize>>> {
    let graph = papers.graph()?;
    let gamma = graph.mean_degree() / papers.len() as f64;
    let found = match options.count {
        Some(count) => of_count(&graph, gamma, count),
        None => found(&graph, gamma * density(options.granularity)),
    };
    Ok(found)
}

fn found(graph: &Graph, gamma: f64) -> Vec<Vec<usize>> {
    let mut community = graph.communities(gamma);
    dissolve(graph, &mut community);
    members(&community)
}

/// As near to a number of topics as a density brings: it is halved and doubled until the number lies between, and then tried
/// between them.
fn of_count(graph: &Graph, gamma: f64, count: usize) -> Vec<Vec<usize>> {
    const TRIES: usize = 12;
    let (mut low, mut high) = (gamma / 64.0, gamma * 64.0);
    let mut best = found(graph, gamma);
    for _ in 0..TRIES {
        if best.len() == count {
            break;
        }
        let middle = (low * high).sqrt();
        let next = found(graph, middle);
        if next.len() < count {
            low = middle
        } else {
            high = middle
        }
        if next.len().abs_diff(count) < best.len().abs_diff(count) {
            best = next;
        }
    }
    best
}

/// Topics of very few papers are given up, the smallest first: each of their papers goes where its strongest tie is.
fn dissolve(graph: &Graph, community: &mut [usize]) {
    let least = (community.len() / 150).max(3);
    loop {
        let groups = members(community);
        let Some(smallest) = groups.iter().min_by_key(|group| (group.len(), group[0])).filter(|group| group.len() < least && groups.len() > 1) else {
            return;
        };
        let own = community[smallest[0]];
        let strongest = |row: usize| {
            let out = graph.edges[row].iter().filter(|(other, _)| community[*other as usize] != own);
            out.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).map(|(other, _)| community[*other as usize])
        };
        let to: Vec<Option<usize>> = smallest.iter().map(|&row| strongest(row)).collect();
        // Papers that are tied to nothing else go with those of their own that are.
        let Some(fallback) =
            to.iter().flatten().next().copied().or_else(|| groups.iter().map(|group| community[group[0]]).find(|other| *other != own))
        else {
            return;
        };
        smallest.iter().zip(to).for_each(|(&row, to)| community[row] = to.unwrap_or(fallback));
    }
}

/// The papers of each community, in the order of the first of them.
fn members(community: &[usize]) -> Vec<Vec<usize>> {
    let numbered = super::leiden::numbered(community);
    let mut members = vec![Vec::new(); numbered.iter().max().map_or(0, |last| last + 1)];
    numbered.iter().enumerate().for_each(|(row, community)| members[*community].push(row));
    members
}

//! Papers that nearly repeat another one: revisions under another id, a preprint and its talk, copies.

use super::Hit;
use crate::error::{Error, Result};
use crate::library::{Library, PaperRow};
use crate::paper::Paper;
use crate::vector::dot;

/// Papers that are all near duplicates, each of some other of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The one that came first.
    pub first: Paper,
    /// The others, with their cosine to the first, the nearest first.
    pub others: Vec<Hit>,
}

/// Neighbours of each paper that are looked at: of more duplicates than that, some may stand in a group of their own.
const NEIGHBOURS: usize = 10;
/// Vectors of f16 have a length of 1 to within this.
const ROUNDING: f32 = 1e-3;

/// Groups of papers of which each has a cosine of at least `at_least` to another, the oldest group first; equal papers have
/// one of 1, but for what f16 rounds.
///
/// # Errors
///
/// [`Error::Usage`] if `at_least` is not above 0 and at most 1.
pub fn duplicates(library: &Library, at_least: f32) -> Result<Vec<Group>> {
    if !(at_least > 0.0 && at_least <= 1.0) {
        return Err(Error::usage(format!("a cosine of {at_least}; expected one above 0 and at most 1, such as 0.95")));
    }
    let neighbours = library.neighbours(NEIGHBOURS)?;
    let papers: Vec<PaperRow> = neighbours.iter().map(|(paper, _)| *paper).collect();
    let place = |paper: &PaperRow| papers.binary_search(paper).ok();
    let mut leaders: Vec<usize> = (0..papers.len()).collect();
    for (row, (_, near)) in neighbours.iter().enumerate() {
        for other in near.iter().filter(|(_, cosine)| *cosine >= at_least - ROUNDING).filter_map(|(paper, _)| place(paper)) {
            let (a, b) = (leader(&mut leaders, row), leader(&mut leaders, other));
            // The first of a group leads it.
            leaders[a.max(b)] = a.min(b);
        }
    }
    let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
    for row in 0..papers.len() {
        match leader(&mut leaders, row) {
            first if first == row => groups.push((row, Vec::new())),
            first => {
                // Groups are in the order of their first papers.
                if let Ok(group) = groups.binary_search_by_key(&first, |group| group.0) {
                    groups[group].1.push(row);
                }
            }
        }
    }
    groups.retain(|(_, others)| !others.is_empty());
    groups.into_iter().map(|(first, others)| group(library, papers[first], others.into_iter().map(|row| papers[row]))).collect()
}

fn leader(leaders: &mut [usize], mut row: usize) -> usize {
    while leaders[row] != row {
        leaders[row] = leaders[leaders[row]];
        row = leaders[row];
    }
    row
}

fn group(library: &Library, first: PaperRow, others: impl Iterator<Item = PaperRow>) -> Result<Group> {
    let vector = library.vector(first)?.unwrap_or_default();
    let hit = |paper: PaperRow| {
        let cosine = library.vector(paper)?.filter(|other| other.len() == vector.len()).map_or(0.0, |other| dot(&vector, &other));
        Ok(Hit { row: paper, paper: library.paper(paper)?, score: cosine, cosine: Some(cosine), reasons: Vec::new() })
    };
    let mut others = others.map(hit).collect::<Result<Vec<Hit>>>()?;
    others.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(Group { first: library.paper(first)?, others })
}

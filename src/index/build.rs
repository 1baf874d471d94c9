//! The graph of many rows at once: `hnsw_rs` builds it, and its lists are taken over.
//!
//! Rows go in one by one, in order, as codes: distances are of integers, so that the same rows give the same graph on
//! every machine. `hnsw_rs` keeps of a row also what it met on levels above the row's own on its way down; that is left.

use hnsw_rs::anndists::dist::Distance;
use hnsw_rs::hnsw::{Hnsw, Neighbour};
use rayon::prelude::*;

use super::graph::{NONE, Room};
use super::link::{Coded, EF_LINK, Links};
use crate::error::Result;
use crate::kernel::{Instructions, dot_pair};

/// How a graph is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// Neighbours a row in the levels above the lowest, where there are twice as many.
    pub m: usize,
    /// Candidates for them.
    pub ef_construction: usize,
}

impl Default for Build {
    fn default() -> Self {
        Self { m: 24, ef_construction: 64 }
    }
}

/// `1 - cosine`, not below 0.
struct Cosine(Instructions);

impl Distance<i32> for Cosine {
    fn eval(&self, a: &[i32], b: &[i32]) -> f32 {
        let dot = dot_pair(self.0, &a[1..], &b[1..]);
        (1.0 - dot as f32 * super::codes::scale(a) * super::codes::scale(b)).max(0.0)
    }
}

/// Levels that `hnsw_rs` may make; no library has rows for so many.
const LEVELS: usize = 16;

/// Builds the graph of all rows, of which there is at least one, and links again what it does not find.
pub(super) fn build(coded: Coded<'_>, how: Build) -> Result<Links> {
    let stride = coded.shape.stride();
    let rows = coded.codes.len() / stride;
    let hnsw = Hnsw::<i32, Cosine>::new(how.m, rows, LEVELS, how.ef_construction, Cosine(coded.instructions));
    for (row, code) in coded.codes.chunks_exact(stride).enumerate() {
        hnsw.insert((code, row));
    }
    let mut links = take_over(&hnsw, rows, how.m);
    mend(&mut links, coded, (0..rows as u32).collect())?;
    Ok(links)
}

fn take_over(hnsw: &Hnsw<'_, i32, Cosine>, rows: usize, m: usize) -> Links {
    let points = hnsw.get_point_indexation();
    let top = usize::from(points.get_max_level_observed());
    let entry = points.get_layer_iterator(top).next().map_or(0, |point| point.get_origin_id() as u32);
    let mut links = Links { m, entry, lists: vec![NONE; rows * 2 * m], levels: vec![Default::default(); top], strays: Vec::new() };
    let mut tall: Vec<(usize, usize, Vec<Vec<Neighbour>>)> = Vec::new();
    for point in points {
        let (row, level) = (point.get_origin_id(), usize::from(point.get_point_id().0));
        let lists = point.get_neighborhood_id();
        if let Some(list) = lists.first() {
            fill(&mut links.lists[row * 2 * m..][..2 * m], list);
        }
        if level > 0 {
            tall.push((row, level, lists));
        }
    }
    tall.sort_unstable_by_key(|(row, ..)| *row);
    for (row, level, lists) in tall {
        for ((rows, places), list) in links.levels[..level].iter_mut().zip(&lists[1..]) {
            rows.push(row as i32);
            let start = places.len();
            places.resize(start + m, NONE);
            fill(&mut places[start..], list);
        }
    }
    links
}

/// The nearest first, as many as there are places.
fn fill(places: &mut [i32], list: &[Neighbour]) {
    let mut list: Vec<(f32, usize)> = list.iter().map(|near| (near.distance, near.d_id)).collect();
    list.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    places.iter_mut().zip(list).for_each(|(place, (_, row))| *place = row as i32);
}

/// Links again those of the rows that are not found by their own code, and lists as strays those that are not found even then.
pub(super) fn mend(links: &mut Links, coded: Coded<'_>, rows: Vec<u32>) -> Result<()> {
    let mut room = Room::default();
    let mut lost = self::lost(links, coded, &rows)?;
    for &row in &lost {
        links.link(coded, row, &mut room)?;
    }
    if !lost.is_empty() {
        // Linking may have pushed others out.
        lost = self::lost(links, coded, &rows)?;
    }
    links.strays = lost.into_iter().map(|row| row as i32).collect();
    Ok(())
}

/// Those of `rows` that a search for their own code does not meet among the nearest.
fn lost(links: &Links, coded: Coded<'_>, rows: &[u32]) -> Result<Vec<u32>> {
    let graph = links.graph(coded);
    let finds = |room: &mut Room, row: u32, ef: usize| -> Result<bool> {
        Ok(graph.search(&coded.code(row), ef, room, |_| true)?.iter().any(|rank| rank.row() == row))
    };
    // Nearly all are found by a short walk.
    let is_lost =
        |room: &mut Room, &row: &u32| -> Result<Option<u32>> { Ok((!finds(room, row, EF_LINK / 8)? && !finds(room, row, EF_LINK)?).then_some(row)) };
    let lost: Result<Vec<Option<u32>>> = rows.par_iter().map_init(Room::default, is_lost).collect();
    Ok(lost?.into_iter().flatten().collect())
}

//! The graph while it grows, and the one routine that links a row into it: it mends what a build lost and takes in what
//! came after it.

use super::codes::{Code, Shape};
use super::graph::{Graph, Level, NONE, Room};
use super::rank::Rank;
use crate::error::Result;
use crate::kernel::{Instructions, dot_rows};

/// Rows that are looked at when one is linked, and when one is looked for.
pub(super) const EF_LINK: usize = 96;

/// A graph that may be changed.
pub(super) struct Links {
    pub(super) m: usize,
    pub(super) entry: u32,
    /// `2m` places a row.
    pub(super) lists: Vec<i32>,
    /// Rows and lists of each level from the second lowest on.
    pub(super) levels: Vec<(Vec<i32>, Vec<i32>)>,
    /// Rows that no walk finds, ascending.
    pub(super) strays: Vec<i32>,
}

/// The rows' codes, and how to compare them.
#[derive(Clone, Copy)]
pub(super) struct Coded<'a> {
    pub(super) shape: Shape,
    pub(super) codes: &'a [i32],
    pub(super) instructions: Instructions,
}

impl Coded<'_> {
    pub(super) fn code(&self, row: u32) -> Code {
        let stride = self.shape.stride();
        Code { row: self.codes[row as usize * stride..][..stride].to_vec(), error: 0.0, length: 1.0 }
    }
}

impl Links {
    pub(super) fn graph<'a>(&'a self, coded: Coded<'a>) -> Graph<'a> {
        let levels = self.levels.iter().map(|(rows, lists)| Level { rows, lists }).collect();
        let Coded { shape, codes, instructions } = coded;
        Graph { shape, m: self.m, entry: self.entry, codes, lists: &self.lists, levels, image: None, instructions }
    }

    /// Links a row on the lowest level, where its list is replaced if it has one: `2m` neighbours of [`Self::select`] among
    /// those that a search finds, and back from each of them.
    pub(super) fn link(&mut self, coded: Coded<'_>, row: u32, room: &mut Room) -> Result<()> {
        let query = coded.code(row);
        let mut found = self.graph(coded).search(&query, EF_LINK, room, |other| other != row)?;
        let near = select(coded, &mut found, 2 * self.m);
        self.write(row, &near);
        for other in near {
            let mut ranks = self.ranked(coded, other, row);
            let kept = if ranks.len() > 2 * self.m { select(coded, &mut ranks, 2 * self.m) } else { ranks.iter().map(|rank| rank.row()).collect() };
            self.write(other, &kept);
        }
        Ok(())
    }

    fn list(&self, row: u32) -> Vec<u32> {
        let list = &self.lists[row as usize * 2 * self.m..][..2 * self.m];
        list.iter().map(|&near| near as u32).filter(|&near| (near as usize) < self.lists.len() / (2 * self.m)).collect()
    }

    fn write(&mut self, row: u32, near: &[u32]) {
        let list = &mut self.lists[row as usize * 2 * self.m..][..2 * self.m];
        list.fill(NONE);
        list.iter_mut().zip(near).for_each(|(place, &near)| *place = near as i32);
    }

    /// A row's neighbours and one more, each with its cosine to the row.
    fn ranked(&self, coded: Coded<'_>, row: u32, more: u32) -> Vec<Rank> {
        let mut rows = self.list(row);
        rows.retain(|&near| near != more);
        rows.push(more);
        let query = coded.code(row);
        let graph = self.graph(coded);
        let mut dots = vec![0; rows.len()];
        dot_rows(coded.instructions, query.words(), coded.shape.rows(coded.codes), &rows, &mut dots);
        rows.iter().zip(dots).map(|(&row, dot)| graph.rank(&query, row, dot)).collect()
    }
}

/// Of the candidates, at most `count` that are nearer to the row than to any other that was taken before (the paper's algorithm
/// 4): neighbours in different directions lead further than neighbours of each other.
pub(super) fn select(coded: Coded<'_>, candidates: &mut [Rank], count: usize) -> Vec<u32> {
    candidates.sort_unstable_by(|a, b| b.cmp(a));
    let mut taken: Vec<u32> = Vec::with_capacity(count);
    let mut dots = Vec::new();
    for candidate in candidates.iter() {
        if taken.len() >= count {
            break;
        }
        let code = coded.code(candidate.row());
        dots.resize(taken.len(), 0);
        dot_rows(coded.instructions, code.words(), coded.shape.rows(coded.codes), &taken, &mut dots);
        let scale = |row: u32| super::codes::scale(&coded.codes[row as usize * coded.shape.stride()..]);
        let is_new = taken.iter().zip(&dots).all(|(&row, &dot)| dot as f32 * scale(row) * code.scale() < candidate.cosine());
        if is_new {
            taken.push(candidate.row());
        }
    }
    taken
}

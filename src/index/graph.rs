//! Search in the flat graph: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
//! hierarchical navigable small world graphs" (arXiv 1603.09320), algorithms 2 and 5.
//!
//! The naive search compares the query with every row. Here a walk begins at the entry, on the highest level, and goes to
//! whichever neighbour is nearer, level by level; on the lowest it keeps the `ef` nearest rows met so far, and ends when
//! none of them has a neighbour that is nearer than the worst of them.
//!
//! A row may be a stray, which no walk meets; whoever asks compares those one by one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::codes::{self, Code, Shape};
use super::image::{Image, Section};
use super::rank::Rank;
use crate::error::Result;
use crate::kernel::{Instructions, dot_rows};

/// A list's places that hold no row.
pub(super) const NONE: i32 = -1;

/// A level above the lowest: which rows are in it, ascending, and `m` places for the neighbours of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level<'a> {
    pub(super) rows: &'a [i32],
    pub(super) lists: &'a [i32],
}

/// The graph as words, wherever they are.
#[derive(Clone)]
pub(super) struct Graph<'a> {
    pub(super) shape: Shape,
    pub(super) m: usize,
    pub(super) entry: u32,
    pub(super) codes: &'a [i32],
    /// `2m` places a row.
    pub(super) lists: &'a [i32],
    /// From the second lowest on.
    pub(super) levels: Vec<Level<'a>>,
    /// Where the words come from, if they may be damaged.
    pub(super) image: Option<&'a Image>,
    pub(super) instructions: Instructions,
}

/// What a search needs, used again and again.
#[derive(Default)]
pub(super) struct Room {
    /// A row was met if its mark is the epoch.
    marks: Vec<u32>,
    epoch: u32,
    /// To be looked at, the nearest first.
    frontier: BinaryHeap<Rank>,
    /// The best so far, the worst of them first.
    best: BinaryHeap<Reverse<Rank>>,
    near: Vec<u32>,
    dots: Vec<i32>,
}

impl Room {
    fn begin(&mut self, rows: usize) {
        self.frontier.clear();
        self.best.clear();
        self.marks.resize(rows, 0);
        if self.epoch == u32::MAX {
            self.marks.fill(0);
            self.epoch = 0;
        }
        self.epoch += 1;
    }

    /// True the first time.
    fn meets(&mut self, row: u32) -> bool {
        match self.marks.get_mut(row as usize) {
            Some(mark) if *mark != self.epoch => {
                *mark = self.epoch;
                true
            }
            // Met before, or no row at all.
            _ => false,
        }
    }
}

impl Graph<'_> {
    pub(super) fn rows(&self) -> usize {
        self.codes.len() / self.shape.stride()
    }

    /// The `ef` rows that a walk from the entry finds nearest, in no order, among those that `keep` lets through.
    pub(super) fn search(&self, query: &Code, ef: usize, room: &mut Room, keep: impl Fn(u32) -> bool) -> Result<Vec<Rank>> {
        room.begin(self.rows());
        let start = self.descend(query, room)?;
        room.meets(start.row());
        room.frontier.push(start);
        if keep(start.row()) {
            room.best.push(Reverse(start));
        }
        while let Some(next) = room.frontier.pop() {
            if room.best.len() >= ef && room.best.peek().is_some_and(|worst| next < worst.0) {
                break;
            }
            let mut near = std::mem::take(&mut room.near);
            near.clear();
            near.extend(self.list(next.row())?.iter().map(|&row| row as u32).filter(|&row| room.meets(row)));
            self.compare(query, &near, &mut room.dots)?;
            for (&row, &dot) in near.iter().zip(&room.dots) {
                let rank = self.rank(query, row, dot);
                if room.best.len() < ef || room.best.peek().is_some_and(|worst| rank > worst.0) {
                    room.frontier.push(rank);
                    if keep(row) {
                        room.best.push(Reverse(rank));
                        if room.best.len() > ef {
                            room.best.pop();
                        }
                    }
                }
            }
            room.near = near;
        }
        Ok(room.best.drain().map(|rank| rank.0).collect())
    }

    /// From the entry to the nearest row that a greedy walk finds on the second lowest level.
    fn descend(&self, query: &Code, room: &mut Room) -> Result<Rank> {
        self.compare(query, &[self.entry], &mut room.dots)?;
        let mut best = self.rank(query, self.entry, room.dots[0]);
        for level in self.levels.iter().rev() {
            loop {
                let Ok(at) = level.rows.binary_search(&(best.row() as i32)) else { break };
                let list = level.lists.get(at * self.m..(at + 1) * self.m).unwrap_or_default();
                room.near.clear();
                room.near.extend(list.iter().map(|&row| row as u32).filter(|&row| (row as usize) < self.rows()));
                self.compare(query, &room.near, &mut room.dots)?;
                let ranks = room.near.iter().zip(&room.dots).map(|(&row, &dot)| self.rank(query, row, dot));
                match ranks.max() {
                    Some(nearer) if nearer > best => best = nearer,
                    _ => break,
                }
            }
        }
        Ok(best)
    }

    /// The places of a row's neighbours.
    pub(super) fn list(&self, row: u32) -> Result<&[i32]> {
        let range = row as usize * 2 * self.m..(row as usize + 1) * 2 * self.m;
        if let Some(image) = self.image {
            image.check(Section::Lists, range.clone())?;
        }
        Ok(&self.lists[range])
    }

    pub(super) fn code(&self, row: u32) -> &[i32] {
        &self.codes[row as usize * self.shape.stride()..][..self.shape.stride()]
    }

    pub(super) fn compare(&self, query: &Code, rows: &[u32], dots: &mut Vec<i32>) -> Result<()> {
        if let Some(image) = self.image {
            let stride = self.shape.stride();
            rows.iter().try_for_each(|&row| image.check(Section::Codes, row as usize * stride..(row as usize + 1) * stride))?;
        }
        dots.resize(rows.len(), 0);
        dot_rows(self.instructions, query.words(), self.shape.rows(self.codes), rows, dots);
        Ok(())
    }

    pub(super) fn rank(&self, query: &Code, row: u32, dot: i32) -> Rank {
        Rank::new(row, dot as f32 * codes::scale(self.code(row)) * query.scale())
    }
}

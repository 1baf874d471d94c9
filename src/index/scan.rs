//! Every row: the nearest to one query.
//!
//! Codes say how far two cosines may be apart: by Cauchy and Schwarz, `|q·x - q̂·x̂| ≤ |q - q̂| |x̂| + |q| |x - x̂|`, and
//! what a code leaves out of `x` is at most half its scale in each number. So a row whose coded cosine is more than twice
//! that below the `k`-th best is not among the nearest `k`, and all others are looked at as f16.

use std::ops::Range;

use rayon::prelude::*;

use super::Index;
use super::codes::{self, Code, Shape};
use super::image::Section;
use super::rank::Rank;
use super::rows::RowSet;
use crate::error::Result;
use crate::kernel::{Instructions, dot_range, dot_rows};
use crate::vector::RowId;

/// Rows a thread scans at a time: enough to know soon what is of no interest, few enough for all threads to have some.
const PART: usize = 16 * 1024;

impl Index {
    /// All rows of the image, among those allowed, that may be among the `k` nearest, by their codes.
    pub(super) fn scan(&self, query: &Code, k: usize, allowed: &RowSet) -> Result<Vec<Rank>> {
        let (shape, rows, count) = (self.image.shape(), self.image.header().rows, allowed.len());
        let codes = self.image.section(Section::Codes)?;
        // Rows are as long as f16 keeps 1, and codes of them as much longer as they leave out.
        let error = 0.5 * self.image.header().largest_scale * (shape.dim as f32).sqrt();
        let margin = 2.0 * (query.error * (1.001 + error) + query.length * error) * 1.01;
        let scan = Scan { query, shape, codes, instructions: self.instructions, margin, k };
        let mut found: Vec<Rank> = if count < rows / SPARSE {
            let rows: Vec<u32> = allowed.iter().map(|row| row.0).collect();
            rows.par_chunks(PART).flat_map_iter(|rows| scan.some(rows)).collect()
        } else {
            let firsts: Vec<usize> = (0..rows).step_by(PART).collect();
            firsts.into_par_iter().flat_map_iter(|first| scan.range(first..rows.min(first + PART), allowed)).collect()
        };
        keep_within(&mut found, k, margin);
        Ok(found)
    }
}

/// Of fewer than one row in so many, each is fetched for itself, which takes twice as long a row as comparing all in turn.
const SPARSE: usize = 2;

/// One query's way past the codes.
struct Scan<'a> {
    query: &'a Code,
    shape: Shape,
    codes: &'a [i32],
    instructions: Instructions,
    margin: f32,
    k: usize,
}

impl Scan<'_> {
    fn range(&self, rows: Range<usize>, allowed: &RowSet) -> Vec<Rank> {
        let mut near = Near::new(self.k, self.margin);
        let mut dots = [0; TILE];
        for start in rows.clone().step_by(TILE) {
            let dots = &mut dots[..TILE.min(rows.end - start)];
            dot_range(self.instructions, self.query.words(), self.shape.rows(self.codes), start, dots);
            for (row, &dot) in (start as u32..).zip(&*dots) {
                self.meet(&mut near, row, dot, |row| allowed.contains(row));
            }
        }
        near.found
    }

    fn some(&self, rows: &[u32]) -> Vec<Rank> {
        let mut near = Near::new(self.k, self.margin);
        let mut dots = [0; TILE];
        for rows in rows.chunks(TILE) {
            let dots = &mut dots[..rows.len()];
            dot_rows(self.instructions, self.query.words(), self.shape.rows(self.codes), rows, dots);
            rows.iter().zip(&*dots).for_each(|(&row, &dot)| self.meet(&mut near, row, dot, |_| true));
        }
        near.found
    }

    #[inline]
    fn meet(&self, near: &mut Near, row: u32, dot: i32, allowed: impl Fn(RowId) -> bool) {
        let cosine = dot as f32 * codes::scale(&self.codes[row as usize * self.shape.stride()..]) * self.query.scale();
        if cosine >= near.least && allowed(RowId(row)) {
            near.meet(Rank::new(row, cosine));
        }
    }
}

/// Rows a tile.
const TILE: usize = 512;

/// What may be among the nearest.
pub(super) struct Near {
    k: usize,
    margin: f32,
    pub(super) found: Vec<Rank>,
    /// Cosines below it are of no interest any more.
    pub(super) least: f32,
}

impl Near {
    pub(super) fn new(k: usize, margin: f32) -> Self {
        Self { k, margin, found: Vec::new(), least: f32::NEG_INFINITY }
    }

    pub(super) fn meet(&mut self, rank: Rank) {
        self.found.push(rank);
        if self.found.len() >= self.k.max(16) * 4 && self.found.len().is_power_of_two() {
            self.least = keep_within(&mut self.found, self.k, self.margin);
        }
    }
}

/// Keeps the best `k`, and what is no further than `margin` behind them. Returns from which cosine on.
fn keep_within(found: &mut Vec<Rank>, k: usize, margin: f32) -> f32 {
    if k == 0 {
        found.clear();
        return f32::INFINITY;
    }
    if found.len() <= k {
        return f32::NEG_INFINITY;
    }
    let (_, last, _) = found.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    let least = last.cosine() - margin;
    found.retain(|rank| rank.cosine() >= least);
    least
}

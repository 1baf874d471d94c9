//! Every row: the nearest to one query, and the nearest to each row of all.
//!
//! Codes say how far two cosines may be apart: by Cauchy and Schwarz, `|q·x - q̂·x̂| ≤ |q - q̂| |x̂| + |q| |x - x̂|`, and
//! what a code leaves out of `x` is at most half its scale in each number. So a row whose coded cosine is more than twice
//! that below the `k`-th best is not among the nearest `k`, and all others are looked at as f16.

use rayon::prelude::*;

use super::codes::{self, Code};
use super::image::Section;
use super::rank::Rank;
use super::{Index, Neighbour};
use crate::error::Result;
use crate::kernel::dot_range;
use crate::vector::RowId;

/// Rows a thread scans at a time: enough to know soon what is of no interest, few enough for all threads to have some.
const PART: usize = 16 * 1024;

impl Index {
    /// All rows that may be among the `k` nearest, by their codes.
    pub(super) fn scan(&self, query: &Code, k: usize, keep: &(impl Fn(RowId) -> bool + Sync)) -> Result<Vec<Rank>> {
        let (shape, rows) = (self.image.shape(), self.len());
        let codes = self.image.section(Section::Codes)?;
        let largest = self.image.header().largest_scale;
        let margin = 2.0 * (query.error + 0.5 * largest * (shape.dim as f32).sqrt()) * 1.01;
        let part = |first: usize| {
            let mut near = Near::new(k, margin);
            let mut dots = [0; TILE];
            for start in (first..rows.min(first + PART)).step_by(TILE) {
                let dots = &mut dots[..TILE.min(rows.min(first + PART) - start)];
                dot_range(self.instructions, query.words(), shape.rows(codes), start, dots);
                for (row, &dot) in (start..).zip(&*dots) {
                    let cosine = dot as f32 * codes::scale(&codes[row * shape.stride()..]) * query.scale();
                    if cosine >= near.least && keep(RowId(row as u32)) {
                        near.meet(Rank::new(row as u32, cosine));
                    }
                }
            }
            near.found
        };
        let firsts: Vec<usize> = (0..rows).step_by(PART).collect();
        let mut found: Vec<Rank> = firsts.into_par_iter().flat_map_iter(part).collect();
        keep_within(&mut found, k, margin);
        Ok(found)
    }
}

impl Index {
    /// The `k` rows nearest to each row, itself left out, exactly; the neighbour graph of all rows.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`](crate::Error::IndexDamaged).
    pub fn neighbours(&self, k: usize) -> Result<Vec<Vec<Neighbour>>> {
        let (shape, rows) = (self.image.shape(), self.len());
        let codes = self.image.section(Section::Codes)?;
        let scales: Vec<f32> = codes.chunks_exact(shape.stride()).map(codes::scale).collect();
        let largest = self.image.header().largest_scale;
        // Both rows are codes here, and each may leave out so much.
        let margin = 2.0 * largest * (shape.dim as f32).sqrt() * 1.01;
        let block = |first: usize| -> Result<Vec<Vec<Neighbour>>> {
            let queries = first..(first + QUERIES).min(rows);
            let mut found: Vec<Near> = queries.clone().map(|_| Near::new(k, margin)).collect();
            let mut dots = [0; TILE];
            for start in (0..rows).step_by(TILE) {
                let dots = &mut dots[..TILE.min(rows - start)];
                for (query, near) in queries.clone().zip(&mut found) {
                    dot_range(self.instructions, &codes[query * shape.stride() + 1..][..shape.words()], shape.rows(codes), start, dots);
                    for (i, &dot) in dots.iter().enumerate() {
                        let cosine = dot as f32 * scales[start + i] * scales[query];
                        if cosine >= near.least && start + i != query {
                            near.meet(Rank::new((start + i) as u32, cosine));
                        }
                    }
                }
            }
            let exact = |(query, near): (usize, Near)| self.rescore(&self.vector(RowId(query as u32))?, near.found, k);
            queries.zip(found).map(exact).collect()
        };
        let firsts: Vec<usize> = (0..rows).step_by(QUERIES).collect();
        let blocks = firsts.into_par_iter().map(block).collect::<Result<Vec<_>>>()?;
        Ok(blocks.into_iter().flatten().collect())
    }
}

/// Queries that pass by a tile of rows while it is in the second cache.
const QUERIES: usize = 64;
/// Rows a tile.
const TILE: usize = 512;

/// What may be among the nearest.
struct Near {
    k: usize,
    margin: f32,
    found: Vec<Rank>,
    /// Cosines below it are of no interest any more.
    least: f32,
}

impl Near {
    fn new(k: usize, margin: f32) -> Self {
        Self { k, margin, found: Vec::new(), least: f32::NEG_INFINITY }
    }

    fn meet(&mut self, rank: Rank) {
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

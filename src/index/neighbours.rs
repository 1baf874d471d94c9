//! The neighbours of every row: all rows times all rows.
//!
//! ```text
//! block 0 x rows 0 …            a block: rows packed as the weights of a product of small integers
//!   block 1 x rows 512 …        rows pass by as its activations; a pair is shown to both
//!     block 2 x rows 1024 …
//! ```
//!
//! How much both sides leave out of a vector is known, so that, as in a scan, what may be among the nearest is known too;
//! that is looked at as f16.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

use super::image::Section;
use super::rank::Rank;
use super::scan::Near;
use super::{Index, Neighbour};
use crate::error::Result;
use crate::kernel::{Arithmetic, Instructions, Linear, Rows, Scratch, activation_error, from_halves};
use crate::vector::RowId;

/// Rows a block: their packed words stay in the second cache.
const BLOCK: usize = 512;
/// Rows that pass by together.
const TILE: usize = 128;

impl Index {
    /// The `k` rows nearest to each row, itself left out, exactly; the neighbour graph of all rows. Of an index that
    /// [`Self::is_compact`], as rows without a label would be among them.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`](crate::Error::IndexDamaged).
    pub fn neighbours(&self, k: usize) -> Result<Vec<Vec<Neighbour>>> {
        assert!(self.is_compact());
        let rows = self.len();
        let all = All { dim: self.dim(), halves: self.image.section(Section::Halves)?, instructions: self.instructions };
        let starts: Vec<usize> = (0..rows).step_by(BLOCK).collect();
        let (blocks, errors): (Vec<Linear>, Vec<[f32; 2]>) = starts.par_iter().map(|&start| all.pack(start..rows.min(start + BLOCK))).unzip();
        // |w·x - ŵ·x̂| ≤ |w - ŵ| |x̂| + |w| |x - x̂|, on both sides, and a little for sums of f32.
        let [of_weights, of_activations] = errors.into_iter().fold([0.0; 2], |most: [f32; 2], next| [most[0].max(next[0]), most[1].max(next[1])]);
        let error = of_weights * (1.0 + of_activations) + of_activations;
        let lists = Lists::new(rows, k, 2.0 * error * 1.01 + 1e-5);
        let pass = |room: &mut Room, (start, block): (&usize, &Linear)| all.pass(*start, block, &lists, room);
        starts.par_iter().zip(&blocks).with_max_len(1).for_each_init(Room::default, pass);
        let exact = |(row, list): (usize, Mutex<Near>)| {
            let near = list.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
            self.rescore(&self.vector(RowId(row as u32))?, near.found, k)
        };
        lists.near.into_par_iter().enumerate().map(exact).collect()
    }
}

/// What each row knows of its neighbours; any thread may tell it of one more.
struct Lists {
    near: Vec<Mutex<Near>>,
    /// Cosines that are of no interest to it any more, as bits.
    least: Vec<AtomicU32>,
}

impl Lists {
    fn new(rows: usize, k: usize, margin: f32) -> Self {
        let none = f32::NEG_INFINITY.to_bits();
        Self { near: (0..rows).map(|_| Mutex::new(Near::new(k, margin))).collect(), least: (0..rows).map(|_| AtomicU32::new(none)).collect() }
    }

    fn least(&self, row: usize) -> f32 {
        f32::from_bits(self.least[row].load(Relaxed))
    }

    fn tell(&self, row: usize, of: usize, cosine: f32) {
        if let Ok(mut near) = self.near[row].lock() {
            near.meet(Rank::new(of as u32, cosine));
            self.least[row].store(near.least.to_bits(), Relaxed);
        }
    }

    /// Tells a row and the rows of a block of each other. Few take an interest, so that some at a time are passed over.
    fn meet(&self, row: usize, start: usize, cosines: &[f32], least: &[f32]) {
        const SOME: usize = 16;
        // Within a block each pair is met twice.
        let of_row = if row < start + BLOCK { f32::INFINITY } else { self.least(row) };
        for (at, (cosines, least)) in (start..).step_by(SOME).zip(cosines.chunks(SOME).zip(least.chunks(SOME))) {
            let is_near = |(cosine, least): (&f32, &f32)| u32::from(*cosine >= of_row.min(*least));
            if cosines.iter().zip(least).map(is_near).sum::<u32>() == 0 {
                continue;
            }
            for (other, (&cosine, &least)) in (at..).zip(cosines.iter().zip(least)).filter(|(other, _)| *other != row) {
                if cosine >= least {
                    self.tell(other, row, cosine);
                }
                if cosine >= of_row {
                    self.tell(row, other, cosine);
                }
            }
        }
    }
}

/// All vectors, two f16 a word.
#[derive(Clone, Copy)]
struct All<'a> {
    dim: usize,
    halves: &'a [i32],
    instructions: Instructions,
}

impl All<'_> {
    /// A block, and the most that its rows leave out of a vector, as weights and as activations.
    fn pack(self, rows: Range<usize>) -> (Linear, [f32; 2]) {
        let (mut numbers, count) = (Vec::new(), rows.len());
        let weights = &self.read(rows, &mut numbers)[..count * self.dim];
        let block = Linear::pack(self.instructions, Arithmetic::Int8, weights, &vec![0.0; count]);
        let of_weights = (0..count).map(|row| block.error(row)).fold(0.0, f32::max);
        let of_activations = weights.chunks_exact(self.dim).map(activation_error).fold(0.0, f32::max);
        (block, [of_weights, of_activations])
    }

    /// Shows all rows from a block's first on to the block.
    fn pass(self, start: usize, block: &Linear, lists: &Lists, room: &mut Room) {
        let rows = lists.near.len();
        let queries = start..rows.min(start + BLOCK);
        room.out.resize(TILE * block.stride(), 0.0);
        for first in (start..rows).step_by(TILE) {
            let passing = first..rows.min(first + TILE);
            let numbers = self.read(passing.clone(), &mut room.numbers);
            block.apply(Rows { numbers, stride: self.dim, count: TILE }, &mut room.scratch, &mut room.out, 1);
            room.least.clear();
            room.least.extend(queries.clone().map(|query| lists.least(query)));
            for (row, cosines) in passing.zip(room.out.chunks_exact(block.stride())) {
                lists.meet(row, start, &cosines[..queries.len()], &room.least);
            }
        }
    }

    /// Rows as f32, with as many behind them as make a tile.
    fn read(self, rows: Range<usize>, to: &mut Vec<f32>) -> &[f32] {
        let count = rows.len().max(TILE);
        to.resize(to.len().max(count * self.dim), 0.0);
        let words = self.dim.div_ceil(2);
        let halves = self.halves[rows.start * words..rows.end * words].chunks_exact(words);
        to.chunks_exact_mut(self.dim).zip(halves).for_each(|(to, halves)| from_halves(self.instructions, halves, to));
        &to[..count * self.dim]
    }
}

/// What a thread needs while it works.
#[derive(Default)]
struct Room {
    numbers: Vec<f32>,
    out: Vec<f32>,
    least: Vec<f32>,
    scratch: Scratch,
}

//! Attention of one text: `softmax(Q Kᵀ / √d) V`, head by head, on the tile of the products.
//!
//! Scores of a few rows at a time, so that they stay in the first cache. The factor `log2(e) / √d` is already in `Q`, and the
//! softmax is one of powers of 2.

use rten_simd::Isa;
use rten_simd::ops::{BitOps, NumOps};

use super::aligned::Aligned;
use super::machine::{Floats, Instructions, Kernel, Machine};
use super::product::Rows;
use super::rows::{exp2_and_sum, store_part};
use super::tile::{Float32, tile};

/// How a row is shared out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    /// How many heads.
    pub(crate) count: usize,
    /// Numbers a head.
    pub(crate) dim: usize,
}

/// The room that attention needs; it grows and is used again.
#[derive(Default)]
pub(crate) struct Attention {
    /// A head's keys, packed as weights are: a key an output.
    keys: Aligned<i32>,
    /// A head's values: a number of a value an output.
    values: Aligned<i32>,
    queries: Aligned<i32>,
    scores: Aligned<f32>,
}

impl Attention {
    /// Attends over the rows of one text: each has the queries, the keys and the values of all heads. The results go to
    /// `out`, rows `stride` apart.
    pub(crate) fn attend(&mut self, instructions: Instructions, heads: Heads, qkv: Rows<'_>, (out, stride): (&mut [f32], usize)) {
        let hidden = heads.count * heads.dim;
        assert!(qkv.count > 0 && qkv.stride >= 3 * hidden && qkv.reach(3 * hidden) <= qkv.numbers.len());
        assert!(stride >= hidden && Rows { stride, ..qkv }.reach(hidden) <= out.len());
        for head in 0..heads.count {
            instructions.run(Attend { room: self, head: Head { heads, head, qkv }, out: &mut *out, stride });
        }
    }
}

/// One head's part of the rows.
#[derive(Clone, Copy)]
struct Head<'a> {
    heads: Heads,
    head: usize,
    qkv: Rows<'a>,
}

impl<'a> Head<'a> {
    #[inline(always)]
    fn part(self, row: usize, part: usize) -> &'a [f32] {
        let Heads { count, dim } = self.heads;
        &self.qkv.numbers[row * self.qkv.stride + (part * count + self.head) * dim..][..dim]
    }

    fn query(self, row: usize) -> &'a [f32] {
        self.part(row, 0)
    }

    fn key(self, row: usize) -> &'a [f32] {
        self.part(row, 1)
    }

    fn value(self, row: usize) -> &'a [f32] {
        self.part(row, 2)
    }
}

struct Attend<'a> {
    room: &'a mut Attention,
    head: Head<'a>,
    out: &'a mut [f32],
    stride: usize,
}

impl Kernel for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) {
        let Self { room, head, out, stride } = self;
        let width = NV * machine.isa().f32().len();
        let (rows, dim) = (head.qkv.count, head.heads.dim);
        let padded = rows.next_multiple_of(width);
        room.reserve([padded * dim, rows * dim.next_multiple_of(width), MR * dim, MR * padded]);
        let keys = &mut room.keys[..padded * dim];
        pack_keys(head, keys, width);
        let values = &mut room.values[..rows * dim.next_multiple_of(width)];
        pack_values(head, values, width);
        for start in (0..rows).step_by(MR) {
            let count = MR.min(rows - start);
            for (i, to) in room.queries.chunks_exact_mut(dim).take(count).enumerate() {
                to.iter_mut().zip(head.query(start + i)).for_each(|(to, x)| *to = x.to_bits() as i32);
            }
            let scores = &mut room.scores[..MR * padded];
            score::<M, MR, NV>(machine, &room.queries[..MR * dim], keys, scores);
            let mut inverse = [0.0; MR];
            for (row, inverse) in scores.chunks_exact_mut(padded).zip(&mut inverse) {
                row[rows..].fill(f32::MIN);
                *inverse = exp2_and_sum(machine, row);
            }
            let out = &mut out[start * stride + head.head * dim..];
            for (panel, values) in values.chunks_exact(rows * width).enumerate() {
                let mixed = mix::<M, MR, NV>(machine, scores, values, inverse);
                let columns = panel * width..dim.min(panel * width + width);
                for (i, vectors) in mixed.iter().enumerate() {
                    // The last rows of a tile may be of no text.
                    if i < count {
                        store_parts(machine, vectors, &mut out[i * stride..][columns.clone()]);
                    }
                }
            }
        }
    }
}

impl Attention {
    fn reserve(&mut self, [keys, values, queries, scores]: [usize; 4]) {
        self.keys.reserve(keys);
        self.values.reserve(values);
        self.queries.reserve(queries);
        self.scores.reserve(scores);
    }
}

/// A panel is `width` keys: number 0 of all, number 1 of all, … Keys that are not there are 0.
#[inline(always)]
fn pack_keys(head: Head<'_>, keys: &mut [i32], width: usize) {
    let (rows, dim) = (head.qkv.count, head.heads.dim);
    keys[rows / width * width * dim..].fill(0);
    for row in 0..rows {
        let to = keys[row / width * width * dim + row % width..].iter_mut().step_by(width);
        to.zip(head.key(row)).for_each(|(to, x)| *to = x.to_bits() as i32);
    }
}

/// A panel is `width` numbers of each value, value after value. Numbers that are not there are 0.
#[inline(always)]
fn pack_values(head: Head<'_>, values: &mut [i32], width: usize) {
    let (rows, dim) = (head.qkv.count, head.heads.dim);
    if !dim.is_multiple_of(width) {
        values.fill(0);
    }
    for row in 0..rows {
        for (panel, numbers) in head.value(row).chunks(width).enumerate() {
            let to = &mut values[(panel * rows + row) * width..];
            to.iter_mut().zip(numbers).for_each(|(to, x)| *to = x.to_bits() as i32);
        }
    }
}

/// `Q Kᵀ` of some rows.
#[inline(always)]
fn score<M: Machine, const MR: usize, const NV: usize>(machine: M, queries: &[i32], keys: &[i32], scores: &mut [f32]) {
    let ops = machine.isa().f32();
    let (dim, width, padded) = (queries.len() / MR, NV * ops.len(), scores.len() / MR);
    for (panel, keys) in keys.chunks_exact(width * dim).enumerate() {
        // SAFETY: `queries` are `MR` rows of `dim` words, as many as a panel has.
        let sums = unsafe { tile::<M, Float32, MR, NV>((machine, Float32), queries.as_ptr(), dim, keys) };
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                ops.store(sum, &mut scores[i * padded + panel * width + j * ops.len()..]);
            }
        }
    }
}

/// Means of the values of a panel, weighted by the scores.
#[inline(always)]
fn mix<M: Machine, const MR: usize, const NV: usize>(machine: M, scores: &[f32], values: &[i32], inverse: [f32; MR]) -> [[Floats<M>; NV]; MR] {
    let ops = machine.isa().f32();
    assert!(values.len() / (NV * ops.len()) <= scores.len() / MR);
    // SAFETY: `scores` are `MR` rows, each at least as long as the panel has words; a number is a word.
    let mut mixed = unsafe { tile::<M, Float32, MR, NV>((machine, Float32), scores.as_ptr().cast(), scores.len() / MR, values) };
    for (row, inverse) in mixed.iter_mut().zip(inverse) {
        for vector in row {
            *vector = ops.mul(*vector, ops.splat(inverse));
        }
    }
    mixed
}

/// Stores vectors to as many places as there are.
#[inline(always)]
fn store_parts<M: Machine>(machine: M, vectors: &[Floats<M>], to: &mut [f32]) {
    for (to, vector) in to.chunks_mut(machine.isa().f32().len()).zip(vectors) {
        store_part(machine, *vector, to);
    }
}

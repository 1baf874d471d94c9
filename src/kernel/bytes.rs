//! Inner products of rows of signed bytes, four to a word: what an index compares.
//!
//! ```text
//! row:  word 0 | word 1 | …        a word: four numbers from -127 to 127
//! ```
//!
//! Four rows at a time, so that the query's words are loaded once for all of them. The sums are integers, and so the same
//! with all instructions.

use rten_simd::Isa;
use rten_simd::ops::{BitOps, NumOps};

use super::machine::{Instructions, Integers, Kernel, Machine};

/// Rows that are asked for before they are needed.
const AHEAD: usize = 16;

/// Words a row must be a multiple of: a cache line.
pub(crate) const LINE_WORDS: usize = 16;

/// Rows of words in a table, each `stride` after the one before; a row's product begins at its word `skip`.
#[derive(Clone, Copy)]
pub(crate) struct ByteRows<'a> {
    pub(crate) words: &'a [i32],
    pub(crate) stride: usize,
    pub(crate) skip: usize,
}

impl<'a> ByteRows<'a> {
    fn row(self, row: usize, len: usize) -> &'a [i32] {
        &self.words[row * self.stride + self.skip..][..len]
    }
}

/// The inner products of `query` with the rows `first..first + out.len()`.
pub(crate) fn dot_range(instructions: Instructions, query: &[i32], rows: ByteRows<'_>, first: usize, out: &mut [i32]) {
    instructions.run(DotRange { query, rows, first, out });
}

/// The inner products of `query` with some rows, of which there are as many as `out` has places.
pub(crate) fn dot_rows(instructions: Instructions, query: &[i32], rows: ByteRows<'_>, which: &[u32], out: &mut [i32]) {
    assert_eq!(which.len(), out.len());
    instructions.run(DotRows { query, rows, which, out });
}

struct DotRange<'a> {
    query: &'a [i32],
    rows: ByteRows<'a>,
    first: usize,
    out: &'a mut [i32],
}

impl Kernel for DotRange<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) {
        let Self { query, rows, first, out } = self;
        let len = query.len();
        let mut row = first;
        let mut fours = out.chunks_exact_mut(4);
        for four in &mut fours {
            // What the next rows need is asked for in time: hardware stops at the end of each page.
            let ahead = (row + AHEAD) * rows.stride;
            for line in rows.words.get(ahead..ahead + 4 * rows.stride).unwrap_or_default().chunks(LINE_WORDS) {
                machine.isa().i32().prefetch(line.as_ptr());
            }
            let at = [rows.row(row, len), rows.row(row + 1, len), rows.row(row + 2, len), rows.row(row + 3, len)];
            four.copy_from_slice(&machine.sum_lanes(dot::<M, 4>(machine, query, at)));
            row += 4;
        }
        for out in fours.into_remainder() {
            *out = machine.isa().i32().sum(dot::<M, 1>(machine, query, [rows.row(row, len)])[0]);
            row += 1;
        }
    }
}

struct DotRows<'a> {
    query: &'a [i32],
    rows: ByteRows<'a>,
    which: &'a [u32],
    out: &'a mut [i32],
}

impl Kernel for DotRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) {
        let Self { query, rows, which, out } = self;
        let (ops, len) = (machine.isa().i32(), query.len());
        // The rows lie anywhere: ask for all of them before the first is needed.
        for &row in which {
            for line in rows.row(row as usize, len).chunks(LINE_WORDS) {
                ops.prefetch(line.as_ptr());
            }
        }
        let mut fours = out.chunks_exact_mut(4);
        let mut at = which.chunks_exact(4);
        for (four, which) in (&mut fours).zip(&mut at) {
            let [a, b, c, d] = [which[0], which[1], which[2], which[3]];
            let at = [rows.row(a as usize, len), rows.row(b as usize, len), rows.row(c as usize, len), rows.row(d as usize, len)];
            four.copy_from_slice(&machine.sum_lanes(dot::<M, 4>(machine, query, at)));
        }
        for (out, &row) in fours.into_remainder().iter_mut().zip(at.remainder()) {
            *out = ops.sum(dot::<M, 1>(machine, query, [rows.row(row as usize, len)])[0]);
        }
    }
}

/// `Σ query · row` in each lane, of `N` rows.
#[inline(always)]
fn dot<M: Machine, const N: usize>(machine: M, query: &[i32], rows: [&[i32]; N]) -> [Integers<M>; N] {
    let ops = machine.isa().i32();
    assert!(query.len().is_multiple_of(ops.len()));
    let mut sums: [Integers<M>; N] = [ops.zero(); N];
    for row in rows {
        assert_eq!(row.len(), query.len());
    }
    let mut at = 0;
    while at < query.len() {
        // SAFETY: `at` and the words of a vector behind it are within `query`, as its length is a multiple of a vector's, and so
        // within each row, which is as long.
        unsafe {
            let x = ops.load_ptr(query.as_ptr().add(at));
            for i in 0..N {
                sums[i] = machine.dot_signed(sums[i], x, ops.load_ptr(rows[i].as_ptr().add(at)));
            }
        }
        at += ops.len();
    }
    sums
}

/// The inner product of two rows.
pub(crate) fn dot_pair(instructions: Instructions, a: &[i32], b: &[i32]) -> i32 {
    let mut out = [0];
    dot_range(instructions, a, ByteRows { words: b, stride: b.len(), skip: 0 }, 0, &mut out);
    out[0]
}

//! Attention of one text: `softmax(Q Kᵀ / √d) V`, head by head, on the tile of the products.
//!
//! Scores of a few rows at a time, so that they stay in the first cache. The factor `log2(e) / √d` is already in `Q`, and the
//! softmax is one of powers of 2. Both products are of f32, or of integers of 16 bits, two a word, with a scale for each of a
//! head's matrices: twice as many at once, and as many bits as a sum of 32 has room for.

use rten_simd::ops::{BitOps, FloatOps, IntOps, NumOps};
use rten_simd::{Isa, Simd};

use super::aligned::Aligned;
use super::machine::{Floats, Instructions, Integers, Kernel, Machine};
use super::product::{Arithmetic, Rows};
use super::rows::{exp2_and_sum, load_part, max_of, store_part};
use super::tile::{Float32, Multiply, Pairs, tile};

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
    pub(crate) fn attend(
        &mut self,
        (instructions, arithmetic): (Instructions, Arithmetic),
        heads: Heads,
        qkv: Rows<'_>,
        (out, stride): (&mut [f32], usize),
    ) {
        let hidden = heads.count * heads.dim;
        assert!(qkv.count > 0 && qkv.stride >= 3 * hidden && qkv.reach(3 * hidden) <= qkv.numbers.len());
        assert!(stride >= hidden && Rows { stride, ..qkv }.reach(hidden) <= out.len());
        // Of more keys than that, integers would keep too few bits.
        let fits = qkv.count <= 1024;
        let in_pairs = fits && !matches!(arithmetic, Arithmetic::F32) && instructions.tile::<true>().multiplies_pairs;
        for head in (0..heads.count).map(|head| Head { heads, head, qkv }) {
            let out = &mut *out;
            if in_pairs {
                instructions.run(Attend::<true> { room: self, head, out, stride });
            } else {
                instructions.run(Attend::<false> { room: self, head, out, stride });
            }
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

/// The parts of a row.
const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;

impl<'a> Head<'a> {
    #[inline(always)]
    fn part(self, row: usize, part: usize) -> &'a [f32] {
        let Heads { count, dim } = self.heads;
        &self.qkv.numbers[row * self.qkv.stride + (part * count + self.head) * dim..][..dim]
    }

    /// A vector of a row's value, from a column on; 0 where there is none.
    #[inline(always)]
    fn value<M: Machine>(self, machine: M, row: usize, column: usize) -> Floats<M> {
        if row < self.qkv.count { load_from(machine, self.part(row, VALUE), column) } else { machine.isa().f32().zero() }
    }

    /// The scale by which a part of all rows has integers up to `limit`.
    #[inline(always)]
    fn scale<M: Machine>(self, machine: M, part: usize, limit: f32) -> f32 {
        let ops = machine.isa().f32();
        let (mut vectors, mut largest) = (ops.zero(), 0.0f32);
        for row in 0..self.qkv.count {
            let numbers = self.part(row, part).chunks_exact(ops.len());
            let rest = numbers.remainder();
            for x in numbers {
                vectors = ops.max(vectors, ops.abs(ops.load(x)));
            }
            for x in rest {
                largest = x.abs().max(largest);
            }
        }
        let largest = max_of(machine, vectors).max(largest);
        (largest / limit).max(f32::MIN_POSITIVE)
    }
}

/// What the words of the products hold.
trait Word<M: Machine>: Multiply<M> + Default {
    /// True if they hold integers.
    const INTEGERS: bool;
    /// How many words hold `len` numbers.
    fn words(machine: M, len: usize) -> usize;
    /// Which numbers word `i` holds: one, then the second is none at all, or two, a vector's length apart, so that two vectors
    /// of numbers are one of words.
    fn numbers_of(machine: M, i: usize) -> [usize; 2];
    /// A vector of words of the numbers, times `factor` if they become integers.
    fn pack(machine: M, first: Floats<M>, second: Floats<M>, factor: f32) -> Integers<M>;
}

impl<M: Machine> Word<M> for Float32 {
    const INTEGERS: bool = false;

    #[inline(always)]
    fn words(_: M, len: usize) -> usize {
        len
    }

    #[inline(always)]
    fn numbers_of(_: M, i: usize) -> [usize; 2] {
        [i, usize::MAX]
    }

    #[inline(always)]
    fn pack(_: M, first: Floats<M>, _: Floats<M>, _: f32) -> Integers<M> {
        first.reinterpret_cast()
    }
}

impl<M: Machine> Word<M> for Pairs {
    const INTEGERS: bool = true;

    #[inline(always)]
    fn words(machine: M, len: usize) -> usize {
        len.next_multiple_of(2 * machine.isa().f32().len()) / 2
    }

    #[inline(always)]
    fn numbers_of(machine: M, i: usize) -> [usize; 2] {
        let lanes = machine.isa().f32().len();
        let first = i / lanes * 2 * lanes + i % lanes;
        [first, first + lanes]
    }

    #[inline(always)]
    fn pack(machine: M, first: Floats<M>, second: Floats<M>, factor: f32) -> Integers<M> {
        let (ops, ints) = (machine.isa().f32(), machine.isa().i32());
        let factor = ops.splat(factor);
        let (first, second) = (ops.to_int_round(ops.mul(first, factor)), ops.to_int_round(ops.mul(second, factor)));
        ints.or(ints.and(first, ints.splat(0xFFFF)), ints.shift_left::<16>(second))
    }
}

/// What numbers are multiplied by to become integers, and what brings sums of products back.
struct Factors {
    query: f32,
    key: f32,
    value: f32,
    weight: f32,
    score: f32,
    /// What a mean of values is multiplied by.
    mean: f32,
}

impl Factors {
    /// Of numbers that stay what they are.
    const NONE: Self = Self { query: 1.0, key: 1.0, value: 1.0, weight: 1.0, score: 1.0, mean: 1.0 };

    /// A sum of 32 bits has room for `terms` products of integers up to `limit(terms)`, and for what rounding adds to them.
    fn limit(terms: usize) -> f32 {
        ((i32::MAX as f32 / terms as f32).sqrt() - 2.0).floor().min(MOST)
    }

    /// Weights of the softmax, which are between 0 and 1 and most of them small, get four times the integers that values get.
    #[inline(always)]
    fn new<M: Machine>(machine: M, head: Head<'_>, keys: usize) -> Self {
        let (of_scores, of_sums) = (Self::limit(head.heads.dim), Self::limit(keys));
        let (query, key) = (head.scale(machine, QUERY, of_scores), head.scale(machine, KEY, of_scores));
        let (value, weight) = (head.scale(machine, VALUE, (of_sums / 4.0).floor()), (4.0 * of_sums).min(MOST));
        Self { query: 1.0 / query, key: 1.0 / key, value: 1.0 / value, weight, score: query * key, mean: value }
    }
}

/// The largest integer of 16 bits.
const MOST: f32 = 32767.0;

struct Attend<'a, const IN_PAIRS: bool> {
    room: &'a mut Attention,
    head: Head<'a>,
    out: &'a mut [f32],
    stride: usize,
}

impl<const IN_PAIRS: bool> Kernel for Attend<'_, IN_PAIRS> {
    type Output = ();
    const SUMS_INTEGERS: bool = IN_PAIRS;

    #[inline(always)]
    fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) {
        if IN_PAIRS {
            self.attend::<M, Pairs, MR, NV>(machine);
        } else {
            self.attend::<M, Float32, MR, NV>(machine);
        }
    }
}

impl<const IN_PAIRS: bool> Attend<'_, IN_PAIRS> {
    #[inline(always)]
    fn attend<M: Machine, X: Word<M>, const MR: usize, const NV: usize>(self, machine: M) {
        let Self { room, head, out, stride, .. } = self;
        let width = NV * machine.isa().f32().len();
        let (rows, dim) = (head.qkv.count, head.heads.dim);
        let (padded, words) = (rows.next_multiple_of(width), X::words(machine, dim));
        let (value_words, columns) = (X::words(machine, rows), dim.next_multiple_of(width));
        room.reserve([padded * words, value_words * columns, MR * words, MR * padded]);
        let keys = &mut room.keys[..padded * words];
        let values = &mut room.values[..value_words * columns];
        let queries = &mut room.queries[..MR * words];
        let factors = if X::INTEGERS { Factors::new(machine, head, padded) } else { Factors::NONE };
        pack_keys::<M, X>(machine, head, factors.key, &mut queries[..words], keys, width);
        pack_values::<M, X>(machine, head, factors.value, values, width);
        for start in (0..rows).step_by(MR) {
            let count = MR.min(rows - start);
            for (i, to) in queries.chunks_exact_mut(words).take(count).enumerate() {
                pack_row::<M, X>(machine, head.part(start + i, QUERY), factors.query, to);
            }
            let scores = &mut room.scores[..MR * padded];
            score::<M, X, MR, NV>(machine, queries, keys, scores, factors.score);
            let mut inverse = [0.0; MR];
            for (row, inverse) in scores.chunks_exact_mut(padded).zip(&mut inverse) {
                row[rows..].fill(f32::MIN);
                *inverse = exp2_and_sum(machine, row);
                if X::INTEGERS {
                    *inverse = factors.mean / pack_in_place::<M, X>(machine, row, factors.weight);
                }
            }
            let out = &mut out[start * stride + head.head * dim..];
            for (panel, values) in values.chunks_exact(value_words * width).enumerate() {
                let mixed = mix::<M, X, MR, NV>(machine, scores, values, inverse);
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

/// A vector of a row's numbers, from a place on; 0 where there are none.
#[inline(always)]
fn load_from<M: Machine>(machine: M, row: &[f32], at: usize) -> Floats<M> {
    if at < row.len() { load_part(machine, &row[at..]) } else { machine.isa().f32().zero() }
}

/// The words of a row of numbers.
#[inline(always)]
fn pack_row<M: Machine, X: Word<M>>(machine: M, row: &[f32], factor: f32, to: &mut [i32]) {
    let ops = machine.isa().f32();
    for (i, to) in to.chunks_mut(ops.len()).enumerate() {
        let [first, second] = X::numbers_of(machine, i * ops.len());
        let words = X::pack(machine, load_from(machine, row, first), load_from(machine, row, second), factor);
        if to.len() == ops.len() {
            machine.isa().i32().store(words, to);
        } else {
            let len = to.len();
            to.copy_from_slice(&words.to_array().as_ref()[..len]);
        }
    }
}

/// A panel is `width` keys: word 0 of all, word 1 of all, … Keys that are not there are 0.
#[inline(always)]
fn pack_keys<M: Machine, X: Word<M>>(machine: M, head: Head<'_>, factor: f32, words: &mut [i32], keys: &mut [i32], width: usize) {
    let (rows, count) = (head.qkv.count, words.len());
    keys[rows / width * width * count..].fill(0);
    for row in 0..rows {
        pack_row::<M, X>(machine, head.part(row, KEY), factor, words);
        let to = keys[row / width * width * count + row % width..].iter_mut().step_by(width);
        to.zip(&*words).for_each(|(to, &word)| *to = word);
    }
}

/// A panel is `width` numbers of each value, values of word after word. Numbers that are not there are 0.
#[inline(always)]
fn pack_values<M: Machine, X: Word<M>>(machine: M, head: Head<'_>, factor: f32, values: &mut [i32], width: usize) {
    let ops = machine.isa().f32();
    let words = X::words(machine, head.qkv.count);
    for word in 0..words {
        let [first, second] = X::numbers_of(machine, word);
        for (panel, to) in values.chunks_exact_mut(words * width).enumerate() {
            for (i, to) in to[word * width..][..width].chunks_exact_mut(ops.len()).enumerate() {
                let column = panel * width + i * ops.len();
                let (first, second) = (head.value(machine, first, column), head.value(machine, second, column));
                let packed = X::pack(machine, first, second, factor);
                machine.isa().i32().store(packed, to);
            }
        }
    }
}

/// Puts a row of numbers' words where its first numbers were, and returns the sum of their integers.
#[inline(always)]
fn pack_in_place<M: Machine, X: Word<M>>(machine: M, row: &mut [f32], factor: f32) -> f32 {
    let (ops, ints) = (machine.isa().f32(), machine.isa().i32());
    let (mut sum, ones) = (ints.zero(), ints.splat(0x0001_0001));
    for i in (0..X::words(machine, row.len())).step_by(ops.len()) {
        let [first, second] = X::numbers_of(machine, i);
        let words = X::pack(machine, load_from(machine, row, first), load_from(machine, row, second), factor);
        sum = machine.dot_pairs(sum, words, ones);
        ops.store(words.reinterpret_cast(), &mut row[i..]);
    }
    ints.sum(sum) as f32
}

/// `Q Kᵀ` of some rows.
#[inline(always)]
fn score<M: Machine, X: Word<M>, const MR: usize, const NV: usize>(machine: M, queries: &[i32], keys: &[i32], scores: &mut [f32], scale: f32) {
    let ops = machine.isa().f32();
    let (words, width, padded) = (queries.len() / MR, NV * ops.len(), scores.len() / MR);
    for (panel, keys) in keys.chunks_exact(width * words).enumerate() {
        // SAFETY: `queries` are `MR` rows of `words` words, as many as a panel has.
        let sums = unsafe { tile::<M, X, MR, NV>((machine, X::default()), queries.as_ptr(), words, keys) };
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                let mut score = X::default().finish(machine, sum, 0, 0);
                if X::INTEGERS {
                    score = ops.mul(score, ops.splat(scale));
                }
                ops.store(score, &mut scores[i * padded + panel * width + j * ops.len()..]);
            }
        }
    }
}

/// Means of the values of a panel, weighted by the scores.
#[inline(always)]
fn mix<M: Machine, X: Word<M>, const MR: usize, const NV: usize>(
    machine: M,
    scores: &[f32],
    values: &[i32],
    inverse: [f32; MR],
) -> [[Floats<M>; NV]; MR] {
    let ops = machine.isa().f32();
    assert!(values.len() / (NV * ops.len()) <= scores.len() / MR);
    // SAFETY: `scores` are `MR` rows, each at least as long as the panel has words; a number is a word.
    let sums = unsafe { tile::<M, X, MR, NV>((machine, X::default()), scores.as_ptr().cast(), scores.len() / MR, values) };
    let mut mixed = [[ops.zero(); NV]; MR];
    for i in 0..MR {
        for j in 0..NV {
            mixed[i][j] = ops.mul(X::default().finish(machine, sums[i][j], 0, 0), ops.splat(inverse[i]));
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

//! The tile of a product: `MR` rows of words against `NV` vectors of packed weights, with all sums in registers.

use std::ops::Range;

use rten_simd::ops::{BitOps, NumOps, ToFloat};
use rten_simd::{Isa, Simd};

use super::machine::{Floats, Integers, Kernel, Machine};
use super::quantise::Scale;

/// Rows of words: `stride` apart, or for [`Multiply::IN_STRIPS`] in strips of a tile's rows, word by word (for AMX, 16 words by
/// 16 words), `stride` from strip to strip.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) words: *const i32,
    pub(super) stride: usize,
    pub(super) rows: usize,
}

/// Packed weights: panels of `words` vectors, and a bias for each output.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) panels: &'a [i32],
    pub(super) bias: &'a [f32],
    pub(super) words: usize,
}

/// Where results go: rows as long as the bias.
#[derive(Clone, Copy)]
pub(super) struct Out(pub(super) *mut f32);

// SAFETY: an address may be known to any thread; `Job::new` says who may write behind it.
unsafe impl Send for Out {}
unsafe impl Sync for Out {}

// SAFETY: as above; nobody writes behind it.
unsafe impl Send for Operand {}
unsafe impl Sync for Operand {}

/// Some panels of a product.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    a: Operand,
    weights: Weights<'a>,
    range: (usize, usize),
    out: Out,
}

impl<'a> Job<'a> {
    /// The panels `range` of the product of `a` and `weights`.
    ///
    /// # Safety
    ///
    /// As long as the job lives, `a.words` must point to `a.rows` rows of `weights.words` words, at least as many rows as a tile
    /// has, or to the strips that [`strips`] makes of them, and `out` to as many rows of `weights.bias.len()` numbers, in which no
    /// one else reads or writes the columns of `range`.
    pub(super) unsafe fn new(a: Operand, weights: Weights<'a>, range: Range<usize>, out: Out) -> Self {
        Self { a, weights, range: (range.start, range.end), out }
    }

    /// What it was made of.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn parts(self) -> (Operand, Weights<'a>, Range<usize>, Out) {
        (self.a, self.weights, self.range.0..self.range.1, self.out)
    }
}

/// What is done with two words.
pub(super) trait Multiply<M: Machine>: Copy {
    /// True if rows stand in strips: then the words of a tile's rows are neighbours, and finding them costs nothing.
    const IN_STRIPS: bool;
    /// A vector of sums.
    type Sum: Copy;
    /// Sums of nothing.
    fn zero(self, machine: M) -> Self::Sum;
    /// `sum + a · b` in each lane, of two words and then of two more.
    fn step(self, machine: M, sum: Self::Sum, a: [Integers<M>; 2], b: [Integers<M>; 2]) -> Self::Sum;
    /// The sums of a row, from a column on, as numbers.
    fn finish(self, machine: M, sum: Self::Sum, row: usize, column: usize) -> Floats<M>;
}

/// Sums of products of words: those of the rows `a`, `stride` apart, with those of a panel.
///
/// # Safety
///
/// `a` must point to `MR` rows of as many words as the panel has, or to a strip of them if the words are in strips.
#[inline(always)]
pub(super) unsafe fn tile<M: Machine, X: Multiply<M>, const MR: usize, const NV: usize>(
    (machine, multiply): (M, X),
    a: *const i32,
    stride: usize,
    panel: &[i32],
) -> [[X::Sum; NV]; MR] {
    let ops = machine.isa().i32();
    let lanes = ops.len();
    let mut sums = [[multiply.zero(machine); NV]; MR];
    let (next_row, next_word) = if X::IN_STRIPS { (1, MR) } else { (stride, 1) };
    let mut words = Words { first: a, next_row, next_word };
    let mut turns = panel.chunks_exact(2 * NV * lanes);
    for weights in &mut turns {
        let b = [ops.load_many(weights), ops.load_many(&weights[NV * lanes..])];
        // SAFETY: the caller vouches for `MR` rows of as many words as the panel has.
        unsafe {
            turn((machine, multiply), &mut sums, words, b);
            words.first = words.first.add(2 * next_word);
        }
    }
    if !turns.remainder().is_empty() {
        // An odd word goes with itself times nothing.
        let b = [ops.load_many(turns.remainder()), [ops.zero(); NV]];
        // SAFETY: the caller vouches for this word too.
        unsafe { turn((machine, multiply), &mut sums, Words { next_word: 0, ..words }, b) };
    }
    sums
}

/// Two words of each row: the first row's first, and how far it is from there to the next row's, and to the row's next.
#[derive(Clone, Copy)]
struct Words {
    first: *const i32,
    next_row: usize,
    next_word: usize,
}

/// Adds the products of two words of each row.
///
/// # Safety
///
/// Two words must be there, of each of `MR` rows.
#[inline(always)]
unsafe fn turn<M: Machine, X: Multiply<M>, const MR: usize, const NV: usize>(
    (machine, multiply): (M, X),
    sums: &mut [[X::Sum; NV]; MR],
    Words { first, next_row, next_word }: Words,
    b: [[Integers<M>; NV]; 2],
) {
    let ops = machine.isa().i32();
    for i in 0..MR {
        // SAFETY: the caller vouches for these words.
        let x = unsafe { [ops.splat(*first.add(i * next_row)), ops.splat(*first.add(i * next_row + next_word))] };
        for j in 0..NV {
            sums[i][j] = multiply.step(machine, sums[i][j], x, [b[0][j], b[1][j]]);
        }
    }
}

/// Where tiles of `MR` rows begin; the last one may begin in the one before, and computes some rows again.
pub(super) fn strips(rows: usize, tile: usize) -> impl Iterator<Item = usize> {
    (0..rows.div_ceil(tile)).map(move |i| (i * tile).min(rows - tile))
}

/// All tiles of a job.
#[inline(always)]
pub(super) fn run<M: Machine, X: Multiply<M>, const MR: usize, const NV: usize>(machine: M, multiply: X, job: Job<'_>) {
    let ops = machine.isa().f32();
    let Job { a, weights: Weights { panels, bias, words }, range, out } = job;
    let width = NV * ops.len();
    for panel in range.0..range.1 {
        let weights = &panels[panel * width * words..][..width * words];
        let biases: [Floats<M>; NV] = ops.load_many(&bias[panel * width..]);
        for (strip, row) in strips(a.rows, MR).enumerate() {
            let first = if X::IN_STRIPS { strip } else { row };
            // SAFETY: `Job::new` promises `rows` rows, and `row + MR` is at most that, or as many strips.
            let sums = unsafe { tile::<M, X, MR, NV>((machine, multiply), a.words.add(first * a.stride), a.stride, weights) };
            for i in 0..MR {
                for j in 0..NV {
                    let column = panel * width + j * ops.len();
                    let y = ops.add(multiply.finish(machine, sums[i][j], row + i, column), biases[j]);
                    // SAFETY: `Job::new` promises that these columns of `out`'s rows are ours to write.
                    unsafe { ops.store_ptr(y, out.0.add((row + i) * bias.len() + column)) };
                }
            }
        }
    }
}

/// Words are f32.
#[derive(Clone, Copy, Default)]
pub(super) struct Float32;

impl<M: Machine> Multiply<M> for Float32 {
    const IN_STRIPS: bool = false;
    type Sum = Floats<M>;

    #[inline(always)]
    fn zero(self, machine: M) -> Floats<M> {
        machine.isa().f32().zero()
    }

    #[inline(always)]
    fn step(self, machine: M, sum: Floats<M>, a: [Integers<M>; 2], b: [Integers<M>; 2]) -> Floats<M> {
        let ops = machine.isa().f32();
        let sum = ops.mul_add(a[0].reinterpret_cast(), b[0].reinterpret_cast(), sum);
        ops.mul_add(a[1].reinterpret_cast(), b[1].reinterpret_cast(), sum)
    }

    #[inline(always)]
    fn finish(self, _: M, sum: Floats<M>, _: usize, _: usize) -> Floats<M> {
        sum
    }
}

/// Words are two integers of 16 bits.
#[derive(Clone, Copy, Default)]
pub(super) struct Pairs;

impl<M: Machine> Multiply<M> for Pairs {
    const IN_STRIPS: bool = false;
    type Sum = Integers<M>;

    #[inline(always)]
    fn zero(self, machine: M) -> Integers<M> {
        machine.isa().i32().zero()
    }

    #[inline(always)]
    fn step(self, machine: M, sum: Integers<M>, a: [Integers<M>; 2], b: [Integers<M>; 2]) -> Integers<M> {
        machine.dot_pairs(machine.dot_pairs(sum, a[0], b[0]), a[1], b[1])
    }

    #[inline(always)]
    fn finish(self, machine: M, sum: Integers<M>, _: usize, _: usize) -> Floats<M> {
        machine.isa().i32().to_float(sum)
    }
}

/// A product of f32.
pub(super) struct Float<'a>(pub(super) Job<'a>);

impl Kernel for Float<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) {
        run::<M, Float32, MR, NV>(machine, Float32, self.0);
    }
}

/// Words are small integers, with what brings their sums back to numbers: for each row a scale and an offset, for each
/// column a scale and the sum of its integers.
#[derive(Clone, Copy)]
pub(super) struct Integer<'a> {
    pub(super) rows: &'a [Scale],
    pub(super) scales: &'a [f32],
    pub(super) sums: &'a [f32],
}

impl<M: Machine> Multiply<M> for Integer<'_> {
    const IN_STRIPS: bool = true;
    type Sum = Integers<M>;

    #[inline(always)]
    fn zero(self, machine: M) -> Integers<M> {
        machine.isa().i32().zero()
    }

    #[inline(always)]
    fn step(self, machine: M, sum: Integers<M>, a: [Integers<M>; 2], b: [Integers<M>; 2]) -> Integers<M> {
        machine.dot(sum, a, b)
    }

    /// `scale_w · (scale_x · sum + offset · sum of the weights)`
    #[inline(always)]
    fn finish(self, machine: M, sum: Integers<M>, row: usize, column: usize) -> Floats<M> {
        let ops = machine.isa().f32();
        let Scale { scale, offset } = self.rows[row];
        let shift = ops.mul(ops.load(&self.sums[column..]), ops.splat(offset));
        let number: Floats<M> = machine.isa().i32().to_float(sum);
        ops.mul(ops.mul_add(number, ops.splat(scale), shift), ops.load(&self.scales[column..]))
    }
}

/// A product of small integers.
pub(super) struct IntegerJob<'a>(pub(super) Job<'a>, pub(super) Integer<'a>);

impl Kernel for IntegerJob<'_> {
    type Output = ();
    const SUMS_INTEGERS: bool = true;

    #[inline(always)]
    fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) {
        run::<M, Integer<'_>, MR, NV>(machine, self.1, self.0);
    }
}

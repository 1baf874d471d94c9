//! Numbers of 32 bits to numbers of 8 or 16.
//!
//! Weights: `w ≈ scale · q`, `q` from -127 to 127, a scale for each output (a larger one where four of them must not be
//! large at once, see [`Machine::SUMS_IN_16_BITS`]). Activations: `x ≈ offset + scale · q`, `q` from 0
//! to 255, both for each row, so that no bit is lost on a sign that GELU hardly uses. Then
//!
//! ```text
//! Σ w x ≈ scale_w · (scale_x · Σ q_w q_x + offset · Σ q_w)
//! ```

use rten_simd::ops::{BitOps, FloatOps, NarrowSaturate, NumOps};
use rten_simd::{Isa, Simd};

use super::machine::{Instructions, Integers, Kernel, Machine};

/// What a row of integers stands for: `offset + scale · q`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scale {
    pub(super) scale: f32,
    pub(super) offset: f32,
}

/// The nearest integer, ties to even, of a number below 2²²: adding 1.5 · 2²³ leaves no room for a fraction. Without SSE4.1
/// `round_ties_even` is a call.
pub(crate) fn round(x: f32) -> i32 {
    const NO_FRACTION: f32 = 12_582_912.0;
    ((x + NO_FRACTION) - NO_FRACTION) as i32
}

/// `1 / scale`; of a scale so small that this is no number, 0: then all integers are 0.
fn inverse(scale: f32) -> f32 {
    if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 }
}

/// Writes one output's weights as integers, and returns their scale.
pub(super) fn quantise_weights(row: &[f32], sums_in_16_bits: bool, integers: &mut [i32]) -> f32 {
    let largest = row.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let together: Vec<f32> = if sums_in_16_bits { row.chunks(8).map(most_together).collect() } else { Vec::new() };
    let scale = together.iter().fold(largest / 127.0, |scale, most| scale.max(most / 128.0));
    let inverse = inverse(scale);
    integers.iter_mut().zip(row).for_each(|(integer, x)| *integer = round(x * inverse));
    // Rounding adds a half to each at most.
    let full = integers.chunks_mut(8).zip(together).filter(|(_, most)| most * inverse > 126.0);
    full.for_each(|(eight, _)| keep_in_16_bits(eight));
    scale
}

/// Of the weights of two words, those that meet in 16 bits.
const MEET: [[usize; 4]; 2] = [[0, 1, 4, 5], [2, 3, 6, 7]];

/// The most that weights of one sign, of those that [`MEET`], are together.
fn most_together(weights: &[f32]) -> f32 {
    let mut eight = [0.0f32; 8];
    eight[..weights.len()].copy_from_slice(weights);
    let (mut plus, mut minus) = ([0.0; 4], [0.0; 4]);
    for i in 0..4 {
        plus[i] = eight[i].max(0.0) + eight[i + 4].max(0.0);
        minus[i] = plus[i] - (eight[i] + eight[i + 4]);
    }
    (plus[0] + plus[1]).max(plus[2] + plus[3]).max(minus[0] + minus[1]).max(minus[2] + minus[3])
}

/// Where rounding made too much of those that [`MEET`], the largest gives way.
fn keep_in_16_bits(integers: &mut [i32]) {
    for (four, sign) in MEET.iter().flat_map(|four| [(four, 1), (four, -1)]) {
        let of_sign = |integers: &[i32], i: usize| integers.get(i).map_or(0, |q| (sign * q).max(0));
        while four.iter().map(|&i| of_sign(integers, i)).sum::<i32>() > 128 {
            let largest = four.iter().max_by_key(|&&i| of_sign(integers, i));
            largest.into_iter().for_each(|&i| integers[i] -= sign);
        }
    }
}

/// The most that the integers of a row of activations leave out of it, as the length of a vector: half a step in each number.
pub(crate) fn activation_error(row: &[f32]) -> f32 {
    let (least, most) = row.iter().fold((f32::MAX, f32::MIN), |(least, most), &x| (least.min(x), most.max(x)));
    (most - least).max(0.0) / 255.0 * 0.5 * (row.len() as f32).sqrt()
}

/// Writes a row of activations as small integers, one after another.
pub(super) fn quantise_row(instructions: Instructions, row: &[f32], words: &mut [i32]) -> Scale {
    instructions.run(QuantiseRow { row, words })
}

struct QuantiseRow<'a> {
    row: &'a [f32],
    words: &'a mut [i32],
}

impl Kernel for QuantiseRow<'_> {
    type Output = Scale;

    #[inline(always)]
    fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) -> Scale {
        let Self { row, words } = self;
        let (least, most) = range(machine, row);
        let scale = (most - least) / 255.0;
        let grid = Grid { least, inverse: inverse(scale) };
        let lanes = machine.isa().f32().len();
        // The narrowest vector of integers takes this many numbers.
        let step = M::GROUP * lanes;
        let whole = row.len() / step * step;
        for (x, to) in row[..whole].chunks_exact(step).zip(words.chunks_exact_mut(lanes)) {
            quantise_vector(machine, x, grid, to);
        }
        let (rest, words) = (&row[whole..], &mut words[whole / M::GROUP..]);
        for (numbers, word) in rest.chunks(M::GROUP).zip(words) {
            *word = quantise_word::<M>(numbers, grid);
        }
        Scale { scale, offset: if M::SIGNED { least + 128.0 * scale } else { least } }
    }
}

/// The integer of a number is how many steps it is above the least.
#[derive(Clone, Copy)]
struct Grid {
    least: f32,
    /// One over a step.
    inverse: f32,
}

/// The least and the greatest number.
#[inline(always)]
fn range<M: Machine>(machine: M, row: &[f32]) -> (f32, f32) {
    let ops = machine.isa().f32();
    let first = ops.splat(row[0]);
    let (mut least, mut most) = (first, first);
    let vectors = row.chunks_exact(ops.len());
    let rest = vectors.remainder();
    for x in vectors {
        let x = ops.load(x);
        (least, most) = (ops.min(least, x), ops.max(most, x));
    }
    let least = least.to_array().into_iter().chain(rest.iter().copied()).fold(row[0], f32::min);
    let most = most.to_array().into_iter().chain(rest.iter().copied()).fold(row[0], f32::max);
    (least, most)
}

/// A vector of words, of [`Machine::GROUP`] vectors of numbers.
#[inline(always)]
fn quantise_vector<M: Machine>(machine: M, x: &[f32], grid: Grid, to: &mut [i32]) {
    let (isa, lanes) = (machine.isa(), machine.isa().f32().len());
    let low = isa.i32().narrow_saturate(integers(machine, x, grid), integers(machine, &x[lanes..], grid));
    let words: Integers<M> = if M::GROUP == 2 {
        low.reinterpret_cast()
    } else {
        let (third, fourth) = (&x[2 * lanes..], &x[3 * lanes..]);
        let high = isa.i32().narrow_saturate(integers(machine, third, grid), integers(machine, fourth, grid));
        let bytes: Integers<M> = isa.i16().narrow_saturate(low, high).reinterpret_cast();
        if M::SIGNED { isa.i32().xor(bytes, isa.i32().splat(SIGNS)) } else { bytes }
    };
    isa.i32().store(words, to);
}

/// The integers of a vector of numbers, from 0 to 255.
#[inline(always)]
fn integers<M: Machine>(machine: M, x: &[f32], Grid { least, inverse }: Grid) -> Integers<M> {
    let ops = machine.isa().f32();
    ops.to_int_round(ops.mul(ops.sub(ops.load(x), ops.splat(least)), ops.splat(inverse)))
}

/// The sign of each byte of a word: `q ^ 128 = q - 128`.
const SIGNS: i32 = 0x8080_8080_u32 as i32;

/// One word, by the same formula.
#[inline(always)]
fn quantise_word<M: Machine>(numbers: &[f32], Grid { least, inverse }: Grid) -> i32 {
    let bits = 32 / M::GROUP;
    let integer = |x: f32| round((x - least) * inverse) as u32;
    let word = numbers.iter().enumerate().fold(0, |word, (i, &x)| word | integer(x) << (i * bits)) as i32;
    if M::SIGNED { word ^ SIGNS } else { word }
}

//! Rows times packed weights: `y = x Wᵀ + b`, in f32, bf16 or 8-bit integers.
//!
//! One tile serves all three; AMX has its own ([`super::amx`]). Its operands are words of 32 bits: an f32, two bf16, or
//! [`Machine::GROUP`] small integers that stand one after another in the sum. `MR` rows of words, each spread over a vector,
//! meet `NV` vectors of weights:
//!
//! ```text
//! packed weights: panel 0 | panel 1 | …          a panel: NV·lanes outputs
//! in a panel:     word 0 of all its outputs | word 1 of all | …
//! ```
//!
//! A panel stays in the first cache while all rows pass by. Sums run over the words in order, so that a row's result
//! does not depend on the tile that it falls in.
//!
//! The loop is ours since neither `rten-gemm` 0.27 (whose kernel cannot be chosen, and whose AVX2 kernel for bytes
//! saturates) nor `gemm` 0.19 gives the same bytes for one row and for many; `benches/embed.rs` compares their speed.

use std::ops::Range;

use rayon::prelude::*;

use super::aligned::Aligned;
#[cfg(target_arch = "x86_64")]
use super::amx::Amx;
#[cfg(target_arch = "x86_64")]
use super::bf16::{Bf16, bf16_word};
use super::machine::{Instructions, Tile};
use super::quantise::{Scale, quantise_row, quantise_weights};
use super::tile::{self, Job, Operand, Out, Weights};

/// How a product is computed.
#[derive(Clone, Copy)]
pub enum Arithmetic {
    /// f32.
    F32,
    /// Products of bf16 summed in f32; in attention integers of 16 bits.
    #[cfg(target_arch = "x86_64")]
    Bf16(Bf16),
    /// Weights of 8 bits with a scale for each output, activations of 8 bits with a scale and an offset for each row; in
    /// attention, where both sides are activations, 16 bits.
    Int8,
}

impl Arithmetic {
    /// Products of bf16, where the processor has them beside the given instructions.
    pub fn bf16(instructions: Instructions) -> Option<Self> {
        match instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Amx | Instructions::Avx512 => Bf16::new().map(Self::Bf16),
            _ => None,
        }
    }

    fn tile(self, instructions: Instructions) -> Tile {
        match self {
            Self::F32 => instructions.tile::<false>(),
            #[cfg(target_arch = "x86_64")]
            _ if Amx::of(instructions).is_some() => Amx::TILE,
            Self::Int8 => instructions.tile::<true>(),
            #[cfg(target_arch = "x86_64")]
            Self::Bf16(_) => instructions.tile::<false>(),
        }
    }
}

/// Rows of numbers, each `stride` after the one before.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// All rows, and what lies between them.
    pub numbers: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
    /// How many.
    pub count: usize,
}

impl Rows<'_> {
    /// How many numbers there must be, so that each row, of which there is at least one, has `len`.
    pub(super) fn reach(self, len: usize) -> usize {
        let last = (self.count - 1).checked_mul(self.stride);
        last.and_then(|last| last.checked_add(len)).expect("rows that an address can reach")
    }
}

/// A layer's weights, packed for some instructions.
pub struct Linear {
    instructions: Instructions,
    arithmetic: Arithmetic,
    inputs: usize,
    /// Words a row of the input, with the zeros after the last one.
    words: usize,
    panels: Aligned<i32>,
    bias: Aligned<f32>,
    /// For small integers: of each output's weights.
    scales: Aligned<f32>,
    /// For small integers: of each output's weights, what an offset of the activations adds.
    sums: Aligned<f32>,
    /// For small integers: of each output's weights, the length of what they leave out.
    errors: Aligned<f32>,
}

/// The room that a product needs beside its operands; it grows and is used again.
#[derive(Default)]
pub struct Scratch {
    strips: Aligned<i32>,
    row: Aligned<i32>,
    scales: Vec<Scale>,
}

impl Linear {
    /// Packs `weights`, a row of numbers for each output; `bias` has a number for each of them, at least one. There are at most
    /// [`Self::MOST_INPUTS`].
    pub fn pack(instructions: Instructions, arithmetic: Arithmetic, weights: &[f32], bias: &[f32]) -> Self {
        let (outputs, inputs) = (bias.len(), weights.len() / bias.len());
        assert!(weights.len() == inputs * outputs && inputs <= Self::MOST_INPUTS);
        #[cfg(target_arch = "x86_64")]
        assert!(!matches!(arithmetic, Arithmetic::Bf16(_)) || matches!(instructions, Instructions::Amx | Instructions::Avx512));
        let group = match arithmetic {
            Arithmetic::F32 => 1,
            #[cfg(target_arch = "x86_64")]
            Arithmetic::Bf16(_) => 2,
            Arithmetic::Int8 => arithmetic.tile(instructions).group,
        };
        let Tile { width, words, .. } = arithmetic.tile(instructions);
        let words = inputs.div_ceil(group).next_multiple_of(words);
        let padded = outputs.next_multiple_of(width);
        let mut linear = Self {
            instructions,
            arithmetic,
            inputs,
            words,
            panels: Aligned::new(padded * words),
            bias: Aligned::new(padded),
            scales: Aligned::new(padded),
            sums: Aligned::new(padded),
            errors: Aligned::new(padded),
        };
        linear.bias[..outputs].copy_from_slice(bias);
        let columns = linear.scales.par_chunks_mut(width).zip(linear.sums.par_chunks_mut(width)).zip(linear.errors.par_chunks_mut(width));
        let panels = linear.panels.par_chunks_exact_mut(width * words).zip(columns).zip(weights.par_chunks(width * inputs));
        panels.for_each(|((panel, ((scales, sums), errors)), weights)| {
            for (column, row) in weights.chunks_exact(inputs).enumerate() {
                let words = panel[column..].iter_mut().step_by(width);
                [scales[column], sums[column], errors[column]] = pack_row(arithmetic, arithmetic.tile(instructions), row, words);
            }
        });
        linear
    }

    /// More products of bytes, each at most 255 · 127, could be too large for a sum of 32 bits.
    pub const MOST_INPUTS: usize = 1 << 16;

    /// The least number of rows that [`Self::apply`] takes.
    pub fn least_rows(instructions: Instructions, arithmetic: Arithmetic) -> usize {
        arithmetic.tile(instructions).rows
    }

    fn tile(&self) -> Tile {
        self.arithmetic.tile(self.instructions)
    }

    /// From one row of the result to the next.
    pub fn stride(&self) -> usize {
        self.bias.len()
    }

    /// For small integers: of an output's weights, the length of what they leave out, as a vector.
    pub(crate) fn error(&self, output: usize) -> f32 {
        self.errors[output]
    }

    /// The product with each row of `x`, into rows of `out`, [`Self::stride`] apart. There must be at least a tile's rows.
    ///
    /// With `threads` above 1, so many parts of the outputs are computed at once, which changes no number.
    pub fn apply(&self, x: Rows<'_>, scratch: &mut Scratch, out: &mut [f32], threads: usize) {
        assert!(x.count >= self.tile().rows && x.stride >= self.inputs);
        assert!(x.reach(self.inputs) <= x.numbers.len() && out.len() / self.stride() >= x.count);
        let a = match self.arithmetic {
            Arithmetic::F32 => Operand { words: x.numbers.as_ptr().cast(), stride: x.stride, rows: x.count },
            _ => {
                self.quantise(x, scratch);
                let strip = self.tile().rows * self.words;
                Operand { words: scratch.strips.as_ptr(), stride: strip, rows: x.count }
            }
        };
        let scales = &scratch.scales;
        let weights = Weights { panels: &self.panels, bias: &self.bias, words: self.words };
        let panels = self.stride() / self.tile().width;
        let out = Out(out.as_mut_ptr());
        let part = |panels: Range<usize>| {
            // SAFETY: the lengths were checked above, and a number is a word. `out` is borrowed as a whole, and no two parts
            // have a panel in common.
            self.run(unsafe { Job::new(a, weights, panels, out) }, scales);
        };
        let size = panels.div_ceil(threads.max(1));
        match threads {
            0 | 1 => part(0..panels),
            _ => (0..threads).into_par_iter().for_each(|i| part((i * size).min(panels)..((i + 1) * size).min(panels))),
        }
    }
}

impl Linear {
    fn run(&self, job: Job<'_>, rows: &[Scale]) {
        let factors = tile::Integer { rows, scales: &self.scales, sums: &self.sums };
        match self.arithmetic {
            Arithmetic::F32 => self.instructions.run(tile::Float(job)),
            #[cfg(target_arch = "x86_64")]
            Arithmetic::Bf16(bf16) => match Amx::of(self.instructions) {
                Some(amx) => amx.run(bf16, job),
                None => bf16.run(job),
            },
            #[cfg(target_arch = "x86_64")]
            Arithmetic::Int8 if let Some(amx) = Amx::of(self.instructions) => amx.run(factors, job),
            Arithmetic::Int8 => self.instructions.run(tile::IntegerJob(job, factors)),
        }
    }

    /// Writes the rows as small numbers, in strips.
    fn quantise(&self, x: Rows<'_>, scratch: &mut Scratch) {
        let tile = self.tile();
        let Scratch { strips, row, scales } = scratch;
        strips.reserve(x.count.next_multiple_of(tile.rows) * self.words);
        row.reserve(self.words);
        scales.resize(x.count, Scale::default());
        let row = &mut row[..self.words];
        // Where there are no numbers, this stays.
        row.fill(0);
        for (first, strip) in tile::strips(x.count, tile.rows).zip(strips.chunks_exact_mut(tile.rows * self.words)) {
            for i in 0..tile.rows {
                let numbers = &x.numbers[(first + i) * x.stride..][..self.inputs];
                match self.arithmetic {
                    #[cfg(target_arch = "x86_64")]
                    Arithmetic::Bf16(bf16) => bf16.round(numbers, row),
                    _ => scales[first + i] = quantise_row(self.instructions, numbers, row),
                }
                match tile.words {
                    1 => into_strip::<1>(row, strip, i, tile.rows),
                    _ => into_strip::<16>(row, strip, i, tile.rows),
                }
            }
        }
    }
}

/// Writes a row, `WORDS` by `WORDS`, to its place `i` among the rows of a strip.
fn into_strip<const WORDS: usize>(row: &[i32], strip: &mut [i32], i: usize, rows: usize) {
    let places = strip.as_chunks_mut::<WORDS>().0[i..].iter_mut().step_by(rows);
    places.zip(row.as_chunks::<WORDS>().0).for_each(|(to, words)| *to = *words);
}

/// Writes the words of one output's weights; for small integers, returns their scale, their sum and what they leave out.
fn pack_row<'a>(arithmetic: Arithmetic, tile: Tile, row: &[f32], places: impl Iterator<Item = &'a mut i32>) -> [f32; 3] {
    match arithmetic {
        Arithmetic::F32 => places.zip(row).for_each(|(place, number)| *place = number.to_bits() as i32),
        #[cfg(target_arch = "x86_64")]
        Arithmetic::Bf16(_) => places.zip(row.chunks(2)).for_each(|(place, pair)| *place = bf16_word(pair)),
        Arithmetic::Int8 => {
            let mut integers = vec![0; row.len()];
            let scale = quantise_weights(row, tile.sums_in_16_bits, &mut integers);
            let bits = 32 / tile.group;
            for (place, integers) in places.zip(integers.chunks(tile.group)) {
                let small = integers.iter().map(|&q| q as u32 & (u32::MAX >> (32 - bits)));
                *place = small.enumerate().fold(0, |word, (i, q)| word | q << (i * bits)) as i32;
            }
            let left_out = row.iter().zip(&integers).map(|(x, &q)| (x - q as f32 * scale).powi(2)).sum::<f32>().sqrt();
            return [scale, integers.iter().sum::<i32>() as f32, left_out];
        }
    }
    [0.0; 3]
}

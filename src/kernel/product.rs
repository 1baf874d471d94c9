//! Rows times packed weights: `y = x Wᵀ + b`, in f32, bf16 or 8-bit integers.
//!
//! One tile serves all three. Its operands are words of 32 bits: an f32, two bf16, or [`Machine::GROUP`] small integers that
//! stand one after another in the sum. `MR` rows of words, each spread over a vector, meet `NV` vectors of weights:
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
use super::machine::Instructions;
use super::quantise::{Scale, integer_scale, quantise_row, to_bf16};
#[cfg(target_arch = "x86_64")]
use super::tile::bf16::Bf16;
use super::tile::{self, Job, Operand, Out, Weights};

/// How a product is computed.
#[derive(Clone, Copy)]
pub(crate) enum Arithmetic {
    /// f32.
    F32,
    /// Products of bf16 summed in f32.
    #[cfg(target_arch = "x86_64")]
    Bf16(Bf16),
    /// Weights of 8 bits with a scale for each output, activations of 8 bits with a scale and an offset for each row.
    Int8,
}

impl Arithmetic {
    /// Products of bf16, where the processor has them beside the given instructions.
    pub(crate) fn bf16(instructions: Instructions) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return Bf16::new().filter(|_| instructions == Instructions::Avx512).map(Self::Bf16);
        #[cfg(not(target_arch = "x86_64"))]
        None
    }
}

/// Rows of numbers, each `stride` after the one before.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) count: usize,
}

/// A layer's weights, packed for some instructions.
pub(crate) struct Linear {
    instructions: Instructions,
    inputs: usize,
    /// Words a row of the input.
    words: usize,
    panels: Aligned<i32>,
    bias: Aligned<f32>,
    kind: Kind,
}

enum Kind {
    F32,
    #[cfg(target_arch = "x86_64")]
    Bf16(Bf16),
    Int8 {
        /// Of each output's weights.
        scales: Aligned<f32>,
        /// Of each output's integers: what an offset of the activations adds.
        sums: Aligned<f32>,
    },
}

/// The room that a product needs beside its operands; it grows and is used again.
#[derive(Default)]
pub(crate) struct Scratch {
    words: Aligned<i32>,
    scales: Vec<Scale>,
}

impl Linear {
    /// Packs `weights`, a row of numbers for each output; `bias` has a number for each.
    pub(crate) fn pack(instructions: Instructions, arithmetic: Arithmetic, weights: &[f32], bias: &[f32]) -> Self {
        let (outputs, inputs) = (bias.len(), weights.len() / bias.len());
        assert_eq!(weights.len(), inputs * outputs);
        let group = match arithmetic {
            Arithmetic::F32 => 1,
            #[cfg(target_arch = "x86_64")]
            Arithmetic::Bf16(_) => 2,
            Arithmetic::Int8 => instructions.tile().group,
        };
        let (words, width) = (inputs.div_ceil(group), instructions.tile().width);
        let padded = outputs.next_multiple_of(width);
        let mut kind = match arithmetic {
            Arithmetic::F32 => Kind::F32,
            #[cfg(target_arch = "x86_64")]
            Arithmetic::Bf16(bf16) => Kind::Bf16(bf16),
            Arithmetic::Int8 => Kind::Int8 { scales: Aligned::new(padded), sums: Aligned::new(padded) },
        };
        let mut panels = Aligned::new(padded * words);
        let pack = |(panel, to): (usize, &mut [i32])| {
            for (column, row) in weights.chunks_exact(inputs).skip(panel * width).take(width).enumerate() {
                pack_row(arithmetic, row, group, to[column..].iter_mut().step_by(width));
            }
        };
        panels.par_chunks_exact_mut(width * words).enumerate().for_each(pack);
        if let Kind::Int8 { scales, sums } = &mut kind {
            for (output, row) in weights.chunks_exact(inputs).enumerate() {
                let (scale, integer) = integer_scale(row);
                (scales[output], sums[output]) = (scale, row.iter().map(|&x| integer(x) as f32).sum());
            }
        }
        let mut padded_bias = Aligned::new(padded);
        padded_bias[..outputs].copy_from_slice(bias);
        Self { instructions, inputs, words, panels, bias: padded_bias, kind }
    }

    /// The least number of rows that [`Self::apply`] takes.
    pub(crate) fn least_rows(instructions: Instructions) -> usize {
        instructions.tile().rows
    }

    /// From one row of the result to the next.
    pub(crate) fn stride(&self) -> usize {
        self.bias.len()
    }

    /// The product with each row of `x`, into rows of `out`, [`Self::stride`] apart. There must be at least a tile's rows.
    ///
    /// With `threads` above 1, so many parts of the outputs are computed at once, which changes no number.
    pub(crate) fn apply(&self, x: Rows<'_>, scratch: &mut Scratch, out: &mut [f32], threads: usize) {
        assert!(x.count >= self.instructions.tile().rows && x.stride >= self.inputs);
        assert!(x.numbers.len() >= (x.count - 1) * x.stride + self.inputs && out.len() >= x.count * self.stride());
        let Scratch { words, scales } = scratch;
        let a = match self.kind {
            Kind::F32 => Operand { words: x.numbers.as_ptr().cast(), stride: x.stride, rows: x.count },
            _ => {
                words.reserve(x.count * self.words);
                scales.resize(x.count, Scale::default());
                self.quantise(x, words, scales);
                Operand { words: words.as_ptr(), stride: self.words, rows: x.count }
            }
        };
        let weights = Weights { panels: &self.panels, bias: &self.bias, words: self.words };
        let panels = self.stride() / self.instructions.tile().width;
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
        match &self.kind {
            Kind::F32 => self.instructions.run(tile::Float(job)),
            Kind::Int8 { scales, sums } => self.instructions.run(tile::IntegerJob(job, tile::Integer { rows, scales, sums })),
            #[cfg(target_arch = "x86_64")]
            Kind::Bf16(bf16) => bf16.run(job),
        }
    }

    fn quantise(&self, x: Rows<'_>, words: &mut [i32], scales: &mut [Scale]) {
        let rows = x.numbers.chunks(x.stride).zip(words.chunks_mut(self.words)).zip(scales);
        for ((row, words), scale) in rows {
            match self.kind {
                #[cfg(target_arch = "x86_64")]
                Kind::Bf16(bf16) => bf16.round(&row[..self.inputs], words),
                _ => *scale = quantise_row(self.instructions, &row[..self.inputs], words),
            }
        }
    }
}

/// Writes the words of one output's weights.
fn pack_row<'a>(arithmetic: Arithmetic, row: &[f32], group: usize, places: impl Iterator<Item = &'a mut i32>) {
    let (_, integer) = integer_scale(row);
    let mask = u32::MAX >> (32 - 32 / group);
    let word = |numbers: &[f32]| match arithmetic {
        Arithmetic::F32 => numbers[0].to_bits(),
        #[cfg(target_arch = "x86_64")]
        Arithmetic::Bf16(_) => to_bf16(numbers[0]) | to_bf16(*numbers.get(1).unwrap_or(&0.0)) << 16,
        Arithmetic::Int8 => numbers.iter().enumerate().fold(0, |word, (i, &x)| word | (integer(x) as u32 & mask) << (i * 32 / group)),
    };
    places.zip(row.chunks(group)).for_each(|(place, numbers)| *place = word(numbers) as i32);
}

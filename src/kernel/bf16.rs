//! Products of bf16, two a word, for processors with AVX-512 BF16.
//!
//! `vdpbf16ps` does twice the work of a product of f32. It takes as long on Zen 4, but four times as long on Sapphire Rapids (loops
//! of the instructions alone), where [`super::amx`] does it all.

use std::arch::x86_64::{__m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_storeu_si512};

use rten_simd::Isa;
use rten_simd::ops::BitOps;

use super::machine::{AVX512_TILE, Avx512, Floats, Integers, Machine};
use super::tile::{self, Job, Multiply};

/// Proof that the processor has AVX-512 BF16.
#[derive(Clone, Copy)]
pub struct Bf16(Avx512);

impl Bf16 {
    pub(super) fn new() -> Option<Self> {
        is_x86_feature_detected!("avx512bf16").then(Avx512::new).flatten().map(Self)
    }

    /// Runs a product of bf16.
    pub(super) fn run(self, job: Job<'_>) {
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")]
        fn run(bf16: Bf16, job: Job<'_>) {
            tile::run::<Avx512, Bf16, { AVX512_TILE.0 }, { AVX512_TILE.1 }>(bf16.0, bf16, job);
        }
        // SAFETY: there is a `Bf16`, so the processor has these instructions.
        unsafe { run(self, job) }
    }

    /// Writes a row of numbers as bf16, two a word.
    pub(super) fn round(self, row: &[f32], words: &mut [i32]) {
        #[target_feature(enable = "avx512f,avx512bf16")]
        fn round(x: &[f32], words: &mut [i32]) {
            assert!(x.len() == 32 && words.len() == 16);
            // SAFETY: 32 numbers are read and 16 words are written, as many as there are. The types are of one size.
            unsafe {
                let pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x.as_ptr().add(16)), _mm512_loadu_ps(x.as_ptr()));
                _mm512_storeu_si512(words.as_mut_ptr().cast(), std::mem::transmute::<__m512bh, __m512i>(pairs));
            }
        }
        for (x, words) in row.chunks(32).zip(words.chunks_mut(16)) {
            let mut whole = ([0.0; 32], [0; 16]);
            whole.0[..x.len()].copy_from_slice(x);
            // SAFETY: there is a `Bf16`, so the processor has these instructions.
            unsafe { round(&whole.0, &mut whole.1) };
            words.copy_from_slice(&whole.1[..words.len()]);
        }
    }
}

impl Multiply<Avx512> for Bf16 {
    const IN_STRIPS: bool = true;
    type Sum = Floats<Avx512>;

    #[inline(always)]
    fn zero(self, machine: Avx512) -> Self::Sum {
        machine.isa().f32().zero()
    }

    #[inline(always)]
    fn step(self, _: Avx512, sum: Self::Sum, a: [Integers<Avx512>; 2], b: [Integers<Avx512>; 2]) -> Self::Sum {
        // SAFETY: there is a `Bf16`, so the processor has the instruction. The types are of one size.
        unsafe {
            let bf16 = |x: Integers<Avx512>| std::mem::transmute::<__m512i, __m512bh>(x.0);
            let sum = _mm512_dpbf16_ps(sum.0, bf16(a[0]), bf16(b[0]));
            _mm512_dpbf16_ps(sum, bf16(a[1]), bf16(b[1])).into()
        }
    }

    #[inline(always)]
    fn finish(self, _: Avx512, sum: Self::Sum, _: usize, _: usize) -> Self::Sum {
        sum
    }
}

/// One or two numbers as the nearest bf16, ties to even, in a word.
pub(super) fn bf16_word(pair: &[f32]) -> i32 {
    let bits = |x: f32| u32::from(half::bf16::from_f32(x).to_bits());
    (bits(pair[0]) | bits(*pair.get(1).unwrap_or(&0.0)) << 16) as i32
}

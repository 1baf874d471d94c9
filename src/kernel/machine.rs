//! Which instructions the processor has, and how a routine is compiled for them.
//!
//! A routine is a [`Kernel`], written once; [`Instructions::run`] picks the [`Machine`] that it runs on. A machine is a
//! value that exists only where its instructions do, which is why its methods may use them.

use std::str::FromStr;

use rten_simd::Isa;
#[cfg(target_arch = "aarch64")]
use rten_simd::isa::ArmNeonIsa;
use rten_simd::isa::GenericIsa;
#[cfg(target_arch = "x86_64")]
use rten_simd::isa::{Avx2Isa, Avx512Isa};
use rten_simd::ops::{BitOps, IntOps, NumOps};

#[cfg(target_arch = "x86_64")]
use super::amx::Amx;
use crate::error::{Error, Result};

/// A set of instructions that a processor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instructions {
    /// AVX-512 with VNNI and BF16, and AMX for products of small numbers: Intel's servers since Sapphire Rapids, on Linux.
    Amx,
    /// AVX-512 with VNNI: Intel since Ice Lake, AMD since Zen 4.
    Avx512,
    /// AVX2 with FMA: nearly every x86-64 since 2013.
    Avx2,
    /// NEON with the dot product: Apple's processors, ARM servers.
    Neon,
    /// What every processor can do.
    Portable,
}

impl Instructions {
    /// All, the fastest first.
    pub const ALL: [Self; 5] = [Self::Amx, Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|set| set.are_available()).unwrap_or(Self::Portable)
    }

    /// True if this processor has them.
    pub fn are_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => Amx::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::new().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Neon::new().is_some(),
            Self::Portable => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// Its name in settings and in a vector's `Space`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amx => "amx",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    /// Runs the kernel, compiled for these instructions; the portable ones if the processor does not have them.
    #[inline]
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx | Self::Avx512 if let Some(machine) = Avx512::new() => {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512vnni,avx2,fma,f16c")]
                fn run<K: Kernel>(machine: Avx512, kernel: K) -> K::Output {
                    kernel.run::<Avx512, { AVX512_TILE.0 }, { AVX512_TILE.1 }>(machine)
                }
                // SAFETY: there is an `Avx512`, so the processor has these instructions.
                unsafe { run(machine, kernel) }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 if let Some(machine) = Avx2::new() => {
                #[target_feature(enable = "avx2,fma,f16c")]
                fn run<K: Kernel>(machine: Avx2, kernel: K) -> K::Output {
                    if K::SUMS_INTEGERS { kernel.run::<Avx2, 3, 2>(machine) } else { kernel.run::<Avx2, 6, 2>(machine) }
                }
                // SAFETY: there is an `Avx2`, so the processor has these instructions.
                unsafe { run(machine, kernel) }
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon if let Some(machine) = Neon::new() => {
                #[target_feature(enable = "neon,dotprod")]
                fn run<K: Kernel>(machine: Neon, kernel: K) -> K::Output {
                    if K::SUMS_INTEGERS { kernel.run::<Neon, 4, 4>(machine) } else { kernel.run::<Neon, 6, 4>(machine) }
                }
                // SAFETY: there is a `Neon`, so the processor has these instructions.
                unsafe { run(machine, kernel) }
            }
            _ => kernel.run::<Portable, 4, 2>(Portable),
        }
    }

    /// The tile of [`Self::run`], which has no use for AMX, for a kernel that sums integers or not.
    pub(super) fn tile<const SUMS_INTEGERS: bool>(self) -> Tile {
        struct Ask<const SUMS_INTEGERS: bool>;
        impl<const SUMS_INTEGERS: bool> Kernel for Ask<SUMS_INTEGERS> {
            type Output = Tile;
            const SUMS_INTEGERS: bool = SUMS_INTEGERS;
            fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) -> Tile {
                Tile {
                    rows: MR,
                    width: NV * machine.isa().f32().len(),
                    group: M::GROUP,
                    words: 1,
                    sums_in_16_bits: M::SUMS_IN_16_BITS,
                    multiplies_pairs: M::MULTIPLIES_PAIRS,
                }
            }
        }
        self.run(Ask::<SUMS_INTEGERS>)
    }
}

/// Rows and vectors of a tile, for small integers and for bf16 alike.
#[cfg(target_arch = "x86_64")]
pub(super) const AVX512_TILE: (usize, usize) = (12, 2);

/// The sizes of a product's tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    pub(super) rows: usize,
    /// Outputs.
    pub(super) width: usize,
    /// Small integers a word: [`Machine::GROUP`].
    pub(super) group: usize,
    /// Words of a row that stay together, before those of the next row.
    pub(super) words: usize,
    /// [`Machine::SUMS_IN_16_BITS`].
    pub(super) sums_in_16_bits: bool,
    /// [`Machine::MULTIPLIES_PAIRS`].
    pub(super) multiplies_pairs: bool,
}

impl FromStr for Instructions {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|set| set.name() == text);
        match named.ok_or_else(|| Error::usage(format!("no instructions {text:?}; expected {}", Self::ALL.map(Self::name).join(", "))))? {
            set if set.are_available() => Ok(set),
            _ => Err(Error::usage(format!("this processor has no {text}; its best is {}", Self::best().name()))),
        }
    }
}

/// Nothing but products and sums of f32 in registers, `turns` times: what the processor can do at most, for benches. Returns
/// how many operations that were, and a number that depends on all of them.
pub fn multiply_and_add(instructions: Instructions, turns: usize) -> (u64, f32) {
    struct Busy(usize);
    impl Kernel for Busy {
        type Output = (u64, f32);
        #[inline(always)]
        fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) -> (u64, f32) {
            let ops = machine.isa().f32();
            let (factor, mut sums) = (ops.splat(0.999_999), [[ops.one(); NV]; MR]);
            for _ in 0..self.0 {
                for i in 0..MR {
                    for j in 0..NV {
                        sums[i][j] = ops.mul_add(sums[i][j], factor, factor);
                    }
                }
            }
            let all = sums.iter().flatten().fold(ops.zero(), |all, &sum| ops.add(all, sum));
            ((self.0 * 2 * MR * NV * ops.len()) as u64, ops.sum(all))
        }
    }
    instructions.run(Busy(turns))
}

/// A routine that is compiled for each machine: `MR` rows and `NV` vectors are the largest tile of a product whose sums
/// stay in registers there.
pub(super) trait Kernel {
    type Output;
    /// True if the sums are of integers: then two words of all vectors are in registers at a time, which leaves fewer for sums.
    const SUMS_INTEGERS: bool = false;
    fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) -> Self::Output;
}

/// Proof that the processor has certain instructions.
pub(super) trait Machine: Copy {
    type Isa: Isa;

    /// Small integers in a word: 4 bytes, or 2 integers of 16 bits where there is no product of bytes.
    const GROUP: usize;

    /// True if [`Self::dot`] sums in 16 bits what the first halves of its two words give, and what the second halves give. Then of
    /// the four weights of such halves the positive ones are together at most 128, and the negative ones at least -128.
    const SUMS_IN_16_BITS: bool = false;

    /// True if activations go into [`Self::dot`] as signed bytes, that is, less 128.
    const SIGNED: bool = false;

    fn isa(self) -> Self::Isa;

    /// `sum + a[0] · b[0] + a[1] · b[1]`, lane by lane, where the words of `a` hold [`Self::GROUP`] activations from 0 to 255, those
    /// of `b` weights from -127 to 127. No sum of at most [`super::Linear::MOST_INPUTS`] products is too large for it.
    fn dot(self, sum: Integers<Self>, a: [Integers<Self>; 2], b: [Integers<Self>; 2]) -> Integers<Self>;

    /// `sum + a · b`, lane by lane, where the words hold four signed bytes, from -127 to 127.
    fn dot_signed(self, sum: Integers<Self>, a: Integers<Self>, b: Integers<Self>) -> Integers<Self>;

    /// True if [`Self::dot_pairs`] is faster than a product of as many f32.
    const MULTIPLIES_PAIRS: bool = false;

    /// `sum + a · b`, lane by lane, where the words hold two integers of 16 bits whose products are not too large.
    #[inline(always)]
    fn dot_pairs(self, sum: Integers<Self>, a: Integers<Self>, b: Integers<Self>) -> Integers<Self> {
        let isa = self.isa();
        let ops = isa.i32();
        let low = |x| ops.shift_right::<16>(ops.shift_left::<16>(x));
        let high = |x| ops.shift_right::<16>(x);
        ops.add(sum, ops.add(ops.mul(low(a), low(b)), ops.mul(high(a), high(b))))
    }

    /// The sum of the lanes of each of four vectors.
    #[inline(always)]
    fn sum_lanes(self, vectors: [Integers<Self>; 4]) -> [i32; 4] {
        let ops = self.isa().i32();
        let [a, b, c, d] = vectors;
        [ops.sum(a), ops.sum(b), ops.sum(c), ops.sum(d)]
    }
}

/// A machine's vector of i32, which also stands for words of anything.
pub(super) type Integers<M> = <<M as Machine>::Isa as Isa>::I32;
/// A machine's vector of f32.
pub(super) type Floats<M> = <<M as Machine>::Isa as Isa>::F32;

/// AVX-512 with VNNI.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Avx512(Avx512Isa);

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    pub(super) fn new() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        has_all.then(Avx512Isa::new).flatten().map(Self)
    }
}

#[cfg(target_arch = "x86_64")]
impl Machine for Avx512 {
    type Isa = Avx512Isa;
    const GROUP: usize = 4;

    #[inline(always)]
    fn isa(self) -> Avx512Isa {
        self.0
    }

    #[inline(always)]
    fn dot(self, sum: Integers<Self>, a: [Integers<Self>; 2], b: [Integers<Self>; 2]) -> Integers<Self> {
        use std::arch::x86_64::_mm512_dpbusd_epi32;
        // SAFETY: there is an `Avx512`, so the processor has VNNI. `vpdpbusd` sums in 32 bits without saturation.
        unsafe { _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sum.0, a[0].0, b[0].0), a[1].0, b[1].0).into() }
    }

    const MULTIPLIES_PAIRS: bool = true;

    #[inline(always)]
    fn dot_pairs(self, sum: Integers<Self>, a: Integers<Self>, b: Integers<Self>) -> Integers<Self> {
        // SAFETY: there is an `Avx512`, so the processor has VNNI.
        unsafe { std::arch::x86_64::_mm512_dpwssd_epi32(sum.0, a.0, b.0).into() }
    }

    /// `a · b = |a| · (b with the sign of a)`.
    #[inline(always)]
    fn dot_signed(self, sum: Integers<Self>, a: Integers<Self>, b: Integers<Self>) -> Integers<Self> {
        use std::arch::x86_64::{_mm512_abs_epi8, _mm512_dpbusd_epi32, _mm512_mask_sub_epi8, _mm512_movepi8_mask, _mm512_setzero_si512};
        // SAFETY: there is an `Avx512`, so the processor has AVX-512 BW and VNNI.
        unsafe {
            let signed = _mm512_mask_sub_epi8(b.0, _mm512_movepi8_mask(a.0), _mm512_setzero_si512(), b.0);
            _mm512_dpbusd_epi32(sum.0, _mm512_abs_epi8(a.0), signed).into()
        }
    }
}

/// AVX2 with FMA.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Avx2(Avx2Isa);

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    pub(super) fn new() -> Option<Self> {
        Avx2Isa::new().map(Self)
    }
}

#[cfg(target_arch = "x86_64")]
impl Machine for Avx2 {
    type Isa = Avx2Isa;
    const GROUP: usize = 4;
    const SUMS_IN_16_BITS: bool = true;

    #[inline(always)]
    fn isa(self) -> Avx2Isa {
        self.0
    }

    /// Two `vpmaddubsw` sum four products in 16 bits: 255 · 128 = 32,640 is not too large. So two
    /// words share the multiplication that brings sums of 16 bits to 32.
    #[inline(always)]
    fn dot(self, sum: Integers<Self>, a: [Integers<Self>; 2], b: [Integers<Self>; 2]) -> Integers<Self> {
        use std::arch::x86_64::{_mm256_add_epi16, _mm256_add_epi32, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16};
        // SAFETY: there is an `Avx2`, so the processor has AVX2.
        unsafe {
            let products = _mm256_add_epi16(_mm256_maddubs_epi16(a[0].0, b[0].0), _mm256_maddubs_epi16(a[1].0, b[1].0));
            _mm256_add_epi32(sum.0, _mm256_madd_epi16(products, _mm256_set1_epi16(1))).into()
        }
    }

    const MULTIPLIES_PAIRS: bool = true;

    #[inline(always)]
    fn dot_pairs(self, sum: Integers<Self>, a: Integers<Self>, b: Integers<Self>) -> Integers<Self> {
        use std::arch::x86_64::{_mm256_add_epi32, _mm256_madd_epi16};
        // SAFETY: there is an `Avx2`, so the processor has AVX2.
        unsafe { _mm256_add_epi32(sum.0, _mm256_madd_epi16(a.0, b.0)).into() }
    }

    /// `a · b = |a| · (b with the sign of a)`; two products of 127 · 127 are not too large for 16 bits.
    #[inline(always)]
    fn dot_signed(self, sum: Integers<Self>, a: Integers<Self>, b: Integers<Self>) -> Integers<Self> {
        use std::arch::x86_64::{_mm256_abs_epi8, _mm256_add_epi32, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_sign_epi8};
        // SAFETY: there is an `Avx2`, so the processor has AVX2.
        unsafe {
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a.0), _mm256_sign_epi8(b.0, a.0));
            _mm256_add_epi32(sum.0, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))).into()
        }
    }

    /// Neighbours are added until each half of a vector holds a part of all four sums.
    #[inline(always)]
    fn sum_lanes(self, [a, b, c, d]: [Integers<Self>; 4]) -> [i32; 4] {
        use std::arch::x86_64::{_mm_add_epi32, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_hadd_epi32};
        // SAFETY: there is an `Avx2`, so the processor has AVX2. The types are of one size.
        unsafe {
            let halves = _mm256_hadd_epi32(_mm256_hadd_epi32(a.0, b.0), _mm256_hadd_epi32(c.0, d.0));
            std::mem::transmute(_mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves)))
        }
    }
}

/// NEON with the dot product.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy)]
pub(super) struct Neon(ArmNeonIsa);

#[cfg(target_arch = "aarch64")]
impl Neon {
    pub(super) fn new() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("dotprod").then(ArmNeonIsa::new).flatten().map(Self)
    }
}

#[cfg(target_arch = "aarch64")]
impl Machine for Neon {
    type Isa = ArmNeonIsa;
    const GROUP: usize = 4;
    const SIGNED: bool = true;

    #[inline(always)]
    fn isa(self) -> ArmNeonIsa {
        self.0
    }

    #[inline(always)]
    fn dot(self, sum: Integers<Self>, a: [Integers<Self>; 2], b: [Integers<Self>; 2]) -> Integers<Self> {
        self.dot_signed(self.dot_signed(sum, a[0], b[0]), a[1], b[1])
    }

    #[inline(always)]
    fn dot_signed(self, sum: Integers<Self>, a: Integers<Self>, b: Integers<Self>) -> Integers<Self> {
        use std::arch::aarch64::int32x4_t;
        // The intrinsic is not stable.
        #[inline]
        #[target_feature(enable = "dotprod")]
        fn sdot(mut sum: int32x4_t, a: int32x4_t, b: int32x4_t) -> int32x4_t {
            // SAFETY: the instruction reads and writes the named registers only.
            unsafe {
                std::arch::asm!(
                    "sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b",
                    sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
            sum
        }
        // SAFETY: there is a `Neon`, so the processor has the dot product.
        unsafe { sdot(sum, a, b) }
    }
}

/// Any processor.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Machine for Portable {
    type Isa = GenericIsa;
    const GROUP: usize = 2;

    #[inline(always)]
    fn isa(self) -> GenericIsa {
        GenericIsa::new()
    }

    #[inline(always)]
    fn dot(self, sum: Integers<Self>, a: [Integers<Self>; 2], b: [Integers<Self>; 2]) -> Integers<Self> {
        self.dot_pairs(self.dot_pairs(sum, a[0], b[0]), a[1], b[1])
    }

    #[inline(always)]
    fn dot_signed(self, sum: Integers<Self>, a: Integers<Self>, b: Integers<Self>) -> Integers<Self> {
        let isa = GenericIsa::new();
        let ops = isa.i32();
        // A byte goes to the top of its word, and comes down with its sign.
        let products = [
            ops.mul(ops.shift_right::<24>(ops.shift_left::<24>(a)), ops.shift_right::<24>(ops.shift_left::<24>(b))),
            ops.mul(ops.shift_right::<24>(ops.shift_left::<16>(a)), ops.shift_right::<24>(ops.shift_left::<16>(b))),
            ops.mul(ops.shift_right::<24>(ops.shift_left::<8>(a)), ops.shift_right::<24>(ops.shift_left::<8>(b))),
            ops.mul(ops.shift_right::<24>(a), ops.shift_right::<24>(b)),
        ];
        products.into_iter().fold(sum, |sum, product| ops.add(sum, product))
    }
}

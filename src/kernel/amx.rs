//! Products on the matrix unit of Intel's server processors (AMX), of bf16 and of small integers.
//!
//! It has eight registers of 16 rows of 16 words, and one step between three of them:
//!
//! ```text
//! sums[16 rows][16 outputs] += a[16 rows][16 words] · b[16 words][16 outputs]
//! ```
//!
//! A word is what it is in [`super::product`], two bf16 or four small integers. A panel of packed weights, 16 outputs wide, is one
//! `b` after another as it stands: a word of its outputs is a row. The rows of the input are in strips of 16, one `a` after
//! another. Where the words end, zeros fill the last `a` and `b`.
//!
//! Two strips against two panels are four registers of sums, two of `a` and two of `b`, and each that is loaded is used twice.
//! An odd last strip or panel goes with itself. An element of the sums is computed alike wherever it stands.
//!
//! Rust's intrinsics for it are not stable, so the inner loop is in assembler. What the registers are shaped like is a state of
//! the thread, which is set when a job begins and given back when it ends: between jobs there is nothing that a switch of
//! threads must keep.

use std::arch::asm;
use std::arch::x86_64::{__cpuid_count, _xgetbv};
use std::ops::Range;
use std::sync::OnceLock;

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd};

use super::bf16::Bf16;
use super::machine::{Avx512, Instructions, Integers, Machine, Tile};
use super::tile::{Integer, Job, Multiply};

/// Rows of a strip, outputs of a panel, and words of both that meet at once.
const SIDE: usize = 16;

/// Proof that the processor has AMX, and that the system lets this process use it.
#[derive(Clone, Copy)]
pub(super) struct Amx(Avx512);

impl Amx {
    /// The sizes of its products.
    pub(super) const TILE: Tile = Tile { rows: SIDE, width: SIDE, group: 4, words: SIDE, sums_in_16_bits: false, multiplies_pairs: true };

    pub(super) fn new() -> Option<Self> {
        static PERMITTED: OnceLock<bool> = OnceLock::new();
        let machine = Bf16::new().and_then(|_| Avx512::new())?;
        PERMITTED.get_or_init(|| cfg!(target_os = "linux") && has_amx() && request()).then_some(Self(machine))
    }

    /// If these are the instructions, and there are any.
    pub(super) fn of(instructions: Instructions) -> Option<Self> {
        (instructions == Instructions::Amx).then(Self::new).flatten()
    }

    /// Runs a product of bf16 or of small integers.
    pub(super) fn run<X: Tiles>(self, multiply: X, job: Job<'_>) {
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")]
        fn run<X: Tiles>(amx: Amx, multiply: X, job: Job<'_>) {
            amx.multiply(multiply, job);
        }
        // SAFETY: there is an `Amx`, so the processor has these instructions.
        unsafe { run(self, multiply, job) }
    }

    #[inline(always)]
    fn multiply<X: Tiles>(self, multiply: X, job: Job<'_>) {
        let (ops, ints) = (self.0.isa().f32(), self.0.isa().i32());
        let (a, weights, panels, out) = job.parts();
        assert!(weights.words.is_multiple_of(SIDE) && weights.words > 0);
        let mut sums = Sums([[[[0; SIDE]; SIDE]; 2]; 2]);
        // SAFETY: there is an `Amx`.
        unsafe { configure() };
        for outputs in pairs(panels) {
            let b = outputs.map(|panel| &weights.panels[panel * SIDE * weights.words..][..SIDE * weights.words]);
            for rows in pairs(0..a.rows.div_ceil(SIDE)) {
                // SAFETY: there is an `Amx`, its registers are configured, and they are nobody else's before `release`.
                // `Job::new` promises strips of `SIDE` rows up to the last, and a panel is as long as its words are many.
                unsafe {
                    let a = rows.map(|strip| a.words.add(strip * a.stride));
                    X::sum(a, b.map(<[i32]>::as_ptr), weights.words / SIDE, &mut sums);
                }
                for (strip, sums) in rows.into_iter().zip(&sums.0) {
                    let first = (strip * SIDE).min(a.rows - SIDE);
                    for (panel, sums) in outputs.into_iter().zip(sums) {
                        let column = panel * SIDE;
                        let bias = ops.load(&weights.bias[column..]);
                        for (row, sum) in (first..).zip(sums) {
                            let y = ops.add(multiply.finish(self.0, X::of(ints.load(sum)), row, column), bias);
                            // SAFETY: `Job::new` promises that these columns of `out`'s rows are ours to write.
                            unsafe { ops.store_ptr(y, out.0.add(row * weights.bias.len() + column)) };
                        }
                    }
                }
            }
        }
        // SAFETY: there is an `Amx`.
        unsafe { release() };
    }
}

/// The numbers of a range, two by two; an odd last one goes with itself.
fn pairs(range: Range<usize>) -> impl Iterator<Item = [usize; 2]> {
    range.clone().step_by(2).map(move |i| [i, (i + 1).min(range.end - 1)])
}

/// True if the processor has the instructions, and the system keeps their registers.
fn has_amx() -> bool {
    const BF16_TILE_INT8: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    const STATES: u64 = 1 << 17 | 1 << 18;
    #[target_feature(enable = "xsave")]
    fn kept() -> u64 {
        // SAFETY: the caller vouches for XSAVE, and register 0 is always there.
        unsafe { _xgetbv(0) }
    }
    // SAFETY: asked after AVX-512 was found, for which the system must have turned XSAVE on.
    let kept = unsafe { kept() };
    __cpuid_count(7, 0).edx & BF16_TILE_INT8 == BF16_TILE_INT8 && kept & STATES == STATES
}

/// Asks Linux, which gives a process the registers' 8 KiB only if it does; true if it may use them.
fn request() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let result: i64;
    // SAFETY: a system call of Linux, which changes no memory of ours, and of registers those that are named. Kernels before 5.16
    // answer with an error.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result, in("rdi") ARCH_REQ_XCOMP_PERM, in("rsi") TILE_DATA,
            lateout("rcx") _, lateout("r11") _, options(nostack)
        );
    }
    result == 0
}

/// The form of the registers: all of 16 rows of 64 bytes.
static FORM: [u8; 64] = {
    let mut form = [0; 64];
    form[0] = 1;
    let mut register = 0;
    while register < 8 {
        form[16 + 2 * register] = 64;
        form[48 + register] = SIDE as u8;
        register += 1;
    }
    form
};

/// Gives this thread the registers.
///
/// # Safety
///
/// There must be an [`Amx`].
unsafe fn configure() {
    // SAFETY: 64 bytes are read. The compiler does not use these registers.
    unsafe {
        asm!(
            "ldtilecfg [{form}]", form = in(reg) &raw const FORM,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack, readonly, preserves_flags)
        );
    }
}

/// Takes them back.
///
/// # Safety
///
/// There must be an [`Amx`].
unsafe fn release() {
    // SAFETY: it touches the registers alone, which the compiler does not use.
    unsafe {
        asm!(
            "tilerelease",
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack, nomem, preserves_flags)
        );
    }
}

/// The sums of two strips, each with two panels: of 16 rows with 16 outputs, f32 or integers.
#[repr(align(64))]
pub(super) struct Sums([[[[i32; SIDE]; SIDE]; 2]; 2]);

/// A product that the matrix unit has.
pub(super) trait Tiles: Multiply<Avx512> {
    /// Sums all words of two strips and two panels, `turns` times [`SIDE`].
    ///
    /// # Safety
    ///
    /// There must be an [`Amx`], and since [`configure`] no [`release`]. Each strip and each panel must have `turns` times 1 KiB, and
    /// there must be one turn at least.
    unsafe fn sum(strips: [*const i32; 2], panels: [*const i32; 2], turns: usize, sums: &mut Sums);

    /// The sums that words hold.
    fn of(words: Integers<Avx512>) -> Self::Sum;
}

/// The body of [`Tiles::sum`], for the instruction that multiplies.
macro_rules! sum {
    ($multiply:literal, $strips:expr, $panels:expr, $turns:expr, $sums:expr) => {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{a0} + {line}]",
            "tileloadd tmm6, [{b0} + {line}]",
            concat!($multiply, " tmm0, tmm4, tmm6"),
            "tileloadd tmm7, [{b1} + {line}]",
            concat!($multiply, " tmm1, tmm4, tmm7"),
            "tileloadd tmm5, [{a1} + {line}]",
            concat!($multiply, " tmm2, tmm5, tmm6"),
            concat!($multiply, " tmm3, tmm5, tmm7"),
            "add {a0}, 1024",
            "add {a1}, 1024",
            "add {b0}, 1024",
            "add {b1}, 1024",
            "dec {turns}",
            "jnz 2b",
            "tilestored [{sums} + {line}], tmm0",
            "tilestored [{sums} + {line} + 1024], tmm1",
            "tilestored [{sums} + {line} + 2048], tmm2",
            "tilestored [{sums} + {line} + 3072], tmm3",
            a0 = inout(reg) $strips[0] => _, a1 = inout(reg) $strips[1] => _,
            b0 = inout(reg) $panels[0] => _, b1 = inout(reg) $panels[1] => _,
            turns = inout(reg) $turns => _, sums = in(reg) &raw mut *$sums, line = in(reg) 64_usize,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        )
    };
}

impl Tiles for Bf16 {
    // SAFETY: what it asks of the caller is in `Tiles::sum`.
    #[inline(always)]
    unsafe fn sum(strips: [*const i32; 2], panels: [*const i32; 2], turns: usize, sums: &mut Sums) {
        // SAFETY: the caller vouches for the instructions and for what is read; 4 KiB are written.
        unsafe { sum!("tdpbf16ps", strips, panels, turns, sums) };
    }

    #[inline(always)]
    fn of(words: Integers<Avx512>) -> Self::Sum {
        words.reinterpret_cast()
    }
}

/// Bytes without a sign with bytes that have one.
impl Tiles for Integer<'_> {
    // SAFETY: what it asks of the caller is in `Tiles::sum`.
    #[inline(always)]
    unsafe fn sum(strips: [*const i32; 2], panels: [*const i32; 2], turns: usize, sums: &mut Sums) {
        // SAFETY: as above.
        unsafe { sum!("tdpbusd", strips, panels, turns, sums) };
    }

    #[inline(always)]
    fn of(words: Integers<Avx512>) -> Self::Sum {
        words
    }
}

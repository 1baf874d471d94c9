//! Functions of numbers in rows: 2ˣ, GELU, LayerNorm, softmax.

use rten_simd::ops::{BitOps, Extend, FloatOps, IntOps, NumOps};
use rten_simd::{Isa, Simd};

use super::machine::{Floats, Instructions, Kernel, Machine};

/// 2ˣ for `x` ≤ 0, to a relative error of 1e-7; below -126, 2⁻¹²⁶.
///
/// `x = n + f` with `|f|` ≤ ½; a polynomial of degree 5 (minimax) gives 2ᶠ, and `n` is added to its exponent.
#[inline(always)]
pub(super) fn exp2<M: Machine>(machine: M, x: Floats<M>) -> Floats<M> {
    const POLYNOMIAL: [f32; 6] = [1.000_000_1, 0.693_146_97, 0.240_221_2, 0.055_507_134, 0.009_675_541, 0.001_327_647_2];
    let (ops, ints) = (machine.isa().f32(), machine.isa().i32());
    let x = ops.max(x, ops.splat(-126.0));
    let n = ops.round_ties_even(x);
    let f = ops.sub(x, n);
    let mut y = ops.splat(POLYNOMIAL[5]);
    for c in POLYNOMIAL[..5].iter().rev() {
        y = ops.mul_add(y, f, ops.splat(*c));
    }
    let exponent = ints.shift_left::<23>(ops.to_int_trunc(n));
    let bits: super::machine::Integers<M> = y.reinterpret_cast();
    ints.add(bits, exponent).reinterpret_cast()
}

/// GELU with the error function, `x/2 · (1 + erf(x/√2))`, in place.
///
/// erf after Abramowitz and Stegun, formula 7.1.26: absolute error below 7e-7.
pub fn gelu(instructions: Instructions, numbers: &mut [f32]) {
    struct Gelu<'a>(&'a mut [f32]);
    impl Kernel for Gelu<'_> {
        type Output = ();
        #[inline(always)]
        fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) {
            for x in self.0.chunks_mut(machine.isa().f32().len()) {
                let y = gelu_of(machine, load_part(machine, x));
                store_part(machine, y, x);
            }
        }
    }
    instructions.run(Gelu(numbers));
}

#[inline(always)]
fn gelu_of<M: Machine>(machine: M, x: Floats<M>) -> Floats<M> {
    const P: f32 = 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2;
    // Half of the polynomial's coefficients: what follows needs erfc/2 alone.
    const HALF: [f32; 5] = [0.127_414_8, -0.142_248_37, 0.710_706_87, -0.726_576_03, 0.530_702_7];
    const MINUS_HALF_LOG2_E: f32 = -0.5 * std::f32::consts::LOG2_E;
    let ops = machine.isa().f32();
    let magnitude = ops.abs(x);
    let t = ops.reciprocal(ops.mul_add(magnitude, ops.splat(P), ops.one()));
    let mut polynomial = ops.splat(HALF[4]);
    for c in HALF[..4].iter().rev() {
        polynomial = ops.mul_add(polynomial, t, ops.splat(*c));
    }
    let gauss = exp2(machine, ops.mul(ops.mul(x, x), ops.splat(MINUS_HALF_LOG2_E)));
    // x · Φ(x), where Φ(-|x|) = erfc(|x|/√2)/2: for x < 0 that times x, for x > 0 x less that.
    let tail = ops.mul(magnitude, ops.mul(ops.mul(polynomial, t), gauss));
    ops.sub(ops.max(x, ops.zero()), tail)
}

/// `max(x, 0)`, in place.
pub(crate) fn relu(numbers: &mut [f32]) {
    numbers.iter_mut().for_each(|x| *x = x.max(0.0));
}

/// LayerNorm's weights, and how to apply it.
pub(crate) struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

impl Norm {
    /// `weight` and `bias` must be of one length, which is that of the rows.
    pub(crate) fn new(weight: Vec<f32>, bias: Vec<f32>, epsilon: f32) -> Self {
        assert_eq!(weight.len(), bias.len());
        Self { weight, bias, epsilon }
    }

    /// `row = (row + added - mean) / √(variance + ε) · weight + bias` for each row of `rows` and `added`, `stride` apart.
    pub(crate) fn add_and_apply(&self, instructions: Instructions, rows: &mut [f32], added: &[f32], stride: usize) {
        assert!(rows.len() == added.len() && stride >= self.weight.len());
        instructions.run(AddNorm { norm: self, rows, added, stride });
    }
}

struct AddNorm<'a> {
    norm: &'a Norm,
    rows: &'a mut [f32],
    added: &'a [f32],
    stride: usize,
}

impl Kernel for AddNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) {
        let dim = self.norm.weight.len();
        for (row, added) in self.rows.chunks_mut(self.stride).zip(self.added.chunks(self.stride)) {
            normalise_row(machine, &mut row[..dim], &added[..dim], self.norm);
        }
    }
}

/// Three passes over a row in the first cache: sum, squares of differences, result.
#[inline(always)]
fn normalise_row<M: Machine>(machine: M, row: &mut [f32], added: &[f32], norm: &Norm) {
    let ops = machine.isa().f32();
    let count = row.len() as f32;
    let mut sum = ops.zero();
    for (x, y) in row.chunks_mut(ops.len()).zip(added.chunks(ops.len())) {
        let both = ops.add(load_part(machine, x), load_part(machine, y));
        store_part(machine, both, x);
        sum = ops.add(sum, both);
    }
    let mean = ops.splat(ops.sum(sum) / count);
    let mut squares = ops.zero();
    for x in row.chunks(ops.len()) {
        let mut difference = ops.sub(load_part(machine, x), mean);
        if x.len() < ops.len() {
            difference = ops.select(difference, ops.zero(), ops.first_n_mask(x.len()));
        }
        squares = ops.mul_add(difference, difference, squares);
    }
    let scale = ops.splat(1.0 / (ops.sum(squares) / count + norm.epsilon).sqrt());
    let weights = norm.weight.chunks(ops.len()).zip(norm.bias.chunks(ops.len()));
    for (x, (weight, bias)) in row.chunks_mut(ops.len()).zip(weights) {
        let difference = ops.mul(ops.sub(load_part(machine, x), mean), scale);
        store_part(machine, ops.mul_add(difference, load_part(machine, weight), load_part(machine, bias)), x);
    }
}

/// Numbers of f16, two a word, as f32. As many as `to` has room for; there must be so many.
pub(crate) fn from_halves(instructions: Instructions, words: &[i32], to: &mut [f32]) {
    struct Widen<'a>(&'a [i32], &'a mut [f32]);
    impl Kernel for Widen<'_> {
        type Output = ();
        #[inline(always)]
        fn run<M: Machine, const MR: usize, const NV: usize>(self, machine: M) {
            let Self(words, to) = self;
            let (ops, halves, ints) = (machine.isa().f32(), machine.isa().f16(), machine.isa().i32());
            let (vectors, rest) = words.split_at(to.len() / (2 * ops.len()) * ops.len());
            let (places, last) = to.split_at_mut(2 * vectors.len());
            for (to, words) in places.chunks_exact_mut(2 * ops.len()).zip(vectors.chunks_exact(ops.len())) {
                let numbers = ints.load(words).reinterpret_cast();
                ops.store(halves.extend_low(numbers), to);
                ops.store(halves.extend_high(numbers), &mut to[ops.len()..]);
            }
            for (i, to) in last.iter_mut().enumerate() {
                *to = half::f16::from_bits((rest[i / 2] >> (i % 2 * 16)) as u16).to_f32();
            }
        }
    }
    assert!(words.len() == to.len().div_ceil(2));
    instructions.run(Widen(words, to));
}

/// Loads as many lanes as there are numbers; the rest is 0.
#[inline(always)]
pub(super) fn load_part<M: Machine>(machine: M, from: &[f32]) -> Floats<M> {
    let ops = machine.isa().f32();
    if from.len() >= ops.len() { ops.load(from) } else { ops.load_pad(from).0 }
}

/// Stores as many lanes as `to` has room for.
#[inline(always)]
pub(super) fn store_part<M: Machine>(machine: M, vector: Floats<M>, to: &mut [f32]) {
    let ops = machine.isa().f32();
    if to.len() >= ops.len() {
        ops.store(vector, to);
    } else {
        let len = to.len();
        to.copy_from_slice(&vector.to_array().as_ref()[..len]);
    }
}

/// The largest lane. (`f32::max` would ask each lane whether it is a number.)
#[inline(always)]
pub(super) fn max_of<M: Machine>(_: M, vector: Floats<M>) -> f32 {
    vector.to_array().into_iter().fold(f32::MIN, |most, x| if x > most { x } else { most })
}

/// `2^(x - max)` for each `x`, in place; returns one over their sum. The length must be a multiple of a vector's.
#[inline(always)]
pub(super) fn exp2_and_sum<M: Machine>(machine: M, row: &mut [f32]) -> f32 {
    let ops = machine.isa().f32();
    let mut most = ops.splat(f32::MIN);
    for x in row.chunks_exact(ops.len()) {
        most = ops.max(most, ops.load(x));
    }
    let most = ops.splat(max_of(machine, most));
    let mut sum = ops.zero();
    for x in row.chunks_exact_mut(ops.len()) {
        let y = exp2(machine, ops.sub(ops.load(x), most));
        sum = ops.add(sum, y);
        ops.store(y, x);
    }
    1.0 / ops.sum(sum)
}

//! Where points stand before the first epoch: along the two principal axes of their vectors.
//!
//! Far parts of the map then lie as far parts of the space do, which neighbours alone cannot tell.

use rayon::prelude::*;

use super::{Position, SEED, mix};
use crate::vector::{RowId, Vectors, dot, normalise};

/// The axes of so many rows, evenly drawn, are near enough to those of all.
const SAMPLE: usize = 4000;
/// Multiplications by the covariance. The axes need not be exact.
const ROUNDS: usize = 30;
/// The start reaches as far from the middle.
const REACH: f32 = 10.0;
/// Points that are the same in every respect need a reason to part.
const JITTER: f32 = 1e-3;

/// Positions along the two principal axes, scaled so that the farthest is [`REACH`] away along an axis.
pub(super) fn principal(vectors: &Vectors) -> Vec<Position> {
    let step = vectors.len().div_ceil(SAMPLE).max(1);
    let rows = (0..vectors.len()).step_by(step).map(|row| vectors.row(RowId(row as u32)));
    // One that is not finite would spoil the axes for all.
    let sample: Vec<&[f32]> = rows.filter(|row| dot(row, row).is_finite()).collect();
    let middle = sum(sample.iter().map(|row| (*row, 1.0 / sample.len() as f32)), vectors.dim());
    let axes = axes(&sample, &middle);
    let offsets: Vec<f32> = axes.iter().map(|axis| dot(axis, &middle)).collect();
    let place = |row: usize| {
        let row = vectors.row(RowId(row as u32));
        [0, 1].map(|axis| dot(&axes[axis], row) - offsets[axis]).map(|x| if x.is_finite() { x } else { 0.0 })
    };
    let mut positions: Vec<Position> = (0..vectors.len()).into_par_iter().map(place).collect();
    let farthest = positions.iter().flatten().fold(0.0, |most: f32, x| most.max(x.abs()));
    let scale = if farthest > 0.0 { REACH / farthest } else { 0.0 };
    for (row, position) in positions.iter_mut().enumerate() {
        for (axis, x) in position.iter_mut().enumerate() {
            *x = *x * scale + JITTER * between(row as u64 * 2 + axis as u64);
        }
    }
    positions
}

/// Subspace iteration: both axes times the covariance, made perpendicular again, and again.
fn axes(sample: &[&[f32]], middle: &[f32]) -> [Vec<f32>; 2] {
    let random = |axis: u64| (0..middle.len() as u64).map(|at| between((axis + 1) << 40 | at)).collect::<Vec<f32>>();
    let mut axes = [random(0), random(1)];
    make_perpendicular(&mut axes);
    for _ in 0..ROUNDS {
        for axis in &mut axes {
            let offset = dot(axis, middle);
            let shares: Vec<f32> = sample.iter().map(|row| dot(axis, row) - offset).collect();
            let total: f32 = shares.iter().sum();
            let rows = sample.iter().copied().zip(shares);
            *axis = sum(rows.chain(std::iter::once((middle, -total))), middle.len());
        }
        make_perpendicular(&mut axes);
    }
    for axis in &mut axes {
        // Both directions are right; the one with the larger numbers above 0 is taken.
        if axis.iter().map(|x| x * x * x).sum::<f32>() < 0.0 {
            axis.iter_mut().for_each(|x| *x = -*x);
        }
    }
    axes
}

fn make_perpendicular(axes: &mut [Vec<f32>; 2]) {
    let [first, second] = axes;
    normalise(first);
    let shared = dot(first, second);
    second.iter_mut().zip(first.iter()).for_each(|(x, y)| *x -= shared * y);
    normalise(second);
}

/// The sum of rows, each times its factor, in their order.
fn sum<'a>(rows: impl Iterator<Item = (&'a [f32], f32)>, dim: usize) -> Vec<f32> {
    let mut sum = vec![0.0; dim];
    for (row, factor) in rows {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += factor * x);
    }
    sum
}

/// A number between -1 and 1 that looks random.
fn between(of: u64) -> f32 {
    (mix(SEED ^ mix(of)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

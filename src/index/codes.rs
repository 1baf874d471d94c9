//! Vectors as codes: a byte a number, and a scale for each vector.
//!
//! ```text
//! x ≈ scale · q, q from -127 to 127        row: scale as f32 | words of four q, filled up with 0 to whole cache lines
//! ```
//!
//! The cosine of two vectors of length 1 is then `scale_a · scale_b · Σ q_a q_b`: a sum of integers, the same on every
//! processor, and off by no more than [`Code::error`] says.

use crate::kernel::{ByteRows, LINE_WORDS, round};

/// How codes of `dim` numbers lie in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) dim: usize,
}

impl Shape {
    /// Words of the numbers.
    pub(super) fn words(self) -> usize {
        self.dim.div_ceil(4).next_multiple_of(LINE_WORDS)
    }

    /// Words of a row: the scale and the numbers.
    pub(super) fn stride(self) -> usize {
        1 + self.words()
    }

    /// Rows of codes as the kernel takes them.
    pub(super) fn rows(self, words: &[i32]) -> ByteRows<'_> {
        ByteRows { words, stride: self.stride(), skip: 1 }
    }
}

/// The code of one vector.
#[derive(Debug, Clone)]
pub(super) struct Code {
    /// As a row: the scale, then the words.
    pub(super) row: Vec<i32>,
    /// The length of what the code leaves out of the vector.
    pub(super) error: f32,
    /// The vector's length.
    pub(super) length: f32,
}

impl Code {
    /// Codes a vector; numbers that are not finite count as 0.
    pub(super) fn new(shape: Shape, vector: &[f32]) -> Self {
        let finite = |x: f32| if x.is_finite() { x } else { 0.0 };
        let largest = vector.iter().fold(0.0f32, |most, &x| most.max(finite(x).abs()));
        let scale = largest / 127.0;
        let inverse = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
        let mut row = vec![0; shape.stride()];
        let (mut lost, mut squares) = (0.0, 0.0);
        for (word, numbers) in row[1..].iter_mut().zip(vector.chunks(4)) {
            let mut bytes = [0u8; 4];
            for (byte, &x) in bytes.iter_mut().zip(numbers) {
                let q = round(finite(x) * inverse).clamp(-127, 127);
                lost += (finite(x) - q as f32 * scale).powi(2);
                squares += finite(x).powi(2);
                *byte = q as i8 as u8;
            }
            *word = i32::from_le_bytes(bytes);
        }
        row[0] = scale.to_bits() as i32;
        Self { row, error: lost.sqrt(), length: squares.sqrt() }
    }

    pub(super) fn scale(&self) -> f32 {
        scale(&self.row)
    }

    /// The words of the numbers.
    pub(super) fn words(&self) -> &[i32] {
        &self.row[1..]
    }
}

/// The scale of a row.
pub(super) fn scale(row: &[i32]) -> f32 {
    f32::from_bits(row[0] as u32)
}

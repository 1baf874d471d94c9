//! The order of answers: the higher cosine first, and of equal ones the lower row.

use crate::vector::RowId;

/// A row and its cosine to the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Which row.
    pub row: RowId,
    /// From -1 to 1.
    pub cosine: f32,
}

/// A neighbour as one integer: the nearer one is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(u64);

impl Rank {
    /// A cosine that is no number ranks last.
    pub(super) fn new(row: u32, cosine: f32) -> Self {
        let bits = if cosine.is_nan() { f32::NEG_INFINITY } else { cosine }.to_bits();
        // As integers, floats are in order once those below 0 are turned round.
        let key = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
        Self(u64::from(key) << 32 | u64::from(!row))
    }

    pub(super) fn row(self) -> u32 {
        !(self.0 as u32)
    }

    pub(super) fn cosine(self) -> f32 {
        let key = (self.0 >> 32) as u32;
        f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
    }
}

impl Neighbour {
    /// What it is sorted by: a cosine that is no number ranks last.
    pub(super) fn order(&self) -> f32 {
        if self.cosine.is_nan() { f32::NEG_INFINITY } else { self.cosine }
    }
}

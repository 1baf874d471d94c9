//! Vectors to nearest rows.
//!
//! Every row is compared: up to tens of thousands of papers that is fast enough, and it loses nothing. Vectors have
//! length 1, so that the inner product is the cosine. A row is a number here, never a paper or a path.

use rayon::prelude::*;

use crate::vector::{RowId, Vectors, dot};

/// A row and its cosine to the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Which row.
    pub row: RowId,
    /// From -1 to 1.
    pub cosine: f32,
}

/// The `k` rows nearest to `query` among those that `keep` lets through, the nearest first.
///
/// Of equal cosines the lower row comes first, so that the answer does not depend on the order of work.
///
/// ```
/// use paperkin::{index::nearest, vector::{RowId, Vectors}};
/// let rows = Vectors::from_rows(2, vec![1.0, 0.0, 0.0, 1.0, 0.6, 0.8]);
/// let hits = nearest(&rows, &[0.0, 1.0], 2, |row| row != RowId(1));
/// assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), [RowId(2), RowId(0)]);
/// ```
pub fn nearest(vectors: &Vectors, query: &[f32], k: usize, keep: impl Fn(RowId) -> bool + Sync) -> Vec<Neighbour> {
    const BLOCK: usize = 4096;
    let scan = |(block, rows): (usize, &[f32])| {
        let first = block * BLOCK;
        let cosines = rows.chunks_exact(vectors.dim()).enumerate().map(|(i, row)| (RowId((first + i) as u32), row));
        let mut best: Vec<Neighbour> =
            cosines.filter(|(row, _)| keep(*row)).map(|(row, vector)| Neighbour { row, cosine: dot(vector, query) }).collect();
        keep_best(&mut best, k);
        best
    };
    let blocks = vectors.as_slice().par_chunks(BLOCK * vectors.dim()).enumerate();
    let mut best: Vec<Neighbour> = blocks.flat_map_iter(scan).collect();
    keep_best(&mut best, k);
    best
}

/// Sorts by cosine and keeps the first `k`. A cosine that is no number comes last.
fn keep_best(hits: &mut Vec<Neighbour>, k: usize) {
    let nearer = |a: &Neighbour, b: &Neighbour| {
        let number = |x: f32| if x.is_nan() { f32::NEG_INFINITY } else { x };
        number(b.cosine).total_cmp(&number(a.cosine)).then(a.row.cmp(&b.row))
    };
    if hits.len() > k && k > 0 {
        hits.select_nth_unstable_by(k - 1, nearer);
    }
    hits.truncate(k);
    hits.sort_unstable_by(nearer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_and_edges_have_one_answer() {
        let rows = Vectors::from_rows(1, vec![1.0, f32::NAN, 1.0, 0.5]);
        let found = |k| nearest(&rows, &[1.0], k, |_| true).iter().map(|hit| hit.row.0).collect::<Vec<_>>();
        assert_eq!(found(0), [0u32; 0]);
        assert_eq!(found(1), [0]);
        assert_eq!(found(3), [0, 2, 3]);
        assert_eq!(found(9), [0, 2, 3, 1]);
        assert!(nearest(&Vectors::new(1), &[1.0], 3, |_| true).is_empty());
    }
}

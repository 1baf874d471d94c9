//! A paper stands among others: what its neighbours in the pool score counts for it too.
//!
//! ```text
//! score' = (score + 0.4 · mean score of its four neighbours in the pool) / 1.4
//! ```
//!
//! This is one step of regularising scores over a neighbour graph (Diaz, "Regularizing Ad Hoc Retrieval Scores", 2005). On
//! citations it brings R@10 from 26.7 to 27.7; a random walk over the same graph, or more steps, brought less.

use rayon::prelude::*;

/// Papers that are smoothed, the best. All others stay below them.
pub(super) const SMOOTHED: usize = 100;
const NEIGHBOURS: usize = 4;
const SHARE: f32 = 0.4;

/// The new scores of papers, the best first; those behind the first [`SMOOTHED`] keep theirs. `likeness` tells how like one of
/// the first so many is to each of them, itself included.
pub(super) fn smoothed(scores: &[f32], likeness: impl Fn(usize, usize) -> Vec<f32> + Sync) -> Vec<f32> {
    let count = scores.len().min(SMOOTHED);
    let of_neighbours = |one: usize| {
        let mut near: Vec<(f32, usize)> = likeness(one, count).into_iter().zip(0..).filter(|(_, other)| *other != one).collect();
        near.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        near.truncate(NEIGHBOURS);
        (!near.is_empty()).then(|| near.iter().map(|(_, place)| scores[*place]).sum::<f32>() / near.len() as f32)
    };
    let of_neighbours: Vec<Option<f32>> = (0..count).into_par_iter().map(of_neighbours).collect();
    let mut new = scores.to_vec();
    for (score, of_neighbours) in new.iter_mut().zip(of_neighbours) {
        *score = of_neighbours.map_or(*score, |mean| (*score + SHARE * mean) / (1.0 + SHARE));
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paper_among_good_ones_gains_and_the_rest_stays_below() {
        // The last of four is near the first two, the third near nothing.
        let rows = |alike: fn(usize, usize) -> f32| move |one: usize, count: usize| (0..count).map(|other| alike(one, other)).collect::<Vec<_>>();
        let new = smoothed(&[0.9, 0.8, 0.7, 0.69], rows(|one, other| if one == 2 || other == 2 { 0.0 } else { 1.0 }));
        assert!(new[0] > new[3] && new[3] > 0.69, "{new:?}");
        let scores: Vec<f32> = (0..150).map(|i| 1.0 - i as f32 / 150.0).collect();
        let new = smoothed(&scores, rows(|one, other| -((one * 7 + other * 7) as f32 % 5.0)));
        assert_eq!(new[SMOOTHED..], scores[SMOOTHED..]);
        assert!(new[..SMOOTHED].iter().all(|score| *score >= scores[SMOOTHED]));
        assert_eq!(smoothed(&[0.5], rows(|_, _| 1.0)), [0.5]);
        assert_eq!(smoothed(&[], rows(|_, _| 1.0)), [0.0; 0]);
    }
}

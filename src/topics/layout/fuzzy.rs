//! How much each point is a neighbour of each other: UMAP's fuzzy simplicial set (section 3.1 of the paper).
//!
//! Of each point its own scale is found, on which its nearest neighbour weighs 1 and all together weigh log2(k + 1); this makes dense and
//! thin regions alike. Two points are as much of a pair as one *or* the other thinks: a + b - ab.

use rayon::prelude::*;

use super::power::exp;

/// One side of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    pub(super) to: u32,
    /// The weight, of [`ALL`]. As a whole number, so that the epochs in which it is due are exact.
    share: u32,
}

/// The share of a weight of 1.
const ALL: u32 = 1 << 16;

impl Edge {
    /// An edge of weight 1 is due in each epoch, another in its share of them, evenly spread.
    #[inline(always)]
    pub(super) fn is_due(&self, epoch: u32) -> bool {
        (epoch * self.share) % ALL + self.share >= ALL
    }
}

/// The pairs of each point; each pair stands with both of its points.
pub(super) struct Weights {
    edges: Vec<Edge>,
    /// Where a point's begin, and where the last one's end.
    starts: Vec<usize>,
}

impl Weights {
    pub(super) fn of(neighbours: &[Vec<(u32, f32)>]) -> Self {
        let own: Vec<Vec<(u32, f32)>> = neighbours.par_iter().enumerate().map(|(point, near)| weigh(point, near, neighbours.len())).collect();
        let mut back: Vec<Vec<(u32, f32)>> = vec![Vec::new(); own.len()];
        for (point, pairs) in own.iter().enumerate() {
            pairs.iter().for_each(|(to, weight)| back[*to as usize].push((point as u32, *weight)));
        }
        let both: Vec<Vec<Edge>> = own.par_iter().zip(&back).map(|(own, back)| union(own, back)).collect();
        let ends = both.iter().scan(0, |end, edges| {
            *end += edges.len();
            Some(*end)
        });
        Self { starts: std::iter::once(0).chain(ends).collect(), edges: both.concat() }
    }

    pub(super) fn of_point(&self, point: usize) -> &[Edge] {
        &self.edges[self.starts[point]..self.starts[point + 1]]
    }
}

/// One point's view of its neighbours, by their numbers.
fn weigh(point: usize, near: &[(u32, f32)], points: usize) -> Vec<(u32, f32)> {
    let is_other = |(to, cosine): &&(u32, f32)| *to as usize != point && (*to as usize) < points && !cosine.is_nan();
    let distances: Vec<(u32, f32)> = near.iter().filter(is_other).map(|(to, cosine)| (*to, (1.0 - cosine).clamp(0.0, 2.0))).collect();
    let nearest = distances.iter().map(|(_, distance)| *distance).filter(|distance| *distance > 0.0).fold(f32::INFINITY, f32::min);
    let nearest = if nearest.is_finite() { nearest } else { 0.0 };
    let beyond: Vec<f32> = distances.iter().map(|(_, distance)| (distance - nearest).max(0.0)).collect();
    let mean = distances.iter().map(|(_, distance)| distance).sum::<f32>() / distances.len().max(1) as f32;
    let scale = scale(&beyond).max(1e-3 * mean).max(1e-6);
    let mut weights: Vec<(u32, f32)> = distances.iter().zip(&beyond).map(|((to, _), beyond)| (*to, exp(-beyond / scale).min(1.0))).collect();
    weights.sort_unstable_by_key(|(to, _)| *to);
    weights.dedup_by_key(|(to, _)| *to);
    weights
}

/// The scale on which the neighbours weigh log2(k + 1) together, by halving.
fn scale(beyond: &[f32]) -> f32 {
    let wanted = ((beyond.len() + 1) as f32).log2();
    let (mut low, mut high, mut scale) = (0.0f32, f32::INFINITY, 1.0f32);
    for _ in 0..64 {
        let sum: f32 = beyond.iter().map(|beyond| exp(-beyond / scale)).sum();
        if (sum - wanted).abs() < 1e-5 {
            break;
        }
        if sum > wanted {
            high = scale;
        } else {
            low = scale;
        }
        scale = if high.is_finite() { (low + high) / 2.0 } else { scale * 2.0 };
    }
    scale
}

/// The pairs that one or the other knows, in the order of their numbers.
fn union(own: &[(u32, f32)], back: &[(u32, f32)]) -> Vec<Edge> {
    let mut all = [own, back].concat();
    all.sort_by_key(|(to, _)| *to);
    all.dedup_by(|other, one| {
        let is_same = other.0 == one.0;
        if is_same {
            one.1 += other.1 - one.1 * other.1;
        }
        is_same
    });
    let edge = |(to, weight): (u32, f32)| Edge { to, share: (weight * ALL as f32).round() as u32 };
    all.into_iter().map(edge).filter(|edge| edge.share > 0).collect()
}

//! Where papers stand on a map: near their neighbours, away from all others.
//!
//! The objective is UMAP's (McInnes, Healy and Melville 2018, arXiv:1802.03426):
//!
//! ```text
//! neighbours ─ fuzzy ─▶ weight of each pair   ┐
//!                                             ├─ epochs ─▶ positions
//! vectors ── start ──▶ two principal axes     ┘
//! ```
//!
//! UMAP descends on one sampled pair after the other, and moves both; on several threads the order, and so the map, is another
//! each time. Here each point moves by itself, from what it sees of the others, with three differences to UMAP:
//!
//! - A point and its neighbours that all move at once overshoot. So an epoch takes the points in [`TURNS`] turns, and each turn sees
//!   where the turns before it went. Within a turn nobody sees the others move: the threads that share it change nothing.
//! - A step goes along some edges at once, so that a processor computes them side by side.
//! - Their pulls together never carry a point beyond its neighbours ([`Step::pull`]). UMAP's do, and only its falling rate brings
//!   points to rest; without that, fewer epochs are needed, and neighbours come to lie nearer to each other.

mod fuzzy;
mod power;
mod start;

use rayon::prelude::*;

use crate::vector::Vectors;
use fuzzy::Weights;
use power::power;

/// A place on the map; a unit is about the distance from which on neighbours no longer attract each other.
pub type Position = [f32; 2];

/// 1 / (1 + a d^2b) is how near two points look at distance d: the curve that UMAP fits to a `min_dist` of 0.1.
const A: f32 = 1.576_943_5;
const B: f32 = 0.895_060_9;
/// Others that a point meets by chance and moves away from, for each edge that it moves along.
const NEGATIVES: usize = 5;
/// No pull or push is longer in either direction.
const LONGEST: f32 = 4.0;
/// Edges a step.
const GROUP: usize = 4;
/// Turns an epoch.
const TURNS: usize = 16;
/// Points a thread takes at once.
const POINTS: usize = 64;
/// Any other number draws another map.
const SEED: u64 = 0x7061_7065_726b_696e;

/// Places each row of `vectors` by its neighbours: rows with their cosines, itself not among them.
///
/// The same input gives the same bytes, whatever the number of threads. A row without neighbours stands where the two principal axes put
/// it; a neighbour that is no row is passed over.
pub fn lay_out(vectors: &Vectors, neighbours: &[Vec<(u32, f32)>]) -> Vec<Position> {
    assert_eq!(vectors.len(), neighbours.len(), "lists of neighbours for other vectors");
    let weights = Weights::of(neighbours);
    let mut positions = start::principal(vectors);
    let epochs = epochs(positions.len());
    let mut moved = Vec::with_capacity(positions.len().div_ceil(TURNS));
    for epoch in 0..epochs {
        for turn in 0..TURNS.min(positions.len()) {
            let points = (positions.len() - turn).div_ceil(TURNS);
            let step = Step { weights: &weights, positions: &positions, epoch, rate: 1.0 - epoch as f32 / epochs as f32 };
            (0..points).into_par_iter().with_min_len(POINTS).map(|at| step.of(turn + at * TURNS)).collect_into_vec(&mut moved);
            moved.iter().enumerate().for_each(|(at, position)| positions[turn + at * TURNS] = *position);
        }
    }
    positions
}

/// Few points need more epochs to find their places, and can afford them.
fn epochs(points: usize) -> u32 {
    (3_000_000 / points.max(1)).clamp(100, 500) as u32
}

/// What a point sees when it moves.
#[derive(Clone, Copy)]
struct Step<'a> {
    weights: &'a Weights,
    positions: &'a [Position],
    epoch: u32,
    /// Falls from 1 to 0.
    rate: f32,
}

impl Step<'_> {
    /// Where the point goes in this epoch.
    fn of(self, point: usize) -> Position {
        let mut here = self.positions[point];
        let mut chance = Chance::new(self.epoch, point);
        let mut due = self.weights.of_point(point).iter().filter(|edge| edge.is_due(self.epoch));
        loop {
            let (mut to, mut count) = ([point; GROUP], 0);
            for (to, edge) in to.iter_mut().zip(&mut due) {
                *to = edge.to as usize;
                count += 1;
            }
            if count == 0 {
                return here;
            }
            let (pull, push) = (self.pull(here, &to[..count]), self.push(here, count, &mut chance));
            here = [here[0] + pull[0] + push[0], here[1] + pull[1] + push[1]];
        }
    }

    /// Towards neighbours: the gradient for each, divided by 1 + their strength. One of strength s carries the point s / (1 + s) of the
    /// way.
    fn pull(self, here: Position, to: &[usize]) -> Position {
        let mut offsets = Offsets::<GROUP>::default();
        to.iter().enumerate().for_each(|(lane, to)| offsets.set(lane, here, self.positions[*to]));
        let mut strength = [0.0f32; GROUP];
        for (lane, strength) in strength.iter_mut().enumerate() {
            let square = offsets.square(lane);
            let curve = A * power(square, B);
            // UMAP moves both ends of a pair along each of its two directions: twice, that is.
            *strength = self.rate * 2.0 * (2.0 * B) * curve / (square * (1.0 + curve));
        }
        let together: f32 = strength[..to.len()].iter().sum();
        offsets.total(&strength).map(|x| -x / (1.0 + together))
    }

    /// Away from some points that are drawn for so many edges.
    fn push(self, here: Position, edges: usize, chance: &mut Chance) -> Position {
        let mut offsets = Offsets::<{ GROUP * NEGATIVES }>::default();
        for lane in 0..edges * NEGATIVES {
            offsets.set(lane, here, self.positions[chance.below(self.positions.len())]);
        }
        let mut strength = [0.0f32; GROUP * NEGATIVES];
        for (lane, strength) in strength.iter_mut().enumerate() {
            let square = offsets.square(lane);
            *strength = 2.0 * B / ((0.001 + square) * (1.0 + A * power(square, B)));
        }
        offsets.total(&strength).map(|x| self.rate * x)
    }
}

/// From some points to one, an axis after the other: the compiler computes with four at once. Those that are not set are 0.
struct Offsets<const N: usize>([[f32; N]; 2]);

impl<const N: usize> Default for Offsets<N> {
    fn default() -> Self {
        Self([[0.0; N]; 2])
    }
}

impl<const N: usize> Offsets<N> {
    #[inline(always)]
    fn set(&mut self, lane: usize, to: Position, from: Position) {
        self.0[0][lane] = to[0] - from[0];
        self.0[1][lane] = to[1] - from[1];
    }

    /// The square of the distance, and never 0.
    #[inline(always)]
    fn square(&self, lane: usize) -> f32 {
        self.0[0][lane] * self.0[0][lane] + self.0[1][lane] * self.0[1][lane] + 1e-12
    }

    /// The sum of all, each times its strength.
    #[inline(always)]
    fn total(&self, strength: &[f32; N]) -> Position {
        self.0.each_ref().map(|offsets| {
            let mut sums = [0.0f32; 4];
            for lane in 0..N {
                sums[lane % 4] += (offsets[lane] * strength[lane]).clamp(-LONGEST, LONGEST);
            }
            (sums[0] + sums[1]) + (sums[2] + sums[3])
        })
    }
}

/// Numbers that look random and depend on nothing but the epoch and the point.
struct Chance(u64);

impl Chance {
    fn new(epoch: u32, point: usize) -> Self {
        Self(mix(SEED ^ (u64::from(epoch) << 32 | point as u64)))
    }

    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((mix(self.0) >> 32) * n as u64 >> 32) as usize
    }
}

/// splitmix64's output function.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::{RowId, dot, normalise};

    /// So many rows around each of some random directions.
    fn clusters(clusters: usize, rows: usize) -> Vectors {
        const DIM: usize = 32;
        let mut chance = Chance(7);
        let mut random = || chance.below(1 << 20) as f32 / (1 << 19) as f32 - 1.0;
        let mut vectors = Vectors::new(DIM);
        for _ in 0..clusters {
            let middle: Vec<f32> = (0..DIM).map(|_| random()).collect();
            for _ in 0..rows {
                let mut row: Vec<f32> = middle.iter().map(|x| x + 0.4 * random()).collect();
                normalise(&mut row);
                vectors.push(&row);
            }
        }
        vectors
    }

    fn neighbours(vectors: &Vectors, k: usize) -> Vec<Vec<(u32, f32)>> {
        let row = |at: usize| vectors.row(RowId(at as u32));
        let near = |at: usize| {
            let mut all: Vec<(u32, f32)> =
                (0..vectors.len()).filter(|other| *other != at).map(|other| (other as u32, dot(row(at), row(other)))).collect();
            all.sort_by(|a, b| b.1.total_cmp(&a.1));
            all.truncate(k);
            all
        };
        (0..vectors.len()).map(near).collect()
    }

    fn distance(a: Position, b: Position) -> f32 {
        ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt()
    }

    #[test]
    fn the_nearest_on_the_map_are_of_the_same_cluster() {
        const ROWS: usize = 60;
        let vectors = clusters(8, ROWS);
        let map = lay_out(&vectors, &neighbours(&vectors, 15));
        let is_right = |at: &usize| {
            let nearest =
                (0..map.len()).filter(|other| other != at).min_by(|a, b| distance(map[*at], map[*a]).total_cmp(&distance(map[*at], map[*b])));
            nearest.is_some_and(|nearest| nearest / ROWS == at / ROWS)
        };
        let right = (0..map.len()).filter(is_right).count();
        assert!(right * 100 >= map.len() * 99, "{right} of {}", map.len());
    }

    #[test]
    fn the_number_of_threads_changes_no_byte() {
        let vectors = clusters(9, 150);
        let near = neighbours(&vectors, 15);
        let with = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| lay_out(&vectors, &near));
        let bytes = |map: Vec<Position>| map.iter().flatten().map(|x| x.to_bits()).collect::<Vec<u32>>();
        let one = bytes(with(1));
        assert!(one == bytes(with(2)) && one == bytes(with(5)));
    }

    #[test]
    fn a_few_points_identical_ones_and_strays_have_places() {
        let all_near = |n: u32| (0..n).map(|at| (0..n).filter(|other| *other != at).take(15).map(|other| (other, 1.0)).collect()).collect();
        let same = |n: usize| Vectors::from_rows(4, [0.5f32; 4].repeat(n));
        let mut strays = neighbours(&clusters(2, 20), 15);
        strays[3].clear();
        strays.iter_mut().for_each(|near| near.retain(|(to, _)| *to != 3));
        let mut broken: Vec<Vec<(u32, f32)>> = neighbours(&clusters(2, 20), 15);
        broken[5] = vec![(5, 1.0), (1000, 0.9), (6, f32::NAN), (7, 0.5), (7, 0.5), (8, -3.0), (9, 3.0)];
        let mut not_numbers = same(20);
        not_numbers.row_mut(RowId(3)).fill(f32::NAN);
        let cases: Vec<(Vectors, Vec<Vec<(u32, f32)>>)> = vec![
            (Vectors::new(4), vec![]),
            (same(1), all_near(1)),
            (same(2), all_near(2)),
            (same(3), all_near(3)),
            (same(200), all_near(200)),
            (same(5), vec![vec![]; 5]),
            (clusters(2, 20), strays),
            (clusters(2, 20), broken),
            (not_numbers, all_near(20)),
        ];
        for (vectors, near) in cases {
            let map = lay_out(&vectors, &near);
            assert_eq!(map.len(), vectors.len());
            assert!(map.iter().flatten().all(|x| x.abs() < 1e3), "{map:?}");
        }
    }
}
